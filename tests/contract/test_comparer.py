"""What every comparer keeps to."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image

from agent.memory import Memory, RememberedComparer
from agent.serving.in_turn import ComparerInTurn
from agent.serving.turns import Turns
from critic.config import VLMConfig
from critic.types import Comparer, Comparison, JudgeError
from critic.vlm import Pairwise, Viewer
from generator.types import RenderSpec
from reasoner.chat.types import Usage
from tests.clips import write_clip
from tests.parts import Recorder
from tests.seeing import chat_with, comparing, wider
from tests.wire import Wire

PROMPT = "A bay at dusk. The camera pushes in."


@asynccontextmanager
async def videos(folder: Path) -> AsyncIterator[Comparer]:
    async with Wire(comparing(wider(0.9))) as server, chat_with(server) as chat:
        yield Pairwise(Viewer(VLMConfig(concurrency=1), chat))


@asynccontextmanager
async def pictures(folder: Path) -> AsyncIterator[Comparer]:
    async with Wire(comparing(wider(0.9), takes=1)) as server, chat_with(server) as chat:
        yield Pairwise(Viewer(VLMConfig(concurrency=1), chat))


@asynccontextmanager
async def remembered(folder: Path) -> AsyncIterator[Comparer]:
    async with videos(folder) as inner:
        yield RememberedComparer(inner, Memory(folder, Recorder()))


@asynccontextmanager
async def in_turn(folder: Path) -> AsyncIterator[Comparer]:
    @asynccontextmanager
    async def server() -> AsyncIterator[None]:
        yield

    async with videos(folder) as inner, Turns({"reasoner": server}) as turns:
        yield ComparerInTurn(inner, turns, "reasoner")


@pytest.fixture(params=[videos, pictures, remembered, in_turn])
async def comparer(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Comparer]:
    build: Callable[[Path], AbstractAsyncContextManager[Comparer]] = request.param
    async with build(tmp_path) as comparer:
        yield comparer


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A wide one and a narrow one: which of them the doubles prefer."""
    folder = tmp_path_factory.mktemp("comparer")
    wide, thin = (RenderSpec(width=width, height=96, num_frames=25, fps=24) for width in (160, 128))
    return write_clip(folder / "wide.mp4", wide).path, write_clip(folder / "narrow.mp4", thin).path


@pytest.fixture(scope="module")
def image(clips: tuple[Path, Path]) -> Path:
    path = clips[0].with_name("first.png")
    Image.new("RGB", (160, 96), "teal").save(path)
    return path


def same(a: Comparison, b: Comparison) -> bool:
    """But for what comparing took: what is found out once counts for the pair that came first."""
    took = {"seconds": 0.0, "usage": Usage()}
    return a.model_copy(update=took) == b.model_copy(update=took)


async def test_a_comparison_is_whole(comparer: Comparer, clips: tuple[Path, Path], image: Path) -> None:
    found = await comparer.compare(*clips, PROMPT, image)
    assert found.outcome == "first"
    assert found.consistent
    assert found.judge == comparer.id
    assert found.p_first == pytest.approx(sum(found.orders) / 2)
    assert found.seconds > 0
    assert found.usage.calls >= 2
    assert found.notes
    assert Comparison.model_validate_json(found.model_dump_json()) == found


async def test_turned_round_it_says_the_same(comparer: Comparer, clips: tuple[Path, Path]) -> None:
    one, other = await comparer.compare(*clips, PROMPT, None), await comparer.compare(*clips[::-1], PROMPT, None)
    assert other.outcome == "second"
    assert other.p_first == pytest.approx(1 - one.p_first)


async def test_the_same_pair_gets_the_same_comparison(comparer: Comparer, clips: tuple[Path, Path]) -> None:
    first, *others = [await comparer.compare(*clips, PROMPT, None) for _ in range(2)]
    together = await asyncio.gather(*(comparer.compare(*clips, PROMPT, None) for _ in range(3)))
    assert all(same(first, other) for other in (*others, *together))


async def test_what_does_not_decode_is_a_judge_error(
    comparer: Comparer, clips: tuple[Path, Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a clip")
    for pair in ((broken, clips[0]), (clips[0], broken)):
        with pytest.raises(JudgeError, match=r"broken\.mp4"):
            await comparer.compare(*pair, PROMPT, None)
    with pytest.raises(JudgeError, match=r"broken\.mp4"):
        await comparer.compare(*clips, PROMPT, broken)


async def test_a_missing_file_is_an_os_error(comparer: Comparer, clips: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await comparer.compare(clips[0], tmp_path / "none.mp4", PROMPT, None)
    with pytest.raises(FileNotFoundError):
        await comparer.compare(*clips, PROMPT, tmp_path / "none.png")


async def test_cancelling_returns_at_once_and_frees_the_slot(comparer: Comparer, clips: tuple[Path, Path]) -> None:
    task = asyncio.create_task(comparer.compare(*clips, PROMPT, None))
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(30):
        assert (await comparer.compare(*clips, PROMPT, None)).outcome == "first"
