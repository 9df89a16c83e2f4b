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
from graybox.laws import log_cosh, squash

CLOSE = 1e-6  # inputs nearer than this: the value between them, not a quotient of rounding errors
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
    h = weight.shape[0]
    rest = np.empty(h)
    tanh, area = np.empty(h), np.empty(h)  # of the sample before
    base = offset
    for i in range(h):
        rest[i] = squash(shift[i])
        base -= weight[i] * rest[i]
        tanh[i] = squash(gain[i] * line[0] + shift[i])
        area[i] = log_cosh(gain[i] * line[0] + shift[i])
    for t in range(y.shape[0]):
        before = line[t]
        now = line[t + 1]
        total = base
        up = 0.0
        down = 0.0
        own[t, 0] = 1.0
        for i in range(h):
            z = gain[i] * now + shift[i]
            gap = gain[i] * (now - before)
            tanh_now = squash(z)
            area_now = log_cosh(z)
            if abs(gap) > 1e-2:
                mean = (area_now - area[i]) / gap
                a = (tanh_now - mean) / gap
                b = (mean - tanh[i]) / gap
            else:  # Taylor's series about the middle, to 1e-11 of the value and 1e-8 of the slopes
                m = squash(z - 0.5 * gap)
                d1 = 1.0 - m * m
                d2 = -2.0 * m * d1
                d3 = d1 * (6.0 * m * m - 2.0)
                mean = m + d2 * gap * gap / 24.0
                half = 0.5 * d1 + d3 * gap * gap / 48.0
                a = half + d2 * gap / 12.0
                b = half - d2 * gap / 12.0
            tanh[i] = tanh_now
            area[i] = area_now
            w = weight[i]
            total += w * mean
            up += w * gain[i] * a
            down += w * gain[i] * b
            own[t, 1 + i] = mean - rest[i]
            own[t, 1 + h + i] = w * (a * now + b * before)
            own[t, 1 + 2 * h + i] = w * (a + b - (1.0 - rest[i] * rest[i]))
        y[t] = total
        late[t] = up
        early[t] = down


@kernel
def _mean_tanh_sum(line, weight, gain, shift, offset, y):
    """The value of `_jet_tanh_sum` alone, by the same operations."""
    h = weight.shape[0]
    area = np.empty(h)
    base = offset
    for i in range(h):
        base -= weight[i] * squash(shift[i])
        area[i] = log_cosh(gain[i] * line[0] + shift[i])
    for t in range(y.shape[0]):
        total = base
        for i in range(h):
            z = gain[i] * line[t + 1] + shift[i]
            gap = gain[i] * (line[t + 1] - line[t])
            area_now = log_cosh(z)
            if abs(gap) > 1e-2:
                mean = (area_now - area[i]) / gap
            else:
                m = squash(z - 0.5 * gap)
                mean = m - 2.0 * m * (1.0 - m * m) * gap * gap / 24.0
            area[i] = area_now
            total += weight[i] * mean
        y[t] = total
