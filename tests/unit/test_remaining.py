"""What is left of a run with drafts, and how long that takes."""

import io
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from agent.events import CandidateReady, CaptionReady, RenderStarted, RunStarted, StepRecalled
from agent.remaining import by_tier, left, remaining, weighed
from agent.run import Run
from agent.terminal import Lively, Witness
from agent.types import Candidate, Draft, Tier
from generator.types import Rendering
from reasoner.types import Caption
from tests.parts import SPEC, make_clip, make_critique, make_run

CHEAP = SPEC.model_copy(update={"width": 160, "height": 96})
BEGUN = datetime(2026, 1, 2, tzinfo=UTC)


def drafting(folder: Path, draft: Mapping[str, int] | None = None, **budget: Any) -> Run:
    """Four captions of two drafts, each taken for an eighth of a render as asked."""
    run = make_run(folder, accept_at=0.9, **{"max_iterations": 4, **budget})
    facts = {"promote": 1, "seeds": 1, **(draft or {})}
    tier = Draft.model_validate({"spec": CHEAP, "ratio": 8.0, "assumes": "nothing", **facts})
    return run.model_copy(update={"request": run.request.model_copy(update={"draft": tier})})


def rendered(run: Run, tier: Tier, count: int, score: float = 0.5, *, of: int = 2, promoted: int | None = None) -> Run:
    """One iteration more; a draft takes 2 s and a render as asked 10 s."""
    seeds, index = tuple(range(10, 10 + of)), len(run.iterations)
    run = run.with_caption(Caption(prompt=f"{index}", source="upsample", reasoner="r"), seeds, tier, promoted)
    for seed in seeds[:count]:
        run = run.with_candidate(candidate(run, seed, tier, score))
    return run


def candidate(run: Run, seed: int, tier: Tier, score: float = 0.5) -> Candidate:
    seconds, spec = (2.0, CHEAP) if tier == "draft" else (10.0, SPEC)
    path = run.clip_path(len(run.iterations) - 1, seed)
    clip = make_clip(path, seed, spec, rendering=Rendering(render_seconds=seconds), seconds=seconds)
    return Candidate(clip=clip, critique=make_critique(score))


def test_what_is_left_by_tier(tmp_path: Path) -> None:
    run = drafting(tmp_path)
    assert left(run) == {"draft": 8, "target": 1}
    run = rendered(run, "draft", 1)
    assert left(run) == {"draft": 1 + 6, "target": 1}  # one of the first caption is still rendered
    run = rendered(drafting(tmp_path), "draft", 2, 0.95)
    run = rendered(run, "target", 0, of=1, promoted=0)
    assert left(run) == {"draft": 6, "target": 1 + 1}  # a caption to come may outdo the one that is promoted
    for _ in range(3):
        run = rendered(run, "draft", 2, 0.1)
    assert left(run) == {"draft": 0, "target": 1}  # none did: only what is rendered now is left


@pytest.mark.parametrize(
    ("budget", "draft", "drafts", "finals"),
    [
        ({"max_renders": 5}, {}, 2, 1),
        ({"max_gpu_seconds": 21.0}, {}, 0, 1),  # 4 s are spent and 16 held
        ({}, {"promote": 3, "seeds": 2}, 6, 6),
        ({"max_iterations": 1}, {"promote": 3}, 0, 1),
    ],
)
def test_what_is_left_is_what_is_paid_for(
    tmp_path: Path, budget: dict[str, float], draft: dict[str, int], drafts: int, finals: int
) -> None:
    run = rendered(drafting(tmp_path, draft, **budget), "draft", 2)
    assert left(run) == {"draft": drafts, "target": finals}


def test_seconds_by_tier(tmp_path: Path) -> None:
    run = rendered(drafting(tmp_path), "draft", 2)
    # two drafts took 6 s: six more take 18 s, and a render as asked, until one is made, eight times a draft
    assert remaining(run, 6.0) == pytest.approx(3 * (6 + 8))
    run = rendered(run, "target", 1, of=1, promoted=0)  # now five times as long, as this run's renders took
    assert weighed(run, by_tier(run)) == pytest.approx(2 / 5 + 1)
    assert left(run) == {"draft": 6, "target": 1}
    assert remaining(run, 14.0) == pytest.approx(14 / (2 / 5 + 1) * (6 / 5 + 1))
    assert remaining(run, 14.0, {"draft": 2}) == pytest.approx(14 * (6 / 5 + 1))  # this session made the last alone
    assert remaining(run, 14.0, {"draft": 2, "target": 1}) is None


def test_nothing_is_left_of_a_settled_run(tmp_path: Path) -> None:
    run = rendered(rendered(drafting(tmp_path), "draft", 2, 0.95), "target", 1, 0.95, of=1, promoted=0)
    assert run.settled
    assert remaining(run, 9.0) is None


def test_recalled_drafts_are_counted_as_drafts(tmp_path: Path) -> None:
    witness, run = Witness(), drafting(tmp_path)
    witness(RunStarted(run=run, at=BEGUN))
    caption = Caption(prompt="a", source="upsample", reasoner="r")
    witness(CaptionReady(iteration=0, caption=caption, seeds=(10, 11), tier="draft"))
    witness(RenderStarted(iteration=0, seed=10))
    witness(StepRecalled(step="render", key="k"))
    assert witness.earlier == {"draft": 1}
    started = Witness()
    started(RunStarted(run=rendered(run, "draft", 2), at=BEGUN))
    assert started.earlier == {"draft": 2}


def test_the_live_view_counts_each_tier(tmp_path: Path) -> None:
    view = Lively(Console(file=io.StringIO(), force_terminal=True, width=160, color_system=None))
    run, now = drafting(tmp_path), datetime.now(UTC)
    view(RunStarted(run=run, at=now - timedelta(seconds=6)))
    caption = Caption(prompt="a", source="upsample", reasoner="r")
    view(CaptionReady(iteration=0, caption=caption, seeds=(10, 11), tier="draft"))
    one = candidate(run.with_caption(caption, (10, 11), "draft"), 10, "draft")
    view(CandidateReady(iteration=0, candidate=one, at=now))
    with view.console.capture() as capture:
        view.console.print(view)
    assert "1 of 8 drafts, about 0 of 1 renders as asked" in capture.get()
    assert "1:30 more if every iteration is used" in capture.get()  # 7 drafts of 6 s, and one of 48 s
