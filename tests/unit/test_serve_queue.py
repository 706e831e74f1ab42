"""Who waits, who runs, what a restart goes on with, what is forgotten: the queue over its disk, its engine scripted."""

import asyncio
import resource
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from agent.config import DraftConfig
from agent.errors import StorageError
from agent.server import entries, mourning, recording
from agent.server.deliveries import Deliveries
from agent.server.engine.messages import Over, Told
from agent.server.loading import load
from agent.server.places import Places
from agent.server.queue import Queue
from agent.server.store import Store
from agent.server.types import Caller, Job, NewJob, Problem, Refused, RunRequest, Webhook
from tests.engines import Scripted

ME, YOU = Caller(owner="me", scopes=frozenset({"run", "read"})), Caller(owner="you", scopes=frozenset({"run", "read"}))
ROOT = Caller(owner="root", scopes=frozenset({"run", "read", "admin"}))


@asynccontextmanager
async def opened(
    folder: Path, *overrides: str, told: list[Job] | None = None, backends: "Away | None" = None
) -> AsyncIterator[tuple[Queue, Scripted]]:
    served = load(None, [f"output.dir={folder}", *(f"server.{key}" for key in overrides)])
    places = Places(served.folder)
    places.own.mkdir(parents=True, exist_ok=True)
    store = Store(places.jobs)
    kept = Deliveries(places.own / "webhooks.sqlite")
    engines: list[Scripted] = []

    def make(hear: Callable[[Told | Over], None], died: Callable[[], None]) -> Scripted:
        engines.append(Scripted(hear, died))
        return engines[0]

    async def announce(job: Job) -> None:
        if told is not None:
            kept.add(job.id, job.owner, "", b"", 0.0)
            told.append(job)

    queue = Queue(served, store, make_engine=make, announce=announce, backends=backends)
    await queue.start()
    try:
        yield queue, engines[0]
    finally:
        await queue.stop()
        store.close()
        kept.close()


class Away:
    """Backends of which the test says which are away."""

    def __init__(self, *models: str) -> None:
        self.models = set(models)

    def known(self) -> dict[str, tuple[str, ...]]:
        return dict.fromkeys(self.models, ("generator",))

    async def fails(self, model: str) -> bool:
        return model in self.models


GONE = Problem(status=503, type="downstream_service_unavailable", message="the generator does not answer")


def new(prompt: str = "a boat", **more: Any) -> NewJob:
    return NewJob(
        dialect="runs", endpoint="/v1/runs", request=RunRequest(model="cosmos-3-super", prompt=prompt), **more
    )


async def settle(queue: Queue) -> None:
    """Wait until nothing is left to write down but what the clock will bring."""
    for _ in range(6000):
        await asyncio.sleep(0.01)
        if len(queue._workers._tasks) == 1:
            return
    raise AssertionError("it does not come to rest")


async def test_the_first_run_the_others_wait_by_priority_and_arrival(tmp_path: Path) -> None:
    async with opened(tmp_path, "limits.max_running=1") as (queue, engine):
        first, low, second, high = [await queue.submit(new(priority=p), ME) for p in (0, -1, 0, 1)]
        assert [queue.position(job) for job in (first, low, second, high)] == [0, 2, 1, 0]
        for job in (first, high, second, low):
            await settle(queue)
            assert engine.begun[-1] == job.id
            engine.finish(job)
        await settle(queue)
        assert [(await queue.ended(job)).state for job in (first, low)] == ["completed"] * 2


async def test_a_key_runs_no_more_than_its_share(tmp_path: Path) -> None:
    async with opened(tmp_path, "limits.max_running=3", "limits.max_running_per_key=1") as (queue, engine):
        mine = [await queue.submit(new(), ME) for _ in range(3)]
        yours = await queue.submit(new(), YOU)
        await settle(queue)
        assert engine.begun == [mine[0].id, yours.id]
        engine.finish(mine[0])
        await settle(queue)
        assert engine.begun[-1] == mine[1].id


@pytest.mark.parametrize("places", [1, 2])
async def test_many_of_one_key_keep_no_other_waiting(tmp_path: Path, places: int) -> None:
    async with opened(tmp_path, f"limits.max_running={places}") as (queue, engine):
        mine = [await queue.submit(new(), ME) for _ in range(places + 3)]
        yours = [await queue.submit(new(), YOU) for _ in range(2)]
        wait = [*mine[places:], *yours]
        places_told = {job.id: queue.position(job) for job in wait}
        assert [places_told[yours[0].id], places_told[mine[places].id]] == [0, 1]
        for n in range(len(wait)):
            await settle(queue)
            first = queue.find(engine.begun[n], ME) or queue.find(engine.begun[n], YOU)
            assert first is not None
            engine.finish(first)
        await settle(queue)
        assert engine.begun[places:] == sorted(places_told, key=lambda one: places_told[one])


async def test_whose_turn_it_is_outlasts_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path, "limits.max_running=2") as (queue, _):
        mine = [await queue.submit(new(), ME) for _ in range(4)]
        yours = await queue.submit(new(), YOU)
        await settle(queue)
    async with opened(tmp_path, "limits.max_running=2") as (queue, engine):
        assert [queue.position(job) for job in (yours, *mine[2:])] == [0, 1, 2]
        engine.finish(mine[1])
        await settle(queue)
        assert engine.begun == [mine[0].id, mine[1].id, yours.id]


@pytest.mark.parametrize(
    ("limit", "kind"),
    [("limits.max_queued=1", "queue_full"), ("limits.max_queued_per_key=1", "concurrent_requests_limit")],
)
async def test_a_full_queue_is_told_with_a_time_to_come_back(tmp_path: Path, limit: str, kind: str) -> None:
    async with opened(tmp_path, "limits.max_running=1", limit) as (queue, engine):
        running, waiting = await queue.submit(new(), ME), await queue.submit(new(), ME)
        with pytest.raises(Refused) as told:
            await queue.submit(new(), ME)
        assert (told.value.problem.status, told.value.problem.type) == (429, kind)
        assert told.value.retry_after is not None
        assert told.value.retry_after >= 1
        assert [job.id for job in queue.list(ME).jobs] == [waiting.id, running.id]
        engine.finish(running)
        await settle(queue)
        assert (await queue.submit(new(), ME)).live


async def test_what_one_keys_jobs_hold_on_the_disk_is_bounded(tmp_path: Path) -> None:
    limits = ("limits.max_running=1", "limits.max_input_bytes_per_key=3000")
    upload = tmp_path / "upload"

    def film(size: int) -> NewJob:
        return new(inputs={"image": bytes(size)})

    async with opened(tmp_path, *limits) as (queue, _):
        upload.write_bytes(bytes(2000))
        first, second = [await queue.submit(new(inputs={"image": upload}), ME) for _ in range(2)]  # one file, linked
        upload.unlink()  # as a client does whose uploads are full
        with pytest.raises(Refused, match="would take 3,001 bytes, and 3,000 may") as told:
            await queue.submit(film(1001), ME)
        assert (told.value.problem.status, told.value.retry_after) == (429, 10.0)
        with pytest.raises(Refused, match="the media of this request take 3,001 bytes") as told:
            await queue.submit(film(3001), ME)
        assert told.value.problem.status == 413
        assert (await queue.submit(film(1001), YOU)).live
        both = await asyncio.gather(*(queue.submit(film(600), ME) for _ in range(2)), return_exceptions=True)
        assert {type(one) for one in both} == {Job, Refused}
        await settle(queue)
    async with opened(tmp_path, *limits) as (queue, _):
        for job in (first, second):
            with pytest.raises(Refused, match="would take 3,001 bytes"):
                await queue.submit(film(401), ME)
            assert await queue.cancel(job.id, ME) in {"removed", "requested"}
            await settle(queue)
        assert (await queue.submit(film(401), ME)).live


async def test_many_at_once_never_pass_the_limit(tmp_path: Path) -> None:
    async with opened(tmp_path, "limits.max_running=2", "limits.max_queued=3") as (queue, _):
        told = await asyncio.gather(*(queue.submit(new(str(n)), ME) for n in range(20)), return_exceptions=True)
        assert sum(isinstance(one, Job) for one in told) == 5
        assert sum(isinstance(one, Refused) for one in told) == 15


async def test_the_same_idempotency_key_is_the_same_job_whenever_it_comes(tmp_path: Path) -> None:
    async with opened(tmp_path) as (queue, engine):
        both = await asyncio.gather(*(queue.submit(new(idempotency_key="k"), ME) for _ in range(5)))
        assert len({job.id for job in both}) == 1
        assert (await queue.submit(new(idempotency_key="k"), YOU)).id != both[0].id
        with pytest.raises(Refused, match="used for another request"):
            await queue.submit(new("another", idempotency_key="k"), ME)
        engine.finish(both[0])
        await settle(queue)
    async with opened(tmp_path) as (queue, engine):
        again = await queue.submit(new(idempotency_key="k"), ME)
        assert (again.id, again.state) == (both[0].id, "completed")


async def test_a_restart_goes_on_with_what_ran_and_what_waited(tmp_path: Path) -> None:
    async with opened(tmp_path, "limits.max_running=1") as (queue, _):
        running, waiting = await queue.submit(new("one", inputs={"image": b"png"}), ME), await queue.submit(new(), ME)
        await settle(queue)
    kept = Places(tmp_path).inputs(running.id) / "image"
    assert kept.read_bytes() == b"png"
    async with opened(tmp_path, "limits.max_running=1") as (queue, engine):
        assert engine.begun == [running.id]
        assert queue.position(waiting) == 0
        engine.finish(running)
        await settle(queue)
        assert engine.begun == [running.id, waiting.id]
        assert not kept.exists()


async def test_where_fewer_may_run_than_before_the_others_wait_again(tmp_path: Path) -> None:
    async with opened(tmp_path, "limits.max_running=2") as (queue, _):
        first, second = await queue.submit(new(), ME), await queue.submit(new(), ME)
        await settle(queue)
    async with opened(tmp_path, "limits.max_running=1") as (queue, engine):
        await settle(queue)
        again = queue.find(second.id, ME)
        assert again is not None
        assert (engine.begun, again.state, queue.position(again)) == ([first.id], "queued", 0)
        engine.finish(first)
        await settle(queue)
        assert engine.begun == [first.id, second.id]


async def test_one_that_was_to_be_cancelled_is_not_begun_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as (queue, engine):
        job = await queue.submit(new(), ME)
        await settle(queue)
        engine.deaf = True
        assert await queue.cancel(job.id, ME) == "requested"
        assert queue.find(job.id, ME) is not None
    async with opened(tmp_path) as (queue, engine):
        await settle(queue)
        found = queue.find(job.id, ME)
        assert found is not None
        assert (found.state, found.problem and found.problem.type, engine.begun) == (
            "cancelled",
            "client_cancelled",
            [],
        )


async def test_cancelling_and_deleting_by_state(tmp_path: Path) -> None:
    async with opened(tmp_path, "limits.max_running=1") as (queue, engine):
        running, waiting = await queue.submit(new(), ME), await queue.submit(new(), ME)
        await settle(queue)
        assert await queue.cancel(waiting.id, YOU) == "unknown"
        assert await queue.cancel(waiting.id, ME) == "removed"
        assert await queue.cancel(waiting.id, ME) == "over"
        assert await queue.delete(running.id, ME) == "requested"
        await settle(queue)
        assert engine.cancelled == [running.id]
        assert queue.find(running.id, ME) is None
        assert await queue.delete(waiting.id, ME) == "over"
        assert queue.list(ME).jobs == []


async def test_what_is_being_written_down_as_over_is_written_over_by_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, "limits.max_running=1") as (queue, engine):
        running, waiting, third = [await queue.submit(new(), ME) for _ in range(3)]
        await settle(queue)
        save, begun, go = queue._store.save, threading.Event(), threading.Event()

        def saved(job: Job, size: int | None = None) -> None:
            begun.set()
            assert go.wait(60)
            save(job, size)

        monkeypatch.setattr(queue._store, "save", saved)
        engine.finish(running)
        assert await asyncio.to_thread(begun.wait, 60)
        engine.died()
        assert await queue.cancel(running.id, ME) == "requested", "its end is on its way to the disk"
        go.set()
        assert await queue.cancel(waiting.id, ME) == "removed", "just as the place comes free that it waits for"
        await settle(queue)
        kept = [queue._store.get(job.id) for job in (running, waiting)]
        assert [(job.state, job.cancelling) for job in kept if job] == [("completed", False), ("cancelled", False)]
        assert engine.begun == [running.id, third.id]


async def test_one_deleted_as_it_runs_is_gone_whichever_server_ends_it(tmp_path: Path) -> None:
    async with opened(tmp_path, "limits.max_running=1") as (queue, engine):
        running, waiting = await queue.submit(new(), ME), await queue.submit(new(inputs={"image": b"png"}), ME)
        await settle(queue)
        engine.deaf = True
        assert await queue.delete(running.id, ME) == "requested"
        (tmp_path / running.id).mkdir()
    inputs = Places(tmp_path).inputs
    inputs("of-no-job").mkdir()
    async with opened(tmp_path, "limits.max_running=1") as (queue, engine):
        await settle(queue)
        assert (queue.find(running.id, ME), (tmp_path / running.id).exists()) == (None, False)
        assert queue._store.unwanted() == []
        assert engine.begun == [waiting.id]
        assert (inputs(waiting.id).exists(), inputs("of-no-job").exists()) == (True, False)


async def test_nothing_of_one_key_is_there_for_another(tmp_path: Path) -> None:
    async with opened(tmp_path) as (queue, _):
        mine, yours = await queue.submit(new(), ME), await queue.submit(new(), YOU)
        assert queue.find(mine.id, YOU) is None
        assert await queue.delete(mine.id, YOU) == "unknown"
        assert [job.id for job in queue.list(YOU).jobs] == [yours.id]
        assert queue.list(YOU, after=mine.id).jobs == []
        assert {job.id for job in queue.list(ROOT).jobs} == {mine.id, yours.id}
        assert queue.find(mine.id, ME, dialect="fal") is None


async def test_an_engine_that_dies_is_given_its_jobs_again_but_not_for_ever(tmp_path: Path) -> None:
    async with opened(tmp_path) as (queue, engine):
        job = await queue.submit(new(), ME)
        await settle(queue)
        engine.died()
        engine.died()
        assert engine.begun == [job.id] * 3
        engine.died()
        over = await queue.ended(job, timeout=60)
        assert over.problem is not None
        assert (over.state, over.problem.type) == ("failed", "runner_server_error")


async def test_one_that_kills_its_engine_takes_no_other_with_it(tmp_path: Path) -> None:
    async with opened(tmp_path, "limits.max_running=3") as (queue, engine):
        deadly, good, unwanted = [await queue.submit(new(), ME) for _ in range(3)]
        await settle(queue)
        engine.died()
        assert engine.begun[3:] == [deadly.id, good.id, unwanted.id]
        engine.died()
        assert engine.begun[6:] == [deadly.id], "those that two engines died with are carried one at a time"
        assert await queue.cancel(unwanted.id, ME) == "removed"
        later = await queue.submit(new(), ME)
        await settle(queue)
        engine.died()
        assert (await queue.ended(deadly, timeout=60)).state == "failed"
        await settle(queue)
        assert engine.begun[7:] == [later.id, later.id, good.id]
        for job in (good, later):
            engine.finish(job)
            assert (await queue.ended(job, timeout=60)).state == "completed"


async def test_what_could_not_start_in_time_fails(tmp_path: Path) -> None:
    async with opened(tmp_path, "limits.max_running=1") as (queue, _):
        await queue.submit(new(), ME)
        late = await queue.submit(new(start_within=0.01), ME)
        await settle(queue)
        await queue._house.expire()
        over = queue.find(late.id, ME)
        assert over is not None
        assert over.problem is not None
        assert (over.state, over.problem.status, over.problem.type) == ("failed", 504, "request_timeout")


async def test_what_no_engine_ended_takes_its_room_all_the_same(tmp_path: Path) -> None:
    async with opened(tmp_path) as (queue, engine):
        fatal = await queue.submit(new(), ME)
        clips = tmp_path / fatal.id / "clips"
        clips.mkdir(parents=True)
        for place, size in ((clips.parent / "run.json", 500), (clips / "01-seed-7.mp4", 1000)):
            place.write_bytes(bytes(size))
        for _ in range(mourning.DEATHS):
            await settle(queue)
            engine.died()
        await settle(queue)
        over = queue.find(fatal.id, ME)
        assert over is not None
        assert over.state == "failed"
        assert [job.id for job in queue._store.beyond(1499)] == [fatal.id]
        assert queue._store.beyond(1500) == []


async def test_what_is_over_is_kept_by_age_and_by_size(tmp_path: Path) -> None:
    async with opened(tmp_path, "retention.days=1", "retention.gib=1") as (queue, engine):
        jobs = [await queue.submit(new(str(n), keep_seconds=0.01 if n == 0 else None), ME) for n in range(4)]
        for n, job in enumerate(jobs):
            await settle(queue)
            (tmp_path / job.id).mkdir()
            engine.finish(job, bytes=2**29 if n else 1)
        await settle(queue)
        await queue._house.clean()
        left = [job.id for job in queue.list(ME).jobs]
        assert left == [jobs[3].id, jobs[2].id]  # the first had its own date; the second was the oldest beyond a GiB
        assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".")) == sorted(left)
        old = queue.find(jobs[2].id, ME)
        assert old is not None
        queue._store.save(old.model_copy(update={"ended_at": datetime.now(UTC) - timedelta(days=2)}))
        await queue._house.clean()
        assert [job.id for job in queue.list(ME).jobs] == [jobs[3].id]


async def test_how_long_is_kept_counts_from_the_end(tmp_path: Path) -> None:
    async with opened(tmp_path) as (queue, engine):
        job = await queue.submit(new(keep_seconds=60), ME)
        await settle(queue)
        await asyncio.sleep(0.05)
        engine.finish(job)
        await settle(queue)
        over = await queue.ended(job)
        assert over.keep_until is not None
        assert over.ended_at is not None
        assert over.keep_until - over.ended_at == timedelta(seconds=60)


async def test_nothing_is_kept_longer_than_the_server_keeps_any(tmp_path: Path) -> None:
    async with opened(tmp_path, "retention.days=1") as (queue, _):
        job = await queue.submit(new(keep_seconds=3650 * 86400), ME)
        assert job.keep_until == job.created_at + timedelta(days=1)


async def test_what_strangers_may_have_asked_asks_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as (queue, _):
        await queue.submit(new(), ME)
        await settle(queue)
        with monkeypatch.context() as patched:
            patched.setattr(queue._store, "_reader", None)
            assert queue.facts()["running"] == 1


async def test_a_drained_queue_takes_and_begins_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, "limits.max_running=1", "drain_seconds=600") as (queue, engine):
        running, waiting = await queue.submit(new(), ME), await queue.submit(new(), ME)
        await settle(queue)
        draining = asyncio.create_task(queue.drain())
        await settle(queue)
        with pytest.raises(Refused, match="being stopped") as told:
            await queue.submit(new(), ME)
        assert told.value.problem.status == 503
        engine.finish(running)
        async with asyncio.timeout(60):
            await draining
        assert engine.begun == [running.id]
        assert queue.find(waiting.id, ME) is not None


async def test_who_waits_as_the_server_goes_is_let_go_and_told(tmp_path: Path) -> None:
    async with opened(tmp_path, "drain_seconds=0.05") as (queue, engine):
        job = await queue.submit(new(), ME)
        await settle(queue)
        waiting = [asyncio.create_task(queue.ended(job)), asyncio.create_task(queue.changed(job, lines=9, timeout=9))]
        events = [number async for number, _ in _until_drained(queue, job)]
        ended, changed = await asyncio.gather(*waiting, return_exceptions=True)
        assert events == []
        assert isinstance(changed, Job)
        assert isinstance(ended, Refused)
        assert (ended.problem.status, engine.cancelled) == (503, []), "it goes on at the next start"


async def _until_drained(queue: Queue, job: Job) -> AsyncIterator[tuple[int, str]]:
    draining = asyncio.create_task(queue.drain())
    async for event in queue.events(job):
        yield event
    await draining


async def test_what_another_version_wrote_is_told_and_not_guessed_at(tmp_path: Path) -> None:
    async with opened(tmp_path) as (queue, _):
        job = await queue.submit(new(), ME)
        await settle(queue)
        queue._store._disk.execute("UPDATE jobs SET body = replace(body, '\"endpoint\"', '\"what\"')")
        with pytest.raises(StorageError, match=r"jobs\.sqlite: endpoint: this version of Retake cannot read"):
            queue._store.get(job.id)


async def test_an_end_with_a_webhook_is_announced_before_it_is_told(tmp_path: Path) -> None:
    told: list[Job] = []
    async with opened(tmp_path, told=told) as (queue, engine):
        job = await queue.submit(new(webhook=Webhook(url="https://example.com/hook")), ME)
        await queue.submit(new(), ME)
        await settle(queue)
        engine.finish(job)
        await queue.ended(job, timeout=60)
        assert [(one.id, one.state) for one in told] == [(job.id, "completed")]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"fps": 90}, "fps"),
        ({"size": "big"}, "size"),
        ({"prompt": " "}, "prompt"),
        ({"num_inference_steps": 1000}, "num_inference_steps"),
        ({"guidance_scale": -1.0}, "guidance_scale"),
        ({"max_iterations": 100, "samples_per_iteration": 64}, "samples_per_iteration"),
        ({"size": "832x480", "max_iterations": 3, "draft": DraftConfig(promote=16, seeds=30)}, "draft"),
        ({"video_url": "https://example.com/v.mp4"}, "video"),
    ],
)
async def test_what_the_model_cannot_do_is_refused_with_its_field(
    tmp_path: Path, asked: dict[str, Any], field: str
) -> None:
    async with opened(tmp_path) as (queue, _):
        request = RunRequest(**{"model": "cosmos-3-super", "prompt": "a boat", **asked})
        with pytest.raises(Refused) as told:
            await queue.submit(NewJob(dialect="runs", endpoint="", request=request), ME)
        problem = told.value.problem
        assert (problem.status, problem.loc) == (422, (field,))
        assert "request." not in problem.message
        assert queue.list(ME).jobs == []


async def test_a_model_that_is_not_served_is_not_found(tmp_path: Path) -> None:
    async with opened(tmp_path) as (queue, _):
        request = RunRequest(model="../etc", prompt="a boat")
        with pytest.raises(Refused, match=r"no model '\.\./etc'; there are cosmos-3-super") as told:
            await queue.submit(NewJob(dialect="runs", endpoint="", request=request), ME)
        assert told.value.problem.status == 404


@contextmanager
def full_disk() -> Iterator[None]:
    """No file grows while it lasts."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_loses_no_job_and_holds_no_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "DISK_SECONDS", (0.01,))
    told: list[Job] = []
    async with opened(tmp_path, "limits.max_running=1", told=told) as (queue, engine):
        hook = Webhook(url="https://example.com/hook")
        running, waiting = await queue.submit(new(webhook=hook), ME), await queue.submit(new(), ME)
        await settle(queue)
        with full_disk():
            with pytest.raises(StorageError):
                await queue.submit(new(), ME)
            with pytest.raises(StorageError):
                await queue.cancel(waiting.id, ME)
            engine.finish(running)
            await asyncio.sleep(0.03)
            there = [queue.find(job.id, ME) for job in (running, waiting)]
            assert [job.state for job in there if job is not None] == ["running", "queued"]
            assert told == []
        assert (await queue.ended(running, timeout=60)).state == "completed"
        assert [job.id for job in told] == [running.id], "nor is the end untold"
        await settle(queue)
        assert engine.begun == [running.id, waiting.id]
        with full_disk():
            assert await queue.cancel(waiting.id, ME) == "requested", "what runs is stopped all the same"
        assert (await queue.ended(waiting, timeout=60)).state == "cancelled"


async def test_what_runs_told_is_read_again_and_not_kept_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entries, "BOOKS", 2)
    async with opened(tmp_path, "limits.max_running=4") as (queue, engine):
        jobs = [await queue.submit(new(), ME) for _ in range(4)]
        await settle(queue)
        for job in jobs:
            folder = queue.folder(job)
            folder.mkdir()
            (folder / "events.jsonl").write_text("an event\n" * 3)
            assert queue.logs(job) == []
            engine.finish(job)
            await queue.ended(job, timeout=60)
        known = [queue._entries.found(job.id) for job in jobs]
        assert [entry.book.number for entry in known if entry is not None] == [0, 0, 3, 3]
        assert queue.logs(jobs[0]) == []
        assert [entry.book.number for entry in known if entry is not None] == [3, 0, 0, 3]


async def test_a_job_waits_for_its_backends_and_lets_those_of_others_pass(tmp_path: Path) -> None:
    away = Away("cosmos-3-super")
    async with opened(tmp_path, "limits.max_running=1", backends=away) as (queue, engine):
        waiting = await queue.submit(new(), ME)
        request = RunRequest(model="cosmos-3-nano", prompt="a boat")
        other = await queue.submit(NewJob("runs", "/v1/runs", request), ME)
        await settle(queue)
        assert engine.begun == [other.id]
        engine.finish(other)
        away.models.clear()
        await settle(queue)
        queue._carrier.fill()  # as housekeeping does every second
        await settle(queue)
        assert engine.begun == [other.id, waiting.id]


async def test_a_run_whose_backends_went_away_waits_and_goes_on(tmp_path: Path) -> None:
    away = Away()
    async with opened(tmp_path, backends=away) as (queue, engine):
        job = await queue.submit(new(), ME)
        await settle(queue)
        away.models.add("cosmos-3-super")
        engine.hear(Over(id=job.id, state="failed", problem=GONE))
        await settle(queue)
        found = queue.find(job.id, ME)
        assert found is not None
        assert (found.state, found.problem, engine.begun) == ("queued", None, [job.id])
        away.models.clear()
        queue._carrier.fill()
        await settle(queue)
        assert engine.begun == [job.id, job.id]
        engine.hear(Over(id=job.id, state="failed", problem=GONE))  # its backends answer: this is its own fault
        assert (await queue.ended(job, timeout=60)).problem == GONE


async def test_backends_are_not_waited_for_for_ever(tmp_path: Path) -> None:
    away = Away("cosmos-3-super")
    async with opened(tmp_path, "limits.backend_seconds=0.05", backends=away) as (queue, engine):
        job = await queue.submit(new(), ME)
        await settle(queue)
        assert engine.begun == []
        await asyncio.sleep(0.06)
        queue._carrier.fill()
        await settle(queue)
        assert engine.begun == [job.id]
        engine.hear(Over(id=job.id, state="failed", problem=GONE))
        assert (await queue.ended(job, timeout=60)).problem == GONE
