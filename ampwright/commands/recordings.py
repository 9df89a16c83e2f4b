"""Files that a command will write: refused before the work starts, and written all or none."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Mapping

import numpy as np

from circuits.errors import Place, SignalError
from validation.audio import AUDIO_SUFFIXES, SUBTYPES, check_writable, whole_file, write_audio


def destinations(out: Path, recording: Path, probes: list[str], subtype: str | None) -> list[Path]:
    """The output's path and one beside it for each probe.

    Raises
    ------
    SignalError
        If one can't be written, is the input itself, or the format does not go with the suffix.
    """
    names = ["".join(letter if letter.isalnum() or letter in "_#." else "-" for letter in probe.lower()).strip("-") for probe in probes]
    files = [out, *(out.with_name(f"{out.stem}-{name}{out.suffix}") for name in names)]
    for file in files:
        check_writable(file, suffixes=AUDIO_SUFFIXES)
        if file.exists() and recording.exists() and file.samefile(recording):
            raise SignalError("this is the recording that is read", place=Place(str(file)), mend="Give the output another name.")
    if len(dict.fromkeys(files)) < len(files):
        raise SignalError("two probes have the same name", mend="Name each node once.")
    allowed = ("pcm16", "pcm24") if out.suffix.lower() == ".flac" else tuple(SUBTYPES)
    if subtype is not None and subtype not in allowed:
        raise SignalError(f"{out.suffix} files have no format {subtype!r}", place=Place(str(out)), mend=f"Use one of {', '.join(allowed)}.")
    return files


def write_all(signals: Mapping[Path, np.ndarray], sample_rate: float, *, subtype: str | None = None, peak: float | None = None) -> dict[Path, float]:
    """Write recordings, all or none; returns the factor that each was scaled by (1.0 without ``peak``).

    Parameters
    ----------
    signals : mapping of Path to ndarray
    sample_rate : float
        Hz.
    subtype : str, optional
        As `validation.audio.write_audio`.
    peak : float, optional
        Level in dB of full scale that the largest sample gets; a silent signal stays as it is.

    Raises
    ------
    SignalError
        If one can't be written, or would clip; then none is left.
    """
    if peak is not None and not -120.0 <= peak <= 0.0 and any(file.suffix.lower() == ".flac" for file in signals):
        raise SignalError(f"a peak of {peak:g} dBFS does not fit a FLAC file", mend="Give a level from -120 to 0.")
    gains = {}
    with ExitStack() as stack:
        for file, samples in signals.items():
            largest = float(np.max(np.abs(samples)))
            gains[file] = 10.0 ** (peak / 20.0) / largest if peak is not None and largest > 0.0 else 1.0
            part = stack.enter_context(whole_file(file))
            written = part.with_suffix(file.suffix)  # the suffix tells the format
            stack.callback(written.unlink, missing_ok=True)
            try:
                write_audio(written, samples * gains[file], sample_rate, subtype=subtype)
            except SignalError as error:
                mend = "Scale it with --peak -1, or write a float WAV." if "clip" in error.what else error.mend
                raise SignalError(error.what, place=Place(str(file)), mend=mend) from None
            written.replace(part)
    return gains
