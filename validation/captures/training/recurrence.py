"""Recurrent cells that torch trains slowly on a processor, forwards and backwards in compiled code: GRU, and LSTM whose recurrent part is scaled row by row.

Arrays are (n_steps, n_rows, n_lanes): the lanes, excerpts side by side, lie next to each other, so that the compiler's vectors run along them. A cell's kernel is
handed what reaches its gates from outside (``given``), and that of the LSTM the factors of its recurrent products (``scale``), of which 1 makes a plain one.
Gates in the order i, f, g, o, or r, z, n; states have one step more than gates, the first is the one before. All arrays are of one type,
float32 or float64; the constants come in that type too, so that nothing is computed in a wider one.

References
----------
S. Hochreiter, J. Schmidhuber, "Long short-term memory", Neural Computation 9(8), 1997.
K. Cho et al., "Learning phrase representations using RNN encoder-decoder", EMNLP 2014, equations 5 to 8; the reset gate behind the matrix product, as torch has it.
D. Ha, A. Dai, Q. V. Le, "HyperNetworks", ICLR 2017, appendix A.2.3.
P. J. Werbos, "Backpropagation through time", Proceedings of the IEEE 78(10), 1990.
"""

from __future__ import annotations

import numpy as np
import torch

from circuits.kernels.jit import kernel
from validation.captures.simd import TANH_LIMIT, TANH_P, TANH_Q

_CONSTANTS = np.array([1.0, 0.5, TANH_LIMIT, *TANH_P, *TANH_Q])


@kernel(bare=True)
def _tanh(x, k):
    """x P(x^2) / Q(x^2), 1.3e-9 of the value before rounding; see `validation.captures.simd`."""
    x = k[2] if x > k[2] else x
    x = -k[2] if x < -k[2] else x
    s = x * x
    top = ((((k[8] * s + k[7]) * s + k[6]) * s + k[5]) * s + k[4]) * s + k[3]
    bottom = (((k[13] * s + k[12]) * s + k[11]) * s + k[10]) * s + k[9]
    return x * top / bottom


@kernel(bare=True)
def _logistic(x, k):
    return k[1] + k[1] * _tanh(k[1] * x, k)


@kernel(bare=True)
def _products(u, h, t, out):
    """out[t] += u h[t]."""
    rows, units, lanes = u.shape[0], u.shape[1], h.shape[2]
    for r in range(rows):
        for j in range(units):
            w = u[r, j]
            for lane in range(lanes):
                out[t, r, lane] += w * h[t, j, lane]


@kernel(bare=True)
def _products_back(u, given, t, out):
    """out += u^T given[t]."""
    rows, units, lanes = u.shape[0], u.shape[1], out.shape[1]
    for j in range(units):
        for r in range(rows):
            w = u[r, j]
            for lane in range(lanes):
                out[j, lane] += w * given[t, r, lane]


@kernel
def modulate(x, s, rows, w, b, k, given, scale):
    """given = (1 + W s) w x + b + V s and scale = 1 + U s; ``rows`` are those of W, U and V."""
    n_rows, side, lanes = len(w), rows.shape[1], x.shape[1]
    for t in range(len(x)):
        for r in range(n_rows):
            for lane in range(lanes):
                given[t, r, lane] = k[0]
                scale[t, r, lane] = k[0]
            for j in range(side):
                v, f = rows[r, j], rows[n_rows + r, j]
                for lane in range(lanes):
                    given[t, r, lane] += v * s[t, j, lane]
                for lane in range(lanes):
                    scale[t, r, lane] += f * s[t, j, lane]
            for lane in range(lanes):
                given[t, r, lane] = given[t, r, lane] * w[r] * x[t, lane] + b[r]
            for j in range(side):
                v = rows[2 * n_rows + r, j]
                for lane in range(lanes):
                    given[t, r, lane] += v * s[t, j, lane]


@kernel
def lstm_forward(given, scale, u, k, inner, gates, h, c, bent):
    """``inner`` starts as zeros and becomes u h; ``bent`` becomes tanh(c)."""
    steps, lanes, n = given.shape[0], given.shape[2], u.shape[1]
    for t in range(steps):
        _products(u, h, t, inner)
        for r in range(2 * n):
            for lane in range(lanes):
                gates[t, r, lane] = _logistic(given[t, r, lane] + scale[t, r, lane] * inner[t, r, lane], k)
        for r in range(2 * n, 3 * n):
            for lane in range(lanes):
                gates[t, r, lane] = _tanh(given[t, r, lane] + scale[t, r, lane] * inner[t, r, lane], k)
        for r in range(3 * n, 4 * n):
            for lane in range(lanes):
                gates[t, r, lane] = _logistic(given[t, r, lane] + scale[t, r, lane] * inner[t, r, lane], k)
        for j in range(n):
            for lane in range(lanes):
                c[t + 1, j, lane] = gates[t, n + j, lane] * c[t, j, lane] + gates[t, j, lane] * gates[t, 2 * n + j, lane]
            for lane in range(lanes):
                bent[t, j, lane] = _tanh(c[t + 1, j, lane], k)
            for lane in range(lanes):
                h[t + 1, j, lane] = gates[t, 3 * n + j, lane] * bent[t, j, lane]


@kernel
def lstm_backward(slope, scale, u, k, gates, c, bent, d_given, d_inner, d_h, d_c):
    """From the slope of every h those of ``given`` and of u h; ``d_h``, ``d_c`` (n_units, n_lanes) start as zeros and end as those of the first state."""
    steps, lanes, n = slope.shape[0], slope.shape[2], u.shape[1]
    one = k[0]
    for t in range(steps - 1, -1, -1):
        for j in range(n):
            for lane in range(lanes):
                i, f, g, o = gates[t, j, lane], gates[t, n + j, lane], gates[t, 2 * n + j, lane], gates[t, 3 * n + j, lane]
                b, dh = bent[t, j, lane], slope[t, j, lane] + d_h[j, lane]
                dc = d_c[j, lane] + dh * o * (one - b * b)
                d_given[t, j, lane] = dc * g * i * (one - i)
                d_given[t, n + j, lane] = dc * c[t, j, lane] * f * (one - f)
                d_given[t, 2 * n + j, lane] = dc * i * (one - g * g)
                d_given[t, 3 * n + j, lane] = dh * b * o * (one - o)
                d_c[j, lane] = dc * f
                d_h[j, lane] = one - one
        for r in range(4 * n):
            for lane in range(lanes):
                d_inner[t, r, lane] = d_given[t, r, lane] * scale[t, r, lane]
        _products_back(u, d_inner, t, d_h)


@kernel
def gru_forward(given, u, k, inner, gates, h):
    """``inner`` starts as the recurrent biases and becomes u h + b_u."""
    steps, lanes, n = given.shape[0], given.shape[2], u.shape[1]
    one = k[0]
    for t in range(steps):
        _products(u, h, t, inner)
        for r in range(2 * n):
            for lane in range(lanes):
                gates[t, r, lane] = _logistic(given[t, r, lane] + inner[t, r, lane], k)
        for j in range(n):
            for lane in range(lanes):
                gates[t, 2 * n + j, lane] = _tanh(given[t, 2 * n + j, lane] + gates[t, j, lane] * inner[t, 2 * n + j, lane], k)
            for lane in range(lanes):
                z = gates[t, n + j, lane]
                h[t + 1, j, lane] = (one - z) * gates[t, 2 * n + j, lane] + z * h[t, j, lane]


@kernel
def gru_backward(slope, u, k, inner, gates, h, d_given, d_inner, d_h):
    """As `lstm_backward`."""
    steps, lanes, n = slope.shape[0], slope.shape[2], u.shape[1]
    one = k[0]
    for t in range(steps - 1, -1, -1):
        for j in range(n):
            for lane in range(lanes):
                r, z, v = gates[t, j, lane], gates[t, n + j, lane], gates[t, 2 * n + j, lane]
                dh = slope[t, j, lane] + d_h[j, lane]
                dv = dh * (one - z) * (one - v * v)
                dr = dv * inner[t, 2 * n + j, lane] * r * (one - r)
                dz = dh * (h[t, j, lane] - v) * z * (one - z)
                d_given[t, j, lane], d_given[t, n + j, lane], d_given[t, 2 * n + j, lane] = dr, dz, dv
                d_inner[t, j, lane], d_inner[t, n + j, lane], d_inner[t, 2 * n + j, lane] = dr, dz, dv * r
                d_h[j, lane] = dh * z
        _products_back(u, d_inner, t, d_h)


def _numpy(tensor) -> np.ndarray:
    return np.ascontiguousarray(tensor.detach().cpu().numpy())


def _outer(d_inner: np.ndarray, h: np.ndarray) -> np.ndarray:
    """Slope of a matrix: sums over lanes, then over steps; a tenth of the time of one product over both, which has to turn the arrays first."""
    return np.matmul(d_inner, h.transpose(0, 2, 1)).sum(axis=0)


def _total(values: np.ndarray) -> np.ndarray:
    """Sums over lanes and steps."""
    return np.matmul(values, np.ones(values.shape[2], values.dtype)).sum(axis=0)


class _ModulatedLstm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, s, rows, w, b, u, h0, c0):
        x, s, rows, w, b, u = (_numpy(one) for one in (x, s, rows, w, b, u))
        steps, lanes, n, kind = len(x), x.shape[1], u.shape[1], x.dtype
        k = _CONSTANTS.astype(kind)
        given, scale, gates = (np.empty((steps, 4 * n, lanes), kind) for _ in range(3))
        inner, bent = np.zeros_like(given), np.empty((steps, n, lanes), kind)
        h, c = np.empty((steps + 1, n, lanes), kind), np.empty((steps + 1, n, lanes), kind)
        h[0], c[0] = _numpy(h0), _numpy(c0)
        modulate(x, s, rows, w, b, k, given, scale)
        lstm_forward(given, scale, u, k, inner, gates, h, c, bent)
        ctx.kept = (x, s, rows, w, u, k, scale, inner, gates, h, c, bent)
        last = torch.from_numpy(c[-1]).to(h0)
        ctx.mark_non_differentiable(last)
        return torch.from_numpy(h[1:]).to(h0), last

    @staticmethod
    def backward(ctx, slope, _):
        """With a the slope of what reaches the gates, a = dE / d((1 + W s) w x + b + V s + (1 + U s) u h): sums of products of a, a x and a u h with s and h."""
        x, s, rows, w, u, k, scale, inner, gates, h, c, bent = ctx.kept
        d_given, d_inner = np.empty_like(gates), np.empty_like(gates)
        lstm_backward(_numpy(slope), scale, u, k, gates, c, bent, d_given, d_inner, np.zeros_like(h[0]), np.zeros_like(h[0]))
        heard, answered = d_given * x[:, None], d_given * inner
        by_w, by_u, by_b = rows.reshape(3, len(w), -1)
        with_x, with_u, with_b = (_outer(one, s) for one in (heard, answered, d_given))
        d_s = np.matmul((by_w * w[:, None]).T, heard) + np.matmul(by_u.T, answered) + np.matmul(by_b.T, d_given)
        d_rows = np.concatenate([w[:, None] * with_x, with_u, with_b])
        d_w = _total(heard) + np.sum(by_w * with_x, axis=1)
        found = (d_s, d_rows, d_w, _total(d_given), _outer(d_inner, h[:-1]))
        return (None, *(torch.from_numpy(one).to(slope) for one in found), None, None)


class _Gru(torch.autograd.Function):
    @staticmethod
    def forward(ctx, given, u, b_u, h0):
        a, w = _numpy(given), _numpy(u)
        steps, rows, lanes = a.shape
        k = _CONSTANTS.astype(a.dtype)
        inner, gates = np.empty_like(a), np.empty_like(a)
        inner[...] = _numpy(b_u)[:, None]
        h = np.empty((steps + 1, rows // 3, lanes), a.dtype)
        h[0] = _numpy(h0)
        gru_forward(a, w, k, inner, gates, h)
        ctx.kept = (w, k, inner, gates, h)
        return torch.from_numpy(h[1:]).to(given)

    @staticmethod
    def backward(ctx, slope):
        w, k, inner, gates, h = ctx.kept
        d_given, d_inner = np.empty_like(gates), np.empty_like(gates)
        gru_backward(_numpy(slope), w, k, inner, gates, h, d_given, d_inner, np.zeros_like(h[0]))
        return (*(torch.from_numpy(one).to(slope) for one in (d_given, _outer(d_inner, h[:-1]), _total(d_inner))), None)


def modulated_lstm(x, s, rows, w, b, u, h, c):
    """An LSTM whose gates hear (1 + W s) w x + b + V s + (1 + U s) (u h), all factors row by row: Ha et al. 2017, appendix A.2.3.

    Parameters
    ----------
    x : tensor, shape (n_steps, n_lanes)
        Has no slope.
    s : tensor, shape (n_steps, n_side, n_lanes)
        What the small LSTM says.
    rows : tensor, shape (3 * 4 n_units, n_side)
        W, U and V.
    w, b : tensor, shape (4 n_units,)
    u : tensor, shape (4 n_units, n_units)
    h, c : tensor, shape (n_units, n_lanes)
        Before the first step; no slope goes back to them (truncated backpropagation).

    Returns
    -------
    h : tensor, shape (n_steps, n_units, n_lanes)
        Of every step.
    c : tensor, shape (n_units, n_lanes)
        After the last one, without slope.
    """
    return _ModulatedLstm.apply(x, s, rows, w, b, u, h, c)


def gru(given, u, b_u, h):
    """A GRU; ``given`` (n_steps, 3 n_units, n_lanes) is what reaches its gates from outside, ``b_u`` (3 n_units,) the biases of its recurrent products."""
    return _Gru.apply(given, u, b_u, h)
