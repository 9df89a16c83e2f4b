"""Diodes, transistors, FETs and tubes against ngspice: terminal currents and small-signal admittances, stored in tests/golden/devices.json."""

import json
from pathlib import Path

import numpy as np
import pytest
from check_devices import part, rows

from circuits.elements import Capacitor, Resistor

GOLDEN = json.loads((Path(__file__).parent / "golden" / "devices.json").read_text())


def stamps(placement, potentials, nodes):
    """Currents out of each node (A), conductance and capacitance matrices of a placement at node potentials."""
    index = {node: k for k, node in enumerate(nodes)}
    current, conductance, capacitance = np.zeros(len(nodes)), np.zeros((len(nodes),) * 2), np.zeros((len(nodes),) * 2)

    def add(matrix, pair, control, slope):
        for node, sign in zip(pair, (1.0, -1.0)):
            for by, other in zip(control, (1.0, -1.0)):
                if node in index and by in index:
                    matrix[index[node], index[by]] += sign * other * slope

    def volts(pair):
        return potentials.get(pair[0], 0.0) - potentials.get(pair[1], 0.0)

    for element in placement.elements:
        if isinstance(element, Resistor):
            add(conductance, element.nodes, element.nodes, 1.0 / element.value)
            for node, sign in zip(element.nodes, (1.0, -1.0)):
                current[index[node]] += sign * volts(element.nodes) / element.value
        else:
            assert isinstance(element, Capacitor)
            add(capacitance, element.nodes, element.nodes, element.value)
    for placed in placement.laws:
        values, slopes = rows(placed.law, [volts(pair) for pair in placed.inputs], placed.constants)
        count = len(placed.currents)
        for pair, value, row in zip(placed.currents, values[:count], slopes[:count]):
            for node, sign in zip(pair, (1.0, -1.0)):
                if node in index:
                    current[index[node]] += sign * value
            for control, slope in zip(placed.inputs, row):
                add(conductance, pair, control, slope)
        for pair, row in zip(placed.charges, slopes[count:]):
            for control, slope in zip(placed.inputs, row):
                add(capacitance, pair, control, slope)
    return current, conductance, capacitance


def inner_solution(placement, outer):
    """Potentials of all nodes, outer first: the pins are raised to their voltages in small steps, with a damped Newton at each."""
    used = {node for element in placement.elements for node in element.nodes} | {node for placed in placement.laws for pair in placed.inputs for node in pair}
    inner = sorted(used - set(outer) - {"0"})
    nodes, n = [*outer, *inner], len(outer)
    potentials = dict.fromkeys(nodes, 0.0)
    for part_of in np.linspace(0.0, 1.0, 40) if inner else [1.0]:
        potentials.update({node: value * part_of for node, value in outer.items()})
        for _ in range(400 if inner else 0):
            current, conductance, _ = stamps(placement, potentials, nodes)
            step = -np.linalg.solve(conductance[n:, n:], current[n:])
            step *= min(1.0, 0.05 / np.max(np.abs(step), initial=1e-30))
            for node, delta in zip(inner, step):
                potentials[node] += float(delta)
            if np.max(np.abs(step)) < 2e-16 * max(1.0, max(map(abs, potentials.values()))):
                break
            if part_of < 1.0 and np.max(np.abs(step)) < 1e-6:
                break
    return potentials, nodes, n


@pytest.mark.parametrize("name", GOLDEN["cases"])
def test_against_ngspice(name):
    case = GOLDEN["cases"][name]
    pins = [f"n{k}" for k in range(case["pins"])]
    instance = dict(case["instance"])
    placement = part(case["kind"], pins, 27.0, instance, **case["values"])
    omega = 2.0 * np.pi * GOLDEN["frequency"]
    for point, currents, admittances in zip(case["points"], case["currents"], case["admittances"]):
        potentials, nodes, n = inner_solution(placement, dict(zip(pins, point)))
        current, conductance, capacitance = stamps(placement, potentials, nodes)
        # a small current through a small resistance is a difference of two rounded voltages, in both programs
        floor = 1e-15 + 1e-15 * np.max(np.abs(point)) * np.max(np.abs(conductance))
        if case["kind"] in ("triode", "pentode") and point[-2] < point[-1]:
            # the closed form of the grid's junction has no cubic tail in reverse, SPICE's diode has: Is (3 Vt / (e v))^3
            floor += 1.01e-9 * (3.0 * 0.025865 / (np.e * (point[-1] - point[-2])))**3
        assert current[:n] == pytest.approx(np.array(currents), rel=2e-8, abs=floor), (name, point)
        if case["currents_only"]:
            continue
        full = conductance + 1j * omega * capacitance
        seen = full[:n, :n]
        if len(nodes) > n:
            seen = seen - full[:n, n:] @ np.linalg.solve(full[n:, n:], full[n:, :n])
        expected = np.array(admittances)[..., 0].T + 1j * np.array(admittances)[..., 1].T
        size = np.max(np.abs(expected))
        assert seen.real == pytest.approx(expected.real, rel=1e-6, abs=1e-9 * size + 1e-15), (name, point)
        assert seen.imag == pytest.approx(expected.imag, rel=1e-6, abs=1e-9 * size + 1e-19), (name, point)
