"""What a path or a name means: the suffix tells a netlist from a capture, a block, an impulse response or a chain.

`load` gives what the file holds: a `Circuit` for a netlist (it has no sample rate yet), a `Processor` for all that has one.
`player` makes a Processor of either.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Mapping, Sequence

from circuits.circuit import Circuit
from circuits.errors import CircuitError, ModelFileError, Place, RateError
from circuits.nodal.processor import NodalProcessor
from circuits.processor import Processor
from circuits.rate import FACTORS, oversampled
from circuits.units import parse_number
from netlists.library import find, names
from netlists.reader import read

NETLISTS = (".cir", ".net", ".sp", ".spi", ".spice", ".ckt", ".asc", ".schx", ".txt")
KINDS = {**dict.fromkeys(NETLISTS, "netlist")}
ENGINES = {"nodal": NodalProcessor}


@dataclass(frozen=True, slots=True)
class Source:
    """A file and what kind of model it holds."""

    path: Path
    kind: str


def locate(model: str | Path) -> Source:
    """Find out what a path or a library name means.

    Parameters
    ----------
    model : str or Path
        A file by its path, or a schematic of the library by its name.

    Raises
    ------
    ModelFileError
        If there is no such file or name, or the suffix is unknown; with a suggestion.

    Examples
    --------
    >>> locate("tube_screamer").kind
    'netlist'
    """
    path = Path(model)
    place = Place(str(model))
    if path.is_dir():
        raise ModelFileError("this is a folder, not a model", place=place, mend=f"Name a file that ends in {', '.join(KINDS)}.")
    if not path.exists():
        plain = path.parent == Path(".") and path.suffix.lower() in ("", ".cir")
        if plain and path.stem.lower().replace("-", "_").replace(" ", "_") in names():
            return Source(find(path.stem), "netlist")
        if plain and not path.suffix:
            close = get_close_matches(path.stem.lower(), names(), 1, 0.5)
            raise ModelFileError(f"there is no file and no schematic in the library called {str(model)!r}",
                                 mend=f"Did you mean {close[0]}?" if close else "List them with: ampwright library.")
        near = get_close_matches(path.name, [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else [], 1)
        raise ModelFileError("there is no such file", place=place, mend=f"Did you mean {near[0]}?" if near else "Check the path.")
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise ModelFileError(f"the suffix {path.suffix!r} says nothing about what this is", place=place,
                             mend=f"A model ends in {', '.join(KINDS)}.")
    return Source(path, kind)


def ships(model: str | Path) -> bool:
    """True if this means a schematic of our library.

    Examples
    --------
    >>> ships("rat"), ships("rat.wav")
    (True, False)
    """
    return not Path(model).exists() and Path(model).stem.lower().replace("-", "_") in names() and Path(model).suffix.lower() in ("", ".cir")


def load(model: str | Path, *, input: str | None = None, output: str | None = None, controls: Sequence[str] = (),
         include_paths: Sequence = (), strict: bool = False) -> Circuit | Processor:
    """Read a model.

    Parameters
    ----------
    model : str or Path
        Path of a netlist, or the name of a schematic of the library.
    input, output : str, optional
        Netlists only: source that the audio drives, and node to listen to, instead of what the file says.
    controls : sequence of str
        Netlists only: parameters to turn, as in a ``*@ control`` line: ``"drive 0 1 taper=log"``.
    include_paths : sequence of path-like
        Netlists only: folders outside the netlist's own that it may include from.
    strict : bool
        Netlists only: refuse what is not understood instead of noting it.

    Returns
    -------
    Circuit or Processor
        A Circuit for a netlist.

    Raises
    ------
    ModelFileError, NetlistError
        If it can't be read; one line with the mend.

    Examples
    --------
    >>> load("tube_screamer").turn(drive=0.9).control("drive").label
    'Overdrive'
    """
    source = locate(model)
    return read(source.path, input=input, output=output, controls=controls, include_paths=include_paths, strict=strict)


def adjusted(model: Circuit | Processor, settings: Mapping[str, float | str]) -> Circuit | Processor:
    """Set controls to positions as on the panel, and other top-level parameters of a circuit to values.

    Parameters
    ----------
    model : Circuit or Processor
        A Circuit stays as it is, the result is a new one; a Processor is turned and handed back.
    settings : mapping of str to float or str
        Text is read in engineering notation (``"4k7"``).

    Raises
    ------
    CircuitError
        For an unknown name, a text that is no number, or a position out of range.

    Examples
    --------
    >>> adjusted(load("diode_clipper"), {"drive": "250m"}).values()["drive"]
    0.25
    """
    positions, values = {}, {}
    known = {control.name for control in model.controls} if isinstance(model, Circuit) else set(model.controls)
    for name, given in settings.items():
        try:
            number = float(given) if not isinstance(given, str) else parse_number(given)
        except ValueError:
            raise CircuitError(f"{name}={given}: {given!r} is not a number", mend="Give a number, such as 0.7, 4k7 or 22n.") from None
        (positions if name in known or not isinstance(model, Circuit) else values)[name] = number
    if not isinstance(model, Circuit):
        model.turn(**positions)
        return model
    for name in values:
        if name not in model.parameters:
            close = get_close_matches(name, [*known, *model.parameters], 1)
            listed = ", ".join([*known, *(one for one in model.parameters if "." not in one and one not in known)][:12]) or "none"
            raise CircuitError(f"there is no control or parameter {name!r}", mend=f"Did you mean {close[0]}?" if close else f"There are: {listed}.")
    return model.turn(**positions).with_parameters(**values)


def player(model: Circuit | Processor, sample_rate: float, *, engine: str = "nodal", oversample: int = 1, strict: bool = False) -> Processor:
    """Make a model ready to play.

    Parameters
    ----------
    model : Circuit or Processor
        A Processor is handed back as it is.
    sample_rate : float
        Hz; used for a circuit only.
    engine : {"nodal"}
        How a circuit is solved.
    oversample : {1, 2, 4, 8, 16}
        How many times faster than the sample rate a circuit is solved.
    strict : bool
        Raise ConvergenceError for a sample that does not converge.

    Raises
    ------
    CircuitError, TopologyError, RateError, ConvergenceError
        If the circuit makes no sense, does not rest, or the rate does not fit.

    Examples
    --------
    >>> player(load("rc_lowpass"), 48000.0).process([0.0, 0.0])
    array([0., 0.])
    """
    if not isinstance(model, Circuit):
        if oversample != 1:
            raise RateError("only circuits can be oversampled", mend="Leave out --oversample: this model has a sample rate of its own.")
        return model
    if engine not in ENGINES:
        raise CircuitError(f"there is no engine {engine!r}", mend=f"Engines: {', '.join(ENGINES)}.")
    if oversample not in FACTORS:
        raise RateError(f"oversampling by {oversample} is not possible", mend=f"Use one of {', '.join(map(str, FACTORS))}.")
    make = ENGINES[engine]
    return oversampled(lambda rate: make(model, rate, strict=strict), sample_rate, oversample)
