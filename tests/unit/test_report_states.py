"""Pages of runs that are out of the ordinary: long, crowded, broken, unfinished."""

from pathlib import Path

import pytest
from PIL import Image

from agent.report import write_report
from agent.report.groups import FINE, groups
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


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return runs.asked(tmp_path_factory.mktemp("runs") / "asked")


def test_a_fallback_is_said_at_the_top_and_in_its_iteration(asked: Run) -> None:
    shown = page(asked)
    assert len(shown.all("div", "alarm")) == 2
    assert "Iteration 1 was rendered from the prompt as written: no caption could be had." in shown.said
    assert "Iteration 1 prompt not expanded" in shown.said
    assert shown.said.count("answered twice with what is no caption") == 2, "and not a third time as a diagnosis"
    wanted = asked.iterations[0].model_copy(update={"caption": Caption.raw(runs.PROMPT)})
    assert not page(asked.model_copy(update={"iterations": (wanted,)})).all("div", "alarm")


def test_an_asked_score_says_so_and_a_measured_one_does_not(asked: Run) -> None:
    said = page(asked).said
    assert "camera pushes in slowly P(yes) 0.71" in said
    assert "waves break on rocks P(yes)" in said
    assert "camera pans right after push not asked" in said
    assert "Not asked: inherited from the answer that it hangs on." in said
    assert "waves roll in written reply" in said
    assert "From a written reply: no probabilities." in said
    assert "Does the camera move towards the lighthouse, slowly? Yes with probability 0.21." in said
    assert "flicker P(yes)" not in said


def test_the_lowest_axis_comes_first_and_what_is_fine_in_every_clip_is_folded(asked: Run) -> None:
    first = asked.iterations[0]
    orders = [[s.criterion for g in groups(c, first) for s in g.shown] for c in first.candidates]
    assert orders[0] == orders[1] == orders[2], "so that clips can be compared line by line"
    assert [g.axis for g in groups(first.candidates[0], first)][:2] == ["adherence", "consistency"]
    assert orders[0][:2] == ["camera_pushes_in_slowly", "camera"]
    for candidate in first.candidates:
        found = groups(candidate, first)
        assert sum(len(g.shown) + len(g.fine) for g in found) == 24
        assert all(s.value >= FINE for g in found for s in g.fine)


def test_a_broken_floor_and_a_lowest_score_are_never_folded(asked: Run) -> None:
    first = asked.iterations[0]
    scores = tuple(
        s.model_copy(update={"value": 0.95, "floor": 0.96 if s.criterion == "blur" else 0.0})
        for s in first.candidates[0].critique.scores
    )
    critique = first.candidates[0].critique.model_copy(update={"scores": scores})
    one = first.candidates[0].model_copy(update={"critique": critique})
    shown = {s.criterion for g in groups(one, first.model_copy(update={"candidates": (one,)})) for s in g.shown}
    assert shown == {"blur", critique.lowest.criterion}


def test_how_a_clip_was_shown_stands_with_its_candidate(asked: Run) -> None:
    assert page(asked).said.count("Shown to the model as 8 frames") == 6


def test_the_ledger_tells_tokens_and_hits(asked: Run) -> None:
    said = page(asked).said
    assert "Renders 6 7,407.0 s Critiques 6 73.5 s All 7,510.2 s" in said
    assert "Captions 4 6,240 0 8,192 Critiques 114 289,260 239,400 7,224 All 118 295,500 239,400 15,416" in said
    assert "Prefix cache: 83 % of 289,260 tokens looked up were there" in said
    assert "Tokens 310,916" in said


def test_a_ledger_without_a_model_tells_no_tokens(good: Run) -> None:
    said = page(good).said
    assert "Prefix cache" not in said
    assert "Tokens" not in said


def test_a_negative_prompt_of_its_own_is_shown_as_what_it_changes(asked: Run) -> None:
    shown = page(asked)
    assert shown.said.count("blurry, low quality, flickering, jump cuts a melting tower, wobbling walls") == 2
    first = asked.model_copy(update={"iterations": asked.iterations[:1]})
    assert not page(first).all("div", "negative")
