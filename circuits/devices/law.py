"""What a device law is, and what it means to place one in a circuit: pins, ports, constants; no solver in sight.

A law is a compiled function of its controlling voltages and of a NamedTuple of constants. It returns, as one flat tuple,
its currents (A), its charges (C), then all slopes row by row: for every current, then every charge, its derivative by each input.

    diode(v_d, p) -> (i_d, di_d/dv_d)
    bjt(v_be, v_bc, p) -> (i_c, i_b, di_c/dv_be, di_c/dv_bc, di_b/dv_be, di_b/dv_bc)

A P-type device is the N-type law with the nodes of every pair exchanged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Mapping, NamedTuple

from circuits.circuit import Element
from circuits.errors import CircuitError, Place

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A declared parameter of a device family: used by reader, checks and documentation alike.

    ``minimum`` and ``maximum`` bound the allowed values, inclusive.
    """

    name: str
    default: float
    unit: str = ""
    text: str = ""
    minimum: float = float("-inf")
    maximum: float = float("inf")


@dataclass(frozen=True, slots=True)
class Law:
    """A compiled law.

    Parameters
    ----------
    name : str
        Key in the table of laws.
    code : int
        Its number in `circuits.devices.table.evaluate`.
    inputs, currents, charges : tuple of str
        Names of the controlling voltages, the currents and the charges, in the order of the function.
    constants : type
        NamedTuple class of floats.
    function : compiled function
        ``function(*inputs, constants) -> (*currents, *charges, *slopes)``.
    """

    name: str
    code: int
    inputs: tuple[str, ...]
    currents: tuple[str, ...]
    charges: tuple[str, ...]
    constants: type
    function: Callable[..., tuple]


class Limit(NamedTuple):
    """How far Newton may move one controlling voltage in a step.

    ``kind`` 0: freely; 1: a junction, SPICE's pnjlim with emission-scaled thermal voltage ``scale`` and critical voltage ``bound``
    (both volts), and in the other direction ``back_scale`` and ``back_bound`` if it breaks down; 2: at most ``bound`` volts a step.
    """

    kind: int = 0
    scale: float = 0.0
    bound: float = 0.0
    back_scale: float = 0.0
    back_bound: float = 0.0


@dataclass(frozen=True, slots=True)
class Placed:
    """One law in a circuit.

    Parameters
    ----------
    name : str
        The element that it belongs to.
    law : Law
        What it computes.
    constants : NamedTuple
        The law's constants at this temperature.
    inputs : tuple of (node, node)
        Controlling voltages, from the first to the second node.
    currents, charges : tuple of (node, node)
        Each current (or the time derivative of each charge) flows from the first node through the device to the second.
    limits : tuple of Limit
        One for each input.
    """

    name: str
    law: Law
    constants: Any
    inputs: tuple[Pair, ...]
    currents: tuple[Pair, ...]
    charges: tuple[Pair, ...] = ()
    limits: tuple[Limit, ...] = ()

    def __post_init__(self):
        assert len(self.inputs) == len(self.law.inputs) == len(self.limits)
        assert len(self.currents) == len(self.law.currents) and len(self.charges) == len(self.law.charges)


@dataclass(frozen=True, slots=True)
class Placement:
    """All that one `Device` element brings into the equations: laws, and plain elements between its pins and inner nodes.

    Inner nodes are called ``<element>#<letter>``.
    """

    laws: tuple[Placed, ...] = ()
    elements: tuple[Element, ...] = ()


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of device: its pins, declared parameters, and how it is placed.

    Parameters
    ----------
    kinds : tuple of str
        The card kinds that it answers to, lower case.
    pins : tuple of str
        Names of the pins in netlist order; a trailing "?" marks one that may be left out.
    parameters : tuple of Parameter
        Parameters of the card.
    instance : tuple of Parameter
        Parameters of the element (area, m, temp, ...).
    place : callable
        ``place(device, values, instance, temperature_celsius) -> Placement`` with all parameters filled in by `filled`.
    """

    kinds: tuple[str, ...]
    pins: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    instance: tuple[Parameter, ...]
    place: Callable[..., Placement]


def filled(declared: tuple[Parameter, ...], given: Mapping[str, float], owner: str, place: Place | None = None) -> dict[str, float]:
    """Defaults overridden by what is given; raises CircuitError for a value out of its allowed range.

    Names that are not declared are left out: the reader has said so already.
    """
    values = {}
    for parameter in declared:
        value = float(given.get(parameter.name, parameter.default))
        if parameter.name in given and not parameter.minimum <= value <= parameter.maximum:
            raise CircuitError(f"{owner}: {parameter.name} = {value:g}{parameter.unit} is out of range",
                               mend=f"{parameter.text or parameter.name} must lie from {parameter.minimum:g} to {parameter.maximum:g}.",
                               place=place, element=owner)
        values[parameter.name] = value
    return values
