"""A circuit as data: elements between nodes, parameters, controls, and which source and node are input and output.

All names are lower case and flat: ``x1.q2`` is element q2 of subcircuit instance x1, and ``x1.n3`` a node of it. Node "0" is ground.
A Circuit never changes; `turn` and `with_parameters` return a new one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Mapping, Protocol

from circuits.controls import Control
from circuits.errors import CircuitError, Place
from circuits.expressions import Call, Current, Expression, Name, Number, Time, Value, Voltage, evaluate, substitute
from circuits.waveforms import Waveform

GROUND = "0"
NO_INPUT = "none"  # said of a circuit that plays by its own sources
EXPRESSION_TYPES = (Number, Name, Voltage, Current, Time, Call)


class Element(Protocol):
    """What every element has: a name, its nodes, and the place on the page that it came from."""

    name: str
    nodes: tuple[str, ...]
    place: Place | None


@dataclass(frozen=True, slots=True)
class Card:
    """A model card: the parameters that devices share.

    ``kind`` is the type written in the netlist, lower case: d, npn, pnp, njf, pjf, nmos, pmos, vdmos, sw, csw, or a built-in
    family (triode, pentode, rectifier, opamp, ...). ``values`` maps lower-case parameter names to numbers or expressions.
    """

    name: str
    kind: str
    values: Mapping[str, Value] = field(default_factory=dict)
    source: str = ""
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Circuit:
    """A circuit.

    Parameters
    ----------
    elements : tuple of Element
        In the order of the page.
    parameters : mapping of str to float or Expression
        Flat names; an expression may use parameters that stand anywhere in the mapping.
    controls : tuple of Control
        Each names a parameter; the control's value overrides the mapping's.
    input : str
        Name of the voltage or current source that the audio drives; "none" for a circuit that plays by its own sources, whatever the audio; empty if nobody
        has said.
    outputs : tuple of str
        Nodes to listen to, the first is the output; "a,b" is the voltage from a to b.
    level : float
        Input volts of a full-scale sample.
    temperature : float
        Degrees Celsius.
    initial, nodeset : mapping of str to float or Expression
        Node voltages that hold at the start (``.ic``), or that help to find the operating point (``.nodeset``).
    title, path : str
        First line and file name.
    from_zero : bool
        Playing starts with every capacitor and coil at its own ``initial`` or empty, as with SPICE's ``uic``, and not at rest.
    notes : tuple of str
        What the reader wants to tell, one line each: skipped lines, stand-ins, assumptions.
    """

    elements: tuple[Element, ...]
    parameters: Mapping[str, Value] = field(default_factory=dict)
    controls: tuple[Control, ...] = ()
    input: str = ""
    outputs: tuple[str, ...] = ()
    level: float = 1.0
    temperature: float = 27.0
    initial: Mapping[str, Value] = field(default_factory=dict)
    nodeset: Mapping[str, Value] = field(default_factory=dict)
    title: str = ""
    path: str = ""
    notes: tuple[str, ...] = ()
    from_zero: bool = False

    @property
    def nodes(self) -> tuple[str, ...]:
        """All nodes except ground, in order of first appearance."""
        seen = dict.fromkeys(node for element in self.elements for node in element.nodes)
        seen.pop(GROUND, None)
        return tuple(seen)

    def element(self, name: str) -> Element:
        """The element with this name; raises CircuitError with a suggestion if there is none."""
        for element in self.elements:
            if element.name == name:
                return element
        close = get_close_matches(name, [element.name for element in self.elements], 1)
        raise CircuitError(f"there is no element {name!r}", mend=f"Did you mean {close[0]}?" if close else "")

    def control(self, name: str) -> Control:
        """The control with this name; raises CircuitError if there is none."""
        for control in self.controls:
            if control.name == name:
                return control
        known = ", ".join(control.name for control in self.controls) or "none"
        raise CircuitError(f"there is no control {name!r}", mend=f"Controls: {known}.")

    def turn(self, **positions: float) -> "Circuit":
        """A new circuit with controls at other positions; raises CircuitError for unknown names or positions."""
        for name, position in positions.items():
            self.control(name).check(position)
        controls = tuple(control if positions.get(control.name, control.position) == control.position else
                         replace(control, position=float(positions[control.name])) for control in self.controls)
        return replace(self, controls=controls)

    def with_parameters(self, **values: float) -> "Circuit":
        """A new circuit with some parameters at other values; a control's parameter is turned to the position of that value."""
        known = {control.name: control for control in self.controls}
        circuit = self.turn(**{name: known[name].position_of(value) for name, value in values.items() if name in known})
        for name in values:
            if name not in known and name not in self.parameters:
                close = get_close_matches(name, [*self.parameters, *known], 1)
                raise CircuitError(f"there is no parameter {name!r}", mend=f"Did you mean {close[0]}?" if close else "")
        return replace(circuit, parameters={**self.parameters, **{n: float(v) for n, v in values.items() if n not in known}})

    def values(self) -> dict[str, float]:
        """Every parameter as a number, controls included.

        Raises
        ------
        CircuitError
            For an undefined parameter, a circle of definitions or a result that is not finite.
        """
        sources: dict[str, Value] = {**self.parameters, **{control.name: control.value for control in self.controls}}
        done: dict[str, float] = {}
        resolving: set[str] = set()

        class Lookup(dict):
            def __contains__(self, name):
                return name in sources

            def __getitem__(self, name):
                if name not in done:
                    if name in resolving:
                        raise CircuitError(f"the parameter {name!r} is defined by itself")
                    resolving.add(name)
                    try:
                        done[name] = evaluate(sources[name], self)
                    except RecursionError:
                        raise CircuitError(f"the definition of {name!r} is nested too deeply") from None
                    resolving.discard(name)
                return done[name]

        lookup = Lookup()
        for name in sources:
            lookup[name]
        return done

    def bound(self) -> "Circuit":
        """The same circuit with every parameter replaced by its number: no `Name` is left in any element."""
        values = self.values()

        def bind(value, where):
            if isinstance(value, EXPRESSION_TYPES):
                try:
                    if isinstance(value, (Number, Name)) or not _has_leaf(value):
                        return evaluate(value, values)
                    return substitute(value, values)
                except CircuitError as error:
                    raise CircuitError(f"{where.name}: {error.what}", place=where.place, element=where.name, mend=error.mend) from None
            if isinstance(value, Card):
                return replace(value, values={name: bind(item, where) for name, item in value.values.items()})
            if isinstance(value, Waveform):
                return replace(value, values=tuple(bind(item, where) for item in value.values))
            if isinstance(value, dict):
                return {name: bind(item, where) for name, item in value.items()}
            return value

        elements = tuple(
            replace(element, **{item.name: bind(getattr(element, item.name), element) for item in fields(element)
                                if item.name not in ("name", "nodes", "place")}) for element in self.elements)
        whole = _Whole()
        return replace(self, elements=elements, parameters={}, initial=bind(dict(self.initial), whole),
                       nodeset=bind(dict(self.nodeset), whole))


@dataclass(frozen=True, slots=True)
class _Whole:
    """Stands for the circuit itself where a message names an element."""

    name: str = ".ic"
    place: Place | None = None


def _has_leaf(expression: Expression) -> bool:
    if isinstance(expression, Call):
        return any(_has_leaf(argument) for argument in expression.arguments)
    return isinstance(expression, (Voltage, Current, Time))
