"""Open any capture by its path, and tell what is in it.

The kind is recognised from the content, not from the suffix: `.nam`, RTNeural, AIDA-X, Automated-GuitarAmpModelling
(NeuralPi, Proteus and kin), WaveNetVA (PedalNet, SmartGuitarAmp), SmartAmpPro (GuitarLSTM), and networks that were trained here.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np

from circuits.errors import RateError
from circuits.processor import Processor
from validation.audio import resample
from validation.captures.capture import Capture
from validation.captures.documents import read_document, refuse
from validation.captures.guitarml import read_guitarml
from validation.captures.linear import linear_share
from validation.captures.nam import read_nam
from validation.captures.nets import Model, is_recurrent, layout, memory
from validation.captures.resampled import Resampled
from validation.captures.rtneural import read_rtneural
from validation.captures.smartamppro import read_smartamppro
from validation.captures.trained import FORMAT as TRAINED
from validation.captures.trained import TrainedCapture, read_network
from validation.captures.wavenetva import read_wavenetva
from validation.signals import shipped_phrase

TARGET_LOUDNESS = -18.0  # dB RMS: what players normalise to
HOST_LEVEL = 12.0  # dBu at 0 dBFS: what a player takes that was not told
SELFTEST_ESR = 1e-6  # far above float32 (1e-10), far below a wrong gate order (about 1)


def read_capture(path, *, slim: float | None = None, linear_oldest_first: bool = False) -> Model:
    """Read a capture of any family.

    Parameters
    ----------
    path : path-like
        The file.
    slim : float or None
        Size in 0..1 for slimmable `.nam` files.
    linear_oldest_first : bool
        Read Linear `.nam` files in the trainer's order of taps.

    Returns
    -------
    Model

    Raises
    ------
    ModelFileError
        If the file is damaged, too large, or of no known kind.
    """
    return _read(path, read_document(path), slim, linear_oldest_first)


def _read(path, document: dict, slim, linear_oldest_first: bool) -> Model:
    keys = document.keys()
    if "architecture" in keys or {"config", "weights"} <= keys:
        return read_nam(path, document, slim=slim, linear_oldest_first=linear_oldest_first)
    if slim is not None:
        refuse(path, "only .nam captures come in sizes", "Leave out slim.")
    for marks, reader in (({"in_shape", "layers"}, read_rtneural), ({"model_data", "state_dict"}, read_guitarml),
                          ({"variables", "dilations"}, read_wavenetva), ({"conv1d", "lstm", "dense"}, read_smartamppro)):
        if marks <= keys:
            return reader(path, document)
    refuse(path, f"is no capture of a known kind (keys: {', '.join(sorted(keys))[:80] or 'none'})",
           "Known: .nam, RTNeural, AIDA-X, NeuralPi and Proteus, WaveNetVA and SmartGuitarAmp, SmartAmpPro.")


def load_capture(path, *, dtype: str = "float32", slim: float | None = None, calibrate: bool | float = False,
                 normalise: bool | float = False, sample_rate: float | None = None, rate_strict: bool = False,
                 linear_oldest_first: bool = False) -> Processor:
    """Open a capture as a Processor.

    Parameters
    ----------
    path : path-like
        The file.
    dtype : {"float32", "float64"}
        Working precision.
    slim : float or None
        Size in 0..1 for slimmable `.nam` files; None is the full one.
    calibrate : bool or float
        Match levels by the file's ``input_level_dbu`` and ``output_level_dbu``; a number is the dBu of the host's
        0 dBFS, True takes 12.
    normalise : bool or float
        Bring the output to a loudness by the file's ``loudness``; a number is the target in dB, True takes -18.
    sample_rate : float or None
        Rate of the host, Hz; None is the file's own.
    rate_strict : bool
        Refuse another rate than the file's instead of resampling.
    linear_oldest_first : bool
        Read Linear `.nam` files in the trainer's order of taps.

    Returns
    -------
    Capture, or Resampled around one where the rates differ.

    Raises
    ------
    ModelFileError
        If the file can't be read, fails its own self-test, or lacks the levels asked for.
    RateError
        If the rates differ and ``rate_strict`` is set.
    """
    document = read_document(path)
    if document.get("format") == TRAINED:
        if slim is not None or calibrate is not False or normalise is not False:
            refuse(path, "a network that was trained here has no sizes and no levels in dBu", "Leave out slim, calibrate and normalise.")
        return _at_rate(TrainedCapture(read_network(path, document), dtype), path, sample_rate, rate_strict)
    model = _read(path, document, slim, linear_oldest_first)
    check_selftest(model, dtype)
    if calibrate is not False and normalise is not False:
        refuse(path, "calibrating and normalising both set the output level", "Choose one.")
    input_gain = output_gain = 1.0
    if calibrate is not False:
        host = HOST_LEVEL if calibrate is True else float(calibrate)
        input_gain = _gain(host - _level(model, "input_level_dbu"))
        output_gain = _gain(_level(model, "output_level_dbu") - host)
    if normalise is not False:
        target = TARGET_LOUDNESS if normalise is True else float(normalise)
        output_gain = _gain(target - _level(model, "loudness"))
    return _at_rate(Capture(model, dtype, input_gain=input_gain, output_gain=output_gain), path, sample_rate, rate_strict)


def _at_rate(capture: Processor, path, sample_rate: float | None, rate_strict: bool) -> Processor:
    if sample_rate is None or float(sample_rate) == capture.sample_rate:
        return capture
    if rate_strict:
        raise RateError(f"{path} runs at {capture.sample_rate:g} Hz, not at {sample_rate:g} Hz",
                        mend="Play it at its own rate, or allow resampling.")
    return Resampled(capture, float(sample_rate))


def _gain(decibels: float) -> float:
    return 10.0 ** (decibels / 20.0)


def _level(model: Model, key: str) -> float:
    value = model.metadata.get(key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 200.0:
        refuse(model.path, f"the metadata has no usable {key}", "Play it without calibration or normalisation, or set gains by hand.")
    return float(value)


def check_selftest(model: Model, dtype: str = "float32") -> float | None:
    """Run the test that an AIDA-X file carries; returns its ESR, or None where there is no test.

    Raises
    ------
    ModelFileError
        If the net does not reproduce it.
    """
    if model.selftest is None or model.knobs:
        return None
    x, y = model.selftest
    estimate = Capture(replace(model, prewarm=0), dtype).process(x[0])
    energy = float(np.sum(y**2))
    if energy == 0.0:
        return None
    esr = float(np.sum((y - estimate) ** 2)) / energy
    if not esr < SELFTEST_ESR:
        refuse(model.path, f"fails its own self-test (ESR {esr:.2g})", "The file is damaged, or of a version with other conventions.")
    return esr


def describe(capture: Processor) -> dict:
    """What is in a capture, how fast it runs, and how much of it is a mere filter.

    Parameters
    ----------
    capture : Capture or Resampled
        From `load_capture`.

    Returns
    -------
    dict
        ``family``, ``architecture``, ``layout`` (in words), ``parameters``, ``receptive_field_ms``, ``recurrent``, ``sample_rate`` (None if
        the file does not tell), ``assumed_rate``, ``knobs``, ``metadata``, ``licence``, ``real_time_factor`` (seconds
        of sound a second, one thread, this machine), ``linear_share`` (share of the output's energy on unseen guitar
        that the best 1024-tap filter explains) and ``selftest_esr``.
    """
    capture = getattr(capture, "inner", capture)
    rate = capture.sample_rate
    trained = isinstance(capture, TrainedCapture)
    fresh = TrainedCapture(capture.network, capture.dtype) if trained else Capture(capture.model, capture.dtype)
    phrase = shipped_phrase("chords")
    x = resample(phrase.samples, phrase.sample_rate, rate)[:int(8 * rate)]
    fresh.process(x[:64])  # what is compiled, is compiled now
    fresh.reset()
    start = time.perf_counter()
    y = fresh.process(x)
    elapsed = time.perf_counter() - start
    if trained:
        network, arch = capture.network, capture.network.architecture
        return {"family": TRAINED, "architecture": arch.kind, "layout": f"{arch.kind} of {', '.join(map(str, arch.widths))}, knobs: {network.way}",
                "parameters": network.n_parameters, "receptive_field_ms": 1000.0 * (arch.memory + 1) / rate, "recurrent": arch.recurrent,
                "sample_rate": rate, "assumed_rate": rate, "knobs": list(capture.controls), "metadata": dict(network.facts), "licence": None,
                "real_time_factor": len(x) / rate / elapsed, "linear_share": linear_share(x, y), "selftest_esr": None}
    model = capture.model
    metadata = dict(model.metadata)
    return {"family": model.family, "architecture": model.architecture, "layout": layout(model.net), "parameters": model.n_weights,
            "receptive_field_ms": 1000.0 * (memory(model.net) + 1) / rate, "recurrent": is_recurrent(model.net),
            "sample_rate": model.sample_rate, "assumed_rate": rate, "knobs": list(model.knobs), "metadata": metadata,
            "licence": metadata.get("license") or metadata.get("licence"),
            "real_time_factor": len(x) / rate / elapsed, "linear_share": linear_share(x, y),
            "selftest_esr": check_selftest(model, capture.dtype)}
