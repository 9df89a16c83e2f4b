"""`ampwright fit DRY TARGET -o BLOCK.json`: filters and curves that sound like the target, and how near they come."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ampwright.commands import choices


def fit(
    dry: Annotated[str, typer.Argument(metavar="DRY", show_default=False, help="WAV or FLAC that was played; or single-notes, chords, palm-mutes, sweep; or the folder of a dataset.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="BLOCK.json", show_default=False, help="Block to write.")],
    target: Annotated[Optional[str], typer.Argument(metavar="[TARGET]", show_default=False, help="Recording of what came out; or a model, which plays DRY here.")] = None,
    blocks: Annotated[str, typer.Option(metavar="wh|auto|...", help="wh: filter, curve, filter; auto: from simple to rich; or hammerstein, wh-poles, wh-bank, wiener, wh-bias, stages-3, stages-4, lnlnl, lnlnl-bias; kernels, if DRY is a sweep.")] = "wh",
    curve: Annotated[Optional[str], typer.Option(metavar="net|spline|...", help="Put another curve in the place of the fitted one and fit again; net is a tiny network.")] = None,
    size: Annotated[Optional[int], typer.Option(metavar="N", help="Units or coefficients of that curve.")] = None,
    stack: Annotated[Optional[str], typer.Option(metavar="NETLIST|tone-stack", help="Linear circuit between the learned stages; the knobs of a dataset turn it.")] = None,
    free: Annotated[Optional[list[str]], typer.Option(metavar="PART", help="Part of that netlist whose value is fitted too; may be repeated.")] = None,
    seconds: Annotated[float, typer.Option(metavar="S", help="CPU seconds to spend, at most.")] = 180.0,
    hold: Annotated[float, typer.Option(metavar="SHARE", help="Share at the end kept out of the fit; the error told is measured there.")] = 0.15,
    emphasis: Annotated[float, typer.Option(metavar="0..1", help="Pre-emphasis of the error.")] = 0.0,
    level: Annotated[float, typer.Option(metavar="0..1", help="How much more quiet passages count than by their power.")] = 0.0,
    baselines: Annotated[bool, typer.Option("--baselines", help="Also measure a memory polynomial and a Volterra series.")] = False,
    double: Annotated[bool, typer.Option("--double", help="End with a descent at twice the sample rate: for bright recordings through hard curves.")] = False,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of what is drawn.")] = 0,
    resume: Annotated[Optional[Path], typer.Option(metavar="FILE", help="Keep the best so far in this file, and go on from it.")] = None,
    channel: Annotated[Optional[int], typer.Option(metavar="N", help="Channel of recordings that have several, from 1.")] = None,
    picture: Annotated[bool, typer.Option("--picture/--no-picture", help="Draw filters, curves and what is left over beside the block.")] = True,
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
    from graybox.structures import free_numbers

    how = choices.given(input=input, output=output, control=control, include_paths=include_path)
    with terminal.progress(not json) as tell:
        found = fitting.fit(dry, target, out, blocks=blocks, curve=curve, size=size, stack=stack, free=tuple(free or ()), engine=engine, oversample=oversample, controls=choices.positions(set),
                            settings=how, channel=channel, seconds=seconds, hold=hold, emphasis=emphasis, level=level, baselines=baselines, double=double, seed=seed, checkpoint=resume, progress=tell)
    drawn = out.with_suffix(".png") if picture else None
    if drawn is not None:
        fitting.draw(found, drawn, f"{out.name}: {found.result.structure}, ESR {found.result.held_out:.2e} on what was kept out")
    if json:
        terminal.print_json({"path": out, "picture": drawn, "structure": found.result.structure, "held_out_esr": found.result.held_out, "training_esr": found.result.training,
                             "test_esr": found.test, "unseen_esr": found.unseen,
                             "parameters": free_numbers(found.block), "numbers": found.block.n_parameters, "latency": found.block.latency, "alignment": found.alignment, "shift": found.shift,
                             "stop": found.result.stop, "seed": found.result.seed, "tried": found.result.tried, "baselines": found.baselines, "history": found.result.history,
                             "estimates": found.result.estimates, "before_swap": found.first.held_out if found.first else None, "notes": found.notes})
        return
    for text in found.notes:
        terminal.note(text)
    tried = [*(found.first.tried if found.first else ()), *found.result.tried, *found.baselines]
    terminal.table("Tried", ("structure", "numbers", "held-out ESR", "CPU s", "why it ended"), [
        (one.structure if one.structure != "block" else f"the same with {curve}", str(one.numbers), f"{one.held_out:.3e}", f"{one.seconds:.1f}", one.stop)
        for one in tried], right=(1, 2, 3))
    kept = f"on the {hold:.0%} kept out, {found.result.training:.3e} on the rest" if found.result.history else "on the sweep itself"
    terminal.say(f"\n{out}: ESR {found.result.held_out:.3e} {kept}; {found.result.stop}")
    if found.test == found.test:
        terminal.say(f"never heard: ESR {found.test:.3e} at the positions that were fitted" + (f", {found.unseen:.3e} at positions kept out" if found.unseen == found.unseen else ""))
    _say_numbers(found.result, terminal)
    if drawn is not None:
        terminal.say(str(drawn))


def _say_numbers(result, terminal) -> None:
    """How well the numbers are known, which of them can't be told apart, and what the curves have seen."""
    import numpy as np

    loose = [one.name for one in result.estimates if not np.isfinite(one.half_width)]
    if loose:
        terminal.say(f"not determined by these recordings: {len(loose)} of {len(result.estimates)} numbers ({', '.join(loose[:4])}{' ...' if len(loose) > 4 else ''})")
    tied = np.abs(np.triu(np.nan_to_num(result.correlations), 1))
    i, j = np.unravel_index(int(np.argmax(tied)), tied.shape) if tied.size else (0, 0)
    if tied.size and tied[i, j] > 0.0:
        terminal.say(f"most entangled: {result.estimates[i].name} and {result.estimates[j].name}, correlation {result.correlations[i, j]:.4f}")
    for one in result.seen:
        terminal.say(f"curve at stage {one.stage}: inputs from {one.low:.3g} to {one.high:.3g} were seen; beyond them it is a guess")
