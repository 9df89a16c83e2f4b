"""All nonlinear laws of a circuit as flat tables, and the kernel that evaluates them: values, slopes, charges.

The ports: ``q`` are the controlling quantities (mostly voltages, each once, whatever its sign in a law), ``w`` the
currents (or voltages, for behavioural voltage sources) that the laws put into the linear network.
A charge Q contributes ``a Q - h`` where ``a`` and the state ``h`` come from the integration rule.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from circuits.devices.table import evaluate
from circuits.expressions import Tape
from circuits.kernels.jit import kernel
from circuits.kernels.operations import apply, slopes

MAX_INPUTS = 16  # widest law; behavioural sources with more are refused


class LawTable(NamedTuple):
    """Arrays that describe every law; law k owns the ranges ``start[k]:start[k + 1]``.

    codes, constant_start : (n_laws,); constants : flat.
    input_start : (n_laws + 1,); input_index, input_sign : one row for each law input.
    output_start : (n_laws + 1,); output_column, output_sign, output_charge : one row for each law output.
    slope_start : (n_laws + 1,): where a law's slopes lie, row by row; slope_port, slope_column : what each is a derivative by, and of.
    tape_start : (n_laws + 1,); tape_codes, tape_arguments, tape_constants : registers of behavioural laws.
    """

    codes: np.ndarray
    constant_start: np.ndarray
    constants: np.ndarray
    input_start: np.ndarray
    input_index: np.ndarray
    input_sign: np.ndarray
    output_start: np.ndarray
    output_column: np.ndarray
    output_sign: np.ndarray
    output_charge: np.ndarray
    slope_start: np.ndarray
    slope_port: np.ndarray
    slope_column: np.ndarray
    tape_start: np.ndarray
    tape_codes: np.ndarray
    tape_arguments: np.ndarray
    tape_constants: np.ndarray


class Entry(NamedTuple):
    """One law before it goes into a table: indices into q and w with their signs."""

    name: str
    code: int
    constants: tuple[float, ...]
    inputs: tuple[tuple[int, float], ...]
    outputs: tuple[tuple[int, float, int], ...]
    tape: Tape | None


PORT_LEAK = 1e-15  # siemens across a port between nonlinear parts, in every sample as at rest: the gmin of our references in SPICE; it settles a node between junctions that block
LINEAR = -1  # code of w = constant * q, which gives back a conductance that was lent to the linear network


def law_table(entries: list[Entry]) -> LawTable:
    """Lay the laws out as flat arrays, in the order given."""
    def starts(lengths):
        return np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)

    def flat(rows, dtype):
        return np.array([item for row in rows for item in row], dtype=dtype)

    tapes = [entry.tape for entry in entries]
    lengths = [0 if tape is None else len(tape.codes) for tape in tapes]
    some = [tape for tape in tapes if tape is not None]
    return LawTable(
        codes=np.array([entry.code for entry in entries], dtype=np.int64),
        constant_start=starts([len(entry.constants) for entry in entries]),
        constants=flat([entry.constants for entry in entries], np.float64),
        input_start=starts([len(entry.inputs) for entry in entries]),
        input_index=flat([[i for i, _ in entry.inputs] for entry in entries], np.int64),
        input_sign=flat([[s for _, s in entry.inputs] for entry in entries], np.float64),
        output_start=starts([len(entry.outputs) for entry in entries]),
        output_column=flat([[c for c, _, _ in entry.outputs] for entry in entries], np.int64),
        output_sign=flat([[s for _, s, _ in entry.outputs] for entry in entries], np.float64),
        output_charge=flat([[k for _, _, k in entry.outputs] for entry in entries], np.int64),
        slope_start=starts([len(entry.inputs) * len(entry.outputs) for entry in entries]),
        slope_port=flat([[i for _ in entry.outputs for i, _ in entry.inputs] for entry in entries], np.int64),
        slope_column=flat([[c for c, _, _ in entry.outputs for _ in entry.inputs] for entry in entries], np.int64),
        tape_start=starts(lengths),
        tape_codes=np.concatenate([tape.codes for tape in some]) if some else np.zeros(0, np.int64),
        tape_arguments=np.concatenate([tape.arguments for tape in some]) if some else np.zeros((0, 3), np.int64),
        tape_constants=np.concatenate([tape.constants for tape in some]) if some else np.zeros(0))


class LawScratch(NamedTuple):
    """Work space of `evaluate_laws`: x (inputs), y (outputs), J (slopes), registers and adjoints of tapes."""

    x: np.ndarray
    y: np.ndarray
    J: np.ndarray
    value: np.ndarray
    adjoint: np.ndarray


def law_scratch(laws: LawTable) -> LawScratch:
    """Fresh work space for a table."""
    registers = int(np.max(np.diff(laws.tape_start), initial=0)) + 1
    return LawScratch(np.zeros(MAX_INPUTS), np.zeros(MAX_INPUTS), np.zeros((MAX_INPUTS, MAX_INPUTS)), np.zeros(registers), np.zeros(registers))


@kernel(bare=True)
def run_tape(codes, arguments, constants, start, stop, n_inputs, x, J, value, adjoint):
    """Value of a behavioural law, its slopes into J[0]; reverse-mode differentiation over the tape."""
    n = stop - start
    for r in range(n):
        code = codes[start + r]
        if code == 0:
            value[r] = constants[start + r]
        elif code == 1:
            value[r] = x[r]
        else:
            value[r] = apply(code, value[arguments[start + r, 0]], value[arguments[start + r, 1]], value[arguments[start + r, 2]])
        adjoint[r] = 0.0
    adjoint[n - 1] = 1.0
    for r in range(n - 1, -1, -1):
        code = codes[start + r]
        if code > 1 and adjoint[r] != 0.0:
            i, j, k = arguments[start + r, 0], arguments[start + r, 1], arguments[start + r, 2]
            da, db, dc = slopes(code, value[i], value[j], value[k], value[r])
            # "0 times infinity" must stay 0: a branch that is not taken has no say
            if da != 0.0:
                adjoint[i] += adjoint[r] * da
            if db != 0.0:
                adjoint[j] += adjoint[r] * db
            if dc != 0.0:
                adjoint[k] += adjoint[r] * dc
    for i in range(n_inputs):
        J[0, i] = adjoint[i]
    return value[n - 1]


@kernel(bare=True)
def evaluate_laws(laws, first, last, q, a, h, w, slope, scratch):
    """Evaluate laws first..last-1 at q: add their outputs to w, write signed slopes into ``slope``.

    ``a`` scales charges and ``h`` (indexed like w) holds their states; with a = 0 and h = 0 charges carry no current.
    The caller has set the columns of w that these laws write to zero.
    """
    x, y, J = scratch.x, scratch.y, scratch.J
    for law in range(first, last):
        i0, i1 = laws.input_start[law], laws.input_start[law + 1]
        o0, o1 = laws.output_start[law], laws.output_start[law + 1]
        for i in range(i0, i1):
            x[i - i0] = laws.input_sign[i] * q[laws.input_index[i]]
        code = laws.codes[law]
        if code == 0:
            y[0] = run_tape(laws.tape_codes, laws.tape_arguments, laws.tape_constants, laws.tape_start[law],
                            laws.tape_start[law + 1], i1 - i0, x, J, scratch.value, scratch.adjoint)
        elif code == -1:
            J[0, 0] = laws.constants[laws.constant_start[law]]
            y[0] = J[0, 0] * x[0]
        else:
            evaluate(code, laws.constants, laws.constant_start[law], x, y, J)
        s = laws.slope_start[law]
        for o in range(o0, o1):
            column, sign = laws.output_column[o], laws.output_sign[o]
            if laws.output_charge[o]:
                w[column] += sign * a * y[o - o0] - h[column]
                sign *= a
            else:
                w[column] += sign * y[o - o0]
            for i in range(i0, i1):
                slope[s] = sign * J[o - o0, i - i0] * laws.input_sign[i]
                s += 1
