"""Writes an expression so that ngspice, in its default mode, and our own reader give it the same value.

ngspice takes ``pow(x, y)`` as |x|^y and knows neither ``limit`` nor ``pwrs``, ``if`` or ``round``: everything is written with what both share:
arithmetic, ``abs sgn sqrt exp ln min max floor ceil``, circular and hyperbolic functions, comparisons and the ternary operator.
"""

from __future__ import annotations

from typing import Callable, Mapping

from circuits.errors import CircuitError
from circuits.expressions import Call, Current, Expression, Name, Number, Time, Voltage, evaluate, names

_SAME = frozenset(("abs", "sgn", "exp", "ln", "sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh",
                   "min", "max", "floor", "ceil"))
_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/", "lt": "<", "gt": ">", "le": "<=", "ge": ">=", "eq": "==", "ne": "!="}
_TRUTH = frozenset(("lt", "gt", "le", "ge", "eq", "ne", "and", "or", "not", "xor"))
_PLAIN = {  # operation -> text of its arguments' texts
    "sqrt": "sqrt(max({0},0))", "log10": "(ln({0})/2.302585092994046)", "hypot": "sqrt(({0})*({0})+({1})*({1}))",
    "limit": "max(min({0},{1}),min(max({0},{1}),{2}))", "u": "({0}>0 ? 1 : 0)", "uramp": "max({0},0)", "int": "({0}>=0 ? floor({0}) : ceil({0}))",
    "round": "floor({0}+0.5)", "mod": "({0}-{1}*floor({0}/{1}))",
    "uplim": "({2}>0 ? ({0}<{1}-{2} ? {0} : {1}-{2}*exp(({1}-{2}-{0})/max({2},1e-300))) : min({0},{1}))",
    "dnlim": "({2}>0 ? ({0}>{1}+{2} ? {0} : {1}+{2}*exp(({0}-{1}-{2})/max({2},1e-300))) : max({0},{1}))",
    "atan2": "({1}>0 ? atan({0}/{1}) : ({1}<0 ? atan({0}/{1})+({0}>=0 ? 3.141592653589793 : -3.141592653589793)"
             " : ({0}>0 ? 1.5707963267948966 : ({0}<0 ? -1.5707963267948966 : 0))))"}
MAX_TEXT = 100_000


def number_text(value: float) -> str:
    """A number that reads back to the last bit, without scale suffix."""
    text = repr(float(value))
    return text[:-2] if text.endswith(".0") else text


def formula_text(expression: Expression, values: Mapping[str, float], *, node: Callable[[str], str] = str, element: Callable[[str], str] = str,
                 parameter: Callable[[str], str] = str) -> str:
    """An expression as text.

    Parameters
    ----------
    expression : Expression
        The tree.
    values : mapping of str to float
        Parameters as numbers: a power with a parameter in its exponent is written for the exponent's present value.
    node, element, parameter : callable
        What the deck calls them.

    Raises
    ------
    CircuitError
        If the text would be longer than 100,000 characters.

    Examples
    --------
    >>> formula_text(Call("pow", (Voltage("a", "b"), Number(3.0))), {})
    '(sgn(v(a,b))*pow(abs(v(a,b)),3))'
    """
    def text(part: Expression) -> str:
        if isinstance(part, Number):
            return number_text(part.value) if part.value >= 0.0 else f"({number_text(part.value)})"
        if isinstance(part, Name):
            return parameter(part.name)
        if isinstance(part, Voltage):
            return f"v({node(part.plus)})" if part.minus == "0" else f"v({node(part.plus)},{node(part.minus)})"
        if isinstance(part, Current):
            return f"i({element(part.element)})"
        if isinstance(part, Time):
            return "time"
        made = call(part)
        if len(made) > MAX_TEXT:
            raise CircuitError("an expression is too long to be written", mend="Write the circuit before it is reduced.")
        return made

    def call(part: Call) -> str:
        operation, inner = part.operation, part.arguments
        if operation in ("pow", "pwr", "pwrs"):
            return power(operation, *inner)
        if operation == "if":
            return f"({truth(inner[0])} ? {text(inner[1])} : {text(inner[2])})"
        if operation in ("and", "or"):
            return f"({truth(inner[0])}{'&&' if operation == 'and' else '||'}{truth(inner[1])})"
        if operation == "not":
            return f"({truth(inner[0])} ? 0 : 1)"
        if operation == "xor":
            return f"(({truth(inner[0])} ? 1 : 0)!=({truth(inner[1])} ? 1 : 0))"
        arguments = [text(argument) for argument in inner]
        if operation == "neg":
            return f"(-{arguments[0]})"
        if operation in _INFIX:
            return f"({arguments[0]}{_INFIX[operation]}{arguments[1]})"
        if operation in _SAME:
            return f"{operation}({','.join(arguments)})"
        if operation == "sqrt" and positive(inner[0]):
            return f"sqrt({arguments[0]})"
        return _PLAIN[operation].format(*arguments)

    def truth(part: Expression) -> str:
        written = text(part)
        return written if isinstance(part, Call) and part.operation in _TRUTH else f"({written}>0.5)"

    def power(operation: str, base: Expression, exponent: Expression) -> str:
        a, b = text(base), text(exponent)
        if operation == "pwr" or operation == "pow" and positive(base):
            return f"pow({a if positive(base) else f'abs({a})'},{b})"
        if operation == "pwrs" and positive(base) and isinstance(exponent, Number) and exponent.value > 0.0:
            return f"pow({a},{b})"
        if operation == "pwrs":
            return f"(sgn({a})*pow(abs({a}),{b}))"
        number = None
        if isinstance(exponent, Number) or (isinstance(exponent, (Name, Call)) and names(exponent) <= set(values) and not _moves(exponent)):
            number = evaluate(exponent, values)
        if number is None:  # an exponent that moves: whole numbers are not to be expected
            return f"pow(max({a},0),{b})"
        if number != round(number):
            return f"pow(max({a},0),{b})"
        return f"pow(abs({a}),{b})" if number % 2 == 0 else f"(sgn({a})*pow(abs({a}),{b}))"

    def positive(part: Expression) -> bool:
        if isinstance(part, Number):
            return part.value >= 0.0
        if not isinstance(part, Call):
            return False
        if part.operation in ("add", "mul", "div", "max", "min"):
            either = (positive(argument) for argument in part.arguments)
            return any(either) if part.operation == "max" else all(either)
        return part.operation in ("abs", "sqrt", "exp", "uramp", "u", "pwr", "hypot", "cosh")

    return text(expression)


def _moves(expression: Expression) -> bool:
    if isinstance(expression, Call):
        return any(_moves(argument) for argument in expression.arguments)
    return isinstance(expression, (Voltage, Current, Time))
