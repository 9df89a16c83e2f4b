"""The vertical power MOSFET (VDMOS): level 1 with a triode-region multiplier, weak inversion, a body diode and a bent gate-drain capacitance.

Inputs v_gs and v_ds (V); i_d from drain to source (A), q_gd from gate to drain (C). The body diode is a `diode` from source to drain, outside
of the resistances. Equations of ngspice 39, which follow LTspice's.

References
----------
ngspice manual, section 11.4 "Power MOSFET model (VDMOS)"; LTspice help, "M. MOSFET", VDMOS.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from circuits.devices.diode import DIODE, DIODE_CHARGE, diode_constants
from circuits.devices.junction import CELSIUS, critical_voltage
from circuits.devices.law import Family, Law, Limit, Parameter, Placed, Placement
from circuits.devices.mosfet import DRAIN_STEP, GATE_STEP
from circuits.devices.triode import softplus
from circuits.elements import Capacitor, Device, Resistor
from circuits.kernels.jit import kernel


class VdmosConstants(NamedTuple):
    """Threshold, KP, LAMBDA, MTRIODE, KSUBTHRES (0: none), and CGDMIN, CGDMAX, A of the gate-drain capacitance."""

    threshold: float
    beta: float
    modulation: float
    triode: float
    weak: float
    cgdmin: float
    cgdmax: float
    a: float


@kernel(bare=True)
def channel(v_gs, v_ds, v_signed, p):
    """Drain current and its slopes by v_gs and v_ds >= 0; ``v_signed`` is the voltage that LAMBDA sees."""
    v, dv = v_gs - p.threshold, 1.0
    if p.weak > 0.0:
        v, dv = softplus(v / p.weak)
        v *= p.weak
    elif v <= 0.0:
        return 0.0, 0.0, 0.0, 0.0
    rise = 1.0 + p.modulation * v_signed
    d_rise = p.modulation
    if rise < 0.5:
        rise, d_rise = 0.5, 0.0  # far beyond the body diode: keep the channel passive
    u = p.triode * v_ds
    if v <= u:
        c = 0.5 * v * v
        return p.beta * rise * c, p.beta * rise * v * dv, 0.0, p.beta * d_rise * c
    c = u * (v - 0.5 * u)
    return p.beta * rise * c, p.beta * rise * u * dv, p.beta * rise * p.triode * (v - u), p.beta * d_rise * c


@kernel(bare=True)
def vdmos(v_gs, v_ds, p):
    """(i_d, q_gd, di_d/dv_gs, di_d/dv_ds, dq_gd/dv_gs, dq_gd/dv_ds)."""
    if v_ds >= 0.0:
        i_d, g_m, g_ds, g_l = channel(v_gs, v_ds, v_ds, p)
        g_ds += g_l
    else:
        i, g_m, g_ds, g_l = channel(v_gs - v_ds, -v_ds, v_ds, p)
        i_d = -i
        g_ds = g_m + g_ds - g_l
        g_m = -g_m
    v = v_gs - v_ds
    s = (p.cgdmax - p.cgdmin) / (1.0 + 0.5 * math.pi)
    y = p.cgdmax - s
    x = p.a * v
    if v > 0.0:
        # ln cosh x, without overflow
        q = s / p.a * (x + math.log1p(math.exp(-2.0 * x)) - math.log(2.0)) + y * v
        c = s * math.tanh(x) + y
    else:
        t = math.atan(x)
        q = s / p.a * (x * t - 0.5 * math.log1p(x * x)) + y * v
        c = s * t + y
    return i_d, q, g_m, g_ds, c, -c


VDMOS = Law("vdmos", 13, ("v_gs", "v_ds"), ("i_d",), ("q_gd",), VdmosConstants, vdmos)

PARAMETERS = (
    Parameter("vto", 0.0, "V", "threshold voltage; negative for P-channel parts", -1e3, 1e3),
    Parameter("kp", 1.0, "A/V^2", "transconductance parameter", 0.0, 1e6),
    Parameter("lambda", 0.0, "1/V", "channel-length modulation", 0.0, 10.0),
    Parameter("mtriode", 1.0, "", "multiplier of the conductance in the triode region", 1e-3, 1e3),
    Parameter("ksubthres", 0.1, "V", "slope of weak inversion; 0: none", 0.0, 10.0),
    Parameter("rd", 0.0, "ohm", "drain resistance", 0.0),
    Parameter("rs", 0.0, "ohm", "source resistance", 0.0),
    Parameter("rg", 0.0, "ohm", "gate resistance", 0.0),
    Parameter("rds", 0.0, "ohm", "shunt from drain to source; 0: none", 0.0),
    Parameter("rb", 0.0, "ohm", "series resistance of the body diode", 0.0),
    Parameter("cgdmin", 0.0, "F", "least gate-drain capacitance", 0.0, 1.0),
    Parameter("cgdmax", 0.0, "F", "greatest gate-drain capacitance", 0.0, 1.0),
    Parameter("a", 1.0, "1/V", "bend of the gate-drain capacitance", 1e-6, 1e6),
    Parameter("cgs", 0.0, "F", "gate-source capacitance", 0.0, 1.0),
    Parameter("is", 1e-14, "A", "saturation current of the body diode", 0.0, 1.0),
    Parameter("n", 1.0, "", "emission coefficient of the body diode", 0.05, 100.0),
    Parameter("bv", math.inf, "V", "breakdown voltage of the body diode", 0.0),
    Parameter("ibv", 1e-10, "A", "current at the breakdown voltage", 0.0),
    Parameter("nbv", 1.0, "", "emission coefficient of the breakdown", 0.05, 1000.0),
    Parameter("cjo", 0.0, "F", "capacitance of the body diode without bias", 0.0, 1.0),
    Parameter("vj", 0.8, "V", "junction potential of the body diode", 0.01, 100.0),
    Parameter("m", 0.5, "", "grading coefficient of the body diode", 0.0, 10.0),
    Parameter("fc", 0.5, "", "where its capacitance becomes a straight line, as a part of VJ", 0.0, 0.95),
    Parameter("tt", 0.0, "s", "transit time of the body diode", 0.0, 1.0),
    Parameter("eg", 1.11, "eV", "activation energy of the body diode", 0.0, 10.0),
    Parameter("xti", 3.0, "", "temperature exponent of IS", -100.0, 100.0),
    Parameter("tcvth", 0.0, "V/K", "the threshold falls by TCVTH dT", -1.0, 1.0),
    Parameter("mu", -1.5, "", "temperature exponent of KP", -10.0, 10.0),
    Parameter("tnom", 27.0, "C", "temperature of the parameters", -200.0, 400.0),
    Parameter("nchan", 1.0, "", "N-channel flag: accepted"),
    Parameter("pchan", 0.0, "", "1: the part is P-channel", 0.0, 1.0),
)
INSTANCE = (
    Parameter("m", 1.0, "", "number in parallel", 1e-12, 1e12),
    Parameter("temp", math.nan, "C", "temperature of this part; default: the circuit's", -200.0, 400.0),
    Parameter("dtemp", 0.0, "K", "added to the circuit's temperature", -200.0, 400.0),
)


def place(device: Device, values: dict[str, float], instance: dict[str, float], celsius: float) -> Placement:
    """The inner transistor behind its resistances, the body diode around it, and the gate-source capacitor."""
    v, m, name = values, instance["m"], device.name
    sign = -1.0 if v["pchan"] else 1.0
    threshold = sign * v["vto"] - v["tcvth"] * (celsius - v["tnom"])
    ratio = (celsius + CELSIUS) / (v["tnom"] + CELSIUS)
    p = VdmosConstants(threshold, v["kp"] * ratio**v["mu"] * m, v["lambda"], v["mtriode"], v["ksubthres"], v["cgdmin"] * m, v["cgdmax"] * m, v["a"])
    outer_drain, _, outer_source = device.nodes[:3]
    elements = []
    inner = []
    for pin, letter, node in (("rd", "d", outer_drain), ("rg", "g", device.nodes[1]), ("rs", "s", outer_source)):
        if v[pin] > 0.0:
            elements.append(Resistor(f"{name}#{pin}", (node, f"{name}#{letter}"), v[pin] / m, device.place))
            node = f"{name}#{letter}"
        inner.append(node)
    d, g, s = inner

    def pair(first, second):
        return (first, second) if sign > 0.0 else (second, first)

    laws = [Placed(name, VDMOS, p, (pair(g, s), pair(d, s)), (pair(d, s),), (pair(g, d),), (Limit(2, 0.0, GATE_STEP), Limit(2, 0.0, DRAIN_STEP)))]
    body = diode_constants({**v, "isr": 0.0, "nr": 2.0, "ikf": 0.0, "tcv": 0.0}, m, m, celsius)
    anode = outer_source
    if v["rb"] > 0.0:
        elements.append(Resistor(f"{name}#rb", (outer_source, f"{name}#b"), v["rb"] / m, device.place))
        anode = f"{name}#b"
    across = pair(anode, outer_drain)
    stored = body.capacitance > 0.0 or body.transit > 0.0
    laws.append(Placed(name, DIODE_CHARGE if stored else DIODE, body, (across,), (across,), (across,) if stored else (),
                       (Limit(1, body.scale, critical_voltage(body.scale, body.saturation)),)))
    if v["rds"] > 0.0:
        elements.append(Resistor(f"{name}#rds", (outer_drain, outer_source), v["rds"] / m, device.place))
    if v["cgs"] > 0.0:
        elements.append(Capacitor(f"{name}#cgs", (g, s), v["cgs"] * m, place=device.place))
    return Placement(tuple(laws), tuple(elements))


VDMOSES = Family(("vdmos",), ("drain", "gate", "source", "bulk?"), PARAMETERS, INSTANCE, place)
