"""benchmarks.canaries: the page says what was measured, and what luck does."""

import json
from fractions import Fraction

import pytest

from benchmarks.canaries import REQUESTS, main
from benchmarks.canaries_page import Row, figures, guessed, interval, page
from critic.canaries.types import Canary, CanaryKind, SelfTest

KINDS: tuple[CanaryKind, ...] = ("frozen", "reversed", "shuffled", "prompt_swapped")


def row(prompt: str, *scores: float, plain: float = 0.9) -> Row:
    control = 0.91
    canaries = [Canary.of(kind, score, control) for kind, score in zip(KINDS, scores, strict=True)]
    return Row(
        prompt=prompt,
        image=False,
        plain=plain,
        test=SelfTest.of(canaries, critic="signals/1", control=control, seconds=1),
        wall_ratio=4,
        processor_ratio=5,
    )


ROWS = [row("A bay. The camera pans left.", 0, 0, 0, 0.1), row("A bay.", 0, 0.91, 0.95, 0.1, plain=0.88)]


def test_the_page_tells_each_kind_and_what_nobody_sees() -> None:
    text = page(ROWS, "python -m benchmarks.canaries", 60)
    assert "On 2 first clips, 0 of them with a first frame, the critic reaches a mean AUC of 0.812" in text
    assert "| a clip played backwards | 2 | 1 | 1 | 0 | 0.75 | 0.910 | 0.455 |" in text
    assert "| ... backwards, where a camera move with a direction is not asked for | 1 | 0 | 1 | 0 | 0.50 |" in text
    assert "| 2 | A bay. | 0.910 | 0.000 | 0.910 = | 0.950 + | 0.100 | - | 0.625 |" in text
    assert "1 of 2 tests reach 0.8" in text
    assert "| text, a camera move with a direction | 1 | 1.000 | 1 | 1 |" in text
    assert "| text, none | 1 | 0.625 | 0 | 0 |" in text
    assert "by 0.030 in the worst" in text
    assert "| 0.80 | 1 of 2 | 6% | 19% |" in text


def test_figures_for_machines() -> None:
    found = figures(ROWS)
    assert found["auc"] == pytest.approx(0.8125)
    assert found["passed"] == 1


def test_luck_is_counted_exactly() -> None:
    assert Fraction(guessed(0.8, 4)) == Fraction(1, 16)
    assert Fraction(guessed(0.8, 5)) == Fraction(6, 32)
    assert guessed(0.5, 4) == 11 / 16


def test_the_interval_holds_the_mean() -> None:
    low, high = interval([0.5, 1.0] * 20)
    assert 0.6 < low < 0.75 < high < 0.9


def test_requests_are_many_and_differ() -> None:
    assert len({request.prompt for request in REQUESTS}) == len(REQUESTS) >= 30
    assert sum(request.place is not None for request in REQUESTS) >= 8


@pytest.mark.thorough
def test_it_measures_one_clip(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--clips", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["clips"] == 1
    assert found["auc"] == 0.875
