"""The linear stages of a block: gain, offset, filters that cannot become unstable, FIR and fractional delay.

Every stage is a frozen description with four verbs: ``rest(columns)`` makes its state, ``run(x, state)`` filters audio,
``push(x, J, P, state)`` does the same and pushes the tangent matrix ``J`` (n_samples, columns) through, returning the
output and the derivatives for its own numbers; ``settle(level, state)`` puts the state where a constant input leaves it.

References
----------
Bank, "Perceptually motivated audio equalization using fixed-pole parallel second-order filters", IEEE SPL 2008.
Markel and Gray, "Linear Prediction of Speech", 1976: reflection coefficients.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from circuits.errors import FitError
from graybox import recursions
from graybox.parameters import Parameter

_K1, _K2 = 1.0 - 1e-8, 1.0 - 1e-5  # bounds of reflection coefficients: radius below 1 - 5e-14 even at the corner of both


def _same_length(kind: str, *columns) -> None:
    if len({len(column) for column in columns}) > 1:
        raise FitError(f"a {kind} needs as many numbers in each list, not {[len(c) for c in columns]}")


def _check_reflections(kind: str, *columns) -> None:
    for column in columns:
        for k in column:
            if not -1.0 < k < 1.0:
                raise FitError(f"a {kind} has the reflection coefficient {k:g}, which is unstable",
                               mend="Every k1 and k2 must lie between -1 and 1.")


@dataclass(frozen=True, slots=True)
class Gain:
    """y = gain x."""

    gain: float = 1.0
    fixed: tuple[str, ...] = ()
    kind: ClassVar[str] = "gain"
    PARAMETERS: ClassVar = (Parameter("gain", text="factor"),)

    def rest(self, columns=None):
        return {}

    def run(self, x, state):
        return self.gain * x

    def push(self, x, J, P, state):
        recursions.scale_columns(J, P, np.full(len(x), self.gain))
        return self.gain * x, x[:, None].copy()

    def settle(self, level, state):
        return self.gain * level


@dataclass(frozen=True, slots=True)
class Offset:
    """y = x + level."""

    level: float = 0.0
    fixed: tuple[str, ...] = ()
    kind: ClassVar[str] = "offset"
    PARAMETERS: ClassVar = (Parameter("level", text="added constant"),)

    def rest(self, columns=None):
        return {}

    def run(self, x, state):
        return x + self.level

    def push(self, x, J, P, state):
        return x + self.level, np.ones((len(x), 1))

    def settle(self, level, state):
        return level + self.level


@dataclass(frozen=True, slots=True)
class Cascade:
    """Product of second-order sections (b0 + b1 z^-1 + b2 z^-2) / (1 + a1 z^-1 + a2 z^-2), and one gain.

    Parameters
    ----------
    gain : float
        The only gain; fixed in a fit by default, since the curve beside it has one.
    b1, b2 : tuple of float
        Numerators.
    k1, k2 : tuple of float
        Reflection coefficients in (-1, 1): a1 = k1 (1 + k2), a2 = k2.
    b0 : tuple of float
        First coefficients of the numerators, all one by default and fixed (see `pivoted`).

    Raises
    ------
    FitError
        If the lists differ in length or a reflection coefficient is not inside (-1, 1).

    Examples
    --------
    >>> Cascade(b1=(0.0,), b2=(0.0,), k1=(-0.5,), k2=(0.0,)).run(np.array([1.0, 0.0, 0.0]), {"w": np.zeros((1, 2))})
    array([1.  , 0.5 , 0.25])
    """

    b1: tuple[float, ...]
    b2: tuple[float, ...]
    k1: tuple[float, ...]
    k2: tuple[float, ...]
    gain: float = 1.0
    fixed: tuple[str, ...] = ("gain", "b0")
    b0: tuple[float, ...] = ()
    kind: ClassVar[str] = "cascade"
    PARAMETERS: ClassVar = (Parameter("gain", text="overall gain"), Parameter("b0"), Parameter("b1"), Parameter("b2"),
                            Parameter("k1", -_K1, _K1), Parameter("k2", -_K2, _K2))

    def __post_init__(self):
        if not self.b0:
            object.__setattr__(self, "b0", (1.0,) * len(self.b1))
        _same_length("cascade", self.b0, self.b1, self.b2, self.k1, self.k2)
        _check_reflections("cascade", self.k1, self.k2)

    @property
    def polynomials(self) -> tuple[np.ndarray, np.ndarray]:
        """Numerators and denominators of the sections, each (sections, 3); the gain is left out."""
        b = np.column_stack([self.b0, self.b1, self.b2])
        k1, k2 = np.array(self.k1), np.array(self.k2)
        return b, np.column_stack([np.ones(len(k1)), k1 * (1.0 + k2), k2])

    def pivoted(self) -> "Cascade":
        """The same filter for a fit: the largest number of each numerator is one and fixed, the others are free.

        A numerator whose first number wants to vanish (a filter that begins late) would drive the others, and the curve
        beside it, without bound along a bent valley if the first one were held at one.
        """
        b, _ = self.polynomials
        at = np.abs(b).argmax(axis=1)
        top = b[np.arange(len(b)), at]
        b = b / top[:, None]
        return replace(self, gain=float(self.gain * np.prod(top)), b0=tuple(b[:, 0].tolist()), b1=tuple(b[:, 1].tolist()),
                       b2=tuple(b[:, 2].tolist()), fixed=("gain",) + tuple(f"b{k}[{s}]" for s, k in enumerate(at)))

    def response(self, frequencies, sample_rate) -> np.ndarray:
        """Complex frequency response at ``frequencies`` in Hz."""
        z = np.exp(-2j * np.pi * np.asarray(frequencies) / sample_rate)
        b, a = self.polynomials
        out = np.full(z.shape, self.gain, dtype=complex)
        for num, den in zip(b, a):
            out *= (num[0] + num[1] * z + num[2] * z * z) / (den[0] + den[1] * z + den[2] * z * z)
        return out

    def rest(self, columns=None):
        sections = len(self.b1)
        state = {"w": np.zeros((sections, 2))}
        if columns is not None:
            state |= {"v": np.zeros((sections, 2)), "J": np.zeros((sections, 2, columns)),
                      "own": np.zeros((sections, 2, 1 + 5 * sections))}
        return state

    def run(self, x, state):
        b, a = self.polynomials
        return recursions.run_cascade(x, self.gain, b[:, 0].copy(), b[:, 1].copy(), b[:, 2].copy(), a[:, 1].copy(),
                                      a[:, 2].copy(), state["w"])

    def push(self, x, J, P, state):
        sections = len(self.b1)
        own = np.empty((len(x), 1 + 5 * sections))
        y = recursions.push_cascade(x, J, P, self.gain, np.array(self.b0), np.array(self.b1), np.array(self.b2), np.array(self.k1),
                                    np.array(self.k2), state["w"], state["v"], state["J"], state["own"], own)
        order = np.concatenate([[0], (1 + np.arange(5 * sections).reshape(sections, 5)).T.ravel()])
        return y, own[:, order]

    def settle(self, level, state):
        b, a = self.polynomials
        for s in range(len(b)):
            w = level / a[s].sum()
            state["w"][s] = w
            level = w * b[s].sum()
        return self.gain * level


@dataclass(frozen=True, slots=True)
class Bank:
    """Parallel second-order sections (b0 + b1 z^-1) / (1 + a1 z^-1 + a2 z^-2) beside a direct path.

    With the poles fixed (the default) the output is linear in every free number.

    Parameters
    ----------
    direct : float
        Gain of the direct path.
    b0, b1 : tuple of float
        Numerators.
    k1, k2 : tuple of float
        Reflection coefficients of the poles, in (-1, 1).

    Raises
    ------
    FitError
        If the lists differ in length or a reflection coefficient is not inside (-1, 1).
    """

    b0: tuple[float, ...]
    b1: tuple[float, ...]
    k1: tuple[float, ...]
    k2: tuple[float, ...]
    direct: float = 0.0
    fixed: tuple[str, ...] = ("k1", "k2")
    kind: ClassVar[str] = "bank"
    PARAMETERS: ClassVar = (Parameter("direct", text="gain of the direct path"), Parameter("b0"), Parameter("b1"),
                            Parameter("k1", -_K1, _K1), Parameter("k2", -_K2, _K2))

    def __post_init__(self):
        _same_length("bank", self.b0, self.b1, self.k1, self.k2)
        _check_reflections("bank", self.k1, self.k2)

    @property
    def _denominators(self):
        k1, k2 = np.array(self.k1), np.array(self.k2)
        return k1 * (1.0 + k2), k2

    def basis(self, frequencies, sample_rate) -> np.ndarray:
        """Complex responses of direct path, b0 and b1 columns: (n_frequencies, 1 + 2 sections)."""
        z = np.exp(-2j * np.pi * np.asarray(frequencies) / sample_rate)[:, None]
        a1, a2 = self._denominators
        poles = 1.0 / (1.0 + a1 * z + a2 * z * z)
        return np.hstack([np.ones_like(z), poles, z * poles])

    def response(self, frequencies, sample_rate) -> np.ndarray:
        """Complex frequency response at ``frequencies`` in Hz."""
        return self.basis(frequencies, sample_rate) @ np.concatenate([[self.direct], self.b0, self.b1])

    def rest(self, columns=None):
        sections = len(self.b0)
        state = {"w": np.zeros((sections, 2))}
        if columns is not None:
            state |= {"v": np.zeros((sections, 2)), "J": np.zeros((sections, 2, columns)), "row": np.zeros(columns)}
        return state

    def run(self, x, state):
        a1, a2 = self._denominators
        return recursions.run_bank(x, self.direct, np.array(self.b0), np.array(self.b1), a1, a2, state["w"])

    def push(self, x, J, P, state):
        own = np.empty((len(x), 1 + 4 * len(self.b0)))
        free_poles = not ("k1" in self.fixed and "k2" in self.fixed)
        if not free_poles:
            own[:, 1 + 2 * len(self.b0):] = 0.0
        y = recursions.push_bank(x, J, P, self.direct, np.array(self.b0), np.array(self.b1), np.array(self.k1),
                                 np.array(self.k2), state["w"], state["v"], state["J"], state["row"], own, free_poles)
        return y, own

    def settle(self, level, state):
        a1, a2 = self._denominators
        w = level / (1.0 + a1 + a2)
        state["w"][:, 0] = state["w"][:, 1] = w
        return float(self.direct * level + np.sum((np.array(self.b0) + np.array(self.b1)) * w))


def bank_at(frequencies, sample_rate: float, *, direct: float = 1.0) -> Bank:
    """A bank whose poles sit at these frequencies (Hz), with bandwidths equal to their spacing; numerators zero.

    Bank (2008), eq. 9 and 10: neighbouring sections meet at about -3 dB. Raises FitError outside 0..Nyquist.
    """
    f = np.sort(np.asarray(frequencies, dtype=np.float64))
    if len(f) < 2 or f[0] <= 0.0 or f[-1] >= 0.5 * sample_rate:
        raise FitError(f"a bank needs two or more pole frequencies between 0 and {0.5 * sample_rate:g} Hz")
    omega = 2.0 * np.pi * f / sample_rate
    width = np.empty(len(f))
    width[1:-1] = 0.5 * (omega[2:] - omega[:-2])
    width[0], width[-1] = omega[1] - omega[0], omega[-1] - omega[-2]
    radius = np.exp(-0.5 * width)
    k2 = radius * radius
    k1 = -2.0 * radius * np.cos(omega) / (1.0 + k2)
    zero = (0.0,) * len(f)
    return Bank(b0=zero, b1=zero, k1=tuple(k1.tolist()), k2=tuple(k2.tolist()), direct=direct)


@dataclass(frozen=True, slots=True)
class Fir:
    """Finite impulse response ``taps``."""

    taps: tuple[float, ...]
    fixed: tuple[str, ...] = ()
    kind: ClassVar[str] = "fir"
    PARAMETERS: ClassVar = (Parameter("taps"),)

    def __post_init__(self):
        if not self.taps:
            raise FitError("an FIR filter needs at least one tap")

    def response(self, frequencies, sample_rate) -> np.ndarray:
        """Complex frequency response at ``frequencies`` in Hz."""
        z = np.exp(-2j * np.pi * np.asarray(frequencies) / sample_rate)
        return np.polynomial.polynomial.polyval(z, np.array(self.taps))

    def rest(self, columns=None):
        past = len(self.taps) - 1
        return {"x": np.zeros(past)} | ({"J": np.zeros((past, columns))} if columns is not None else {})

    def run(self, x, state):
        return recursions.run_fir(x, np.array(self.taps), state["x"])

    def push(self, x, J, P, state):
        own = np.empty((len(x), len(self.taps)))
        recursions.lags(x, state["x"], own)
        recursions.push_fir(J, P, np.array(self.taps), state["J"])
        return recursions.run_fir(x, np.array(self.taps), state["x"]), own

    def settle(self, level, state):
        state["x"][:] = level
        return level * sum(self.taps)


_HALF = 16  # half-length of the windowed sinc, samples
_LATENCY = 24  # leaves room for delays of -8 to 8 samples


@dataclass(frozen=True, slots=True)
class Delay:
    """Fractional delay by a Kaiser-windowed sinc: ``delay`` samples in (-8, 8) around a latency of 24 samples.

    Error below -80 dB up to 0.8 of Nyquist (Laakso, Välimäki, Karjalainen, Laine, IEEE SPM 1996, section 3).
    """

    delay: float = 0.0
    fixed: tuple[str, ...] = ()
    kind: ClassVar[str] = "delay"
    latency: ClassVar[int] = _LATENCY
    PARAMETERS: ClassVar = (Parameter("delay", -8.0, 8.0, "samples", "delay beside the latency of 24 samples"),)

    @property
    def taps(self) -> np.ndarray:
        """Impulse response, (49,)."""
        return self._kernel(self.delay)

    @staticmethod
    def _kernel(delay):
        place = np.arange(2 * _LATENCY + 1) - _LATENCY - delay
        reach = _HALF + 1.0
        inside = np.maximum(1.0 - (place / reach) ** 2, 0.0)
        return np.sinc(place) * np.i0(9.0 * np.sqrt(inside)) / np.i0(9.0) * (np.abs(place) < reach)

    def rest(self, columns=None):
        return {"x": np.zeros(2 * _LATENCY)} | ({"J": np.zeros((2 * _LATENCY, columns))} if columns is not None else {})

    def run(self, x, state):
        return recursions.run_fir(x, self.taps, state["x"])

    def push(self, x, J, P, state):
        step = 1e-5  # central difference of smooth taps: error below 1e-9
        slope = (self._kernel(self.delay + step) - self._kernel(self.delay - step)) / (2.0 * step)
        own = recursions.run_fir(x, slope, state["x"].copy())
        recursions.push_fir(J, P, self.taps, state["J"])
        return recursions.run_fir(x, self.taps, state["x"]), own[:, None]

    def settle(self, level, state):
        state["x"][:] = level
        return level * float(self.taps.sum())
