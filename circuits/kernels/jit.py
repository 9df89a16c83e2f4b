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
from numba.core import config, sigutils
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompileResult, Flags, compile_extra
from numba.core.compiler_lock import global_compiler_lock
from numba.core.dispatcher import _FunctionCompiler
from numba.core.registry import CPUDispatcher
from numba.core.typing.templates import make_concrete_template

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


class Merged(CPUDispatcher):
    """A function that lives inside its callers: to them it is handed as code to be merged, and machine code is made of the callers only.

    Numba would translate a law alone, then again within the solver, then within the sample loop: half of the time that a start without a
    cache takes. Called from Python, it is compiled like any other.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._inner = _MergedCompiler(self.py_func, self.targetdescr, self.targetoptions, self.locals, self._compiler.pipeline_class)
        self._merged: dict[tuple, CompileResult] = {}

    def get_call_template(self, args, kws):
        """What a caller's types are found with."""
        signature, args = self._inner.fold_argument_types(args, kws)
        args = tuple(args)
        if args not in self._merged:
            with global_compiler_lock:
                result = self._inner.compile(args, None)
                self.targetctx.insert_user_function(result.fndesc.mangled_name, result.fndesc, [result.library])
                self._merged[args] = result
        name = self.py_func.__name__
        return make_concrete_template(name, key=name, signatures=[result.signature for result in self._merged.values()]), signature, args, {}

    def get_overload(self, sig):
        """What a caller is linked with."""
        args, _ = sigutils.normalize_signature(sig)
        return self._merged[tuple(args)].fndesc.mangled_name


class _MergedCompiler(_FunctionCompiler):
    """Compiles to code for merging, without the doors for Python and C."""

    def _compile_core(self, args, return_type):
        flags = Flags()
        self.targetdescr.options.parse_as_flags(flags, self.targetoptions)
        flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
        context = self.targetdescr.target_context
        library = _MergedLibrary(context.codegen(), self.py_func.__qualname__)
        library.enable_object_caching()
        return compile_extra(self.targetdescr.typing_context, context, self.py_func, args=args, return_type=return_type, flags=flags, locals=self.locals,
                             library=library, pipeline_class=self.pipeline_class)


class _MergedLibrary(JITCodeLibrary):
    """Code that is optimised and can be linked, and is never translated."""

    def _finalize_final_module(self):
        self._finalize_dynamic_globals()
        self._verify_declare_only_symbols()
        self._finalized = True


def kernel(function=None, *, bare: bool = False):
    """Compile a function of floats, arrays and NamedTuples: nopython, cached, numpy error model, no fast-math.

    ``bare=True`` is for the inside of sample loops: merged into its callers and without reference counts, so it must not
    allocate. A NamedTuple of thirty arrays handed down a call is copied and counted otherwise (a diode clipper: 4,000 ns a sample
    without, 280 ns with it).
    """
    if function is None:
        return lambda inner: kernel(inner, bare=bare)
    path = Path(function.__code__.co_filename).resolve()
    before = config.CACHE_DIR
    config.CACHE_DIR = str(cache_folder() / "numba" / digest(path))
    try:
        if not bare:
            return numba.njit(cache=True, error_model="numpy", nogil=True)(function)
        merged = Merged(function, targetoptions={"nopython": True, "error_model": "numpy", "nogil": True, "forceinline": True, "_nrt": False})
        merged.enable_caching()  # for who calls it from Python
        return merged
    finally:
        config.CACHE_DIR = before
