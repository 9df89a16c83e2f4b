"""Where the gray-box benchmarks find their recordings, and how they read them; run without it they say what is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))


def folder() -> Path:
    """The data folder: the first argument of the script, or ``shared/data`` beside the project."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT.parent / "shared" / "data"
    if not path.is_dir():
        raise SystemExit(f"{path} is not there: give the folder of the recordings as the first argument")
    return path


def audio(name: str) -> tuple[np.ndarray, float]:
    """One mono recording and its rate."""
    samples, rate = soundfile.read(folder() / name)
    return samples, float(rate)


def numbers(name: str) -> tuple[np.ndarray, np.ndarray, float]:
    """u, y and rate of a benchmark of system identification."""
    data = np.load(folder() / name)
    return data["u"].ravel(), data["y"].ravel(), float(data["fs"])
