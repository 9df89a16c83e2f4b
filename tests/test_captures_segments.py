"""Recurrent nets in parallel segments: equal to the sequence within rounding, and right where the net does not forget."""

import numpy as np
import pytest
from check_processor import example_signal
from make_captures import guitarml, lstm, rtneural, standard
from test_captures_nam import esr

from circuits.errors import SignalError
from validation.captures import segments
from validation.captures.capture import Capture
from validation.captures.guitarml import read_guitarml
from validation.captures.nam import read_nam
from validation.captures.rtneural import read_rtneural

ENOUGH = segments.WIDTH * segments.SHORTEST + 777


def guitar(n_samples=ENOUGH):
    """The example chord again and again, never the same."""
    rng = np.random.default_rng(50)
    return np.concatenate([example_signal(4800, level) for level in rng.uniform(0.05, 0.6, n_samples // 4800 + 1)])[:n_samples]


RNG = np.random.default_rng(51)
FORGETTING = {
    "lstm": read_nam("x", lstm(RNG, 16, 1, 0.25)), "stacked": read_nam("x", lstm(RNG, 7, 2, 0.25)),
    "gru": read_rtneural("x", rtneural(RNG, ("gru", 9, {}), ("lstm", 5, {}), ("dense", 1, {}), aida=True)),
    "skip": read_guitarml("x", guitarml(RNG, "GRU", 12, bias=False)),
}


@pytest.mark.parametrize("name", FORGETTING)
def test_segments_equal_the_sequence_within_rounding(name):
    x, capture = guitar(), Capture(FORGETTING[name])
    head = capture.process(x[:1000])
    y = np.concatenate([head, capture.render(x[1000:])])
    assert capture.redone == 0 and capture.run.samples == len(x)
    other = Capture(FORGETTING[name])
    target = other.process(x)
    assert esr(target, y) < 1e-10 and np.abs(target - y).max() < 1e-5
    tail = guitar(500)
    assert np.abs(capture.process(tail) - other.process(tail)).max() < 1e-5


def latch():
    """One unit that keeps the sign of the last strong sound for ever: c = tanh(6 x + 2 h), h = tanh(c)."""
    weights = [0.0, 0.0, 0.0, 0.0, 6.0, 2.0, 0.0, 0.0]  # rows i, f, g, o; columns input, hidden
    biases = [20.0, -20.0, 0.0, 20.0]
    return {"version": "0.5.4", "architecture": "LSTM", "config": {"input_size": 1, "hidden_size": 1, "num_layers": 1},
            "weights": weights + biases + [0.0, 0.0] + [1.0, 0.0], "sample_rate": 4000}


def test_a_net_that_never_forgets_is_played_in_sequence():
    model = read_nam("latch.nam", latch())
    x = np.zeros(ENOUGH)
    x[5000] = 1.0  # sets the latch in the first segment; silence from there on
    target, capture = Capture(model).process(x), Capture(model)
    assert target[-1] > 0.5 and abs(target[4000]) < 1e-6
    y = capture.render(x)
    assert capture.redone >= (segments.WIDTH - 1) * (len(x) // segments.WIDTH)
    assert np.abs(target - y).max() < 1e-5


def test_what_can_t_be_split_is_played_in_sequence():
    x = guitar(3000)
    for model, dtype in ((FORGETTING["lstm"], "float32"), (read_nam("x", standard(RNG, (4, 2))), "float32"), (FORGETTING["lstm"], "float64")):
        capture, other = Capture(model, dtype), Capture(model, dtype)
        assert np.array_equal(capture.render(x), other.process(x))
    assert not segments.splits(read_nam("x", standard(RNG, (4, 2))))
    assert not segments.splits(read_guitarml("x", guitarml(RNG, n_in=2)))
    with pytest.raises(SignalError, match="120 dB"):
        Capture(FORGETTING["lstm"]).render(1e7 * guitar())
