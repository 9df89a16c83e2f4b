"""What becomes of every netlist and drawing in a folder: is it read, does it play without a sample that fails, and is it what ngspice says?

Run from the root of the tree: ``python tests/benchmarks/corpus.py FOLDER ...`` (or single files; ``--library`` takes the schematics that ship). Each file is
read as it is, may include from the FOLDER that was given, and plays 50 ms of a sine of 440 Hz and 0.2 V at 48 kHz, in a process of its own that may take 30 s (of CPU, and twice that by the clock) and 2 GB; it counts as clean if every sample
converged. A line for each file: read or not, clean or not, seconds, and what was said where something went wrong; totals at the end, for all files and for each
suffix. A file that is there twice, to the last byte, counts once.

With ``--esr`` each clean file is compared with ngspice at eight times the rate: sines of 0.2 V and 2 V with all its controls at a tenth and at nine tenths of
their travel, as `tests/golden/turned.py` does it for the library; a circuit without an input plays by its own sources. What ngspice gets is the
deck that our writer makes of the file, so that a fault of the reader is not seen here. Needs ngspice; some 10 to 60 s a run.

``--json OUT`` writes a line for each file for other programs.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import os
import re
import resource
import sys
import time
import warnings
from collections import Counter
from multiprocessing.connection import wait
from pathlib import Path

for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):  # before numpy is imported: one file, one core
    os.environ.setdefault(threads, "1")

import numpy as np  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "golden")]

import turned  # noqa: E402
from circuits.errors import AmpwrightError  # noqa: E402
from circuits.nodal.processor import NodalProcessor  # noqa: E402
from netlists import library  # noqa: E402
from netlists.reader import read  # noqa: E402

SUFFIXES = (".asc", ".cir", ".ckt", ".net", ".schx", ".sp", ".spi", ".spice")
SAMPLE_RATE, SECONDS, VOLTS, HERTZ = 48_000.0, 0.05, 0.2, 440.0
LIMIT = 30.0            # seconds of CPU for a file
MEMORY = 2 << 30        # bytes that a file may take, beside what the program itself has mapped
DRIVES, SHARES = (0.2, 2.0), (0.1, 0.9)  # volts; positions of all controls as shares of their travel
BOUND = 1e-4            # the ESR that is asked for
WARM = ("tube_screamer", "champ_5f1", "fuzz_face")  # played once in front, so that what is compiled is compiled in no file's time


def files(folders: list[Path], only: str | None) -> tuple[dict[Path, list[Path]], int]:
    """The files to look at, in order, with the folder that was given for each; and how many were left out as copies of one of them."""
    seen: set[str] = set()
    found, copies = {}, 0
    for folder in folders:
        for path in [folder] if folder.is_file() else sorted(folder.rglob("*")):
            if not path.is_file() or (path != folder and path.suffix.lower() not in SUFFIXES) or (only and not re.search(only, str(path))):
                continue
            digest = hashlib.sha1(path.read_bytes()).hexdigest()
            if digest in seen:
                copies += 1
                continue
            seen.add(digest)
            found[path] = [folder] if folder.is_dir() else []
    return found, copies


def look(path: Path, include: list[Path], esr: bool) -> dict:
    """All that is found out about one file."""
    told: dict = {"file": str(path), "read": False, "clean": False}
    start = time.process_time()
    try:
        circuit = read(path, include_paths=include)
        told |= {"read": True, "elements": len(circuit.elements), "input": circuit.input, "outputs": circuit.outputs, "notes": circuit.notes}
        processor = NodalProcessor(circuit, SAMPLE_RATE)
        rest = processor.operating_point
        told |= {"method": rest.method, "rest_iterations": rest.iterations}
        out = processor.process(VOLTS * np.sin(2.0 * np.pi * HERTZ * np.arange(int(SECONDS * SAMPLE_RATE)) / SAMPLE_RATE))
        run = processor.run
        told |= {"bad": run.bad_samples, "iterations": run.iterations, "worst_iterations": run.worst_iterations, "rms": float(np.std(np.atleast_2d(out)[0])),
                 "clean": run.bad_samples == 0}
        if run.bad_samples:
            told["said"] = f"{run.bad_samples} samples did not converge, the first at {run.first_bad_time:.6f} s"
    except AmpwrightError as error:
        told["said"] = str(error)
    except MemoryError:
        told["said"] = "takes more than 2 GB"
    except Exception as error:  # a fault of ours: this is what such a run is for
        told["said"] = f"FAULT {type(error).__name__}: {error}"
    told["seconds"] = time.process_time() - start
    if esr and told["clean"]:
        told["esr"] = list(ratios(circuit))
    return told


def ratios(circuit):
    """The error of each drive and position, as rows of volts, share, ESR (or what was said), bad samples."""
    for share in SHARES if circuit.controls else (None,):
        turn = {} if share is None else {c.name: round(c.minimum + share * (c.maximum - c.minimum)) if c.switch else c.minimum + share * (c.maximum - c.minimum)
                                         for c in circuit.controls}
        for volts in DRIVES:
            try:
                ratio, bad = turned.error(circuit.turn(**turn), volts, HERTZ)
                yield volts, share, ratio, bad
            except AmpwrightError as error:
                yield volts, share, str(error), 0


def _child(pipe, path: Path, include: list[Path], esr: bool, limit: float) -> None:
    warnings.simplefilter("ignore")
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if Path("/proc/self/statm").exists() else 0
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, mapped + MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (int(limit), int(limit) + 1))
    pipe.send(look(path, include, esr))


def each(paths: dict[Path, list[Path]], include: list[Path], esr: bool, jobs: int, limit: float):
    """Look at all files, ``jobs`` at a time; yields what was found out, in the order in which it comes. Each may include from its folder and ``include``."""
    fork = multiprocessing.get_context("fork")
    waiting, running = list(reversed(paths)), {}
    while waiting or running:
        while waiting and len(running) < jobs:
            path = waiting.pop()
            here, there = fork.Pipe(duplex=False)
            child = fork.Process(target=_child, args=(there, path, paths[path] + include, esr, limit))
            child.start()
            there.close()
            running[here] = (child, path, time.perf_counter())
        ready = wait(list(running), timeout=1.0)
        for pipe, (child, path, begun) in list(running.items()):
            late = time.perf_counter() - begun > 2.0 * limit
            if pipe not in ready and not late:
                continue
            try:
                told = pipe.recv() if pipe in ready else {}
            except EOFError:
                told = {}
            if late:
                child.kill()
            child.join()
            yield told or {"file": str(path), "read": False, "clean": False, "seconds": time.perf_counter() - begun,
                           "said": f"takes more than {limit:g} s" if late or child.exitcode in (-24, -9) else f"FAULT the process ended with {child.exitcode}"}
            pipe.close()
            del running[pipe]


def share(count: int, whole: int) -> str:
    """A count with its percentage."""
    return f"{count} ({100.0 * count / whole:.1f} %)" if whole else "0"


def report(rows: list[dict], copies: int) -> None:
    """Print the totals."""
    groups = {"all": rows} | {suffix: [row for row in rows if Path(row["file"]).suffix.lower() == suffix] for suffix in SUFFIXES}
    print(f"\n| files | number | read | clean |\n|" + " --- |" * 4)
    for name, some in groups.items():
        if some and (name == "all" or len(some) < len(rows)):
            print(f"| {name} | {len(some)} | {share(sum(row['read'] for row in some), len(some))} | {share(sum(row['clean'] for row in some), len(some))} |")
    alone = sum(row.get("input") == "none" for row in rows if row["clean"])
    print(f"\n{copies} copies left out; {alone} of the clean ones have no input and play by their own sources.")
    said = Counter(method for row in rows if (method := row.get("method")))
    print("Operating points: " + ", ".join(f"{method} {count}" for method, count in said.most_common()) + f"; {sum(row['seconds'] for row in rows):.0f} s of CPU in all.")
    compared = [one for row in rows for one in row.get("esr", ())]
    numbers = [one[2] for one in compared if not isinstance(one[2], str)]
    if compared:
        print(f"ESR against ngspice at {turned.FACTOR}x: {len(compared)} runs, {len(compared) - len(numbers)} without a reference, "
              f"{share(sum(number <= BOUND for number in numbers), len(numbers))} of the others at most {BOUND:g}; median {np.median(numbers):.1e}, worst {max(numbers):.1e}.")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="folders, which are searched to their bottom, or files")
    parser.add_argument("--library", action="store_true", help="the schematics that ship")
    parser.add_argument("--include-path", action="append", default=[], type=Path, metavar="FOLDER", help="where else files may include from")
    parser.add_argument("--only", metavar="REGEX", help="only paths in which this is found")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="files at a time")
    parser.add_argument("--limit", type=float, help=f"seconds for a file ({LIMIT:g}; ten times that with --esr)")
    parser.add_argument("--esr", action="store_true", help="compare with ngspice")
    parser.add_argument("--json", type=Path, metavar="OUT", help="write a line for each file")
    given = parser.parse_args()
    paths, copies = files([library.find(name) for name in library.names()] * given.library + given.folders, given.only)
    if not paths:
        parser.error("no netlist or drawing is there")
    for name in WARM:
        NodalProcessor(read(library.find(name)), SAMPLE_RATE).process(np.zeros(64))
    rows = []
    limit = given.limit or LIMIT * (10.0 if given.esr else 1.0)
    for told in each(paths, given.include_path, given.esr, given.jobs, limit):
        rows.append(told)
        verdict = "clean" if told["clean"] else "NOT CLEAN" if told["read"] else "NOT READ"
        print(f"{verdict:9s} {told['seconds']:6.2f} s  {told['file']}" + (f"\n    {told['said']}" if "said" in told else ""), flush=True)
        for volts, at, ratio, bad in told.get("esr", ()):
            print(f"    {volts:g} V" + ("" if at is None else f", controls at {at:g}") + ": " + (ratio if isinstance(ratio, str) else f"ESR {ratio:.1e}" +
                  (" TOO MUCH" if ratio > BOUND else "") + (f", {bad} samples did not converge" if bad else "")), flush=True)
    report(rows, copies)
    if given.json:
        given.json.write_text("".join(json.dumps(row) + "\n" for row in sorted(rows, key=lambda row: row["file"])), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
