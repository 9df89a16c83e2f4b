"""The ladder of structures, from one filter and one curve to two curves with creeping bias, each grown from the last.

A structure is a name and a way to reach it: its starts come from the grid, from the division of poles and zeros, or from
a simpler structure that was fitted before. The pole frequencies of the banks move too; they stay stable. Recordings at several
positions of the knobs are fitted in two halves: what stands before the knobs grows at one position, then all positions descend.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Callable

import numpy as np

from circuits.errors import FitError
from graybox.amplifier import grid_start, replace_stages, with_bias, with_clean_path, with_free_poles, with_memory, with_sag, with_second_curve
from graybox.blocks import Block
from graybox.chain import Static
from graybox.doubling import doubled_recording
from graybox.filters import Gain
from graybox.gainstages import PLANS, drawn_block
from graybox.linear import LinearCircuit
from graybox.optimise import Descent, Recording, expected_fall, levenberg_marquardt
from graybox.parameters import free_mask, names
from graybox.partition import fit_partitioned
from graybox.stretches import stretches

LADDER = ("hammerstein", "wh-poles", "wh-bank", "wiener", "wh-parallel", "wh-memory", "wh-bias", "wh-sag", *PLANS, "lnlnl", "lnlnl-bias")
CHOICES = {"auto": LADDER, "wh": ("wh-poles", "wh-bank")}  # names that stand for the best of several structures
WITH_MIDDLE = ("wh-bank", "wh-bias", *PLANS, "lnlnl", "lnlnl-bias")  # have a place for a linear circuit between their stages
GROWS_FROM = {"wh-parallel": "wh-bank", "wh-memory": "wh-bank", "wh-sag": "wh-bank", "wh-bias": "wh-bank", "lnlnl": "wh-bias", "lnlnl-bias": "lnlnl", "wiener": "wh-bank"}
PARTS = ("wh-parallel", "wh-memory", "wh-bias", "wh-sag")  # wh-bank and one part more, nearly silent at the start
SHORT = 90_000  # samples of the first, short descents (all recordings together)
DRAWN, KEPT = 60, 8  # rows of gain stages that are drawn, and that descend
DRAWN_ON = 60_000  # samples on which they are judged and first descend
GROWTH = 180_000  # samples of the descents while the structure grows
# Two rectifiers before the first curve, each with its own shape: charging with the signal, in milliseconds, and what creeps for a tenth of a
# second. With one shape for both the error of real amplifiers is twice as large.
BIASES = ((0.002, 0.012), (0.06,))  # s
SECOND_BIAS = (0.003,)  # s, before the second curve
LONGER = 360_000  # samples of a descent between the growth and the one on all audio, whose steps take three times as long with 25 s of audio
JOINT = 700_000  # samples of the descent of all positions together, before the last one on all audio
CHOSEN_AFTER = 15  # steps there that tell a good growth from a bad one
GROWING, CHOOSING = 0.32, 0.42  # of the time, for growth at one position and for the choice
STARTS = 3  # times that it grows there, from other stretches, if there is time: minima differ


@dataclass(frozen=True, slots=True)
class Material:
    """What a fit works on: recordings for descent and for watching, and the linear circuit between the stages, if any.

    ``growing`` are the stretches on which structures grow one from the other; none means that each draws its own.
    """

    train: tuple[Recording, ...]
    hold: tuple[Recording, ...]
    sample_rate: float
    middle: tuple = ()
    controls: tuple = ()
    emphasis: float = 0.0
    growing: tuple[Recording, ...] = ()

    def drawn(self, rng: np.random.Generator) -> "Material":
        """With stretches drawn once for a whole chain: what grows on other ones than it was fitted to begins by unlearning."""
        return replace(self, growing=stretches(self.train, GROWTH, rng))

    def brightest(self) -> "Material | None":
        """The recordings at the position whose targets have the most treble, the circuit between the stages as it is.

        The harmonics of a distortion tell most about what is before the knobs, and there they are least filtered away. None if there is
        one position only, no circuit, or too little audio at that position to grow with.
        """
        groups: dict[tuple, list[int]] = {}
        for i, r in enumerate(self.train):
            groups.setdefault(tuple(sorted(r.positions.items())), []).append(i)
        if len(groups) < 2 or not self.middle:
            return None

        def treble(group):
            return sum(float(np.sum(np.diff(self.train[i].y) ** 2)) for i in group) / max(sum(self.train[i].energy for i in group), 1e-300)

        chosen = max(groups.values(), key=treble)
        if sum(len(self.train[i].x) for i in chosen) < SHORT:
            return None
        still = tuple(replace(stage, network=replace(stage.network, fixed=names(stage.network))) if isinstance(stage, LinearCircuit) else stage
                      for stage in self.middle)
        return replace(self, train=tuple(self.train[i] for i in chosen), hold=tuple(self.hold[i] for i in chosen), middle=still)

    def released(self, block: Block) -> Block:
        """The block with the numbers of the circuit between its stages as free as they were given."""
        given = [stage.network.fixed for stage in self.middle if isinstance(stage, LinearCircuit)]
        at = [i for i, stage in enumerate(block.stages) if isinstance(stage, LinearCircuit)]
        stages = list(block.stages)
        for i, fixed in zip(at, given):
            stages[i] = replace(stages[i], network=replace(stages[i].network, fixed=fixed))
        return replace_stages(block, stages)

    def doubled(self) -> "Material":
        """The recordings at twice their rate; the stages between the curves stay with the block, which takes them along."""
        train, hold = (tuple(doubled_recording(r, self.sample_rate) for r in some) for some in (self.train, self.hold))
        return replace(self, train=train, hold=hold, sample_rate=2.0 * self.sample_rate)


def free_numbers(block: Block) -> int:
    """How many numbers of a block a fit moves."""
    return int(sum(free_mask(stage).sum() for stage in block.stages))


def with_part(name: str, block: Block, pairs) -> Block:
    """A wh-bank block with the part of one of the `PARTS`, before any descent."""
    first = next(i for i, stage in enumerate(block.stages) if isinstance(stage, Static))
    if name == "wh-parallel":
        return with_clean_path(block)
    if name == "wh-memory":
        return with_memory(block, first)
    if name == "wh-sag":
        return with_sag(block, first, pairs)
    for seconds in BIASES:
        block = with_bias(block, first, pairs, seconds=seconds)
    return block


def promises(block: Block, material: Material, rng: np.random.Generator) -> dict[str, float]:
    """What each of the `PARTS` is worth, before it is fitted: by how much more the loss would fall in one step of Gauss and Newton.

    Returns shares of the present loss by name; one pass over `SHORT` samples each.
    """
    part = stretches(material.train, SHORT, rng)
    loss, fall = expected_fall(block, part, material.emphasis)
    found = {}
    for name in PARTS:
        other, lower = expected_fall(with_part(name, block, part), part, material.emphasis)
        found[name] = ((loss - fall) - (other - lower)) / loss
    return found


def fit_structure(name: str, fitted: dict[str, Block], material: Material, rng: np.random.Generator, *,
                  seconds: float = np.inf, say: Callable[[str], None] = lambda text: None,
                  on_step=None) -> Descent:
    """Fit one structure of the `LADDER`; what it grows from is fitted first if ``fitted`` lacks it (and added there).

    Raises
    ------
    FitError
        If the structure is unknown, or can't be reached with this material.
    """
    deadline = time.process_time() + seconds
    if name not in LADDER:
        raise FitError(f"there is no structure {name!r}", mend=f"Structures: {', '.join((*CHOICES, *LADDER))}.")
    if material.middle and name not in WITH_MIDDLE:
        raise FitError(f"the structure {name!r} has no place for a linear circuit between its stages",
                       mend=f"Ask for one of {', '.join(WITH_MIDDLE)}.")
    one = material.brightest()
    if one is not None:
        return _joined(name, material, replace(one, growing=()), rng, seconds, say, on_step)
    before = GROWS_FROM.get(name)
    if before is not None and before not in fitted:
        fitted[before] = fit_structure(before, fitted, material, rng, seconds=0.4 * seconds, say=say,
                                       on_step=on_step).block
    if name == "wh-poles":
        if len(material.train) != 1:
            raise FitError("the division of poles and zeros takes one recording")
        return fit_partitioned(material.train[0], material.hold[0], material.sample_rate, rng, say=say, on_step=on_step, seconds=seconds)[0]
    work = _Work(name, material, material.growing or stretches(material.train, GROWTH, rng), deadline, say, on_step)
    if before is not None:
        return work.grown_from(before, fitted)
    if name in PLANS:
        short = stretches(material.train, DRAWN_ON, rng)
        starts = [drawn_block(PLANS[name], short, material.sample_rate, rng, middle=material.middle, controls=material.controls) for _ in range(DRAWN)]
        return work.from_starts(sorted(starts, key=lambda start: start[0])[:KEPT], short, (15, 1e-3), (20, 3e-4), lambda tried: tried.held_out)[0]
    short = stretches(material.train, SHORT, rng)
    starts = grid_start(short, material.sample_rate, middle=material.middle, controls=material.controls, flat=name == "hammerstein")
    done = work.from_starts(starts[:1] + starts[2:5:2] if name == "wh-bank" else starts[:1], short, (12, 1e-3), (15, 1e-3), lambda tried: tried.loss)
    if len(done) > 1:
        fitted[f"{name}, second start"] = done[1].block
    return done[0]


@dataclass(frozen=True, slots=True)
class _Work:
    """The descents of one structure: on which stretches, until when, and who hears of it."""

    name: str
    material: Material
    part: tuple[Recording, ...]
    deadline: float
    say: Callable[[str], None]
    on_step: object

    def descend(self, block: Block, iterations: int, tolerance: float = 3e-4, short=None) -> Descent:
        """On the stretches, with every step told; or on shorter ones, where none is worth keeping."""
        return levenberg_marquardt(block, self.part if short is None else short, self.material.hold, iterations=iterations, tolerance=tolerance,
                                   patience=20, seconds=max(self.deadline - time.process_time(), 0.1), emphasis=self.material.emphasis,
                                   balanced=len(self.material.train) > 1, on_step=self.on_step if short is None else None)

    def from_starts(self, starts, short, first, then, by) -> list[Descent]:
        """Short descents from all starts, longer ones from the best two, the better one first; ``first`` and ``then`` are steps and tolerance."""
        tried = []
        for i, (_, block) in enumerate(starts):
            self.say(f"{self.name}: start {i + 1} of {len(starts)}")
            tried.append(self.descend(with_free_poles(block), *first, short))
        self.say(f"{self.name}: all stretches")
        return sorted((self.descend(descent.block, *then) for descent in sorted(tried, key=by)[:2]), key=lambda descent: descent.held_out)

    def grown_from(self, before: str, fitted: dict[str, Block]) -> Descent:
        """The structure from the simpler one that it grows from."""
        name, part, block = self.name, self.part, fitted[before]
        self.say(f"{name}: growing from {before}")
        if name == "wiener":
            gain = Gain(float(np.hypot(block.stages[-1].direct, 1e-3)), fixed=("gain",))
            curve = replace(block.stages[1].curve, fixed=("offset", "gain[0]"))
            return self.descend(replace_stages(block, (block.stages[0], replace(block.stages[1], curve=curve), gain)), 30)
        if name in PARTS:
            # the bias decides which start was the better one: both grow
            second = fitted.get(f"{before}, second start") if name == "wh-bias" else None
            grown = [self.descend(with_part(name, start, part), 30) for start in (block, second) if start is not None]
            return min(grown, key=lambda descent: descent.held_out)
        if name == "lnlnl":
            return self.descend(with_free_poles(with_second_curve(block, part)), 30)
        return self.descend(with_bias(block, block.curve_stages()[-1], part, seconds=SECOND_BIAS), 40)


def _joined(name, material, one, rng, seconds, say, on_step) -> Descent:
    """What grows at one position, then with all positions and the circuit's own numbers; several times, for minima differ, and the best goes on.

    Which growth ends well shows only when all positions are heard: there a bad one is left with twice the held-out error.
    """
    deadline = time.process_time() + seconds
    grown = _grown_alone(name, one, rng, GROWING * seconds, lambda text: say(f"one position, {text}"), on_step)
    heard = stretches(material.train, JOINT, rng)

    def together(block, iterations, tolerance, most):
        return levenberg_marquardt(block, heard, material.hold, iterations=iterations, tolerance=tolerance, patience=20, emphasis=material.emphasis,
                                   balanced=True, seconds=max(min(most, deadline - time.process_time()), 0.1), on_step=on_step)

    found, each = [], 0.5 * CHOOSING * seconds / len(grown)
    for i, descent in enumerate(grown):
        say(f"{name}: all positions, growth {i + 1} of {len(grown)}")
        longer = lengthened(descent.block, one, rng, seconds=each, on_step=on_step)
        found.append(together(material.released(longer.block), CHOSEN_AFTER, 1e-3, each))
    say(f"{name}: all positions")
    return together(min(found, key=lambda descent: descent.held_out).block, 100, 3e-4, 0.7 * (deadline - time.process_time()))


def _grown_alone(name, material, rng, seconds, say, on_step) -> list[Descent]:
    """A structure grown at one position, again from other stretches while there is time."""
    until, grown = time.process_time() + seconds, []
    while True:
        began = time.process_time()
        grown.append(fit_structure(name, {}, material, rng, seconds=max(until - began, 0.1), say=say, on_step=on_step))
        now = time.process_time()
        if len(grown) == STARTS or until - now < now - began:
            return grown


def lengthened(block: Block, material: Material, rng: np.random.Generator, *, seconds: float, iterations: int = 40, on_step=None) -> Descent:
    """Descent on `LONGER` samples, from a block that was fitted on fewer."""
    return polished(block, replace(material, train=stretches(material.train, LONGER, rng)), seconds=seconds, iterations=iterations, on_step=on_step)


def polished(block: Block, material: Material, *, seconds: float, iterations: int = 60,
             on_step=None) -> Descent:
    """Descent on all training audio, from a block that was fitted on a part."""
    return levenberg_marquardt(block, material.train, material.hold, iterations=iterations, tolerance=3e-4, patience=20,
                               seconds=seconds, emphasis=material.emphasis, balanced=len(material.train) > 1, on_step=on_step)


def finished(block: Block, material: Material, *, seconds: float) -> Descent:
    """A few last steps on all audio, the held-out part included: too few to change what was learned, and no audio idle.

    A model of few numbers on much audio has nothing to memorise and takes more steps.
    """
    samples = sum(len(r.x) for r in material.train)
    iterations = 60 if samples > 1000 * free_numbers(block) and samples < 200_000 else 8
    whole = []
    for train, hold in zip(material.train, material.hold):
        x, y = (np.concatenate([a, b[hold.skip:]]) for a, b in ((train.x, hold.x), (train.y, hold.y)))
        weight = None if train.weight is None else np.concatenate([train.weight, hold.weight[hold.skip:]])
        whole.append(Recording(x, y, train.positions, train.skip, weight))
    return levenberg_marquardt(block, whole, iterations=iterations, tolerance=1e-5, seconds=seconds, emphasis=material.emphasis,
                               balanced=len(whole) > 1)
