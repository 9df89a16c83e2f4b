"""Two engines, one circuit: waves and nodal equations agree on random circuits, and both with a third solver written for this test."""

from __future__ import annotations

import numpy as np
import pytest
from draw_circuits import circuit_from, random_circuit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from circuits.circuit import Circuit
from circuits.nodal.processor import NodalProcessor
from wdf.processor import WdfProcessor

RATE = 48000.0
TIGHT = 1e-14  # volts left at a port


def difference(circuit: Circuit, x: np.ndarray, rule: str = "trapezoidal") -> float:
    """Largest difference of the two engines, relative to the output's peak.

    An output that stays below a millivolt is rounding or nearly so: it is measured against the largest voltage at rest.
    """
    nodal = NodalProcessor(circuit, RATE, tolerance=TIGHT, rule=rule, kernel="table")
    waves = WdfProcessor(circuit, RATE, tolerance=TIGHT, rule=rule, kernel="table")
    expected, found = nodal.process(x), waves.process(x)
    assert nodal.run.converged and waves.run.converged
    scale = np.abs(expected).max()
    if scale < 1e-3:
        scale = max(1.0, *(abs(v) for v in nodal.operating_point.voltages.values()))
    return float(np.abs(found - expected).max() / scale)


@pytest.mark.parametrize("hundred", range(3))
def test_three_hundred_random_circuits(hundred):
    x = 0.5 * np.random.default_rng(1).standard_normal(300)
    kinds = set()
    for seed in range(100 * hundred, 100 * hundred + 100):
        circuit = random_circuit(np.random.default_rng(seed))
        kinds |= {type(element).__name__ for element in circuit.elements}
        assert difference(circuit, x) <= 1e-9, f"seed {seed}"
    assert {"Nullor", "Device", "VoltageControlledVoltage", "CurrentControlledCurrent", "IdealTransformer", "Coupling"} <= kinds


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_drawn_circuits_with_backward_euler(data):
    circuit = circuit_from(lambda n: data.draw(st.integers(0, n - 1)), most_nodes=12)
    x = 0.5 * np.random.default_rng(2).standard_normal(100)
    assert difference(circuit, x, "backward-euler") <= 1e-9
