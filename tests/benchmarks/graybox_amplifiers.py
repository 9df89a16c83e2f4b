"""Real amplifiers by the automatic choice of structure, against the published captures of the same recordings.

Run: python tests/benchmarks/graybox_amplifiers.py [DATA] [ht1,ddsp,jvm] [SEEDS]
"""

from __future__ import annotations

import sys
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


def report(name, seed, xs, ys, rate, test_x, test_y, begin, other) -> None:
    began = time.process_time()
    result = fit("auto", xs, ys, sample_rate=rate, rng=np.random.default_rng(seed), seconds=175.0)
    spent = time.process_time() - began
    print(f"\n{name}, seed {seed}: {result.structure}, {free_numbers(result.block)} free numbers, {spent:.0f} CPU-s, held-out ESR "
          f"{result.held_out:.4f}, TEST ESR {score(result.block, test_x, test_y, begin):.4f} (published: {other})", flush=True)
    for t in result.tried:
        print(f"    {t.structure:>12} {t.numbers:>4} numbers {t.seconds:>6.1f} CPU-s  held-out {t.held_out:.4f}  {t.stop}", flush=True)


def ht1(seed: int) -> None:
    x, rate = audio("blackstar-ht1-lstm64-input.flac")
    y, _ = audio("blackstar-ht1-lstm64-target.flac")
    cut, begin = int(4.0 * rate), len(x) - int(1.8 * rate)
    report("Blackstar HT-1, first 4 s", seed, x[:cut], y[:cut], rate, x, y, begin,
           f"{published('blackstar-ht1-lstm64-published-model-output.flac', y, begin):.4f}")


def ddsp(seed: int) -> None:
    x, rate = audio("marshall-jvm410h-ddsp-input.flac")
    y, _ = audio("marshall-jvm410h-ddsp-target.flac")
    cut, begin = int(7.5 * rate), len(x) - int(2.5 * rate)
    report("Marshall JVM, DDSP clip, first 7.5 s", seed, x[:cut], y[:cut], rate, x, y, begin,
           f"{published('marshall-jvm410h-ddsp-published-model-output.flac', y, begin):.4f}")


def jvm(seed: int) -> None:
    clips = [(audio(f"marshall-jvm410h/clip{c}-input.flac"), audio(f"marshall-jvm410h/clip{c}-bass10-middle0-treble0.flac")[0])
             for c in (1, 2, 3, 4, 5, 7)]
    rate = clips[0][0][1]
    pairs = [(x, y) for (x, _), y in clips]
    report("Marshall JVM, bass 10, five clips", seed, [x for x, _ in pairs[:5]], [y for _, y in pairs[:5]], rate, *pairs[5], 0,
           "0.0175 to 0.154 by neural models")


def main() -> None:
    which = sys.argv[2].split(",") if len(sys.argv) > 2 else ["ht1", "ddsp", "jvm"]
    for name in which:
        for seed in range(int(sys.argv[3]) if len(sys.argv) > 3 else 3):
            {"ht1": ht1, "ddsp": ddsp, "jvm": jvm}[name](seed)


if __name__ == "__main__":
    main()
