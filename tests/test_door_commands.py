"""The command line as its users meet it: what works, and every mistake as one line, exit code 2 and no output file."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

import ampwright as aw
from ampwright.commands.main import run
from validation.audio import read_audio, write_audio

ROOT = Path(__file__).resolve().parents[1]
RC = "low-pass\n*@ input VIN in\n*@ output out\n*@ control r 100 10k\n.param r=1k c=100n\nVIN in 0 AC 1\nR1 in out {r}\nC1 out 0 {c}\n.end\n"


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder to work in, with a short recording and a netlist."""
    monkeypatch.chdir(tmp_path)
    write_audio("in.wav", 0.5 * np.sin(np.arange(2400) * 0.1), 48000)
    Path("rc.cir").write_text(RC)
    return tmp_path


def command(capsys, *arguments) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    capsys.readouterr()
    code = run([str(one) for one in arguments])
    return code, *capsys.readouterr()


def refused(capsys, words: str, *arguments, code: int = 2) -> str:
    """The command must fail with one line that has these words, and leave no file behind."""
    before = sorted(Path().rglob("*"))
    found, out, err = command(capsys, *arguments)
    assert found == code, (found, out, err)
    assert err.startswith("ampwright: ") and err.count("\n") == 1 and err.endswith("\n"), err
    assert out == ""
    for word in words.split("|"):
        assert word in err, err
    assert sorted(Path().rglob("*")) == before, "a failed command left a file"
    return err


def simulated(capsys, *arguments):
    code, out, err = command(capsys, "simulate", *arguments, "-o", "out.wav", "--json")
    assert code == 0, err
    return json.loads(out), read_audio("out.wav")


# ---- what works

def test_simulate_low_pass(desk, capsys):
    report, audio = simulated(capsys, "rc.cir", "in.wav")
    assert audio.sample_rate == 48000 and audio.n_samples == 2400
    assert report["run"]["samples"] == 2400 and report["run"]["converged"] and report["samples"] == 2400
    # amplitude of a first-order low-pass at the warped frequency of the trapezoidal rule
    gain = 1.0 / np.hypot(1.0, 2 * 48000 * np.tan(0.05) * 1e-4)
    steady = audio.samples[1200:]
    basis = np.stack([np.sin(np.arange(1200, 2400) * 0.1), np.cos(np.arange(1200, 2400) * 0.1)])
    assert np.hypot(*np.linalg.lstsq(basis.T, steady, rcond=None)[0]) == pytest.approx(0.5 * gain, rel=1e-5)


def test_set_turns_a_control_and_sets_a_parameter(desk, capsys):
    _, plain = simulated(capsys, "rc.cir", "in.wav")
    _, darker = simulated(capsys, "rc.cir", "in.wav", "--set", "r=10k")
    _, same = simulated(capsys, "rc.cir", "in.wav", "--set", "R=10k", "--set", "c=10n")
    assert darker.samples.std() < 0.3 * plain.samples.std()
    assert np.allclose(same.samples, plain.samples, atol=1e-7)


def test_oversampling_is_aligned(desk, capsys):
    _, plain = simulated(capsys, "rc.cir", "in.wav", "--set", "r=100")
    report, fine = simulated(capsys, "rc.cir", "in.wav", "--set", "r=100", "--oversample", 8)
    assert report["latency_removed"] == 112 and fine.n_samples == plain.n_samples
    assert np.max(np.abs(fine.samples - plain.samples)[200:-200]) < 2e-3


def test_stereo_probes_and_tail(desk, capsys):
    left, right = np.random.default_rng(3).uniform(-0.5, 0.5, (2, 1000))
    write_audio("two.wav", np.stack([left, right]), 96000)
    report, both = simulated(capsys, "rc.cir", "two.wav", "--probe", "in", "--tail", "0.01")
    assert both.n_channels == 2 and both.sample_rate == 96000 and both.n_samples == 1960 and report["channels"] == 2
    probe = read_audio("out-in.wav")
    assert np.allclose(probe.samples[:, :1000], [left, right], atol=1e-7) and not probe.samples[:, 1000:].any()
    write_audio("one.wav", right, 96000)
    _, alone = simulated(capsys, "rc.cir", "one.wav", "--tail", "0.01")
    assert np.array_equal(alone.samples, both.channel(1)), "each channel starts from rest"


def test_probes_of_every_spelling(desk, capsys):
    simulated(capsys, "rc.cir", "in.wav", "--probe", "V(In, Out)", "--probe", "out", "--probe", "in")
    out, again, source = (read_audio(name).samples for name in ("out.wav", "out-out.wav", "out-in.wav"))
    across = read_audio(next(str(path) for path in Path().glob("out-*in*out*.wav"))).samples
    assert np.array_equal(out, again) and np.allclose(across, source - out, atol=1e-7)


def test_volts_and_full_scale(desk, capsys):
    Path("loud.cir").write_text(RC.replace("*@ output out", "*@ output out\n*@ level 10").replace("C1 out 0 {c}", "C1 out 0 {c}\nD1 out 0 DX")
                                .replace(".end", ".model DX D(IS=1n)\n.end"))
    _, volts = simulated(capsys, "loud.cir", "in.wav")
    _, scaled = simulated(capsys, "loud.cir", "in.wav", "--full-scale")
    _, level = simulated(capsys, "loud.cir", "in.wav", "--level", "1")
    assert np.array_equal(level.samples, volts.samples)
    assert -0.1 < scaled.samples.max() < 0.1 < volts.samples.max(), "at 10 V the diode clips to a twentieth of full scale"


def test_flac_pcm_and_peak(desk, capsys):
    code, out, err = command(capsys, "simulate", "rc.cir", "in.wav", "-o", "out.flac", "--peak", "-6")
    assert code == 0 and "out.flac" in out and "dB" in out and "real time" in out, err
    assert soundfile.info("out.flac").subtype == "PCM_24"
    assert np.max(np.abs(read_audio("out.flac").samples)) == pytest.approx(10 ** (-6 / 20), rel=1e-5)
    soundfile.write("eight.wav", np.sin(np.arange(500) * 0.05) * 0.5, 22050, subtype="PCM_U8")
    report, audio = simulated(capsys, "rc.cir", "eight.wav", "--subtype", "pcm24", "--rate", "44100")
    assert soundfile.info("out.wav").subtype == "PCM_24" and audio.n_samples == 1000
    assert any("22050" in note for note in report["notes"])


def test_input_output_and_control_flags(desk, capsys):
    Path("bare.cir").write_text("bare\nVa a 0 AC 1\nVb b 0 AC 1\nRa a x 1k\nRb b x {rb}\n.param rb=1k\n")
    report, audio = simulated(capsys, "bare.cir", "in.wav", "--input", "va", "--output", "x", "--control", "rb:100:10k:log", "--set", "rb=10k")
    assert np.allclose(audio.samples, read_audio("in.wav").samples * 10 / 11, atol=1e-7)


def test_library_lists_and_prints(desk, capsys):
    code, out, _ = command(capsys, "library")
    assert code == 0 and "tube_screamer" in out and "drive tone level" in out
    books = json.loads(command(capsys, "library", "--json")[1])
    assert len(books) >= 16 and all(book["title"] and book["source"] and book["listen"] for book in books)
    assert command(capsys, "library", "Tube-Screamer")[1] == (ROOT / "netlists/library/tube_screamer.cir").read_text()


def test_inspect_tells_elements_rest_and_blocks(desk, capsys):
    seen = json.loads(command(capsys, "inspect", "tube_screamer", "--json")[1])
    assert seen["input"] == "vin" and seen["outputs"] == ["out"] and sum(seen["blocks"]) == len(seen["ports"])
    assert seen["voltages"]["vcc"] == pytest.approx(9.0) and seen["voltages"]["vref"] == pytest.approx(4.5, abs=0.1)
    part = next(part for part in seen["parts"] if part["name"] == "rdrive")
    assert part["follows"] == ["drive"] and part["value"].endswith("ohm") and part["line"] > 0
    code, out, _ = command(capsys, "inspect", "rc.cir")
    assert code == 0 and "100n F" in out and "Operating point" in out


def test_engines_agree_and_the_tree_is_shown(desk, capsys):
    _, nodal = simulated(capsys, "diode_clipper", "in.wav", "--oversample", 2)
    report, waves = simulated(capsys, "diode_clipper", "in.wav", "--oversample", 2, "--engine", "wdf")
    assert report["engine"] == "wdf" and np.max(np.abs(nodal.samples - waves.samples)) < 1e-5 and np.max(np.abs(waves.samples)) > 0.3
    tree = json.loads(command(capsys, "inspect", "rc.cir", "--engine", "wdf", "--json")[1])["tree"]
    assert tree[0]["depth"] == 0 and {leaf[0] for branch in tree for leaf in branch["leaves"]} >= {"r1", "c1", "vin"}
    resistances = {leaf[0]: leaf[2] for branch in tree for leaf in branch["leaves"]}
    assert resistances["r1"] == pytest.approx(1e3) and resistances["c1"] == pytest.approx(1.0 / (2 * 48000 * 1e-7)), "T/2C"
    code, out, _ = command(capsys, "inspect", "rc.cir", "--engine", "wdf")
    assert code == 0 and "Wave Digital Filter" in out
    refused(capsys, "spice|nodal, wdf", "inspect", "rc.cir", "--engine", "spice")


def test_response_measures_and_draws(desk, capsys):
    code, out, err = command(capsys, "response", "rc.cir", "diode_clipper", "-o", "pictures", "--json")
    assert code == 0, err
    told = json.loads(out)
    one = told["models"]["rc"]
    f, measured, analogue = (np.array(one[name]) for name in ("frequencies", "gain", "analogue_gain"))
    warped = 48000.0 / np.pi * np.tan(np.pi * f / 48000.0)  # the trapezoidal rule's frequency
    assert np.allclose(measured, -10 * np.log10(1 + (2e-4 * np.pi * warped) ** 2), atol=1e-3)
    assert np.allclose(analogue, -10 * np.log10(1 + (2e-4 * np.pi * f) ** 2), atol=1e-6)
    assert len(told["pictures"]) == 5 and all(Path(path).read_bytes().startswith(b"\x89PNG") for path in told["pictures"].values())
    code, out, _ = command(capsys, "response", "rc.cir")
    assert code == 0 and "1000 Hz" in out and "-1.4" in out
    refused(capsys, "no such file", "response", "diode_clipper", "missing.cir", "-o", "elsewhere")


def test_program_and_module_agree(desk):
    ran = subprocess.run([sys.executable, "-m", "ampwright", "--version"], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0 and ran.stdout.startswith("ampwright ")


def test_help_names_every_command_and_is_light():
    code = "import sys; from ampwright.commands.main import run; run(['--help']); sys.exit(any(n in sys.modules for n in ('numpy', 'numba', 'scipy', 'rich.console')))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, "help pays for something heavy"
    assert all(name in ran.stdout for name in ("simulate", "inspect", "response", "library", "demo"))


def test_import_is_light():
    code = "import sys, ampwright; sys.exit('numpy' in sys.modules or 'typer' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


# ---- every mistake

@pytest.mark.parametrize("deck, words", [
    ("R1 in out 1k\nD1 out 0 1N41448\n.model 1N4148 D\n", "bad.cir, line 5|1n41448|1n4148"),
    ("R1 in out 1k\n.subckt amp a b\nR2 a b 1k\n", "bad.cir, line 5|.ends"),
    ("X1 in out loop\n.subckt loop a b\nX2 a b loop\n.ends\n", "bad.cir, line|loop"),
    ("R1 in out {nowhere}\n", "bad.cir, line 4|nowhere"),
    (".param z=0\nR1 in out {1/z}\n", "bad.cir, line|zero"),
    ("R1 in out 1k\nV2 in 0 DC 1\n", "v2|loop"),
    ("R1 in out {__import__('os').system('touch owned')}\n", "bad.cir, line 4, column"),
    ("R1 in\n", "bad.cir, line 4|r1"),
    ("R1 in out 1k\nR1 out 0 1k\n", "bad.cir, line 5|r1"),
])
def test_bad_netlists(desk, capsys, deck, words):
    Path("bad.cir").write_text("bad\n*@ output out\nVIN in 0 AC 1\n" + deck)
    err = refused(capsys, "", "simulate", "bad.cir", "in.wav", "-o", "out.wav")
    assert all(word in err.lower() for word in words.lower().split("|")), err


@pytest.mark.parametrize("deck, words", [
    ("R1 in out 1k\nR2 out 0 1k\nR3 x y 1k\nC3 x y 1n\n", "nodes x, y have no connection to ground"),
    ("R1 in out 1k\n.include ../../secret.lib\n", "secret.lib|folder"),
])
def test_what_is_mended_is_told(desk, capsys, deck, words):
    """An island gets its ground, an include outside the folder is not opened; both are said."""
    Path("odd.cir").write_text("odd\n*@ output out\nVIN in 0 AC 1\n" + deck)
    code, _, err = command(capsys, "simulate", "odd.cir", "in.wav", "-o", "out.wav")
    assert code == 0 and all(word in err for word in words.split("|")), err


def test_no_input_lists_the_candidates(desk, capsys):
    Path("bad.cir").write_text("bad\nV1 a 0 AC 1\nV2 b 0 AC 1\nR1 a out 1k\nR2 b out 1k\n")
    refused(capsys, "--input|v1, v2", "simulate", "bad.cir", "in.wav", "-o", "out.wav", "--strict")
    code, _, err = command(capsys, "simulate", "bad.cir", "in.wav", "-o", "out.wav")
    assert code == 0 and "input: v1, a guess: the first of v1, v2; name another by --input" in err
    Path("bad.cir").write_text("bad\nVIN a 0 AC 1\nR1 a 0 1k\nV2 b 0 1\nR2 b c 1k\nR3 c 0 1k\n")
    refused(capsys, "--output|a, b, c", "simulate", "bad.cir", "in.wav", "-o", "out.wav", "--strict")
    code, _, err = command(capsys, "simulate", "bad.cir", "in.wav", "-o", "out.wav")
    assert code == 0 and "output: c, a guess: no way leads from a source to any node" in err and "nodes: a, b, c" in err
    Path("bad.cir").write_text("bad\nVIN a 0 AC 1\nR1 a b 1k\nR2 b 0 1k\n")
    code, _, err = command(capsys, "simulate", "bad.cir", "in.wav", "-o", "out.wav")
    assert code == 0 and "output: b, a guess: the node farthest from the input; name another by --output; nodes: a, b" in err


def test_billion_laughs(desk, capsys):
    levels = "".join(f".subckt s{k} a b\n" + "".join(f"X{n} a b s{k + 1}\n" for n in range(10)) + ".ends\n" for k in range(9))
    Path("bad.cir").write_text("bad\n*@ output out\nVIN in 0 AC 1\nX1 in out s0\n" + levels + ".subckt s9 a b\nR1 a b 1k\n.ends\n")
    begun = time.process_time()
    refused(capsys, "bad.cir", "simulate", "bad.cir", "in.wav", "-o", "out.wav")
    assert time.process_time() - begun < 30.0


def test_bad_recordings(desk, capsys):
    Path("empty.wav").write_bytes(b"")
    Path("text.wav").write_text("this is no music")
    soundfile.write("none.wav", np.zeros(0), 48000)
    soundfile.write("nan.wav", np.array([0.0, np.nan, 0.0], dtype=np.float32), 48000, subtype="FLOAT")
    Path("folder").mkdir()
    for name, words in (("empty.wav", "empty"), ("text.wav", "text.wav|WAV or FLAC"), ("none.wav", "none.wav|empty"), ("nan.wav", "nan.wav|sample 1"),
                        ("missing.wav", "missing.wav|no such file"), ("folder", "folder")):
        refused(capsys, words, "simulate", "rc.cir", name, "-o", "out.wav")


def test_what_a_beginner_mistypes(desk, capsys):
    refused(capsys, "single-note: there is no such file. Did you mean single-notes?", "simulate", "rc.cir", "single-note", "-o", "out.wav")
    refused(capsys, "riff: there is no such file. Give a WAV or FLAC file, or one of single-notes, chords", "simulate", "rc.cir", "riff", "-o", "out.wav")
    for name in ("empty.toml", "empty.json", "empty.nam"):
        Path(name).write_text("\n")
        refused(capsys, f"{name}: the chain has no stage. Write [[stage]]" if name == "empty.toml" else f"{name}: is not JSON: the file is empty", "inspect", name)


def test_a_chain_tells_its_stages_in_words(desk, capsys):
    Path("rig.toml").write_text('sample_rate = 48000\n[[stage]]\nload = "rc.cir"\n[[stage]]\nload = "rc.cir"\nname = "waves"\nsettings = { engine = "wdf" }\n')
    code, out, err = command(capsys, "inspect", "rig.toml")
    assert code == 0 and "rc (nodal), waves (wdf)" in out, out + err


def test_bad_outputs(desk, capsys):
    Path("folder").mkdir()
    refused(capsys, "nowhere", "simulate", "rc.cir", "in.wav", "-o", "nowhere/out.wav")
    refused(capsys, "folder", "simulate", "rc.cir", "in.wav", "-o", "folder")
    refused(capsys, "out.mp3|.wav or .flac", "simulate", "rc.cir", "in.wav", "-o", "out.mp3")
    refused(capsys, "in.wav|another name", "simulate", "rc.cir", "in.wav", "-o", "in.wav")
    refused(capsys, "out.flac|pcm24", "simulate", "rc.cir", "in.wav", "-o", "out.flac", "--subtype", "float")
    write_audio("hot.wav", np.full(100, 3.0), 48000)
    refused(capsys, "out.flac|clip|--peak", "simulate", "rc.cir", "hot.wav", "-o", "out.flac", "--probe", "in")


def test_bad_flags(desk, capsys):
    def bad(words, *more):
        return refused(capsys, words, "simulate", "rc.cir", "in.wav", "-o", "out.wav", *more)

    bad("out of range|100 to 10000", "--set", "r=5")
    bad("rr|Did you mean r?", "--set", "rr=5")
    bad("--set r|NAME=VALUE", "--set", "r")
    bad("abc|not a number", "--set", "r=abc")
    bad("engine|nodal", "--engine", "spice")
    bad("oversampling by 3|1, 2, 4, 8", "--oversample", "3")
    bad("probe|Did you mean out?", "--probe", "outt")
    bad("tail", "--tail", "-1")
    bad("level", "--level", "0")
    bad("sample rate", "--rate", "-5")
    bad("--control", "--control", "r:1")
    bad("--nonsense", "--nonsense")
    refused(capsys, "-o|simulate --help", "simulate", "rc.cir", "in.wav")
    refused(capsys, "INPUT", "simulate", "rc.cir")
    refused(capsys, "smulate", "smulate")


def test_bad_models(desk, capsys):
    Path("folder").mkdir()
    Path("model.xyz").write_text("x")
    for name, words in (("tube_screemer", "Did you mean tube_screamer?"), ("rcc.cir", "rcc.cir|Did you mean rc.cir?"), ("folder", "folder"),
                        ("model.xyz", ".xyz|.cir"), ("zzzzqqqq", "ampwright library")):
        refused(capsys, words, "simulate", name, "in.wav", "-o", "out.wav")
        refused(capsys, words, "inspect", name)
    refused(capsys, "tube_screamer", "library", "tube_screemer")


def test_numbers_without_sense_are_exit_code_one(desk, capsys):
    Path("wild.cir").write_text("wild\n*@ output out\nVIN in 0 AC 1\nE1 out 0 VALUE={exp(exp(V(in)))*exp(exp(V(in)))}\nR1 in 0 1k\nR2 out 0 1k\n")
    write_audio("hot.wav", np.full(50, 1e4), 48000)
    refused(capsys, "finite", "simulate", "wild.cir", "hot.wav", "-o", "out.wav", code=1)
    Path("wild.cir").write_text("wild\n*@ output out\nVIN in 0 AC 1\nE1 out 0 VALUE={exp(exp(V(in)))}\nR1 in 0 1k\nR2 out 0 1k\n")
    refused(capsys, "beyond what a file of floats can hold", "simulate", "wild.cir", "hot.wav", "-o", "out.wav")


def test_interrupt_leaves_no_file(desk):
    write_audio("long.wav", 0.1 * np.sin(np.arange(48000 * 600) * 0.05), 48000)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    # what a shell starts in the background ignores SIGINT, and so would its children
    with subprocess.Popen([sys.executable, "-m", "ampwright", "simulate", "tube_screamer", "long.wav", "-o", "out.wav", "--oversample", "8"],
                          env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)) as child:
        try:
            time.sleep(3.0)
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=120)
        finally:
            child.kill()
    # a shell reports both as 130: Python ends by the signal itself if it arrived within an exec, as importing a dataclass has one
    assert child.returncode in (130, -signal.SIGINT) and "interrupted" in err and "Traceback" not in err, err
    assert sorted(path.name for path in Path().iterdir()) == ["in.wav", "long.wav", "rc.cir"]


# ---- models that are no netlists

def linear_capture(path: str, taps: list[float], rate: float = 48000.0) -> None:
    """A .nam file that is a plain filter."""
    Path(path).write_text(json.dumps({"version": "0.5.0", "architecture": "Linear", "config": {"receptive_field": len(taps), "bias": False},
                                      "weights": taps, "sample_rate": rate}))


def test_simulate_an_impulse_response_and_a_capture(desk, capsys):
    write_audio("cab.wav", np.array([0.5, 0.25, 0.125]), 48000)
    heard = read_audio("in.wav").samples
    expected = np.convolve(heard, [0.5, 0.25, 0.125])[:2400]
    _, audio = simulated(capsys, "cab.wav", "in.wav")
    assert np.allclose(audio.samples, expected, atol=1e-7)
    linear_capture("amp.nam", [0.5, 0.25, 0.125])
    report, audio = simulated(capsys, "amp.nam", "in.wav")
    assert np.allclose(audio.samples, expected, atol=1e-6) and not report["notes"]
    linear_capture("other.nam", [1.0], 44100.0)
    report, audio = simulated(capsys, "other.nam", "in.wav")
    assert np.allclose(audio.samples[100:-100], heard[100:-100], atol=1e-4) and "44100" in report["notes"][0]
    refused(capsys, "44100|48000", "simulate", "other.nam", "in.wav", "-o", "no.wav", "--rate-strict")
    refused(capsys, "slim|netlist", "simulate", "rc.cir", "in.wav", "-o", "no.wav", "--slim", "0.5")
    refused(capsys, "--probe", "simulate", "amp.nam", "in.wav", "-o", "no.wav", "--probe", "x")
    Path("broken.nam").write_text("{")
    refused(capsys, "broken.nam", "simulate", "broken.nam", "in.wav", "-o", "no.wav")


def test_simulate_a_chain_and_turn_its_stages(desk, capsys):
    linear_capture("amp.nam", [0.5])
    write_audio("cab.wav", np.array([0.0, 1.0]), 48000)
    Path("rig.toml").write_text('sample_rate = 48000\n[[stage]]\nload = "rc.cir"\n[[stage]]\nload = "amp.nam"\noutput_db = 6.020599913279624\n'
                                '[[stage]]\nload = "cab.wav"\n')
    _, pedal = simulated(capsys, "rc.cir", "in.wav", "--set", "r=4k")
    _, rig = simulated(capsys, "rig.toml", "in.wav", "--set", "rc.r=4k")
    assert np.allclose(rig.samples[1:], pedal.samples[:-1], atol=1e-6)
    seen = json.loads(command(capsys, "inspect", "rig.toml", "--json")[1])
    assert [stage.split()[0] for stage in seen["stages"]] == ["rc", "amp", "cab"] and seen["controls"][0]["name"] == "rc.r"
    refused(capsys, "rig.toml", "simulate", "rig.toml", "in.wav", "-o", "rig.wav", "--slim", "1")


def test_inspect_a_capture(desk, capsys):
    linear_capture("amp.nam", [0.5, 0.1])
    seen = json.loads(command(capsys, "inspect", "amp.nam", "--json")[1])
    assert seen["architecture"] == "Linear" and seen["parameters"] == 2 and seen["linear_share"] == pytest.approx(1.0, abs=1e-6)
    code, out, _ = command(capsys, "inspect", "amp.nam")
    assert code == 0 and "Linear" in out


def test_inspect_writes_a_deck_that_plays_the_same(desk, capsys):
    assert command(capsys, "inspect", "tube_screamer", "--write-netlist", "plain.cir", "--set", "drive=0.3")[0] == 0
    _, written = simulated(capsys, "plain.cir", "in.wav")
    _, shipped = simulated(capsys, "tube_screamer", "in.wav", "--set", "drive=0.3")
    assert np.allclose(written.samples, shipped.samples, atol=1e-6) and np.max(np.abs(shipped.samples)) > 0.05
    linear_capture("amp.nam", [0.5])
    refused(capsys, "no circuit|--write-netlist", "inspect", "amp.nam", "--write-netlist", "no.cir")
    refused(capsys, "nowhere", "inspect", "rc.cir", "--write-netlist", "nowhere/no.cir")
    refused(capsys, "no capture", "inspect", "rc.cir", "--write-nam", "no.nam")


def test_variants_of_one_model(desk, capsys):
    Path("table.csv").write_text("r, c\n1k, 100n\n10k, 100n\n1k, 10n\n")
    code, out, err = command(capsys, "simulate", "rc.cir", "in.wav", "-o", "out.wav", "--variants", "table.csv", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert [Path(one["path"]).name for one in told] == ["out-001.wav", "out-002.wav", "out-003.wav"] and not Path("out.wav").exists()
    for number, (r, c) in enumerate((("1k", "100n"), ("10k", "100n"), ("1k", "10n")), 1):
        alone = aw.simulate("rc.cir", "in.wav", controls={"r": r, "c": c})
        assert np.allclose(read_audio(f"out-{number:03d}.wav").samples, alone.samples, atol=1e-7)
    for text, words in (("r\n5\n", "out of range"), ("r,c\n1k\n", "table.csv, line 2"), ("r\n", "no lines"), ("nope\n1\n", "nope")):
        Path("table.csv").write_text(text)
        refused(capsys, words, "simulate", "rc.cir", "in.wav", "-o", "no.wav", "--variants", "table.csv")
