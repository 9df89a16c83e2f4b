"""A devices: LTspice's OTA, gates, flip-flops and their kin, and the XSPICE models that audio netlists use, as smooth sources.

LTspice writes eight nodes, a name and parameters: up to five inputs, the inverted output, the output, the common pin. XSPICE
writes nodes, some with ``%v`` or brackets, and a ``.model``. What has no smooth stand-in is left out and said.

References
----------
LTspice help, "A. Special Functions"; ngspice manual, chapter 8 (gain, potentiometer; its logarithmic law measured: r 10^(-position multiplier)).
"""

from __future__ import annotations

from circuits.circuit import GROUND
from circuits.elements import BehaviouralCurrent, BehaviouralVoltage, Capacitor, Resistor, VoltageSource
from circuits.expressions import Number, Value, Voltage
from netlists.assembly import Assembly, Fields
from netlists.memory import Memory, decided
from netlists.memory import across as _across
from netlists.memory import call as _f
from netlists.models import build_card

_GATES = ("and", "or", "xor", "buf", "inv", "schmitt", "srflop", "dflop")
_SIGNS = str.maketrans("", "", "[]~")


def special(assembly: Assembly, fields: Fields) -> None:
    """A."""
    last = fields.words[-1].lower if fields.words else ""
    found = fields.scope.model(last)
    if found is not None:
        _xspice(assembly, fields, build_card(*found))
        return
    index = next((k for k, word in enumerate(fields.words) if k >= 8 and word.lower in (*_GATES, *_ANALOGUE)), None)
    if index is None:
        name = next((word.text for word in fields.words[8:]), last)
        assembly.notes.lose(f"{fields.part.written} is left out: the special function {name} is not read; the result lacks it", fields.place)
        fields.words.clear(), fields.values.clear()
        return
    kind = fields.words[index].lower
    nodes = [fields.scope.node(word.text) for word in fields.words[:8]]
    flags = [word.lower for word in fields.words[index + 1:]]
    fields.words.clear()
    numbers = {}
    for name in list(fields.values):
        span = fields.take(name)
        if name in ("en", "enk", "in", "ink"):  # noise, often a formula of frequency
            numbers[name] = 0.0
            continue
        numbers[name], rest = fields.scope.first_value(span)
        flags += rest.text.lower().split()
    _ANALOGUE.get(kind, _gate)(assembly, fields, kind, nodes, numbers, flags)


def _ota(assembly: Assembly, fields: Fields, kind: str, nodes: list[str], numbers: dict[str, Value], flags: list[str]) -> None:
    """Output current Iout tanh(g v / Iout) from the common pin to the output."""
    g, limit = numbers.pop("g", 1e-6), numbers.pop("iout", 1e-5)
    out, common = nodes[6], nodes[7]
    drive = _f("sub", _across(nodes[1], nodes[0]), numbers.pop("ref", 0.0))
    if nodes[2] != nodes[3]:
        drive = _f("add", drive, _across(nodes[3], nodes[2]))
    if "linear" in flags:
        current = _f("mul", g, drive)
    else:
        current = _f("mul", limit, _f("tanh", _f("div", _f("mul", g, drive), limit)))
    high, low = numbers.pop("vhigh", None), numbers.pop("vlow", None)
    v = _across(out, common)
    for bound, sign in ((high, 1.0), (low, -1.0)):
        if bound is not None:  # beyond its limits the output meets a hundred times the transconductance
            past = _f("uramp", _f("mul", sign, _f("sub", v, bound)))
            current = _f("sub", current, _f("mul", sign, _f("mul", _f("mul", 100.0, g), past)))
    assembly.add(BehaviouralCurrent(fields.name, (common, out), current, fields.place))
    for key, part in (("rout", Resistor), ("cout", Capacitor)):
        value = numbers.pop(key, None)
        if value is not None:
            assembly.add(part(f"{fields.name}#{key}", (out, common), value, place=fields.place))
    _left(assembly, fields, numbers)


def _gate(assembly: Assembly, fields: Fields, kind: str, nodes: list[str], numbers: dict[str, Value], flags: list[str]) -> None:
    """Outputs between Vlow and Vhigh; an input at the common pin is not there."""
    common = nodes[7]
    low, high = numbers.pop("vlow", 0.0), numbers.pop("vhigh", 1.0)
    middle = _f("mul", 0.5, _f("add", low, high))
    inputs = [_across(node, common) for node in nodes[:5] if node != common]
    cell = Memory(assembly, fields)
    if kind == "schmitt":
        truth = cell.schmitt(_across(nodes[0], nodes[1] if nodes[1] != common else common), numbers.pop("vt", middle), numbers.pop("vh", 0.0))
    elif kind in ("srflop", "dflop"):
        reference = numbers.pop("ref", middle)
        pins = [Number(0.0) if node == common else decided(_across(node, common), reference) for node in nodes[:5]]
        truth = cell.set_reset(*pins[:2]) if kind == "srflop" else cell.clocked(pins[0], pins[2], pins[3], pins[4])
    else:
        reference = numbers.pop("ref", middle)
        truths = [decided(one, reference) for one in inputs] or [Number(0.0)]
        truth = truths[0]
        for other in truths[1:]:
            both = _f("mul", truth, other)
            if kind == "and":
                truth = both
            elif kind == "or":
                truth = _f("sub", _f("add", truth, other), both)
            else:
                truth = _f("sub", _f("add", truth, other), _f("mul", 2.0, both))
    resistance = numbers.pop("rout", 1.0)
    for node, upright in ((nodes[6], True), (nodes[5], False)):
        if node == common:
            continue
        share = truth if upright else _f("sub", 1.0, truth)
        level = _f("add", low, _f("mul", _f("sub", high, low), share))
        inner = f"{fields.name}#{'q' if upright else 'n'}"
        assembly.add(BehaviouralVoltage(f"{inner}v", (inner, common), level, fields.place))
        assembly.add(Resistor(f"{inner}r", (inner, node), resistance, fields.place))
    _left(assembly, fields, numbers)


def _left(assembly: Assembly, fields: Fields, numbers: dict[str, Value]) -> None:
    harmless = {"en", "in", "enk", "ink", "trise", "tfall", "td", "tau", "cout", "tripdt", "epsilon", "rhigh", "rlow"}
    if any(name not in harmless for name in numbers):
        names = ", ".join(name for name in numbers if name not in harmless)
        assembly.notes.lose(f"{fields.part.written}: {names}= is left out", fields.place)
    elif numbers:
        assembly.notes.say(f"{fields.part.written}: noise and delays ({', '.join(numbers)}) are left out", fields.place)


def _sample_hold(assembly: Assembly, fields: Fields, kind: str, nodes: list[str], numbers: dict[str, Value], flags: list[str]) -> None:
    """The input at the last rise of the clock (pin 3), or as long as pin 4 is high; within Vlow and Vhigh."""
    common = nodes[7]
    low, high = numbers.pop("vlow", -10.0), numbers.pop("vhigh", 10.0)
    reference = numbers.pop("ref", 0.5)
    clock, follow = (Number(0.0) if node == common else decided(_across(node, common), reference) for node in nodes[2:4])
    held = Memory(assembly, fields).held(_f("limit", _across(nodes[0], nodes[1]), low, high), clock, follow)
    inner = f"{fields.name}#q"
    assembly.add(BehaviouralVoltage(f"{inner}v", (inner, common), held, fields.place))
    assembly.add(Resistor(f"{inner}r", (inner, nodes[6]), numbers.pop("rout", 1e3), fields.place))
    _left(assembly, fields, numbers)


def _varistor(assembly: Assembly, fields: Fields, kind: str, nodes: list[str], numbers: dict[str, Value], flags: list[str]) -> None:
    """Between the output and the common pin: nothing below the voltage between the first two pins, Rclamp beyond it, either way."""
    limit, v = _f("abs", _across(nodes[0], nodes[1])), _across(nodes[6], nodes[7])
    past = _f("sub", _f("uramp", _f("sub", v, limit)), _f("uramp", _f("sub", _f("neg", v), limit)))
    assembly.add(BehaviouralCurrent(fields.name, (nodes[6], nodes[7]), _f("div", past, numbers.pop("rclamp", 1.0)), fields.place))
    _left(assembly, fields, numbers)


def _modulator(assembly: Assembly, fields: Fields, kind: str, nodes: list[str], numbers: dict[str, Value], flags: list[str]) -> None:
    """A sine of ``space`` hertz at 0 V on the first pin and ``mark`` at 1 V, of the amplitude of the second pin; sine at pin 7, cosine at pin 6."""
    common = nodes[7]
    mark, space = numbers.pop("mark", 1e3), numbers.pop("space", 0.0)
    frequency = _f("add", space, _f("mul", _f("sub", mark, space), _across(nodes[0], common)))
    amplitude = Number(1.0) if nodes[1] == common else _across(nodes[1], common)
    sine, cosine = Memory(assembly, fields).oscillator(frequency)
    for node, wave in ((nodes[6], sine), (nodes[5], cosine)):
        if node == common:
            continue
        inner = f"{fields.name}#{'q' if wave is sine else 'n'}"
        assembly.add(BehaviouralVoltage(f"{inner}v", (inner, common), _f("mul", amplitude, wave), fields.place))
        assembly.add(Resistor(f"{inner}r", (inner, node), numbers.get("rout", 1.0), fields.place))
    numbers.pop("rout", None)
    _left(assembly, fields, numbers)


_ANALOGUE = {"ota": _ota, "samplehold": _sample_hold, "varistor": _varistor, "modulator": _modulator, "modulate": _modulator}


def _xspice(assembly: Assembly, fields: Fields, card) -> None:
    """XSPICE's filesource, potentiometer and gain."""
    words = [word.text.translate(_SIGNS) for word in fields.words[:-1]]
    nodes = [fields.scope.node(text) for text in words if text and not text.startswith("%")]
    fields.words.clear()
    v = card.values
    if card.kind == "filesource" and nodes:
        second = nodes[1] if any("%vd" in text.lower() for text in words) and len(nodes) > 1 else GROUND
        assembly.add(VoltageSource(fields.name, (nodes[0], second), ac=1.0, place=fields.place))
        assembly.played.append(fields.name)
        assembly.notes.say(f"{fields.part.written}: the file source marks the input; the file itself is not read", fields.place)
    elif card.kind == "potentiometer" and len(nodes) == 3:
        first, wiper, second = nodes
        total, position = v.get("r", 1e5), v.get("position", 0.5)
        if v.get("log"):
            lower = _f("mul", total, _f("pow", 10.0, _f("neg", _f("mul", position, v.get("log_multiplier", 1.0)))))
        else:
            lower = _f("mul", total, position)
        least = 1e-3  # ohms that a wiper leaves at its ends
        assembly.add(Resistor(f"{fields.name}.r0", (first, wiper), _f("max", lower, least), fields.place))
        assembly.add(Resistor(f"{fields.name}.r1", (wiper, second), _f("max", _f("sub", total, lower), least), fields.place))
    elif card.kind == "gain" and len(nodes) == 2:
        inner = _f("add", Voltage(nodes[0]) if nodes[0] != GROUND else 0.0, v.get("in_offset", 0.0))
        value = _f("add", _f("mul", v.get("gain", 1.0), inner), v.get("out_offset", 0.0))
        assembly.add(BehaviouralVoltage(fields.name, (nodes[1], GROUND), value, fields.place))
    else:
        assembly.notes.lose(f"{fields.part.written} is left out: the XSPICE model {card.kind} is not read; the result lacks it", fields.place)
    for name in fields.values:
        assembly.notes.lose(f"{fields.part.written}: {name}= is not understood and left out", fields.place)
    fields.values.clear()
