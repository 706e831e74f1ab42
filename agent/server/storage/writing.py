"""A stream of bytes onto the disk: whole, or nothing of it."""

import asyncio
import hashlib
import os
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from starlette.requests import ClientDisconnect

from agent.server.types import refused

SILENCE: Final = 60.0
"""Seconds without a byte after which a sender is given up."""
_AT_ONCE: Final = 2**20
"""Bytes that are handed to the disk together."""


@dataclass(frozen=True)
class Landing:
    """A file that has arrived."""

    path: Path
    bytes: int
    sha256: str


async def land(stream: AsyncIterable[bytes], folder: Path, count: Callable[[int], None]) -> Landing:
    """Write a stream to a new file of a folder, flushed to the disk.

    Args:
        stream: what a client sends.
        folder: on the disk where the file is to stay.
        count: is told of each chunk before it is kept, and raises where no more is taken.

    Raises:
        Refused: by `count`; 408, nothing came for long; 499, the client went away.
        OSError: the disk failed.
    """
    aside = folder / f".{secrets.token_hex(8)}.part"
    digest, have, held = hashlib.sha256(), 0, bytearray()
    try:
        with aside.open("xb") as file:
            async for chunk in _patient(stream):
                count(len(chunk))
                have += len(chunk)
                held += chunk
                if len(held) >= _AT_ONCE:
                    await asyncio.to_thread(_write, file, digest, bytes(held))
                    held.clear()
            await asyncio.to_thread(_write, file, digest, bytes(held), last=True)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    return Landing(aside, have, digest.hexdigest())


def joined(parts: Sequence[Path], folder: Path) -> Landing:
    """One file of several, which stay as they are."""
    aside = folder / f".{secrets.token_hex(8)}.part"
    digest, have = hashlib.sha256(), 0
    try:
        with aside.open("xb") as file:
            for part in parts:
                with part.open("rb") as source:
                    while chunk := source.read(_AT_ONCE):
                        have += len(chunk)
                        _write(file, digest, chunk)
            _write(file, digest, b"", last=True)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    return Landing(aside, have, digest.hexdigest())


def _write(file: IO[bytes], digest: Any, data: bytes, *, last: bool = False) -> None:
    digest.update(data)
    file.write(data)
    if last:
        file.flush()
        os.fsync(file.fileno())


async def _patient(stream: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The stream's chunks, each within its time."""
    chunks = aiter(stream)
    while True:
        try:
            async with asyncio.timeout(SILENCE):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise refused(408, "request_timeout", f"no byte came for {SILENCE:g} s; send it again") from error
        except ClientDisconnect as error:
            raise refused(499, "client_disconnected", "the client went away before all had come") from error
        yield chunk
