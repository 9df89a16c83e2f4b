"""Prints the ESR of the nodal engine against every golden result: ``python tests/golden/compare.py [name ...] > docs/accuracy.md``.

Golden results stop at 22.5 kHz and so does the oversampler, but with another slope; both are compared up to 20 kHz, where both are flat.
The page is Markdown; minutes of computing.
"""

import sys
from pathlib import Path

import numpy as np
from scipy.signal import firwin, fftconvolve

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "golden"), str(ROOT / "tests")]

import make  # noqa: E402  (beside this file)
from circuits.nodal.processor import NodalProcessor  # noqa: E402
from circuits.rate import Oversampled  # noqa: E402
from netlists.reader import read  # noqa: E402

EDGE = firwin(201, 19_500.0, fs=make.SAMPLE_RATE, window=("kaiser", 12.0))  # down 100 dB from 21.3 kHz on
HEADING = f"""# Accuracy of the nodal engine

This page is written by `python tests/golden/compare.py > docs/accuracy.md`.

Error-to-signal ratio (energy of the difference over energy of the reference) at oversampling 1, 2, 4 and 8, for {make.SECONDS} s of plucked notes
at 48 kHz, driven into each circuit's nonlinearity. The reference is ngspice 39 (trapezoidal, reltol 1e-5, vntol 1e-7, abstol 1e-12, steps of at
most 1/16 sample, the band-limited input through its external source), stored in `tests/golden/` with the command that makes it again.
Both are compared up to 20 kHz. The last column counts samples that did not converge, over all four runs.
"""
TAIL = 300  # samples at the end that the filters of the golden result saw the future of


def golden(name: str) -> tuple[np.ndarray, float]:
    """Stored output, shape (n_samples,), volts, and the volts of a full-scale sample."""
    with np.load(make.GOLDEN / f"{name}.npz") as stored:
        return stored["output"].astype(float), make.drive(name, make.decks()[name].read_text(encoding="ascii"))


def play(player, samples: np.ndarray) -> np.ndarray:
    """First output of a processor with its latency taken out, shape (n_samples,)."""
    out = player.process(np.concatenate([samples, np.zeros(player.latency)]))
    return np.atleast_2d(out)[0][player.latency:]


def esr(target: np.ndarray, estimate: np.ndarray) -> float:
    """Energy of the difference over energy of the target, up to 20 kHz and without the last samples."""
    difference = fftconvolve(estimate - target, EDGE, "same")[:-TAIL]
    return float(np.sum(difference**2) / np.sum(fftconvolve(target, EDGE, "same")[:-TAIL] ** 2))


def main(names: list[str]) -> int:
    known = make.decks()
    print(HEADING)
    print("| circuit | 1x | 2x | 4x | 8x | not converged |\n| --- | --- | --- | --- | --- | --- |")
    for name in names or [name for name in known if (make.GOLDEN / f"{name}.npz").exists()]:
        circuit, (target, level) = read(known[name]), golden(name)
        row, bad = [], 0
        for factor in (1, 2, 4, 8):
            player = NodalProcessor(circuit, factor * make.SAMPLE_RATE)
            player = Oversampled(player, factor) if factor > 1 else player
            row.append(esr(target, play(player, level * make.notes())))
            bad += player.run.bad_samples
        print(f"| {name} | " + " | ".join(f"{value:.1e}" for value in row) + f" | {bad} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
