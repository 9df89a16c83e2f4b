"""How knobs reach a network: appended to its input, scaling its features, writing its weights, or turning a tone stack inside it.

With the knobs at rest all but the dynamic hyper-network are plain networks with other numbers: `effective` computes those. It is
written with operators only, so that one text serves numpy arrays and torch tensors, and what is trained is what is played.
Knobs come as a vector of shares mapped to -1..1.

References
----------
E. Perez et al., "FiLM: visual reasoning with a general conditioning layer", AAAI 2018, equation 1.
D. Ha, A. Dai, Q. V. Le, "HyperNetworks", ICLR 2017, section 3.2 (static) and appendix A.2.3 (HyperLSTM).
Y.-T. Yeh, W.-Y. Hsiao, Y.-H. Yang, "Hyper recurrent neural network: condition mechanisms for black-box audio effect modeling",
    DAFx 2024: the four ways side by side.
"""

from __future__ import annotations

import math
from typing import Mapping

from circuits.errors import ModelFileError
from validation.captures.architectures import Architecture, shapes

WAYS = ("none", "concat", "film", "hyper", "dynamic", "stack")
FILM_UNITS = 16  # of each of two hidden layers
HYPER_UNITS = 8
SIDE_UNITS = 8  # of the small cell of the dynamic hyper-network


def entries(arch: Architecture) -> tuple[str, ...]:
    """Biases to which an appended input adds: a constant input times its weight is a shift of the bias."""
    if arch.recurrent:
        return ("b",)
    if arch.kind == "window":
        return ("l0.bias",)
    return tuple(name for name in shapes(arch) if name.endswith(".bias") and not name.endswith(("inner.bias", "head.bias")) and name != "head.bias")


def _modulated(arch: Architecture) -> list[tuple[tuple[str, ...], str]]:
    """(weights, bias) of the layers under FiLM, whose rows are scaled and shifted together."""
    found = []
    for name in shapes(arch):
        if name.endswith(".weight") and name != "head.weight":
            stem = name.removesuffix(".weight")
            found.append(((name, f"{stem}.mix") if arch.kind == "wavenet" else (name,), f"{stem}.bias"))
    return found


def conditioning_shapes(arch: Architecture, way: str, n_knobs: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the arrays that stand beside a network's own: the conditioning's, and the taps of a fixed filter.

    Raises
    ------
    ModelFileError
        If the way is unknown, does not go with the network, or there are no knobs for it.
    """
    if way not in WAYS:
        raise ModelFileError(f"there is no conditioning {way!r}", mend=f"Use one of {', '.join(WAYS)}.")
    if (way == "none") != (n_knobs == 0):
        raise ModelFileError(f"{n_knobs} knobs don't go with the conditioning {way!r}", mend="Use none for no knobs and another way for some.")
    if (arch.kind == "graybox") != (way == "stack"):
        raise ModelFileError(f"the conditioning {way!r} does not go with the network {arch.kind}",
                             mend="The knobs of graybox-... turn its tone stack: give it a dataset of treble, bass, middle, and leave out the conditioning.")
    if arch.kind == "graybox" and len(arch.stack.knobs) != n_knobs:
        raise ModelFileError(f"{n_knobs} knobs for a tone stack with {len(arch.stack.knobs)}")
    own, beside = shapes(arch), {"linear.taps": (arch.linear,)} if arch.linear else {}
    return beside | _conditioning_shapes(arch, way, n_knobs, own)


def _conditioning_shapes(arch: Architecture, way: str, n_knobs: int, own) -> dict[str, tuple[int, ...]]:
    if way == "concat":
        return {f"knobs.{name}": (own[name][0], n_knobs) for name in entries(arch)}
    if way == "film":
        rows = arch.widths[0] if arch.recurrent else sum(own[bias][0] for _, bias in _modulated(arch))
        return {"film.first": (FILM_UNITS, n_knobs), "film.first.bias": (FILM_UNITS,), "film.second": (FILM_UNITS, FILM_UNITS),
                "film.second.bias": (FILM_UNITS,), "film.out": (2 * rows, FILM_UNITS), "film.out.bias": (2 * rows,)}
    if way == "hyper":
        return {"hyper.first": (HYPER_UNITS, n_knobs), "hyper.first.bias": (HYPER_UNITS,),
                **{f"hyper.out.{name}": (math.prod(shape), HYPER_UNITS) for name, shape in own.items()}}
    if way == "dynamic":
        if arch.kind != "lstm" or arch.skip:
            raise ModelFileError("the dynamic hyper-network modulates an LSTM without skip", mend="Choose lstm-..., or another conditioning.")
        n, s = arch.widths[0], SIDE_UNITS
        return {"dynamic.w": (4 * s, 1 + n_knobs), "dynamic.u": (4 * s, s), "dynamic.b": (4 * s,),
                **{f"dynamic.out.{name}": (4 * n, s) for name in ("w", "u", "b")}}
    return {}  # none; stack: its values are part of the architecture


def _leaky(x):
    return 0.55 * x + 0.45 * abs(x)  # slope 0.1 below zero


def effective(arch: Architecture, way: str, weights: Mapping, knobs) -> dict:
    """The network's own arrays with the knobs at a place.

    Parameters
    ----------
    arch : Architecture
    way : str
        One of `WAYS`; for "none" and "dynamic" the arrays come back as they are; for "stack" the filter's ``stack.b`` and ``stack.a``
        come along, as numpy arrays.
    weights : mapping of str to array or tensor
        All of `shapes` and `conditioning_shapes`.
    knobs : array or tensor, shape (n_knobs,)
        In -1..1.

    Returns
    -------
    dict of str to array or tensor
    """
    own = {name: weights[name] for name in shapes(arch)}
    if way == "concat":
        for name in entries(arch):
            own[name] = own[name] + weights[f"knobs.{name}"] @ knobs
    elif way == "film":
        hidden = _leaky(weights["film.first"] @ knobs + weights["film.first.bias"])
        hidden = _leaky(weights["film.second"] @ hidden + weights["film.second.bias"])
        out = weights["film.out"] @ hidden + weights["film.out.bias"]
        half = out.shape[0] // 2
        scale, shift = 1.0 + out[:half], out[half:]
        if arch.recurrent:  # the cell's output s h + t goes through the head: (W s) h + W t
            own["head.bias"] = own["head.bias"] + own["head.weight"] @ shift
            own["head.weight"] = own["head.weight"] * scale
            return own
        at = 0
        for names, bias in _modulated(arch):
            rows = slice(at, at + own[bias].shape[0])
            for name in names:
                own[name] = own[name] * scale[rows][:, None, None]
            own[bias] = own[bias] * scale[rows] + shift[rows]
            at = rows.stop
    elif way == "hyper":
        hidden = _leaky(weights["hyper.first"] @ knobs + weights["hyper.first.bias"])
        for name in own:
            own[name] = own[name] + (weights[f"hyper.out.{name}"] @ hidden).reshape(own[name].shape)
    elif way == "stack":
        own["stack.b"], own["stack.a"] = arch.stack.coefficients(knobs)
    return own
