"""Makes the golden results: what ngspice says for half a second of plucked notes through every deck.

Run from the root of the tree: ``python tests/golden/make.py [name ...]`` (all decks if none is named; about a quarter of an hour).
Each result is ``tests/golden/<name>.npz`` with

- ``output``: float32, shape (24000,), volts at 48 kHz, band-limited to 22.5 kHz as `spice.render` does;
- ``about``: JSON text with the deck's name and digest (SHA-256 without comments), level (volts of a full-scale sample), settings of its
  ``.param`` lines, the version and options of ngspice, and the command.

The input is not stored: `notes` makes it again, to the last bit but for the machine's sine. Decks are those of the library,
and those of the shared bench (named ``bench_...``) where that folder lies beside the tree.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from validation import spice  # noqa: E402


GOLDEN = Path(__file__).resolve().parent
LIBRARY = ROOT / "netlists" / "library"
BENCH = ROOT.parent / "shared" / "bench-netlists"
SAMPLE_RATE = 48_000.0
SECONDS = 0.5
BENCH_LEVEL = 0.7
# Louder than the declared level, where a guitar alone leaves the circuit nearly linear (the declared level is that of a guitar).
LOUDER = {"phase_90": 10.0, "ep_booster": 10.0, "tillman_preamp": 4.0, "sho_booster": 10.0, "orange_squeezer": 3.0, "crybaby_wah": 20.0,
          "preamp_ab763": 5.0, "cathodyne": 6.0, "ring_modulator": 2.0, "lpb1_booster": 2.0, "preamp_ef86": 3.0, "rangemaster": 2.0,
          "common_cathode": 2.0, "cathode_follower": 2.0}


def notes(seconds: float = SECONDS, sample_rate: float = SAMPLE_RATE) -> np.ndarray:
    """Two plucked notes and a chord, peak 1, without content above 14 kHz; shape (n_samples,).

    Each string is a sum of decaying, slightly stretched partials (stiffness), weighted as by a pluck at a seventh of the string,
    with a raised-cosine attack of 3 ms. Nothing is random.
    """
    t = np.arange(int(round(seconds * sample_rate))) / sample_rate
    result = np.zeros(len(t))
    for start, pitches in ((0.010, (82.41,)), (0.170, (196.0,)), (0.330, (220.0, 277.18, 329.63))):
        local = np.maximum(t - start, 0.0)
        attack = 0.5 - 0.5 * np.cos(np.pi * np.minimum(local / 0.003, 1.0))
        for string, pitch in enumerate(pitches):
            k = np.arange(1, int(12_000.0 / pitch) + 1)
            frequency = pitch * k * np.sqrt(1.0 + 4e-5 * k * k)
            weight = np.abs(np.sin(np.pi * k / 7.0)) / k**1.3
            for f, w, partial in zip(frequency[frequency < 13_000.0], weight, k):
                decay = 3.0 + 0.004 * f
                result += attack * w * np.exp(-decay * local) * np.sin(2.0 * np.pi * f * local + 0.7 * partial + string) / len(pitches)
    return result / np.max(np.abs(result))


def decks() -> dict[str, Path]:
    """Name to path of all decks that are here."""
    found = {path.stem: path for path in sorted(LIBRARY.glob("*.cir"))}
    found |= {f"bench_{path.stem}": path for path in sorted(BENCH.glob("*.cir"))}
    return found


def drive(name: str, text: str) -> float:
    """Volts of a full-scale sample for the golden run."""
    level = re.search(r"(?m)^\*@ level (\S+)", text)
    return float(level.group(1)) * LOUDER.get(name, 1.0) if level else BENCH_LEVEL


def digest(text: str) -> str:
    """SHA-256 of what a deck says to a simulator: its lines without the title and the comments, and with its declarations."""
    said = [line for line in text.splitlines()[1:] if line.strip() and (not line.startswith("*") or line.startswith("*@"))]
    return hashlib.sha256("\n".join(said).encode("ascii")).hexdigest()


def make(name: str, path: Path) -> str:
    """Render one deck and store it; returns a line to print."""
    text = path.read_text(encoding="ascii")
    level = drive(name, text)
    declared = not name.startswith("bench_")
    began = time.perf_counter()
    output = spice.render(text, level * notes(), SAMPLE_RATE, timeout=1800.0,
                            **({} if declared else {"source": "Vin", "output": "out"}))
    version = re.search(r"ngspice-\S+", subprocess.run(["ngspice", "--version"], capture_output=True, text=True).stdout)
    about = {"deck": path.name, "sha256": digest(text), "level": level, "sample_rate": SAMPLE_RATE,
             "settings": dict(re.findall(r"(?m)^\.param (\w+)=(\S+)$", text)), "options": spice.OPTIONS,
             "step": f"1/{spice.OVERSAMPLING} sample", "ngspice": version.group(0) if version else "unknown",
             "command": f"python tests/golden/make.py {name}"}
    np.savez_compressed(GOLDEN / f"{name}.npz", output=output.astype(np.float32), about=json.dumps(about))
    return f"{name}: peak {np.max(np.abs(output)):.4g} V, {time.perf_counter() - began:.1f} s"


def main(names: list[str]) -> int:
    known = decks()
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"no such deck: {', '.join(unknown)}; known: {', '.join(known)}", file=sys.stderr)
        return 2
    os.nice(10)
    for name in names or known:
        print(make(name, known[name]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
