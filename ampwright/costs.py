"""What a model costs: its numbers, and the multiplications and additions that it needs for a sample.

Counted are multiplications and additions of the arithmetic that every sample goes through, for one sample of what goes in and comes out. Not counted
are single functions (the exponentials of a device's law, a tanh, Wright's omega), look-ups and bookkeeping: their price differs from machine to machine.

- Circuit, nodal engine: two for each structural nonzero of the matrices F and W of the discrete K-method (`circuits.nodal.model`); for each Newton
  iteration that the recording needed, two for each nonzero of K and ``2 n³ / 3 + 2 n²`` for the solution of a block of n ports.
- Circuit, wave engine: two for each term of the tree's sums (one where the factor is 1 or -1); iterations at the root as above.
- Oversampling: the inner count times the factor, and both filters: four for each of their taps. Resampling likewise.
- Block: two for each number; eight for a spline or a table, of which a sample uses one piece; curves times their oversampling, and its half-band filters.
- Capture: two for each weight. Impulse response: head and partitions as they are convolved. Chain: the sum of its stages.

Numbers of a circuit are its component values and those of its model cards, each card once.

References
----------
G. H. Golub, C. F. Van Loan, "Matrix Computations", 4th ed., 2013, section 3.2: ``2 n³ / 3`` operations of an LU factorisation.
"""

from __future__ import annotations

import math
from functools import singledispatch

import numpy as np

from ampwright.scaled import Scaled
from circuits.circuit import Circuit
from circuits.elements import Device, Nullor
from circuits.nodal.model import ModelArrays
from circuits.nodal.processor import NodalProcessor
from circuits.processor import Processor
from circuits.rate import DELAY, Oversampled
from graybox.antialias import Smooth
from graybox.blocks import BlockProcessor
from graybox.chain import Parallel as ParallelStages
from graybox.chain import Static
from graybox.curves import MonotoneSpline, Spline, Table
from graybox.parameters import values
from validation.captures.capture import Capture
from validation.captures.chain import Chain, Parallel
from validation.captures.impulse import PARTITION, Impulse
from validation.captures.resampled import Resampled
from validation.captures.trained import TrainedCapture
from wdf.processor import WdfProcessor

PIECE = 8  # operations of one piece of a cubic spline: place in it, then Horner's rule
HALF_BAND = 66  # of the half-band filters of `graybox.antialias`, up and down: 16 taps beside the middle, each


@singledispatch
def cost(processor: Processor) -> tuple[float, float]:
    """Numbers and operations per sample of a model; NaN for a kind that is not known here.

    Parameters
    ----------
    processor : Processor
        A circuit counts the iterations of its `Processor.run`: play a recording first.

    Returns
    -------
    n_parameters, operations_per_sample : float

    Examples
    --------
    >>> cost(Impulse([0.5, 0.25], 48000.0))
    (2.0, 4.0)
    """
    return math.nan, math.nan


@cost.register
def _(processor: Scaled) -> tuple[float, float]:
    parameters, operations = cost(processor.inner)
    return parameters, operations + 2.0


@cost.register
def _(processor: Oversampled) -> tuple[float, float]:
    parameters, operations = cost(processor.inner)
    return parameters, processor.factor * operations + 4.0 * (DELAY * processor.factor + 1)


@cost.register
def _(processor: Resampled) -> tuple[float, float]:
    parameters, operations = cost(processor.inner)
    ratio = processor.inner.sample_rate / processor.sample_rate
    return parameters, ratio * operations + 2.0 * (ratio * processor.taps[0] + processor.taps[1])


@cost.register
def _(processor: NodalProcessor) -> tuple[float, float]:
    model = processor.model
    F, f0, _, W = (np.count_nonzero(pattern) for pattern in model.patterns)
    return _numbers(processor.circuit), float(
        2 * (F + W) + f0 + len(model.states) + processor.run.mean_iterations * _iteration(model.arrays, model.block_sizes))


@cost.register
def _(processor: WdfProcessor) -> tuple[float, float]:
    factors, root = processor.program.arrays.factors, processor.root
    sums = 2.0 * len(factors) - np.count_nonzero(np.abs(factors) == 1.0)
    return _numbers(processor.circuit), float(sums) + processor.run.mean_iterations * _iteration(root.arrays, root.block_sizes)


def _iteration(arrays: ModelArrays, sizes: tuple[int, ...]) -> float:
    """Operations of one Newton iteration, on average over the blocks (a run counts the iterations of all)."""
    if not sizes:
        return 0.0
    solved = sum(2.0 * n**3 / 3.0 + 2.0 * n**2 for n, direct in zip(sizes, arrays.direct) if not direct)
    return (2.0 * np.count_nonzero(arrays.KT) + solved) / len(sizes)


def _numbers(circuit: Circuit) -> float:
    plain = sum(not isinstance(element, (Device, Nullor)) for element in circuit.elements)
    cards = {id(element.card): len(element.card.values) for element in circuit.elements if isinstance(element, Device)}
    return float(plain + sum(cards.values()))


@cost.register
def _(processor: BlockProcessor) -> tuple[float, float]:
    return float(processor.n_parameters), sum(map(_stage, processor.stages))


def _stage(stage) -> float:
    """Operations of one stage of a block."""
    if isinstance(stage, Smooth):
        return 2.0**stage.doublings * (_curve(stage.curve) + HALF_BAND) - HALF_BAND  # one, two, four ... pairs of filters
    if isinstance(stage, Static):
        return _curve(stage.curve)
    if isinstance(stage, ParallelStages):
        return sum(1.0 + sum(map(_stage, branch)) for branch in stage.branches)
    return 2.0 * len(values(stage))


def _curve(curve) -> float:
    return float(PIECE) if isinstance(curve, (Spline, MonotoneSpline, Table)) else 2.0 * len(values(curve))


@cost.register
def _(processor: Capture) -> tuple[float, float]:
    return float(processor.n_parameters), float(processor.operations_per_sample)


@cost.register
def _(processor: TrainedCapture) -> tuple[float, float]:
    positions = {name: control.position for name, control in processor.controls.items()}
    return float(processor.n_parameters), 2.0 * sum(array.size for array in processor.network.at(positions).values())


@cost.register
def _(processor: Impulse) -> tuple[float, float]:
    partitions = math.ceil(len(processor.taps) / PARTITION) - 1
    transforms = 2.0 * 2.5 * 2 * PARTITION * math.log2(2 * PARTITION) / PARTITION if partitions else 0.0  # two real transforms a partition
    return float(len(processor.taps)), 2.0 * min(len(processor.taps), PARTITION) + transforms + 8.0 * partitions * (PARTITION + 1) / PARTITION


@cost.register
def _(processor: Chain) -> tuple[float, float]:
    return _sum([stage for _, stage in processor.stages])


@cost.register
def _(processor: Parallel) -> tuple[float, float]:
    parameters, operations = _sum([branch for _, branch in processor.branches])
    return parameters, operations + len(processor.branches) - 1.0


def _sum(processors: list[Processor]) -> tuple[float, float]:
    found = np.array([cost(processor) for processor in processors])
    return float(found[:, 0].sum()), float(found[:, 1].sum())
