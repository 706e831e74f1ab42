"""What renders cost, what is counted of it, and how many a limit still pays for."""

import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent.api import refine_and_generate_async
from agent.building import known_price
from agent.controller import Controller
from agent.course import affordable, place_of
from agent.errors import GeneratorError, NoCandidateError, boundary
from agent.events import RenderProgressed, RunStarted, after
from agent.journal import Journal, load
from agent.ledger import ledger
from agent.resuming import reopened, within
from agent.run import Run
from agent.spending import Cost, seconds, worked
from agent.types import Candidate, Failure
from generator.config import AnimaticConfig, FalConfig
from generator.types import BackendError, Clip, Progress, RenderError, Rendering, RenderSpec
from reasoner.types import Caption
from tests.parts import (
    SPEC,
    Recorder,
    ScriptedCritic,
    ScriptedGenerator,
    ScriptedReasoner,
    make_clip,
    make_critique,
    make_run,
)


def clip(run: Run, seed: int, **rendering: object) -> Clip:
    path = run.clip_path(len(run.iterations) - 1, seed)
    return make_clip(path, seed, SPEC, rendering=Rendering.model_validate(rendering))


def with_candidates(run: Run, renderings: Mapping[int, Mapping[str, object]]) -> Run:
    """The run with one more iteration, of a candidate a seed."""
    run = run.with_caption(Caption.raw("a boat"), tuple(renderings))
    for seed, rendering in renderings.items():
        run = run.with_candidate(Candidate(clip=clip(run, seed, **rendering), critique=make_critique(0.5)))
    return run


def failure(error: RenderError | BackendError, seed: int = 11) -> Failure:
    """As the controller records it."""
    with pytest.raises(GeneratorError) as caught, boundary(GeneratorError, "rendering"):
        raise error
    return Failure.of(caught.value, "render", seed, None)


@pytest.mark.parametrize(
    ("spent", "each", "limit", "renders"),
    [
        (0.0, 0.1, 0.3, 3),
        (0.1 + 0.2, 0.1, 0.3, 0),
        (0.0, 0.4, 1.0, 2),
        (0.6, 0.4, 1.0, 1),
        (0.61, 0.4, 1.0, 0),
        (5.0, 0.4, 1.0, 0),
        (0.0, None, 1.0, math.inf),
        (1.0, None, 1.0, 0),
        (0.5, 0.0, 1.0, math.inf),
        (9.0, 0.4, None, math.inf),
    ],
)
def test_a_limit_pays_for_whole_renders(spent: float, each: float | None, limit: float | None, renders: float) -> None:
    assert Cost(spent, each).pays_for(limit) == renders


def test_what_a_limit_pays_for_never_passes_it_and_leaves_less_than_a_render() -> None:
    dice = random.Random(5)
    for _ in range(500):
        cost = Cost(dice.uniform(0, 50), dice.uniform(0.01, 20))
        limit = dice.uniform(0.1, 100)
        count = cost.pays_for(limit)
        assert cost.each is not None
        assert cost.spent + count * cost.each <= max(limit, cost.spent) + 1e-6
        assert cost.spent + (count + 1) * cost.each > limit - 1e-6


@pytest.mark.parametrize(
    ("rendering", "seconds"),
    [
        ({"render_seconds": 3.0, "queue_seconds": 9.0}, 3.0),
        ({"queue_seconds": 0.2}, 0.3),
        ({"queue_seconds": 0.2, "lost_seconds": 0.1}, 0.2),
        ({"queue_seconds": 9.0}, 0.0),
        ({}, 0.5),
    ],
)
def test_the_work_on_a_clip_is_what_the_backend_tells_or_all_but_the_wait(
    tmp_path: Path, rendering: Mapping[str, object], seconds: float
) -> None:
    run = make_run(tmp_path).with_caption(Caption.raw("a boat"), (10,))
    assert worked(clip(run, 10, **rendering)) == pytest.approx(seconds)


def test_what_is_known_beforehand_stands_in_until_a_render_has_its_own_price(tmp_path: Path) -> None:
    run = make_run(tmp_path).model_copy(update={"expected_usd": 0.4})
    assert run.price[:2] == (0.0, 0.4)
    assert with_candidates(run, {10: {"price_usd": 0.2}}).price[:2] == (0.2, 0.2)
    assert make_run(tmp_path).price[:2] == (0.0, None)


def test_a_failed_render_is_paid_for_and_counted(tmp_path: Path) -> None:
    run = make_run(tmp_path).with_caption(Caption.raw("a boat"), (10, 11, 12))
    made = clip(run, 10, price_usd=0.4, render_seconds=2.0)
    run = run.with_candidate(Candidate(clip=made, critique=make_critique(0.5)))
    error = RenderError("5 frames were requested, found 4")
    error.rendering = Rendering(price_usd=0.4, render_seconds=4.0)
    run = run.with_failure(failure(error)).with_failure(failure(RenderError("refused"), 12))
    assert (run.price[:2], run.gpu[:2]) == ((0.8, 0.4), (6.0, 3.0))
    assert ledger(run).price_usd == 0.8


def test_an_unjudged_clip_is_counted_once(tmp_path: Path) -> None:
    run = make_run(tmp_path).with_caption(Caption.raw("a boat"), (10,))
    made = clip(run, 10, price_usd=0.4, render_seconds=2.0)
    run = run.with_failure(Failure(step="judge", seed=10, message="unreadable", clip=made))
    assert (run.price.spent, run.gpu.spent) == (0.4, 2.0)


def test_a_clip_that_two_captions_share_is_paid_for_once(tmp_path: Path) -> None:
    run = with_candidates(make_run(tmp_path), {10: {"price_usd": 0.4, "render_seconds": 2.0}})
    again = run.with_caption(run.iterations[0].caption, (10,)).with_candidate(run.candidates[0])
    assert (again.price, again.gpu) == (run.price, run.gpu)


def test_what_was_rendered_for_nobody_is_spent(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    for stage, price in (("abandoned", 0.4), ("abandoned", None), ("resubmitted", None), ("rendering", None)):
        told = Progress.model_validate({"seed": 10, "stage": stage, "seconds": 2.5, "price_usd": price})
        run = after(run, RenderProgressed(progress=told))
    assert (run.price.spent, run.gpu.spent) == (0.4, 7.5)
    assert ledger(run).price_usd == 0.4


def test_what_is_rendered_again_stays_spent(tmp_path: Path) -> None:
    cost = {"price_usd": 0.4, "render_seconds": 2.0}
    run = with_candidates(make_run(tmp_path), {10: cost, 11: cost, 12: cost})
    error = BackendError("the file could not be fetched")
    error.rendering = Rendering.model_validate(cost)
    unjudged = Failure(step="judge", seed=14, message="unreadable", clip=clip(run, 14, **cost))
    iteration = run.iterations[0].model_copy(update={"seeds": (10, 11, 12, 13, 14)})
    run = run.model_copy(update={"iterations": (iteration,)}).with_failure(failure(error, 13)).with_failure(unjudged)
    assert (run.price.spent, run.gpu.spent) == (2.0, 10.0)

    kept = reopened(run, keep=lambda c: True, retry_failed=False)
    assert (kept.lost_usd, kept.price, kept.gpu) == (0.0, run.price, run.gpu)
    gone = reopened(run, keep=lambda c: c.seed != 11, retry_failed=False)
    assert gone.iterations[0].missing == (11,)
    assert (gone.lost_usd, gone.price.spent, gone.gpu.spent) == (0.4, 2.0, 10.0)
    # the clip that could not be judged is still there: it is judged again and not rendered again
    retried = reopened(run, keep=lambda c: True, retry_failed=True)
    assert retried.iterations[0].missing == (13, 14)
    assert (retried.lost_usd, retried.price.spent, retried.lost_seconds) == (0.4, 1.6, 2.0)


@pytest.mark.parametrize(
    ("budget", "seeds"),
    [
        ({}, 4),
        ({"max_price_usd": 4.0}, 4),
        ({"max_price_usd": 2.8}, 3),
        ({"max_price_usd": 2.7}, 2),
        ({"max_price_usd": 1.6}, 0),
        ({"max_gpu_seconds": 14.0}, 3),
        ({"max_gpu_seconds": 14.0, "max_price_usd": 2.0, "max_renders": 7}, 1),
        ({"max_renders": 6}, 2),
    ],
)
def test_an_iteration_shrinks_before_the_run_stops(tmp_path: Path, budget: dict[str, Any], seeds: int) -> None:
    run = make_run(tmp_path, samples_per_iteration=4, **budget)
    run = with_candidates(run, {seed: {"price_usd": 0.4, "render_seconds": 2.0} for seed in (10, 11, 12, 13)})
    assert place_of(run, Caption.raw("a boat")).seeds == (10, 11, 12, 13)[:seeds]


def test_the_first_iteration_shrinks_to_a_price_that_is_known(tmp_path: Path) -> None:
    run = make_run(tmp_path, samples_per_iteration=4, max_price_usd=1.0, max_gpu_seconds=1.0)
    assert len(place_of(run, Caption.raw("a boat")).seeds) == 4
    assert len(place_of(run.model_copy(update={"expected_usd": 0.4}), Caption.raw("a boat")).seeds) == 2


class Costly(ScriptedGenerator):
    """Each render costs $0.40, and seconds as the dice say."""

    def __init__(self, dice: random.Random) -> None:
        super().__init__()
        self.dice = dice

    async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
        clip = await super().render(prompt, spec, seed=seed, to=to)
        cost = Rendering(price_usd=0.4, render_seconds=self.dice.uniform(1.0, 3.0))
        return clip.model_copy(update={"rendering": cost})


@pytest.mark.parametrize("number", range(8))
async def test_no_limit_is_passed_by_more_than_what_the_last_renders_took_over_the_mean(
    tmp_path: Path, number: int
) -> None:
    dice = random.Random(number)
    samples = dice.randint(1, 4)
    budget: dict[str, Any] = {"max_price_usd": dice.uniform(0.4, 6.0), "max_gpu_seconds": dice.uniform(5.0, 40.0)}
    run = make_run(tmp_path, max_iterations=9, samples_per_iteration=samples, **budget)
    controller = Controller(
        reasoner=ScriptedReasoner(),
        generator=Costly(dice),
        critic=ScriptedCritic(lambda prompt, seed: 0.5),
        emit=Recorder(),
    )
    run = await controller.refine(run.model_copy(update={"expected_usd": 0.4}))
    assert run.price.spent <= budget["max_price_usd"]
    before = Cost.of(seconds(run.iterations[:-1]), lost=0.0)
    last = seconds(run.iterations[-1:])
    if before.each is not None:  # of the first iteration nothing was known
        assert before.spent + before.each * len(last) <= budget["max_gpu_seconds"]
    if run.stop_reason != "iterations":
        assert affordable(run) < 1
        assert run.stop_reason in {"price", "gpu_seconds"}


async def test_a_render_dearer_than_the_limit_is_never_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAL_KEY", "11112222-aaaa:secret")  # a call to fal would break on the closed network
    config = {
        "request": {"prompt": "A cat."},
        "generator": {"backend": "fal", "model": "fal-ai/cosmos-predict-2.5/text-to-video"},
        "budget": {"max_price_usd": 0.19},
    }
    with pytest.raises(NoCandidateError, match=r"\$0\.00 of \$0\.19 are spent; a render costs \$0\.20") as caught:
        await refine_and_generate_async(config=config, out=tmp_path / "run")
    stored = load(caught.value.folder)
    assert (stored.stop_reason, stored.renders, stored.expected_usd) == ("price", 0, 0.2)


def test_a_price_is_known_beforehand_where_renders_are_billed() -> None:
    assert known_price(AnimaticConfig(), SPEC) is None
    assert known_price(FalConfig(price_usd=0.7), SPEC) == 0.7


def test_what_is_lost_is_on_the_disk_at_once(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    diary = Journal(run)
    diary(RunStarted(run=run))
    told = Progress(seed=10, stage="abandoned", seconds=2.5, price_usd=0.4)
    diary(RenderProgressed(progress=told))
    assert (load(tmp_path).lost_seconds, load(tmp_path).lost_usd) == (2.5, 0.4)


def test_an_iteration_that_was_cut_short_is_filled_up_by_another_budget_alone(tmp_path: Path) -> None:
    """A resume goes on with the next caption, as the undisturbed run did, though the short one took little."""
    run = with_candidates(
        make_run(tmp_path, samples_per_iteration=2, max_gpu_seconds=19.0),
        {10: {"render_seconds": 5.0}, 11: {"render_seconds": 5.0}},
    )
    assert len(place_of(run, Caption.raw("a boat")).seeds) == 1
    run = with_candidates(run, {10: {"render_seconds": 3.0}})
    assert affordable(run) == 1
    assert within(run, run.budget, run.accept_at) == run
    more = within(run, run.budget.model_copy(update={"max_gpu_seconds": 60.0}), None)
    assert [i.seeds for i in more.iterations] == [(10, 11), (10, 11)]
    assert more.iterations[1].missing == (11,)
