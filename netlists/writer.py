"""Writes a circuit as a plain deck: one that ngspice runs with the same result, and that `netlists.reader` reads back.

Subcircuits are flat by now: element q2 of instance x1 is written ``q.x1.q2``, its node n5 ``x1.n5``, its parameter rtot ``x1_rtot``. What SPICE
does not have (nullors, ideal transformers, tubes) is written out in sources and formulas. Controls, input, output and level stand in ``*@`` lines.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace

from circuits.circuit import EXPRESSION_TYPES, NO_INPUT, Card, Circuit, Element
from circuits.elements import (BehaviouralCurrent, BehaviouralVoltage, Capacitor, Coupling, CurrentControlledCurrent, CurrentControlledVoltage,
                               CurrentSource, Device, IdealTransformer, Inductor, Nullor, Resistor, VoltageControlledCurrent,
                               VoltageControlledVoltage, VoltageSource)
from circuits.errors import CircuitError
from circuits.expressions import Call, Number, Value, as_expression, evaluate
from circuits.expressions import names as parameters
from circuits.units import format_number, parse_number
from netlists.blocks import BLOCKS
from netlists.formula import formula_text, number_text
from netlists.tubes import written_out

AMPERE = 1e3         # volts that stand for an ampere in the control of a switch
NULLOR_GAIN = 1e9  # of the source that stands for a nullor: SPICE has no infinite one
_LETTERS = {Resistor: "r", Capacitor: "c", Inductor: "l", Coupling: "k", VoltageSource: "v", CurrentSource: "i", VoltageControlledVoltage: "e",
            VoltageControlledCurrent: "g", CurrentControlledCurrent: "f", CurrentControlledVoltage: "h", BehaviouralVoltage: "b",
            BehaviouralCurrent: "b", Nullor: "e", IdealTransformer: "e"}
_KINDS = {"d": "d", "npn": "q", "pnp": "q", "njf": "j", "pjf": "j", "nmos": "m", "pmos": "m", "vdmos": "m", "sw": "s", "csw": "s", "vswitch": "s"}
_ODD = re.compile(r"[^a-z0-9_.]")
_RESERVED = frozenset(("time", "temper", "temp", "hertz", "pi", "e", "v", "i", "abs", "sgn", "sqrt", "exp", "ln", "min", "max", "floor", "ceil", "pow", "sin", "cos",
                       "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "and", "or", "not", "div", "mod"))


def write(circuit: Circuit) -> str:
    """The deck of a circuit.

    Parameters
    ----------
    circuit : Circuit
        From the reader or built in Python.

    Returns
    -------
    str
        Lines that end with ``.end``.

    Raises
    ------
    CircuitError
        For a part that SPICE can't express.

    Examples
    --------
    >>> print(write(Circuit((Resistor("r1", ("in", "0"), 4700.0),), title="load")))
    load
    r1 in 0 4.7k
    .end
    <BLANKLINE>
    """
    return _Deck(circuit).text()


class _Deck:
    def __init__(self, circuit: Circuit):
        self.circuit = circuit
        self.values = circuit.values()
        self.lines: list[str] = []
        self.names: dict[tuple[str, str], str] = {}
        self.taken: set[tuple[str, str]] = set()
        self.models: dict[str, tuple[Card, str]] = {}
        self.elements: list[Element] = []
        for element in circuit.elements:
            if isinstance(element, Device) and element.card.kind in BLOCKS:  # written for the present values of its parameters
                numbers = {name: evaluate(value, self.values) for name, value in element.card.values.items()}
                element = replace(element, card=replace(element.card, values=numbers))
            parts = written_out(element) if isinstance(element, Device) else None
            self.elements += _in_volts(element) if parts is None else parts
        for element in self.elements:  # straight names first, so that they stay
            self.element(element.name, self.letter(element))

    def text(self) -> str:
        circuit = self.circuit
        head = [" ".join(circuit.title.split()).lstrip("*@#. ") or "circuit"]  # ngspice runs what stands under the title *ng_script as commands
        for name, value in circuit.parameters.items():
            control = next((one for one in circuit.controls if one.name == name), None)
            if control and not (isinstance(value, float) and math.isclose(value, control.value, rel_tol=1e-9)):
                value = control.value  # it was turned; else the deck's own number is the exact one
            text = self.value(value, plain=True)
            head.append(f".param {self.parameter(name)}={text}")
        for control in circuit.controls:
            verb = "switch" if control.switch else "control"
            extras = (f" taper={control.taper}" if control.taper != "lin" and not control.switch else "")
            extras += f' label="{_quoted(control.label)}"' if control.label else ""
            extras += f' unit="{_quoted(control.unit)}"' if control.unit else ""
            head.append(f"*@ {verb} {self.parameter(control.name)} {number_text(control.minimum)} {number_text(control.maximum)}{extras}")
            if control.name not in circuit.parameters:
                head.append(f".param {self.parameter(control.name)}={number_text(control.value)}")
        for element in self.elements:
            self.write(element)
        if circuit.input == NO_INPUT:
            head.append(f"*@ input {NO_INPUT}")
        elif circuit.input:
            head.append(f"*@ input {self.element(circuit.input, '')}")
        if circuit.outputs:
            head.append("*@ output " + " ".join(",".join(self.node(node) for node in output.split(",")) for output in circuit.outputs))
        if circuit.level != 1.0:
            head.append(f"*@ level {number_text(circuit.level)}")
        tail = [f".model {name} {card.kind}({' '.join(f'{key}={self.value(value)}' for key, value in card.values.items())})"
                for card, name in self.models.values()]
        if _hanging(self.elements):
            tail.append(".options rshunt=1e12")  # ngspice finds no rest where capacitors alone hold a node, and goes on from a wrong one
        if circuit.temperature != 27.0:
            tail.append(f".temp {number_text(circuit.temperature)}")
        for kind, conditions in (("ic", circuit.initial), ("nodeset", circuit.nodeset)):
            tail += [f".{kind} v({self.node(node)})={self.value(value)}" for node, value in conditions.items()]
        if circuit.from_zero:
            tail.append(".tran 10u 100m uic")
        return "\n".join([*head, *self.lines, *tail, ".end", ""])

    # names
    def unique(self, space: str, name: str, wanted: str) -> str:
        key = (space, name)
        if key not in self.names:
            made, number = wanted, 1
            while (space, made) in self.taken:
                number += 1
                made = f"{wanted}_{number}"
            self.taken.add((space, made))
            self.names[key] = made
        return self.names[key]

    def node(self, name: str) -> str:
        if name == "0":
            return "0"
        wanted = _ODD.sub("_", name.lower()) or "n"
        return self.unique("node", name, wanted if wanted not in ("gnd",) else "gnd_")

    def parameter(self, name: str) -> str:
        wanted = _ODD.sub("_", name.lower()).replace(".", "_")
        if wanted in _RESERVED or not (wanted[:1].isalpha() or wanted[:1] == "_"):
            wanted = f"p_{wanted}"
        return self.unique("parameter", name, wanted)

    def element(self, name: str, letter: str) -> str:
        if ("element", name) in self.names:
            return self.names[("element", name)]
        if not letter:
            raise CircuitError(f"there is no element {name}")
        clean = _ODD.sub("_", name.lower())
        straight = clean[:1] == letter and "." not in clean or clean.startswith(f"{letter}.")
        return self.unique("element", name, clean if straight else f"{letter}.{clean}")

    def letter(self, element: Element) -> str:
        if isinstance(element, Device):
            if element.card.kind not in _KINDS:
                raise CircuitError(f"{element.name} is of kind {element.card.kind}, which a SPICE deck can't express", place=element.place,
                                   element=element.name)
            return _KINDS[element.card.kind]
        if isinstance(element, Resistor) and element.value == 0.0:
            return "v"
        return _LETTERS[type(element)]

    # values
    def formula(self, value: Value) -> str:
        return formula_text(value, self.values, node=self.node, element=lambda name: self.element(name, ""), parameter=self.parameter)

    def value(self, value: Value, plain: bool = False) -> str:
        if isinstance(value, EXPRESSION_TYPES):
            return "{" + self.formula(value) + "}"
        if plain:
            return number_text(value)
        short = format_number(float(value), 6)
        try:
            same = parse_number(short) == float(value)
        except ValueError:
            same = False
        return short if same else number_text(value)

    # elements
    def line(self, *words: str) -> None:
        self.lines.append(" ".join(words))

    def write(self, element: Element) -> None:
        name = self.element(element.name, self.letter(element))
        nodes = [self.node(node) for node in element.nodes]
        if isinstance(element, Resistor):
            self.line(name, *nodes, *(("dc", "0") if element.value == 0.0 else (self.value(element.value),)))
        elif isinstance(element, (Capacitor, Inductor)):
            initial = () if element.initial is None else (f"ic={self.value(element.initial)}",)
            self.line(name, *nodes, self.value(element.value), *initial)
        elif isinstance(element, Coupling):
            self.coupling(name, element)
        elif isinstance(element, (VoltageSource, CurrentSource)):
            self.source(name, nodes, element)
        elif isinstance(element, (VoltageControlledVoltage, VoltageControlledCurrent)):
            self.line(name, *nodes, self.value(element.gain))
        elif isinstance(element, (CurrentControlledCurrent, CurrentControlledVoltage)):
            self.line(name, *nodes, self.element(element.sensor, ""), self.value(element.gain))
        elif isinstance(element, (BehaviouralVoltage, BehaviouralCurrent)):
            self.line(name, *nodes, ("v=" if isinstance(element, BehaviouralVoltage) else "i=") + self.formula(element.expression))
        elif isinstance(element, Nullor):
            self.line(name, nodes[2], nodes[3], nodes[0], nodes[1], number_text(NULLOR_GAIN))
        elif isinstance(element, IdealTransformer):
            self.transformer(name, nodes, element)
        elif isinstance(element, Device):
            self.device(name, nodes, element)
        else:
            raise CircuitError(f"{element.name} can't be written", place=element.place, element=element.name)

    def coupling(self, name: str, element: Coupling) -> None:
        """Pair by pair: ngspice couples two inductors in a line."""
        coils = [self.element(coil, "") for coil in element.inductors]
        pairs = [(a, b) for k, a in enumerate(coils) for b in coils[k + 1:]]
        for number, (a, b) in enumerate(pairs):
            label = name if number == 0 else self.unique("element", f"{element.name}#{number}", f"{name}_{number}")
            self.line(label, a, b, self.value(element.coefficient))

    def source(self, name: str, nodes: list[str], element) -> None:
        words = [name, *nodes, "dc", self.value(element.dc)]
        if element.ac != 0.0:
            words += ["ac", self.value(element.ac)]
            if element.ac_phase != 0.0:
                words.append(self.value(element.ac_phase))
        if element.waveform is not None:
            words.append(f"{element.waveform.shape}({' '.join(self.value(value) for value in element.waveform.values)})")
        self.line(*words)

    def transformer(self, name: str, nodes: list[str], element: IdealTransformer) -> None:
        """v1 = n v2 by a source, i2 = -n i1 by another that looks at the current of the first."""
        inner = self.node(f"{element.name}#1")
        sense = self.unique("element", f"{element.name}#sense", f"v.{_ODD.sub('_', element.name)}")
        drive = self.unique("element", f"{element.name}#drive", f"f.{_ODD.sub('_', element.name)}")
        ratio = self.value(element.ratio)
        self.line(name, nodes[0], inner, nodes[2], nodes[3], ratio)
        self.line(sense, inner, nodes[1], "dc", "0")
        self.line(drive, nodes[3], nodes[2], sense, ratio)

    def device(self, name: str, nodes: list[str], element: Device) -> None:
        card = _switch_card(element.card)
        key = card.name
        while key in self.models and self.models[key][0].values != card.values:
            key += "_"  # two cards of one name with other values
        if key not in self.models:
            clean = _ODD.sub("_", key.lower()).replace(".", "_")
            self.models[key] = (card, self.unique("model", key, clean if clean[:1].isalpha() else f"m{clean}"))
        words = [name, *nodes, self.models[key][1]]
        for key, value in element.values.items():
            # also the area has its name: ngspice takes a bare one behind a diode's model for the model
            words.append(f"{key}={self.value(value)}")
        self.line(*words)


def _in_volts(element: Element) -> list[Element]:
    """A switch of currents becomes one of voltages, a thousand to an ampere: so much narrower is the band in which ours passes over."""
    if not isinstance(element, Device) or element.card.kind != "csw":
        return [element]
    names, card = {"it": "vt", "ih": "vh"}, element.card
    values = {names.get(name, name): Call("mul", (as_expression(value), Number(AMPERE))) if name in names else value for name, value in card.values.items()}
    values = {name: evaluate(value, {}) if isinstance(value, Call) and not parameters(value) else value for name, value in values.items()}
    node = f"{element.name}#volts"
    gain = VoltageControlledVoltage(node, (node, "0", *element.nodes[2:]), AMPERE, element.place)
    return [gain, replace(element, nodes=(*element.nodes[:2], node, "0"), card=Card(card.name, "sw", values, card.source, card.place))]


def _switch_card(card: Card) -> Card:
    """Every switch as SPICE's S, which jumps at its threshold where ours passes over smoothly."""
    v = card.values
    if card.kind == "vswitch":
        on, off = as_expression(v.get("von", 1.0)), as_expression(v.get("voff", 0.0))
        half = Call("mul", (Number(0.5), Call("add", (on, off))))
        closed, opened = v.get("ron", 1.0), v.get("roff", 1e6)
        if isinstance(on, Number) and isinstance(off, Number) and on.value < off.value:  # it opens upwards
            closed, opened = opened, closed
        return Card(card.name, "sw", {"ron": closed, "roff": opened, "vt": half, "vh": 0.0}, card.source, card.place)
    return card


def _hanging(elements: list[Element]) -> bool:
    """Whether some node touches nothing but capacitors, as an output without a load does."""
    held: dict[str, bool] = {}
    for element in elements:
        for node in element.nodes:
            held[node] = held.get(node, True) and isinstance(element, Capacitor)
    held.pop("0", None)
    return any(held.values())


def _quoted(text: str) -> str:
    return " ".join(text.replace('"', "'").split())
