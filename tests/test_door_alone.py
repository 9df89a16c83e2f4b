"""Circuits that nobody plays: oscillators, supplies and benches sound by their own sources, whatever the audio, and say so."""

import numpy as np
import pytest

from ampwright.responses import response
from ampwright.simulation import simulate
from circuits.circuit import NO_INPUT
from circuits.errors import CircuitError
from circuits.nodal.response import frequency_response
from graybox.network import network
from netlists.reader import read_text
from netlists.writer import write

OSCILLATOR = "a bench without a guitar\nV1 a 0 SIN(0.5 2 1k)\nV2 p 0 9\nR1 a out 1k\nC1 out 0 100n\nR2 p out 10k\n.tran 10m\n"


@pytest.mark.parametrize("engine", ["nodal", "wdf"])
def test_a_circuit_that_nobody_plays_plays_by_its_own_sources(engine):
    """A sine of its own through a low-pass: the closed form, whatever the audio is."""
    circuit = read_text(OSCILLATOR, input="none")
    assert circuit.input == NO_INPUT and not any("input" in note for note in circuit.notes), "what was asked for is not told as a loss"
    assert read_text(OSCILLATOR, input="none", strict=True).input == NO_INPUT
    noise = np.random.default_rng(1).standard_normal(4800)
    played = simulate(circuit, noise, 48000.0, engine=engine)
    assert np.array_equal(played.samples, simulate(circuit, np.zeros(4800), 48000.0, engine=engine).samples) and played.run.converged
    rate, tau = 96000.0, 100e-9 / (1 / 1e3 + 1 / 1e4)
    s = 2j * np.pi * 1000.0
    warped = rate * np.tanh(s / rate)  # the trapezoidal rule at 48 kHz
    gain = (10.0 / 11.0) / (1.0 + warped * tau)
    wanted = 0.5 * 10.0 / 11.0 + 9.0 / 11.0 + 2.0 * np.imag(gain * np.exp(s * np.arange(4800) / 48000.0))
    assert np.max(np.abs(played.samples - wanted)[2400:]) < 1e-9
    assert read_text(write(circuit)).input == NO_INPUT
    again = simulate(read_text(write(circuit)), noise, 48000.0, engine=engine)
    assert np.max(np.abs(again.samples - played.samples)) < 1e-12
    for ask in (lambda: frequency_response(circuit, [100.0]), lambda: response(circuit), lambda: network(circuit)):
        with pytest.raises(CircuitError, match="no input|needs an input"):
            ask()


def test_a_source_called_none_is_a_source():
    circuit = read_text("title\nR1 none out 1k\nR2 out 0 1k\n", input="none")
    assert circuit.input == "vin" and circuit.element("vin").nodes == ("none", "0")
