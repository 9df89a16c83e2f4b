"""A fitted curve as the law of a circuit element: its current (or voltage) as an expression that the circuit's solvers know.

A block file whose stages have no memory (gains, offsets, curves) becomes an expression of one controlling quantity; its numbers become
parameters, so that a fit can go on turning them inside the circuit (`numbers`), and the block can be made again from what they became
(`Law.block`). The input of the block is the controlling quantity (volts across a diode), its output what the element carries (amperes).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Mapping

import numpy as np

from circuits.errors import ModelFileError, Place
from circuits.expressions import Call, Expression, Name, Number
from graybox.blocks import Block
from graybox.chain import Parallel, Static
from graybox.curves import MonotoneSpline, Polynomial, Rational, SoftClip, Spline, Tanh, TanhSum
from graybox.filters import Gain, Offset
from graybox.net import Net
from graybox.parameters import free_mask, names, values, with_values
from graybox.store import load


@dataclass(frozen=True, slots=True)
class Law:
    """A memoryless block, ready to stand in a circuit.

    Parameters
    ----------
    block : Block
        Its stages are `Gain`, `Offset`, `Static` and parallel branches of them.

    Raises
    ------
    ModelFileError
        If a stage has memory, or a curve that is no formula (a diode pair's transfer curve, a table).

    Examples
    --------
    >>> from circuits.expressions import Voltage, evaluate, transform
    >>> law = Law(Block((Gain(2.0), Static(Polynomial((0.0, 1e-3)))), 48000.0))
    >>> law.numbers("d1")["d1.stages[0].gain"]
    2.0
    >>> at = lambda part: Number(0.5) if part == Voltage("a") else None
    >>> evaluate(transform(law.expression(Voltage("a"), "d1"), at), law.numbers("d1"))
    0.001
    """

    block: Block

    def __post_init__(self):
        self.expression(Number(0.0), "law")

    def expression(self, x: Expression, prefix: str) -> Expression:
        """Output of the block for the input ``x``; its numbers are the parameters ``prefix.name`` of `numbers`."""
        given = iter([Name(f"{prefix}.{name}") for name in names(self.block)])
        return _chain(self.block.stages, x, given)

    def numbers(self, prefix: str) -> dict[str, float]:
        """Value of every parameter in the expression."""
        return {f"{prefix}.{name}": float(value) for name, value in zip(names(self.block), values(self.block))}

    def free(self, prefix: str) -> tuple[str, ...]:
        """Names of the parameters that a fit may change."""
        return tuple(f"{prefix}.{name}" for name, free in zip(names(self.block), free_mask(self.block)) if free)

    def with_numbers(self, prefix: str, found: Mapping[str, float]) -> Block:
        """The block with the parameters at other values; those that are not given stay."""
        now = self.numbers(prefix) | {name: value for name, value in found.items() if name.startswith(f"{prefix}.")}
        return replace(self.block, stages=with_values(self.block, np.array(list(now.values()))).stages)


def load_law(path) -> Law:
    """The law that a block file holds; raises ModelFileError if it is damaged or has memory.

    Examples
    --------
    >>> load_law("missing.json")
    Traceback (most recent call last):
        ...
    circuits.errors.ModelFileError: missing.json: can't be read: No such file or directory
    """
    block = load(path)
    try:
        return Law(block)
    except ModelFileError as error:
        raise ModelFileError(error.what, place=Place(str(path)), mend=error.mend) from None


def _add(*terms: Expression) -> Expression:
    """A balanced sum."""
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return Call("add", (_add(*terms[:half]), _add(*terms[half:])))


def _sub(a, b):
    return Call("sub", (a, b))


def _mul(a, b):
    return Call("mul", (a, b))


def _tanh(a):
    return Call("tanh", (a,))


def _chain(stages, x, given):
    for stage in stages:
        if isinstance(stage, Gain):
            x = _mul(next(given), x)
        elif isinstance(stage, Offset):
            x = _add(x, next(given))
        elif isinstance(stage, Static):
            x = _curve(stage.curve, x, given)
        elif isinstance(stage, Parallel):
            x = _add(*(_chain(branch, x, given) for branch in stage.branches))
        else:
            raise ModelFileError(f"a {stage.kind!r} has memory and can't be the law of an element", mend="Only gains, offsets and curves can.")
    return x


def _curve(curve, x, given) -> Expression:
    maker = _FORMULAS.get(type(curve))
    if maker is None:
        raise ModelFileError(f"a curve of the kind {curve.kind!r} is no formula that a circuit knows",
                             mend='Swap it first: block.replace(curve="spline") or "tanh-sum".')
    own = [next(given) for _ in names(curve)]
    return maker(curve, x, own)


def _tanh_curve(curve, x, own):
    gain, drive, bias = own
    return _mul(gain, _sub(_tanh(_add(_mul(drive, x), bias)), _tanh(bias)))


def _tanh_sum(curve, x, own):
    h = len(curve.weight)
    offset, weight, gain, shift = own[0], own[1:1 + h], own[1 + h:1 + 2 * h], own[1 + 2 * h:]
    return _add(offset, *(_mul(w, _sub(_tanh(_add(_mul(g, x), s)), _tanh(s))) for w, g, s in zip(weight, gain, shift)))


def _soft_clip(curve, x, own):
    positive, negative = own
    limit = Call("if", (Call("ge", (x, Number(0.0))), positive, negative))
    return _mul(limit, _tanh(Call("div", (x, limit))))


def _horner(coefficients, q):
    total = coefficients[-1]
    for c in reversed(coefficients[:-1]):
        total = _add(c, _mul(q, total))
    return total


def _polynomial(curve, x, own):
    return _horner(own, Call("div", (x, Number(curve.scale))))


def _rational(curve, x, own):
    q = Call("div", (x, Number(curve.scale)))
    square = _mul(q, q)
    numerator, denominator = own[:len(curve.c)], own[len(curve.c):]
    return Call("div", (_horner(numerator, q), _horner([Number(1.0), *denominator], square)))


def _spline(curve, x, own):
    return _pieces(curve.low, curve.high, own, x)


def _monotone(curve, x, own):
    start, rises = own[0], own[1:]
    running = [start]
    for rise in rises:
        running.append(_add(running[-1], rise))
    return _pieces(curve.low, curve.high, running, x)


def _pieces(low: float, high: float, c, x) -> Expression:
    """A uniform cubic B-spline with straight ends: a tree of choices between cells, in each of them a cubic."""
    cells = len(c) - 3
    step = (high - low) / cells
    inside = Call("limit", (x, Number(low), Number(high)))
    place = Call("div", (_sub(inside, Number(low)), Number(step)))

    def cubic(k):
        c0, c1, c2, c3 = c[k:k + 4]
        return ((_mul(Number(1.0 / 6.0), _add(c0, _mul(Number(4.0), c1), c2)), _mul(Number(0.5), _sub(c2, c0)),
                 _mul(Number(0.5), _add(c0, _mul(Number(-2.0), c1), c2)),
                 _mul(Number(1.0 / 6.0), _add(_sub(c3, c0), _mul(Number(3.0), _sub(c1, c2))))))

    def chosen(first, last):
        if last - first == 1:
            return _horner(cubic(first), _sub(place, Number(float(first))))
        middle = (first + last) // 2
        return Call("if", (Call("ge", (place, Number(float(middle)))), chosen(middle, last), chosen(first, middle)))

    _, begin, _, _ = cubic(0)
    _, p1, p2, p3 = cubic(cells - 1)
    end = _add(p1, _mul(Number(2.0), p2), _mul(Number(3.0), p3))
    beyond = _mul(Number(1.0 / step), _sub(_mul(end, Call("uramp", (_sub(x, Number(high)),))), _mul(begin, Call("uramp", (_sub(Number(low), x),)))))
    return _add(chosen(0, cells), beyond)


def _net(curve, x, own):
    h, m = len(curve.w1), len(curve.b2)
    own = iter(own)
    offset, w1, b1 = next(own), [next(own) for _ in range(h)], [next(own) for _ in range(h)]
    w2, b2, w3 = [next(own) for _ in range(h * m)], [next(own) for _ in range(m)], [next(own) for _ in range(m)]
    first = [_tanh(_add(_mul(w, x), b)) for w, b in zip(w1, b1)]
    second = [_tanh(_add(b2[j], *(_mul(w2[j * h + i], first[i]) for i in range(h)))) for j in range(m)]
    return _add(offset, *(_mul(w, z) for w, z in zip(w3, second)))


_FORMULAS = {Tanh: _tanh_curve, TanhSum: _tanh_sum, SoftClip: _soft_clip, Polynomial: _polynomial, Rational: _rational, Spline: _spline,
             MonotoneSpline: _monotone, Net: _net}
