"""Knobs that move while it plays, many variants in one go, and the live host with its deadlines."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import ampwright as aw
from ampwright.automation import GRID, automation_of
from ampwright.commands.live import steer
from ampwright.commands.main import run
from ampwright.hosting import STEPS, Host, paced
from ampwright.simulation import BLOCK
from circuits.errors import CircuitError, SignalError
from validation.audio import read_audio, write_audio

RC = "low-pass\n*@ input VIN in\n*@ output out\n*@ control r 100 10k\n.param r=1k c=100n\nVIN in 0 AC 1\nR1 in out {r}\nC1 out 0 {c}\n.end\n"
DIVIDER = "divider\n*@ input VIN in\n*@ output out\n*@ control r 100 10k\n.param r=1k\nVIN in 0 AC 1\nR1 in out {r}\nR2 out 0 1k\n.end\n"
HEADING = "time,control,position\n"
RATE = 48000.0


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder to work in, with a short recording and two netlists."""
    monkeypatch.chdir(tmp_path)
    write_audio("in.wav", 0.5 * np.sin(np.arange(2400) * 0.1), 48000)
    Path("rc.cir").write_text(RC)
    Path("divider.cir").write_text(DIVIDER)
    return tmp_path


def refused(capsys, words: str, *arguments) -> None:
    """The command must end with code 2 and one line that has these words, and leave no file behind."""
    before = sorted(Path().rglob("*"))
    capsys.readouterr()
    code = run([str(one) for one in arguments])
    out, err = capsys.readouterr()
    assert code == 2 and out == "" and err.startswith("ampwright: ") and err.count("\n") == 1, (code, out, err)
    for word in words.split("|"):
        assert word in err, err
    assert sorted(Path().rglob("*")) == before


# ---- automation

@pytest.mark.parametrize("engine, oversample, late", [("nodal", 1, 0.01), ("nodal", 4, 1), ("wdf", 1, 0.01), ("wdf", 2, 1)])
def test_a_ramp_follows_its_line(desk, engine, oversample, late):
    """A divider of ohms knows no history: its gain at each sample is 1k / (1k + r), r on the line or ``late`` samples off.

    At oversampling the filter rings a little where a step begins.
    """
    moves = [(0.0, "r", 1e3), (0.01, "r", 1e3), (0.04, "r", 3e3)]
    heard = aw.simulate("divider.cir", np.ones(2400), RATE, engine=engine, oversample=oversample, automation=moves).samples
    line = np.interp(np.arange(1, 2401) / RATE, [0.01, 0.04], [1e3, 3e3])
    steepest = np.max(np.abs(np.diff(1e3 / (1e3 + line))))
    inside = slice(200, 2200) if oversample > 1 else slice(None)  # a step of the input rings in the oversampler's filters at both ends
    assert np.max(np.abs(heard - 1e3 / (1e3 + line))[inside]) < late * steepest


def test_a_jump_stands_at_its_sample_and_glides(desk):
    heard = aw.simulate("divider.cir", np.ones(2400), RATE, automation=[(0.01, "r", 3e3), (0.03, "r", 3e3), (0.03, "r", 1e3)]).samples
    assert np.allclose(heard[:480], 0.5, atol=1e-12) and heard[480] < 0.5
    assert np.allclose(heard[480 + 2 * GRID:1440], 0.25, atol=1e-9) and np.allclose(heard[1440 + 2 * GRID:], 0.5, atol=1e-9)
    assert np.max(np.abs(np.diff(heard))) < 0.02, "no step is heard"


def test_lines_in_any_order_and_blocks_of_any_size(desk, monkeypatch):
    moves = [(0.04, "r", 5e3), (0.002, "r", 300.0)]
    tone = read_audio("in.wav").samples
    whole = aw.simulate("rc.cir", tone, RATE, automation=moves).samples
    monkeypatch.setattr("ampwright.simulation.BLOCK", 100)
    assert BLOCK != 100 and np.array_equal(aw.simulate("rc.cir", tone, RATE, automation=moves[::-1]).samples, whole)


def test_automation_from_a_table(desk, capsys):
    Path("moves.csv").write_text("# a sweep\n" + HEADING + "0.04, r, 5k\n\n2m,r,300\n")
    assert [(move.seconds, move.control, move.position, move.place.line) for move in automation_of("moves.csv")] == [(0.04, "r", 5e3, 3), (0.002, "r", 300.0, 5)]
    write_audio("two.wav", np.stack([read_audio("in.wav").samples] * 2), 48000)
    assert run(["simulate", "rc.cir", "two.wav", "-o", "out.wav", "--automate", "moves.csv", "--json"]) == 0
    both = read_audio("out.wav").samples
    expected = aw.simulate("rc.cir", "in.wav", automation=[(0.04, "r", 5e3), (0.002, "r", 300.0)]).samples
    assert np.allclose(both[0], expected, atol=1e-7)
    assert np.array_equal(both[0], both[1]), "the second channel begins with the controls as they were"


@pytest.mark.parametrize("text, words", [
    (HEADING + "0.1,rr,5\n", "moves.csv, line 2|rr|Controls: r"), (HEADING + "0.1,r\n", "moves.csv, line 2|2 cells"),
    (HEADING + "0,r,200\n-1,r,200\n", "moves.csv, line 3|-1"), (HEADING + "0.1,r,5\n", "moves.csv, line 2|out of range"),
    (HEADING + "nan,r,200\n", "moves.csv, line 2|nan"), (HEADING + "0.1,r,high\n", "moves.csv, line 2|high"),
    ("0.1,r,200\n0.2,r,300\n", "moves.csv, line 1|time,control,position"), (HEADING, "no lines"), ("", "no lines")])
def test_automation_is_read_strictly(desk, capsys, text, words):
    Path("moves.csv").write_text(text)
    refused(capsys, words, "simulate", "rc.cir", "in.wav", "-o", "no.wav", "--automate", "moves.csv")


def test_automation_without_its_table(desk, capsys):
    refused(capsys, "none.csv", "simulate", "rc.cir", "in.wav", "-o", "no.wav", "--automate", "none.csv")
    with pytest.raises(CircuitError, match="nan"):
        aw.simulate("rc.cir", np.zeros(10), RATE, automation=[(0.0, "r", float("nan"))])
    with pytest.raises(SignalError, match="16 MiB|can't be read"):
        automation_of(".")


# ---- variants

def test_variants_are_named_by_their_table(desk, capsys):
    Path("table.csv").write_text("name,r,c\ndark,10k,100n\nbright,1k,10n\n")
    assert run(["simulate", "rc.cir", "in.wav", "-o", "out.wav", "--variants", "table.csv"]) == 0
    assert "r=10000 c=1e-07" in capsys.readouterr().out
    for name, values in (("dark", {"r": 10e3, "c": 1e-7}), ("bright", {"r": 1e3, "c": 1e-8})):
        assert np.allclose(read_audio(f"out-{name}.wav").samples, aw.simulate("rc.cir", "in.wav", controls=values).samples, atol=1e-7)


@pytest.mark.parametrize("text, words", [
    ("name,r\na,1k\nb,5\n", "table.csv, line 3|out of range"), ("r,nope\n1k,1\n", "table.csv, line 2|nope"), ("name,r\na,1k\nA,2k\n", "table.csv, line 3|twice"),
    ("name,r\n../a,1k\n", "table.csv, line 2|file name"), ("r\nhigh\n", "table.csv, line 2|high"), ("r,R\n1k,2k\n", "table.csv, line 1|column")])
def test_variants_are_read_strictly(desk, capsys, text, words):
    Path("table.csv").write_text(text)
    refused(capsys, words, "simulate", "rc.cir", "in.wav", "-o", "no.wav", "--variants", "table.csv")


# ---- the live host

class Clockwork:
    """A processor whose blocks take a told time on a clock of its own."""

    def __init__(self, works):
        self.now, self.works, self.sample_rate, self.controls, self.calls = 0.0, list(works), 64000.0, {}, 0

    def process(self, samples):
        self.calls += 1
        if self.calls > 8:  # those before the start are not measured
            self.now += self.works[self.calls - 9]
        return samples

    def reset(self):
        self.now = 0.0

    def sleep(self, seconds):
        self.now += seconds


def test_a_paced_run_counts_what_comes_too_late():
    """Blocks of 1 ms: one of 1.5 ms is a miss that the buffer hides, one of 3.5 ms is heard, and the card starts anew behind it."""
    works = [0.25e-3] * 100
    works[20], works[60] = 1.5e-3, 3.5e-3
    machine = Clockwork(works)
    pace = paced(machine, np.ones(100), 0.1, clock=lambda: machine.now, sleep=machine.sleep)
    assert (pace.blocks, pace.misses, pace.dropouts, pace.worst_block) == (100, 2, 1, 60)
    assert pace.deadline == pytest.approx(1e-3) and pace.p50 == pytest.approx(0.25e-3) and pace.worst == pytest.approx(3.5e-3)
    assert pace.p999 == pytest.approx(np.quantile(works, 0.999))
    slow = Clockwork([1.9e-3] * 50)
    pace = paced(slow, np.ones(64), 0.05, clock=lambda: slow.now, sleep=slow.sleep)
    assert pace.misses == 50 and pace.dropouts == 49, "the first is hidden by the buffer, all others are heard"


def test_paced_from_the_command_line(desk, capsys):
    Path("moves.csv").write_text(HEADING + "0.1,r,300\n0.2,r,5k\n")
    assert run(["live", "rc.cir", "--paced", "0.3", "--play", "in.wav", "--automate", "moves.csv", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["blocks"] == 225 and told["deadline"] == pytest.approx(64 / RATE) and 0.0 < told["p50"] <= told["p999"] <= told["worst"]
    assert 0 <= told["misses"] <= 225 and told["run"]["samples"] == 225 * 64
    assert run(["live", "rc.cir", "--paced", "0.1", "--play", "in.wav"]) == 0
    out = capsys.readouterr().out
    assert all(word in out for word in ("deadlines missed", "xruns", "p50", "p99.9", "worst"))


def test_live_without_its_extra_or_a_terminal(desk, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    refused(capsys, "sounddevice|ampwright[live]|--paced", "live", "rc.cir")
    monkeypatch.setitem(sys.modules, "sounddevice", SimpleNamespace())
    monkeypatch.setattr("sys.stdin", open("rc.cir", encoding="utf-8"))
    with sys.stdin:
        refused(capsys, "terminal", "live", "rc.cir")
    refused(capsys, "--paced", "live", "rc.cir", "--paced", "0")
    refused(capsys, "--paced only", "live", "rc.cir", "--json")


def test_a_hand_on_the_knobs_while_a_card_plays(desk):
    host = Host(aw.player(aw.load("divider.cir"), RATE), level=2.0)
    ones, out = np.ones((64, 1)), np.empty((64, 2))
    host.callback(ones, out, 64, None, False)
    assert np.allclose(out, 0.5)
    lines = []
    steer(host, iter(["", "l", "\x1b[C", "h", "k", "q", "l"]), lines.append)
    assert host.controls["r"].position == pytest.approx(1e3 + 9900.0 / STEPS) and ">r" in lines[-1]
    for number in range(40):
        before = out[-1, 0]
        host.callback(ones, out, 64, None, number == 5)
        assert np.max(np.abs(np.diff(out[:, 0], prepend=before))) < 1e-3, "no step is heard"
    assert np.allclose(out[-1], 1.0 / (2.0 + 9.9 / STEPS), atol=1e-6) and (host.blocks, host.dropouts, host.failures) == (41, 1, 0)
    host.turn("r", 1000)
    assert host.controls["r"].position == 10e3
    host.callback(np.full((64, 1), np.nan), out, 64, None, False)
    assert host.failures == 1 and not out.any()


# ---- the next start

def test_a_long_run_of_the_generic_kernel_compiles_for_the_next(desk, capsys, monkeypatch):
    compiled = []
    monkeypatch.setattr("circuits.nodal.compiled.is_compiled", lambda model: False)
    monkeypatch.setattr("circuits.nodal.compiled.compile_aside", compiled.append)
    assert not aw.simulate("rc.cir", "in.wav").compiling and not compiled
    monkeypatch.setattr("ampwright.simulation.LONG", 0.0)
    assert run(["simulate", "rc.cir", "in.wav", "-o", "out.wav", "--oversample", "2"]) == 0
    assert capsys.readouterr().err.count("next start") == 1 and compiled[0].ports == ()
    assert not aw.simulate("rc.cir", "in.wav", engine="wdf").compiling and not aw.simulate("rc.cir", "in.wav", ahead=False).compiling
    assert len(compiled) == 1


def test_workers_that_stand_elsewhere_find_the_recording(desk, monkeypatch):
    Path("table.csv").write_text("name,r\ndark,10k\nbright,1k\n")
    command = ["simulate", "rc.cir", "in.wav", "-o", "out.wav", "--variants", "table.csv"]
    assert run(command) == 0  # starts the workers, here
    other = desk / "other"
    other.mkdir()
    for name in ("rc.cir", "table.csv"):
        (other / name).write_bytes(Path(name).read_bytes())
    (other / "only-here.wav").write_bytes(Path("in.wav").read_bytes())
    monkeypatch.chdir(other)
    assert run([*command[:2], "only-here.wav", *command[3:]]) == 0
    assert (other / "out-dark.wav").exists() or list(other.glob("out*dark*.wav"))
