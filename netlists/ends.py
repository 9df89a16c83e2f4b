"""Where the audio goes in and comes out of a deck: what its lines say, else telling names, else a guess that is told as one.

A deck in which nothing takes the audio, as an oscillator or a supply, plays by its own sources, and that is told. Where there is no node to listen to, the
circuit is read without an output; whoever wants to play it is asked for one.
"""

from __future__ import annotations

import re
from collections import deque
from difflib import get_close_matches

from circuits.circuit import EXPRESSION_TYPES, GROUND, NO_INPUT, Element
from circuits.elements import (BehaviouralCurrent, BehaviouralVoltage, Capacitor, Coupling, CurrentSource, Device, Nullor, Resistor, VoltageControlledCurrent,
                               VoltageControlledVoltage, VoltageSource)
from circuits.errors import NetlistError, Place
from circuits.expressions import Voltage, leaves
from netlists.assembly import Assembly
from netlists.declarations import Wishes

INPUT_NAMES = ("vin", "v_in", "vinput", "vsig", "vsignal", "vguitar", "vgtr", "vgen", "vsource", "vsrc", "vinp", "vi", "vs", "iin", "input", "vac")
OUTPUT_NAMES = ("out", "output", "vout", "v_out", "spk", "speaker", "load", "audio_out", "aout", "out1", "outp")
OUTPUT_STARTS = ("out", "vout", "v_out", "spk", "speaker", "load")
INPUT_NODES = ("in", "input", "vin", "v_in", "inp", "guitar", "guitar_in", "audio_in", "signal_in", "in1", "input1", "in_1")
QUIETER = 2.0       # of two sines the one of at most half the amplitude is the signal, the other a carrier, a clock or an oscillator
LOUDEST = 30.0      # volts: a sine of more comes out of the wall or a transformer, not out of a guitar
BYPASS = 1e-6       # farads to ground from which a node counts as at rest
_HUMS = (50.0, 60.0, 100.0, 120.0)
_LOOK = re.compile(r"\bv(?:db|m|p|r|i)?\(\s*([^\s(),]+)\s*\)", re.IGNORECASE)
_SHOWN = re.compile(r"\s*\.?(iopin out|print|plot|probe|save|four(ier)?|fft|meas(ure)?|net|wrdata|write|linearize|gnuplot|hardcopy|let)\b", re.IGNORECASE)
_SWEPT = re.compile(r"\s*\.dc\s+(\S+)", re.IGNORECASE)
_LOADS = re.compile(r"r_?(l|ld|load|spk|spkr|speaker|loudspeaker)\d?", re.IGNORECASE)
_SUPPLY = re.compile(r"v(cc|dd|ee|ss|pp|bb|bat\w*|plus|minus|pos|neg|supply|power|ht|heat\w*|fil\w*|mains?)\d*", re.IGNORECASE)
_ENTRANCE = re.compile(r"(.*[_.-])?(in|input|inp|vin|guitar)[0-9]?([_.+-].*)?")


def choose_input(assembly: Assembly, wishes: Wishes) -> str:
    """Name of the source that the audio drives; adds a source where only a node is named; "none" where the deck plays by its own sources.

    Raises
    ------
    NetlistError
        If the named source is not there; or, where strict, for a guess and for none that nobody asked for.
    """
    sources = {name: element for name, element in assembly.elements.items() if isinstance(element, (VoltageSource, CurrentSource))}
    nodes = dict.fromkeys(node for element in assembly.elements.values() for node in element.nodes)
    if wishes.input is not None:
        return _wished(assembly, wishes, sources, nodes)
    notes = assembly.notes
    varying = [name for name, element in sources.items() if "." not in name and (element.waveform is not None or element.ac != 0.0)]
    telling = [name for name in INPUT_NAMES if name in sources]
    if len(assembly.played) == 1:
        notes.say(f"input: {assembly.played[0]}, which plays a file")
        return assembly.played[0]
    for choice in ([name for name in telling if name in varying], varying if len(varying) == 1 else [], telling if not varying else []):
        if choice:
            notes.say(f"input: {choice[0]}, chosen by " + ("its name" if choice[0] in telling else "being the only source with AC or a signal"))
            return choice[0]
    silent = [name for name, element in sources.items() if "." not in name and isinstance(element, VoltageSource) and element.dc == 0.0
              and name not in assembly.deck.sensed]
    heard = [name for name in varying if sources[name].ac != 0.0] if len(varying) > 1 else silent if not varying else []
    if len(heard) == 1:
        notes.say(f"input: {heard[0]}, chosen by being the only source " + ("with AC" if varying else "of 0 V"))
        return heard[0]
    ports = [node.lower() for line in assembly.deck.shown if line.startswith("iopin in ") for node in _LOOK.findall(line)]
    short = {_short(node): node for node in reversed(_top(nodes))}
    named = [short[node] for node in (*INPUT_NODES, *ports) if node in short]
    if named and not varying:
        notes.say(f"input: the node {named[0]}, chosen by its name")
        return _driven(assembly, sources, named[0], None)
    return _guessed_input(assembly, sources, list(nodes), heard or varying)


def _wished(assembly: Assembly, wishes: Wishes, sources: dict, nodes: dict) -> str:
    (name, *rest), place = wishes.input
    if name in sources:
        for node in rest:
            if node not in sources[name].nodes:
                raise NetlistError(f"the input {name} is not connected to {node}", place=place, mend=f"Its nodes are {', '.join(sources[name].nodes)}.")
        return name
    if name in nodes and not rest and name != GROUND:
        return _driven(assembly, sources, name, place)
    if name == NO_INPUT and not rest:
        return NO_INPUT
    close = get_close_matches(name, [*sources, *nodes], 1)
    raise NetlistError(f"the input {name} is neither a source nor a node", place=place,
                       mend=f"Did you mean {close[0]}?" if close else f"Sources: {', '.join(sources) or 'none'}.")


def _guessed_input(assembly: Assembly, sources: dict, nodes: list[str], several: list[str]) -> str:
    """One source of several that is no supply, a node with an input's name among others, or what a bench sweeps; told, and refused where strict."""
    notes = assembly.notes
    signals = [name for name in several if not _is_supply(sources[name])]
    if len(signals) == 1:
        notes.lose(f"input: {signals[0]}, a guess: of {', '.join(several)} it alone is no supply; name another by --input")
        return signals[0]
    swept = [found[1].lower() for line in assembly.deck.shown if (found := _SWEPT.match(line))]
    if swept and swept[0] in (several or sources):
        notes.lose(f"input: {swept[0]}, a guess: .dc sweeps it; name another by --input")
        return swept[0]
    alike = [name for name in signals if name.startswith(("vin", "v_in", "vsig"))]
    if len(alike) > 1:
        notes.lose(f"input: {alike[0]}, a guess: the first of {', '.join(alike)}; name another by --input")
        return alike[0]
    levels = sorted((level, name) for name in signals if (level := _amplitude(sources[name])) is not None)
    if 1 < len(levels) == len(signals) and levels[0][0] * QUIETER <= levels[1][0]:
        notes.lose(f"input: {levels[0][1]}, a guess: the quietest of {', '.join(signals)}; name another by --input")
        return levels[0][1]
    waves = {(wave.shape, wave.values) for name in signals if (wave := sources[name].waveform) is not None and wave.shape == "sin"}
    if len(signals) > 1 and len(waves) == 1 and all(sources[name].waveform is not None for name in signals):
        notes.lose(f"input: {signals[0]}, a guess: {', '.join(signals)} play the same sine, and this is the first; name another by --input")
        return signals[0]
    if not several:
        top = [node for node in _top(nodes) if _ENTRANCE.fullmatch(_short(node))]
        if len(top) == 1:
            notes.lose(f"input: the node {top[0]}, a guess by its name; name another by --input")
            return _driven(assembly, sources, top[0], None)
        pins = [node for node in assembly.deck.pins if node in nodes and node != GROUND]
        if pins:
            notes.lose(f"input: the node {pins[0]}, a guess: the first pin of the subcircuit that is played; name another by --input")
            return _driven(assembly, sources, pins[0], None)
    if signals:
        notes.lose(f"input: {signals[0]}, a guess: the first of {', '.join(signals)}; name another by --input")
        return signals[0]
    own = [name for name in sources if "." not in name]
    if sources:
        notes.lose(f"input: none: no source takes the audio, and the circuit plays by its own sources, {', '.join(own[:8]) or 'which are inside its parts'}; "
                   "name one of them, or a node, by --input")
        return NO_INPUT
    bare = [node for node in _top(nodes) if node != GROUND]
    if bare:
        notes.lose(f"input: the node {bare[0]}, a guess: the deck has no source, and this is its first node; name another by --input")
        return _driven(assembly, sources, bare[0], None)
    return NO_INPUT


def _top(nodes) -> list[str]:
    """The nodes of the deck itself; where it is nothing but a subcircuit without pins, that one's own."""
    plain = [node for node in nodes if "#" not in node]
    found = [node for node in plain if "." not in node]
    return found if any(node != GROUND for node in found) else [node for node in plain if node.count(".") == 1]


def _short(node: str) -> str:
    return node.rsplit(".", 1)[-1]


def _is_supply(source: Element) -> bool:
    """Whether a source is a supply by its name, or the mains, a heater or a ripple: a loud sine, or one of the mains' frequencies."""
    wave, level = source.waveform, _amplitude(source)
    return _SUPPLY.match(source.name) is not None or level is not None and (abs(level) > LOUDEST or wave.values[2] in _HUMS)


def _amplitude(source: Element) -> float | None:
    """Of a sine whose numbers are known; None for all else."""
    wave = source.waveform
    if wave is None or wave.shape != "sin" or len(wave.values) < 3 or not all(isinstance(value, (int, float)) for value in wave.values[:3]):
        return None
    return abs(float(wave.values[1]))


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
    """Nodes to listen to; ``flat`` maps a node's name to the circuit's, ``chosen`` is the input; empty where nothing tells.

    Raises
    ------
    NetlistError
        If a named node is not there; or, where strict, for a guess and for none.
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
    notes = assembly.notes
    top = _top(nodes)
    short = {_short(node): node for node in reversed(top)}
    for name in OUTPUT_NAMES:
        if name in short:
            notes.say(f"output: {short[name]}, chosen by its name")
            return (short[name],)
    starting = [node for node in top if _short(node).startswith(OUTPUT_STARTS)]
    if len(starting) == 1:
        notes.say(f"output: {starting[0]}, chosen by its name")
        return (starting[0],)
    fixed = _fixed(assembly, chosen)
    looked = dict.fromkeys(flat(node.lower()) for line in assembly.deck.shown if _SHOWN.match(line) for node in _LOOK.findall(line))
    seen = [node for node in looked if node in nodes and node not in fixed and node != GROUND]
    loaded = [node for element in assembly.elements.values() if isinstance(element, Resistor) and "." not in element.name and _LOADS.fullmatch(element.name)
              for node in element.nodes if GROUND in element.nodes and node != GROUND]
    for found, why in ((seen, "being the only one that the deck looks at"), (loaded, "its load")):
        if len(found) == 1:
            notes.say(f"output: {found[0]}, chosen by {why}")
            return (found[0],)
    listed = ", ".join((starting or seen or [node for node in top if node != GROUND])[:12])
    far = _far(assembly, chosen, fixed, BYPASS) or _far(assembly, chosen, fixed, float("inf"))  # of a supply nothing but its reservoirs is left
    for found, why in ((starting, "the one farthest from the input of those with an output's name"), (seen, "the one farthest from the input of those that the deck looks at"),
                       (top, "the node farthest from the input")):
        reached = [node for node in found if node in far]
        if reached:
            best = max(reached, key=lambda node: (far[node], nodes.index(node)))
            notes.lose(f"output: {best}, a guess: {why}; name another by --output; nodes: {listed}")
            return (best,)
    held = [node for node in _starts(assembly, chosen) if node != GROUND]
    if held and all(node in fixed or node == GROUND for node in top):
        notes.lose(f"output: {held[0]}, a guess: sources hold all nodes, and this is the input's own; the currents may be what was meant; nodes: {listed}")
        return (held[0],)
    last = [node for node in top if node != GROUND and node not in fixed]
    if last:
        notes.lose(f"output: {last[-1]}, a guess: no way leads from a source to any node, and this is the last; name another by --output; nodes: {listed}")
        return (last[-1],)
    notes.lose(f"no node says that it is the output; add the line *@ output NODE, or give --output, to play it; nodes: {listed}")
    return ()


def _starts(assembly: Assembly, chosen: str) -> tuple[str, ...]:
    """Nodes from which the signal comes: those of the input; without one those of the sources that move, else of all sources."""
    if chosen in assembly.elements:
        return assembly.elements[chosen].nodes
    sources = [element for element in assembly.elements.values() if isinstance(element, (VoltageSource, CurrentSource))]
    moving = [element for element in sources if element.waveform is not None]
    return tuple(dict.fromkeys(node for element in moving or sources for node in element.nodes))


def _fixed(assembly: Assembly, chosen: str) -> set[str]:
    """Nodes that a source holds."""
    return {node for element in assembly.elements.values() if isinstance(element, VoltageSource) for node in element.nodes} | set(_starts(assembly, chosen))


def _far(assembly: Assembly, chosen: str, fixed: set[str], bypass: float) -> dict[str, float]:
    """Nodes that a signal from the input reaches, each with how many parts lie between; half a part more where a resistor to ground waits for it.

    Supplies, and nodes that a capacitor of ``bypass`` farads or more holds, are passed over; what controls an amplifier is not reached from its output.
    """
    starts = _starts(assembly, chosen)
    elements = assembly.elements
    still = (fixed - set(starts)) | {GROUND}
    still |= {node for element in elements.values() if isinstance(element, Capacitor) and GROUND in element.nodes and isinstance(element.value, (int, float))
              and element.value >= bypass for node in element.nodes}
    ways: dict[str, set[str]] = {}
    for element in elements.values():
        for starting, ends in _paths(element, elements):
            for node in starting:
                ways.setdefault(node, set()).update(ends)
    far = {node: 0.0 for node in starts if node != GROUND}
    waiting = deque(far)
    while waiting:
        here = waiting.popleft()
        for node in sorted(ways.get(here, ())):
            if node not in far and node not in still:
                far[node] = far[here] + 1.0
                waiting.append(node)
    loaded = {node for element in elements.values() if isinstance(element, Resistor) and GROUND in element.nodes for node in element.nodes}
    return {node: steps + (0.5 if node in loaded else 0.0) for node, steps in far.items() if steps > 0.0}


def _paths(element: Element, elements: dict[str, Element]) -> list[tuple[set[str], set[str]]]:
    """Which nodes of a part move which."""
    nodes = element.nodes
    if isinstance(element, (VoltageSource, CurrentSource)):
        return []
    if isinstance(element, (VoltageControlledVoltage, VoltageControlledCurrent)):
        return [(set(nodes[2:]), set(nodes[:2]))]
    if isinstance(element, Nullor):
        return [(set(nodes[:2]), {nodes[2]})]
    if isinstance(element, (BehaviouralVoltage, BehaviouralCurrent)) and isinstance(element.expression, EXPRESSION_TYPES):
        seen = {node for leaf in leaves(element.expression) if isinstance(leaf, Voltage) for node in (leaf.plus, leaf.minus)}
        return [(seen, set(nodes))]
    if isinstance(element, Device) and element.card.kind in ("opamp", "opamp_ideal"):
        return [(set(nodes[:2]), {nodes[-1]})]
    if isinstance(element, Coupling):
        coils = {node for name in element.inductors if name in elements for node in elements[name].nodes}
        return [(coils, coils)]
    return [(set(nodes), set(nodes))]
