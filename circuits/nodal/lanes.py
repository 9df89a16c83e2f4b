"""Variants of one circuit side by side: several processors of equal structure, each in a lane of one vector kernel.

Each lane plays what its processor alone would play, to the solver's tolerance, whatever stands beside it; its run is counted in the same way.
A lane whose plain Newton fails plays that one sample with the guarded solver of `circuits.nodal.transient`, as a processor alone does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Callable, NamedTuple, Sequence

import numba
import numpy as np

from circuits.circuit import Circuit
from circuits.elements import Resistor, VoltageSource
from circuits.kernels import store
from circuits.kernels.lanes import host_lanes
from circuits.nodal import lanes_emitted, transient
from circuits.nodal.emitted_algebra import UNROLL_PORTS
from circuits.nodal.course import STILL
from circuits.nodal.equations import assemble
from circuits.nodal.model import DkModel, discretise
from circuits.nodal.processor import NodalProcessor
from circuits.nodal.selected import table_kernel
from circuits.processor import check_samples

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


class LaneKernel(NamedTuple):
    """A compiled ``run(model, motion, u, y, first, last, tolerance, tally)`` and its lanes; it returns ``last``, or a sample at which a lane failed."""

    run: Callable
    count: int


def lane_kernel(model: DkModel, count: int | None = None) -> LaneKernel:
    """The compiled kernel of a model's structure; seconds if it never was compiled."""
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
    return LaneKernel(module.run, count)


def can_play(processor) -> bool:
    """True for a circuit that has something to solve: a linear one is quicker alone."""
    return isinstance(processor, NodalProcessor) and processor.model.n_ports > 0 and not processor.gliding


def process_lanes(kernel: LaneKernel, processors: Sequence[NodalProcessor], signals: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What ``process`` gives for each processor and its signal, all in one vector; their states and runs go on as if each had played alone.

    Parameters
    ----------
    kernel : LaneKernel
        Of their structure.
    processors : sequence of NodalProcessor
        At most as many as there are lanes, with equal `lane_path`, sample rate, rule and tolerance.
    signals : sequence of ndarray, shape (n_samples,), volts
        All of one length.

    Returns
    -------
    list of ndarray, shape (n_samples,) or (n_outputs, n_samples)

    Raises
    ------
    ConvergenceError
        If a number is not finite, or if a sample did not converge and its processor is strict.
    """
    group = _Group(processors, [one.model for one in processors], kernel)
    n = len(signals[0])
    out = np.empty((len(signals), len(processors[0].outputs), n))
    for start in range(0, n, CHUNK):
        group.play([check_samples(x[start:start + CHUNK]) for x in signals], out[:, :, start:start + CHUNK])
    group.put_back()
    return [one[0] if len(one) == 1 else one for one in out]


class _Group:
    """One call: numbers and motions laid out in lanes; spare lanes repeat the last processor."""

    def __init__(self, processors: Sequence[NodalProcessor], models: list[DkModel], kernel: LaneKernel):
        self._processors, self._models, self._run, self._count = processors, models, kernel.run, kernel.count
        self._of = [min(lane, len(processors) - 1) for lane in range(kernel.count)]
        self._numbers = _numbers([models[k] for k in self._of])
        motions = [one.motion for one in processors]
        self._motion = _motion([motions[k] for k in self._of], models[0])
        self._scratch = transient.scratch(models[0])

    def play(self, signals: list[np.ndarray], out: np.ndarray) -> None:
        """Signals into out, shape (n_processors, n_outputs, n_samples)."""
        n = len(signals[0])
        y = np.empty((out.shape[1], n, self._count))
        u = np.empty((n, len(self._models[0].moving), self._count))
        for lane, k in enumerate(self._of):
            u[:, :, lane] = self._processors[k].drive(signals[k])
        told, tallies = _tally(self._count), [transient.tally() for _ in range(self._count)]
        tolerance = self._processors[0].tolerance
        at = 0
        while at < n:
            at = self._run(self._numbers, self._motion, u, y, at, n, tolerance, told)
            failed = np.flatnonzero(told.failed[0])
            for lane in failed:
                self._guarded(int(lane), u, y, at, tallies[lane])
            at += 1 if len(failed) else 0
        out[:] = y.transpose(2, 0, 1)[:len(signals)]
        all_finite = np.isfinite(out.sum())
        for lane, one in enumerate(self._processors):
            tally = tallies[lane]
            tally.counts[0] += int(told.iterations[0, lane])
            tally.counts[1] = max(tally.counts[1], int(told.worst[0, lane]))
            tally.residual[0] = max(tally.residual[0], told.residual[0, lane])
            finite = np.ones(1, dtype=bool) if all_finite else np.isfinite(out[lane]).all(axis=0)
            one.played(n, n if finite.all() else int(np.argmin(finite)), tally)

    def _guarded(self, lane: int, u: np.ndarray, y: np.ndarray, n: int, tally: transient.Tally) -> None:
        """Play one sample of one lane with the guarded solver, from what it was before."""
        model, m = self._models[self._of[lane]], self._motion
        alone = transient.motion(model)
        for name, rows in (("h", m.kept_h), ("charge", m.kept_charge), ("q", m.q), ("p", m.p)):
            getattr(alone, name)[:] = rows[:len(getattr(alone, name)), lane]
        out = np.empty((len(y), 1))
        own = transient.tally()
        table_kernel(model.arrays.laws)(model.arrays, alone, self._scratch, STILL, np.ascontiguousarray(u[n:n + 1, :, lane]), out, 0, 1, self._processors[0].tolerance, own)
        if own.counts[2] and tally.counts[2] < len(tally.bad):
            tally.bad[tally.counts[2]] = n
        tally.counts[0] += own.counts[0]
        tally.counts[1] = max(tally.counts[1], own.counts[1])
        tally.counts[2] += own.counts[2]
        tally.residual[0] = max(tally.residual[0], own.residual[0])
        y[:, n, lane] = out[:, 0]
        for name in ("h", "charge", "q", "p"):
            getattr(m, name)[:len(getattr(alone, name)), lane] = getattr(alone, name)
        m.ready[:, lane] = 0.0

    def put_back(self) -> None:
        """Each lane's motion to its processor."""
        for lane, one in enumerate(self._processors):
            alone = one.motion
            for name in ("h", "charge", "q", "p"):
                getattr(alone, name)[:] = getattr(self._motion, name)[:len(getattr(alone, name)), lane]
            at = 0
            for b, size in enumerate(self._models[0].block_sizes):
                alone.ready[b] = _mark(size) if self._motion.ready[b, lane] else 0
                alone.M[b, :size, :size] = self._motion.M[at:at + size * size, lane].reshape(size, size)
                at += size * size


def _mark(size: int) -> int:
    """What `Motion.ready` says of a block's factors: unrolled, those of an emitted kernel; in loops, those of lanes."""
    return 2 if size <= UNROLL_PORTS else 3


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
    h, charge, q, p = (_stacked([getattr(one, name) for one in motions]) for name in ("h", "charge", "q", "p"))
    M = _stacked([np.concatenate([one.M[b, :n, :n].ravel() for b, n in enumerate(sizes)] or [np.zeros(0)]) for one in motions])
    ready = _stacked([np.array([float(one.ready[b] == _mark(n)) for b, n in enumerate(sizes)]) for one in motions])
    return LaneMotion(h, charge, q, p, M, ready, np.zeros((max(sizes, default=1), len(motions))), np.zeros_like(h), np.zeros_like(charge))


def _tally(count: int) -> LaneTally:
    return LaneTally(*(np.zeros((1, count)) for _ in range(4)))
