"""A gray box whose structure is the schematic: all component values start wrong and are found from a recording.

The circuit's resistors, capacitors and the main numbers of its semiconductors are drawn off their values (resistors by up to 10 %,
capacitors by up to 20 %, saturation currents by up to a factor 2, gains by up to 1.5), then moved by Levenberg-Marquardt on their
logarithms. Each step asks for one playing a free number; a weak pull towards the start (their tolerance) keeps numbers that the sound does
not show where they are. The circuit plays at twice the rate of the recording; the recordings were made at four times.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np

from ampwright.models import load, player
from circuits.circuit import Circuit
from circuits.elements import Capacitor, Device, Resistor
from circuits.errors import AmpwrightError
from circuits.processor import Processor

OVERSAMPLE = 2
TOLERANCES = {"resistor": math.log(1.1), "capacitor": math.log(1.2), "is": math.log(2.0), "bf": math.log(1.5), "n": math.log(1.1)}
RUN_IN = 4800  # samples at the start of each stretch that count for nothing: the circuit starts at rest there
STEP = 1e-3  # of a logarithm, for the derivatives
PULL = 1e-4  # weight of a deviation by one tolerance beside an ESR of 1


def free_numbers(circuit: Circuit) -> list[tuple[str, str, float]]:
    """(element or card, parameter, tolerance) of what is not known."""
    found = []
    for element in circuit.elements:
        if "." in element.name:  # inside a subcircuit: a part that was bought whole
            continue
        if isinstance(element, (Resistor, Capacitor)) and isinstance(element.value, float):
            found.append((element.name, "value", TOLERANCES["resistor" if isinstance(element, Resistor) else "capacitor"]))
        elif isinstance(element, Device):
            for name in ("is", "n", "bf"):
                if isinstance(element.card.values.get(name), float) and (element.card.name, name) not in [one[:2] for one in found]:
                    found.append((element.card.name, name, TOLERANCES[name]))
    return found


def moved(circuit: Circuit, free, logs: np.ndarray) -> Circuit:
    """The circuit with its free numbers times exp(logs)."""
    factor = {(where, name): math.exp(one) for (where, name, _), one in zip(free, logs)}
    elements = []
    for element in circuit.elements:
        if (element.name, "value") in factor and not isinstance(element, Device):
            element = replace(element, value=element.value * factor[element.name, "value"])
        elif isinstance(element, Device):
            values = {name: value * factor.get((element.card.name, name), 1.0) if isinstance(value, float) else value for name, value in element.card.values.items()}
            element = replace(element, card=replace(element.card, values=values))
        elements.append(element)
    return replace(circuit, elements=tuple(elements))


def player_of(circuit: Circuit, rate: float) -> Processor:
    """The circuit as a Processor."""
    return player(circuit, rate, engine="nodal", oversample=OVERSAMPLE)


def _errors(circuit: Circuit, xs, ys, rate: float) -> np.ndarray:
    parts = []
    for x, y in zip(xs, ys):
        model = player_of(circuit, rate)
        out = model.process(np.concatenate([x, np.zeros(model.latency)]))[model.latency:]
        parts.append((out - y)[RUN_IN:])
    scale = math.sqrt(sum(float(np.sum(y[RUN_IN:] ** 2)) for y in ys))
    return np.concatenate(parts) / scale


def calibrated(name: str, xs, ys, rate: float, rng: np.random.Generator, seconds: float, longest: float = 4.0) -> tuple[Circuit, int, float]:
    """The circuit with its numbers found, how many they are, and the ESR that it starts from.

    ``longest`` seconds of the recordings are used, the loudest stretches first: a fit of thirty numbers needs no more.
    """
    begun = time.process_time()
    nominal = load(name)
    free = free_numbers(nominal)
    tolerance = np.array([one[2] for one in free])
    off = rng.uniform(-1.0, 1.0, len(free)) * tolerance
    xs, ys = _loudest(xs, ys, int(longest * rate), rate)
    logs = off.copy()
    error = _errors(moved(nominal, free, logs), xs, ys, rate)
    before = float(error @ error)
    damping = 1e-2
    cost = before
    while time.process_time() - begun < seconds:
        J = np.empty((len(error), len(free)))
        for k in range(len(free)):
            step = logs.copy()
            step[k] += STEP
            J[:, k] = (_errors(moved(nominal, free, step), xs, ys, rate) - error) / STEP
        weight = PULL * cost / tolerance**2  # fades with the error
        normal, slope = J.T @ J + np.diag(weight), J.T @ error + weight * (logs - off)
        better = False
        while not better and damping < 1e6:
            step = np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-12), -slope)
            trial = logs + np.clip(step, -0.5, 0.5)
            try:
                new = _errors(moved(nominal, free, trial), xs, ys, rate)
            except AmpwrightError:  # a circuit that has no operating point is no step forward
                new = np.full(len(error), np.inf)
            if new @ new < cost:
                better, logs, error, damping = True, trial, new, max(damping * 0.2, 1e-6)
            else:
                damping *= 6.0
        gained = cost - float(error @ error)
        cost = float(error @ error)
        if not better or gained < 1e-3 * cost:
            break
    return moved(nominal, free, logs), len(free), before


def _loudest(xs, ys, total: int, rate: float):
    size = int(rate)
    pieces = [(float(np.sum(y[at:at + size] ** 2)), index, at) for index, y in enumerate(ys) for at in range(0, len(y) - size + 1, size)]
    chosen = sorted(sorted(pieces, reverse=True)[:max(total // size, 1)], key=lambda one: one[1:])
    return [xs[index][at:at + size] for _, index, at in chosen], [ys[index][at:at + size] for _, index, at in chosen]
