"""The face of the room: a netlist as a file or as text in, a `Circuit` out.

    text -> logical lines -> statements -> flat parts in their scopes -> Circuit

Nothing in a netlist is executed, and nothing is read outside its folder and the include paths that the caller gives.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Sequence

from circuits.circuit import Circuit
from circuits.errors import AmpwrightError, NetlistError, Place
from netlists.asc import drawing_page
from netlists.build import build, settle_temperature
from netlists.deck import Contents, Deck, Notes
from netlists.declarations import collect
from netlists.expand import Scope, header
from netlists.files import Files
from netlists.learned import LawReader
from netlists.lexer import MAX_BYTES, Line, Span, decode
from netlists.pages import Page, Stretch, page
from netlists.schx import fill
from netlists.statements import Part, statement

_FOREIGN_FORMATS = (
    ("(kicad_sch", "a KiCad schematic", "In KiCad: Inspect > Simulator, or File > Export > Netlist > SPICE."),
    ("(export", "a KiCad board netlist", "In KiCad: File > Export > Netlist > SPICE."),
    ("EESchema", "a KiCad schematic or symbol library", "In KiCad: File > Export > Netlist > SPICE."),
    ("(kicad_symbol_lib", "a KiCad symbol library", "In KiCad: File > Export > Netlist > SPICE from the schematic that uses it."),
    ("<Qucs", "a Qucs schematic", "In Qucs-S: Simulation > Save netlist."))

_LIKE_A_PART = re.compile(r"[RCL]\d+\s+\w+\s+\w+\s+[\d.{]", re.IGNORECASE)  # what people put first who don't know that SPICE skips it
OPEN_PIN = 1e9  # ohms from the pins of a subcircuit that is played alone to ground: those that it only looks at are there, too


def read(path, *, input: str | None = None, output: str | None = None, controls: Sequence[str] = (), include_paths: Sequence = (),
         strict: bool = False, laws: LawReader | None = None) -> Circuit:
    """Read a netlist.

    Parameters
    ----------
    path : path-like
        The file.
    input : str or None
        Source that the audio drives, or a node that gets a source of its own; overrides the deck's declaration.
    output : str or None
        Nodes to listen to, separated by blanks; ``a,b`` is a difference.
    controls : sequence of str
        Further controls, each written as behind ``*@ control``.
    include_paths : sequence of path-like
        Folders outside the netlist's own that it may include from.
    strict : bool
        Refuse what is not understood instead of noting it.
    laws : callable or None
        Reads the file that ``law=`` of a D or B names; see `netlists.learned`.

    Returns
    -------
    Circuit

    Raises
    ------
    NetlistError
        With file, line and column, for anything that can't be read.
    """
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise NetlistError(f"the file has {path.stat().st_size / 1e6:.0f} MB", place=Place(str(path)), mend="A netlist may have 32 MB.")
        data = path.read_bytes()
    except OSError as error:
        raise NetlistError(f"can't be read: {error.strerror or error}", place=Place(str(path))) from None
    try:
        return read_text(decode(data, str(path)), path=str(path), folder=path.resolve().parent, input=input, output=output, controls=controls,
                         include_paths=include_paths, strict=strict, laws=laws)
    except AmpwrightError as error:  # what is amiss with the deck as a whole has no line
        if error.place is None:
            error.place = Place(str(path))
        raise


def read_text(text: str, *, path: str = "", folder=None, input: str | None = None, output: str | None = None, controls: Sequence[str] = (),
              include_paths: Sequence = (), strict: bool = False, laws: LawReader | None = None) -> Circuit:
    """Read a netlist from text; see `read` for the other parameters.

    Parameters
    ----------
    text : str
        The deck; its first line is its title.
    path : str
        What messages call it.
    folder : path-like or None
        Folder below which it may include; None forbids includes other than from ``include_paths``.

    Examples
    --------
    >>> circuit = read_text("low-pass\\nVin in 0 AC 1\\nR1 in out 4k7\\nC1 out 0 47n\\n")
    >>> circuit.input, circuit.outputs, circuit.element("r1").value
    ('vin', ('out',), 4700.0)
    """
    _refuse_foreign(text, path)
    notes = Notes(strict)
    folder = Path(folder) if folder is not None else None
    deck = Deck(Files(folder, [Path(one) for one in include_paths]), notes, laws)
    drawn = _is_livespice(text)
    found, title = (Page((), ()), "") if drawn else _page(text, path, deck, folder)
    contents = deck.gather(found if drawn else _alone(found, deck), folder, Contents(), main=True)
    top = Scope(deck, contents)
    settle_temperature(deck, top)
    _steps(top)
    top.define({}, {})
    wishes = collect(top, input, output, tuple(_span(one) for one in controls))
    if drawn:
        title = fill(text, path, deck, top, wishes) or (Path(path).stem if path else "drawing")
    top.expand()
    barred = {error.place: error.mend for error in deck.outside}
    for missing, place in deck.missing:
        why = f"leaves the folder of the netlist and is not read ({barred[place].rstrip('.')})" if place in barred else "is not found"
        notes.lose(f"'{missing}' {why}; nothing that is used is known to need it", place)
    return build(deck, top, wishes, title, path)


def _page(text: str, path: str, deck: Deck, folder: Path | None) -> tuple[Page, str]:
    """The page of a deck or of a drawing, and its title."""
    if text.lstrip("\ufeff \t\r\n").startswith("Version 4"):
        found, others = drawing_page(text, path, deck.files, folder, deck.notes)
        deck.aliases.update(others)
        return found, Path(path).stem if path else "drawing"
    title, _, body = text.replace("\r\n", "\n").replace("\r", "\n").partition("\n")
    first = 2
    if title.lstrip().startswith("*@"):
        body, first = text, 1
    elif title.strip().lower().startswith((".include", ".inc ", ".lib ")):  # ngspice, too, follows an include in the first line
        body, first = text, 1
    elif title.strip()[:1] == "." and not title.strip().lower().startswith(".title"):
        deck.notes.say("the first line is the title, although it looks like a directive", Place(path, 1))
    elif _LIKE_A_PART.match(title.strip()):
        deck.notes.say("the first line is the title, although it looks like an element; if it is one, put a title above it", Place(path, 1))
    return page(Stretch(body, path, first), main=True), title.strip().lstrip("*").strip()


def _alone(found: Page, deck: Deck) -> Page:
    """A page that holds subcircuits and no element plays the only one of them that no other one uses: its pins become nodes."""
    if not found.subcircuits or any(isinstance(statement(line), Part) for stretch in found.stretches for line in stretch.lines()):
        return found
    bodies = {one.name: set(one.stretch.text.lower().split()) for one in found.subcircuits}
    free = [one for one in found.subcircuits if not any(one.name in words for name, words in bodies.items() if name != one.name)]
    if len(free) != 1 or not free[0].closed:
        return found
    line = next(free[0].stretch.lines())
    pins, _ = header(line)
    deck.pins = tuple(pin.lower() for pin in pins)
    deck.notes.say(f"the file holds the subcircuit {free[0].name} and no element: it is played, and its pins are nodes, each with {OPEN_PIN:g} ohms to ground", free[0].place)
    body = "\n".join([f"x_{free[0].name} {' '.join(pins)} {free[0].name}", *(f"rpin{k}_{free[0].name} {pin} 0 {OPEN_PIN:g}" for k, pin in enumerate(dict.fromkeys(deck.pins), 1))])
    played = Stretch(body, line.path, free[0].place.line, True)
    return replace(found, stretches=(*found.stretches, played))


def _is_livespice(text: str) -> bool:
    return re.match(r"\ufeff?\s*(<\?xml[^>]*\?>)?\s*(<!--.*?-->\s*)*<Schematic\b", text[:4000], re.DOTALL) is not None


def _refuse_foreign(text: str, path: str) -> None:
    start = text.lstrip("\ufeff \t\r\n")[:200]
    if start.startswith("<") and not _is_livespice(text):
        raise NetlistError("this is an XML or HTML file, not a SPICE netlist", place=Place(path), mend="Export a SPICE netlist from the program that wrote it.")
    for sign, what, mend in _FOREIGN_FORMATS:
        if start.startswith(sign):
            raise NetlistError(f"this is {what}, not a SPICE netlist", place=Place(path), mend=mend)


def _steps(top: Scope) -> None:
    """``.step param NAME ...``: the parameter's own value, or else the first of the steps."""
    for said in top.contents.others:
        if getattr(said, "verb", "") != "step" or hasattr(said, "values"):
            continue
        found = said.tail.text.replace("{", " ").replace("}", " ").replace("=", " ").split()
        place = said.line.place()
        while found and found[0].lower() in ("oct", "dec", "lin"):
            found.pop(0)
        if len(found) < 3 or found[0].lower() != "param":
            top.deck.notes.once("step", "skipped: .step is an instruction to another program", place)
            continue
        name = found[1].lower()
        first = found[3] if found[2].lower() == "list" and len(found) > 3 else found[2]
        if name in top.contents.parameters:
            top.deck.notes.say(f".step: {name} stays at its .param; turn it with --set", place)
        else:
            at = said.tail.text.find(first)
            top.contents.parameters[name] = (said.tail.part(at, at + len(first)), place)
            top.deck.notes.say(f".step: {name} is taken at its first value, {first}; turn it with --set", place)


def _span(text: str) -> Span:
    """A stretch for text that stands on no page: a caller's wish."""
    return Span(Line(text, "", (0,), ((0, 0),)), 0, len(text))
