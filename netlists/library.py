"""The schematics that ship: found by name, in the folder beside this file."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from circuits.errors import NetlistError

FOLDER = Path(__file__).resolve().parent / "library"


def names() -> tuple[str, ...]:
    """Names of all shipped schematics, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.cir")))


def find(name: str) -> Path:
    """File of a shipped schematic.

    Raises
    ------
    NetlistError
        If there is none of that name; with a suggestion.
    """
    known = names()
    wanted = name.lower().removesuffix(".cir").replace(" ", "-").replace("_", "-")
    for one in known:
        if one.lower().replace("_", "-") == wanted:
            return FOLDER / f"{one}.cir"
    close = get_close_matches(wanted, known, 1)
    raise NetlistError(f"the library has no schematic {name!r}", mend=f"Did you mean {close[0]}?" if close else "List them with: ampwright library.")
