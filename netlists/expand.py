"""From pages to a flat list of parts: includes pulled in, subcircuits opened where they are used, every name in its scope.

A scope is one instance of a subcircuit. A parameter is looked up in the instance, then in the instances around it, up to the
deck: so parameters that an X line gives are seen inside although the subcircuit never declared them, as in LTspice, and a caller's
value hides the deck's, as in ngspice. A value given on the X line hides ``.param`` in the body, which hides the default of the header.
"""

from __future__ import annotations

import math
import re
from difflib import get_close_matches

from circuits.circuit import GROUND
from circuits.elements import BehaviouralCurrent, Capacitor, Inductor, Resistor
from circuits.errors import CircuitError, NetlistError, Place
from circuits.expressions import Call, Current, Expression, Name, Number, Value, Voltage, names
from circuits.units import parse_number
from netlists.deck import MAX_PARTS, MAX_WORK, Contents, Deck
from netlists.delays import delay
from netlists.expression import Function, parse, parse_first
from netlists.lexer import Line, Span
from netlists.pages import Subcircuit
from netlists.statements import Condition, Global, Model, Options, Part
from netlists.words import assignments, plain, words

MAX_INSTANCES = 20_000
MAX_LEVELS = 40

GROUNDS = frozenset(("0", "gnd", "gnd!"))


class Scope:
    """One instance of a subcircuit, or the deck itself: what each name means inside it."""

    def __init__(self, deck: Deck, contents: Contents, prefix: str = "", parent: "Scope | None" = None, ports: dict[str, str] | None = None,
                 stack: tuple[Subcircuit, ...] = ()):
        self.deck, self.contents, self.prefix, self.parent = deck, contents, prefix, parent
        self.ports = ports or {}
        self.stack = stack
        self.names: dict[str, Expression] = {}
        self.calls = 0
        self._take_functions()

    def _take_functions(self) -> None:
        self.functions = {name: Function(name, said.arguments, said.body, self) for name, said in self.contents.functions.items()}

    # what the expression parser asks
    def parameter(self, name: str) -> Expression | None:
        """The parameter in this instance or in one around it."""
        scope = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return Number(self.deck.temperature) if name in ("temp", "temper") else None

    def function(self, name: str) -> Function | None:
        """The function in this instance or in one around it."""
        scope = self
        while scope is not None:
            if name in scope.functions:
                return scope.functions[name]
            scope = scope.parent
        return None

    def voltage(self, plus: str, minus: str, place: Place) -> Expression:
        """V(plus, minus) of flat nodes."""
        nodes = self.node(plus), self.node(minus)
        for node in nodes:
            self.deck.probed.setdefault(node, place)
        return self.voltage_between(nodes)

    def voltage_between(self, nodes: tuple[str, str]) -> Expression:
        """The voltage between two flat nodes."""
        first, second = nodes
        if first == second:
            return Number(0.0)
        return Call("neg", (Voltage(second),)) if first == GROUND else Voltage(first, second)

    def current(self, element: str, place: Place) -> Expression:
        """I(element) of a flat element."""
        name = self.element_name(element)
        self.deck.sensed.setdefault(name, place)
        return Current(name)

    def auxiliary(self, kind: str, arguments: tuple[Expression, ...], place: Place) -> Expression:
        """A derivative is the voltage of 1 H through which the argument flows, an integral that of 1 F that it charges, a delay an all-pass."""
        if isinstance(arguments[0], Number) and kind == "ddt":
            return Number(0.0)
        number = len(self.deck.auxiliaries) + 1
        node = f"{self.prefix}#{kind}{number}"
        if kind == "delay":
            return delay(node, arguments[0], _number_or_expression(arguments[1]), self.deck, place)
        made = self.deck.auxiliaries
        made.append(BehaviouralCurrent(f"b{node}", (GROUND, node), arguments[0], place))
        if kind == "ddt":
            made.append(Inductor(f"l{node}", (node, GROUND), 1.0, None, place))
        else:
            start = arguments[1] if len(arguments) > 1 else 0.0
            made.append(Capacitor(f"c{node}", (node, GROUND), 1.0, start, place))
            made.append(Resistor(f"r{node}", (node, GROUND), 1e12, place))
        return Voltage(node)

    def remark(self, text: str, place: Place) -> None:
        """A loss that the parser found."""
        self.deck.notes.lose(text, place)

    def spend(self, size: int, place: Place) -> None:
        """Count the parts of an expression against what a deck may have."""
        self.deck.work += size + 10
        if self.deck.work > MAX_WORK:
            raise NetlistError(f"all expressions together have more than {MAX_WORK} parts", place=place,
                               mend="Is a subcircuit made of many of the next, over and over?")

    def known(self) -> tuple[str, ...]:
        """Every parameter in sight."""
        found, scope = [], self
        while scope is not None:
            found += scope.names
            scope = scope.parent
        return tuple(found)

    # names
    def node(self, name: str) -> str:
        """Flat name of a node."""
        name = name.lower()
        if name in GROUNDS:
            return GROUND
        if name in self.ports:
            return self.ports[name]
        if name in self.deck.globals or name.startswith("$g_"):
            return name
        return self.prefix + name

    def element_name(self, name: str) -> str:
        """Flat name of an element."""
        name = name.lower().replace(":", ".")
        return self.prefix + name

    def model(self, name: str) -> tuple[Model, "Scope"] | None:
        """A ``.model`` in this instance or in one around it, and the scope of its values."""
        scope = self
        while scope is not None:
            if name in scope.contents.models:
                return scope.contents.models[name], scope
            scope = scope.parent
        return None

    def subcircuit(self, name: str) -> Subcircuit | None:
        """A subcircuit in this instance or in one around it."""
        scope = self
        while scope is not None:
            if name in scope.contents.subcircuits:
                return scope.contents.subcircuits[name]
            scope = scope.parent
        return None

    # values
    def value(self, span: Span) -> Value:
        """A number or an expression."""
        text = span.text
        if not text:
            raise NetlistError("a value is missing", place=span.place())
        if text[0] in "0123456789.":
            try:
                number = parse_number(text)  # most values are plain numbers
            except ValueError:
                number = math.inf
            if math.isfinite(number):
                self.spend(0, span.place())
                return number
        found = parse(span, self)
        return found.value if isinstance(found, Number) else found

    def first_value(self, span: Span) -> tuple[Value, Span]:
        """The number or expression at the start of a stretch, and what is left."""
        found, rest = parse_first(span, self)
        return (found.value if isinstance(found, Number) else found), rest

    # building the tree of instances
    def define(self, given: dict[str, tuple[Span, "Scope"]], defaults: dict[str, Span]) -> None:
        """Bring this scope's parameters into the deck: ``given`` on the X line, ``.param`` of the body, defaults of the header; take the branches of ``.if``."""
        self._bind(given, defaults)
        if self.contents.choices:
            self.contents = self.contents.copy()
        while self.contents.choices:
            choice = self.contents.choices.pop(0)
            seen = len(self.contents.others)
            taken = next((lines for condition, lines in choice.branches if condition is None or self._holds(condition)), [])
            self.deck.sort(((line, False) for line in taken), choice.beside, self.contents, main=True, level=choice.level, library=choice.library)
            for said in self.contents.others[seen:]:
                if isinstance(said, Global):
                    self.deck.globals.update(said.nodes)
                elif isinstance(said, Options):
                    self.deck.notes.lose("options inside .if are left out", said.line.place())
            self._take_functions()
            self._bind(given, defaults)

    def _holds(self, condition: Span) -> bool:
        """Whether a condition is true with the parameters as they stand."""
        value = self.value(condition)
        try:
            held = self.deck.number(value) != 0.0
        except CircuitError as error:
            raise NetlistError(f"the condition of .if is no number: {error.what}", place=condition.place()) from None
        if not isinstance(value, float):
            self.deck.consulted |= names(value)
            self.deck.notes.once("if", "the branch of .if is chosen as the deck is read; it does not follow a control", condition.place())
        return held

    def _bind(self, given: dict[str, tuple[Span, "Scope"]], defaults: dict[str, Span]) -> None:
        sources: dict[str, tuple[Span, Scope]] = {name: (span, self) for name, span in defaults.items()}
        sources |= {name: (span, self) for name, (span, _) in self.contents.parameters.items()}
        sources |= given
        self.names = {name: Name(self.prefix + name) for name in sources}
        for name, (span, scope) in sources.items():
            looking = _Without(scope, name) if scope is self and self.parent is not None else scope
            self.deck.parameters[self.prefix + name] = _number_or_expression(parse(span, looking))
            self.deck.places[self.prefix + name] = span.place()

    def expand(self) -> None:
        """Append all parts of this scope to the deck's flat list, opening the instances of subcircuits."""
        for said in self.contents.others:
            if isinstance(said, Condition):
                self.deck.conditions.append((said, self))
        for part in self.contents.parts:
            if part.letter == "x" and self.instance(part):
                continue
            self.deck.flat.append((part, self))
            if len(self.deck.flat) > MAX_PARTS:
                raise NetlistError(f"the circuit has more than {MAX_PARTS} elements", place=part.place,
                                   mend="Is a subcircuit made of many of the next, over and over?")

    def instance(self, part: Part) -> bool:
        """Open the subcircuit that an X line names; False if there is none of that name."""
        head, values = assignments(part.tail)
        found = [word for word in plain(words(head)) if word.lower not in ("params:", "optional:")]
        # the name is the last word; LTspice also allows flags behind it
        target = index = None
        for index in range(len(found) - 1, -1, -1):
            target = self.subcircuit(found[index].lower)
            if target is not None:
                break
        if target is None:
            return False
        if index != len(found) - 1:
            extra = found[index + 1]
            raise NetlistError(f"{extra.text!r} is not expected behind the subcircuit's name", place=extra.span.place(), element=part.name)
        deck = self.deck
        deck.instances += 1
        if deck.instances > MAX_INSTANCES:
            raise NetlistError(f"more than {MAX_INSTANCES} instances of subcircuits", place=part.place,
                               mend="Is a subcircuit made of many of the next, over and over?")
        if target in self.stack:
            circle = " > ".join(one.name for one in (*self.stack[self.stack.index(target):], target))
            raise NetlistError(f"{part.written}: the subcircuit {target.name} contains itself ({circle})", place=part.place, element=part.name)
        if len(self.stack) >= MAX_LEVELS:
            raise NetlistError(f"subcircuits are nested more than {MAX_LEVELS} deep", place=part.place)
        contents = deck.open(target)
        ports, defaults = header(contents.header)
        nodes = [self.node(word.text) for word in found[:index]]
        if len(nodes) != len(ports):
            raise NetlistError(f"{part.written} has {len(nodes)} nodes, its subcircuit {target.name} has {len(ports)}", place=part.place,
                               mend=f"Its pins are {' '.join(ports) or 'none'}.", element=part.name)
        prefix = f"{self.prefix}{part.name}."
        inner = Scope(deck, contents, prefix, self, dict(zip(ports, nodes)), (*self.stack, target))
        for said in contents.others:
            if isinstance(said, Global):
                deck.globals.update(said.nodes)
        for port, node in zip(ports, nodes):
            deck.aliases[prefix + port] = node
        given = {one.name: (one.value, self) for one in values}
        for one in values:
            if not one.value.text:
                raise NetlistError(f"the parameter {one.name!r} has no value", place=one.place_of.place(), element=part.name)
        inner.define(given, defaults)
        inner.expand()
        return True


class _Without:
    """A scope in which one name is not seen: the default of a parameter may use the outer parameter of the same name."""

    def __init__(self, scope: Scope, hidden: str):
        self.scope, self.hidden = scope, hidden

    def parameter(self, name):
        return self.scope.parent.parameter(name) if name == self.hidden else self.scope.parameter(name)

    def __getattr__(self, name):
        return getattr(self.scope, name)


def _number_or_expression(found: Expression) -> Value:
    return found.value if isinstance(found, Number) else found


def header(line: Line) -> tuple[list[str], dict[str, Span]]:
    """Ports and default parameters of a ``.subckt`` line."""
    keyword = re.match(r"\S+\s*", line.text)
    head, values = assignments(Span(line, keyword.end(), len(line.text)))
    found = [word.lower for word in plain(words(head)) if word.lower not in ("params:", "optional:", "text:")]
    if not found:
        raise NetlistError(".subckt needs a name", place=line.place())
    return found[1:], {one.name: one.value for one in values if one.value.text}


def missing_subcircuit(part: Part, scope: Scope, name: str) -> NetlistError:
    """The error for an X line whose subcircuit is nowhere."""
    known, here = [], scope
    while here is not None:
        known += here.contents.subcircuits
        here = here.parent
    close = get_close_matches(name, known, 1)
    mend = f"Did you mean {close[0]}?" if close else "Add its .subckt, or .include the file that holds it."
    if not close:
        mend = scope.deck.not_found() or mend
    return NetlistError(f"{part.written} uses the subcircuit {name}, which is not defined", place=part.place, mend=mend, element=part.name)

