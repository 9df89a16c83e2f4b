"""The derivatives that the fit uses are exact: every stage and curve against finite differences of its own output."""

from __future__ import annotations

from dataclasses import replace

from itertools import product

import numpy as np
import pytest

from graybox.blocks import Block
from graybox.chain import Parallel, Static, push_chain, rest_chain
from graybox.curves import (DiodePair, MonotoneSpline, Polynomial, Rational, SoftClip, Spline, Tanh, TanhSum,
                            device_curve)
from graybox.dynamics import DynamicBias, EnvelopeGain
from graybox.filters import Cascade, Delay, Fir, Gain, Offset, bank_at
from graybox.linear import LinearCircuit, ToneStack
from graybox.net import MemoryNet, Net, tanh_net
from graybox.optimise import Recording, levelled, normal_equations, render, squared_error
from graybox.recursive import CubicResonator, DiodeClipper
from graybox.parameters import bounds, free_mask, from_free, names, to_free, values, with_values

RATE = 44100.0
FRONT = Cascade(b1=(0.3, -0.2), b2=(0.1, 0.4), k1=(-0.8, -0.3), k2=(0.5, 0.2), gain=1.2, fixed=())
BANK = replace(bank_at(np.geomspace(400, 9000, 3), RATE), b0=(0.1, -0.2, 0.3), b1=(0.05, 0.1, -0.1), fixed=())
BEND = TanhSum((0.5, 0.3), (2.0, -1.0), (0.2, 0.4), 0.1, fixed=())
CURVES = {
    "tanh": Tanh(drive=2.0, bias=0.3, gain=0.7),
    "tanh-sum": BEND,
    "soft-clip": SoftClip(0.4, 0.25),
    "polynomial": Polynomial((0.1, 1.0, 0.2, -0.1), 1.5),
    "rational": Rational((0.0, 1.0, 0.1, 0.2), (0.3, 0.2), 0.8),
    "spline": Spline(-1.0, 1.0, tuple((np.linspace(-1.2, 1.2, 9) + 0.1 * np.cos(np.arange(9))).tolist())),
    "monotone-spline": MonotoneSpline(-1.0, 1.0, (0.1, 0.3, 0.2, 0.25, 0.3, 0.1, 0.15, 0.2), -1.0),
    "diode-pair": DiodePair(),
    "table": device_curve(lambda v: np.tanh(v) + 0.1 * v * v, -2.0, 2.0),
    "net": Net((1.5, -0.7), (0.1, 0.2), (0.5, -0.4, 0.3, 0.8, 0.2, -0.6), (0.1, 0.0, -0.2), (0.4, 0.5, -0.3), 0.05),
}
STAGES = {kind: Static(curve) for kind, curve in CURVES.items()} | {
    "mean of a tanh-sum": Static(BEND, adaa=True),
    "mean of a steep tanh-sum": Static(replace(BEND, gain=(30.0, -0.01)), adaa=True),
    "mean of a spline": Static(CURVES["spline"], adaa=True),
    "gain": Gain(0.7),
    "offset": Offset(0.2),
    "cascade": FRONT,
    "bank": BANK,
    "fir": Fir((0.5, 0.3, -0.2, 0.1)),
    "delay": Delay(0.3),
    "dynamic-bias": DynamicBias(BEND, (1.0, -0.5), (0.99, 0.9), fixed=()),
    "envelope-gain": EnvelopeGain(0.7, 0.99),
    "linear-circuit": LinearCircuit(ToneStack(), RATE, (("bass", 0.3), ("middle", 0.6), ("treble", 0.8))),
    "diode-clipper": DiodeClipper(1e-4, 2.0, 3e-4, RATE, 0.045, 0.5, fixed=()),
    "cubic-resonator": CubicResonator((0.1, 0.2, 0.05), (1.2, -0.7), (-0.02, 0.01, 0.005, -0.01), (0.02, -0.01), 0.01),
    "memory-net": MemoryNet((0.8, 0.2, -0.1, -0.5, 0.3, 0.1), (0.3, -0.4), (0.1, -0.2), (0.7, 0.5), 3, 0.1),
    "parallel": Parallel(((Static(Tanh(1.5)), BANK, Delay(0.2)), (), (Fir((0.3, -0.1)),))),
}


def noise(seed: int, size: int = 1500, level: float = 0.4) -> np.ndarray:
    return level * np.random.default_rng(seed).standard_normal(size)


@pytest.mark.parametrize("kind", sorted(STAGES))
def test_gradient_of_a_chain_is_exact(kind):
    """Filter, stage, filter: columns pass through the stage, and its own numbers through the filter behind it."""
    block = Block((FRONT, STAGES[kind], BANK), RATE)
    pair = Recording(noise(1), noise(2), skip=50)
    _, gradient, error = normal_equations(block, [pair], [1.0])
    assert error == pytest.approx(squared_error(block, pair), rel=1e-12)
    numbers, labels = values(block), names(block)
    mask = np.concatenate([free_mask(stage) for stage in block.stages])
    assert mask.sum() == len(gradient)
    for slope, i in zip(gradient, np.flatnonzero(mask)):
        step = 1e-4 * min(max(abs(numbers[i]), 1e-12), 1.0 - abs(numbers[i]) if ".k" in labels[i] else np.inf)
        if numbers[i] == 0.0:
            step = 1e-5
        sides = []
        for shift in (2.0, 1.0, -1.0, -2.0):
            moved = numbers.copy()
            moved[i] += shift * step
            sides.append(squared_error(with_values(block, moved), pair))
        reference = (-sides[0] + 8.0 * sides[1] - 8.0 * sides[2] + sides[3]) / (24.0 * step)  # half of d(e'e)
        # the difference of two sums near ``error`` is known to about 1e-13 of it
        assert slope == pytest.approx(reference, rel=2e-6, abs=2e-12 * error / step), labels[i]


@pytest.mark.parametrize("kind", sorted(STAGES))
def test_derivatives_do_not_depend_on_chunks(kind):
    stages = (FRONT, STAGES[kind], BANK)
    x = noise(3, 700)
    masks = [free_mask(stage) for stage in stages]
    size = int(sum(m.sum() for m in masks))
    whole, parts = np.zeros((700, size)), np.zeros((700, size))
    y = push_chain(stages, x, whole, 0, rest_chain(stages, 0), masks)
    states, out = rest_chain(stages, 0), []
    for start in (0, 1, 300, 650):
        stop = {0: 1, 1: 300, 300: 650, 650: 700}[start]
        J = np.zeros((stop - start, size))
        out.append(push_chain(stages, x[start:stop], J, 0, states, masks))
        parts[start:stop] = J
    assert np.array_equal(np.concatenate(out), y)
    assert np.array_equal(parts, whole)
    assert np.allclose(y, render(Block(stages, RATE), x), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", sorted(CURVES))
def test_slope_and_integral_of_a_curve(kind):
    curve = CURVES[kind]
    x = np.linspace(-1.6, 1.6, 401) + 1e-3
    y, slope, _ = curve.jet(x)
    h = 1e-5
    assert np.array_equal(y, curve.value(x))
    assert np.allclose(slope, (curve.value(x + h) - curve.value(x - h)) / (2 * h), rtol=1e-6, atol=1e-7)
    area = curve.integral(x)
    if area is None:
        assert kind in ("rational", "net")
    else:
        assert np.allclose((curve.integral(x + h) - curve.integral(x - h)) / (2 * h), y, rtol=1e-6, atol=1e-7)


def test_monotone_curves_rise_whatever_the_fit_does():
    rng = np.random.default_rng(4)
    for curve in (MonotoneSpline(-1.0, 1.0, (0.1,) * 8), tanh_net(-1.0, 1.0, hidden=(4, 3), monotone=True),
                  TanhSum((1.0, 0.5), (1.0, 3.0), (0.0, 1.0), monotone=True)):
        limits = bounds(curve)
        for _ in range(5):
            free = to_free(values(curve), limits) + rng.standard_normal(len(limits))
            moved = with_values(curve, from_free(free, limits)[0])
            assert np.all(np.diff(moved.value(np.linspace(-3.0, 3.0, 500))) >= 0.0)


def test_no_step_makes_a_filter_unstable():
    rng = np.random.default_rng(5)
    for filter_ in (FRONT, BANK):
        limits = bounds(filter_)
        for size in (1.0, 10.0, 100.0):
            free = to_free(values(filter_), limits) + size * rng.standard_normal(len(limits))
            moved = with_values(filter_, from_free(free, limits)[0])
            for k1, k2 in zip(moved.k1, moved.k2):
                assert np.abs(np.roots([1.0, k1 * (1.0 + k2), k2])).max() < 1.0


def test_free_coordinates_and_back():
    limits = np.array([[-np.inf, np.inf], [0.0, np.inf], [-1.0, 1.0], [2.0, 5.0]])
    numbers = np.array([3.0, 1e-9, -0.7, 4.5])
    free = to_free(numbers, limits)
    back, slope = from_free(free, limits)
    assert np.allclose(back, numbers, rtol=1e-12)
    h = 1e-6
    reference = (from_free(free + h, limits)[0] - from_free(free - h, limits)[0]) / (2 * h)
    assert np.allclose(slope, reference, rtol=1e-7)


def test_filters_against_scipy():
    from scipy.signal import lfilter, sosfilt
    x = noise(6, 500)
    b, a = FRONT.polynomials
    assert np.allclose(FRONT.run(x, FRONT.rest()), FRONT.gain * sosfilt(np.hstack([b, a]), x), atol=1e-12)
    expected = BANK.direct * x
    for b0, b1, k1, k2 in zip(BANK.b0, BANK.b1, BANK.k1, BANK.k2):
        expected = expected + lfilter([b0, b1], [1.0, k1 * (1.0 + k2), k2], x)
    assert np.allclose(BANK.run(x, BANK.rest()), expected, atol=1e-12)
    for filter_ in (FRONT, BANK, Fir((0.5, 0.2, -0.1))):
        impulse = np.zeros(1 << 15)
        impulse[0] = 1.0
        f = np.fft.rfftfreq(len(impulse), 1.0 / RATE)[1:-1:97]
        spectrum = np.fft.rfft(filter_.run(impulse, filter_.rest()))[1:-1:97]
        assert np.allclose(filter_.response(f, RATE), spectrum, atol=1e-9)


def test_fractional_delay_shifts_a_band_limited_signal():
    t = np.arange(2000)
    for delay in (-3.7, 0.0, 0.25, 5.5):
        y = Delay(delay).run(np.sin(0.9 * t), Delay().rest())[100:]
        assert np.abs(y - np.sin(0.9 * (t[100:] - 24.0 - delay))).max() < 1e-4


def test_tone_stack_against_nodal_analysis():
    """The closed form of Yeh and Smith, and what a load changes in it, against the node equations of the circuit, solved at each frequency."""
    for load, (bass, middle, treble) in product((1e15, 1e6, 5e4), ((0.5, 0.5, 0.5), (0.0, 0.1, 1.0), (1.0, 0.9, 0.2))):
        stack = ToneStack(bass_bend=1.0, load=load)
        b, a = stack.analog({"bass": bass, "middle": middle, "treble": treble})
        for f in (30.0, 500.0, 7000.0):
            s = 2j * np.pi * f
            closed = np.polynomial.polynomial.polyval(s, b) / np.polynomial.polynomial.polyval(s, a)
            assert closed == pytest.approx(_tone_stack_nodes(stack, s, bass, middle, treble), rel=2e-4)


def _tone_stack_nodes(p, s, bass, middle, treble):
    """Nodes: 1 behind C1 (top of treble), 2 behind the slope resistor, 3 bottom of treble (C2 and top of bass),
    4 bottom of bass and top of middle, 5 wiper of middle (C3), 6 wiper of treble (output)."""
    Y = np.zeros((7, 7), dtype=complex)
    right = np.zeros(7, dtype=complex)

    def join(i, j, admittance):
        for k in (i, j):
            if k is not None:
                Y[k, k] += admittance
        if i is not None and j is not None:
            Y[i, j] -= admittance
            Y[j, i] -= admittance
    tiny = 1e-3  # ohms: an end of a track
    join(0, 1, s * p.c1)
    join(0, 2, 1.0 / p.slope)
    join(1, 6, 1.0 / max((1.0 - treble) * p.treble, tiny))
    join(6, 3, 1.0 / max(treble * p.treble, tiny))
    join(2, 3, s * p.c2)
    join(3, 4, 1.0 / max(bass * p.bass, tiny))
    join(2, 5, s * p.c3)
    join(4, 5, 1.0 / max((1.0 - middle) * p.middle, tiny))
    join(5, None, 1.0 / max(middle * p.middle, tiny))
    join(6, None, 1.0 / p.load)
    Y[0] = 0.0
    Y[0, 0], right[0] = 1.0, 1.0
    return np.linalg.solve(Y, right)[6]


def test_weights_reach_the_gradient_and_the_error_alike():
    """The gradient of the weighted squared error against central differences of it."""
    rng = np.random.default_rng(40)
    x = rng.standard_normal(3000) * np.repeat([1.0, 0.002, 0.5], 1000)
    block = Block((FRONT, Static(Tanh(2.0, 0.1, 0.8))), 48000.0)
    plain = Recording(x, render(block, x) + 0.005 * rng.standard_normal(3000), skip=100)
    pair, = levelled([plain], 48000.0, 0.8, seconds=0.005)
    quiet, loud = pair.weight[1200:1900].mean(), pair.weight[200:900].mean()
    assert quiet > 10.0 * loud
    _, gradient, error = normal_equations(block, [pair], [1.0])
    assert error == pytest.approx(squared_error(block, pair, weighted=True), rel=1e-12)
    numbers = values(block)
    mask = np.concatenate([free_mask(stage) for stage in block.stages])
    for k, slope in zip(np.flatnonzero(mask), gradient):
        up, down = numbers.copy(), numbers.copy()
        up[k] += 1e-6
        down[k] -= 1e-6
        rise = squared_error(with_values(block, up), pair, weighted=True) - squared_error(with_values(block, down), pair, weighted=True)
        assert 2.0 * slope == pytest.approx(rise / 2e-6, rel=1e-4, abs=1e-5 * error)
    assert levelled([plain], 48000.0, 0.0)[0] is plain


def test_a_pivoted_cascade_is_the_same_filter():
    late = Cascade(b1=(-9.0, 0.2), b2=(3.0, 0.1), k1=(-0.5, 0.1), k2=(0.2, 0.3), gain=0.7)
    pivot = late.pivoted()
    x = np.random.default_rng(41).standard_normal(200)
    assert np.allclose(pivot.run(x, pivot.rest()), late.run(x, late.rest()), rtol=1e-12)
    assert (pivot.b1[0], pivot.b0[1]) == (1.0, 1.0) and set(pivot.fixed) == {"gain", "b1[0]", "b0[1]"}


@pytest.mark.parametrize("stage", [DynamicBias(BEND, (1.0,), (0.5,)), EnvelopeGain(0.5, 0.9), FRONT])
def test_numbers_stay_inside_their_bounds_however_far_a_step_goes(stage):
    """tanh rounds to one and exp to nothing: the number is the last one inside, and the stage can be made."""
    limits = bounds(stage)
    for far in (-1e300, -50.0, 50.0, 1e300):
        numbers = from_free(np.where(np.isfinite(limits).any(axis=1), far, 0.5), limits)[0]
        assert np.all((numbers > limits[:, 0]) & (numbers < limits[:, 1]))
        assert np.array_equal(values(with_values(stage, numbers)), numbers)
