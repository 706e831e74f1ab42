"""The checklist: twins, dependencies, the repair and what is asked where none can be had."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from critic.types import WrittenRubric
from critic.vlm import Checklist
from critic.vlm.checklist import SUBJECT_FLOOR
from tests.seeing import CHECKLIST, chat_with, question, seeing
from tests.wire import Answer, Wire, completion, error

PROMPT = "A red ball bounces twice"


async def write(server: Wire, image: Path | None = None) -> WrittenRubric:
    async with chat_with(server) as chat:
        return await Checklist(chat).write(PROMPT, image)


async def test_a_checklist_ends_with_the_standing_questions_and_a_third_are_twins(tmp_path: Path) -> None:
    items = [
        question(name="ball_a", weight=3),
        question("motion", name="bounce", depends_on=0),
        *CHECKLIST["questions"],
    ]
    Image.new("RGB", (64, 32)).save(tmp_path / "first.png")
    async with Wire(seeing(checklist={"questions": items})) as server:
        written = await write(server, tmp_path / "first.png")
    criteria = written.rubric.criteria
    assert [c.name for c in criteria][:3] == ["ball_a", "bounce", "ball_a_2"]
    assert len(criteria) == 14
    assert {c.axis for c in criteria[8:]} == {"physics", "consistency", "quality"}
    assert sum(bool(c.negation) for c in criteria) == 5
    assert criteria[0].negation
    assert criteria[1].depends_on == "ball_a"
    assert [c.floor for c in criteria[:2]] == [SUBJECT_FLOOR, 0]
    assert written.notes == ()
    assert written.usage.calls == 1
    kinds = [part["type"] for part in server.chats[0]["messages"][0]["content"]]
    assert kinds == ["image_url", "text", "text"]
    assert PROMPT in json.dumps(server.chats[0])


async def test_physics_questions_have_no_prompt() -> None:
    for checklist in (CHECKLIST, "nonsense"):
        async with Wire(seeing(checklist=checklist)) as server:
            written = await write(server)
        physics = [c for c in written.rubric.criteria if c.axis == "physics"]
        assert len(physics) == 2
        assert all(PROMPT not in c.definition + c.negation for c in physics)


async def test_one_repair_is_asked_for_and_told() -> None:
    async with Wire(seeing()) as server:
        server.script(completion('{"questions": [', finish_reason="length"))
        written = await write(server)
    assert written.rubric.name == "checklist"
    assert written.notes == (
        "The checklist that tiny-cosmos3-reasoner wrote was cut off; asked once more, it wrote a usable one.",
    )
    assert written.usage.calls == len(server.chats) == 2
    assert "was cut off" in server.chats[1]["messages"][-1]["content"]


async def test_after_two_unusable_replies_the_built_in_questions_are_asked_aloud() -> None:
    few: dict[str, Any] = {"questions": [question()]}
    async with Wire(seeing(checklist=few)) as server:
        written = await write(server)
    assert written.rubric.name == "builtin"
    assert PROMPT in written.rubric.criteria[0].definition
    assert "first_frame" not in {c.axis for c in written.rubric.criteria}
    assert "holds 1 questions, not 6 to 10" in written.notes[0]
    assert "built-in questions" in written.notes[0]
    assert len(server.chats) == 2


async def test_a_dependency_on_a_later_question_is_dropped_aloud() -> None:
    items = [question(name=f"ball_{n}", depends_on=5) for n in "abcdef"]
    async with Wire(seeing(checklist={"questions": items})) as server:
        written = await write(server)
    assert all(c.depends_on is None for c in written.rubric.criteria)
    assert "hung on none before them" in written.notes[0]


async def test_the_first_frame_axis_needs_a_first_frame() -> None:
    items = [question("first_frame", name=f"ball_{n}") for n in "abcdef"]

    def model(body: dict[str, Any]) -> Answer:
        fields = body["response_format"]["json_schema"]["schema"]["properties"]["questions"]["items"]["properties"]
        assert "first_frame" not in fields["axis"]["enum"]
        return completion(json.dumps({"questions": items}))

    async with Wire(model) as server:
        assert (await write(server)).rubric.name == "builtin"


@pytest.mark.parametrize("fits", [0, 1])
async def test_a_checklist_that_does_not_fit_into_the_context_costs_no_clip(fits: int) -> None:
    asked = 0

    def model(body: dict[str, Any]) -> Answer:
        nonlocal asked
        asked += 1
        if asked > fits:
            return error(400, "This model's maximum context length is 8192 tokens.", param="input_tokens")
        return completion("no checklist")

    async with Wire(model) as server:
        written = await write(server)
    assert written.rubric.name == "builtin"
    assert "too long for the model" in written.notes[0]
    assert ("checklist that" in written.notes[0]) == bool(fits)
    assert written.notes[0].endswith("The built-in questions are asked instead.")
