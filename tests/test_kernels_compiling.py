"""Kernels are compiled by numba's parts that its pages don't promise: known versions, and the same numbers as without the short cuts."""

import gc

import numba
import numpy as np
import pytest
from numba.core.dispatcher import Dispatcher

from circuits.kernels import compiling
from circuits.kernels.compiling import KNOWN, Merged, Solver, interpreted
from circuits.kernels.jit import kernel
from circuits.kernels.limits import limited


@kernel(bare=True)
def _bent(x, scale):
    return np.tanh(x / scale) * scale


@kernel(bare=True)
def _largest(values):
    found = 0.0
    for value in values:
        if abs(value) > found:
            found = abs(value)
    return found


@kernel(solver=True)
def _loop(x, y, scale):
    for n in range(len(x)):
        y[n] = _bent(x[n], scale) + _largest(x[:n + 1])
    return len(x)


def test_numba_is_a_version_that_is_known():
    """A new numba must be tried with the whole suite before it is added to KNOWN: `circuits.kernels.compiling` stands on its inner parts."""
    installed = ".".join(numba.__version__.split(".")[:2])
    assert installed in KNOWN, (f"numba {numba.__version__} has not been tried: run all tests, compare python tests/benchmarks/start.py and simulate.py with the "
                                f"figures of docs/white-box.md, then add {installed!r} to circuits.kernels.compiling.KNOWN (known: {', '.join(KNOWN)})")


def test_short_cuts_change_no_bit():
    x = np.linspace(-2.0, 3.0, 97)
    y, plain = np.empty(97), np.empty(97)
    assert isinstance(_loop, Solver) and isinstance(_bent, Merged) and isinstance(_bent, Dispatcher)
    assert _loop(x, y, 0.7) == 97
    bent, largest = numba.njit(error_model="numpy")(_bent.py_func), numba.njit(error_model="numpy")(_largest.py_func)
    for n in range(97):
        plain[n] = bent(x[n], 0.7) + largest(x[:n + 1])
    assert np.array_equal(y, plain)
    assert _bent(0.5, 0.7) == bent(0.5, 0.7)  # called from Python, as a law in a test is


def test_merged_functions_have_no_machine_code_of_their_own():
    """Half of a cold start was spent on it."""
    Solver(_loop.py_func)(np.ones(3), np.empty(3), 1.0)  # afresh: the cache knows nothing of it
    results = [result for function in (_bent, _largest) for result in function._merged.values()]
    assert results and all(isinstance(result.library, compiling._MergedLibrary) for result in results)
    assert all(not result.library._codegen._engine.is_symbol_defined(result.fndesc.llvm_func_name) for result in results)


@pytest.mark.parametrize("step", [0.01, -0.4, 3.0, -3.0, 500.0])
def test_interpreted_kernels_give_the_same_bits(step):
    for at in (-0.7, 0.0, 0.55, 0.8):
        arguments = (at, step, 0.025, 0.6, 0.05, 5.0, 40.0)
        assert interpreted(limited)(*arguments) == limited(*arguments)


@kernel(bare=True)
def _chosen_by(code, x):
    return x if code == 1 else -x


@kernel(solver=True, straight=True)
def _straight(x, y):
    total = 0.0
    for n in range(len(x)):
        total += _chosen_by(1, x[n]) + 2.0 * _chosen_by(2, x[n])
        y[n] = total
    return len(x)


def test_a_number_in_a_call_is_no_type_of_its_own_and_straight_loops_give_the_same_bits():
    """A law's operations were compiled once for each place that names them; an emitted loop needs no renaming of variables."""
    x = np.linspace(-2.0, 3.0, 31)
    y, plain = np.empty(31), np.empty(31)
    Solver(_straight.py_func, straight=True)(x, y)  # afresh: the cache knows nothing of it
    assert len(_chosen_by._merged) == 1
    Solver(_straight.py_func)(x, plain)
    assert np.array_equal(y, plain) and np.array_equal(y, np.cumsum(-x))


def test_the_collector_of_garbage_is_left_as_it_was():
    assert gc.isenabled()
    _straight(np.ones(2), np.empty(2))
    Solver(_straight.py_func)(np.ones(2), np.empty(2))
    assert gc.isenabled()
