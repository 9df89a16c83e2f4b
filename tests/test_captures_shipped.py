"""The captures that ship follow the circuits they were made of, on phrases that they were not trained on."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import ampwright as aw
import validation
from validation.captures.linear import linear_share
from validation.plucked import Note, play
from validation.signals import shipped_phrase

FOLDER = Path(validation.__file__).parent / "captures" / "shipped"
NOTES = [Note(0.05 + 0.23 * k, 0.5, string, fret, velocity) for k, (string, fret, velocity) in
         enumerate([(0, 3, 0.9), (1, 5, 0.6), (2, 4, 0.8), (3, 7, 0.5), (4, 8, 0.9), (5, 5, 0.7), (2, 9, 1.0)])]  # of no phrase
MADE_OF = {"overdrive.nam": ("tube_screamer", NOTES, {}, 0.002), "overdrive_lstm.nam": ("tube_screamer", NOTES, {}, 0.006),
           "preamp.nam": ("preamp_2203", "palm-mutes", {}, 0.06),
           "clipper.json": ("diode_clipper", "palm-mutes", {"drive": 0.8}, 0.015)}


@pytest.mark.parametrize("name", MADE_OF)
def test_a_shipped_capture_is_near_its_circuit(name):
    circuit, phrase, positions, limit = MADE_OF[name]
    x = shipped_phrase(phrase).samples[:48000] if isinstance(phrase, str) else play(phrase, 1.8, 48000.0, np.random.default_rng(11))
    target = aw.simulate(circuit, x, 48000.0, oversample=4, controls=positions).samples
    played = aw.simulate(FOLDER / name, x, 48000.0, controls=positions).samples
    error = np.sum((target - played)[4800:] ** 2) / np.sum(target[4800:] ** 2)
    assert error < limit and error < 0.5 * (1.0 - linear_share(x, target)), error


def test_every_shipped_file_stands_beside_its_command():
    told = set(re.findall(r"^\| `([\w.]+)` \| .*`ampwright train .*-o \1", (FOLDER / "README.md").read_text(), re.MULTILINE))
    assert told == {path.name for path in FOLDER.iterdir()} - {"README.md"} == set(MADE_OF)
    assert all((FOLDER / name).stat().st_size < 40_000 for name in told)
