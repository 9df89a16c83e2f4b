"""Read the feed-forward WaveNet JSON of WaveNetVA, PedalNet and SmartGuitarAmp, and convert it to `.nam` exactly.

One stack of gated layers; the output weighs the activations of all layers, taken before their 1x1 convolutions. 44.1 kHz.
As a `.nam` this is one gated array without mix-in, a head1x1 of one output that holds each layer's slice of the last
weights, and a head that adds the last bias; the input's bias has no place there and is folded into every convolution's
bias as sum_k W_k b. The originals start from zero memories and `.nam` players from settled silence, so the first
samples, as many as the receptive field, differ.

References
----------
E.-P. Damskägg, L. Juvela, E. Thuillier, V. Välimäki, Deep Learning for Tube Amplifier Emulation, ICASSP 2019, section 2.
"""

from __future__ import annotations

import numpy as np

from validation.captures.activations import plain
from validation.captures.documents import MAX_CHANNELS, MAX_MEMORY, Section, checked_array, refuse
from validation.captures.nets import Convolution, Model, WaveNet, WaveNetArray, WaveNetLayer, memory

RATE = 44100.0
# name: (activation, activation of the gate or None)
_KINDS = {"gated": ("tanh", "sigmoid"), "softgated": ("softsign", "softsign"), "tanh": ("tanh", None),
          "relu": ("relu", None), "sigmoid": ("sigmoid", None), "softsign": ("softsign", None), "linear": ("identity", None)}
_NAM_NAMES = {"tanh": "Tanh", "sigmoid": "Sigmoid", "relu": "ReLU", "softsign": "Softsign"}


def read_wavenetva(path, document: dict) -> Model:
    """Build a Model.

    Raises
    ------
    ModelFileError
        If a variable is missing or of another size, or the activation is unknown.
    """
    top = Section(path, "", document)
    channels, taps = top.integer("residual_channels", maximum=MAX_CHANNELS), top.integer("filter_width", maximum=MAX_MEMORY)
    dilations = [top.whole(d, "dilations", 1, MAX_MEMORY) for d in top.items("dilations")]
    if not dilations:
        top.refuse("dilations is empty", "At least one layer is needed.")
    for key in ("input_channels", "output_channels"):
        top.integer(key, 1, maximum=1)
    name = top.text("activation")
    if name not in _KINDS:
        top.refuse(f"the activation {name[:20]!r} is unknown", f"Known: {', '.join(_KINDS)}.")
    first, second = _KINDS[name]
    wide = channels if second is None else 2 * channels
    variables = _Variables(top)
    n_layers = len(dilations)
    start = Convolution(variables.take(-1, "W", 1, channels).reshape(channels, 1, 1), variables.take(-1, "b", channels))
    last = variables.take(n_layers, "W", n_layers, channels)
    layers = []
    for index, dilation in enumerate(dilations):
        kernel = variables.take(index, "W_conv", taps, channels, wide).transpose(2, 1, 0)
        inner = variables.take(index, "W_out", channels, channels).T[:, :, None]
        layers.append(WaveNetLayer(
            Convolution(np.ascontiguousarray(kernel), variables.take(index, "b_conv", wide), dilation),
            Convolution(np.zeros((wide, 1, 1))), Convolution(inner, variables.take(index, "b_out", channels)),
            Convolution(last[index][None, :, None]), plain(first), "none" if second is None else "gated",
            None if second is None else plain(second)))
    head = Convolution(np.ones((1, 1, 1)), variables.take(n_layers, "b", 1))
    net = (WaveNet((WaveNetArray(start, tuple(layers), head),), 1.0),)
    if memory(net) > MAX_MEMORY:
        top.refuse(f"the net looks back {memory(net)} samples", f"At most {MAX_MEMORY} are held.")
    level = top.number("level_adjust", 0.0) or 1.0  # SmartGuitarAmp multiplies by it unless it is zero
    return Model(str(path), "wavenetva", f"WaveNet {name}", net, RATE, 0, {}, output_gain=level, n_weights=variables.count)


class _Variables:
    """The list of {layer_idx, name, data}; data are numbers or texts of numbers."""

    def __init__(self, top: Section):
        self.top, self.found, self.count = top, {}, 0
        for section in top.sections("variables"):
            index = section.integer("layer_idx", minimum=-1, maximum=100_000)
            self.found[index, section.text("name")] = section

    def take(self, index: int, name: str, *shape: int) -> np.ndarray:
        section = self.found.get((index, name))
        if section is None:
            self.top.refuse(f"the variable {name!r} of layer {index} is missing", "The file is damaged.")
        data = section.items("data")
        if len(data) != np.prod(shape):
            section.refuse(f"{name} of layer {index} has {len(data)} numbers, not {int(np.prod(shape))}",
                           "The file is damaged.")
        try:
            data = [float(value) if isinstance(value, str) else value for value in data]
        except ValueError:
            section.refuse(f"{name} of layer {index} holds a text that is no number", "The file is damaged.")
        self.count += len(data)
        return checked_array(section.path, f"{section.name}.data", data, (-1,)).reshape(shape)


def to_nam(model: Model) -> dict:
    """The JSON object of a `.nam` file (version 0.6.0) that sounds the same.

    Parameters
    ----------
    model : Model
        Read by `read_wavenetva`.

    Raises
    ------
    ModelFileError
        If the model is of another family or its activation has no `.nam` name.
    """
    if model.family != "wavenetva":
        refuse(model.path, f"a capture of the family {model.family} has no exact .nam",
               "Only the feed-forward WaveNets of WaveNetVA, PedalNet and SmartGuitarAmp convert.")
    array = model.net[0].arrays[0]
    sample = array.layers[0]
    kinds = {sample.activation.kind, sample.secondary.kind if sample.secondary else sample.activation.kind}
    if not kinds <= _NAM_NAMES.keys():
        refuse(model.path, f"the activation {sample.activation.kind} has no .nam name", "Only the activations that both formats have convert.")
    channels, start = array.rechannel.n_out, array.rechannel
    weights = [start.weight.ravel()]
    for layer in array.layers:
        folded = layer.convolution.bias + layer.convolution.weight.sum(axis=2) @ start.bias
        weights += [layer.convolution.weight.ravel(), folded, layer.mixin.weight.ravel(),
                    layer.layer1x1.weight.ravel(), layer.layer1x1.bias, layer.head1x1.weight.ravel(), np.zeros(1)]
    weights += [array.head.weight.ravel(), array.head.bias, np.array([model.output_gain])]
    config = {
        "input_size": 1, "condition_size": 1, "channels": channels, "bottleneck": channels,
        "kernel_size": sample.convolution.weight.shape[2], "dilations": [one.convolution.dilation for one in array.layers],
        "activation": _NAM_NAMES[sample.activation.kind], "gating_mode": sample.gating,
        "secondary_activation": _NAM_NAMES[sample.secondary.kind] if sample.secondary else "Sigmoid",
        "groups_input": 1, "groups_input_mixin": 1, "layer1x1": {"active": True, "groups": 1},
        "head1x1": {"active": True, "out_channels": 1, "groups": 1}, "head_size": 1, "head_bias": True}
    flat = np.concatenate(weights).astype(np.float32)
    return {"version": "0.6.0", "architecture": "WaveNet", "config": {"layers": [config], "head": None,
            "head_scale": float(np.float32(model.output_gain))}, "weights": flat.tolist(), "sample_rate": int(RATE)}
