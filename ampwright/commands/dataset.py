"""`ampwright dataset MODEL DRY -n N -o DIR`: a recording at many positions of the knobs, for training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ampwright.commands import choices


def dataset(
    model: choices.Model,
    dry: Annotated[str, typer.Argument(metavar="DRY", show_default=False, help="WAV or FLAC to play, mono; or single-notes, chords, palm-mutes.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", show_default=False, help="Folder to write, or to continue.")],
    n: Annotated[int, typer.Option("-n", metavar="N", help="Renderings.")] = 100,
    sampling: Annotated[str, typer.Option(metavar="uniform|latin|grid", help="How positions are chosen.")] = "uniform",
    table: Annotated[Optional[Path], typer.Option("--csv", metavar="FILE", help="Positions from a table: names of controls, then numbers.")] = None,
    vary: Annotated[Optional[list[str]], typer.Option("--vary", metavar="NAME", help="Vary this control only; may be repeated.")] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of what is drawn.")] = 0,
    hold: Annotated[float, typer.Option(metavar="SHARE", help="Share of the positions kept out of training.")] = 0.1,
    guard: Annotated[float, typer.Option(metavar="S", help="Seconds left out between train, validation and test.")] = 0.1,
    stretch: Annotated[float, typer.Option(metavar="S", help="Seconds of one stretch of them.")] = 2.0,
    flac: Annotated[bool, typer.Option("--flac", help="Write FLAC of 24 bit instead of float WAV.")] = False,
    rate: Annotated[Optional[float], typer.Option(metavar="HZ", help="Render at this sample rate, not the recording's.")] = None,
    full_scale: Annotated[bool, typer.Option("--full-scale", help="Samples are full scale, not volts: 1.0 is the netlist's *@ level.")] = False,
    backend: choices.Backend = "loky",
    jobs: choices.Jobs = -1,
    scheduler: choices.Scheduler = None,
    set: choices.Set = None,
    engine: choices.Engine = "nodal",
    oversample: choices.Oversample = 4,
    input: choices.Input = None,
    output: choices.Output = None,
    control: choices.Controls = None,
    include_path: choices.Include = None,
    json: choices.Json = False,
) -> None:
    """Render a recording at many positions of the knobs."""
    from ampwright import datasets
    from ampwright.commands import terminal

    how = choices.given(input=input, output=output, control=control, include_paths=include_path)
    with terminal.progress(not json) as tell:
        made = datasets.dataset(model, dry, out, n=n, sampling=sampling, table=table, vary=vary or (), seed=seed, held=hold, stretch=stretch, guard=guard,
                                suffix=".flac" if flac else ".wav", rate=rate, engine=engine, oversample=oversample, full_scale=full_scale,
                                controls=choices.positions(set), settings=how, backend=backend, n_jobs=jobs, scheduler=scheduler, progress=tell)
    bad = sum(item.bad_samples for item in made.items)
    seconds = {name: sum(stop - start for start, stop in spans) / made.sample_rate for name, spans in made.parts.items()}
    held = sum(item.held for item in made.items)
    if json:
        terminal.print_json({"folder": made.folder, "renderings": len(made.items), "held": held, "seconds": seconds, "bad_samples": bad,
                             "sample_rate": made.sample_rate, "controls": [one.name for one in made.controls]})
        return
    terminal.table("", ("", ""), [("renderings", f"{len(made.items)}, {held} positions kept out"), ("controls", ", ".join(one.name for one in made.controls)),
                                  *((name, f"{length:.2f} s each") for name, length in seconds.items())])
    if bad:
        terminal.note(f"{bad} steps did not converge; the manifest tells in which renderings. Raise --oversample.", "warning")
    terminal.say(str(made.folder))
