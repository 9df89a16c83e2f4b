"""Kernels for the trained networks that no player's format holds: TCN, gated convolutions under temporal FiLM, hyper-networks that never rest.

All in float64, sample by sample, from ring buffers, so that blocks of any size give the same bits. Plain loops: 2 to 6 times
slower than the vector kernels of `Capture`, for networks that are small.

References
----------
See `validation.captures.architectures` and `validation.captures.conditioning`.
"""

from __future__ import annotations

import math

import numpy as np

from circuits.errors import SignalError
from circuits.kernels.jit import kernel
from circuits.processor import State, check_state

LIMIT = 1e6  # full scale; 120 dB over it


@kernel
def play_stack(x, y, gated, entry, weight, bias, slope, residual, inner, inner_bias, heads, last, head_bias, dilations, block,
               tf_w, tf_u, tf_b, history, offsets, where, pooled, tf_h, tf_c, count):
    """TCN (``gated`` 0) or gated stack. weight (layers, rows, channels, taps); history is one ring a layer, lengths (taps - 1) dilation + 1."""
    layers, channels, taps = weight.shape[0], weight.shape[2], weight.shape[3]
    cur = np.zeros(channels)
    a = np.zeros(channels)
    gates = np.zeros(8 * channels)
    for n in range(len(x)):
        for c in range(channels):
            cur[c] = entry[c] * x[n]
        out = head_bias
        for layer in range(layers):
            ring = (taps - 1) * dilations[layer] + 1
            base = offsets[layer]
            now = where[layer]
            for c in range(channels):
                history[base + c * ring + now] = cur[c]
            for c in range(channels):
                total = bias[layer, c]
                gate = bias[layer, channels + c] if gated else 0.0
                for k in range(taps):
                    at = now - (taps - 1 - k) * dilations[layer]
                    if at < 0:
                        at += ring
                    for i in range(channels):
                        v = history[base + i * ring + at]
                        total += weight[layer, c, i, k] * v
                        if gated:
                            gate += weight[layer, channels + c, i, k] * v
                if gated:
                    a[c] = math.tanh(total) * 0.5 * (1.0 + math.tanh(0.5 * gate))
                else:
                    a[c] = total if total > 0.0 else slope[layer, c] * total
            where[layer] = now + 1 if now + 1 < ring else 0
            if block > 0:
                for c in range(channels):
                    if a[c] > pooled[layer, c]:
                        pooled[layer, c] = a[c]
                    # tf_h holds what the blocks before gave; zero before the first
                if count[0] % block == block - 1:
                    for r in range(8 * channels):
                        total = tf_b[layer, r]
                        for c in range(channels):
                            total += tf_w[layer, r, c] * pooled[layer, c]
                        for c in range(2 * channels):
                            total += tf_u[layer, r, c] * tf_h[layer, c]
                        gates[r] = total
                for c in range(channels):
                    a[c] = (1.0 + tf_h[layer, c]) * a[c] + tf_h[layer, channels + c]
                if count[0] % block == block - 1:
                    for c in range(2 * channels):
                        i = 0.5 * (1.0 + math.tanh(0.5 * gates[c]))
                        f = 0.5 * (1.0 + math.tanh(0.5 * gates[2 * channels + c]))
                        o = 0.5 * (1.0 + math.tanh(0.5 * gates[6 * channels + c]))
                        tf_c[layer, c] = f * tf_c[layer, c] + i * math.tanh(gates[4 * channels + c])
                        tf_h[layer, c] = o * math.tanh(tf_c[layer, c])
                    for c in range(channels):
                        pooled[layer, c] = -2.0
            if gated:
                for c in range(channels):
                    total = inner_bias[layer, c]
                    for i in range(channels):
                        total += inner[layer, c, i] * a[i]
                    cur[c] += total
                    out += heads[layer, c] * a[c]
            else:
                for c in range(channels):
                    cur[c] = a[c] + residual[layer, c] * cur[c]
        count[0] += 1
        for c in range(channels):
            out += last[c] * cur[c]
        y[n] = out


@kernel
def play_hyper(x, y, knobs, w, u, b, head, head_bias, side_w, side_u, side_b, out_w, out_u, out_b, h, c, s, sc):
    """LSTM under a dynamic hyper-network, gates i, f, g, o: Ha et al. 2017, appendix A.2.3."""
    hidden, side = len(h), len(s)
    gates = np.zeros(4 * hidden)
    side_gates = np.zeros(4 * side)
    for n in range(len(x)):
        for r in range(4 * side):
            total = side_b[r] + side_w[r, 0] * x[n]
            for k in range(len(knobs)):
                total += side_w[r, 1 + k] * knobs[k]
            for k in range(side):
                total += side_u[r, k] * s[k]
            side_gates[r] = total
        for k in range(side):
            i = 0.5 * (1.0 + math.tanh(0.5 * side_gates[k]))
            f = 0.5 * (1.0 + math.tanh(0.5 * side_gates[side + k]))
            o = 0.5 * (1.0 + math.tanh(0.5 * side_gates[3 * side + k]))
            sc[k] = f * sc[k] + i * math.tanh(side_gates[2 * side + k])
            s[k] = o * math.tanh(sc[k])
        for r in range(4 * hidden):
            scale_w, scale_u, shift, total = 1.0, 1.0, 0.0, 0.0
            for k in range(side):
                scale_w += out_w[r, k] * s[k]
                scale_u += out_u[r, k] * s[k]
                shift += out_b[r, k] * s[k]
            for k in range(hidden):
                total += u[r, k] * h[k]
            gates[r] = scale_w * w[r] * x[n] + scale_u * total + b[r] + shift
        out = head_bias
        for k in range(hidden):
            i = 0.5 * (1.0 + math.tanh(0.5 * gates[k]))
            f = 0.5 * (1.0 + math.tanh(0.5 * gates[hidden + k]))
            o = 0.5 * (1.0 + math.tanh(0.5 * gates[3 * hidden + k]))
            c[k] = f * c[k] + i * math.tanh(gates[2 * hidden + k])
            h[k] = o * math.tanh(c[k])
            out += head[k] * h[k]
        y[n] = out


class Stack:
    """A TCN, a gated stack or a dynamic hyper-network that plays from its own memory; the engine of `trained.TrainedCapture`.

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
        arch, n = network.architecture, network.architecture.widths[0]
        if network.way == "dynamic":
            side = network.weights["dynamic.u"].shape[1]
            self._memory = {"h": np.zeros(n), "c": np.zeros(n), "s": np.zeros(side), "sc": np.zeros(side)}
            self._prewarm = int(0.5 * network.sample_rate)
        else:
            dilations = np.array(arch.dilations[0], dtype=np.int64)
            rings = (arch.taps - 1) * dilations + 1
            self._dilations, self._offsets = dilations, np.concatenate([[0], np.cumsum(rings * n)[:-1]]).astype(np.int64)
            layers = len(dilations)
            self._memory = {"history": np.zeros(int(np.sum(rings * n))), "where": np.zeros(layers, dtype=np.int64), "pooled": np.full((layers, n), -2.0),
                            "tf_h": np.zeros((layers, 2 * n)), "tf_c": np.zeros((layers, 2 * n)), "count": np.zeros(1, dtype=np.int64)}
            self._prewarm = arch.memory + 1
        self._zero = self.state

    @property
    def prewarm(self) -> int:
        """Samples of silence played by `reset`."""
        return self._prewarm

    def retune(self, positions) -> None:
        """Put the knobs elsewhere; the memory stays."""
        network = self.network
        own, arch = network.at(positions), network.architecture
        self._knobs = network.shares(positions)
        if network.way == "dynamic":
            self._numbers = (own["w"][:, 0].copy(), own["u"], own["b"], own["head.weight"][0].copy(), float(own["head.bias"][0]),
                             *(network.weights[f"dynamic.{name}"] for name in ("w", "u", "b", "out.w", "out.u", "out.b")))
            return
        n, layers, gated = arch.widths[0], len(arch.dilations[0]), arch.kind == "gcn"
        rows = 2 * n if gated else n
        weight = np.zeros((layers, rows, n, arch.taps))
        for j in range(layers):
            given = own[f"l{j}.weight"]
            weight[j, :, :given.shape[1]] = given

        def stacked(name, shape):
            return np.stack([own[name.format(j)].reshape(shape) for j in range(layers)]) if name.format(0) in own else np.zeros((layers, *shape))

        self._numbers = (gated, own["rechannel"][:, 0, 0].copy() if gated else np.ones(n), weight, stacked("l{}.bias", (rows,)), stacked("l{}.slope", (n,)),
                         stacked("l{}.residual", (n,)), stacked("l{}.inner", (n, n)), stacked("l{}.inner.bias", (n,)), stacked("l{}.head", (n,)),
                         np.zeros(n) if gated else own["head.weight"][0, :, 0].copy(), float(own["head.bias"][0]))
        self._film = (stacked("l{}.tf.w", (8 * n, n)), stacked("l{}.tf.u", (8 * n, 2 * n)), stacked("l{}.tf.b", (8 * n,)))

    def process(self, samples: np.ndarray) -> np.ndarray:
        """Play checked samples, shape (n_samples,)."""
        far = np.abs(samples) > LIMIT
        if far.any():
            bad = int(np.argmax(far))
            raise SignalError(f"sample {bad} is {samples[bad]:g}, beyond 120 dB over full scale", mend="Captures take full-scale audio; turn it down.")
        x, y, m = samples * self.network.input_gain, np.empty(len(samples)), self._memory
        if self.network.way == "dynamic":
            play_hyper(x, y, self._knobs, *self._numbers, m["h"], m["c"], m["s"], m["sc"])
        else:
            play_stack(x, y, *self._numbers, self._dilations, self.network.architecture.block, *self._film, m["history"], self._offsets, m["where"],
                       m["pooled"], m["tf_h"], m["tf_c"], m["count"])
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
        self.process(np.zeros(self._prewarm))
