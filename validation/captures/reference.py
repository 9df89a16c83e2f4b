"""The oracle: every layer in plain float64 numpy, whole signals at a time, written from the equations and nothing else.

Slow and clear on purpose. The kernels of the player are checked against it, and it against renderings of NAM's engine.
"""

from __future__ import annotations

import numpy as np

from validation.captures.activations import apply
from validation.captures.nets import (Activation, Affine, Convolution, Film, Gru, Lstm, Model, Residual, Softmax, TemporalFilm, WaveNet,
                                      WaveNetLayer, Window)


def render(model: Model, samples, knobs: tuple[float, ...] = ()) -> np.ndarray:
    """Run a capture from rest in float64.

    Parameters
    ----------
    model : Model
        The capture.
    samples : array_like, shape (n_samples,)
        Input at the capture's own rate, full scale 1.
    knobs : tuple of float
        Positions of the capture's knobs, constant.

    Returns
    -------
    ndarray, shape (n_samples,)
        Output.
    """
    x = np.concatenate([np.zeros(model.prewarm), np.asarray(samples, dtype=np.float64)]) * model.input_gain
    inputs = np.vstack([x] + [np.full(len(x), position) for position in knobs])
    y = evaluate(model.net, inputs)[0]
    return ((y + x if model.skip else y) * model.output_gain)[model.prewarm:]


def evaluate(net: tuple, x: np.ndarray) -> np.ndarray:
    """A net's layers one after another, from zero memories; (n_channels, n_samples) in and out."""
    for layer in net:
        match layer:
            case Convolution():
                x = convolve(layer, x)
            case Activation():
                x = apply(layer, x)
            case Affine():
                x = layer.scale[:, None] * x + layer.shift[:, None]
            case Softmax():
                x = np.exp(x) / np.exp(x).sum(axis=0)
            case Lstm():
                x = lstm(layer, x)
            case Gru():
                x = gru(layer, x)
            case WaveNet():
                x = wavenet(layer, x)
            case Window():
                x = window(layer, x)
            case Residual():
                x = apply(layer.activation, convolve(layer.convolution, x)) + layer.scale[:, None] * x
            case _:
                raise TypeError(f"no reference for {type(layer).__name__}")
    return x


def convolve(layer: Convolution, x: np.ndarray) -> np.ndarray:
    """The sum in the docstring of `Convolution`, group by group and tap by tap."""
    n_out, per_group, taps = layer.weight.shape
    n = x.shape[1]
    out_per_group = n_out // layer.groups
    y = np.zeros((n_out, n)) if layer.bias is None else np.repeat(layer.bias[:, None], n, axis=1)
    for group in range(layer.groups):
        rows = slice(group * out_per_group, (group + 1) * out_per_group)
        part = x[group * per_group:(group + 1) * per_group]
        for tap in range(taps):
            delay = (taps - 1 - tap) * layer.dilation
            if delay < n:
                y[rows, delay:] += layer.weight[rows, :, tap] @ part[:, :n - delay]
    return y


def _sigmoid(z):
    return 0.5 + 0.5 * np.tanh(0.5 * z)


def lstm(layer: Lstm, x: np.ndarray) -> np.ndarray:
    """Hochreiter and Schmidhuber 1997 with a forget gate: c = s(f) c + s(i) tanh(g), h = s(o) tanh(c)."""
    n_hidden, h, c = layer.u.shape[1], layer.h0, layer.c0
    from_input = (layer.w @ x).T + layer.b
    y = np.empty((x.shape[1], n_hidden))
    for n in range(x.shape[1]):
        i, f, g, o = (from_input[n] + layer.u @ h).reshape(4, n_hidden)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(c)
        y[n] = h
    return y.T


def gru(layer: Gru, x: np.ndarray) -> np.ndarray:
    """h = (1 - z) tanh(W_n x + b + r (U_n h + b')) + z h, reset after the product."""
    n_hidden, h = layer.u.shape[1], layer.h0
    from_input = (layer.w @ x).T + layer.b_w
    y = np.empty((x.shape[1], n_hidden))
    for n in range(x.shape[1]):
        from_state = layer.u @ h + layer.b_u
        r, z, a = from_input[n].reshape(3, n_hidden)
        r_h, z_h, a_h = from_state.reshape(3, n_hidden)
        z = _sigmoid(z + z_h)
        h = (1.0 - z) * np.tanh(a + _sigmoid(r + r_h) * a_h) + z * h
        y[n] = h
    return y.T


def film(layer: Film | None, v: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Perez et al. 2018, equation 1, without '1 +'."""
    if layer is None:
        return v
    both = convolve(layer.convolution, c)
    return both[:len(v)] * v + both[len(v):] if layer.shift else both * v


def wavenet_layer(layer: WaveNetLayer, y: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One layer: what goes on to the next, and its share of the head's sum."""
    pre, post, mix_pre, mix_post, act_pre, act_post, inner_post, head_post = layer.films
    z = film(post, convolve(layer.convolution, film(pre, y, c)), c)
    if layer.mixin is not None:
        z = z + film(mix_post, convolve(layer.mixin, film(mix_pre, c, c)), c)
    z = film(act_pre, z, c)
    top, bottom = z[:layer.width], z[layer.width:]
    a = apply(layer.activation, top)
    if layer.gating == "gated":
        a = a * apply(layer.secondary, bottom)
    elif layer.gating == "blended":
        w = apply(layer.secondary, bottom)
        a = w * a + (1.0 - w) * top
    a = film(act_post, a, c)
    if layer.temporal is not None:
        a = temporal_film(layer.temporal, a)
    if layer.layer1x1 is not None:
        y = y + film(inner_post, convolve(layer.layer1x1, a), c)
    return y, a if layer.head1x1 is None else film(head_post, convolve(layer.head1x1, a), c)


def temporal_film(layer: TemporalFilm, a: np.ndarray) -> np.ndarray:
    """Comunità et al. 2023: an LSTM hears the maxima of each block; its output scales and shifts the block behind it."""
    n, channels = a.shape[1], len(a)
    count = -(-n // layer.block)
    maxima = np.stack([a[:, k * layer.block:(k + 1) * layer.block].max(axis=1) for k in range(count)], axis=1)
    zeros = np.zeros(2 * channels)
    h = lstm(Lstm(layer.w, layer.u, layer.b, zeros, zeros), maxima)
    h = np.repeat(np.hstack([zeros[:, None], h[:, :-1]]), layer.block, axis=1)[:, :n]
    return (1.0 + h[:channels]) * a + h[channels:]


def wavenet(net: WaveNet, x: np.ndarray) -> np.ndarray:
    """Arrays in sequence, each adding its layers' outputs to what the head of the array before it gave."""
    c = evaluate(net.condition, x) if net.condition else x
    y, head = x, 0.0
    for array in net.arrays:
        y = convolve(array.rechannel, y)
        for layer in array.layers:
            y, share = wavenet_layer(layer, y, c)
            head = head + share
        head = convolve(array.head, head)
    out = net.head_scale * head
    for activation, convolution in net.post:
        out = convolve(convolution, apply(activation, out))
    return out


def window(layer: Window, x: np.ndarray) -> np.ndarray:
    """For each sample the net afresh on the last ``length`` samples: strided convolutions, LSTM from zero, dense."""
    padded = np.concatenate([np.zeros(layer.length - 1), x[0]])
    y = np.empty((layer.dense.n_out, x.shape[1]))
    for n in range(x.shape[1]):
        rows = padded[n:n + layer.length][None, :]
        for weight, bias, stride in layer.convolutions:
            rows = _strided(rows, weight, bias, stride)
        h = lstm(layer.lstm, rows)[:, -1:]
        y[:, n] = convolve(layer.dense, h)[:, 0]
    return y


def _strided(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, stride: int) -> np.ndarray:
    """Keras Conv1D with padding 'same': weight (K, in, out), x (in, length)."""
    taps, n = len(weight), x.shape[1]
    n_out = -(-n // stride)
    padding = max((n_out - 1) * stride + taps - n, 0)
    padded = np.pad(x, ((0, 0), (padding // 2, padding - padding // 2)))
    y = np.repeat(bias[:, None], n_out, axis=1)
    for step in range(n_out):
        piece = padded[:, step * stride:step * stride + taps]
        y[:, step] += np.einsum("kio,ik->o", weight[:, :, :], piece)
    return y
