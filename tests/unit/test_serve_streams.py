"""How many event streams a caller may have open, and what several who follow one run share."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from agent.journal import EVENTS
from agent.server import streams
from agent.server.engine.messages import Over, Told
from agent.server.following import Following, Lines
from agent.server.queue import Queue
from agent.server.streams import Streams
from agent.server.types import Job, NewJob, Refused, RunRequest
from agent.server.workers import Workers
from tests.storing import ME, YOU, stored

T = TypeVar("T")


async def endless() -> AsyncGenerator[str, None]:
    while True:
        yield "data: x\n\n"


async def test_one_caller_has_no_more_than_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "MOST", 2)
    them = Streams()
    opened = [them.opened(ME, endless()) for _ in range(2)]
    for stream in opened:
        await anext(stream)
    with pytest.raises(Refused) as caught:
        them.opened(ME, endless())
    assert caught.value.problem.status == 429
    assert await anext(them.opened(YOU, endless()))
    await opened[0].aclose()  # type: ignore[attr-defined]
    assert await anext(them.opened(ME, endless()))


class Held(Workers):
    """Its threads begin to read when the test lets them."""

    def __init__(self) -> None:
        super().__init__(nullcontext)
        self.go = threading.Semaphore(0)
        self.reads = 0

    async def on_files(self, work: Callable[[], T]) -> T:
        self.reads += 1

        def later() -> T:
            done = work()
            assert self.go.acquire(timeout=20)
            return done

        return await super().on_files(later)


async def test_what_several_wait_for_is_read_once_and_never_too_early(tmp_path: Path) -> None:
    held, events = Held(), tmp_path / EVENTS
    events.write_text("one\n")
    following, news = Following(held), asyncio.Event()

    def reader(since: asyncio.Event) -> asyncio.Task[Lines]:
        return asyncio.create_task(following.read(tmp_path, 0, 0, since))

    first, gone, second = reader(news), reader(news), reader(news)
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    held.go.release()
    assert [await first, await second] == [(["one"], 4)] * 2, "one who goes away takes it from nobody"
    assert held.reads == 1

    early = reader(news)
    while held.reads != 2 or not held._files._work_queue.empty():
        await asyncio.sleep(0.001)
    with events.open("a") as file:
        file.write("two\n")
    late = reader(asyncio.Event())  # the run has told of it: there are other news to wait for
    held.go.release(2)
    assert (await late)[0] == ["one", "two"]
    assert (await early)[0][0] == "one"
    assert held.reads == 3
    await held.close()


async def test_who_follows_a_run_together_is_told_the_same_and_it_is_worded_once(tmp_path: Path) -> None:
    async with stored(tmp_path) as (client, context, _):
        desk = context.desk
        assert isinstance(desk, Queue)
        wish = RunRequest(model="cosmos-3-super", prompt="a boat")
        job = await desk.submit(NewJob(dialect="runs", endpoint="/v1/runs", request=wish), ME)
        while (now := desk.find(job.id, ME)) is None or now.state != "running":
            await asyncio.sleep(0.001)
        (tmp_path / job.id).mkdir()
        readers = [asyncio.create_task(follow(client, job, after)) for after in (0, 0, 0, 1)]
        for n in range(1, 4):
            await asyncio.sleep(0.01)
            with (tmp_path / job.id / EVENTS).open("a") as file:
                file.write(f'{{"type":"candidate_ready","told":"{tmp_path}/{n}"}}\n')
            desk._carrier._hear(Told(id=job.id))
        await asyncio.sleep(0.01)
        desk._carrier._hear(Over(id=job.id, state="completed"))
        told = [[line for line in text.splitlines() if "candidate" in line] for text in await asyncio.gather(*readers)]
        assert told[0] == [
            *("event: candidate_ready", 'data: {"type":"candidate_ready","told":"1"}'),
            *("event: candidate_ready", 'data: {"type":"candidate_ready","told":"2"}'),
            *("event: candidate_ready", 'data: {"type":"candidate_ready","told":"3"}'),
        ]
        assert told[1:] == [told[0], told[0], told[0][2:]]
        app = client._transport.app._app  # type: ignore[attr-defined]
        assert app.state.runs.wording.event.cache_info().misses == 3
        await desk.stop()


async def follow(client: httpx.AsyncClient, job: Job, after: int) -> str:
    return (await client.get(f"/v1/runs/{job.id}/events?after={after}", headers={"X-As": "me"})).text
