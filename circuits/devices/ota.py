"""The transconductance amplifier (CA3080, LM13700): the current into its bias pin, steered by tanh of the input voltage.

Pins: in+, in-, out, bias, v-. Inputs v_d = in+ - in- and v_b = bias - v- (V); i_o is drawn into the output, i_b into the bias pin, where two
junctions stand in series against the negative rail (A). The output is an ideal current against ground: its limits at the rails are not modelled.

References
----------
Wheatley, Wittlinger: OTA obsoletes op amp, National Electronics Conference 1969; Texas Instruments: LM13700 data sheet, equation (5).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from circuits.devices.junction import critical_voltage, junction_current, saturation_factor, thermal_voltage
from circuits.devices.law import Family, Law, Limit, Parameter, Placed, Placement
from circuits.elements import Device, Resistor
from circuits.kernels.jit import kernel


class OtaConstants(NamedTuple):
    """Saturation current and voltage scale of the bias pin, 2 Vt of the input pair, and the mirrors' gain."""

    saturation: float
    scale: float
    pair: float
    gain: float


@kernel(bare=True)
def ota(v_d, v_b, p):
    """(i_o, i_b, di_o/dv_d, di_o/dv_b, di_b/dv_d, di_b/dv_b)."""
    i_b, g_b = junction_current(v_b, p.saturation, p.scale)
    t = math.tanh(v_d / p.pair)
    return (-p.gain * i_b * t, i_b, -p.gain * i_b * (1.0 - t * t) / p.pair, -p.gain * g_b * t, 0.0, g_b)


OTA = Law("ota", 20, ("v_d", "v_b"), ("i_o", "i_b"), (), OtaConstants, ota)

PARAMETERS = (
    Parameter("is", 1e-14, "A", "saturation current of each of the two junctions at the bias pin", 0.0, 1.0),
    Parameter("gain", 1.0, "", "output current over bias current, fully steered", 1e-6, 1e6),
    Parameter("rin", 26e3, "ohm", "differential input resistance", 1.0),
    Parameter("rout", 1e7, "ohm", "output resistance against ground", 1.0),
    Parameter("eg", 1.11, "eV", "energy gap", 0.0, 10.0),
    Parameter("xti", 3.0, "", "temperature exponent of IS", -100.0, 100.0),
    Parameter("tnom", 27.0, "C", "temperature of the parameters", -200.0, 400.0),
)
INSTANCE = (
    Parameter("temp", math.nan, "C", "temperature of this part; default: the circuit's", -200.0, 400.0),
    Parameter("dtemp", 0.0, "K", "added to the circuit's temperature", -200.0, 400.0),
)


def place(device: Device, values: dict[str, float], instance: dict[str, float], celsius: float) -> Placement:
    """The law with its input and output resistance."""
    v, name = values, device.name
    plus, minus, out, bias, low = device.nodes
    vt = thermal_voltage(celsius)
    saturation = v["is"] * math.exp(saturation_factor(celsius, v["tnom"], v["eg"], v["xti"]))
    p = OtaConstants(saturation, 2.0 * vt, 2.0 * vt, v["gain"])
    inputs = ((plus, minus), (bias, low))
    limits = (Limit(2, 0.0, 0.1), Limit(1, 2.0 * vt, critical_voltage(2.0 * vt, saturation)))
    return Placement((Placed(name, OTA, p, inputs, ((out, "0"), (bias, low)), (), limits),),
                     (Resistor(f"{name}#rin", (plus, minus), v["rin"], device.place), Resistor(f"{name}#rout", (out, "0"), v["rout"], device.place)))


OTAS = Family(("ota",), ("in+", "in-", "out", "bias", "v-"), PARAMETERS, INSTANCE, place)
