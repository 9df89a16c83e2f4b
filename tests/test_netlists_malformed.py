"""Bad netlists: each is refused in one line that names the place, the fault and the mend; and no mutation gets past our own errors."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from circuits.errors import AmpwrightError, NetlistError
from netlists.reader import read, read_text

HEAD = "title\nVin in 0 AC 1\nR1 in out 1k\n"


def deck(*lines: str) -> str:
    return HEAD + "\n".join(lines) + "\n"


LAUGHS = "\n".join(f".subckt s{k} a\n" + "\n".join(f"X{j} a s{k + 1}" for j in range(10)) + "\n.ends" for k in range(9)) + "\n.subckt s9 a\nR1 a 0 1k\n.ends"

MALFORMED = {
    "unknown model": (deck("D1 out 0 1N41448X", ".model 1N41448 D(IS=1n)"),
                      r"line 4, column 10: D1 uses the model 1N41448X, which is not defined. Did you mean 1N41448\?"),
    "unknown subcircuit": (deck("X1 out 0 fuzzz", ".subckt fuzz a b", "R1 a b 1k", ".ends"),
                           r"line 4, column 1: X1 uses the subcircuit fuzzz, which is not defined. Did you mean fuzz\?"),
    "no ends": (deck(".subckt a b", "R1 b 0 1k"), r"line 4: the subcircuit a has no .ends. Add .ends."),
    "ends alone": (deck("R2 out 0 1k", ".ends"), r"line 5: .ends without .subckt"),
    "recursion": (deck("X1 out a", ".subckt a n", "X1 n b", ".ends", ".subckt b n", "X1 n a", ".ends"),
                  r"the subcircuit a contains itself \(a > b > a\)"),
    "billion laughs": (deck("X1 out s0", LAUGHS), r"more than 20000 instances of subcircuits. Is a subcircuit made of many"),
    "undefined parameter": (deck(".param vol=1", "R2 out 0 {vool*2}"), r"line 5, column 11: the parameter 'vool' is not defined. Did you mean vol\?"),
    "division by zero": (deck(".param a=0", "R2 out 0 {1/a}"), r"line 5, column 1: r2: division by zero"),
    "division by zero in .param": (deck(".param a=0 b={1/a}", "R2 out 0 {b}"), r"line 4, column 14: b: division by zero"),
    "circle": (deck(".param a={b} b={a}", "R2 out 0 {a}"), r"line 4, column 1\d: the parameter [ab] is defined by itself. Give it a number"),
    "function circle": (deck(".func f(x) {g(x)}", ".func g(x) {f(x)}", "R2 out 0 {f(1)}"), r"the function [fg]\(\) calls itself"),
    "exponential functions": (deck(*(f".func f{k}(x) {{f{k + 1}(x)+f{k + 1}(x)}}" for k in range(15)), ".func f15(x) {x}", "R2 out 0 {f0(1)}"),
                              r"the function f\d+\(\) calls itself, or others without end"),
    "exponential tree": (deck(*(f".func f{k}(x) {{x*x+x}}" for k in range(12)),
                              "B1 out 0 V=" + "".join(f"f{k}(" for k in range(12)) + "V(in)" + ")" * 12), r"this expression is too large"),
    "deep brackets": (deck("R2 out 0 {" + "(" * 5000 + "1" + ")" * 5000 + "}"), r"more than 60 brackets or signs inside each other"),
    "many signs": (deck("R2 out 0 {" + "-" * 5000 + "1}"), r"more than 60 brackets or signs inside each other"),
    "long sum": (deck("B1 out 0 V=" + "+".join(["V(in)"] * 3000)), r"this expression is too large: \d+ parts, 201 deep"),
    "output is no node": (deck("*@ output oot"), r"line 4, column 1: the output oot is no node. Did you mean out\?"),
    "input is nothing": (deck("*@ input vinn"), r"line 4, column 1: the input vinn is neither a source nor a node. Did you mean vin\?"),
    "input not on its node": (deck("*@ input vin out"), r"the input vin is not connected to out. Its nodes are in, 0"),
    "two input lines": (deck("*@ input vin", "*@ input vin"), r"line 5, column 1: there are two \*@ input lines"),
    "control without parameter": (deck(".param drive=0.5", "*@ control dirve"), r"line 5, column 12: the control dirve is no parameter of the deck. Did you mean drive\?"),
    "control out of range": (deck(".param drive=2", "*@ control drive"), r"drive = 2 lies outside its control's range 0 to 1"),
    "control with an empty range": (deck(".param drive=1", "*@ control drive 1 1"), r"control drive: the range 1..1 is empty"),
    "control with one bound": (deck(".param drive=1", "*@ control drive 1"), r"\*@ control drive has 1 numbers. Write \*@ control drive MIN MAX"),
    "unknown taper": (deck(".param drive=1", "*@ control drive taper=logg"), r"unknown taper 'logg'. Use one of lin, log, antilog, s. Did you mean log\?"),
    "switch between positions": (deck(".param s=0.5", "*@ switch s 0 2"), r"line 5, column 11: control s is a switch and has no position 0.5"),
    "level": (deck("*@ level 0"), r"\*@ level needs a number of volts above 0"),
    "Python in an expression": (deck("R2 out 0 {__import__('os').system('true')}"), r"line 4, column 23: the parameter 'os' is not defined"),
    "attribute in an expression": (deck("R2 out 0 {().__class__}"), r"line 4, column 12: a value is missing before '\)'"),
    "unknown function": (deck("B1 out 0 V=sqr(V(in))"), r"line 4, column 12: there is no function sqr\(\). Did you mean sqrt\(\)\?"),
    "arguments": (deck("B1 out 0 V=limit(V(in),1)"), r"limit\(\) takes 3 arguments, not 2"),
    "brace": (deck("R2 out 0 {1+2"), r"line 4, column 10: '{' is not closed. Close it with '}'"),
    "bracket": (deck("R2 out 0 {(1+2}"), r"line 4, column 15: '\)' is missing"),
    "nothing behind a sign": (deck("B1 out 0 V=V(in)*2+"), r"line 4, column 19: a value is missing. Write a number or a name"),
    "operator": (deck("R2 out 0 {1+*2}"), r"line 4, column 13: a value is missing before '\*'"),
    "not a number": (deck("R2 out 0 1k5k5"), r"line 4, column 10: '1k5k5' is not a number|'5' is not expected here"),
    "decimal comma": (deck("R2 out 0 1,5k"), r"R2 has two values, 1 and 5k. A comma separates; the decimal sign is a point"),
    "no value": (deck("R2 out 0"), r"line 4, column 1: R2 has no value. Write R2 node node value"),
    "one node": (deck("R2 out"), r"R2 needs 2 nodes, not 1"),
    "twin": (deck("R1 out 0 1k"), r"line 4, column 1: there are two elements called r1. The first stands in line 3"),
    "pins": (deck("X1 out fuzz", ".subckt fuzz a b", "R1 a b 1k", ".ends"), r"X1 has 1 nodes, its subcircuit fuzz has 2. Its pins are a b"),
    "wrong type": (deck("Q1 out 0 0 M", ".model M D(IS=1n)"), r"needs a model of type npn or pnp or lpnp; M is of type d"),
    "model without type": (deck(".model M", "D1 out 0 M"), r"line 4, column 1: the model m has no type"),
    "voltage of nothing": (deck("B1 out 0 V=V(inn)"), r"line 4, column 12: V\(inn\) names a node that nothing is connected to. Did you mean in\?"),
    "current of nothing": (deck("B1 out 0 V=I(vinn)"), r"line 4, column 12: I\(vinn\) names an element that is not there. Did you mean vin\?"),
    "coupling": (deck("Lpri out 0 1", "Lsec out 0 1", "K1 Lpri Lsek 1"), r"line 6, column 1: K1 couples lsek, which is no inductor. Did you mean lsec\?"),
    "coefficient": (deck("L1 out 0 1", "L2 out 0 1", "K1 L1 L2 1.5"), r"K1 has the coefficient 1.5. It must lie from -1 to 1"),
    "core of no coil": (deck("K1 Lq 1 mag", ".model mag CORE"), r"line 4, column 1: K1 couples lq, which is no inductor"),
    "core of another model": (deck("L1 out 0 9", "K1 L1 1 DX", ".model DX D"), r"line 5, column 9: K1 needs a model of type core; DX is of type d"),
    "table falls": (deck("B1 out 0 V=table(V(in),1,0,0,1)"), r"a table must rise: 0 follows 1. Sort its points"),
    "parameter in time": (deck(".param a={V(in)}", "R2 out 0 {a}"), r"the parameter a depends on a voltage"),
    "poly": (deck("E1 out 0 POLY(99) in 0 1"), r"wrong dimension behind POLY. Give a whole number from 1 to 30"),
    "pwl": (deck("V2 out 0 PWL(0 0 1)"), r"V2 has 3 numbers in its PWL. Give pairs of time and value"),
    "nothing": ("", r"the netlist holds no element. The first line of a netlist is its title"),
    "only a title": ("R1 a b 1k", r"the netlist holds no element"),
    "if without end": (deck(".if (1)", "R2 out 0 1k"), r"line 4, column 1: .if without .endif. Add .endif"),
    "end without if": (deck("R2 out 0 1k", ".endif"), r"line 5, column 1: .endif without .if"),
    "if of a voltage": (deck(".if (V(in)>1)", "R2 out 0 1k", ".endif"), r"line 4, column 5: the condition of .if is no number"),
    "subcircuit inside if": (deck(".if (1)", "R2 out 0 1k", ".subckt a b", "R1 b 0 1", ".ends", ".endif"),
                             r"line 4, column 1: a subcircuit or a .control block stands inside .if, where it is not read. Put the .if inside the .subckt"),
    "pot of nothing": (deck(".pot Rvol 1 10k"), r"line 4, column 6: .pot needs a resistor and its range"),
    "pot without a range": (deck(".pot R1 10k 1"), r"the lower first. Write .pot Rvol 1 100k"),
    "long delay": (deck("T1 out 0 x 0 Z0=50 TD=30m", "R2 x 0 50"), r"line 4, column 1: a delay of 0.03 s is not read. Delays from 0 to about 89 us are"),
    "delay of a voltage": (deck("B1 x 0 V=delay(V(in),V(out))", "R2 x 0 50"), r"line 4, column 10: the seconds of delay\(\) are no number"),
    "lossy line without a model": (deck("O1 out 0 x 0 LM", "R2 x 0 50"), r"line 4, column 1: O1 uses the model LM, which is not defined. Add .model NAME ltra"),
    "lossy line of another model": (deck("U1 out x 0 LM", "R2 x 0 50", ".model LM LTRA(R=1)"), r"line 4, column 12: U1 needs a model of type urc; LM is of type ltra"),
    "lossy line without length": (deck("O1 out 0 x 0 LM", "R2 x 0 50", ".model LM LTRA(R=1 LEN=0)"), r"O1 needs LEN= above 0 and R or L"),
    "line of many sections": (deck("U1 out x 0 LM N=1000", "R2 x 0 50", ".model LM URC"), r"U1 would have 1000 sections. Give N= from 1 to 64"),
    "line without delay": (deck("T1 out 0 x 0 Z0=50", "R2 x 0 50"), r"line 4, column 1: T1 needs Z0= and TD="),
    "KiCad schematic": ("(kicad_sch (version 20230121))", r"this is a KiCad schematic, not a SPICE netlist. In KiCad"),
    "KiCad netlist": ("(export (version D))", r"this is a KiCad board netlist"),
    "temperature": (deck(".temp -300"), r"the temperature is no number above -273.15 C"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_message(name):
    text, words = MALFORMED[name]
    with pytest.raises(NetlistError, match=words) as caught:
        read_text(text)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 500


def test_includes_stay_in_the_folder(tmp_path):
    inside = tmp_path / "deck"
    inside.mkdir()
    (tmp_path / "secret.inc").write_text("R9 out 0 1k\n")
    netlist = inside / "a.cir"
    (inside / "link.inc").symlink_to(tmp_path / "secret.inc")
    for line in (".include ../secret.inc", f".include {tmp_path / 'secret.inc'}", ".include link.inc"):
        netlist.write_text(deck(line))
        circuit = read(netlist)
        assert not any(element.name == "r9" for element in circuit.elements), "what lies outside is never opened"
        assert any("leaves the folder of the netlist and is not read (Give its folder with --include-path" in note for note in circuit.notes)
        with pytest.raises(NetlistError, match=r"line 4, column 1: .* leaves the folder"):
            read(netlist, strict=True)
    netlist.write_text(deck(".include ../secret.inc") + "Q9 out in 0 secret\n")
    with pytest.raises(NetlistError, match=r"Q9 uses the model secret, which is not defined. '../secret.inc' leaves the folder of the netlist. Give its folder with --include-path"):
        read(netlist)
    netlist.write_text(deck(".include ../secret.inc"))
    assert read(netlist, include_paths=[tmp_path]).element("r9").value == 1000.0
    netlist.write_text(deck('.include "C:\\Users\\me\\secret.inc"'))
    (inside / "Secret.inc").write_text("R8 out 0 2k\n")
    assert read(netlist).element("r8").value == 2000.0, "a path of another machine is found by its base name, whatever its case"


def test_include_circles(tmp_path):
    (tmp_path / "a.cir").write_text(deck(".include b.inc"))
    (tmp_path / "b.inc").write_text("* b\n.include b.inc\n")
    with pytest.raises(NetlistError, match="'b.inc' is included in a circle"):
        read(tmp_path / "a.cir")
    (tmp_path / "b.inc").write_text("* b\n" + ".include c.inc\n" * 100)
    (tmp_path / "c.inc").write_text("* c\n" + ".include d.inc\n" * 100)
    (tmp_path / "d.inc").write_text("* d\n" + ".include e.inc\n" * 100)
    (tmp_path / "e.inc").write_text("* e\n")
    with pytest.raises(NetlistError, match="more than 500 includes"):
        read(tmp_path / "a.cir")


def test_unreadable(tmp_path):
    with pytest.raises(NetlistError, match="gone.cir: can't be read: No such file"):
        read(tmp_path / "gone.cir")
    (tmp_path / "zero.cir").write_bytes(b"RIFF" + b"abc\0" * 100)
    with pytest.raises(NetlistError, match="the file is not text: it holds zero bytes"):
        read(tmp_path / "zero.cir")


SEEDS = [
    deck("X1 out 0 pot PARAMS: R=10k w={vol}", ".subckt pot a b R=1k w=.5", ".param top={R*(1-w)}", "R1 a m {top+1m}", "R2 m b {R*w+1m}", ".ends",
         ".param vol=.3", "*@ control vol 0 1 taper=log label=\"Volume\"", "*@ level 2", ".step param vol list 1 2", ".end"),
    deck(".func sq(x) {x*x}", "B1 b 0 V={limit(sq(V(in,out)),-1,1)}", "R3 b 0 1k tol=1", "E1 c 0 POLY(2) in 0 out 0 0 1 2 3", "R4 c 0 4k7",
         "G1 c 0 VALUE={table(V(in),0,0,1,1)}", "E2 d 0 TABLE {V(in)} = (0,0) (1,2)", "R5 d 0 1", "B2 e 0 I=if(V(in)>0&time<1,ddt(V(in)),idt(I(Vin)))"),
    deck("C1 out 0 10u IC=1 Rser=1", "L1 out 0 1", "L2 c 0 1", "K1 L1 L2 .99", ".ic V(c)=1", "V2 e 0 PWL(0 0 1m 1)", "F1 e 0 V2 1", "R2 e c 1M", ".temp 40",
         ".tran 1m", ".control", "run", ".endc"),
    deck(".model DX D(IS=1n", "+ N=2)", "D1 out 0 DX", "Q1 out in 0 0 QX", ".model QX ako:QY", ".model QY NPN BF=100 mfg=me", "J1 out in 0 NJF", "S1 out 0 in 0 SW1",
         ".model SW1 SW(VT=1)", "W1 out 0 Vin W2", ".model W2 CSW(IT=1)", "M1 out in 0 0 NMOS W=1 L=1"),
    deck("A1 0 in 0 0 0 0 out 0 OTA G=1m Iout=1m Vhigh=5", "A2 in 0 0 0 0 y x 0 SCHMITT Vt=1 Vh=.5", "A9 in 0 out 0 0 y x 0 DFLOP", ".if (1)", "A8 in 0 0 0 0 y x 0 MODULATOR mark=1", ".else", ".endif", ".pot R2 1 10k", "R2 x 0 1k", "R3 y 0 1k", "E1 z 0 LAPLACE {V(in)} = {(1+s)/(2+s*1m+s**2*1u)}",
         "E2 z2 0 in 0 Laplace=1/(1+s)", "L1 in w Hc=16 Bs=.44 Br=.1 A=1e-4 Lm=.1 Lg=0 N=100", "L2 w 0 Hc=16 Bs=.44 Br=.1 A=1e-4 Lm=.1 Lg=0 N=20", "K1 L1 L2 1",
         "L3 in out Flux=1m*tanh(x)", "U1 in x 0 um N=4", ".model um urc(k=2)", "O1 in 0 x 0 om", ".model om ltra(R=1 C=1n LEN=2)", "C1 in out Q=1u*x", "I1 in out TBL(0 0 4 4m)", "X1 in out x y z TL072", "X2 in out x 12AX7_a", "X3 in 0 x pot Rt=1k set=.5",
         "X4 x in out opamp Aol=1k", "A3 %vd([x y]) fs", ".model fs filesource(file=\"a\")", "D1 in out BZX55C4V7", "L7 q q2 100", "L8 in 0 10", "K7 L7 L8 1 mag", ".model mag core(ms=1e5 gap=.1)", "L4 q q2 1", "L5 in 0 1", "K2 L4 L5 .5", "R4 q q2 1")]
TOKENS = ["{", "}", "(", ")", "=", ",", "'", '"', "+", "*", ";", "$", ".subckt a b", ".ends", ".lib", ".include x", ".param", "V(", "I(", "1e999", "1e-999", "nan", "0",
          "\n", "\n+", "POLY(2)", "TABLE", "VALUE=", "{1/0}", "*@ control", ".model", "x1", "K", "\\\\", "é", "\t", "**", "?", ":", "ddt(", "idt(", ".end", ".control",
          "#", ".if (1)", ".else", ".endif", ".pot R1 1 2", "delay(", "T1 out 0 x 0 Z0=50 TD=1n", "1" * 400, "-", "%", "@", "~", "!", "µ", ".if", ".endl", ".step param", ".func f(x)"]


def mutated(text: str, rng: random.Random) -> str:
    """Break a deck in up to six places: characters, tokens, lines; most decks lose some lines first, so that the others are reached."""
    if rng.random() < 0.75:
        head, *lines = text.split("\n")
        text = "\n".join([head, *(line for line in lines if rng.random() < 0.6 or line.startswith("Vin"))])
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(text) + 1)
        choice = rng.randrange(7)
        if choice == 0:
            text = text[:at] + rng.choice(TOKENS) + text[at:]
        elif choice == 1:
            text = text[:at] + text[at + rng.randint(1, 12):]
        elif choice == 2:
            text = text[:at] + chr(rng.choice([rng.randrange(32, 127), rng.randrange(0, 0x2fff)])) + text[at + 1:]
        else:
            lines = text.split("\n")
            row, other = rng.randrange(len(lines)), rng.randrange(len(lines))
            if choice == 3:
                lines[row], lines[other] = lines[other], lines[row]
            elif choice == 4:
                lines.insert(row, lines[other])
            elif choice == 5:
                del lines[row]
            else:
                words = lines[row].split(" ")
                words[rng.randrange(len(words))] = rng.choice(TOKENS)
                lines[row] = " ".join(words)
            text = "\n".join(lines)
    return text


@settings(max_examples=200, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(SEEDS), st.integers(0, 2**63))
def test_mutations_raise_only_our_own_errors(text, seed):
    rng = random.Random(seed)
    for _ in range(100):  # 100 decks an example: 20,000 in all
        try:
            read_text(mutated(text, rng))
        except AmpwrightError as error:
            assert str(error)


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(st.binary(max_size=300))
def test_any_bytes_raise_only_our_own_errors(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.cir"
    Path(path).write_bytes(data)
    with pytest.raises(AmpwrightError):
        read(path)
