"""Knobs over the network: packets built by hand, on loopback."""

import socket
import struct
import time
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest

from ampwright.commands.live import listening
from ampwright.commands.main import run
from ampwright.hosting import Host
from ampwright.models import load, player
from ampwright.osc import Malformed, Receiver, messages
from circuits.errors import AmpwrightError


def text(words: str) -> bytes:
    raw = words.encode() + b"\0"
    return raw + b"\0" * (-len(raw) % 4)


def message(address: str, tags: str, *raw: bytes) -> bytes:
    return text(address) + text("," + tags) + b"".join(raw)


def bundle(*packets: bytes) -> bytes:
    return b"#bundle\0" + struct.pack(">Q", 1) + b"".join(struct.pack(">i", len(one)) + one for one in packets)


DRIVE = message("/control/drive", "f", struct.pack(">f", 0.25))


@pytest.fixture
def host():
    return Host(player(load("tonestack_bassman"), 48000.0))


@pytest.mark.parametrize("tags, raw, value", [("f", struct.pack(">f", 0.5), 0.5), ("i", struct.pack(">i", -3), -3), ("d", struct.pack(">d", 0.1), 0.1),
                                              ("h", struct.pack(">q", 7), 7), ("T", b"", 1.0), ("F", b"", 0.0)])
def test_numbers_of_every_type(tags, raw, value):
    assert list(messages(message("/control/x", tags, raw))) == [("/control/x", (value,))]


def test_a_known_packet_of_the_specification():
    # OSC 1.0, "Examples": "/oscillator/4/frequency" with the float 440.0
    raw = bytes.fromhex("2f6f7363696c6c61746f722f342f6672657175656e6379002c66000043dc0000")
    assert list(messages(raw)) == [("/oscillator/4/frequency", (440.0,))]
    # and "/foo" with 1000, -1, "hello", 1.234, 5.678
    raw = bytes.fromhex("2f666f6f000000002c69697366660000000003e8ffffffff68656c6c6f0000003f9df3b640b5b22d")
    (address, arguments), = messages(raw)
    assert address == "/foo" and arguments[:3] == (1000, -1, "hello") and np.allclose(arguments[3:], (1.234, 5.678))


@pytest.mark.parametrize("packet", [b"", b"abc", b"abcd", b"/abc", text("/control/drive") + b"f\0\0\0", DRIVE[:-4], b"#bundle\0", bundle(DRIVE)[:-4],
                                    b"#bundle\0" + bytes(8) + struct.pack(">i", 400) + bytes(4), b"/\xff\0\0,\0\0\0", message("/control/drive", "b")])
def test_what_is_not_osc(packet):
    with pytest.raises(Malformed):
        list(messages(packet))


def test_bundles_that_never_end():
    packet = DRIVE
    for _ in range(12):
        packet = bundle(packet)
    with pytest.raises(Malformed, match="without an end"):
        list(messages(packet))


def test_any_bytes_are_survived(host):
    rng = np.random.default_rng(1)
    with Receiver(host, 0) as receiver:
        for _ in range(2000):
            raw = bytearray(bundle(DRIVE, DRIVE))
            for at in rng.integers(0, len(raw), 3):
                raw[at] = rng.integers(0, 256)
            receiver.hear(bytes(raw[:rng.integers(0, len(raw) + 1)]))
        assert receiver.malformed > 500


def test_knobs_turn_over_loopback(host):
    with Receiver(host, 0) as receiver, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        packets = [message("/control/treble", "f", struct.pack(">f", 0.75)), bundle(message("/control/bass", "d", struct.pack(">d", 0.5))), b"no osc",
                   message("/control/nothing", "f", struct.pack(">f", 0.5)), message("/control/treble", "f", struct.pack(">f", 7.0)),
                   message("/control/treble", "f", struct.pack(">f", float("nan"))), message("/else/treble", "f", struct.pack(">f", 0.5))]
        for packet in packets:
            sender.sendto(packet, ("127.0.0.1", receiver.port))
        until = time.monotonic() + 10.0
        while receiver.turned + receiver.malformed + receiver.refused < len(packets) and time.monotonic() < until:
            time.sleep(0.01)
        assert (receiver.turned, receiver.malformed, receiver.refused) == (2, 1, 4)
    assert host.controls["treble"].position == 0.75 and host.controls["bass"].position == 0.5
    heard = np.zeros((64, 1), dtype=np.float32)
    host.callback(heard, np.empty((64, 1), dtype=np.float32), 64, None, None)
    assert host.processor.controls["treble"].position == 0.75 and host.failures == 0


def test_a_port_that_is_taken_is_told(host):
    with Receiver(host, 0) as receiver, pytest.raises(AmpwrightError, match="another --osc PORT"):
        listening(host, receiver.port, "127.0.0.1")


def test_the_command_plays_with_osc(monkeypatch, capsys):
    """A sound card that calls for blocks while another program turns a knob, then Ctrl-C."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    class Stream:
        def __init__(self, *, callback, blocksize, **others):
            self.callback, self.block = callback, np.zeros((blocksize, 1), dtype=np.float32)

        def __enter__(self):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(message("/control/treble", "f", struct.pack(">f", 0.9)), ("127.0.0.1", port))
            for _ in range(20):
                self.callback(self.block, np.empty_like(self.block), len(self.block), None, None)
                time.sleep(0.02)

        def __exit__(self, *exception):
            pass

    def interrupted():
        raise KeyboardInterrupt
        yield ""

    monkeypatch.setattr("ampwright.commands.live.sound_cards", lambda: SimpleNamespace(Stream=Stream, PortAudioError=RuntimeError))
    monkeypatch.setattr("ampwright.commands.live.nobody", lambda: nullcontext(interrupted()))
    assert run(["live", "tonestack_bassman", "--osc", str(port)]) == 0
    told = "".join(capsys.readouterr())
    assert "20 blocks of 64 samples" in told and "1 turns, 0 refused, 0 malformed packets" in told


def test_the_keyboard_or_osc_is_needed(monkeypatch, capsys):
    monkeypatch.setattr("ampwright.commands.live.sound_cards", lambda: None)
    assert run(["live", "tonestack_bassman"]) == 2
    assert "--osc" in capsys.readouterr().err
