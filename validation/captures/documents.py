"""Capture files as checked documents: JSON with limits, sections with typed keys, and a list of numbers read in order.

Nothing here trusts the file: its size, its nesting, its numbers and its counts are checked before memory is taken for
them, and every refusal is a ModelFileError that names the file, the key or block, and the mend.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from circuits.errors import ModelFileError, Place

MAX_BYTES = 64 * 1024 * 1024  # the largest community capture is 1.5 MB
MAX_NUMBERS = 8_000_000  # a hundred times the largest community capture
MAX_MEMORY = 2**22  # samples that a net may remember: 87 s at 48 kHz
MAX_CHANNELS = 4096


def refuse(path, what: str, mend: str = ""):
    """Raise a ModelFileError about the file at ``path``."""
    raise ModelFileError(what, mend=mend, place=Place(str(path)))


def _constant(text: str):
    raise ValueError(f"the number {text} is not finite")


def read_document(path) -> dict:
    """Read a JSON object.

    Parameters
    ----------
    path : path-like
        A file of at most 64 MiB.

    Returns
    -------
    dict
        The top-level object.

    Raises
    ------
    ModelFileError
        If the file is missing, too large, not JSON, nested too deeply, or not an object.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            refuse(path, f"the file has {size / 1e6:.0f} MB, more than any capture",
                   f"Captures of up to {MAX_BYTES // 1024**2} MiB are read.")
        data = path.read_bytes()
    except OSError as error:
        refuse(path, f"can't be read ({error.strerror})", "Check the path and its permissions.")
    if not data.strip():
        refuse(path, "is not JSON: the file is empty", "Fetch or export it again.")
    try:
        document = json.loads(data.decode("utf-8-sig"), parse_constant=_constant)
    except RecursionError:
        refuse(path, "the JSON is nested too deeply", "A capture needs about ten levels; the file is damaged.")
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors too
        refuse(path, f"is not JSON ({error})", "The file is damaged or of another kind; fetch or export it again.")
    if not isinstance(document, dict):
        refuse(path, f"holds a JSON {type(document).__name__}, not an object", "This is no capture.")
    return document


class Section:
    """One JSON object of a capture with its name in the file; every getter checks type and range.

    Parameters
    ----------
    path : path-like
        The file, for messages.
    name : str
        Where the object stands, for instance ``"config.layers[0]"``.
    values : dict
        The object itself.
    """

    __slots__ = ("path", "name", "values")

    def __init__(self, path, name: str, values):
        if not isinstance(values, dict):
            refuse(path, f"{name or 'the file'} should be an object, not {_kind(values)}", "The file is damaged.")
        self.path, self.name, self.values = path, name, values

    def refuse(self, what: str, mend: str = ""):
        """Raise a ModelFileError about this section."""
        refuse(self.path, f"{self.name}: {what}" if self.name else what, mend)

    def label(self, key: str) -> str:
        """Full name of a key."""
        return f"{self.name}.{key}" if self.name else key

    def has(self, key: str) -> bool:
        """True if the key is there and not null."""
        return self.values.get(key) is not None

    def get(self, key: str, *default):
        """The raw value; without a default a missing key is refused."""
        if key in self.values and (self.values[key] is not None or not default):
            return self.values[key]
        if default:
            return default[0]
        self.refuse(f"the key {key!r} is missing", "The file is damaged or of another kind.")

    def integer(self, key: str, *default, minimum: int = 1, maximum: int = MAX_NUMBERS) -> int:
        """A whole number in ``minimum..maximum``."""
        return self.whole(self.get(key, *default), key, minimum, maximum)

    def whole(self, value, key: str, minimum: int = 1, maximum: int = MAX_NUMBERS) -> int:
        """``value`` as a whole number, or a refusal that names ``key``."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != int(value):
            self.refuse(f"{key} should be a whole number, not {_kind(value)}", "The file is damaged.")
        if not minimum <= value <= maximum:
            self.refuse(f"{key} is {str(value)[:20]}", f"It must lie in {minimum}..{maximum}.")
        return int(value)

    def number(self, key: str, *default) -> float:
        """A finite number."""
        value = self.get(key, *default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not _is_finite(value):
            self.refuse(f"{key} should be a finite number, not {_kind(value)}", "The file is damaged.")
        return float(value)

    def flag(self, key: str, *default) -> bool:
        """True or false; 0 and 1 pass too."""
        value = self.get(key, *default)
        if not isinstance(value, bool) and value not in (0, 1):
            self.refuse(f"{key} should be true or false, not {_kind(value)}", "The file is damaged.")
        return bool(value)

    def text(self, key: str, *default) -> str:
        """A string."""
        value = self.get(key, *default)
        if not isinstance(value, str):
            self.refuse(f"{key} should be a text, not {_kind(value)}", "The file is damaged.")
        return value

    def items(self, key: str, *default) -> list:
        """A list."""
        value = self.get(key, *default)
        if not isinstance(value, list):
            self.refuse(f"{key} should be a list, not {_kind(value)}", "The file is damaged.")
        return value

    def section(self, key: str) -> "Section":
        """A nested object."""
        return Section(self.path, self.label(key), self.get(key))

    def sections(self, key: str) -> list["Section"]:
        """A list of objects, not empty."""
        found = [Section(self.path, f"{self.label(key)}[{index}]", value)
                 for index, value in enumerate(self.items(key))]
        if not found:
            self.refuse(f"{key} is empty", "At least one is needed.")
        return found

    def array(self, key: str, shape: tuple, what: str = "") -> np.ndarray:
        """Nested lists of numbers as a float64 array of the given shape; -1 in it means any positive size."""
        return checked_array(self.path, self.label(what or key), self.get(key), shape)


def _is_finite(value) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an int of hundreds of digits
        return False


def _kind(value) -> str:
    if isinstance(value, (dict, list)):
        return {"dict": "an object", "list": "a list"}[type(value).__name__]
    return repr(value)[:40]


def _too_many(value, left: int, depth: int = 0) -> int:
    """What is left of a budget of numbers; below 0 for too many, or lists in lists deeper than any array of a net."""
    if isinstance(value, list):
        if depth > 5:
            return -1
        for item in value:
            left = _too_many(item, left, depth + 1)
            if left < 0:
                return left
        return left
    return left - 1


def checked_array(path, name: str, value, shape: tuple) -> np.ndarray:
    """Numbers from JSON as a finite float64 array, float32-rounded as all players hold them.

    Raises
    ------
    ModelFileError
        If they are no numbers, not finite in float32, or of another shape.
    """
    if not isinstance(value, list) or _too_many(value, MAX_NUMBERS) < 0:
        refuse(path, f"{name} should be a list of at most {MAX_NUMBERS} numbers, not {_kind(value)}", "The file is damaged.")
    try:
        array = np.array(value)
    except (ValueError, OverflowError):
        array = np.array("ragged")
    if array.size == 0:
        array = array.astype(np.float64)
    if array.dtype.kind not in "iuf":
        refuse(path, f"{name} should hold nothing but numbers in rows of one length", "The file is damaged.")
    with np.errstate(over="ignore"):
        array = array.astype(np.float32).astype(np.float64)
    if array.ndim != len(shape) or any(want not in (-1, have) for want, have in zip(shape, array.shape)):
        wanted = " x ".join("n" if size == -1 else str(size) for size in shape)
        refuse(path, f"{name} has shape {' x '.join(map(str, array.shape))}, not {wanted}", "The file is damaged.")
    finite = np.isfinite(array)
    if not finite.all():
        refuse(path, f"{name}: number {int(np.argmin(finite.ravel()))} is not finite", "The training failed or the file is damaged.")
    return array


class Weights:
    """The flat list of a `.nam` file, consumed strictly in order.

    Parameters
    ----------
    path : path-like
        The file, for messages.
    values : list of float
        All numbers.
    """

    __slots__ = ("path", "values", "position", "nested")

    def __init__(self, path, values):
        self.path = path
        self.values = checked_array(path, "weights", values, (-1,)) if values else np.zeros(0)
        self.position = 0
        self.nested = 0  # numbers in models inside this one

    def take(self, block: str, *shape: int) -> np.ndarray:
        """The next numbers in the given shape, last index fastest; ``block`` names them should they run out."""
        count = math.prod(shape)  # Python integers: a claim of 10 GB overflows nothing
        left = len(self.values) - self.position
        if count > left:
            refuse(self.path, f"the weights ran out in the block '{block}': it needs {count} numbers and {left} are left",
                   f"The list has {len(self.values)}; it and the config don't belong together.")
        taken = self.values[self.position:self.position + count].reshape(shape)
        self.position += count
        return taken

    def finish(self) -> None:
        """Refuse numbers left over."""
        left = len(self.values) - self.position
        if left:
            refuse(self.path, f"{left} of {len(self.values)} weights are left over after the last block",
                   "The list and the config don't belong together.")
