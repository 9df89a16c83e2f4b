"""One recording through many variants of a model: other control positions, other values of parameters, in vector lanes and on all cores."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path
from typing import Mapping, NamedTuple, Sequence

import numpy as np
from joblib import Parallel, delayed

from ampwright.models import adjusted, load
from ampwright.simulation import Progress, Result, recording, simulate_together
from ampwright.tables import number, rows
from ampwright.workers import workers
from circuits.batch import in_groups, lanes_pay
from circuits.circuit import Circuit
from circuits.errors import CircuitError, Place, SignalError
from circuits.processor import Processor
from circuits.rate import FACTORS

EXAMPLE = "a heading of names such as drive,tone and a line of numbers for each variant"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_]{0,63}\Z")


class Row(NamedTuple):
    """One variant of a table: its name, positions of controls and values of parameters, and the line that says so."""

    name: str
    values: Mapping[str, float | str]
    place: Place


def simulate_many(model: str | Path | Circuit | Processor, samples, variants: Sequence[Mapping[str, float | str] | Row], sample_rate: float | None = None, *,
                  n_jobs: int = -1, backend: str | None = None, scheduler: str | None = None, settings: Mapping[str, object] | None = None,
                  progress: Progress | None = None, **options) -> list[Result]:
    """Play a recording through many variants of a model.

    Parameters
    ----------
    model, samples, sample_rate
        As for `simulate`.
    variants : sequence of mapping, or of rows that `variants_of` read
        For each, positions of controls and values of other top-level parameters.
    n_jobs : int
        How many at once; -1 is all cores.
    backend : {"loky", "threading", "dask"}, optional
        Processes, threads, or a cluster; by default what joblib's `parallel_config` says, which is processes.
    scheduler : str, optional
        Address of a running dask cluster; without it dask works in threads of this process.
    settings : mapping, optional
        Handed to `load` if ``model`` is a path or a name.
    progress : callable, optional
        ``progress(done, text)``.
    **options
        The other options of `simulate`.

    Returns
    -------
    list of Result
        In the order of the variants.

    Raises
    ------
    AmpwrightError
        As `simulate`; every variant is checked before the first is played.

    Examples
    --------
    >>> import numpy as np
    >>> quiet, loud = simulate_many("diode_clipper", 0.01 * np.ones(100), [{"drive": 0.0}, {"drive": 1.0}], 48000.0, n_jobs=1)
    >>> bool(loud.samples.max() > 5.0 * quiet.samples.max())
    True
    """
    if not variants:
        raise SignalError("there are no variants", mend="Give at least one.")
    loaded = load(model, **dict(settings or {})) if isinstance(model, (str, Path)) else model
    wanted = [_row(loaded, variant) for variant in variants]
    tell = progress or (lambda done, text: None)
    if isinstance(samples, (str, Path)) and Path(samples).exists():
        samples = Path(samples).absolute()  # a worker that served an earlier call stands in another folder
    lanes = _lanes(loaded, wanted, samples, sample_rate, options)
    groups = in_groups(len(wanted), lanes)
    work = (delayed(simulate_together)(loaded, samples, [wanted[k] for k in some], sample_rate, lanes=lanes, **{"ahead": False, **options}) for some in groups)
    results: list[Result] = []
    with workers(backend, n_jobs, scheduler) if backend else nullcontext():
        for some in Parallel(n_jobs=min(n_jobs, len(groups)) if n_jobs > 0 else n_jobs, return_as="generator")(work):
            results += some
            tell(len(results) / len(variants), f"{len(results)} of {len(variants)} variants")
    return results


def _lanes(loaded: Circuit | Processor, wanted: Sequence[Mapping[str, float | str]], samples, sample_rate: float | None, options: Mapping[str, object]) -> bool:
    """True if the variants are to share vector lanes, whose kernel is then ready: circuits, controls that stay where they are, and enough work."""
    if not isinstance(loaded, Circuit) or options.get("engine", "nodal") != "nodal" or options.get("automation"):
        return False
    if isinstance(samples, (str, Path)):
        audio = recording(samples)
        rate, size = sample_rate or audio.sample_rate, audio.samples.size * (sample_rate or audio.sample_rate) / audio.sample_rate
    elif sample_rate is None:
        return False  # refused in a moment
    else:
        rate, size = sample_rate, np.size(samples)
    factor = int(options.get("oversample", 1))
    return factor in FACTORS and lanes_pay([adjusted(loaded, one) for one in (wanted[0], wanted[-1])], len(wanted), rate * factor, int(size * factor))


def _row(circuit: Circuit | Processor, variant: Mapping[str, float | str] | Row) -> Mapping[str, float | str]:
    """The values of a variant, once it is sure that a circuit takes them; raises CircuitError with the line."""
    values, place = (variant.values, variant.place) if isinstance(variant, Row) else (variant, None)
    if isinstance(circuit, Circuit):
        try:
            adjusted(circuit, values).values()
        except CircuitError as error:
            raise CircuitError(error.what, place=error.place or place, mend=error.mend) from None
    return values


def variants_of(path: str | Path) -> list[Row]:
    """Read variants from a CSV file: names of controls and parameters in the first line, then one variant a line.

    A column ``name`` names the variants; without it they are numbered from 001.

    Raises
    ------
    SignalError
        For a file that can't be read, a column twice, a line with another number of cells than the first, a cell that is no number, or a name
        that stands twice or is no part of a file name; with its line.
    """
    (place, heading), *lines = rows(path, EXAMPLE)
    lower = [word.lower() for word in heading]
    if "" in lower or len(set(lower)) < len(lower) or lower == ["name"]:
        raise SignalError("each column needs a name of its own, and one besides 'name' has to be there", place=place, mend=f"Give {EXAMPLE}.")
    found: list[Row] = []
    taken = set()
    for count, (where, cells) in enumerate(lines, 1):
        name = cells[lower.index("name")] if "name" in lower else f"{count:03d}"
        if not _NAME.match(name):
            raise SignalError(f"{name!r} can't be a part of a file name", place=where, mend="Use letters, digits and _.")
        if name.lower() in taken:
            raise SignalError(f"the name {name!r} stands twice", place=where, mend="Name each variant once.")
        taken.add(name.lower())
        found.append(Row(name, {head: number(cell, where, head) for head, cell in zip(heading, cells) if head.lower() != "name"}, where))
    return found
