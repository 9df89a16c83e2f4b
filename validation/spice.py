"""What ngspice says: any deck, driven by any audio, through ngspice's shared library and its external voltage source.

`render` answers what an endlessly patient simulator says. The samples are the band-limited signal that they stand for: they
are raised to 16 times their rate by a long filter, ngspice asks for that signal whenever its solver wants a value, and
what it says at its own (uneven) time points is interpolated onto the fine grid, band-limited and brought back to the
rate of the input. A list of points (PWL) would do the same in a time that grows with the square of the length.
`Ngspice` is the same as something that a comparison plays; its filters are those of `circuits.rate`, so that it and our engines end alike.

Solver: trapezoidal, relative tolerance 1e-5, 1e-7 V, 1e-12 A, steps of at most a sixteenth of a sample unless told otherwise.
ngspice runs in a process of its own (`validation.spice_worker`), so that a crash or an endless loop there ends with an error here.

Units: volts, seconds, hertz; audio is float64, shape (n_samples,).

References
----------
ngspice 39 user manual, chapter 19 (shared library) and section 4.1.12 (external source).
"""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.signal import firwin, resample_poly, upfirdn

from circuits.errors import CircuitError, ConvergenceError, ModelFileError
from circuits.rate import DELAY, half_band

OVERSAMPLING = 16
OPTIONS = "method=trap reltol=1e-5 vntol=1e-7 abstol=1e-12"
PASS = 21_000.0 / 48_000.0  # edges of the filters, as shares of the sample rate
STOP_UP = 27_000.0 / 48_000.0
STOP_DOWN = 24_000.0 / 48_000.0
_STRETCH = 1 << 18  # points that are interpolated at once
_WORKER = Path(__file__).with_name("spice_worker.py")
_LIBRARIES = ("libngspice.so.0", "libngspice.so", "libngspice.0.dylib", "libngspice.dylib", "ngspice.dll")


def library() -> str | None:
    """Name of ngspice's shared library on this machine, or None."""
    for name in (*_LIBRARIES, ctypes.util.find_library("ngspice")):
        try:
            if name is not None:
                ctypes.CDLL(name)
                return name
        except OSError:
            continue
    return None


def lowpass(stop: float) -> np.ndarray:
    """Linear-phase filter at 16 times the rate, flat to 21 kHz of 48 and 140 dB down from ``stop`` times the rate; odd length."""
    width = (stop - PASS) / (0.5 * OVERSAMPLING)
    taps = int(np.ceil((140.0 - 7.95) / (2.285 * np.pi * width))) | 1
    return firwin(taps, 0.5 * (PASS + stop) / (0.5 * OVERSAMPLING), window=("kaiser", 0.1102 * (140.0 - 8.7)))


def raised(samples: np.ndarray, taps: np.ndarray | None = None) -> np.ndarray:
    """The band-limited signal at 16 times the rate, shape (16 * n_samples,)."""
    return resample_poly(samples, OVERSAMPLING, 1, window=lowpass(STOP_UP) if taps is None else taps)


def lowered(fine: np.ndarray, taps: np.ndarray | None = None) -> np.ndarray:
    """Back to the rate of the samples, band-limited to 22.5 kHz of 48; shape (n_samples,). The offset passes unharmed at the ends."""
    taps = lowpass(STOP_DOWN) if taps is None else taps
    half = len(taps) // 2
    padded = np.concatenate([np.full(half, fine[0]), fine, np.full(half, fine[-1])])
    return upfirdn(taps, padded, 1, 1)[2 * half:2 * half + len(fine)][::OVERSAMPLING]


def interpolated(at: np.ndarray, times: np.ndarray, values: np.ndarray, points: int = 6) -> np.ndarray:
    """Values at other times by Lagrange's polynomial through the nearest six points; shapes (n,), (m,), (m,) to (n,)."""
    if len(at) > _STRETCH:
        return np.concatenate([interpolated(at[k:k + _STRETCH], times, values, points) for k in range(0, len(at), _STRETCH)])
    first = np.clip(np.searchsorted(times, at) - points // 2, 0, len(times) - points)
    index = first[:, None] + np.arange(points)
    t, v = times[index], values[index]
    result = np.zeros(len(at))
    for j in range(points):
        weight = np.ones(len(at))
        for k in range(points):
            if k != j:
                weight *= (at - t[:, k]) / (t[:, j] - t[:, k])
        result += weight * v[:, j]
    return result


def driven(deck: str, stop: float, step: float, *, source: str, saved: list[str], settings: dict[str, float], options: str) -> list[str]:
    """Lines of the deck with its input made external, its parameters set and our analysis in place of its own.

    Title and comments stay behind: a title may ask ngspice to run the deck as commands, and so may a comment.

    Raises
    ------
    CircuitError
        If a setting names no top-level ``.param``.
    """
    lines = ["driven"]
    set_already = set()
    uic = False
    for line in deck.split("\n")[1:]:
        word = line.split()[0].lower() if line.split() else ""
        uic = uic or (word == ".tran" and "uic" in line.lower().split())
        if word.startswith("*") or word in (".tran", ".ac", ".op", ".end", ".print", ".plot"):
            continue
        if word == source.lower():
            name, plus, minus = line.split()[:3]
            line = f"{name} {plus} {minus} external"  # with a DC value beside it, version 39 reads a null pointer
        found = re.match(r"(?i)\.param\s+(\w+)\s*=", line)
        if found and found.group(1) in settings:
            line = f".param {found.group(1)}={settings[found.group(1)]!r}"
            set_already.add(found.group(1))
        lines.append(line)
    missing = set(settings) - set_already
    if missing:
        raise CircuitError(f"the deck has no .param {', '.join(sorted(missing))}", mend="Check the names.")
    lines += [f".options {options}", f".save {' '.join(f'v({node})' for node in saved)}",
              f".tran {step!r} {stop!r} 0 {step!r}" + (" uic" if uic else ""), ".end"]
    return lines


def transient(deck: str, fine: np.ndarray, sample_rate: float, *, output: str | None = None, source: str | None = None,
              settings: dict[str, float] | None = None, options: str = OPTIONS, steps: int = OVERSAMPLING,
              timeout: float = 600.0) -> tuple[np.ndarray, np.ndarray, str]:
    """ngspice's own time points for a signal that is given 16 times a sample.

    Parameters
    ----------
    deck : str
        Text of the deck. A single line is taken as the path of one.
    fine : ndarray, shape (16 * n_samples,), volts
        What the input source gives.
    sample_rate : float, hertz
        Of the samples, not of ``fine``.
    output, source : str, optional
        Node (or ``a,b`` for the voltage between two) and source; by default the deck's ``*@ output`` and ``*@ input``.
    settings : dict, optional
        Values for top-level ``.param`` lines (after any taper).
    options : str
        What stands on the ``.options`` line.
    steps : int
        No step is longer than a sample over this.
    timeout : float
        Seconds.

    Returns
    -------
    times, values : ndarray, shape (n_points,), seconds and volts
    version : str
        What ngspice calls itself.

    Raises
    ------
    ModelFileError
        If ngspice is missing or refuses the deck.
    ConvergenceError
        If it does not reach the end.
    """
    if "\n" not in deck:
        deck = Path(deck).read_text(encoding="ascii")
    name = library()
    if name is None:
        raise ModelFileError("ngspice's shared library is not installed", mend="Install it (Debian: apt install libngspice0), or leave ngspice out.")
    declared = dict(re.findall(r"(?m)^\*@ (input|output) (\S+)", deck))
    nodes = (output or declared["output"]).lower().split(",")
    stop = len(fine) / OVERSAMPLING / sample_rate
    step = 1.0 / (steps * sample_rate)
    lines = driven(deck, stop, step, source=source or declared["input"], saved=nodes, settings=settings or {}, options=options)
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/signal.npy", fine)
        job = {"lines": lines, "rate": OVERSAMPLING * sample_rate, "nodes": nodes, "library": name}
        Path(folder, "deck.json").write_text(json.dumps(job))
        try:
            run = subprocess.run([sys.executable, "-P", str(_WORKER), folder], cwd=folder, capture_output=True, text=True, timeout=timeout)
        except subprocess.TimeoutExpired:
            raise ConvergenceError(f"ngspice came to no end in {timeout:g} s", mend="Give it less audio, or fewer steps a sample.") from None
        said = run.stdout + run.stderr
        if run.returncode != 0 or not Path(folder, "values.npy").exists():
            raise ModelFileError(f"ngspice refused the deck: {_reason(said)}", mend="Simulate the circuit with our own engines.")
        times, values = np.load(f"{folder}/times.npy"), np.load(f"{folder}/values.npy")
    if len(times) < 16 or times[-1] < stop * (1.0 - 1e-9) or not np.isfinite(values).all():
        reached = float(times[-1]) if len(times) else 0.0
        raise ConvergenceError(f"ngspice stopped at {reached:g} s of {stop:g} s: {_reason(said)}", time=reached, mend="Compare without ngspice.")
    keep = np.concatenate([np.diff(times) > 0.0, [True]])  # a repeated time has no polynomial
    version = re.search(r"ngspice-\d+\S*", said)
    return times[keep], values[keep], version.group(0) if version else "ngspice"


def _reason(said: str) -> str:
    """The first line of what ngspice said that looks like the cause, at most 300 characters."""
    lines = [line.removeprefix("stderr ").removeprefix("stdout ").strip() for line in said.splitlines()]
    telling = [line for line in lines if re.search(r"(?i)error|unknown|unable|singular|too small|not found|fatal|no such", line)]
    return " ".join((telling or [line for line in lines if line][-2:])[:2] if lines else ["it said nothing"])[:300]


def render(deck: str, samples: np.ndarray, sample_rate: float = 48_000.0, *, band_limit: bool = True, **how) -> np.ndarray:
    """Voltage of a deck's output for an input signal, from ngspice.

    Parameters
    ----------
    deck : str
        Text of the deck. A single line is taken as the path of one.
    samples : ndarray, shape (n_samples,), volts
        What the input source gives; meant as a band-limited signal, without content above 21 kHz (at 48 kHz).
    sample_rate : float, hertz
    band_limit : bool
        Whether the output passes the 22.5 kHz filter; if not, it is the voltage at the sample times themselves.
    **how
        As for `transient`.

    Returns
    -------
    ndarray, shape (n_samples,), volts

    Raises
    ------
    ModelFileError, ConvergenceError, CircuitError
        As `transient`.
    """
    samples = np.asarray(samples, dtype=float)
    times, values, _ = transient(deck, raised(samples), sample_rate, **how)
    if not band_limit:
        return interpolated(np.arange(len(samples)) / sample_rate, times, values)
    return lowered(interpolated(np.arange(OVERSAMPLING * len(samples)) / (OVERSAMPLING * sample_rate), times, values))


@dataclass(frozen=True, slots=True)
class Ngspice:
    """A deck as something that plays whole recordings (it can't go on from a state, so it is no Processor).

    Parameters
    ----------
    deck : str
        Text, with ``*@ input`` and ``*@ output`` lines. ngspice runs whatever stands in it, ``.control`` blocks too: give only decks that
        `netlists.writer` wrote.
    sample_rate : float
        Hz.
    steps : int
        No step is longer than a sample over this.
    volts : float
        Volts of a full-scale sample, in and out.
    timeout : float
        Seconds.
    """

    deck: str
    sample_rate: float
    steps: int = 8
    volts: float = 1.0
    timeout: float = 3600.0

    def play(self, samples: np.ndarray) -> tuple[np.ndarray, str]:
        """The output for a whole recording, shape (n_samples,), and how it came about.

        The recording is raised and lowered by the filters of `circuits.rate.Oversampled`, without their delay. Silence stands before and behind it, so
        that the circuit starts at rest and the filters can ring out; before the first sample the circuit hears nothing, as there.

        Raises
        ------
        ModelFileError, ConvergenceError
            As `transient`.
        """
        taps, reach = half_band(OVERSAMPLING).ravel()[:DELAY * OVERSAMPLING + 1], DELAY // 2
        heard = np.pad(self.volts * np.asarray(samples, dtype=float), reach)
        fast = raised(heard, taps)
        fast[:reach * OVERSAMPLING] = 0.0
        times, values, version = transient(self.deck, fast, self.sample_rate, steps=self.steps, timeout=self.timeout)
        fine = interpolated(np.arange(OVERSAMPLING * len(heard)) / (OVERSAMPLING * self.sample_rate), times, values)
        return lowered(fine, taps)[reach:-reach] / self.volts, f"played by {version}, steps of at most 1/{self.steps} sample, {OPTIONS}"
