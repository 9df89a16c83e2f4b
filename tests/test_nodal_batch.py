"""Many variants at once equal the variants one by one, also on a cluster where Dask is installed; and what runs for long stays the same."""

import importlib.util

import joblib
import numpy as np
import pytest

from circuits.batch import play_many
from circuits.errors import CircuitError
from circuits.nodal.processor import NodalProcessor
from netlists.library import find
from netlists.reader import read

RATE = 48000.0
VARIANTS = [{"treble": t, "bass": b} for t in (0.1, 0.9) for b in (0.2, 0.8)]


def test_variants_equal_single_runs():
    circuit = read(find("tonestack_bassman"))
    x = np.random.default_rng(1).standard_normal(500)
    seen = []
    batch = play_many(circuit, x, RATE, VARIANTS, jobs=2, progress=lambda share, text: seen.append(share))
    for values, variant in zip(VARIANTS, batch):
        assert variant.values == values
        assert np.array_equal(variant.samples, NodalProcessor(circuit.turn(**values), RATE).process(x))
    assert seen == [0.25, 0.5, 0.75, 1.0]
    with pytest.raises(CircuitError, match="out of range"):
        play_many(circuit, x, RATE, [{"treble": 2.0}])
    with pytest.raises(CircuitError, match="no parameter 'trebel'.*Did you mean treble"):
        play_many(circuit, x, RATE, [{"trebel": 0.2}])


@pytest.mark.skipif(importlib.util.find_spec("distributed") is None, reason="dask.distributed is not installed (extra: cluster)")
def test_a_cluster_gives_the_same():
    from distributed import Client, LocalCluster
    circuit = read(find("tonestack_bassman"))
    x = np.random.default_rng(1).standard_normal(500)
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as cluster, Client(cluster):
        with joblib.parallel_config(backend="dask"):
            far = play_many(circuit, x, RATE, VARIANTS)
    near = play_many(circuit, x, RATE, VARIANTS, jobs=1)
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(far, near))


@pytest.mark.parametrize("name", ["diode_clipper", "common_cathode"])
def test_ten_minutes_neither_drift_nor_diverge(name):
    circuit = read(find(name))
    processor = NodalProcessor(circuit, RATE, kernel="table")
    n = np.arange(int(RATE))
    second = circuit.level * np.sin(2 * np.pi * 110.0 * n / RATE) * np.exp(-3.0 * n / RATE)
    early = None
    for count in range(600):
        out = processor.process(second)
        if count == 30:
            early = out
    assert processor.run.bad_samples == 0
    assert np.max(np.abs(out - early)) <= 1e-8 * np.max(np.abs(early))
