"""One run of ngspice in a process of its own: a deck and a signal in, times and voltages out.

Started by `validation.spice` with a folder as its only argument; reads ``deck.json`` and ``signal.npy`` there, writes ``times.npy`` and ``values.npy``,
and prints what ngspice said. It imports nothing of the house, so that it starts as fast as it can.

References
----------
ngspice 39 user manual, chapter 19 (shared library: ngSpice_Init_Sync, GetVSRCData).
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path

import numpy as np
from numba import carray, cfunc, types


class Complex(ctypes.Structure):
    """ngspice's complex number."""

    _fields_ = [("real", ctypes.c_double), ("imag", ctypes.c_double)]


class Vector(ctypes.Structure):
    """ngspice's ``vector_info``."""

    _fields_ = [("name", ctypes.c_char_p), ("type", ctypes.c_int), ("flags", ctypes.c_short),
                ("real", ctypes.POINTER(ctypes.c_double)), ("complex", ctypes.POINTER(Complex)), ("length", ctypes.c_int)]


@cfunc(types.int32(types.CPointer(types.float64), types.float64, types.voidptr, types.int32, types.CPointer(types.float64)))
def volts(answer, time, name, ident, user):
    """Voltage of the input at any time: Lagrange's cubic through the four nearest samples. ``user`` holds rate, length, then the signal.

    A function of ngspice's own shape, asked from C some millions of times: `circuits.kernels.jit.kernel` has no such form.
    """
    head = carray(user, 2)
    count = int(head[1])
    data = carray(user, count + 2)
    place = time * head[0]
    whole = int(place)
    if whole < 1:
        whole = 1
    if whole > count - 3:
        whole = count - 3
    u = place - whole
    a, b, c, d = data[whole + 1], data[whole + 2], data[whole + 3], data[whole + 4]  # at -1, 0, 1, 2
    carray(answer, 1)[0] = (-a * u * (u - 1.0) * (u - 2.0) / 6.0 + b * (u + 1.0) * (u - 1.0) * (u - 2.0) / 2.0
                            - c * (u + 1.0) * u * (u - 2.0) / 2.0 + d * (u + 1.0) * u * (u - 1.0) / 6.0)
    return 0


def work(folder: str) -> int:
    """Run the deck of a folder; returns the exit code."""
    job = json.loads(Path(folder, "deck.json").read_text())
    signal = np.load(f"{folder}/signal.npy")
    shared = np.concatenate([[job["rate"], float(len(signal))], signal])
    spice = ctypes.CDLL(job["library"])
    said: list[str] = []
    speak = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p)
    leave = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_bool, ctypes.c_bool, ctypes.c_int, ctypes.c_void_p)

    @speak
    def hear(text, ident, user):
        said.append(text.decode("utf-8", "replace"))
        return 0

    @leave
    def gone(status, now, quit_, ident, user):
        print("\n".join(said))
        sys.stdout.flush()
        os._exit(3)

    spice.ngSpice_Command.argtypes = [ctypes.c_char_p]
    spice.ngGet_Vec_Info.restype = ctypes.POINTER(Vector)
    spice.ngGet_Vec_Info.argtypes = [ctypes.c_char_p]
    spice.ngSpice_Init(hear, None, gone, None, None, None, None)
    spice.ngSpice_Command(b"version")
    user = ctypes.c_void_p(shared.ctypes.data)
    spice.ngSpice_Init_Sync(ctypes.c_void_p(volts.address), None, None, ctypes.byref(ctypes.c_int(0)), user)
    lines = (ctypes.c_char_p * (len(job["lines"]) + 1))(*[line.encode("ascii") for line in job["lines"]], None)
    refused = spice.ngSpice_Circ(lines)
    if refused == 0:
        spice.ngSpice_Command(b"run")

    def taken(name: str) -> np.ndarray | None:
        vector = None if refused else spice.ngGet_Vec_Info(name.encode("ascii"))
        return np.ctypeslib.as_array(vector.contents.real, (vector.contents.length,)).copy() if vector else None

    times, *volts_of = [taken("time"), *(taken(f"v({node})") for node in job["nodes"])]
    print("\n".join(said))
    if times is None or any(values is None for values in volts_of):
        return 3
    np.save(f"{folder}/times.npy", times)
    np.save(f"{folder}/values.npy", volts_of[0] - volts_of[1] if len(volts_of) > 1 else volts_of[0])
    return 0


if __name__ == "__main__":
    sys.exit(work(sys.argv[1]))
