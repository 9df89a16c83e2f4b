"""What was played and what came out, brought together: two recordings laid over each other, or a model that plays the dry one here.

Samples are what a model of the pair will take and give: the unit of the recordings, volts where a circuit is the target.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Mapping

import numpy as np

from ampwright.models import locate
from ampwright.simulation import Progress, recording, simulate
from circuits.circuit import Circuit
from circuits.errors import Place, SignalError
from circuits.processor import Processor
from graybox.checks import SHORTEST, check_order, coherent_share, whitened
from validation.align import MAX_LATENCY, Alignment, advance, align
from validation.arrival import removable
from validation.audio import AUDIO_SUFFIXES, Audio, resample


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Dry and wet of one length.

    Parameters
    ----------
    x, y : ndarray, shape (n_samples,)
    sample_rate : float
        Hz.
    alignment : Alignment or None
        What was measured between the recordings; None for a target that was played here.
    shift : int
        Samples by which the target was moved earlier.
    notes : tuple of str
    """

    x: np.ndarray
    y: np.ndarray
    sample_rate: float
    alignment: Alignment | None
    shift: int
    notes: tuple[str, ...]

    @property
    def recorded(self) -> bool:
        """True if the target is a recording."""
        return self.alignment is not None


def pair(dry: str | Path | Audio, target: str | Path | Audio | Circuit | Processor, *, engine: str = "nodal", oversample: int = 4,
         controls: Mapping[str, float | str] | None = None, settings: Mapping[str, object] | None = None, channel: int | None = None,
         progress: Progress | None = None) -> Pair:
    """Bring a dry recording and a target together.

    Parameters
    ----------
    dry : str, Path or Audio
        What was played, or the name of a phrase that ships.
    target : str, Path, Audio, Circuit or Processor
        What came out: a recording, or a model that plays ``dry`` (with ``engine``, ``oversample``, ``controls``, ``settings`` as in `simulate`).
    channel : int, optional
        Which channel of recordings with several, from 1.
    progress : callable, optional
        ``progress(done, text)``, for a target that plays.

    Returns
    -------
    Pair

    Raises
    ------
    SignalError, FitError
        If the recordings can't be used, don't belong together or are swapped; the message says what was measured.
    ModelFileError, NetlistError, CircuitError, ConvergenceError
        If the target is a model that can't be used.

    Examples
    --------
    >>> x = np.random.default_rng(1).standard_normal(9600)
    >>> pair(Audio(x, 48000.0), Audio(np.concatenate([np.zeros(100), np.tanh(x)]), 48000.0)).shift
    96
    """
    notes: list[str] = []
    heard = _mono(dry, channel)
    recorded = isinstance(target, Audio) or isinstance(target, (str, Path)) and Path(target).suffix.lower() in AUDIO_SUFFIXES
    if not recorded:
        played = simulate(target, heard.samples, heard.sample_rate, engine=engine, oversample=_factor(target, oversample), controls=controls,
                          settings=settings, progress=progress)
        if played.run.bad_samples:
            notes.append(f"{played.run.bad_samples} steps of the target did not converge")
        return Pair(heard.samples, played.samples, heard.sample_rate, None, 0, tuple(notes))
    wet = _mono(target, channel)
    x, rate = heard.samples, wet.sample_rate
    if heard.sample_rate != rate:
        notes.append(f"the dry recording is resampled from {heard.sample_rate:g} Hz to the target's {rate:g} Hz")
        x = resample(x, heard.sample_rate, rate)
    length = min(len(x), wet.n_samples)
    if abs(len(x) - wet.n_samples) > rate * 0.01:
        notes.append(f"the recordings last {len(x) / rate:.3f} s and {wet.duration:.3f} s; what only one of them has is left out")
    x, y = x[:length], wet.samples[:length]
    if length < SHORTEST:
        few = dry if heard.n_samples < wet.n_samples else target
        raise SignalError(f"{length} samples are too few, {SHORTEST} is the least", place=None if isinstance(few, Audio) else Place(str(few)), mend="Record some seconds.")
    for one, samples in ((dry, x), (target, y)):
        if not np.ptp(samples) > 0.0:
            raise SignalError(f"the recording is silent: all {length} samples are {samples[0]:g}", place=None if isinstance(one, Audio) else Place(str(one)),
                              mend="Look at its level and at its channel.")
    try:
        found = align(x, y, rate)
    except SignalError:
        _check_far(x, y, rate, target)
        if coherent_share(x, y, rate) > 0.1:  # strangers reach 0.06: these are kin, but perhaps the wrong way round
            check_order(x, y, rate)
        raise
    check_order(x, y, rate)
    if found.latency <= -1.0:
        notes.append(f"the target comes {-found.latency:.1f} samples before the input, which no device does: is something swapped or cut?")
    shift = removable(x, y, found.latency)
    if shift:
        x, y = x[:length - abs(shift)], advance(y, shift)[:length - abs(shift)]
    notes.append(f"the target is {found.latency:.2f} samples late" + (f", {shift} of them are taken out" if shift else "")
                 + (", upside down" if found.polarity < 0 else "") + f"; coherence {found.coherence:.3f}")
    return Pair(x, y, rate, found, shift, tuple(notes))


def _check_far(x: np.ndarray, y: np.ndarray, rate: float, target) -> None:
    """Raise SignalError with the lag if the target fits the input far away from where it lies."""
    heights, lags = whitened(x, y)
    lag = int(lags[np.argmax(heights)])
    if abs(lag) <= MAX_LATENCY * rate or len(x) - abs(lag) < SHORTEST:
        return
    early, late = (x[:len(x) - lag], y[lag:]) if lag > 0 else (x[-lag:], y[:len(y) + lag])
    try:
        found = align(early, late, rate)
    except SignalError:
        return  # no lag helps: what was measured without one is told
    lag += round(found.latency)
    raise SignalError(f"the target lies {abs(lag)} samples ({abs(lag) / rate:.3f} s) {'behind' if lag > 0 else 'before'} the input "
                      f"(coherence {found.coherence:.3f} there), and at most {MAX_LATENCY:g} s are taken for latency", place=None if isinstance(target, Audio) else Place(str(target)),
                      mend="Cut the beginning of the one that starts too early.")


def _mono(what: str | Path | Audio, channel: int | None) -> Audio:
    audio = what if isinstance(what, Audio) else recording(what)
    place = None if isinstance(what, Audio) else Place(str(what))
    if channel is not None and not 1 <= channel <= audio.n_channels:
        raise SignalError(f"there is no channel {channel}", place=place, mend=f"Choose from 1 to {audio.n_channels}.")
    if audio.n_channels > 1 and channel is None:
        raise SignalError(f"the recording has {audio.n_channels} channels, and one is taken", place=place, mend="Choose one with --channel 1.")
    return audio if audio.n_channels == 1 else Audio(audio.channel(channel - 1), audio.sample_rate)


def _factor(target, oversample: int) -> int:
    """Oversampling is for circuits; other models have a rate of their own."""
    circuit = isinstance(target, Circuit) or isinstance(target, (str, Path)) and locate(target).kind == "netlist"
    return oversample if circuit else 1
