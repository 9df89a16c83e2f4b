"""Delays as all-passes that are true over the ear's bandwidth.

A delay is the diagonal Pade approximant of exp(-s TD), of the least order that is within `TOLERANCE` up to `BANDWIDTH`: a metre of cable
needs one pole, the longest that can be read is some 88 us. Longer ones (echoes, springs) need a memory of samples and are refused.

References
----------
Golub, Van Loan: Matrix Computations, section on the matrix exponential (coefficients of the Pade approximants of exp).
"""

from __future__ import annotations

import cmath
import math

from circuits.circuit import GROUND, Element
from circuits.elements import BehaviouralVoltage
from circuits.errors import CircuitError, NetlistError, Place
from circuits.expressions import Expression, Value, Voltage, names
from netlists.canonical import MAX_ORDER, canonical
from netlists.trees import expression

BANDWIDTH = 20e3   # Hz
TOLERANCE = 1e-6   # of the input, at the bandwidth's end


def all_pass(seconds: float) -> tuple[list[float], list[float]] | None:
    """Numerator and denominator of a delay; None if it is too long.

    Examples
    --------
    >>> top, bottom = all_pass(1e-6)
    >>> len(bottom) - 1, all_pass(1.0)
    (2, None)
    """
    x = 2.0 * math.pi * BANDWIDTH * seconds
    for n in range(1, MAX_ORDER + 1):
        p = [math.factorial(2 * n - k) * math.factorial(n) / (math.factorial(2 * n) * math.factorial(k) * math.factorial(n - k)) for k in range(n + 1)]
        upper, lower = (sum(c * (sign * 1j * x)**k for k, c in enumerate(p)) for sign in (-1.0, 1.0))
        if abs(upper / lower - cmath.exp(-1j * x)) <= TOLERANCE:
            return [c * (-seconds)**k for k, c in enumerate(p)], [c * seconds**k for k, c in enumerate(p)]
    return None


def delayed(name: str, control: tuple[str, str], seconds: float, place: Place | None) -> tuple[list[Element], str]:
    """Elements that delay the voltage between two nodes, and the node of the result.

    Raises
    ------
    NetlistError
        If the delay is longer than an all-pass can follow.
    """
    found = all_pass(seconds) if seconds >= 0.0 and math.isfinite(seconds) else None
    if found is None:
        raise NetlistError(f"a delay of {seconds:g} s is not read", place=place, element=name,
                           mend=f"Delays from 0 to about {longest() * 1e6:.0f} us are; the result without it would be another circuit.")
    top, bottom = found if seconds > 0.0 else ([1.0], [1.0])
    return canonical(name, control, top, bottom, bottom, place)


def longest() -> float:
    """The longest delay that is read, s."""
    low, high = 0.0, 1e-3
    for _ in range(30):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if all_pass(middle) is not None else (low, middle)
    return low


def delay(name: str, drive: Expression, seconds: Value, deck, place: Place) -> Expression:
    """``delay(x, seconds)`` in a formula: the voltage of a node; its elements go to the deck."""
    try:
        number = deck.number(seconds)
    except CircuitError as error:
        raise NetlistError(f"the seconds of delay() are no number: {error.what}", place=place, mend="Write delay(V(in), 10u).") from None
    if not isinstance(seconds, float) and names(expression(seconds)):
        deck.notes.say("a delay stays as it is read: it does not follow a control", place)
    elements, node = delayed(name, (f"{name}#in", GROUND), number, place)
    deck.auxiliaries += [BehaviouralVoltage(f"b{name}#u", (f"{name}#in", GROUND), drive, place), *elements]
    return Voltage(node)
