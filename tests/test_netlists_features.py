"""One small deck for each feature and trap of the netlists that people have, with the values that it must give and why.

Every deck gets a title, a source of 2 V at node ``in`` and one of -2 V at node ``neg``. ``v(a)`` is a voltage of the operating point, ``r1.value`` an attribute of an
element after its parameters are bound, ``note`` a text that a note must contain, ``no note`` one that none may contain.
"""

import math

import pytest

from circuits.nodal.equations import assemble
from circuits.nodal.operating import operating_point
from netlists.reader import read_text

HEAD = "title\nVin in 0 DC 2 AC 1\nVneg neg 0 DC -2\n*@ input vin\n*@ output in\n"
POT = ".subckt pot 1 2 3\n.param w=limit(wiper,1m,.999)\nR0 1 3 {Rtot*(1-w)}\nR1 3 2 {Rtot*w}\n.ends"
D = ".model DX D(IS=1f)"


def b(expression: str) -> str:
    """A behavioural source at node x."""
    return f"B1 x 0 V={expression}\nRx x 0 1k"


# name, deck, expected, why
FEATURES = [
    # numbers
    ("k", "R1 in 0 4.7K", {"r1.value": 4700}, "suffixes do not care for case"),
    ("k in the place of the point", "R1 in 0 4k7", {"r1.value": 4700}, "ngspice reads 4 k without a word; 19 circuits of the survey mean 4.7 k"),
    ("R in the place of the point", "R1 in 0 2R2", {"r1.value": 2.2}, "panel notation"),
    ("m in the place of the point", "R1 in 0 1m5", {"r1.value": 1.5e-3}, "panel notation"),
    ("R as a unit", "R1 in 0 100R", {"r1.value": 100}, "100R is 100 ohms"),
    ("MEG", "R1 in 0 1MEG", {"r1.value": 1e6}, "the megohm"),
    ("Meg with unit", "R1 in 0 2.2MegOhm", {"r1.value": 2.2e6}, "letters behind a suffix are units"),
    ("M is milli", "R1 in 0 1M", {"r1.value": 1e-3, "note": "1M is 0.001 ohms; SPICE's M is milli"}, "said where a megohm was surely meant: three authors of the survey"),
    ("m of a capacitor", "C1 in 0 1M", {"c1.value": 1e-3, "no note": "milli"}, "only resistors are warned about"),
    ("f is femto", "C1 in 0 5f", {"c1.value": 5e-15}, "whatever follows"),
    ("F is femto too", "C1 in 0 5F", {"c1.value": 5e-15}, "5F is no farad"),
    ("uF", "C1 in 0 1uF", {"c1.value": 1e-6}, "units are ignored"),
    ("micro sign", "C1 in 0 4.7µ", {"c1.value": 4.7e-6}, "U+00B5, in 156 of 381 drawings"),
    ("Greek mu", "C1 in 0 4.7μF", {"c1.value": 4.7e-6}, "U+03BC"),
    ("leading point", "R1 in 0 .5", {"r1.value": 0.5}, "common"),
    ("trailing point", "R1 in 0 5.", {"r1.value": 5}, "Fortran's heirs"),
    ("exponent and suffix", "R1 in 0 1e-3k", {"r1.value": 1}, "both count"),
    ("mil", "R1 in 0 1mil", {"r1.value": 25.4e-6}, "a thousandth of an inch"),
    ("kilohm spelled out", "R1 in 0 10kohm", {"r1.value": 1e4}, "units are ignored"),
    ("ampere is atto", "R1 in 0 1A", {"r1.value": 1e-18}, "A is a suffix"),
    ("negative resistance", "R1 in 0 -1k", {"r1.value": -1000}, "gyrators use them"),
    ("zero ohms", "R1 in a 0\nR2 a 0 1k", {"r1.value": 0, "v(a)": 2}, "exactly 0 is a short"),
    # lines
    ("comment", "* R1 in 0 1k\nR2 in 0 2k", {"r2.value": 2000}, "a star starts a comment"),
    ("comment sign #", "# R1 in 0 1k\nR2 in 0 2k", {"r2.value": 2000}, "another way to write it"),
    ("inline ;", "R1 in 0 1k ; 2k", {"r1.value": 1000}, "in 85 libraries"),
    ("inline $", "R1 in 0 1k $ load", {"r1.value": 1000}, "ngspice's"),
    ("inline //", "R1 in 0 1k // load", {"r1.value": 1000}, "in one or two files"),
    ("$ inside a name", "R1 in a$b 1k\nR2 a$b 0 1k", {"v(a$b)": 1}, "only a lone $ is a comment"),
    ("continuation", "R1 in\n+ 0\n+ 1k", {"r1.value": 1000}, "a plus continues"),
    ("continuation over a comment", "R1 in 0\n* text\n\n+ 1k", {"r1.value": 1000}, "comments may stand between"),
    ("continuation without a blank", "R1 in 0\n+1k", {"r1.value": 1000}, "the plus is no sign"),
    ("backslashes", "R1 in 0 \\\\\n1k", {"r1.value": 1000}, "ngspice's other way to continue"),
    ("expression over two lines", "E1 x 0 VALUE=\n+{V(in)*3}\nRx x 0 1k", {"v(x)": 6}, "in vendors' files"),
    ("tabs", "R1\tin\t0\t1k", {"r1.value": 1000}, "blanks of any kind"),
    ("indented", "   R1 in 0 1k", {"r1.value": 1000}, "lines may be indented"),
    ("capital letters", "RLOAD IN GND 1K", {"rload.value": 1000, "rload.nodes": ("in", "0")}, "names do not care for case"),
    ("gnd", "R1 in x 1k\nR2 x gnd 1k", {"v(x)": 1}, "gnd is node 0"),
    (".end", "R1 in 0 1k\n.end\nR2 nonsense", {"r1.value": 1000, "note": "what follows .end"}, "the deck ends there"),
    (".control", "R1 in 0 1k\n.control\nrun\nR1 in 0 2k\n.endc\nR2 in 0 3k", {"r2.value": 3000, "note": "skipped: .control block"}, "41 circuits of the survey"),
    # node names
    ("node +9V", "R1 in +9V 1k\nR2 +9V 0 1k\nB1 x 0 V=V(+9V)\nRx x 0 1k", {"v(+9v)": 1, "v(x)": 1}, "KiCad's power nodes"),
    ("node Net-(C1-Pad1)", "R1 in Net-(C1-Pad1) 1k\nR2 Net-(C1-Pad1) 0 1k\nB1 x 0 V=V(Net-(C1-Pad1))\nRx x 0 1k", {"v(x)": 1}, "KiCad's unnamed nodes"),
    ("node with a slash", "R1 in /out 1k\nR2 /out 0 1k", {"v(/out)": 1}, "KiCad's sheets"),
    ("node 001", "R1 in 001 1k\nR2 001 0 3k", {"v(001)": 1.5}, "001 is not 1, and not ground"),
    ("nodes in parentheses", "E1 (x,0) (in,0) 3\nRx x 0 1k", {"v(x)": 6}, "PSPICE writes pairs so"),
    # parameters
    (".param", ".param a=2k\nR1 in 0 {a}", {"r1.value": 2000}, "128 of 267 circuits"),
    (".param without =", ".param a 2k\nR1 in 0 {a}", {"r1.value": 2000}, "LTspice takes it"),
    ("bare parameter", ".param a=2k\nR1 in 0 a", {"r1.value": 2000}, "without braces"),
    ("single quotes", ".param a=2k\nR1 in 0 'a*2'", {"r1.value": 4000}, "HSPICE's braces"),
    ("double quotes", ".param a=2k\nR1 in 0 \"a*2\"", {"r1.value": 4000}, "in 8 drawings"),
    ("bare expression", ".param a=2k b = a * 2 c=b+1\nR1 in 0 {c}", {"r1.value": 4001}, ".param a=expr without braces, with blanks"),
    ("used before it is defined", "R1 in 0 {b}\n.param b={a*2}\n.param a=1k", {"r1.value": 2000}, "order does not matter"),
    ("last definition", ".param a=1k\n.param a=2k\nR1 in 0 {a}", {"r1.value": 2000}, "the last one holds"),
    ("pi unannounced", "R1 in 0 {pi}", {"r1.value": math.pi}, "LTspice's constant, in 5 circuits"),
    ("a parameter hides a constant", ".param e=5\nR1 in 0 {e}", {"r1.value": 5}, "E is also Euler's number"),
    ("temper", ".temp 50\nR1 in 0 {temper}", {"r1.value": 50}, "the temperature"),
    (".options temp", ".options temp=40 reltol=1m\nR1 in 0 {temp}", {"r1.value": 40}, "another way to set it"),
    ("temperature coefficient", ".temp 37\nR1 in 0 1k tc=1m", {"r1.value": 1010}, "R(1 + TC1 (T - 27))"),
    ("two coefficients", ".temp 37\nR1 in 0 1k tc1=1m tc2=10u", {"r1.value": 1011}, "and the square"),
    (".func", ".func f(x,y) {x*y+1}\nR1 in 0 {f(2,3)}", {"r1.value": 7}, "functions of the netlist"),
    (".func with =", ".func f(x) = {x*2}\nR1 in 0 {f(4)}", {"r1.value": 8}, "some write it so"),
    (".param as function", ".param f(x)={x*x}\nR1 in 0 {f(3)}", {"r1.value": 9}, "HSPICE's .func"),
    ("functions of functions", ".func g(x) {x+1}\n.func f(x) {g(x)*g(x)}\nR1 in 0 {f(2)}", {"r1.value": 9}, "they may use each other"),
    ("function with parameters", ".param k0=3\n.func f(x) {x*k0}\nR1 in 0 {f(2)}", {"r1.value": 6}, "of the place where it is written"),
    (".step param", ".step param a list 5 6 7\nR1 in 0 {a}", {"r1.value": 5, "note": ".step: a is taken at its first value, 5"}, "14 circuits: one value, the caller overrides"),
    (".step with .param", ".param a=9\n.step param a 5 7 1\nR1 in 0 {a}", {"r1.value": 9, "note": ".step: a stays at its .param"}, "its own value is better"),
    (".step dec", ".step dec param a 1k 10k 5\nR1 in 0 {a}", {"r1.value": 1000}, "a sweep of decades"),
    # subcircuits
    ("subcircuit", "X1 in x half\nRx x 0 1k\n.subckt half a b\nR1 a b 1k\n.ends", {"v(x)": 1, "x1.r1.value": 1000}, "names are flat: x1.r1"),
    ("inner nodes", "X1 in x half\nRx x 0 1k\n.subckt half a b\nR1 a m 500\nR2 m b 500\n.ends", {"v(x1.m)": 1.5}, "x1.m"),
    ("default parameters", "X1 in 0 r\n.subckt r a b v=2k\nR1 a b {v}\n.ends", {"x1.r1.value": 2000}, "of the header"),
    ("params: keyword", "X1 in 0 r PARAMS: v=3k\n.subckt r a b params: v=2k\nR1 a b {v}\n.ends", {"x1.r1.value": 3000}, "PSPICE's"),
    ("undeclared parameters", f"X1 in 0 x pot Rtot=10k wiper=.25\nRx x 0 1T\n{POT}", {"x1.r1.value": 2500, "x1.r0.value": 7500}, "47 circuits of the survey; in no manual's first chapter"),
    ("the deck's parameters inside", ".param v=4k\nX1 in 0 r\n.subckt r a b\nR1 a b {v}\n.ends", {"x1.r1.value": 4000}, "scopes lie inside each other"),
    ("the caller's parameters inside", "X1 in 0 o\n.param v=1\n.subckt o a b\n.param v=5k\nX2 a b r\n.ends\n.subckt r a b\nR1 a b {v}\n.ends", {"x1.x2.r1.value": 5000}, "measured in ngspice: the caller hides the deck"),
    ("X line over body over header", "X1 in 0 r v=5\nX2 in 0 r\n.subckt r a b v=1\n.param v=3\nR1 a b {v}\n.ends", {"x1.r1.value": 5, "x2.r1.value": 3}, "measured in ngspice"),
    ("defaults of defaults", "X1 in 0 r v=5\n.subckt r a b v=1 t={v*2}\nR1 a b {t}\n.ends", {"x1.r1.value": 10}, "measured in ngspice"),
    ("handing a parameter on", ".param v=7\nX1 in 0 r v={v}\n.subckt r a b v=1\nR1 a b {v}\n.ends", {"x1.r1.value": 7}, "the X line is read where it stands"),
    ("default of the same name", ".param v=7\nX1 in 0 r\n.subckt r a b v={v}\nR1 a b {v}\n.ends", {"x1.r1.value": 7}, "the outer one is meant"),
    ("local .param", "X1 in 0 r\n.subckt r a b\n.param z=2 y={z*3}\nR1 a b {y}\n.ends", {"x1.r1.value": 6}, "43 libraries"),
    ("local .model", f"X1 in x r\nX2 in x r\nRx x 0 1k\n.subckt r a b\nD1 a b DX\n{D}\n.ends", {"x1.d1.card.kind": "d"}, "167 libraries"),
    ("local .func", "X1 in 0 r\n.subckt r a b\n.func f(x) {x*2}\nR1 a b {f(3)}\n.ends", {"x1.r1.value": 6}, "seen inside only"),
    ("nested definition", "X1 in 0 o\n.subckt o a b\nX2 a b i\n.subckt i a b\nR1 a b 5\n.ends\n.ends", {"x1.x2.r1.value": 5}, "4 libraries"),
    ("definition behind its use", "X1 in 0 r\nR2 in 0 1k\n.subckt r a b\nR1 a b 5\n.ends r", {"x1.r1.value": 5}, ".ends may name what it ends"),
    ("mismatched .ends", "X1 in 0 r\n.subckt r a b\nR1 a b 5\n.ends other", {"x1.r1.value": 5}, "4 files: the name is not looked at"),
    (".macro", "X1 in 0 r\n.macro r a b\nR1 a b 5\n.eom", {"x1.r1.value": 5}, "HSPICE's words"),
    ("header in parentheses", "X1 in 0 r\n.subckt r (a b)\nR1 a b 5\n.ends", {"x1.r1.value": 5}, "some write it so"),
    ("header over two lines", "X1 in 0 r\n.subckt r\n+ a b\n+ v=5\nR1 a b {v}\n.ends", {"x1.r1.value": 5}, "long tube headers"),
    ("ground inside", "X1 in r\n.subckt r a\nR1 a 0 5\n.ends", {"x1.r1.nodes": ("in", "0")}, "0 is 0 everywhere"),
    (".global", ".global vcc\nVcc vcc 0 9\nX1 x r\nRx x 0 1k\n.subckt r a\nR1 vcc a 2k\n.ends", {"v(x)": 3}, "one node everywhere"),
    ("$G_ nodes", "Vcc $G_vcc 0 9\nX1 x r\nRx x 0 1k\n.subckt r a\nR1 $G_vcc a 2k\n.ends", {"v(x)": 3}, "LTspice's global nodes"),
    ("nodes of instances from outside", "X1 in x half\nRx x 0 1k\nB1 y 0 V=V(x1.m)\nRy y 0 1k\n.subckt half a b\nR1 a m 500\nR2 m b 500\n.ends", {"v(y)": 1.5}, "x1.m"),
    ("pins of instances from outside", "X1 in x half\nRx x 0 1k\nB1 y 0 V=V(x1.b)\nRy y 0 1k\n.subckt half a b\nR1 a b 1k\n.ends", {"v(y)": 1}, "a pin is the node that it is connected to"),
    ("a bad line that nobody uses", "X1 in 0 r\n.subckt r a b\nR1 a b 5\n.ends\n.subckt broken a b\n?!( nonsense\n.ends", {"x1.r1.value": 5}, "libraries are opened where they are used"),
    # sources
    ("V with a bare value", "V1 x 0 5\nRx x 0 1k", {"v1.dc": 5}, "DC may be left out"),
    ("V with DC and AC", "V1 x 0 DC 5 AC 2 90\nRx x 0 1k", {"v1.dc": 5, "v1.ac": 2, "v1.ac_phase": 90}, "small signal"),
    ("AC alone", "V1 x 0 AC\nRx x 0 1k", {"v1.ac": 1}, "means 1"),
    ("SIN without parentheses", "V1 x 0 SIN 0 1 1k\nRx x 0 1k", {"v1.waveform.shape": "sin", "v1.waveform.values": (0, 1, 1000)}, "both ways occur"),
    ("SINE of LTspice", "V1 x 0 SINE(0 1 1k 0 0 90 5)\nRx x 0 1k", {"v1.waveform.values": (0, 1, 1000, 0, 0, 90), "note": "number of cycles of its SINE is left out"}, "said, not dropped in silence"),
    ("SINE that is never closed", "V1 x 0 SINE(0 1 1k Rser=50\nRx x 0 1k", {"v1.waveform.values": (0, 1, 1000), "v1#rser.value": 50}, "LTspice does not mind"),
    ("commas in SIN", "V1 x 0 SIN(0,1,1k)\nRx x 0 1k", {"v1.waveform.values": (0, 1, 1000)}, "commas are blanks"),
    ("SIN with parameters", ".param f=440\nV1 x 0 SIN(0 {f/440} {f})\nRx x 0 1k", {"v1.waveform.values": (0, 1, 440)}, "braces inside"),
    ("PULSE", "V1 x 0 PULSE(0 5 1m 1u 1u 2m 4m)\nRx x 0 1k", {"v1.waveform.shape": "pulse"}, "5 circuits"),
    ("PWL", "V1 x 0 PWL(0 0 1m 1 +1m 2)\nRx x 0 1k", {"v1.waveform.values": (0, 0, 1e-3, 1, 2e-3, 2)}, "a time with a plus counts from the last"),
    ("EXP", "V1 x 0 EXP(0 1 0 1m)\nRx x 0 1k", {"v1.waveform.shape": "exp"}, "15 drawings"),
    ("SFFM", "V1 x 0 SFFM(0 1 1k 5 100)\nRx x 0 1k", {"v1.waveform.shape": "sffm"}, "4 drawings"),
    ("wavefile", "V1 x 0 wavefile=guitar.wav chan=0\nRx x 0 1k", {"note": "wavefile=guitar.wav marks the input"}, "19 circuits use it as input"),
    ("trnoise", "V1 x 0 DC 0 trnoise(1m 1u 0 0)\nRx x 0 1k", {"v1.dc": 0, "note": "trnoise is not simulated"}, "said, not dropped in silence"),
    ("Rser of a source", "V1 x 0 9 Rser=100\nRx x 0 100", {"v(x)": 4.5, "v1#rser.value": 100}, "a real resistor"),
    ("I", "I1 0 x 1m\nRx x 0 1k", {"v(x)": 1}, "through the source from the first node to the second"),
    ("I as a table", "I1 in x TBL(0 0 4 4m)\nRx x 0 1k", {"v(x)": 1}, "LTspice: a load whose current depends on its own voltage"),
    ("V as an expression", "V1 x 0 {V(in)*2}\nRx x 0 1k", {"v(x)": 4}, "becomes a behavioural source"),
    # passive parts
    ("R=", "R1 in 0 R=5k", {"r1.value": 5000}, "named value"),
    ("R of a voltage", "R1 in x R={1k*(1+V(in))}\nR2 x 0 3k", {"v(x)": 1}, "a current source v/r"),
    ("resistor model", "R1 in 0 RM 1k\n.model RM RES(R=2)", {"r1.value": 2000}, "the model multiplies"),
    ("resistor model behind", "R1 in 0 1k RM\n.model RM RES(R=2)", {"r1.value": 2000}, "in either place"),
    ("bookkeeping", "R1 in 0 1k tol=1 pwr=0.5 mfg=\"me\"", {"r1.value": 1000, "note": "ratings and maker's names"}, "55 circuits"),
    ("multiplier", "R1 in 0 1k m=2", {"r1.value": 500}, "two in parallel"),
    ("IC of a capacitor", "C1 in 0 1u IC=3", {"c1.initial": 3}, "kept"),
    ("Rser of a capacitor", "R9 in c 1k\nC1 c 0 1u Rser=10 Rpar=1k", {"c1#rser.value": 10, "c1#rpar.value": 1000, "v(c)": 1}, "LTspice's extras are real elements"),
    ("Cpar of an inductor", "L1 in 0 1m Rser=5 Cpar=1n", {"l1#cpar.value": 1e-9, "l1#rser.value": 5, "l1.value": 1e-3}, "the same"),
    ("Lser of a capacitor", "C1 in 0 1u Lser=1n", {"c1#lser.value": 1e-9}, "the same"),
    ("K", "L1 in 0 1m\nL2 x 0 4m\nRx x 0 1k\nK1 L1 L2 0.99", {"k1.coefficient": 0.99, "k1.inductors": ("l1", "l2")}, "34 circuits"),
    ("K = 1", "L1 in 0 1m\nL2 x 0 4m\nRx x 0 1k\nK1 L1 L2 1", {"k1.coefficient": 1}, "28 files couple perfectly"),
    ("K with three coils", "L1 in 0 1m\nL2 x 0 4m\nL3 y 0 4m\nRx x 0 1k\nRy y 0 1k\nKall L1 L2 L3 .999", {"kall.inductors": ("l1", "l2", "l3")}, "26 files"),
    ("gmin in a formula", "R1 in 0 {1/gmin}", {"r1.value": 1e12}, "a name that LTspice knows unannounced, its option's default"),
    ("a node that is only looked at", "B1 x 0 V=V(zzz)+1\nRx x 0 1k", {"v(x)": 1.0, "note": "V(zzz) names a node that nothing is connected to; 1e+09 ohms to ground settle its potential"}, "a block of a drawing, alone: it hangs free and is told"),
    ("a zener with its maker's suffix", "R1 in x 1k\nD1 0 x BZX84C10VLY", {"d1.card.values.bv": 10.0}, "the volts are in the name"),
    ("PSPICE core", "Rs in p 1\nL1 p 0 200\nL2 x 0 20\nRx x 0 1k\nK1 L1 L2 0.99 mag 1\n.model mag CORE(MS=4e5 A=30 C=0.25 K=20 AREA=2 PATH=5 GAP=0.1 PACK=.5)",
     {"l1.card.kind": "core_ja", "l1.nodes": ("p", "0", "x", "0"), "l1.card.values.n2": 20, "l1.card.values.area": 1e-4, "l1.card.values.lm": 0.05, "l1.card.values.lg": 1e-3, "l1.card.values.c": 0.2,
      "l1.card.values.k": 25, "note": "l1, l2 are windings of one core with hysteresis (Jiles and Atherton), perfectly coupled; their values are turns"},
     "turns, square centimetres times the packing, centimetres; the equations of 1986 have 1/(1 + C) and C/(1 + C)"),
    ("PSPICE core, one coil", "Rs in p 1\nL1 p 0 200\nK1 L1 0.99 mag\n.model mag CORE\nRx x 0 1k", {"l1.card.values.n1": 200, "l1.card.values.ms": 1e6, "l1.card.values.lm": 0.01}, "a core may have one winding"),
    ("floating secondary", "L1 in 0 1m\nL2 x y 4m\nRx x y 8\nK1 L1 L2 .99", {"r#float1.value": 1e9, "note": "has no connection to ground", "v(x)": 0}, "only magnetism connects it; LTspice plays it"),
    ("K inside a subcircuit", "X1 in x t\nRx x 0 1k\n.subckt t a b\nL1 a 0 1\nL2 b 0 1\nK1 L1 L2 1\n.ends", {"x1.k1.inductors": ("x1.l1", "x1.l2")}, "names of the instance"),
    ("saturating core", "L1 in 0 Hc=16 Bs=.44 Br=.1 A=1e-4 Lm=.1 Lg=0 N=100", {"l1.card.kind": "core", "l1.card.values.n": 100, "note": "middle of the loop"}, "Chan's model: 10 drawings"),
    ("windings of one core", "L1 in 0 Hc=16 Bs=.44 Br=.1 A=1e-4 Lm=.1 Lg=0 N=100\nL2 x 0 Hc=16 Bs=.44 Br=.1 A=1e-4 Lm=.1 Lg=0 N=20\nRx x 0 1k\nK1 L1 L2 1",
     {"l1.nodes": ("in", "0", "x", "0"), "l1.card.values.n2": 20, "note": "windings of one core"}, "one device with two windings"),
    ("flux", "V9 y 0 0\nL1 y x Flux=1m*tanh(x)\nRx x in 1k", {"v(x)": 0, "l1#current.dc": 0}, "7 drawings: a voltage that is the derivative of a flux of the current"),
    ("charge", "C1 in 0 Q=1u*x+1n*x*x\nRx x 0 1k", {"v(x)": 0}, "a current that is the derivative of a charge"),
    # controlled sources
    ("E", "E1 x 0 in neg 3\nRx x 0 1k", {"v(x)": 12, "e1.gain": 3}, "linear"),
    ("G", "G1 0 x in 0 1m\nRx x 0 1k", {"v(x)": 2}, "current from the first node through it to the second"),
    ("F", "V9 in y 0\nRy y 0 1k\nF1 0 x V9 3\nRx x 0 1k", {"v(x)": 6}, "current of a source"),
    ("H", "V9 in y 0\nRy y 0 1k\nH1 x 0 V9 500\nRx x 0 1k", {"v(x)": 1}, "the same as a voltage"),
    ("E VALUE", "E1 x 0 VALUE={V(in)*V(neg)}\nRx x 0 1k", {"v(x)": -4}, "71 libraries"),
    ("E VALUE with blanks", "E1 x 0 VALUE = { V(in) * V(neg) }\nRx x 0 1k", {"v(x)": -4}, "the same"),
    ("E vol=", "E1 x 0 vol='V(in)*2'\nRx x 0 1k", {"v(x)": 4}, "ngspice's word"),
    ("G cur=", "G1 0 x cur='V(in)*1m'\nRx x 0 1k", {"v(x)": 2}, "ngspice's word"),
    ("E POLY(1)", "E1 x 0 POLY(1) in 0 1 2 3\nRx x 0 1k", {"v(x)": 1 + 2 * 2 + 3 * 4}, "p0 + p1 x + p2 x x"),
    ("E POLY(1) of one coefficient", "E1 x 0 POLY(1) in 0 5\nRx x 0 1k", {"v(x)": 5, "note": "taken as the constant"}, "measured in ngspice"),
    ("E POLY(2)", "E1 x 0 POLY(2) in 0 neg 0 1 2 3 4 5 6\nRx x 0 1k", {"v(x)": 1 + 2 * 2 + 3 * -2 + 4 * 4 + 5 * -4 + 6 * 4}, "p0, x, y, xx, xy, yy"),
    ("E POLY(2) with commas", "E1 x 0 POLY(2) (in,0) (neg,0) 0 0 0 0 1\nRx x 0 1k", {"v(x)": -4}, "a product"),
    ("E POLY(3) to the third power", "E1 x 0 POLY(1) neg 0 0 0 0 1\nRx x 0 1k", {"v(x)": -8}, "a cube keeps its sign"),
    ("F POLY(2)", "V8 in a 0\nRa a 0 1k\nV9 in c 0\nRc c 0 500\nF1 0 x POLY(2) V8 V9 0 2 3\nRx x 0 1k", {"v(x)": 2 * 2 + 3 * 4}, "25 libraries"),
    ("H POLY(1)", "V9 in y 0\nRy y 0 1k\nH1 x 0 POLY(1) V9 0 500\nRx x 0 1k", {"v(x)": 1}, "3 libraries"),
    ("E TABLE", "E1 x 0 TABLE {V(in)} = (0,0) (1,10) (3,20)\nRx x 0 1k", {"v(x)": 15}, "linear between points"),
    ("E TABLE below", "E1 x 0 TABLE {V(neg)} (0,5) (1,10)\nRx x 0 1k", {"v(x)": 5}, "constant outside"),
    ("E TABLE without commas", "E1 x 0 TABLE {V(in)} = 0 0 4 8\nRx x 0 1k", {"v(x)": 4}, "commas are blanks"),
    ("G TABLE over two lines", "G1 0 x TABLE {V(in)} =\n+ (0,0)\n+ (4,4m)\nRx x 0 1k", {"v(x)": 2}, "vendors' op-amps"),
    ("G with a table of its control", "G1 0 x in 0 table(0 0 4 4m)\nRx x 0 1k", {"v(x)": 2}, "LTspice's op-amps"),
    ("flag behind an assignment", "V1 x 0 5 Rser=1 noiseless\nRx x 0 1k", {"v1.dc": 5}, "noiseless is no value"),
    ("noise of an OTA", "A1 0 in 0 0 0 0 x 0 OTA G=1m Iout=1m En={1n}/(freq**2)\nRx x 0 1k", {"v(x)": math.tanh(2)}, "a formula of frequency that no one needs here"),
    ("current of a resistor", "R1 in y 1k\nRy y 0 1k\nB1 x 0 V=I(R1)*1k\nRx x 0 1k", {"v(x)": 1}, "LTspice knows all currents"),
    ("current of a capacitor", "R1 in y 1k\nC1 y 0 1u\nB1 x 0 V=I(C1)*1k+1\nRx x 0 1k", {"v(x)": 1, "c1#current.dc": 0}, "measured by a source of 0 V"),
    ("F of a resistor", "R1 in y 1k\nRy y 0 1k\nF1 0 x R1 2\nRx x 0 1k", {"v(x)": 2}, "the same"),
    # devices
    ("D", f"D1 in x DX\nRx x 0 1k\n{D}", {"d1.nodes": ("in", "x"), "d1.card.kind": "d"}, "anode, cathode"),
    ("area of D", f"D1 in x DX 2\nRx x 0 1k\n{D}", {"d1.values.area": 2}, "a bare number"),
    ("model without parentheses", "D1 in x DX\nRx x 0 1k\n.model DX D IS=1f N=2", {"d1.card.values.n": 2}, "both ways occur"),
    ("model over lines", "D1 in x DX\nRx x 0 1k\n.model DX D(IS=1f\n+ N=2\n+ )", {"d1.card.values.n": 2}, "the usual form of libraries"),
    ("model with blanks around =", "D1 in x DX\nRx x 0 1k\n.model DX D ( IS = 1f N = 2 )", {"d1.card.values.n": 2}, "the same"),
    ("model with a parameter", ".param a=2\nD1 in x DX\nRx x 0 1k\n.model DX D(IS=1f N={a})", {"d1.card.values.n": 2}, "braces inside"),
    ("vendor's bookkeeping", "D1 in x DX\nRx x 0 1k\n.model DX D(IS=1f Vpk=75 Iave=200m mfg=OnSemi type=silicon)", {"no note": "Vpk"}, "keys to drop"),
    ("unknown parameter", "D1 in x DX\nRx x 0 1k\n.model DX D(IS=1f foo=3)", {"note": "foo= is not understood"}, "said"),
    ("1N4148 without .model", "D1 in x 1N4148\nRx x 0 1k", {"d1.card.name": "1n4148", "note": "1N4148 is taken from the catalogue"}, "23 circuits"),
    ("bare D", "D1 in x D\nRx x 0 1k", {"d1.card.kind": "d", "note": "the model D is SPICE's default"}, "12 circuits"),
    ("Q", "Q1 in b 0 QX\nRb in b 100k\n.model QX NPN(BF=200)", {"q1.nodes": ("in", "b", "0")}, "collector, base, emitter"),
    ("Q with substrate", "Q1 in b 0 0 QX\nRb in b 100k\n.model QX NPN(BF=200)", {"q1.nodes": ("in", "b", "0")}, "LTspice writes four nodes: the model is found by its name"),
    ("bare NPN", "Q1 in b 0 NPN\nRb in b 100k", {"q1.card.kind": "npn"}, "9 circuits"),
    ("2N3904 without .model", "Q1 in b 0 2N3904\nRb in b 100k", {"q1.card.name": "2n3904"}, "10 circuits"),
    ("a relative of a known part", "Q1 in b 0 BC184L\nRb in b 100k", {"q1.card.kind": "npn", "note": "BC184L is not defined; BC549C stands in"}, "another package of the same die"),
    ("zener by name", "D1 0 x BZX55C10\nRx in x 1k", {"d1.card.values.bv": 10, "note": "stands in"}, "its voltage stands in its name"),
    ("zener with a decimal", "D1 0 x BZX55C4V7\nRx in x 1k", {"d1.card.values.bv": 4.7}, "4V7 is 4.7 V"),
    ("Japanese types", "Q1 in b 0 2SC4081\nQ2 0 b in 2SA970\nRb in b 100k", {"q1.card.kind": "npn", "q2.card.kind": "pnp"}, "2SC is NPN, 2SA is PNP"),
    ("J", "J1 in g 0 JX\nRg g 0 1Meg\n.model JX NJF(VTO=-2)", {"j1.nodes": ("in", "g", "0"), "j1.card.values.vto": -2}, "drain, gate, source"),
    ("M with bulk", "M1 in g 0 0 MX L=1u W=10u\nRg g 0 1Meg\n.model MX NMOS(VTO=1)", {"m1.nodes": ("in", "g", "0", "0"), "m1.values.w": 10e-6}, "four nodes"),
    ("M of LTspice", "M1 in g 0 MX\nRg g 0 1Meg\n.model MX VDMOS(Vto=2 Kp=1)", {"m1.nodes": ("in", "g", "0"), "m1.card.kind": "vdmos"}, "VDMOS has three"),
    ("pchan", "M1 in g 0 MX\nRg g 0 1Meg\n.model MX VDMOS(pchan Vto=-2 Kp=1)", {"m1.card.values.pchan": 1}, "a flag without a value"),
    ("ako", "Q1 in b 0 QX\nRb in b 100k\n.model QX ako:QY (BF=300)\n.model QY NPN(BF=100 VAF=50)", {"q1.card.values.bf": 300, "q1.card.values.vaf": 50, "q1.card.kind": "npn"}, "10 libraries"),
    ("ako with type", "Q1 in b 0 QX\nRb in b 100k\n.model QX ako:2N3904 NPN(BF=123)", {"q1.card.values.bf": 123, "q1.card.values.vaf": 100}, "also of a part in the catalogue"),
    ("S", "S1 in x in 0 SX\nRx x 0 1k\n.model SX SW(VT=1 VH=0 RON=1k ROFF=1G)", {"v(x)": 1}, "closed above its threshold"),
    ("S open", "S1 in x neg 0 SX\nRx x 0 1k\n.model SX SW(VT=1 RON=1k ROFF=1T)", {"v(x)": 0}, "and open below"),
    ("W", "V9 in y 0\nRy y 0 1k\nW1 in x V9 WX\nRx x 0 1k\n.model WX CSW(IT=1m RON=1k ROFF=1T)", {"v(x)": 1}, "looks at a current"),
    ("op-amp by name", "X1 in x vp vm x TL072\nVp vp 0 9\nVm vm 0 -9\nRx x 0 10k", {"x1.card.kind": "opamp", "note": "the built-in opamp tl072 stands in"}, "31 circuits"),
    ("LTspice's opamp", "X1 x in x opamp Aol=100k GBW=10Meg\nRx x 0 10k", {"x1.nodes": ("in", "x", "x"), "x1.card.values.aol": 1e5}, "its three pins are in- in+ out"),
    ("universal op-amp", "X1 in x vp vm x level.2 Avol=1Meg GBW=10Meg Slew=10Meg Ilimit=25m Rail=0 Vos=0 En=0 Enk=0 In=0 Ink=0 Rin=500Meg\nVp vp 0 9\nVm vm 0 -9\nRx x 0 10k",
     {"x1.card.values.gbw": 10e6, "x1.card.values.head": 0}, "UniversalOpamp \"level.n\""),
    ("tube by name", "X1 p g 0 NH12AX7\nVp p 0 250\nRg g 0 1Meg", {"x1.card.name": "12ax7"}, "A G K always"),
    ("tube with heaters", "X1 p g 0 h1 h2 12AU7\nVp p 0 250\nRg g 0 1Meg\nRh h1 h2 10\nRh2 h1 0 1k", {"x1.card.name": "12au7"}, "14 libraries append heater pins"),
    ("op-amp with compensation", "X1 in x vp vm x c1 c2 LM308\nC1 c1 c2 30p\nVp vp 0 9\nVm vm 0 -9\nRx x 0 10k", {"x1.card.name": "lm308", "v(c1)": 0}, "pins that the stand-in lacks do not float"),
    ("pentode by name", "X1 p s g 0 EL84\nVp p 0 250\nVs s 0 250\nRg g 0 1Meg", {"x1.card.kind": "pentode", "x1.nodes": ("p", "s", "g", "0")}, "A S G K in 90 of 100"),
    ("pot by name", "X1 in 0 x pot Rt=10k SET=.25\nRx x 0 1T", {"x1.r1.value": 2500}, "end, end, wiper"),
    # directives
    (".ic", ".ic V(x)=1 V(y)={1+1}\nRx x 0 1k\nRy y 0 1k", {"initial": {"x": 1, "y": 2}}, "kept"),
    (".nodeset", ".nodeset V(x)=3\nRx x 0 1k", {"nodeset": {"x": 3}}, "kept"),
    (".tran of one argument", "Rx in 0 1k\n.tran 10m", {"note": "skipped: .tran is an instruction to another program"}, "LTspice's, which ngspice refuses"),
    (".backanno", "Rx in 0 1k\n.backanno", {"note": "skipped: .backanno"}, "fatal in ngspice, in every drawing's netlist"),
    (".net, .four, .meas, .save, .probe, .plot, .op, .ac", "Rx in 0 1k\n.net I(R1) V1\n.four 1k V(x)\n.meas a find V(x)\n.save V(x)\n.probe\n.plot V(x)\n.op\n.ac dec 10 1 1k", {"note": "skipped: .ac"}, "instructions to others"),
    (".wave", "Rx in 0 1k\n.wave out.wav 16 44.1k V(in)", {"no note": "not understood"}, "marks an output"),
    ("unknown directive", "Rx in 0 1k\n.frobnicate", {"note": "skipped: .frobnicate is not understood"}, "said with its line"),
    ("idle parameter", ".param a=1 b=2\nRx in 0 {a}", {"note": "parameters that nothing uses: b"}, "said"),
    ("idle control", ".param a=1\n*@ control a\nRx in 0 1k", {"note": "the control a changes nothing"}, "said"),
    ("lonely node", "Rx in x 1k", {"note": "nodes with one connection: neg, x"}, "said"),
    ("unknown letter", "Rx in 0 1k\nZ1 in 0 x ZM\nRy x 0 1k", {"note": "Z1 is left out: it is a MESFET"}, "said, and what it means"),
    ("U", "U1 in x 0 UM L=3 N=4\nRx x 0 1k\n.model UM URC(K=2 RPERL=1k CPERL=1n)", {"v(x)": 0.5, "u1#rl1.value": 3e3 / 30, "u1#rl4.value": 8e3 * 3 / 30, "u1#cl1.value": 3e-9 / 22, "u1#ch3.value": 12e-9 / 22},
     "SPICE's own sections: they double towards the middle; 2 (1+2+4+8) of them are the resistance, 2 (1+2+4)+8 the capacitance"),
    ("O", "O1 in 0 x 0 OM\nRx x 0 1k\n.model OM LTRA(R=10 L=1u C=1n LEN=100)", {"v(x)": 1.0, "o1#c0.value": 0.5e-7 / 57, "note": "a ladder of 57 sections stands for the line; at 20 kHz its phase is true to 0.0006"},
     "1 kohm, 100 uH, 100 nF: |gamma length| = 3.545 at 20 kHz, 16 sections for each, 3.545^3 / (24 57^2)"),
    ("Y", "Y1 in 0 x 0 YM LEN=2\nRx x 0 1k\n.model YM TXL(R=500 L=1n G=0 C=1p LENGTH=9)", {"v(x)": 1.0}, "the length on the line wins"),
    ("T", "T1 in 0 x 0 Z0=50 TD=10n\nRx x 0 1k", {"v(x)": 2, "note": "its delay of 1e-08 s is an all-pass"}, "a cable: at rest a wire"),
    ("T by frequency", "T1 in 0 x 0 Z0=50 F=10Meg\nRx x 0 1k", {"note": "its delay of 2.5e-08 s"}, "a quarter of a wave at F where NL is missing"),
    (".if", ".param a=1\n.if (a>0.5)\nR1 in 0 1k\n.else\nR1 in 0 2k\n.endif", {"r1.value": 1000, "note": "branch of .if is chosen as the deck is read"}, "one branch, and it is said that no knob moves it"),
    (".elseif", ".param a=2\n.if (a==1)\nR1 in 0 1k\n.elseif (a==2)\nR1 in 0 2k\n.endif", {"r1.value": 2000}, "the first that holds"),
    (".if inside .if", ".if (1)\n.if (0)\nR1 in 0 1k\n.else\n.param r=3k\n.endif\nR1 in 0 {r}\n.endif", {"r1.value": 3000}, "parameters of a branch count"),
    (".if without a branch that holds", ".if (0)\nR1 in 0 1k\n.endif\nR2 in 0 2k", {"r2.value": 2000}, "nothing comes of it"),
    (".if inside a subcircuit", "X1 in 0 r p=2\nX2 in 0 r\n.subckt r a b p=0\n.if (p>1)\nR1 a b 5\n.else\nR1 a b 6\n.endif\n.ends", {"x1.r1.value": 5, "x2.r1.value": 6}, "each instance chooses by its own parameters"),
    (".pot", ".pot Rvol 1 10k\nRvol in 0 2k", {"rvol.value": 2000, "controls": [("rvol", 1.0, 10e3, 2000.0)]}, "another dialect's knob becomes a control"),
    (".pot with a value", ".pot Rvol 1 10k 5k\nRvol in 0 2k", {"rvol.value": 5000}, "its own value wins"),
    (".options of a solver", "Rx in 0 1k\n.options method=gear reltol=1m", {"note": "skipped: .options that steer another program's solver"}, "said"),
    (".options that change the circuit", "Rx in 0 1k\n.options scale=1u", {"note": ".options scale is left out: it would change all sizes of MOSFETs"}, "said, and what it means"),
    (".temp of several", "Rx in 0 1k\n.temp 40 50", {"note": "read at the first temperature; 50 is left out"}, "one run, one temperature"),
    ("subcircuit defined twice", "X1 in 0 r\n.subckt r a b\nR1 a b 5\n.ends\n.subckt r a b\nR1 a b 6\n.ends", {"x1.r1.value": 5, "note": "the subcircuit r is defined again; the first definition is used"}, "said"),
    ("model defined twice", "D1 in x DX\nRx x 0 1k\n.model DX D(IS=1f N=2)\n.model DX D(IS=1f N=3)", {"d1.card.values.n": 2, "note": "the model dx is defined again"}, "said"),
    ("other parameters of a resistor's model", "R1 in 0 1k RM\n.model RM RES(R=2 RSH=50)", {"r1.value": 2000, "note": "rsh= is not understood"}, "said"),
    ("temperature coefficients of a model", ".temp 37\nR1 in 0 1k RM\n.model RM RES(TC1=1m)", {"r1.value": 1010}, "the model's count"),
    ("temperature of a resistor", "R1 in 0 1k tc=1m temp=127", {"r1.value": 1100}, "its own"),
    ("parameters of a part that is not there", "X1 p g 0 12AX7 mu=90\nVp p 0 250\nRg g 0 1Meg", {"note": "mu= is left out, for the stand-in has numbers of its own"}, "said"),
    ("ic of a source", "E1 x 0 in 0 3 ic=1\nRx x 0 1k", {"note": "ic= is left out"}, "said"),
    ("noise of a model", "D1 in x DX\nRx x 0 1k\n.model DX D(IS=1f KF=1f AF=1)", {"note": "noise, ratings and levels in models"}, "said once"),
    ("delay", b("delay(V(in),10u)"), {"v(x)": 2}, "at rest the same"), ("absdelay", b("absdelay(V(in),{1u*10})"), {"v(x)": 2}, "its other name"),
    ("idt", b("idt(0,5)+V(in)"), {"v(x)": 2}, "an integral begins at its operating point"),
    ("the first line", "Rx in 0 1k", {"rx.value": 1000}, "is never an element: the title is not there"),
    # special functions
    ("OTA", "A1 0 in 0 0 0 0 x 0 OTA G=1m Iout=1m\nRx x 0 1k", {"v(x)": math.tanh(2)}, "its current bends like a differential pair"),
    ("OTA, linear", "A1 in 0 0 0 0 0 x 0 OTA G=1m Iout=1m linear\nRx x 0 1k", {"v(x)": -2}, "the first pin inverts"),
    ("OTA with resistance", "A1 0 in 0 0 0 0 x 0 OTA G=1u Iout=10u Rout=1Meg Cout=1p", {"v(x)": 10 * math.tanh(0.2)}, "Rout and Cout are real elements"),
    ("inverter", "A1 in 0 0 0 0 x 0 0 BUF Vhigh=5\nRx x 0 1Meg", {"v(x)": 5 / (1 + 1e-6)}, "2 V is below half of 5 V; pin 6 is the inverted output"),
    ("and", "A1 in neg 0 0 0 y x 0 AND\nRx x 0 1Meg\nRy y 0 1Meg", {"v(x)": 0, "v(y)": 1 / (1 + 1e-6)}, "inputs at the common pin are not there"),
    ("or", "A1 in neg 0 0 0 0 x 0 OR Vhigh=5\nRx x 0 1Meg", {"v(x)": 0}, "2 V is below half of 5 V"),
    ("xor", "A1 in neg 0 0 0 0 x 0 XOR\nRx x 0 1Meg", {"v(x)": 1 / (1 + 1e-6)}, "one of two"),
    ("schmitt", "A1 in 0 0 0 0 0 x 0 SCHMITT Vt=1 Vh=.5\nRx x 0 1Meg", {"v(x)": 1 / (1 + 1e-6)}, "above its threshold"),
    ("other special functions", "A1 in 0 0 0 0 0 x 0 PHASEDET\nRx x 0 1Meg", {"note": "A1 is left out: the special function PHASEDET is not read"}, "said"),
    ("flip-flop that is set", "A1 in 0 0 0 0 y x 0 SRFLOP\nRx x 0 1Meg\nRy y 0 1Meg", {"v(x)": 1 / (1 + 1e-6), "v(y)": 0}, "its first pin sets"),
    ("flip-flop that is cleared", "A1 in in 0 0 0 y x 0 SRFLOP Vhigh=3\nRx x 0 1Meg\nRy y 0 1Meg", {"v(x)": 0, "v(y)": 3 / (1 + 1e-6)}, "its second wins"),
    ("D flip-flop with preset", "A1 0 0 0 in 0 y x 0 DFLOP\nRx x 0 1Meg\nRy y 0 1Meg", {"v(x)": 1 / (1 + 1e-6), "v(y)": 0}, "pin 4"),
    ("sample and hold that follows", "A1 in 0 0 in 0 0 x 0 SAMPLEHOLD\nRx x 0 1Meg", {"v(x)": 2 / (1 + 1e-3)}, "pin 4 is high; 1k behind it"),
    ("varistor", "R1 in x 1k\nV5 l 0 1\nA1 l 0 0 0 0 0 x 0 VARISTOR rclamp=10", {"v(x)": 1 + 10 / 1010}, "lets through what is above the voltage of its first pins"),
    ("modulator", "A1 in 0 0 0 0 y x 0 MODULATOR mark=1k space=100\nRx x 0 1Meg\nRy y 0 1Meg", {"v(x)": 0, "v(y)": 1 / (1 + 1e-6)}, "sets out with the sine at 0 and the cosine at 1"),
    ("schmitt that inverts", "A1 in 0 0 0 0 x 0 0 SCHMITT Vt=1 Vh=.5\nRx x 0 1Meg", {"v(x)": 0}, "pin 6"),
    ("schmitt without hysteresis", "A1 neg 0 0 0 0 0 x 0 SCHMITT Vt=1\nRx x 0 1Meg", {"v(x)": 0}, "a comparator"),
    ("S with hysteresis", "S1 in x in 0 SX\nRx x 0 1k\n.model SX SW(VT=1 VH=.5 RON=1k ROFF=1G)", {"v(x)": 1}, "above VT + VH"),
    ("S with hysteresis, between", "S1 in x in 0 SX\nRx x 0 1k\n.model SX SW(VT=2 VH=.5 RON=1k ROFF=1T)", {"v(x)": 0}, "at rest it is open between its thresholds"),
    ("S with a smooth transition", "S1 in x in 0 SX\nRx x 0 1k\n.model SX SW(VT=2 VH=-.5 RON=1 ROFF=1Meg)", {"v(x)": 1}, "LTspice's negative VH: the geometric mean of both resistances in the middle"),
    ("XSPICE potentiometer", "A1 in w 0 pm\n.model pm potentiometer(position=.3 r=1k)\nRw w 0 1T", {"v(w)": 1.4}, "measured in ngspice"),
    ("XSPICE logarithmic potentiometer", "A1 in w 0 pm\n.model pm potentiometer(position=.7 r=1k log=true log_multiplier=2)\nRw w 0 1T", {"v(w)": 2 * .9601893}, "measured in ngspice"),
    ("XSPICE gain", "A1 in x gm\n.model gm gain(gain=2 in_offset=.1 out_offset=.5)\nRx x 0 1k", {"v(x)": 4.7}, "gain (in + offset) + offset"),
    ("XSPICE filesource", "A1 %vd([x 0]) fs\n.model fs filesource(file=\"in.txt\" amploffset=[0] amplscale=[1])\nRx x 0 1k", {"a1.nodes": ("x", "0"), "note": "the file source marks the input"}, "7 circuits"),
    ("LAPLACE", "E1 x 0 LAPLACE {V(in)} = {3/(1+s/1k)}\nRx x 0 1k", {"v(x)": 6}, "at rest s is 0"),
    ("LAPLACE of LTspice", "E1 x 0 in neg Laplace=(1+s)/(2+s*1m+s**2*1u)\nRx x 0 1k", {"v(x)": 2}, "of a pair of nodes"),
    ("LAPLACE of G", "G1 0 x LAPLACE {V(in)*V(in)} {1m/(1+s)}\nRx x 0 1k", {"v(x)": 4}, "of a formula"),
    # truth and operators in expressions
    ("ternary", b("V(in)>1 ? 5 : 6"), {"v(x)": 5}, "2 libraries"),
    ("ternary of ternary", b("V(in)<1 ? 5 : V(in)<3 ? 6 : 7"), {"v(x)": 6}, "associates to the right"),
    ("comparison as a number", b("(V(in)>1)+(V(in)>=2)+(V(in)<=2)+(V(in)<2)+(V(in)==2)+(V(in)!=2)"), {"v(x)": 4}, "1 and 0"),
    ("logic", b("(V(in)>1 & V(neg)<0) + 2*(V(in)<1 | V(neg)>0) + 4*!(V(in)<1) + 8*~(V(in)<1)"), {"v(x)": 13}, "& | ! ~"),
    ("double signs", b("(V(in)>1 && V(neg)<0) + 2*(V(in)<1 || V(neg)<0)"), {"v(x)": 3}, "the same"),
    ("precedence", b("1+2*3^2-4/2"), {"v(x)": 17}, "as in school"),
    ("powers from the left", b("2**3**2"), {"v(x)": 64}, "measured in ngspice"),
    ("sign and power", b("-2^2"), {"v(x)": -4}, "measured in ngspice"),
    ("remainder", b("7%4"), {"v(x)": 3}, "modulo"),
    ("braces inside braces", ".param a=3\n" + b("{ {a}*2 }"), {"v(x)": 6}, "as people write"),
    ("voltage of two nodes", b("V(in,neg)"), {"v(x)": 4}, "in 383 files"),
    ("voltage against ground", b("V(0,in)"), {"v(x)": -2}, "the other way round"),
    ("voltage with blanks", b("V( in , neg )"), {"v(x)": 4}, "blanks do not matter"),
    ("time", b("time+1"), {"v(x)": 1}, "9 circuits; at rest it is 0"),
    ("B with I", "B1 0 x I=V(in)*1m\nRx x 0 1k", {"v(x)": 2}, "325 files"),
    ("B with R", "B1 in x R=1k*(1+V(in))\nRx x 0 3k", {"v(x)": 1}, "1 file"),
    ("B with quotes", "B1 x 0 V='V(in)*2'\nRx x 0 1k", {"v(x)": 4}, "and with braces"),
    ("B with extras", "B1 0 x I=V(in)*1m Rpar=1k\nRx x 0 1k", {"v(x)": 1}, "Rpar of a B source"),
    # functions
    ("abs sgn", b("abs(V(neg))+10*sgn(V(neg))"), {"v(x)": -8}, ""), ("sqrt", b("sqrt(V(in)*8)"), {"v(x)": 4}, ""), ("ln", b("ln(V(in)+1)"), {"v(x)": math.log(3)}, ""),
    ("log10", b("log10(V(in)*49.5+1)"), {"v(x)": 2}, ""), ("sin cos tan", b("sin(V(in))+cos(V(in))*2+tan(V(in))*4"), {"v(x)": math.sin(2) + 2 * math.cos(2) + 4 * math.tan(2)}, ""),
    ("asin acos atan", b("asin(.5)+acos(.25)*V(in)+atan(V(in))"), {"v(x)": math.asin(.5) + 2 * math.acos(.25) + math.atan(2)}, ""),
    ("arcsin arccos arctan", b("arcsin(.5)+arccos(.25)*V(in)+arctan(V(in))"), {"v(x)": math.asin(.5) + 2 * math.acos(.25) + math.atan(2)}, "other names"),
    ("sinh cosh tanh", b("sinh(V(in))+cosh(V(in))+tanh(V(in))"), {"v(x)": math.exp(2) + math.tanh(2)}, ""), ("asinh acosh atanh", b("asinh(V(in))+acosh(V(in))+atanh(V(in)/4)"), {"v(x)": math.asinh(2) + math.acosh(2) + math.atanh(.5)}, ""),
    ("min max", b("min(V(in),V(neg))+10*max(V(in),1,5)"), {"v(x)": 48}, "of any number"), ("floor ceil", b("floor(V(in)/4)+10*ceil(V(in)/4)"), {"v(x)": 10}, ""),
    ("uramp", b("uramp(V(in))+10*uramp(V(neg))"), {"v(x)": 2}, "328 libraries"), ("u", b("u(V(in))+10*u(V(neg))"), {"v(x)": 1}, "256 libraries"),
    ("tbl", b("tbl(V(in),0,0,4,8)"), {"v(x)": 4}, "another name of table"), ("ddt", b("ddt(V(in))+1"), {"v(x)": 1}, "0 at rest"),
    ("square cbrt db", b("square(V(neg))+cbrt(-8)+db(V(in)*4.5+1)"), {"v(x)": 4 - 2 + 20}, ""), ("ternary_fcn", b("ternary_fcn(V(in)>1,5,6)"), {"v(x)": 5}, "ngspice's if"),
    ("random functions", b("V(in)+white(1)+flat(1)+mc(3,.1)+gauss(1,.1,1)"), {"v(x)": 6, "note": "white() is random; its nominal value stands in"}, "9 bench files"),
]

# the rows of the survey's section 4: expression, value, what others make of it
KOREN = "pow(uramp((50/600)*ln(1+exp(600*(1/100+V(in)/sqrt(300+50*50))))),1.4)/1060"
DIALECT = [
    ("exp(15)", b("exp(V(in)*7.5)"), math.exp(15), "ngspice's PSPICE mode is linear above 14"), ("exp(20)", b("exp(V(in)*10)"), math.exp(20), "8.42e6 there"),
    ("exp(40)", b("exp(V(in)*20)"), math.exp(40), "3.25e7 there"), ("Koren 12AX7 at Vg = +2, Va = 50", b(KOREN), 3.194e-3, "1.505 mA there"),
    ("pwr", b("pwr(V(neg),1.5)"), 2**1.5, "|x|^y; ngspice's default mode keeps the sign"), ("pwrs", b("pwrs(V(neg),1.5)"), -2**1.5, "sgn(x) |x|^y"),
    ("**", b("V(neg)**3"), -8, "ngspice's default gives +8"), ("^", b("V(neg)^3"), -8, "the same"), ("pow", b("pow(V(neg),3)"), -8, "the same"),
    ("even power", b("V(neg)**2"), 4, "and the square is positive"), ("fractional power", b("1+V(neg)**1.5"), 1, "the real part: 0"),
    ("limit", b("limit(V(in)*2.5,0,1)"), 1, "the median of three; a Monte-Carlo function in ngspice's default mode"), ("limit in the other order", b("limit(0,V(in)*2.5,1)"), 1, "both orders are in use"),
    ("limit of three", b("limit(.5,1,0)"), .5, "bounds in either order"), ("if", b("if(V(in)>1,5,6)"), 5, "an error in two modes"), ("stp", b("stp(V(in))+stp(V(neg))"), 1, "the same"),
    ("uplim", b("uplim(V(in)*5,1,.1)"), 1 - .1 * math.exp((1 - .1 - 10) / .1), "bends towards the bound"), ("dnlim", b("dnlim(V(neg)*5,1,.1)"), 1 + .1 * math.exp((-10 - 1 - .1) / .1), "the same from above"),
    ("&", b("V(in)>1 & V(in)<3"), 1, "an error in three modes"), ("table in B", b("table(V(in),0,0,1,10,3,20)"), 15, "an error there even in the best mode"),
    ("table in E", "E1 x 0 VALUE={table(V(in),0,0,1,10,3,20)}\nRx x 0 1k", 15, ""), ("int", b("int(V(in)*.9)+10*int(V(neg)*.9)"), -9, "towards zero"),
    ("buf", b("buf(V(in))+buf(V(neg))"), 1, ""), ("inv", b("inv(V(in))+inv(V(neg))"), 1, ""), ("round", b("round(V(in)*.8)"), 2, ""), ("atan2", b("atan2(V(in),V(neg))"), math.atan2(2, -2), ""),
    ("hypot", b("hypot(V(in)*1.5,V(neg)*2)"), 5, ""), ("u(0)", b("1+u(V(in)+V(neg))"), 1, "0.5 in ngspice: a convention"), ("log", b("log(V(in)+1)"), math.log(3), "natural"),
    ("4k7", "R1 in x 4k7\nRx x 0 4.7k", 1, "4 k in ngspice, silently"), ("2R2", "R1 in x 2R2\nRx x 0 2.2", 1, "2 in ngspice"), ("1m5", "R1 in x 1m5\nRx x 0 1.5m", 1, "1 m in ngspice"),
]


def found(circuit, rest, key: str):
    if key.startswith("v("):
        return rest.voltage(key[2:-1])
    if key == "controls":
        return [(one.name, one.minimum, one.maximum, one.position) for one in circuit.controls]
    if key in ("initial", "nodeset"):
        return dict(getattr(circuit, key))
    for cut in range(len(key), 0, -1):  # the longest element name that fits
        name = key[:cut]
        match = next((element for element in circuit.elements if element.name == name), None)
        if match is not None:
            value = match
            for step in key[cut + 1:].split("."):
                value = value[step] if hasattr(value, "keys") else getattr(value, step)
            return value
    raise KeyError(key)


@pytest.mark.parametrize("deck, expected, why", [pytest.param(*feature[1:], id=feature[0]) for feature in FEATURES])
def test_feature(deck, expected, why):
    circuit = read_text(HEAD + deck + "\n")
    bound = circuit.bound()
    rest = operating_point(assemble(bound)) if any(key.startswith("v(") for key in expected) else None
    for key, wanted in expected.items():
        if key == "note":
            assert any(wanted in note for note in circuit.notes), circuit.notes
        elif key == "no note":
            assert not any(wanted in note for note in circuit.notes), circuit.notes
        else:
            value = found(bound, rest, key)
            assert value == (pytest.approx(wanted, rel=1e-6, abs=1e-8) if isinstance(wanted, (int, float, tuple)) and not (
                isinstance(wanted, tuple) and isinstance(wanted[0], str)) else wanted), (key, why)


@pytest.mark.parametrize("deck, wanted, why", [pytest.param(*row[1:], id=row[0]) for row in DIALECT])
def test_dialect(deck, wanted, why):
    rest = operating_point(assemble(read_text(HEAD + deck + "\n").bound()))
    assert rest.voltage("x") == pytest.approx(wanted, rel=5e-4 if wanted == 3.194e-3 else 1e-9, abs=1e-9), why  # the survey has four digits


def test_there_are_enough_of_them():
    assert len(FEATURES) + len(DIALECT) >= 150 and len({feature[0] for feature in FEATURES}) == len(FEATURES)
