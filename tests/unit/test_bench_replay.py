"""Stored runs under other rules: where they would have stopped, by hand, and what they cannot tell."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agent import journal, marks
from agent.bench.replay_figures import Point, replay, thresholds
from agent.bench.replaying import Rule, Stop, Stored, opinions, replayed, unfit
from agent.cli import main
from agent.files import file_hash
from agent.run import Run
from agent.stopping import ended
from agent.types import Candidate, Entrant, Failure, GivenUp
from generator.types import Rendering
from reasoner.types import Caption
from tests.parts import make_clip, make_critique, make_run

NOW = datetime(2026, 1, 2, tzinfo=UTC)
Scores = Sequence[Sequence[float | None]]


def finished(folder: Path, scores: Scores, *, prompt: str = "", **budget: Any) -> Run:
    """A run with these scores, an iteration each, on the seeds 10, 11, …; None: a failed render. A render takes 2 s."""
    wanted = {"max_iterations": len(scores), "samples_per_iteration": max(map(len, scores)), "early_stop": False}
    run = make_run(folder, **(wanted | budget))
    if prompt:
        run = run.model_copy(update={"request": run.request.model_copy(update={"prompt": prompt})})
    for index, row in enumerate(scores):
        run = run.with_caption(Caption.raw(f"caption {index}"), tuple(10 + n for n in range(len(row))))
        for seed, score in enumerate(row, start=10):
            if score is None:
                made = Rendering(render_seconds=2.0)
                run = run.with_failure(Failure(step="render", seed=seed, message="lost", rendering=made))
                continue
            clip = make_clip(run.clip_path(index, seed), seed, rendering=Rendering(render_seconds=2.0))
            run = run.with_candidate(Candidate(clip=clip, critique=make_critique(score)))
    return run.stopped(ended(run, "iterations"))


def stop(run: Run, accept_at: float | None, **rule: Any) -> Stop | None:
    return replayed(Stored(run, {}), Rule(accept_at, **rule))


SCORES: Scores = [(0.5, 0.8), (0.6, None), (0.7, 0.9)]


@pytest.mark.parametrize(
    ("accept_at", "rule", "expected"),
    [
        (0.5, {}, (0.5, True, 1)),  # the first clip is accepted: its sibling is not rendered
        (0.75, {}, (0.8, True, 2)),
        (0.85, {}, (0.9, True, 6)),
        (0.95, {}, (0.9, False, 6)),
        (None, {}, (0.9, False, 6)),
        (0.85, {"max_iterations": 2}, (0.8, False, 4)),
        (0.85, {"samples": 1}, (0.7, False, 3)),
        (0.65, {"samples": 1}, (0.7, True, 3)),
        (0.5, {"samples": 1, "max_iterations": 1}, (0.5, True, 1)),
    ],
)
def test_where_it_would_have_stopped(
    tmp_path: Path, accept_at: float | None, rule: dict[str, int], expected: tuple[float, bool, int]
) -> None:
    score, accepted, renders = expected
    assert stop(finished(tmp_path, SCORES), accept_at, **rule) == Stop(score, accepted, None, renders, 2.0 * renders)


def test_the_other_stop_rules_act_too(tmp_path: Path) -> None:
    """With patience 1 a second caption that gains nothing is the last one."""
    run = finished(tmp_path, [(0.5, 0.6), (0.4, 0.5), (0.9, 0.9)], patience=1)
    assert stop(run, 0.85) == Stop(0.6, accepted=False, passed=None, renders=4, render_seconds=8.0)


def test_a_clip_below_a_floor_is_not_accepted(tmp_path: Path) -> None:
    run = finished(tmp_path, [(0.9,), (0.6,)])
    broken = make_critique(0.9, floor=0.95)
    first = run.iterations[0].candidates[0].model_copy(update={"critique": broken})
    run = run.model_copy(
        update={"iterations": (run.iterations[0].model_copy(update={"candidates": (first,)}), run.iterations[1])}
    )
    assert broken.floors_hold is False
    found = stop(run, 0.55)
    assert found is not None
    assert (found.score, found.accepted, found.renders) == (0.6, True, 2)


def test_what_a_run_did_not_render_it_cannot_tell(tmp_path: Path) -> None:
    whole = finished(tmp_path, [(0.5, 0.8), (0.7, 0.9)])
    early = whole.model_copy(update={"iterations": whole.iterations[:1], "accept_at": 0.75})
    assert stop(early, 0.7) is not None
    assert stop(early, 0.85) is None
    assert stop(early, None) is None
    assert stop(early, 0.85, max_iterations=1) is not None
    first = whole.iterations[0]
    given_up = first.model_copy(
        update={"candidates": first.candidates[:1], "given_up": (GivenUp(seed=11, stage="queued"),)}
    )
    racing = whole.model_copy(update={"iterations": (given_up, whole.iterations[1])})
    assert stop(racing, 0.5) == Stop(0.5, accepted=True, passed=None, renders=1, render_seconds=2.0)
    assert stop(racing, 0.6) is None
    assert stop(whole, 0.6, samples=3) is None


def test_without_racing_an_accepted_clip_has_its_siblings(tmp_path: Path) -> None:
    """The best of an iteration is then chosen, and all of it is rendered."""
    run = finished(tmp_path, [(0.5, 0.8), (0.7, 0.9)])
    found = replayed(Stored(run, {}, racing=False), Rule(0.5))
    assert found == Stop(0.8, accepted=True, passed=None, renders=2, render_seconds=4.0)
    assert Stored.of(run).racing
    (tmp_path / journal.CONFIG).write_text("search: {racing: false}\n")
    assert not Stored.of(run).racing


def test_unfit_runs_are_named(tmp_path: Path) -> None:
    run = finished(tmp_path, SCORES)
    assert unfit(run) == ""
    assert unfit(run.model_copy(update={"ending": None})) == "not finished"
    assert unfit(finished(tmp_path, [(None, None)])) == "no clip was judged"


def mark(kind: str, seed: int, label: float, rater: str = "", sha256: str = "x") -> marks.Mark:
    return marks.Mark.model_validate(
        {
            "kind": kind,
            "first": {"iteration": 0, "seed": seed},
            "clip_sha256": sha256,
            "label": label,
            "rater": rater,
            "at": NOW,
        }
    )


def test_what_people_think() -> None:
    given = [
        mark("rating", 1, 5), mark("rating", 1, 3, "b"), mark("rating", 2, 3),
        mark("verdict", 2, 1), mark("verdict", 3, 1), mark("verdict", 3, 0, "b"), mark("rating", 3, 5),
        mark("verdict", 4, 0), mark("verdict", 4, 0, "b"), mark("verdict", 4, 1, "c"),
    ]  # fmt: skip
    assert opinions(given) == {
        Entrant(iteration=0, seed=1): True,  # a mean of 4
        Entrant(iteration=0, seed=2): True,  # a verdict outweighs a rating
        Entrant(iteration=0, seed=4): False,  # two of three; of seed 3 nothing is known
    }


def point(runs: Sequence[Run], accept_at: float, **more: Any) -> Point:
    (found,) = replay(runs, [accept_at], **more).points
    return found


def test_regret_and_savings_by_hand(tmp_path: Path) -> None:
    runs = [
        finished(tmp_path / "a", [(0.8, 0.9)], prompt="a"),
        finished(tmp_path / "b", [(0.5, 0.6), (0.75, 0.7)], prompt="b"),
        finished(tmp_path / "c", [(0.2, 0.3)], prompt="c"),
    ]
    found = point(runs, 0.7)
    # a stops after its first clip (regret 0.1, 1 of 2 renders), b after its third (0, 3 of 4), c not at all
    assert found.regret == pytest.approx(0.1 / 3)
    assert (found.accepted, found.renders, found.renders_saved) == (2, 6, 2)
    assert found.render_seconds_saved_share == pytest.approx(2 / 8)
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low < 0.1 / 3 < found.high <= 0.1
    assert (found.marked, found.precision) == (0, None)


def test_it_is_said_that_renders_side_by_side_save_less(tmp_path: Path) -> None:
    said = " ".join(replay([finished(tmp_path, [(0.8, 0.9)], samples_per_iteration=2)], [0.7]).words)
    assert "as if each was judged before the next one began" in said


def test_runs_of_one_prompt_have_no_interval(tmp_path: Path) -> None:
    runs = [finished(tmp_path / name, [(0.8, 0.9)], prompt="same") for name in "ab"]
    found = point(runs, 0.7)
    assert found.regret == pytest.approx(0.1)
    assert (found.low, found.high) == (None, None)


def stored(folder: Path, scores: Scores, prompt: str) -> Run:
    """A finished run in its folder, with its clips' files."""
    run = finished(folder, scores, prompt=prompt)
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    for candidate in run.candidates:
        candidate.clip.path.write_bytes(f"{prompt} {candidate.seed}".encode())
    (folder / journal.RUN).write_text(journal._dump(run))
    return run


def test_accepted_precision_is_of_the_clips_that_people_marked(tmp_path: Path) -> None:
    runs = [stored(tmp_path / name, [(0.8, 0.9)], name) for name in "abcd"]
    for run, label in zip(runs, (1, 1, 0), strict=False):  # nobody marked the fourth
        sha256 = file_hash(run.candidates[0].clip.path)
        marks.append(run.folder, mark("verdict", 10, label, sha256=sha256))
    other = runs[3].candidates[0].clip.path
    marks.append(runs[3].folder, mark("verdict", 10, 0, sha256="of another clip"))
    assert other.exists()
    found = point(runs, 0.7)
    assert (found.accepted, found.marked, found.passed) == (4, 3, 2)
    assert found.precision == pytest.approx(2 / 3)
    assert found.precision_low == pytest.approx(0.0942993240)  # Clopper-Pearson of 2 of 3
    assert found.precision_high == pytest.approx(0.9915962413)


def test_thresholds_are_spread_over_the_scores(tmp_path: Path) -> None:
    found = thresholds([finished(tmp_path, [[n / 100 for n in range(101)]], samples_per_iteration=64)])
    assert found[0] == 0.1
    assert found[-1] == 0.98
    assert found == sorted(set(found))
    assert thresholds([]) == []


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "ab":
        stored(tmp_path / "runs" / name, [(0.8, 0.9)], name)
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / "run.json").write_text("{")
    out = tmp_path / "bench"
    args = ["bench", "replay", str(tmp_path / "runs"), "--accept-at", "0.7,0.95"]
    assert main([*args, "--out", str(out)]) == 0
    said = capsys.readouterr()
    assert "broken" in said.err
    assert "2 runs of 2 prompts" in said.out
    assert "regret is in the critic's own score alone" in said.out
    written = json.loads((out / "replay.json").read_text())
    assert [p["accept_at"] for p in written["points"]] == [0.7, 0.95]
    assert [p["renders_saved"] for p in written["points"]] == [2, 0]
    assert main([*args, "--json", "--max-iterations", "1,2"]) == 0
    assert [p["unknown"] for p in json.loads(capsys.readouterr().out)["points"]] == [
        0,
        0,
        2,
        2,
    ]  # one iteration was made


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["{}/nothing"], "there is no such folder"),
        (["{}"], "no run lies here"),
        (["{}/a", "--accept-at", "80"], "--accept-at: must be numbers between 0 and 1"),
        (["{}/a", "--samples", "0"], "--samples: must be whole numbers from 1"),
        (["{}/a", "--threshold-file", "nix.yaml"], "--threshold-file nix.yaml: cannot be read (No such file"),
    ],
)
def test_wrong_commands_are_told(
    tmp_path: Path, args: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    place = tmp_path / "empty" if args == ["{}"] else tmp_path
    if args[0].endswith("/a"):
        stored(tmp_path / "a", [(0.8,)], "a")
    assert main(["bench", "replay", *(arg.format(place) for arg in args)]) == 2
    assert says in capsys.readouterr().err


def test_runs_that_can_tell_nothing_are_exit_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = stored(tmp_path / "a", [(0.8,)], "a").model_copy(update={"ending": None})
    (tmp_path / "a" / journal.RUN).write_text(journal._dump(run))
    assert main(["bench", "replay", str(tmp_path / "a"), "--accept-at", "0.5"]) == 3
    assert "Left out: 1 (not finished)" in capsys.readouterr().out
