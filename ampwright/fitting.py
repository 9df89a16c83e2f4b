"""From a dry recording and a target to a block: alignment, fit, and another curve in the place of the first if asked for.

The target is a recording, or a model that plays the dry recording here. Samples are what the block will take and give: the unit of
the recordings, volts where a circuit is the target.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Sequence

import numpy as np

from ampwright.pairs import pair
from ampwright.simulation import Progress
from ampwright.takes import check_knobs, score, stage, takes
from circuits.circuit import Circuit
from circuits.errors import FitError, Place, SignalError
from circuits.processor import Processor
from graybox.baselines import unstructured
from graybox.blocks import Block
from graybox.doubling import doubled_recording
from graybox.fit import FitResult
from graybox.fit import fit as fit_block
from graybox.kernels import KERNELS, fit_kernels, recognise
from graybox.optimise import Recording
from graybox.portrait import Portrait, portrait
from graybox.session import Attempt
from graybox.store import save
from graybox.structures import CHOICES, LADDER
from graybox.swap import KINDS as CURVES
from validation.align import Alignment
from validation.audio import Audio, check_writable, whole_file
from validation.gallery.fitting import fit_figure
from validation.gallery.sheets import png

STRUCTURES = (*CHOICES, *LADDER, KERNELS)
SWAP_SHARE = 0.25  # of the time, for the descent with the other curve


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A fitted block and how it came about.

    Parameters
    ----------
    block : Block
        What was saved.
    result : FitResult
        History, estimates, correlations, held-out error of the last descent.
    first : FitResult or None
        The descent before the curve was swapped, if it was.
    alignment : Alignment or None
        What was measured between the recordings; None for a target that was played here.
    shift : int
        Samples by which the target was moved earlier.
    notes : tuple of str
    portrait : Portrait
        Filters, curves, the worst moment and what is left over, for a picture; see `draw`.
    baselines : tuple of Attempt
        Models without structure on the same division, if asked for: what any block must beat.
    test, unseen : float
        For a dataset: ESR on stretches that nothing heard, and at positions kept out altogether; else NaN.
    """

    block: Block
    result: FitResult
    first: FitResult | None
    alignment: Alignment | None
    shift: int
    notes: tuple[str, ...]
    portrait: Portrait
    baselines: tuple[Attempt, ...] = ()
    test: float = math.nan
    unseen: float = math.nan


def draw(fit: Fit, path: str | Path, title: str = "") -> None:
    """Write the fit's picture as one PNG.

    Raises
    ------
    SignalError
        If it can't be written.
    """
    with whole_file(Path(path)) as part:
        part.write_bytes(png(fit_figure(fit.portrait, title)))


def fit(dry: str | Path | Audio, target: str | Path | Audio | Circuit | Processor | None, output: str | Path | None = None, *, blocks: str | Block = "wh",
        curve: str | None = None, size: int | None = None, stack: str | Path | Circuit | None = None, free: Sequence[str] = (), engine: str = "nodal",
        oversample: int = 4, controls: Mapping[str, float | str] | None = None, settings: Mapping[str, object] | None = None, channel: int | None = None, seconds: float = 180.0, hold: float = 0.15,
        emphasis: float = 0.0, level: float = 0.0, baselines: bool = False, double: bool = False, seed: int = 0, checkpoint: str | Path | None = None,
        progress: Progress | None = None) -> Fit:
    """Fit a block to recordings or to a model.

    Parameters
    ----------
    dry : str, Path or Audio
        What was played, or the name of a phrase that ships; or the folder of a dataset, then there is no target.
    target : str, Path, Audio, Circuit or Processor
        What came out: a recording, or a model that plays ``dry`` (with ``engine``, ``oversample``, ``controls``, ``settings`` as in `simulate`).
    output : str or Path, optional
        ``.json`` file of the block; none is written without it.
    blocks : str or Block
        "wh" (a filter before and behind one curve, by two routes), "auto" (structures from simple to rich), one structure of
        `graybox.structures.LADDER`, "kernels" (powers of the input with a filter each, where ``dry`` is a synchronised sweep), or a block to start from.
    curve : str, optional
        Swap the static curve for another kind after the first descent ("net" is a tiny multilayer perceptron), and descend again.
    size : int, optional
        Units or coefficients of that curve.
    stack : str, Path or Circuit, optional
        A linear netlist, or "tone-stack", that stands between the learned stages and that the knobs of a dataset turn.
    free : sequence of str
        Parts of that netlist whose values are fitted too.
    channel : int, optional
        Which channel of recordings with several, from 1.
    seconds : float
        CPU seconds for all.
    hold : float
        Share at the end that is kept out, 0.02 to 0.5; the error told is measured there.
    emphasis : float
        Pre-emphasis of the error, 0 to below 1.
    level : float
        How much more quiet passages count than by their power, 0 to 1.
    baselines : bool
        Also measure a memory polynomial and a Volterra series of third order on the same division.
    double : bool
        End with a descent at twice the sample rate; the block stays there if that is better on what is kept out. Players resample around it.
    seed : int
        Of the draws.
    checkpoint : path, optional
        File for the best so far, with which an interrupted fit goes on.
    progress : callable, optional
        ``progress(done, text)``.

    Returns
    -------
    Fit

    Raises
    ------
    SignalError, FitError
        If the recordings can't be used or don't belong together; the message says what was measured.
    ModelFileError, NetlistError, CircuitError, ConvergenceError
        If the target is a model that can't be used.

    Examples
    --------
    >>> from graybox.blocks import BlockProcessor
    >>> x = np.random.default_rng(1).standard_normal(9600)
    >>> found = fit(Audio(x, 48000.0), Audio(np.tanh(2.0 * x), 48000.0), blocks="hammerstein", seconds=20.0)
    >>> found.result.held_out < 1e-3, found.shift
    (True, 0)
    """
    tell = progress or (lambda done, text: None)
    if isinstance(blocks, str) and blocks not in STRUCTURES:
        raise FitError(f"there is no structure {blocks!r}", mend=f"Use one of {', '.join(STRUCTURES)}.")
    if blocks == KERNELS and (curve, stack) != (None, None):
        raise FitError("kernels have no curve to swap and no place for a circuit", mend="Leave out curve and stack, or ask for blocks wh.")
    if curve is not None and curve not in CURVES:
        raise FitError(f"there is no curve {curve!r}", mend=f"Use one of {', '.join(CURVES)}.")
    if not (math.isfinite(seconds) and seconds > 0.0 and 0.0 <= emphasis < 1.0):
        raise FitError(f"{seconds:g} s of work and a pre-emphasis of {emphasis:g} make no sense", mend="Give seconds above 0, emphasis from 0 to below 1.")
    if double and (curve is not None or blocks == KERNELS):
        raise FitError("kernels and swapped curves stay at the rate of the recordings", mend="Leave out the one or the other.")
    if output is not None:
        check_writable(output, suffixes=(".json",))
    folder = isinstance(dry, (str, Path)) and Path(dry).is_dir()
    if folder == (target is not None):
        raise SignalError("the folder of a dataset has its targets within" if folder else "there is no target", place=None if isinstance(dry, Audio) else Place(str(dry)),
                          mend="Name no target beside it." if folder else "Name a recording or a model, or the folder of a dataset.")
    if folder and baselines:
        raise FitError("baselines have no knobs: a dataset can't be compared with them", mend="Leave out --baselines, or name two recordings.")
    joined = taken = None
    knobs: dict = {}
    if folder:
        taken = takes(dry)
        x, y, rate, recorded, notes, knobs["positions"], knobs["controls"] = taken.xs, taken.ys, taken.sample_rate, False, taken.notes, taken.positions, taken.controls
    else:
        joined = pair(dry, target, engine=engine, oversample=oversample, controls=controls, settings=settings, channel=channel,
                      progress=lambda done, text: tell(0.1 * done, f"playing the target: {text}"))
        x, y, rate, recorded, notes = joined.x, joined.y, joined.sample_rate, joined.recorded, joined.notes
    swept = None if folder else recognise(x, rate)
    if blocks == KERNELS:
        if swept is None:
            raise FitError("the dry recording is no synchronised sweep, and only its answer tells the kernels",
                           mend="Play the phrase sweep, or a file of graybox.sweeps.synchronised_sweep.")
        notes += (f"the sweep goes from {swept.sweep.low:.4g} to {swept.sweep.high:.5g} Hz at a peak of {swept.level:.3g}; the kernels are read from all of it: "
                  "compare the block with the device on playing",)
    elif swept is not None:
        notes += (f"the dry recording is a sweep from {swept.sweep.low:.4g} to {swept.sweep.high:.5g} Hz: --blocks kernels reads its harmonics",)
    middle = stage(stack, rate, tuple(free)) if stack is not None else None
    check_knobs(taken.controls if taken else (), middle)
    if middle is not None:
        knobs["middle"] = (middle,)
    rng = np.random.default_rng(seed)
    share = SWAP_SHARE if curve is not None else 0.0
    first, start = None, 0.0 if recorded or folder else 0.1
    if blocks == KERNELS:
        result = fit_kernels(swept, x, y)
    else:
        result = fit_block(blocks, x, y, sample_rate=rate, rng=rng, hold=hold, emphasis=emphasis, level=level, seconds=seconds * (1.0 - share), check=recorded,
                           **knobs, double=double, checkpoint=checkpoint, progress=lambda done, text: tell(start + (1.0 - share - start) * done, text))
    if curve is not None:
        first = result
        places = first.block.curve_stages()
        other = first.block
        for place in places:
            other = other.replace(curve=curve, at=place, size=size)
        result = fit_block(other, x, y, sample_rate=rate, rng=rng, hold=hold, emphasis=emphasis, level=level, seconds=seconds * share, check=False, positions=knobs.get("positions"),
                           progress=lambda done, text: tell(1.0 - share + share * done, f"{curve}: {text}"))
    if output is not None:
        save(result.block, output)
    beside = unstructured(x, y, hold) if baselines else ()
    tell(1.0, "done")

    def heard(recordings):
        return recordings if result.block.sample_rate == rate else tuple(doubled_recording(one, rate) for one in recordings)

    shown, = heard((Recording(x[0] if taken else x, y[0] if taken else y),))
    if taken is not None:  # the picture shows the first recording, at its position
        drawn = portrait(result.block.turn(**taken.positions[0]), shown.x, shown.y)
        return Fit(result.block, result, first, None, 0, notes, drawn, beside, score(result.block, heard(taken.tests)), score(result.block, heard(taken.unseen)))
    return Fit(result.block, result, first, joined.alignment, joined.shift, notes, portrait(result.block, shown.x, shown.y), beside)
