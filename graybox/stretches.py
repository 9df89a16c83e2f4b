"""Stretches of audio for the first descents of a fit: few places, long enough for slow states, from everywhere.

A structure grows on a part of what there is; the last descent hears all of it.
"""

from __future__ import annotations

import numpy as np

from graybox.optimise import Recording

LEAST = 36_000  # samples of one stretch while a structure grows, if there are enough
FEW = 5  # stretches of a growing structure, if there are fewer recordings


def stretches(recordings, samples: int, rng: np.random.Generator) -> tuple[Recording, ...]:
    """About ``samples`` of audio: from few places, long enough for slow states, but from every control position.

    Which recordings and where a stretch begins is drawn; stretches whose target is nearly silent are left out. A long recording
    gives several stretches, each from a part of its own.
    """
    if sum(len(r.x) for r in recordings) <= samples:
        return tuple(recordings)
    by_position: dict[tuple, list[Recording]] = {}
    for r in recordings:
        by_position.setdefault(tuple(sorted(r.positions.items())), []).append(r)
    count = max(min(samples // LEAST, max(len(recordings), FEW)), len(by_position))
    queues = []
    for group in by_position.values():
        pieces = -(-count // (len(by_position) * len(group)))
        parts = [part for r in group for part in _pieces(r, pieces)]
        queues.append([parts[i] for i in rng.permutation(len(parts))])
    count = min(count, sum(len(queue) for queue in queues))
    picked = []
    while len(picked) < count:
        for queue in queues:
            if queue and len(picked) < count:
                picked.append(queue.pop())
    each = max(samples // count, 6000)
    found = []
    for r in picked:
        if len(r.x) <= each:
            found.append(r)
            continue
        total = np.concatenate([[0.0], np.cumsum(r.y**2)])
        power = total[each:] - total[:-each]
        at = int(rng.choice(np.flatnonzero(power >= 0.5 * power.max())))
        found.append(r.cut(at, at + each, min(2000, each // 3)))
    return tuple(found)


def _pieces(recording: Recording, count: int) -> list[Recording]:
    """The recording in parts of equal length, as many as asked for as long as none is shorter than `LEAST`."""
    count = max(min(count, len(recording.x) // LEAST), 1)
    edges = np.linspace(0, len(recording.x), count + 1).astype(int)
    return [recording.cut(a, b, recording.skip) for a, b in zip(edges[:-1], edges[1:])]
