"""Racing: once a candidate is accepted, the renders of its siblings are given up, but for those that end for free."""

import asyncio
import time
from dataclasses import dataclass, field
from pathlib import Path

from agent.errors import GivenUpError
from agent.events import AttemptFailed, CandidateReady, Event, RenderProgressed, SeedGivenUp
from agent.run import Run
from generator import job_slip
from generator.types import Clip, Generator, Progress, RenderSpec, Tell


@dataclass(eq=False)
class _Render:
    """One that is asked for. It waits until its backend tells that it works on it."""

    work: asyncio.Future[Clip]
    seed: int
    clip: str
    """Name of its file."""
    began: float | None = None
    """When the backend began to work on it, by the monotonic clock. None: it waits."""
    ending: bool = False
    """It is nearly done: nothing is gained by stopping it."""
    counted: bool = False
    """The backend has told itself what was lost."""
    called_off: bool = False

    def hear(self, told: Progress, *, stoppable: bool) -> None:
        if told.seed != self.seed or told.clip not in {self.clip, ""}:
            return
        now = time.monotonic()
        match told.stage:
            case "queued":
                self.began = None
            case "rendering":
                self.began = now - told.seconds if self.began is None else self.began
                self.ending = told.steps is not None and told.step == told.steps
            case "delivering":
                self.began, self.ending = self.began or now, True
            case "resubmitted":  # on a server it waits again; in process it goes on
                self.began, self.ending = now if stoppable else None, False
            case "abandoned":
                self.counted = True

    def given_up(self) -> GivenUpError:
        if self.began is None:
            return GivenUpError("queued")
        return GivenUpError("rendering", 0.0 if self.counted else round(time.monotonic() - self.began, 3))


@dataclass
class Racing:
    """A generator whose renders are given up as soon as the run is settled.

    A render that waits is cancelled; one that runs where it can be stopped too, and its seconds are lost. Where it
    cannot be stopped (a server's running job, which is paid for in any case), it ends and is judged: it costs nothing
    more. So does a clip that is being delivered.

    With `slots` no more renders are under way or unjudged than that while the next verdict may settle the run: a render
    takes longer than the verdict that makes it needless.
    """

    inner: Generator
    stoppable: bool
    """Whether a running render stops when it is cancelled."""
    slots: int | None = None
    """Renders that the generator makes at once. None: none of them waits for a verdict."""
    tell: Tell = field(default=lambda _: None)
    """Hears of a render that waits."""
    settled: bool = field(default=False, init=False)
    _run: Run | None = field(default=None, init=False)
    """Once it has begun."""
    _renders: list[_Render] = field(default_factory=list, init=False)
    _unjudged: list[str] = field(default_factory=list, init=False)
    """Names of clips that are under way, or there and not judged."""
    _happened: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    @property
    def id(self) -> str:
        """The inner one's."""
        return self.inner.id

    def begin(self, run: Run) -> None:
        """Give up from now on what a settled run does not need."""
        self._run = run
        self._settle(run)

    def heed(self, run: Run, event: Event) -> None:
        """Take note of what has happened to the run, and act on it. Called in the event loop's thread."""
        if isinstance(event, RenderProgressed):
            for render in self._renders:
                render.hear(event.progress, stoppable=self.stoppable)
        match event:
            case CandidateReady(iteration=index, candidate=candidate):
                self._judged(run.clip_path(index, candidate.seed))
            case AttemptFailed(iteration=index, failure=failure):
                self._judged(run.clip_path(index, failure.seed))
            case SeedGivenUp(iteration=index, given_up=given_up):
                self._judged(run.clip_path(index, given_up.seed))
            case _:
                pass
        self._run = None if self._run is None else run
        self._settle(run)
        self._happened.set()

    def settle(self, to: Path) -> None:
        """As the inner one."""
        job_slip.settle(self.inner, to)

    async def render(self, prompt: str, spec: RenderSpec, *, seed: int, to: Path) -> Clip:
        """As the inner one.

        Raises:
            GivenUpError: the run is settled.
        """
        await self._turn(spec, seed, to)
        if self.settled:
            raise GivenUpError("queued")
        self._unjudged.append(to.name)
        render = _Render(asyncio.ensure_future(self.inner.render(prompt, spec, seed=seed, to=to)), seed, to.name)
        self._renders.append(render)
        clip: Clip | None = None
        try:
            clip = await render.work
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not render.called_off or (task is not None and task.cancelling()):
                raise
            raise render.given_up() from None
        finally:
            self._renders.remove(render)
            if clip is None:
                self._judged(to)
        return clip

    async def _turn(self, spec: RenderSpec, seed: int, to: Path) -> None:
        """Wait until an endpoint is free whose last clip is judged, as long as a verdict may settle the run."""
        told = False
        while not self.settled and self._waits(spec):
            if not told:
                note = "waits for the verdict on a sibling"
                self.tell(Progress(seed=seed, clip=to.name, stage="queued", note=note))
                told = True
            self._happened.clear()
            await self._happened.wait()

    def _waits(self, spec: RenderSpec) -> bool:
        run = self._run
        if self.slots is None or run is None or run.request.tier_of(spec) == "draft":
            return False
        may_settle = run.accept_at is not None and run.budget.early_stop and run.trusted
        return may_settle and len(self._unjudged) >= self.slots

    def _judged(self, clip: Path) -> None:
        """Nothing more comes of a clip. It is rendered under a longer name than it has in the end."""
        self._unjudged = [name for name in self._unjudged if not name.endswith(clip.name)]
        self._happened.set()

    def _settle(self, run: Run) -> None:
        self.settled = self._run is not None and run.settled
        if not self.settled:
            return
        for render in self._renders:
            free = render.ending or (render.began is not None and not self.stoppable)
            if not render.called_off and not free:
                render.called_off = True
                render.work.cancel()
