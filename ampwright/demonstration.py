"""The demonstration, on shipped material: a guitar through a pedal into a preamp; blocks fitted to the preamp; and each of the two circuits as both engines,
its capture, the blocks and ngspice play it, compared with the circuit solved at eight times the rate.

What is compared is a lick that neither the fits nor the training of the captures have heard.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Mapping

import numpy as np

from ampwright.comparisons import NGSPICE, compare
from ampwright.fitting import Fit, fit
from ampwright.models import load
from ampwright.simulation import Progress, Result, simulate
from circuits.errors import Place, SignalError
from validation.audio import Audio, write_audio
from validation.comparison import Comparison
from validation.gallery.rig import draw
from validation.plucked import Note, play
from validation.signals import shipped_phrase
from validation.spice import library

PHRASE = "single-notes"
GUITAR = 0.2  # volts at the phrase's full scale: a single-coil pickup, played firmly
OVERSAMPLE = 2
RIG = (("tube_screamer", {"drive": 0.6, "tone": 0.5, "level": 0.8}), ("preamp_2203", {"gain": 0.5, "treble": 0.6, "bass": 0.5, "middle": 0.6, "master": 0.4}))
STUDIES = {"tube_screamer": "overdrive", "preamp_2203": "preamp"}  # circuit and the capture of it that ships, controls as both have them
LESSON, FITTED, LEAST = "chords", 5.0, 1.5  # phrase, seconds of it that the blocks are fitted to, and at least of a short demonstration
COMPARED = 1.5  # seconds that are compared: ngspice takes a quarter of a minute for one
EXAM = tuple(Note(0.05 + 0.22 * k, 0.5, string, fret, velocity) for k, (string, fret, velocity) in
             enumerate(((0, 5, 0.9), (1, 7, 0.6), (3, 5, 0.8), (2, 7, 0.5), (4, 8, 1.0), (0, 3, 0.7))))  # a lick of no phrase: the captures know the phrases
EXAM_RATE = 48000.0  # Hz
SEGMENT = 0.125  # seconds: twelve segments for the tests
STEPS = 4  # time steps a sample, at least, of ngspice
STRUCTURE = "wh-poles"
NET_SHARE = 0.75  # of the effort; the rest is for the block with a tanh, which starts from the other's filters
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
    """What was played, stage by stage, and where it lies; the fits by the kind of their curve; comparisons by circuit; remarks."""

    stages: tuple[Stage, ...]
    files: Mapping[str, Path]
    fits: Mapping[str, Fit] = field(default_factory=dict)
    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def demonstrate(folder: str | Path, *, seconds: float = 60.0, effort: float = 30.0, progress: Progress | None = None) -> Demonstration:
    """Play the phrase through the rig, fit blocks to its preamp, compare all that can play its two circuits; write all of it into a folder.

    Parameters
    ----------
    folder : str or Path
        Made if it is not there.
    seconds : float
        How much of the phrases is played, fitted to and compared, at most.
    effort : float
        CPU seconds for the fits; 0 leaves out fits and comparisons.
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
    share = 0.3 if effort > 0.0 else 1.0
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
    fits = _fits(folder, effort, max(min(FITTED, seconds), LEAST), lambda done, text: tell(0.3 + 0.3 * done, text))
    files |= {"block with a tanh": folder / "block-tanh.json", "block with a tiny network": folder / "block-net.json"}
    blocks = {"fitted block, tanh": str(folder / "block-tanh.json"), "fitted block, tiny network": str(folder / "block-net.json")}  # from their files: the report has their digests
    notes = () if library() is not None else ("ngspice's shared library is not installed: the comparisons go on without it.",)
    comparisons = {}
    for number, (name, capture) in enumerate(STUDIES.items()):
        comparisons[name] = _study(folder / f"report-{capture}", name, capture, blocks if name == "preamp_2203" else {}, seconds, not notes,
                                   lambda done, text: tell(0.6 + 0.2 * (number + done), f"{name}: {text}"))
        files[f"report on the {capture}"] = folder / f"report-{capture}" / "report.html"
    return Demonstration(tuple(stages), files, fits, comparisons, notes)


def _fits(folder: Path, effort: float, seconds: float, tell: Progress) -> dict[str, Fit]:
    """Blocks fitted to the preamp, with a tiny network and with a tanh as the curve."""
    lesson = shipped_phrase(LESSON)
    dry = Audio(lesson.samples[:int(seconds * lesson.sample_rate)], lesson.sample_rate)
    preamp = load("preamp_2203")
    net = fit(dry, preamp, folder / "block-net.json", blocks=STRUCTURE, curve="net", oversample=TRUTH, seconds=NET_SHARE * effort,
              progress=lambda done, text: tell(NET_SHARE * done, f"fit: {text}"))
    tanh = fit(dry, preamp, folder / "block-tanh.json", blocks=net.first.block, curve="tanh", oversample=TRUTH, seconds=(1.0 - NET_SHARE) * effort,
               progress=lambda done, text: tell(NET_SHARE + (1.0 - NET_SHARE) * done, f"fit: {text}"))
    return {"tanh": tanh, "net": net}


def _study(folder: Path, name: str, capture: str, more: Mapping[str, str], seconds: float, outside: bool, tell: Progress) -> Comparison:
    """Compare what plays one circuit with the circuit itself, solved finely."""
    lick = play(EXAM, COMPARED, EXAM_RATE, np.random.default_rng(7))
    dry = Audio(lick[:int(min(COMPARED, seconds) * EXAM_RATE)], EXAM_RATE)
    candidates = {f"nodal engine, {OVERSAMPLE}x": f"{name}@oversample={OVERSAMPLE}", f"wave engine, {OVERSAMPLE}x": f"{name}@engine=wdf,oversample={OVERSAMPLE}",
                  **more, f"neural capture {capture}": capture}
    if outside:
        candidates[f"ngspice, {STEPS} steps a sample"] = f"{NGSPICE}{name}@steps={STEPS}"
    return compare(dry, f"{name}, {TRUTH}x={name}@oversample={TRUTH}", candidates, folder, segment_length=SEGMENT, measure=False, command="ampwright demo", progress=tell)


def _heard(path: Path, volts: np.ndarray, sample_rate: float) -> Path:
    peak = float(np.max(np.abs(volts)))
    return write_audio(path, volts * (HEADROOM / peak if peak > 0.0 else 1.0), sample_rate, subtype="pcm24")
