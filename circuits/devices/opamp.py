"""Operational amplifiers: the ideal one (a nullor), and one with gain-bandwidth, slew rate, rails, input and output resistance.

The real one is a differential stage of limited current into one pole. An inner node `#p` holds the output voltage before the output
resistance; at it meet the stage's current I tanh(g v_d / I), the pole's capacitor and resistor, and a clamp that keeps it between the rails less their
headroom. g = 2 pi GBW C, I = SR C, R = AOL / g, with C = 30 pF as in the first integrated ones. Input v_d = in+ - in-, v_h and v_l: the inner
node against the positive and the negative rail (V); i_p out of the inner node (A).

References
----------
Solomon: The monolithic op amp: a tutorial study, IEEE JSSC 9(6), 1974 (gain-bandwidth, slew rate and the tanh of the input pair).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from circuits.devices.law import Family, Law, Limit, Parameter, Placed, Placement
from circuits.devices.triode import softplus
from circuits.elements import Capacitor, Device, Nullor, Resistor, VoltageControlledVoltage
from circuits.errors import CircuitError
from circuits.kernels.jit import kernel

COMPENSATION = 30e-12  # F
KNEE = 0.02            # V: over which the clamp at a rail sets in
HOLD = 0.1             # V: how far the full current of the stage can push beyond the rail's limit


class OpampConstants(NamedTuple):
    """g (S), the stage's limit current (A), how far below/above the rails the clamp begins (V), and the clamp's conductance (S)."""

    transconductance: float
    current: float
    headroom_high: float
    headroom_low: float
    clamp: float


@kernel(bare=True)
def opamp(v_d, v_h, v_l, p):
    """(i_p, di_p/dv_d, di_p/dv_h, di_p/dv_l)."""
    t = math.tanh(p.transconductance * v_d / p.current)
    high, d_high = softplus((v_h + p.headroom_high) / KNEE)
    low, d_low = softplus((p.headroom_low - v_l) / KNEE)
    return (p.clamp * KNEE * (high - low) - p.current * t, -p.transconductance * (1.0 - t * t), p.clamp * d_high, p.clamp * d_low)


OPAMP = Law("opamp", 15, ("v_d", "v_h", "v_l"), ("i_p",), (), OpampConstants, opamp)

PARAMETERS = (
    Parameter("gbw", 3e6, "Hz", "gain-bandwidth product", 1.0, 1e12),
    Parameter("slew", 1e6, "V/s", "slew rate", 1.0, 1e12),
    Parameter("aol", 2e5, "", "open-loop gain at DC", 1.0, 1e12),
    Parameter("rin", 1e12, "ohm", "differential input resistance", 1.0),
    Parameter("rout", 75.0, "ohm", "output resistance", 0.0),
    Parameter("head", 1.5, "V", "how far below the positive rail the output stops", 0.0, 100.0),
    Parameter("foot", 1.5, "V", "how far above the negative rail the output stops", 0.0, 100.0),
    Parameter("vcc", 15.0, "V", "positive rail, for three-pin symbols", -1e4, 1e4),
    Parameter("vee", -15.0, "V", "negative rail, for three-pin symbols", -1e4, 1e4),
    Parameter("vos", 0.0, "V", "input offset voltage", -1.0, 1.0),
)
PINS = ("in+", "in-", "v+?", "v-?", "out")  # three nodes: in+, in-, out
INSTANCE = (Parameter("m", 1.0, "", "number in parallel", 1.0, 1.0),)


def _pins(device: Device) -> tuple[str, str, str | None, str | None, str]:
    if len(device.nodes) == 4:
        raise CircuitError(f"{device.name} has 4 nodes, an op-amp has 3 or 5", mend="Pins in order: in+, in-, out; or in+, in-, v+, v-, out.",
                           place=device.place, element=device.name)
    if len(device.nodes) == 3:
        plus, minus, out = device.nodes
        return plus, minus, None, None, out
    return device.nodes


def place(device: Device, values: dict[str, float], instance: dict[str, float], celsius: float) -> Placement:
    """The stage, its pole and clamp, a follower and the output resistance. The rails carry no current: it comes from ground."""
    v, name = values, device.name
    plus, minus, high, low, out = _pins(device)
    g, current = 2.0 * math.pi * v["gbw"] * COMPENSATION, v["slew"] * COMPENSATION
    inner, free = f"{name}#p", f"{name}#o"
    # without rail pins the rails are constants against ground: they go into the headroom
    head = v["head"] if high is not None else v["head"] - v["vcc"]
    foot = v["foot"] if low is not None else v["foot"] + v["vee"]
    constants = OpampConstants(g, current, head, foot, current / HOLD)
    limits = (Limit(2, 0.0, max(0.1, current / g)), Limit(2, 0.0, 5.0), Limit(2, 0.0, 5.0))
    law = Placed(name, OPAMP, constants, ((plus, minus), (inner, high or "0"), (inner, low or "0")), ((inner, "0"),), (), limits)
    elements = [Capacitor(f"{name}#cp", (inner, "0"), COMPENSATION, place=device.place),
                Resistor(f"{name}#rp", (inner, "0"), v["aol"] / g, device.place),
                Resistor(f"{name}#rin", (plus, minus), v["rin"], device.place),
                VoltageControlledVoltage(f"{name}#e", (free if v["rout"] > 0.0 else out, "0", inner, "0"), 1.0, device.place)]
    if v["rout"] > 0.0:
        elements.append(Resistor(f"{name}#rout", (free, out), v["rout"], device.place))
    return Placement((law,), tuple(elements))


def place_ideal(device: Device, values: dict[str, float], instance: dict[str, float], celsius: float) -> Placement:
    """A nullor; supply pins are not connected to anything."""
    plus, minus, _, _, out = _pins(device)
    return Placement((), (Nullor(f"{device.name}#n", (plus, minus, out, "0"), device.place),))


OPAMPS = Family(("opamp",), PINS, PARAMETERS, INSTANCE, place)
IDEAL_OPAMPS = Family(("opamp_ideal",), PINS, (), (), place_ideal)
