"""A NamedTuple of constants read straight from a flat array, inside compiled code."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic


@intrinsic
def constants_at(typingctx, kind, c, k):
    """``kind(c[k], c[k + 1], ...)`` for a NamedTuple class of floats and a contiguous array of float64.

    Going through a slice (``numba.np.unsafe.ndarray.to_fixed_tuple``) costs ten times the law that uses the constants: 200 ns for the
    32 numbers of a transistor, where loads that the law does not need vanish altogether.
    """
    length = len(kind.instance_class._fields)
    result = types.NamedUniTuple(types.float64, length, kind.instance_class)

    def codegen(context, builder, signature, args):
        _, array, start = args
        data = context.make_array(signature.args[1])(context, builder, array).data
        first = builder.gep(data, [start])
        values = [builder.load(builder.gep(first, [ir.Constant(ir.IntType(64), i)])) for i in range(length)]
        return context.make_tuple(builder, signature.return_type, values)

    return result(kind, c, types.intp), codegen
