"""Every operation that may stand in an expression of a netlist: its value and its slopes, compiled.

Dialect: integer powers of negative numbers are the mathematical ones, a fractional power of a negative number is the
real part that LTspice gives (0), ``pwr`` is |x|^y, ``limit`` the median of three, ``u(0)`` and ``stp(0)`` are 0, ``exp`` is exact up to
``EXP_MAX`` and continues there as its tangent so that a Newton step can't meet an infinity; the logarithm of a negative number is that of its magnitude,
again the real part, as a tube that is cut off needs where its screen current is exp(EX ln(drive)).

An operation takes up to three arguments; those that take fewer ignore the rest. Truth is "> 0.5", as in LTspice.
"""

from __future__ import annotations

import math

from circuits.kernels.jit import kernel

LEAST = 1e-30  # below it a logarithm stays where it is
EXP_MAX = 690.0  # exp(690) is 1e299: still far enough below the largest float for products
EXP_BEYOND = 1e6  # how far its tangent goes on: to 1e305. A screen's V(g)/V(screen) at the first step, where the screen still stands at 0 V, asks for exp(1e33)

# name -> (code, number of arguments); codes are the contract between expressions, tapes and kernels
OPERATIONS = {name: (code, arity) for code, (name, arity) in enumerate((
    ("number", 0), ("leaf", 0), ("add", 2), ("sub", 2), ("mul", 2), ("div", 2), ("neg", 1), ("pow", 2), ("abs", 1),
    ("sgn", 1), ("sqrt", 1), ("exp", 1), ("ln", 1), ("log10", 1), ("sin", 1), ("cos", 1), ("tan", 1), ("asin", 1),
    ("acos", 1), ("atan", 1), ("atan2", 2), ("hypot", 2), ("sinh", 1), ("cosh", 1), ("tanh", 1), ("asinh", 1),
    ("acosh", 1), ("atanh", 1), ("min", 2), ("max", 2), ("limit", 3), ("pwr", 2), ("pwrs", 2), ("if", 3), ("u", 1),
    ("uramp", 1), ("floor", 1), ("ceil", 1), ("int", 1), ("round", 1), ("uplim", 3), ("dnlim", 3), ("lt", 2), ("gt", 2),
    ("le", 2), ("ge", 2), ("eq", 2), ("ne", 2), ("and", 2), ("or", 2), ("not", 1), ("xor", 2), ("mod", 2)))}


@kernel(bare=True)
def exponential(a):
    """exp(a), continued by its tangent above `EXP_MAX`, and constant from `EXP_BEYOND` beyond it."""
    if a > EXP_MAX:
        return math.exp(EXP_MAX) * (1.0 + min(a - EXP_MAX, EXP_BEYOND))
    return math.exp(a)


@kernel(bare=True)
def power(a, b):
    """a^b: mathematical for whole b, 0 for a negative base with a fractional exponent."""
    if a == 0.0 and b < 0.0:
        return math.inf
    if a >= 0.0 or b == math.floor(b):
        return a**b
    return 0.0


@kernel(bare=True)
def absolute_power(a, b):
    """|a|^b."""
    if a == 0.0 and b < 0.0:
        return math.inf
    return abs(a)**b


@kernel(bare=True)
def signed_power(a, b):
    """sgn(a) |a|^b."""
    if a == 0.0:
        return 0.0
    return math.copysign(abs(a)**b, a)


@kernel(bare=True)
def logarithm(a):
    """ln|a|, the real part for a negative a; at 0 the value at `LEAST`, so that a Newton step from zero volts meets no infinity."""
    return math.log(max(abs(a), LEAST))


@kernel(bare=True)
def root(a):
    """Square root; 0 below 0 (the real part)."""
    return math.sqrt(a) if a > 0.0 else 0.0


@kernel(bare=True)
def median(a, b, c):
    """The median of three: limit(x, low, high) with the bounds in either order."""
    return max(min(a, b), min(max(a, b), c))


@kernel(bare=True)
def soft_upper(a, b, c):
    """a, bent exponentially towards the bound b within a zone of width c below it."""
    if c <= 0.0:
        return min(a, b)
    return a if a < b - c else b - c * math.exp((b - c - a) / c)


@kernel(bare=True)
def soft_lower(a, b, c):
    """a, bent exponentially towards the bound b within a zone of width c above it."""
    if c <= 0.0:
        return max(a, b)
    return a if a > b + c else b + c * math.exp((a - b - c) / c)


@kernel(bare=True)
def apply(code, a, b, c):
    """Value of an operation by its code; see `OPERATIONS` for the order."""
    if code == 2:
        return a + b
    if code == 3:
        return a - b
    if code == 4:
        return a * b
    if code == 5:
        return a / b
    if code == 6:
        return -a
    if code == 7:
        return power(a, b)
    if code == 8:
        return abs(a)
    if code == 9:
        return 1.0 if a > 0.0 else (-1.0 if a < 0.0 else 0.0)
    if code == 10:
        return root(a)
    if code == 11:
        return exponential(a)
    if code == 12:
        return logarithm(a)
    if code == 13:
        return logarithm(a) / 2.302585092994046
    if code == 14:
        return math.sin(a)
    if code == 15:
        return math.cos(a)
    if code == 16:
        return math.tan(a)
    if code == 17:
        return math.asin(max(-1.0, min(1.0, a)))
    if code == 18:
        return math.acos(max(-1.0, min(1.0, a)))
    if code == 19:
        return math.atan(a)
    if code == 20:
        return math.atan2(a, b)
    if code == 21:
        return math.hypot(a, b)
    if code == 22:
        return 0.5 * (exponential(a) - exponential(-a))
    if code == 23:
        return 0.5 * (exponential(a) + exponential(-a))
    if code == 24:
        return math.tanh(a)
    if code == 25:
        return math.asinh(a)
    if code == 26:
        return math.acosh(max(1.0, a))
    if code == 27:
        return math.atanh(max(-0.9999999999999999, min(0.9999999999999999, a)))
    if code == 28:
        return min(a, b)
    if code == 29:
        return max(a, b)
    if code == 30:
        return median(a, b, c)
    if code == 31:
        return absolute_power(a, b)
    if code == 32:
        return signed_power(a, b)
    if code == 33:
        return b if a > 0.5 else c
    if code == 34:
        return 1.0 if a > 0.0 else 0.0
    if code == 35:
        return a if a > 0.0 else 0.0
    if code == 36:
        return float(math.floor(a))
    if code == 37:
        return float(math.ceil(a))
    if code == 38:
        return float(math.floor(a)) if a >= 0.0 else float(math.ceil(a))
    if code == 39:
        return float(math.floor(a + 0.5))
    if code == 40:
        return soft_upper(a, b, c)
    if code == 41:
        return soft_lower(a, b, c)
    if code == 42:
        return 1.0 if a < b else 0.0
    if code == 43:
        return 1.0 if a > b else 0.0
    if code == 44:
        return 1.0 if a <= b else 0.0
    if code == 45:
        return 1.0 if a >= b else 0.0
    if code == 46:
        return 1.0 if a == b else 0.0
    if code == 47:
        return 1.0 if a != b else 0.0
    if code == 48:
        return 1.0 if a > 0.5 and b > 0.5 else 0.0
    if code == 49:
        return 1.0 if a > 0.5 or b > 0.5 else 0.0
    if code == 50:
        return 0.0 if a > 0.5 else 1.0
    if code == 51:
        return 1.0 if (a > 0.5) != (b > 0.5) else 0.0
    if code == 52:
        return a - b * math.floor(a / b) if b != 0.0 else a  # x mod 0 is x: Knuth, The Art of Computer Programming, 1.2.4
    return math.nan


@kernel(bare=True)
def slopes(code, a, b, c, v):
    """Partial derivatives of an operation by a, b and c, given its value v."""
    if code == 2:
        return 1.0, 1.0, 0.0
    if code == 3:
        return 1.0, -1.0, 0.0
    if code == 4:
        return b, a, 0.0
    if code == 5:
        return 1.0 / b, -v / b, 0.0
    if code == 6:
        return -1.0, 0.0, 0.0
    if code == 7:
        if a == 0.0:
            return (1.0 if b == 1.0 else 0.0), 0.0, 0.0
        if a > 0.0:
            return v * b / a, v * math.log(a), 0.0
        if b == math.floor(b):
            return v * b / a, 0.0, 0.0
        return 0.0, 0.0, 0.0
    if code == 8:
        return (1.0 if a > 0.0 else (-1.0 if a < 0.0 else 0.0)), 0.0, 0.0
    if code == 10:
        return (0.5 / v if v > 0.0 else 0.0), 0.0, 0.0
    if code == 11:
        return (v if a <= EXP_MAX else math.exp(EXP_MAX) if a - EXP_MAX < EXP_BEYOND else 0.0), 0.0, 0.0
    if code == 12:
        return (1.0 / a if abs(a) > LEAST else 0.0), 0.0, 0.0
    if code == 13:
        return (0.4342944819032518 / a if abs(a) > LEAST else 0.0), 0.0, 0.0
    if code == 14:
        return math.cos(a), 0.0, 0.0
    if code == 15:
        return -math.sin(a), 0.0, 0.0
    if code == 16:
        return 1.0 + v * v, 0.0, 0.0
    if code == 17:
        return (1.0 / math.sqrt(1.0 - a * a) if -1.0 < a < 1.0 else 0.0), 0.0, 0.0
    if code == 18:
        return (-1.0 / math.sqrt(1.0 - a * a) if -1.0 < a < 1.0 else 0.0), 0.0, 0.0
    if code == 19:
        return 1.0 / (1.0 + a * a), 0.0, 0.0
    if code == 20:
        r = a * a + b * b
        if r == 0.0:
            return 0.0, 0.0, 0.0
        return b / r, -a / r, 0.0
    if code == 21:
        if v == 0.0:
            return 0.0, 0.0, 0.0
        return a / v, b / v, 0.0
    if code == 22:
        return 0.5 * (exponential(a) + exponential(-a)), 0.0, 0.0
    if code == 23:
        return 0.5 * (exponential(a) - exponential(-a)), 0.0, 0.0
    if code == 24:
        return 1.0 - v * v, 0.0, 0.0
    if code == 25:
        return 1.0 / math.sqrt(1.0 + a * a), 0.0, 0.0
    if code == 26:
        return (1.0 / math.sqrt(a * a - 1.0) if a > 1.0 else 0.0), 0.0, 0.0
    if code == 27:
        return (1.0 / (1.0 - a * a) if -1.0 < a < 1.0 else 0.0), 0.0, 0.0
    if code == 28:
        return (1.0, 0.0, 0.0) if a <= b else (0.0, 1.0, 0.0)
    if code == 29:
        return (1.0, 0.0, 0.0) if a >= b else (0.0, 1.0, 0.0)
    if code == 30:
        if v == a:
            return 1.0, 0.0, 0.0
        return (0.0, 1.0, 0.0) if v == b else (0.0, 0.0, 1.0)
    if code == 31:
        if a == 0.0:
            return 0.0, 0.0, 0.0
        return v * b / a, v * math.log(abs(a)), 0.0
    if code == 32:
        if a == 0.0:
            return (1.0 if b == 1.0 else 0.0), 0.0, 0.0
        return v * b / a, v * math.log(abs(a)), 0.0
    if code == 33:
        return (0.0, 1.0, 0.0) if a > 0.5 else (0.0, 0.0, 1.0)
    if code == 35:
        return (1.0 if a > 0.0 else 0.0), 0.0, 0.0
    if code == 40:
        if c <= 0.0:
            return (1.0, 0.0, 0.0) if a <= b else (0.0, 1.0, 0.0)
        if a < b - c:
            return 1.0, 0.0, 0.0
        e = math.exp((b - c - a) / c)
        return e, 1.0 - e, -e * (1.0 - (b - a) / c)
    if code == 41:
        if c <= 0.0:
            return (1.0, 0.0, 0.0) if a >= b else (0.0, 1.0, 0.0)
        if a > b + c:
            return 1.0, 0.0, 0.0
        e = math.exp((a - b - c) / c)
        return e, 1.0 - e, e * (1.0 - (a - b) / c)
    if code == 52:
        return 1.0, (-math.floor(a / b) if b != 0.0 else 0.0), 0.0
    return 0.0, 0.0, 0.0
