"""Lay candidates beside a target: render, align, score, test; the result is one frozen Comparison.

Target and candidates are recordings or Processors, under labels; whatever a candidate is made of makes no difference here.
A candidate that fails keeps its row, with its message, and the others go on.
"""

from __future__ import annotations

import logging
import math
import platform
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from circuits.errors import AmpwrightError, Place, SignalError
from validation.align import Alignment, align, apply, check_mode
from validation.audio import Audio, resample
from validation.comparison import Comparison, Pair, Rendering, Row
from validation.loudness import loudness
from validation.metrics import METRICS, evaluate
from validation.rendering import Entry, Take, digest_of, mono, perform
from validation.segments import LEVEL_EDGES, bootstrap_interval, errors_by_level, loud_segments, paired_tests, segment_energies
from validation.spectral_metrics import RESOLUTIONS, frame_distances_many, multi_resolution_stft_many

_SHARED = ("multi_resolution_stft", "log_spectral_distance", "mel_cepstral_distance", "loudness_difference")  # what is known of the target is made once for everybody
_FEWEST = 2048  # samples: one spectrum
_FRAME = 0.05  # seconds of a frame of the level table
_log = logging.getLogger(__name__)


def _versions() -> dict[str, str]:
    result = {"python": platform.python_version()}
    for name in ("ampwright", "numpy", "scipy", "numba", "soxr", "soundfile"):
        try:
            result[name] = version(name)
        except PackageNotFoundError:
            result[name] = "run from its source tree"
    return result


def _unique(entries) -> list[Entry]:
    result: dict[str, Entry] = {}
    for entry in entries:
        label, count = entry.label, 1
        while label in result:
            count += 1
            label = f"{entry.label} ({count})"
        result[label] = replace(entry, label=label)
    return list(result.values())


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
        level = level or float(np.max(np.abs(mono(dry, "the dry recording")))) or 1.0

    # the target's rate is the rate of the comparison: nothing is done to the reference that can be avoided
    tell(0.0, f"target {target.label}")
    try:
        first = target.load(dry.sample_rate if dry is not None else math.nan)
        rate = float(first.sample_rate)
        reference = perform(replace(target, load=lambda _: first), dry, rate, None, measure, level or 1.0, None)
    except AmpwrightError as error:  # a candidate's message stands in its row; this one has to say whose it is
        if error.place is None:
            error.place = Place(f"the target {target.label}")
        raise
    notes += reference.notes
    n_samples = len(reference.samples)
    dry_rendering = None
    if dry is not None:
        played = resample(mono(dry, "the dry recording"), dry.sample_rate, rate)
        dry_rendering = Rendering(dry_label, dry_source, "recording", digest_of(dry.samples), played, loudness(played, rate))
        if dry.sample_rate != rate:
            notes.append(f"{dry_label}: {dry.sample_rate:g} Hz, the comparison runs at the target's {rate:g} Hz")
        if abs(len(played) - n_samples) > 1:
            notes.append(f"{dry_label}: {len(played) / rate:.4f} s, the target {n_samples / rate:.4f} s; only the common part is compared")

    takes: list[Take | None] = []
    rows: list[Row] = []
    for number, entry in enumerate(candidates, 1):
        def inner(done, text, number=number, entry=entry):
            tell((number + done) / total, f"{entry.label}: {text}")
        inner(0.0, "loading")
        row = Row(entry.label, entry.source, entry.digest, "unknown")
        try:
            found = perform(entry, dry, rate, n_samples, measure, level or 1.0, inner)
            takes.append(found)
            rows.append(replace(row, kind=found.kind, digest=found.digest, notes=found.notes, real_time_factor=found.real_time_factor,
                                bad_samples=found.bad_samples, n_parameters=found.n_parameters, operations=found.operations,
                                response=found.response))
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
    if stop - start < _FEWEST:
        raise SignalError(f"only {max(stop - start, 0)} samples are common to all, and {_FEWEST} are needed", mend="Give longer recordings or align nothing.")
    if not np.any(truth[region]):
        raise SignalError("the target is silent where it is compared", mend="Give a target with sound.")
    heard = loudness(truth[region], rate)
    rows = _score(rows, takes, alignments, truth, region, rate, mode, segment_length, rng, heard)
    pairs = _test_pairs(rows, truth[region], max(int(segment_length * rate), 1))
    rows.sort(key=lambda row: (row.failed, row.scores.get("esr", math.inf)))
    settings = {"alignment": mode, "segment_length": f"{segment_length:g} s", "max_latency": f"{max_latency:g} s", **(settings or {})}
    tell(1.0, "done")
    return Comparison(rate, mode, Rendering(target.label, target.source, reference.kind, reference.digest, reference.samples, heard),
                      reference.response, dry_rendering, tuple(rows), (start, stop), segment_length, LEVEL_EDGES, pairs,
                      tuple(notes + [note for row in rows for note in row.notes]), settings, _versions(), command)


def _together(work, items) -> list:
    """``map`` on two threads: transforms and filters leave the interpreter free."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(work, items))


def _aligned(truth: np.ndarray, take: Take | None, rate: float, max_latency: float) -> Alignment | SignalError | None:
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


def _score(rows, takes, alignments, truth, region, rate, mode, segment_length, rng, heard) -> list[Row]:
    names = [name for name in METRICS if name not in _SHARED]
    aligned = [take if take is None else
               apply(alignment, take.samples[:len(truth)], mode)[region] if alignment is not None and mode != "none" else
               take.samples[:len(truth)][region] for take, alignment in zip(takes, alignments)]
    raw = [None if take is None else take.samples[:len(truth)][region] for take in takes]
    result = list(rows)
    for index, (one, other) in enumerate(zip(aligned, raw)):
        if takes[index] is not None and not (np.any(one) and np.any(other)):
            result[index] = replace(rows[index], message="the signal is silent where it is compared")
    present = [index for index, take in enumerate(takes) if take is not None and not result[index].failed]
    reference = truth[region]
    moved = [k for k in present if not np.array_equal(raw[k], aligned[k])]
    estimates = [aligned[k] for k in present] + [raw[k] for k in moved]
    several = _together(lambda work: work(), [
        *(lambda one=one: multi_resolution_stft_many(reference, estimates, resolutions=(one,)) for one in RESOLUTIONS),
        lambda: frame_distances_many(reference, estimates, rate), lambda: [loudness(one, rate) - heard for one in estimates]])
    shared = [dict(zip(_SHARED, (sum(values) / len(RESOLUTIONS), *distances, louder))) for *values, distances, louder in zip(*several)]
    size = max(int(segment_length * rate), 1)
    draws = int(rng.integers(2**63))  # the same resampling for all, so that equal candidates have equal intervals
    tables = _together(lambda k: _scores(reference, [aligned[k], raw[k]] if k in moved else [aligned[k]], rate, names), present)
    for order, (index, table) in enumerate(zip(present, tables)):
        if isinstance(table, SignalError):
            result[index] = replace(rows[index], message=_explain(table))
            continue
        scores, as_is = table[0], dict(table[-1])
        scores.update(shared[order])
        as_is.update(shared[len(present) + moved.index(index)] if index in moved else shared[order])
        signal, error = segment_energies(reference, aligned[index], size)
        loud = loud_segments(signal)
        segments = np.full(len(signal), math.nan)
        segments[loud] = error[loud] / signal[loud]
        rendering = Rendering(rows[index].label, rows[index].source, rows[index].kind, rows[index].digest, takes[index].samples,
                              heard + scores["loudness_difference"])
        result[index] = replace(rows[index], rendering=rendering, alignment=alignments[index],
                                scores={name: scores[name] for name in METRICS}, scores_as_is={name: as_is[name] for name in METRICS},
                                interval=bootstrap_interval(signal[loud], error[loud], np.random.default_rng(draws)), segments=segments,
                                levels=errors_by_level(reference, aligned[index], max(int(_FRAME * rate), 1)))
    return result


def _test_pairs(rows, reference, size) -> tuple[Pair, ...]:
    good = [row for row in rows if not row.failed]
    count = len(reference) // size
    if count == 0:
        return ()  # shorter than one segment: nothing to test
    signal = np.einsum("ij,ij->i", *[reference[:count * size].reshape(count, size)] * 2)
    loud = loud_segments(signal)
    return paired_tests([row.label for row in good], [row.segments[loud] * signal[loud] for row in good])
