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


@pytest.mark.parametrize("engine", ["nodal", "wdf"])
@pytest.mark.parametrize("asks, starts", [("uic", True), ("startup", True), ("", False)])
def test_a_tran_line_that_says_uic_starts_from_zero(engine, asks, starts):
    """A supply through 1k into 1u, of which a second one is charged beforehand; closed form of the two that do not load each other."""
    deck = f"supply\nV1 a 0 9\nR1 a out 1k\nC1 out 0 1u\nR2 a b 1k\nC2 b 0 1u IC=3\nR3 a c 1k\nC3 c 0 1u\n.ic V(c)=2\n.tran 10u 10m {asks}\n*@ input none\n*@ output out b c\n"
    circuit = read_text(deck)
    assert circuit.from_zero == starts and any("starts from zero" in note for note in circuit.notes) == starts
    assert read_text(write(circuit)).from_zero == starts
    played = simulate(circuit, np.zeros(480), 48000.0, engine=engine, probes=["b", "c"])
    time = np.arange(480) / 48000.0
    for found, first in ((played.samples, 0.0), (played.probes["b"], 3.0), (played.probes["c"], 2.0)):
        wanted = 9.0 - (9.0 - first) * np.exp(-time / 1e-3) if starts or first == 2.0 else np.full(480, 9.0)
        assert np.max(np.abs(found - wanted)) < 0.1, "the first step of the trapezoidal rule is half a sample early or late"


def test_uic_is_no_matter_for_what_takes_the_audio():
    assert not read_text("amp\nVin in 0 AC 1\nR1 in out 1k\nC1 out 0 1u\n.tran 1m uic\n").from_zero
