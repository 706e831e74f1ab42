"""Event streams that are open: each wakes with each of its run's events, so one caller has no more than so many."""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final, TypeVar

from agent.server.types import Caller, refused

T = TypeVar("T", str, bytes)
MOST: Final = 250
"""Of one caller. A thousand of one busy run keep a core busy, and everybody else out."""


class Streams:
    """Counts them by caller."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def opened(self, caller: Caller, stream: AsyncGenerator[T, None]) -> AsyncIterator[T]:
        """The stream, counted from its first word to its last.

        Raises:
            Refused: 429, the caller has too many.
        """
        if self._open[caller.owner] >= MOST:
            why = f"{MOST} event streams are open already; close some, or ask for the state now and then"
            raise refused(429, "concurrent_requests_limit", why, retry_after=5)
        return self._counted(caller.owner, stream)

    async def _counted(self, owner: str, stream: AsyncGenerator[T, None]) -> AsyncIterator[T]:
        self._open[owner] += 1
        try:
            async with aclosing(stream):
                async for text in stream:
                    yield text
        finally:
            self._open[owner] -= 1
            if not self._open[owner]:
                del self._open[owner]
