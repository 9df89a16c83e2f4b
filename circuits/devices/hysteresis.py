"""A magnetic core with hysteresis after Jiles and Atherton, under one to four windings.

The magnetisation is a state of its own, the voltage j = M/MS of an inner node `#j`. Its rate follows the induction's, which is the voltage of one
turn at the node `#w` over the area: with chi = dM/dH of the model, dM/dt = chi/(1 + chi) (dB/dt)/mu0, so that no voltage has
to be differentiated. The magnetomotive force f at `#f` and j give the field strength H = (f - LG M)/(LM + LG) and the flux mu0 A (H + M).
The sign of dH/dt, which chooses the branch of the loop, is that of the turn's voltage, blended by tanh over `QUIET` tesla a second.
At rest M would be free; it creeps towards the anhysteretic curve in `CREEP` seconds, so an operating point with direct current is the one
of a core that was demagnetised under it.

References
----------
Jiles, Atherton: Theory of ferromagnetic hysteresis, J. Magnetism and Magnetic Materials 61, 1986.
Chowdhury: Real-time physical modelling for analog tape machines, DAFx-19, equations (5) to (8) (the form of dM/dt that is used here).
Holters, Zoelzer: Circuit simulation with inductors and transformers based on the Jiles-Atherton model of magnetization, DAFx-16.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from circuits.devices.core import MU0, PINS, WINDINGS, windings
from circuits.devices.law import Family, Law, Limit, Parameter, Placed, Placement
from circuits.elements import Capacitor, Device, VoltageControlledCurrent
from circuits.kernels.jit import kernel

MEMORY = 1e-6   # F: holds j
QUIET = 1e-2    # T/s: below this rate of the induction the branch is undecided (20 Hz at 80 microtesla)
CREEP = 1e3     # s
LEAST = 0.05    # least value of the model's two denominators, relative to their value far from the poles


class HysteresisConstants(NamedTuple):
    """MS and shape A (A/m), ALPHA, C, pinning K (A/m), area, path, gap (m2, m), and the turn's voltage that decides the branch (V)."""

    ms: float
    shape: float
    alpha: float
    c: float
    k: float
    area: float
    path: float
    gap: float
    quiet: float


@kernel(bare=True)
def langevin(x):
    """coth x - 1/x and its first two derivatives."""
    if abs(x) < 0.1:
        y = x * x
        return (x * (1.0 / 3.0 - y * (1.0 / 45.0 - y * (2.0 / 945.0 - y * (1.0 / 4725.0 - y * 2.0 / 93555.0)))),
                1.0 / 3.0 - y * (1.0 / 15.0 - y * (2.0 / 189.0 - y * (1.0 / 675.0 - y * 2.0 / 10395.0))),
                x * (-2.0 / 15.0 + y * (8.0 / 189.0 - y * (2.0 / 225.0 - y * 16.0 / 10395.0))))
    t = 1.0 / math.tanh(x)
    # 1/sinh^2 without overflow
    s = 0.0 if abs(x) > 300.0 else 1.0 / math.sinh(x)**2
    return t - 1.0 / x, 1.0 / (x * x) - s, 2.0 * t * s - 2.0 / (x * x * x)


@kernel(bare=True)
def hysteresis(f, j, w, p):
    """(i_j, flux, di_j/df, di_j/dj, di_j/dw, dflux/df, dflux/dj, dflux/dw); i_j is what the memory of j gives away, over its capacitance."""
    length = p.path + p.gap
    h = (f - p.gap * p.ms * j) / length
    h_f, h_j = 1.0 / length, -p.gap * p.ms / length
    q = (h + p.alpha * p.ms * j) / p.shape
    q_f, q_j = h_f / p.shape, (h_j + p.alpha * p.ms) / p.shape
    l0, l1, l2 = langevin(q)
    away = p.ms * (l0 - j)
    away_f, away_j = p.ms * l1 * q_f, p.ms * (l1 * q_j - 1.0)
    branch = math.tanh(w / p.quiet)
    branch_w = (1.0 - branch * branch) / p.quiet
    u = away * branch
    pinned = (1.0 - p.c) * p.k
    x = x_u = 0.0
    if u > 0.0:
        den = pinned - p.alpha * u
        if den > LEAST * pinned:
            x = (1.0 - p.c) * u / den
            x_u = (1.0 - p.c) * pinned / (den * den)
        else:
            x_u = (1.0 - p.c) / (LEAST * pinned)
            x = x_u * u
    smooth, smooth_q = p.ms / p.shape * l1, p.ms / p.shape * l2
    den = 1.0 - p.c * p.alpha * smooth
    den_q = -p.c * p.alpha * smooth_q
    if den < LEAST:
        den, den_q = LEAST, 0.0
    chi = (x + p.c * smooth) / den
    chi_x = 1.0 / den
    chi_q = (p.c * smooth_q - chi * den_q) / den
    part = chi / (1.0 + chi)
    part_chi = 1.0 / ((1.0 + chi) * (1.0 + chi))
    rate = 1.0 / (MU0 * p.ms * p.area)
    by_f = part_chi * (chi_x * x_u * away_f * branch + chi_q * q_f)
    by_j = part_chi * (chi_x * x_u * away_j * branch + chi_q * q_j)
    by_w = part_chi * chi_x * x_u * away * branch_w
    i = MEMORY * (-rate * part * w - (l0 - j) / CREEP)
    return (i, MU0 * p.area * (h + p.ms * j),
            MEMORY * (-rate * w * by_f - l1 * q_f / CREEP), MEMORY * (-rate * w * by_j - (l1 * q_j - 1.0) / CREEP),
            -MEMORY * rate * (part + w * by_w),
            MU0 * p.area * h_f, MU0 * p.area * (h_j + p.ms), 0.0)


HYSTERESIS = Law("hysteresis", 21, ("f", "j", "w"), ("i_j",), ("flux",), HysteresisConstants, hysteresis)

PARAMETERS = (
    Parameter("ms", 2.75e5, "A/m", "saturation magnetisation", 1.0, 1e8),
    Parameter("a", 14.1, "A/m", "shape of the anhysteretic curve", 1e-6, 1e8),
    Parameter("alpha", 5e-5, "", "mean field", 0.0, 1.0),
    Parameter("c", 0.55, "", "reversible part", 0.0, 0.999),
    Parameter("k", 17.8, "A/m", "pinning: about the coercive force", 1e-6, 1e8),
    Parameter("area", 4.54e-5, "m^2", "cross-section", 1e-12, 1e3),
    Parameter("lm", 0.0754, "m", "length of the path in the core", 1e-6, 1e3),
    Parameter("lg", 0.0, "m", "length of the air gap", 0.0, 1e3),
) + tuple(Parameter(f"n{k}", 0.0, "", f"turns of winding {k}; winding 1 may be written N", 0.0, 1e9) for k in range(1, WINDINGS + 1))
INSTANCE = (Parameter("m", 1.0, "", "number in parallel", 1.0, 1.0),)


def place(device: Device, values: dict[str, float], instance: dict[str, float], celsius: float) -> Placement:
    """Windings, the gyrator to the magnetic side, the memory of the magnetisation, and the law."""
    v, name = values, device.name
    turn, magnetic, memory = (f"{name}#w", "0"), (f"{name}#f", "0"), (f"{name}#j", "0")
    constants = HysteresisConstants(v["ms"], v["a"], v["alpha"], v["c"], v["k"], v["area"], v["lm"], v["lg"], QUIET * v["area"])
    elements = (*windings(device, values), Capacitor(f"{name}#c", memory, MEMORY, place=device.place),
                VoltageControlledCurrent(f"{name}#i", (*turn, *magnetic), 1.0, device.place),
                VoltageControlledCurrent(f"{name}#v", ("0", magnetic[0], *turn), 1.0, device.place))
    free = Limit()
    return Placement((Placed(name, HYSTERESIS, constants, (magnetic, memory, turn), (memory,), (magnetic,), (free, Limit(2, 0.0, 0.5), free)),), elements)


JILES_ATHERTON = Family(("core_ja",), PINS, PARAMETERS, INSTANCE, place)
