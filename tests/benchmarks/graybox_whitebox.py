"""Small white boxes: Silverbox by a recursion of twelve numbers, and the measured diode clipper as a netlist that is calibrated.

Run: OMP_NUM_THREADS=1 python tests/benchmarks/graybox_whitebox.py [DATA]
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.signal import lfilter

from graybox_data import audio, numbers
from ampwright.calibration import calibrate
from ampwright.simulation import simulate
from graybox.blocks import Block
from graybox.confidence import confidence
from graybox.optimise import Recording, levenberg_marquardt, render
from graybox.recursive import CubicResonator
from validation.audio import Audio


def silverbox() -> None:
    u, y, rate = numbers("silverbox-multisine-estimation.npz")
    cut = 50_000
    began = time.process_time()
    block = Block((CubicResonator.by_one_step(u[:cut], y[:cut]),), rate)
    pair = Recording(u[:cut], y[:cut], skip=500)
    descent = levenberg_marquardt(block, [pair], iterations=40, tolerance=1e-6)
    e = (render(descent.block, u[cut - 1000:]) - y[cut - 1000:])[1000:]
    print(f"Silverbox: {1e3 * np.sqrt(np.mean(e**2)):.4f} mV rms on the last {len(e)} samples of the multisine, unseen; "
          f"12 numbers, {time.process_time() - began:.2f} CPU-s; {descent.stop}")
    for estimate in confidence(descent.block, [pair])[0]:
        print(f"    {estimate.name.split('.')[-1]:>10} {estimate.value: .6f} +- {estimate.half_width:.1e}")


NETLIST = """Measured clipper: 47 kilohms into 2.2 nanofarads with a pair of 1N4148 across it
*@ input VIN in
*@ output out
.param rc=103.4u is=2.52n drive=2 bias=0
VIN in 0 DC 0 AC 1
Edrive d1 0 in 0 {drive}
Vbias d2 d1 {bias}
R1 d2 out 47k
C1 out 0 {rc/47k}
D1 out 0 D1N4148
D2 0 out D1N4148
* LTspice's card, with the saturation current free.
.model D1N4148 D(IS={is} RS=0.568 N=1.752 CJO=4p M=0.4 TT=20n)
.end
"""


def clipper() -> None:
    """Volts of the recording are unknown: ``drive`` at the input, the recorder's gain behind. Its baseline wanders: as it is, and above 30 Hz."""
    x, rate = audio("diode-clipper-1n4148-measured-input.flac")
    y, _ = audio("diode-clipper-1n4148-measured-output.flac")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clipper.cir"
        path.write_text(NETLIST)
        calibrate(path, Audio(x[:20000], rate), Audio(y[:20000], rate), ["rc", "is"], hold=0.0)  # before the clock runs
        for free, recorder, high_pass in ((["rc", "is", "drive"], ("gain", "offset"), 0.0), (["rc", "is", "drive", "bias"], ("gain", "offset"), 0.0),
                                          (["rc", "is", "drive", "bias"], ("gain",), 30.0), (["rc", "is", "drive", "bias"], ("gain", "offset", "delay"), 30.0)):
            for begin in (0.0, 4.0, 8.0):
                at, cut = int(begin * rate), int((begin + 2.0) * rate)
                pairs = [(Audio(x[a:b], rate), Audio(y[a:b], rate)) for a, b in ((at, cut), (0, len(x)))]
                found = calibrate(path, *pairs[0], free, recorder=recorder, high_pass=high_pass, hold=0.0)
                inside = found.held_out
                values = {one.name: one.value for one in found.estimates}
                print(f"clipper from {begin:g} s, 2 s, above {high_pass:g} Hz, free {', '.join(free)}, recorder's {', '.join(recorder)}: RC {values['rc'] / 103.4e-6:.4f} of nominal; "
                      f"{found.seconds:.2f} CPU-s, played {found.evaluations} times; {unseen(found, x, y, rate, at, cut)}; inside: median {np.median(inside):.5f}")
                for one in (*found.estimates, *found.recorder):
                    print(f"    {one.name:>8} {one.value: .5g} +- {one.half_width:.1e}")


def unseen(found, x, y, rate, at, cut) -> str:
    """AC-ESR above 30 Hz on every half second outside at..cut."""
    recorder = {one.name: one.value for one in found.recorder}
    pole, part = float(np.exp(-2.0 * np.pi * 30.0 / rate)), int(0.5 * rate)
    out = recorder.get("gain", 1.0) * simulate(found.circuit, x, rate).samples
    out, target = (lfilter([1.0, -1.0], [1.0, -pole], signal) for signal in (out, y))
    errors = [np.sum((out[i:i + part] - target[i:i + part]) ** 2) / np.sum(target[i:i + part] ** 2)
              for i in range(part, len(x) - part, part) if i + part <= at or i >= cut]
    return f"AC-ESR on {len(errors)} unseen half seconds: median {np.median(errors):.5f}, from {min(errors):.5f} to {max(errors):.5f}"


if __name__ == "__main__":
    silverbox()
    clipper()
