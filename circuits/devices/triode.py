"""Triodes: Koren's plate law and the one of Dempwolf and Zoelzer, each with grid current and the three capacitances.

Inputs v_gk and v_pk (V); i_p into the plate and i_g into the grid (A), both leaving at the cathode.
Koren's grid is the one of his SPICE models: a junction behind a resistor RGI, solved here in closed form with Wright's omega
function, so that it costs no extra node. Capacitances are plain capacitors between the pins.

References
----------
Koren: Improved vacuum tube models for SPICE simulations, Glass Audio 8(5), 1996, equations (4) and (5).
Dempwolf, Zoelzer: A physically-motivated triode model for circuit simulations, DAFx-11, Paris 2011, equations (5), (8) and (9).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from circuits.devices.junction import thermal_voltage
from circuits.devices.law import Family, Law, Limit, Parameter, Placed, Placement
from circuits.elements import Capacitor, Device
from circuits.kernels.jit import kernel
from circuits.kernels.omega import omega


class TriodeConstants(NamedTuple):
    """Koren's constants with 2/KG1 as ``perveance``; ``grid_resistance`` 0 means no grid current."""

    mu: float
    exponent: float
    perveance: float
    kp: float
    kvb: float
    offset: float
    grid_resistance: float
    grid_saturation: float
    grid_scale: float
    grid_shift: float


@kernel(bare=True)
def softplus(x):
    """ln(1 + exp(x)) and its slope, without overflow."""
    if x > 0.0:
        e = math.exp(-x)
        return x + math.log1p(e), 1.0 / (1.0 + e)
    e = math.exp(x)
    return math.log1p(e), e / (1.0 + e)


@kernel(bare=True)
def grid_current(v, resistance, saturation, scale, shift):
    """Current and slope of a junction in series with a resistance, by Wright's omega function.

    i = (scale/R) omega(v/scale + shift) - Is with shift = ln(Is R/scale) + Is R/scale solves i = Is (exp((v - R i)/scale) - 1).
    """
    if resistance <= 0.0:
        return 0.0, 0.0
    w = omega(v / scale + shift)
    return scale / resistance * w - saturation, w / (1.0 + w) / resistance


@kernel(bare=True)
def triode(v_gk, v_pk, p):
    """(i_p, i_g, di_p/dv_gk, di_p/dv_pk, di_g/dv_gk, di_g/dv_pk), Koren (4) and (5); the plate current is 0 for v_pk <= 0."""
    i_g, g_g = grid_current(v_gk, p.grid_resistance, p.grid_saturation, p.grid_scale, p.grid_shift)
    if v_pk <= 0.0:
        return 0.0, i_g, 0.0, 0.0, g_g, 0.0
    root = math.sqrt(p.kvb + v_pk * v_pk)
    s, ds = softplus(p.kp * (1.0 / p.mu + (v_gk + p.offset) / root))
    e1 = v_pk / p.kp * s
    if e1 <= 0.0:
        return 0.0, i_g, 0.0, 0.0, g_g, 0.0
    i_p = p.perveance * e1**p.exponent
    slope = p.exponent * i_p / e1
    by_grid = v_pk * ds / root
    by_plate = s / p.kp - v_pk * v_pk * ds * (v_gk + p.offset) / (root * root * root)
    return i_p, i_g, slope * by_grid, slope * by_plate, g_g, 0.0


class DempwolfConstants(NamedTuple):
    """The letters of Dempwolf and Zoelzer: G, mu, gamma, C of the cathode current, G_g, xi, C_g and I_g0 of the grid's."""

    g: float
    mu: float
    gamma: float
    c: float
    gg: float
    xi: float
    cg: float
    ig0: float


@kernel(bare=True)
def triode_dempwolf(v_gk, v_pk, p):
    """(i_p, i_g, di_p/dv_gk, di_p/dv_pk, di_g/dv_gk, di_g/dv_pk): cathode current (5) less grid current (8)."""
    s, ds = softplus(p.c * (v_pk / p.mu + v_gk))
    base = s / p.c
    i_k = p.g * base**p.gamma if base > 0.0 else 0.0
    d_k = p.gamma * i_k / base * ds if base > 0.0 else 0.0
    s, ds = softplus(p.cg * v_gk)
    base = s / p.cg
    i_x = p.gg * base**p.xi if base > 0.0 else 0.0
    d_g = p.xi * i_x / base * ds if base > 0.0 else 0.0
    return i_k - i_x - p.ig0, i_x + p.ig0, d_k - d_g, d_k / p.mu, d_g, 0.0


TRIODE = Law("triode", 6, ("v_gk", "v_pk"), ("i_p", "i_g"), (), TriodeConstants, triode)
TRIODE_DEMPWOLF = Law("triode_dempwolf", 7, ("v_gk", "v_pk"), ("i_p", "i_g"), (), DempwolfConstants, triode_dempwolf)

CAPACITANCES = (
    Parameter("ccg", 0.0, "F", "capacitance from grid to cathode", 0.0, 1e-3),
    Parameter("cgp", 0.0, "F", "capacitance from grid to plate", 0.0, 1e-3),
    Parameter("ccp", 0.0, "F", "capacitance from plate to cathode", 0.0, 1e-3),
)
GRID = (
    Parameter("rgi", 2000.0, "ohm", "grid resistance in the grid's current law; 0: no grid current", 0.0),
    Parameter("gis", 1e-9, "A", "saturation current of the grid's junction", 1e-30, 1.0),
    Parameter("gn", 1.0, "", "emission coefficient of the grid's junction", 0.05, 1000.0),
)
KOREN = (
    Parameter("mu", 100.0, "", "amplification factor", 0.1, 1e4),
    Parameter("ex", 1.4, "", "exponent", 1.0, 5.0),
    Parameter("kg1", 1060.0, "V^EX/A", "plate law: i_p = 2 E1^EX / KG1", 1e-3, 1e9),
    Parameter("kp", 600.0, "", "bend near cut-off", 1e-3, 1e6),
    Parameter("kvb", 300.0, "V^2", "bend at low plate voltages", 1e-6, 1e9),
    Parameter("vct", 0.0, "V", "contact potential added to v_gk", -10.0, 10.0),
) + GRID + CAPACITANCES
DEMPWOLF = (
    Parameter("g", 2.242e-3, "A/V^GAMMA", "perveance of the cathode", 0.0, 10.0),
    Parameter("mu", 103.2, "", "amplification factor", 0.1, 1e4),
    Parameter("gamma", 1.26, "", "exponent of the cathode current", 1.0, 5.0),
    Parameter("c", 3.4, "1/V", "bend of the cathode current", 1e-3, 1e4),
    Parameter("gg", 6.177e-4, "A/V^XI", "perveance of the grid", 0.0, 10.0),
    Parameter("xi", 1.314, "", "exponent of the grid current", 1.0, 5.0),
    Parameter("cg", 9.901, "1/V", "bend of the grid current", 1e-3, 1e4),
    Parameter("ig0", 8.025e-8, "A", "constant part of the grid current", -1e-3, 1e-3),
) + CAPACITANCES
TUBE_INSTANCE = (Parameter("m", 1.0, "", "number in parallel", 1e-12, 1e12),)
GRID_STEP, PLATE_STEP = 2.0, 60.0  # volts that Newton may move in one step; about a tenth of a tube's working range


def capacitors(device: Device, values: dict[str, float], multiple: float, pairs: dict[str, tuple[str, str]]) -> tuple[Capacitor, ...]:
    """Those of the declared capacitances that are not 0, as elements named after their parameter."""
    return tuple(Capacitor(f"{device.name}#{name}", nodes, values[name] * multiple, place=device.place)
                 for name, nodes in pairs.items() if values[name] > 0.0)


def grid_constants(values: dict[str, float], multiple: float) -> tuple[float, float, float, float]:
    """Resistance, saturation current, voltage scale and shift of `grid_current`, for tubes in parallel."""
    resistance, saturation, scale = values["rgi"] / multiple, values["gis"] * multiple, values["gn"] * thermal_voltage(27.0)
    rise = saturation * resistance / scale
    return resistance, saturation, scale, math.log(rise) + rise if rise > 0.0 else 0.0


def _placed(device, law, constants, values, multiple) -> Placement:
    plate, grid, cathode = device.nodes[:3]
    gk, pk = (grid, cathode), (plate, cathode)
    return Placement((Placed(device.name, law, constants, (gk, pk), (pk, gk), (), (Limit(2, 0.0, GRID_STEP), Limit(2, 0.0, PLATE_STEP))),),
                     capacitors(device, values, multiple, {"ccg": gk, "cgp": (grid, plate), "ccp": pk}))


def place_koren(device: Device, values: dict[str, float], instance: dict[str, float], celsius: float) -> Placement:
    """Koren's triode. The grid junction is kept at 27 C, where the sets were fitted: a tube's cathode does not follow the room."""
    v, m = values, instance["m"]
    constants = TriodeConstants(v["mu"], v["ex"], 2.0 * m / v["kg1"], v["kp"], v["kvb"], v["vct"], *grid_constants(v, m))
    return _placed(device, TRIODE, constants, values, m)


def place_dempwolf(device: Device, values: dict[str, float], instance: dict[str, float], celsius: float) -> Placement:
    """Dempwolf's and Zoelzer's triode."""
    v, m = values, instance["m"]
    constants = DempwolfConstants(v["g"] * m, v["mu"], v["gamma"], v["c"], v["gg"] * m, v["xi"], v["cg"], v["ig0"] * m)
    return _placed(device, TRIODE_DEMPWOLF, constants, values, m)


PINS = ("plate", "grid", "cathode", "heater1?", "heater2?")
TRIODES = Family(("triode",), PINS, KOREN, TUBE_INSTANCE, place_koren)
TRIODES_DEMPWOLF = Family(("triode_dz",), PINS, DEMPWOLF, TUBE_INSTANCE, place_dempwolf)
