"""Small tables that users write by hand: CSV with a heading, read strictly, every mistake told with its line.

Conventions: UTF-8, comma-separated; empty lines and lines that begin with ``#`` are passed over; numbers may be written as in a netlist
(``4k7``, ``22n``).
"""

from __future__ import annotations

import csv
from pathlib import Path

from circuits.errors import Place, SignalError
from circuits.units import parse_number

LARGEST = 16 * 2**20  # bytes


def rows(path: str | Path, example: str) -> list[tuple[Place, list[str]]]:
    """Read the cells of a table, the heading first, each line with its place.

    Parameters
    ----------
    path : str or Path
        A CSV file of at most 16 MiB.
    example : str
        Two or three words of what such a table looks like, for the message.

    Raises
    ------
    SignalError
        If it can't be read, has no lines, or a line has more or fewer cells than the heading.
    """
    place = Place(str(path))
    try:
        if Path(path).stat().st_size > LARGEST:
            raise SignalError("the table has more than 16 MiB", place=place, mend="Give fewer lines.")
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            found = [(Place(str(path), reader.line_num), [cell.strip() for cell in row]) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SignalError(f"the table can't be read ({getattr(error, 'strerror', None) or error})", place=place, mend=f"Give {example}.") from None
    found = [(where, cells) for where, cells in found if any(cells) and not cells[0].startswith("#")]
    if len(found) < 2:
        raise SignalError("the table has no lines below its heading", place=place, mend=f"Give {example}.")
    width = len(found[0][1])
    for where, cells in found:
        if len(cells) != width:
            raise SignalError(f"{len(cells)} cells stand below a heading of {width}", place=where, mend=f"Give {example}.")
    return found


def number(text: str, place: Place, what: str) -> float:
    """A cell as a number; raises SignalError with its place.

    Examples
    --------
    >>> number("4k7", Place("t.csv", 2), "r")
    4700.0
    """
    try:
        return parse_number(text)
    except ValueError:
        raise SignalError(f"{what} is {text!r}, which is not a number", place=place, mend="Write for instance 0.7 or 4k7.") from None
