"""The MOSFET of Shichman and Hodges (SPICE level 1) with its bulk junctions.

Inputs v_gs, v_ds, v_bs (V); i_d from drain to source, i_bs and i_bd out of the bulk (A). With the bulk tied to the source, as nearly every part
is used, a law of two inputs takes the place of the one with three. Gate capacitances are the overlap capacitances (CGSO,
CGDO, CGBO), as plain capacitors; the oxide's own charge (Meyer) is not modelled. A P-channel part has all pairs exchanged.

References
----------
Shichman, Hodges: Modeling and simulation of insulated-gate field-effect transistor switching circuits, IEEE JSSC 3(3), 1968;
ngspice manual, chapter 11 "MOSFETs", level 1.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from circuits.devices.diode import DEPLETION, DepletionConstants
from circuits.devices.junction import (BOLTZMANN, CELSIUS, CHARGE, critical_voltage, depletion, exponential_current, potential_at,
                                       thermal_voltage)
from circuits.devices.law import Family, Law, Limit, Parameter, Placed, Placement
from circuits.elements import Capacitor, Device, Resistor
from circuits.errors import CircuitError
from circuits.kernels.jit import kernel


class MosfetConstants(NamedTuple):
    """Constants of a MOSFET at its temperature: built-in voltage, KP W/L, GAMMA, PHI, LAMBDA, bulk junctions."""

    built_in: float
    beta: float
    gamma: float
    phi: float
    modulation: float
    saturation: float
    scale: float


@kernel(bare=True)
def channel(v_gs, v_ds, v_bs, p):
    """Drain current and its slopes by v_gs, v_ds and v_bs, for v_ds >= 0."""
    root = math.sqrt(p.phi)
    if v_bs <= 0.0:
        s = math.sqrt(p.phi - v_bs)
        body = 0.5 * p.gamma / s
    else:
        s = root - 0.5 * v_bs / root
        body = 0.5 * p.gamma / root
        if s <= 0.0:
            s, body = 0.0, 0.0
    v = v_gs - p.built_in - p.gamma * s
    if v <= 0.0:
        return 0.0, 0.0, 0.0, 0.0
    b = p.beta * (1.0 + p.modulation * v_ds)
    if v <= v_ds:
        c = 0.5 * v * v
        g_m = b * v
        return b * c, g_m, p.modulation * p.beta * c, g_m * body
    c = v_ds * (v - 0.5 * v_ds)
    g_m = b * v_ds
    return b * c, g_m, b * (v - v_ds) + p.modulation * p.beta * c, g_m * body


@kernel(bare=True)
def through(v_gs, v_ds, v_bs, p):
    """Drain current and its slopes by v_gs, v_ds and v_bs, either way round."""
    if v_ds >= 0.0:
        return channel(v_gs, v_ds, v_bs, p)
    i, g_m, g_ds, g_b = channel(v_gs - v_ds, -v_ds, v_bs - v_ds, p)
    return -i, -g_m, g_m + g_ds + g_b, -g_b


@kernel(bare=True)
def mosfet(v_gs, v_ds, v_bs, p):
    """(i_d, i_bs, i_bd, then the slopes of each by v_gs, v_ds and v_bs)."""
    i_d, g_m, g_ds, g_b = through(v_gs, v_ds, v_bs, p)
    i_bs, g_bs = exponential_current(v_bs, p.saturation, p.scale)
    i_bd, g_bd = exponential_current(v_bs - v_ds, p.saturation, p.scale)
    return i_d, i_bs, i_bd, g_m, g_ds, g_b, 0.0, 0.0, g_bs, 0.0, -g_bd, g_bd


@kernel(bare=True)
def mosfet_tied(v_gs, v_ds, p):
    """(i_d, di_d/dv_gs, di_d/dv_ds) with the bulk at the source: the drain's junction is part of i_d."""
    i_d, g_m, g_ds, _ = through(v_gs, v_ds, 0.0, p)
    i_b, g_b = exponential_current(-v_ds, p.saturation, p.scale)
    return i_d - i_b, g_m, g_ds + g_b


MOSFET = Law("mosfet", 11, ("v_gs", "v_ds", "v_bs"), ("i_d", "i_bs", "i_bd"), (), MosfetConstants, mosfet)
MOSFET_TIED = Law("mosfet_tied", 12, ("v_gs", "v_ds"), ("i_d",), (), MosfetConstants, mosfet_tied)

PARAMETERS = (
    Parameter("level", 1.0, "", "model level: all are computed as level 1, and the reader tells when that is not what the card says", 1.0, 1000.0),
    Parameter("vto", 0.0, "V", "threshold voltage without bulk bias; negative for P-channel enhancement parts", -1e3, 1e3),
    Parameter("kp", 0.0, "A/V^2", "transconductance parameter; 0: UO times the oxide's capacitance if TOX is given, else 20u", 0.0, 1e6),
    Parameter("uo", 600.0, "cm^2/Vs", "surface mobility, for KP from TOX", 0.0, 1e6),
    Parameter("gamma", 0.0, "V^0.5", "bulk threshold parameter", 0.0, 100.0),
    Parameter("phi", 0.6, "V", "surface potential", 0.01, 10.0),
    Parameter("lambda", 0.0, "1/V", "channel-length modulation", 0.0, 10.0),
    Parameter("w", 1e-4, "m", "width, unless the element says so", 1e-9, 1e3),
    Parameter("l", 1e-4, "m", "length, unless the element says so", 1e-9, 1e3),
    Parameter("ld", 0.0, "m", "lateral diffusion: the channel is 2 LD shorter", 0.0, 1.0),
    Parameter("rd", 0.0, "ohm", "drain resistance", 0.0),
    Parameter("rs", 0.0, "ohm", "source resistance", 0.0),
    Parameter("rg", 0.0, "ohm", "gate resistance", 0.0),
    Parameter("is", 1e-14, "A", "saturation current of each bulk junction", 0.0, 1.0),
    Parameter("n", 1.0, "", "emission coefficient of the bulk junctions", 0.05, 100.0),
    Parameter("cgso", 0.0, "F/m", "gate-source overlap capacitance by width", 0.0, 1.0),
    Parameter("cgdo", 0.0, "F/m", "gate-drain overlap capacitance by width", 0.0, 1.0),
    Parameter("cgbo", 0.0, "F/m", "gate-bulk overlap capacitance by length", 0.0, 1.0),
    Parameter("cbd", 0.0, "F", "bulk-drain capacitance without bias", 0.0, 1.0),
    Parameter("cbs", 0.0, "F", "bulk-source capacitance without bias", 0.0, 1.0),
    Parameter("pb", 0.8, "V", "bulk junction potential", 0.01, 100.0),
    Parameter("mj", 0.5, "", "bulk junction grading coefficient", 0.0, 0.99),
    Parameter("fc", 0.5, "", "where a capacitance becomes a straight line, as a part of PB", 0.0, 0.95),
    Parameter("tnom", 27.0, "C", "temperature of the parameters", -200.0, 400.0),
    Parameter("tox", 0.0, "m", "oxide thickness, for KP; the oxide's own charge is not modelled", 0.0, 1.0),
)
INSTANCE = (
    Parameter("w", 0.0, "m", "width; 0: the card's", 0.0, 1e3),
    Parameter("l", 0.0, "m", "length; 0: the card's", 0.0, 1e3),
    Parameter("m", 1.0, "", "number in parallel", 1e-12, 1e12),
    Parameter("temp", math.nan, "C", "temperature of this part; default: the circuit's", -200.0, 400.0),
    Parameter("dtemp", 0.0, "K", "added to the circuit's temperature", -200.0, 400.0),
)
OXIDE = 3.9 * 8.854214871e-12  # F/m, as in SPICE
GATE_STEP, DRAIN_STEP = 1.0, 4.0  # volts a Newton step; SPICE's own limits of gate and drain are of this size


def _gap(kelvin: float) -> float:
    return 1.16 - 7.02e-4 * kelvin * kelvin / (kelvin + 1108.0)


def place(device: Device, values: dict[str, float], instance: dict[str, float], celsius: float) -> Placement:
    """The inner transistor, its three resistances, overlap capacitors and the bulk's depletion charges."""
    v, m, name = values, instance["m"], device.name
    sign = 1.0 if device.card.kind == "nmos" else -1.0
    width, length = instance["w"] or v["w"], (instance["l"] or v["l"]) - 2.0 * v["ld"]
    if length <= 0.0:
        raise CircuitError(f"{name}: the channel's length is {length:g} m after lateral diffusion", mend="Make L longer than 2 LD.",
                           place=device.place, element=name)
    kelvin, base = celsius + CELSIUS, v["tnom"] + CELSIUS
    ratio = kelvin / base
    phi = potential_at(v["phi"], celsius, v["tnom"])
    built_in = sign * v["vto"] - v["gamma"] * math.sqrt(v["phi"]) + sign * 0.5 * (_gap(base) - _gap(kelvin)) + 0.5 * (phi - v["phi"])
    growth = math.exp(CHARGE / BOLTZMANN * (_gap(base) / base - _gap(kelvin) / kelvin))
    kp = v["kp"] or (v["uo"] * 1e-4 * OXIDE / v["tox"] if v["tox"] > 0.0 else 2e-5)
    p = MosfetConstants(built_in, kp / ratio**1.5 * m * width / length, v["gamma"], phi, v["lambda"], v["is"] * growth * m,
                        v["n"] * thermal_voltage(celsius))
    elements = []
    inner = []
    for pin, letter, node in (("rd", "d", device.nodes[0]), ("rg", "g", device.nodes[1]), ("rs", "s", device.nodes[2])):
        if v[pin] > 0.0:
            elements.append(Resistor(f"{name}#{pin}", (node, f"{name}#{letter}"), v[pin] / m, device.place))
            node = f"{name}#{letter}"
        inner.append(node)
    d, g, s = inner
    # with a source resistance the bulk sits outside of it, so the tied law would not hold
    b = device.nodes[3] if len(device.nodes) > 3 else device.nodes[2]

    def pair(first, second):
        return (first, second) if sign > 0.0 else (second, first)

    gate, drain = Limit(2, 0.0, GATE_STEP), Limit(2, 0.0, DRAIN_STEP)
    bulk = Limit(1, p.scale, critical_voltage(p.scale, p.saturation))
    if b == s:
        laws = [Placed(name, MOSFET_TIED, p, (pair(g, s), pair(d, s)), (pair(d, s),), (), (gate, drain))]
    else:
        laws = [Placed(name, MOSFET, p, (pair(g, s), pair(d, s), pair(b, s)), (pair(d, s), pair(b, s), pair(b, d)), (), (gate, drain, bulk))]
    for size, node in (("cbd", d), ("cbs", s)):
        if v[size] > 0.0 and node != b:
            layer = depletion(v[size] * m, v["pb"], v["mj"], v["fc"], celsius, v["tnom"])
            across = pair(b, node)
            laws.append(Placed(name, DEPLETION, DepletionConstants(*layer), (across,), (), (across,), (Limit(),)))
    for size, extent, node in (("cgso", width, s), ("cgdo", width, d), ("cgbo", length, b)):
        if v[size] > 0.0:
            elements.append(Capacitor(f"{name}#{size}", (g, node), v[size] * extent * m, place=device.place))
    return Placement(tuple(laws), tuple(elements))


MOSFETS = Family(("nmos", "pmos"), ("drain", "gate", "source", "bulk?"), PARAMETERS, INSTANCE, place)
