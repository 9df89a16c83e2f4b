"""`ampwright train DRY TARGET -o MODEL`: a neural capture (or a gray-box block) from recordings, a model, a dataset with knobs, or another capture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ampwright.commands import choices


def train(
    dry: Annotated[str, typer.Argument(metavar="DRY", show_default=False, help="WAV or FLAC that was played; a shipped phrase, or phrases for all of them; or the folder of a dataset.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="MODEL", show_default=False, help=".nam, .json (knobs), .rtneural.json or .aidax to write.")],
    target: Annotated[Optional[str], typer.Argument(metavar="[TARGET]", show_default=False, help="Recording of what came out, or a model that plays DRY here.")] = None,
    teacher: Annotated[Optional[str], typer.Option("--from", metavar="CAPTURE", help="Distil this capture: it plays DRY here.")] = None,
    net: Annotated[str, typer.Option(metavar="NAME", help="Network, or a structure of ampwright fit for a gray-box block; a wrong name lists all.")] = "wavenet-feather",
    conditioning: Annotated[Optional[str], typer.Option(metavar="concat|film|hyper|dynamic", help="How the knobs of a dataset reach the network.")] = None,
    bake: Annotated[Optional[list[str]], typer.Option("--bake", metavar="NAME=VALUE", help="Position of a knob for a format without knobs; may be repeated.")] = None,
    loss: Annotated[Optional[str], typer.Option(metavar="TERMS", help="Sum of esr, pre, dc, mae, stft, such as esr+0.0005*stft.")] = None,
    step_size: Annotated[Optional[float], typer.Option(metavar="X", help="Step size of Adam.")] = None,
    decay: Annotated[Optional[float], typer.Option(metavar="X", help="Factor of the step size after each epoch.")] = None,
    schedule: Annotated[Optional[str], typer.Option(metavar="exponential|cosine", help="How the step size falls: by --decay, or to nothing at the end of the budget.")] = None,
    epochs: Annotated[Optional[int], typer.Option(metavar="N", help="Epochs at most.")] = None,
    steps: Annotated[Optional[int], typer.Option(metavar="N", help="Optimiser steps an epoch.")] = None,
    lanes: Annotated[Optional[int], typer.Option(metavar="N", help="Excerpts side by side.")] = None,
    length: Annotated[Optional[int], typer.Option(metavar="N", help="Samples of an excerpt.")] = None,
    patience: Annotated[Optional[int], typer.Option(metavar="N", help="Epochs without a better held-out error before it stops.")] = None,
    seconds: Annotated[Optional[float], typer.Option(metavar="S", help="Seconds to spend, at most.")] = None,
    cpu: Annotated[Optional[float], typer.Option("--cpu-seconds", metavar="S", help="Seconds of processor time to spend, at most.")] = None,
    goal: Annotated[Optional[float], typer.Option(metavar="ESR", help="Held-out error at which it stops.")] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of what is drawn.")] = 0,
    resume: Annotated[Optional[Path], typer.Option(metavar="FILE", help="Keep each epoch in this file, and go on from it.")] = None,
    start: Annotated[Optional[Path], typer.Option(metavar="MODEL.json", help="Start from the numbers of this network.")] = None,
    linear: Annotated[int, typer.Option(metavar="TAPS", help="Put a fixed filter beside the network, found by least squares first.")] = 0,
    hints: Annotated[Optional[float], typer.Option(metavar="X", help="With --from: weight of the distance to the capture's hidden layers.")] = None,
    positions: Annotated[int, typer.Option(metavar="N", help="Learn from so many positions of a dataset only, far apart; 0 for all.")] = 0,
    device: Annotated[Optional[str], typer.Option(metavar="auto|cpu|cuda", help="Where to compute.")] = None,
    channel: Annotated[Optional[int], typer.Option(metavar="N", help="Channel of recordings that have several, from 1.")] = None,
    set: choices.Set = None,
    engine: choices.Engine = "nodal",
    oversample: choices.Oversample = 4,
    input: choices.Input = None,
    output: choices.Output = None,
    control: choices.Controls = None,
    include_path: choices.Include = None,
    json: choices.Json = False,
) -> None:
    """Train a neural capture (needs the extra ampwright[train])."""
    from ampwright import training
    from ampwright.commands import terminal
    from circuits.units import parse_number

    if target is not None and teacher is not None:
        raise typer.BadParameter("TARGET and --from are two targets; give one")
    how = choices.given(input=input, output=output, control=control, include_paths=include_path)
    try:
        places = {name: parse_number(value) for name, value in choices.positions(bake).items()}
    except ValueError as error:
        raise typer.BadParameter(f"--bake: {error}") from None
    with terminal.progress(not json) as tell:
        done = training.train(dry, teacher or target, out, net=net, conditioning=conditioning, bake=places, seed=seed, checkpoint=resume, engine=engine,
                              oversample=oversample, controls=choices.positions(set), settings=how, channel=channel, start=start, linear=linear, positions=positions,
                              progress=tell, loss=loss, rate=step_size, decay=decay, schedule=schedule, epochs=epochs, steps=steps, lanes=lanes, length=length, patience=patience,
                              seconds=seconds, cpu=cpu, goal=goal, hints=hints, device=device)
    numbers = done.network.n_parameters if done.network else done.block.n_parameters
    if json:
        terminal.print_json({"path": out, "net": net, "parameters": numbers, "conditioning": done.network.way if done.network else "none", "held_out_esr": done.held_out,
                             "test_esr": done.test, "unseen_positions_esr": done.unseen, "linear_esr": done.linear, "stop": done.stop, "seed": seed,
                             "alignment": done.pair.alignment if done.pair else None, "shift": done.pair.shift if done.pair else 0,
                             "history": done.history, "notes": done.notes})
        return
    for text in done.notes:
        terminal.note(text)
    rows = [("network", f"{net}, {numbers} numbers"), ("ESR on the test part", f"{done.test:.4g}"),
            ("ESR that chose the epoch", f"{done.held_out:.4g}"), ("ESR of the best linear filter", f"{done.linear:.4g}")]
    if done.unseen == done.unseen:
        rows.append(("ESR at positions never seen", f"{done.unseen:.4g}"))
    terminal.table("", ("", ""), [*rows, ("epochs" if done.network else "steps", f"{len(done.history)}; {done.stop}")])
    terminal.say(str(out))
