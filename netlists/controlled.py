"""E, G, F, H and B: linear where they are linear, and else an expression of voltages, currents and time.

POLY is expanded into its products in SPICE's order (SPICE2 user's guide, section on nonlinear dependent sources): constant,
first powers, then all products of two, of three and so on, each with its indices rising.
"""

from __future__ import annotations

from itertools import combinations_with_replacement, count

from circuits.elements import (BehaviouralCurrent, BehaviouralVoltage, CurrentControlledCurrent, CurrentControlledVoltage,
                               VoltageControlledCurrent, VoltageControlledVoltage)
from circuits.expressions import Call, Current, Expression, Number, Value
from netlists.assembly import Assembly, Fields
from netlists.laplace import transfer
from netlists.learned import learned
from netlists.lexer import Span
from netlists.passives import parallel_extras
from netlists.trees import balanced_sum, expression, is_constant, linear_table, product
from netlists.words import plain, words

MAX_COEFFICIENTS = 100
MAX_POLY = 30  # variables: vendor macromodels use up to ten


def behavioural(assembly: Assembly, fields: Fields) -> None:
    """B: ``V=``, ``I=``, LTspice's ``R=`` (a resistance) and ``P=`` (a load of constant power), or a fitted ``law=``."""
    if learned(assembly, fields):
        return
    nodes = fields.nodes(2)
    scope = fields.scope
    for key in ("v", "i", "r"):
        span = fields.take(key)
        if span is None:
            continue
        value, rest = scope.first_value(span)
        fields.words += plain(words(rest))
        multiplier = fields.number("m")
        if key == "v":
            assembly.add(BehaviouralVoltage(fields.name, nodes, expression(value), fields.place))
        elif key == "i":
            value = value if multiplier is None else product(value, multiplier)
            assembly.add(BehaviouralCurrent(fields.name, nodes, expression(value), fields.place))
        else:
            voltage = scope.voltage_between(nodes)
            assembly.add(BehaviouralCurrent(fields.name, nodes, Call("div", (voltage, expression(value))), fields.place))
        fields.take("tripdv"), fields.take("tripdt")  # where LTspice's solver looks twice
        if key == "v" and multiplier is not None:
            assembly.notes.say(f"{fields.part.written}: m= changes nothing of a voltage", fields.place)
        parallel_extras(assembly, fields, nodes)
        return
    fields.fail("needs V= or I= and an expression", "Write B1 out 0 V=V(a)*V(b).")


def controlled(assembly: Assembly, fields: Fields) -> None:
    """E and G (controlled by voltages), F and H (controlled by currents), in every form."""
    is_voltage = fields.part.letter in "eh"
    nodes = fields.nodes(2)
    if fields.part.letter in "eg" and _laplace(assembly, fields, nodes):
        parallel_extras(assembly, fields, nodes)
        return
    formula = _formula(fields)
    multiplier = fields.number("m") if fields.part.letter == "g" else None
    if formula is not None:
        value = formula if multiplier is None else expression(product(formula, multiplier))
        kind = BehaviouralVoltage if is_voltage else BehaviouralCurrent
        assembly.add(kind(fields.name, nodes, value, fields.place))
    elif fields.part.letter in "eg":
        _by_voltage(assembly, fields, nodes, multiplier)
    else:
        _by_current(assembly, fields, nodes)
    for key in ("ic", "max", "min", "scale", "tc1", "tc2"):
        span = fields.take(key)
        if span is not None:
            assembly.notes.lose(f"{fields.part.written}: {key}= is left out", span.place())
    parallel_extras(assembly, fields, nodes)


def _by_voltage(assembly: Assembly, fields: Fields, nodes: tuple[str, str], multiplier: Value | None) -> None:
    """Linear E or G."""
    control = fields.nodes(2)
    if fields.words and fields.words[0].lower in ("table", "tbl"):  # LTspice: in+ in- table(x, y, ...)
        place = fields.words[0].span.place()
        numbers = [expression(fields.word_value(word)) for word in fields.words[1:]]
        fields.words.clear()
        if len(numbers) < 2 or len(numbers) % 2:
            fields.fail("has a TABLE without pairs", "Write table(0,0, 1,2).", place)
        value = linear_table(fields.scope.voltage_between(control), list(zip(numbers[0::2], numbers[1::2])), place)
        assembly.add((BehaviouralVoltage if fields.part.letter == "e" else BehaviouralCurrent)(fields.name, nodes, value, fields.place))
        return
    span = fields.take("gain", "gm")
    if span is None and not fields.words:
        fields.fail("has no gain", f"Write {fields.part.written} out+ out- in+ in- gain.")
    gain = fields.whole(span) if span is not None else fields.word_value(fields.words.pop(0))
    gain = gain if multiplier is None else product(gain, multiplier)
    if not is_constant(gain):
        value = Call("mul", (expression(gain), fields.scope.voltage_between(control)))
        kind = BehaviouralVoltage if fields.part.letter == "e" else BehaviouralCurrent
        assembly.add(kind(fields.name, nodes, value, fields.place))
        return
    kind = VoltageControlledVoltage if fields.part.letter == "e" else VoltageControlledCurrent
    assembly.add(kind(fields.name, (*nodes, *control), gain, fields.place))


def _by_current(assembly: Assembly, fields: Fields, nodes: tuple[str, str]) -> None:
    """Linear F or H."""
    if len(fields.words) < 2:
        fields.fail("needs a voltage source and a gain", f"Write {fields.part.written} out+ out- vsense gain.")
    word = fields.words.pop(0)
    sensor = fields.scope.element_name(word.text)
    fields.scope.deck.sensed.setdefault(sensor, word.span.place())
    gain = fields.word_value(fields.words.pop(0))
    letter = fields.part.letter
    if not is_constant(gain):
        kind = BehaviouralVoltage if letter == "h" else BehaviouralCurrent
        assembly.add(kind(fields.name, nodes, Call("mul", (expression(gain), Current(sensor))), fields.place))
        return
    kind = CurrentControlledVoltage if letter == "h" else CurrentControlledCurrent
    assembly.add(kind(fields.name, nodes, sensor, gain, fields.place))


def _formula(fields: Fields) -> Expression | None:
    """The expression of VALUE, vol, cur, POLY or TABLE, or None for the linear form."""
    span = fields.take("value", "vol" if fields.part.letter in "eh" else "cur", "v" if fields.part.letter in "eh" else "i")
    if span is not None:
        value, rest = fields.scope.first_value(span)
        fields.words += plain(words(rest))
        return expression(value)
    span = fields.take("table")
    if span is not None:
        return _table(fields, span)
    if fields.take("freq") is not None:
        fields.fail("uses FREQ, which is not read", "Write it as LAPLACE, or with R, L and C.")
    first = fields.words[0].lower if fields.words else ""
    if first == "value" and len(fields.words) > 1:
        value = fields.word_value(fields.words[1])
        del fields.words[:2]
        return expression(value)
    if first == "poly":
        return _poly(fields)
    if first == "table":
        word = fields.words[0]
        rest = Span(fields.part.line, word.span.stop, fields.part.tail.stop).strip()
        fields.words.clear()
        if rest.text.startswith("="):
            rest = rest.part(1, len(rest.text)).strip()
        return _table(fields, rest)
    if first in ("freq", "chebyshev", "opamp", "transformer", "delay", "and", "nand", "or", "nor"):
        fields.fail(f"uses {first.upper()}, which is not read", "Write it with R, L and C, or as VALUE={...}.")
    if len(fields.words) == 1 and fields.words[0].kind == "group":  # E1 a b {expression}, as some programs write
        return expression(fields.word_value(fields.words.pop()))
    return None


def _laplace(assembly: Assembly, fields: Fields, nodes: tuple[str, str]) -> bool:
    """``LAPLACE {drive} = {function}``, or LTspice's ``in+ in- Laplace=function``."""
    function = fields.take("laplace")
    if function is not None:
        groups = plain(words(function))
        if len(groups) >= 2 and all(word.kind == "group" for word in groups[:2]):  # LAPLACE={drive} {function}
            transfer(fields, groups[0].span, groups[1].span, nodes, assembly)
        else:
            transfer(fields, fields.nodes(2), function, nodes, assembly)
        return True
    if fields.words and fields.words[0].lower == "laplace":
        groups = [word for word in fields.words[1:] if word.text != "="]
        if len(groups) < 2:
            fields.fail("needs LAPLACE {formula} = {function of s}", place=fields.words[0].span.place())
        fields.words[:] = groups[2:]
        transfer(fields, groups[0].span, groups[1].span, nodes, assembly)
        return True
    return False


def _table(fields: Fields, span: Span) -> Expression:
    """``{expression} = (x, y) (x, y) ...``; signs between are optional."""
    found = plain(words(span))
    if not found:
        fields.fail("has an empty TABLE", place=span.place())
    x = expression(fields.word_value(found.pop(0)))
    numbers = [expression(fields.word_value(word)) for word in found if word.text != "="]
    if len(numbers) < 2 or len(numbers) % 2:
        fields.fail("has a TABLE without pairs", "Write TABLE {V(a)} = (0,0) (1,2).", span.place())
    return linear_table(x, list(zip(numbers[0::2], numbers[1::2])), span.place())


def _poly(fields: Fields) -> Expression:
    """POLY(n) controls coefficients."""
    place = fields.words.pop(0).span.place()
    if not fields.words:
        fields.fail("has no dimension behind POLY", place=place)
    dimension = fields.word_value(fields.words.pop(0))
    if not isinstance(dimension, float) or dimension != int(dimension) or not 1 <= dimension <= MAX_POLY:
        fields.fail("has a wrong dimension behind POLY", f"Give a whole number from 1 to {MAX_POLY}.", place)
    variables: list[Expression] = []
    for _ in range(int(dimension)):
        if fields.part.letter in "eg":
            variables.append(fields.scope.voltage_between(fields.nodes(2)))
        else:
            if not fields.words:
                fields.fail("has too few sources behind POLY", place=place)
            word = fields.words.pop(0)
            variables.append(fields.scope.current(word.text, word.span.place()))
    coefficients = []
    while fields.words:
        coefficients.append(fields.word_value(fields.words.pop(0)))
    if not coefficients:
        fields.fail("has no coefficients behind POLY", place=place)
    if len(coefficients) > MAX_COEFFICIENTS:
        fields.fail(f"has {len(coefficients)} coefficients behind POLY", f"Up to {MAX_COEFFICIENTS} are read.", place)
    if len(coefficients) == 1 and len(variables) == 1:
        fields.scope.deck.notes.say(f"{fields.part.written}: the only coefficient of its POLY is taken as the constant, as ngspice takes it", place)
    return polynomial(variables, coefficients)


def polynomial(variables: list[Expression], coefficients: list[Value]) -> Expression:
    """SPICE's polynomial of several variables.

    Parameters
    ----------
    variables : list of Expression
        x1, x2, ...
    coefficients : list of float or Expression
        Of 1, x1, x2, ..., x1*x1, x1*x2, ..., x2*x2, ..., x1*x1*x1, ...

    Returns
    -------
    Expression
    """
    left, terms = list(coefficients), []
    for degree in count():
        for indices in combinations_with_replacement(range(len(variables)), degree):
            if not left:
                return balanced_sum(terms, lambda operation, *arguments: Call(operation, arguments)) if terms else Number(0.0)
            coefficient = expression(left.pop(0))
            if coefficient == Number(0.0):
                continue
            term = coefficient
            factors = [variables[index] for index in indices]
            for factor in factors:
                term = factor if term == Number(1.0) else Call("mul", (term, factor))
            terms.append(term)
    raise AssertionError("the loop above returns")

