"""What is made small: error energy, plain and pre-emphasised, offset, absolute error, and spectra at several resolutions.

All act on excerpts whose take has RMS 1, so a mean square is an error-to-signal ratio over the whole take, and a silent
excerpt divides by nothing. Shapes are (n_lanes, n_samples); each returns a scalar tensor.

References
----------
A. Wright, V. Välimäki, "Perceptual loss function for neural modeling of audio systems", ICASSP 2020: ESR, pre-emphasis, DC.
R. Yamamoto, E. Song, J.-M. Kim, "Parallel WaveGAN", ICASSP 2020, equations 4 to 6: multi-resolution STFT loss.
"""

from __future__ import annotations

import torch

from circuits.errors import FitError

EMPHASIS = 0.85  # first-order pre-emphasis 1 - 0.85 / z
RESOLUTIONS = ((1024, 120, 600), (2048, 240, 1200), (512, 50, 240))  # FFT, hop, window in samples
_QUIETEST = 1e-7  # of a magnitude whose take has RMS 1: -140 dB, below float32's noise in an FFT of 2048


def esr(y, t):
    """Mean square of the error."""
    return torch.mean((t - y) ** 2)


def _emphasised(v):
    return v[:, 1:] - EMPHASIS * v[:, :-1]


def pre(y, t):
    """Mean square of the pre-emphasised error over that of a white target of RMS 1."""
    return torch.mean(_emphasised(t - y) ** 2) / (1.0 + EMPHASIS**2)


def dc(y, t):
    """Square of the mean error of each lane."""
    return torch.mean(torch.mean(t - y, dim=1) ** 2)


def mae(y, t):
    """Mean absolute error."""
    return torch.mean(torch.abs(t - y))


def _magnitudes(v, size, hop, width):
    spectrum = torch.stft(v, size, hop, width, torch.hann_window(width, dtype=v.dtype, device=v.device), return_complex=True, pad_mode="constant")
    return torch.sqrt(torch.clamp(spectrum.real**2 + spectrum.imag**2, min=_QUIETEST**2))


def stft(y, t):
    """Spectral convergence and log magnitude, the mean over three resolutions."""
    total = 0.0
    for size, hop, width in RESOLUTIONS:
        have, want = _magnitudes(y, size, hop, width), _magnitudes(t, size, hop, width)
        total = total + torch.linalg.norm(want - have) / torch.linalg.norm(want) + torch.mean(torch.abs(torch.log(want) - torch.log(have)))
    return total / len(RESOLUTIONS)


TERMS = {"esr": esr, "pre": pre, "dc": dc, "mae": mae, "stft": stft}


def read_loss(text: str):
    """A weighted sum from a text such as ``esr+pre`` or ``esr+0.0005*stft``; raises FitError for anything else.

    Examples
    --------
    >>> float(read_loss("esr+2*mae")(torch.zeros(1, 4), torch.ones(1, 4)))
    3.0
    """
    parts = []
    for term in text.split("+"):
        factor, sign, name = term.rpartition("*")
        try:
            weight = float(factor) if sign else 1.0
        except ValueError:
            weight = float("nan")
        if name.strip() not in TERMS or not 0.0 < weight < 1e6:
            raise FitError(f"the loss {text!r} can't be read at {term.strip()!r}", mend=f"Write for instance esr+0.0005*stft; terms: {', '.join(TERMS)}.")
        parts.append((weight, TERMS[name.strip()]))
    return lambda y, t: sum(weight * term(y, t) for weight, term in parts)
