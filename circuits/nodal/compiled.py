"""Emitted kernels made ready: compiled now, compiled aside for the next start, or found in the cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np

from circuits.circuit import Circuit
from circuits.elements import Resistor, VoltageSource
from circuits.kernels import store
from circuits.nodal import emitted, transient
from circuits.nodal.course import STILL
from circuits.nodal.equations import assemble
from circuits.nodal.model import DkModel, discretise

PREFIX = "nodal"
_aside: list[subprocess.Popen] = []  # compilers that this process has started and not yet seen end


def is_compiled(model: DkModel) -> bool:
    """True if the kernel of this circuit is in the cache, so that `fast_kernel` takes milliseconds."""
    return store.is_compiled(store.path_of(PREFIX, emitted.source(model)))


def compile_aside(model: DkModel) -> None:
    """Compile a circuit's kernel in a process of its own at low priority, for the next start; returns at once."""
    path = store.written(PREFIX, emitted.source(model))
    if not store.is_compiled(path):
        root = Path(__file__).resolve().parents[2]
        _aside[:] = [process for process in _aside if process.poll() is None]
        _aside.append(subprocess.Popen([sys.executable, "-m", "circuits.nodal.compiled", str(path)], cwd=root, start_new_session=True,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))


def compile_file(path: Path) -> None:
    """Compile an emitted file for the types that every model has, without running it, and mark it as compiled."""
    through = Circuit((VoltageSource("v", ("a", "0")), Resistor("r", ("a", "0"), 1.0)), input="v", outputs=("a",))
    model = discretise(assemble(through), 48000.0)
    arguments = (model.arrays, transient.motion(model), STILL, np.zeros((0, 1)), np.zeros((1, 0)), 0, 0, 1.0, transient.tally())
    store.loaded(path).run.compile(tuple(numba.typeof(argument) for argument in arguments))
    store.mark(path)


def fast_kernel(model: DkModel):
    """The emitted ``run`` of a model, compiled now if it never was: seconds for a preamp.

    Returns
    -------
    compiled function
        ``run(arrays, motion, course, u, y, first, last, tolerance, tally)``, returning where it stopped: ``last``, or a sample whose
        Newton did not converge and that the guarded solver has to play.
    """
    path = store.written(PREFIX, emitted.source(model))
    compile_file(path)
    return store.loaded(path).run


if __name__ == "__main__":
    os.nice(10)
    compile_file(Path(sys.argv[1]))
