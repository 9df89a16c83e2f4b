"""Options that several commands share, each declared once: what MODEL is, how a netlist is read, how controls are set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

Model = Annotated[str, typer.Argument(metavar="MODEL", show_default=False, help="Netlist, capture, impulse response, chain, or the name of a library schematic.")]
Set = Annotated[Optional[list[str]], typer.Option("--set", metavar="NAME=VALUE", help="Turn a control, or set any top-level .param; may be repeated.")]
Input = Annotated[Optional[str], typer.Option("--input", metavar="SOURCE", help="Source (or node) that the audio drives; none: the circuit plays by its own sources.")]
Output = Annotated[Optional[str], typer.Option("--output", metavar="NODE", help="Node to listen to; a,b is the voltage from a to b.")]
Controls = Annotated[Optional[list[str]], typer.Option("--control", metavar="NAME[:MIN:MAX[:TAPER]]", help="Make a .param a control; may be repeated.")]
Include = Annotated[Optional[list[Path]], typer.Option("--include-path", metavar="FOLDER", help="Folder that the netlist may include from; may be repeated.")]
Engine = Annotated[str, typer.Option(metavar="nodal|wdf", help="How the circuit is solved: one system of equations, or a Wave Digital Filter.")]
Oversample = Annotated[int, typer.Option(metavar="1|2|4|8|16", help="Solve the circuit this many times faster than the sample rate.")]
Backend = Annotated[str, typer.Option(metavar="loky|threading|dask", help="Where many renderings are made: processes, threads, or a cluster.")]
Jobs = Annotated[int, typer.Option(metavar="N", help="Of them at once; -1 is all cores.")]
Scheduler = Annotated[Optional[str], typer.Option(metavar="ADDRESS", help="Of a running dask cluster.")]
Slim = Annotated[Optional[float], typer.Option("--slim", metavar="0..1", help="Size of a slimmable capture.")]
Calibrate = Annotated[bool, typer.Option("--calibrate", help="Match levels by the dBu figures of a capture's file.")]
Normalise = Annotated[bool, typer.Option("--normalise", help="Bring a capture to -18 dB by the loudness in its file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def positions(given: list[str] | None) -> dict[str, str]:
    """``NAME=VALUE`` texts as a mapping; raises typer.BadParameter for anything else."""
    pairs = {}
    for text in given or ():
        name, sign, value = text.partition("=")  # names keep their case: captures have knobs called Gain
        if not (sign and name.strip() and value.strip()):
            raise typer.BadParameter(f"--set {text} is not NAME=VALUE; write for instance --set drive=0.7")
        pairs[name.strip()] = value.strip()
    return pairs


def declarations(given: list[str] | None) -> list[str]:
    """``NAME:MIN:MAX:TAPER`` texts as the reader's ``*@ control`` writes them; raises typer.BadParameter for anything else."""
    found = []
    for text in given or ():
        name, *rest = text.split(":")
        if not name.strip() or len(rest) not in (0, 2, 3):
            raise typer.BadParameter(f"--control {text} is not NAME, NAME:MIN:MAX or NAME:MIN:MAX:TAPER; write for instance --control drive:0:1:log")
        found.append(" ".join([name, *rest[:2]]) + (f" taper={rest[2]}" if len(rest) == 3 else ""))
    return found


def given(*, control: list[str] | None = None, **options) -> dict[str, object]:
    """The options that were given, as settings for `ampwright.load`; the others are left out, so that each kind of model knows its own."""
    chosen = {name: value for name, value in options.items() if value not in (None, False, [])}
    return {**chosen, "controls": declarations(control)} if control else chosen


def opened(model: str, *, set: list[str] | None = None, sample_rate: float | None = None, **options):
    """Load a model with the options above, its controls set."""
    from ampwright.models import adjusted, load

    where = positions(set)
    return adjusted(load(model, sample_rate=sample_rate, **given(**options)), where)
