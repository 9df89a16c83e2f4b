"""Decks that go out come back the same, and ngspice gives the written deck the result of the original."""

import math
import shutil
import subprocess

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.circuit import Card, Circuit
from circuits.controls import Control
from circuits.devices.families import place
from circuits.elements import (BehaviouralCurrent, BehaviouralVoltage, Capacitor, Coupling, CurrentControlledCurrent, CurrentControlledVoltage,
                               CurrentSource, Device, IdealTransformer, Inductor, Nullor, Resistor, VoltageControlledCurrent,
                               VoltageControlledVoltage, VoltageSource)
from circuits.expressions import Call, Current, Name, Number, Time, Voltage, evaluate, transform
from circuits.nodal.equations import assemble
from circuits.nodal.operating import operating_point
from circuits.waveforms import Waveform
from netlists import library
from netlists.reader import read, read_text
from netlists.tubes import written_out
from netlists.writer import write
from test_netlists_drawings import CLIPPER
from test_netlists_livespice import PEDAL

NGSPICE = shutil.which("ngspice")
needs_ngspice = pytest.mark.skipif(NGSPICE is None, reason="ngspice is not installed; the round trips of this file need none")


def ngspice(deck: str, command: str, vectors: list[str], folder) -> np.ndarray:
    """Columns of vectors after a command, shape (len(vectors), n)."""
    body = deck.rstrip().removesuffix(".end")
    control = f".control\nset wr_singlescale\nset numdgt=15\n{command}\nwrdata result.txt {' '.join(vectors)}\n.endc\n.end\n"
    (folder / "deck.cir").write_text(body + control)
    done = subprocess.run([NGSPICE, "-b", "deck.cir"], cwd=folder, capture_output=True, text=True, timeout=60)
    assert (folder / "result.txt").exists(), done.stdout[-1500:] + done.stderr[-1500:] + deck
    return np.loadtxt(folder / "result.txt", ndmin=2).T[1:]


def moved(expression, voltages):
    """Value of an expression at node voltages, currents 0.3 A and time 0.2 s."""
    def change(part):
        if isinstance(part, Voltage):
            return Number(voltages[part.plus] - voltages.get(part.minus, 0.0))
        return Number(0.3) if isinstance(part, Current) else Number(0.2) if isinstance(part, Time) else None
    return evaluate(transform(expression, change), {"p": 3.0, "q": 2.5})


@pytest.mark.parametrize("name", library.names())
def test_library_round_trip(name):
    circuit = read(library.find(name))
    text = write(circuit)
    back = read_text(text, strict=True)
    assert write(back) == text, "writing is a fixed point"
    assert (back.input, back.outputs, back.level, len(back.elements)) == (circuit.input, circuit.outputs, circuit.level, len(circuit.elements))
    assert [(c.name, c.minimum, c.maximum, c.taper, c.label, c.unit, c.switch) for c in back.controls] == [
        (c.name, c.minimum, c.maximum, c.taper, c.label, c.unit, c.switch) for c in circuit.controls]
    for control, other in zip(circuit.controls, back.controls):
        assert other.position == pytest.approx(control.position, rel=1e-9, abs=1e-12)
    for element, other in zip(circuit.bound().elements, back.bound().elements):
        if isinstance(element, (Resistor, Capacitor, Inductor)):
            assert other.value == pytest.approx(element.value, rel=1e-12)


@needs_ngspice
@pytest.mark.parametrize("name", ["big_muff", "preamp_2203", "champ_5f1", "tube_screamer"])
def test_ngspice_hears_no_difference(name, tmp_path):
    path = library.find(name)
    circuit = read(path)
    run, vectors = "option reltol=1e-6 vntol=1e-9 abstol=1e-13\ntran 1u 4m 0 1u\nlinearize", [f"v({circuit.outputs[0]})"]
    original = ngspice(path.read_text(), run, vectors, tmp_path)
    (tmp_path / "result.txt").unlink()
    written = ngspice(write(circuit), run, vectors, tmp_path)
    assert original.shape == written.shape and np.ptp(original) > 1e-3
    # the order of the equations differs, and with it ngspice's choice of time steps: its truncation error at 1 us is what is left
    assert np.max(np.abs(original - written)) < 2e-5 * np.ptp(original)


def example() -> Circuit:
    """One of everything that has a law of its own, built in Python without any text."""
    v = Voltage
    mixed = Call("add", (Call("limit", (v("a"), Number(-1.0), Number(1.0))), Call("add", (Call("pwrs", (v("b"), Number(1.5))), Call("pow", (v("b"), Number(3.0)))))))
    chosen = Call("if", (Call("and", (Call("gt", (v("a"), Number(0.5))), Call("not", (Call("lt", (v("b"), Number(-9.0))),)))),
                         Call("uramp", (v("a", "b"),)), Call("neg", (Call("round", (v("a"),)),))))
    return Circuit((
        VoltageSource("supply", ("a", "0"), 2.0, 1.0, 45.0, Waveform("sin", (2.0, 0.1, 1000.0))), Resistor("load", ("a", "b"), Call("mul", (Name("x1.r"), Number(2.0)))),
        Resistor("r2", ("b", "0"), 1000.0), Capacitor("c1", ("b", "0"), 1e-9, 0.5), Inductor("l1", ("b", "c"), 1e-3), Inductor("l2", ("d", "0"), 2e-3),
        Inductor("l3", ("e", "0"), 2e-3), Coupling("k", ("l1", "l2", "l3"), 0.5), Resistor("r3", ("c", "0"), 500.0), Resistor("r4", ("d", "0"), 500.0),
        Resistor("r5", ("e", "0"), 500.0), CurrentSource("i1", ("0", "d"), 1e-3), VoltageControlledVoltage("gain", ("f", "0", "a", "b"), 3.0),
        Resistor("r6", ("f", "g"), 100.0), Resistor("short", ("g", "h"), 0.0), Resistor("r7", ("h", "0"), 100.0),
        VoltageControlledCurrent("g1", ("h", "0", "a", "0"), 1e-3), CurrentControlledCurrent("f1", ("h", "0"), "supply", 0.5),
        CurrentControlledVoltage("h1", ("x#1", "0"), "supply", 10.0), Resistor("r8", ("x#1", "0"), 1e3), BehaviouralVoltage("b1", ("+9v", "0"), mixed),
        Resistor("r9", ("+9v", "0"), 1e3), BehaviouralCurrent("b2", ("y", "0"), chosen), Resistor("r10", ("y", "0"), 1e3), Nullor("u1", ("a", "m", "o", "0")),
        Resistor("r11", ("o", "m"), 1e3), Resistor("r12", ("m", "0"), 1e3), IdealTransformer("t1", ("f", "0", "s", "0"), 2.0), Resistor("r13", ("s", "0"), 8.0),
        Device("x1.d", ("a", "z"), Card("x1.dx", "d", {"is": 1e-14, "n": Name("x1.r")}), {"area": 2.0}), Resistor("r14", ("z", "0"), 1e3),
        VoltageSource("vh", ("hh", "0"), 9.0), VoltageSource("vl", ("ll", "0"), -9.0), Resistor("rof", ("oo", "om"), 1e4), Resistor("rom", ("om", "0"), 1e4),
        Device("u2", ("b", "om", "hh", "ll", "oo"), Card("tl072", "opamp", {"gbw": 3e6, "slew": 13e6}), {}), Device("u3", ("a", "o2", "o2"), Card("oa", "opamp_ideal", {}), {}),
        Resistor("ro2", ("o2", "0"), 1e4), Device("v4", ("pp", "pr"), Card("gz34", "rectifier", {"k": 3e-3}), {}), Resistor("rpr", ("pr", "0"), 1e4),
        Device("s1", ("a", "sa", "a", "0"), Card("swx", "vswitch", {"von": 1.0, "voff": 0.5, "ron": 100.0}), {}), Resistor("rsa", ("sa", "0"), 100.0),
        VoltageSource("vp", ("pp", "0"), 250.0), Resistor("rp", ("pp", "p"), 1e5), Device("v1", ("p", "a", "k"), Card("12ax7", "triode", {"vct": 0.2})),
        Resistor("rk", ("k", "0"), 1500.0), Resistor("rp2", ("pp", "p2"), 1e4), Device("v2", ("p2", "pp", "0", "k2"), Card("el34", "pentode", {"ccg": 1e-11})),
        Resistor("rk2", ("k2", "0"), 470.0), Resistor("rp3", ("pp", "p3"), 1e5), Device("v3", ("p3", "a", "k3"), Card("dz", "triode_dz", {})), Resistor("rk3", ("k3", "0"), 1e3)),
        {"x1.r": Call("add", (Name("knob"), Number(0.5))), "time": 3.0}, (Control("knob", 0.0, 2.0, 1.0, "log", "A \"knob\"", "%"),), "supply", ("b", "a,b"), 0.5, 35.0,
        nodeset={"p": 100.0}, title="everything")


@pytest.mark.parametrize("title", ["*ng_script", "* *ng_script", ".title *ng_script", "*#shell true", "*@ input none"])
def test_a_title_or_label_is_no_line_that_spice_would_run(title):
    label = "x" + "".join(f"{gap}.control" for gap in "\n\r\x0b\x0c\x1c\x85\u2028")
    circuit = Circuit((VoltageSource("v1", ("in", "0"), 1.0), Resistor("r1", ("in", "0"), Name("k"))), {"k": 1e3}, (Control("k", 1e3, 2e3, 1e3, "lin", label, label),),
                      title=title)
    lines = write(circuit).splitlines()
    assert lines[0][0].isalpha() and [line.split()[0] for line in lines[1:]] == [".param", "*@", "v1", "r1", ".end"]


def test_a_circuit_built_in_python_comes_back():
    circuit = example()
    back = read_text(write(circuit), strict=True)
    wanted, found = operating_point(assemble(circuit.bound())), operating_point(assemble(back.bound()))
    assert back.outputs == circuit.outputs and back.temperature == 35.0 and back.input == "v.supply"
    assert back.control("knob").label == "A 'knob'" and back.control("knob").position == pytest.approx(1.0)
    for node in (*"abcdefhsyomz", "oo", "o2", "pr", "sa"):
        assert found.voltage(node) == pytest.approx(wanted.voltage(node), rel=1e-6, abs=1e-9), node
    for node in ("p", "k", "p2", "k2", "p3", "k3"):  # the tube's grid is a junction behind a resistor here, and Wright's omega there
        assert found.voltage(node) == pytest.approx(wanted.voltage(node), rel=1e-6), node


@needs_ngspice
def test_ngspice_runs_a_circuit_built_in_python(tmp_path):
    circuit = example()
    rest = operating_point(assemble(circuit.bound()))
    nodes = ["a", "b", "c", "d", "e", "f", "h", "s", "y", "o", "m", "z", "p", "k", "p2", "k2", "p3", "k3", "oo", "o2", "pr", "sa"]
    found = ngspice(write(circuit), "option reltol=1e-6\nop", [f"v({node})" for node in nodes] + ["v(_9v)", "v(x_1)"], tmp_path)[:, 0]
    wanted = [rest.voltage(node) for node in [*nodes, "+9v", "x#1"]]
    assert found == pytest.approx(wanted, rel=2e-5, abs=1e-6)


# what other programs draw: a pedal of LTspice's and of LiveSPICE's, a deck with everything that stands in
DRAWN = {"LTspice": CLIPPER, "LiveSPICE": PEDAL, "stand-ins": """t
Vin in 0 DC 0.5 AC 1
X1 in x vp vm x TL072
X2 p g 0 12AX7
X3 in 0 w pot Rt=10k SET=.3
R1 w out {r*1k}
.param r=3
D1 out 0 1N4148
Q1 c b 0 BC849C
Rb b x 100k
Rc c vp 10k
Rg g x 1Meg
Rp p vb 100k
Vb vb 0 250
Vp vp 0 9
Vm vm 0 -9
A1 0 in 0 0 0 0 a 0 OTA G=1m Iout=1m
Ra a 0 1k
E1 l 0 LAPLACE {V(in)} = {1/(1+s/1k)}
Rl l 0 1k
"""}


@needs_ngspice
@pytest.mark.parametrize("name", DRAWN)
def test_ngspice_runs_what_others_drew(name, tmp_path):
    circuit = read_text(DRAWN[name])
    rest = operating_point(assemble(circuit.bound()))
    nodes = [node for node in circuit.nodes if node.replace("_", "").isalnum()]
    assert len(nodes) >= 2
    found = ngspice(write(circuit), "option reltol=1e-6\nop", [f"v({node})" for node in nodes], tmp_path)[:, 0]
    assert found == pytest.approx([rest.voltage(node) for node in nodes], rel=2e-5, abs=2e-6)


@pytest.mark.parametrize("card, pins", [(Card("t", "triode", {"mu": 90.0, "vct": 0.3}), ("p", "g", "k")), (Card("t", "triode_dz", {}), ("p", "g", "k")),
                                        (Card("t", "pentode", {"mu": 9.0}), ("p", "s", "g", "k"))])
def test_written_tubes_have_the_plate_current_of_their_laws(card, pins):
    device = Device("v1", pins, card, {"m": 2.0})
    law = place(device).laws[0]
    rng = np.random.default_rng(3)
    for _ in range(200):
        voltages = {"p": rng.uniform(0.0, 400.0), "g": rng.uniform(-5.0, 1.0), "s": rng.uniform(1.0, 300.0), "k": 0.0}
        law_inputs = [voltages[a] - voltages[b] for a, b in law.inputs]
        currents = law.law.function.py_func(*law_inputs, law.constants) if hasattr(law.law.function, "py_func") else law.law.function(*law_inputs, law.constants)
        for name, pair, current in zip(law.law.currents, law.currents, currents):
            part = {"i_p": "v1.plate", "i_s": "v1.screen", "i_g": "v1.grid"}[name]
            made = [element for element in written_out(device) if element.name == part]
            if made:
                assert made[0].nodes == pair
                assert moved(made[0].expression, voltages) == pytest.approx(current, rel=1e-9, abs=1e-18)


LEAVES = st.one_of(st.floats(-3.0, 3.0).map(lambda x: Number(round(x, 2))), st.sampled_from([Voltage("a"), Voltage("a", "b"), Name("p"), Name("q"), Time(), Current("v1")]))
UNARY = ["neg", "abs", "sgn", "sqrt", "exp", "sin", "cos", "atan", "tanh", "u", "uramp", "floor", "ceil", "int", "round", "not", "cosh", "asinh"]
BINARY = ["add", "sub", "mul", "div", "min", "max", "pow", "pwr", "pwrs", "lt", "gt", "le", "ge", "eq", "ne", "and", "or", "xor", "atan2", "hypot", "mod"]
TREES = st.recursive(LEAVES, lambda inner: st.one_of(
    st.builds(lambda name, a: Call(name, (a,)), st.sampled_from(UNARY), inner), st.builds(lambda name, a, b: Call(name, (a, b)), st.sampled_from(BINARY), inner, inner),
    st.builds(lambda name, a, b, c: Call(name, (a, b, c)), st.sampled_from(["if", "limit", "uplim", "dnlim"]), inner, inner, inner)), max_leaves=8)


@settings(max_examples=400, derandomize=True, deadline=None, database=None)
@given(TREES, st.floats(-3.0, 3.0), st.floats(-3.0, 3.0))
def test_formulas_read_back_to_the_same_value(tree, a, b):
    voltages = {"a": a, "b": b}
    try:
        wanted = moved(tree, voltages)
    except ArithmeticError:
        return
    except ValueError:
        return  # a division by zero or the like: nothing to compare
    circuit = Circuit((VoltageSource("v1", ("a", "0")), Resistor("r1", ("a", "b"), 1.0), BehaviouralVoltage("b1", ("b", "0"), tree)), {"p": 3.0, "q": 2.5}, input="v1",
                      outputs=("b",))
    try:
        element = read_text(write(circuit)).element("b1")
        found = moved(element.expression, voltages) if isinstance(element, BehaviouralVoltage) else math.nan
    except ValueError as error:
        # constant parts that the writer spreads (x - y*floor(x/y)) may overflow on their own
        assert "not finite" in str(error) or "division by zero" in str(error), error
        return
    assert found == pytest.approx(wanted, rel=1e-9, abs=1e-12)
