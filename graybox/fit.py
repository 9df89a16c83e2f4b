"""From a dry and a wet recording to a block: first guess, descent, choice of the structure, and what is known about it.

``fit`` takes aligned arrays at one rate and returns a new block with its history, the held-out error, confidence
intervals, the correlations of its numbers and the range of inputs seen. It can be interrupted and resumed.
"""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Callable, Mapping, Sequence

import numpy as np

from circuits.errors import FitError, ModelFileError
from graybox.blocks import Block
from graybox.checks import check_pair
from graybox.filters import Delay
from graybox.optimise import Recording, Step, esr, levenberg_marquardt, normal_equations, render
from graybox.parameters import free_mask, names, values
from graybox.store import block_from_json, block_to_json, read_json, write_json
from graybox.structures import LADDER, Material, finished, fit_structure, free_numbers, polished
from graybox.swap import Seen, inputs_seen, merge_seen

_log = logging.getLogger(__name__)
MARGIN = 1.1  # "auto" keeps the simplest structure within this factor of the best held-out error
CHECKPOINT, CHECKPOINT_VERSION = "ampwright-fit", 1


@dataclass(frozen=True, slots=True)
class Estimate:
    """One fitted number with the half-width of its 95 % interval (infinite where the data do not determine it)."""

    name: str
    value: float
    half_width: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """One structure that was tried: its free numbers, held-out ESR (infinite if left out), CPU seconds, why it stopped."""

    structure: str
    numbers: int
    held_out: float
    seconds: float
    stop: str


@dataclass(frozen=True, slots=True)
class FitResult:
    """What a fit found.

    Parameters
    ----------
    block : Block
        The new block.
    structure : str
        Which structure it has.
    history : tuple of Step
        Accepted steps of the chosen structure.
    seed : str
        What the random generator started from.
    stop : str
        Why the fit ended.
    held_out : float
        ESR on the audio kept out of the descent, before the last steps on all audio (it chose the stopping point and the
        structure, so a fresh recording may show a little more).
    training : float
        ESR on the training audio.
    estimates : tuple of Estimate
        The free numbers with 95 % intervals from the Gauss-Newton matrix, widened for residuals that are not white.
    correlations : ndarray, shape (n_free, n_free)
        Correlations of the estimates.
    tried : tuple of Attempt
        Every structure tried.
    """

    block: Block
    structure: str
    history: tuple[Step, ...]
    seed: str
    stop: str
    held_out: float
    training: float
    estimates: tuple[Estimate, ...]
    correlations: np.ndarray
    tried: tuple[Attempt, ...]

    @property
    def seen(self) -> tuple[Seen, ...]:
        """The inputs that each curve has seen: ask nothing of the block beyond them."""
        return self.block.ranges


def fit(what: str | Block, x, y, *, sample_rate: float, rng: np.random.Generator,
        positions: Sequence[Mapping[str, float]] | None = None, middle: tuple = (), controls: tuple = (),
        delay: bool = False, hold: float = 0.15, emphasis: float = 0.0, seconds: float = 180.0, margin: float = MARGIN,
        finish: bool = True, check: bool = True, progress: Callable[[float, str], None] | None = None,
        checkpoint: str | Path | None = None) -> FitResult:
    """Fit a block to one or several aligned pairs of recordings.

    Parameters
    ----------
    what : str or Block
        ``"auto"``, a structure of `graybox.structures.LADDER`, or a block whose free numbers are to move.
    x, y : ndarray, shape (n_samples,), or sequence of such
        Input and target, aligned, in the same units as the block is meant to be used.
    sample_rate : float
        Hz.
    rng : numpy.random.Generator
        Draws stretches and starts.
    positions : sequence of mapping
        For each pair, where the controls stood.
    middle, controls : tuple
        Linear stages between the curves (a `graybox.linear.LinearCircuit`) and their knobs, for structures by name.
    delay : bool
        Also fit a fractional delay (adds 24 samples of latency).
    hold : float
        Share of each recording, at its end, kept out of the descent.
    emphasis : float
        Pre-emphasis 1 - emphasis z^-1 of the error in the loss.
    seconds : float
        CPU time of the process for all.
    margin : float
        See `MARGIN`.
    finish : bool
        End with eight steps on all audio. ``held_out`` is measured before them, so it stays honest.
    check : bool
        False leaves out the tests whether the pair belongs together (for a simulated target).
    progress : callable or None
        Called as ``progress(done, text)``, ``done`` from 0 to 1.
    checkpoint : path or None
        File for the best so far; a fit of the same data that finds it there goes on from it.

    Returns
    -------
    FitResult

    Raises
    ------
    SignalError, FitError
        If the recordings can't be used (the message says what was measured) or nothing can be fitted.
    """
    pairs = _pairs(x, y, positions, sample_rate, check)
    if not 0.02 <= hold <= 0.5:
        raise FitError(f"a share of {hold:g} can't be held out", mend="Give hold from 0.02 to 0.5.")
    latency = what.latency if isinstance(what, Block) else 0
    if delay:
        if not isinstance(what, Block):
            raise FitError("a fractional delay is fitted with a block", mend="Fit a structure first, then its block with delay.")
        if not any(isinstance(stage, Delay) for stage in what.stages):
            what = replace(what, stages=(Delay(),) + what.stages, ranges=())
            latency = what.latency
    train, held = _split(pairs, hold, latency)
    material = Material(train, held, float(sample_rate), tuple(middle), tuple(controls))
    session = _Session(material, rng, seconds, progress, checkpoint, str(what if isinstance(what, str) else "block"))
    try:
        if isinstance(what, Block):
            if what.sample_rate != sample_rate:
                raise FitError(f"the block runs at {what.sample_rate:g} Hz and the recordings at {sample_rate:g} Hz",
                               mend="Convert the recordings.")
            session.descend("block", session.resumed("block") or what, emphasis)
        elif what == "auto":
            session.climb(emphasis, margin)
        else:
            session.reach(what, emphasis)
            session.polish(what, emphasis)
        if finish:
            session.finish(emphasis)
    except KeyboardInterrupt:
        session.interrupted()
    return session.result(emphasis)


def _pairs(x, y, positions, sample_rate, check) -> list[Recording]:
    several = isinstance(x, (list, tuple)) and len(x) > 0 and np.ndim(x[0]) > 0
    xs, ys = (x, y) if several else ([x], [y])
    if len(xs) != len(ys):
        raise FitError(f"{len(xs)} inputs were given for {len(ys)} targets")
    places = positions or [{}] * len(xs)
    if len(places) != len(xs):
        raise FitError(f"{len(places)} positions were given for {len(xs)} recordings")
    found = []
    for i, (a, b, place) in enumerate(zip(xs, ys, places)):
        label = f"recording {i + 1}" if several else "recording"
        a, b = check_pair(a, b, sample_rate, what=label, related=check)
        found.append(Recording(a, b, dict(place)))
    return found


def _split(pairs, hold, latency):
    train, held = [], []
    for pair in pairs:
        y = np.concatenate([np.zeros(latency), pair.y[:len(pair.y) - latency]]) if latency else pair.y
        cut = len(y) - int(hold * len(y))
        run_in = min(cut, 20_000)
        train.append(Recording(pair.x[:cut], y[:cut], pair.positions, min(2000, cut // 4)))
        held.append(Recording(pair.x[cut - run_in:], y[cut - run_in:], pair.positions, run_in))
    return tuple(train), tuple(held)


class _Session:
    """What changes while a fit runs: the best block of each structure, the history, the file on disk."""

    def __init__(self, material, rng, seconds, progress, checkpoint, asked):
        self.material, self.rng, self.seconds, self.progress = material, rng, seconds, progress
        self.path = None if checkpoint is None else Path(checkpoint)
        self.started = self.saved = time.process_time()
        self.seed = str(getattr(rng.bit_generator.seed_seq, "entropy", "unknown"))
        self.fitted: dict[str, Block] = {}
        self.tried: list[Attempt] = []
        self.current: tuple[str, Block] | None = None
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
            self.current = (name, block)
            self.steps.append(step)
            self.say(f"{name}: step {len(self.steps)}, loss {step.loss:.3g}, held-out ESR {step.held_out:.3g}")
            self.save()
        return note

    def _finish(self, name, descent, began):
        self.fitted[name] = descent.block
        self.history, self.stop, self.chosen = descent.history, descent.stop, name
        self.current = None
        self.tried.append(Attempt(name, free_numbers(descent.block), float(descent.held_out),
                                  time.process_time() - began, descent.stop))
        self.save(force=True)
        return descent

    def reach(self, name, emphasis, share=1.0):
        """Fit a structure and what it grows from, each noted as an attempt."""
        done = [t for t in self.tried if t.structure == name]
        if done and name in self.fitted:
            self.chosen, self.stop = name, done[-1].stop
            return None
        waiting = self.resumed(name)
        began = time.process_time()
        self.steps = []
        if waiting is not None:
            return self._finish(name, polished(waiting, self.material, seconds=share * self.left, emphasis=emphasis,
                                               on_step=self.on_step(name)), began)
        return self._finish(name, fit_structure(name, self.fitted, self.material, self.rng, seconds=share * self.left,
                                                emphasis=emphasis, say=self.say, on_step=self.on_step(name)), began)

    def descend(self, name, block, emphasis):
        began = time.process_time()
        self.say("descending from the block given")
        self._finish(name, levenberg_marquardt(block, self.material.train, self.material.hold, iterations=100,
                                               tolerance=1e-4, patience=8, seconds=self.left, emphasis=emphasis,
                                               balanced=len(self.material.train) > 1, on_step=self.on_step(name)), began)

    def polish(self, name, emphasis):
        """More steps on all training audio, if the structure grew on a part of it and time is left."""
        if self.left < 1.0 or name not in self.fitted:
            return
        began = time.process_time()
        self.say(f"{name}: all recordings")
        before = esr(self.fitted[name], self.material.hold)
        descent = polished(self.fitted[name], self.material, seconds=self.left, emphasis=emphasis, on_step=self.on_step(name))
        if descent.held_out <= before:
            self._finish(name, descent, began)

    def finish(self, emphasis):
        """Last steps on all audio; the held-out error keeps the value from before them."""
        block = self.fitted[self.chosen]
        self.held = esr(block, self.material.hold)
        self.say(f"{self.chosen}: last steps, held-out audio included")
        try:
            self.last = finished(block, self.material, seconds=max(self.left, 0.1 * self.seconds), emphasis=emphasis).block
        except KeyboardInterrupt:
            self.interrupted()

    def climb(self, emphasis, margin):
        """Try the ladder from simple to rich and choose."""
        ladder = [n for n in LADDER if not self.material.middle or n in ("wh", "wh-bias", "lnlnl", "lnlnl-bias")]
        ladder.sort(key=lambda n: n == "wiener")  # the Wiener block starts from a fitted WH block: last
        for i, name in enumerate(ladder):
            if self.left <= 1.0:
                break
            share = 0.5 if name in ("lnlnl", "lnlnl-bias") else 0.25
            try:
                self.reach(name, emphasis, share)
            except FitError as error:
                _log.info("%s left out: %s", name, error)
                self.tried.append(Attempt(name, 0, float("inf"), 0.0, f"left out: {error}"))
            if self.tried[-1].held_out < 2e-5:  # below the noise of any recording: nothing richer can be told apart
                break
        usable = [t for t in self.tried if t.structure in self.fitted and np.isfinite(t.held_out)]
        if not usable:
            raise FitError("no structure could be fitted", mend="; ".join(t.stop for t in self.tried[-2:]))
        best = min(t.held_out for t in usable)
        choice = min((t for t in usable if t.held_out <= margin * best), key=lambda t: (t.numbers, t.held_out))
        self.chosen = choice.structure
        self.polish(choice.structure, emphasis)
        self.chosen = choice.structure

    def interrupted(self):
        if self.current is not None:
            self.fitted[self.current[0]] = self.current[1]
            self.chosen = self.current[0]
        elif self.fitted:
            self.chosen = min(self.fitted, key=lambda n: esr(self.fitted[n], self.material.hold))
        else:
            raise KeyboardInterrupt
        self.stop = "interrupted: the best block so far was kept"
        self.history = tuple(self.steps)
        self.save(force=True)

    def result(self, emphasis) -> FitResult:
        block = self.fitted[self.chosen] if self.last is None else self.last
        train, hold = self.material.train, self.material.hold
        held, training = esr(block, hold) if self.held is None else self.held, esr(block, train)
        seen = merge_seen([inputs_seen(block, r.x, r.positions) for r in train])
        notes = {"structure": self.chosen, "held_out_esr": held, "training_esr": training, "seed": self.seed,
                 "recordings": len(train), "stop": self.stop}
        block = replace(block, ranges=seen, notes=MappingProxyType(notes))
        estimates, correlations = confidence(block, train)
        return FitResult(block, self.chosen, tuple(self.history), self.seed, self.stop, held, training, estimates,
                         correlations, tuple(self.tried))


def confidence(block: Block, recordings) -> tuple[tuple[Estimate, ...], np.ndarray]:
    """95 % intervals of the free numbers and their correlations, from the Gauss-Newton matrix at the end of a fit.

    The variance of the residual is widened by its autocorrelation (Bartlett's factor over 400 lags): residuals of a model
    that is too simple are not white, and intervals that pretend so are too narrow. A number in a direction that the data
    do not feel (relative eigenvalue below 1e-12) gets an infinite interval.
    """
    recordings = tuple(recordings)
    A, _, error = normal_equations(block, recordings, np.ones(len(recordings)))
    mask = np.concatenate([free_mask(stage) for stage in block.stages])
    numbers = values(block)[mask]
    labels = [name for name, free in zip(names(block), mask) if free]
    samples = sum(len(r.x) - r.skip for r in recordings)
    factor = max(_bartlett(render(block, r.x, r.positions)[r.skip:] - r.y[r.skip:]) for r in recordings)
    scale = np.sqrt(np.maximum(np.diag(A), 1e-300))
    eigenvalues, vectors = np.linalg.eigh(A / np.outer(scale, scale))
    weak = eigenvalues < 1e-12 * eigenvalues[-1]
    inverse = np.where(weak, 0.0, 1.0 / np.where(weak, 1.0, eigenvalues))
    covariance = (vectors * inverse) @ vectors.T
    spread = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    correlations = covariance / np.maximum(np.outer(spread, spread), 1e-300)
    half = 1.96 * spread / scale * np.sqrt(error / max(samples - len(numbers), 1) * factor)
    lost = (vectors[:, weak] ** 2).sum(axis=1) > 1e-6
    half = np.where(lost | (np.diag(A) <= 0.0), np.inf, half)
    return tuple(Estimate(n, float(v), float(h)) for n, v, h in zip(labels, numbers, half)), correlations


def _bartlett(e, lags: int = 400) -> float:
    e = e - e.mean()
    n = 2 ** int(np.ceil(np.log2(2 * len(e))))
    spectrum = np.abs(np.fft.rfft(e, n)) ** 2
    r = np.fft.irfft(spectrum, n)[1:lags] / max(spectrum.mean(), 1e-300)
    return 1.0 + 2.0 * float(np.sum(np.minimum(np.abs(r), 1.0) ** 2))


def _digest(material, asked) -> str:
    total = hashlib.sha256(asked.encode())
    for r in material.train + material.hold:
        total.update(r.x.tobytes() + r.y.tobytes() + repr(sorted(r.positions.items())).encode())
    total.update(repr((material.sample_rate, material.middle, material.controls)).encode())
    return total.hexdigest()[:24]
