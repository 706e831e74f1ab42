"""What people said of candidates, kept in a run's folder."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from agent import marks
from agent.marks import Mark
from agent.types import Entrant

ONE, TWO = Entrant(iteration=0, seed=7), Entrant(iteration=1, seed=7)
AT = datetime(2026, 3, 14, tzinfo=UTC)


def rating(label: float | None, of: Entrant = ONE, rater: str = "") -> Mark:
    return Mark(kind="rating", first=of, clip_sha256="ab", label=label, rater=rater, at=AT)


def pair(label: float | None) -> Mark:
    return Mark(kind="pair", first=ONE, clip_sha256="ab", second=TWO, second_sha256="cd", label=label, at=AT)


def test_a_run_without_marks_has_none(tmp_path: Path) -> None:
    assert marks.standing(tmp_path) == ()
    assert list(marks.lines(tmp_path)) == []


def test_marks_are_kept_in_order_as_they_were_made(tmp_path: Path) -> None:
    made = [rating(4), rating(2, TWO), pair(0.5)]
    for mark in made:
        marks.append(tmp_path, mark)
    assert [line for _, line in marks.lines(tmp_path)] == made
    assert marks.standing(tmp_path) == tuple(made)


def test_the_last_mark_of_a_kind_on_a_candidate_by_a_person_stands(tmp_path: Path) -> None:
    verdict = Mark(kind="verdict", first=ONE, clip_sha256="ab", label=1, at=AT)
    for mark in (rating(4), rating(5, rater="Ann"), verdict, rating(1)):
        marks.append(tmp_path, mark)
    assert marks.standing(tmp_path) == (rating(1), rating(5, rater="Ann"), verdict)


def test_a_mark_that_is_taken_back_stands_no_more_and_can_be_made_anew(tmp_path: Path) -> None:
    for mark in (rating(4), pair(1), rating(None)):
        marks.append(tmp_path, mark)
    assert marks.standing(tmp_path) == (pair(1),)
    marks.append(tmp_path, rating(2))
    assert rating(2) in marks.standing(tmp_path)


def test_a_line_that_was_cut_off_costs_only_itself(tmp_path: Path) -> None:
    marks.append(tmp_path, rating(4))
    whole = (tmp_path / marks.NAME).read_bytes()
    (tmp_path / marks.NAME).write_bytes(whole + whole[:40])
    marks.append(tmp_path, rating(3, TWO))
    assert marks.standing(tmp_path) == (rating(4), rating(3, TWO))
    number, why = next(line for line in marks.lines(tmp_path) if isinstance(line[1], str))
    assert number == 2
    assert "Invalid JSON" in str(why)


@pytest.mark.parametrize("foreign", [b"# my own notes\n", b'{"label": 3}\n', b"\xff\xfe\n", b"null\n"])
def test_foreign_lines_are_kept_and_told(tmp_path: Path, foreign: bytes) -> None:
    (tmp_path / marks.NAME).write_bytes(foreign)
    marks.append(tmp_path, rating(4))
    assert (tmp_path / marks.NAME).read_bytes().startswith(foreign)
    (number, why), (_, mark) = marks.lines(tmp_path)
    assert (number, mark) == (1, rating(4))
    assert isinstance(why, str)
    assert why


def test_a_link_does_not_lead_out_of_the_run(tmp_path: Path) -> None:
    other = tmp_path / "precious"
    other.write_text("")
    (tmp_path / marks.NAME).symlink_to(other)
    with pytest.raises(OSError, match="symbolic link"):
        marks.append(tmp_path, rating(4))
    assert other.read_text() == ""


def test_what_is_no_plain_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / marks.NAME)
    with pytest.raises(OSError, match="no plain file"):
        marks.standing(tmp_path)
    with pytest.raises(OSError):  # noqa: PT011 - each system has words of its own
        marks.append(tmp_path, rating(4))


@pytest.mark.parametrize(
    "wrong",
    [
        {"label": 6},
        {"label": 0.5},
        {"kind": "verdict", "label": 2},
        {"kind": "pair", "label": 1},
        {"second": TWO, "second_sha256": "cd"},
        {"kind": "pair", "second": TWO, "second_sha256": "cd", "label": 0.7},
        {"rater": "x" * 81},
    ],
)
def test_a_mark_that_means_nothing_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Mark.model_validate({"kind": "rating", "first": ONE, "clip_sha256": "ab", "label": 1, "at": AT} | wrong)
