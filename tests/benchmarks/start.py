"""Prints how long a start takes: import, first 64 samples with an empty and with a warm cache, and a whole `ampwright simulate` of one second.

Run from the root of the tree: ``python tests/benchmarks/start.py [name ...]`` (library names or paths of decks; the shared bench decks, where they lie
beside the tree, and all of the library if none is named). Each figure is a process of its own; wall-clock and CPU seconds from the start of building a
Processor from a netlist to its first 64 samples. ``--warm`` leaves the empty caches out (they compile for seconds each). Python keeps the byte code of
modules, as it does where nobody forbids it, in a folder that each run of this script fills first.
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


def environment(folder: str, cache: str | None = None) -> dict[str, str]:
    """Of a process: one thread, byte code kept in ``folder``, and a cache of compiled code if not the user's."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPYCACHEPREFIX": folder, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", **({"AMPWRIGHT_CACHE": cache} if cache else {})}


def first(deck: Path, folder: str, cache: str | None) -> tuple[float, float]:
    """Wall and CPU seconds to the first block of a fresh process."""
    answer = subprocess.run([sys.executable, "-c", FIRST, str(deck)], cwd=ROOT, env=environment(folder, cache), capture_output=True, text=True, check=True)
    wall, cpu = answer.stdout.split()
    return float(wall), float(cpu)


def whole(folder: str, *arguments: str) -> tuple[float, float]:
    """Wall and CPU seconds of a whole process."""
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment(folder), capture_output=True, check=True)
    wall, after = time.perf_counter() - wall, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def report(folder: str, decks: list[Path], warm: bool) -> None:
    """Print all figures; ``folder`` takes what the processes leave."""
    whole(folder, "-c", "import ampwright")
    best = min(whole(folder, "-c", "import ampwright") for _ in range(5))
    print(f"import ampwright: {best[0]:.2f} s wall, {best[1]:.2f} s CPU (best of 5)")
    tone, out = str(Path(folder) / "tone.wav"), str(Path(folder) / "out.wav")
    text = "import sys, numpy; from validation.audio import write_audio; write_audio(sys.argv[1], 0.1 * numpy.sin(numpy.arange(48000) * 0.05), 48000)"
    whole(folder, "-c", text, tone)
    play = ("-m", "ampwright", "simulate", "tube_screamer", tone, "-o", out)
    whole(folder, *play)
    best = min(whole(folder, *play) for _ in range(5))
    print(f"ampwright simulate tube_screamer, 1 s of audio: {best[0]:.2f} s wall, {best[1]:.2f} s CPU (best of 5)\n")
    print("| circuit | cold s | cold CPU s | warm s | warm CPU s |\n|" + " --- |" * 5)
    for deck in decks:
        cold = ("-", "-")
        if not warm:
            with tempfile.TemporaryDirectory() as cache:
                cold = tuple(f"{value:.2f}" for value in first(deck, folder, cache))
        first(deck, folder, None)
        best = min(first(deck, folder, None) for _ in range(3))
        print(f"| {deck.stem} | {cold[0]} | {cold[1]} | {best[0]:.2f} | {best[1]:.2f} |", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--warm", action="store_true")
    options = parser.parse_args()
    decks = [Path(name).resolve() if Path(name).suffix else find(name) for name in options.names]
    decks = decks or [*sorted(BENCH.glob("*.cir")), *(find(name) for name in names())]
    with tempfile.TemporaryDirectory() as folder:
        report(folder, decks, options.warm)
    return 0


if __name__ == "__main__":
    sys.exit(main())
