"""Voltage-controlled switches whose conductance moves smoothly, on a logarithmic scale, between off and on.

Inputs v_c (control) and v_s (across the switch), V; i_s through it (A). Between VT - VH and VT + VH ln g follows the cubic
3/2 u - 1/2 u^3, u = (v_c - VT)/VH, so that value and slope have no step (LTspice's form for negative VH). A switch without hysteresis
gets a half-width of `LEAST_WIDTH`. Memory (true hysteresis) is left out: in its band the switch is half open, whichever way it came.

References
----------
LTspice help, "S. Voltage Controlled Switch"; ngspice manual, section 3.3.15.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from circuits.devices.law import Family, Law, Limit, Parameter, Placed, Placement
from circuits.elements import Device
from circuits.kernels.jit import kernel

LEAST_WIDTH = 0.01  # V


class SwitchConstants(NamedTuple):
    """Threshold and half-width of the band (V), middle of ln g and its half-span (signed: negative if the switch opens upwards)."""

    threshold: float
    width: float
    middle: float
    span: float


@kernel(bare=True)
def switch(v_c, v_s, p):
    """(i_s, di_s/dv_c, di_s/dv_s)."""
    u = (v_c - p.threshold) / p.width
    if u >= 1.0:
        g, d = math.exp(p.middle + p.span), 0.0
    elif u <= -1.0:
        g, d = math.exp(p.middle - p.span), 0.0
    else:
        g = math.exp(p.middle + p.span * u * (1.5 - 0.5 * u * u))
        d = g * p.span * 1.5 * (1.0 - u * u) / p.width
    return g * v_s, d * v_s, g


SWITCH = Law("switch", 16, ("v_c", "v_s"), ("i_s",), (), SwitchConstants, switch)

_RESISTANCES = (
    Parameter("ron", 1.0, "ohm", "resistance when closed", 1e-12, 1e30),
    Parameter("roff", 1e12, "ohm", "resistance when open", 1e-12, 1e30),
)
PARAMETERS = _RESISTANCES + (
    Parameter("vt", 0.0, "V", "threshold of the control voltage"),
    Parameter("vh", 0.0, "V", "half-width of the transition (its sign does not matter)"),
)
CURRENT_PARAMETERS = _RESISTANCES + (
    Parameter("it", 0.0, "A", "threshold of the control current"),
    Parameter("ih", 0.0, "A", "half-width of the transition"),
)
PSPICE_PARAMETERS = _RESISTANCES[:1] + (Parameter("roff", 1e6, "ohm", "resistance when open", 1e-12, 1e30),) + (
    Parameter("von", 1.0, "V", "control voltage of the closed switch"),
    Parameter("voff", 0.0, "V", "control voltage of the open switch"),
)


def _placed(device: Device, threshold: float, width: float, ron: float, roff: float) -> Placement:
    plus, minus, control_plus, control_minus = device.nodes
    constants = SwitchConstants(threshold, width, -0.5 * math.log(ron * roff), 0.5 * math.log(roff / ron))
    control, across = (control_plus, control_minus), (plus, minus)
    return Placement((Placed(device.name, SWITCH, constants, (control, across), (across,), (), (Limit(2, 0.0, max(width, 0.5)), Limit())),))


def place(device: Device, values: dict[str, float], instance: dict[str, float], celsius: float) -> Placement:
    """S of SPICE: VT and VH."""
    return _placed(device, values["vt"], max(abs(values["vh"]), LEAST_WIDTH), values["ron"], values["roff"])


def place_current(device: Device, values: dict[str, float], instance: dict[str, float], celsius: float) -> Placement:
    """W of SPICE: the reader turns the sensed current into the control voltage with 1 ohm (an H element), so that amperes read as volts."""
    return _placed(device, values["it"], max(abs(values["ih"]), 1e-3 * LEAST_WIDTH), values["ron"], values["roff"])


def place_pspice(device: Device, values: dict[str, float], instance: dict[str, float], celsius: float) -> Placement:
    """VSWITCH of PSPICE: VON and VOFF are the two ends of the transition."""
    on, off = values["von"], values["voff"]
    ron, roff = (values["ron"], values["roff"]) if on >= off else (values["roff"], values["ron"])
    return _placed(device, 0.5 * (on + off), max(0.5 * abs(on - off), LEAST_WIDTH), ron, roff)


PINS = ("plus", "minus", "control+", "control-")
INSTANCE = (Parameter("m", 1.0, "", "number in parallel", 1.0, 1.0),)
SWITCHES = Family(("sw",), PINS, PARAMETERS, INSTANCE, place)
CURRENT_SWITCHES = Family(("csw",), PINS, CURRENT_PARAMETERS, INSTANCE, place_current)
PSPICE_SWITCHES = Family(("vswitch",), PINS, PSPICE_PARAMETERS, INSTANCE, place_pspice)
