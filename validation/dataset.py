"""One dry recording through a model at many positions of its knobs: rendered on all cores, resumed where it was stopped.

A dataset is a folder: `dataset.json` (the manifest), `dry.wav`, and one recording for each position. The manifest holds
positions, seed, digests, versions, and the division of the *time axis* into train, validation and test. Stretches of
different parts are kept apart by a guard that belongs to none, so that what a model remembers of one part is not heard in
another; some positions may be kept out altogether, for scores on settings never seen. The same layout with recordings of
real gear is read alike; there digests may be null.

Conventions: samples are what the model takes and gives, the unit of the dry recording; shape (n_samples,).
"""

from __future__ import annotations

import hashlib
import json
import math
import platform
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from time import monotonic
from typing import Callable, Mapping, Sequence

import joblib
import numpy as np

from circuits.controls import Control
from circuits.errors import AmpwrightError, CircuitError, ConvergenceError, Place, SignalError
from circuits.processor import Processor
from circuits.together import Together
from validation.audio import read_audio, whole_file, write_audio
from validation.positions import Positions

FORMAT, VERSION, MANIFEST = "ampwright-dataset", 1, "dataset.json"
PARTS = ("train", "validation", "test")
BACKENDS = ("loky", "threading", "dask")
BLOCK = 8192
MAX_MANIFEST = 512 * 1024 * 1024  # bytes: a million positions of ten controls
_EVERY = 2.0  # seconds between two writings of the manifest: what a kill can cost
Spans = tuple[tuple[int, int], ...]
Make = Callable[[Mapping[str, float]], Processor]


@dataclass(frozen=True, slots=True)
class Item:
    """One rendering: positions, file, digest of the file's bytes ("" if not rendered yet or not known), steps that did not
    converge, and whether its position is kept out of training."""

    positions: Mapping[str, float]
    file: str
    digest: str = ""
    bad_samples: int = 0
    held: bool = False


@dataclass(frozen=True, slots=True)
class Dataset:
    """What a manifest says.

    Parameters
    ----------
    folder : Path
    sample_rate : float
        Hz.
    n_samples : int
        Of the dry recording and of each rendering.
    controls : tuple of Control
    dry : Item
        The dry recording.
    items : tuple of Item
    parts : mapping of str to tuple of (start, stop)
        Stretches of time, in samples, of train, validation and test.
    facts : mapping
        Where it comes from: model, settings, sampling, seed, versions.
    """

    folder: Path
    sample_rate: float
    n_samples: int
    controls: tuple[Control, ...]
    dry: Item
    items: tuple[Item, ...]
    parts: Mapping[str, Spans]
    facts: Mapping[str, object]

    def samples(self, item: Item) -> np.ndarray:
        """One recording, shape (n_samples,); raises SignalError if it is damaged or of another length or rate."""
        path = self.folder / item.file
        audio = read_audio(path)
        if item.digest and digest_of(path) != item.digest:
            raise SignalError("the recording is not the one that was rendered: its digest differs", place=Place(str(path)),
                              mend="Delete it and run the command again: only this one is rendered anew.")
        if audio.n_channels != 1 or audio.n_samples != self.n_samples or audio.sample_rate != self.sample_rate:
            raise SignalError(f"the recording has {audio.n_channels} channels of {audio.n_samples} samples at {audio.sample_rate:g} Hz, "
                              f"not one of {self.n_samples} at {self.sample_rate:g} Hz", place=Place(str(path)), mend="Give recordings of one length and rate.")
        return audio.samples


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def divide(n_samples: int, sample_rate: float, rng: np.random.Generator, *, shares: tuple[float, float, float] = (0.7, 0.15, 0.15),
           stretch: float = 2.0, guard: float = 0.1) -> dict[str, Spans]:
    """Divide a recording into train, validation and test.

    Parameters
    ----------
    n_samples : int
    sample_rate : float
        Hz.
    rng : numpy.random.Generator
    shares : tuple of float
        Of train, validation and test; their sum is 1.
    stretch : float
        Seconds of one stretch, shortened where the recording has fewer than ten of them.
    guard : float
        Seconds left out where one part follows another.

    Returns
    -------
    dict of str to tuple of (start, stop)
        Disjoint and ascending; stretches of one part that touch are joined.

    Raises
    ------
    SignalError
        If the recording is too short, or the shares make no sense.

    Examples
    --------
    >>> parts = divide(480000, 48000.0, np.random.default_rng(1))
    >>> sum(stop - start for spans in parts.values() for start, stop in spans) > 400000
    True
    """
    if len(shares) != 3 or min(shares) < 0.0 or abs(sum(shares) - 1.0) > 1e-9 or shares[0] == 0.0:
        raise SignalError(f"the shares {', '.join(f'{one:g}' for one in shares)} make no sense", mend="Give three numbers with the sum 1, the first above 0.")
    size = int(min(stretch * sample_rate, n_samples / 10))
    margin = int(round(guard * sample_rate))
    if not size > 2 * margin > 0:
        raise SignalError(f"{n_samples / sample_rate:.2f} s are too short to divide with a guard of {guard:g} s",
                          mend=f"Give at least {20 * guard:g} s, or a shorter guard.")
    edges = np.linspace(0, n_samples, n_samples // size + 1).astype(int)
    count = len(edges) - 1
    wanted = [max(1, round(share * count)) if share else 0 for share in shares[1:]]
    kinds = np.array(["train"] * count, dtype=object)
    order = rng.permutation(count)
    kinds[order[:wanted[0]]] = "validation"
    kinds[order[wanted[0]:wanted[0] + wanted[1]]] = "test"
    parts: dict[str, list[tuple[int, int]]] = {name: [] for name in PARTS}
    start = 0
    for index in range(count):
        if index + 1 < count and kinds[index + 1] == kinds[index]:
            continue
        last = index + 1 == count
        parts[kinds[index]].append((int(start), int(edges[index + 1]) - (0 if last else margin)))
        start = edges[index + 1]
    return {name: tuple(spans) for name, spans in parts.items()}


def plan_dataset(folder: str | Path, dry, sample_rate: float, controls: Sequence[Control], positions: Positions, *, rng: np.random.Generator,
                 held: float = 0.0, parts: Mapping[str, Spans] | None = None, suffix: str = ".wav", facts: Mapping[str, object] | None = None) -> Dataset:
    """Lay out a dataset: dry recording and manifest are written, nothing is rendered. A folder that holds the same plan is taken up again.

    Parameters
    ----------
    folder : path-like
        Made if it is not there.
    dry : ndarray, shape (n_samples,)
    sample_rate : float
        Hz.
    controls : sequence of Control
    positions : tuple of dict
        As `validation.positions` gives them.
    rng : numpy.random.Generator
        Draws the division and the positions kept out.
    held : float
        Share of the positions kept out of training, 0 to 0.9.
    parts : mapping, optional
        As `divide` gives it; by default it is called with its defaults.
    suffix : {".wav", ".flac"}
        Float WAV, or FLAC of 24 bit, which can't exceed full scale.
    facts : mapping, optional
        What the manifest shall say about its origin; part of the comparison with a plan that is there already.

    Raises
    ------
    SignalError
        If the folder holds another dataset or other files, or the recording can't be divided.
    """
    folder = Path(folder)
    dry = np.asarray(dry, dtype=np.float64)
    if suffix not in (".wav", ".flac"):
        raise SignalError(f"a dataset can't be kept as {suffix!r}", mend="Use .wav or .flac.")
    if not 0.0 <= held <= 0.9:
        raise SignalError(f"keeping out {held:g} of the positions makes no sense", mend="Give a share from 0 to 0.9.")
    division = dict(parts) if parts is not None else divide(len(dry), sample_rate, rng)
    n_held = min(round(held * len(positions)), len(positions) - 1)
    kept_out = set(rng.permutation(len(positions))[:n_held].tolist())
    width = max(4, len(str(len(positions) - 1)))
    items = tuple(Item(dict(one), f"{index:0{width}d}{suffix}", held=index in kept_out) for index, one in enumerate(positions))
    if folder.exists() and not folder.is_dir():
        raise SignalError("this is a file, not a folder", place=Place(str(folder)), mend="Name another folder.")
    told = dict(facts or {})
    if (folder / MANIFEST).exists():
        present = read_dataset(folder)
        wanted = Dataset(folder, float(sample_rate), len(dry), tuple(controls), present.dry, items, division, told)
        _check_same(present, wanted, dry)
        return present
    if folder.is_dir() and any(folder.iterdir()):
        raise SignalError("the folder holds other things", place=Place(str(folder)), mend="Name a new or an empty folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SignalError(f"the folder can't be made ({error.strerror})", place=Place(str(folder)), mend="Choose another place.") from error
    write_audio(folder / "dry.wav", dry, sample_rate)
    told["versions"] = {"python": platform.python_version(), **{name: metadata.version(name) for name in ("numpy", "scipy", "numba", "joblib")}}
    dataset = Dataset(folder, float(sample_rate), len(dry), tuple(controls), Item({}, "dry.wav", digest_of(folder / "dry.wav")), items, division, told)
    write_manifest(dataset)
    return dataset


def _check_same(present: Dataset, wanted: Dataset, dry: np.ndarray) -> None:
    differs = [name for name in ("sample_rate", "n_samples", "controls", "parts") if getattr(present, name) != getattr(wanted, name)]
    if [(one.positions, one.file, one.held) for one in present.items] != [(one.positions, one.file, one.held) for one in wanted.items]:
        differs.append("positions")
    differs += [name for name, value in wanted.facts.items() if name != "versions" and present.facts.get(name) != json.loads(json.dumps(value))]
    if not differs and not np.array_equal(present.samples(present.dry), dry.astype(np.float32)):
        differs.append("the dry recording")
    if differs:
        raise SignalError(f"the folder holds another dataset: {', '.join(differs)} differ", place=Place(str(present.folder)),
                          mend="Name a new folder, or repeat the command with the settings it was made with.")


def render_dataset(dataset: Dataset, make: Make, *, backend: str = "loky", n_jobs: int = -1, size: int = 1,
                   progress=None) -> Dataset:
    """Render what is missing.

    Parameters
    ----------
    dataset : Dataset
        As `plan_dataset` gave it.
    make : callable
        ``make(positions)`` gives a Processor at rest with its knobs there; it must be picklable for other backends than threading.
    backend : {"loky", "threading", "dask"}
        As joblib names them; for dask the caller has connected a client.
    n_jobs : int
        As joblib takes it; -1 is all cores.
    size : int
        Renderings that one worker makes at a time, side by side in vector lanes where `circuits.together.Together` finds them ready; 1: one by one.
    progress : callable, optional
        ``progress(done, text)``.

    Returns
    -------
    Dataset
        With digests of all.

    Raises
    ------
    SignalError
        If a recording can't be written.
    CircuitError, ConvergenceError
        From the model. What was rendered before stays, and is in the manifest.
    """
    if backend not in BACKENDS:
        raise CircuitError(f"there is no backend {backend!r}", mend=f"Use one of {', '.join(BACKENDS)}.")
    tell = progress or (lambda done, text: None)
    items = list(dataset.items)
    missing = [index for index, item in enumerate(items) if not (item.digest and (dataset.folder / item.file).is_file()
                                                                 and digest_of(dataset.folder / item.file) == item.digest)]
    dry = dataset.samples(dataset.dry)
    done = len(items) - len(missing)
    tell(done / len(items), f"{done} of {len(items)} are there")
    if not missing:
        return dataset
    written = monotonic()
    folder = dataset.folder.absolute()  # a worker that served an earlier call stands in another folder
    try:
        groups = [missing[at:at + size] for at in range(0, len(missing), size)]
        with joblib.parallel_config(backend, n_jobs=n_jobs):
            work = joblib.Parallel(return_as="generator")(
                joblib.delayed(_render)(make, [(dict(items[index].positions), folder / items[index].file) for index in some], dry, dataset.sample_rate, size > 1)
                for some in groups)
            for (rendered, error), some in zip(work, groups):  # the work first: it must run to its end
                for (digest, bad), index in zip(rendered, some):
                    items[index] = replace(items[index], digest=digest, bad_samples=bad)
                    done += 1
                if error is not None:
                    raise error
                if monotonic() - written > _EVERY:
                    write_manifest(replace(dataset, items=tuple(items)))
                    written = monotonic()
                tell(done / len(items), f"{done} of {len(items)} rendered")
    except AmpwrightError as error:
        raise _told_what_is_kept(error, done, len(items)) from error
    finally:  # an error or Ctrl-C must not cost what is done
        dataset = replace(dataset, items=tuple(items))
        _keep_manifest(dataset, done)
    return dataset


def _told_what_is_kept(error: AmpwrightError, done: int, count: int) -> AmpwrightError:
    return type(error)(error.what, mend=f"{error.mend} {done} of {count} renderings are kept: repeat the command to go on.".strip(), place=error.place)


def _keep_manifest(dataset: Dataset, done: int) -> None:
    """Write the manifest; where the disk does not take it, the one before stays, and says less than there is."""
    try:
        write_manifest(dataset)
    except SignalError as error:
        raise _told_what_is_kept(error, done, len(dataset.items)) from error


def _render(make: Make, wanted: list[tuple[dict[str, float], Path]], dry: np.ndarray, sample_rate: float,
            lanes: bool) -> tuple[list[tuple[str, int]], AmpwrightError | None]:
    """Render some; digests and steps that did not converge of those that were written, and what stopped the next one."""
    done: list[tuple[str, int]] = []
    if lanes:
        try:
            processors = [make(positions) for positions, _ in wanted]
            return [_written(wet, path, sample_rate, one) for wet, (_, path), one in zip(_wet(processors, dry, True), wanted, processors)], None
        except AmpwrightError:
            pass  # one by one, so that the message names the position
    for positions, path in wanted:
        try:
            processor = make(positions)
            wet = _wet([processor], dry, False)[0]
        except AmpwrightError as error:
            where = ", ".join(f"{name}={value:.4g}" for name, value in positions.items())
            return done, type(error)(f"at {where}: {error.what}", mend=error.mend, place=error.place)
        done.append(_written(wet, path, sample_rate, processor))
    return done, None


def _wet(processors: list[Processor], dry: np.ndarray, lanes: bool) -> list[np.ndarray]:
    """The recording through processors at rest, their latency taken out; raises ConvergenceError for a number that is not finite."""
    late = processors[0].latency
    fed = np.concatenate([dry, np.zeros(late)])
    play = Together(processors).process if lanes else lambda signals: [one.process(x) for one, x in zip(processors, signals)]
    parts = [play([fed[start:start + BLOCK]] * len(processors)) for start in range(0, len(fed), BLOCK)]
    wets = [np.atleast_2d(np.concatenate([part[k] for part in parts], axis=-1))[0, late:] for k in range(len(processors))]
    if not all(np.isfinite(wet).all() for wet in wets):
        raise ConvergenceError("a number is not finite", mend="Lower the input level, or raise --oversample.")
    return wets


def _written(wet: np.ndarray, path: Path, sample_rate: float, processor: Processor) -> tuple[str, int]:
    write_audio(path, wet, sample_rate)
    return digest_of(path), processor.run.bad_samples


def write_manifest(dataset: Dataset) -> Path:
    """Write `dataset.json`, whole or not at all."""
    controls = [{"name": one.name, "minimum": one.minimum, "maximum": one.maximum, "position": one.position, "taper": one.taper,
                 "label": one.label, "unit": one.unit, "switch": one.switch} for one in dataset.controls]
    content = {"format": FORMAT, "version": VERSION, "sample_rate": dataset.sample_rate, "n_samples": dataset.n_samples, "controls": controls,
               "dry": {"file": dataset.dry.file, "digest": dataset.dry.digest or None},
               "parts": {name: [list(span) for span in spans] for name, spans in dataset.parts.items()}, "facts": dict(dataset.facts),
               "items": [{"positions": dict(one.positions), "file": one.file, "digest": one.digest or None, "bad_samples": one.bad_samples,
                          "held": one.held} for one in dataset.items]}
    path = dataset.folder / MANIFEST
    try:
        with whole_file(path) as part:
            part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise SignalError(f"the manifest can't be written ({error.strerror})", place=Place(str(path)), mend="Check the space on the disk.") from error
    return path


def read_dataset(folder: str | Path) -> Dataset:
    """Read a manifest; recordings are read when they are asked for.

    Raises
    ------
    SignalError
        If there is none, it is damaged, of another version, or names files outside its folder.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    place = Place(str(path))

    def refuse(what: str, mend: str = "The file is damaged; make the dataset anew."):
        raise SignalError(what, mend=mend, place=place)

    try:
        if path.stat().st_size > MAX_MANIFEST:
            refuse("the manifest is too large", "This is no dataset.")
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        refuse(f"can't be read ({error.strerror})", "A dataset is a folder with a dataset.json.")
    except (ValueError, RecursionError) as error:
        refuse(f"is not JSON ({' '.join(str(error).split())})")
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        refuse("this is no manifest of a dataset", "Make one with ampwright dataset.")
    if content.get("version") != VERSION:
        refuse(f"the manifest has version {content.get('version')!r}, and {VERSION} is known", "Update ampwright.")
    try:
        controls = tuple(Control(**one) for one in content["controls"])
        names = {one.name: one for one in controls}
        items = tuple(_item(one) for one in content["items"])
        dry, rate, n_samples = _item({"positions": {}, **content["dry"]}), float(content["sample_rate"]), int(content["n_samples"])
        parts = {name: tuple((int(start), int(stop)) for start, stop in content["parts"][name]) for name in PARTS}
        facts = dict(content.get("facts", {}))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        refuse(f"the manifest is incomplete ({type(error).__name__}: {' '.join(str(error).split())})")
    for item in (dry, *items):
        if Path(item.file).name != item.file or item.file in ("", ".", ".."):
            refuse(f"{item.file!r} is no file of this folder", "Keep all recordings beside the manifest.")
    for index, item in enumerate(items):
        if item.positions.keys() != names.keys():
            refuse(f"item {index} sets {', '.join(item.positions) or 'nothing'}, and the controls are {', '.join(names) or 'none'}")
        for name, value in item.positions.items():
            names[name].check(value)
    spans = sorted((span for one in parts.values() for span in one))
    if not (math.isfinite(rate) and rate > 0.0 and n_samples > 0 and items):
        refuse("sample rate, length or items make no sense")
    if any(not 0 <= start < stop <= n_samples for start, stop in spans) or any(a[1] > b[0] for a, b in zip(spans, spans[1:])) or not parts["train"]:
        refuse("the parts overlap or lie outside the recording", "Parts must be disjoint, and train must not be empty.")
    return Dataset(folder, rate, n_samples, controls, dry, items, parts, facts)


def _item(content: Mapping) -> Item:
    return Item({str(name): float(value) for name, value in content["positions"].items()}, str(content["file"]), str(content.get("digest") or ""),
                int(content.get("bad_samples", 0)), bool(content.get("held", False)))
