"""What a run says of a threshold that people stand behind, of what lies below it, and of what people marked."""

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest

from agent.calibration import UNNAMED, Calibration
from agent.cli import summary
from agent.files import file_hash
from agent.journal import load
from agent.lines import trust_line
from agent.marked import marked
from agent.marks import Mark, append
from agent.report.zones import zones
from agent.run import Run
from agent.stopping import ended, sentence, verdicts
from agent.terminal import verdict
from agent.types import Canaries, Candidate, Entrant
from critic.canaries.types import Canary, SelfTest
from reasoner.types import Caption
from tests import runs
from tests.pages import page
from tests.parts import make_clip, make_critique, make_run
from tests.thresholds import threshold

WORTH = "people take at least 80% (95% confidence: 46 of 48 labelled clips)"
REFUSED = "people refuse at least 85% (95% confidence: 44 of 45 labelled clips)"
OTHER = "the threshold file is for another critic (model: a there, b here)"


def scored(folder: Path, *scores: float, below: float | None = 0.4, floor: float = 0.0, **changes: Any) -> Run:
    """A finished run of one iteration with a threshold of 0.82."""
    run = make_run(folder, accept_at=0.82, max_iterations=1)
    calibration = Calibration(threshold=threshold(0.82, below), sha256="0" * 64)
    run = run.model_copy(update={"calibration": calibration, **changes})
    run = run.with_caption(Caption.raw("a boat"), tuple(range(len(scores))))
    for seed, score in enumerate(scores):
        clip = make_clip(run.clip_path(0, seed), seed)
        clip.path.write_text(f"clip {seed}")
        run = run.with_candidate(Candidate(clip=clip, critique=make_critique(score, floor=floor)))
    return run.stopped(ended(run, "accepted" if run.settled else "iterations"))


def mark(run: Run, label: float | None, kind: Literal["rating", "verdict"] = "rating", **more: Any) -> None:
    """A person's word on the chosen clip."""
    place = next(place for place, candidate in run.entrants.items() if candidate is run.best)
    facts = {"kind": kind, "first": place, "label": label, "at": datetime.now(UTC)}
    append(run.folder, Mark.model_validate({**facts, "clip_sha256": file_hash(run.entrants[place].clip.path), **more}))


def people(run: Run) -> list[str]:
    """What the terminal says of people."""
    return [line.removeprefix("people   ") for line in verdict(run) if line.startswith("people ")]


def test_an_accepted_clip_is_worth_what_the_labels_say(tmp_path: Path) -> None:
    run = scored(tmp_path, 0.9, 0.3)
    assert sentence(run).endswith(f"of 0.82, and every floor held. Of clips at or above it {WORTH}.")
    assert f"score    0.90  (accepted; threshold 0.82, at or above which {WORTH}; seed 0)" in verdict(run)
    assert people(run) == []
    told = summary(run)
    assert [told[k] for k in ("calibrated", "threshold", "precision_at_least", "needs_human")] == [
        *(True, 0.82, 0.8, False)
    ]
    assert "uncalibrated" not in "\n".join(verdict(run))


@pytest.mark.parametrize(
    ("score", "below", "floor", "decision", "words"),
    [
        (0.7, 0.4, 0.0, "undecided", ["between 0.40 and 0.82 this critic cannot tell; look at it and mark it: retake"]),
        (0.4, 0.4, 0.0, "undecided", ["between 0.40 and 0.82 this critic cannot tell; look at it and mark it: retake"]),
        (0.1, None, 0.0, "undecided", ["below 0.82 this critic cannot tell; look at it and mark it: retake mark"]),
        (0.39, 0.4, 0.0, "rejected", [f"of clips scored below 0.40 {REFUSED}"]),
        (0.82, 0.4, 0.0, "accepted", []),
    ],
)
def test_what_the_critic_cannot_tell_is_asked_of_people(
    tmp_path: Path, score: float, below: float | None, floor: float, decision: str, words: list[str]
) -> None:
    run = scored(tmp_path, score, below=below, floor=floor)
    assert run.best is not None
    assert run.decision(run.best) == decision
    assert [line[: len(words[n])] for n, line in enumerate(people(run))] == words
    assert summary(run)["needs_human"] == (decision == "undecided")
    assert any(f"({decision}; threshold 0.82" in line for line in verdict(run))


def test_a_clip_below_a_floor_is_neither_accepted_nor_known_to_be_refused(tmp_path: Path) -> None:
    run = scored(tmp_path, 0.95, floor=0.99)
    score = run.score or 0.0
    assert (score > 0.82, run.accepted) == (True, False)
    why = "it reaches 0.82, but a criterion is below its floor, and the critic abstains; look at it and mark it"
    assert people(run) == [f"{why}: retake mark {tmp_path}"]


def test_a_threshold_is_about_clips_as_asked(tmp_path: Path) -> None:
    run = runs.promoted(tmp_path / "run")
    run = run.model_copy(
        update={"calibration": Calibration(threshold=threshold(0.9, 0.4), sha256=""), "accept_at": 0.9}
    )
    assert run.calibrated
    assert {run.decision(c) for c in run.candidates if run.is_draft(c)} == {None}
    assert None not in {run.decision(c) for c in run.candidates if not run.is_draft(c)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"calibration": None}, "uncalibrated"),
        ({"calibration": Calibration(threshold=threshold(0.82), sha256="", differs=(UNNAMED,))}, None),
        (
            {"calibration": Calibration(threshold=threshold(0.82), sha256="", differs=("model: a there, b here",))},
            f"uncalibrated: {OTHER}",
        ),
        ({"accept_at": 0.8}, "uncalibrated: it is not the one of the threshold file"),
    ],
)
def test_without_that_it_is_uncalibrated_everywhere(tmp_path: Path, change: dict[str, Any], words: str | None) -> None:
    run = scored(tmp_path, 0.9).model_copy(update=change)
    if words is None:
        unnamed = Calibration(threshold=threshold(0.82, instrument=None), sha256="", differs=(UNNAMED,))
        run, words = run.model_copy(update={"calibration": unnamed}), f"uncalibrated: {UNNAMED}"
    run = run.stopped(ended(run, "accepted"))
    assert "(uncalibrated), and every floor held." in sentence(run)
    assert any(f"{words}; seed 0)" in line for line in verdict(run))
    told = summary(run)
    assert [told[k] for k in ("calibrated", "precision_at_least", "needs_human")] == [False, None, False]
    assert {run.decision(c) for c in run.candidates} == {None}
    assert zones(run) == ()
    if run.calibration is not None and run.calibration.differs:
        assert f"The threshold is {words}." in run.notes


def test_a_critic_that_failed_its_test_is_not_trusted_whatever_the_file_says(tmp_path: Path) -> None:
    failed = SelfTest.of([Canary.of("frozen", 0.9, 0.9)], critic="c", control=0.9, seconds=1)
    run = scored(tmp_path, 0.9, canaries=Canaries(), self_test=failed)
    assert (run.calibrated, run.trusted) == (False, False)
    said = "\n".join(verdict(run))
    assert f"uncalibrated here: the critic failed its self-test, whatever its threshold file says ({WORTH})" in said
    assert "The critic may not end the run: it did not pass its self-test." in said
    assert trust_line(run).startswith("The critic c failed its self-test")
    assert next(v for v in verdicts(run) if v.rule == "accepted").words.startswith("The best clip scores 0.90")
    passed = SelfTest.of([Canary.of("frozen", 0.1, 0.9)], critic="c", control=0.9, seconds=1)
    assert run.model_copy(update={"self_test": passed}).calibrated


def test_a_persons_mark_is_said_and_ends_the_asking(tmp_path: Path) -> None:
    run = scored(tmp_path, 0.7, 0.6)
    assert marked(run).needs_human
    mark(run, 4, rater="Ann")
    assert people(run) == ["marked 4 of 5 by Ann"]
    assert not summary(run)["needs_human"]
    mark(run, None, rater="Ann")  # taken back
    assert marked(run).needs_human
    mark(run, 0, "verdict")
    assert people(run) == ["marked fail"]
    (tmp_path / "clips" / "01-seed-0.mp4").write_text("another clip")
    assert marked(run).needs_human
    (tmp_path / "clips" / "01-seed-0.mp4").unlink()
    assert marked(run).of(0, 0) == []


def test_a_pair_is_said_of_both_and_decides_nothing(tmp_path: Path) -> None:
    run = scored(tmp_path, 0.7, 0.6)
    other = {"second": Entrant(iteration=0, seed=1), "second_sha256": file_hash(run.clip_path(0, 1))}
    mark(run, 1, "pair", rater="Ann", **other)  # type: ignore[arg-type]
    told = marked(run)
    assert told.of(0, 0) == ["marked better than seed 1 of iteration 1 by Ann"]
    assert told.of(0, 1) == ["marked worse than seed 0 of iteration 1 by Ann"]
    assert told.needs_human
    run.clip_path(0, 1).write_text("another")
    assert marked(run).of(0, 0) == []


def test_marks_that_cannot_be_read_cost_nothing_but_these(tmp_path: Path) -> None:
    run = scored(tmp_path, 0.7)
    (tmp_path / "marks.jsonl").mkdir()
    assert marked(run).needs_human


def test_a_running_run_asks_nobody(tmp_path: Path) -> None:
    assert not marked(scored(tmp_path, 0.7).model_copy(update={"ending": None})).needs_human


def test_a_run_is_read_back_with_what_stood_behind_it_and_without_it(tmp_path: Path) -> None:
    run = scored(tmp_path, 0.9)
    (tmp_path / "run.json").write_text(run.model_dump_json(context={"folder": tmp_path}))
    assert load(tmp_path).calibration == run.calibration
    old = run.model_dump(mode="json", context={"folder": tmp_path}, exclude={"calibration"})
    assert not Run.model_validate(old, context={"folder": tmp_path}).calibrated


@pytest.fixture
def example(tmp_path: Path) -> Run:
    """Its clips are no clips: the page says that they are missing, and is quick."""
    return scored(tmp_path / "good", 0.7, 0.6, 0.3)


def test_the_report_shows_the_zones_and_asks(example: Run) -> None:
    shown = page(example)
    assert "threshold 0.82 · calibrated on 120 labelled clips" in shown.said
    assert f"0.82 and above: accepted {WORTH} 0.40 to 0.82: undecided ◂ this clip the critic cannot tell" in shown.said
    assert f"below 0.40: rejected {REFUSED}" in shown.said
    assert (
        "? A person is asked. Between 0.40 and 0.82 this critic cannot tell; look at it and mark it, from the folder "
        "above this one: retake mark good" in shown.said
    )
    assert "uncalibrated" not in shown.said
    meter = shown.all("svg", "meter")[0]["aria-label"]
    assert meter == f"Score 0.70 of 1, threshold 0.82, at or above which {WORTH}"
    marks = [line["class"].split()[1] for line in shown.all("line", "zone")]
    assert marks == ["rejected", "undecided", "accepted", "accepted", "undecided", "rejected"]
    low, band, high = shown.all("line", "zone")[:3]
    assert (low["x1"], low["x2"], band["x2"], high["x2"]) == ("0.00%", "40.00%", "82.00%", "100.00%")
    decisions = [example.decision(c) for c in example.candidates]
    assert shown.said.count("✕ rejected") == decisions.count("rejected") == 1
    assert shown.said.count("? undecided") == 1 + decisions.count("undecided") == 3
    assert shown.said.count("✓ accepted") == 0
    assert "120 clips of 40 prompts; taken is label >= 4 of 1-5; clips.csv" in shown.said
    assert "SHA-256 000000000000" in shown.said


def test_the_report_shows_marks_beside_each_candidate_as_text(example: Run) -> None:
    mark(example, 4, rater="<script>Ann")
    shown = page(example)
    assert "✎ Marked 4 of 5 by <script>Ann." in shown.said
    assert shown.said.count("✎ marked 4 of 5 by <script>Ann") == 1
    assert "✎ marked" in shown.said.partition("Skip")[2][:60]
    assert "A person is asked" not in shown.said
    assert len(shown.all("script")) == 1


def test_the_report_says_uncalibrated_and_what_differs(example: Run) -> None:
    assert example.calibration is not None
    other = example.calibration.model_copy(update={"differs": ("model: a there, b here",)})
    shown = page(example.model_copy(update={"calibration": other}))
    assert f"threshold 0.82 · uncalibrated: {OTHER}" in shown.said
    assert f"Uncalibrated: {OTHER}. What it says of its own critic" in shown.said
    assert "Accept at 0.82, uncalibrated" in shown.said
    assert not shown.all("line", "zone")
    assert "undecided" not in shown.said.partition("About this run")[0]


def test_the_zones_of_a_threshold_that_rejects_nothing_or_abstains_never(example: Run) -> None:
    assert example.calibration is not None

    def of(at: float, below: float | None) -> list[tuple[str, float, float]]:
        made = Calibration(threshold=threshold(at, below), sha256="")
        found = zones(example.model_copy(update={"accept_at": at, "calibration": made}))
        assert math.isclose(sum(z.high - z.low for z in found), 1)
        return [(z.decision, z.low, z.high) for z in found]

    assert of(0.8, None) == [("undecided", 0.0, 0.8), ("accepted", 0.8, 1.0)]
    assert of(0.8, 0.8) == [("rejected", 0.0, 0.8), ("accepted", 0.8, 1.0)]
    assert of(0.8, 0.0) == [("undecided", 0.0, 0.8), ("accepted", 0.8, 1.0)]
