"""How kernels are compiled: numba's own road with two short cuts, so that a first start takes seconds and not ten.

Functions inside a sample loop are merged into it before anything is optimised (`Merged`), and a sample loop of a solver is optimised once, without
vector forms of loops that turn three times (`Solver`). Both stand on parts of numba that its pages don't promise to keep: `KNOWN` names the versions
that they have been tried with, and a test says so when another one is installed.

Most of the time is Python's own, spent in numba. So the collector of garbage rests meanwhile (a million small objects live until the end: a sixth of the
time), what a sum of two numbers is gets looked up once and not for every sum (`_Remembering`), and emitted loops do without the renaming
of variables (`_StraightRoad`), which goes through the whole function again for each of its hundreds of variables.

References
----------
Numba documentation 0.68: Developer Manual, Customizing the Compiler (pipelines of passes).
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from functools import cache
from types import FunctionType

from numba.core import sigutils, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, CompileResult, Flags, compile_extra
from numba.core.compiler_lock import global_compiler_lock
from numba.core.compiler_machinery import PassManager
from numba.core.dispatcher import Dispatcher, _FunctionCompiler
from numba.core.errors import TypingError
from numba.core.registry import CPUDispatcher, cpu_target
from numba.core.typed_passes import AnnotateTypes, IRLegalization, NativeLowering, NoPythonBackend, NopythonTypeInference, PreLowerStripPhis
from numba.core.typing.templates import make_concrete_template
from numba.core.untyped_passes import (DeadBranchPrune, FixupArgs, GenericRewrites, IRProcessing, ReconstructSSA, RewriteSemanticConstants,
                                       TranslateByteCode)

KNOWN = ("0.68",)  # versions of numba, to the second number, on which all tests have passed
SOLVER = {"nopython": True, "error_model": "numpy", "nogil": True, "_nrt": False}
MERGED = {**SOLVER, "forceinline": True}


class _Settled(Flags):
    """How to compile, said once: numba looks it up in a table for every operation that it types, and would hash all options each time."""

    def __hash__(self):
        return id(self)

    def __eq__(self, other):
        return self is other


@cache
def _flags(merged: bool) -> _Settled:
    flags = _Settled()
    cpu_target.options.parse_as_flags(flags, MERGED if merged else SOLVER)
    flags.no_cfunc_wrapper = True
    if merged:
        flags.no_compile = flags.no_cpython_wrapper = True
    return flags


class _Road(CompilerBase):
    """From a function to machine code without the stops where our kernels have nothing to do: closures, generators, literal unrolling, array
    expressions, loops in threads."""

    STOPS = (TranslateByteCode, FixupArgs, IRProcessing, RewriteSemanticConstants, DeadBranchPrune, GenericRewrites, ReconstructSSA,
             NopythonTypeInference, PreLowerStripPhis, IRLegalization, AnnotateTypes, NativeLowering, NoPythonBackend)

    def define_pipelines(self):
        road = PassManager("kernel")
        for stop in self.STOPS:
            road.add_pass(stop, stop.__name__)
        road.finalize()
        return [road]


class _StraightRoad(_Road):
    """For a function whose variables keep one type each: they need no new names where they are assigned again."""

    STOPS = tuple(stop for stop in _Road.STOPS if stop not in (ReconstructSSA, PreLowerStripPhis))


class _Remembering:
    """Numba's table of types, asked once for each operation on numbers: it tries a dozen rules for every ``a * b``."""

    _PLAIN = (types.Float, types.Integer, types.Boolean)

    def __init__(self, context):
        self._context = context
        self._known: dict[tuple, tuple] = {}

    def __getattr__(self, name):
        return getattr(self._context, name)

    def resolve_function_type(self, func, args, kws):
        """The signature of a call."""
        if kws or type(func) is not types.Function or not all(isinstance(one, self._PLAIN) for one in args):
            return self._context.resolve_function_type(func, args, kws)
        key = (id(func), *args)
        if key not in self._known:
            signature = self._context.resolve_function_type(func, args, kws)
            if signature is None:
                return None
            self._known[key] = (signature, func)  # the function is kept, and with it its identity
        return self._known[key][0]


@cache
def _remembering(context) -> _Remembering:
    return _Remembering(context)


@contextmanager
def _no_collecting():
    """The collector of garbage rests."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _MergedLibrary(JITCodeLibrary):
    """Code that can be linked, and is neither optimised nor translated: its callers are, with it inside."""

    def _optimize_final_module(self):
        pass

    def _finalize_final_module(self):
        self._finalize_dynamic_globals()
        self._verify_declare_only_symbols()
        self._finalized = True


class _SolverLibrary(JITCodeLibrary):
    """Optimised once, and loops as they stand: those over the ports of a block turn a few times, and their vector forms cost more than they save."""

    def _optimize_functions(self, ll_module):
        ll_module.data_layout = self._codegen._data_layout  # optimised as a whole, with what is merged into them

    def _optimize_final_module(self):
        passes, builder = self._codegen._module_pass_manager(loop_vectorize=False, slp_vectorize=False)
        passes.run(self._final_module, builder)


class _Compiler(_FunctionCompiler):
    """A function compiled by a road of ours into a library of ours."""

    def __init__(self, dispatcher: CPUDispatcher, library: type[JITCodeLibrary], road: type[_Road] = _Road):
        super().__init__(dispatcher.py_func, dispatcher.targetdescr, dispatcher.targetoptions, dispatcher.locals, road)
        self._library = library

    def _compile_core(self, args, return_type):
        context = self.targetdescr.target_context
        library = self._library(context.codegen(), self.py_func.__qualname__)
        library.enable_object_caching()
        with _no_collecting():
            return compile_extra(_remembering(self.targetdescr.typing_context), context, self.py_func, args=args, return_type=return_type,
                                 flags=_flags(self._library is _MergedLibrary), locals=self.locals, library=library, pipeline_class=self.pipeline_class)


class Merged(CPUDispatcher):
    """A function that lives inside its callers: to them it is handed as code to be merged, and machine code is made of the callers only.

    Numba would translate a law alone, then again within the solver, then within the sample loop: half of the time that a start without a
    cache takes. Called from Python, it is compiled like any other.
    """

    def __init__(self, function):
        super().__init__(function, targetoptions=dict(MERGED))
        self._inner = _Compiler(self, _MergedLibrary)
        self._merged: dict[tuple, CompileResult] = {}

    def get_call_template(self, args, kws):
        """What a caller's types are found with."""
        signature, args = self._inner.fold_argument_types(args, kws)
        args = self._typed(tuple(args))
        name = self.py_func.__name__
        return make_concrete_template(name, key=name, signatures=[result.signature for result in self._merged.values()]), signature, args, {}

    def _typed(self, args: tuple) -> tuple:
        """Compile for these types, and for a number that is written in a call only where none other will do: else it would be done for each of them."""
        plain = tuple(types.unliteral(one) for one in args)
        if args in self._merged or plain in self._merged:
            return args if args in self._merged else plain
        with global_compiler_lock:
            try:
                result = self._inner.compile(plain, None)
            except TypingError:  # vector lanes ask for their number as a constant
                if plain == args:
                    raise
                plain, result = args, self._inner.compile(args, None)
            self.targetctx.insert_user_function(result.fndesc.mangled_name, result.fndesc, [result.library])
            self._merged[plain] = result
        return plain

    def get_overload(self, sig):
        """What a caller is linked with."""
        args, _ = sigutils.normalize_signature(sig)
        return self._merged[tuple(args)].fndesc.mangled_name


class Solver(CPUDispatcher):
    """The sample loop of a solver, with all that it calls inside; ``straight`` if each of its variables keeps one type."""

    def __init__(self, function, straight: bool = False):
        super().__init__(function, targetoptions=dict(SOLVER))
        self._compiler = _Compiler(self, _SolverLibrary, _StraightRoad if straight else _Road)


def interpreted(function: Dispatcher) -> FunctionType:
    """A kernel as Python runs it, with what it calls: for a few calls, which would not repay compiling.

    Examples
    --------
    >>> from circuits.kernels.limits import limited
    >>> interpreted(limited)(0.5, 9.0, 0.0, 0.0, 0.0, 0.0, 2.0)
    2.5
    """
    inner = function.py_func
    used = {name: interpreted(value) if isinstance(value, Dispatcher) else value for name, value in inner.__globals__.items() if name in inner.__code__.co_names}
    return FunctionType(inner.__code__, used, inner.__name__, inner.__defaults__)
