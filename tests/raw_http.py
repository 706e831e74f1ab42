"""HTTP as no client library sends it: bytes over a socket, and what came back."""

import socket
import time
from collections.abc import Iterable
from contextlib import suppress


def answer(port: int, *pieces: bytes, seconds: float = 60.0) -> bytes:
    """What a server answers to some bytes, until it closes the connection or is silent; b"": nothing."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as wire:
        with suppress(ConnectionError):
            for piece in pieces:
                wire.sendall(piece)
        return _heard(wire, seconds)


def statuses(port: int, *pieces: bytes, seconds: float = 60.0) -> list[int]:
    """The status of each answer on one connection."""
    found = answer(port, *pieces, seconds=seconds)
    return [int(line.split(b" ")[1]) for line in found.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


def endless(port: int, head: bytes, piece: bytes, *, most: int, seconds: float = 20.0) -> tuple[bytes, int]:
    """Send a piece again and again until the server ends it. Returns its answer, and how many bytes it let come."""
    sent, until = 0, time.monotonic() + seconds
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as wire:
        try:
            wire.sendall(head)
            while sent < most and time.monotonic() < until:
                wire.sendall(piece)
                sent += len(piece)
        except OSError:
            pass
        return _heard(wire, 5.0), sent


def head(method: str, path: str, headers: Iterable[tuple[str, str]], host: str = "127.0.0.1") -> bytes:
    """A request's head."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _heard(wire: socket.socket, seconds: float) -> bytes:
    found, until = b"", time.monotonic() + seconds
    with suppress(OSError):
        while time.monotonic() < until:
            wire.settimeout(seconds if not found else 0.3)
            chunk = wire.recv(65536)
            if not chunk:
                break
            found += chunk
    return found
