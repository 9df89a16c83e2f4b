"""Prints the ESR of the nodal engine at oversampling 8 against ngspice, with controls turned: ``python tests/golden/turned.py SEED [name ...]``.

Each deck gets controls at random positions and a sine of 0.2 to 2 V between 80 Hz and 1.5 kHz, 60 ms long; ngspice gets the values that the tapers
make of the positions. Needs ngspice; a few minutes for the whole library. `tests/benchmarks/corpus.py` asks the same of any folder.

The offset of the reference is no signal: it is taken from both. The last samples are left out, as in `tests/golden/compare.py`: the filters of the
reference end with the recording and mix its last 6 ms with a future that they assume, while our oversampler plays on.
"""

import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "golden")]

import compare  # noqa: E402  (beside this file)
import make  # noqa: E402
from circuits.circuit import Circuit  # noqa: E402
from circuits.nodal.processor import NodalProcessor  # noqa: E402
from circuits.rate import Oversampled  # noqa: E402
from netlists.reader import read  # noqa: E402
from netlists.writer import write  # noqa: E402
from validation import spice  # noqa: E402

COUNT, FACTOR = 2880, 8


def error(circuit: Circuit, volts: float, frequency: float, deck: str | None = None, settings: dict[str, float] | None = None) -> tuple[float, int]:
    """(ESR up to 20 kHz, samples that did not converge) of a circuit at its present positions for a sine.

    ngspice plays ``deck`` (text or path) with ``settings`` for its parameters; without one, what our writer makes of the circuit.
    """
    t = np.arange(COUNT) / make.SAMPLE_RATE
    samples = volts * np.sin(2.0 * np.pi * frequency * t) * np.minimum(1.0, t / 0.004) ** 2
    player = Oversampled(NodalProcessor(circuit, FACTOR * make.SAMPLE_RATE), FACTOR)
    found = compare.play(player, samples)
    target = spice.render(deck or write(circuit), samples, make.SAMPLE_RATE, settings=settings or {})
    offset = np.mean(target)
    return compare.esr(target - offset, found - offset), player.run.bad_samples


def against_ngspice(name: str, rng: np.random.Generator) -> tuple[float, int, dict[str, float]]:
    """(ESR up to 20 kHz, samples that did not converge, what was set) of one deck."""
    path = make.decks()[name]
    circuit = read(path)
    positions = {control.name: float(rng.integers(control.minimum, control.maximum + 1)) if control.switch
                 else round(float(rng.uniform(control.minimum, control.maximum)), 3) for control in circuit.controls}
    values = {control.name: control.value_at(positions[control.name]) for control in circuit.controls}
    volts, frequency = float(np.exp(rng.uniform(np.log(0.2), np.log(2.0)))), float(rng.uniform(80.0, 1500.0))
    ratio, bad = error(circuit.turn(**positions), volts, frequency, str(path), values)
    return ratio, bad, positions | {"volts": round(volts, 3), "hertz": round(frequency, 1)}


def main(arguments: list[str]) -> int:
    rng = np.random.default_rng(int(arguments[0]))
    for name in arguments[1:] or [name for name in make.decks() if not name.startswith("bench_")]:
        ratio, bad, said = against_ngspice(name, rng)
        print(f"{name:20s} {ratio:.1e}  not converged {bad}  {said}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
