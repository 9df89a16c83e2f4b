"""What a training is given and what it gives back: takes, settings, epochs, the result."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from circuits.errors import FitError
from validation.captures.trained import Network


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """One pair to learn from, and what part of it is for what.

    Parameters
    ----------
    x, y : ndarray, shape (n_samples,)
        Dry, and what came out; aligned.
    knobs : tuple of float
        Shares of the travel mapped to -1..1.
    train, validation : tuple of (start, stop)
        Stretches in samples; either may be empty.
    hidden : ndarray, shape (n_features, n_samples), optional
        What a teacher's hidden layers did meanwhile, as hints.
    """

    x: np.ndarray
    y: np.ndarray
    knobs: tuple[float, ...] = ()
    train: tuple[tuple[int, int], ...] = ()
    validation: tuple[tuple[int, int], ...] = ()
    hidden: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train.

    Parameters
    ----------
    loss : str
        As `losses.read_loss` takes it.
    rate, decay : float
        Adam's step size, and its factor after each epoch.
    schedule : {"exponential", "cosine"}
        Step size by ``decay``, or along half a cosine down to a hundredth at the end of what is given: epochs, seconds, cpu.
    epochs, steps : int
        Epochs at most, optimiser steps in each.
    lanes, length : int
        Excerpts side by side, and samples of each that count.
    chunk, warm_up : int
        Recurrent: samples between two steps, and before the first.
    patience : int
        Epochs without a better held-out error before it stops.
    seconds, cpu : float
        Wall-clock time and processor time at most; inf for no limit.
    goal : float
        Held-out ESR at which it stops.
    clip : float
        Largest norm of the gradient.
    hints : float
        Weight of the distance to a teacher's hidden activations, while the step size is whole; it shrinks with it.
    device : {"auto", "cpu", "cuda"}
    """

    loss: str = "esr+pre"
    rate: float = 0.004
    decay: float = 0.99
    schedule: str = "exponential"
    epochs: int = 100
    steps: int = 50
    lanes: int = 8
    length: int = 4096
    chunk: int = 512
    warm_up: int = 1024
    patience: int = 20
    seconds: float = math.inf
    cpu: float = math.inf
    goal: float = 0.0
    clip: float = 1.0
    hints: float = 0.0
    device: str = "auto"

    def __post_init__(self):
        counts = (self.epochs, self.steps, self.lanes, self.length, self.chunk, self.patience)
        if (min(counts) < 1 or self.warm_up < 0 or not (0.0 < self.rate < 1.0 and 0.0 < self.decay <= 1.0 and self.seconds > 0.0 and self.cpu > 0.0
                                                        and self.clip > 0.0 and 0.0 <= self.hints < 1e6)):
            raise FitError("a setting of the training makes no sense", mend="Counts are at least 1, rate and decay lie in 0..1, seconds above 0.")
        if self.schedule not in ("exponential", "cosine"):
            raise FitError(f"there is no schedule {self.schedule!r}", mend="Use exponential or cosine.")
        if self.device not in ("auto", "cpu", "cuda"):
            raise FitError(f"there is no device {self.device!r}", mend="Use auto, cpu or cuda.")

    def share(self, epochs: int, seconds: float, cpu: float) -> float:
        """How much of the largest of what is given has been spent, 0 to 1."""
        return min(max(epochs / self.epochs, seconds / self.seconds, cpu / self.cpu), 1.0)

    def step_size(self, epochs: int, seconds: float, cpu: float) -> float:
        """Adam's step size for the epoch that follows."""
        if self.schedule == "exponential":
            return self.rate * self.decay**epochs
        return self.rate * max(0.5 + 0.5 * math.cos(math.pi * self.share(epochs, seconds, cpu)), 0.01)


@dataclass(frozen=True, slots=True)
class Epoch:
    """One line of the history: number from 1, mean loss, held-out ESR, step size, seconds and processor seconds since the start of all runs."""

    number: int
    loss: float
    held_out: float
    rate: float
    seconds: float
    cpu: float


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """The best network of a run, its held-out ESR, the history, why it stopped."""

    network: Network
    held_out: float
    history: tuple[Epoch, ...]
    stop: str
