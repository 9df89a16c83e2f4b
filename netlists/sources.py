"""V and I: direct, small-signal and in time, with or without parentheses, as SPICE, LTspice and PSPICE write them."""

from __future__ import annotations

from circuits.elements import BehaviouralCurrent, BehaviouralVoltage, CurrentSource, VoltageSource
from circuits.expressions import Call, Value
from circuits.units import parse_number
from circuits.waveforms import Waveform
from netlists.assembly import BOOKKEEPING, Assembly, Fields
from netlists.passives import parallel_extras, series_resistance
from netlists.trees import expression, is_constant, linear_table
from netlists.words import Word, plain, words

_SHAPES = {"sin": "sin", "sine": "sin", "pulse": "pulse", "pwl": "pwl", "exp": "exp", "sffm": "sffm"}
_MOST = {"sin": 6, "pulse": 8, "exp": 6, "sffm": 5}
_SILENT = ("trnoise", "trrandom", "random", "noise", "am", "external")
_KEYWORDS = frozenset((*_SHAPES, *_SILENT, "dc", "ac", "distof1", "distof2", "portnum", "r", "load", "tbl", "table"))


def source(assembly: Assembly, fields: Fields) -> None:
    """V or I."""
    is_voltage = fields.part.letter == "v"
    nodes = fields.nodes(2)
    formula = fields.take("v" if is_voltage else "i", "value")
    inner = series_resistance(assembly, fields, nodes) if is_voltage else nodes
    wave = fields.take("wavefile")
    if wave is not None:
        words_left = plain(words(wave))
        assembly.notes.say(f"{fields.part.written}: wavefile={words_left[0].text if words_left else ''} marks the input; the file itself is not read",
                           fields.place)
        fields.take("chan")
        assembly.played.append(fields.name)
    dc_text = fields.take("dc")
    dc: Value = 0.0 if dc_text is None else fields.whole(dc_text)
    ac: Value = 0.0
    phase: Value = 0.0
    ac_text = fields.take("ac")
    if ac_text is not None:
        numbers = [fields.word_value(word) for word in plain(words(ac_text))[:2]]
        ac, phase = (numbers + [0.0])[:2] if numbers else (1.0, 0.0)
    shape, numbers = None, []
    found = fields.words
    while found:
        word = found.pop(0)
        key = word.lower
        if key == "dc":
            dc = fields.word_value(_next(fields, word))
        elif key == "ac":
            ac = fields.word_value(found.pop(0)) if found and not _is_keyword(found[0]) else 1.0
            if found and not _is_keyword(found[0]):
                phase = fields.word_value(found.pop(0))
        elif key in _SHAPES:
            shape, numbers = _SHAPES[key], []
            while found and not _is_keyword(found[0]):
                numbers.append(_point(fields, found.pop(0), shape, numbers))
            listed = fields.take("file") if shape == "pwl" and not numbers else None
            numbers += _listed(fields, listed) if listed is not None else []
            _check(fields, shape, numbers, word)
        elif key in ("tbl", "table") and not is_voltage:  # LTspice: a current that depends on the source's own voltage
            while found and not _is_keyword(found[0]):
                numbers.append(expression(fields.word_value(found.pop(0))))
            if len(numbers) < 2 or len(numbers) % 2:
                fields.fail(f"has {len(numbers)} numbers in its {word.text}", "Give pairs of voltage and current.", word.span.place())
            dc, numbers = linear_table(fields.scope.voltage_between(nodes), list(zip(numbers[0::2], numbers[1::2])), word.span.place()), []
        elif key in BOOKKEEPING:
            continue
        elif key in _SILENT:
            while found and not _is_keyword(found[0]):
                found.pop(0)
            assembly.notes.lose(f"{fields.part.written}: {word.text} is not simulated; the source stays at its DC value", word.span.place())
        elif key in ("distof1", "distof2", "portnum", "load", "r"):
            while found and not _is_keyword(found[0]):
                found.pop(0)
            assembly.notes.lose(f"{fields.part.written}: {word.text} is left out", word.span.place())
        else:
            dc = fields.word_value(word)
    parallel_extras(assembly, fields, nodes)
    if formula is not None or not is_constant(dc):
        value = fields.whole(formula) if formula is not None else dc
        kind = BehaviouralVoltage if is_voltage else BehaviouralCurrent
        assembly.add(kind(fields.name, inner, expression(value), fields.place))
        return
    kind = VoltageSource if is_voltage else CurrentSource
    waveform = Waveform(shape, tuple(numbers)) if shape else None
    assembly.add(kind(fields.name, inner, dc, ac, phase, waveform, fields.place))


def _next(fields: Fields, word: Word) -> Word:
    if not fields.words:
        fields.fail(f"has no value behind {word.text}", place=word.span.place())
    return fields.words.pop(0)


def _is_keyword(word: Word) -> bool:
    return word.kind == "word" and word.lower in _KEYWORDS


def _point(fields: Fields, word: Word, shape: str, before: list[Value]) -> Value:
    value = fields.word_value(word)
    if not is_constant(value):
        fields.fail(f"has {word.text} in its waveform", "Numbers and parameters may stand there.", word.span.place())
    if shape == "pwl" and word.text.startswith("+") and len(before) >= 2 and len(before) % 2 == 0:  # LTspice: later by that much
        last = before[-2]
        if isinstance(value, float) and isinstance(last, float):
            return last + value
        return Call("add", (expression(last), expression(value)))
    return value


def _listed(fields: Fields, span) -> list[Value]:
    """``PWL file=NAME``: pairs of time and value, as rows of a text file that lies where includes may lie."""
    deck, place = fields.scope.deck, span.place()
    name = span.text.strip().strip("'\"")
    path = deck.files.find(name, None, place)
    if path is None:
        fields.fail(f"plays the file {name!r}, which is not there", "Put the file beside the netlist, or give its folder with --include-path.", place)
    try:
        return [parse_number(word) for word in deck.files.read(path, place).replace(",", " ").replace(";", " ").split()]
    except ValueError as error:
        fields.fail(f"plays {name}: {error}", "Give a pair of time and value in each row.", place)


def _check(fields: Fields, shape: str, numbers: list[Value], word: Word) -> None:
    if shape == "pwl":
        if not numbers or len(numbers) % 2:
            fields.fail(f"has {len(numbers)} numbers in its PWL", "Give pairs of time and value.", word.span.place())
        times = [number for number in numbers[0::2] if isinstance(number, float)]
        if any(later < earlier for earlier, later in zip(times, times[1:])):
            fields.fail("has times in its PWL that fall", "Sort its points by time.", word.span.place())
    elif len(numbers) > _MOST[shape]:
        if shape == "sin":
            if len(numbers) > _MOST[shape] + 1:
                fields.fail(f"has {len(numbers)} numbers in its SINE, which takes seven", place=word.span.place())
            del numbers[_MOST[shape]:]
            fields.scope.deck.notes.lose(f"{fields.part.written}: the number of cycles of its SINE is left out; the sine does not stop", word.span.place())
        else:
            fields.fail(f"has {len(numbers)} numbers in its {shape.upper()}, which takes {_MOST[shape]}", place=word.span.place())
