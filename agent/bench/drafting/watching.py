"""What a measurement looks like in a terminal while it runs, and what it is expected to take before."""

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from agent import forecasting
from agent.bench.drafting.saying import count
from agent.bench.drafting.scene import pairs_of
from agent.bench.drafting.session import Session
from agent.events import AttemptFailed, CandidateReady, Event, ServerReady, ServerWaiting
from agent.forecast import Forecast
from agent.forecasting import planned
from agent.lines import amount, printable, server_line, span
from agent.run import Run

EVERY = 10.0
"""Seconds between two lines on the same wait."""


def foretold(session: Session) -> Iterator[str]:
    """What a measurement will take, in lines; what was rendered before is in it, and takes nothing."""
    wish, config = session.wish, session.schedule
    request = session.runs[0].request
    each, runs = wish.captions * wish.seeds, len(session.runs)
    counts = " x ".join(count(*one) for one in ((runs, "prompt"), (wish.captions, "caption"), (wish.seeds, "seed")))
    yield (
        f"{counts}: {amount(runs * each)} drafts and as many renders as asked, {amount(session.renders)} in all, each "
        "judged."
    )
    seen = forecasting.history(config.output.folder, forecasting.wanted(config))
    made = forecasting.forecast(config, request, seen)
    at_once = planned(config.generator).renderers
    yield from _seconds(made, runs, at_once)
    if made.price_usd is not None:
        yield f"They are billed ${made.price_usd.expected * runs:,.2f}."


def _seconds(made: Forecast, runs: int, at_once: int) -> Iterator[str]:
    side = f", {at_once} at once" if at_once > 1 else ""
    for place in made.places:
        draft = "" if place.draft is None else f"a draft about {span(place.draft.expected)}, "
        where = f"{place.model} {place.name}".strip() + (f", {place.gpus} GPUs" if place.gpus > 1 else "")
        yield (
            f"{where}: {draft}a render as asked {span(place.render.expected)}, "
            f"all of them {span(place.seconds['render'].expected * runs)}{side} ({place.basis})."
        )
    if not made.places:
        yield "How long a render takes is not known here; the bar shows it once some are made."


class Watch:
    """A bar, and a line for each prompt that is done, on the error output."""

    def __init__(self, total: int, captions: int, seeds: int, *, quiet: bool) -> None:
        console = Console(stderr=True, quiet=quiet)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self.bar = Progress(*columns, TimeRemainingColumn(), console=console, disable=quiet)
        self.task = self.bar.add_task("rendering and judging", total=total)
        self.renders = 2 * captions * seeds
        """Of one prompt, at most."""
        self.waited: dict[str, float] = {}

    def __enter__(self) -> Self:
        """Start showing."""
        self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing."""
        self.bar.stop()

    def hear(self, event: Event) -> None:
        """Take in what happens."""
        if isinstance(event, CandidateReady | AttemptFailed):
            self.bar.advance(self.task)
        if isinstance(event, ServerWaiting):
            if event.seconds - self.waited.get(event.part, -EVERY) < EVERY:
                return
            self.waited[event.part] = event.seconds
        if isinstance(event, ServerWaiting | ServerReady):
            self.say(server_line(event))

    def finished(self, run: Run) -> None:
        """Say what came of a prompt; renders that it did not take are done, too."""
        self.bar.advance(self.task, self.renders - run.renders)
        pairs, _ = pairs_of(run)
        scores = ", ".join(f"{each.draft_mean:.3f}/{each.target_mean:.3f}" for each in pairs.captions)
        self.say(f"{run.request.prompt[:60]!r}: draft/as asked {scores or 'none'}")

    def say(self, line: str) -> None:
        """A line above the bar."""
        self.bar.console.print(Text(printable(line)), soft_wrap=True)
