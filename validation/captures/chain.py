"""Chains: circuits, blocks, captures and impulse responses in series and in parallel, written in a `.toml` file.

    sample_rate = 48000                 # of the chain; the caller may give another

    [[stage]]
    load = "screamer.cir"               # beside the chain, or a name that the caller knows
    name = "pedal"                      # controls become pedal.drive; the file's stem if left out
    set = { drive = 0.7 }               # positions of controls
    settings = { engine = "wdf" }       # handed to whatever opens the file
    input_db = 0.0                      # gain before
    output_db = -6.0                    # gain behind

    [[stage]]
    parallel = [ [ { load = "amp.nam" }, { load = "cab.wav" } ], [ { load = "direct.wav" } ] ]

Stages run at the chain's rate; one that comes with another is resampled in and out, or refused with ``rate_strict``.
Branches of a parallel are summed after the quicker ones are delayed to the slowest, so nothing combs.
"""

from __future__ import annotations

import math
import tomllib
from contextvars import ContextVar
from pathlib import Path
from typing import Callable

import numpy as np

from circuits.controls import Control
from circuits.errors import CircuitError, ModelFileError, Place, RateError
from circuits.processor import Processor, Run, State, check_samples, check_state, make_ready
from validation.captures.documents import Section, refuse
from validation.captures.resampled import Resampled

MAX_BYTES = 1 << 20
MAX_STAGES = 64
MAX_DEPTH = 8
_STAGE_KEYS = ("load", "parallel", "name", "set", "settings", "input_db", "output_db")
_OPEN: ContextVar[tuple[Path, ...]] = ContextVar("chains being opened", default=())


class Chain:
    """Processors one after another, with gains between them.

    Parameters
    ----------
    stages : list of (name, Processor, input gain, output gain)
        Names are unique; all run at one rate; gains are factors.
    sample_rate : float
        Hz.

    Raises
    ------
    RateError
        If a stage runs at another rate.
    CircuitError
        If two stages have one name.

    Examples
    --------
    >>> from validation.captures.impulse import Impulse
    >>> half, late = Impulse([0.5], 48000.0), Impulse([0.0, 1.0], 48000.0)
    >>> Chain([("half", half, 1.0, 1.0), ("late", late, 1.0, 2.0)], 48000.0).process([1.0, 0.0, 0.0])
    array([0., 1., 0.])
    """

    def __init__(self, stages, sample_rate: float):
        self._rate = float(sample_rate)
        self._stages = list(stages)
        names = [name for name, *_ in self._stages]
        if len(set(names)) < len(names):
            raise CircuitError(f"two stages have one name: {', '.join(sorted(names))}", mend="Give each a name of its own.")
        for name, processor, _, _ in self._stages:
            if processor.sample_rate != self._rate:
                raise RateError(f"the stage {name} runs at {processor.sample_rate:g} Hz, the chain at {self._rate:g} Hz",
                                mend="Wrap it in Resampled.")

    @property
    def stages(self) -> tuple[tuple[str, Processor], ...]:
        """Names and processors in order."""
        return tuple((name, processor) for name, processor, _, _ in self._stages)

    @property
    def sample_rate(self) -> float:
        """Hz."""
        return self._rate

    @property
    def latency(self) -> int:
        """Sum of the stages' latencies, samples."""
        return sum(processor.latency for _, processor, _, _ in self._stages)

    @property
    def controls(self) -> dict[str, Control]:
        """All stages' controls as ``stage.control``."""
        return _prefixed(self.stages, lambda processor: processor.controls)

    @property
    def run(self) -> Run:
        """Convergence of all stages together."""
        return _together([processor.run for _, processor, _, _ in self._stages])

    @property
    def state(self) -> State:
        """All stages' states."""
        return _prefixed(self.stages, lambda processor: processor.state)

    @state.setter
    def state(self, state: State) -> None:
        _put_back(self.stages, check_state(state, self.state))

    def turn(self, **positions: float) -> None:
        """Set controls, for instance ``turn(**{"pedal.drive": 0.7})``."""
        _turn(self.stages, self.controls, positions)

    def ready(self) -> None:
        """Let each stage compile or load what it may need later, where it has such a thing."""
        for _, processor, _, _ in self._stages:
            make_ready(processor)

    def reset(self) -> None:
        """All stages back to rest."""
        for _, processor, _, _ in self._stages:
            processor.reset()

    def process(self, samples) -> np.ndarray:
        """Play the next samples through all stages; (n_samples,) in and out."""
        x = check_samples(samples)
        for _, processor, before, after in self._stages:
            x = processor.process(x * before if before != 1.0 else x)
            x = x * after if after != 1.0 else x
        return x.copy() if not self._stages else x


class Parallel:
    """Processors side by side on the same input, delayed to the slowest and summed.

    Parameters
    ----------
    branches : list of (name, Processor)
        All at one rate, at least one.
    """

    def __init__(self, branches):
        self._branches = list(branches)
        self._clear()

    def _clear(self) -> None:
        slowest = self.latency
        self._waiting = [np.zeros(slowest - processor.latency) for _, processor in self._branches]
        self._fresh = True

    @property
    def branches(self) -> tuple[tuple[str, Processor], ...]:
        """Names and processors."""
        return tuple(self._branches)

    @property
    def sample_rate(self) -> float:
        """Hz."""
        return self._branches[0][1].sample_rate

    @property
    def latency(self) -> int:
        """That of the slowest branch, samples."""
        return max(processor.latency for _, processor in self._branches)

    @property
    def controls(self) -> dict[str, Control]:
        """All branches' controls as ``branch.control``."""
        return _prefixed(self._branches, lambda processor: processor.controls)

    @property
    def run(self) -> Run:
        """Convergence of all branches together."""
        return _together([processor.run for _, processor in self._branches])

    @property
    def state(self) -> State:
        """All branches' states and what waits in their delays."""
        state = _prefixed(self._branches, lambda processor: processor.state)
        state["waiting"] = np.concatenate(self._waiting)
        state["fresh"] = np.array(self._fresh)
        return state

    @state.setter
    def state(self, state: State) -> None:
        state = check_state(state, self.state)
        at = 0
        waiting = state.pop("waiting")
        self._fresh = bool(state.pop("fresh"))
        for index, part in enumerate(self._waiting):
            self._waiting[index] = waiting[at:at + len(part)].copy()
            at += len(part)
        _put_back(self._branches, state)

    def turn(self, **positions: float) -> None:
        """Set controls, for instance ``turn(**{"1.amp.gain": 0.7})``."""
        _turn(self._branches, self.controls, positions)

    def ready(self) -> None:
        """Let each branch compile or load what it may need later, where it has such a thing."""
        for _, processor in self._branches:
            make_ready(processor)

    def reset(self) -> None:
        """All branches back to rest."""
        for _, processor in self._branches:
            processor.reset()
        self._clear()

    def process(self, samples) -> np.ndarray:
        """Sum of all branches; (n_samples,) in and out."""
        x = check_samples(samples)
        total = np.zeros(len(x))
        for index, (_, processor) in enumerate(self._branches):
            heard = processor.process(x)
            if self._fresh and len(heard):
                self._waiting[index][:] = heard[0]  # a branch rests at its first value, not at zero
            late = np.concatenate([self._waiting[index], heard])
            total += late[:len(x)]
            self._waiting[index] = late[len(x):]
        if len(x):
            self._fresh = False
        return total


def _prefixed(parts, get) -> dict:
    return {f"{name}.{key}": value for name, processor in parts for key, value in get(processor).items()}


def _put_back(parts, state: State) -> None:
    for name, processor in parts:
        processor.state = {key.removeprefix(f"{name}."): state[key] for key in (f"{name}.{own}" for own in processor.state)}


def _turn(parts, controls, positions) -> None:
    for name, position in positions.items():
        if name not in controls:
            raise CircuitError(f"there is no control {name!r}", mend=f"Controls: {', '.join(controls) or 'none'}.")
        try:
            controls[name].check(position)
        except CircuitError as error:
            raise CircuitError(f"{name}: {error.what}", mend=error.mend) from error
    for name, processor in parts:
        own = {f"{name}.{key}": key for key in processor.controls}
        chosen = {own[key]: position for key, position in positions.items() if key in own}
        if chosen:
            processor.turn(**chosen)


def _together(runs: list[Run]) -> Run:
    times = [run.first_bad_time for run in runs if not math.isnan(run.first_bad_time)]
    return Run(samples=sum(run.samples for run in runs), bad_samples=sum(run.bad_samples for run in runs),
               first_bad_time=min(times, default=math.nan), iterations=sum(run.iterations for run in runs),
               worst_residual=max((run.worst_residual for run in runs), default=0.0),
               worst_iterations=max((run.worst_iterations for run in runs), default=0),
               bad_times=tuple(sorted(time for run in runs for time in run.bad_times)[:16]))


def load_chain(path, load: Callable[..., Processor], *, sample_rate: float | None = None,
               rate_strict: bool = False) -> Chain:
    """Open a chain.

    Parameters
    ----------
    path : path-like
        A `.toml` file.
    load : callable
        ``load(path, sample_rate=..., rate_strict=..., **settings) -> Processor`` opens the model of a stage; ``path`` is
        the file beside the chain if there is one, else the text as it stands.
    sample_rate : float or None
        Rate of the chain, Hz; None is the file's ``sample_rate``.
    rate_strict : bool
        Refuse stages of another rate instead of resampling.

    Returns
    -------
    Chain

    Raises
    ------
    ModelFileError
        If the file is not TOML, holds an unknown key, is empty, or leads back to itself.
    RateError
        If there is no rate, or a stage has another one and ``rate_strict`` is set.
    """
    path = Path(path)
    opened = (*_OPEN.get(), path.resolve())
    if path.resolve() in _OPEN.get() or len(opened) > MAX_DEPTH:
        refuse(path, "the chain leads back to itself or is nested too deeply", "Break the circle.")
    top = _read_toml(path)
    _only(top, ("sample_rate", "title", "stage"))
    if not top.has("stage"):
        refuse(path, "the chain has no stage", 'Write [[stage]], and below it load = "tube_screamer".')
    if sample_rate is None and not top.has("sample_rate"):
        raise RateError("the chain has no sample rate", place=Place(str(path)), mend="Write sample_rate = 48000, or give one.")
    rate = top.number("sample_rate") if sample_rate is None else float(sample_rate)
    if not 1000.0 <= rate <= 1e6:
        raise RateError(f"a sample rate of {rate:g} Hz makes no sense", place=Place(str(path)), mend="Give one in Hz.")
    token = _OPEN.set(opened)
    try:
        return _series(top.sections("stage"), path.parent, load, rate, rate_strict, [0], 0)
    finally:
        _OPEN.reset(token)


def _read_toml(path: Path) -> Section:
    try:
        if path.stat().st_size > MAX_BYTES:
            refuse(path, "is too large for a chain", f"At most {MAX_BYTES // 1024} KiB are read.")
        text = path.read_bytes().decode("utf-8-sig")
        return Section(path, "", tomllib.loads(text))
    except OSError as error:
        refuse(path, f"can't be read ({error.strerror})", "Check the path and its permissions.")
    except RecursionError:
        refuse(path, "is nested too deeply", "A chain needs a few levels.")
    except ValueError as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        refuse(path, f"is not TOML ({error})", "Check the line named.")


def _only(section: Section, known: tuple[str, ...]) -> None:
    for key in section.values:
        if key not in known:
            section.refuse(f"the key {key[:40]!r} is unknown", f"Known: {', '.join(known)}.")


def _series(sections, folder, load, rate, strict, count, depth) -> Chain:
    if depth > MAX_DEPTH:
        sections[0].refuse("parallels are nested too deeply", f"At most {MAX_DEPTH} levels are built.")
    stages, names = [], set()
    for section in sections:
        count[0] += 1
        if count[0] > MAX_STAGES:
            section.refuse("there are too many stages", f"At most {MAX_STAGES} are built.")
        stem, processor = _stage(section, folder, load, rate, strict, count, depth)
        name, number = section.text("name", stem), 2
        while not section.has("name") and name in names:
            name, number = f"{stem}{number}", number + 1
        if name in names or not name.replace("_", "").replace("-", "").isalnum():
            section.refuse(f"the name {name[:40]!r} is taken or has other signs than letters, digits, _ and -", "Choose another.")
        names.add(name)
        stages.append((name, processor, _factor(section, "input_db"), _factor(section, "output_db")))
    chain = Chain(stages, rate)
    return chain


def _factor(section: Section, key: str) -> float:
    decibels = section.number(key, 0.0)
    if abs(decibels) > 200.0:
        section.refuse(f"{key} is {decibels:g}", "Give a gain in dB.")
    return 10.0 ** (decibels / 20.0)


def _stage(section: Section, folder: Path, load, rate: float, strict: bool, count, depth) -> tuple[str, Processor]:
    _only(section, _STAGE_KEYS)
    if section.has("load") == section.has("parallel"):
        section.refuse("needs either load or parallel", "Write load = \"file\" or parallel = [[...], [...]].")
    if section.has("parallel"):
        branches = []
        for index, branch in enumerate(section.items("parallel")):
            inner = Section(section.path, section.label(f"parallel[{index}]"), {"stage": branch})
            branches.append((str(index + 1), _series(inner.sections("stage"), folder, load, rate, strict, count, depth + 1)))
        if not branches:
            section.refuse("parallel is empty", "Give at least one branch.")
        processor: Processor = Parallel(branches)
        stem = "parallel"
    else:
        text = section.text("load")
        beside = folder / text
        target = beside if beside.exists() else text
        settings = section.section("settings").values if section.has("settings") else {}
        for name in settings:
            if name in ("sample_rate", "rate_strict"):
                section.refuse(f"settings can't hold {name}", "The chain gives it to all stages.")
        processor = load(target, sample_rate=rate, rate_strict=strict, **settings)
        if np.ndim(processor.process(np.zeros(0))) != 1:
            section.refuse(f"{text} has several outputs", "A chain takes models with one output.")
        if processor.sample_rate != rate:
            if strict:
                raise RateError(f"{text} runs at {processor.sample_rate:g} Hz, the chain at {rate:g} Hz",
                                place=Place(str(section.path)), mend="Play it at its own rate, or allow resampling.")
            processor = Resampled(processor, rate)
        stem = "".join(sign if sign.isalnum() else "_" for sign in Path(text).stem)
    if section.has("set"):
        try:
            processor.turn(**{name: Section(section.path, section.label("set"), section.get("set")).number(name)
                              for name in section.section("set").values})
            processor.reset()
        except CircuitError as error:
            raise ModelFileError(f"{section.name}: {error.what}", mend=error.mend, place=Place(str(section.path))) from error
    return stem, processor
