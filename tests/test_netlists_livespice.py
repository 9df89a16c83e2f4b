"""LiveSPICE drawings: terminals in every placement, the components' laws against LiveSPICE's formulas worked by hand, damage refused."""

import math
import random
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from circuits.elements import BehaviouralCurrent, BehaviouralVoltage, Device, IdealTransformer, Nullor
from circuits.errors import AmpwrightError, NetlistError
from circuits.expressions import Number, Time, Voltage, evaluate, transform
from netlists.reader import read, read_text
from netlists.schx import TERMINALS, placed

VERSION = ", Circuit, Version=1.0.0.0, Culture=neutral, PublicKeyToken=null"


def symbol(kind: str, at=(0, 0), rotation=0, flip=False, **attributes) -> str:
    text = " ".join(f'{key}="{value}"' for key, value in attributes.items())
    return (f'<Element Type="Circuit.Symbol{VERSION}" Rotation="{rotation}" Flip="{str(flip).lower()}" Position="{at[0]},{at[1]}">\n'
            f'<Component _Type="Circuit.{kind}{VERSION}" {text} />\n</Element>\n')


def wire(a, b) -> str:
    return f'<Element Type="Circuit.Wire{VERSION}" A="{a[0]},{a[1]}" B="{b[0]},{b[1]}" />\n'


def named(name: str, at) -> str:
    return symbol("Ground", at, Name="G") if name == "0" else symbol("NamedWire", at, WireName=name, Name="N")


def drawing(*parts: str) -> str:
    ends = symbol("Input", (9000, 0), Name="V1", V0dBFS="500 mV") + named("in", (9000, -20)) + named("0", (9000, 20))
    ends += symbol("Speaker", (9100, 0), Name="S1", Impedance="∞ Ω") + named("out", (9100, -20)) + named("0", (9100, 20))
    ends += symbol("Resistor", (9200, 0), Name="Rload", Resistance="1 MΩ") + named("in", (9200, -20)) + named("out", (9200, 20))
    return f'\ufeff<?xml version="1.0" encoding="utf-8"?>\n<Schematic Name="A pedal" Description="">\n{"".join(parts)}{ends}</Schematic>\n'


def alone(kind: str, nodes: dict[str, str], **attributes) -> str:
    """A component at (0, 0) whose terminals bear names."""
    at = {**TERMINALS[kind], **({"C": (10, -20), "E": (10, 20)} if attributes.get("Type") == "PNP" else {})}
    return drawing(symbol(kind, **attributes), *(named(node, placed(at[pin], (0, 0), 0, False)) for pin, node in nodes.items()),
                   *(symbol("Resistor", (500 + 100 * k, 500), Resistance="1 kΩ", Name=f"t{k}") + named(node, (500 + 100 * k, 480)) + named("0", (500 + 100 * k, 520))
                     for k, node in enumerate(nodes.values()) if node != "0"))


def value_at(expression, **voltages):
    def change(part):
        if isinstance(part, Voltage):
            return Number(voltages.get(part.plus, 0.0) - voltages.get(part.minus, 0.0))
        return Number(0.001) if isinstance(part, Time) else None
    return evaluate(transform(expression, change), {})


@pytest.mark.parametrize("kind", sorted(kind for kind in TERMINALS if TERMINALS[kind]))
def test_terminals_in_every_placement(kind):
    for rotation in range(-4, 5):
        for flip in (False, True):
            for x, y in TERMINALS[kind].values():
                z = complex(x, y if flip else -y) * (-1j) ** rotation  # another way to turn: by the imaginary unit
                assert placed((x, y), (70, -30), rotation, flip) == (70 + round(z.real), -30 + round(z.imag))


PEDAL = drawing(
    wire((0, 0), (60, 0)), named("in", (0, 0)),
    symbol("Capacitor", (80, 0), rotation=-1, Name="C1", Capacitance="47 nF"), wire((100, 0), (200, 0)), wire((150, 0), (150, 40)),
    symbol("Resistor", (150, 60), Name="R1", Resistance="4.7 kΩ"), symbol("Ground", (150, 80), Name="GND1"),
    symbol("Diode", (200, 20), Name="D1", IS="2.52 nA", n="1.752"), named("gnd", (200, 40)), wire((120, -50), (120, 50)), named("vcc", (120, -50)),
    symbol("Rail", (300, 0), Name="V2", Voltage="-9 V"), named("vcc", (300, 0)), symbol("Label", (0, 400), Text="by me", Name="x"))


def test_a_drawing_is_read_like_its_netlist():
    drawn = read_text(PEDAL)
    typed = read_text("A pedal\nV1 in 0 AC 1\nC1 in n001 47n\nR1 n001 0 4.7k\nD1 n001 0 DX\n.model DX D(IS=2.52n N=1.752)\nV2 vcc 0 -9\nRload in out 1Meg\n*@ level 0.5\n")
    assert drawn.title == "A pedal" and (drawn.input, drawn.outputs, drawn.level) == ("v1", ("out",), 0.5)
    assert {element.name for element in drawn.elements} == {element.name for element in typed.elements}
    for element in typed.elements:
        same = drawn.element(element.name)
        assert type(same) is type(element) and set(same.nodes) == set(element.nodes), element.name
        assert getattr(same, "value", 0.0) == pytest.approx(getattr(element, "value", 0.0)), element.name
    assert drawn.element("d1").nodes == ("n001", "0") and dict(drawn.element("d1").card.values) == {"is": pytest.approx(2.52e-9), "n": 1.752}
    assert 'Name="R1"' in PEDAL.split("\n")[drawn.element("r1").place.line - 1]


@pytest.mark.parametrize("text, ohms", [("10 kΩ", 1e4), ("1 MΩ", 1e6), ("1 M", 1e6), ("500 mΩ", 0.5), ("2.2 Ω", 2.2), ("470", 470.0), ("1.5k\u2126", 1500.0), ("1e3 ohm", 1e3)])
def test_quantities_have_the_prefixes_of_the_si(text, ohms):
    assert read_text(alone("Resistor", {"Anode": "a", "Cathode": "0"}, Name="R1", Resistance=text)).element("r1").value == pytest.approx(ohms)


@pytest.mark.parametrize("law, share", [
    ("Linear", 0.3), ("ReverseLinear", 0.7), ("Logarithmic", (math.exp(0.6) - 1.0) / (math.exp(2.0) - 1.0)), ("ReverseLogarithmic", (math.exp(1.4) - 1.0) / (math.exp(2.0) - 1.0)),
    ("AntiLogarithmic", 1.0 - (math.exp(1.4) - 1.0) / (math.exp(2.0) - 1.0)), ("Sigmoid", 1.0 / (1.0 + (0.3 / 0.7)**-1.8)), ("AntiSigmoid", 1.0 / (1.0 + (0.3 / 0.7)**(-1.0 / 1.8)))])
def test_sweeps(law, share):
    text = alone("Potentiometer", {"Anode": "a", "Cathode": "0", "Wiper": "w"}, Name="Tone", Resistance="100 kΩ", Wipe="0.3", Sweep=law)
    circuit = read_text(text)
    bound = circuit.bound()
    assert bound.element("tone.low").nodes == ("0", "w") and bound.element("tone.high").nodes == ("a", "w")
    assert bound.element("tone.low").value == pytest.approx(1e5 * share) and bound.element("tone.high").value == pytest.approx(1e5 * (1.0 - share))
    assert circuit.control("tone").label == "Tone" and circuit.control("tone").position == 0.3
    assert circuit.turn(tone=0.0).bound().element("tone.low").value > 0.0


def test_switches_and_groups():
    parts = [symbol("SPDT", (0, 0), Name="S1", Position="1", Group="mode"), symbol("SPDT", (200, 0), Name="S2", Position="1", Group="mode")]
    circuit = read_text(drawing(*parts))
    assert [control.name for control in circuit.controls] == ["mode"] and circuit.control("mode").switch
    for turned, closed in ((circuit, "1"), (circuit.turn(mode=0), "0")):
        for name in ("s1", "s2"):
            assert turned.bound().element(f"{name}.{closed}").value == 1e-2 and turned.bound().element(f"{name}.{1 - int(closed)}").value == 1e12


def test_transistors_know_their_pins():
    npn = read_text(alone("BipolarJunctionTransistor", {"B": "b", "C": "c", "E": "e"}, Name="Q1", Type="NPN", IS="10 fA", BF="200", BR="4")).element("q1")
    pnp = read_text(alone("BipolarJunctionTransistor", {"B": "b", "C": "c", "E": "e"}, Name="Q1", Type="PNP", IS="10 fA", BF="200", BR="4")).element("q1")
    jfet = read_text(alone("JunctionFieldEffectTransistor", {"S": "s", "G": "g", "D": "d"}, Name="J1", Type="N", Vt0="-930 mV", Beta="0.00107")).element("j1")
    assert npn.nodes == pnp.nodes == ("c", "b", "e") and (npn.card.kind, pnp.card.kind) == ("npn", "pnp")
    assert jfet.nodes == ("d", "g", "s") and jfet.card.kind == "njf" and jfet.card.values["vto"] == -0.93


def test_tubes_follow_their_formulas():
    pins = {"P": "p", "G": "g", "K": "0"}
    koren = read_text(alone("Triode", pins, Name="V9", Model="Koren", Mu="100", Rgk="1 MΩ", Kn="500 mV", Vg="330 mV", SimulateCapacitances="True"))
    assert koren.element("v9").card.kind == "triode" and koren.element("v9").card.values["rgi"] == 0.0 and koren.element("v9.cgp").nodes == ("p", "g")
    grid = koren.element("v9.grid").expression
    # a, b, c of the parabola as LiveSPICE writes them
    a, b = 1.0 / (4 * 0.5 * 1e6), (0.5 - 0.33) / (2 * 0.5 * 1e6)
    c = -a * (0.33 - 0.5)**2 - b * (0.33 - 0.5)
    for v in (-1.0, 0.0, 0.5, 1.0, 3.0):
        wanted = 0.0 if v < 0.33 - 0.5 else ((v - 0.33) / 1e6 if v > 0.83 else a * v * v + b * v + c)
        assert value_at(grid, g=v) == pytest.approx(wanted, abs=1e-18)
    dempwolf = read_text(alone("Triode", pins, Name="V9", Model="DempwolfZolzer", Mu="83.5")).element("v9")
    assert dempwolf.card.kind == "triode_dz" and dempwolf.card.values["mu"] == 83.5
    child = read_text(alone("Triode", pins, Name="V9", Model="ChildLangmuir", Mu="100", K="1.73E-06")).element("v9")
    assert value_at(child.expression, p=200.0, g=-1.0) == pytest.approx(1.73e-6 * 100.0**1.5) and value_at(child.expression, p=50.0, g=-1.0) == 0.0


def test_the_pentode_follows_its_formula():
    circuit = read_text(alone("Components.Pentode", {"P": "p", "G": "g", "G2": "s", "K": "0"}, Name="V9", Mu="10.7", Kg1="1672", Kg2="4500", Kp="41.16", Kvb="12.7", Ex="1.31"))
    p, s, g = 250.0, 240.0, -12.0
    e1 = p / 41.16 * math.log1p(math.exp(41.16 * (1 / 10.7 + g / math.sqrt(12.7 + s * s))))
    assert value_at(circuit.element("v9.plate").expression, p=p, s=s, g=g) == pytest.approx(e1**1.31 / 1672 * math.atan(p / 12.7), rel=1e-12)
    assert value_at(circuit.element("v9.screen").expression, p=p, s=s, g=g) == pytest.approx(e1**1.31 / 4500, rel=1e-12)
    assert value_at(circuit.element("v9.plate").expression, p=-5.0, s=s, g=g) == 0.0 and isinstance(circuit.element("v9.grid"), BehaviouralCurrent)


def test_transformers_and_op_amps():
    transformer = read_text(alone("Transformer", {"PA": "a", "PC": "0", "SA": "b", "SC": "0"}, Name="T1", Turns="3:2")).element("t1")
    assert isinstance(transformer, IdealTransformer) and transformer.ratio == 1.5 and transformer.nodes == ("a", "0", "b", "0")
    tapped = read_text(alone("CenterTapTransformer", {"PA": "a", "PC": "0", "SA": "b", "ST": "c", "SC": "d"}, Name="T1", Turns="1:1"))
    assert tapped.element("t1.a").nodes == ("a", "0", "b", "c") and tapped.element("t1.c").nodes == ("a", "0", "c", "d") and tapped.element("t1.a").ratio == 2.0
    ideal = read_text(alone("IdealOpAmp", {"+": "p", "-": "m", "Out": "o"}, Name="X1")).element("x1")
    assert isinstance(ideal, Nullor) and ideal.nodes == ("p", "m", "o", "0")
    real = read_text(alone("OpAmp", {"+": "p", "-": "m", "Out": "o", "Vcc+": "h", "Vcc-": "l"}, Name="X1", GBP="3 MHz")).element("x1")
    assert isinstance(real, Device) and real.nodes == ("p", "m", "h", "l", "o") and real.card.values["gbw"] == 3e6
    assert read_text(alone("OpAmp", {"+": "p", "-": "m", "Out": "o"}, Name="X1")).element("x1").nodes == ("p", "m", "o")


def test_sources_of_time():
    source = read_text(alone("VoltageSource", {"Anode": "a", "Cathode": "0"}, Name="V3", Voltage="2*Sin[251.327*t] V")).element("v3")
    assert isinstance(source, BehaviouralVoltage) and value_at(source.expression) == pytest.approx(2.0 * math.sin(0.251327))


def test_a_component_that_nobody_knows_is_left_out_and_told():
    text = drawing(symbol("FluxCapacitor", Name="C1"))
    circuit = read_text(text)
    told = "line 4: the component FluxCapacitor of LiveSPICE is not known and left out; what it connects is cut"
    assert [element.name for element in circuit.elements] == ["v1", "s1", "rload"][:1] + ["rload"] and told in circuit.notes
    with pytest.raises(NetlistError, match="the component FluxCapacitor of LiveSPICE is not known"):
        read_text(text, strict=True)


def test_a_voltage_that_has_a_name_moves_a_source():
    parts = [symbol("VoltageDefinition", Name="Vd"), named("a", (0, -20)), named("b", (0, 20)), symbol("CurrentSource", (100, 0), Name="I1", Current="Vd*1000 A"), named("x", (100, -20)),
             named("0", (100, 20))]
    loads = [symbol("Resistor", (500 + 100 * k, 500), Resistance="1 kΩ", Name=f"t{k}") + named(node, (500 + 100 * k, 480)) + named("0", (500 + 100 * k, 520)) for k, node in enumerate("abx")]
    source = read_text(drawing(*parts, *loads)).element("i1")
    assert isinstance(source, BehaviouralCurrent) and source.nodes == ("x", "0") and value_at(source.expression, a=0.75, b=0.5) == pytest.approx(250.0)


def inside(kind: str, nodes: dict[str, str], **attributes) -> str:
    """A component of a Circuit inside a drawing, whose terminals name nodes of that Circuit."""
    text = " ".join(f'{key}="{value}"' for key, value in attributes.items())
    ends = "".join(f'<Terminal Name="{name}" ConnectedTo="{node}" />' for name, node in nodes.items())
    return f'<Component _Type="Circuit.{kind}{VERSION}" {text}>{ends}</Component>'


def boxed(*parts: str, at=(0, 0), name="X1", rotation=0) -> str:
    return (f'<Element Type="Circuit.Symbol{VERSION}" Rotation="{rotation}" Flip="false" Position="{at[0]},{at[1]}">\n'
            f'<Component _Type="Circuit.Circuit{VERSION}" Name="{name}">{"".join(parts)}</Component>\n</Element>\n')


def test_a_circuit_inside_a_drawing_is_its_components():
    """Ports go round a box 80 wide from the upper left corner, numbered ones in their places; a port is a wire; two ports of one node join what is outside."""
    divider = (inside("Resistor", {"Anode": "_v1", "Cathode": "_v2"}, Name="R1", Resistance="10 kΩ"), inside("Potentiometer", {"Anode": "_v2", "Cathode": "_v3", "Wiper": "_v4"}, Name="Vol", Resistance="5 kΩ", Wipe="0.5"),
               inside("Ground", {"T": "_v3"}, Name="G"), inside("Port", {"In": "_v1"}, Name="In", Number="1"), inside("Port", {"W": "_v4"}, Name="W", Number="4"),
               inside("Port", {"Again": "_v4"}, Name="Again", Number="3"), inside("Port", {"Free": "_v9"}, Name="Free"))
    outer = (named("in", (-40, -10)), named("out", (40, -10)), named("y", (40, 10)), symbol("Resistor", (300, 0), Name="Ry", Resistance="1 kΩ") + named("y", (300, -20)) + named("0", (300, 20)))
    circuit = read_text(drawing(boxed(*divider), *outer))
    found = {element.name: element.nodes for element in circuit.elements}
    assert found["x1_r1"] == ("in", "x1__v2") and found["x1_vol.low"] == ("0", "out") and found["x1_vol.high"] == ("x1__v2", "out")
    assert set(found["x1_again"]) == {"out", "y"} and circuit.element("x1_again").value == 0.0, "two ports of one node are a wire"
    assert [control.name for control in circuit.controls] == ["x1_vol"]
    twice = read_text(drawing(boxed(inside("Port", {"A": "n"}, Name="A", Number="1") + inside("Port", {"B": "m"}, Name="B", Number="2")
                                    + f'<Component _Type="Circuit.Circuit{VERSION}" Name="X9">{inside("Resistor", {"Anode": "p", "Cathode": "q"}, Name="R5", Resistance="3 kΩ")}'
                                    + inside("Port", {"P": "p"}, Name="P") + inside("Port", {"Q": "q"}, Name="Q") + '<Terminal Name="P" ConnectedTo="n" /><Terminal Name="Q" ConnectedTo="m" /></Component>'),
                              named("in", (-40, -0)), named("out", (40, 0))))
    assert twice.element("x1_x9_r5").nodes == ("in", "out"), "a circuit inside a circuit"
    with pytest.raises(NetlistError, match="line 4: the ports of this Circuit are damaged. Open and save the drawing in LiveSPICE"):
        read_text(drawing(boxed(inside("Port", {"A": "n"}, Name="A", Number="many"))))
    with pytest.raises(NetlistError, match="circuits are nested more than 20 deep"):
        read_text(drawing(boxed(f'<Component _Type="Circuit.Circuit{VERSION}" Name="X">' * 30 + "</Component>" * 30)))


@pytest.mark.parametrize("text, words", [
    (drawing(symbol("Resistor", Name="R1", Resistance="much")), r"line 4: r1: Resistance = 'much' is no quantity"),
    (drawing(symbol("Transformer", Name="T1", Turns="1:0")), r"the turns '1:0' are no ratio"),
    (drawing(symbol("Resistor", Name="R1").replace('"0,0"', '"0;0"')), r"line 3: this Element is damaged"),
    (drawing()[:300], r"the drawing is damaged"), ("<Schematic></Schematic>", r"the drawing holds no component"),
    ("<!DOCTYPE a [<!ENTITY b 'c'>]><Schematic>&b;</Schematic>", r"this is an XML or HTML file|document types"),
    ("<Schematic><!DOCTYPE a></Schematic>", r"the drawing is damaged"), ("<html></html>", r"this is an XML or HTML file, not a SPICE netlist")])
def test_bad_drawings(text, words):
    with pytest.raises(NetlistError, match=words):
        read_text(text)


def test_the_caller_chooses_other_ends(tmp_path):
    (tmp_path / "pedal.schx").write_text(PEDAL, encoding="utf-8")
    circuit = read(tmp_path / "pedal.schx", output="in")
    assert circuit.outputs == ("in",)


VALUES = ["", "0", "-1", "1e-30 Ω", "9e99", "NaN", "∞", "∞ Ω", "4.7 kΩ", "1:0", "1:2:3", "0,0", "5,5", "1e9,-1e9", "Sin[t]", "2*t/0", "true", "Logarithmic", "Triode", "gnd", "in", "out",
          "Circuit.Potentiometer", "Circuit.BipolarJunctionTransistor", "Circuit.SP4T", "Circuit.Components.Pentode", "Circuit.Wire", "PNP", "P", "10 kV", "-3", "(((", "é\u2028"]
ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')


def turned(text: str, rng: random.Random) -> str:
    """Another value, or another name, for some attributes: the drawing stays well-formed and reaches the components."""
    found = list(ATTRIBUTE.finditer(text))
    for match in sorted(rng.sample(found, rng.randint(1, 4)), key=lambda one: -one.start()):
        number = 1 if rng.random() < 0.1 else 2
        new = rng.choice(VALUES) if number == 2 else rng.choice(["Wipe", "Group", "Name", "Type", "Position", "Sweep", "Turns"])
        if rng.random() < 0.3:
            new = rng.choice(found)[number]
        text = text[:match.start(number)] + new + text[match.end(number):]
    return text


def mutated(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    for _ in range(rng.randint(1, 5)):
        row, other, choice = rng.randrange(len(lines)), rng.randrange(len(lines)), rng.randrange(6)
        if choice == 0:
            lines[row], lines[other] = lines[other], lines[row]
        elif choice == 1:
            lines.insert(row, lines[other])
        elif choice == 2 and len(lines) > 1:
            del lines[row]
        elif lines[row]:
            at = rng.randrange(len(lines[row]))
            new = rng.choice(["", '"', "<", ">", "&", "0", "-", ",", "9e99", "NaN", "∞", "Ground", "Triode", "Position", "x", "\u0000"])
            lines[row] = lines[row][:at] + new + lines[row][at + rng.randint(0, 8):]
    return "\n".join(lines)


@settings(max_examples=100, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**63))
def test_mutated_drawings_raise_only_our_own_errors(seed):
    rng = random.Random(seed)
    for number in range(200):  # 20,000 drawings in all, half of them no well-formed XML any more
        try:
            read_text((mutated if number % 2 else turned)(PEDAL, rng))
        except AmpwrightError as error:
            assert str(error)
