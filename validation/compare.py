"""Lay candidates beside a target: render, align, score, test; the result is one frozen Comparison.

Target and candidates are recordings or Processors, under labels; whatever a candidate is made of makes no difference here.
A candidate that fails keeps its row, with its message, and the others go on.

References
----------
B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13: percentile intervals, here over segments.
F. Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1(6), 1945: the paired test.
S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statistics 6(2), 1979.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import math
import platform
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version

import numpy as np
from scipy.stats import wilcoxon

from circuits.errors import AmpwrightError, ConvergenceError, SignalError
from circuits.processor import Processor
from validation.align import Alignment, align, apply, check_mode
from validation.audio import Audio, resample
from validation.comparison import Comparison, Pair, Rendering, Row
from validation.loudness import loudness
from validation.metrics import METRICS, evaluate
from validation.response import Response, measure_response
from validation.spectral_metrics import multi_resolution_stft_many

LEVEL_EDGES = (-10.0, -20.0, -30.0, -40.0, -50.0, -60.0)  # dB under the loudest frame of the target
_BLOCK = 1 << 15
_SILENT = 1e-6  # a segment 60 dB under the loudest has no error worth a ratio
_FRAME = 0.05  # seconds of a frame of the level table
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to compare, before it is loaded.

    Parameters
    ----------
    label : str
        Its name in the report.
    load : callable
        ``load(sample_rate)`` returns a Processor or an `Audio`; the rate in Hz is a wish, which a model of fixed rate may
        not fulfil. May raise any AmpwrightError.
    source, digest : str
        Path and SHA-256 of the file, for the report.
    """

    label: str
    load: Callable[[float], Processor | Audio]
    source: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class _Take:
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


def _mono(audio: Audio, label: str) -> np.ndarray:
    if audio.n_channels != 1:
        raise SignalError(f"{label} has {audio.n_channels} channels, and a comparison takes one", mend="Choose a channel or mix it down.")
    return audio.channel(0)


def _digest(samples: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(samples).tobytes()).hexdigest()


def cost(processor: Processor) -> tuple[float, float]:
    """Learned numbers and operations for each outer sample, NaN where a model does not tell.

    Models that know have ``n_parameters`` and ``operations_per_sample``; wrappers (oversampling, resampling) have ``inner``.
    """
    inner = processor
    while not hasattr(inner, "n_parameters") and hasattr(inner, "inner"):
        inner = inner.inner
    return (float(getattr(inner, "n_parameters", math.nan)),
            float(getattr(inner, "operations_per_sample", math.nan)) * inner.sample_rate / processor.sample_rate)


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


def _take(entry: Entry, dry: Audio | None, rate: float, n_samples: int | None, measure: bool, level: float, progress) -> _Take:
    thing = entry.load(rate)
    notes = []
    if isinstance(thing, Audio):
        samples = _mono(thing, entry.label)
        digest = entry.digest or _digest(samples)
        if thing.sample_rate != rate:
            samples = resample(samples, thing.sample_rate, rate)
            notes.append(f"{entry.label}: resampled from {thing.sample_rate:g} Hz to {rate:g} Hz")
        take = _Take(samples, "recording", digest, ())
    else:
        if dry is None:
            raise SignalError("a model needs a dry recording to be compared", mend="Give one.")
        source = _mono(dry, "the dry recording")
        inner = float(thing.sample_rate)
        if inner != dry.sample_rate:
            notes.append(f"{entry.label}: runs at {inner:g} Hz, the dry recording was resampled from {dry.sample_rate:g} Hz")
        samples, seconds = render(thing, resample(source, dry.sample_rate, inner), progress)
        if inner != rate:
            samples = resample(samples, inner, rate)
            notes.append(f"{entry.label}: output resampled from {inner:g} Hz to {rate:g} Hz")
        if thing.latency:
            notes.append(f"{entry.label}: declared latency of {thing.latency} samples taken out")
        bad = int(thing.run.bad_samples)
        if bad:
            notes.append(f"{entry.label}: {bad} samples did not converge, the first at {thing.run.first_bad_time:.4f} s")
        take = _Take(samples, "model", entry.digest, (), dry.duration / seconds if seconds else math.inf, bad,
                     *cost(thing), measure_response(thing, level=level) if measure else None)
    if not np.any(take.samples != take.samples[0]):
        raise SignalError("the signal is silent", mend="Look at its level and its input.")
    if n_samples is not None and len(take.samples) != n_samples:
        seconds = (len(take.samples) - n_samples) / rate
        if len(take.samples) < n_samples / 2:
            raise SignalError(f"it lasts {len(take.samples) / rate:.3f} s and the target {n_samples / rate:.3f} s",
                              mend="Give recordings of one performance.")
        if abs(seconds) > 0.5 / rate and not (take.kind == "model" and abs(len(take.samples) - n_samples) <= 1):
            notes.append(f"{entry.label}: {abs(seconds):.4f} s {'longer' if seconds > 0 else 'shorter'} than the target; "
                         "only the common part is compared")
    return replace(take, notes=tuple(notes))


def _segment_energies(reference: np.ndarray, estimate: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Energies of target and error in whole segments; a broken last one is left out."""
    count = len(reference) // size
    cut = reference[:count * size].reshape(count, size)
    error = cut - estimate[:count * size].reshape(count, size)
    return np.einsum("ij,ij->i", cut, cut), np.einsum("ij,ij->i", error, error)


def bootstrap_interval(signal: np.ndarray, error: np.ndarray, rng: np.random.Generator, *, n_draws: int = 2000,
                       confidence: float = 0.95) -> tuple[float, float]:
    """Percentile interval of ``sum error / sum signal`` over resampled segments (Efron and Tibshirani 1993).

    Parameters
    ----------
    signal, error : ndarray, shape (n_segments,)
        Energies.
    rng : numpy.random.Generator

    Returns
    -------
    (float, float)
        NaN with fewer than three segments.

    Examples
    --------
    >>> bootstrap_interval(np.ones(9), np.full(9, 0.25), np.random.default_rng(1))
    (0.25, 0.25)
    """
    if len(signal) < 3:
        return math.nan, math.nan
    counts = rng.multinomial(len(signal), np.full(len(signal), 1.0 / len(signal)), size=n_draws)
    totals = counts @ signal
    ratios = (counts @ error)[totals > 0.0] / totals[totals > 0.0]
    low, high = np.quantile(ratios, [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0])
    return float(low), float(high)


def paired_tests(labels, errors) -> tuple[Pair, ...]:
    """Wilcoxon's signed-rank test on the logarithms of the segments' errors, for all pairs, with Holm's correction.

    Parameters
    ----------
    labels : list of str
    errors : list of ndarray, shape (n_segments,)
        Error energies in the same segments.

    Examples
    --------
    >>> pair, = paired_tests(["a", "b"], [np.arange(1.0, 21.0), 2.0 * np.arange(1.0, 21.0)])
    >>> pair.better, pair.p_value < 1e-4, pair.share
    ('a', True, 1.0)
    """
    found = []
    for (name, first), (other, second) in itertools.combinations(zip(labels, errors), 2):
        with np.errstate(divide="ignore", invalid="ignore"):
            difference = np.log(first) - np.log(second)  # two perfect segments are a tie, one perfect one is a win
        difference = np.where(np.isnan(difference), 0.0, np.clip(difference, -700.0, 700.0))
        p_value = 1.0 if len(difference) < 6 or not np.any(difference) else float(wilcoxon(difference, zero_method="zsplit").pvalue)
        if np.median(difference) > 0.0:
            name, other, difference = other, name, -difference
        found.append(Pair(name, other, p_value, float(np.mean(difference < 0.0)) if len(difference) else math.nan))
    corrected, running = list(found), 0.0
    for rank, index in enumerate(sorted(range(len(found)), key=lambda k: found[k].p_value)):
        running = max(running, min(1.0, (len(found) - rank) * found[index].p_value))
        corrected[index] = replace(found[index], p_value=running)
    return tuple(corrected)


def _by_level(reference: np.ndarray, estimate: np.ndarray, size: int) -> np.ndarray:
    signal, error = _segment_energies(reference, estimate, size)
    if not signal.size or signal.max() == 0.0:
        return np.full(len(LEVEL_EDGES), math.nan)
    with np.errstate(divide="ignore"):
        level = 10.0 * np.log10(signal / signal.max())
    result = []
    for low in LEVEL_EDGES:
        inside = (level >= low) & (level < low + 10.0 if low < LEVEL_EDGES[0] else level <= 0.0)
        result.append(float(error[inside].sum() / signal[inside].sum()) if inside.any() else math.nan)
    return np.array(result)


def _versions() -> dict[str, str]:
    result = {"python": platform.python_version()}
    for name in ("ampwright", "numpy", "scipy", "numba", "soxr", "soundfile"):
        try:
            result[name] = version(name)
        except PackageNotFoundError:
            result[name] = "run from its source tree"
    return result


def _unique(entries) -> list[Entry]:
    seen: dict[str, int] = {}
    result = []
    for entry in entries:
        seen[entry.label] = seen.get(entry.label, 0) + 1
        result.append(entry if seen[entry.label] == 1 else replace(entry, label=f"{entry.label} ({seen[entry.label]})"))
    return result


def _explain(error: Exception) -> str:
    return str(error) if isinstance(error, AmpwrightError) else f"{type(error).__name__}: {' '.join(str(error).split())}"


def compare(dry: Audio | None, target: Entry, candidates, *, mode: str = "latency", segment_length: float = 0.5, measure: bool = True,
            level: float | None = None, max_latency: float = 0.5, rng: np.random.Generator | None = None, progress=None, dry_label: str = "dry",
            dry_source: str = "", settings: dict | None = None, command: str = "") -> Comparison:
    """Compare candidates with a target.

    Parameters
    ----------
    dry : Audio or None
        What the models play; not needed if all are recordings.
    target : Entry
        What should be reached. Its failure is an error.
    candidates : iterable of Entry
        At least one; a failure is kept in the candidate's row.
    mode : {"none", "latency", "latency+gain"}
        What alignment may take out before scoring; scores without any are always kept beside.
    segment_length : float
        Seconds of the segments over which intervals and tests are taken.
    measure : bool
        Whether models are also measured with test tones (some seconds of audio each).
    level : float, optional
        Peak of those tones; the peak of the dry recording if not given.
    max_latency : float
        Seconds in which the latency is searched.
    rng : numpy.random.Generator, optional
        For the bootstrap; a generator of seed 0 if not given, so that a report can be repeated.
    progress : callable, optional
        ``progress(done, text)``.
    dry_label, dry_source, settings, command
        For the report.

    Returns
    -------
    Comparison

    Raises
    ------
    SignalError
        If dry or target can't be used, or there are no candidates.
    """
    check_mode(mode)
    if not 0.0 < segment_length < math.inf:
        raise SignalError(f"segments of {segment_length:g} s make no sense", mend="Give seconds above 0.")
    candidates = list(candidates)
    if not candidates:
        raise SignalError("there is nothing to compare", mend="Give at least one candidate.")
    target, *candidates = _unique([target, *candidates])
    rng = rng or np.random.default_rng(0)
    tell = progress or (lambda done, text: None)
    total = len(candidates) + 2.0
    notes: list[str] = []
    if dry is not None:
        level = level or float(np.max(np.abs(_mono(dry, "the dry recording")))) or 1.0

    # the target's rate is the rate of the comparison: nothing is done to the reference that can be avoided
    tell(0.0, f"target {target.label}")
    first = target.load(dry.sample_rate if dry is not None else math.nan)
    rate = float(first.sample_rate)
    reference = _take(replace(target, load=lambda _: first), dry, rate, None, measure, level or 1.0, None)
    notes += reference.notes
    n_samples = len(reference.samples)
    dry_rendering = None
    if dry is not None:
        played = resample(_mono(dry, "the dry recording"), dry.sample_rate, rate)
        dry_rendering = Rendering(dry_label, dry_source, "recording", _digest(dry.samples), played, loudness(played, rate))
        if dry.sample_rate != rate:
            notes.append(f"{dry_label}: {dry.sample_rate:g} Hz, the comparison runs at the target's {rate:g} Hz")
        if abs(len(played) - n_samples) > 1:
            notes.append(f"{dry_label}: {len(played) / rate:.4f} s, the target {n_samples / rate:.4f} s; only the common part is compared")

    takes: list[_Take | None] = []
    rows: list[Row] = []
    for number, entry in enumerate(candidates, 1):
        def inner(done, text, number=number, entry=entry):
            tell((number + done) / total, f"{entry.label}: {text}")
        inner(0.0, "loading")
        row = Row(entry.label, entry.source, entry.digest, "unknown")
        try:
            take = _take(entry, dry, rate, n_samples, measure, level or 1.0, inner)
            takes.append(take)
            rows.append(replace(row, kind=take.kind, digest=take.digest, notes=take.notes, real_time_factor=take.real_time_factor,
                                bad_samples=take.bad_samples, n_parameters=take.n_parameters, operations=take.operations, response=take.response))
        except Exception as error:  # whatever a model does, the others go on; the row and the log tell
            if isinstance(error, AmpwrightError):
                _log.info("%s failed: %s", entry.label, error)
            else:
                _log.warning("%s failed", entry.label, exc_info=True)
            takes.append(None)
            rows.append(replace(row, message=_explain(error)))

    tell((total - 1.0) / total, "alignment and scores")
    length = min([n_samples] + [len(take.samples) for take in takes if take])
    if dry_rendering is not None and any(take is not None and take.kind == "model" for take in takes):
        length = min(length, len(dry_rendering.samples))
    truth = reference.samples[:length]
    alignments: list[Alignment | None] = []
    for index, found in enumerate(_together(lambda take: _aligned(truth, take, rate, max_latency), takes)):
        if isinstance(found, SignalError):
            if mode != "none":
                rows[index] = replace(rows[index], message=_explain(found))
                takes[index] = None
            else:
                rows[index] = replace(rows[index], notes=(*rows[index].notes, f"{rows[index].label}: alignment not measured, {found.what}"))
            found = None
        alignments.append(found)
    start, stop = 0, length
    if mode != "none":
        margins = [alignment.margin for alignment in alignments if alignment is not None]
        start = max([0] + [before for before, _ in margins])
        stop = length - max([0] + [after for _, after in margins])
    region = slice(start, stop)
    if stop - start < 2048:
        raise SignalError(f"only {max(stop - start, 0)} samples are common to all", mend="Give longer recordings or align nothing.")
    if not np.any(truth[region]):
        raise SignalError("the target is silent where it is compared", mend="Give a target with sound.")
    rows = _score(rows, takes, alignments, truth, region, rate, mode, segment_length, rng)
    pairs = _test_pairs(rows, truth[region], max(int(segment_length * rate), 1))
    rows.sort(key=lambda row: (row.failed, row.scores.get("esr", math.inf)))
    heard = loudness(truth[region], rate)
    settings = {"alignment": mode, "segment_length": f"{segment_length:g} s", "max_latency": f"{max_latency:g} s", **(settings or {})}
    tell(1.0, "done")
    return Comparison(rate, mode, Rendering(target.label, target.source, reference.kind, reference.digest, reference.samples, heard),
                      reference.response, dry_rendering, tuple(rows), (start, stop), segment_length, LEVEL_EDGES, pairs,
                      tuple(notes + [note for row in rows for note in row.notes]), settings, _versions(), command)


def _together(work, items) -> list:
    """``map`` on two threads: transforms and filters leave the interpreter free."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(work, items))


def _aligned(truth: np.ndarray, take: _Take | None, rate: float, max_latency: float) -> Alignment | SignalError | None:
    if take is None:
        return None
    try:
        return align(truth, take.samples[:len(truth)], rate, max_latency=max_latency)
    except SignalError as error:
        return error


def _scores(reference, estimates, rate, names) -> list[dict] | SignalError:
    try:
        return [evaluate(reference, estimate, rate, names=names) for estimate in estimates]
    except SignalError as error:
        return error


def _score(rows, takes, alignments, truth, region, rate, mode, segment_length, rng) -> list[Row]:
    names = [name for name in METRICS if name != "multi_resolution_stft"]
    aligned = [take if take is None else
               apply(alignment, take.samples[:len(truth)], mode)[region] if alignment is not None and mode != "none" else
               take.samples[:len(truth)][region] for take, alignment in zip(takes, alignments)]
    raw = [None if take is None else take.samples[:len(truth)][region] for take in takes]
    present = [index for index, take in enumerate(takes) if take is not None]
    reference = truth[region]
    # the target's spectra are computed once for everybody
    moved = [k for k in present if not np.array_equal(raw[k], aligned[k])]
    distances = multi_resolution_stft_many(reference, [aligned[k] for k in present] + [raw[k] for k in moved])
    size = max(int(segment_length * rate), 1)
    result = list(rows)
    tables = _together(lambda k: _scores(reference, [aligned[k], raw[k]] if k in moved else [aligned[k]], rate, names), present)
    for order, (index, table) in enumerate(zip(present, tables)):
        if isinstance(table, SignalError):
            result[index] = replace(rows[index], message=_explain(table))
            continue
        scores, as_is = table[0], dict(table[-1])
        scores["multi_resolution_stft"] = distances[order]
        as_is["multi_resolution_stft"] = distances[len(present) + moved.index(index)] if index in moved else distances[order]
        signal, error = _segment_energies(reference, aligned[index], size)
        loud = signal > _SILENT * signal.max(initial=0.0)
        segments = np.full(len(signal), math.nan)
        segments[loud] = error[loud] / signal[loud]
        rendering = Rendering(rows[index].label, rows[index].source, rows[index].kind, rows[index].digest, takes[index].samples,
                              loudness(aligned[index], rate))
        result[index] = replace(rows[index], rendering=rendering, alignment=alignments[index],
                                scores={name: scores[name] for name in METRICS}, scores_as_is={name: as_is[name] for name in METRICS},
                                interval=bootstrap_interval(signal[loud], error[loud], rng), segments=segments,
                                levels=_by_level(reference, aligned[index], max(int(_FRAME * rate), 1)))
    return result


def _test_pairs(rows, reference, size) -> tuple[Pair, ...]:
    good = [row for row in rows if not row.failed]
    count = len(reference) // size
    if count == 0:
        return ()  # shorter than one segment: nothing to test
    signal = np.einsum("ij,ij->i", *[reference[:count * size].reshape(count, size)] * 2)
    loud = signal > _SILENT * signal.max(initial=0.0)
    return paired_tests([row.label for row in good], [row.segments[loud] * signal[loud] for row in good])
