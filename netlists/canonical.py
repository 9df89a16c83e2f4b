"""A rational transfer function as capacitors and controlled sources, in the controllable canonical form.

States stand on a time scale of their own: capacitors of 1/w0 farads, w0 near the function's corner, so that all are of the size of the input.
"""

from __future__ import annotations

from circuits.circuit import GROUND, Element
from circuits.elements import Capacitor, Resistor, VoltageControlledCurrent
from circuits.errors import Place
from circuits.expressions import Call, Value, as_expression
from netlists.trees import product, quotient

MAX_ORDER = 12
Polynomial = list[Value]  # coefficients of 1, s, s^2, ...; numbers, or formulas of parameters


def canonical(name: str, control: tuple[str, str], top: Polynomial, bottom: Polynomial, present: list[float], place: Place | None) -> tuple[list[Element], str]:
    """Elements of a filter.

    Parameters
    ----------
    name : str
        What the elements' names begin with.
    control : (node, node)
        The input is the voltage between them.
    top, bottom : Polynomial
        Numerator and denominator; the numerator's degree is no greater.
    present : list of float
        The denominator's coefficients as they stand now: they set the states' scale, not the function.
    place : Place or None
        For messages.

    Returns
    -------
    list of Element, str
        The elements, and the node whose voltage is the output; it is to be read without current.
    """
    order = len(bottom) - 1
    w0 = scale(present)
    lead = product(bottom[-1], w0**order)
    a = [quotient(product(value, w0**k), lead) for k, value in enumerate(bottom)]
    b = [0.0 if value == 0.0 else quotient(product(value, w0**k), lead) for k, value in enumerate(top)] + [0.0] * (order + 1 - len(top))
    direct = b[order]
    made: list[Element] = []
    states = [(f"{name}#s{k}", GROUND) for k in range(order)]
    for k, state in enumerate(states):
        made.append(Capacitor(f"{name}#c{k}", state, 1.0 / w0, place=place))
        if k + 1 < order:  # x_k' = w0 x_k+1
            made.append(VoltageControlledCurrent(f"{name}#g{k}", (GROUND, state[0], *states[k + 1]), 1.0, place))
    if order:
        last = states[-1][0]  # x_n' = w0 (u - a_0 x_1 - a_1 x_2 - ...)
        made.append(VoltageControlledCurrent(f"{name}#gu", (GROUND, last, *control), 1.0, place))
        for k, state in enumerate(states):
            if a[k] != 0.0:
                made.append(VoltageControlledCurrent(f"{name}#ga{k}", (last, GROUND, *state), a[k], place))
        if a[0] == 0.0:  # an integrator has no rest of its own
            made.append(Resistor(f"{name}#r", states[0], 1e12, place))
    total = f"{name}#out"
    made.append(Resistor(f"{name}#ro", (total, GROUND), 1.0, place))
    for k, state in enumerate(states):
        gain = _less(b[k], direct, a[k])
        if gain != 0.0:
            made.append(VoltageControlledCurrent(f"{name}#gb{k}", (GROUND, total, *state), gain, place))
    if direct != 0.0:
        made.append(VoltageControlledCurrent(f"{name}#gd", (GROUND, total, *control), direct, place))
    return made, total


def _less(value: Value, factor: Value, other: Value) -> Value:
    """value - factor * other."""
    if factor == 0.0 or other == 0.0:
        return value
    if all(isinstance(one, float) for one in (value, factor, other)):
        return value - factor * other
    return Call("sub", (as_expression(value), as_expression(product(factor, other))))


def scale(bottom: list[float]) -> float:
    """A frequency near the poles: the geometric mean of those that are not 0."""
    low = next(k for k, value in enumerate(bottom) if value != 0.0)
    span = len(bottom) - 1 - low
    return abs(bottom[low] / bottom[-1])**(1.0 / span) if span else 1.0
