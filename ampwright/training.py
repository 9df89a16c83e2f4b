"""A neural capture from recordings, from a model, or from a dataset with knobs: data checked, trained, scored on what was never heard, exported.

torch does the training and nothing else: this file opens it when a training starts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Mapping

import numpy as np

from ampwright.models import load
from ampwright.pairs import Pair, pair
from ampwright.simulation import Progress
from circuits.circuit import Circuit
from circuits.errors import CircuitError, FitError, Place, SignalError
from circuits.processor import Processor
from validation.audio import Audio, check_writable
from validation.captures.architectures import architecture
from validation.captures.conditioning import conditioning_shapes
from validation.captures.exports import export
from validation.captures.load import linear_share
from validation.captures.trained import Network, TrainedCapture
from validation.dataset import PARTS, divide, read_dataset

HELD_OUT_TAKES = 12  # positions of a dataset that are scored in each epoch; the test takes all
SUFFIXES = (".nam", ".json", ".aidax")
GUARD = 0.1  # s between training and what is held out, or a fortieth of a short recording


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """A trained capture and its scores.

    Parameters
    ----------
    network : Network
    history : tuple
        One entry an epoch: number, loss, held-out ESR, step size, seconds.
    stop : str
        Why it ended.
    held_out, test : float
        Error-to-signal ratios on the stretches that chose the best epoch, and on those that chose nothing.
    unseen : float
        ESR at positions of the knobs kept out of training; NaN if there are none.
    linear : float
        ESR that the best 1024-tap filter leaves on the last quarter of the (first) recording.
    pair : Pair or None
        What was measured between two recordings.
    notes : tuple of str
    """

    network: Network
    history: tuple
    stop: str
    held_out: float
    test: float
    unseen: float
    linear: float
    pair: Pair | None
    notes: tuple[str, ...]


def train(dry: str | Path | Audio, target: str | Path | Audio | Circuit | Processor | None, output: str | Path | None = None, *, net: str = "wavenet-feather",
          conditioning: str | None = None, bake: Mapping[str, float] | None = None, seed: int = 0, checkpoint: str | Path | None = None,
          engine: str = "nodal", oversample: int = 4, controls: Mapping[str, float | str] | None = None, settings: Mapping[str, object] | None = None,
          channel: int | None = None, start: str | Path | None = None, progress: Progress | None = None, **training) -> Training:
    """Train a neural capture.

    Parameters
    ----------
    dry : str, Path or Audio
        What was played; or the folder of a dataset, then there is no target.
    target : str, Path, Audio, Circuit, Processor or None
        A recording, or a model that plays ``dry``: a netlist, a block, a capture to distil.
    output : str or Path, optional
        ``.nam``, ``.json`` (ours, with knobs), ``.rtneural.json`` or ``.aidax``.
    net : str
        A preset of `validation.captures.architectures`.
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
    progress : callable, optional
    **training
        Fields of `validation.captures.training.train.Settings`.

    Returns
    -------
    Training

    Raises
    ------
    AmpwrightError
        In one line; what was saved stays.
    """
    tell = progress or (lambda done, text: None)
    arch = architecture(net)
    _need_torch()
    from validation.captures.training.train import Settings
    from validation.captures.training.train import train as fit_network

    chosen = Settings(**{name: value for name, value in training.items() if value is not None})
    if output is not None:
        check_writable(output, suffixes=SUFFIXES)
    if checkpoint is not None:
        check_writable(checkpoint)
    rng = np.random.default_rng(seed)
    folder = isinstance(dry, (str, Path)) and Path(dry).is_dir()
    if folder == (target is not None):
        raise SignalError("the folder of a dataset has its targets within" if folder else "there is no target", place=None if isinstance(dry, Audio) else Place(str(dry)),
                          mend="Name no target beside it." if folder else "Name a recording or a model, or the folder of a dataset.")
    joined, knobs = None, ()
    if folder:
        takes, tests, unseen, knobs, rate, notes = _dataset_takes(Path(dry))
    else:
        joined = pair(dry, target, engine=engine, oversample=oversample, controls=controls, settings=settings, channel=channel,
                      progress=lambda done, text: tell(0.05 * done, f"playing the target: {text}"))
        rate, notes, unseen = joined.sample_rate, list(joined.notes), []
        takes, tests = _pair_takes(joined, rng)
    way = conditioning or ("concat" if knobs else "none")
    conditioning_shapes(arch, way, len(knobs))  # refused before hours are spent
    first = load(start) if start is not None else None
    if first is not None and not isinstance(first, TrainedCapture):
        raise CircuitError("training can start from a network that was trained here only", place=Place(str(start)), mend="Give a .json that train wrote.")
    facts = {"net": net, "seed": seed, "loss": chosen.loss, "target": Path(target).name if isinstance(target, (str, Path)) else "", "dry": "" if isinstance(dry, Audio) else Path(dry).name}
    result = fit_network(arch, takes, rate, rng=rng, way=way, knobs=knobs, settings=chosen, checkpoint=checkpoint, facts=facts,
                         start=first.network.weights if first is not None else None, progress=lambda done, text: tell(0.05 + 0.95 * done, text))
    network = result.network
    if output is not None:
        where = dict(bake or {})
        known = [one["name"] for one in network.knobs]
        for name in where:
            if name not in known:
                raise CircuitError(f"there is no knob {name!r} to bake", mend=f"Knobs: {', '.join(known) or 'none'}.")
        export(network, output, positions=where, metadata={"training": {"validation_esr": result.held_out}} if Path(output).suffix == ".nam" else None)
    tell(1.0, "done")
    return Training(network, result.history, result.stop, result.held_out, _score(network, tests), _score(network, unseen),
                    1.0 - linear_share(takes[0].x, takes[0].y), joined, tuple(notes))


def _need_torch() -> None:
    if find_spec("torch") is None:
        raise FitError("training needs torch, which is not installed", mend="Install it with: pip install 'ampwright[train]'")


def _pair_takes(joined: Pair, rng: np.random.Generator):
    from validation.captures.training.train import Take

    seconds = len(joined.x) / joined.sample_rate
    parts = divide(len(joined.x), joined.sample_rate, rng, guard=min(GUARD, seconds / 40.0))
    return [Take(joined.x, joined.y, (), parts["train"], parts["validation"])], [(joined.x, joined.y, (), parts["test"])]


def _dataset_takes(folder: Path):
    from validation.captures.training.train import Take

    dataset = read_dataset(folder)
    missing = [one.file for one in dataset.items if not (folder / one.file).is_file()]
    if missing:
        raise SignalError(f"{len(missing)} renderings are missing, {missing[0]} first", place=Place(str(folder)), mend="Repeat ampwright dataset as it was: it goes on.")
    x = dataset.samples(dataset.dry)
    knobs = tuple({"name": one.name, "minimum": one.minimum, "maximum": one.maximum, "position": one.position, "label": one.label, "unit": one.unit,
                   "switch": one.switch} for one in dataset.controls)
    takes, tests, unseen = [], [], []
    used = [one for one in dataset.items if not one.held]
    scored = {id(used[int(index)]) for index in np.linspace(0, len(used) - 1, min(HELD_OUT_TAKES, len(used)))}
    for item in dataset.items:
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


def _score(network: Network, tests) -> float:
    """ESR over all stretches together, played as it will be played; NaN for none."""
    error = energy = 0.0
    capture = TrainedCapture(network)
    for x, y, where, spans in tests:
        if not spans:
            continue
        capture.turn(**dict(zip(capture.controls, where)))
        capture.reset()
        played = capture.process(x)
        for start, stop in spans:
            error += float(np.sum((played[start:stop] - y[start:stop]) ** 2))
            energy += float(np.sum(y[start:stop] ** 2))
    return error / energy if energy else math.nan
