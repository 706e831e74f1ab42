"""Questions: probabilities, twins, what hangs on what, and what is sent."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from critic.types import Criterion, JudgeError, Rubric, Score
from critic.vlm.questions import Questions
from critic.vlm.show import Shown
from reasoner.chat.types import Image, ServerFailed, Text, Video
from tests.seeing import chat_with, last, seeing
from tests.wire import Wire, completion, error

SHOWN = Shown(
    (Video(url="data:video/jpeg;base64,AAAA", io={"fps": 24}), Text(text="2 s.\n")), 2.0, 8, (64, 32), "timed_frames"
)
IMAGE = Image(data=b"picture")


def criterion(name: str, words: str = "", **more: Any) -> Criterion:
    return Criterion(name=name, title=name, **{"axis": "adherence", "definition": words or f"Is there {name}?", **more})


def rubric(*criteria: Criterion) -> Rubric:
    return Rubric(name="test", version=1, criteria=criteria)


async def ask(server: Wire, *criteria: Criterion, image: Image | None = None) -> list[Score]:
    async with chat_with(server) as chat:
        scores, used = await Questions(chat).ask(SHOWN, image, rubric(*criteria))
        assert used.calls == len(server.chats)
        return scores


async def test_both_surface_forms_count() -> None:
    async with Wire(seeing(lambda words: {"Yes": 0.3, "yes": 0.3, "No": 0.1, "no": 0.1, "3": 0})) as server:
        (score,) = await ask(server, criterion("ball"))
    assert score.value == pytest.approx(0.75)
    assert score.method == "logprobs"
    assert "“Is there ball?”: P(yes) 0.75" in score.explanation
    body = server.chats[0]
    assert body["structured_outputs"]["choice"]
    assert (body["temperature"], body["max_tokens"], body["top_logprobs"]) == (0.0, 2, 20)


@pytest.mark.parametrize(("yes", "twin", "value"), [(0.9, 0.1, 0.9), (0.9, 0.9, 0.5), (0.2, 0.8, 0.2), (1.0, 0.0, 1.0)])
async def test_a_twin_is_subtracted(yes: float, twin: float, value: float) -> None:
    def model(words: str) -> Mapping[str, float]:
        p = twin if "missing" in words else yes
        return {"Yes": p, "No": 1 - p}

    async with Wire(seeing(model)) as server:
        (score,) = await ask(server, criterion("ball", negation="Is the ball missing?"))
    assert score.value == pytest.approx(value)
    assert f"the other way round {twin:.2f}" in score.explanation


async def test_children_of_a_no_inherit_and_are_not_asked() -> None:
    async with Wire(seeing(lambda words: {"Yes": 0.3, "No": 0.7} if "ball" in words else {"Yes": 1.0})) as server:
        scores = await ask(
            server,
            criterion("ball"),
            criterion("bounce", depends_on="ball"),
            criterion("cat"),
            criterion("leap", depends_on="cat"),
            criterion("height", depends_on="bounce"),
        )
    assert {s.criterion: (round(s.value, 3), s.method) for s in scores} == {
        "ball": (0.3, "logprobs"), "bounce": (0.3, "inherited"), "cat": (1.0, "logprobs"), "leap": (1.0, "logprobs"),
        "height": (0.3, "inherited"),
    }  # fmt: skip
    assert "was not asked, since 'ball' is answered no" in scores[1].explanation
    assert len(server.chats) == 3


async def test_all_that_stands_before_a_question_is_the_same() -> None:
    async with Wire(seeing()) as server:
        await ask(server, criterion("ball"), criterion("cat"), criterion("start", axis="first_frame"), image=IMAGE)
    starts = set()
    for body in server.chats:
        system, user = body["messages"]
        starts.add(json.dumps([system, user["content"][:2], body["media_io_kwargs"]]))
        kinds = [part["type"] for part in user["content"]]
        assert kinds[:2] == ["video_url", "text"]
        assert ("image_url" in kinds) == ("start" in last(body))
    assert len(starts) == 1


async def test_neither_yes_nor_no_is_no_score() -> None:
    async with Wire(seeing(lambda words: {"3": 1.0, "Yes": 0, "No": 0})) as server:
        with pytest.raises(JudgeError, match=r"'ball'.*neither yes nor no"):
            await ask(server, criterion("ball"))


@pytest.mark.parametrize("refuses", [True, False])
async def test_without_probabilities_a_written_reply_is_taken_and_marked(refuses: bool) -> None:
    def model(body: dict[str, Any]) -> Any:
        if "logprobs" in body:
            return error(400, "no logprobs here", param="logprobs") if refuses else completion("Yes")
        return completion(json.dumps({"answer": "No" if "cat" in last(body) else "Yes", "confidence": 60}))

    async with Wire(model) as server, chat_with(server) as chat:
        scores, _ = await Questions(chat).ask(
            SHOWN, None, rubric(criterion("ball"), criterion("cat", depends_on="ball"))
        )
    assert [(round(s.value, 3), s.method) for s in scores] == [(0.8, "reply"), (0.2, "reply")]
    assert "gives no probabilities" in scores[0].explanation
    assert ["logprobs" in body for body in server.chats] == [True, False, False]


@pytest.mark.parametrize("text", ["", "I think yes", '{"answer": "Maybe", "confidence": 3}', '{"answer": "Yes"}'])
async def test_an_unreadable_written_reply_is_no_score(text: str) -> None:
    async with Wire(lambda body: text) as server, chat_with(server) as chat:
        with pytest.raises(JudgeError, match="'ball'"):
            await Questions(chat).ask(SHOWN, None, rubric(criterion("ball")))


async def test_a_failing_server_is_raised_as_itself() -> None:
    async with Wire(lambda body: error(500, "out of order")) as server, chat_with(server) as chat:
        with pytest.raises(ServerFailed):
            await Questions(chat).ask(SHOWN, None, rubric(criterion("ball"), criterion("cat")))


async def test_a_server_that_knows_no_choices_is_asked_without() -> None:
    def model(body: dict[str, Any]) -> Any:
        if "structured_outputs" in body:
            return error(400, "Unrecognized request argument", param="structured_outputs")
        return completion("Yes", first={" Yes": 0.6, "No": 0.2, "Well": 0.2})

    async with Wire(model) as server, chat_with(server) as chat:
        scores, _ = await Questions(chat).ask(
            SHOWN, None, rubric(criterion("ball"), criterion("cat", depends_on="ball"))
        )
    assert [(round(s.value, 3), s.method) for s in scores] == [(0.75, "logprobs")] * 2
    assert len(server.chats) == 3


async def test_a_question_that_hangs_on_none_is_an_error() -> None:
    loose = Rubric.model_construct(name="test", version=1, criteria=(criterion("ball", depends_on="cat"),))
    async with Wire(seeing()) as server, chat_with(server) as chat:
        with pytest.raises(JudgeError, match="depends_on"):
            await Questions(chat).ask(SHOWN, None, loose)
