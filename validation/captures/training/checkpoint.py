"""Checkpoints of a training: written whole or not at all, read without running anything, and only for the run that wrote them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch

from circuits.errors import FitError, Place
from validation.audio import whole_file


def digest_of_run(arch, way, knobs, settings, takes, sample_rate) -> str:
    """What makes two runs the same: network, knobs, material, and all settings but the limits on time.

    Where the step size follows what is given in all, the number of epochs belongs to it.
    """
    limits = ("seconds", "cpu", "patience", "goal", "device") + (("epochs",) if settings.schedule == "exponential" else ())
    told = {name: value for name, value in asdict(settings).items() if name not in limits}
    found = hashlib.sha256(json.dumps([asdict(arch), way, [dict(one) for one in knobs], told, sample_rate], sort_keys=True).encode())
    for one in takes:
        hints = np.zeros(0) if one.hidden is None else one.hidden
        for values in (one.x, one.y, np.array(one.knobs), np.array(one.train), np.array(one.validation), hints):
            found.update(np.ascontiguousarray(values, dtype=np.float64).tobytes())
    return found.hexdigest()


def save_checkpoint(path: Path, digest: str, weights, optimiser, rng, history, best, best_esr: float) -> None:
    """Write what a run needs to go on; raises FitError that says what is saved if the disk does not take it."""
    content = {"digest": digest, "weights": {name: values.detach().cpu() for name, values in weights.items()}, "optimiser": optimiser.state_dict(),
               "rng": json.dumps(rng.bit_generator.state), "history": json.dumps([asdict(one) for one in history]),
               "best": {name: torch.from_numpy(values) for name, values in best.items()}, "best_esr": best_esr}
    try:
        with whole_file(path) as part:
            torch.save(content, part)
    except (OSError, RuntimeError) as error:
        kept = f"Saved is epoch {len(history) - 1}." if path.exists() else "Nothing was saved."
        raise FitError(f"the checkpoint of epoch {len(history)} can't be written ({' '.join(str(error).split())[:120]})", place=Place(str(path)),
                       mend=f"Make room on the disk and repeat the command. {kept}") from error


def load_checkpoint(path, digest: str, device):
    """A checkpoint's content, or None if there is none; raises FitError if it is damaged or of another run."""
    if path is None or not Path(path).exists():
        return None
    place = Place(str(path))
    try:
        content = torch.load(path, map_location=device, weights_only=True)  # never runs code of the file
        known = content["digest"]
    except Exception as error:  # torch raises many kinds for a damaged file; all mean the same
        raise FitError(f"the checkpoint can't be read ({type(error).__name__})", place=place, mend="Name another; if it was one, delete it to start again.") from error
    if known != digest:
        raise FitError("the checkpoint is of another run: network, settings or recordings differ", place=place,
                       mend="Repeat the command as it was, or name another checkpoint.")
    return content
