"""A model small enough to know by heart: a biased tanh behind a one-pole low-pass and a delay; tests compare with it."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
from scipy.signal import lfilter

from circuits.controls import Control
from circuits.processor import Run, check_samples, check_state, turned


class Shaper:
    """``tanh(drive x + bias) - tanh(bias)`` of the low-passed input, late by some samples."""

    def __init__(self, sample_rate=48000.0, drive=4.0, bias=0.1, pole=0.5, latency=0, breaks_at=None):
        self.sample_rate, self.latency = float(sample_rate), latency
        self._controls = {"drive": Control("drive", 0.0, 1000.0, drive)}
        self._bias, self._pole, self._breaks_at = bias, pole, breaks_at
        self.reset()

    controls = property(lambda self: MappingProxyType(self._controls))
    run = property(lambda self: Run(samples=self._count))

    @property
    def state(self):
        return {"low": self._low.copy(), "late": self._late.copy(), "count": np.array(self._count)}

    @state.setter
    def state(self, state):
        state = check_state(state, self.state)
        self._low, self._late, self._count = state["low"], state["late"], int(state["count"])

    def turn(self, **positions):
        self._controls = turned(self._controls, positions)

    def reset(self):
        self._low, self._late, self._count = np.zeros(1), np.zeros(self.latency), 0

    def process(self, samples):
        samples = check_samples(samples)
        if not len(samples):
            return np.zeros(0)
        smooth, self._low = lfilter([1.0 - self._pole], [1.0, -self._pole], samples, zi=self._low)
        out = np.tanh(self._controls["drive"].position * smooth + self._bias) - np.tanh(self._bias)
        joined = np.concatenate([self._late, out])
        self._late, self._count = joined[len(out):], self._count + len(out)
        out = joined[:len(samples)].copy()
        if self._breaks_at is not None and self._count > self._breaks_at:
            out[-1] = np.nan
        return out
