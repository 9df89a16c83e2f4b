"""How a filter, a curve or a whole block shows its numbers to a fit: one flat vector with names and bounds.

A description (frozen dataclass) declares its numbers once, in the class attribute ``PARAMETERS``; a field is a float or
a tuple of floats. ``PARTS`` names fields that hold further descriptions (one, or nested tuples of them). ``fixed``
names what a fit must leave alone: ``"gain"``, one element ``"b0[2]"``, or a part's ``"curve.weight[0]"``.

The fit works in free coordinates without bounds: a number in (low, high) is mapped by a scaled atanh, a positive one
by the logarithm, so that no step can leave the bounds or make a filter unstable.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from circuits.errors import FitError


@dataclass(frozen=True, slots=True)
class Parameter:
    """Declaration of one number, or of one tuple of them: name of the field, bounds (exclusive), unit, meaning."""

    name: str
    low: float = -np.inf
    high: float = np.inf
    unit: str = ""
    text: str = ""


def _parts(description):
    for field in getattr(description, "PARTS", ()):
        value = getattr(description, field)
        if isinstance(value, tuple):
            for i, inner in enumerate(value):
                if isinstance(inner, tuple):
                    for j, leaf in enumerate(inner):
                        yield f"{field}[{i}][{j}].", leaf
                else:
                    yield f"{field}[{i}].", inner
        else:
            yield f"{field}.", value


def _declared(description):
    """Parameters of the class, with bounds that the description itself may narrow (a monotone net)."""
    narrow = getattr(description, "narrowed", None)
    return narrow() if narrow is not None else description.PARAMETERS


def _labels(description, parameter) -> list[str]:
    """What the numbers of one declaration are called: the elements of a tuple by place, or by the words that the description has for them."""
    value = getattr(description, parameter.name)
    if not isinstance(value, tuple):
        return [parameter.name]
    return [f"{parameter.name}[{word}]" for word in getattr(description, "words", range(len(value)))]


def names(description) -> tuple[str, ...]:
    """Names of all numbers in order: own ones first, then those of the parts.

    Examples
    --------
    >>> from graybox.curves import SoftClip
    >>> names(SoftClip(positive=1.0, negative=0.5))
    ('positive', 'negative')
    """
    found = []
    for parameter in description.PARAMETERS:
        found += _labels(description, parameter)
    for prefix, part in _parts(description):
        found += [prefix + name for name in names(part)]
    return tuple(found)


def values(description) -> np.ndarray:
    """All numbers in the order of `names`, shape (n_parameters,)."""
    found = [np.atleast_1d(np.asarray(getattr(description, p.name), dtype=np.float64)) for p in description.PARAMETERS]
    found += [values(part) for _, part in _parts(description)]
    return np.concatenate(found) if found else np.zeros(0)


def bounds(description) -> np.ndarray:
    """Lower and upper bounds, shape (n_parameters, 2)."""
    found = []
    for p in _declared(description):
        value = getattr(description, p.name)
        found.append(np.tile([p.low, p.high], (len(value) if isinstance(value, tuple) else 1, 1)))
    found += [bounds(part) for _, part in _parts(description)]
    return np.concatenate(found) if found else np.zeros((0, 2))


def free_mask(description) -> np.ndarray:
    """True where a fit may change the number, shape (n_parameters,)."""
    own = []
    fixed = set(getattr(description, "fixed", ()))
    for p in description.PARAMETERS:
        own += [p.name not in fixed and label not in fixed for label in _labels(description, p)]
    for _, part in _parts(description):
        own += list(free_mask(part))
    return np.array(own, dtype=bool)


def with_values(description, numbers):
    """Return the description with all its numbers replaced, in the order of `names`."""
    numbers = np.asarray(numbers, dtype=np.float64)
    changes, at = {}, 0
    for p in description.PARAMETERS:
        value = getattr(description, p.name)
        if isinstance(value, tuple):
            changes[p.name] = tuple(numbers[at:at + len(value)].tolist())
            at += len(value)
        else:
            changes[p.name] = float(numbers[at])
            at += 1

    def rebuilt(value):
        nonlocal at
        if isinstance(value, tuple):
            return tuple(rebuilt(inner) for inner in value)
        size = len(values(value))
        new = with_values(value, numbers[at:at + size])
        at += size
        return new

    for field in getattr(description, "PARTS", ()):
        changes[field] = rebuilt(getattr(description, field))
    if at != len(numbers):
        raise FitError(f"{len(numbers)} numbers were given for {at} parameters")
    return replace(description, **changes)


def to_free(numbers: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Map bounded numbers to coordinates without bounds; numbers on a bound are moved just inside."""
    out = np.array(numbers, dtype=np.float64)
    low, high = limits[:, 0], limits[:, 1]
    both = np.isfinite(low) & np.isfinite(high)
    half = 0.5 * (high[both] - low[both])
    out[both] = np.arctanh(np.clip((out[both] - low[both]) / half - 1.0, -1.0 + 1e-12, 1.0 - 1e-12))
    above = np.isfinite(low) & ~both
    out[above] = np.log(np.maximum(out[above] - low[above], 1e-12))
    return out


def from_free(free: np.ndarray, limits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Inverse of `to_free`, and the derivative of each number with respect to its free coordinate.

    Far out, where the map rounds to a bound, the number stays the last one inside it.
    """
    out, slope = np.array(free, dtype=np.float64), np.ones(len(free))
    low, high = limits[:, 0], limits[:, 1]
    both = np.isfinite(low) & np.isfinite(high)
    half, z = 0.5 * (high[both] - low[both]), np.tanh(out[both])
    out[both], slope[both] = low[both] + half * (1.0 + z), half * (1.0 - z * z)
    above = np.isfinite(low) & ~both
    grown = np.exp(np.minimum(out[above], 300.0))
    out[above], slope[above] = low[above] + grown, grown
    inside = np.isfinite(low) | np.isfinite(high)
    out[inside] = np.clip(out[inside], np.nextafter(low[inside], np.inf), np.nextafter(high[inside], -np.inf))
    return out, slope
