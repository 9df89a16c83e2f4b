"""D and B whose law was fitted: ``law="diode.json"`` names a block file, read by whoever knows such files.

``D1 a k law="f.json"`` (or a ``.model M D(law="f.json")``) carries f(V(a, k)) amperes from a to k; ``B1 a b law="f.json"`` likewise;
``B1 a b law="f.json" v=V(c)`` puts f(V(c)) volts between a and b, ``i=`` that many amperes through it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Mapping, Protocol

from circuits.elements import BehaviouralCurrent, BehaviouralVoltage
from circuits.errors import ModelFileError, NetlistError
from circuits.expressions import Expression
from netlists.assembly import Assembly, Fields
from netlists.lexer import Span
from netlists.statements import split_model
from netlists.trees import expression
from netlists.words import plain, words


class Law(Protocol):
    """A static law with numbers of its own."""

    def expression(self, x: Expression, prefix: str) -> Expression:
        """Its output for the input ``x``; its numbers appear as parameters ``prefix.name``."""

    def numbers(self, prefix: str) -> Mapping[str, float]:
        """Those parameters."""


LawReader = Callable[[Path], Law]


def learned(assembly: Assembly, fields: Fields) -> bool:
    """Make the element if its law comes from a file; False if none is named."""
    span = fields.take("law") or _of_model(fields)
    if span is None:
        return False
    law = _law(assembly, fields, span)
    nodes = fields.nodes(2)
    volts, amperes = fields.take("v"), fields.take("i")
    if fields.part.letter == "d":
        del fields.words[:1]  # the model's name
    x = expression(fields.whole(volts or amperes)) if volts or amperes else fields.scope.voltage_between(nodes)
    kind = BehaviouralVoltage if volts else BehaviouralCurrent
    assembly.deck.parameters.update(law.numbers(fields.name))
    made = law.expression(x, fields.name)
    assembly.add(kind(fields.name, nodes, made, fields.place))
    return True


def _of_model(fields: Fields) -> Span | None:
    """``law=`` of the model that a diode names."""
    if fields.part.letter != "d" or len(fields.words) < 3:
        return None
    found = fields.scope.model(fields.words[2].lower)
    if found is None:
        return None
    kind, _, assigned, _ = split_model(found[0])
    return next((one.value for one in assigned if kind == "d" and one.name == "law"), None)


def _law(assembly: Assembly, fields: Fields, span: Span) -> Law:
    deck, place = assembly.deck, span.place()
    named = plain(words(span))
    name = named[0].text.strip("'\"{}") if len(named) == 1 else ""
    if not name:
        fields.fail("names no file as its law", 'Write law="file.json".', place)
    if deck.laws is None:
        fields.fail(f"has its law in {name!r}, and nobody here reads fitted files", "Load the netlist with ampwright.load.", place)
    path = deck.files.find(name, None, place)
    if path is None:
        fields.fail(f"has its law in {name!r}, which is not there", "Put the file beside the netlist, or give its folder with --include-path.", place)
    try:
        return deck.laws(path)
    except ModelFileError as error:
        raise NetlistError(f"{fields.part.written}: {error.what}", mend=error.mend, place=error.place or place, element=fields.name) from None
