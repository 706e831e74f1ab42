"""A render that nobody waits for any more: withdrawn at fal, within bounds, and told where it may cost all the same."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from generator.config import FalConfig
from generator.fal.types import Pace
from generator.types import BackendError, Progress, RenderSpec
from tests.fal import HASTY, QUICK, T2V, FalDouble, Job, open_fal, refusal
from tests.limits import limit
from tests.wire import HANG, Answer

SPEC = RenderSpec(width=1280, height=704, num_frames=9, fps=16)


async def cancelled(
    server: FalDouble, to: Path, when: Callable[[], object], *, times: int = 1, pace: Pace = QUICK
) -> list[Progress]:
    """Cancel a render once `when` holds; what was told."""
    told = list[Progress]()
    async with open_fal(FalConfig(model=T2V), pace=pace, tell=told.append) as fal, asyncio.timeout(60):
        work = asyncio.create_task(fal.render("A cat.", SPEC, seed=1, to=to))
        while not when():
            await asyncio.sleep(0.002)
        for _ in range(times):
            work.cancel()
            await asyncio.sleep(0)
        await asyncio.wait([work])
        assert work.cancelled()
    assert list(to.parent.iterdir()) == []
    return told


def polled(server: FalDouble) -> Callable[[], object]:
    return lambda: any(job.polls > 1 for job in server.jobs.values())


@pytest.mark.parametrize("times", [1, 3])
async def test_one_in_the_queue_is_removed(tmp_path: Path, times: int) -> None:
    async with FalDouble(queued=-1) as server:
        told = await cancelled(server, tmp_path / "clip.mp4", polled(server), times=times)
    assert [job.cancelled for job in server.jobs.values()] == [True]
    assert [progress.stage for progress in told] == ["queued"]


async def test_one_at_work_is_asked_to_stop_and_its_price_told(tmp_path: Path) -> None:
    async with FalDouble(running=-1) as server:
        told = await cancelled(server, tmp_path / "clip.mp4", polled(server))
    assert [job.cancelled for job in server.jobs.values()] == [True]
    assert [progress.stage for progress in told] == ["rendering", "abandoned"]
    assert told[1].note.endswith("It may be billed ($0.20).")
    assert [progress.price_usd for progress in told] == [None, 0.2]
    assert told[1].seconds > 0


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (HANG, "could not be cancelled"),
        (refusal(500, "no"), "could not be cancelled"),
        (Answer(400, {"status": "ALREADY_COMPLETED"}), "had ended"),
        (Answer(404, {"status": "NOT_FOUND"}), "had ended"),
        (Answer(202, {"status": "CANCELLATION_REQUESTED"}), "asked to stop"),
    ],
)
async def test_a_withdrawal_that_does_not_remove_it_is_told(tmp_path: Path, answer: Answer, said: str) -> None:
    async with FalDouble(queued=-1) as server:
        server.script("cancel", answer)
        pace = HASTY if answer is HANG else QUICK
        told = await cancelled(server, tmp_path / "clip.mp4", polled(server), pace=pace)
    assert told[-1].stage == "abandoned"
    assert said in told[-1].note


async def test_one_cancelled_while_it_is_submitted_is_withdrawn_once_it_is_taken(tmp_path: Path) -> None:
    async with FalDouble(queued=-1) as server:
        name = "00000000-0000-0000-0000-000000000001"
        server.jobs[name] = Job(T2V, {"prompt": "A cat.", "seed": 1})
        server.script("submit", Answer(200, {"request_id": name}, delay=0.05))
        told = await cancelled(server, tmp_path / "clip.mp4", lambda: server.submissions)
    assert server.jobs[name].cancelled
    assert told == []


async def test_one_cancelled_while_fal_takes_for_ever_may_be_billed(tmp_path: Path) -> None:
    async with FalDouble() as server:
        server.script("submit", HANG)
        told = await cancelled(server, tmp_path / "clip.mp4", lambda: server.submissions, pace=HASTY)
    assert [progress.stage for progress in told] == ["abandoned"]
    assert told[0].note == "Cancelled while it was submitted. If fal took it, it is billed ($0.20)."


async def test_a_cancelled_download_leaves_nothing(tmp_path: Path) -> None:
    async with FalDouble() as server:
        server.script("file", HANG)
        told = await cancelled(
            server, tmp_path / "clip.mp4", lambda: any(heard.path.startswith("/files/") for heard in server.heard)
        )
    assert [progress.stage for progress in told] == ["rendering", "delivering", "abandoned"]
    assert told[2].note == "fal had rendered it already. It is billed ($0.20)."
    assert [job.cancelled for job in server.jobs.values()] == [False]


async def test_a_cancelled_fetch_of_the_result_is_billed(tmp_path: Path) -> None:
    async with FalDouble() as server:
        server.script("result", HANG)
        told = await cancelled(
            server, tmp_path / "clip.mp4", lambda: any(job.polls > 2 for job in server.jobs.values())
        )
    assert [progress.stage for progress in told] == ["rendering", "abandoned"]
    assert told[1].note == "The render had ended at fal already. It is billed ($0.20)."
    assert [job.cancelled for job in server.jobs.values()] == [False]


async def test_one_waiting_for_its_turn_is_never_submitted(tmp_path: Path) -> None:
    async with FalDouble(running=-1) as server, open_fal(FalConfig(model=T2V, concurrency=1)) as fal:
        first, second = (
            asyncio.create_task(fal.render("A cat.", SPEC, seed=seed, to=tmp_path / f"{seed}.mp4")) for seed in (1, 2)
        )
        while not server.jobs:
            await asyncio.sleep(0.002)
        second.cancel()
        await asyncio.wait([second])
        first.cancel()
        await asyncio.wait([first])
        assert first.cancelled()
        assert second.cancelled()
    assert len(server.submissions) == 1
    assert list(tmp_path.iterdir()) == []


async def test_one_that_takes_too_long_is_withdrawn_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told, passing = list[Progress](), limit(1234, monkeypatch)
    async with FalDouble(running=-1) as server:
        async with open_fal(FalConfig(model=T2V, timeout_seconds=1234), tell=told.append) as fal:
            work = asyncio.create_task(fal.render("A cat.", SPEC, seed=1, to=tmp_path / "clip.mp4"))
            while not polled(server)():
                await asyncio.sleep(0.002)
            passing.reschedule(0)
            with pytest.raises(BackendError, match=r"did not finish within 1234 s.*Raise generator\.timeout_seconds"):
                await work
        assert [job.cancelled for job in server.jobs.values()] == [True]
        assert float(server.submissions[0].headers["x-fal-request-timeout"]) == 1234
    assert [progress.stage for progress in told] == ["rendering", "abandoned"]
    assert list(tmp_path.iterdir()) == []
