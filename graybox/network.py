"""A linear circuit from a netlist as a stage between learned ones: its knobs turn, its component values can be fitted.

`network` takes a circuit apart and checks that it is linear; `CircuitNetwork` is the `graybox.linear.Network` that a
`LinearCircuit` plays. The transfer function is that of the nodal equations under the trapezoidal rule.

References
----------
Yeh, Abel, Smith: Automated physical modeling of nonlinear audio circuits, part I, IEEE TASLP 18(4), 2010 (state space of a circuit);
Kailath: Linear Systems, 1980, appendix A.2 (det(A + b c) for the numerator).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Mapping

import numpy as np

from circuits.circuit import NO_INPUT, Circuit
from circuits.elements import Capacitor, Inductor, Resistor, VoltageSource
from circuits.errors import CircuitError
from circuits.nodal.equations import assemble
from circuits.nodal.model import discretise
from circuits.records import to_record
from graybox.parameters import Parameter

HIGHEST = 8  # order: beyond it the coefficients of a polynomial no longer hold its roots to audio precision
_PARTS = (Resistor, Capacitor, Inductor)


@dataclass(frozen=True, slots=True)
class CircuitNetwork:
    """A linear circuit with knobs.

    Parameters
    ----------
    circuit : Circuit
        Linear, with an input and an output.
    parts : tuple of str
        Elements and parameters whose numbers a fit may change.
    component : tuple of float
        Those numbers, SI.
    fixed : tuple of str
        As for every description: ``"component[r4]"`` and the like stay.

    Raises
    ------
    CircuitError
        If the circuit is not linear, has no input or output, or a part is unknown or no positive number.

    Examples
    --------
    >>> from circuits.elements import VoltageSource
    >>> low = Circuit((VoltageSource("v", ("in", "0")), Resistor("r", ("in", "out"), 1e3), Capacitor("c", ("out", "0"), 1e-7)), input="v", outputs=("out",))
    >>> b, a = network(low, "r").coefficients(48000.0, {})
    >>> (b.sum() / a.sum()).round(9)
    np.float64(1.0)
    """

    circuit: Circuit
    parts: tuple[str, ...] = ()
    component: tuple[float, ...] = ()
    fixed: tuple[str, ...] = ()
    kind: ClassVar[str] = "circuit"
    PARAMETERS: ClassVar = (Parameter("component", 0.0),)

    def __post_init__(self):
        if len(self.parts) != len(self.component) or len(set(self.parts)) != len(self.parts):
            raise CircuitError(f"{len(self.parts)} parts of a network have {len(self.component)} values")
        if not all(np.isfinite(value) and value > 0.0 for value in self.component):
            raise CircuitError("every free component of a network must be positive")
        if self.circuit.input in ("", NO_INPUT) or not self.circuit.outputs:
            raise CircuitError("a network needs an input and an output", mend="Name them with *@ input and *@ output.")
        to_record(self.circuit)
        for element in self.circuit.elements:
            if isinstance(element, VoltageSource) and element.name != self.circuit.input and element.dc != 0.0:
                raise CircuitError(f"{element.name} is a supply, which a linear network does without", place=element.place, element=element.name)
        for part in self.parts:
            _number(self.circuit, part)

    @property
    def words(self) -> tuple[str, ...]:
        """What its numbers are called."""
        return self.parts

    @property
    def CONTROLS(self) -> tuple[str, ...]:
        """Names of its knobs."""
        return tuple(control.name for control in self.circuit.controls)

    def placed(self, shares: Mapping[str, float]) -> Circuit:
        """The circuit with its knobs at shares of their travel and its free parts at their present values."""
        values = dict(zip(self.parts, self.component))
        circuit = replace(self.circuit, elements=tuple(
            replace(element, value=values[element.name]) if element.name in values else element for element in self.circuit.elements))
        circuit = circuit.with_parameters(**{name: value for name, value in values.items() if name in circuit.parameters})
        return circuit.turn(**{c.name: _travelled(c, shares[c.name]) for c in circuit.controls if c.name in shares})

    def coefficients(self, sample_rate: float, shares: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
        """Digital transfer function from the input to the first output by the trapezoidal rule."""
        model = discretise(assemble(self.placed(shares)), sample_rate)
        n, F = model.arrays.n_states, model.arrays.F.T
        if model.n_ports or n > HIGHEST:
            raise CircuitError(f"the network is of the order {n}, more than {HIGHEST}" if n > HIGHEST else "the network is not linear")
        A, B, C, D = np.eye(n) + F[:n, :n], F[:n, n], F[n, :n], F[n, n]
        a = np.real(np.poly(A)) if n else np.ones(1)
        b = (np.real(np.poly(A - np.outer(B, C))) if n else np.ones(1)) + (D - 1.0) * a
        return b, a


def network(circuit: Circuit, *free: str) -> CircuitNetwork:
    """The network of a linear circuit; ``free`` names the parts that a fit may change (none: as the netlist has them).

    Raises
    ------
    CircuitError
        See `CircuitNetwork`.
    """
    quiet = tuple(VoltageSource(element.name, element.nodes, place=element.place) if element.name == circuit.input and isinstance(element, VoltageSource)
                  else element for element in circuit.elements)
    return CircuitNetwork(replace(circuit, elements=quiet), tuple(free), tuple(_number(circuit, name) for name in free))


def _number(circuit: Circuit, name: str) -> float:
    value = circuit.parameters[name] if name in circuit.parameters and name not in {c.name for c in circuit.controls} else None
    if value is None:
        element = circuit.element(name)
        value = element.value if isinstance(element, _PARTS) else None
    if not isinstance(value, float):
        raise CircuitError(f"{name} is no plain number in the netlist", mend="Free a part with a number, or the .param behind it.")
    return value


def _travelled(control, share: float) -> float:
    position = control.minimum + share * (control.maximum - control.minimum)
    return float(round(position)) if control.switch else position
