"""Explicit vectors for compiled code: small pieces of LLVM IR, written once for float32 and float64.

LLVM does not vectorise the loops of a neural net by itself (aliasing, index wrap-around, calls of tanh), so the inner
loops are emitted here with time along the lanes. Every sample meets the same sequence of operations wherever it falls
in a block, because short ends are computed with whole vectors too: any split into blocks gives the same bits.

The width follows the host: 512 bits with AVX-512, 256 with AVX, 128 otherwise; fused multiply-adds where the host has
them. All intrinsics take one arena (a 1-D array of the working type) and offsets into it, so nothing aliases unnoticed.

tanh is m / (m + 2) with m = expm1(2 x), reduced by multiples of ln 2: 1.7e-7 of the value in float32, a few roundings in
float64. Recurrent cells, where each step waits for the last, take the quicker x P(x^2) / Q(x^2) in float32, with P of
degree 5 and Q of degree 4 fitted for least maximal relative error on 0..9.02 by Lawson's reweighting (1.3e-9; 3e-7 with
rounding) and scaled so that rounding the coefficients costs least.
"""

from __future__ import annotations

import math
import platform

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic

TANH_LIMIT = 9.02
TANH_P = (1.4536453485488892, 0.19885744154453278, 0.005623174831271172, 4.0712875488679856e-05,
          4.445969281619e-08, -1.7739460941856855e-11)
TANH_Q = (1.4536453485488892, 0.683405876159668, 0.03960578143596649, 0.0005725369555875659, 1.8713719782681437e-06)
# For float32 and float64: bits of a number, bias of its exponent, bits of its mantissa, limit of the argument, ln 2 in
# two parts of which the first has zeros at its end, and q of expm1(r) = r + r^2 q(r), |r| < ln(2) / 2: for float32
# fitted for least maximal relative error (1.3e-8), for float64 Taylor's.
_EXPM1 = (
    (32, 127, 23, 9.02, 0.693359375, -2.12194440e-4,
     (0.49999998150488234, 0.1666654348258209, 0.041667200697810956, 0.008366539503140443, 0.0013882498175781925)),
    (64, 1023, 52, 20.0, 6.93147180369123816490e-01, 1.90821492927058770002e-10,
     tuple(1.0 / math.factorial(order) for order in range(2, 15))))


def _host() -> tuple[int, bool]:
    """Vector width in bits and whether multiply-adds are fused, for the processor that numba compiles for."""
    if config.CPU_NAME not in (None, "", "host"):
        wanted = config.CPU_FEATURES or ""
        features = {part[1:] for part in wanted.split(",") if part.startswith("+")}
    else:
        features = {name for name, there in llvm.get_host_cpu_features().items() if there}
    if platform.machine().lower() in ("aarch64", "arm64"):
        return 128, True
    width = 512 if "avx512f" in features else 256 if "avx" in features else 128
    return width, "fma" in features


BITS, FUSED = _host()
LANES = BITS // 32  # of float32; float64 has half
GROUP = 8 if BITS == 512 else 4  # outputs held in registers at once: 16 accumulators of 32 registers, or 8 of 16
PADDING = 128  # elements that whole vectors may run over the end of a block


def unroll(group: int) -> int:
    """Vectors of time in a tile for a group of outputs."""
    return (4 if group <= 4 else 2) if BITS == 512 else (4 if group == 1 else 2)


class V:
    """A vector value inside a function under construction, with operators."""

    __slots__ = ("b", "value")

    def __init__(self, builder, value):
        self.b, self.value = builder, value

    def _other(self, other):
        return other.value if isinstance(other, V) else ir.Constant(self.value.type, [other] * self.value.type.count)

    def __add__(self, other):
        return V(self.b, self.b.fadd(self.value, self._other(other)))

    def __sub__(self, other):
        return V(self.b, self.b.fsub(self.value, self._other(other)))

    def __mul__(self, other):
        return V(self.b, self.b.fmul(self.value, self._other(other)))

    def __truediv__(self, other):
        return V(self.b, self.b.fdiv(self.value, self._other(other)))

    def fma(self, factor, term):
        """self * factor + term, rounded once where the host can."""
        factor, term = self._other(factor), self._other(term)
        if not FUSED:
            return V(self.b, self.b.fadd(self.b.fmul(self.value, factor), term))
        kind = self.value.type
        name = f"llvm.fma.v{kind.count}{'f32' if isinstance(kind.element, ir.FloatType) else 'f64'}"
        function = cgutils.get_or_insert_function(self.b.module, ir.FunctionType(kind, [kind] * 3), name)
        return V(self.b, self.b.call(function, [self.value, factor, term]))

    def least(self, other):
        """The smaller of each pair."""
        other = self._other(other)
        return V(self.b, self.b.select(self.b.fcmp_ordered("<", self.value, other), self.value, other))

    def most(self, other):
        """The larger of each pair."""
        other = self._other(other)
        return V(self.b, self.b.select(self.b.fcmp_ordered(">", self.value, other), self.value, other))

    def where(self, sign: str, limit, yes, no):
        """``yes`` where self compares to the limit as ``sign`` says, else ``no``."""
        test = self.b.fcmp_ordered(sign, self.value, self._other(limit))
        return V(self.b, self.b.select(test, self._other(yes), self._other(no)))

    def each(self, name: str):
        """A function of the C library on each lane, in float64."""
        double, result = ir.DoubleType(), self.value
        function = cgutils.get_or_insert_function(self.b.module, ir.FunctionType(double, [double]), name)
        single = isinstance(self.value.type.element, ir.FloatType)
        for lane in range(self.value.type.count):
            index = ir.Constant(ir.IntType(32), lane)
            item = self.b.extract_element(self.value, index)
            item = self.b.call(function, [self.b.fpext(item, double) if single else item])
            item = self.b.fptrunc(item, ir.FloatType()) if single else item
            result = self.b.insert_element(result, item, index)
        return V(self.b, result)


def tanh(x: V) -> V:
    """Hyperbolic tangent as m / (m + 2), m = expm1(2 x) = 2^n p + (2^n - 1) with p = expm1(r), 2 x = n ln 2 + r."""
    b, kind = x.b, x.value.type
    bits, bias, mantissa, limit, high, low, series = _EXPM1[isinstance(kind.element, ir.DoubleType)]
    z = x.least(limit).most(-limit) * 2.0
    rounding = 1.5 * 2.0**mantissa  # the sum's last bits are the whole number n
    shifted = z.fma(1.0 / math.log(2.0), V(b, x._other(rounding)))
    n = shifted - rounding
    r = n.fma(-low, n.fma(-high, z))
    q = V(b, x._other(series[-1]))
    for coefficient in series[-2::-1]:
        q = r.fma(q, V(b, x._other(coefficient)))
    p = (r * r).fma(q, r)
    whole = ir.VectorType(ir.IntType(bits), kind.count)
    exponent = b.shl(b.bitcast(shifted.value, whole), ir.Constant(whole, [mantissa] * kind.count))
    exponent = b.add(exponent, ir.Constant(whole, [bias << mantissa] * kind.count))
    power = V(b, b.bitcast(exponent, kind))
    m = power.fma(p, power - 1.0)
    return m / (m + 2.0)


def tanh_parts(x: V) -> tuple[V, V, V]:
    """x, P and Q of tanh(x) = x P / Q: quotients of a formula can then share one division.

    P and Q are 1 in float64, where `tanh` gives the value. Argument and square are limited apart, so that neither
    waits for the other.
    """
    if isinstance(x.value.type.element, ir.DoubleType):
        one = V(x.b, x._other(1.0))
        return tanh(x), one, one
    s = (x * x).least(TANH_LIMIT * TANH_LIMIT)
    x = x.least(TANH_LIMIT).most(-TANH_LIMIT)
    p, q = ([V(x.b, x._other(value)) for value in values] for values in (TANH_P, TANH_Q))
    s2 = s * s
    s4 = s2 * s2
    top = s4.fma(s.fma(p[5], p[4]), s2.fma(s.fma(p[3], p[2]), s.fma(p[1], p[0])))
    bottom = s4.fma(q[4], s2.fma(s.fma(q[3], q[2]), s.fma(q[1], q[0])))
    return x, top, bottom


def sigmoid_of_half(half: V) -> V:
    """The logistic function of 2 half: (1 + tanh(half)) / 2."""
    return tanh(half).fma(0.5, 0.5)


def magnitude(x: V) -> V:
    """Absolute value."""
    return x.most(x * -1.0)


def _fast_tanh(x: V) -> V:
    a, s = magnitude(x), x * x
    top = x * (a * 2.45550750702956 + 2.45550750702956 + (a * 0.821226666969744 + 0.893229853513558) * s)
    return top / (magnitude(x + x * a * 0.814642734961073) * (s + 2.44506634652299) + 2.44506634652299)


# One function for each kind of `activations.KINDS`, in that order; p holds four vectors of parameters.
FORMULAS = (
    lambda x, p: x,
    lambda x, p: tanh(x),
    lambda x, p: x.most(p[0]).least(p[1]),
    lambda x, p: _fast_tanh(x),
    lambda x, p: x.most(0.0),
    lambda x, p: x.where(">", 0.0, x, x * p[0]),
    lambda x, p: sigmoid_of_half(x * 0.5),
    lambda x, p: x * sigmoid_of_half(x * 0.5),
    lambda x, p: x * (x + 3.0).most(0.0).least(6.0) * (1.0 / 6.0),
    lambda x, p: x.where("<", p[0], (x - p[0]) * p[2] + p[0], x.where(">", p[1], (x - p[1]) * p[3] + p[1], x)),
    lambda x, p: x / (magnitude(x) + 1.0),
    lambda x, p: (x / (magnitude(x) + 1.0)) * 0.5 + 0.5,
    lambda x, p: x.where(">", 0.0, x, x.least(0.0).each("expm1") * p[0]),
    lambda x, p: x.each("exp"),
)


class Code:
    """Pointers, loads and stores of one intrinsic under construction."""

    def __init__(self, context, builder, signature, arguments, lanes: int = 0):
        self.context, self.b = context, builder
        self.signature, self.arguments = signature, arguments
        self.scalar = context.get_value_type(signature.args[0].dtype)
        single = isinstance(self.scalar, ir.FloatType)
        self.lanes = lanes or (LANES if single else LANES // 2)
        self.vector = ir.VectorType(self.scalar, self.lanes)
        self.align = 4 if single else 8
        self.int = ir.IntType(64)

    def pointer(self, index: int):
        """Data pointer of an array argument."""
        kind = self.signature.args[index]
        return self.context.make_array(kind)(self.context, self.b, self.arguments[index]).data

    def const(self, value: int):
        """A 64-bit whole number."""
        return ir.Constant(self.int, value)

    def sum(self, *parts):
        """Sum of whole numbers, constants among them."""
        total = None
        for part in parts:
            part = self.const(part) if isinstance(part, int) else part
            total = part if total is None else self.b.add(total, part)
        return total

    def load(self, base, offset) -> V:
        """A vector from ``base[offset:offset + lanes]``."""
        address = self.b.bitcast(self.b.gep(base, [offset]), self.vector.as_pointer())
        return V(self.b, self.b.load(address, align=self.align))

    def store(self, value: V, base, offset) -> None:
        """A vector to ``base[offset:offset + lanes]``."""
        address = self.b.bitcast(self.b.gep(base, [offset]), self.vector.as_pointer())
        self.b.store(value.value, address, align=self.align)

    def spread(self, base, offset) -> V:
        """One number from ``base[offset]`` in all lanes."""
        return self.spread_value(self.b.load(self.b.gep(base, [offset])))

    def spread_value(self, value) -> V:
        """One scalar in all lanes."""
        one = self.b.insert_element(ir.Constant(self.vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
        mask = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return V(self.b, self.b.shuffle_vector(one, ir.Constant(self.vector, ir.Undefined), mask))

    def zeros(self) -> V:
        """All lanes zero."""
        return V(self.b, ir.Constant(self.vector, [0.0] * self.lanes))

    def variable(self, value: V):
        """A stack slot that LLVM turns into a register."""
        return cgutils.alloca_once_value(self.b, value.value)

    def read(self, slot) -> V:
        """Value of a slot."""
        return V(self.b, self.b.load(slot))

    def loop(self, start, stop, step: int = 1):
        """A counted loop over 64-bit whole numbers; yields the index."""
        return cgutils.for_range_slice(self.b, start, stop, self.const(step), self.int, inc=True)


def intrinsic_of(n_arrays: int, n_integers: int, emit, lanes: int = 0):
    """An intrinsic whose first arguments are arrays (the arena first), the others whole numbers; returns nothing."""
    names = [f"a{index}" for index in range(n_arrays)] + [f"i{index}" for index in range(n_integers)]

    def typer(typing_context, *given):
        if len(given) != len(names):
            return None
        signature = types.void(*given[:n_arrays], *([types.int64] * n_integers))

        def code(context, builder, signature, arguments):
            emit(Code(context, builder, signature, arguments, lanes))
            return context.get_dummy_value()

        return signature, code

    typer.__name__ = getattr(emit, "__name__", "emit")
    arguments = ", ".join(names)
    return _named(typer, arguments)


def _named(typer, arguments: str):
    """`intrinsic` wants named arguments; these are counted, so a few fixed spellings are enough."""
    count = arguments.count(",") + 1
    return intrinsic({
        3: lambda t, a, b, c: typer(t, a, b, c),
        4: lambda t, a, b, c, d: typer(t, a, b, c, d),
        5: lambda t, a, b, c, d, e: typer(t, a, b, c, d, e),
        6: lambda t, a, b, c, d, e, f: typer(t, a, b, c, d, e, f),
        7: lambda t, a, b, c, d, e, f, g: typer(t, a, b, c, d, e, f, g),
        8: lambda t, a, b, c, d, e, f, g, h: typer(t, a, b, c, d, e, f, g, h),
        9: lambda t, a, b, c, d, e, f, g, h, i: typer(t, a, b, c, d, e, f, g, h, i),
        10: lambda t, a, b, c, d, e, f, g, h, i, j: typer(t, a, b, c, d, e, f, g, h, i, j),
        11: lambda t, a, b, c, d, e, f, g, h, i, j, k: typer(t, a, b, c, d, e, f, g, h, i, j, k),
    }[count])
