"""Pages of runs that are out of the ordinary: long, crowded, broken, unfinished."""

from pathlib import Path

import pytest
from PIL import Image

from agent.report import write_report
from agent.run import Run
from agent.types import Ending
from reasoner.types import Caption
from tests import runs
from tests.pages import page


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return runs.good(tmp_path_factory.mktemp("runs") / "good")


@pytest.mark.parametrize("length", [0, 5000])
def test_prompts_of_any_length(tmp_path: Path, length: int) -> None:
    prompt = ("The camera pans. " * 300)[:length]
    run = runs.begin(tmp_path / "run", prompt=prompt).with_caption(Caption.raw(prompt), (1,))
    run = run.with_candidate(runs.candidate(run, 0, 1, {"camera": 0.8})).stopped(Ending(reason="iterations"))
    shown = page(run)
    assert prompt.strip() in shown.said
    assert len(shown.html.partition("<title>")[2].partition("</title>")[0]) < 120


@pytest.mark.parametrize("count", [1, 30])
def test_one_and_thirty_candidates(tmp_path: Path, count: int) -> None:
    shown = page(runs.many(tmp_path / "run", count))
    cards = shown.all("article", "card")
    assert len(cards) == count
    unfolded = [d for d in shown.all("details", "measured") if "open" in d]
    assert len(unfolded) == 1


def test_a_missing_clip_is_said_to_be_missing(tmp_path: Path) -> None:
    run = runs.many(tmp_path / "run", 2)
    run.candidates[0].clip.path.unlink()
    shown = page(run)
    assert "The clip is missing: clips/01-seed-4100.mp4" in shown.said
    assert len(shown.all("video")) == 2


def test_a_clip_that_does_not_decode_is_said_to_be_missing(tmp_path: Path) -> None:
    run = runs.many(tmp_path / "run", 2)
    run.candidates[1].clip.path.write_bytes(b"\0" * 512)
    assert page(run).said.count("The clip is missing: clips/01-seed-4101.mp4") == 2


def test_a_clip_that_went_missing_later_keeps_its_poster(tmp_path: Path) -> None:
    run = runs.many(tmp_path / "run", 1)
    write_report(run)
    run.candidates[0].clip.path.unlink()
    shown = page(run)
    assert not shown.all("video")
    assert [i["alt"] for i in shown.all("img")] == ["Poster of the chosen clip", "Poster of the clip of seed 4100"]


def test_a_poster_is_made_once_and_again_when_the_clip_is_newer(tmp_path: Path) -> None:
    run = runs.many(tmp_path / "run", 1)
    write_report(run)
    (kept,) = (run.folder / "posters").iterdir()
    with Image.open(kept) as made:
        Image.new("RGB", made.size).save(kept, "JPEG")
    black = kept.read_bytes()
    write_report(run)
    assert kept.read_bytes() == black
    clip = run.candidates[0].clip.path
    clip.touch()
    kept_at = kept.stat().st_mtime
    while clip.stat().st_mtime <= kept_at:
        clip.touch()
    write_report(run)
    assert kept.read_bytes() != black


def test_a_first_frame_is_shown_small(tmp_path: Path) -> None:
    run = runs.begin(tmp_path / "run")
    frame = run.folder / "first_frame.png"
    Image.new("RGB", (320, 192), "teal").save(frame)
    spec = run.request.spec.model_copy(update={"first_frame": frame})
    run = run.model_copy(update={"request": run.request.model_copy(update={"spec": spec})})
    assert [i["alt"] for i in page(run).all("img")] == ["First frame"]
    frame.unlink()
    (run.folder / "posters" / "first_frame.jpg").unlink()
    assert "The first frame is missing." in page(run).said


def test_a_running_run_looks_like_one_and_refreshes_itself(tmp_path: Path) -> None:
    shown = page(runs.running(tmp_path / "run"))
    assert "data-running" in shown.all("html")[0]
    assert [m["content"] for m in shown.all("meta") if m.get("http-equiv") == "refresh"] == ["3"]
    assert "● running" in shown.said
    assert "Running. Iteration 2: 1 of 3 candidates done." in shown.said
    assert [a["aria-label"] for a in shown.all("article", "pending")] == [
        "Seed 4101: in progress",
        "Seed 4102: in progress",
    ]
    assert "The rewrite is kept" not in shown.said


def test_a_finished_run_does_not_refresh(good: Run) -> None:
    shown = page(good)
    assert "data-running" not in shown.all("html")[0]
    assert not [m for m in shown.all("meta") if m.get("http-equiv") == "refresh"]


def test_a_run_that_has_just_begun(tmp_path: Path) -> None:
    shown = page(runs.begin(tmp_path / "run"))
    assert "No clip yet. Writing the first caption." in shown.said
    assert not shown.all("video")
    assert not shown.all("nav", "strip")


def test_a_run_interrupted_before_it_began(tmp_path: Path) -> None:
    shown = page(runs.begin(tmp_path / "run").stopped(Ending(reason="cancelled")))
    assert "‖ interrupted" in shown.said
    assert "retake run --resume run" in shown.said
    assert "No iteration was begun." in shown.said


def test_a_run_in_which_all_failed(tmp_path: Path) -> None:
    shown = page(runs.failed(tmp_path / "run"))
    assert "✕ failed" in shown.said
    assert "from the folder above this one: retake run --resume run --retry-failed" in shown.said
    assert (
        "✕ No judged clip rendering seed 4100: the server at http://localhost:8091 refused the connection; start it"
        in shown.said
    )
    assert "and 1 more failure, below" in shown.said
    assert "The clip is there but has no score, so it cannot be chosen." in shown.said
    assert len(shown.all("video")) == 1, "the unjudged clip can be looked at"


def test_no_threshold(good: Run) -> None:
    shown = page(good.model_copy(update={"accept_at": None, "ending": Ending(reason="iterations")}))
    assert "✓ finished" in shown.said
    assert "no threshold was set" in shown.said
    assert "uncalibrated" not in shown.said


def test_a_score_above_the_threshold_with_a_broken_floor_says_so(good: Run) -> None:
    best = good.best
    assert best is not None
    broken = best.model_copy(update={"critique": best.critique.model_copy(update={"floors_hold": False})})
    last = good.iterations[-1].model_copy(update={"candidates": (broken,)})
    shown = page(
        good.model_copy(
            update={"iterations": (last.model_copy(update={"parent": None}),), "ending": Ending(reason="iterations")}
        )
    )
    assert "\N{EN DASH} not accepted" in shown.said
    assert "uncalibrated · ▼ a criterion is below its floor" in shown.said
