"""LTspice drawings (``.asc``): wires, flags and symbols become the netlist that LTspice would write.

A symbol is rotated first and mirrored (x to -x) afterwards; R90 takes (x, y) to (-y, x). Whatever touches a wire is connected to it, flags of one
name are one node, flag 0 is ground. Text that starts with ``!`` is a directive; comments may hold our ``*@`` declarations.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from circuits.errors import NetlistError, Place
from netlists.files import Files
from netlists.guesses import guessed
from netlists.nets import Nets
from netlists.pages import Page, Stretch, page
from netlists.symbols import PARTIAL, STOCK, Point, Symbol, opamp_symbol, read_symbol

MAX_ITEMS = 50_000      # wires, flags and symbols of a drawing
MAX_LEVELS = 10         # drawings inside each other
_ODD = re.compile(r"[(){}=,;'\"\s]")
_FILE = re.compile(r"\.(lib|sub|mod|cir|inc|txt|spi|ckt|net|subckt|model|models|bjt|dio|mos|jft)$", re.IGNORECASE)
_ROTATED = {"0": lambda x, y: (x, y), "90": lambda x, y: (-y, x), "180": lambda x, y: (-x, -y), "270": lambda x, y: (y, -x)}
_SET = re.compile(r"\b(wiper|set|t|w|pos)\s*=", re.IGNORECASE)
_KINDS = {"QN": "npn", "QP": "pnp", "JN": "njf", "JP": "pjf", "MN": "nmos", "MP": "pmos"}  # prefix to what the symbol shows
_ORDER = ("SpiceModel", "Value", "Value2", "SpiceLine", "SpiceLine2")


@dataclass
class _Placed:
    name: str
    at: Point
    orientation: str
    line: int
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass
class _Drawing:
    wires: list[tuple[Point, Point]] = field(default_factory=list)
    flags: list[tuple[Point, str, int]] = field(default_factory=list)
    symbols: list[_Placed] = field(default_factory=list)
    texts: list[tuple[str, int]] = field(default_factory=list)
    ports: list[tuple[Point, str]] = field(default_factory=list)


def transformed(point: Point, orientation: str) -> Point:
    """A point of a symbol as the orientation (R0 ... M270) places it.

    Examples
    --------
    >>> transformed((64, 16), "R90"), transformed((64, 16), "M90")
    ((-16, 64), (16, 64))
    """
    x, y = _ROTATED[orientation[1:]](*point)
    return (-x, y) if orientation[0] == "M" else (x, y)


def drawing_page(text: str, path: str, files: Files, folder: Path | None, notes, level: int = 0) -> tuple[Page, dict[str, str]]:
    """The netlist of a drawing.

    Parameters
    ----------
    text : str
        The drawing.
    path : str
        For places.
    files : Files
        Finds symbols and inner drawings.
    folder : Path or None
        Where the drawing lies.
    notes : Notes
        Where to tell things.
    level : int
        How many drawings this one is inside of.

    Returns
    -------
    Page, dict of str to str
        The page; and further names of nodes that bear several flags.

    Raises
    ------
    NetlistError
        For a damaged line, or a symbol whose pins are not known.
    """
    drawing = _read(text, path)
    known = [_symbol(placed, files, folder, Place(path, placed.line)) for placed in drawing.symbols]
    points = {end for wire in drawing.wires for end in wire} | {point for point, _, _ in drawing.flags}
    points |= {point for placed, symbol in zip(drawing.symbols, known) if symbol is not None for point in _pins(placed, symbol) if point is not None}
    kinds = {(path, placed.line): _kind(placed.name, symbol) for placed, symbol in zip(drawing.symbols, known) if symbol is not None}
    symbols = []
    for placed, symbol in zip(drawing.symbols, known):
        if symbol is None:
            symbol, kinds[path, placed.line] = _guessed(placed, points, _loose(drawing, known), Place(path, placed.line), notes)
        symbols.append(symbol)
    nets = Nets(drawing.wires, [(point, name) for point, name, _ in drawing.flags], [point for placed, symbol in zip(drawing.symbols, symbols) for point in _pins(placed, symbol) if point is not None])
    stretches: list[Stretch] = []
    subcircuits: dict[str, object] = {}
    skipped: list = []
    sections: dict = {}
    for placed, symbol in zip(drawing.symbols, symbols):
        place = Place(path, placed.line)
        inner = _block(placed.name, symbol, files, folder, place, notes, level) if symbol.block else None
        for one in inner.subcircuits if inner is not None else ():
            subcircuits.setdefault(one.name, one)
        card, includes = _card(placed, symbol, nets, place, notes)
        if symbol.block and inner is None:
            includes += [f".lib {name}" for name in _beside(placed.name, files, folder, place)]
        stretches += [Stretch(line, path, placed.line, True) for line in (card, *includes) if line]
    for body, line in drawing.texts:
        found = page(Stretch(body, path, line, True), main=True)
        stretches += found.stretches
        for one in found.subcircuits:
            subcircuits.setdefault(one.name, one)
        skipped += found.skipped
        sections |= found.sections
    named = {point: name for point, name, _ in drawing.flags}
    shown = tuple(f"iopin {direction} v({nets.name(point)})" for point, direction in drawing.ports if point in named)
    return Page(tuple(stretches), tuple(subcircuits.values()), sections, tuple(skipped), shown, kinds), nets.others


def _read(text: str, path: str) -> _Drawing:
    drawing = _Drawing()
    for number, line in enumerate(text.splitlines(), 1):
        word, _, rest = line.partition(" ")
        try:
            if word == "WIRE":
                x1, y1, x2, y2 = (int(part) for part in rest.split()[:4])
                drawing.wires.append(((x1, y1), (x2, y2)))
            elif word == "FLAG":
                x, y, name = rest.split(None, 2)
                drawing.flags.append(((int(x), int(y)), _ODD.sub("_", name.strip()), number))
            elif word == "IOPIN":
                x, y, direction = rest.split()[:3]
                drawing.ports.append(((int(x), int(y)), direction.lower()))
            elif word == "SYMBOL":
                name, x, y, orientation = rest.rsplit(None, 3)
                if orientation[:1] not in ("R", "M") or orientation[1:] not in _ROTATED:
                    raise ValueError
                drawing.symbols.append(_Placed(name, (int(x), int(y)), orientation, number))
            elif word == "SYMATTR" and drawing.symbols:
                key, _, value = rest.partition(" ")
                drawing.symbols[-1].attributes[key] = "" if value.strip() == '""' else value.strip()
            elif word == "TEXT":
                found = rest.split(None, 4)
                body = found[4] if len(found) > 4 else ""
                if body.startswith("!"):
                    drawing.texts.append((body[1:].replace("\\n", "\n"), number))
                elif body.startswith(";"):
                    kept = [part for part in body[1:].split("\\n") if part.lstrip().startswith("*@")]
                    if kept:
                        drawing.texts.append(("\n".join(kept), number))
        except ValueError:
            raise NetlistError(f"this {word} line is damaged", place=Place(path, number), mend="Open and save the drawing in LTspice.") from None
        if len(drawing.wires) + len(drawing.flags) + len(drawing.symbols) > MAX_ITEMS:
            raise NetlistError(f"the drawing has more than {MAX_ITEMS} wires, flags and symbols", place=Place(path, number))
    return drawing


def _loose(drawing: _Drawing, known: list[Symbol | None]) -> set[Point]:
    """Ends of wires, and flags, that meet nothing else."""
    ends = Counter(end for wire in drawing.wires for end in wire)
    flags = Counter(point for point, _, _ in drawing.flags)
    taken = {point for placed, symbol in zip(drawing.symbols, known) if symbol is not None for point in _pins(placed, symbol)}
    free = {point for point in {*ends, *flags} if ends[point] + flags[point] == 1 and point not in taken}
    rows: dict[int, list[tuple[int, int]]] = {}
    columns: dict[int, list[tuple[int, int]]] = {}
    for (x1, y1), (x2, y2) in drawing.wires:
        if y1 == y2:
            rows.setdefault(y1, []).append((min(x1, x2), max(x1, x2)))
        elif x1 == x2:
            columns.setdefault(x1, []).append((min(y1, y2), max(y1, y2)))
    return {(x, y) for x, y in free if not any(a < x < b for a, b in rows.get(y, ())) and not any(a < y < b for a, b in columns.get(x, ()))}


def _guessed(placed: _Placed, points: set[Point], loose: set[Point], place: Place, notes) -> tuple[Symbol, str]:
    """A symbol that is nowhere, by its name and by where the drawing has something to connect to; one without pins if nothing tells."""
    words = tuple(word for key in ("Value", "SpiceModel", "Value2") for word in placed.attributes.get(key, "").split()[:1])

    def within(where: set[Point]):
        return lambda pins: all(point in where for point in _pins(placed, Symbol(pins)))

    found = guessed(placed.name, words, within(points), within(loose))
    base = placed.name.replace("\\", "/").split("/")[-1]
    name = placed.attributes.get("InstName", "")
    if found is None:
        notes.lose(f"{name}: the symbol {placed.name} is not known, and its pins can't be told: it is left out, and what it connects is cut; put {base}.asy beside the drawing", place)
        return Symbol(()), ""
    notes.lose(f"{name}: the symbol {base} is not there; it is taken for a part of the kind {found.kind}, whose pins are where the drawing has something to connect to", place)
    symbol = found.symbol
    if found.kind == "potentiometer" and _SET.search(" ".join(placed.attributes.values())):  # the drawing says where it stands
        symbol = replace(symbol, attributes={key: value for key, value in symbol.attributes.items() if key != "SpiceLine"})
    return symbol, found.kind


def _symbol(placed: _Placed, files: Files, folder: Path | None, place: Place) -> Symbol | None:
    """The symbol: from beside the drawing, else from LTspice's stock; None if it is neither there nor known."""
    parts = placed.name.replace("\\", "/").split("/")
    base = parts[-1]
    found = files.find(f"{base}.asy", folder, place)
    if found is None and len(parts) > 1 and ".." not in parts and ":" not in placed.name:
        found = files.find("/".join(parts) + ".asy", folder, place)  # LTspice's own folders, if the caller names them
    if found is not None:
        return read_symbol(files.read(found, place))
    key = base.lower()
    if key in STOCK:
        return STOCK[key]
    if key in PARTIAL:
        model, pins = PARTIAL[key]
        return Symbol(tuple(pins.get(k, (None, None)) for k in range(1, 9)), {"Prefix": "A", "SpiceModel": model})
    if any(part.lower() == "opamps" for part in parts[:-1]) and opamp_symbol(key) is not None:
        return opamp_symbol(key)
    return None


def _kind(name: str, symbol: Symbol) -> str:
    """What a symbol shows: the arrow of a transistor, the grids of a tube; empty for others."""
    base = name.replace("\\", "/").split("/")[-1].lower()
    tube = next((kind for word, kind in (("triode", "triode"), ("pentode", "pentode"), ("tetrode", "pentode")) if word in base), "")
    return _KINDS.get(symbol.attributes.get("Prefix", ""), tube if symbol.attributes.get("Prefix", "")[:1] == "X" else "")


def _pins(placed: _Placed, symbol: Symbol) -> list[Point | None]:
    """Where the pins are in the drawing."""
    points: list[Point | None] = []
    for pin in symbol.pins:
        if pin[0] is None:
            points.append(None)
            continue
        x, y = transformed(pin, placed.orientation)
        points.append((placed.at[0] + x, placed.at[1] + y))
    return points


def _card(placed: _Placed, symbol: Symbol, nets: Nets, place: Place, notes) -> tuple[str, list[str]]:
    """One line of the netlist, and the ``.lib`` lines that it needs."""
    attributes = {**symbol.attributes, **placed.attributes}
    if placed.attributes.get("SpiceModel") and "Value" not in placed.attributes and symbol is STOCK.get(placed.name.replace("\\", "/").split("/")[-1].lower()):
        if attributes.get("Prefix", "")[:1] == "X" and "=" not in attributes.get("Value", ""):
            attributes.pop("Value", None)  # the same symbol of another collection has no Value; what the drawing names is the subcircuit
    name = _ODD.sub("_", attributes.get("InstName", ""))
    prefix = attributes.get("Prefix", "X" if symbol.block else "")
    if not name or not symbol.pins or prefix[:1] in ("", "@", "&"):
        return "", []
    letter = prefix[0]
    if name[0].lower() != letter.lower():
        name = f"{letter}§{name}"
    nodes = []
    for point in _pins(placed, symbol):
        nodes.append("0" if point is None else nets.name(point))  # an A device's pin that the symbol does not show is grounded
    includes = []
    values = {key: attributes.get(key, "").replace("\\n", " ") for key in _ORDER}
    if letter.lower() == "x":
        if attributes.get("ModelFile"):
            includes.append(f".lib {attributes['ModelFile']}")
        if _FILE.search(values["SpiceModel"]):
            includes.append(f".lib {values['SpiceModel']}")
            values["SpiceModel"] = ""
            if values["Value2"] and "=" not in values["Value2"].split()[0]:
                values["Value"] = ""
    if letter.lower() == "x" and values["SpiceModel"].lower() == values["Value"].lower():
        values["Value"] = ""  # a subcircuit is named once
    if letter.lower() in "vi" and values["Value"] == letter.upper() and not values["SpiceModel"]:
        notes.lose(f"{attributes['InstName']}: nobody gave it a value, and the symbol's own letter stands there; it is taken as 0", place)
        values["Value"] = "0"
    if symbol.block:
        values["SpiceModel"] = placed.name.replace("\\", "/").split("/")[-1]
        values["Value"] = ""
    text = " ".join(value for key in _ORDER if (value := values[key]))
    return " ".join([name, *nodes, " ".join(text.split("\n"))]), includes


def _beside(name: str, files: Files, folder: Path | None, place: Place) -> list[str]:
    """Libraries of a symbol's name: what a block without a drawing must stand for."""
    base = name.replace("\\", "/").split("/")[-1]
    return [found for suffix in (".sub", ".lib", ".cir") if files.find(found := base + suffix, folder, place) is not None]


def _block(name: str, symbol: Symbol, files: Files, folder: Path | None, place: Place, notes, level: int) -> Page | None:
    """The drawing behind a symbol, as a subcircuit whose pins are its flags; None where there is no drawing, but a subcircuit of that name may be."""
    base = name.replace("\\", "/").split("/")[-1]
    if level >= MAX_LEVELS:
        raise NetlistError(f"the drawing {base} contains itself, or drawings are nested more than {MAX_LEVELS} deep", place=place)
    found = files.find(f"{base}.asc", folder, place)
    if found is None:
        notes.lose(f"the symbol {base} stands for a drawing, {base}.asc, which is not there; a subcircuit of that name is taken", place)
        return None
    inner, _ = drawing_page(files.read(found, place), str(found), files, found.parent, notes, level + 1)
    lines = [stretch.text for stretch in inner.stretches]
    nested = [one.stretch.text + "\n.ends" for one in inner.subcircuits]
    ports = " ".join(_ODD.sub("_", port) for port in symbol.names)
    text = "\n".join([f".subckt {base} {ports}", *lines, *nested, ".ends"])
    return page(Stretch(text, str(found), 1, True), main=True)
