"""The demonstration: a shipped phrase through shipped netlists, one stage behind the other as cables join them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Mapping

import numpy as np

from ampwright.simulation import Progress, Result, simulate
from circuits.errors import Place, SignalError
from validation.audio import write_audio
from validation.gallery.rig import draw
from validation.signals import shipped_phrase

PHRASE = "single-notes"
GUITAR = 0.2  # volts at the phrase's full scale: a single-coil pickup, played firmly
OVERSAMPLE = 2
RIG = (("tube_screamer", {"drive": 0.6, "tone": 0.5, "level": 0.8}), ("preamp_2203", {"gain": 0.5, "treble": 0.6, "bass": 0.5, "middle": 0.6, "master": 0.4}))
HEADROOM = 10.0 ** (-1.0 / 20.0)  # peak of the files that one listens to


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """One model of the rig: its library name, how its controls stood, its peak output in volts, and the whole result."""

    name: str
    settings: Mapping[str, float]
    peak: float
    result: Result


@dataclass(frozen=True, slots=True, eq=False)
class Demonstration:
    """What was played, stage by stage, and where it lies."""

    stages: tuple[Stage, ...]
    files: Mapping[str, Path]


def demonstrate(folder: str | Path, *, seconds: float = 60.0, progress: Progress | None = None) -> Demonstration:
    """Play the phrase through the rig and write what each stage gave, and a picture.

    Parameters
    ----------
    folder : str or Path
        Made if it is not there.
    seconds : float
        How much of the phrase is played, at most.
    progress : callable, optional
        ``progress(done, text)``.

    Returns
    -------
    Demonstration

    Raises
    ------
    SignalError
        If the folder can't be made or written to.
    """
    folder = Path(folder)
    tell = progress or (lambda done, text: None)
    if not seconds > 0.0:
        raise SignalError(f"nothing can be played in {seconds:g} s", mend="Give seconds above 0.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SignalError(f"the folder can't be made ({error.strerror})", place=Place(str(folder)), mend="Choose another place.") from None
    dry = shipped_phrase(PHRASE)
    volts = GUITAR * dry.samples[:max(int(seconds * dry.sample_rate), 1)]
    files = {"dry guitar": _heard(folder / "guitar.wav", volts, dry.sample_rate)}
    signals = {"guitar": volts}
    stages = []
    for number, (name, settings) in enumerate(RIG):
        result = simulate(name, volts, dry.sample_rate, oversample=OVERSAMPLE, controls=settings,
                          progress=lambda done, text: tell((number + done) / len(RIG), name))
        volts = result.samples
        signals[name] = volts
        stages.append(Stage(name, settings, float(np.max(np.abs(volts))), result))
        files[f"after {name}"] = _heard(folder / f"{name}.wav", volts, dry.sample_rate)
    files["picture"] = draw(signals, dry.sample_rate, folder / "rig.png")
    return Demonstration(tuple(stages), files)


def _heard(path: Path, volts: np.ndarray, sample_rate: float) -> Path:
    peak = float(np.max(np.abs(volts)))
    return write_audio(path, volts * (HEADROOM / peak if peak > 0.0 else 1.0), sample_rate, subtype="pcm24")
