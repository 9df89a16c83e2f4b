"""Coils on a core that saturates: LTspice's Hc, Bs, Br on the coils themselves, and PSPICE's CORE model on their K line, after Jiles and Atherton.

In PSPICE the value of a coil on a core is its number of turns, and lengths are in centimetres. Its equations are those of 1986, in which the irreversible part is
divided by 1 + C and the reversible one multiplied by C/(1 + C); the law of `circuits.devices.hysteresis` splits them as 1 - c and c, so c = C/(1 + C) and k = K (1 + C).

References
----------
Jiles, Atherton: Theory of ferromagnetic hysteresis, J. Magnetism and Magnetic Materials 61, 1986. PSpice A/D reference guide, "Inductor coupling".
"""

from __future__ import annotations

from dataclasses import replace

from circuits.circuit import Card
from circuits.elements import Coupling, Device, Inductor
from circuits.errors import CircuitError, NetlistError
from netlists.assembly import Assembly, Fields
from netlists.models import build_card

WINDINGS = 4
_DEFAULTS = {"area": 0.1, "path": 1.0, "gap": 0.0, "pack": 1.0, "ms": 1e6, "a": 1e3, "c": 0.2, "k": 500.0}
_SILENT = ("level", "gamma", "alpha")


def core_model(fields: Fields) -> Card | None:
    """The CORE model at the end of a K line, taken from its words with the size behind it; None if there is none."""
    for index in (-1, -2):
        if len(fields.words) < 1 - index:
            break
        found = fields.scope.model(fields.words[index].lower)
        if found is not None:
            card = build_card(*found)
            if card.kind != "core":
                fields.fail(f"needs a model of type core; {fields.words[index].text} is of type {card.kind}", place=fields.words[index].span.place())
            del fields.words[index:]
            return card
    return None


def wind(assembly: Assembly) -> None:
    """Coils that K couples on one core are windings of one device; their coupling is perfect."""
    elements = assembly.elements
    for names, card, coupling in assembly.cores:
        _wind_hysteretic(assembly, names, card, coupling)
    for coupling in [element for element in elements.values() if isinstance(element, Coupling)]:
        coils = [elements.get(name) for name in coupling.inductors]
        cores = [coil for coil in coils if isinstance(coil, Device) and coil.card.kind == "core"]
        if not cores:
            continue
        if len(cores) != len(coils) or len(coils) > WINDINGS:
            raise NetlistError(f"{coupling.name.upper()} couples {'more than four coils' if len(coils) > WINDINGS else 'coils with and without a core'}",
                               place=coupling.place, element=coupling.name, mend="Give Hc, Bs, Br, A, Lm and N to each of up to four coils.")
        first = cores[0]
        values = {key: value for key, value in first.card.values.items() if key != "n"}
        values |= {f"n{k}": coil.card.values.get("n", 1.0) for k, coil in enumerate(cores, 1)}
        nodes = tuple(node for coil in cores for node in coil.nodes)
        for name in (coupling.name, *coupling.inductors[1:]):
            del elements[name]
        elements[first.name] = replace(first, nodes=nodes, card=replace(first.card, values=values))
        assembly.notes.say(f"{', '.join(coupling.inductors)} are windings of one core, perfectly coupled", coupling.place)


def _wind_hysteretic(assembly: Assembly, names: tuple[str, ...], card: Card, coupling: Coupling) -> None:
    elements = assembly.elements
    coils = [elements.get(name) for name in names]
    wrong = next((name for name, coil in zip(names, coils) if not isinstance(coil, Inductor)), "")
    if wrong or len(coils) > WINDINGS:
        raise NetlistError(f"{coupling.name.upper()} couples {f'{wrong}, which is no inductor' if wrong else 'more than four coils'}", place=coupling.place, element=coupling.name)
    try:
        given = {name: assembly.deck.number(value) for name, value in card.values.items()}
        turns = [assembly.deck.number(coil.value) for coil in coils]
    except CircuitError as error:
        raise NetlistError(f"the core of {coupling.name.upper()} has a value that is no number ({error})", place=coupling.place) from None
    for name in given:
        if name not in _DEFAULTS and name not in _SILENT:
            assembly.notes.lose(f"the model {card.name}: {name}= is not understood and left out", card.place)
    v = _DEFAULTS | given
    values = {"ms": v["ms"], "a": v["a"], "alpha": v.get("alpha", 0.0) if given.get("level", 1.0) == 1.0 else 0.0, "c": v["c"] / (1.0 + v["c"]), "k": v["k"] * (1.0 + v["c"]),
              "area": 1e-4 * v["area"] * v["pack"], "lm": 1e-2 * v["path"], "lg": 1e-2 * v["gap"]} | {f"n{k}": n for k, n in enumerate(turns, 1)}
    first = coils[0]
    for name in names:
        del elements[name]
    assembly.add(Device(first.name, tuple(node for coil in coils for node in coil.nodes), Card(f"{coupling.name}.{card.name}", "core_ja", values, "netlist", card.place), {}, first.place))
    assembly.notes.say(f"{', '.join(names)} are windings of one core with hysteresis (Jiles and Atherton), perfectly coupled; their values are turns", coupling.place)
