"""A gray box whose structure is the schematic: all component values start wrong and are found from a recording.

The circuit's resistors, capacitors and the main numbers of its semiconductors are drawn off their values (resistors by up to 10 %,
capacitors by up to 20 %, saturation currents by up to a factor 2, gains by up to 1.5), then moved by Levenberg-Marquardt on their
logarithms. Each step asks for one playing a free number; a weak pull towards the start (their tolerance) keeps numbers that the sound does
not show where they are. The circuit plays at twice the rate of the recording; the recordings were made at four times.

With ``curves`` the law of the nonlinear parts is not known either: a monotone spline stands in the netlist for it (`graybox.device`), starts from another law
and is learned together with the components. Such a curve is a function of one quantity: the voltage across a pair of diodes, or v_gk + v_pk / mu of a triode,
whose amplification factor is taken from a data sheet. A transistor that saturates, as those of a fuzz do, needs two quantities and is not among them.
"""

from __future__ import annotations

import math
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

from ampwright.models import load, player
from circuits.circuit import Circuit
from circuits.elements import Capacitor, Device, Resistor
from circuits.errors import AmpwrightError
from circuits.processor import Processor
from graybox.blocks import Block
from graybox.chain import Static
from graybox.curves import MonotoneSpline, Spline
from graybox.store import save
from netlists.library import find

OVERSAMPLE = 2
TOLERANCES = {"resistor": math.log(1.1), "capacitor": math.log(1.2), "is": math.log(2.0), "bf": math.log(1.5), "n": math.log(1.1), "curve": math.log(2.0)}
RUN_IN = 4800  # samples at the start of each stretch that count for nothing: the circuit starts at rest there
STEP = 1e-3  # of a logarithm, for the derivatives
RISES = 14  # of a learned curve
# Lines of the netlist, what stands for them, the range of the curve (volts) and the law from which it starts (amperes).
CURVES = {"tube_screamer": (("D1 n1 o1 D1N4148\nD2 o1 n1 D1N4148\n",), 'B1 n1 o1 law="curve.json"\n', (-0.75, 0.75),
                            lambda v: 2e-8 * np.sinh(v / 0.05)),  # five times the saturation current, 1.1 times the emission coefficient
          "preamp_ab763": (("Be e 0 V = (V(p,k)/600)*ln(1+exp(min(600*(1/100+V(g,k)/sqrt(300+V(p,k)*V(p,k))),80)))\n", "Bp p k I = 2*pow(uramp(V(e)),1.4)/1060\n"),
                           'Bp p k law="curve.json" i={V(g,k)+V(p,k)/100}\n', (-1.0, 4.0), lambda v: 0.0024 * np.maximum(v, 0.0) ** 1.5)}  # Child's law
PULL = 1e-4  # weight of a deviation by one tolerance beside an ESR of 1


def with_curves(name: str) -> Circuit:
    """A library circuit whose nonlinear parts are learned curves; each part has numbers of its own."""
    lines, instead, (low, high), law = CURVES[name]
    text = find(name).read_text(encoding="utf-8")
    for index, line in enumerate(lines):
        if text.count(line) != 1:
            raise ValueError(f"{name} has not the line {line!r}")
        text = text.replace(line, instead if index == 0 else "")
    with tempfile.TemporaryDirectory() as folder:
        save(Block((Static(_rising(law, low, high)),), 48000.0), Path(folder) / "curve.json")
        path = Path(folder) / f"{name}.cir"
        path.write_text(text, encoding="utf-8")
        return load(path)


def _rising(law, low: float, high: float) -> MonotoneSpline:
    """The monotone spline nearest to a law, weighted so that small currents count too."""
    x = np.linspace(low, high, 2001)
    y = law(x)
    basis = np.cumsum(Spline(low, high, (1.0,) * (RISES + 1)).jet(x)[2][:, ::-1], axis=1)[:, ::-1]  # of start, then of each rise
    top = np.abs(y).max()
    weight = 1.0 / (np.abs(y) + 0.02 * top)
    found, _ = nnls(np.column_stack([-basis[:, 0], basis]) * weight[:, None], y * weight)
    return MonotoneSpline(low, high, tuple(np.maximum(found[2:], 1e-5 * top).tolist()), float(found[1] - found[0]) or -1e-6 * top)


def free_numbers(circuit: Circuit) -> list[tuple[str, str, float]]:
    """(element, card or parameter, which of its numbers, tolerance) of what is not known."""
    found = [(name, "curve", TOLERANCES["curve"]) for name in circuit.parameters if ".curve." in name]
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
    return replace(circuit, elements=tuple(elements), parameters={name: value * factor.get((name, "curve"), 1.0) for name, value in circuit.parameters.items()})


def player_of(circuit: Circuit, rate: float) -> Processor:
    """The circuit as a Processor; one with learned curves, which takes several times as long, at the recording's rate."""
    return player(circuit, rate, engine="nodal", oversample=1 if any(".curve." in name for name in circuit.parameters) else OVERSAMPLE)


def _errors(circuit: Circuit, xs, ys, rate: float) -> np.ndarray:
    parts = []
    for x, y in zip(xs, ys):
        model = player_of(circuit, rate)
        out = model.process(np.concatenate([x, np.zeros(model.latency)]))[model.latency:]
        parts.append((out - y)[RUN_IN:])
    scale = math.sqrt(sum(float(np.sum(y[RUN_IN:] ** 2)) for y in ys))
    return np.concatenate(parts) / scale


def calibrated(name: str, xs, ys, rate: float, rng: np.random.Generator, seconds: float, *, curves: bool = False) -> tuple[Circuit, int, float]:
    """The circuit with its numbers found, how many they are, and the ESR that it starts from.

    Four seconds of the recordings are used, the loudest stretches first: a fit of thirty numbers needs no more. With ``curves`` it is one second: every number
    costs a playing in every step.
    """
    begun = time.process_time()
    nominal = with_curves(name) if curves else load(name)
    free = free_numbers(nominal)
    tolerance = np.array([one[2] for one in free])
    off = rng.uniform(-1.0, 1.0, len(free)) * np.where([kind == "curve" for _, kind, _ in free], 0.0, tolerance)  # a curve is wrong as it is
    xs, ys = _loudest(xs, ys, int((1.0 if curves else 4.0) * rate), rate)
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
