import pytest
from pydantic import ValidationError

from critic.types import Critique, Score


def score(name: str, value: float, *, weight: float = 1.0, floor: float = 0.0) -> Score:
    return Score(criterion=name, axis="quality", value=value, weight=weight, floor=floor, explanation="x")


def critique(*scores: Score) -> Critique:
    return Critique.of(scores, feedback="f", rubric="r/1", judge="j/1", seconds=0)


def test_overall_is_the_weighted_mean_while_floors_hold() -> None:
    result = critique(score("a", 1, weight=3), score("b", 0.6, weight=1, floor=0.6))
    assert result.overall == pytest.approx(0.9)
    assert result.floors_hold


def test_a_broken_floor_scales_the_mean_down_without_a_cliff() -> None:
    just = critique(score("a", 1), score("b", 0.499, floor=0.5))
    half = critique(score("a", 1), score("b", 0.25, floor=0.5))
    none = critique(score("a", 1), score("b", 0, floor=0.5))
    assert just.overall == pytest.approx(0.7495 * 0.998)
    assert half.overall == pytest.approx(0.625 * 0.5)
    assert none.overall == 0
    assert [c.floors_hold for c in (just, half, none)] == [False, False, False]


def test_only_the_worst_broken_floor_counts() -> None:
    both = critique(score("a", 0.4, floor=0.5), score("b", 0.1, floor=0.5), score("c", 1))
    assert both.overall == pytest.approx(0.5 * 0.2)


def test_the_lowest_score_is_the_heavier_among_equals() -> None:
    assert critique(score("a", 0.5), score("b", 0.5, weight=2), score("c", 0.9)).lowest.criterion == "b"


def test_a_critique_survives_being_written_and_read() -> None:
    result = critique(score("a", 0.123456789), score("b", 1 / 3))
    assert Critique.model_validate_json(result.model_dump_json()) == result


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan")])
def test_values_outside_the_range_are_refused(value: float) -> None:
    with pytest.raises(ValidationError):
        score("a", value)


def test_a_critique_has_at_least_one_score() -> None:
    with pytest.raises((ValidationError, ZeroDivisionError)):
        critique()
