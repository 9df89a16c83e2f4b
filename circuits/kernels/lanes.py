"""Eight numbers at a time: a vector of float64 as a value in compiled code, with operators, comparisons and masks.

A ``Lanes`` value holds one number for each of several circuits that are solved side by side. Written code looks as it does for one
number; only a choice is `where` and not ``if``. A plain number beside a vector stands in all lanes. Products and sums may be fused
where the processor has such an instruction; each lane is computed by the same instructions whatever stands beside it, so that its result
does not depend on its neighbours.

The width follows the host: 8 lanes with AVX-512, otherwise 4.
"""

from __future__ import annotations

import operator

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.core.typeconv import Conversion
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, lower_cast, models, register_model


def host_lanes() -> int:
    """Lanes that suit the processor that numba compiles for."""
    if config.CPU_NAME not in (None, "", "host"):
        return 8 if "+avx512f" in (config.CPU_FEATURES or "") else 4
    return 8 if llvm.get_host_cpu_features().get("avx512f") else 4


class Lanes(types.Type):
    """Numba's type of a vector of float64."""

    def __init__(self, count: int):
        self.count = count
        super().__init__(name=f"lanes({count})")

    def can_convert_from(self, typingctx, other):
        """A plain number becomes a vector of equal ones."""
        return Conversion.safe if isinstance(other, types.Number) else None

    def unify(self, typingctx, other):
        """A variable that holds a number here and a vector there is a vector."""
        return self if isinstance(other, types.Number) else None


class Mask(types.Type):
    """Numba's type of one truth value for each lane."""

    def __init__(self, count: int):
        self.count = count
        super().__init__(name=f"mask({count})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, ir.VectorType(ir.DoubleType(), kind.count))


@register_model(Mask)
class _MaskModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, ir.VectorType(ir.IntType(1), kind.count))


@lower_cast(types.Float, Lanes)
@lower_cast(types.Integer, Lanes)
def _spread(context, builder, given, wanted, value):
    value = context.cast(builder, value, given, types.float64)
    kind = context.get_value_type(wanted)
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, ir.Constant(kind, ir.Undefined), ir.Constant(ir.VectorType(ir.IntType(32), wanted.count), [0] * wanted.count))


def _lanes_among(args):
    found = [one for one in args if isinstance(one, Lanes)]
    return found[0] if found and all(one is found[0] or isinstance(one, types.Number) for one in args) else None


def _operator(symbol, result, emit):
    """Register an operator of vectors (and numbers) for typing and lowering."""
    class Template(AbstractTemplate):
        def generic(self, args, kws):
            lanes = _lanes_among(args)
            return signature(result(lanes), *([lanes] * len(args))) if lanes is not None else None

    infer_global(symbol)(Template)

    def lower(context, builder, sig, args):
        return emit(builder, *args)

    lower_builtin(symbol, *([Lanes] * (1 if symbol in (operator.neg, operator.pos) else 2)))(lower)


_FUSE = ("contract",)
for _symbol in (operator.add, operator.iadd):
    _operator(_symbol, lambda lanes: lanes, lambda b, x, y: b.fadd(x, y, flags=_FUSE))
for _symbol in (operator.sub, operator.isub):
    _operator(_symbol, lambda lanes: lanes, lambda b, x, y: b.fsub(x, y, flags=_FUSE))
for _symbol in (operator.mul, operator.imul):
    _operator(_symbol, lambda lanes: lanes, lambda b, x, y: b.fmul(x, y, flags=_FUSE))
_operator(operator.truediv, lambda lanes: lanes, lambda b, x, y: b.fdiv(x, y))
_operator(operator.neg, lambda lanes: lanes, lambda b, x: b.fneg(x))
for _symbol, _sign in ((operator.lt, "<"), (operator.le, "<="), (operator.gt, ">"), (operator.ge, ">="), (operator.eq, "==")):
    _operator(_symbol, lambda lanes: Mask(lanes.count), lambda b, x, y, sign=_sign: b.fcmp_ordered(sign, x, y))
_operator(operator.ne, lambda lanes: Mask(lanes.count), lambda b, x, y: b.fcmp_unordered("!=", x, y))


def _mask_operator(symbol, count, emit):
    class Template(AbstractTemplate):
        def generic(self, args, kws):
            return signature(args[0], *args) if all(isinstance(one, Mask) and one is args[0] for one in args) else None

    infer_global(symbol)(Template)
    lower_builtin(symbol, *([Mask] * count))(lambda context, builder, sig, args: emit(builder, *args))


_mask_operator(operator.and_, 2, lambda b, x, y: b.and_(x, y))
_mask_operator(operator.or_, 2, lambda b, x, y: b.or_(x, y))
_mask_operator(operator.ne, 2, lambda b, x, y: b.xor(x, y))
_mask_operator(operator.invert, 1, lambda b, x: b.not_(x))


def _address(context, builder, kind, array, row, count):
    data = context.make_array(kind)(context, builder, array).data
    at = builder.mul(row, ir.Constant(ir.IntType(64), count))
    return builder.bitcast(builder.gep(data, [at]), ir.VectorType(ir.DoubleType(), count).as_pointer())



@intrinsic
def load(typingctx, array, row, count):
    """The vector in one row of a contiguous array whose last axis has ``count`` numbers (a literal), rows counted through all other axes."""
    if not isinstance(count, types.IntegerLiteral):
        return None
    lanes = Lanes(count.literal_value)

    def code(context, builder, sig, args):
        return builder.load(_address(context, builder, sig.args[0], args[0], args[1], lanes.count), align=8)

    return lanes(array, types.int64, count), code


@intrinsic
def store(typingctx, array, row, value):
    """Write a vector to one row of a contiguous array whose last axis has as many numbers."""
    if not isinstance(value, Lanes):
        return None

    def code(context, builder, sig, args):
        builder.store(args[2], _address(context, builder, sig.args[0], args[0], args[1], value.count), align=8)
        return context.get_dummy_value()

    return types.void(array, types.int64, value), code


@intrinsic
def constants_of(typingctx, kind, array, row, count):
    """A NamedTuple of vectors from consecutive rows of an array; ``kind`` is a NamedTuple class of floats."""
    if not isinstance(count, types.IntegerLiteral):
        return None
    lanes = Lanes(count.literal_value)
    length = len(kind.instance_class._fields)
    result = types.NamedUniTuple(lanes, length, kind.instance_class)

    def code(context, builder, sig, args):
        values = [builder.load(_address(context, builder, sig.args[1], args[1], builder.add(args[2], ir.Constant(ir.IntType(64), k)), lanes.count), align=8)
                  for k in range(length)]
        return context.make_tuple(builder, sig.return_type, values)

    return result(kind, array, types.int64, count), code


@intrinsic
def spread(typingctx, value, count):
    """One number in all of ``count`` lanes (a literal)."""
    if not isinstance(count, types.IntegerLiteral):
        return None
    lanes = Lanes(count.literal_value)

    def code(context, builder, sig, args):
        return _spread(context, builder, types.float64, lanes, args[0])

    return lanes(types.float64, count), code


@intrinsic
def alike(typingctx, value, other):
    """A number or vector as a vector of the same width as ``other``; a number if that is one."""
    lanes = _lanes_among((value, other)) or types.float64
    return lanes(lanes, other), lambda context, builder, sig, args: args[0]


@intrinsic
def where(typingctx, mask, yes, no):
    """``yes`` in the lanes where the mask is true, else ``no``."""
    lanes = Lanes(mask.count)

    def code(context, builder, sig, args):
        return builder.select(*args)

    return lanes(mask, lanes, lanes), code


@intrinsic
def any_of(typingctx, mask):
    """True if the mask is true in some lane."""
    def code(context, builder, sig, args):
        whole = ir.IntType(mask.count)
        return builder.icmp_unsigned("!=", builder.bitcast(args[0], whole), ir.Constant(whole, 0))

    return types.boolean(mask), code


def _named(builder, name, *args):
    kind = args[0].type
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * len(args)), f"llvm.{name}.v{kind.count}f64")
    return builder.call(function, args)


def _unary(name, text):
    @intrinsic
    def function(typingctx, x):
        return (x(x), lambda context, builder, sig, args: _named(builder, name, args[0])) if isinstance(x, Lanes) else None

    function.__doc__ = text
    return function


root = _unary("sqrt", "Square root.")
whole_below = _unary("floor", "The next whole number below.")
whole_above = _unary("ceil", "The next whole number above.")
magnitude = _unary("fabs", "Absolute value.")


@intrinsic
def fused(typingctx, x, y, z):
    """x y + z, rounded once where the processor can; emulated where it can't, so that it is exact everywhere."""
    lanes = _lanes_among((x, y, z))
    return lanes(lanes, lanes, lanes), lambda context, builder, sig, args: _named(builder, "fma", *args)


@intrinsic
def copied_sign(typingctx, x, y):
    """The magnitude of x with the sign of y."""
    lanes = _lanes_among((x, y))
    return lanes(lanes, lanes), lambda context, builder, sig, args: _named(builder, "copysign", *args)


@intrinsic
def item(typingctx, x, lane):
    """The number in one lane."""
    def code(context, builder, sig, args):
        return builder.extract_element(args[0], builder.trunc(args[1], ir.IntType(32)))

    return types.float64(x, types.int64), code


@intrinsic
def put(typingctx, x, lane, value):
    """The vector with another number in one lane."""
    def code(context, builder, sig, args):
        return builder.insert_element(args[0], args[2], builder.trunc(args[1], ir.IntType(32)))

    return x(x, types.int64, types.float64), code


@intrinsic
def times_power_of_two(typingctx, x, n):
    """x 2^n for whole numbers n of magnitude below 2100, in two factors so that neither overflows before the product does."""
    def code(context, builder, sig, args):
        whole = ir.VectorType(ir.IntType(64), x.count)

        def all_lanes(value):
            return ir.Constant(whole, [value] * x.count)

        k = builder.fptosi(args[1], whole)
        half = builder.ashr(k, all_lanes(1))
        product = args[0]
        for part in (half, builder.sub(k, half)):
            factor = builder.shl(builder.add(part, all_lanes(1023)), all_lanes(52))
            product = builder.fmul(product, builder.bitcast(factor, args[0].type))
        return product

    return x(x, x), code


@intrinsic
def mantissa_and_exponent(typingctx, x):
    """(m, k) with x = m 2^k, sqrt(1/2) <= m < sqrt(2), for normal positive numbers."""
    def code(context, builder, sig, args):
        whole = ir.VectorType(ir.IntType(64), x.count)

        def all_lanes(value):
            return ir.Constant(whole, [value] * x.count)

        bits = builder.bitcast(args[0], whole)
        moved = builder.sub(bits, all_lanes(0x3FE6A09E667F3BCD))  # bits of sqrt(1/2)
        k = builder.ashr(moved, all_lanes(52))
        m = builder.bitcast(builder.sub(bits, builder.shl(k, all_lanes(52))), args[0].type)
        return context.make_tuple(builder, sig.return_type, [m, builder.sitofp(k, args[0].type)])

    return types.UniTuple(x, 2)(x), code


def each(name: str, count: int = 1):
    """A function of the C library, lane by lane."""
    def code(context, builder, sig, args):
        double, result = ir.DoubleType(), args[0]
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(double, [double] * count), name)
        for lane in range(args[0].type.count):
            index = ir.Constant(ir.IntType(32), lane)
            result = builder.insert_element(result, builder.call(function, [builder.extract_element(one, index) for one in args]), index)
        return result

    if count == 1:
        @intrinsic
        def function(typingctx, x):
            return x(x), code
    else:
        @intrinsic
        def function(typingctx, x, y):
            lanes = _lanes_among((x, y))
            return lanes(lanes, lanes), code
    function.__doc__ = f"`{name}` of the C library on every lane."
    return function
