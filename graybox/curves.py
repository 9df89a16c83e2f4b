"""Static curves that stand between the filters of a block: each is a law with its slope and, where known, its integral.

A curve is a frozen description: ``value(x)``, ``jet(x)`` (value, slope, derivatives for its numbers) and ``integral(x)``
(an antiderivative for antialiasing, or None where there is no closed form). Arrays are (n_samples,), in volts or full
scale as the block is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable, ClassVar

import numpy as np
from scipy.interpolate import CubicHermiteSpline

from circuits.errors import FitError
from graybox import laws
from graybox.parameters import Parameter


def _room(x, columns):
    return np.empty(len(x)), np.empty(len(x)), np.empty((len(x), columns))


@dataclass(frozen=True, slots=True)
class Tanh:
    """gain (tanh(drive x + bias) - tanh(bias)): zero at rest.

    Examples
    --------
    >>> Tanh(drive=2.0).value(np.array([0.0, 0.5])).round(6)
    array([0.      , 0.761594])
    """

    drive: float = 1.0
    bias: float = 0.0
    gain: float = 1.0
    fixed: tuple[str, ...] = ()
    kind: ClassVar[str] = "tanh"
    PARAMETERS: ClassVar = (Parameter("gain"), Parameter("drive"), Parameter("bias"))

    @property
    def _units(self):
        return np.array([self.gain]), np.array([self.drive]), np.array([self.bias])

    def value(self, x):
        return laws.value_tanh_sum(x, *self._units, 0.0)

    def jet(self, x):
        y, slope, own = _room(x, 4)
        laws.jet_tanh_sum(x, *self._units, 0.0, y, slope, own)
        return y, slope, own[:, 1:]

    def integral(self, x):
        return laws.integral_tanh_sum(x, *self._units, 0.0)


@dataclass(frozen=True, slots=True)
class TanhSum:
    """Net with one hidden layer: offset + sum of weight (tanh(gain x + shift) - tanh(shift)); bounded outside its data.

    ``monotone`` keeps every weight and gain positive. ``offset`` is the value at rest, fixed by default.
    """

    weight: tuple[float, ...]
    gain: tuple[float, ...]
    shift: tuple[float, ...]
    offset: float = 0.0
    monotone: bool = False
    fixed: tuple[str, ...] = ("offset",)
    kind: ClassVar[str] = "tanh-sum"
    PARAMETERS: ClassVar = (Parameter("offset"), Parameter("weight"), Parameter("gain"), Parameter("shift"))

    def __post_init__(self):
        if not len(self.weight) == len(self.gain) == len(self.shift):
            raise FitError(f"a tanh sum needs as many weights, gains and shifts, not {len(self.weight)}, "
                           f"{len(self.gain)} and {len(self.shift)}")
        if self.monotone and min(*self.weight, *self.gain, 1.0) < 0.0:
            raise FitError("a monotone tanh sum has a negative weight or gain")

    def narrowed(self):
        low = 0.0 if self.monotone else -np.inf
        reach = max(12.0, *(2.0 * abs(s) for s in self.shift))  # a unit that saturates at rest has no slope to come back
        return (Parameter("offset"), Parameter("weight", low), Parameter("gain", low), Parameter("shift", -reach, reach))

    @property
    def _units(self):
        return np.array(self.weight), np.array(self.gain), np.array(self.shift), self.offset

    def value(self, x):
        return laws.value_tanh_sum(x, *self._units)

    def jet(self, x):
        y, slope, own = _room(x, 1 + 3 * len(self.weight))
        laws.jet_tanh_sum(x, *self._units, y, slope, own)
        return y, slope, own

    def integral(self, x):
        return laws.integral_tanh_sum(x, *self._units)


@dataclass(frozen=True, slots=True)
class SoftClip:
    """Asymmetric soft clip L tanh(x / L) with a limit for each sign; slope 1 at rest."""

    positive: float = 1.0
    negative: float = 1.0
    fixed: tuple[str, ...] = ()
    kind: ClassVar[str] = "soft-clip"
    PARAMETERS: ClassVar = (Parameter("positive", 0.0), Parameter("negative", 0.0))

    def __post_init__(self):
        if min(self.positive, self.negative) <= 0.0:
            raise FitError("the limits of a soft clip must be positive")

    def value(self, x):
        return laws.value_softclip(x, self.positive, self.negative)

    def jet(self, x):
        y, slope, own = _room(x, 2)
        laws.jet_softclip(x, self.positive, self.negative, y, slope, own)
        return y, slope, own

    def integral(self, x):
        return laws.integral_softclip(x, self.positive, self.negative)


@dataclass(frozen=True, slots=True)
class Polynomial:
    """Sum of c[k] (x / scale)^k. It leaves its data steeply: fits report the range seen."""

    c: tuple[float, ...]
    scale: float = 1.0
    fixed: tuple[str, ...] = ()
    kind: ClassVar[str] = "polynomial"
    PARAMETERS: ClassVar = (Parameter("c"),)

    def value(self, x):
        y, slope, own = _room(x, len(self.c))
        laws.jet_polynomial(x, np.array(self.c), self.scale, y, slope, own)
        return y

    def jet(self, x):
        y, slope, own = _room(x, len(self.c))
        laws.jet_polynomial(x, np.array(self.c), self.scale, y, slope, own)
        return y, slope, own

    def integral(self, x):
        return laws.integral_polynomial(x, np.array(self.c), self.scale)


@dataclass(frozen=True, slots=True)
class Rational:
    """Polynomial c over 1 + sum of d[k] q^(2 k + 2) with d >= 0 and q = x / scale: without poles on the real line."""

    c: tuple[float, ...]
    d: tuple[float, ...]
    scale: float = 1.0
    fixed: tuple[str, ...] = ()
    kind: ClassVar[str] = "rational"
    PARAMETERS: ClassVar = (Parameter("c"), Parameter("d", 0.0))

    def __post_init__(self):
        if self.d and min(self.d) < 0.0:
            raise FitError("a rational curve needs denominators d that are not negative")

    def value(self, x):
        return self.jet(x)[0]

    def jet(self, x):
        y, slope, own = _room(x, len(self.c) + len(self.d))
        laws.jet_rational(x, np.array(self.c), np.array(self.d), self.scale, y, slope, own)
        return y, slope, own

    def integral(self, x):
        return None


@dataclass(frozen=True, slots=True)
class Spline:
    """Uniform cubic B-spline on low..high, continued straight outside; linear in its coefficients.

    A monotone one holds ``start`` and positive ``rises`` instead of free coefficients: coefficients that rise make the
    curve rise (variation diminishing, de Boor, A Practical Guide to Splines, chapter XI).

    Parameters
    ----------
    low, high : float
        Range of the knots.
    c : tuple of float
        Coefficients; knots + 2 of them.
    """

    low: float
    high: float
    c: tuple[float, ...]
    fixed: tuple[str, ...] = ()
    kind: ClassVar[str] = "spline"
    PARAMETERS: ClassVar = (Parameter("c"),)

    def __post_init__(self):
        if len(self.c) < 4 or not self.low < self.high:
            raise FitError(f"a spline needs four or more coefficients on a range, not {len(self.c)} on "
                           f"{self.low:g}..{self.high:g}")

    def value(self, x):
        y, slope, _ = _room(x, 0)
        laws.jet_spline(x, self.low, self.high, np.array(self.c), y, slope, np.empty((len(x), 0)))
        return y

    def jet(self, x):
        y, slope, own = _room(x, len(self.c))
        laws.jet_spline(x, self.low, self.high, np.array(self.c), y, slope, own)
        return y, slope, own

    def integral(self, x):
        return laws.integral_spline(x, self.low, self.high, np.array(self.c), _spline_starts(self.low, self.high, self.c))


def _spline_starts(low, high, c) -> np.ndarray:
    c = np.array(c)
    cells = len(c) - 3
    area = (high - low) / cells * (c[:-3] + 11.0 * c[1:-2] + 11.0 * c[2:-1] + c[3:]) / 24.0
    return np.concatenate([[0.0], np.cumsum(area)])


@dataclass(frozen=True, slots=True)
class MonotoneSpline:
    """A cubic B-spline that can only rise: coefficients ``start`` and the running sum of positive ``rises``."""

    low: float
    high: float
    rises: tuple[float, ...]
    start: float = 0.0
    fixed: tuple[str, ...] = ()
    kind: ClassVar[str] = "monotone-spline"
    PARAMETERS: ClassVar = (Parameter("start"), Parameter("rises", 0.0))

    def __post_init__(self):
        if len(self.rises) < 3 or min(self.rises) < 0.0 or not self.low < self.high:
            raise FitError("a monotone spline needs three or more rises, none negative, on a range")

    @property
    def c(self) -> tuple[float, ...]:
        """The B-spline coefficients."""
        return tuple((self.start + np.concatenate([[0.0], np.cumsum(self.rises)])).tolist())

    def value(self, x):
        return Spline(self.low, self.high, self.c).value(x)

    def jet(self, x):
        y, slope, own = Spline(self.low, self.high, self.c).jet(x)
        return y, slope, np.cumsum(own[:, ::-1], axis=1)[:, ::-1].copy()

    def integral(self, x):
        return Spline(self.low, self.high, self.c).integral(x)


@dataclass(frozen=True, slots=True)
class DiodePair:
    """Antiparallel diodes behind a resistor: y + limit sinh(y / volts) = x, times a gain.

    Parameters
    ----------
    limit : float
        Twice the saturation current times the resistance, volts.
    volts : float
        Ideality times thermal voltage, volts.
    gain : float
        Factor at the output.
    """

    limit: float = 2.0 * 2.52e-9 * 2200.0  # 1N4148 (Is = 2.52 nA) behind 2.2 kilohms
    volts: float = 1.752 * 0.02585
    gain: float = 1.0
    fixed: tuple[str, ...] = ()
    kind: ClassVar[str] = "diode-pair"
    PARAMETERS: ClassVar = (Parameter("limit", 0.0, unit="V"), Parameter("volts", 0.0, unit="V"), Parameter("gain"))

    def __post_init__(self):
        if min(self.limit, self.volts) <= 0.0:
            raise FitError("limit and volts of a diode pair must be positive")

    def value(self, x):
        return self.jet(x)[0]

    def jet(self, x):
        y, slope, own = _room(x, 3)
        laws.jet_diode(x, self.limit, self.volts, self.gain, y, slope, own)
        return y, slope, own

    def integral(self, x):
        return laws.integral_diode(x, self.limit, self.volts, self.gain)


@dataclass(frozen=True, slots=True)
class Table:
    """A curve given by points (smooth between them, straight outside), inside an input gain, shift and output gain.

    What a circuit, a measurement or a law on paper gives: ``source`` says which. The value at rest is subtracted.

    Parameters
    ----------
    x, y : tuple of float
        Points, x rising.
    drive, bias, gain : float
        output = gain (curve(drive x + bias) - curve(bias)).
    source : str
        Where the points come from.

    Raises
    ------
    FitError
        If there are fewer than four points or x does not rise.
    """

    x: tuple[float, ...]
    y: tuple[float, ...]
    drive: float = 1.0
    bias: float = 0.0
    gain: float = 1.0
    source: str = ""
    fixed: tuple[str, ...] = ()
    _law: object = field(init=False, repr=False, compare=False, default=None)
    kind: ClassVar[str] = "table"
    PARAMETERS: ClassVar = (Parameter("drive"), Parameter("bias"), Parameter("gain"))

    def __post_init__(self):
        x, y = np.array(self.x), np.array(self.y)
        if len(x) < 4 or len(x) != len(y) or not np.all(np.diff(x) > 0.0):
            raise FitError(f"a table needs four or more points with rising x, not {len(x)}")
        law = CubicHermiteSpline(x, y, np.gradient(y, x, edge_order=2))
        object.__setattr__(self, "_law", (law, law.derivative(), law.antiderivative()))

    def _look_up(self, q):
        law, derivative, _ = self._law
        inside = np.clip(q, self.x[0], self.x[-1])
        steep = derivative(inside)
        return law(inside) + steep * (q - inside), steep

    def value(self, x):
        return self.gain * (self._look_up(self.drive * x + self.bias)[0] - self._look_up(np.float64(self.bias))[0])

    def jet(self, x):
        f, steep = self._look_up(self.drive * x + self.bias)
        f0, steep0 = self._look_up(np.float64(self.bias))
        own = np.column_stack([self.gain * steep * x, self.gain * (steep - steep0), f - f0])
        return self.gain * (f - f0), self.gain * self.drive * steep, own

    def integral(self, x):
        law, derivative, area = self._law
        q = self.drive * x + self.bias
        inside = np.clip(q, self.x[0], self.x[-1])
        beyond = q - inside
        whole = area(inside) + beyond * law(inside) + 0.5 * beyond**2 * derivative(inside)
        return self.gain * (whole / self.drive - x * self._look_up(np.float64(self.bias))[0])


def device_curve(law: Callable, low: float, high: float, *, points: int = 513, source: str = "") -> Table:
    """Take a static curve from any callable of an array: a circuit's transfer curve, a diode law, a triode stage.

    Raises FitError if the law returns numbers that are not finite.

    Examples
    --------
    >>> stage = device_curve(lambda v: -40.0 * np.tanh(v + 0.2), -4.0, 4.0, source="triode stage, 250 V")
    >>> stage.value(np.array([0.0, 0.1])).round(3)
    array([ 0.   , -3.757])
    """
    x = np.linspace(low, high, points)
    y = np.asarray(law(x), dtype=np.float64)
    if y.shape != x.shape or not np.isfinite(y).all():
        raise FitError(f"the law does not give one finite value for each input on {low:g}..{high:g}")
    return Table(x=tuple(x.tolist()), y=tuple(y.tolist()), source=source)


def sample_curve(curve, low: float, high: float, points: int = 1001) -> tuple[np.ndarray, np.ndarray]:
    """Points of a curve for plots and for circuits that take a law as a table: x and y, each (points,)."""
    x = np.linspace(low, high, points)
    return x, curve.value(x)
