"""References from ngspice: any deck, driven by any audio, through ngspice's shared library and its external voltage source.

`render` answers what an endlessly patient simulator says. The samples are the band-limited signal that they stand for: they
are raised to 16 times their rate by a long filter, ngspice asks for that signal whenever its solver wants a value, and
what it says at its own (uneven) time points is interpolated onto the fine grid, band-limited and brought back to the
rate of the input. A list of points (PWL) would do the same in a time that grows with the square of the length.

Solver: trapezoidal, relative tolerance 1e-5, 1e-7 V, 1e-12 A, steps of at most a sixteenth of a sample.
ngspice runs in a process of its own (this file as a program), so that a crash or an endless loop there ends with an error here.

Units: volts, seconds, hertz; audio is float64, shape (n_samples,).

References
----------
ngspice 39 user manual, chapter 19 (shared library: ngSpice_Init_Sync, GetVSRCData) and section 4.1.12 (external source).
"""

from __future__ import annotations

import ctypes
import ctypes.util
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy.signal import firwin, resample_poly, upfirdn

OVERSAMPLING = 16
OPTIONS = "method=trap reltol=1e-5 vntol=1e-7 abstol=1e-12"
PASS = 21_000.0 / 48_000.0  # edges of the filters, as shares of the sample rate
STOP_UP = 27_000.0 / 48_000.0
STOP_DOWN = 24_000.0 / 48_000.0


class NgspiceError(RuntimeError):
    """ngspice refused the deck, did not converge or did not end; the text is what it said."""


def library() -> str | None:
    """Name of ngspice's shared library on this machine, or None."""
    for name in ("libngspice.so.0", "libngspice.so", "libngspice.0.dylib", "libngspice.dylib"):
        try:
            ctypes.CDLL(name)
            return name
        except OSError:
            continue
    return ctypes.util.find_library("ngspice")


def lowpass(stop: float) -> np.ndarray:
    """Linear-phase filter at 16 times the rate, flat to 21 kHz of 48 and 140 dB down from ``stop`` times the rate; odd length."""
    width = (stop - PASS) / (0.5 * OVERSAMPLING)
    taps = int(np.ceil((140.0 - 7.95) / (2.285 * np.pi * width))) | 1
    return firwin(taps, 0.5 * (PASS + stop) / (0.5 * OVERSAMPLING), window=("kaiser", 0.1102 * (140.0 - 8.7)))


def raised(samples: np.ndarray) -> np.ndarray:
    """The band-limited signal at 16 times the rate, shape (16 * n_samples,)."""
    return resample_poly(samples, OVERSAMPLING, 1, window=lowpass(STOP_UP))


def lowered(fine: np.ndarray) -> np.ndarray:
    """Back to the rate of the samples, band-limited to 22.5 kHz of 48; shape (n_samples,). The offset passes unharmed at the ends."""
    taps = lowpass(STOP_DOWN)
    half = len(taps) // 2
    padded = np.concatenate([np.full(half, fine[0]), fine, np.full(half, fine[-1])])
    return upfirdn(taps, padded, 1, 1)[2 * half:2 * half + len(fine)][::OVERSAMPLING]


def interpolated(at: np.ndarray, times: np.ndarray, values: np.ndarray, points: int = 6) -> np.ndarray:
    """Values at other times by Lagrange's polynomial through the nearest six points; shapes (n,), (m,), (m,) to (n,)."""
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
    """Lines of the deck with its input made external, its parameters set and our analysis in place of its own."""
    lines = []
    set_already = set()
    for line in deck.splitlines():
        word = line.split()[0].lower() if line.split() else ""
        if word in (".tran", ".ac", ".op", ".end", ".print", ".plot"):
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
        raise ValueError(f"the deck has no .param {', '.join(sorted(missing))}")
    lines += [f".options {options}", f".save {' '.join(f'v({node})' for node in saved)}",
              f".tran {step!r} {stop!r} 0 {step!r}", ".end"]
    return lines


def render(deck: str, samples: np.ndarray, sample_rate: float = 48_000.0, *, output: str | None = None, source: str | None = None,
           settings: dict[str, float] | None = None, options: str = OPTIONS, band_limit: bool = True,
           timeout: float = 600.0) -> np.ndarray:
    """Voltage of a deck's output for an input signal, from ngspice.

    Parameters
    ----------
    deck : str
        Text of the deck. A single line is taken as the path of one.
    samples : ndarray, shape (n_samples,), volts
        What the input source gives; meant as a band-limited signal, without content above 21 kHz (at 48 kHz).
    sample_rate : float, hertz
    output, source : str, optional
        Node and source; by default the deck's ``*@ output`` and ``*@ input``.
    settings : dict, optional
        Values for top-level ``.param`` lines (after any taper).
    options : str
        What stands on the ``.options`` line.
    band_limit : bool
        Whether the output passes the 22.5 kHz filter; if not, it is the voltage at the sample times themselves.

    Returns
    -------
    ndarray, shape (n_samples,), volts

    Raises
    ------
    NgspiceError
        If ngspice is missing, refuses the deck or does not reach the end.
    """
    if "\n" not in deck:
        deck = Path(deck).read_text(encoding="ascii")
    declared = dict(re.findall(r"(?m)^\*@ (input|output) (\S+)", deck))
    output = output or declared["output"]
    source = source or declared["input"]
    samples = np.asarray(samples, dtype=float)
    step = 1.0 / (OVERSAMPLING * sample_rate)
    stop = len(samples) / sample_rate
    lines = driven(deck, stop, step, source=source, saved=[output], settings=settings or {}, options=options)
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/signal.npy", raised(samples))
        Path(folder, "deck.json").write_text(json.dumps({"lines": lines, "step": step, "node": output.lower()}))
        try:
            run = subprocess.run([sys.executable, __file__, folder], capture_output=True, text=True, timeout=timeout)
        except subprocess.TimeoutExpired:
            raise NgspiceError(f"no end after {timeout:g} s") from None
        if run.returncode != 0 or not os.path.exists(f"{folder}/values.npy"):
            raise NgspiceError((run.stdout + run.stderr)[-2000:])
        times, values = np.load(f"{folder}/times.npy"), np.load(f"{folder}/values.npy")
    if times[-1] < stop * (1.0 - 1e-9) or not np.isfinite(values).all():
        raise NgspiceError(f"ngspice stopped at {times[-1]:g} s of {stop:g} s\n{run.stdout[-2000:]}")
    keep = np.concatenate([np.diff(times) > 0.0, [True]])  # a repeated time has no polynomial
    times, values = times[keep], values[keep]
    if not band_limit:
        return interpolated(np.arange(len(samples)) / sample_rate, times, values)
    return lowered(interpolated(np.arange(OVERSAMPLING * len(samples)) * step, times, values))


def _work(folder: str) -> int:
    """Run one deck in this process; reads deck.json and signal.npy, writes times.npy and values.npy."""
    from numba import carray, cfunc, types  # only the worker needs a compiled call-back

    job = json.loads(Path(folder, "deck.json").read_text())
    signal = np.load(f"{folder}/signal.npy")
    rate = 1.0 / job["step"]
    # What the call-back sees: rate, length, then the signal.
    shared = np.concatenate([[rate, float(len(signal))], signal])

    @cfunc(types.int32(types.CPointer(types.float64), types.float64, types.voidptr, types.int32, types.CPointer(types.float64)))
    def volts(answer, time, name, ident, user):
        head = carray(user, 2)
        count = int(head[1])
        data = carray(user, count + 2)
        place = time * head[0]
        whole = int(place)
        if whole < 1:
            whole = 1
        if whole > count - 3:
            whole = count - 3
        u = place - whole
        a, b, c, d = data[whole + 1], data[whole + 2], data[whole + 3], data[whole + 4]
        # Lagrange's cubic through the points at -1, 0, 1, 2.
        carray(answer, 1)[0] = (-a * u * (u - 1.0) * (u - 2.0) / 6.0 + b * (u + 1.0) * (u - 1.0) * (u - 2.0) / 2.0
                                - c * (u + 1.0) * u * (u - 2.0) / 2.0 + d * (u + 1.0) * u * (u - 1.0) / 6.0)
        return 0

    spice = ctypes.CDLL(library())
    said: list[str] = []
    speak = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p)
    leave = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_bool, ctypes.c_bool, ctypes.c_int, ctypes.c_void_p)

    @speak
    def hear(text, ident, user):
        said.append(text.decode("utf-8", "replace"))
        return 0

    @leave
    def gone(status, now, quit_, ident, user):
        print("\n".join(said))
        sys.stdout.flush()
        os._exit(3)

    class Complex(ctypes.Structure):
        _fields_ = [("real", ctypes.c_double), ("imag", ctypes.c_double)]

    class Vector(ctypes.Structure):
        _fields_ = [("name", ctypes.c_char_p), ("type", ctypes.c_int), ("flags", ctypes.c_short),
                    ("real", ctypes.POINTER(ctypes.c_double)), ("complex", ctypes.POINTER(Complex)), ("length", ctypes.c_int)]

    spice.ngSpice_Command.argtypes = [ctypes.c_char_p]
    spice.ngGet_Vec_Info.restype = ctypes.POINTER(Vector)
    spice.ngGet_Vec_Info.argtypes = [ctypes.c_char_p]
    spice.ngSpice_Init(hear, None, gone, None, None, None, None)
    user = ctypes.c_void_p(shared.ctypes.data)
    spice.ngSpice_Init_Sync(ctypes.c_void_p(volts.address), None, None, ctypes.byref(ctypes.c_int(0)), user)
    lines = (ctypes.c_char_p * (len(job["lines"]) + 1))(*[line.encode("ascii") for line in job["lines"]], None)
    refused = spice.ngSpice_Circ(lines)
    if refused == 0:
        spice.ngSpice_Command(b"run")
    for name, file in (("time", "times"), (f"v({job['node']})", "values")):
        vector = None if refused else spice.ngGet_Vec_Info(name.encode("ascii"))
        if not vector:
            print("\n".join(said))
            return 3
        np.save(f"{folder}/{file}.npy", np.ctypeslib.as_array(vector.contents.real, (vector.contents.length,)).copy())
    print("\n".join(said))
    return 0


if __name__ == "__main__":
    sys.exit(_work(sys.argv[1]))
