"""Nanoseconds per sample of both engines on every circuit of the library, and pywdf beside them where it is installed.

Run from the root of the repository:  python tests/benchmarks/wdf.py [seconds] [circuit ...]
Figures are the best of several runs of one core at 48 kHz, warm; real time is 20,833 ns. The first run compiles each circuit's
own kernels (seconds for each amplifier); later ones find them in the cache. "fast" differs where diodes are solved in closed form.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np  # noqa: E402

from circuits.errors import AmpwrightError  # noqa: E402
from circuits.nodal.processor import NodalProcessor  # noqa: E402
from netlists.library import find, names  # noqa: E402
from netlists.reader import read  # noqa: E402
from wdf.processor import WdfProcessor  # noqa: E402

RATE = 48000.0
BENCH = Path(__file__).resolve().parents[3] / "shared" / "bench-netlists"  # the decks of a comparison of tools, where they are there

COLUMNS = {"nodal table": (NodalProcessor, {"kernel": "table"}), "nodal": (NodalProcessor, {"kernel": "emitted"}),
           "wdf table": (WdfProcessor, {"kernel": "table"}), "wdf": (WdfProcessor, {"kernel": "emitted"}),
           "wdf fast": (WdfProcessor, {"kernel": "emitted", "fast": True})}


def signal(seconds: float, level: float) -> np.ndarray:
    """A decaying chord, peak ``level`` volts."""
    t = np.arange(int(seconds * RATE)) / RATE
    x = sum(np.sin(2 * np.pi * f * t) / (k + 1) for k, f in enumerate((110.0, 164.8, 220.0, 1318.5))) * np.exp(-3.0 * (t % 0.5))
    return level * x / np.abs(x).max()


def nanoseconds(play, x: np.ndarray, runs: int = 5) -> float:
    """Best time a sample of several runs."""
    play(x[:256])
    best = np.inf
    for _ in range(runs):
        start = time.perf_counter()
        play(x)
        best = min(best, time.perf_counter() - start)
    return best / len(x) * 1e9


def pywdf_circuit(name: str):
    """One of three circuits in pywdf, or None; a function from samples to samples."""
    if importlib.util.find_spec("pywdf") is None:
        return None
    wired_circuit = importlib.import_module("pywdf.core.circuit").Circuit
    parts = importlib.import_module("pywdf.core.wdf")
    if name == "1_rc_lowpass":
        c = parts.Capacitor(47e-9, RATE)
        source = parts.IdealVoltageSource(parts.SeriesAdaptor(parts.Resistor(4.7e3), c))
        wired = wired_circuit(source, source, c)
    elif name == "2_diode_clipper":
        c = parts.Capacitor(47e-9, RATE)
        source = parts.ResistiveVoltageSource(4.7e3)
        wired = wired_circuit(source, parts.DiodePair(parts.ParallelAdaptor(source, c), 2.52e-9, 0.025865, 1.752), c)
    elif name == "3_bassman_tonestack":
        wired = importlib.import_module("pywdf.examples.bassmantonestack").BassmanToneStack(int(RATE), 0.5, 0.5, 0.5)
    else:
        return None
    return lambda x: np.array([wired.process_sample(float(v)) for v in x])


def row(name: str, path: Path, seconds: float) -> str:
    """One line of the table."""
    circuit = read(path, output="out") if path.parent == BENCH else read(path)
    x = signal(seconds, 0.7 if path.parent == BENCH else circuit.level)
    cells = []
    for engine, settings in COLUMNS.values():
        cells.append(f"{nanoseconds(engine(circuit, RATE, **settings).process, x):14.1f}")
    other = pywdf_circuit(name)
    cells.append(f"{nanoseconds(other, x[:4800], 2):14.1f}" if other else f"{'-':>14}")
    shape = WdfProcessor(circuit, RATE)
    return (f"{name:26}" + "".join(cells) + f"   {len(shape.tree.adaptors):3d} adaptors, {len(shape.program.states):2d} states, "
            f"ports {'+'.join(map(str, shape.root.block_sizes)) or '0'}")


def main() -> None:
    """Print the table."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 0.5
    wanted = sys.argv[2:]
    paths = {path.stem: path for path in sorted(BENCH.glob("*.cir"))} | {name: find(name) for name in names()}
    print(f"{'circuit':26}" + "".join(f"{name:>14}" for name in (*COLUMNS, "pywdf")) + "   ns a sample")
    for name, path in paths.items():
        if wanted and name not in wanted:
            continue
        try:
            print(row(name, path, seconds), flush=True)
        except AmpwrightError as error:
            print(f"{name:26}{error}", flush=True)


if __name__ == "__main__":
    main()
