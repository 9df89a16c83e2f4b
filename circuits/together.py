"""Processors that play side by side: circuits of one structure share vector lanes, all others play one after the other."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from circuits.kernels import store
from circuits.nodal.lanes import LaneKernel, can_play, lane_kernel, lane_path, process_lanes
from circuits.nodal.processor import NodalProcessor
from circuits.processor import Processor, check_samples


class Together:
    """Processors that play side by side: `process` gives what each would give alone, to the solver's tolerance.

    Those of circuits with one structure, oversampled or not, share vector lanes if the kernel for them is compiled; all others play one after the other.
    Every processor keeps its own state and run.

    Parameters
    ----------
    processors : sequence of Processor
        Of any kind.

    Examples
    --------
    >>> from circuits.circuit import Circuit
    >>> from circuits.elements import Resistor, VoltageSource
    >>> divider = Circuit((VoltageSource("v", ("a", "0")), Resistor("r", ("a", "0"), 1e3)), input="v", outputs=("a",))
    >>> pair = Together([NodalProcessor(divider, 48000.0), NodalProcessor(divider, 48000.0)])
    >>> [out.tolist() for out in pair.process([[1.0], [2.0]])]
    [[1.0], [2.0]]
    """

    def __init__(self, processors: Sequence[Processor]):
        self._wrapped = [_unwrapped(one) for one in processors]
        self._groups: list[tuple[list[int], LaneKernel | None]] = []
        self._seen: list[object] = []

    def process(self, signals: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Play one block, a signal for each processor; raises what their ``process`` raises."""
        played = [check_samples(x) for x in signals]
        for k, (wrappers, _) in enumerate(self._wrapped):
            for wrapper in wrappers:
                played[k] = wrapper.raised(played[k])
        for some, kernel in self._grouped():
            if kernel is not None and len({len(played[k]) for k in some}) == 1:
                outs = process_lanes(kernel, [self._wrapped[k][1] for k in some], [played[k] for k in some])
            else:
                outs = [self._wrapped[k][1].process(played[k]) for k in some]
            for k, out in zip(some, outs):
                played[k] = out
        for k, (wrappers, _) in enumerate(self._wrapped):
            for wrapper in reversed(wrappers):
                played[k] = wrapper.lowered(played[k])
        return played

    def _grouped(self) -> list[tuple[list[int], LaneKernel | None]]:
        """Which processors share a vector, and its kernel; found anew when a model has changed."""
        cores = [one for _, one in self._wrapped]
        seen = [one.model if isinstance(one, NodalProcessor) else one for one in cores]
        if len(seen) == len(self._seen) and all(a is b for a, b in zip(seen, self._seen)):
            return self._groups
        self._seen, self._groups = seen, []
        alike: dict[tuple, list[int]] = {}
        for k, one in enumerate(cores):
            alike.setdefault((lane_path(one.model), one.tolerance, one.sample_rate, one.rule) if can_play(one) else (k,), []).append(k)
        for key, some in alike.items():
            kernel = None
            if len(key) > 1 and store.is_compiled(key[0]):
                kernel = lane_kernel(cores[some[0]].model)
            size = kernel.count if kernel else len(some)
            self._groups += [(some[at:at + size], kernel) for at in range(0, len(some), size)]
        return self._groups


def _unwrapped(processor: Processor) -> tuple[list, Processor]:
    """Wrappers that only change what goes in and comes out, from the outside in, and what is inside."""
    wrappers = []
    while hasattr(processor, "raised") and hasattr(processor, "lowered"):
        wrappers.append(processor)
        processor = processor.inner
    return wrappers, processor
