"""Many variants of one circuit on all cores: control positions, tolerances or inputs, in any order, each from rest.

The work goes through joblib, so that a cluster serves as well as this machine: inside ``joblib.parallel_config(backend="dask")``
nothing here changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Mapping, Sequence

import joblib
import numpy as np

from circuits.circuit import Circuit
from circuits.nodal.processor import NodalProcessor
from circuits.processor import Run, check_samples
from circuits.rate import oversampled

Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Variant:
    """One rendering of a batch: the values that made it, its samples (n_samples,) or (n_outputs, n_samples), and how it converged."""

    values: Mapping[str, float]
    samples: np.ndarray
    run: Run


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
        As for `NodalProcessor`.
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
    work = joblib.Parallel(n_jobs=jobs, return_as="generator")(
        joblib.delayed(_play)(one, x, sample_rate, oversample, kernel) for one, x in zip(made, inputs))
    results = []
    for values, (rendered, run) in zip(variants, work):
        results.append(Variant(dict(values), rendered, run))
        if progress is not None:
            progress(len(results) / len(made), f"{len(results)} of {len(made)} variants")
    return results


def vary(circuit: Circuit, values: Mapping[str, float]) -> Circuit:
    """A circuit with some controls turned to positions and other parameters set to values."""
    known = {control.name for control in circuit.controls}
    turned = circuit.turn(**{name: value for name, value in values.items() if name in known})
    others = {name: value for name, value in values.items() if name not in known}
    return turned.with_parameters(**others) if others else turned


def _play(circuit: Circuit, x: np.ndarray, sample_rate: float, oversample: int, kernel: str) -> tuple[np.ndarray, Run]:
    processor = oversampled(lambda rate: NodalProcessor(circuit, rate, kernel=kernel), sample_rate, oversample)
    late = processor.latency
    out = processor.process(np.concatenate([x, np.zeros(late)]))
    return np.ascontiguousarray(out[..., late:]), processor.run
