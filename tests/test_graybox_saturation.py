"""tanh and log cosh by rows: against higher precision, wherever a number stands, exactly nothing at rest."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from graybox.curves import TanhSum
from graybox.means import mean_jet, mean_value
from graybox.saturation import WIDTH, padded, squash_row, squash_row_and_area, squashed


def values(rng):
    return np.concatenate([rng.uniform(-3.0, 3.0, 300), np.exp(rng.uniform(-30.0, 6.0, 300)), [0.0, -0.0, 20.0, -20.0, 1e3, -1e3, 1e300]])


def row(x: np.ndarray) -> np.ndarray:
    z = np.zeros(padded(len(x)))
    z[:len(x)] = x
    return z


def test_rows_against_higher_precision():
    x = values(np.random.default_rng(0))
    z, both = row(x), row(x)
    area = np.empty(len(both))
    squash_row(z)
    squash_row_and_area(both, area)
    with mpmath.workdps(40):
        tanh = np.array([float(mpmath.tanh(v)) for v in x])
        small = np.abs(x) < 1e3
        log_cosh = np.array([float(mpmath.log(mpmath.cosh(v))) for v in x[small]])
    assert np.abs(z[:len(x)] - tanh).max() < 4e-16 and np.array_equal(z, both)
    assert np.abs(area[:len(x)][small] - log_cosh).max() < 2e-13 and np.abs(area[:600][:300] - log_cosh[:300]).max() < 1e-15
    assert area[len(x) - 1] == pytest.approx(1e300)


def test_a_number_comes_out_the_same_wherever_it_stands():
    x = values(np.random.default_rng(1))
    whole = row(x)
    squash_row(whole)
    for shift in range(1, WIDTH):
        moved = row(x[shift:])
        squash_row(moved)
        assert np.array_equal(moved[:len(x) - shift], whole[shift:len(x)])
    assert np.array_equal(squashed(x[:5])[:5], whole[:5])
    assert padded(0) == 0 and padded(1) == WIDTH == padded(WIDTH) and padded(WIDTH + 1) == 2 * WIDTH


def test_a_sum_of_tanh_is_silent_at_rest_and_its_mean_is_that_of_its_values():
    curve = TanhSum((0.7, -0.2, 1.3), (9.0, 0.1, 2.0), (0.3, -1.7, 0.9))
    silence = np.zeros(7)
    assert not curve.value(silence).any() and not mean_value(curve, silence).any()
    x = np.cumsum(np.random.default_rng(2).standard_normal(400)) * 0.05
    points, shares = np.polynomial.legendre.leggauss(24)
    wanted = sum(0.5 * share * curve.value(x[:-1] + 0.5 * (1.0 + point) * np.diff(x)) for point, share in zip(points, shares))
    assert np.abs(mean_value(curve, x) - wanted).max() < 5e-11
    y, late, early, own = mean_jet(curve, x)
    assert np.array_equal(y, mean_value(curve, x)) and own.shape == (399, 10)
    h = 1e-5
    for slopes, moved in ((late, np.array([0.0, 1.0])), (early, np.array([1.0, 0.0]))):
        for t in range(0, 399, 40):
            pair = x[t:t + 2]
            slope = (mean_value(curve, pair + h * moved)[0] - mean_value(curve, pair - h * moved)[0]) / (2.0 * h)
            assert slopes[t] == pytest.approx(slope, abs=1e-6)
