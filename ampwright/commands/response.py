"""`ampwright response MODEL...`: frequency response, harmonics against level, static curve and step, as numbers and pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from ampwright.commands import choices


def response(
    models: Annotated[list[str], typer.Argument(metavar="MODEL...", show_default=False, help="Models to lay side by side.")],
    out: Annotated[Optional[Path], typer.Option("--out", "-o", metavar="FOLDER", help="Write pictures here.")] = None,
    set: choices.Set = None,
    engine: choices.Engine = "nodal",
    oversample: choices.Oversample = 1,
    rate: Annotated[float, typer.Option(metavar="HZ", help="Sample rate for circuits.")] = 48000.0,
    level: Annotated[Optional[float], typer.Option(metavar="VOLTS", help="Peak of the loudest tone; the netlist's *@ level if not given.")] = None,
    input: choices.Input = None,
    output: choices.Output = None,
    control: choices.Controls = None,
    include_path: choices.Include = None,
    json: choices.Json = False,
) -> None:
    """Measure models: frequency response, harmonics, curves; static or not, memory, shares."""
    from ampwright import answers, responses
    from ampwright.commands import terminal
    from circuits.circuit import Circuit

    labels = responses.unique(Path(model).stem for model in models)
    loaded = {label: choices.opened(model, input=input, output=output, control=control, sample_rate=rate, include_paths=include_path, set=set)
              for label, model in zip(labels, models)}
    with terminal.progress(not json) as tell:
        found = responses.response(loaded, sample_rate=rate, level=level, engine=engine, oversample=oversample, progress=lambda done, text: tell(0.5 * done, text))
        asked = responses.questions(loaded, sample_rate=rate, level=level, engine=engine, oversample=oversample, progress=lambda done, text: tell(0.5 + 0.5 * done, text))
    pictures = responses.draw(found, out, asked) if out is not None else {}
    circuits = {label: model for label, model in loaded.items() if isinstance(model, Circuit)}
    if out is not None and engine == "wdf":
        from ampwright.trees import draw_tree

        pictures |= {f"tree of {label}": draw_tree(model, out / f"tree-{label}.png", sample_rate=rate * oversample) for label, model in circuits.items()}
    if json:
        terminal.print_json({"pictures": pictures, "models": {
            label: {**terminal.plain(one), "questions": terminal.plain(asked[label]), **({"analogue_gain": terminal.plain(responses.small_signal(circuits[label], one.frequencies))}
                                              if label in circuits else {})} for label, one in found.items()}})
        return
    heads = ("model", *(f"{f:g} Hz" for f in responses.SIGHTS), "THD %", "THD % -20 dB", "memory ms")
    terminal.table("Gain in dB for small signals; distortion of 1 kHz at full level and 20 dB below", heads, responses.summary(found),
                   right=tuple(range(1, len(heads))))
    terminal.table("Static, memory, shares of the output's power (random-phase odd multisine at full level; tone 20 dB below)", ("model", *answers.HEADS),
                   [(label, *answers.row(one)) for label, one in asked.items()], right=tuple(range(1, len(answers.HEADS) + 1)))
    for path in pictures.values():
        terminal.say(str(path))
