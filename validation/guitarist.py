"""The guitarist who played the phrases that ship: single notes, chords, palm mutes, each time a little different.

``python -m validation.guitarist --output DIR`` writes the phrases of ``validation/phrases/`` again. Apart from `validation.signals`, which reads them,
so that who only reads them does not wait for scipy.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from circuits.errors import SignalError
from validation.audio import write_audio
from validation.plucked import Note, play
from validation.signals import PHRASES

_SEED = 1983  # the year of the extended Karplus-Strong algorithm; the shipped files are made with it


def _single_notes(rng: np.random.Generator) -> list[Note]:
    """A line in E minor over all six strings, quarter to sixteenth notes, from soft to hard."""
    line = ((0, 0), (0, 3), (1, 0), (1, 2), (2, 0), (2, 2), (3, 0), (3, 2), (4, 0), (4, 3), (5, 0), (5, 3),
            (5, 12), (5, 15), (4, 12), (4, 15), (3, 14), (3, 12), (2, 14), (2, 12), (1, 14), (0, 12), (0, 3), (0, 0))
    lengths = (2, 2, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2, 4, 2, 2, 1, 1, 1, 1, 2, 2, 2, 2, 8)
    notes, at = [], 0.05
    for k, ((string, fret), length) in enumerate(zip(line, lengths)):
        duration = 0.21 * length
        velocity = float(np.clip(0.35 + 0.6 * k / len(line) + 0.06 * rng.standard_normal(), 0.2, 1.0))
        notes.append(Note(at + 0.004 * rng.random(), duration * 0.94, string, fret, velocity, pick=0.12 + 0.1 * rng.random()))
        at += duration
    return notes


_SHAPES = {"E": (0, 2, 2, 1, 0, 0), "A": (None, 0, 2, 2, 2, 0), "D": (None, None, 0, 2, 3, 2), "G": (3, 2, 0, 0, 0, 3),
           "C": (None, 3, 2, 0, 1, 0), "Em": (0, 2, 2, 0, 0, 0), "E5": (0, 2, 2, None, None, None),
           "G5": (3, 5, 5, None, None, None), "A5": (None, 0, 2, 2, None, None)}


def _strum(shape: str, at: float, duration: float, velocity: float, rng: np.random.Generator, *, palm: float = 0.0, up: bool = False):
    strings = [(string, fret) for string, fret in enumerate(_SHAPES[shape]) if fret is not None]
    for k, (string, fret) in enumerate(reversed(strings) if up else strings):
        late = k * (0.006 if palm else 0.013) + 0.003 * rng.random()
        hard = float(np.clip(velocity * (1.0 + 0.08 * rng.standard_normal()), 0.1, 1.0))
        yield Note(at + late, duration - late - 0.02, string, fret, hard, palm, 0.14 + 0.06 * rng.random())


def _chords(rng: np.random.Generator) -> list[Note]:
    """Open chords: strummed, let ring, soft to hard, ending in a long E major."""
    notes, at = [], 0.05
    for k, (shape, length, velocity) in enumerate((
            ("Em", 1.3, 0.35), ("C", 1.3, 0.45), ("G", 0.65, 0.6), ("G", 0.65, 0.5), ("D", 1.3, 0.65),
            ("A", 0.65, 0.8), ("A", 0.325, 0.6), ("A", 0.325, 0.85), ("E5", 0.65, 0.95), ("G5", 0.65, 0.95), ("E", 2.6, 1.0))):
        notes += _strum(shape, at, length, velocity, rng, up=k in (3, 6))
        at += length
    return notes


def _palm_mutes(rng: np.random.Generator) -> list[Note]:
    """Chugging eighths on the low E string between power chords, at 140 beats a minute."""
    notes, at, beat = [], 0.05, 60.0 / 140.0
    for bar in range(6):
        for eighth in range(8):
            accent = eighth in ((0, 3, 6) if bar % 2 == 0 else (0, 5))
            if accent:
                shape = ("E5", "G5", "A5")[(bar + eighth) % 3]
                notes += _strum(shape, at, beat / 2.0, 0.9, rng, palm=0.15 if eighth else 0.0)
            else:
                hard = float(np.clip(0.75 + 0.08 * rng.standard_normal(), 0.3, 1.0))
                notes.append(Note(at + 0.003 * rng.random(), beat / 2.0 - 0.01, 0, 0 if bar < 3 else 1, hard,
                                  0.8 + 0.2 * rng.random(), 0.1 + 0.04 * rng.random()))
            at += beat / 2.0
    return notes


_PLAYERS = {"single-notes": _single_notes, "chords": _chords, "palm-mutes": _palm_mutes}


def phrase(name: str, sample_rate: float, rng: np.random.Generator) -> np.ndarray:
    """Play one of the guitar phrases on the plucked-string model.

    Parameters
    ----------
    name : {"single-notes", "chords", "palm-mutes"}
    sample_rate : float
        Hz.
    rng : numpy.random.Generator
        The hand of the player: small variations of time, force and place.

    Returns
    -------
    ndarray, shape (n_samples,)
        At least 10 s, peak 0.5.

    Raises
    ------
    SignalError
        For an unknown name.

    Examples
    --------
    >>> phrase("reggae", 48000.0, np.random.default_rng(1))
    Traceback (most recent call last):
    circuits.errors.SignalError: there is no phrase 'reggae'. Phrases: single-notes, chords, palm-mutes.
    """
    if name not in _PLAYERS:
        raise SignalError(f"there is no phrase {name!r}", mend=f"Phrases: {', '.join(PHRASES)}.")
    notes = _PLAYERS[name](rng)
    end = max(note.start + note.duration for note in notes)
    return play(notes, max(10.0, end + 0.1), sample_rate, rng)


def make_shipped_phrase(name: str) -> np.ndarray:
    """Make a shipped phrase again, at 48 kHz; the files hold it rounded to 24 bits."""
    return phrase(name, 48000.0, np.random.default_rng([_SEED, PHRASES.index(name)]))


def write_phrases(folder) -> list[Path]:
    """Write all phrases as 24-bit FLAC into a folder and return their paths."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return [write_audio(folder / f"{name}.flac", make_shipped_phrase(name), 48000, subtype="pcm24") for name in PHRASES]


def main(arguments=None) -> None:
    """Command line: write the shipped phrases again."""
    parser = argparse.ArgumentParser(prog="python -m validation.guitarist", description=write_phrases.__doc__)
    parser.add_argument("--output", required=True, help="folder to write to")
    write_phrases(parser.parse_args(arguments).output)


if __name__ == "__main__":
    main()
