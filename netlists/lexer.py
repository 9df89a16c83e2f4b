"""From the bytes of a netlist to logical lines that still know where each of their characters stood on the page.

A logical line is a physical line without its comment, together with the lines that continue it by a leading ``+``.
Comments are a leading ``*`` or ``#``, and what follows ``;``, `` $ `` or `` //``; a comment that starts with ``*@`` is a declaration
of ours and is kept. Text may be UTF-8, cp1252, or UTF-16 with or without a byte-order mark, with any line ends.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Iterator, NamedTuple

from circuits.errors import NetlistError, Place

MAX_BYTES = 32 * 1024 * 1024  # of one file: the largest model library in circulation has 5 MB
MAX_LINE = 200_000            # characters of one logical line

_END_OF_LINE = re.compile(r"\r\n|\r|\n")
_INLINE_COMMENT = re.compile(r";|(?<=\s)\$(?=\s|$)|(?<=\s)//")
_BACKSLASHES = re.compile(r"\\\\\s*$")


class Line(NamedTuple):
    """A logical line.

    Parameters
    ----------
    text : str
        Without comments; the parts of a continued line are joined by one blank.
    path : str
        File that it came from.
    starts : tuple of int
        Offsets in ``text`` at which a physical line begins.
    places : tuple of (line, column)
        Where the character at each of these offsets stood, counted from 1.
    """

    text: str
    path: str
    starts: tuple[int, ...]
    places: tuple[tuple[int, int], ...]

    def place(self, offset: int = 0) -> Place:
        """Where the character at this offset stood on the page."""
        index = max(bisect_right(self.starts, offset) - 1, 0)
        line, column = self.places[index]
        return Place(self.path, line, column + max(offset - self.starts[index], 0))

    @property
    def number(self) -> int:
        """Line number of the first character."""
        return self.places[0][0]

    def span(self) -> "Span":
        """The whole line."""
        return Span(self, 0, len(self.text))


class Span(NamedTuple):
    """A stretch of a logical line: the raw text of a value, with its place."""

    line: Line
    start: int
    stop: int

    @property
    def text(self) -> str:
        """The characters themselves."""
        return self.line.text[self.start:self.stop]

    def place(self, offset: int = 0) -> Place:
        """Where the character at an offset within the stretch stood."""
        return self.line.place(self.start + offset)

    def part(self, start: int, stop: int) -> "Span":
        """A stretch of this stretch; offsets count from its start."""
        return Span(self.line, self.start + start, self.start + stop)

    def strip(self) -> "Span":
        """Without blanks at both ends."""
        text = self.text
        left = len(text) - len(text.lstrip())
        return self.part(left, max(len(text.rstrip()), left))


_GARBLED_MICRO = re.compile(r"(?<=\d)(?:ľ|Âµ)(?=[\dFHA\s])")  # a micro sign that went through latin-2, or twice through UTF-8


def decode(data: bytes, path: str = "") -> str:
    """Text of a file, by its byte-order mark, by its zero bytes, as UTF-8, or as cp1252.

    Raises
    ------
    NetlistError
        If the file is larger than 32 MB or is not text at all.

    Examples
    --------
    >>> decode("R1 a b 4µ".encode("cp1252")), decode("R1 a b 4k".encode("utf-16-le"))
    ('R1 a b 4µ', 'R1 a b 4k')
    """
    if len(data) > MAX_BYTES:
        raise NetlistError(f"the file has {len(data) / 1e6:.0f} MB", mend="A netlist may have 32 MB.", place=Place(path))
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", errors="replace")
    elif data[:4096].count(0) * 4 > len(data[:4096]):
        head = data[:4096]
        little = head[1::2].count(0) >= head[0::2].count(0)
        text = data.decode("utf-16-le" if little else "utf-16-be", errors="replace")
    else:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = data.decode("cp1252", errors="replace")
    if text.count("\0") > 0:
        raise NetlistError("the file is not text: it holds zero bytes", mend="Give a netlist (.cir, .net, .sp).", place=Place(path))
    return _GARBLED_MICRO.sub("µ", text.rstrip("\x1a"))  # the end of a file, to DOS


def without_comment(text: str) -> str:
    """A physical line up to its comment; a comment sign inside double quotes is text."""
    match = _INLINE_COMMENT.search(text)
    if match is None:
        return text.rstrip()
    if '"' not in text:
        return text[:match.start()].rstrip()
    for match in _INLINE_COMMENT.finditer(text):
        if text.count('"', 0, match.start()) % 2 == 0:
            return text[:match.start()].rstrip()
    return text.rstrip()


def logical_lines(text: str, path: str = "", first: int = 1, step: int = 1) -> Iterator[Line]:
    """Cut a text into logical lines, one after the other.

    Parameters
    ----------
    text : str
        Any stretch of whole lines; a title line must be gone already.
    path : str
        For places.
    first : int
        Line number of the first line of ``text``.
    step : int
        0 if all lines stand in one line of the file, as in a drawing.

    Yields
    ------
    Line
        Without empty lines and comments, except declarations (``*@``).

    Raises
    ------
    NetlistError
        If a logical line is longer than 200,000 characters.

    Examples
    --------
    >>> [line.text for line in logical_lines("R1 a b\\n+ 1k ; load\\n* text\\n")]
    ['R1 a b 1k']
    """
    parts: list[tuple[str, int, int]] = []  # text, line, column of the logical line under construction
    continued, length = False, 0
    for count, raw in enumerate(_END_OF_LINE.split(text)):
        number = first + step * count
        stripped = raw.lstrip()
        if not stripped:
            continue
        column = len(raw) - len(stripped) + 1
        if stripped[0] in "*#":
            if stripped.startswith("*@"):
                yield from _joined(parts, path)
                parts = []
                yield from _joined([(without_comment(stripped), number, column)], path)
            continue
        content = without_comment(stripped)
        if not content:
            continue
        joins = content[0] == "+" or continued
        if content[0] == "+":
            content, column = content[1:], column + 1
        elif not joins:
            yield from _joined(parts, path)
            parts = []
        tail = _BACKSLASHES.search(content)
        continued = tail is not None
        if continued:
            content = content[:tail.start()]
        blank = len(content) - len(content.lstrip())
        parts.append((content.strip(), number, column + blank))
        length = length + len(content) if joins else len(content)
        if length > MAX_LINE:
            raise NetlistError(f"a line of more than {MAX_LINE} characters is too long", place=Place(path, parts[0][1]))
    yield from _joined(parts, path)


def _joined(parts: list[tuple[str, int, int]], path: str) -> Iterator[Line]:
    """The logical line made of these parts, unless they are empty."""
    if not any(content for content, _, _ in parts):
        return
    starts, offset = [], 0
    for content, _, _ in parts:
        starts.append(offset)
        offset += len(content) + 1
    yield Line(" ".join(content for content, _, _ in parts), path, tuple(starts), tuple((number, column) for _, number, column in parts))
