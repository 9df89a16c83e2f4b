"""`ampwright calibrate NETLIST DRY WET --free R1,C1,drive -o OUT.cir`: component values that make the circuit match a recording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ampwright.commands import choices


def calibrate(
    netlist: Annotated[str, typer.Argument(metavar="NETLIST", show_default=False, help="Netlist, or the name of a library schematic.")],
    dry: Annotated[str, typer.Argument(metavar="DRY", show_default=False, help="WAV or FLAC that was played, in volts.")],
    wet: Annotated[Path, typer.Argument(metavar="WET", show_default=False, help="Recording of what the real circuit gave.")],
    free: Annotated[str, typer.Option(metavar="NAME,...", show_default=False, help="What may move: .params, controls, R, C, L by name, CARD.PARAMETER.")],
    out: Annotated[Optional[Path], typer.Option("--out", "-o", metavar="OUT.cir", show_default=False, help="Netlist to write, with the values found.")] = None,
    recorder: Annotated[str, typer.Option(metavar="gain,offset,delay", help="What the recorder may have added behind the circuit; none for nothing.")] = "gain,offset,delay",
    high_pass: Annotated[float, typer.Option("--high-pass", metavar="HZ", help="Compare above this frequency only, against a wandering baseline.")] = 0.0,
    hold: Annotated[float, typer.Option(metavar="SHARE", help="Share at the end kept out; the error told is measured there.")] = 0.25,
    oversample: choices.Oversample = 1,
    channel: Annotated[Optional[int], typer.Option(metavar="N", help="Channel of recordings that have several, from 1.")] = None,
    set: choices.Set = None,
    input: choices.Input = None,
    output: choices.Output = None,
    control: choices.Controls = None,
    include_path: choices.Include = None,
    json: choices.Json = False,
) -> None:
    """Find component values with which a circuit matches a recording."""
    from statistics import median

    from ampwright import calibration
    from ampwright.commands import terminal
    from circuits.units import format_number

    how = choices.given(input=input, output=output, control=control, include_paths=include_path)
    added = [] if recorder.strip() in ("", "none") else [one.strip() for one in recorder.split(",")]
    with terminal.progress(not json) as tell:
        found = calibration.calibrate(netlist, dry, wet, free.split(","), out, recorder=added, high_pass=high_pass, hold=hold, oversample=oversample,
                                      channel=channel, controls=choices.positions(set), settings=how, progress=tell)
    if json:
        terminal.print_json({"path": out, "estimates": found.estimates, "recorder": found.recorder, "start": found.start, "training_esr": found.training,
                             "held_out_esr": found.held_out, "shift": found.shift, "evaluations": found.evaluations, "cpu_seconds": found.seconds,
                             "correlations": found.correlations, "stop": found.stop, "notes": found.notes})
        return
    for text in found.notes:
        terminal.note(text)
    rows = [(one.name, format_number(found.start[one.name]), format_number(one.value), format_number(one.half_width)) for one in found.estimates]
    rows += [(f"recorder's {one.name}", "", format_number(one.value), format_number(one.half_width)) for one in found.recorder]
    terminal.table("Calibrated", ("number", "netlist", "found", "95 % interval, +-"), rows, right=(1, 2, 3))
    if found.held_out:
        terminal.say(f"\nESR {found.training:.3e} in training; on {len(found.held_out)} half seconds {'kept out' if hold else 'of the same'}: median "
                     f"{median(found.held_out):.3e}, from {min(found.held_out):.3e} to {max(found.held_out):.3e}")
    terminal.say(f"the circuit was played {found.evaluations} times, {found.seconds:.1f} CPU-s; {found.stop}")
    if out is not None:
        terminal.say(str(out))
