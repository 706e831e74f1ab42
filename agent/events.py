"""What is announced while a run runs: one tagged union, and the fold that makes a run of it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.forecast import Forecast
from agent.run import Run
from agent.types import Candidate, Choice, Duel, Ending, Entrant, Export, Failure, GivenUp, Step, Tier
from critic.canaries.types import SelfTest
from generator.export.types import OutputForm
from generator.types import Clip, Progress
from reasoner.types import Caption


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    at: datetime = Field(default_factory=lambda: datetime.now(UTC))


class ServerWaiting(_Event):
    """A server that a part needs does not answer yet. Told every now and then, before the session's `RunStarted`.

    Where servers take turns, also while it runs.
    """

    type: Literal["server_waiting"] = "server_waiting"
    part: str
    """Who needs it: reasoner, critic or generator."""
    seconds: float = Field(ge=0)
    """Waited so far."""
    line: str = ""
    """The last line of its log; "" where there is none to read."""


class ServerReady(_Event):
    """A server that a part needs answers. Told when `ServerWaiting` is."""

    type: Literal["server_ready"] = "server_ready"
    part: str
    """As in `ServerWaiting`."""
    url: str
    model: str
    """As the server names it."""
    version: str = ""
    """Of vLLM, e.g. "0.30.0"; "" where the server does not say."""
    seconds: float = Field(default=0.0, ge=0)
    """Waited for it."""
    reused: bool = False
    """True: it was there already, and is left running."""


class RunStarted(_Event):
    """A run starts, or starts again: what is remembered of it will be recalled."""

    type: Literal["run_started"] = "run_started"
    run: Run


class ForecastMade(_Event):
    """What the run is expected to take. Told once, right after `RunStarted`; again where the budget was changed."""

    type: Literal["forecast_made"] = "forecast_made"
    forecast: Forecast


class CaptionStarted(_Event):
    """The reasoner is asked for the caption of iteration `iteration`, counted from 0."""

    type: Literal["caption_started"] = "caption_started"
    iteration: int


class CaptionReady(_Event):
    """An iteration begins: its caption is written, its seeds are chosen."""

    type: Literal["caption_ready"] = "caption_ready"
    iteration: int
    caption: Caption
    seeds: tuple[int, ...]
    tier: Tier = "target"
    promoted: int | None = None
    """Index of the drafts whose caption is now rendered as asked."""
    parent: int | None = None
    """Index of the iteration whose caption was rewritten. None: of the one that led when this was told."""


class RenderStarted(_Event):
    """A render is handed to the generator, which may still let it wait."""

    type: Literal["render_started"] = "render_started"
    iteration: int
    seed: int


class RenderProgressed(_Event):
    """Where a render stands: told by backends that show it, at most about once a second each."""

    type: Literal["render_progressed"] = "render_progressed"
    progress: Progress


class RenderFinished(_Event):
    """A clip is there; it goes to the critic."""

    type: Literal["render_finished"] = "render_finished"
    iteration: int
    clip: Clip


class CandidateReady(_Event):
    """A clip is judged."""

    type: Literal["candidate_ready"] = "candidate_ready"
    iteration: int
    candidate: Candidate


class AttemptFailed(_Event):
    """An attempt ended without a judged clip."""

    type: Literal["attempt_failed"] = "attempt_failed"
    iteration: int
    failure: Failure


class SeedGivenUp(_Event):
    """The render of a seed was given up, since a sibling is accepted."""

    type: Literal["seed_given_up"] = "seed_given_up"
    iteration: int
    given_up: GivenUp


class CriticTested(_Event):
    """The critic was tested on doctored versions of a clip: the first, or a better one where that told nothing."""

    type: Literal["critic_tested"] = "critic_tested"
    test: SelfTest
    of: Entrant


class CriticTestFailed(_Event):
    """The critic could not be tested. It may not end the run early."""

    type: Literal["critic_test_failed"] = "critic_test_failed"
    message: str


class ClipsCompared(_Event):
    """Two near-equal candidates were held against one another. Told before `ChoiceMade`."""

    type: Literal["clips_compared"] = "clips_compared"
    duel: Duel


class ChoiceMade(_Event):
    """One of several near-equal candidates is chosen. Told before `RunFinished`, where there are several."""

    type: Literal["choice_made"] = "choice_made"
    choice: Choice


class StepRecalled(_Event):
    """A step was not done again: it is remembered from before."""

    type: Literal["step_recalled"] = "step_recalled"
    step: Step
    key: str


class RunFinished(_Event):
    """A run stopped, for the reason given."""

    type: Literal["run_finished"] = "run_finished"
    ending: Ending


class ExportStarted(_Event):
    """The chosen clip is being made into the form that was asked for. Told after `RunFinished`."""

    type: Literal["export_started"] = "export_started"
    form: OutputForm


class VideoExported(_Event):
    """The chosen clip lies in the form that was asked for. Told after `RunFinished`."""

    type: Literal["video_exported"] = "video_exported"
    export: Export


class ExportFailed(_Event):
    """The chosen clip could not be had in that form; it stays as it is. Told after `RunFinished`."""

    type: Literal["export_failed"] = "export_failed"
    message: str


Event = Annotated[
    ServerWaiting
    | ServerReady
    | RunStarted
    | ForecastMade
    | CaptionStarted
    | CaptionReady
    | RenderStarted
    | RenderProgressed
    | RenderFinished
    | CandidateReady
    | AttemptFailed
    | SeedGivenUp
    | CriticTested
    | CriticTestFailed
    | ClipsCompared
    | ChoiceMade
    | StepRecalled
    | RunFinished
    | ExportStarted
    | VideoExported
    | ExportFailed,
    Field(discriminator="type"),
]

Emit = Callable[[Event], None]
"""A listener: synchronous and observational."""


def after(run: Run, event: Event) -> Run:
    """The run once `event` has happened.

    The controller, the journal and any reader of events.jsonl grow a run by this alone.
    """
    match event:
        case RunStarted(run=started):
            run = started
        case ForecastMade(forecast=forecast):
            run = run.with_forecast(forecast)
        case CaptionReady(caption=caption, seeds=seeds, tier=tier, promoted=promoted, parent=parent):
            run = run.with_caption(caption, seeds, tier, promoted, parent)
        case RenderProgressed(progress=told) if told.stage in {"resubmitted", "abandoned"}:
            run = run.with_lost(told.seconds, told.price_usd or 0.0)
        case CandidateReady(iteration=index, candidate=candidate):
            run = run.with_candidate(candidate, index)
        case AttemptFailed(iteration=index, failure=failure):
            run = run.with_failure(failure, index)
        case SeedGivenUp(iteration=index, given_up=given_up):
            run = run.with_given_up(given_up, index)
        case RunFinished(ending=ending):
            run = run.stopped(ending)
        case _:
            run = _beside(run, event)
    return run


def _beside(run: Run, event: Event) -> Run:
    """What happens beside the iterations: the critic's test, the final choice, the export."""
    match event:
        case CriticTested(test=test, of=entrant):
            run = run.with_test(test, entrant)
        case CriticTestFailed(message=why):
            run = run.without_test(why)
        case ClipsCompared(duel=duel):
            run = run.with_duel(duel)
        case ChoiceMade(choice=choice):
            run = run.with_choice(choice)
        case VideoExported(export=export):
            run = run.with_export(export)
        case ExportFailed(message=why):
            run = run.without_export(why)
        case _:
            pass
    return run
