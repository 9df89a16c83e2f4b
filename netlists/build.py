"""From flat parts to a `Circuit`: each letter to its maker, then names checked, currents sensed, parameters evaluated."""

from __future__ import annotations

import re
from dataclasses import fields as fields_of
from dataclasses import replace
from difflib import get_close_matches

from circuits.circuit import EXPRESSION_TYPES, GROUND, NO_INPUT, Card, Circuit, Element
from circuits.controls import Control
from circuits.elements import (BehaviouralCurrent, BehaviouralVoltage, Coupling, CurrentControlledCurrent, CurrentControlledVoltage,
                               Inductor, Resistor, VoltageControlledCurrent, VoltageControlledVoltage, VoltageSource)
from circuits.errors import CircuitError, NetlistError, Place
from circuits.expressions import Call, Current, Expression, Name, Value, Voltage, evaluate, leaves, transform
from circuits.waveforms import Waveform
from netlists.adevices import special
from netlists.assembly import Assembly, fields
from netlists.controlled import behavioural, controlled
from netlists.cores import wind
from netlists.deck import Deck
from netlists.declarations import Wishes, build_controls
from netlists.ends import choose_input, choose_outputs
from netlists.expand import GROUNDS, Scope, missing_subcircuit
from netlists.lexer import Line, Span
from netlists.lines import line
from netlists.lossy import lossy, resistive
from netlists.models import current_switch, device
from netlists.passives import capacitor, coupling, inductor, resistor
from netlists.sources import source
from netlists.standins import stand_in
from netlists.statements import Condition, Global, Options, Part
from netlists.trees import expression
from netlists.words import plain, words

_MAKERS = {"r": resistor, "c": capacitor, "l": inductor, "k": coupling, "v": source, "i": source, "e": controlled, "g": controlled,
           "f": controlled, "h": controlled, "b": behavioural, "d": device, "q": device, "j": device, "m": device, "s": device, "w": current_switch, "a": special,
           "t": line, "u": resistive, "o": lossy, "y": lossy}
_NAMED = {"z": "a MESFET", "p": "a set of coupled lines",
          "n": "a part of compiled code"}
FREE_WINDING = 1e9  # ohms
_SHAPING = {"scale": "all sizes of MOSFETs", "scalm": "all sizes of MOSFETs", "defw": "the width of MOSFETs", "defl": "the length of MOSFETs",
            "parhier": "which of two parameters of one name is meant", "rshunt": "every node, by a resistor to ground", "cshunt": "every node, by a capacitor to ground",
            "rseries": "every inductor, by a resistor"}
_CONDITION = re.compile(r"v\s*\(\s*([^\s()=,]+(?:\([^\s()]*\))?)\s*\)\s*=?\s*", re.IGNORECASE)
_SENSED = (BehaviouralVoltage, BehaviouralCurrent)


def build(deck: Deck, top: Scope, wishes: Wishes, title: str, path: str) -> Circuit:
    """Make the circuit of an expanded deck.

    Raises
    ------
    NetlistError
        For anything that the parts, names or numbers of the deck get wrong, with its line.
    """
    assembly = Assembly(deck)
    for part, scope in deck.flat:
        _make(assembly, part, scope)
    for element in deck.auxiliaries:
        assembly.add(element)
    if not assembly.elements:
        raise NetlistError("the netlist holds no element", place=Place(path), mend="The first line of a netlist is its title, never an element.")
    conditions = {kind: _conditions(deck, kind) for kind in ("ic", "nodeset")}
    source_name = choose_input(assembly, wishes)
    nodes = {node for element in assembly.elements.values() for node in element.nodes} | {GROUND}
    _settle_nodes(assembly, nodes)
    _sense_currents(assembly)
    _check_couplings(assembly)
    _tie_windings(assembly, source_name)
    alone = source_name == NO_INPUT and deck.from_zero is not None
    if alone:
        deck.notes.say("the circuit starts from zero, as uic or startup on its .tran line asks", deck.from_zero)
    outputs = choose_outputs(assembly, wishes, lambda name: _flat(name, nodes, deck), source_name)
    _pots(assembly, top, wishes)
    values = _evaluate(deck)
    controls = build_controls(top, wishes, values)
    _lint(assembly, top, controls, outputs)
    circuit = Circuit(tuple(assembly.elements.values()), dict(deck.parameters), controls, source_name, outputs, wishes.level[0],
                      deck.temperature, conditions["ic"], conditions["nodeset"], title, path, from_zero=alone)
    try:
        circuit.bound()
    except CircuitError as error:
        raise NetlistError(error.what, mend=error.mend, place=error.place, element=error.element) from None
    return replace(circuit, notes=tuple(deck.notes.texts))


def _make(assembly: Assembly, part: Part, scope: Scope) -> None:
    cut = fields(part, scope)
    if part.letter == "x":
        if stand_in(assembly, cut):
            return
        named = [word.lower for word in cut.words if word.lower not in ("params:", "optional:")]
        name = named[-1] if named else "?"
        raise missing_subcircuit(part, scope, name)
    maker = _MAKERS.get(part.letter)
    if maker is None and part.letter in _NAMED:
        assembly.notes.lose(f"{part.written} is left out: it is {_NAMED[part.letter]}, which is not read; what it connects is cut", part.place)
        return
    if maker is None:
        assembly.notes.lose(f"{part.written} is left out: elements that begin with {part.letter.upper()} are not read; the result lacks it", part.place)
        return
    maker(assembly, cut)
    cut.finish(assembly.notes)


def _pots(assembly: Assembly, top: Scope, wishes: Wishes) -> None:
    """``.pot RNAME MIN MAX [VALUE]`` of another dialect: the resistor's value becomes a control of that range."""
    for span in wishes.pots:
        found = plain(words(span))
        name = found[0].lower if found else ""
        element = assembly.elements.get(name)
        if not isinstance(element, Resistor) or len(found) < 3:
            raise NetlistError(".pot needs a resistor and its range", place=span.place(), mend="Write .pot Rvol 1 100k.")
        numbers = [top.value(word.span) for word in found[1:4] if word.kind == "word"]
        present = numbers[2] if len(numbers) > 2 else element.value
        if len(numbers) < 2 or not all(isinstance(one, float) for one in (*numbers, present)) or numbers[0] >= numbers[1]:
            raise NetlistError(f".pot {name}: its range and the resistor's value must be numbers, the lower first", place=span.place(), mend="Write .pot Rvol 1 100k.")
        low, high = numbers[:2]
        knob = re.sub(r"[^a-z0-9_]", "_", name)
        if knob in top.names:
            raise NetlistError(f".pot {name}: the deck has a parameter of that name", place=span.place())
        top.names[knob] = Name(knob)
        top.deck.parameters[knob] = min(max(present, low), high)
        top.deck.places[knob] = span.place()
        assembly.elements[name] = replace(element, value=Name(knob))
        if not low <= present <= high:
            top.deck.notes.say(f".pot {name}: its value {present:g} lies outside {low:g} to {high:g}; the nearer end is taken", span.place())
        for word in found[len(numbers) + 1:]:
            top.deck.notes.lose(f".pot {name}: {word.text} is not understood and left out", word.span.place())
        text = f'{knob} {low!r} {high!r} label="{found[0].text}" unit="ohm"'
        place = span.place()
        wishes.controls.append(("control", Span(Line(text, place.path, (0,), ((place.line, place.column),)), 0, len(text))))


def settle_temperature(deck: Deck, top: Scope) -> None:
    """``.temp`` and ``.options temp=``, which may not depend on parameters."""
    for said in top.contents.others:
        if isinstance(said, Options):
            for one in said.values:
                if one.name == "temp":
                    value, rest = top.first_value(one.value)
                    if rest.text:
                        deck.notes.lose(f".temp: the circuit is read at the first temperature; {rest.text} is left out", rest.place())
                    if not isinstance(value, float) or value <= -273.15:
                        raise NetlistError("the temperature is no number above -273.15 C", place=one.value.place())
                    deck.temperature = value
                elif one.name == "tnom":
                    value, _ = top.first_value(one.value)
                    if value != 27.0:
                        deck.notes.lose("tnom is left out: models are taken to be measured at 27 C", one.value.place())
                elif one.name in _SHAPING:
                    deck.notes.lose(f".options {one.name} is left out: it would change {_SHAPING[one.name]}", one.place_of.place())
                else:
                    deck.notes.once("options", "skipped: .options that steer another program's solver", one.place_of.place())
        elif isinstance(said, Global):
            deck.globals.update(node.lower() for node in said.nodes)


def _conditions(deck: Deck, kind: str) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for said, scope in deck.conditions:
        if not isinstance(said, Condition) or said.kind != kind:
            continue
        text, offset = said.tail.text, 0
        while offset < len(text):
            match = _CONDITION.match(text, offset)
            if match is None:
                deck.notes.lose(f".{kind}: {text[offset:offset + 20]!r} is not understood and left out", said.tail.place(offset))
                break
            value, rest = scope.first_value(said.tail.part(match.end(), len(text)).strip())
            found[scope.node(match[1])] = value
            offset = rest.start - said.tail.start
            while offset < len(text) and text[offset] in " ,":
                offset += 1
    return found


def _flat(name: str, nodes: set[str], deck: Deck) -> str:
    """The circuit's name of a node that a person writes: ``x1:n5``, a pin of an instance, ``gnd``."""
    if name in nodes:
        return name
    if name in GROUNDS:
        return GROUND
    dotted = name.replace(":", ".")
    return deck.aliases.get(dotted, dotted)


def _settle_nodes(assembly: Assembly, nodes: set[str]) -> None:
    """Nodes that expressions name must be there; pins of instances become the nodes that they are connected to."""
    deck = assembly.deck
    renamed = {}
    for name, place in deck.probed.items():
        if name in nodes:
            continue
        flat = _flat(name, nodes, deck)
        if flat not in nodes:
            close = get_close_matches(name, nodes, 1)
            if close:
                raise NetlistError(f"V({name}) names a node that nothing is connected to", place=place, mend=f"Did you mean {close[0]}?")
            assembly.notes.lose(f"V({name}) names a node that nothing is connected to; {FREE_WINDING:g} ohms to ground settle its potential", place)
            assembly.add(Resistor(f"r#probed{len(nodes)}", (name, GROUND), FREE_WINDING))
            nodes.add(name)
            continue
        renamed[name] = flat
    for element in list(assembly.elements.values()):  # what only an A device looks at
        if isinstance(element, _SENSED) and isinstance(element.expression, EXPRESSION_TYPES):
            for leaf in leaves(element.expression):
                for node in ((leaf.plus, leaf.minus) if isinstance(leaf, Voltage) else ()):
                    if node not in nodes and node not in renamed and node not in deck.probed:
                        nodes.add(node)
                        assembly.notes.lose(f"the node {node} is looked at and nothing is connected to it; {FREE_WINDING:g} ohms to ground settle its potential", element.place)
                        assembly.add(Resistor(f"r#seen{len(nodes)}", (node, GROUND), FREE_WINDING))
    if renamed:
        def change(part: Expression):
            if isinstance(part, Voltage) and (part.plus in renamed or part.minus in renamed):
                return Voltage(renamed.get(part.plus, part.plus), renamed.get(part.minus, part.minus))
            return None
        _rewrite(assembly, change)


def _rewrite(assembly: Assembly, change) -> None:
    for name, element in assembly.elements.items():
        if isinstance(element, _SENSED):
            assembly.elements[name] = replace(element, expression=transform(element.expression, change))


def _sense_currents(assembly: Assembly) -> None:
    """Every current that something reads becomes that of a voltage source: of 0 V, in series with the element's first pin."""
    elements = assembly.elements
    sensors: dict[str, str] = {}
    ohms: dict[str, Expression] = {}
    controls = {element.sensor for element in elements.values() if isinstance(element, (CurrentControlledCurrent, CurrentControlledVoltage))}
    for name, place in assembly.deck.sensed.items():
        element: Element | None = elements.get(name)
        if element is None:
            close = get_close_matches(name, list(elements), 1)
            raise NetlistError(f"I({name}) names an element that is not there", place=place, mend=f"Did you mean {close[0]}?" if close else "")
        if isinstance(element, VoltageSource):
            continue
        if isinstance(element, Resistor) and name not in controls:
            ohms[name] = Call("div", (Voltage(*element.nodes), expression(element.value)))
            continue
        if not element.nodes:
            raise NetlistError(f"{name} carries no current", place=place)
        sensors[name] = f"{name}#current"
        node = f"{name}#current"
        assembly.add(VoltageSource(sensors[name], (element.nodes[0], node), place=place))
        elements[name] = replace(element, nodes=(node, *element.nodes[1:]))
    if not sensors and not ohms:
        return

    def change(part: Expression):
        if isinstance(part, Current) and part.element in ohms:
            return ohms[part.element]
        return Current(sensors[part.element]) if isinstance(part, Current) and part.element in sensors else None
    _rewrite(assembly, change)
    for name, element in elements.items():
        if isinstance(element, (CurrentControlledCurrent, CurrentControlledVoltage)) and element.sensor in sensors:
            elements[name] = replace(element, sensor=sensors[element.sensor])


def _check_couplings(assembly: Assembly) -> None:
    wind(assembly)
    inductors = [name for name, element in assembly.elements.items() if isinstance(element, Inductor)]
    for element in assembly.elements.values():
        if not isinstance(element, Coupling):
            continue
        for name in element.inductors:
            if name not in inductors:
                close = get_close_matches(name, inductors, 1)
                raise NetlistError(f"{element.name.upper()} couples {name}, which is no inductor", place=element.place, element=element.name,
                                   mend=f"Did you mean {close[0]}?" if close else "")


def _tie_windings(assembly: Assembly, source_name: str) -> None:
    """A winding that only magnetism connects gets a resistor to ground: no current can flow through it, and the potential is settled.

    So does an island that nothing connects to the rest, as scraps beside a drawing are; the one of the input is left for the checks to refuse.
    """
    roots: dict[str, str] = {GROUND: GROUND}

    def find(node: str) -> str:
        while roots.setdefault(node, node) != node:
            roots[node] = roots[roots[node]]
            node = roots[node]
        return node

    elements = list(assembly.elements.values())
    for element in elements:
        nodes = element.nodes[:2] if isinstance(element, (VoltageControlledVoltage, VoltageControlledCurrent)) else element.nodes
        for node in nodes[1:]:
            roots[find(node)] = find(nodes[0])
    inductors = {element.name: element for element in elements if isinstance(element, Inductor)}
    tied: dict[str, str] = {}
    for coupling in elements:
        if isinstance(coupling, Coupling):
            islands = {find(inductors[name].nodes[0]): inductors[name].nodes[1] for name in coupling.inductors}
            if len(islands) > 1:
                tied.update({island: node for island, node in islands.items() if island != find(GROUND)})
    for number, node in enumerate(tied.values(), 1):
        assembly.notes.say(f"the winding at {node} has no connection to ground; {FREE_WINDING:g} ohms to ground settle its potential and change nothing else")
        assembly.add(Resistor(f"r#float{number}", (node, GROUND), FREE_WINDING))
    driven = assembly.elements[source_name].nodes if source_name in assembly.elements else ()
    settled = {find(node) for node in (GROUND, *driven, *tied.values())} | set(tied)
    loose: dict[str, list[str]] = {}
    for element in elements:
        for node in element.nodes:
            if find(node) not in settled:
                loose.setdefault(find(node), []).append(node)
    for number, found in enumerate(loose.values(), 1):
        named = list(dict.fromkeys(found))
        assembly.notes.lose(f"the nodes {', '.join(named[:4])}{' ...' if len(named) > 4 else ''} have no connection to ground; {FREE_WINDING:g} ohms "
                            "to ground settle their potential")
        assembly.add(Resistor(f"r#loose{number}", (named[0], GROUND), FREE_WINDING))


def _lint(assembly: Assembly, top: Scope, controls: tuple[Control, ...], outputs: tuple[str, ...]) -> None:
    """Things that are allowed and rarely meant: parameters that nothing uses, nodes with one connection."""
    used: set[str] = set(top.deck.consulted)
    for value in top.deck.parameters.values():
        used.update(_names(value) if not isinstance(value, float) else ())
    count: dict[str, int] = {}
    for element in assembly.elements.values():
        for node in element.nodes:
            count[node] = count.get(node, 0) + 1
        for item in fields_of(element):
            value = getattr(element, item.name)
            values = value.values.values() if isinstance(value, Card) else value.values if isinstance(value, Waveform) else [value]
            for one in values:
                used.update(_names(one) if isinstance(one, EXPRESSION_TYPES) else ())
    idle = [name for name in top.contents.parameters if name not in used]
    turned = [control.name for control in controls if control.name not in used]
    for name in turned:
        assembly.notes.say(f"the control {name} changes nothing", top.deck.places.get(name))
    if idle and len(idle) > len(turned):
        assembly.notes.say(f"parameters that nothing uses: {', '.join(name for name in idle if name not in turned)}", top.deck.places.get(idle[0]))
    heard = {node for output in outputs for node in output.split(",")} | set(top.deck.probed)
    lonely = [node for node, times in count.items() if times == 1 and node not in heard and node != GROUND]
    if lonely:
        assembly.notes.say(f"nodes with one connection: {', '.join(lonely[:12])}{' ...' if len(lonely) > 12 else ''}")


def _evaluate(deck: Deck) -> dict[str, float]:
    """Every parameter as a number; raises NetlistError with the place of the one that can't be."""
    done: dict[str, float] = {}
    for first in deck.parameters:
        waiting, open_ = [first], set()
        while waiting:
            name = waiting[-1]
            value = deck.parameters[name]
            place = deck.places.get(name)
            needed = [] if isinstance(value, float) else [other for other in _names(value) if other not in done]
            if name in done:
                waiting.pop()
            elif needed and name in open_:
                raise NetlistError(f"the parameter {name} is defined by itself", place=place, mend="Give it a number, or one that it is made of.")
            elif needed:
                open_.add(name)
                unknown = [other for other in needed if other not in deck.parameters]
                if unknown:
                    raise NetlistError(f"the parameter {unknown[0]!r} is not defined", place=place)
                waiting += needed
            else:
                if not isinstance(value, float) and leaves(value):
                    raise NetlistError(f"the parameter {name} depends on a voltage, a current or time", place=place,
                                       mend="Write the expression in a B source.")
                try:
                    done[name] = evaluate(value, done)
                except CircuitError as error:
                    raise NetlistError(f"{name}: {error.what}", place=place) from None
                waiting.pop()
    return done


def _names(value: Expression) -> list[str]:
    from_tree, found = [value], []
    while from_tree:
        part = from_tree.pop()
        if isinstance(part, Call):
            from_tree.extend(part.arguments)
        elif isinstance(part, EXPRESSION_TYPES) and hasattr(part, "name"):
            found.append(part.name)
    return found

