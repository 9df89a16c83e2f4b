"""The training loop: excerpts in, better numbers out, a checkpoint each epoch, and a stop that loses nothing.

The input is scaled to RMS 1/3 and the target to RMS 1 while training; both factors are part of the result. An epoch is a number of
optimiser steps. Each step hears one position of the knobs, so that every way of conditioning, the hyper-networks too, is one
small computation a step. Recurrent networks are trained by truncated backpropagation: lanes start at random places, play a
warm-up without gradients, then learn every ``chunk`` samples while their states go on (Wright et al. 2020, section 3.3).

References
----------
D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Callable, Mapping, Sequence

import numpy as np
import torch

from circuits.errors import FitError, Place
from validation.audio import whole_file
from validation.captures.architectures import Architecture, initial, shapes
from validation.captures.conditioning import conditioning_shapes, effective
from validation.captures.training.losses import read_loss
from validation.captures.training.networks import play, play_dynamic
from validation.captures.trained import Network

INPUT_RMS = 1.0 / 3.0
_SCORED = 1 << 17  # samples played at once while scoring, beside the warm-up


@dataclass(frozen=True, slots=True, eq=False)
class Take:
    """One pair to learn from, and what part of it is for what.

    Parameters
    ----------
    x, y : ndarray, shape (n_samples,)
        Dry, and what came out; aligned.
    knobs : tuple of float
        Shares of the travel mapped to -1..1.
    train, validation : tuple of (start, stop)
        Stretches in samples; either may be empty.
    """

    x: np.ndarray
    y: np.ndarray
    knobs: tuple[float, ...] = ()
    train: tuple[tuple[int, int], ...] = ()
    validation: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train.

    Parameters
    ----------
    loss : str
        As `losses.read_loss` takes it.
    rate, decay : float
        Adam's step size, and its factor after each epoch.
    epochs, steps : int
        Epochs at most, optimiser steps in each.
    lanes, length : int
        Excerpts side by side, and samples of each that count.
    chunk, warm_up : int
        Recurrent: samples between two steps, and before the first.
    patience : int
        Epochs without a better held-out error before it stops.
    seconds : float
        Wall-clock time at most; inf for no limit.
    goal : float
        Held-out ESR at which it stops.
    clip : float
        Largest norm of the gradient.
    device : {"auto", "cpu", "cuda"}
    """

    loss: str = "esr+pre"
    rate: float = 0.004
    decay: float = 0.99
    epochs: int = 100
    steps: int = 50
    lanes: int = 8
    length: int = 4096
    chunk: int = 512
    warm_up: int = 1024
    patience: int = 20
    seconds: float = math.inf
    goal: float = 0.0
    clip: float = 1.0
    device: str = "auto"

    def __post_init__(self):
        counts = (self.epochs, self.steps, self.lanes, self.length, self.chunk, self.patience)
        if min(counts) < 1 or self.warm_up < 0 or not (0.0 < self.rate < 1.0 and 0.0 < self.decay <= 1.0 and self.seconds > 0.0 and self.clip > 0.0):
            raise FitError("a setting of the training makes no sense", mend="Counts are at least 1, rate and decay lie in 0..1, seconds above 0.")
        if self.device not in ("auto", "cpu", "cuda"):
            raise FitError(f"there is no device {self.device!r}", mend="Use auto, cpu or cuda.")


@dataclass(frozen=True, slots=True)
class Epoch:
    """One line of the history: number from 1, mean loss, held-out ESR, step size, seconds since the start of all runs."""

    number: int
    loss: float
    held_out: float
    rate: float
    seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """The best network of a run, its held-out ESR, the history, why it stopped."""

    network: Network
    held_out: float
    history: tuple[Epoch, ...]
    stop: str


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
    loss = read_loss(settings.loss)
    sizes = shapes(arch) | conditioning_shapes(arch, way, len(knobs))
    device = torch.device("cuda" if settings.device == "cuda" or settings.device == "auto" and torch.cuda.is_available() else "cpu")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise FitError("there is no CUDA device here", mend="Leave out the device, or choose cpu.")
    input_gain, output_gain = INPUT_RMS / _rms(takes, "x"), _rms(takes, "y")
    dry = {id(one.x): one.x for one in takes}  # the takes of a dataset share one dry recording
    dry = {key: np.float32(x * input_gain) for key, x in dry.items()}
    scaled = [(dry[id(one.x)], np.float32(one.y / output_gain), one) for one in takes]
    numbers = initial(sizes, rng)
    if start is not None:
        numbers |= {name: np.asarray(values, dtype=np.float64) for name, values in start.items() if sizes.get(name) == np.shape(values)}
    weights = {name: torch.tensor(values, dtype=torch.float32, device=device, requires_grad=True) for name, values in numbers.items()}
    optimiser = torch.optim.Adam(weights.values(), lr=settings.rate)
    digest = _digest(arch, way, knobs, settings, takes, sample_rate)
    history: list[Epoch] = []
    best, best_esr, spent = _copy(weights), math.inf, 0.0
    resumed = _load(checkpoint, digest, device)
    if resumed is not None:
        with torch.no_grad():
            for name, values in resumed["weights"].items():
                weights[name].copy_(values)
        optimiser.load_state_dict(resumed["optimiser"])
        rng.bit_generator.state = json.loads(resumed["rng"])
        history = [Epoch(**one) for one in json.loads(resumed["history"])]
        best, best_esr, spent = {name: values.cpu().numpy().astype(np.float64) for name, values in resumed["best"].items()}, resumed["best_esr"], history[-1].seconds
    else:
        best_esr = _score(arch, way, weights, scaled, settings, device)
        if not math.isfinite(best_esr):
            raise FitError("the network starts with an error that is no number", mend="Check the level of the recordings.")

    def result(stop: str) -> Trained:
        return Trained(Network(arch, way, best, float(sample_rate), tuple(dict(one) for one in knobs), input_gain, output_gain,
                               {**(facts or {}), "held_out_esr": best_esr, "epochs": len(history)}), best_esr, tuple(history), stop)

    begun = time.monotonic() - spent
    waited = len(history) - min((one.number for one in history if one.held_out == best_esr), default=0)
    while True:
        elapsed = time.monotonic() - begun
        if best_esr <= settings.goal:
            return result(f"held-out ESR at the goal of {settings.goal:g}")
        if len(history) >= settings.epochs:
            return result(f"{settings.epochs} epochs")
        if waited >= settings.patience:
            return result(f"no better for {settings.patience} epochs")
        if elapsed >= settings.seconds:
            return result(f"{settings.seconds:g} s are over")
        rate = settings.rate * settings.decay ** len(history)
        for group in optimiser.param_groups:
            group["lr"] = rate
        mean = _epoch(arch, way, weights, scaled, settings, loss, optimiser, rng, device)
        held = _score(arch, way, weights, scaled, settings, device) if math.isfinite(mean) else math.nan
        if not math.isfinite(held):
            saved = f"Saved is epoch {len(history)} in {checkpoint}." if checkpoint is not None and history else "Nothing was saved."
            raise FitError(f"in epoch {len(history) + 1} the error is no longer a number", mend=f"Lower the step size. {saved}")
        history.append(Epoch(len(history) + 1, mean, held, rate, time.monotonic() - begun))
        waited += 1
        if held < best_esr:
            best, best_esr, waited = _copy(weights), held, 0
        if checkpoint is not None:
            _save(Path(checkpoint), digest, weights, optimiser, rng, history, best, best_esr)
        elapsed = time.monotonic() - begun
        done = max(len(history) / settings.epochs, elapsed / settings.seconds)
        left = elapsed * (1.0 - done) / done if done < 1.0 else 0.0
        tell(min(done, 1.0), f"epoch {len(history)}, held-out ESR {held:.4g}, best {best_esr:.4g}, {left / 60:.1f} min left")


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


def _rms(takes: Sequence[Take], name: str) -> float:
    signals = [getattr(one, name) for one in takes]
    return math.sqrt(sum(float(np.dot(v, v)) for v in signals) / sum(len(v) for v in signals))


def _player(arch, way, weights, knobs):
    """One step's player: the knobs stand still, so their effect is computed once."""
    if way == "dynamic":
        return lambda x, state: play_dynamic(arch, weights, x, knobs, state)
    own = effective(arch, way, weights, knobs)
    return lambda x, state: play(arch, own, x, state)


def _excerpts(take, settings, lead: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """Random places of a take's training stretches: (lanes, lead + length) of both; before the first sample stand zeros."""
    x, y, description = take
    spans = [(start, max(stop - settings.length, start)) for start, stop in description.train]
    chances = np.array([stop - start + 1 for start, stop in spans], dtype=float)
    chosen = rng.choice(len(spans), size=settings.lanes, p=chances / chances.sum())
    inputs = np.zeros((settings.lanes, lead + settings.length), dtype=np.float32)
    targets = np.zeros((settings.lanes, settings.length), dtype=np.float32)
    for lane, which in enumerate(chosen):
        at = int(rng.integers(spans[which][0], spans[which][1] + 1))
        stop = min(at + settings.length, description.train[which][1])  # a stretch shorter than an excerpt ends in silence on both sides
        begin = max(at - lead, 0)
        inputs[lane, lead - (at - begin):lead + stop - at] = x[begin:stop]
        targets[lane, :stop - at] = y[at:stop]
    return inputs, targets


def _epoch(arch, way, weights, scaled, settings, loss, optimiser, rng, device) -> float:
    recurrent = arch.recurrent
    lead = settings.warm_up if recurrent else arch.memory
    usable = [one for one in scaled if one[2].train]
    total, count, step = 0.0, 0, 0
    while step < settings.steps:
        take = usable[int(rng.integers(len(usable)))]
        inputs, targets = (torch.from_numpy(values).to(device) for values in _excerpts(take, settings, lead, rng))
        knobs = torch.tensor(take[2].knobs, dtype=torch.float32, device=device)
        pieces = [(lead, lead + settings.length)]
        state = None
        if recurrent:
            pieces = [(lead + at, min(lead + at + settings.chunk, lead + settings.length)) for at in range(0, settings.length, settings.chunk)]
            if lead:
                with torch.no_grad():
                    _, state = _player(arch, way, weights, knobs)(inputs[:, :lead], None)
        for start, stop in pieces:
            if step >= settings.steps:
                break
            optimiser.zero_grad(set_to_none=True)
            heard = inputs[:, start if recurrent else 0:stop]
            y, state = _player(arch, way, weights, knobs)(heard, state)
            error = loss(y[:, -(stop - start):], targets[:, start - lead:stop - lead])
            value = float(error.detach())
            if not math.isfinite(value):
                return value
            error.backward()
            torch.nn.utils.clip_grad_norm_(weights.values(), settings.clip)
            optimiser.step()
            state = None if state is None else tuple(one.detach() for one in state)
            total, count, step = total + value, count + 1, step + 1
    return total / count


def _score(arch, way, weights, scaled, settings, device) -> float:
    """Error-to-signal ratio over all held-out stretches together."""
    error = energy = 0.0
    with torch.no_grad():
        for x, y, take in scaled:
            player = _player(arch, way, weights, torch.tensor(take.knobs, dtype=torch.float32, device=device))
            for first, last in take.validation:
                for start in range(first, last, _SCORED):
                    stop = min(start + _SCORED, last)
                    begin = max(start - (settings.warm_up if arch.recurrent else arch.memory), 0)
                    out, _ = player(torch.from_numpy(x[None, begin:stop]).to(device), None)
                    difference = y[start:stop].astype(np.float64) - out[0, start - begin:].cpu().numpy()
                    error += float(np.dot(difference, difference))
                    energy += float(np.dot(y[start:stop].astype(np.float64), y[start:stop]))
    if energy == 0.0:
        raise FitError("the target is silent wherever it is held out", mend="Choose other parts, or record more.")
    return error / energy


def _copy(weights) -> dict[str, np.ndarray]:
    return {name: values.detach().cpu().numpy().astype(np.float64) for name, values in weights.items()}


def _digest(arch, way, knobs, settings, takes, sample_rate) -> str:
    """What makes two runs the same: network, knobs, material, and all settings but the limits on time."""
    told = {name: value for name, value in asdict(settings).items() if name not in ("epochs", "seconds", "patience", "goal", "device")}
    found = hashlib.sha256(json.dumps([asdict(arch), way, [dict(one) for one in knobs], told, sample_rate], sort_keys=True).encode())
    for one in takes:
        for values in (one.x, one.y, np.array(one.knobs), np.array(one.train), np.array(one.validation)):
            found.update(np.ascontiguousarray(values, dtype=np.float64).tobytes())
    return found.hexdigest()


def _save(path: Path, digest, weights, optimiser, rng, history, best, best_esr) -> None:
    content = {"digest": digest, "weights": {name: values.detach().cpu() for name, values in weights.items()}, "optimiser": optimiser.state_dict(),
               "rng": json.dumps(rng.bit_generator.state), "history": json.dumps([asdict(one) for one in history]),
               "best": {name: torch.from_numpy(values) for name, values in best.items()}, "best_esr": best_esr}
    try:
        with whole_file(path) as part:
            torch.save(content, part)
    except (OSError, RuntimeError) as error:
        kept = f"Saved is epoch {len(history) - 1}." if path.exists() else "Nothing was saved."
        raise FitError(f"the checkpoint of epoch {len(history)} can't be written ({' '.join(str(error).split())[:120]})", place=Place(str(path)),
                       mend=f"Make room on the disk and repeat the command. {kept}") from error


def _load(path, digest: str, device):
    if path is None or not Path(path).exists():
        return None
    place = Place(str(path))
    try:
        content = torch.load(path, map_location=device, weights_only=True)  # never runs code of the file
        known = content["digest"]
    except Exception as error:  # torch raises many kinds for a damaged file; all mean the same
        raise FitError(f"the checkpoint can't be read ({type(error).__name__})", place=place, mend="Delete it to start again.") from error
    if known != digest:
        raise FitError("the checkpoint is of another run: network, settings or recordings differ", place=place,
                       mend="Repeat the command as it was, or name another checkpoint.")
    return content
