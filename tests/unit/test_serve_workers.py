"""Changes of jobs that wait for the disk share a transaction, and each is told when it is there."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import pytest

from agent.errors import StorageError
from agent.server import workers
from agent.server.store import Store
from agent.server.types import Job
from agent.server.workers import Workers
from tests.storing import job


class Slow:
    """A store whose transactions reach the disk when the test lets them."""

    def __init__(self, path: Path) -> None:
        self.store = Store(path)
        self.go = threading.Semaphore(0)
        self.committing = 0
        """Transactions that are ready to be written down."""
        self.sizes: list[int] = []
        """Jobs that were added in each, those undone too."""
        self._size = 0

    @contextmanager
    def together(self) -> Iterator[None]:
        self._size = 0
        with self.store.together():
            try:
                yield
            finally:
                self.sizes.append(self._size)
            self.committing += 1
            assert self.go.acquire(timeout=20)

    def add(self, one: Job) -> int:
        self._size += 1
        return self.store.add(one)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[Slow, Callable[[str], asyncio.Task[int]]]]:
    """A slow store, and what adds a job to it by way of the workers."""
    slow = Slow(folder / "jobs.sqlite")
    them = Workers(slow.together)
    try:
        yield slow, lambda id_: asyncio.ensure_future(them.on_disk(partial(slow.add, job(id_))))
    finally:
        slow.go.release(100)
        await them.close()
        slow.store.close()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.001)


async def test_nothing_is_told_before_it_is_on_the_disk(tmp_path: Path) -> None:
    async with opened(tmp_path) as (slow, add):
        first = add("j1")
        await until(lambda: slow.committing == 1)
        later = [add(f"j{n}") for n in range(2, 22)]
        await asyncio.sleep(0)
        assert not first.done()
        assert slow.store.get("j1") is None
        slow.go.release()
        assert await first == 1
        assert slow.store.get("j1") is not None
        await until(lambda: slow.committing == 2)
        assert not any(task.done() for task in later)
        assert slow.store.get("j2") is None
        slow.go.release()
        assert await asyncio.gather(*later) == list(range(2, 22)), "in the order of the calls"
        assert slow.store.get("j21") is not None
        assert slow.sizes == [1, 20], "those that waited share the next transaction"


async def test_a_change_that_fails_is_its_callers_alone(tmp_path: Path) -> None:
    async with opened(tmp_path) as (slow, add):
        first = add("j1")
        await until(lambda: slow.committing == 1)
        tasks = [add(id_) for id_ in ("j2", "j1", "j3")]
        await asyncio.sleep(0)
        slow.go.release(4)
        assert await first == 1
        two, again, three = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(again, StorageError)
        assert slow.sizes == [1, 2, 1, 1, 1], "the transaction that one broke is undone, and each is done alone"
        assert [slow.store.get(id_) is not None for id_ in ("j2", "j3")] == [True, True]
        assert isinstance(two, int)
        assert isinstance(three, int)
        assert 1 < two < three


async def test_a_transaction_that_fails_leaves_nothing_of_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "jobs.sqlite")
    with pytest.raises(StorageError), store.together():  # noqa: PT012 - both belong to it
        store.add(job("j1"))
        store.add(job("j1"))
    assert store.get("j1") is None
    with pytest.raises(StorageError), store.together():
        store._disk.execute("COMMIT")  # what cannot be ended is not told as done
    with store.together():
        store.add(job("j2"))
    assert store.get("j2") is not None
    store.close()


async def test_what_is_cut_off_while_it_waits_is_not_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "MOST", 2)
    async with opened(tmp_path) as (slow, add):
        first = add("j1")
        await until(lambda: slow.committing == 1)
        cut, *rest = (add(f"j{n}") for n in range(2, 7))
        await asyncio.sleep(0)
        cut.cancel()
        await asyncio.gather(cut, return_exceptions=True)
        slow.go.release(10)
        assert await asyncio.gather(first, *rest) == [1, 2, 3, 4, 5]
        assert slow.store.get("j2") is None
        assert slow.sizes == [1, 1, 2, 1], "no more than so many at once"
