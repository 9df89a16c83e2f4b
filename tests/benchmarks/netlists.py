"""How long reading takes: milliseconds for one of 5,000 subcircuits of a library, and for every shipped schematic.

Run it from the root of the tree: python tests/benchmarks/netlists.py
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[1])]

from netlists import library
from netlists.reader import read
from test_netlists_libraries import big_library


def milliseconds(path: Path, repeats: int = 7) -> float:
    """Best of several readings."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        read(path)
        best = min(best, time.perf_counter() - start)
    return 1e3 * best


def main() -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.cir"
        path.write_text("title\nVin g 0 AC 1\nVp out 0 250\nX1 out g 0 t4321\n.lib b.lib\n")
        (path.parent / "b.lib").write_text(big_library())
        print(f"{'one of 5,000 subcircuits':28s} {milliseconds(path):8.1f} ms")
    for name in library.names():
        print(f"{name:28s} {milliseconds(library.find(name)):8.1f} ms")


if __name__ == "__main__":
    main()
