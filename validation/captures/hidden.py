"""What the hidden layers of a capture do while it plays: hints for a smaller network that shall learn from it.

A WaveNet gives, for each of its arrays, what its layers have added up before the array's head mixes it; an LSTM or GRU its hidden
states. Arrays are (n_features, n_samples), float32.
"""

from __future__ import annotations

import numpy as np

from circuits.errors import FitError
from validation.captures.nets import Gru, Lstm, Model, WaveNet, memory
from validation.captures.reference import convolve, evaluate, gru, lstm, wavenet_layer

_PIECE = 1 << 16  # samples at once, beside what the layers look back: a standard WaveNet then needs 50 MB


def hidden_activations(model: Model, samples: np.ndarray) -> np.ndarray:
    """Hidden activations of a capture from zero memories, knobs none.

    Parameters
    ----------
    model : Model
    samples : ndarray, shape (n_samples,)
        At the capture's rate.

    Returns
    -------
    ndarray, float32, shape (n_features, n_samples)

    Raises
    ------
    FitError
        If the capture is neither a WaveNet nor made of recurrent layers.
    """
    x = np.asarray(samples, dtype=np.float64)[None] * model.input_gain
    first = model.net[0]
    if isinstance(first, (Lstm, Gru)):
        found = []
        for layer in model.net:
            if not isinstance(layer, (Lstm, Gru)):
                break
            x = lstm(layer, x) if isinstance(layer, Lstm) else gru(layer, x)
            found.append(np.float32(x))
        return np.concatenate(found)
    if not isinstance(first, WaveNet):
        raise FitError(f"the hidden layers of a {model.architecture} can't serve as hints", mend="Take a WaveNet or LSTM capture, or leave out the hints.")
    lead, parts = memory(model.net), []
    for start in range(0, x.shape[1], _PIECE):
        begin = max(start - lead, 0)
        parts.append(np.float32(_arrays(first, x[:, begin:start + _PIECE])[:, start - begin:]))
    return np.concatenate(parts, axis=1)


def _arrays(net: WaveNet, x: np.ndarray) -> np.ndarray:
    """Sums of the layers' outputs of all arrays, as `reference.wavenet` has them on their way."""
    c = evaluate(net.condition, x) if net.condition else x
    y, head, found = x, 0.0, []
    for array in net.arrays:
        y = convolve(array.rechannel, y)
        for layer in array.layers:
            y, share = wavenet_layer(layer, y, c)
            head = head + share
        found.append(head)
        head = convolve(array.head, head)
    return np.concatenate(found)
