"""`ampwright inspect MODEL`: elements, controls, operating point, nonlinear ports, and what the reader assumed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ampwright.commands import choices

SHOWN = 12  # branch currents, or parameters of a block, that are printed; --json gives all


def inspect(
    model: choices.Model,
    set: choices.Set = None,
    engine: choices.Engine = "nodal",
    input: choices.Input = None,
    output: choices.Output = None,
    control: choices.Controls = None,
    include_path: choices.Include = None,
    picture: Annotated[Optional[Path], typer.Option(metavar="PNG", help="Draw the Wave Digital Filter's tree (with --engine wdf).")] = None,
    write_netlist: Annotated[Optional[Path], typer.Option(metavar="OUT", help="Write the circuit as a plain SPICE deck.")] = None,
    write_nam: Annotated[Optional[Path], typer.Option(metavar="OUT", help="Write a WaveNetVA or SmartGuitarAmp capture as a .nam file.")] = None,
    json: choices.Json = False,
) -> None:
    """Show what is in a model, and where it rests."""
    from ampwright import inspection
    from ampwright.commands import terminal
    from circuits.errors import CircuitError

    loaded = choices.opened(model, input=input, output=output, control=control, include_paths=include_path, set=set)
    if picture is not None and engine != "wdf":
        raise CircuitError("a picture is drawn of the Wave Digital Filter's tree", mend="Add --engine wdf.")
    seen = inspection.inspect(loaded, engine=engine)
    if picture is not None:
        from ampwright.trees import draw_tree

        draw_tree(loaded, picture)
    if write_netlist is not None:
        inspection.write_netlist(loaded, write_netlist)
    if write_nam is not None:
        inspection.write_nam(loaded, write_nam)
    if json:
        terminal.print_json(seen)
    elif isinstance(seen, inspection.Inspection):
        _print(seen)
    else:
        terminal.table(model, ("", ""), [(name.replace("_", " "), _told(value)) for name, value in seen.items() if name != "controls"])
        _controls(seen.get("controls", ()))


def _print(seen) -> None:
    from ampwright.commands import terminal
    from ampwright.inspection import engineering, listing
    from circuits.units import format_number

    terminal.say(f"{seen.title}\n{seen.path}")
    terminal.say(f"input {seen.input or 'none'}, output {', '.join(seen.outputs) or 'none'}, full scale is {seen.level:g} V; "
                 f"elements: {len(seen.parts)}, nodes: {len(seen.voltages)}, states: {seen.states}")
    _controls(seen.controls)
    if seen.parameters:
        terminal.table("Parameters (--set changes them too)", ("name", "value"),
                       [(name, format_number(value)) for name, value in seen.parameters.items()])
    terminal.table("Elements", ("name", "kind", "nodes", "value", "follows", "line"), listing(seen.parts))
    terminal.table(f"Operating point ({seen.method}; iterations: {seen.iterations})", ("node", "voltage"),
                   [(node, engineering(value, "V")) for node, value in seen.voltages.items()])
    if seen.currents:
        rows = [(name, engineering(value, "A")) for name, value in seen.currents.items()]
        more = [("...", f"{len(rows) - SHOWN} more with --json")] if len(rows) > SHOWN else []
        terminal.table("", ("branch", "current"), rows[:SHOWN] + more)
    if seen.ports:
        blocks, start = [], 0
        for number, size in enumerate(seen.blocks, 1):
            blocks.append((str(number), str(size), " ".join(seen.ports[start:start + size])))
            start += size
        terminal.table(f"Nonlinear ports: {len(seen.ports)}, in blocks solved one after another: {len(seen.blocks)}", ("block", "size", "ports"), blocks)
    if seen.tree:
        terminal.table("Wave Digital Filter at 48 kHz: adaptors from the root down, port resistances in ohms", ("adaptor", "form", "towards the root", "leaves"), [
            ("  " * branch.depth + branch.name, branch.form, _ohms(branch.resistance), "  ".join(f"{port}:{_ohms(ohms) or role}" for port, role, ohms in branch.leaves))
            for branch in seen.tree])
    for text in seen.notes:
        terminal.note(text)


def _told(value) -> str:
    if value is None or value == {} or value == []:
        return "not stated"
    if isinstance(value, dict) and len(value) > SHOWN:
        return f"{len(value)} (all of them with --json)"
    if isinstance(value, dict):
        return "  ".join(f"{name}={_told(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(_told(one) for one in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _ohms(value: float) -> str:
    from circuits.units import format_number

    return format_number(value, 4) if value == value else ""  # NaN: nonlinear, or nothing above


def _controls(controls) -> None:
    from ampwright.commands import terminal

    if controls:
        terminal.table("Controls", ("name", "label", "position", "range", "taper", "value"), [
            (one.name, one.label, f"{one.position:g}", f"{one.minimum:g}..{one.maximum:g}", "switch" if one.switch else one.taper,
             f"{one.value:.6g} {one.unit}".strip()) for one in controls])
