"""Op-amps and tube rectifiers written out as sources, resistors and capacitors, for simulators that have none of their own.

The equations are those of `circuits.devices.opamp` and `circuits.devices.rectifier`.
"""

from __future__ import annotations

import math

from circuits.circuit import GROUND, Element
from circuits.devices.opamp import COMPENSATION, HOLD, KNEE
from circuits.elements import BehaviouralCurrent, Capacitor, Device, Nullor, Resistor, VoltageControlledVoltage
from circuits.errors import CircuitError
from circuits.expressions import Call, Expression, Number, Voltage, as_expression

SOFT_KNEE = 50.0  # above it ln(1 + exp(x)) is x to all digits


def _f(operation: str, *arguments) -> Expression:
    return Call(operation, tuple(as_expression(argument) for argument in arguments))


def _softplus(x: Expression) -> Expression:
    return _f("add", _f("ln", _f("add", 1.0, _f("exp", _f("min", x, SOFT_KNEE)))), _f("max", _f("sub", x, SOFT_KNEE), 0.0))


def _across(plus: str, minus: str) -> Expression:
    return Number(0.0) if plus == minus else (_f("neg", Voltage(minus)) if plus == GROUND else Voltage(plus, minus))


def opamp(device: Device, v: dict[str, float]) -> list[Element]:
    """A stage of limited current into one pole between the rails, a follower, and the output resistance."""
    name = device.name
    plus, minus, *rails, out = device.nodes
    if len(rails) == 1:
        raise CircuitError(f"{device.name} has 4 nodes, an op-amp has 3 or 5", place=device.place, element=device.name)
    high, low = rails or (GROUND, GROUND)
    head, foot = (v["head"], v["foot"]) if rails else (v["head"] - v["vcc"], v["foot"] + v["vee"])
    g, limit = 2.0 * math.pi * v["gbw"] * COMPENSATION, v["slew"] * COMPENSATION
    inner, free = f"{name}.p", f"{name}.o"
    clamp = _f("mul", limit / HOLD * KNEE, _f("sub", _softplus(_f("div", _f("add", _across(inner, high), head), KNEE)),
                                              _softplus(_f("div", _f("sub", foot, _across(inner, low)), KNEE))))
    stage = _f("mul", limit, _f("tanh", _f("div", _f("mul", g, _f("add", _across(plus, minus), v["vos"])), limit)))
    made: list[Element] = [
        BehaviouralCurrent(f"{name}.stage", (inner, GROUND), _f("sub", clamp, stage), device.place), Capacitor(f"{name}.cp", (inner, GROUND), COMPENSATION, place=device.place),
        Resistor(f"{name}.rp", (inner, GROUND), v["aol"] / g, device.place), Resistor(f"{name}.rin", (plus, minus), v["rin"], device.place),
        VoltageControlledVoltage(f"{name}.e", (free if v["rout"] > 0.0 else out, GROUND, inner, GROUND), 1.0, device.place)]
    if v["rout"] > 0.0:
        made.append(Resistor(f"{name}.rout", (free, out), v["rout"], device.place))
    return made


def opamp_ideal(device: Device, v: dict[str, float]) -> list[Element]:
    """A nullor."""
    plus, minus, *_, out = device.nodes
    return [Nullor(f"{device.name}.n", (plus, minus, out, GROUND), device.place)]


def rectifier(device: Device, v: dict[str, float]) -> list[Element]:
    """Child's law for each plate."""
    cathode = device.nodes[-1]
    return [BehaviouralCurrent(f"{device.name}.{k}", (plate, cathode), _f("mul", v["k"] * v.get("m", 1.0), _f("pow", _f("uramp", _across(plate, cathode)), 1.5)), device.place)
            for k, plate in enumerate(device.nodes[:-1])]


BLOCKS = {"opamp": opamp, "opamp_ideal": opamp_ideal, "rectifier": rectifier}
