"""A request that fal has taken is found again: by a resumed session, and after whatever kept its clip from arriving."""

import asyncio
import contextlib
import resource
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from generator import job_slip
from generator.config import FalConfig
from generator.fal.types import Pace, UnsettledError
from generator.types import BackendError, Clip, Progress, RenderError, RenderSpec
from tests.fal import HASTY, KEY, QUICK, FalDouble, Job, open_fal, refusal
from tests.wire import HANG, Answer

PROMPT = "A red sailboat at sunset."


@pytest.fixture
def spec(tmp_path_factory: pytest.TempPathFactory) -> RenderSpec:
    first = tmp_path_factory.mktemp("first") / "first.png"
    Image.new("RGB", (320, 192), "red").save(first)
    return RenderSpec(
        width=320, height=192, num_frames=5, fps=24, num_inference_steps=28, guidance_scale=6, first_frame=first
    )


@pytest.fixture
def told() -> list[Progress]:
    return []


async def render(spec: RenderSpec, to: Path, told: list[Progress], *, seed: int = 3, pace: Pace = QUICK) -> Clip:
    async with open_fal(FalConfig(), pace=pace, tell=told.append) as fal:
        return await fal.render(PROMPT, spec, seed=seed, to=to)


async def killed(server: FalDouble, spec: RenderSpec, to: Path) -> tuple[str, Job]:
    """Begin a render and die over it as a killed process does: nothing is said to fal. The request's name and job."""
    queued, server.queued = server.queued, -1
    work = asyncio.create_task(render(spec, to, []))
    async with asyncio.timeout(60):
        while not any(job.polls for job in server.jobs.values()):
            await asyncio.sleep(0.002)
    text = job_slip.slip_path(to).read_text(encoding="utf-8")
    ((name, job),) = server.jobs.items()
    server.jobs.clear()  # deaf to what is said of it
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work
    job_slip.slip_path(to).write_text(text, encoding="utf-8")
    server.heard.clear()
    server.queued = queued
    return name, job


@pytest.mark.parametrize("stage", ["queued", "at work", "completed"])
async def test_a_killed_session_s_request_is_adopted(
    spec: RenderSpec, tmp_path: Path, told: list[Progress], stage: str
) -> None:
    to = tmp_path / "clip.mp4"
    async with FalDouble() as server:
        name, job = await killed(server, spec, to)
        server.jobs[name] = job
        server.queued = job.polls + 1 if stage == "queued" else 0
        server.running = 1 if stage == "queued" else job.polls + 1 if stage == "at work" else 0
        clip = await render(spec, to, told)
    assert server.submissions == []
    assert (clip.rendering.job, clip.rendering.attempts, clip.rendering.price_usd) == (name, 1, 0.05)
    assert (clip.rendering.render_seconds is None) == (stage != "queued")  # nobody saw it begin
    assert [progress.stage for progress in told] == {
        "queued": ["queued", "rendering", "delivering"],
        "at work": ["rendering", "delivering"],
        "completed": ["delivering"],
    }[stage]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "clip.mp4.slip"]


@pytest.mark.parametrize("how", ["status", "result"])
async def test_one_that_fal_no_longer_has_is_rendered_and_paid_again(
    spec: RenderSpec, tmp_path: Path, told: list[Progress], how: str
) -> None:
    to = tmp_path / "clip.mp4"
    async with FalDouble() as server:
        name, job = await killed(server, spec, to)
        if how == "result":
            server.jobs[name] = job
            server.script("result", refusal(404, "Request not found"))
        clip = await render(spec, to, told)
    assert len(server.submissions) == 1
    assert clip.rendering.job != name
    assert (clip.rendering.attempts, clip.rendering.price_usd) == (2, 0.1)
    assert clip.notes == (
        "fal no longer had the clip that a killed session asked for: the price is that of both renders.",
    )
    assert told[0].stage == "resubmitted"
    assert "is lost: fal no longer" in told[0].note
    assert "may be billed ($0.05). It is sent again." in told[0].note
    assert not any(heard.method == "PUT" for heard in server.heard)


async def test_one_that_was_not_rendered_meanwhile_is_sent_again_at_no_cost(
    spec: RenderSpec, tmp_path: Path, told: list[Progress]
) -> None:
    to = tmp_path / "clip.mp4"
    async with FalDouble() as server:
        name, job = await killed(server, spec, to)
        server.jobs[name], job.cancelled = job, True
        server.script("result", refusal(499, "cancelled", "client_cancelled"))
        clip = await render(spec, to, told)
    assert len(server.submissions) == 1
    assert (clip.rendering.attempts, clip.rendering.price_usd, clip.notes) == (1, 0.05, ())
    assert told[0].note == "A killed session's request is lost: it was not rendered. It is sent again."


async def test_one_that_was_refused_meanwhile_is_not_sent_again(
    spec: RenderSpec, tmp_path: Path, told: list[Progress]
) -> None:
    to = tmp_path / "clip.mp4"
    async with FalDouble(error=("dark", "image_load_error")) as server:
        name, job = await killed(server, spec, to)
        server.jobs[name] = job
        server.script(
            "result", refusal(422, [{"loc": ["body", "image_url"], "msg": "dark", "type": "image_load_error"}])
        )
        with pytest.raises(RenderError, match="Give another first frame"):
            await render(spec, to, told)
    assert server.submissions == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("other", [{"request": "another"}, {"url": "https://elsewhere"}, {"id": "../../x"}, None])
async def test_a_slip_of_something_else_is_not_adopted(
    spec: RenderSpec, tmp_path: Path, told: list[Progress], other: dict[str, Any] | None
) -> None:
    to = tmp_path / "clip.mp4"
    async with FalDouble() as server:
        name, job = await killed(server, spec, to)
        server.jobs[name] = job
        slip = job_slip.slip_path(to)
        left = job_slip.Job.model_validate_json(slip.read_text(encoding="utf-8"))
        slip.write_text(left.model_copy(update=other).model_dump_json() if other else "half a sl", encoding="utf-8")
        clip = await render(spec, to, told)
    assert len(server.submissions) == 1
    assert clip.rendering.job != name
    assert clip.rendering.price_usd == 0.05
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "clip.mp4.slip"]


async def test_another_seed_is_another_request_and_a_slip_shows_neither_key_nor_prompt(
    spec: RenderSpec, tmp_path: Path, told: list[Progress]
) -> None:
    to = tmp_path / "clip.mp4"
    async with FalDouble() as server:
        name, job = await killed(server, spec, to)
        server.jobs[name] = job
        written = job_slip.slip_path(to).read_text(encoding="utf-8")
        await render(spec, to, told, seed=4)
    assert len(server.submissions) == 1
    assert KEY not in written
    assert PROMPT not in written


UNSETTLED: dict[str, tuple[Any, list[Answer], str]] = {
    "result": ("result", [refusal(503, "later")] * 3, "later"),
    "key": ("result", [refusal(401, "key revoked")], "refused the key"),
    "unreadable": ("result", [Answer(200, "<html>")], "does not read"),
    "file": ("file", [refusal(503, "later")] * 3, "could not be downloaded"),
}


@pytest.mark.parametrize("where", UNSETTLED)
async def test_a_finished_clip_that_cannot_be_fetched_is_told_and_fetched_later(
    spec: RenderSpec, tmp_path: Path, told: list[Progress], where: str
) -> None:
    to = tmp_path / "clip.mp4"
    route, answers, said = UNSETTLED[where]
    async with FalDouble() as server:
        server.script(route, *answers)
        with pytest.raises(BackendError, match=rf"{said}.*asked for again, it is looked for there first"):
            await render(spec, to, told)
        assert told[-1].stage == "abandoned"
        assert told[-1].seconds > 0
        assert told[-1].note.endswith("It is billed ($0.05).")
        assert [path.name for path in tmp_path.iterdir()] == [".clip.mp4.job"]
        clip = await render(spec, to, told)
    assert len(server.submissions) == 1
    assert clip.rendering.attempts == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "clip.mp4.slip"]


@pytest.mark.parametrize(("reachable", "kept"), [(True, False), (False, True)])
async def test_one_that_cannot_be_watched_is_found_again_unless_it_was_withdrawn(
    spec: RenderSpec, tmp_path: Path, told: list[Progress], reachable: bool, kept: bool
) -> None:
    to = tmp_path / "clip.mp4"
    async with FalDouble() as server:
        server.script("status", *[refusal(500, "it broke")] * 3)
        if not reachable:
            server.script("cancel", HANG)
        with pytest.raises(BackendError, match="it broke") as caught:
            await render(spec, to, told, pace=QUICK if reachable else HASTY)
        assert isinstance(caught.value, UnsettledError) == kept
        assert job_slip.slip_path(to).exists() == kept
        assert [progress.stage for progress in told] == (["abandoned"] if kept else [])
        await render(spec, to, told)
    assert len(server.submissions) == (1 if kept else 2)


async def test_a_full_disk_does_not_cost_the_render(spec: RenderSpec, tmp_path: Path, told: list[Progress]) -> None:
    to = tmp_path / "clip.mp4"
    async with FalDouble() as server:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            with pytest.raises(OSError, match=r"too large.*clip\.mp4"):
                await render(spec, to, told)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert told[-1].stage == "abandoned"
        assert [path.name for path in tmp_path.iterdir()] == [".clip.mp4.job"]
        await render(spec, to, told)
    assert len(server.submissions) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "clip.mp4.slip"]


async def test_a_request_that_cannot_be_written_down_is_withdrawn(
    spec: RenderSpec, tmp_path: Path, told: list[Progress]
) -> None:
    to = tmp_path / "clip.mp4"
    async with FalDouble(queued=-1) as server:
        job_slip.slip_path(to).mkdir()
        with pytest.raises(IsADirectoryError):
            await render(spec, to, told)
    assert [job.cancelled for job in server.jobs.values()] == [True]


@pytest.mark.parametrize(
    ("answer", "note"),
    [
        (Answer(drop="before", delay=0.01), "The connection broke while it was submitted."),
        (Answer(200, {"status": "IN_QUEUE"}, delay=0.01), "fal did not name it."),
    ],
)
async def test_a_submission_that_is_lost_is_told(
    spec: RenderSpec, tmp_path: Path, told: list[Progress], answer: Answer, note: str
) -> None:
    async with FalDouble() as server:
        server.script("submit", answer)
        began = time.monotonic()
        with pytest.raises(BackendError):
            await render(spec, tmp_path / "clip.mp4", told)
        took = time.monotonic() - began
    assert [progress.stage for progress in told] == ["abandoned"]
    assert told[0].note == f"{note} If fal took it, it is billed ($0.05)."
    assert 0.01 <= told[0].seconds <= took
    assert list(tmp_path.iterdir()) == []
