"""A dataset with knobs as material for a block: recordings at positions, a white-box stage that the knobs turn, scores on what was never heard.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ampwright.models import load
from circuits.circuit import Circuit
from circuits.controls import Control
from circuits.errors import CircuitError, FitError, Place, SignalError
from graybox.blocks import Block
from graybox.linear import LinearCircuit, ToneStack
from graybox.network import network
from graybox.optimise import Recording, esr
from validation.dataset import Dataset, Item, read_dataset

MOST = 12  # positions that one fit listens to, evenly chosen: each costs a pass over its audio in every step
TONE_STACK = "tone-stack"


@dataclass(frozen=True, slots=True, eq=False)
class Takes:
    """What a fit gets from a dataset.

    Parameters
    ----------
    xs, ys : tuple of ndarray
        Stretches of the dry recording and of renderings, each (n_samples,).
    positions : tuple of dict
        Where the knobs stood in each.
    controls : tuple of Control
    sample_rate : float
        Hz.
    tests, unseen : tuple of Recording
        Stretches that no fit hears, at positions that it knows, and whole renderings at positions that it does not.
    notes : tuple of str
    """

    xs: tuple[np.ndarray, ...]
    ys: tuple[np.ndarray, ...]
    positions: tuple[dict[str, float], ...]
    controls: tuple[Control, ...]
    sample_rate: float
    tests: tuple[Recording, ...]
    unseen: tuple[Recording, ...]
    notes: tuple[str, ...]


def takes(folder: str | Path, most: int = MOST) -> Takes:
    """Read a dataset for a fit.

    Parameters
    ----------
    folder : path-like
        See `ampwright dataset`; recordings of real gear in the same layout are read alike.
    most : int
        Positions to use at most.

    Raises
    ------
    SignalError
        If it can't be read, or renderings are missing.
    """
    dataset = read_dataset(folder)
    missing = [one.file for one in dataset.items if not (Path(folder) / one.file).is_file()]
    if missing:
        raise SignalError(f"{len(missing)} renderings are missing, {missing[0]} first", place=Place(str(folder)),
                          mend="Repeat ampwright dataset as it was: it goes on.")
    known = [one for one in dataset.items if not one.held]
    used = [known[int(k)] for k in np.linspace(0, len(known) - 1, min(most, len(known)))]
    dry = dataset.samples(dataset.dry)
    wet = {id(item): dataset.samples(item) for item in used}
    spans = sorted((*dataset.parts["train"], *dataset.parts["validation"]))
    xs, ys, positions = [], [], []
    for item in used:
        for start, stop in spans:
            xs.append(dry[start:stop])
            ys.append(wet[id(item)][start:stop])
            positions.append(dict(item.positions))
    tests = tuple(Recording(dry[:stop], wet[id(item)][:stop], dict(item.positions), start) for item in used for start, stop in dataset.parts["test"])
    unseen = tuple(_whole(dataset, item, dry) for item in dataset.items if item.held)
    notes = (f"{len(used)} of {len(known)} positions are fitted, evenly chosen",) if len(used) < len(known) else ()
    controls = tuple(replace(one, taper="lin") for one in dataset.controls)  # the stage between has the tapers of its knobs
    return Takes(tuple(xs), tuple(ys), tuple(positions), controls, dataset.sample_rate, tests, unseen, notes)


def _whole(dataset: Dataset, item: Item, dry: np.ndarray) -> Recording:
    return Recording(dry, dataset.samples(item), dict(item.positions), min(2000, len(dry) // 4))


def score(block: Block, recordings: tuple[Recording, ...]) -> float:
    """ESR over all of them together; NaN for none."""
    return esr(block, recordings) if recordings else math.nan


def stage(stack: str | Path | Circuit, sample_rate: float, free: tuple[str, ...] = ()) -> LinearCircuit:
    """The white-box stage between learned ones.

    Parameters
    ----------
    stack : str, Path or Circuit
        A linear netlist, or "tone-stack" for the Fender-Marshall-Vox stack whose slope resistor, capacitors, load and bend of the bass pot are fitted.
    sample_rate : float
        Hz.
    free : tuple of str
        Parts of the netlist whose values are fitted as well.

    Raises
    ------
    CircuitError
        If the netlist is not linear, or a part is not there.

    Examples
    --------
    >>> stage("tonestack_bassman", 48000.0, ("c1",)).network.component
    (2.5e-10,)
    """
    if stack == TONE_STACK:
        if free:
            raise CircuitError("the parts of the built-in tone stack are free already", mend="Leave --free out, or give a netlist.")
        return LinearCircuit(ToneStack(bass_bend=2.0, load=1e6, fixed=("treble", "bass", "middle", "treble_bend", "middle_bend")), sample_rate)
    circuit = load(stack) if isinstance(stack, (str, Path)) else stack
    if not isinstance(circuit, Circuit):
        raise CircuitError(f"{stack} is no netlist", mend=f"Give a linear netlist, or {TONE_STACK}.")
    return LinearCircuit(network(circuit, *free), sample_rate)


def check_knobs(controls: tuple[Control, ...], middle: LinearCircuit | None) -> None:
    """Every knob must have a stage that it turns; raises FitError if one has none."""
    known = middle.network.CONTROLS if middle is not None else ()
    idle = [one.name for one in controls if one.name not in known]
    if idle:
        raise FitError(f"the knob{'s' if len(idle) > 1 else ''} {', '.join(idle)} would turn nothing in the block",
                       mend=f"Give --stack with a circuit that has {'them' if len(idle) > 1 else 'it'}" + (f" (it has {', '.join(known)})." if known else "."))
