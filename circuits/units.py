"""Engineering notation, as SPICE decks and panels write it, to plain SI floats and back.

Suffixes (case does not matter): ``T G MEG K M U N P F A`` and ``MIL``; ``M`` is milli and ``F`` is femto whatever
follows, letters behind the suffix are units and are ignored; the suffix may stand in the place of the point (``4k7``).

References
----------
ngspice manual, section 2.1.3 "Some naming conventions" (numbers and scale factors).
"""

from __future__ import annotations

import math
import re

# powers of ten, so that 5f is the same float as 5e-15
_POWERS = {"t": 12, "g": 9, "meg": 6, "k": 3, "m": -3, "u": -6, "µ": -6, "μ": -6, "n": -9, "p": -12, "f": -15, "a": -18, "r": 0, "": 0, "mil": 0}
_MIL = 25.4e-6
_NUMBER = re.compile(
    r"(?P<sign>[+-]?)(?P<whole>\d+\.?\d*|\.\d+)(?:e(?P<power>[+-]?\d+))?"
    r"(?P<scale>meg|mil|[tgkmuµμnpfar](?=\d|[^0-9]|$))?(?P<rest>\d*)(?P<unit>[a-zµμΩω°%]*)$", re.IGNORECASE)
_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "MEG"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "u"),
             (1e-9, "n"), (1e-12, "p"), (1e-15, "f"))


def parse_number(text: str) -> float:
    """Read one number with an optional scale suffix and unit.

    Parameters
    ----------
    text : str
        For instance ``"4k7"``, ``"22n"``, ``"1MEG"``, ``"5f"``, ``"10kohm"``, ``"2R2"``.

    Returns
    -------
    float
        The value in SI units.

    Raises
    ------
    ValueError
        If the text is not a number.

    Examples
    --------
    >>> parse_number("4k7"), parse_number("1MEG"), parse_number("5fF") == 5e-15
    (4700.0, 1000000.0, True)
    """
    match = _NUMBER.match(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not a number")
    whole, rest = match["whole"], match["rest"]
    scale = (match["scale"] or "").lower()
    if rest:
        if not scale or "." in whole or match["power"]:
            raise ValueError(f"{text!r} is not a number")
        whole = f"{whole}.{rest}"
    number = float(f"{match['sign']}{whole}e{int(match['power'] or 0) + _POWERS[scale]}")
    return number * _MIL if scale == "mil" else number


def format_number(value: float, digits: int = 6) -> str:
    """Write a number in engineering notation that `parse_number` and SPICE read back.

    Examples
    --------
    >>> format_number(4700.0), format_number(2.2e-8), format_number(1e6), format_number(0.0)
    ('4.7k', '22n', '1MEG', '0')
    """
    if value == 0.0 or not math.isfinite(value):
        return "0" if value == 0.0 else repr(value)
    magnitude = abs(value)
    for scale, prefix in _PREFIXES:
        if magnitude >= scale * (1.0 - 1e-12) and magnitude < 1e15:
            return f"{value / scale:.{digits}g}{prefix}" if "e" not in f"{value / scale:.{digits}g}" else f"{value:.{digits}g}"
    return f"{value:.{digits}g}"
