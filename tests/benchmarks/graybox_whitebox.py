"""Small white boxes: Silverbox by a recursion of twelve numbers, and the measured diode clipper by its equation.

Run: OMP_NUM_THREADS=1 python tests/benchmarks/graybox_whitebox.py [DATA]
"""

from __future__ import annotations

import time

import numpy as np
from scipy.signal import lfilter

from graybox_data import audio, numbers
from graybox.blocks import Block
from graybox.filters import Cascade, Offset
from graybox.fit import confidence
from graybox.optimise import Recording, levenberg_marquardt, render
from graybox.recursive import CubicResonator, DiodeClipper


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


def clipper() -> None:
    x, rate = audio("diode-clipper-1n4148-measured-input.flac")
    y, _ = audio("diode-clipper-1n4148-measured-output.flac")
    pole = float(np.exp(-2.0 * np.pi * 30.0 / rate))  # the recording's baseline wanders: both sides above 30 Hz
    high_pass = Cascade(b1=(-1.0,), b2=(0.0,), k1=(-pole,), k2=(0.0,), fixed=("gain", "b0", "b1", "b2", "k1", "k2"))
    y = lfilter([1.0, -1.0], [1.0, -pole], y)
    nominal = 47e3 * 2.2e-9
    for offset in (False, True):
        began = time.process_time()
        front = (Offset(0.0),) if offset else ()
        block = Block(front + (DiodeClipper(nominal, 4.0, 2.0 * 2.52e-9 * 47e3, rate, gain=2.0), high_pass), rate)
        cut, part = int(2.0 * rate), int(0.5 * rate)
        pair = Recording(x[:cut], y[:cut], skip=5000)
        descent = levenberg_marquardt(block, [pair], iterations=40, tolerance=1e-5)
        spent = time.process_time() - began
        out = render(descent.block, x)
        errors = [np.sum((out[i:i + part] - y[i:i + part]) ** 2) / np.sum(y[i:i + part] ** 2)
                  for i in range(cut, len(x) - part, part)]
        fitted = descent.block.stages[len(front)]
        print(f"clipper{' with an offset at the input' if offset else ''}: RC {fitted.rc / nominal:.4f} of nominal, saturation "
              f"current {fitted.limit / 2 / 47e3:.3g} A, AC-ESR on {len(errors)} unseen half seconds: median "
              f"{np.median(errors):.5f}, from {min(errors):.5f} to {max(errors):.5f}; {spent:.2f} CPU-s")
        for estimate in confidence(descent.block, [pair])[0]:
            print(f"    {estimate.name.split('.')[-1]:>10} {estimate.value: .5g} +- {estimate.half_width:.1e}")


if __name__ == "__main__":
    silverbox()
    clipper()
