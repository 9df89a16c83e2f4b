"""LiveSPICE drawings (``.schx``): wires, terminals and components with their own parameters become a circuit.

A terminal at (x, y) of a symbol lies at (x c + y' s, y' c - x s) from its position, with y' = y if flipped and -y if not, c and s
the cosine and sine of the rotation in quarter turns. Prefixes are those of the SI: M is mega. The laws are LiveSPICE's: knee-shaped grid current,
its own pentode, its own sweeps of potentiometers; each potentiometer and switch, or each group of them, is a control.
"""

from __future__ import annotations

import re
from xml.parsers import expat

from circuits.errors import NetlistError, Place
from netlists.deck import Deck
from netlists.declarations import Wishes
from netlists.expand import Scope
from netlists.livespice import THROWS, Component, Maker, clean
from netlists.nets import Nets, Point

MAX_COMPONENTS = 20_000
_TWO = {"Anode": (0, 20), "Cathode": (0, -20)}
TERMINALS: dict[str, dict[str, Point]] = {
    **{kind: _TWO for kind in ("Resistor", "Capacitor", "Inductor", "VariableResistor", "Diode", "VoltageSource", "CurrentSource", "Input", "Speaker",
                               "Speaker2", "Switch", "Buffer", "Conductor")},
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
    Maker(path, deck, top, wishes, components).make()
    return title


def _terminals(one: Component) -> dict[str, Point]:
    if one.kind == "BipolarJunctionTransistor" and one.attributes.get("Type", "NPN") == "PNP":
        return {"B": (-20, 0), "E": (10, 20), "C": (10, -20)}
    return TERMINALS.get(one.kind, {})


def _read(text: str, path: str, deck: Deck) -> tuple[list[Component], list[tuple[Point, Point]], str]:
    """Components and wires of the XML text; entities and document types are refused."""
    components: list[Component] = []
    wires: list[tuple[Point, Point]] = []
    parser = expat.ParserCreate()
    symbol: list[dict] = []
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
            elif tag == "Component" and symbol:
                components.append(Component(kind, attributes, line=line, **symbol.pop()))
        except (KeyError, ValueError, OverflowError):
            raise NetlistError(f"this {tag} is damaged", place=Place(path, line), mend="Open and save the drawing in LiveSPICE.") from None
        if len(components) + len(wires) > MAX_COMPONENTS:
            raise NetlistError(f"the drawing has more than {MAX_COMPONENTS} components and wires", place=Place(path, line))

    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(re.sub(r"^\s*<\?xml[^>]*\?>", "", text.lstrip("\ufeff"), count=1), True)
    except expat.ExpatError as error:
        raise NetlistError(f"the drawing is damaged: {expat.errors.messages.get(error.code, 'not XML')}", place=Place(path, error.lineno, error.offset + 1)) from None
    if not components:
        raise NetlistError("the drawing holds no component", place=Place(path))
    return components, wires, " ".join(title[0].split())


def _kind(type_name: str) -> str:
    name = type_name.split(",")[0].strip()
    name = name[len("Circuit."):] if name.startswith("Circuit.") else name
    return {"Components.Speaker": "Speaker", "KorenTriode": "Triode", "ChildLangmuirTriode": "Triode"}.get(name, name)
