"""The suite that every Processor goes through, whatever it is made of.

A test calls ``check_processor(make)``, where ``make()`` returns a fresh processor each time.
"""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

from circuits.errors import CircuitError, SignalError
from circuits.processor import Processor


def example_signal(n_samples: int = 4800, level: float = 0.3, seed: int = 1) -> np.ndarray:
    """A decaying chord with a little noise: exercises a processor without being special."""
    rng = np.random.default_rng(seed)
    t = np.arange(n_samples) / 48000.0
    tones = sum(np.sin(2 * np.pi * f * t) / (k + 1) for k, f in enumerate((110.0, 164.8, 220.0, 1318.5)))
    return level * (0.5 * tones * np.exp(-3.0 * t) + 0.02 * rng.standard_normal(n_samples))


def in_blocks(processor: Processor, samples: np.ndarray, size: int) -> np.ndarray:
    """Process in blocks of one size and join the results."""
    parts = [processor.process(samples[start:start + size]) for start in range(0, len(samples), size)]
    return np.concatenate(parts, axis=-1)


def check_processor(make, *, n_samples: int = 4800, level: float = 0.3, blocks=(1, 7, 64, 4096)) -> None:
    """Protocol, silence, reset, blocks, state, copy, pickle, controls and bad input."""
    processor = make()
    assert isinstance(processor, Processor)
    assert processor.sample_rate > 0 and processor.latency >= 0
    x = example_signal(n_samples, level)
    whole = processor.process(x)
    assert whole.shape[-1] == n_samples and whole.dtype == np.float64 and np.isfinite(whole).all()
    assert processor.process(np.zeros(0)).shape[-1] == 0

    processor.reset()
    assert np.array_equal(processor.process(x), whole), "reset must return to the operating point"
    for size in blocks:
        processor.reset()
        assert np.array_equal(in_blocks(processor, x, size), whole), f"blocks of {size} differ"

    half = n_samples // 2
    processor.reset()
    processor.process(x[:half])
    state = processor.state
    twin, other = copy.deepcopy(processor), pickle.loads(pickle.dumps(processor))
    rest = processor.process(x[half:])
    assert np.array_equal(rest, whole[..., half:])
    assert np.array_equal(twin.process(x[half:]), rest), "a copy must continue the same"
    assert np.array_equal(other.process(x[half:]), rest), "a pickled copy must continue the same"
    processor.reset()
    processor.state = state
    assert np.array_equal(processor.process(x[half:]), rest), "a state put back must continue the same"
    with pytest.raises(CircuitError, match="state"):
        processor.state = {"nonsense": np.zeros(3)}

    processor.reset()
    silence = processor.process(np.zeros(n_samples))
    assert np.isfinite(silence).all()

    for name, control in processor.controls.items():
        for position in (control.minimum, control.maximum, control.position):
            processor.turn(**{name: position})
            assert np.isfinite(processor.process(x[:256])).all()
            assert processor.controls[name].position == position
        with pytest.raises(CircuitError, match=name):
            processor.turn(**{name: control.maximum + 1.0})
    with pytest.raises(CircuitError, match="no control 'no_such_knob'"):
        processor.turn(no_such_knob=0.5)

    before = processor.state
    for bad in (np.nan, np.inf):
        broken = x[:100].copy()
        broken[17] = bad
        with pytest.raises(SignalError, match="sample 17"):
            processor.process(broken)
    with pytest.raises(SignalError, match="shape"):
        processor.process(np.zeros((2, 10)))
    after = processor.state
    assert all(np.array_equal(before[name], after[name]) for name in before), "refused input must not move the state"
