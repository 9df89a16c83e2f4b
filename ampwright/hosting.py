"""The live host: a processor fed with short blocks as a sound card would, and a count of those that come too late.

A card hands over a block of input when its last sample is in, and wants the output one block later: that is the deadline. Work that takes longer than
a block is a *miss*. With `BUFFERS` blocks of output ahead, as cards have them, a miss can still be made good; what is not ready when it should
sound is a *dropout* (an xrun), and the clock starts anew from there.
"""

from __future__ import annotations

import gc
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Callable, Iterable, Sequence

import numpy as np

from ampwright.automation import Automation
from circuits.controls import Control
from circuits.errors import ConvergenceError, SignalError
from circuits.processor import Processor, turned

BUFFERS = 2  # blocks of output that wait to sound when a block of input arrives
STEPS = 50  # presses of a key from one end of a knob to the other
GLIDE = 0.02  # seconds in which a knob turned by hand arrives
WARM = 8  # blocks played before the clock starts: what is compiled or paged in on the way is not the circuit's


@dataclass(frozen=True, slots=True)
class Pace:
    """How a paced run kept its deadlines; times in seconds.

    Parameters
    ----------
    blocks : int
        Blocks played.
    deadline : float
        Duration of a block.
    misses : int
        Blocks whose work took longer.
    dropouts : int
        Blocks that were not ready when they should sound.
    p50, p999, worst : float
        Median, 99.9th percentile and maximum of the work for a block.
    worst_block : int
        Which block that was, from 0.
    """

    blocks: int
    deadline: float
    misses: int
    dropouts: int
    p50: float
    p999: float
    worst: float
    worst_block: int


def paced(processor: Processor, samples, seconds: float, *, block: int = 64, moves: Sequence[Sequence] = (), clock: Callable[[], float] = time.perf_counter,
          sleep: Callable[[float], None] = time.sleep, progress: Callable[[float, str], None] | None = None) -> Pace:
    """Play a recording round and round in blocks that come as a sound card's would, without a sound card.

    Parameters
    ----------
    processor : Processor
        What plays; reset before it starts.
    samples : array_like, shape (n_samples,)
        What it hears, from its beginning again when it ends.
    seconds : float
        How long.
    block : int
        Samples.
    moves : sequence of (seconds, control, position)
        Controls to turn meanwhile, as `ampwright.automation` tells; the turning belongs to the work of the block.
    clock, sleep : callable
        Of this machine, or of a test; seconds.
    progress : callable, optional
        ``progress(done, text)``, told between two blocks.

    Returns
    -------
    Pace

    Raises
    ------
    SignalError
        If there is nothing to play, or it is not mono.
    ConvergenceError
        If a number is not finite.

    Examples
    --------
    >>> from ampwright.models import load, player
    >>> pace = paced(player(load("rc_lowpass"), 48000.0), [0.0, 0.1], 0.02)
    >>> pace.blocks, round(pace.deadline * 48000)
    (15, 64)
    """
    heard = np.ascontiguousarray(samples, dtype=np.float64)
    if heard.ndim != 1 or not len(heard):
        raise SignalError("a paced run takes a mono recording", mend="Give one channel with at least one sample.")
    period = block / processor.sample_rate
    n_blocks = max(1, round(seconds / period))
    loop = np.resize(heard, block * -(-len(heard) // block))
    warm(processor, loop[:block], [name for _, name, *_ in moves])
    automation = Automation(processor, moves)
    spans = _spans(automation.edges(n_blocks * block), block)
    works = np.empty(n_blocks)
    dropouts = 0
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        origin = clock()
        for number in range(n_blocks):
            arrival = origin + (number + 1) * period
            wait = arrival - clock()
            if wait > 0.0:
                sleep(wait)
            begun = clock()
            at = number * block % len(loop)
            for start, stop, until in spans[number]:
                if until:
                    automation.turn(start, until)
                processor.process(loop[at:at + stop - start])
                at += stop - start
            ended = clock()
            works[number] = ended - begun
            late = ended - (arrival + BUFFERS * period)
            if late > 0.0:
                dropouts += 1
                origin += late
            if progress is not None and number % 512 == 511:
                progress((number + 1) / n_blocks, "playing")
    finally:
        if was_on:
            gc.enable()
    return Pace(n_blocks, period, int(np.sum(works > period)), dropouts, float(np.median(works)), float(np.quantile(works, 0.999)), float(np.max(works)),
                int(np.argmax(works)))


def warm(processor: Processor, samples: np.ndarray, names: Iterable[str]) -> None:
    """Play a few blocks, knobs turned a little and back, so that all that is made at the first time is made before the clock starts."""
    controls = processor.controls
    there, back = {}, {}
    for name in names:
        if name in controls:  # what is not there is refused where the moves are read
            control = controls[name]
            step = 1.0 if control.switch else (control.maximum - control.minimum) / STEPS
            back[name] = control.position
            there[name] = control.position + (step if control.position + step <= control.maximum else -step)
    inner = getattr(processor, "inner", processor)
    if hasattr(inner, "glide"):
        inner.glide = GLIDE
    for number in range(WARM):
        if back and number in (1, WARM // 2):
            processor.turn(**(there if number == 1 else back))
        processor.process(samples)
    processor.reset()


def _spans(edges: Sequence[int], block: int) -> list[list[tuple[int, int, int]]]:
    """The stretches of each block between the edges of an automation: begin, end, and at an edge the next one, else 0.

    A control is turned at the edges only, for all blocks up to the next: to set out on a glide costs as much as to play a block.
    """
    n_samples = edges[-1]
    following = dict(zip(edges[:-1], edges[1:]))
    cuts = sorted({*edges, *range(0, n_samples, block)})
    spans: list[list[tuple[int, int, int]]] = [[] for _ in range(n_samples // block)]
    for start, stop in zip(cuts[:-1], cuts[1:]):
        spans[start // block].append((start, stop, following.get(start, 0)))
    return spans


class Host:
    """A processor between a sound card's input and output; knobs are turned from another thread.

    Parameters
    ----------
    processor : Processor
        What plays.
    level : float
        Volts of a full-scale sample, 1.0 for a processor that takes full scale.
    """

    def __init__(self, processor: Processor, level: float = 1.0):
        self.processor = processor
        self.level = level
        self.blocks = 0
        self.dropouts = 0
        self.misses = 0
        self.failures = 0
        self._turns: deque[dict[str, float]] = deque()
        self._positions = {name: control.position for name, control in processor.controls.items()}
        warm(processor, np.zeros(64), self._positions)

    @property
    def controls(self) -> dict[str, Control]:
        """Controls by name, where the hand has put them."""
        return {name: replace(control, position=self._positions[name]) for name, control in self.processor.controls.items()}

    def turn(self, name: str, steps: int) -> None:
        """Turn a control by so many steps of the hand: a fiftieth of its range, or one position of a switch."""
        control = self.controls[name]
        step = 1.0 if control.switch else (control.maximum - control.minimum) / STEPS
        self._positions[name] = min(max(control.position + steps * step, control.minimum), control.maximum)
        self._turns.append({name: self._positions[name]})

    def put(self, name: str, position: float) -> None:
        """Put a control to a position; raises CircuitError if there is no such control or position."""
        self._positions[name] = turned(self.processor.controls, {name: position})[name].position
        self._turns.append({name: self._positions[name]})

    def callback(self, indata: np.ndarray, outdata: np.ndarray, frames: int, times, status) -> None:
        """What a sound card calls for each block: (frames, n_channels), full scale; the first channel is played, to all outputs."""
        begun = time.perf_counter()
        self.dropouts += bool(status)
        while self._turns:
            self.processor.turn(**self._turns.popleft())
        try:
            out = np.atleast_2d(self.processor.process(indata[:, 0] * self.level))[0] / self.level
        except (ConvergenceError, SignalError):  # counted and silent: a card can't be told in words
            self.failures += 1
            self.processor.reset()
            out = np.zeros(frames)
        outdata[:] = np.clip(out, -1.0, 1.0)[:, None]
        self.blocks += 1
        self.misses += time.perf_counter() - begun > frames / self.processor.sample_rate
