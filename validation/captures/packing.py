"""Weights of recurrent and strided layers in the order in which the kernels read them.

The order is told in `recurrent`: for each vector of hidden rows the bias, the input columns, the hidden columns.
"""

from __future__ import annotations

import numpy as np

from validation.captures.nets import Gru, Lstm, Window


def _columns(matrix: np.ndarray, gates: int, padded: int, lanes: int) -> np.ndarray:
    """(gates * H, n) as (vectors, n, gates, lanes), zero rows behind the last."""
    hidden, n = matrix.shape[0] // gates, matrix.shape[1]
    whole = np.zeros((gates, padded, n))
    whole[:, :hidden] = matrix.reshape(gates, hidden, n)
    return whole.reshape(gates, padded // lanes, lanes, n).transpose(1, 3, 0, 2)


def _pad_four(u: np.ndarray) -> np.ndarray:
    return np.pad(u, ((0, 0), (0, -u.shape[1] % 4)))


def _halved(values: np.ndarray, gates: int, linear: int) -> np.ndarray:
    """Rows of logistic gates halved; ``linear`` is the gate that ends in tanh."""
    factors = np.full(gates, 0.5)
    factors[linear] = 1.0
    return (values.reshape(gates, -1) * factors[:, None]).reshape(values.shape)


def pack_lstm(layer: Lstm, lanes: int) -> np.ndarray:
    """Weights in the order that `recurrent.lstm_steps` reads."""
    hidden = layer.u.shape[1]
    padded = -(-hidden // lanes) * lanes
    matrix = np.column_stack([_halved(part, 4, 2) for part in (layer.b[:, None], layer.w, _pad_four(layer.u))])
    return _columns(matrix, 4, padded, lanes)


def pack_gru(layer: Gru, lanes: int) -> np.ndarray:
    """Weights in the order that `recurrent.gru_steps` reads: the candidate's input bias stands alone behind the others."""
    hidden = layer.u.shape[1]
    padded = -(-hidden // lanes) * lanes
    bias = layer.b_u.copy()
    bias[:2 * hidden] += layer.b_w[:2 * hidden]
    matrix = np.column_stack([_halved(part, 3, 2) for part in (bias[:, None], layer.w, _pad_four(layer.u))])
    alone = np.zeros(padded)
    alone[:hidden] = layer.b_w[2 * hidden:]
    vectors = _columns(matrix, 3, padded, lanes)
    packed = [np.concatenate([vector[0].ravel(), alone[index * lanes:(index + 1) * lanes], vector[1:].ravel()])
              for index, vector in enumerate(vectors)]
    return np.concatenate(packed)


def strided_responses(layer: Window) -> np.ndarray:
    """The strided convolutions as one linear map of the window, shape (steps, length + 1, features); last the constant."""
    basis = np.eye(layer.length + 1)  # rows: one window position each, and the constant
    values = basis[:, :layer.length, None]  # (basis, length, channels)
    for weight, bias, stride in layer.convolutions:
        taps, n = len(weight), values.shape[1]
        n_out = -(-n // stride)
        padding = max((n_out - 1) * stride + taps - n, 0)
        padded = np.pad(values, ((0, 0), (padding // 2, padding - padding // 2), (0, 0)))
        values = np.stack([np.einsum("bki,kio->bo", padded[:, step * stride:step * stride + taps], weight)
                           for step in range(n_out)], axis=1)
        values[-1] += bias
    return values.transpose(1, 0, 2)
