"""Windings on a magnetic core that saturates: an inductor, a choke or a transformer with one to four windings.

The core is a charge law in the magnetic domain: the inner node `#f` carries the magnetomotive force F in ampere-turns, the charge on it is
the flux (Wb). One winding of N turns is a gyrator between its pins and that node (Hamill): i = F / N, dFlux/dt = v / N. Several windings
meet first, through ideal transformers N : 1, at a node `#w` of one turn, where their voltages per turn are equal and their ampere-turns add up.
With an air gap F = H LM + B LG / mu0 is solved for H inside the law. Two curves, both without memory: arctangent, and the middle between
the two branches of Chan's loop (LTspice's Hc, Bs, Br), which is where a loop driven around zero lies on average.

References
----------
Hamill: Lumped equivalent circuits of magnetic components: the gyrator-capacitor approach, IEEE Trans. Power Electronics 8(2), 1993.
Chan, Vladimirescu, Gao, Liebmann, Valainis: Nonlinear transformer model for circuit simulation, IEEE Trans. CAD 10(4), 1991, equations (1) to (4).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from circuits.devices.law import Family, Law, Limit, Parameter, Placed, Placement
from circuits.elements import Device, IdealTransformer, VoltageControlledCurrent
from circuits.errors import CircuitError
from circuits.kernels.jit import kernel

MU0 = 4e-7 * math.pi  # H/m
WINDINGS = 4


class CoreConstants(NamedTuple):
    """Saturation (T), remanence (T; 0 selects the arctangent), coercive force or initial permeability (A/m, H/m), area, path and gap (m2, m)."""

    bs: float
    br: float
    hc: float
    permeability: float
    area: float
    path: float
    gap: float


@kernel(bare=True)
def induction(h, p):
    """B and dB/dH at field strength h (A/m)."""
    if p.br <= 0.0:
        s = 0.5 * math.pi * p.permeability / p.bs
        x = s * h
        return 2.0 / math.pi * p.bs * math.atan(x) + MU0 * h, p.permeability / (1.0 + x * x) + MU0
    k = p.hc * (p.bs / p.br - 1.0)
    up, down = h + p.hc, h - p.hc
    a, b = abs(up) + k, abs(down) + k
    return 0.5 * p.bs * (up / a + down / b) + MU0 * h, 0.5 * p.bs * k * (1.0 / (a * a) + 1.0 / (b * b)) + MU0


@kernel(bare=True)
def core(f, p):
    """(flux, dflux/df)."""
    h = f / p.path
    b, db = induction(h, p)
    if p.gap > 0.0:
        # the root lies between 0 and f / path; Newton, halving the bracket where it leaves it
        low, high = min(h, 0.0), max(h, 0.0)
        h = f / (p.path + p.gap / MU0 * (db if h == 0.0 else b / h))
        for _ in range(100):
            b, db = induction(h, p)
            miss = h * p.path + b * p.gap / MU0 - f
            if miss > 0.0:
                high = h
            else:
                low = h
            new = h - miss / (p.path + db * p.gap / MU0)
            if not low <= new <= high:
                new = 0.5 * (low + high)
            if abs(new - h) <= 1e-15 * abs(new):
                break
            h = new
        b, db = induction(h, p)
    return p.area * b, p.area * db / (p.path + db * p.gap / MU0)


CORE = Law("core", 19, ("f",), (), ("flux",), CoreConstants, core)

_TURNS = tuple(Parameter(f"n{k}", 0.0, "", f"turns of winding {k}; winding 1 may be written N", 0.0, 1e9) for k in range(1, WINDINGS + 1))
_SHAPE = (
    Parameter("a", 1e-4, "m^2", "cross-section", 1e-12, 1e3),
    Parameter("lm", 0.1, "m", "length of the path in the core", 1e-6, 1e3),
    Parameter("lg", 0.0, "m", "length of the air gap", 0.0, 1e3),
) + _TURNS
CHAN = (
    Parameter("hc", 16.0, "A/m", "coercive force", 1e-6, 1e7),
    Parameter("bs", 0.44, "T", "saturation induction", 1e-6, 10.0),
    Parameter("br", 0.10, "T", "remanent induction, below BS", 1e-9, 10.0),
) + _SHAPE
ARCTAN = (
    Parameter("bs", 1.6, "T", "saturation induction", 1e-6, 10.0),
    Parameter("mur", 4000.0, "", "relative permeability at the origin", 1.0, 1e7),
) + _SHAPE
INSTANCE = (Parameter("m", 1.0, "", "number in parallel", 1.0, 1.0),)


def paired(device: Device, values: dict[str, float]) -> tuple[list[tuple[str, str]], list[float]]:
    """Pins and turns of the windings; raises CircuitError for an odd number of nodes or missing turns."""
    nodes = device.nodes
    turns = [values[f"n{k + 1}"] for k in range(len(nodes) // 2)]
    if len(nodes) % 2 or not all(turns):
        raise CircuitError(f"{device.name}: a core with {len(nodes)} nodes has turns {', '.join(f'{n:g}' for n in turns)}",
                           mend="Give two nodes a winding, and its turns n1, n2, ... (n for the first).", place=device.place, element=device.name)
    return list(zip(nodes[::2], nodes[1::2])), turns


def windings(device: Device, values: dict[str, float]) -> list[IdealTransformer]:
    """Ideal transformers from each winding to the one turn at `#w`."""
    return [IdealTransformer(f"{device.name}#t{k}", (*pair, f"{device.name}#w", "0"), n, device.place)
            for k, (pair, n) in enumerate(zip(*paired(device, values)), start=1)]


def _placed(device: Device, values: dict[str, float], constants: CoreConstants) -> Placement:
    name = device.name
    (pair, *others), (n, *_) = paired(device, values)
    elements: list = []
    if others:
        elements, pair, n = list(windings(device, values)), (f"{name}#w", "0"), 1.0
    magnetic = (f"{name}#f", "0")
    elements += [VoltageControlledCurrent(f"{name}#i", (*pair, *magnetic), 1.0 / n, device.place),
                 VoltageControlledCurrent(f"{name}#v", ("0", magnetic[0], *pair), 1.0 / n, device.place)]
    return Placement((Placed(name, CORE, constants, (magnetic,), (), (magnetic,), (Limit(),)),), tuple(elements))


def place_chan(device: Device, values: dict[str, float], instance: dict[str, float], celsius: float) -> Placement:
    """Chan's core from HC, BS and BR."""
    v = values
    if v["br"] >= v["bs"]:
        raise CircuitError(f"{device.name}: br = {v['br']:g} T is not below bs = {v['bs']:g} T", mend="The remanent induction is a part of the saturation.",
                           place=device.place, element=device.name)
    return _placed(device, values, CoreConstants(v["bs"], v["br"], v["hc"], 0.0, v["a"], v["lm"], v["lg"]))


def place_arctan(device: Device, values: dict[str, float], instance: dict[str, float], celsius: float) -> Placement:
    """A core whose induction follows an arctangent."""
    v = values
    return _placed(device, values, CoreConstants(v["bs"], 0.0, 0.0, MU0 * (v["mur"] - 1.0), v["a"], v["lm"], v["lg"]))


PINS = ("1+", "1-", "2+?", "2-?", "3+?", "3-?", "4+?", "4-?")
CHAN_CORES = Family(("core",), PINS, CHAN, INSTANCE, place_chan)
ARCTAN_CORES = Family(("core_arctan",), PINS, ARCTAN, INSTANCE, place_arctan)
