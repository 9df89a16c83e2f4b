"""Fitted curves that stand in a circuit as diodes and sources: the same numbers as the curve, through netlist, solvers and ngspice's deck."""

import numpy as np
import pytest
from check_processor import check_processor

import ampwright as aw
from circuits.errors import ModelFileError, NetlistError
from circuits.expressions import Number, Voltage, evaluate, transform
from circuits.nodal.processor import NodalProcessor
from graybox.blocks import Block
from graybox.chain import Parallel, Static
from graybox.curves import DiodePair, MonotoneSpline, Polynomial, Rational, SoftClip, Spline, Tanh, TanhSum
from graybox.device import Law, load_law
from graybox.filters import Cascade, Gain, Offset
from graybox.net import tanh_net
from graybox.store import save
from netlists.reader import read_text
from netlists.writer import write
from wdf.processor import WdfProcessor

RATE = 48000.0
CLIPPER = "clipper\nVin in 0 AC 1\nR1 in out 2k2\nC1 out 0 10n\n{}\n*@ input vin\n*@ output out\n"
SATURATION, EMISSION = 2.52e-9, 1.752 * 8.617333262e-5 * 300.15


def curves():
    rng = np.random.default_rng(3)
    return (Tanh(2.0, 0.3, 1.5), TanhSum((1.0, -0.5), (2.0, 3.0), (0.1, -0.2), offset=0.01), SoftClip(0.5, 0.9),
            Polynomial((0.0, 1.0, 0.3, -0.2), scale=1.5), Rational((0.0, 1.0, 0.2), (0.3, 0.1)),
            Spline(-1.0, 1.0, tuple(rng.standard_normal(27).tolist())), MonotoneSpline(-1.0, 1.0, tuple(rng.random(12).tolist()), -0.3),
            tanh_net(-1.0, 1.0, hidden=(8, 5)))


def pair_block(cells: int = 96, reach: float = 0.75) -> Block:
    """The current of an antiparallel 1N4148 pair as a spline, found by least squares on its formula."""
    v = np.linspace(-reach, reach, 8001)
    curve = Spline(-reach, reach, (0.0,) * (cells + 3))
    wanted = 2.0 * SATURATION * np.sinh(v / EMISSION)
    weight = 1.0 / (1e-6 + np.abs(wanted))
    basis = curve.jet(v)[2] * weight[:, None]
    return Block((Static(Spline(-reach, reach, tuple(np.linalg.lstsq(basis, wanted * weight, rcond=None)[0].tolist()))),), RATE)


def tone(level: float, n: int = 4800) -> np.ndarray:
    t = np.arange(n) / RATE
    return level * (np.sin(2 * np.pi * 220.0 * t) + 0.3 * np.sin(2 * np.pi * 1500.0 * t))


@pytest.mark.parametrize("curve", curves(), ids=lambda curve: curve.kind)
def test_the_expression_of_a_curve_is_the_curve(curve):
    law = Law(Block((Offset(0.05), Static(curve), Gain(0.7)), RATE))
    x = np.linspace(-2.0, 2.0, 41)
    expression, numbers = law.expression(Voltage("a"), "d1"), law.numbers("d1")
    found = [evaluate(transform(expression, lambda part: Number(v) if part == Voltage("a") else None), numbers) for v in x.tolist()]
    assert np.allclose(found, 0.7 * curve.value(x + 0.05), rtol=0.0, atol=1e-13)


def test_numbers_go_out_and_come_back():
    law = Law(Block((Static(Tanh(2.0, 0.3, 1.5, fixed=("bias",))), Gain(0.7)), RATE))
    assert law.free("d1") == ("d1.stages[0].curve.gain", "d1.stages[0].curve.drive", "d1.stages[1].gain")
    changed = law.with_numbers("d1", {"d1.stages[0].curve.drive": 3.0, "r1": 5.0})
    assert changed.stages == (Static(Tanh(3.0, 0.3, 1.5, fixed=("bias",))), Gain(0.7))


@pytest.mark.parametrize("line", ['D1 out 0 law="pair.json"', "D1 out 0 FITTED\n.model FITTED D(law='pair.json')", 'B1 out 0 law="pair.json"',
                                  'B1 out 0 law="pair.json" i=V(out)'])
def test_a_fitted_diode_clips_as_the_diodes_do(tmp_path, line):
    save(pair_block(), tmp_path / "pair.json")
    (tmp_path / "fitted.cir").write_text(CLIPPER.format(line))
    (tmp_path / "diodes.cir").write_text(CLIPPER.format("D1 out 0 DX\nD2 0 out DX\n.model DX D(IS=2.52n N=1.752)"))
    x = tone(2.0)
    fitted, diodes = (NodalProcessor(aw.load(tmp_path / f"{name}.cir"), RATE).process(x) for name in ("fitted", "diodes"))
    assert np.sum((fitted - diodes)**2) < 1e-8 * np.sum(diodes**2)
    waves = WdfProcessor(aw.load(tmp_path / "fitted.cir"), RATE, tolerance=1e-12).process(x)
    tight = NodalProcessor(aw.load(tmp_path / "fitted.cir"), RATE, tolerance=1e-12).process(x)
    assert np.max(np.abs(waves - tight)) < 1e-9 * np.max(np.abs(tight))


def test_a_fitted_source_of_volts(tmp_path):
    save(Block((Static(Tanh(3.0)),), RATE), tmp_path / "stage.json")
    (tmp_path / "stage.cir").write_text('stage\nVin in 0 AC 1\nB1 out 0 law="stage.json" v=2*V(in)\nR1 out 0 1k\n*@ input vin\n*@ output out\n')
    x = tone(0.3)
    assert np.allclose(NodalProcessor(aw.load(tmp_path / "stage.cir"), RATE).process(x), np.tanh(6.0 * x), atol=1e-9)


def test_its_numbers_are_parameters_of_the_circuit_and_it_is_a_processor(tmp_path):
    save(Block((Static(Tanh(20.0, gain=1e-3)),), RATE), tmp_path / "law.json")
    (tmp_path / "c.cir").write_text(CLIPPER.format('D1 out 0 law="law.json"'))
    circuit = aw.load(tmp_path / "c.cir")
    assert circuit.values()["d1.stages[0].curve.gain"] == 1e-3
    check_processor(lambda: NodalProcessor(circuit, RATE))
    doubled = circuit.with_parameters(**{"d1.stages[0].curve.gain": 2e-3})
    save(Block((Static(Tanh(20.0, gain=2e-3)),), RATE), tmp_path / "law.json")
    x = tone(2.0)
    assert np.array_equal(NodalProcessor(doubled, RATE).process(x), NodalProcessor(aw.load(tmp_path / "c.cir"), RATE).process(x))


def test_the_written_deck_holds_the_law_as_a_formula(tmp_path):
    save(pair_block(24, 1.0), tmp_path / "pair.json")
    (tmp_path / "c.cir").write_text(CLIPPER.format('D1 out 0 law="pair.json"'))
    circuit = aw.load(tmp_path / "c.cir")
    again = read_text(write(circuit))
    x = tone(1.5)
    a, b = (NodalProcessor(one, RATE).process(x) for one in (circuit, again))
    assert np.max(np.abs(a - b)) < 1e-9


@pytest.mark.parametrize("stage, words", [(Cascade((0.0,), (0.0,), (-0.5,), (0.0,)), "a 'cascade' has memory and can't be the law of an element"),
                                          (Static(DiodePair()), "a curve of the kind 'diode-pair' is no formula")])
def test_what_is_no_law_is_refused(tmp_path, stage, words):
    save(Block((stage,), RATE), tmp_path / "law.json")
    with pytest.raises(ModelFileError, match=words):
        load_law(tmp_path / "law.json")


@pytest.mark.parametrize("line, words", [
    ('D1 out 0 law="gone.json"', r"line 5.*: D1 has its law in 'gone.json', which is not there"),
    ('D1 out 0 law="../law.json"', "leaves the folder of the netlist"),
    ("D1 out 0 law=", "has no value|names no file"),
    ('B1 out 0 law="broken.json"', "is not JSON"),
])
def test_bad_laws_are_named_with_their_line(tmp_path, line, words):
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "broken.json").write_text("{")
    save(Block((Static(Tanh()),), RATE), tmp_path / "law.json")
    (inner / "c.cir").write_text(CLIPPER.format(line))
    with pytest.raises(NetlistError, match=words):
        aw.load(inner / "c.cir")


def test_text_alone_reads_no_fitted_files():
    with pytest.raises(NetlistError, match="nobody here reads fitted files"):
        read_text(CLIPPER.format('D1 out 0 law="law.json"'))


def test_branches_of_curves_are_summed():
    law = Law(Block((Parallel(((Static(Tanh(2.0)),), (Gain(0.5), Static(Tanh(1.0))))),), RATE))
    at = transform(law.expression(Voltage("a"), "x"), lambda part: Number(0.4) if part == Voltage("a") else None)
    assert abs(evaluate(at, law.numbers("x")) - (np.tanh(0.8) + np.tanh(0.2))) < 1e-15
