"""The player of capture programs: one compiled loop over table-driven operations on slabs of time.

A program (see `program`) is a list of operations on buffers inside one arena of the working type. A buffer is some
channels, each a row with its own history in front; a slab of at most `SLAB` samples is worked through all operations
before the next begins, so that everything stays in the cache, and blocks of a live host take the same road.

Tables are int64, one array: a header, then operations of `OP` numbers, rows of convolutions, buffers of `BUFFER`
numbers, and room for row addresses. Nothing is allocated, nothing raises.
"""

from __future__ import annotations

from circuits.kernels.jit import kernel
from validation.captures.recurrent import gru_steps, lstm_steps
from validation.captures.simd import FORMULAS, GROUP, PADDING, Code, intrinsic_of, unroll

SLAB = 256  # samples worked through all layers at once
OP, BUFFER = 12, 6
# header
N_OPS, OPS, ROWS, N_BUFFERS, BUFFERS, SCRATCH, IN, OUT, N_KNOBS = range(9)
HEADER = 16
# fields of a buffer
BASE, STRIDE, CHANNELS, HISTORY, POSITION, CAPACITY = range(6)
# settings: gains, skip, step of the knobs, then positions and targets
INPUT_GAIN, OUTPUT_GAIN, SKIP, KNOB_STEP, KNOBS = range(5)
LEVEL_LIMIT = 1e6  # 120 dB over full scale: beyond it float32 nets overflow
(CONVOLVE, ACTIVATE, MULTIPLY, BLEND, MODULATE, ADD, DIVIDE, AFFINE, ZERO, LSTM, GRU) = range(11)


def _tile(group: int):
    """Outputs ``group`` at once for some vectors of time: bias, what was there, then one term for each row."""
    vectors = unroll(group)

    def emit(code: Code):
        _, _, _, n_rows, t, w0, out, out_stride, init, init_stride = code.arguments
        arena, rows, weights = code.pointer(0), code.pointer(1), code.pointer(2)
        b, lanes = code.b, code.lanes
        slots = []
        for g in range(group):
            bias = code.spread(weights, code.sum(w0, g))
            slots.append([code.variable(bias) for _ in range(vectors)])
        with b.if_then(b.icmp_signed(">=", init, code.const(0))):
            for g in range(group):
                row = code.sum(init, b.mul(code.const(g), init_stride), t)
                for u in range(vectors):
                    there = code.load(arena, code.sum(row, u * lanes))
                    b.store((code.read(slots[g][u]) + there).value, slots[g][u])
        first = code.sum(w0, group)
        with code.loop(code.const(0), n_rows) as (r, _):
            row = code.sum(b.load(b.gep(rows, [r])), t)
            x = [code.load(arena, code.sum(row, u * lanes)) for u in range(vectors)]
            w = code.sum(first, b.mul(r, code.const(group)))
            for g in range(group):
                factor = code.spread(weights, code.sum(w, g))
                for u in range(vectors):
                    b.store(factor.fma(x[u], code.read(slots[g][u])).value, slots[g][u])
        for g in range(group):
            row = code.sum(out, b.mul(code.const(g), out_stride), t)
            for u in range(vectors):
                code.store(code.read(slots[g][u]), arena, code.sum(row, u * lanes))

    return intrinsic_of(3, 7, emit)


_tile1, _tile2, _tile3, _tile4 = (_tile(group) for group in (1, 2, 3, 4))
_tile5, _tile6, _tile7, _tile8 = (_tile(group) for group in (5, 6, 7, 8))
_STEPS = tuple(unroll(group) for group in range(1, 9))


def _activation(formula):
    """dst = formula(src) on one row, and sum += dst where a sum is wanted."""
    def emit(code: Code):
        _, _, source, target, total, p0, n = code.arguments
        arena, weights, b = code.pointer(0), code.pointer(1), code.b
        p = [code.spread(weights, code.sum(p0, index)) for index in range(4)]
        with b.if_else(b.icmp_signed(">=", total, code.const(0))) as (summed, alone):
            for block, sums in ((summed, True), (alone, False)):
                with block, code.loop(code.const(0), n, code.lanes) as (t, _):
                    value = formula(code.load(arena, code.sum(source, t)), p)
                    code.store(value, arena, code.sum(target, t))
                    if sums:
                        code.store(code.load(arena, code.sum(total, t)) + value, arena, code.sum(total, t))

    return intrinsic_of(2, 5, emit)


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


@kernel
def _convolve(a, rows, w, n_rows, n, w0, out, out_stride, n_out, init, init_stride, lanes):
    count = -(-n_out // GROUP)
    first = 0
    for index in range(count):
        size = n_out // count + (1 if index < n_out % count else 0)
        o = out + first * out_stride
        i = init + first * init_stride if init >= 0 else -1
        t = 0
        step = lanes * _STEPS[size - 1]
        while t < n:
            if size == 8:
                _tile8(a, rows, w, n_rows, t, w0, o, out_stride, i, init_stride)
            elif size == 4:
                _tile4(a, rows, w, n_rows, t, w0, o, out_stride, i, init_stride)
            elif size == 1:
                _tile1(a, rows, w, n_rows, t, w0, o, out_stride, i, init_stride)
            elif size == 2:
                _tile2(a, rows, w, n_rows, t, w0, o, out_stride, i, init_stride)
            elif size == 3:
                _tile3(a, rows, w, n_rows, t, w0, o, out_stride, i, init_stride)
            elif size == 5:
                _tile5(a, rows, w, n_rows, t, w0, o, out_stride, i, init_stride)
            elif size == 6:
                _tile6(a, rows, w, n_rows, t, w0, o, out_stride, i, init_stride)
            else:
                _tile7(a, rows, w, n_rows, t, w0, o, out_stride, i, init_stride)
            t += step
        w0 += size * (n_rows + 1)
        first += size


@kernel
def _activate(a, w, source, target, total, p0, n, kind):
    if kind == 1:
        _tanh(a, w, source, target, total, p0, n)
    elif kind == 5:
        _leakyrelu(a, w, source, target, total, p0, n)
    elif kind == 4:
        _relu(a, w, source, target, total, p0, n)
    elif kind == 0:
        _identity(a, w, source, target, total, p0, n)
    elif kind == 6:
        _sigmoid(a, w, source, target, total, p0, n)
    elif kind == 2:
        _hardtanh(a, w, source, target, total, p0, n)
    elif kind == 3:
        _fasttanh(a, w, source, target, total, p0, n)
    elif kind == 7:
        _silu(a, w, source, target, total, p0, n)
    elif kind == 8:
        _hardswish(a, w, source, target, total, p0, n)
    elif kind == 9:
        _leakyhardtanh(a, w, source, target, total, p0, n)
    elif kind == 10:
        _softsign(a, w, source, target, total, p0, n)
    elif kind == 11:
        _softsigmoid(a, w, source, target, total, p0, n)
    elif kind == 13:
        _exp(a, w, source, target, total, p0, n)
    else:
        _elu(a, w, source, target, total, p0, n)


@kernel
def _advance(a, table, n):
    """Move histories to the front of the rows that have no room for n more samples."""
    for index in range(table[N_BUFFERS]):
        at = table[BUFFERS] + index * BUFFER
        history = table[at + HISTORY]
        if table[at + POSITION] + n + PADDING > table[at + CAPACITY]:
            shift = table[at + POSITION] - history
            for channel in range(table[at + CHANNELS]):
                row = table[at + BASE] + channel * table[at + STRIDE]
                for k in range(row, row + history):
                    a[k] = a[k + shift]
            table[at + POSITION] = history


@kernel
def _row(table, buffer, channel):
    at = table[BUFFERS] + buffer * BUFFER
    return table[at + BASE] + table[at + POSITION] + channel * table[at + STRIDE]


@kernel
def _stride(table, buffer):
    return table[table[BUFFERS] + buffer * BUFFER + STRIDE]


@kernel
def _operate(a, w, table, rows, op, n, lanes):
    code = table[op]
    if code == CONVOLVE:
        first, n_rows = table[op + 1], table[op + 2]
        for r in range(n_rows):
            at = table[ROWS] + 3 * (first + r)
            rows[r] = _row(table, table[at], table[at + 1]) - table[at + 2]
        init = -1
        init_stride = 0
        if table[op + 6] >= 0:
            init = _row(table, table[op + 6], table[op + 7])
            init_stride = _stride(table, table[op + 6])
        _convolve(a, rows, w, n_rows, n, table[op + 8], _row(table, table[op + 3], table[op + 4]),
                  _stride(table, table[op + 3]), table[op + 5], init, init_stride, lanes)
    elif code == ACTIVATE:
        source, target = _row(table, table[op + 1], table[op + 2]), _row(table, table[op + 3], table[op + 4])
        s_stride, t_stride = _stride(table, table[op + 1]), _stride(table, table[op + 3])
        total = -1
        total_stride = 0
        if table[op + 8] >= 0:
            total = _row(table, table[op + 8], table[op + 9])
            total_stride = _stride(table, table[op + 8])
        for c in range(table[op + 5]):
            _activate(a, w, source, target, total, table[op + 7] + 4 * c, n, table[op + 6])
            source += s_stride
            target += t_stride
            total += total_stride
    elif code == ZERO:
        target, stride = _row(table, table[op + 1], table[op + 2]), _stride(table, table[op + 1])
        for c in range(table[op + 3]):
            for t in range(target + c * stride, target + c * stride + n):
                a[t] = 0.0
    elif code == AFFINE:
        for c in range(table[op + 5]):
            _affine(a, w, _row(table, table[op + 3], table[op + 4] + c), _row(table, table[op + 1], table[op + 2] + c),
                    table[op + 6] + 2 * c, n)
    elif code == LSTM or code == GRU:
        source, target = _row(table, table[op + 1], table[op + 2]), _row(table, table[op + 3], table[op + 4])
        s_stride, t_stride = _stride(table, table[op + 1]), _stride(table, table[op + 3])
        if code == LSTM:
            lstm_steps(a, w, n, source, s_stride, table[op + 5], target, t_stride, table[op + 6], table[op + 7], table[op + 8])
        else:
            gru_steps(a, w, n, source, s_stride, table[op + 5], target, t_stride, table[op + 6], table[op + 7], table[op + 8])
    else:
        for c in range(table[op + 9]):
            target = _row(table, table[op + 1], table[op + 2] + c)
            first = _row(table, table[op + 3], table[op + 4] + c)
            second = _row(table, table[op + 5], table[op + 6] + c)
            if code == MULTIPLY:
                _multiply(a, target, first, second, second, n)
            elif code == ADD:
                _add(a, target, first, second, second, n)
            elif code == DIVIDE:
                _divide(a, target, first, second, second, n)
            elif code == MODULATE:
                _modulate(a, target, first, second, _row(table, table[op + 7], table[op + 8] + c), n)
            else:
                _blend(a, target, first, second, _row(table, table[op + 7], table[op + 8] + c), n)


@kernel
def play(a, w, table, rows, settings, x, y, lanes):
    """Run a program over a block.

    Parameters
    ----------
    a, w : ndarray, float32 or float64
        Arena and packed weights.
    table, rows : ndarray, int64
        The program, and room for row addresses.
    settings : ndarray, float64
        Gains, skip, and knobs.
    x, y : ndarray, float64, shape (n_samples,)
        Input and output, full scale.
    lanes : int
        Vector length of the working type.

    Returns
    -------
    int
        -1, or the index of the first sample that is not finite or beyond `LEVEL_LIMIT`; then nothing has moved.
    """
    for t in range(len(x)):
        if not abs(x[t]) <= LEVEL_LIMIT:
            return t
    n_knobs = table[N_KNOBS]
    start = 0
    while start < len(x):
        n = min(SLAB, len(x) - start)
        _advance(a, table, n)
        source = _row(table, table[IN], 0)
        for t in range(n):
            a[source + t] = x[start + t] * settings[INPUT_GAIN]
        for knob in range(n_knobs):
            row = _row(table, table[IN], 1 + knob)
            target, step = settings[KNOBS + n_knobs + knob], settings[KNOB_STEP]
            for t in range(n):
                settings[KNOBS + knob] += min(max(target - settings[KNOBS + knob], -step), step)
                a[row + t] = settings[KNOBS + knob]
        for index in range(table[N_OPS]):
            _operate(a, w, table, rows, table[OPS] + index * OP, n, lanes)
        out = _row(table, table[OUT], 0)
        for t in range(n):
            y[start + t] = (a[out + t] + settings[SKIP] * a[source + t]) * settings[OUTPUT_GAIN]
        for index in range(table[N_BUFFERS]):
            at = table[BUFFERS] + index * BUFFER
            if table[at + HISTORY] > 0:
                table[at + POSITION] += n
        start += n
    return -1
