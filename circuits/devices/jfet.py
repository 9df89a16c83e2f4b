"""The junction field-effect transistor of Shichman and Hodges (SPICE level 1), with its two gate junctions and their charges.

Inputs v_gs and v_gd of the inner transistor (V); i_d from drain to source, i_gs from gate to source, i_gd from gate to drain (A); charges
q_gs, q_gd (C). Drain and source may change places: the law is the same seen from either end. A P-channel part is the same law with all pairs exchanged.

References
----------
Shichman, Hodges: Modeling and simulation of insulated-gate field-effect transistor switching circuits, IEEE JSSC 3(3), 1968;
ngspice manual, chapter 9 "JFETs", level 1.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from circuits.devices.junction import critical_voltage, depletion, depletion_charge, junction_current, saturation_factor, thermal_voltage
from circuits.devices.law import Family, Law, Limit, Parameter, Placed, Placement
from circuits.elements import Device, Resistor
from circuits.kernels.jit import kernel


class JfetConstants(NamedTuple):
    """Constants of a JFET at its temperature; both junctions share potential and grading."""

    threshold: float
    beta: float
    modulation: float
    saturation: float
    scale: float
    cgs: float
    cgd: float
    potential: float
    grading: float
    corner: float
    f1: float
    f2: float
    f3: float


@kernel(bare=True)
def channel(v_gs, v_ds, p):
    """Drain current and its slopes by v_gs and v_ds, for v_ds >= 0."""
    v = v_gs - p.threshold
    if v <= 0.0:
        return 0.0, 0.0, 0.0
    b = p.beta * (1.0 + p.modulation * v_ds)
    if v >= v_ds:
        c = v_ds * (2.0 * v - v_ds)
        return b * c, 2.0 * b * v_ds, 2.0 * b * (v - v_ds) + p.beta * p.modulation * c
    return b * v * v, 2.0 * b * v, p.beta * p.modulation * v * v


@kernel(bare=True)
def through(v_gs, v_gd, p):
    """Drain current and its slopes by v_gs and v_gd, either way round."""
    if v_gs >= v_gd:
        i, g_m, g_ds = channel(v_gs, v_gs - v_gd, p)
        return i, g_m + g_ds, -g_ds
    i, g_m, g_ds = channel(v_gd, v_gd - v_gs, p)
    return -i, g_ds, -g_m - g_ds


@kernel(bare=True)
def jfet(v_gs, v_gd, p):
    """(i_d, i_gs, i_gd, then the slopes of each by v_gs and v_gd)."""
    i_d, g_s, g_d = through(v_gs, v_gd, p)
    i_gs, g_gs = junction_current(v_gs, p.saturation, p.scale)
    i_gd, g_gd = junction_current(v_gd, p.saturation, p.scale)
    return i_d, i_gs, i_gd, g_s, g_d, g_gs, 0.0, 0.0, g_gd


@kernel(bare=True)
def jfet_charge(v_gs, v_gd, p):
    """(i_d, i_gs, i_gd, q_gs, q_gd, then the slopes of each by v_gs and v_gd)."""
    i_d, g_s, g_d = through(v_gs, v_gd, p)
    i_gs, g_gs = junction_current(v_gs, p.saturation, p.scale)
    i_gd, g_gd = junction_current(v_gd, p.saturation, p.scale)
    q_gs, c_gs = depletion_charge(v_gs, p.cgs, p.potential, p.grading, p.corner, p.f1, p.f2, p.f3)
    q_gd, c_gd = depletion_charge(v_gd, p.cgd, p.potential, p.grading, p.corner, p.f1, p.f2, p.f3)
    return i_d, i_gs, i_gd, q_gs, q_gd, g_s, g_d, g_gs, 0.0, 0.0, g_gd, c_gs, 0.0, 0.0, c_gd


JFET = Law("jfet", 9, ("v_gs", "v_gd"), ("i_d", "i_gs", "i_gd"), (), JfetConstants, jfet)
JFET_CHARGE = Law("jfet_charge", 10, ("v_gs", "v_gd"), ("i_d", "i_gs", "i_gd"), ("q_gs", "q_gd"), JfetConstants, jfet_charge)

PARAMETERS = (
    Parameter("vto", -2.0, "V", "threshold (pinch-off) voltage", -1e3, 1e3),
    Parameter("beta", 1e-4, "A/V^2", "transconductance parameter", 0.0, 1e3),
    Parameter("lambda", 0.0, "1/V", "channel-length modulation", 0.0, 10.0),
    Parameter("rd", 0.0, "ohm", "drain resistance", 0.0),
    Parameter("rs", 0.0, "ohm", "source resistance", 0.0),
    Parameter("is", 1e-14, "A", "gate saturation current", 0.0, 1.0),
    Parameter("n", 1.0, "", "gate emission coefficient (LTspice, PSpice)", 0.05, 100.0),
    Parameter("cgs", 0.0, "F", "gate-source capacitance without bias", 0.0, 1.0),
    Parameter("cgd", 0.0, "F", "gate-drain capacitance without bias", 0.0, 1.0),
    Parameter("pb", 1.0, "V", "gate junction potential", 0.01, 100.0),
    Parameter("m", 0.5, "", "gate grading coefficient (LTspice, PSpice)", 0.0, 0.99),
    Parameter("fc", 0.5, "", "where a capacitance becomes a straight line, as a part of PB", 0.0, 0.95),
    Parameter("vtotc", 0.0, "V/K", "temperature coefficient of VTO", -1.0, 1.0),
    Parameter("betatce", 0.0, "%/K", "exponential temperature coefficient of BETA", -100.0, 100.0),
    Parameter("xti", 0.0, "", "temperature exponent of IS", -100.0, 100.0),
    Parameter("tnom", 27.0, "C", "temperature of the parameters", -200.0, 400.0),
    Parameter("isr", 0.0, "A", "recombination current of the gate: accepted, not modelled"),
    Parameter("nr", 2.0, "", "its emission coefficient: accepted, not modelled"),
    Parameter("alpha", 0.0, "1/V", "impact ionisation: accepted, not modelled"),
    Parameter("vk", 0.0, "V", "impact ionisation: accepted, not modelled"),
)
INSTANCE = (
    Parameter("area", 1.0, "", "area factor", 1e-12, 1e12),
    Parameter("m", 1.0, "", "number in parallel", 1e-12, 1e12),
    Parameter("temp", math.nan, "C", "temperature of this part; default: the circuit's", -200.0, 400.0),
    Parameter("dtemp", 0.0, "K", "added to the circuit's temperature", -200.0, 400.0),
)
EG = 1.11  # eV: fixed in SPICE's JFET


def place(device: Device, values: dict[str, float], instance: dict[str, float], celsius: float) -> Placement:
    """The inner transistor behind its drain and source resistances."""
    v, scale_up = values, instance["area"] * instance["m"]
    vt = thermal_voltage(celsius)
    rise = celsius - v["tnom"]
    saturation = v["is"] * math.exp(saturation_factor(celsius, v["tnom"], EG, v["xti"]) / v["n"]) * scale_up
    cgs, *layer = depletion(v["cgs"] * scale_up, v["pb"], v["m"], v["fc"], celsius, v["tnom"])
    cgd = depletion(v["cgd"] * scale_up, v["pb"], v["m"], v["fc"], celsius, v["tnom"])[0]
    p = JfetConstants(v["vto"] + v["vtotc"] * rise, v["beta"] * 1.01**(v["betatce"] * rise) * scale_up, v["lambda"], saturation, v["n"] * vt,
                      cgs, cgd, *layer)
    drain, gate, source = device.nodes
    elements = []
    if v["rd"] > 0.0:
        elements.append(Resistor(f"{device.name}#rd", (drain, f"{device.name}#d"), v["rd"] / scale_up, device.place))
        drain = f"{device.name}#d"
    if v["rs"] > 0.0:
        elements.append(Resistor(f"{device.name}#rs", (source, f"{device.name}#s"), v["rs"] / scale_up, device.place))
        source = f"{device.name}#s"

    def pair(first, second):
        return (first, second) if device.card.kind == "njf" else (second, first)

    gs, gd, ds = pair(gate, source), pair(gate, drain), pair(drain, source)
    stored = p.cgs > 0.0 or p.cgd > 0.0
    limit = Limit(1, p.scale, critical_voltage(p.scale, p.saturation))
    return Placement((Placed(device.name, JFET_CHARGE if stored else JFET, p, (gs, gd), (ds, gs, gd), (gs, gd) if stored else (),
                             (limit, limit)),), tuple(elements))


JFETS = Family(("njf", "pjf"), ("drain", "gate", "source"), PARAMETERS, INSTANCE, place)
