"""The wave engine as a Processor, controls on one path, overridden roots, refusals."""

from __future__ import annotations

import numpy as np
import pytest
from check_processor import check_processor, in_blocks
from scipy import signal

from circuits.circuit import Card, Circuit
from circuits.controls import Control
from circuits.elements import Capacitor, CurrentSource, Device, Inductor, Nullor, Resistor, VoltageSource
from circuits.errors import CircuitError, RateError, TopologyError
from circuits.expressions import Call, Name, Number
from circuits.nodal.processor import NodalProcessor
from circuits.waveforms import Waveform
from netlists.library import find
from netlists.reader import read
from wdf.glide import KNOT
from wdf.processor import WdfProcessor
from wdf.tree import derive, turned

RATE = 48000.0
DIODE = Card("d", "d", {"is": 2.52e-9, "n": 1.752})
VIN = VoltageSource("vin", ("in", "0"))


def share(control: str, ohms: float, below: bool):
    """One side of a potentiometer."""
    part = Name(control) if below else Call("sub", (Number(1.0), Name(control)))
    return Call("mul", (Number(ohms), part))


def bassman(treble: float = 0.5, bass: float = 0.5, middle: float = 0.5) -> Circuit:
    parts = (VIN, Resistor("rs", ("in", "a"), 38e3), Capacitor("c1", ("a", "t1"), 250e-12), Resistor("r4", ("a", "x"), 56e3),
             Capacitor("c2", ("x", "t2"), 20e-9), Capacitor("c3", ("x", "m"), 20e-9),
             Resistor("rtp", ("t1", "out"), share("treble", 250e3, False)), Resistor("rtm", ("out", "t2"), share("treble", 250e3, True)),
             Resistor("rb", ("t2", "m"), share("bass", 1e6, True)), Resistor("rmm", ("m", "0"), share("middle", 25e3, True)))
    controls = (Control("treble", 0.0, 1.0, treble), Control("bass", 0.0, 1.0, bass), Control("middle", 0.0, 1.0, middle))
    return Circuit(parts, controls=controls, input="vin", outputs=("out",))


def drive() -> Circuit:
    """A nullor with diodes and a pot in its feedback, and a supply that biases the input."""
    parts = (VIN, Capacitor("ci", ("in", "np"), 1e-7), VoltageSource("vb", ("b", "0"), dc=4.5), Resistor("rb", ("b", "np"), 1e6),
             Resistor("r4", ("nn", "z"), 4.7e3), Capacitor("c3", ("z", "0"), 47e-9),
             Resistor("r6", ("nn", "out"), Call("add", (Number(51e3), share("gain", 500e3, True)))),
             Capacitor("c4", ("nn", "out"), 51e-12), Device("d1", ("nn", "out"), DIODE), Device("d2", ("out", "nn"), DIODE),
             Nullor("x1", ("np", "nn", "out", "0")), Capacitor("co", ("out", "o2"), 1e-6), Resistor("rl", ("o2", "0"), 10e3))
    return Circuit(parts, controls=(Control("gain", 0.0, 1.0, 0.5),), input="vin", outputs=("o2", "out,np"))


@pytest.mark.parametrize("make", [bassman, drive])
def test_the_processor_suite(make):
    check_processor(lambda: WdfProcessor(make(), RATE))
    check_processor(lambda: WdfProcessor(make(), RATE, glide=0.01))


@pytest.mark.parametrize("make", [bassman, drive])
@pytest.mark.parametrize("rule", ["trapezoidal", "backward-euler"])
def test_turning_while_playing_agrees_with_the_nodal_engine(make, rule):
    rng = np.random.default_rng(4)
    waves, nodal = (engine(make(), RATE, tolerance=1e-14, rule=rule) for engine in (WdfProcessor, NodalProcessor))
    names = list(waves.controls)
    for _ in range(8):
        x = 0.3 * rng.standard_normal(200)
        a, b = waves.process(x), nodal.process(x)
        assert np.abs(a - b).max() <= 1e-9 * np.abs(b).max()
        position = {names[int(rng.integers(len(names)))]: float(rng.choice([0.0, 0.1, 0.6, 1.0]))}
        waves.turn(**position)
        nodal.turn(**position)


def test_turned_capacitors_and_coils_keep_their_companion_state():
    parts = (VIN, Resistor("r1", ("in", "a"), 1e3), Capacitor("c1", ("a", "b"), Name("c")), Resistor("r2", ("b", "0"), 10e3),
             Inductor("l1", ("b", "d"), Name("l")), Resistor("r3", ("d", "0"), 470.0), Resistor("r4", ("a", "d"), Name("r")))
    controls = (Control("c", 1e-9, 1e-6, 1e-7), Control("l", 1e-3, 1.0, 0.1), Control("r", 0.0, 1e5, 1e4))
    circuit = Circuit(parts, controls=controls, input="vin", outputs=("d", "a,b"))
    rng = np.random.default_rng(11)
    waves, nodal = WdfProcessor(circuit, RATE), NodalProcessor(circuit, RATE)
    for turn in ({"c": 1e-6}, {"l": 1.0}, {"r": 0.0}, {"c": 1e-9, "r": 50.0}, {"l": 2e-3}):
        x = rng.standard_normal(100)
        a, b = waves.process(x), nodal.process(x)
        assert np.abs(a - b).max() <= 1e-10 * np.abs(b).max()
        waves.turn(**turn)
        nodal.turn(**turn)


@pytest.mark.parametrize("turn, leaf, count", [({"middle": 0.7}, "rmm", 1), ({"bass": 0.1}, "rb", 2)])
def test_a_turned_pot_adapts_only_the_path_to_the_root(turn, leaf, count):
    tree = derive(bassman(), RATE)
    assert len(tree.fresh) == len(tree.adaptors) == 3
    again = turned(tree, bassman(**turn))
    part = tree.structure.part_of(leaf)
    path = [part.name]
    while (part := tree.structure.above(part)) is not None:
        path.append(part.name)
    assert list(again.fresh) == path and len(path) == count
    before = {adaptor.part.name: adaptor for adaptor in tree.adaptors}
    assert all(before[a.part.name] is a for a in again.adaptors if a.part.name not in again.fresh)
    anew = derive(bassman(**turn), RATE)
    for a, b in zip(again.adaptors, anew.adaptors):
        assert a.up == b.up and a.down == b.down


def test_the_root_can_be_chosen():
    x = np.random.default_rng(5).standard_normal(300)
    expected = WdfProcessor(bassman(), RATE).process(x)
    for name in ("c1", "rmm", "r4"):
        processor = WdfProcessor(bassman(), RATE, root=name)
        assert any(name in adaptor.part.edges for adaptor in processor.tree.roots)
        np.testing.assert_allclose(processor.process(x), expected, rtol=0, atol=1e-11 * np.abs(expected).max())
    free = WdfProcessor(drive(), RATE, tolerance=1e-14)
    moved = WdfProcessor(drive(), RATE, tolerance=1e-14, root="c3")
    np.testing.assert_allclose(moved.process(x), free.process(x), rtol=0, atol=1e-9)
    with pytest.raises(TopologyError, match="no port 'c9' to be the root"):
        WdfProcessor(bassman(), RATE, root="c9")


def test_waveforms_keep_time_with_the_audio():
    parts = (VIN, CurrentSource("i1", ("0", "a"), waveform=Waveform("sin", (1e-4, 1e-3, 500.0))), Resistor("r1", ("a", "in"), 1e3),
             Inductor("l1", ("a", "0"), 0.1), Capacitor("c1", ("a", "0"), 1e-7))
    circuit = Circuit(parts, input="vin", outputs=("a",))
    x = np.random.default_rng(6).standard_normal(400)
    a, b = WdfProcessor(circuit, RATE).process(x), NodalProcessor(circuit, RATE).process(x)
    assert np.abs(a - b).max() <= 1e-11 * np.abs(b).max()


def test_refusals_say_what_and_where():
    with pytest.raises(RateError, match="sample rate of 0"):
        WdfProcessor(bassman(), 0.0)
    with pytest.raises(CircuitError, match="no integration rule 'euler'"):
        WdfProcessor(bassman(), RATE, rule="euler")
    with pytest.raises(CircuitError, match="no input"):
        WdfProcessor(Circuit((VIN, Resistor("r", ("in", "0"), 1.0)), outputs=("in",)), RATE)
    loop = Circuit((VIN, VoltageSource("v2", ("in", "0")), Resistor("r", ("in", "0"), 1.0)), input="vin", outputs=("in",))
    with pytest.raises(TopologyError, match="v2 closes a loop of voltage sources"):
        WdfProcessor(loop, RATE)
    open_loop = Circuit((VIN, Resistor("r", ("in", "n"), 1e3), Nullor("x", ("n", "in", "out", "0")), Resistor("rl", ("out", "0"), 1e3)),
                        input="vin", outputs=("out",))
    with pytest.raises(TopologyError, match="x.* has no unique solution. Look for nodes that float, ideal op-amps without feedback"):
        derive(open_loop, RATE)


@pytest.mark.parametrize("name, control", [("tonestack_bassman", "treble"), ("big_muff", "volume"), ("tube_screamer", "level")])
def test_a_sweep_adds_no_zipper(name, control):
    # the control runs through its travel in 27 ms under a sine; against a tree adapted anew for every sample, no line stands above -80 dB
    circuit = read(find(name))
    count = 20 * KNOT
    swept = WdfProcessor(circuit, RATE, glide=count / RATE)
    exact = WdfProcessor(circuit, RATE)
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
    window = signal.windows.blackmanharris(count)
    zipper = np.abs(np.fft.rfft((y - z) * window)).max() / np.abs(np.fft.rfft(z * window)).max()
    assert 20 * np.log10(zipper) < -80.0
    assert swept.controls[control].position == knob.maximum


@pytest.mark.parametrize("make, position", [(bassman, {"treble": 0.9, "bass": 0.1}), (drive, {"gain": 0.05})])
def test_a_glide_is_the_same_in_any_blocks_and_arrives(make, position):
    x = 0.3 * np.random.default_rng(3).standard_normal(6000)
    results = []
    for size in (1, 7, 64, 6000):
        processor = WdfProcessor(make(), RATE, glide=0.02)
        processor.turn(**position)
        results.append(in_blocks(processor, x, size))
    assert all(np.array_equal(results[0], other) for other in results[1:])
    at_once = WdfProcessor(make(), RATE)
    at_once.turn(**position)
    expected = at_once.process(x)
    assert np.abs(results[0] - expected)[..., :900].max() > 1e-3
    assert np.allclose(results[0][..., 5900:], expected[..., 5900:], atol=1e-3)


def test_a_glide_that_is_turned_again_goes_on_from_where_it_is():
    tones = np.sin(2 * np.pi * 1000.0 * np.arange(4000) / RATE)
    processor = WdfProcessor(bassman(treble=0.0), RATE, glide=0.04)
    processor.process(tones)
    processor.turn(treble=1.0)
    half = processor.process(tones[:960])
    processor.turn(treble=0.0)
    back = processor.process(tones[960:])
    whole = np.concatenate([half, back])
    # a sine's second difference is (2 pi 1000 / 48000)^2 of it; a jump of the level would stand out of that
    assert np.abs(np.diff(whole, 2)).max() < 1.1 * (2 * np.pi * 1000.0 / RATE)**2 * np.abs(whole).max()
    assert np.abs(back[-100:]).max() < 0.8 * np.abs(whole).max()


def test_what_can_not_glide_is_turned_at_once():
    parts = (VIN, Resistor("r1", ("in", "a"), 1e4), Resistor("r2", ("a", "0"), Name("r")), Capacitor("c1", ("a", "0"), Name("c")))
    circuit = Circuit(parts, controls=(Control("c", 1e-9, 1e-6, 1e-7), Control("r", 0.0, 1e5, 1e4)), input="vin", outputs=("a",))
    x = np.random.default_rng(11).standard_normal(500)
    gliding, jumping = WdfProcessor(circuit, RATE, glide=0.01), WdfProcessor(circuit, RATE)
    for turn in ({"c": 1e-6}, {"c": 1e-7, "r": 2e4}, {"r": 0.0}):  # a short in a parallel adaptor is another tree
        gliding.turn(**turn)
        jumping.turn(**turn)
        assert np.array_equal(gliding.process(x), jumping.process(x))
    gliding.turn(r=1e3)  # from next to nothing there is a way
    jumping.turn(r=1e3)
    assert np.abs(gliding.process(x) - jumping.process(x)).max() > 1e-3
