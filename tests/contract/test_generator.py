"""What every generator must do. A backend joins by adding itself to `CASES`."""

import asyncio
import errno
import logging
import re
import resource
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from generator.animatic import ANIMATIC_VERSION, Animatic
from generator.capabilities import Capabilities, capabilities
from generator.config import AnimaticConfig, DiffusersConfig, FalConfig, GeneratorConfig, NIMConfig, VLLMOmniConfig
from generator.probe import probe
from generator.types import Generator, Progress, RenderError, RenderSpec, Tell
from tests import fal, nim, omni, scripted_pipelines

PROMPT = "A red sailboat on the sea at sunset. The camera pans right."


def spec(width: int = 320, height: int = 192, frames: int = 5, fps: int = 24, **more: object) -> RenderSpec:
    return RenderSpec.model_validate(
        {"width": width, "height": height, "num_frames": frames, "fps": fps, "num_inference_steps": 35, **more}
    )


@asynccontextmanager
async def animatic(tell: Tell = lambda _progress: None) -> AsyncIterator[Generator]:
    yield Animatic(AnimaticConfig(concurrency=2), tell)


@dataclass(frozen=True)
class Case:
    """A backend under test."""

    made: Callable[..., AbstractAsyncContextManager[Generator]]
    """With `tell`: the listener of its renders."""
    config: GeneratorConfig
    """Of the kind that `made` makes: what its capabilities say is held against what it does."""
    asked: RenderSpec = field(default_factory=spec)
    """A quick render."""
    long: RenderSpec = field(default_factory=lambda: spec(frames=397))
    """One that takes long enough to be cancelled."""
    others: tuple[RenderSpec, ...] = ()
    """More sizes, counts and rates."""
    in_process: bool = False

    @property
    def able(self) -> Capabilities:
        return capabilities(self.config)


CASES = {
    "animatic": Case(
        animatic,
        AnimaticConfig(),
        others=(spec(frames=61), spec(256, 256, 9, 10), spec(480, 832, 5, 16), spec(1280, 720, 5, 24)),
        in_process=True,
    ),
    "vllm_omni": Case(omni.generator, VLLMOmniConfig(), others=(spec(480, 832, 5, 16), spec(1280, 720, 5, 24))),
    "diffusers": Case(
        scripted_pipelines.generator,
        DiffusersConfig(),
        asked=spec(num_inference_steps=4),
        long=spec(frames=397, num_inference_steps=100),
        in_process=True,
    ),
    "nim v1": Case(partial(nim.generator, "v1"), NIMConfig(dialect="v1"), asked=spec(frames=25)),
    "nim v2": Case(nim.generator, NIMConfig(dialect="v2"), asked=spec(frames=25), others=(spec(480, 832, 25, 16),)),
    "fal": Case(
        fal.generator,
        FalConfig(model="fal-ai/cosmos-predict-2.5/text-to-video"),
        asked=spec(1280, 704, 9, 16),
        long=spec(1280, 704, 93, 16),
        others=(spec(1280, 704, 21, 16),),
    ),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
async def generator(case: Case) -> AsyncIterator[Generator]:
    async with case.made() as made:
        yield made


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        pytest.param(
            name,
            asked,
            id=f"{name}-{asked.width}x{asked.height}x{asked.num_frames}@{asked.fps}",
            marks=[pytest.mark.thorough] if asked.width * asked.height * asked.num_frames > 3_000_000 else [],
        )
        for name, case in CASES.items()
        for asked in (case.asked, *case.others)
    ],
)
async def test_a_clip_is_exactly_what_was_asked_for(name: str, asked: RenderSpec, tmp_path: Path) -> None:
    to = tmp_path / "clip.mp4"
    async with CASES[name].made() as generator:
        clip = await generator.render(PROMPT, asked, seed=3, to=to)
        assert (clip.path, clip.seed, clip.spec, clip.generator) == (to, 3, asked, generator.id)
    assert clip.effective == probe(to)
    assert (clip.effective.width, clip.effective.height) == (asked.width, asked.height)
    assert (clip.effective.num_frames, clip.effective.fps) == (asked.num_frames, asked.fps)
    assert clip.seconds > 0
    assert (clip.rendering.guardrails == "none") == (CASES[name].able.guardrails == "none")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["clip.mp4", "clip.mp4.slip"]


async def test_the_same_request_gives_what_its_capabilities_promise(
    case: Case, generator: Generator, tmp_path: Path
) -> None:
    clips = [tmp_path / name for name in ("a.mp4", "b.mp4", "c.mp4")]
    await asyncio.gather(*(generator.render(PROMPT, case.asked, seed=4, to=to) for to in clips[:2]))
    await generator.render(PROMPT, case.asked, seed=5, to=clips[2])
    if case.able.same_seed == "same bytes":
        assert clips[0].read_bytes() == clips[1].read_bytes()
    assert clips[0].read_bytes() != clips[2].read_bytes()


async def test_a_finished_clip_replaces_an_older_one(case: Case, generator: Generator, tmp_path: Path) -> None:
    to = tmp_path / "clip.mp4"
    to.write_bytes(b"old")
    await generator.render(PROMPT, case.asked, seed=1, to=to)
    assert probe(to).num_frames == case.asked.num_frames


@pytest.mark.parametrize("name", CASES)
async def test_a_listener_is_told_which_clip_is_meant(name: str, tmp_path: Path) -> None:
    told: list[Progress] = []
    async with CASES[name].made(tell=told.append) as generator:
        asked = CASES[name].asked
        renders = [generator.render(each, asked, seed=1, to=tmp_path / f"{each}.mp4") for each in ("a cat", "a dog")]
        await asyncio.gather(*renders)
    assert {progress.clip for progress in told} == {"a cat.mp4", "a dog.mp4"}
    assert {progress.seed for progress in told} == {1}


async def test_cancelling_leaves_nothing(case: Case, generator: Generator, tmp_path: Path) -> None:
    work = asyncio.create_task(generator.render(PROMPT, case.long, seed=1, to=tmp_path / "clip.mp4"))
    await asyncio.sleep(0.1)
    assert not work.done(), "the render is too quick to be cancelled"
    work.cancel()
    started = asyncio.get_running_loop().time()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert asyncio.get_running_loop().time() - started < 1.5
    assert list(tmp_path.iterdir()) == []


async def test_a_cancelled_render_frees_its_slot(tmp_path: Path) -> None:
    generator = Animatic(AnimaticConfig(concurrency=1))
    first = asyncio.create_task(generator.render(PROMPT, spec(frames=397), seed=1, to=tmp_path / "a.mp4"))
    second = asyncio.create_task(generator.render(PROMPT, spec(), seed=2, to=tmp_path / "b.mp4"))
    await asyncio.sleep(0.05)
    first.cancel()
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.mp4", "b.mp4.slip"]


async def test_a_missing_folder_is_an_os_error(case: Case, generator: Generator, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as caught:
        await generator.render(PROMPT, case.asked, seed=1, to=tmp_path / "nowhere" / "clip.mp4")
    assert type(caught.value) is FileNotFoundError
    assert caught.value.errno == errno.ENOENT


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.in_process])
async def test_a_full_disk_is_an_os_error_and_leaves_nothing(name: str, tmp_path: Path) -> None:
    async with CASES[name].made() as generator:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
        try:
            with pytest.raises(OSError, match=r"too large.*clip\.mp4") as caught:
                await generator.render(PROMPT, CASES[name].asked, seed=1, to=tmp_path / "clip.mp4")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert type(caught.value) is OSError
    assert caught.value.errno == errno.EFBIG
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if "image2video" in case.able.modes])
@pytest.mark.parametrize(
    ("size", "said"), [(None, r"first frame .*first\.png cannot be read"), ((64, 64), r"is 64x64, the clip ")]
)
async def test_an_unusable_first_frame_is_a_render_error(
    name: str, tmp_path: Path, size: tuple[int, int] | None, said: str
) -> None:
    first = tmp_path / "first.png"
    if size:
        Image.new("RGB", size).save(first)
    else:
        first.write_bytes(b"not an image")
    out = tmp_path / "out"
    out.mkdir()
    asked = CASES[name].asked.model_copy(update={"first_frame": first})
    async with CASES[name].made() as generator:
        with pytest.raises(RenderError, match=said):
            await generator.render(PROMPT, asked, seed=1, to=out / "clip.mp4")
    assert list(out.iterdir()) == []


async def test_renders_are_logged_for_an_observer(
    case: Case, generator: Generator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    to = tmp_path / "clip.mp4"
    name = f"generator.{case.config.backend}"
    with caplog.at_level(logging.INFO, name):
        await generator.render(PROMPT, case.asked, seed=11, to=to)
    lines = [record.getMessage() for record in caplog.records if record.name == name]
    assert lines[0] == f"render start seed=11 to={to}"
    assert re.fullmatch(rf"render done seed=11 to={re.escape(str(to))} \d+\.\d\ds", lines[-1])


def test_the_animatic_names_its_version() -> None:
    assert Animatic(AnimaticConfig()).id == f"animatic/{ANIMATIC_VERSION}"
