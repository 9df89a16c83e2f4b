"""Recurrent cells in compiled code against torch's own: values and slopes, and a convolution with many taps through the spectrum."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: training is not tested here")

from validation.captures.training import networks  # noqa: E402  (torch decides first)
from validation.captures.training.recurrence import gru, modulated_lstm  # noqa: E402

STEPS, UNITS, LANES = 40, 5, 3
GATES = {"lstm": 4, "gru": 3}


def drawn(kind, dtype, seed=1):
    """What reaches the gates, u, recurrent biases, first states."""
    torch.manual_seed(seed)
    rows = GATES[kind] * UNITS
    given, u, b = torch.randn(STEPS, rows, LANES, dtype=dtype), 0.5 * torch.randn(rows, UNITS, dtype=dtype), 0.3 * torch.randn(rows, dtype=dtype)
    h, c = torch.randn(UNITS, LANES, dtype=dtype), torch.randn(UNITS, LANES, dtype=dtype)
    return *(one.requires_grad_() for one in (given, u, b)), h, c


def slopes(y, *inputs):
    """Of a sum that no output leaves out or counts twice."""
    weight = torch.cos(torch.arange(y.numel(), dtype=y.dtype)).reshape(y.shape)
    return torch.autograd.grad((weight * y).sum(), inputs)


def through(identity, given):
    """The same for torch: an input matrix that hands everything on, (steps, lanes, rows)."""
    return given.transpose(1, 2), torch.eye(identity, dtype=given.dtype)


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("dtype, bound", [(torch.float64, 1e-7), (torch.float32, 2e-5)])
def test_values_and_slopes_are_those_of_torch(kind, dtype, bound):
    given, u, b, h, c = drawn(kind, dtype)
    heard, same = through(GATES[kind] * UNITS, given)
    nothing = torch.zeros(len(u), dtype=dtype)
    if kind == "lstm":  # the shift of each row by s is what reaches its gate; no row is scaled
        rows = torch.cat([torch.zeros(2 * len(u), len(u), dtype=dtype), same])
        ours, last = modulated_lstm(torch.randn(STEPS, LANES, dtype=dtype), given, rows, nothing, b, u, h, c)
        theirs, _, theirs_last = torch.lstm(heard, (h.T[None].contiguous(), c.T[None].contiguous()), [same, u, nothing, b], True, 1, 0.0, True, False, False)
        inputs = (given, u, b)
        assert torch.allclose(last, theirs_last[0].T, rtol=0, atol=bound)
    else:
        ours = gru(given, u, b, h)
        theirs, _ = torch.gru(heard, h.T[None].contiguous(), [same, u, nothing, b], True, 1, 0.0, True, False, False)
        inputs = (given, u, b)
    theirs = theirs.transpose(1, 2)
    assert ours.dtype is dtype and torch.allclose(ours, theirs, rtol=0, atol=bound)
    for own, told in zip(slopes(ours, *inputs), slopes(theirs, *inputs)):
        assert torch.allclose(own, told, rtol=0, atol=bound * float(told.abs().max()))


def test_slopes_of_all_that_modulates_are_finite_differences():
    torch.manual_seed(2)
    _, u, b, h, c = drawn("lstm", torch.float64)
    x, s, rows, w = (torch.randn(shape, dtype=torch.float64) for shape in ((4, LANES), (4, 3, LANES), (12 * UNITS, 3), (4 * UNITS,)))
    inputs = [one.requires_grad_() for one in (s, 0.3 * rows, w, b.detach(), u.detach())]
    assert torch.autograd.gradcheck(lambda *moved: modulated_lstm(x, *moved, h, c)[0], inputs, eps=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype, bound", [(torch.float64, 1e-12), (torch.float32, 1e-4)])
def test_a_long_convolution_goes_through_the_spectrum(dtype, bound):
    torch.manual_seed(3)
    v, weight, bias = torch.randn(2, 1, 900, dtype=dtype), torch.randn(4, 1, 300, dtype=dtype, requires_grad=True), torch.randn(4, dtype=dtype, requires_grad=True)
    ours = networks._convolve(v, weight, bias)
    theirs = torch.nn.functional.conv1d(torch.nn.functional.pad(v, (299, 0)), weight, bias)
    assert torch.allclose(ours, theirs, rtol=0, atol=bound)
    for own, told in zip(slopes(ours, weight, bias), slopes(theirs, weight, bias)):
        assert torch.allclose(own, told, rtol=0, atol=10 * bound)
