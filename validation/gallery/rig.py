"""Picture of a signal on its way through a rig: one note as a wave and as a spectrum, stage by stage.

``ampwright demo`` makes it; the README shows it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Mapping

import numpy as np
from matplotlib.figure import Figure

from validation.audio import whole_file

COLOURS = ("#4d4d4d", "#0072b2", "#d55e00", "#009e73")  # Okabe and Ito's, told apart by everybody
SHOWN = 0.012  # seconds of the wave
LISTENED = 0.35  # seconds of the spectrum: the note from there on


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
    n_listened = min(int(LISTENED * sample_rate), len(first))
    loudest = int(np.argmax(np.abs(first))) + int(0.05 * sample_rate)  # behind the pick's noise
    start = min(int(at * sample_rate) if at is not None else loudest, len(first) - n_listened)
    times = 1000.0 * np.arange(int(SHOWN * sample_rate)) / sample_rate
    figure = Figure(figsize=(9.0, 1.7 * len(signals) + 0.4), layout="constrained")
    rows = figure.subplots(len(signals), 2, squeeze=False, sharex="col", width_ratios=(1.0, 1.2))
    for (label, samples), colour, (wave, spectrum) in zip(signals.items(), COLOURS, rows):
        part = samples[start:start + len(times)]
        wave.plot(times[:len(part)], part, color=colour, linewidth=1.3)
        wave.set_ylabel("volts")
        wave.set_title(label.replace("_", " "), loc="left", fontsize=10)
        power = np.abs(np.fft.rfft(samples[start:start + n_listened] * np.hanning(n_listened))) ** 2
        level = 10.0 * np.log10(np.maximum(power / max(float(power.max()), 1e-300), 1e-14))
        spectrum.semilogx(np.fft.rfftfreq(n_listened, 1.0 / sample_rate)[1:], level[1:], color=colour, linewidth=0.9)
        spectrum.set_xlim(50.0, 20000.0)
        spectrum.set_ylim(-100.0, 5.0)
        spectrum.set_ylabel("dB")
        for axes in (wave, spectrum):
            axes.grid(True, alpha=0.2)
    rows[-1][0].set_xlabel("time (ms)")
    rows[-1][1].set_xlabel("frequency (Hz), level re the strongest partial")
    with whole_file(path) as part:
        figure.savefig(part, format="png", dpi=80)
    return Path(path)
