"""Lines with losses as ladders: U (resistance and capacitance) in SPICE's own sections, O and Y (R, L, G and C) in equal ones.

U is what SPICE itself makes of it: sections that grow towards the middle by the factor K. O and Y are cut so short that the phase of the whole is true to about
|gamma length| / 6000 at 20 kHz, gamma the line's propagation constant; a note says so.

References
----------
Gharpurey, Rohrer et al.: distributed RC lines in SPICE; SPICE3 user's guide, section 3.2.3 (U), 3.2.2 (O); ngspice manual, chapter 6.
"""

from __future__ import annotations

import cmath
import math

from circuits.elements import Capacitor, Inductor, Resistor
from circuits.errors import CircuitError
from netlists.assembly import Assembly, Fields
from netlists.delays import BANDWIDTH
from netlists.models import build_card

MAX_SECTIONS = 64
SECTIONS = 16      # for each unit of |gamma length| at 20 kHz
_URC = {"k": 1.5, "fmax": 1e9, "rperl": 1000.0, "cperl": 1e-15}


def _model(fields: Fields, count: int, kinds: tuple[str, ...]) -> tuple[tuple[str, ...], dict[str, float]]:
    """Nodes and the numbers of the line's model."""
    nodes = fields.nodes(count)
    word = fields.words.pop(0) if fields.words else None
    found = fields.scope.model(word.lower) if word is not None else None
    if found is None:
        fields.fail(f"uses the model {word.text if word else '?'}, which is not defined", f"Add .model NAME {kinds[0]}(...).")
    card = build_card(*found)
    if card.kind not in kinds:
        fields.fail(f"needs a model of type {' or '.join(kinds)}; {word.text} is of type {card.kind}", place=word.span.place())
    return nodes, {name: _number(fields, value) for name, value in card.values.items()}


def _number(fields: Fields, value) -> float:
    try:
        return fields.scope.deck.number(value)
    except CircuitError as error:
        fields.fail(f"has a value that is no number ({error})")


def resistive(assembly: Assembly, fields: Fields) -> None:
    """U: two ends and the node of the capacitance, a model URC, ``L=``, and ``N=`` sections."""
    (first, last, common), given = _model(fields, 3, ("urc",))
    length, sections = fields.number("l", "length"), fields.number("n")
    length = 1.0 if length is None else _number(fields, length)
    values = _URC | {name: value for name, value in given.items() if name in _URC}
    k, r, c = values["k"], values["rperl"] * length, values["cperl"] * length
    if k <= 1.0 or r <= 0.0 or c <= 0.0:
        fields.fail("needs K above 1 and a resistance and capacitance above 0")
    if given.get("isperl"):
        assembly.notes.lose(f"{fields.part.written}: its capacitance is read as linear; the diodes of isperl= are left out", fields.place)
    if sections is None:
        n = max(3, int(math.log(max(values["fmax"] * 2.0 * math.pi * r * c * ((k - 1.0) / k)**2, 1e-300)) / math.log(k)))
    else:
        n = int(_number(fields, sections))
    if not 1 <= n <= MAX_SECTIONS:
        fields.fail(f"would have {n} sections", f"Give N= from 1 to {MAX_SECTIONS}, or a lower FMAX.")
    ohms, farads = r * (k - 1.0) / (2.0 * k**n - 2.0), c * (k - 1.0) / (k**(n - 1) * (k + 1.0) - 2.0)
    low, high = first, last
    for i in range(1, n + 1):
        inner_high = f"{fields.name}#h{i}"
        inner_low = inner_high if i == n else f"{fields.name}#l{i}"
        assembly.add(Resistor(f"{fields.name}#rl{i}", (low, inner_low), ohms, fields.place))
        assembly.add(Resistor(f"{fields.name}#rh{i}", (inner_high, high), ohms, fields.place))
        assembly.add(Capacitor(f"{fields.name}#cl{i}", (inner_low, common), farads, place=fields.place))
        if i < n:
            assembly.add(Capacitor(f"{fields.name}#ch{i}", (inner_high, common), farads, place=fields.place))
        low, high, ohms, farads = inner_low, inner_high, ohms * k, farads * k


def lossy(assembly: Assembly, fields: Fields) -> None:
    """O and Y: two ports and a model LTRA or TXL with R, L, G, C and LEN (or ``LEN=`` on the line)."""
    (plus, minus, other, back), values = _model(fields, 4, ("ltra", "txl"))
    own = fields.number("len", "length")
    length = _number(fields, own) if own is not None else values.get("len", values.get("length", 1.0))
    r, l, g, c = (values.get(name, 0.0) * length for name in "rlgc")
    if min(r, l, g, c) < 0.0 or r == l == 0.0 or length <= 0.0:
        fields.fail("needs LEN= above 0 and R or L", "Write .model NAME ltra(R=1 L=1u G=0 C=1n LEN=2).")
    fields.words.clear()
    if minus != back:
        assembly.notes.lose(f"{fields.part.written}: the return nodes {minus} and {back} of its two ports are joined", fields.place)
        assembly.add(Resistor(f"{fields.name}#back", (minus, back), 0.0, fields.place))
    w = 2.0 * math.pi * BANDWIDTH
    gamma = abs(cmath.sqrt((r + 1j * w * l) * (g + 1j * w * c)))
    n = min(max(4, math.ceil(SECTIONS * gamma)), MAX_SECTIONS)
    assembly.notes.say(f"{fields.part.written}: a ladder of {n} sections stands for the line; at {BANDWIDTH / 1e3:g} kHz its phase is true to {gamma**3 / (24.0 * n * n):.1g}", fields.place)
    here = plus
    for i in range(1, n + 1):
        there = other if i == n else f"{fields.name}#n{i}"
        middle = f"{fields.name}#m{i}" if r and l else there
        share = 0.5 if i == 1 else 1.0
        _shunt(assembly, fields, f"{i - 1}", here, minus, share * c / n, share * g / n)
        if r:
            assembly.add(Resistor(f"{fields.name}#r{i}", (here, middle if l else there), r / n, fields.place))
        if l:
            assembly.add(Inductor(f"{fields.name}#l{i}", (middle if r else here, there), l / n, place=fields.place))
        here = there
    _shunt(assembly, fields, f"{n}", other, minus, 0.5 * c / n, 0.5 * g / n)


def _shunt(assembly: Assembly, fields: Fields, number: str, node: str, back: str, farads: float, siemens: float) -> None:
    if farads and node != back:
        assembly.add(Capacitor(f"{fields.name}#c{number}", (node, back), farads, place=fields.place))
    if siemens and node != back:
        assembly.add(Resistor(f"{fields.name}#g{number}", (node, back), 1.0 / siemens, fields.place))
