"""Small signals: the frequency response around an operating point, and the response of the discretised circuit.

References
----------
Ho, Ruehli, Brennan 1975; for the warped frequency of the trapezoidal rule: Oppenheim, Schafer, section 7.2.2 (bilinear transform).
"""

from __future__ import annotations

import numpy as np

from circuits.circuit import NO_INPUT, Circuit
from circuits.errors import CircuitError
from circuits.nodal.equations import Equations, assemble
from circuits.nodal.evaluation import Evaluation
from circuits.nodal.laws import law_table
from circuits.nodal.operating import OperatingPoint, operating_point
from circuits.reduce import reduce


def linearised(equations: Equations, rest: OperatingPoint) -> tuple[np.ndarray, np.ndarray]:
    """(G, C) of the circuit linearised at rest, so that (G + s C) x = b; each of shape (n_unknowns, n_unknowns)."""
    e = equations
    _, conductance = Evaluation(law_table(list(e.entries)), len(e.Q), e.P.shape[1]).at(rest.q, 1.0)
    charge = np.zeros(e.P.shape[1], dtype=bool)
    charge[e.charge_columns] = True
    G = e.G + e.P[:, ~charge] @ conductance[~charge] @ e.Q
    C = e.T @ e.M @ e.R + e.P[:, charge] @ conductance[charge] @ e.Q
    return G.astype(np.float64), C.astype(np.float64)


def frequency_response(circuit: Circuit, frequencies, *, sample_rate: float | None = None) -> np.ndarray:
    """Complex gain from the input source to each output.

    Parameters
    ----------
    circuit : Circuit
        With an input and outputs.
    frequencies : array_like, shape (n,)
        Hz.
    sample_rate : float, optional
        If given, the response of the trapezoidal rule at that rate (frequencies below half of it), not of the circuit itself.

    Returns
    -------
    ndarray, shape (n_outputs, n), complex
        Volts at the output for one volt (or ampere) of the input source.

    Raises
    ------
    CircuitError
        If there is no input, or a frequency is out of range.

    Examples
    --------
    >>> from circuits.elements import Capacitor, Resistor, VoltageSource
    >>> parts = (VoltageSource("v", ("a", "0")), Resistor("r", ("a", "b"), 1e3), Capacitor("c", ("b", "0"), 1e-6))
    >>> abs(frequency_response(Circuit(parts, input="v", outputs=("b",)), [1e3 / (2 * np.pi)])).round(6)
    array([[0.707107]])
    """
    f = np.atleast_1d(np.asarray(frequencies, dtype=np.float64))
    if circuit.input in ("", NO_INPUT):
        raise CircuitError("the circuit has no input, and so no response", mend="Name a source with *@ input or --input.")
    s = 2j * np.pi * f
    if sample_rate is not None:
        if np.any(f >= 0.5 * sample_rate):
            raise CircuitError("a frequency is at or above half the sample rate", mend="Ask below it.")
        s = 2j * sample_rate * np.tan(np.pi * f / sample_rate)
    e = assemble(reduce(circuit))
    G, C = linearised(e, operating_point(e))
    drive = e.U[:, 0].astype(complex)
    direct = [np.linalg.solve(G + value * C, drive) for value in s]
    return (e.L @ np.array(direct).T).reshape(len(e.L), len(f))
