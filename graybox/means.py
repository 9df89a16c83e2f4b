"""The mean of a curve on the straight line between two samples: antialiasing of the first order, with its derivatives.

Between two samples the input is taken as a straight line and the output as its mean, (F(x1) - F(x0)) / (x1 - x0) with an
antiderivative F: mirror frequencies of a hard curve sink by 10 dB and more, at the price of half a sample of delay and a factor
cos(w / 2). Where a fit hears the curve that way, filters beside it take both into account.

References
----------
Parker, Zavalishin, Le Bivic, "Reducing the aliasing of nonlinear waveshaping using continuous-time convolution", DAFx 2016,
eq. 10 and 11.
"""

from __future__ import annotations

import numpy as np

from circuits.kernels.jit import kernel
from graybox.curves import TanhSum
from graybox.saturation import padded, squash_row, squash_row_and_area, squashed

CLOSE = 1e-6  # inputs nearer than this: the value between them, not a quotient of rounding errors
FAR = 1e-2  # of a unit's tanh: below it the quotient of two differences loses digits
_POINTS, _SHARES = np.polynomial.legendre.leggauss(8)
_POINTS, _SHARES = 0.5 * (1.0 + _POINTS), 0.5 * _SHARES  # on 0..1


def mean_value(curve, line: np.ndarray) -> np.ndarray:
    """Mean of a curve between each two neighbours of ``line`` (n_samples + 1,); (n_samples,).

    In closed form for a tanh sum, over eight points of Gauss and Legendre for any other curve.
    """
    if isinstance(curve, TanhSum):
        y = np.empty(len(line) - 1)
        _mean_tanh_sum(line, np.array(curve.weight), np.array(curve.gain), np.array(curve.shift), curve.offset, y)
        return y
    before, gap = line[:-1], np.diff(line)
    return sum(share * curve.value(before + point * gap) for point, share in zip(_POINTS, _SHARES))


def mean_by_integral(curve, line: np.ndarray) -> np.ndarray:
    """The same by the curve's antiderivative (which it must have), and the value in the middle where two samples lie too close."""
    whole, gap = curve.integral(line), np.diff(line)
    near = np.abs(gap) <= CLOSE
    y = np.diff(whole) / np.where(near, 1.0, gap)
    y[near] = curve.value(0.5 * (line[1:] + line[:-1])[near])
    return y


def mean_jet(curve, line: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean as in `mean_value`, its slopes for the later and the earlier sample, and its derivatives for the curve's numbers."""
    n = len(line) - 1
    if isinstance(curve, TanhSum):
        y, late, early = np.empty(n), np.empty(n), np.empty(n)
        own = np.empty((n, 1 + 3 * len(curve.weight)))
        _jet_tanh_sum(line, np.array(curve.weight), np.array(curve.gain), np.array(curve.shift), curve.offset, y, late, early, own)
        return y, late, early, own
    total = None
    for point, share in zip(_POINTS, _SHARES):
        y, slope, own = curve.jet(line[:-1] + point * np.diff(line))
        part = share * y, share * point * slope, share * (1.0 - point) * slope, share * own
        total = part if total is None else tuple(a + b for a, b in zip(total, part))
    return total


@kernel
def _jet_tanh_sum(line, weight, gain, shift, offset, y, late, early, own):
    """Columns of ``own``: offset, all weights, all gains, all shifts."""
    n, h = y.shape[0], weight.shape[0]
    tanh, middle = np.zeros(padded(n + 1)), np.zeros(padded(n))
    area = np.empty(len(tanh))
    rests = squashed(shift)
    y[:] = offset
    late[:] = 0.0
    early[:] = 0.0
    own[:, 0] = 1.0
    for i in range(h):
        w, g, rest = weight[i], gain[i], rests[i]
        _unit(line, g, shift[i], tanh, area, middle)
        for t in range(n):
            gap, m = g * (line[t + 1] - line[t]), middle[t]
            far = abs(gap) > FAR
            share = 1.0 / (gap if far else 1.0)
            d1 = 1.0 - m * m
            half = 0.5 * d1 + d1 * (6.0 * m * m - 2.0) * gap * gap / 48.0
            skew = -2.0 * m * d1 * gap / 12.0
            mean = _mean(gap, area[t], area[t + 1], m)
            a = (tanh[t + 1] - mean) * share if far else half + skew
            b = (mean - tanh[t]) * share if far else half - skew
            y[t] += w * (mean - rest)
            late[t] += w * g * a
            early[t] += w * g * b
            own[t, 1 + i] = mean - rest
            own[t, 1 + h + i] = w * (a * line[t + 1] + b * line[t])
            own[t, 1 + 2 * h + i] = w * (a + b - (1.0 - rest * rest))


@kernel
def _mean_tanh_sum(line, weight, gain, shift, offset, y):
    """The value of `_jet_tanh_sum` alone, by the same operations."""
    n = y.shape[0]
    tanh, middle = np.zeros(padded(n + 1)), np.zeros(padded(n))
    area = np.empty(len(tanh))
    rests = squashed(shift)
    y[:] = offset
    for i in range(weight.shape[0]):
        w, g, rest = weight[i], gain[i], rests[i]
        _unit(line, g, shift[i], tanh, area, middle)
        for t in range(n):
            y[t] += w * (_mean(g * (line[t + 1] - line[t]), area[t], area[t + 1], middle[t]) - rest)


@kernel(bare=True)
def _mean(gap, before, after, middle):
    """Mean of tanh over ``gap``: of its integral's values at both ends, or by Taylor's series about the middle, to 5e-11 (the slopes to 1e-8)."""
    far = abs(gap) > FAR
    quotient = (after - before) / (gap if far else 1.0)
    return quotient if far else middle - 2.0 * middle * (1.0 - middle * middle) * gap * gap / 24.0


@kernel
def _unit(line, gain, shift, tanh, area, middle):
    """tanh and log cosh of one unit at every sample, tanh in the middle between each two."""
    n = line.shape[0]
    for t in range(n):
        tanh[t] = gain * line[t] + shift
    for t in range(n - 1):
        middle[t] = tanh[t + 1] - 0.5 * (gain * (line[t + 1] - line[t]))
    squash_row_and_area(tanh, area)
    squash_row(middle)
