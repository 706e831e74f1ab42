"""Threads for the disk, and tasks that nobody waits for."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


class Workers:
    """Work beside the event loop. Jobs are written down one after the other, by one thread; files by others."""

    def __init__(self) -> None:
        self._disk = ThreadPoolExecutor(1, "jobs")
        self._files = ThreadPoolExecutor(2, "files")
        self._tasks: set[asyncio.Task[Any]] = set()

    async def on_disk(self, work: Callable[[], T]) -> T:
        """Change the jobs on disk: in the order of the calls."""
        return await asyncio.get_running_loop().run_in_executor(self._disk, work)

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

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("work on a job failed", exc_info=error)
