"""The draft tier: captions are compared by cheap renders, the best is rendered as asked, and feedback flows back."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from PIL import Image

from agent import refine_and_generate_async
from agent.api import with_request
from agent.config import RunConfig
from agent.controller import Controller
from agent.course import history, ranked, tried
from agent.drafts import AUTO, settled, tiered, unasked
from agent.errors import ConfigError
from agent.forecasting import correlation
from agent.forecasting.correlation import Measured
from agent.reading import check
from agent.request import plain
from agent.resuming import changed, finished, reopened, under, within
from agent.run import Run
from agent.stopping import ended, promotion, sentence, stop_reason, verdicts
from agent.types import Candidate, Draft, GivenUp, Request
from generator.capabilities import capabilities
from generator.types import Clip, RenderError, RenderSpec
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

CHEAP = SPEC.model_copy(update={"width": 160, "height": 96})


class Tiered(ScriptedGenerator):
    """Writes the tier beside the prompt, so that a critic can score by it."""

    async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
        tier = "draft" if spec.width == CHEAP.width else "final"
        self.started.append((f"{tier} {prompt.split()[1]}", seed))
        if seed in self.fails and tier == "final":
            raise self.fails[seed]
        to.write_text(f"{tier} {prompt.split()[1]}|{seed}")
        return make_clip(to, seed, spec, seconds=1.0 if tier == "draft" else 8.0)


def drafting(run: Run, promote: int = 1, seeds: int = 1) -> Run:
    """The run with drafts, each an eighth of a render."""
    draft = Draft(spec=CHEAP, promote=promote, seeds=seeds, ratio=8.0, assumes="nothing")
    return run.model_copy(update={"request": run.request.model_copy(update={"draft": draft})})


async def refine(
    run: Run, scores: Mapping[str, float], reasoner: ScriptedReasoner | None = None, fails: tuple[int, ...] = ()
) -> tuple[Run, Tiered]:
    """Carry a run whose clips score by tier and caption; a seed gets a little more than the one before."""
    generator = Tiered(fails=dict.fromkeys(fails, RenderError("as scripted")))
    critic = ScriptedCritic(lambda text, seed: scores[text] + (seed - 10) * 0.01)
    controller = Controller(
        reasoner=reasoner or ScriptedReasoner(), generator=generator, critic=critic, emit=Recorder()
    )
    return await controller.refine(run), generator


async def test_captions_are_compared_by_drafts_and_the_best_is_rendered_as_asked(tmp_path: Path) -> None:
    scores = {"draft 0": 0.3, "draft 1": 0.6, "draft 2": 0.4, "final 1": 0.5}
    run, generator = await refine(drafting(make_run(tmp_path, max_iterations=3)), scores)
    assert [(i.tier, i.promoted, i.seeds) for i in run.iterations] == [
        ("draft", None, (10, 11)),
        ("draft", None, (10, 11)),
        ("draft", None, (10, 11)),
        ("target", 1, (10,)),
    ]
    assert generator.started[-1] == ("final 1", 10)
    assert run.stop_reason == "iterations"
    assert (run.best_iteration, run.score) == (3, 0.5)
    assert run.best is not None
    assert run.best.clip.spec == SPEC


async def test_the_higher_score_of_a_draft_does_not_make_it_the_chosen_clip(tmp_path: Path) -> None:
    run, _ = await refine(
        drafting(make_run(tmp_path, max_iterations=1, accept_at=0.8)), {"draft 0": 0.9, "final 0": 0.2}
    )
    assert (run.score, run.accepted, run.stop_reason) == (0.2, False, "iterations")


async def test_an_accepted_draft_is_promoted_at_once_and_its_render_ends_the_run(tmp_path: Path) -> None:
    scores = {"draft 0": 0.85, "final 0": 0.9}
    run, generator = await refine(drafting(make_run(tmp_path, max_iterations=4, accept_at=0.8)), scores)
    assert [i.tier for i in run.iterations] == ["draft", "target"]
    assert run.stop_reason == "accepted"
    assert generator.started == [("draft 0", 10), ("draft 0", 11), ("final 0", 10)]


async def test_a_final_that_falls_short_is_what_the_next_caption_is_written_from(tmp_path: Path) -> None:
    reasoner = ScriptedReasoner()
    scores = {"draft 0": 0.85, "final 0": 0.4, "draft 1": 0.9, "final 1": 0.95}
    run, _ = await refine(drafting(make_run(tmp_path, max_iterations=4, accept_at=0.8)), scores, reasoner)
    assert [(i.tier, i.promoted, i.parent) for i in run.iterations] == [
        ("draft", None, None),
        ("target", 0, 0),
        ("draft", None, 0),
        ("target", 2, 2),
    ]
    (told,) = reasoner.asked[1]
    assert told.criteria == {"motion": pytest.approx(told.score)} == {"motion": pytest.approx(0.855)}
    assert (told.final, told.latest) == ({"motion": 0.4}, {"motion": 0.4})
    assert told.feedback == "feedback on final 0"
    assert run.stop_reason == "accepted"


async def test_an_accepted_draft_promotes_no_other_caption_before_the_drafts_are_done(tmp_path: Path) -> None:
    scores = {"draft 0": 0.9, "final 0": 0.5, "draft 1": 0.3, "draft 2": 0.4, "final 2": 0.6}
    run, generator = await refine(drafting(make_run(tmp_path, max_iterations=3, accept_at=0.8), promote=2), scores)
    started = dict.fromkeys(name for name, _ in generator.started)
    assert list(started) == ["draft 0", "final 0", "draft 1", "draft 2", "final 2"]
    assert [i.promoted for i in run.iterations if i.tier == "target"] == [0, 3]


async def test_a_promoted_caption_stays_the_champion_by_its_drafts(tmp_path: Path) -> None:
    run = drafting(make_run(tmp_path, max_iterations=4, accept_at=0.8))
    run, _ = await refine(run, {"draft 0": 0.85, "final 0": 0.4, "draft 1": 0.3, "draft 2": 0.2, "draft 3": 0.1})
    past, champion = history(run)
    assert (run.leader, champion, len(past)) == (0, 0, 4)
    assert [r.parent for r in past] == [None, 0, 0, 0]
    assert [r.gain for r in past][1:] == [pytest.approx(-0.55), pytest.approx(-0.65), pytest.approx(-0.75)]
    assert run.stop_reason == "iterations"
    assert tried(run) == 4


async def test_the_top_ones_are_promoted_until_one_is_accepted(tmp_path: Path) -> None:
    scores = {"draft 0": 0.3, "draft 1": 0.6, "draft 2": 0.5, "final 1": 0.5, "final 2": 0.9, "final 0": 0.1}
    run, _ = await refine(drafting(make_run(tmp_path, max_iterations=3, accept_at=0.8), promote=3), scores)
    assert [i.promoted for i in run.iterations if i.tier == "target"] == [1, 2]
    assert run.stop_reason == "accepted"
    assert ranked(run) == [1, 2, 0]


async def test_fresh_seeds_are_tried_at_the_target_tier(tmp_path: Path) -> None:
    reasoner = ScriptedReasoner(reseed_from=1)
    scores = {"draft 0": 0.85, "final 0": 0.5}
    run, _ = await refine(drafting(make_run(tmp_path, max_iterations=2, accept_at=0.8)), scores, reasoner)
    assert [(i.tier, i.promoted, i.seeds) for i in run.iterations][1:] == [("target", 0, (10,)), ("target", 0, (11,))]
    assert tried(run) == 2


async def test_drafts_leave_the_budget_what_a_promotion_takes(tmp_path: Path) -> None:
    scores = {"draft 0": 0.3, "draft 1": 0.6, "draft 2": 0.7, "final 1": 0.4, "final 2": 0.4}
    run, _ = await refine(drafting(make_run(tmp_path, max_iterations=9, max_renders=5)), scores)
    assert [len(i.seeds) for i in run.iterations] == [2, 2, 1]
    assert (run.iterations[-1].tier, run.stop_reason, run.renders) == ("target", "renders", 5)


async def test_gpu_seconds_count_each_tier_at_its_own_pace(tmp_path: Path) -> None:
    scores = {f"draft {n}": 0.3 + n / 10 for n in range(5)} | {f"final {n}": 0.2 for n in range(5)}
    # 2 drafts of 1 s, then 8 s held for the promotion: 3 more drafts fit under 13 s
    run, _ = await refine(drafting(make_run(tmp_path, max_iterations=9, max_gpu_seconds=13)), scores)
    assert [(i.tier, len(i.seeds)) for i in run.iterations] == [("draft", 2), ("draft", 2), ("draft", 1), ("target", 1)]
    assert (run.gpu.spent, run.stop_reason) == (13.0, "gpu_seconds")
    kept = run.model_copy(update={"ending": None, "iterations": run.iterations[:-1]})
    words = {rule.rule: rule.words for rule in verdicts(kept)}["gpu_seconds"]
    assert words == (
        "5.0 of 13.0 s of the generator's time are used; a draft takes 1.0 s, and the rest would go into a promotion."
    )


async def test_patience_ends_the_drafts_and_not_the_run(tmp_path: Path) -> None:
    scores = {"draft 0": 0.6, "draft 1": 0.5, "final 0": 0.7}
    run, _ = await refine(drafting(make_run(tmp_path, max_iterations=9, patience=1)), scores)
    assert [i.tier for i in run.iterations] == ["draft", "draft", "target"]
    assert run.stop_reason == "patience"


async def test_a_promotion_that_fails_ends_the_run_with_the_draft(tmp_path: Path) -> None:
    run, _ = await refine(drafting(make_run(tmp_path, max_iterations=1)), {"draft 0": 0.6}, fails=(10,))
    assert run.stop_reason == "failed"
    assert run.best is not None
    assert run.is_draft(run.best)
    assert any("draft" in note for note in run.notes)


async def test_drafts_that_all_fail_end_the_drafts_and_not_what_they_are_for(tmp_path: Path) -> None:
    class Refusing(Tiered):
        async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
            if prompt.startswith("caption 1"):
                raise RenderError("as scripted")
            return await super().render(prompt, spec, seed=seed, to=to)

    critic = ScriptedCritic(lambda text, seed: 0.6 if text == "draft 0" else 0.5)
    controller = Controller(reasoner=ScriptedReasoner(), generator=Refusing(), critic=critic, emit=Recorder())
    run = await controller.refine(drafting(make_run(tmp_path, max_iterations=4)))
    assert [(i.tier, len(i.candidates), i.promoted) for i in run.iterations] == [
        ("draft", 2, None),
        ("draft", 0, None),
        ("target", 1, 0),
    ]
    assert (run.stop_reason, run.best_iteration) == ("failed", 2)


async def test_a_second_promotion_is_not_tried_once_one_failed_as_a_whole(tmp_path: Path) -> None:
    scores = {"draft 0": 0.6, "draft 1": 0.5}
    run, generator = await refine(drafting(make_run(tmp_path, max_iterations=2), promote=2), scores, fails=(10,))
    assert [name for name, _ in generator.started if name.startswith("final")] == ["final 0"]
    assert (run.stop_reason, promotion(run)) == ("failed", None)


async def test_a_draft_over_the_threshold_is_not_said_to_be_below_a_floor(tmp_path: Path) -> None:
    run = drafting(make_run(tmp_path, max_iterations=1, max_price_usd=1.0)).model_copy(update={"accept_at": 0.5})
    run, _ = await refine(run, {"draft 0": 0.6}, fails=(10,))
    assert run.best is not None
    assert run.best.critique.floors_hold
    words = {rule.rule: rule.words for rule in verdicts(run)}["accepted"]
    assert words.startswith("The best clip scores 0.61 as a draft, and a draft is not accepted.")
    without = run.model_copy(update={"ending": None})
    assert sentence(without.stopped(ended(without, "price"))).endswith("as a draft, and a draft is not accepted.")


@pytest.mark.parametrize(("promote", "finals"), [(1, [1]), (2, [1, 2])])
async def test_a_resumed_run_promotes_as_many_as_its_config_now_says(
    tmp_path: Path, promote: int, finals: list[int]
) -> None:
    scores = {"draft 0": 0.3, "draft 1": 0.6, "draft 2": 0.5, "final 1": 0.5, "final 2": 0.7}
    first, _ = await refine(drafting(make_run(tmp_path, max_iterations=3)), scores)
    now = check(
        {"request": {"prompt": "a boat"}, "budget": {"max_iterations": 3}, "search": {"draft": {"promote": promote}}}
    )
    now = now.model_copy(update={"critic": now.critic.model_copy(update={"accept_at": None})})
    kept = under(reopened(first, keep=lambda clip: True, retry_failed=False), now)
    assert finished(first, kept) is (promote == 1)
    run, _ = await refine(kept, scores)
    assert [i.promoted for i in run.iterations if i.tier == "target"] == finals
    assert run.stop_reason == "iterations"


def test_renders_as_asked_that_were_given_up_come_back_from_what_was_kept_for_them(tmp_path: Path) -> None:
    run = drafting(make_run(tmp_path, max_iterations=1, max_renders=5, accept_at=0.5), seeds=2)
    run = run.with_caption(Caption.raw("a boat"), (10, 11, 12), "draft")
    for seed in run.iterations[0].seeds:
        clip = make_clip(run.clip_path(0, seed), seed, CHEAP)
        run = run.with_candidate(Candidate(clip=clip, critique=make_critique(0.6)))
    run = run.with_caption(run.iterations[0].caption.once_more(), (10, 11), "target", 0)
    run = run.with_candidate(Candidate(clip=make_clip(run.clip_path(1, 10), 10), critique=make_critique(0.6)))
    run = run.with_given_up(GivenUp(seed=11, stage="queued"))
    assert within(run, run.budget, 0.5).pending == 0
    assert within(run, run.budget, 0.9).pending == 1


def test_nothing_is_promoted_where_there_are_no_drafts(tmp_path: Path) -> None:
    run = make_run(tmp_path, max_iterations=1).with_caption(Caption.raw("a boat"), (10,))
    assert promotion(run) is None
    assert stop_reason(run) == "iterations"


def test_a_drafts_clip_says_which_tier_it_is_of(tmp_path: Path) -> None:
    request = drafting(make_run(tmp_path)).request
    caption = Caption(prompt="x", negative_prompt="rain", source="upsample", reasoner="r")
    assert request.spec_for(caption, "draft").negative_prompt == "rain"
    assert request.tier_of(request.spec_for(caption, "draft")) == "draft"
    assert request.tier_of(request.spec_for(caption)) == "target"


def settings(**search: object) -> dict[str, object]:
    """A config with drafts."""
    return {"request": {"prompt": "a boat", "seed": 1}, "search": {"draft": search}}


def made(data: dict[str, object]) -> Request:
    """What a config makes of its request."""
    config = check(data)
    return tiered(config, plain(config.request, capabilities(config.generator)))


def test_a_draft_has_the_shape_of_the_request() -> None:
    request = made(settings(tier="256p", steps=20, frames=60))
    assert request.draft is not None
    spec = request.draft.spec
    assert (spec.width, spec.height, spec.num_frames, spec.num_inference_steps) == (320, 192, 61, 20)
    assert (spec.fps, spec.negative_prompt) == (request.spec.fps, request.spec.negative_prompt)
    assert request.draft.ratio > 3
    assert "320x192, 61 frames, 20 steps" in request.draft.assumes


def test_what_is_not_measured_is_said_to_be_assumed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlation, "measured", lambda: ())
    draft = made(settings()).draft
    assert draft is not None
    assert "was never measured for animatic" in draft.assumes


MEASURED = Measured(
    generator="animatic",
    draft=256,
    target=480,
    steps=1.0,
    frames=1.0,
    value=0.3,
    low=0.1,
    high=0.5,
    prompts=40,
    captions=5,
    source="a command",
)


def test_drafts_that_rank_badly_are_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlation, "measured", lambda: (MEASURED,))
    request = made(settings())
    assert request.draft is None
    assert "correlation of 0.30" in request.notes[-1]
    kept = made(settings(min_correlation=0.2)).draft
    assert kept is not None
    assert "correlation of 0.30 (0.10 to 0.50 over 40 prompts, a command)" in kept.assumes


def test_a_cheaper_draft_than_was_measured_is_not_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correlation, "measured", lambda: (MEASURED,))
    draft = made(settings(steps=10)).draft
    assert draft is not None
    assert "never measured" in draft.assumes


def test_drafts_that_save_nothing_are_not_made() -> None:
    data = settings()
    data["request"] = {"prompt": "a boat", "size": "320x192"}
    request = made(data)
    assert request.draft is None
    assert "would cost as much" in request.notes[-1]


@pytest.mark.parametrize(("frames", "made_at"), [(None, None), (25, 0.1)])
def test_drafts_that_are_billed_as_much_are_not_made(frames: int | None, made_at: float | None) -> None:
    """fal bills the seconds of a clip, whatever its size."""
    request = made({**settings(frames=frames), "generator": {"backend": "fal"}})
    assert (request.draft and request.draft.price_usd) == made_at
    assert any("would cost as much" in note for note in request.notes) is (made_at is None)


@pytest.mark.parametrize(
    ("search", "words"),
    [
        ({"steps": 36}, "search.draft.steps: 36 is more than the 35"),
        ({"frames": 201}, "search.draft.frames: 201 is over the 189"),
    ],
)
def test_drafts_that_cannot_be_are_refused_by_their_key(search: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        made(settings(**search))


@pytest.mark.parametrize(("most", "seeds"), [(1, 1), (2, 2)])
def test_a_budget_without_room_for_a_draft_is_refused(most: int, seeds: int) -> None:
    data = {"budget": {"max_renders": most}, "search": {"draft": {"seeds": seeds}}}
    words = f"draft would make none: budget.max_renders is {most}, and a promotion alone takes {seeds}"
    with pytest.raises(ConfigError, match=words):
        check(data)
    assert check({**data, "budget": {"max_renders": seeds + 1}}).search.draft is not None


async def test_money_for_the_promotion_alone_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAL_KEY", "hush:hush")
    Image.new("RGB", (832, 480)).save(tmp_path / "first.png")
    data = {
        "request": {"prompt": "a boat", "image": str(tmp_path / "first.png")},
        "generator": {"backend": "fal"},
        "budget": {"max_price_usd": 0.45},
        "search": {"draft": {"frames": 25}},
    }
    with pytest.raises(ConfigError, match=r"max_price_usd pays for no draft \(\$0\.10\) .*\(\$0\.40\)"):
        await refine_and_generate_async(config=data, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_other_drafts_are_another_run(tmp_path: Path) -> None:
    first = check(settings())
    request = tiered(first, plain(first.request, capabilities(first.generator)))
    run = make_run(tmp_path).model_copy(update={"request": request})
    assert changed(run, first) == ""
    assert changed(run, check(settings(promote=3))) == ""
    assert changed(run, check(settings(frames=61))) == "search.draft"
    assert (
        changed(run, check({"request": {"prompt": "a boat", "seed": 1}, "search": {"draft": None}})) == "search.draft"
    )


def auto(budget: dict[str, object], size: str = "832x480") -> RunConfig:
    """What `search.draft: auto` comes to in a run."""
    config = check({"request": {"prompt": "a boat", "size": size}, "budget": budget})
    return settled(config, tiered(config, plain(config.request, capabilities(config.generator))))


def test_drafts_are_made_where_they_are_measured_to_pay(monkeypatch: pytest.MonkeyPatch) -> None:
    good = MEASURED.model_copy(update={"value": 0.7, "steps": 0.34})
    monkeypatch.setattr(correlation, "measured", lambda: (good,))
    config = auto({"max_seconds": 60.0})
    assert config.search.draft == AUTO
    assert (config.budget.max_iterations, config.budget.samples_per_iteration, config.budget.max_seconds) == (5, 1, 60)
    assert auto({"max_renders": 6}).search.draft == AUTO


@pytest.mark.parametrize(
    ("measured", "budget", "size"),
    [
        ((), {}, "832x480"),
        ((MEASURED.model_copy(update={"steps": 0.34}),), {}, "832x480"),  # 0.3 is below the least
        ((MEASURED.model_copy(update={"value": 0.7, "steps": 0.34}),), {"max_iterations": 2}, "832x480"),
        ((MEASURED.model_copy(update={"value": 0.7, "steps": 0.34}),), {"samples_per_iteration": 3}, "832x480"),
        ((MEASURED.model_copy(update={"value": 0.7, "steps": 0.34}),), {"max_renders": 5}, "832x480"),
        ((MEASURED.model_copy(update={"value": 0.7, "steps": 0.34}),), {}, "320x192"),
    ],
    ids=["never measured", "measured to rank badly", "captions named", "candidates named", "no room", "a draft"],
)
def test_and_nowhere_else_and_nothing_is_said_of_it(
    monkeypatch: pytest.MonkeyPatch, measured: tuple[Measured, ...], budget: dict[str, object], size: str
) -> None:
    monkeypatch.setattr(correlation, "measured", lambda: measured)
    config = auto(budget, size)
    assert config.search.draft is None
    assert config.budget == check({"budget": budget}).budget
    request = plain(config.request, capabilities(config.generator))
    assert tiered(config, request) == request


async def test_a_prompt_from_outside_names_no_budget() -> None:
    config = with_request(check({"request": {"seed": 3}}), prompt="a boat")
    assert (config.request.prompt, config.request.seed) == ("a boat", 3)
    assert config.budget.model_fields_set == set()


def test_a_run_names_the_correlation_that_the_page_names() -> None:
    page = (Path(__file__).parents[2] / "docs" / "search-benchmark.md").read_text(encoding="utf-8")
    rows = correlation.measured()
    assert rows
    for row in rows:  # to two digits, rounded once
        assert f"| {row.prompts} | {row.value:.2f} ({row.low:.2f} to {row.high:.2f}) |" in page


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"budget": {"max_iterations": 2}}, "auto): budget.max_iterations is given."),
        ({"budget": {"max_iterations": 2, "samples_per_iteration": 2}}, "and budget.samples_per_iteration are given."),
        ({"request": {"prompt": "a boat", "size": "320x192"}}, "pay with this budget for animatic at 320x192."),
        ({"search": {"draft": None}}, ""),
    ],
)
def test_a_plan_says_why_no_drafts_are_made_by_themselves(data: dict[str, object], why: str) -> None:
    config = check({"request": {"prompt": "a boat"}, **data})
    request = tiered(config, plain(config.request, capabilities(config.generator)))
    assert unasked(config, request).endswith(why)
    assert bool(why) == bool(unasked(config, request))
