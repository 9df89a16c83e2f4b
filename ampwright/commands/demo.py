"""`ampwright demo`: the three jobs on what ships: a guitar through a pedal into a preamp, fits, comparisons."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the recordings go.")] = Path("demo"),
    seconds: Annotated[float, typer.Option(metavar="S", help="Play, fit to and compare only the beginning of the phrases.")] = 60.0,
    effort: Annotated[float, typer.Option(metavar="S", help="CPU seconds for the fits; 0 only plays.")] = 30.0,
) -> None:
    """Play, fit and compare on shipped material."""
    from ampwright.commands import terminal
    from ampwright.commands.compare import report
    from ampwright.demonstration import demonstrate

    with terminal.progress() as tell:
        shown = demonstrate(output, seconds=seconds, effort=effort, progress=tell)
    terminal.say("Single notes on a guitar, through a Tube Screamer, into a Marshall 2203 preamp, solved from their netlists:")
    terminal.table("", ("stage", "settings", "level", "real time", "iterations", "worst residual", "not converged"), [
        (stage.name, " ".join(f"{name}={value:g}" for name, value in stage.settings.items()), f"{stage.peak:.3g} V peak",
         f"{stage.result.real_time_factor:.1f}x", f"{stage.result.run.mean_iterations:.2f}", f"{stage.result.run.worst_residual:.1e} V",
         str(stage.result.run.bad_samples or "none")) for stage in shown.stages])
    if shown.fits:
        terminal.say("\nBlocks of filters and a curve were fitted to the preamp. ESR on what they had not seen: "
                     f"{shown.fits['tanh'].result.held_out:.2e} with a tanh, {shown.fits['net'].result.held_out:.2e} with a tiny network.")
    for text in shown.notes:
        terminal.note(text)
    for comparison in shown.comparisons.values():
        report(comparison, output, (), json=False)
    if shown.comparisons:
        terminal.say("")
    for what, path in shown.files.items():
        terminal.say(f"{what}: {path}")
