"""`ampwright fit DRY TARGET -o BLOCK.json`: filters and curves that sound like the target, and how near they come."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ampwright.commands import choices


def fit(
    dry: Annotated[str, typer.Argument(metavar="DRY", show_default=False, help="WAV or FLAC that was played; or single-notes, chords, palm-mutes.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", show_default=False, help="Recording of what came out; or a model, which plays DRY here.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="BLOCK.json", show_default=False, help="Block to write.")],
    blocks: Annotated[str, typer.Option(metavar="wh|auto|...", help="auto, hammerstein, wiener, wh-poles, wh, wh-bias, lnlnl or lnlnl-bias.")] = "wh",
    curve: Annotated[Optional[str], typer.Option(metavar="net|spline|...", help="Put another curve in the place of the fitted one and fit again; net is a tiny network.")] = None,
    size: Annotated[Optional[int], typer.Option(metavar="N", help="Units or coefficients of that curve.")] = None,
    seconds: Annotated[float, typer.Option(metavar="S", help="CPU seconds to spend, at most.")] = 180.0,
    hold: Annotated[float, typer.Option(metavar="SHARE", help="Share at the end kept out of the fit; the error told is measured there.")] = 0.15,
    emphasis: Annotated[float, typer.Option(metavar="0..1", help="Pre-emphasis of the error.")] = 0.0,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of what is drawn.")] = 0,
    resume: Annotated[Optional[Path], typer.Option(metavar="FILE", help="Keep the best so far in this file, and go on from it.")] = None,
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
    """Fit a block of filters and curves to a target."""
    from ampwright import fitting
    from ampwright.commands import terminal

    how = choices.given(input=input, output=output, control=control, include_paths=include_path)
    with terminal.progress(not json) as tell:
        found = fitting.fit(dry, target, out, blocks=blocks, curve=curve, size=size, engine=engine, oversample=oversample, controls=choices.positions(set),
                            settings=how, channel=channel, seconds=seconds, hold=hold, emphasis=emphasis, seed=seed, checkpoint=resume, progress=tell)
    if json:
        terminal.print_json({"path": out, "structure": found.result.structure, "held_out_esr": found.result.held_out, "training_esr": found.result.training,
                             "parameters": found.block.n_parameters, "latency": found.block.latency, "alignment": found.alignment, "shift": found.shift,
                             "stop": found.result.stop, "seed": found.result.seed, "tried": found.result.tried, "history": found.result.history,
                             "estimates": found.result.estimates, "before_swap": found.first.held_out if found.first else None, "notes": found.notes})
        return
    for text in found.notes:
        terminal.note(text)
    tried = [*(found.first.tried if found.first else ()), *found.result.tried]
    terminal.table("Tried", ("structure", "numbers", "held-out ESR", "CPU s", "why it ended"), [
        (one.structure if one.structure != "block" else f"the same with {curve}", str(one.numbers), f"{one.held_out:.3e}", f"{one.seconds:.1f}", one.stop)
        for one in tried], right=(1, 2, 3))
    terminal.say(f"\n{out}: ESR {found.result.held_out:.3e} on the {hold:.0%} kept out, {found.result.training:.3e} on the rest; {found.result.stop}")
