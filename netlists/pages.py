"""What a file holds before anything in it is understood: its own lines, and its subcircuits by name, unopened.

A subcircuit's body is a stretch of text until somebody uses it; so a bad line in one tube of a library harms nobody who
uses another, and five thousand subcircuits cost no more than finding their names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import islice
from typing import Iterator, NamedTuple

from circuits.errors import NetlistError, Place
from netlists.lexer import Line, logical_lines

_CONTENT = re.compile(r"\n[ \t]*(?:[^*#\s]|\*@)")  # a line that is neither blank nor a comment
MAX_DIRECTIVES = 300_000  # that structure a file: fifty times the largest library in circulation
_STRUCTURE = re.compile(r"\n[ \t]*\.(subckt|macro|ends|eom|control|endc|endl|end|lib)\b([^\n]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Whole lines of a file: their text and the number of the first.

    ``still``: they all stand in line ``first``, as the lines of a text in a drawing do.
    """

    text: str
    path: str
    first: int
    still: bool = False

    def lines(self) -> Iterator[Line]:
        """As logical lines."""
        return logical_lines(self.text, self.path, self.first, 0 if self.still else 1)


class Subcircuit(NamedTuple):
    """``.subckt`` up to its ``.ends``, unopened: a name and where it lies in the text; the rest is worked out when it is used."""

    name: str
    text: str
    start: int
    stop: int
    origin: Stretch
    closed: bool

    @property
    def stretch(self) -> Stretch:
        """Its lines; the first logical line is the header."""
        origin = self.origin
        first = origin.first if origin.still else origin.first - 1 + self.text.count("\n", 0, self.start)
        return Stretch(self.text[self.start:self.stop], origin.path, first, origin.still)

    @property
    def place(self) -> Place:
        """Where it begins."""
        return Place(self.origin.path, self.stretch.first)


@dataclass(frozen=True, slots=True)
class Page:
    """A file, or the body of a subcircuit.

    Parameters
    ----------
    stretches : tuple of Stretch
        What stands outside subcircuits.
    subcircuits : tuple of Subcircuit
        In order.
    sections : mapping of str to Stretch
        ``.lib NAME`` ... ``.endl``.
    skipped : tuple of (str, Place)
        What was left out: ``.control`` blocks, lines after ``.end``.
    shown : tuple of str
        Lines of ``.control`` blocks, which may name what the author looks at.
    kinds : mapping of (str, int) to str
        Path and line of a part to the kind that a drawing shows it to be.
    """

    stretches: tuple[Stretch, ...]
    subcircuits: tuple[Subcircuit, ...]
    sections: dict[str, Stretch] = field(default_factory=dict)
    skipped: tuple[tuple[str, Place], ...] = ()
    shown: tuple[str, ...] = ()
    kinds: dict[tuple[str, int], str] = field(default_factory=dict)


def page(stretch: Stretch, *, main: bool) -> Page:
    """Find the structure of a stretch of text.

    Parameters
    ----------
    stretch : Stretch
        The text; a title line must be gone.
    main : bool
        True for the user's own deck, in which an unbalanced subcircuit is an error at once; in a library it is one only when used.

    Raises
    ------
    NetlistError
        For ``.subckt`` without ``.ends`` or the reverse, in the user's own deck.
    """
    text, path = "\n" + stretch.text.replace("\r\n", "\n").replace("\r", "\n"), stretch.path
    count = _Counter(text, stretch.first - 1, stretch.still)
    stretches: list[Stretch] = []
    subcircuits: list[Subcircuit] = []
    sections: dict[str, Stretch] = {}
    skipped: list[tuple[str, Place]] = []
    shown: list[str] = []
    has_sections = ".endl" in text or ".ENDL" in text
    depth, opened, begin = 0, None, 0     # begin: where the present outside stretch starts
    control, section, flat = -1, None, False
    matches = list(islice(_STRUCTURE.finditer(text), MAX_DIRECTIVES))
    if len(matches) == MAX_DIRECTIVES:
        raise NetlistError(f"more than {MAX_DIRECTIVES} lines of .subckt, .ends and their like", place=Place(path))
    position = 0

    def outside(stop: int) -> None:
        if stop > begin and _CONTENT.search(text, begin, stop) is not None:
            stretches.append(Stretch(text[begin + 1:stop], path, count.line(begin + 1), stretch.still))

    while position < len(matches):
        match = matches[position]
        position += 1
        word, at = match[1].lower(), match.start()
        if section is not None and word != "endl":
            continue
        if control >= 0:
            if word == "endc":
                shown += text[control:at].splitlines()
                skipped.append((".control block", Place(path, count.line(control + 1))))
                control, begin = -1, match.end()
            continue
        if word == "control":
            if depth == 0:
                outside(at)
                control = at
        elif word in ("subckt", "macro"):
            if depth == 0:
                outside(at)
                opened, depth = match, 1
            elif flat:
                subcircuits.append(_subcircuit(text, opened, at, stretch, False))
                opened = match
            else:
                depth += 1
        elif word in ("ends", "eom"):
            if depth == 0:
                if main:
                    raise NetlistError(".ends without .subckt", place=Place(path, count.line(at + 1)), mend="Remove it, or add the .subckt.")
                continue
            depth -= 1
            if depth == 0:
                subcircuits.append(_subcircuit(text, opened, at, stretch, True))
                begin = match.end()
        elif depth:
            if word == "end" and main:
                break
        elif word == "end":
            if main:
                if text[match.end():].strip():
                    skipped.append(("what follows .end", Place(path, count.line(match.end() + 1))))
                outside(at)
                begin = len(text)
                break
        elif word == "lib" and has_sections and len(match[2].split("*")[0].split(";")[0].split()) == 1:
            outside(at)
            section, begin = match, at
        elif word == "endl" and section is not None:
            sections[section[2].split()[0].strip("'\"").lower()] = Stretch(
                text[section.end():at], path, count.line(section.end()), stretch.still)
            section, begin = None, match.end()
        if position == len(matches) and depth and not main and not flat:
            # an end is missing somewhere in this library: from here on every subcircuit reaches to the next, whatever is nested
            flat, depth = True, 0
            position = next(k for k, other in enumerate(matches) if other.start() == opened.start())
            begin = opened.start()
    if depth and not main:
        subcircuits.append(_subcircuit(text, opened, len(text), stretch, False))
        depth, begin = 0, len(text)
    if depth:
        name = opened[2].split("(")[0].split()[:1] or ["?"]
        raise NetlistError(f"the subcircuit {name[0]} has no .ends", place=Place(path, count.line(opened.start() + 1)), mend="Add .ends.")
    if control >= 0:
        skipped.append((".control block", Place(path, count.line(control + 1))))
    else:
        outside(len(text))
    return Page(tuple(stretches), tuple(subcircuits), sections, tuple(skipped), tuple(shown))


class _Counter:
    """Line numbers of rising offsets, counting every character once; falling back costs a new count."""

    def __init__(self, text: str, first: int, still: bool):
        self.text, self.base, self.still = text, first, still
        self.offset, self.count = 0, 0

    def line(self, offset: int) -> int:
        if offset < self.offset:
            self.offset, self.count = 0, 0
        self.count += self.text.count("\n", self.offset, offset)
        self.offset = offset
        return self.base + (1 if self.still else self.count)


def _subcircuit(text: str, match, stop: int, origin: Stretch, closed: bool) -> Subcircuit:
    name = match[2].replace("(", " ").split(None, 1)
    return Subcircuit(name[0].lower() if name else "", text, match.start() + 1, stop, origin, closed)
