"""The demonstration: a shipped phrase through shipped netlists as cables join them; a block fitted to the last; all compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Mapping

import numpy as np

from ampwright.comparisons import compare
from ampwright.fitting import Fit, fit
from ampwright.models import load
from ampwright.simulation import Progress, Result, simulate
from circuits.errors import Place, SignalError
from graybox.blocks import BlockProcessor
from graybox.store import save
from validation.audio import Audio, write_audio
from validation.comparison import Comparison
from validation.gallery.rig import draw
from validation.signals import shipped_phrase

PHRASE = "single-notes"
GUITAR = 0.2  # volts at the phrase's full scale: a single-coil pickup, played firmly
OVERSAMPLE = 2
RIG = (("tube_screamer", {"drive": 0.6, "tone": 0.5, "level": 0.8}), ("preamp_2203", {"gain": 0.5, "treble": 0.6, "bass": 0.5, "middle": 0.6, "master": 0.4}))
STUDIED = 5.0  # seconds of the pedal's sound that are fitted and compared
STRUCTURE = "wh-poles"
TRUTH = 8  # oversampling of the target: what the engines at their working rate are measured against
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
    fitted: Fit | None = None
    comparison: Comparison | None = None


def demonstrate(folder: str | Path, *, seconds: float = 60.0, effort: float = 30.0, progress: Progress | None = None) -> Demonstration:
    """Play the phrase through the rig, fit a block to its last stage, compare it with both engines; write all of it into a folder.

    Parameters
    ----------
    folder : str or Path
        Made if it is not there.
    seconds : float
        How much of the phrase is played, at most.
    effort : float
        CPU seconds for the fit; 0 leaves out fit and comparison.
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
    share = 0.4 if effort > 0.0 else 1.0
    stages = []
    for number, (name, settings) in enumerate(RIG):
        result = simulate(name, volts, dry.sample_rate, oversample=OVERSAMPLE, controls=settings,
                          progress=lambda done, text: tell(share * (number + done) / len(RIG), name))
        volts = result.samples
        signals[name] = volts
        stages.append(Stage(name, settings, float(np.max(np.abs(volts))), result))
        files[f"after {name}"] = _heard(folder / f"{name}.wav", volts, dry.sample_rate)
    files["picture"] = draw(signals, dry.sample_rate, folder / "rig.png")
    if not effort > 0.0:
        return Demonstration(tuple(stages), files)
    pedal, (preamp, settings) = RIG[0][0], RIG[-1]
    played = signals[pedal]
    start = max(len(played) // 2 - int(0.5 * STUDIED * dry.sample_rate), 0)
    dry = Audio(played[start:start + int(STUDIED * dry.sample_rate)], dry.sample_rate)
    circuit = load(preamp).turn(**settings)
    found = fit(dry, circuit, folder / "block-net.json", blocks=STRUCTURE, curve="net", oversample=TRUTH, seconds=effort,
                progress=lambda done, text: tell(0.4 + 0.3 * done, f"fit: {text}"))
    save(found.first.block, folder / "block.json")
    knobs = ",".join(f"{name}={value:g}" for name, value in settings.items())
    candidates = {f"{preamp}, nodal engine": f"{preamp}@oversample={OVERSAMPLE},{knobs}",
                  f"{preamp}, wave engine": f"{preamp}@engine=wdf,oversample={OVERSAMPLE},{knobs}",
                  "fitted block": BlockProcessor(found.first.block), "fitted block, tiny network": BlockProcessor(found.block)}
    comparison = compare(dry, f"{preamp}, {TRUTH}x={preamp}@oversample={TRUTH},{knobs}", candidates, folder / "report", measure=False,
                         command="ampwright demo", progress=lambda done, text: tell(0.7 + 0.3 * done, text))
    files |= {"fitted block": folder / "block.json", "with a tiny network": folder / "block-net.json", "report": folder / "report" / "report.html"}
    return Demonstration(tuple(stages), files, found, comparison)


def _heard(path: Path, volts: np.ndarray, sample_rate: float) -> Path:
    peak = float(np.max(np.abs(volts)))
    return write_audio(path, volts * (HEADROOM / peak if peak > 0.0 else 1.0), sample_rate, subtype="pcm24")
