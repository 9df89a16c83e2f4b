"""How a model moves while it plays: the low-rank update of one sample after another, made ready for the sample loop a stretch at a time.

    H = H1 - left D (I + middle D)^-1 right,     D = diag(changes of conductance),

with H the model's arrays F, f0, KT and WT, which lie one behind the other in one piece of memory, and H1 those where the course begins.

References
----------
Woodbury: Inverting modified matrices, Princeton Statistical Research Group Memo 42, 1950.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from circuits.kernels.dense import factor, substitute
from circuits.kernels.jit import kernel
from circuits.nodal.model import ModelArrays

ROWS = 64  # models of a stretch: a block at the audio rate
NODE = 4  # audio samples from one model that is computed to the next; between them its numbers move straight


class Course(NamedTuple):
    """A stretch of a glide.

    every : samples for which a row holds, 0 where nothing moves; phase : samples since the first row began.
    rows : (n_rows, n_numbers) F, f0, KT and WT of each; present : (n_numbers,) the memory of the arrays that play.
    """

    every: int
    phase: int
    rows: np.ndarray
    present: np.ndarray


STILL = Course(0, 0, np.zeros((0, 0)), np.zeros(0))


def views(arrays: ModelArrays, memory: np.ndarray) -> ModelArrays:
    """The model with its F, f0, KT and WT in one piece of memory."""
    shapes = [part.shape for part in (arrays.F, arrays.f0, arrays.KT, arrays.WT)]
    parts, at = [], 0
    for shape in shapes:
        size = int(np.prod(shape))
        parts.append(memory[at:at + size].reshape(shape))
        at += size
    return arrays._replace(F=parts[0], f0=parts[1], KT=parts[2], WT=parts[3])


@kernel
def between(nodes, first, last, position, rows):
    """Fill rows at the audio samples ``position``, ``position + 1``... of a way between knots of ``last`` samples.

    ``nodes`` hold the models at the multiples of `NODE` from ``first`` times it on, and at ``last``. A row depends on where it stands alone, so that any
    division into stretches gives the same bits.
    """
    for row in range(len(rows)):
        at = position + row
        node = at // NODE
        begin, end = node * NODE, min((node + 1) * NODE, last)
        low = nodes[node - first]
        if at == begin:
            rows[row, :] = low
        else:
            high = nodes[node + 1 - first]
            share = (at - begin) / (end - begin)
            for k in range(len(low)):
                rows[row, k] = low[k] + share * (high[k] - low[k])


@kernel
def follow(left, middle, right, change, start, n_columns, n_ports, rows):
    """Write the models of a stretch.

    left : (m, n_out), middle : (m, m), right : (n_right, m), the latter for the columns of F, then f0, then those of KT and WT.
    change : (n_rows, m) siemens since the beginning; start : the model there, laid out as the rows are.
    """
    m, n_out = left.shape
    M, pivots, b = np.zeros((m, m)), np.zeros(m, dtype=np.int64), np.zeros(m)
    base = (n_columns + 1) * n_out
    n_laws = len(right) - n_columns - 1
    for row in range(len(change)):
        out = rows[row]
        for k in range(len(out)):
            out[k] = start[k]
        for i in range(m):
            for r in range(m):
                M[i, r] = middle[r, i] * change[row, i]  # transposed, as `factor` wants it
            M[i, i] += 1.0
        if not factor(M, pivots, m):
            continue  # no such circuit: for one sample it stays where the course began
        for c in range(len(right)):
            for i in range(m):
                b[i] = right[c, i]
            substitute(M, pivots, b, m)
            law = c - n_columns - 1
            for i in range(m):
                value = b[i] * change[row, i]
                if law < 0:
                    for k in range(n_out):
                        out[c * n_out + k] -= value * left[i, k]
                else:
                    for k in range(n_ports):
                        out[base + law * n_ports + k] -= value * left[i, k]
                    at = base + n_laws * n_ports + law * (n_out - n_ports) - n_ports
                    for k in range(n_ports, n_out):
                        out[at + k] -= value * left[i, k]
