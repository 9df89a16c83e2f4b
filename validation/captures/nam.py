"""Read `.nam` files: Linear, ConvNet, LSTM, WaveNet, SlimmableContainer and Sequential, versions 0.5.0 to 0.7.

Where NAM's engine and its trainer disagree about the format, this is what happens here:

1. ``layer1x1`` inactive: the residual stays the layer's input, as the engine has it.
2. ``layer1x1_post_film`` is applied whenever ``layer1x1`` is active, as the trainer has it and the engine since 2026-08.
3. ``Hardtanh`` with limits of its own: the limits are honoured, as the trainer has it.
4. ``Softsigmoid`` is read, as the trainer exports it.
5. Linear: the first number is the tap of the present sample, as the engine has it; ``linear_oldest_first`` turns it.
6. Legacy keys, ConvNet, containers, condition nets and activation objects are read, as the engine does.

References
----------
The format is specified by its players only; facts from NeuralAmpModelerCore 0.5.5 and neural-amp-modeler, 2026.
"""

from __future__ import annotations

import logging
import math
import re
from dataclasses import replace

import numpy as np

from validation.captures.activations import Activation, plain, read_activation
from validation.captures.documents import MAX_CHANNELS, MAX_MEMORY, Section, Weights, refuse
from validation.captures.nets import (FILMS, Affine, Convolution, Film, Lstm, Model, WaveNet, WaveNetArray,
                                      WaveNetLayer, is_recurrent, memory, n_outputs)

logger = logging.getLogger(__name__)

NEWEST, OLDEST = (0, 7, 0), (0, 5, 0)
ARCHITECTURES = ("Linear", "ConvNet", "LSTM", "WaveNet", "SlimmableContainer", "Sequential")
MAX_NESTING = 6


def read_nam(path, document: dict, *, slim: float | None = None, linear_oldest_first: bool = False) -> Model:
    """Build a Model from the JSON object of a `.nam` file.

    Parameters
    ----------
    path : path-like
        The file, for messages.
    document : dict
        Its JSON object.
    slim : float or None
        Size in 0..1 for slimmable models; None is the full one.
    linear_oldest_first : bool
        Read Linear files in the trainer's order of taps.

    Returns
    -------
    Model

    Raises
    ------
    ModelFileError
        If anything is missing, unknown, inconsistent or too large; weights that run out name their block.
    """
    if slim is not None and not 0.0 <= slim <= 1.0:
        refuse(path, f"the size {slim:g} is out of range", "Give slim from 0 (smallest) to 1 (full).")
    return _read_model(Section(path, "", document), slim, linear_oldest_first, 0)


def _read_model(top: Section, slim, oldest_first: bool, depth: int) -> Model:
    if depth > MAX_NESTING:
        top.refuse("models are nested too deeply", f"At most {MAX_NESTING} levels are read.")
    _check_version(top)
    architecture = top.text("architecture")
    if architecture not in ARCHITECTURES:
        top.refuse(f"the architecture {architecture[:40]!r} is unknown", f"Known: {', '.join(ARCHITECTURES)}.")
    config = top.section("config")
    rate = top.number("sample_rate", 0.0) or None
    if rate is not None and not 1000.0 <= rate <= 1e6:
        top.refuse(f"the sample rate {rate:g} Hz makes no sense", "The file is damaged.")
    metadata = dict(top.section("metadata").values) if top.has("metadata") else {}
    base = Model(str(top.path), "nam", architecture, (), rate, 0, metadata)
    if architecture == "SlimmableContainer":
        return _read_container(top, config, base, slim, oldest_first, depth)
    if architecture == "Sequential":
        return _read_sequential(config, base, slim, oldest_first, depth)
    weights = Weights(top.path, top.items("weights"))
    if architecture == "Linear":
        net = _read_linear(config, weights, oldest_first)
    elif architecture == "ConvNet":
        net = _read_convnet(config, weights)
    elif architecture == "LSTM":
        net = _read_lstm(config, weights)
    else:
        net = (_read_wavenet(config, weights, slim, rate, depth),)
    weights.finish()
    if memory(net) > MAX_MEMORY:
        top.refuse(f"the net looks back {memory(net)} samples", f"At most {MAX_MEMORY} are held.")
    prewarm = memory(net) + 1
    if is_recurrent(net):  # half a second as the players have it, in their blocks of 64; one sample if there is no rate
        prewarm += math.ceil(0.5 * rate / 64) * 64 if rate else 1
    return replace(base, net=net, prewarm=prewarm, n_weights=len(weights.values) + weights.nested)


def _check_version(top: Section) -> None:
    text = top.text("version")
    match = re.fullmatch(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})", text)
    if match is None:
        top.refuse(f"the version {text[:20]!r} is not three numbers", "The file is damaged.")
    version = tuple(int(part) for part in match.groups())
    if version < OLDEST or version[:2] > NEWEST[:2]:
        top.refuse(f"the file version {text} is not known", "Versions 0.5.0 to 0.7 are read; export the capture again.")
    if version > NEWEST:
        logger.warning("%s: file version %s is newer than 0.7.0; read as 0.7.0", top.path, text)


def _rates_agree(path, rates) -> float | None:
    known = {rate for rate in rates if rate is not None}
    if len(known) > 1:
        refuse(path, f"the nested models run at {' and '.join(f'{r:g}' for r in sorted(known))} Hz",
               "All must share one sample rate.")
    return known.pop() if known else None


def _read_container(top, config, base, slim, oldest_first, depth) -> Model:
    models, limits = [], []
    for section in config.sections("submodels"):
        limits.append(section.number("max_value"))
        models.append(_read_model(section.section("model"), None, oldest_first, depth + 1))
    if any(b <= a for a, b in zip(limits, limits[1:])) or limits[-1] < 1.0:
        config.refuse("the submodels' max_value must ascend and end at 1 or more", "The file is damaged.")
    rate = _rates_agree(top.path, [base.sample_rate] + [model.sample_rate for model in models])
    chosen = len(models) - 1
    if slim is not None:
        chosen = next((index for index, limit in enumerate(limits) if slim < limit), chosen)
    model = models[chosen]
    return replace(model, architecture=f"SlimmableContainer of {len(models)}, size {chosen + 1}: {model.architecture}",
                   sample_rate=rate, metadata={**base.metadata, **model.metadata})


def _read_sequential(config, base, slim, oldest_first, depth) -> Model:
    models = [_read_model(section, slim, oldest_first, depth + 1) for section in config.sections("models")]
    rate = _rates_agree(base.path, [base.sample_rate] + [model.sample_rate for model in models])
    return replace(base, net=tuple(layer for model in models for layer in model.net), sample_rate=rate,
                   prewarm=sum(model.prewarm for model in models), n_weights=sum(model.n_weights for model in models))


def _read_linear(config: Section, weights: Weights, oldest_first: bool) -> tuple:
    for key in ("in_channels", "out_channels"):
        config.integer(key, 1, maximum=1)
    taps = weights.take("taps", config.integer("receptive_field"))
    bias = weights.take("bias", 1) if config.flag("bias") else None
    kernel = taps if oldest_first else taps[::-1]
    return (Convolution(np.ascontiguousarray(kernel)[None, None, :], bias),)


def convolution(weights: Weights, block: str, n_out: int, n_in: int, taps: int = 1, *, bias: bool = True,
                dilation: int = 1, groups: int = 1, keep: tuple[int, int] | None = None) -> Convolution:
    """Take a convolution from the list; ``keep`` (rows, columns) keeps the first ones only, for slim sizes."""
    if n_out % groups or n_in % groups:
        refuse(weights.path, f"{block}: {groups} groups don't divide {n_out} outputs and {n_in} inputs",
               "The file is damaged.")
    w = weights.take(block, n_out, n_in // groups, taps)
    b = weights.take(f"{block}, bias", n_out) if bias else None
    if keep is not None:
        w, b = w[:keep[0], :keep[1]], None if b is None else b[:keep[0]]
    return Convolution(w, b, dilation, groups)


def _read_convnet(config: Section, weights: Weights) -> tuple:
    channels = config.integer("channels", maximum=MAX_CHANNELS)
    dilations = [config.whole(d, "dilations", 1, MAX_MEMORY) for d in config.items("dilations")]
    normalised, groups = config.flag("batchnorm"), config.integer("groups", 1)
    activation = read_activation(config, "activation", config.get("activation"), channels)
    for key in ("in_channels", "out_channels"):
        config.integer(key, 1, maximum=1)
    layers, n_in = [], 1
    for index, dilation in enumerate(dilations):
        layers.append(convolution(weights, f"block {index}, convolution", channels, n_in, 2, bias=not normalised,
                                  dilation=dilation, groups=groups))
        if normalised:
            mean, variance, scale, shift = weights.take(f"block {index}, batch norm", 4, channels)
            epsilon = weights.take(f"block {index}, epsilon of the batch norm", 1)
            if (variance + epsilon <= 0.0).any():
                config.refuse(f"block {index}: a variance is not positive", "The file is damaged.")
            factor = scale / np.sqrt(variance + epsilon)
            layers.append(Affine(factor, shift - factor * mean))
        layers.append(activation)
        n_in = channels
    layers.append(convolution(weights, "head", 1, n_in))
    return tuple(layers)


def _read_lstm(config: Section, weights: Weights) -> tuple:
    n_in = config.integer("input_size", maximum=1)
    hidden = config.integer("hidden_size", maximum=MAX_CHANNELS)
    layers = []
    for index in range(config.integer("num_layers", maximum=64)):
        matrix = weights.take(f"layer {index}, matrix", 4 * hidden, n_in + hidden)
        bias = weights.take(f"layer {index}, bias", 4 * hidden)
        h0 = weights.take(f"layer {index}, initial hidden state", hidden)
        c0 = weights.take(f"layer {index}, initial cell state", hidden)
        layers.append(Lstm(matrix[:, :n_in], matrix[:, n_in:], bias, h0, c0))
        n_in = hidden
    layers.append(convolution(weights, "head", config.integer("out_channels", 1, maximum=1), hidden))
    return tuple(layers)


def _read_wavenet(config: Section, weights: Weights, slim, rate, depth: int) -> WaveNet:
    condition: tuple = ()
    n_condition = config.integer("in_channels", 1, maximum=1)
    if config.has("condition_dsp"):
        inner = _read_model(config.section("condition_dsp"), None, False, depth + 1)
        _rates_agree(config.path, (rate, inner.sample_rate))
        condition, n_condition = inner.net, n_outputs(inner.net, 1)
        weights.nested += inner.n_weights
    sections = config.sections("layers")
    sizes = [_slim_channels(section, slim) for section in sections]
    arrays, n_in, kept_in, accumulated = [], config.integer("in_channels", 1, maximum=1), 1, None
    for index, section in enumerate(sections):
        following = None if index + 1 == len(sections) else (
            sections[index + 1].integer("channels", maximum=MAX_CHANNELS), sizes[index + 1])
        array = _read_array(section, weights, n_in, kept_in, n_condition, sizes[index], following, f"array {index}")
        width = array.layers[0].head_width
        if accumulated is not None and width != accumulated:
            section.refuse(f"the head adds {width} channels and array {index - 1} hands on {accumulated}",
                           "The head of an array must be as wide as what the next one adds up.")
        accumulated, n_in, kept_in = array.head.n_out, section.integer("channels"), array.rechannel.n_out
        arrays.append(array)
    post = _read_post(config, weights, accumulated) if config.has("head") else ()
    head_scale = float(weights.take("head scale", 1)[0])
    return WaveNet(tuple(arrays), head_scale, condition, post)


def _slim_channels(section: Section, slim) -> int:
    channels = section.integer("channels", maximum=MAX_CHANNELS)
    if not section.has("slimmable"):
        return channels
    inner = section.section("slimmable")
    method = inner.text("method")
    if method != "slice_channels_uniform":
        inner.refuse(f"the method {method[:40]!r} is unknown", "Known: slice_channels_uniform.")
    kwargs = inner.section("kwargs") if inner.has("kwargs") else Section(section.path, inner.label("kwargs"), {})
    allowed = [kwargs.whole(value, "allowed_channels", 1, channels)
               for value in kwargs.items("allowed_channels", list(range(1, channels + 1)))]
    if not allowed or any(b <= a for a, b in zip(allowed, allowed[1:])):
        kwargs.refuse("allowed_channels must ascend", "The file is damaged.")
    return channels if slim is None else allowed[min(int(slim * len(allowed)), len(allowed) - 1)]


def _per_layer(section: Section, key: str, n_layers: int, *default) -> list:
    value = section.get(key, *default)
    if not isinstance(value, list):
        return [value] * n_layers
    if len(value) != n_layers:
        section.refuse(f"{key} has {len(value)} entries for {n_layers} layers", "Give one for each dilation.")
    return value


def _switchable(section: Section, key: str, active: bool) -> Section:
    """The object of layer1x1 or head1x1 with its 'active' filled in."""
    inner = section.section(key) if section.has(key) else Section(section.path, section.label(key), {})
    return Section(section.path, inner.name, {"active": active, "groups": 1, **inner.values})


def _read_film(section: Section, key: str) -> tuple[bool, bool, int]:
    value = section.get(key, False)
    if value is False:
        return False, False, 1
    inner = section.section(key)
    return inner.flag("active", True), inner.flag("shift", True), inner.integer("groups", 1)


def _read_array(section, weights, n_in, kept_in, n_condition, kept, following, name) -> WaveNetArray:
    if section.integer("input_size") != n_in:
        section.refuse(f"input_size is {section.integer('input_size')} and {n_in} channels come in",
                       "It must be the number of channels of the array before it.")
    if section.integer("condition_size") != n_condition:
        section.refuse(f"condition_size is {section.integer('condition_size')} and the condition has {n_condition}",
                       "They must be the same.")
    channels = section.integer("channels", maximum=MAX_CHANNELS)
    slimmed = kept != channels or kept_in != n_in or (following is not None and following[0] != following[1])
    dilations = [section.whole(d, "dilations", 1, MAX_MEMORY) for d in section.items("dilations")]
    if not dilations:
        section.refuse("dilations is empty", "At least one layer is needed.")
    n_layers = len(dilations)
    if section.has("kernel_size") == section.has("kernel_sizes"):
        section.refuse("one of kernel_size and kernel_sizes is needed, not both", "The file is damaged.")
    kernels = _per_layer(section, "kernel_sizes" if section.has("kernel_sizes") else "kernel_size", n_layers)
    kernels = [section.whole(k, "kernel_size", 1, MAX_MEMORY) for k in kernels]
    bottleneck = section.integer("bottleneck", channels, maximum=MAX_CHANNELS)
    layer1x1, head1x1 = _switchable(section, "layer1x1", True), _switchable(section, "head1x1", False)
    inner_on, head_on = layer1x1.flag("active"), head1x1.flag("active")
    if not inner_on and bottleneck != channels:
        section.refuse("a bottleneck needs an active layer1x1", "The file is damaged.")
    kept_neck = max(1, bottleneck * kept // channels) if inner_on else kept
    head_width = head1x1.integer("out_channels", maximum=MAX_CHANNELS) if head_on else bottleneck
    groups = (section.integer("groups_input", 1), section.integer("groups_input_mixin", 1),
              layer1x1.integer("groups"), head1x1.integer("groups"))
    films = [_read_film(section, key) for key in FILMS]
    if films[6][0] and not inner_on or films[7][0] and not head_on:
        section.refuse("a FiLM acts behind a 1x1 convolution that is inactive", "The file is damaged.")
    if section.has("head"):
        head = section.section("head")
        head_out, head_taps, head_bias = head.integer("out_channels", maximum=MAX_CHANNELS), head.integer(
            "kernel_size", maximum=MAX_MEMORY), head.flag("bias")
        head_dilation = head.integer("head_dilation", 1, maximum=MAX_MEMORY)
    else:
        head_out, head_taps = section.integer("head_size", maximum=MAX_CHANNELS), 1
        head_bias, head_dilation = section.flag("head_bias"), 1
    if slimmed and (max(groups) > 1 or head_taps > 1):
        section.refuse("a slim size needs groups of 1 and a head of one tap", "Use the full size.")
    gatings = _gatings(section, n_layers)
    activations = _per_layer(section, "activation", n_layers)
    seconds = _per_layer(section, "secondary_activation", n_layers, "Sigmoid")

    rechannel = convolution(weights, f"{name}, rechannel", channels, n_in, bias=False, keep=(kept, kept_in))
    layers = []
    for index in range(n_layers):
        block, doubled = f"{name}, layer {index}", 1 if gatings[index] == "none" else 2
        wide, kept_wide = bottleneck * doubled, kept_neck * doubled
        parts = [
            convolution(weights, f"{block}, convolution", wide, channels, kernels[index], dilation=dilations[index],
                        groups=groups[0], keep=None if groups[0] > 1 else (kept_wide, kept)),
            convolution(weights, f"{block}, mix-in", wide, n_condition, bias=False, groups=groups[1],
                        keep=None if groups[1] > 1 else (kept_wide, n_condition)),
            convolution(weights, f"{block}, layer1x1", channels, bottleneck, groups=groups[2],
                        keep=None if groups[2] > 1 else (kept, kept_neck)) if inner_on else None,
            convolution(weights, f"{block}, head1x1", head_width, bottleneck, groups=groups[3],
                        keep=None if groups[3] > 1 else (head_width, kept_neck)) if head_on else None]
        targets = ((channels, kept), (wide, kept_wide), (n_condition, n_condition), (wide, kept_wide),
                   (wide, kept_wide), (bottleneck, kept_neck), (channels, kept), (head_width, head_width))
        taken = tuple(_take_film(weights, f"{block}, {key}", film, target, n_condition)
                      for key, film, target in zip(FILMS, films, targets))
        first = read_activation(section, "activation", activations[index], bottleneck)
        second = None
        if gatings[index] != "none":
            second = _cut(read_activation(section, "secondary_activation", seconds[index] or "Sigmoid", bottleneck), kept_neck)
        layers.append(WaveNetLayer(*parts, _cut(first, kept_neck), gatings[index], second, taken))
    kept_out = head_out if following is None or following[0] == following[1] else following[1]
    kept_width = head_width if head_on else kept_neck
    head = convolution(weights, f"{name}, head", head_out, head_width, head_taps, bias=head_bias,
                       dilation=head_dilation, keep=(kept_out, kept_width))
    return WaveNetArray(rechannel, tuple(layers), head)


def _cut(activation: Activation, n_channels: int) -> Activation:
    return Activation(activation.kind, activation.parameters[:n_channels])


def _take_film(weights, block, film, target, n_condition) -> Film | None:
    active, shift, groups = film
    if not active:
        return None
    full, kept = (2 * size if shift else size for size in target)
    return Film(convolution(weights, block, full, n_condition, groups=groups,
                            keep=None if groups > 1 else (kept, n_condition)), shift)


def _gatings(section: Section, n_layers: int) -> list[str]:
    if section.has("gating_mode"):
        modes = _per_layer(section, "gating_mode", n_layers)
    else:
        modes = ["gated" if section.flag("gated", False) else "none"] * n_layers
    for mode in modes:
        if mode not in ("none", "gated", "blended"):
            section.refuse(f"the gating mode {str(mode)[:20]!r} is unknown", "Known: none, gated, blended.")
    return modes


def _read_post(config: Section, weights: Weights, n_in: int) -> tuple[tuple[Activation, Convolution], ...]:
    head = config.section("head")
    if head.integer("in_channels", n_in) != n_in:
        head.refuse(f"in_channels is {head.integer('in_channels')} and {n_in} channels come in", "They must be the same.")
    hidden, last = head.integer("channels", maximum=MAX_CHANNELS), head.integer("out_channels", 1, maximum=1)
    kernels = [head.whole(k, "kernel_sizes", 1, MAX_MEMORY) for k in head.items("kernel_sizes")]
    if not kernels:
        head.refuse("kernel_sizes is empty", "At least one convolution is needed.")
    post = []
    for index, taps in enumerate(kernels):
        n_out = last if index + 1 == len(kernels) else hidden
        activation = read_activation(head, "activation", head.get("activation"), n_in)
        post.append((activation, convolution(weights, f"post-stack head, convolution {index}", n_out, n_in, taps)))
        n_in = n_out
    return tuple(post)
