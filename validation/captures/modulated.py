"""An LSTM under a dynamic hyper-network, playing: a small LSTM hears the input and scales and shifts the rows of the large one, sample by sample.

In float64, the rows of the gates side by side in the processor's vectors. A gate's rows are padded to whole vectors by zeros, under which a cell stays at 0.

References
----------
D. Ha, A. Dai, Q. V. Le, "HyperNetworks", ICLR 2017, appendix A.2.3.
"""

from __future__ import annotations

import numpy as np

from circuits.errors import SignalError
from circuits.kernels.jit import kernel
from circuits.kernels.lane_math import tanh
from circuits.kernels.lanes import host_lanes, load, store
from circuits.processor import State, check_state

LIMIT = 1e6  # full scale; 120 dB over it
SETTLE = 0.5  # s of silence before the first sample
WIDTH = host_lanes()


@kernel(bare=True)
def _logistic(z):
    return 0.5 + 0.5 * tanh(0.5 * z)


@kernel(bare=True)
def _cell(gates, groups, c, new):
    """Hochreiter and Schmidhuber 1997, gates i, f, g, o, all rows."""
    for q in range(groups):
        i, f = _logistic(load(gates, q, WIDTH)), _logistic(load(gates, groups + q, WIDTH))
        g, o = tanh(load(gates, 2 * groups + q, WIDTH)), _logistic(load(gates, 3 * groups + q, WIDTH))
        now = f * load(c, q, WIDTH) + i * g
        store(c, q, now)
        store(new, q, o * tanh(now))


@kernel
def play_modulated(x, y, side, large, head, head_bias, s, sc, h, c, gates, new):
    """``side``: for each vector of rows bias, input column, columns of s; ``large``: bias, input column, then columns of s for the factor of the input column,
    for the shift and for the factor of the products with h, then the columns of h. Vectors are rows of 2-D arrays."""
    n_side, n = s.size, h.size
    side_groups, groups = len(s), len(h)
    for t in range(len(x)):
        for q in range(4 * side_groups):
            at = q * (2 + n_side)
            total = load(side, at, WIDTH) + load(side, at + 1, WIDTH) * x[t]
            for k in range(n_side):
                total = total + load(side, at + 2 + k, WIDTH) * s[k // WIDTH, k % WIDTH]
            store(gates, q, total)
        _cell(gates, side_groups, sc, new)
        for q in range(side_groups):
            store(s, q, load(new, q, WIDTH))
        for q in range(4 * groups):
            at = q * (2 + 3 * n_side + n)
            dry, shift = load(large, at + 1, WIDTH) * x[t], load(large, at, WIDTH)
            scale_w, scale_u, total = dry * 0.0 + 1.0, dry * 0.0 + 1.0, dry * 0.0
            for k in range(n_side):
                v = s[k // WIDTH, k % WIDTH]
                scale_w = scale_w + load(large, at + 2 + k, WIDTH) * v
                shift = shift + load(large, at + 2 + n_side + k, WIDTH) * v
                scale_u = scale_u + load(large, at + 2 + 2 * n_side + k, WIDTH) * v
            for k in range(n):
                total = total + load(large, at + 2 + 3 * n_side + k, WIDTH) * h[k // WIDTH, k % WIDTH]
            store(gates, q, scale_w * dry + scale_u * total + shift)
        _cell(gates, groups, c, new)
        out = head_bias
        for q in range(groups):
            store(h, q, load(new, q, WIDTH))
            for k in range(WIDTH):
                out += head[q, k] * h[q, k]
        y[t] = out


def _vectors(columns: np.ndarray, units: int) -> np.ndarray:
    """Columns of four gates, shape (4 units, n), as vectors of rows: (vectors of all gates times n, WIDTH)."""
    n = columns.shape[1]
    padded = -(-units // WIDTH) * WIDTH
    whole = np.zeros((4, padded, n))
    whole[:, :units] = columns.reshape(4, units, n)
    return np.ascontiguousarray(whole.reshape(4, padded // WIDTH, WIDTH, n).transpose(0, 1, 3, 2)).reshape(-1, WIDTH)


def _padded(matrix: np.ndarray) -> np.ndarray:
    """Zero columns for rows of a state that are padding."""
    return np.pad(matrix, ((0, 0), (0, -matrix.shape[1] % WIDTH)))


class Modulated:
    """The engine of `trained.TrainedCapture` for dynamic hyper-networks.

    Parameters
    ----------
    network : Network
        As `validation.captures.trained` has it.
    positions : mapping of str to float
        Of the knobs.
    """

    def __init__(self, network, positions):
        self.network = network
        self.retune(positions)
        n, side = network.architecture.widths[0], network.weights["dynamic.u"].shape[1]
        rows, side_rows = -(-n // WIDTH), -(-side // WIDTH)
        self._memory = {"h": np.zeros((rows, WIDTH)), "c": np.zeros((rows, WIDTH)), "s": np.zeros((side_rows, WIDTH)), "sc": np.zeros((side_rows, WIDTH))}
        self._room = np.zeros((4 * max(rows, side_rows), WIDTH)), np.zeros((max(rows, side_rows), WIDTH))
        self._zero = self.state

    @property
    def prewarm(self) -> int:
        """Samples of silence played by `reset`."""
        return int(SETTLE * self.network.sample_rate)

    def retune(self, positions) -> None:
        """Put the knobs elsewhere; the memory stays."""
        network, own = self.network, self.network.weights
        knobs = network.shares(positions)
        n, side = network.architecture.widths[0], own["dynamic.u"].shape[1]
        self._side = _vectors(np.column_stack([own["dynamic.b"] + own["dynamic.w"][:, 1:] @ knobs, own["dynamic.w"][:, 0], _padded(own["dynamic.u"])]), side)
        outs = [_padded(own[f"dynamic.out.{name}"]) for name in ("w", "b", "u")]
        self._large = _vectors(np.column_stack([own["b"], own["w"][:, 0], *outs, _padded(own["u"])]), n)
        self._head, self._head_bias = _padded(own["head.weight"]).reshape(-1, WIDTH), float(own["head.bias"][0])

    def process(self, samples: np.ndarray) -> np.ndarray:
        """Play checked samples, shape (n_samples,)."""
        far = np.abs(samples) > LIMIT
        if far.any():
            bad = int(np.argmax(far))
            raise SignalError(f"sample {bad} is {samples[bad]:g}, beyond 120 dB over full scale", mend="Captures take full-scale audio; turn it down.")
        y, m = np.empty(len(samples)), self._memory
        play_modulated(samples * self.network.input_gain, y, self._side, self._large, self._head, self._head_bias, m["s"], m["sc"], m["h"], m["c"], *self._room)
        return y * self.network.output_gain

    @property
    def state(self) -> State:
        """Copies of the memory."""
        return {name: values.copy() for name, values in self._memory.items()}

    @state.setter
    def state(self, state: State) -> None:
        self._memory = check_state(state, self._memory)

    def reset(self) -> None:
        """Back to settled silence."""
        self.state = self._zero
        self.process(np.zeros(self.prewarm))
