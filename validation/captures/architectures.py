"""Networks that can be trained here, as plain descriptions: which arrays of numbers each has, how far it looks back, how it starts.

Nothing here needs torch. A network is an `Architecture`, its numbers a dict of arrays by name; `training/networks.py` plays
both in torch, `trained.py` in numba, `exports.py` writes them into the formats of players.

References
----------
E.-P. Damskägg, L. Juvela, E. Thuillier, V. Välimäki, "Deep learning for tube amplifier emulation", ICASSP 2019: WaveNet as a
    feed-forward amplifier. Sizes standard, lite, feather, nano: facts of NAM's file format.
A. Wright, E.-P. Damskägg, L. Juvela, V. Välimäki, "Real-time guitar amplifier emulation with deep learning", Applied Sciences
    10(3), 2020, section 3.1: LSTM and GRU with a skip connection.
C. J. Steinmetz, J. D. Reiss, "Efficient neural networks for real-time modeling of analog dynamic range compression",
    AES Convention 152, 2022 (arXiv 2102.06200): micro-TCN, dilation growing tenfold. Here without batch normalisation and output tanh.
M. Comunità, C. J. Steinmetz, H. Phan, J. D. Reiss, "Modelling black-box audio effects with time-varying feature modulation",
    ICASSP 2023: gated convolutions under temporal FiLM. Here each block of samples is modulated by what was heard up to the
    block before it, so that no sample waits for later ones.
Š. Miklánek, A. Wright, V. Välimäki, J. Schimmel, "Neural grey-box guitar amplifier modelling with limited data", DAFx 2023: a recurrent
    network, the tone stack as a circuit, a recurrent network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from circuits.controls import TAPERS, Control
from circuits.errors import ModelFileError
from circuits.tonestack import bilinear, tone_stack

KINDS = ("window", "lstm", "gru", "wavenet", "tcn", "gcn", "graybox")
STACK_KNOBS = ("treble", "bass", "middle")
HEAD_SCALE = 0.2  # targets are trained at RMS 1; NAM's 0.02 goes with targets near -18 dBFS
_LITE = (tuple(2**k for k in range(7)), (128, 256, 512, *(2**k for k in range(10))))
_FULL = (tuple(2**k for k in range(10)),) * 2
Weights = dict[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class Stack:
    """A white-box tone stack between two networks: nothing of it is learned.

    Parameters
    ----------
    components : tuple of float
        Potentiometers treble, bass, middle, slope resistor (ohms), three capacitors (farads).
    tapers : tuple of str
        Laws of the treble, bass and middle potentiometers.
    rest : tuple of float
        Shares of the travel at which knobs stand that are none of the network's.
    knobs : tuple of str
        Which of `STACK_KNOBS` the network's knobs are, in their order.
    sample_rate : float
        Hz; 0 until it is known.
    """

    components: tuple[float, ...]
    tapers: tuple[str, str, str] = ("lin", "log", "lin")
    rest: tuple[float, float, float] = (0.5, 0.5, 0.5)
    knobs: tuple[str, ...] = ()
    sample_rate: float = 0.0

    def __post_init__(self):
        if (len(self.components) != 7 or not all(0.0 < one < 1e9 for one in self.components) or len(self.tapers) != 3 or set(self.tapers) - set(TAPERS)
                or len(self.rest) != 3 or not all(0.0 <= one <= 1.0 for one in self.rest) or len(set(self.knobs)) != len(self.knobs)
                or not 0.0 <= self.sample_rate <= 1e6):
            raise ModelFileError("a tone stack with these values makes no sense", mend="Seven positive components, three tapers, three shares of the travel.")
        unknown = [name for name in self.knobs if name not in STACK_KNOBS]
        if unknown:
            raise ModelFileError(f"a tone stack has no knob {unknown[0]!r}", mend=f"Vary only {', '.join(STACK_KNOBS)}: --vary at ampwright dataset.")

    def coefficients(self, knobs) -> tuple[np.ndarray, np.ndarray]:
        """Digital b and a, shape (4,), with the knobs in -1..1."""
        shares = dict(zip(STACK_KNOBS, self.rest)) | {name: 0.5 + 0.5 * float(one) for name, one in zip(self.knobs, knobs)}
        tracks = tuple(Control(name, taper=taper).value_at(min(max(shares[name], 0.0), 1.0)) for name, taper in zip(STACK_KNOBS, self.tapers))
        return bilinear(*tone_stack(self.components, tracks), self.sample_rate)


@dataclass(frozen=True, slots=True)
class Architecture:
    """One network.

    Parameters
    ----------
    kind : {"window", "lstm", "gru", "wavenet", "tcn", "gcn", "graybox"}
    widths : tuple of int
        window: units of each hidden layer; lstm, gru: units; wavenet: channels of each array; tcn, gcn: channels; graybox: units of
        the LSTM before the tone stack and of the one with skip behind it.
    taps : int
        Of each convolution; for a window its length in samples.
    dilations : tuple of tuple of int
        For each array (one for tcn and gcn), one number a layer.
    skip : bool
        lstm, gru: the input is added to the output.
    block : int
        gcn: samples that share one modulation by temporal FiLM; 0 for none.
    linear : int
        Taps of a fixed filter beside the network, whose output is added; 0 for none.
    stack : Stack or None
        graybox: the tone stack between the two networks.
    """

    kind: str
    widths: tuple[int, ...]
    taps: int = 1
    dilations: tuple[tuple[int, ...], ...] = ()
    skip: bool = False
    block: int = 0
    linear: int = 0
    stack: Stack | None = None

    def __post_init__(self):
        arrays = {"wavenet": len(self.widths), "tcn": 1, "gcn": 1}.get(self.kind, 0)
        numbers = [*self.widths, self.taps, *(d for one in self.dilations for d in one)]
        if (self.kind not in KINDS or not self.widths or min(numbers) < 1 or len(self.dilations) != arrays or any(not one for one in self.dilations)
                or self.kind not in ("window", "wavenet") and len(self.widths) != (2 if self.kind == "graybox" else 1) or self.block < 0
                or self.linear < 0 or (self.kind == "graybox") != (self.stack is not None)):
            raise ModelFileError(f"a network of the kind {self.kind!r} with these sizes makes no sense", mend=f"Kinds: {', '.join(KINDS)}.")

    @property
    def recurrent(self) -> bool:
        """True for networks with LSTM or GRU cells from sample to sample, which are trained by truncated backpropagation."""
        return self.kind in ("lstm", "gru", "graybox")

    @property
    def halves(self) -> tuple["Architecture", "Architecture"]:
        """graybox: the LSTM before the tone stack and the one with skip behind it (the paper has a GRU; torch trains LSTMs several times faster on a CPU)."""
        return Architecture("lstm", self.widths[:1]), Architecture("lstm", self.widths[1:], skip=True)

    @property
    def memory(self) -> int:
        """Samples that the convolutions look back; 0 for recurrent ones, which have no end to it."""
        if self.recurrent:
            return 0
        return self.taps - 1 if self.kind == "window" else (self.taps - 1) * sum(d for one in self.dilations for d in one)


_MARSHALL = Stack((220e3, 1e6, 22e3, 33e3, 470e-12, 22e-9, 22e-9))  # 2203 and JCM800, as in netlists/library/preamp_2203.cir
_FENDER = Stack((250e3, 250e3, 10e3, 100e3, 250e-12, 100e-9, 47e-9))  # AB763, as in netlists/library/tonestack_fmv.cir
_BASSMAN = Stack((250e3, 1e6, 25e3, 56e3, 250e-12, 20e-9, 20e-9))  # 5F6-A: Yeh and Smith 2006
PRESETS = {
    "ff-32": Architecture("window", (32, 32), 32),
    "ff-4096": Architecture("window", (16,), 4096),
    **{f"lstm-{n}": Architecture("lstm", (n,)) for n in (8, 16, 24, 32, 96)},
    **{f"lstm-{n}-skip": Architecture("lstm", (n,), skip=True) for n in (16, 32)},
    **{f"gru-{n}": Architecture("gru", (n,), skip=True) for n in (8, 16, 32)},
    "wavenet-standard": Architecture("wavenet", (16, 8), 3, _FULL),
    "wavenet-lite": Architecture("wavenet", (12, 6), 3, _LITE),
    "wavenet-feather": Architecture("wavenet", (8, 4), 3, _LITE),
    "wavenet-nano": Architecture("wavenet", (4, 2), 3, _LITE),
    "tcn": Architecture("tcn", (16,), 5, ((1, 10, 100, 1000),)),
    "tcn-small": Architecture("tcn", (8,), 5, ((1, 10, 100),)),
    "gcn": Architecture("gcn", (16,), 3, (tuple(2**k for k in range(9)),)),
    "graybox-marshall": Architecture("graybox", (16, 8), stack=_MARSHALL),
    "graybox-fender": Architecture("graybox", (16, 8), stack=_FENDER),
    "graybox-bassman": Architecture("graybox", (16, 8), stack=_BASSMAN),
    "gcn-tfilm": Architecture("gcn", (8,), 3, (tuple(2**k for k in range(9)),), block=128),
}


def architecture(name: str) -> Architecture:
    """A preset by its name; raises ModelFileError with the list.

    Examples
    --------
    >>> sum(math.prod(shape) for shape in shapes(architecture("wavenet-nano")).values()) + 1  # and the head's scale
    842
    """
    if name not in PRESETS:
        raise ModelFileError(f"there is no network {name!r}", mend=f"Choose from {', '.join(PRESETS)}.")
    return PRESETS[name]


def shapes(arch: Architecture) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a network's arrays. Convolutions are (out, in, taps), the oldest tap first; LSTM rows are in the order
    i, f, g, o, GRU rows r, z, n."""
    n = arch.widths[0]
    found: dict[str, tuple[int, ...]] = {}
    if arch.kind == "window":
        n_in, taps = 1, arch.taps
        for index, width in enumerate(arch.widths):
            found |= {f"l{index}.weight": (width, n_in, taps), f"l{index}.bias": (width,)}
            n_in, taps = width, 1
        return found | {"head.weight": (1, n_in, 1), "head.bias": (1,)}
    if arch.kind == "graybox":
        return {f"{half}.{name}": shape for half, inner in zip(("pre", "post"), arch.halves) for name, shape in shapes(inner).items()}
    if arch.recurrent:
        gates = 4 if arch.kind == "lstm" else 3
        found = {"w": (gates * n, 1), "u": (gates * n, n), "b": (gates * n,)}
        return found | ({"b_u": (3 * n,)} if arch.kind == "gru" else {}) | {"head.weight": (1, n), "head.bias": (1,)}
    if arch.kind == "wavenet":
        n_in = 1
        for a, (width, dilations) in enumerate(zip(arch.widths, arch.dilations)):
            found[f"a{a}.rechannel"] = (width, n_in, 1)
            for j in range(len(dilations)):
                at = f"a{a}.l{j}"
                found |= {f"{at}.weight": (width, width, arch.taps), f"{at}.bias": (width,), f"{at}.mix": (width, 1, 1),
                          f"{at}.inner": (width, width, 1), f"{at}.inner.bias": (width,)}
            last = a + 1 == len(arch.widths)
            found[f"a{a}.head"] = (1 if last else arch.widths[a + 1], width, 1)
            if last:
                found[f"a{a}.head.bias"] = (1,)
            n_in = width
        return found
    wide = n if arch.kind == "tcn" else 2 * n
    if arch.kind == "gcn":
        found["rechannel"] = (n, 1, 1)
    for j in range(len(arch.dilations[0])):
        found |= {f"l{j}.weight": (wide, 1 if arch.kind == "tcn" and j == 0 else n, arch.taps), f"l{j}.bias": (wide,)}
        if arch.kind == "tcn":
            found |= {f"l{j}.slope": (n,), f"l{j}.residual": (n,)}
        else:
            found |= {f"l{j}.inner": (n, n, 1), f"l{j}.inner.bias": (n,), f"l{j}.head": (1, n, 1)}
            if arch.block:
                found |= {f"l{j}.tf.w": (8 * n, n), f"l{j}.tf.u": (8 * n, 2 * n), f"l{j}.tf.b": (8 * n,)}
    return found | ({"head.weight": (1, n, 1)} if arch.kind == "tcn" else {}) | {"head.bias": (1,)}


def initial(sizes: dict[str, tuple[int, ...]], rng: np.random.Generator) -> Weights:
    """Starting numbers: uniform within one over the square root of what one output sums up; what acts on top of a network starts neutral."""
    found = {}
    for name, shape in sizes.items():
        if name.endswith(("slope", "residual")):
            found[name] = np.full(shape, 0.25 if name.endswith("slope") else 1.0)
        elif name.startswith(("film.out", "hyper.out.", "dynamic.out", "head.bias", "pre.head.bias", "post.head.bias", "linear.")):
            found[name] = np.zeros(shape)
        else:
            fan = math.prod(shape[1:]) if len(shape) > 1 else max(shape[0] // 4, 1)
            found[name] = rng.uniform(-1.0, 1.0, shape) / math.sqrt(fan)
    return found
