"""The p-n junction as SPICE has it: current, depletion charge, and how both move with temperature.

Shared by diodes, bipolar transistors and field-effect transistors. Voltages in V, currents in A, charges in C, temperatures in degrees Celsius.
The equations and the physical constants are those of SPICE 3 / ngspice 39, so that results agree to rounding. Above
`EXPONENT_LIMIT` thermal voltages (7.8 V across a silicon junction, beyond any part's life) the exponential goes on as its
tangent, so that no Newton step can meet an infinity.

References
----------
Massobrio, Antognetti: Semiconductor Device Modeling with SPICE, 2nd ed., McGraw-Hill 1993, sections 1.6 and 1.7 and appendix A
(saturation current, junction potential and capacitance against temperature).
"""

from __future__ import annotations

import math

from circuits.kernels.jit import kernel

BOLTZMANN = 1.38064852e-23   # J/K, as in ngspice 39
CHARGE = 1.6021766208e-19    # C, as in ngspice 39
CELSIUS = 273.15
REFERENCE = 300.15           # K: 27 C, where SPICE's fixed numbers hold
EXPONENT_LIMIT = 300.0       # exp(300) = 2e130: its square is still a float


def thermal_voltage(celsius: float) -> float:
    """kT/q in volts.

    Examples
    --------
    >>> round(thermal_voltage(27.0), 6)
    0.025865
    """
    return BOLTZMANN * (celsius + CELSIUS) / CHARGE


def critical_voltage(scale: float, saturation: float) -> float:
    """Where Newton steps on a junction must become logarithmic: n Vt ln(n Vt / (sqrt(2) Is)), volts; without a current, never."""
    return scale * math.log(scale / (math.sqrt(2.0) * saturation)) if saturation > 0.0 else 1e9


def saturation_factor(celsius: float, nominal: float, gap: float, exponent: float) -> float:
    """ln of Is(T)/Is(Tnom) for unit emission coefficient: (T/Tnom - 1) EG / Vt + XTI ln(T/Tnom); divide by N for others."""
    ratio = (celsius + CELSIUS) / (nominal + CELSIUS)
    return (ratio - 1.0) * gap / thermal_voltage(celsius) + exponent * math.log(ratio)


def _potential_shift(kelvin: float) -> float:
    gap = 1.16 - 7.02e-4 * kelvin * kelvin / (kelvin + 1108.0)
    arg = -gap / (2.0 * BOLTZMANN * kelvin) + 1.1150877 / (2.0 * BOLTZMANN * REFERENCE)
    return -2.0 * BOLTZMANN * kelvin / CHARGE * (1.5 * math.log(kelvin / REFERENCE) + CHARGE * arg)


def potential_at(potential: float, celsius: float, nominal: float) -> float:
    """A junction or surface potential, given at ``nominal``, at ``celsius`` (degrees Celsius)."""
    zero = (potential - _potential_shift(nominal + CELSIUS)) * REFERENCE / (nominal + CELSIUS)
    return _potential_shift(celsius + CELSIUS) + (celsius + CELSIUS) / REFERENCE * zero


def depletion(capacitance: float, potential: float, grading: float, corner: float, celsius: float,
              nominal: float) -> tuple[float, float, float, float, float, float, float]:
    """Constants of `depletion_charge` at a temperature.

    Parameters
    ----------
    capacitance, potential, grading, corner : float
        CJO (F), VJ (V), M and FC at the nominal temperature.
    celsius, nominal : float
        Temperature of the part and TNOM, degrees Celsius.

    Returns
    -------
    tuple of float
        (CJO, VJ, M, FC*VJ, F1, F2, F3) at ``celsius``.
    """
    kelvin, base = celsius + CELSIUS, nominal + CELSIUS
    zero = (potential - _potential_shift(base)) * REFERENCE / base
    cold = 1.0 + grading * (4e-4 * (base - REFERENCE) - (potential - zero) / zero)
    moved = _potential_shift(kelvin) + kelvin / REFERENCE * zero
    warm = 1.0 + grading * (4e-4 * (kelvin - REFERENCE) - (moved - zero) / zero)
    f1 = moved * (1.0 - (1.0 - corner)**(1.0 - grading)) / (1.0 - grading)
    f2 = (1.0 - corner)**(1.0 + grading)
    f3 = 1.0 - corner * (1.0 + grading)
    return capacitance / cold * warm, moved, grading, corner * moved, f1, f2, f3


@kernel(bare=True)
def exponential_current(v, saturation, scale):
    """Current and slope of an ideal junction without the cubic tail: the bulk junctions of SPICE's MOSFETs."""
    inverse = 1.0 / scale  # a kernel emitted for one circuit keeps it out of the sample loop
    x = v * inverse
    if x > EXPONENT_LIMIT:
        e = saturation * math.exp(EXPONENT_LIMIT)
        return e * (1.0 + x - EXPONENT_LIMIT) - saturation, e * inverse
    e = saturation * math.exp(x)  # exp(x) - 1 as SPICE has it: near zero the current is exact to 1e-16 of the saturation current
    return e - saturation, e * inverse


@kernel(bare=True)
def junction_current(v, saturation, scale):
    """Current and slope of an ideal junction: Is (exp(v/scale) - 1), SPICE's cubic tail below -3 scale."""
    if v >= -3.0 * scale:
        return exponential_current(v, saturation, scale)
    a = 3.0 * scale / (v * math.e)
    a = a * a * a
    return -saturation * (1.0 + a), 3.0 * saturation * a / v


@kernel(bare=True)
def depletion_charge(v, capacitance, potential, grading, corner, f1, f2, f3):
    """Charge and capacitance of a depletion layer; above ``corner`` = FC VJ the capacitance goes on as its tangent."""
    if v < corner:
        a = 1.0 - v / potential
        s = a**-grading
        return potential * capacitance * (1.0 - a * s) / (1.0 - grading), capacitance * s
    c = capacitance / f2
    return (capacitance * f1 + c * (f3 * (v - corner) + 0.5 * grading / potential * (v * v - corner * corner)),
            c * (f3 + grading * v / potential))
