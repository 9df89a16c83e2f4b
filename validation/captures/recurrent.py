"""LSTM and GRU steps with the gate rows along the lanes: one compiled loop over samples, weights in the order of use.

The products of one row are kept in four partial sums, hidden column k in sum k mod 4, the bias and the input columns
in sum 0, joined as (0 + 1) + (2 + 3). The lanes of `segments` follow the same order, so both give the same bits.

Packing of a layer with H hidden rows, padded to whole vectors of L lanes, and K = H padded to a multiple of four, for
each vector of rows: bias, then I input columns, then K hidden columns, each as gates x L numbers. Rows of logistic
gates are halved beforehand, which is exact and saves a product: s(x) = (1 + tanh(x / 2)) / 2.
State in the arena: h, the next h, and c for the LSTM, each padded.
"""

from __future__ import annotations

from validation.captures.simd import Code, intrinsic_of, tanh_parts

CHAINS = 4


def _sums(code: Code, weights, w0, gates: int, arena, x_at, x_stride, n_inputs, h_at, n_columns, split: bool):
    """Weighted sums of all gates; with ``split`` the last gate's input and hidden parts stay apart (GRU)."""
    b, lanes = code.b, code.lanes
    width = gates * lanes
    slots = []
    for gate in range(gates):
        bias = code.load(weights, code.sum(w0, gate * lanes))
        slots.append([code.variable(bias if chain == 0 else code.zeros()) for chain in range(CHAINS)])
    apart = code.variable(code.load(weights, code.sum(w0, width))) if split else None
    at = code.sum(w0, width + (lanes if split else 0))
    with code.loop(code.const(0), n_inputs) as (i, _):
        x = code.spread(arena, code.sum(x_at, b.mul(i, x_stride)))
        column = code.sum(at, b.mul(i, code.const(width)))
        for gate in range(gates):
            slot = apart if split and gate == gates - 1 else slots[gate][0]
            factor = code.load(weights, code.sum(column, gate * lanes))
            b.store(factor.fma(x, code.read(slot)).value, slot)
    at = code.sum(at, b.mul(n_inputs, code.const(width)))
    with code.loop(code.const(0), n_columns, CHAINS) as (k, _):
        for chain in range(CHAINS):
            h = code.spread(arena, code.sum(h_at, k, chain))
            column = code.sum(at, b.mul(code.sum(k, chain), code.const(width)))
            for gate in range(gates):
                factor = code.load(weights, code.sum(column, gate * lanes))
                b.store(factor.fma(h, code.read(slots[gate][chain])).value, slots[gate][chain])
    sums = []
    for slot in slots:
        zero, one, two, three = (code.read(part) for part in slot)
        sums.append((zero + one) + (two + three))
    return sums, code.read(apart) if split else None


def _steps(gates: int, cell):
    """The loop over samples around one cell; h is written beside the old one and the two change places."""
    def emit(code: Code):
        _, _, n, source, s_stride, n_inputs, target, t_stride, state, n_hidden, w0 = code.arguments
        b, lanes = code.b, code.lanes
        arena, weights = code.pointer(0), code.pointer(1)
        split = gates == 3
        vectors = b.sdiv(code.sum(n_hidden, lanes - 1), code.const(lanes))
        padded = b.mul(vectors, code.const(lanes))
        columns = b.mul(b.sdiv(code.sum(n_hidden, CHAINS - 1), code.const(CHAINS)), code.const(CHAINS))
        per_vector = b.mul(code.sum(columns, n_inputs, 1), code.const(gates * lanes))
        per_vector = code.sum(per_vector, lanes if split else 0)
        cells = code.sum(state, padded, padded)
        with code.loop(code.const(0), n) as (t, _):
            odd = b.and_(t, code.const(1))
            old = code.sum(state, b.mul(odd, padded))
            new = code.sum(state, b.mul(b.xor(odd, code.const(1)), padded))
            with code.loop(code.const(0), vectors) as (v, _):
                sums, apart = _sums(code, weights, code.sum(w0, b.mul(v, per_vector)), gates, arena,
                                    code.sum(source, t), s_stride, n_inputs, old, columns, split)
                row = b.mul(v, code.const(lanes))
                cell(code, arena, sums, apart, code.sum(old, row), code.sum(new, row), code.sum(cells, row))
            with code.loop(code.const(0), n_hidden) as (j, _):
                value = b.load(b.gep(arena, [code.sum(new, j)]))
                b.store(value, b.gep(arena, [code.sum(target, b.mul(j, t_stride), t)]))
        with b.if_then(b.icmp_signed("==", b.and_(n, code.const(1)), code.const(1))):
            with code.loop(code.const(0), padded) as (j, _):
                b.store(b.load(b.gep(arena, [code.sum(state, padded, j)])), b.gep(arena, [code.sum(state, j)]))

    return emit


def _logistic(half):
    """s(2 half) = (Q + N) / (2 Q), the quick way."""
    x, p, q = tanh_parts(half)
    return x.fma(p, q) / (q + q)


def lstm_cell(i, f, g, o, c):
    """(h, c) from the halved sums of i, f, o, the sum of g, and the old c.

    With tanh(x) = x P / Q = N / Q the new c is one quotient,
    s(f) c + s(i) tanh(g) = ((Q_f + N_f) (c / 2) Q_i Q_g + (Q_i + N_i) N_g Q_f / 2) / (Q_f Q_i Q_g),
    and h = (s(o) c) P_c / Q_c; what is known early is multiplied early, because each step waits for the last.
    """
    x_i, p_i, q_i = tanh_parts(i)
    x_f, p_f, q_f = tanh_parts(f)
    x_g, p_g, q_g = tanh_parts(g)
    product = q_i * q_g
    late = x_i.fma(p_i, q_i) * (x_g * p_g * (q_f * 0.5))
    c = (x_f.fma(p_f, q_f) * (c * 0.5)).fma(product, late) / (q_f * product)
    x_c, p_c, q_c = tanh_parts(c)
    return _logistic(o) * x_c * p_c / q_c, c


def gru_cell(r, z, n_hidden, n_input, h):
    """h from the halved sums of r and z, the two parts of n, and the old h: (1 - z) n + z h as one quotient."""
    x_z, p_z, q_z = tanh_parts(z)
    x_n, p_n, q_n = tanh_parts(_logistic(r).fma(n_hidden, n_input))
    more, less = x_z.fma(p_z, q_z), (x_z * -1.0).fma(p_z, q_z)
    return (more * (h * 0.5)).fma(q_n, less * (x_n * 0.5) * p_n) / (q_z * q_n)


def _lstm(code, arena, sums, apart, old, new, cells):
    h, c = lstm_cell(*sums, code.load(arena, cells))
    code.store(c, arena, cells)
    code.store(h, arena, new)


def _gru(code, arena, sums, apart, old, new, cells):
    code.store(gru_cell(*sums, apart, code.load(arena, old)), arena, new)


lstm_steps = intrinsic_of(2, 9, _steps(4, _lstm))
gru_steps = intrinsic_of(2, 9, _steps(3, _gru))
