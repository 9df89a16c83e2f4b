"""Fit of a block to a dataset with knobs, with a circuit between its learned stages."""

import json

import numpy as np
import pytest

import ampwright as aw
from ampwright.commands.main import run
from ampwright.takes import takes
from circuits.errors import CircuitError, FitError, SignalError
from validation.audio import write_audio

STACK = """C1 {0} t1 500p
R4 {0} x 33k
C2 x t2 22n
C3 x m 22n
Rtp t1 out {{220k*(1-treble)+1}}
Rtm out t2 {{220k*treble+1}}
Rb t2 b {{1Meg*bass+1}}
Rm b 0 10k
Rmm m 0 10k
Rload out 0 1Meg
"""
HEAD = "{}\n*@ input vin\n*@ output out\n*@ control treble\n*@ control bass 0 1 taper=log\n.param treble=0.5 bass=0.1\nVin in 0 AC 1\n"


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """An amplifier of one stage and a stack as a dataset, and the stack alone."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "amp.cir").write_text(HEAD.format("amp") + "B1 a 0 V=2*tanh(3*V(in)+0.3)\n" + STACK.format("a"))
    (tmp_path / "stack.cir").write_text(HEAD.format("stack") + STACK.format("in"))
    write_audio("dry.wav", np.random.default_rng(5).permutation(100000) / 60000.0 - 0.8, 48000)  # no sample twice
    assert run(["dataset", "amp.cir", "dry.wav", "-n", "5", "-o", "set", "--seed", "1", "--hold", "0.2", "--oversample", "1"]) == 0
    return tmp_path


def test_a_dataset_is_fitted_with_its_stack_between(desk, capsys):
    capsys.readouterr()
    code = run(["fit", "set", "-o", "amp.json", "--blocks", "wh", "--stack", "stack.cir", "--free", "r4", "--seconds", "12", "--json"])
    out, err = capsys.readouterr()
    assert code == 0, err
    told = json.loads(out)
    assert told["held_out_esr"] < 1e-3 and told["test_esr"] < 1e-3 and told["unseen_esr"] < 3e-3
    block = aw.load("amp.json")
    assert set(block.controls) == {"treble", "bass"}
    x = 0.4 * np.random.default_rng(9).standard_normal(20000)
    played = aw.simulate("amp.json", x, 48000.0, controls={"treble": 0.9, "bass": 0.7}).samples
    target = aw.simulate("amp.cir", x, 48000.0, controls={"treble": 0.9, "bass": 0.7}).samples
    assert np.sum((played - target)[2000:] ** 2) < 5e-3 * np.sum(target[2000:] ** 2)


def test_refusals(desk):
    with pytest.raises(FitError, match="the knobs treble, bass would turn nothing in the block. Give --stack"):
        aw.fit("set", None, blocks="wh")
    with pytest.raises(CircuitError, match="is not linear"):
        aw.fit("set", None, blocks="wh", stack="diode_clipper")
    with pytest.raises(SignalError, match="has its targets within"):
        aw.fit("set", "dry.wav", blocks="wh")
    with pytest.raises(SignalError, match="there is no target"):
        aw.fit("dry.wav", None, blocks="wh")
    (desk / "set" / json.loads((desk / "set" / "dataset.json").read_text())["items"][2]["file"]).unlink()
    with pytest.raises(SignalError, match="1 renderings are missing"):
        aw.fit("set", None, blocks="wh", stack="stack.cir")


def test_takes_never_hear_the_test(desk):
    found = takes("set", most=2)
    assert found.sample_rate == 48000.0 and {one.taper for one in found.controls} == {"lin"}
    assert len({tuple(one.items()) for one in found.positions}) == 2 and "2 of 4 positions" in found.notes[0]
    heard = {sample.tobytes() for x in found.xs for sample in x}
    for one in found.tests:
        assert not heard & {sample.tobytes() for sample in one.x[one.skip:]}
