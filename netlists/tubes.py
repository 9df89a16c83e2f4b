"""Koren's and Dempwolf's tubes written out as formulas, resistors and diodes, for simulators that have no tubes of their own.

The equations are those of `circuits.devices.triode` and `circuits.devices.pentode`, as text-book SPICE subcircuits have them: the
grid's junction stands behind its resistor, at 27 C whatever the room's temperature.

References
----------
Koren: Improved vacuum tube models for SPICE simulations, Glass Audio 8(5), 1996, equations (4) to (8).
Dempwolf, Zoelzer: A physically-motivated triode model for circuit simulations, DAFx-11, Paris 2011, equations (5), (8) and (9).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Callable

from circuits.circuit import Card, Element
from circuits.devices.families import ALIASES, family_of
from circuits.elements import BehaviouralCurrent, Capacitor, Device, Resistor
from circuits.expressions import Call, Expression, Number, Voltage, as_expression, transform
from netlists.blocks import BLOCKS

SOFT_KNEE = 50.0  # above it ln(1 + exp(x)) is x to all digits


def _f(operation: str, *arguments) -> Expression:
    return Call(operation, tuple(as_expression(argument) for argument in arguments))


def _softplus(x: Expression) -> Expression:
    """ln(1 + exp(x)) without overflow."""
    return _f("add", _f("ln", _f("add", 1.0, _f("exp", _f("min", x, SOFT_KNEE)))), _f("max", _f("sub", x, SOFT_KNEE), 0.0))


def triode(device: Device, v: dict, m) -> list[Element]:
    """Koren (4) and (5), with the plate current 0 for a negative plate."""
    plate, grid, cathode = device.nodes[:3]
    v_pk, v_gk = Voltage(plate, cathode), _f("add", Voltage(grid, cathode), v["vct"])
    inner = _f("add", _f("div", 1.0, v["mu"]), _f("div", v_gk, _f("sqrt", _f("add", v["kvb"], _f("mul", v_pk, v_pk)))))
    e1 = _f("mul", _f("div", _f("uramp", v_pk), v["kp"]), _softplus(_f("mul", v["kp"], inner)))
    current = _f("mul", _f("div", _f("mul", 2.0, m), v["kg1"]), _f("pwr", e1, v["ex"]))
    return [BehaviouralCurrent(f"{device.name}.plate", (plate, cathode), current, device.place), *_grid(device, v, m, grid, cathode)]


def triode_dempwolf(device: Device, v: dict, m) -> list[Element]:
    """Dempwolf and Zoelzer (5) and (8): the plate takes the cathode's current less the grid's."""
    plate, grid, cathode = device.nodes[:3]
    v_pk, v_gk = Voltage(plate, cathode), Voltage(grid, cathode)
    of_cathode = _f("mul", v["g"], _f("pwr", _f("div", _softplus(_f("mul", v["c"], _f("add", _f("div", v_pk, v["mu"]), v_gk))), v["c"]), v["gamma"]))
    of_grid = _f("add", _f("mul", v["gg"], _f("pwr", _f("div", _softplus(_f("mul", v["cg"], v_gk)), v["cg"]), v["xi"])), v["ig0"])
    return [BehaviouralCurrent(f"{device.name}.plate", (plate, cathode), _f("mul", m, _f("sub", of_cathode, of_grid)), device.place),
            BehaviouralCurrent(f"{device.name}.grid", (grid, cathode), _f("mul", m, of_grid), device.place)]


def pentode(device: Device, v: dict, m) -> list[Element]:
    """Koren (6) to (8), for screens above 1 V."""
    plate, screen, grid, cathode = device.nodes[:4]
    v_pk, v_sk, v_gk = Voltage(plate, cathode), Voltage(screen, cathode), _f("add", Voltage(grid, cathode), v["vct"])
    lifted = _f("max", v_sk, 1e-3)
    e1 = _f("mul", _f("div", lifted, v["kp"]), _softplus(_f("mul", v["kp"], _f("add", _f("div", 1.0, v["mu"]), _f("div", v_gk, lifted)))))
    current = _f("mul", _f("mul", _f("div", _f("mul", 2.0, m), v["kg1"]), _f("pwr", e1, v["ex"])), _f("atan", _f("div", v_pk, v["kvb"])))
    of_screen = _f("mul", _f("div", m, v["kg2"]), _f("pwr", _f("uramp", _f("add", v_gk, _f("div", v_sk, v["mu"]))), 1.5))
    of_screen = _f("if", _f("gt", v_sk, 0.0), of_screen, 0.0)
    return [BehaviouralCurrent(f"{device.name}.plate", (plate, cathode), current, device.place),
            BehaviouralCurrent(f"{device.name}.screen", (screen, cathode), of_screen, device.place), *_grid(device, v, m, grid, cathode)]


def _grid(device: Device, v: dict, m, grid: str, cathode: str) -> list[Element]:
    """A resistor and a junction from grid to cathode."""
    if v["rgi"] == 0.0:
        return []
    inner = f"{device.name}.gi"
    card = Card(f"{device.name}.grid", "d", {"is": v["gis"], "n": v["gn"]})
    return [Resistor(f"{device.name}.rgi", (grid, inner), _f("div", v["rgi"], m), device.place),
            Device(f"{device.name}.dgi", (inner, cathode), card, {"area": m, "temp": 27.0}, device.place)]


_WRITTEN: dict[str, Callable] = {"triode": triode, "triode_dz": triode_dempwolf, "pentode": pentode}


def written_out(device: Device) -> list[Element] | None:
    """The elements that make up a tube, an op-amp or a rectifier, named ``<device>.<part>``; None for a part that SPICE has.

    Raises
    ------
    CircuitError
        If the part has a wrong number of pins.
    """
    block = BLOCKS.get(device.card.kind)
    if block is not None:
        declared = family_of(device).parameters
        other = ALIASES.get(device.card.kind, {})
        given = {other.get(name) or name: value for name, value in device.card.values.items()}
        numbers = {parameter.name: float(given.get(parameter.name, parameter.default)) for parameter in declared}
        return [_settled(element) for element in block(device, numbers | {"m": float(device.values.get("m", 1.0))})]
    kind = _WRITTEN.get(device.card.kind)
    if kind is None:
        return None
    family = family_of(device)
    values = {parameter.name: device.card.values.get(parameter.name, parameter.default) for parameter in family.parameters}
    pins = dict(zip((name.rstrip("?") for name in family.pins), device.nodes))
    m = device.values.get("m", 1.0)
    made = kind(device, values, m)
    plate, grid, cathode = pins["plate"], pins["grid"], pins["cathode"]
    for name, nodes in (("ccg", (grid, cathode)), ("cgp", (grid, plate)), ("ccp", (plate, cathode))):
        if values[name] != 0.0:
            made.append(Capacitor(f"{device.name}.{name}", nodes, _f("mul", values[name], m), place=device.place))
    return [_settled(element) for element in made]


def _settled(element: Element) -> Element:
    """Values that are plain numbers after all."""
    if isinstance(element, BehaviouralCurrent):
        return replace(element, expression=transform(element.expression, lambda part: None))
    if isinstance(element, (Resistor, Capacitor)):
        value = transform(element.value, lambda part: None)
        return replace(element, value=value.value if isinstance(value, Number) else value)
    return element
