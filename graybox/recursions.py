"""The recursions that run filters over audio, each with its exact derivatives, compiled.

Conventions: ``x`` is (n_samples,). A tangent matrix ``J`` is (n_samples, n_columns), row-major, one column for each
parameter met before this stage; the first ``P`` columns are pushed through the stage in place. ``own`` receives the
derivatives of the output with respect to the stage's own parameters. All states are plain arrays, changed in place.
A second-order denominator is 1 + a1 z^-1 + a2 z^-2 with a1 = k1 (1 + k2), a2 = k2 and reflection coefficients |k| < 1,
which is stable for every such k (Markel and Gray, Linear Prediction of Speech, 1976, section 5.3).
"""

from __future__ import annotations

import numpy as np

from circuits.kernels.jit import kernel

_STRETCH = 1024  # samples: they and the taps stay in the first cache


@kernel
def run_cascade(x, gain, b0, b1, b2, a1, a2, state):
    """Cascade of (b0 + b1 z^-1 + b2 z^-2) / (1 + a1 z^-1 + a2 z^-2), times a gain; ``state`` is (sections, 2)."""
    n, sections = x.shape[0], b1.shape[0]
    y = np.empty(n)
    for t in range(n):
        u = x[t]
        for s in range(sections):
            w1 = state[s, 0]
            w2 = state[s, 1]
            w = u - a1[s] * w1 - a2[s] * w2
            u = b0[s] * w + b1[s] * w1 + b2[s] * w2
            state[s, 1] = w1
            state[s, 0] = w
        y[t] = gain * u
    return y


@kernel
def _section_columns(J, P, b0, b1, b2, a1, a2, w1, w2):
    """Push the first ``P`` columns of ``J`` through one section; ``w1`` and ``w2`` are (columns,)."""
    for t in range(J.shape[0]):
        for p in range(P):
            w = J[t, p] - a1 * w1[p] - a2 * w2[p]
            J[t, p] = b0 * w + b1 * w1[p] + b2 * w2[p]
            w2[p] = w1[p]
            w1[p] = w


@kernel
def push_cascade(x, J, P, gain, b0, b1, b2, k1, k2, state, poles, tangent, inner, own):
    """`run_cascade` with derivatives; ``own`` columns: gain, then b0 b1 b2 k1 k2 of each section.

    ``poles`` is (sections, 2): output over denominator, delayed; ``tangent`` (sections, 2, columns) and ``inner``
    (sections, 2, own columns) are the filter states of the derivatives.
    """
    n, sections = x.shape[0], b1.shape[0]
    y = x.copy()
    for s in range(sections):
        a1 = k1[s] * (1.0 + k2[s])
        a2 = k2[s]
        _section_columns(J, P, b0[s], b1[s], b2[s], a1, a2, tangent[s, 0], tangent[s, 1])
        _section_columns(own, 1 + 5 * s, b0[s], b1[s], b2[s], a1, a2, inner[s, 0], inner[s, 1])
        w1 = state[s, 0]
        w2 = state[s, 1]
        v1 = poles[s, 0]
        v2 = poles[s, 1]
        first = 1 + 5 * s
        for t in range(n):
            w = y[t] - a1 * w1 - a2 * w2
            z = b0[s] * w + b1[s] * w1 + b2[s] * w2
            own[t, first] = w
            own[t, first + 1] = w1
            own[t, first + 2] = w2
            own[t, first + 3] = -(1.0 + k2[s]) * v1
            own[t, first + 4] = -k1[s] * v1 - v2
            v = z - a1 * v1 - a2 * v2
            v2 = v1
            v1 = v
            w2 = w1
            w1 = w
            y[t] = z
        state[s, 0] = w1
        state[s, 1] = w2
        poles[s, 0] = v1
        poles[s, 1] = v2
    for t in range(n):
        own[t, 0] = y[t]
        y[t] *= gain
        for p in range(1, own.shape[1]):
            own[t, p] *= gain
        for p in range(P):
            J[t, p] *= gain
    return y


@kernel
def run_bank(x, direct, b0, b1, a1, a2, state):
    """Parallel second-order sections (b0 + b1 z^-1) / (1 + a1 z^-1 + a2 z^-2) and a direct path."""
    n, sections = x.shape[0], b0.shape[0]
    y = np.empty(n)
    for t in range(n):
        u = x[t]
        total = direct * u
        for s in range(sections):
            w1 = state[s, 0]
            w = u - a1[s] * w1 - a2[s] * state[s, 1]
            total += b0[s] * w + b1[s] * w1
            state[s, 1] = w1
            state[s, 0] = w
        y[t] = total
    return y


@kernel
def push_bank(x, J, P, direct, b0, b1, k1, k2, state, poles, tangent, row, own, with_poles):
    """`run_bank` with derivatives; ``own`` columns: direct, all b0, all b1, all k1, all k2.

    ``tangent`` is (sections, 2, columns), ``row`` a scratch of (columns,).
    """
    n, sections = x.shape[0], b0.shape[0]
    y = np.empty(n)
    for t in range(n):
        u = x[t]
        own[t, 0] = u
        total = direct * u
        for s in range(sections):
            a1 = k1[s] * (1.0 + k2[s])
            a2 = k2[s]
            w1 = state[s, 0]
            w = u - a1 * w1 - a2 * state[s, 1]
            z = b0[s] * w + b1[s] * w1
            total += z
            own[t, 1 + s] = w
            own[t, 1 + sections + s] = w1
            state[s, 1] = w1
            state[s, 0] = w
            if with_poles:
                v1 = poles[s, 0]
                v2 = poles[s, 1]
                own[t, 1 + 2 * sections + s] = -(1.0 + k2[s]) * v1
                own[t, 1 + 3 * sections + s] = -k1[s] * v1 - v2
                poles[s, 0] = z - a1 * v1 - a2 * v2
                poles[s, 1] = v1
        y[t] = total
        if P > 0:
            for p in range(P):
                row[p] = direct * J[t, p]
            for s in range(sections):
                a1 = k1[s] * (1.0 + k2[s])
                a2 = k2[s]
                c0 = b0[s]
                c1 = b1[s]
                w1s = tangent[s, 0]
                w2s = tangent[s, 1]
                for p in range(P):
                    w = J[t, p] - a1 * w1s[p] - a2 * w2s[p]
                    row[p] += c0 * w + c1 * w1s[p]
                    w2s[p] = w1s[p]
                    w1s[p] = w
            for p in range(P):
                J[t, p] = row[p]
    return y


@kernel
def run_fir(x, taps, past):
    """Finite impulse response; ``past`` holds the last len(taps) - 1 inputs, newest first."""
    n, length = x.shape[0], taps.shape[0]
    y = np.empty(n)
    line = np.empty(length - 1 + n)  # what came before, then x
    for k in range(length - 1):
        line[k] = past[length - 2 - k]
    line[length - 1:] = x
    for begin in range(0, n, _STRETCH):  # tap by tap over a stretch: one vector operation each, and every sample sums in the same order
        end = min(begin + _STRETCH, n)
        total = y[begin:end]
        total[:] = 0.0
        for k in range(length):
            tap, first = taps[k], length - 1 - k + begin
            for t in range(end - begin):
                total[t] += tap * line[first + t]
    _remember(x, past)
    return y


@kernel
def _remember(x, past):
    n, m = x.shape[0], past.shape[0]
    for k in range(m - 1, -1, -1):
        past[k] = x[n - 1 - k] if n - 1 - k >= 0 else past[k - n]


@kernel
def push_fir(J, P, taps, past):
    """Push columns through a finite impulse response; ``past`` is (len(taps) - 1, columns), newest first."""
    n, length = J.shape[0], taps.shape[0]
    out = np.zeros((n, P))
    for t in range(n):
        for k in range(length):
            if t >= k:
                for p in range(P):
                    out[t, p] += taps[k] * J[t - k, p]
            else:
                for p in range(P):
                    out[t, p] += taps[k] * past[k - t - 1, p]
    m = past.shape[0]
    for k in range(m - 1, -1, -1):
        for p in range(P):
            past[k, p] = J[n - 1 - k, p] if n - 1 - k >= 0 else past[k - n, p]
    for t in range(n):
        for p in range(P):
            J[t, p] = out[t, p]


@kernel
def lags(x, past, own):
    """Write x delayed by 0, 1, ... samples into the columns of ``own``; ``past`` is not changed."""
    for t in range(x.shape[0]):
        for k in range(own.shape[1]):
            own[t, k] = x[t - k] if t >= k else past[k - t - 1]


@kernel
def run_rational(x, b, a, b_target, a_target, counter, past_x, past_y):
    """Direct form I of any order, gliding linearly from (b, a) to their targets over ``counter[0]`` samples.

    ``a`` leaves out the leading 1. Direct form I keeps signals, not internal numbers, as its state, so coefficients
    may move while it runs.
    """
    n, m = x.shape[0], a.shape[0]
    y = np.empty(n)
    for t in range(n):
        if counter[0] > 0:
            share = 1.0 / counter[0]
            for k in range(m + 1):
                b[k] += share * (b_target[k] - b[k])
            for k in range(m):
                a[k] += share * (a_target[k] - a[k])
            counter[0] -= 1
        total = b[0] * x[t]
        for k in range(m):
            total += b[k + 1] * past_x[k] - a[k] * past_y[k]
        for k in range(m - 1, 0, -1):
            past_x[k] = past_x[k - 1]
            past_y[k] = past_y[k - 1]
        past_x[0] = x[t]
        past_y[0] = total
        y[t] = total
    return y


@kernel
def push_rational(x, J, P, b, a, past_x, past_y, past_v, past_w, past_J, past_out, row, own):
    """Direct form I with derivatives; ``own`` columns: b[0..m], then a[1..m].

    ``past_v`` and ``past_w`` (m,) hold x/A and y/A; ``past_J`` and ``past_out`` are (m, columns).
    """
    n, m = x.shape[0], a.shape[0]
    y = np.empty(n)
    for t in range(n):
        total = b[0] * x[t]
        v = x[t]
        for k in range(m):
            total += b[k + 1] * past_x[k] - a[k] * past_y[k]
            v -= a[k] * past_v[k]
        own[t, 0] = v
        w = total
        for k in range(m):
            own[t, k + 1] = past_v[k]
            own[t, m + 1 + k] = -past_w[k]
            w -= a[k] * past_w[k]
        for k in range(m - 1, 0, -1):
            past_x[k] = past_x[k - 1]
            past_y[k] = past_y[k - 1]
            past_v[k] = past_v[k - 1]
            past_w[k] = past_w[k - 1]
        past_x[0] = x[t]
        past_y[0] = total
        past_v[0] = v
        past_w[0] = w
        y[t] = total
        for p in range(P):
            row[p] = b[0] * J[t, p]
        for k in range(m):
            for p in range(P):
                row[p] += b[k + 1] * past_J[k, p] - a[k] * past_out[k, p]
        for k in range(m - 1, 0, -1):
            for p in range(P):
                past_J[k, p] = past_J[k - 1, p]
                past_out[k, p] = past_out[k - 1, p]
        for p in range(P):
            past_J[0, p] = J[t, p]
            past_out[0, p] = row[p]
            J[t, p] = row[p]
    return y


@kernel
def run_lowpass(x, pole, state):
    """One-pole low-pass e += (1 - pole)(x - e) with unit gain at zero frequency."""
    n = x.shape[0]
    y = np.empty(n)
    e = state[0]
    for t in range(n):
        e += (1.0 - pole) * (x[t] - e)
        y[t] = e
    state[0] = e
    return y


@kernel
def push_lowpass(x, J, P, pole, state, slope_state, tangent, own, column):
    """`run_lowpass` with derivatives; the one with respect to the pole goes to ``own[:, column]``."""
    n = x.shape[0]
    y = np.empty(n)
    e = state[0]
    d = slope_state[0]
    for t in range(n):
        d = pole * d + e - x[t]
        e += (1.0 - pole) * (x[t] - e)
        y[t] = e
        own[t, column] = d
        for p in range(P):
            tangent[p] += (1.0 - pole) * (J[t, p] - tangent[p])
            J[t, p] = tangent[p]
    state[0] = e
    slope_state[0] = d
    return y


@kernel
def scale_columns(J, P, factor):
    """Multiply the first ``P`` columns of ``J`` by a signal, in place."""
    for t in range(J.shape[0]):
        f = factor[t]
        for p in range(P):
            J[t, p] *= f


@kernel
def add_columns(J, P, other, share):
    """Add ``share`` times the first ``P`` columns of ``other`` to those of ``J``."""
    for t in range(J.shape[0]):
        for p in range(P):
            J[t, p] += share * other[t, p]


@kernel
def blend_columns(J, P, late, early, last):
    """Each row of the first ``P`` columns becomes late * itself + early * the row before; ``last`` (columns,) is the one before all."""
    n = J.shape[0]
    kept = J[n - 1, :P].copy()
    for t in range(n - 1, 0, -1):
        a = late[t]
        b = early[t]
        for p in range(P):
            J[t, p] = a * J[t, p] + b * J[t - 1, p]
    for p in range(P):
        J[0, p] = late[0] * J[0, p] + early[0] * last[p]
        last[p] = kept[p]
