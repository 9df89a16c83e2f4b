"""Prints how fast every circuit plays, how hard Newton works, how late the latest block is, how true it is, and ngspice beside it in the same run.

Run from the root of the tree: ``python tests/benchmarks/simulate.py [name ...]`` (library names or paths of decks; all of the library and the
shared bench decks, where they lie beside the tree, if none is named). Figures are CPU time of one thread but for the blocks, which are wall-clock.
``--seconds`` sets the audio played (default 2); ``--no-ngspice`` leaves ngspice out; ``--table`` plays the generic kernel only, so that nothing is
compiled; ``--start-up`` also measures two starts of ``ampwright simulate`` with 1 s of audio, in a process and with a cache of its own: the first
with nothing compiled, the second with what the first has left (a minute a circuit); ``--lanes`` compares eight variants side by side
with one at a time; ``--paced`` shows an amplifier, a preamplifier and a pedal oversampled in blocks that come when audio does, with every control
at rest and with every control always moving, each by the clock and by processor time: what is late by the clock alone, the machine took away. ``--docs``
prints the tables of docs/white-box.md in one go: the machine, the bench decks with ngspice, the library on the table kernel, starts, paced blocks, lanes.

Columns: nonlinear ports and states; ns a sample of the table and of the emitted kernel at oversampling 1; real-time factor of the emitted one
(of the table with ``--table``); Newton iterations mean and worst; steps not converged; median, p99.9 and maximum of blocks of 64 samples as a share of
their deadline; seconds to the first sample with warm caches; error-to-signal ratio at this setting up to 20 kHz, against ngspice at 16
steps a sample (stored in ``tests/golden``, half a second of plucked notes at the level of that run); ngspice (default accuracy, maximum step of 1/48 kHz, the
same samples through its file source) in ns a sample, its own error-to-signal ratio on the golden notes, and how many times faster we are.
"""

import argparse
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numba
import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "tests" / "golden")]

import compare  # noqa: E402  (of tests/golden)
import make  # noqa: E402
from ampwright.hosting import paced  # noqa: E402
from circuits.kernels.lanes import host_lanes  # noqa: E402
from circuits.nodal.lanes import can_play, lane_kernel, process_lanes  # noqa: E402
from circuits.nodal.processor import NodalProcessor  # noqa: E402
from circuits.rate import oversampled  # noqa: E402
from netlists.library import find, names  # noqa: E402
from netlists.reader import read  # noqa: E402
from validation.guitarist import phrase  # noqa: E402

RATE = 48000.0
BLOCK = 64
DEADLINE = BLOCK / RATE
BENCH = make.BENCH


def of_the_bench(deck: Path) -> bool:
    """True for a deck of the shared bench, wherever that folder is linked from."""
    return deck.parent.resolve() == BENCH.resolve()


def level_of(deck: Path, circuit) -> float:
    """Volts at full scale: bench decks declare none."""
    return make.BENCH_LEVEL if of_the_bench(deck) else circuit.level


def ngspice(deck: Path, source: str, node: str, samples: np.ndarray) -> tuple[float, np.ndarray]:
    """CPU seconds of ngspice for samples through its file source, and what it says at the times of the samples."""
    lines = [line for line in deck.read_text().splitlines() if not re.match(r"(?i)\s*\.(tran|end|ac|op)\b", line)]
    at = next(k for k, line in enumerate(lines) if line.lower().split()[:1] == [source])
    _, plus, minus = lines[at].split()[:3]
    with tempfile.TemporaryDirectory() as folder:
        audio = Path(folder) / "audio.txt"
        np.savetxt(audio, np.column_stack([np.arange(len(samples)) / RATE, samples]), fmt="%.12g")
        stop = (len(samples) - 1) / RATE
        text = [*lines[:at], f"afile %vd([{plus} {minus}]) audio", f'.model audio filesource (file="{audio}" amplscale=[1] amploffset=[0])',
                *lines[at + 1:], f".save v({node})", f".tran {1 / RATE} {stop} 0 {1 / RATE}", ".end"]
        path = Path(folder) / "deck.cir"
        path.write_text("\n".join(text) + "\n")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        answer = subprocess.run(["ngspice", "-b", "-r", str(Path(folder) / "out.raw"), str(path)], capture_output=True, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if not (Path(folder) / "out.raw").exists():
            raise SystemExit(f"ngspice did not run {deck.name}: {(answer.stdout + answer.stderr).strip().splitlines()[-3:]}")
        head, _, body = (Path(folder) / "out.raw").read_bytes().partition(b"Binary:\n")
        times, volts = np.frombuffer(body, dtype=np.float64).reshape(-1, int(re.search(rb"No. Variables: (\d+)", head).group(1))).T[:2]
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, np.interp(np.arange(len(samples)) / RATE, times, volts)


def ngspice_column(deck: Path, circuit, samples: np.ndarray, fast: float) -> str:
    """Its ns a sample with start-up taken out by a second, short run; its error; and the ratio."""
    short = 480
    spent = ngspice(deck, circuit.input, circuit.outputs[0], samples)[0] - ngspice(deck, circuit.input, circuit.outputs[0], samples[:short])[0]
    nanoseconds = spent / (len(samples) - short) * 1e9
    name = golden_name(deck)
    error = "-"
    if name:
        stored, level = compare.golden(name)
        heard = ngspice(deck, circuit.input, circuit.outputs[0], level * make.notes())[1]
        error = f"{compare.esr(stored, heard):.1e}"
    return f"| {nanoseconds:.0f} | {error} | {nanoseconds / fast:.0f}x |"


def golden_name(deck: Path) -> str:
    """Name of a deck's golden result, or nothing."""
    name = f"bench_{deck.stem}" if of_the_bench(deck) else deck.stem
    known = make.decks().get(name)
    return name if (make.GOLDEN / f"{name}.npz").exists() and known is not None and known.samefile(deck) else ""


def spent(processor: NodalProcessor, samples: np.ndarray) -> float:
    """CPU seconds, the best of three."""
    best = np.inf
    for _ in range(3):
        processor.reset()
        start = time.process_time()
        processor.process(samples)
        best = min(best, time.process_time() - start)
    return best


def blocks_of(processor, samples: np.ndarray) -> np.ndarray:
    """Wall seconds of each block of 64."""
    processor.reset()
    blocks = []
    for at in range(0, len(samples) - BLOCK, BLOCK):
        begin = time.perf_counter()
        processor.process(samples[at:at + BLOCK])
        blocks.append(time.perf_counter() - begin)
    return np.array(blocks)


def shares(blocks: np.ndarray) -> str:
    """Median, p99.9 and maximum as shares of the deadline."""
    return " | ".join(f"{100 * value / DEADLINE:.1f} %" for value in (np.median(blocks), np.quantile(blocks, 0.999), blocks.max()))


def start_up(deck: Path, circuit) -> str:
    """Seconds of two starts of the program with a cache of its own, and the seconds until the first sample that they tell."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = [sys.executable, "-m", "ampwright", "simulate", str(deck), "single-notes", "-o", f"{folder}/out.wav", "--json",
                     *(["--input", circuit.input, "--output", circuit.outputs[0]] if of_the_bench(deck) else [])]
        cells = []
        for _ in range(2):
            start = time.perf_counter()
            answer = subprocess.run(arguments, cwd=ROOT, env={**os.environ, "AMPWRIGHT_CACHE": f"{folder}/cache"}, capture_output=True, text=True, check=True)
            cells.append(f"{time.perf_counter() - start:.1f} ({json.loads(answer.stdout)['start_up_seconds']:.2f})")
    return f" {' | '.join(cells)} |"


def row(deck: Path, options: argparse.Namespace, with_ngspice: bool) -> str:
    """One line of the table."""
    circuit = read(deck)
    samples = level_of(deck, circuit) * phrase("chords", RATE, np.random.default_rng(1))[:int(options.seconds * RATE)]
    start = time.process_time()
    player = table = NodalProcessor(circuit, RATE, kernel="table")
    table.process(samples[:1])
    first = time.process_time() - start
    fast = slow = spent(table, samples)
    run = table.run
    if not options.table:
        NodalProcessor(circuit, RATE, kernel="emitted")
        start = time.process_time()
        player = NodalProcessor(circuit, RATE, kernel="emitted")
        player.process(samples[:1])
        first = time.process_time() - start
        fast = spent(player, samples)
    blocks = blocks_of(player, samples)
    name, error = golden_name(deck), "-"
    if name:
        stored, level = compare.golden(name)
        player.reset()
        error = f"{compare.esr(stored, compare.play(player, level * make.notes())):.1e}"
    per = 1e9 / len(samples)
    text = (f"| {deck.stem} | {len(table.model.ports)} | {len(table.model.states)} | {slow * per:.0f} | {fast * per:.1f} | {len(samples) / RATE / fast:.0f} "
            f"| {run.mean_iterations:.2f} | {run.worst_iterations} | {run.bad_samples} | {shares(blocks)} | {first:.2f} | {error} ")
    text += ngspice_column(deck, circuit, samples, fast * per) if with_ngspice else "| - | - | - |"
    return text + (start_up(deck, circuit) if options.start_up else "")


def lanes_row(deck: Path, seconds: float) -> str:
    """ns a sample and variant of one at a time and of a vector of variants: inputs from 0.3 to 1 times the level."""
    circuit = read(deck)
    alone = NodalProcessor(circuit, RATE, kernel="emitted")
    if not can_play(alone):
        return ""
    count = host_lanes()
    samples = level_of(deck, circuit) * phrase("chords", RATE, np.random.default_rng(1))[:int(seconds * RATE)]
    signals = [samples * gain for gain in np.linspace(0.3, 1.0, count)]
    kernel = lane_kernel(alone.model)
    together = [NodalProcessor(circuit, RATE, kernel="table") for _ in signals]
    best, single, difference = np.inf, 0.0, 0.0
    for _ in range(3):
        for one in together:
            one.reset()
        start = time.process_time()
        heard = process_lanes(kernel, together, signals)
        best = min(best, time.process_time() - start)
    for signal, out in zip(signals, heard):
        single += spent(alone, signal)
        alone.reset()
        difference = max(difference, float(np.max(np.abs(alone.process(signal) - out))))
    per = 1e9 / len(samples) / count
    return f"| {deck.stem} | {count} | {single * per:.1f} | {best * per:.1f} | {single / best:.2f}x | {difference:.1e} |"


def sweeps(circuit, seconds: float) -> list[tuple[float, str, float]]:
    """Every control always on its way, each at its own pace; a switch at its next position every third of a second."""
    moves = []
    for number, control in enumerate(circuit.controls):
        if control.switch:
            positions = np.arange(control.minimum, control.maximum + 1.0)
            moves += [(float(at), control.name, float(positions[k % len(positions)])) for k, at in enumerate(np.arange(0.1, seconds, 0.33))]
        else:
            span = control.maximum - control.minimum
            moves += [(float(at), control.name, control.minimum + span * (0.9 if k % 2 else 0.1)) for k, at in enumerate(np.arange(0.0, seconds + 1.0, 0.3 + 0.11 * number))]
    return moves


def paced_row(name: str, factor: int, seconds: float, how: str) -> str:
    """Blocks of 64 that come when audio does: how long they took, and how many were late."""
    circuit = read(find(name))
    player = oversampled(lambda rate: NodalProcessor(circuit, rate, kernel="emitted"), RATE, factor)
    samples = circuit.level * phrase("chords", RATE, np.random.default_rng(1))[:int(seconds * RATE)]
    clock = {"sleep": lambda duration: None, "clock": time.process_time} if how.endswith("CPU") else {}
    pace = paced(player, samples, seconds, moves=sweeps(circuit, seconds) if how.startswith("moving") else (), **clock)
    return (f"| {name} | {factor} | {how} | {pace.blocks} | " + " | ".join(f"{100 * value / DEADLINE:.1f} %" for value in (pace.p50, pace.p999, pace.worst)) +
            f" | {pace.misses} | {pace.dropouts} | {player.run.mean_iterations:.2f} | {player.run.worst_iterations} | {player.run.bad_samples} |")


def for_the_docs() -> None:
    """The tables of docs/white-box.md, each under the command that prints it."""
    known = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*:\s*(.+)", known.read_text()) if known.is_file() else None
    print(f"{model.group(1) if model else platform.processor()}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.2f}, Python {platform.python_version()}, "
          f"numba {numba.__version__}, {time.strftime('%Y-%m-%d', time.gmtime())}\n")
    for script, *arguments in (("simulate.py", *map(str, sorted(BENCH.glob("*.cir")))), ("simulate.py", "--table", "--no-ngspice", "--seconds", "1", *names()),
                               ("start.py", "tube_screamer", *map(str, sorted(BENCH.glob("*.cir")))), ("simulate.py", "--paced", "--seconds", "3"),
                               ("simulate.py", "--lanes", "--seconds", "1", *(str(BENCH / f"{name}.cir") for name in ("6a_fuzz_face", "6b_big_muff", "7_jcm800_preamp"))),
                               ("steps.py",)):
        print(f"`python tests/benchmarks/{script} {' '.join(Path(one).name for one in arguments)}`\n", flush=True)
        subprocess.run([sys.executable, str(Path(__file__).with_name(script)), *arguments], cwd=ROOT, check=True)
        print(flush=True)


def heading(*columns: str) -> str:
    """Head of a table."""
    return "| " + " | ".join(columns) + " |\n|" + " --- |" * len(columns)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seconds", type=float, default=2.0)
    for option in ("--no-ngspice", "--table", "--start-up", "--lanes", "--paced", "--docs"):
        parser.add_argument(option, action="store_true")
    options = parser.parse_args()
    if options.docs:
        for_the_docs()
        return 0
    decks = [Path(name).resolve() if Path(name).suffix else find(name) for name in options.names]
    decks = decks or [*sorted(BENCH.glob("*.cir")), *(find(name) for name in names())]
    if options.lanes:
        print(heading("circuit", "lanes", "one at a time ns", "lanes ns", "throughput", "largest difference V"))
        for deck in decks:
            print(lanes_row(deck, options.seconds), flush=True)
        return 0
    if options.paced:
        print(heading("circuit", "oversampling", "controls", "blocks", "block p50", "block p99.9", "block max", "late", "dropouts", "iterations", "worst",
                      "not converged"))
        for name, factor in (("preamp_2203", 8), ("deluxe_5e3", 4), ("big_muff", 4)):
            for how in ("still", "still, CPU", "moving", "moving, CPU"):
                print(paced_row(name, factor, options.seconds, how), flush=True)
        return 0
    with_ngspice = not options.no_ngspice and shutil.which("ngspice") is not None
    if not options.no_ngspice and not with_ngspice:
        print("ngspice is not installed: its columns stay empty")
    print(heading("circuit", "ports", "states", "table ns", "emitted ns", "x real time", "iterations", "worst", "not converged", "block p50", "block p99.9",
                  "block max", "first sample s", "ESR", "ngspice ns", "ngspice ESR", "faster",
                  *(("cold start s (first sample)", "warm start s (first sample)") if options.start_up else ())))
    for deck in decks:
        print(row(deck, options, with_ngspice), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
