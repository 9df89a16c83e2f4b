"""Is one recording the other one upside down? Decided by phase, octave by octave, and left open where the phases don't tell.

The sign of a correlation is no answer where two recordings are filtered differently: a dark and a bright setting of one amplifier share so
little, with so much delay between their partials, that it may come out negative. So the response H from one to the other is measured where they are coherent, the
phase that its magnitude alone brings with it (that of the minimum-phase filter of that magnitude) is taken off, and what is left should be a short delay in every octave, or
a short delay and pi in every octave.

References
----------
A. V. Oppenheim, R. W. Schafer, "Discrete-Time Signal Processing", 3rd ed., 2010, section 13.5: minimum phase from magnitude by the real cepstrum.
J. S. Bendat, A. G. Piersol, "Random Data", 4th ed., 2010, equations 6.37 and 6.43: frequency response H1 and coherence.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft, rfft

SURE = 0.5  # mean cosine of what is left of the phase: 0 is no relation, 1 perfect
LEAD = 0.25  # by which one sign must fit better than the other, each at its best delay
_DELAYS = np.arange(-24.0, 24.25, 0.25)  # samples by which the latency may be off: where the sound of a filter arrives is a matter of taste
_COHERENT = 0.5  # bins under it say nothing
_BINS = 48  # an octave is looked at in twelve steps or fewer: all octaves count alike


def minimum_phase(magnitude: np.ndarray) -> np.ndarray:
    """Phase in radians of the minimum-phase filter of a magnitude, by the real cepstrum; shape (n_bins,) both.

    Examples
    --------
    >>> H = 1.0 - 0.5 * np.exp(-2j * np.pi * np.arange(513) / 1024)
    >>> bool(np.abs(minimum_phase(np.abs(H)) - np.angle(H)).max() < 1e-12)
    True
    """
    size = 2 * (len(magnitude) - 1)
    cepstrum = irfft(np.log(magnitude), size)
    cepstrum[1:size // 2] *= 2.0
    cepstrum[size // 2 + 1:] = 0.0
    return rfft(cepstrum).imag


def polarity(cross: np.ndarray, target: np.ndarray, estimate: np.ndarray) -> tuple[int, float]:
    """Sign of the estimate against the target, and how sure that is.

    Parameters
    ----------
    cross, target, estimate : ndarray, shape (n_bins,)
        Sums over frames of ``conj(Y) X``, ``|Y|²`` and ``|X|²`` (Y the target, X the estimate) from 0 Hz to half the rate, the latency taken out.

    Returns
    -------
    sign : int
        1, -1, or 0 if the phases don't tell.
    lead : float
        Mean cosine of what is left of the phase over the octaves, upright less upside down, each at its best delay.
    """
    place = np.arange(len(cross))
    with np.errstate(divide="ignore", invalid="ignore"):
        coherence = np.where((target > 0.0) & (estimate > 0.0), np.abs(cross) ** 2 / (target * estimate), 0.0)
    strong = (coherence > _COHERENT) & (target > 1e-8 * target.max()) & (estimate > 1e-8 * estimate.max())
    strong[:2] = False  # the mean is no sound
    if np.count_nonzero(strong) < 3:
        return 0, 0.0
    steps = np.unique(np.round(np.geomspace(2, len(cross) - 1, int(_BINS * np.log2(len(cross) / 2.0)) // 4)).astype(int))
    centres, heights, phasors, weights = [], [], [], []
    for low, high in zip(steps[:-1], steps[1:]):
        inside = place[low:high][strong[low:high]]
        if len(inside):
            response = cross[inside] / target[inside]
            centres.append(float(inside.mean()))
            heights.append(float(np.mean(np.log(np.abs(response)))))
            phasors.append(np.sum(coherence[inside] * response / np.abs(response)) / np.sum(coherence[inside]))
            weights.append(float(coherence[inside].mean()))
    smooth = np.interp(np.log(np.maximum(place, 1)), np.log(centres), heights)
    bent = minimum_phase(np.exp(smooth))
    left = np.asarray(phasors) * np.exp(-1j * np.interp(centres, place, bent))
    turns = np.exp(1j * np.pi * np.outer(_DELAYS, np.asarray(centres) / (len(cross) - 1)))
    agreement = np.average((turns * left).real, axis=1, weights=weights)
    upright, upside_down = float(agreement.max()), float(-agreement.min())
    sign = 1 if upright >= upside_down else -1
    sure = max(upright, upside_down) >= SURE and abs(upright - upside_down) >= LEAD
    return sign if sure else 0, upright - upside_down
