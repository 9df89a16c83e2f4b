"""Reads the formulas of a netlist: text in, a tree of known operations out; nothing is ever executed.

A Pratt parser (V. R. Pratt, "Top down operator precedence", POPL 1973) over one list of tokens. The dialect is LTspice's where
simulators differ: ``^`` and ``**`` are powers, ``log`` is natural, ``&`` and ``|`` are logical, truth is "> 0.5". Powers associate to the left
and bind stronger than a sign, as in ngspice. Names are looked up in a `Scope`; ``table`` becomes a sum of limited segments.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol

from circuits.errors import NetlistError, Place
from circuits.expressions import Expression, Number, Time
from circuits.units import parse_number
from netlists.lexer import Span
from netlists.trees import Builder, linear_table

MAX_NESTING = 60    # brackets, signs and functions inside each other: keeps Python's own stack safe
MAX_CALLS = 20         # the netlist's own functions inside each other
MAX_EXPANSIONS = 2000  # calls of the netlist's own functions in one expression

_NODE = r"[^\s,(){}=;'\"]+(?:\([^\s,()]*\)[^\s,(){}=;'\"]*)*"
_TOKEN = re.compile(rf"""\s*(?:
    (?P<number>(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?[a-zµμΩω°]*(?:\d+[a-zµμΩω°]*)?)
  | (?P<probe>[vi])\s*\(\s*(?P<plus>{_NODE})\s*(?:,\s*(?P<minus>{_NODE})\s*)?\)
  | (?P<name>[a-z_][\w.$\#§]*)
  | (?P<sign>\*\*|<=|>=|==|!=|<>|&&|\|\||[-+*/^%<>!~&|?:(),{{}}'"])
)""", re.IGNORECASE | re.VERBOSE)

_INFIX = {"?": 1, "|": 2, "||": 2, "&": 4, "&&": 4, "==": 6, "!=": 6, "<>": 6, "<": 6, ">": 6, "<=": 6, ">=": 6,
          "+": 8, "-": 8, "*": 10, "/": 10, "%": 10, "^": 14, "**": 14}
_SIGN_POWER = 12
_BINARY = {"|": "or", "||": "or", "&": "and", "&&": "and", "==": "eq", "!=": "ne", "<>": "ne", "<": "lt", ">": "gt",
           "<=": "le", ">=": "ge", "+": "add", "-": "sub", "*": "mul", "/": "div", "%": "mod", "^": "pow", "**": "pow"}

_FUNCTIONS = {name: (name, arity) for name, arity in (
    ("abs", 1), ("sgn", 1), ("sqrt", 1), ("exp", 1), ("ln", 1), ("log10", 1), ("sin", 1), ("cos", 1), ("tan", 1), ("asin", 1),
    ("acos", 1), ("atan", 1), ("atan2", 2), ("hypot", 2), ("sinh", 1), ("cosh", 1), ("tanh", 1), ("asinh", 1), ("acosh", 1),
    ("atanh", 1), ("limit", 3), ("pow", 2), ("pwr", 2), ("pwrs", 2), ("if", 3), ("u", 1), ("uramp", 1), ("floor", 1),
    ("ceil", 1), ("int", 1), ("round", 1), ("uplim", 3), ("dnlim", 3))}
_FUNCTIONS |= {other: _FUNCTIONS[name] for other, name in (
    ("fabs", "abs"), ("sign", "sgn"), ("arctan", "atan"), ("arcsin", "asin"), ("arccos", "acos"), ("arctanh", "atanh"),
    ("arcsinh", "asinh"), ("arccosh", "acosh"), ("stp", "u"), ("ternary_fcn", "if"), ("trunc", "int"), ("nint", "round"))}
_FUNCTIONS["log"] = ("ln", 1)
_FUNCTIONS["inv"] = ("not", 1)
_SPECIAL = ("table", "tbl", "min", "max", "buf", "ddt", "idt", "sdt", "square", "cbrt", "db", "gauss", "agauss", "flat", "aunif", "unif",
            "mc", "rand", "random", "white", "delay", "absdelay")
_CONSTANTS = {"pi": 3.141592653589793, "gmin": 1e-12, "e": 2.718281828459045, "boltz": 1.380649e-23, "echarge": 1.602176634e-19,
              "k": 1.380649e-23, "q": 1.602176634e-19, "kelvin": -273.15, "true": 1.0, "false": 0.0}
_NOMINAL = {"mc": 0, "agauss": 0, "aunif": 0, "gauss": 0, "unif": 0}
_ZERO = ("flat", "rand", "random", "white")


@dataclass(frozen=True, slots=True)
class Function:
    """A ``.func``: argument names, the text of its body, and the scope in which the body was written."""

    name: str
    arguments: tuple[str, ...]
    body: Span
    scope: "Scope"


class Scope(Protocol):
    """Where the parser looks things up; each answers None for a name that it does not know."""

    def parameter(self, name: str) -> Expression | None:
        """A parameter."""

    def function(self, name: str) -> Function | None:
        """A function of the netlist."""

    def voltage(self, plus: str, minus: str, place: Place) -> Expression:
        """V(plus, minus)."""

    def current(self, element: str, place: Place) -> Expression:
        """I(element)."""

    def auxiliary(self, kind: str, arguments: tuple[Expression, ...], place: Place) -> Expression:
        """``ddt``, ``idt`` or ``delay`` of an expression, made of elements beside the circuit."""

    def remark(self, text: str, place: Place) -> None:
        """Tell the user something."""

    def spend(self, size: int, place: Place) -> None:
        """Count the parts of an expression against what a deck may have."""

    def known(self) -> tuple[str, ...]:
        """Names to suggest."""


def parse(span: Span, scope: Scope) -> Expression:
    """Read a whole stretch as one expression; outer braces or quotes may stand around it.

    Raises
    ------
    NetlistError
        With line and column, for anything that is not an expression.
    """
    parser = _Parser(span, scope)
    found = parser.expression(0)
    parser.end()
    scope.spend(parser.build.measure(found)[0], span.place())
    return found


def parse_first(span: Span, scope: Scope) -> tuple[Expression, Span]:
    """Read the expression at the start of a stretch, and return also what is left behind it."""
    parser = _Parser(span, scope)
    found = parser.expression(0)
    scope.spend(parser.build.measure(found)[0], span.place())
    return found, parser.rest()


class _Arguments:
    """The scope inside the body of a function: its arguments in front of the scope in which it was written."""

    def __init__(self, function: Function, values: dict[str, Expression], calls: int):
        self.outer, self.values, self.calls = function.scope, values, calls

    def parameter(self, name):
        return self.values[name] if name in self.values else self.outer.parameter(name)

    def __getattr__(self, name):
        return getattr(self.outer, name)


class _Parser:
    def __init__(self, span: Span, scope: Scope, build: Builder | None = None):
        self.span, self.scope = span, scope
        self.text = span.text
        self.build = build or Builder(span.place())
        self.offset = 0       # where the present token starts
        self.after = 0        # where it ends
        self.token = None
        self.nesting = 0
        self.advance()

    def place(self) -> Place:
        return self.span.place(min(self.offset, max(len(self.text) - 1, 0)))

    def fail(self, what: str, mend: str = "", place: Place | None = None):
        raise NetlistError(what, mend=mend, place=place or self.place())

    def advance(self) -> None:
        match = _TOKEN.match(self.text, self.after)
        if match is None:
            rest = self.text[self.after:]
            self.offset = self.after + len(rest) - len(rest.lstrip())
            self.token = None
            return
        self.token = match
        self.offset = match.start(match.lastgroup if match.lastgroup not in ("minus", "plus") else "probe")
        self.after = match.end()

    def sign(self) -> str:
        return self.token["sign"] or "" if self.token is not None else ""

    def rest(self) -> Span:
        return self.span.part(self.offset, len(self.text)).strip()

    def end(self) -> None:
        if self.offset < len(self.text):
            what = self.text[self.offset:self.offset + 20].split()[0]
            mend = "A comma separates; the decimal sign is a point." if what.startswith(",") else ""
            self.fail(f"{what!r} is not expected here", mend)

    def expect(self, sign: str) -> None:
        if self.sign() != sign:
            self.fail(f"{sign!r} is missing" + (f" before {self.text[self.offset:self.offset + 12]!r}" if self.offset < len(self.text) else ""))
        self.advance()

    def expression(self, power: int) -> Expression:
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            self.fail(f"more than {MAX_NESTING} brackets or signs inside each other")
        left = self.prefix()
        while True:
            sign = self.sign()
            strength = _INFIX.get(sign, 0)
            if strength <= power:
                break
            place = self.place()
            self.advance()
            if sign == "?":
                chosen = self.expression(0)
                self.expect(":")
                left = self.build("if", left, chosen, self.expression(0), place=place)
            else:
                left = self.build(_BINARY[sign], left, self.expression(strength), place=place)
        self.nesting -= 1
        return left

    def prefix(self) -> Expression:
        token, place = self.token, self.place()
        if token is None:
            what = self.text[self.offset:self.offset + 12]
            self.fail(f"an expression can't go on with {what!r}" if what else "a value is missing", "" if what else "Write a number or a name, or take the sign before it away.")
        if token["number"]:
            self.advance()
            try:
                value = parse_number(token["number"])
            except ValueError as error:
                self.fail(str(error), place=place)
            if not math.isfinite(value):
                self.fail(f"{token['number']} is too large", place=place)
            return Number(value)
        if token["probe"]:
            self.advance()
            if token["probe"] in "iI":
                if token["minus"]:
                    self.fail("I() takes the name of one element", place=place)
                return self.scope.current(token["plus"].lower(), place)
            return self.scope.voltage(token["plus"].lower(), (token["minus"] or "0").lower(), place)
        if token["name"]:
            self.advance()
            name = token["name"].lower()
            braced = self.sign() == "{" and self.scope.parameter(name) is None and name in _FUNCTIONS  # LIMIT{x,y,z}, in old tube libraries
            return self.call(name, place, "}" if braced else ")") if self.sign() == "(" or braced else self.name(name, place)
        sign = token["sign"]
        if sign in "({":
            self.advance()
            inner = self.expression(0)
            self.expect(")" if sign == "(" else "}")
            return inner
        if sign in "'\"":
            self.advance()
            inner = self.expression(0)
            self.expect(sign)
            return inner
        if sign in ("-", "+", "!", "~"):
            self.advance()
            inner = self.expression(_SIGN_POWER)
            if sign == "+":
                return inner
            return self.build("neg" if sign == "-" else "not", inner, place=place)
        self.fail(f"a value is missing before {sign!r}")

    def name(self, name: str, place: Place) -> Expression:
        found = self.scope.parameter(name)
        if found is not None:
            return found
        if name == "time":
            return Time()
        if name in _CONSTANTS:
            return Number(_CONSTANTS[name])
        close = get_close_matches(name, self.scope.known(), 1)
        raise NetlistError(f"the parameter {name!r} is not defined", place=place,
                           mend=f"Did you mean {close[0]}?" if close else f"Add .param {name}=...")

    def call(self, name: str, place: Place, close: str = ")") -> Expression:
        self.advance()
        arguments = []
        if self.sign() != close:
            arguments.append(self.expression(0))
            while self.sign() == ",":
                self.advance()
                arguments.append(self.expression(0))
        self.expect(close)
        own = self.scope.function(name)
        if own is not None:
            return self.expand(own, arguments, place)
        if name in _FUNCTIONS:
            operation, arity = _FUNCTIONS[name]
            self.count(name, arguments, place, arity)
            return self.build(operation, *arguments, place=place)
        if name in _SPECIAL:
            return self.special(name, arguments, place)
        close = get_close_matches(name, [*_FUNCTIONS, *_SPECIAL], 1)
        raise NetlistError(f"there is no function {name}()", place=place, mend=f"Did you mean {close[0]}()?" if close else "")

    def count(self, name: str, arguments: list, place: Place, least: int, most: int | None = None) -> None:
        most = least if most is None else most
        if not least <= len(arguments) <= most:
            wanted = f"{least}" if least == most else f"at least {least}"
            self.fail(f"{name}() takes {wanted} arguments, not {len(arguments)}", place=place)

    def special(self, name: str, arguments: list[Expression], place: Place) -> Expression:
        if name in ("table", "tbl"):
            if len(arguments) < 3 or len(arguments) % 2 == 0:
                self.fail("table() takes a value and pairs x, y", place=place)
            return linear_table(arguments[0], list(zip(arguments[1::2], arguments[2::2])), place)
        if name in ("min", "max"):
            self.count(name, arguments, place, 1, 1000)
            result = arguments[0]
            for argument in arguments[1:]:
                result = self.build(name, result, argument, place=place)
            return result
        if name in ("ddt", "idt", "sdt"):
            self.count(name, arguments, place, 1, 1 if name == "ddt" else 3)
            return self.scope.auxiliary("ddt" if name == "ddt" else "idt", tuple(arguments), place)
        if name in ("delay", "absdelay"):
            self.count(name, arguments, place, 2, 3)
            return self.scope.auxiliary("delay", tuple(arguments), place)
        if name in _ZERO or name in _NOMINAL:
            self.count(name, arguments, place, 0 if name in _ZERO else 1, 4)
            self.scope.remark(f"{name}() is random; its nominal value stands in", place)
            return Number(0.0) if name in _ZERO else arguments[_NOMINAL[name]]
        self.count(name, arguments, place, 1)
        argument = arguments[0]
        if name == "buf":
            return self.build("gt", argument, Number(0.5), place=place)
        if name == "square":
            return self.build("mul", argument, argument, place=place)
        if name == "cbrt":
            return self.build("pwrs", argument, Number(1.0 / 3.0), place=place)
        return self.build("mul", Number(20.0), self.build("log10", self.build("abs", argument, place=place), place=place), place=place)

    def expand(self, function: Function, arguments: list[Expression], place: Place) -> Expression:
        self.count(function.name, arguments, place, len(function.arguments))
        calls = getattr(self.scope, "calls", 0) + 1
        self.build.expansions += 1
        if calls > MAX_CALLS or self.build.expansions > MAX_EXPANSIONS:
            self.fail(f"the function {function.name}() calls itself, or others without end", place=place)
        inner = _Parser(function.body, _Arguments(function, dict(zip(function.arguments, arguments)), calls), self.build)
        inner.nesting = self.nesting
        found = inner.expression(0)
        inner.end()
        return found
