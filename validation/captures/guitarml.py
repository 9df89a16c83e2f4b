"""Read the JSON of Automated-GuitarAmpModelling, NeuralPi, Chameleon, TS-M1N3 and Proteus: torch's LSTM or GRU, a dense layer, a skip.

Knobs, 0..1, are extra inputs beside the signal. The rate is understood to be 44.1 kHz and not written. The state starts
from zeros. A `.nam` LSTM has no skip connection, so these files don't convert one to one.

References
----------
A. Wright, E.-P. Damskägg, L. Juvela, V. Välimäki, Real-Time Guitar Amplifier Emulation with Deep Learning, Applied
Sciences 10(3), 2020, section 3.1.
"""

from __future__ import annotations

import numpy as np

from validation.captures.documents import MAX_CHANNELS, Section
from validation.captures.nets import Convolution, Gru, Lstm, Model

RATE = 44100.0


def read_guitarml(path, document: dict) -> Model:
    """Build a Model.

    Raises
    ------
    ModelFileError
        If the unit is neither LSTM nor GRU, or a matrix has another shape than the sizes say.
    """
    top = Section(path, "", document)
    data, state = top.section("model_data"), top.section("state_dict")
    kind = data.text("unit_type").upper()
    if kind not in ("LSTM", "GRU"):
        data.refuse(f"the unit {kind[:20]!r} is unknown", "Known: LSTM, GRU.")
    n_in, hidden = data.integer("input_size", maximum=3), data.integer("hidden_size", maximum=MAX_CHANNELS)
    data.integer("output_size", 1, maximum=1)
    skip, biased = data.integer("skip", 0, minimum=0, maximum=1), data.flag("bias_fl", True)
    gates = 4 if kind == "LSTM" else 3
    layers, n, count = [], n_in, 0
    for index in range(data.integer("num_layers", 1, maximum=16)):
        w = state.array(f"rec.weight_ih_l{index}", (gates * hidden, n))
        u = state.array(f"rec.weight_hh_l{index}", (gates * hidden, hidden))
        b_w = state.array(f"rec.bias_ih_l{index}", (gates * hidden,)) if biased else np.zeros(gates * hidden)
        b_u = state.array(f"rec.bias_hh_l{index}", (gates * hidden,)) if biased else np.zeros(gates * hidden)
        zeros = np.zeros(hidden)
        layers.append(Lstm(w, u, b_w + b_u, zeros, zeros) if kind == "LSTM" else Gru(w, u, b_w, b_u, zeros))
        count += w.size + u.size + (b_w.size + b_u.size if biased else 0)
        n = hidden
    dense = state.array("lin.weight", (1, hidden))
    shift = state.array("lin.bias", (1,)) if state.has("lin.bias") else None
    layers.append(Convolution(dense[:, :, None], shift))
    count += dense.size + (0 if shift is None else 1)
    metadata = dict(top.section("metadata").values) if top.has("metadata") else {}
    rate = top.number("samplerate", 0.0) or data.number("samplerate", 0.0) or RATE
    return Model(str(path), "guitarml", f"{kind} {len(layers) - 1}x{hidden}", tuple(layers), rate, 0, metadata,
                 tuple(f"knob{index}" for index in range(1, n_in)), skip=skip == 1, n_weights=count)
