"""What one asks first of a device: is it static, how long does it remember, how much of its output is linear, odd, even and noise?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from circuits.processor import Processor
from graybox.identify import Levels, multisine_response, odd_multisine
from graybox.questions import Memory, Scatter, input_output_scatter, memory_length

_PERIOD = 8192  # samples of the multisine
_BAND = (80.0, 5000.0)  # Hz, of a guitar: what lies above would make every low-pass look like pure memory
_SETTLING = 6  # periods
_BLOCK = 480  # parts of a second of the envelope


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Measured on one Processor.

    Parameters
    ----------
    scatter : Scatter
        Output against input for the multisine; ``thickness`` is 0 for a static device.
    memory : Memory
        Seconds until a tone has settled, and until it is gone.
    levels : Levels
        Shares of linear, odd, even and noise.
    time, envelope : ndarray, shape (n_blocks,)
        Level of the answer to silence, tone, silence: seconds after the tone's start, dB re the tone's end.
    """

    scatter: Scatter
    memory: Memory
    levels: Levels
    time: np.ndarray
    envelope: np.ndarray


def answers(processor: Processor, *, level: float = 1.0, seed: int = 0) -> Answers:
    """Ask a model the three questions; it is reset before each and after.

    Parameters
    ----------
    processor : Processor
    level : float
        Peak of the test signals, in the unit of the model; the tone of the second question is 20 dB below.
    seed : int
        Of the phases.

    Raises
    ------
    FitError
        If nothing comes through.

    Examples
    --------
    >>> from ampwright.models import load, player
    >>> found = answers(player(load("rc_lowpass"), 48000.0))
    >>> bool(found.levels.linear > 0.999999), found.memory.rise < 0.01
    (True, True)
    """
    rate = float(processor.sample_rate)

    def play(samples: np.ndarray) -> np.ndarray:
        processor.reset()
        out = processor.process(np.concatenate([samples, np.zeros(processor.latency)]))
        return (out if out.ndim == 1 else out[0])[processor.latency:]

    period = odd_multisine(_PERIOD, rate, np.random.default_rng(seed), low=_BAND[0], high=_BAND[1])
    scale = level / np.max(np.abs(period.period))
    sine = type(period)(period.period * scale, period.lines, rate)
    levels = multisine_response(play, sine, settle=_SETTLING)
    x = np.tile(sine.period, 4)
    scatter = input_output_scatter(x[_PERIOD:], play(x)[_PERIOD:], bins=80)
    memory = memory_length(play, rate, level=0.1 * level)
    processor.reset()
    size = max(int(rate) // _BLOCK, 1)
    third = len(memory.output) // 3
    power = np.mean(memory.output[:len(memory.output) // size * size].reshape(-1, size) ** 2, axis=1)
    end = np.mean(memory.output[third + third // 2:2 * third] ** 2)
    time = (np.arange(len(power)) * size - third) / rate
    return Answers(scatter, memory, levels, time, 10.0 * np.log10(np.maximum(power / end, 1e-30)))


HEADS = ("not static %", "tone settles ms", "tone is gone ms", "linear %", "odd %", "even %", "noise %")


def row(one: Answers) -> tuple[str, ...]:
    """The numbers under `HEADS`, as text."""
    shares = (one.levels.linear, one.levels.odd, one.levels.even, one.levels.noise)
    return (f"{100.0 * one.scatter.thickness:.3g}", f"{1e3 * one.memory.rise:.3g}", f"{1e3 * one.memory.fall:.3g}", *(f"{100.0 * share:.3g}" for share in shares))
