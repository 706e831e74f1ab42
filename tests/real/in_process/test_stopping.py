"""Cancelling a real render, and giving its memory back."""

import asyncio
import gc
import signal
import socket
import subprocess
import sys
import time
import weakref
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from generator.config import DiffusersConfig
from generator.diffusers import Diffusers, download
from generator.diffusers.worker import HaltedError, Worker
from generator.types import BackendError, Progress
from tests.real.in_process.conftest import Open, spec
from tests.real.provision import QUIET

PROMPT = "A red sailboat on the sea at sunset."


async def test_a_cancelled_render_ends_between_steps_and_the_pipeline_repeats_itself(
    opened: Open, tmp_path: Path
) -> None:
    told: list[Progress] = []
    async with opened("cosmos3", told.append) as backend:
        await backend.render(PROMPT, spec("cosmos3"), seed=1, to=tmp_path / "before.mp4")
        made = await backend.render(PROMPT, spec("cosmos3", num_inference_steps=20), seed=1, to=tmp_path / "20.mp4")
        assert made.rendering.render_seconds is not None
        whole = made.rendering.render_seconds * 200 / 20
        told.clear()
        long = spec("cosmos3", num_inference_steps=200, guidance_scale=1.0)
        work = asyncio.create_task(backend.render(PROMPT, long, seed=1, to=tmp_path / "cancelled.mp4"))
        while not any(event.stage == "rendering" for event in told):
            await asyncio.sleep(0.005)
        work.cancel()
        cancelled = time.perf_counter()
        with pytest.raises(asyncio.CancelledError):
            await work
        again = await backend.render(PROMPT, spec("cosmos3"), seed=1, to=tmp_path / "after.mp4")
        waited = time.perf_counter() - cancelled
    assert waited < whole, f"the device was free after {waited:.2f} s; all 200 steps take about {whole:.2f} s"
    assert not any(event.step == 200 for event in told), "it did not run to its end"
    assert [event.seconds > 0 for event in told if event.stage == "abandoned"] == [True]
    assert (tmp_path / "before.mp4").read_bytes() == (tmp_path / "after.mp4").read_bytes()
    assert again.rendering.num_inference_steps == 3
    assert sorted(path.name for path in tmp_path.glob("*.mp4")) == ["20.mp4", "after.mp4", "before.mp4"]


@pytest.mark.parametrize("model", ["cosmos3", "cosmos3_distilled", "cosmos25"])
async def test_closing_gives_the_memory_back(model: str, opened: Open, tmp_path: Path) -> None:
    async with opened(model) as backend:
        await backend.render(PROMPT, spec(model), seed=1, to=tmp_path / "a.mp4")
        pipeline = backend._devices[0]._pipeline
        assert pipeline is not None
        kept = [weakref.ref(part) for part in (pipeline._base, pipeline._base.transformer, pipeline._base.vae)]  # type: ignore[attr-defined]  # of the real one
        del pipeline
        assert all(part() is not None for part in kept)
    gc.collect()
    assert [part() for part in kept] == [None, None, None]
    with pytest.raises(BackendError, match="is closed"):
        await backend.render(PROMPT, spec(model), seed=1, to=tmp_path / "b.mp4")


async def test_opening_and_closing_again_and_again_does_not_grow(opened: Open, tmp_path: Path) -> None:
    sizes = []
    for turn in range(8):
        async with opened("cosmos3") as backend:
            await backend.render(PROMPT, spec("cosmos3"), seed=turn, to=tmp_path / "a.mp4")
        gc.collect()
        sizes.append(psutil.Process().memory_info().rss / 2**20)
    assert sizes[-1] - sizes[2] < 30, f"MiB resident after each turn: {[round(size) for size in sizes]}"


PROGRAM = """
import asyncio, torch
from generator.config import DiffusersConfig
from generator.diffusers import Diffusers, download
from generator.diffusers.worker import HaltedError, Worker

def load(*_):
    print("loading", flush=True)
    while True:
        torch.randn(300, 300) @ torch.randn(300, 300)

async def main():
    backend = Diffusers(DiffusersConfig(), load_pipeline=load)
    try:
        await backend.load()
    finally:
        await backend.close()

asyncio.run(main())
"""


def test_a_program_that_is_interrupted_while_torch_loads_ends_at_once_and_in_order() -> None:
    """A thread that is in torch when the interpreter ends would abort the whole program."""
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


async def test_closing_in_the_midst_of_a_load_and_loading_anew(models: Path, tmp_path: Path) -> None:
    config = DiffusersConfig(model=str(models / "cosmos3"), local_files_only=True)
    closed = Diffusers(config)
    waiting = asyncio.create_task(closed.load())
    await asyncio.sleep(0.01)
    await asyncio.wait_for(closed.close(), 60)
    with pytest.raises(BackendError, match="is closed"):
        await waiting
    backend = Diffusers(config)
    clip = await backend.render(PROMPT, spec("cosmos3"), seed=1, to=tmp_path / "a.mp4")
    await backend.close()
    assert clip.effective.num_frames == 9


def test_a_download_that_gets_no_answer_is_halted_and_its_process_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Hub that takes the request and answers nothing."""
    for name in QUIET:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    nothing = SimpleNamespace(constants=SimpleNamespace(HF_HUB_OFFLINE=False), try_to_load_from_cache=lambda *_: None)
    worker = Worker("downloading")
    with socket.create_server(("127.0.0.1", 0)) as hub:
        hub.settimeout(100)
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{hub.getsockname()[1]}")
        done = worker.submit(lambda: download.fetch(nothing, "Cosmos3OmniPipeline", "nobody/nothing"))
        connection, _ = hub.accept()
        with connection:
            connection.settimeout(100)
            assert connection.recv(4096).startswith(b"GET /api/")
            worker.halt()
            with pytest.raises(HaltedError):
                done.result(100)
            assert connection.recv(4096) == b"", "whoever asked is gone"
    worker.end()
