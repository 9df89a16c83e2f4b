"""The source of a kernel without the branches that nobody will take: ``if code == number`` for other numbers than those that occur.

A function that chooses a law or an operation by its code has fifty branches; what plays a circuit needs five of them, and compiles as much sooner.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from threading import Lock
from types import ModuleType
from typing import Collection

from numba.core.dispatcher import Dispatcher

_PARSING = Lock()  # Python 3.11 raises SystemError where two threads parse at the same time


def chosen(kernel: Dispatcher, codes: Collection[int] | None) -> ast.Module:
    """A kernel's source without its docstring and, unless ``codes`` is None, without the branches of other codes.

    Examples
    --------
    >>> from circuits.kernels.operations import apply
    >>> ast.unparse(chosen(apply, {3})).splitlines()[1:]
    ['def apply(code, a, b, c):', '    if code == 3:', '        return a - b', '    return math.nan']
    """
    with _PARSING:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kernel.py_func)))
    inner = tree.body[0]
    inner.body = inner.body[1:] if ast.get_docstring(inner) else inner.body
    return tree if codes is None else ast.fix_missing_locations(_Chosen(codes).visit(tree))


def imports(tree: ast.Module, kernel: Dispatcher) -> dict[str, str]:
    """The global names of a kernel that its source reads, each with the line that brings it into another module."""
    function = kernel.py_func
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} & function.__globals__.keys() - set(function.__code__.co_varnames)
    return {name: _import(name, function) for name in used}


class _Chosen(ast.NodeTransformer):
    def __init__(self, kept: Collection[int]):
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


def _import(name: str, function) -> str:
    value = function.__globals__[name]
    if isinstance(value, ModuleType):
        return f"import {value.__name__}" + ("" if value.__name__ == name else f" as {name}")
    home = value.py_func.__module__ if isinstance(value, Dispatcher) else getattr(value, "__module__", None)
    return f"from {home or function.__module__} import {name}"
