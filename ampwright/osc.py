"""Knobs turned over the network: a receiver of Open Sound Control messages for the live host.

``/control/NAME position`` puts a control where the message says, on the control's own scale, as ``--set`` does. Numbers come as int32, float32, int64,
float64, true or false; bundles are taken apart and played at once, whatever their time tag. What is not OSC is counted and dropped, and so is what names
no control or no position of it: a packet can neither stop the music nor raise.

References
----------
Wright: The Open Sound Control 1.0 Specification, CNMAT Berkeley, 2002.
"""

from __future__ import annotations

import socket
import struct
import threading
from typing import Iterator, Protocol

from circuits.errors import CircuitError

PREFIX = "/control/"
LARGEST = 65536  # bytes of a datagram
DEPTH = 8  # bundles within bundles
_NUMBERS = {"i": ">i", "f": ">f", "h": ">q", "d": ">d"}
_STEP = 0.2  # seconds between two looks whether to stop


class Malformed(ValueError):
    """Bytes that are no OSC packet."""


class Turned(Protocol):
    """What has knobs; raises CircuitError for a control or a position that is not there."""

    def put(self, name: str, position: float) -> None: ...


def messages(packet: bytes, depth: int = DEPTH) -> Iterator[tuple[str, tuple]]:
    """Addresses and arguments of a packet, those of bundles one after the other.

    Raises
    ------
    Malformed
        If it is no OSC packet.

    Examples
    --------
    >>> list(messages(b"/control/drive\\0\\0,f\\0\\0?\\0\\0\\0"))
    [('/control/drive', (0.5,))]
    """
    if len(packet) % 4 or not packet:
        raise Malformed("a packet is whole words of four bytes")
    if packet.startswith(b"#bundle\0"):
        if depth == 0 or len(packet) < 16:
            raise Malformed("a bundle without an end")
        at = 16  # behind the time tag
        while at < len(packet):
            if at + 4 > len(packet):
                raise Malformed("a bundle's element has no size")
            size = struct.unpack_from(">i", packet, at)[0]
            if not 0 < size <= len(packet) - at - 4:
                raise Malformed("a bundle's element is longer than the bundle")
            yield from messages(packet[at + 4:at + 4 + size], depth - 1)
            at += 4 + size
        return
    address, at = _text(packet, 0)
    if not address.startswith("/"):
        raise Malformed("an address begins with /")
    tags, at = _text(packet, at) if at < len(packet) else (",", at)
    if not tags.startswith(","):
        raise Malformed("no type tags")
    arguments = []
    for tag in tags[1:]:
        if tag in _NUMBERS:
            size = struct.calcsize(_NUMBERS[tag])
            if at + size > len(packet):
                raise Malformed("an argument is missing")
            arguments.append(struct.unpack_from(_NUMBERS[tag], packet, at)[0])
            at += size
        elif tag in "TF":
            arguments.append(1.0 if tag == "T" else 0.0)
        elif tag in "sS":
            text, at = _text(packet, at)
            arguments.append(text)
        else:
            raise Malformed(f"an argument of type {tag!r}")
    yield address, tuple(arguments)


def _text(packet: bytes, at: int) -> tuple[str, int]:
    """A string that ends in zeros, and where the next thing begins."""
    end = packet.find(b"\0", at)
    if end < 0:
        raise Malformed("a string without an end")
    try:
        return packet[at:end].decode("ascii"), end + 4 - (end - at) % 4
    except UnicodeDecodeError:
        raise Malformed("a string that is not ASCII") from None


class Receiver:
    """Listens for messages in a thread of its own until it is closed.

    Parameters
    ----------
    host : Turned
        Whose knobs are turned.
    port : int
        UDP port; 0 takes a free one, which `port` tells.
    address : str
        Of the network interface. The default hears programs on this machine only.

    Raises
    ------
    OSError
        If the port is taken or not allowed.
    """

    def __init__(self, host: Turned, port: int, address: str = "127.0.0.1"):
        self.turned = 0
        self.malformed = 0
        self.refused = 0
        self._host = host
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((address, port))
        except (OSError, OverflowError):
            self._socket.close()
            raise
        self._socket.settimeout(_STEP)
        self.port: int = self._socket.getsockname()[1]
        self._open = True
        self._thread = threading.Thread(target=self._listen, name="osc", daemon=True)
        self._thread.start()

    def hear(self, packet: bytes) -> None:
        """Do what a packet says; never raises on account of it."""
        try:
            heard = list(messages(packet))
        except Malformed:
            self.malformed += 1
            return
        for address, arguments in heard:
            try:
                if not address.startswith(PREFIX) or len(arguments) != 1 or isinstance(arguments[0], str):
                    raise CircuitError(f"{address} turns nothing")
                self._host.put(address.removeprefix(PREFIX), float(arguments[0]))
                self.turned += 1
            except CircuitError:
                self.refused += 1

    def _listen(self) -> None:
        while self._open:
            try:
                packet, _ = self._socket.recvfrom(LARGEST)
            except TimeoutError:
                continue
            except OSError:  # closed, or an answer that a sender did not want
                continue
            self.hear(packet)

    def close(self) -> None:
        """Stop listening."""
        self._open = False
        self._thread.join()
        self._socket.close()

    def __enter__(self) -> "Receiver":
        return self

    def __exit__(self, *exception) -> None:
        self.close()
