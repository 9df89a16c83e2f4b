"""One recording through many variants of a model: other control positions, other values of parameters, on all cores."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Mapping, Sequence

from joblib import Parallel, delayed

from ampwright.models import adjusted, load
from ampwright.simulation import LARGEST_TABLE, Progress, Result, simulate
from circuits.circuit import Circuit
from circuits.errors import Place, SignalError
from circuits.processor import Processor


def simulate_many(model: str | Path | Circuit | Processor, samples, variants: Sequence[Mapping[str, float | str]], sample_rate: float | None = None, *,
                  n_jobs: int = -1, settings: Mapping[str, object] | None = None, progress: Progress | None = None, **options) -> list[Result]:
    """Play a recording through many variants of a model.

    Parameters
    ----------
    model, samples, sample_rate
        As for `simulate`.
    variants : sequence of mapping
        For each, positions of controls and values of other top-level parameters.
    n_jobs : int
        How many at once; -1 is all cores. joblib's `parallel_config` chooses another backend, Dask's for instance.
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
    if isinstance(loaded, Circuit):
        for variant in variants:
            adjusted(loaded, variant).values()
    tell = progress or (lambda done, text: None)
    work = (delayed(simulate)(loaded, samples, sample_rate, controls=variant, **options) for variant in variants)
    results = []
    for result in Parallel(n_jobs=min(n_jobs, len(variants)) if n_jobs > 0 else n_jobs, return_as="generator")(work):
        results.append(result)
        tell(len(results) / len(variants), f"{len(results)} of {len(variants)} variants")
    return results


def variants_of(path: str | Path) -> list[dict[str, str]]:
    """Read variants from a CSV file: names of controls in the first line, then one variant a line.

    Raises
    ------
    SignalError
        For a file that can't be read, or a line with another number of cells than the first; with its number.
    """
    place = Place(str(path))
    try:
        if Path(path).stat().st_size > LARGEST_TABLE:
            raise SignalError("the table has more than 16 MiB", place=place, mend="Give fewer variants.")
        rows = [[cell.strip() for cell in row] for row in csv.reader(Path(path).read_text(encoding="utf-8-sig").splitlines())]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SignalError(f"the table can't be read ({getattr(error, 'strerror', None) or error})", place=place,
                          mend="Give a CSV file with names of controls in its first line.") from None
    names, *lines = rows or [[]]
    variants = []
    for number, cells in enumerate(lines, 2):
        if not any(cells):
            continue
        if len(cells) != len(names) or not all(cells):
            raise SignalError(f"{len([cell for cell in cells if cell])} values for {len(names)} controls", place=Place(str(path), number),
                              mend=f"Give one for each of {', '.join(names)}.")
        variants.append(dict(zip(names, cells)))
    if not variants or not all(names):
        raise SignalError("the table holds no variant", place=place, mend="Write names of controls in the first line, then one variant a line.")
    return variants
