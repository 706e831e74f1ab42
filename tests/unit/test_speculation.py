"""Captions begun ahead: when, when not, what they cost, and what a kill in the middle makes of it."""

import asyncio
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent import journal
from agent.api import speculating
from agent.controller import Controller
from agent.course import affordable, finals_affordable
from agent.errors import StorageError
from agent.events import CandidateReady, CaptionReady, CaptionStarted, Event, RenderProgressed, RenderStarted
from agent.journal import Journal
from agent.memory import Memory, RememberedCritic, RememberedGenerator, RememberedReasoner
from agent.racing import Racing
from agent.reading import check
from agent.resuming import again, reopened, within
from agent.run import Run
from agent.speculation import Speculation
from agent.types import Canaries, Candidate, Draft
from critic.types import Critique
from generator.types import Clip, Progress, RenderError, Rendering, RenderSpec
from reasoner.types import Caption, CaptionRequest, Revision
from tests.limits import limit
from tests.parts import (
    SPEC,
    Outcome,
    Recorder,
    ScriptedCritic,
    ScriptedGenerator,
    ScriptedReasoner,
    make_clip,
    make_critique,
    make_run,
)

Place = tuple[int, int]
CHEAP = SPEC.model_copy(update={"width": 160, "height": 96})


@dataclass
class Endpoints(ScriptedGenerator):
    """Renders `slots` at once and keeps the most that ever ran. Of `until`, a render ends once its event was told."""

    slots: int = 4
    until: Mapping[Place, Callable[[Event], bool]] = field(default_factory=dict)
    """By iteration and seed."""
    price: float | None = None
    running: int = 0
    most: int = 0
    cancelled: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.free = asyncio.Semaphore(self.slots)
        self.ready = {place: asyncio.Event() for place in self.until}

    def hear(self, event: Event) -> None:
        for place, told in self.until.items():
            if told(event):
                self.ready[place].set()

    async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
        name = to.name.removeprefix(".unremembered-")
        async with self.free:
            self.running += 1
            self.most = max(self.most, self.running)
            try:
                await asyncio.sleep(0)
                if (ready := self.ready.get((int(name[:2]) - 1, seed))) is not None:
                    await asyncio.wait_for(ready.wait(), 60)
                clip = await super().render(prompt, spec, seed=seed, to=to)
            except asyncio.CancelledError:
                self.cancelled.append(name)
                raise
            finally:
                self.running -= 1
        return clip.model_copy(update={"rendering": Rendering(price_usd=self.price)})


def begun(iteration: int) -> Callable[[Event], bool]:
    return lambda event: isinstance(event, CaptionReady) and event.iteration == iteration


def judged(iteration: int, seed: int) -> Callable[[Event], bool]:
    return lambda event: (
        isinstance(event, CandidateReady) and (event.iteration, event.candidate.seed) == (iteration, seed)
    )


def rising(prompt: str, seed: int) -> Outcome:
    """Each caption is a tenth better than the one before; "caption 0 of a boat" scores 0.1."""
    return (int(prompt.split()[1]) + 1 if prompt.startswith("caption") else 0) / 10 + (seed - 10) * 0.01


@dataclass
class Session:
    """One process's work on a run that speculates."""

    generator: Endpoints = field(default_factory=Endpoints)
    reasoner: ScriptedReasoner = field(default_factory=ScriptedReasoner)
    score: Callable[[str, int], Outcome] = rising
    slots: int | None = 4
    """None: it does not speculate."""
    racing: bool = False
    told: list[Event] = field(default_factory=list)
    also: Callable[[Event], None] = lambda event: None

    async def carry(self, run: Run, **more: object) -> Run:
        memory, write = Memory(run.folder, Recorder()), Journal(run)
        racing = Racing(self.generator, stoppable=True) if self.racing else None

        def emit(event: Event) -> None:
            write(event)
            self.told.append(event)
            self.generator.hear(event)
            self.also(event)

        controller = Controller(
            reasoner=RememberedReasoner(self.reasoner, memory),
            generator=RememberedGenerator(racing or self.generator, memory),
            critic=RememberedCritic(ScriptedCritic(self.score), memory),
            emit=emit,
            racing=racing,
            speculation=None if self.slots is None else Speculation(self.slots),
        )
        return await asyncio.wait_for(controller.refine(run, **more), 60)  # type: ignore[arg-type]

    def at(self, told: Callable[[Event], bool]) -> int:
        return next(n for n, event in enumerate(self.told) if told(event))


def start(folder: Path, **budget: object) -> Run:
    return make_run(folder, **{"max_iterations": 3, "speculate": True, **budget})  # type: ignore[arg-type]


async def test_a_slow_seed_does_not_hold_the_next_caption(tmp_path: Path) -> None:
    session = Session(Endpoints(until={(0, 11): begun(1), (1, 11): begun(2)}))
    run = await session.carry(start(tmp_path))
    assert run.stop_reason == "iterations"
    assert [[c.seed for c in i.candidates] for i in run.iterations] == [[10, 11]] * 3
    assert [i.parent for i in run.iterations] == [None, 0, 1]
    assert [len(told) for told in session.reasoner.asked] == [0, 1, 2]
    assert session.reasoner.asked[1][0].score == pytest.approx(0.10), "it was written from the one score there was"
    assert journal.load(tmp_path) == run


async def test_without_the_budgets_word_each_iteration_waits_for_all_of_the_one_before(tmp_path: Path) -> None:
    session = Session(Endpoints(delays={11: 0.03}), slots=None)
    run = await session.carry(start(tmp_path))
    assert len(run.candidates) == 6
    for index in (0, 1):
        assert session.at(judged(index, 11)) < session.at(begun(index + 1))
        assert session.reasoner.asked[index + 1][index].score == pytest.approx(0.105 + index / 10)


def test_the_config_says_so_and_the_generator_how_many(tmp_path: Path) -> None:
    assert speculating(check({})) is None
    servers = {"backend": "vllm_omni", "endpoints": ["http://a:1", "http://b:1", "http://c:1"]}
    assert speculating(check({"generator": servers, "budget": {"speculate": True}})) == Speculation(3)


@pytest.mark.parametrize("slots", [1, 2, 3])
async def test_only_an_endpoint_that_idles_speculates(tmp_path: Path, slots: int) -> None:
    until = {(index, 12): begun(index + 1) for index in (0, 1)} if slots > 1 else {}
    generator = Endpoints(slots=slots, until=until)
    session = Session(generator, slots=slots)
    run = await session.carry(start(tmp_path, samples_per_iteration=3))
    assert len(run.candidates) == 9
    assert generator.most <= slots
    for index in (1, 2):
        given = [event for event in session.told if isinstance(event, CaptionReady)][index]
        before = session.told[: session.told.index(given)]
        handed = [e for e in before if isinstance(e, RenderStarted)]
        assert len(handed) == 3 * index
        rendering = len(handed) - len([e for e in before if e.type == "render_finished"])
        assert rendering == 0 if slots == 1 else 1 <= rendering < slots


async def test_where_every_clip_is_there_a_rewrite_waits_for_all_scores(tmp_path: Path) -> None:
    class Slow(ScriptedCritic):
        async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
            await asyncio.sleep(0.03 if clip.read_text().endswith("11") else 0)
            return await super().judge(clip, prompt, first_frame)

    reasoner = ScriptedReasoner()
    controller = Controller(
        reasoner=reasoner,
        generator=ScriptedGenerator(),
        critic=Slow(rising),
        emit=Recorder(),
        speculation=Speculation(8),
    )
    await controller.refine(start(tmp_path, max_iterations=2))
    assert reasoner.asked[1][0].score == pytest.approx(0.105)


async def test_the_raw_prompt_and_its_expansion_are_rendered_side_by_side(tmp_path: Path) -> None:
    generator = Endpoints(
        until={(0, 10): lambda e: isinstance(e, RenderStarted) and (e.iteration, e.seed) == (1, 11), (0, 11): begun(1)}
    )
    session = Session(generator)
    run = await session.carry(start(tmp_path).model_copy(update={"raw_first": True}))
    assert [i.caption.source for i in run.iterations] == ["raw", "upsample", "rewrite"]
    assert generator.most == 4
    assert [len(told) for told in session.reasoner.asked] == [0, 2], "the rewrite knows scores of both"


async def test_two_promotions_are_rendered_side_by_side_and_only_after_all_drafts(tmp_path: Path) -> None:
    draft = Draft(spec=CHEAP, promote=2, seeds=1, ratio=8.0, assumes="nothing")
    run = start(tmp_path, max_iterations=2)
    run = run.model_copy(update={"request": run.request.model_copy(update={"draft": draft})})
    session = Session(Endpoints(delays={11: 0.03}, until={(2, 10): begun(3)}))
    run = await session.carry(run)
    assert [(i.tier, i.promoted) for i in run.iterations] == [
        ("draft", None),
        ("draft", None),
        ("target", 1),
        ("target", 0),
    ]
    assert session.at(judged(1, 11)) < session.at(begun(2))
    assert run.stop_reason == "iterations"


@pytest.mark.parametrize("raw_first", [False, True])
@pytest.mark.parametrize("most", [3, 4, 5])
async def test_max_renders_is_never_passed(tmp_path: Path, most: int, raw_first: bool) -> None:
    generator = Endpoints(slots=8, delays={11: 0.01})
    session = Session(generator, slots=8)
    run = start(tmp_path, max_iterations=9, max_renders=most).model_copy(update={"raw_first": raw_first})
    run = await session.carry(run)
    assert len(generator.started) == most
    assert run.stop_reason == "renders"
    assert [len(i.seeds) for i in run.iterations] == [2] * (most // 2) + [1] * (most % 2)


async def test_what_is_under_way_is_counted_as_spent(tmp_path: Path) -> None:
    generator = Endpoints(slots=8, until={(0, 11): begun(1), (0, 12): begun(1)}, price=0.4)
    run = start(tmp_path, max_iterations=9, samples_per_iteration=3, max_price_usd=2.1)
    run = await Session(generator, slots=8).carry(run.model_copy(update={"expected_usd": 0.4}))
    assert (len(generator.started), run.stop_reason) == (5, "price")
    assert [len(i.seeds) for i in run.iterations] == [3, 2]
    assert run.price.spent == pytest.approx(2.0)


def test_renders_under_way_are_paid_for_once_the_run_has_ended_they_are_not(tmp_path: Path) -> None:
    run = start(tmp_path, max_renders=5, max_price_usd=2.1).model_copy(update={"expected_usd": 0.4})
    assert (run.pending, affordable(run)) == (0, 5)
    run = run.with_caption(Caption.raw("a"), (10, 11)).with_caption(Caption.raw("b"), (10,))
    assert (run.pending, affordable(run), finals_affordable(run)) == (3, 2, 2)
    assert run.price.pending == pytest.approx(1.2)


@pytest.mark.parametrize("limit", [{"max_gpu_seconds": 100.0}, {"max_price_usd": 9.0}])
async def test_nothing_is_begun_ahead_before_it_is_known_what_a_render_costs(
    tmp_path: Path, limit: Mapping[str, float]
) -> None:
    session = Session(Endpoints(delays={10: 0.01}, until={(0, 11): begun(1)}, price=0.1))
    await session.carry(start(tmp_path, **limit).model_copy(update={"raw_first": True}))
    assert session.at(judged(0, 10)) < session.at(begun(1))


async def test_an_untested_critic_is_tested_first(tmp_path: Path) -> None:
    run = start(tmp_path).model_copy(update={"raw_first": True, "canaries": Canaries()})
    session = Session(Endpoints(delays={10: 0.01}, until={(0, 11): begun(1)}))
    await session.carry(run)
    assert session.at(judged(0, 10)) < session.at(begun(1))


async def test_a_rule_that_holds_of_half_an_iteration_neither_ends_the_run_nor_begins_another(tmp_path: Path) -> None:
    def score(prompt: str, seed: int) -> Outcome:
        return {"caption 0": 0.5, "caption 1": 0.4 if seed == 10 else 0.7}.get(prompt[:9], 0.9)

    session = Session(Endpoints(until={(1, 11): judged(1, 10)}), score=score)
    run = await session.carry(start(tmp_path, patience=1))
    assert len(run.iterations) == 3
    assert session.at(judged(1, 11)) < session.at(begun(2))
    assert run.stop_reason == "iterations"


async def test_the_caption_that_was_rewritten_is_the_parent_whatever_leads_since(tmp_path: Path) -> None:
    class Slow(ScriptedReasoner):
        gone: asyncio.Event

        async def rewrite(self, request: CaptionRequest, history: Sequence[Revision], champion: int) -> Caption:
            if len(history) == 2:
                assert champion == 1
                self.gone = asyncio.Event()
                await asyncio.wait_for(self.gone.wait(), 60)
            return await super().rewrite(request, history, champion)

    reasoner = Slow()

    def score(prompt: str, seed: int) -> Outcome:
        return {"caption 0": 0.5, "caption 1": 0.6 if seed == 10 else 0.1}.get(prompt[:9], 0.2)

    def hear(event: Event) -> None:
        if judged(1, 11)(event):
            reasoner.gone.set()

    generator = Endpoints(until={(1, 11): lambda e: isinstance(e, CaptionStarted) and e.iteration == 2})
    session = Session(generator, reasoner, score, also=hear)
    run = await session.carry(start(tmp_path))
    assert run.leader == 0
    assert [i.parent for i in run.iterations] == [None, 0, 1]
    assert [e.parent for e in session.told if isinstance(e, CaptionReady)] == [None, 0, 1]
    assert journal.load(tmp_path) == run


async def test_an_accepted_sibling_of_before_gives_up_what_was_begun_ahead(tmp_path: Path) -> None:
    later = {(1, seed): judged(9, 9) for seed in (10, 11)}
    session = Session(
        Endpoints(until={(0, 11): begun(1), **later}),
        score=lambda prompt, seed: 0.9 if (prompt[:9], seed) == ("caption 0", 11) else 0.3,
        racing=True,
    )
    run = await session.carry(start(tmp_path).model_copy(update={"accept_at": 0.8}))
    assert run.stop_reason == "accepted"
    assert (run.best_iteration, run.score) == (0, 0.9)
    assert [(g.seed, g.stage) for g in run.iterations[1].given_up] == [(10, "queued"), (11, "queued")]
    assert sorted(session.generator.cancelled) == ["02-seed-10.mp4", "02-seed-11.mp4"]
    assert not list((tmp_path / "clips").glob("02-*"))

    # with a higher threshold the run goes on: as far as the new budget pays for it
    reset = reopened(journal.load(tmp_path), keep=lambda clip: True, retry_failed=False)
    more = within(reset, run.budget, 0.99)
    assert [i.missing for i in more.iterations] == [(), (10, 11)]
    none = within(reset, run.budget.model_copy(update={"max_renders": 2}), 0.99)
    assert [i.missing for i in none.iterations] == [()]
    assert again(journal.load(tmp_path), none) == []
    resumed = await Session(score=session.score, racing=True).carry(more)
    assert (resumed.stop_reason, [len(i.candidates) for i in resumed.iterations]) == ("iterations", [2, 2, 2])


async def test_a_caption_that_nobody_needs_any_more_is_not_waited_for(tmp_path: Path) -> None:
    class Endless(ScriptedReasoner):
        async def rewrite(self, request: CaptionRequest, history: Sequence[Revision], champion: int) -> Caption:
            await asyncio.sleep(60)
            raise AssertionError

    generator = Endpoints(until={(0, 11): lambda e: isinstance(e, CaptionStarted) and e.iteration == 1})
    session = Session(generator, Endless(), lambda prompt, seed: 0.9 if seed == 11 else 0.3)
    run = await session.carry(start(tmp_path).model_copy(update={"accept_at": 0.8}))
    assert (run.stop_reason, len(run.iterations)) == ("accepted", 1)


async def test_a_caption_that_is_not_paid_for_any_more_begins_no_iteration(tmp_path: Path) -> None:
    class Slow(ScriptedReasoner):
        async def rewrite(self, request: CaptionRequest, history: Sequence[Revision], champion: int) -> Caption:
            while session.generator.running or not any(judged(0, 11)(event) for event in session.told):
                await asyncio.sleep(0.001)
            return await super().rewrite(request, history, champion)

    class Dear(Endpoints):
        """The second clip costs more than was to be expected of it."""

        async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
            clip = await super().render(prompt, spec, seed=seed, to=to)
            return clip.model_copy(update={"rendering": Rendering(price_usd=0.4 if seed == 10 else 2.0)})

    dear = Dear(until={(0, 11): lambda e: isinstance(e, CaptionStarted) and e.iteration == 1})
    session = Session(dear, Slow())
    run = await session.carry(start(tmp_path, max_price_usd=2.5).model_copy(update={"expected_usd": 0.4}))
    assert (run.stop_reason, len(run.iterations)) == ("price", 1)
    assert len(session.reasoner.asked) == 2, "it had been written"


async def test_the_clock_ends_two_iterations_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = limit(1234, monkeypatch)

    def hear(event: Event) -> None:
        if judged(1, 10)(event):
            clock.reschedule(0)

    session = Session(Endpoints(until={(0, 11): judged(9, 9), (1, 11): judged(9, 9)}), also=hear)
    run = await session.carry(start(tmp_path, max_iterations=2, max_seconds=1234))
    assert run.stop_reason == "deadline"
    assert [[c.seed for c in i.candidates] for i in run.iterations] == [[10], [10]]


async def test_a_full_disk_ends_the_run_while_a_caption_is_written(tmp_path: Path) -> None:
    class Endless(ScriptedReasoner):
        async def rewrite(self, request: CaptionRequest, history: Sequence[Revision], champion: int) -> Caption:
            await asyncio.sleep(60)
            raise AssertionError

    full = Endpoints(
        fails={11: OSError(28, "No space left on device")},
        until={(0, 11): lambda e: isinstance(e, CaptionStarted) and e.iteration == 1},
    )
    with pytest.raises(StorageError, match="free some space"):
        await Session(full, Endless()).carry(start(tmp_path))
    assert journal.load(tmp_path).stop_reason == "failed"


async def test_an_iteration_that_failed_as_a_whole_ends_the_run_and_what_was_begun_is_judged(tmp_path: Path) -> None:
    class Broken(Endpoints):
        async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
            if prompt == "a boat":
                raise RenderError("no")
            return await super().render(prompt, spec, seed=seed, to=to)

    session = Session(Broken())
    run = await session.carry(start(tmp_path).model_copy(update={"raw_first": True}))
    assert run.stop_reason == "failed"
    assert [len(i.candidates) for i in run.iterations][:1] == [0]


async def test_of_two_renders_of_a_seed_each_is_told_of_its_own(tmp_path: Path) -> None:
    """The first render ends for free, its twin of another caption does not."""
    generator = Endpoints(slots=8, until={(0, 11): judged(9, 9), (1, 11): judged(9, 9)})
    racing = Racing(generator, stoppable=True)
    run = start(tmp_path, max_iterations=2)
    tasks = [
        asyncio.create_task(racing.render("a", SPEC, seed=11, to=run.clip_path(0, 11))),
        asyncio.create_task(racing.render("b", SPEC, seed=11, to=run.clip_path(1, 11))),
    ]
    while generator.running < 2:
        await asyncio.sleep(0.001)
    told = Progress(seed=11, clip="01-seed-11.mp4", stage="delivering")
    racing.heed(run, RenderProgressed(progress=told))
    run = run.with_caption(Caption.raw("a"), (10, 11)).model_copy(update={"accept_at": 0.5})
    clip = make_clip(run.clip_path(0, 10), 10)
    racing.begin(run.with_candidate(Candidate(clip=clip, critique=make_critique(0.9))))
    await asyncio.wait([tasks[1]])
    assert [task.done() for task in tasks] == [False, True]
    generator.ready[0, 11].set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert generator.cancelled == ["02-seed-11.mp4"]


async def test_two_that_want_the_same_render_at_once_share_it(tmp_path: Path) -> None:
    class Same(ScriptedReasoner):
        """Its expansion is the prompt itself."""

        async def upsample(self, request: CaptionRequest) -> Caption:
            return Caption(prompt=request.prompt, source="upsample", reasoner=self.id)

    generator = Endpoints(slots=8, delays={10: 0.02, 11: 0.02})
    session = Session(generator, Same(), slots=8)
    run = await session.carry(start(tmp_path, max_iterations=2).model_copy(update={"raw_first": True}))
    assert [c.seed for c in run.candidates] == [10, 11, 10, 11]
    assert generator.started == [("a boat", 10), ("a boat", 11)]


@pytest.mark.parametrize(
    ("raw_first", "every"),
    [(False, 6), pytest.param(False, 1, marks=pytest.mark.thorough), pytest.param(True, 1, marks=pytest.mark.thorough)],
)
async def test_killed_at_any_moment_it_goes_on_and_renders_nothing_twice(
    tmp_path: Path, raw_first: bool, every: int
) -> None:
    folder = tmp_path / "run"
    moments: list[Path] = []

    def kill(event: Event) -> None:
        """What a kill in this moment would leave."""
        if len(session.told) % every == 0:
            moments.append(shutil.copytree(folder, tmp_path / f"killed-{len(moments)}"))

    session = Session(Endpoints(until={(0, 11): begun(1), (1, 11): begun(2)}), also=kill)
    whole = await session.carry(start(folder).model_copy(update={"raw_first": raw_first}))
    assert [len(i.candidates) for i in whole.iterations] == [2, 2, 2]
    assert len(moments) >= 20 // every
    for left in moments:
        done = {p.name.removeprefix(".unremembered-") for p in (left / "clips").glob("*.mp4")}
        later = Session()
        stored = journal.load(left)
        run = reopened(stored, keep=Memory(left, Recorder()).intact, retry_failed=False)
        run = await later.carry(within(run, stored.budget, None))
        anew = [p for p, _ in later.generator.finished]
        assert len(anew) == 6 - len(done), "nothing is rendered twice, and nothing is left out"
        assert [[c.seed for c in i.candidates] for i in run.iterations] == [[10, 11]] * 3
        assert [i.caption.prompt for i in run.iterations] == [i.caption.prompt for i in whole.iterations]
        assert run.stop_reason == whole.stop_reason
