"""Racing: what is given up once a candidate is accepted, what ends all the same, and what a resumed run makes of it."""

import asyncio
import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from rich.console import Console

from agent import journal
from agent.api import raced
from agent.controller import Controller, Lost
from agent.events import Event, RenderProgressed, SeedGivenUp
from agent.journal import Journal
from agent.memory import Memory, RememberedCritic, RememberedGenerator, RememberedReasoner
from agent.racing import Racing
from agent.reading import check
from agent.report.page import render as report
from agent.resuming import again, reopened, within
from agent.run import Run
from agent.serving.in_turn import GeneratorInTurn
from agent.serving.turns import Turns
from agent.stopping import sentence
from agent.terminal import Lively, Plain
from agent.types import Canaries, Draft, GivenUp
from critic.types import Critique, JudgeError
from generator import job_slip
from generator.animatic import Animatic
from generator.config import AnimaticConfig
from generator.types import Clip, Generator, Progress, RenderError, RenderSpec
from tests.limits import limit
from tests.omni import Omni, connected, until
from tests.pages import Page
from tests.parts import SPEC, Recorder, ScriptedCritic, ScriptedGenerator, ScriptedReasoner, make_critique, make_run

Stage = tuple[int, str]


def stage(*facts: object) -> Progress:
    """A word on a seed: seed, stage, and maybe seconds, step and steps."""
    return Progress.model_validate(dict(zip(("seed", "stage", "seconds", "step", "steps"), facts, strict=False)))


@dataclass
class Slots(ScriptedGenerator):
    """Renders two at once and tells it. Those of `held` go on until they are let go."""

    tell: Callable[[Progress], None] = print
    held: tuple[int, ...] = ()
    words: dict[int, Sequence[Progress]] = field(default_factory=dict)
    """What is told of a seed once it renders."""
    go: asyncio.Event = field(default_factory=asyncio.Event)
    cancelled: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.slots = asyncio.Semaphore(2)

    async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
        self.tell(stage(seed, "queued"))
        try:
            async with self.slots:
                self.tell(stage(seed, "rendering"))
                for told in self.words.get(seed, ()):
                    self.tell(told)
                if seed in self.held:
                    await self.go.wait()
                return await super().render(prompt, spec, seed=seed, to=to)
        except asyncio.CancelledError:
            self.cancelled.append(seed)
            raise


class Session:
    """One process's work on a run folder, with racing."""

    def __init__(self, folder: Path, *, stoppable: bool, accepted: int | None = 10) -> None:
        self.memory = Memory(folder, Recorder())
        self.slots = Slots(tell=self.hear)
        self.racing = Racing(self.slots, stoppable=stoppable)
        self.critic = ScriptedCritic(lambda text, seed: 0.9 if seed == accepted else 0.5)
        self.told: list[Event] = []
        self.run: Run
        self.controller: Controller | None = None

    def hear(self, progress: Progress) -> None:
        assert self.controller is not None
        self.controller.tell(RenderProgressed(progress=progress))

    async def carry(self, run: Run, lost: Lost = ()) -> Run:
        write = Journal(run)

        def emit(event: Event) -> None:
            write(event)
            self.told.append(event)
            if isinstance(event, SeedGivenUp):
                self.slots.go.set()  # the others may end now

        self.controller = Controller(
            reasoner=RememberedReasoner(ScriptedReasoner(), self.memory),
            generator=RememberedGenerator(self.racing, self.memory),
            critic=RememberedCritic(self.critic, self.memory),
            emit=emit,
            racing=self.racing,
        )
        return await self.controller.refine(run, lost=lost)


def start(folder: Path, **budget: object) -> Run:
    return make_run(folder, accept_at=0.8, **{"samples_per_iteration": 4, **budget})  # type: ignore[arg-type]


def seeds(run: Run) -> tuple[list[int], list[Stage]]:
    """Of the candidates, and of what was given up, in the first iteration."""
    first = run.iterations[0]
    return [c.seed for c in first.candidates], [(g.seed, g.stage) for g in first.given_up]


async def test_a_backend_that_can_stop_stops_all_and_the_seconds_are_lost(tmp_path: Path) -> None:
    session = Session(tmp_path, stoppable=True)
    session.slots.held = (11, 12, 13)
    session.slots.words = {11: [stage(11, "rendering", 40.0, 3, 35)], 12: [stage(12, "rendering", 0.0)]}
    run = await session.carry(start(tmp_path))
    assert run.stop_reason == "accepted"
    assert seeds(run) == ([10], [(11, "rendering"), (12, "rendering"), (13, "queued")])
    assert session.slots.cancelled == [11, 12, 13]
    lost = [given_up.seconds for given_up in run.iterations[0].given_up]
    assert run.lost_seconds == pytest.approx(sum(lost), abs=0.002)
    assert lost[2] == 0.0
    assert (run.renders, run.iterations[0].missing) == (1, ())
    assert journal.load(tmp_path) == run


async def test_where_nothing_stops_a_running_render_it_ends_and_is_judged(tmp_path: Path) -> None:
    session = Session(tmp_path, stoppable=False)
    session.slots.held = (11, 12, 13)
    run = await session.carry(start(tmp_path))
    assert seeds(run) == ([10, 11, 12], [(13, "queued")])
    assert session.slots.cancelled == [13]
    assert run.lost_seconds == 0.0


@pytest.mark.parametrize(
    "words", [[stage(11, "delivering")], [stage(11, "rendering", 9.0, 35, 35)]], ids=["delivering", "last step"]
)
async def test_a_render_that_is_nearly_done_is_kept(tmp_path: Path, words: list[Progress]) -> None:
    session = Session(tmp_path, stoppable=True)
    session.slots.held, session.slots.words = (11, 12), {11: words}
    run = await session.carry(start(tmp_path, samples_per_iteration=3))
    assert seeds(run) == ([10, 11], [(12, "rendering")])


async def test_a_lost_render_is_not_sent_again_for_a_settled_run(tmp_path: Path) -> None:
    session = Session(tmp_path, stoppable=False)
    session.slots.held = (11,)
    run = start(tmp_path, samples_per_iteration=2)
    work = asyncio.create_task(session.carry(run))
    await until(lambda: any(event.type == "candidate_ready" for event in session.told))
    assert not work.done()
    session.hear(stage(11, "resubmitted", 12.0))
    run = await work
    assert seeds(run) == ([10], [(11, "queued")])
    assert run.lost_seconds == 12.0


async def test_what_the_backend_counts_as_lost_is_not_counted_again(tmp_path: Path) -> None:
    session = Session(tmp_path, stoppable=True)
    session.slots.held = (11,)
    session.slots.words = {11: [stage(11, "rendering", 5.0), stage(11, "abandoned", 7.0)]}
    run = await session.carry(start(tmp_path, samples_per_iteration=2))
    assert run.lost_seconds == 7.0
    assert run.iterations[0].given_up == (GivenUp(seed=11, stage="rendering"),)


@pytest.mark.parametrize("budget", [{"early_stop": False}, {}], ids=["early_stop off", "nothing accepted"])
async def test_nothing_is_given_up_without_need(tmp_path: Path, budget: dict[str, bool]) -> None:
    session = Session(tmp_path, stoppable=True, accepted=None if not budget else 10)
    run = await session.carry(start(tmp_path, max_iterations=1, **budget))
    assert seeds(run) == ([10, 11, 12, 13], [])


async def test_interrupting_is_no_giving_up(tmp_path: Path) -> None:
    session = Session(tmp_path, stoppable=False)
    session.slots.held = (11,)
    work = asyncio.create_task(session.carry(start(tmp_path, samples_per_iteration=2)))
    await until(lambda: any(event.type == "candidate_ready" for event in session.told))
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    stored = journal.load(tmp_path)
    assert stored.stop_reason == "cancelled"
    assert seeds(stored) == ([10], [])
    later = Session(tmp_path, stoppable=False)
    run = await later.carry(reopened(stored, keep=later.memory.intact, retry_failed=False))
    assert seeds(run) == ([10], [(11, "queued")])
    assert later.slots.started == []


async def test_a_resumed_run_judges_what_is_rendered_and_renders_no_more(tmp_path: Path) -> None:
    session = Session(tmp_path, stoppable=True)
    run = start(tmp_path, samples_per_iteration=3)
    caption = await RememberedReasoner(ScriptedReasoner(), session.memory).upsample(run.request.caption_request())
    run = run.with_caption(caption, (10, 11, 12))
    generator = RememberedGenerator(ScriptedGenerator(), session.memory)
    critic = RememberedCritic(session.critic, session.memory)
    for seed in (10, 11):  # two clips were done when the kill came, and one of them was judged
        clip = await generator.render(caption.prompt, SPEC, seed=seed, to=run.clip_path(0, seed))
        if seed == 10:
            await critic.judge(clip.path, run.request.prompt, None)
    done = await session.carry(run)
    assert session.slots.started == []
    assert seeds(done) == ([10, 11], [(12, "queued")])


async def test_a_lost_clip_of_a_settled_run_is_made_again(tmp_path: Path) -> None:
    session = Session(tmp_path, stoppable=False)
    session.slots.held = (11, 12, 13)
    first = await session.carry(start(tmp_path))
    first.iterations[0].candidates[1].clip.path.unlink()
    later = Session(tmp_path, stoppable=False)
    kept = reopened(journal.load(tmp_path), keep=later.memory.intact, retry_failed=False)
    run = await later.carry(within(kept, first.budget, 0.8), lost=[(0, 11)])
    assert run.iterations == first.iterations
    assert [seed for _, seed in later.slots.started] == [11]


async def test_failures_of_a_settled_run_are_tried_again_when_a_person_asks(tmp_path: Path) -> None:
    session = Session(tmp_path, stoppable=False)
    session.slots.fails = {11: RenderError("no")}
    first = await session.carry(start(tmp_path, samples_per_iteration=2))
    assert [failure.seed for failure in first.iterations[0].failures] == [11]
    session = Session(tmp_path, stoppable=False)
    session.memory.forget_failures()
    run = reopened(journal.load(tmp_path), keep=session.memory.intact, retry_failed=True)
    run = await session.carry(run, lost=again(first, run))
    assert seeds(run) == ([10, 11], [])


async def test_a_higher_threshold_brings_back_what_was_given_up(tmp_path: Path) -> None:
    session = Session(tmp_path, stoppable=True)
    session.slots.held = (11, 12, 13)
    first = await session.carry(start(tmp_path, max_iterations=1))
    kept = reopened(journal.load(tmp_path), keep=session.memory.intact, retry_failed=False)
    assert within(kept, first.budget, 0.8).iterations == first.iterations
    later = Session(tmp_path, stoppable=True)
    run = await later.carry(within(kept, first.budget, 0.99))
    assert seeds(run) == ([10, 11, 12, 13], [])
    assert (run.stop_reason, run.lost_seconds) == ("iterations", first.lost_seconds)


async def test_only_what_the_budget_pays_for_is_brought_back(tmp_path: Path) -> None:
    session = Session(tmp_path, stoppable=True)
    session.slots.held = (11, 12, 13)
    first = await session.carry(start(tmp_path, max_iterations=1))
    kept = reopened(journal.load(tmp_path), keep=session.memory.intact, retry_failed=False)
    run = within(kept, first.budget.model_copy(update={"max_renders": 3}), 0.99)
    assert (run.iterations[0].missing, [g.seed for g in run.iterations[0].given_up]) == ((11, 12), [13])


async def test_a_settled_run_that_the_clock_cuts_short_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session(tmp_path, stoppable=False)
    session.slots.held = (11,)
    clock = limit(1234, monkeypatch)
    carrying = asyncio.create_task(session.carry(start(tmp_path, samples_per_iteration=2, max_seconds=1234)))
    while not any(event.type == "candidate_ready" for event in session.told):
        await asyncio.sleep(0.001)
    clock.reschedule(0)
    run = await carrying
    assert session.slots.cancelled == [11], "the clock was up"
    assert run.stop_reason == "accepted"


async def test_the_report_and_the_terminal_say_why_there_are_fewer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = Session(tmp_path, stoppable=True)
    session.slots.held = (11, 12, 13)
    session.slots.words = {11: [stage(11, "rendering", 0.0)]}
    run = await session.carry(start(tmp_path))
    show = Plain()
    capsys.readouterr()
    for event in session.told:
        show(event)
    printed = capsys.readouterr().out
    assert re.search(r"seed 11 {10}given up after \d\.\d s of rendering: another is accepted", printed)
    assert "seed 13          given up before its render began: another is accepted" in printed
    assert "more if every iteration is used" not in printed
    assert sentence(run).endswith("The 3 renders left were given up.")
    said = Page(report(run)).said
    assert "1 candidate · best 0.90 · 3 given up" in said
    assert "seed 13 Given up before its render began: another clip was accepted." in said
    console = Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)
    live = Lively(console)
    for event in session.told:
        live(event)
    with console.capture() as capture:
        console.print(live)
    assert "  seed 13          given up before its render began: another is accepted" in capture.get()


async def test_a_run_of_before_there_was_racing_is_read(tmp_path: Path) -> None:
    run = await Session(tmp_path, stoppable=True, accepted=None).carry(start(tmp_path, max_iterations=1))
    path = tmp_path / "run.json"
    stored = json.loads(path.read_text())
    del stored["raw_first"], stored["iterations"][0]["given_up"]
    path.write_text(json.dumps(stored))
    assert journal.load(tmp_path) == run


@pytest.mark.parametrize(
    ("backend", "stoppable"),
    [("animatic", True), ("diffusers", True), ("vllm_omni", False), ("nim", False), ("fal", False)],
)
def test_only_what_really_stops_is_stopped(backend: str, stoppable: bool) -> None:
    settings = check({"generator": {"backend": backend}})
    racing = raced(settings, ScriptedGenerator(), print)
    assert racing is not None
    assert racing.stoppable == stoppable
    assert raced(check({"search": {"racing": False}}), ScriptedGenerator(), print) is None


@pytest.mark.parametrize(
    ("generator", "slots"),
    [
        ({"backend": "vllm_omni", "endpoints": ["http://127.0.0.1:1", "http://127.0.0.1:2"]}, 2),
        ({"backend": "vllm_omni", "serve": {"model": "m", "time_share": True}}, None),  # a verdict costs two loads
    ],
)
def test_as_many_are_unjudged_as_are_rendered_at_once(generator: dict[str, object], slots: int | None) -> None:
    data = {"generator": generator, "reasoner": {"backend": "openai", "serve": {}}, "critic": {"backend": "vlm"}}
    racing = raced(check(data), ScriptedGenerator(), print)
    assert racing is not None
    assert racing.slots == slots
    racing = raced(check({**data, "search": {"await_verdicts": False}}), ScriptedGenerator(), print)
    assert racing is not None
    assert racing.slots is None


async def order(session: Session, run: Run) -> list[str]:
    """What is begun and judged in the first iteration, in order: r10, j10, …"""
    session.racing.slots = 1
    session.racing.tell = session.hear
    happened: list[str] = []
    render, judge = session.slots.render, session.critic.judge

    async def rendered(prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
        happened.append(f"r{seed}")
        return await render(prompt, spec, seed=seed, to=to)

    async def judged(clip: Path, prompt: str, first_frame: Path | None) -> Critique:
        for _ in range(20):
            await asyncio.sleep(0)  # as long as another render would take to begin
        found = await judge(clip, prompt, first_frame)
        happened.append(f"j{clip.stem[-2:]}")
        return found

    session.slots.render, session.critic.judge = rendered, judged  # type: ignore[method-assign]
    session.run = await session.carry(run)
    return happened


async def test_the_next_is_begun_when_the_last_is_judged(tmp_path: Path) -> None:
    session = Session(tmp_path, stoppable=False, accepted=12)
    assert await order(session, start(tmp_path)) == ["r10", "j10", "r11", "j11", "r12", "j12"]
    assert session.run.stop_reason == "accepted"
    assert seeds(session.run) == ([10, 11, 12], [(13, "queued")])
    waits = [e.progress for e in session.told if isinstance(e, RenderProgressed) and e.progress.note]
    assert [(told.seed, told.stage, told.note) for told in waits] == [
        (seed, "queued", "waits for the verdict on a sibling") for seed in (11, 12, 13)
    ]


async def test_a_render_that_fails_holds_nobody_up(tmp_path: Path) -> None:
    session = Session(tmp_path, stoppable=False, accepted=None)
    session.slots.fails = {10: RenderError("no"), 12: RenderError("no")}
    session.critic.score = lambda text, seed: JudgeError("no") if seed == 11 else 0.5
    assert await order(session, start(tmp_path, max_iterations=1)) == ["r10", "r11", "r12", "r13", "j13"]


@pytest.mark.parametrize(
    "free", [{"accept_at": None}, {"budget": {"early_stop": False}}, {"draft": True}, {"self_test_failure": "no"}]
)
async def test_nobody_waits_where_no_verdict_can_settle_the_run(tmp_path: Path, free: dict[str, object]) -> None:
    session = Session(tmp_path, stoppable=False, accepted=None)
    run = start(tmp_path, max_iterations=1, early_stop="budget" not in free)
    if "accept_at" in free:
        run = run.model_copy(update={"accept_at": None})
    if "self_test_failure" in free:
        run = run.model_copy(update={"canaries": Canaries(), **free})
    if "draft" in free:
        spec = SPEC.model_copy(update={"num_frames": 5})
        draft = Draft(spec=spec, promote=1, seeds=1, ratio=2.0, assumes="nothing")
        run = run.model_copy(update={"request": run.request.model_copy(update={"draft": draft})})
    assert (await order(session, run))[:2] == ["r10", "r11"]


class Trusting(ScriptedCritic):
    """Accepts whatever is a file with something in it."""

    async def judge(self, clip: Path, prompt: str, first_frame: Path | None) -> Critique:
        assert clip.stat().st_size
        return make_critique(0.9)


class Race:
    """A run of three seeds on a real backend."""

    def __init__(self) -> None:
        self.controller: Controller | None = None

    def hear(self, progress: Progress) -> None:
        assert self.controller is not None
        self.controller.tell(RenderProgressed(progress=progress))

    async def run(self, generator: Generator, folder: Path, *, stoppable: bool) -> Run:
        racing = Racing(generator, stoppable=stoppable)
        self.controller = Controller(
            reasoner=ScriptedReasoner(),
            generator=racing,
            critic=Trusting(lambda text, seed: 0.9),
            emit=Recorder(),
            racing=racing,
        )
        return await self.controller.refine(start(folder, samples_per_iteration=3))

    def given_up(self) -> Sequence[GivenUp]:
        assert self.controller is not None
        return self.controller.run.iterations[0].given_up


async def test_a_queued_job_is_deleted_at_the_server_and_a_running_one_ends(tmp_path: Path) -> None:
    race, told = Race(), list[str]()

    def hear(progress: Progress) -> None:
        told.append(progress.stage)
        race.hear(progress)

    async with Omni() as server, connected(server, tell=hear, in_flight=3) as omni:
        server.hold()
        work = asyncio.create_task(race.run(omni, tmp_path, stoppable=False))
        await until(lambda: server.submits == 3 and "rendering" in told)
        server.release()
        server.hold()  # one may end, and no other
        await until(race.given_up)
        server.release()
        run = await work
        assert (server.submits, server.begun) == (3, 2)
        assert not server.jobs
    assert len(run.candidates) == 2
    assert [given_up.stage for given_up in race.given_up()] == ["queued"]
    assert (run.stop_reason, run.lost_seconds) == ("accepted", 0.0)


class _Settling(ScriptedGenerator):
    settled: tuple[Path, ...] = ()

    def settle(self, to: Path) -> None:
        self.settled = (*self.settled, to)


def test_a_slip_that_a_kill_left_is_settled_by_whoever_is_wrapped(tmp_path: Path) -> None:
    inner = _Settling()
    job_slip.settle(Racing(GeneratorInTurn(inner, Turns({}), "generator"), stoppable=False), tmp_path / "a.mp4")
    assert inner.settled == (tmp_path / "a.mp4",)


async def test_the_animatic_stops_between_frames(tmp_path: Path) -> None:
    race = Race()
    run = await race.run(Animatic(AnimaticConfig(concurrency=1), race.hear), tmp_path, stoppable=True)
    assert seeds(run) == ([10], [(11, "rendering"), (12, "queued")])
    assert run.lost_seconds > 0
    assert run.iterations[0].given_up[0].seconds == 0, "told by the backend, and not counted twice"
    assert sorted(p.name for p in (tmp_path / "clips").iterdir()) == ["01-seed-10.mp4", "01-seed-10.mp4.slip"]
