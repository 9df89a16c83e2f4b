"""What a line of a netlist says: one frozen description for each kind of statement, with its values still unparsed.

Values stay raw (`Span`), because what a word means depends on the subcircuit instance in which the statement is used later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Union

from circuits.errors import NetlistError, Place
from netlists.lexer import Line, Span
from netlists.words import Assignment, assignments, plain, words

# instructions to a simulator that say nothing about the circuit
FOREIGN = frozenset((
    "tran", "ac", "dc", "op", "noise", "tf", "sens", "disto", "pz", "four", "fft", "meas", "measure", "print", "plot", "probe",
    "save", "width", "backanno", "title", "net", "sp", "hb", "pss", "alter", "data", "enddata", "savebias", "loadbias", "machine", "endmachine",
    "runtime", "input_impedance", "text", "watch", "mc", "wc", "stimulus", "alias", "endalias", "csparam", "ends", "endl", "endc", "end", "eom",
    "control", "spef", "ferret", "opt", "autoconverge", "distribution", "stimlib", "version", "dout"))
SHOWING = frozenset(("print", "plot", "probe", "save", "four", "fft", "meas", "measure", "net", "dc"))  # of them, those that name what is looked at or swept


CONDITIONAL = re.compile(r"\.(if|elseif|elif|else|endif)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """An element or a subcircuit instance: its name in lower case, and all that follows it."""

    name: str
    tail: Span
    line: Line

    @property
    def written(self) -> str:
        """The name as written, for messages."""
        return self.line.text[:len(self.name)]

    @property
    def letter(self) -> str:
        """The first letter says what kind of element it is."""
        return self.name[0]

    @property
    def place(self) -> Place:
        """Where it stands."""
        return self.line.place()


@dataclass(frozen=True, slots=True)
class Model:
    """``.model NAME KIND(...)``; ``tail`` is what follows the name."""

    name: str
    tail: Span
    line: Line

    @property
    def written(self) -> str:
        """The name as written, for messages."""
        return self.line.text[self.tail.start - len(self.name) - 1:self.tail.start].strip() or self.name


@dataclass(frozen=True, slots=True)
class Parameters:
    """``.param``."""

    values: tuple[Assignment, ...]
    line: Line


@dataclass(frozen=True, slots=True)
class FunctionText:
    """``.func NAME(arguments) {body}``."""

    name: str
    arguments: tuple[str, ...]
    body: Span
    line: Line


@dataclass(frozen=True, slots=True)
class Include:
    """``.include FILE``, ``.lib FILE`` or ``.lib FILE SECTION``; of a ``library`` only the definitions count, not elements outside of them."""

    path: str
    section: str
    line: Line
    library: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """``.ic`` or ``.nodeset``."""

    kind: str
    tail: Span
    line: Line


@dataclass(frozen=True, slots=True)
class Global:
    """``.global``: nodes with one name everywhere."""

    nodes: tuple[str, ...]
    line: Line


@dataclass(frozen=True, slots=True)
class Options:
    """``.options`` and ``.temp``: only the temperatures concern the circuit."""

    values: tuple[Assignment, ...]
    line: Line


@dataclass(frozen=True, slots=True)
class Declaration:
    """``*@ VERB ...``: what the deck tells Ampwright and no other program."""

    verb: str
    tail: Span
    line: Line


@dataclass(frozen=True, slots=True)
class Hint:
    """A line of another dialect that says something of use: ``.step``, ``.wave``, ``.input``, ``.output``, ``.pot``."""

    verb: str
    tail: Span
    line: Line


@dataclass(frozen=True, slots=True)
class Foreign:
    """An instruction to another program; ``known`` is False if nobody knows what it means."""

    keyword: str
    known: bool
    line: Line


Statement = Union[Part, Model, Parameters, FunctionText, Include, Condition, Global, Options, Declaration, Hint, Foreign]


def statement(line: Line) -> Statement:
    """Read one logical line.

    Raises
    ------
    NetlistError
        For a directive whose form is wrong.

    Examples
    --------
    >>> from netlists.lexer import logical_lines
    >>> statement(next(logical_lines("Rload out 0 4k7"))).name
    'rload'
    """
    text = line.text
    if text.startswith("*@"):
        return _declaration(line)
    if not text.startswith("."):
        name = text.split(None, 1)[0]
        for sign in "={'\"(,":
            name = name.split(sign, 1)[0]
        if not name:
            raise NetlistError(f"{text[:20]!r} is no statement", place=line.place(), mend="A line starts with an element's name.")
        return Part(name.lower(), Span(line, len(name), len(text)).strip(), line)
    keyword, tail = _first_word(line.span())
    keyword = keyword[1:].lower()
    reader = _READERS.get(keyword)
    if reader is not None:
        return reader(keyword, tail, line)
    return Foreign(keyword, keyword in FOREIGN, line)


_BRACKETS = str.maketrans("[]", "()")


def split_model(model: Model) -> tuple[str, str, list[Assignment], list[str]]:
    """Kind, base (of ``ako:``), values and flags of a model; raises NetlistError if there is no kind."""
    text = model.tail.text
    if "(" not in text:
        text = text.translate(_BRACKETS)  # LTspice also reads SW[Ron=1]
    open_at = text.find("(")
    equal_at = text.find("=")
    head_stop = len(text)
    inner = model.tail.part(len(text), len(text))
    if open_at >= 0 and (equal_at < 0 or open_at < equal_at):
        close_at = text.rfind(")")
        if close_at < open_at:
            close_at = len(text)
        head_stop, inner = open_at, model.tail.part(open_at + 1, close_at)
        extra = model.tail.part(min(close_at + 1, len(text)), len(text))
    else:
        head, values = assignments(model.tail)
        head_stop = head.stop - model.tail.start
        inner = model.tail.part(head_stop, len(text))
        extra = model.tail.part(len(text), len(text))
    kind, base, flags = "", "", []
    for word in plain(words(model.tail.part(0, head_stop))):
        if word.lower.startswith("ako:"):
            base = word.lower[4:]
        elif not kind:
            kind = word.lower
        else:
            flags.append(word.lower)
    if not kind and not base:
        raise NetlistError(f"the model {model.name} has no type", place=model.line.place(), mend="Write .model NAME D(...).")
    values = []
    for span in (inner, extra):
        head, found = assignments(span)
        flags += [word.lower for word in plain(words(head)) if word.text != "="]
        values += found
    return kind, base, values, flags


def _first_word(span: Span) -> tuple[str, Span]:
    text = span.text
    word = text.split(None, 1)[0] if text.split() else ""
    return word, span.part(len(word), len(text)).strip()


def _declaration(line: Line) -> Declaration:
    span = Span(line, 2, len(line.text)).strip()
    verb, tail = _first_word(span)
    return Declaration(verb.lower(), tail, line)


def _model(keyword: str, tail: Span, line: Line) -> Model:
    name, rest = _first_word(tail)
    if not name:
        raise NetlistError(".model needs a name and a type", place=line.place(), mend="Write .model NAME D(IS=1f).")
    return Model(name.lower(), rest, line)


def _parameters(keyword: str, tail: Span, line: Line) -> Parameters:
    head, found = assignments(tail)
    pair = words(head)
    if not found and len(pair) == 2:  # LTspice also takes .param NAME VALUE
        return Parameters((Assignment(pair[0].lower, pair[1].span, pair[0].span),), line)
    if head.text or not found:
        raise NetlistError(f".{keyword} needs NAME=VALUE", place=head.place() if head.text else line.place(),
                           mend="Write .param gain=0.5.")
    for assignment in found:
        if not assignment.value.text:
            raise NetlistError(f"the parameter {assignment.name!r} has no value", place=assignment.place_of.place())
    return Parameters(tuple(found), line)


def _function(keyword: str, tail: Span, line: Line) -> FunctionText:
    text = tail.text
    start, stop = text.find("("), text.find(")")
    name = text[:start].strip().lower() if start > 0 else ""
    if not name or stop < start:
        raise NetlistError(".func needs NAME(arguments) {body}", place=line.place())
    arguments = tuple(part.strip().lower() for part in text[start + 1:stop].split(",") if part.strip())
    body = tail.part(stop + 1, len(text)).strip()
    if body.text.startswith("="):
        body = body.part(1, len(body.text)).strip()
    return FunctionText(name, arguments, body, line)


def _include(keyword: str, tail: Span, line: Line) -> Include:
    text = tail.text
    if text[:1] in ("'", '"'):
        stop = text.find(text[0], 1)
        path, section = (text[1:stop], text[stop + 1:].strip()) if stop > 0 else (text[1:], "")
    elif keyword in ("include", "inc"):
        path, section = text, ""
    else:
        # LTspice allows blanks in paths; a last word without a dot or a slash behind a first one with an extension is a section
        head, _, last = text.rpartition(" ")
        is_section = head and "." in head.replace("\\", "/").rpartition("/")[2] and not set(last) & set("./\\")
        path, section = (head.strip(), last) if is_section else (text, "")
    if not path:
        raise NetlistError(f".{keyword} needs a file", place=line.place())
    return Include(path.strip(), section.strip("'\"").lower() if keyword == "lib" else "", line, keyword == "lib" and not section)


def _condition(keyword: str, tail: Span, line: Line) -> Condition:
    return Condition(keyword, tail, line)


def _global(keyword: str, tail: Span, line: Line) -> Global:
    return Global(tuple(tail.text.lower().replace(",", " ").split()), line)


def _options(keyword: str, tail: Span, line: Line) -> Options:
    if keyword == "temp":
        return Options((Assignment("temp", tail, tail),), line)
    return Options(tuple(assignments(tail)[1]), line)


def _hint(keyword: str, tail: Span, line: Line) -> Hint:
    return Hint(keyword, tail, line)


_READERS = {"model": _model, "param": _parameters, "params": _parameters, "parameter": _parameters, "func": _function,
            "function": _function, "include": _include, "inc": _include, "incl": _include, "lib": _include, "ic": _condition,
            "nodeset": _condition, "global": _global, "options": _options, "option": _options, "opt": _options, "temp": _options,
            "step": _hint, "wave": _hint, "input": _hint, "output": _hint, "pot": _hint}
