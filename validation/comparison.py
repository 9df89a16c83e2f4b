"""What a comparison found: one frozen description that tables, plots and page read, with its file.

A comparison is kept as ``comparison.json`` beside ``renderings/*.wav``; read back, it draws the same report without rendering
anything again. JSON has no infinities: they are written as the strings "inf", "-inf" and "nan".
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import numpy as np

from circuits.errors import ModelFileError, Place
from validation.align import MODES, Alignment, apply
from validation.audio import read_audio, whole_file, write_audio
from validation.metrics import METRICS
from validation.response import Response

FORMAT = "ampwright-comparison"
VERSION = 1
_LARGEST = 64 * 1024 * 1024  # bytes of a comparison.json; ours have some hundred kilobytes


@dataclass(frozen=True, slots=True, eq=False)
class Rendering:
    """One signal of a comparison.

    Parameters
    ----------
    label, source : str
        Name in the report; path or description of where it comes from.
    kind : {"recording", "model"}
    digest : str
        SHA-256 of the input file or of the samples.
    samples : ndarray, shape (n_samples,)
        As rendered or read, at the comparison's rate, before alignment.
    loudness : float
        LUFS (BS.1770), of the compared stretch.
    """

    label: str
    source: str
    kind: str
    digest: str
    samples: np.ndarray
    loudness: float = -math.inf


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """One candidate and all that was found about it; a failed one has a message and no scores.

    Parameters
    ----------
    label, source, digest, kind : str
        As in `Rendering`.
    message : str
        Why it failed; empty if it did not.
    rendering : Rendering or None
    alignment : Alignment or None
        None if it could not be measured; then a note says why.
    scores, scores_as_is : dict
        Metric name to value, after the comparison's alignment and without any.
    interval : (float, float)
        95 % bootstrap interval of the ESR over segments.
    segments : ndarray, shape (n_segments,)
        ESR of each segment; NaN where the target is silent.
    levels : ndarray, shape (n_bins,)
        ESR of the frames at each level of the target; NaN where there are none.
    real_time_factor : float
        Seconds of audio rendered in a second; NaN for recordings.
    bad_samples : int
        Samples at which a solver did not converge.
    n_parameters, operations : float
        Numbers learned and operations per sample; NaN where a model does not tell.
    response : Response or None
    notes : tuple of str
    """

    label: str
    source: str
    digest: str
    kind: str
    message: str = ""
    rendering: Rendering | None = None
    alignment: Alignment | None = None
    scores: dict = field(default_factory=dict)
    scores_as_is: dict = field(default_factory=dict)
    interval: tuple[float, float] = (math.nan, math.nan)
    segments: np.ndarray = field(default_factory=lambda: np.zeros(0))
    levels: np.ndarray = field(default_factory=lambda: np.zeros(0))
    real_time_factor: float = math.nan
    bad_samples: int = 0
    n_parameters: float = math.nan
    operations: float = math.nan
    response: Response | None = None
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> bool:
        """True if there are no scores."""
        return bool(self.message)


@dataclass(frozen=True, slots=True)
class Pair:
    """Paired test of two candidates over segments.

    Parameters
    ----------
    better, worse : str
        Labels, the lower median error first.
    p_value : float
        Wilcoxon signed-rank test of the logarithms of the segments' errors, two-sided, Holm-corrected for all pairs.
    share : float
        Share of the segments in which the better one is nearer.
    """

    better: str
    worse: str
    p_value: float
    share: float


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Everything a report needs.

    Parameters
    ----------
    sample_rate : float
        Hz.
    mode : {"none", "latency", "latency+gain"}
        Alignment under which `Row.scores` were taken.
    target : Rendering
    target_response : Response or None
        If the target is a model.
    dry : Rendering or None
    rows : tuple of Row
        Best ESR first, failed ones last.
    region : (int, int)
        First sample and end of the stretch that was scored, the same for all.
    segment_length : float
        Seconds.
    level_edges : tuple of float
        Lower edges of the level bins, dB under the target's loudest frame, each 10 dB high.
    pairs : tuple of Pair
    notes : tuple of str
        What was resampled, cut, or refused.
    settings, versions : dict of str
    command : str
        The command that repeats it.
    """

    sample_rate: float
    mode: str
    target: Rendering
    target_response: Response | None
    dry: Rendering | None
    rows: tuple[Row, ...]
    region: tuple[int, int]
    segment_length: float
    level_edges: tuple[float, ...]
    pairs: tuple[Pair, ...] = ()
    notes: tuple[str, ...] = ()
    settings: dict = field(default_factory=dict)
    versions: dict = field(default_factory=dict)
    command: str = ""

    @property
    def good(self) -> tuple[Row, ...]:
        """Rows with scores."""
        return tuple(row for row in self.rows if not row.failed)

    @property
    def failed(self) -> tuple[Row, ...]:
        """Rows without scores."""
        return tuple(row for row in self.rows if row.failed)

    def reference(self) -> np.ndarray:
        """The target over the compared stretch."""
        return self.target.samples[slice(*self.region)]

    def estimate(self, row: Row) -> np.ndarray:
        """A candidate over the compared stretch, aligned as the scores were."""
        samples = row.rendering.samples
        if row.alignment is not None and self.mode != "none":
            samples = apply(row.alignment, samples, self.mode)
        return samples[slice(*self.region)]

    def settled(self) -> Comparison:
        """The same with all candidates aligned already (mode "none"): for who looks at the signals many times."""
        if self.mode == "none":
            return self

        def moved(row: Row) -> Row:
            if row.rendering is None or row.alignment is None:
                return row
            return replace(row, rendering=replace(row.rendering, samples=apply(row.alignment, row.rendering.samples, self.mode)))

        return replace(self, mode="none", rows=tuple(moved(row) for row in self.rows))


def _encode(value):
    if isinstance(value, (bool, str)) or value is None:
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else repr(float(value))
    if isinstance(value, dict):
        return {str(key): _encode(item) for key, item in value.items()}
    return [_encode(item) for item in value]


def _number(value) -> float:
    return float(value)  # takes "inf", "-inf" and "nan" too


def _plain_name(label: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", label).strip("-").lower()[:40] or "signal"


def _facts(thing) -> dict:
    """Fields of a description without its audio."""
    return {f.name: getattr(thing, f.name) for f in fields(thing) if f.name not in ("samples", "rendering", "response", "alignment")}


def write_comparison(comparison: Comparison, folder) -> Path:
    """Write ``comparison.json`` and ``renderings/*.wav`` (32-bit float, before alignment) into a folder.

    Returns
    -------
    Path
        Of the JSON file.

    Raises
    ------
    SignalError
        If a rendering can't be written.
    """
    folder = Path(folder)
    (folder / "renderings").mkdir(parents=True, exist_ok=True)
    rate = comparison.sample_rate

    def keep(rendering: Rendering | None, number: int):
        if rendering is None:
            return None
        name = f"renderings/{number:02d}-{_plain_name(rendering.label)}.wav"
        write_audio(folder / name, rendering.samples, rate)
        return {**_facts(rendering), "file": name}

    content = {f.name: getattr(comparison, f.name) for f in fields(comparison)
               if f.name not in ("target", "target_response", "dry", "rows", "pairs")}
    content = {"format": FORMAT, "version": VERSION, **content}
    content["dry"] = keep(comparison.dry, 0)
    content["target"] = keep(comparison.target, 1)
    content["target_response"] = asdict(comparison.target_response) if comparison.target_response else None
    content["rows"] = [{**_facts(row), "rendering": keep(row.rendering, number),
                        "alignment": asdict(row.alignment) if row.alignment else None,
                        "response": asdict(row.response) if row.response else None}
                       for number, row in enumerate(comparison.rows, 2)]
    content["pairs"] = [asdict(pair) for pair in comparison.pairs]
    path = folder / "comparison.json"
    with whole_file(path) as part:
        part.write_text(json.dumps(_encode(content), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return path


def read_comparison(path) -> Comparison:
    """Read ``comparison.json`` with its renderings.

    Raises
    ------
    ModelFileError
        If the file is no comparison, is damaged or newer than this program, or names files outside its folder.
    SignalError
        If a rendering is missing or unreadable.
    """
    path = Path(path)
    place = Place(str(path))
    try:
        if path.stat().st_size > _LARGEST:
            raise ModelFileError("the file is too large for a comparison", place=place)
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ModelFileError(f"this is no comparison ({' '.join(str(error).split())[:200]})", place=place,
                             mend="Give the comparison.json of a report.") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ModelFileError("this is no comparison", place=place, mend="Give the comparison.json of a report.")
    if content.get("version") != VERSION:
        raise ModelFileError(f"this comparison has version {content.get('version')!r}, this program reads {VERSION}", place=place,
                             mend="Use the program that wrote it.")
    try:
        return _decode(content, path.parent)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        if isinstance(error, ModelFileError) or type(error).__module__ == "circuits.errors":
            raise
        raise ModelFileError(f"the comparison is damaged ({type(error).__name__}: {str(error)[:200]})", place=place,
                             mend="Make it again.") from error


def _decode(content: dict, folder: Path) -> Comparison:
    rate = _number(content["sample_rate"])

    def rendering(facts) -> Rendering | None:
        if facts is None:
            return None
        if not re.fullmatch(r"renderings/[A-Za-z0-9-]{1,60}\.wav", facts["file"]):
            raise ModelFileError(f"the comparison names the file {facts['file'][:80]!r}", place=Place(str(folder)),
                                 mend="Renderings lie in the folder of that name.")
        audio = read_audio(folder / facts["file"])
        if audio.sample_rate != rate or audio.n_channels != 1:
            raise ModelFileError(f"{facts['file']} does not have the rate of the comparison", place=Place(str(folder)))
        return Rendering(str(facts["label"]), str(facts["source"]), str(facts["kind"]), str(facts["digest"]), audio.samples,
                         _number(facts["loudness"]))

    def numbers(facts, kind):
        """An Alignment or a Response: each field a number or a list of numbers, as its annotation says."""
        if facts is None:
            return None
        found = kind(**{name: _array_or_number(value) for name, value in facts.items()})
        for part in fields(kind):
            if isinstance(getattr(found, part.name), np.ndarray) != ("ndarray" in str(part.type)):
                raise ValueError(f"{part.name} is not what it should be")
        if kind is Response and not found.harmonics.shape[0] == len(found.levels) == len(found.thd_n) > 0:
            raise ValueError("the measured levels don't agree")
        if kind is Response and not (len(found.frequencies) == len(found.gain) and len(found.static_x) == len(found.static_y)
                                     and len(found.step_time) == len(found.step) and found.harmonics.ndim == 2):
            raise ValueError("the measured curves don't agree")
        return found

    def scores(facts) -> dict:
        return {str(name): _number(value) for name, value in facts.items()}

    if content["mode"] not in MODES:
        raise ValueError(f"alignment {content['mode']!r}")
    edges = tuple(_number(edge) for edge in content["level_edges"])
    rows = []
    for facts in content["rows"]:
        failed = bool(str(facts["message"]))
        lacking = [] if failed else [name for name in METRICS for kind in ("scores", "scores_as_is") if name not in facts[kind]]
        if lacking or not failed and facts["rendering"] is None or len(facts["levels"]) not in ({0, len(edges)} if failed else {len(edges)}) \
                or len(facts["interval"]) != 2:
            raise ValueError(f"the row {str(facts['label'])[:40]!r} is not complete")
        alignment = numbers(facts["alignment"], Alignment)
        response = numbers(facts["response"], Response)
        rows.append(Row(
            str(facts["label"]), str(facts["source"]), str(facts["digest"]), str(facts["kind"]), str(facts["message"]),
            rendering(facts["rendering"]), replace(alignment, polarity=int(alignment.polarity)) if alignment else None,
            scores(facts["scores"]), scores(facts["scores_as_is"]), tuple(_number(v) for v in facts["interval"]),
            _line(facts["segments"]), _line(facts["levels"]), _number(facts["real_time_factor"]),
            int(facts["bad_samples"]), _number(facts["n_parameters"]), _number(facts["operations"]),
            replace(response, latency=int(response.latency)) if response else None, tuple(str(note) for note in facts["notes"])))
    region = tuple(int(bound) for bound in content["region"])
    target = rendering(content["target"])
    shortest = min([len(target.samples)] + [len(row.rendering.samples) for row in rows if row.rendering])
    if len(region) != 2 or not 0 <= region[0] < region[1] <= shortest:
        raise ValueError("the compared stretch lies outside the renderings")
    pairs = tuple(Pair(str(pair["better"]), str(pair["worse"]), _number(pair["p_value"]), _number(pair["share"])) for pair in content["pairs"])
    response = numbers(content["target_response"], Response)
    return Comparison(
        rate, str(content["mode"]), target, replace(response, latency=int(response.latency)) if response else None,
        rendering(content["dry"]), tuple(rows), region,
        _number(content["segment_length"]), edges, pairs,
        tuple(str(note) for note in content["notes"]), {str(k): str(v) for k, v in content["settings"].items()},
        {str(k): str(v) for k, v in content["versions"].items()}, str(content["command"]))


def _line(values) -> np.ndarray:
    line = np.array(values, dtype=np.float64)
    if line.ndim != 1:
        raise ValueError("a list of numbers was expected")
    return line


def _array_or_number(value):
    return np.array(value, dtype=np.float64) if isinstance(value, list) else _number(value)
