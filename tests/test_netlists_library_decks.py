"""Every schematic that ships says what it is, and runs unchanged in ngspice where that is installed.

Two kinds of proof. On the page: title, source, listening hint and declarations are there and agree with the deck's own
parameters and nodes. In ngspice (not written by us): the file as it stands reaches an operating point, its transient
runs to the end with finite numbers, the output moves, and the voltages agree with those that a person would measure.
"""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from netlists import shelf

LIBRARY = Path(__file__).resolve().parent.parent / "netlists" / "library"
DECKS = sorted(LIBRARY.glob("*.cir"))
NAMES = [deck.stem for deck in DECKS]
NGSPICE = shutil.which("ngspice")
CONTROL = re.compile(
    r'^\*@ control (?P<name>\w+) (?P<low>\S+) (?P<high>\S+) taper=(?P<taper>lin|log|antilog|s) label="(?P<label>[^"]+)" unit="[^"]*"$')
SWITCH = re.compile(r'^\*@ switch (?P<name>\w+) 0 1 label="(?P<label>[^"]+)"$')
ISSUE_NAMES = """rc_lowpass rlc diode_clipper tonestack_fmv tonestack_bassman tonestack_baxandall tube_screamer big_muff rat fuzz_face
common_cathode cathode_follower long_tailed_pair preamp_2203 preamp_5e3 el84_single_ended""".split()

# Volts at rest, from the sources named in the decks (schematic voltages or data sheets); tolerance is that of a hand-built circuit.
PUBLISHED = {
    ("el84_single_ended", "v(k2)"): (7.3, 0.10),  # Philips EL84: Vg1 -7.3 V at 250 V
    ("el84_single_ended", "v(p2)"): (250.0, 0.05),
    ("tube_screamer", "v(vref)"): (4.5, 0.02),
    ("rat", "v(vref)"): (4.5, 0.02),
    # Philips ECC83 sheet, 100 kohm load: 0.86 mA at 250 V with 1.5 kohm, 1.11 mA at 300 V with 1.2 kohm; between them here
    ("common_cathode", "v(k)"): (1.4, 0.10),
    ("rangemaster", "v(c)"): (-7.0, 0.10),  # builders set the collector to -7 V
    ("bassman_5f6a", "v(b1)"): (432.0, 0.03),  # supply voltages printed on the Fender schematics
    ("deluxe_reverb_ab763", "v(b1)"): (415.0, 0.04),
    ("preamp_ef86", "v(k)"): (2.1, 0.10),  # Mullard EF86 at 250 V, 220 kohm: 0.9 mA and 2.2 kohm
}


def raw(path):
    """Variables of ngspice's binary raw file as a dict of name to ndarray, shape (n_points,)."""
    data = path.read_bytes()
    head, body = data.split(b"Binary:\n", 1)
    text = head.decode("ascii")
    count = int(re.search(r"No\. Variables: (\d+)", text).group(1))
    points = int(re.search(r"No\. Points: (\d+)", text).group(1))
    names = re.findall(r"^\t\d+\t(\S+)\t", text, re.M)
    table = np.frombuffer(body, dtype=float, count=count * points).reshape(points, count)
    return {name: table[:, i] for i, name in enumerate(names)}


def test_the_schematics_that_were_promised_are_here():
    assert set(ISSUE_NAMES) <= set(NAMES)
    assert len(NAMES) >= 40


def test_page_of_the_library_is_in_step():
    page = LIBRARY.parent.parent / "docs" / "library.md"
    assert page.read_text(encoding="utf-8") == shelf.page(), "run: python -m netlists.shelf docs/library.md"
    assert set(re.findall(r"(?m)^### `(\w+)`$", shelf.page())) == set(NAMES)


@pytest.mark.parametrize("deck", DECKS, ids=NAMES)
def test_deck_says_what_it_is(deck):
    text = deck.read_bytes().decode("ascii")
    lines = text.splitlines()
    assert not lines[0].startswith(("*", ".")) and len(lines[0]) > 10
    assert lines[1].startswith("* Source: ") and len(lines[1]) > 30
    assert sum(line.startswith("* Listen: ") for line in lines) == 1
    assert lines[-1] == ".end" and lines[-2].startswith(".tran ")
    assert max(map(len, lines)) <= 150 and "\t" not in text
    assert not re.search(r"(?im)^\.(include|inc|lib)\b", text), "a deck is self-contained"
    assert "M" not in re.sub(r"Meg|MEG", "", " ".join(re.findall(r"(?m)^R\S+ \S+ \S+ (\S+)$", text))), "M is milli in SPICE"

    declarations = [line for line in lines if line.startswith("*@")]
    assert declarations.count("*@ input VIN in") == 1
    output = [line.split()[2] for line in declarations if line.startswith("*@ output ")]
    level = [float(line.split()[2]) for line in declarations if line.startswith("*@ level ")]
    assert len(output) == 1 and len(level) == 1 and 0.01 <= level[0] <= 10
    elements = [line for line in lines if line and line[0].isalpha()]
    assert any(output[0] in line.split()[1:] for line in elements[1:])
    assert re.search(rf"(?m)^VIN in 0 DC 0 AC 1 SIN\(0 {level[0]:g} 220\)$", text)

    parameters = {name: float(value) for name, value in re.findall(r"(?m)^\.param (\w+)=([-\d.e]+)$", text)}
    turned = set()
    for line in declarations:
        match = CONTROL.match(line) or SWITCH.match(line)
        assert match or line.split()[1] in ("input", "output", "level"), line
        if match:
            name = match["name"]
            low, high = (float(match["low"]), float(match["high"])) if "taper" in match.groupdict() else (0.0, 1.0)
            assert low <= parameters[name] <= high
            assert re.search(rf"\{{[^}}]*\b{name}\b[^}}]*\}}", text), f"{name} is declared but turns nothing"
            turned.add(name)
    assert turned == set(parameters)


@pytest.mark.skipif(NGSPICE is None, reason="ngspice is not installed")
@pytest.mark.parametrize("deck", DECKS, ids=NAMES)
def test_deck_runs_unchanged_in_ngspice(deck, tmp_path):
    result = subprocess.run([NGSPICE, "-b", "-r", str(tmp_path / "run.raw"), str(deck)], capture_output=True, text=True,
                            timeout=60, cwd=tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    complaint = re.search(r"(?im)^.*\b(error|singular|failed|unknown|too small|abort).*$", result.stdout + result.stderr)
    assert complaint is None, complaint.group(0)
    found = raw(tmp_path / "run.raw")
    assert found["time"][-1] == pytest.approx(0.05, rel=1e-6)
    for values in found.values():
        assert np.isfinite(values).all()
    output = re.search(r"(?m)^\*@ output (\S+)$", deck.read_text()).group(1).lower()
    late = found[f"v({output})"][found["time"] > 0.02]
    assert np.ptp(late) > 1e-3, "the output does not move"
    for (name, node), (volts, tolerance) in PUBLISHED.items():
        if name == deck.stem:
            assert found[node][0] == pytest.approx(volts, rel=tolerance), node
