"""The nodal engine against closed forms, and everything a Processor promises."""

import time

import numpy as np
import pytest
from scipy import optimize, signal

from check_processor import check_processor, example_signal, in_blocks
from circuits.circuit import Card, Circuit
from circuits.controls import Control
from circuits.elements import (BehaviouralCurrent, Capacitor, Coupling, CurrentSource, Device, IdealTransformer, Inductor, Nullor,
                               Resistor, VoltageControlledVoltage, VoltageSource)
from circuits.errors import CircuitError, RateError, TopologyError
from circuits.expressions import Call, Name, Number, Voltage
from circuits.kernels import store
from circuits.nodal import compiled
from circuits.nodal.processor import NodalProcessor
from circuits.nodal.response import frequency_response
from circuits.rate import DELAY, Oversampled, oversampled

RATE = 48000.0
DIODE = Card("d4148", "d", {"is": 2.52e-9, "n": 1.752})


def circuit(*elements, outputs=("out",), **more):
    return Circuit((VoltageSource("vin", ("in", "0"), 0.0, 1.0), *elements), input="vin", outputs=outputs, **more)


def clipper():
    return circuit(VoltageControlledVoltage("e", ("drv", "0", "in", "0"), 10.0), Resistor("r1", ("drv", "out"), 4700.0),
                   Capacitor("c1", ("out", "0"), 47e-9), Device("d1", ("out", "0"), DIODE), Device("d2", ("0", "out"), DIODE))


def pot():
    return circuit(Resistor("ra", ("in", "out"), Call("add", (Call("mul", (Name("gain"), Number(1e5))), Number(1.0)))),
                   Resistor("rb", ("out", "0"), 1e4), Capacitor("c", ("out", "0"), 1e-9),
                   parameters={"gain": 0.5}, controls=(Control("gain", position=0.5, taper="log"),))


def bilinear(numerator, denominator):
    """Digital filter of an analogue transfer function under the trapezoidal rule."""
    return signal.bilinear(numerator, denominator, RATE)


@pytest.mark.parametrize("make, numerator, denominator", [
    (lambda: circuit(Resistor("r", ("in", "out"), 4700.0), Capacitor("c", ("out", "0"), 47e-9)), [1.0], [4700.0 * 47e-9, 1.0]),
    (lambda: circuit(Inductor("l", ("in", "a"), 0.1), Capacitor("c", ("a", "out"), 100e-9), Resistor("r", ("out", "0"), 470.0)),
     [470.0 * 100e-9, 0.0], [0.1 * 100e-9, 470.0 * 100e-9, 1.0]),
    (lambda: circuit(Resistor("r1", ("in", "n"), 1e4), Resistor("r2", ("n", "out"), 1e5), Capacitor("c", ("n", "out"), 1e-9),
                     Nullor("x", ("0", "n", "out", "0"))), [-10.0], [1e5 * 1e-9, 1.0])])
def test_linear_circuits_equal_their_bilinear_filters(make, numerator, denominator):
    x = example_signal(4800)
    expected = signal.lfilter(*bilinear(numerator, denominator), x)
    y = NodalProcessor(make(), RATE).process(x)
    assert np.max(np.abs(y - expected)) <= 1e-9 * np.max(np.abs(expected))
    f = np.array([20.0, 440.0, 5e3, 19e3])
    _, h = signal.freqs(numerator, denominator, 2 * np.pi * f)
    assert np.allclose(frequency_response(make(), f)[0], h, rtol=1e-9, atol=0)
    _, hd = signal.freqz(*bilinear(numerator, denominator), f, fs=RATE)
    assert np.allclose(frequency_response(make(), f, sample_rate=RATE)[0], hd, rtol=1e-9, atol=0)


def test_diode_clipper_solves_its_own_difference_equation():
    # trapezoidal: C (v' - v) 2/T = i' + i with i the current into the capacitor, solved by bracketing
    x = 0.5 * np.sin(2 * np.pi * 440 * np.arange(400) / RATE)
    y = NodalProcessor(clipper(), RATE, tolerance=1e-14).process(x)
    thermal = 1.752 * 1.38064852e-23 * 300.15 / 1.6021766208e-19  # CODATA 2014, as ngspice 39 has it

    def current(v, e):
        v, sign = abs(v), np.sign(v)  # SPICE's reverse current below -3 n Vt is a cubic, not an exponential
        blocked = -np.expm1(-v / thermal) if v < 3 * thermal else 1 - (3 * thermal / (v * np.e))**3
        return (e - sign * v) / 4700.0 - sign * 2.52e-9 * (np.expm1(v / thermal) + blocked)

    v, before = 0.0, 0.0
    for n, e in enumerate(10 * x):
        v_new = optimize.brentq(lambda u: 47e-9 * 2 * RATE * (u - v) - current(u, e) - before, -2.0, 2.0, xtol=1e-14)
        before = current(v_new, e)
        v = v_new
        assert y[n] == pytest.approx(v, abs=2e-9)


@pytest.mark.parametrize("make", [clipper, pot], ids=["clipper", "pot"])
def test_is_a_processor(make):
    check_processor(lambda: NodalProcessor(make(), RATE))


def test_oversampled_is_a_processor_and_late_by_what_it_says():
    check_processor(lambda: Oversampled(NodalProcessor(clipper(), 4 * RATE), 4), n_samples=2000)
    through = circuit(Resistor("r", ("in", "out"), 1.0), Resistor("s", ("out", "0"), 1e9))
    processor = oversampled(lambda rate: NodalProcessor(through, rate), RATE, 8)
    n = np.arange(3000)
    x = np.sin(2 * np.pi * 5000.0 * n / RATE)
    y = processor.process(x)
    assert processor.latency == DELAY
    assert np.max(np.abs(y[1000:] - x[1000 - DELAY:3000 - DELAY])) < 2e-5


def test_before_the_first_sample_the_circuit_rests():
    """The filter's forerunners of an abrupt start stay away from the circuit, in blocks of any size and again after a reset."""
    through = circuit(Resistor("r", ("in", "out"), 1.0), Resistor("s", ("out", "0"), 1e9))
    player = oversampled(lambda rate: NodalProcessor(through, rate), RATE, 4)
    x = np.concatenate([np.ones(40), np.zeros(200)])
    ahead = DELAY // 2 * 4
    whole = player.raised(x)
    assert not whole[:ahead].any() and whole[ahead] == pytest.approx(1.0, abs=1e-5), "what is heard begins with the first sample"
    player.reset()
    parts = np.concatenate([player.raised(part) for part in (x[:7], x[7:55], x[55:60], x[60:])])
    assert np.array_equal(parts, whole)
    player.reset()
    player.raised(x[:30])
    kept = player.state
    rest = player.raised(x[30:])
    player.state = kept
    assert np.array_equal(player.raised(x[30:]), rest)


def test_oversampling_keeps_a_resting_voltage():
    divider = circuit(Resistor("r", ("in", "out"), 1e3), VoltageSource("v9", ("b", "0"), 9.0), Resistor("s", ("out", "b"), 1e3))
    y = oversampled(lambda rate: NodalProcessor(divider, rate), RATE, 2).process(np.zeros(500))
    assert np.allclose(y, 4.5, atol=1e-4)


def test_capacitor_loops_and_inductor_cuts_are_solved_exactly():
    loop = circuit(Resistor("r", ("in", "a"), 1e4), Capacitor("c1", ("a", "0"), 1e-9), Capacitor("c2", ("a", "out"), 2e-9),
                   Capacitor("c3", ("out", "0"), 3e-9), Resistor("rl", ("out", "0"), 1e6))
    cut = circuit(Resistor("r", ("in", "a"), 1e3), Inductor("l1", ("a", "b"), 0.01), Inductor("l2", ("b", "out"), 0.02), Resistor("rl", ("out", "0"), 1e3))
    same = circuit(Resistor("r", ("in", "a"), 1e3), Inductor("l", ("a", "out"), 0.03), Resistor("rl", ("out", "0"), 1e3))
    x = example_signal(4800)
    processor = NodalProcessor(loop, RATE)
    assert processor.model.arrays.n_states == 2
    y = processor.process(x)
    s = 2j * np.pi * 1e3
    C = np.array([[3e-9, -2e-9], [-2e-9, 5e-9]])
    expected = np.linalg.solve(s * C + np.diag([1e-4, 1e-6]), [1e-4, 0.0])[1]
    assert np.isfinite(y).all() and frequency_response(loop, [1e3])[0, 0] == pytest.approx(expected, rel=1e-9)
    assert np.allclose(NodalProcessor(cut, RATE).process(x), NodalProcessor(same, RATE).process(x), rtol=0, atol=1e-12)


def test_transformers_with_perfect_coupling():
    ideal = circuit(Resistor("r", ("in", "p"), 100.0), IdealTransformer("x", ("p", "0", "out", "0"), 10.0), Resistor("rl", ("out", "0"), 8.0))
    f = np.array([1e3])
    assert frequency_response(ideal, f)[0, 0] == pytest.approx(800 / 900 / 10, rel=1e-12)
    coupled = circuit(Resistor("r", ("in", "p"), 100.0), Inductor("l1", ("p", "0"), 100.0), Inductor("l2", ("out", "0"), 1.0),
                      Coupling("k", ("l1", "l2"), 1.0), Resistor("rl", ("out", "0"), 8.0))
    assert frequency_response(coupled, f)[0, 0] == pytest.approx(800 / 900 / 10, rel=1e-3)
    y = NodalProcessor(coupled, RATE).process(np.sin(2 * np.pi * 1e3 * np.arange(9600) / RATE))
    assert np.max(np.abs(y[4800:])) == pytest.approx(800 / 900 / 10, rel=1e-2)


def test_nodes_between_nonlinear_parts_only():
    # two diodes in series: the node between them hangs on laws alone
    stack = circuit(Resistor("r", ("in", "out"), 1e3), Device("d1", ("out", "m"), DIODE), Device("d2", ("m", "0"), DIODE),
                    Device("d3", ("0", "k"), DIODE), Device("d4", ("k", "out"), DIODE))
    processor = NodalProcessor(stack, RATE, tolerance=1e-14)
    x = 5 * np.sin(2 * np.pi * 100 * np.arange(480) / RATE)
    y = processor.process(x)
    thermal = 1.752 * 1.38064852e-23 * 300.15 / 1.6021766208e-19  # CODATA 2014, as ngspice 39 has it
    for e, v in zip(x, y):
        assert (e - v) / 1e3 == pytest.approx(2 * 2.52e-9 * np.sinh(v / 2 / thermal), rel=1e-5, abs=2e-11)
    assert processor.run.bad_samples == 0


@pytest.mark.parametrize("sizes", [1, 7, 64, 4096])
def test_blocks_are_identical_to_the_last_bit(sizes):
    x = example_signal(3000, level=2.0)
    whole = NodalProcessor(clipper(), RATE).process(x)
    assert np.array_equal(in_blocks(NodalProcessor(clipper(), RATE), x, sizes), whole)


def test_a_turned_control_keeps_playing():
    processor = NodalProcessor(pot(), RATE)
    x = np.ones(2000)
    before = processor.process(x)[-1]
    processor.turn(gain=1.0)
    after = processor.process(x)
    assert before == pytest.approx(1e4 / (1e4 + 1e4 + 1), rel=1e-6)
    assert after[0] == pytest.approx(before, rel=0.5) and after[-1] == pytest.approx(1e4 / (1e5 + 1e4 + 1), rel=1e-6)


def test_behavioural_sources_and_time():
    cubic = Call("mul", (Number(1e-3), Call("pow", (Voltage("out"), Number(3.0)))))
    source = circuit(Resistor("r", ("in", "out"), 1e3), BehaviouralCurrent("b", ("out", "0"), cubic))
    y = NodalProcessor(source, RATE, tolerance=1e-14).process(np.linspace(-3, 3, 50))
    assert np.allclose((np.linspace(-3, 3, 50) - y) / 1e3, 1e-3 * y**3, rtol=1e-7, atol=1e-12)


def test_refusals_name_the_cause():
    with pytest.raises(TopologyError, match="closes a loop of voltage sources"):
        NodalProcessor(circuit(VoltageSource("v2", ("in", "0"), 1.0), Resistor("r", ("in", "out"), 1.0), Resistor("s", ("out", "0"), 1.0)), RATE)
    with pytest.raises(TopologyError, match="nodes a, out have no connection to ground"):
        NodalProcessor(circuit(Resistor("r", ("in", "0"), 1.0), Resistor("s", ("a", "out"), 1.0)), RATE)
    with pytest.raises(TopologyError, match="only current sources feed"):
        NodalProcessor(circuit(Resistor("r", ("in", "0"), 1.0), CurrentSource("i", ("out", "0"), 1.0)), RATE)
    with pytest.raises(TopologyError, match="output node nowhere does not exist"):
        NodalProcessor(circuit(Resistor("r", ("in", "0"), 1.0), outputs=("nowhere",)), RATE)
    with pytest.raises(RateError, match="sample rate"):
        NodalProcessor(clipper(), 0.0)
    with pytest.raises(CircuitError, match="no input"):
        NodalProcessor(Circuit((Resistor("r", ("a", "0"), 1.0),), outputs=("a",)), RATE)
    with pytest.raises(CircuitError, match="r: the parameter 'nope' is not defined"):
        NodalProcessor(circuit(Resistor("r", ("in", "out"), Name("nope")), Resistor("s", ("out", "0"), 1.0)), RATE)


@pytest.mark.parametrize("make", [clipper, pot], ids=["clipper", "pot"])
def test_the_emitted_kernel_equals_the_table(make):
    x = example_signal(4800, level=3.0)
    table = NodalProcessor(make(), RATE, kernel="table")
    fast = NodalProcessor(make(), RATE, kernel="emitted")
    slow = table.process(x)
    assert np.max(np.abs(fast.process(x) - slow)) <= 1e-12 * np.max(np.abs(slow))
    assert fast.run.iterations == table.run.iterations
    check_processor(lambda: NodalProcessor(make(), RATE, kernel="emitted"))


def test_a_kernel_compiled_aside_is_taken_by_the_next_start(tmp_path, monkeypatch):
    # a folder of its own stands for a machine on which this circuit was never played
    monkeypatch.setattr(store, "cache_folder", lambda: tmp_path)
    made = NodalProcessor(clipper(), RATE)
    assert made._fast is None and not compiled.is_compiled(made.model)
    compiled.compile_aside(made.model)
    deadline = time.monotonic() + 240.0
    while not compiled.is_compiled(made.model) and time.monotonic() < deadline:
        time.sleep(0.2)
    for process in compiled._aside:
        assert process.wait(60.0) == 0
    following = NodalProcessor(clipper(), RATE)
    assert following._fast is not None
    x = example_signal(1000)
    assert np.allclose(following.process(x), made.process(x), rtol=0, atol=1e-14)
