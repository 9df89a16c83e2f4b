"""The golden results are what they say: made from the decks that ship, right where a closed form exists, repeatable.

The maker of references (validation/spice.py) is itself tested first: its filters, its interpolation, and a circuit whose answer is known.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import bilinear, lfilter

from circuits.errors import ModelFileError
from netlists.reader import read_text
from netlists.writer import write
from validation import spice

TESTS = Path(__file__).resolve().parent
sys.path[:0] = [str(TESTS), str(TESTS / "golden")]

import make  # noqa: E402

NAMES = sorted(make.decks())
needs_ngspice = pytest.mark.skipif(spice.library() is None, reason="ngspice's shared library is not installed")


def esr(target, estimate):
    return float(np.sum((target - estimate) ** 2) / np.sum(target**2))


def load(name):
    with np.load(TESTS / "golden" / f"{name}.npz") as stored:
        return stored["output"], json.loads(str(stored["about"]))


def test_filters_leave_the_band_alone():
    t = np.arange(9600) / 48_000.0
    window = np.hanning(len(t))
    for frequency in (20.0, 440.0, 9_000.0, 20_500.0):
        tone = window * np.sin(2 * np.pi * frequency * t + 0.3)
        fine = np.arange(16 * len(t)) / (16 * 48_000.0)
        exact = (0.5 - 0.5 * np.cos(2 * np.pi * fine * 48_000.0 / (len(t) - 1))) * np.sin(2 * np.pi * frequency * fine + 0.3)
        inner = slice(16 * 100, -16 * 100)  # a window that stands still at both ends needs nothing from outside
        assert esr(exact[inner], spice.raised(tone)[inner]) < 1e-12
        assert esr(tone[100:-100], spice.lowered(exact)[100:-100]) < 1e-12
    loud = np.sin(2 * np.pi * 25_000.0 * np.arange(16 * 4800) / (16 * 48_000.0))
    assert np.max(np.abs(spice.lowered(loud)[400:-400])) < 1e-6


def test_interpolation_on_uneven_times():
    rng = np.random.default_rng(1)
    times = np.cumsum(np.concatenate([[0.0], rng.uniform(0.2, 1.0, 20_000) / 768_000.0]))
    at = np.linspace(times[10], times[-10], 5_000)
    assert esr(np.sin(2 * np.pi * 20_000 * at), spice.interpolated(at, times, np.sin(2 * np.pi * 20_000 * times))) < 1e-14


def test_missing_parameter_is_said():
    with pytest.raises(ValueError, match="no .param drvie"):
        spice.render("title\n*@ input VIN in\n*@ output in\nVIN in 0 SIN(0 1 1)\n.end\n", np.zeros(10), settings={"drvie": 1.0})


@needs_ngspice
def test_a_refused_deck_says_why():
    with pytest.raises(ModelFileError, match="(?i)unknown|model|error"):
        spice.render("title\n*@ input VIN in\n*@ output in\nVIN in 0 SIN(0 1 1)\nR1 in 0 1k\nD1 in 0 NOSUCH\n.end\n", np.zeros(480))


@needs_ngspice
@pytest.mark.parametrize("title", ["*ng_script", ".title *ng_script", "*#shell touch TOUCHED"])
@pytest.mark.parametrize("gap", ["\x0b", "\u2028"])
def test_ngspice_runs_no_command_of_a_deck(tmp_path, title, gap):
    """Under a title *ng_script each line is a command; and a label must not become lines."""
    touched = tmp_path / "touched"
    label = gap.join(["x", ".control", f"shell touch {touched}", ".endc", "*"])
    deck = (f"{title}\n*@ input VIN in\n*@ output out\n*@ control k 1 2 label=\"{label}\"\n.param k=1\nVIN in 0 0\nR1 in out 1k\nR2 out 0 {{k*1k}}\n"
            "shell touch owned in 0 swx\nR3 touch owned 1k\nR4 touch 0 1k\n.model swx sw(ron=1 roff=1meg vt=500m)\n.end\n").replace("TOUCHED", str(touched))
    for text in (deck, write(read_text(deck))):
        np.testing.assert_allclose(spice.render(text, np.full(480, 0.2))[200:400], 0.1, rtol=1e-4)
    assert not touched.exists()


@needs_ngspice
def test_reference_equals_closed_form():
    t = np.arange(4800) / 48_000.0
    frequency, amplitude = np.array([110.0, 440.0, 1000.0, 2000.0]), np.array([0.5, 0.3, 0.2, 0.1])
    phase = np.exp(2j * np.pi * np.outer(frequency, t))
    transfer = 1.0 / (1.0 + 2j * np.pi * frequency * 4.7e3 * 47e-9)
    expected = amplitude @ np.imag(transfer[:, None] * phase)
    found = spice.render(str(make.LIBRARY / "rc_lowpass.cir"), amplitude @ np.imag(phase))
    inner = slice(1000, -400)  # the start transient has died away; the filter's end is not reached
    assert esr(expected[inner], found[inner]) < 1e-8


@needs_ngspice
def test_a_stored_result_comes_out_again():
    stored, about = load("diode_clipper")
    count = 2400
    again = spice.render(str(make.LIBRARY / "diode_clipper.cir"), about["level"] * make.notes()[:count])
    assert esr(stored[:count - 300], again[:count - 300]) < 1e-9


@pytest.mark.parametrize("name", NAMES)
def test_golden_belongs_to_its_deck(name):
    output, about = load(name)
    text = make.decks()[name].read_text(encoding="ascii")
    assert about["sha256"] == make.digest(text), f"the deck has changed: run {about['command']}"
    assert about["level"] == make.drive(name, text)
    assert output.dtype == np.float32 and output.shape == make.notes().shape
    assert np.isfinite(output).all() and np.ptp(output) > 0.01
    assert (TESTS / "golden" / f"{name}.npz").stat().st_size < 200_000


def bilinear_reference(numerator, denominator, level):
    """A linear circuit at 768 kHz by the trapezoidal rule: nothing of ngspice in it."""
    rate = 16 * 48_000.0
    b, a = bilinear(numerator, denominator, rate)
    return spice.lowered(lfilter(b, a, spice.raised(level * make.notes())))


def test_golden_rc_and_rlc_equal_their_closed_forms():
    stored, about = load("rc_lowpass")
    assert esr(bilinear_reference([1.0], [4.7e3 * 47e-9, 1.0], about["level"]), stored) < 1e-8
    stored, about = load("rlc")
    resistor = 200 + 1900 * float(about["settings"]["width"])
    inductance, capacitance = 0.5, 10e-9
    assert esr(bilinear_reference([resistor * capacitance, 0.0], [inductance * capacitance, (15 + resistor) * capacitance, 1.0],
                                  about["level"]), stored) < 1e-8
