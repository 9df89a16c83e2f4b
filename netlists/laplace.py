"""LAPLACE: a rational transfer function, read as an expression in which s is free, turned into numerator and denominator.

Coefficients may be formulas of parameters: then the filter follows the knobs that turn them.
"""

from __future__ import annotations

import math

from circuits.circuit import GROUND
from circuits.elements import BehaviouralVoltage, VoltageControlledCurrent, VoltageControlledVoltage
from circuits.errors import CircuitError
from circuits.expressions import Call, Expression, Name, Number, Value, as_expression, leaves, names
from netlists.assembly import Assembly, Fields
from netlists.canonical import MAX_ORDER, Polynomial, canonical
from netlists.expression import parse
from netlists.lexer import Span
from netlists.trees import expression, product


class _Frequency:
    """A scope in which s is free."""

    def __init__(self, scope):
        self.scope = scope

    def parameter(self, name):
        return Name("s") if name == "s" else self.scope.parameter(name)

    def __getattr__(self, name):
        return getattr(self.scope, name)


def transfer(fields: Fields, drive: Span | tuple[str, str], function: Span, nodes: tuple[str, str], assembly: Assembly) -> None:
    """Elements of an E or G with LAPLACE: the driving formula or nodes, and the function of s."""
    tree = parse(function, _Frequency(fields.scope))
    deck = fields.scope.deck
    try:
        top, bottom = _rational(tree, deck.number)
        top, bottom = _trimmed(top), _trimmed(bottom)
        present = [deck.number(value) for value in bottom]
        for value in top:
            deck.number(value)
    except (CircuitError, ArithmeticError, ValueError) as error:
        fields.fail(f"has a LAPLACE that is no ratio of polynomials in s ({error})", "Write it as (a + b*s)/(c + d*s + e*s*s).", function.place())
    if len(top) > len(bottom) or len(bottom) - 1 > MAX_ORDER or not present[-1]:
        fields.fail("has a LAPLACE that rises without end, or is of too high an order", f"Up to s^{MAX_ORDER}, and no more zeros than poles.", function.place())
    name, place = fields.name, fields.place
    if isinstance(drive, Span):
        source = f"{name}#in"
        assembly.add(BehaviouralVoltage(f"{name}#u", (source, GROUND), expression(fields.scope.value(drive)), place))
        control = (source, GROUND)
    else:
        control = drive
    elements, total = canonical(name, control, top, bottom, present, place)
    for element in elements:
        assembly.add(element)
    kind = VoltageControlledVoltage if fields.part.letter == "e" else VoltageControlledCurrent
    assembly.add(kind(name, (*nodes, total, GROUND), 1.0, place))


def _plus(a: Value, b: Value, sign: float = 1.0) -> Value:
    if isinstance(a, float) and isinstance(b, float):
        return a + sign * b
    if b == 0.0:
        return a
    if a == 0.0 and sign > 0.0:
        return b
    return Call("add" if sign > 0.0 else "sub", (as_expression(a), as_expression(b)))


def _times(a: Value, b: Value) -> Value:
    if a == 0.0 or b == 0.0:
        return 0.0
    return b if a == 1.0 else a if b == 1.0 else product(a, b)


def _trimmed(p: Polynomial) -> Polynomial:
    while len(p) > 1 and p[-1] == 0.0:
        p = p[:-1]
    return p


def _multiplied(p: Polynomial, q: Polynomial) -> Polynomial:
    if len(p) + len(q) > 3 * MAX_ORDER:
        raise ValueError("its order is too high")
    out: Polynomial = [0.0] * (len(p) + len(q) - 1)
    for i, x in enumerate(p):
        for j, y in enumerate(q):
            out[i + j] = _plus(out[i + j], _times(x, y))
    if not all(math.isfinite(value) for value in out if isinstance(value, float)):
        raise ValueError("its numbers are too large")
    return out


def _added(p: Polynomial, q: Polynomial, sign: float) -> Polynomial:
    size = max(len(p), len(q))
    return [_plus(p[k] if k < len(p) else 0.0, q[k] if k < len(q) else 0.0, sign) for k in range(size)]


def _rational(tree: Expression, number) -> tuple[Polynomial, Polynomial]:
    """Numerator and denominator; ``number`` gives the present value of a formula of parameters."""
    if "s" not in names(tree):
        if leaves(tree):
            raise ValueError("it holds a voltage, a current or time")
        return [tree.value if isinstance(tree, Number) else tree], [1.0]
    if isinstance(tree, Name):
        return [0.0, 1.0], [1.0]
    if tree.operation in ("add", "sub"):
        (p, q), (r, t) = (_rational(argument, number) for argument in tree.arguments)
        sign = 1.0 if tree.operation == "add" else -1.0
        if q == t:
            return _added(p, r, sign), q
        return _added(_multiplied(p, t), _multiplied(r, q), sign), _multiplied(q, t)
    if tree.operation == "neg":
        p, q = _rational(tree.arguments[0], number)
        return [_times(-1.0, value) for value in p], q
    if tree.operation in ("mul", "div"):
        (p, q), (r, t) = (_rational(argument, number) for argument in tree.arguments)
        if tree.operation == "div":
            r, t = t, r
        if not any(t):
            raise ValueError("it divides by zero")
        return _multiplied(p, r), _multiplied(q, t)
    if tree.operation == "pow":
        p, q = _rational(tree.arguments[0], number)
        power = number(tree.arguments[1])
        if power != round(power) or not 0 <= power <= MAX_ORDER:
            raise ValueError("a power of s must be a whole number")
        top, bottom = [1.0], [1.0]
        for _ in range(int(power)):
            top, bottom = _multiplied(top, p), _multiplied(bottom, q)
        return top, bottom
    raise ValueError(f"{tree.operation}() of s is none")
