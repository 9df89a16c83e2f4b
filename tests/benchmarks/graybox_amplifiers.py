"""Real amplifiers by the automatic choice of structure, against the published captures of the same recordings.

Run: OMP_NUM_THREADS=1 python tests/benchmarks/graybox_amplifiers.py [DATA]
"""

from __future__ import annotations

import time

import numpy as np

from graybox_data import audio
from graybox.fit import fit
from graybox.optimise import Recording, esr
from graybox.structures import free_numbers


def score(block, x, y, begin: int) -> float:
    """ESR from ``begin`` on, the states warmed up by up to 20,000 samples before."""
    start = max(begin - 20_000, 0)
    return esr(block, [Recording(x[start:], y[start:], skip=begin - start if begin else 2000)])


def published(name: str, y, begin: int) -> float:
    out, _ = audio(name)
    e = out[begin:] - y[begin:]
    return float(np.sum(e**2) / np.sum((y[begin:] - y[begin:].mean()) ** 2))


def report(name, xs, ys, rate, test_x, test_y, begin, other) -> None:
    began = time.process_time()
    result = fit("auto", xs, ys, sample_rate=rate, rng=np.random.default_rng(0), seconds=170.0)
    spent = time.process_time() - began
    print(f"\n{name}: {result.structure}, {free_numbers(result.block)} free numbers, {spent:.0f} CPU-s, held-out ESR "
          f"{result.held_out:.4f}, TEST ESR {score(result.block, test_x, test_y, begin):.4f} (published: {other})")
    for t in result.tried:
        print(f"    {t.structure:>12} {t.numbers:>4} numbers {t.seconds:>6.1f} CPU-s  held-out {t.held_out:.4f}  {t.stop}", flush=True)


def main() -> None:
    x, rate = audio("blackstar-ht1-lstm64-input.flac")
    y, _ = audio("blackstar-ht1-lstm64-target.flac")
    cut, begin = int(4.0 * rate), len(x) - int(1.8 * rate)
    report("Blackstar HT-1, first 4 s", x[:cut], y[:cut], rate, x, y, begin,
           f"{published('blackstar-ht1-lstm64-published-model-output.flac', y, begin):.4f}")
    x, rate = audio("marshall-jvm410h-ddsp-input.flac")
    y, _ = audio("marshall-jvm410h-ddsp-target.flac")
    cut, begin = int(7.5 * rate), len(x) - int(2.5 * rate)
    report("Marshall JVM, DDSP clip, first 7.5 s", x[:cut], y[:cut], rate, x, y, begin,
           f"{published('marshall-jvm410h-ddsp-published-model-output.flac', y, begin):.4f}")
    clips = [(audio(f"marshall-jvm410h/clip{c}-input.flac")[0], audio(f"marshall-jvm410h/clip{c}-bass10-middle0-treble0.flac")[0])
             for c in (1, 2, 3, 4, 5, 7)]
    report("Marshall JVM, bass 10, five clips", [c[0] for c in clips[:5]], [c[1] for c in clips[:5]], rate, *clips[5], 0,
           "0.0175 to 0.154 by neural models")


if __name__ == "__main__":
    main()
