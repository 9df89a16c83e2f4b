"""LiveSPICE's components as elements: its own laws of tubes, sweeps of potentiometers, switches, transformers and op-amps.

Prefixes are those of the SI: M is mega. Each potentiometer and switch, or each group of them, is a control.

References
----------
LiveSPICE, the equations of its components (grid current with a parabolic knee, pentode plate and screen, sweeps).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from circuits.circuit import Card, Element
from circuits.elements import (BehaviouralCurrent, BehaviouralVoltage, Capacitor, CurrentSource, Device, IdealTransformer, Inductor, Nullor,
                               Resistor, VoltageControlledVoltage, VoltageSource)
from circuits.errors import NetlistError, Place
from circuits.expressions import Call, Expression, Name, Number, Time, Voltage, as_expression
from netlists.deck import Deck
from netlists.declarations import Wishes
from netlists.expand import Scope
from netlists.expression import parse
from netlists.lexer import Line, Span
from netlists.nets import Point

OPEN, CLOSED = 1e12, 1e-2  # ohms of a switch: 10 milliohms are a good contact, and their ratio leaves digits for what hangs on open ones
_QUANTITY = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?∞)\s*([TGMkKmuµμnpf]|)\s*([\u03a9\u2126]|Ohm|ohm|F|H|V|A|Hz|)\s*$")
_PREFIX = {"": 1.0, "T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3, "K": 1e3, "m": 1e-3, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "n": 1e-9, "p": 1e-12, "f": 1e-15}
THROWS = {"SPDT": 2, "SP3T": 3, "SP4T": 4, "SP5T": 5}


@dataclass
class Component:
    """A component of the drawing, its attributes as text, and the nodes of its terminals."""

    kind: str
    attributes: dict[str, str]
    position: Point
    rotation: int
    flip: bool
    line: int
    nodes: dict[str, str] = field(default_factory=dict)
    inner: list["Component"] = field(default_factory=list)  # of a Circuit, whose terminals then name its own nodes


def clean(name: str) -> str:
    """A name that SPICE can write."""
    return re.sub(r"[^a-z0-9_+-]", "_", name.strip().lower())


def _f(operation: str, *arguments) -> Expression:
    return Call(operation, tuple(as_expression(argument) for argument in arguments))


def _softplus(x: Expression) -> Expression:
    return _f("if", _f("gt", x, 50.0), x, _f("ln", _f("add", 1.0, _f("exp", _f("min", x, 50.0)))))


class Maker:
    """Puts the elements, parameters and controls of a drawing into a deck."""

    def __init__(self, path: str, deck: Deck, top: Scope, wishes: Wishes, components: list[Component]):
        self.path, self.deck, self.top, self.wishes, self.components = path, deck, top, wishes, components
        self.taken: set[str] = set()
        self.one = components[0]
        self.name = ""
        self.crowd: dict[str, int] = {}  # terminals at each node
        self.defined = {one.attributes.get("Name", "").lower(): Voltage(one.nodes["Anode"], one.nodes["Cathode"]) for one in components if one.kind == "VoltageDefinition"}
        for one in components:
            for node in one.nodes.values():
                self.crowd[node] = self.crowd.get(node, 0) + 1

    def place(self) -> Place:
        return Place(self.path, self.one.line)

    def make(self) -> None:
        """Every component in its turn."""
        for one in self.components:
            self.one = one
            maker = getattr(self, "_" + one.kind.replace("Components.", "tube_").lower(), None)
            if one.kind in ("Ground", "NamedWire", "Label", "Port", "VoltageDefinition"):
                continue
            if maker is None:
                self.deck.notes.lose(f"the component {one.kind} of LiveSPICE is not known and left out; what it connects is cut", self.place())
                continue
            self.name = self.unique(clean(one.attributes.get("Name", "")) or one.kind.lower())
            maker(one.nodes, one.attributes)

    def unique(self, name: str) -> str:
        made, count = name, 1
        while made in self.taken:
            count += 1
            made = f"{name}_{count}"
        self.taken.add(made)
        return made

    def add(self, element: Element) -> None:
        self.deck.auxiliaries.append(element)

    def quantity(self, key: str, default: str) -> float:
        text = self.one.attributes.get(key, default)
        match = _QUANTITY.match(text)
        if match is None:
            raise NetlistError(f"{self.name}: {key} = {text!r} is no quantity", place=self.place(), element=self.name)
        return float(match[1].replace("∞", "inf")) * _PREFIX[match[2]]

    def source(self, key: str, default: str) -> Expression | float:
        """A voltage or current: a number, or a formula of the time t."""
        text = self.one.attributes.get(key, default)
        if _QUANTITY.match(text):
            return self.quantity(key, default)
        body = re.sub(r"\s*[VA]\s*$", "", text).replace("[", "(").replace("]", ")").lower()
        line = Line(body, self.path, (0,), ((self.one.line, 1),))
        found = parse(Span(line, 0, len(body)), _Times(self.top, self.defined))
        return found.value if isinstance(found, Number) else found

    def control(self, key: str, default: str, switch: int = 0) -> Name:
        """The parameter of a knob; components of one group share it."""
        group = self.one.attributes.get("Group", "").strip()
        name = clean(group) if group else self.name
        name = re.sub(r"[^a-z0-9_]", "_", name)
        name = name if name[:1].isalpha() else f"knob_{name}"
        if name not in self.top.names:
            value = self.quantity(key, default)
            value = float(round(value)) if switch else min(max(value, 0.0), 1.0)
            self.top.names[name] = Name(name)
            self.deck.parameters[name] = value
            self.deck.places[name] = self.place()
            label = (group or self.one.attributes.get("Name", name)).replace('"', "'")
            text = f'{name} 0 {max(switch - 1, 1)} label="{label}"' if switch else f'{name} label="{label}"'
            self.wishes.controls.append(("switch" if switch else "control", Span(Line(text, self.path, (0,), ((self.one.line, 1),)), 0, len(text))))
        return Name(name)

    def sweep(self) -> Expression:
        """Share of the resistance at the wiper: LiveSPICE's laws of the potentiometer's travel."""
        law = self.one.attributes.get("Sweep", "Linear")
        x: Expression = _f("limit", self.control("Wipe", "0.5"), 1e-3, 1.0 - 1e-3)
        if law in ("ReverseLinear", "ReverseSigmoid", "ReverseLogarithmic", "ReverseAntiLogarithmic"):
            x = _f("sub", 1.0, x)
        grown = 7.38905609893065  # e squared
        if law.endswith("AntiLogarithmic"):
            return _f("sub", 1.0, _f("div", _f("sub", _f("pow", grown, _f("sub", 1.0, x)), 1.0), grown - 1.0))
        if law.endswith("Logarithmic"):
            return _f("div", _f("sub", _f("pow", grown, x), 1.0), grown - 1.0)
        if law.endswith("Sigmoid"):
            power = -1.0 / 1.8 if law.endswith("AntiSigmoid") else -1.8
            return _f("div", 1.0, _f("add", 1.0, _f("pow", _f("div", x, _f("sub", 1.0, x)), power)))
        return x

    # components
    def _resistor(self, n, a):
        self.add(Resistor(self.name, (n["Anode"], n["Cathode"]), self.quantity("Resistance", "100"), self.place()))

    def _capacitor(self, n, a):
        self.add(Capacitor(self.name, (n["Anode"], n["Cathode"]), self.quantity("Capacitance", "100 μF"), place=self.place()))

    def _inductor(self, n, a):
        self.add(Inductor(self.name, (n["Anode"], n["Cathode"]), self.quantity("Inductance", "100 μH"), place=self.place()))

    def _conductor(self, n, a):
        self.add(Resistor(self.name, (n["Anode"], n["Cathode"]), 0.0, self.place()))

    def _variableresistor(self, n, a):
        self.add(Resistor(self.name, (n["Anode"], n["Cathode"]), _f("mul", self.quantity("Resistance", "100"), self.sweep()), self.place()))

    def _potentiometer(self, n, a):
        ohms, share = self.quantity("Resistance", "100"), self.sweep()
        self.add(Resistor(f"{self.name}.low", (n["Cathode"], n["Wiper"]), _f("mul", ohms, share), self.place()))
        self.add(Resistor(f"{self.name}.high", (n["Anode"], n["Wiper"]), _f("mul", ohms, _f("sub", 1.0, share)), self.place()))

    def _throws(self, n, a):
        count = THROWS[self.one.kind]
        position = self.control("Position", "0", count)
        for k in range(count):
            ohms = _f("if", _f("eq", position, float(k)), CLOSED, OPEN)
            self.add(Resistor(f"{self.name}.{k}", (n["Common"], n[f"Throw{k}"]), ohms, self.place()))

    _spdt = _sp3t = _sp4t = _sp5t = _throws

    def _switch(self, n, a):
        self.add(Resistor(self.name, (n["Anode"], n["Cathode"]), CLOSED if a.get("Closed", "false").lower() == "true" else OPEN, self.place()))

    def _input(self, n, a):
        self.add(VoltageSource(self.name, (n["Anode"], n["Cathode"]), ac=1.0, place=self.place()))
        if self.wishes.input is None:
            self.wishes.input = (self.name,), self.place()
            self.wishes.level = self.quantity("V0dBFS", "1 V"), self.place()
        else:
            self.deck.notes.lose(f"{self.name}: a second input stays silent", self.place())

    def _speaker(self, n, a):
        nodes = n["Anode"], n["Cathode"]
        ohms = self.quantity("Impedance", "∞")
        if ohms != float("inf"):
            self.add(Resistor(self.name, nodes, ohms, self.place()))
        if not any(place is None for _, place in self.wishes.outputs):
            self.wishes.outputs.append((nodes[0] if nodes[1] == "0" else ",".join(nodes), self.place()))

    _speaker2 = _speaker

    def _rail(self, n, a):
        self.two_terminal_source((n["T"], "0"), self.source("Voltage", "1 V"))

    def _voltagesource(self, n, a):
        self.two_terminal_source((n["Anode"], n["Cathode"]), self.source("Voltage", "1 V"))

    def two_terminal_source(self, nodes, value) -> None:
        if isinstance(value, float):
            self.add(VoltageSource(self.name, nodes, value, place=self.place()))
        else:
            self.add(BehaviouralVoltage(self.name, nodes, value, self.place()))

    def _currentsource(self, n, a):
        nodes, value = (n["Anode"], n["Cathode"]), self.source("Current", "1 A")
        self.add(CurrentSource(self.name, nodes, value, place=self.place()) if isinstance(value, float) else BehaviouralCurrent(self.name, nodes, value, self.place()))

    def _buffer(self, n, a):
        self.add(VoltageControlledVoltage(self.name, (n["Cathode"], "0", n["Anode"], "0"), 1.0, self.place()))

    def _transformer(self, n, a):
        self.add(IdealTransformer(self.name, (n["PA"], n["PC"], n["SA"], n["SC"]), self.turns(), self.place()))

    def _centertaptransformer(self, n, a):
        turns = 2.0 * self.turns()
        self.add(IdealTransformer(f"{self.name}.a", (n["PA"], n["PC"], n["SA"], n["ST"]), turns, self.place()))
        self.add(IdealTransformer(f"{self.name}.c", (n["PA"], n["PC"], n["ST"], n["SC"]), turns, self.place()))
        self.deck.notes.once("tap", "a transformer with a centre tap gives the primary the power that the secondary takes; LiveSPICE gives it twice that", self.place())

    def turns(self) -> float:
        text = self.one.attributes.get("Turns", "1:1")
        parts = text.split(":")
        try:
            ratio = float(parts[0]) / float(parts[1] if len(parts) > 1 else 1.0)
        except (ValueError, ZeroDivisionError):
            ratio = 0.0
        if not 0.0 < ratio < 1e9:
            raise NetlistError(f"{self.name}: the turns {text!r} are no ratio", place=self.place(), element=self.name)
        return ratio

    def _idealopamp(self, n, a):
        self.add(Nullor(self.name, (n["+"], n["-"], n["Out"], "0"), self.place()))

    def _opamp(self, n, a):
        values = {"rin": self.quantity("Rin", "1 MΩ"), "rout": self.quantity("Rout", "100 Ω"), "aol": self.quantity("Aol", "1000000"), "gbw": self.quantity("GBP", "1000000"),
                  "slew": 1e9, "head": 1.3, "foot": 1.3}  # LiveSPICE's clamps: diodes 2 V inside the rails, and no slew limit
        nodes = (n["+"], n["-"], n["Vcc+"], n["Vcc-"], n["Out"])
        if self.crowd[n["Vcc+"]] < 2 or self.crowd[n["Vcc-"]] < 2:  # rails that go nowhere: none
            nodes, values = (n["+"], n["-"], n["Out"]), values | {"vcc": 1e4, "vee": -1e4}
        self.add(Device(self.name, nodes, Card(f"{self.name}.model", "opamp", values, "LiveSPICE"), {}, self.place()))

    def _diode(self, n, a):
        card = Card(f"{self.name}.model", "d", {"is": self.quantity("IS", "1 pA"), "n": self.quantity("n", "1")}, "LiveSPICE")
        self.add(Device(self.name, (n["Anode"], n["Cathode"]), card, {}, self.place()))

    def _bipolarjunctiontransistor(self, n, a):
        values = {"is": self.quantity("IS", "1 pA"), "bf": self.quantity("BF", "100"), "br": self.quantity("BR", "1")}
        card = Card(f"{self.name}.model", a.get("Type", "NPN").lower(), values, "LiveSPICE")
        self.add(Device(self.name, (n["C"], n["B"], n["E"]), card, {}, self.place()))

    def _junctionfieldeffecttransistor(self, n, a):
        values = {"is": self.quantity("IS", "10 fA"), "n": self.quantity("n", "1"), "vto": self.quantity("Vt0", "-2 V"),
                  "beta": self.quantity("Beta", "0.0001"), "lambda": self.quantity("Lambda", "0")}
        card = Card(f"{self.name}.model", "pjf" if a.get("Type", "N") == "P" else "njf", values, "LiveSPICE")
        self.add(Device(self.name, (n["D"], n["G"], n["S"]), card, {}, self.place()))

    def _triode(self, n, a):
        pins = (n["P"], n["G"], n["K"])
        model = a.get("Model", "Koren" if "Koren" in a.get("_Type", "") else "ChildLangmuir")
        number = self.quantity
        if model == "DempwolfZolzer":
            values = {key.lower(): number(key, default) for key, default in (
                ("G", "0.002242"), ("Mu", "100"), ("Gamma", "1.26"), ("C", "3.4"), ("Gg", "0.0006177"), ("Xi", "1.314"), ("Cg", "9.901"), ("Ig0", "80.25 nA"))}
            self.add(Device(self.name, pins, Card(f"{self.name}.model", "triode_dz", values, "LiveSPICE"), {}, self.place()))
        elif model == "Koren":
            values = {"mu": number("Mu", "100"), "ex": number("Ex", "1.4"), "kg1": number("Kg", "1060"), "kp": number("Kp", "600"), "kvb": number("Kvb", "300"), "rgi": 0.0}
            self.add(Device(self.name, pins, Card(f"{self.name}.model", "triode", values, "LiveSPICE"), {}, self.place()))
            self.grid(pins[1], pins[2], "1 MΩ", "0.5 V", "0.33 V")
        else:
            drive = _f("uramp", _f("add", _f("mul", number("Mu", "100"), Voltage(pins[1], pins[2])), Voltage(pins[0], pins[2])))
            self.add(BehaviouralCurrent(self.name, (pins[0], pins[2]), _f("mul", number("K", "1.73E-06"), _f("pow", drive, 1.5)), self.place()))
        if a.get("SimulateCapacitances", "false").lower() == "true":
            for key, nodes, default in (("Cgp", (pins[0], pins[1]), "2.4 pF"), ("Cgk", (pins[1], pins[2]), "2.3 pF"), ("Cpk", (pins[0], pins[2]), "0.9 pF")):
                self.add(Capacitor(f"{self.name}.{key.lower()}", nodes, number(key, default), place=self.place()))

    def _tube_pentode(self, n, a):
        number = self.quantity
        v_pk, v_gk, v_sk = (Voltage(n[pin], n["K"]) for pin in ("P", "G", "G2"))
        mu, kp, kvb = number("Mu", "10.7"), number("Kp", "41.16"), number("Kvb", "12.7")
        inner = _f("add", 1.0 / mu, _f("div", v_gk, _f("sqrt", _f("add", kvb, _f("mul", v_sk, v_sk)))))
        e1 = _f("mul", _f("div", v_pk, kp), _softplus(_f("mul", kp, inner)))
        of_cathode = _f("pow", _f("uramp", e1), number("Ex", "1.31"))
        plate = _f("if", _f("gt", v_pk, 0.0), _f("mul", _f("div", of_cathode, number("Kg1", "1672")), _f("atan", _f("div", v_pk, kvb))), 0.0)
        self.add(BehaviouralCurrent(f"{self.name}.plate", (n["P"], n["K"]), plate, self.place()))
        self.add(BehaviouralCurrent(f"{self.name}.screen", (n["G2"], n["K"]), _f("div", of_cathode, number("Kg2", "4500")), self.place()))
        self.grid(n["G"], n["K"], "20 kΩ", "3 V", "13 V")

    def grid(self, grid: str, cathode: str, ohms: str, knee: str, begin: str) -> None:
        """Nothing below Vg - Kn, a resistance above Vg + Kn, a parabola between."""
        v = Voltage(grid, cathode)
        r, kn, vg = self.quantity("Rgk", ohms), self.quantity("Kn", knee), self.quantity("Vg", begin)
        if kn <= 0.0 or r <= 0.0:
            raise NetlistError(f"{self.name}: Rgk and Kn must be above 0", place=self.place(), element=self.name)
        rise = _f("sub", v, vg - kn)
        bend = _f("div", _f("mul", rise, rise), 4.0 * kn * r)
        current = _f("if", _f("lt", v, vg - kn), 0.0, _f("if", _f("gt", v, vg + kn), _f("div", _f("sub", v, vg), r), bend))
        self.add(BehaviouralCurrent(f"{self.name}.grid", (grid, cathode), current, self.place()))

    def _tube_diode(self, n, a):
        current = _f("mul", self.quantity("K", "0.000326542"), _f("pow", _f("uramp", Voltage(n["Anode"], n["Cathode"])), self.quantity("Exp", "1.4606772")))
        self.add(BehaviouralCurrent(self.name, (n["Anode"], n["Cathode"]), current, self.place()))


class _Times:
    """A scope in which t is the time, and the names of voltage definitions are those voltages, as LiveSPICE writes them."""

    def __init__(self, scope: Scope, defined: dict[str, Voltage]):
        self.scope, self.defined = scope, defined

    def parameter(self, name):
        return Time() if name == "t" else self.defined[name] if name in self.defined else self.scope.parameter(name)

    def __getattr__(self, name):
        return getattr(self.scope, name)

