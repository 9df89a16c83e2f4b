"""The Python face: names are found when used, the rooms are checked, and simulate equals what it is made of."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import numpy as np
import pytest

import ampwright as aw
from ampwright.rooms import check_rooms
from circuits.circuit import Circuit
from circuits.elements import Capacitor, Resistor, VoltageSource
from circuits.errors import CircuitError, ModelFileError, RateError, SignalError
from circuits.nodal.processor import NodalProcessor

RC = Circuit((VoltageSource("vin", ("in", "0")), Resistor("r1", ("in", "out"), 1e3), Capacitor("c1", ("out", "0"), 1e-7)),
             input="vin", outputs=("out",))


def test_every_name_is_there():
    for name in aw.__all__:
        assert getattr(aw, name).__doc__
        assert name in dir(aw)
    with pytest.raises(AttributeError, match="simulate"):
        aw.nonsense


def test_simulate_a_circuit_made_in_python():
    x = np.random.default_rng(1).uniform(-1.0, 1.0, 20000)
    result = aw.simulate(RC, x, 48000.0)
    assert np.array_equal(result.samples, NodalProcessor(RC, 48000.0).process(x))
    assert result.run.samples == 20000 and result.real_time_factor > 0.0 and result.start_up >= 0.0


def test_simulate_takes_a_processor_and_its_rate():
    processor = NodalProcessor(RC, 48000.0)
    tone = 0.5 * np.sin(2 * np.pi * 500.0 * np.arange(44100) / 44100.0)
    result = aw.simulate(processor, tone, 44100.0)
    assert result.samples.shape == tone.shape and "48000" in result.notes[0]
    direct = aw.simulate(RC, tone, 44100.0)
    assert np.max(np.abs(result.samples - direct.samples)[500:-500]) < 1e-3
    with pytest.raises(RateError, match="oversample"):
        aw.simulate(processor, tone, 48000.0, oversample=2)
    with pytest.raises(CircuitError, match="--probe"):
        aw.simulate(processor, tone, 48000.0, probes=["in"])


def test_progress_runs_from_zero_to_one():
    told = []
    aw.simulate(RC, np.zeros((2, 30000)), 48000.0, progress=lambda done, text: told.append(done))
    assert told[0] == 0.0 and told[-1] == 1.0 and told == sorted(told) and len(told) > 6


def test_refusals():
    with pytest.raises(RateError, match="sample rate"):
        aw.simulate(RC, np.zeros(10))
    with pytest.raises(SignalError, match="empty"):
        aw.simulate(RC, np.zeros(0), 48000.0)
    with pytest.raises(SignalError, match="sample 3"):
        aw.simulate(RC, [0.0, 0.0, 0.0, np.inf], 48000.0)
    with pytest.raises(ModelFileError, match="Did you mean big_muff"):
        aw.load("big_mufff")


def test_a_stranger_in_the_place_of_a_room_is_named(tmp_path, monkeypatch):
    (tmp_path / "circuits").mkdir()
    (tmp_path / "circuits" / "__init__.py").write_text("")
    stranger = SimpleNamespace(origin=str(tmp_path / "circuits" / "__init__.py"))
    real = importlib.util.find_spec
    monkeypatch.setattr("ampwright.rooms.find_spec", lambda name: stranger if name == "circuits" else real(name))
    with pytest.raises(ImportError, match="'circuits' is another program's, at .*environment of its own"):
        check_rooms()
    monkeypatch.setattr("ampwright.rooms.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="'circuits' is missing"):
        check_rooms()
