"""Op-amps, vactrols, switches and rectifiers in small circuits: gain-bandwidth, slew, rails, time constants, smooth switching."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from check_devices import part, rows

from circuits.circuit import Card, Circuit
from circuits.devices.catalogue import find
from circuits.elements import Capacitor, Device, Resistor, VoltageSource
from circuits.devices.hysteresis import MU0, langevin
from circuits.nodal.processor import NodalProcessor
from circuits.nodal.response import frequency_response
from circuits.waveforms import Waveform

RAILS = (VoltageSource("vp", ("vp", "0"), 9.0), VoltageSource("vm", ("vm", "0"), -9.0))


def amplifier(card, gain, pins=5):
    """Non-inverting amplifier at +-9 V."""
    nodes = ("in", "fb", "vp", "vm", "out") if pins == 5 else ("in", "fb", "out")
    elements = (VoltageSource("vin", ("in", "0")), *(RAILS if pins == 5 else ()), Device("x1", nodes, card),
                Resistor("rl", ("out", "0"), 1e4), Resistor("rf", ("out", "fb"), 100.0 * (gain - 1) if gain > 1 else 1e-3),
                Resistor("rg", ("fb", "0"), 100.0 if gain > 1 else 1e12))
    return Circuit(elements, input="vin", outputs=("out",))


@pytest.mark.parametrize("name", ["tl072", "jrc4558", "lm741", "lm308", "ne5532"])
def test_gain_bandwidth(name):
    """Closed loop at gain 101: one pole at GBW/101, as the textbook has it; the output resistance loses a part at the load."""
    card = find(name)
    gbw, aol = card.values["gbw"], card.values["aol"]
    f = np.array([1.0, 100.0, gbw / 101.0, gbw / 10.0])
    seen = frequency_response(amplifier(card, 101), f)[0]
    load = 1.0 / (1.0 / 1e4 + 1.0 / 10.1e3)
    open_loop = load / (load + card.values["rout"]) / (1.0 / aol + 1j * f / gbw)
    assert seen == pytest.approx(open_loop / (1.0 + open_loop / 101.0), rel=1e-3)


def step(circuit, height, seconds=100e-6, sample_rate=1e7):
    processor = NodalProcessor(circuit, sample_rate)
    out = processor.process(np.full(int(seconds * sample_rate), height))
    assert processor.run.bad_samples == 0
    return np.asarray(out).reshape(-1), sample_rate


@pytest.mark.parametrize("name", ["tl072", "jrc4558", "lm741"])
def test_slew_rate(name):
    """A follower driven by a step of 5 V rises with its slew rate from 1 to 3 V."""
    card = find(name)
    slew = card.values["slew"]
    out, rate = step(amplifier(card, 1), 5.0, 7.5 / slew, 100.0 * slew)
    rise = (np.argmax(out > 3.0) - np.argmax(out > 1.0)) / rate
    # tanh: at a distance of 2 V and more from the goal the stage gives all but tanh of what it can
    assert 2.0 / rise == pytest.approx(slew * np.tanh(2.5 * 2.0 * np.pi * card.values["gbw"] / slew), rel=0.03)


@pytest.mark.parametrize("pins", [3, 5])
def test_rails(pins):
    """Overdriven, the output stops at the rails less their headroom; three-pin symbols have the card's own rails."""
    card = Card("a", "opamp", {"gbw": 3e6, "slew": 13e6, "head": 1.5, "foot": 1.0, "rout": 0.0, "vcc": 9.0, "vee": -9.0})
    for sign, limit in ((1.0, 7.5), (-1.0, -8.0)):
        out, _ = step(amplifier(card, 101, pins), sign * 1.0, 20e-6)
        assert out[-1] == pytest.approx(limit, abs=0.15)


def test_output_resistance_and_no_rail_current():
    """Open loop at rest: half of the voltage is lost on a load equal to the output resistance."""
    card = Card("a", "opamp", {"aol": 1e3, "rout": 75.0, "gbw": 1e6})
    elements = (VoltageSource("vin", ("in", "0")), *RAILS, Device("x1", ("in", "0", "vp", "vm", "out"), card), Resistor("rl", ("out", "0"), 75.0))
    gain = frequency_response(Circuit(elements, input="vin", outputs=("out",)), [1.0])[0, 0]
    assert abs(gain) == pytest.approx(500.0, rel=1e-3)


def test_ideal_opamp_is_a_nullor():
    gain = frequency_response(amplifier(Card("o", "opamp_ideal"), 11), [1.0, 1e6])[0]
    assert gain == pytest.approx([11.0, 11.0], rel=1e-12)


def test_four_pins_are_refused():
    with pytest.raises(ValueError, match="x1 has 4 nodes, an op-amp has 3 or 5. Pins in order: in"):
        part("opamp", "abcd")


def test_vactrol_time_constants():
    """Light follows a step of LED current: up with the attack, down with the decay constant, to 1/e of what is left."""
    card = Card("v", "ldr", {"attack": 2e-3, "decay": 40e-3, "rs": 0.0, "is": 1e-12, "n": 2.0, "rmin": 0.0, "gamma": 0.9, "rdark": 1e7})
    elements = (VoltageSource("vin", ("in", "0")), Resistor("r1", ("in", "a"), 1e3), Device("x1", ("r", "0", "a", "0"), card),
                VoltageSource("vr", ("q", "0"), 1.0), Resistor("r2", ("q", "r"), 1e3))
    processor = NodalProcessor(Circuit(elements, input="vin", outputs=("r",)), 48000.0)
    across = np.asarray(processor.process(np.concatenate([np.zeros(480), np.full(9600, 5.0), np.zeros(9600)]))).reshape(-1)
    # back from the divider to the cell's conductance, and from there to the light
    light = np.maximum((1.0 - across) / (across * 1e3) - 1e-7, 0.0)**(1.0 / 0.9)
    bright = light[10000]
    rise = np.argmax(light > bright * (1.0 - np.exp(-1.0))) - 480
    fall = np.argmax(light[10080:] < bright * np.exp(-1.0))
    # blended over a tenth of the reference, where attack passes into decay
    assert rise / 48000.0 == pytest.approx(2e-3, rel=0.1) and fall / 48000.0 == pytest.approx(40e-3, rel=0.1)
    assert across[0] > 0.99 and across[10000] < 0.35 and processor.run.bad_samples == 0


def test_static_cell_follows_the_power_law():
    law = part("ldr", "abcd", rs=0.0, rmin=0.0, rdark=1e15, gamma=0.8, rref=2000.0).laws[0]
    led = law.constants
    for current in (1e-5, 1e-3, 2e-2):
        v = led.scale * np.log1p(current / led.saturation)
        i_d, i_r = rows(law.law, (v, 1.0), led)[0]
        assert i_d == pytest.approx(current, rel=1e-9) and 1.0 / i_r == pytest.approx(2000.0 * (current / 1e-3)**-0.8, rel=1e-6)


def test_switch_ends_and_middle():
    law = part("sw", "abcd", ron=10.0, roff=1e5, vt=2.0, vh=-0.5).laws[0]
    for control, resistance in ((1.0, 1e5), (1.5, 1e5), (2.0, 1e3), (2.5, 10.0), (9.0, 10.0)):
        assert rows(law.law, (control, 1.0), law.constants)[0][0] == pytest.approx(1.0 / resistance, rel=1e-12)
    turned = part("vswitch", "abcd", ron=10.0, roff=1e5, von=1.0, voff=3.0).laws[0]
    assert rows(turned.law, (0.5, 1.0), turned.constants)[0][0] == pytest.approx(0.1)
    assert rows(turned.law, (3.5, 1.0), turned.constants)[0][0] == pytest.approx(1e-5)
    current = part("csw", "abcd", ron=1.0, roff=1e6, it=1e-3).laws[0]
    assert rows(current.law, (2e-3, 1.0), current.constants)[0][0] == pytest.approx(1.0)


def test_a_switch_with_hysteresis_remembers():
    """A slow triangle of the control voltage: it closes above VT + VH and opens below VT - VH, both within a sample of the crossing."""
    card = Card("sx", "sw", {"ron": 10.0, "roff": 1e6, "vt": 1.0, "vh": 0.5})
    circuit = Circuit((VoltageSource("vin", ("c", "0")), VoltageSource("v1", ("a", "0"), 1.0), Resistor("r1", ("a", "out"), 1e3), Device("s1", ("out", "0", "c", "0"), card)),
                      input="vin", outputs=("out",))
    control = 3.0 * np.abs(np.mod(np.arange(4800) / 1200.0 + 1.0, 2.0) - 1.0) - 0.5  # from -0.5 to 2.5 V and back, 2.5 mV a sample
    processor = NodalProcessor(circuit, 48000.0)
    closed = processor.process(control) < 0.5
    assert processor.run.bad_samples == 0
    changes = np.flatnonzero(np.diff(closed.astype(int))) + 1
    assert len(changes) == 4
    for k in changes:
        assert control[k] == pytest.approx(1.5 if closed[k] else 0.5, abs=6e-3)
    between = (control > 0.6) & (control < 1.4)
    assert set(closed[between]) == {True, False}, "between the thresholds it is as it was"


def test_full_wave_rectifier_takes_turns():
    """Two plates on one cathode: the reservoir is charged by both half-waves."""
    card = find("5Y3GT")
    elements = (VoltageSource("vin", ("a", "0")), VoltageSource("vb", ("b", "0"), 0.0, waveform=Waveform("sin", (0.0, -300.0, 50.0))),
                Device("x1", ("a", "b", "k"), card), Capacitor("c1", ("k", "0"), 20e-6), Resistor("r1", ("k", "0"), 5e3))
    time = np.arange(4800) / 48000.0
    processor = NodalProcessor(Circuit(elements, input="vin", outputs=("k",)), 48000.0)
    out = np.asarray(processor.process(300.0 * np.sin(2.0 * np.pi * 50.0 * time))).reshape(-1)
    spectrum = np.abs(np.fft.rfft(out[-1920:]))  # two periods: bin 4 is 100 Hz, bin 2 is 50 Hz
    assert out[-1] > 200.0 and spectrum[4] > 20.0 * spectrum[2] and processor.run.bad_samples == 0


def test_two_node_rectifier_and_heaters():
    assert len(part("rectifier", "ak").laws) == 1 and len(part("rectifier", "abk").laws) == 2
    assert part("triode", ("p", "g", "k", "h1", "h2")).laws == part("triode", ("p", "g", "k")).laws


def flux_of(kind, n, **values):
    """Constants of a core and its flux at a magnetomotive force."""
    return part(kind, "ab", n=n, **values).laws[0]


def test_core_is_linear_when_driven_little():
    """L = N^2 mu A / lm, and half of it when the gap's reluctance equals the core's."""
    mu = 4e-7 * np.pi * 4000.0
    for gap, inductance in ((0.0, 500.0**2 * mu * 1e-4 / 0.1), (0.1 / 4000.0, 0.5 * 500.0**2 * mu * 1e-4 / 0.1)):
        law = flux_of("core_arctan", 500.0, lg=gap)
        for f in (0.0, 1e-6):
            assert 500.0**2 * rows(law.law, (f,), law.constants)[1][0, 0] == pytest.approx(inductance, rel=1e-9)


def test_core_saturates():
    """Far above saturation the flux is Bs A and what the air carries."""
    law = flux_of("core", 100.0, hc=16.0, bs=0.44, br=0.1, lm=0.05)
    flux = rows(law.law, (1e6,), law.constants)[0][0]
    assert flux == pytest.approx(1e-4 * (0.44 + 4e-7 * np.pi * 1e6 / 0.05), rel=1e-4)
    assert rows(law.law, (-1e6,), law.constants)[0][0] == -flux


def test_gap_solves_its_equation():
    law = flux_of("core", 100.0, lg=3e-4, lm=0.05)
    p = law.constants
    for f in (-2000.0, -3.0, 1e-9, 0.4, 50.0, 1e4):
        b = rows(law.law, (f,), p)[0][0] / p.area
        h = (f - b * p.gap / (4e-7 * np.pi)) / p.path
        expected = 0.5 * p.bs * sum((h + s * p.hc) / (abs(h + s * p.hc) + p.hc * (p.bs / p.br - 1.0)) for s in (-1, 1)) + 4e-7 * np.pi * h
        assert b == pytest.approx(expected, rel=1e-6, abs=1e-15)


def test_choke_draws_the_current_of_its_flux():
    """A voltage sets the flux, the flux the current: checked sample by sample through the curve, under the trapezoidal rule."""
    card = Card("c", "core_arctan", {"n": 200.0, "a": 1e-4, "lm": 0.1, "mur": 2000.0})
    elements = (VoltageSource("vin", ("in", "0")), Resistor("r1", ("in", "a"), 1.0), Device("x1", ("a", "0"), card))
    rate, n = 48000.0, 960
    v = 12.0 * np.sin(2.0 * np.pi * 50.0 * np.arange(n) / rate)
    processor = NodalProcessor(Circuit(elements, input="vin", outputs=("a",)), rate)
    a = np.asarray(processor.process(v)).reshape(-1)
    current, flux = v - a, np.concatenate([[0.0], np.cumsum(0.5 * (a[1:] + a[:-1])) / rate / 200.0])
    law = part("core_arctan", "ab", **card.values).laws[0]
    curve = np.array([rows(law.law, (200.0 * i,), law.constants)[0][0] for i in current])
    assert np.max(np.abs(curve - flux)) < 1e-9 * np.max(np.abs(flux)) and processor.run.bad_samples == 0
    # a tenth of the voltage draws far less than a tenth of the current
    processor.reset()
    little = 0.1 * v - np.asarray(processor.process(0.1 * v)).reshape(-1)
    assert np.max(np.abs(little)) < 0.01 * np.max(np.abs(current))


def test_transformer_on_a_core_keeps_its_ratio():
    card = Card("c", "core_arctan", {"n1": 1000.0, "n2": 50.0, "mur": 5000.0})
    elements = (VoltageSource("vin", ("in", "0")), Resistor("r1", ("in", "a"), 10.0), Device("x1", ("a", "0", "b", "0"), card), Resistor("r2", ("b", "0"), 8.0))
    gain = abs(frequency_response(Circuit(elements, input="vin", outputs=("b",)), [1e4])[0, 0])
    reflected = 8.0 * 400.0
    assert gain == pytest.approx(reflected / (reflected + 10.0) / 20.0, rel=1e-4)


@pytest.mark.parametrize("nodes, values, words", [
    ("ab", {}, "a core with 2 nodes has turns 0. Give two nodes a winding"),
    ("abc", {"n": 10.0}, "a core with 3 nodes"), ("ab", {"n": 10.0, "br": 0.5}, "br = 0.5 T is not below bs = 0.44 T")])
def test_core_refusals(nodes, values, words):
    with pytest.raises(ValueError, match=words):
        part("core", nodes, **values)


def test_ota_transconductance():
    """g = I_bias / (2 Vt), and the whole bias current at the limit."""
    law = part("ota", ("p", "n", "o", "b", "m")).laws[0]
    v_b = law.constants.scale * np.log1p(1e-3 / law.constants.saturation)
    values, slopes = rows(law.law, (0.0, v_b), law.constants)
    assert values[0] == 0.0 and -slopes[0, 0] == pytest.approx(1e-3 / (2.0 * 0.025865), rel=1e-4)
    assert rows(law.law, (1.0, v_b), law.constants)[0][0] == pytest.approx(-1e-3, rel=1e-6)


def test_langevin_series_meets_the_closed_form():
    below, above = langevin(0.1 - 1e-12), langevin(0.1 + 1e-12)
    assert below == pytest.approx(above, rel=1e-10, abs=1e-12)
    assert langevin(1e4) == pytest.approx((1.0 - 1e-4, 1e-8, -2e-12)) and langevin(-2.0)[0] == -langevin(2.0)[0]


def loop(values, volts, turns=200.0, rate=48000.0):
    """Flux density (T) and field strength (A/m) of a Jiles-Atherton core of one winding, driven by a voltage."""
    card = Card("c", "core_ja", {**values, "n": turns})
    elements = (VoltageSource("vin", ("in", "0")), Resistor("r1", ("in", "a"), 1.0), Device("x1", ("a", "0"), card))
    processor = NodalProcessor(Circuit(elements, input="vin", outputs=("a",)), rate)
    a = np.asarray(processor.process(volts)).reshape(-1)
    assert processor.run.bad_samples == 0
    area, path = 4.54e-5, 0.0754
    b = np.concatenate([[0.0], np.cumsum(0.5 * (a[1:] + a[:-1]))]) / rate / turns / area
    return b, turns * (volts - a) / path, a


def test_jiles_atherton_against_an_integrator():
    """The loop under the flux that the circuit made, against the published equations integrated by Runge-Kutta."""
    ms, shape, alpha, c, k = 2.75e5, 14.1, 5e-5, 0.55, 17.8
    rate, n = 192000.0, 7680
    volts = 1.2 * np.sin(2.0 * np.pi * 50.0 * np.arange(n) / rate)
    b, h, a = loop({}, volts, rate=rate)
    time = np.arange(n) / rate

    def slope(t, m):
        induction_rate = np.interp(t, time, a) / 200.0 / 4.54e-5
        field = np.interp(t, time, b) / MU0 - m[0]
        sign = 1.0 if induction_rate >= 0.0 else -1.0
        q = (field + alpha * m[0]) / shape
        l0 = 1.0 / np.tanh(q) - 1.0 / q if abs(q) > 1e-4 else q / 3.0
        l1 = 1.0 / q**2 - 1.0 / np.sinh(q)**2 if abs(q) > 1e-3 else 1.0 / 3.0 - q * q / 15.0
        away = ms * l0 - m[0]
        pinned = (1.0 - c) * away / ((1.0 - c) * sign * k - alpha * away) if away * sign > 0.0 else 0.0
        chi = (pinned + c * ms / shape * l1) / (1.0 - c * alpha * ms / shape * l1)
        return [chi / (1.0 + chi) * induction_rate / MU0]

    solved = solve_ivp(slope, (0.0, time[-1]), [0.0], t_eval=time, rtol=1e-6, atol=1e-3, max_step=2.0 / rate, method="RK23").y[0]
    expected = b / MU0 - solved
    assert np.sqrt(np.mean((h - expected)**2) / np.mean(expected**2)) < 2e-4
    assert np.max(np.abs(b)) > 0.2 and np.max(h) > 20.0


def test_hysteresis_costs_energy_and_remembers():
    rate, n = 48000.0, 2880
    volts = 1.2 * np.sin(2.0 * np.pi * 50.0 * np.arange(n) / rate)
    b, h, _ = loop({}, volts)
    last = slice(n - 961, n)
    loss = np.sum(0.5 * (h[last][1:] + h[last][:-1]) * np.diff(b[last]))  # J/m3 in one period
    assert loss > 2.0 * 17.8 * np.ptp(b[last]) * 0.2
    crossing = np.nonzero(np.diff(np.sign(h[last])))[0]
    assert np.all(np.abs(b[last][crossing]) > 0.05)  # remanence where H passes 0
