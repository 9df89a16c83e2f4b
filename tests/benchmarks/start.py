"""Prints how long a start takes: import, first 64 samples with an empty and with a warm cache, and a whole `ampwright simulate` of one second.

Run from the root of the tree: ``python tests/benchmarks/start.py [name ...]`` (library names or paths of decks; the shared bench decks, where they lie
beside the tree, and all of the library if none is named). Each figure is a process of its own; wall-clock and CPU seconds from the start of building a
Processor from a netlist to its first 64 samples. ``--warm`` leaves the empty caches out (they compile for seconds each).
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from netlists.library import find, names  # noqa: E402

BENCH = ROOT.parent / "shared" / "bench-netlists"
FIRST = """
import sys, time
import numpy as np
from circuits.nodal.processor import NodalProcessor
from netlists.reader import read
wall, cpu = time.perf_counter(), time.process_time()
NodalProcessor(read(sys.argv[1]), 48000.0).process(np.zeros(64))
print(time.perf_counter() - wall, time.process_time() - cpu)
"""


def first(deck: Path, cache: str | None) -> tuple[float, float]:
    """Wall and CPU seconds to the first block of a fresh process."""
    env = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", **({"AMPWRIGHT_CACHE": cache} if cache else {})}
    answer = subprocess.run([sys.executable, "-c", FIRST, str(deck)], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    wall, cpu = answer.stdout.split()
    return float(wall), float(cpu)


def whole(*arguments: str) -> tuple[float, float]:
    """Wall and CPU seconds of a whole process."""
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, check=True)
    wall, after = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--warm", action="store_true")
    options = parser.parse_args()
    decks = [Path(name).resolve() if Path(name).suffix else find(name) for name in options.names]
    decks = decks or [*sorted(BENCH.glob("*.cir")), *(find(name) for name in names())]
    best = min(whole("-c", "import ampwright") for _ in range(5))
    print(f"import ampwright: {best[0]:.2f} s wall, {best[1]:.2f} s CPU (best of 5)")
    with tempfile.TemporaryDirectory() as folder:
        play = ("-m", "ampwright", "simulate", "tube_screamer", "tone.wav", "-o", str(Path(folder) / "out.wav"))
        text = "import sys, numpy; from validation.audio import write_audio; write_audio(sys.argv[1], 0.1 * numpy.sin(numpy.arange(48000) * 0.05), 48000)"
        whole("-c", text, str(Path(folder) / "tone.wav"))
        play = tuple(str(Path(folder) / one) if one == "tone.wav" else one for one in play)
        whole(*play)
        best = min(whole(*play) for _ in range(5))
        print(f"ampwright simulate tube_screamer, 1 s of audio: {best[0]:.2f} s wall, {best[1]:.2f} s CPU (best of 5)\n")
    print("| circuit | cold s | cold CPU s | warm s | warm CPU s |\n|" + " --- |" * 5)
    for deck in decks:
        cold = ("-", "-")
        if not options.warm:
            with tempfile.TemporaryDirectory() as cache:
                cold = tuple(f"{value:.2f}" for value in first(deck, cache))
        first(deck, None)
        warm = min(first(deck, None) for _ in range(3))
        print(f"| {deck.stem} | {cold[0]} | {cold[1]} | {warm[0]:.2f} | {warm[1]:.2f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
