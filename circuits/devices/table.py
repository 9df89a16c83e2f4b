"""All laws under one number each: `evaluate` looks a law up by its code, so that a solver can loop over a table of devices.

Code 0 is kept for behavioural tapes, which are evaluated elsewhere. Constants of all devices lie in one flat array.
"""

from __future__ import annotations

from circuits.devices.bjt import (BJT, BJT_BASE, BJT_CHARGE, EBERS_MOLL, BaseConstants, BjtConstants, EbersMollConstants, bjt, bjt_base,
                                  bjt_charge, ebers_moll)
from circuits.devices.core import CORE, CoreConstants, core
from circuits.devices.diode import (DEPLETION, DIODE, DIODE_CHARGE, DIODE_LINEAR, DepletionConstants, DiodeConstants, LinearConstants,
                                    depletion_only, diode, diode_charge, diode_linear)
from circuits.devices.hysteresis import HYSTERESIS, HysteresisConstants, hysteresis
from circuits.devices.jfet import JFET, JFET_CHARGE, JfetConstants, jfet, jfet_charge
from circuits.devices.law import Law
from circuits.devices.ldr import LDR, LDR_SLOW, LdrConstants, ldr, ldr_slow
from circuits.devices.mosfet import MOSFET, MOSFET_TIED, MosfetConstants, mosfet, mosfet_tied
from circuits.devices.opamp import OPAMP, OpampConstants, opamp
from circuits.devices.ota import OTA, OtaConstants, ota
from circuits.devices.pentode import PENTODE, PentodeConstants, pentode
from circuits.devices.rectifier import RECTIFIER, RectifierConstants, rectifier
from circuits.devices.switch import SWITCH, SwitchConstants, switch
from circuits.devices.triode import TRIODE, TRIODE_DEMPWOLF, DempwolfConstants, TriodeConstants, triode, triode_dempwolf
from circuits.devices.vdmos import VDMOS, VdmosConstants, vdmos
from circuits.kernels.constants import constants_at
from circuits.kernels.jit import kernel

LAWS: dict[str, Law] = {law.name: law for law in (
    DIODE, DIODE_CHARGE, DEPLETION, BJT, BJT_CHARGE, TRIODE, TRIODE_DEMPWOLF, PENTODE, JFET, JFET_CHARGE, MOSFET, MOSFET_TIED, VDMOS, RECTIFIER,
    OPAMP, SWITCH, LDR, LDR_SLOW, CORE, OTA, HYSTERESIS,
    BJT_BASE, DIODE_LINEAR, EBERS_MOLL)}


@kernel(bare=True)
def spread(r, outputs, inputs, y, J):
    """Write a law's flat tuple into values ``y`` and slopes ``J``."""
    for row in range(outputs):
        y[row] = r[row]
        for column in range(inputs):
            J[row, column] = r[outputs + row * inputs + column]


@kernel(bare=True)
def evaluate(code, c, k, x, y, J):
    """Evaluate one law.

    Parameters
    ----------
    code : int
        The law's number, `Law.code`.
    c : ndarray of float
        Constants of all devices; this device's begin at ``k``, in the order of its NamedTuple.
    k : int
        Offset into ``c``.
    x : ndarray of float
        Controlling voltages, V, from x[0].
    y : ndarray of float
        Receives the currents (A), then the charges (C).
    J : ndarray of float, shape (at least outputs, at least inputs)
        Receives the slopes: row by output, column by input.
    """
    if code == 1:
        spread(diode(x[0], constants_at(DiodeConstants, c, k)), 1, 1, y, J)
    elif code == 2:
        spread(diode_charge(x[0], constants_at(DiodeConstants, c, k)), 2, 1, y, J)
    elif code == 3:
        spread(depletion_only(x[0], constants_at(DepletionConstants, c, k)), 1, 1, y, J)
    elif code == 4:
        spread(bjt(x[0], x[1], constants_at(BjtConstants, c, k)), 2, 2, y, J)
    elif code == 5:
        spread(bjt_charge(x[0], x[1], constants_at(BjtConstants, c, k)), 4, 2, y, J)
    elif code == 6:
        spread(triode(x[0], x[1], constants_at(TriodeConstants, c, k)), 2, 2, y, J)
    elif code == 7:
        spread(triode_dempwolf(x[0], x[1], constants_at(DempwolfConstants, c, k)), 2, 2, y, J)
    elif code == 8:
        spread(pentode(x[0], x[1], x[2], constants_at(PentodeConstants, c, k)), 3, 3, y, J)
    elif code == 9:
        spread(jfet(x[0], x[1], constants_at(JfetConstants, c, k)), 3, 2, y, J)
    elif code == 10:
        spread(jfet_charge(x[0], x[1], constants_at(JfetConstants, c, k)), 5, 2, y, J)
    elif code == 11:
        spread(mosfet(x[0], x[1], x[2], constants_at(MosfetConstants, c, k)), 3, 3, y, J)
    elif code == 12:
        spread(mosfet_tied(x[0], x[1], constants_at(MosfetConstants, c, k)), 1, 2, y, J)
    elif code == 13:
        spread(vdmos(x[0], x[1], constants_at(VdmosConstants, c, k)), 2, 2, y, J)
    elif code == 14:
        spread(rectifier(x[0], constants_at(RectifierConstants, c, k)), 1, 1, y, J)
    elif code == 15:
        spread(opamp(x[0], x[1], x[2], constants_at(OpampConstants, c, k)), 1, 3, y, J)
    elif code == 16:
        spread(switch(x[0], x[1], constants_at(SwitchConstants, c, k)), 1, 2, y, J)
    elif code == 17:
        spread(ldr(x[0], x[1], constants_at(LdrConstants, c, k)), 2, 2, y, J)
    elif code == 18:
        spread(ldr_slow(x[0], x[1], x[2], constants_at(LdrConstants, c, k)), 3, 3, y, J)
    elif code == 19:
        spread(core(x[0], constants_at(CoreConstants, c, k)), 1, 1, y, J)
    elif code == 20:
        spread(ota(x[0], x[1], constants_at(OtaConstants, c, k)), 2, 2, y, J)
    elif code == 21:
        spread(hysteresis(x[0], x[1], x[2], constants_at(HysteresisConstants, c, k)), 2, 3, y, J)
    elif code == 22:
        spread(bjt_base(x[0], x[1], x[2], constants_at(BaseConstants, c, k)), 1, 3, y, J)
    elif code == 23:
        spread(diode_linear(x[0], constants_at(LinearConstants, c, k)), 1, 1, y, J)
    elif code == 24:
        spread(ebers_moll(x[0], x[1], constants_at(EbersMollConstants, c, k)), 2, 2, y, J)
