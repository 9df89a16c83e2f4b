"""What the writer writes, ngspice runs with our result: every schematic that ships, the decks of features, and parts that only we have."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import fftconvolve, firwin

from circuits.circuit import Circuit
from circuits.nodal.equations import assemble
from circuits.nodal.operating import operating_point
from circuits.nodal.processor import NodalProcessor
from circuits.nodal.response import frequency_response
from circuits.rate import Oversampled
from netlists import library
from netlists.reader import read, read_text
from netlists.writer import write
from test_netlists_features import FEATURES, HEAD
from validation import spice

NGSPICE = shutil.which("ngspice")
pytestmark = pytest.mark.skipif(NGSPICE is None, reason="ngspice is not installed")


def columns(deck: str, command: str, vectors: list[str], folder: Path) -> np.ndarray:
    """Vectors after a command, shape (len(vectors), n)."""
    body = deck.rstrip().removesuffix(".end").rstrip() + "\n"
    control = f".control\nset wr_singlescale\nset numdgt=15\n{command}\nwrdata result.txt {' '.join(vectors)}\n.endc\n.end\n"
    (folder / "deck.cir").write_text(body + control)
    done = subprocess.run([NGSPICE, "-b", "deck.cir"], cwd=folder, capture_output=True, text=True, timeout=60)
    assert (folder / "result.txt").exists(), done.stdout[-1500:] + done.stderr[-1500:] + deck
    return np.loadtxt(folder / "result.txt", ndmin=2).T[1:]


def several(decks: dict[str, str], folder: Path) -> dict[str, dict[str, float]]:
    """Operating points of many decks by one ngspice: name to the voltages of its nodes."""
    script = [".control", "set numdgt=12"]
    for number, (name, deck) in enumerate(decks.items()):
        (folder / f"d{number}.cir").write_text(deck)
        script += [f"source d{number}.cir", "option reltol=1e-6 gmin=1e-15", "op", f"echo @@@ {number}", "print all", "remcirc", "destroy all"]
    (folder / "all.cir").write_text("\n".join(["all of them", *script, ".endc", ".end", ""]))
    done = subprocess.run([NGSPICE, "-b", "all.cir"], cwd=folder, capture_output=True, text=True, timeout=120)
    found = {}
    for part in done.stdout.split("@@@ ")[1:]:
        number, _, rest = part.partition("\n")
        found[list(decks)[int(number)]] = {name: float(value) for name, value in re.findall(r"(?m)^(\S+) = (\S+)\s*$", rest)}
    return found


def nodes_of(circuit: Circuit) -> dict[str, float]:
    """Our operating point, by the circuit's own names."""
    rest = operating_point(assemble(circuit.bound()))
    return {node: rest.voltage(node) for node in circuit.nodes}


def compared(decks: dict[str, str], circuits: dict[str, Circuit], folder: Path) -> int:
    """Compare operating points of all decks, what ngspice makes of the written one with ours of the circuit that was written; how many were."""
    found, wrong = several(decks, folder), []
    for name, circuit in circuits.items():
        theirs, ours = found.get(name, {}), nodes_of(circuit)
        shared = [node for node in ours if node in theirs]
        if not shared:
            wrong.append((name, "nothing in common"))
        wrong += [(name, node, ours[node], theirs[node]) for node in shared if abs(theirs[node] - ours[node]) > 5e-5 * abs(ours[node]) + 5e-6]
    assert not wrong, wrong[:12]
    return len(circuits)


def test_every_schematic_that_ships_rests_where_ngspice_has_it(tmp_path):
    circuits = {name: read(library.find(name)) for name in library.names()}
    assert compared({name: write(circuit) for name, circuit in circuits.items()}, circuits, tmp_path) == len(library.names()) >= 50


# features whose written deck ngspice can't be asked about, and why
SPARED = {
    "ampere is atto": "we refuse a resistance of 1e-18 ohm, which only a slip of the pen makes",
    "SINE of LTspice": "ngspice rests at the offset of a sine, LTspice and we at its value at the time 0",
    "K": "a source straight across a coil has no operating point; ngspice gives that of its first step in time",
    "K = 1": "as K", "K with three coils": "as K", "floating secondary": "as K", "K inside a subcircuit": "as K",
    "saturating core": "as K, with a core", "windings of one core": "as K, with a core",
    ".ic": "ngspice's op knows no .ic; its tran does, and so do we",
    "S with a smooth transition": "LTspice's form for a negative VH, which ngspice does not have",
    "asinh acosh atanh": "ngspice starts at 0 V, where acosh is no number, and stays there",
}


def test_decks_of_features_rest_where_ngspice_has_them(tmp_path):
    decks, circuits = {}, {}
    for name, deck, *_ in FEATURES:
        circuit = read_text(HEAD + deck + "\n")
        text = write(circuit)
        again = write(read_text(text))  # formulas of numbers have become numbers
        assert write(read_text(again)) == again, f"{name}: writing is a fixed point"
        if name not in SPARED:
            decks[name], circuits[name] = text, circuit
    assert len(SPARED) == len(FEATURES) - len(decks)
    assert compared(decks, circuits, tmp_path) >= 270


def test_a_switch_of_currents_stays_closed_when_it_is_read_back():
    circuit = read_text("t\nVin in 0 DC 2 AC 1\nV9 in y 0\nRy y 0 1k\nW1 in x V9 WX\nRx x 0 1k\n.model WX CSW(IT=1m RON=1k ROFF=1T)\n*@ output x\n")
    assert nodes_of(circuit)["x"] == pytest.approx(1.0, rel=1e-9)
    assert nodes_of(read_text(write(circuit)))["x"] == pytest.approx(1.0, rel=1e-9)


def heard(deck: str, drive: float, folder: Path, factor: int = 16, frequency: float = 200.0, seconds: float = 0.02) -> tuple[np.ndarray, np.ndarray]:
    """Output of a deck under a sine by us (``factor`` times 48 kHz) and by ngspice, at 48 kHz."""
    rate = 48000.0 * factor
    t = np.arange(int(seconds * rate)) / rate
    circuit = read_text(deck)
    engine = NodalProcessor(circuit, rate)
    ours = engine.process(drive * np.sin(2.0 * np.pi * frequency * t))
    assert engine.run.bad_samples == 0
    written = re.sub(r"(?m)^(vin \S+ \S+) .*$", rf"\1 dc 0 sin(0 {drive} {frequency})", write(circuit))
    table = columns(written, f"option reltol=1e-5 vntol=1e-8 abstol=1e-13\ntran 1u {seconds} 0 1u\nlinearize", [f"v({circuit.outputs[0]})"], folder)
    theirs = np.interp(t, np.arange(table.shape[1]) * 1e-6, table[0])
    return ours[::factor], theirs[::factor]


PARTS = {
    "ota": "Vin in 0 AC 1\nVm m 0 -9\nVp p 0 9\nRb p b 20k\nX1 in 0 out b m LM13700\nRl out 0 10k\n",
    "vactrol": "Vin in 0 AC 1\nRd in a 1k\nXv x out a 0 ldr\nV5 x 0 5\nRl out 0 10k\n",
    "core": "Vin in 0 AC 1\nR1 in out 10\nL1 out 0 Hc=16 Bs=.44 Br=.1 A=1e-4 Lm=.1 Lg=0 N=100\n",
    "core with a gap": "Vin in 0 AC 1\nR1 in a 10\nL1 a 0 Hc=16 Bs=.44 Br=.1 A=1e-4 Lm=.1 Lg=1e-4 N=100\nL2 out 0 Hc=16 Bs=.44 Br=.1 A=1e-4 Lm=.1 Lg=1e-4 N=50\nK1 L1 L2 1\nRl out 0 100\n",
    "core with hysteresis": "Vin in 0 AC 1\nR1 in out 100\nL1 out 0 200\nKc L1 1 mag\n.model mag core(ms=3.8e5 a=26 c=0.2 k=18 area=0.5 path=6)\n",
    "two coils with hysteresis": "Vin in 0 AC 1\nR1 in a 100\nL1 a 0 200\nL2 out 0 100\nRl out 0 1k\nKc L1 L2 0.99 mag\n.model mag core(ms=3.8e5 a=26 c=0.2 k=18 area=0.5 path=6 gap=0.01)\n",
    "line": "Vin in 0 AC 1\nR1 in a 100\nT1 a 0 out 0 Z0=50 TD=20u\nRl out 0 1k\n",
    "switch": "Vin in 0 AC 1\nR1 in out 1k\nS1 out 0 in 0 sx\n.model sx sw(vt=0.2 vh=0.3 ron=100 roff=1Meg)\n",
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_that_only_we_have_sound_the_same_in_ngspice(name, tmp_path):
    ours, theirs = heard("t\n" + PARTS[name] + "*@ output out\n", 1.0, tmp_path)
    late = slice(96, None)
    assert np.ptp(theirs[late]) > 1e-3
    error = float(np.sum((ours[late] - theirs[late])**2) / np.sum(theirs[late]**2))
    assert error < (2e-3 if name == "switch" else 1e-6)  # a jump lies between two samples: half a sample in 240, twice a period


@pytest.mark.parametrize("name", [name for name in PARTS if "core" in name or "coils" in name])
def test_cores_that_are_written_play_the_same_when_read_back(name):
    circuit = read_text("t\n" + PARTS[name] + "*@ output out\n")
    engines = [NodalProcessor(one, 768000.0) for one in (circuit, read_text(write(circuit)))]
    ours, again = (engine.process(np.sin(2.0 * np.pi * 200.0 * np.arange(2000) / 768000.0)) for engine in engines)
    assert engines[1].run.bad_samples == 0 and np.sum((ours - again)**2) < 1e-9 * np.sum(ours**2)


def test_a_core_of_pspice_keeps_its_magnetisation():
    """After a pulse of current the flux does not go back: the core's state j stays, the more the higher K pins it."""
    deck = "t\nIin 0 a AC 1\nR1 a 0 1k\nL1 a 0 100\nKc L1 1 mag\n.param pin=20\n.model mag core(ms=3.8e5 a=26 c=0.2 k={pin} area=0.5 path=6)\n*@ output a\n*@ input iin\n"
    kept = []
    for pin in (5.0, 20.0):
        written = write(read_text(deck.replace("pin=20", f"pin={pin}")))  # whose state is a node that can be listened to
        engine = NodalProcessor(read_text(written, output="l1.j"), 192000.0)
        pulse = np.concatenate([0.05 * np.sin(np.pi * np.arange(1920) / 1920.0), np.zeros(960)])
        state = engine.process(pulse)
        kept.append(state[-1] / np.max(np.abs(state)))
        assert engine.run.bad_samples == 0
    assert 0.02 < abs(kept[0]) < abs(kept[1]) < 1.0


def test_a_line_is_ngspices_line(tmp_path):
    deck = "t\n" + PARTS["line"] + "*@ output out\n"
    ours, _ = heard(deck, 1.0, tmp_path)
    (tmp_path / "result.txt").unlink()
    plain = deck.replace("Vin in 0 AC 1", "Vin in 0 dc 0 sin(0 1 200)")
    theirs = columns(plain, "option reltol=1e-5\ntran 1u 0.02 0 1u\nlinearize", ["v(out)"], tmp_path)
    theirs = np.interp(np.arange(len(ours)) / 48000.0, np.arange(theirs.shape[1]) * 1e-6, theirs[0])
    assert np.max(np.abs(ours - theirs)[96:]) < 1e-4


@pytest.mark.parametrize("line, allowed", [
    ("U1 a out 0 mm L=1 N=6\n.model mm urc(k=2 rperl=10k cperl=100n fmax=100k)", 1e-12), ("U1 a out 0 mm L=2\n.model mm urc(rperl=10k cperl=10n fmax=100k)", 1e-12),
    ("O1 a 0 out 0 mm\n.model mm ltra(r=1 l=0.5u g=0 c=1n len=100)", 1e-4), ("O1 a 0 out 0 mm\n.model mm ltra(r=10 l=0 g=0 c=1n len=20)", 1e-4)])
def test_lines_with_losses_are_ngspices(line, allowed, tmp_path):
    deck = f"t\nVin in 0 AC 1\nR1 in a 50\n{line}\nRl out 0 10k\n*@ output out\n"
    for frequency, share in ((100.0, 0.1), (5e3, 0.3), (20e3, 1.0)):
        ours = complex(np.squeeze(frequency_response(read_text(deck), [frequency])))
        (tmp_path / "result.txt").unlink(missing_ok=True)
        theirs = complex(*columns(deck, f"ac lin 1 {frequency} {frequency}", ["v(out)"], tmp_path)[:, 0])
        assert abs(ours - theirs) < max(share * allowed, 1e-12) * abs(theirs), frequency


def test_a_switch_with_hysteresis_is_ngspices(tmp_path):
    deck = "t\n" + PARTS["switch"] + "*@ output out\n"
    ours, _ = heard(deck, 1.0, tmp_path)
    (tmp_path / "result.txt").unlink()
    theirs = columns(deck.replace("Vin in 0 AC 1", "Vin in 0 dc 0 sin(0 1 200)"), "tran 1u 0.02 0 1u\nlinearize", ["v(out)"], tmp_path)
    theirs = np.interp(np.arange(len(ours)) / 48000.0, np.arange(theirs.shape[1]) * 1e-6, theirs[0])
    different = np.abs(ours - theirs) > 0.01
    assert np.count_nonzero(different) <= 16, np.flatnonzero(different)  # four closings and four openings, 10 us of memory each: two samples


@pytest.mark.parametrize("name, drive", [("tone_bender_mk2", 2.0), ("preamp_dr103", 0.2)])
def test_a_sine_that_starts_at_once_at_full_gain(name, drive, tmp_path):
    """At eight times the rate against ngspice's own SIN source: what a filter rings ahead of an abrupt start must not drive a circuit of a thousandfold gain."""
    circuit = read(library.find(name))
    circuit = circuit.turn(**{control.name: 0.1 * control.minimum + 0.9 * control.maximum for control in circuit.controls if not control.switch})
    seconds, fine = 0.02, 16 * 48000.0
    t = np.arange(int(seconds * 48000)) / 48000.0
    player = Oversampled(NodalProcessor(circuit, 8 * 48000.0), 8)
    ours = player.process(np.concatenate([drive * np.sin(2.0 * np.pi * 440.0 * t), np.zeros(player.latency)]))[player.latency:]
    written = re.sub(r"(?m)^(vin \S+ \S+) .*$", rf"\1 dc 0 sin(0 {drive} 440)", write(circuit))
    table = columns(written, f"option reltol=1e-5 vntol=1e-7 abstol=1e-12\ntran {1 / fine} {seconds} 0 {1 / fine}\nlinearize", [f"v({circuit.outputs[0]})"], tmp_path)
    theirs = spice.lowered(table[0][:16 * len(t)])
    edge = firwin(201, 19_500.0, fs=48000.0, window=("kaiser", 12.0))  # where the two decimating filters agree
    error, wanted = (fftconvolve(one, edge, "same") for one in (ours - theirs, theirs - np.mean(theirs)))
    assert player.run.bad_samples == 0 and np.sum(error**2) < 1e-4 * np.sum(wanted**2)
