"""A linear circuit from a netlist between learned stages: its response, its knobs, its parts in a fit, its place in a block file."""

import json
from dataclasses import replace

import numpy as np
import pytest
from check_processor import check_processor

import ampwright as aw
from circuits.controls import Control
from circuits.errors import CircuitError, ModelFileError
from circuits.nodal.processor import NodalProcessor
from circuits.nodal.response import frequency_response
from circuits.records import from_record, to_record
from graybox.blocks import Block, BlockProcessor
from graybox.chain import Static
from graybox.curves import Tanh
from graybox.fit import fit
from graybox.linear import LinearCircuit, ToneStack
from graybox.network import network
from graybox.store import load, save
from netlists.reader import read_text

RATE = 48000.0
STACKS = ("tonestack_bassman", "tonestack_fmv", "tonestack_baxandall", "rlc", "rc_lowpass")


def playing(seed: int, n: int = 6000) -> np.ndarray:
    return 0.5 * np.random.default_rng(seed).standard_normal(n)


@pytest.mark.parametrize("name", STACKS)
def test_the_transfer_function_is_that_of_the_circuit(name):
    found = network(aw.load(name))
    shares = {knob: 0.3 for knob in found.CONTROLS}
    f = np.geomspace(10.0, 20000.0, 60)
    wanted = frequency_response(found.placed(shares), f, sample_rate=RATE)[0]
    assert np.max(np.abs(LinearCircuit(found, RATE, tuple(shares.items())).response(f) - wanted)) < 1e-10 * max(1.0, np.max(np.abs(wanted)))


def test_a_block_with_a_circuit_in_it_plays_as_the_nodal_engine_does():
    circuit = aw.load("tonestack_bassman")
    found = network(circuit)
    knobs = tuple(Control(name, 0.0, 10.0, 5.0) for name in found.CONTROLS)
    player = BlockProcessor(Block((LinearCircuit(found, RATE),), RATE, knobs))
    player.turn(bass=2.0, treble=8.0)
    player.reset()
    placed = circuit.turn(**{c.name: c.minimum + {"bass": 0.2, "treble": 0.8}.get(c.name, 0.5) * (c.maximum - c.minimum) for c in circuit.controls})
    x = playing(1)
    wanted = NodalProcessor(placed, RATE).process(x)
    assert np.max(np.abs(player.process(x) - wanted)) < 1e-9 * np.max(np.abs(wanted))
    check_processor(lambda: BlockProcessor(Block((Static(Tanh(3.0)), LinearCircuit(found, RATE)), RATE, knobs)))


STACK = """Bassman stack, stiff source, no load
*@ input vin
*@ output out
*@ control treble
*@ control bass
*@ control middle
.param treble=0.5 bass=0.5 middle=0.5
Vin in 0 AC 1
C1 in t1 250p
R4 in x 56k
C2 x t2 20n
C3 x m 20n
Rtp t1 out {250k*(1-treble)}
Rtm out t2 {250k*treble}
Rb t2 b {1Meg*bass}
Rmp b m {25k*(1-middle)}
Rmm m 0 {25k*middle}
"""


def test_it_agrees_with_the_tone_stack_in_closed_form():
    closed = ToneStack(treble=250e3, bass=1e6, middle=25e3, slope=56e3, c1=250e-12, c2=20e-9, c3=20e-9, bass_bend=1.0)
    f = np.geomspace(20.0, 18000.0, 30)
    for shares in ({"treble": 0.5, "bass": 0.5, "middle": 0.5}, {"treble": 0.9, "bass": 0.2, "middle": 0.7}):
        ours, theirs = (LinearCircuit(stack, RATE, tuple(shares.items())).response(f) for stack in (network(read_text(STACK)), closed))
        assert np.max(np.abs(ours - theirs)) < 1e-9


def test_its_parts_are_fitted_at_several_positions():
    circuit = aw.load("tonestack_bassman")
    knobs = tuple(Control(name, 0.0, 10.0, 5.0) for name in ("bass", "middle", "treble"))
    free = tuple(e.name for e in circuit.elements if type(e).__name__ == "Capacitor")
    true = network(circuit, *free)
    assert len(true.component) == 3
    block = Block((Static(Tanh(3.0)), LinearCircuit(true, RATE)), RATE, knobs)
    places = [dict(bass=b, middle=m, treble=t) for b, m, t in ((5.0, 2.0, 8.0), (9.0, 5.0, 1.0))]
    xs = [playing(20 + i) for i in range(2)]
    ys = []
    for x, place in zip(xs, places):
        player = BlockProcessor(block)
        player.turn(**place)
        player.reset()
        ys.append(player.process(x))
    wrong = replace(true, component=tuple(np.array(true.component) * [1.4, 0.6, 1.2]))
    start = replace(block, stages=(Static(Tanh(2.0)), LinearCircuit(wrong, RATE)))
    result = fit(start, xs, ys, positions=places, sample_rate=RATE, rng=np.random.default_rng(0), finish=False, seconds=40.0)
    assert np.allclose(result.block.stages[1].network.component, true.component, rtol=1e-3)
    assert {f"stages[1].network.component[{name}]" for name in free} <= {one.name for one in result.estimates}


def test_a_block_file_holds_the_circuit(tmp_path):
    found = network(aw.load("tonestack_baxandall"))
    block = Block((LinearCircuit(found, RATE),), RATE, tuple(Control(name, 0.0, 10.0, 5.0) for name in found.CONTROLS))
    save(block, tmp_path / "b.json")
    again = load(tmp_path / "b.json")
    x = playing(2, 500)
    assert np.array_equal(BlockProcessor(again).process(x), BlockProcessor(block).process(x))


@pytest.mark.parametrize("harm, words", [
    (lambda c: c["elements"].append(["Diode", {}]), "no element of the kind 'Diode'"),
    (lambda c: c["elements"][0][1].update(colour="red"), "has no 'colour'"),
    (lambda c: c["elements"][0][1].pop("nodes"), "is damaged"),
    (lambda c: c["elements"][1][1].update(value=["system", 1.0]), "does not take|is damaged"),
    (lambda c: c["elements"][1][1].update(value={"a": 1}), "is no value of a circuit"),
    (lambda c: c.pop("title"), "needs elements, parameters"),
    (lambda c: c.update(controls=[{"name": "x", "minimum": 2.0, "maximum": 1.0}]), "is empty"),
])
def test_damaged_circuits_in_a_file_are_named(tmp_path, harm, words):
    block = Block((LinearCircuit(network(aw.load("rlc")), RATE),), RATE)
    save(block, tmp_path / "b.json")
    data = json.loads((tmp_path / "b.json").read_text())
    harm(data["stages"][0]["network"]["circuit"])
    (tmp_path / "b.json").write_text(json.dumps(data))
    with pytest.raises(ModelFileError, match=words):
        load(tmp_path / "b.json")


def test_what_is_not_linear_is_refused():
    with pytest.raises(CircuitError, match="is not linear"):
        network(aw.load("diode_clipper"))
    with pytest.raises(CircuitError, match="there is no element 'r99'"):
        network(aw.load("rlc"), "r99")
    record = to_record(network(aw.load("rlc")).circuit)
    assert to_record(from_record(record)) == record
