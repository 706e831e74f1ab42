"""Two clips compared by a model: both orders, what a tie is, and what is shown where a server takes less."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from critic.config import VLMConfig
from critic.types import TIE_WITHIN, Comparison, JudgeError
from critic.vlm import VLM, Checklist, Pairwise, Viewer
from generator.types import RenderSpec
from reasoner.chat.types import Refused, ServerFailed
from tests.clips import write_clip
from tests.seeing import Body, chat_with, comparing, last, pair, seeing, wider
from tests.wire import Answer, Reply, Wire, completion, error

PROMPT = "A {prompt} bay at dusk"
TOO_LONG = "This model's maximum context length is 8192 tokens."
SPEC = RenderSpec(width=160, height=96, num_frames=49, fps=24)
FLAG = "--limit-mm-per-prompt '{\"video\": 2}'"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A wide one and a narrow one."""
    folder = tmp_path_factory.mktemp("pair")
    narrow = SPEC.model_copy(update={"width": 128})
    return write_clip(folder / "wide.mp4", SPEC).path, write_clip(folder / "narrow.mp4", narrow).path


async def compared(server: Wire, clips: tuple[Path, Path], frame: Path | None = None, **config: Any) -> Comparison:
    async with chat_with(server) as chat:
        return await Pairwise(Viewer(VLMConfig(**config), chat)).compare(*clips, PROMPT, frame)


def asked(server: Wire) -> list[Body]:
    """The questions, without what found out how the server is shown clips."""
    return [body for body in server.chats if "Video A or Video B" in last(body)]


@pytest.mark.parametrize(
    ("orders", "outcome", "consistent"),
    [
        ((0.9, 0.7), "first", True),
        ((0.2, 0.4), "second", True),
        ((0.9, 0.2), "tie", False),
        ((0.99, 0.49), "tie", False),
        ((0.5, 0.9), "tie", False),
        ((0.5, 0.5), "tie", False),
        ((0.5 + TIE_WITHIN / 2, 0.5 + TIE_WITHIN), "tie", True),
        ((0.5 + TIE_WITHIN, 0.5 + 2 * TIE_WITHIN), "first", True),
    ],
)
def test_orders_that_disagree_or_hardly_decide_are_a_tie(
    orders: tuple[float, float], outcome: str, consistent: bool
) -> None:
    found = Comparison.of(orders, judge="j", method="logprobs", seconds=1)
    assert (found.outcome, found.consistent) == (outcome, consistent)
    assert found.p_first == pytest.approx(sum(orders) / 2)
    turned = Comparison.of((1 - orders[1], 1 - orders[0]), judge="j", method="logprobs", seconds=1)
    assert turned.outcome == {"first": "second", "second": "first", "tie": "tie"}[outcome]
    assert Comparison.model_validate_json(found.model_dump_json()) == found


async def test_the_better_clip_wins_wherever_it_is_shown(clips: tuple[Path, Path]) -> None:
    async with Wire(comparing(wider(0.8))) as server:
        found = await compared(server, clips)
        turned = await compared(server, clips[::-1])
        assert found.usage.calls + turned.usage.calls == len(server.chats)
    assert found.orders == pytest.approx((0.8, 0.8))
    assert turned.orders == pytest.approx((0.2, 0.2))
    assert (found.outcome, turned.outcome) == ("first", "second")
    assert (found.method, found.consistent) == ("logprobs", True)
    assert found.judge == "pairwise/1 tiny-cosmos3-reasoner fps=4 frames<=32 side=448"
    (note,) = found.notes
    assert note.startswith(
        "tiny-cosmos3-reasoner was shown both clips in one question, 8 frames of 160x96 and 8 frames"
    )
    assert note.endswith("of 128x96, each as a video with its times.")


async def test_a_leaning_to_one_place_is_a_tie(clips: tuple[Path, Path]) -> None:
    async with Wire(comparing(lambda body: 0.9)) as server:
        found = await compared(server, clips)
    assert found.orders == pytest.approx((0.9, 0.1))
    assert found.p_first == pytest.approx(0.5)
    assert (found.outcome, found.consistent) == ("tie", False)


async def test_both_orders_show_the_same_but_for_the_order(clips: tuple[Path, Path], tmp_path: Path) -> None:
    frame = tmp_path / "first.png"
    Image.new("RGB", (160, 96), "teal").save(frame)
    async with Wire(comparing(wider(0.8))) as server:
        await compared(server, clips, frame)
    one, other = asked(server)
    for body in (one, other):
        system, user = body["messages"]
        assert "inspect" in system["content"]
        kinds = [part["type"] for part in user["content"]]
        assert kinds == ["text", "video_url", "text", "text", "video_url", "text", "image_url", "text", "text"]
        assert last(body).startswith(f"Somebody asked a video generator for this:\n{PROMPT}\n")
        assert last(body).endswith("Video A or Video B? Answer with one letter, A or B.")
        assert body["structured_outputs"] == {"choice": ["A", "B"]}
        assert (body["temperature"], body["max_tokens"], body["top_logprobs"]) == (0.0, 2, 20)
        assert body["media_io_kwargs"] == one["media_io_kwargs"]
    shown, turned = pair(one), pair(other)
    assert shown["A"] == turned["B"] != shown["B"] == turned["A"]
    assert shown[""] == turned[""]


async def test_as_many_pairs_at_once_as_clips_are_judged(clips: tuple[Path, Path]) -> None:
    model = comparing(wider(0.8))

    async def slow(body: Body) -> Answer:
        await asyncio.sleep(0.02)
        return model(body)

    async with Wire(slow) as server, chat_with(server) as chat:
        comparer = Pairwise(Viewer(VLMConfig(concurrency=1), chat))
        await asyncio.gather(*(comparer.compare(*clips, PROMPT, None) for _ in range(3)))
    assert server.most_at_once == 2, "both orders of one pair, and no other pair beside it"
    assert len(asked(server)) == 6


async def test_what_is_found_out_of_the_server_serves_critic_and_comparer(clips: tuple[Path, Path]) -> None:
    judging, choosing = seeing(), comparing(wider(0.8))

    def model(body: Body) -> Answer:
        chosen = "Video A or Video B" in last(body) or "Answer Yes." in last(body)
        return choosing(body) if chosen else judging(body)

    async with Wire(model) as server, chat_with(server) as chat:
        viewer = Viewer(VLMConfig(), chat)
        critic, comparer = VLM(VLMConfig(), chat, Checklist(chat), viewer), Pairwise(viewer)
        await critic.judge(clips[0], PROMPT, None)
        before = len(server.chats)
        first = await comparer.compare(*clips, PROMPT, None)
        assert len(server.chats) - before == first.usage.calls == 2 + 3
        second = await comparer.compare(*clips, PROMPT, None)
    assert second.usage.calls == 2
    assert second.orders == first.orders


@pytest.mark.parametrize("refuses", [True, False])
async def test_without_probabilities_written_replies_are_taken_and_said(
    clips: tuple[Path, Path], refuses: bool
) -> None:
    inner, p_a = comparing(wider(0.8)), wider(1.0)

    def model(body: Body) -> Answer:
        if "logprobs" in body:
            return error(400, "no logprobs here", param="logprobs") if refuses else completion("A")
        if "response_format" not in body:
            return inner(body)
        return completion(json.dumps({"answer": "A" if p_a(body) > 0.5 else "B", "confidence": 60}))

    async with Wire(model) as server:
        found = await compared(server, clips)
    assert found.orders == pytest.approx((0.8, 0.8))
    assert (found.outcome, found.method) == ("first", "reply")
    schema = asked(server)[-1]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["answer"]["enum"] == ["A", "B"]


@pytest.mark.parametrize(("takes", "looks_at"), [(1, 1), (2, 1)])
async def test_a_server_of_one_video_is_shown_pictures_under_labels(
    clips: tuple[Path, Path], takes: int, looks_at: int
) -> None:
    async with Wire(comparing(wider(0.8), takes=takes, looks_at=looks_at)) as server:
        found = await compared(server, clips)
    assert found.outcome == "first"
    assert len(asked(server)) == 2
    assert all(len(urls) == 8 for urls in pair(asked(server)[0]).values())
    assert all(url.startswith("data:image/jpeg") for url in pair(asked(server)[0])["B"])
    assert "as single pictures with their times in words, since the server takes one video" in found.notes[0]
    assert FLAG in found.notes[0]


async def test_clips_that_differ_in_length_are_shown_with_their_times_in_words(
    clips: tuple[Path, Path], tmp_path: Path
) -> None:
    shorter = write_clip(tmp_path / "short.mp4", SPEC.model_copy(update={"width": 128, "num_frames": 25})).path
    async with Wire(comparing(wider(0.8))) as server:
        found = await compared(server, (clips[0], shorter))
    assert found.outcome == "first"
    assert all("media_io_kwargs" not in body for body in asked(server)), "one setting cannot be right for both"
    assert "with its times in words, since they differ in length or frame rate" in found.notes[0]
    words = " ".join(part.get("text", "") for part in asked(server)[0]["messages"][-1]["content"])
    assert "lasts 2.04 s" in words
    assert "lasts 1.04 s" in words


def frames(body: Body) -> int:
    """Frames of both clips in a question."""
    return sum(
        url.count("base64,") + url.partition("base64,")[2].count(",") for urls in pair(body).values() for url in urls
    )


def narrow(most: int) -> Reply:
    """A server whose context holds so many frames."""
    model = comparing(wider(0.8))

    def answer(body: Body) -> Answer:
        if "Video A or Video B" in last(body) and frames(body) > most:
            return error(400, TOO_LONG, param="input_tokens")
        return model(body)

    return answer


async def test_what_does_not_fit_is_shown_with_fewer_frames_from_then_on(clips: tuple[Path, Path]) -> None:
    async with Wire(narrow(8)) as server, chat_with(server) as chat:
        comparer = Pairwise(Viewer(VLMConfig(), chat))
        first, second = [await comparer.compare(*clips, PROMPT, None) for _ in range(2)]
    assert first.outcome == second.outcome == "first"
    assert "4 frames of 160x96 and 4 frames of 128x96" in first.notes[0]
    assert "at most 4 frames of 448 pixels: 32 of 448" in first.notes[1]
    assert [frames(body) for body in asked(server)[-4:]] == [8, 8, 8, 8]


async def test_pairs_that_never_fit_are_not_compared(clips: tuple[Path, Path]) -> None:
    async with Wire(narrow(0)) as server:
        with pytest.raises(JudgeError, match=r"compares no clips: .*maximum context.*Lower critic\.max_frames"):
            await compared(server, clips)
    async with Wire(comparing(wider(0.8), takes=0, pictures=1)) as server:
        with pytest.raises(JudgeError, match=r"compares no clips: .*At most 1 image.*limit-mm-per-prompt"):
            await compared(server, clips)


async def test_as_many_pictures_as_a_server_takes(clips: tuple[Path, Path]) -> None:
    async with Wire(comparing(wider(0.8), takes=1, pictures=12)) as server:
        found = await compared(server, clips)
    assert found.outcome == "first"
    assert "4 frames of 160x96 and 4 frames of 128x96" in found.notes[0]


@pytest.mark.parametrize(("status", "kind"), [(500, ServerFailed), (404, Refused)])
async def test_a_failing_server_is_not_the_clips_fault(
    clips: tuple[Path, Path], status: int, kind: type[Exception]
) -> None:
    model = comparing(wider(0.8))

    def failing(body: Body) -> Answer:
        return error(status, "broken") if "Video A or Video B" in last(body) else model(body)

    async with Wire(failing) as server:
        with pytest.raises(kind):
            await compared(server, clips)


async def test_an_answer_that_is_none_is_no_comparison(clips: tuple[Path, Path]) -> None:
    model = comparing(wider(0.8))

    def other(body: Body) -> Answer:
        return completion("Both", first={"Both": 1.0, "A": 0}) if "Video A or Video B" in last(body) else model(body)

    async with Wire(other) as server:
        with pytest.raises(JudgeError, match="'which is better': neither A nor B is among its likeliest words"):
            await compared(server, clips)
