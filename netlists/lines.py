"""Lossless transmission lines (T) after Branin, with delays that are all-passes.

At each end stands the line's impedance in series with a wave that left the other end TD earlier: e1 = delay(2 v2 - e2), e2 = delay(2 v1 - e1).

References
----------
Branin: Transient analysis of lossless transmission lines, Proceedings of the IEEE 55(11), 1967.
"""

from __future__ import annotations

from circuits.circuit import GROUND
from circuits.elements import Resistor, VoltageControlledCurrent, VoltageControlledVoltage
from circuits.errors import CircuitError
from netlists.assembly import Assembly, Fields
from netlists.delays import BANDWIDTH, TOLERANCE, delayed


def line(assembly: Assembly, fields: Fields) -> None:
    """T: two ports, ``Z0=``, and ``TD=`` or ``F=`` with ``NL=``."""
    nodes, name, place = fields.nodes(4), fields.name, fields.place
    impedance, seconds = fields.number("z0", "zo"), fields.number("td")
    frequency, waves = fields.number("f"), fields.number("nl")
    if impedance is None or seconds is None and frequency is None:
        fields.fail("needs Z0= and TD=", f"Write {fields.part.written} a 0 b 0 Z0=50 TD=10n.")
    if fields.take("ic") is not None:
        assembly.notes.lose(f"{fields.part.written}: ic= is left out; the operating point decides", place)
    try:
        number = fields.scope.deck.number
        td = number(seconds) if seconds is not None else number(0.25 if waves is None else waves) / number(frequency)
    except (CircuitError, ZeroDivisionError) as error:
        fields.fail(f"has a delay that is no number ({error})", "Write TD=10n.")
    ends = (nodes[:2], nodes[2:])
    for k, (plus, minus) in enumerate(ends):
        here, wave = f"{name}#{k}", f"{name}#e{k}"
        other = ends[1 - k]
        assembly.add(Resistor(f"{name}#z{k}", (plus, here), impedance, place))
        drive = f"{name}#d{k}"  # 2 v - e of the other end, at 1 ohm
        assembly.add(Resistor(f"{name}#rd{k}", (drive, GROUND), 1.0, place))
        assembly.add(VoltageControlledCurrent(f"{name}#gv{k}", (GROUND, drive, *other), 2.0, place))
        elements, total = delayed(wave, (drive, GROUND), td, place)
        for element in elements:
            assembly.add(element)
        assembly.add(VoltageControlledCurrent(f"{name}#ge{1 - k}", (f"{name}#d{1 - k}", GROUND, total, GROUND), 1.0, place))
        assembly.add(VoltageControlledVoltage(f"{name}#w{k}", (here, minus, total, GROUND), 1.0, place))
    assembly.notes.say(f"{fields.part.written}: its delay of {td:g} s is an all-pass, true to {TOLERANCE:g} up to {BANDWIDTH / 1e3:g} kHz", place)
