"""Component values that make a circuit match a recording: free numbers of a netlist, fitted through the nodal engine.

What belongs to the recorder and not to the circuit (gain, offset and a fraction of a sample of delay at the output) is fitted along.
Conventions: samples are volts at the circuit's input; positive numbers move on a logarithmic scale, controls within their range.

References
----------
Branch, Coleman, Li, "A subspace, interior, and conjugate gradient method for large-scale bound-constrained minimization problems", SIAM
J. Sci. Comput. 21(1), 1999: the trust-region method of `scipy.optimize.least_squares`.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Sequence

import numpy as np
from scipy.optimize import least_squares
from scipy.signal import lfilter
from threadpoolctl import threadpool_limits

from ampwright.freeing import freed, inlined, read_learned
from ampwright.models import adjusted, player
from ampwright.pairs import pair
from ampwright.simulation import Progress
from circuits.circuit import Circuit
from circuits.errors import CircuitError, ConvergenceError, FitError, SignalError
from graybox.blocks import Block
from graybox.checks import SHORTEST
from graybox.confidence import Estimate, bartlett
from graybox.filters import Delay
from graybox.store import save
from netlists.writer import write
from validation.align import align
from validation.audio import Audio, check_writable, whole_file

RECORDER = ("gain", "offset", "delay")
STEP = 1e-5  # of a logarithm or of a control's travel, for the differences: the engine solves to 1e-9 and better
WARM = 2000  # samples at the start that play but do not count
SEGMENT = 0.5  # seconds of the stretches on which the error is told
HELD = 1e-5  # root of the ESR that a number of a law costs when it moves by its own size: what no input has reached stays where it was
REACH = 7.0  # samples of delay that the recorder may have beside what the alignment took out


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """A calibrated circuit and how well it is known.

    Parameters
    ----------
    circuit : Circuit
        With the fitted values.
    laws : mapping of str to Block
        The laws that were fitted, under the names of their elements.
    estimates : tuple of Estimate
        The free numbers of the circuit with 95 % intervals.
    recorder : tuple of Estimate
        Gain, offset (units of the recording) and delay (samples) of the recorder, as far as they were fitted.
    start : mapping of str to float
        Values that the netlist gave.
    correlations : ndarray, shape (n, n)
        Of the estimates, then the recorder's numbers.
    training : float
        ESR of what was fitted, means removed and high-passed if so asked.
    held_out : tuple of float
        The same for each half second that was kept out (all of them, if nothing was).
    shift : int
        Samples by which the recording was moved earlier.
    evaluations : int
        How often the circuit was played.
    seconds : float
        CPU seconds.
    stop : str
        Why the descent ended.
    notes : tuple of str
    """

    circuit: Circuit
    laws: Mapping[str, Block]
    estimates: tuple[Estimate, ...]
    recorder: tuple[Estimate, ...]
    start: Mapping[str, float]
    correlations: np.ndarray
    training: float
    held_out: tuple[float, ...]
    shift: int
    evaluations: int
    seconds: float
    stop: str
    notes: tuple[str, ...]


def calibrate(netlist: str | Path | Circuit, dry: str | Path | Audio, wet: str | Path | Audio, free: Sequence[str], output: str | Path | None = None, *,
              recorder: Sequence[str] = RECORDER, high_pass: float = 0.0, hold: float = 0.25, oversample: int = 1, channel: int | None = None,
              controls: Mapping[str, float | str] | None = None, settings: Mapping[str, object] | None = None,
              progress: Progress | None = None) -> Calibration:
    """Fit free numbers of a circuit to a recording of the real one.

    Parameters
    ----------
    netlist : str, Path or Circuit
        A path, a library name, or what `ampwright.load` gave.
    dry, wet : str, Path or Audio
        What was played, in volts at the input (or in any unit, with a free gain in the netlist), and what came out.
    free : sequence of str
        Names of top-level parameters, controls, resistors, capacitors, inductors, ``card.parameter`` for a number of a model card, or
        ``element.law`` for all numbers of a fitted law (``D1 a k law="curve.json"``) that its file does not hold fixed.
    output : str or Path, optional
        ``.cir`` file for the calibrated circuit; a fitted law of D1 is written beside it as ``NAME.d1.json``.
    recorder : sequence of {"gain", "offset", "delay"}
        What the recorder may have added behind the circuit.
    high_pass : float
        Hz of a first-order high-pass on both sides of the comparison, against a wandering baseline; 0 for none.
    hold : float
        Share at the end that is kept out, 0 to 0.9.
    oversample : {1, 2, 4, 8, 16}
        As for `simulate`.
    channel : int, optional
        Which channel of recordings with several, from 1.
    controls : mapping, optional
        Positions of controls and values of parameters to start from, and to hold if they are not free.
    settings : mapping, optional
        Handed to `load`.
    progress : callable, optional
        ``progress(done, text)``.

    Returns
    -------
    Calibration

    Raises
    ------
    FitError
        If nothing is free, a name is unknown, or no value of the free numbers changes the output.
    SignalError
        If the recordings can't be used or don't belong together.
    NetlistError, CircuitError, ConvergenceError
        If the netlist can't be used.

    Examples
    --------
    >>> from ampwright.simulation import simulate
    >>> x = 0.5 * np.random.default_rng(0).standard_normal(9600)
    >>> twin = simulate("diode_clipper", x, 48000.0, controls={"drive": 0.3}).samples
    >>> found = calibrate("diode_clipper", Audio(x, 48000.0), Audio(twin, 48000.0), ["drive"])
    >>> round(found.estimates[0].value, 4)
    0.3
    """
    began = time.process_time()
    tell = progress or (lambda done, text: None)
    if output is not None:
        check_writable(output, suffixes=(".cir", ".net", ".sp"))
    unknown = [name for name in recorder if name not in RECORDER]
    if unknown:
        raise FitError(f"a recorder has no {unknown[0]!r}", mend=f"Use some of {', '.join(RECORDER)}.")
    if not (0.0 <= hold <= 0.9 and math.isfinite(high_pass) and high_pass >= 0.0):
        raise FitError(f"a hold-out of {hold:g} and a high-pass of {high_pass:g} Hz make no sense", mend="Give hold from 0 to 0.9 and Hz from 0.")
    circuit, laws = (netlist, {}) if isinstance(netlist, Circuit) else read_learned(netlist, **dict(settings or {}))
    circuit, slots = freed(adjusted(circuit, controls or {}), free, laws)
    joined = pair(dry, wet, channel=channel)
    if joined.alignment is None:
        raise SignalError("a calibration needs a recording of the real circuit", mend="Give a WAV or FLAC file.")
    rate = joined.sample_rate
    cut = len(joined.x) - int(hold * len(joined.x))
    if cut < SHORTEST:
        raise FitError(f"{cut} samples are too few for a calibration, {SHORTEST} is the least", mend="Record some seconds.")

    def played(values: np.ndarray, x: np.ndarray) -> np.ndarray:
        ready = player(circuit.with_parameters(**{slot.name: slot.value(q) for slot, q in zip(slots, values)}), rate, oversample=oversample)
        late = ready.latency
        return np.atleast_2d(ready.process(np.concatenate([x, np.zeros(late)])))[0, late:]

    with threadpool_limits(limits=1):
        descent = _descend(played, slots, joined.x[:cut], joined.y[:cut], rate, tuple(recorder), high_pass, tell)
        estimates, correlations = _intervals(descent, slots, recorder)
    values = {slot.name: slot.value(q) for slot, q in zip(slots, descent.numbers)}
    found = inlined(circuit.with_parameters(**values), slots, values)
    heard = descent.heard(played(descent.numbers[:len(slots)], joined.x), descent.numbers)
    held = _segments(descent.filtered(heard), descent.filtered(joined.y), cut if hold else WARM, rate)
    fitted = {name: laws[name].with_numbers(name, values) for name in dict.fromkeys(slot.law for slot in slots if slot.law)}
    if output is not None:
        with whole_file(output) as part:
            part.write_text(write(found), encoding="utf-8")
        for name, block in fitted.items():
            save(block, law_path(output, name))
    tell(1.0, "done")
    return Calibration(found, fitted, estimates[:len(slots)], estimates[len(slots):], {slot.shown: slot.value(0.0) for slot in slots}, correlations, descent.error, held,
                       joined.shift, descent.evaluations, time.process_time() - began, descent.stop, joined.notes)


def law_path(output: str | Path, element: str) -> Path:
    """Where the fitted law of an element is written.

    Examples
    --------
    >>> law_path("found.cir", "d1").name
    'found.d1.json'
    """
    return Path(output).with_suffix(f".{element}.json")


# -- the descent


class _Match:
    """The comparison: what the recorder adds, the high-pass, the residual and its derivatives."""

    def __init__(self, played, slots, x, y, rate, recorder, high_pass):
        self.played, self.slots, self.x, self.recorder, self.rate, self.high_pass = played, slots, x, recorder, rate, high_pass
        self.evaluations = 0
        self.target = self.filtered(y)[WARM:]
        self.scale = float(np.sqrt(np.mean((self.target - self.target.mean()) ** 2)))
        if not self.scale > 0.0:
            raise FitError("the recording is silent where it is compared")
        self.leash = np.diag([HELD * math.sqrt(len(self.target)) * bool(slot.law) for slot in slots] + [0.0] * len(recorder))
        self.cache: tuple[bytes, np.ndarray] | None = None

    def filtered(self, signal):
        if not self.high_pass:
            return signal
        pole = math.exp(-2.0 * math.pi * self.high_pass / self.rate)
        return lfilter([1.0, -1.0], [1.0, -pole], signal)

    def sound(self, q):
        """What the circuit plays at the coordinates q of its free numbers."""
        key = np.asarray(q).tobytes()
        if self.cache is None or self.cache[0] != key:
            self.evaluations += 1
            self.cache = (key, self.played(q, self.x))
        return self.cache[1]

    def split(self, numbers):
        return dict(zip(self.recorder, numbers[len(self.slots):]))

    def heard(self, sound, numbers):
        """What the recorder makes of it."""
        how = self.split(numbers)
        return how.get("gain", 1.0) * _delayed(sound, how.get("delay", 0.0)) + how.get("offset", 0.0)

    def residual(self, numbers):
        try:
            sound = self.sound(numbers[:len(self.slots)])
        except (ConvergenceError, CircuitError):  # values without a resting point: as bad as can be, so that the step is taken back
            return np.full(len(self.target), 100.0)
        out = (self.filtered(self.heard(sound, numbers))[WARM:] - self.target) / self.scale
        return out if np.isfinite(out).all() else np.full(len(self.target), 100.0)

    def slopes(self, numbers):
        columns, count = [], len(self.slots)
        sound = self.sound(numbers[:count])
        how = self.split(numbers)
        gain, late = how.get("gain", 1.0), how.get("delay", 0.0)
        for k, slot in enumerate(self.slots):
            moved = np.array(numbers)
            low, high = slot.limits()
            moved[k] += STEP if moved[k] + STEP < high else -STEP
            self.evaluations += 1
            change = self.played(moved[:count], self.x) - sound
            columns.append(self.filtered(gain * _delayed(change, late))[WARM:] / (moved[k] - numbers[k]) / self.scale)
        for name in self.recorder:
            if name == "gain":
                column = _delayed(sound, late)
            elif name == "offset":
                column = np.ones(len(sound))
            else:
                column = gain * (_delayed(sound, late + 1e-4) - _delayed(sound, late - 1e-4)) / 2e-4
            columns.append(self.filtered(column)[WARM:] / self.scale)
        return np.column_stack(columns)


def _delayed(sound, delay: float):
    if delay == 0.0:
        return sound
    stage = Delay(float(np.clip(delay, -7.99, 7.99)))
    return stage.run(np.concatenate([sound, np.zeros(Delay.latency)]), stage.rest())[Delay.latency:]


@dataclass(frozen=True, slots=True, eq=False)
class _Descent:
    numbers: np.ndarray
    matrix: np.ndarray
    residual: np.ndarray
    error: float
    evaluations: int
    stop: str
    heard: object
    filtered: object


def _descend(played, slots, x, y, rate, recorder, high_pass, tell) -> _Descent:
    match = _Match(played, slots, x, y, rate, recorder, high_pass)
    sound = match.sound(np.zeros(len(slots)))
    if not np.ptp(sound[WARM:]) > 0.0:
        raise FitError("the circuit is silent with the values of the netlist", mend="Look at its input and output.")
    late = 0.0
    if "delay" in recorder:
        late = float(np.clip(align(sound, y, rate).latency, -REACH, REACH))
    start = {"gain": 1.0, "offset": 0.0, "delay": late}
    if "gain" in recorder:
        a, b = match.filtered(_delayed(sound, late))[WARM:], match.target
        a, b = a - a.mean(), b - b.mean()
        start["gain"] = float(a @ b / (a @ a))
    begin = np.array([0.0] * len(slots) + [start[name] for name in recorder])
    wide = {"gain": (-np.inf, np.inf), "offset": (-np.inf, np.inf), "delay": (-REACH - 0.5, REACH + 0.5)}
    limits = np.array([slot.limits() for slot in slots] + [wide[name] for name in recorder])

    def slopes(numbers):
        tell(0.05 + 0.9 * min(match.evaluations / 120.0, 1.0), f"calibrating: the circuit was played {match.evaluations} times")
        return match.slopes(numbers)

    matrix = slopes(begin)
    dead = [slot.shown for slot, column in zip(slots, matrix.T) if not slot.law and not np.any(column)]
    if dead:
        raise FitError(f"{dead[0]} changes nothing in the output", mend="Leave it out, or turn a control that brings it in.")
    found = least_squares(lambda numbers: np.concatenate([match.residual(numbers), match.leash @ numbers]), begin,
                          jac=lambda numbers: np.vstack([slopes(numbers), match.leash]), bounds=(limits[:, 0], limits[:, 1]), x_scale="jac", max_nfev=60, xtol=1e-9, ftol=1e-9)
    target = match.target - match.target.mean()
    matrix, residual = found.jac[:len(target)], found.fun[:len(target)]
    error = float(residual @ residual * match.scale**2 / (target @ target))
    return _Descent(found.x, matrix, residual, error, match.evaluations, found.message, match.heard, match.filtered)


def _intervals(descent: _Descent, slots, recorder):
    """95 % intervals from the Gauss-Newton matrix, widened by the autocorrelation of the residual; see `graybox.confidence`."""
    A = descent.matrix.T @ descent.matrix
    scale = np.sqrt(np.maximum(np.diag(A), 1e-300))
    eigenvalues, vectors = np.linalg.eigh(A / np.outer(scale, scale))
    weak = eigenvalues < 1e-12 * eigenvalues[-1]
    inverse = np.where(weak, 0.0, 1.0 / np.where(weak, 1.0, eigenvalues))
    covariance = (vectors * inverse) @ vectors.T
    spread = np.sqrt(np.maximum(np.diag(covariance), 0.0))
    noise = descent.residual @ descent.residual / max(len(descent.residual) - len(A), 1) * bartlett(descent.residual)
    half = np.where((vectors[:, weak] ** 2).sum(axis=1) > 1e-6, np.inf, 1.96 * spread / scale * np.sqrt(noise))
    found = [Estimate(slot.shown, slot.value(q), abs(slot.slope(q)) * h) for slot, q, h in zip(slots, descent.numbers, half)]
    found += [Estimate(name, float(q), float(h)) for name, q, h in zip(recorder, descent.numbers[len(slots):], half[len(slots):])]
    return tuple(found), covariance / np.maximum(np.outer(spread, spread), 1e-300)


def _segments(estimate, target, begin: int, rate: float) -> tuple[float, ...]:
    """ESR without the means on stretches of half a second (or of all there is); rests and silent ones are left out."""
    size, found = max(min(int(SEGMENT * rate), len(target) - begin), 1), []
    loud = np.std(target[begin:])
    for at in range(begin, len(target) - size + 1, size):
        e, t = estimate[at:at + size] - target[at:at + size], target[at:at + size]
        e, t = e - e.mean(), t - t.mean()
        if t.std() > 0.01 * loud:
            found.append(float(e @ e / (t @ t)))
    return tuple(found)
