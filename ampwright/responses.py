"""Portraits of models: frequency response, harmonics against level, static curve and step, measured and in pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Iterable, Iterator, Mapping, Sequence

import numpy as np

from ampwright.models import adjusted, load, player
from ampwright.answers import Answers, answers
from ampwright.simulation import Progress
from circuits.circuit import NO_INPUT, Circuit
from circuits.errors import CircuitError, Place, SignalError
from circuits.nodal.response import frequency_response
from circuits.processor import Processor
from validation.audio import whole_file
from validation.gallery.portraits import harmonics_figure, plot_frequency_response, plot_static_curve, plot_step
from validation.gallery.questions import questions_figure
from validation.gallery.sheets import png
from validation.response import Response, measure_response

Model = str | Path | Circuit | Processor
Models = Model | Sequence[Model] | Mapping[str, Model]
SIGHTS = (100.0, 300.0, 1000.0, 3000.0, 10000.0)  # frequencies whose gain is printed, Hz


def response(models: Models, *, sample_rate: float = 48000.0,
             level: float | None = None, engine: str = "nodal", oversample: int = 1, controls: Mapping[str, float | str] | None = None,
             progress: Progress | None = None) -> dict[str, Response]:
    """Measure one model or several.

    Parameters
    ----------
    models : one of, a sequence of, or a mapping of label to str, Path, Circuit, Processor
        Paths, library names, or what `load` gave.
    sample_rate : float
        Hz, for circuits.
    level : float, optional
        Peak of the loudest tone; the circuit's level, or 1.0, if not given.
    engine, oversample
        As for `simulate`.
    controls : mapping, optional
        Set on each of the models.
    progress : callable, optional
        ``progress(done, text)``.

    Returns
    -------
    dict of str to Response
        By label: the file's name, the library name, or a number for what has neither.

    Raises
    ------
    AmpwrightError
        If a model can't be read or does not answer.

    Examples
    --------
    >>> rc = response("rc_lowpass")["rc_lowpass"]
    >>> round(float(np.interp(720.5, rc.frequencies, rc.gain)), 1)
    -3.0
    """
    return {label: measure_response(processor, level=full)
            for label, processor, full in _players(models, sample_rate, level, engine, oversample, controls, progress)}


def questions(models: Models, *, sample_rate: float = 48000.0,
              level: float | None = None, engine: str = "nodal", oversample: int = 1, controls: Mapping[str, float | str] | None = None,
              progress: Progress | None = None) -> dict[str, Answers]:
    """Ask models what one asks first of a device; parameters and errors as for `response`.

    Examples
    --------
    >>> clipper = questions("diode_clipper")["diode_clipper"]
    >>> bool(clipper.levels.odd > clipper.levels.even)
    True
    """
    return {label: answers(processor, level=full)
            for label, processor, full in _players(models, sample_rate, level, engine, oversample, controls, progress)}


def unique(names: Iterable[str]) -> list[str]:
    """Names in order, what comes again with its number.

    Examples
    --------
    >>> unique(["rat", "ds1", "rat"])
    ['rat', 'ds1', 'rat (3)']
    """
    found: dict[str, None] = {}
    for number, name in enumerate(names, 1):
        found[name if name not in found else f"{name} ({number})"] = None
    return list(found)


def _players(models, sample_rate, level, engine, oversample, controls, progress) -> Iterator[tuple[str, Processor, float]]:
    """Label, Processor and full level of each model."""
    tell = progress or (lambda done, text: None)
    if not isinstance(models, Mapping):
        several = [models] if isinstance(models, (str, Path, Circuit)) or not isinstance(models, Sequence) else models
        models = dict(zip(unique(Path(model).stem if isinstance(model, (str, Path)) else Path(getattr(model, "path", "")).stem or f"model {number}"
                                 for number, model in enumerate(several, 1)), several))
    for number, (label, model) in enumerate(models.items()):
        tell(number / len(models), label)
        loaded = adjusted(load(model) if isinstance(model, (str, Path)) else model, controls or {})
        if isinstance(loaded, Circuit):
            if loaded.input == NO_INPUT:
                raise CircuitError("the circuit has no input, and so no response: it plays by its own sources", place=Place(loaded.path) if loaded.path else None,
                                   mend="Name a source or a node with *@ input or --input.")
            loaded = replace(loaded, outputs=loaded.outputs[:1])
        processor = player(loaded, sample_rate, engine=engine, oversample=oversample)
        full = level if level is not None else loaded.level if isinstance(loaded, Circuit) else 1.0
        if not (np.isfinite(full) and full > 0.0):
            raise SignalError(f"a level of {full:g} makes no sense", mend="Give a peak above 0.")
        yield label, processor, full
    tell(1.0, "done")


def small_signal(circuit: Circuit, frequencies: np.ndarray) -> np.ndarray:
    """Gain in dB at the operating point, without any sample rate: the analogue circuit's own answer.

    Examples
    --------
    >>> small_signal(load("rc_lowpass"), np.array([720.5])).round(2).tolist()
    [-3.01]
    """
    return 20.0 * np.log10(np.maximum(np.abs(frequency_response(circuit, frequencies)[0]), 1e-15))


def draw(responses: Mapping[str, Response], folder: str | Path, asked: Mapping[str, Answers] | None = None) -> dict[str, Path]:
    """Write the pictures as PNG into a folder, made if it is not there; returns their paths by name. ``asked`` is what `questions` gave.

    Raises
    ------
    SignalError
        If the folder can't be made.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SignalError(f"the folder can't be made ({error.strerror})", place=Place(str(folder)), mend="Choose another place.") from None
    figures = {"frequency-response": plot_frequency_response(responses).figure, "harmonics": harmonics_figure(responses),
               "static-curve": plot_static_curve(responses).figure, "step": plot_step(responses).figure}
    if asked:
        figures["questions"] = questions_figure(asked)
    paths = {}
    for name, figure in figures.items():
        paths[name] = folder / f"{name}.png"
        with whole_file(paths[name]) as part:
            part.write_bytes(png(figure))
    return paths


def summary(responses: Mapping[str, Response]) -> list[tuple[str, ...]]:
    """Rows for a table: label, gain (dB) at `SIGHTS`, THD at full level and 20 dB below (%), memory (ms)."""
    rows = []
    for label, one in responses.items():
        gains = [f"{np.interp(np.log(f), np.log(one.frequencies), one.gain):.1f}" if f < 0.45 * one.sample_rate else "" for f in SIGHTS]
        below = int(np.argmin(np.abs(one.levels - (one.levels[-1] - 20.0))))
        thd = [f"{100.0 * float(np.sqrt(np.sum(one.harmonics[k, 1:] ** 2)) / max(float(one.harmonics[k, 0]), 1e-300)):.3g}" for k in (-1, below)]
        rows.append((label, *gains, *thd, f"{1000.0 * one.memory:.3g}"))
    return rows
