"""A guitar made of numbers: plucked strings by extended Karplus-Strong, a pickup, and a player with six strings.

Each string is a digital waveguide: a delay line, a one-pole damping filter and an allpass for the fraction of a sample.
It is plucked at one point (a comb filter of the excitation) and heard at another (a comb filter of the output), in two
polarisations of slightly different pitch and decay, as real strings have. Levels are arbitrary; times in seconds.

References
----------
D. A. Jaffe and J. O. Smith, "Extensions of the Karplus-Strong plucked-string algorithm", Computer Music Journal 7(2), 1983:
    allpass tuning, pick position, decay stretching.
V. Välimäki, J. Huopaniemi, M. Karjalainen, Z. Jánosy, "Physical modeling of plucked string instruments with application to
    real-time sound synthesis", J. Audio Eng. Soc. 44(5), 1996: one-pole loop filter fitted to decay times, two polarisations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.signal import lfilter

from circuits.errors import SignalError
from circuits.kernels.jit import kernel

OPEN_STRINGS = (40, 45, 50, 55, 59, 64)  # MIDI notes of E2 A2 D3 G3 B3 E4
_BRIGHT_FREQUENCY = 3000.0  # Hz, at which the second decay time is given


@dataclass(frozen=True, slots=True)
class Note:
    """One plucked note.

    Parameters
    ----------
    start, duration : float
        Seconds; the string is damped by the hand at the end.
    string : int
        0 (low E) to 5 (high E).
    fret : int
        0 to 24.
    velocity : float
        0 to 1: level and brightness of the attack.
    palm : float
        0 (open) to 1 (hand on the bridge).
    pick : float
        Where it is plucked, as a share of the string's length from the bridge, 0 to 0.5.
    """

    start: float
    duration: float
    string: int
    fret: int
    velocity: float = 0.8
    palm: float = 0.0
    pick: float = 0.16

    @property
    def frequency(self) -> float:
        """Fundamental, Hz (equal temperament, A4 = 440 Hz)."""
        return 440.0 * 2.0 ** ((OPEN_STRINGS[self.string] + self.fret - 69) / 12.0)


@kernel
def _string(excitation, delay, allpass, gain, pole, out):
    # y[n] = x[n] + A(z) H(z) y[n - delay]; H = gain (1 - pole) / (1 - pole z^-1), A first-order allpass
    line = np.zeros(delay)
    at = 0
    damped = 0.0
    before = 0.0
    tuned = 0.0
    for n in range(len(out)):
        y = line[at]
        damped = gain * (1.0 - pole) * y + pole * damped
        tuned = allpass * (damped - tuned) + before
        before = damped
        y = tuned
        if n < len(excitation):
            y += excitation[n]
        line[at] = y
        at += 1
        if at == delay:
            at = 0
        out[n] = y


def _loop(frequency: float, decay: float, bright_decay: float, sample_rate: float) -> tuple[int, float, float, float]:
    """Delay, allpass coefficient, gain and pole of a loop with a pitch (Hz) and two T60 decay times (s)."""
    w0 = 2.0 * math.pi * frequency / sample_rate
    wh = 2.0 * math.pi * max(_BRIGHT_FREQUENCY, 2.0 * frequency) / sample_rate

    def response(pole, w):
        return (1.0 - pole) / (1.0 - pole * complex(math.cos(w), -math.sin(w)))

    at_pitch = 10.0 ** (-3.0 / (frequency * decay))
    at_bright = 10.0 ** (-3.0 / (frequency * min(bright_decay, decay)))

    def excess(pole):
        return abs(response(pole, wh)) / abs(response(pole, w0)) - at_bright / at_pitch

    pole = brentq(excess, 1e-9, 0.999, xtol=1e-14) if excess(1e-9) > 0.0 > excess(0.999) else 1e-9
    filtered = response(pole, w0)
    gain = min(at_pitch / abs(filtered), 1.0 - 1e-7)
    period = sample_rate / frequency + math.atan2(filtered.imag, filtered.real) / w0  # phase delay of the filter
    delay = int(period - 0.3)
    fraction = period - delay
    # first-order allpass with exactly this phase delay at the pitch (Jaffe and Smith 1983, equation 16)
    allpass = math.sin((1.0 - fraction) * w0 / 2.0) / math.sin((1.0 + fraction) * w0 / 2.0)
    return delay, allpass, gain, pole


def _delayed(samples: np.ndarray, delay: float) -> np.ndarray:
    whole = int(delay)
    share = delay - whole
    out = np.zeros_like(samples)
    out[whole:] += (1.0 - share) * samples[:len(samples) - whole]
    out[whole + 1:] += share * samples[:len(samples) - whole - 1]
    return out


def pluck(note: Note, sample_rate: float, rng: np.random.Generator) -> np.ndarray:
    """Render one note of one string, as the pickup feels it before its electrical resonance.

    Parameters
    ----------
    note : Note
        ``start`` is ignored.
    sample_rate : float
        Hz, at least 8000.
    rng : numpy.random.Generator
        For the scrape of the pick.

    Returns
    -------
    ndarray, shape (n_samples,)
        About 1.0 at its peak for a velocity of 1.

    Raises
    ------
    SignalError
        If the pitch does not fit below the sample rate.

    Examples
    --------
    >>> tone = pluck(Note(0.0, 0.5, string=1, fret=0), 48000.0, np.random.default_rng(1))
    >>> len(tone), bool(np.abs(tone[-100:]).max() < 0.1 * np.abs(tone).max())
    (24000, True)
    """
    frequency = note.frequency
    if sample_rate < 8000.0 or frequency > sample_rate / 16.0:
        raise SignalError(f"a string at {frequency:.0f} Hz can't be made at {sample_rate:.0f} Hz", mend="Use a higher sample rate.")
    n_samples = max(int(round(note.duration * sample_rate)), 1)
    period = sample_rate / frequency
    # the pick: a smooth push, narrower when played harder, and a short scrape of noise
    width = max(int(sample_rate * (0.0011 - 0.0007 * note.velocity) * (1.0 + 1.5 * note.palm)), 4)
    push = np.hanning(width + 2)[1:-1]
    scrape = rng.standard_normal(int(period)) * np.linspace(1.0, 0.0, int(period)) ** 2
    brightness = math.exp(-2.0 * math.pi * (900.0 + 5000.0 * note.velocity) * (1.0 - 0.6 * note.palm) / sample_rate)
    excitation = np.zeros(n_samples)
    excitation[:min(width, n_samples)] += push[:n_samples]
    excitation[:min(len(scrape), n_samples)] += 0.06 * scrape[:n_samples]
    excitation = lfilter([1.0 - brightness], [1.0, -brightness], excitation)
    excitation -= _delayed(excitation, note.pick * period)  # pick position: no partial with a node there, and no DC

    decay = 7.0 * (110.0 / frequency) ** 0.5 * (1.0 - note.palm) + 0.35 * note.palm
    bright_decay = 1.1 * (1.0 - note.palm) + 0.05 * note.palm
    total = np.zeros(n_samples)
    for cents, share, length in ((-0.6, 0.62, 1.0), (0.9, 0.38, 0.55)):
        pitch = frequency * 2.0 ** (cents / 1200.0)
        out = np.empty(n_samples)
        _string(excitation, *_loop(pitch, decay * length, bright_decay * length, sample_rate), out)
        total += share * out
    total -= _delayed(total, 0.27 * period)  # pickup position
    release = min(int(0.012 * sample_rate), n_samples)
    total[n_samples - release:] *= np.cos(np.linspace(0.0, np.pi / 2.0, release)) ** 2
    return note.velocity * total


def play(notes, duration: float, sample_rate: float, rng: np.random.Generator, *, peak: float = 0.5) -> np.ndarray:
    """Play notes on six strings through a magnetic pickup.

    Parameters
    ----------
    notes : iterable of Note
        In any order; notes of one string must not overlap.
    duration : float
        Seconds in all.
    sample_rate : float
        Hz.
    rng : numpy.random.Generator
    peak : float
        Largest absolute sample of the result.

    Returns
    -------
    ndarray, shape (n_samples,)

    Examples
    --------
    >>> riff = play([Note(0.1, 0.3, 0, 3), Note(0.5, 0.3, 0, 5)], 1.0, 48000.0, np.random.default_rng(1))
    >>> riff.shape, round(float(np.abs(riff).max()), 12), bool(np.abs(riff[:4800]).max() == 0.0)
    ((48000,), 0.5, True)
    """
    n_samples = int(round(duration * sample_rate))
    mix = np.zeros(n_samples)
    for note in sorted(notes, key=lambda note: (note.start, note.string)):
        first = int(round(note.start * sample_rate))
        tone = pluck(note, sample_rate, rng)[:max(n_samples - first, 0)]
        mix[first:first + len(tone)] += tone
    mix = lfilter(*_pickup(3200.0, 1.6, sample_rate), mix)
    corner = math.exp(-2.0 * math.pi * 40.0 / sample_rate)
    mix = lfilter([0.5 * (1.0 + corner), -0.5 * (1.0 + corner)], [1.0, -corner], mix)
    largest = float(np.abs(mix).max())
    if largest == 0.0:
        raise SignalError("these notes make no sound", mend="Give notes that start before the end.")
    return mix * (peak / largest)


def _pickup(frequency: float, resonance: float, sample_rate: float):
    """Coil against cable: a resonant second-order low-pass, by the bilinear transform (RBJ's cookbook)."""
    w = 2.0 * math.pi * min(frequency, 0.45 * sample_rate) / sample_rate
    alpha = math.sin(w) / (2.0 * resonance)
    b = np.array([0.5, 1.0, 0.5]) * (1.0 - math.cos(w))
    a = np.array([1.0 + alpha, -2.0 * math.cos(w), 1.0 - alpha])
    return b / a[0], a / a[0]
