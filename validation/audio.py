"""Recordings in and out: WAV and FLAC files to float64 arrays and back, whole or not at all.

Conventions: samples are float64, mono (n_samples,), several channels (n_channels, n_samples), full scale 1.0.
A file is written beside its destination under a temporary name and renamed when it is complete, so that nobody ever
finds half a file, not even after Ctrl-C.

References
----------
A. Soras and R. Sykes, libsoxr ("VHQ": pass band to 0.91 of the Nyquist rate, stop band -170 dB): soxr documentation.
"""

from __future__ import annotations

import os
import struct
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

from circuits.errors import AmpwrightError, Place, RateError, SignalError

AUDIO_SUFFIXES = (".wav", ".flac")
SUBTYPES = {"float": "FLOAT", "double": "DOUBLE", "pcm16": "PCM_16", "pcm24": "PCM_24", "pcm32": "PCM_32"}
_FLAC_SUBTYPES = ("pcm16", "pcm24")
_FURTHEST = 512  # a header that says 1 Hz must not make a file of hours
_BLOCK = 1 << 20  # frames read at once: a header that lies about its length must not reserve memory


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """One recording.

    Parameters
    ----------
    samples : ndarray, shape (n_samples,) or (n_channels, n_samples)
        Full scale is 1.0; float64, made read-only.
    sample_rate : float
        Hz.

    Raises
    ------
    SignalError
        If it is empty, has more than two axes, or holds a number that is not finite.
    RateError
        If the rate is not positive.

    Examples
    --------
    >>> audio = Audio([0.0, 0.5, 0.25, 0.0], 48000)
    >>> audio.n_samples, audio.n_channels, audio.duration * 12000
    (4, 1, 1.0)
    """

    samples: np.ndarray
    sample_rate: float

    def __post_init__(self):
        samples = np.array(self.samples, dtype=np.float64, order="C")
        check_recording(samples)
        if not (np.isfinite(self.sample_rate) and self.sample_rate > 0):
            raise RateError(f"a sample rate of {self.sample_rate} Hz makes no sense", mend="Give a positive number.")
        samples.flags.writeable = False
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "sample_rate", float(self.sample_rate))

    @property
    def n_samples(self) -> int:
        """Samples in each channel."""
        return self.samples.shape[-1]

    @property
    def n_channels(self) -> int:
        """Channels."""
        return 1 if self.samples.ndim == 1 else self.samples.shape[0]

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.n_samples / self.sample_rate

    def channel(self, index: int) -> np.ndarray:
        """One channel as mono audio, shape (n_samples,)."""
        return np.atleast_2d(self.samples)[index]


def check_recording(samples: np.ndarray, place: Place | None = None) -> None:
    """Refuse what is no recording: wrong shape, empty, not finite.

    Raises
    ------
    SignalError
        With the position of the first number that is not finite.

    Examples
    --------
    >>> check_recording(np.zeros(3))
    """
    if samples.ndim not in (1, 2):
        raise SignalError(f"audio has the shape (n_samples,) or (n_channels, n_samples), not {samples.shape}", place=place)
    if samples.size == 0:
        raise SignalError("the recording is empty", mend="Give a file with at least one sample.", place=place)
    finite = np.isfinite(samples)
    if not finite.all():
        index = np.unravel_index(int(np.argmin(finite)), samples.shape)
        channel = f" of channel {index[0]}" if samples.ndim == 2 else ""
        raise SignalError(f"sample {index[-1]}{channel} is {samples[index]}",
                          mend="Repair the recording: every sample must be finite.", place=place)


def read_audio(path) -> Audio:
    """Read a WAV or FLAC file (or what else libsndfile knows), any rate, PCM or float.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    Audio
        Mono if the file has one channel.

    Raises
    ------
    SignalError
        If the file is missing, unreadable, empty, or holds NaN or infinities; one line that names the file.
    """
    path = Path(path)
    place = Place(str(path))
    if not path.exists():
        raise SignalError("there is no such file", mend="Check the name of the recording.", place=place)
    if path.is_dir():
        raise SignalError("this is a folder, not a recording", mend="Name a WAV or FLAC file.", place=place)
    if path.stat().st_size == 0:
        raise SignalError("the file is empty", mend="Give a recording with at least one sample.", place=place)
    blocks = []
    try:
        with soundfile.SoundFile(path) as file:
            sample_rate = float(file.samplerate)
            while True:
                block = file.read(_BLOCK, dtype="float64", always_2d=True)
                blocks.append(block)
                if len(block) < _BLOCK:
                    break
    except PermissionError as error:
        raise SignalError("the file can't be opened: permission denied", mend="Make it readable.", place=place) from error
    except (soundfile.SoundFileError, OSError, TypeError, RuntimeError) as error:
        detail = " ".join(str(getattr(error, "error_string", error)).split()).rstrip(".")
        raise SignalError(f"this is no recording that can be read ({detail})", mend="Give a WAV or FLAC file.",
                          place=place) from error
    samples = np.concatenate(blocks).T if len(blocks) > 1 else blocks[0].T
    if samples.shape[0] == 1:
        samples = samples[0]
    check_recording(samples, place)
    if not sample_rate >= 1.0:
        raise SignalError(f"the file says that its rate is {sample_rate:g} Hz", mend="Write it with its sample rate.", place=place)
    return Audio(samples, sample_rate)


def check_writable(path, *, suffixes: tuple[str, ...] = ()) -> Path:
    """Say now, before the work starts, if a file can't be written later.

    Parameters
    ----------
    path : str or Path
        The file that will be written.
    suffixes : tuple of str
        Endings that are allowed, for instance `AUDIO_SUFFIXES`; none given, all are.

    Returns
    -------
    Path
        The same path.

    Raises
    ------
    SignalError
        If the folder is missing or not writable, the path is a folder, or the ending is not among the allowed.
    """
    path = Path(path)
    place = Place(str(path))
    if suffixes and path.suffix.lower() not in suffixes:
        raise SignalError(f"an output can't end in {path.suffix!r}", mend=f"Use {' or '.join(suffixes)}.", place=place)
    if path.is_dir():
        raise SignalError("this is a folder, not a file", mend="Give the name of a file.", place=place)
    if not path.parent.is_dir():
        raise SignalError(f"the folder {path.parent} does not exist", mend="Make it first, or choose another.", place=place)
    probe = _beside(path)
    try:  # asking the system is not enough: read-only mounts and quotas answer only to the deed
        with open(probe, "xb"):
            pass
        probe.unlink()
    except OSError as error:
        raise SignalError(f"nothing can be written here ({error.strerror})", mend="Choose another folder.",
                          place=place) from error
    return path


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name[:80]}.{uuid.uuid4().hex[:8]}.part")


@contextmanager
def whole_file(path):
    """Give a temporary name beside ``path``; rename it when the block ends well, remove it when it does not.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "note.txt"
    >>> with whole_file(path) as part:
    ...     _ = part.write_text("all of it")
    >>> path.read_text()
    'all of it'
    """
    path = Path(path)
    part = _beside(path)
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_audio(path, samples, sample_rate: float, *, subtype: str | None = None) -> Path:
    """Write a recording, whole or not at all.

    Parameters
    ----------
    path : str or Path
        Ends in ``.wav`` or ``.flac``.
    samples : array_like, shape (n_samples,) or (n_channels, n_samples)
        Full scale is 1.0.
    sample_rate : float
        Hz, a whole number.
    subtype : {"float", "double", "pcm16", "pcm24", "pcm32"}, optional
        Float (32 bit) if not given, 24 bit for FLAC, which has no float.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    SignalError
        If the samples are no recording, exceed full scale in a PCM format, or the file can't be written.
    RateError
        If the rate is not a whole number of Hz.
    """
    path = check_writable(path, suffixes=AUDIO_SUFFIXES)
    place = Place(str(path))
    samples = np.asarray(samples, dtype=np.float64)
    check_recording(samples, place)
    flac = path.suffix.lower() == ".flac"
    subtype = subtype or ("pcm24" if flac else "float")
    allowed = _FLAC_SUBTYPES if flac else tuple(SUBTYPES)
    if subtype not in allowed:
        raise SignalError(f"{path.suffix} files have no format {subtype!r}", mend=f"Use one of {', '.join(allowed)}.", place=place)
    if not float(sample_rate).is_integer() or not 1 <= sample_rate < 2**31:
        raise RateError(f"a file can't have the sample rate {sample_rate} Hz", mend="Resample to a whole number of Hz.", place=place)
    peak = float(np.max(np.abs(samples)))
    if subtype == "float" and peak > float(np.finfo(np.float32).max):
        raise SignalError(f"the peak {peak:.4g} is beyond what a file of floats can hold", place=place, mend="Look at the circuit, or write subtype double.")
    if subtype.startswith("pcm"):
        if peak > 1.0:
            raise SignalError(f"the peak {peak:.4g} would clip in a {subtype} file", place=place,
                              mend=f"Lower the level by {20 * np.log10(peak):.2f} dB" + ("." if flac else " or write a float file."))
    try:
        with whole_file(path) as part:
            if subtype in ("float", "double"):  # libsndfile would stamp the time of day into float files
                with open(part, "xb") as file:
                    frames = np.ascontiguousarray(samples.T, dtype="<f4" if subtype == "float" else "<f8")
                    file.write(float_wav_header(*np.atleast_2d(samples).shape, frames.itemsize, int(sample_rate)))
                    frames.tofile(file)
            else:
                soundfile.write(part, samples.T, int(sample_rate), subtype=SUBTYPES[subtype], format="FLAC" if flac else "WAV")
    except AmpwrightError:
        raise
    except (OSError, soundfile.SoundFileError, ValueError) as error:
        raise SignalError(f"the file can't be written ({' '.join(str(error).split())})", mend="Check space and format.",
                          place=place) from error
    return path


def float_wav_header(n_channels: int, n_samples: int, width: int, sample_rate: int) -> bytes:
    """What stands before the samples of a WAV file of floats of ``width`` bytes; raises ValueError if the file would be too long for the format.

    References
    ----------
    IBM, Microsoft: Multimedia Programming Interface and Data Specifications 1.0, 1991; Microsoft: New Multimedia Data Types, 1994 (fact, floats).

    Examples
    --------
    >>> len(float_wav_header(1, 48000, 4, 48000))
    58
    """
    step = n_channels * width
    size = n_samples * step
    if size + 50 >= 2**32:
        raise ValueError(f"{size} bytes of samples are too many for a WAV file")
    form = struct.pack("<4sIHHIIHHH", b"fmt ", 18, 3, n_channels, sample_rate, sample_rate * step, step, 8 * width, 0)  # 3: floats; 0: no more follows
    return struct.pack("<4sI4s", b"RIFF", size + 50, b"WAVE") + form + struct.pack("<4sII4sI", b"fact", 4, n_samples, b"data", size)


def resample(samples, from_rate: float, to_rate: float) -> np.ndarray:
    """Change the sample rate with soxr's linear-phase "VHQ" filter; the delay is compensated.

    Parameters
    ----------
    samples : array_like, shape (n_samples,) or (n_channels, n_samples)
    from_rate, to_rate : float
        Hz.

    Returns
    -------
    ndarray
        About ``n_samples * to_rate / from_rate`` samples; a copy if the rates are equal.

    Raises
    ------
    RateError
        If a rate is not positive, or one is more than 512 times the other.

    Examples
    --------
    >>> resample(np.ones(441), 44100, 48000).shape
    (480,)
    """
    if not (from_rate > 0 and to_rate > 0 and np.isfinite(from_rate) and np.isfinite(to_rate)):
        raise RateError(f"can't resample from {from_rate} Hz to {to_rate} Hz", mend="Give positive rates.")
    if not 1.0 / _FURTHEST <= to_rate / from_rate <= _FURTHEST:
        raise RateError(f"resampling from {from_rate:g} Hz to {to_rate:g} Hz is more than {_FURTHEST} times", mend="Check the rate of the file.")
    samples = np.asarray(samples, dtype=np.float64)
    if from_rate == to_rate:
        return samples.copy()
    return np.ascontiguousarray(soxr.resample(np.ascontiguousarray(samples.T), from_rate, to_rate, quality="VHQ").T)
