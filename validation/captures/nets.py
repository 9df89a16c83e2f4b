"""What a capture is made of, whatever file it came from: frozen descriptions of layers, and how long they remember.

A net is a tuple of layers; each takes (n_channels, n_samples) and gives (n_channels', n_samples), causally.

Conventions: a convolution's weight has shape (out, in / groups, K); tap k looks back (K - 1 - k) * dilation samples, so
k = 0 is the oldest. All arrays are float64 and hold float32-rounded numbers.

References
----------
van den Oord et al., WaveNet: A Generative Model for Raw Audio, 2016, section 2.
Perez et al., FiLM: Visual Reasoning with a General Conditioning Layer, AAAI 2018, equation 1.
Hochreiter and Schmidhuber, Long Short-Term Memory, Neural Computation, 1997.
Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, EMNLP 2014, equations 5 to 8 (here with the
reset gate behind the matrix product, as cuDNN, torch and Keras have it).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

import numpy as np

from validation.captures.activations import Activation


@dataclass(frozen=True, slots=True)
class Convolution:
    """y_o[n] = bias_o + sum_ik weight[o, i, k] x_i[n - (K - 1 - k) dilation]."""

    weight: np.ndarray
    bias: np.ndarray | None = None
    dilation: int = 1
    groups: int = 1

    @property
    def n_in(self) -> int:
        """Channels in."""
        return self.weight.shape[1] * self.groups

    @property
    def n_out(self) -> int:
        """Channels out."""
        return self.weight.shape[0]

    @property
    def memory(self) -> int:
        """Samples that it looks back."""
        return (self.weight.shape[2] - 1) * self.dilation


@dataclass(frozen=True, slots=True)
class Affine:
    """y_c = scale_c x_c + shift_c: a batch normalisation that no longer learns."""

    scale: np.ndarray
    shift: np.ndarray


@dataclass(frozen=True, slots=True)
class Softmax:
    """y_c = exp(x_c) / sum of exp(x) over all ``n`` channels."""

    n: int


@dataclass(frozen=True, slots=True)
class Lstm:
    """Gates in the order i, f, g, o along the rows.

    ``w`` (4H, I), ``u`` (4H, H), ``b`` (4H,), ``h0`` and ``c0`` (H,).
    """

    w: np.ndarray
    u: np.ndarray
    b: np.ndarray
    h0: np.ndarray
    c0: np.ndarray


@dataclass(frozen=True, slots=True)
class Gru:
    """Gates in the order r, z, n along the rows; ``b_w`` and ``b_u`` stay apart because r multiplies u h + b_u only.

    ``w`` (3H, I), ``u`` (3H, H), ``b_w`` and ``b_u`` (3H,), ``h0`` (H,).
    """

    w: np.ndarray
    u: np.ndarray
    b_w: np.ndarray
    b_u: np.ndarray
    h0: np.ndarray


@dataclass(frozen=True, slots=True)
class Film:
    """v becomes scale(c) v + shift(c), both 1x1 convolutions of the condition; ``shift`` tells if there is one."""

    convolution: Convolution
    shift: bool


@dataclass(frozen=True, slots=True)
class TemporalFilm:
    """Blocks of ``block`` samples are scaled and shifted by 1 + h and h' of an LSTM that hears the blocks before; see `temporal`.

    ``w`` (8C, C), ``u`` (8C, 2C), ``b`` (8C,), gates in the order i, f, g, o.
    """

    w: np.ndarray
    u: np.ndarray
    b: np.ndarray
    block: int


@dataclass(frozen=True, slots=True)
class Residual:
    """y = activation(convolution(x)) + scale x, channel by channel; a single channel of x goes to all."""

    convolution: Convolution
    activation: Activation
    scale: np.ndarray


FILMS = ("conv_pre_film", "conv_post_film", "input_mixin_pre_film", "input_mixin_post_film",
         "activation_pre_film", "activation_post_film", "layer1x1_post_film", "head1x1_post_film")


@dataclass(frozen=True, slots=True)
class WaveNetLayer:
    """One layer: dilated convolution, mix-in of the condition (or None), activation, two 1x1 convolutions, eight FiLMs, one temporal FiLM."""

    convolution: Convolution
    mixin: Convolution | None
    layer1x1: Convolution | None
    head1x1: Convolution | None
    activation: Activation
    gating: str = "none"
    secondary: Activation | None = None
    films: tuple[Film | None, ...] = (None,) * 8
    temporal: TemporalFilm | None = None

    @property
    def width(self) -> int:
        """Channels behind the activation."""
        return self.convolution.n_out // (1 if self.gating == "none" else 2)

    @property
    def head_width(self) -> int:
        """Channels that it adds to the head."""
        return self.width if self.head1x1 is None else self.head1x1.n_out


@dataclass(frozen=True, slots=True)
class WaveNetArray:
    """Layers of one width between a rechannelling convolution and a head."""

    rechannel: Convolution
    layers: tuple[WaveNetLayer, ...]
    head: Convolution


@dataclass(frozen=True, slots=True)
class WaveNet:
    """Arrays in sequence; the condition is the dry input or the output of another net."""

    arrays: tuple[WaveNetArray, ...]
    head_scale: float
    condition: tuple = ()
    post: tuple[tuple[Activation, Convolution], ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """A net that sees each moment's last ``length`` samples afresh: strided convolutions, an LSTM from zero, a dense layer.

    ``convolutions`` holds (weight (K, in, out), bias (out,), stride) each, padded as Keras pads 'same'.
    """

    length: int
    convolutions: tuple[tuple[np.ndarray, np.ndarray, int], ...]
    lstm: Lstm
    dense: Convolution


@dataclass(frozen=True, slots=True)
class Model:
    """A capture as read from its file.

    Parameters
    ----------
    path : str
        The file.
    family : str
        The format: ``nam``, ``rtneural``, ``guitarml``, ``wavenetva``, ``smartamppro``.
    architecture : str
        What the file calls it.
    net : tuple
        Layers.
    sample_rate : float or None
        Hz, None if the file does not tell.
    prewarm : int
        Samples of silence that the reference player feeds before the first sample.
    metadata : mapping
        What the file says about itself.
    knobs : tuple of str
        Names of inputs beside the signal, each 0..1.
    skip : bool
        True if the (gained) input is added to the output.
    input_gain, output_gain : float
        Factors before and after.
    n_weights : int
        Learned numbers in the file.
    selftest : tuple of two arrays or None
        Input and output that the file carries.
    """

    path: str
    family: str
    architecture: str
    net: tuple
    sample_rate: float | None = None
    prewarm: int = 0
    metadata: Mapping[str, Any] = field(default_factory=dict)
    knobs: tuple[str, ...] = ()
    skip: bool = False
    input_gain: float = 1.0
    output_gain: float = 1.0
    n_weights: int = 0
    selftest: tuple[np.ndarray, np.ndarray] | None = None


def memory(net: tuple) -> int:
    """Samples that the feed-forward part of a net looks back: its receptive field less one."""
    total = 0
    for layer in net:
        if isinstance(layer, Convolution):
            total += layer.memory
        elif isinstance(layer, Residual):
            total += layer.convolution.memory
        elif isinstance(layer, Window):
            total += layer.length - 1
        elif isinstance(layer, WaveNet):
            total += memory(layer.condition)
            total += sum(one.convolution.memory for array in layer.arrays for one in array.layers)
            total += sum(array.head.memory for array in layer.arrays)
            total += sum(convolution.memory for _, convolution in layer.post)
    return total


def is_recurrent(net: tuple) -> bool:
    """True if some layer has a state that may never be forgotten."""
    return any(isinstance(layer, (Lstm, Gru)) or (isinstance(layer, WaveNet) and (is_recurrent(layer.condition) or any(
        one.temporal is not None for array in layer.arrays for one in array.layers))) for layer in net)


def n_outputs(net: tuple, n_in: int) -> int:
    """Channels that come out of a net."""
    for layer in net:
        if isinstance(layer, Convolution):
            n_in = layer.n_out
        elif isinstance(layer, Residual):
            n_in = layer.convolution.n_out
        elif isinstance(layer, (Lstm, Gru)):
            n_in = layer.u.shape[1]
        elif isinstance(layer, WaveNet):
            n_in = layer.post[-1][1].n_out if layer.post else layer.arrays[-1].head.n_out
        elif isinstance(layer, Window):
            n_in = layer.dense.n_out
    return n_in


def layout(net: tuple) -> str:
    """What a net is made of, in a few words.

    Examples
    --------
    >>> layout((Convolution(np.zeros((1, 1, 64))),))
    'convolution 1 to 1, 64 taps'
    """
    words = []
    for layer in net:
        match layer:
            case Convolution():
                words.append(f"convolution {layer.n_in} to {layer.n_out}, {layer.weight.shape[2]} taps")
            case Lstm() | Gru():
                words.append(f"{type(layer).__name__.upper()} {layer.u.shape[1]}")
            case Activation():
                words.append(layer.kind)
            case Window():
                words.append(f"window of {layer.length} samples into LSTM {layer.lstm.u.shape[1]}")
            case WaveNet():
                channels = ", ".join(str(array.rechannel.n_out) for array in layer.arrays)
                inner = [one for array in layer.arrays for one in array.layers]
                kinds = ", ".join(sorted({one.activation.kind for one in inner}))
                gates = ", ".join(sorted({one.gating for one in inner} - {"none"}))
                condition = f", condition: {layout(layer.condition)}" if layer.condition else ""
                words.append(f"{len(inner)} layers of {channels} channels, {kinds}{', ' + gates if gates else ''}{condition}")
            case _:
                words.append(type(layer).__name__.lower())
    return "; ".join(words)
