"""Prints how many Newton steps the worst samples and the worst blocks take: counts, which no other program on the machine can disturb.

Run from the root of the tree: ``python tests/benchmarks/steps.py [name ...]`` (library names or paths of decks; the whole library if none is named).
Each circuit hears a square wave of 5 V and 110 Hz for a tenth of a second (``--seconds``; ``--volts``) at its own rate, on the table kernel: at every edge
all tubes are torn from one end of their curves to the other. Columns: mean, p99, p99.9 and maximum of the steps of a sample, and of those of a
block of 64 samples; samples that did not converge.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from circuits.nodal import transient  # noqa: E402
from circuits.nodal.course import STILL  # noqa: E402
from circuits.nodal.processor import TOLERANCE, NodalProcessor  # noqa: E402
from circuits.nodal.selected import table_kernel  # noqa: E402
from netlists.library import find, names  # noqa: E402
from netlists.reader import read  # noqa: E402

RATE = 48000.0
BLOCK = 64


def steps(path: Path, volts: float, seconds: float) -> tuple[np.ndarray, int]:
    """Newton steps of each sample, and samples that did not converge."""
    processor = NodalProcessor(read(path), RATE, kernel="table")
    samples = volts * np.sign(np.sin(2 * np.pi * 110.0 * np.arange(round(seconds * RATE)) / RATE + 1e-6))
    u = processor.drive(samples)
    arrays, motion, scratch = processor.model.arrays, processor.motion, transient.scratch(processor.model)
    kernel = table_kernel(arrays.laws)
    y = np.empty((len(processor.outputs), len(samples)))
    counts, bad = np.zeros(len(samples), dtype=np.int64), 0
    for n in range(len(samples)):
        tally = transient.tally()
        kernel(arrays, motion, scratch, STILL, u, y, n, n + 1, TOLERANCE, tally)
        counts[n] = tally.counts[0]
        bad += int(tally.counts[2])
    return counts, bad


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seconds", type=float, default=0.1)
    parser.add_argument("--volts", type=float, default=5.0)
    options = parser.parse_args()
    print("| circuit | mean | p99 | p99.9 | max | block mean | block p99 | block max | not converged |\n|" + " --- |" * 9)
    for path in [Path(name).resolve() if Path(name).suffix else find(name) for name in options.names or names()]:
        counts, bad = steps(path, options.volts, options.seconds)
        blocks = counts[:len(counts) // BLOCK * BLOCK].reshape(-1, BLOCK).sum(axis=1)
        print(f"| {path.stem} | {counts.mean():.2f} | {np.quantile(counts, 0.99):.0f} | {np.quantile(counts, 0.999):.0f} | {counts.max()} "
              f"| {blocks.mean():.0f} | {np.quantile(blocks, 0.99):.0f} | {blocks.max()} | {bad} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
