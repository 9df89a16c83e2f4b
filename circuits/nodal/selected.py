"""The table kernel with only those laws that a circuit has: compiled in a second or two, where all laws together take ten.

The source is that of the kernel itself, `circuits.nodal.transient.run` and the functions that choose a law or an operation by its code,
without the branches of other codes. It goes to a file named by its content, so that circuits with the same laws share it. Where the kernel
with all laws has been compiled before (``python -m circuits.nodal.selected``), that one is taken: both are the same code and give the same bits.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import cache
from threading import Lock
from types import ModuleType

import numba
import numpy as np
from numba.core.dispatcher import Dispatcher

from circuits.devices import table
from circuits.kernels import operations, store
from circuits.nodal import laws, transient
from circuits.nodal.course import STILL
from circuits.nodal.laws import LINEAR, LawTable
from circuits.nodal.model import ModelArrays

PREFIX = "table"
_LAWS = (table.evaluate, laws.evaluate_laws)  # these choose by a law's code,
_OPERATIONS = (operations.apply, operations.slopes, laws.run_tape)  # these by that of an operation
_SOLVER = (transient.solve_block, transient.run)
_PARSING = Lock()  # Python 3.11 raises SystemError where two threads parse at the same time
_WHOLE = '"""The table kernel with all laws."""\n\nfrom circuits.nodal.transient import run\n'
_HEAD = '"""Selected from circuits.nodal.transient and what it calls; see circuits.nodal.selected."""\n'


def table_kernel(laws: LawTable):
    """``run`` of `circuits.nodal.transient` for a table of laws."""
    if store.is_compiled(store.path_of(PREFIX, _WHOLE)):
        return transient.run
    try:
        return store.loaded(store.written(PREFIX, source(laws))).run
    except OSError:  # a cache that can't be written: the kernel of all laws needs no file
        return transient.run


def source(laws: LawTable) -> str:
    """The module's text for a table of laws."""
    codes = frozenset(int(code) for code in laws.codes)
    codes |= {LINEAR} if codes else set()  # the operating point has no lent conductances, and is to share the kernel
    with _PARSING:
        return _written(codes, frozenset(int(code) for code in laws.tape_codes) | {0, 1})


@cache
def _written(codes: frozenset[int], tape: frozenset[int]) -> str:
    """The text for these laws and these operations."""
    trees, names = {}, set()
    for dispatcher, kept in (*((one, tape) for one in _OPERATIONS), *((one, codes) for one in _LAWS), *((one, None) for one in _SOLVER)):
        function = dispatcher.py_func
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        tree.body[0].body = tree.body[0].body[1:] if ast.get_docstring(tree.body[0]) else tree.body[0].body
        if function is transient.solve_block.py_func and not codes:
            tree.body[0].body = ast.parse("return 0, True, 0.0").body  # a linear circuit has no blocks to solve
        trees[function.__name__] = (ast.fix_missing_locations(_Chosen(kept).visit(tree)) if kept is not None else tree, function)
    wanted = _called("run", trees)
    imports = set()
    for name in wanted:
        tree, function = trees[name]
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & function.__globals__.keys() - set(function.__code__.co_varnames)
        imports |= {_import(one, function) for one in names - wanted}
    return "\n".join([_HEAD, *sorted(imports), "", *(f"\n{ast.unparse(trees[name][0])}\n" for name in trees if name in wanted)])


class _Chosen(ast.NodeTransformer):
    """Takes out the branches of ``if code == number`` for numbers that do not occur."""

    def __init__(self, kept: set[int]):
        self.kept = kept

    def visit_If(self, node: ast.If):
        test = node.test
        if isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "code" and isinstance(test.ops[0], ast.Eq):
            if ast.literal_eval(test.comparators[0]) not in self.kept:
                rest = [self.visit(one) for one in node.orelse]
                return [one for part in rest for one in (part if isinstance(part, list) else [part])]
        self.generic_visit(node)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef):
        self.generic_visit(node)
        node.body = node.body or [ast.Pass()]
        return node


def _called(name: str, trees: dict) -> set[str]:
    """A function and all of ours that it calls, directly or not."""
    found, waiting = set(), [name]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += [node.id for node in ast.walk(trees[one][0]) if isinstance(node, ast.Name) and node.id in trees]
    return found


def _import(name: str, function) -> str:
    """The line that brings a global name of a function into the module."""
    value = function.__globals__[name]
    if isinstance(value, ModuleType):
        return f"import {value.__name__}" + ("" if value.__name__ == name else f" as {name}")
    home = value.py_func.__module__ if isinstance(value, Dispatcher) else getattr(value, "__module__", None)
    return f"from {home or function.__module__} import {name}"


def compile_whole() -> None:
    """Compile the kernel with all laws for the types that every model has, without running it; later starts take it."""
    nothing = np.zeros(0)
    empty = laws.law_table([])
    still = np.zeros(1, dtype=np.int64)
    arrays = ModelArrays(
        F=np.zeros((0, 0)), f0=nothing, KT=np.zeros((0, 0)), WT=np.zeros((0, 0)), laws=empty, block_start=still, law_start=still,
        direct=still[:0], column_start=still, columns=still[:0], earlier_start=still, earlier=still[:0], charge=still[:0],
        limits=np.zeros((5, 0)), bend=nothing, a=1.0, keep=1.0, n_states=0, n_outputs=0)
    arguments = (arrays, transient.motion_of(arrays), transient.scratch_of(arrays), STILL, np.zeros((0, 1)), np.zeros((1, 0)), 0, 0, 1.0, transient.tally())
    transient.run.compile(tuple(numba.typeof(argument) for argument in arguments))
    store.mark(store.written(PREFIX, _WHOLE))


if __name__ == "__main__":
    compile_whole()
