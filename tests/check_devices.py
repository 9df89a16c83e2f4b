"""What every device law must obey, shared by the device tests: exact slopes, finite values, equality with the table."""

import numpy as np

from circuits.circuit import Card
from circuits.devices.families import place
from circuits.devices.table import evaluate
from circuits.elements import Device


def part(kind, nodes, temperature=27.0, instance=None, **values):
    """Placement of a device of one kind with card values."""
    return place(Device("x1", tuple(nodes), Card("card", kind, values), instance or {}), temperature)


def rows(law, x, constants):
    """Outputs and slopes of a law at one point, as arrays."""
    flat = np.array(law.function(*[float(value) for value in x], constants))
    outputs = len(law.currents) + len(law.charges)
    return flat[:outputs], flat[outputs:].reshape(outputs, len(law.inputs))


UNITS = {"w": 1e-5}  # volts over which a law bends, where that is not about 0.1


def check_slopes(law, constants, points, relative=1e-6, small=1e-8):
    """Every slope against central differences of four widths, extrapolated (Richardson), at every point.

    A difference that straddles a joint of the law is as wrong as its step; so a point counts as wrong only if no width agrees. Errors count
    against the slope itself, or ``small`` times the largest slope of the same output where the slope is less than that; what
    rounding of the law and of the differences can do (20 units in the last place) is taken off first.
    """
    points = np.atleast_2d(points)
    for x in points:
        _, slopes = rows(law, x, constants)
        scale = np.maximum(np.abs(slopes), small * np.max(np.abs(slopes), axis=1, keepdims=True)) + 1e-30
        for column, name in enumerate(law.inputs):
            best = np.full(len(slopes), np.inf)
            for h in 1e-2, 3e-3, 1e-3, 1e-4:
                h *= max(UNITS.get(name, 0.1), abs(x[column]) * 0.01 if name not in UNITS else 0.0)

                def at(step):
                    moved = np.array(x, dtype=float)
                    moved[column] += step
                    return rows(law, moved, constants)[0], moved[column]

                (high, a), (low, b), (high2, a2), (low2, b2) = at(h), at(-h), at(2 * h), at(-2 * h)
                near, far = (high - low) / (a - b), (high2 - low2) / (a2 - b2)
                estimate = (4.0 * near - far) / 3.0
                noise = 20.0 * np.finfo(float).eps * np.maximum(np.abs(high), np.abs(low)) / h
                best = np.minimum(best, (np.abs(estimate - slopes[:, column]) - noise) / scale[:, column])
            assert np.all(best <= relative), (law.name, x, column, best, slopes[:, column])


def check_finite(law, constants, rng, extent=1e4, count=300):
    """Values and slopes are finite wherever a Newton step may land."""
    for size in (1.0, 30.0, extent):
        for x in rng.uniform(-size, size, (count, len(law.inputs))):
            values, slopes = rows(law, x, constants)
            assert np.all(np.isfinite(values)) and np.all(np.isfinite(slopes)), (law.name, x)


def check_table(law, constants, points):
    """The table gives the same bits as the law."""
    c = np.concatenate([[np.nan, np.nan], np.array(constants, dtype=float)])
    for x in np.atleast_2d(points):
        values, slopes = rows(law, x, constants)
        y, J = np.full(8, np.nan), np.full((8, 8), np.nan)
        evaluate(law.code, c, 2, np.array(x, dtype=float), y, J)
        assert np.array_equal(y[:len(values)], values) and np.array_equal(J[:len(values), :len(law.inputs)], slopes)
        assert np.all(np.isnan(y[len(values):]))


def dissipated(placed, x):
    """Sum of current times voltage over all ports of a law whose currents flow between nodes that the inputs fix, watts."""
    potentials = {}
    waiting = list(zip(placed.inputs, x))
    while waiting:
        known = [item for item in waiting if item[0][0] in potentials or item[0][1] in potentials] or waiting[:1]
        (plus, minus), value = known[0]
        waiting.remove(known[0])
        if plus in potentials:
            potentials[minus] = potentials[plus] - value
        else:  # a pair that nothing ties to the others gets a zero of its own
            potentials[plus] = potentials.setdefault(minus, 0.0) + value
    values, _ = rows(placed.law, x, placed.constants)
    return sum(i * (potentials[a] - potentials[b]) for i, (a, b) in zip(values, placed.currents))
