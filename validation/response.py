"""Portrait of one model: what it does to small signals, to tones of growing level, and to a step.

Everything is measured from outside through `Processor.process`; amplitudes are in the unit of the model (volts or full scale),
levels in dB re 1.0.

References
----------
R. Pintelon, J. Schoukens, "System Identification: A Frequency Domain Approach", 2nd ed., 2012, section 2.3: frequency response
    from a periodic multisine, second period.
SMPTE RP 120:2005, IEC 60268-3:2018: intermodulation. E. Czerwinski, A. Voishvillo, S. Alexandrov, A. Terekhov, "Multitone testing
    of sound system components", J. Audio Eng. Soc. 49(11), 2001.
IEEE Std 1057-2017, clause 4.6: harmonics by sine fit, which is a discrete Fourier transform for whole periods.
AES17-2020, 6.3: THD+N, relative to the total.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from circuits.errors import ConvergenceError
from circuits.processor import Processor
from validation.distortion import aliasing, imd_ccif, imd_multitone, imd_smpte, memory_length
from validation.signals import multisine, sine, twin_tone, whole_periods

LEVELS = tuple(range(-60, 1, 6))  # dB re the full level
_TONE = 2048  # samples of one analysis; the tone is whole in it
_N_HARMONICS = 10
_MULTITONE = 16384  # samples of one period of the multisine of third octaves


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """Measured on one Processor.

    Parameters
    ----------
    sample_rate, level : float
        Rate in Hz and the full level (peak) of the tones.
    frequencies, gain, phase : ndarray, shape (n_lines,)
        Small-signal frequency response: Hz, dB, radians (the declared latency is taken out).
    tone : float
        Frequency of the test tone, Hz.
    levels : ndarray, shape (n_levels,)
        Input levels (peak), dB re 1.0.
    harmonics : ndarray, shape (n_levels, n_harmonics)
        Peak amplitudes of fundamental and harmonics for each level.
    thd_n : ndarray, shape (n_levels,)
        THD+N as a ratio.
    aliasing_db : float
        Energy off the harmonic grid at full level for a tone near 5 kHz, dB; -inf if there is none.
    smpte : float
        SMPTE intermodulation at full level, ratio; NaN if 7 kHz does not fit below half the rate.
    static_x, static_y : ndarray, shape (n_points,)
        One period of the tone at full level against its answer, the fundamental brought in phase: a loop only where
        the model shifts its harmonics.
    step_time, step : ndarray, shape (n_points,)
        Answer to a small step, scaled to a step of 1; seconds.
    memory : float
        Seconds until 60 dB of the small impulse response's energy has passed.
    latency : int
        Declared, samples.
    ccif : tuple of float
        CCIF intermodulation (19 and 20 kHz at full level) of second and third order, ratios; NaN if they don't fit.
    multitone : float
        Amplitude off the lines of a multisine of third octaves at full level over that on them.
    """

    sample_rate: float
    level: float
    frequencies: np.ndarray
    gain: np.ndarray
    phase: np.ndarray
    tone: float
    levels: np.ndarray
    harmonics: np.ndarray
    thd_n: np.ndarray
    aliasing_db: float
    smpte: float
    static_x: np.ndarray
    static_y: np.ndarray
    step_time: np.ndarray
    step: np.ndarray
    memory: float
    latency: int = 0
    ccif: tuple[float, float] = (math.nan, math.nan)
    multitone: float = math.nan


def _decibels(values: np.ndarray) -> np.ndarray:
    return 20.0 * np.log10(np.maximum(values, 1e-15))  # 300 dB down is nothing at all


def _answer(processor: Processor, samples: np.ndarray) -> np.ndarray:
    out = processor.process(samples)
    if out.ndim != 1:
        out = out[0]
    if not np.isfinite(out).all():
        raise ConvergenceError("the answer to a test signal is not finite", mend="Lower the level or raise the oversampling.")
    return out


def measure_response(processor: Processor, *, level: float = 1.0, small: float = 1e-3) -> Response:
    """Measure a model from outside; it is reset before and after.

    Parameters
    ----------
    processor : Processor
        Its controls are left as they stand.
    level : float
        Peak of the loudest tone, in the unit of the model.
    small : float
        Peak of what counts as a small signal, as a share of ``level``.

    Returns
    -------
    Response

    Raises
    ------
    ConvergenceError
        If an answer is not finite.
    """
    rate, latency = float(processor.sample_rate), int(processor.latency)

    # small signals: a step from rest, then two periods of a multisine of which the second is steady
    processor.reset()
    rest = _answer(processor, np.zeros(latency + 64))[-1]
    height = small * level
    n_step = int(0.5 * rate)
    step = (_answer(processor, np.full(latency + n_step, height))[latency:] - rest) / height
    size = 1 << int(np.ceil(np.log2(0.6 * rate)))
    top = 0.45 * rate
    wanted = np.unique(np.round(np.geomspace(20.0, top, 240) * size / rate)) * rate / size
    probe = multisine(wanted, size, rate, level=height)
    processor.reset()
    out = _answer(processor, np.concatenate([probe, probe, probe[:latency]]))[latency + size:]
    lines = np.round(wanted * size / rate).astype(int)
    transfer = np.fft.rfft(out)[lines] / np.fft.rfft(probe)[lines]

    # a tone of growing level, each level settled before it is looked at
    tone = whole_periods(1000.0, _TONE, rate)
    periods = round(tone * _TONE / rate)
    count = min(_N_HARMONICS, int(np.ceil(rate / 2.0 / tone)) - 1)
    amplitudes, dirt = [], []
    processor.reset()
    for decibels in LEVELS:
        wave = sine(tone, 3 * _TONE / rate, rate, level=level * 10.0 ** (decibels / 20.0), phase=np.pi / 2)
        heard = _answer(processor, wave)[-_TONE:]
        spectrum = np.fft.rfft(heard) * (2.0 / _TONE)  # whole periods: each harmonic is a bin, and the sine fit is a transform
        fitted = spectrum[periods * np.arange(1, count + 1)]
        total = float(np.sum(np.abs(spectrum[1:]) ** 2))
        amplitudes.append(np.abs(fitted))
        dirt.append(np.sqrt(max(total - abs(fitted[0]) ** 2, 0.0) / total) if np.ptp(heard) > 0.0 else np.nan)

    # the loudest of them as a curve: the period rebuilt from its harmonics with the fundamental in phase
    turn = np.angle(fitted[0])
    theta = np.linspace(0.0, 2.0 * np.pi, 257)
    order = np.arange(1, count + 1)
    static_y = np.real(np.exp(1j * np.outer(theta, order)) @ (fitted * np.exp(-1j * order * turn))) + np.mean(heard)

    high = whole_periods(5000.0, _TONE, rate)
    heard = _answer(processor, sine(high, 3 * _TONE / rate, rate, level=level))[-_TONE:]
    folded = aliasing(heard, high, rate) if np.ptp(heard) > 0.0 else -np.inf
    smpte = np.nan
    if rate > 16000.0:
        heard = _answer(processor, twin_tone(60.0, 7000.0, 0.25, rate, ratio=4.0, level=level))[int(0.05 * rate):]
        smpte = imd_smpte(heard, 60.0, 7000.0, rate) if np.ptp(heard) > 0.0 else smpte
    ccif = (math.nan, math.nan)
    if rate > 41000.0:
        heard = _answer(processor, twin_tone(19000.0, 20000.0, 0.1, rate, level=level))[int(0.05 * rate):]
        ccif = imd_ccif(heard, 19000.0, 20000.0, rate) if np.ptp(heard) > 0.0 else ccif
    tones = 1000.0 * 2.0 ** (np.arange(-15, 14) / 3.0)  # 31 Hz to 20 kHz
    tones = np.unique(np.round(tones[tones < 0.45 * rate] * _MULTITONE / rate)) * rate / _MULTITONE
    probe = multisine(tones, _MULTITONE, rate, level=level)
    heard = _answer(processor, np.concatenate([probe, probe]))[_MULTITONE:]
    multitone = imd_multitone(heard, tones, rate) if np.ptp(heard) > 0.0 else math.nan
    processor.reset()

    impulse = np.diff(step, prepend=0.0)
    thin = np.unique(np.round(np.geomspace(1.0, n_step, 400)).astype(int) - 1)  # a step is looked at on a logarithmic axis
    return Response(rate, float(level), wanted, _decibels(np.abs(transfer)), np.unwrap(np.angle(transfer)), tone,
                    _decibels(level * 10.0 ** (np.array(LEVELS) / 20.0)), np.array(amplitudes), np.array(dirt), folded, smpte,
                    level * np.cos(theta), static_y, thin / rate, step[thin],
                    memory_length(impulse, rate) if np.any(impulse) else 0.0, latency, ccif, multitone)
