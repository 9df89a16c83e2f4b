"""Voltage-controlled switches whose conductance moves smoothly, on a logarithmic scale, between off and on; with memory if they have hysteresis.

Inputs v_c (control) and v_s (across the switch), V; i_s through it (A). For a negative VH, between VT - |VH| and VT + |VH|, ln g follows the cubic
3/2 u - 1/2 u^3, u = (v_c - VT)/VH, so that value and slope have no step (LTspice's form). A switch with VH = 0 gets a half-width of `LEAST_WIDTH`.

A positive VH is hysteresis: the switch closes above VT + VH and opens below VT - VH. Its memory is the voltage m, 0 to 1, of an inner node `#m`
that runs within `MEMORY` seconds to 1 above the one threshold and to 0 below the other, and stays where it is between them; ln g follows the
cubic of 2 m - 1. The rate is linear in m, so that every sample has one solution. At rest between the thresholds the switch is open.

References
----------
LTspice help, "S. Voltage Controlled Switch"; ngspice manual, section 3.3.15.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from circuits.devices.law import Family, Law, Limit, Parameter, Placed, Placement
from circuits.elements import BehaviouralCurrent, Capacitor, Device, Resistor
from circuits.expressions import Call, Expression, Voltage, as_expression
from circuits.kernels.jit import kernel

LEAST_WIDTH = 0.01  # V
MEMORY = 1e-5       # s in which a switch with hysteresis makes up its mind: half a sample at 48 kHz, so that the trapezoidal rule does not ring
HOLD = 1e-6         # F, of the capacitor that holds its state
LEAK = 1e15         # ohms beside it, so that it has a rest
SHARP = 100.0        # half the hysteresis over the width of a threshold: in the middle nothing moves the state for ages


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
    Parameter("vh", 0.0, "V", "hysteresis: closed above VT + VH, open below VT - VH; negative: half-width of a smooth transition"),
)
CURRENT_PARAMETERS = _RESISTANCES + (
    Parameter("it", 0.0, "A", "threshold of the control current"),
    Parameter("ih", 0.0, "A", "hysteresis; negative: half-width of a smooth transition"),
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


def _f(operation: str, *arguments) -> Expression:
    return Call(operation, tuple(as_expression(argument) for argument in arguments))


def _remembering(device: Device, threshold: float, hysteresis: float, width: float, ron: float, roff: float) -> Placement:
    """A switch with two states between its thresholds."""
    plus, minus, control_plus, control_minus = device.nodes
    name, node = device.name, f"{device.name}#m"
    m = Voltage(node)
    side = _f("sub", _f("mul", 2.0, m), 1.0)
    v, edge = _across(control_plus, control_minus), min(width, hysteresis / SHARP)
    close, release = _past(_f("sub", v, threshold + hysteresis), edge), _past(_f("sub", threshold - hysteresis, v), edge)
    rate = _f("sub", _f("mul", close, _f("sub", 1.0, m)), _f("mul", release, m))
    within = _f("limit", side, -1.0, 1.0)
    shape = _f("sub", _f("mul", 1.5, within), _f("mul", 0.5, _f("mul", within, _f("mul", within, within))))
    conductance = _f("exp", _f("add", -0.5 * math.log(ron * roff), _f("mul", 0.5 * math.log(roff / ron), shape)))
    return Placement((), (BehaviouralCurrent(f"{name}#s", (plus, minus), _f("mul", conductance, _across(plus, minus)), device.place),
                          BehaviouralCurrent(f"{name}#b", ("0", node), _f("mul", HOLD / MEMORY, rate), device.place),
                          Capacitor(f"{name}#c", (node, "0"), HOLD, place=device.place), Resistor(f"{name}#r", (node, "0"), LEAK, device.place)))


def _past(v: Expression, width: float) -> Expression:
    """0 below 0 V, 1 above."""
    return _f("mul", 0.5, _f("add", 1.0, _f("tanh", _f("div", v, width))))


def _across(plus: str, minus: str) -> Expression:
    return as_expression(0.0) if plus == minus else _f("neg", Voltage(minus)) if plus == "0" else Voltage(plus, minus)


def place(device: Device, values: dict[str, float], instance: dict[str, float], celsius: float) -> Placement:
    """S of SPICE: VT and VH."""
    if values["vh"] > 0.0:
        return _remembering(device, values["vt"], values["vh"], LEAST_WIDTH, values["ron"], values["roff"])
    return _placed(device, values["vt"], max(abs(values["vh"]), LEAST_WIDTH), values["ron"], values["roff"])


def place_current(device: Device, values: dict[str, float], instance: dict[str, float], celsius: float) -> Placement:
    """W of SPICE: the reader turns the sensed current into the control voltage with 1 ohm (an H element), so that amperes read as volts."""
    if values["ih"] > 0.0:
        return _remembering(device, values["it"], values["ih"], 1e-3 * LEAST_WIDTH, values["ron"], values["roff"])
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
