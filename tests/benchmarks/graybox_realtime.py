"""How fast a chain of the size of a fitted amplifier runs: seconds of audio for a second of one core.

Run: OMP_NUM_THREADS=1 python tests/benchmarks/graybox_realtime.py
"""

from __future__ import annotations

import time

import numpy as np

from graybox_data import ROOT  # noqa: F401  (puts the project on the path)
from graybox.amplifier import back_bank, front_bank, with_bias, with_free_poles, with_second_curve
from graybox.blocks import Block, BlockProcessor
from graybox.chain import Static
from graybox.curves import TanhSum
from graybox.gainstages import PLANS, drawn_block
from graybox.optimise import Recording
from graybox.structures import free_numbers


RATE = 44100.0


def chain() -> Block:
    """L-N-L-N-L with two creeping biases, as the ladder grows it."""
    rng = np.random.default_rng(0)
    x = 0.2 * rng.standard_normal(20_000)
    pair = [Recording(x, x, skip=2000)]
    curve = TanhSum((1.0, 0.3, 0.2, -0.1), (4.0, 2.0, 1.0, 3.0), (0.2, -0.3, 0.5, 0.1))
    block = Block((front_bank(RATE), Static(curve), back_bank(RATE)), RATE)
    block = with_second_curve(with_bias(block, 1, pair), pair)
    return with_free_poles(with_bias(block, 4, pair))


def row(name: str) -> Block:
    """A row of gain stages as it is drawn before a fit."""
    x = 0.2 * np.random.default_rng(0).standard_normal(20_000)
    return with_free_poles(drawn_block(PLANS[name], [Recording(x, x, skip=2000)], RATE, np.random.default_rng(0))[1])


def main() -> None:
    for block in (chain(), *(row(name) for name in PLANS)):
        show(block)


def show(block: Block) -> None:
    print(f"{free_numbers(block)} free numbers, stages: {', '.join(stage.kind for stage in block.stages)}")
    x = 0.2 * np.random.default_rng(1).standard_normal(int(10 * RATE))
    for oversample in (1, 2, 4):
        for size in (64, 512, 4096):
            processor = BlockProcessor(block, oversample=oversample)
            processor.process(x[:8192])
            best = np.inf
            for _ in range(3):
                began = time.process_time()
                for start in range(0, len(x), size):
                    processor.process(x[start:start + size])
                best = min(best, time.process_time() - began)
            print(f"  oversampling {oversample}, blocks of {size:>5}: {10.0 / best:6.0f} times real time", flush=True)


if __name__ == "__main__":
    main()
