"""The diode: Shockley's law with series resistance, high injection, recombination, breakdown and junction charge.

Input v_d from anode to cathode (V); current i_d into the anode (A), charge q_d (C). Equations of SPICE 3 / ngspice 39 with one deviation: the
recombination current (ISR) goes on below -3 N Vt, as PSpice defines it, where ngspice drops it in a jump.

References
----------
ngspice manual, chapter 7 "Diodes"; Massobrio, Antognetti: Semiconductor Device Modeling with SPICE, 2nd ed., 1993, chapter 1.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from circuits.devices.junction import (critical_voltage, depletion, depletion_charge, exponential_current, junction_current, saturation_factor,
                                       thermal_voltage)
from circuits.devices.law import Family, Law, Limit, Parameter, Placed, Placement
from circuits.elements import Device, Resistor
from circuits.kernels.jit import kernel


class DiodeConstants(NamedTuple):
    """Constants of a diode at its temperature; 0 means absent for ``knee`` (IKF), ``recombination`` (ISR) and the charges."""

    saturation: float
    scale: float
    breakdown: float
    breakdown_scale: float
    knee: float
    recombination: float
    recombination_scale: float
    capacitance: float
    potential: float
    grading: float
    corner: float
    f1: float
    f2: float
    f3: float
    transit: float


@kernel(bare=True)
def junction(v_d, p):
    """Current and slope of the junction before high injection: forward, reverse, breakdown and recombination."""
    if v_d >= -p.breakdown or v_d >= -3.0 * p.scale:
        i, g = junction_current(v_d, p.saturation, p.scale)
    else:
        a = 3.0 * p.scale / (v_d * math.e)
        a = a * a * a
        b, db = junction_current(-p.breakdown - v_d, p.saturation, p.breakdown_scale)
        i = -b - p.saturation * (1.0 + a)
        g = db + 3.0 * p.saturation * a / v_d
    if p.recombination > 0.0:
        r, dr = junction_current(v_d, p.recombination, p.recombination_scale)
        a = 1.0 - v_d / p.potential
        t = a * a + 0.005
        f = t**(0.5 * p.grading)
        i += r * f
        g += dr * f - r * f * p.grading * a / (p.potential * t)
    return i, g


@kernel(bare=True)
def injected(i, g, p):
    """High injection: i / (1 + sqrt(i / IKF)), with its slope."""
    if p.knee > 0.0 and i > 1e-18:
        s = math.sqrt(i / p.knee)
        return i / (1.0 + s), g * (1.0 + 0.5 * s) / ((1.0 + s) * (1.0 + s))
    return i, g


@kernel(bare=True)
def diode(v_d, p):
    """(i_d, di_d/dv_d)."""
    i, g = junction(v_d, p)
    return injected(i, g, p)


@kernel(bare=True)
def diode_pair(v_d, p):
    """(i, di/dv) of two equal diodes antiparallel, with one exponential; no breakdown, knee or recombination."""
    u = abs(v_d)
    i, g = exponential_current(u, p.saturation, p.scale)
    if u <= 3.0 * p.scale:
        e = p.saturation / (1.0 + i / p.saturation)
        i += p.saturation - e
        g += e / p.scale
    else:  # SPICE's cubic tail of the diode that blocks
        a = 3.0 * p.scale / (u * math.e)
        a = a * a * a
        i += p.saturation * (1.0 - a)
        g += 3.0 * p.saturation * a / u
    return (i, g) if v_d >= 0.0 else (-i, g)


@kernel(bare=True)
def diode_charge(v_d, p):
    """(i_d, q_d, di_d/dv_d, dq_d/dv_d)."""
    i, g = junction(v_d, p)
    q, c = depletion_charge(v_d, p.capacitance, p.potential, p.grading, p.corner, p.f1, p.f2, p.f3)
    i, g = injected(i, g, p)
    return i, q + p.transit * i, g, c + p.transit * g


class DepletionConstants(NamedTuple):
    """Constants of a junction's depletion charge alone."""

    capacitance: float
    potential: float
    grading: float
    corner: float
    f1: float
    f2: float
    f3: float


@kernel(bare=True)
def depletion_only(v_d, p):
    """(q_d, dq_d/dv_d): a reverse-biased junction of which only the charge matters."""
    return depletion_charge(v_d, p.capacitance, p.potential, p.grading, p.corner, p.f1, p.f2, p.f3)


class LinearConstants(NamedTuple):
    """LTspice's idealised diode: conductances off, on and in breakdown (S), both knees (V) and the widths of their bends (V)."""

    off: float
    on: float
    reverse: float
    forward_knee: float
    reverse_knee: float
    forward_width: float
    reverse_width: float


@kernel(bare=True)
def ramp(x, width):
    """0 below 0, then a parabola over ``width``, then a straight line of slope 1; and its slope."""
    if x <= 0.0:
        return 0.0, 0.0
    if x < width:
        return 0.5 * x * x / width, x / width
    return x - 0.5 * width, 1.0


@kernel(bare=True)
def diode_linear(v_d, p):
    """(i_d, di_d/dv_d) of straight lines: off, on above the forward knee, and breakdown below the reverse knee."""
    up, d_up = ramp(v_d - p.forward_knee, p.forward_width)
    down, d_down = ramp(-v_d - p.reverse_knee, p.reverse_width)
    on, reverse = p.on - p.off, p.reverse - p.off
    return p.off * v_d + on * up - reverse * down, p.off + on * d_up + reverse * d_down


DIODE = Law("diode", 1, ("v_d",), ("i_d",), (), DiodeConstants, diode)
DIODE_CHARGE = Law("diode_charge", 2, ("v_d",), ("i_d",), ("q_d",), DiodeConstants, diode_charge)
DEPLETION = Law("depletion", 3, ("v_d",), (), ("q_d",), DepletionConstants, depletion_only)
DIODE_LINEAR = Law("diode_linear", 23, ("v_d",), ("i_d",), (), LinearConstants, diode_linear)
BEND = 1e-3  # V: least width of a bend of the idealised diode, so that its slope has no step

PARAMETERS = (
    Parameter("is", 1e-14, "A", "saturation current", 0.0, 1.0),
    Parameter("n", 1.0, "", "emission coefficient", 0.05, 100.0),
    Parameter("rs", 0.0, "ohm", "series resistance", 0.0),
    Parameter("bv", math.inf, "V", "breakdown voltage; infinite: none", 0.0),
    Parameter("ibv", 1e-3, "A", "current at the breakdown voltage", 0.0),
    Parameter("nbv", 0.0, "", "emission coefficient of the breakdown; 0: as N", 0.0, 1000.0),
    Parameter("ikf", 0.0, "A", "knee of high injection; 0: none", 0.0),
    Parameter("isr", 0.0, "A", "recombination saturation current", 0.0, 1.0),
    Parameter("nr", 2.0, "", "emission coefficient of the recombination current", 0.05, 100.0),
    Parameter("cjo", 0.0, "F", "junction capacitance without bias", 0.0, 1.0),
    Parameter("vj", 1.0, "V", "junction potential", 0.01, 100.0),
    Parameter("m", 0.5, "", "grading coefficient, limited to 0.9 as in ngspice", 0.0, 10.0),
    Parameter("fc", 0.5, "", "where the capacitance becomes a straight line, as a part of VJ", 0.0, 0.95),
    Parameter("tt", 0.0, "s", "transit time", 0.0, 1.0),
    Parameter("eg", 1.11, "eV", "activation energy", 0.0, 10.0),
    Parameter("xti", 3.0, "", "temperature exponent of IS", -100.0, 100.0),
    Parameter("tnom", 27.0, "C", "temperature of the parameters", -200.0, 400.0),
    Parameter("ron", 0.0, "ohm", "idealised diode of LTspice: resistance when on; RON, ROFF or VFWD above 0 replace the exponential law", 0.0),
    Parameter("roff", 0.0, "ohm", "its resistance when off; 0: 1e12", 0.0),
    Parameter("vfwd", 0.0, "V", "its forward knee", 0.0),
    Parameter("vrev", math.inf, "V", "its breakdown", 0.0),
    Parameter("rrev", 0.0, "ohm", "its resistance in breakdown; 0: as RON", 0.0),
    Parameter("epsilon", 0.0, "V", "width of the bend that begins at VFWD", 0.0),
    Parameter("revepsilon", 0.0, "V", "width of the bend that begins at VREV", 0.0),
    Parameter("tcv", 0.0, "V/K", "linear temperature coefficient of BV: BV - TCV dT"),
)
INSTANCE = (
    Parameter("area", 1.0, "", "area factor", 1e-12, 1e12),
    Parameter("m", 1.0, "", "number in parallel", 1e-12, 1e12),
    Parameter("temp", math.nan, "C", "temperature of this part; default: the circuit's", -200.0, 400.0),
    Parameter("dtemp", 0.0, "K", "added to the circuit's temperature", -200.0, 400.0),
)


def breakdown_voltage(bv: float, ibv: float, saturation: float, vt: float, nbv: float) -> float:
    """Where the breakdown exponential starts, so that the current at ``-bv`` is ``ibv`` (SPICE's fixed-point iteration)."""
    if not math.isfinite(bv) or saturation <= 0.0:
        return math.inf
    if ibv < saturation * bv / vt:
        return bv
    start = bv - nbv * vt * math.log(1.0 + ibv / saturation)
    for _ in range(100):
        start = bv - nbv * vt * math.log(ibv / saturation + 1.0 - start / vt)
        reached = saturation * (math.exp((bv - start) / (nbv * vt)) - 1.0 + start / vt)
        if abs(reached - ibv) <= 1e-12 * ibv:
            break
    return start


def diode_constants(values: dict[str, float], scale_up: float, multiple: float, celsius: float) -> DiodeConstants:
    """Constants from card parameters (all names of `PARAMETERS`), the area factor times m, m alone, and the temperature."""
    vt = thermal_voltage(celsius)
    n, nr = values["n"], values["nr"]
    factor = saturation_factor(celsius, values["tnom"], values["eg"], values["xti"])
    # SPICE's form: the exponent of T is XTI/N and the gap EG/(N Vt), so the whole logarithm is divided by N
    saturation = values["is"] * math.exp(factor / n) * scale_up
    recombination = values["isr"] * math.exp(factor / nr) * scale_up
    nbv = values["nbv"] or n
    bv = values["bv"] - values["tcv"] * (celsius - values["tnom"])
    layer = depletion(values["cjo"] * scale_up, values["vj"], min(values["m"], 0.9), values["fc"], celsius, values["tnom"])
    return DiodeConstants(saturation, n * vt, breakdown_voltage(bv, values["ibv"] * multiple, saturation, vt, nbv), nbv * vt,
                          values["ikf"] * scale_up, recombination, nr * vt, *layer, values["tt"])


def place(device: Device, values: dict[str, float], instance: dict[str, float], celsius: float) -> Placement:
    """One law between anode and cathode, behind a resistor when RS is given."""
    scale_up = instance["area"] * instance["m"]
    if values["ron"] > 0.0 or values["roff"] > 0.0 or values["vfwd"] > 0.0:
        return _idealised(device, values, scale_up)
    constants = diode_constants(values, scale_up, instance["m"], celsius)
    anode, cathode = device.nodes
    elements = ()
    if values["rs"] > 0.0:
        inner = f"{device.name}#a"
        elements = (Resistor(f"{device.name}#rs", (anode, inner), values["rs"] / scale_up, device.place),)
        anode = inner
    stored = constants.capacitance > 0.0 or constants.transit > 0.0
    pair = (anode, cathode)
    limit = Limit(1, constants.scale, critical_voltage(constants.scale, constants.saturation))
    if math.isfinite(constants.breakdown):
        bound = constants.breakdown + critical_voltage(constants.breakdown_scale, constants.saturation)
        limit = limit._replace(back_scale=constants.breakdown_scale, back_bound=bound)
    return Placement((Placed(device.name, DIODE_CHARGE if stored else DIODE, constants, (pair,), (pair,), (pair,) if stored else (),
                             (limit,)),), elements)


def _idealised(device: Device, values: dict[str, float], scale_up: float) -> Placement:
    on = scale_up / (values["ron"] or 1.0)
    constants = LinearConstants(scale_up / (values["roff"] or 1e12), on, scale_up / values["rrev"] if values["rrev"] > 0.0 else on, values["vfwd"],
                                values["vrev"], max(values["epsilon"], BEND), max(values["revepsilon"], BEND))
    pair = (device.nodes[0], device.nodes[1])
    return Placement((Placed(device.name, DIODE_LINEAR, constants, (pair,), (pair,), (), (Limit(),)),))


DIODES = Family(("d",), ("anode", "cathode"), PARAMETERS, INSTANCE, place)
