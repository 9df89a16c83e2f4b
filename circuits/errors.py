"""Every way that Ampwright says no: one tree, facts as attributes, and a text that says where, what and the mend.

A message reads "where: what. mend", for instance
``rat.cir, line 14, column 9: D1 uses the model 1N41448, which is not defined. Did you mean 1N4148?``
The command line prints that one line and leaves with exit code 2.
"""

from __future__ import annotations

from dataclasses import dataclass

LONGEST = 1500  # characters of a message: a name that a file gives may have thousands


@dataclass(frozen=True, slots=True)
class Place:
    """Where a thing stands on the page; lines and columns count from 1, 0 means unknown."""

    path: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        parts = [self.path] if self.path else []
        if self.line:
            parts.append(f"line {self.line}")
        if self.column:
            parts.append(f"column {self.column}")
        return ", ".join(parts)


class AmpwrightError(Exception):
    """Root of the tree.

    Parameters
    ----------
    what : str
        One sentence without the final full stop.
    mend : str
        One sentence that says what to change; may be empty.
    place : Place or None
        Where the cause stands.
    element : str
        Name of the element concerned, if any.
    """

    def __init__(self, what: str, *, mend: str = "", place: Place | None = None, element: str = ""):
        self.what = what
        self.mend = mend
        self.place = place
        self.element = element
        super().__init__(what)

    def __str__(self) -> str:
        where = str(self.place) if self.place else ""
        text = f"{where}: {self.what}" if where else self.what
        if self.mend:
            text = text.rstrip(".") + ". " + self.mend
        text = " ".join(text.split())
        return text if len(text) <= LONGEST else f"{text[:LONGEST - 200]} ... {text[-150:]}"

    def __reduce__(self):
        return (_rebuild, (type(self), dict(self.__dict__), self.args))


def _rebuild(kind: type, facts: dict, args: tuple) -> AmpwrightError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(facts)
    return error


class NetlistError(AmpwrightError, ValueError):
    """A netlist or drawing can't be read."""


class CircuitError(AmpwrightError, ValueError):
    """A circuit's values make no sense: a parameter out of range, an unknown control."""


class TopologyError(CircuitError):
    """A circuit's connections make no sense: floating nodes, loops of voltage sources, no output.

    ``findings`` holds one sentence for each finding.
    """

    def __init__(self, what: str, *, findings: tuple[str, ...] = (), **facts):
        super().__init__(what, **facts)
        self.findings = findings


class ConvergenceError(AmpwrightError, ArithmeticError):
    """No solution was found, or a number is not finite; ``time`` in seconds, ``residual`` in volts."""

    def __init__(self, what: str, *, time: float = float("nan"), residual: float = float("nan"), **facts):
        super().__init__(what, **facts)
        self.time = time
        self.residual = residual


class ModelFileError(AmpwrightError, ValueError):
    """A stored model (capture, block, chain) is damaged, unknown or newer than this program."""


class RateError(AmpwrightError, ValueError):
    """A sample rate does not fit."""


class SignalError(AmpwrightError, ValueError):
    """A recording can't be used: unreadable, empty, of wrong shape, or with numbers that are not finite."""


class FitError(AmpwrightError, RuntimeError):
    """A fit can't be made from what was given."""
