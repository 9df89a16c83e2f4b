"""Controls while the music plays: a low-rank update equals the circuit made anew, and a glide adds no zipper."""

import numpy as np
import pytest
from scipy import signal

from check_processor import in_blocks
from circuits.nodal.knots import Way
from circuits.nodal.processor import NodalProcessor
from circuits.nodal.turning import Turning
from netlists.library import find, names
from netlists.reader import read

RATE = 48000.0
TURNABLE = [name for name in names() if read(find(name)).controls]


@pytest.mark.parametrize("name", TURNABLE)
def test_a_turned_circuit_equals_one_made_there(name):
    circuit = read(find(name))
    x = circuit.level * np.sin(2 * np.pi * 440.0 * np.arange(240) / RATE)
    turned = NodalProcessor(circuit, RATE, tolerance=1e-14, kernel="table")
    rng = np.random.default_rng(1)
    for share in (0.0, 1.0, None):
        shares = rng.random(len(circuit.controls)) if share is None else np.full(len(circuit.controls), share)
        positions = {c.name: c.minimum + (round(s) if c.switch else s) * (c.maximum - c.minimum) for c, s in zip(circuit.controls, shares)}
        turned.turn(**positions)
        turned.reset()
        expected = NodalProcessor(circuit.turn(**positions), RATE, tolerance=1e-14, kernel="table").process(x)
        # operating points are known to a nanovolt at each port, which an amplifier amplifies
        assert np.max(np.abs(turned.process(x) - expected)) <= 1e-7 * np.max(np.abs(expected)) + 5e-9


def test_nearly_all_controls_take_the_low_rank_road():
    circuits = [read(find(name)) for name in TURNABLE]
    slow = {(name, knob.name) for name, circuit in zip(TURNABLE, circuits) for knob in circuit.controls
            if knob.name not in Turning(circuit, RATE, "trapezoidal").fast}
    assert len(slow) <= 5, slow  # speeds of oscillators and a gain: those build the equations anew


@pytest.mark.parametrize("name, control", [("tonestack_bassman", "treble"), ("big_muff", "volume"), ("tube_screamer", "level")])
def test_a_sweep_adds_no_zipper(name, control):
    # the control runs through its travel in 50 ms under a sine; against a circuit made anew for every sample, no line stands above -80 dB
    circuit = read(find(name))
    count = 2400  # 50 ms
    swept = NodalProcessor(circuit, RATE, glide=count / RATE)
    exact = NodalProcessor(circuit, RATE)
    knob = swept.controls[control]
    x = 0.01 * np.sin(2 * np.pi * 1000.0 * np.arange(4800 + count) / RATE)
    for processor in (swept, exact):
        processor.turn(**{control: knob.minimum})
        processor.reset()
        processor.process(x[:4800])
    swept.turn(**{control: knob.maximum})
    y = swept.process(x[4800:])
    z = np.empty(count)
    for n in range(count):
        exact.turn(**{control: knob.minimum + (n + 1) / count * (knob.maximum - knob.minimum)})
        z[n] = exact.process(x[4800 + n:4801 + n])[0]
    assert zipper(y, z) < -80.0
    assert swept.controls[control].position == knob.maximum


def zipper(heard, exact):
    """The strongest line that is too much, in dB of the strongest line."""
    window = signal.windows.blackmanharris(len(exact))
    return 20 * np.log10(np.abs(np.fft.rfft((heard - exact) * window)).max() / np.abs(np.fft.rfft(exact * window)).max() + 1e-20)


class Exact(Way):
    """A way with a knot at every sample: all is computed from its expression."""

    def __init__(self, start, goal, numbers, sample_rate, seconds, knot):
        super().__init__(start, goal, numbers, sample_rate, seconds, 1)


@pytest.mark.parametrize("name", TURNABLE)
def test_no_control_adds_a_line(name, monkeypatch):
    # every control of the library, through its travel in 50 ms at the level of its deck; the low-rank update itself is held against circuits
    # made anew by the other tests here
    circuit = read(find(name))
    count = 2400
    x = circuit.level * np.sin(2 * np.pi * 1000.0 * np.arange(1200 + count) / RATE)
    for knob in circuit.controls:
        heard = []
        for kind in (Way, Exact):
            monkeypatch.setattr("circuits.nodal.glide.Way", kind)
            processor = NodalProcessor(circuit.turn(**{knob.name: knob.minimum}), RATE, glide=count / RATE)
            processor.process(x[:1200])
            processor.turn(**{knob.name: knob.maximum})
            heard.append(np.atleast_2d(processor.process(x[1200:]))[0])
        assert np.abs(heard[1]).max() > 0.0 and zipper(*heard) < -80.0, knob.name


def test_a_glide_is_the_same_in_any_blocks():
    circuit = read(find("tonestack_bassman"))
    x = np.random.default_rng(3).standard_normal(4000)
    results = []
    for size in (1, 7, 64, 4000):
        processor = NodalProcessor(circuit, RATE, glide=0.02)
        processor.turn(treble=0.9, bass=0.1)
        results.append(in_blocks(processor, x, size))
    assert all(np.array_equal(results[0], other) for other in results[1:])
    at_once = NodalProcessor(circuit, RATE)
    at_once.turn(treble=0.9, bass=0.1)
    assert np.allclose(at_once.process(x)[3900:], results[0][3900:], atol=1e-3)
