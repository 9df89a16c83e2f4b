"""Tube and op-amp subcircuits in the styles that circulate, written by us from their published equations: reduced and unreduced they play the same.

Each stage is read as its text stands and run twice, once as the engine gets it (helper nodes solved symbolically) and once with all its
nodes; the outputs agree to 1e-9. What `inspect` says about the reduction, and a plate current that a person can work out, are tested too.

References
----------
Koren, Glass Audio 8(5), 1996; Munro, dmtriodep (1997); Rydel, Glass Audio 7(3), 1995; Reefman, Spice models for vacuum tubes using the uTracer, 2016;
Cohen, Helie: Measures and parameter estimation of triodes for the real-time simulation of a multi-stage guitar preamplifier, AES 129, 2010;
Boyle, Cohn, Pederson, Solomon: Macromodeling of integrated circuit operational amplifiers, IEEE JSSC 9(6), 1974.
"""

import math

import numpy as np
import pytest

from circuits.nodal import processor
from circuits.nodal.equations import assemble
from circuits.nodal.operating import operating_point
from circuits.nodal.processor import NodalProcessor
from circuits.reduce import reduce
from netlists.reader import read_text

TRIODE_STAGE = "Vin in 0 AC 1\nVb bp 0 300\nRs in g 1k\nRp bp out 100k\nRk k 0 1.5k\nX1 out g k {call}\n"
PENTODE_STAGE = "Vin in 0 AC 1\nVb bp 0 250\nRs in g 1k\nRp bp out 5k\nRsc bp s 1k\nRk k 0 130\nX1 out s g k PENT\n"

MUNRO = """
.SUBCKT 12AX7DM P G K
Xv1 P G K dmtriode MU=96 EX=1.4 KX=0.00055 VCT=0.2 KP=900
.ENDS
.SUBCKT dmtriode A G K MU=100 EX=1.5 KX=1m VCT=0 KP=500
Elim LI 0 VALUE {PWR(LIMIT(V(A,K),0,1E6),1.5)*2.5E-5}
Egg GG 0 VALUE {V(G,K)+VCT}
Eep EP 0 VALUE {LIMIT(V(A,K)/MU,0,1E6)}
Eel EL 0 VALUE {LN(1+EXP(LIMIT((V(GG)+V(EP))*KP/100,-50,80)))*100/KP}
Eem EM 0 VALUE {KX*PWR(V(EL),EX)}
Gak A K VALUE {URAMP(V(EM)-URAMP(V(EM)-V(LI)))}
Egk GK 0 VALUE {PWR(LIMIT(V(G,K)+0.4,0,1E6),1.5)*0.5M}
Ggk G K VALUE {V(GK)*(1-V(A,K)/(ABS(V(A,K))+10)*0.4)}
Cgk G K 1.6P
Cga G A 1.7P
Cak A K 0.5P
.ENDS
"""
RYDEL = """
.SUBCKT 12AX7RY A G K
XV1 A G K TRIODERY MU=90.6 K0=0.61M VA=25 VB=0.5
.ENDS
.SUBCKT TRIODERY 1 2 3
* arctangent of the plate, three halves of the space charge; its parameters are given on the X line alone
BAT 9 0 V=ATAN(LIMIT(V(1,3),0,1K)/{VA})*2/PI
BGE 7 0 V=LIMIT(V(2,3)+VB+V(1,3)/{MU},0,1MEG)
BGP 8 0 V=K0*PWR(V(7),1.5)*V(9)
GP 1 3 VALUE={V(8)}
GG 2 3 VALUE={PWR(LIMIT(V(2,3)+0.2,0,1MEG),1.5)*0.3M}
.ENDS
"""
REEFMAN = """
.SUBCKT TRIODE_RF 1 2 3 PARAMS: MU=98.1 EX=1.46 KG1=1730 KP=754 KVB=120 RGI=2000 CCG=2.3P CGP=2.4P CCP=0.9P
E1 7 0 VALUE={V(1,3)/KP*LOG(1+EXP(KP*(1/MU+V(2,3)/SQRT(KVB+V(1,3)*V(1,3)))))}
RE1 7 0 1G
G1 1 3 VALUE={0.5*(PWR(V(7),EX)+PWRS(V(7),EX))/KG1*2}
RCP 1 3 1G
C1 2 3 {CCG}
C2 2 1 {CGP}
C3 1 3 {CCP}
D3 5 3 DX
R1 2 5 {RGI}
.MODEL DX D(IS=1N RS=1 CJO=10PF TT=1N)
.ENDS
"""
COHEN_HELIE = """
.SUBCKT TRI_CH P G K
.param mu=88.5 ex=1.61 kg1=1460 kp=580 kvb=33 vct=0.3 va=0.33 rgk=1300
Be1 e1 0 V=V(P,K)/kp*ln(1+exp(min(kp*(1/mu+(V(G,K)+vct)/sqrt(kvb+V(P,K)*V(P,K))),200)))
Bp P K I=2*pwr(V(e1),ex)/kg1*u(V(e1))
* the grid's current: nothing, a parabola, a straight line
Bg G K I=if(V(G,K)<va-0.5,0,if(V(G,K)>va+0.5,(V(G,K)-va)/rgk,pwr(V(G,K)-va+0.5,2)/(2*rgk)))
Cgk G K 2.3p
Cgp G P 2.4p
.ENDS
"""
PENTODE = """
* Koren's order P G2 G1 K
.SUBCKT PENT 1 2 3 4 PARAMS: MU=19.56 EX=1.35 KG1=593 KG2=4500 KP=131.34 KVB=17.5 RGI=1k
E1 7 0 VALUE={V(2,4)/KP*LOG(1+EXP((1/MU+V(3,4)/V(2,4))*KP))}
G1 1 4 VALUE={(PWR(V(7),EX)+PWRS(V(7),EX))/KG1*ATAN(V(1,4)/KVB)}
E2 8 0 VALUE={V(3,4)+V(2,4)/MU}
G2 2 4 VALUE={EXP(EX*(LOG(URAMP(V(8))+1E-20)))/KG2}
RE1 7 0 1G
RCP 1 4 1G
C1 3 4 10P
C2 3 1 0.6P
R1 3 5 {RGI}
D3 5 4 DX
.MODEL DX D(IS=1N RS=1 CJO=10PF TT=1N)
.ENDS
"""
BOYLE = """
* differential pair, one pole, a nonlinear clamp: in+ in- V+ V- out
.SUBCKT OPAMP741 1 2 3 4 5
c1 11 12 8.661E-12
c2 6 7 30.00E-12
dc 5 53 dy
de 54 5 dy
dlp 90 91 dx
dln 92 90 dx
dp 4 3 dx
egnd 99 0 poly(2) (3,0) (4,0) 0 .5 .5
fb 7 99 poly(5) vb vc ve vlp vln 0 10.61E6 -1E3 1E3 10E6 -10E6
ga 6 0 11 12 188.5E-6
gcm 0 6 10 99 5.961E-9
iee 10 4 dc 15.16E-6
hlim 90 0 vlim 1K
q1 11 2 13 qx
q2 12 1 14 qx
r2 6 9 100.0E3
rc1 3 11 5.305E3
rc2 3 12 5.305E3
re1 13 10 1.836E3
re2 14 10 1.836E3
ree 10 99 13.19E6
ro1 8 5 50
ro2 7 99 100
rp 3 4 18.16E3
vb 9 0 dc 0
vc 3 53 dc 1
ve 54 4 dc 1
vlim 7 8 dc 0
vlp 91 0 dc 40
vln 0 92 dc 40
.model dx D(Is=800.0E-18 Rs=1)
.model dy D(Is=800.00E-18 Rs=1m Cjo=10p)
.model qx NPN(Is=800.0E-18 Bf=93.75)
.ends
"""
OPAMP_STAGE = "Vin in 0 AC 1\nVp vp 0 9\nVm vm 0 -9\nX1 in fb vp vm out OPAMP741\nRf out fb 10k\nRg fb 0 1k\nRl out 0 10k\n"

# name, deck, helper nodes that go, drive (V), least swing of the output
STYLES = {
    "Munro": (TRIODE_STAGE.format(call="12AX7DM") + MUNRO, 6, 1.0, 10.0),
    "Rydel": (TRIODE_STAGE.format(call="12AX7RY") + RYDEL, 3, 1.0, 10.0),
    "Reefman": (TRIODE_STAGE.format(call="TRIODE_RF MU=96.2") + REEFMAN, 1, 1.0, 10.0),
    "Cohen-Helie": (TRIODE_STAGE.format(call="TRI_CH") + COHEN_HELIE, 1, 1.0, 10.0),
    "Koren pentode": (PENTODE_STAGE + PENTODE, 2, 3.0, 10.0),
    "Boyle op-amp": (OPAMP_STAGE + BOYLE, 0, 0.5, 5.0),
}


@pytest.mark.parametrize("style", STYLES)
def test_reduced_and_unreduced_play_the_same(style, monkeypatch):
    deck, gone, drive, swing = STYLES[style]
    circuit = read_text(f"{style}\n{deck}", strict=True)
    reduced = reduce(circuit)
    assert len(circuit.nodes) - len(reduced.nodes) == gone
    assert any(note.startswith("reduced x1") for note in reduced.notes) == bool(gone)
    samples = drive * np.sin(2.0 * np.pi * 220.0 * np.arange(480) / 48000.0)
    engine = NodalProcessor(circuit, 48000.0, tolerance=1e-11)
    found = engine.process(samples)
    assert engine.run.bad_samples == 0 and np.ptp(found) > swing
    monkeypatch.setattr(processor, "reduce", lambda whole: whole)
    plain = NodalProcessor(circuit, 48000.0, tolerance=1e-11).process(samples)
    assert np.max(np.abs(plain - found)) < 1e-9 * np.max(np.abs(plain))


def test_plate_currents_by_hand():
    """At rest the plate resistor carries what the published equation gives for the tube's own voltages."""
    for style, current in (("Reefman", lambda a, g: 2.0 * (a / 754 * math.log1p(math.exp(754 * (1 / 96.2 + g / math.sqrt(120 + a * a)))))**1.46 / 1730 + a / 1e9),
                           ("Rydel", lambda a, g: 0.61e-3 * max(g + 0.5 + a / 90.6, 0.0)**1.5 * math.atan(a / 25) * 2 / math.pi),
                           ("Cohen-Helie", lambda a, g: 2.0 * (a / 580 * math.log1p(math.exp(580 * (1 / 88.5 + (g + 0.3) / math.sqrt(33 + a * a)))))**1.61 / 1460)):
        rest = operating_point(assemble(read_text(f"{style}\n{STYLES[style][0]}").bound()))
        a, g = rest.voltage("out") - rest.voltage("k"), rest.voltage("g") - rest.voltage("k")
        assert (300.0 - rest.voltage("out")) / 100e3 == pytest.approx(current(a, g), rel=1e-6), style


def test_the_op_amp_amplifies_elevenfold_and_stops_before_its_rails():
    deck = "Boyle\n" + STYLES["Boyle op-amp"][0]
    rest = {volts: operating_point(assemble(read_text(deck.replace("Vin in 0", f"Vin in 0 DC {volts}")).bound())).voltage("out") for volts in (0.1, 2.0)}
    assert rest[0.1] == pytest.approx(1.1, rel=2e-3) and 7.0 < rest[2.0] < 9.0
