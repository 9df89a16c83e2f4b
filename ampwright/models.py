"""What a path or a name means: the suffix tells a netlist from a capture, a block, an impulse response or a chain.

`load` gives what the file holds: a `Circuit` for a netlist (it has no sample rate yet), a `Processor` for all that has one.
`player` makes a Processor of either. The room of each kind is imported when the first model of that kind is opened: a netlist must not wait
for captures, blocks and waves.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Mapping

from circuits.circuit import Circuit
from circuits.errors import CircuitError, ModelFileError, Place, RateError
from circuits.nodal.processor import NodalProcessor
from circuits.processor import Processor
from circuits.rate import FACTORS, oversampled
from circuits.units import parse_number
from netlists.library import find, names
from netlists.reader import read

NETLISTS = (".cir", ".net", ".sp", ".spi", ".spice", ".ckt", ".asc", ".schx", ".txt")
KINDS = {**dict.fromkeys(NETLISTS, "netlist"), ".nam": "capture", ".aidax": "capture", ".json": "capture or block",
         ".wav": "impulse response", ".flac": "impulse response", ".toml": "chain"}
SETTINGS = {"netlist": ("input", "output", "controls", "include_paths", "strict"),
            "capture": ("dtype", "slim", "calibrate", "normalise", "linear_oldest_first"), "impulse response": ("channel",), "chain": (), "block": ("oversample", "adaa")}
ENGINES = ("nodal", "wdf")
SHIPPED = Path(__file__).resolve().parents[1] / "validation" / "captures" / "shipped"
PLAYING = ("engine", "oversample")  # settings of a stage of a chain that are for `player`


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
        A file by its path, or a schematic of the library or a capture that ships by its name.

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
    try:
        folder = path.is_dir()
    except OSError as error:
        raise ModelFileError(f"this can't be the name of a file ({error.strerror})", place=Place(str(model)[:80]), mend="Check the path.") from None
    if folder:
        raise ModelFileError("this is a folder, not a model", place=place, mend=f"Name a file that ends in {', '.join(KINDS)}.")
    if not path.exists():
        plain = path.parent == Path(".") and path.suffix.lower() in ("", ".cir")
        if plain and path.stem.lower().replace("-", "_").replace(" ", "_") in names():
            return Source(find(path.stem), "netlist")
        shipped = _shipped_captures()
        if plain and path.name in shipped:
            return locate(shipped[path.name])
        if plain and not path.suffix:
            close = get_close_matches(path.stem.lower(), [*names(), *shipped], 1, 0.5)
            raise ModelFileError(f"there is no file and no schematic in the library called {str(model)!r}",
                                 mend=f"Did you mean {close[0]}?" if close else "List them with: ampwright library.")
        near = get_close_matches(path.name, [item.name for item in path.parent.iterdir()] if path.parent.is_dir() else [], 1)
        raise ModelFileError("there is no such file", place=place, mend=f"Did you mean {near[0]}?" if near else "Check the path.")
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise ModelFileError(f"the suffix {path.suffix!r} says nothing about what this is", place=place,
                             mend=f"A model ends in {', '.join(KINDS)}.")
    return Source(path, _json_kind(path) if kind == "capture or block" else kind)


def _shipped_captures() -> dict[str, Path]:
    return {path.stem: path for path in sorted(SHIPPED.iterdir()) if path.suffix in (".nam", ".json")}


def _json_kind(path: Path) -> str:
    """What a JSON file says that it is; captures say nothing, their reader knows them by their keys."""
    from graybox.store import FORMAT as BLOCK
    from validation.captures.documents import read_document
    from validation.comparison_file import FORMAT as COMPARISON

    said = read_document(path).get("format")
    if said == COMPARISON:
        raise ModelFileError("this is a comparison, not a model", place=Place(str(path)), mend=f"Draw its report again with: ampwright compare {path}")
    return "block" if said == BLOCK else "capture"


def ships(model: str | Path) -> bool:
    """True if this means a schematic of our library.

    Examples
    --------
    >>> ships("rat"), ships("rat.wav")
    (True, False)
    """
    return not Path(model).exists() and Path(model).stem.lower().replace("-", "_") in names() and Path(model).suffix.lower() in ("", ".cir")


def load(model: str | Path, *, sample_rate: float | None = None, **settings) -> Circuit | Processor:
    """Read a model; the suffix says what it is.

    Parameters
    ----------
    model : str or Path
        Netlist (``.cir .net .sp ...``), neural capture (``.nam .aidax .json``), gray-box block (``.json``), impulse response (``.wav .flac``), chain (``.toml``),
        or the name of a schematic of the library.
    sample_rate : float, optional
        Hz; for an impulse response or a chain that shall play at another rate than its own. A capture keeps its own.
    **settings
        For a netlist: ``input`` and ``output`` (source that the audio drives, node to listen to), ``controls`` (sequence of str: parameters
        to turn, as in a ``*@ control`` line), ``include_paths``, ``strict`` (refuse what is not understood). For a capture: ``dtype``,
        ``slim``, ``calibrate``, ``normalise``. For an impulse response: ``channel``. For a block: ``oversample``, ``adaa``.

    Returns
    -------
    Circuit or Processor
        A Circuit for a netlist.

    Raises
    ------
    AmpwrightError
        If it can't be read, or a setting does not go with it; one line with the mend.

    Examples
    --------
    >>> load("tube_screamer").turn(drive=0.9).control("drive").label
    'Overdrive'
    """
    source = checked(model, settings)
    if source.kind == "netlist":
        return read(source.path, laws=_law, **settings)
    if source.kind == "impulse response":
        from validation.captures.impulse import load_impulse

        return load_impulse(source.path, sample_rate, **settings)
    if source.kind == "chain":
        from validation.captures.chain import load_chain

        return load_chain(source.path, stage, sample_rate=sample_rate)
    if source.kind == "block":
        from graybox.blocks import BlockProcessor
        from graybox.store import load as load_block

        return BlockProcessor(load_block(source.path), **settings)
    from validation.captures.load import load_capture

    return load_capture(source.path, **settings)


def checked(model: str | Path, settings: Mapping[str, object]) -> Source:
    """Where the model lies, with the names of its settings checked; raises ModelFileError as `load` does."""
    source = locate(model)
    for name in settings:
        if name not in SETTINGS[source.kind]:
            known = ", ".join(SETTINGS[source.kind]) or "none"
            raise ModelFileError(f"{name!r} is no setting of a {source.kind}", place=Place(str(model)), mend=f"Its settings: {known}.")
    return source


def _law(path: Path):
    """The fitted law that a netlist names."""
    from graybox.device import load_law

    return load_law(path)


def stage(model: str | Path, *, sample_rate: float, rate_strict: bool = False, **settings) -> Processor:
    """Open one stage of a chain: a model with its settings, ready to play at the chain's rate."""
    playing = {name: settings.pop(name) for name in PLAYING if name in settings}
    return player(load(model, sample_rate=sample_rate, **settings), sample_rate, rate_strict=rate_strict, **playing)


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
    known = {control.name for control in model.controls} if isinstance(model, Circuit) else set(model.controls)
    spelled = {name.lower(): name for name in [*(model.parameters if isinstance(model, Circuit) else ()), *known]}
    positions, values = {}, {}
    for given, value in settings.items():
        try:
            number = float(value) if not isinstance(value, str) else parse_number(value)
        except ValueError:
            raise CircuitError(f"{given}={value}: {value!r} is not a number", mend="Give a number, such as 0.7, 4k7 or 22n.") from None
        name = given if given in known else spelled.get(given.lower())
        if name is None:
            close = get_close_matches(given.lower(), spelled, 1)
            listed = ", ".join([*known, *(one for one in spelled.values() if "." not in one and one not in known)][:12]) or "none"
            raise CircuitError(f"there is no control or parameter {given!r}", mend=f"Did you mean {spelled[close[0]]}?" if close else f"There are: {listed}.")
        (positions if name in known else values)[name] = number
    if not isinstance(model, Circuit):
        model.turn(**positions)
        return model
    return model.turn(**positions).with_parameters(**values)


def check_playing(engine: str, oversample: int) -> None:
    """Raise CircuitError or RateError unless there is such an engine and oversampling."""
    if engine not in ENGINES:
        raise CircuitError(f"there is no engine {engine!r}", mend=f"Engines: {', '.join(ENGINES)}.")
    if oversample not in FACTORS:
        raise RateError(f"oversampling by {oversample} is not possible", mend=f"Use one of {', '.join(map(str, FACTORS))}.")


def engine_of(name: str) -> type[Processor]:
    """The Processor that solves a circuit: the nodal engine's or the wave engine's; raises CircuitError for another name.

    Examples
    --------
    >>> engine_of("nodal").__name__
    'NodalProcessor'
    """
    if name not in ENGINES:
        raise CircuitError(f"there is no engine {name!r}", mend=f"Engines: {', '.join(ENGINES)}.")
    if name == "nodal":
        return NodalProcessor
    from wdf.processor import WdfProcessor

    return WdfProcessor


def player(model: Circuit | Processor, sample_rate: float, *, engine: str = "nodal", oversample: int = 1, strict: bool = False,
           rate_strict: bool = False) -> Processor:
    """Make a model ready to play at a sample rate.

    Parameters
    ----------
    model : Circuit or Processor
        A Processor that has another rate of its own is resampled around.
    sample_rate : float
        Hz.
    engine : {"nodal", "wdf"}
        How a circuit is solved.
    oversample : {1, 2, 4, 8, 16}
        How many times faster than the sample rate a circuit is solved, or the curves of a block are played.
    strict : bool
        Raise ConvergenceError for a sample that does not converge.
    rate_strict : bool
        Raise RateError instead of resampling around a Processor.

    Raises
    ------
    CircuitError, TopologyError, RateError, ConvergenceError
        If the circuit makes no sense, does not rest, or the rate does not fit.

    Examples
    --------
    >>> player(load("rc_lowpass"), 48000.0).process([0.0, 0.0])
    array([0., 0.])
    """
    check_playing(engine, oversample)
    if isinstance(model, Circuit):
        make = engine_of(engine)
        return oversampled(lambda rate: make(model, rate, strict=strict), sample_rate, oversample)
    from graybox.blocks import BlockProcessor
    from validation.captures.resampled import Resampled

    if isinstance(model, BlockProcessor) and oversample != 1:
        model = BlockProcessor(model.block, oversample=oversample)
    elif oversample != 1:
        raise RateError("only circuits and blocks can be oversampled", mend="Leave out --oversample: this model has a sample rate of its own.")
    if model.sample_rate == sample_rate:
        return model
    if rate_strict:
        raise RateError(f"the model runs at {model.sample_rate:g} Hz, not at {sample_rate:g} Hz", mend="Play it at its own rate, or allow resampling.")
    return Resampled(model, float(sample_rate))
