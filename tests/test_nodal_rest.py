"""Circuits that only just rest: nodes between parts that all block, formulas that are only sane near a sane point, and what has no rest at all."""

import shutil
import subprocess

import numpy as np
import pytest

from ampwright.simulation import simulate
from circuits.errors import ConvergenceError
from circuits.kernels.operations import exponential
from circuits.nodal.equations import assemble
from circuits.nodal.homotopy import WAYS
from circuits.nodal.operating import _search, operating_point, starting_point
from circuits.nodal.processor import NodalProcessor
from circuits.reduce import reduce
from netlists.library import find
from netlists.reader import read, read_text
from netlists.writer import write
from wdf.processor import WdfProcessor

BRIDGE = """mains through a bridge: nothing but blocking diodes ties the winding to the circuit between two crests
V1 a b SIN(0 308 50)
Rv a c 1
D1 c p D
D2 b p D
D3 0 c D
D4 0 b D
C1 p 0 22u
R1 p 0 22k
*@ input none
*@ output p
"""
OPEN_PIN = "a clamp to a rail that nobody connected\nVin in 0 AC 1\nR1 in out 10k\nD1 out rail D\nD2 out 0 D\nC1 out 0 10n\n*@ output out\n"


def test_a_bridge_without_a_ground_of_its_own(tmp_path):
    """ngspice 39 gives up at the first crest ("timestep too small; trouble with node b"); with 1 Gohm across two diodes it goes on, and that is the measure."""
    circuit = read_text(BRIDGE)
    player = NodalProcessor(circuit, 192000.0)
    ours = player.process(np.zeros(9600))
    assert player.run.bad_samples == 0 and 290.0 < ours[-1] < 308.0
    if shutil.which("ngspice") is None:
        pytest.skip("ngspice is not installed")
    deck = write(circuit).replace(".end\n", "ra 0 c 1g\nrb 0 b 1g\n.control\nset wr_singlescale\noption reltol=1e-5\ntran 5u 50m 0 5u\nlinearize\nwrdata r.txt v(p)\n.endc\n.end\n")
    (tmp_path / "d.cir").write_text(deck)
    subprocess.run(["ngspice", "-b", "d.cir"], cwd=tmp_path, capture_output=True, timeout=60)
    t, theirs = np.loadtxt(tmp_path / "r.txt").T
    there = np.interp(np.arange(9600) / 192000.0, t, theirs)
    assert np.sum((ours - there) ** 2) < 1e-6 * np.sum(there**2)


@pytest.mark.parametrize("engine", [NodalProcessor, WdfProcessor])
def test_a_node_that_only_a_blocking_diode_reaches(engine):
    """The diode to the open rail carries nothing, so that the circuit is the one without it."""
    x = 0.3 * np.sin(2.0 * np.pi * 440.0 * np.arange(2400) / 48000.0)
    player = engine(read_text(OPEN_PIN), 48000.0)
    found = player.process(x)
    wanted = engine(read_text(OPEN_PIN.replace("D1 out rail D\n", "")), 48000.0).process(x)
    assert player.run.bad_samples == 0 and np.max(np.abs(found - wanted)) < 1e-7, "the leak through 10k"


def rest(deck: str):
    return operating_point(assemble(reduce(read_text(deck))))


def test_a_formula_that_overflows_where_the_search_begins():
    """A screen current as in circulating pentodes: V(g)/V(screen) asks for exp(1e33) while the screen still stands at 0 V."""
    deck = ("overflow\nVin g 0 DC 0.5 AC 1\nV1 p 0 200\nR1 p s 10k\n"
            "B1 s 0 I=1e-5*ln(1+exp((1/71+V(g)/V(s))*7397))*u(V(s))\n*@ input vin\n*@ output s\n")
    point = rest(deck)
    volts = point.voltage("s")
    assert np.isfinite(exponential(1e40)) and 0.0 < volts < 200.0
    assert (200.0 - volts) / 1e4 == pytest.approx(1e-5 * np.logaddexp(0.0, (1 / 71 + 0.5 / volts) * 7397.0), rel=1e-6)


def test_a_gate_far_away_doubles_its_steps():
    """370 V from where the search begins: more steps of some volts than anybody allows."""
    point = rest("far\nVin g 0 DC 370 AC 1\nM1 d g s s MX\nVd d 0 400\nRs s 0 10k\n.model MX NMOS(VTO=2 KP=1m)\n*@ output s\n")
    volts = point.voltage("s")
    assert volts / 1e4 == pytest.approx(0.5e-3 * (370.0 - volts - 2.0) ** 2, rel=1e-6)


NO_REST = "no rest: what a comparator of its own output asks for, held by a capacitor\nVin in 0 AC 1\nB1 a 0 V=if(V(out)>0.5,0,1)\nR1 a out 1k\nC1 out 0 1u\nR2 in out 1g\n*@ output out\n"


def test_what_has_no_operating_point_starts_from_zero_and_says_so():
    circuit = read_text(NO_REST)
    with pytest.raises(ConvergenceError, match="no operating point was found"):
        rest(NO_REST)
    point = starting_point(assemble(reduce(circuit)))
    assert point.method == "none found, from zero" and abs(point.voltage("out")) < 1e-6
    with pytest.raises(ConvergenceError, match="no operating point was found"):
        starting_point(assemble(reduce(circuit)), strict=True)
    played = simulate(circuit, np.zeros(24), 48000.0)
    charge = 1.0 - np.exp(-np.arange(24) / 48000.0 / 1e-3)
    assert np.max(np.abs(played.samples - charge)) < 0.011, "the capacitor charges from empty; the step lies between two samples"
    assert any("no operating point was found" in note for note in played.notes)
    with pytest.raises(ConvergenceError, match="no operating point was found"):
        simulate(circuit, np.zeros(24), 48000.0, strict=True)


RELAXATION = """an oscillator of a comparator without memory: its feedback lets go at once, at a fold of the equations
B1 o 0 V=5*tanh(1e3*V(p,n))
R1 o p 10k
R2 p 0 10k
R3 o n 10k
C1 n 0 47n IC=0.1
.ic V(n)=0.1
*@ input none
*@ output o n
"""


def test_an_oscillator_of_a_comparator_falls_from_fold_to_fold():
    """Closed form: period 2 R C ln((1 + b) / (1 - b)) with b = 1/2; at 192 kHz every edge is late by less than a sample."""
    player = NodalProcessor(read_text(RELAXATION), 192000.0)
    square, _ = player.process(np.zeros(38400))
    assert player.run.bad_samples == 0 and np.max(np.abs(square)) == pytest.approx(5.0, rel=1e-3)
    rising = np.flatnonzero((square[1:] > 0.0) & (square[:-1] <= 0.0))[5:]
    period = np.mean(np.diff(rising)) / 192000.0
    assert period == pytest.approx(2.0 * 10e3 * 47e-9 * np.log(3.0), abs=2.0 / 192000.0)


@pytest.mark.parametrize("name", ["fuzz_face", "preamp_2203"])
def test_each_way_alone_comes_to_the_same_rest(name):
    """What stands behind plain Newton is hardly ever asked: here each way has to find the rest from nothing."""
    equations = assemble(read(find(name)))
    rest = operating_point(equations)
    assert rest.method == "newton"
    for way in WAYS[2:]:
        search, A, rhs, q = _search(equations, None)
        x, _ = way(search, A, rhs, q)
        assert search.iterations > rest.iterations
        np.testing.assert_allclose(x, rest.x, rtol=1e-9, atol=1e-9, err_msg=way.__name__)
