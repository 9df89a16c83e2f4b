"""Read RTNeural's JSON (Keras layout) and AIDA-X's, which adds gains, a skip connection, metadata and a self-test.

Layers: dense, time-distributed-dense, conv1d, gru, lstm, prelu, batchnorm, activation. Two-dimensional layers belong to
spectrograms and are refused. AIDA-X players feed 2048 zeros before the first sample; RTNeural itself starts from zeros.

References
----------
J. Chowdhury, RTNeural: Fast Neural Inferencing for Real-Time Systems, arXiv 2106.03037, 2021; facts of the file from
its model loader and from AIDA-X.
"""

from __future__ import annotations

import numpy as np

from validation.captures.activations import Activation, plain, read_activation
from validation.captures.documents import MAX_CHANNELS, MAX_MEMORY, Section, checked_array
from validation.captures.nets import Affine, Convolution, Gru, Lstm, Model, Softmax, memory

_AIDA = ("in_skip", "in_gain", "out_gain", "input_batch", "output_batch")
AIDA_PREWARM = 2048


def read_rtneural(path, document: dict) -> Model:
    """Build a Model from RTNeural's or AIDA-X's JSON.

    Raises
    ------
    ModelFileError
        If a layer is unknown, or its weights have another shape than its neighbours need.
    """
    top = Section(path, "", document)
    shape = top.items("in_shape")
    n_in = top.whole(shape[-1] if shape else None, "in_shape", 1, 3)
    n, layers, count = n_in, [], 0
    for section in top.sections("layers"):
        added, n, numbers = _read_layer(section, n)
        layers += added
        count += numbers
    if n != 1:
        top.refuse(f"the last layer gives {n} channels", "A capture has one output.")
    if memory(tuple(layers)) > MAX_MEMORY:
        top.refuse(f"the net looks back {memory(tuple(layers))} samples", f"At most {MAX_MEMORY} are held.")
    is_aida = any(top.has(key) for key in _AIDA) or top.has("metadata") or str(path).lower().endswith(".aidax")
    metadata = dict(top.section("metadata").values) if top.has("metadata") else {}
    metadata |= {key: document[key] for key in ("author", "esr", "name", "license") if top.has(key)}
    rate = _rate(top, metadata.get("samplerate", document.get("samplerate")))
    knobs = tuple(f"knob{index}" for index in range(1, n_in))
    return Model(str(path), "aidax" if is_aida else "rtneural", " ".join(_names(document)), tuple(layers), rate,
                 AIDA_PREWARM if is_aida else 0, metadata, knobs, skip=top.integer("in_skip", 0, minimum=0, maximum=1) == 1,
                 input_gain=10.0 ** (_decibels(top, "in_gain") / 20.0),
                 output_gain=10.0 ** (_decibels(top, "out_gain") / 20.0), n_weights=count, selftest=_selftest(top, n_in))


def _names(document: dict) -> list[str]:
    return [f"{layer.get('type')}({layer['shape'][-1]})" if isinstance(layer.get("shape"), list) and layer["shape"]
            else str(layer.get("type")) for layer in document["layers"]]


def _decibels(top: Section, key: str) -> float:
    value = top.number(key, 0.0)
    if abs(value) > 120.0:
        top.refuse(f"{key} is {value:g} dB", "The file is damaged.")
    return value


def _rate(top: Section, value) -> float | None:
    if value in (None, ""):
        return None
    try:
        rate = float(value)
    except (TypeError, ValueError):
        top.refuse(f"the sample rate {str(value)[:20]!r} is no number", "The file is damaged.")
    if not 1000.0 <= rate <= 1e6:
        top.refuse(f"the sample rate {rate:g} Hz makes no sense", "The file is damaged.")
    return rate


def _selftest(top: Section, n_in: int):
    if not (top.has("input_batch") and top.has("output_batch")):
        return None
    x, y = (np.array(top.get(key), dtype=object) for key in ("input_batch", "output_batch"))
    x = top.array("input_batch", (-1,) * x.ndim)
    y = top.array("output_batch", (-1,) * y.ndim).ravel()
    if x.size != len(y) * n_in:
        return None  # a conditioned net whose self-test leaves out the knobs: nothing to compare
    return x.reshape(len(y), n_in).T, y


def _weights(section: Section, *shapes) -> list[np.ndarray]:
    values = section.items("weights")
    if len(values) != len(shapes):
        section.refuse(f"has {len(values)} arrays of weights, not {len(shapes)}", "The file is damaged.")
    return [checked_array(section.path, f"{section.name}.weights[{index}]", value, shape)
            for index, (value, shape) in enumerate(zip(values, shapes))]


def _biased(section: Section, shape: tuple, n_out: int) -> tuple[np.ndarray, np.ndarray]:
    """Matrix and bias; Keras leaves the bias out where the layer has none."""
    if len(section.items("weights")) == 1:
        return _weights(section, shape)[0], np.zeros(n_out)
    w, b = _weights(section, shape, (n_out,))
    return w, b


def _last(section: Section, key: str) -> int:
    value = section.get(key)
    return section.whole(value[-1] if isinstance(value, list) and value else value, key, 1, MAX_MEMORY)


def _read_layer(section: Section, n_in: int):
    """(layers, channels out, count of weights) of one layer."""
    kind = section.text("type")
    shape = section.items("shape", []) or [n_in]
    n_out = section.whole(shape[-1], "shape", 1, MAX_CHANNELS)
    if kind in ("dense", "time-distributed-dense"):
        w, b = _biased(section, (n_in, n_out), n_out)
        return [Convolution(w.T[:, :, None], b), *_activation(section, n_out)], n_out, w.size + b.size
    if kind == "conv1d":
        taps, groups = _last(section, "kernel_size"), section.integer("groups", 1)
        if n_in % groups or n_out % groups:
            section.refuse(f"{groups} groups don't divide {n_in} inputs and {n_out} outputs", "The file is damaged.")
        if section.has("strides") and _last(section, "strides") != 1:
            section.refuse("a strided convolution can't answer every sample", "Export a net without strides.")
        w, b = _biased(section, (taps, n_in // groups, n_out), n_out)
        layer = Convolution(np.ascontiguousarray(w.transpose(2, 1, 0)), b, _last(section, "dilation"), groups)
        return [layer, *_activation(section, n_out)], n_out, w.size + b.size
    if kind == "lstm":
        w, u, b = _weights(section, (n_in, 4 * n_out), (n_out, 4 * n_out), (4 * n_out,))
        zeros = np.zeros(n_out)
        return [Lstm(w.T, u.T, b, zeros, zeros)], n_out, w.size + u.size + b.size
    if kind == "gru":
        w, u, b = _weights(section, (n_in, 3 * n_out), (n_out, 3 * n_out), (2, 3 * n_out))
        return [keras_gru(w, u, b)], n_out, w.size + u.size + b.size
    if kind == "prelu":
        slopes, = _weights(section, (1, -1))
        if slopes.shape[1] not in (1, n_in):
            section.refuse(f"has {slopes.shape[1]} slopes for {n_in} channels", "The file is damaged.")
        rows = np.zeros((slopes.shape[1], 4))
        rows[:, 0] = slopes[0]
        return [Activation("leakyrelu", rows)], n_in, slopes.size
    if kind == "batchnorm":
        return _batchnorm(section, n_in)
    if kind == "activation":
        return _activation(section, n_in), n_in, 0
    section.refuse(f"the layer type {kind[:20]!r} is not read",
                   "Known: dense, time-distributed-dense, conv1d, gru, lstm, prelu, batchnorm, activation.")


def _activation(section: Section, n: int) -> list:
    value = section.get("activation", "")
    if value == "softmax":
        return [Softmax(n)]
    layer = read_activation(section, "activation", value, n) if value else plain("identity")
    return [] if layer.kind == "identity" else [layer]


def _batchnorm(section: Section, n: int):
    epsilon = section.number("epsilon")
    arrays = _weights(section, *[(n,)] * len(section.items("weights")))
    if len(arrays) not in (2, 4):
        section.refuse(f"has {len(arrays)} arrays of weights", "Two (mean, variance) or four (scale, shift, mean, variance) are read.")
    mean, variance = arrays[-2:]
    gain, shift = arrays[:2] if len(arrays) == 4 else (np.ones(n), np.zeros(n))
    if epsilon < 0.0 or (variance + epsilon <= 0.0).any():
        section.refuse("a variance is not positive", "The file is damaged.")
    scale = gain / np.sqrt(variance + epsilon)
    return [Affine(scale, shift - scale * mean)], n, sum(array.size for array in arrays)


def keras_gru(w: np.ndarray, u: np.ndarray, b: np.ndarray) -> Gru:
    """Keras order of gates z, r, h to r, z, n; ``w`` (I, 3H), ``u`` (H, 3H), ``b`` (2, 3H): input and recurrent."""
    hidden = u.shape[0]
    order = np.r_[hidden:2 * hidden, :hidden, 2 * hidden:3 * hidden]
    return Gru(w.T[order], u.T[order], b[0][order], b[1][order], np.zeros(hidden))
