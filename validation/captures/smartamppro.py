"""Read SmartAmpPro's and GuitarLSTM's JSON: strided convolutions and an LSTM that see each moment's last window afresh.

Two linear convolutions (Keras, stride = length, padding "same") shrink a window of 120 samples to one step, an LSTM
takes that step from zero, a dense layer gives the sample. 44.1 kHz. Read and played; not written.

References
----------
K. Bloemer, GuitarLSTM and SmartAmpPro, 2021: facts of the file from their training script.
"""

from __future__ import annotations

import numpy as np

from validation.captures.documents import Section
from validation.captures.nets import Convolution, Lstm, Model, Window

RATE = 44100.0


def read_smartamppro(path, document: dict) -> Model:
    """Build a Model; raises ModelFileError if a matrix is missing or of another shape."""
    top = Section(path, "", document)
    length = top.integer("input_size", maximum=4096)
    convolutions, n, count = [], 1, 0
    for name in ("conv1d", "conv1d_1"):
        section = top.section(name)
        bias = section.array("bias:0", (-1,))
        kernel = section.array("kernel:0", (-1, n, len(bias)))
        convolutions.append((kernel, bias, top.integer(f"{name}_stride", 12, maximum=4096)))
        n, count = len(bias), count + kernel.size + bias.size
    section = top.section("lstm")
    bias = section.array("bias:0", (-1,))
    if len(bias) == 0 or len(bias) % 4:
        section.refuse(f"bias:0 has {len(bias)} numbers, not four for each hidden row", "The file is damaged.")
    hidden = len(bias) // 4
    w = section.array("kernel:0", (n, 4 * hidden))
    steps = length
    for _, _, stride in convolutions:
        steps = -(-steps // stride)
    if steps > 64:
        top.refuse(f"the LSTM takes {steps} steps for every sample", "At most 64 are played.")
    if steps == 1 and not section.has("recurrent_kernel:0"):  # one step from zero never uses it, and some files leave it out
        u = np.zeros((hidden, 4 * hidden))
    else:
        u = section.array("recurrent_kernel:0", (hidden, 4 * hidden))
    dense, shift = top.section("dense").array("kernel:0", (hidden, 1)), top.section("dense").array("bias:0", (1,))
    zeros = np.zeros(hidden)
    layer = Window(length, tuple(convolutions), Lstm(w.T, u.T, bias, zeros, zeros), Convolution(dense.T[:, :, None], shift))
    count += w.size + u.size + bias.size + dense.size + 1
    return Model(str(path), "smartamppro", f"windowed LSTM 1x{hidden}", (layer,), RATE, 0, {}, n_weights=count)
