"""What the reader makes of whole decks: the bench circuits, the library, declarations and what stands in for them."""

from pathlib import Path

import pytest

from circuits.elements import VoltageSource
from circuits.errors import NetlistError
from netlists import library
from netlists.reader import read, read_text

BENCH = Path(__file__).resolve().parents[1].parent / "shared" / "bench-netlists"
FILTER = "low-pass\nVin in 0 AC 1\nR1 in out {r}\nC1 out 0 47n\n.param r={drive*10k} drive=0.1\n"


def test_bench_decks_read_as_they_are():
    decks = sorted(BENCH.glob("*.cir"))
    if not decks:
        pytest.skip("the bench decks are not beside this tree; the library test reads decks of the same kind")
    for path in decks:
        circuit = read(path)
        assert circuit.input == "vin" and circuit.outputs == ("out",)
        assert sum("skipped: .tran" in note for note in circuit.notes) == 1


@pytest.mark.parametrize("name", library.names())
def test_library_reads_strictly(name):
    circuit = read(library.find(name), strict=True)
    assert circuit.input and circuit.outputs and circuit.title
    for control in circuit.controls:
        for position in (control.minimum, control.maximum):
            circuit.turn(**{control.name: position}).bound()


def test_library_suggests():
    with pytest.raises(NetlistError, match="the library has no schematic 'big_muf'. Did you mean big_muff"):
        library.find("big_muf")


def test_a_control_holds_the_value_and_turns_the_elements():
    circuit = read_text(FILTER + "*@ control drive 0 1 taper=log label=\"Drive knob\" unit=%\n")
    control, = circuit.controls
    assert control.label == "Drive knob" and control.unit == "%"
    assert control.value == pytest.approx(0.1, rel=1e-12) and control.position == pytest.approx(0.5)
    assert circuit.bound().element("r1").value == pytest.approx(1000.0)
    assert circuit.turn(drive=1.0).bound().element("r1").value == pytest.approx(10e3)
    assert circuit.with_parameters(drive=0.2).bound().element("r1").value == pytest.approx(2000.0)


def test_a_switch_has_whole_positions():
    circuit = read_text(FILTER.replace("drive=0.1", "drive=2") + "*@ switch drive 1 3 label=Mode\n")
    assert circuit.control("drive").switch and circuit.control("drive").position == 2.0


def test_the_caller_overrides_the_deck():
    text = FILTER + "*@ input vin in\n*@ output in\n*@ level 0.2\n*@ contrl drive\n"
    circuit = read_text(text, output="out in,out", controls=["drive 0 2 taper=lin"])
    assert circuit.outputs == ("out", "in,out") and circuit.level == 0.2 and circuit.control("drive").maximum == 2.0
    assert any("line 9, column 1: *@ contrl is not known; did you mean *@ control?" in note for note in circuit.notes)
    with pytest.raises(NetlistError, match="contrl is not known"):
        read_text(text, strict=True)


@pytest.mark.parametrize("text, options", [
    ("t\nR1 in out 1k\nR2 out 0 1k\n", {"input": "in"}),
    ("t\nR1 in out 1k\nR2 out 0 1k\n*@ input in\n", {})])
def test_a_fragment_is_driven_at_a_node(text, options):
    circuit = read_text(text, **options)
    source = circuit.element("vin")
    assert isinstance(source, VoltageSource) and source.nodes == ("in", "0") and circuit.input == "vin"


def test_the_source_of_a_driven_node_is_taken():
    assert read_text("t\nVx in 0 AC 1\nR1 in out 1k\n", input="in").input == "vx"


@pytest.mark.parametrize("sources, chosen", [
    (["Vcc a 0 9", "Vsig b 0 SIN(0 1 1k)"], "vsig"), (["V1 a 0 9", "V2 b 0 AC 1"], "v2"), (["V1 a 0 AC 1", "Vin b 0 AC 1"], "vin"),
    (["Vcc a 0 9", "Vin b 0 0"], "vin"), (["I1 0 a PULSE(0 1)", "V2 b 0 9"], "i1")])
def test_the_telling_source_is_the_input(sources, chosen):
    circuit = read_text("t\n" + "\n".join(sources) + "\nR1 a out 1k\nR2 b out 1k\n")
    assert circuit.input == chosen and any("chosen by" in note for note in circuit.notes)


@pytest.mark.parametrize("node", ["out", "output", "vout", "v_out", "spk", "speaker", "load", "out_left"])
def test_the_telling_node_is_the_output(node):
    assert read_text(f"t\nVin in 0 AC 1\nR1 in {node} 1k\nR2 {node} a 1k\nR3 a 0 1\n").outputs == (node,)


def test_every_element_keeps_its_line():
    circuit = read_text("t\nVin in 0 AC 1\n* text\nX1 in out half\n.subckt half a b\n\nR1 a b\n+ 1k\n.ends\nR2 out\n+ 0\n+ 1k\n", path="a.cir")
    assert str(circuit.element("x1.r1").place) == "a.cir, line 7, column 1"
    assert str(circuit.element("r2").place) == "a.cir, line 10, column 1"


def test_errors_in_continued_lines_name_their_own_line():
    with pytest.raises(NetlistError, match=r"line 5, column 6: the parameter 'foo' is not defined"):
        read_text("t\nVin in 0 AC 1\nR1 in\n+ out\n+   {foo}\n")


@pytest.mark.parametrize("title, told", [("R1 in out 1k", True), ("c12 a b {c*2}", True), ("R8 my favourite distortion", False), ("RC low-pass: 1k, 10n", False)])
def test_an_element_in_the_place_of_the_title_is_told(title, told):
    circuit = read_text(f"{title}\nVin in 0 AC 1\nR2 in out 1k\nC2 out 0 1n\n", strict=True)
    assert any("line 1: the first line is the title, although it looks like an element" in note for note in circuit.notes) is told
    assert circuit.title == title and len(circuit.elements) == 3
