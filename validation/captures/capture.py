"""A capture as a Processor: played in blocks of any size from one set of weights, to the last bit the same.

Before the first sample a capture is played silence as its reference player does it (`Model.prewarm`), because biases make
silence a steady state that is not zero. Knobs glide to their positions in 20 ms, sample by sample.
"""

from __future__ import annotations

import numpy as np

from circuits.controls import Control
from circuits.errors import CircuitError, ModelFileError, Place, SignalError
from circuits.processor import Run, State, check_samples, check_state, turned
from validation.captures import kernels as k
from validation.captures import segments
from validation.captures.kernels import play
from validation.captures.nets import Model
from validation.captures.program import aligned, build_program

DEFAULT_RATE = 48000.0  # what players assume of a file that does not tell
GLIDE = 0.02  # s, for a knob's whole travel


class Capture:
    """A neural capture that plays.

    Parameters
    ----------
    model : Model
        What was read from the file.
    dtype : {"float32", "float64"}
        Working precision; the reference players have float32.
    input_gain, output_gain : float
        Further factors, for calibration and normalisation.

    Examples
    --------
    >>> from validation.captures.nam import read_nam
    >>> config = {"receptive_field": 2, "bias": False}
    >>> document = {"version": "0.5.0", "architecture": "Linear", "config": config, "weights": [0.5, 0.25]}
    >>> Capture(read_nam("two-taps.nam", document)).process([1.0, 0.0, 0.0])
    array([0.5 , 0.25, 0.  ])
    """

    def __init__(self, model: Model, dtype: str = "float32", *, input_gain: float = 1.0, output_gain: float = 1.0):
        if dtype not in ("float32", "float64"):
            raise CircuitError(f"a capture plays in float32 or float64, not {dtype}", mend="Choose one of the two.")
        self._arguments = (model, dtype, input_gain, output_gain)
        self.model, self.dtype = model, dtype
        self._program = build_program(model, dtype)
        self._table = self._program.table.copy()
        self._weights = aligned(len(self._program.weights), dtype)  # a copy: numba is slow with read-only arrays
        self._weights[:] = self._program.weights
        self._arena = aligned(self._program.arena_size, dtype)
        n_knobs = len(model.knobs)
        self._settings = np.zeros(k.KNOBS + 2 * n_knobs)
        self._settings[:k.KNOBS] = (model.input_gain * input_gain, model.output_gain * output_gain, model.skip,
                                    1.0 / (GLIDE * self.sample_rate))
        self._controls = {name: Control(name, position=0.5) for name in model.knobs}
        self._rest: dict[tuple, State] = {}
        self._samples = 0
        self._plan: segments.Plan | None = None
        self.redone = 0
        self.reset()

    def retune(self, model: Model) -> None:
        """Go on with other weights in a net of the same shape; what the layers remember stays. Raises CircuitError for another shape."""
        program = build_program(model, self.dtype)
        if program.table.shape != self._program.table.shape or program.weights.shape != self._program.weights.shape or model.knobs != self.model.knobs:
            raise CircuitError("these weights are of a net of another shape", mend="Make a new capture of it.")
        self._arguments, self.model, self._program = (model, *self._arguments[1:]), model, program
        self._weights[:] = program.weights
        self._settings[:3] = (model.input_gain * self._arguments[2], model.output_gain * self._arguments[3], model.skip)
        self._rest, self._plan = {}, None

    @property
    def sample_rate(self) -> float:
        """Rate of the file, Hz; 48000 where the file does not tell."""
        return self.model.sample_rate or DEFAULT_RATE

    @property
    def n_parameters(self) -> int:
        """Learned numbers."""
        return self.model.n_weights

    @property
    def operations_per_sample(self) -> int:
        """Multiplications and additions of the layers: every weight is used once a sample; activations are not counted."""
        return 2 * self.model.n_weights

    @property
    def latency(self) -> int:
        """Captures are causal and aligned: 0."""
        return 0

    @property
    def controls(self) -> dict[str, Control]:
        """Knobs that the capture was trained with."""
        return dict(self._controls)

    @property
    def run(self) -> Run:
        """Samples played since the last reset; nothing is solved."""
        return Run(samples=self._samples)

    def turn(self, **positions: float) -> None:
        """Set knobs; they glide there from the next sample on."""
        self._controls = turned(self._controls, positions)
        n_knobs = len(self.model.knobs)
        self._settings[k.KNOBS + n_knobs:] = [control.position for control in self._controls.values()]

    def process(self, samples) -> np.ndarray:
        """Play the next samples.

        Parameters
        ----------
        samples : array_like, shape (n_samples,)
            Input, full scale 1.

        Returns
        -------
        ndarray, shape (n_samples,)
            Output, full scale 1.

        Raises
        ------
        SignalError
            If the input is not mono, or a sample is not finite or beyond 120 dB over full scale.
        """
        if not (type(samples) is np.ndarray and samples.dtype == np.float64 and samples.ndim == 1
                and samples.flags.c_contiguous):
            samples = check_samples(samples)
        output = np.empty(len(samples))
        bad = play(self._arena, self._weights, self._table, self._settings, samples, output)
        if bad >= 0:
            check_samples(samples)
            raise SignalError(f"sample {bad} is {samples[bad]:g}, beyond 120 dB over full scale",
                              mend="Captures take full-scale audio; turn it down.")
        self._samples += len(samples)
        return output

    def render(self, samples) -> np.ndarray:
        """Play a long recording, recurrent nets in parallel segments; otherwise the same as `process`.

        Segments are spliced where their states agree to 4e-6 and played in sequence where they don't, so the result
        differs from `process` by rounding noise of float32 and no more; `redone` counts the samples played twice.

        Parameters
        ----------
        samples : array_like, shape (n_samples,)
            Input, full scale 1.

        Returns
        -------
        ndarray, shape (n_samples,)
            Output, full scale 1.

        Raises
        ------
        SignalError
            As `process` does.
        """
        x = check_samples(samples)
        self.redone = 0
        if self.dtype != "float32" or len(x) < segments.WIDTH * segments.SHORTEST or not segments.splits(self.model):
            return self.process(x)
        if np.abs(x).max() > k.LEVEL_LIMIT:
            return self.process(x)  # which refuses it
        if self._plan is None:
            self._plan = segments.plan(self.model)

        def in_sequence(state, part):
            self._put_recurrent(state)
            output = self.process(part)
            return output, self._take_recurrent()

        before = self._samples
        gains = self._settings[[k.INPUT_GAIN, k.SKIP, k.OUTPUT_GAIN]]
        y, state, self.redone = segments.play_segments(self._plan, x, gains, self._rest_recurrent(),
                                                        self._take_recurrent(), in_sequence)
        self._put_recurrent(state)
        self._samples = before + len(y)
        return np.concatenate([y, self.process(x[len(y):])])

    def _rest_recurrent(self) -> np.ndarray:
        """States at rest without padding."""
        padded, parts, at = next(iter(self._rest.values()))["recurrent"], [], 0
        for _, size, h0, c0 in self._program.recurrent:
            for _ in range(1 if c0 is None else 2):
                parts.append(padded[at:at + len(h0)])
                at += size
        return np.concatenate(parts)

    def _take_recurrent(self) -> np.ndarray:
        """States of the recurrent layers without padding, h before c."""
        return np.concatenate([self._arena[one] for one in self._unpadded()])

    def _put_recurrent(self, state: np.ndarray) -> None:
        at = 0
        for one in self._unpadded():
            self._arena[one] = state[at:at + one.stop - one.start]
            at += one.stop - one.start

    def _unpadded(self):
        for at, padded, h0, c0 in self._program.recurrent:
            yield slice(at, at + len(h0))
            if c0 is not None:
                yield slice(at + 2 * padded, at + 2 * padded + len(h0))

    def _histories(self):
        table, position = self._table, self._table[k.POSITION]
        for index in range(table[k.N_BUFFERS]):
            base, stride, channels, history = table[table[k.BUFFERS] + index * k.BUFFER:][:k.BUFFER]
            for channel in range(channels):
                yield slice(base + channel * stride + position, base + channel * stride + position + history)

    def _recurrent(self):
        for at, padded, _, c0 in self._program.recurrent:
            yield slice(at, at + padded)
            if c0 is not None:
                yield slice(at + 2 * padded, at + 3 * padded)

    @property
    def state(self) -> State:
        """Histories of the convolutions, states of the recurrent layers, knobs on their way, and the sample count."""
        def joined(slices):
            parts = [self._arena[one] for one in slices]
            return np.concatenate(parts) if parts else np.zeros(0, dtype=self.dtype)

        n_knobs = len(self.model.knobs)
        return {"history": joined(self._histories()), "recurrent": joined(self._recurrent()),
                "knobs": self._settings[k.KNOBS:k.KNOBS + n_knobs].copy(), "samples": np.array(self._samples)}

    @state.setter
    def state(self, state: State) -> None:
        state = check_state(state, self.state)
        for name, slices in (("history", self._histories()), ("recurrent", self._recurrent())):
            at = 0
            for one in slices:
                size = one.stop - one.start
                self._arena[one] = state[name][at:at + size]
                at += size
        n_knobs = len(self.model.knobs)
        self._settings[k.KNOBS:k.KNOBS + n_knobs] = state["knobs"]
        self._samples = int(state["samples"])

    def reset(self) -> None:
        """Back to settled silence, or to zero memories where the reference player starts from them."""
        positions = tuple(control.position for control in self._controls.values())
        self._settings[k.KNOBS:] = positions + positions
        if positions not in self._rest:
            self._arena[:] = 0.0
            self._table = self._program.table.copy()
            for at, padded, h0, c0 in self._program.recurrent:
                self._arena[at:at + len(h0)] = h0
                if c0 is not None:
                    self._arena[at + 2 * padded:at + 2 * padded + len(c0)] = c0
            if self.model.prewarm:
                self.process(np.zeros(self.model.prewarm))
            self._samples = 0
            self._rest = {positions: self.state}
            if not all(np.isfinite(values).all() for values in self._rest[positions].values()):
                raise ModelFileError("silence alone drives the net beyond all numbers", place=Place(self.model.path),
                                     mend="The training failed or the file is damaged.")
        self.state = self._rest[positions]

    def __deepcopy__(self, memo) -> "Capture":
        return _rebuilt(self._arguments, self._controls, self.state)

    def __reduce__(self):
        return _rebuilt, (self._arguments, self._controls, self.state)


def _rebuilt(arguments, controls, state) -> Capture:
    model, dtype, input_gain, output_gain = arguments
    capture = Capture(model, dtype, input_gain=input_gain, output_gain=output_gain)
    capture.turn(**{name: control.position for name, control in controls.items()})
    capture.state = state
    return capture
