from pathlib import Path

import pytest

from agent.ledger import ledger
from agent.report import charts
from agent.report.strip import BOTTOM, TOP, Level, strip
from agent.report.wording import count, field, figure, gain, score, seconds, span
from agent.types import Candidate
from critic.types import Defect
from tests import runs


def test_the_strip_has_a_column_an_iteration_and_a_mark_an_attempt(tmp_path: Path) -> None:
    run = runs.good(tmp_path / "run")
    drawn = strip(run)
    assert [len(c.marks) for c in drawn.columns] == [3, 3, 3]
    assert [m.kind for c in drawn.columns for m in c.marks] == [
        *["broken"] * 3,
        *["held", "held", "failed"],
        *["held", "chosen", "held"],
    ]
    assert [round(c.right, 3) for c in drawn.columns] == [33.333, 66.667, 100.0]
    for column in drawn.columns:
        assert all(column.left < mark.x < column.right for mark in column.marks)


def test_the_best_score_so_far_never_falls(tmp_path: Path) -> None:
    run = runs.good(tmp_path / "run")
    backwards = run.model_copy(update={"iterations": run.iterations[::-1]})
    levels = [c.levels["target"] for c in strip(backwards).columns]
    assert levels[0] == levels[1] == levels[2]
    assert levels[0].rise is None
    rising = [c.levels["target"] for c in strip(run).columns]
    assert [level.rise is None for level in rising] == [True, False, False]


def test_drafts_have_marks_and_a_line_of_their_own(tmp_path: Path) -> None:
    columns = strip(runs.promoted(tmp_path / "run")).columns
    assert [{m.tier for m in c.marks} for c in columns] == [{"draft"}, {"draft"}, {"target"}, {"target"}]
    assert [sorted(c.levels) for c in columns] == [["draft"], ["draft"], ["draft", "target"], ["draft", "target"]]
    assert columns[2].levels["draft"] == Level(columns[1].levels["draft"].y, None), "a final is no step of theirs"
    assert columns[2].levels["target"].rise is None
    assert columns[0].marks[0].words == "draft of seed 4100: 0.72"


def test_marks_stay_on_the_scale(tmp_path: Path) -> None:
    run = runs.good(tmp_path / "run")
    marks = [m for c in strip(run).columns for m in c.marks if m.kind != "failed"]
    assert all(TOP <= m.y <= BOTTOM for m in marks)
    assert strip(run).low == 0.5


def test_a_strip_of_an_empty_run_has_no_columns(tmp_path: Path) -> None:
    assert strip(runs.begin(tmp_path / "run")).columns == ()


def test_traces_share_one_scale_over_the_run(tmp_path: Path) -> None:
    run = runs.many(tmp_path / "run", 3)
    scales = charts.scales(run)
    values = [v for c in run.candidates for t in c.critique.traces if t.name == "motion" for v in t.values]
    assert scales["motion"] == (min(values), max(values))
    lanes = charts.lanes(run.candidates[0], scales)
    assert [lane.name for lane in lanes] == ["motion", "flicker", "sharpness"]
    for lane in lanes:
        points = [tuple(map(float, p.split(","))) for p in lane.points.split()]
        assert points[0][0] == 0
        assert points[-1][0] == 100
        assert all(lane.top <= y <= lane.top + charts.LANE for _, y in points)


def _with_defects(run_folder: Path, *times: tuple[float, float]) -> Candidate:
    made = runs.many(run_folder, 1).candidates[0]
    defects = tuple(Defect(criterion="cuts", start=a, end=b, words="a cut") for a, b in times)
    return made.model_copy(update={"critique": made.critique.model_copy(update={"defects": defects})})


def test_defects_at_the_same_time_lie_in_rows(tmp_path: Path) -> None:
    found = charts.stretches(_with_defects(tmp_path / "run", (0.0, 1.0), (0.5, 1.5), (1.2, 1.3), (0.0, 0.1)))
    assert [s.row for s in found] == [0, 1, 0, 2]


def test_a_defect_past_the_end_stays_on_the_axis(tmp_path: Path) -> None:
    (found,) = charts.stretches(_with_defects(tmp_path / "run", (50.0, 60.0)))
    assert 0 <= found.left < found.left + found.width <= 100


def test_pairs_are_the_seeds_judged_under_both_captions(tmp_path: Path) -> None:
    run = runs.good(tmp_path / "run")
    pairs = charts.pairs(run.iterations[2], run.iterations[1])
    assert [p.seed for p in pairs] == [4100, 4101]
    total = run.iterations[2].gain_over(run.iterations[1])
    assert total is not None
    assert {p.seed: pytest.approx(p.gain) for p in pairs} == total.by_seed


def test_spread_needs_two(tmp_path: Path) -> None:
    assert charts.spread(runs.many(tmp_path / "one", 1).iterations[0]) is None
    many = runs.many(tmp_path / "three", 3).iterations[0]
    scores = [c.score for c in many.candidates]
    assert charts.spread(many) == max(scores) - min(scores)


def test_shares_are_parts_of_the_whole(tmp_path: Path) -> None:
    shares = charts.shares(ledger(runs.good(tmp_path / "run")))
    assert [s.step for s in shares] == ["caption", "render", "judge"]
    assert sum(s.width for s in shares) == pytest.approx(100)
    assert shares[2].left + shares[2].width == pytest.approx(100)
    assert charts.shares(ledger(runs.begin(tmp_path / "none"))) == ()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (score(0.876), "0.88"),
        (gain(0.046), "+0.05"),
        (gain(-0.046), "\N{MINUS SIGN}0.05"),
        (gain(-0.001), "0.00"),
        (seconds(1234.56), "1,234.6 s"),
        (count(1, "render"), "1 render"),
        (count(1024, "render"), "1,024 renders"),
        (figure(0.0123), "0.0123"),
        (figure(3.14159), "3.14"),
        (figure(-89.53), "\N{MINUS SIGN}89.5"),
        (figure(123456.7), "123,457"),
        (figure(3), "3"),
        (span(61, 63.9), "1:01\N{EN DASH}1:03"),
        (span(2.1, 2.9), "0:02"),
        (field("cinematography.camera_motion"), "Cinematography: camera motion"),
        (field("segments.0.camera"), "Segment 1: camera"),
        (field("text_and_signage_elements.1.text"), "Text and signage element 2: text"),
        (field("transitions.0"), "Transition 1"),
    ],
)
def test_figures_and_names_are_written_alike_everywhere(written: str, expected: str) -> None:
    assert written == expected
