"""Knobs and switches: what a person turns, and how a position becomes the value of a parameter.

A control's *position* is what the panel shows, inside ``minimum..maximum``; the *value* is what the netlist's parameter
gets. For a linear taper they are equal. Tapers map the share of the travel ``p`` (0..1) to the share of the range:

- ``log`` (audio): ``(81**p - 1) / 80``, which is a tenth at the middle of the travel;
- ``antilog``: ``1 - log(1 - p)``;
- ``s``: ``log`` in the lower half, ``antilog`` in the upper half, each over half the range.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from circuits.errors import CircuitError

TAPERS = ("lin", "log", "antilog", "s")
_BASE = 81.0  # (81**0.5 - 1) / 80 = 0.1: the usual "10 % at half travel" of audio potentiometers


def _log(p: float) -> float:
    return (_BASE**p - 1.0) / (_BASE - 1.0)


def _unlog(r: float) -> float:
    return math.log1p((_BASE - 1.0) * r) / math.log(_BASE)


@dataclass(frozen=True, slots=True)
class Control:
    """One knob (continuous) or switch (whole positions).

    Parameters
    ----------
    name : str
        Name of the parameter that it sets.
    minimum, maximum : float
        Range of position and of value, in ``unit``.
    position : float
        Where it stands, in ``minimum..maximum``.
    taper : {"lin", "log", "antilog", "s"}
        Law from position to value.
    label, unit : str
        What the panel says.
    switch : bool
        True if only whole positions exist.

    Raises
    ------
    CircuitError
        If the range is empty, the taper unknown or the position out of range.

    Examples
    --------
    >>> volume = Control("volume", taper="log", position=0.5)
    >>> round(volume.value, 6)
    0.1
    """

    name: str
    minimum: float = 0.0
    maximum: float = 1.0
    position: float = 0.5
    taper: str = "lin"
    label: str = ""
    unit: str = ""
    switch: bool = False

    def __post_init__(self):
        if not (math.isfinite(self.minimum) and math.isfinite(self.maximum) and self.minimum < self.maximum):
            raise CircuitError(f"control {self.name}: the range {self.minimum:g}..{self.maximum:g} is empty")
        if self.taper not in TAPERS:
            raise CircuitError(f"control {self.name}: unknown taper {self.taper!r}", mend=f"Use one of {', '.join(TAPERS)}.")
        self.check(self.position)

    def check(self, position: float) -> float:
        """Return the position as a float; raises CircuitError if it is out of range."""
        position = float(position)
        if not self.minimum <= position <= self.maximum:
            raise CircuitError(f"control {self.name}: {position:g} is out of range",
                               mend=f"Give a position from {self.minimum:g} to {self.maximum:g}.")
        if self.switch and position != round(position):
            raise CircuitError(f"control {self.name} is a switch and has no position {position:g}",
                               mend=f"Give a whole number from {self.minimum:g} to {self.maximum:g}.")
        return position

    @property
    def value(self) -> float:
        """Value of the parameter at the present position."""
        return self.value_at(self.position)

    def value_at(self, position: float) -> float:
        """Value of the parameter at a position; both in ``minimum..maximum``."""
        if self.taper == "lin" or self.switch:
            return float(position)
        span = self.maximum - self.minimum
        p = (position - self.minimum) / span
        if self.taper == "log":
            share = _log(p)
        elif self.taper == "antilog":
            share = 1.0 - _log(1.0 - p)
        else:
            share = 0.5 * _log(2.0 * p) if p < 0.5 else 1.0 - 0.5 * _log(2.0 - 2.0 * p)
        return self.minimum + span * min(max(share, 0.0), 1.0)

    def position_of(self, value: float) -> float:
        """Position at which the parameter has this value: the inverse of `value_at`."""
        if self.taper == "lin" or self.switch:
            return float(value)
        span = self.maximum - self.minimum
        r = (value - self.minimum) / span
        if self.taper == "log":
            p = _unlog(r)
        elif self.taper == "antilog":
            p = 1.0 - _unlog(1.0 - r)
        else:
            p = 0.5 * _unlog(2.0 * r) if r < 0.5 else 1.0 - 0.5 * _unlog(2.0 - 2.0 * r)
        return self.minimum + span * min(max(p, 0.0), 1.0)
