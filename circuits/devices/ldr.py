"""Photoresistors and vactrols: a resistance that follows an LED's current by a power law, at once or with attack and decay.

Pins: two of the resistor, two of the LED. Light is counted in LED amperes, on a scale of 1 V = `REFERENCE` at an inner node; the resistor's conductance is
1/RDARK + (light/REFERENCE)^GAMMA / RREF, limited by RMIN in series. With ATTACK and DECAY the light follows
the LED's current with the one time constant when it rises and the other when it falls, blended over a tenth of the reference.

References
----------
Parker, D'Angelo: A digital model of the Buchla lowpass-gate, DAFx-13, Maynooth 2013 (resistance against current, two time constants);
PerkinElmer Optoelectronics: Photoconductive cells and analog optoisolators, 2001.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from circuits.devices.junction import critical_voltage, junction_current, saturation_factor, thermal_voltage
from circuits.devices.law import Family, Law, Limit, Parameter, Placed, Placement
from circuits.elements import Capacitor, Device, Resistor
from circuits.kernels.jit import kernel

REFERENCE = 1e-3   # A: at this LED current the resistor has RREF
MEMORY = 1e-6      # F: the capacitor that holds the light
BLEND = 0.1        # of the reference: over which attack passes into decay
DARK = 1e-6        # of the reference: below this light the power law goes on as its tangent, so that its slope stays finite


class LdrConstants(NamedTuple):
    """LED junction, conductances of the cell, its exponent, least resistance, and 1/attack, 1/decay times the memory (S)."""

    saturation: float
    scale: float
    dark: float
    bright: float
    gamma: float
    least: float
    attack: float
    decay: float


@kernel(bare=True)
def cell(light, v_r, p):
    """Current of the cell and its slopes by light (1 = reference) and voltage."""
    if light > DARK:
        b = light**p.gamma
        db = p.gamma * b / light
    else:
        d = DARK**p.gamma
        # below, an exponential that keeps value and slope and stays positive
        b = d * math.exp(max(p.gamma * (light - DARK) / DARK, -100.0))
        db = p.gamma * b / DARK if p.gamma * (light - DARK) / DARK > -100.0 else 0.0
    g = p.dark + p.bright * b
    s = 1.0 + g * p.least
    return v_r * g / s, v_r * p.bright * db / (s * s), g / s


@kernel(bare=True)
def ldr(v_d, v_r, p):
    """(i_d, i_r, then their slopes by v_d and v_r): the cell follows the LED at once."""
    i_d, g_d = junction_current(v_d, p.saturation, p.scale)
    i_r, by_light, g_r = cell(i_d / REFERENCE, v_r, p)
    return i_d, i_r, g_d, 0.0, by_light * g_d / REFERENCE, g_r


@kernel(bare=True)
def ldr_slow(v_d, v_r, v_l, p):
    """(i_d, i_r, i_l, then their slopes by v_d, v_r and v_l): v_l is the light, i_l what its memory gives away."""
    i_d, g_d = junction_current(v_d, p.saturation, p.scale)
    i_r, by_light, g_r = cell(v_l, v_r, p)
    x = i_d / REFERENCE - v_l
    t = math.tanh(x / BLEND)
    rate = 0.5 * (p.attack + p.decay) + 0.5 * (p.attack - p.decay) * t
    by_x = -rate - x * 0.5 * (p.attack - p.decay) * (1.0 - t * t) / BLEND
    return i_d, i_r, -rate * x, g_d, 0.0, 0.0, 0.0, g_r, by_light, by_x * g_d / REFERENCE, 0.0, -by_x


LDR = Law("ldr", 17, ("v_d", "v_r"), ("i_d", "i_r"), (), LdrConstants, ldr)
LDR_SLOW = Law("ldr_slow", 18, ("v_d", "v_r", "v_l"), ("i_d", "i_r", "i_l"), (), LdrConstants, ldr_slow)

PARAMETERS = (
    Parameter("rref", 1000.0, "ohm", "resistance at 1 mA of LED current", 1e-3, 1e12),
    Parameter("gamma", 0.9, "", "exponent of the conductance against the current", 0.05, 5.0),
    Parameter("rdark", 1e7, "ohm", "resistance in the dark", 1.0, 1e15),
    Parameter("rmin", 40.0, "ohm", "least resistance", 0.0, 1e9),
    Parameter("attack", 0.0, "s", "time constant of rising light; 0 (with DECAY 0): at once", 0.0, 100.0),
    Parameter("decay", 0.0, "s", "time constant of falling light", 0.0, 100.0),
    Parameter("is", 93.2e-12, "A", "saturation current of the LED", 1e-40, 1.0),
    Parameter("n", 3.73, "", "emission coefficient of the LED", 0.05, 100.0),
    Parameter("rs", 0.042, "ohm", "series resistance of the LED", 0.0),
    Parameter("eg", 1.9, "eV", "activation energy of the LED", 0.0, 10.0),
    Parameter("tnom", 27.0, "C", "temperature of the parameters", -200.0, 400.0),
)
INSTANCE = (
    Parameter("temp", math.nan, "C", "temperature of this part; default: the circuit's", -200.0, 400.0),
    Parameter("dtemp", 0.0, "K", "added to the circuit's temperature", -200.0, 400.0),
)


def place(device: Device, values: dict[str, float], instance: dict[str, float], celsius: float) -> Placement:
    """LED and cell; with attack or decay also the memory of the light at an inner node."""
    v, name = values, device.name
    first, second, anode, cathode = device.nodes
    elements = []
    if v["rs"] > 0.0:
        elements.append(Resistor(f"{name}#rs", (anode, f"{name}#a"), v["rs"], device.place))
        anode = f"{name}#a"
    saturation = v["is"] * math.exp(saturation_factor(celsius, v["tnom"], v["eg"], 3.0) / v["n"])
    scale = v["n"] * thermal_voltage(celsius)
    attack, decay = (v["attack"] or v["decay"]), (v["decay"] or v["attack"])
    slow = attack > 0.0
    p = LdrConstants(saturation, scale, 1.0 / v["rdark"], 1.0 / v["rref"], v["gamma"], v["rmin"], MEMORY / attack if slow else 0.0,
                     MEMORY / decay if slow else 0.0)
    led, across = (anode, cathode), (first, second)
    limit = Limit(1, scale, critical_voltage(scale, saturation))
    if not slow:
        return Placement((Placed(name, LDR, p, (led, across), (led, across), (), (limit, Limit())),), tuple(elements))
    light = (f"{name}#l", "0")
    elements.append(Capacitor(f"{name}#c", light, MEMORY, place=device.place))
    return Placement((Placed(name, LDR_SLOW, p, (led, across, light), (led, across, light), (), (limit, Limit(), Limit())),), tuple(elements))


LDRS = Family(("ldr",), ("r1", "r2", "anode", "cathode"), PARAMETERS, INSTANCE, place)
