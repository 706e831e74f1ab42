"""Two servers that do not fit on the GPU together take turns: only one runs, and the other waits until it is gone."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Self

from agent.errors import ServingError

REASONER, GENERATOR = "reasoner", "generator"
"""The two sides of a GPU that is shared by turns."""
Start = Callable[[], AbstractAsyncContextManager[object]]
"""A server, started when entered and gone when left."""


class TurnError(Exception):
    """A side's server could not be started for its turn."""


class Turns:
    """Which of several servers runs: the one whose users work.

    A side's turn ends when its users are done and another side is waited for. Whoever comes after that wait began waits
    for the side's next turn, so that no side can be kept out for ever.

    Args:
        sides: how the server of each side is started.
    """

    def __init__(self, sides: Mapping[str, Start]) -> None:
        self._sides = dict(sides)
        self._waiting: deque[tuple[str, asyncio.Future[None]]] = deque()
        self._running: str | None = None
        self._working = 0
        self._starting = self._closing = False
        self._changed = asyncio.Event()
        self._conductor: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._conductor = asyncio.create_task(self._conduct(), name="turns")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop the server that runs, and wait until it is gone, however often this is cancelled."""
        conductor = self._conductor
        if conductor is None:
            return
        self._closing = True
        self._changed.set()
        if self._starting:
            conductor.cancel()
        cancelled = False
        while not conductor.done():
            try:
                await asyncio.wait([conductor])
            except asyncio.CancelledError:
                cancelled = True
        self._refuse(TurnError("the servers are being stopped"))
        with suppress(asyncio.CancelledError):
            conductor.result()
        if cancelled:
            raise asyncio.CancelledError

    @asynccontextmanager
    async def using(self, side: str) -> AsyncIterator[None]:
        """Wait for the turn of a side; it lasts until the context is left.

        Must not be nested: the inner one could wait for a side that waits for the outer one.

        Raises:
            TurnError: its server could not be started.
        """
        if self._closing or self._conductor is None or self._conductor.done():
            raise TurnError(f"the server of the {side} is not started any more: the turns are over")
        if self._running == side and not self._waiting:
            self._working += 1
        else:
            await self._wait(side)
        try:
            yield
        finally:
            self._working -= 1
            self._changed.set()

    async def _wait(self, side: str) -> None:
        waiter = asyncio.get_running_loop().create_future()
        entry = (side, waiter)
        self._waiting.append(entry)
        self._changed.set()
        try:
            await waiter
        except asyncio.CancelledError:
            if entry in self._waiting:
                self._waiting.remove(entry)
            elif waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._working -= 1  # let in at the moment it was cancelled
            self._changed.set()
            raise

    async def _conduct(self) -> None:
        while not self._closing:
            if not self._waiting:
                await self._change()
                continue
            side = self._waiting[0][0]
            self._starting = True
            try:
                async with self._sides[side]():
                    self._starting, self._running = False, side
                    self._let_in(side)
                    await self._used_up(side)
                    self._running = None  # who comes while it is being stopped waits for its next turn
            except Exception as error:
                if not self._starting:  # it would not stop: nothing else can be started beside it
                    self._closing = True
                    self._refuse(error)
                    raise
                self._refuse(error, side)
            finally:
                self._starting, self._running = False, None

    async def _used_up(self, side: str) -> None:
        """Until nobody works and another side is waited for."""
        while not self._closing:
            if self._waiting and self._waiting[0][0] == side:  # who stood before them gave up
                self._let_in(side)
            if self._waiting and not self._working:
                return
            await self._change()

    async def _change(self) -> None:
        await self._changed.wait()
        self._changed.clear()

    def _let_in(self, side: str) -> None:
        """All who wait for the side, wherever they stand: its server runs now."""
        for entry in [e for e in self._waiting if e[0] == side]:
            self._waiting.remove(entry)
            if not entry[1].done():
                entry[1].set_result(None)
                self._working += 1

    def _refuse(self, error: Exception, side: str | None = None) -> None:
        """All who wait, or all who wait for the side."""
        for entry in [e for e in self._waiting if side in {e[0], None}]:
            self._waiting.remove(entry)
            if not entry[1].done():
                refusal = TurnError(str(error))
                refusal.__cause__ = error
                entry[1].set_exception(refusal)


@asynccontextmanager
async def first_turn(turns: Turns, side: str) -> AsyncIterator[None]:
    """A turn taken before the run begins: what cannot be started ends it.

    Raises:
        ServingError: the side's server cannot be started.
    """
    try:
        async with turns.using(side):
            yield
    except TurnError as error:
        raise ServingError(str(error)) from error
