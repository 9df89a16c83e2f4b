"""A block: stages one behind the other that a person can read, and the Processor that runs it.

A `Block` is a frozen description (stages, sample rate, controls); what fits the recording is a new Block. A
`BlockProcessor` runs one over audio, with the curves oversampled or antialiased if asked.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import ClassVar, Mapping

import numpy as np

from circuits.controls import Control
from circuits.errors import CircuitError, FitError, RateError
from circuits.processor import Run, State, check_samples, check_state, turned
from graybox.antialias import smoothed
from graybox.chain import Static, flat, latency, rest_chain, run_chain, settle_chain
from graybox.linear import LinearCircuit
from graybox.parameters import names, values
from graybox.swap import Seen, swapped


@dataclass(frozen=True, slots=True)
class Block:
    """Stages in series at one sample rate.

    Parameters
    ----------
    stages : tuple of stages
        From input to output.
    sample_rate : float
        Hz; the filters hold at this rate only.
    controls : tuple of Control
        Knobs; each moves the `LinearCircuit` stages that know its name.
    name : str
        For people.
    ranges : tuple of Seen
        For each curve, the inputs that a fit has seen.
    notes : mapping
        What a fit wrote down: held-out error, recordings, settings. Plain JSON values.

    Raises
    ------
    FitError
        If there is no stage.
    RateError
        If the rate is not positive, or a linear circuit in it was made for another one.

    Examples
    --------
    >>> from graybox.curves import Tanh
    >>> block = Block((Static(Tanh(drive=4.0)),), 48000.0)
    >>> BlockProcessor(block).process(np.array([0.0, 0.1])).round(4)
    array([0.    , 0.3799])
    """

    stages: tuple
    sample_rate: float
    controls: tuple[Control, ...] = ()
    name: str = ""
    ranges: tuple[Seen, ...] = ()
    notes: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}), compare=False)
    PARAMETERS: ClassVar = ()
    PARTS: ClassVar = ("stages",)

    def __post_init__(self):
        if not self.stages:
            raise FitError("a block needs at least one stage")
        if not (np.isfinite(self.sample_rate) and self.sample_rate > 0.0):
            raise RateError(f"a block needs a positive sample rate, not {self.sample_rate:g}")
        for stage in self.stages:
            if isinstance(stage, LinearCircuit) and stage.sample_rate != self.sample_rate:
                raise RateError(f"the linear circuit is discretised at {stage.sample_rate:g} Hz, "
                                f"the block runs at {self.sample_rate:g} Hz")

    def __reduce__(self):  # a mapping proxy can't be pickled
        return (_remade, (self.stages, self.sample_rate, self.controls, self.name, self.ranges, dict(self.notes)))

    @property
    def latency(self) -> int:
        """Delay from input to output, samples."""
        return latency(self.stages)

    @property
    def n_parameters(self) -> int:
        """How many numbers describe it, fixed ones included."""
        return len(values(self))

    @property
    def parameters(self) -> dict[str, float]:
        """All numbers by name."""
        return dict(zip(names(self), values(self).tolist()))

    def placed(self, positions: Mapping[str, float]) -> tuple:
        """The stages with the knobs at these positions (others where they stand)."""
        if not self.controls:
            if positions:
                raise CircuitError(f"there is no control {next(iter(positions))!r}", mend="This block has no controls.")
            return self.stages
        controls = turned({c.name: c for c in self.controls}, positions)
        shares = {name: (c.value - c.minimum) / (c.maximum - c.minimum) for name, c in controls.items()}
        return tuple(_placed(stage, shares) for stage in self.stages)

    def turn(self, **positions: float) -> "Block":
        """A new block with its knobs turned; raises CircuitError for an unknown name or position."""
        stages = self.placed(positions)
        controls = turned({c.name: c for c in self.controls}, positions)
        return replace(self, stages=stages, controls=tuple(controls.values()))

    def replace(self, *, curve, at: int | None = None, size: int | None = None, monotone: bool = False) -> "Block":
        """A new block with one curve swapped, warm-started from the old one; see `graybox.swap.swapped`.

        The distance of the two curves over the inputs seen is written into ``notes["swap_error"]`` (ESR).
        """
        block, error = swapped(self, curve, at=at, size=size, monotone=monotone)
        return replace(block, notes=MappingProxyType(dict(self.notes) | {"swap_error": error}))

    def curve_stages(self) -> tuple[int, ...]:
        """Indices of the stages that are static curves."""
        return tuple(i for i, stage in enumerate(self.stages) if isinstance(stage, Static))


def _remade(stages, sample_rate, controls, name, ranges, notes):
    return Block(stages, sample_rate, controls, name, ranges, MappingProxyType(notes))


def _placed(stage, shares):
    if isinstance(stage, LinearCircuit):
        known = dict(stage.shares) | {name: share for name, share in shares.items() if name in stage.network.CONTROLS}
        return replace(stage, shares=tuple(known.items()))
    if hasattr(stage, "branches"):
        return replace(stage, branches=tuple(tuple(_placed(s, shares) for s in branch) for branch in stage.branches))
    return stage


class BlockProcessor:
    """Runs a `Block` over audio.

    Parameters
    ----------
    block : Block
        What to run.
    oversample : {1, 2, 4, 8}
        Rate around each curve, as a multiple; adds latency.
    adaa : bool
        First-order antiderivative antialiasing of every curve (delays by half a sample).
    sample_rate : float or None
        If given, it must be the block's.

    Raises
    ------
    RateError
        If ``sample_rate`` is not the block's.
    FitError
        If ``oversample`` is not a power of two from 1 to 8, or a curve has no antiderivative for ``adaa``.
    """

    def __init__(self, block: Block, *, oversample: int = 1, adaa: bool = False, sample_rate: float | None = None):
        if sample_rate is not None and sample_rate != block.sample_rate:
            raise RateError(f"this block was fitted at {block.sample_rate:g} Hz and does not run at {sample_rate:g} Hz",
                            mend="Convert the audio to the rate of the block.")
        if oversample not in (1, 2, 4, 8):
            raise FitError(f"oversampling by {oversample} is not possible", mend="Use 1, 2, 4 or 8.")
        self._doublings, self._adaa = oversample.bit_length() - 1, bool(adaa)
        self._controls = {control.name: control for control in block.controls}
        self._pending: dict[str, float] = {}
        self._block = block
        self._stages = self._built()
        self.reset()

    def _built(self):
        stages = self._block.placed({})
        return smoothed(stages, self._doublings, self._adaa) if self._doublings or self._adaa else stages

    @property
    def block(self) -> Block:
        """The description, at the present positions of the knobs."""
        return self._block.turn(**self._pending) if self._pending else self._block

    @property
    def n_parameters(self) -> int:
        """Numbers that describe the block."""
        return self._block.n_parameters

    @property
    def stages(self) -> tuple:
        """The stages as they are played, antialiased where asked for."""
        return self._stages

    @property
    def sample_rate(self) -> float:
        return self._block.sample_rate

    @property
    def latency(self) -> int:
        return latency(self._stages)

    @property
    def controls(self) -> Mapping[str, Control]:
        return MappingProxyType(self._controls)

    @property
    def run(self) -> Run:
        return Run(samples=self._samples)

    @property
    def state(self) -> State:
        return {name: array.copy() for name, array in flat(self._states).items()}

    @state.setter
    def state(self, state: State) -> None:
        present = flat(self._states)
        for name, array in check_state(state, present).items():
            present[name][...] = array

    def turn(self, **positions: float) -> None:
        self._controls = turned(self._controls, positions)
        self._pending.update(positions)

    def _turn_now(self, glide: bool) -> None:
        self._block = self._block.turn(**self._pending)
        self._pending = {}
        self._stages = self._built()
        if glide:
            _glide(self._stages, self._states)

    def reset(self) -> None:
        if self._pending:
            self._turn_now(glide=False)
        self._states = rest_chain(self._stages)
        settle_chain(self._stages, 0.0, self._states)
        self._samples = 0

    def process(self, samples: np.ndarray) -> np.ndarray:
        x = check_samples(samples)
        if self._pending:
            self._turn_now(glide=True)
        y = run_chain(self._stages, x, self._states) if len(x) else np.zeros(0)
        self._samples += len(x)
        return np.array(y)

    def __deepcopy__(self, memo):
        twin = copy.copy(self)
        twin._states = copy.deepcopy(self._states, memo)
        twin._pending = dict(self._pending)
        return twin

    def __getstate__(self):
        return dict(self.__dict__)


def _glide(stages, states) -> None:
    for i, stage in enumerate(stages):
        if isinstance(stage, LinearCircuit):
            stage.glide(states[str(i)])
        elif hasattr(stage, "branches"):
            for j, branch in enumerate(stage.branches):
                _glide(branch, states[str(i)][str(j)])
