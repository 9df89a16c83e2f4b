"""All laws of a circuit at once, for the searches outside the sample loop: outputs and slopes at given ports.

The sample loop itself does it, on a model without a network whose ports stand where they are told, so that a start compiles one kernel and not two.
"""

from __future__ import annotations

import numpy as np

from circuits.nodal import transient
from circuits.nodal.course import STILL
from circuits.nodal.laws import LawTable
from circuits.nodal.model import ModelArrays
from circuits.nodal.selected import plain_kernel

_NO_AUDIO, _NO_OUTPUT = np.zeros((1, 0)), np.zeros((0, 1))


class Evaluation:
    """The laws of a circuit.

    Parameters
    ----------
    laws : LawTable
        Laid out by `circuits.nodal.laws.law_table`.
    n, m : int
        Ports and columns of outputs.
    """

    def __init__(self, laws: LawTable, n: int, m: int):
        none = np.zeros(0, dtype=np.int64)
        some = np.array([0, m if n else 0], dtype=np.int64)
        self._arrays = ModelArrays(
            F=np.zeros((0, n)), f0=np.zeros(n), KT=np.zeros((m, n)), WT=np.zeros((m, 0)), laws=laws,
            block_start=np.array([0, n]), law_start=np.array([0, len(laws.codes)]), direct=np.ones(1, dtype=np.int64), column_start=some,
            columns=np.arange(m), earlier_start=np.zeros(2, dtype=np.int64), earlier=none, charge=np.zeros(m, dtype=np.int64),
            limits=np.zeros((5, n)), bend=np.zeros(n), a=0.0, keep=0.0, n_states=0, n_outputs=0)
        self._motion = transient.motion_of(self._arrays)
        self._scratch = transient.scratch_of(self._arrays)
        self._tally = transient.tally()
        self._run = plain_kernel(laws) if n else None
        self._at = (laws.slope_column, laws.slope_port)

    def at(self, q: np.ndarray, a: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """Outputs, shape (n_columns,), and slopes, (n_columns, n_ports), at ports q; charges times ``a``."""
        slopes = np.zeros(self._arrays.KT.shape)
        if self._run is None:
            return np.zeros(len(slopes)), slopes
        self._arrays.f0[:] = q
        arrays = self._arrays if a == 0.0 else self._arrays._replace(a=a)
        self._run(arrays, self._motion, self._scratch, STILL, _NO_AUDIO, _NO_OUTPUT, 0, 1, 1.0, self._tally)
        np.add.at(slopes, self._at, self._scratch.slope)
        return self._motion.w.copy(), slopes
