"""Two servers that take turns on one GPU, scripted: who runs when, who waits, and what happens when one fails."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

import pytest

from agent.errors import ServingError
from agent.serving.in_turn import ComparerInTurn, CriticInTurn, GeneratorInTurn, ReasonerInTurn
from agent.serving.turns import GENERATOR, REASONER, TurnError, Turns, first_turn
from reasoner.types import CaptionRequest
from tests.parts import SPEC, ScriptedComparer, ScriptedCritic, ScriptedGenerator, ScriptedReasoner


class Stage:
    """Two servers of which at most one may be up, and a diary of what happened."""

    def __init__(self) -> None:
        self.diary: list[str] = []
        self.up: set[str] = set()
        self.going: set[str] = set()
        self.broken: set[str] = set()
        self.stubborn: set[str] = set()
        self.gate = asyncio.Event()
        self.gate.set()
        """Cleared: a server that starts goes on loading."""

    def side(self, name: str) -> Callable[[], AbstractAsyncContextManager[object]]:
        @asynccontextmanager
        async def server() -> AsyncIterator[object]:
            assert not self.up, f"{name} starts while {self.up} is on the GPU"
            self.up.add(name)
            self.diary.append(f"+{name}")
            try:
                await asyncio.sleep(0)
                await self.gate.wait()
                if name in self.broken:
                    raise ServingError(f"{name} is out of memory")
                yield name
            finally:
                self.going.add(name)
                await asyncio.sleep(0.001)  # it takes its time to go
                self.going.discard(name)
                if name in self.stubborn:
                    raise OSError(f"{name} does not end")
                self.up.discard(name)
                self.diary.append(f"-{name}")

        return server

    def turns(self) -> Turns:
        return Turns({"a": self.side("a"), "b": self.side("b")})

    async def work(self, turns: Turns, side: str, name: str, until: asyncio.Event | None = None) -> None:
        async with turns.using(side):
            assert self.up == {side}
            assert not self.going, f"{name} was let in to a server that is being stopped"
            self.diary.append(name)
            await (until.wait() if until else asyncio.sleep(0))
            assert self.up == {side}
            self.diary.append(f"{name}.")


@pytest.fixture
async def stage() -> Stage:
    return Stage()


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)
    await asyncio.sleep(0.003)


async def test_a_server_is_started_for_its_first_user_and_stays(stage: Stage) -> None:
    async with stage.turns() as turns:
        await settled()
        assert stage.diary == []
        await stage.work(turns, "a", "1")
        await stage.work(turns, "a", "2")
        assert stage.up == {"a"}
    assert stage.diary == ["+a", "1", "1.", "2", "2.", "-a"]


async def test_the_side_changes_when_all_its_users_are_done(stage: Stage) -> None:
    """An iteration: renders side by side, each judged as soon as its turn comes, then the rewrite."""
    first, second = asyncio.Event(), asyncio.Event()
    async with stage.turns() as turns, asyncio.timeout(60):

        async def attempt(name: str, done: asyncio.Event) -> None:
            await stage.work(turns, "a", f"render {name}", done)
            await stage.work(turns, "b", f"judge {name}")

        one, two = (asyncio.create_task(attempt(n, e)) for n, e in (("1", first), ("2", second)))
        await settled()
        first.set()
        await settled()
        assert stage.up == {"a"}  # the judge of 1 waits for the render of 2
        second.set()
        await asyncio.gather(one, two)
        await stage.work(turns, "b", "rewrite")
        await stage.work(turns, "a", "render 3")
    starts = [line for line in stage.diary if line[0] in "+-"]
    assert starts == ["+a", "-a", "+b", "-b", "+a", "-a"]
    assert stage.diary.index("-a") > stage.diary.index("render 2.")


async def test_who_comes_late_cannot_keep_the_other_side_out(stage: Stage) -> None:
    async with stage.turns() as turns, asyncio.timeout(60):
        busy = True

        async def greedy() -> None:
            while busy:
                await stage.work(turns, "a", "again")

        hogs = [asyncio.create_task(greedy()) for _ in range(3)]
        await settled()
        await stage.work(turns, "b", "patient")
        busy = False
        await asyncio.gather(*hogs)
    at = stage.diary.index("patient")
    assert {"+b", "-a"} <= set(stage.diary[:at])
    assert "+a" in stage.diary[at:]  # and they get their turn again


async def test_many_users_of_both_sides_all_come_through(stage: Stage) -> None:
    async with stage.turns() as turns, asyncio.timeout(60):
        jobs = [stage.work(turns, "ab"[n * 7 % 3 % 2], str(n)) for n in range(40)]
        await asyncio.gather(*jobs)
    assert sum(line.endswith(".") for line in stage.diary) == 40
    assert stage.up == set()
    assert stage.diary.count("+a") + stage.diary.count("+b") == 2  # all who wait at once are served in one turn


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_comes_and_goes_each_is_served_and_one_server_runs(stage: Stage, seed: int) -> None:
    """Users come at random, some give up at random, and a server sometimes does not start."""
    dice = random.Random(seed)

    async def user(side: str, name: str) -> None:
        await asyncio.sleep(dice.random() * 0.02)
        async with turns.using(side):
            assert stage.up == {side}
            await asyncio.sleep(dice.random() * 0.002)
            assert stage.up == {side}

    async with stage.turns() as turns, asyncio.timeout(60):
        sides = dice.choices("ab", k=60)
        users = [asyncio.create_task(user(side, str(n))) for n, side in enumerate(sides)]
        given_up = set()
        for _ in range(10):
            await asyncio.sleep(0.002)
            given_up.add(number := dice.randrange(60))
            users[number].cancel()
            stage.broken = {"b"} if dice.random() < 0.2 else set()
        stage.broken = set()
        ends = await asyncio.gather(*users, return_exceptions=True)
        for number, (side, end) in enumerate(zip(sides, ends, strict=True)):
            assert (
                end is None
                or (number in given_up and isinstance(end, asyncio.CancelledError))
                or (side == "b" and isinstance(end, TurnError))
            ), (number, side, end)
        await stage.work(turns, "a", "last a")
        await stage.work(turns, "b", "last b")
    assert stage.up == set()


async def test_nobody_is_let_in_to_a_server_that_is_being_stopped(stage: Stage) -> None:
    """Whom it was stopped for gives up in that moment, and its side would look free."""
    async with stage.turns() as turns, asyncio.timeout(60):
        await stage.work(turns, "a", "1")
        waiting = asyncio.create_task(stage.work(turns, "b", "never"))
        while "a" not in stage.going:
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        await stage.work(turns, "a", "2")
    assert stage.diary == ["+a", "1", "1.", "-a", "+a", "2", "2.", "-a"]


async def test_a_waiting_user_that_is_cancelled_is_forgotten(stage: Stage) -> None:
    end = asyncio.Event()
    async with stage.turns() as turns, asyncio.timeout(60):
        working = asyncio.create_task(stage.work(turns, "a", "1", end))
        await settled()
        waiting = asyncio.create_task(stage.work(turns, "b", "never"))
        await settled()
        behind = asyncio.create_task(stage.work(turns, "a", "2"))
        await settled()
        assert "2" not in stage.diary
        waiting.cancel()
        await behind  # nobody of the other side waits any more: no need to wait for 1
        assert stage.diary == ["+a", "1", "2", "2."]
        end.set()
        await working
    assert "+b" not in stage.diary


async def test_a_user_that_is_cancelled_in_its_turn_frees_the_gpu(stage: Stage) -> None:
    async with stage.turns() as turns, asyncio.timeout(60):
        working = asyncio.create_task(stage.work(turns, "a", "1", asyncio.Event()))
        await settled()
        other = asyncio.create_task(stage.work(turns, "b", "2"))
        await settled()
        working.cancel()
        await other
    assert stage.diary == ["+a", "1", "-a", "+b", "2", "2.", "-b"]


async def test_a_user_cancelled_at_the_moment_it_is_let_in_holds_nothing(stage: Stage) -> None:
    async with stage.turns() as turns, asyncio.timeout(60):
        for ticks in range(12):
            for side in "ab":
                task = asyncio.create_task(stage.work(turns, side, "x", asyncio.Event()))
                for _ in range(ticks):
                    await asyncio.sleep(0)
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        await stage.work(turns, "a", "last a")
        await stage.work(turns, "b", "last b")
    assert stage.up == set()


@pytest.mark.parametrize("state", ["loading", "running", "changing"])
async def test_at_the_end_nothing_runs(stage: Stage, state: str) -> None:
    stack = stage.turns()
    turns = await stack.__aenter__()
    if state == "loading":
        stage.gate.clear()
    task = asyncio.create_task(stage.work(turns, "a", "1", asyncio.Event()))
    await settled()
    if state == "changing":
        task.cancel()
        task = asyncio.create_task(stage.work(turns, "b", "2"))
        await asyncio.sleep(0)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await stack.__aexit__()
    assert stage.up == set()


async def test_the_end_is_waited_for_though_it_is_cancelled_twice(stage: Stage) -> None:
    async def run() -> None:
        async with stage.turns() as turns:
            await stage.work(turns, "a", "1", asyncio.Event())

    task = asyncio.create_task(run())
    await settled()
    task.cancel()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stage.up == set()
    assert stage.diary[-1] == "-a"


async def test_a_server_that_does_not_start_is_said_to_all_who_wait_and_tried_again(stage: Stage) -> None:
    stage.broken = {"b"}
    async with stage.turns() as turns, asyncio.timeout(60):
        await stage.work(turns, "a", "1")
        told = await asyncio.gather(
            *(stage.work(turns, "b", "never") for _ in range(3)), stage.work(turns, "a", "2"), return_exceptions=True
        )
        assert [type(t) for t in told] == [TurnError] * 3 + [type(None)]
        assert str(told[0]) == "b is out of memory"
        with pytest.raises(ServingError, match="b is out of memory"):
            async with first_turn(turns, "b"):
                pass
        stage.broken = set()
        await stage.work(turns, "b", "3")
    assert stage.up == set()


async def test_a_server_that_does_not_end_ends_the_turns(stage: Stage) -> None:
    stage.stubborn = {"a"}
    turns = await stage.turns().__aenter__()
    await stage.work(turns, "a", "1")
    with pytest.raises(TurnError, match="a does not end"):
        await stage.work(turns, "b", "2")
    with pytest.raises(TurnError, match="the turns are over"):
        await stage.work(turns, "a", "3")
    with pytest.raises(OSError, match="a does not end"):
        await turns.__aexit__()
    assert "+b" not in stage.diary


async def test_a_failure_of_the_work_is_its_own(stage: Stage) -> None:
    async with stage.turns() as turns, asyncio.timeout(60):
        with pytest.raises(ValueError, match="mine"):
            async with turns.using("a"):
                raise ValueError("mine")
        await stage.work(turns, "b", "2")
    assert stage.diary == ["+a", "-a", "+b", "2", "2.", "-b"]


async def test_the_parts_know_nothing_of_turns(stage: Stage, tmp_path: Path) -> None:
    reasoner, generator, critic = ScriptedReasoner(), ScriptedGenerator(), ScriptedCritic(lambda _text, _seed: 0.5)
    asked = CaptionRequest(prompt="A hill", width=320, height=192, num_frames=9, fps=24)
    async with Turns({REASONER: stage.side(REASONER), GENERATOR: stage.side(GENERATOR)}) as turns:
        writes, renders = ReasonerInTurn(reasoner, turns, REASONER), GeneratorInTurn(generator, turns, GENERATOR)
        judges = CriticInTurn(critic, turns, REASONER)
        chooses = ComparerInTurn(ScriptedComparer(lambda _one, _other: 0.5), turns, REASONER)
        assert {writes.id, renders.id, judges.id, chooses.id} == {"scripted/1"}
        caption = await writes.upsample(asked)
        clip = await renders.render(caption.prompt, SPEC, seed=1, to=tmp_path / "a.mp4")
        await judges.judge(clip.path, "A hill", None)
        await chooses.compare(clip.path, clip.path, "A hill", None)
        await writes.rewrite(asked, [], 0)  # still the reasoner's turn
    assert [line for line in stage.diary if line[0] == "+"] == ["+reasoner", "+generator", "+reasoner"]
