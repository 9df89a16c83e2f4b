"""Prints what a comparison of six candidates on a minute of guitar costs beside their rendering: seconds and memory.

    PYTHONPATH=.:tests python tests/benchmarks/compare.py [SECONDS]
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from shaper import Shaper

from validation.audio import Audio
from validation.compare import compare
from validation.rendering import Entry, render
from validation.report import write_report
from validation.signals import PHRASES, shipped_phrase


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    tape = np.concatenate([shipped_phrase(name).samples for name in PHRASES] * 2)
    dry = Audio(np.resize(tape, int(seconds * 48000)), 48000.0)
    late = np.roll(0.7 * Shaper(drive=4.2).process(dry.samples), 333)
    entries = [Entry(f"drive {drive:g}", lambda rate, drive=drive: Shaper(rate, drive=drive)) for drive in (4.1, 4.5, 5.0, 6.0, 9.0)]
    entries.append(Entry("recording", lambda rate: Audio(late, 48000.0)))
    begun = time.perf_counter()
    for entry in entries[:-1]:
        render(entry.load(48000.0), dry.samples)
    rendering = time.perf_counter() - begun
    begun = time.perf_counter()
    found = compare(dry, Entry("target", lambda rate: Shaper(rate)), entries)
    compared = time.perf_counter() - begun
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        write_report(found, Path(folder) / "report")
        reported = time.perf_counter() - begun
        size = (Path(folder) / "report" / "report.html").stat().st_size
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(f"six candidates, {seconds:g} s of audio at 48 kHz")
    print(f"rendering alone        {rendering:8.2f} s")
    print(f"compare (renders too)  {compared:8.2f} s")
    print(f"report                 {reported:8.2f} s")
    print(f"over rendering         {compared + reported - rendering:8.2f} s")
    print(f"processor time         {time.process_time():8.2f} s")
    print(f"peak memory            {memory:8.2f} GiB")
    print(f"page                   {size / 1024**2:8.2f} MiB")


if __name__ == "__main__":
    main()
