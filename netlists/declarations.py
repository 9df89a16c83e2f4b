"""What a deck and its caller say of input, output and what can be turned: ``*@`` lines, hints of other dialects, options.

    *@ input SOURCE [NODE]           the source that the audio drives; a NODE alone gets a source of its own; none: the circuit plays by its own sources
    *@ output NODE[,NODE] ...        nodes to listen to, or differences of two
    *@ control NAME [MIN MAX] taper=lin|log|antilog|s label="..." unit=...
    *@ switch NAME FIRST LAST label="..."
    *@ level VOLTS                   input volts of a full-scale sample
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches

from circuits.controls import TAPERS, Control
from circuits.errors import CircuitError, NetlistError, Place
from netlists.expand import Scope
from netlists.lexer import Span
from netlists.statements import Declaration, Hint
from netlists.words import assignments, plain, words

VERBS = ("input", "output", "control", "switch", "level")


@dataclass
class Wishes:
    """What deck and caller say, unchecked; each with its place."""

    input: tuple[tuple[str, ...], Place | None] | None = None
    outputs: list[tuple[str, Place | None]] = field(default_factory=list)
    controls: list[tuple[str, Span]] = field(default_factory=list)
    pots: list[Span] = field(default_factory=list)
    level: tuple[float, Place | None] = (1.0, None)


def collect(scope: Scope, input: str | None, output: str | None, controls: tuple[Span, ...]) -> Wishes:
    """Read all declarations of a deck, and let the caller's wishes override them."""
    wishes = Wishes()
    notes = scope.deck.notes
    for said in scope.contents.others:
        if isinstance(said, Hint):
            _hint(said, wishes, scope)
        if not isinstance(said, Declaration):
            continue
        place, found = said.line.place(), said.tail.text.split()
        if said.verb == "input":
            if not 1 <= len(found) <= 2:
                raise NetlistError("*@ input needs a source", place=place, mend="Write *@ input VIN in.")
            if wishes.input is not None:
                raise NetlistError("there are two *@ input lines", place=place, mend="Keep one.")
            wishes.input = tuple(word.lower() for word in found), place
        elif said.verb == "output":
            if not found:
                raise NetlistError("*@ output needs a node", place=place, mend="Write *@ output out.")
            wishes.outputs += [(name, place) for name in _output_names(said.tail.text)]
        elif said.verb in ("control", "switch"):
            wishes.controls.append((said.verb, said.tail))
        elif said.verb == "level":
            value = scope.value(said.tail)
            if not isinstance(value, float) or value <= 0.0:
                raise NetlistError("*@ level needs a number of volts above 0", place=place, mend="Write *@ level 1.")
            wishes.level = value, place
        else:
            close = get_close_matches(said.verb, VERBS, 1)
            notes.lose(f"*@ {said.verb} is not known" + (f"; did you mean *@ {close[0]}?" if close else ""), place)
    if input:
        wishes.input = tuple(input.lower().split()), None
    if output:
        wishes.outputs = [(name, None) for name in _output_names(output)]
    wishes.controls += [("control", span) for span in controls]
    return wishes


def _output_names(text: str) -> list[str]:
    """``a``, ``a,b`` and ``V(a,b)``, several of them separated by blanks."""
    names = []
    for word in text.lower().replace(" ,", ",").replace(", ", ",").split():
        names.append(word[2:-1] if word.startswith("v(") and word.endswith(")") else word)
    return names


def _hint(said: Hint, wishes: Wishes, scope: Scope) -> None:
    """``.input``, ``.output`` and ``.wave`` of other programs, where no declaration says more."""
    found = said.tail.text.split()
    place = said.line.place()
    if said.verb == "input" and found and wishes.input is None:
        wishes.input = (found[0].lower(),), place
    elif said.verb == "output" and found and not wishes.outputs:
        wishes.outputs = [(found[0].lower(), place)]
    elif said.verb == "wave" and not wishes.outputs:
        wishes.outputs = [(name, place) for name in _output_names(" ".join(word for word in found if word.lower().startswith("v(")))]
    elif said.verb == "pot":
        wishes.pots.append(said.tail)


def build_controls(scope: Scope, wishes: Wishes, values: dict[str, float]) -> tuple[Control, ...]:
    """Controls whose positions give their parameters the values of the deck.

    Raises
    ------
    NetlistError
        If a control's parameter is not defined, its range is wrong, or its value lies outside.
    """
    made: dict[str, Control] = {}
    for verb, span in wishes.controls:
        place = span.place()
        head, assigned = assignments(span)
        found = plain(words(head))
        if not found:
            raise NetlistError(f"*@ {verb} needs the name of a parameter", place=place, mend=f"Write *@ {verb} drive ...")
        name = found.pop(0).lower
        if name not in scope.names or name not in values:
            close = get_close_matches(name, scope.names, 1)
            raise NetlistError(f"the control {name} is no parameter of the deck", place=place,
                               mend=f"Did you mean {close[0]}?" if close else f"Add .param {name}=0.5.")
        numbers = []
        for word in found:
            number = scope.value(word.span)
            if not isinstance(number, float):
                raise NetlistError(f"the range of {name} needs numbers", place=word.span.place())
            numbers.append(number)
        if len(numbers) not in ((0, 2) if verb == "control" else (2,)):
            raise NetlistError(f"*@ {verb} {name} has {len(numbers)} numbers", place=place,
                               mend=f"Write *@ {verb} {name} {'MIN MAX' if verb == 'control' else 'FIRST LAST'}.")
        texts = {one.name: _unquoted(one.value.text) for one in assigned}
        for one in assigned:
            if one.name not in ("taper", "label", "unit"):
                scope.deck.notes.lose(f"*@ {verb} {name}: {one.name}= is not known", one.place_of.place())
        low, high = numbers if numbers else (0.0, 1.0)
        taper = texts.get("taper", "lin").lower()
        if taper not in TAPERS:
            close = get_close_matches(taper, TAPERS, 1)
            raise NetlistError(f"the control {name} has an unknown taper {taper!r}", place=place,
                               mend=f"Use one of {', '.join(TAPERS)}." + (f" Did you mean {close[0]}?" if close else ""))
        try:
            blank = Control(name, low, high, low, taper, texts.get("label", ""), texts.get("unit", ""), verb == "switch")
            if not low <= values[name] <= high:
                raise NetlistError(f"the parameter {name} = {values[name]:g} lies outside its control's range {low:g} to {high:g}", place=place,
                                   mend="Change the range or the .param.")
            position = blank.position_of(values[name])
            made[name] = Control(name, low, high, min(max(position, low), high), taper, blank.label, blank.unit, blank.switch)
        except CircuitError as error:
            raise NetlistError(error.what, place=place, mend=error.mend) from None
    return tuple(made.values())


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text
