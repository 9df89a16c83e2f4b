"""A circuit that plays: the nodal engine as a Processor.

The operating point is found when the processor is made; a turned control changes the matrices before the next block and
leaves every state (charges, fluxes) where it was, so that nothing starts again.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Mapping

import numpy as np

from circuits.circuit import Circuit
from circuits.controls import Control
from circuits.errors import CircuitError
from circuits.graph import check, check_ends
from circuits.nodal import compiled, emitted, transient
from circuits.nodal.account import counted, demand
from circuits.nodal.course import STILL, Course
from circuits.nodal.equations import Equations, assemble
from circuits.nodal.glide import Glide
from circuits.nodal.model import DkModel, ModelArrays, at_rest, discretise
from circuits.nodal.operating import OperatingPoint, start_of
from circuits.nodal.selected import plain_kernel, table_kernel
from circuits.nodal.turning import Turning
from circuits.processor import Run, State, check_samples, check_state, turned
from circuits.reduce import reduce

KERNELS = ("auto", "table", "emitted")
TOLERANCE = 1e-7  # volts: the error that may be left at a port


class NodalProcessor:
    """The discrete K-method on a circuit.

    Parameters
    ----------
    circuit : Circuit
        With an input and at least one output.
    sample_rate : float
        Hz.
    tolerance : float
        Largest error left at a port of a sample that counts as converged, volts.
    rule : {"trapezoidal", "backward-euler"}
        Integration rule.
    strict : bool
        Raise ConvergenceError at the first sample that does not converge, instead of counting it.
    glide : float
        Seconds over which turned controls reach their positions, sample by sample; 0: at once, before the next block.
    kernel : {"auto", "table", "emitted"}
        The generic kernel, which plays any circuit at once; the circuit's own, which is several times faster and is compiled
        first (seconds, then cached); or the circuit's own if it is in the cache. Their results agree to the tolerance.

    Raises
    ------
    TopologyError, CircuitError, RateError
        If the circuit or the rate makes no sense.
    ConvergenceError
        If there is no start: no operating point, and none with every capacitor empty; with ``strict`` if there is no operating point.

    Examples
    --------
    >>> from circuits.elements import Capacitor, Resistor, VoltageSource
    >>> parts = (VoltageSource("vin", ("in", "0")), Resistor("r1", ("in", "out"), 1e3), Capacitor("c1", ("out", "0"), 1e-7))
    >>> rc = NodalProcessor(Circuit(parts, input="vin", outputs=("out",)), 48000.0)
    >>> rc.process(np.ones(3)).round(4).tolist()
    [0.0943, 0.2652, 0.4039]
    """

    def __init__(self, circuit: Circuit, sample_rate: float, *, tolerance: float = TOLERANCE, rule: str = "trapezoidal", strict: bool = False,
                 glide: float = 0.0, kernel: str = "auto"):
        check(circuit)
        check_ends(circuit)
        self.circuit = circuit
        self.rule = rule
        self.tolerance = float(tolerance)
        self.strict = strict
        self._rate = float(sample_rate)
        self._waiting = False
        self._arrived = True
        self.lead = 0  # samples between a reset and time zero: what a filter in front delays the audio by
        if kernel not in KERNELS:
            raise CircuitError(f"there is no kernel {kernel!r}", mend=f"Use {', '.join(KERNELS)}.")
        equations = _equations(circuit)
        self._model = discretise(equations, self._rate, rule)
        self._turning: Turning | None = None
        self._glide: Glide | None = None
        self._last: Glide | None = None  # the last glide, which the next one may go on from
        self.glide = float(glide)
        self._kernel = kernel
        self._fast = None
        self._choose()
        self._rest = start_of(circuit, at_rest(equations, self._model), strict)
        self.reset()

    @property
    def sample_rate(self) -> float:
        """Hz."""
        return self._rate

    @property
    def latency(self) -> int:
        """None: the output sample belongs to the input sample."""
        return 0

    @property
    def controls(self) -> Mapping[str, Control]:
        """Controls by name at their present positions."""
        return MappingProxyType({control.name: control for control in self.circuit.controls})

    @property
    def model(self) -> DkModel:
        """The discretised model of the present positions."""
        self._update()
        self._arrive()
        return self._model

    @property
    def operating_point(self) -> OperatingPoint:
        """Where the circuit rests at the present control positions."""
        self._update()
        if self._rest is None:
            self._rest = start_of(self.circuit, at_rest(_equations(self.circuit), self._model), self.strict)
        return self._rest

    @property
    def generic(self) -> bool:
        """True if the generic kernel plays, and not the circuit's own."""
        return self._fast is None

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the nodes in the order of the output's channels."""
        return self.circuit.outputs

    @property
    def run(self) -> Run:
        """Convergence since the last reset."""
        return self._run

    def reset(self) -> None:
        """Back to the operating point of the present control positions, and to ``lead`` samples before time zero."""
        rest = self.operating_point
        self._arrive()
        self._glide = self._last = None
        self._motion = transient.motion(self._model)
        self._scratch = transient.scratch(self._model)
        self._settle(rest)
        self._time = -self.lead
        self._run = Run()

    def _choose(self) -> None:
        """Take the emitted kernel if it is wanted or at hand, else plain steps of the table kernel; the guarded one stands behind both."""
        self._plain, self._guarded = plain_kernel(self._model.arrays.laws), None
        if self._kernel == "emitted" or (self._kernel == "auto" and compiled.is_compiled(self._model)):
            self._fast = compiled.fast_kernel(self._model)

    def ready(self) -> None:
        """Compile or load the guarded kernel now: who plays live can't wait for it at the first hard sample."""
        self._guard()(self._model.arrays, self._motion, self._scratch, STILL, np.zeros((0, len(self._model.moving))), np.empty((len(self.circuit.outputs), 0)),
                      0, 0, self.tolerance, transient.tally())

    def _guard(self):
        if self._guarded is None:
            self._guarded = table_kernel(self._model.arrays.laws)
        return self._guarded

    def __getstate__(self):
        return {**self.__dict__, "_fast": None, "_plain": None, "_guarded": None}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._choose()

    def _settle(self, rest: OperatingPoint) -> None:
        arrays, e = self._model.arrays, self._model.equations
        self._motion.h[:] = arrays.a * (e.M @ (e.R @ rest.x))
        self._motion.q[:] = rest.q[self._model.order]
        charges = e.charge_columns
        self._motion.charge[charges] = arrays.a * rest.w[charges]

    @property
    def state(self) -> State:
        """Companion states, port voltages, and what the next sample's first guess needs; a copy."""
        self._update()
        state = {name: values.copy() for name, values in self._motion._asdict().items()}
        state["time"] = np.array([self._time])
        return state

    @state.setter
    def state(self, state: State) -> None:
        copies = check_state(state, self.state)
        self._time = int(copies.pop("time")[0])
        self._motion = transient.Motion(**copies)

    def turn(self, **positions: float) -> None:
        """Set controls; the matrices follow before the next block."""
        controls = turned(self.controls, positions)
        if positions:
            if self.glide > 0.0 and not self._waiting:
                self._before = self.circuit if self._glide is None else self._glide.circuit
            self.circuit = replace(self.circuit, controls=tuple(controls.values()))
            self._waiting = True

    def _update(self) -> None:
        """Set out for the positions that were turned to: at once, or on a glide."""
        if not self._waiting:
            return
        self._waiting, self._rest, self._glide, self._arrived = False, None, None, False
        if self._turning is None:
            self._turning = Turning(self.circuit, self._rate, self.rule)
        if self.glide > 0.0 and self._before is not self.circuit and self._turning.reach(self._before) and self._turning.reach(self.circuit):
            if self._model.ports is not self._turning.base.ports:
                self._take(self._turning.base)
            self._glide = self._last = Glide(self._turning, self._before, self.circuit, self._rate, self.glide, self._last)
        else:
            self._arrive()

    def _arrive(self) -> None:
        """Take the model of the present positions, which nobody needs while a glide lasts."""
        if self._arrived:
            return
        model = self._turning.model(self.circuit)
        if model is None:  # something else than a resistor has moved: start from here
            self._turning = Turning(self.circuit, self._rate, self.rule)
            model = self._turning.model(self.circuit) or discretise(_equations(self.circuit), self._rate, self.rule)
        self._take(model)
        self._arrived = True

    def _take(self, model: DkModel) -> None:
        """Go on with another model of the same circuit."""
        before, old = self._model, self._motion
        self._model = model
        if model.ports is before.ports:  # another position of the same `Turning`
            old.ready[:] = 0
            return
        if model.states != before.states or sorted(model.ports) != sorted(before.ports) or len(model.arrays.KT) != len(old.w):
            raise CircuitError("a control changes which parts the circuit has", mend="Let controls change values only.")
        if model.ports == before.ports and model.block_sizes == before.block_sizes:
            old.ready[:] = 0
        else:
            place = {name: k for k, name in enumerate(before.ports)}
            take = np.array([place[name] for name in model.ports], dtype=np.int64)
            fresh = transient.motion(model)
            fresh.h[:], fresh.charge[:], fresh.q[:], fresh.w[:] = old.h, old.charge, old.q[take], old.w
            self._motion = fresh
            self._scratch = transient.scratch(model)
        if self._fast is not None and not emitted.same_structure(before, model):
            self._fast = None
            self._choose()

    def process(self, samples: np.ndarray) -> np.ndarray:
        """Play volts at the input, shape (n_samples,); returns volts, (n_samples,) or (n_outputs, n_samples) for several outputs.

        Raises
        ------
        SignalError
            If a sample is not finite.
        ConvergenceError
            If a number is not finite, or with ``strict`` if a sample did not converge; ``time`` says when.
        """
        x = check_samples(samples)
        self._update()
        u = self.drive(x)
        y = np.empty((len(self.circuit.outputs), len(x)))
        tally = transient.tally()
        done = self._move(u, y, tally)
        self.played(len(x), done, tally)
        return y[0] if len(y) == 1 else y

    def played(self, count: int, done: int, tally: transient.Tally) -> None:
        """Account for ``count`` samples; raises as `process` if a number was not finite at ``done``, or if the processor is strict."""
        start, self._time = self._time, self._time + count
        self._run = counted(self._run, tally, start, count, self._rate)
        demand(self._run, start + done if done < count else None, self._rate, self.strict)

    def _move(self, u: np.ndarray, y: np.ndarray, tally: transient.Tally) -> int:
        """Play u into y while a glide lasts, then the rest; returns where it stopped."""
        at = 0
        while self._glide is not None and at < len(u):
            count, course = self._glide.take(len(u) - at)
            stopped = self._play(self._glide.arrays, course, u, y, at, at + count, tally)
            if stopped < at + count:
                return stopped
            at += count
            if self._glide.done:
                self._glide = None
        if 0 < at == len(u):
            return at
        self._arrive()
        return self._play(self._model.arrays, STILL, u, y, at, len(u), tally)

    def _play(self, arrays: ModelArrays, course: Course, u: np.ndarray, y: np.ndarray, at: int, n: int, tally: transient.Tally) -> int:
        """Play from sample ``at`` to before ``n``; returns where it stopped."""
        motion = self._motion
        start = at
        while at < n:
            here = course._replace(phase=course.phase + at - start) if at > start else course
            if self._fast is None:
                at = self._plain(arrays, motion, self._scratch, here, u, y, at, n, self.tolerance, tally)
            else:
                at = self._fast(arrays, motion, here, u, y, at, n, self.tolerance, tally)
            if at < n:  # a sample for the guarded solver; the model stands where the course has brought it
                if self._guard()(arrays, motion, self._scratch, STILL, u, y, at, at + 1, self.tolerance, tally) == at:
                    return at
                at += 1
        if np.isfinite(y[:, start:n].sum()):  # one pass; a sum that overflows is looked at closely
            return n
        finite = np.isfinite(y[:, start:n]).all(axis=0)
        return n if finite.all() else start + int(np.argmin(finite))

    @property
    def motion(self) -> transient.Motion:
        """The arrays that the next sample changes, those of the present model; not a copy."""
        self._update()
        if self._glide is None:
            self._arrive()
        return self._motion

    @property
    def gliding(self) -> bool:
        """True while a turned control is on its way."""
        self._update()
        return self._glide is not None

    def drive(self, x: np.ndarray) -> np.ndarray:
        """The audio from now on, and beside it what else moves in the circuit, shape (n_samples, n_moving)."""
        if len(self._model.moving) == 1 and self._model.moving[0].kind == "audio":
            return x[:, None]
        u = np.empty((len(x), len(self._model.moving)))
        times = None
        for k, moving in enumerate(self._model.moving):
            if moving.kind == "audio":
                u[:, k] = x
                continue
            # sample n is time n / rate, as in a recording; before time zero a source stands where it starts
            times = np.maximum(self._time + np.arange(len(x)), 0) / self._rate if times is None else times
            u[:, k] = times if moving.kind == "time" else moving.waveform.at(times)
        return u


def _equations(circuit: Circuit) -> Equations:
    return assemble(reduce(circuit))
