"""The table kernel with a circuit's own laws: the same bits as the one with all laws, and nothing else in it."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from circuits.devices.table import LAWS
from circuits.kernels import store
from circuits.kernels.jit import cache_folder
from circuits.nodal import selected, transient
from circuits.nodal.course import STILL
from circuits.nodal.equations import assemble
from circuits.nodal.model import discretise
from circuits.nodal.processor import NodalProcessor
from circuits.rate import oversampled
from circuits.reduce import reduce
from netlists.library import find
from netlists.reader import read
from validation.captures.chain import Chain, Parallel

ROOT = Path(__file__).resolve().parents[1]
RATE = 48000.0


def play(run, model, x):
    motion, scratch, y = transient.motion(model), transient.scratch(model), np.empty((1, len(x)))
    stopped = run(model.arrays, motion, scratch, STILL, x[:, None], y, 0, len(x), 1e-7, transient.tally())
    return stopped, y, motion


@pytest.mark.parametrize("name", ["fuzz_face", "preamp_2203"])
def test_selected_laws_give_the_bits_of_all_laws(name):
    model = discretise(assemble(reduce(read(find(name)))), RATE)
    own = store.loaded(store.written(selected.PREFIX, selected.source(model.arrays.laws))).run
    x = 0.3 * np.sin(np.arange(480) * 0.1)
    for one, other in zip(play(own, model, x), play(transient.run, model, x)):
        for a, b in zip(np.atleast_1d(one) if not isinstance(one, tuple) else one, np.atleast_1d(other) if not isinstance(other, tuple) else other):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", ["fuzz_face", "preamp_2203", "tone_bender_mk2"])
def test_plain_steps_give_the_bits_of_the_guarded_kernel_where_they_settle(name):
    model = discretise(assemble(reduce(read(find(name)))), RATE)
    laws = model.arrays.laws
    x = 0.01 * np.sin(np.arange(480) * 0.1)
    stopped, y, motion = play(selected.plain_kernel(laws), model, x)
    whole = play(selected.table_kernel(laws), model, x[:stopped])
    assert stopped > 100 and whole[0] == stopped
    np.testing.assert_array_equal(y[:, :stopped], whole[1])
    if stopped == len(x):
        np.testing.assert_array_equal(motion.q, whole[2].q)


def test_plain_steps_leave_a_hard_sample_to_the_guarded_kernel(monkeypatch):
    """A square of 5 V: the processor calls the guarded kernel for single samples, and each of them converges."""
    monkeypatch.setattr(store, "is_compiled", lambda path: False)  # else the kernel of all laws, where another test has compiled it, plays everything
    player = NodalProcessor(read(find("deluxe_5e3")), RATE, kernel="table")
    player.process(5.0 * np.sign(np.sin(np.arange(960) * 2.0 * np.pi * 110.0 / RATE)))
    assert player._guarded is not None and player.run.bad_samples == 0 and player.run.worst_iterations > transient.PLAIN


def test_who_plays_live_has_the_guarded_kernel_before_the_first_sample():
    player = oversampled(lambda rate: NodalProcessor(read(find("fuzz_face")), rate, kernel="table"), RATE, 2)
    assert player.inner._guarded is None
    player.ready()
    assert player.inner._guarded is not None and player.inner._guarded.signatures
    first, second = (NodalProcessor(read(find("fuzz_face")), RATE, kernel="table") for _ in range(2))
    Chain([("both", Parallel([("first", first)]), 1.0, 1.0), ("second", second, 1.0, 1.0)], RATE).ready()
    assert first._guarded is not None and second._guarded is not None
    x = 0.1 * np.sin(np.arange(200) * 0.1)
    np.testing.assert_array_equal(player.process(x), oversampled(lambda rate: NodalProcessor(read(find("fuzz_face")), rate, kernel="table"), RATE, 2).process(x))


def test_only_laws_that_occur_are_selected():
    text = selected.source(discretise(assemble(reduce(read(find("fuzz_face")))), RATE).arrays.laws)
    functions = {law.function.py_func.__name__ for law in LAWS.values()}
    assert {name for name in functions if f" import {name}\n" in text} == {"bjt_charge"}
    assert "run_tape" not in text and "def apply" not in text


def test_each_condition_that_plain_steps_decide_occurs_in_the_solver():
    """An edit of the solver must not leave its conditions unknown to what cuts plain steps out of it."""
    text = inspect.getsource(transient.solve_block.py_func) + inspect.getsource(transient.run.py_func)
    assert all(condition in text for condition in selected._Plain.KNOWN)
    laws = discretise(assemble(reduce(read(find("fuzz_face")))), RATE).arrays.laws
    plain = selected.source(laws, whole=False)
    assert not any(word in plain for word in ("STAND", "AIM", "FALL", "SETTLING", "nearer", "upright", "move_part", "WHOLE"))


def test_plain_steps_carry_no_local_that_nothing_reads():
    laws = discretise(assemble(reduce(read(find("fuzz_face")))), RATE).arrays.laws
    for function in ast.parse(selected.source(laws, whole=False)).body:
        if isinstance(function, ast.FunctionDef) and function.name in ("solve_block", "run"):
            names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
            assert {node.id for node in names if isinstance(node.ctx, ast.Store)} - {node.id for node in names if isinstance(node.ctx, ast.Load)} <= {"_"}


def test_laws_of_one_kind_share_a_kernel():
    one, other = (discretise(assemble(reduce(read(find(name)))), RATE).arrays.laws for name in ("fuzz_face", "rangemaster"))
    assert set(one.codes) != set(other.codes) or selected.source(one) == selected.source(other)
    assert selected.source(one) == selected.source(one._replace(constants=one.constants * 2.0))


def test_a_start_compiles_once(tmp_path):
    """In a fresh process without a cache: a circuit plays, and one kernel stands in the cache afterwards."""
    text = ("import numpy as np\nfrom circuits.nodal.processor import NodalProcessor\nfrom netlists.library import find\nfrom netlists.reader import read\n"
            "p = NodalProcessor(read(find('diode_clipper')), 48000.0)\nprint(float(np.abs(p.process(np.ones(64))).max()) > 0.1)\n")
    done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, env={"AMPWRIGHT_CACHE": str(tmp_path), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False)
    assert done.stdout == "True\n", done.stderr
    kernels = {path.name.split("-")[0] for path in tmp_path.rglob("*.nbi")}
    assert len(kernels - {"operating._limit_all"}) == 1, kernels  # the sample loop; the limits of the operating point are some lines
    assert len(list((tmp_path / "emitted").glob("*.py"))) == 1 and cache_folder() != tmp_path
