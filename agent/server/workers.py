"""Threads for the disk, and tasks that nobody waits for."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, Final, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")
MOST: Final = 100
"""Changes that share a transaction."""


class Workers:
    """Work beside the event loop. Jobs are written down one after the other, by one thread; files by others.

    Args:
        together: makes one transaction of what is changed within, on the disk when it is left: `Store.together`.
    """

    def __init__(self, together: Callable[[], AbstractContextManager[None]]) -> None:
        self._together = together
        self._waiting: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._disk = ThreadPoolExecutor(1, "jobs")
        self._files = ThreadPoolExecutor(2, "files")
        self._tasks: set[asyncio.Task[Any]] = set()

    async def on_disk(self, work: Callable[[], T]) -> T:
        """Change the jobs on disk: in the order of the calls. When this returns it is there.

        The disk is waited for once by all that came while it was busy, and not by one after the other.

        Args:
            work: changes jobs and nothing else. Where another change fails it is undone, and done again alone.

        Raises:
            Exception: that `work` raised, or StorageError: nothing is changed.
        """
        written: Future[T] = Future()
        self._waiting.append((work, written))
        self._disk.submit(self._write)
        return await asyncio.wrap_future(written)

    async def on_files(self, work: Callable[[], T]) -> T:
        """Read, write or remove files."""
        return await asyncio.get_running_loop().run_in_executor(self._files, work)

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something that nobody waits for; its failure is logged."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    async def close(self) -> None:
        """Cancel what is not done, and let the threads end theirs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._disk.shutdown()
        self._files.shutdown()

    def _write(self) -> None:
        """Do what waits, unless a call before has done it."""
        waiting = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
        turn = [(work, written) for work, written in waiting if written.set_running_or_notify_cancel()]
        if len(turn) > 1 and self._written(*turn):
            return
        for one in turn:
            self._written(one)

    def _written(self, *turn: tuple[Callable[[], Any], Future[Any]]) -> bool:
        """Do it in one transaction. Returns whether what came of it is told: not where several fail by one's fault."""
        try:
            with self._together():
                done = [work() for work, _ in turn]
        except BaseException as error:  # noqa: BLE001 - whoever waits for it is told
            if len(turn) > 1:
                return False
            turn[0][1].set_exception(error)
        else:
            for (_, written), result in zip(turn, done, strict=True):
                written.set_result(result)
        return True

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("work on a job failed", exc_info=error)
