"""What stands in the library: title, controls, source, and what to listen for, read from each schematic's first lines."""

from __future__ import annotations

import re
from dataclasses import dataclass

from netlists.library import find, names

_REMARK = re.compile(r"^\*\s*(Source|Listen):\s*(.+)$", re.MULTILINE)
_CONTROL = re.compile(r"^\*@\s*(?:control|switch)\s+(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Book:
    """One schematic: name, first line, names of controls, where the values were published, what to listen for."""

    name: str
    title: str
    controls: tuple[str, ...]
    source: str
    listen: str


def deck(name: str) -> str:
    """The netlist of a shipped schematic; raises NetlistError with a suggestion if there is none.

    Examples
    --------
    >>> deck("tube_screamer").splitlines()[0]
    'Tube Screamer: Ibanez TS808, 1979, input buffer to output buffer'
    """
    return find(name).read_text(encoding="utf-8")


def contents() -> tuple[Book, ...]:
    """All that ships, by name.

    Examples
    --------
    >>> next(book.controls for book in contents() if book.name == "tube_screamer")
    ('drive', 'tone', 'level')
    """
    books = []
    for name in names():
        text = deck(name)
        remarks = dict(_REMARK.findall(text))
        books.append(Book(name, text.partition("\n")[0].strip(), tuple(_CONTROL.findall(text)), remarks.get("Source", ""), remarks.get("Listen", "")))
    return tuple(books)
