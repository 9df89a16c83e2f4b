"""The bipolar transistor after Gummel and Poon, as SPICE has it: Early effect, high injection, leakage, charges, temperature.

Inputs v_be and v_bc of the inner transistor (V); i_c into the collector and i_b into the base (A), both leaving at the emitter, so that
Kirchhoff's current law holds exactly; charges q_be and q_bc (C). A PNP is the same law with all pairs exchanged.
The Early factor 1 - v_bc/VAF - v_be/VAR is kept positive: below `EARLY_FLOOR` it goes on as an exponential with the same slope.

References
----------
Gummel, Poon: An integral charge control model of bipolar transistors, Bell System Technical Journal 49, 1970;
ngspice manual, chapter 8 "BJTs"; Massobrio, Antognetti: Semiconductor Device Modeling with SPICE, 2nd ed., 1993, chapter 2.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from circuits.devices.diode import DEPLETION, DepletionConstants
from circuits.devices.junction import (CELSIUS, critical_voltage, depletion, depletion_charge, junction_current, saturation_factor,
                                       thermal_voltage)
from circuits.devices.law import Family, Law, Limit, Parameter, Placed, Placement
from circuits.elements import Device, Resistor
from circuits.kernels.jit import kernel

EARLY_FLOOR = 0.1
FIELD_LIMIT = 50.0  # the exponent of VTF goes on as its tangent: v_bc of more than 50 * 1.44 VTF has no meaning


class BjtConstants(NamedTuple):
    """Constants of a transistor at its temperature; inverse quantities are 0 where the parameter is absent (infinite)."""

    saturation: float
    scale_f: float
    scale_r: float
    inverse_bf: float
    inverse_br: float
    inverse_vaf: float
    inverse_var: float
    inverse_ikf: float
    inverse_ikr: float
    knee: float
    leak_e: float
    scale_e: float
    leak_c: float
    scale_c: float
    tf: float
    xtf: float
    inverse_vtf: float
    itf: float
    tr: float
    cje: float
    vje: float
    mje: float
    corner_e: float
    f1e: float
    f2e: float
    f3e: float
    cjc: float
    vjc: float
    mjc: float
    corner_c: float
    f1c: float
    f2c: float
    f3c: float


@kernel(bare=True)
def transport(v_be, v_bc, p):
    """Junction currents, base charge factor and collector and base currents with all slopes.

    Returns (i_be, g_be, i_bc, g_bc, q_b, dq_b/dv_be, dq_b/dv_bc, i_c, i_b, di_c/dv_be, di_c/dv_bc, di_b/dv_be, di_b/dv_bc).
    """
    i_f, g_f = junction_current(v_be, p.saturation, p.scale_f)
    i_r, g_r = junction_current(v_bc, p.saturation, p.scale_r)
    d = 1.0 - v_bc * p.inverse_vaf - v_be * p.inverse_var
    slope = 1.0
    if d < EARLY_FLOOR:
        # from here an exponential: the argument stays above -300, so that q1 is finite
        x = max(d / EARLY_FLOOR - 1.0, -100.0)
        d = EARLY_FLOOR * math.exp(x)
        slope = d / EARLY_FLOOR if x > -100.0 else 0.0
    q1 = 1.0 / d
    arg = 1.0 + 4.0 * (p.inverse_ikf * i_f + p.inverse_ikr * i_r)
    root, half_f, half_r = 1.0, 0.0, 0.0
    if arg > 1e-6:
        if p.knee == 0.5:
            root = math.sqrt(arg)
            per = 1.0 / root
        else:
            root = arg**p.knee
            per = 2.0 * p.knee * root / arg
        half_f = p.inverse_ikf * g_f * per
        half_r = p.inverse_ikr * g_r * per
    else:
        root = 1e-6**p.knee
    q_b = 0.5 * q1 * (1.0 + root)
    inverse = 1.0 / q_b
    dq_e = q1 * (q_b * p.inverse_var * slope + half_f)
    dq_c = q1 * (q_b * p.inverse_vaf * slope + half_r)
    i_t = (i_f - i_r) * inverse
    dt_e = (g_f - i_t * dq_e) * inverse
    dt_c = (-g_r - i_t * dq_c) * inverse
    i_b = i_f * p.inverse_bf + i_r * p.inverse_br
    g_be = g_f * p.inverse_bf
    i_bc = i_r * p.inverse_br
    g_bc = g_r * p.inverse_br
    if p.leak_e > 0.0:
        leak, g = junction_current(v_be, p.leak_e, p.scale_e)
        i_b += leak
        g_be += g
    if p.leak_c > 0.0:
        leak, g = junction_current(v_bc, p.leak_c, p.scale_c)
        i_b += leak
        i_bc += leak
        g_bc += g
    return i_f, g_f, i_r, g_r, q_b, dq_e, dq_c, i_t - i_bc, i_b, dt_e, dt_c - g_bc, g_be, g_bc


class EbersMollConstants(NamedTuple):
    """Constants of a transistor without Early effect, high injection or leakage."""

    saturation: float
    scale_f: float
    scale_r: float
    inverse_bf: float
    inverse_br: float


@kernel(bare=True)
def ebers_moll(v_be, v_bc, p):
    """(i_c, i_b, di_c/dv_be, di_c/dv_bc, di_b/dv_be, di_b/dv_bc): what is left of Gummel and Poon when only IS, BF, BR, NF, NR are given."""
    i_f, g_f = junction_current(v_be, p.saturation, p.scale_f)
    i_r, g_r = junction_current(v_bc, p.saturation, p.scale_r)
    i_bc, g_bc = i_r * p.inverse_br, g_r * p.inverse_br
    return i_f - i_r - i_bc, i_f * p.inverse_bf + i_bc, g_f, -g_r - g_bc, g_f * p.inverse_bf, g_bc


@kernel(bare=True)
def bjt(v_be, v_bc, p):
    """(i_c, i_b, di_c/dv_be, di_c/dv_bc, di_b/dv_be, di_b/dv_bc)."""
    r = transport(v_be, v_bc, p)
    return r[7], r[8], r[9], r[10], r[11], r[12]


@kernel(bare=True)
def bjt_charge(v_be, v_bc, p):
    """(i_c, i_b, q_be, q_bc, then the slopes of each by v_be and v_bc)."""
    i_f, g_f, i_r, g_r, q_b, dq_e, dq_c, i_c, i_b, g_ce, g_cc, g_be, g_bc = transport(v_be, v_bc, p)
    q_e, c_e = depletion_charge(v_be, p.cje, p.vje, p.mje, p.corner_e, p.f1e, p.f2e, p.f3e)
    q_c, c_c = depletion_charge(v_bc, p.cjc, p.vjc, p.mjc, p.corner_c, p.f1c, p.f2c, p.f3c)
    c_ec = 0.0
    if p.tf > 0.0:
        extra, bend, field = 0.0, 0.0, 0.0
        if p.xtf > 0.0 and v_be > 0.0:
            x = v_bc * p.inverse_vtf
            if x > FIELD_LIMIT:
                rise = math.exp(FIELD_LIMIT)
                e, de = rise * (1.0 + x - FIELD_LIMIT), rise
            else:
                e = math.exp(x)
                de = e
            t = i_f / (i_f + p.itf) if p.itf > 0.0 else 1.0
            extra = p.xtf * e * t * t
            bend = extra * (3.0 - 2.0 * t)
            field = p.xtf * de * t * t * p.inverse_vtf
        stored = i_f * (1.0 + extra) / q_b
        q_e += p.tf * stored
        c_e += p.tf * (g_f * (1.0 + bend) - stored * dq_e) / q_b
        c_ec = p.tf * (i_f * field - stored * dq_c) / q_b
    return i_c, i_b, q_e, q_c + p.tr * i_r, g_ce, g_cc, g_be, g_bc, c_e, c_ec, 0.0, c_c + p.tr * g_r


class BaseConstants(NamedTuple):
    """Constants of a base resistance that falls with current: the transistor's static ones, then RBM, RB - RBM (ohm) and IRB (A; 0: absent)."""

    saturation: float
    scale_f: float
    scale_r: float
    inverse_bf: float
    inverse_br: float
    inverse_vaf: float
    inverse_var: float
    inverse_ikf: float
    inverse_ikr: float
    knee: float
    leak_e: float
    scale_e: float
    leak_c: float
    scale_c: float
    least: float
    rest: float
    half: float


@kernel(bare=True)
def crowding(u):
    """Part of RB - RBM that is left at u = i_b/IRB, 3 (tan z - z)/(z tan^2 z), and its slope by u."""
    s = math.sqrt(1.0 + 14.59025 * u)
    root = math.sqrt(u)
    z = 14.59025 / 2.4317 * root / (s + 1.0)
    z_u = 14.59025 / 2.4317 * (0.5 / root - root * 7.295125 / (s * (s + 1.0))) / (s + 1.0)
    if z < 0.6:
        # by Lambert's fraction, tan z = z / (1 - y g) with y = z^2 and g = 1/(3 - y/(5 - y/(7 - ...))): tan z - z would lose its digits
        y = z * z
        a, a_y = 15.0, 0.0
        for k in range(6):
            a_y = y * a_y / (a * a) - 1.0 / a
            a = 13.0 - 2.0 * k - y / a
        g, g_y = 1.0 / a, -a_y / (a * a)
        return 3.0 * g * (1.0 - y * g), (3.0 * g_y * (1.0 - y * g) - 3.0 * g * (g + y * g_y)) * 2.0 * z * z_u
    t = math.tan(z)
    f = 3.0 * (t - z) / (z * t * t)
    return f, f * (t * t / (t - z) - 1.0 / z - 2.0 * (1.0 + t * t) / t) * z_u


@kernel(bare=True)
def bjt_base(v_be, v_bc, v_bb, p):
    """(i, di/dv_be, di/dv_bc, di/dv_bb): current through the base resistance from the pin to the inner base."""
    _, _, _, _, q_b, dq_e, dq_c, _, i_b, _, _, g_be, g_bc = transport(v_be, v_bc, p)
    if p.half > 0.0:
        u = i_b / p.half
        part, slope = 1.0, 0.0
        if u > 1e-9:
            # beyond 1e8 the fitted constants would carry tan past its pole
            part, slope = crowding(min(u, 1e8))
            if u > 1e8:
                slope = 0.0
        r, r_e, r_c = p.least + p.rest * part, p.rest * slope * g_be / p.half, p.rest * slope * g_bc / p.half
    else:
        r = p.least + p.rest / q_b
        r_e, r_c = -p.rest * dq_e / (q_b * q_b), -p.rest * dq_c / (q_b * q_b)
    i = v_bb / r
    return i, -i * r_e / r, -i * r_c / r, 1.0 / r


BJT = Law("bjt", 4, ("v_be", "v_bc"), ("i_c", "i_b"), (), BjtConstants, bjt)
EBERS_MOLL = Law("ebers_moll", 24, ("v_be", "v_bc"), ("i_c", "i_b"), (), EbersMollConstants, ebers_moll)
BJT_CHARGE = Law("bjt_charge", 5, ("v_be", "v_bc"), ("i_c", "i_b"), ("q_be", "q_bc"), BjtConstants, bjt_charge)
BJT_BASE = Law("bjt_base", 22, ("v_be", "v_bc", "v_bb"), ("i_bb",), (), BaseConstants, bjt_base)

PARAMETERS = (
    Parameter("is", 1e-16, "A", "saturation current", 0.0, 1.0),
    Parameter("bf", 100.0, "", "forward current gain", 1e-6, 1e9),
    Parameter("br", 1.0, "", "reverse current gain", 1e-6, 1e9),
    Parameter("nf", 1.0, "", "forward emission coefficient", 0.05, 100.0),
    Parameter("nr", 1.0, "", "reverse emission coefficient", 0.05, 100.0),
    Parameter("vaf", 0.0, "V", "forward Early voltage; 0: infinite", 0.0),
    Parameter("var", 0.0, "V", "reverse Early voltage; 0: infinite", 0.0),
    Parameter("ikf", 0.0, "A", "corner of the forward gain's roll-off; 0: infinite", 0.0),
    Parameter("ikr", 0.0, "A", "corner of the reverse gain's roll-off; 0: infinite", 0.0),
    Parameter("nkf", 0.5, "", "exponent of the roll-off at high currents; above 1 it is 1, as in ngspice", 0.0, 10.0),
    Parameter("ise", 0.0, "A", "base-emitter leakage saturation current", 0.0, 1e3),
    Parameter("ne", 1.5, "", "base-emitter leakage emission coefficient", 0.05, 100.0),
    Parameter("isc", 0.0, "A", "base-collector leakage saturation current", 0.0, 1e3),
    Parameter("nc", 2.0, "", "base-collector leakage emission coefficient", 0.05, 100.0),
    Parameter("rb", 0.0, "ohm", "base resistance", 0.0),
    Parameter("rbm", 0.0, "ohm", "least base resistance, at high currents; 0: RB is constant", 0.0),
    Parameter("irb", 0.0, "A", "base current where RB has fallen halfway to RBM; 0: RB falls with the base charge", 0.0),
    Parameter("rc", 0.0, "ohm", "collector resistance", 0.0),
    Parameter("re", 0.0, "ohm", "emitter resistance", 0.0),
    Parameter("cje", 0.0, "F", "base-emitter capacitance without bias", 0.0, 1.0),
    Parameter("vje", 0.75, "V", "base-emitter potential", 0.01, 100.0),
    Parameter("mje", 0.33, "", "base-emitter grading coefficient", 0.0, 0.99),
    Parameter("cjc", 0.0, "F", "base-collector capacitance without bias", 0.0, 1.0),
    Parameter("vjc", 0.75, "V", "base-collector potential", 0.01, 100.0),
    Parameter("mjc", 0.33, "", "base-collector grading coefficient", 0.0, 0.99),
    Parameter("xcjc", 1.0, "", "part of CJC that lies behind the base resistance", 0.0, 1.0),
    Parameter("cjs", 0.0, "F", "collector-substrate capacitance without bias", 0.0, 1.0),
    Parameter("vjs", 0.75, "V", "substrate potential", 0.01, 100.0),
    Parameter("mjs", 0.0, "", "substrate grading coefficient", 0.0, 0.99),
    Parameter("fc", 0.5, "", "where a capacitance becomes a straight line, as a part of its potential", 0.0, 0.9999),
    Parameter("tf", 0.0, "s", "forward transit time", 0.0, 1.0),
    Parameter("xtf", 0.0, "", "bias dependence of TF", 0.0),
    Parameter("vtf", 0.0, "V", "v_bc dependence of TF; 0: infinite", 0.0),
    Parameter("itf", 0.0, "A", "current dependence of TF", 0.0),
    Parameter("ptf", 0.0, "deg", "excess phase: accepted, not modelled"),
    Parameter("tr", 0.0, "s", "reverse transit time", 0.0, 1.0),
    Parameter("eg", 1.11, "eV", "energy gap", 0.0, 10.0),
    Parameter("xti", 3.0, "", "temperature exponent of IS", -100.0, 100.0),
    Parameter("xtb", 0.0, "", "temperature exponent of the gains", -100.0, 100.0),
    Parameter("tnom", 27.0, "C", "temperature of the parameters", -200.0, 400.0),
)
INSTANCE = (
    Parameter("area", 1.0, "", "area factor", 1e-12, 1e12),
    Parameter("m", 1.0, "", "number in parallel", 1e-12, 1e12),
    Parameter("temp", math.nan, "C", "temperature of this part; default: the circuit's", -200.0, 400.0),
    Parameter("dtemp", 0.0, "K", "added to the circuit's temperature", -200.0, 400.0),
)


def _inverse(value: float) -> float:
    return 1.0 / value if value > 0.0 and math.isfinite(value) else 0.0


def bjt_constants(values: dict[str, float], scale_up: float, celsius: float) -> BjtConstants:
    """Constants from card parameters (all names of `PARAMETERS`), area times m, and the temperature in degrees Celsius."""
    v = values
    vt = thermal_voltage(celsius)
    factor = saturation_factor(celsius, v["tnom"], v["eg"], v["xti"])
    gain = ((celsius + CELSIUS) / (v["tnom"] + CELSIUS))**v["xtb"]
    emitter = depletion(v["cje"] * scale_up, v["vje"], v["mje"], v["fc"], celsius, v["tnom"])
    collector = depletion(v["cjc"] * v["xcjc"] * scale_up, v["vjc"], v["mjc"], v["fc"], celsius, v["tnom"])
    return BjtConstants(
        v["is"] * math.exp(factor) * scale_up, v["nf"] * vt, v["nr"] * vt, 1.0 / (v["bf"] * gain), 1.0 / (v["br"] * gain),
        _inverse(v["vaf"]), _inverse(v["var"]), _inverse(v["ikf"] * scale_up), _inverse(v["ikr"] * scale_up), min(v["nkf"], 1.0),
        v["ise"] * math.exp(factor / v["ne"]) / gain * scale_up, v["ne"] * vt,
        v["isc"] * math.exp(factor / v["nc"]) / gain * scale_up, v["nc"] * vt,
        v["tf"], v["xtf"], _inverse(1.44 * v["vtf"]), v["itf"] * scale_up, v["tr"], *emitter, *collector)


def place(device: Device, values: dict[str, float], instance: dict[str, float], celsius: float) -> Placement:
    """The inner transistor, its three resistances, and what of the capacitances lies outside of it."""
    scale_up = instance["area"] * instance["m"]
    p = bjt_constants(values, scale_up, celsius)
    name = device.name
    collector, base, emitter = outer = device.nodes[:3]
    elements = []
    inner = []
    least = values["rbm"] or values["rb"]  # SPICE: RBM not given is RB, whatever IRB
    crowded = least < values["rb"]
    for pin, letter, node in (("rc", "c", collector), ("rb", "b", base), ("re", "e", emitter)):
        if values[pin] > 0.0:
            if pin != "rb" or not crowded:
                elements.append(Resistor(f"{name}#{pin}", (node, f"{name}#{letter}"), values[pin] / scale_up, device.place))
            node = f"{name}#{letter}"
        inner.append(node)
    c, b, e = inner

    def pair(first, second):
        return (first, second) if device.card.kind == "npn" else (second, first)

    be, bc, ce = pair(b, e), pair(b, c), pair(c, e)
    stored = p.cje > 0.0 or p.cjc > 0.0 or p.tf > 0.0 or p.tr > 0.0
    limits = (Limit(1, p.scale_f, critical_voltage(p.scale_f, p.saturation)), Limit(1, p.scale_r, critical_voltage(p.scale_r, p.saturation)))
    law, constants = (BJT_CHARGE if stored else BJT), p
    if not stored and not any((p.inverse_vaf, p.inverse_var, p.inverse_ikf, p.inverse_ikr, p.leak_e, p.leak_c)):
        law, constants = EBERS_MOLL, EbersMollConstants(p.saturation, p.scale_f, p.scale_r, p.inverse_bf, p.inverse_br)
    laws = [Placed(name, law, constants, (be, bc), (ce, be), (be, bc) if stored else (), limits)]
    if crowded:
        base_constants = BaseConstants(*p[:14], least / scale_up, (values["rb"] - least) / scale_up, values["irb"] * scale_up)
        across = pair(base, b)
        laws.append(Placed(name, BJT_BASE, base_constants, (be, bc, across), (across,), (), (*limits, Limit())))
    outside = values["cjc"] * (1.0 - values["xcjc"]) * scale_up
    if outside > 0.0:
        layer = depletion(outside, values["vjc"], values["mjc"], values["fc"], celsius, values["tnom"])
        across = pair(outer[1], c)
        laws.append(Placed(name, DEPLETION, DepletionConstants(*layer), (across,), (), (across,), (Limit(),)))
    if values["cjs"] > 0.0:
        layer = depletion(values["cjs"] * scale_up, values["vjs"], values["mjs"], 0.0, celsius, values["tnom"])
        across = pair(device.nodes[3] if len(device.nodes) > 3 else "0", c)
        laws.append(Placed(name, DEPLETION, DepletionConstants(*layer), (across,), (), (across,), (Limit(),)))
    return Placement(tuple(laws), tuple(elements))


BJTS = Family(("npn", "pnp"), ("collector", "base", "emitter", "substrate?"), PARAMETERS, INSTANCE, place)
