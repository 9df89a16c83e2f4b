"""Where the audio goes in and comes out, and what can be turned: from ``*@`` lines, from the caller, or by telling names.

    *@ input SOURCE [NODE]           the source that the audio drives; a NODE alone gets a source of its own
    *@ output NODE[,NODE] ...        nodes to listen to, or differences of two
    *@ control NAME [MIN MAX] taper=lin|log|antilog|s label="..." unit=...
    *@ switch NAME FIRST LAST label="..."
    *@ level VOLTS                   input volts of a full-scale sample
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches

from circuits.circuit import GROUND
from circuits.controls import TAPERS, Control
from circuits.elements import CurrentSource, Resistor, VoltageSource
from circuits.errors import CircuitError, NetlistError, Place
from netlists.assembly import Assembly
from netlists.expand import Scope
from netlists.lexer import Span
from netlists.statements import Declaration, Hint
from netlists.words import assignments, plain, words

INPUT_NAMES = ("vin", "v_in", "vinput", "vsig", "vsignal", "vguitar", "vgtr", "vgen", "vsource", "vsrc", "vinp", "vi", "vs", "iin", "input", "vac")
OUTPUT_NAMES = ("out", "output", "vout", "v_out", "spk", "speaker", "load", "audio_out", "aout", "out1", "outp")
OUTPUT_STARTS = ("out", "vout", "v_out", "spk", "speaker", "load")
INPUT_NODES = ("in", "input", "vin", "v_in", "inp", "guitar", "guitar_in", "audio_in", "signal_in")
_LOOK = re.compile(r"\bv(?:db|m|p|r|i)?\(\s*([^\s(),]+)\s*\)", re.IGNORECASE)
_SHOWN = re.compile(r"\s*\.?(iopin out|print|plot|probe|save|four(ier)?|fft|meas(ure)?|net|wrdata|write|linearize|gnuplot|hardcopy|let)\b", re.IGNORECASE)
_LOADS = re.compile(r"r_?(l|ld|load|spk|spkr|speaker|loudspeaker)\d?", re.IGNORECASE)
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


def choose_input(assembly: Assembly, wishes: Wishes) -> str:
    """Name of the source that the audio drives; adds a source where only a node is named.

    Raises
    ------
    NetlistError
        If the named source is not there, or none is named and none tells; the message lists the candidates.
    """
    sources = {name: element for name, element in assembly.elements.items() if isinstance(element, (VoltageSource, CurrentSource))}
    nodes = {node for element in assembly.elements.values() for node in element.nodes}
    if wishes.input is not None:
        (name, *rest), place = wishes.input
        if name in sources:
            for node in rest:
                if node not in sources[name].nodes:
                    raise NetlistError(f"the input {name} is not connected to {node}", place=place,
                                       mend=f"Its nodes are {', '.join(sources[name].nodes)}.")
            return name
        if name in nodes and not rest and name != GROUND:
            return _driven(assembly, sources, name, place)
        close = get_close_matches(name, [*sources, *nodes], 1)
        raise NetlistError(f"the input {name} is neither a source nor a node", place=place,
                           mend=f"Did you mean {close[0]}?" if close else f"Sources: {', '.join(sources) or 'none'}.")
    varying = [name for name, element in sources.items() if "." not in name and (element.waveform is not None or element.ac != 0.0)]
    telling = [name for name in INPUT_NAMES if name in sources]
    if len(assembly.played) == 1:
        assembly.notes.say(f"input: {assembly.played[0]}, which plays a file")
        return assembly.played[0]
    for choice in ([name for name in telling if name in varying], varying if len(varying) == 1 else [], telling if not varying else []):
        if choice:
            assembly.notes.say(f"input: {choice[0]}, chosen by " + ("its name" if choice[0] in telling else "being the only source with AC or a signal"))
            return choice[0]
    silent = [name for name, element in sources.items() if "." not in name and isinstance(element, VoltageSource) and element.dc == 0.0
              and name not in assembly.deck.sensed]
    heard = [name for name in varying if sources[name].ac != 0.0] if len(varying) > 1 else silent if not varying else []
    if len(heard) == 1:
        assembly.notes.say(f"input: {heard[0]}, chosen by being the only source " + ("with AC" if varying else "of 0 V"))
        return heard[0]
    ports = [node.lower() for line in assembly.deck.shown if line.startswith("iopin in ") for node in _LOOK.findall(line)]
    named = [node for node in (*INPUT_NODES, *ports) if node in nodes]
    if named and not varying:
        assembly.notes.say(f"input: the node {named[0]}, chosen by its name")
        return _driven(assembly, sources, named[0], None)
    listed = ", ".join(varying or [name for name in sources if "." not in name][:8]) or "none"
    raise NetlistError("no source says that it is the input" if not varying else "several sources could be the input",
                       mend=f"Add the line *@ input SOURCE, or give --input; sources: {listed}.")


def _driven(assembly: Assembly, sources: dict, node: str, place: Place | None) -> str:
    """Name of the source between a node and ground; one is made where there is none."""
    driven = next((one for one in sources.values() if isinstance(one, VoltageSource) and node in one.nodes and GROUND in one.nodes), None)
    if driven is not None:
        return driven.name
    own = next(candidate for candidate in ("vin", *(f"vin{k}" for k in range(2, 100))) if candidate not in assembly.elements)
    assembly.add(VoltageSource(own, (node, GROUND), ac=1.0, place=place))
    assembly.notes.say(f"the node {node} is driven by a source of its own, {own}")
    return own


def choose_outputs(assembly: Assembly, wishes: Wishes, flat, chosen: str) -> tuple[str, ...]:
    """Nodes to listen to; ``flat`` maps a node's name to the circuit's, ``chosen`` is the input.

    Raises
    ------
    NetlistError
        If a named node is not there, or none is named and none tells; the message lists the candidates.
    """
    nodes = list(dict.fromkeys(node for element in assembly.elements.values() for node in element.nodes))
    if wishes.outputs:
        found = []
        for name, place in wishes.outputs:
            pair = [flat(node) for node in name.split(",")]
            for node in pair:
                if len(pair) > 2 or (node not in nodes and node != GROUND):
                    close = get_close_matches(node, nodes, 1)
                    raise NetlistError(f"the output {name} is no node", place=place,
                                       mend=f"Did you mean {close[0]}?" if close else f"Nodes: {', '.join(nodes[:12])}.")
            found.append(",".join(pair) if len(pair) == 2 and pair[1] != GROUND else pair[0])
        return tuple(dict.fromkeys(found))
    top = [node for node in nodes if "." not in node and "#" not in node]
    for name in OUTPUT_NAMES:
        if name in top:
            assembly.notes.say(f"output: {name}, chosen by its name")
            return (name,)
    starting = [node for node in top if node.startswith(OUTPUT_STARTS)]
    if len(starting) == 1:
        assembly.notes.say(f"output: {starting[0]}, chosen by its name")
        return (starting[0],)
    source = assembly.elements.get(chosen)
    fixed = {node for element in assembly.elements.values() if isinstance(element, VoltageSource) for node in element.nodes}
    fixed |= set(source.nodes) if source is not None else set()
    looked = dict.fromkeys(flat(node.lower()) for line in assembly.deck.shown if _SHOWN.match(line) for node in _LOOK.findall(line))
    seen = [node for node in looked if node in nodes and node not in fixed and node != GROUND]
    loaded = [node for element in assembly.elements.values() if isinstance(element, Resistor) and "." not in element.name and _LOADS.fullmatch(element.name)
              for node in element.nodes if GROUND in element.nodes and node != GROUND]
    for found, why in ((seen, "being the only one that the deck looks at"), (loaded, "its load")):
        if len(found) == 1:
            assembly.notes.say(f"output: {found[0]}, chosen by {why}")
            return (found[0],)
    raise NetlistError("no node says that it is the output", mend="Add the line *@ output NODE, or give --output; nodes: "
                       + ", ".join((starting or [node for node in top if node != GROUND])[:12]) + ".")


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
