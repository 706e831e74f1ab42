"""A server's trouble that passes costs no render, another's fault is stepped around, and every loss is told."""

import asyncio
import dataclasses
import re
import resource
from pathlib import Path

import pytest

from agent.memory import Memory, RememberedGenerator, aside
from generator import job_slip
from generator.types import BackendError, BlockedError, Clip, Generator, Progress, RenderError, RenderSpec
from generator.vllm_omni.failures import FaultError, failure, refusal
from generator.watchdog import FLOOR_SECONDS
from tests.omni import MODEL, QUICK, Omni, connected, until
from tests.wire import DROP, Answer, error

PROMPT = "A red sailboat on the sea at sunset."
SPEC = RenderSpec(width=64, height=48, num_frames=5, fps=24)
IMPATIENT = dataclasses.replace(QUICK, patience=0.15)
OUT_OF_MEMORY = (500, "CUDA out of memory. Tried to allocate 2 GiB")


def lost(heard: list[Progress]) -> list[Progress]:
    return [progress for progress in heard if progress.stage in ("resubmitted", "abandoned")]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def working(heard: list[Progress]) -> bool:
    return any(progress.stage == "rendering" for progress in heard)


async def cancelled(work: "asyncio.Task[object]") -> None:
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work


async def test_an_outage_costs_no_second_render(tmp_path: Path) -> None:
    heard: list[Progress] = []
    patient = dataclasses.replace(QUICK, away=3.0)
    async with Omni() as server, Omni() as other, connected(server, other, tell=heard.append, limits=patient) as omni:
        server.hold()
        work = asyncio.create_task(omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "a.mp4"))
        await until(lambda: working(heard))
        await server.hide()
        await until(lambda: server.url in omni._shared.pool.aside)
        clip = await omni.render(PROMPT, SPEC, seed=4, to=tmp_path / "b.mp4")
        assert clip.rendering.endpoint == other.url  # nothing more is sent there meanwhile
        await server.show()
        server.release()
        clip = await work
    assert (clip.rendering.endpoint, clip.rendering.attempts, clip.rendering.lost_seconds) == (server.url, 1, 0)
    assert (server.submits, other.submits, lost(heard)) == (1, 1, [])


async def test_a_job_left_at_a_server_that_is_away_is_deleted_when_it_is_back(tmp_path: Path) -> None:
    heard: list[Progress] = []
    async with Omni() as away, Omni() as other:
        async with connected(away, other, tell=heard.append) as omni:
            away.hold()
            work = asyncio.create_task(omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "a.mp4"))
            await until(lambda: working(heard))
            await away.hide()
            clip = await work
            await away.show()
            assert (clip.rendering.endpoint, clip.rendering.attempts) == (other.url, 2)
            (told,) = lost(heard)
            assert (told.stage, told.endpoint) == ("resubmitted", away.url)
            assert told.seconds == pytest.approx(clip.rendering.lost_seconds, abs=0.002)
            assert told.seconds > 0
        assert (away.deletes, away.jobs) == (1, {})


async def test_what_may_not_be_sent_again_waits_for_its_own_server(tmp_path: Path) -> None:
    async with Omni() as server, Omni() as other, connected(server, other, resubmit=0) as omni:
        server.hold()
        work = asyncio.create_task(omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "a.mp4"))
        await until(lambda: server.begun == 1)
        await server.hide()
        await asyncio.sleep(QUICK.away + 0.1)
        await server.show()
        server.release()
        assert (await work).rendering.endpoint == server.url
    assert other.submits == 0


async def test_a_server_that_is_back_ends_its_job_while_the_others_are_busy(tmp_path: Path) -> None:
    heard: list[Progress] = []
    async with Omni() as server, Omni() as other, connected(server, other, tell=heard.append) as omni:
        server.hold()
        other.hold()
        work = asyncio.create_task(omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "a.mp4"))
        await until(lambda: server.begun == 1)
        busy = asyncio.create_task(omni.render(PROMPT, SPEC, seed=4, to=tmp_path / "b.mp4"))
        await until(lambda: other.begun == 1)
        await server.hide()
        await until(lambda: any("it has not answered for" in progress.note for progress in heard))
        await server.show()
        server.release()
        assert (await work).rendering.endpoint == server.url
        other.release()
        await busy
    assert (server.submits, other.submits, lost(heard)) == (1, 1, [])


async def test_resubmissions_are_counted_where_a_job_is_kept_too(tmp_path: Path) -> None:
    async with Omni() as server, Omni() as other, connected(server, other) as omni:
        server.hold()
        other.faults.answers.append(DROP)
        work = asyncio.create_task(omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "a.mp4"))
        await until(lambda: server.begun == 1)
        await server.hide()
        with pytest.raises(BackendError, match=r"may not be sent once more .* a resumed run asks for it"):
            await work
        await server.show()
    assert (server.submits, other.submits) == (1, 0)
    assert names(tmp_path) == [".a.mp4.job"]


async def test_a_server_that_is_away_for_too_long_keeps_its_job_for_the_next_session(tmp_path: Path) -> None:
    to = tmp_path / "a.mp4"
    async with Omni() as server:
        async with connected(server, limits=IMPATIENT) as omni:
            server.hold()
            work = asyncio.create_task(omni.render(PROMPT, SPEC, seed=3, to=to))
            await until(lambda: server.begun == 1)
            await server.hide()
            with pytest.raises(BackendError, match="cannot be reached"):
                await work
            assert names(tmp_path) == [".a.mp4.job"]
        await server.show()
        server.release()
        async with connected(server) as omni:
            clip = await omni.render(PROMPT, SPEC, seed=3, to=to)
    assert (server.submits, clip.rendering.attempts) == (1, 1)
    assert names(tmp_path) == ["a.mp4", "a.mp4.slip"]


async def test_a_full_disk_costs_no_second_render(tmp_path: Path) -> None:
    to = tmp_path / "a.mp4"
    large = SPEC.model_copy(update={"width": 320, "height": 192})
    async with Omni() as server, connected(server) as omni:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
        try:
            with pytest.raises(OSError, match=r"too large.*a\.mp4"):
                await omni.render(PROMPT, large, seed=3, to=to)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert names(tmp_path) == [".a.mp4.job"]
        await omni.render(PROMPT, large, seed=3, to=to)
    assert (server.submits, server.deletes) == (1, 1)


async def test_downloads_that_fail_cost_no_second_render_unless_they_fail_for_long(tmp_path: Path) -> None:
    async with Omni() as server, connected(server, limits=dataclasses.replace(QUICK, away=2.0)) as omni:
        server.faults.downloads.extend([Answer(500, b"x")] * 4)
        await omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "a.mp4")
    assert server.submits == 1
    async with Omni() as server, connected(server, limits=dataclasses.replace(QUICK, away=0.02), resubmit=0) as omni:
        server.faults.downloads.extend([Answer(500, b"x")] * 900)
        with pytest.raises(BackendError, match=r"did not hand over the finished clip \(HTTP 500\).*a resumed run asks"):
            await omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "b.mp4")
    assert server.submits == 1
    assert names(tmp_path) == [".b.mp4.job", "a.mp4", "a.mp4.slip"]


async def test_another_client_s_job_is_watched_and_never_deleted(tmp_path: Path) -> None:
    async with Omni() as stuck, connected(stuck, stall_seconds=30) as somebody:
        stuck.hold()
        theirs = asyncio.create_task(somebody.render(PROMPT, SPEC, seed=1, to=tmp_path / "theirs.mp4"))
        await until(lambda: stuck.begun == 1)
        async with connected(stuck, stall_seconds=0.05, limits=IMPATIENT) as omni:
            with pytest.raises(BackendError, match="its queue has stood still"):
                await omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "ours.mp4")
        assert stuck.deletes == 0
        stuck.release()
        assert (await theirs).rendering.attempts == 1


async def test_a_render_that_somebody_else_abandoned_is_waited_for(tmp_path: Path) -> None:
    heard: list[Progress] = []
    async with Omni() as server, connected(server, tell=heard.append, stall_seconds=3600) as omni:
        watchdog = omni._shared.watchdog
        watchdog.floor_seconds = 0.02
        for seed in range(3):
            await omni.render(PROMPT, SPEC, seed=seed, to=tmp_path / f"{seed}.mp4")
        server.hold()
        async with connected(server) as other:
            theirs = asyncio.create_task(other.render(PROMPT, SPEC, seed=1, to=tmp_path / "theirs.mp4"))
            await until(server.running)
            await cancelled(theirs)
        work = asyncio.create_task(omni.render(PROMPT, SPEC, seed=9, to=tmp_path / "ours.mp4"))
        await until(lambda: len(server.forms) == 5)
        await asyncio.sleep(0.3)
        watchdog.floor_seconds = FLOOR_SECONDS  # the render itself may take its time
        server.release()
        assert (await work).rendering.attempts == 1
    assert [progress.note for progress in heard if progress.note] == []


async def test_a_render_that_we_abandoned_and_that_never_ends_is_noticed_by_what_is_learnt(tmp_path: Path) -> None:
    heard: list[Progress] = []
    async with Omni() as server, Omni() as other, connected(server, other, tell=heard.append) as omni:
        watchdog = omni._shared.watchdog
        for seed in range(6):
            await omni.render(PROMPT, SPEC, seed=seed, to=tmp_path / f"{seed}.mp4")
        server.hold()
        work = asyncio.create_task(omni.render(PROMPT, SPEC, seed=7, to=tmp_path / "a.mp4"))
        await until(server.running)
        await cancelled(work)
        omni._shared.pool._endpoints[server.url].busy_until.clear()
        omni._shared.pool._endpoints[other.url].busy_until.append(float("inf"))
        watchdog.floor_seconds = 0.02
        clip = asyncio.create_task(omni.render(PROMPT, SPEC, seed=8, to=tmp_path / "b.mp4"))
        await until(lambda: any("its queue has stood still" in progress.note for progress in heard))
        watchdog.floor_seconds = FLOOR_SECONDS  # the render itself may take its time
        omni._shared.pool._endpoints[other.url].busy_until.clear()
        server.release()
        assert (await clip).rendering.lost_seconds == 0


@pytest.mark.parametrize("status", [401, 403, 404, 405, 500, 501])
def test_what_speaks_against_a_server_and_not_against_the_render(status: int) -> None:
    assert isinstance(refusal("http://a", status, "no"), FaultError)


@pytest.mark.parametrize(
    "why", ["NCCL error: x", "cuDNN error: y", "CUBLAS_STATUS_EXECUTION_FAILED", "device-side assert"]
)
def test_a_broken_gpu_speaks_against_the_server(why: str) -> None:
    assert isinstance(failure("http://a", 500, why), FaultError)


@pytest.mark.parametrize(
    "answer", [error(500, "Video generation setup failed"), Answer(401, {"error": "Unauthorized"})]
)
async def test_a_server_that_takes_nothing_is_set_aside_and_others_render(tmp_path: Path, answer: Answer) -> None:
    async with Omni() as bad, Omni() as good, connected(bad, good) as omni:
        bad.faults.answers.extend([answer] * 50)
        good.seconds = 0.02
        clips = await asyncio.gather(
            *(omni.render(PROMPT, SPEC, seed=seed, to=tmp_path / f"{seed}.mp4") for seed in range(4))
        )
    assert {clip.rendering.endpoint for clip in clips} == {good.url}
    assert good.submits == 4


@pytest.mark.parametrize("why", [OUT_OF_MEMORY, (500, "CUDA error: an illegal memory access was encountered")])
async def test_a_broken_gpu_is_no_fault_of_the_render_and_another_server_is_tried(
    tmp_path: Path, why: tuple[int, str]
) -> None:
    heard: list[Progress] = []
    async with Omni(seconds=0.05) as bad, Omni() as good, connected(bad, good, tell=heard.append) as omni:
        bad.faults.failures.append(why)
        clip = await omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "a.mp4")
        assert (clip.rendering.endpoint, clip.rendering.attempts) == (good.url, 2)
        (told,) = lost(heard)
        assert told.seconds > 0
        assert told.seconds == pytest.approx(clip.rendering.lost_seconds, abs=0.002)
        assert bad.jobs == {}
    async with Omni() as bad, Omni() as good, connected(bad, good, resubmit=0) as omni:
        bad.faults.failures.append(why)
        with pytest.raises(FaultError):
            await omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "b.mp4")
    assert good.submits == 0


async def test_a_server_that_serves_another_model_now_is_left_to_itself(tmp_path: Path) -> None:
    async with Omni() as other, Omni() as good, connected(other, good) as omni:
        other.served = {"other": "/models/other"}
        clips = [await omni.render(PROMPT, SPEC, seed=seed, to=tmp_path / f"{seed}.mp4") for seed in range(3)]
    assert {clip.rendering.endpoint for clip in clips} == {good.url}
    assert other.jobs == {}


async def test_the_last_loss_is_told_too(tmp_path: Path) -> None:
    heard: list[Progress] = []
    async with Omni() as server, connected(server, tell=heard.append, resubmit=0) as omni:
        server.hold()
        work = asyncio.create_task(omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "a.mp4"))
        await until(lambda: working(heard))
        await asyncio.sleep(0.05)
        server.forget()
        with pytest.raises(BackendError, match="no longer knows the job"):
            await work
    (told,) = lost(heard)
    assert told.stage == "abandoned"
    assert told.seconds > 0


@pytest.mark.parametrize(
    ("failing", "kind"),
    [(OUT_OF_MEMORY, BackendError), ((500, "odd"), RenderError), (None, RenderError)],
)
async def test_what_a_failed_render_took_is_told(
    tmp_path: Path, failing: tuple[int, str] | None, kind: type[Exception]
) -> None:
    heard: list[Progress] = []
    async with Omni(seconds=0.06) as server, connected(server, tell=heard.append) as omni:
        if failing:
            server.faults.failures.append(failing)
        else:
            server.wrong.frames = 4  # it lies
        with pytest.raises(kind):
            await omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "a.mp4")
    (told,) = lost(heard)
    assert told.seconds > 0
    assert names(tmp_path) == []
    assert server.jobs == {}


async def test_a_clip_that_nobody_waits_for_any_more_is_told_however_late(tmp_path: Path) -> None:
    heard: list[Progress] = []
    async with Omni(seconds=0.05) as server, connected(server, tell=heard.append) as omni:
        server.paths["/version"] = Answer(body={"version": "0.30.0"}, delay=60)
        work = asyncio.create_task(omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "a.mp4"))
        await until(lambda: sum(asked.path == "/version" for asked in server.heard) == 2)
        await cancelled(work)
    (told,) = lost(heard)
    assert told.seconds > 0
    assert names(tmp_path) == []
    assert server.jobs == {}


async def test_a_cancellation_that_is_not_heard_is_told_and_said_again(tmp_path: Path) -> None:
    heard: list[Progress] = []
    limits = dataclasses.replace(QUICK, cleanup=0.6)
    async with Omni() as server, connected(server, tell=heard.append, in_flight=2, limits=limits) as omni:
        server.hold()
        first = asyncio.create_task(omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "a.mp4"))
        second = asyncio.create_task(omni.render(PROMPT, SPEC, seed=2, to=tmp_path / "b.mp4"))
        await until(lambda: server.submits == 2)
        await until(lambda: job_slip.slip_path(tmp_path / "b.mp4").exists())
        server.faults.silent = True
        await cancelled(second)
        server.faults.silent = False
        (told,) = lost(heard)
        assert "has not confirmed that, and may render it" in told.note
        third = asyncio.create_task(omni.render(PROMPT, SPEC, seed=3, to=tmp_path / "c.mp4"))
        await until(lambda: server.submits == 3)
        assert server.deletes == 1  # said again before anything more is sent there
        server.release()
        await asyncio.gather(first, third)
    assert (server.begun, server.jobs) == (2, {})
    assert names(tmp_path) == ["a.mp4", "a.mp4.slip", "c.mp4", "c.mp4.slip"]


async def test_what_is_not_heard_at_all_is_said_a_last_time_at_the_end(tmp_path: Path) -> None:
    limits = dataclasses.replace(QUICK, cleanup=0.6)
    async with Omni() as server:
        async with connected(server, limits=limits) as omni:
            server.hold()
            work = asyncio.create_task(omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "a.mp4"))
            await until(lambda: job_slip.slip_path(tmp_path / "a.mp4").exists())
            server.faults.silent = True
            await cancelled(work)
            server.faults.silent = False
            assert server.deletes == 0
        assert server.deletes == 1


@pytest.mark.parametrize("closed", [False, True])
async def test_a_submission_that_is_cancelled_and_taken_late_is_taken_back(tmp_path: Path, closed: bool) -> None:
    heard: list[Progress] = []
    limits, answered = dataclasses.replace(QUICK, cleanup=0.6), asyncio.Event()
    async with Omni() as server:
        async with connected(server, tell=heard.append, limits=limits) as omni:
            server.hold()
            server.faults.submissions = answered
            work = asyncio.create_task(omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "a.mp4"))
            await until(lambda: server.submits == 1)
            await cancelled(work)
            (told,) = lost(heard)
            assert "it is taken back as soon as it says so" in told.note
            assert server.deletes == 0
            answered.set()
            if not closed:
                await until(lambda: server.deletes == 1)
        assert (server.deletes, server.jobs) == (1, {})


@pytest.mark.parametrize(
    ("code", "message", "blocked"),
    [
        (400, "Input was blocked by Cosmos3 guardrails.", True),
        ("400", "Input was blocked by Cosmos3 guardrails.", True),
        (500, "CUDA out of memory while loading the guardrail model", False),
        (500, "Cosmos3 guardrails failed: No module named 'cosmos_guardrail'", False),
        (500, "the call was blocked by a lock in guardrail.py", False),
    ],
)
def test_only_the_server_s_own_words_block_a_prompt(code: int | str, message: str, blocked: bool) -> None:
    found = failure("http://a", code, message)
    assert isinstance(found, BlockedError) == blocked
    assert isinstance(found, BackendError) != blocked
    if not blocked:
        assert "guardrails: false" not in str(found)
        assert not re.search(r"\boff\b", str(found))


def test_a_submission_is_blocked_in_the_server_s_own_words_too() -> None:
    assert isinstance(refusal("http://a", 400, "Input was blocked by Cosmos3 guardrails."), BlockedError)
    assert type(refusal("http://a", 400, "extra_params.guardrails: not a boolean")) is RenderError


async def test_the_version_is_that_of_the_server_that_rendered(tmp_path: Path) -> None:
    async with Omni() as server, connected(server) as omni:
        before = await omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "a.mp4")
        server.paths["/version"] = Answer(body={"version": "0.31.0"})
        after = await omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "b.mp4")
        server.paths["/version"] = error(503, "not now")
        unsure = await omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "c.mp4")
    assert [clip.rendering.version for clip in (before, after)] == ["vllm-omni 0.30.0", "vllm-omni 0.31.0"]
    assert unsure.rendering.version.startswith("vllm-omni")
    assert before.rendering.model == MODEL


async def test_a_kill_between_delivery_and_goodbye_leaves_no_job_and_no_slip(tmp_path: Path) -> None:
    to, given = tmp_path / "clip.mp4", aside(tmp_path / "clip.mp4")
    async with Omni() as server:
        async with connected(server) as omni:
            await omni.render(PROMPT, SPEC, seed=3, to=given)
        job = server.forms[0]
        server.jobs[job.id] = job
        job_slip.write(given, job_slip.Job(url=server.url, id=job.id, request="x"))
        litter = given.with_name(f".{given.name}.part")
        litter.touch()
        async with connected(server) as omni:
            memory = Memory(tmp_path, lambda _event: None)
            memory.clean()
            assert not litter.exists()
            clip = await RememberedGenerator(omni, memory).render(PROMPT, SPEC, seed=3, to=to)
        assert (clip.path, server.submits, server.jobs) == (to, 1, {})
    assert names(tmp_path) == ["clip.mp4", "memory"]


async def test_a_generator_that_knows_no_slips_loses_a_useless_one(tmp_path: Path) -> None:
    given = aside(tmp_path / "clip.mp4")
    async with Omni() as server, connected(server) as omni:
        await omni.render(PROMPT, SPEC, seed=3, to=given)
        job_slip.write(given, job_slip.Job(url=server.url, id="gone", request="x"))
        plain = Plain(omni)
        await RememberedGenerator(plain, Memory(tmp_path, lambda _event: None)).render(
            PROMPT, SPEC, seed=3, to=tmp_path / "clip.mp4"
        )
    assert names(tmp_path) == ["clip.mp4", "memory"]


@dataclasses.dataclass(frozen=True)
class Plain:
    """A generator with nothing but what the Protocol asks for."""

    inner: Generator

    @property
    def id(self) -> str:
        return self.inner.id

    async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
        return await self.inner.render(prompt, spec, seed=seed, to=to)
