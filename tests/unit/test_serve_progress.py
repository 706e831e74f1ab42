"""How far a run has come, by its events."""

from pathlib import Path

from agent.events import AttemptFailed, CandidateReady, RenderFinished, RenderProgressed, RenderStarted, SeedGivenUp
from agent.run import Run
from agent.server.progress import Progress
from agent.types import Candidate, Draft, Ending, Failure, GivenUp, Tier
from generator.types import Progress as Told
from generator.types import Rendering
from reasoner.types import Caption
from tests.parts import SPEC, make_clip, make_critique, make_run

CHEAP = SPEC.model_copy(update={"width": 160, "height": 96})


def started(run: Run, tier: Tier = "target", promoted: int | None = None) -> Run:
    """One caption more, on seeds 10 and 11."""
    return run.with_caption(Caption(prompt="p", source="upsample", reasoner="r"), (10, 11), tier, promoted)


def candidate(run: Run, seed: int, tier: Tier = "target", index: int = 0) -> Candidate:
    spec, seconds = (CHEAP, 2.0) if tier == "draft" else (SPEC, 10.0)
    rendering = Rendering(render_seconds=seconds)
    return Candidate(
        clip=make_clip(run.clip_path(index, seed), seed, spec, rendering=rendering, seconds=seconds),
        critique=make_critique(0.5),
    )


def test_a_render_under_way_counts_by_its_steps(tmp_path: Path) -> None:
    run, progress = started(make_run(tmp_path, max_iterations=2, samples_per_iteration=2)), Progress()
    assert progress.share(run) == 0
    progress.heed(RenderStarted(iteration=0, seed=10))
    assert progress.share(run) == 0
    progress.heed(RenderProgressed(progress=Told(seed=10, stage="rendering", step=10, steps=20)))
    assert round(progress.share(run), 4) == 0.1125  # 0.45 of one of four
    progress.heed(RenderProgressed(progress=Told(seed=10, stage="queued", seconds=900)))
    assert round(progress.share(run), 4) == 0.1125  # the clock alone says nothing
    made = candidate(run, 10)
    progress.heed(RenderFinished(iteration=0, clip=made.clip))
    assert round(progress.share(run), 4) == 0.225
    run = run.with_candidate(made)
    progress.heed(CandidateReady(iteration=0, candidate=made))
    assert progress.share(run) == 0.25


def test_what_failed_or_was_given_up_is_done(tmp_path: Path) -> None:
    run, progress = started(make_run(tmp_path, max_iterations=1, samples_per_iteration=2)), Progress()
    for seed in (10, 11):
        progress.heed(RenderStarted(iteration=0, seed=seed))
    failed, left = Failure(step="render", seed=10, message="lost"), GivenUp(seed=11, stage="queued")
    progress.heed(AttemptFailed(iteration=0, failure=failed))
    run = run.with_failure(failed)
    assert progress.share(run) == 0.5
    progress.heed(SeedGivenUp(iteration=0, given_up=left))
    assert progress.share(run.stopped(Ending(reason="iterations"))) == 1


def test_a_draft_is_as_little_as_it_takes(tmp_path: Path) -> None:
    run = make_run(tmp_path, accept_at=0.9, max_iterations=2, samples_per_iteration=2)
    draft = Draft(spec=CHEAP, promote=1, seeds=2, ratio=5.0, assumes="nothing")
    run = run.model_copy(update={"request": run.request.model_copy(update={"draft": draft})})
    run, progress = started(run, "draft"), Progress()
    run = run.with_candidate(candidate(run, 10, "draft")).with_candidate(candidate(run, 11, "draft"))
    # 2 of 4 drafts at a fifth of a render each, before 2 renders as asked
    assert round(progress.share(run), 4) == round(0.4 / 2.8, 4)
