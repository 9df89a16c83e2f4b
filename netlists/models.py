"""D, Q, J, M, S and W: model cards found by name, and devices made of them.

The model is looked for by name among the words, not by position, because a transistor may have a substrate node or none. A card
comes from the deck, then from its includes, then from the catalogue; a bare type (``D``, ``NPN``) is SPICE's default model.
"""

from __future__ import annotations

import re
from difflib import get_close_matches

from circuits.circuit import Card
from circuits.devices.families import SILENT, unknown_parameters, unknown_values
from circuits.elements import CurrentControlledVoltage, Device
from circuits.errors import NetlistError
from circuits.expressions import Value
from netlists import standins
from netlists.assembly import BOOKKEEPING, Assembly, Fields
from netlists.expand import Scope
from netlists.learned import learned
from netlists.lexer import Span
from netlists.statements import Model, split_model
from netlists.words import Word, plain, words

# letter -> least and most nodes, kinds of models, and names under which a model needs no .model line
_LETTERS = {"d": (2, 2, ("d",)), "q": (3, 4, ("npn", "pnp", "lpnp")), "j": (3, 3, ("njf", "pjf")),
            "m": (3, 4, ("nmos", "pmos", "vdmos")), "s": (4, 4, ("sw", "vswitch", "aswitch")), "w": (2, 2, ("csw", "iswitch"))}
_BARE = ("d", "npn", "pnp", "njf", "pjf", "nmos", "pmos", "vdmos", "sw", "csw")
_VENDOR = frozenset(("mfg", "type", "vceo", "icrating", "iave", "vpk", "vds", "ron", "qg", "irms", "vrev", "vrrm", "ifav", "package", "vgs"))
_OPPOSITE = ({"npn", "pnp"}, {"njf", "pjf"}, {"nmos", "pmos"})
_NAME = re.compile(r"[a-z]")  # a model that is only digits is rather a node too many
MAX_BASES = 10  # ako: of ako: of ako:


def device(assembly: Assembly, fields: Fields) -> None:
    """D, Q, J, M, S: nodes, model, area."""
    letter = fields.part.letter
    if letter == "d" and learned(assembly, fields):
        return
    least, most, kinds = _LETTERS[letter]
    index, found = _find(fields, least, most, kinds)
    model_word = fields.words[index]
    nodes = tuple(fields.scope.node(word.text) for word in fields.words[:index])
    del fields.words[:index + 1]
    if letter == "q" and len(nodes) == 4 and not any(key in found.values for key in ("cjs", "ccs")):
        nodes = nodes[:3]  # without a substrate junction nothing flows into the fourth pin
    if letter == "m" and found.kind == "vdmos":
        nodes = nodes[:3]
    if found.kind not in kinds:
        fields.fail(f"needs a model of type {' or '.join(kinds)}; {model_word.text} is of type {found.kind}", place=model_word.span.place())
    values = _instance(assembly, fields, letter)
    made = Device(fields.name, nodes, found, values, fields.place)
    for name in unknown_parameters(found):
        assembly.notes.once(f"{found.name}.{name}", f"the model {found.name}: {name}= is not understood and left out", found.place or fields.place)
    if any(name in SILENT - {"level", "ron"} for name in found.values):
        assembly.notes.once("silent", "noise, ratings and levels in models (kf, af, level ...) change no voltage and are left out", found.place or fields.place)
    for name in unknown_values(made):
        assembly.notes.lose(f"{fields.part.written}: {name}= is not understood and left out", fields.place)
    assembly.add(made)


def current_switch(assembly: Assembly, fields: Fields) -> None:
    """W: a switch whose control voltage is 1 ohm times the current of its source."""
    nodes = fields.nodes(2)
    if len(fields.words) < 2:
        fields.fail("needs a voltage source and a model", f"Write {fields.part.written} a b vsense model.")
    word = fields.words.pop(0)
    sensor = fields.scope.element_name(word.text)
    fields.scope.deck.sensed.setdefault(sensor, word.span.place())
    name = fields.words.pop(0)
    found = card_of(fields, name)
    if found.kind == "iswitch":  # PSpice's, in amperes where the other counts volts
        renamed = {"ion": "von", "ioff": "voff"}
        found = Card(found.name, "vswitch", {renamed.get(key, key): value for key, value in found.values.items()}, found.source, found.place)
    elif found.kind != "csw":
        fields.fail(f"needs a model of type csw; {name.text} is of type {found.kind}", place=name.span.place())
    node = f"{fields.name}#control"
    assembly.add(CurrentControlledVoltage(f"{fields.name}#sense", (node, "0"), sensor, 1.0, fields.place))
    assembly.add(Device(fields.name, (*nodes, node, "0"), found, _instance(assembly, fields, "w"), fields.place))


def _find(fields: Fields, least: int, most: int, kinds: tuple[str, ...]) -> tuple[int, Card]:
    """Index of the word that names the model, and its card."""
    if len(fields.words) <= least:
        fields.fail(f"needs {least} nodes and a model", f"Write {fields.part.written} {'node ' * least}MODEL.")
    candidates = range(least, min(most, len(fields.words) - 1) + 1)
    for index in candidates:
        if fields.scope.model(fields.words[index].lower) is not None:
            return index, card_of(fields, fields.words[index])
    for index in candidates:
        if standins.card(fields.words[index].lower) is not None or fields.words[index].lower in _BARE:
            return index, card_of(fields, fields.words[index])
    for index in candidates:
        relative = standins.nearest(fields.words[index].lower)
        if relative is not None and relative.kind in kinds:
            return index, card_of(fields, fields.words[index])
    index = candidates[-1] if fields.part.letter == "m" and not fields.words[candidates[-1]].text[0].isdigit() else least
    return index, card_of(fields, fields.words[index])


def card_of(fields: Fields, word: Word) -> Card:
    """The card that a word names; raises NetlistError with a suggestion if there is none."""
    name = word.lower
    found = fields.scope.model(name)
    notes = fields.scope.deck.notes
    if found is not None:
        return build_card(*found)
    if name in _BARE:
        notes.once(f"card {name}", f"{fields.part.written}: the model {word.text} is SPICE's default", word.span.place())
        return Card(name, name, {}, "SPICE's default", word.span.place())
    catalogued = standins.card(name)
    if catalogued is not None:
        notes.once(f"card {name}", f"{fields.part.written}: the model {word.text} is taken from the catalogue", word.span.place())
        return catalogued
    relative = standins.nearest(name)
    shown = fields.scope.deck.kind_of(fields.part)
    if relative is not None and relative.kind in _LETTERS[fields.part.letter][2] and {relative.kind, shown} not in _OPPOSITE:
        notes.lose(f"{fields.part.written}: the model {word.text} is not defined; {relative.name.upper()} stands in", word.span.place())
        return relative
    known: dict[str, Model] = {}
    scope = fields.scope
    while scope is not None:
        known |= scope.contents.models
        scope = scope.parent
    letter = fields.part.letter
    close = get_close_matches(name, known, 1, 0.75)
    better = known[close[0]].written if close else standins.suggest(name, _LETTERS[letter][2])
    common = standins.common(letter, name, shown) if not better and not fields.scope.deck.outside and _NAME.search(name) else None
    if common is not None:
        notes.lose(f"{fields.part.written}: nobody knows the model {word.text}; {common.name.upper()}, a common {common.kind}, stands in", word.span.place())
        return common
    mend = f"Did you mean {better}?" if better else fields.scope.deck.not_found() or f"Add .model {word.text} ..."
    raise NetlistError(f"{fields.part.written} uses the model {word.text}, which is not defined", mend=mend, place=word.span.place(),
                       element=fields.name)


def build_card(model: Model, scope: Scope, level: int = 0) -> Card:
    """A `Card` from a ``.model`` line, its values read in the scope that the line stands in."""
    kind, base, assigned, flags = split_model(model)
    values: dict[str, Value] = {}
    if base:
        if level >= MAX_BASES:
            raise NetlistError(f"the model {model.name} is based on itself", place=model.line.place())
        found = scope.model(base)
        if found is not None and found[0] is not model:
            inherited = build_card(*found, level + 1)
        else:
            inherited = standins.card(base)
        if inherited is None:
            raise NetlistError(f"the model {model.name} is based on {base}, which is not defined", place=model.line.place())
        values = dict(inherited.values)
        kind = kind or inherited.kind
    if kind == "lpnp":
        kind = "pnp"
    for one in assigned:
        if one.name in _VENDOR and not (one.name == "ron" and kind in ("sw", "csw", "vswitch", "iswitch", "d")):
            scope.deck.notes.once("model bookkeeping", "ratings and maker's names in models (mfg, type, Vceo ...) are left out", one.place_of.place())
            continue
        if one.name in BOOKKEEPING or one.name in ("file", "filename") or one.value.text.startswith("["):
            continue  # names of files and vectors belong to XSPICE's models, which need neither here
        values[one.name] = _model_value(scope, one.value)
    for flag in flags:
        if flag in ("pchan", "nchan"):
            values["pchan"] = 1.0 if flag == "pchan" else 0.0
        elif flag not in BOOKKEEPING and flag != kind:
            scope.deck.notes.once(f"{model.name} {flag}", f"the model {model.name}: {flag} is left out", model.line.place())
    return Card(scope.prefix + model.name, kind, values, "netlist", model.line.place())


def _model_value(scope: Scope, span: Span) -> Value:
    """One value; what stands behind it (a flag, a comma) does not belong to it."""
    value, _ = scope.first_value(span)
    return value


def _instance(assembly: Assembly, fields: Fields, letter: str) -> dict[str, Value]:
    """Area, m, temp and the like; initial conditions are left to the operating point."""
    values: dict[str, Value] = {}
    while fields.words:
        word = fields.words[0]
        if word.lower in ("off", "on"):
            fields.words.pop(0)  # where to start looking for the operating point, which ours finds without
        elif "area" not in values and letter in "dqj" and (word.kind == "group" or word.text[0].isdigit() or word.text[0] == "."):
            fields.words.pop(0)
            values["area"] = fields.word_value(word)
        else:
            break
    for name in tuple(fields.values):
        if name in BOOKKEEPING and name not in ("temp", "dtemp"):
            continue
        span = fields.take(name)
        if name == "ic":
            assembly.notes.say(f"{fields.part.written}: ic= is left out; the operating point decides", span.place())
            continue
        values[name], rest = fields.scope.first_value(span)
        fields.words += plain(words(rest))
    return values
