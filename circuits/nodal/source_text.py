"""The text of an emitted kernel while it grows: lines, what stands before the loop, imports, and how numbers and laws are written.

Two dialects share all that follows from a circuit's structure: one number at a time (`Scalars`), or a vector of them
(`circuits.nodal.lanes_emitted.Vectors`). Both write our identifiers and whole numbers only, never a word of a netlist.
"""

from __future__ import annotations

import ast
from typing import Protocol

from circuits.kernels import operations
from circuits.kernels.chosen import chosen, imports
from circuits.kernels.operations import OPERATIONS
from circuits.nodal.model import DkModel

OPERATION = {code: name for name, (code, _) in OPERATIONS.items()}


class Dialect(Protocol):
    """How a number of the model is read, and how a law or an operation is called."""

    def number(self, array: str, indices: tuple[int, ...]) -> str:
        """Text that reads a number."""

    def law(self, text: "Text", function, constants: type, at: int, name: str, arguments: list[str], results: list[str]) -> None:
        """Write the evaluation of a law of the catalogue into ``results``; its constants begin at ``at``."""

    def operation(self, text: "Text", kind: str, code: int, arguments: tuple[str, ...]) -> str:
        """Text that applies an operation (``kind`` "apply") or gives its slopes ("slopes")."""


class Text:
    """Lines of a module."""

    def __init__(self, model: DkModel, dialect: Dialect):
        self.model = model
        self.dialect = dialect
        self.arrays = model.arrays
        self.F, self.f0, self.K, self.W = model.patterns
        self.lines: list[str] = []
        self.head: list[str] = []
        self.imports: set[tuple[str, str]] = set()
        self.operations: dict[str, set[int]] = {}  # codes of operations that the text applies, and of those whose slopes it takes
        self.depth = 1
        self.n_ports, self.n_states, self.n_outputs = len(model.ports), self.arrays.n_states, self.arrays.n_outputs
        self.n_moving = self.F.shape[0] - self.n_states
        self.n_out = len(self.arrays.f0)

    def say(self, text: str) -> None:
        """One more line of the body."""
        self.lines.append("    " * self.depth + text)

    def before(self, line: str) -> None:
        """One more line in front of the loop, once."""
        line = "    " + line
        if line not in self.head:
            self.head.append(line)

    def need(self, module: str, name: str) -> str:
        """Import a name."""
        self.imports.add((module, name))
        return name

    def number(self, array: str, *indices: int) -> str:
        """A number that stays the same during a call, read into a local before the loop."""
        name = "_".join([array, *map(str, indices)])
        self.before(f"{name} = {self.dialect.number(array, indices)}")
        return name

    def block_columns(self, b: int) -> list[int]:
        """Columns of w that a block's laws write."""
        a = self.arrays
        return [int(c) for c in a.columns[a.column_start[b]:a.column_start[b + 1]]]

    def earlier_columns(self, b: int) -> list[int]:
        """Columns of earlier blocks that act on a block."""
        a = self.arrays
        return [int(c) for c in a.earlier[a.earlier_start[b]:a.earlier_start[b + 1]]]

    def import_lines(self) -> str:
        """The import statements, and the operations that the text applies, without the others."""
        lines, functions = {f"from {module} import {name}" for module, name in self.imports}, []
        for kind, codes in sorted(self.operations.items()):
            kernel = getattr(operations, kind)
            tree = chosen(kernel, codes)
            lines |= set(imports(tree, kernel).values())
            functions.append(f"\n\n{ast.unparse(tree)}")
        return "\n".join(sorted(lines)) + "\n".join(functions)


class Scalars:
    """One number at a time."""

    def number(self, array: str, indices: tuple[int, ...]) -> str:
        """See `Dialect`."""
        return f"{array}[{', '.join(map(str, indices))}]"

    def law(self, text: Text, function, constants: type, at: int, name: str, arguments: list[str], results: list[str]) -> None:
        """See `Dialect`."""
        called = text.need(function.py_func.__module__, function.py_func.__name__)
        kind = text.need(constants.__module__, constants.__name__)
        text.before(f"{name} = {text.need('circuits.kernels.constants', 'constants_at')}({kind}, constants, {at})")
        text.say(f"{', '.join(results)} = {called}({', '.join(arguments)}, {name})")

    def operation(self, text: Text, kind: str, code: int, arguments: tuple[str, ...]) -> str:
        """See `Dialect`."""
        text.operations.setdefault(kind, set()).add(code)
        return f"{kind}({code}, {', '.join(arguments)})"
