"""Laws of devices: exact slopes over wide inputs, finite values everywhere, passivity, and the table's agreement."""

import math

import numpy as np
import pytest
from check_devices import check_finite, check_slopes, check_table, dissipated, part, rows

from circuits.circuit import Card
from circuits.devices.families import FAMILIES, place, unknown_parameters
from circuits.devices.table import LAWS
from circuits.elements import Device
from circuits.errors import CircuitError
from circuits.kernels.omega import omega

GUMMEL = {"is": 20.66e-6, "bf": 229.6, "br": 14.66, "nf": 1.133, "nr": 1.14, "vaf": 19.68, "var": 88.28, "ikf": 0.463, "ikr": 0.2415,
          "ise": 2.19e-6, "isc": 7.546e-6, "ne": 1.796, "nc": 1.364, "cjc": 100e-12, "cje": 50e-12, "tf": 1e-9, "tr": 1e-8, "xtf": 2.0,
          "vtf": 3.0, "itf": 0.1}
SILICON = {"is": 1e-14, "bf": 300.0, "br": 4.0, "vaf": 100.0, "ikf": 0.4}
PARTS = {
    "diode": ("d", "ab", {"is": 2.52e-9, "n": 1.752}),
    "zener": ("d", "ab", {"is": 0.88e-15, "bv": 4.7, "ibv": 20.2e-3, "nbv": 1.7}),
    "recombining": ("d", "ab", {"is": 2.682e-9, "n": 1.836, "ikf": 44e-3, "isr": 1.5e-9, "nr": 2.0, "bv": 100.0, "vj": 0.5, "m": 0.33}),
    "charged": ("d", "ab", {"is": 2.52e-9, "n": 1.752, "cjo": 4e-12, "m": 0.4, "tt": 20e-9, "vj": 0.6, "bv": 75.0, "ikf": 0.05}),
    "idealised": ("d", "ab", {"ron": 10.0, "roff": 1e6, "vfwd": 0.6, "vrev": 4.0, "epsilon": 0.3, "revepsilon": 0.1}),
    "bjt": ("npn", "cbe", SILICON),
    "ebers moll": ("npn", "cbe", {"is": 5e-15, "bf": 500.0, "br": 4.0}),
    "germanium": ("npn", "cbe", GUMMEL),
    "pnp": ("pnp", "cbe", GUMMEL),
    "static germanium": ("npn", "cbe", {k: v for k, v in GUMMEL.items() if k not in ("cjc", "cje", "tf", "tr")}),
    "split": ("npn", "cbes", {**SILICON, "cjc": 4e-12, "xcjc": 0.6, "cjs": 2e-12, "mjs": 0.3, "rb": 20.0}),
    "crowded base": ("npn", "cbe", {**GUMMEL, "rb": 200.0, "rbm": 20.0, "irb": 1e-4}),
    "modulated base": ("npn", "cbe", {**SILICON, "rb": 200.0, "rbm": 20.0, "var": 10.0}),
    "jfet": ("njf", "dgs", {"beta": 1.125e-3, "vto": -1.372, "lambda": 2.3e-3, "is": 181.3e-15}),
    "jfet charged": ("pjf", "dgs", {"beta": 1.125e-3, "vto": -1.372, "lambda": 2.3e-3, "is": 181.3e-15, "cgd": 4e-12, "cgs": 4.627e-12, "pb": 0.5}),
    "mosfet": ("nmos", "dgsb", {"vto": 1.0, "kp": 1e-4, "gamma": 0.5, "phi": 0.65, "lambda": 0.02, "w": 1e-5, "l": 1e-6}),
    "mosfet tied": ("pmos", "dgs", {"vto": -1.0, "kp": 1e-4, "gamma": 0.5, "lambda": 0.02}),
    "vdmos": ("vdmos", "dgs", {"vto": 1.6, "kp": 0.17, "mtriode": 1.25, "lambda": 0.01, "cgdmax": 80e-12, "cgdmin": 12e-12, "cgs": 50e-12,
                               "cjo": 50e-12, "is": 0.04e-12, "rg": 3.0, "rs": 0.75}),
    "vdmos sharp": ("vdmos", "dgs", {"vto": 1.6, "kp": 0.17, "ksubthres": 0.0}),
    "triode": ("triode", "pgk", {}),
    "triode bent": ("triode", "pgk", {"mu": 98.11, "ex": 1.459, "kg1": 1734.7, "kp": 754.39, "kvb": 119.9, "vct": 0.5}),
    "triode dz": ("triode_dz", "pgk", {}),
    "pentode": ("pentode", "psgk", {}),
    "rectifier": ("rectifier", "pqk", {}),
    "opamp": ("opamp", ("p", "n", "h", "l", "o"), {"gbw": 3e6, "slew": 13e6}),
    "opamp without rails": ("opamp", "pno", {"gbw": 3e6, "slew": 1.7e6}),
    "switch": ("sw", "abcd", {"ron": 10.0, "roff": 1e6, "vt": 1.0, "vh": 0.5}),
    "switch opening": ("vswitch", "abcd", {"ron": 10.0, "roff": 1e6, "von": 0.5, "voff": 2.0}),
    "ldr": ("ldr", "abcd", {}),
    "core": ("core", "ab", {"hc": 16.0, "bs": 0.44, "br": 0.1, "n": 100.0, "a": 1e-4, "lm": 0.05}),
    "gapped core": ("core", "abcd", {"n1": 100.0, "n2": 10.0, "lg": 2e-4}),
    "arctan core": ("core_arctan", "ab", {"n": 100.0, "lg": 1e-4}),
    "hysteresis": ("core_ja", "ab", {"n": 100.0, "lg": 1e-6}),
    "ota": ("ota", ("p", "n", "o", "b", "m"), {}),
    "vactrol": ("ldr", "abcd", {"attack": 3e-3, "decay": 40e-3}),
}
SPANS = {"v_d": (-6.0, 1.2), "v_be": (-3.0, 1.0), "v_bc": (-30.0, 1.0), "v_gk": (-60.0, 10.0), "v_pk": (-20.0, 500.0),
         "v_sk": (-20.0, 500.0), "v_gs": (-5.0, 8.0), "v_gd": (-20.0, 1.0), "v_ds": (-5.0, 20.0), "v_bs": (-10.0, 0.9), "v_h": (-20.0, 1.0), "v_l": (-1.0, 20.0),
         "v_c": (-0.5, 3.0), "v_s": (-10.0, 10.0),
         "v_r": (-10.0, 10.0), "f": (-300.0, 300.0), "v_b": (-3.0, 1.4), "j": (-1.0, 1.0), "w": (-0.01, 0.01),
         "v_bb": (-0.3, 0.3)}


def laws(name):
    kind, nodes, values = PARTS[name]
    return part(kind, nodes, **values).laws


@pytest.mark.parametrize("name", PARTS)
def test_slopes(name):
    rng = np.random.default_rng(1)
    for placed in laws(name):
        spans = [SPANS[item] for item in placed.law.inputs]
        points = np.array([rng.uniform(low, high, 60) for low, high in spans]).T
        near_zero = rng.uniform(-0.3, 0.3, (20, len(spans)))
        if "w" in placed.law.inputs:  # where the branch of the loop is undecided
            near_zero[:, placed.law.inputs.index("w")] *= 1e-5
        check_slopes(placed.law, placed.constants, np.vstack([points, near_zero]))


@pytest.mark.parametrize("name", PARTS)
def test_finite_everywhere(name):
    for placed in laws(name):
        check_finite(placed.law, placed.constants, np.random.default_rng(2))


@pytest.mark.parametrize("name", PARTS)
def test_table_equals_law(name):
    rng = np.random.default_rng(3)
    for placed in laws(name):
        check_table(placed.law, placed.constants, rng.uniform(-3.0, 3.0, (5, len(placed.law.inputs))))


def test_codes_are_consecutive():
    assert [law.code for law in LAWS.values()] == list(range(1, len(LAWS) + 1))
    assert {placed.law.name for name in PARTS for placed in laws(name)} == set(LAWS)


@pytest.mark.parametrize("name", ["diode", "zener", "recombining", "charged", "idealised", "bjt", "ebers moll", "germanium", "pnp", "jfet",
                                  "jfet charged", "mosfet",
                                  "mosfet tied", "vdmos", "vdmos sharp", "triode", "pentode", "rectifier", "switch", "switch opening", "ldr"])
def test_passive(name):
    """A static device without a supply can only take power."""
    rng = np.random.default_rng(4)
    for placed in laws(name):
        if not placed.currents:
            continue
        spans = [SPANS[item] for item in placed.law.inputs]
        for x in np.vstack([np.array([rng.uniform(low, high, 300) for low, high in spans]).T, rng.uniform(-0.5, 0.5, (300, len(spans)))]):
            assert dissipated(placed, x) >= -1e-21, (name, x)


@pytest.mark.parametrize("name", PARTS)
def test_rest(name):
    """No voltage, no current: except through the grid bias current of Dempwolf's law, and what Koren's cathode emits at once."""
    for placed in laws(name):
        values, _ = rows(placed.law, np.zeros(len(placed.law.inputs)), placed.constants)
        if placed.law.name != "triode_dempwolf":
            assert np.all(np.abs(values) < 1e-18), (name, values)


def test_joints_have_no_step():
    """Where one formula hands over to the next, value and slope go on (a diode's breakdown starts with its own slope)."""
    zener = laws("zener")[0]
    germanium = laws("germanium")[0]
    triode = laws("triode")[0]
    p, g = zener.constants, germanium.constants
    cases = [(zener, (-3.0 * p.scale,)), (zener, (300.0 * p.scale,)), (laws("charged")[0], (laws("charged")[0].constants.corner,)),
             (germanium, (g.corner_e, -1.0)), (germanium, (-3.0 * g.scale_f, -3.0 * g.scale_r)), (germanium, (0.0, g.corner_c)),
             (germanium, (0.5, 0.9 / g.inverse_vaf - 0.5 * g.inverse_var / g.inverse_vaf))]
    for placed, x in cases:
        low, high = (np.array(x) * (1.0 + sign * 1e-9) + sign * 1e-12 for sign in (-1, 1))
        (a, da), (b, db) = rows(placed.law, low, placed.constants), rows(placed.law, high, placed.constants)
        assert np.allclose(a, b, rtol=2e-6, atol=1e-18) and np.allclose(da, db, rtol=2e-6, atol=1e-13), (placed.law.name, x)
    # a triode's slope at v_pk -> 0 falls like v_pk^0.4
    assert np.all(np.abs(rows(triode.law, (0.0, 1e-40), triode.constants)[1][0]) < 1e-15)
    low, _ = rows(zener.law, (-p.breakdown * (1 + 1e-12),), p)
    high, _ = rows(zener.law, (-p.breakdown * (1 - 1e-12),), p)
    assert low == pytest.approx(high, rel=1e-6)


def test_omega():
    for x in (-700.0, -40.001, -40.0, -39.999, -5.0, -2.0, -1e-9, 0.0, 1.0, 3.999, 4.0, 50.0, 1e4, 1e8):
        w = omega(x)
        assert w + math.log(w) == pytest.approx(x, rel=4e-16, abs=4e-16)
    assert omega(1.0) == 1.0 and omega(-1e4) == 0.0


def test_grid_junction_solves_its_equation():
    p = laws("triode")[0].constants
    for v in (-100.0, -0.3, 0.0, 0.2, 0.6, 1.0, 40.0):
        i = rows(LAWS["triode"], (v, 100.0), p)[0][1]
        rest = v - p.grid_resistance * i
        assert i == pytest.approx(p.grid_saturation * math.expm1(rest / p.grid_scale), rel=1e-9, abs=1e-21)


def test_pnp_is_the_npn_turned_round():
    npn, pnp = laws("germanium")[0], laws("pnp")[0]
    assert pnp.inputs == (("e", "b"), ("c", "b")) and npn.inputs == (("b", "e"), ("b", "c"))
    assert pnp.currents == (("e", "c"), ("e", "b")) and npn.currents == (("c", "e"), ("b", "e"))
    assert pnp.constants == npn.constants


def test_base_resistance_is_plain_unless_it_can_fall():
    """RBM not given, or equal to RB, is one resistor, also with IRB: many cards write all three."""
    for values in ({"rb": 10.0}, {"rb": 10.0, "irb": 1e-6}, {"rb": 1.0, "rbm": 1.0, "irb": 1e-6}):
        placed = part("npn", "cbe", **values)
        assert len(placed.laws) == 1 and placed.elements[0].value == values["rb"]
    assert [placed.law.name for placed in part("npn", "cbe", rb=10.0, rbm=1.0, vaf=50.0).laws] == ["bjt", "bjt_base"]


def test_idealised_diode_of_ltspice():
    law = part("d", "ab", ron=10.0, roff=1e6, vfwd=0.6, vrev=4.0, rrev=20.0).laws[0]
    for v, i in ((0.5, 0.5e-6), (1.6, 1.6e-6 + 0.9995 * (0.1 - 1e-6)), (-3.0, -3e-6), (-5.0, -5e-6 - 0.9995 * (0.05 - 1e-6))):
        assert rows(law.law, (v,), law.constants)[0][0] == pytest.approx(i, rel=1e-9)


def test_ebers_moll_is_gummel_poon_without_its_extras():
    """The same currents and slopes, to rounding, as the full law with those parameters absent."""
    simple = laws("ebers moll")[0]
    full = part("npn", "cbe", **{"is": 5e-15, "bf": 500.0, "br": 4.0, "vaf": 1e300}).laws[0]
    assert (simple.law.name, full.law.name) == ("ebers_moll", "bjt")
    for v in ((0.6, -3.0), (0.65, 0.55), (-2.0, 0.6), (0.0, 0.0), (0.7, 0.7)):
        for a, b in zip(rows(simple.law, v, simple.constants), rows(full.law, v, full.constants)):
            assert np.allclose(a, b, rtol=1e-12, atol=1e-28)


def test_area_and_parallel():
    one, four = part("d", "ab", rs=8.0, cjo=1e-12), part("d", "ab", instance={"area": 2.0, "m": 2.0}, rs=8.0, cjo=1e-12)
    assert rows(four.laws[0].law, (0.6,), four.laws[0].constants)[0] == pytest.approx(4.0 * rows(one.laws[0].law, (0.6,), one.laws[0].constants)[0])
    assert (one.elements[0].value, four.elements[0].value) == (8.0, 2.0)
    single, double = part("triode", "pgk", ccg=2e-12), part("triode", "pgk", instance={"m": 2.0}, ccg=2e-12)
    assert rows(LAWS["triode"], (0.5, 100.0), double.laws[0].constants)[0] == pytest.approx(
        2.0 * rows(LAWS["triode"], (0.5, 100.0), single.laws[0].constants)[0])
    assert double.elements[0].value == 4e-12


def test_cheap_when_nothing_is_stored():
    assert laws("diode")[0].law.name == "diode" and laws("charged")[0].law.name == "diode_charge"
    assert laws("bjt")[0].law.name == "bjt" and laws("germanium")[0].law.name == "bjt_charge"


def test_temperature_of_the_part_wins():
    def saturation(instance, temperature):
        return part("d", "ab", temperature, instance, **{"is": 1e-14}).laws[0].constants.saturation
    assert saturation({}, 27.0) == pytest.approx(1e-14)
    assert saturation({"temp": 60.0}, 27.0) == saturation({}, 60.0) == saturation({"dtemp": 33.0}, 27.0)


@pytest.mark.parametrize("device, words", [
    (Device("d1", ("a", "b"), Card("dx", "d", {"is": -1.0})), r"d1 \(model dx\): is = -1A is out of range. saturation current must lie from 0 to 1"),
    (Device("q1", ("a", "b"), Card("qx", "npn")), r"q1 has 2 nodes, a npn has 3 to 4. Pins in order: collector, base, emitter, substrate\?"),
    (Device("x1", ("a", "b", "c"), Card("t", "triodes")), "x1: the model t is of kind triodes, which is not built in. Did you mean triode?"),
    (Device("d1", ("a", "b"), Card("dx", "d"), {"temp": -200.0, "area": 0.0}), "d1: area = 0 is out of range"),
    (Device("d1", ("a", "b"), Card("dx", "d"), {"dtemp": -190.0}), "a temperature of -283 C is below absolute zero"),
])
def test_words_of_refusal(device, words):
    with pytest.raises(CircuitError, match=words):
        place(device, -93.0)


def test_unknown_parameters_are_told():
    assert unknown_parameters(Card("q", "npn", {"bf": 100.0, "vceo": 40.0, "kf": 0.0, "va": 50.0, "iss": 1e-15})) == ("iss",)
    assert part("npn", "cbe", va=50.0).laws[0].constants.inverse_vaf == pytest.approx(0.02)
    assert unknown_parameters(Card("x", "nothing", {"a": 1.0})) == ()
    assert unknown_parameters(Card("m", "nmos", {"level": 3.0, "vmax": 1e5, "kp": 1e-4})) == ("vmax", "level")
    assert unknown_parameters(Card("m", "nmos", {"level": 1.0})) == unknown_parameters(Card("q", "npn", {"level": 2.0})) == ()


def test_every_declaration_is_complete():
    for family in {id(family): family for family in FAMILIES.values()}.values():
        names = [parameter.name for parameter in family.parameters]
        assert len(set(names)) == len(names) and all(name == name.lower() for name in names)
        assert all(parameter.text for parameter in family.parameters + family.instance)
        for parameter in family.parameters:
            assert parameter.minimum <= parameter.default <= parameter.maximum, parameter
