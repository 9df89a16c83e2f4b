"""From a dry and a wet recording to a block: first guess, descent, choice of the structure, and what is known about it.

``fit`` takes aligned arrays at one rate and returns a new block with its history, the held-out error, confidence
intervals, the correlations of its numbers and the range of inputs seen. It can be interrupted and resumed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Callable, Mapping, Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from circuits.errors import FitError
from graybox.blocks import Block
from graybox.checks import check_pair
from graybox.confidence import Estimate, confidence
from graybox.filters import Delay
from graybox.optimise import Recording, Step, esr, evened, levelled
from graybox.session import Attempt, Session
from graybox.structures import CHOICES, Material, WITH_MIDDLE
from graybox.swap import Seen, inputs_seen, merge_seen

SINGLE = 0.7  # of the time, before a descent at twice the rate
MARGIN = 1.1  # "auto" keeps the simplest structure within this factor of the best held-out error


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
        delay: bool = False, double: bool = False, hold: float = 0.15, emphasis: float = 0.0, level: float = 0.0, seconds: float = 180.0,
        margin: float = MARGIN,
        finish: bool = True, check: bool = True, progress: Callable[[float, str], None] | None = None,
        checkpoint: str | Path | None = None) -> FitResult:
    """Fit a block to one or several aligned pairs of recordings.

    Parameters
    ----------
    what : str or Block
        ``"auto"`` or ``"wh"`` (the best of several structures), a structure of `graybox.structures.LADDER`, or a block whose free
        numbers are to move.
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
    double : bool
        Descend once more at twice the sample rate, which bright inputs before hard curves ask for, and keep that block (it then runs at
        twice the rate) unless its held-out error is higher by a twentieth. For structures by name.
    hold : float
        Share of each recording, at its end, kept out of the descent.
    emphasis : float
        Pre-emphasis 1 - emphasis z^-1 of the error in the loss.
    level : float
        How much more quiet passages count than their power says, 0 (plain squared error) to 1 (all levels alike); see
        `graybox.optimise.levelled`. The errors told stay plain.
    seconds : float
        CPU time of the process for all.
    margin : float
        See `MARGIN`.
    finish : bool
        End with a few steps on all audio (eight, or up to sixty where numbers are few and samples many). ``held_out`` is measured before them, so it stays honest.
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
    if not (0.0 <= level <= 1.0 and 0.0 <= emphasis < 1.0):
        raise FitError(f"a level weight of {level:g} and a pre-emphasis of {emphasis:g} make no sense",
                       mend="Give level from 0 to 1 and emphasis from 0 to below 1.")
    train, held = _split(levelled(pairs, sample_rate, level), hold, latency)
    held = evened(held)
    if double and what not in WITH_MIDDLE:
        raise FitError("only structures of banks and curves can be taken to twice the rate", mend=f"Ask for one of {', '.join(WITH_MIDDLE)}.")
    material = Material(train, held, float(sample_rate), tuple(middle), tuple(controls), emphasis)
    session = Session(material, rng, seconds, progress, checkpoint, str(what if isinstance(what, str) else "block"))
    with threadpool_limits(limits=1):  # matrices of a hundred columns: threads would only burn the other cores
        _work(session, what, sample_rate, margin, double, finish)
        return _result(session)


def _work(session, what, sample_rate, margin, double, finish) -> None:
    try:
        if isinstance(what, Block):
            if what.sample_rate != sample_rate:
                raise FitError(f"the block runs at {what.sample_rate:g} Hz and the recordings at {sample_rate:g} Hz",
                               mend="Convert the recordings.")
            session.descend("block", session.resumed("block") or what)
        elif what in CHOICES:
            session.climb(margin, CHOICES[what])
        else:
            session.reach(what, SINGLE if double else 1.0)
            if not double:
                session.polish(what)
        if double:
            session.double()
        if finish:
            session.finish()
    except KeyboardInterrupt:
        session.interrupted()


def _result(session: Session) -> FitResult:
    block = session.fitted[session.chosen] if session.last is None else session.last
    train, hold = session.material.train, session.material.hold
    held, training = esr(block, hold) if session.held is None else session.held, esr(block, train)
    seen = merge_seen([inputs_seen(block, r.x, r.positions) for r in train])
    notes = {"structure": session.chosen, "held_out_esr": held, "training_esr": training, "seed": session.seed,
             "recordings": len(train), "stop": session.stop}
    block = replace(block, ranges=seen, notes=MappingProxyType(notes))
    estimates, correlations = confidence(block, [replace(r, weight=None) for r in train])
    return FitResult(block, session.chosen, tuple(session.history), session.seed, session.stop, held, training, estimates,
                     correlations, tuple(session.tried))


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
        pair = replace(pair, y=y)
        cut = len(y) - int(hold * len(y))
        run_in = min(cut, 20_000)
        train.append(pair.cut(0, cut, min(2000, cut // 4)))
        held.append(pair.cut(cut - run_in, len(y), run_in))
    return tuple(train), tuple(held)
