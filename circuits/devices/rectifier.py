"""Tube rectifiers: Child's three-halves power law, one or two plates over one cathode.

Input v_pk (V), current i_p from plate to cathode (A). Value and slope start from 0 together at 0 V.

References
----------
Child: Discharge from hot CaO, Physical Review 32, 1911; Langmuir: The effect of space charge and residual gases, Physical Review 2, 1913.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from circuits.devices.law import Family, Law, Limit, Parameter, Placed, Placement
from circuits.devices.triode import PLATE_STEP, TUBE_INSTANCE
from circuits.elements import Device
from circuits.kernels.jit import kernel


class RectifierConstants(NamedTuple):
    """``perveance`` in A/V^1.5."""

    perveance: float


@kernel(bare=True)
def rectifier(v_pk, p):
    """(i_p, di_p/dv_pk)."""
    if v_pk <= 0.0:
        return 0.0, 0.0
    root = math.sqrt(v_pk)
    return p.perveance * v_pk * root, 1.5 * p.perveance * root


RECTIFIER = Law("rectifier", 14, ("v_pk",), ("i_p",), (), RectifierConstants, rectifier)
PARAMETERS = (Parameter("k", 3.96e-3, "A/V^1.5", "perveance of one plate: i = K v^1.5", 0.0, 10.0),)


def place(device: Device, values: dict[str, float], instance: dict[str, float], celsius: float) -> Placement:
    """One law a plate; the cathode is the last pin but heaters."""
    anodes, cathode = device.nodes[:-1], device.nodes[-1]
    constants = RectifierConstants(values["k"] * instance["m"])
    return Placement(tuple(Placed(device.name, RECTIFIER, constants, ((anode, cathode),), ((anode, cathode),), (), (Limit(2, 0.0, PLATE_STEP),))
                           for anode in anodes))


# two nodes: plate, cathode; three: plate, other plate, cathode
RECTIFIERS = Family(("rectifier",), ("plate", "plate2?", "cathode"), PARAMETERS, TUBE_INSTANCE, place)
