"""`ampwright compare` as its users meet it: engines, recordings and failures against a target, and what the report then holds."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path

import numpy as np
import pytest
from check_processor import check_processor
from test_door_commands import RC, command, refused

import ampwright
from ampwright.comparisons import divide, failures, redraw
from ampwright.scaled import Scaled
from circuits.errors import CircuitError, SignalError
from validation.audio import Audio, read_audio, write_audio
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


def test_every_mistake_is_one_line(desk, capsys):
    write_audio("stereo.wav", np.ones((2, 4800)), 48000)
    write_audio("silent.wav", np.zeros(4800), 48000)
    Path("mine").mkdir()
    Path("mine/thesis.txt").write_text("")
    refused(capsys, "no target|--target", "compare", "in.wav", "rc.cir")
    refused(capsys, "at least one candidate", "compare", "in.wav", "--target", "rc.cir")
    refused(capsys, "none.wav|no such file", "compare", "none.wav", "--target", "rc.cir", "rc.cir")
    refused(capsys, "none.cir|no such file", "compare", "in.wav", "--target", "none.cir", "rc.cir")
    refused(capsys, "2 channels|--channel 1", "compare", "stereo.wav", "--target", "rc.cir", "rc.cir")
    refused(capsys, "no channel 3|1 to 2", "compare", "stereo.wav", "--target", "rc.cir", "rc.cir", "--channel", "3")
    refused(capsys, "silent", "compare", "in.wav", "--target", "silent.wav", "rc.cir")
    refused(capsys, "holds other files|thesis.txt", "compare", "in.wav", "--target", "rc.cir", "rc.cir", "-o", "mine")
    refused(capsys, "no format 'pdf'", "compare", "in.wav", "--target", "rc.cir", "rc.cir", "--format", "pdf")
    refused(capsys, "no alignment 'maybe'", "compare", "in.wav", "--target", "rc.cir", "rc.cir", "--align", "maybe")
    Path("x.json").write_text("{}")
    refused(capsys, "x.json|no comparison", "compare", "x.json")


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


def test_texts_are_divided(desk):
    assert divide("A b=rc.cir@r=1k") == ("A b", "rc.cir", {"r": "1k"})
    assert divide("rc.cir@engine=wdf") == ("rc.cir (engine=wdf)", "rc.cir", {"engine": "wdf"})
    Path("odd=name@x.wav").write_text("")
    assert divide("odd=name@x.wav") == ("odd=name@x.wav", "odd=name@x.wav", {})
    assert divide("L=odd=name@x.wav") == ("L", "odd=name@x.wav", {})
    with pytest.raises(CircuitError, match="'loud' is not NAME=VALUE"):
        divide("rat@loud")
