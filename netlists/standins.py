"""What stands in where a netlist names a part and does not bring its model: cards of the catalogue, potentiometers, panel switches.

Semiconductors named on D, Q, J and M lines come from the catalogue by name. An X line whose subcircuit is nowhere becomes an
op-amp, a tube, a rectifier or an optocoupler if its name says so; what stood in is told, and `strict` refuses it.
"""

from __future__ import annotations

import re

from circuits.circuit import GROUND, Card
from circuits.devices import catalogue
from circuits.devices.families import FAMILIES
from circuits.elements import Device, Resistor
from circuits.expressions import Call, Value
from netlists.assembly import Assembly, Fields, expression

# families of parts whose members differ too little to be heard in a pedal: one card stands for all that the catalogue lacks
_OPAMP_NAMES = re.compile(r"(tl0[5-9]\d|lm(1458|2904|358|324|386|833|301|318|833|4562|837)|lf(347|351|353|356|411|412)|ne(5534|5532|4558)|sa5532|"
                          r"opa\d+|ad\d{3,4}|ada\d+|lt1\d{3}|lt6\d{3}|ltc\d+|mc(1458|33078|33079|4558)|rc45\d\d|(n?j[mr]c?)\d+|njm\d+|ca31[34]0|ua\d+|mcp6\d+|"
                          r"max4\d+|op\d\d+|ts92[0-9]|tlc?\d+|ba\d+|m5\d+|level\d?\.?\d?[ab]?|universalopamps?\d?|op-?amp\w*|\w*opamp)", re.IGNORECASE)
_GENERIC_OPAMP = "tl072"
_UNIVERSAL = {"avol": "aol", "aol": "aol", "gbw": "gbw", "slew": "slew", "rin": "rin", "vos": "vos", "rout": "rout"}
# parts that the catalogue lacks, and the nearest that it has: other packages of the same die, close relatives
_NEAREST = tuple((re.compile(pattern), card) for pattern, card in (
    (r"bc(84[678]|54[68]|182|237|337|338|10[79]|414)[abc]?(-\d+)?", "bc547b"), (r"bc(849|850|550|184)[abc]?", "bc549c"),
    (r"bc(85[678]|55[6789]|560|327|328|307|212)[abc]?(-\d+)?", "2n3906"), (r"(2n|pn|mmbt|mps|zetex)?(2222|4401|2219)a?", "2n2222"),
    (r"(2n|pn|mmbt|mps)?(2907|4403|2905|5401|4250|3638)a?", "2n3906"), (r"(mmbt|sst|pn)?3904(lt1)?", "2n3904"), (r"(mmbt|sst|pn)?3906(lt1)?", "2n3906"),
    (r"(2n|pn|mmbt)?(5551|3565|3859|3391|2712|5172)a?", "2n3904"), (r"2sc\d+\w*", "2sc1815"), (r"2s[ab]\d+\w*", "2sa1015"), (r"2sd\d+\w*", "2n2222"), (r"(bd(13[579]|23[79]|43[79])|tip(29|31|33|41)|bf42[02]|bc368)\w*", "2n2222"), (r"(bd(13[68]|140|238|240|43[68])|tip(30|32|34|42)|bf42[13]|bc369)\w*", "2n3906"), (r"2sa(733|970|1048)\w?", "2sa1015"),
    (r"(1n4148|1n4448|1n4150|1n4151|1n4446|1n916|bas16|bav\d\d|1ss133)[a-z]*", "1n4148"), (r"1n400[23456]\w?", "1n4007"), (r"(uf|by|ba|mur)\d+\w?", "1n4007"),
    (r"(1n5818|1n5819|bat\d\d|sb1\d0|1n5711)\w*", "1n5817"), (r"(mmbf|pmbf)?j?(201|sst201)", "j201"), (r"(2n|mmbf)(5484|5486)", "2n5485"), (r"bf24[45][abc]?", "2n3819"),
    (r"2sk(117|209|369|246)\w*", "2sk30a"), (r"(oc(71|72|75|81)|ac(125|126|127|151)|nkt\d+|2n(404|527|1308))\w?", "ac128"), (r"(oa(70|79|81|85|95)|aa1\d\d|d9[ebdk])\w?", "1n34a")))
_ZENER = re.compile(r"(bz[xyvt]\d\d\w?-?[abcdf]?(?P<volts>\d+v?\d*)|(zpd|zd|zf|tfz|mmsz|rd|hz|zener)_?(?P<plain>\d+([v_.]\d+)?))[a-z]?", re.IGNORECASE)
_SEPARATORS = re.compile(r"[_\-./ ]+")
_POTS = re.compile(r"pot(entiometer|entiometr|lin|log|_pow|_lin|_log)?\w*", re.IGNORECASE)
FREE_PIN = 1e9  # ohms to ground from a pin that the stand-in does not have: compensation, heaters
NOISE_KEYS = frozenset(("en", "enk", "in", "ink", "ilimit", "phimargin", "epsilon"))


def card(name: str) -> Card | None:
    """The catalogue's card of a semiconductor, tube or op-amp, or None."""
    return catalogue.find(name)


def nearest(name: str) -> Card | None:
    """The catalogue's nearest relative of a part that it lacks, or a zener of the voltage in its name, or None."""
    zener = _ZENER.fullmatch(name.lower())
    if zener is not None:
        volts = float((zener["volts"] or zener["plain"]).replace("v", ".").replace("_", ".").rstrip("."))
        if 1.0 < volts < 300.0:
            return Card(f"zener of {volts:g} V", "d", {"is": 1e-15, "rs": 1.0, "bv": volts, "ibv": 5e-3, "nbv": 1.7}, "a generic zener")
    for pattern, other in _NEAREST:
        if pattern.fullmatch(name.lower()):
            return catalogue.find(other)
    return None


def suggest(name: str) -> str:
    """The nearest name that the catalogue has; empty if none is near."""
    close = catalogue.suggest(name, 1)
    return close[0].upper() if close else ""


def stand_in(assembly: Assembly, fields: Fields) -> bool:
    """Make an element of an X line whose subcircuit is missing; False if its name says nothing."""
    if not fields.words:
        return False
    name = fields.words[-1].lower
    nodes = tuple(fields.scope.node(word.text) for word in fields.words[:-1])
    if _POTS.fullmatch(name) and len(nodes) == 3:
        return _potentiometer(assembly, fields, nodes)
    found = _by_name(name, len(nodes))
    if found is None:
        return False
    given = nodes
    if found.kind in ("opamp", "opamp_ideal"):
        found, nodes = _opamp(assembly, fields, found, name, nodes)
    if found.kind == "pentode" and len(nodes) == 5:  # LTspice's symbol with a suppressor counts cathode, G1, G2, G3, anode
        nodes = (nodes[4], nodes[2], nodes[1], nodes[0])
    family = FAMILIES[found.kind]
    nodes = nodes[:len(family.pins)] if found.kind != "rectifier" or len(nodes) <= 3 else nodes[:3]
    least = sum(not pin.endswith("?") for pin in family.pins)
    if len(nodes) < least or found.kind in ("opamp", "opamp_ideal") and len(nodes) == 4:
        return False
    fields.words.clear()
    for key in list(fields.values):
        fields.values.pop(key)
    assembly.notes.lose(f"{fields.part.written}: the subcircuit {name} is not there; the built-in {found.kind} {found.name} stands in", fields.place)
    assembly.add(Device(fields.name, nodes, found, {}, fields.place))
    for k, node in enumerate(dict.fromkeys(node for node in given if node not in nodes and node != GROUND)):
        assembly.add(Resistor(f"{fields.name}.free{k}", (node, GROUND), FREE_PIN, fields.place))
    return True


def _by_name(name: str, pins: int) -> Card | None:
    """The card of the whole name, of a part of it, or of the family that its name belongs to."""
    whole = catalogue.find(name)
    if whole is not None:
        return whole
    for part in _SEPARATORS.split(name):
        found = catalogue.find(part) if len(part) > 2 else None
        if found is not None and found.kind not in ("ldr",):
            return found
    if pins in (3, 5, 6, 7) and any(_OPAMP_NAMES.fullmatch(part) for part in (name, *_SEPARATORS.split(name)) if part):
        return catalogue.find(_GENERIC_OPAMP)
    return None


def _opamp(assembly: Assembly, fields: Fields, found: Card, name: str, nodes: tuple[str, ...]) -> tuple[Card, tuple[str, ...]]:
    """Order of the pins, and the parameters of LTspice's universal op-amps."""
    if len(nodes) == 3 and name == "opamp":  # LTspice's own three-pin symbol counts the inverting input first
        nodes = (nodes[1], nodes[0], nodes[2])
    if len(nodes) > 5:
        nodes = nodes[:5]
    values: dict[str, Value] = dict(found.values)
    given = False
    for key in tuple(fields.values):
        span = fields.take(key)
        value, _ = fields.scope.first_value(span)
        if key in _UNIVERSAL:
            values[_UNIVERSAL[key]] = value
            given = True
        elif key == "rail":
            values["head"] = values["foot"] = value
        elif key not in NOISE_KEYS:
            assembly.notes.lose(f"{fields.part.written}: {key}= is left out", span.place())
    if not given:
        return found, nodes
    if found.kind == "opamp_ideal":  # one pole, no rails, no slew limit
        values = {"rin": 1e12, "rout": 0.0, "head": 0.0, "foot": 0.0, "slew": 1e12, "vcc": 1e4, "vee": -1e4} | values
    return Card(f"{fields.name}.{found.name}", "opamp", values, found.source), nodes


def _potentiometer(assembly: Assembly, fields: Fields, nodes: tuple[str, ...]) -> bool:
    """End, end, wiper, as in LTspice's collections: ``Rtot & wiper``, ``Rt & set`` or ``R & T``; the wiper stops 0.1 % before the ends."""
    total, setting = fields.number("rtot", "rt", "r", "value"), fields.number("wiper", "set", "t", "w", "pos")
    if total is None or setting is None:
        return False
    fields.words.clear()
    first, second, wiper = nodes
    where = Call("limit", (expression(setting), expression(1e-3), expression(0.999)))
    upper = Call("mul", (expression(total), Call("sub", (expression(1.0), where))))
    assembly.notes.lose(f"{fields.part.written}: its potentiometer is not there; two resistors of a linear one stand in", fields.place)
    assembly.add(Resistor(f"{fields.name}.r0", (first, wiper), upper, fields.place))
    assembly.add(Resistor(f"{fields.name}.r1", (wiper, second), Call("mul", (expression(total), where)), fields.place))
    return True
