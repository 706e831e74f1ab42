"""Rubrics out of YAML: the user's files, the questions that come with the package, and what is said of a wrong one."""

from pathlib import Path

import pytest

from critic.types import JudgeError
from critic.vlm import FromFile, RubricError
from critic.vlm.rubric import PROMPT, builtin, filled, parse, standing, without

ENTRY = "{name: ball, axis: adherence, question: 'Is there a red ball?'%s}"


def file(*entries: str) -> str:
    return "name: mine\nversion: 2\ncriteria:\n" + "".join(f"  - {entry}\n" for entry in entries)


@pytest.mark.parametrize("name", ["robot", "film"])
async def test_the_examples_are_usable(name: str) -> None:
    written = await FromFile(Path("configs/rubrics") / f"{name}.yaml").write("A cat leaps", Path("frame.png"))
    assert written.rubric.name == name
    assert "A cat leaps" in " ".join(c.definition for c in written.rubric.criteria)
    assert PROMPT not in written.rubric.model_dump_json()


def test_standing_questions_know_no_prompt_and_have_twins() -> None:
    axes = [c.axis for c in standing().criteria]
    assert len(axes) == 6
    assert set(axes) == {"physics", "consistency", "quality"}
    assert all(c.negation and PROMPT not in c.definition + c.negation for c in standing().criteria)


def test_a_prompt_stands_where_its_place_is() -> None:
    rubric = filled(builtin(), "A dog\n digs {deep}?")
    assert rubric.criteria[0].definition == "Does the video show what this asks: A dog digs {deep}?"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (file(ENTRY % "", ENTRY % ""), r"mine\.yaml: criteria\[1\] \(ball\)\.name: stands twice"),
        (file(ENTRY % ", depends_on: cat"), r"criteria\[0\] \(ball\)\.depends_on: 'cat' is no question before"),
        (file(ENTRY % ", weight: -1"), r"criteria\[0\] \(ball\)\.weight: .*greater than 0"),
        (file(ENTRY % ", wieght: 1"), r"criteria\[0\] \(ball\)\.wieght: there is no such key"),
        (file("{name: Ball, axis: motion, question: 'Does it move?'}"), r"name: must be lower case"),
        (file("{name: a, axis: beauty, question: 'Is it beautiful?'}"), r"axis: .*'adherence'"),
        (file("{name: a, axis: physics, question: 'Is {prompt} so?'}"), r"physics question may not hold \{prompt\}"),
        (
            file("{name: a, axis: physics, question: 'Is it so?', negation: 'Not {prompt}?'}"),
            r"physics question may not",
        ),
        ("version: 1\ncriteria: []\n", r"name: is missing"),
        ("- a\n", r"must be a mapping"),
        ("name: a: b\n", r"line 1, column 8: is not YAML"),
    ],
)
def test_a_wrong_rubric_is_named_with_file_key_and_cure(words: str, said: str) -> None:
    with pytest.raises(RubricError, match=said):
        parse(words, "mine.yaml")


def test_a_missing_rubric_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        FromFile(tmp_path / "none.yaml")


async def test_an_edited_file_has_another_id(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(file(ENTRY % ""))
    before = FromFile(path).id
    path.write_text(file(ENTRY % ", weight: 2"))
    assert FromFile(path).id != before


async def test_without_a_first_frame_its_questions_are_left_out_aloud(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    start = "{name: start, axis: first_frame, question: 'Is it the picture?'}"
    path.write_text(
        file(ENTRY % "", start, "{name: goes, axis: motion, question: 'Does it go on?', depends_on: start}")
    )
    written = await FromFile(path).write("A ball", None)
    assert [c.name for c in written.rubric.criteria] == ["ball"]
    assert written.notes == ("Not asked, as there is no first frame: start, goes.",)
    path.write_text(file(start))
    with pytest.raises(JudgeError, match="mine/2"):
        await FromFile(path).write("A ball", None)


def test_children_of_a_left_out_question_are_left_out() -> None:
    kept = without(builtin().criteria, "adherence")
    assert [c.name for c in kept] == ["right_motion", "true_to_picture"]


def test_a_place_that_nothing_fills_is_refused() -> None:
    words = "name: r\nversion: 1\ncriteria:\n  - {name: a, axis: adherence, question: 'Is it {promt}?'}\n"
    with pytest.raises(RubricError, match=r"\(a\)\.question: \{promt\} stands for nothing; \{prompt\}"):
        parse(words, "mine.yaml")
