"""Levenberg-Marquardt against torch's L-BFGS: same Wiener-Hammerstein model, same start, float64, CPU seconds to 0.45 mV.

Needs torch. Run: OMP_NUM_THREADS=1 python tests/benchmarks/graybox_torch.py [DATA] [SECONDS]
"""

from __future__ import annotations

import importlib
import sys
import time
from dataclasses import replace

import numpy as np

from graybox_data import numbers
from graybox.chain import Static
from graybox.blocks import Block
from graybox.optimise import Recording, levenberg_marquardt
from graybox.parameters import values, with_values
from graybox.partition import wiener_hammerstein_starts
from graybox.swap import inputs_seen, swapped

SAMPLES, GOAL = 30_000, 0.45e-3


def start(u, y, rate) -> Block:
    """A block some millivolts away: the best division, its spline swapped for eight tanh units, its numbers shaken."""
    _, block = wiener_hammerstein_starts(u, y, rate, np.random.default_rng(0), zeros=8, poles=8, front_sections=2,
                                         back_sections=3)[0]
    block, _ = swapped(replace(block, ranges=inputs_seen(block, u)), "tanh-sum")
    rng = np.random.default_rng(1)
    return with_values(block, values(block) * (1.0 + 0.01 * rng.standard_normal(len(values(block)))))


def by_torch(torch, block, u, y, limit: float) -> tuple[float, float]:
    """CPU seconds and error in volts that L-BFGS needs, or has reached when the time is over."""
    front, static, back = block.stages
    assert isinstance(static, Static)
    x, target = torch.tensor(u), torch.tensor(y)
    frequency = 2j * np.pi * torch.arange(len(u) + 1, dtype=torch.float64) / (2 * len(u))
    z = torch.exp(-frequency)

    def leaf(number):
        return torch.tensor(np.array(number), dtype=torch.float64, requires_grad=True)

    filters = [[leaf(f.b1), leaf(f.b2), leaf(np.arctanh(f.k1)), leaf(np.arctanh(f.k2)), f.gain] for f in (front, back)]
    curve = [leaf(static.curve.weight), leaf(static.curve.gain), leaf(static.curve.shift), leaf(static.curve.offset)]

    def through(signal, numbers):
        """Zero-padded to twice the length, where the responses of these filters have died away: exact to rounding."""
        b1, b2, k1, k2, gain = numbers
        k1, k2 = torch.tanh(k1), torch.tanh(k2)
        top = 1.0 + b1[:, None] * z + b2[:, None] * z * z
        bottom = 1.0 + (k1 * (1.0 + k2))[:, None] * z + k2[:, None] * z * z
        h = gain * torch.prod(top / bottom, dim=0)
        return torch.fft.irfft(torch.fft.rfft(signal, 2 * len(u)) * h, 2 * len(u))[:len(u)]

    def loss():
        v = through(x, filters[0])
        weight, gain, shift, offset = curve
        w = offset + torch.tanh(v[:, None] * gain + shift) @ weight - torch.tanh(shift) @ weight
        return torch.mean((through(w, filters[1]) - target)[1000:] ** 2)

    free = [p for group in filters for p in group[:4]] + curve
    optimiser = torch.optim.LBFGS(free, lr=1.0, max_iter=20, history_size=20, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        value = loss()
        value.backward()
        return value

    began = time.process_time()
    while True:
        optimiser.step(closure)
        with torch.no_grad():
            error = float(torch.sqrt(loss()))
        if error < GOAL or time.process_time() - began > limit or not np.isfinite(error):
            return time.process_time() - began, error


def main() -> None:
    limit = float(sys.argv[2]) if len(sys.argv) > 2 else 600.0
    u, y, rate = numbers("wiener-hammerstein-2009-estimation.npz")
    u, y = u[:SAMPLES], y[:SAMPLES]
    block = start(u, y, rate)
    pair = Recording(u, y, skip=1000)
    scale = np.sqrt(pair.energy / (SAMPLES - 1000))
    levenberg_marquardt(block, [pair], iterations=1)  # compiled before the clock runs, as torch is
    began = time.process_time()
    descent = levenberg_marquardt(block, [pair], iterations=100, tolerance=1e-7, goal=(GOAL / scale) ** 2)
    ours = time.process_time() - began
    print(f"start {1e3 * scale * np.sqrt(descent.history[0].loss):.2f} mV, {len(values(block))} numbers, {SAMPLES} samples")
    print(f"Levenberg-Marquardt: {1e3 * scale * np.sqrt(descent.loss):.3f} mV after {ours:.2f} CPU-s ({len(descent.history) - 1} steps)")
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        raise SystemExit("torch is not installed: the other half of the comparison is left out")
    torch.set_num_threads(1)
    theirs, error = by_torch(torch, block, u, y, limit)
    print(f"torch L-BFGS: {1e3 * error:.3f} mV after {theirs:.1f} CPU-s: {theirs / ours:.0f} times as long")


if __name__ == "__main__":
    main()
