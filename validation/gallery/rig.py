"""Picture of a signal on its way through a rig: one note's beginning as a wave, and where its energy lies, stage by stage.

The README's picture is made by ``python -m validation.gallery.rig FOLDER PICTURE`` from the recordings that ``ampwright demo`` left in FOLDER.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Mapping

import numpy as np
from matplotlib.figure import Figure
from scipy import signal

from validation.audio import read_audio, whole_file

COLOURS = ("#4d4d4d", "#0072b2", "#d55e00", "#009e73")  # Okabe and Ito's, told apart by everybody
SHOWN = 0.025  # seconds of the wave


def draw(signals: Mapping[str, np.ndarray], sample_rate: float, path: Path, *, at: float | None = None) -> Path:
    """Draw waves (left) and spectra (right), one row a signal.

    Parameters
    ----------
    signals : mapping of str to ndarray, shape (n_samples,)
        By label, in the order of the rig, all of one length and in one unit.
    sample_rate : float
        Hz.
    path : Path
        PNG to write.
    at : float, optional
        Seconds where the wave begins; shortly after the first signal's loudest moment if not given.

    Returns
    -------
    Path
        The picture.
    """
    first = next(iter(signals.values()))
    start = int(at * sample_rate) if at is not None else min(int(np.argmax(np.abs(first))) + int(0.05 * sample_rate), max(len(first) - int(SHOWN * sample_rate), 0))
    times = 1000.0 * np.arange(int(SHOWN * sample_rate)) / sample_rate
    figure = Figure(figsize=(9.0, 1.7 * len(signals) + 0.4), layout="constrained")
    rows = figure.subplots(len(signals), 2, squeeze=False, sharex="col", width_ratios=(1.0, 1.2))
    for (label, samples), colour, (wave, spectrum) in zip(signals.items(), COLOURS, rows):
        part = samples[start:start + len(times)]
        wave.plot(times[:len(part)], part, color=colour, linewidth=1.3)
        wave.set_ylabel("volts")
        wave.set_title(label.replace("_", " "), loc="left", fontsize=10)
        size = min(len(samples), 8192)
        frequencies, power = signal.welch(samples, sample_rate, nperseg=size, window="hann" if size > 1 else "boxcar")
        level = 10.0 * np.log10(np.maximum(power / max(float(power.max()), 1e-300), 1e-14))
        spectrum.semilogx(frequencies[1:], level[1:], color=colour, linewidth=1.0)
        spectrum.set_xlim(50.0, 20000.0)
        spectrum.set_ylim(-100.0, 5.0)
        spectrum.set_ylabel("dB")
        for axes in (wave, spectrum):
            axes.grid(True, alpha=0.2)
    rows[-1][0].set_xlabel("time (ms)")
    rows[-1][1].set_xlabel("frequency (Hz), whole phrase, level re its peak")
    with whole_file(path) as part:
        figure.savefig(part, format="png", dpi=80)
    return Path(path)


def main(arguments: list[str]) -> None:
    """Draw from a folder that ``ampwright demo`` wrote."""
    folder, picture = Path(arguments[0]), Path(arguments[1])
    recordings = {name: read_audio(folder / f"{name}.wav") for name in ("guitar", "tube_screamer", "preamp_2203")}
    draw({name: audio.samples for name, audio in recordings.items()}, recordings["guitar"].sample_rate, picture)


if __name__ == "__main__":
    main(sys.argv[1:])
