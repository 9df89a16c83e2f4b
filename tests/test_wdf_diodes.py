"""Closed-form diode roots to machine precision, the omega function against scipy, and emitted code against the table kernel."""

from __future__ import annotations

import numpy as np
import pytest
from check_processor import check_processor
from scipy.optimize import brentq
from scipy.special import wrightomega

from circuits.circuit import Card, Circuit
from circuits.controls import Control
from circuits.devices.junction import junction_current, thermal_voltage
from circuits.elements import Capacitor, Device, Resistor, VoltageControlledVoltage, VoltageSource
from circuits.expressions import Name
from circuits.kernels.omega import omega
from circuits.nodal.processor import NodalProcessor
from netlists.library import find
from netlists.reader import read
from wdf.diodes import omega_start, pair_voltage, prepared
from wdf.emitted import CONDENSED
from wdf.expansions import EXACT, FAST_ERROR, TERMS, expanded_voltage, expansions
from wdf.processor import WdfProcessor

RATE = 48000.0
VIN = VoltageSource("vin", ("in", "0"))
D4148 = Card("d4148", "d", {"is": 2.52e-9, "n": 1.752})
LED = Card("led", "d", {"is": 93.2e-12, "n": 3.73})


def clipper(*diodes, r=4.7e3, extra=()) -> Circuit:
    """R, C and diodes, driven ten times."""
    parts = (VIN, VoltageControlledVoltage("e1", ("drv", "0", "in", "0"), 10.0), Resistor("r1", ("drv", "out"), r),
             Capacitor("c1", ("out", "0"), 47e-9), *extra)
    parts += tuple(Device(f"d{k}", nodes, card) for k, (nodes, card) in enumerate(diodes))
    return Circuit(parts, input="vin", outputs=("out",), controls=(Control("r", 1e3, 1e6, 4.7e3),))


UP, DOWN = ("out", "0"), ("0", "out")
PAIR = ((UP, D4148), (DOWN, D4148))


def test_omega_is_right_to_rounding():
    x = np.concatenate([np.linspace(-740.0, 50.0, 4001), np.logspace(1.5, 6, 500)])
    expected = wrightomega(x).real
    found = np.array([omega(value) for value in x])
    some = expected > 1e-300
    # below -2, exp(x) itself turns an error of x's last bit into |x| times as much
    bound = 4e-16 * np.maximum(2.0, np.where(x < 0.0, -x, 0.0))
    assert np.all(np.abs(found - expected)[some] <= (bound * expected)[some])


def test_the_start_of_omega_keeps_its_bound():
    x = np.linspace(-60.0, 400.0, 200001)
    assert np.abs(np.array([omega_start(value) for value in x]) - wrightomega(x).real).max() < 2e-4


def test_one_diode_is_the_published_closed_form():
    R, I, s = 2.2e3, 2.52e-9, 1.752 * 0.025865
    up, down = prepared(R, (I, s, 0.0, s))
    for e in np.linspace(0.2, 12.0, 50):
        expected = e + R * I - s * wrightomega(np.log(R * I / s) + (e + R * I) / s).real
        assert pair_voltage(e, up, down) == pytest.approx(expected, rel=2e-14)


def drawn(rng) -> tuple[float, tuple[float, float, float, float]]:
    """A resistance and diodes of any kind, one polarity absent in two of three."""
    I, J = 10.0**rng.uniform(-16, -5, 2) * rng.choice([[1, 1], [1, 0], [0, 1]])
    return 10.0**rng.uniform(0, 8), (I, rng.uniform(0.02, 0.2), J, rng.uniform(0.02, 0.2))


def unsolved(v: float, e: float, R: float, constants) -> tuple[float, float]:
    """Voltage by which v misses the root, and what the residual itself can't resolve: rounding of e, of both currents, and of exp's argument."""
    I, s, J, r = constants
    (i, g), (j, h) = junction_current(v, I, s), junction_current(-v, J, r)
    slope = 1.0 + R * (g + h)
    floor = 4e-16 * (abs(e) + R * (abs(i) * (1.0 + abs(v) / s) + abs(j) * (1.0 + abs(v) / r) + 2.0 * (I + J))) / slope
    return abs(v + R * (i - j) - e) / slope, floor + 4e-16 * abs(v)


def test_any_counts_are_solved_to_rounding():
    rng = np.random.default_rng(0)
    for _ in range(3000):
        (R, constants), e = drawn(rng), rng.choice([-1.0, 1.0]) * 10.0**rng.uniform(-4, 3)
        missed, floor = unsolved(pair_voltage(e, *prepared(R, constants)), e, R, constants)
        assert missed <= floor


def test_expansions_are_the_root_to_rounding_and_their_fast_form_keeps_its_bound():
    rng = np.random.default_rng(1)
    worst, covered = 0.0, []
    for _ in range(60):
        R, constants = drawn(rng)
        up, down, table = expansions(R, constants)
        polarities = prepared(R, constants)
        for e in [*(rng.choice([-1.0, 1.0], 60) * 10.0**rng.uniform(-6, 2, 60)), *rng.uniform(-60.0 * constants[1], 60.0 * constants[1], 60)]:
            pieces, scale = (up, polarities[0].scale) if e > 0.0 else (down, polarities[1].scale)
            v = expanded_voltage(e, pieces, *polarities, table, 0)
            missed, floor = unsolved(v, e, R, constants)
            assert missed <= floor + EXACT * (abs(v) + scale)
            worst = max(worst, abs(expanded_voltage(e, pieces, *polarities, table, 1) - v) / scale)
            covered.append(abs(e) < pieces.end)
    assert 1e-8 < worst <= FAST_ERROR
    assert np.mean(covered) > 0.7


@pytest.mark.parametrize("counts", [(1, 1), (2, 1), (1, 3)])
@pytest.mark.parametrize("R", [100.0, 4.7e3, 500e3])
def test_expansions_cover_a_thousand_thermal_voltages_of_silicon_to_the_last_bits(counts, R):
    s = 1.752 * 0.025865
    constants = (counts[0] * 2.52e-9, s, counts[1] * 2.52e-9, s)
    up, down, table = expansions(R, constants)
    polarities = prepared(R, constants)
    assert (up is down) == (counts[0] == counts[1])
    assert min(up.end, down.end) > 1000.0 * s
    assert up.end * up.coarse + up.shift < len(table) / TERMS
    rng = np.random.default_rng(2)
    for e in [*rng.uniform(-30.0, 30.0, 1000), *rng.uniform(-0.5, 0.5, 1000), *(10.0**rng.uniform(-12, 0, 500))]:
        v = expanded_voltage(e, up if e > 0.0 else down, *polarities, table, 0)
        assert abs(v - pair_voltage(e, *polarities)) <= 1e-15 * (abs(v) + s)
    for e in [np.nextafter(edge, side) for edge in (up.border, up.end) for side in (0.0, np.inf)] + [up.border, up.end]:
        assert abs(expanded_voltage(e, up, *polarities, table, 0) - pair_voltage(e, *polarities)) <= EXACT * (pair_voltage(e, *polarities) + s)
    assert expanded_voltage(0.0, up, *polarities, table, 0) == 0.0


@pytest.mark.parametrize("diodes", [((UP, D4148),), ((DOWN, D4148),), PAIR, ((UP, D4148), (UP, D4148), (DOWN, LED)),
                                    ((UP, D4148), (UP, D4148), (DOWN, D4148))])
def test_closed_roots_agree_with_newton(diodes):
    x = 0.5 * np.random.default_rng(1).standard_normal(2000)
    closed = WdfProcessor(clipper(*diodes), RATE)
    assert closed.closed
    nodal = NodalProcessor(clipper(*diodes), RATE, tolerance=1e-16).process(x)
    assert np.abs(closed.process(x) - nodal).max() <= 1e-12 * np.abs(nodal).max()


def test_stacks_of_diodes_are_one_diode():
    x = 0.5 * np.random.default_rng(2).standard_normal(2000)
    stack = ((("out", "a"), D4148), (("a", "b"), D4148), (("b", "0"), D4148), (DOWN, D4148))
    closed = WdfProcessor(clipper(*stack), RATE)
    assert closed.closed
    table = WdfProcessor(clipper(*stack), RATE, kernel="table", tolerance=1e-16)
    np.testing.assert_allclose(closed.process(x), table.process(x), rtol=0, atol=1e-13)


@pytest.mark.parametrize("ups, downs", [(1, 1), (1, 3), (2, 1)])
def test_the_diode_clipper_is_its_difference_equation(ups, downs):
    # trapezoidal rule by hand: C dv/dt = (10 x - v) / R - i(v), one scalar equation a sample; k diodes in series share v equally
    x = 0.5 * np.random.default_rng(3).standard_normal(300)
    R, C, I, s = 4.7e3, 47e-9, 2.52e-9, 1.752 * thermal_voltage(27.0)
    current = junction_current.py_func

    def flow(v, volts):
        return (10.0 * volts - v) / R - (current(v / ups, I, s)[0] - current(-v / downs, I, s)[0])
    v, before, expected = 0.0, 0.0, []
    for sample in x:
        known = 2.0 * C * RATE * v + before
        v = brentq(lambda w: 2.0 * C * RATE * w - flow(w, sample) - known, -20.0, 20.0, xtol=1e-16, rtol=1e-15)
        before = flow(v, sample)
        expected.append(v)
    diodes = [((f"u{k}" if k else "out", f"u{k + 1}" if k + 1 < ups else "0"), D4148) for k in range(ups)]
    diodes += [((f"w{k}" if k else "0", f"w{k + 1}" if k + 1 < downs else "out"), D4148) for k in range(downs)]
    found = WdfProcessor(clipper(*diodes), RATE)
    assert found.closed
    np.testing.assert_allclose(found.process(x), expected, rtol=0, atol=1e-12)


def test_the_fast_form_stays_within_its_error():
    x = 0.5 * np.random.default_rng(4).standard_normal(4000)
    exact, fast = (WdfProcessor(clipper(*PAIR), RATE, fast=choice).process(x) for choice in (False, True))
    error = np.abs(exact - fast).max()
    assert 0.0 < error < FAST_ERROR * 1.752 * 0.026


def linear(*, bridge: float = 47e3, slow: float = 4.7e-9, loss: float = 22e3) -> Circuit:
    """A net of three capacitors with a control."""
    parts = (VIN, Resistor("r1", ("in", "a"), Name("r")), Capacitor("c1", ("a", "b"), 1e-8), Resistor("r2", ("b", "0"), loss),
             Capacitor("c2", ("a", "0"), slow), Resistor("r3", ("b", "c"), 10e3), Capacitor("c3", ("c", "0"), 1e-9),
             Resistor("r4", ("a", "c"), bridge))
    return Circuit(parts, input="vin", outputs=("c", "b"), controls=(Control("r", 1e3, 1e6, 4.7e3),))


def both(circuit: Circuit):
    return WdfProcessor(circuit, RATE), WdfProcessor(circuit, RATE, kernel="table")


def test_a_condensed_linear_tree_keeps_its_bound_while_controls_turn():
    x = np.random.default_rng(5).standard_normal(20000)
    emitted, table = both(linear())
    assert emitted.closed and emitted._emitted.condensed and not table.closed
    text = emitted.emitted_source
    for position in (4.7e3, 1e6, 1e3):
        for processor in (emitted, table):
            processor.turn(r=position)
        expected = table.process(x)
        assert np.abs(emitted.process(x) - expected).max() <= CONDENSED * np.abs(expected).max()
    assert emitted.emitted_source == text and emitted._emitted.condensed


@pytest.mark.parametrize("name", ["rc_lowpass", "rlc", "tonestack_bassman", "tonestack_baxandall", "tonestack_fmv"])
def test_condensed_trees_of_the_library_keep_their_bound(name):
    emitted, table = both(read(find(name)))
    x = np.random.default_rng(6).standard_normal(48000)
    expected = table.process(x)
    assert emitted._emitted.condensed
    assert np.abs(emitted.process(x) - expected).max() <= CONDENSED * np.abs(expected).max()


def test_a_tree_with_a_slow_mode_is_not_condensed_and_equals_the_table_to_the_last_bit():
    x = np.random.default_rng(5).standard_normal(3000)
    circuit = linear(slow=1e-5, loss=1e6)
    emitted, table = both(circuit.turn(r=1e6))
    assert emitted.closed and not emitted._emitted.condensed
    assert np.array_equal(emitted.process(x), table.process(x))
    # a control that makes the mode slow: the code changes over, the states stay
    emitted, table = both(circuit)
    for position, condensed in ((4.7e3, True), (1e6, False), (4.7e3, True)):
        for processor in (emitted, table):
            processor.turn(r=position)
        expected = table.process(x)
        assert np.abs(emitted.process(x) - expected).max() <= CONDENSED * np.abs(expected).max()
        assert emitted._emitted.condensed is condensed


def charged() -> Circuit:
    """A diode with series resistance and junction charge: one port that needs Newton."""
    card = Card("d1n4148", "d", {"is": 2.52e-9, "n": 1.752, "rs": 0.568, "cjo": 4e-12, "tt": 2e-8})
    return clipper((UP, card), (DOWN, LED))


def test_emitted_newton_agrees_with_the_table_and_is_a_processor():
    x = 0.5 * np.random.default_rng(6).standard_normal(2000)
    emitted, table = (WdfProcessor(charged(), RATE, kernel=kernel, tolerance=1e-16) for kernel in ("emitted", "table"))
    assert emitted.emitted_source and not emitted.closed and not table.emitted_source
    found, expected = emitted.process(x), table.process(x)
    assert np.abs(found - expected).max() <= 1e-10 * np.abs(expected).max()
    assert emitted.run.converged and emitted.run.iterations > len(x)
    check_processor(lambda: WdfProcessor(charged(), RATE, kernel="emitted"))


def test_a_sample_that_plain_newton_gives_up_goes_to_the_guarded_solver():
    x = 5.0 * np.random.default_rng(7).standard_normal(300)
    emitted, table = (WdfProcessor(charged(), RATE, kernel=kernel, tolerance=1e-16) for kernel in ("emitted", "table"))
    play = emitted._emitted.play

    def stubborn(motion, w, u, y, first, last, tolerance, tally):
        """Emitted code that gives up at every seventh sample."""
        stop = -(-first // 7) * 7
        return first if stop == first else play(motion, w, u, y, first, min(stop, last), tolerance, tally)
    emitted._emitted.play = stubborn
    found, expected = emitted.process(x), table.process(x)
    assert np.abs(found - expected).max() <= 1e-10 * np.abs(expected).max()


def test_what_is_emitted_holds_no_word_of_the_netlist():
    circuit = clipper(*PAIR)
    text = WdfProcessor(circuit, RATE).emitted_source
    assert "expanded_voltage" in text and "import os" not in text
    assert all(word not in text for word in ("drv", "4148", "out-", "4700"))
    evil = Circuit((VoltageSource("v;import os", ("a\nb", "0")), Resistor("r'''", ("a\nb", "o\"o"), 1e3), Capacitor("c", ("o\"o", "0"), 1e-8)),
                   input="v;import os", outputs=("o\"o",))
    assert "import os" not in WdfProcessor(evil, RATE).emitted_source
