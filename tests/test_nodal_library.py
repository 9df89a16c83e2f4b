"""The nodal engine against ngspice on every schematic that ships: at rest, in frequency, and in sound.

Rest and gain are stored in tests/golden/points.json, half a second of plucked notes in tests/golden/<name>.npz, both with the commands
that made them. The sound is compared at oversampling 8 up to 20 kHz, where the filters of both sides are flat, over the
first tenth of a second; the whole of it is a matter for `python tests/golden/compare.py`.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from circuits.nodal.processor import NodalProcessor
from circuits.nodal.response import frequency_response
from circuits.rate import Oversampled
from netlists.reader import read
from validation import spice

TESTS = Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS), str(TESTS / "golden")]

import compare  # noqa: E402
import make  # noqa: E402
import turned  # noqa: E402

POINTS = json.loads((TESTS / "golden" / "points.json").read_text())["decks"]
DECKS = make.decks()
GOLDEN = sorted(DECKS)


def test_every_schematic_has_its_point():
    assert set(POINTS) == {name for name in DECKS if not name.startswith("bench_")}


@pytest.mark.parametrize("name", sorted(POINTS))
def test_rest_and_gain(name):
    stored, path = POINTS[name], DECKS[name]
    assert stored["sha256"] == make.digest(path.read_text(encoding="ascii")), "the deck has changed: run python tests/golden/make_points.py"
    circuit = read(path)
    rest = NodalProcessor(circuit, 48_000.0).operating_point.voltages
    for node, volts in stored["volts"].items():
        # ngspice adds 1e-15 S across each junction; a JFET's gate on a megohm feels it, at 1e-8 V
        assert rest[node] == pytest.approx(volts, rel=1e-7, abs=3e-8), node
    expected = np.array(stored["gain"]) @ np.array([1.0, 1.0j])
    found = np.atleast_2d(frequency_response(circuit, np.array(stored["frequencies"])))[0]
    size = np.max(np.abs(expected))
    if size < 1e-12:  # the ring modulator without its carrier lets nothing through
        assert np.max(np.abs(found)) < 1e-9
    else:
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * size)


@pytest.mark.parametrize("name", GOLDEN)
def test_sound(name):
    count, factor = 4800, 8
    stored, level = compare.golden(name)
    player = Oversampled(NodalProcessor(read(DECKS[name]), factor * make.SAMPLE_RATE), factor)
    found = compare.play(player, level * make.notes()[:count])
    assert player.run.bad_samples == 0
    assert compare.esr(stored[:count], found) < 1e-5


@pytest.mark.skipif(spice.library() is None, reason="ngspice's shared library is not installed")
@pytest.mark.parametrize("name", ["tube_screamer", "fuzz_face", "ring_modulator"])
def test_sound_with_controls_turned(name):
    ratio, bad, said = turned.against_ngspice(name, np.random.default_rng(11))
    assert bad == 0, said
    assert ratio < 1e-5, said
