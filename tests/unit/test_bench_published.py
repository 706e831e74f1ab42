"""Figures that others published, recomputed from the scores that they released, to the digits that they printed.

Where the numbers come from, and by which conventions the figures were made: `fixtures/published/README.md`.
"""

from pathlib import Path

import pytest

from agent.bench.figures.compute import figures
from agent.bench.figures.types import AxisFigures, Figure
from agent.bench.table import from_csv
from agent.bench.types import RowAxis

PUBLISHED = Path(__file__).parents[1] / "fixtures" / "published"


def computed(name: str, axis: RowAxis) -> AxisFigures:
    """The figures of an axis of a published table of scores, all of whose rows can be used."""
    rows, bad = from_csv(PUBLISHED / name)
    found = figures(rows, dataset=name, bootstrap=10).of(axis)
    assert not bad
    assert found is not None
    return found


def printed(figure: Figure, digits: int = 4) -> str:
    """A share or a correlation as those tables print it: times 100, so many digits."""
    assert figure.value is not None
    return f"{100 * figure.value:.{digits}f}"


def test_the_accuracy_of_genai_benchs_leaderboard() -> None:
    found = computed("llava-votes.csv", "overall")
    assert found.n == 1069
    assert printed(found.exact_accuracy) == "30.4022"


@pytest.mark.parametrize(
    ("name", "axis", "clips", "published"),
    [
        ("videoscore.csv", "quality", 41, "78.7802"),
        ("videoscore.csv", "consistency", 41, "65.5364"),
        ("videoscore.csv", "motion", 41, "39.6780"),
        ("videoscore.csv", "adherence", 41, "37.0003"),
        ("videoscore.csv", "physics", 41, "66.3278"),
        ("gpt4o.csv", "quality", 10, "-22.2131"),
        ("gpt4o.csv", "consistency", 10, "22.4507"),
        ("gpt4o.csv", "motion", 10, "3.7268"),
        ("gpt4o.csv", "adherence", 10, "-8.6185"),
        ("gpt4o.csv", "physics", 10, "49.3915"),
    ],
)
def test_the_rank_correlations_that_videoscore_released(name: str, axis: RowAxis, clips: int, published: str) -> None:
    found = computed(name, axis)
    assert found.n == clips
    assert printed(found.spearman) == published
