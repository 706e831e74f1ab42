"""The critic `vlm` as a whole: what it asks once, what it says, and what it does when less fits."""

import asyncio
import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from critic.config import VLMConfig
from critic.types import Critique
from critic.vlm import VLM, Checklist
from reasoner.chat.types import ServerFailed, TooLong
from tests.clips import write_clip
from tests.seeing import CRITIQUE, chat_with, last, seeing
from tests.wire import Answer, Wire, error

PROMPT = "A red ball bounces twice"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("judge") / "clip.mp4").path


async def judged(server: Wire, clip: Path, times: int = 1, **config: Any) -> list[Critique]:
    async with chat_with(server) as chat:
        critic = VLM(VLMConfig(**config), chat, Checklist(chat))
        return [await critic.judge(clip, PROMPT, None) for _ in range(times)]


async def test_form_and_checklist_are_asked_once(clip: Path) -> None:
    async with Wire(seeing()) as server:
        first, second = await judged(server, clip, 2)
    assert first.usage.calls == second.usage.calls + 3
    assert first.usage.calls + second.usage.calls == len(server.chats)
    assert first.scores == second.scores
    assert first.rubric == "checklist/1"
    assert first.judge == (
        "vlm/1 tiny-cosmos3-reasoner questions/1 fps=4 frames<=32 side=448 rubric=checklist/1 tiny-cosmos3-reasoner"
    )
    assert first.notes == ("tiny-cosmos3-reasoner was shown 8 frames of 320x192, as one video with their times.",)


async def test_feedback_is_worst_first_with_times_within_the_clip(clip: Path) -> None:
    yes = {"Yes": 0.3, "No": 0.7}
    async with Wire(seeing(lambda words: yes if "red ball?" in words else {"Yes": 0.7, "No": 0.3})) as server:
        (critique,) = await judged(server, clip)
    (defect,) = critique.defects
    assert (defect.start, defect.words) == (0.5, "The ball melts.")
    assert defect.end == pytest.approx(49 / 24)
    lines = critique.feedback.splitlines()
    assert lines[0].startswith("ball_")
    assert "Is there a red ball?" in lines[0]
    assert lines[-2:] == ["0:00-0:02: The ball melts. (ball_a)", "In short: Keep the ball whole."]


async def test_an_unreadable_critique_changes_no_score(clip: Path) -> None:
    async with Wire(seeing()) as good, Wire(seeing(critique="looks great")) as bad:
        (first,), (second,) = await judged(good, clip), await judged(bad, clip)
    assert first.scores == second.scores
    assert second.defects == ()
    assert any("feedback is made from the answers alone" in note for note in second.notes)


async def test_feedback_can_be_left_out(clip: Path) -> None:
    async with Wire(seeing()) as server:
        (critique,) = await judged(server, clip, feedback=False)
    assert critique.defects == ()
    assert str(CRITIQUE["summary"]) not in critique.feedback


def narrow(most: int) -> Any:
    """A server whose context holds `most` frames."""
    model = seeing()

    def answer(body: dict[str, Any]) -> Answer:
        frames = len(body.get("media_io_kwargs", {}).get("video", {}).get("frames_indices", []))
        if "structured_outputs" in body and frames > most:
            return error(400, "This model's maximum context length is 8192 tokens.", param="input_tokens")
        return model(body)

    return answer


async def test_what_does_not_fit_is_shown_with_fewer_frames_from_then_on(clip: Path) -> None:
    async with Wire(narrow(4)) as server:
        first, second = await judged(server, clip, 2)
    for critique in (first, second):
        assert "shown 4 frames" in critique.notes[0]
        assert "at most 4 frames of 448 pixels: 32 of 448" in critique.notes[1]
    eight = [
        b for b in server.chats if len(b.get("media_io_kwargs", {"video": {}})["video"].get("frames_indices", [])) == 8
    ]
    assert eight
    asked = [b for b in server.chats[-8:] if "media_io_kwargs" in b]
    assert all(len(b["media_io_kwargs"]["video"]["frames_indices"]) == 4 for b in asked)


def long_side(body: dict[str, Any]) -> int:
    """Of the first frame that a request shows; 0: it shows no clip."""
    for part in body["messages"][-1]["content"]:
        if isinstance(part, dict) and part["type"] == "video_url":
            data = part["video_url"]["url"].partition(",")[2].split(",")[0]
            return max(Image.open(BytesIO(base64.b64decode(data))).size)
    return 0


async def test_where_four_frames_are_too_many_they_are_shown_smaller(clip: Path) -> None:
    def model(body: dict[str, Any]) -> Answer:
        if "structured_outputs" in body and long_side(body) > 240:
            return error(400, "This model's maximum context length is 8192 tokens.", param="input_tokens")
        return seeing()(body)

    async with Wire(model) as server:
        critique = await judged(server, clip)
    assert "at most 4 frames of 160 pixels: 32 of 448" in critique[0].notes[1]
    assert {long_side(b) for b in server.chats if "structured_outputs" in b} == {320, 160}


async def test_what_never_fits_is_the_servers_own_error(clip: Path) -> None:
    async with Wire(narrow(0)) as server:
        with pytest.raises(TooLong):
            await judged(server, clip)


async def test_a_failing_server_is_not_the_clips_fault(clip: Path) -> None:
    def model(body: dict[str, Any]) -> Answer:
        return error(500, "broken") if "structured_outputs" in body else seeing()(body)

    async with Wire(model) as server:
        with pytest.raises(ServerFailed):
            await judged(server, clip)


async def test_a_critique_that_does_not_fit_keeps_the_scores(clip: Path) -> None:
    def model(body: dict[str, Any]) -> Answer:
        if "defects" in str(body.get("response_format")):
            return error(400, "This model's maximum context length is 8192 tokens.", param="input_tokens")
        return seeing()(body)

    async with Wire(model) as server:
        (critique,) = await judged(server, clip)
    assert critique.scores
    assert critique.defects == ()
    assert "shown 8 frames" in critique.notes[0]
    assert any("No critique in words" in note for note in critique.notes)


async def test_two_requests_questions_are_written_side_by_side_and_each_ones_once(clip: Path) -> None:
    writing: list[str] = []
    both = asyncio.Event()
    say = seeing()

    async def reply(body: Any) -> Answer:
        if "questions" in str(body.get("response_format")):
            writing.append(last(body))
            if len(writing) == 2:
                both.set()
            await asyncio.wait_for(both.wait(), 60)
        return say(body)

    async with Wire(reply) as server, chat_with(server) as chat:
        critic = VLM(VLMConfig(concurrency=4), chat, Checklist(chat))
        await asyncio.gather(*(critic.judge(clip, prompt, None) for prompt in ("A ball", "A kite") * 2))
    assert sorted("kite" in words for words in writing) == [False, True]
