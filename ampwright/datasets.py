"""Many renderings of one recording, the knobs somewhere else in each: what a model with knobs is trained on.

The model is opened anew in every worker process, by its path; the workers are joblib's: processes, threads, or a cluster through dask.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Mapping, Sequence

import numpy as np

from ampwright.models import adjusted, load, locate, player
from ampwright.scaled import Scaled
from ampwright.simulation import Progress, recording
from ampwright.workers import workers
from circuits.batch import lanes_pay
from circuits.circuit import Circuit
from circuits.errors import CircuitError, Place, SignalError
from circuits.kernels.lanes import host_lanes
from circuits.processor import Processor
from validation.audio import resample
from validation.dataset import Dataset, digest_of, divide, plan_dataset, render_dataset
from validation.positions import draw_positions, read_positions


@dataclass(frozen=True, slots=True)
class Rig:
    """A model at a sample rate, opened by its path in whatever process asks: ``rig(positions)`` is a Processor at rest."""

    model: str
    sample_rate: float
    engine: str = "nodal"
    oversample: int = 1
    level: float = 0.0
    fixed: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)

    def __call__(self, positions: Mapping[str, float]) -> Processor:
        """Open the model with its knobs at ``positions``."""
        model = adjusted(load(self.model, sample_rate=self.sample_rate, **self.settings), {**self.fixed, **positions})
        processor = player(model, self.sample_rate, engine=self.engine, oversample=self.oversample)
        if not isinstance(model, Circuit):
            processor.reset()  # knobs of captures glide from where they stood
        return Scaled(processor, self.level) if self.level else processor


def dataset(model: str | Path, dry: str | Path, folder: str | Path, *, n: int = 100, sampling: str = "uniform", table: str | Path | None = None,
            vary: Sequence[str] = (), seed: int = 0, held: float = 0.1, shares: tuple[float, float, float] = (0.7, 0.15, 0.15), stretch: float = 2.0,
            guard: float = 0.1, suffix: str = ".wav", rate: float | None = None, engine: str = "nodal", oversample: int = 4,
            full_scale: bool = False, controls: Mapping[str, str] | None = None, settings: Mapping[str, object] | None = None,
            backend: str = "loky", n_jobs: int = -1, scheduler: str | None = None, progress: Progress | None = None) -> Dataset:
    """Render a recording at many positions of a model's knobs.

    Parameters
    ----------
    model, dry : path-like or str
        As `simulate` takes them; the recording has one channel.
    folder : path-like
        Of the dataset; one that was begun with the same arguments is continued.
    n : int
        Renderings.
    sampling : {"uniform", "latin", "grid"}
    table : path-like, optional
        CSV of positions instead of ``n`` and ``sampling``.
    vary : sequence of str
        Controls to vary; all by default.
    seed : int
    held : float
        Share of positions kept out of training.
    shares : tuple of float
        Of train, validation and test.
    stretch, guard : float
        Seconds, as `validation.dataset.divide` takes them.
    suffix : {".wav", ".flac"}
    rate : float, optional
        Hz, if another than the recording's.
    engine, oversample, controls, settings
        As `simulate`.
    full_scale : bool
        1.0 of the recordings is the circuit's level.
    backend, n_jobs : str, int
        As joblib has them.
    scheduler : str, optional
        Address of a dask scheduler; without it dask runs on this machine.
    progress : callable, optional

    Returns
    -------
    Dataset

    Raises
    ------
    AmpwrightError
        In one line; what was rendered stays.
    """
    audio = recording(dry)
    if audio.n_channels != 1:
        raise SignalError(f"the recording has {audio.n_channels} channels, and a dataset takes one", place=Place(str(dry)), mend="Give a mono recording.")
    sample_rate = float(rate or audio.sample_rate)
    samples = resample(audio.samples, audio.sample_rate, sample_rate).astype(np.float32).astype(np.float64)  # what the WAV will hold
    if not np.any(samples):
        raise SignalError("the dry recording is silent", place=Place(str(dry)), mend="Give one that was played.")
    source = locate(model)
    opened = adjusted(load(model, sample_rate=sample_rate, **(settings or {})), controls or {})
    known = {one.name: one for one in (opened.controls if isinstance(opened, Circuit) else opened.controls.values())}
    for name in vary:
        if name not in known:
            raise CircuitError(f"there is no control {name!r}", mend=f"Controls: {', '.join(known) or 'none'}.")
    chosen = [known[name] for name in vary] if vary else list(known.values())
    if not isinstance(opened, Circuit):
        oversample = 1
    rng = np.random.default_rng(seed)
    positions = read_positions(table, chosen) if table is not None else draw_positions(chosen, n, sampling, rng)
    where = str(Path(model).absolute()) if Path(model).exists() else str(model)  # workers may stand in another folder
    rig = Rig(where, sample_rate, engine, oversample, opened.level if full_scale and isinstance(opened, Circuit) else 0.0,
              dict(controls or {}), dict(settings or {}))
    facts = {"model": str(model), "model_digest": digest_of(source.path), "engine": engine, "oversample": oversample, "full_scale": full_scale,
             "fixed": dict(rig.fixed), "settings": {name: str(value) for name, value in rig.settings.items()},
             "sampling": "table" if table is not None else sampling, "seed": seed, "shares": list(shares), "stretch": stretch, "guard": guard}
    parts = divide(len(samples), sample_rate, rng, shares=shares, stretch=stretch, guard=guard)
    plan = plan_dataset(folder, samples, sample_rate, chosen, positions, rng=rng, held=held, parts=parts, suffix=suffix, facts=facts)
    lanes = isinstance(opened, Circuit) and engine == "nodal" and lanes_pay([adjusted(opened, one) for one in (positions[0], positions[-1])], len(positions),
                                                                            sample_rate * oversample, len(samples) * oversample)
    with workers(backend, n_jobs, scheduler):
        return render_dataset(plan, rig, backend=backend, n_jobs=n_jobs, size=host_lanes() if lanes else 1, progress=progress)
