"""Which is nearest? Recordings and models of any kind against a target, scored, tested and laid out in a report.

A signal is named by text as ``[LABEL=]WHAT[@NAME=VALUE,...]``. WHAT is a recording (``.wav``, ``.flac``) or anything that `models.load`
knows. The names ``engine`` and ``oversample`` choose how a circuit is solved, all others set controls:
``"Screamer, 4x=tube_screamer@oversample=4,drive=0.8"``. ``ngspice:WHAT`` has ngspice play a netlist, in the deck that `netlists.writer` makes of it; ``steps``
is how many time steps it takes a sample, at least. Samples are volts to a circuit, unless ``full_scale`` or ``level`` is given.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Callable, Mapping, Sequence

import numpy as np

from ampwright.costs import cost
from ampwright.models import adjusted, check_playing, load, locate, player, ships
from ampwright.scaled import Scaled, check_level
from ampwright.simulation import Progress, recording
from circuits.circuit import Circuit
from circuits.errors import CircuitError, ModelFileError, Place, SignalError
from circuits.processor import Processor
from netlists.writer import write
from validation.align import check_mode
from validation.audio import AUDIO_SUFFIXES, Audio
from validation.compare import compare as compare_entries
from validation.comparison import Comparison
from validation.comparison_file import read_comparison
from validation.rendering import Entry
from validation.report import FORMATS, check_formats, check_output, write_report
from validation.spice import Ngspice

NGSPICE = "ngspice:"
CHANNELS = {"left": 1, "right": 2}
Signal = str | Path | Circuit | Processor | Audio


def _exists(text: str) -> bool:
    """True if there is a file or folder of this name; what can't be a name names none."""
    try:
        return bool(text) and Path(text).exists()
    except (OSError, ValueError):  # too long, or with a zero
        return False


def divide(text: str) -> tuple[str, str, dict[str, str]]:
    """Label, name and options of a signal's text.

    Raises
    ------
    CircuitError
        If an option is not NAME=VALUE.

    Examples
    --------
    >>> divide("Loud=rat@drive=0.9,oversample=4")
    ('Loud', 'rat', {'drive': '0.9', 'oversample': '4'})
    >>> divide("captures/mine.nam")
    ('mine.nam', 'captures/mine.nam', {})
    """
    if _exists(text):  # a file may be called anything
        return Path(text).name, text, {}
    if not text.strip():
        raise CircuitError("an empty text names nothing", mend="Name a recording, a netlist, a schematic of the library, a capture or a block.")
    label, sign, rest = text.partition("=")
    if not sign or "@" in label:
        label, rest = "", text
    what, _, tail = rest.partition("@")
    if _exists(rest):
        what, tail = rest, ""
    options = {}
    for item in tail.split(",") if tail else ():
        name, equals, value = item.partition("=")
        if not (equals and name.strip() and value.strip()):
            raise CircuitError(f"{text}: {item!r} is not NAME=VALUE", mend="Write for instance rat@drive=0.7,oversample=4.")
        options[name.strip().lower()] = value.strip()
    shown = (NGSPICE if what.startswith(NGSPICE) else "") + Path(what.removeprefix(NGSPICE)).name + (f" ({tail})" if tail else "")
    return label.strip() or shown, what, options


def _audio(path: str | Path, channel: int | str | None) -> Audio:
    audio = recording(path)
    if audio.n_channels == 1:
        return audio
    if channel is None:
        raise SignalError(f"the recording has {audio.n_channels} channels, and a comparison takes one", place=Place(str(path)),
                          mend="Choose with --channel: left, right, a number from 1, or mix for their mean.")
    if channel == "mix":
        return Audio(np.mean(audio.samples, axis=0), audio.sample_rate)
    try:
        number = int(CHANNELS.get(channel, channel))
    except ValueError:
        raise SignalError(f"there is no channel {channel!r}", mend="Choose left, right, a number from 1, or mix.") from None
    if not 1 <= number <= audio.n_channels:
        raise SignalError(f"the recording has no channel {number}", place=Place(str(path)), mend=f"Choose from 1 to {audio.n_channels}, or mix.")
    return Audio(audio.channel(number - 1), audio.sample_rate)


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _whole(settings: dict, name: str, default: int, choice: str) -> int:
    """Take a whole number out of the settings."""
    given = settings.pop(name, None)
    try:
        return default if given is None else int(given)
    except ValueError:
        raise CircuitError(f"{name}={given} is not a whole number", mend=f"Use {choice}.") from None


def _volts(circuit: Circuit, full_scale: bool, level: float | None) -> float:
    return level if level is not None else circuit.level if full_scale else 1.0


def _ready(model: Circuit | Processor, sample_rate: float, settings: Mapping, engine: str, oversample: int, full_scale: bool,
           level: float | None) -> Processor:
    settings = dict(settings)
    engine = settings.pop("engine", engine)
    # the common setting is for circuits; a capture has its own rate
    oversample = _whole(settings, "oversample", oversample if isinstance(model, Circuit) else 1, "1, 2, 4, 8 or 16")
    if isinstance(model, Circuit) and not np.isfinite(sample_rate):
        raise SignalError("a circuit needs a dry recording to be compared", mend="Give one.")
    ready = adjusted(model, settings)
    processor = player(ready, sample_rate, engine=engine, oversample=oversample)
    if isinstance(ready, Circuit) and (full_scale or level is not None):
        return Scaled(processor, _volts(ready, full_scale, level))
    return processor


def _by_ngspice(model: Circuit | Processor, sample_rate: float, settings: Mapping, full_scale: bool, level: float | None) -> Ngspice:
    if not isinstance(model, Circuit):
        raise CircuitError("ngspice plays netlists, and this is another kind of model", mend="Leave out ngspice: before it.")
    if not np.isfinite(sample_rate):
        raise SignalError("a circuit needs a dry recording to be compared", mend="Give one.")
    settings = dict(settings)
    steps = _whole(settings, "steps", 8, "1 to 64, for instance 8")
    if not 1 <= steps <= 64:
        raise CircuitError(f"steps={steps} makes no sense", mend="Use 1 to 64 time steps a sample.")
    ready = adjusted(model, settings)
    return Ngspice(write(ready), sample_rate, steps, _volts(ready, full_scale, level))


def entry(signal: Signal, label: str = "", *, engine: str = "nodal", oversample: int = 1, controls: Mapping[str, float | str] | None = None,
          channel: int | str | None = None, full_scale: bool = False, level: float | None = None, settings: Mapping[str, object] | None = None,
          load: Callable[..., Circuit | Processor] = load) -> Entry:
    """Make an entry of a comparison; nothing is read before it is needed, so that a bad one costs only its own row.

    Parameters
    ----------
    signal : str, Path, Circuit, Processor or Audio
        Text as in this module's head.
    label : str
        Name in the report, instead of the one that follows from the text.
    engine, oversample
        For circuits that do not say themselves.
    controls : mapping, optional
        Set on the model, before the text's own options.
    channel : int or str, optional
        Which channel of a recording with several: a number from 1, "left", "right", or "mix" for their mean.
    full_scale : bool
        To circuits, 1.0 of the dry recording is their level and not 1 V; so is 1.0 of what they give.
    level : float, optional
        Volts of a full-scale sample instead; implies ``full_scale``.
    settings : mapping, optional
        Handed to ``load`` for netlists of the user's: ``input``, ``output``, ``controls``, ``include_paths``. Our own schematics declare theirs.
    load : callable
        Reads a model from a path or name.
    """
    controls = dict(controls or {})
    if isinstance(signal, Audio):
        return Entry(label or "recording", lambda rate: signal)
    if not isinstance(signal, (str, Path)):
        return Entry(label or type(signal).__name__, lambda rate: _ready(signal, rate, controls, engine, oversample, full_scale, level), cost=cost)
    own, what, options = divide(str(signal))
    if Path(what).suffix.lower() in AUDIO_SUFFIXES and not what.startswith(NGSPICE):
        if options:
            raise CircuitError(f"a recording has no settings, and {signal} gives it {', '.join(options)}", mend="Leave out what follows the @.")
        digest = _digest(Path(what)) if Path(what).is_file() else ""
        return Entry(label or own, lambda rate: _audio(what, channel), what, digest)
    outside, what = what.startswith(NGSPICE), what.removeprefix(NGSPICE)
    how: Mapping[str, object] = {}
    try:
        place = locate(what)
        digest = _digest(place.path)
        if place.kind == "netlist" and not ships(what):
            how = settings or {}
    except ModelFileError:
        digest = ""  # said again, with its reason, when it is loaded
    told: list[str] = []

    def loaded() -> Circuit | Processor:
        model = load(what, **how)
        if isinstance(model, Circuit) and not ships(what):  # what is skipped in our own schematics is meant for other programs
            told[:] = model.notes
        return model

    source = (NGSPICE if outside else "") + what + ("@" + ",".join(f"{name}={value}" for name, value in options.items()) if options else "")
    if outside:
        return Entry(label or own, lambda rate: _by_ngspice(loaded(), rate, {**controls, **options}, full_scale, level), source, digest, remarks=lambda: tuple(told))
    return Entry(label or own, lambda rate: _ready(loaded(), rate, {**controls, **options}, engine, oversample, full_scale, level), source,
                 digest, cost, lambda: tuple(told))


def compare(dry: str | Path | Audio | None, target: Signal, candidates: Sequence[Signal] | Mapping[str, Signal], output: str | Path | None = None, *,
            align: str = "latency", formats: Sequence[str] = FORMATS, engine: str = "nodal", oversample: int = 1, segment_length: float = 0.5,
            measure: bool = True, channel: int | str | None = None, full_scale: bool = False, level: float | None = None, seed: int = 0,
            settings: Mapping[str, object] | None = None, load: Callable[..., Circuit | Processor] = load, command: str = "", progress: Progress | None = None) -> Comparison:
    """Compare candidates with a target, and write a report.

    Parameters
    ----------
    dry : path, Audio or None
        What the models play; None if all are recordings.
    target : str, Path, Circuit, Processor or Audio
        What should be reached.
    candidates : sequence, or mapping of label to the same
        Any number; one that fails keeps its row with its message.
    output : path, optional
        Folder of the report; none is written without it.
    align : {"none", "latency", "latency+gain"}
        What is taken out before scoring. Scores without any are kept beside.
    formats : sequence of {"html", "csv", "json", "png"}
    engine, oversample
        For circuits.
    segment_length : float
        Seconds of the segments of intervals and tests.
    measure : bool
        Whether models are also measured with tones.
    channel : int or str, optional
        Which channel of recordings with several: a number from 1, "left", "right", or "mix" for their mean.
    full_scale, level
        What 1.0 of a recording is to circuits, as for `simulate`: 1 V if neither is given.
    seed : int
        Of the bootstrap.
    settings : mapping, optional
        For netlists of the user's, as for `load`: ``input``, ``output``, ``controls``, ``include_paths``.
    load : callable
        Reads a model from a path or name.
    command : str
        The command that repeats it, for the report.
    progress : callable, optional
        ``progress(done, text)``.

    Returns
    -------
    Comparison

    Raises
    ------
    AmpwrightError
        If dry or target can't be used, or the report can't be written.

    Examples
    --------
    >>> x = np.random.default_rng(1).standard_normal(9600)
    >>> found = compare(None, Audio(x, 48000.0), {"quieter": Audio(0.9 * x, 48000.0)})
    >>> found.rows[0].label, round(found.rows[0].scores["esr"], 6)
    ('quieter', 0.01)
    """
    check_mode(align)  # whatever is known to be wrong before the work is said before it
    check_playing(engine, oversample)
    if level is not None:
        check_level(level)
    if seed < 0:
        raise SignalError(f"a seed of {seed} makes no sense", mend="Use 0 or more.")
    if output is not None:
        check_formats(formats)
        check_output(output)
    heard = dry if dry is None or isinstance(dry, Audio) else _audio(dry, channel)
    common = {"engine": engine, "oversample": oversample, "channel": channel, "full_scale": full_scale, "level": level, "settings": settings,
              "load": load}
    named = candidates.items() if isinstance(candidates, Mapping) else [("", signal) for signal in candidates]
    entries = [entry(signal, label, **common) for label, signal in named]
    comparison = compare_entries(
        heard, entry(target, "target" if isinstance(target, Audio) else "", **common), entries, mode=align, segment_length=segment_length,
        measure=measure, rng=np.random.default_rng(seed), progress=progress, dry_label="dry" if heard is dry else Path(str(dry)).name,
        dry_source="" if heard is dry else str(dry), settings={"engine": engine, "oversampling": str(oversample), "seed": str(seed),
                  "full_scale": f"{level:g} V" if level is not None else "each circuit's level" if full_scale else "1 V"}, command=command)
    if output is not None:
        write_report(comparison, output, formats=formats)
    return comparison


def redraw(path: str | Path, output: str | Path, *, formats: Sequence[str] = FORMATS) -> Comparison:
    """Write a report again from its ``comparison.json``, without rendering or scoring anything.

    Raises
    ------
    ModelFileError, SignalError
        If the file is damaged or the folder can't be used.
    """
    check_formats(formats)
    check_output(output)
    comparison = read_comparison(path)
    write_report(comparison, output, formats=formats)
    return comparison


def failures(comparison: Comparison) -> list[str]:
    """One line for each candidate that failed."""
    return [f"{row.label}: {row.message}" for row in comparison.failed]
