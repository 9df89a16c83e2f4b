"""A network trained here as a Processor, its knobs as controls; and the JSON file that keeps it.

Knobs act on the weights (`conditioning.effective`), so a network at rest is a plain one. When a knob is turned it glides to its
new position in 20 ms, in steps of 64 samples. All networks are played by the kernels of `Capture`, but a dynamic hyper-network by `modulated`, and
what has a tone stack between two networks by `toned`. A fixed filter beside a network plays without latency as an `Impulse`.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Mapping

import numpy as np

from circuits.controls import Control
from circuits.errors import AmpwrightError, ModelFileError, Place
from circuits.processor import Run, State, check_samples, check_state, turned
from validation.audio import check_writable, whole_file
from validation.captures.activations import Activation, plain
from validation.captures.architectures import HEAD_SCALE, Architecture, Stack, shapes
from validation.captures.capture import Capture
from validation.captures.conditioning import conditioning_shapes, effective
from validation.captures.documents import Section, checked_array, read_document
from validation.captures.impulse import Impulse
from validation.captures.modulated import Modulated
from validation.captures.nets import Convolution, Gru, Lstm, Model, Residual, TemporalFilm, WaveNet, WaveNetArray, WaveNetLayer, memory
from validation.captures.toned import Toned

FORMAT, VERSION = "ampwright-network", 1
GLIDE = 0.02  # s, for a knob's whole travel
STEP = 64  # samples between two positions of a gliding knob
SETTLE = 0.5  # s of silence before the first sample of a recurrent network, as NAM's players have it


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A trained network.

    Parameters
    ----------
    architecture : Architecture
    way : str
        Conditioning.
    weights : mapping of str to ndarray
        All arrays, its own and the conditioning's.
    sample_rate : float
        Hz.
    knobs : tuple of mapping
        Fields of a `Control` each.
    input_gain, output_gain : float
        Factors before and behind.
    facts : mapping
        Where it comes from, and its score.
    """

    architecture: Architecture
    way: str
    weights: Mapping[str, np.ndarray]
    sample_rate: float
    knobs: tuple[Mapping[str, object], ...] = ()
    input_gain: float = 1.0
    output_gain: float = 1.0
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def n_parameters(self) -> int:
        """Learned numbers."""
        return sum(values.size for values in self.weights.values())

    def at(self, positions: Mapping[str, float]) -> dict[str, np.ndarray]:
        """The plain network's arrays with the knobs at positions as on the panel."""
        return effective(self.architecture, self.way, self.weights, self.shares(positions))

    def shares(self, positions: Mapping[str, float]) -> np.ndarray:
        """Positions mapped to -1..1."""
        return np.array([2.0 * (positions[one["name"]] - one["minimum"]) / (one["maximum"] - one["minimum"]) - 1.0 for one in self.knobs])


def plain_net(arch: Architecture, own: Mapping[str, np.ndarray]) -> tuple:
    """Layers of `validation.captures.nets` for a network without a tone stack; raises ModelFileError for one with it."""
    if arch.kind == "window":
        layers = []
        for index in range(len(arch.widths)):
            layers += [Convolution(own[f"l{index}.weight"], own[f"l{index}.bias"]), plain("relu")]
        return (*layers, Convolution(own["head.weight"], own["head.bias"]))
    if arch.kind in ("lstm", "gru"):
        zeros = np.zeros(arch.widths[0])
        cell = Lstm(own["w"], own["u"], own["b"], zeros, zeros) if arch.kind == "lstm" else Gru(own["w"], own["u"], own["b"], own["b_u"], zeros)
        return cell, Convolution(own["head.weight"][:, :, None], own["head.bias"])
    if arch.kind == "tcn":
        layers = tuple(Residual(Convolution(own[f"l{j}.weight"], own[f"l{j}.bias"], dilation),
                                Activation("leakyrelu", np.pad(own[f"l{j}.slope"][:, None], ((0, 0), (0, 3)))), own[f"l{j}.residual"])
                       for j, dilation in enumerate(arch.dilations[0]))
        return (*layers, Convolution(own["head.weight"], own["head.bias"]))
    if arch.kind == "gcn":
        layers = tuple(WaveNetLayer(Convolution(own[f"l{j}.weight"], own[f"l{j}.bias"], dilation), None,
                                    Convolution(own[f"l{j}.inner"], own[f"l{j}.inner.bias"]), Convolution(own[f"l{j}.head"]), plain("tanh"), "gated", plain("sigmoid"),
                                    temporal=TemporalFilm(*(own[f"l{j}.tf.{name}"] for name in "wub"), arch.block) if arch.block else None)
                       for j, dilation in enumerate(arch.dilations[0]))
        return (WaveNet((WaveNetArray(Convolution(own["rechannel"]), layers, Convolution(np.ones((1, 1, 1)), own["head.bias"])),), 1.0),)
    if arch.kind != "wavenet":
        raise ModelFileError(f"a network of the kind {arch.kind} is not made of a capture's layers")
    arrays = []
    for a, dilations in enumerate(arch.dilations):
        layers = tuple(WaveNetLayer(Convolution(own[f"a{a}.l{j}.weight"], own[f"a{a}.l{j}.bias"], dilation), Convolution(own[f"a{a}.l{j}.mix"]),
                                    Convolution(own[f"a{a}.l{j}.inner"], own[f"a{a}.l{j}.inner.bias"]), None, plain("tanh"))
                       for j, dilation in enumerate(dilations))
        arrays.append(WaveNetArray(Convolution(own[f"a{a}.rechannel"]), layers, Convolution(own[f"a{a}.head"], own.get(f"a{a}.head.bias"))))
    return (WaveNet(tuple(arrays), HEAD_SCALE),)


class TrainedCapture:
    """A trained network that plays.

    Parameters
    ----------
    network : Network
    dtype : {"float32", "float64"}
        Working precision; a dynamic hyper-network has float64 always.
    """

    def __init__(self, network: Network, dtype: str = "float32"):
        self.network, self.dtype = network, dtype
        self._controls = {one["name"]: Control(**one) for one in network.knobs}
        self._present = self._targets()
        self._due = 0
        self._samples = 0
        kind = network.architecture.kind
        self._plain = kind != "graybox" and network.way != "dynamic"
        if kind == "graybox":
            own = network.at(self._named(self._present))
            before, after = (Capture(one, dtype) for one in self._halves(own))
            self._player = Toned(before, after, (own["stack.b"], own["stack.a"]), int(SETTLE * network.sample_rate))
        else:
            self._player = Capture(self._model(), dtype) if self._plain else Modulated(network, self._named(self._present))
        taps = network.weights.get("linear.taps")
        self._beside = None if taps is None else Impulse(taps * network.input_gain * network.output_gain, network.sample_rate)
        self.reset()

    def _targets(self) -> np.ndarray:
        return np.array([one.position for one in self._controls.values()])

    def _named(self, values) -> dict[str, float]:
        return dict(zip(self._controls, (float(one) for one in values)))

    def _model(self) -> Model:
        network, arch = self.network, self.network.architecture
        own = network.at(self._named(self._present))
        net = plain_net(arch, own)
        prewarm = memory(net) + 1 + (int(SETTLE * network.sample_rate) if arch.recurrent else 0)
        return Model("", FORMAT, arch.kind, net, network.sample_rate, prewarm, dict(network.facts), skip=arch.skip,
                     input_gain=network.input_gain, output_gain=network.output_gain, n_weights=sum(values.size for values in own.values()))

    def _halves(self, own) -> tuple[Model, Model]:
        """The networks on both sides of a tone stack."""
        network, found = self.network, []
        for prefix, inner, gain_in, gain_out in zip(("pre.", "post."), network.architecture.halves, (network.input_gain, 1.0), (1.0, network.output_gain)):
            net = plain_net(inner, {name.removeprefix(prefix): values for name, values in own.items() if name.startswith(prefix)})
            found.append(Model("", FORMAT, inner.kind, net, network.sample_rate, 1, {}, skip=inner.skip, input_gain=gain_in, output_gain=gain_out))
        return found[0], found[1]

    def _apply(self) -> None:
        if self._plain:
            self._player.retune(self._model())
        elif self.network.architecture.kind == "graybox":
            own = self.network.at(self._named(self._present))
            self._player.retune((own["stack.b"], own["stack.a"]))
        else:
            self._player.retune(self._named(self._present))

    @property
    def sample_rate(self) -> float:
        """Hz."""
        return self.network.sample_rate

    @property
    def latency(self) -> int:
        """All networks here are causal: 0."""
        return 0

    @property
    def n_parameters(self) -> int:
        """Learned numbers, the conditioning's too."""
        return self.network.n_parameters

    @property
    def controls(self) -> dict[str, Control]:
        """Knobs that it was trained with."""
        return dict(self._controls)

    @property
    def run(self) -> Run:
        """Samples played since the last reset; nothing is solved."""
        return Run(samples=self._samples)

    def turn(self, **positions: float) -> None:
        """Set knobs; they glide there from the next sample on."""
        self._controls = turned(self._controls, positions)

    def process(self, samples) -> np.ndarray:
        """Play the next samples, shape (n_samples,); raises SignalError as `Capture.process` does."""
        samples = check_samples(samples)
        goals = self._targets()
        at, parts = 0, []
        spans = np.array([one.maximum - one.minimum for one in self._controls.values()])
        while at < len(samples) and not np.array_equal(self._present, goals):
            if self._due == 0:
                reach = spans * STEP / (GLIDE * self.sample_rate)
                self._present = np.where(np.abs(goals - self._present) <= reach, goals, self._present + np.sign(goals - self._present) * reach)
                self._apply()
                self._due = STEP
            size = min(self._due, len(samples) - at)
            parts.append(self._player.process(samples[at:at + size]))
            self._due -= size
            at += size
        if np.array_equal(self._present, goals):
            self._due = 0
        parts.append(self._player.process(samples[at:]))
        self._samples += len(samples)
        played = np.concatenate(parts) if len(parts) > 1 else parts[0]
        return played if self._beside is None else played + self._beside.process(samples)

    @property
    def state(self) -> State:
        """What the layers remember, and knobs on their way."""
        beside = {} if self._beside is None else self._beside.state
        return {**{f"net.{name}": values for name, values in self._player.state.items()}, **{f"beside.{name}": values for name, values in beside.items()}, "present": self._present.copy(),
                "due": np.array(self._due), "count": np.array(self._samples)}

    @state.setter
    def state(self, state: State) -> None:
        state = check_state(state, self.state)
        if not np.array_equal(state["present"], self._present):
            self._present = state["present"]
            self._apply()
        self._player.state = {name.removeprefix("net."): values for name, values in state.items() if name.startswith("net.")}
        if self._beside is not None:
            self._beside.state = {name.removeprefix("beside."): values for name, values in state.items() if name.startswith("beside.")}
        self._due, self._samples = int(state["due"]), int(state["count"])

    def reset(self) -> None:
        """Back to settled silence, knobs where they are set."""
        if not np.array_equal(self._present, self._targets()):
            self._present = self._targets()
            self._apply()
        self._player.reset()
        if self._beside is not None:
            self._beside.reset()
        self._due, self._samples = 0, 0

    def __deepcopy__(self, memo) -> "TrainedCapture":
        return _rebuilt(self.network, self.dtype, self._controls, self.state)

    def __reduce__(self):
        return _rebuilt, (self.network, self.dtype, self._controls, self.state)


def _rebuilt(network, dtype, controls, state) -> TrainedCapture:
    made = TrainedCapture(network, dtype)
    made.turn(**{name: control.position for name, control in controls.items()})
    made.state = state
    return made


def save_network(network: Network, path: str | Path) -> Path:
    """Write a network as JSON, whole or not at all; raises SignalError if it can't be written."""
    path = check_writable(path, suffixes=(".json",))
    content = {"format": FORMAT, "version": VERSION, "architecture": asdict(network.architecture), "conditioning": network.way,
               "sample_rate": network.sample_rate, "knobs": [dict(one) for one in network.knobs], "input_gain": network.input_gain,
               "output_gain": network.output_gain, "facts": dict(network.facts),
               "weights": {name: np.float32(values).tolist() for name, values in network.weights.items()}}
    with whole_file(path) as part:
        part.write_text(json.dumps(content) + "\n", encoding="utf-8")
    return path


def _read_stack(inner: Section) -> Stack | None:
    if inner.get("stack", None) is None:
        return None
    given = inner.section("stack")
    numbers = {name: tuple(float(one) if isinstance(one, (int, float)) else float("nan") for one in given.items(name)) for name in ("components", "rest")}
    words = {name: tuple(str(one) for one in given.items(name)) for name in ("tapers", "knobs")}
    return Stack(numbers["components"], words["tapers"], numbers["rest"], words["knobs"], given.number("sample_rate"))


def read_network(path: str | Path, document: dict | None = None) -> Network:
    """Read what `save_network` wrote.

    Raises
    ------
    ModelFileError
        If the file is damaged, of another kind or version, or its arrays don't have the sizes that its description asks for.
    """
    top = Section(path, "", read_document(path) if document is None else document)
    if top.get("format", "") != FORMAT:
        top.refuse("this is no network that was trained here", "Its format should say ampwright-network.")
    if top.integer("version") != VERSION:
        top.refuse(f"the file has version {top.integer('version')}, and {VERSION} is known", "Update ampwright.")
    inner = top.section("architecture")
    widths = tuple(inner.whole(one, "widths", 1, 512) for one in inner.items("widths"))
    dilations = tuple(tuple(inner.whole(d, "dilations", 1, 1 << 20) for d in (one if isinstance(one, list) else [one])) for one in inner.items("dilations"))
    try:
        arch = Architecture(inner.text("kind"), widths, inner.integer("taps", maximum=1 << 16), dilations, inner.flag("skip"),
                            inner.integer("block", minimum=0, maximum=1 << 16), inner.integer("linear", 0, minimum=0, maximum=1 << 16),
                            _read_stack(inner))
        knobs = tuple({"name": one.text("name"), "minimum": one.number("minimum"), "maximum": one.number("maximum"), "position": one.number("position"),
                       "label": one.text("label", ""), "unit": one.text("unit", ""), "switch": one.flag("switch", False)}
                      for one in (Section(path, f"knobs[{index}]", value) for index, value in enumerate(top.items("knobs"))))
        [Control(**one) for one in knobs]
        way = top.text("conditioning")
        sizes = shapes(arch) | conditioning_shapes(arch, way, len(knobs))
    except AmpwrightError as error:
        raise ModelFileError(error.what, mend=error.mend, place=Place(str(path))) from error
    given = top.section("weights")
    if given.values.keys() != sizes.keys():
        wrong = sorted(given.values.keys() ^ sizes.keys())
        top.refuse(f"the arrays {', '.join(wrong)[:80]} are missing or too many", "The file is damaged.")
    weights = {name: checked_array(path, name, given.get(name), shape) for name, shape in sizes.items()}
    rate = top.number("sample_rate")
    if not 1000.0 <= rate <= 1e6 or arch.memory > 1 << 22:
        top.refuse("the sample rate or the memory makes no sense", "The file is damaged.")
    return Network(arch, way, weights, rate, knobs, top.number("input_gain"), top.number("output_gain"), dict(top.section("facts").values))
