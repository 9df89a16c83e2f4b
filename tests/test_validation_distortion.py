"""Distortion figures equal what trigonometry says of polynomials, and refuse signals that can't carry them."""

import math

import numpy as np
import pytest

from circuits.errors import SignalError
from validation.distortion import (aliasing, fit_tones, harmonics, imd_ccif, imd_multitone, imd_smpte, memory_length, noise_floor, noise_floor_difference, thd,
                                   thd_plus_noise)
from validation.signals import multisine, sine, twin_tone, whole_periods

RATE = 48000.0


def _tone(frequency, n_samples=9600, level=1.0, phase=0.3):
    return level * np.cos(2 * np.pi * frequency * np.arange(n_samples) / RATE + phase)


@pytest.mark.parametrize("frequency", [100.0, 997.3, 2345.6])
def test_chebyshev_polynomials_make_known_harmonics(frequency):
    x = _tone(frequency)
    y = x + 0.2 * (2 * x**2 - 1) + 0.1 * (4 * x**3 - 3 * x) + 0.5  # T1 + 0.2 T2 + 0.1 T3 + DC
    assert harmonics(y, frequency, RATE, n_harmonics=5) == pytest.approx([1.0, 0.2, 0.1, 0.0, 0.0], abs=1e-9)
    assert thd(y, frequency, RATE) == pytest.approx(math.sqrt(0.05), rel=1e-9)


def test_thd_plus_noise_counts_both():
    rng = np.random.default_rng(1)
    noise = 0.01 * rng.standard_normal(48000)
    y = _tone(1000.0, 48000) + 0.05 * _tone(2000.0, 48000) + noise
    expected = math.sqrt((0.05**2 / 2 + 1e-4) / (0.5 + 0.05**2 / 2 + 1e-4))
    assert thd_plus_noise(y, 1000.0, RATE) == pytest.approx(expected, rel=0.02)
    assert thd(y, 1000.0, RATE, n_harmonics=2) == pytest.approx(0.05, rel=0.01)


def test_fitted_tones_have_phase():
    amplitudes, residual = fit_tones(_tone(440.0, level=0.7, phase=1.1) + 3.0, [440.0], RATE)
    assert abs(amplitudes[0]) == pytest.approx(0.7) and np.angle(amplitudes[0]) == pytest.approx(1.1)
    assert np.abs(residual).max() < 1e-9


def test_smpte_of_a_square_law():
    """y = x + c x² with tones a, b: sidebands high ± low of amplitude c a b each."""
    a, b, c = 0.8, 0.2, 0.1
    x = twin_tone(60.0, 7000.0, 1.0, RATE, ratio=4.0)
    assert imd_smpte(x + c * x**2, 60.0, 7000.0, RATE) == pytest.approx(2 * c * a * b / b, rel=1e-9)


def test_ccif_of_a_cubic():
    """y = x + c x² + d x³: difference tone c a², third-order products 3/4 d a³, tones a + 9/4 d a³."""
    a, c, d = 0.5, 0.1, 0.05
    x = twin_tone(13000.0, 14000.0, 1.0, RATE)
    second, third = imd_ccif(x + c * x**2 + d * x**3, 13000.0, 14000.0, RATE)
    tones = 2 * (a + 9 / 4 * d * a**3)
    assert second == pytest.approx(c * a * a / tones, rel=1e-9)
    assert third == pytest.approx(2 * 0.75 * d * a**3 / tones, rel=1e-9)


def test_multitone_counts_what_lies_between_the_lines():
    tones = [100.0, 170.0, 310.0, 730.0]
    x = multisine(tones, 4800, RATE)
    assert imd_multitone(x, tones, RATE) < 1e-12
    power = np.mean(x**2)
    y = x + _tone(1000.0, 4800, level=0.01)
    assert imd_multitone(y, tones, RATE) == pytest.approx(0.01 / math.sqrt(2 * power), rel=1e-9)


def test_aliasing_of_a_fifth_power():
    """cos⁵ has harmonics 1, 3, 5 of 10/16, 5/16, 1/16; with the fifth above half the rate its energy is off the grid."""
    n_samples = 4096
    frequency = whole_periods(6000.0, n_samples, RATE)
    x = _tone(frequency, n_samples)
    assert aliasing(x**3, frequency, RATE) < -250.0
    assert aliasing(x**5, frequency, RATE) == pytest.approx(10 * math.log10(1 / (100 + 25 + 1)), abs=1e-9)
    with pytest.raises(SignalError, match="periods"):
        aliasing(x, 1000.3, RATE)
    with pytest.raises(SignalError, match="share a factor"):
        aliasing(x, RATE / 8, RATE)


def test_noise_floor_listens_between_the_notes():
    x = 1e-4 * np.random.default_rng(2).standard_normal(96000)
    x[:80000] += sine(100.0, 80000 / RATE, RATE)
    assert noise_floor(x + 0.5, RATE) == pytest.approx(-80.0, abs=0.5)
    assert noise_floor(np.full(4800, 0.25), RATE) == -math.inf
    still = np.concatenate([np.zeros(4800), sine(100.0, 0.1, RATE)])
    assert noise_floor_difference(still, 2.0 * still, RATE) == 0.0 and noise_floor_difference(still, still + 0.1 * x[:9600], RATE) == math.inf


def test_memory_of_an_exponential():
    """h = exp(-t / tau): the energy left falls 60 dB in tau ln(10⁶) / 2."""
    tau = 0.01
    h = np.exp(-np.arange(48000) / RATE / tau)
    assert memory_length(h, RATE) == pytest.approx(tau * math.log(1e6) / 2, abs=2 / RATE)
    assert memory_length([1.0, 0.0, 0.0], RATE) == 1 / RATE


@pytest.mark.parametrize("call, match", [
    (lambda: thd(np.zeros(4800), 1000.0, RATE), "no tone at 1000 Hz"),
    (lambda: harmonics(_tone(100.0), 30000.0, RATE), "does not fit below half"),
    (lambda: fit_tones(_tone(100.0, 100), [100.0, 110.0], RATE), "can't tell tones 10 Hz apart"),
    (lambda: fit_tones(np.full(100, np.nan), [100.0], RATE), "finite mono"),
    (lambda: thd_plus_noise(np.ones(4800), 1000.0, RATE), "constant"),
    (lambda: aliasing(np.zeros(4096), whole_periods(1000.0, 4096, RATE), RATE), "silent"),
    (lambda: memory_length(np.zeros(10), RATE), "silent")])
def test_refusals(call, match):
    with pytest.raises(SignalError, match=match):
        call()
