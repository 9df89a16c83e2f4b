"""Vector lanes: their functions against higher precision, and every device law and operation in lanes against the same for one number."""

import math

import mpmath
import numpy as np
import pytest
from test_devices_laws import PARTS, SPANS, laws

from circuits.devices.table import LAWS
from circuits.kernels import lane_math, operations, store
from circuits.kernels.jit import kernel
from circuits.kernels.lane_form import LaneForm, NoLaneForm
from circuits.kernels.lanes import load
from circuits.kernels.lanes import store as keep
from circuits.kernels.limits import limited

COUNT = 8
WITHOUT = {"core", "vdmos"}  # they leave a loop or a branch half way: called lane by lane
ROUGH = {"bjt_base": 1e-7, "opamp": 1e-9, "ota": 1e-9}  # 1 - tanh^2, or sqrt(1 + u) - 1, of which few digits are left far out
HEAD = "from circuits.kernels.lanes import constants_of, load, store\n"
NUMBERS = 'INFINITY, NAN = float("inf"), float("nan")\n\n'


@kernel
def call(x, y):
    """Every function of one argument, in rows of y."""
    n = len(x)
    for i in range(n):
        v = load(x, i, 8)
        keep(y, i, lane_math.exp(v))
        keep(y, n + i, lane_math.log(v))
        keep(y, 2 * n + i, lane_math.log1p(v))
        keep(y, 3 * n + i, lane_math.tanh(v))
        keep(y, 4 * n + i, lane_math.atan(v))


@kernel
def call_power(x, e, y):
    """x^e."""
    for i in range(len(x)):
        keep(y, i, lane_math.pow(load(x, i, 8), load(e, i, 8)))


def called(values):
    x = np.resize(values, (-(-len(values) // COUNT), COUNT))
    y = np.empty((5, *x.shape))
    call(x, y.reshape(-1, COUNT))
    return x.ravel(), dict(zip(("exp", "log", "log1p", "tanh", "atan"), y.reshape(5, -1)))


@pytest.mark.parametrize("name, values, ulps", [
    ("exp", lambda rng: rng.uniform(-708.0, 709.0, 2000), 1.5), ("exp", lambda rng: rng.uniform(-1.0, 1.0, 2000), 1.5),
    ("log", lambda rng: np.exp(rng.uniform(-700.0, 700.0, 2000)), 1.5), ("log", lambda rng: rng.uniform(0.5, 2.0, 2000), 1.5),
    ("log1p", lambda rng: np.exp(rng.uniform(-40.0, 40.0, 2000)), 2.0), ("log1p", lambda rng: rng.uniform(-0.9, 0.9, 2000), 2.0),
    ("tanh", lambda rng: rng.uniform(-3.0, 3.0, 2000), 3.0), ("tanh", lambda rng: np.exp(rng.uniform(-30.0, 3.0, 2000)), 3.0),
    ("atan", lambda rng: rng.uniform(-4.0, 4.0, 2000), 2.0), ("atan", lambda rng: np.exp(rng.uniform(-30.0, 30.0, 2000)), 2.0)])
def test_functions_against_higher_precision(name, values, ulps):
    x, found = called(values(np.random.default_rng(3)))
    with mpmath.workdps(40):
        exact = [getattr(mpmath, name)(mpmath.mpf(float(v))) for v in x]
        errors = [abs(mpmath.mpf(float(y)) - e) / mpmath.mpf(float(np.spacing(abs(float(e))))) for y, e in zip(found[name], exact)]
    assert max(errors) <= ulps


def test_functions_at_the_edges():
    x, found = called(np.array([0.0, np.inf, -np.inf, np.nan, 1e-310, 800.0, -800.0, -0.5]))
    with np.errstate(all="ignore"):
        for name, y in found.items():
            expected = getattr(np, {"atan": "arctan"}.get(name, name))(x)
            assert np.allclose(y, expected, rtol=1e-14, atol=0.0, equal_nan=True), name


def test_powers():
    rng = np.random.default_rng(4)
    x, e = np.exp(rng.uniform(-60.0, 60.0, (250, COUNT))), rng.uniform(-3.0, 3.0, (250, COUNT))
    x[:8] *= -1.0
    e[:4], e[4:8] = 3.0, 2.0
    y = np.empty_like(x)
    call_power(x, e, y)
    with mpmath.workdps(40):
        for a, b, c in zip(x.ravel(), e.ravel(), y.ravel()):
            exact = mpmath.power(mpmath.mpf(float(a)), mpmath.mpf(float(b)))
            assert abs(c - exact) <= abs(exact) * 2.0**-52 * (2.0 + abs(b * math.log(abs(a))))
    x = np.array([[0.0, 0.0, 0.0, -8.0, np.inf, -0.0, 2.0, 1.0]])
    e = np.array([[0.0, 2.0, -1.0, 0.5, 2.0, 3.0, np.inf, 5.0]])
    y = np.empty_like(x)
    call_power(x, e, y)
    with np.errstate(all="ignore"):
        assert np.array_equal(y, np.power(x, e), equal_nan=True)


@pytest.fixture(scope="module")
def forms():
    """All laws and all operations in lanes, compiled together."""
    form, parts, imports = LaneForm(), [], set()
    for name, law in LAWS.items():
        if name in WITHOUT:
            continue
        imports.add(f"from {law.constants.__module__} import {law.constants.__name__}")
        parts.append(_wrapper(name, form.of(law.function), len(law.inputs), f"constants_of({law.constants.__name__}, c, 0, {COUNT})"))
    parts.append(_wrapper("limited", form.of(limited), 7))
    for name, (code, _) in operations.OPERATIONS.items():
        if code > 1:
            parts.append(_wrapper(f"apply_{name}", form.of(operations.apply, code=code), 3))
            parts.append(_wrapper(f"slopes_{name}", form.of(operations.slopes, code=code), 4))
    imports |= {f"from {module} import {name}" for module, name in form.imports}
    text = "\n".join([HEAD, *sorted(imports), NUMBERS, form.text, *parts])
    return store.loaded(store.written("lanes_test", text))


def _wrapper(name, called, inputs, constants=""):
    given = [f"load(x, {k} * n + i, {COUNT})" for k in range(inputs)] + ([constants] if constants else [])
    return f"""

@kernel
def play_{name}(x, c, y):
    n = x.shape[1]
    zero = 0.0 * load(x, 0, {COUNT})
    for i in range(n):
        result = {called}({', '.join(given)})
        {_stores(name)}
"""


def _stores(name):
    if name in LAWS:
        law = LAWS[name]
        count = (len(law.currents) + len(law.charges)) * (1 + len(law.inputs))
    else:
        count = 3 if name.startswith("slopes_") else 1
    texts = ["result"] if count == 1 else [f"result[{k}]" for k in range(count)]
    return "\n        ".join(f"store(y, {k} * n + i, zero + {text})" for k, text in enumerate(texts))


def compared(function, x, constants, alone, count):
    """Lanes against ``alone`` at points x, shape (inputs, n), each lane with a point of its own."""
    n = x.shape[1] // COUNT
    y = np.full((count, n, COUNT), np.nan)
    function(np.ascontiguousarray(x.reshape(len(x), n, COUNT)), np.repeat(np.array(constants, dtype=float).reshape(-1, 1), COUNT, axis=1), y)
    expected = np.array([np.atleast_1d(alone(*column)) for column in x.T]).T
    return y.reshape(count, -1), expected


@pytest.mark.parametrize("name", PARTS)
def test_laws_in_lanes(forms, name):
    rng = np.random.default_rng(5)
    for placed in laws(name):
        law = placed.law
        if law.name in WITHOUT:
            with pytest.raises(NoLaneForm, match="line"):
                LaneForm().of(law.function)
            continue
        x = np.array([rng.uniform(*SPANS[item], 400) for item in law.inputs])
        x[:, ::5] *= 1e-3  # joints lie near zero
        values, expected = compared(getattr(forms, f"play_{law.name}"), x, placed.constants, lambda *v: law.function(*map(float, v), placed.constants),
                                    (len(law.currents) + len(law.charges)) * (1 + len(law.inputs)))
        # against the largest of the same output: what cancels has no digits of its own
        relative = ROUGH.get(law.name, 4e-13)
        assert np.all(np.abs(values - expected) <= relative * np.abs(expected) + 1e-15 * np.max(np.abs(expected), axis=1, keepdims=True)), (name, law.name)


@pytest.mark.parametrize("name", [name for name, (code, _) in operations.OPERATIONS.items() if code > 1])
def test_operations_in_lanes(forms, name):
    code, arity = operations.OPERATIONS[name]
    rng = np.random.default_rng(6)
    x = rng.uniform(-3.0, 3.0, (4, 400))
    x[:, ::4] = np.round(x[:, ::4])  # whole numbers, zeros and equal arguments
    values, expected = compared(getattr(forms, f"play_apply_{name}"), x[:3], [0.0], lambda *v: operations.apply(code, *map(float, v)), 1)
    assert np.allclose(values, expected, rtol=1e-13, atol=1e-14, equal_nan=True)
    x[3] = expected[0]
    values, expected = compared(getattr(forms, f"play_slopes_{name}"), x, [0.0], lambda *v: operations.slopes(code, *map(float, v)), 3)
    assert np.allclose(values[:arity], expected[:arity], rtol=1e-12, atol=1e-13, equal_nan=True)


def test_limits_in_lanes(forms):
    rng = np.random.default_rng(7)
    x = rng.uniform(-2.0, 2.0, (7, 800))
    x[2:] = np.array([0.045, 0.6, 0.045, 0.6, 1.0])[:, None] * rng.integers(0, 2, (5, 800))
    values, expected = compared(forms.play_limited, x, [0.0], lambda *v: limited(*map(float, v)), 1)
    assert np.allclose(values, expected, rtol=1e-14, atol=1e-15)
