"""The table kernel with only those laws that a circuit has: compiled in a second or two, where all laws together take ten.

The source is that of the kernel itself, `circuits.nodal.transient.run` and the functions that choose a law or an operation by its code,
without the branches of other codes. It goes to a file named by its content, so that circuits with the same laws share it. Where the kernel
with all laws has been compiled before (``python -m circuits.nodal.selected``), that one is taken: both are the same code and give the same bits.

Most circuits never need what stands behind plain Newton steps, and that is half of the kernel. So a start compiles plain steps alone; the first
sample that they don't settle is played by the guarded kernel, compiled then.
"""

from __future__ import annotations

import ast
from functools import cache

import numba
import numpy as np

from circuits.devices import table
from circuits.kernels import operations, store
from circuits.kernels.chosen import chosen, imports
from circuits.nodal import laws, transient
from circuits.nodal.course import STILL
from circuits.nodal.laws import LINEAR, LawTable
from circuits.nodal.model import ModelArrays

PREFIX = "table"
_LAWS = (table.evaluate, laws.evaluate_laws)  # these choose by a law's code,
_OPERATIONS = (operations.apply, operations.slopes, laws.run_tape)  # these by that of an operation
_SOLVER = (transient.solve_block, transient.run)
_WHOLE = '"""The table kernel with all laws."""\n\nfrom circuits.nodal.transient import run\n'
_HEAD = '"""Selected from circuits.nodal.transient and what it calls; see circuits.nodal.selected."""\n'


def plain_kernel(laws: LawTable):
    """``run`` of `circuits.nodal.transient` with plain Newton steps alone: it stops at a sample that `table_kernel` has to play."""
    return _kernel(laws, whole=False)


def table_kernel(laws: LawTable):
    """``run`` of `circuits.nodal.transient` for a table of laws."""
    return _kernel(laws, whole=True)


def _kernel(laws: LawTable, whole: bool):
    if store.is_compiled(store.path_of(PREFIX, _WHOLE)):
        return transient.run
    try:
        return store.loaded(store.written(PREFIX, source(laws, whole=whole))).run
    except OSError:  # a cache that can't be written: the kernel of all laws needs no file
        return transient.run


def source(laws: LawTable, *, whole: bool = True) -> str:
    """The module's text for a table of laws; with plain steps alone unless ``whole``."""
    codes = frozenset(int(code) for code in laws.codes)
    codes |= {LINEAR} if codes else set()  # the operating point has no lent conductances, and is to share the kernel
    return _written(codes, frozenset(int(code) for code in laws.tape_codes) | {0, 1}, whole or not codes)


@cache
def _written(codes: frozenset[int], tape: frozenset[int], whole: bool) -> str:
    """The text for these laws and these operations."""
    trees = {}
    for kernel, kept in (*((one, tape) for one in _OPERATIONS), *((one, codes) for one in _LAWS), *((one, None) for one in _SOLVER)):
        tree = chosen(kernel, kept)
        if kernel is transient.solve_block and not codes:
            tree.body[0].body = ast.parse("return 0, True, 0.0").body  # a linear circuit has no blocks to solve
        elif kernel in _SOLVER and not whole:
            _Plain().visit(tree)
            _Read(tree).visit(tree)
        trees[kernel.py_func.__name__] = (tree, kernel)
    wanted = _called("run", trees)
    lines = {line for name in wanted for other, line in imports(*trees[name]).items() if other not in wanted}
    return "\n".join([_HEAD, *sorted(lines), "", *(f"\n{ast.unparse(trees[name][0])}\n" for name in trees if name in wanted)])


class _Plain(ast.NodeTransformer):
    """The solver at its stage NEWTON, where it stays if nothing stands behind it: what other stages would do goes."""

    KNOWN = {"stage == STAND": False, "stage == AIM": False, "stage == FALL": False, "stage == SETTLING": False, "stage == NEWTON": True,
             "stage <= NEWTON": True, "reach > ROUNDING": False, "walking": False, "WHOLE": False}

    def visit_Compare(self, node: ast.Compare):
        self.generic_visit(node)
        return self._known(node)

    def visit_Name(self, node: ast.Name):
        return self._known(node) if isinstance(node.ctx, ast.Load) else node

    def _known(self, node: ast.expr):
        text = ast.unparse(node)
        return ast.Constant(self.KNOWN[text]) if text in self.KNOWN else node

    def visit_UnaryOp(self, node: ast.UnaryOp):
        self.generic_visit(node)
        return ast.Constant(not node.operand.value) if isinstance(node.op, ast.Not) and isinstance(node.operand, ast.Constant) else node

    def visit_BoolOp(self, node: ast.BoolOp):
        self.generic_visit(node)
        decisive = isinstance(node.op, ast.Or)
        if any(isinstance(part, ast.Constant) and part.value is decisive for part in node.values):
            return ast.Constant(decisive)
        node.values = [part for part in node.values if not isinstance(part, ast.Constant)]
        return node if len(node.values) > 1 else node.values[0] if node.values else ast.Constant(not decisive)

    def visit_If(self, node: ast.If):
        self.generic_visit(node)
        node.body, node.orelse = _reached(node.body), _reached(node.orelse)
        return node if not isinstance(node.test, ast.Constant) else node.body if node.test.value else node.orelse

    def visit_IfExp(self, node: ast.IfExp):
        self.generic_visit(node)
        return node if not isinstance(node.test, ast.Constant) else node.body if node.test.value else node.orelse


class _Read(ast.NodeTransformer):
    """A kernel without the assignments to locals that nothing reads any more."""

    def __init__(self, tree: ast.Module):
        self._read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}

    def visit_Assign(self, node: ast.Assign):
        target, value = node.targets[0], node.value
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            kept = [pair for pair in zip(target.elts, value.elts) if self._wanted(pair[0])]
            target.elts, value.elts = [one for one, _ in kept], [one for _, one in kept]
            return node if kept else None
        return node if self._wanted(target) or isinstance(value, ast.Call) else None

    def _wanted(self, target: ast.expr) -> bool:
        return not isinstance(target, ast.Name) or target.id in self._read


def _reached(body: list[ast.stmt]) -> list[ast.stmt]:
    """The statements up to the first that leaves."""
    ends = [k for k, one in enumerate(body) if isinstance(one, (ast.Break, ast.Continue, ast.Return))]
    return body[:ends[0] + 1] if ends else body


def _called(name: str, trees: dict) -> set[str]:
    """A function and all of ours that it calls, directly or not."""
    found, waiting = set(), [name]
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += [node.id for node in ast.walk(trees[one][0]) if isinstance(node, ast.Name) and node.id in trees]
    return found


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
