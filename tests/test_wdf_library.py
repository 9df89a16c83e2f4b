"""Every schematic of the library plays in waves as it does in nodal equations."""

from __future__ import annotations

import numpy as np
import pytest

from circuits.nodal.processor import NodalProcessor
from netlists.library import find, names
from netlists.reader import read
from wdf.processor import WdfProcessor

RATE = 48000.0


@pytest.mark.parametrize("name", names())
def test_both_engines_agree_for_a_driven_second(name):
    circuit = read(find(name))
    t = np.arange(48000) / RATE
    x = 0.7 * circuit.level * (np.sin(2 * np.pi * 220.0 * t) + 0.3 * np.sin(2 * np.pi * 1501.0 * t))
    nodal, waves = (engine(circuit, RATE, tolerance=1e-13, kernel="table") for engine in (NodalProcessor, WdfProcessor))
    expected, found = nodal.process(x), waves.process(x)
    assert nodal.run.converged and waves.run.converged
    assert np.abs(found - expected).max() <= 1e-9 * np.abs(expected).max()


@pytest.mark.parametrize("name", ["tone_bender_mk2", "sd1_overdrive", "tonestack_baxandall"])
def test_two_trees_of_one_circuit_agree(name):
    circuit = read(find(name))
    x = 0.7 * circuit.level * np.sin(2 * np.pi * 220.0 * np.arange(3000) / RATE)
    free = WdfProcessor(circuit, RATE, tolerance=1e-15, kernel="table")
    other = next(edge for adaptor in free.tree.adaptors if adaptor.part.up for edge in adaptor.part.leaves)
    moved = WdfProcessor(circuit, RATE, tolerance=1e-15, kernel="table", root=other)
    assert len(moved.tree.adaptors) < len(free.tree.adaptors) or not free.root.ports
    expected = free.process(x)
    assert np.abs(moved.process(x) - expected).max() <= 1e-10 * np.abs(expected).max()
