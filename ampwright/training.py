"""A neural capture from recordings, from a model, or from a dataset with knobs: data checked, trained, scored on what was never heard, exported.

torch does the training and nothing else: this file opens it when a training starts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Mapping

import numpy as np

from ampwright.fitting import STRUCTURES
from ampwright.models import load, locate
from ampwright.pairs import Pair, pair
from ampwright.simulation import Progress
from circuits.circuit import Circuit
from circuits.errors import CircuitError, FitError, Place, SignalError
from circuits.processor import Processor
from graybox.blocks import Block, BlockProcessor
from graybox.checks import SHORTEST
from graybox.fit import fit as fit_block
from graybox.store import save as save_block
from validation.audio import Audio, check_writable
from validation.captures.architectures import Architecture, architecture
from validation.captures.conditioning import conditioning_shapes
from validation.captures.exports import export
from validation.captures.hidden import hidden_activations
from validation.captures.linear import FILTER_TAPS, best_filter
from validation.captures.load import read_capture
from validation.captures.trained import Network, TrainedCapture
from validation.dataset import PARTS, divide, read_dataset
from validation.signals import PHRASES, shipped_phrase

HELD_OUT_TAKES = 12  # positions of a dataset that are scored in each epoch; the test takes all
SUFFIXES = (".nam", ".json", ".aidax")
ALL = "phrases"  # as the dry recording: all shipped phrases, one after another
GUARD = 0.1  # s between training and what is held out, or a fortieth of a short recording


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """A trained capture and its scores.

    Parameters
    ----------
    network : Network or None
        None where a gray-box block was fitted.
    block : Block or None
    history : tuple
        One entry an epoch: number, loss, held-out ESR, step size, seconds.
    stop : str
        Why it ended.
    held_out, test : float
        Error-to-signal ratios on the stretches that chose the best epoch, and on those that chose nothing.
    unseen : float
        ESR at positions of the knobs kept out of training; NaN if there are none.
    linear : float
        ESR that the best 1024-tap filter, found on the training part, leaves on the test part.
    pair : Pair or None
        What was measured between two recordings.
    notes : tuple of str
    """

    network: Network | None
    block: Block | None
    history: tuple
    stop: str
    held_out: float
    test: float
    unseen: float
    linear: float
    pair: Pair | None
    notes: tuple[str, ...]


def train(dry: str | Path | Audio | Pair, target: str | Path | Audio | Circuit | Processor | None = None, output: str | Path | None = None, *, net: str = "wavenet-feather",
          conditioning: str | None = None, bake: Mapping[str, float] | None = None, seed: int = 0, checkpoint: str | Path | None = None,
          engine: str = "nodal", oversample: int = 4, controls: Mapping[str, float | str] | None = None, settings: Mapping[str, object] | None = None,
          channel: int | None = None, start: str | Path | None = None, linear: int = 0, positions: int = 0, progress: Progress | None = None, **training) -> Training:
    """Train a neural capture, or fit a gray-box block to the same division of the material.

    Parameters
    ----------
    dry : str, Path, Audio or Pair
        What was played: a recording, a shipped phrase, or "phrases" for all of them one after another; or the folder of a dataset, or a
        pair brought together before: then there is no target.
    target : str, Path, Audio, Circuit, Processor or None
        A recording, or a model that plays ``dry``: a netlist, a block, a capture to distil.
    output : str or Path, optional
        ``.nam``, ``.json`` (ours, with knobs), ``.rtneural.json`` or ``.aidax``.
    net : str
        A preset of `validation.captures.architectures`; or a structure of `ampwright.fitting.STRUCTURES`: then a block is fitted, within ``cpu`` or ``seconds``.
    conditioning : str, optional
        How knobs reach the network; concat for datasets with controls.
    bake : mapping, optional
        Positions for formats without knobs.
    seed : int
    checkpoint : path-like, optional
        Written after each epoch; gone on from if it is there.
    engine, oversample, controls, settings, channel
        As `ampwright.pairs.pair`.
    start : path-like, optional
        Our file of a network of the same kind whose numbers are the first ones.
    linear : int
        Taps of a fixed filter beside the network, found by least squares before it is trained; 0 for none.
    positions : int
        Learn from so many positions of a dataset only, as far apart as can be, the first nearest to the middle; 0 for all.
    progress : callable, optional
    **training
        Fields of `validation.captures.training.settings.Settings`. ``hints`` above 0 teaches a target that is a capture by its hidden layers too.

    Returns
    -------
    Training

    Raises
    ------
    AmpwrightError
        In one line; what was saved stays.
    """
    tell = progress or (lambda done, text: None)
    source = Path(dry).name if isinstance(dry, (str, Path)) else ""
    if dry == ALL and not Path(ALL).exists():
        heard = [shipped_phrase(name) for name in PHRASES]
        dry = Audio(np.concatenate([one.samples for one in heard]), heard[0].sample_rate)
    if net in STRUCTURES:
        return _fit(dry, target, output, net, seed, {"engine": engine, "oversample": oversample, "controls": controls, "settings": settings, "channel": channel},
                    min(training.get("cpu") or math.inf, training.get("seconds") or math.inf), checkpoint, tell)
    arch = replace(architecture(net), linear=linear)
    _need_torch()
    from validation.captures.training.settings import Settings
    from validation.captures.training.train import train as fit_network

    chosen = Settings(**{name: value for name, value in training.items() if value is not None})
    if output is not None:
        check_writable(output, suffixes=SUFFIXES)
    if checkpoint is not None:
        check_writable(checkpoint)
    rng = np.random.default_rng(seed)
    folder = isinstance(dry, (str, Path)) and Path(dry).is_dir()
    whole = folder or isinstance(dry, Pair)
    if whole == (target is not None):
        raise SignalError("the folder of a dataset has its targets within" if whole else "there is no target", place=Place(str(dry)) if isinstance(dry, (str, Path)) else None,
                          mend="Name no target beside it." if whole else "Name a recording or a model, or the folder of a dataset.")
    joined, knobs = None, ()
    if folder:
        takes, tests, unseen, knobs, rate, notes = _dataset_takes(Path(dry), positions)
    else:
        joined = dry if isinstance(dry, Pair) else pair(dry, target, engine=engine, oversample=oversample, controls=controls, settings=settings, channel=channel,
                                                        progress=lambda done, text: tell(0.05 * done, f"playing the target: {text}"))
        rate, notes, unseen = joined.sample_rate, list(joined.notes), []
        hidden = _hidden(target, joined) if chosen.hints else None
        takes, tests = _pair_takes(joined, rng, hidden)
    if arch.stack is not None:
        arch = _with_stack(arch, knobs, rate)
    way = conditioning or (("concat" if arch.stack is None else "stack") if knobs else "none")
    conditioning_shapes(arch, way, len(knobs))  # refused before hours are spent
    where, known = dict(bake or {}), [one["name"] for one in knobs]
    for name in where:
        if name not in known:
            raise CircuitError(f"there is no knob {name!r} to bake", mend=f"Knobs: {', '.join(known) or 'none'}.")
    first = load(start) if start is not None else None
    if first is not None and not isinstance(first, TrainedCapture):
        raise CircuitError("training can start from a network that was trained here only", place=Place(str(start)), mend="Give a .json that train wrote.")
    facts = {"net": net, "seed": seed, "loss": chosen.loss, "target": Path(target).name if isinstance(target, (str, Path)) else "", "dry": source}
    result = fit_network(arch, takes, rate, rng=rng, way=way, knobs=knobs, settings=chosen, checkpoint=checkpoint, facts=facts,
                         start=first.network.weights if first is not None else None, progress=lambda done, text: tell(0.05 + 0.95 * done, text))
    network = result.network
    if output is not None:
        if Path(output).suffix == ".nam":
            notes += [f"a .nam has no knobs: {one['name']} stands at {where.get(one['name'], one['position']):g}; --bake chooses where" for one in network.knobs]
        try:
            export(network, output, positions=where, metadata={"training": {"validation_esr": result.held_out}} if Path(output).suffix == ".nam" else None)
        except OSError as error:
            saved = f"Saved is epoch {len(result.history)} in {checkpoint}." if checkpoint is not None else "Nothing was saved."
            raise FitError(f"the capture can't be written ({error.strerror})", place=Place(str(output)), mend=f"Make room on the disk and repeat the command. {saved}") from error
    tell(1.0, "done")
    capture = TrainedCapture(network)
    return Training(network, None, result.history, result.stop, result.held_out, _score(capture, tests), _score(capture, unseen),
                    _linear_score([(one.x, one.y, one.train) for one in takes], tests), joined, tuple(notes))


def _fit(dry, target, output, structure: str, seed: int, how: Mapping, seconds: float, checkpoint, tell) -> Training:
    """A gray-box block, fitted to what a network would be trained on, scored on what would be its test."""
    if isinstance(dry, (str, Path)) and Path(dry).is_dir() or (target is None) != isinstance(dry, Pair):
        raise SignalError("a block is fitted to one recording and one target", mend="Name both; for knobs use graybox.fit.fit with positions.")
    if output is not None:
        check_writable(output, suffixes=(".json",))
    rng = np.random.default_rng(seed)
    joined = dry if isinstance(dry, Pair) else pair(dry, target, **how, progress=lambda done, text: tell(0.05 * done, f"playing the target: {text}"))
    parts = _divided(joined, rng)
    learned = [(joined.x[a:b], joined.y[a:b]) for name in ("train", "validation") for a, b in parts[name] if b - a >= SHORTEST]
    if not learned:
        raise FitError("the recording is too short for a fit", mend="Record some seconds.")
    result = fit_block(structure, [x for x, _ in learned], [y for _, y in learned], sample_rate=joined.sample_rate, rng=rng, check=joined.recorded,
                       seconds=seconds if math.isfinite(seconds) else 180.0, checkpoint=checkpoint, progress=lambda done, text: tell(0.05 + 0.95 * done, text))
    if output is not None:
        save_block(result.block, output)
    tests = [(joined.x, joined.y, (), parts["test"])]
    return Training(None, result.block, result.history, result.stop, result.held_out, _score(BlockProcessor(result.block), tests), math.nan,
                    _linear_score([(joined.x, joined.y, parts["train"])], tests), joined, joined.notes)


def _with_stack(arch: Architecture, knobs, rate: float) -> Architecture:
    """The tone stack inside a network, with the rate and those of its knobs that the dataset varies."""
    names = tuple(one["name"] for one in knobs)
    for one in knobs:
        if (one["minimum"], one["maximum"]) != (0.0, 1.0):
            raise CircuitError(f"the knob {one['name']} does not go from 0 to 1", mend="A tone stack takes knobs from 0 to 1.")
    return replace(arch, stack=replace(arch.stack, knobs=names, sample_rate=float(rate)))


def _hidden(target, joined: Pair) -> np.ndarray:
    """What the hidden layers of a capture do while it plays the dry recording, at the recording's rate."""
    if not isinstance(target, (str, Path)) or not locate(target).kind.startswith("capture"):
        raise FitError("hints come from the hidden layers of a capture's file", mend="Name one with --from, or leave out the hints.")
    model = read_capture(locate(target).path)
    rate = model.sample_rate or joined.sample_rate
    if rate != joined.sample_rate:
        raise FitError(f"the teacher plays at {rate:g} Hz and the recording at {joined.sample_rate:g} Hz", mend="Give a recording at the teacher's rate.")
    return hidden_activations(model, joined.x)


def _need_torch() -> None:
    if find_spec("torch") is None:
        raise FitError("training needs torch, which is not installed", mend="Install it with: pip install 'ampwright[train]'")


def _divided(joined: Pair, rng: np.random.Generator):
    seconds = len(joined.x) / joined.sample_rate
    return divide(len(joined.x), joined.sample_rate, rng, guard=min(GUARD, seconds / 40.0))


def _pair_takes(joined: Pair, rng: np.random.Generator, hidden: np.ndarray | None):
    from validation.captures.training.settings import Take

    parts = _divided(joined, rng)
    return [Take(joined.x, joined.y, (), parts["train"], parts["validation"], hidden)], [(joined.x, joined.y, (), parts["test"])]


def _dataset_takes(folder: Path, count: int):
    from validation.captures.training.settings import Take

    dataset = read_dataset(folder)
    missing = [one.file for one in dataset.items if not (folder / one.file).is_file()]
    if missing:
        raise SignalError(f"{len(missing)} renderings are missing, {missing[0]} first", place=Place(str(folder)), mend="Repeat ampwright dataset as it was: it goes on.")
    x = dataset.samples(dataset.dry)
    knobs = tuple({"name": one.name, "minimum": one.minimum, "maximum": one.maximum, "position": one.position, "label": one.label, "unit": one.unit,
                   "switch": one.switch} for one in dataset.controls)
    takes, tests, unseen = [], [], []
    used = [one for one in dataset.items if not one.held]
    if count:
        used = _far_apart(used, dataset.controls, count)
    scored = {id(used[int(index)]) for index in np.linspace(0, len(used) - 1, min(HELD_OUT_TAKES, len(used)))}
    for item in (one for one in dataset.items if one.held or one in used):
        y = dataset.samples(item)
        shares = tuple(2.0 * (item.positions[one.name] - one.minimum) / (one.maximum - one.minimum) - 1.0 for one in dataset.controls)
        where = tuple(item.positions[one.name] for one in dataset.controls)
        spans = [dataset.parts[name] for name in PARTS]
        if item.held:
            unseen.append((x, y, where, spans[2] or ((0, len(x)),)))
            continue
        takes.append(Take(x, y, shares, spans[0], spans[1] if id(item) in scored else ()))
        tests.append((x, y, where, spans[2]))
    return takes, tests, unseen, knobs, dataset.sample_rate, []


def _far_apart(items, controls, count: int) -> list:
    """``count`` items whose positions are far from each other, one after another; the first is nearest to the middle."""
    places = np.array([[(one.positions[c.name] - c.minimum) / (c.maximum - c.minimum) for c in controls] for one in items])
    chosen = [int(np.argmin(np.sum((places - 0.5) ** 2, axis=1)))]
    while len(chosen) < min(count, len(items)):
        distance = np.min(np.sum((places[:, None] - places[chosen][None]) ** 2, axis=2), axis=1)
        chosen.append(int(np.argmax(distance)))
    return [items[index] for index in sorted(chosen)]


def _score(model: Processor, tests) -> float:
    """ESR over all stretches together, played as it will be played; NaN for none."""
    error = energy = 0.0
    for x, y, where, spans in tests:
        if not spans:
            continue
        model.turn(**dict(zip(model.controls, where)))
        model.reset()
        played = model.process(np.concatenate([x, np.zeros(model.latency)]))[model.latency:]
        for start, stop in spans:
            error += float(np.sum((played[start:stop] - y[start:stop]) ** 2))
            energy += float(np.sum(y[start:stop] ** 2))
    return error / energy if energy else math.nan


def _linear_score(takes, tests) -> float:
    """ESR that the best filter of all takes leaves on the test stretches."""
    taps = best_filter([(x[a:b], y[a:b]) for x, y, spans in takes for a, b in spans], FILTER_TAPS)
    error = energy = 0.0
    for x, y, _, spans in tests:
        for start, stop in spans:
            lead = max(start - FILTER_TAPS, 0)
            target = y[start:stop] - np.mean(y[start:stop])
            error += float(np.sum((np.convolve(x[lead:stop], taps)[start - lead:stop - lead] - target) ** 2))
            energy += float(np.sum(target**2))
    return error / energy if energy else math.nan
