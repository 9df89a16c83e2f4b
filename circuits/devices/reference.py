"""The reference page of devices, written from the declarations themselves: ``python -m circuits.devices.reference docs/devices.md``.

A page that is out of step with the code fails a test, so nothing has to be kept in step by hand.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

from circuits.devices import catalogue
from circuits.devices.families import ALIASES, FAMILIES
from circuits.devices.law import Family, Parameter
from circuits.devices.table import LAWS
from circuits.units import format_number

HEAD = """# Devices

This page is written by `python -m circuits.devices.reference docs/devices.md`; a test holds it in step with the code.

Names of kinds and parameters are lower case and case does not matter. A pin or parameter that is not listed for a kind is told by the reader.
Current into a pin is positive. P-type parts take the same numbers as N-type ones (thresholds of MOSFETs with their sign, as SPICE has it).
"""


def _number(value: float) -> str:
    if math.isnan(value):
        return "-"
    return format_number(value) if math.isfinite(value) else ("infinite" if value > 0.0 else "-infinite")


def _range(parameter: Parameter) -> str:
    low, high = parameter.minimum, parameter.maximum
    if math.isinf(low) and math.isinf(high):
        return "any"
    if math.isinf(high):
        return f"from {_number(low)}"
    return f"up to {_number(high)}" if math.isinf(low) else f"{_number(low)} to {_number(high)}"


def _rows(parameters: tuple[Parameter, ...]) -> list[str]:
    return [f"| `{p.name}` | {_number(p.default)} | {p.unit} | {_range(p)} | {p.text} |" for p in parameters]


def _family(family: Family) -> list[str]:
    head = ["| parameter | default | unit | range | meaning |", "|---|---|---|---|---|"]
    lines = [f"## {', '.join(f'`{kind}`' for kind in family.kinds)}", "", f"Pins: {', '.join(pin.replace('?', ' (optional)') for pin in family.pins)}.", ""]
    if family.parameters:
        lines += [*head, *_rows(family.parameters), ""]
    if family.instance:
        lines += ["On the element:", "", *head, *_rows(family.instance), ""]
    aliases = {old: new for old, new in ALIASES.get(family.kinds[0], {}).items() if new}
    if aliases:
        lines += ["Other names: " + ", ".join(f"`{old}` for `{new}`" for old, new in aliases.items()) + ".", ""]
    return lines


def page() -> str:
    """The whole page as Markdown.

    Examples
    --------
    >>> page().splitlines()[0]
    '# Devices'
    """
    lines = [HEAD]
    for family in {id(family): family for family in FAMILIES.values()}.values():
        lines += _family(family)
    lines += ["## Laws", "", "Each is one compiled function that returns currents, charges and all their slopes.", "",
              "| code | law | inputs | currents | charges |", "|---|---|---|---|---|"]
    lines += [f"| {law.code} | `{law.name}` | {', '.join(law.inputs)} | {', '.join(law.currents)} | {', '.join(law.charges)} |" for law in LAWS.values()]
    lines += ["", "## Named parts", "", "| part | kind | parameters | source |", "|---|---|---|---|"]
    for name in catalogue.names():
        card = catalogue.find(name)
        values = " ".join(f"{key}={format_number(value)}" for key, value in card.values.items())
        lines.append(f"| `{name}` | {card.kind} | {values} | {card.source} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
