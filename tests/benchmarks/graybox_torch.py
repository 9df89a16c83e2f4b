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
    _, block, _ = wiener_hammerstein_starts(u, y, rate, np.random.default_rng(0), zeros=8, poles=8, front_sections=2,
                                         back_sections=3)[0]
    block, _ = swapped(replace(block, ranges=inputs_seen(block, u)), "tanh-sum")
    rng = np.random.default_rng(1)
    return with_values(block, values(block) * (1.0 + 0.01 * rng.standard_normal(len(values(block)))))


def by_torch(torch, block, u, y, limit: float) -> tuple[float, float]:
    """CPU seconds and error in volts that L-BFGS needs, or has reached when the time is over."""
    front, static, back = block.stages
    assert isinstance(static, Static)
    x, target = torch.tensor(u), torch.tensor(y)
    scale = 1.0 / GOAL**2
    frequency = 2j * np.pi * torch.arange(len(u) + 1, dtype=torch.float64) / (2 * len(u))
    z = torch.exp(-frequency)

    def leaf(number):
        return torch.tensor(np.array(number), dtype=torch.float64, requires_grad=True)

    def filter_of(cascade):
        """Numerators with their fixed pivots (see `Cascade.pivoted`), reflection coefficients through tanh, and the fixed gain."""
        b = [leaf(cascade.b0), leaf(cascade.b1), leaf(cascade.b2)]
        held = [[f"b{k}[{s}]" in cascade.fixed or f"b{k}" in cascade.fixed for s in range(len(cascade.b0))] for k in range(3)]
        return b, torch.tensor(held), [row.detach().clone() for row in b], leaf(np.arctanh(cascade.k1)), leaf(np.arctanh(cascade.k2)), cascade.gain

    filters = [filter_of(f) for f in (front, back)]
    curve = [leaf(static.curve.weight), leaf(static.curve.gain), leaf(static.curve.shift), leaf(static.curve.offset)]

    def through(signal, numbers):
        """Zero-padded to twice the length, where the responses of these filters have died away: exact to rounding."""
        b, held, first, k1, k2, gain = numbers
        k1, k2 = torch.tanh(k1), torch.tanh(k2)
        b0, b1, b2 = (torch.where(stays, kept, row) for stays, kept, row in zip(held, first, b))
        top = b0[:, None] + b1[:, None] * z + b2[:, None] * z * z
        bottom = 1.0 + (k1 * (1.0 + k2))[:, None] * z + k2[:, None] * z * z
        h = gain * torch.prod(top / bottom, dim=0)
        return torch.fft.irfft(torch.fft.rfft(signal, 2 * len(u)) * h, 2 * len(u))[:len(u)]

    def loss():
        v = through(x, filters[0])
        weight, gain, shift, offset = curve
        w = offset + torch.tanh(v[:, None] * gain + shift) @ weight - torch.tanh(shift) @ weight
        return torch.mean((through(w, filters[1]) - target)[1000:] ** 2) * scale

    # in units of the goal, and without tolerances on small changes: it must not stop for want of size
    free = [p for b, _, _, k1, k2, _ in filters for p in (*b, k1, k2)] + curve
    calls = 0
    optimiser = torch.optim.LBFGS(free, lr=1.0, max_iter=20, history_size=20, tolerance_grad=0.0, tolerance_change=0.0,
                                  line_search_fn="strong_wolfe")

    def closure():
        nonlocal calls
        calls += 1
        optimiser.zero_grad()
        value = loss()
        value.backward()
        return value

    with torch.no_grad():
        told = float(torch.sqrt(loss() / scale))
    print(f"torch starts at {1e3 * told:.2f} mV", flush=True)
    began, shown = time.process_time(), 0.0
    while True:
        optimiser.step(closure)
        with torch.no_grad():
            error = float(torch.sqrt(loss() / scale))
        spent = time.process_time() - began
        if spent > 2.0 * shown or error < GOAL:
            shown = max(spent, 0.1)
            print(f"    {spent:7.1f} CPU-s, {calls} gradients: {1e3 * error:.3f} mV", flush=True)
        if error < GOAL or spent > limit or not np.isfinite(error):
            return spent, error


def main() -> None:
    limit = float(sys.argv[2]) if len(sys.argv) > 2 else 600.0
    u, y, rate = numbers("wiener-hammerstein-2009-estimation.npz")
    u, y = u[:SAMPLES], y[:SAMPLES]
    block = start(u, y, rate)
    pair = Recording(u, y, skip=1000)
    scale = np.sqrt(pair.energy / (SAMPLES - 1000))
    levenberg_marquardt(block, [pair], iterations=1)  # compiled before the clock runs, as torch is
    began = time.process_time()
    for _ in range(10):  # ten times the same: the clock of the process ticks in hundredths
        descent = levenberg_marquardt(block, [pair], iterations=100, tolerance=1e-7, goal=(GOAL / scale) ** 2)
    ours = (time.process_time() - began) / 10.0
    print(f"start {1e3 * scale * np.sqrt(descent.history[0].loss):.2f} mV, {len(values(block))} numbers, {SAMPLES} samples")
    print(f"Levenberg-Marquardt: {1e3 * scale * np.sqrt(descent.loss):.3f} mV after {ours:.3f} CPU-s ({len(descent.history) - 1} steps)")
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        raise SystemExit("torch is not installed: the other half of the comparison is left out")
    torch.set_num_threads(1)
    theirs, error = by_torch(torch, block, u, y, limit)
    reached = "" if error < GOAL else ", the goal not reached: at least"
    print(f"torch L-BFGS: {1e3 * error:.3f} mV after {theirs:.1f} CPU-s{reached} {theirs / ours:.0f} times as long")


if __name__ == "__main__":
    main()
