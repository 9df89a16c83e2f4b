"""Every schematic that ships survives what no guitar does: each sample converges, with all controls at either end.

Silence, a 10 V step, a sweep of 20 Hz to 20 kHz, a square wave and white noise at twice the deck's level, and a sine of 1,000 V.
"""

import re

import numpy as np
import pytest

from circuits.nodal.processor import NodalProcessor
from netlists.library import find, names
from netlists.reader import read

RATE = 48_000.0
COUNT = 480


def signals():
    """Name to (samples, whether they scale with the deck's level)."""
    t = np.arange(COUNT) / RATE
    end = t[-1]
    phase = 2 * np.pi * 20.0 * end / np.log(1000.0) * (np.exp(t / end * np.log(1000.0)) - 1.0)
    noise = np.random.default_rng(2).uniform(-1.0, 1.0, COUNT)
    return {"silence": (np.zeros(COUNT), True), "step": (np.where(t > 0.001, 10.0, 0.0), False), "sweep": (2.0 * np.sin(phase), True),
            "square": (2.0 * np.sign(np.sin(2 * np.pi * 220.0 * t + 1e-6)), True), "noise": (2.0 * noise, True),
            "thousand volts": (1000.0 * np.sin(2 * np.pi * 200.0 * t), False)}


@pytest.mark.parametrize("name", names())
def test_every_sample_converges(name):
    path = find(name)
    circuit = read(path)
    level = float(re.search(r"(?m)^\*@ level (\S+)", path.read_text()).group(1))
    ends = [{}, {c.name: c.minimum for c in circuit.controls}, {c.name: c.maximum for c in circuit.controls}]
    for positions in ends if circuit.controls else ends[:1]:
        processor = NodalProcessor(circuit, RATE)
        processor.turn(**positions)
        for kind, (samples, scaled) in signals().items():
            processor.reset()
            output = processor.process(samples * level if scaled else samples)
            assert processor.run.bad_samples == 0, (kind, positions, processor.run)
            assert np.isfinite(output).all(), (kind, positions)
        processor.reset()
        still = processor.process(np.zeros(COUNT))
        if not re.search(r"(?m)^V(?!IN)\w+ .*SIN\(", path.read_text()):
            np.testing.assert_allclose(still, np.broadcast_to(np.atleast_2d(still)[:, :1], np.atleast_2d(still).shape).reshape(still.shape),
                                       atol=1e-5, err_msg="at rest the output stands still")


@pytest.mark.parametrize("name, most", [("preamp_ef86", 45), ("champ_5f1", 45), ("bassman_5f6a", 60), ("plexi_1987", 75), ("sho_booster", 80)])
def test_no_sample_of_a_square_wave_takes_long(name, most):
    """Where plain Newton leaps from side to side for ever, damped steps settle it; the homotopy alone took 140 to 250 steps."""
    processor = NodalProcessor(read(find(name)), RATE, kernel="table")
    processor.process(5.0 * np.sign(np.sin(2 * np.pi * 110.0 * np.arange(2400) / RATE + 1e-6)))
    assert processor.run.bad_samples == 0 and processor.run.worst_iterations <= most
