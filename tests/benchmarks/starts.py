"""Prints how many Newton steps a sample takes from different starts: what was tried before the one that is built in was kept.

Run from the root of the tree: ``python tests/benchmarks/starts.py [name ...]`` (library names or paths of decks; six that distort, if none is named).
A second of chords is played once; what each block of ports had to solve, and the solution, are written down. Then the same problems are solved
again from each start, by the guarded Newton of the table kernel. The first half of the second fills what remembers, the second half is counted.

- previous: the last sample's solution. moved: that, moved by the last Jacobian to the new problem; this is what the kernels do.
- straight, curved: two or three last solutions continued by a straight line or a parabola.
- cached: of 4,000 remembered problems the nearest, or the last one if that is nearer, moved by its own Jacobian (the solution cache of ACME.jl).
- tabulated: blocks of one port only, from a table of 4,096 roots, interpolated on straight lines; wider blocks are started as "moved".

Each cell: Newton steps a sample, mean and worst. The last column is what the search alone costs for "cached", ns a sample (k-d tree, compiled).

References
----------
Holters, Zölzer: A generalized method for the derivation of nonlinear state-space models from circuit schematics, EUSIPCO 2015 (starts from the
nearest known solution); ACME.jl, ``CachingSolver``.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from circuits.kernels.jit import kernel  # noqa: E402
from circuits.nodal import transient  # noqa: E402
from circuits.nodal.course import STILL  # noqa: E402
from circuits.nodal.evaluation import Evaluation  # noqa: E402
from circuits.nodal.processor import TOLERANCE, NodalProcessor  # noqa: E402
from circuits.nodal.selected import table_kernel  # noqa: E402
from netlists.library import find  # noqa: E402
from netlists.reader import read  # noqa: E402
from validation.signals import shipped_phrase  # noqa: E402

BENCH = ROOT.parent / "shared" / "bench-netlists"
RATE = 48000.0
LEVEL = 0.7  # volts at full scale of bench decks, which declare none
REMEMBERED, ROOTS = 4000, 4096


def played(processor: NodalProcessor, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the ports had to solve, their solutions, and the companion states of charges, each (n_samples, ...)."""
    model, arrays = processor.model, processor.model.arrays
    motion, scratch, tally = processor.motion, transient.scratch(processor.model), transient.tally()
    u, y = processor.drive(samples), np.empty((arrays.n_outputs, len(samples)))
    table = table_kernel(arrays.laws)
    problems, solutions, charges = (np.empty((len(samples), size)) for size in (model.n_ports, model.n_ports, len(motion.charge)))
    for n in range(len(samples)):
        charges[n] = motion.charge
        table(arrays, motion, scratch, STILL, u, y, n, n + 1, 1e-12, tally)
        problems[n], solutions[n] = motion.p, motion.q
    return problems, solutions, charges


@kernel(solver=True)
def again(model, motion, scratch, problems, charges, starts, keep, tolerance, steps):
    """Solve each problem again; from a row of ``starts``, or from what the last one left if ``keep``. Writes the steps of each sample."""
    for n in range(len(problems)):
        for c in range(len(motion.charge)):
            motion.charge[c] = charges[n, c]
        used = 0
        for b in range(len(model.direct)):
            for r in range(model.block_start[b], model.block_start[b + 1]):
                scratch.out[r] = problems[n, r]
                if keep[b] == 0:
                    motion.q[r] = starts[n, r]
            if keep[b] == 0:
                motion.ready[b] = 0
            count, _, _ = transient.solve_block(model, b, motion, scratch, tolerance)
            used += count
        steps[n] = used


def inverse_jacobians(arrays, problems: np.ndarray, solutions: np.ndarray) -> np.ndarray:
    """dq/dp at solutions, (n, n_ports, n_ports)."""
    laws = Evaluation(arrays.laws, *arrays.KT.shape[::-1])
    found = np.empty((len(solutions), problems.shape[1], problems.shape[1]))
    for k, q in enumerate(solutions):
        slopes = laws.at(q, arrays.a)[1]
        found[k] = np.linalg.inv(np.eye(len(q)) - arrays.KT.T @ slopes)
    return found


def cached(arrays, blocks, problems, solutions, half) -> tuple[np.ndarray, float]:
    """Starts of the second half from the nearest of the remembered problems of the first; ns a sample of the search."""
    starts, spent = np.empty_like(solutions[half:]), 0.0
    known = np.linspace(0, half - 1, min(REMEMBERED, half)).astype(int)
    slope = inverse_jacobians(arrays, problems, solutions[known])
    last = inverse_jacobians(arrays, problems, solutions[half - 1:-1])
    for lo, hi in blocks:
        tree = cKDTree(problems[known, lo:hi])
        begun = time.process_time()
        far, nearest = tree.query(problems[half:, lo:hi])
        spent += time.process_time() - begun
        step = problems[half:, lo:hi] - problems[half - 1:-1, lo:hi]
        own = np.linalg.norm(step, axis=1) <= far
        seen = known[nearest]
        away = problems[half:, lo:hi] - problems[seen, lo:hi]
        from_seen = solutions[seen, lo:hi] + np.einsum("nij,nj->ni", slope[nearest][:, lo:hi, lo:hi], away)
        from_last = solutions[half - 1:-1, lo:hi] + np.einsum("nij,nj->ni", last[:, lo:hi, lo:hi], step)
        starts[:, lo:hi] = np.where(own[:, None], from_last, from_seen)
    return starts, spent / len(starts) * 1e9


def tabulated(blocks, problems, solutions, half) -> tuple[np.ndarray, np.ndarray]:
    """Starts of one-port blocks from a table of roots over the range that the first half saw; which blocks keep the usual start."""
    starts, keep = solutions[half - 1:-1].copy(), np.ones(len(blocks), dtype=np.int64)
    for b, (lo, hi) in enumerate(blocks):
        if hi - lo == 1:
            order = np.argsort(problems[:half, lo])
            p, q = problems[order, lo], solutions[order, lo]
            grid = np.linspace(p[0], p[-1], ROOTS)
            starts[:, lo], keep[b] = np.interp(problems[half:, lo], grid, np.interp(grid, p, q)), 0
    return starts, keep


def row(deck: Path, seconds: float) -> str:
    """One line of the table."""
    circuit = read(deck)
    level = LEVEL if deck.parent.name == BENCH.name else circuit.level
    samples = level * shipped_phrase("chords").samples[:int(seconds * RATE)]
    processor = NodalProcessor(circuit, RATE, kernel="table")
    problems, solutions, charges = played(processor, samples)
    half = len(samples) // 2
    arrays = processor.model.arrays
    alone = arrays._replace(earlier_start=np.zeros_like(arrays.earlier_start))  # what earlier blocks do is in the problems already
    edges = arrays.block_start.tolist()
    blocks = list(zip(edges[:-1], edges[1:]))
    none, every = np.zeros(len(blocks), dtype=np.int64), np.ones(len(blocks), dtype=np.int64)
    near, search = cached(alone, blocks, problems, solutions, half)
    back = [solutions[half - k:len(solutions) - k] for k in (1, 2, 3)]
    roots, keep = tabulated(blocks, problems, solutions, half)
    ways = {"previous": (back[0], none), "moved": (back[0], every), "straight": (2.0 * back[0] - back[1], none),
            "curved": (3.0 * (back[0] - back[1]) + back[2], none), "cached": (near, none), "tabulated": (roots, keep)}
    cells = []
    for starts, kept in ways.values():
        motion, scratch = transient.motion(processor.model), transient.scratch(processor.model)
        motion.q[:], motion.p[:] = solutions[half - 1], problems[half - 1]
        steps = np.empty(len(samples) - half, dtype=np.int64)
        again(alone, motion, scratch, problems[half:], charges[half:], np.ascontiguousarray(starts), kept, TOLERANCE, steps)
        cells.append(f"{steps.mean():.2f}, {steps.max()}")
    return f"| {deck.stem} | {len(edges) - 1} of up to {np.diff(edges).max()} | {' | '.join(cells)} | {search:.0f} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--seconds", type=float, default=1.0)
    options = parser.parse_args()
    decks = [Path(name).resolve() if Path(name).suffix else find(name) for name in options.names]
    bench = [BENCH / f"{name}.cir" for name in ("2_diode_clipper", "5_ts_clipper", "6a_fuzz_face", "6b_big_muff", "7_jcm800_preamp")] if BENCH.is_dir() else []
    decks = decks or [*bench, *(find(name) for name in ("tube_screamer", "tone_bender_mk2", "ds1_distortion"))]
    print("| circuit | blocks of ports | previous | moved (built in) | straight | curved | cached | tabulated | search ns |\n|" + " --- |" * 9)
    for deck in decks:
        print(row(deck, options.seconds), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
