"""The one decorator of all compiled functions, with a cache that an edit anywhere below can't leave stale.

Numba stamps a cached function with its own file only: after an edit to a callee in another file the caller keeps the
old machine code. So each source file gets a cache folder named by a digest of itself, of all files of ours that it
imports, directly or not, and of numba's version.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
from functools import cache
from pathlib import Path

import numba
import platformdirs
from numba.core import config

from circuits.kernels.compiling import Merged, Solver

ROOMS = ("circuits", "wdf", "graybox", "netlists", "validation")
_IMPORT = re.compile(r"^\s*(?:from|import)\s+((?:%s)[\w.]*)(?:\s+import\s+(.+))?" % "|".join(ROOMS), re.MULTILINE)


@cache
def cache_folder() -> Path:
    """Folder for compiled and emitted code; ``AMPWRIGHT_CACHE`` in the environment overrides the user's cache."""
    return Path(os.environ.get("AMPWRIGHT_CACHE") or platformdirs.user_cache_dir("ampwright", appauthor=False))


def _module_file(name: str) -> Path | None:
    spec = importlib.util.find_spec(name)
    return Path(spec.origin) if spec is not None and spec.origin else None


@cache
def _imports(path: Path) -> tuple[bytes, tuple[Path, ...]]:
    text = path.read_bytes()
    found = []
    for module, names in _IMPORT.findall(text.decode("utf-8")):
        file = _module_file(module)
        if file is None:
            continue
        if file.name == "__init__.py":  # "from circuits.devices import diode" names a file, not the face
            for name in re.findall(r"\w+", names or ""):
                inner = file.parent / f"{name}.py"
                if inner.is_file():
                    found.append(inner)
        else:
            found.append(file)
    return text, tuple(found)


@cache
def digest(path: Path) -> str:
    """Hexadecimal digest of a source file, the files of ours below it, and numba's version."""
    seen: dict[Path, bytes] = {}
    waiting = [path]
    while waiting:
        current = waiting.pop()
        if current not in seen:
            text, below = _imports(current)
            seen[current] = text
            waiting.extend(below)
    total = hashlib.sha256(numba.__version__.encode())
    for file in sorted(seen, key=lambda file: (file.name, seen[file])):
        total.update(file.name.encode() + b"\0" + seen[file] + b"\0")
    return total.hexdigest()[:20]


def kernel(function=None, *, bare: bool = False, solver: bool = False, straight: bool = False):
    """Compile a function of floats, arrays and NamedTuples: nopython, cached, numpy error model, no fast-math.

    ``bare=True`` is for the inside of sample loops: merged into its callers and without reference counts, so it must not
    allocate. A NamedTuple of thirty arrays handed down a call is copied and counted otherwise (a diode clipper: 4,000 ns a sample
    without, 280 ns with it). ``solver=True`` is for the sample loop around them: compiled sooner, loops left as they stand; ``straight=True``
if besides each of its variables keeps one type and is given no constant of its module: sooner still.
    """
    if function is None:
        return lambda inner: kernel(inner, bare=bare, solver=solver, straight=straight)
    path = Path(function.__code__.co_filename).resolve()
    before = config.CACHE_DIR
    config.CACHE_DIR = str(cache_folder() / "numba" / digest(path))
    try:
        if not bare and not solver:
            return numba.njit(cache=True, error_model="numpy", nogil=True, no_cfunc_wrapper=True)(function)
        compiled = Merged(function) if bare else Solver(function, straight)
        compiled.enable_caching()  # of the machine code; what is bare has some for who calls it from Python
        return compiled
    finally:
        config.CACHE_DIR = before
