"""Which engine when: nanoseconds per sample, cost of a turned control and agreement of both engines, and what Python and C++ users can install beside them.

Run from the root of the repository:

    python tests/benchmarks/wdf.py peers [--chowdsp DIR]     three decks beside pywdf, where it is importable, and chowdsp_wdf's C++
    python tests/benchmarks/wdf.py library [circuit ...]     every circuit of the library under both engines

Both print a table in Markdown. Figures are processor time of one core at 48 kHz, warm, the best of several runs; real time is 20,833 ns. DIR is a
checkout of chowdsp_wdf, built here with g++ -O3 -march=native. The first run compiles each circuit's own kernels (seconds for
each amplifier); later ones find them in the cache. The decks are those of a comparison of tools in ../shared/bench-netlists, or the same written here.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np  # noqa: E402

from circuits.circuit import Card, Circuit  # noqa: E402
from circuits.devices.junction import thermal_voltage  # noqa: E402
from circuits.elements import Capacitor, Device, Resistor, VoltageControlledVoltage, VoltageSource  # noqa: E402
from circuits.errors import AmpwrightError  # noqa: E402
from circuits.nodal.processor import NodalProcessor  # noqa: E402
from netlists.library import find, names  # noqa: E402
from netlists.reader import read  # noqa: E402
from wdf.processor import WdfProcessor  # noqa: E402

RATE = 48000.0
BENCH = Path(__file__).resolve().parents[3] / "shared" / "bench-netlists"
DECKS = {"rc": "1_rc_lowpass", "clipper": "2_diode_clipper", "bassman": "3_bassman_tonestack"}
TIGHT = 1e-13  # volts


def deck(name: str) -> Circuit:
    """One of the three circuits."""
    path = BENCH / f"{DECKS[name]}.cir"
    if path.is_file():
        return read(path, output="out")
    vin = VoltageSource("vin", ("in", "0"))
    if name == "bassman":
        parts = (vin, Resistor("rs", ("in", "a"), 1.0), Capacitor("c1", ("a", "t1"), 250e-12), Resistor("r4", ("a", "x"), 56e3),
                 Capacitor("c2", ("x", "t2"), 20e-9), Capacitor("c3", ("x", "m"), 20e-9), Resistor("rtp", ("t1", "out"), 125e3),
                 Resistor("rtm", ("out", "t2"), 125e3), Resistor("rb", ("t2", "b"), 500e3), Resistor("rmp", ("b", "m"), 12.5e3),
                 Resistor("rmm", ("m", "0"), 12.5e3))
    elif name == "rc":
        parts = (vin, Resistor("r1", ("in", "out"), 4.7e3), Capacitor("c1", ("out", "0"), 47e-9))
    else:
        card = Card("d4148", "d", {"is": 2.52e-9, "n": 1.752})
        parts = (vin, VoltageControlledVoltage("e1", ("drv", "0", "in", "0"), 10.0), Resistor("r1", ("drv", "out"), 4.7e3),
                 Capacitor("c1", ("out", "0"), 47e-9), Device("d1", ("out", "0"), card), Device("d2", ("0", "out"), card))
    return Circuit(parts, input="vin", outputs=("out",))


def signal(seconds: float, level: float) -> np.ndarray:
    """A decaying chord, peak ``level`` volts."""
    t = np.arange(int(seconds * RATE)) / RATE
    x = sum(np.sin(2 * np.pi * f * t) / (k + 1) for k, f in enumerate((110.0, 164.8, 220.0, 1318.5))) * np.exp(-3.0 * (t % 0.5))
    return level * x / np.abs(x).max()


def nanoseconds(play, x: np.ndarray, runs: int = 7) -> float:
    """Best processor time a sample of several runs."""
    play(x[:256])
    best = np.inf
    for _ in range(runs):
        start = time.process_time()
        play(x)
        best = min(best, time.process_time() - start)
    return best / len(x) * 1e9


def pywdf_circuit(name: str):
    """One of the three circuits in pywdf, or None; a function from samples to samples."""
    if importlib.util.find_spec("pywdf") is None:
        return None
    wired_circuit = importlib.import_module("pywdf.core.circuit").Circuit
    parts = importlib.import_module("pywdf.core.wdf")
    gain = 1.0
    if name == "rc":
        c = parts.Capacitor(47e-9, RATE)
        source = parts.IdealVoltageSource(parts.SeriesAdaptor(parts.Resistor(4.7e3), c))
        wired = wired_circuit(source, source, c)
    elif name == "clipper":
        gain, c, source = 10.0, parts.Capacitor(47e-9, RATE), parts.ResistiveVoltageSource(4.7e3)
        wired = wired_circuit(source, parts.DiodePair(parts.ParallelAdaptor(source, c), 2.52e-9, thermal_voltage(27.0), 1.752), c)
    else:
        wired = importlib.import_module("pywdf.examples.bassmantonestack").BassmanToneStack(int(RATE), 0.5, 0.5, 0.5)
    return lambda x: np.array([wired.process_sample(gain * float(v)) for v in x])


def chowdsp(folder: Path, signals: dict[str, np.ndarray]) -> dict[str, tuple[float, np.ndarray]]:
    """Nanoseconds a sample and output of each deck in chowdsp_wdf's C++, built from a checkout."""
    with tempfile.TemporaryDirectory() as place:
        for name, x in signals.items():
            x.tofile(Path(place) / f"in_{name}.f64")
        program = Path(place) / "play"
        source = Path(__file__).with_name("chowdsp.cpp")
        subprocess.run(["g++", "-std=c++17", "-O3", "-march=native", "-DNDEBUG", f"-I{folder / 'include'}", f"-I{folder / 'tests'}", str(source),
                        "-o", str(program)], check=True)
        told = subprocess.run([str(program), place, repr(thermal_voltage(27.0))], check=True, capture_output=True, text=True).stdout
        times = {name: float(value) for name, value in (line.split() for line in told.splitlines())}
        return {name: (times[name], np.fromfile(Path(place) / f"out_{name}.f64")) for name in signals}


def peers(folder: Path | None) -> None:
    """The three decks beside what others have; errors are largest differences from the nodal engine with a tolerance of 1e-16 V, of its peak.

    The others' Bassman stack is the example that they ship; its output is taken otherwise, so that only its time is told.
    """
    signals = {name: signal(2.0, 0.7) for name in DECKS}
    others = chowdsp(folder, signals) if folder is not None else {}
    head = ["deck", "nodal", "wdf", "error", "wdf fast", "error", "chowdsp_wdf C++", "error", "of its time", "pywdf", "error", "times ours"]
    print("| " + " | ".join(head) + " |\n" + "| --- " * len(head) + "|")
    for name, x in signals.items():
        circuit = deck(name)
        expected = NodalProcessor(circuit, RATE, tolerance=1e-16, kernel="table").process(x)

        def error(y: np.ndarray) -> str:
            sign = np.sign(np.vdot(y, expected[:len(y)])) or 1.0  # polarity is a convention of each tool
            return f"{np.abs(sign * y - expected[:len(y)]).max() / np.abs(expected).max():.1e}"
        cells = [f"{nanoseconds(NodalProcessor(circuit, RATE, kernel='emitted').process, x):.1f}"]
        waves = WdfProcessor(circuit, RATE, kernel="emitted")
        ours = nanoseconds(waves.process, x)
        waves.reset()
        cells += [f"{ours:.1f}", error(waves.process(x))]
        fast = WdfProcessor(circuit, RATE, kernel="emitted", fast=True)
        cells += [f"{nanoseconds(fast.process, x):.1f}"] if name == "clipper" else ["-"]
        fast.reset()
        cells += [error(fast.process(x))] if name == "clipper" else ["-"]
        same = name != "bassman"
        cells += [f"{others[name][0]:.1f}", error(others[name][1]) if same else "-", f"{ours / others[name][0]:.2f}"] if name in others else ["-"] * 3
        made = pywdf_circuit(name)
        if made is None:
            cells += ["-"] * 3
        else:
            heard = made(x[:9600])
            theirs = nanoseconds(made, x[:9600], 3)
            cells += [f"{theirs:.0f}", error(heard) if same else "-", f"{theirs / ours:.0f}"]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


def drift(processor) -> float:
    """Largest distance in volts of the first output from where it rests, in 2,000 samples of silence; the processor is reset."""
    rest, (plus, _, minus) = processor.operating_point, processor.circuit.outputs[0].partition(",")
    heard = np.atleast_2d(processor.process(np.zeros(2000)))[0]
    processor.reset()
    return float(np.abs(heard - (rest.voltage(plus) - rest.voltage(minus or "0"))).max())


def turning(processor, circuit: Circuit) -> float:
    """Milliseconds of processor time to turn the first control: median of nine, with the sample that it waits for."""
    knob = next((control for control in circuit.controls if not control.switch), None)
    if knob is None:
        return float("nan")
    costs = []
    for k in range(11):
        share = 0.2 + 0.06 * k
        start = time.process_time()
        processor.turn(**{knob.name: knob.minimum + share * (knob.maximum - knob.minimum)})
        processor.process(np.zeros(1))
        costs.append(time.process_time() - start)
    return 1e3 * float(np.median(costs[2:]))


def library(wanted: list[str]) -> None:
    """Both engines on every circuit."""
    head = ["circuit", "states", "ports together", "adaptors", "rigid", "nodal ns", "wdf ns", "wdf / nodal", "turn nodal ms",
            "turn wdf ms", "they differ by", "nodal drifts V", "wdf drifts V"]
    print("| " + " | ".join(head) + " |\n" + "| --- " * len(head) + "|")
    for name in wanted or names():
        try:
            print(row(name), flush=True)
        except AmpwrightError as error:
            print(f"| {name} | {error} |", flush=True)


def row(name: str) -> str:
    """One line: sizes, times, the largest difference over a driven second with tight Newton, of the output's peak, and what silence becomes."""
    circuit = read(find(name))
    x = signal(0.5, circuit.level)
    nodal, waves = (engine(circuit, RATE, kernel="emitted") for engine in (NodalProcessor, WdfProcessor))
    costs = [nanoseconds(processor.process, x) for processor in (nodal, waves)]
    turns = [turning(processor, circuit) for processor in (nodal, waves)]
    second = signal(1.0, circuit.level)
    tight = [engine(circuit, RATE, tolerance=TIGHT, kernel="table") for engine in (NodalProcessor, WdfProcessor)]
    drifts = [drift(processor) for processor in tight]
    first, other = (processor.process(second) for processor in tight)
    adaptors = waves.tree.adaptors
    rigid = max((len(adaptor.part.edges) for adaptor in adaptors if adaptor.form == "nodal"), default=0)
    cells = [str(len(waves.program.states)), "+".join(map(str, waves.root.block_sizes)) or "-", str(len(adaptors)), str(rigid) if rigid else "-",
             f"{costs[0]:.1f}", f"{costs[1]:.1f}", f"{costs[1] / costs[0]:.2f}", *("-" if np.isnan(turn) else f"{turn:.2f}" for turn in turns),
             f"{np.abs(first - other).max() / np.abs(first).max():.0e}", *(f"{volts:.0e}" for volts in drifts)]
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    """Print one of the two tables."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("table", choices=("peers", "library"))
    asked.add_argument("circuits", nargs="*", help="of the library; all if none is named")
    asked.add_argument("--chowdsp", type=Path, metavar="DIR", help="a checkout of chowdsp_wdf")
    chosen = asked.parse_args()
    peers(chosen.chowdsp) if chosen.table == "peers" else library(chosen.circuits)


if __name__ == "__main__":
    main()
