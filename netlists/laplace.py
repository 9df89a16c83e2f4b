"""LAPLACE: a rational transfer function as capacitors and controlled sources.

The text is read as an expression in which s is free, turned into numerator and denominator, and realised in the controllable canonical
form on a time scale of its own: capacitors of 1/w0 farads, w0 near the function's corner, so that all states are of the size of the input.
"""

from __future__ import annotations

import math

from circuits.circuit import GROUND
from circuits.elements import BehaviouralVoltage, Capacitor, Resistor, VoltageControlledCurrent, VoltageControlledVoltage
from circuits.errors import CircuitError
from circuits.expressions import Call, Expression, Name, Number, evaluate
from netlists.assembly import Assembly, Fields, expression
from netlists.expression import parse
from netlists.lexer import Span

MAX_ORDER = 12
Polynomial = list[float]  # coefficients of 1, s, s^2, ...


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
    known = _numbers(fields)
    try:
        top, bottom = _rational(tree, known)
    except (CircuitError, ArithmeticError, ValueError) as error:
        fields.fail(f"has a LAPLACE that is no ratio of polynomials in s ({error})", "Write it as (a + b*s)/(c + d*s + e*s*s).", function.place())
    top, bottom = _trimmed(top), _trimmed(bottom)
    order = len(bottom) - 1
    if len(top) > len(bottom) or order > MAX_ORDER or not any(bottom):
        fields.fail("has a LAPLACE that rises without end, or is of too high an order", f"Up to s^{MAX_ORDER}, and no more zeros than poles.", function.place())
    name, place = fields.name, fields.place
    if isinstance(drive, Span):
        source = f"{name}#in"
        assembly.add(BehaviouralVoltage(f"{name}#u", (source, GROUND), expression(fields.scope.value(drive)), place))
        control = (source, GROUND)
    else:
        control = drive
    w0 = _scale(bottom)
    lead = bottom[-1] * w0**order
    a = [value * w0**k / lead for k, value in enumerate(bottom)]
    b = [value * w0**k / lead for k, value in enumerate(top)] + [0.0] * (order + 1 - len(top))
    direct = b[order]
    states = [(f"{name}#s{k}", GROUND) for k in range(order)]
    for k, state in enumerate(states):
        assembly.add(Capacitor(f"{name}#c{k}", state, 1.0 / w0, place=place))
        if k + 1 < order:  # x_k' = w0 x_k+1
            assembly.add(VoltageControlledCurrent(f"{name}#g{k}", (GROUND, state[0], *states[k + 1]), 1.0, place))
    if order:
        last = states[-1][0]  # x_n' = w0 (u - a_0 x_1 - a_1 x_2 - ...)
        assembly.add(VoltageControlledCurrent(f"{name}#gu", (GROUND, last, *control), 1.0, place))
        for k, state in enumerate(states):
            if a[k] != 0.0:
                assembly.add(VoltageControlledCurrent(f"{name}#ga{k}", (last, GROUND, *state), a[k], place))
        if a[0] == 0.0:  # an integrator has no rest of its own
            assembly.add(Resistor(f"{name}#r", states[0], 1e12, place))
    total = f"{name}#out"
    assembly.add(Resistor(f"{name}#ro", (total, GROUND), 1.0, place))
    for k, state in enumerate(states):
        gain = b[k] - direct * a[k]
        if gain != 0.0:
            assembly.add(VoltageControlledCurrent(f"{name}#gb{k}", (GROUND, total, *state), gain, place))
    if direct != 0.0:
        assembly.add(VoltageControlledCurrent(f"{name}#gd", (GROUND, total, *control), direct, place))
    kind = VoltageControlledVoltage if fields.part.letter == "e" else VoltageControlledCurrent
    assembly.add(kind(name, (*nodes, total, GROUND), 1.0, place))


def _numbers(fields: Fields) -> dict[str, float]:
    """Values of the parameters as they stand now: a transfer function does not follow a control."""
    known: dict[str, float] = {}
    waiting = dict(fields.scope.deck.parameters)
    for _ in range(len(waiting) + 1):
        before = len(known)
        for name in list(waiting):
            try:
                known[name] = evaluate(waiting[name], known)
                del waiting[name]
            except CircuitError:
                continue  # it depends on one that comes later, or is wrong: then its own line says so
        if len(known) == before:
            break
    return known


def _trimmed(p: Polynomial) -> Polynomial:
    while len(p) > 1 and p[-1] == 0.0:
        p = p[:-1]
    return p


def _scale(bottom: Polynomial) -> float:
    """A frequency near the poles: the geometric mean of those that are not 0."""
    low = next(k for k, value in enumerate(bottom) if value != 0.0)
    span = len(bottom) - 1 - low
    return abs(bottom[low] / bottom[-1])**(1.0 / span) if span else 1.0


def _multiplied(p: Polynomial, q: Polynomial) -> Polynomial:
    if len(p) + len(q) > 3 * MAX_ORDER:
        raise ValueError("its order is too high")
    out = [0.0] * (len(p) + len(q) - 1)
    for i, x in enumerate(p):
        for j, y in enumerate(q):
            out[i + j] += x * y
    if not all(math.isfinite(value) for value in out):
        raise ValueError("its numbers are too large")
    return out


def _added(p: Polynomial, q: Polynomial, sign: float) -> Polynomial:
    size = max(len(p), len(q))
    return [(p[k] if k < len(p) else 0.0) + sign * (q[k] if k < len(q) else 0.0) for k in range(size)]


def _rational(tree: Expression, known: dict[str, float]) -> tuple[Polynomial, Polynomial]:
    """Numerator and denominator."""
    if isinstance(tree, Number):
        return [tree.value], [1.0]
    if isinstance(tree, Name):
        return ([0.0, 1.0], [1.0]) if tree.name == "s" else ([evaluate(tree, known)], [1.0])
    if not isinstance(tree, Call):
        raise ValueError("it holds a voltage, a current or time")
    if tree.operation in ("add", "sub"):
        (p, q), (r, t) = (_rational(argument, known) for argument in tree.arguments)
        sign = 1.0 if tree.operation == "add" else -1.0
        if q == t:
            return _added(p, r, sign), q
        return _added(_multiplied(p, t), _multiplied(r, q), sign), _multiplied(q, t)
    if tree.operation == "neg":
        p, q = _rational(tree.arguments[0], known)
        return [-value for value in p], q
    if tree.operation in ("mul", "div"):
        (p, q), (r, t) = (_rational(argument, known) for argument in tree.arguments)
        if tree.operation == "div":
            r, t = t, r
        if not any(t):
            raise ValueError("it divides by zero")
        return _multiplied(p, r), _multiplied(q, t)
    if tree.operation == "pow":
        p, q = _rational(tree.arguments[0], known)
        power = evaluate(tree.arguments[1], known)
        if power != round(power) or not 0 <= power <= MAX_ORDER:
            raise ValueError("a power of s must be a whole number")
        top, bottom = [1.0], [1.0]
        for _ in range(int(power)):
            top, bottom = _multiplied(top, p), _multiplied(bottom, q)
        return top, bottom
    return [evaluate(tree, known)], [1.0]

