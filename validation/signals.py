"""Signals to test with: sines, sweeps, multisines, noise, steps, squares, twin tones and three guitar phrases.

``python -m validation.signals --output DIR`` writes the phrases that ship in ``validation/phrases/`` again.
Conventions: arrays of float64, shape (n_samples,); levels are peak values unless said otherwise; rates and frequencies in Hz.

References
----------
A. Novak, P. Lotton, L. Simon, "Synchronized swept-sine: theory, application, and implementation",
    J. Audio Eng. Soc. 63(10), 2015: the sweep, equations 33 and 47.
M. R. Schroeder, "Synthesis of low-peak-factor signals and binary sequences with low autocorrelation",
    IEEE Trans. Information Theory 16(1), 1970: phases of the multisine.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np

from circuits.errors import SignalError
from validation.audio import Audio, read_audio, write_audio
from validation.plucked import Note, play

PHRASES = ("single-notes", "chords", "palm-mutes")
SWEEP = "sweep"
FOLDER = Path(__file__).parent / "phrases"
_SEED = 1983  # the year of the extended Karplus-Strong algorithm; the shipped files are made with it


def _times(duration: float, sample_rate: float) -> np.ndarray:
    if not (sample_rate > 0 and duration > 0):
        raise SignalError(f"no signal lasts {duration} s at {sample_rate} Hz", mend="Give positive numbers.")
    return np.arange(int(round(duration * sample_rate))) / sample_rate


def whole_periods(frequency: float, n_samples: int, sample_rate: float) -> float:
    """Frequency nearest to the one given that has a whole, odd number of periods in ``n_samples``.

    Then a discrete Fourier transform needs no window, and no two samples of the sine repeat for even ``n_samples``.

    Examples
    --------
    >>> whole_periods(1000.0, 48000, 48000.0), whole_periods(1000.0, 4800, 48000.0)
    (1001.0, 1010.0)
    """
    periods = 2 * int(frequency * n_samples / sample_rate / 2.0) + 1
    return periods * sample_rate / n_samples


def sine(frequency: float, duration: float, sample_rate: float, *, level: float = 1.0, phase: float = 0.0) -> np.ndarray:
    """``level * sin(2 pi frequency t + phase)``.

    Examples
    --------
    >>> sine(1000.0, 0.001, 4000.0).round(12).tolist()
    [0.0, 1.0, 0.0, -1.0]
    """
    return level * np.sin(2.0 * np.pi * frequency * _times(duration, sample_rate) + phase)


def twin_tone(low: float, high: float, duration: float, sample_rate: float, *, ratio: float = 1.0, level: float = 1.0) -> np.ndarray:
    """Two sines whose amplitudes are as ``ratio`` (low to high) and whose largest possible sum is ``level``.

    SMPTE RP 120 has 60 Hz and 7 kHz at 4 to 1; CCIF (IEC 60268-3) has 19 and 20 kHz at 1 to 1.

    Examples
    --------
    >>> tone = twin_tone(60.0, 7000.0, 0.1, 48000.0, ratio=4.0)
    >>> bool(np.abs(tone).max() <= 1.0)
    True
    """
    t = _times(duration, sample_rate)
    a, b = ratio / (1.0 + ratio), 1.0 / (1.0 + ratio)
    return level * (a * np.sin(2.0 * np.pi * low * t) + b * np.sin(2.0 * np.pi * high * t))


def square(frequency: float, duration: float, sample_rate: float, *, level: float = 1.0) -> np.ndarray:
    """A square wave, plus or minus ``level``, with its edges on samples (not band-limited: it is a test of endurance).

    Examples
    --------
    >>> square(1.0, 1.0, 4.0).tolist()
    [1.0, 1.0, -1.0, -1.0]
    """
    return np.where((_times(duration, sample_rate) * frequency) % 1.0 < 0.5, level, -level)


def steps(levels, hold: float, sample_rate: float) -> np.ndarray:
    """Each level held for ``hold`` seconds.

    Examples
    --------
    >>> steps([0.0, 10.0], 0.5, 4.0).tolist()
    [0.0, 0.0, 10.0, 10.0]
    """
    return np.repeat(np.asarray(levels, dtype=np.float64), len(_times(hold, sample_rate)))


def noise(duration: float, sample_rate: float, rng: np.random.Generator, *, level: float = 1.0) -> np.ndarray:
    """White Gaussian noise with the standard deviation ``level``.

    Examples
    --------
    >>> noise(1.0, 1000.0, np.random.default_rng(1)).shape
    (1000,)
    """
    return level * rng.standard_normal(len(_times(duration, sample_rate)))


def sweep_rate(start: float, stop: float, duration: float) -> float:
    """Seconds in which the synchronised sweep's frequency grows by e: Novak 2015, equation 47."""
    if not 0.0 < start < stop:
        raise SignalError(f"a sweep can't go from {start} Hz to {stop} Hz", mend="Give 0 < start < stop.")
    return max(round(start * duration / math.log(stop / start)), 1) / start


def sweep(start: float, stop: float, duration: float, sample_rate: float, *, level: float = 1.0, fade: float = 0.0) -> np.ndarray:
    """Exponential synchronised sweep: its harmonics are the sweep itself, shifted in time.

    Parameters
    ----------
    start, stop : float
        Hz.
    duration : float
        Seconds; made exact to the nearest period of ``start``, so the result may be longer or shorter by a little.
    level : float
        Peak.
    fade : float
        Seconds of raised-cosine fade at both ends.

    Examples
    --------
    >>> x = sweep(20.0, 20000.0, 1.0, 48000.0)
    >>> x[0] == 0.0, bool(abs(len(x) / 48000.0 - 1.0) < 0.2)
    (np.True_, True)
    """
    rate = sweep_rate(start, stop, duration)
    t = _times(rate * math.log(stop / start), sample_rate)
    x = level * np.sin(2.0 * np.pi * start * rate * np.expm1(t / rate))  # equation 33; start * rate is whole
    edge = min(int(fade * sample_rate), len(x) // 2)
    if edge:
        ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(edge) / edge)
        x[:edge] *= ramp
        x[len(x) - edge:] *= ramp[::-1]
    return x


def shipped_sweep() -> Audio:
    """Eight seconds of synchronised sweep from 20 Hz to 20 kHz at half of full scale and 48 kHz, half a second of silence behind: for Hammerstein kernels.

    Examples
    --------
    >>> shipped_sweep().sample_rate
    48000.0
    """
    return Audio(np.concatenate([sweep(20.0, 20000.0, 8.0, 48000.0, level=0.5), np.zeros(24000)]), 48000.0)


def multisine(frequencies, n_samples: int, sample_rate: float, *, level: float = 1.0, rng: np.random.Generator | None = None) -> np.ndarray:
    """Sum of equal sines, each moved to a whole number of periods in ``n_samples``.

    Parameters
    ----------
    frequencies : array_like of float
        Hz, below half the rate; those that fall on the same bin count once.
    level : float
        Peak of the sum.
    rng : numpy.random.Generator, optional
        Draws random phases; without it Schroeder's phases (1970) keep the crest factor low.

    Examples
    --------
    >>> x = multisine([100.0, 200.0, 300.0], 4800, 48000.0)
    >>> np.flatnonzero(np.abs(np.fft.rfft(x)) > 1.0).tolist()
    [10, 20, 30]
    """
    bins = np.unique(np.round(np.asarray(frequencies, dtype=np.float64) * n_samples / sample_rate).astype(int))
    if bins.size == 0 or bins[0] < 1 or bins[-1] >= n_samples / 2:
        raise SignalError("the frequencies of a multisine lie above 0 Hz and below half the sample rate",
                          mend="Give others, or more samples.")
    if rng is None:
        order = np.arange(1, bins.size + 1)
        phases = -np.pi * order * (order - 1) / bins.size
    else:
        phases = rng.uniform(0.0, 2.0 * np.pi, bins.size)
    spectrum = np.zeros(n_samples // 2 + 1, dtype=complex)
    spectrum[bins] = np.exp(1j * phases)
    x = np.fft.irfft(spectrum, n_samples)
    return x * (level / np.abs(x).max())


def _single_notes(rng: np.random.Generator) -> list[Note]:
    """A line in E minor over all six strings, quarter to sixteenth notes, from soft to hard."""
    line = ((0, 0), (0, 3), (1, 0), (1, 2), (2, 0), (2, 2), (3, 0), (3, 2), (4, 0), (4, 3), (5, 0), (5, 3),
            (5, 12), (5, 15), (4, 12), (4, 15), (3, 14), (3, 12), (2, 14), (2, 12), (1, 14), (0, 12), (0, 3), (0, 0))
    lengths = (2, 2, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2, 4, 2, 2, 1, 1, 1, 1, 2, 2, 2, 2, 8)
    notes, at = [], 0.05
    for k, ((string, fret), length) in enumerate(zip(line, lengths)):
        duration = 0.21 * length
        velocity = float(np.clip(0.35 + 0.6 * k / len(line) + 0.06 * rng.standard_normal(), 0.2, 1.0))
        notes.append(Note(at + 0.004 * rng.random(), duration * 0.94, string, fret, velocity, pick=0.12 + 0.1 * rng.random()))
        at += duration
    return notes


_SHAPES = {"E": (0, 2, 2, 1, 0, 0), "A": (None, 0, 2, 2, 2, 0), "D": (None, None, 0, 2, 3, 2), "G": (3, 2, 0, 0, 0, 3),
           "C": (None, 3, 2, 0, 1, 0), "Em": (0, 2, 2, 0, 0, 0), "E5": (0, 2, 2, None, None, None),
           "G5": (3, 5, 5, None, None, None), "A5": (None, 0, 2, 2, None, None)}


def _strum(shape: str, at: float, duration: float, velocity: float, rng: np.random.Generator, *, palm: float = 0.0, up: bool = False):
    strings = [(string, fret) for string, fret in enumerate(_SHAPES[shape]) if fret is not None]
    for k, (string, fret) in enumerate(reversed(strings) if up else strings):
        late = k * (0.006 if palm else 0.013) + 0.003 * rng.random()
        hard = float(np.clip(velocity * (1.0 + 0.08 * rng.standard_normal()), 0.1, 1.0))
        yield Note(at + late, duration - late - 0.02, string, fret, hard, palm, 0.14 + 0.06 * rng.random())


def _chords(rng: np.random.Generator) -> list[Note]:
    """Open chords: strummed, let ring, soft to hard, ending in a long E major."""
    notes, at = [], 0.05
    for k, (shape, length, velocity) in enumerate((
            ("Em", 1.3, 0.35), ("C", 1.3, 0.45), ("G", 0.65, 0.6), ("G", 0.65, 0.5), ("D", 1.3, 0.65),
            ("A", 0.65, 0.8), ("A", 0.325, 0.6), ("A", 0.325, 0.85), ("E5", 0.65, 0.95), ("G5", 0.65, 0.95), ("E", 2.6, 1.0))):
        notes += _strum(shape, at, length, velocity, rng, up=k in (3, 6))
        at += length
    return notes


def _palm_mutes(rng: np.random.Generator) -> list[Note]:
    """Chugging eighths on the low E string between power chords, at 140 beats a minute."""
    notes, at, beat = [], 0.05, 60.0 / 140.0
    for bar in range(6):
        for eighth in range(8):
            accent = eighth in ((0, 3, 6) if bar % 2 == 0 else (0, 5))
            if accent:
                shape = ("E5", "G5", "A5")[(bar + eighth) % 3]
                notes += _strum(shape, at, beat / 2.0, 0.9, rng, palm=0.15 if eighth else 0.0)
            else:
                hard = float(np.clip(0.75 + 0.08 * rng.standard_normal(), 0.3, 1.0))
                notes.append(Note(at + 0.003 * rng.random(), beat / 2.0 - 0.01, 0, 0 if bar < 3 else 1, hard,
                                  0.8 + 0.2 * rng.random(), 0.1 + 0.04 * rng.random()))
            at += beat / 2.0
    return notes


_PLAYERS = {"single-notes": _single_notes, "chords": _chords, "palm-mutes": _palm_mutes}


def phrase(name: str, sample_rate: float, rng: np.random.Generator) -> np.ndarray:
    """Play one of the guitar phrases on the plucked-string model.

    Parameters
    ----------
    name : {"single-notes", "chords", "palm-mutes"}
    sample_rate : float
        Hz.
    rng : numpy.random.Generator
        The hand of the player: small variations of time, force and place.

    Returns
    -------
    ndarray, shape (n_samples,)
        At least 10 s, peak 0.5.

    Raises
    ------
    SignalError
        For an unknown name.

    Examples
    --------
    >>> phrase("reggae", 48000.0, np.random.default_rng(1))
    Traceback (most recent call last):
    circuits.errors.SignalError: there is no phrase 'reggae'. Phrases: single-notes, chords, palm-mutes.
    """
    if name not in _PLAYERS:
        raise SignalError(f"there is no phrase {name!r}", mend=f"Phrases: {', '.join(PHRASES)}.")
    notes = _PLAYERS[name](rng)
    end = max(note.start + note.duration for note in notes)
    return play(notes, max(10.0, end + 0.1), sample_rate, rng)


def shipped_phrase(name: str) -> Audio:
    """Read a phrase that ships: 48 kHz, mono.

    Examples
    --------
    >>> shipped_phrase("chords").sample_rate
    48000.0
    """
    if name not in _PLAYERS:
        raise SignalError(f"there is no phrase {name!r}", mend=f"Phrases: {', '.join(PHRASES)}.")
    return read_audio(FOLDER / f"{name}.flac")


def make_shipped_phrase(name: str) -> np.ndarray:
    """Make a shipped phrase again, at 48 kHz; the files hold it rounded to 24 bits."""
    return phrase(name, 48000.0, np.random.default_rng([_SEED, PHRASES.index(name)]))


def write_phrases(folder) -> list[Path]:
    """Write all phrases as 24-bit FLAC into a folder and return their paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return [write_audio(folder / f"{name}.flac", make_shipped_phrase(name), 48000, subtype="pcm24") for name in PHRASES]


def main(arguments=None) -> None:
    """Command line: write the shipped phrases again."""
    parser = argparse.ArgumentParser(prog="python -m validation.signals", description=write_phrases.__doc__)
    parser.add_argument("--output", required=True, help="folder to write to")
    write_phrases(parser.parse_args(arguments).output)


if __name__ == "__main__":
    main()
