"""The cards of named parts: what a netlist means by 1N4148, 2N3904, TL072 or 12AX7 when it brings no model of its own.

The numbers stand in `parts/*.csv`, one row a part: name, kind, parameters in engineering notation, source, other names. Where a part has several
fits, the better documented one has the plain name and the others carry a suffix (`12ax7_kt`). Card names are lower case.
The sources state no range of fit for most parts; what is known stands in the source's text.
"""

from __future__ import annotations

import csv
from difflib import SequenceMatcher, get_close_matches
from functools import cache
from os.path import commonprefix
from pathlib import Path

from circuits.circuit import Card
from circuits.units import parse_number

PARTS = Path(__file__).parent / "parts"
TUBES = ("triode", "triode_dz", "pentode", "rectifier")
_LETTERS = {"q": ("npn", "pnp"), "d": ("d",), "j": ("njf", "pjf"), "m": ("nmos", "pmos", "vdmos")}  # PSPICE writes them before the name: Q2N3904
# what tube libraries put around a type's name: makers and program variants
TUBE_PREFIXES = ("nh", "t", "x")
TUBE_SUFFIXES = ("ry", "dm", "_t", "_old", "_jj", "pent", "tri", "jj", "eh", "_ay", "_eh", "_nk", "-jj")


@cache
def _cards() -> dict[str, Card]:
    cards = {}
    for path in sorted(PARTS.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                pairs = (item.split("=") for item in row["parameters"].split())
                cards[row["name"]] = Card(row["name"], row["kind"], {name: parse_number(value) for name, value in pairs}, row["source"])
    return cards


@cache
def _aliases() -> dict[str, str]:
    aliases = {}
    for path in sorted(PARTS.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                aliases.update(dict.fromkeys((row["aliases"] or "").split(), row["name"]))
    return aliases


def _known(name: str) -> Card | None:
    return _cards().get(_aliases().get(name, name))


def find(name: str) -> Card | None:
    """The card of a named part, or None.

    Case does not matter; a maker's ending behind a slash (``LM741/NS``) and, for tubes, the prefixes and suffixes of tube libraries
    (``NH12AX7``, ``12AX7DM``, ``KT88_OLD``) are taken off, and so is the letter of the element that PSPICE's libraries put first (``Q2N3904``).

    Examples
    --------
    >>> find("ECC83").name, find("NH12AX7").kind, find("1N4148").values["n"]
    ('12ax7', 'triode', 1.752)
    >>> find("no such part") is None
    True
    """
    name = name.strip().lower()
    card = _known(name) or _known(name.split("/")[0])
    if card is None and name[:1] in _LETTERS:
        card = _known(name[1:])
        card = card if card is not None and card.kind in _LETTERS[name[0]] else None
    if card is not None:
        return card
    for prefix in ("", *TUBE_PREFIXES):
        if not name.startswith(prefix):
            continue
        bare = name[len(prefix):]
        for suffix in ("", *TUBE_SUFFIXES):
            if bare.endswith(suffix):
                card = _known(bare[:len(bare) - len(suffix)])
                if card is not None and card.kind in TUBES:
                    return card
    return None


def names(kind: str | None = None) -> tuple[str, ...]:
    """Names of all cards, or of those of one kind, in alphabetical order; other names of the same part are not listed."""
    return tuple(sorted(name for name, card in _cards().items() if kind is None or card.kind == kind))


def suggest(name: str, count: int = 3, likeness: float = 0.6) -> list[str]:
    """Names in the catalogue that look like ``name``, best first; ``likeness`` from 0 to 1 is the least that counts.

    Examples
    --------
    >>> suggest("1N41448")[0]
    '1n4148'
    """
    wanted = name.strip().lower()
    close = get_close_matches(wanted, [*_cards(), *_aliases()], 2 * count, likeness)

    def unlikeness(one: str) -> tuple[float, int]:  # of two that are equally alike, the one with the same beginning
        return -SequenceMatcher(None, one, wanted).ratio(), -len(commonprefix([one, wanted]))

    return sorted(close, key=unlikeness)[:count]
