"""Static curves as compiled laws: value, slope and the derivatives for every parameter, in one pass over the samples.

Conventions: ``x`` is (n_samples,); ``theta`` the flat parameters; ``y`` and ``slope`` are written, ``own`` receives
dy/dtheta, shape (n_samples, n_parameters). ``integral_...`` writes an antiderivative (any constant).
"""

from __future__ import annotations

import math

import numpy as np

from circuits.kernels.jit import kernel
from graybox.saturation import padded, squash_row, squash_row_and_area, squashed


@kernel
def squash(x):
    """tanh by one exponential: absolute error below 3e-16, half the time of the library's."""
    e = math.exp(-2.0 * abs(x))
    r = (1.0 - e) / (1.0 + e)
    return r if x >= 0.0 else -r


@kernel
def log_cosh(x):
    """log cosh x without overflow."""
    r = abs(x)
    return r + math.log1p(math.exp(-2.0 * r)) - 0.6931471805599453


@kernel
def value_tanh_sum(x, weight, gain, shift, offset):
    """offset + sum of weight (tanh(gain x + shift) - tanh(shift))."""
    n, h = x.shape[0], weight.shape[0]
    z = np.zeros(padded(n))
    rest = squashed(shift)
    y = np.empty(n)
    y[:] = offset
    for i in range(h):
        for t in range(n):
            z[t] = gain[i] * x[t] + shift[i]
        squash_row(z)
        for t in range(n):
            y[t] += weight[i] * (z[t] - rest[i])
    return y


@kernel
def jet_tanh_sum(x, weight, gain, shift, offset, y, slope, own):
    """Columns of ``own``: offset, all weights, all gains, all shifts."""
    n, h = x.shape[0], weight.shape[0]
    z = np.zeros(padded(n))
    rest = squashed(shift)
    y[:] = offset
    slope[:] = 0.0
    own[:, 0] = 1.0
    for i in range(h):
        for t in range(n):
            z[t] = gain[i] * x[t] + shift[i]
        squash_row(z)
        for t in range(n):
            d = weight[i] * (1.0 - z[t] * z[t])
            y[t] += weight[i] * (z[t] - rest[i])
            slope[t] += d * gain[i]
            own[t, 1 + i] = z[t] - rest[i]
            own[t, 1 + h + i] = d * x[t]
            own[t, 1 + 2 * h + i] = d - weight[i] * (1.0 - rest[i] * rest[i])


@kernel
def integral_tanh_sum(x, weight, gain, shift, offset):
    """Antiderivative of `value_tanh_sum`; a unit of zero gain contributes nothing."""
    n = x.shape[0]
    out = offset * x
    z = np.zeros(padded(n))
    area = np.empty(len(z))
    rest = squashed(shift)
    for i in range(weight.shape[0]):
        if gain[i] != 0.0:
            for t in range(n):
                z[t] = gain[i] * x[t] + shift[i]
            squash_row_and_area(z, area)
            for t in range(n):
                out[t] += weight[i] * (area[t] / gain[i] - x[t] * rest[i])
    return out


@kernel
def value_softclip(x, positive, negative):
    """Asymmetric soft clip: L tanh(x / L) with one limit L for each sign."""
    y = np.empty(x.shape[0])
    for t in range(x.shape[0]):
        limit = positive if x[t] >= 0.0 else negative
        y[t] = limit * squash(x[t] / limit)
    return y


@kernel
def jet_softclip(x, positive, negative, y, slope, own):
    """Columns of ``own``: positive, negative limit."""
    for t in range(x.shape[0]):
        limit = positive if x[t] >= 0.0 else negative
        q = x[t] / limit
        z = squash(q)
        y[t] = limit * z
        slope[t] = 1.0 - z * z
        d = z - q * (1.0 - z * z)
        own[t, 0] = d if x[t] >= 0.0 else 0.0
        own[t, 1] = 0.0 if x[t] >= 0.0 else d


@kernel
def integral_softclip(x, positive, negative):
    """Antiderivative of `value_softclip`: L^2 log cosh(x / L)."""
    out = np.empty(x.shape[0])
    for t in range(x.shape[0]):
        limit = positive if x[t] >= 0.0 else negative
        out[t] = limit * limit * log_cosh(x[t] / limit)
    return out


@kernel
def jet_polynomial(x, c, scale, y, slope, own):
    """Sum of c[k] (x / scale)^k; columns of ``own``: c."""
    for t in range(x.shape[0]):
        q = x[t] / scale
        power = 1.0
        total = 0.0
        steep = 0.0
        for k in range(c.shape[0]):
            own[t, k] = power
            total += c[k] * power
            if k + 1 < c.shape[0]:
                steep += (k + 1) * c[k + 1] * power
            power *= q
        y[t] = total
        slope[t] = steep / scale


@kernel
def integral_polynomial(x, c, scale):
    """Antiderivative of the polynomial."""
    out = np.empty(x.shape[0])
    for t in range(x.shape[0]):
        q = x[t] / scale
        total = 0.0
        for k in range(c.shape[0] - 1, -1, -1):
            total = (total + c[k] / (k + 1)) * q
        out[t] = total * scale
    return out


@kernel
def jet_rational(x, c, d, scale, y, slope, own):
    """Numerator c over 1 + sum of d[k] q^(2 k + 2), q = x / scale; columns of ``own``: c, then d."""
    m, r = c.shape[0], d.shape[0]
    for t in range(x.shape[0]):
        q = x[t] / scale
        top = 0.0
        dtop = 0.0
        power = 1.0
        for k in range(m):
            own[t, k] = power
            top += c[k] * power
            if k + 1 < m:
                dtop += (k + 1) * c[k + 1] * power
            power *= q
        bottom = 1.0
        dbottom = 0.0
        power = q
        for k in range(r):
            dbottom += d[k] * (2 * k + 2) * power
            power *= q
            bottom += d[k] * power
            own[t, m + k] = power
            power *= q
        value = top / bottom
        for k in range(m):
            own[t, k] /= bottom
        for k in range(r):
            own[t, m + k] *= -value / bottom
        y[t] = value
        slope[t] = (dtop - value * dbottom) / (bottom * scale)


@kernel
def jet_spline(x, low, high, c, y, slope, own):
    """Uniform cubic B-spline with ``len(c)`` coefficients on low..high, continued straight; columns of ``own``: c."""
    cells = c.shape[0] - 3
    step = (high - low) / cells
    for t in range(x.shape[0]):
        inside = min(max(x[t], low), high)
        place = (inside - low) / step
        cell = min(int(place), cells - 1)
        f = place - cell
        g = 1.0 - f
        w0 = g * g * g / 6.0
        w1 = (3.0 * f * f * f - 6.0 * f * f + 4.0) / 6.0
        w3 = f * f * f / 6.0
        w2 = 1.0 - w0 - w1 - w3
        d0 = -0.5 * g * g / step
        d3 = 0.5 * f * f / step
        d1 = (1.5 * f * f - 2.0 * f) / step
        d2 = -(d0 + d1 + d3)
        beyond = x[t] - inside
        for k in range(own.shape[1]):
            own[t, k] = 0.0
        if own.shape[1] > 0:
            own[t, cell] = w0 + beyond * d0
            own[t, cell + 1] = w1 + beyond * d1
            own[t, cell + 2] = w2 + beyond * d2
            own[t, cell + 3] = w3 + beyond * d3
        steep = d0 * c[cell] + d1 * c[cell + 1] + d2 * c[cell + 2] + d3 * c[cell + 3]
        y[t] = w0 * c[cell] + w1 * c[cell + 1] + w2 * c[cell + 2] + w3 * c[cell + 3] + beyond * steep
        slope[t] = steep


@kernel
def integral_spline(x, low, high, c, starts):
    """Antiderivative of the spline; ``starts`` (cells + 1,) holds it at the cell borders."""
    cells = c.shape[0] - 3
    step = (high - low) / cells
    out = np.empty(x.shape[0])
    for t in range(x.shape[0]):
        inside = min(max(x[t], low), high)
        place = (inside - low) / step
        cell = min(int(place), cells - 1)
        f = place - cell
        c0, c1, c2, c3 = c[cell], c[cell + 1], c[cell + 2], c[cell + 3]
        p0 = (c0 + 4.0 * c1 + c2) / 6.0
        p1 = (c2 - c0) / 2.0
        p2 = (c0 - 2.0 * c1 + c2) / 2.0
        p3 = (c3 - c0 + 3.0 * (c1 - c2)) / 6.0
        value = starts[cell] + step * f * (p0 + f * (p1 / 2.0 + f * (p2 / 3.0 + f * p3 / 4.0)))
        beyond = x[t] - inside
        edge = p0 + f * (p1 + f * (p2 + f * p3))
        steep = (p1 + f * (2.0 * p2 + 3.0 * f * p3)) / step
        out[t] = value + beyond * edge + 0.5 * beyond * beyond * steep
    return out


@kernel
def solve_diode(x, limit, volts):
    """y with y + limit sinh(y / volts) = x, by Newton from the outer asymptote; returns (y, dy/dx)."""
    r = abs(x)
    y = min(r, volts * math.asinh(r / limit))
    for _ in range(60):
        s = limit * math.sinh(y / volts)
        c = limit / volts * math.cosh(y / volts)
        step = (y + s - r) / (1.0 + c)
        y -= step
        if abs(step) <= 1e-15 * volts + 4e-16 * abs(y):
            break
    steep = 1.0 / (1.0 + limit / volts * math.cosh(y / volts))
    return (y if x >= 0.0 else -y), steep


@kernel
def jet_diode(x, limit, volts, gain, y, slope, own):
    """gain times the diode pair's voltage; columns of ``own``: limit (R Is x 2, volts), volts (n Vt), gain."""
    for t in range(x.shape[0]):
        v, steep = solve_diode(x[t], limit, volts)
        q = v / volts
        y[t] = gain * v
        slope[t] = gain * steep
        own[t, 0] = -gain * math.sinh(q) * steep
        own[t, 1] = gain * limit * math.cosh(q) * q / volts * steep
        own[t, 2] = v


@kernel
def integral_diode(x, limit, volts, gain):
    """Integral of an inverse function: x y - y^2 / 2 - limit volts cosh(y / volts)."""
    out = np.empty(x.shape[0])
    for t in range(x.shape[0]):
        v, _ = solve_diode(x[t], limit, volts)
        out[t] = gain * (x[t] * v - 0.5 * v * v - limit * volts * math.cosh(v / volts))
    return out
