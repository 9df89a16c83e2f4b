"""A comparison as a file: ``comparison.json`` beside ``renderings/*.wav``, from which the same report is drawn again.

JSON has no infinities: they are written as the strings "inf", "-inf" and "nan". What is read is checked field by field: a damaged
or hostile file is refused in one line.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, fields, replace
from pathlib import Path

import numpy as np

from circuits.errors import AmpwrightError, ModelFileError, Place
from validation.align import MODES, Alignment
from validation.audio import read_audio, whole_file, write_audio
from validation.comparison import Comparison, Pair, Rendering, Row
from validation.metrics import METRICS
from validation.response import Response

FORMAT = "ampwright-comparison"
VERSION = 1
_LARGEST = 64 * 1024 * 1024  # bytes of a comparison.json; ours have some hundred kilobytes


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
                        "response": asdict(row.response) if row.response else None, "doubts": comparison.doubts(row)}
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
    except FileNotFoundError:
        raise ModelFileError("there is no such file", place=place, mend="Give the comparison.json of a report.") from None
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
        if isinstance(error, AmpwrightError):  # some of ours are ValueErrors too
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
            raise ModelFileError(f"{facts['file']} does not have the rate of the comparison", place=Place(str(folder)), mend="Make the report again.")
        return Rendering(str(facts["label"]), str(facts["source"]), str(facts["kind"]), str(facts["digest"]), audio.samples,
                         _number(facts["loudness"]))

    def numbers(facts, kind):
        """An Alignment or a Response: each field a number or a list of numbers, as its annotation says."""
        if facts is None:
            return None
        found = kind(**{name: _array_or_number(value) if name != "ccif" else tuple(_number(one) for one in value) for name, value in facts.items()})
        if kind is Response and len(found.ccif) != 2:
            raise ValueError("ccif is not a pair")
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
            rendering(facts["rendering"]), replace(alignment, polarity=_sign(alignment.polarity)) if alignment else None,
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


def _sign(value: float) -> int:
    if value not in (-1.0, 0.0, 1.0):
        raise ValueError(f"a polarity of {value:g}")
    return int(value)


def _line(values) -> np.ndarray:
    line = np.array(values, dtype=np.float64)
    if line.ndim != 1:
        raise ValueError("a list of numbers was expected")
    return line


def _array_or_number(value):
    return np.array(value, dtype=np.float64) if isinstance(value, list) else _number(value)
