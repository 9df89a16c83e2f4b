"""Files made to hurt: no netlist takes 2 GB or half a minute before it says what is wrong, and none reads where it may not.

Each text is as large as its trick needs, up to 30 MB, and is read in one child process whose memory and CPU time are counted.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from circuits.errors import NetlistError
from netlists.reader import read

ROOT = Path(__file__).resolve().parent.parent
HEAD = "title\nVin in 0 AC 1\nR1 in out 1k\n"


def lines(count: int, text) -> str:
    return "".join(text(k) + "\n" for k in range(count))


TRICKS = {
    # what the lexer and the cutter of words could do again and again
    "braces that never close": lambda: HEAD + "R2 out 0 " + "{" * 190_000,
    "brackets of a node's name": lambda: HEAD + "R2 a-(" + "(" * 190_000 + " 0 1k",
    "a name without end": lambda: HEAD + "B1 out 0 V=" + "a" * 190_000,
    "names that could be assigned": lambda: HEAD + "Rx out 0 " + "a( " * 60_000,
    "a number without end": lambda: HEAD + "R2 out 0 " + "1" * 190_000,
    "quotes and comments": lambda: HEAD + lines(60_000, lambda k: "R2 out 0 ';'\""),
    "continuations": lambda: HEAD + "+\n" * 500_000,
    "a line over many": lambda: HEAD + "R2 out 0 1k\n" + "+ x=1\n" * 60_000,
    "comments": lambda: HEAD + "* nothing but words that nobody reads, over and over again\n" * 500_000,
    # what the expander could multiply
    "subcircuits of ten each, thirty deep": lambda: HEAD + "X1 out s0\n" + lines(30, lambda k: f".subckt s{k} a\n" + "".join(f"X{j} a s{k + 1}\n" for j in range(10)) + ".ends") + ".subckt s30 a\nR1 a 0 1\n.ends",
    "subcircuits inside each other": lambda: HEAD + lines(30_000, lambda k: f".subckt s{k} a") + ".ends\n" * 30_000,
    "functions that double": lambda: HEAD + lines(20, lambda k: f".func f{k}(x) {{f{k + 1}(x)+f{k + 1}(x)}}") + ".func f20(x) {x}\nR2 out 0 {f0(1)}",
    "parameters of parameters": lambda: HEAD + lines(20_000, lambda k: f".param p{k}={{p{k + 1}+1}}") + ".param p20000=1",
    "parameters that double": lambda: HEAD + ".param p0=1\n" + lines(60, lambda k: f".param p{k + 1}={{p{k}+p{k}}}") + "R2 out 0 {p60}",
    "instances with parameters": lambda: HEAD + lines(15_000, lambda k: f"X{k} out s p={k}") + ".subckt s a p=1 " + " ".join(f"q{j}={{p*{j}}}" for j in range(20)) + "\nR1 a 0 {p}\n.ends",
    "conditions inside each other": lambda: HEAD + ".if (1)\n" * 3_000 + "R2 out 0 1k\n" + ".endif\n" * 3_000,
    "conditions that go on": lambda: HEAD + lines(3_000, lambda k: ".if (0)\nR2 out 0 1\n.endif"),
    "models of models": lambda: HEAD + lines(30_000, lambda k: f".model m{k} ako:m{k + 1}") + "D1 out 0 m0",
    # what the makers of parts could blow up
    "POLY of everything": lambda: HEAD + lines(2_000, lambda k: f"E{k} x{k} 0 POLY(30) " + "in 0 " * 30 + "1 " * 100),
    "POLY with too much": lambda: HEAD + "E1 out 0 POLY(30) " + "in 0 " * 30 + "1 " * 50_000,
    "a table without end": lambda: HEAD + "B1 out 0 V=table(V(in)," + ",".join(f"{k},{k}" for k in range(15_000)) + ")",
    "tables": lambda: HEAD + lines(1_000, lambda k: f"B{k} x{k} 0 V=table(V(in)," + ",".join(f"{j},{j}" for j in range(100)) + ")"),
    "coils on one core": lambda: HEAD + lines(2_000, lambda k: f"L{k} x{k} 0 1") + "K1 " + " ".join(f"L{k}" for k in range(2_000)) + " 0.9",
    "currents that are read": lambda: HEAD + lines(20_000, lambda k: f"Fa{k} out 0 ra{k} 1\nRa{k} in x{k} 1"),
    "elements": lambda: HEAD + lines(120_000, lambda k: f"Ra{k} n{k} n{k + 1} 1k"),
    "LAPLACE of a high order": lambda: HEAD + "E1 x 0 in 0 Laplace=1/" + "(1+s)**9*" * 30 + "1",
    "huge numbers": lambda: HEAD + "R2 out 0 1e999\nR3 out 0 {1e308*1e308}\n",
    # drawings
    "wires": lambda: "Version 4\n" + lines(60_000, lambda k: f"WIRE {k} {k * 3} {k + 100} {k * 3}"),
    "slanted wires and pins": lambda: "Version 4\n" + lines(499, lambda k: f"WIRE {k} 0 {k + 7} 13") + lines(10_000, lambda k: f"SYMBOL res {k * 16} 0 R0\nSYMATTR InstName R{k}\nSYMATTR Value 1k"),
    "flags": lambda: "Version 4\n" + lines(49_000, lambda k: f"FLAG {k} {k} n{k}"),
    "text of a drawing": lambda: "Version 4\nTEXT 0 0 Left 2 !" + ".param a=1\\n" * 80_000,
    "components": lambda: "<Schematic>" + lines(30_000, lambda k: f'<Element Type="Circuit.Wire" A="{k},0" B="{k},9" />') + "</Schematic>",
    "elements of XML inside each other": lambda: "<Schematic>" + "<Element>" * 300_000,
}

CHILD = """
import json, resource, sys, time
sys.path.insert(0, "tests")
from circuits.errors import AmpwrightError
from netlists.reader import read_text
from test_netlists_limits import TRICKS
found = {}
for name, make in TRICKS.items():
    text, start = make(), time.process_time()
    try:
        read_text(text)
        said = ""
    except AmpwrightError as error:
        said = str(error)
    found[name] = [time.process_time() - start, said]
print(json.dumps([found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""


def test_nothing_takes_half_a_minute_or_two_gigabytes():
    done = subprocess.run([sys.executable, "-c", CHILD], cwd=ROOT, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    found, peak = json.loads(done.stdout)
    print(json.dumps({name: f"{seconds:.2f} s {said[:60]}" for name, (seconds, said) in found.items()}, indent=1), peak)
    for name, (seconds, said) in found.items():
        assert seconds < 30.0, (name, seconds)
        assert len(said) < 2000 and "\n" not in said, name
    assert peak < 2e6, f"{peak} kB"
    for name in ("braces that never close", "subcircuits of ten each, thirty deep", "functions that double", "POLY with too much", "a table without end", "elements", "huge numbers",
                 "conditions inside each other", "components", "wires"):
        assert found[name][1], f"{name}: it is read without a word"


@pytest.mark.parametrize("line", [".include {}", ".lib {}", ".lib {} typical", ".inc '{}'"])
@pytest.mark.parametrize("way", ["../secret.inc", "deep/../../secret.inc", "link.inc", "folder/secret.inc", "absolute", "..\\secret.inc"])
def test_no_way_out_of_the_folder(tmp_path, line, way):
    inside = tmp_path / "deck"
    (inside / "deep").mkdir(parents=True)
    (tmp_path / "secret.inc").write_text("R9 out 0 1234\n.lib typical\nR8 out 0 1\n.endl\n.param wanted=7\n")
    (inside / "link.inc").symlink_to(tmp_path / "secret.inc")
    (inside / "folder").symlink_to(tmp_path)
    name = str(tmp_path / "secret.inc") if way == "absolute" else way
    (inside / "a.cir").write_text(HEAD + line.format(name) + "\n")
    circuit = read(inside / "a.cir")
    assert {element.name for element in circuit.elements} == {"vin", "r1"} and not circuit.parameters
    assert any("leaves the folder" in note and "1234" not in note for note in circuit.notes), circuit.notes
    with pytest.raises(NetlistError, match="leaves the folder|is not found"):
        read(inside / "a.cir", strict=True)


@pytest.mark.parametrize("line", ["V2 x 0 wavefile={}", "A1 %v([x]) fs\n.model fs filesource(file=\"{}\")", ".wave {} 16 48k V(out)", "V2 x 0 PWL file={}"])
def test_files_of_sound_and_points_are_never_opened(tmp_path, line, monkeypatch):
    opened = []
    plain = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda self: opened.append(self.name) or plain(self))
    (tmp_path / "a.cir").write_text(HEAD + line.format("/etc/hostname") + "\nRx x 0 1k\n")
    try:
        read(tmp_path / "a.cir")
    except NetlistError as error:
        assert "'/etc/hostname' leaves the folder of the netlist" in str(error)
    assert opened == ["a.cir"]


def test_symbols_of_a_drawing_stay_in_its_folder(tmp_path):
    inside = tmp_path / "deck"
    inside.mkdir()
    (tmp_path / "secret.asy").write_text("Version 4\nSYMATTR Prefix X\nPIN 0 0 LEFT 8\n")
    for name in ("..\\\\secret", "../secret", str(tmp_path / "secret")):
        (inside / "a.asc").write_text(f"Version 4\nFLAG 0 0 in\nSYMBOL {name} 0 0 R0\nSYMATTR InstName X1\nSYMATTR Value tl072\nTEXT 0 0 Left 0 !Vin in 0 AC 1\\nR1 in out 1k\n")
        with pytest.raises(NetlistError, match="leaves the folder|is not known"):
            read(inside / "a.asc", strict=True)
        try:
            circuit = read(inside / "a.asc")
        except NetlistError as error:
            assert "leaves the folder" in str(error)
        else:
            assert [element.name for element in circuit.elements] == ["vin", "r1"], "its file is not opened"
