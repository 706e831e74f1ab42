"""The engine and what it is told."""

import asyncio
import io
import os
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.errors import NoCandidateError
from agent.server.engine import parent, warm
from agent.server.engine.__main__ import NICE, Engine, _give_way
from agent.server.engine.messages import UP, Alive, Begin, Cancel, Over, Ready, Told
from agent.server.engine.silence import Silence
from agent.server.engine.work import Work
from agent.server.loading import load
from agent.server.places import Places
from agent.server.types import Job, RunRequest
from generator.diffusers.arguments import check_checkpoint
from generator.types import RenderError, RenderSpec
from generator.vllm_omni import failures
from reasoner.chat.config import ServeConfig
from tests.movies import moving, write_movie
from tests.wire import Wire


def heard(out: io.BytesIO) -> list[Ready | Alive | Told | Over]:
    return [UP.validate_json(line) for line in out.getvalue().splitlines()]


async def test_a_job_whose_model_is_served_no_more_is_told_so(tmp_path: Path) -> None:
    out = io.BytesIO()
    engine = Engine(load(None, [f"output.dir={tmp_path}"]), out)
    request = RunRequest(model="gone", prompt="a boat")
    job = Job(
        id="j", owner="me", dialect="runs", endpoint="x", request=request, created_at=datetime.now(UTC), media_key="k"
    )
    engine.heed(Begin(job=job).model_dump_json().encode())
    async with asyncio.timeout(20):
        while not (over := [said for said in heard(out) if isinstance(said, Over)]):
            await asyncio.sleep(0.01)
    assert over[0].problem is not None
    assert over[0].problem.message == "this server has no model 'gone' any more; ask for another"


async def test_an_engine_says_at_every_beat_that_its_loop_turns(tmp_path: Path) -> None:
    out = io.BytesIO()
    engine = Engine(load(None, [f"output.dir={tmp_path}", "server.limits.engine_silent_seconds=3"]), out)
    engine.beat()
    assert heard(out) == [Alive()]
    async with asyncio.timeout(20):
        while len(heard(out)) < 2:
            await asyncio.sleep(0.01)


async def test_silence_lasts_only_while_nothing_is_said() -> None:
    silence = Silence(0.05, first=0.05)
    over = asyncio.create_task(silence.lasts())
    for _ in range(10):
        await asyncio.sleep(0.01)
        silence.broken()
    assert not over.done(), "twice as long altogether, and never so long in one piece"
    async with asyncio.timeout(20):
        await over


async def test_what_the_server_itself_slept_through_is_no_silence() -> None:
    silence = Silence(0.05, first=0.05)
    over = asyncio.create_task(silence.lasts())
    await asyncio.sleep(0)
    _stand_still(0.1)
    for _ in range(5):
        await asyncio.sleep(0)
    assert not over.done()
    over.cancel()


def _stand_still(seconds: float) -> None:
    """As a machine that sleeps, or processes that are stopped together."""
    time.sleep(seconds)


async def test_the_first_word_of_a_process_may_take_longer() -> None:
    silence = Silence(0.02, first=3600)
    over = asyncio.create_task(silence.lasts())
    await asyncio.sleep(0.1)
    assert not over.done()
    silence.broken()
    async with asyncio.timeout(20):
        await over


def loaded(steps: int | None = None, **spec: Any) -> Exception:
    """What Diffusers says of a render once its checkpoint is loaded."""
    wish = RenderSpec(width=320, height=192, num_frames=25, fps=24, **spec)
    with pytest.raises(RenderError) as caught:
        check_checkpoint(wish, "a-model", steps, makes_sound=False)
    return caught.value


@pytest.mark.parametrize(
    ("cause", "field"),
    [
        (failures.failure("http://h", 400, "sound generation is unsupported"), "sound"),
        (failures.failure("http://h", 400, "text-to-video requests are unsupported"), "image"),
        (loaded(sound=True), "sound"),
        (loaded(4, num_inference_steps=30), "num_inference_steps"),
        (loaded(4, num_inference_steps=4, guidance_scale=6.0), "guidance_scale"),
        (failures.failure("http://h", 400, "the scheduler failed"), None),
    ],
    ids=str,
)
def test_what_only_a_backend_knew_that_it_cannot_do_is_the_requests_fault(
    cause: Exception, field: str | None, tmp_path: Path
) -> None:
    served = load(None, [f"output.dir={tmp_path}"])
    work = Work(served, lambda _: None, warm.Warm(tmp_path))
    error = NoCandidateError(f"nothing could be rendered and judged.\nseed 7: {cause}", tmp_path)
    told = work._problem(error, RunRequest(model="cosmos-3-super", prompt="a boat"))
    if field is None:
        assert (told.status, told.type) == (500, "no_media_generated")
        return
    assert (told.status, told.type, told.loc) == (422, "feature_not_supported", (field,))
    assert told.message.startswith(f"{field}: ")


async def test_a_source_video_is_shown_to_the_safety_checker_before_it_is_used(tmp_path: Path) -> None:
    async with Wire(lambda body: '{"verdict": "refuse", "category": "gore"}') as server:
        parts = ("generator.backend=vllm_omni", "reasoner.backend=openai", f"reasoner.base_url={server.url}")
        out = io.BytesIO()
        engine = Engine(load(None, [f"output.dir={tmp_path}", *parts]), out)
        request = RunRequest(model="cosmos-3-super", prompt="it goes on")
        now = datetime.now(UTC)
        job = Job(id="j", owner="me", dialect="runs", endpoint="x", request=request, created_at=now, media_key="k")
        folder = Places(tmp_path).inputs("j")
        folder.mkdir(parents=True)
        write_movie(folder / "video.mp4", moving(9))
        job = job.model_copy(update={"inputs": {"video": "video.mp4"}})
        engine.heed(Begin(job=job).model_dump_json().encode())
        async with asyncio.timeout(20):
            while not (over := [said for said in heard(out) if isinstance(said, Over)]):
                await asyncio.sleep(0.01)
    assert over[0].problem is not None
    assert over[0].problem.type == "content_policy_violation"
    assert "The prompt or the video was refused" in over[0].problem.message
    assert [part["type"] for part in server.chats[0]["messages"][0]["content"]] == ["image_url"] * 3 + ["text"]


@pytest.mark.thorough
async def test_a_job_that_is_cancelled_in_the_same_breath_is_over_all_the_same(tmp_path: Path) -> None:
    out = io.BytesIO()
    engine = Engine(load(None, [f"output.dir={tmp_path}"]), out)
    request = RunRequest(model="cosmos-3-super", prompt="a boat")
    now = datetime.now(UTC)
    job = Job(id="j", owner="me", dialect="runs", endpoint="x", request=request, created_at=now, media_key="k")
    for message in (Begin(job=job), Cancel(id="j")):
        engine.heed(message.model_dump_json().encode())
    async with asyncio.timeout(20):
        while not (over := [said for said in heard(out) if isinstance(said, Over)]):
            await asyncio.sleep(0.01)
    assert [(said.id, said.state) for said in over] == [("j", "cancelled")]


VLM = ("critic.backend=vlm", "critic.endpoint.serve={}")
OMNI = ("generator.backend=vllm_omni", "generator.serve={}")
OPENAI = ("reasoner.backend=openai", "reasoner.serve={}")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere niceness is the whole process's, and this one's stays")
@pytest.mark.parametrize(
    ("config", "gives_way"),
    [
        ((), True),
        (OPENAI, False),
        (VLM, False),
        (OMNI, False),
        ((*OPENAI, *OMNI, "generator.serve.time_share=true", "server.limits.max_running=1"), False),
    ],
    ids=["embedded", "reasoner", "critic", "generator", "by turns"],
)
def test_the_engine_lets_the_server_go_first_unless_servers_of_models_would_be_as_nice(
    tmp_path: Path, config: tuple[str, ...], gives_way: bool
) -> None:
    served = load(None, [f"output.dir={tmp_path}", *config])
    nice: list[int] = []

    def engine() -> None:
        _give_way(served)
        nice.append(os.getpriority(os.PRIO_PROCESS, 0))

    thread = threading.Thread(target=engine)  # on Linux niceness is a thread's own
    thread.start()
    thread.join()
    assert nice == [min(19, os.getpriority(os.PRIO_PROCESS, 0) + NICE * gives_way)]


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """What is started in place of the engine does what the next line of this file says: fail, die, or be ready."""
    monkeypatch.setattr(parent, "RESTART_SECONDS", (0.01,))
    script, plan = tmp_path / "engine.sh", tmp_path / "plan"
    script.write_text(f'#!/bin/sh\nn=$(head -1 {plan}); sed -i 1d {plan}\n[ "$n" = die ] && exit 1\n{READY}\n{DO}\n')
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    return plan


READY = """echo '{"say": "ready"}'"""
DO = '[ "$n" = ready ] && exit 1; exec cat > /dev/null'


async def test_an_engine_that_never_worked_is_no_jobs_fault(processes: Path, tmp_path: Path) -> None:
    processes.write_text("ready\ndie\ndie\nready\nstay\n")
    deaths: list[int] = []
    engine = parent.Engine(load(None, [f"output.dir={tmp_path}"]), lambda _: None, lambda: deaths.append(len(deaths)))
    await engine.start()
    try:
        async with asyncio.timeout(20):
            while processes.read_text() or len(deaths) < 2:
                await asyncio.sleep(0.01)
    finally:
        await engine.stop()
    assert len(deaths) == 2, "five were started, of which two died that had worked"


async def test_an_engine_that_hangs_is_killed_and_another_started(processes: Path, tmp_path: Path) -> None:
    processes.write_text("stay\n")
    deaths: list[int] = []
    lost: list[str] = []
    served = load(None, [f"output.dir={tmp_path}"])
    engine = parent.Engine(served, lambda _: None, lambda: deaths.append(len(deaths)), lost=lost.append)
    engine._silence = Silence(0.05, first=3600)  # the least that a config may say is three seconds
    assert not engine.away
    await engine.start()
    try:
        async with asyncio.timeout(20):
            while not engine.away:
                await asyncio.sleep(0.01)
            engine._silence._longest = 3600
            while not deaths:
                await asyncio.sleep(0.01)
    finally:
        await engine.stop()
    assert (lost, engine.away) == (["hung"], False)


async def test_an_engine_is_not_told_the_clients_keys(
    processes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes.write_text("stay\n")
    monkeypatch.setenv("RETAKE_API_KEYS", "a-key-of-a-client")
    monkeypatch.setenv("MODELS", "of the operator")
    start, given = asyncio.create_subprocess_exec, dict[str, str]()

    async def seen(*args: Any, **more: Any) -> asyncio.subprocess.Process:
        given.update(more["env"])
        return await start(*args, **more)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", seen)
    engine = parent.Engine(load(None, [f"output.dir={tmp_path}"]), lambda _: None, lambda: None)
    await engine.start()
    await engine.stop()
    assert "RETAKE_API_KEYS" not in given
    assert given["MODELS"] == "of the operator"


async def test_an_engine_that_cannot_be_started_for_a_while_is_there_later(
    processes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes.write_text("ready\nstay\n")
    start, refusals = asyncio.create_subprocess_exec, [OSError(12, "no memory")] * 2
    began, told = 0, asyncio.Event()

    async def scarce(*args: Any, **more: Any) -> asyncio.subprocess.Process:
        nonlocal began
        began += 1
        if began > 1 and refusals:
            raise refusals.pop()
        return await start(*args, **more)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", scarce)
    engine = parent.Engine(load(None, [f"output.dir={tmp_path}"]), lambda _: None, told.set)
    await engine.start()
    try:
        async with asyncio.timeout(20):
            await told.wait()
    finally:
        await engine.stop()
    assert began == 4


async def test_a_run_that_is_cancelled_takes_a_servers_start_from_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []
    go = asyncio.Event()

    @asynccontextmanager
    async def served(config: ServeConfig, *_: Any) -> AsyncIterator[Any]:
        started.append(config.port)
        await go.wait()
        yield SimpleNamespace(root="")

    async def listens(_: int) -> bool:
        return True

    monkeypatch.setattr(warm, "served", served)
    monkeypatch.setattr(warm, "listens", listens)
    config = load(None, ["reasoner.backend=openai", "reasoner.serve={}", "critic.backend=signals"]).base
    servers = warm.Warm(tmp_path)
    first, second = (asyncio.create_task(servers.need(config)) for _ in range(2))
    while not started:
        await asyncio.sleep(0.001)
    first.cancel()
    await asyncio.wait([first])
    go.set()
    await second
    assert (first.cancelled(), started) == (True, [8000])
    await servers.close()
