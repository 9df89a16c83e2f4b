"""Knobs that turn by themselves: a table of times and positions, followed while a recording plays.

Between two rows of the same control its position moves on a straight line; before its first row it stands where it was set, after
its last it stays. Two rows at one time are a jump, and so is the first row. A switch holds until its next row.

A control is followed in steps, counted from the start whatever the block size, which also begin at the samples of the rows. Circuits glide
within a step of 256 samples (5.3 ms at 48 kHz), sample by sample, where the control moves resistors; a jump takes it 64. Other models stand
at the middle of the line during a step of 64. Rows hold for the audio: what an oversampler's filter delays in front of a circuit is taken into account.
"""

from __future__ import annotations

from bisect import bisect_left
from pathlib import Path
from typing import Iterable, Mapping, NamedTuple, Sequence

from ampwright.tables import number, rows
from circuits.controls import Control
from circuits.errors import CircuitError, Place, SignalError
from circuits.processor import Processor, turned

GRID = 64  # samples of at most 48 kHz, at higher rates so many more: a step of a model that can't glide, and a glided jump
GLIDES = 4  # times as long is a step that is glided: to begin one takes half a millisecond or more, whatever its length
HEADING = ["time", "control", "position"]
EXAMPLE = "a heading time,control,position and lines such as 1.5,drive,0.7"


class Move(NamedTuple):
    """Where a control stands at a time, in seconds; ``place`` is the line that says so."""

    seconds: float
    control: str
    position: float
    place: Place | None = None


class Lane(NamedTuple):
    """The way of one control: samples, rising, and positions; ``rest`` is where it stands before."""

    control: Control
    samples: tuple[int, ...]
    positions: tuple[float, ...]
    rest: float

    def before(self, sample: float) -> float:
        """Position just before a sample, counted from the start.

        Examples
        --------
        >>> lane = Lane(Control("drive"), (100, 200, 200), (0.0, 1.0, 0.25), 0.5)
        >>> [lane.before(at) for at in (100, 150, 200, 201)]
        [0.5, 0.5, 1.0, 0.25]
        """
        after = bisect_left(self.samples, sample)  # the first row at or behind this sample
        if after == 0:
            return self.rest
        if after == len(self.samples) or self.control.switch:
            return self.positions[after - 1]
        start, stop = self.samples[after - 1], self.samples[after]
        low, high = self.positions[after - 1], self.positions[after]
        return low + (high - low) * ((sample - start) / (stop - start))


class Automation:
    """Moves of a processor's controls, ready to be followed.

    Parameters
    ----------
    processor : Processor
        Stands where the moves begin. A circuit is told to glide from now on.
    moves : sequence of (seconds, control, position) or Move
        In any order.

    Raises
    ------
    CircuitError
        For a time that is no number from 0 on, a control that is not there or a position out of range, with its line.
    """

    def __init__(self, processor: Processor, moves: Iterable[Sequence]):
        self._processor = processor
        rate, controls = processor.sample_rate, processor.controls
        factor = getattr(processor, "factor", 1)
        inner = getattr(processor, "inner", processor)
        self._shift = getattr(inner, "lead", 0) // factor
        self._jump = GRID * max(1, round(rate / 48000.0))
        ways: dict[str, list[tuple[int, float]]] = {}
        for move in sorted((checked(Move(*one), controls) for one in moves), key=lambda one: one.seconds):
            ways.setdefault(move.control, []).append((int(round(move.seconds * rate)) + self._shift, move.position))
        self._lanes = [Lane(controls[name], tuple(at for at, _ in way), tuple(position for _, position in way), controls[name].position)
                       for name, way in ways.items()]
        self._inner = inner
        self._glides = hasattr(inner, "glide")
        self._grid = GLIDES * self._jump if self._glides else self._jump
        self._jumps = {at for lane in self._lanes for at in (lane.samples[0], *(one for one, next in zip(lane.samples, lane.samples[1:]) if one == next))}

    def edges(self, n_samples: int) -> list[int]:
        """Samples at which a block has to begin, rising, with 0 and ``n_samples``."""
        if not self._lanes:
            return [0, n_samples]
        first, last = min(lane.samples[0] for lane in self._lanes), max(lane.samples[-1] for lane in self._lanes)
        # steps lie where blocks of 64 begin, whatever the filter's delay is: a block that is cut in two costs a third more
        steps = range(first // self._grid * self._grid, last + self._grid, self._grid)
        bends = (at for lane in self._lanes for at in lane.samples)
        landings = (at + self._jump for at in self._jumps)
        return sorted({0, n_samples, *(at for at in (*steps, *bends, *landings) if 0 < at < n_samples)})

    def turn(self, start: int, stop: int) -> None:
        """Turn the controls for the samples from ``start`` to before ``stop``, between two edges."""
        positions = {}
        present = self._processor.controls
        for lane in self._lanes:
            position = lane.before(stop if self._glides else 0.5 * (start + stop))
            if present[lane.control.name].position != position:
                positions[lane.control.name] = position
        if positions:
            if self._glides:
                self._inner.glide = (self._jump if start in self._jumps else stop - start) / self._processor.sample_rate
            self._processor.turn(**positions)


def checked(move: Move, controls: Mapping[str, Control]) -> Move:
    """The move, if it makes sense for these controls; raises CircuitError with its line."""
    if not 0.0 <= move.seconds <= 86400.0:
        raise CircuitError(f"{move.control} can't be turned at {move.seconds} s", place=move.place, mend="Give seconds from 0 on.")
    try:
        position = turned(controls, {move.control: move.position})[move.control].position
    except CircuitError as error:
        raise CircuitError(error.what, place=move.place, mend=error.mend) from None
    return move._replace(position=position)


def automation_of(path: str | Path) -> tuple[Move, ...]:
    """Read moves from a CSV file with the heading ``time,control,position``; lines in any order.

    Raises
    ------
    SignalError
        For a file that can't be read, another heading, or a line that is no move; with its number.
    """
    (place, heading), *lines = rows(path, EXAMPLE)
    if [word.lower() for word in heading] != HEADING:
        raise SignalError(f"the heading is {','.join(heading)!r}, not {','.join(HEADING)!r}", place=place, mend=f"Give {EXAMPLE}.")
    return tuple(Move(number(seconds, where, "the time"), name, number(position, where, "the position"), where)
                 for where, (seconds, name, position) in lines)
