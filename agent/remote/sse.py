"""Server-sent events (WHATWG HTML, 9.2), as they are read."""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Final, NamedTuple

LONGEST: Final = 64 * 2**20
"""Bytes of one message. A run's longest is that of its start, with all of a run that goes on."""


class Message(NamedTuple):
    """One event of a stream."""

    type: str
    data: str
    id: int | None
    """Its number. None: it has none."""


async def messages(chunks: AsyncIterable[bytes]) -> AsyncIterator[Message]:
    """The messages of a stream. One that is cut off is not told; comments are not either.

    Lines are told apart by their ends alone: JSON may hold U+2028 and the like as they are.

    Raises:
        ValueError: a message is too long.
    """
    kind, number = "message", None
    data: list[str] = []
    async for line in _lines(chunks):
        if not line:
            if data:
                yield Message(kind, "\n".join(data), number)
            kind, number, data = "message", None, []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "id" and value.isascii() and value.isdigit():
            number = int(value)
        elif name == "data":
            data.append(value)


async def _lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[str]:
    buffer = bytearray()
    async for chunk in chunks:
        begin = len(buffer)
        buffer += chunk
        if len(buffer) > LONGEST:
            raise ValueError(f"a line of the stream is over {LONGEST:,} bytes")
        if buffer.find(b"\n", begin) < 0:
            continue
        *whole, rest = buffer.split(b"\n")
        buffer = bytearray(rest)
        for line in whole:
            yield line.rstrip(b"\r").decode("utf-8", "replace")
