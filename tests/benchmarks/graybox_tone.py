"""One amplifier model with a white-box tone stack between learned stages, fitted to three knob settings at once.

Run: OMP_NUM_THREADS=1 python tests/benchmarks/graybox_tone.py [DATA] [STRUCTURE] [SECONDS] [SEED] [UNHEARD]

With the name of a setting as UNHEARD (bass3-middle7-treble1) the fit hears the two others, and that setting shows what the stack alone carries
to a position that nothing was fitted to.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from graybox_data import audio
from circuits.controls import Control
from graybox.fit import fit
from graybox.linear import LinearCircuit, ToneStack
from graybox.optimise import Recording, esr
from graybox.structures import free_numbers

SETTINGS = {"bass0-middle0-treble10": (0.0, 0.0, 10.0), "bass10-middle0-treble0": (10.0, 0.0, 0.0),
            "bass3-middle7-treble1": (3.0, 7.0, 1.0)}


def clips(which):
    xs, ys, places, rate = [], [], [], 0.0
    for c in which:
        x, rate = audio(f"marshall-jvm410h/clip{c}-input.flac")
        for name, (bass, middle, treble) in SETTINGS.items():
            xs.append(x)
            ys.append(audio(f"marshall-jvm410h/clip{c}-{name}.flac")[0])
            places.append(dict(bass=bass, middle=middle, treble=treble))
    return xs, ys, places, rate


def main() -> None:
    structure = sys.argv[2] if len(sys.argv) > 2 else "stages-4"
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 600.0
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    unheard = sys.argv[5] if len(sys.argv) > 5 else ""
    xs, ys, places, rate = clips((1, 2, 3, 4, 5))
    if unheard:
        heard = [i for i, place in enumerate(places) if tuple(place.values()) != SETTINGS[unheard]]
        xs, ys, places = ([some[i] for i in heard] for some in (xs, ys, places))
    # Component values as on the amplifier's schematic, where the stack is loaded by a volume control of 1 megohm. Pots stay, what else is in
    # the stack is fitted from there. Of each knob the recordings know one place inside its travel, too few to tell a bend from a value:
    # treble and middle are linear, only the bend of the bass pot is fitted.
    stack = ToneStack(treble=200e3, bass=1e6, middle=20e3, slope=33e3, c1=470e-12, c2=22e-9, c3=22e-9, bass_bend=2.0, load=1e6,
                      fixed=("treble", "bass", "middle", "treble_bend", "middle_bend"))
    knobs = tuple(Control(name, 0.0, 10.0, 5.0) for name in ToneStack.CONTROLS)
    began = time.process_time()
    result = fit(structure, xs, ys, positions=places, middle=(LinearCircuit(stack, rate),), controls=knobs, sample_rate=rate,
                 rng=np.random.default_rng(seed), seconds=seconds)
    print(f"seed {seed}: {result.structure}, {free_numbers(result.block)} free numbers, {time.process_time() - began:.0f} CPU-s, "
          f"held-out ESR {result.held_out:.4f}, training {result.training:.4f}; {result.stop}")
    for which in ((7,), (1, 2, 3, 4, 5)) if unheard else ((7,),):
        recordings = [Recording(x, y, place, 2000) for x, y, place in zip(*clips(which)[:3])]
        for name, place in SETTINGS.items():
            scored = [r for r in recordings if tuple(r.positions.values()) == place]
            print(f"  clip {', '.join(map(str, which))} at {name}: ESR {esr(result.block, scored):.4f}")
    for estimate in result.estimates:
        if ".network." in estimate.name:
            print(f"  {estimate.name.split('.')[-1]:>12} {estimate.value:.4g} +- {estimate.half_width:.2g}")


if __name__ == "__main__":
    main()
