"""The training loop: excerpts in, better numbers out, a checkpoint each epoch, and a stop that loses nothing.

The input is scaled to RMS 1/3 and the target to RMS 1 while training; both factors are part of the result. An epoch is a number of
optimiser steps. Each step hears one position of the knobs, so that every way of conditioning, the hyper-networks too, is one
small computation a step. Recurrent networks are trained by truncated backpropagation: lanes start at random places, play a
warm-up without gradients, then learn every ``chunk`` samples while their states go on (Wright et al. 2020, section 3.3).
A fixed filter beside the network is found first, by least squares; the network then learns what the filter leaves. A teacher's
hidden activations are compared with a learned projection of the network's own (Romero et al. 2015, equation 3, all layers at once).

References
----------
D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.
A. Romero et al., "FitNets: hints for thin deep nets", ICLR 2015.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Mapping, Sequence

import numpy as np
import torch
from scipy.signal import oaconvolve

from circuits.errors import FitError
from validation.captures.architectures import Architecture, initial, shapes
from validation.captures.conditioning import conditioning_shapes, effective
from validation.captures.linear import best_filter
from validation.captures.trained import Network
from validation.captures.training.checkpoint import digest_of_run, load_checkpoint, save_checkpoint
from validation.captures.training.losses import read_loss
from validation.captures.training.networks import play, play_dynamic
from validation.captures.training.settings import Epoch, Settings, Take, Trained

INPUT_RMS = 1.0 / 3.0
FIXED = "linear.taps"  # not learned by descent
HINT = "hint."  # numbers of the projection, which are not part of the network
_SCORED = 1 << 17  # samples played at once while scoring, beside the warm-up


@dataclass(frozen=True, slots=True, eq=False)
class _Signals:
    """A take in the scale of training, float32: dry, target, what the fixed filter makes of the dry one (or None), normalised hints (or None)."""

    x: np.ndarray
    y: np.ndarray
    beside: np.ndarray | None
    hints: np.ndarray | None
    take: Take


@dataclass(frozen=True, slots=True, eq=False)
class _Lesson:
    """What stays the same over a run."""

    arch: Architecture
    way: str
    settings: Settings
    device: torch.device
    signals: tuple[_Signals, ...]
    loss: Callable

    @property
    def lead(self) -> int:
        """Samples heard before the first that counts."""
        return self.settings.warm_up if self.arch.recurrent else self.arch.memory


def train(arch: Architecture, takes: Sequence[Take], sample_rate: float, *, rng: np.random.Generator, way: str = "none",
          knobs: Sequence[Mapping[str, object]] = (), settings: Settings = Settings(), checkpoint: str | Path | None = None,
          start: Mapping[str, np.ndarray] | None = None, facts: Mapping[str, object] | None = None,
          progress: Callable[[float, str], None] | None = None) -> Trained:
    """Train a network.

    Parameters
    ----------
    arch : Architecture
    takes : sequence of Take
    sample_rate : float
        Hz.
    rng : numpy.random.Generator
        Draws the first numbers and the excerpts.
    way : str
        Conditioning, one of `validation.captures.conditioning.WAYS`.
    knobs : sequence of mapping
        Fields of a `Control` for each entry of ``Take.knobs``.
    settings : Settings
    checkpoint : path-like, optional
        Written whole after each epoch; if it is there and of the same run, it is gone on from.
    start : mapping of str to ndarray, optional
        First numbers, for instance of a network trained before.
    facts : mapping, optional
        Kept in the network's file.
    progress : callable, optional
        ``progress(done, text)``, text with the held-out ESR and the time left.

    Returns
    -------
    Trained

    Raises
    ------
    FitError
        For silent or unequal takes, a loss that is no number, a checkpoint of another run, or a disk that is full; the message says what was saved.
    """
    tell = progress or (lambda done, text: None)
    _check(takes, arch, settings)
    sizes = shapes(arch) | conditioning_shapes(arch, way, len(knobs))
    device = torch.device("cuda" if settings.device == "cuda" or settings.device == "auto" and torch.cuda.is_available() else "cpu")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise FitError("there is no CUDA device here", mend="Leave out the device, or choose cpu.")
    input_gain, output_gain = INPUT_RMS / _rms(takes, "x"), _rms(takes, "y")
    numbers = initial(sizes, rng)
    if start is not None:
        numbers |= {name: np.asarray(values, dtype=np.float64) for name, values in start.items() if sizes.get(name) == np.shape(values)}
    if arch.linear:
        spans = [(one.x[a:b], one.y[a:b]) for one in takes for a, b in one.train]
        numbers[FIXED] = best_filter(spans, arch.linear) / (input_gain * output_gain)
    lesson = _Lesson(arch, way, settings, device, _scaled(takes, input_gain, output_gain, numbers.get(FIXED)), read_loss(settings.loss))
    if settings.hints:
        numbers |= _projection(lesson, numbers, rng)
    weights = {name: torch.tensor(values, dtype=torch.float32, device=device, requires_grad=name != FIXED) for name, values in numbers.items()}
    optimiser = torch.optim.Adam([one for name, one in weights.items() if name != FIXED], lr=settings.rate)
    digest = digest_of_run(arch, way, knobs, settings, takes, sample_rate)
    history: list[Epoch] = []
    best, best_esr, spent, spent_cpu = _copy(weights), math.inf, 0.0, 0.0
    resumed = load_checkpoint(checkpoint, digest, device)
    if resumed is not None:
        with torch.no_grad():
            for name, values in resumed["weights"].items():
                weights[name].copy_(values)
        optimiser.load_state_dict(resumed["optimiser"])
        rng.bit_generator.state = json.loads(resumed["rng"])
        history = [Epoch(**one) for one in json.loads(resumed["history"])]
        best, best_esr = {name: values.cpu().numpy().astype(np.float64) for name, values in resumed["best"].items()}, resumed["best_esr"]
        spent, spent_cpu = history[-1].seconds, history[-1].cpu
    else:
        best_esr = _score(lesson, weights)
        if not math.isfinite(best_esr):
            raise FitError("the network starts with an error that is no number", mend="Check the level of the recordings.")

    def result(stop: str) -> Trained:
        return Trained(Network(arch, way, best, float(sample_rate), tuple(dict(one) for one in knobs), input_gain, output_gain,
                               {**(facts or {}), "held_out_esr": best_esr, "epochs": len(history)}), best_esr, tuple(history), stop)

    begun, begun_cpu = time.monotonic() - spent, time.process_time() - spent_cpu
    waited = len(history) - min((one.number for one in history if one.held_out == best_esr), default=0)
    while True:
        elapsed, cpu = time.monotonic() - begun, time.process_time() - begun_cpu
        if best_esr <= settings.goal:
            return result(f"held-out ESR at the goal of {settings.goal:g}")
        if len(history) >= settings.epochs:
            return result(f"{settings.epochs} epochs")
        if waited >= settings.patience:
            return result(f"no better for {settings.patience} epochs")
        if elapsed >= settings.seconds:
            return result(f"{settings.seconds:g} s are over")
        if cpu >= settings.cpu:
            return result(f"{settings.cpu:g} s of processor time are over")
        rate = settings.step_size(len(history), elapsed, cpu)
        for group in optimiser.param_groups:
            group["lr"] = rate
        mean = _epoch(lesson, weights, optimiser, rng, rate / settings.rate)
        held = _score(lesson, weights) if math.isfinite(mean) else math.nan
        if not math.isfinite(held):
            saved = f"Saved is epoch {len(history)} in {checkpoint}." if checkpoint is not None and history else "Nothing was saved."
            raise FitError(f"in epoch {len(history) + 1} the error is no longer a number", mend=f"Lower the step size. {saved}")
        history.append(Epoch(len(history) + 1, mean, held, rate, time.monotonic() - begun, time.process_time() - begun_cpu))
        waited += 1
        if held < best_esr:
            best, best_esr, waited = _copy(weights), held, 0
        if checkpoint is not None:
            save_checkpoint(Path(checkpoint), digest, weights, optimiser, rng, history, best, best_esr)
        done = settings.share(len(history), history[-1].seconds, history[-1].cpu)
        left = history[-1].seconds * (1.0 - done) / done if done < 1.0 else 0.0
        tell(done, f"epoch {len(history)}, held-out ESR {held:.4g}, best {best_esr:.4g}, {left / 60:.1f} min left")


def _check(takes: Sequence[Take], arch: Architecture, settings: Settings) -> None:
    if not takes or not any(one.train for one in takes) or not any(one.validation for one in takes):
        raise FitError("there is nothing to train on, or nothing to hold against it", mend="Give a longer recording.")
    for index, one in enumerate(takes):
        if one.x.shape != one.y.shape or one.x.ndim != 1:
            raise FitError(f"take {index}: dry has {one.x.shape} and target {one.y.shape} samples", mend="Give recordings of one length.")
    for name in ("x", "y"):
        if not any(np.any(getattr(one, name)) for one in takes):
            raise FitError(f"the {'dry recording' if name == 'x' else 'target'} is silent", mend="Check cables and levels, and record it again.")
    longest = max(len(one.x) for one in takes)
    need = settings.length + (settings.warm_up if arch.recurrent else arch.memory)
    if longest < need:
        raise FitError(f"a recording of {longest} samples is shorter than one excerpt of {need}", mend="Record more, or choose a smaller --length.")
    if settings.hints and any(one.hidden is None for one in takes):
        raise FitError("hints need a teacher with hidden layers", mend="Name one with --from, or leave out the hints.")


def _rms(takes: Sequence[Take], name: str) -> float:
    signals = [getattr(one, name) for one in takes]
    return math.sqrt(sum(float(np.dot(v, v)) for v in signals) / sum(len(v) for v in signals))


def _scaled(takes: Sequence[Take], input_gain: float, output_gain: float, taps: np.ndarray | None) -> tuple[_Signals, ...]:
    dry: dict[int, tuple] = {}  # the takes of a dataset share one dry recording
    found = []
    for one in takes:
        if id(one.x) not in dry:
            x = np.float32(one.x * input_gain)
            dry[id(one.x)] = x, None if taps is None else np.float32(oaconvolve(x.astype(np.float64), taps)[:len(x)])
        hints = None
        if one.hidden is not None:
            spread = np.maximum(one.hidden.std(axis=1, keepdims=True), 1e-6)  # a feature that never moves teaches nothing
            hints = np.float32((one.hidden - one.hidden.mean(axis=1, keepdims=True)) / spread)
        x, beside = dry[id(one.x)]
        found.append(_Signals(x, np.float32(one.y / output_gain), beside, hints, one))
    return tuple(found)


def _projection(lesson: _Lesson, numbers, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """First numbers of the learned projection from the network's hidden activations to the teacher's."""
    hidden: list = []
    weights = {name: torch.tensor(values, dtype=torch.float32, device=lesson.device) for name, values in numbers.items()}
    knobs = torch.tensor(lesson.signals[0].take.knobs, dtype=torch.float32, device=lesson.device)
    with torch.no_grad():
        _player(lesson, weights, knobs)(torch.zeros(1, 16, device=lesson.device), None, hidden)
    n_in, n_out = sum(one.shape[1] for one in hidden), len(lesson.signals[0].hints)
    return initial({f"{HINT}w": (n_out, n_in), f"{HINT}b": (n_out,)}, rng)


def _player(lesson: _Lesson, weights, knobs):
    """One step's player: the knobs stand still, so their effect is computed once."""
    if lesson.way == "dynamic":
        return lambda x, state, hidden=None: play_dynamic(lesson.arch, weights, x, knobs, state, hidden)
    own = effective(lesson.arch, lesson.way, weights, knobs)
    return lambda x, state, hidden=None: play(lesson.arch, own, x, state, hidden)


def _excerpts(one: _Signals, settings: Settings, lead: int, rng):
    """Random places of a take's training stretches: the dry ones (lanes, lead + length), then target, what stands beside and hints, (lanes, ..., length).

    Before the first sample stand zeros; a stretch shorter than an excerpt ends in silence on all sides.
    """
    spans = [(start, max(stop - settings.length, start)) for start, stop in one.take.train]
    chances = np.array([stop - start + 1 for start, stop in spans], dtype=float)
    chosen = rng.choice(len(spans), size=settings.lanes, p=chances / chances.sum())
    inputs = np.zeros((settings.lanes, lead + settings.length), dtype=np.float32)
    told = [np.zeros((settings.lanes, *values.shape[:-1], settings.length), dtype=np.float32) if values is not None else None
            for values in (one.y, one.beside, one.hints if settings.hints else None)]
    for lane, which in enumerate(chosen):
        at = int(rng.integers(spans[which][0], spans[which][1] + 1))
        stop = min(at + settings.length, one.take.train[which][1])
        begin = max(at - lead, 0)
        inputs[lane, lead - (at - begin):lead + stop - at] = one.x[begin:stop]
        for out, values in zip(told, (one.y, one.beside, one.hints)):
            if out is not None:
                out[lane, ..., :stop - at] = values[..., at:stop]
    return inputs, *told


def _epoch(lesson: _Lesson, weights, optimiser, rng, share: float) -> float:
    """Mean loss over the steps; ``share`` is that of the whole step size, by which hints count less and less."""
    settings, recurrent, lead = lesson.settings, lesson.arch.recurrent, lesson.lead
    usable = [one for one in lesson.signals if one.take.train]
    total, count, step = 0.0, 0, 0
    while step < settings.steps:
        one = usable[int(rng.integers(len(usable)))]
        inputs, targets, beside, hints = (None if values is None else torch.from_numpy(values).to(lesson.device)
                                          for values in _excerpts(one, settings, lead, rng))
        knobs = torch.tensor(one.take.knobs, dtype=torch.float32, device=lesson.device)
        pieces = [(lead, lead + settings.length)]
        state = None
        if recurrent:
            pieces = [(lead + at, min(lead + at + settings.chunk, lead + settings.length)) for at in range(0, settings.length, settings.chunk)]
            if lead:
                with torch.no_grad():
                    _, state = _player(lesson, weights, knobs)(inputs[:, :lead], None)
        for start, stop in pieces:
            if step >= settings.steps:
                break
            optimiser.zero_grad(set_to_none=True)
            hidden: list | None = [] if settings.hints else None
            y, state = _player(lesson, weights, knobs)(inputs[:, start if recurrent else 0:stop], state, hidden)
            y, here = y[:, -(stop - start):], slice(start - lead, stop - lead)
            error = lesson.loss(y if beside is None else y + beside[:, here], targets[:, here])
            if hints is not None:
                own = torch.cat([values[..., -(stop - start):] for values in hidden], dim=1)
                guess = torch.einsum("oi,lit->lot", weights[f"{HINT}w"], own) + weights[f"{HINT}b"][:, None]
                error = error + settings.hints * share * torch.mean((guess - hints[..., here]) ** 2)
            value = float(error.detach())
            if not math.isfinite(value):
                return value
            error.backward()
            torch.nn.utils.clip_grad_norm_([values for values in weights.values() if values.grad is not None], settings.clip)
            optimiser.step()
            state = None if state is None else tuple(values.detach() for values in state)
            total, count, step = total + value, count + 1, step + 1
    return total / count


def _score(lesson: _Lesson, weights) -> float:
    """Error-to-signal ratio over all held-out stretches together."""
    error = energy = 0.0
    with torch.no_grad():
        for one in lesson.signals:
            player = _player(lesson, weights, torch.tensor(one.take.knobs, dtype=torch.float32, device=lesson.device))
            for first, last in one.take.validation:
                for start in range(first, last, _SCORED):
                    stop = min(start + _SCORED, last)
                    begin = max(start - lesson.lead, 0)
                    out, _ = player(torch.from_numpy(one.x[None, begin:stop]).to(lesson.device), None)
                    target = one.y[start:stop].astype(np.float64)
                    played = out[0, start - begin:].cpu().numpy() + (0.0 if one.beside is None else one.beside[start:stop])
                    error += float(np.dot(target - played, target - played))
                    energy += float(np.dot(target, target))
    if energy == 0.0:
        raise FitError("the target is silent wherever it is held out", mend="Choose other parts, or record more.")
    return error / energy


def _copy(weights) -> dict[str, np.ndarray]:
    return {name: values.detach().cpu().numpy().astype(np.float64) for name, values in weights.items() if not name.startswith(HINT)}
