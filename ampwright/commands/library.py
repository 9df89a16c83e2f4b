"""`ampwright library`: the schematics that ship, and what to listen for; with a name, the schematic itself."""

from __future__ import annotations

from typing import Annotated, Optional

import typer

from ampwright.commands import choices


def library(
    name: Annotated[Optional[str], typer.Argument(metavar="[NAME]", show_default=False, help="Print this schematic's netlist.")] = None,
    json: choices.Json = False,
) -> None:
    """List the schematics that ship, or print one."""
    from ampwright.commands import terminal
    from ampwright.shelf import contents, deck

    if name is not None:
        text = deck(name)
        terminal.print_json({"name": name, "netlist": text}) if json else print(text, end="")
        return
    books = contents()
    if json:
        terminal.print_json(books)
        return
    terminal.table("", ("name", "what it is", "controls"), [(book.name, book.title, " ".join(book.controls)) for book in books])
    terminal.say("\nPrint one with: ampwright library NAME. What to listen for stands in its Listen: line.")
