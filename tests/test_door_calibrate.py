"""Calibration through the door: twins that our solver played with other values are recovered within the intervals told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import ampwright as aw
from ampwright.commands.main import run
from circuits.errors import FitError
from graybox.blocks import Block
from graybox.chain import Static
from graybox.checks import SHORTEST
from graybox.curves import Spline
from graybox.store import load as load_block
from graybox.store import save
from validation.audio import Audio, write_audio

RATE = 48000.0
CLIPPER = """Resistor, capacitor and a pair of diodes, driven by a gain
*@ input VIN in
*@ output out
.param r=47k is=2.52n drive=2
VIN in 0 DC 0 AC 1
Edrv drv 0 in 0 {drive}
R1 drv out {r}
C1 out 0 2.2n
D1 out 0 dm
D2 0 out dm
.model dm D(IS={is} N=1.752 RS=0.568)
.end
"""


def plucked(seconds: float, level: float = 0.5) -> np.ndarray:
    rng = np.random.default_rng(3)
    n = int(seconds * RATE)
    x = 0.002 * rng.standard_normal(n)
    for start in range(0, n, 4800):
        t = np.arange(n - start) / RATE
        f = 82.4 * 2 ** (rng.integers(0, 30) / 12)
        x[start:] += sum(np.sin(2 * np.pi * f * k * t + rng.random()) / k for k in range(1, 12)) * np.exp(-8.0 * t)
    return level * x / np.abs(x).max()


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A clipper's netlist, what was played, and what a clipper with other values gave to a recorder of its own gain and delay."""
    monkeypatch.chdir(tmp_path)
    Path("clipper.cir").write_text(CLIPPER)
    x = plucked(1.5)
    y = aw.simulate("clipper.cir", x, RATE, controls={"r": 53e3, "is": 4e-9, "drive": 3.1}).samples
    noise = 1e-3 * np.random.default_rng(4).standard_normal(len(y))
    write_audio("dry.wav", x, 48000, subtype="float")
    write_audio("wet.wav", np.concatenate([np.zeros(40), 1.7 * y + 0.02 + noise])[:len(y)], 48000, subtype="float")
    return tmp_path


def test_a_clippers_values_are_found_within_their_intervals(desk, capsys):
    assert run(["calibrate", "clipper.cir", "dry.wav", "wet.wav", "--free", "R,is,drive", "-o", "found.cir", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    truth = {"r": 53e3, "is": 4e-9, "drive": 3.1}
    for one in told["estimates"]:
        assert abs(one["value"] - truth[one["name"]]) < 1.5 * one["half_width"] < 0.1 * truth[one["name"]], one
    recorder = {one["name"]: one["value"] for one in told["recorder"]}
    assert recorder["gain"] == pytest.approx(1.7, rel=5e-3) and recorder["offset"] == pytest.approx(0.02, abs=1e-3)
    assert told["shift"] + recorder["delay"] == pytest.approx(40.0, abs=0.02)
    assert max(told["held_out_esr"]) < 1e-3
    x = plucked(0.4, 0.8)
    found = aw.simulate("found.cir", x, RATE).samples
    real = aw.simulate("clipper.cir", x, RATE, controls=truth).samples
    assert np.sum((found - real) ** 2) / np.sum(real**2) < 1e-4
    assert run(["calibrate", "clipper.cir", "dry.wav", "wet.wav", "--free", "R1,dm.is,drive"]) == 0  # by the element and the card
    shown = capsys.readouterr().out
    assert "r1" in shown and "dm.is" in shown and "recorder's delay" in shown and "half seconds kept out" in shown


def test_a_tube_stage_of_the_library(desk):
    """Two components of a circuit with a tube, a twin of other values; nothing of a recorder."""
    circuit = aw.load("common_cathode")
    x = plucked(0.5, 2.0)
    truth = {"r4": 1.2e3, "r3": 120e3}
    real = replace(circuit, elements=tuple(replace(e, value=truth[e.name.lower()]) if e.name.lower() in truth else e for e in circuit.elements))
    y = aw.simulate(real, x, RATE).samples + 1e-3 * np.random.default_rng(5).standard_normal(len(x))
    found = aw.calibrate("common_cathode", Audio(x, RATE), Audio(y, RATE), ["r4", "r3"], recorder=())
    for one in found.estimates:
        assert abs(one.value - truth[one.name]) < 1.5 * one.half_width < 0.1 * truth[one.name], one
    assert {e.name.lower(): e.value for e in found.circuit.elements if e.name.lower() in truth} == {one.name: one.value for one in found.estimates}


def test_a_law_is_learned_inside_its_circuit(desk, capsys):
    """A pair of diodes as a spline: first another pair's, then what the recording of a circuit with the real one says."""
    def pair(saturation: float) -> Block:
        v = np.linspace(-0.9, 0.9, 4001)
        current = 2.0 * saturation * np.sinh(v / (1.752 * 0.025864))
        weight = 1.0 / (saturation + np.abs(current))
        basis = Spline(-0.9, 0.9, (0.0,) * 19).jet(v)[2] * weight[:, None]
        return Block((Static(Spline(-0.9, 0.9, tuple(np.linalg.lstsq(basis, current * weight, rcond=None)[0].tolist()))),), RATE)

    def clipper(law: str) -> str:
        return CLIPPER.replace("D1 out 0 dm\nD2 0 out dm\n", f'D1 out 0 law="{law}"\n').replace(".model dm D(IS={is} N=1.752 RS=0.568)\n", "")

    for name, saturation in (("pair", 2.52e-9), ("real", 20e-9)):
        save(pair(saturation), f"{name}.json")
        Path(f"{name}.cir").write_text(clipper(f"{name}.json"))
    x = plucked(0.3)
    y = aw.simulate("real.cir", x, RATE).samples
    write_audio("x.wav", x, 48000, subtype="float")
    write_audio("y.wav", y, 48000, subtype="double")
    assert run(["calibrate", "pair.cir", "x.wav", "y.wav", "--free", "d1.law", "-o", "found.cir", "--recorder", "none", "--json"]) == 0
    capsys.readouterr()
    esr = lambda name, y: float(np.sum((aw.simulate(name, x, RATE).samples - y) ** 2) / np.sum(y**2))  # noqa: E731
    assert esr("pair.cir", y) > 0.01 and esr("found.cir", y) < 1e-5
    Path("again.cir").write_text(clipper("found.d1.json"))
    assert esr("again.cir", aw.simulate("found.cir", x, RATE).samples) < 1e-12  # the law is the same in both files
    volts = np.linspace(0.8 * y.min(), 0.8 * y.max(), 20)
    law, real = (load_block(name).stages[0].curve.value(volts) for name in ("found.d1.json", "real.json"))
    assert np.allclose(law, real, atol=0.02 * real.max())
    assert run(["calibrate", "pair.cir", "x.wav", "y.wav", "--free", "d2.law"]) == 2
    assert "Did you mean d1.law?" in capsys.readouterr().err


def test_refusals(desk, capsys):
    def refused(words, *arguments):
        assert run(["calibrate", *arguments, "-o", "found.cir"]) == 2
        err = capsys.readouterr().err
        assert err.count("\n") == 1 and all(word in err for word in words.split("|")), err
        assert not Path("found.cir").exists()

    refused("no number 'rr'|Did you mean", "clipper.cir", "dry.wav", "wet.wav", "--free", "rr")
    refused("no number is free", "clipper.cir", "dry.wav", "wet.wav", "--free", ",")
    refused("twice", "clipper.cir", "dry.wav", "wet.wav", "--free", "r,R")
    refused("recorder|phase", "clipper.cir", "dry.wav", "wet.wav", "--free", "r", "--recorder", "phase")
    refused("recording of the real circuit", "clipper.cir", "dry.wav", "diode_clipper", "--free", "r")
    write_audio("noise.wav", np.random.default_rng(7).standard_normal(72000), 48000)
    refused("belong", "clipper.cir", "dry.wav", "noise.wav", "--free", "r")
    Path("idle.cir").write_text(CLIPPER.replace(".end", "R9 idle 0 1k\n.end"))
    refused("r9 changes nothing", "idle.cir", "dry.wav", "wet.wav", "--free", "r9")
    with pytest.raises(FitError, match=f"{SHORTEST} is the least"):
        aw.calibrate("clipper.cir", Audio(plucked(0.1), RATE), Audio(plucked(0.1), RATE), ["r"])
