"""Expressions of a netlist as small trees: numbers, parameters, voltages, currents, time, and calls of known operations.

A tree is data: it is evaluated by walking it, or compiled into a `Tape` (a list of operations on registers) which the
kernels run forwards for the value and backwards for all slopes at once (reverse-mode differentiation).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Callable, Mapping, Union

import numpy as np

from circuits.errors import CircuitError
from circuits.kernels import operations
from circuits.kernels.operations import OPERATIONS


@dataclass(frozen=True, slots=True)
class Number:
    """A constant, SI."""

    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """A parameter, by its flat lower-case name (``x1.rtot`` inside subcircuit instance x1)."""

    name: str


@dataclass(frozen=True, slots=True)
class Voltage:
    """V(plus, minus), volts."""

    plus: str
    minus: str = "0"


@dataclass(frozen=True, slots=True)
class Current:
    """I(element), amperes, flowing into the element's first pin."""

    element: str


@dataclass(frozen=True, slots=True)
class Time:
    """Seconds since the start."""


@dataclass(frozen=True, slots=True)
class Call:
    """A known operation (a key of `OPERATIONS`) on its arguments."""

    operation: str
    arguments: tuple["Expression", ...]

    def __post_init__(self):
        if self.operation not in OPERATIONS or OPERATIONS[self.operation][1] != len(self.arguments):
            raise CircuitError(f"{self.operation} does not take {len(self.arguments)} arguments")


Expression = Union[Number, Name, Voltage, Current, Time, Call]
Leaf = Union[Voltage, Current, Time]
Value = Union[Expression, float]


def as_expression(value: Value) -> Expression:
    """Wrap a float as a `Number`; hand an expression on."""
    return Number(float(value)) if isinstance(value, (int, float)) else value


def leaves(expression: Expression) -> tuple[Leaf, ...]:
    """All voltages, currents and times in an expression, each once, in order of first appearance."""
    found: dict[Leaf, None] = {}
    waiting = [expression]
    while waiting:
        current = waiting.pop()
        if isinstance(current, Call):
            waiting.extend(reversed(current.arguments))
        elif isinstance(current, (Voltage, Current, Time)):
            found[current] = None
    return tuple(found)


def names(expression: Expression) -> frozenset[str]:
    """Names of all parameters in an expression."""
    if isinstance(expression, Call):
        return frozenset().union(*(names(argument) for argument in expression.arguments))
    return frozenset((expression.name,)) if isinstance(expression, Name) else frozenset()


def transform(expression: Expression, change: Callable[[Expression], Expression | None]) -> Expression:
    """Rebuild an expression with every part for which ``change`` returns something else than None replaced; folds constants."""
    replaced = change(expression)
    if replaced is not None:
        return replaced
    if not isinstance(expression, Call):
        return expression
    arguments = tuple(transform(argument, change) for argument in expression.arguments)
    if all(isinstance(argument, Number) for argument in arguments):
        return Number(evaluate(Call(expression.operation, arguments), {}))
    return expression if arguments == expression.arguments else Call(expression.operation, arguments)


def substitute(expression: Expression, values: Mapping[str, float]) -> Expression:
    """Put numbers in the place of parameters; raises CircuitError for a parameter without value."""
    def change(part):
        if isinstance(part, Name):
            if part.name not in values:
                raise CircuitError(f"the parameter {part.name!r} is not defined")
            return Number(float(values[part.name]))
        return None
    return transform(expression, change)


def evaluate(expression: Value, values: Mapping[str, float]) -> float:
    """Value of an expression of parameters only.

    Raises
    ------
    CircuitError
        For an undefined parameter, a division by zero, a result that is not finite, or a voltage in a place that needs a number.

    Examples
    --------
    >>> evaluate(Call("mul", (Name("r"), Number(2.0))), {"r": 10.0})
    20.0
    """
    if isinstance(expression, (int, float)):
        return float(expression)
    if isinstance(expression, Number):
        return expression.value
    if isinstance(expression, Name):
        if expression.name not in values:
            raise CircuitError(f"the parameter {expression.name!r} is not defined")
        return float(values[expression.name])
    if isinstance(expression, Call):
        a, b, c = ([evaluate(argument, values) for argument in expression.arguments] + [0.0, 0.0, 0.0])[:3]
        code = OPERATIONS[expression.operation][0]
        try:
            result = float(_APPLY(code, a, b, c))
        except ZeroDivisionError:
            raise CircuitError("division by zero") from None
        except (ValueError, OverflowError):
            result = math.nan
        if not math.isfinite(result):
            raise CircuitError(f"{expression.operation} of {', '.join(f'{x:g}' for x in (a, b, c)[:len(expression.arguments)])} is not finite")
        return result
    raise CircuitError("a voltage, current or time can't stand where a number is needed")


_APPLY = operations.apply.py_func  # the same source, run without waiting for the compiler


@dataclass(frozen=True, slots=True)
class Tape:
    """An expression as a list of operations on registers.

    Parameters
    ----------
    leaves : tuple of Voltage, Current or Time
        What the first ``len(leaves)`` registers hold.
    codes : ndarray, shape (n_registers,), int64
        Operation of each register; 0 is a constant, 1 a leaf.
    arguments : ndarray, shape (n_registers, 3), int64
        Registers of the arguments.
    constants : ndarray, shape (n_registers,)
        Value of the constant registers, 0 elsewhere.
    """

    leaves: tuple[Leaf, ...]
    codes: np.ndarray
    arguments: np.ndarray
    constants: np.ndarray


def tape(expression: Expression, order: tuple[Leaf, ...] | None = None) -> Tape:
    """Compile an expression without parameters; equal subexpressions share a register. The last register is the result."""
    order = leaves(expression) if order is None else order
    registers: dict[Expression, int] = {leaf: k for k, leaf in enumerate(order)}
    rows = [(1, (0, 0, 0), 0.0) for _ in order]

    def place(part: Expression) -> int:
        if part in registers:
            return registers[part]
        if isinstance(part, Number):
            row = (0, (0, 0, 0), part.value)
        elif isinstance(part, Call):
            inner = [place(argument) for argument in part.arguments]
            row = (OPERATIONS[part.operation][0], tuple((inner + [0, 0, 0])[:3]), 0.0)
        else:
            raise CircuitError(f"{part} can't stand here")
        registers[part] = len(rows)
        rows.append(row)
        return registers[part]

    last = place(expression)
    if last != len(rows) - 1:  # the result is a leaf or a shared register: copy it to the end
        zero = place(Number(0.0))
        rows.append((OPERATIONS["add"][0], (last, zero, 0), 0.0))
    return Tape(order, np.array([row[0] for row in rows], dtype=np.int64),
                np.array([row[1] for row in rows], dtype=np.int64).reshape(-1, 3), np.array([row[2] for row in rows]))
