"""The tone stack of Fender, Marshall and Vox amplifiers as a transfer function of its components and knobs, and the step to discrete time.

Polynomials are in rising powers of s (analog) or of 1/z (digital). Ohms, farads, Hz.

References
----------
D. T. Yeh, J. O. Smith, "Discretization of the '59 Fender Bassman tone stack", DAFx 2006, equations 1 to 7: without a load. The
impedance seen from the output, and with it the load, from the same nodal equations.
"""

from __future__ import annotations

import numpy as np


def tone_stack(components: tuple[float, ...], tracks: tuple[float, float, float], load: float = np.inf) -> tuple[np.ndarray, np.ndarray]:
    """Analog transfer function, driven by a stiff source.

    Parameters
    ----------
    components : tuple of float
        Potentiometers treble, bass and middle, slope resistor (ohms), capacitors C1, C2, C3 (farads).
    tracks : tuple of float
        Shares of the tracks of treble, bass and middle that the wipers have passed, 0 to 1.
    load : float
        Resistance behind the output, ohms: a volume control or the next grid's leak.

    Returns
    -------
    b, a : ndarray, shape (4,)
        Numerator and denominator in rising powers of s: Yeh and Smith (2006), equations 1 to 7.

    Examples
    --------
    >>> b, a = tone_stack((220e3, 1e6, 22e3, 33e3, 470e-12, 22e-9, 22e-9), (0.5, 0.1, 0.5))
    >>> float(b[0]), float(a[0])
    (0.0, 1.0)
    """
    R1, R2, R3, R4, C1, C2, C3 = components
    t, l, m = tracks
    b1 = t * C1 * R1 + m * C3 * R3 + l * (C1 * R2 + C2 * R2) + (C1 * R3 + C2 * R3)
    b2 = (t * (C1 * C2 * R1 * R4 + C1 * C3 * R1 * R4) - m * m * (C1 * C3 * R3**2 + C2 * C3 * R3**2)
          + m * (C1 * C3 * R1 * R3 + C1 * C3 * R3**2 + C2 * C3 * R3**2)
          + l * (C1 * C2 * R1 * R2 + C1 * C2 * R2 * R4 + C1 * C3 * R2 * R4)
          + l * m * (C1 * C3 * R2 * R3 + C2 * C3 * R2 * R3)
          + (C1 * C2 * R1 * R3 + C1 * C2 * R3 * R4 + C1 * C3 * R3 * R4))
    b3 = (l * m * (C1 * C2 * C3 * R1 * R2 * R3 + C1 * C2 * C3 * R2 * R3 * R4)
          - m * m * (C1 * C2 * C3 * R1 * R3**2 + C1 * C2 * C3 * R3**2 * R4)
          + m * (C1 * C2 * C3 * R1 * R3**2 + C1 * C2 * C3 * R3**2 * R4)
          + t * C1 * C2 * C3 * R1 * R3 * R4 - t * m * C1 * C2 * C3 * R1 * R3 * R4
          + t * l * C1 * C2 * C3 * R1 * R2 * R4)
    a1 = C1 * R1 + C1 * R3 + C2 * R3 + C2 * R4 + C3 * R4 + m * C3 * R3 + l * (C1 * R2 + C2 * R2)
    a2 = (m * (C1 * C3 * R1 * R3 - C2 * C3 * R3 * R4 + C1 * C3 * R3**2 + C2 * C3 * R3**2)
          + l * m * (C1 * C3 * R2 * R3 + C2 * C3 * R2 * R3) - m * m * (C1 * C3 * R3**2 + C2 * C3 * R3**2)
          + l * (C1 * C2 * R2 * R4 + C1 * C2 * R1 * R2 + C1 * C3 * R2 * R4 + C2 * C3 * R2 * R4)
          + (C1 * C2 * R1 * R4 + C1 * C3 * R1 * R4 + C1 * C2 * R3 * R4 + C1 * C2 * R1 * R3
             + C1 * C3 * R3 * R4 + C2 * C3 * R3 * R4))
    a3 = (l * m * (C1 * C2 * C3 * R1 * R2 * R3 + C1 * C2 * C3 * R2 * R3 * R4)
          - m * m * (C1 * C2 * C3 * R1 * R3**2 + C1 * C2 * C3 * R3**2 * R4)
          + m * (C1 * C2 * C3 * R3**2 * R4 + C1 * C2 * C3 * R1 * R3**2 - C1 * C2 * C3 * R1 * R3 * R4)
          + l * C1 * C2 * C3 * R1 * R2 * R4 + C1 * C2 * C3 * R1 * R3 * R4)
    b, a = np.array([0.0, b1, b2, b3]), np.array([1.0, a1, a2, a3])
    if np.isfinite(load):
        a = a + _output_impedance(components, tracks) / load
    return b / a[0], a / a[0]


def _output_impedance(components, tracks) -> np.ndarray:
    """Impedance between output and ground with the source shorted, times the denominator a of the unloaded stack: shape (4,), ohms."""
    R1, R2, R3, R4, C1, C2, C3 = components
    t, l, m = tracks
    above, below, bass, middle = (1.0 - t) * R1, t * R1, l * R2, m * R3
    between = (1.0 - m) * R3 * middle  # of the middle pot's two halves
    z0 = below + bass + R3
    z1 = C2 * ((bass + R3) * (below + R4) + below * R4) + C3 * (middle * (below + bass) + R4 * z0 + between)
    z2 = C2 * C3 * (below * bass * (middle + R4) + between * (below + R4) + R4 * (below * (R3 - middle) + bass * middle))
    return np.convolve([1.0, C1 * above], [z0, z1, z2])


def bilinear(b: np.ndarray, a: np.ndarray, sample_rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Digital b and a (in 1/z, a[0] = 1) of an analog transfer function in rising powers of s; s = 2 fs (1 - 1/z) / (1 + 1/z)."""
    order = len(a) - 1
    out = np.zeros((2, order + 1))
    for row, poly in enumerate((b, a)):
        for k, value in enumerate(poly):
            term = np.array([value * (2.0 * sample_rate) ** k])
            for _ in range(k):
                term = np.convolve(term, [1.0, -1.0])
            for _ in range(order - k):
                term = np.convolve(term, [1.0, 1.0])
            out[row] += term
    return out[0] / out[1, 0], out[1] / out[1, 0]
