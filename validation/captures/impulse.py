"""Impulse responses without added latency: the first taps directly, the rest by FFT on a fixed grid of blocks.

Taps 0..P-1 are summed sample by sample; taps from P on are uniformly partitioned overlap-save, whose part of an output
block needs only input blocks that are complete when that block begins. The grid counts from the last reset, so any
split into blocks gives the same bits.

References
----------
W. G. Gardner, Efficient Convolution without Input-Output Delay, J. Audio Eng. Soc. 43(3), 1995, section 2.
F. Wefers, Partitioned convolution algorithms for real-time auralization, 2015, section 5.2 (uniform partitions).
"""

from __future__ import annotations

import numpy as np

from circuits.controls import Control
from circuits.errors import CircuitError, ModelFileError, Place
from circuits.kernels.jit import kernel
from circuits.processor import Run, State, check_samples, check_state, turned
from validation.audio import read_audio, resample

PARTITION = 128
MAX_SECONDS = 20.0


@kernel
def _direct(taps, block, filled, x, start, n, tail, out):
    """out[start:start + n] = direct taps on ``block`` (P of the past, P of the present) plus the tail.

    The present begins at block[P]; its samples filled..filled + n - 1 are new.
    """
    size = len(taps)
    for t in range(n):
        block[size + filled + t] = x[start + t]
        out[start + t] = tail[filled + t]
    for k in range(size):
        factor = taps[k]
        for t in range(n):
            out[start + t] += factor * block[size + filled + t - k]


class Impulse:
    """A linear filter given by its impulse response.

    Parameters
    ----------
    taps : array_like, shape (n_taps,)
        Response to a sample of 1.
    sample_rate : float
        Hz.

    Raises
    ------
    CircuitError
        If there are no taps or one is not finite.

    Examples
    --------
    >>> Impulse([0.5, 0.25], 48000.0).process([1.0, 0.0, 2.0])
    array([0.5 , 0.25, 1.  ])
    """

    def __init__(self, taps, sample_rate: float):
        taps = np.array(taps, dtype=np.float64)
        if taps.ndim != 1 or not len(taps) or not np.isfinite(taps).all():
            raise CircuitError("an impulse response needs finite taps in one row", mend="Check the recording.")
        self.taps = taps
        self._rate = float(sample_rate)
        padded = np.pad(taps, (0, -len(taps) % PARTITION)).reshape(-1, PARTITION)
        self._head = padded[0].copy()
        self._spectra = np.fft.rfft(padded[1:], 2 * PARTITION, axis=1)  # (partitions, P + 1)
        self.reset()

    @property
    def sample_rate(self) -> float:
        """Hz."""
        return self._rate

    @property
    def latency(self) -> int:
        """None is added: 0."""
        return 0

    @property
    def controls(self) -> dict[str, Control]:
        """None."""
        return {}

    @property
    def run(self) -> Run:
        """Nothing is solved."""
        return Run()

    def turn(self, **positions: float) -> None:
        """There is nothing to turn; raises CircuitError for any name."""
        turned({}, positions)

    def reset(self) -> None:
        """Back to silence."""
        self._block = np.zeros(2 * PARTITION)  # the block before and the present one
        self._filled = 0
        self._tail = np.zeros(PARTITION)
        self._past = np.zeros((len(self._spectra), PARTITION + 1), dtype=np.complex128)  # ring of input spectra
        self._newest = 0

    @property
    def state(self) -> State:
        """Input blocks, their spectra in order of age, the tail of the present block."""
        past = np.roll(self._past, -self._newest, axis=0)
        return {"block": self._block.copy(), "tail": self._tail.copy(), "past": past, "filled": np.array(self._filled)}

    @state.setter
    def state(self, state: State) -> None:
        copies = check_state(state, self.state)
        self._block, self._tail, self._past = copies["block"], copies["tail"], copies["past"]
        self._filled, self._newest = int(copies["filled"]), 0

    def process(self, samples) -> np.ndarray:
        """Filter the next samples; float64, shape (n_samples,) in and out."""
        x = check_samples(samples)
        out = np.empty(len(x))
        start = 0
        while start < len(x):
            n = min(PARTITION - self._filled, len(x) - start)
            _direct(self._head, self._block, self._filled, x, start, n, self._tail, out)
            self._filled += n
            start += n
            if self._filled == PARTITION:
                self._turn_page()
        return out

    def _turn_page(self) -> None:
        """A block is complete: its spectrum joins the past, and the next block's tail is summed from there."""
        count = len(self._spectra)
        if count:
            self._newest = (self._newest - 1) % count
            self._past[self._newest] = np.fft.rfft(self._block)
            # the sum runs over age, newest first, wherever the ring starts: the order of rounding stays the same
            ages = np.concatenate([self._past[self._newest:], self._past[:self._newest]])
            total = np.einsum("pf,pf->f", self._spectra, ages)
            self._tail = np.fft.irfft(total, 2 * PARTITION)[PARTITION:]
        self._block[:PARTITION] = self._block[PARTITION:]
        self._filled = 0


def load_impulse(path, sample_rate: float | None = None, *, channel: int | None = None) -> Impulse:
    """Open a recording as an impulse response.

    Parameters
    ----------
    path : path-like
        `.wav` or `.flac`.
    sample_rate : float or None
        Rate to play at; another than the file's resamples the response and keeps its gain at every frequency. None is
        the file's own.
    channel : int or None
        Which channel of several; without it a file with several channels is refused.

    Returns
    -------
    Impulse

    Raises
    ------
    SignalError
        If the recording can't be read.
    ModelFileError
        If it is longer than 20 s, or has several channels and none is chosen.
    """
    audio = read_audio(path)
    place = Place(str(path))
    if audio.duration > MAX_SECONDS:
        raise ModelFileError(f"lasts {audio.duration:.0f} s, too long for an impulse response", place=place,
                             mend=f"At most {MAX_SECONDS:g} s are taken.")
    if audio.n_channels > 1 and channel is None:
        raise ModelFileError(f"has {audio.n_channels} channels", place=place, mend="Choose one: channel=0 is the first.")
    if channel is not None and not 0 <= channel < audio.n_channels:
        raise ModelFileError(f"has no channel {channel}", place=place, mend=f"Channels: 0 to {audio.n_channels - 1}.")
    taps = audio.samples if audio.samples.ndim == 1 else audio.samples[channel or 0]
    rate = audio.sample_rate if sample_rate is None else float(sample_rate)
    if rate != audio.sample_rate:
        # a sampled response stands for density times step: fewer samples a second must each weigh more
        taps = resample(taps, audio.sample_rate, rate) * (audio.sample_rate / rate)
    return Impulse(taps, rate)
