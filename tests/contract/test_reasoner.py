"""What every reasoner must do, whatever it is made of."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image

from reasoner.caption import StructuredCaption
from reasoner.config import RulesConfig
from reasoner.rules import Rules
from reasoner.types import Caption, CaptionRequest, Reasoner, Revision
from tests import replies
from tests.wire import Wire


@asynccontextmanager
async def rules() -> AsyncIterator[Reasoner]:
    yield Rules(RulesConfig())


@asynccontextmanager
async def openai() -> AsyncIterator[Reasoner]:
    move = replies.edit("cinematography.camera_motion", "The camera tilts up fast and steadily.")
    async with Wire(replies.answering(move)) as server, replies.reasoner(server) as writer:
        yield writer


BUILDERS: dict[str, Callable[[], AbstractAsyncContextManager[Reasoner]]] = {"rules": rules, "openai": openai}


@pytest.fixture(params=BUILDERS)
async def reasoner(request: pytest.FixtureRequest) -> AsyncIterator[Reasoner]:
    async with BUILDERS[request.param]() as built:
        yield built


@pytest.fixture(params=["text", "image"])
def asked(request: pytest.FixtureRequest, tmp_path: Path) -> CaptionRequest:
    Image.new("RGB", (320, 192), "red").save(tmp_path / "frame.png")
    return CaptionRequest(
        prompt="A red kite rises over a beach, the camera tilts up",
        first_frame=tmp_path / "frame.png" if request.param == "image" else None,
        width=320,
        height=192,
        num_frames=61,
        fps=24,
    )


def revision(caption: Caption, camera: float, parent: int | None = None, gain: float | None = None) -> Revision:
    return Revision(
        caption=caption,
        score=camera,
        criteria={"camera": camera, "noise": 0.9},
        floors={"camera": 0.3},
        feedback="camera: ask for the camera move more strongly",
        parent=parent,
        gain=gain,
    )


def test_id_is_short_and_stable(reasoner: Reasoner) -> None:
    assert reasoner.id
    assert "\n" not in reasoner.id
    assert reasoner.id == reasoner.id


async def test_upsample_writes_a_caption_for_this_render(reasoner: Reasoner, asked: CaptionRequest) -> None:
    caption = await reasoner.upsample(asked)
    assert caption.source == "upsample"
    assert caption.reasoner == reasoner.id
    assert caption.edits == ()
    assert all(note.strip() for note in caption.notes)
    assert (caption.verdict, caption.reseed) == (None, False)
    assert isinstance(caption.structured, StructuredCaption)
    assert StructuredCaption.parse(caption.prompt) == caption.structured
    assert caption.structured.model_dump(include={"resolution", "aspect_ratio", "duration", "fps"}) == {
        "resolution": {"H": 192, "W": 320},
        "aspect_ratio": "16,9",
        "duration": "2s",
        "fps": 24,
    }


async def test_rewrite_starts_from_the_champion(reasoner: Reasoner, asked: CaptionRequest) -> None:
    first = await reasoner.upsample(asked)
    caption = await reasoner.rewrite(asked, [revision(first, 0.2)], 0)
    assert caption.source == "rewrite"
    assert caption.reasoner == reasoner.id
    assert caption.diagnosis
    assert caption.reseed or caption.edits
    assert caption.verdict is not None
    assert caption.reseed == (caption.verdict != "prompt_problem")
    assert (caption.prompt == first.prompt) == caption.reseed
    assert isinstance(caption.structured, StructuredCaption)
    assert StructuredCaption.parse(caption.prompt) == caption.structured


async def test_rewrite_takes_plain_words(reasoner: Reasoner, asked: CaptionRequest) -> None:
    caption = await reasoner.rewrite(asked, [revision(Caption.raw(asked.prompt), 0.2)], 0)
    assert caption.source == "rewrite"
    assert caption.prompt


@pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)
async def test_rewrite_depends_on_the_history_alone(
    build: Callable[[], AbstractAsyncContextManager[Reasoner]], asked: CaptionRequest
) -> None:
    async with build() as one, build() as other:
        first = await one.upsample(asked)
        history = [revision(first, 0.2)]
        second = await one.rewrite(asked, history, 0)
        history.append(revision(second, 0.1, 0, -0.1))
        await one.rewrite(asked, history, 0)
        again = await other.rewrite(asked, history, 0)
        assert again.prompt == (await one.rewrite(asked, history, 0)).prompt


async def test_nothing_asked_is_changed_in_place(reasoner: Reasoner, asked: CaptionRequest) -> None:
    history = [revision(await reasoner.upsample(asked), 0.2)]
    before = history[0].model_dump_json()
    await reasoner.rewrite(asked, history, 0)
    assert history[0].model_dump_json() == before
