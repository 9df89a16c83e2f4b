"""Wiener-Hammerstein 2009: error on a hold-out inside the estimation part, five seeds, and the one-line swaps.

Even seeds keep the last fifth of the 100,000 samples apart, odd ones the first; only the last column sees it. (The last
fifth holds a burst near sample 98,815, of 3 mV for 20 samples, that no model of ours follows.)
Run: OMP_NUM_THREADS=1 python tests/benchmarks/graybox_wh2009.py [DATA]
"""

from __future__ import annotations

import time

import numpy as np

from graybox_data import numbers
from graybox.fit import fit
from graybox.optimise import render
from graybox.structures import free_numbers

WARM = 1000  # samples for the filters' states
BURST = slice(98_780, 98_860)  # of the benchmark: a disturbance in the measured output


def rms(block, u, y, begin, end) -> tuple[float, float]:
    """Error in millivolts on begin..end, the filters warmed up before it where there is something before; and without the burst."""
    start = max(begin - WARM, 0)
    e = np.zeros(len(u))
    e[start:end] = render(block, u[start:end]) - y[start:end]
    counted = np.zeros(len(u), dtype=bool)
    counted[max(begin, WARM):end] = True
    calm = counted.copy()
    calm[BURST] = False
    return tuple(1e3 * float(np.sqrt(np.mean(e[which] ** 2))) for which in (counted, calm))


def main() -> None:
    u, y, rate = numbers("wiener-hammerstein-2009-estimation.npz")
    fifth = len(u) // 5
    print(f"{'seed':>4} {'curve':>10} {'numbers':>8} {'CPU s':>6} {'swap ESR':>9} {'own hold-out mV':>16} {'unseen fifth mV':>16} {'without burst':>14}")
    found = {"spline": [], "tanh-sum": [], "spline-40": []}
    for seed in range(5):
        begin = 0 if seed % 2 else 4 * fifth
        keep = slice(fifth, None) if seed % 2 else slice(0, 4 * fifth)
        began = time.process_time()
        result = fit("wh-poles", u[keep], y[keep], sample_rate=rate, rng=np.random.default_rng(seed), hold=0.12)
        spent = time.process_time() - began
        rows = [("spline", result, spent, 0.0)]
        for kind, size in (("tanh-sum", 8), ("spline", 40)):
            began = time.process_time()
            swapped = result.block.replace(curve=kind, size=size)
            refit = fit(swapped, u[keep], y[keep], sample_rate=rate, rng=np.random.default_rng(seed), hold=0.12)
            rows.append((kind if kind != "spline" else "spline-40", refit, time.process_time() - began,
                         swapped.notes["swap_error"]))
        for kind, outcome, seconds, swap in rows:
            error, calm = rms(outcome.block, u, y, begin, begin + fifth)
            found[kind].append(error)
            print(f"{seed:>4} {kind:>10} {free_numbers(outcome.block):>8} {seconds:>6.1f} {swap:>9.1e} "
                  f"{1e3 * np.sqrt(outcome.held_out) * y.std():>16.4f} {error:>16.4f} {calm:>14.4f}", flush=True)
    for kind, errors in found.items():
        print(f"{kind:>10}: unseen fifths {np.sqrt(np.mean(np.square(errors))):.4f} mV rms together, "
              f"from {min(errors):.4f} to {max(errors):.4f}")


if __name__ == "__main__":
    main()
