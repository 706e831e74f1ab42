"""Work on a stream of items, some at a time, its results in the stream's order."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


async def in_order(items: Iterable[T], work: Callable[[T], Awaitable[R]], most: int, then: Callable[[R], None]) -> None:
    """Work on at most `most` items at a time, and hand each result to `then` in the items' order.

    No more than `most` items and results are held, however long the stream is. The first failure, or being cancelled,
    ends the work that is under way; the results before it were handed over.
    """
    under_way = deque[asyncio.Task[R]]()

    async def one(item: T) -> R:
        return await work(item)

    try:
        for item in items:
            if len(under_way) == most:
                then(await under_way[0])
                under_way.popleft()
            under_way.append(asyncio.create_task(one(item)))
        while under_way:
            then(await under_way[0])
            under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
