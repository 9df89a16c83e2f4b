"""What a person sees: results on standard output, notes and progress on standard error, numbers as JSON for programs."""

from __future__ import annotations

import json
import math
import sys
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from pathlib import Path
from time import monotonic
from typing import Callable, Iterator, Mapping

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

PATIENCE = 0.5  # seconds before a bar appears: what is done by then needs none


def plain(value):
    """Dataclasses, arrays, mappings and paths as what JSON knows; numbers that are not finite as null."""
    if is_dataclass(value):
        return {item.name: plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (str, bool)) or value is None:
        return value
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, complex):
        return [plain(value.real), plain(value.imag)]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _harmless(text: str) -> str:
    """Text without what a terminal would obey: a label may hold anything."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


def print_json(value) -> None:
    """One document on standard output."""
    sys.stdout.write(json.dumps(plain(value), indent=2) + "\n")


def say(text: str) -> None:
    """A line for a person, on standard output."""
    Console(highlight=False, soft_wrap=True).print(escape(_harmless(text)))


def note(text: str, kind: str = "note") -> None:
    """A remark on standard error, so that it never mixes with results."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(f"[bold yellow]{kind}:[/] {escape(_harmless(text))}")


def table(title: str, heads: tuple[str, ...], rows, *, right: tuple[int, ...] = ()) -> None:
    """Print a table; columns named in ``right`` are set flush right."""
    drawn = Table(box=None, pad_edge=False, header_style="dim",
                  show_header=any(heads))
    for number, head in enumerate(heads):
        drawn.add_column(escape(head), justify="right" if number in right else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(escape(_harmless(str(cell)).replace("\n", " ")) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal:  # a file or a pipe has no width: nothing is folded
        console = Console(highlight=False, width=400)
    if title:
        console.print(f"\n[bold]{escape(_harmless(title))}[/]", soft_wrap=True)
    console.print(drawn)


@contextmanager
def progress(shown: bool = True) -> Iterator[Callable[[float, str], None]]:
    """Give a callable ``tell(done, text)``; a bar appears on a terminal if the work takes longer than a blink."""
    console = Console(stderr=True)
    begun = monotonic()
    bar: Progress | None = None
    task = None

    def tell(done: float, text: str) -> None:
        nonlocal bar, task
        if bar is None and shown and console.is_terminal and monotonic() - begun > PATIENCE and done < 1.0:
            bar = Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"), TimeRemainingColumn(),
                           console=console, transient=True)
            bar.start()
            task = bar.add_task(text, total=1.0)
        if bar is not None:
            bar.update(task, completed=done, description=escape(text))

    try:
        yield tell
    finally:
        if bar is not None:
            bar.stop()
