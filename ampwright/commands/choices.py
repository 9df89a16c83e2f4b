"""Options that several commands share, each declared once: what MODEL is, how a netlist is read, how controls are set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

Model = Annotated[str, typer.Argument(metavar="MODEL", show_default=False, help="A netlist, or the name of a library schematic.")]
Set = Annotated[Optional[list[str]], typer.Option("--set", metavar="NAME=VALUE", help="Turn a control, or set any top-level .param; may be repeated.")]
Input = Annotated[Optional[str], typer.Option("--input", metavar="SOURCE", help="Source (or node) that the audio drives.")]
Output = Annotated[Optional[str], typer.Option("--output", metavar="NODE", help="Node to listen to; a,b is the voltage from a to b.")]
Controls = Annotated[Optional[list[str]], typer.Option("--control", metavar="NAME[:MIN:MAX[:TAPER]]", help="Make a .param a control; may be repeated.")]
Include = Annotated[Optional[list[Path]], typer.Option("--include-path", metavar="FOLDER", help="Folder that the netlist may include from; may be repeated.")]
Engine = Annotated[str, typer.Option(metavar="nodal", help="How the circuit is solved.")]
Oversample = Annotated[int, typer.Option(metavar="1|2|4|8|16", help="Solve the circuit this many times faster than the sample rate.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def settings(given: list[str] | None) -> dict[str, str]:
    """``NAME=VALUE`` texts as a mapping with lower-case names; raises typer.BadParameter for anything else."""
    pairs = {}
    for text in given or ():
        name, sign, value = text.partition("=")
        if not (sign and name.strip() and value.strip()):
            raise typer.BadParameter(f"--set {text} is not NAME=VALUE; write for instance --set drive=0.7")
        pairs[name.strip().lower()] = value.strip()
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


def opened(model: str, *, input=None, output=None, control=None, include=None, set=None, strict=False):
    """Load a model with the options above."""
    from ampwright.models import adjusted, load

    given = settings(set)
    loaded = load(model, input=input, output=output, controls=declarations(control), include_paths=include or (), strict=strict)
    return adjusted(loaded, given)
