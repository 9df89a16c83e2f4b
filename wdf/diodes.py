"""One diode, an antiparallel pair, unequal counts and series stacks behind a resistance: the root of a clipper in closed form.

The voltage v at the root solves, with the wave's open-circuit voltage e, the port resistance R and Shockley's law,

    v + R I (exp(v / s) - 1) - R J (exp(-v / r) - 1) = e.

With one direction conducting (J = 0) Wright's omega gives v = e + R I - s w(ln(R I / s) + (e + R I) / s); k equal diodes in parallel multiply I, k
in series multiply s. Here omega is the start, and steps of third order on the exact law (which includes the direction that
blocks, and SPICE's bend of the current below -3 s) lead to rounding, in most samples with one exponential. In the sample loop
`wdf.expansions` puts short sums around points solved here in the place of these steps.

References
----------
Werner, Nangia, Bernardini, Smith, Sarti: An improved and generalized diode clipper model for wave digital filters, AES 139, 2015.
Bernardini, Werner, Sarti, Smith: Modeling nonlinear wave digital elements using the Lambert function, IEEE Trans. CAS-I 63(8), 2016.
D'Angelo, Gabrielli, Turchet: Fast approximation of the Lambert W function for virtual analog modelling, DAFx-19, 2019 (approximate starts).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from circuits.circuit import Element
from circuits.devices.diode import DIODE
from circuits.devices.junction import critical_voltage
from circuits.devices.law import Limit, Placed
from circuits.expressions import Voltage, leaves
from circuits.kernels.jit import kernel
from circuits.kernels.omega import omega

CLOSE = 3e-4  # share of n Vt, or of v where that is less: a step of third order no larger than this ends at rounding


class Direction(NamedTuple):
    """One polarity of the root, prepared: conducting diodes of I and s, blocking ones of J and r, all times the port resistance.

    conducting : R I, volts. scale, inverse : s and 1 / s. logarithm : ln(R I / s). blocking : R J. blocking_inverse : 1 / r.
    knee : 3 r. tail : R J (3 r / e)^3. alone : 1 if there is nothing that conducts.
    """

    conducting: float
    scale: float
    inverse: float
    logarithm: float
    blocking: float
    blocking_inverse: float
    knee: float
    tail: float
    alone: float


def _taylor() -> np.ndarray:
    """Omega and its first two derivatives (the second halved) at -9, -8.75, ... 241, shape (1001, 3)."""
    w = np.array([omega(-9.0 + 0.25 * k) for k in range(1001)])
    return np.column_stack([w, w / (1.0 + w), 0.5 * w / (1.0 + w)**3])


TAYLOR = _taylor()


@kernel
def omega_start(x):
    """Wright's omega, absolute error below 2e-4: 0 far down, the nearest of a thousand parabolas, then the asymptotic series."""
    if x < -9.0:
        return 0.0
    if x < 241.0:
        k = int(4.0 * x + 36.5)
        t = x - (0.25 * k - 9.0)
        return TAYLOR[k, 0] + t * (TAYLOR[k, 1] + t * TAYLOR[k, 2])
    y = math.log(x)
    z = 1.0 / x
    return x - y + y * z * (1.0 + z * (0.5 * (y - 2.0) + z * (1.0 + y * (y / 3.0 - 1.5))))


@kernel
def one_direction(x, d):
    """v >= 0 for an open-circuit voltage x > 0; see the module's header."""
    if d.alone > 0.0:
        v = max(x - d.blocking, 0.0)
    else:
        open_circuit = x + d.conducting - d.blocking
        v = open_circuit - d.scale * omega_start(d.logarithm + open_circuit * d.inverse)
        v = min(max(v, 0.0), x)
    for _ in range(60):
        f, b1, b2, b3 = v - x, 1.0, 0.0, 0.0
        if d.alone == 0.0:
            t = d.conducting * math.exp(v * d.inverse)
            f += t - d.conducting
            t *= d.inverse
            b1 += t
            t *= d.inverse
            b2 = t
            b3 = t * d.inverse
        if d.blocking > 0.0:
            if v <= d.knee:
                t = d.blocking * math.exp(-v * d.blocking_inverse)
                f += d.blocking - t
                t *= d.blocking_inverse
                b1 += t
                t *= d.blocking_inverse
                b2 -= t
                b3 += t * d.blocking_inverse
            else:
                z = 1.0 / v
                t = d.tail * z * z * z
                f += d.blocking - t
                t *= 3.0 * z
                b1 += t
                t *= 4.0 * z
                b2 -= t
                b3 += t * 5.0 * z
        # the inverse series of f(v + step) = 0 up to the third order
        z = 1.0 / b1
        u = -f * z
        b2 *= 0.5 * z
        step = u * (1.0 - u * (b2 - u * (2.0 * b2 * b2 - b3 * z * (1.0 / 6.0))))
        close = abs(u) <= CLOSE * min(v, d.scale)
        if not abs(step) <= 2.0 * abs(u):  # far away the series means nothing: a plain Newton step
            step = u
        v = min(max(v + step, 0.0), x)
        if close:
            break
    return v


@kernel
def pair_voltage(e, up, down):
    """Voltage of the diodes at the root, to rounding.

    Parameters
    ----------
    e : float
        Open-circuit voltage, volts.
    up, down : Direction
        For positive and for negative e.

    Returns
    -------
    float
        Volts.
    """
    if e > 0.0:
        return one_direction(e, up)
    if e < 0.0:
        return -one_direction(-e, down)
    return 0.0


def stacked(elements: list[Element], laws: list[Placed], outputs: tuple[str, ...]) -> list[Placed]:
    """Join plain diodes in series whose middle node nobody else touches: exact, since equal currents share the voltage as their n Vt.

    Parameters
    ----------
    elements : list of Element
        All but the devices with laws.
    laws : list of Placed
    outputs : tuple of str
        The circuit's outputs, whose nodes must stay.

    Returns
    -------
    list of Placed
        With a diode of the sum of the n Vt in the place of every such chain.
    """
    kept = {node for element in elements for node in element.nodes}
    kept |= {node for output in outputs for node in output.split(",")} | {"0"}
    for element in elements:
        expression = getattr(element, "expression", None)
        if expression is not None:
            kept |= {node for leaf in leaves(expression) if isinstance(leaf, Voltage) for node in (leaf.plus, leaf.minus)}
    laws = list(laws)
    while True:
        found = _chain(laws, kept)
        if found is None:
            return laws
        first, second = found
        a, b = first.constants, second.constants
        scale = a.scale + b.scale
        ends = ((first.inputs[0][0], second.inputs[0][1]),)
        limit = Limit(1, scale, critical_voltage(scale, a.saturation))
        joined = replace(first, name=f"{first.name}+{second.name}", constants=a._replace(scale=scale), inputs=ends, currents=ends, limits=(limit,))
        laws = [joined if law is first else law for law in laws if law is not second]


def _chain(laws: list[Placed], kept: set[str]) -> tuple[Placed, Placed] | None:
    touching: dict[str, list[Placed]] = {}
    for law in laws:
        for node in {node for pair in (*law.inputs, *law.currents, *law.charges) for node in pair}:
            touching.setdefault(node, []).append(law)
    for node, pair in touching.items():
        if node in kept or len(pair) != 2 or not all(is_plain(law) for law in pair):
            continue
        for first, second in (pair, pair[::-1]):
            same = first.constants._replace(scale=0.0) == second.constants._replace(scale=0.0)
            if same and first.inputs[0][1] == node == second.inputs[0][0] and first.inputs[0][0] != second.inputs[0][1]:
                return first, second
    return None


def is_plain(law) -> bool:
    """True for a diode of Shockley's law alone: no breakdown, high injection, recombination or charge."""
    return (isinstance(law, Placed) and law.law.code == DIODE.code and math.isinf(law.constants.breakdown) and law.constants.knee == 0.0
            and law.constants.recombination == 0.0 and law.constants.saturation > 0.0)


def pair_constants(uses, port: int) -> tuple[float, float, float, float] | None:
    """(I, s, J, r) of all laws on a port if they are plain diodes, alike in each direction; else None.

    Parameters
    ----------
    uses : iterable of Use
        The laws of one root.
    port : int
        Index of the sensed voltage that controls them all.
    """
    directions: dict[float, list] = {1.0: [], -1.0: []}
    for use in uses:
        if not is_plain(use.law) or use.inputs[0][0] != port:
            return None
        directions[use.inputs[0][1]].append(use.law.constants)
    found = []
    for sign in (1.0, -1.0):
        constants = directions[sign]
        if any(c.scale != constants[0].scale for c in constants):
            return None
        found += [float(sum(c.saturation for c in constants)), float(constants[0].scale) if constants else 1.0]
    return tuple(found)


def prepared(R: float, constants: tuple[float, float, float, float]) -> tuple[Direction, Direction]:
    """Both polarities of diodes (I, s, J, r) behind a positive resistance R, ohms.

    Examples
    --------
    >>> up, down = prepared(4700.0, (2.52e-9, 0.0453, 2.52e-9, 0.0453))
    >>> round(pair_voltage(1.0, up, down), 6), pair_voltage(-1.0, up, down) == -pair_voltage(1.0, up, down)
    (0.483905, True)
    """
    I, s, J, r = constants

    def direction(I, s, J, r):
        alone = I == 0.0
        s = r if alone else s
        return Direction(R * I, s, 1.0 / s, 0.0 if alone else math.log(R * I / s), R * J, 1.0 / r, 3.0 * r,
                         R * J * (3.0 * r / math.e)**3, float(alone))
    return direction(I, s, J, r), direction(J, r, I, s)
