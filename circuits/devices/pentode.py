"""Pentodes and beam tubes: Koren's plate and screen laws, with grid current and capacitances.

Inputs v_gk, v_sk and v_pk (control grid, screen, plate against cathode; V); i_p, i_s, i_g into plate, screen and grid (A), all leaving at the
cathode. Koren's screen current does not depend on the plate voltage. Between `SCREEN_FLOOR` and 0 V of screen voltage, where the laws
lose their meaning, the screen current fades to 0 (a negative screen can't give power away) and the screen voltage in the
plate law goes on as an exponential with the same slope, so that the law has a value for any voltage.

References
----------
Koren: Improved vacuum tube models for SPICE simulations, Glass Audio 8(5), 1996, equations (6) to (8).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from circuits.devices.law import Family, Law, Limit, Parameter, Placed, Placement
from circuits.devices.triode import GRID, GRID_STEP, PLATE_STEP, TUBE_INSTANCE, capacitors, grid_constants, grid_current, softplus
from circuits.elements import Device
from circuits.kernels.jit import kernel

SCREEN_FLOOR = 1.0


class PentodeConstants(NamedTuple):
    """Koren's constants with 2/KG1 and 1/KG2 as perveances; ``grid_resistance`` 0 means no grid current."""

    mu: float
    exponent: float
    perveance: float
    screen_perveance: float
    kp: float
    kvb: float
    offset: float
    grid_resistance: float
    grid_saturation: float
    grid_scale: float
    grid_shift: float


@kernel(bare=True)
def pentode(v_gk, v_sk, v_pk, p):
    """(i_p, i_s, i_g, then the slopes of each by v_gk, v_sk and v_pk), Koren (6), (7) and (8)."""
    i_g, g_g = grid_current(v_gk, p.grid_resistance, p.grid_saturation, p.grid_scale, p.grid_shift)
    screen, d_screen = v_sk, 1.0
    if v_sk < SCREEN_FLOOR:
        x = max(v_sk / SCREEN_FLOOR - 1.0, -100.0)
        screen = SCREEN_FLOOR * math.exp(x)
        d_screen = screen / SCREEN_FLOOR if x > -100.0 else 0.0
    drive = v_gk + p.offset
    s, ds = softplus(p.kp * (1.0 / p.mu + drive / screen))
    e1 = screen / p.kp * s
    i_p = i_s = p_g = p_s = p_p = s_g = s_s = 0.0
    if e1 > 0.0:
        i_c = p.perveance * e1**p.exponent
        slope = p.exponent * i_c / e1
        bend = math.atan(v_pk / p.kvb)
        i_p = i_c * bend
        p_g = slope * ds * bend
        p_s = slope * (s / p.kp - ds * drive / screen) * d_screen * bend
        p_p = i_c * p.kvb / (p.kvb * p.kvb + v_pk * v_pk)
    lift = drive + v_sk / p.mu
    if lift > 0.0 and v_sk > 0.0:
        i_s = p.screen_perveance * lift * math.sqrt(lift)
        s_g = 1.5 * i_s / lift
        s_s = s_g / p.mu
        if v_sk < SCREEN_FLOOR:
            u = v_sk / SCREEN_FLOOR
            fade = u * u * (3.0 - 2.0 * u)
            s_s = s_s * fade + i_s * 6.0 * u * (1.0 - u) / SCREEN_FLOOR
            i_s *= fade
            s_g *= fade
    return i_p, i_s, i_g, p_g, p_s, p_p, s_g, s_s, 0.0, g_g, 0.0, 0.0


PENTODE = Law("pentode", 8, ("v_gk", "v_sk", "v_pk"), ("i_p", "i_s", "i_g"), (), PentodeConstants, pentode)

PARAMETERS = (
    Parameter("mu", 11.0, "", "amplification factor of grid against screen", 0.1, 1e4),
    Parameter("ex", 1.35, "", "exponent", 1.0, 5.0),
    Parameter("kg1", 650.0, "V^EX/A", "plate law: i_p = 2 E1^EX / KG1 atan(v_pk/KVB)", 1e-3, 1e9),
    Parameter("kg2", 4200.0, "V^1.5/A", "screen law: i_s = (v_gk + v_sk/MU)^1.5 / KG2", 1e-3, 1e12),
    Parameter("kp", 60.0, "", "bend near cut-off", 1e-3, 1e6),
    Parameter("kvb", 24.0, "V", "knee of the plate characteristic", 1e-6, 1e6),
    Parameter("vct", 0.0, "V", "contact potential added to v_gk", -10.0, 10.0),
    Parameter("rgi", 1000.0, "ohm", "grid resistance in the grid's current law; 0: no grid current", 0.0),
) + GRID[1:] + (
    Parameter("ccg", 0.0, "F", "capacitance from grid to cathode", 0.0, 1e-3),
    Parameter("cgp", 0.0, "F", "capacitance from grid to plate", 0.0, 1e-3),
    Parameter("ccp", 0.0, "F", "capacitance from plate to cathode", 0.0, 1e-3),
)


def place(device: Device, values: dict[str, float], instance: dict[str, float], celsius: float) -> Placement:
    """Koren's pentode; the grid junction is kept at 27 C, where the sets were fitted."""
    v, m = values, instance["m"]
    plate, screen, grid, cathode = device.nodes[:4]
    gk, sk, pk = (grid, cathode), (screen, cathode), (plate, cathode)
    constants = PentodeConstants(v["mu"], v["ex"], 2.0 * m / v["kg1"], m / v["kg2"], v["kp"], v["kvb"], v["vct"], *grid_constants(v, m))
    plates = Limit(2, 0.0, PLATE_STEP)
    return Placement((Placed(device.name, PENTODE, constants, (gk, sk, pk), (pk, sk, gk), (), (Limit(2, 0.0, GRID_STEP), plates, plates)),),
                     capacitors(device, values, m, {"ccg": gk, "cgp": (grid, plate), "ccp": pk}))


PENTODES = Family(("pentode",), ("plate", "screen", "grid", "cathode", "heater1?", "heater2?"), PARAMETERS, TUBE_INSTANCE, place)
