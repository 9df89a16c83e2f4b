"""What changes while a fit runs: the best block of each structure, what was tried, the file to go on from.

A session climbs the ladder of structures or descends from one block, notes every attempt, and survives an interruption with
the best so far.
"""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from circuits.errors import FitError, ModelFileError
from graybox.blocks import Block
from graybox.doubling import doubled
from graybox.gainstages import PLANS
from graybox.optimise import Step, esr, expected_fall, levenberg_marquardt, weighted_esr
from graybox.store import block_from_json, block_to_json, read_json, write_json
from graybox.stretches import stretches
from graybox.structures import GROWS_FROM, LADDER, LONGER, PARTS, finished, fit_structure, free_numbers, lengthened, polished, promises

_log = logging.getLogger(__name__)
CHECKPOINT, CHECKPOINT_VERSION = "ampwright-fit", 1
CLEAN = 2e-5  # held-out ESR below the noise of any recording of an amplifier: nothing richer can be told apart
PLENTY = 1_400_000  # samples of training audio to which the part held out adds nothing
WORSE = 1.05  # a held-out error larger by this factor is more than the draw of stretches
FINER = 2_800_000  # samples of the descent at twice the rate
# Of the time left; a quarter for others
SHARES = {"lnlnl": 0.4, "lnlnl-bias": 0.5, "wh-parallel": 0.07, "wh-memory": 0.07, "wh-sag": 0.07} | dict.fromkeys(PLANS, 0.5)
WORTH = 0.5  # a part is tried if it promises at least so much of what the most promising one does; the bias always, richer ones grow from it
WORK = 0.94  # of the time for descents: their last step ends late, and errors and intervals take a few passes more
LAST = 30  # steps on all audio that a richer structure or start must leave time for
RICH = (*PLANS, "lnlnl", "lnlnl-bias")  # take longest; all but the first are tried if time is left


@dataclass(frozen=True, slots=True)
class Attempt:
    """One structure that was tried: its free numbers, held-out ESR (infinite if left out), CPU seconds, why it stopped."""

    structure: str
    numbers: int
    held_out: float
    seconds: float
    stop: str


class Session:
    """What changes while a fit runs: the best block of each structure, the history, the file on disk."""

    def __init__(self, material, rng, seconds, progress, checkpoint, asked):
        self.material, self.rng, self.seconds, self.progress = material, rng, WORK * seconds, progress
        self.path = None if checkpoint is None else Path(checkpoint)
        self.started = self.saved = time.process_time()
        self.seed = str(getattr(rng.bit_generator.seed_seq, "entropy", "unknown"))
        self.fitted: dict[str, Block] = {}
        self.tried: list[Attempt] = []
        self.current: tuple[str, Block] | None = None
        self.lowest = np.inf  # held-out error of the current block
        self.chosen, self.history, self.stop = "", (), "done"
        self.steps: list[Step] = []
        self.held, self.last = None, None
        self.digest = _digest(material, asked)
        self.waiting: dict[str, Block] = {}
        if self.path is not None and self.path.exists():
            self._resume()

    # -- files

    def _resume(self):
        data = read_json(self.path, CHECKPOINT, CHECKPOINT_VERSION)
        if data.get("digest") != self.digest:
            raise FitError(f"{self.path.name} belongs to a fit of other recordings or another structure",
                           mend="Choose another checkpoint file or remove this one.")
        try:
            self.tried = [Attempt(**(e | {"held_out": np.inf if e["held_out"] is None else e["held_out"]}))
                          for e in data["tried"]]
            self.fitted = {name: block_from_json(entry) for name, entry in data["fitted"].items()}
            if data["current"] is not None:
                self.waiting[data["current"]["structure"]] = block_from_json(data["current"]["block"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ModelFileError(f"{self.path.name} is damaged: {error}", mend="Remove it and start again.") from error

    def save(self, force=False):
        if self.path is None or (not force and time.process_time() - self.saved < 2.0):
            return
        self.saved = time.process_time()
        current = None
        if self.current is not None:
            current = {"structure": self.current[0], "block": block_to_json(self.current[1])}
        tried = [{"structure": t.structure, "numbers": t.numbers, "seconds": t.seconds, "stop": t.stop,
                  "held_out": t.held_out if np.isfinite(t.held_out) else None} for t in self.tried]
        write_json({"format": CHECKPOINT, "version": CHECKPOINT_VERSION, "digest": self.digest, "tried": tried,
                    "fitted": {name: block_to_json(block) for name, block in self.fitted.items()}, "current": current},
                   self.path)

    def resumed(self, name):
        return self.waiting.pop(name, None)

    # -- work

    @property
    def left(self):
        return max(self.seconds - (time.process_time() - self.started), 0.5)

    def say(self, text):
        if self.progress is not None:
            self.progress(min((time.process_time() - self.started) / self.seconds, 1.0), text)

    def on_step(self, name):
        def note(step, block):
            if not step.held_out >= self.lowest:  # a descent from another start begins worse than the best one ended
                self.lowest, self.current = step.held_out, (name, block)
            self.steps.append(step)
            self.say(f"{name}: step {len(self.steps)}, loss {step.loss:.3g}, held-out ESR {step.held_out:.3g}")
            self.save()
        return note

    def _finish(self, name, descent, began):
        self.fitted[name] = descent.block
        self.history, self.stop, self.chosen = descent.history, descent.stop, name
        self.current, self.lowest = None, np.inf
        self.tried.append(Attempt(name, free_numbers(descent.block), float(descent.held_out),
                                  time.process_time() - began, descent.stop))
        self.save(force=True)
        return descent

    def reach(self, name, share=1.0):
        """Fit a structure and what it grows from, each noted as an attempt."""
        done = [t for t in self.tried if t.structure == name]
        if done and name in self.fitted:
            self.chosen, self.stop = name, done[-1].stop
            return None
        waiting = self.resumed(name)
        began = time.process_time()
        self.steps = []
        if waiting is not None:
            return self._finish(name, polished(self.material.released(waiting), self.material, seconds=share * self.left,
                                               on_step=self.on_step(name)), began)
        return self._finish(name, fit_structure(name, self.fitted, self.material, self.rng, seconds=share * self.left,
                                                say=self.say, on_step=self.on_step(name)), began)

    def descend(self, name, block):
        began = time.process_time()
        self.say("descending from the block given")
        self._finish(name, levenberg_marquardt(block, self.material.train, self.material.hold, iterations=100,
                                               tolerance=1e-4, patience=8, seconds=self.left,
                                               emphasis=self.material.emphasis, balanced=len(self.material.train) > 1,
                                               on_step=self.on_step(name)), began)

    def polish(self, name):
        """More steps on all training audio, if the structure grew on a part of it and time is left."""
        if self.left < 1.0 or name not in self.fitted:
            return
        began = time.process_time()
        self.say(f"{name}: all recordings")
        before = weighted_esr(self.fitted[name], self.material.hold)
        block = self.fitted[name]
        if sum(len(r.x) for r in self.material.train) > 2 * LONGER and self.material.brightest() is None:
            block = lengthened(block, self.material, self.rng, seconds=0.4 * self.left, on_step=self.on_step(name)).block
        descent = polished(block, self.material, seconds=0.8 * self.left, on_step=self.on_step(name))
        if descent.held_out <= before:
            self._finish(name, descent, began)

    def double(self):
        """The chosen block at twice the rate, for a last descent there; kept unless its held-out error says that it is worse.

        What is held out is no brighter than what was heard. Where both rates do alike there, the finer one is nearer to what the device does
        with a brighter input.
        """
        name, finer = f"{self.chosen} at twice the rate", self.material.doubled()
        if name not in self.fitted:
            before = weighted_esr(self.fitted[self.chosen], self.material.hold)
            began, single = time.process_time(), self.chosen
            start = self.resumed(name) or doubled(self.fitted[single])
            part = replace(finer, train=stretches(finer.train, FINER, self.rng))
            descent = polished(start, part, seconds=0.8 * self.left, iterations=60, on_step=self.on_step(name))
            self._finish(name, descent, began)
            if descent.held_out > WORSE * before:
                self.chosen = single
                return
        self.chosen, self.material = name, finer

    def finish(self):
        """Last steps on all audio, if it is so little that what was held out adds to it; the held-out error keeps the value from before them."""
        block = self.fitted[self.chosen]
        self.held = esr(block, self.material.hold)
        if sum(len(r.x) for r in self.material.train) > PLENTY:
            return
        self.say(f"{self.chosen}: last steps, held-out audio included")
        try:
            self.last = finished(block, self.material, seconds=max(self.left, 0.1 * self.seconds)).block
        except KeyboardInterrupt:
            self.interrupted()

    def climb(self, margin, ladder=None):
        """Try structures from simple to rich and choose the one with fewest numbers whose error is within the margin.

        A part beside a bank and a curve is tried only if it promises enough (`graybox.structures.promises`). Time that is left goes to
        the same structure from other starts, for minima differ; the held-out error decides.
        """
        promised, self.material = None, self.material.drawn(self.rng)
        for name in ladder or LADDER:
            if self.left <= 1.0:
                break
            if name in PARTS and "wh-bank" in self.fitted and name not in self.fitted:
                if promised is None:
                    self.say("what each further part would be worth")
                    promised = promises(self.fitted["wh-bank"], self.material, self.rng)
                if name != "wh-bias" and promised[name] < WORTH * max(promised.values()):
                    most = max(promised, key=promised.get)
                    self._left_out(name, f"a step promises {promised[name]:.2g} of the loss, {most} {promised[most]:.2g}")
                    continue
            rich = [t for t in self.tried if t.structure in RICH and t.structure in self.fitted]
            if rich and name in RICH and name not in self.fitted:
                needed = max(t.seconds for t in rich) + self._seconds_of_last_steps(rich[-1].structure)
                if self.left < needed:
                    self._left_out(name, f"{self.left:.0f} CPU-s are left, {needed:.0f} would be needed for it and the last steps")
                    continue
            try:
                self.reach(name, SHARES.get(name, 0.25))
            except FitError as error:
                self._left_out(name, str(error))
            if self.tried[-1].held_out < CLEAN:
                break
        usable = [t for t in self.tried if t.structure in self.fitted and np.isfinite(t.held_out)]
        if not usable:
            raise FitError("no structure could be fitted", mend="; ".join(t.stop for t in self.tried[-2:]))
        best = min(t.held_out for t in usable)
        choice = min((t for t in usable if t.held_out <= margin * best), key=lambda t: (t.numbers, t.held_out)).structure
        self._from_other_starts(choice)
        self.chosen = choice
        self.polish(choice)
        self.chosen = choice

    def _left_out(self, name, why):
        _log.info("%s left out: %s", name, why)
        self.tried.append(Attempt(name, 0, float("inf"), 0.0, f"left out: {why}"))

    def _from_other_starts(self, name):
        """The chain of structures that leads to ``name`` again, from other stretches, as long as the last steps keep their time."""
        chain = [name]
        while chain[-1] in GROWS_FROM:
            chain.append(GROWS_FROM[chain[-1]])
        if len(chain) == 1 and name not in PLANS:  # nothing was drawn that could fall otherwise
            return
        spent = sum(t.seconds for t in self.tried if t.structure in chain)
        last = self._seconds_of_last_steps(name)
        while self.left > spent + last:
            began, others, held = time.process_time(), {}, weighted_esr(self.fitted[name], self.material.hold)
            self.steps, self.lowest, material = [], held, self.material.drawn(self.rng)
            for step in reversed(chain):
                descent = fit_structure(step, others, material, self.rng, seconds=self.left, say=self.say, on_step=self.on_step(name))
                others[step] = descent.block
            took, self.current, self.lowest = time.process_time() - began, None, np.inf
            self.tried.append(Attempt(f"{name}, again", free_numbers(descent.block), float(descent.held_out), took, descent.stop))
            if descent.held_out < held:
                self.fitted[name], self.history, self.stop = descent.block, descent.history, descent.stop
            self.save(force=True)
            spent = max(spent, took)

    def _seconds_of_last_steps(self, name) -> float:
        """CPU seconds that `LAST` steps of a structure that was fitted take on all audio."""
        part = stretches(self.material.train, 20_000, self.rng)
        began = time.process_time()
        expected_fall(self.fitted[name], part)
        one = 1.5 * (time.process_time() - began) / sum(len(r.x) for r in part)  # half as much again for the errors of its trials
        return LAST * one * sum(len(r.x) for r in self.material.train)

    def interrupted(self):
        if self.current is not None:
            self.fitted[self.current[0]] = self.current[1]
            self.chosen = self.current[0]
        elif self.fitted:
            self.chosen = min(self.fitted, key=lambda n: weighted_esr(self.fitted[n], self.material.hold))
        else:
            raise KeyboardInterrupt
        self.stop = "interrupted: the best block so far was kept"
        self.history = tuple(self.steps)
        self.save(force=True)


def _digest(material, asked) -> str:
    total = hashlib.sha256(asked.encode())
    for r in material.train + material.hold:
        total.update(r.x.tobytes() + r.y.tobytes() + repr(sorted(r.positions.items())).encode())
    total.update(repr((material.sample_rate, material.middle, material.controls)).encode())
    return total.hexdigest()[:24]
