"""Many variants of one circuit: control positions, tolerances or inputs, side by side in vector lanes and on all cores, each from rest.

The work goes through joblib in groups of as many variants as a vector has lanes, so that a cluster serves as well as this machine: inside
``joblib.parallel_config(backend="dask")`` nothing here changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Mapping, Sequence

import joblib
import numpy as np

from circuits.circuit import Circuit
from circuits.kernels import store
from circuits.kernels.lanes import host_lanes
from circuits.nodal.lanes import can_play, lane_kernel, lane_path
from circuits.nodal.processor import NodalProcessor
from circuits.processor import Run, check_samples
from circuits.rate import oversampled
from circuits.together import Together

Progress = Callable[[float, str], None]
BLOCK = 8192  # samples between two looks at the structure
FEWEST = 4  # variants: fewer are as quick one by one
WORTH = 2e7  # steps of all variants together times ports: from here on the lanes repay their compiling


@dataclass(frozen=True, slots=True, eq=False)
class Variant:
    """One rendering of a batch: the values that made it, its samples (n_samples,) or (n_outputs, n_samples), and how it converged."""

    values: Mapping[str, float]
    samples: np.ndarray
    run: Run


def lanes_pay(circuits: Sequence[Circuit], count: int, sample_rate: float, steps: int) -> bool:
    """Make lanes ready for variants of a circuit, if they pay: found in the cache, or compiled now for a long batch.

    Parameters
    ----------
    circuits : sequence of Circuit
        Some of the variants, the first and the last for instance: an even pair of diodes has another structure than an odd one, and
        one of them may be the only nominal one.
    count : int
        Number of variants.
    sample_rate : float
        Hz, of the solver.
    steps : int
        Samples that it will solve for one variant.
    """
    if count < FEWEST:
        return False
    ready = False
    for one in circuits:
        processor = NodalProcessor(one, sample_rate, kernel="table")
        if can_play(processor) and (steps * count * processor.model.n_ports > WORTH or store.is_compiled(lane_path(processor.model))):
            lane_kernel(processor.model)
            ready = True
    return ready


def in_groups(count: int, lanes: bool) -> list[range]:
    """Indices of variants in groups that one process plays at a time."""
    size = host_lanes() if lanes else 1
    return [range(at, min(at + size, count)) for at in range(0, count, size)]


def play_many(circuit: Circuit, samples, sample_rate: float, variants: Sequence[Mapping[str, float]], *, oversample: int = 1,
              jobs: int = -1, kernel: str = "auto", progress: Progress | None = None) -> list[Variant]:
    """Play the same samples through variants of a circuit.

    Parameters
    ----------
    circuit : Circuit
        What the variants are made of.
    samples : array_like, shape (n_samples,), volts
        The input, or one for each variant, shape (n_variants, n_samples).
    sample_rate : float
        Hz.
    variants : sequence of mapping
        For each variant, positions of controls and values of other top-level parameters, by name.
    oversample : {1, 2, 4, 8, 16}
        The delay of the oversampler is taken out.
    jobs : int
        Processes at a time; -1 is one a core.
    kernel : str
        As for `NodalProcessor`; with "auto", variants share vector lanes where that is quicker.
    progress : callable, optional
        ``progress(share_done, text)``.

    Returns
    -------
    list of Variant
        In the order given.

    Raises
    ------
    CircuitError
        For an unknown control or parameter, or a value out of range, before anything is played.

    Examples
    --------
    >>> from circuits.elements import Resistor, VoltageSource
    >>> from circuits.expressions import Name
    >>> parts = (VoltageSource("v", ("a", "0")), Resistor("r", ("a", "b"), Name("top")), Resistor("s", ("b", "0"), 1e3))
    >>> divider = Circuit(parts, parameters={"top": 1e3}, input="v", outputs=("b",))
    >>> [round(float(v.samples[0]), 3) for v in play_many(divider, [1.0], 48000.0, [{"top": 1e3}, {"top": 3e3}], jobs=1)]
    [0.5, 0.25]
    """
    made = [vary(circuit, values) for values in variants]
    given = np.atleast_1d(np.asarray(samples, dtype=np.float64))
    inputs = [check_samples(row) for row in given] if given.ndim == 2 else [check_samples(given)] * len(made)
    if len(inputs) != len(made):
        raise ValueError(f"{len(inputs)} inputs for {len(made)} variants")
    lanes = kernel == "auto" and bool(made) and lanes_pay((made[0], made[-1]), len(made), sample_rate * oversample, given.shape[-1] * oversample)
    groups = in_groups(len(made), lanes)
    work = joblib.Parallel(n_jobs=jobs, return_as="generator")(
        joblib.delayed(_play)([made[k] for k in some], [inputs[k] for k in some], sample_rate, oversample, kernel, lanes) for some in groups)
    results: list[Variant] = []
    for some, played in zip(groups, work):
        results += [Variant(dict(variants[k]), rendered, run) for k, (rendered, run) in zip(some, played)]
        if progress is not None:
            progress(len(results) / len(made), f"{len(results)} of {len(made)} variants")
    return results


def vary(circuit: Circuit, values: Mapping[str, float]) -> Circuit:
    """A circuit with some controls turned to positions and other parameters set to values."""
    known = {control.name for control in circuit.controls}
    turned = circuit.turn(**{name: value for name, value in values.items() if name in known})
    others = {name: value for name, value in values.items() if name not in known}
    return turned.with_parameters(**others) if others else turned


def _play(circuits: list[Circuit], inputs: list[np.ndarray], sample_rate: float, oversample: int, kernel: str,
          lanes: bool) -> list[tuple[np.ndarray, Run]]:
    processors = [oversampled(lambda rate: NodalProcessor(one, rate, kernel="table" if lanes else kernel), sample_rate, oversample) for one in circuits]
    late = processors[0].latency
    padded = [np.concatenate([x, np.zeros(late)]) for x in inputs]
    play = Together(processors).process if lanes else lambda signals: [one.process(x) for one, x in zip(processors, signals)]
    parts = [play([x[start:start + BLOCK] for x in padded]) for start in range(0, len(padded[0]), BLOCK)]
    return [(np.ascontiguousarray(np.concatenate([part[k] for part in parts], axis=-1)[..., late:]), one.run) for k, one in enumerate(processors)]
