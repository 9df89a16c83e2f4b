"""Whole recordings through an LSTM or GRU in parallel: segments side by side in the lanes, every splice checked.

A recurrent step waits for the step before it, so one signal can't fill the machine. A net that forgets can: the signal is
cut into as many segments as there are lanes, each lane starts from rest some time ahead of its segment, and at every
splice its state is compared with the state in which the lane before it ended. Where they differ by more than
`TOLERANCE` the segment is played again in sequence from the true state, until it meets the lane's own states or ends.
So a net that never forgets comes out right, only not faster.

Layout: [step][row][lane]; a step's hidden rows are written behind those of the step before. Two vectors of lanes share
each weight. Weights of a row: bias, input columns, hidden columns, four numbers each (LSTM i, f, g, o; GRU r, z, and the
candidate's hidden and input part), logistic gates halved as in `recurrent`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from circuits.kernels.jit import kernel
from validation.captures.nets import Convolution, Gru, Lstm, Model
from validation.captures.program import aligned
from validation.captures.recurrent import gru_cell, lstm_cell
from validation.captures.simd import LANES, Code, intrinsic_of

logger = logging.getLogger(__name__)

UNITS = 2  # vectors of lanes
WIDTH = UNITS * LANES  # segments
STEPS = 64  # steps of one layer before the next layer takes them
WARM = 6144  # samples ahead of a segment: most nets settle to rounding noise within 5000
EVERY = 1024  # samples between the states kept for comparison
SHORTEST = 3 * WARM  # samples in a segment; below that it does not pay
TOLERANCE = 4e-6  # largest difference of a state: a few roundings of float32 at the size that cells reach


def _steps(cell, keeps_cell: bool):
    """All steps of one layer on all lanes."""
    def emit(code: Code):
        _, _, n, x_at, n_inputs, h_at, c_at, n_hidden, w0 = code.arguments
        arena, weights, b = code.pointer(0), code.pointer(1), code.b
        lanes, width = code.lanes, code.const(UNITS * code.lanes)
        per_row = b.mul(code.sum(n_inputs, n_hidden, 1), code.const(4))
        with code.loop(code.const(0), n) as (t, _):
            x_row = code.sum(x_at, b.mul(b.mul(t, n_inputs), width))
            old = code.sum(h_at, b.mul(b.mul(t, n_hidden), width))
            new = code.sum(old, b.mul(n_hidden, width))
            with code.loop(code.const(0), n_hidden) as (j, _):
                w = code.sum(w0, b.mul(j, per_row))
                slots = [[code.variable(code.spread(weights, code.sum(w, gate))) for _ in range(UNITS)] for gate in range(4)]
                for count, first, start in ((n_inputs, code.const(1), x_row), (n_hidden, code.sum(n_inputs, 1), old)):
                    with code.loop(code.const(0), count) as (i, _):
                        row = code.sum(start, b.mul(i, width))
                        values = [code.load(arena, code.sum(row, unit * lanes)) for unit in range(UNITS)]
                        column = code.sum(w, b.mul(code.sum(first, i), code.const(4)))
                        for gate in range(4):
                            factor = code.spread(weights, code.sum(column, gate))
                            for unit in range(UNITS):
                                b.store(factor.fma(values[unit], code.read(slots[gate][unit])).value, slots[gate][unit])
                at = b.mul(j, width)
                for unit in range(UNITS):
                    sums = [code.read(slots[gate][unit]) for gate in range(4)]
                    here = code.sum(at, unit * lanes)
                    if keeps_cell:
                        h, c = cell(*sums, code.load(arena, code.sum(c_at, here)))
                        code.store(c, arena, code.sum(c_at, here))
                    else:
                        h = cell(*sums, code.load(arena, code.sum(old, here)))
                    code.store(h, arena, code.sum(new, here))

    return intrinsic_of(2, 7, emit)


def _emit_dense(code: Code):
    """y = bias + sum of w h on all lanes of all steps."""
    _, _, n, h_at, n_hidden, w0, y_at = code.arguments
    arena, weights, b = code.pointer(0), code.pointer(1), code.b
    width = code.const(UNITS * code.lanes)
    with code.loop(code.const(0), n) as (t, _):
        row = code.sum(h_at, b.mul(b.mul(t, n_hidden), width))
        slots = [code.variable(code.spread(weights, w0)) for _ in range(UNITS)]
        with code.loop(code.const(0), n_hidden) as (j, _):
            factor = code.spread(weights, code.sum(w0, j, 1))
            for unit in range(UNITS):
                h = code.load(arena, code.sum(row, b.mul(j, width), unit * code.lanes))
                b.store(factor.fma(h, code.read(slots[unit])).value, slots[unit])
        for unit in range(UNITS):
            code.store(code.read(slots[unit]), arena, code.sum(y_at, b.mul(t, width), unit * code.lanes))


_lstm_steps, _gru_steps, _dense = _steps(lstm_cell, True), _steps(gru_cell, False), intrinsic_of(2, 5, _emit_dense)


@kernel
def _run(a, w, layers, head, x, begin, first, n_steps, gains, y, writes, marks):
    """Play steps first .. first + n_steps of all segments; ``marks`` takes the states after every EVERY steps."""
    width = len(begin)
    x_at, y_at, w_head = head[0], head[1], head[2]
    gain, skip, back = gains[0], gains[1], gains[2]
    done = 0
    while done < n_steps:
        n = min(STEPS, n_steps - done)
        for t in range(n):
            for lane in range(width):
                index = begin[lane] + first + done + t
                a[x_at + t * width + lane] = x[index] * gain if index >= 0 else 0.0
        source = x_at
        for index in range(len(layers)):
            kind, n_in, hidden, h_at, c_at, w0 = layers[index]
            if kind == 0:
                _lstm_steps(a, w, n, source, n_in, h_at, c_at, hidden, w0)
            else:
                _gru_steps(a, w, n, source, n_in, h_at, c_at, hidden, w0)
            source = h_at + hidden * width
        _dense(a, w, n, source, layers[len(layers) - 1][2], w_head, y_at)
        for index in range(len(layers)):
            h_at, size = layers[index][3], layers[index][2] * width
            for k in range(size):
                a[h_at + k] = a[h_at + n * size + k]
        if writes:
            for lane in range(width):
                start = begin[lane] + first + done
                for t in range(n):
                    y[start + t] = (a[y_at + t * width + lane] + skip * a[x_at + t * width + lane]) * back
        done += n
        if done % EVERY == 0 and done // EVERY <= len(marks):
            _keep(a, layers, width, marks[done // EVERY - 1])


@kernel
def _keep(a, layers, width, states):
    """Copy the states of all lanes, rows of all layers one after another, h before c."""
    row = 0
    for index in range(len(layers)):
        kind, _, hidden, h_at, c_at, _ = layers[index]
        for part in range(2 if kind == 0 else 1):
            at = c_at if part else h_at
            for j in range(hidden):
                for lane in range(width):
                    states[row, lane] = a[at + j * width + lane]
                row += 1


@kernel
def _put(a, layers, width, lane, state):
    """Give one lane a state."""
    row = 0
    for index in range(len(layers)):
        kind, _, hidden, h_at, c_at, _ = layers[index]
        for part in range(2 if kind == 0 else 1):
            at = c_at if part else h_at
            for j in range(hidden):
                a[at + j * width + lane] = state[row]
                row += 1


def splits(model: Model) -> bool:
    """True for nets of recurrent layers and one dense output without knobs: those that segments can play."""
    *layers, head = model.net
    return (bool(layers) and all(isinstance(layer, (Lstm, Gru)) for layer in layers) and isinstance(head, Convolution)
            and head.weight.shape[0] == head.weight.shape[2] == 1 and not model.knobs)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Packed weights and places for one net; float32."""

    weights: np.ndarray
    layers: np.ndarray
    head: np.ndarray
    arena_size: int
    n_states: int


def plan(model: Model) -> Plan:
    """Lay out a net that `splits`."""
    packed, rows, at = [], [], 0
    x_at, at = at, at + STEPS * WIDTH
    y_at, at = at, at + STEPS * WIDTH
    position = n_states = 0
    for layer in model.net[:-1]:
        hidden, n_in = layer.u.shape[1], layer.w.shape[1]
        numbers = _row_weights(layer)
        h_at, at = at, at + (STEPS + 1) * hidden * WIDTH
        c_at, at = at, at + hidden * WIDTH
        rows.append((0 if isinstance(layer, Lstm) else 1, n_in, hidden, h_at, c_at, position))
        packed.append(numbers)
        position += numbers.size
        n_states += (2 if isinstance(layer, Lstm) else 1) * hidden
    head = model.net[-1]
    packed.append(np.concatenate([[0.0] if head.bias is None else head.bias, head.weight[0, :, 0]]))
    weights = aligned(sum(part.size for part in packed), np.float32)
    weights[:] = np.concatenate([part.ravel() for part in packed])
    return Plan(weights, np.array(rows, dtype=np.int64), np.array([x_at, y_at, position], dtype=np.int64), at, n_states)


def _row_weights(layer) -> np.ndarray:
    """(H, 1 + I + H, 4): bias, inputs, hidden of each row, logistic gates halved."""
    hidden = layer.u.shape[1]
    if isinstance(layer, Lstm):
        parts = [np.column_stack([layer.b[:, None], layer.w, layer.u]).reshape(4, hidden, -1)[gate] for gate in range(4)]
        halves = (0.5, 0.5, 1.0, 0.5)
    else:
        zero_w, zero_u = np.zeros_like(layer.w[:hidden]), np.zeros_like(layer.u[:hidden])
        cut = [slice(gate * hidden, (gate + 1) * hidden) for gate in range(3)]
        both = [np.column_stack([layer.b_w[c] + layer.b_u[c], layer.w[c], layer.u[c]]) for c in cut[:2]]
        parts = [*both, np.column_stack([layer.b_u[cut[2]], zero_w, layer.u[cut[2]]]),
                 np.column_stack([layer.b_w[cut[2]], layer.w[cut[2]], zero_u])]
        halves = (0.5, 0.5, 1.0, 1.0)
    return np.stack([half * part for half, part in zip(halves, parts)], axis=2)


def play_segments(net: Plan, x: np.ndarray, gains: np.ndarray, rest: np.ndarray, state: np.ndarray, in_sequence):
    """Play as many whole segments as fit.

    Parameters
    ----------
    net : Plan
        The net.
    x : ndarray, float64, shape (n_samples,)
        Input.
    gains : ndarray, shape (3,)
        Input gain, skip, output gain.
    rest, state : ndarray, shape (n_states,)
        State at rest, from which lanes start, and the true state at the first sample.
    in_sequence : callable
        ``in_sequence(state, samples) -> (output, state)`` plays from a state in the ordinary way.

    Returns
    -------
    y : ndarray, shape (n_played,)
        Output of the samples played, a multiple of the number of segments.
    state : ndarray, shape (n_states,)
        State behind them.
    redone : int
        Samples that were played again in sequence.
    """
    length = len(x) // WIDTH
    begin = np.arange(WIDTH, dtype=np.int64) * length
    a = aligned(net.arena_size, np.float32)
    y = np.empty(length * WIDTH)
    nothing = np.zeros((0, net.n_states, WIDTH), dtype=np.float32)
    for lane in range(WIDTH):
        _put(a, net.layers, WIDTH, lane, rest)
    _run(a, net.weights, net.layers, net.head, x, begin, -WARM, WARM, gains, y, False, nothing)
    _put(a, net.layers, WIDTH, 0, state)
    guess, end = (np.empty((net.n_states, WIDTH), dtype=np.float32) for _ in range(2))
    _keep(a, net.layers, WIDTH, guess)
    marks = np.empty((length // EVERY, net.n_states, WIDTH), dtype=np.float32)
    _run(a, net.weights, net.layers, net.head, x, begin, 0, length, gains, y, True, marks)
    _keep(a, net.layers, WIDTH, end)
    redone, true = 0, end[:, 0].copy()
    for lane in range(1, WIDTH):
        met, played = np.abs(guess[:, lane] - true).max() <= TOLERANCE, 0
        while not met and played < length:
            n = min(EVERY, length - played)
            at = begin[lane] + played
            y[at:at + n], true = in_sequence(true, x[at:at + n])
            played += n
            met = played < length and n == EVERY and np.abs(marks[played // EVERY - 1][:, lane] - true).max() <= TOLERANCE
        redone += played
        if met:
            true = end[:, lane].copy()
    if redone:
        logger.info("%d of %d samples played again in sequence: the net does not forget at once", redone, len(y))
    return y, true, redone
