"""`ampwright compare` as its users meet it: engines, recordings and failures against a target, and what the report then holds."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from check_processor import check_processor
from test_door_commands import RC, command, refused

import ampwright
from ampwright.comparisons import divide, failures, redraw
from ampwright.costs import cost
from ampwright.responses import response
from ampwright.scaled import Scaled
from circuits.errors import CircuitError, SignalError
from circuits.rate import Oversampled
from graybox.blocks import Block, BlockProcessor
from graybox.chain import Static
from graybox.curves import Tanh
from graybox.filters import Gain
from validation import spice
from validation.audio import Audio, read_audio, write_audio
from validation.captures.chain import Chain, Parallel
from validation.captures.impulse import Impulse
from validation.captures.resampled import Resampled
from validation.signals import shipped_phrase

CLIPPER = ("clipper\n*@ input VIN in\n*@ output out\n*@ control r 1k 10k\n.param r=2k2\n.model d d is=2.52n n=1.752\n"
           "VIN in 0 AC 1\nR1 in out {r}\nC1 out 0 10n\nD1 out 0 d\nD2 0 out d\n.end\n")


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with a second of guitar, a clipper and a low-pass."""
    monkeypatch.chdir(tmp_path)
    write_audio("in.wav", 2.0 * shipped_phrase("chords").samples[250000:274000], 48000)
    Path("clipper.cir").write_text(CLIPPER)
    Path("rc.cir").write_text(RC)
    return tmp_path


def test_both_engines_a_recording_and_failures(desk, capsys):
    code, _, err = command(capsys, "simulate", "clipper.cir", "in.wav", "-o", "target.wav")
    assert code == 0, err
    code, out, err = command(capsys, "compare", "in.wav", "--target", "target.wav", "Nodal=clipper.cir", "clipper.cir@engine=wdf",
                             "Soft=clipper.cir@r=9k,oversample=2", "none.cir", "-o", "report", "--format", "html,csv,json", "--no-measure")
    assert code == 3, "one candidate failed, the others were compared"
    assert "none.cir: " in err and "there is no such file" in err
    rows = {row["candidate"]: row for row in csv.DictReader(io.StringIO(Path("report/scores.csv").read_text(encoding="utf-8")))}
    assert set(rows) == {"Nodal", "clipper.cir (engine=wdf)", "Soft", "none.cir"}
    assert float(rows["Nodal"]["esr"]) < 1e-12 and float(rows["clipper.cir (engine=wdf)"]["esr"]) < 1e-12, "32-bit floats of one circuit"
    assert 1e-3 < float(rows["Soft"]["esr"]) < 1.0 and rows["none.cir"]["esr"] == ""
    page = Path("report/report.html").read_text(encoding="utf-8")
    assert f"{float(rows['Soft']['esr']):.3g}" in page and f"{float(rows['Soft']['esr']):.3g}" in out, "page and table print the same figure"
    assert "report/report.html" in out.replace(os.sep, "/")
    content = json.loads(Path("report/comparison.json").read_text(encoding="utf-8"))
    assert len(content["target"]["digest"]) == 64 and content["settings"]["engine"] == "nodal"
    code, again, err = command(capsys, "compare", "report/comparison.json", "-o", "again", "--format", "csv")
    assert code == 3 and Path("again/scores.csv").read_text() == Path("report/scores.csv").read_text()


def test_json_for_programs(desk, capsys):
    code, out, err = command(capsys, "compare", "in.wav", "--target", "rc.cir", "twin=rc.cir", "other=rc.cir@r=5k", "-o", "r", "--format", "csv", "--json",
                             "--align", "latency+gain")
    assert code == 0, err
    found = json.loads(out)
    assert [row["label"] for row in found["candidates"]] == ["twin", "other"] and found["candidates"][0]["scores"]["esr"] < 1e-28
    assert found["alignment"] == "latency+gain" and found["candidates"][1]["aligned"]["gain"] > 0.0


def test_a_recording_upside_down_is_told(desk, capsys):
    dry = read_audio("in.wav").samples
    write_audio("wet.wav", dry, 48000)
    write_audio("turned.wav", -dry, 48000)
    code, out, err = command(capsys, "compare", "in.wav", "--target", "wet.wav", "turned.wav", "-o", "r", "--format", "csv,json")
    assert code == 0 and "turned.wav (doubt)" in out and "doubt: turned.wav: upside down against the target: ESR 4, and under 1e-9 turned over" in err
    told = json.loads(command(capsys, "compare", "r/comparison.json", "-o", "s", "--format", "json", "--json")[1])
    assert "upside down" in told["candidates"][0]["doubts"][0] and told["candidates"][0]["aligned"]["polarity"] == -1
    assert "upside down" in json.loads(Path("r/comparison.json").read_text())["rows"][0]["doubts"][0]


def test_every_mistake_is_one_line(desk, capsys):
    write_audio("stereo.wav", np.ones((2, 4800)), 48000)
    write_audio("silent.wav", np.zeros(4800), 48000)
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("")
    refused(capsys, "no target|--target", "compare", "in.wav", "rc.cir")
    refused(capsys, "at least one candidate", "compare", "in.wav", "--target", "rc.cir")
    refused(capsys, "none.wav|no such file", "compare", "none.wav", "--target", "rc.cir", "rc.cir")
    refused(capsys, "none.cir|no such file", "compare", "in.wav", "--target", "none.cir", "rc.cir")
    refused(capsys, "2 channels|--channel: left, right", "compare", "stereo.wav", "--target", "rc.cir", "rc.cir")
    refused(capsys, "no channel 3|1 to 2", "compare", "stereo.wav", "--target", "rc.cir", "rc.cir", "--channel", "3")
    refused(capsys, "no channel 'up'|left, right", "compare", "stereo.wav", "--target", "rc.cir", "rc.cir", "--channel", "up")
    refused(capsys, "the target silent.wav: the signal is silent", "compare", "in.wav", "--target", "silent.wav", "rc.cir")
    refused(capsys, "holds other files|thesis.txt", "compare", "in.wav", "--target", "rc.cir", "rc.cir", "-o", "mine")
    refused(capsys, "no format 'pdf'", "compare", "in.wav", "--target", "rc.cir", "rc.cir", "--format", "pdf")
    refused(capsys, "no alignment 'maybe'", "compare", "in.wav", "--target", "rc.cir", "rc.cir", "--align", "maybe")
    Path("x.json").write_text("{}")
    refused(capsys, "x.json|no comparison", "compare", "x.json")


def test_a_newcomers_mistakes(desk, capsys):
    """Bad files and bad options: one line that names the thing and the mend, exit code 2, and nothing is left behind."""
    write_audio("flat.wav", np.full(4800, 0.5), 48000)
    write_audio("tiny.wav", read_audio("in.wav").samples[:100], 48000)
    write_audio("silent.wav", np.zeros(24000), 48000)
    soundfile.write("nan.wav", np.r_[np.zeros(1234), np.nan, np.ones(99)], 48000, subtype="FLOAT")
    soundfile.write("empty.wav", np.zeros(0), 48000)
    Path("nothing.wav").write_bytes(b"")
    Path("text.wav").write_text("hello, this is text\n" * 9)
    Path("folder.wav").mkdir()
    Path("bare.cir").write_text("bare\nR1 0 0 1k\n.end\n")
    before = sorted(os.listdir())
    for words, target in (("empty.wav: the recording is empty", "empty.wav"), ("nothing.wav: the file is empty", "nothing.wav"), ("text.wav: this is no recording", "text.wav"),
                          ("nan.wav: sample 1234 is nan", "nan.wav"), ("folder.wav: this is a folder", "folder.wav"), ("none.wav: there is no such file", "none.wav")):
        refused(capsys, words, "compare", "in.wav", "--target", target, "rc.cir")
        refused(capsys, words, "compare", target, "--target", "rc.cir", "rc.cir")
    for words, *rest in (
            ("the target flat.wav: the signal is silent, a constant 0.5", "--target", "flat.wav", "rc.cir"),
            ("only 100 samples are common to all, and 2048 are needed", "--target", "tiny.wav", "tiny.wav"),
            ("the target bare.cir: the circuit has no output|--output", "--target", "bare.cir", "rc.cir"),
            ("the target rc.cir (knob=3): there is no control or parameter 'knob'|There are: r", "--target", "rc.cir@knob=3", "rc.cir"),
            ("a recording has no settings|in.wav@drive=3", "--target", "rc.cir", "in.wav@drive=3"),
            ("'r' is not NAME=VALUE", "--target", "rc.cir", "rc.cir@r"),
            ("an empty text names nothing", "--target", "", "rc.cir"), ("an empty text names nothing", "--target", "rc.cir", ""),
            ("no engine 'magic'|nodal, wdf", "--target", "in.wav", "in.wav", "--engine", "magic"),
            ("oversampling by 3|1, 2, 4, 8, 16", "--target", "in.wav", "in.wav", "--oversample", "3"),
            ("a seed of -1", "--target", "in.wav", "in.wav", "--seed", "-1"), ("a level of nan V", "--target", "in.wav", "in.wav", "--level", "nan"),
            ("segments of 0 s", "--target", "in.wav", "in.wav", "--segment", "0"), ("the folder", "--target", "in.wav", "in.wav", "-o", "no/where"),
            ("this is a file, and a report is a folder", "--target", "in.wav", "in.wav", "-o", "in.wav")):
        refused(capsys, words, "compare", "in.wav", *rest)
    refused(capsys, "the target rc.cir: the dry recording is silent", "compare", "silent.wav", "--target", "rc.cir", "rc.cir")
    refused(capsys, "none.json: there is no such file", "compare", "none.json")
    assert sorted(os.listdir()) == before


def test_what_was_guessed_is_told(desk, capsys):
    Path("bare.cir").write_text("bare\nV1 a 0 AC 1\nR1 a x 1k\nC1 x 0 10n\n.end\n")
    code, _, err = command(capsys, "compare", "in.wav", "--target", "bare.cir", "rc_lowpass", "Mine=bare.cir", "-o", "r", "--format", "csv,json", "--no-measure")
    assert code == 0 and "note: bare.cir: output: x, a guess" in err and "note: Mine: output: x, a guess" in err and "note: rc_lowpass" not in err and "drift" not in err
    assert any("output: x, a guess" in note for note in json.loads(Path("r/comparison.json").read_text())["notes"])


def test_what_is_wrong_in_the_options_is_said_before_the_work(desk, capsys, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("nothing may be rendered for a report that can't be written")
    monkeypatch.setattr("ampwright.comparisons.compare_entries", never)
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("")
    for words, *rest in (("no format 'pdf'", "--format", "pdf"), ("no format is given", "--format", ","), ("no alignment 'maybe'", "--align", "maybe"),
                         ("no engine 'x'", "--engine", "x"), ("holds other files", "-o", "mine"), ("a level of 0 V", "--level", "0")):
        refused(capsys, words, "compare", "in.wav", "--target", "in.wav", "in.wav", *rest)


def test_bad_settings_and_labels_cost_their_own_rows(desk, capsys):
    long = "y" * 10000
    code, out, err = command(capsys, "compare", "in.wav", "--target", "rc.cir", "rc.cir@knob=3", "rc.cir@r=loud", "A=rc.cir", "A=rc.cir@oversample=2", "bad\nred\x1b[31m=rc.cir",
                             f"{long}=rc.cir@r=5k", f"{long}.cir", "-o", "r", "--no-measure")
    assert code == 3 and "rc.cir (knob=3): there is no control or parameter 'knob'" in err and "'loud' is not a number" in err
    assert "A (2)" in out and "bad red [31m" in out and "\x1b" not in out + err and max(map(len, out.splitlines())) < 250, "labels can't command the terminal"
    rows = list(csv.DictReader(io.StringIO(Path("r/scores.csv").read_text(encoding="utf-8"))))
    assert [row["failed"] != "" for row in rows] == [False] * 4 + [True] * 3 and rows[0]["esr"] == "0.0"
    code, again, err = command(capsys, "compare", "r", "-o", "again", "--format", "csv")
    assert code == 3 and Path("again/scores.csv").read_text() == Path("r/scores.csv").read_text(), "a report is drawn again by its folder too"


def test_portraits_of_many_models_keep_their_names(desk, capsys):
    """Captures have no path of their own: pictures and tables call them as the user did."""
    code, out, err = command(capsys, "response", "rc.cir", "clipper.cir", "overdrive", "clipper.cir", "-o", "p", "--json")
    assert code == 0, err
    assert list(json.loads(out)["models"]) == ["rc", "clipper", "overdrive", "clipper (4)"]
    responses = response({"a": "rc.cir", "b": ampwright.load("clipper.cir")})
    assert list(responses) == ["a", "b"] and responses["a"].gain[0] == pytest.approx(0.0, abs=0.1)


def test_from_python(desk):
    dry = read_audio("in.wav")
    circuit = ampwright.load("clipper.cir")
    found = ampwright.compare(dry, circuit, {"same": circuit, "darker": circuit.turn(r=9000.0), "file": "clipper.cir"}, "out", formats=("json",))
    assert {row.label for row in found.rows if row.scores["esr"] == 0.0} == {"same", "file"} and failures(found) == []
    assert found.rows[0].response is not None and found.rows[0].real_time_factor > 0.0
    again = redraw("out/comparison.json", "twice", formats=("csv",))
    assert [row.scores for row in again.rows] == [row.scores for row in found.rows]
    with pytest.raises(SignalError, match="needs a dry recording"):
        ampwright.compare(None, circuit, {"same": circuit})
    lone = ampwright.compare(None, Audio(dry.samples, 48000), {"circuit": circuit, "copy": dry})
    assert "needs a dry recording" in failures(lone)[0] and lone.rows[0].label == "copy"


def test_full_scale_is_a_matter_of_volts(desk, capsys):
    dry = read_audio("in.wav")
    circuit = ampwright.load("clipper.cir")
    loud = ampwright.compare(Audio(dry.samples / 5.0, 48000), Audio(ampwright.simulate("clipper.cir", dry.samples, 48000.0).samples / 5.0, 48000),
                             {"at 5 V": circuit}, level=5.0, measure=False)
    assert loud.rows[0].scores["esr"] < 1e-20
    quiet = ampwright.compare(Audio(dry.samples / 5.0, 48000), Audio(loud.target.samples, 48000), {"at 1 V": circuit}, measure=False)
    assert quiet.rows[0].scores["esr"] > 0.01
    refused(capsys, "a level of -1 V", "compare", "in.wav", "--target", "rc.cir", "rc.cir", "--level", "-1")


def test_a_scaled_circuit_is_a_processor():
    check_processor(lambda: Scaled(ampwright.player(ampwright.load("diode_clipper"), 48000.0), 0.5))


def test_channels_are_chosen_or_mixed(desk, capsys):
    dry = read_audio("in.wav").samples
    write_audio("both.wav", np.stack([dry, 0.5 * np.tanh(3.0 * dry)]), 48000)
    for channel, esr in (("left", 0.0), ("1", 0.0), ("mix", 0.0)):
        target = dry if channel != "mix" else 0.5 * (dry + 0.5 * np.tanh(3.0 * dry))
        found = ampwright.compare(None, Audio(target, 48000.0), {"both": "both.wav"}, channel=channel)
        assert found.rows[0].scores["esr"] == pytest.approx(esr, abs=1e-12), "32-bit floats"
    code, out, err = command(capsys, "compare", "in.wav", "--target", "both.wav", "both.wav", "-o", "r", "--format", "csv", "--channel", "right")
    assert code == 0, err
    code, out, err = command(capsys, "compare", "in.wav", "--target", "in.wav", "both.wav", "in.wav", "-o", "r", "--format", "csv")
    assert code == 3 and "both.wav: the recording has 2 channels" in err, "it costs its own row only"


def test_netlists_without_declarations_take_the_options_of_simulate(desk, capsys):
    Path("bare.cir").write_text("bare\n.param r=1k\nVa a 0 0\nVin in 0 0\nR1 in x {r}\nR2 a x 1k\nC1 x 0 10n\n.end\n")
    Path("two.cir").write_text("two\nVa a 0 AC 1\nVb b 0 AC 1\nR1 a x 1k\nR2 b x 1k\n.end\n")
    code, _, err = command(capsys, "compare", "in.wav", "--target", "two.cir", "rc_lowpass", "-o", "r", "--format", "csv", "--no-measure")
    assert code == 0 and "note: two.cir: input: va, a guess: the first of va, vb; name another by --input" in err
    shutil.rmtree("r")
    code, out, err = command(capsys, "compare", "in.wav", "--target", "bare.cir@r=2k", "same=bare.cir@r=2k", "bare.cir", "rc_lowpass", "-o", "r",
                             "--format", "csv", "--input", "vin", "--output", "x", "--control", "r:100:10k", "--no-measure")
    assert code == 0, err
    rows = {row["candidate"]: row for row in csv.DictReader(io.StringIO(Path("r/scores.csv").read_text(encoding="utf-8")))}
    assert float(rows["same"]["esr"]) == 0.0 and float(rows["bare.cir"]["esr"]) > 1e-3 and "rc_lowpass" in rows, "our own declare theirs"


@pytest.mark.skipif(spice.library() is None, reason="ngspice's shared library is not installed; that it is missing is tested below")
def test_ngspice_is_a_candidate(desk, capsys):
    write_audio("short.wav", read_audio("in.wav").samples[:9600], 48000)
    code, out, err = command(capsys, "compare", "short.wav", "--target", "clipper.cir@oversample=16,r=3k", "ngspice:clipper.cir@r=3k,steps=4", "2x=clipper.cir@oversample=2,r=3k",
                             "wrong=ngspice:short.wav", "-o", "r", "--format", "csv", "--no-measure")
    assert code == 3 and "wrong: ngspice plays netlists" in err and "steps of at most 1/4 sample" in err
    rows = {row["candidate"]: row for row in csv.DictReader(io.StringIO(Path("r/scores.csv").read_text(encoding="utf-8")))}
    assert float(rows["ngspice:clipper.cir (r=3k,steps=4)"]["esr"]) < 1e-8, "an independent solver, and our filters"
    assert float(rows["ngspice:clipper.cir (r=3k,steps=4)"]["real_time_factor"]) > 0.0
    code, out, err = command(capsys, "compare", "short.wav", "--target", "ngspice:clipper.cir", "clipper.cir@oversample=16", "-o", "r", "--format", "csv", "--level", "2")
    assert code == 0, err
    row = next(csv.DictReader(io.StringIO(Path("r/scores.csv").read_text(encoding="utf-8"))))
    assert float(row["esr"]) < 1e-8, "as a target, and in full scale"
    refused(capsys, "steps=0|1 to 64", "compare", "short.wav", "--target", "ngspice:clipper.cir@steps=0", "clipper.cir", "-o", "r")


def test_a_missing_ngspice_costs_its_row(desk, capsys, monkeypatch):
    monkeypatch.setattr(spice, "library", lambda: None)
    code, out, err = command(capsys, "compare", "in.wav", "--target", "rc.cir", "ngspice:rc.cir", "rc.cir@oversample=2", "-o", "r", "--format", "csv", "--no-measure")
    assert code == 3 and "ngspice's shared library is not installed. Install it" in err


def test_costs_are_those_of_closed_forms():
    """Two for a multiplication and an addition; what is counted by hand on small models comes out."""
    three = Impulse([0.5, 0.25, 0.1], 48000.0)
    assert cost(three) == (3.0, 6.0)
    assert cost(Oversampled(Impulse([0.5, 0.25, 0.1], 96000.0), 2)) == (3.0, 12.0 + 4.0 * 225), "225 taps, up and down"
    resampled = Resampled(three, 96000.0)
    assert cost(resampled) == (3.0, 3.0 + 2.0 * (0.5 * resampled.taps[0] + resampled.taps[1]))
    assert cost(Chain([("a", three, 1.0, 1.0), ("b", Parallel([("x", three), ("y", three)]), 1.0, 1.0)], 48000.0)) == (9.0, 19.0)
    block = BlockProcessor(Block((Gain(2.0), Static(Tanh())), 48000.0))
    assert cost(block)[1] == 2.0 * block.n_parameters
    rc = ampwright.player(ampwright.load("rc_lowpass"), 48000.0)
    rc.process(np.ones(480))
    assert cost(rc) == (3.0, 9.0), "R, C and the source; change of the state and output from state and input, and one sum"
    for engine in ("nodal", "wdf"):
        clipper = ampwright.player(ampwright.load("diode_clipper"), 48000.0, engine=engine)
        clipper.process(np.zeros(4800))
        idle = cost(clipper)[1]
        clipper.reset()
        clipper.process(np.sin(np.arange(4800)))
        assert cost(clipper)[1] > idle > 0.0, "it pays for its iterations"
    capture = ampwright.load("overdrive")
    assert cost(capture) == (capture.n_parameters, capture.operations_per_sample)
    assert all(np.isfinite(cost(ampwright.load("clipper")))) and np.isnan(cost(object())[0])


def test_texts_are_divided(desk):
    assert divide("A b=rc.cir@r=1k") == ("A b", "rc.cir", {"r": "1k"})
    assert divide("rc.cir@engine=wdf") == ("rc.cir (engine=wdf)", "rc.cir", {"engine": "wdf"})
    Path("odd=name@x.wav").write_text("")
    assert divide("odd=name@x.wav") == ("odd=name@x.wav", "odd=name@x.wav", {})
    assert divide("L=odd=name@x.wav") == ("L", "odd=name@x.wav", {})
    with pytest.raises(CircuitError, match="'loud' is not NAME=VALUE"):
        divide("rat@loud")
