"""The final choice: who is compared, what decides, and what a failing model or a kill costs."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from agent import journal
from agent.choosing import Choosing, finalists
from agent.controller import Controller
from agent.errors import StorageError
from agent.events import Event
from agent.journal import Journal
from agent.memory import Memory, RememberedComparer, RememberedCritic, RememberedGenerator, RememberedReasoner
from agent.resuming import finished, reopened, within
from agent.run import Run
from agent.types import Candidate, Choice, Draft, Entrant, Export, Pairwise
from critic.types import Comparison, Critique, JudgeError, Score
from reasoner.types import Caption
from tests.limits import limit
from tests.parts import (
    SPEC,
    Outcome,
    Recorder,
    ScriptedComparer,
    ScriptedCritic,
    ScriptedGenerator,
    ScriptedReasoner,
    make_clip,
    make_critique,
    make_run,
)

RULES = Pairwise(margin=0.05, most=4)


def entrant(iteration: int, seed: int) -> Entrant:
    """The candidate of a seed."""
    return Entrant(iteration=iteration, seed=seed)


def judged(value: float, measured: float | None = None, *, floor: float = 0.0) -> Critique:
    """A critique of an asked score, and maybe a measured one, which alone is `Critique.measured`."""
    asked = make_critique(value, floor=floor).scores[0].model_copy(update={"method": "logprobs"})
    scores: list[Score] = [asked]
    if measured is not None:
        scores.append(asked.model_copy(update={"value": measured, "method": "measured", "weight": 1e-9, "floor": 0.0}))
    return Critique.of(scores, feedback="", rubric="r/1", judge="j/1", seconds=0.25)


def with_clips(run: Run, *critiques: Critique, spec: Any = SPEC, **caption: Any) -> Run:
    """The run with one more iteration of clips, each with its place written into the file."""
    number = len(run.iterations)
    tier = run.request.tier_of(spec)
    words = Caption(**{"prompt": f"caption {number}", "source": "rewrite", "reasoner": "r", **caption})
    run = run.with_caption(words, range(10, 10 + len(critiques)), tier)
    for seed, critique in zip(run.iterations[-1].seeds, critiques, strict=True):
        path = run.clip_path(number, seed)
        path.write_text(f"{number} {seed}")
        run = run.with_candidate(Candidate(clip=make_clip(path, seed, spec), critique=critique))
    return run


def scored(run: Run, *rows: Sequence[float]) -> Run:
    """The run with an iteration a row, a clip a score."""
    for row in rows:
        run = with_clips(run, *(judged(value) for value in row))
    return run


def better(best: str) -> Callable[[str, str], Outcome]:
    """The clip with these contents wins each comparison; the others are ties."""
    return lambda first, second: 0.9 if first == best else 0.1 if second == best else 0.5


async def chosen(run: Run, comparer: ScriptedComparer, *, rules: Pairwise = RULES, **more: Any) -> tuple[Run, Recorder]:
    """The run with its final choice, and what was told."""
    recorder = Recorder()
    await Choosing(comparer=comparer, rules=rules, **more).choose(run, recorder)
    for event in recorder.events:
        match event.type:
            case "clips_compared":
                run = run.with_duel(event.duel)
            case "choice_made":
                run = run.with_choice(event.choice)
            case other:
                raise AssertionError(other)
    return run, recorder


def made(run: Run) -> Choice:
    """The final choice."""
    assert run.choice is not None
    return run.choice


def test_finalists_are_near_to_the_best_score_the_highest_first(tmp_path: Path) -> None:
    run = scored(make_run(tmp_path), (0.85, 0.90), (0.849999, 0.87))
    assert finalists(run, RULES) == [entrant(0, 11), entrant(1, 11), entrant(0, 10)]  # 0.90 - 0.85 is the margin itself
    assert finalists(run, Pairwise(margin=0.04)) == [entrant(0, 11), entrant(1, 11)]
    assert finalists(run, Pairwise(margin=0.02)) == []  # one alone is none


def test_there_are_at_most_so_many(tmp_path: Path) -> None:
    run = scored(make_run(tmp_path), (0.5, 0.5, 0.51, 0.5, 0.5))
    assert finalists(run, RULES) == [entrant(0, 12), entrant(0, 10), entrant(0, 11), entrant(0, 13)]
    assert finalists(run, Pairwise(most=2)) == [entrant(0, 12), entrant(0, 10)]


def test_a_run_without_a_clip_has_none(tmp_path: Path) -> None:
    assert finalists(make_run(tmp_path), RULES) == []


def test_no_draft_stands_beside_a_render_as_asked(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    cheap = SPEC.model_copy(update={"width": 160, "height": 96})
    draft = Draft(spec=cheap, promote=1, seeds=1, ratio=8.0, assumes="nothing")
    run = run.model_copy(update={"request": run.request.model_copy(update={"draft": draft})})
    run = with_clips(run, judged(0.9), judged(0.89), spec=cheap)
    assert finalists(run, RULES) == [entrant(0, 10), entrant(0, 11)]  # there are none but drafts
    run = with_clips(run, judged(0.88))
    assert finalists(run, RULES) == []
    assert finalists(with_clips(run, judged(0.86)), RULES) == [entrant(1, 10), entrant(2, 10)]


def test_what_is_not_accepted_does_not_stand_beside_what_is(tmp_path: Path) -> None:
    run = make_run(tmp_path, accept_at=0.8)
    broken = Critique.of(
        [judged(0.99).scores[0], judged(0.79, floor=0.8).scores[0].model_copy(update={"weight": 0.01})],
        feedback="",
        rubric="r/1",
        judge="j/1",
        seconds=0.1,
    )
    assert not broken.floors_hold
    run = with_clips(run, judged(0.95), broken, judged(0.96), judged(0.79))
    assert broken.overall > 0.96
    assert finalists(run, RULES) == [entrant(0, 12), entrant(0, 10)]
    assert len(finalists(run.model_copy(update={"accept_at": None}), RULES)) == 3


def test_clips_that_captions_of_the_same_words_share_count_once(tmp_path: Path) -> None:
    run = scored(make_run(tmp_path), (0.5, 0.51))
    run = run.with_caption(run.iterations[0].caption, (10, 11))
    for candidate in run.iterations[0].candidates:
        run = run.with_candidate(candidate)
    assert finalists(run, RULES) == [entrant(0, 11), entrant(0, 10)]


async def test_a_lower_score_that_wins_in_both_orders_is_chosen(tmp_path: Path) -> None:
    run = scored(make_run(tmp_path, accept_at=0.8), (0.9, 0.88), (0.86, 0.4))
    assert run.best_iteration == 0
    comparer = ScriptedComparer(better("1 10"))
    run, recorder = await chosen(run, comparer)
    assert made(run) == Choice(
        chosen=entrant(1, 10),
        among=(entrant(0, 10), entrant(0, 11), entrant(1, 10)),
        by="comparison",
        words="3 candidates are within 0.05 of the best score; of 3 comparisons in both orders 1 is a tie. The chosen "
        "one won most.",
    )
    assert recorder.types() == ["clips_compared"] * 3 + ["choice_made"]
    assert comparer.compared == [("0 10", "0 11"), ("0 10", "1 10"), ("0 11", "1 10")]
    assert (run.best_iteration, run.score, run.accepted) == (1, 0.86, True)
    assert run.prompt == "caption 1"
    assert run.video == run.clip_path(1, 10)
    assert run.seconds["compare"] == 0.375


async def test_the_export_is_of_the_chosen_clip(tmp_path: Path) -> None:
    run = scored(make_run(tmp_path), (0.9, 0.88))
    clip = run.iterations[0].candidates[0].clip
    to = tmp_path / "out.mp4"
    facts = {"path": to, "poster": to, "thumbnail": to, "form": {}, "size_bytes": 1, "copied": True, "seconds": 0.1}
    source = {"effective": clip.effective, "clip": clip.path, "clip_sha256": "0", "iteration": 0, "seed": 10}
    run = run.with_export(Export.model_validate(facts | source))
    assert (run.exported, run.video) == (True, tmp_path / "out.mp4")
    run, _ = await chosen(run, ScriptedComparer(better("0 11")))
    assert (run.exported, run.video) == (False, run.clip_path(0, 11))


async def test_a_lean_to_one_place_decides_nothing(tmp_path: Path) -> None:
    """Whatever is shown first wins: each comparison is a tie, and the score is left."""
    run = scored(make_run(tmp_path), (0.88, 0.9))
    run, _ = await chosen(run, ScriptedComparer(lambda first, second: 0.5, bias=0.4))
    assert [duel.comparison.outcome for duel in run.duels] == ["tie"]
    assert (made(run).chosen, made(run).by) == (entrant(0, 11), "score")
    assert made(run).words == (
        "2 candidates are within 0.05 of the best score; of 1 comparison in both orders 1 is a tie. Of 2 with as many "
        "wins the score decided: not all could be measured."
    )


async def test_ties_are_broken_by_what_the_critiques_measured(tmp_path: Path) -> None:
    run = with_clips(make_run(tmp_path), judged(0.9, 0.6), judged(0.89, 0.8), judged(0.88, 0.7))
    run, _ = await chosen(run, ScriptedComparer(lambda first, second: 0.5))
    assert (made(run).chosen, made(run).by) == (entrant(0, 11), "signals")
    assert made(run).words.endswith("Of 3 with as many wins the chosen one measures best (0.80 by the signals).")


async def test_only_those_with_most_wins_are_measured(tmp_path: Path) -> None:
    """0 and 1 tie and both beat 2, which measures best."""
    run = with_clips(make_run(tmp_path), judged(0.9, 0.6), judged(0.89, 0.7), judged(0.88, 0.99))
    run, _ = await chosen(run, ScriptedComparer(lambda first, second: 0.9 if second == "0 12" else 0.5))
    assert made(run).chosen == entrant(0, 11)


@dataclass
class Measuring:
    """A critic of measured signals, by the contents of a clip."""

    values: dict[str, Outcome]
    id: str = "measuring/1"
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
        self.asked.append((clip.read_text(), prompt))
        value = self.values[clip.read_text()]
        if isinstance(value, Exception):
            raise value
        return make_critique(value)


async def test_a_model_alone_has_its_ties_measured(tmp_path: Path) -> None:
    run = scored(make_run(tmp_path), (0.9, 0.89))
    measuring = Measuring({"0 10": 0.3, "0 11": 0.4})
    run, _ = await chosen(run, ScriptedComparer(lambda first, second: 0.5), measuring=measuring)
    assert (made(run).chosen, made(run).by) == (entrant(0, 11), "signals")
    assert measuring.asked == [("0 10", "a boat"), ("0 11", "a boat")]


async def test_what_cannot_be_measured_is_no_zero(tmp_path: Path) -> None:
    run = scored(make_run(tmp_path), (0.9, 0.89))
    measuring = Measuring({"0 10": JudgeError("does not decode"), "0 11": 0.4})
    run, _ = await chosen(run, ScriptedComparer(lambda first, second: 0.5), measuring=measuring)
    assert (made(run).chosen, made(run).by) == (entrant(0, 10), "score")
    assert made(run).words.endswith("the score decided: not all could be measured.")


async def test_equals_in_all_are_chosen_by_the_score_and_the_earlier_one(tmp_path: Path) -> None:
    run = with_clips(make_run(tmp_path), judged(0.88, 0.7), judged(0.9, 0.7), judged(0.9, 0.7))
    run, _ = await chosen(run, ScriptedComparer(lambda first, second: 0.5))
    assert (made(run).chosen, made(run).by) == (entrant(0, 11), "score")


async def test_a_model_that_fails_costs_the_comparisons_and_not_the_run(tmp_path: Path) -> None:
    run = scored(make_run(tmp_path), (0.88, 0.9, 0.89))
    fails: Callable[[str, str], Outcome] = lambda first, second: JudgeError("no answer") if "0 12" in second else 0.9  # noqa: E731
    run, recorder = await chosen(run, ScriptedComparer(fails))
    assert recorder.types() == ["clips_compared", "choice_made"]  # what was asked in vain is counted all the same
    assert (made(run).chosen, made(run).by) == (entrant(0, 11), "score")
    assert [(d.first, d.second) for d in run.duels] == [(entrant(0, 10), entrant(0, 11))]
    assert made(run).words == (
        "3 candidates are within 0.05 of the best score, and the score decided: comparing the clips of seeds 10 and "
        "12: no answer"
    )


@dataclass
class Slow(ScriptedComparer):
    """One pair fails at once; the others would take for ever."""

    begun: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    async def compare(self, first: Path, second: Path, prompt: str, first_frame: Path | None) -> Comparison:
        if second.read_text() == "0 12":
            return await super().compare(first, second, prompt, first_frame)
        self.begun.append(first.read_text())
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.append(first.read_text())
        raise AssertionError


async def test_a_failed_disk_ends_the_comparisons_beside(tmp_path: Path) -> None:
    run = scored(make_run(tmp_path), (0.9, 0.89, 0.88))
    comparer = Slow(lambda first, second: OSError(28, "No space left on device"))
    with pytest.raises(StorageError, match="free some space"):
        await Choosing(comparer=comparer, rules=RULES).choose(run, Recorder())
    assert comparer.ended == ["0 10"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_whoever_cancels_the_choice_cancels_its_comparisons(tmp_path: Path) -> None:
    run = scored(make_run(tmp_path), (0.9, 0.89))
    comparer = Slow(lambda first, second: 0.5)
    choosing = asyncio.create_task(Choosing(comparer=comparer, rules=RULES).choose(run, Recorder()))
    while not comparer.begun:
        await asyncio.sleep(0)
    choosing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await choosing
    assert comparer.ended == ["0 10"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


class KilledError(BaseException):
    """As sudden as a kill: nothing that the controller catches."""


@dataclass
class Session:
    """One process's work on a run folder: two captions of two clips, all near-equal, and the very last is best."""

    folder: Path
    kill_at: int = 10**9
    """Events of the choice after which nothing is told any more, the first at 1."""
    comparer: ScriptedComparer = field(
        default_factory=lambda: ScriptedComparer(lambda first, second: 0.1 if second.startswith("caption 1") else 0.5)
    )

    async def carry(self, run: Run) -> Run:
        """Carry it to its end, journal and memory in place."""
        write, memory, left = Journal(run), Memory(self.folder, Recorder()), self.kill_at

        def emit(event: Event) -> None:
            nonlocal left
            if event.type in {"clips_compared", "choice_made", "run_finished"}:
                left -= 1
                if left <= 0:
                    raise KilledError
            write(event)

        controller = Controller(
            reasoner=RememberedReasoner(ScriptedReasoner(), memory),
            generator=RememberedGenerator(ScriptedGenerator(), memory),
            critic=RememberedCritic(ScriptedCritic(lambda text, seed: 0.9 - 0.001 * seed), memory),
            emit=emit,
            choosing=Choosing(comparer=RememberedComparer(self.comparer, memory), rules=RULES),
        )
        return await controller.refine(run)


async def test_the_controller_chooses_at_the_end(tmp_path: Path) -> None:
    session = Session(tmp_path)
    run = await session.carry(make_run(tmp_path, max_iterations=2))
    assert (run.stop_reason, made(run).by, run.best_iteration) == ("iterations", "comparison", 1)
    assert made(run).chosen == entrant(1, 11)
    assert len(session.comparer.compared) == len(run.duels) == 6
    assert journal.load(tmp_path) == run


@pytest.mark.parametrize("moment", [1, 3, 7, 8])
async def test_a_kill_in_between_asks_no_two_clips_again(tmp_path: Path, moment: int) -> None:
    """Before the first comparison is told, between two, before the choice, and before the run's end."""
    whole = await Session(tmp_path / "whole").carry(make_run(tmp_path / "whole", max_iterations=2))
    folder = tmp_path / "killed"
    with pytest.raises(KilledError):
        await Session(folder, kill_at=moment).carry(make_run(folder, max_iterations=2))
    stored = journal.load(folder)
    assert len(stored.duels) == min(moment - 1, 6)
    later = Session(folder)
    run = await later.carry(reopened(stored, keep=Memory(folder, Recorder()).intact, retry_failed=False))
    assert later.comparer.compared == []
    assert (run.duels, run.choice, run.ending) == (whole.duels, whole.choice, whole.ending)


async def test_a_finished_run_keeps_its_choice_and_one_that_goes_on_makes_it_anew(tmp_path: Path) -> None:
    first = await Session(tmp_path).carry(make_run(tmp_path, max_iterations=2))
    stored = journal.load(tmp_path)
    kept = reopened(stored, keep=lambda clip: True, retry_failed=False)
    assert (kept.choice, kept.duels) == (None, ())
    assert finished(stored, within(kept, stored.budget, stored.accept_at))
    later = Session(tmp_path)
    more = within(kept, stored.budget.model_copy(update={"max_iterations": 3}), None)
    assert not finished(stored, more)
    run = await later.carry(more)
    assert len(made(run).among) == 4  # the two highest of seed 10, and those of seed 11 that still fit in
    known = {(duel.first, duel.second) for duel in first.duels}
    asked = [duel for duel in run.duels if (duel.first, duel.second) not in known]
    assert len(later.comparer.compared) == len(asked) > 0
    assert len(run.duels) == 6


async def test_a_run_that_was_cut_short_is_chosen_from_by_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its deadline while clips render, by its deadline while they are compared, and by whoever cancels it."""

    def controller(folder: Path, comparer: ScriptedComparer, delay: float) -> tuple[Controller, Run]:
        parts = Controller(
            reasoner=ScriptedReasoner(),
            generator=ScriptedGenerator(delays={11: delay}),
            critic=ScriptedCritic(lambda text, seed: 0.5),
            emit=Recorder(),
            choosing=Choosing(comparer=comparer, rules=RULES),
        )
        return parts, make_run(folder, max_iterations=1, samples_per_iteration=3, max_seconds=1234)

    async def cut(controller: Controller, run: Run, when: Callable[[], bool]) -> Run:
        clock = limit(1234, monkeypatch)
        refining = asyncio.create_task(controller.refine(run))
        while not when():
            await asyncio.sleep(0)
        clock.reschedule(0)
        return await refining

    comparer = Slow(lambda first, second: 0.5)
    late, run = controller(tmp_path / "late", comparer, 3600.0)
    run = await cut(late, run, lambda: hasattr(late, "run") and len(late.run.candidates) == 2)
    assert (run.stop_reason, run.choice, len(run.candidates)) == ("deadline", None, 2)
    assert comparer.ended == []

    comparing, run = controller(tmp_path / "comparing", comparer, 0.0)
    run = await cut(comparing, run, lambda: len(comparer.begun) == 3)
    assert (run.stop_reason, run.choice, run.duels) == ("iterations", None, ())
    assert len(comparer.ended) == 3
    assert run.score == 0.5

    cancelled, run = controller(tmp_path / "cancelled", comparer, 3600.0)
    task = asyncio.create_task(cancelled.refine(run.model_copy(update={"ending": None, "iterations": ()})))
    while len(getattr(cancelled, "run", run).candidates) < 2:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (cancelled.run.stop_reason, cancelled.run.choice) == ("cancelled", None)
