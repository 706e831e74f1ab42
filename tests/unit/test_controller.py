"""The loop: what it asks of whom, when it stops, and what it keeps."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent.controller import Controller
from agent.course import history
from agent.errors import ServingError, StorageError
from agent.run import Run
from critic.types import Critique, JudgeError, Score
from generator.types import Clip, RenderError, RenderSpec
from reasoner.types import Caption, CaptionError, CaptionRequest, Revision
from tests.limits import limit
from tests.parts import Outcome, Recorder, ScriptedCritic, ScriptedGenerator, ScriptedReasoner, make_run


def by_caption(*scores: float) -> ScriptedCritic:
    """A critic that scores caption n by the nth number, and each seed a little higher than the one before."""

    def score(prompt: str, seed: int) -> Outcome:
        return scores[int(prompt.split()[1])] + (seed - 10) * 0.01

    return ScriptedCritic(score)


async def refine(
    run: Run, critic: ScriptedCritic, *, emit: Recorder | None = None, **parts: object
) -> tuple[Run, Controller]:
    controller = Controller(
        reasoner=parts.get("reasoner") or ScriptedReasoner(),  # type: ignore[arg-type]
        generator=parts.get("generator") or ScriptedGenerator(),  # type: ignore[arg-type]
        critic=critic,
        emit=emit or Recorder(),
    )
    return await controller.refine(run), controller


async def test_uses_all_iterations_and_chooses_the_best(tmp_path: Path) -> None:
    run, _ = await refine(make_run(tmp_path, max_iterations=3), by_caption(0.3, 0.6, 0.5))
    assert run.stop_reason == "iterations"
    assert [len(i.candidates) for i in run.iterations] == [2, 2, 2]
    assert run.best is not None
    assert (run.best_iteration, run.best.seed) == (1, 11)
    assert run.score == pytest.approx(0.61)


async def test_the_critic_judges_against_the_users_prompt(tmp_path: Path) -> None:
    critic = by_caption(0.3, 0.4)
    await refine(make_run(tmp_path), critic)
    assert set(critic.prompts) == {"a boat"}


async def test_stops_early_when_accepted(tmp_path: Path) -> None:
    generator = ScriptedGenerator()
    run, _ = await refine(
        make_run(tmp_path, accept_at=0.7, max_iterations=5), by_caption(0.3, 0.695), generator=generator
    )
    assert run.stop_reason == "accepted"
    assert len(run.iterations) == 2
    assert len(generator.started) == 4


async def test_early_stop_off_goes_on_and_still_says_accepted(tmp_path: Path) -> None:
    run, _ = await refine(make_run(tmp_path, accept_at=0.2, early_stop=False), by_caption(0.3, 0.4))
    assert run.stop_reason == "iterations"
    assert run.accepted


async def test_a_broken_floor_is_never_accepted(tmp_path: Path) -> None:
    critic = by_caption(0.5, 0.6)
    critic.floor = 0.9
    run, _ = await refine(make_run(tmp_path, accept_at=0.1), critic)
    assert run.stop_reason == "iterations"
    assert not run.accepted


async def test_seeds_are_paired(tmp_path: Path) -> None:
    generator = ScriptedGenerator()
    await refine(
        make_run(tmp_path, max_iterations=3, samples_per_iteration=3), by_caption(0.1, 0.2, 0.3), generator=generator
    )
    assert [seed for _, seed in generator.started] == [10, 11, 12] * 3


async def test_reseed_uses_seeds_never_used(tmp_path: Path) -> None:
    generator = ScriptedGenerator()
    reasoner = ScriptedReasoner(reseed_from=1)
    run, _ = await refine(make_run(tmp_path, max_iterations=3), by_caption(0.5), generator=generator, reasoner=reasoner)
    assert [seed for _, seed in generator.started] == [10, 11, 12, 13, 14, 15]
    assert {prompt for prompt, _ in generator.started} == {"caption 0 of a boat"}
    assert run.leader == 0


async def test_rewrites_from_the_champion_and_knows_the_history(tmp_path: Path) -> None:
    reasoner = ScriptedReasoner()
    run, _ = await refine(make_run(tmp_path, max_iterations=4), by_caption(0.5, 0.3, 0.4, 0.6), reasoner=reasoner)
    assert [len(h) for h in reasoner.asked] == [0, 1, 2, 3]
    assert [i.parent for i in run.iterations] == [None, 0, 0, 0]
    gains = [r.gain for r in history(run).revisions]
    assert gains == [
        None,
        pytest.approx(-0.2),
        pytest.approx(-0.1),
        pytest.approx(0.1),
    ]
    assert run.leader == 3


async def test_the_rewriter_is_given_the_champion_and_not_the_last(tmp_path: Path) -> None:
    asked: list[int] = []

    class Noting(ScriptedReasoner):
        async def rewrite(self, request: CaptionRequest, history: Sequence[Revision], champion: int) -> Caption:
            asked.append(champion)
            return await super().rewrite(request, history, champion)

    await refine(make_run(tmp_path, max_iterations=5), by_caption(0.5, 0.3, 0.6, 0.6, 0.1), reasoner=Noting())
    assert asked == [0, 0, 2, 2]  # an equal caption is no better one


async def test_the_threshold_itself_is_reached(tmp_path: Path) -> None:
    run, _ = await refine(make_run(tmp_path, accept_at=0.5, samples_per_iteration=1), by_caption(0.5, 0.9))
    assert run.stop_reason == "accepted"


async def test_an_accepted_clip_wins_over_a_higher_score_below_a_floor(tmp_path: Path) -> None:
    scores = [Score(criterion=c, axis="motion", value=1, weight=1, floor=0, explanation="") for c in ("a", "b", "c")]
    sound = Critique.of([scores[0].model_copy(update={"value": 0.9})], feedback="", rubric="r", judge="j", seconds=0)
    low = scores[0].model_copy(update={"value": 0.79, "floor": 0.8, "weight": 0.1})
    broken = Critique.of([low, *scores[1:]], feedback="", rubric="r", judge="j", seconds=0)
    assert broken.overall > sound.overall

    class Two(ScriptedCritic):
        async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
            return sound if clip.read_text().endswith("10") else broken

    run, _ = await refine(make_run(tmp_path, accept_at=0.85), Two(lambda p, s: 0.0))
    assert run.stop_reason == "accepted"
    assert run.best is not None
    assert run.best.seed == 10


async def test_the_first_frame_goes_to_the_critic(tmp_path: Path) -> None:
    seen: list[Path | None] = []

    class Noting(ScriptedCritic):
        async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
            seen.append(first_frame)
            return await super().judge(clip, prompt, first_frame)

    run = make_run(tmp_path, max_iterations=1)
    spec = run.request.spec.model_copy(update={"first_frame": tmp_path / "first_frame.png"})
    run = run.model_copy(update={"request": run.request.model_copy(update={"spec": spec})})
    await refine(run, Noting(lambda p, s: 0.5))
    assert seen == [tmp_path / "first_frame.png"] * 2


async def test_a_part_that_cancels_itself_is_a_failure(tmp_path: Path) -> None:
    class Odd(ScriptedGenerator):
        async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
            if seed == 10:
                raise asyncio.CancelledError
            return await super().render(prompt, spec, seed=seed, to=to)

    run, _ = await refine(make_run(tmp_path, max_iterations=1), by_caption(0.5), generator=Odd())
    assert [f.seed for f in run.iterations[0].failures] == [10]
    assert [c.seed for c in run.candidates] == [11]


async def test_a_missing_file_of_a_part_is_its_failure_and_no_storage_error(tmp_path: Path) -> None:
    generator = ScriptedGenerator(fails={10: FileNotFoundError(2, "No such file or directory", "/models/x")})
    run, _ = await refine(make_run(tmp_path, max_iterations=1), by_caption(0.5), generator=generator)
    assert [f.seed for f in run.iterations[0].failures] == [10]


async def test_expansion_off_renders_the_users_words(tmp_path: Path) -> None:
    reasoner, generator = ScriptedReasoner(), ScriptedGenerator()
    run, _ = await refine(
        make_run(tmp_path, expand=False, max_iterations=1),
        ScriptedCritic(lambda p, s: 0.5),
        reasoner=reasoner,
        generator=generator,
    )
    assert generator.started[0] == ("a boat", 10)
    assert reasoner.asked == []
    assert run.iterations[0].caption.source == "raw"


async def test_max_renders_is_never_passed(tmp_path: Path) -> None:
    generator = ScriptedGenerator()
    run, _ = await refine(
        make_run(tmp_path, max_iterations=9, max_renders=5), by_caption(*[0.1] * 9), generator=generator
    )
    assert len(generator.started) == 5
    assert run.stop_reason == "renders"


async def test_one_failed_render_is_a_record(tmp_path: Path) -> None:
    generator = ScriptedGenerator(fails={10: RenderError("out of memory")})
    run, _ = await refine(make_run(tmp_path, max_iterations=1), by_caption(0.5), generator=generator)
    (iteration,) = run.iterations
    assert [(f.step, f.seed) for f in iteration.failures] == [("render", 10)]
    assert "out of memory" in iteration.failures[0].message
    assert [c.seed for c in iteration.candidates] == [11]


async def test_an_unreadable_critique_is_a_failure_and_keeps_its_clip(tmp_path: Path) -> None:
    critic = ScriptedCritic(lambda prompt, seed: JudgeError("not a video") if seed == 10 else 0.5)
    run, _ = await refine(make_run(tmp_path, max_iterations=1), critic)
    (failure,) = run.iterations[0].failures
    assert failure.step == "judge"
    assert failure.clip is not None
    assert failure.clip.path.exists()


async def test_all_failed_ends_the_run(tmp_path: Path) -> None:
    generator = ScriptedGenerator(fails={10: RenderError("a"), 11: RuntimeError("b")})
    run, _ = await refine(make_run(tmp_path, max_iterations=5), by_caption(0.5), generator=generator)
    assert run.stop_reason == "failed"
    assert run.best is None
    assert len(generator.started) == 2


async def test_all_failed_later_keeps_the_best(tmp_path: Path) -> None:
    critic = ScriptedCritic(lambda prompt, seed: 0.5 if "caption 0" in prompt else JudgeError("gone"))
    run, _ = await refine(make_run(tmp_path, max_iterations=5), critic)
    assert run.stop_reason == "failed"
    assert run.score == 0.5
    assert len(run.iterations) == 2


async def test_a_failing_reasoner_costs_the_edit_and_not_the_run(tmp_path: Path) -> None:
    reasoner = ScriptedReasoner(error=CaptionError("no reply"))
    run, _ = await refine(make_run(tmp_path), ScriptedCritic(lambda p, s: 0.5), reasoner=reasoner)
    assert run.stop_reason == "iterations"
    first, second = (i.caption for i in run.iterations)
    assert (first.source, first.prompt) == ("raw", "a boat")
    assert "no reply" in first.diagnosis
    assert second.reseed
    assert "no reply" in second.diagnosis


async def test_deadline_keeps_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator, recorder = ScriptedGenerator(delays={10: 0.0, 11: 3600.0}), Recorder()
    clock = limit(1234, monkeypatch)
    asked = make_run(tmp_path, max_seconds=1234)
    refining = asyncio.create_task(refine(asked, by_caption(0.5), emit=recorder, generator=generator))
    while "candidate_ready" not in recorder.types():
        await asyncio.sleep(0.001)
    clock.reschedule(0)
    run, _ = await refining
    assert run.stop_reason == "deadline"
    assert [c.seed for c in run.candidates] == [10]


async def test_seconds_spent_before_count(tmp_path: Path) -> None:
    controller = Controller(
        reasoner=ScriptedReasoner(), generator=ScriptedGenerator(delay=30), critic=by_caption(0.5), emit=Recorder()
    )
    run = await asyncio.wait_for(controller.refine(make_run(tmp_path, max_seconds=1000.0), seconds_spent=999.9), 10)
    assert run.stop_reason == "deadline"


async def test_cancelling_keeps_what_is_done_and_says_so(tmp_path: Path) -> None:
    recorder = Recorder()
    controller = Controller(
        reasoner=ScriptedReasoner(),
        generator=ScriptedGenerator(delays={11: 30.0}),
        critic=by_caption(0.5),
        emit=recorder,
    )
    task = asyncio.create_task(controller.refine(make_run(tmp_path)))
    while not any(t == "candidate_ready" for t in recorder.types()):
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert controller.run.stop_reason == "cancelled"
    assert [c.seed for c in controller.run.candidates] == [10]
    assert recorder.types()[-1] == "run_finished"


async def test_a_full_disk_ends_the_run(tmp_path: Path) -> None:
    recorder = Recorder()
    generator = ScriptedGenerator(fails={11: OSError(28, "No space left on device")}, delays={11: 0.1})
    controller = Controller(reasoner=ScriptedReasoner(), generator=generator, critic=by_caption(0.5), emit=recorder)
    with pytest.raises(StorageError, match="free some space"):
        await controller.refine(make_run(tmp_path))
    assert [c.seed for c in controller.run.candidates] == [10]
    assert controller.run.stop_reason == "failed"


async def test_a_server_that_is_gone_for_good_ends_the_run(tmp_path: Path) -> None:
    generator = ScriptedGenerator(fails={11: ServingError("the generator has ended")}, delays={11: 0.01})
    controller = Controller(reasoner=ScriptedReasoner(), generator=generator, critic=by_caption(0.5), emit=Recorder())
    with pytest.raises(ServingError, match="has ended"):
        await controller.refine(make_run(tmp_path))
    assert controller.run.ending is not None
    assert (controller.run.stop_reason, controller.run.ending.detail) == ("failed", "the generator has ended")


async def test_judging_overlaps_rendering(tmp_path: Path) -> None:
    recorder = Recorder()
    generator = ScriptedGenerator(delays={10: 0.0, 11: 0.2})
    await refine(make_run(tmp_path, max_iterations=1), by_caption(0.5), generator=generator, emit=recorder)
    types = recorder.types()
    last_render = len(types) - 1 - types[::-1].index("render_finished")
    assert types.index("candidate_ready") < last_render


async def test_candidates_stand_in_the_order_of_their_seeds(tmp_path: Path) -> None:
    generator = ScriptedGenerator(delays={10: 0.2, 11: 0.0, 12: 0.1})
    run, _ = await refine(
        make_run(tmp_path, max_iterations=1, samples_per_iteration=3), by_caption(0.5), generator=generator
    )
    assert [c.seed for c in run.iterations[0].candidates] == [10, 11, 12]


class OwnNegative(ScriptedReasoner):
    """Brings a negative prompt with its second caption only."""

    async def rewrite(self, request: CaptionRequest, history: Sequence[Revision], champion: int) -> Caption:
        caption = await super().rewrite(request, history, champion)
        return caption.model_copy(update={"negative_prompt": "blurry"})


async def test_a_captions_own_negative_prompt_is_rendered_and_recorded(tmp_path: Path) -> None:
    started = make_run(tmp_path)
    spec = started.request.spec.model_copy(update={"negative_prompt": "blurry, static"})
    started = started.model_copy(update={"request": started.request.model_copy(update={"spec": spec})})
    run, _ = await refine(started, by_caption(0.3, 0.4), reasoner=OwnNegative())
    asked = [{c.clip.spec.negative_prompt for c in i.candidates} for i in run.iterations]
    assert asked == [{"blurry, static"}, {"blurry"}]
