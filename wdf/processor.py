"""A circuit that plays in waves: the Wave Digital Filter of a circuit as a Processor.

The tree is derived when the processor is made, and its waves begin at the operating point. A turned control re-adapts only the path
from what changed to the root, before the next block, and leaves every state where it was.
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
from circuits.nodal import transient
from circuits.nodal.account import counted, demand
from circuits.nodal.equations import assemble
from circuits.nodal.model import leaking
from circuits.nodal.operating import OperatingPoint, start_of
from circuits.nodal.processor import KERNELS, TOLERANCE
from circuits.processor import Run, State, check_samples, check_state, turned as turned_controls
from circuits.reduce import reduce
from wdf import sweeps
from wdf.emitted import Closed, emit
from wdf.glide import Apart, Glide
from wdf.network import TIME
from wdf.program import Program, compile_rows
from wdf.roots import Root, charges_at, root_of, same_form
from wdf.tree import Tree, derive, moved_leaves, turned


class WdfProcessor:
    """The Wave Digital Filter of a circuit.

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
    root : str
        An element that shall sit at the root of its tree; empty: chosen automatically.
    strict : bool
        Raise ConvergenceError at the first sample that does not converge, instead of counting it.
    kernel : {"auto", "table", "emitted"}
        "emitted": straight-line code of the circuit's own, compiled first (a second; several where the root needs Newton) and then cached;
        "table": the generic kernel, which plays any circuit at once; "auto": straight-line code where it is in the cache or the roots
        are linear or diodes in closed form. Linear trees are equal under all within `wdf.emitted.CONDENSED`, others to the tolerance.
    glide : float
        Seconds over which turned controls that move resistors reach their positions, sample by sample; 0: at once, before the next block.
    fast : bool
        Take four terms instead of eight of the expansions of closed-form roots: error up to `wdf.expansions.FAST_ERROR` n Vt.

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
    >>> rc = WdfProcessor(Circuit(parts, input="vin", outputs=("out",)), 48000.0)
    >>> rc.process(np.ones(3)).round(4).tolist()
    [0.0943, 0.2652, 0.4039]
    """

    def __init__(self, circuit: Circuit, sample_rate: float, *, tolerance: float = TOLERANCE, rule: str = "trapezoidal",
                 root: str = "", strict: bool = False, glide: float = 0.0, kernel: str = "auto", fast: bool = False):
        check(circuit)
        check_ends(circuit)
        self.circuit = circuit
        self.tolerance = float(tolerance)
        self.strict = strict
        if kernel not in KERNELS:
            raise CircuitError(f"there is no kernel {kernel!r}", mend=f"Use {' or '.join(KERNELS)}.")
        self._kernel, self._fast = kernel, fast
        self.lead = 0  # samples between a reset and time zero: what a filter in front delays the audio by
        self._waiting = False
        self._glide: Glide | None = None
        self.glide = float(glide)
        self._tree = derive(circuit, sample_rate, rule=rule, root=root)
        self._rest: OperatingPoint | None = None
        self._moved: dict | None = None
        self._prepare()
        self.reset()

    def _prepare(self) -> None:
        """Root, program and work space of the present tree."""
        self._root = root_of(self._tree)
        self._program = compile_rows(self._tree, self._root.order, self._root.outputs)
        self._scratch = _scratch(self._root)
        self._choose()

    def _choose(self) -> None:
        """Take straight-line code if it is wanted or at hand."""
        self._emitted = None
        if self._kernel != "table":
            self._emitted = emit(self._tree, self._program, self._root, _motion(self._root), self._kernel == "emitted")

    def __getstate__(self) -> dict:
        return {name: value for name, value in self.__dict__.items() if name != "_emitted"}  # compiled code is found again by its text

    def __setstate__(self, state: dict) -> None:
        self.__dict__.update(state)
        self._choose()

    @property
    def sample_rate(self) -> float:
        """Hz."""
        return self._tree.sample_rate

    @property
    def latency(self) -> int:
        """None: the output sample belongs to the input sample."""
        return 0

    @property
    def controls(self) -> Mapping[str, Control]:
        """Controls by name at their present positions."""
        return MappingProxyType({control.name: control for control in self.circuit.controls})

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the nodes in the order of the output's channels."""
        return self.circuit.outputs

    @property
    def tree(self) -> Tree:
        """The tree in use."""
        self._update()
        return self._tree

    @property
    def program(self) -> Program:
        """The sums in use."""
        self._update()
        return self._program

    @property
    def root(self) -> Root:
        """The nonlinear root in use."""
        self._update()
        return self._root

    @property
    def closed(self) -> bool:
        """True if nothing is iterated: every root is linear or diodes in closed form."""
        self._update()
        return isinstance(self._emitted, Closed)

    @property
    def emitted_source(self) -> str:
        """The straight-line code; empty if the table kernel plays."""
        self._update()
        return self._emitted.text if self._emitted is not None else ""

    @property
    def operating_point(self) -> OperatingPoint:
        """Where the circuit rests at the present control positions."""
        self._update()
        if self._rest is None:
            equations = assemble(reduce(self.circuit))
            lent = any(adaptor.lent for adaptor in self._tree.adaptors)
            self._rest = start_of(self.circuit, leaking(equations) if lent else equations, self.strict)
        return self._rest

    @property
    def run(self) -> Run:
        """Convergence since the last reset."""
        return self._run

    def reset(self) -> None:
        """Back to the operating point of the present control positions, and to ``lead`` samples before time zero."""
        rest = self.operating_point
        self._glide = None
        tree, root = self._tree, self._root
        network = tree.network
        self._motion = _motion(root)
        self._waves = self._program.constants.copy()
        coils = {name for names, _ in network.coils for name in names}
        for name, k in zip(self._program.states, self._program.arrays.states):
            edge = network.edges[name]
            if edge.role == "capacitor":
                self._waves[k] = rest.voltage(edge.plus) - rest.voltage(edge.minus)
            elif name in coils:
                names, resistances = tree.coils[name]
                self._waves[k] = -float(resistances[names.index(name)] @ [rest.currents[other] for other in names])
            else:
                self._waves[k] = -tree.resistances[name] * rest.currents[name]
        for port, k in enumerate(root.order):
            self._motion.q[port] = self._rest_quantity(rest, network.sensed[k])
        charges = charges_at(root, self._motion.q)
        self._motion.charge[root.charges] = root.arrays.a * charges[root.charges]
        self._time = -self.lead
        self._run = Run()

    def _rest_quantity(self, rest: OperatingPoint, sensed) -> float:
        if sensed.quantity == "source":
            return 0.0
        if sensed.quantity == "current":
            return sensed.factor * rest.currents[sensed.edge]
        edge = self._tree.network.edges[sensed.edge]
        return sensed.factor * (rest.voltage(edge.plus) - rest.voltage(edge.minus))

    @property
    def state(self) -> State:
        """Waves of the leaves, charges, and what the next sample's first guess needs; a copy."""
        self._update()
        motion = self._motion
        return {"waves": self._waves[self._program.arrays.states].copy(), "charge": motion.charge.copy(), "q": motion.q.copy(),
                "p": motion.p.copy(), "w": motion.w.copy(), "M": motion.M.copy(), "pivots": motion.pivots.copy(),
                "ready": motion.ready.copy(), "time": np.array([self._time])}

    @state.setter
    def state(self, state: State) -> None:
        copies = check_state(state, self.state)
        self._time = int(copies.pop("time")[0])
        self._waves[self._program.arrays.states] = copies.pop("waves")
        self._motion = transient.Motion(h=np.zeros(0), b=np.zeros_like(self._motion.b), **copies)

    def turn(self, **positions: float) -> None:
        """Set controls; the path from what changes to the root is re-adapted before the next block."""
        controls = turned_controls(self.controls, positions)
        if positions:
            if not self._waiting:
                self._before = self.circuit if self._glide is None else self._glide.circuit
            self.circuit = replace(self.circuit, controls=tuple(controls.values()))
            self._waiting = True

    def _update(self) -> None:
        if not self._waiting:
            return
        before, program, root, motion, waves = self._tree, self._program, self._root, self._motion, self._waves
        if self._moved is None:
            self._moved = moved_leaves(before, self.circuit) or {}
        self._tree = turned(before, self.circuit, self._moved or None)
        self._waiting, self._rest = False, None
        if self._tree.root_moved or not self._moved:
            self._root = root_of(self._tree)
        self._program = compile_rows(self._tree, self._root.order, self._root.outputs)
        if self._program.states != program.states or sorted(self._root.ports) != sorted(root.ports) or _laws(root) != _laws(self._root):
            raise CircuitError("a control changes which parts the circuit has", mend="Let controls change values only.")
        if not (self._program.same_pattern(program) and same_form(root, self._root)):
            self._choose()
        elif self._emitted is not None and not self._emitted.adopt(self._tree, self._program, self._root):
            self._choose()
        self._glide = self._way()
        self._waves = self._program.constants.copy()
        old = waves[program.arrays.states]
        for name, k, wave in zip(self._program.states, self._program.arrays.states, old):
            # the companion state, that is charge and current together, stays where it was: a / R for a capacitor, a for an inductor
            if self._tree.network.edges[name].role == "capacitor":
                wave = wave * self._tree.resistances[name] / before.resistances[name]
            self._waves[k] = wave
        if self._root is root:
            return
        self._scratch = _scratch(self._root)
        place = {port: k for k, port in enumerate(root.ports)}
        take = np.array([place[port] for port in self._root.ports], dtype=np.int64)
        self._motion = _motion(self._root)
        n = _laws(root)
        self._motion.q[:] = motion.q[take]
        self._motion.charge[:n] = motion.charge[:n]

    def _way(self) -> Glide | None:
        """To the controls' new positions, if they shall glide there and can."""
        if not (self.glide > 0.0 and self._moved and self._before is not self.circuit):
            return None
        try:
            return Glide(self._tree, self._program, self._root, self._moved, self._before, self.circuit, self.glide)
        except Apart:
            return None

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
        u = self._drive(x)
        y = np.empty((len(self.circuit.outputs), len(x)))
        tally = transient.tally()
        done = self._play(u, y, tally)
        start, self._time = self._time, self._time + len(x)
        self._run = counted(self._run, tally, start, len(x), self.sample_rate)
        demand(self._run, start + done if done < len(x) else None, self.sample_rate, self.strict)
        return y[0] if len(y) == 1 else y

    def _play(self, u: np.ndarray, y: np.ndarray, tally: transient.Tally) -> int:
        """Run the kernel; the number of samples before the first that is not finite."""
        n, at = len(u), 0
        while self._glide is not None and at < n:
            at = self._glide.play(self._motion, self._scratch, self._waves, u, y, at, n, self.tolerance, tally)
            if at < 0:
                return -at - 1
            if self._glide.done:
                self._glide = None
        if isinstance(self._emitted, Closed):
            if at < n:
                self._emitted.play(self._waves, u, y, at, self._fast)
        else:
            while at < n:
                if self._emitted is not None:
                    at = self._emitted.play(self._motion, self._waves, u, y, at, n, self.tolerance, tally)
                if at < n:  # all samples without emitted code, else one that the plain Newton could not solve
                    last = n if self._emitted is None else at + 1
                    done = sweeps.run(self._program.arrays, self._root.arrays, self._motion, self._scratch, self._waves, u, y, at, last,
                                      self.tolerance, tally)
                    if done < last:
                        return done
                    at = last
        if not np.isfinite(y.sum()):  # one pass; a sum that overflows is looked at closely
            finite = np.isfinite(y).all(axis=0)
            if not finite.all():
                return int(np.argmin(finite))
        return n if n == 0 or np.isfinite(self._waves[self._program.arrays.states]).all() else n - 1

    def _drive(self, x: np.ndarray) -> np.ndarray:
        sources = self._tree.network.sources
        if len(self._program.moving) == 1 and sources[self._program.moving[0]].kind == "audio":
            constant = sources[self._program.moving[0]].constant
            return (x + constant if constant else x)[:, None]
        u = np.empty((len(x), len(self._program.moving)))
        # sample n is time n / rate, as in a recording; before time zero a source stands where it starts
        times = np.maximum(self._time + np.arange(len(x)), 0) / self.sample_rate
        for k, name in enumerate(self._program.moving):
            source = sources[name]
            u[:, k] = x + source.constant if source.kind == "audio" else times if name == TIME else source.waveform.at(times)
        return u


def _laws(root: Root) -> int:
    """Outputs of laws; lent conductances come and go behind them."""
    return sum(name.startswith("y:") for name in root.outputs)


def _motion(root: Root) -> transient.Motion:
    n, m, blocks = len(root.ports), len(root.arrays.KT), len(root.block_sizes)
    size = max(root.block_sizes, default=1)
    return transient.Motion(np.zeros(0), np.zeros(m), np.zeros(n), np.zeros(n), np.zeros(m), np.zeros((blocks, size, size)),
                            np.zeros((blocks, size), dtype=np.int64), np.zeros(blocks, dtype=np.int64), np.zeros(size))


def _scratch(root: Root) -> transient.Scratch:
    n, laws = len(root.ports), root.arrays.laws
    slopes = int(laws.slope_start[-1]) if len(laws.slope_start) else 0
    return transient.Scratch(np.zeros(n), np.zeros(slopes), np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n),
                             np.zeros(n), transient.law_scratch(laws))
