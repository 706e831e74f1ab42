"""What every generator must do. A backend joins by adding itself to `GENERATORS`."""

import asyncio
import errno
import logging
import re
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from generator.animatic import ANIMATIC_VERSION, Animatic
from generator.config import AnimaticConfig
from generator.probe import probe
from generator.types import Generator, RenderError, RenderSpec

PROMPT = "A red sailboat on the sea at sunset. The camera pans right."
GENERATORS: dict[str, Callable[[], Generator]] = {"animatic": lambda: Animatic(AnimaticConfig(concurrency=2))}


@pytest.fixture(params=GENERATORS)
def generator(request: pytest.FixtureRequest) -> Generator:
    return GENERATORS[request.param]()


def spec(width: int = 320, height: int = 192, frames: int = 5, fps: int = 24, **more: object) -> RenderSpec:
    return RenderSpec.model_validate(
        {"width": width, "height": height, "num_frames": frames, "fps": fps, "num_inference_steps": 35, **more}
    )


@pytest.mark.parametrize(
    "asked",
    [
        spec(frames=61),
        spec(256, 256, 9, 10),
        spec(192, 320, 9, 30),
        spec(480, 832, 5, 16),
        spec(1280, 720, 5, 24),
    ],
    ids=lambda asked: f"{asked.width}x{asked.height}x{asked.num_frames}@{asked.fps}",
)
async def test_a_clip_is_exactly_what_was_asked_for(generator: Generator, asked: RenderSpec, tmp_path: Path) -> None:
    to = tmp_path / "clip.mp4"
    clip = await generator.render(PROMPT, asked, seed=3, to=to)
    assert (clip.path, clip.seed, clip.spec, clip.generator) == (to, 3, asked, generator.id)
    assert clip.effective == probe(to)
    assert (clip.effective.width, clip.effective.height) == (asked.width, asked.height)
    assert (clip.effective.num_frames, clip.effective.fps) == (asked.num_frames, asked.fps)
    assert clip.seconds > 0
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4", "clip.mp4.slip"]


async def test_the_same_request_gives_the_same_bytes(generator: Generator, tmp_path: Path) -> None:
    clips = [tmp_path / name for name in ("a.mp4", "b.mp4", "c.mp4")]
    await asyncio.gather(*(generator.render(PROMPT, spec(frames=13), seed=4, to=to) for to in clips[:2]))
    await generator.render(PROMPT, spec(frames=13), seed=5, to=clips[2])
    assert clips[0].read_bytes() == clips[1].read_bytes()
    assert clips[0].read_bytes() != clips[2].read_bytes()


async def test_a_finished_clip_replaces_an_older_one(generator: Generator, tmp_path: Path) -> None:
    to = tmp_path / "clip.mp4"
    to.write_bytes(b"old")
    await generator.render(PROMPT, spec(), seed=1, to=to)
    assert probe(to).num_frames == 5


async def test_cancelling_leaves_nothing(generator: Generator, tmp_path: Path) -> None:
    work = asyncio.create_task(generator.render(PROMPT, spec(frames=397), seed=1, to=tmp_path / "clip.mp4"))
    while not list(tmp_path.iterdir()):
        await asyncio.sleep(0.01)
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
    assert [path.name for path in tmp_path.iterdir()] == ["b.mp4", "b.mp4.slip"]


async def test_a_missing_folder_is_an_os_error(generator: Generator, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as caught:
        await generator.render(PROMPT, spec(), seed=1, to=tmp_path / "nowhere" / "clip.mp4")
    assert type(caught.value) is FileNotFoundError
    assert caught.value.errno == errno.ENOENT


async def test_a_full_disk_is_an_os_error_and_leaves_nothing(generator: Generator, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
    try:
        with pytest.raises(OSError, match=r"too large.*clip\.mp4") as caught:
            await generator.render(PROMPT, spec(), seed=1, to=tmp_path / "clip.mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert type(caught.value) is OSError
    assert caught.value.errno == errno.EFBIG
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("size", "said"), [(None, r"first frame .*first\.png cannot be read"), ((64, 64), r"is 64x64, the clip 320x192")]
)
async def test_an_unusable_first_frame_is_a_render_error(
    generator: Generator, tmp_path: Path, size: tuple[int, int] | None, said: str
) -> None:
    first = tmp_path / "first.png"
    if size:
        Image.new("RGB", size).save(first)
    else:
        first.write_bytes(b"not an image")
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(RenderError, match=said):
        await generator.render(PROMPT, spec(first_frame=first), seed=1, to=out / "clip.mp4")
    assert list(out.iterdir()) == []


async def test_renders_are_logged_for_an_observer(
    generator: Generator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    to = tmp_path / "clip.mp4"
    with caplog.at_level(logging.INFO, "generator.animatic"):
        await generator.render(PROMPT, spec(), seed=11, to=to)
    start, done = (record.getMessage() for record in caplog.records if record.name == "generator.animatic")
    assert start == f"render start seed=11 to={to}"
    assert re.fullmatch(rf"render done seed=11 to={re.escape(str(to))} \d+\.\d\ds", done)


def test_the_animatic_names_its_version() -> None:
    assert Animatic(AnimaticConfig()).id == f"animatic/{ANIMATIC_VERSION}"
