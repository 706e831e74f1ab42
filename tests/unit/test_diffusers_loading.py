"""A checkpoint that loads for long: nobody who cancels, closes or ends the program waits for it."""

import asyncio
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import Future
from pathlib import Path

import pytest

from generator.config import DiffusersConfig
from generator.diffusers import Diffusers
from generator.diffusers.worker import HaltedError, Worker, held
from generator.types import BackendError, Progress, RenderSpec
from tests.scripted_pipelines import Script, running

PROMPT = "A red sailboat on the sea at sunset."
SPEC = RenderSpec(width=96, height=64, num_frames=5, fps=24, num_inference_steps=4)


async def begun(script: Script) -> None:
    while not script.loaded:
        await asyncio.sleep(0.002)


async def dropped(script: Script) -> None:
    async with asyncio.timeout(60):
        while not script.closed:
            await asyncio.sleep(0.002)


async def test_a_render_cancelled_while_it_loads_ends_and_the_load_serves_the_next(tmp_path: Path) -> None:
    script, told = Script(load_gate=threading.Event()), list[Progress]()
    assert script.load_gate is not None
    async with running(script, told.append) as backend:
        first = asyncio.create_task(backend.render(PROMPT, SPEC, seed=1, to=tmp_path / "a.mp4"))
        second = asyncio.create_task(backend.render(PROMPT, SPEC, seed=2, to=tmp_path / "b.mp4"))
        await begun(script)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(first, 60)
        assert not script.loads_ended.is_set()
        assert not (tmp_path / ".a.mp4.part").exists()
        assert [event.note for event in told if event.seed == 1][-1].startswith("cancelled; the checkpoint goes on")
        script.load_gate.set()
        assert (await second).effective.num_frames == 5
    assert script.loaded == [None]
    assert script.closed == [None]
    assert "abandoned" not in {event.stage for event in told}, "nothing was lost"


async def test_closing_waits_for_no_load_and_turns_away_who_does(tmp_path: Path) -> None:
    script = Script(load_gate=threading.Event())
    assert script.load_gate is not None
    backend = Diffusers(DiffusersConfig(devices=("cuda:0", "cuda:1")), load_pipeline=script.load)
    waiting = asyncio.create_task(backend.render(PROMPT, SPEC, seed=1, to=tmp_path / "a.mp4"))
    await begun(script)
    await asyncio.wait_for(backend.close(), 60)
    with pytest.raises(BackendError, match="is closed"):
        await waiting
    with pytest.raises(BackendError, match="is closed"):
        await backend.load()
    assert (script.loads_ended.is_set(), script.closed) == (False, [])
    script.load_gate.set()
    await dropped(script)
    assert script.loaded == script.closed == ["cuda:0"], "dropped in its thread; the other device never loads"


async def test_closing_in_the_moment_a_load_begins_turns_away_who_waits_for_it() -> None:
    script = Script()
    backend = Diffusers(DiffusersConfig(), load_pipeline=script.load)
    waiting = asyncio.create_task(backend.load())
    await asyncio.sleep(0)  # it has made the load's task, which has not begun
    await backend.close()
    with pytest.raises(BackendError, match="is closed"):
        await waiting
    assert script.loaded == []


async def test_guardrails_that_load_for_long_are_not_waited_for_either() -> None:
    script, go, asked = Script(), threading.Event(), threading.Event()

    def load(config: DiffusersConfig, family: object, device: str | None) -> object:
        pipeline = script.load(config, "cosmos3", device)

        def guard() -> None:
            asked.set()
            while not go.wait(0.002):
                pass

        pipeline.guard = guard  # type: ignore[method-assign]  # this double alone
        return pipeline

    backend = Diffusers(DiffusersConfig(), load_pipeline=load)  # type: ignore[arg-type]  # a double of object
    loading = asyncio.create_task(backend.load(guardrails=True))
    assert await asyncio.to_thread(asked.wait, 60)
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    await asyncio.wait_for(backend.close(), 60)
    assert script.closed == []
    go.set()
    await dropped(script)
    assert script.closed == [None]


PROGRAM = """
import asyncio, time
from generator.config import DiffusersConfig
from generator.diffusers import Diffusers

def load(*_):
    # asyncio.run has no wake-up descriptor: a signal that comes just before it waits is seen only when it next wakes
    time.sleep(0.3)
    print("loading", flush=True)
    while True:
        time.sleep(0.01)

async def main():
    backend = Diffusers(DiffusersConfig(), load_pipeline=load)
    try:
        await backend.load()
    finally:
        await backend.close()

asyncio.run(main())
"""


def test_the_program_ends_at_ctrl_c_while_a_checkpoint_loads() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        try:
            assert program.stdout is not None
            assert program.stderr is not None
            assert program.stdout.readline() == b"loading\n"
            program.send_signal(signal.SIGINT)
            ended = program.wait(60)
            said = program.stderr.read().decode()
        finally:
            program.kill()
    assert ended == -signal.SIGINT, said
    assert said.rstrip().endswith("KeyboardInterrupt")


def test_a_worker_makes_its_calls_in_order_and_goes_on_after_a_halted_one() -> None:
    worker, order = Worker("w"), list[str]()
    begun = threading.Event()

    def long() -> None:
        begun.set()
        while True:
            time.sleep(0.001)

    first: Future[None] = worker.submit(long)
    second = worker.submit(lambda: order.append(threading.current_thread().name))
    assert begun.wait(60)
    worker.halt()
    with pytest.raises(HaltedError):
        first.result(60)
    second.result(60)
    worker.halt()  # of no call: nothing happens
    assert worker.submit(lambda: 7).result(60) == 7
    assert order == ["w"]
    worker.end()
    with pytest.raises(RuntimeError, match="was ended"):
        worker.submit(lambda: 8)


def test_what_is_held_is_halted_at_its_end() -> None:
    worker, begun, go, order = Worker("w"), threading.Event(), threading.Event(), list[str]()

    def work() -> None:
        with held():
            begun.set()
            while not go.wait(0.001):
                pass
            order.append("imported")
        order.append("went on")

    done = worker.submit(work)
    assert begun.wait(60)
    worker.halt()
    go.set()
    with pytest.raises(HaltedError):
        done.result(60)
    assert order == ["imported"]
    assert worker.submit(lambda: 7).result(60) == 7
    worker.end()
    with held():  # of a thread of nobody's
        pass


def test_a_worker_keeps_nothing_of_a_call_it_has_made() -> None:
    import gc
    import weakref

    class Tensor:
        pass

    worker = Worker("w")

    def fails(tensor: Tensor) -> None:
        raise ValueError(tensor)

    tensor = Tensor()
    kept = weakref.ref(tensor)
    gc.disable()
    try:
        done = worker.submit(lambda held=tensor: fails(held))  # type: ignore[misc]  # mypy infers no default's type
        assert isinstance(done.exception(60), ValueError)
        del tensor, done
        worker.submit(lambda: None).result(60)
        assert kept() is None
    finally:
        gc.enable()
        worker.end()
