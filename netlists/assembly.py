"""The workbench on which parts become elements: the fields of one part, and the elements made so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from circuits.circuit import Card, Element
from circuits.elements import Coupling
from circuits.errors import NetlistError, Place
from circuits.expressions import Value
from netlists.deck import Deck
from netlists.expand import Scope
from netlists.lexer import Span
from netlists.statements import Part
from netlists.words import Assignment, Word, assignments, plain, words

# said by the makers of parts and by drawing programs; no simulator needs them
BOOKKEEPING = frozenset(("tol", "pwr", "mfg", "mfr", "type", "irms", "ipk", "vrms", "vceo", "icrating", "iave", "vpk", "vds", "qg", "pn",
                         "footprint", "sim.device", "description", "noiseless", "nojacob", "temp", "dtemp", "noisy", "scale", "rating", "manf",
                         "manufacturer", "spiceline", "spice_node_sequence"))


@dataclass
class Fields:
    """One part, cut into words and assignments.

    Parameters
    ----------
    part : Part
        The statement.
    scope : Scope
        The instance that it stands in.
    words : list of Word
        What stands before the first assignment, without parentheses and commas.
    values : dict of str to Assignment
        The assignments, by lower-case name; `take` removes them.
    """

    part: Part
    scope: Scope
    words: list[Word]
    values: dict[str, Assignment] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Flat name."""
        return self.scope.element_name(self.part.name)

    @property
    def place(self) -> Place:
        """Where the part stands."""
        return self.part.place

    def fail(self, what: str, mend: str = "", place: Place | None = None):
        """Raise a NetlistError about this part."""
        raise NetlistError(f"{self.part.written} {what}", mend=mend, place=place or self.place, element=self.name)

    def nodes(self, count: int) -> tuple[str, ...]:
        """Take the first words as nodes."""
        if len(self.words) < count:
            self.fail(f"needs {count} nodes, not {len(self.words)}")
        found = tuple(self.scope.node(word.text) for word in self.words[:count])
        del self.words[:count]
        return found

    def take(self, *names: str) -> Span | None:
        """Take the text of the first of these assignments that is given."""
        for name in names:
            if name in self.values:
                return self.values.pop(name).value
        return None

    def number(self, *names: str) -> Value | None:
        """Take an assignment as a value; flags behind it are kept as words."""
        span = self.take(*names)
        if span is None:
            return None
        value, rest = self.scope.first_value(span)
        if rest.text:
            self.words += plain(words(rest))
        return value

    def whole(self, span: Span) -> Value:
        """The value of a whole stretch."""
        return self.scope.value(span)

    def word_value(self, word: Word) -> Value:
        """The value of one word or group."""
        return self.scope.value(word.span)

    def finish(self, notes) -> None:
        """Tell about everything that nobody has taken."""
        for name, assignment in self.values.items():
            if name in BOOKKEEPING:
                notes.once("bookkeeping", "ratings and maker's names (tol, pwr, mfg ...) are left out", assignment.place_of.place())
            else:
                notes.lose(f"{self.part.written}: {name}= is not understood and left out", assignment.place_of.place())
        for word in self.words:
            if word.lower not in BOOKKEEPING:
                notes.lose(f"{self.part.written}: {word.text} is not understood and left out", word.span.place())


def fields(part: Part, scope: Scope) -> Fields:
    """Cut a part."""
    head, found = assignments(part.tail)
    values: dict[str, Assignment] = {}
    for one in found:
        if one.name in values:
            raise NetlistError(f"{part.written} gives {one.name}= twice", place=one.place_of.place(), element=part.name)
        values[one.name] = one
    return Fields(part, scope, plain(words(head)), values)


class Assembly:
    """The elements made so far, by name."""

    def __init__(self, deck: Deck):
        self.deck = deck
        self.elements: dict[str, Element] = {}
        self.cores: list[tuple[tuple[str, ...], Card, Coupling]] = []  # coils, their CORE model, and the K line
        self.played: list[str] = []  # sources that play a file: they are the input

    @property
    def notes(self):
        """Where to tell things."""
        return self.deck.notes

    def add(self, element: Element) -> None:
        """Take an element in; raises NetlistError if its name is taken."""
        if element.name in self.elements:
            first = self.elements[element.name].place
            raise NetlistError(f"there are two elements called {element.name}", place=element.place, element=element.name,
                               mend=f"The first stands in line {first.line}; rename one." if first else "")
        self.elements[element.name] = element
