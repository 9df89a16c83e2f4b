"""Pairs of signals on which the metrics are compared with independent implementations; made of numpy's generator alone."""

import numpy as np


def pairs() -> dict[str, tuple[float, np.ndarray, np.ndarray]]:
    """Name to (sample rate, target, estimate); zeros at both ends, so that the edges of filters don't matter."""
    result = {}
    for seed, (name, rate) in enumerate((("noise", 44100.0), ("distorted", 44100.0), ("quiet", 48000.0), ("offset", 96000.0))):
        rng = np.random.default_rng(seed)
        t = np.arange(48000) / rate
        tones = sum(np.sin(2 * np.pi * f * t + rng.uniform(0, 6)) / k for k, f in enumerate((110.0, 165.0, 440.0, 3520.0, 9000.0), 1))
        plucked = tones * np.exp(-6.0 * t) + 0.01 * rng.standard_normal(t.size)
        if name == "noise":
            target = 0.2 * rng.standard_normal(t.size)
            estimate = 0.9 * target + 0.05 * rng.standard_normal(t.size)
        elif name == "distorted":
            target, estimate = np.tanh(3.0 * plucked), np.tanh(3.1 * plucked + 0.02)
        elif name == "quiet":
            target, estimate = 1e-3 * plucked, 1e-3 * np.roll(plucked, 1)
        else:
            target, estimate = 0.4 * plucked + 0.1, -0.3 * plucked
        for samples in (target, estimate):
            samples[:400] = samples[-400:] = 0.0
        result[name] = rate, target, estimate
    return result


def whole_blocks(rate: float, samples: np.ndarray) -> np.ndarray:
    """Cut to whole tenths of a second: pyloudnorm counts a last broken block, which BS.1770 leaves out."""
    return samples[:int(len(samples) / rate * 10) * int(rate / 10)]
