"""`ampwright demo`: the three jobs on what ships: a guitar phrase through an overdrive pedal into a tube preamp, a fit, a comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where the recordings go.")] = Path("demo"),
    seconds: Annotated[float, typer.Option(metavar="S", help="Play only the beginning of the phrase.")] = 60.0,
    effort: Annotated[float, typer.Option(metavar="S", help="CPU seconds for the fit; 0 only plays.")] = 30.0,
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
    if shown.comparison is not None:
        terminal.say(f"\nA block was fitted to the preamp: ESR {shown.fitted.first.held_out:.2e} on what it had not seen, "
                     f"{shown.fitted.result.held_out:.2e} with a tiny network as its curve.")
        report(shown.comparison, output, (), json=False)
        terminal.say("")
    for what, path in shown.files.items():
        terminal.say(f"{what}: {path}")
