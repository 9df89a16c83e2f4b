"""How the text behind an element's name is cut: words, groups in braces or quotes, signs, and ``name=value`` assignments.

Nothing is parsed here; every piece stays a `Span`, so that an error in it can name line and column.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from circuits.errors import NetlistError
from netlists.lexer import Span

# KiCad writes node names such as Net-(C1-Pad1); a name that ends in "-" may carry one pair of parentheses
_KICAD = r"[A-Za-z_][^\s(){}=,'\"]*-\([^\s()]*(?:\([^\s()]*\)[^\s()]*)*\)[^\s(){}=,'\"]*"
_WORD = re.compile(rf"\s*(?:(?P<word>{_KICAD}|[^\s(){{}}=,'\"]+)|(?P<sign>[(),=])|(?P<group>[{{'\"]))")
# a name begins behind a separator and is taken whole: trying every letter of a long word as a beginning would cost its length squared
_ASSIGNED = re.compile(r"(?:(?<=[ \t,()}'\"])|\A)(?P<name>[A-Za-z_][\w.$#@]*+)\s*+(?:\((?P<arguments>[\w\s,.]*)\)\s*)?=(?!=)")
_CLOSERS = {"{": "}", "'": "'", '"': '"'}


class Word(NamedTuple):
    """A word, a group (with its braces or quotes) or a sign ``( ) , =``."""

    span: Span
    kind: str

    @property
    def text(self) -> str:
        """As written."""
        return self.span.text

    @property
    def lower(self) -> str:
        """In lower case."""
        return self.span.text.lower()


class Assignment(NamedTuple):
    """``name=value`` or ``name(arguments)=value``; ``arguments`` is None where none are written."""

    name: str
    value: Span
    place_of: Span
    arguments: tuple[str, ...] | None = None


def closing(text: str, start: int) -> int:
    """Offset of the sign that closes the group opened at ``start``; -1 if there is none."""
    opener = text[start]
    if opener in "'\"":
        return text.find(opener, start + 1)
    closer = {"{": "}", "(": ")"}[opener]
    depth = 0
    for offset in range(start, len(text)):
        sign = text[offset]
        if sign == opener:
            depth += 1
        elif sign == closer:
            depth -= 1
            if depth == 0:
                return offset
    return -1


def words(span: Span) -> list[Word]:
    """Cut a stretch into words, groups and signs; raises NetlistError for a group that is not closed."""
    text, found, offset = span.text, [], 0
    while offset < len(text):
        match = _WORD.match(text, offset)
        if match is None:
            if not text[offset:].strip():
                break
            start = offset + len(text[offset:]) - len(text[offset:].lstrip())
            raise NetlistError(f"{text[start]!r} has no partner", place=span.place(start), mend="Open it first.")
        if match["group"]:
            start = match.start("group")
            stop = closing(text, start)
            if stop < 0:
                raise NetlistError(f"{text[start]!r} is not closed", place=span.place(start),
                                   mend=f"Close it with {_CLOSERS[text[start]]!r}.")
            found.append(Word(span.part(start, stop + 1), "group"))
            offset = stop + 1
        else:
            kind = "word" if match["word"] else "sign"
            found.append(Word(span.part(match.start(kind), match.end(kind)), kind))
            offset = match.end()
    return found


def plain(found: list[Word]) -> list[Word]:
    """Without parentheses and commas, which SPICE treats as blanks between words."""
    return [word for word in found if word.kind != "sign" or word.text == "="]


def assignments(span: Span) -> tuple[Span, list[Assignment]]:
    """Split a stretch into what stands before the first ``name=`` and the assignments that follow.

    A value reaches to the next ``name=`` outside all brackets and quotes, so that it may hold blanks.
    """
    text = span.text
    if "=" not in text:
        return span.strip(), []
    level = _depths(text)
    hits = [match for match in _ASSIGNED.finditer(text) if level[match.start()] == 0]
    if not hits:
        return span.strip(), []
    found = []
    for hit, after in zip(hits, [*hits[1:], None]):
        stop = after.start() if after else len(text)
        value = span.part(hit.end(), stop).strip()
        while value.text.endswith(","):
            value = value.part(0, len(value.text) - 1).strip()
        arguments = None
        if hit["arguments"] is not None:
            arguments = tuple(name.strip().lower() for name in hit["arguments"].split(",") if name.strip())
        found.append(Assignment(hit["name"].lower(), value, span.part(hit.start(), hit.end()), arguments))
    return span.part(0, hits[0].start()).strip(), found


def _depths(text: str, brackets: str = "({") -> list[int]:
    """For each character, how many brackets and quotes are open before it; a round one that is never closed does not count."""
    level, depth, quote = [], 0, ""
    for sign in text:
        level.append(depth + (1 if quote else 0))
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"":
            quote = sign
        elif sign in brackets:
            depth += 1
        elif sign in ")}":
            depth = max(depth - 1, 0)
    return _depths(text, "{") if depth and len(brackets) > 1 else level
