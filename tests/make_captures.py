"""Small capture files of every kind, made from an rng by the tests themselves; nothing that others captured is needed.

Every maker returns the JSON object of a file. Weights are counted here block by block from the format's description,
independently of the reader.
"""

from __future__ import annotations

import numpy as np


def numbers(rng, *shape, scale=0.5):
    """Normal numbers as (nested) lists, rounded to float32."""
    return (scale * rng.standard_normal(shape)).astype(np.float32).tolist()


def nam(architecture, config, weights, *, version="0.7.0", rate=48000, **extra):
    """The envelope of a `.nam` file."""
    document = {"version": version, "architecture": architecture, "config": config, "weights": weights, **extra}
    return document if rate is None else {**document, "sample_rate": rate}


def linear(rng, taps=40, bias=True):
    """An impulse response."""
    return nam("Linear", {"receptive_field": taps, "bias": bias}, numbers(rng, taps + bias, scale=0.3), version="0.5.0")


def convnet(rng, channels=5, dilations=(1, 2, 4, 8), batchnorm=True, activation="Tanh"):
    """Convolutions of two taps, with or without batch norm."""
    weights, n_in = [], 1
    for _ in dilations:
        weights += numbers(rng, channels * n_in * 2)
        if batchnorm:
            weights += numbers(rng, channels) + (0.5 + rng.random(channels)).tolist()
            weights += numbers(rng, 2 * channels) + [1e-5]
        else:
            weights += numbers(rng, channels)
        n_in = channels
    weights += numbers(rng, channels + 1)
    config = {"channels": channels, "dilations": list(dilations), "batchnorm": batchnorm, "activation": activation}
    return nam("ConvNet", config, weights, version="0.5.2")


def lstm(rng, hidden=6, layers=1, scale=0.4, rate=4000):
    """Stacked LSTM and a head; the low rate makes half a second of prewarm short."""
    weights, n_in = [], 1
    for _ in range(layers):
        weights += numbers(rng, 4 * hidden * (n_in + hidden) + 4 * hidden, scale=scale) + numbers(rng, 2 * hidden)
        n_in = hidden
    weights += numbers(rng, hidden + 1)
    return nam("LSTM", {"input_size": 1, "hidden_size": hidden, "num_layers": layers}, weights, version="0.5.4", rate=rate)


FILMS = ("conv_pre_film", "conv_post_film", "input_mixin_pre_film", "input_mixin_post_film",
         "activation_pre_film", "activation_post_film", "layer1x1_post_film", "head1x1_post_film")
ACTIVATIONS = ("Tanh", "Hardtanh", "Fasttanh", "ReLU", {"type": "LeakyReLU", "negative_slope": 0.1}, "Sigmoid", "SiLU",
               "Hardswish", "Softsign", "Softsigmoid", {"type": "Hardtanh", "min_val": -0.4, "max_val": 0.6},
               {"type": "LeakyHardtanh", "min_val": -0.3, "max_val": 0.8, "min_slope": 0.02, "max_slope": 0.05})


def array(rng, *, n_in=1, condition=1, channels=4, dilations=(1, 2, 4), kernels=3, bottleneck=None, gating="none",
          activation="Tanh", secondary="Sigmoid", films=(), film_groups=1, shift=True, layer1x1=True, head1x1=None,
          groups=1, mixin_groups=1, inner_groups=1, head=(1, 1, True, 1), legacy=False, slimmable=None, scale=0.35):
    """One layer array of a WaveNet: (config, weights)."""
    neck = channels if bottleneck is None else bottleneck
    n_layers = len(dilations)
    gatings = [gating] * n_layers if isinstance(gating, str) else list(gating)
    taps = [kernels] * n_layers if isinstance(kernels, int) else list(kernels)
    head_out, head_taps, head_bias, head_dilation = head
    summed = neck if head1x1 is None else head1x1
    weights = numbers(rng, channels * n_in, scale=scale)
    for mode, k in zip(gatings, taps):
        z = neck if mode == "none" else 2 * neck
        weights += numbers(rng, z * (channels // groups) * k, scale=scale) + numbers(rng, z)
        weights += numbers(rng, z * (condition // mixin_groups))
        if layer1x1:
            weights += numbers(rng, channels * (neck // inner_groups) + channels, scale=scale)
        if head1x1 is not None:
            weights += numbers(rng, head1x1 * neck + head1x1, scale=scale)
        sizes = (channels, z, condition, z, z, neck, channels, summed)
        for name, size in zip(FILMS, sizes):
            if name in films:
                out = (2 if shift else 1) * size
                weights += numbers(rng, out * (condition // film_groups) + out)
    weights += numbers(rng, head_out * summed * head_taps) + (numbers(rng, head_out) if head_bias else [])
    config = {"input_size": n_in, "condition_size": condition, "channels": channels, "dilations": list(dilations),
              "activation": activation}
    if legacy:
        config |= {"kernel_size": kernels, "gated": gatings[0] == "gated", "head_size": head_out, "head_bias": head_bias}
        return config, weights
    config |= {"kernel_size": kernels} if isinstance(kernels, int) else {"kernel_sizes": taps}
    config |= {"bottleneck": neck, "gating_mode": gating if isinstance(gating, str) else gatings,
               "secondary_activation": secondary, "groups_input": groups, "groups_input_mixin": mixin_groups,
               "layer1x1": {"active": layer1x1, "groups": inner_groups},
               "head1x1": {"active": head1x1 is not None, "out_channels": head1x1 or 1, "groups": 1},
               "head": {"out_channels": head_out, "kernel_size": head_taps, "bias": head_bias,
                        "head_dilation": head_dilation}}
    for name in films:
        config[name] = {"active": True, "shift": shift, "groups": film_groups}
    if slimmable is not None:
        config["slimmable"] = {"method": "slice_channels_uniform", "kwargs": {"allowed_channels": list(slimmable)}}
    return config, weights


def wavenet(rng, *arrays, head_scale=0.3, condition=None, post=None, version="0.7.0", rate=48000, **extra):
    """A WaveNet from arrays; ``post`` is (channels, kernel sizes, activation)."""
    config = {"layers": [one for one, _ in arrays], "head_scale": head_scale, "head": None}
    weights = [number for _, part in arrays for number in part]
    if condition is not None:
        config["condition_dsp"] = condition
    if post is not None:
        channels, kernels, activation = post
        n_in = arrays[-1][0]["head"]["out_channels"]
        config["head"] = {"channels": channels, "out_channels": 1, "kernel_sizes": list(kernels), "activation": activation}
        for index, taps in enumerate(kernels):
            n_out = 1 if index + 1 == len(kernels) else channels
            weights += numbers(rng, n_out * n_in * taps + n_out)
            n_in = n_out
    return nam("WaveNet", config, weights + [head_scale], version=version, rate=rate, **extra)


def standard(rng, channels=(16, 8), dilations=tuple(2**k for k in range(10)), activation="Tanh"):
    """The shape of the first generation's captures: two arrays, three taps, legacy keys, no rate, no metadata."""
    wide, narrow = channels
    first = array(rng, channels=wide, dilations=dilations, activation=activation, head=(narrow, 1, False, 1),
                  legacy=True, scale=0.6 / wide**0.5)
    second = array(rng, n_in=wide, channels=narrow, dilations=dilations, activation=activation, head=(1, 1, True, 1),
                   legacy=True, scale=0.6 / narrow**0.5)
    return wavenet(rng, first, second, head_scale=0.02, version="0.5.0", rate=None)


def newest(rng, channels=8):
    """The shape of the second generation's captures: one array, 23 layers, long kernels, leaky ReLU, head of 16 taps."""
    seven = (1, 3, 7, 17, 41, 101, 239)
    one = array(rng, channels=channels, dilations=seven + seven + (1, 13) + seven, kernels=(6,) * 14 + (15, 15) + (6,) * 7,
                activation={"type": "LeakyReLU", "negative_slope": 0.01}, head=(1, 16, True, 1), scale=0.3 / channels**0.5)
    return wavenet(rng, one, head_scale=0.01)


def container(*models, limits=None):
    """Several models of one capture in ascending size, at the rate of the first."""
    limits = limits or [(index + 1) / len(models) for index in range(len(models))]
    parts = [{"max_value": limit, "model": model} for limit, model in zip(limits, models)]
    return nam("SlimmableContainer", {"submodels": parts}, [], rate=models[0].get("sample_rate"))


def sequential(*models):
    """Models one after another."""
    return nam("Sequential", {"models": list(models)}, [])


def every_nam(rng) -> dict[str, dict]:
    """One small file of every architecture and option, by name."""
    films = FILMS[:-1]
    made = {
        "linear": linear(rng), "linear without bias": linear(rng, 7, False),
        "convnet": convnet(rng), "convnet without batch norm": convnet(rng, 6, (1, 3), False, "ReLU"),
        "lstm 1x3": lstm(rng, 3), "lstm 1x16": lstm(rng, 16), "lstm 2x8": lstm(rng, 8, 2), "lstm 3x18": lstm(rng, 18, 3),
        "legacy gated": wavenet(rng, array(rng, legacy=True, gating="gated")),
        "two arrays": wavenet(rng, array(rng, channels=5, head=(3, 1, False, 1)), array(rng, n_in=5, channels=3)),
        "blended": wavenet(rng, array(rng, gating="blended", secondary="Hardswish")),
        "mixed gating": wavenet(rng, array(rng, gating=("none", "gated", "blended"), secondary=["", "ReLU", "Sigmoid"],
                                           activation=["Tanh", "Softsign", {"type": "PReLU", "negative_slopes": [.1, .2, .3, .4]}])),
        "bottleneck": wavenet(rng, array(rng, channels=6, bottleneck=2, kernels=(2, 5, 3))),
        "no layer1x1": wavenet(rng, array(rng, layer1x1=False)),
        "head1x1": wavenet(rng, array(rng, head1x1=3, head=(1, 4, True, 3))),
        "groups": wavenet(rng, array(rng, channels=6, groups=3, inner_groups=2, kernels=4)),
        "post": wavenet(rng, array(rng, head=(3, 1, True, 1)), post=(4, (3, 1, 2), "ReLU")),
        "films": wavenet(rng, array(rng, films=films)),
        "films without shift": wavenet(rng, array(rng, films=FILMS, shift=False, head1x1=2, gating="gated")),
        "slimmable": wavenet(rng, array(rng, channels=4, slimmable=(1, 2, 4), head=(4, 1, False, 1)),
                             array(rng, n_in=4, channels=4, slimmable=(1, 2, 4))),
        "condition": wavenet(rng, array(rng, condition=2, mixin_groups=2, films=films, film_groups=2),
                             condition=wavenet(rng, array(rng, head=(2, 1, True, 1)))),
        "condition lstm": wavenet(rng, array(rng), condition=lstm(rng, 4), rate=4000),
        "container": container(lstm(rng, 3), wavenet(rng, array(rng), rate=4000)),
        "sequential": sequential(wavenet(rng, array(rng)), linear(rng)),
        "unknown rate": wavenet(rng, array(rng), rate=None, version="0.5.0"),
        "wide": wavenet(rng, array(rng, channels=20, dilations=(1, 7), scale=0.15)),
        "newest lite": newest(rng, 3),
    }
    for index, activation in enumerate(ACTIVATIONS):
        made[f"activation {index}"] = wavenet(rng, array(rng, activation=activation, dilations=(1, 2)))
    return made


def rtneural(rng, *kinds, n_in=1, aida=False, **extra):
    """RTNeural's JSON; each kind is (type, channels, options)."""
    layers, n = [], n_in
    for kind, n_out, options in kinds:
        layer = {"type": kind, "activation": options.get("activation", ""), "shape": [None, None, n_out]}
        if kind in ("dense", "time-distributed-dense"):
            layer["weights"] = [numbers(rng, n, n_out), numbers(rng, n_out)]
        elif kind == "conv1d":
            taps, groups = options.get("taps", 3), options.get("groups", 1)
            layer |= {"kernel_size": [taps], "dilation": [options.get("dilation", 1)], "groups": groups}
            layer["weights"] = [numbers(rng, taps, n // groups, n_out), numbers(rng, n_out)]
        elif kind == "lstm":
            layer["weights"] = [numbers(rng, n, 4 * n_out), numbers(rng, n_out, 4 * n_out, scale=0.3), numbers(rng, 4 * n_out)]
        elif kind == "gru":
            layer["weights"] = [numbers(rng, n, 3 * n_out), numbers(rng, n_out, 3 * n_out, scale=0.3), numbers(rng, 2, 3 * n_out)]
        elif kind == "prelu":
            layer["weights"] = [numbers(rng, 1, n_out)]
        elif kind == "batchnorm":
            layer["epsilon"] = 0.001
            layer["weights"] = [numbers(rng, n), numbers(rng, n), numbers(rng, n), (0.5 + rng.random(n)).tolist()]
        else:
            layer["weights"] = []
        layers.append(layer)
        n = n_out
    document = {"in_shape": [None, None, n_in], "layers": layers, **extra}
    return document | {"in_skip": 1, "in_gain": 3.0, "out_gain": -6.0} if aida else document


def guitarml(rng, unit="LSTM", hidden=5, n_in=1, layers=1, skip=1, bias=True):
    """The JSON of Automated-GuitarAmpModelling, NeuralPi and Proteus."""
    gates = 4 if unit == "LSTM" else 3
    state, n = {}, n_in
    for index in range(layers):
        state[f"rec.weight_ih_l{index}"] = numbers(rng, gates * hidden, n)
        state[f"rec.weight_hh_l{index}"] = numbers(rng, gates * hidden, hidden, scale=0.3)
        if bias:
            state[f"rec.bias_ih_l{index}"] = numbers(rng, gates * hidden)
            state[f"rec.bias_hh_l{index}"] = numbers(rng, gates * hidden)
        n = hidden
    state |= {"lin.weight": numbers(rng, 1, hidden), "lin.bias": numbers(rng, 1)}
    data = {"model": "SimpleRNN", "input_size": n_in, "skip": skip, "output_size": 1, "unit_type": unit,
            "num_layers": layers, "hidden_size": hidden, "bias_fl": bias}
    return {"model_data": data, "state_dict": state}


def wavenetva(rng, channels=4, taps=3, dilations=(1, 2, 4), activation="gated", text=False, level=None):
    """The JSON of the 2019 feed-forward WaveNet; with ``text`` the numbers are strings, as some exports have them."""
    wide = 2 * channels if activation in ("gated", "softgated") else channels
    variables = []

    def add(index, name, size):
        data = numbers(rng, size, scale=0.4)
        variables.append({"layer_idx": index, "name": name, "data": [str(v) for v in data] if text else data})

    add(-1, "W", channels)
    add(-1, "b", channels)
    for index in range(len(dilations)):
        add(index, "W_conv", taps * channels * wide)
        add(index, "b_conv", wide)
        add(index, "W_out", channels * channels)
        add(index, "b_out", channels)
    add(len(dilations), "W", channels * len(dilations))
    add(len(dilations), "b", 1)
    document = {"activation": activation, "input_channels": 1, "output_channels": 1, "residual_channels": channels,
                "filter_width": taps, "dilations": list(dilations), "variables": variables}
    return document if level is None else {**document, "level_adjust": level}


def smartamppro(rng, length=120, stride=12, filters=3, hidden=6):
    """The JSON of SmartAmpPro and GuitarLSTM."""
    return {"conv1d": {"bias:0": numbers(rng, filters), "kernel:0": numbers(rng, stride, 1, filters)},
            "conv1d_1": {"bias:0": numbers(rng, filters), "kernel:0": numbers(rng, stride, filters, filters)},
            "lstm": {"bias:0": numbers(rng, 4 * hidden), "kernel:0": numbers(rng, filters, 4 * hidden),
                     "recurrent_kernel:0": numbers(rng, hidden, 4 * hidden)},
            "dense": {"bias:0": numbers(rng, 1), "kernel:0": numbers(rng, hidden, 1)},
            "input_size": length, "conv1d_stride": stride, "conv1d_1_stride": stride}


def every_other(rng) -> dict[str, dict]:
    """One small file of every other family and option, by name."""
    return {
        "rtneural dense": rtneural(rng, ("dense", 4, {"activation": "tanh"}), ("activation", 4, {"activation": "elu"}),
                                   ("dense", 3, {}), ("activation", 3, {"activation": "softmax"}), ("dense", 1, {"activation": "sigmoid"})),
        "rtneural conv": rtneural(rng, ("conv1d", 4, {"dilation": 3, "activation": "relu"}), ("batchnorm", 4, {}), ("prelu", 4, {}),
                                  ("conv1d", 6, {"groups": 2, "taps": 2}), ("time-distributed-dense", 1, {})),
        "rtneural gru": rtneural(rng, ("gru", 8, {"activation": "tanh"}), ("dense", 1, {})),
        "rtneural lstm conv": rtneural(rng, ("lstm", 5, {}), ("conv1d", 2, {"taps": 4, "dilation": 5}), ("gru", 3, {}), ("dense", 1, {})),
        "aidax": rtneural(rng, ("lstm", 12, {}), ("dense", 1, {}), aida=True, metadata={"samplerate": "44100", "license": "CC0"}),
        "aidax knobs": rtneural(rng, ("gru", 17, {}), ("dense", 1, {}), n_in=3, aida=True),
        "guitarml lstm": guitarml(rng), "guitarml gru": guitarml(rng, "GRU", 20), "guitarml knob": guitarml(rng, "LSTM", 20, 2),
        "guitarml two knobs, no bias": guitarml(rng, "GRU", 4, 3, 2, 0, False),
        "wavenetva": wavenetva(rng), "wavenetva softgated": wavenetva(rng, activation="softgated", text=True, level=0.5),
        "wavenetva relu": wavenetva(rng, 3, 2, (1, 5), "relu"),
        "smartamppro": smartamppro(rng), "smartamppro two steps": smartamppro(rng, 150),
    }
