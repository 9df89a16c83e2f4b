"""The main job: audio into a model, sound out of it, and a report of how well it was solved.

Conventions: samples are volts (one unit of a file is one volt) unless ``full_scale`` is given; then 1.0 of the file is the
circuit's ``level`` volts on the way in and on the way out; a capture takes and gives full scale. A model that has a sample rate of its
own is resampled around. Latency is taken out.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from time import perf_counter
from typing import Callable, Mapping, Sequence

import numpy as np

from ampwright.automation import Automation
from ampwright.models import adjusted, load, locate, player
from circuits.circuit import GROUND, Circuit
from circuits.errors import CircuitError, ConvergenceError, Place, RateError, SignalError
from circuits.nodal import compiled
from circuits.nodal.operating import FROM_ZERO
from circuits.nodal.processor import NodalProcessor
from circuits.processor import Processor, Run
from circuits.together import Together
from validation.audio import Audio, check_recording, read_audio, resample
from validation.signals import PHRASES, SWEEP, shipped_phrase, shipped_sweep

BLOCK = 8192  # samples between two reports of progress: a sixth of a second of audio
LONG = 5.0  # seconds of playing after which a kernel of the circuit's own pays
logger = logging.getLogger(__name__)
Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What a simulation gave.

    Parameters
    ----------
    samples : ndarray, shape (n_samples,) or (n_channels, n_samples)
        The output, in volts, or full scale if asked for; shaped as the input was.
    sample_rate : float
        Hz.
    run : Run
        Convergence, all channels together.
    probes : mapping of str to ndarray
        Further outputs by node, each shaped as ``samples``.
    latency : int
        Samples that the processor was late, already taken out.
    start_up : float
        Seconds until the first sample: equations, operating point, compilation if nothing is cached.
    seconds : float
        Seconds spent on the samples.
    notes : tuple of str
        What was assumed or changed on the way.
    compiling : bool
        True if the circuit's own kernel is now being compiled in the background, for the next start.
    """

    samples: np.ndarray
    sample_rate: float
    run: Run
    probes: Mapping[str, np.ndarray] = field(default_factory=dict)
    latency: int = 0
    start_up: float = 0.0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    compiling: bool = False

    @property
    def real_time_factor(self) -> float:
        """Seconds of audio, all channels counted, rendered in one second."""
        return self.samples.size / self.sample_rate / self.seconds if self.seconds > 0.0 else float("inf")


def simulate(model: str | Path | Circuit | Processor, samples, sample_rate: float | None = None, *, engine: str = "nodal", oversample: int = 1,
             controls: Mapping[str, float | str] | None = None, probes: Sequence[str] = (), strict: bool = False, full_scale: bool = False,
             level: float | None = None, tail: float = 0.0, rate_strict: bool = False,
             settings: Mapping[str, object] | None = None, automation: Sequence[Sequence] = (), ahead: bool = True,
             progress: Progress | None = None) -> Result:
    """Play a recording through a model.

    Parameters
    ----------
    model : str, Path, Circuit or Processor
        A path, a library name, or what `load` gave.
    samples : array_like, shape (n_samples,) or (n_channels, n_samples), or path of a recording, or name of a shipped phrase
        Channels are played one after the other, each from rest.
    sample_rate : float, optional
        Hz; needed for arrays. For a recording: the rate to simulate at, if another than the file's.
    engine : {"nodal", "wdf"}
        How a circuit is solved.
    oversample : {1, 2, 4, 8, 16}
        How many times faster a circuit is solved.
    controls : mapping, optional
        Positions of controls, values of other top-level parameters.
    probes : sequence of str
        Further nodes to listen to; ``"a,b"`` is the voltage from a to b.
    strict : bool
        Raise ConvergenceError for a sample that does not converge, instead of counting it.
    full_scale : bool
        Samples are full scale and not volts.
    level : float, optional
        Volts of a full-scale sample, instead of what the circuit says; implies ``full_scale``.
    tail : float
        Seconds of silence to play behind the recording.
    rate_strict : bool
        Raise RateError for a model of another sample rate, instead of resampling around it.
    settings : mapping, optional
        Handed to `load` if ``model`` is a path or a name.
    automation : sequence of (seconds, control, position)
        Controls to turn while it plays, on straight lines from row to row, as `ampwright.automation` tells; the same for each channel.
    ahead : bool
        If the generic kernel took long (`LONG` seconds), compile the circuit's own in the background for the next start.
    progress : callable, optional
        ``progress(done, text)`` with done from 0 to 1.

    Returns
    -------
    Result

    Raises
    ------
    SignalError, RateError
        If the recording can't be used.
    ModelFileError, NetlistError, CircuitError, TopologyError
        If the model can't be used.
    ConvergenceError
        If there is no operating point, a number is not finite, or with ``strict`` a sample does not converge.

    Examples
    --------
    >>> result = simulate("rc_lowpass", np.ones(4800), 48000.0, oversample=2)
    >>> result.samples.shape, round(float(result.samples[2400]), 3), result.run.converged
    ((4800,), 1.0, True)
    """
    return simulate_together(model, samples, [controls or {}], sample_rate, engine=engine, oversample=oversample, probes=probes, strict=strict,
                             full_scale=full_scale, level=level, tail=tail, rate_strict=rate_strict, settings=settings, automation=automation, ahead=ahead,
                             progress=progress)[0]


def simulate_together(model: str | Path | Circuit | Processor, samples, variants: Sequence[Mapping[str, float | str]], sample_rate: float | None = None, *,
                      engine: str = "nodal", oversample: int = 1, probes: Sequence[str] = (), strict: bool = False, full_scale: bool = False,
                      level: float | None = None, tail: float = 0.0, rate_strict: bool = False, settings: Mapping[str, object] | None = None,
                      automation: Sequence[Sequence] = (), ahead: bool = True, lanes: bool = False,
                      progress: Progress | None = None) -> list[Result]:
    """What `simulate` does, for several variants of a circuit in this process; of a Processor there is one variant only.

    Parameters
    ----------
    variants : sequence of mapping
        For each, what `simulate` takes as ``controls``.
    lanes : bool
        Let variants share vector lanes, as `circuits.together.Together` tells.

    Returns
    -------
    list of Result
        In the order of the variants; the seconds are shared out evenly.

    Examples
    --------
    >>> [result.samples.shape for result in simulate_together("rc_lowpass", np.ones(48), [{}, {}], 48000.0)]
    [(48,), (48,)]
    """
    tell = progress or (lambda done, text: None)
    notes: list[str] = []
    heard, sample_rate = _recording(samples, sample_rate, notes)
    if not (np.isfinite(tail) and 0.0 <= tail <= 3600.0):
        raise SignalError(f"a tail of {tail:g} s makes no sense", mend="Give seconds from 0 to 3600.")
    if level is not None and not (np.isfinite(level) and level > 0.0):
        raise SignalError(f"a level of {level:g} V makes no sense", mend="Give volts above 0.")
    if isinstance(model, (str, Path)):
        how = dict(settings or {})
        if strict and locate(model).kind == "netlist":
            how["strict"] = True
        model = load(model, sample_rate=sample_rate, **how)
    models = [adjusted(model, controls) for controls in variants]
    volts = 1.0
    names: tuple[str, ...] = ("out",)
    if isinstance(model, Circuit):
        notes += model.notes
        volts = (level or model.level) if full_scale or level is not None else 1.0
        models = [with_probes(one, probes) for one in models]
        names = models[0].outputs
    elif probes:
        raise CircuitError("this model has no nodes to probe", mend="Leave out --probe: it works for netlists.")

    begun = perf_counter()
    tell(0.0, "preparing")
    processors = [player(one, sample_rate, engine=engine, oversample=oversample, strict=strict, rate_strict=rate_strict) for one in models]
    for processor in processors:
        processor.process(np.zeros(0))  # what is compiled, is compiled now
    if any(from_zero(processor) for processor in processors):
        notes.append("no operating point was found; the circuit starts with every capacitor and coil empty, as SPICE does with uic")
    start_up = (perf_counter() - begun) / len(models)
    if not isinstance(model, Circuit) and model.sample_rate != sample_rate:
        notes.append(f"resampled from {sample_rate:g} Hz to the model's {model.sample_rate:g} Hz and back")
    channels = np.atleast_2d(heard)
    at_rest = [{name: control.position for name, control in processor.controls.items()} for processor in processors]
    followed = [Automation(processor, automation) for processor in processors]
    late = processors[0].latency
    silence = np.zeros(int(round(tail * sample_rate)) + late)
    played, runs, seconds = [], [], 0.0
    play = Together(processors).process if lanes else lambda signals: [one.process(x) for one, x in zip(processors, signals)]
    for number, channel in enumerate(channels):
        if number:
            for processor, positions in zip(processors, at_rest):
                processor.turn(**positions)
                processor.reset()
        signal = np.concatenate([channel * volts, silence])
        begun = perf_counter()
        outs = _play(play, signal, followed, sample_rate, lambda done: tell((number + done) / len(channels), "playing"))
        seconds += (perf_counter() - begun) / len(models)
        runs.append([processor.run for processor in processors])
        played.append([out[:, late:] / volts for out in outs])
    compiling = ahead and seconds > LONG and _compile_ahead(processors[0])
    tell(1.0, "done")
    results = []
    for k in range(len(models)):
        stack = np.stack([outs[k] for outs in played])  # (n_channels, n_outputs, n_samples)
        shaped = [stack[0, n] if heard.ndim == 1 else np.ascontiguousarray(stack[:, n]) for n in range(stack.shape[1])]
        heard_at = dict(zip(names, shaped))
        wanted = dict.fromkeys([*names[1:], *map(probe_name, probes)])
        results.append(Result(shaped[0], sample_rate, joined([told[k] for told in runs]), {name: heard_at[name] for name in wanted}, late, start_up,
                              seconds, tuple(notes), compiling))
    return results


def from_zero(processor: Processor) -> bool:
    """True for a circuit that has no operating point and starts from zero."""
    rest = getattr(getattr(processor, "inner", processor), "operating_point", None)
    return rest is not None and rest.method == FROM_ZERO


def recording(name: str | Path) -> Audio:
    """A recording by its path, or what ships by its name: the phrases single-notes, chords and palm-mutes, and a sweep over the audible band.

    Raises
    ------
    SignalError
        If there is none, or it can't be used.

    Examples
    --------
    >>> recording("chords").sample_rate
    48000.0
    """
    shipped = (*PHRASES, SWEEP)
    if Path(name).exists():
        return read_audio(name)
    if str(name) not in shipped:
        close = get_close_matches(str(name), shipped, 1)
        raise SignalError("there is no such file", place=Place(str(name)),
                          mend=f"Did you mean {close[0]}?" if close else f"Give a WAV or FLAC file, or one of {', '.join(shipped)}.")
    return shipped_sweep() if str(name) == SWEEP else shipped_phrase(str(name))


def _recording(samples, sample_rate: float | None, notes: list[str]) -> tuple[np.ndarray, float]:
    if isinstance(samples, (str, Path)):
        audio = recording(samples)
        heard, own = audio.samples, audio.sample_rate
        if sample_rate is None or sample_rate == own:
            return heard, own
        _check_rate(sample_rate)
        notes.append(f"the recording is resampled from {own:g} Hz to {sample_rate:g} Hz")
        return resample(heard, own, sample_rate), float(sample_rate)
    if sample_rate is None:
        raise RateError("samples need a sample rate", mend="Give it in Hz as the third argument.")
    _check_rate(sample_rate)
    heard = np.asarray(samples, dtype=np.float64)
    check_recording(heard)
    return heard, float(sample_rate)


def _check_rate(sample_rate: float) -> None:
    if not (np.isfinite(sample_rate) and 1000.0 <= sample_rate <= 10e6):
        raise RateError(f"a sample rate of {sample_rate:g} Hz makes no sense for audio", mend="Give Hz from 1000 to 10 million.")


def probe_name(probe: str) -> str:
    """How a probe is called among the outputs.

    Examples
    --------
    >>> probe_name("V(Plate, 0)"), probe_name("out")
    ('plate,0', 'out')
    """
    name = "".join(probe.lower().split())
    return name[2:-1] if name.startswith("v(") and name.endswith(")") else name


def with_probes(circuit: Circuit, probes: Sequence[str]) -> Circuit:
    """The circuit with further nodes to listen to; raises CircuitError for a node that is not there, with a suggestion."""
    found = []
    for probe in probes:
        pair = probe_name(probe).split(",")
        for node in pair:
            if len(pair) > 2 or node not in circuit.nodes and node != GROUND:
                close = get_close_matches(node, circuit.nodes, 1)
                raise CircuitError(f"the probe {probe!r} names no node", mend=f"Did you mean {close[0]}?" if close else
                                   f"Nodes: {', '.join(circuit.nodes[:12])}.")
        found.append(",".join(pair))
    return replace(circuit, outputs=tuple(dict.fromkeys([*circuit.outputs, *found])))


def _compile_ahead(processor: Processor) -> bool:
    """Compile a circuit's own kernel aside, if the generic one has played; returns whether that has begun."""
    inner = getattr(processor, "inner", processor)
    if not (isinstance(inner, NodalProcessor) and inner.generic):
        return False
    try:
        compiled.compile_aside(inner.model)
    except OSError as error:  # a cache that can't be written: the next start is as slow as this one, no more
        logger.info("the circuit's kernel is not compiled ahead: %s", error)
        return False
    return True


def _play(play: Callable, signal: np.ndarray, automations: Sequence[Automation], sample_rate: float, tell: Callable[[float], None]) -> list[np.ndarray]:
    """All samples in blocks through all processors, controls turned between them; (n_outputs, n_samples) of each."""
    parts = []
    edges = automations[0].edges(len(signal))
    told = 0
    for begin, end in zip(edges[:-1], edges[1:]):
        for automation in automations:
            automation.turn(begin, end)
        for start in range(begin, end, BLOCK):
            stop = min(start + BLOCK, end)
            outs = [np.atleast_2d(out) for out in play([signal[start:stop]] * len(automations))]
            for out in outs:
                if not np.isfinite(out).all():
                    time = (start + int(np.argmin(np.isfinite(out).all(axis=0)))) / sample_rate
                    raise ConvergenceError(f"a number is not finite at {time:.6f} s", time=time, mend="Lower the input level.")
            parts.append(outs)
            if stop >= told + BLOCK or stop == len(signal):
                told = stop
                tell(stop / len(signal))
    return [np.concatenate([outs[k] for outs in parts], axis=1) for k in range(len(automations))]


def joined(runs: Sequence[Run]) -> Run:
    """One report of several runs; times count from the start of each.

    Examples
    --------
    >>> joined([Run(samples=2, iterations=3), Run(samples=2, iterations=5, worst_iterations=4)]).mean_iterations
    2.0
    """
    times = tuple(sorted(time for run in runs for time in run.bad_times))[:16]
    return Run(samples=sum(run.samples for run in runs), bad_samples=sum(run.bad_samples for run in runs),
               first_bad_time=times[0] if times else float("nan"), worst_residual=max(run.worst_residual for run in runs),
               iterations=sum(run.iterations for run in runs), worst_iterations=max(run.worst_iterations for run in runs), bad_times=times)
