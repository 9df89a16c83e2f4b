"""What is known of circuits otherwise: published transfer functions, a solver of the tests' own, energy that can't grow."""

from __future__ import annotations

import numpy as np
import pytest
from dense_oracle import Oracle
from draw_circuits import TRIODE, random_circuit

from circuits.circuit import Circuit
from circuits.elements import (BehaviouralCurrent, BehaviouralVoltage, Capacitor, Coupling, CurrentSource, Device, Inductor, Resistor,
                               VoltageSource)
from circuits.nodal.equations import assemble
from circuits.nodal.operating import operating_point
from wdf.processor import WdfProcessor

RATE = 48000.0
VIN = VoltageSource("vin", ("in", "0"))
FREQUENCIES = np.array([20.0, 82.4, 220.0, 500.0, 1000.0, 2500.0, 7000.0, 15000.0])


def impulse_response(circuit: Circuit, n: int = 200000) -> np.ndarray:
    """Response at `FREQUENCIES`, from the response to an impulse."""
    x = np.zeros(n)
    x[0] = 1.0
    h = WdfProcessor(circuit, RATE).process(x)
    assert abs(h[-1]) < 1e-17
    return np.array([np.exp(-2j * np.pi * f / RATE * np.arange(n)) @ h for f in FREQUENCIES])


def warped() -> np.ndarray:
    """The bilinear transform's s at `FREQUENCIES`."""
    return 2j * RATE * np.tan(np.pi * FREQUENCIES / RATE)


@pytest.mark.parametrize("t, m, l", [(0.5, 0.5, 0.5), (0.9, 0.2, 0.1), (0.1, 0.8, 1.0)])
def test_bassman_tone_stack_is_the_published_transfer_function(t, m, l):
    # Yeh, Smith: Discretization of the '59 Fender Bassman tone stack, DAFx-06, equations for b1..b3 and a1..a3
    R1, R2, R3, R4, C1, C2, C3 = 250e3, 1e6, 25e3, 56e3, 250e-12, 20e-9, 20e-9
    b1 = t * C1 * R1 + m * C3 * R3 + l * (C1 * R2 + C2 * R2) + (C1 * R3 + C2 * R3)
    b2 = (t * (C1 * C2 * R1 * R4 + C1 * C3 * R1 * R4) - m**2 * (C1 * C3 * R3**2 + C2 * C3 * R3**2)
          + m * (C1 * C3 * R1 * R3 + C1 * C3 * R3**2 + C2 * C3 * R3**2) + l * (C1 * C2 * R1 * R2 + C1 * C2 * R2 * R4 + C1 * C3 * R2 * R4)
          + l * m * (C1 * C3 * R2 * R3 + C2 * C3 * R2 * R3) + (C1 * C2 * R1 * R3 + C1 * C2 * R3 * R4 + C1 * C3 * R3 * R4))
    c = C1 * C2 * C3
    b3 = (l * m * c * (R1 * R2 * R3 + R2 * R3 * R4) - m**2 * c * (R1 * R3**2 + R3**2 * R4) + m * c * (R1 * R3**2 + R3**2 * R4)
          + t * c * R1 * R3 * R4 - t * m * c * R1 * R3 * R4 + t * l * c * R1 * R2 * R4)
    a1 = (C1 * R1 + C1 * R3 + C2 * R3 + C2 * R4 + C3 * R4) + m * C3 * R3 + l * (C1 * R2 + C2 * R2)
    a2 = (m * (C1 * C3 * R1 * R3 - C2 * C3 * R3 * R4 + C1 * C3 * R3**2 + C2 * C3 * R3**2) + l * m * (C1 * C3 * R2 * R3 + C2 * C3 * R2 * R3)
          - m**2 * (C1 * C3 * R3**2 + C2 * C3 * R3**2) + l * (C1 * C2 * R2 * R4 + C1 * C2 * R1 * R2 + C1 * C3 * R2 * R4 + C2 * C3 * R2 * R4)
          + (C1 * C2 * R1 * R4 + C1 * C3 * R1 * R4 + C1 * C2 * R3 * R4 + C1 * C2 * R1 * R3 + C1 * C3 * R3 * R4 + C2 * C3 * R3 * R4))
    a3 = (l * m * c * (R1 * R2 * R3 + R2 * R3 * R4) - m**2 * c * (R1 * R3**2 + R3**2 * R4)
          + m * c * (R3**2 * R4 + R1 * R3**2 - R1 * R3 * R4) + l * c * R1 * R2 * R4 + c * R1 * R3 * R4)
    s = warped()
    expected = (b1 * s + b2 * s**2 + b3 * s**3) / (1.0 + a1 * s + a2 * s**2 + a3 * s**3)
    parts = [VIN, Capacitor("c1", ("in", "t1"), C1), Resistor("ra", ("t1", "out"), (1.0 - t) * R1), Resistor("rb", ("out", "a"), t * R1),
             Resistor("r4", ("in", "x"), R4), Capacitor("c2", ("x", "a"), C2), Capacitor("c3", ("x", "m"), C3),
             Resistor("rl", ("a", "b"), l * R2), Resistor("rm1", ("b", "m"), (1.0 - m) * R3), Resistor("rm2", ("m", "0"), m * R3)]
    found = impulse_response(Circuit(tuple(parts), input="vin", outputs=("out",)))
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_baxandall_stack_agrees_with_its_complex_node_equations():
    # passive Baxandall (James) network: bass and treble at different places, loaded by 1 M
    parts = [("r", "in", "b1", 10e3), ("r", "b1", "w", 70e3), ("r", "w", "b2", 30e3), ("r", "b2", "0", 1e3), ("c", "b1", "w", 22e-9),
             ("c", "w", "b2", 220e-9), ("r", "w", "out", 10e3), ("c", "in", "t1", 2.2e-9), ("r", "t1", "out", 20e3),
             ("r", "out", "t2", 80e3), ("c", "t2", "0", 22e-9), ("r", "out", "0", 1e6)]
    made = [Resistor(f"r{k}", (a, b), v) if kind == "r" else Capacitor(f"c{k}", (a, b), v) for k, (kind, a, b, v) in enumerate(parts)]
    found = impulse_response(Circuit((VIN, *made), input="vin", outputs=("out",)))
    names = sorted({n for _, a, b, _ in parts for n in (a, b)} - {"0", "in"})
    expected = []
    for s in warped():
        Y, J = np.zeros((len(names), len(names)), complex), np.zeros(len(names), complex)
        for kind, a, b, value in parts:
            y = 1.0 / value if kind == "r" else s * value
            for here, there in ((a, b), (b, a)):
                if here in names:
                    i = names.index(here)
                    Y[i, i] += y
                    if there in names:
                        Y[i, names.index(there)] -= y
                    elif there == "in":
                        J[i] += y
        expected.append(np.linalg.solve(Y, J)[names.index("out")])
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def against_oracle(circuit: Circuit, x: np.ndarray) -> float:
    """Largest difference from the tests' own solver, relative to the output's peak (or to the largest voltage, if it is silent)."""
    rest = operating_point(assemble(circuit))
    expected = Oracle(circuit, RATE, rest.voltages, rest.currents).play(x)
    found = WdfProcessor(circuit, RATE, tolerance=1e-15).process(x)
    scale = np.abs(expected).max()
    if scale < 1e-3:
        scale = max(1.0, *(abs(v) for v in rest.voltages.values()))
    return float(np.abs(found - expected).max() / scale)


def test_a_triode_stage_agrees_with_the_oracle():
    # Karjalainen, Pakarinen: Wave digital simulation of a vacuum-tube amplifier, ICASSP 2006, figure 1, with grid current and Miller capacitance
    parts = (VIN, VoltageSource("vb", ("bp", "0"), dc=250.0), Capacitor("ci", ("in", "a"), 100e-9), Resistor("rg", ("a", "0"), 1e6),
             Resistor("rs", ("a", "g"), 20e3), Resistor("rp", ("bp", "p"), 100e3), Resistor("rk", ("k", "0"), 1e3),
             Capacitor("ck", ("k", "0"), 10e-6), Device("x1", ("p", "g", "k"), TRIODE), Capacitor("cgp", ("g", "p"), 1.7e-12),
             Capacitor("co", ("p", "out"), 10e-9), Resistor("rl", ("out", "0"), 1e6))
    circuit = Circuit(parts, input="vin", outputs=("out",))
    t = np.arange(400) / RATE
    assert against_oracle(circuit, 2.0 * np.sin(2 * np.pi * 400.0 * t)) < 1e-9


def test_random_circuits_agree_with_the_oracle():
    x = 0.3 * np.random.default_rng(7).standard_normal(60)
    seen = 0
    for seed in range(1000, 1040):
        circuit = random_circuit(np.random.default_rng(seed))
        if any(isinstance(e, (BehaviouralCurrent, BehaviouralVoltage, Coupling)) for e in circuit.elements):
            continue
        assert against_oracle(circuit, x) < 1e-9, f"seed {seed}"
        seen += 1
    assert seen >= 20


def test_a_capacitor_beside_a_rigid_node_shares_its_voltage():
    # a twin-T (rigid) loaded by a capacitor that stands in parallel to the port by which it is adapted
    parts = (VIN, Resistor("r1", ("in", "a"), 10e3), Resistor("r2", ("a", "out"), 22e3), Capacitor("c1", ("a", "0"), 10e-9),
             Capacitor("c2", ("in", "b"), 4.7e-9), Capacitor("c3", ("b", "out"), 4.7e-9), Resistor("r3", ("b", "0"), 5.6e3),
             Capacitor("c4", ("out", "0"), 22e-9), Resistor("rl", ("out", "0"), 47e3))
    circuit = Circuit(parts, input="vin", outputs=("out",))
    x = np.random.default_rng(8).standard_normal(500)
    for root in ("", "c4", "vin"):
        processor = WdfProcessor(circuit, RATE, root=root)
        rigid = next(a for a in processor.tree.adaptors if a.part.kind == "R")
        assert bool(rigid.part.up) == (root == "c4")
        expected = Oracle(circuit, RATE, dict.fromkeys(("in", "a", "b", "out"), 0.0), {}).play(x)
        np.testing.assert_allclose(processor.process(x), expected, rtol=0, atol=1e-13)


def energy(processor: WdfProcessor) -> float:
    """Stored pseudo-power of the leaves, sum of a^2 / R (Fettweis 1986, equation 60)."""
    waves = processor.state["waves"]
    return float(sum(a * a / processor.tree.resistances[name] for name, a in zip(processor.program.states, waves)))


def lattice(loss: float) -> Circuit:
    """Coils and capacitors in series, in parallel and in a bridge; with resistors if ``loss`` is not 0."""
    parts = [CurrentSource("iin", ("0", "a")), Inductor("l1", ("a", "b"), 0.1), Capacitor("c1", ("b", "0"), 1e-7), Inductor("l2", ("b", "c"), 0.02),
             Capacitor("c2", ("c", "0"), 3e-8), Capacitor("c3", ("a", "c"), 2e-8), Inductor("l3", ("a", "0"), 1.0), Capacitor("c4", ("a", "0"), 5e-8)]
    if loss:
        parts += [Resistor("r1", ("b", "d"), loss), Resistor("r2", ("d", "c"), loss), Capacitor("c5", ("d", "0"), 1e-8)]
    return Circuit(tuple(parts), input="iin", outputs=("a",))


def test_a_lossless_network_keeps_its_pseudo_power_for_ten_million_samples():
    processor = WdfProcessor(lattice(0.0), RATE)
    state = processor.state
    state["waves"] = np.random.default_rng(9).standard_normal(len(state["waves"]))
    processor.state = state
    start = energy(processor)
    silence = np.zeros(1_000_000)
    for _ in range(10):
        processor.process(silence)
        assert abs(energy(processor) / start - 1.0) < 1e-9  # ten million roundings of 1e-16 if all had one sign


def test_a_passive_network_never_gains():
    processor = WdfProcessor(lattice(10e3), RATE)
    state = processor.state
    state["waves"] = np.random.default_rng(10).standard_normal(len(state["waves"]))
    processor.state = state
    start = before = energy(processor)
    for _ in range(300):
        processor.process(np.zeros(1))
        after = energy(processor)
        assert after <= before * (1.0 + 1e-14)
        before = after
    assert before < 0.9 * start
