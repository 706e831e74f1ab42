"""What becomes of a render when its server restarts, dies, hangs or fills up, and when nobody waits for it any more."""

import asyncio
import contextlib
import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from generator import job_slip
from generator.types import BackendError, Progress, RenderSpec
from generator.vllm_omni import Limits
from tests.omni import JOBS, QUICK, Omni, connected, until
from tests.wire import DROP, Answer, error

PROMPT = "A red sailboat on the sea at sunset."
SPEC = RenderSpec(width=64, height=48, num_frames=5, fps=24)
IMPATIENT = dataclasses.replace(QUICK, patience=0.1)


def lost(heard: list[Progress]) -> list[Progress]:
    return [progress for progress in heard if progress.stage in ("resubmitted", "abandoned")]


def job_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_restarted_server_gets_the_same_request_again(tmp_path: Path) -> None:
    heard: list[Progress] = []
    async with Omni() as server, connected(server, tell=heard.append) as omni:
        server.hold()
        work = asyncio.create_task(omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "clip.mp4"))
        await until(lambda: any(progress.stage == "rendering" for progress in heard))
        server.forget()
        server.release()
        clip = await work
    assert (server.submits, clip.rendering.attempts) == (2, 2)
    assert clip.rendering.lost_seconds > 0
    first, second = ({name: part.content for name, part in job.form.items()} for job in server.forms)
    assert first == second
    (again,) = (progress for progress in heard if progress.stage == "resubmitted")
    assert "it no longer knows the job: it was restarted" in again.note
    assert again.seconds == pytest.approx(clip.rendering.lost_seconds, abs=0.002)
    assert job_files(tmp_path) == ["clip.mp4", "clip.mp4.slip"]


async def test_a_render_lost_too_often_fails(tmp_path: Path) -> None:
    async with Omni() as server, connected(server, resubmit=0) as omni:
        server.hold()
        work = asyncio.create_task(omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "clip.mp4"))
        await until(lambda: server.begun == 1)
        server.forget()
        with pytest.raises(BackendError, match=r"it no longer knows.*sent 1 time.*generator\.resubmit"):
            await work
    assert job_files(tmp_path) == []


async def test_a_dead_server_hands_its_render_to_another(tmp_path: Path) -> None:
    async with Omni() as first, Omni() as second, connected(first, second) as omni:
        first.hold()
        work = asyncio.create_task(omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "clip.mp4"))
        await until(lambda: first.begun == 1)
        await first.die()
        clip = await work
        await first.rise()
    assert (clip.rendering.endpoint, clip.rendering.attempts) == (second.url, 2)
    assert (first.submits, second.submits) == (1, 1)


async def test_a_dead_server_that_comes_back_is_used_again(tmp_path: Path) -> None:
    async with Omni() as server, connected(server) as omni:
        server.hold()
        work = asyncio.create_task(omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "clip.mp4"))
        await until(lambda: server.begun == 1)
        await server.die()
        await asyncio.sleep(0.05)
        server.release()
        await server.rise()
        assert (await work).rendering.attempts == 2


async def test_a_server_that_stays_dead_is_named(tmp_path: Path) -> None:
    async with Omni() as server, connected(server, limits=IMPATIENT) as omni:
        await server.die()
        with pytest.raises(BackendError, match=rf"No rendering server has answered.*{server.url}: it cannot be"):
            await omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "clip.mp4")
        await server.rise()
    assert job_files(tmp_path) == []


async def test_a_server_that_only_hangs_is_dead_too(tmp_path: Path) -> None:
    async with Omni() as server, Omni() as other, connected(server, other) as omni:
        omni._wire._limits = dataclasses.replace(QUICK, ask=0.25)
        server.hold()
        work = asyncio.create_task(omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "clip.mp4"))
        await until(lambda: server.begun == 1)
        server.faults.silent = True
        await until(lambda: other.submits == 1)
        omni._wire._limits = QUICK
        clip = await work
        server.faults.silent = False
    assert (clip.rendering.endpoint, clip.rendering.attempts) == (other.url, 2)


async def test_a_render_that_never_ends_goes_to_another_server(tmp_path: Path) -> None:
    async with Omni() as stuck, Omni() as other:
        async with connected(stuck, other, stall_seconds=0.4) as omni:
            stuck.hold()
            clip = await omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "a.mp4")
            assert (clip.rendering.endpoint, clip.rendering.attempts) == (other.url, 2)
            assert clip.rendering.lost_seconds >= 0.4
            # it answers as healthy, and gets nothing more while its job stands still
            more = await asyncio.gather(
                *(omni.render(PROMPT, SPEC, seed=seed, to=tmp_path / f"{seed}.mp4") for seed in (4, 5))
            )
            assert {clip.rendering.endpoint for clip in more} == {other.url}
            assert (stuck.submits, stuck.deletes) == (1, 0)
        assert stuck.deletes == 1  # when the backend was closed


async def test_a_render_that_was_only_slow_is_not_done_twice(tmp_path: Path) -> None:
    heard: list[Progress] = []
    async with Omni() as server, connected(server, stall_seconds=0.1, tell=heard.append) as omni:
        server.hold()
        work = asyncio.create_task(omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "clip.mp4"))
        await until(lambda: any("did not end within" in progress.note for progress in heard))
        server.release()
        clip = await work
    assert (server.submits, clip.rendering.attempts, clip.rendering.lost_seconds) == (1, 1, 0)
    assert lost(heard) == []
    assert clip.rendering.render_seconds is None  # its last part was seen only


async def test_a_server_that_stands_still_for_good_is_named(tmp_path: Path) -> None:
    async with Omni() as server, connected(server, stall_seconds=0.05, limits=IMPATIENT) as omni:
        server.hold()
        with pytest.raises(BackendError, match=r"the render did not end within 0 s; out of memory"):
            await omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "clip.mp4")
    assert server.deletes == 0  # the next session looks whether it has ended
    assert job_files(tmp_path) == [".clip.mp4.job"]


async def test_a_queue_that_stands_still_is_left_and_time_in_one_that_moves_is_no_fault(tmp_path: Path) -> None:
    async with Omni() as stuck, Omni() as other:
        async with connected(stuck, stall_seconds=30) as somebody, connected(stuck, other, stall_seconds=0.5) as omni:
            stuck.hold()
            theirs = asyncio.create_task(somebody.render(PROMPT, SPEC, seed=1, to=tmp_path / "theirs.mp4"))
            await until(lambda: stuck.begun == 1)
            clip = await omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "ours.mp4")
            assert (clip.rendering.endpoint, clip.rendering.lost_seconds) == (other.url, 0)
            assert (stuck.submits, stuck.deletes, stuck.begun) == (2, 1, 1)  # ours was deleted, and never ran
            stuck.release()
            await theirs
        async with connected(other, in_flight=8, stall_seconds=0.5) as omni:
            other.seconds = 0.1
            clips = await asyncio.gather(
                *(omni.render(PROMPT, SPEC, seed=seed, to=tmp_path / f"{seed}.mp4") for seed in range(8))
            )
        assert max(clip.rendering.queue_seconds for clip in clips) > 0.5
        assert [clip.rendering.attempts for clip in clips] == [1] * 8


@pytest.mark.parametrize("status", [429, 503])
async def test_a_full_server_is_asked_again_and_another_first(tmp_path: Path, status: int) -> None:
    async with Omni() as full, Omni() as other, connected(full, other) as omni:
        full.faults.answers.append(error(status, "queue full"))
        clips = [await omni.render(PROMPT, SPEC, seed=seed, to=tmp_path / f"{seed}.mp4") for seed in (1, 2)]
        await asyncio.sleep(0.02)
        clips += [await omni.render(PROMPT, SPEC, seed=seed, to=tmp_path / f"{seed}.mp4") for seed in (3,)]
    assert clips[0].rendering.endpoint == other.url
    assert [clip.rendering.attempts for clip in clips] == [1, 1, 1]


async def test_a_server_that_stays_full_is_named(tmp_path: Path) -> None:
    async with Omni() as full, connected(full, limits=IMPATIENT) as omni:
        full.faults.answers.extend([error(429, "queue full")] * 200)
        with pytest.raises(BackendError, match=r"taken the render for 0\.1 s.*takes no more jobs \(HTTP 429\)"):
            await omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "clip.mp4")
    assert job_files(tmp_path) == []


async def test_a_submission_that_may_have_been_taken_counts_as_one(tmp_path: Path) -> None:
    async with Omni() as server, connected(server) as omni:
        server.faults.answers.append(DROP)
        clip = await omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "clip.mp4")
        assert clip.rendering.attempts == 2
        server.faults.answers.extend([DROP, DROP])
        with pytest.raises(BackendError, match=r"did not answer the submission.*sent 2 time"):
            await omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "clip.mp4")
        assert sum(heard.method == "POST" for heard in server.heard) == 4


async def test_a_download_that_breaks_off_is_tried_again_and_not_rendered_again(tmp_path: Path) -> None:
    async with Omni() as server, connected(server) as omni:
        whole = Answer(body=b"x" * 90_000, headers={"Content-Type": "video/mp4"}, drop="middle")
        server.faults.downloads.extend([whole, DROP])
        clip = await omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "clip.mp4")
    assert (server.submits, clip.rendering.attempts) == (1, 1)


async def test_a_finished_clip_that_is_gone_is_rendered_again(tmp_path: Path) -> None:
    async with Omni() as server, connected(server) as omni:
        server.faults.downloads.append(error(404, "gone"))
        clip = await omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "clip.mp4")
    assert (server.submits, clip.rendering.attempts) == (2, 2)
    assert clip.rendering.lost_seconds > 0


async def test_a_dead_engine_is_a_lost_job(tmp_path: Path) -> None:
    async with Omni() as server, connected(server) as omni:
        server.faults.failures.append(("EngineDeadError", "EngineCore encountered an issue."))
        clip = await omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "clip.mp4")
    assert clip.rendering.attempts == 2
    assert clip.notes[0].startswith("It was sent 2 times, as servers failed or lost it: 0 s of their work gave")


async def test_out_of_memory_is_not_sent_again_and_the_server_is_asked_first(tmp_path: Path) -> None:
    async with Omni() as server, connected(server) as omni:
        server.faults.failures.append((500, "CUDA out of memory"))
        with pytest.raises(BackendError, match="ran out of GPU memory"):
            await omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "a.mp4")
        asked = len([heard for heard in server.heard if heard.path == "/health"])
        await omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "b.mp4")
        assert len([heard for heard in server.heard if heard.path == "/health"]) > asked


async def test_cancelling_a_queued_render_deletes_it(tmp_path: Path) -> None:
    heard: list[Progress] = []
    async with Omni() as server, connected(server, in_flight=2, tell=heard.append) as omni:
        server.hold()
        first = asyncio.create_task(omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "a.mp4"))
        await until(lambda: server.begun == 1)
        second = asyncio.create_task(omni.render(PROMPT, SPEC, seed=2, to=tmp_path / "b.mp4"))
        await until(lambda: server.submits == 2)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert server.deletes == 1
        assert [progress for progress in heard if progress.stage == "abandoned"] == []
        server.release()
        await first
    assert server.begun == 1
    assert job_files(tmp_path) == ["a.mp4", "a.mp4.slip"]


async def test_cancelling_a_running_render_says_that_it_goes_on(tmp_path: Path) -> None:
    heard: list[Progress] = []
    async with Omni(seconds=0.1) as busy, Omni() as idle, connected(busy, idle, tell=heard.append) as omni:
        known = await omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "a.mp4")
        assert known.rendering.endpoint == busy.url
        await omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "b.mp4")
        busy.hold()
        longer = SPEC.model_copy(update={"num_inference_steps": 100, "num_frames": 61})
        work = asyncio.create_task(omni.render(PROMPT, longer, seed=2, to=tmp_path / "c.mp4"))
        await until(lambda: any(progress.seed == 2 and progress.stage == "rendering" for progress in heard))
        await asyncio.sleep(0.01)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        (told,) = (progress for progress in heard if progress.stage == "abandoned")
        assert (told.seed, told.endpoint, told.seconds > 0) == (2, busy.url, True)
        assert re.search(r"cannot stop it and goes on for about \d+ s more", told.note)
        # the pool knows that it is busy still: the next ones go elsewhere
        after = [await omni.render(PROMPT, SPEC, seed=3, to=tmp_path / f"{n}.mp4") for n in range(2)]
        assert {clip.rendering.endpoint for clip in after} == {idle.url}
        busy.release()
    assert (busy.begun, busy.submits, busy.deletes) == (2, 2, 2)
    assert not (tmp_path / "c.mp4").exists()
    assert not job_slip.slip_path(tmp_path / "c.mp4").exists()


async def test_cancelling_while_it_is_submitted_deletes_it(tmp_path: Path) -> None:
    async with Omni() as server, connected(server) as omni:
        server.hold()
        work = asyncio.create_task(omni.render(PROMPT, SPEC, seed=2, to=tmp_path / "c.mp4"))
        await until(lambda: server.submits == 1)  # whose answer is still on its way
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert (server.deletes, server.jobs) == (1, {})
        server.release()
    assert job_files(tmp_path) == []


async def test_cancelling_at_a_server_that_hangs_is_bounded(tmp_path: Path) -> None:
    heard: list[Progress] = []
    limits = dataclasses.replace(QUICK, cleanup=1.0)
    async with Omni() as server, connected(server, limits=limits, tell=heard.append) as omni, asyncio.timeout(60):
        server.hold()
        work = asyncio.create_task(omni.render(PROMPT, SPEC, seed=2, to=tmp_path / "c.mp4"))
        await until(lambda: any(progress.stage == "rendering" for progress in heard))
        server.faults.silent = True
        started = asyncio.get_running_loop().time()
        for _ in range(3):  # whoever is impatient does not cut the cleaning short
            work.cancel()
            await asyncio.sleep(0.005)
        with pytest.raises(asyncio.CancelledError):
            await work
        assert asyncio.get_running_loop().time() - started > 0.2
        assert heard[-1].stage == "abandoned"
    assert job_files(tmp_path) == []


async def killed(server: Omni, to: Path, limits: Limits = QUICK, **config: Any) -> str:
    """Begin a render and die over it as a killed process does: nothing is said to the server. Returns the slip."""
    async with connected(server, limits=limits, **config) as omni:
        work = asyncio.create_task(omni.render(PROMPT, SPEC, seed=3, to=to))
        await until(lambda: job_slip.slip_path(to).exists())
        text = job_slip.slip_path(to).read_text(encoding="utf-8")
        job = server.jobs.pop(job_slip.Job.model_validate_json(text).id)  # deaf to what is said of it
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work
        server.jobs[job.id] = job
    job_slip.slip_path(to).write_text(text, encoding="utf-8")
    return text


@pytest.mark.parametrize("stage", ["queued", "in_progress", "completed"])
async def test_a_killed_session_s_job_is_adopted(tmp_path: Path, stage: str) -> None:
    to = tmp_path / "clip.mp4"
    async with Omni() as server:
        server.hold()
        async with connected(server) as other:
            ahead = None
            if stage == "queued":
                ahead = asyncio.create_task(other.render(PROMPT, SPEC, seed=9, to=tmp_path / "ahead.mp4"))
                await until(lambda: server.begun == 1)
            await killed(server, to)
            if stage == "completed":
                server.release()
                await until(lambda: not server.running())
            async with connected(server) as omni:
                before = len(server.heard)
                work = asyncio.create_task(omni.render(PROMPT, SPEC, seed=3, to=to))
                # asked after twice, it has been seen once as it is
                own = f"{JOBS}/{server.forms[-1].id}"
                looks = 0 if stage == "completed" else 2
                await until(lambda: sum(heard.path == own for heard in server.heard[before:]) >= looks)
                server.release()
                clip = await work
            if ahead:
                await ahead
    assert server.submits == (2 if stage == "queued" else 1)
    assert (clip.rendering.attempts, clip.rendering.job) == (1, server.forms[-1].id)
    assert (clip.rendering.render_seconds is None) == (stage != "queued")  # nobody saw it begin
    assert not job_slip.slip_path(to).exists()
    assert server.jobs == {}


async def test_a_job_that_the_server_no_longer_knows_is_submitted_anew(tmp_path: Path) -> None:
    async with Omni() as server:
        server.hold()
        await killed(server, tmp_path / "clip.mp4")
        server.forget()
        server.release()
        async with connected(server, resubmit=0) as omni:
            clip = await omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "clip.mp4")
    assert (server.submits, clip.rendering.attempts) == (2, 2)


async def test_a_job_of_another_request_is_not_adopted(tmp_path: Path) -> None:
    async with Omni() as server:
        server.hold()
        await killed(server, tmp_path / "clip.mp4")
        server.release()
        async with connected(server) as omni:
            clip = await omni.render(PROMPT, SPEC, seed=4, to=tmp_path / "clip.mp4")
    assert (server.submits, clip.rendering.attempts) == (2, 1)
    assert clip.rendering.job == server.forms[1].id


async def test_a_job_at_a_server_that_is_away_is_rendered_elsewhere(tmp_path: Path) -> None:
    async with Omni() as away, Omni() as other:
        away.hold()
        await killed(away, tmp_path / "clip.mp4")
        await away.die()
        async with connected(away, other) as omni:
            clip = await omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "clip.mp4")
        await away.rise()
    assert (clip.rendering.endpoint, clip.rendering.attempts) == (other.url, 2)


def test_slips_are_whole_or_not_there(tmp_path: Path) -> None:
    to, job = tmp_path / "clip.mp4", job_slip.Job(url="http://127.0.0.1:1", id="video_gen_1", request="x")
    job_slip.write(to, job)
    assert job_slip.read(to, "x") == job
    assert job_slip.read(to, "y") is None
    job_slip.slip_path(to).write_text(job.model_dump_json()[:-9], encoding="utf-8")
    assert job_slip.read(to, "x") is None
    job_slip.remove(to)
    job_slip.remove(to)
    assert job_files(tmp_path) == []


def test_jobs_are_asked_after_quickly_at_first() -> None:
    limits = Limits()
    assert [limits.pause(waited) for waited in (0, 4, 1000)] == [0.1, 0.2, 2.0]
