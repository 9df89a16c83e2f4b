"""First looks at a device: linear approximation, distortion levels, rational fit, sweeps, memory, baselines."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import freqz, lfilter

from circuits.errors import FitError
from graybox.allocate import cascade_of, divisions, groups
from graybox.baselines import memory_polynomial, volterra
from graybox.filters import Cascade, bank_at
from graybox.identify import (distortion_levels, linear_approximation, multisine_response, odd_multisine, rational_fit)
from graybox.questions import input_output_scatter, memory_length
from graybox.sweeps import hammerstein_kernels, play_kernels, synchronised_sweep

RATE = 48000.0
B, A = [0.3, -0.2, 0.25], [1.0, -1.2, 0.7]


def test_linear_approximation_of_a_filter_and_its_noise():
    rng = np.random.default_rng(1)
    x = rng.standard_normal(200_000)
    clean = lfilter(B, A, x)
    bla = linear_approximation(x, clean + 0.1 * rng.standard_normal(len(x)), RATE, segment=1024)
    truth = freqz(B, A, bla.frequencies, fs=RATE)[1]
    share = np.abs(bla.response - truth) / bla.deviation
    assert 0.8 < np.sqrt(np.mean(share**2) / 2.0) < 1.25  # real and imaginary part each have the deviation
    expected = np.abs(truth) ** 2 / (np.abs(truth) ** 2 + 0.01)
    spread = np.sqrt(2.0 * expected * (1.0 - expected) ** 2 / (0.947 * (2 * len(x) / 1024 - 1)))  # Bendat and Piersol, 9.81
    assert 0.7 < np.sqrt(np.mean(((bla.coherence - expected) / spread) ** 2)) < 1.3
    with pytest.raises(FitError, match="four segments of 2048"):
        linear_approximation(x[:4000], clean[:4000], RATE)


def test_distortion_levels_against_a_polynomial():
    """x + c2 x^2 + c3 x^3 with noise: the shares follow from the moments of the multisine itself."""
    rng = np.random.default_rng(2)
    sine = odd_multisine(8192, RATE, rng, rms=0.2)
    x = sine.period

    def shares(c2, c3, noise):
        y = x + c2 * x**2 + c3 * x**3
        periods = np.tile(y, (6, 1)) + noise * rng.standard_normal((6, len(y)))
        return distortion_levels(periods, sine)

    pure = shares(0.0, 0.0, 0.0)
    assert pure.linear == pytest.approx(1.0, abs=1e-12) and np.allclose(pure.response, 1.0)
    even = shares(0.5, 0.0, 0.0)  # all but the line at Nyquist, one of 4096
    y2 = 0.5 * (x**2 - np.mean(x**2))
    assert even.even == pytest.approx(np.sum(y2**2) / np.sum((x + y2) ** 2), rel=1e-4) and even.odd < 1e-12
    odd = shares(0.0, 2.0, 0.0)
    slope = 1.0 + 2.0 * np.sum(x**4) / np.sum(x**2)  # Bussgang
    rest = x + 2.0 * x**3 - slope * x
    assert odd.odd == pytest.approx(np.sum(rest**2) / np.sum((x + 2.0 * x**3) ** 2), rel=0.15) and odd.even < 1e-12
    noisy = shares(0.0, 0.0, 0.02)
    assert noisy.noise == pytest.approx(0.01 / 1.01, rel=0.05)
    filtered = multisine_response(lambda s: lfilter(B, A, s), sine)
    assert np.allclose(filtered.response, freqz(B, A, filtered.frequencies, fs=RATE)[1], rtol=1e-8)
    with pytest.raises(FitError, match="two or more periods"):
        distortion_levels(x[None, :], sine)


def test_rational_fit_finds_the_poles_and_zeros():
    f = np.linspace(50.0, 20000.0, 400)
    h = freqz(np.convolve(B, [1.0, 0.4]), np.convolve(A, [1.0, -0.95]), f, fs=RATE)[1]
    found = rational_fit(f, h, RATE, 3, 3)
    assert np.allclose(np.sort_complex(found.poles), np.sort_complex(np.roots(np.convolve(A, [1.0, -0.95]))), atol=1e-6)
    assert np.allclose(np.sort_complex(found.zeros), np.sort_complex(np.roots(np.convolve(B, [1.0, 0.4]))), atol=1e-6)
    assert found.gain == pytest.approx(0.3, rel=1e-6)
    assert np.allclose(found.response(f, RATE), h)
    cascade = cascade_of(groups(found.zeros), groups(found.poles), 2)
    assert np.allclose(found.gain * cascade.response(f, RATE), h)


def test_the_true_division_has_the_smallest_error():
    x = np.random.default_rng(3).standard_normal(6000)
    front, back = Cascade((0.9,), (0.5,), (-0.8,), (0.6,)), Cascade((-0.4,), (0.8,), (-0.3,), (0.3,))
    y = back.run(np.tanh(0.5 * front.run(x, front.rest())), back.rest())
    whole = Cascade(front.b1 + back.b1, front.b2 + back.b2, front.k1 + back.k1, front.k2 + back.k2)
    b, a = whole.polynomials

    class Rational:
        zeros = np.concatenate([np.roots(row) for row in b])
        poles = np.concatenate([np.roots(row) for row in a])

    found = divisions(Rational, x, y, front_sections=1, back_sections=1)
    assert len(found) == 4  # one group of poles on each side, either way, and the zeros as well
    assert found[0].error < 3e-3 and 5.0 * found[0].error < found[1].error  # ten cells of a spline, not the true curve
    assert np.allclose(found[0].front.k2, front.k2, atol=1e-9)


def test_fixed_poles_sit_where_they_were_asked():
    f = np.array([100.0, 400.0, 2000.0, 9000.0])
    bank = bank_at(f, RATE)
    poles = [np.roots([1.0, k1 * (1.0 + k2), k2])[0] for k1, k2 in zip(bank.k1, bank.k2)]
    assert np.allclose(np.abs(np.angle(poles)) * RATE / 2.0 / np.pi, f, rtol=1e-9)
    with pytest.raises(FitError, match="between 0 and 24000"):
        bank_at([100.0, 30000.0], RATE)


def test_swept_sine_finds_the_hammerstein_filters():
    def device(x):
        return lfilter([0.5], [1.0, -0.5], x) + lfilter([0.1, 0.05], [1.0, -0.3], x**2) - lfilter([0.2], [1.0, 0.2], x**3)

    sweep = synchronised_sweep(20.0, 6000.0, 6.0, RATE)
    out = np.concatenate([device(sweep.samples), np.zeros(4000)])
    kernels = hammerstein_kernels(sweep, out, order=3, length=4096)
    inside = (kernels.frequencies > 200.0) & (kernels.frequencies < 5000.0)
    f = kernels.frequencies[inside]
    for row, (b, a) in zip(kernels.powers, (([0.5], [1.0, -0.5]), ([0.1, 0.05], [1.0, -0.3]), ([-0.2], [1.0, 0.2]))):
        truth = freqz(b, a, f, fs=RATE)[1]
        assert np.sqrt(np.mean(np.abs(row[inside] - truth) ** 2) / np.mean(np.abs(truth) ** 2)) < 0.02
    t = np.arange(20000) / RATE
    x = 0.4 * np.sin(2 * np.pi * 440.0 * t) + 0.3 * np.sin(2 * np.pi * 1310.0 * t)
    y, model = device(x)[4000:-4000], play_kernels(kernels, x)[4000:-4000]
    y, model = y - y.mean(), model - model.mean()  # a sweep does not excite zero frequency
    assert np.sum((model - y) ** 2) / np.sum(y**2) < 1e-3
    with pytest.raises(FitError, match="samples apart"):
        hammerstein_kernels(synchronised_sweep(20.0, 6000.0, 0.2, RATE), out, order=9, length=4096)


def test_is_it_static_and_how_long_is_its_memory():
    rng = np.random.default_rng(4)
    x = 0.5 * rng.standard_normal(40_000)
    assert input_output_scatter(x, np.tanh(3.0 * x)).thickness < 1e-4
    assert input_output_scatter(x, lfilter([0.5], [1.0, -0.5], x)).thickness == pytest.approx(0.25, rel=0.1)
    slow = memory_length(lambda s: lfilter([0.01], [1.0, -0.99], s), RATE)
    tau = 1.0 / RATE / -np.log(0.99)
    assert 3.0 * tau < slow.fall < 12.0 * tau
    assert memory_length(np.tanh, RATE).fall < 2.0 / RATE and memory_length(np.tanh, RATE).rise == 0.0
    with pytest.raises(FitError, match="does not come through"):
        memory_length(np.zeros_like, RATE)


def test_baselines_reproduce_their_own_kind():
    x = np.random.default_rng(5).standard_normal(3000)
    late = np.concatenate([np.zeros(2), x[:-2]])
    y = x + 0.3 * x * late - 0.1 * late * late * x
    series = volterra(x, y, lengths=(4, 4, 3))
    assert np.allclose(series.play(x), y, atol=1e-6)
    crude = memory_polynomial(x, y, order=3, delays=4)
    assert 0.01 < np.mean((crude.play(x) - y) ** 2) / np.var(y) < 0.5  # it has no products of different delays
    with pytest.raises(FitError, match="needs .* samples"):
        volterra(x[:50], y[:50])
