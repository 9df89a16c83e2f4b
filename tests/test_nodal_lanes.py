"""Variants in vector lanes against each alone: equal to the solver's tolerance, whatever stands beside them, and counted alike."""

from pathlib import Path

import numpy as np
import pytest
from check_processor import example_signal

from circuits import batch, together
from circuits.batch import play_many
from circuits.circuit import Card, Circuit
from circuits.elements import BehaviouralCurrent, Capacitor, Device, Resistor, VoltageControlledVoltage, VoltageSource
from circuits.errors import ConvergenceError
from circuits.expressions import Call, Name, Number, Voltage
from circuits.kernels import store
from circuits.kernels.lanes import host_lanes
from circuits.nodal import transient
from circuits.nodal.lanes import lane_kernel, lane_path, process_lanes
from circuits.nodal.processor import NodalProcessor
from circuits.rate import oversampled
from circuits.together import Together
from netlists.library import find
from netlists.reader import read

RATE = 48000.0
DIODE = Card("d4148", "d", {"is": Name("leak"), "n": 1.752})


def clipper(gain=10.0):
    parts = (VoltageSource("vin", ("in", "0")), VoltageControlledVoltage("e", ("drv", "0", "in", "0"), Name("gain")), Resistor("r1", ("drv", "out"), 4700.0),
             Capacitor("c1", ("out", "0"), 47e-9), Device("d1", ("out", "0"), DIODE), Device("d2", ("0", "out"), DIODE))
    return Circuit(parts, parameters={"gain": gain, "leak": 2.52e-9}, input="vin", outputs=("out",))


def made(circuits, **options):
    return [NodalProcessor(one, RATE, kernel="table", **options) for one in circuits]


def variants(name, positions):
    circuit = read(find(name)) if isinstance(name, str) else name
    return [circuit.turn(**values) for values in positions]


CASES = {
    "fuzz_face": [{"fuzz": f, "volume": v} for f, v in ((0.1, 1.0), (0.5, 0.3), (0.9, 0.8), (1.0, 1.0), (0.7, 0.1))],
    "preamp_ab763": [{"treble": 0.1 * k, "bass": 1.0 - 0.1 * k} for k in range(1, 9)],
    "tremolo_optical": [{}] * 3,  # two blocks of ports, and time as an input
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("count", [4, 8])
def test_lanes_equal_single_processors(name, count):
    circuits = variants(name, CASES[name])[:count]
    x = circuits[0].level * example_signal(3000, level=2.0)
    signals = [x * (0.4 + 0.2 * k) for k in range(len(circuits))]
    alone, together = made(circuits), made(circuits)
    kernel = lane_kernel(together[0].model, count)
    for one, lane, out, signal in zip(alone, together, process_lanes(kernel, together, signals), signals):
        expected = one.process(signal)
        # an accepted sample may keep 0.1 microvolt at a port (TOLERANCE)
        assert np.max(np.abs(out - expected)) <= 1e-7 * max(1.0, np.max(np.abs(expected)))
        assert lane.run.samples == one.run.samples and lane.run.bad_samples == one.run.bad_samples == 0
        assert lane.run.iterations == pytest.approx(one.run.iterations, rel=2e-3) and abs(lane.run.worst_iterations - one.run.worst_iterations) <= 1
        assert lane.run.worst_residual <= 1e-7


def test_a_lane_does_not_depend_on_its_neighbours_nor_on_blocks():
    circuits = variants("fuzz_face", CASES["fuzz_face"])
    signals = [circuits[0].level * example_signal(3000, level=1.0 + k) for k in range(len(circuits))]
    whole = made(circuits)
    kernel = lane_kernel(whole[0].model)
    outs = process_lanes(kernel, whole, signals)
    single = made(circuits[2:3])
    assert np.array_equal(process_lanes(kernel, single, signals[2:3])[0], outs[2])
    blocks, parts = made(circuits[::-1]), []
    for start in range(0, 3000, 700):
        parts.append(process_lanes(kernel, blocks, [x[start:start + 700] for x in signals[::-1]]))
    for k, out in enumerate(outs[::-1]):
        assert np.array_equal(np.concatenate([part[k] for part in parts]), out)
    assert all(np.array_equal(a.state[name], b.state[name]) for a, b in zip(whole, blocks[::-1]) for name in ("h", "q", "p", "time"))


def arctangent(strength):
    """v + strength atan(20 v) = e: from far away Newton jumps to and fro for ever."""
    current = Call("mul", (Name("strength"), Call("atan", (Call("mul", (Number(20.0), Voltage("out"))),))))
    parts = (VoltageSource("vin", ("in", "0")), Resistor("r", ("in", "out"), 1.0), Capacitor("c", ("out", "0"), 1e-9), BehaviouralCurrent("b", ("out", "0"), current))
    return Circuit(parts, parameters={"strength": strength}, input="vin", outputs=("out",))


def cubic(strength):
    """v^3 - 2 v = e: from 0 to e = -2 Newton goes round in a circle."""
    current = Call("sub", (Call("mul", (Name("strength"), Call("pow", (Voltage("out"), Number(3.0))))), Call("mul", (Number(3.0), Voltage("out")))))
    parts = (VoltageSource("vin", ("in", "0")), Resistor("r", ("in", "out"), 1.0), BehaviouralCurrent("b", ("out", "0"), current))
    return Circuit(parts, parameters={"strength": strength}, input="vin", outputs=("out",))


def parabola(strength):
    """(v + 3)^2 - 9 strength = e: nothing solves it for e < -9 strength."""
    square = Call("pow", (Call("add", (Voltage("out"), Number(3.0))), Number(2.0)))
    current = Call("sub", (Call("sub", (square, Voltage("out"))), Call("mul", (Number(9.0), Name("strength")))))
    parts = (VoltageSource("vin", ("in", "0")), Resistor("r", ("in", "out"), 1.0), BehaviouralCurrent("b", ("out", "0"), current))
    return Circuit(parts, parameters={"strength": strength}, input="vin", outputs=("out",))


@pytest.mark.parametrize("make, x", [(parabola, -2.0 * (np.arange(60) > 20)), (arctangent, 30.0 * (np.arange(600) % 7 == 3)), (cubic, -2.0 * (np.arange(60) > 20))])
def test_samples_that_newton_misses_are_played_by_the_guarded_solver(make, x):
    circuits = [make(strength) for strength in (1e-3, 1.0, 5.0)]
    alone, together = made(circuits), made(circuits)
    outs = process_lanes(lane_kernel(together[0].model), together, [x] * 3)
    expected = [one.process(x) for one in alone]
    assert max(one.run.worst_iterations for one in alone) > transient.PLAIN  # beyond the plain solver's last try
    assert any(one.run.bad_samples for one in alone) == (make is parabola)
    for one, lane, out, wanted in zip(alone, together, outs, expected):
        assert np.max(np.abs(out - wanted)) <= 1e-7
        assert (lane.run.bad_samples, lane.run.bad_times, lane.run.worst_iterations) == (one.run.bad_samples, one.run.bad_times, one.run.worst_iterations)


def test_wide_blocks_are_eliminated_in_loops():
    circuits = variants("preamp_dr103", [{}, {}])
    signals = [circuits[0].level * example_signal(400, level=g) for g in (0.5, 2.0)]
    alone, together = made(circuits), made(circuits)
    outs = process_lanes(lane_kernel(together[0].model, 4), together, signals)
    for one, out, x in zip(alone, outs, signals):
        expected = one.process(x)
        assert np.max(np.abs(out - expected)) <= 1e-7 * np.max(np.abs(expected))


def test_together_mixes_lanes_wrappers_and_others():
    circuits = [clipper(gain) for gain in (1.0, 5.0, 20.0)]
    lane_kernel(NodalProcessor(circuits[0], RATE).model)
    linear = read(find("tonestack_bassman"))

    def all_of_them():
        return [*(oversampled(lambda rate: NodalProcessor(one, rate, kernel="table"), RATE, 2) for one in circuits[:2]), NodalProcessor(linear, RATE),
                NodalProcessor(circuits[2], RATE, kernel="table")]

    x = example_signal(900)
    alone, together = all_of_them(), all_of_them()
    group = Together(together)
    for start in (0, 300, 600):
        outs = group.process([x[start:start + 300]] * 4)
        for one, out in zip(alone, outs):
            assert np.allclose(out, one.process(x[start:start + 300]), rtol=0.0, atol=1e-9)
        alone[0].turn()
    assert [one.run.samples for one in together] == [1800, 1800, 900, 900]
    assert sorted(len(some) for some, kernel in group._groups if kernel) == [1, 2]


def test_play_many_takes_lanes_for_tolerances(monkeypatch):
    circuit = clipper()
    lane_kernel(NodalProcessor(circuit, RATE).model)
    values = [{"gain": 10.0 + k, "leak": 2.52e-9 * (1.0 + 0.02 * k)} for k in range(host_lanes() + 3)]
    x = example_signal(1000)
    used = []
    monkeypatch.setattr(together, "process_lanes", lambda kernel, processors, signals: used.append(len(processors)) or process_lanes(kernel, processors, signals))
    told = []
    found = play_many(circuit, x, RATE, values, jobs=1, progress=lambda share, text: told.append(share))
    assert used == [host_lanes(), 3] and told[-1] == 1.0 and [one.values for one in found] == values
    for one in found:
        assert np.max(np.abs(one.samples - NodalProcessor(batch.vary(circuit, one.values), RATE).process(x))) <= 1e-9
    assert not used[2:] and len(play_many(circuit, x, RATE, values[:3], jobs=1)) == 3 and len(used) == 2  # three are as quick one by one


def test_a_strict_lane_and_one_that_is_not_finite_raise_as_alone():
    circuits = [clipper(), clipper()]
    together = made(circuits)
    with np.errstate(all="ignore"), pytest.raises(ConvergenceError, match="not finite at 0.0"):
        process_lanes(lane_kernel(together[0].model), together, [example_signal(100), 1e308 * example_signal(100)])


def test_lanes_are_compiled_once_for_all_positions():
    path = lane_path(NodalProcessor(read(find("fuzz_face")), RATE).model)
    turned = read(find("fuzz_face")).turn(fuzz=0.123)
    assert lane_path(NodalProcessor(turned, 96000.0).model) == path and isinstance(path, Path)
    lane_kernel(NodalProcessor(turned, RATE).model)
    assert store.is_compiled(path)
