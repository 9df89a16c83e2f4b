"""Tiny learned networks as curves: a multilayer perceptron 1-h-h-1, and one with a short memory, with exact derivatives.

A net without memory is a curve like any other (`graybox.curves`); `MemoryNet` sees some past input samples and one state
of its own, and is a stage. Both end in bounded units, so that they do not run away outside their data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from circuits.errors import FitError
from circuits.kernels.jit import kernel
from graybox.curves import TanhSum
from graybox.laws import squash
from graybox.parameters import Parameter


@kernel
def _net(x, w1, b1, w2, b2, w3, offset, y, slope, own, with_own):
    h, m = w1.shape[0], b2.shape[0]
    z1 = np.empty(h)
    z2 = np.empty(m)
    for t in range(x.shape[0]):
        for i in range(h):
            z1[i] = squash(w1[i] * x[t] + b1[i])
        total = offset
        steep = 0.0
        for j in range(m):
            total_j = b2[j]
            for i in range(h):
                total_j += w2[j * h + i] * z1[i]
            z2[j] = squash(total_j)
            total += w3[j] * z2[j]
        if with_own:
            own[t, 0] = 1.0
            for i in range(2 * h):
                own[t, 1 + i] = 0.0
        for j in range(m):
            d2 = w3[j] * (1.0 - z2[j] * z2[j])
            for i in range(h):
                d1 = d2 * w2[j * h + i] * (1.0 - z1[i] * z1[i])
                steep += d1 * w1[i]
                if with_own:
                    own[t, 1 + i] += d1 * x[t]
                    own[t, 1 + h + i] += d1
                    own[t, 1 + 2 * h + j * h + i] = d2 * z1[i]
            if with_own:
                own[t, 1 + 2 * h + m * h + j] = d2
                own[t, 1 + 2 * h + m * h + m + j] = z2[j]
        y[t] = total
        slope[t] = steep


@dataclass(frozen=True, slots=True)
class Net:
    """Perceptron 1-h-m-1: offset + w3 tanh(W2 tanh(w1 x + b1) + b2); ``w2`` lists the rows of W2 one after the other.

    ``monotone`` keeps all weights positive. No closed antiderivative: oversample instead of ADAA.
    """

    w1: tuple[float, ...]
    b1: tuple[float, ...]
    w2: tuple[float, ...]
    b2: tuple[float, ...]
    w3: tuple[float, ...]
    offset: float = 0.0
    monotone: bool = False
    fixed: tuple[str, ...] = ()
    kind: ClassVar[str] = "net"
    PARAMETERS: ClassVar = (Parameter("offset"), Parameter("w1"), Parameter("b1"), Parameter("w2"), Parameter("b2"),
                            Parameter("w3"))

    def __post_init__(self):
        h, m = len(self.w1), len(self.b2)
        if not (1 <= h <= 16 and 1 <= m <= 16) or len(self.b1) != h or len(self.w2) != h * m or len(self.w3) != m:
            raise FitError(f"a net needs 1 to 16 units in each layer and matching weights, not {h} and {m}")
        if self.monotone and min(*self.w1, *self.w2, *self.w3) < 0.0:
            raise FitError("a monotone net has a negative weight")

    def narrowed(self):
        low = 0.0 if self.monotone else -np.inf
        return (Parameter("offset"), Parameter("w1", low), Parameter("b1"), Parameter("w2", low), Parameter("b2"),
                Parameter("w3", low))

    @staticmethod
    def from_tanh_sum(curve: TanhSum) -> "Net":
        """A two-layer net close to a one-layer one: the second layer nearly straight around each first-layer unit.

        Each unit of the second layer reads one unit of the first at a quarter of its range, where tanh bends by 2 %.
        """
        h = len(curve.weight)
        small = 0.25
        w2 = np.eye(h) * small
        base = curve.offset - sum(w * np.tanh(s) for w, s in zip(curve.weight, curve.shift))
        return Net(w1=curve.gain, b1=curve.shift, w2=tuple(w2.ravel().tolist()), b2=(0.0,) * h,
                   w3=tuple((np.array(curve.weight) / small).tolist()), offset=float(base), monotone=curve.monotone)

    def _run(self, x, with_own):
        y, slope = np.empty(len(x)), np.empty(len(x))
        size = 1 + 2 * len(self.w1) + len(self.w2) + 2 * len(self.b2)
        own = np.empty((len(x) if with_own else 0, size))
        _net(x, np.array(self.w1), np.array(self.b1), np.array(self.w2), np.array(self.b2), np.array(self.w3),
             self.offset, y, slope, own, with_own)
        return y, slope, own

    def value(self, x):
        return self._run(x, False)[0]

    def jet(self, x):
        return self._run(x, True)

    def integral(self, x):
        return None


def tanh_net(low: float, high: float, *, hidden: tuple[int, int] = (8, 8), monotone: bool = False) -> Net:
    """A net whose first layer covers low..high evenly, rising; a start for a fit."""
    h, m = hidden
    centres = low + (high - low) * (np.arange(h) + 0.5) / h
    w1 = np.full(h, 2.0 * h / (high - low))
    spread = np.linspace(-1.0, 1.0, m)
    return Net(w1=tuple(w1.tolist()), b1=tuple((-w1 * centres).tolist()), w2=(1.0 / h,) * (h * m),
               b2=tuple(spread.tolist()), w3=(1.0 / m,) * m, monotone=monotone)


@kernel
def _memory_net(x, J, P, w, v, b, out, offset, past, r, tangent, inner, own, derive):
    """Units z_i = tanh(sum_j w[i, j] x[n - j] + v_i r + b_i); r becomes z_0; y = offset + out z."""
    h, taps = w.shape
    n = x.shape[0]
    size = 1 + h * taps + 3 * h
    y = np.empty(n)
    z = np.empty(h)
    line = np.empty(taps)
    held = r[0]
    fresh = np.zeros(size)
    row = np.zeros(P if P > 0 else 1)
    for t in range(n):
        for j in range(taps):
            line[j] = x[t - j] if t >= j else past[j - t - 1]
        total = offset
        for i in range(h):
            s = b[i] + v[i] * held
            for j in range(taps):
                s += w[i, j] * line[j]
            z[i] = squash(s)
            total += out[i] * z[i]
        y[t] = total
        if derive:
            for q in range(size):
                fresh[q] = 0.0
                own[t, q] = 0.0
            own[t, 0] = 1.0
            for p in range(P):
                row[p] = 0.0
            for i in range(h - 1, -1, -1):  # unit 0 last: its derivative is the next state's
                d = 1.0 - z[i] * z[i]
                for q in range(size):
                    step = d * v[i] * inner[q]
                    own[t, q] += out[i] * step
                    if i == 0:
                        fresh[q] = step
                for j in range(taps):
                    own[t, 1 + i * taps + j] += out[i] * d * line[j]
                own[t, 1 + h * taps + i] += out[i] * d * held
                own[t, 1 + h * taps + h + i] += out[i] * d
                own[t, 1 + h * taps + 2 * h + i] += z[i]
                if i == 0:
                    for j in range(taps):
                        fresh[1 + j] += d * line[j]
                    fresh[1 + h * taps] += d * held
                    fresh[1 + h * taps + h] += d
            d0 = 1.0 - z[0] * z[0]
            for p in range(P):
                last = tangent[taps - 1, p]
                state_slope = 0.0
                for i in range(h):
                    s = v[i] * last + w[i, 0] * J[t, p]
                    for j in range(1, taps):
                        s += w[i, j] * tangent[j - 1, p]
                    row[p] += out[i] * (1.0 - z[i] * z[i]) * s
                    if i == 0:
                        state_slope = d0 * s
                for j in range(taps - 2, 0, -1):
                    tangent[j, p] = tangent[j - 1, p]
                if taps > 1:
                    tangent[0, p] = J[t, p]
                tangent[taps - 1, p] = state_slope
                J[t, p] = row[p]
            for q in range(size):
                inner[q] = fresh[q]
        held = z[0]
    r[0] = held
    m = past.shape[0]
    for k in range(m - 1, -1, -1):
        past[k] = x[n - 1 - k] if n - 1 - k >= 0 else past[k - n]
    return y


@dataclass(frozen=True, slots=True)
class MemoryNet:
    """A stage: one layer of tanh units that see the input, some past inputs and one state (the first unit's output).

    Parameters
    ----------
    w : tuple of float
        Input weights, unit after unit, each over ``taps`` samples, the newest first.
    v : tuple of float
        Weight of the state in each unit; all zero and fixed means no recurrence.
    b, out : tuple of float
        Biases and output weights.
    taps : int
        Samples seen: 1 + history.
    """

    w: tuple[float, ...]
    v: tuple[float, ...]
    b: tuple[float, ...]
    out: tuple[float, ...]
    taps: int = 1
    offset: float = 0.0
    fixed: tuple[str, ...] = ()
    kind: ClassVar[str] = "memory-net"
    PARAMETERS: ClassVar = (Parameter("offset"), Parameter("w"), Parameter("v"), Parameter("b"), Parameter("out"))

    def __post_init__(self):
        h = len(self.b)
        if not (1 <= h <= 16 and 1 <= self.taps <= 16) or len(self.w) != h * self.taps or not h == len(self.v) == len(self.out):
            raise FitError(f"a memory net needs 1 to 16 units and taps and matching weights, not {h} and {self.taps}")

    @staticmethod
    def from_tanh_sum(curve: TanhSum, *, taps: int = 3, recurrent: bool = True) -> "MemoryNet":
        """The same output as a tanh sum, with the weights of past samples and of the state at zero."""
        h = len(curve.weight)
        w = np.zeros((h, taps))
        w[:, 0] = curve.gain
        base = curve.offset - sum(c * np.tanh(s) for c, s in zip(curve.weight, curve.shift))
        return MemoryNet(w=tuple(w.ravel().tolist()), v=(0.0,) * h, b=curve.shift, out=curve.weight, taps=taps,
                         offset=float(base), fixed=() if recurrent else ("v",))

    def _arrays(self):
        return (np.array(self.w).reshape(len(self.b), self.taps), np.array(self.v), np.array(self.b), np.array(self.out),
                self.offset)

    def rest(self, columns=None):
        state = {"x": np.zeros(self.taps - 1), "r": np.zeros(1)}
        if columns is not None:
            state |= {"J": np.zeros((self.taps, columns)), "own": np.zeros(1 + len(self.w) + 3 * len(self.b))}
        return state

    def run(self, x, state):
        empty = np.zeros((0, 0))
        return _memory_net(x, empty, 0, *self._arrays(), state["x"], state["r"], empty, np.zeros(0), empty, False)

    def push(self, x, J, P, state):
        own = np.empty((len(x), 1 + len(self.w) + 3 * len(self.b)))
        y = _memory_net(x, J, P, *self._arrays(), state["x"], state["r"], state["J"], state["own"], own, True)
        return y, own

    def settle(self, level, state):
        state["x"][:] = level
        for _ in range(2000):  # a fixed point of the one state; it contracts unless |v_0| is large
            before = state["r"][0]
            out = float(self.run(np.array([level]), state)[0])
            if abs(state["r"][0] - before) < 1e-15:
                break
        return out
