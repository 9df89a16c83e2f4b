"""Activations of all capture formats: names, parameters and their float64 formulas.

Decision on two of the disagreements between NAM's engine and trainer: Hardtanh honours its own limits, and
Softsigmoid, which the trainer exports and the engine refuses, is read.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from validation.captures.documents import Section, checked_array

# The order is the code that the kernels know them by.
KINDS = ("identity", "tanh", "hardtanh", "fasttanh", "relu", "leakyrelu", "sigmoid", "silu", "hardswish",
         "leakyhardtanh", "softsign", "softsigmoid", "elu", "exp")
_SPELLINGS = {"": "identity", "linear": "identity", "none": "identity", "prelu": "leakyrelu", "hard_tanh": "hardtanh",
              "fast_tanh": "fasttanh", "leaky_relu": "leakyrelu", "swish": "silu"}


@dataclass(frozen=True, slots=True)
class Activation:
    """One activation; ``parameters`` has shape (1, 4) for all channels alike or (n_channels, 4).

    Meaning of the four numbers: leakyrelu: slope below zero; hardtanh and leakyhardtanh: lower and upper limit, slope
    below, slope above; elu: alpha. Others use none.
    """

    kind: str
    parameters: np.ndarray

    @property
    def code(self) -> int:
        """Number by which the kernels know it."""
        return KINDS.index(self.kind)

    def rows(self, n_channels: int) -> np.ndarray:
        """Parameters of each channel, shape (n_channels, 4)."""
        return np.ascontiguousarray(np.broadcast_to(self.parameters, (n_channels, 4)))


def plain(kind: str, *parameters: float) -> Activation:
    """An activation with the same parameters for all channels.

    Examples
    --------
    >>> apply(plain("leakyrelu", 0.01), np.array([[-1.0, 2.0]]))
    array([[-0.01,  2.  ]])
    """
    row = np.zeros((1, 4))
    row[0, :len(parameters)] = parameters
    return Activation(kind, row)


def read_activation(section: Section, key: str, value, n_channels: int) -> Activation:
    """Read a name or an object {type, ...}; raises ModelFileError for an unknown one."""
    if isinstance(value, str):
        value = {"type": value}
    inner = Section(section.path, section.label(key), value)
    name = inner.text("type", inner.values.get("name", None)) if "type" not in inner.values else inner.text("type")
    lower = name.lower()
    kind = _SPELLINGS.get(lower, lower)
    if kind not in KINDS or kind == "exp":  # exp is a part of softmax only
        inner.refuse(f"the activation {name[:40]!r} is unknown", f"Known: {', '.join(KINDS[:-1])}, prelu.")
    if kind == "leakyrelu":
        slopes = inner.values.get("negative_slopes")
        if slopes is not None:
            rows = np.zeros((n_channels, 4))
            rows[:, 0] = checked_array(section.path, inner.label("negative_slopes"), slopes, (n_channels,))
            return Activation(kind, rows)
        return plain(kind, inner.number("negative_slope", 0.01))
    if kind == "hardtanh":
        return plain(kind, *_limits(inner), 0.0, 0.0)
    if kind == "leakyhardtanh":
        return plain(kind, *_limits(inner), inner.number("min_slope", 0.01), inner.number("max_slope", 0.01))
    if kind == "elu":
        return plain(kind, inner.number("alpha", 1.0))
    return plain(kind)


def _limits(section: Section) -> tuple[float, float]:
    low, high = section.number("min_val", -1.0), section.number("max_val", 1.0)
    if low > high:
        section.refuse(f"the limits {low:g} and {high:g} are the wrong way round", "The file is damaged.")
    return low, high


def apply(activation: Activation, z: np.ndarray) -> np.ndarray:
    """The activation in float64, shape (n_channels, n_samples) in and out; the oracle of the kernels."""
    p = activation.parameters[:, :, None]
    low, high = p[:, 0], p[:, 1]
    match activation.kind:
        case "identity":
            return z
        case "tanh":
            return np.tanh(z)
        case "hardtanh":
            return np.clip(z, low, high)
        case "fasttanh":  # the coarse rational that NAM's engine uses when it is told to be fast
            a, s = np.abs(z), z * z
            top = z * (2.45550750702956 + 2.45550750702956 * a + (0.893229853513558 + 0.821226666969744 * a) * s)
            return top / (2.44506634652299 + (2.44506634652299 + s) * np.abs(z + 0.814642734961073 * z * a))
        case "relu":
            return np.maximum(z, 0.0)
        case "leakyrelu":
            return np.where(z > 0.0, z, low * z)
        case "sigmoid":
            return 0.5 + 0.5 * np.tanh(0.5 * z)
        case "silu":
            return z * (0.5 + 0.5 * np.tanh(0.5 * z))
        case "hardswish":
            return z * np.clip(z + 3.0, 0.0, 6.0) / 6.0
        case "leakyhardtanh":
            below, above = (z - low) * p[:, 2] + low, (z - high) * p[:, 3] + high
            return np.where(z < low, below, np.where(z > high, above, z))
        case "softsign":
            return z / (1.0 + np.abs(z))
        case "softsigmoid":
            return 0.5 * (1.0 + z / (1.0 + np.abs(z)))
        case "exp":
            return np.exp(z)
        case _:  # elu
            return np.where(z > 0.0, z, low * np.expm1(np.minimum(z, 0.0)))
