"""`ampwright compare DRY --target TARGET CANDIDATE... -o REPORT`: which is nearest, in what do they differ, can one hear it?"""

from __future__ import annotations

import math
import shlex
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from ampwright.commands import choices

FAILED = 3  # exit code if some candidates failed and the others were compared
LONGEST = 72  # characters of a label in the terminal's table
SHOWN = ("esr", "esr_a_weighted_low_passed", "multi_resolution_stft", "si_sdr", "loudness_difference")


def compare(
    dry: Annotated[str, typer.Argument(metavar="DRY", show_default=False, help="WAV or FLAC that the models play; or a report to draw again, or its comparison.json.")],
    candidates: Annotated[Optional[list[str]], typer.Argument(metavar="CANDIDATE...", show_default=False,
                                                              help="[LABEL=]WHAT[@NAME=VALUE,...]: a recording, a netlist, a library name, a capture, a block.")] = None,
    target: Annotated[Optional[str], typer.Option(metavar="TARGET", show_default=False, help="What should be reached; named as a candidate is.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="REPORT", help="Folder of the report.")] = Path("report"),
    align: Annotated[str, typer.Option(metavar="none|latency|latency+gain", help="What is taken out before scoring.")] = "latency",
    format: Annotated[str, typer.Option(metavar="html,csv,json,png", help="What the report holds.")] = "html,csv,json,png",
    engine: choices.Engine = "nodal",
    oversample: choices.Oversample = 1,
    segment: Annotated[float, typer.Option(metavar="SECONDS", help="Length of the segments of intervals and tests.")] = 0.5,
    channel: Annotated[Optional[str], typer.Option(metavar="left|right|mix|N", help="Channel of recordings that have several; mix is their mean.")] = None,
    full_scale: Annotated[bool, typer.Option("--full-scale", help="Samples are full scale, not volts: 1.0 is each netlist's *@ level.")] = False,
    level: Annotated[Optional[float], typer.Option(metavar="VOLTS", help="Volts of a full-scale sample; implies --full-scale.")] = None,
    measure: Annotated[bool, typer.Option("--measure/--no-measure", help="Measure the models with tones too.")] = True,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the bootstrap.")] = 0,
    input: choices.Input = None,
    output: choices.Output = None,
    control: choices.Controls = None,
    include_path: choices.Include = None,
    json: choices.Json = False,
) -> None:
    """Compare recordings and models with a target."""
    from ampwright import comparisons
    from ampwright.commands import terminal

    formats = tuple(part.strip() for part in format.split(",") if part.strip())
    drawn = Path(dry) / "comparison.json" if Path(dry).is_dir() else Path(dry)
    if target is None and not candidates and (drawn.is_file() if Path(dry).is_dir() else drawn.suffix.lower() == ".json"):
        comparison = comparisons.redraw(drawn, out, formats=formats)
    else:
        if target is None:
            raise typer.BadParameter("there is no target; name one with --target")
        if not candidates:
            raise typer.BadParameter("there is nothing to compare; name at least one candidate")
        with terminal.progress(not json) as tell:
            comparison = comparisons.compare(dry, target, candidates, out, align=align, formats=formats, engine=engine, oversample=oversample,
                                             segment_length=segment, channel=channel, full_scale=full_scale, level=level, measure=measure, seed=seed, progress=tell,
                                             settings=choices.given(input=input, output=output, control=control, include_paths=include_path),
                                             command=shlex.join(["ampwright", *sys.argv[1:]]))
    report(comparison, out, formats, json=json)
    if comparison.failed:
        raise typer.Exit(FAILED)


def cut(label: str) -> str:
    """A label that leaves room for figures beside it."""
    return label if len(label) <= LONGEST else label[:LONGEST - 1] + "…"


def report(comparison, folder: Path, formats, *, json: bool) -> None:
    """Print the scores that the report holds, best first."""
    from ampwright.commands import terminal
    from validation.metrics import METRICS
    from validation.report import figure_text

    if json:
        terminal.print_json({
            "report": folder, "target": comparison.target.label, "sample_rate": comparison.sample_rate, "alignment": comparison.mode,
            "candidates": [{"label": row.label, "message": row.message or None, "scores": row.scores, "scores_as_is": row.scores_as_is,
                            "esr_interval": row.interval, "aligned": row.alignment, "doubts": comparison.doubts(row), "real_time_factor": row.real_time_factor,
                            "bad_samples": row.bad_samples, "numbers": row.n_parameters, "operations_per_sample": row.operations} for row in comparison.rows],
            "pairs": comparison.pairs, "notes": comparison.notes})
        return
    for text in comparison.notes:
        terminal.note(text)
    heads = ("candidate", *(f"{METRICS[name].label} {METRICS[name].unit}".strip() for name in SHOWN), "ESR as it came", "latency", "real time", "numbers", "operations")
    rows = []
    for row in comparison.good:
        latency = "" if row.alignment is None else f"{round(row.alignment.latency, 2) + 0.0:.2f}"
        factor = "" if row.kind != "model" else f"{row.real_time_factor:.1f}x"
        rows.append((cut(row.label) + (" (doubt)" if comparison.doubts(row) else ""), *(figure_text(row.scores[name]) for name in SHOWN), figure_text(row.scores_as_is["esr"]), latency, factor,
                     *("" if math.isnan(value) else f"{value:,.0f}" for value in (row.n_parameters, row.operations))))
    if rows:
        terminal.table(f"Against {cut(comparison.target.label)}", heads, rows, right=tuple(range(1, len(heads))))
    for row in comparison.good:
        for text in comparison.doubts(row):
            terminal.note(f"{cut(row.label)}: {text}", "doubt")
    for row in comparison.failed:
        terminal.note(row.message if row.message.startswith(row.label) else f"{cut(row.label)}: {row.message}", "failed")
    names = {"html": "report.html", "csv": "scores.csv", "json": "comparison.json", "png": "plots"}
    for name in formats:
        terminal.say(f"{folder / names[name]}")
