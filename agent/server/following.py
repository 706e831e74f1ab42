"""Events of runs for those who follow them: read once for all who wait for the same."""

import asyncio
from functools import partial
from pathlib import Path
from typing import NamedTuple

from agent.server.book import raw
from agent.server.workers import Workers

Lines = tuple[list[str], int]
"""Events, and where the next one begins."""


class _Asked(NamedTuple):
    folder: Path
    after: int
    offset: int
    news: asyncio.Event | None
    """Set by what came after it was taken: who took another one may know of more than is being read."""


class Following:
    """Reads events.jsonl beside the event loop.

    Args:
        workers: whose threads read.
    """

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._under_way: dict[_Asked, asyncio.Future[Lines]] = {}

    async def read(self, folder: Path, after: int, offset: int, news: asyncio.Event | None) -> Lines:
        """Events from number `after` + 1 on, as `agent.server.book.raw` has them.

        Args:
            folder: the run's.
            after: number of the last one that is known.
            offset: where the next one begins; 0: it is found by counting.
            news: of the run, taken before this is called.
        """
        asked = _Asked(folder, after, offset, news)
        reading = self._under_way.get(asked)
        if reading is None:
            work = partial(_read, folder, after, offset)
            reading = self._under_way[asked] = asyncio.ensure_future(self._workers.on_files(work))
            reading.add_done_callback(lambda _: self._under_way.pop(asked))
        return await asyncio.shield(reading)  # one who goes away takes it from nobody


def _read(folder: Path, after: int, offset: int) -> Lines:
    lines, following = raw(folder, after, offset)
    return [line.decode("utf-8", "replace").rstrip("\n") for line in lines], following
