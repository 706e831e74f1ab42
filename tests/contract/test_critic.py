"""What every critic keeps to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image

from agent.bench.degrade import scenes
from agent.bench.degrade.video import decode, encode
from critic.config import HybridConfig, SignalsConfig, VLMConfig
from critic.hybrid import Hybrid
from critic.signals import Signals
from critic.types import Critic, Critique, JudgeError
from critic.vlm import VLM, Checklist, FromFile
from reasoner.chat.types import Usage
from tests.seeing import chat_with, seeing
from tests.wire import Wire

PROMPT = "A street. The camera pans right."


@asynccontextmanager
async def signals() -> AsyncIterator[Critic]:
    yield Signals(SignalsConfig(concurrency=1))


@asynccontextmanager
async def vlm() -> AsyncIterator[Critic]:
    async with Wire(seeing()) as server, chat_with(server) as chat:
        yield VLM(VLMConfig(concurrency=1), chat, Checklist(chat))


@asynccontextmanager
async def vlm_from_file() -> AsyncIterator[Critic]:
    async with Wire(seeing()) as server, chat_with(server) as chat:
        yield VLM(VLMConfig(concurrency=1), chat, FromFile(Path("configs/rubrics/film.yaml")))


@asynccontextmanager
async def hybrid() -> AsyncIterator[Critic]:
    config = HybridConfig(concurrency=1)
    async with Wire(seeing()) as server, chat_with(server) as chat:
        yield Hybrid(config, Signals(SignalsConfig(concurrency=1)), VLM(config, chat, Checklist(chat)))


@pytest.fixture(params=[signals, vlm, vlm_from_file, hybrid])
async def critic(request: pytest.FixtureRequest) -> AsyncIterator[Critic]:
    build: Callable[[], AbstractAsyncContextManager[Critic]] = request.param
    async with build() as critic:
        yield critic


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    video = scenes.clip("street", frames=25, path=scenes.Path(pan=0.15))
    return encode(video, tmp_path_factory.mktemp("critic") / "clip.mp4")


@pytest.fixture(scope="module")
def image(clip: Path) -> Path:
    path = clip.with_name("first.png")
    Image.fromarray(decode(clip)[0]).save(path)
    return path


def same(a: Critique, b: Critique) -> bool:
    """But for what judging took: what is found out once counts for the clip that came first."""
    took = {"seconds": 0.0, "usage": Usage()}
    return a.model_copy(update=took) == b.model_copy(update=took)


async def test_a_critique_is_whole(critic: Critic, clip: Path, image: Path) -> None:
    critique = await critic.judge(clip, PROMPT, image)
    names = [score.criterion for score in critique.scores]
    assert len(names) == len(set(names)) > 0
    assert critique.judge == critic.id
    assert critique.rubric
    assert critique.feedback
    assert critique.seconds > 0
    assert all(score.explanation for score in critique.scores)
    assert all(len(trace.values) <= 96 for trace in critique.traces)
    assert all(0 <= defect.start <= defect.end <= 2 for defect in critique.defects)
    assert {defect.criterion for defect in critique.defects} <= set(names)
    assert Critique.model_validate_json(critique.model_dump_json()) == critique


async def test_the_same_clip_gets_the_same_critique(critic: Critic, clip: Path, image: Path) -> None:
    first, second = [await critic.judge(clip, PROMPT, image) for _ in range(2)]
    assert same(first, second)


@pytest.mark.thorough
async def test_clips_judged_side_by_side_do_not_disturb_one_another(critic: Critic, clip: Path) -> None:
    alone = await critic.judge(clip, PROMPT, None)
    together = await asyncio.gather(*(critic.judge(clip, PROMPT, None) for _ in range(3)))
    assert all(same(alone, other) for other in together)


async def test_what_does_not_decode_is_a_judge_error(critic: Critic, clip: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a clip")
    with pytest.raises(JudgeError, match=r"broken\.mp4"):
        await critic.judge(broken, PROMPT, None)
    with pytest.raises(JudgeError, match=r"broken\.mp4"):
        await critic.judge(clip, PROMPT, broken)


async def test_a_missing_file_is_an_os_error(critic: Critic, clip: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await critic.judge(tmp_path / "none.mp4", PROMPT, None)
    with pytest.raises(FileNotFoundError):
        await critic.judge(clip, PROMPT, tmp_path / "none.png")


async def test_cancelling_returns_at_once_and_frees_the_slot(critic: Critic, clip: Path) -> None:
    task = asyncio.create_task(critic.judge(clip, PROMPT, None))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(30):
        assert (await critic.judge(clip, PROMPT, None)).scores
