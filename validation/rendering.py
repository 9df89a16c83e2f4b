"""From an entry of a comparison to samples: load it, play the dry recording through it, and keep what was done to it.

Nothing here knows what a model is made of; a Processor is played in blocks, an Offline one at once, an Audio is taken as it is.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from circuits.errors import ConvergenceError, SignalError
from circuits.processor import Processor
from validation.audio import Audio, resample
from validation.response import Response, measure_response

_BLOCK = 1 << 15


@runtime_checkable
class Offline(Protocol):
    """What plays whole recordings only, and can't go on from a state: a simulator outside."""

    sample_rate: float

    def play(self, samples: np.ndarray) -> tuple[np.ndarray, str]:
        """The output for a whole recording, without latency, and a remark on how it came about."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to compare, before it is loaded.

    Parameters
    ----------
    label : str
        Its name in the report.
    load : callable
        ``load(sample_rate)`` returns a Processor, an `Offline` or an `Audio`; the rate in Hz is a wish, which a model of fixed rate
        may not fulfil. May raise any AmpwrightError.
    source, digest : str
        Path and SHA-256 of the file, for the report.
    cost : callable, optional
        ``cost(processor)`` returns its numbers and its operations per sample, after the recording was played; NaN where they can't be told.
    remarks : callable
        ``remarks()`` returns what loading had to guess or mend; asked after ``load``.
    """

    label: str
    load: Callable[[float], Processor | Offline | Audio]
    source: str = ""
    digest: str = ""
    cost: Callable[[Processor], tuple[float, float]] | None = None
    remarks: Callable[[], tuple[str, ...]] = tuple


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """What became of an entry: samples and how they were made."""

    samples: np.ndarray
    kind: str
    digest: str
    notes: tuple[str, ...]
    real_time_factor: float = math.nan
    bad_samples: int = 0
    n_parameters: float = math.nan
    operations: float = math.nan
    response: Response | None = None


def mono(audio: Audio, label: str) -> np.ndarray:
    """The one channel of a recording; raises SignalError if there are several."""
    if audio.n_channels != 1:
        raise SignalError(f"{label} has {audio.n_channels} channels, and a comparison takes one", mend="Choose a channel or mix it down.")
    return audio.channel(0)


def digest_of(samples: np.ndarray) -> str:
    """SHA-256 of samples, for what has no file."""
    return hashlib.sha256(np.ascontiguousarray(samples).tobytes()).hexdigest()


def render(processor: Processor, samples: np.ndarray, progress=None) -> tuple[np.ndarray, float]:
    """Run a whole recording through a freshly reset model; its declared latency is taken out.

    Parameters
    ----------
    processor : Processor
    samples : ndarray, shape (n_samples,)
        At the processor's rate.
    progress : callable, optional
        ``progress(done, text)`` with ``done`` from 0 to 1.

    Returns
    -------
    samples : ndarray, shape (n_samples,)
    seconds : float
        Spent inside `process`, after compilation.

    Raises
    ------
    ConvergenceError
        If a number is not finite.
    SignalError
        If the model has several outputs.
    """
    processor.process(np.zeros(256))  # compiles what is compiled at the first call
    processor.reset()
    latency = int(processor.latency)
    padded = np.concatenate([samples, np.zeros(latency)])
    parts, seconds = [], 0.0
    for start in range(0, len(padded), _BLOCK):
        before = time.perf_counter()
        part = processor.process(padded[start:start + _BLOCK])
        seconds += time.perf_counter() - before
        if part.ndim != 1:
            raise SignalError(f"the model has {part.shape[0]} outputs", mend="Compare one output at a time.")
        if not np.isfinite(part).all():
            at = (start + int(np.argmin(np.isfinite(part)))) / processor.sample_rate
            raise ConvergenceError(f"the output is not finite at {at:.4f} s", time=at, mend="Raise the oversampling or lower the level.")
        parts.append(part)
        if progress is not None:
            progress(min(start + _BLOCK, len(padded)) / len(padded), "rendering")
    return np.concatenate(parts)[latency:], seconds


def perform(entry: Entry, dry: Audio | None, rate: float, n_samples: int | None, measure: bool, level: float, progress) -> Take:
    """Load an entry and bring it to mono samples at a rate, telling what was done to it.

    Parameters
    ----------
    entry : Entry
    dry : Audio or None
        What a model plays.
    rate : float
        Of the comparison, Hz.
    n_samples : int or None
        Length of the target; None for the target itself.
    measure, level
        Whether to measure a model with tones, and their peak.
    progress : callable or None

    Returns
    -------
    Take

    Raises
    ------
    AmpwrightError
        Whatever loading and playing raise; and if the result is silent, or shorter than half of the target.
    """
    thing = entry.load(rate)
    notes = []
    if isinstance(thing, Audio):
        samples = mono(thing, entry.label)
        digest = entry.digest or digest_of(samples)
        if thing.sample_rate != rate:
            samples = resample(samples, thing.sample_rate, rate)
            notes.append(f"{entry.label}: resampled from {thing.sample_rate:g} Hz to {rate:g} Hz")
        take = Take(samples, "recording", digest, ())
    else:
        notes += [f"{entry.label}: {text}" for text in entry.remarks()]
        if dry is None:
            raise SignalError("a model needs a dry recording to be compared", mend="Give one.")
        source = mono(dry, "the dry recording")
        if not np.any(source):
            raise SignalError("the dry recording is silent: there is nothing to play", mend="Give a recording with sound.")
        inner = float(thing.sample_rate)
        if inner != dry.sample_rate:
            notes.append(f"{entry.label}: runs at {inner:g} Hz, the dry recording was resampled from {dry.sample_rate:g} Hz")
        heard = resample(source, dry.sample_rate, inner)
        bad, costs, response = 0, (math.nan, math.nan), None
        if isinstance(thing, Offline):
            begun = time.perf_counter()
            samples, remark = thing.play(heard)
            seconds = time.perf_counter() - begun
            notes.append(f"{entry.label}: {remark}")
        else:
            samples, seconds = render(thing, heard, progress)
            if thing.latency:
                notes.append(f"{entry.label}: declared latency of {thing.latency} samples taken out")
            bad = int(thing.run.bad_samples)
            if bad:
                notes.append(f"{entry.label}: {bad} samples did not converge, the first at {thing.run.first_bad_time:.4f} s")
            costs = entry.cost(thing) if entry.cost is not None else costs
            response = measure_response(thing, level=level) if measure else None
        if inner != rate:
            samples = resample(samples, inner, rate)
            notes.append(f"{entry.label}: output resampled from {inner:g} Hz to {rate:g} Hz")
        take = Take(samples, "model", entry.digest, (), dry.duration / seconds if seconds else math.inf, bad, *costs, response)
    if not np.any(take.samples != take.samples[0]):
        constant = f"the signal is silent, a constant {take.samples[0]:.3g}" if take.samples[0] else "the signal is silent"
        raise SignalError(constant, mend="Look at its level and its input.")
    if n_samples is not None and len(take.samples) != n_samples:
        seconds = (len(take.samples) - n_samples) / rate
        if len(take.samples) < n_samples / 2:
            raise SignalError(f"it lasts {len(take.samples) / rate:.3f} s and the target {n_samples / rate:.3f} s",
                              mend="Give recordings of one performance.")
        if abs(seconds) > 0.5 / rate and not (take.kind == "model" and abs(len(take.samples) - n_samples) <= 1):
            notes.append(f"{entry.label}: {abs(seconds):.4f} s {'longer' if seconds > 0 else 'shorter'} than the target; "
                         "only the common part is compared")
    return replace(take, notes=tuple(notes))
