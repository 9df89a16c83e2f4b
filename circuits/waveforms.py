"""Sources in time as SPICE writes them: SIN, PULSE, PWL, EXP and SFFM.

Each is a frozen description with its numbers in SPICE's order; `at` gives volts (or amperes) at times in seconds.

References
----------
ngspice manual, section 4.1 "Independent sources for voltage or current".
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Waveform:
    """A source in time.

    Parameters
    ----------
    shape : {"sin", "pulse", "pwl", "exp", "sffm"}
        The function.
    values : tuple of float or Expression
        Its numbers in SPICE's order, missing ones left out at the end.
    """

    shape: str
    values: tuple

    def at(self, times: np.ndarray) -> np.ndarray:
        """Values at times in seconds, shape (n,); every value must be a number by now.

        Examples
        --------
        >>> Waveform("sin", (1.0, 0.5, 1000.0)).at(np.array([0.0, 0.00025]))
        array([1. , 1.5])
        """
        t = np.asarray(times, dtype=np.float64)
        return _SHAPES[self.shape](t, *[float(value) for value in self.values])


def _sine(t, offset=0.0, amplitude=0.0, frequency=0.0, delay=0.0, damping=0.0, phase=0.0):
    start = np.deg2rad(phase)
    late = np.maximum(t - delay, 0.0)
    return offset + amplitude * np.sin(2.0 * np.pi * frequency * late + start) * np.exp(-damping * late)


def _pulse(t, low=0.0, high=0.0, delay=0.0, rise=0.0, fall=0.0, width=np.inf, period=np.inf, cycles=np.inf):
    # SPICE replaces missing or zero edges by one time step; a nanosecond is below any audio step
    rise, fall = max(rise, 1e-9), max(fall, 1e-9)
    late = t - delay
    inside = np.mod(late, period) if np.isfinite(period) and period > 0.0 else late
    corners = np.array([0.0, rise, rise + min(width, 1e12), rise + min(width, 1e12) + fall])
    values = np.interp(inside, corners, np.array([low, high, high, low]))
    return np.where((late < 0.0) | (late > cycles * period if np.isfinite(period) and cycles > 0 else False), low, values)


def _piecewise(t, *points):
    times, values = np.array(points[0::2]), np.array(points[1::2])
    return np.interp(t, times[:len(values)], values)


def _exponential(t, low=0.0, high=0.0, rise_delay=0.0, rise_time=1e-9, fall_delay=np.inf, fall_time=1e-9):
    up = np.where(t > rise_delay, (high - low) * -np.expm1(-np.maximum(t - rise_delay, 0.0) / rise_time), 0.0)
    down = 0.0
    if np.isfinite(fall_delay):
        down = np.where(t > fall_delay, (low - high) * -np.expm1(-np.maximum(t - fall_delay, 0.0) / fall_time), 0.0)
    return low + up + down


def _frequency_modulation(t, offset=0.0, amplitude=0.0, carrier=0.0, index=0.0, signal=0.0):
    return offset + amplitude * np.sin(2.0 * np.pi * carrier * t + index * np.sin(2.0 * np.pi * signal * t))


_SHAPES = {"sin": _sine, "pulse": _pulse, "pwl": _piecewise, "exp": _exponential, "sffm": _frequency_modulation}
