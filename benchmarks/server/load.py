"""The load generator, a process of its own: clients that submit, ask after their job at a fixed rate, and submit again.

python -m benchmarks.server.load < PLAN, with a `Plan` as JSON; prints a `Loaded` as JSON.

Every client has one connection to the server and one to the bare application, and asks them by turns of a few seconds,
so that both are measured under the same load of the machine. A question has its time on the clock: where the answer
before it came late, the wait counts from that time on, and not from when the client was free to ask.
"""

import asyncio
import resource
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import uvloop
from pydantic import BaseModel, ConfigDict

from benchmarks.server.wire import Answered, Line

TURN_SECONDS = 3.0
"""Below uvicorn's five after which an idle connection is closed."""


class _Noun(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Words(_Noun):
    """How a dialect is spoken."""

    submit: str
    """Path of POST."""
    body: dict[str, str | int | bool]
    """Beside the prompt."""
    id: str
    """Field of the answer."""
    status: str
    """Path of GET, with {id}."""
    over: tuple[str, ...]
    """What stands in the status of a job that is over."""
    failed: tuple[str, ...]
    """What does in that of one that failed."""


FAL = Words(
    submit="/fal/queue/nvidia/cosmos-3-super/text-to-video",
    body={"num_frames": 5, "enable_agentic_generation": True, "enable_safety_checker": False},
    id="request_id",
    status="/fal/queue/nvidia/cosmos-3-super/requests/{id}/status?logs=false",
    over=('"COMPLETED"',),
    failed=('"error"',),
)
RUNS = Words(
    submit="/v1/runs",
    body={"num_frames": 5},
    id="id",
    status="/v1/runs/{id}",
    over=('"completed"', '"failed"', '"cancelled"'),
    failed=('"failed"', '"cancelled"'),
)
DIALECTS = {"fal": FAL, "runs": RUNS}


class Plan(_Noun):
    """What is to be done."""

    server: str
    bare: str | None
    """None: the server alone, without turns."""
    words: Words
    clients: int
    rate: float
    """Questions a second of each client."""
    seconds: float
    """That each of the two is asked for."""
    submits: float
    """A second, beside those of the clients."""
    warm_seconds: float


class Times(_Noun):
    """Milliseconds."""

    count: int = 0
    p50: float = 0.0
    p99: float = 0.0
    most: float = 0.0


class Loaded(_Noun):
    """What was measured."""

    status: Times
    submit: Times
    bare_status: Times
    bare_submit: Times
    ended: int
    """Jobs that clients saw end."""
    failed: int
    errors: dict[str, int]
    """How often, by what was answered."""
    reconnects: int
    processor_seconds: float
    """Of this process."""
    wall_seconds: float


Target = Literal["server", "bare"]


@dataclass
class _Seen:
    times: dict[tuple[str, Target], list[float]] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)
    ended: int = 0
    failed: int = 0

    def add(self, what: str, target: Target, seconds: float) -> None:
        self.times.setdefault((what, target), []).append(seconds)

    def told(self, what: str, target: Target) -> Times:
        times = sorted(self.times.get((what, target), []))
        if not times:
            return Times()
        at = [times[min(len(times) - 1, int(len(times) * share))] * 1000 for share in (0.5, 0.99)]
        return Times(count=len(times), p50=round(at[0], 3), p99=round(at[1], 3), most=round(times[-1] * 1000, 3))


class Load:
    """Carries out a plan."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._seen = plan, _Seen()
        self._lines: list[Line] = []
        self._number = 0
        self._begin = 0.0

    async def run(self) -> Loaded:
        """Warm up, measure, and tell."""
        plan = self._plan
        self._begin = time.perf_counter() + plan.warm_seconds
        used = resource.getrusage(resource.RUSAGE_SELF)
        began = time.perf_counter()
        clients = [self._client(number) for number in range(plan.clients)]
        await asyncio.gather(*clients, self._sprinkle())
        await asyncio.gather(*(line.close() for line in self._lines))
        now = resource.getrusage(resource.RUSAGE_SELF)
        seen = self._seen
        return Loaded(
            status=seen.told("status", "server"),
            submit=seen.told("submit", "server"),
            bare_status=seen.told("status", "bare"),
            bare_submit=seen.told("submit", "bare"),
            ended=seen.ended,
            failed=seen.failed,
            errors=dict(seen.errors),
            reconnects=sum(line.reconnects for line in self._lines),
            processor_seconds=round(now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime, 2),
            wall_seconds=round(time.perf_counter() - began, 2),
        )

    @property
    def _end(self) -> float:
        return self._begin + self._plan.seconds * (1 if self._plan.bare is None else 2)

    def _target(self, at: float) -> Target:
        """Whose turn it is."""
        first = self._plan.bare is None or at < self._begin
        return "server" if first or int((at - self._begin) / TURN_SECONDS) % 2 == 0 else "bare"

    def _line(self, target: Target) -> Line:
        line = Line(self._plan.server if target == "server" else self._plan.bare or "")
        self._lines.append(line)
        return line

    async def _client(self, number: int) -> None:
        plan = self._plan
        lines: dict[Target, Line] = {"server": self._line("server"), "bare": self._line("bare")}
        bare = lines["bare"].request("GET", f"/status/{number}")
        status = b""
        tick = time.perf_counter() + number / plan.clients / plan.rate
        while tick < self._end:
            at = await _until(tick)
            target = self._target(tick)
            if target == "bare":
                await self._asked(lines["bare"], bare, "status", target, at)
            elif not status:
                status = await self._submitted(lines["server"], at)
            else:
                answered = await self._asked(lines["server"], status, "status", target, at)
                if answered is not None and self._over(answered):
                    status = b""
            tick += 1 / plan.rate

    async def _sprinkle(self) -> None:
        """Submits at a steady rate, after which nobody asks."""
        plan = self._plan
        lines: dict[Target, Line] = {"server": self._line("server"), "bare": self._line("bare")}
        tick = self._begin
        while plan.submits and tick < self._end:
            at = await _until(tick)
            if self._target(tick) == "server":
                await self._submitted(lines["server"], at)
            else:
                body = plan.words.body | {"prompt": self._prompt()}
                await self._asked(lines["bare"], lines["bare"].request("POST", "/submit", body), "submit", "bare", at)
            tick += 1 / plan.submits

    def _prompt(self) -> str:
        self._number += 1
        return f"A red kite rises over a beach, mark-{self._number}"

    async def _submitted(self, line: Line, at: float) -> bytes:
        """The question after the new job; nothing where it was not taken."""
        words = self._plan.words
        request = line.request("POST", words.submit, words.body | {"prompt": self._prompt()})
        answered = await self._asked(line, request, "submit", "server", at)
        return line.request("GET", words.status.format(id=answered.json[words.id])) if answered is not None else b""

    async def _asked(self, line: Line, request: bytes, what: str, target: Target, at: float) -> Answered | None:
        """The answer, measured from `at`; None where it was an error, which is counted."""
        try:
            answered = await line.ask(request)
        except (OSError, TimeoutError) as error:
            self._seen.errors[f"{target} {what}: {type(error).__name__}"] += 1
            return None
        if at >= self._begin:
            self._seen.add(what, target, time.perf_counter() - at)
        if not 200 <= answered.status < 300:
            self._seen.errors[f"{target} {what}: HTTP {answered.status}"] += 1
            return None
        return answered

    def _over(self, answered: Answered) -> bool:
        text, words = answered.body.decode(), self._plan.words
        if not any(word in text for word in words.over):
            return False
        self._seen.ended += 1
        self._seen.failed += any(word in text for word in words.failed)
        return True


async def _until(tick: float) -> float:
    """Wait for it. When a question counts from: now, or the tick where that is past already."""
    now = time.perf_counter()
    if now >= tick:
        return tick
    await asyncio.sleep(tick - now)
    return time.perf_counter()


def main() -> None:
    """As the module says."""
    plan = Plan.model_validate_json(sys.stdin.read())
    print(uvloop.run(Load(plan).run()).model_dump_json())


if __name__ == "__main__":
    main()
