"""R, C, L and K: values, expressions, and the parasitic parts that LTspice hides in them.

``Rser Lser Rpar Cpar`` become real elements named ``<element>#rser`` and so on, with inner nodes of the same names.
"""

from __future__ import annotations

from circuits.circuit import Card
from circuits.elements import BehaviouralCurrent, BehaviouralVoltage, Capacitor, Coupling, Device, Inductor, Resistor, VoltageSource
from circuits.expressions import Call, Current, Expression, Value, Voltage
from netlists.assembly import BOOKKEEPING, Assembly, Fields
from netlists.cores import core_model
from netlists.expand import Scope
from netlists.expression import parse
from netlists.lexer import Span
from netlists.statements import split_model
from netlists.trees import expression, is_constant, product, quotient
from netlists.words import plain, words


def _model_factor(fields: Fields, key: str) -> Value | None:
    """Take a model name (``.model X RES(R=2)``) out of the words; its multiplier, or None if there is no model."""
    for index, word in enumerate(fields.words):
        found = fields.scope.model(word.lower)
        if found is None or fields.scope.parameter(word.lower) is not None:
            continue
        del fields.words[index]
        model, scope = found
        kind, _, values, _ = split_model(model)
        result: Value = 1.0
        for one in values:
            if one.name == key:
                result = scope.value(one.value)
            elif one.name in ("tc1", "tc2") and one.name not in fields.values:
                fields.values[one.name] = one
            elif one.name not in BOOKKEEPING:
                fields.scope.deck.notes.once(f"{model.name}.{one.name}", f"the model {model.name}: {one.name}= is not understood and left out", one.place_of.place())
        return result
    return None


def _value(fields: Fields, key: str, *more: str) -> Value:
    """The main value: first word, ``R=`` or ``value=``."""
    factor = _model_factor(fields, key)
    span = fields.take(key, "value", *more)
    if span is not None:
        value, rest = fields.scope.first_value(span)
        fields.words += plain(words(rest))
    elif fields.words:
        word = fields.words.pop(0)
        value = fields.word_value(word)
        if fields.words and fields.words[0].text[:1].isdigit() and "," in fields.part.tail.text:
            fields.fail(f"has two values, {word.text} and {fields.words[0].text}", "A comma separates; the decimal sign is a point.",
                        fields.words[0].span.place())
    else:
        fields.fail("has no value", f"Write {fields.part.written} node node value.")
    return value if factor is None else product(value, factor)


def _temperature(fields: Fields, value: Value) -> Value:
    """Temperature coefficients, which count from 27 C."""
    span = fields.take("tc")
    coefficients: list[Value] = []
    if span is not None:
        coefficients = [fields.word_value(word) for word in plain(words(span))[:2]]
    one, two = fields.number("tc1"), fields.number("tc2")
    if one is not None or two is not None:
        coefficients = [one or 0.0, two or 0.0]
    own, more = fields.number("temp"), fields.number("dtemp")
    if coefficients:
        deck = fields.scope.deck
        own = deck.temperature if own is None else own
        if not all(isinstance(one, float) for one in (own, more or 0.0)):
            fields.fail("has a temperature that is a parameter", "Give temp= as a number.")
        rise = own + (more or 0.0) - 27.0
    else:
        rise = 0.0
    if not coefficients or rise == 0.0:
        return value
    factor: Value = 1.0
    for power, coefficient in enumerate(coefficients, 1):
        factor = Call("add", (expression(factor), expression(product(coefficient, rise**power))))
    return product(value, factor)


def resistor(assembly: Assembly, fields: Fields) -> None:
    """R: a value, or an expression of voltages, which is a current source v/r."""
    nodes = fields.nodes(2)
    text = fields.words[0].text if fields.words else ""
    value = _temperature(fields, _value(fields, "r", "res", "resistance"))
    multiplier = fields.number("m")
    value = value if multiplier is None else quotient(value, multiplier)
    if not is_constant(value):
        assembly.add(BehaviouralCurrent(fields.name, nodes, Call("div", (Voltage(*nodes), value)), fields.place))
        return
    if text[-1:] == "M" and isinstance(value, float) and 0.0 < value < 0.1:
        assembly.notes.say(f"{fields.part.written}: {text} is {value:g} ohms; SPICE's M is milli, a megohm is 1MEG", fields.place)
    assembly.add(Resistor(fields.name, nodes, value, fields.place))


def capacitor(assembly: Assembly, fields: Fields) -> None:
    """C: a value; ``Q=`` a charge of x, the voltage across it; or a capacitance that depends on voltages."""
    nodes = fields.nodes(2)
    charge = fields.take("q")
    if fields.take("v") is not None:  # LTspice's rating, beside Irms= and Rser=
        assembly.notes.once("bookkeeping", "ratings and maker's names (tol, pwr, mfg ...) are left out", fields.place)
    inner, outer = _series(assembly, fields, nodes)
    if charge is not None:
        held = expression(_of_x(fields, charge, Voltage(*inner)))
        current = fields.scope.auxiliary("ddt", (held,), fields.place)
        assembly.add(BehaviouralCurrent(fields.name, inner, current, fields.place))
        return
    value = _temperature(fields, _value(fields, "c", "cap", "capacitance"))
    multiplier = fields.number("m")
    value = value if multiplier is None else product(value, multiplier)
    initial = fields.number("ic")
    if not is_constant(value):
        slope = fields.scope.auxiliary("ddt", (Voltage(*inner),), fields.place)
        assembly.add(BehaviouralCurrent(fields.name, inner, Call("mul", (value, slope)), fields.place))
    else:
        assembly.add(Capacitor(fields.name, inner, value, initial, fields.place))
    _parallel(assembly, fields, outer)


def inductor(assembly: Assembly, fields: Fields) -> None:
    """L: a value; LTspice's ``Hc Bs Br A Lm Lg N``, a winding on a core that saturates; or ``Flux=`` of x, the current."""
    nodes = fields.nodes(2)
    inner, outer = _series(assembly, fields, nodes)
    if "hc" in fields.values and "bs" in fields.values:
        numbers = {key: value for key in ("hc", "bs", "br", "a", "lm", "lg", "n") if (value := fields.number(key)) is not None}
        if fields.take("ic") is not None:
            assembly.notes.say(f"{fields.part.written}: ic= is left out; the operating point decides", fields.place)
        assembly.add(Device(fields.name, inner, Card(f"{fields.name}.core", "core", numbers, "netlist", fields.place), {}, fields.place))
        assembly.notes.say(f"{fields.part.written}: its core follows the middle of the loop that Hc, Bs and Br describe", fields.place)
        _parallel(assembly, fields, outer)
        return
    flux = fields.take("flux")
    if flux is not None:
        sense, node = f"{fields.name}#current", f"{fields.name}#flux"
        held = expression(_of_x(fields, flux, Current(sense)))
        assembly.add(VoltageSource(sense, (inner[0], node), place=fields.place))
        assembly.add(BehaviouralVoltage(fields.name, (node, inner[1]), fields.scope.auxiliary("ddt", (held,), fields.place), fields.place))
        _parallel(assembly, fields, outer)
        return
    value = _value(fields, "l", "ind", "inductance")
    multiplier = fields.number("m")
    value = value if multiplier is None else quotient(value, multiplier)
    if not is_constant(value):
        fields.fail("has an inductance that depends on voltages or currents", "Only constant inductances are read.")
    assembly.add(Inductor(fields.name, inner, value, fields.number("ic"), fields.place))
    _parallel(assembly, fields, outer)


class _WithX:
    """A scope in which x is the voltage across a part, or the current through it."""

    def __init__(self, scope: Scope, x: Expression):
        self.scope, self.x = scope, x

    def parameter(self, name):
        return self.x if name == "x" else self.scope.parameter(name)

    def __getattr__(self, name):
        return getattr(self.scope, name)


def _of_x(fields: Fields, span: Span, x: Expression) -> Expression:
    return parse(span, _WithX(fields.scope, x))


def _series(assembly: Assembly, fields: Fields, nodes: tuple[str, str]) -> tuple[tuple[str, str], tuple[str, str]]:
    """Insert Rser and Lser; the nodes of the bare element, and those of the whole."""
    first = nodes[0]
    for key, kind in (("rser", Resistor), ("lser", Inductor)):
        value = fields.number(key)
        if value is None or value == 0.0:
            continue
        node = f"{fields.name}#{key[0]}"
        name = f"{fields.name}#{key}"
        assembly.add(kind(name, (first, node), value, place=fields.place))
        first = node
    return (first, nodes[1]), nodes


def _parallel(assembly: Assembly, fields: Fields, nodes: tuple[str, str]) -> None:
    for key, kind in (("rpar", Resistor), ("cpar", Capacitor), ("rlshunt", Resistor)):
        value = fields.number(key)
        if value is not None and value != 0.0:
            assembly.add(kind(f"{fields.name}#{key}", nodes, value, place=fields.place))


def coupling(assembly: Assembly, fields: Fields) -> None:
    """K: two or more inductors and one coefficient; or PSPICE's coils on a core, whose model stands behind it."""
    core = core_model(fields)
    factor = fields.take("k")
    if factor is not None:
        value = fields.whole(factor)
    elif fields.words:
        value = fields.word_value(fields.words.pop())
    else:
        fields.fail("needs inductors and a coefficient")
    names = tuple(fields.scope.element_name(word.text) for word in fields.words)
    fields.words.clear()
    if core is not None and names:
        assembly.cores.append((names, core, Coupling(fields.name, names, value, place=fields.place)))
        return
    if len(names) < 2:
        fields.fail("needs two inductors or more", "Write K1 L1 L2 0.99.")
    if isinstance(value, float) and not -1.0 <= value <= 1.0:
        fields.fail(f"has the coefficient {value:g}", "It must lie from -1 to 1.")
    assembly.add(Coupling(fields.name, names, value, place=fields.place))


def parallel_extras(assembly: Assembly, fields: Fields, nodes: tuple[str, str]) -> None:
    """Rpar and Cpar of a behavioural source."""
    _parallel(assembly, fields, nodes)


def series_resistance(assembly: Assembly, fields: Fields, nodes: tuple[str, str]) -> tuple[str, str]:
    """Rser of a source; the nodes of the bare source."""
    return _series(assembly, fields, nodes)[0]


