"""LTspice drawings become the netlist that LTspice would write: every symbol in every orientation, wires, flags, texts, files beside them."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from circuits.elements import CurrentSource, Device, Resistor, VoltageSource
from circuits.errors import AmpwrightError, NetlistError
from netlists.asc import drawing_page, transformed
from netlists.deck import Notes
from netlists.files import Files
from netlists.reader import read, read_text
from netlists.symbols import PARTIAL, STOCK

ORIENTATIONS = ("R0", "R90", "R180", "R270", "M0", "M90", "M180", "M270")
DRIVE = "SYMBOL voltage 9000 9000 R0\nSYMATTR InstName Vin\nSYMATTR Value AC 1\nFLAG 9000 9016 in\nFLAG 9000 9096 0\n"


def cards(text: str, folder=None) -> list[str]:
    page, _ = drawing_page("Version 4\nSHEET 1 880 680\n" + text, "a.asc", Files(folder), folder, Notes())
    return [stretch.text for stretch in page.stretches]


# collector, base and emitter of an NPN at the origin, by hand: rotate by quarter turns, then mirror x
BY_HAND = {"R0": ((64, 0), (0, 48), (64, 96)), "R90": ((0, 64), (-48, 0), (-96, 64)), "R180": ((-64, 0), (0, -48), (-64, -96)),
           "R270": ((0, -64), (48, 0), (96, -64)), "M0": ((-64, 0), (0, 48), (-64, 96)), "M90": ((0, 64), (48, 0), (96, 64)),
           "M180": ((64, 0), (0, -48), (64, -96)), "M270": ((0, -64), (-48, 0), (-96, -64))}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_transistor_in_every_orientation(orientation):
    flags = "".join(f"FLAG {400 + x} {304 + y} {name}\n" for (x, y), name in zip(BY_HAND[orientation], "cbe"))
    assert cards(f"{flags}SYMBOL npn 400 304 {orientation}\nSYMATTR InstName Q1\nSYMATTR Value 2N3904\n") == ["Q1 c b e 2N3904"]


@pytest.mark.parametrize("name", sorted(STOCK))
def test_every_symbol_in_every_orientation(name):
    symbol = STOCK[name]
    for orientation in ORIENTATIONS:
        flags = ""
        for number, (x, y) in enumerate(symbol.pins, 1):
            z = complex(x, y) * 1j ** (int(orientation[1:]) // 90)  # another way to turn: by the imaginary unit
            z = -z.conjugate() if orientation[0] == "M" else z
            assert transformed((x, y), orientation) == (round(z.real), round(z.imag))
            flags += f"FLAG {round(z.real) - 160} {round(z.imag) + 32} p{number}\n"
        letter = symbol.attributes["Prefix"][0]
        line, = cards(f"{flags}SYMBOL {name} -160 32 {orientation}\nSYMATTR InstName {letter}9\n")
        assert line.split()[:len(symbol.pins) + 1] == [f"{letter}9", *(f"p{k + 1}" for k in range(len(symbol.pins)))]


@pytest.mark.parametrize("name", sorted(PARTIAL))
def test_devices_of_eight_pins_show_some_of_them(name):
    model, pins = PARTIAL[name]
    flags = "".join(f"FLAG {x} {y} p{k}\n" for k, (x, y) in pins.items())
    line, = cards(f"{flags}SYMBOL {name} 0 0 R0\nSYMATTR InstName A1\n")
    assert line == " ".join(["A1", *(f"p{k}" if k in pins else "0" for k in range(1, 9)), model])


CLIPPER = """Version 4
SHEET 1 1000 680
WIRE 96 96 32 96
WIRE 272 96 176 96
WIRE 400 96 272 96
WIRE 272 128 272 96
WIRE 400 128 400 96
WIRE 336 0 336 320
WIRE 32 112 32 96
FLAG 32 192 0
FLAG 272 192 0
FLAG 400 192 0
FLAG 400 96 out
FLAG 32 96 in
FLAG 336 320 rail
FLAG 336 0 +9V
SYMBOL voltage 32 96 R0
SYMATTR InstName V1
SYMATTR Value SINE(0 1 1k)
SYMATTR Value2 AC 1
SYMATTR SpiceLine Rser=50
SYMBOL res 192 80 R90
WINDOW 0 0 56 VBottom 2
SYMATTR InstName R1
SYMATTR Value {knob*10k}
SYMBOL cap 256 128 R0
SYMATTR InstName C1
SYMATTR Value 47n
SYMBOL diode 416 192 R180
SYMATTR InstName D1
SYMATTR Value 1N4148
SYMBOL res 320 304 R0
SYMATTR InstName R2
SYMATTR Value 1k
FLAG 336 400 0
TEXT 40 300 Left 2 !.param knob=0.3\\n.tran 10m
TEXT 40 340 Left 2 ;*@ control knob 0 1 taper=log\\njust a remark
TEXT 40 360 Left 2 ;a remark
LINE Normal 1 2 3 4
"""


def test_a_drawing_is_read_like_its_netlist():
    drawn = read_text(CLIPPER, path="clipper.asc")
    typed = read_text("clipper\nV1 in 0 SINE(0 1 1k) AC 1 Rser=50\nR1 out in {knob*10k}\nC1 out 0 47n\nD1 0 out 1N4148\nR2 rail 0 1k\n"
                      ".param knob=0.3\n*@ control knob 0 1 taper=log\n")
    assert {e.name for e in drawn.elements} == {e.name for e in typed.elements} and drawn.title == "clipper"
    for element in typed.elements:
        same = drawn.element(element.name)
        assert type(same) is type(element) and same.nodes == element.nodes, element.name
    assert drawn.controls == typed.controls and (drawn.input, drawn.outputs) == (typed.input, typed.outputs)
    assert str(drawn.element("c1").place) == "clipper.asc, line 26, column 1"
    assert CLIPPER.split("\n")[35].endswith(".tran 10m") and any("line 36, column 1: skipped: .tran" in note for note in drawn.notes)


def test_crossing_wires_are_not_connected_but_touching_ones_are():
    crossing = "WIRE 0 0 100 0\nWIRE 50 -50 50 50\nFLAG 0 0 a\nFLAG 50 50 b\n"
    symbol = "SYMBOL res 34 34 R0\nSYMATTR InstName R1\nSYMATTR Value 1\n"  # its upper pin at (50, 50)
    assert cards(crossing + symbol)[0].split()[1] == "b"
    assert cards(crossing.replace("50 -50 50 50", "50 0 50 50").replace("FLAG 50 50 b\n", "") + symbol)[0].split()[1] == "a"


def test_pins_on_wires_and_slanted_wires():
    assert cards("WIRE 0 16 64 16\nWIRE 0 16 -32 -16\nFLAG -32 -16 top\nFLAG 16 96 bottom\nSYMBOL res 0 0 R0\nSYMATTR InstName R1\nSYMATTR Value 1\n") == ["R1 top bottom 1"]


def test_unnamed_nodes_get_names_that_nobody_has():
    text = "FLAG 16 96 N001\n" + "".join(f"SYMBOL res {x} 0 R0\nSYMATTR InstName R{x}\nSYMATTR Value 1\n" for x in (0, 100))
    assert [line.split()[1:3] for line in cards(text)] == [["N002", "N001"], ["N003", "N004"]]


def test_a_node_with_two_flags_answers_to_both():
    text = "Version 4\n" + DRIVE + ("FLAG 16 16 in\nFLAG 16 96 out\nFLAG 16 96 other\nSYMBOL res 0 0 R0\nSYMATTR InstName R1\nSYMATTR Value 1k\n"
                                    "SYMBOL bv 200 0 R0\nSYMATTR InstName B1\nSYMATTR Value V=V(other)*2\nFLAG 200 16 b\nFLAG 200 96 0\n")
    assert read_text(text).element("b1").expression == read_text(text.replace("V(other)", "V(out)")).element("b1").expression


def test_names_that_do_not_begin_with_their_letter():
    assert cards("FLAG 16 16 a\nFLAG 16 96 b\nSYMBOL res 0 0 R0\nSYMATTR InstName Volume\nSYMATTR Value 1k\n") == ["R§Volume a b 1k"]


def test_op_amps_of_the_stock_know_their_own_pins():
    at = {"LT1001": {(-32, 80): "p", (-32, 48): "m", (0, 32): "h", (0, 96): "l", (32, 64): "o"}, "LT1360": {(-32, 16): "p", (-32, -16): "m", (0, -32): "h", (0, 32): "l", (32, 0): "o"},
          "LM308": {(-32, 80): "p", (-32, 48): "m", (16, 32): "h", (0, 96): "l", (32, 64): "o", (-16, 32): "c", (0, 32): "d"}}
    for name, pins in at.items():
        flags = "".join(f"FLAG {x} {y} {node}\n" for (x, y), node in pins.items())
        line = cards(f"{flags}SYMBOL Opamps\\\\{name} 0 0 R0\nSYMATTR InstName U1\n")[0]
        assert line.split()[1:6] == ["p", "m", "h", "l", "o"] and line.split()[-1] == name
    assert cards("SYMBOL Opamps\\\\LT1010 0 0 R0\nSYMATTR InstName U1\n") == []  # its pins lie elsewhere: a guess would be a wrong circuit


@pytest.mark.parametrize("attributes, wanted", [
    ("SYMATTR Value 12AX7\nSYMATTR SpiceModel tubes.lib\n", ["X§U1 N001 N002 N003 12AX7", ".lib tubes.lib"]),
    ("SYMATTR Value shown\nSYMATTR SpiceModel tubes.lib\nSYMATTR Value2 ECC83\n", ["X§U1 N001 N002 N003 ECC83", ".lib tubes.lib"]),
    ("SYMATTR SpiceModel 12AX7\nSYMATTR ModelFile tubes.lib\nSYMATTR Value \"\"\nSYMATTR SpiceLine mu=90\n", ["X§U1 N001 N002 N003 12AX7 mu=90", ".lib tubes.lib"]),
    ("SYMATTR SpiceModel ECC81\nSYMATTR Value a=1\nSYMATTR Value2 b=2\nSYMATTR SpiceLine2 c=3\n", ["X§U1 N001 N002 N003 ECC81 a=1 b=2 c=3"])])
def test_subcircuits_of_symbols(attributes, wanted):
    assert cards("SYMBOL Misc\\\\triode 0 0 R0\nSYMATTR InstName U1\n" + attributes) == wanted


def test_symbols_and_libraries_beside_the_drawing(tmp_path):
    (tmp_path / "Fuzz.asy").write_bytes("Version 4\r\nSymbolType CELL\r\nSYMATTR Prefix X\r\nSYMATTR SpiceModel fuzz.sub\r\nSYMATTR Value2 fuzzbox\r\n"
                                        "PIN 0 32 LEFT 8\r\nPINATTR PinName out\r\nPINATTR SpiceOrder 2\r\nPIN 0 0 LEFT 8\r\nPINATTR PinName in\r\nPINATTR SpiceOrder 1\r\n"
                                        .encode("utf-16-le"))
    (tmp_path / "fuzz.sub").write_text("* a library\n.subckt fuzzbox a b\nR1 a b 2k\n.ends\n")
    (tmp_path / "a.asc").write_text("Version 4\n" + DRIVE + "SYMBOL somewhere\\\\Fuzz 100 100 R90\nSYMATTR InstName X1\nFLAG 100 100 in\nFLAG 68 100 out\n")
    assert read(tmp_path / "a.asc").element("x1.r1") == Resistor("x1.r1", ("in", "out"), 2000.0, read(tmp_path / "a.asc").element("x1.r1").place)


def test_drawings_inside_drawings(tmp_path):
    (tmp_path / "half.asy").write_text("Version 4\nSymbolType BLOCK\nPIN 0 0 LEFT 8\nPINATTR PinName a\nPINATTR SpiceOrder 1\nPIN 64 0 RIGHT 8\nPINATTR PinName b\nPINATTR SpiceOrder 2\n")
    (tmp_path / "half.asc").write_text("Version 4\nSYMBOL res 0 0 R0\nSYMATTR InstName R1\nSYMATTR Value {r}\nFLAG 16 16 a\nFLAG 16 96 b\nTEXT 0 0 Left 2 !.param r=5\n")
    (tmp_path / "a.asc").write_text("Version 4\n" + DRIVE + "SYMBOL half 100 100 R0\nSYMATTR InstName X1\nFLAG 100 100 in\nFLAG 164 100 out\n")
    circuit = read(tmp_path / "a.asc").bound()
    assert circuit.element("x1.r1").nodes == ("in", "out") and circuit.element("x1.r1").value == 5.0
    (tmp_path / "half.asc").write_text("Version 4\nSYMBOL half 0 0 R0\nSYMATTR InstName X1\n")
    with pytest.raises(NetlistError, match="the drawing half contains itself"):
        read(tmp_path / "a.asc")


@pytest.mark.parametrize("text, words", [
    ("WIRE 1 2 3 x\n", r"line 3: this WIRE line is damaged. Open and save the drawing in LTspice"),
    ("SYMBOL res 0 0 R45\n", r"line 3: this SYMBOL line is damaged"), ("FLAG 1 2\n", r"line 3: this FLAG line is damaged"),
    ("WIRE 0 0 1 2\n" * 501, r"more than 500 slanted wires"), ("WIRE 0 0 1 0\n" * 50_001, r"line 50003: the drawing has more than 50000 wires")])
def test_bad_drawings(text, words):
    with pytest.raises(NetlistError, match=words):
        read_text("Version 4\nSHEET 1 1 1\n" + text)


def test_a_symbol_that_nobody_knows_is_left_out_and_told():
    text = "Version 4\nSHEET 1 1 1\n" + "SYMBOL nosuch 0 0 R0\nSYMATTR InstName U7\nTEXT 0 0 Left 0 !Vin in 0 AC 1\\nR1 in out 1k\\nR2 out 0 1k\n"
    told = r"line 3: U7: the symbol nosuch is not known, and its pins can't be told: it is left out, and what it connects is cut; put nosuch.asy beside the drawing"
    circuit = read_text(text)
    assert [element.name for element in circuit.elements] == ["vin", "r1", "r2"] and any(note == told for note in circuit.notes)
    with pytest.raises(NetlistError, match="line 3: U7: the symbol nosuch is not known"):
        read_text(text, strict=True)


@pytest.mark.parametrize("name, values, ends, nodes, kind", [
    ("AutoGenerated\\\\TL072", "", ((-80, -16), (-80, 16), (-16, -48), (-16, 48), (32, 0)), "n0 n1 n2 n3 n4", "opamp"),
    ("AutoGenerated\\\\TL072", "", ((-96, 0), (-96, 32), (-96, -32), (96, 32), (96, -32)), "n0 n1 n2 n3 n4", "opamp"),
    ("AutoGenerated\\\\LM13700_NS", "", ((-112, 32), (-112, -32), (48, 0), (16, 80), (-32, 80)), "n0 n1 n2 n3 n4", "ota"),
    ("MyTubes\\\\6AK5_TOSHIBA", "", ((0, -48), (-48, 0), (-32, 48)), "n0 n0 n1 n2", "pentode"), ("KORG\\\\Nutube", "", ((0, -48), (-48, 0), (-32, 48)), "n0 n1 n2", "triode"),
    ("valves\\\\7591a", "", ((0, -64), (48, 0), (-48, 16), (-32, 64)), "n0 n1 n2 n3", "pentode"), ("MAKER\\\\2SC5200_PSpice", "", ((32, -16), (-16, 16), (32, 48)), "n0 n1 n2", "npn"),
    ("MAKER\\\\2SA1943_PSpice", "", ((32, -16), (-16, 16), (32, 48)), "n0 n1 n2", "pnp"), ("Misc\\\\IRF820", "", ((48, 0), (0, 80), (48, 96)), "n0 n1 n2", "vdmos")])
def test_parts_whose_symbol_is_nowhere_are_known_by_their_loose_ends(name, values, ends, nodes, kind):
    for orientation in ("R0", "R90", "M0", "M270"):
        at = [tuple(a + b for a, b in zip((400, 400), transformed(end, orientation))) for end in ends]
        flags = "".join(f"FLAG {x} {y} n{k}\n" for k, (x, y) in enumerate(at))
        text = f"Version 4\nSHEET 1 1 1\n{flags}SYMBOL {name} 400 400 {orientation}\nSYMATTR InstName U1\nTEXT 0 0 Left 0 !Vin n0 0 AC 1\\n" + "\\n".join(f"R{k} n{k} 0 1k" for k in range(1, len(ends))) + "\n"
        circuit = read_text(text)
        made = next(element for element in circuit.elements if isinstance(element, Device))
        assert (made.card.kind, " ".join(made.nodes)) == (kind, nodes) and any("U1: the symbol" in note and "is not there" in note for note in circuit.notes)
        with pytest.raises(NetlistError, match="U1: the symbol"):
            read_text(text, strict=True)


def test_a_potentiometer_whose_symbol_is_nowhere():
    flags = "FLAG -16 48 w\nFLAG 16 16 b\nFLAG 16 96 a\n"
    text = f"Version 4\nSHEET 1 1 1\n{flags}SYMBOL pot_ 0 0 R0\nSYMATTR InstName U4\nSYMATTR Value Rtot=500k\nSYMATTR Value2 wiper=0.25\nTEXT 0 0 Left 0 !Vin a 0 AC 1\\nRw w 0 1Meg\\nRb b 0 1\n"
    found = {element.name: element for element in read_text(text).bound().elements}
    ohms = {element.nodes: element.value for element in found.values() if isinstance(element, Resistor) and element.name not in ("rw", "rb")}
    assert ohms == {("a", "w"): pytest.approx(375e3), ("w", "b"): pytest.approx(125e3)}


def test_encodings_of_drawings(tmp_path):
    text = "Version 4\n" + DRIVE + "SYMBOL cap 0 0 R0\nSYMATTR InstName C1\nSYMATTR Value 4.7µ\nFLAG 16 0 in\nFLAG 16 64 out\n"
    for encoding in ("utf-8", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"):
        (tmp_path / "a.asc").write_bytes(text.encode(encoding))
        circuit = read(tmp_path / "a.asc")
        assert circuit.element("c1").value == pytest.approx(4.7e-6) and isinstance(circuit.element("vin"), VoltageSource), encoding


def mutated(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    for _ in range(rng.randint(1, 6)):
        row = rng.randrange(len(lines))
        words = lines[row].split(" ")
        choice = rng.randrange(6)
        if choice == 0:
            words[rng.randrange(len(words))] = rng.choice(["", "0", "16", "-1e9", "R90", "M270", "!.lib", "\\n", "§", "npn", "Misc\\\\triode", "99999999999999999999", "InstName", "\u2028"])
        elif choice == 1:
            words.insert(rng.randrange(len(words) + 1), rng.choice(["0", "x", "!.param a={a}", ";*@ control a", "!.subckt a b\\nR1 b 0 1\\n.ends", "SYMATTR"]))
        elif choice == 2:
            del words[rng.randrange(len(words))]
        lines[row] = " ".join(words)
        other = rng.randrange(len(lines))
        if choice == 3:
            lines[row], lines[other] = lines[other], lines[row]
        elif choice == 4:
            lines.insert(row, lines[other])
        elif choice == 5 and len(lines) > 1:
            del lines[row]
    return "\n".join(lines)


@settings(max_examples=200, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**63))
def test_mutated_drawings_raise_only_our_own_errors(seed):
    rng = random.Random(seed)
    for _ in range(100):  # 20,000 drawings in all
        try:
            read_text(mutated(CLIPPER, rng))
        except AmpwrightError as error:
            assert str(error)


def test_a_current_source_keeps_its_direction():
    text = "Version 4\n" + DRIVE + "FLAG 0 0 out\nFLAG 0 80 0\nSYMBOL current 0 0 R0\nSYMATTR InstName I1\nSYMATTR Value 1m\n"
    source = read_text(text).element("i1")
    assert isinstance(source, CurrentSource) and source.nodes == ("out", "0")
