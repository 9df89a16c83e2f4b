"""The oversampler's filter is the one that scipy designs, though scipy's designer is not imported for it."""

import numpy as np
import pytest
from scipy import signal

from circuits.rate import DELAY, FACTORS, half_band


@pytest.mark.parametrize("factor", FACTORS[1:])
def test_taps_are_a_kaiser_window_design(factor):
    length = DELAY * factor + 1
    wanted = signal.firwin(length, 0.5, window=("kaiser", signal.kaiser_beta(110.0)), fs=float(factor))
    taps = half_band(factor).ravel()
    assert np.max(np.abs(taps[:length] - wanted)) <= 1e-17 and not taps[length:].any()
