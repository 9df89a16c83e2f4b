"""At the audio rate itself, without oversampling: errors against ngspice stay below those of the best prototype known, circuit by circuit.

References are the stored ones of tests/golden (ngspice, 16 steps a sample), compared up to 20 kHz over half a second of plucked notes at 0.7 V.
The bench decks lie beside the tree on the machines that have them; schematics that ship stand in for them everywhere.
"""

import sys
from pathlib import Path

import pytest

from circuits.nodal.processor import NodalProcessor
from netlists.reader import read

TESTS = Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS), str(TESTS / "golden")]

import compare  # noqa: E402
import make  # noqa: E402

# error-to-signal ratio at 1x that a prototype of the same method, without guards or controls, reached on the eight bench decks
PROTOTYPE = {
    "bench_1_rc_lowpass": 2.1e-6, "bench_2_diode_clipper": 7.2e-6, "bench_3_bassman_tonestack": 8.9e-6, "bench_4_triode_cc": 7.6e-6,
    "bench_5_ts_clipper": 1.6e-3, "bench_6a_fuzz_face": 4.3e-3, "bench_6b_big_muff": 6.6e-4, "bench_7_jcm800_preamp": 6.3e-3,
}
TWINS = {"rc_lowpass": 2.1e-6, "diode_clipper": 7.2e-6, "tonestack_bassman": 8.9e-6, "common_cathode": 7.6e-6, "tube_screamer": 1.6e-3,
         "fuzz_face": 4.3e-3, "big_muff": 6.6e-4, "preamp_2203": 6.3e-3}
DECKS = make.decks()


@pytest.mark.parametrize("name, bound", [item for item in (PROTOTYPE | TWINS).items() if item[0] in DECKS])
def test_error_at_the_audio_rate(name, bound):
    stored, level = compare.golden(name)
    player = NodalProcessor(read(DECKS[name]), make.SAMPLE_RATE)
    found = compare.play(player, level * make.notes())
    assert player.run.bad_samples == 0
    assert compare.esr(stored, found) <= bound
