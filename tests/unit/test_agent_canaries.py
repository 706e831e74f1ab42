"""The critic's test in a run: when it is due, and what a critic that fails it may no longer decide."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from agent import canaries, journal
from agent.canaries import FOLDER, due
from agent.controller import Controller
from agent.course import draft_accepted
from agent.events import Event
from agent.journal import Journal
from agent.memory import Memory, RememberedCritic, RememberedGenerator
from agent.racing import Racing
from agent.resuming import reopened, within
from agent.run import Run
from agent.stopping import promotion, sentence, verdicts
from agent.types import Canaries, Candidate, Draft, Entrant
from critic.canaries.types import Canary, SelfTest
from critic.types import Critique, JudgeError
from generator.types import Clip, RenderSpec
from reasoner.types import Caption
from tests.clips import write_clip
from tests.parts import SPEC, Recorder, ScriptedReasoner, make_clip, make_critique, make_run

SMALL = SPEC.model_copy(update={"width": 96, "height": 64})
SECONDS = 1.0
"""Of the generator's time that a clip takes."""
FIRST = Entrant(iteration=0, seed=10)
VERSIONS = ("control", "frozen", "reversed", "shuffled")
"""As many judgements as a test without a first frame takes, with that of another prompt."""


@dataclass
class Painting:
    """Renders real clips, so that there is something to doctor; a seed may take its time."""

    id: str = "painting/1"
    delays: dict[int, float] = field(default_factory=dict)

    async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
        await asyncio.sleep(self.delays.get(seed, 0.0))
        return write_clip(to, spec, seed=seed).model_copy(update={"seconds": SECONDS, "generator": self.id})


@dataclass
class Judge:
    """Scores a rendered clip by its iteration, and a doctored version as it is told to."""

    doctored: float | Exception = 0.2
    by_iteration: Callable[[int], float] = lambda number: 0.9
    id: str = "judge/1"
    judged: list[str] = field(default_factory=list)
    asked: list[tuple[str, Path | None]] = field(default_factory=list)

    async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
        self.judged.append(clip.name)
        self.asked.append((prompt, first_frame))
        if not clip.name.startswith("."):
            return make_critique(self.by_iteration(int(clip.name[:2]) - 1))
        if isinstance(self.doctored, Exception):
            raise self.doctored
        whole = clip.name == ".control.mp4.part" and prompt == "a boat"
        return make_critique(0.9 if whole else self.doctored)

    @property
    def versions(self) -> list[str]:
        """The doctored versions that it has judged."""
        return [name for name in self.judged if name.startswith(".")]


BLIND, SEEING = 0.9, 0.2
"""What a doctored version of a clip of 0.9 scores."""


def begin(folder: Path, *, gpu: float = 0.0, usd: float = 1e9, **budget: object) -> Run:
    """A run whose critic is tested before it spends more than so much."""
    run = make_run(folder, accept_at=0.8, **{"max_iterations": 3, **budget})  # type: ignore[arg-type]
    request = run.request.model_copy(update={"spec": SMALL})
    rules = Canaries(beyond_gpu_seconds=gpu, beyond_price_usd=usd)
    return run.model_copy(update={"request": request, "canaries": rules})


async def refine(run: Run, judge: Judge, emit: Callable[[Event], None] | None = None) -> Run:
    """Carry a run to its end."""
    emit = emit or Recorder()
    return await Controller(reasoner=ScriptedReasoner(), generator=Painting(), critic=judge, emit=emit).refine(run)


def a_test(value: float) -> SelfTest:
    """A test in which each version scored so much."""
    return SelfTest.of([Canary.of("frozen", value, 0.9)], critic="judge/1", control=0.9, seconds=1.0)


def with_clips(run: Run, *scores: float, **clip: Any) -> Run:
    """The run with one more iteration of clips."""
    run = run.with_caption(Caption(prompt="caption", source="upsample", reasoner="r"), range(10, 10 + len(scores)))
    for seed, score in zip(run.iterations[-1].seeds, scores, strict=True):
        path = run.clip_path(len(run.iterations) - 1, seed)
        run = run.with_candidate(Candidate(clip=make_clip(path, seed, **clip), critique=make_critique(score)))
    return run


@pytest.mark.parametrize(("gpu", "expected"), [(3.9, True), (4.0, False)])
def test_it_is_due_before_the_iteration_that_takes_the_run_beyond(tmp_path: Path, gpu: float, expected: bool) -> None:
    """Two clips of 1 s are there, two more are to come."""
    run = begin(tmp_path, gpu=gpu)
    assert not due(run)  # there is nothing to doctor yet
    run = with_clips(run, 0.5, 0.5, seconds=1.0)
    assert due(run) is expected
    assert not due(run.with_test(a_test(SEEING), FIRST))
    assert not due(run.without_test("no"))
    assert not due(run.model_copy(update={"canaries": None}))


@pytest.mark.parametrize(("usd", "expected"), [(1.59, True), (1.6, False)])
def test_money_counts_as_time_does(tmp_path: Path, usd: float, expected: bool) -> None:
    run = with_clips(begin(tmp_path, gpu=1e9, usd=usd), 0.5, 0.5, rendering={"price_usd": 0.4})
    assert due(run) is expected


def test_a_promotion_counts_at_its_own_price(tmp_path: Path) -> None:
    """Two drafts of 1 s are there; what comes next is one render of 8 s."""
    run = begin(tmp_path, gpu=9.9, max_iterations=1)
    draft = Draft(spec=SPEC, promote=1, seeds=1, ratio=8.0, assumes="nothing")
    run = run.model_copy(update={"request": run.request.model_copy(update={"draft": draft})})
    run = run.with_caption(Caption(prompt="caption", source="upsample", reasoner="r"), (10, 11), "draft")
    for seed in (10, 11):
        clip = make_clip(run.clip_path(0, seed), seed, seconds=1.0)
        run = run.with_candidate(Candidate(clip=clip, critique=make_critique(0.5)))
    assert promotion(run) == 0
    assert due(run)
    assert not due(run.model_copy(update={"canaries": Canaries(beyond_gpu_seconds=10.0)}))


async def test_a_critic_that_passes_may_end_the_run(tmp_path: Path) -> None:
    judge, recorder = Judge(SEEING), Recorder()
    run = await refine(begin(tmp_path), judge, recorder)
    assert run.self_test is not None
    assert (run.self_test.auc, run.self_test.critic) == (1.0, "judge/1")
    assert (run.stop_reason, len(run.iterations)) == ("accepted", 1)
    assert sorted(judge.versions) == sorted(f".{v}.mp4.part" for v in (*VERSIONS, "control"))
    assert recorder.types().index("critic_tested") > recorder.types().index("candidate_ready")
    assert not (tmp_path / FOLDER).exists()


async def test_a_critic_that_fails_may_not(tmp_path: Path) -> None:
    judge = Judge(BLIND)
    run = await refine(begin(tmp_path), judge)
    assert run.accepted
    assert (run.stop_reason, len(run.iterations)) == ("iterations", 3)
    assert len(judge.versions) == 5, "it is tested once"
    assert sentence(run).endswith("The critic may not end the run: it did not pass its self-test.")
    (accepted,) = [verdict for verdict in verdicts(run) if verdict.rule == "accepted"]
    assert (accepted.holds, accepted.value, accepted.limit) == (False, 0.9, 0.8)
    assert "it did not pass its self-test" in accepted.words


async def test_the_least_auc_is_the_configs(tmp_path: Path) -> None:
    run = begin(tmp_path)
    run = run.model_copy(update={"canaries": Canaries(beyond_gpu_seconds=0.0, least_auc=0.5)})
    assert (await refine(run, Judge(BLIND))).stop_reason == "accepted"  # all ties: 0.5


async def test_below_the_amount_no_test_is_needed(tmp_path: Path) -> None:
    judge = Judge(BLIND)
    run = await refine(begin(tmp_path, gpu=2 * SECONDS), judge)  # an accepted clip makes further ones needless
    assert (run.stop_reason, run.self_test, judge.versions) == ("accepted", None, [])


async def test_a_run_that_ends_before_a_test_says_that_there_was_none(tmp_path: Path) -> None:
    run = await refine(begin(tmp_path, max_iterations=1), Judge(BLIND))
    assert (run.accepted, run.stop_reason, run.self_test) == (True, "iterations", None)
    assert sentence(run).endswith("The critic may not end the run: it was not tested.")


async def test_a_test_that_cannot_be_made_is_told_and_withholds_as_a_failed_one(tmp_path: Path) -> None:
    judge, recorder = Judge(JudgeError("does not decode")), Recorder()
    run = await refine(begin(tmp_path), judge, recorder)
    assert recorder.types().count("critic_test_failed") == 1
    assert run.self_test_failure == "testing the critic: does not decode"
    assert (run.stop_reason, len(run.iterations), run.self_test) == ("iterations", 3, None)
    assert sentence(run).endswith("its self-test could not be made.")
    retried = within(reopened(run, keep=lambda clip: True, retry_failed=True), run.budget, run.accept_at)
    assert retried.self_test_failure == ""
    more = retried.model_copy(update={"budget": run.budget.model_copy(update={"max_iterations": 4})})
    assert (await refine(more, Judge(SEEING))).stop_reason == "accepted"


@pytest.mark.parametrize(("doctored", "given_up"), [(SEEING, [11]), (BLIND, [])])
async def test_siblings_are_given_up_on_the_word_of_a_tested_critic_alone(
    tmp_path: Path, doctored: float, given_up: list[int]
) -> None:
    """The second caption is accepted, after the test."""
    racing = Racing(Painting(delays={11: 0.1}), stoppable=True)
    judge = Judge(doctored, by_iteration=lambda number: 0.9 if number else 0.5)
    run = begin(tmp_path, max_iterations=2)
    run = await Controller(
        reasoner=ScriptedReasoner(), generator=racing, critic=judge, emit=Recorder(), racing=racing
    ).refine(run)
    assert run.self_test is not None
    assert [g.seed for g in run.iterations[1].given_up] == given_up
    assert run.stop_reason == ("accepted" if given_up else "iterations")


@pytest.mark.parametrize(("doctored", "rendered"), [(SEEING, [10, 11]), (BLIND, [10, 11, 12])])
async def test_what_was_given_up_before_a_failed_test_is_rendered_after_all(
    tmp_path: Path, doctored: float, rendered: list[int]
) -> None:
    """The first clip is accepted while no test is needed; the second, which was nearly done, makes one due."""
    racing = Racing(Painting(delays={12: 0.2}), stoppable=True)
    run = begin(tmp_path, gpu=1.5 * SECONDS, samples_per_iteration=3, max_iterations=2)
    recorder = Recorder()
    run = await Controller(
        reasoner=ScriptedReasoner(), generator=racing, critic=Judge(doctored), emit=recorder, racing=racing
    ).refine(run)
    assert recorder.types().index("seed_given_up") < recorder.types().index("critic_tested")
    assert [c.seed for c in run.iterations[0].candidates] == rendered
    assert [g.seed for g in run.iterations[0].given_up] == [seed for seed in (10, 11, 12) if seed not in rendered]
    assert run.stop_reason == ("accepted" if doctored == SEEING else "iterations")


def test_before_the_test_nothing_is_given_up(tmp_path: Path) -> None:
    run = with_clips(begin(tmp_path), 0.9)
    assert (run.accepted, run.settled) == (True, False)
    assert run.with_test(a_test(SEEING), FIRST).settled
    assert not run.with_test(a_test(BLIND), FIRST).settled


def test_an_accepted_draft_is_not_promoted_at_once_on_the_word_of_a_failed_critic(tmp_path: Path) -> None:
    draft = Draft(spec=SPEC, promote=1, seeds=1, ratio=8.0, assumes="nothing")
    run = begin(tmp_path)
    run = run.model_copy(update={"request": run.request.model_copy(update={"draft": draft})})
    run = run.with_caption(Caption(prompt="caption", source="upsample", reasoner="r"), (10,), "draft")
    run = run.with_candidate(Candidate(clip=make_clip(run.clip_path(0, 10), 10), critique=make_critique(0.9)))
    assert draft_accepted(run.with_test(a_test(SEEING), FIRST), 0)
    assert not draft_accepted(run.with_test(a_test(BLIND), FIRST), 0)
    assert (promotion(run.with_test(a_test(SEEING), FIRST)), promotion(run.with_test(a_test(BLIND), FIRST))) == (
        0,
        None,
    )


async def test_a_resumed_run_keeps_what_came_of_the_test(tmp_path: Path) -> None:
    run = begin(tmp_path, max_iterations=2)
    first = await refine(run, Judge(BLIND), Journal(run))
    stored = journal.load(tmp_path)
    assert stored.self_test == first.self_test
    judge = Judge(BLIND)
    kept = reopened(stored, keep=lambda clip: True, retry_failed=False)
    more = within(kept, stored.budget.model_copy(update={"max_iterations": 3}), 0.8)
    again = await refine(more, judge)
    assert (len(again.iterations), judge.versions, again.self_test) == (3, [], first.self_test)


async def test_another_critic_is_tested_anew(tmp_path: Path) -> None:
    first = await refine(begin(tmp_path, max_iterations=2), Judge(BLIND))
    kept = reopened(first, keep=lambda clip: True, retry_failed=False)
    judge = Judge(SEEING, id="judge/2")
    again = await refine(within(kept, first.budget.model_copy(update={"max_iterations": 3}), 0.8), judge)
    assert again.self_test is not None
    assert (again.self_test.critic, len(judge.versions), again.stop_reason) == ("judge/2", 5, "accepted")


async def test_a_run_that_is_no_longer_to_test_its_critic_trusts_it(tmp_path: Path) -> None:
    first = await refine(begin(tmp_path, max_iterations=2), Judge(BLIND))
    kept = reopened(first, keep=lambda clip: True, retry_failed=False).model_copy(update={"canaries": None})
    again = await refine(within(kept, first.budget, 0.8), Judge(BLIND))
    assert (again.stop_reason, len(again.iterations)) == ("accepted", 2)


class KilledError(BaseException):
    """As sudden as a kill."""


async def test_a_kill_after_the_judgements_asks_none_of_them_again(tmp_path: Path) -> None:
    """The versions have the same bytes each time, so their critiques are remembered."""
    stored = begin(tmp_path)
    write = Journal(stored)
    judge, recorder = Judge(SEEING), Recorder()

    def emit(event: Event) -> None:
        if event.type == "critic_tested":
            raise KilledError
        write(event)

    async def carry(run: Run, emit: Callable[[Event], None]) -> Run:
        memory = Memory(tmp_path, recorder)
        return await Controller(
            reasoner=ScriptedReasoner(),
            generator=RememberedGenerator(Painting(), memory),
            critic=RememberedCritic(judge, memory),
            emit=emit,
        ).refine(run)

    with pytest.raises(BaseExceptionGroup) as killed:
        await carry(stored, emit)
    assert killed.group_contains(KilledError)
    asked = len(judge.judged)
    kept = reopened(journal.load(tmp_path), keep=lambda clip: True, retry_failed=False)
    assert kept.self_test is None
    run = await carry(kept, Recorder())
    assert run.self_test is not None
    assert (len(judge.judged), run.stop_reason) == (asked, "accepted")
    assert recorder.types().count("step_recalled") == 5


async def test_a_draft_is_judged_beside_its_own_first_frame(tmp_path: Path) -> None:
    picture = tmp_path / "draft-first-frame.png"
    Image.new("RGB", (64, 64), "navy").save(picture)
    spec = SPEC.model_copy(update={"width": 64, "height": 64, "first_frame": picture})
    draft = Draft(spec=spec, promote=1, seeds=1, ratio=8.0, assumes="nothing")
    run = begin(tmp_path)
    run = run.model_copy(update={"request": run.request.model_copy(update={"draft": draft})})
    run = run.with_caption(Caption(prompt="caption", source="upsample", reasoner="r"), (10,), "draft")
    clip = write_clip(run.clip_path(0, 10), spec, seed=10)
    judge = Judge(SEEING)
    event = await canaries.tested(run.with_candidate(Candidate(clip=clip, critique=make_critique(0.5))), judge)
    assert event.type == "critic_tested"
    assert "first_frame_swapped" in [canary.kind for canary in event.test.canaries]
    others = {image for _, image in judge.asked} - {picture}
    assert judge.asked[0] == ("a boat", picture)
    assert others == {tmp_path / FOLDER / ".first_frame.png.part"}


async def test_a_test_that_is_broken_off_leaves_nothing_behind(tmp_path: Path) -> None:
    run = begin(tmp_path)
    clip = write_clip(run.clip_path(0, 10), SPEC.model_copy(update={"num_frames": 49}), seed=10)
    run = run.with_caption(Caption.raw("a boat"), (10,))
    run = run.with_candidate(Candidate(clip=clip, critique=make_critique(0.5)))
    task = asyncio.create_task(canaries.tested(run, Judge()))
    while not [*tmp_path.glob(f"{FOLDER}/.*.part")]:
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not (tmp_path / FOLDER).exists()


async def test_a_clip_too_bad_to_tell_anything_is_followed_by_a_better_one(tmp_path: Path) -> None:
    """A control near 0 ties with all its versions: that says nothing of the critic."""

    class Harsh(Judge):
        async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
            found = await super().judge(clip, prompt, first_frame)
            bad = clip.name.startswith(".") and sum(name.startswith(".control") for name in self.judged) <= 2
            return make_critique(0.1) if bad or clip.name.startswith("01-") else found

    critic = Harsh(SEEING)
    run = await refine(begin(tmp_path, samples_per_iteration=1), critic)
    assert run.self_test is not None
    assert run.self_test.conclusive
    assert run.tested is not None
    assert (run.tested.iteration, run.stop_reason) == (1, "accepted")
