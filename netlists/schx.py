"""LiveSPICE drawings (``.schx``): wires, terminals and components with their own parameters become a circuit.

A terminal at (x, y) of a symbol lies at (x c + y' s, y' c - x s) from its position, with y' = y if flipped and -y if not, c and s
the cosine and sine of the rotation in quarter turns. Prefixes are those of the SI: M is mega. The laws are LiveSPICE's: knee-shaped grid current,
its own pentode, its own sweeps of potentiometers; each potentiometer and switch, or each group of them, is a control.
"""

from __future__ import annotations

import re
from dataclasses import replace
from xml.parsers import expat

from circuits.errors import NetlistError, Place
from netlists.deck import Deck
from netlists.declarations import Wishes
from netlists.expand import Scope
from netlists.livespice import THROWS, Component, Maker, clean
from netlists.nets import Nets, Point

MAX_COMPONENTS = 20_000
MAX_PORTS = 1_000   # of a circuit inside a drawing
MAX_LEVELS = 20     # of circuits inside each other
_TWO = {"Anode": (0, 20), "Cathode": (0, -20)}
TERMINALS: dict[str, dict[str, Point]] = {
    **{kind: _TWO for kind in ("Resistor", "Capacitor", "Inductor", "VariableResistor", "Diode", "VoltageSource", "CurrentSource", "Input", "Speaker",
                               "Speaker2", "Switch", "Buffer", "Conductor", "VoltageDefinition")},
    "Components.Diode": {"Anode": (0, 20), "Cathode": (-10, -20)},
    "Potentiometer": {"Anode": (-10, 20), "Cathode": (-10, -20), "Wiper": (10, 0)}, "Ground": {"T": (0, 0)}, "Rail": {"T": (0, 0)},
    "NamedWire": {"T": (0, 0)}, "Port": {"T": (0, 0)}, "Label": {}, "IdealOpAmp": {"+": (-20, -10), "-": (-20, 10), "Out": (20, 0)},
    "OpAmp": {"+": (-20, -10), "-": (-20, 10), "Out": (20, 0), "Vcc+": (0, 20), "Vcc-": (0, -20)},
    "BipolarJunctionTransistor": {"B": (-20, 0), "C": (10, 20), "E": (10, -20)},
    "JunctionFieldEffectTransistor": {"S": (10, -20), "G": (-20, 0), "D": (10, 20)}, "Triode": {"P": (0, 20), "G": (-20, 0), "K": (-10, -20)},
    "Components.Pentode": {"P": (0, 25), "G": (-20, -5), "G2": (20, 0), "K": (-10, -25)},
    "Transformer": {"PA": (-10, 20), "PC": (-10, -20), "SA": (10, 20), "SC": (10, -20)},
    "CenterTapTransformer": {"PA": (-10, 20), "PC": (-10, -20), "SA": (10, 20), "ST": (10, 0), "SC": (10, -20)}}
for _kind, _count in THROWS.items():
    TERMINALS[_kind] = {"Common": (0, -20), **{f"Throw{i}": ((i - _count // 2) * 20 + (10 if _count % 2 == 0 else 0), 20) for i in range(_count)}}


def placed(terminal: Point, position: Point, rotation: int, flip: bool) -> Point:
    """Where a terminal of a symbol lies in the drawing.

    Examples
    --------
    >>> placed((-20, -10), (100, 0), 0, False), placed((-20, -10), (100, 0), 1, False)
    ((80, 10), (110, 20))
    """
    x, y = terminal[0], terminal[1] if flip else -terminal[1]
    c, s = ((1, 0), (0, 1), (-1, 0), (0, -1))[rotation % 4]
    return x * c + y * s + position[0], y * c - x * s + position[1]


def fill(text: str, path: str, deck: Deck, top: Scope, wishes: Wishes) -> str:
    """Put the elements, parameters, controls, input and outputs of a drawing where a deck's would be.

    Returns
    -------
    str
        The drawing's name.

    Raises
    ------
    NetlistError
        For text that is no drawing, or a component that is not known.
    """
    components, wires, title = _read(text, path, deck)
    points = {id(one): {name: placed(at, one.position, one.rotation, one.flip) for name, at in _terminals(one).items()} for one in components}
    flags = []
    for one in components:
        if one.kind == "Ground" or one.kind == "NamedWire" and one.attributes.get("WireName", "").upper() == "GND":
            flags.append((points[id(one)]["T"], "0"))
        elif one.kind == "NamedWire":
            flags.append((points[id(one)]["T"], clean(one.attributes.get("WireName", "")) or "name"))
    nets = Nets(wires, flags, [point for placed_ in points.values() for point in placed_.values()])
    for one in components:
        one.nodes = {name: nets.name(point).lower() for name, point in points[id(one)].items()}
    Maker(path, deck, top, wishes, _flat(components, path)).make()
    return title


def _flat(components: list[Component], path: str) -> list[Component]:
    """All components, those inside a Circuit with its name before theirs and their nodes made the drawing's."""
    found: list[Component] = []
    for one in components:
        found += _unpacked(one, path) if one.kind == "Circuit" else [one]
        if len(found) > MAX_COMPONENTS:
            raise NetlistError(f"the drawing has more than {MAX_COMPONENTS} components and wires", place=Place(path, one.line))
    return found


def _unpacked(circuit: Component, path: str) -> list[Component]:
    """The components of a Circuit; a port is a wire from a terminal outside to a node inside."""
    title = clean(circuit.attributes.get("Name", "")) or "circuit"
    outer: dict[str, str] = {}
    joints: list[Component] = []
    for one in circuit.inner:
        inside = next(iter(one.nodes.values()), "")
        if one.kind == "Ground" and inside:
            outer.setdefault(inside, "0")
    for one in circuit.inner:
        inside, outside = next(iter(one.nodes.values()), ""), circuit.nodes.get(one.attributes.get("Name", ""), "")
        if one.kind == "Port" and inside and outside and outer.setdefault(inside, outside) != outside:
            joints.append(Component("Conductor", {"Name": f"{title} {one.attributes['Name']}"}, (0, 0), 0, False, one.line, {"Anode": outer[inside], "Cathode": outside}))
    inner = [replace(one, attributes=one.attributes | {"Name": f"{circuit.attributes.get('Name', '')} {one.attributes.get('Name', '')}"},
                     nodes={name: outer.get(node, f"{title}_{clean(node)}") for name, node in one.nodes.items()}) for one in circuit.inner if one.kind != "Port"]
    return joints + _flat(inner, path)


def _terminals(one: Component) -> dict[str, Point]:
    if one.kind == "BipolarJunctionTransistor" and one.attributes.get("Type", "NPN") == "PNP":
        return {"B": (-20, 0), "E": (10, 20), "C": (10, -20)}
    return _ports(one) if one.kind == "Circuit" else TERMINALS.get(one.kind, {})


def _ports(circuit: Component) -> dict[str, Point]:
    """Where LiveSPICE draws the ports of a Circuit: counter-clockwise around a box from its upper left corner, those without a number in the free places."""
    ports = sorted((one for one in circuit.inner if one.kind == "Port"), key=lambda one: one.attributes.get("Name", ""))
    numbers = {one.attributes.get("Name", ""): int(one.attributes.get("Number", "0") or 0) for one in ports}
    count = (max(max(numbers.values(), default=0), len(ports)) + 1) & ~1
    if not 0 <= count <= MAX_PORTS:
        raise ValueError(count)
    open_, half, found = list(range(1, count + 2)), count // 2, {}
    for name in sorted(numbers, key=lambda name: numbers[name] <= 0):
        n = numbers[name] if numbers[name] > 0 else open_[0]
        found[name] = (-40, half * 10 - n * 20 + 10) if n <= half else (40, n * 20 - 30 * half - 10)
        if n in open_:
            open_.remove(n)
    return found


def _read(text: str, path: str, deck: Deck) -> tuple[list[Component], list[tuple[Point, Point]], str]:
    """Components and wires of the XML text; entities and document types are refused."""
    components: list[Component] = []
    wires: list[tuple[Point, Point]] = []
    parser = expat.ParserCreate()
    symbol: list[dict] = []
    inside: list[Component] = []  # the component being read, and those around it
    count = [0]
    title = [""]

    def refuse(*_):
        raise NetlistError("document types and entities are not read", place=Place(path, parser.CurrentLineNumber))

    def point(value: str) -> Point:
        x, y = value.split(",")
        return int(float(x)), int(float(y))

    def start(tag: str, attributes: dict[str, str]) -> None:
        line = parser.CurrentLineNumber
        kind = _kind(attributes.get("_Type" if tag == "Component" else "Type", ""))
        try:
            if tag == "Schematic":
                title[0] = attributes.get("Name", "")
            elif tag == "Element" and kind == "Wire":
                wires.append((point(attributes["A"]), point(attributes["B"])))
            elif tag == "Element":
                symbol[:] = [{"position": point(attributes.get("Position", "0,0")), "rotation": int(attributes.get("Rotation", "0")),
                              "flip": attributes.get("Flip", "false").lower() == "true"}]
            elif tag == "Component" and (symbol or inside):
                count[0] += 1
                made = Component(kind, attributes, line=line, **symbol.pop()) if not inside else Component(kind, attributes, (0, 0), 0, False, line)
                (inside[-1].inner if inside else components).append(made)
                inside.append(made)
            elif tag == "Terminal" and len(inside) > 1:
                inside[-1].nodes[attributes["Name"]] = attributes["ConnectedTo"]
        except (KeyError, ValueError, OverflowError):
            raise NetlistError(f"this {tag} is damaged", place=Place(path, line), mend="Open and save the drawing in LiveSPICE.") from None
        if len(inside) > MAX_LEVELS + 1:
            raise NetlistError(f"circuits are nested more than {MAX_LEVELS} deep", place=Place(path, line))
        if count[0] + len(wires) > MAX_COMPONENTS:
            raise NetlistError(f"the drawing has more than {MAX_COMPONENTS} components and wires", place=Place(path, line))

    def end(tag: str) -> None:
        if tag == "Component" and inside:
            inside.pop()

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(re.sub(r"^\s*<\?xml[^>]*\?>", "", text.lstrip("\ufeff"), count=1), True)
    except expat.ExpatError as error:
        raise NetlistError(f"the drawing is damaged: {expat.errors.messages.get(error.code, 'not XML')}", place=Place(path, error.lineno, error.offset + 1)) from None
    if not components:
        raise NetlistError("the drawing holds no component", place=Place(path))
    for one in components:
        try:
            _terminals(one)
        except ValueError:
            raise NetlistError("the ports of this Circuit are damaged", place=Place(path, one.line), mend="Open and save the drawing in LiveSPICE.") from None
    return components, wires, " ".join(title[0].split())


def _kind(type_name: str) -> str:
    name = type_name.split(",")[0].strip()
    name = name[len("Circuit."):] if name.startswith("Circuit.") else name
    return {"Components.Speaker": "Speaker", "KorenTriode": "Triode", "ChildLangmuirTriode": "Triode"}.get(name, name)
