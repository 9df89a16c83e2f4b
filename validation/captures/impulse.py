"""Impulse responses without added latency: the first taps directly, the rest by FFT on a fixed grid of blocks.

Taps 0..P-1 are summed directly; taps from P on are uniformly partitioned overlap-save, whose part of an output
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
from validation.captures.simd import PADDING, Code, intrinsic_of

PARTITION = 256
MAX_SECONDS = 20.0


_VECTORS = 4


def _emit_fir(code: Code):
    """scratch[t] = sum of taps[k] block[at + t - k], t < n, in whole vectors."""
    _, _, _, at, n, size = code.arguments
    block, taps, scratch, b = code.pointer(0), code.pointer(1), code.pointer(2), code.b
    slots = [code.variable(code.zeros()) for _ in range(_VECTORS)]
    with code.loop(code.const(0), n, code.lanes * _VECTORS) as (t, _):
        for slot in slots:
            b.store(code.zeros().value, slot)
        first = code.sum(at, t)
        with code.loop(code.const(0), size) as (k, _):
            factor = code.spread(taps, k)
            row = b.sub(first, k)
            for u, slot in enumerate(slots):
                b.store(factor.fma(code.load(block, code.sum(row, u * code.lanes)), code.read(slot)).value, slot)
        for u, slot in enumerate(slots):
            code.store(code.read(slot), scratch, code.sum(t, u * code.lanes))


_fir = intrinsic_of(3, 3, _emit_fir)


@kernel
def _direct(taps, block, scratch, filled, x, start, n, tail, out):
    """out[start:start + n] = direct taps on ``block`` (P of the past, P of the present) plus the tail.

    The present begins at block[P]; its samples filled..filled + n - 1 are new.
    """
    size = len(taps)
    for t in range(n):
        block[size + filled + t] = x[start + t]
    _fir(block, taps, scratch, size + filled, n, size)
    for t in range(n):
        out[start + t] = scratch[t] + tail[filled + t]


@kernel
def _tail_spectrum(h_re, h_im, x_re, x_im, newest, re, im):
    """Sum over age p of h[p] x[p]; the ring of past spectra begins at ``newest``.

    The sum runs from the newest to the oldest wherever the ring begins, so the order of rounding is always the same.
    """
    count, bins = h_re.shape
    for f in range(bins):
        re[f] = im[f] = 0.0
    for p in range(count):
        at = newest + p if newest + p < count else newest + p - count
        for f in range(bins):
            re[f] += h_re[p, f] * x_re[at, f] - h_im[p, f] * x_im[at, f]
        for f in range(bins):
            im[f] += h_re[p, f] * x_im[at, f] + h_im[p, f] * x_re[at, f]


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
        spectra = np.fft.rfft(padded[1:], 2 * PARTITION, axis=1)  # (partitions, P + 1)
        self._re, self._im = np.ascontiguousarray(spectra.real), np.ascontiguousarray(spectra.imag)
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
        self._block = np.zeros(2 * PARTITION + PADDING)  # the block before, the present one, and room for whole vectors
        self._scratch = np.zeros(PARTITION + PADDING)
        self._filled = 0
        self._tail = np.zeros(PARTITION)
        self._past = np.zeros((2, len(self._re), PARTITION + 1))  # ring of input spectra: real and imaginary parts
        self._newest = 0

    @property
    def state(self) -> State:
        """Input blocks, their spectra in order of age, the tail of the present block."""
        past = np.roll(self._past, -self._newest, axis=1)
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
            _direct(self._head, self._block, self._scratch, self._filled, x, start, n, self._tail, out)
            self._filled += n
            start += n
            if self._filled == PARTITION:
                self._turn_page()
        return out

    def _turn_page(self) -> None:
        """A block is complete: its spectrum joins the past, and the next block's tail is summed from there."""
        count = len(self._re)
        if count:
            self._newest = (self._newest - 1) % count
            spectrum = np.fft.rfft(self._block[:2 * PARTITION])
            self._past[0, self._newest], self._past[1, self._newest] = spectrum.real, spectrum.imag
            total = np.empty((2, PARTITION + 1))
            _tail_spectrum(self._re, self._im, self._past[0], self._past[1], self._newest, total[0], total[1])
            self._tail = np.fft.irfft(total[0] + 1j * total[1], 2 * PARTITION)[PARTITION:]
        self._block[:PARTITION] = self._block[PARTITION:2 * PARTITION]
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
