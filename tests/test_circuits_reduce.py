"""Helper nodes go, the solution stays: random signal-flow graphs evaluated by hand, and a triode preamp solved both ways."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.circuit import Circuit
from circuits.elements import (BehaviouralCurrent, BehaviouralVoltage, Capacitor, CurrentControlledCurrent, Resistor, VoltageControlledCurrent,
                               VoltageControlledVoltage, VoltageSource)
from circuits.expressions import Call, Current, Number, Voltage, evaluate, leaves, transform
from circuits.nodal import processor
from circuits.nodal.processor import NodalProcessor
from circuits.reduce import reduce
from netlists.reader import read_text

TRIODE = """
.subckt TRI p g k
Be e 0 V = (V(p,k)/600)*ln(1+exp(min(600*(1/100+V(g,k)/sqrt(300+V(p,k)*V(p,k))),80)))
Re e 0 1G
Bp p k I = 2*pow(uramp(V(e)),1.4)/1060
Bg g k I = 1m*pow(uramp(V(g,k)),1.5)
Cgk g k 1.6p
Cgp g p 1.7p
Cpk p k 0.46p
.ends
"""
PREAMP = """two stages and a cathode follower
Vin in 0 AC 1
Vb bp 0 300
Rs in g1 68k
Rp1 bp p1 100k
Rk1 k1 0 2.7k
Ck1 k1 0 0.68u
X1 p1 g1 k1 TRI
Cc1 p1 g2 22n
Rg2 g2 0 470k
Rp2 bp p2 100k
Rk2 k2 0 820
X2 p2 g2 k2 TRI
X3 bp p2 k3 TRI
Rk3 k3 0 100k
Co k3 out 22n
Rl out 0 1Meg
""" + TRIODE


def value_at(expression, voltages):
    """Value of an expression at given node voltages."""
    def change(part):
        return Number(voltages[part.plus] - voltages.get(part.minus, 0.0)) if isinstance(part, Voltage) else None
    return evaluate(transform(expression, change), {})


def test_triodes_become_currents_of_two_voltages():
    circuit = read_text(PREAMP)
    reduced = reduce(circuit)
    assert len(circuit.elements) - len(reduced.elements) == 6 and not any(node.endswith(".e") for node in reduced.nodes)
    for name, pins in (("x1", ("p1", "g1", "k1")), ("x2", ("p2", "g2", "k2")), ("x3", ("bp", "p2", "k3"))):
        p, g, k = pins
        assert set(leaves(reduced.element(f"{name}.bp").expression)) == {Voltage(p, k), Voltage(g, k)}
        assert set(leaves(reduced.element(f"{name}.bg").expression)) == {Voltage(g, k)}
    assert "reduced x1: helper nodes e are solved symbolically; x1.bp is a current of V(p1,k1), V(g1,k1)" in reduced.notes


AYUMI = """one stage, its triode written the way of Ayumi Nakabayashi's models: eight sources, two of which carry current
Vin in 0 AC 1
Vb bp 0 300
Rs in g 1k
Rp bp out 100k
Rk k 0 1.5k
X1 out g k TRI
.subckt TRI A G K
Bat at 0 V=0.777+0.005*V(g,k)
Bgg gg 0 V=V(G,K)+0.5
Bm2 m2 0 V=(0.85*(URAMP(V(gg)+URAMP(V(A,K))/100)+1e-10))**1.5
Bp p 0 V=0.0012*(URAMP(V(gg)+URAMP(V(A,K))/100)+1e-10)**1.5
Bik ik 0 V=U(V(gg))*V(p)+(1-U(V(gg)))*0.0012/0.85**1.5*V(m2)
Big ig 0 V=0.0006*URAMP(V(G,K))**1.5*(URAMP(V(G,K))/(URAMP(V(A,K))+URAMP(V(G,K)))*1.2+0.4)
Biak A K I=URAMP(V(ik,ig)-URAMP(V(ik,ig)-(0.002*URAMP(V(A,K))**1.5)))+1e-10*V(A,K)
Bigk G K I=V(ig)
.ends
"""
KOREN = """one stage, its triode written the way of Norman Koren's models: a source, and another that reads it
Vin in 0 AC 1
Vb bp 0 300
Rs in g 1k
Rp bp out 100k
Rk k 0 1.5k
X1 out g k TRI MU=95
.subckt TRI 1 2 3 PARAMS: MU=100 EX=1.4 KG1=1060 KP=600 KVB=300 RGI=2000
E1 7 0 VALUE={V(1,3)/KP*LOG(1+EXP(KP*(1/MU+V(2,3)/SQRT(KVB+V(1,3)*V(1,3)))))}
RE1 7 0 1G
G1 1 3 VALUE={(PWR(V(7),EX)+PWRS(V(7),EX))/KG1}
RCP 1 3 1G
C1 2 3 2.3p
R1 2 5 {RGI}
D3 5 3 DX
.MODEL DX D(IS=1N RS=1 CJO=10PF TT=1N)
.ends
"""


@pytest.mark.parametrize("text, gone", [(PREAMP, 3), (AYUMI, 6), (KOREN, 1)])
def test_stages_sound_the_same_to_the_last_digits(text, gone, monkeypatch):
    circuit = read_text(text)
    assert len(circuit.nodes) - len(reduce(circuit).nodes) == gone
    samples = 2.0 * np.sin(2.0 * np.pi * 220.0 * np.arange(480) / 48000.0)
    reduced = NodalProcessor(circuit, 48000.0, tolerance=1e-11).process(samples)
    monkeypatch.setattr(processor, "reduce", lambda whole: whole)  # the engine reduces what it is given: once without
    plain = NodalProcessor(circuit, 48000.0, tolerance=1e-11)
    assert plain.operating_point.voltages.keys() >= {node for node in circuit.nodes if node.startswith("x1.")}
    plain = plain.process(samples)
    assert np.ptp(plain) > 10.0
    assert np.max(np.abs(plain - reduced)) < 1e-9 * np.max(np.abs(plain))


@st.composite
def graphs(draw):
    """A circuit of helpers h0, h1, ... over the pins a, b and ground, one reader, and the voltages of all nodes by hand."""
    numbers = st.floats(-2.0, 2.0).map(lambda x: round(x, 3))
    voltages = {"a": draw(numbers), "b": draw(numbers), "0": 0.0}
    elements, known = [VoltageSource("va", ("a", "0"), voltages["a"]), VoltageSource("vb", ("b", "0"), voltages["b"])], ["a", "b"]

    def pair():
        plus, minus = draw(st.sampled_from(known)), draw(st.sampled_from([*known, "0"]))
        return Voltage(plus, minus)

    def formula():
        terms = [Call("mul", (Number(draw(numbers)), Call(draw(st.sampled_from(["tanh", "uramp", "sin"])), (pair(),)))) for _ in range(draw(st.integers(1, 2)))]
        return Call("add", (Number(0.5), terms[0])) if len(terms) == 1 else Call("sub", tuple(terms))

    for k in range(draw(st.integers(1, 5))):
        node, kind = f"h{k}", draw(st.sampled_from(["ground", "pair", "reverse", "linear", "currents"]))
        law = formula()
        if kind == "currents":
            ohms = [draw(st.floats(0.5, 3.0)) for _ in range(draw(st.integers(1, 2)))]
            elements.append(BehaviouralCurrent(f"g{k}", ("0", node), law))
            elements += [Resistor(f"r{k}{j}", (node, "0"), ohm) for j, ohm in enumerate(ohms)]
            control = pair()
            elements.append(VoltageControlledCurrent(f"t{k}", (node, "0", control.plus, control.minus), 0.25))
            drawn = value_at(law, voltages) - 0.25 * value_at(control, voltages)
            voltages[node] = drawn / sum(1.0 / ohm for ohm in ohms)
        elif kind == "linear":
            control, gain = pair(), draw(numbers)
            elements.append(VoltageControlledVoltage(f"e{k}", (node, "0", control.plus, control.minus), gain))
            voltages[node] = gain * value_at(control, voltages)
        else:
            other = {"ground": "0", "pair": "a", "reverse": "b"}[kind]
            nodes = (other, node) if kind == "reverse" else (node, other)
            elements.append(BehaviouralVoltage(f"b{k}", nodes, law))
            elements.append(Resistor(f"r{k}", nodes, 1e9))
            voltages[node] = voltages[other] + value_at(law, voltages) * (-1.0 if kind == "reverse" else 1.0)
        known.append(node)
    law = formula()
    elements.append(BehaviouralCurrent("reader", ("a", "b"), law))
    return Circuit(tuple(elements)), voltages, value_at(law, voltages)


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(graphs())
def test_random_graphs_equal_their_evaluation_by_hand(graph):
    circuit, voltages, wanted = graph
    reduced = reduce(circuit)
    found = value_at(reduced.element("reader").expression, voltages)
    assert math.isclose(found, wanted, rel_tol=1e-12, abs_tol=1e-12)
    left = {node: voltages[node] for node in reduced.nodes}
    if not any(isinstance(element, (VoltageControlledVoltage, VoltageControlledCurrent)) for element in circuit.elements):
        assert set(left) == {"a", "b"}


@pytest.mark.parametrize("more, outputs, initial", [
    ((CurrentControlledCurrent("f1", ("b", "0"), "b1", 2.0),), ("b",), {}),
    ((BehaviouralCurrent("b3", ("b", "0"), Current("b1")),), ("b",), {}),
    ((Resistor("r9", ("e", "b"), 1.0),), ("b",), {}), ((Resistor("r9", ("e", "0"), 1.0), Capacitor("c9", ("e", "b"), 1.0)), ("b",), {}),
    ((), ("e",), {}), ((), ("b,e",), {}), ((), ("b",), {"e": 1.0})])
def test_a_node_that_matters_stays(more, outputs, initial):
    elements = (BehaviouralVoltage("b1", ("e", "0"), Call("exp", (Voltage("a"),))), Resistor("r1", ("a", "0"), 1.0),
                BehaviouralCurrent("b2", ("b", "0"), Voltage("e")), Resistor("r2", ("b", "0"), 1.0), *more)
    reduced = reduce(Circuit(elements, outputs=outputs, initial=initial))
    assert "e" in reduced.nodes and reduced.element("b1") == elements[0]


def test_a_node_defined_by_itself_stays():
    circuit = Circuit((BehaviouralVoltage("b1", ("e", "0"), Call("tanh", (Voltage("e", "a"),))), BehaviouralCurrent("b2", ("a", "0"), Voltage("e"))))
    assert reduce(circuit) is circuit


def test_formulas_do_not_explode():
    elements = [BehaviouralVoltage("b0", ("e0", "0"), Call("tanh", (Voltage("a"),)))]
    elements += [BehaviouralVoltage(f"b{k}", (f"e{k}", "0"), Call("mul", (Voltage(f"e{k - 1}"), Call("tanh", (Voltage(f"e{k - 1}"),))))) for k in range(1, 40)]
    elements.append(BehaviouralCurrent("reader", ("a", "0"), Voltage("e39")))
    reduced = reduce(Circuit(tuple(elements)))
    assert 1 < len(reduced.elements) < 12
    assert reduce(reduced).elements == reduced.elements
