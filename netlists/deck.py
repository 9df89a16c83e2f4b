"""What one reading of a deck shares: its files, its notes, its limits, and every statement sorted by what it is for.

A subcircuit is opened when somebody uses it, and no sooner. What a page itself says wins over what it includes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Iterable, Iterator

from circuits.circuit import Element
from circuits.errors import LONGEST, CircuitError, NetlistError, Place
from circuits.expressions import Value, evaluate, names
from netlists.files import Files, OutsideError
from netlists.lexer import Line, Span
from netlists.pages import Page, Stretch, Subcircuit, page
from netlists.statements import CONDITIONAL, SHOWING, Foreign, FunctionText, Include, Model, Parameters, Part, Statement, statement

MAX_PARTS = 100_000
MAX_LINES = 300_000       # of all files and all opened subcircuits
MAX_WORK = 3_000_000      # parts of all expressions together, shared ones counted every time: some ten seconds
_NOT_BLANK = re.compile(r"[ \t]*([^ \t\n])")
MAX_INCLUDES = 500
MAX_INCLUDE_LEVELS = 20  # files inside each other


class Notes:
    """What the reader wants to tell, each thing once; ``strict`` turns a loss into an error."""

    def __init__(self, strict: bool = False):
        self.strict = strict
        self.texts: dict[str, None] = {}
        self._kinds: dict[str, int] = {}

    def say(self, text: str, place: Place | None = None) -> None:
        """A thing that does not change the result."""
        text = text if len(text) <= LONGEST else f"{text[:LONGEST - 200]} ... {text[-150:]}"
        self.texts[f"{place}: {text}" if place is not None and str(place) else text] = None

    def lose(self, text: str, place: Place | None = None) -> None:
        """A thing that is not understood and may change the result."""
        if self.strict:
            raise NetlistError(text, place=place, mend="Read it without --strict to go on regardless.")
        self.say(text, place)

    def once(self, kind: str, text: str, place: Place) -> None:
        """A thing of which only the first is told, with the number of all."""
        if kind not in self._kinds:
            self.say(text, place)
        self._kinds[kind] = self._kinds.get(kind, 0) + 1


@dataclass
class Choice:
    """``.if`` to ``.endif``: for each branch its condition (None for ``.else``) and its lines, unread until one is taken."""

    line: Line
    beside: Path | None
    level: int
    library: bool
    branches: list[tuple[Span | None, list[Line]]] = field(default_factory=list)


@dataclass
class Contents:
    """All statements of a scope, sorted, with everything that it includes."""

    parts: list[Part] = field(default_factory=list)
    subcircuits: dict[str, Subcircuit] = field(default_factory=dict)
    models: dict[str, Model] = field(default_factory=dict)
    functions: dict[str, FunctionText] = field(default_factory=dict)
    parameters: dict[str, tuple[Span, Place]] = field(default_factory=dict)
    others: list[Statement] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    header: Line | None = None

    def copy(self) -> "Contents":
        """Lists and tables of its own: what an instance takes of its choices is not seen by the others."""
        return Contents(list(self.parts), dict(self.subcircuits), dict(self.models), dict(self.functions), dict(self.parameters), list(self.others),
                        list(self.choices), self.header)


def _with_end(lines: Iterator[Line], final: bool) -> Iterator[tuple[Line, bool]]:
    """Each line, and whether the stretch ends with it although the page goes on."""
    before = None
    for line in lines:
        if before is not None:
            yield before, False
        before = line
    if before is not None:
        yield before, not final


class Deck:
    """What is shared by all scopes of one reading: files, notes, flat parameters, limits."""

    def __init__(self, files: Files, notes: Notes, laws=None):
        self.files = files
        self.notes = notes
        self.laws = laws  # reads a fitted law from a file; see netlists.learned
        self.parameters: dict[str, Value] = {}
        self.places: dict[str, Place] = {}
        self.flat: list[tuple[Part, object]] = []
        self.conditions: list[tuple[object, object]] = []
        self.globals: set[str] = set()
        self.consulted: set[str] = set()  # parameters that conditions of .if read
        self.aliases: dict[str, str] = {}
        self.pins: tuple[str, ...] = ()  # of the subcircuit that is played where a file holds nothing else
        self.kinds: dict[tuple[str, int], str] = {}  # what drawings show parts to be, by path and line
        self.auxiliaries: list[Element] = []
        self.missing: list[tuple[str, Place]] = []
        self.outside: list[OutsideError] = []
        self.from_zero: Place | None = None  # of the .tran line that says uic or startup
        self.shown: list[str] = []  # instructions to other programs that name voltages to look at
        self.sensed: dict[str, Place] = {}
        self.probed: dict[str, Place] = {}
        self.temperature = 27.0
        self.instances = 0
        self.included = 0
        self.read_lines = 0
        self.work = 0
        self._opened: dict[int, Contents] = {}
        self._keep: list[Subcircuit] = []

    def gather(self, found: Page, beside: Path | None, contents: Contents, *, main: bool, level: int = 0, library: bool = False) -> Contents:
        """Sort the statements of a page into ``contents``; what the page itself says wins over what it includes."""
        for what, place in found.skipped:
            self.notes.once(what, f"skipped: {what}", place)
        self.kinds.update(found.kinds)
        if main:
            self.shown += found.shown
        own: set[str] = set()
        for subcircuit in found.subcircuits:
            if subcircuit.name in own:
                self.notes.once(f"twice {found.subcircuits[0].origin.path}", f"the subcircuit {subcircuit.name} is defined again; the first definition is used", subcircuit.place)
            own.add(subcircuit.name)
            contents.subcircuits.setdefault(subcircuit.name, subcircuit)
        lines = ((line, last) for number, stretch in enumerate(found.stretches, 1) for line, last in _with_end(stretch.lines(), number == len(found.stretches)))
        self.sort(lines, beside, contents, main=main, level=level, library=library)
        return contents

    def sort(self, lines: Iterable[tuple[Line, bool]], beside: Path | None, contents: Contents, *, main: bool, level: int, library: bool = False) -> None:
        """Sort lines into ``contents``, those between ``.if`` and ``.endif`` unread; True beside a line says that a block (.subckt) follows it."""
        includes: list[Include] = []
        choice, depth = None, 0
        for line, broken in lines:
            self.read_lines += 1
            if self.read_lines > MAX_LINES:
                raise NetlistError(f"more than {MAX_LINES} lines of netlist", place=line.place())
            try:
                word = CONDITIONAL.match(line.text)
                if word is None and choice is None:
                    said = statement(line)
                    if library and isinstance(said, Part):  # LTspice: elements outside subcircuits are ignored, and so is a title in the first line
                        self.notes.once(f"{line.path} elements", f"skipped: what stands outside the subcircuits of {Path(line.path).name}", line.place())
                    else:
                        self._sort(said, contents, includes, level)
                    continue
                kind = word[1].lower() if word else ""
                depth += (kind == "if") - (kind == "endif")
                if kind == "if" and depth == 1:
                    choice = Choice(line, beside, level, library, [(line.span().part(word.end(), len(line.text)).strip(), [])])
                elif choice is None:
                    depth = 0
                    raise NetlistError(f".{kind} without .if", place=line.place(), mend="Remove it, or add the .if.")
                elif depth == 0:
                    contents.choices.append(choice)
                    choice = None
                elif depth == 1 and kind and kind != "endif":
                    condition = None if kind == "else" else line.span().part(word.end(), len(line.text)).strip()
                    choice.branches.append((condition, []))
                else:
                    choice.branches[-1][1].append(line)
                if choice is not None and broken:
                    raise NetlistError("a subcircuit or a .control block stands inside .if, where it is not read", place=choice.line.place(),
                                       mend="Put the .if inside the .subckt.")
            except NetlistError as error:
                if main:
                    raise
                self.notes.lose(f"skipped, for {error.what}", error.place)
        if choice is not None:
            lost = NetlistError(".if without .endif", place=choice.line.place(), mend="Add .endif.")
            if main:
                raise lost
            self.notes.lose(f"skipped, for {lost.what}", lost.place)
        for include in includes:
            self._include(include, beside, contents, level)

    def number(self, value: Value) -> float:
        """The present value of a formula of parameters; raises CircuitError if it has none."""
        return self._number(value, {}, ())

    def _number(self, value: Value, known: dict[str, float], path: tuple[str, ...]) -> float:
        if isinstance(value, (int, float)):
            return float(value)
        for name in names(value):
            if name in path or len(path) > 200:
                raise CircuitError(f"the parameter {name!r} is defined by itself")
            if name not in self.parameters:
                raise CircuitError(f"the parameter {name!r} is not defined")
            if name not in known:
                known[name] = self._number(self.parameters[name], known, (*path, name))
        return evaluate(value, known)

    def kind_of(self, part: Part) -> str:
        """What the drawing shows a part to be; empty where no drawing tells."""
        return self.kinds.get((part.place.path, part.place.line), "")

    def not_found(self) -> str:
        """What to say of the includes that were not read, where something is not defined; empty if there are none."""
        if self.outside:
            return f"{self.outside[0].what}. {self.outside[0].mend}"
        listed = ", ".join(f"{path} (line {place.line})" for path, place in self.missing[:3])
        return f"Not found: {listed}." if listed else ""

    def _sort(self, said: Statement, contents: Contents, includes: list[Include], level: int) -> None:
        if isinstance(said, Part):
            contents.parts.append(said)
            if len(contents.parts) > MAX_PARTS:
                raise NetlistError(f"more than {MAX_PARTS} elements", place=said.place)
        elif isinstance(said, Model):
            first = contents.models.setdefault(said.name, said)
            if first is not said and level == 0:
                self.notes.once("model twice", f"the model {said.name} is defined again; the first definition is used", said.line.place())
        elif isinstance(said, FunctionText):
            contents.functions.setdefault(said.name, said)
        elif isinstance(said, Parameters):
            for one in said.values:
                if one.arguments is not None:
                    contents.functions.setdefault(one.name, FunctionText(one.name, one.arguments, one.value, said.line))
                elif level == 0 or one.name not in contents.parameters:
                    contents.parameters[one.name] = (one.value, one.place_of.place())
        elif isinstance(said, Include):
            includes.append(said)
        elif isinstance(said, Foreign):
            if said.keyword == "tran" and {"uic", "startup"} & set(said.line.text.lower().split()):
                self.from_zero = said.line.place()
            if said.keyword in SHOWING:
                self.shown.append(said.line.text)
            if said.known:
                self.notes.once(said.keyword, f"skipped: .{said.keyword} is an instruction to another program", said.line.place())
            else:
                self.notes.lose(f"skipped: .{said.keyword} is not understood", said.line.place())
        else:
            contents.others.append(said)

    def _include(self, include: Include, beside: Path | None, contents: Contents, level: int) -> None:
        place = include.line.place()
        if level >= MAX_INCLUDE_LEVELS:
            raise NetlistError(f"{include.path!r} is included in a circle, or more than {MAX_INCLUDE_LEVELS} deep", place=place)
        self.included += 1
        if self.included > MAX_INCLUDES:
            raise NetlistError(f"more than {MAX_INCLUDES} includes", place=place)
        try:
            path = self.files.find(include.path, beside, place)
        except OutsideError as error:  # not read, as if it were not there: the catalogue may have what it holds, and the caller may name its folder
            path = None
            self.outside.append(error)
        if path is None:
            self.missing.append((include.path, place))
            return
        inner = page(Stretch(self.files.read(path, place), str(path), 1), main=False)
        if include.section:
            if include.section not in inner.sections:
                known = ", ".join(sorted(inner.sections)[:8]) or "none"
                raise NetlistError(f"{path.name} has no section {include.section!r}", place=place, mend=f"Sections: {known}.")
            inner = page(inner.sections[include.section], main=False)
        self.gather(inner, path.parent, contents, main=False, level=level + 1, library=include.library)

    def open(self, subcircuit: Subcircuit) -> Contents:
        """The contents of a subcircuit, read on first use."""
        known = self._opened.get(id(subcircuit))
        if known is not None:
            return known
        if not subcircuit.closed:
            raise NetlistError(f"the subcircuit {subcircuit.name} has no .ends", place=subcircuit.place, mend="Add .ends.")
        stretch = subcircuit.stretch
        text, begin, first = stretch.text, 0, stretch.first
        while True:  # the header reaches over its continuation lines and the comments between them
            end = text.find("\n", begin)
            begin = end + 1 if end >= 0 else len(text)
            first += 0 if stretch.still else 1
            following = _NOT_BLANK.match(text, begin)
            if begin == len(text) or (following is not None and following[1] not in ("+", "*", "#")) or following is not None and text.startswith("*@", following.start(1)):
                break
        header = next(Stretch(text[:begin], stretch.path, stretch.first, stretch.still).lines())
        rest = text[begin:]
        beside = Path(stretch.path).parent if stretch.path else None
        contents = self.gather(page(Stretch(rest, stretch.path, first, stretch.still), main=True), beside, Contents(header=header), main=True)
        self._opened[id(subcircuit)] = contents
        self._keep.append(subcircuit)  # its id must not be given to another
        return contents
