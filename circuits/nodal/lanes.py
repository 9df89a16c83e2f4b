"""Variants of one circuit side by side: several processors of equal structure, each in a lane of one vector kernel.

Each lane plays what its processor alone would play, to the solver's tolerance, whatever stands beside it; its run is counted in the same way.
A lane whose plain Newton fails plays that one sample with the guarded solver of `circuits.nodal.transient`, as a processor alone does.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Sequence

import numba
import numpy as np

from circuits.circuit import Circuit
from circuits.elements import Resistor, VoltageSource
from circuits.kernels import store
from circuits.kernels.lanes import host_lanes
from circuits.nodal import lanes_emitted, transient
from circuits.nodal.account import counted, demand
from circuits.nodal.equations import assemble
from circuits.nodal.model import DkModel, discretise
from circuits.nodal.processor import NodalProcessor
from circuits.processor import Run

PREFIX = "lanes"
CHUNK = 4096  # samples laid out as vectors at a time


class LaneModel(NamedTuple):
    """Numbers of all lanes: arrays of `ModelArrays` with their rows counted through, shape (rows, lanes)."""

    F: np.ndarray
    f0: np.ndarray
    KT: np.ndarray
    WT: np.ndarray
    limits: np.ndarray
    bend: np.ndarray
    constants: np.ndarray
    tape_constants: np.ndarray
    a: float
    keep: float


class LaneMotion(NamedTuple):
    """What changes from sample to sample, as `transient.Motion`, shape (rows, lanes); kept_h and kept_charge are those before a sample that failed."""

    h: np.ndarray
    charge: np.ndarray
    q: np.ndarray
    p: np.ndarray
    M: np.ndarray
    ready: np.ndarray
    b: np.ndarray
    kept_h: np.ndarray
    kept_charge: np.ndarray


class LaneTally(NamedTuple):
    """Iterations, worst iterations, worst residual, and 1 where a lane failed; shape (1, lanes)."""

    iterations: np.ndarray
    worst: np.ndarray
    residual: np.ndarray
    failed: np.ndarray


def lane_path(model: DkModel, count: int | None = None) -> Path:
    """Where the lane kernel of a model's structure belongs; models with the same path can play side by side."""
    return store.path_of(PREFIX, lanes_emitted.source(model, count or host_lanes()))


def lane_kernel(model: DkModel, count: int | None = None):
    """The compiled ``run`` of a model's structure; seconds if it never was compiled."""
    count = count or host_lanes()
    path = store.written(PREFIX, lanes_emitted.source(model, count))
    module = store.loaded(path)
    if not store.is_compiled(path):
        through = Circuit((VoltageSource("v", ("a", "0")), Resistor("r", ("a", "0"), 1.0)), input="v", outputs=("a",))
        empty = discretise(assemble(through), 48000.0)
        arguments = (_numbers([empty] * count), _motion([transient.motion(empty)] * count, empty), np.zeros((0, 1, count)), np.zeros((1, 0, count)), 0, 0,
                     1.0, _tally(count))
        module.run.compile(tuple(numba.typeof(argument) for argument in arguments))
        store.mark(path)
    return module.run


class Abreast:
    """Processors of one structure, from the states that they are in.

    Parameters
    ----------
    processors : sequence of NodalProcessor
        At most as many as there are lanes, with equal `lane_path`. They give positions, states and tolerance; what is played here does not
        change them.
    count : int, optional
        Lanes; by default what suits the host.
    """

    def __init__(self, processors: Sequence[NodalProcessor], count: int | None = None):
        self._count = count or host_lanes()
        self._processors = tuple(processors)
        models = [one.model for one in processors]
        self._kernel = lane_kernel(models[0], self._count)
        padded = [*models, *[models[-1]] * (self._count - len(models))]
        self._models = models
        self._numbers = _numbers(padded)
        motions = [transient.Motion(**{name: values for name, values in one.state.items() if name != "time"}) for one in processors]
        self._motion = _motion([*motions, *[motions[-1]] * (self._count - len(motions))], models[0])
        self._spare = transient.scratch(models[0])
        self._time = [one.time for one in processors]
        self.runs = [Run() for _ in processors]

    def process(self, signals: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Play one block: a signal for each processor, all of one length, volts; what each gives, (n_outputs, n_samples).

        Raises
        ------
        ConvergenceError
            If a number is not finite, or if a sample did not converge and its processor is strict.
        """
        n = len(signals[0])
        out = np.empty((len(signals), len(self._processors[0].outputs), n))
        for start in range(0, n, CHUNK):
            self._chunk([x[start:start + CHUNK] for x in signals], out[:, :, start:start + CHUNK])
        return list(out)

    def _chunk(self, signals: list[np.ndarray], out: np.ndarray) -> None:
        n = len(signals[0])
        y = np.empty((out.shape[1], n, self._count))
        u = np.empty((n, len(self._models[0].moving), self._count))
        for lane in range(self._count):
            k = min(lane, len(signals) - 1)
            u[:, :, lane] = self._processors[k].drive(signals[k], self._time[k])
        told, tallies = _tally(self._count), [transient.tally() for _ in signals]
        tolerance = self._processors[0].tolerance
        at = 0
        while at < n:
            stopped = self._kernel(self._numbers, self._motion, u, y, at, n, tolerance, told)
            if stopped < n or told.failed.any():
                for lane in np.flatnonzero(told.failed[0]):
                    self._guarded(int(lane), u, y, stopped, tallies)
                told.failed[:] = 0.0
                stopped += 1
            at = stopped
        out[:] = y.transpose(2, 0, 1)[:len(signals)]
        all_finite = np.isfinite(out.sum())
        for lane, (one, tally) in enumerate(zip(self._processors, tallies)):
            tally.counts[0] += int(told.iterations[0, lane])
            tally.counts[1] = max(tally.counts[1], int(told.worst[0, lane]))
            tally.residual[0] = max(tally.residual[0], told.residual[0, lane])
            start, self._time[lane] = self._time[lane], self._time[lane] + n
            self.runs[lane] = counted(self.runs[lane], tally, start, n, one.sample_rate)
            finite = np.ones(1) if all_finite else np.isfinite(out[lane]).all(axis=0)
            demand(self.runs[lane], None if finite.all() else start + int(np.argmin(finite)), one.sample_rate, one.strict)

    def _guarded(self, lane: int, u: np.ndarray, y: np.ndarray, n: int, tallies: list[transient.Tally]) -> None:
        """Play one sample of one lane with the guarded solver."""
        m = self._motion
        model = self._models[min(lane, len(self._models) - 1)]
        motion = transient.motion(model)
        motion.h[:], motion.charge[:] = m.kept_h[:len(motion.h), lane], m.kept_charge[:len(motion.charge), lane]
        motion.q[:], motion.p[:] = m.q[:len(motion.q), lane], m.p[:len(motion.p), lane]
        out = np.ascontiguousarray(y[:, :, lane][:, n:n + 1])
        tally = tallies[lane] if lane < len(tallies) else transient.tally()
        before = int(tally.counts[2])
        transient.run(model.arrays, motion, self._spare, np.ascontiguousarray(u[n:n + 1, :, lane]), out, 0, 1, self._processors[0].tolerance, tally)
        if tally.counts[2] > before and before < len(tally.bad):
            tally.bad[before] = n
        y[:, n, lane] = out[:, 0]
        m.h[:len(motion.h), lane], m.charge[:len(motion.charge), lane] = motion.h, motion.charge
        m.q[:len(motion.q), lane], m.p[:len(motion.p), lane] = motion.q, motion.p
        m.ready[:, lane] = 0.0


def _stacked(parts: list[np.ndarray]) -> np.ndarray:
    """(rows, lanes) from arrays of one shape; never empty, so that every model has the same types."""
    whole = np.stack([np.ravel(one) for one in parts], axis=1)
    return np.ascontiguousarray(whole if len(whole) else np.zeros((1, len(parts))))


def _numbers(models: list[DkModel]) -> LaneModel:
    arrays = [one.arrays for one in models]
    named = {name: _stacked([getattr(one, name) for one in arrays]) for name in ("F", "f0", "KT", "WT", "limits", "bend")}
    return LaneModel(**named, constants=_stacked([one.laws.constants for one in arrays]),
                     tape_constants=_stacked([one.laws.tape_constants for one in arrays]), a=float(arrays[0].a), keep=float(arrays[0].keep))


def _motion(motions: list[transient.Motion], model: DkModel) -> LaneMotion:
    sizes = model.block_sizes
    count, blocks = len(motions), max(1, len(sizes))
    h, charge, q, p = (_stacked([getattr(one, name) for one in motions]) for name in ("h", "charge", "q", "p"))
    return LaneMotion(h, charge, q, p, np.zeros((max(1, sum(n * n for n in sizes)), count)), np.zeros((blocks, count)),
                      np.zeros((max(sizes, default=1), count)), np.zeros_like(h), np.zeros_like(charge))


def _tally(count: int) -> LaneTally:
    return LaneTally(*(np.zeros((1, count)) for _ in range(4)))
