"""Blocks on disk: one versioned JSON file that a person can read, and that says so when it is damaged or too new.

Every stage and curve is an object with its ``kind`` and its numbers by name; nothing in a file is executed.
"""

from __future__ import annotations

import json
import math
import os
import re
import tempfile
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType

from circuits.circuit import Circuit
from circuits.controls import Control
from circuits.errors import AmpwrightError, ModelFileError, Place
from circuits.records import from_record, to_record
from graybox.blocks import Block
from graybox.chain import Parallel, Static
from graybox.curves import DiodePair, MonotoneSpline, Polynomial, Rational, SoftClip, Spline, Table, Tanh, TanhSum
from graybox.dynamics import DynamicBias, EnvelopeGain
from graybox.filters import Bank, Cascade, Delay, Fir, Gain, Offset
from graybox.linear import LinearCircuit, ToneStack
from graybox.net import MemoryNet, Net
from graybox.network import CircuitNetwork
from graybox.recursive import CubicResonator, DiodeClipper
from graybox.swap import Seen

FORMAT, VERSION = "ampwright-block", 1
LARGEST = 16 * 2**20  # bytes
DEEPEST = 12  # nested branches
STAGES = {kind.kind: kind for kind in (Gain, Offset, Cascade, Bank, Fir, Delay, Static, Parallel, DynamicBias, EnvelopeGain,
                                       LinearCircuit, MemoryNet, DiodeClipper, CubicResonator)}
CURVES = {kind.kind: kind for kind in (Tanh, TanhSum, SoftClip, Polynomial, Rational, Spline, MonotoneSpline, DiodePair,
                                       Table, Net)}
NETWORKS = {kind.kind: kind for kind in (ToneStack, CircuitNetwork)}
KINDS = STAGES | CURVES | NETWORKS


def description_to_json(description) -> dict:
    """A stage, curve or network as plain JSON values."""
    if description.kind not in KINDS:
        raise ModelFileError(f"a {description.kind!r} can't be stored in a block file",
                             mend="Put one of the built-in stages in its place.")
    out = {"kind": description.kind}
    for field in fields(description):
        if field.init:
            out[field.name] = _plain(getattr(description, field.name))
    return out


def _plain(value):
    if hasattr(value, "kind"):
        return description_to_json(value)
    if isinstance(value, Circuit):
        return to_record(value)
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    return value


def block_to_json(block: Block) -> dict:
    """A block as plain JSON values."""
    return {
        "format": FORMAT, "version": VERSION, "name": block.name, "sample_rate": block.sample_rate,
        "stages": [description_to_json(stage) for stage in block.stages],
        "controls": [{f.name: getattr(c, f.name) for f in fields(c)} for c in block.controls],
        "ranges": [{"stage": s.stage, "low": s.low, "high": s.high, "counts": list(s.counts)} for s in block.ranges],
        "notes": dict(block.notes),
    }


def write_json(data, path) -> None:
    """Write JSON with short lists on one line; the file appears whole or not at all."""
    path = Path(path)
    text = json.dumps(data, indent=1, allow_nan=False)
    text = re.sub(r"\[\s+((?:[^\[\]{}\"]|\"[^\"]*\")*?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m[1]) + "]", text)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text + "\n")
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def save(block: Block, path) -> None:
    """Save a block.

    Raises
    ------
    ModelFileError
        If a stage can't be stored, or a number is not finite.
    """
    try:
        write_json(block_to_json(block), path)
    except ValueError as error:
        if isinstance(error, AmpwrightError):
            raise
        raise ModelFileError(f"the block holds a number that is not finite ({error})") from error


def read_json(path, expected: str, newest: int) -> dict:
    """Read a JSON object of ours, checking size, format name and version.

    Raises
    ------
    ModelFileError
        If it is too large, damaged, of another format or newer.
    """
    place = Place(str(path))
    path = Path(path)
    try:
        if path.stat().st_size > LARGEST:
            raise ModelFileError(f"{path.stat().st_size} bytes are more than a block file may have ({LARGEST})", place=place)
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        raise ModelFileError(f"can't be read: {error.strerror}", place=place) from error
    except json.JSONDecodeError as error:
        raise ModelFileError(f"is not JSON: {error.msg}", place=Place(str(path), error.lineno, error.colno),
                             mend="The file is damaged or cut off: take it from where it was made.") from error
    except (UnicodeDecodeError, RecursionError, ValueError) as error:
        if isinstance(error, AmpwrightError):
            raise
        raise ModelFileError(f"is damaged: {error}", place=place) from error
    if not isinstance(data, dict) or data.get("format") != expected:
        found = data.get("format") if isinstance(data, dict) else type(data).__name__
        raise ModelFileError(f"is not a file of the format {expected!r} but {found!r}", place=place)
    version = data.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ModelFileError(f"has no usable version: {version!r}", place=place)
    if version > newest:
        raise ModelFileError(f"has version {version}, this program reads up to {newest}", place=place,
                             mend="Update Ampwright.")
    return data


def _refuse_constant(text):
    raise ValueError(f"it holds {text}, which is not a finite number")


def load(path) -> Block:
    """Load a block.

    Raises
    ------
    ModelFileError
        If the file is damaged, unknown or newer than this program.
    """
    data = read_json(path, FORMAT, VERSION)
    return block_from_json(data, Place(str(path)))


def block_from_json(data: dict, place: Place | None = None) -> Block:
    """A block from plain JSON values; raises ModelFileError that says which entry is wrong."""
    place = place or Place()

    def need(key, kind):
        if not isinstance(data.get(key), kind):
            raise ModelFileError(f"{key}: expected {_word(kind)}, found {_show(data.get(key))}", place=place)
        return data[key]

    rate = need("sample_rate", (int, float))
    stages = tuple(_description(stage, f"stages[{i}]", place, STAGES) for i, stage in enumerate(need("stages", list)))
    try:
        controls = tuple(Control(**entry) for entry in need("controls", list))
        ranges = tuple(Seen(int(e["stage"]), float(e["low"]), float(e["high"]), tuple(int(c) for c in e["counts"]))
                       for e in need("ranges", list))
        return Block(stages, float(rate), controls, need("name", str), ranges, MappingProxyType(need("notes", dict)))
    except AmpwrightError as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(str(error), place=place) from error
    except (TypeError, ValueError, KeyError) as error:
        raise ModelFileError(f"controls or ranges are damaged: {error}", place=place) from error


def _word(kind) -> str:
    return {list: "a list", str: "a text", dict: "an object"}.get(kind, "a number")


def _show(value) -> str:
    text = repr(value)
    return text if len(text) < 40 else text[:37] + "..."


def _description(data, where, place, allowed, depth: int = 0):
    if depth > DEEPEST:
        raise ModelFileError(f"{where}: nested deeper than {DEEPEST} levels", place=place)
    if not isinstance(data, dict) or not isinstance(data.get("kind"), str):
        raise ModelFileError(f"{where}: expected an object with a kind, found {_show(data)}", place=place)
    kind = allowed.get(data["kind"])
    if kind is None:
        raise ModelFileError(f"{where}: unknown kind {data['kind']!r}", place=place, mend=f"Known: {', '.join(allowed)}.")
    known = {f.name: f for f in fields(kind) if f.init}
    unknown = set(data) - set(known) - {"kind"}
    if unknown:
        raise ModelFileError(f"{where}: a {kind.kind} has no {sorted(unknown)[0]!r}", place=place)
    values = {}
    for name, value in data.items():
        if name != "kind":
            values[name] = _value(value, known[name].type, f"{where}.{name}", place, depth)
    try:
        return kind(**values)
    except AmpwrightError as error:
        raise ModelFileError(f"{where}: {error}", place=place) from error
    except TypeError as error:
        raise ModelFileError(f"{where}: a {kind.kind} lacks numbers ({str(error).split(':')[-1].split('()')[-1].strip()})",
                             place=place) from error


def _value(value, kind: str, where, place, depth):
    wrong = ModelFileError(f"{where}: {_show(value)} is not {_EXPECTED.get(kind, 'what belongs there')}", place=place)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "float":
        if not number or not math.isfinite(value):
            raise wrong
        return float(value)
    if kind in ("int", "bool", "str"):
        if not isinstance(value, {"int": int, "bool": bool, "str": str}[kind]) or (kind == "int" and not number):
            raise wrong
        return value
    if kind in ("tuple[float, ...]", "tuple[str, ...]"):
        if not isinstance(value, list):
            raise wrong
        return tuple(_value(v, kind[6:-6], f"{where}[{i}]", place, depth) for i, v in enumerate(value))
    if kind == "Circuit":
        return from_record(value, place)
    if kind == "tuple[tuple[str, float], ...]":
        if not isinstance(value, list) or not all(isinstance(v, list) and len(v) == 2 for v in value):
            raise wrong
        return tuple((_value(k, "str", where, place, depth), _value(v, "float", where, place, depth)) for k, v in value)
    if kind == "tuple[tuple, ...]":  # branches
        if not isinstance(value, list) or not all(isinstance(v, list) for v in value):
            raise wrong
        return tuple(tuple(_description(s, f"{where}[{i}][{j}]", place, STAGES, depth + 1) for j, s in enumerate(branch))
                     for i, branch in enumerate(value))
    return _description(value, where, place, NETWORKS if kind == "Network" else CURVES, depth + 1)


_EXPECTED = {"float": "a finite number", "int": "a whole number", "bool": "true or false", "str": "a text",
             "tuple[float, ...]": "a list of numbers", "tuple[str, ...]": "a list of names"}
