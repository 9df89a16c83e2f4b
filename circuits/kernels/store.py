"""Emitted source on disk: a file named by its content, imported from there so that numba can cache what it compiles.

Code from a string can't be cached. A marker beside the file says that it has been compiled against everything that it
imports as that is now, so that a start can tell milliseconds from seconds.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType

from circuits.kernels.jit import cache_folder, digest


def path_of(prefix: str, text: str) -> Path:
    """Where a source text belongs in the cache; ``prefix`` names who emits it."""
    return cache_folder() / "emitted" / f"ampwright_{prefix}_{hashlib.sha256(text.encode()).hexdigest()[:24]}.py"


def written(prefix: str, text: str) -> Path:
    """Write a source text whole, if it does not stand there to the letter already."""
    path = path_of(prefix, text)
    if not path.is_file() or path.read_text(encoding="ascii") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(text)
        os.replace(temporary, path)  # another process may write the same file at the same time
    return path


def loaded(path: Path) -> ModuleType:
    """The module of an emitted file."""
    name = path.stem  # what numba's cache knows it by
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module
    return sys.modules[name]


def _marker(path: Path) -> Path:
    return path.with_name(f"{path.stem}.{digest(path)}.compiled")


def is_compiled(path: Path) -> bool:
    """True if the file has been compiled as it and all that it imports stand now."""
    return path.is_file() and _marker(path).exists()


def mark(path: Path) -> None:
    """Remember that the file has been compiled."""
    _marker(path).touch()
