"""The page of the schematics that ship, written from the decks themselves: ``python -m netlists.shelf docs/library.md``.

Every deck says in comments what it is: the title, where its values are from, what to listen for, and its knobs.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

from netlists.library import find, names

_OPENING = """# Schematics that ship

This page is written by `python -m netlists.shelf docs/library.md`; a test holds it in step with the decks in `netlists/library/`.

Each is one SPICE file that runs unchanged in ngspice; `ampwright simulate NAME in.wav -o out.wav --set KNOB=VALUE` plays it.
Values are those of the sources named; supplies of amplifiers, their output transformers and speakers carry typical values where the
schematic has none, as the decks say line by line.
"""
_GROUPS = (
    ("Building blocks", lambda name, output: name.startswith(("rc_", "rlc", "diode_", "tonestack_"))),
    ("Stages and preamplifiers", lambda name, output: name.startswith(("preamp_", "common_", "cathod", "long_", "tillman_"))),
    ("Amplifiers up to the speaker", lambda name, output: output == "spk"),
    ("Pedals", lambda name, output: True))


class Card(NamedTuple):
    """What a deck's comments say; ``knobs`` are sentences, ``level`` is volts of a full-scale sample."""

    name: str
    title: str
    source: str
    listen: str
    knobs: tuple[str, ...]
    level: float
    output: str


def card(name: str) -> Card:
    """Card of a shipped schematic.

    Raises
    ------
    NetlistError
        If there is none of that name.

    Examples
    --------
    >>> card("rat").knobs[0]
    'distortion (Distortion, log)'
    """
    lines = find(name).read_text(encoding="ascii").splitlines()
    end = next(k for k, line in enumerate(lines) if line.startswith("* Listen: "))
    source = " ".join(line.removeprefix("* Source: ").lstrip("* ") for line in lines[1:end])
    knobs, level, output = [], 1.0, ""
    for line in lines:
        if found := re.match(r'\*@ control (\w+) (\S+) (\S+) taper=(\w+) label="([^"]*)" unit="([^"]*)"', line):
            word, low, high, taper, label, unit = found.groups()
            span = f", {low} to {high}{' ' + unit if unit else ''}" if (low, high) != ("0", "1") else ""
            knobs.append(f"{word} ({label}, {taper}{span})")
        elif found := re.match(r'\*@ switch (\w+) \S+ \S+ label="([^"]*)"', line):
            knobs.append(f"{found.group(1)} ({found.group(2)}, switch)")
        elif line.startswith("*@ level "):
            level = float(line.split()[2])
        elif line.startswith("*@ output "):
            output = line.split()[2]
    return Card(name, lines[0], source, lines[end].removeprefix("* Listen: "), tuple(knobs), level, output)


def page() -> str:
    """The whole page, Markdown."""
    left = [card(name) for name in names()]
    parts = [_OPENING]
    for heading, belongs in _GROUPS:
        mine = [one for one in left if belongs(one.name, one.output)]
        left = [one for one in left if one not in mine]
        parts.append(f"## {heading}\n")
        for one in mine:
            knobs = "; ".join(one.knobs) if one.knobs else "none"
            parts.append(f"### `{one.name}`\n\n{one.title}.\n\n- Listen: {one.listen}\n- Knobs: {knobs}\n"
                         f"- Full scale: {one.level:g} V\n- Source: {one.source}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
