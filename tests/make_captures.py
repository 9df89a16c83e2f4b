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
            weights += numbers(rng, 2 * channels)
        else:
            weights += numbers(rng, channels)
        n_in = channels
    weights += numbers(rng, channels + 1)
    config = {"channels": channels, "dilations": list(dilations), "batchnorm": batchnorm, "activation": activation}
    return nam("ConvNet", config, weights, version="0.5.2")


def lstm(rng, hidden=6, layers=1, scale=0.4):
    """Stacked LSTM and a head."""
    weights, n_in = [], 1
    for _ in range(layers):
        weights += numbers(rng, 4 * hidden * (n_in + hidden) + 4 * hidden, scale=scale) + numbers(rng, 2 * hidden)
        n_in = hidden
    weights += numbers(rng, hidden + 1)
    return nam("LSTM", {"input_size": 1, "hidden_size": hidden, "num_layers": layers}, weights, version="0.5.4")


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
    """Several models of one capture in ascending size."""
    limits = limits or [(index + 1) / len(models) for index in range(len(models))]
    parts = [{"max_value": limit, "model": model} for limit, model in zip(limits, models)]
    return nam("SlimmableContainer", {"submodels": parts}, [])


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
        "condition lstm": wavenet(rng, array(rng), condition=lstm(rng, 4)),
        "container": container(lstm(rng, 3), wavenet(rng, array(rng))),
        "sequential": sequential(wavenet(rng, array(rng)), linear(rng)),
        "unknown rate": wavenet(rng, array(rng), rate=None, version="0.5.0"),
        "wide": wavenet(rng, array(rng, channels=20, dilations=(1, 7), scale=0.15)),
        "newest lite": newest(rng, 3),
    }
    for index, activation in enumerate(ACTIVATIONS):
        made[f"activation {index}"] = wavenet(rng, array(rng, activation=activation, dilations=(1, 2)))
    return made
