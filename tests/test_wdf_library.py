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
def test_both_engines_agree(name):
    circuit = read(find(name))
    t = np.arange(1000) / RATE
    x = 0.7 * circuit.level * (np.sin(2 * np.pi * 220.0 * t) + 0.3 * np.sin(2 * np.pi * 1501.0 * t))
    nodal, waves = (engine(circuit, RATE, tolerance=1e-13) for engine in (NodalProcessor, WdfProcessor))
    expected, found = nodal.process(x), waves.process(x)
    assert nodal.run.converged and waves.run.converged
    assert np.abs(found - expected).max() <= 1e-9 * np.abs(expected).max()
