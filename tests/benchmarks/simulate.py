"""Prints how fast every circuit plays, how hard Newton works, how late the latest block is, and ngspice beside it in the same run.

Run from the root of the tree: ``python tests/benchmarks/simulate.py [name ...]`` (library names or paths of decks; all of the library and the
shared bench decks, where they lie beside the tree, if none is named). ``--seconds`` sets the audio played (default 2), ``--no-ngspice`` leaves
ngspice out, ``--table`` plays the generic kernel only, so that nothing is compiled. Figures are CPU time of one thread.

Columns: ns a sample of the table and of the emitted kernel at oversampling 1, real-time factor of the emitted one (of the table with
``--table``), Newton iterations mean and worst, p99.9 and maximum of blocks of 64 samples as a share of their deadline, seconds to the first sample
with warm caches, ngspice (default accuracy, maximum step of 1/48 kHz, the same samples through its file source) in ns a sample, and how many times faster we are.
"""

import argparse
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from circuits.nodal.processor import NodalProcessor  # noqa: E402
from netlists.library import find, names  # noqa: E402
from netlists.reader import read  # noqa: E402
from validation.signals import phrase  # noqa: E402

RATE = 48000.0
BLOCK = 64
BENCH = ROOT.parent / "shared" / "bench-netlists"


def ngspice_time(deck: Path, source: str, node: str, samples: np.ndarray) -> float:
    """CPU seconds of ngspice for the same samples (XSPICE file source), start-up taken out by a second, short run."""
    lines = deck.read_text().splitlines()
    lines = [line for line in lines if not re.match(r"(?i)\s*\.(tran|end|ac|op)\b", line)]
    at = next(k for k, line in enumerate(lines) if line.lower().split()[:1] == [source])
    _, plus, minus = lines[at].split()[:3]

    def once(count: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            audio = Path(folder) / "audio.txt"
            np.savetxt(audio, np.column_stack([np.arange(count + 1) / RATE, samples[:count + 1]]), fmt="%.12g")
            text = [*lines[:at], f"afile %vd([{plus} {minus}]) audio", f'.model audio filesource (file="{audio}" amplscale=[1] amploffset=[0])',
                    *lines[at + 1:], f".save v({node})", f".tran {1 / RATE} {count / RATE} 0 {1 / RATE}", ".end"]
            path = Path(folder) / "deck.cir"
            path.write_text("\n".join(text) + "\n")
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            answer = subprocess.run(["ngspice", "-b", "-r", str(Path(folder) / "out.raw"), str(path)], capture_output=True, text=True, check=False)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if not (Path(folder) / "out.raw").exists():
                raise SystemExit(f"ngspice did not run {deck.name}: {(answer.stdout + answer.stderr).strip().splitlines()[-3:]}")
            return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    count, short = len(samples) - 1, 480
    return (once(count) - once(short)) / (count - short)


def play(processor: NodalProcessor, samples: np.ndarray) -> tuple[float, np.ndarray]:
    """CPU seconds for all, and wall seconds of each block of 64."""
    processor.reset()
    start = time.process_time()
    processor.process(samples)
    total = time.process_time() - start
    processor.reset()
    blocks = []
    for at in range(0, len(samples) - BLOCK, BLOCK):
        begin = time.perf_counter()
        processor.process(samples[at:at + BLOCK])
        blocks.append(time.perf_counter() - begin)
    return total, np.array(blocks)


def row(deck: Path, seconds: float, with_ngspice: bool, table_only: bool) -> str:
    """One line of the table."""
    circuit = read(deck)
    level = circuit.level if deck.parent != BENCH else 0.7  # volts: bench decks declare none
    samples = level * phrase("chords", RATE, np.random.default_rng(1))[:int(seconds * RATE)]
    start = time.process_time()
    table = NodalProcessor(circuit, RATE, kernel="table")
    table.process(samples[:1])
    first = time.process_time() - start
    slow, blocks = play(table, samples)
    fast = slow
    if not table_only:
        emitted = NodalProcessor(circuit, RATE, kernel="emitted")
        start = time.process_time()
        emitted = NodalProcessor(circuit, RATE, kernel="emitted")
        emitted.process(samples[:1])
        first = time.process_time() - start
        fast, blocks = play(emitted, samples)
    deadline = BLOCK / RATE
    run = table.run
    text = (f"| {deck.stem} | {len(table.model.ports)} | {len(table.model.states)} | {slow / len(samples) * 1e9:.0f} | {fast / len(samples) * 1e9:.1f} "
            f"| {seconds / fast:.0f} | {run.mean_iterations:.2f} | {run.worst_iterations} | {run.bad_samples} "
            f"| {100 * np.quantile(blocks, 0.999) / deadline:.1f} % | {100 * blocks.max() / deadline:.1f} % | {first:.2f} ")
    if with_ngspice:
        spice = ngspice_time(deck, circuit.input, circuit.outputs[0], samples) * 1e9
        return text + f"| {spice:.0f} | {spice / (fast / len(samples) * 1e9):.0f}x |"
    return text + "| - | - |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--no-ngspice", action="store_true")
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    with_ngspice = not options.no_ngspice and shutil.which("ngspice") is not None
    if not options.no_ngspice and not with_ngspice:
        print("ngspice is not installed: its columns stay empty")
    decks = [Path(name) if Path(name).suffix else find(name) for name in options.names]
    decks = decks or [*sorted(BENCH.glob("*.cir")), *(find(name) for name in names())]
    print("| circuit | ports | states | table ns | emitted ns | x real time | iterations | worst | not converged | block p99.9 | block max | first sample s "
          "| ngspice ns | faster |\n|" + " --- |" * 14)
    for deck in decks:
        print(row(deck, options.seconds, with_ngspice, options.table), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
