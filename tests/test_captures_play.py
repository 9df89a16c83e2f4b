"""Captures as Processors: float32 and float64 kernels against the oracle and NAM's engine, blocks, states, refusals."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from check_processor import check_processor, in_blocks
from make_captures import every_nam, lstm, standard
from test_captures_nam import REFERENCES, SHARED, esr, stored

from circuits.errors import CircuitError, SignalError
from validation.captures.capture import Capture
from validation.captures.documents import read_document
from validation.captures.nam import read_nam
from validation.captures.reference import render

ROOT = Path(__file__).resolve().parents[1]
MADE = {**every_nam(np.random.default_rng(20)), "standard": standard(np.random.default_rng(21))}


def signal(n_samples, seed=22, level=0.5):
    return level * np.random.default_rng(seed).standard_normal(n_samples)


@pytest.mark.skipif(not REFERENCES, reason="the reference renderings are not at hand; the oracle stands in below")
@pytest.mark.parametrize("name, rendering", REFERENCES)
def test_renderings_of_the_reference_engine(name, rendering):
    path, slim = stored(name)
    model = read_nam(path, read_document(path), slim=slim)
    x, _ = soundfile.read(SHARED / "guitar-input.wav")
    y, _ = soundfile.read(rendering)
    assert esr(y, Capture(model).process(x)) < 1e-10
    assert esr(y, Capture(model, "float64").process(x)) < 1e-11


@pytest.mark.parametrize("name", MADE)
def test_kernels_equal_the_oracle(name):
    model = read_nam("x.nam", MADE[name])
    x = signal(700)
    target = render(model, x)
    assert esr(target, Capture(model, "float64").process(x)) < 1e-24
    assert esr(target, Capture(model).process(x)) < 1e-10


@pytest.mark.parametrize("seed", range(6))
def test_more_random_configurations_agree(seed):
    for name, document in every_nam(np.random.default_rng(100 + seed)).items():
        model = read_nam("x.nam", document)
        x = signal(300, seed)
        target = render(model, x)
        assert esr(target, Capture(model, "float64").process(x)) < 1e-24, name
        assert esr(target, Capture(model).process(x)) < 1e-10, name


@pytest.mark.parametrize("name", ["two arrays", "lstm 2x8", "condition", "post", "linear", "convnet", "films", "newest lite"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_captures_are_processors(name, dtype):
    check_processor(lambda: Capture(read_nam("x.nam", MADE[name]), dtype), n_samples=2000, blocks=(1, 7, 64, 2000))


def test_long_blocks_equal_the_live_path():
    for name in ("standard", "lstm 1x16"):
        capture = Capture(read_nam("x.nam", MADE[name]))
        x = signal(20000)
        whole = capture.process(x)
        capture.reset()
        assert np.array_equal(in_blocks(capture, x, 64), whole), name


def test_tanh_is_exact_to_a_few_roundings():
    """A 1x1 net without anything else makes the kernel's own tanh audible."""
    config = {"layers": [{"input_size": 1, "condition_size": 1, "channels": 1, "kernel_size": 1, "dilations": [1],
                          "activation": "Tanh", "head_size": 1, "head_bias": False}], "head_scale": 1.0}
    document = {"version": "0.5.0", "architecture": "WaveNet", "config": config,
                "weights": [1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 1.0, 1.0]}
    x = np.concatenate([np.linspace(-12.0, 12.0, 200001), np.geomspace(1e-6, 1.0, 10001)]).astype(np.float32).astype(float)
    y = Capture(read_nam("x.nam", document)).process(x)
    there = x != 0.0
    assert np.abs(y[there] / np.tanh(x[there]) - 1.0).max() < 2e-7
    y = Capture(read_nam("x.nam", document), "float64").process(x)
    assert np.abs(y[there] / np.tanh(x[there]) - 1.0).max() < 2e-15


def test_rest_is_settled_silence_and_reset_returns_there():
    capture = Capture(read_nam("x.nam", MADE["two arrays"]))
    y = capture.process(np.zeros(200))
    assert np.ptp(y) < 1e-6 and abs(y[0]) > 1e-6
    capture.process(signal(500))
    capture.reset()
    assert np.array_equal(capture.process(np.zeros(200)), y)


def test_refusals_say_what_and_leave_the_state_alone():
    capture = Capture(read_nam("x.nam", MADE["two arrays"]))
    before = capture.state
    with pytest.raises(SignalError, match="120 dB"):
        capture.process(np.array([0.0, 1e7]))
    assert all(np.array_equal(before[name], capture.state[name]) for name in before)
    with pytest.raises(CircuitError, match="float32 or float64"):
        Capture(read_nam("x.nam", MADE["two arrays"]), "float16")
    assert np.isfinite(capture.process(1000.0 * np.sign(signal(500)))).all()


def test_run_counts_samples():
    capture = Capture(read_nam("x.nam", lstm(np.random.default_rng(1))))
    capture.process(np.zeros(10))
    assert capture.run.samples == 10 and capture.run.converged


NARROW = """
import sys
sys.path[:0] = [{root!r}, {tests!r}]
import numpy as np
from make_captures import every_nam
from validation.captures import simd
from validation.captures.capture import Capture
from validation.captures.nam import read_nam
from validation.captures.reference import render
made = every_nam(np.random.default_rng(20))
x = 0.5 * np.random.default_rng(22).standard_normal(300)
for name in ("two arrays", "lstm 2x8", "films"):
    model = read_nam("x.nam", made[name])
    capture, target = Capture(model), render(model, x)
    y = capture.process(x)
    capture.reset()
    parts = np.concatenate([capture.process(x[start:start + 7]) for start in range(0, 300, 7)])
    print(simd.BITS, simd.FUSED, np.sum((target - y) ** 2) / np.sum(target**2) < 1e-10, np.array_equal(parts, y))
"""


@pytest.mark.slow
def test_a_processor_without_wide_vectors_and_fused_products_plays_the_same():
    code = NARROW.format(root=str(ROOT), tests=str(ROOT / "tests"))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300,
                          env={**os.environ, "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""})
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) == 3 and all(line[0] == "128" and line[2:] == ["True", "True"] for line in lines)
