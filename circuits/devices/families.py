"""Which family answers to which card kind, and how a device of a circuit becomes laws and plain elements.

`place` is the only door from a `Device` to its equations: it finds the family, checks the pins, fills and checks the parameters, settles the
temperature, and hands back a `Placement`.
"""

from __future__ import annotations

import math
from difflib import get_close_matches

from circuits.circuit import Card
from circuits.devices.bjt import BJTS
from circuits.devices.core import ARCTAN_CORES, CHAN_CORES
from circuits.devices.diode import DIODES
from circuits.devices.hysteresis import JILES_ATHERTON
from circuits.devices.jfet import JFETS
from circuits.devices.law import Family, Placement, filled
from circuits.devices.ldr import LDRS
from circuits.devices.mosfet import MOSFETS
from circuits.devices.opamp import IDEAL_OPAMPS, OPAMPS
from circuits.devices.ota import OTAS
from circuits.devices.pentode import PENTODES
from circuits.devices.rectifier import RECTIFIERS
from circuits.devices.switch import CURRENT_SWITCHES, PSPICE_SWITCHES, SWITCHES
from circuits.devices.triode import TRIODES, TRIODES_DEMPWOLF
from circuits.devices.vdmos import VDMOSES
from circuits.elements import Device
from circuits.errors import CircuitError

FAMILIES: dict[str, Family] = {kind: family for family in (
    DIODES, BJTS, JFETS, MOSFETS, VDMOSES, TRIODES, TRIODES_DEMPWOLF, PENTODES, RECTIFIERS, OPAMPS, IDEAL_OPAMPS, SWITCHES, CURRENT_SWITCHES,
    PSPICE_SWITCHES, LDRS, OTAS, CHAN_CORES, ARCTAN_CORES, JILES_ATHERTON) for kind in family.kinds}

# other names of a parameter, by kind; and what changes no voltage: noise, ratings for the catalogue, model levels that are checked elsewhere
ALIASES = {"d": {"cj0": "cjo", "cj": "cjo", "pb": "vj", "mj": "m"},
           "npn": {"nk": "nkf", "va": "vaf", "vb": "var", "pe": "vje", "me": "mje", "pc": "vjc", "mc": "mjc", "ccs": "cjs", "ps": "vjs", "ms": "mjs",
                   "ik": "ikf", "c2": "", "c4": ""}}
ALIASES["pnp"] = ALIASES["npn"]
ALIASES["core"] = ALIASES["core_arctan"] = ALIASES["core_ja"] = {"n": "n1"}
for _kind in ("njf", "pjf", "nmos", "pmos", "vdmos"):
    ALIASES[_kind] = {"vt0": "vto", "vth0": "vto"}
for _kind in ("d", "npn", "pnp", "njf", "pjf", "nmos", "pmos", "vdmos"):
    ALIASES[_kind] = {**ALIASES[_kind], "tref": "tnom"}
SILENT = frozenset(("kf", "af", "ef", "nlev", "gdsnoi", "mfg", "type", "vceo", "icrating", "iave", "vpk", "vds", "ron", "qg", "level",
                    "irms", "trise", "tfall", "noisemod"))


# model levels that the laws are; other numbers name other models
LEVELS = {"d": (1, 3), "npn": (1, 2), "pnp": (1, 2), "njf": (1,), "pjf": (1,), "nmos": (1,), "pmos": (1,)}


def _renamed(card: Card) -> dict:
    aliases = ALIASES.get(card.kind, {})
    return {aliases.get(name) or name: value for name, value in card.values.items()}


def unknown_parameters(card: Card) -> tuple[str, ...]:
    """Parameters of a card that its family does not declare and that would change its behaviour.

    Noise and catalogue parameters (KF, mfg, Vceo, ...) are not mentioned. A card of unknown kind gives (). ``level`` is among them
    when it asks for another model than the one that is built in.

    Examples
    --------
    >>> unknown_parameters(Card("dx", "d", {"is": 1e-14, "kf": 1.0, "isw": 1e-12}))
    ('isw',)
    """
    family = FAMILIES.get(card.kind)
    if family is None:
        return ()
    declared = {parameter.name for parameter in family.parameters}
    level = card.values.get("level", 1)
    other = ("level",) if isinstance(level, (int, float)) and level not in LEVELS.get(card.kind, (level,)) else ()
    return tuple(name for name in _renamed(card) if name not in declared and name not in SILENT) + other


def unknown_values(device: Device) -> tuple[str, ...]:
    """Instance parameters of a device that its family does not declare and that would change its behaviour."""
    family = FAMILIES.get(device.card.kind)
    declared = {parameter.name for parameter in family.instance} if family else set()
    return tuple(name for name in device.values if family and name not in declared and name not in SILENT | {"off", "ic"})


def family_of(device: Device) -> Family:
    """The family of a device's card; raises CircuitError for an unknown kind or a wrong number of nodes."""
    family = FAMILIES.get(device.card.kind)
    if family is None:
        close = get_close_matches(device.card.kind, FAMILIES, 1)
        raise CircuitError(f"{device.name}: the model {device.card.name} is of kind {device.card.kind}, which is not built in",
                           mend=f"Did you mean {close[0]}?" if close else f"Kinds: {', '.join(sorted(FAMILIES))}.",
                           place=device.place, element=device.name)
    least = sum(not pin.endswith("?") for pin in family.pins)
    if not least <= len(device.nodes) <= len(family.pins):
        count = f"{least}" if least == len(family.pins) else f"{least} to {len(family.pins)}"
        raise CircuitError(f"{device.name} has {len(device.nodes)} nodes, a {device.card.kind} has {count}",
                           mend=f"Pins in order: {', '.join(family.pins)}.", place=device.place, element=device.name)
    return family


def place(device: Device, temperature: float = 27.0) -> Placement:
    """The laws and plain elements of one device.

    Parameters
    ----------
    device : Device
        With all values bound to numbers (`Circuit.bound`).
    temperature : float
        The circuit's temperature, degrees Celsius; the device's own ``temp`` or ``dtemp`` comes before it.

    Returns
    -------
    Placement

    Raises
    ------
    CircuitError
        For an unknown kind, a wrong number of nodes, or a parameter out of its range.

    Examples
    --------
    >>> placed = place(Device("d1", ("in", "0"), Card("1n4148", "d", {"is": 2.52e-9, "n": 1.752, "rs": 0.568})))
    >>> placed.laws[0].inputs, placed.elements[0].name
    ((('d1#a', '0'),), 'd1#rs')
    """
    family = family_of(device)
    owner = f"{device.name} (model {device.card.name})"
    values = filled(family.parameters, _renamed(device.card), owner, device.card.place or device.place)
    instance = filled(family.instance, device.values, device.name, device.place)
    celsius = temperature + instance.get("dtemp", 0.0)
    if not math.isnan(instance.get("temp", math.nan)):
        celsius = instance["temp"]
    if celsius <= -273.15:
        raise CircuitError(f"{device.name}: a temperature of {celsius:g} C is below absolute zero",
                           mend="Give temp= in degrees Celsius.", place=device.place, element=device.name)
    return family.place(device, values, instance, celsius)
