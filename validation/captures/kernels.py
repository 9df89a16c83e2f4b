"""The player of capture programs: one compiled loop over table-driven operations on slabs of time.

A program (see `program`) is a list of operations on rows of one arena of the working type. A row is a channel with its
history in front; all rows share one position, at which the present slab begins, so the addresses in the table never
change. When the rows are full, all histories move to the front. A slab of at most `SLAB` samples is worked through all
operations before the next begins, so that everything stays in the cache; blocks of a live host take the same road.

The table is one int64 array: a header, operations of `OP` numbers, row addresses of convolutions, and the buffers whose
histories move. Nothing is allocated, nothing raises.
"""

from __future__ import annotations

from circuits.kernels.jit import kernel
from validation.captures.recurrent import gru_steps, lstm_steps
from validation.captures.simd import FORMULAS, GROUP, Code, intrinsic_of, unroll
from validation.captures.temporal import temporal_film

SLAB = 256  # samples worked through all layers at once
OP, BUFFER = 11, 4
# header
N_OPS, OPS, N_BUFFERS, BUFFERS, POSITION, ROOM, IN, IN_STRIDE, OUT, N_KNOBS = range(10)
HEADER = 16
# fields of a buffer
BASE, STRIDE, CHANNELS, HISTORY = range(4)
# settings: gains, skip, step of the knobs, then positions and targets
INPUT_GAIN, OUTPUT_GAIN, SKIP, KNOB_STEP, KNOBS = range(5)
LEVEL_LIMIT = 1e6  # 120 dB over full scale: beyond it float32 nets overflow
(CONVOLVE, ACTIVATE, MULTIPLY, BLEND, MODULATE, ADD, DIVIDE, AFFINE, ZERO, LSTM, GRU, TEMPORAL) = range(12)


def _fields(code: Code, op, count: int):
    """The first fields of an operation behind its code."""
    table = code.pointer(2)
    return [code.b.load(code.b.gep(table, [code.sum(op, field)])) for field in range(1, count + 1)]


def _tile(group: int):
    """Outputs ``group`` at once for some vectors of time: bias, one term for each row, then what was there."""
    vectors = unroll(group)

    def emit(code: Code):
        _, _, _, op, start, n = code.arguments
        arena, weights, table = code.pointer(0), code.pointer(1), code.pointer(2)
        b, lanes = code.b, code.lanes
        row0, n_rows, out, out_stride, _, init, init_stride, w0 = _fields(code, op, 8)
        slots = [[code.variable(code.zeros()) for _ in range(vectors)] for _ in range(group)]
        outs = [code.sum(out, b.mul(code.const(g), out_stride)) for g in range(group)]
        inits = [code.sum(init, b.mul(code.const(g), init_stride)) for g in range(group)]
        first = code.sum(w0, group)
        with code.loop(start, code.sum(start, n), lanes * vectors) as (t, _):
            for g in range(group):
                bias = code.spread(weights, code.sum(w0, g))
                for u in range(vectors):
                    b.store(bias.value, slots[g][u])
            with code.loop(code.const(0), n_rows) as (r, _):
                row = code.sum(b.load(b.gep(table, [code.sum(row0, r)])), t)
                x = [code.load(arena, code.sum(row, u * lanes)) for u in range(vectors)]
                w = code.sum(first, b.mul(r, code.const(group)))
                for g in range(group):
                    factor = code.spread(weights, code.sum(w, g))
                    for u in range(vectors):
                        b.store(factor.fma(x[u], code.read(slots[g][u])).value, slots[g][u])
            # what was there comes last: a residual is large beside the terms, and each sum would round at its size
            with b.if_then(b.icmp_signed(">=", init, code.const(0))):
                for g in range(group):
                    for u in range(vectors):
                        there = code.load(arena, code.sum(inits[g], t, u * lanes))
                        b.store((code.read(slots[g][u]) + there).value, slots[g][u])
            for g in range(group):
                for u in range(vectors):
                    code.store(code.read(slots[g][u]), arena, code.sum(outs[g], t, u * lanes))

    return intrinsic_of(3, 3, emit)


_tile1, _tile2, _tile3, _tile4 = (_tile(group) for group in (1, 2, 3, 4))
_tile5, _tile6, _tile7, _tile8 = (_tile(group) for group in (5, 6, 7, 8))


def _activation(formula):
    """dst = formula(src) on some rows, and sum += dst where a sum is wanted; op is where the operation stands."""
    def emit(code: Code):
        _, _, _, op, t, n = code.arguments
        arena, weights, b = code.pointer(0), code.pointer(1), code.b
        source, s_stride, target, t_stride, total, total_stride, rows, _, p0 = _fields(code, op, 9)
        with b.if_else(b.icmp_signed(">=", total, code.const(0))) as (summed, alone):
            for block, sums in ((summed, True), (alone, False)):
                with block, code.loop(code.const(0), rows) as (row, _):
                    first = code.sum(p0, b.mul(row, code.const(4)))
                    p = [code.spread(weights, code.sum(first, index)) for index in range(4)]
                    s, d, u = (code.sum(base, b.mul(row, stride), t)
                               for base, stride in ((source, s_stride), (target, t_stride), (total, total_stride)))
                    with code.loop(code.const(0), n, code.lanes) as (at, _):
                        value = formula(code.load(arena, code.sum(s, at)), p)
                        code.store(value, arena, code.sum(d, at))
                        if sums:
                            code.store(code.load(arena, code.sum(u, at)) + value, arena, code.sum(u, at))

    return intrinsic_of(3, 3, emit)


(_identity, _tanh, _hardtanh, _fasttanh, _relu, _leakyrelu, _sigmoid, _silu, _hardswish, _leakyhardtanh, _softsign,
 _softsigmoid, _elu, _exp) = (_activation(formula) for formula in FORMULAS)


def _elementwise(formula):
    """dst = formula(first, second, third) on one row."""
    def emit(code: Code):
        _, target, first, second, third, n = code.arguments
        arena = code.pointer(0)
        with code.loop(code.const(0), n, code.lanes) as (t, _):
            given = [code.load(arena, code.sum(row, t)) for row in (first, second, third)]
            code.store(formula(*given), arena, code.sum(target, t))

    return intrinsic_of(1, 5, emit)


_multiply = _elementwise(lambda a, b, c: a * b)
_modulate = _elementwise(lambda a, b, c: a.fma(b, c))
_divide = _elementwise(lambda a, b, c: a / b)
_add = _elementwise(lambda a, b, c: a + b)
_blend = _elementwise(lambda w, a, z: w.fma(a - z, z))


def _emit_affine(code: Code):
    _, _, target, source, p0, n = code.arguments
    arena, weights = code.pointer(0), code.pointer(1)
    scale, shift = code.spread(weights, p0), code.spread(weights, code.sum(p0, 1))
    with code.loop(code.const(0), n, code.lanes) as (t, _):
        code.store(code.load(arena, code.sum(source, t)).fma(scale, shift), arena, code.sum(target, t))


_affine = intrinsic_of(2, 4, _emit_affine)


def groups_of(n_out: int) -> list[int]:
    """Sizes of the groups of outputs that share a tile: as equal as can be, at most `GROUP`."""
    count = -(-n_out // GROUP)
    return [n_out // count + (index < n_out % count) for index in range(count)]


def _emit_copy(code: Code):
    """dst[:n] = src[:n] in whole vectors, forwards; what runs over is the present, which is written later."""
    _, target, source, n = code.arguments
    arena = code.pointer(0)
    with code.loop(code.const(0), n, code.lanes) as (t, _):
        code.store(code.load(arena, code.sum(source, t)), arena, code.sum(target, t))


def _emit_clear(code: Code):
    """dst[:n] = 0 in whole vectors."""
    _, target, n = code.arguments
    arena = code.pointer(0)
    with code.loop(code.const(0), n, code.lanes) as (t, _):
        code.store(code.zeros(), arena, code.sum(target, t))


_copy, _clear = intrinsic_of(1, 3, _emit_copy), intrinsic_of(1, 2, _emit_clear)


@kernel
def _convolve(a, w, table, op, t, n):
    size = table[op + 5]
    if size == 8:
        _tile8(a, w, table, op, t, n)
    elif size == 4:
        _tile4(a, w, table, op, t, n)
    elif size == 1:
        _tile1(a, w, table, op, t, n)
    elif size == 2:
        _tile2(a, w, table, op, t, n)
    elif size == 3:
        _tile3(a, w, table, op, t, n)
    elif size == 6:
        _tile6(a, w, table, op, t, n)
    elif size == 5:
        _tile5(a, w, table, op, t, n)
    else:
        _tile7(a, w, table, op, t, n)


@kernel
def _activate(a, w, table, op, t, n):
    kind = table[op + 8]
    if kind == 1:
        _tanh(a, w, table, op, t, n)
    elif kind == 5:
        _leakyrelu(a, w, table, op, t, n)
    elif kind == 4:
        _relu(a, w, table, op, t, n)
    elif kind == 0:
        _identity(a, w, table, op, t, n)
    elif kind == 6:
        _sigmoid(a, w, table, op, t, n)
    elif kind == 2:
        _hardtanh(a, w, table, op, t, n)
    elif kind == 3:
        _fasttanh(a, w, table, op, t, n)
    elif kind == 7:
        _silu(a, w, table, op, t, n)
    elif kind == 8:
        _hardswish(a, w, table, op, t, n)
    elif kind == 9:
        _leakyhardtanh(a, w, table, op, t, n)
    elif kind == 10:
        _softsign(a, w, table, op, t, n)
    elif kind == 11:
        _softsigmoid(a, w, table, op, t, n)
    elif kind == 13:
        _exp(a, w, table, op, t, n)
    else:
        _elu(a, w, table, op, t, n)


@kernel
def _make_room(a, table, n):
    """Move all histories to the front of their rows if n more samples don't fit."""
    position = table[POSITION]
    if position + n <= table[ROOM]:
        return
    for index in range(table[N_BUFFERS]):
        at = table[BUFFERS] + index * BUFFER
        row, history = table[at + BASE], table[at + HISTORY]
        for _ in range(table[at + CHANNELS]):
            _copy(a, row, row + position, history)
            row += table[at + STRIDE]
    table[POSITION] = 0


@kernel
def _operate(a, w, table, op, t, n):
    code = table[op]
    if code == CONVOLVE:
        _convolve(a, w, table, op, t, n)
    elif code == ACTIVATE:
        _activate(a, w, table, op, t, n)
    elif code == ZERO:
        for c in range(table[op + 3]):
            _clear(a, table[op + 1] + t + c * table[op + 2], n)
    elif code == AFFINE:
        for c in range(table[op + 5]):
            _affine(a, w, table[op + 3] + t + c * table[op + 4], table[op + 1] + t + c * table[op + 2],
                    table[op + 6] + 2 * c, n)
    elif code == LSTM:
        lstm_steps(a, w, n, table[op + 1] + t, table[op + 2], table[op + 5], table[op + 3] + t, table[op + 4],
                   table[op + 6], table[op + 7], table[op + 8])
    elif code == GRU:
        gru_steps(a, w, n, table[op + 1] + t, table[op + 2], table[op + 5], table[op + 3] + t, table[op + 4],
                  table[op + 6], table[op + 7], table[op + 8])
    elif code == TEMPORAL:
        temporal_film(a, w, n, table[op + 1] + t, table[op + 2], table[op + 5], table[op + 7], table[op + 6], table[op + 9], table[op + 8])
    else:
        for c in range(table[op + 9]):
            target, first = table[op + 1] + t + c * table[op + 2], table[op + 3] + t + c * table[op + 4]
            second, third = table[op + 5] + t + c * table[op + 6], table[op + 7] + t + c * table[op + 8]
            if code == MULTIPLY:
                _multiply(a, target, first, second, third, n)
            elif code == ADD:
                _add(a, target, first, second, third, n)
            elif code == DIVIDE:
                _divide(a, target, first, second, third, n)
            elif code == MODULATE:
                _modulate(a, target, first, second, third, n)
            else:
                _blend(a, target, first, second, third, n)


@kernel
def play(a, w, table, settings, x, y):
    """Run a program over a block.

    Parameters
    ----------
    a, w : ndarray, float32 or float64
        Arena and packed weights.
    table : ndarray, int64
        The program; its position moves on.
    settings : ndarray, float64
        Gains, skip, and knobs, which move on.
    x, y : ndarray, float64, shape (n_samples,)
        Input and output, full scale.

    Returns
    -------
    int
        -1, or the index of the first sample that is not finite or beyond `LEVEL_LIMIT`; then nothing has moved.
    """
    for t in range(len(x)):
        if not abs(x[t]) <= LEVEL_LIMIT:
            return t
    n_knobs, step = table[N_KNOBS], settings[KNOB_STEP]
    gain, back, skip = settings[INPUT_GAIN], settings[OUTPUT_GAIN], settings[SKIP]
    start = 0
    while start < len(x):
        n = min(SLAB, len(x) - start)
        _make_room(a, table, n)
        position = table[POSITION]
        source, out = table[IN] + position, table[OUT] + position
        for t in range(n):
            a[source + t] = x[start + t] * gain
        for knob in range(n_knobs):
            row = source + (knob + 1) * table[IN_STRIDE]
            now, target = settings[KNOBS + knob], settings[KNOBS + n_knobs + knob]
            for t in range(n):
                now += min(max(target - now, -step), step)
                a[row + t] = now
            settings[KNOBS + knob] = now
        for index in range(table[N_OPS]):
            _operate(a, w, table, table[OPS] + index * OP, position, n)
        if skip != 0.0:
            for t in range(n):
                y[start + t] = (a[out + t] + skip * a[source + t]) * back
        else:
            for t in range(n):
                y[start + t] = a[out + t] * back
        table[POSITION] = position + n
        start += n
    return -1
