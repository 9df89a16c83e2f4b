"""Builds the trees of expressions: constants folded, divisors kept off zero, tables made of limited segments, sizes watched."""

from __future__ import annotations

from circuits.errors import CircuitError, NetlistError, Place
from circuits.expressions import Call, Expression, Name, Number, Value, as_expression, evaluate, leaves

MAX_DEPTH = 200     # of a finished tree, whose walkers are recursive
MAX_SIZE = 50_000   # nodes of a finished tree, shared parts counted every time
FUDGE = Number(1e-32)  # ngspice's: gmin times 1e-20


def linear_table(x: Expression, points: list[tuple[Expression, Expression]], place: Place) -> Expression:
    """Piecewise linear interpolation, constant beyond both ends, as y1 + sum of slope * (limit(x, x_k, x_k+1) - x_k).

    Raises
    ------
    NetlistError
        If there is no point, or the x are numbers that do not rise.
    """
    if not points:
        raise NetlistError("a table without points", place=place)
    build = Builder(place)
    terms = []
    for (x0, y0), (x1, y1) in zip(points, points[1:]):
        if isinstance(x0, Number) and isinstance(x1, Number):
            if x1.value < x0.value:
                raise NetlistError(f"a table must rise: {x1.value:g} follows {x0.value:g}", place=place, mend="Sort its points.")
            if x1.value == x0.value:  # a step
                terms.append(build("mul", build("sub", y1, y0), build("u", build("sub", x, x0))))
                continue
        slope = build("div", build("sub", y1, y0), build("sub", x1, x0))
        terms.append(build("mul", slope, build("sub", build("limit", x, x0, x1), x0)))
    return build("add", points[0][1], balanced_sum(terms, build)) if terms else points[0][1]


def balanced_sum(terms: list[Expression], build) -> Expression:
    """Sum of many terms as a tree of logarithmic depth."""
    while len(terms) > 1:
        terms = [build("add", *pair) if len(pair) == 2 else pair[0] for pair in (terms[k:k + 2] for k in range(0, len(terms), 2))]
    return terms[0] if terms else Number(0.0)


def _sign(part: Expression, depth: int = 0) -> int:
    """2 if a part is above 0 for all voltages, 1 if it is never below, 0 if nothing is known."""
    if isinstance(part, Number):
        return 2 if part.value > 0.0 else (1 if part.value == 0.0 else 0)
    if not isinstance(part, Call) or depth > 8:
        return 0
    name, inner = part.operation, part.arguments
    if name in ("exp", "uramp", "u", "hypot", "cosh"):
        return 1
    if name == "sqrt":
        return max(_sign(inner[0], depth + 1), 1)
    if name in ("add", "max"):
        a, b = _sign(inner[0], depth + 1), _sign(inner[1], depth + 1)
        return max(a, b) if min(a, b) > 0 or name == "max" else (2 if inner[1] == FUDGE else 0)
    if name == "mul" and inner[0] == inner[1]:
        return max(_sign(inner[0], depth + 1), 1)
    if name == "pow" and inner[1] == Number(2.0):
        return 1
    return min(_sign(inner[0], depth + 1), _sign(inner[1], depth + 1)) if name in ("mul", "div") else 0


class Builder:
    """Makes calls, folds constants and keeps the tree within its limits."""

    def __init__(self, place: Place):
        self.place = place
        self.measures: dict[int, tuple[int, int, Expression]] = {}  # id -> size, depth, and the object itself to keep the id alive
        self.expansions = 0

    def measure(self, part: Expression) -> tuple[int, int]:
        if not isinstance(part, Call):
            return 1, 1
        known = self.measures.get(id(part))
        if known is None:
            inner = [self.measure(argument) for argument in part.arguments]
            known = (1 + sum(size for size, _ in inner), 1 + max((depth for _, depth in inner), default=0), part)
            self.measures[id(part)] = known
        return known[:2]

    def off_zero(self, divisor: Expression) -> Expression:
        """A divisor that moves, kept from being exactly 0 as ngspice keeps it: 0/0 is 0, which tube libraries rely on at the first step."""
        if _sign(divisor) == 2:
            return divisor
        return Call("add", (divisor, FUDGE))

    def __call__(self, operation: str, *arguments: Expression, place: Place | None = None) -> Expression:
        place = place or self.place
        if operation == "div" and not isinstance(arguments[1], (Number, Name)) and leaves(arguments[1]):
            arguments = (arguments[0], self.off_zero(arguments[1]))
        made = Call(operation, arguments)
        if all(isinstance(argument, Number) for argument in arguments):
            try:
                return Number(evaluate(made, {}))
            except CircuitError as error:
                raise NetlistError(error.what, place=place) from None
        size, depth = self.measure(made)
        if size > MAX_SIZE or depth > MAX_DEPTH:
            raise NetlistError(f"this expression is too large: {size} parts, {depth} deep", place=place,
                               mend=f"Up to {MAX_SIZE} parts and a depth of {MAX_DEPTH} are read.")
        return made


def product(a: Value, b: Value) -> Value:
    """a * b as a value."""
    if isinstance(a, float) and isinstance(b, float):
        return a * b
    return Call("mul", (as_expression(a), as_expression(b)))


def quotient(a: Value, b: Value) -> Value:
    """a / b as a value."""
    if isinstance(a, float) and isinstance(b, float) and b != 0.0:
        return a / b
    return Call("div", (as_expression(a), as_expression(b)))


def is_constant(value: Value) -> bool:
    """True if a value holds no voltage, current or time."""
    return isinstance(value, (int, float)) or not leaves(value)


def expression(value: Value) -> Expression:
    """As a tree."""
    return value if not isinstance(value, (int, float)) else Number(float(value))
