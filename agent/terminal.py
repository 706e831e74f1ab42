"""What a run looks like in a terminal: a live view, or plain lines where there is no terminal."""

import io
import shlex
import shutil
import sys
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from agent.events import (
    AttemptFailed,
    CandidateReady,
    CaptionReady,
    ChoiceMade,
    CriticTested,
    CriticTestFailed,
    Event,
    ExportFailed,
    ExportStarted,
    RenderFinished,
    RenderProgressed,
    RenderStarted,
    RunStarted,
    SeedGivenUp,
    ServerReady,
    ServerWaiting,
    StepRecalled,
    VideoExported,
    after,
)
from agent.forecast import Forecast
from agent.ledger import fallback, fallbacks
from agent.lines import (
    candidate_line,
    choice_line,
    cost,
    forecast_line,
    given_up_words,
    heading,
    missing_line,
    printable,
    progress_words,
    rendered,
    server_line,
    size,
    span,
    spent,
    standing,
    tokens,
    trust_line,
)
from agent.marked import marked
from agent.memory import UNREMEMBERED
from agent.remaining import by_tier, left, remaining, weighed
from agent.run import Run
from agent.stopping import sentence
from agent.types import Tier
from agent.worth import threshold
from generator.export.types import OutputForm
from generator.types import Progress


class Witness:
    """Follows a run by its events. Prints nothing: the view of --json and --quiet."""

    def __init__(self) -> None:
        self.run: Run | None = None
        self.started: datetime | None = None
        self.earlier = Counter[Tier]()
        """Renders of the run that this session did not make, by tier: they say nothing of its pace."""
        self.tier: Tier = "target"
        """Of the renders that are on their way."""

    def __call__(self, event: Event) -> None:
        """Grow the run by an event."""
        if isinstance(event, RunStarted):
            self.run, self.started, self.earlier = event.run, event.at, by_tier(event.run)
        elif self.run is not None:
            self.run = after(self.run, event)
        if isinstance(event, RenderStarted) and self.run is not None:
            self.tier = self.run.iterations[event.iteration].tier
        if isinstance(event, StepRecalled) and event.step == "render":
            self.earlier[self.tier] += 1

    def elapsed(self, at: datetime) -> float:
        """Seconds of this session until `at`."""
        return (at - self.started).total_seconds() if self.started else 0.0

    def __enter__(self) -> Self:
        """Start showing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing."""


def verdict(run: Run) -> list[str]:
    """The last lines: why it stopped, what it had to do without, and where everything lies."""
    lines = [sentence(run)]
    lines += [
        f"WARNING  iteration {n + 1} used the prompt as written: {why}"
        for n, why in fallbacks(run).items()
        if run.iterations[n].promoted is None
    ]
    lines.append(f"rules    {standing(run)}")
    if run.best is not None and run.video is not None:
        mark: str = run.decision(run.best) or "not accepted"
        if run.accepted:
            mark = "accepted" if run.trusted else "accepted by a critic that is not to be trusted"
        if run.is_draft(run.best):
            mark = f"a draft of {size(run.best.clip.spec)}, not {size(run.request.spec)} as asked"
        lines.append(f"score    {run.best.score:.2f}  ({mark}; {threshold(run)}; seed {run.best.seed})")
        people = marked(run)
        lines += [f"people   {words}" for words in people.known]
        if people.ask:
            lines.append(f"people   {people.ask}: retake mark {shlex.quote(str(run.folder))}")
        if choice := choice_line(run):
            lines.append(f"choice   {choice}")
        lines.append(f"video    {run.video}")
    if tested := trust_line(run):
        lines.append(f"critic   {tested}")
    if beside := spent(run):
        lines.append(f"spent    {beside}")
    if costs := cost(run):
        lines.append(f"cost     {costs}")
    if read := tokens(run):
        lines.append(f"tokens   {read}")
    lines.append(f"report   {run.folder / 'report.html'}")
    return lines


EVERY = 10.0
"""Seconds between two plain lines on the same wait."""


class Plain(Witness):
    """One line a happening."""

    def __init__(self, out: TextIO | None = None) -> None:
        super().__init__()
        self.out = out or sys.stdout
        self.noted: set[str] = set()
        self.foretold: Forecast | None = None
        self.waited: dict[str, float] = {}
        """Seconds waited for the server of a part when that was last said."""
        self.progressed: dict[tuple[str, int], tuple[str, datetime]] = {}
        """What was last said of the render of a clip and its seed, and when."""

    def __call__(self, event: Event) -> None:
        """Print what an event says."""
        super().__call__(event)
        if isinstance(event, ServerWaiting | ServerReady):
            self._say_server(event)
        run = self.run
        if run is None:
            return
        match event:
            case RunStarted():
                self._say(f"Run {run.folder}")
            case CaptionReady(iteration=index):
                self._say_caption(run, index)
            case RenderProgressed(progress=told):
                self._say_progress(told, event.at)
            case CandidateReady(iteration=index, candidate=candidate):
                self._say(f"{_under(run, index)}{candidate_line(candidate)}")
                self._say_forecast(run, event.at)
            case AttemptFailed(iteration=index) | SeedGivenUp(iteration=index):
                self._say(f"{_under(run, index)}{missing_line(event)}")
            case _:
                self._say_beside(run, event)
        self._say_notes(run)
        if isinstance(event, RunStarted) and run.iterations:  # resumed: the seeds that come next are under this caption
            self._say_caption(run, len(run.iterations) - 1)

    def _say_caption(self, run: Run, index: int) -> None:
        iteration = run.iterations[index]
        self._say(heading(iteration, index + 1, run))
        if (why := fallback(iteration.caption)) and iteration.promoted is None:
            self._say(f"  WARNING: {why}")

    def _say_beside(self, run: Run, event: Event) -> None:
        """What happens beside the iterations."""
        match event:
            case CriticTested() | CriticTestFailed():
                self._say(trust_line(run))
            case ChoiceMade():
                self._say(f"Chosen: {choice_line(run)}")
            case ExportStarted(form=form) if form != OutputForm():
                self._say(f"Exporting the chosen clip as {form.format}")
            case _:
                pass

    def _say_notes(self, run: Run) -> None:
        if run.forecast is not None and run.forecast != self.foretold:
            self.foretold = run.forecast
            self._say(f"Forecast: {forecast_line(run.forecast)}")
        for note in run.notes:
            if note not in self.noted:
                self.noted.add(note)
                self._say(f"Note: {note}")

    def _say_server(self, event: ServerWaiting | ServerReady) -> None:
        """A wait is said at first and then every ten seconds: a log file is no place to watch."""
        if isinstance(event, ServerReady):
            self.waited.pop(event.part, None)
        elif event.seconds - self.waited.get(event.part, -EVERY) < EVERY:
            return
        else:
            self.waited[event.part] = event.seconds
        self._say(server_line(event))

    def _say_progress(self, told: Progress, at: datetime) -> None:
        """Each stage once, and within it every ten seconds."""
        if told.stage == "rendering" and not told.seconds and not told.endpoint:
            return  # it has begun in this process: nothing that the line after it does not say
        known = self.progressed.get((told.clip, told.seed))
        if known is not None and known[0] == told.stage and (at - known[1]).total_seconds() < EVERY:
            return
        self.progressed[told.clip, told.seed] = (told.stage, at)
        index = None if self.run is None else _iteration(self.run, told)
        self._say(f"{_under(self.run, index)}seed {told.seed:<10}  {progress_words(told)}")

    def _say_forecast(self, run: Run, at: datetime) -> None:
        elapsed = self.elapsed(at)
        rest = remaining(run, elapsed, self.earlier)
        if rest:
            self._say(f"  {span(elapsed)} elapsed, about {span(rest)} more if every iteration is used")

    def _say(self, line: str) -> None:
        try:
            print(printable(line), file=self.out, flush=True)
        except BrokenPipeError:  # the reader has seen enough (`| head`); the run goes on
            self.out = io.StringIO()


def _iteration(run: Run, told: Progress) -> int | None:
    """Index of the iteration whose clip is told of; None where the backend does not say."""
    name = told.clip.removeprefix(UNREMEMBERED)
    return next((n for n, _ in enumerate(run.iterations) if run.clip_path(n, told.seed).name == name), None)


def _under(run: Run | None, index: int | None) -> str:
    """What begins a line on a seed: its iteration, where another has begun since."""
    latest = run is None or index in {len(run.iterations) - 1, None}
    return "  " if latest else f"  iteration {(index or 0) + 1}, "


class Lively(Witness):
    """Everything at a glance, redrawn in place."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console
        self.rendering: dict[tuple[int, int], str] = {}
        """What is done for an iteration's seed."""
        self.exporting = ""
        """The format that the chosen clip is being made into."""
        self.servers: dict[str, ServerWaiting | ServerReady] = {}
        """The last word on the server of each part."""
        self.done_by = 0.0
        """Seconds of this session when the last clip was judged: a forecast holds until the next."""
        self.live = Live(self, console=console, refresh_per_second=4, transient=False)

    def __enter__(self) -> Self:
        """Start drawing."""
        self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the last picture standing."""
        self.live.stop()

    def __call__(self, event: Event) -> None:
        """Take an event in; the picture follows by itself."""
        super().__call__(event)
        match event:
            case ServerWaiting(part=part) | ServerReady(part=part):
                self.servers[part] = event
            case RenderStarted(iteration=index, seed=seed):
                self.rendering[index, seed] = "rendering"
            case RenderProgressed(progress=told):
                self._progressed(told)
            case RenderFinished(iteration=index, clip=clip):
                self.rendering[index, clip.seed] = f"judging; {rendered(clip)}"
            case CandidateReady(iteration=index, candidate=candidate):
                self.rendering.pop((index, candidate.seed), None)
                self.done_by = self.elapsed(event.at)
            case AttemptFailed(iteration=index, failure=failure):
                self.rendering.pop((index, failure.seed), None)
            case SeedGivenUp(iteration=index, given_up=given_up):
                self.rendering.pop((index, given_up.seed), None)
            case ExportStarted(form=form):
                self.exporting = form.format
            case VideoExported() | ExportFailed():
                self.exporting = ""
            case _:
                pass

    def _progressed(self, told: Progress) -> None:
        """Of one clip; of every one of the seed where the backend does not say which."""
        at = None if self.run is None else _iteration(self.run, told)
        for index, seed in self.rendering:
            if seed == told.seed and at in {index, None}:
                self.rendering[index, seed] = progress_words(told)

    def __rich__(self) -> Group | Text:
        """The picture, for rich."""
        run = self.run
        servers = [
            Text(printable(server_line(e)), style="cyan" if isinstance(e, ServerWaiting) else "dim")
            for e in self.servers.values()
        ]
        if run is None:
            return Group(*servers) if servers else Text("Starting …")
        parts: list[Text | Table] = [Text(f"Run {printable(str(run.folder))}", style="dim"), *servers]
        if run.forecast:
            parts.append(Text(f"Forecast: {printable(forecast_line(run.forecast))}", style="dim"))
        parts += [Text(f"Note: {printable(note)}", style="yellow") for note in run.notes]
        if tested := trust_line(run):
            parts.append(Text(printable(tested), style="dim" if run.trusted else "yellow"))
        for index, iteration in enumerate(run.iterations):
            drafts = iteration.tier == "draft"
            parts.append(Text(heading(iteration, index + 1, run), style="" if drafts else "bold"))
            if (why := fallback(iteration.caption)) and iteration.promoted is None:
                parts.append(Text(f"! {printable(why)}", style="bold red"))
            best = run.best
            for candidate in iteration.candidates:
                chosen = candidate is best
                style = "green" if chosen else "dim" if drafts else ""
                parts.append(Text(f"{'▸' if chosen else ' '} {candidate_line(candidate)}", style=style))
            parts += [
                Text(f"✗ seed {f.seed:<10}  {f.step} failed: {printable(f.message)}", style="red")
                for f in iteration.failures
            ]
            parts += [Text(f"  seed {g.seed:<10}  {given_up_words(g)}", style="dim") for g in iteration.given_up]
        if run.ending is None:
            parts += [
                Text(f"{_under(run, index)}seed {seed:<10}  {what}", style="cyan")
                for (index, seed), what in sorted(self.rendering.items())
            ]
        if choice := choice_line(run):
            parts.append(Text(f"Chosen: {printable(choice)}", style="green"))
        if self.exporting:
            parts.append(Text(f"  exporting the chosen clip as {self.exporting}", style="cyan"))
        parts.append(self._bar(run))
        return Group(*parts)

    def _bar(self, run: Run) -> Table:
        done, more = by_tier(run), left(run)
        whole = weighed(run, done) + weighed(run, more)
        elapsed = self.elapsed(datetime.now(UTC))
        rest = remaining(run, self.done_by, self.earlier) if run.ending is None else None
        rest = max(0.0, rest - (elapsed - self.done_by)) if rest else None
        words = f"{_of(done, more)}  {span(elapsed)}"
        words += f"  about {span(rest)} more if every iteration is used" if rest else ""
        row = Table.grid(padding=(0, 1))
        row.add_row(ProgressBar(total=whole, completed=weighed(run, done), width=28), Text(words))
        return row


def _of(done: Mapping[Tier, int], more: Mapping[Tier, float]) -> str:
    """How many renders are made of how many: at most, where there is one tier."""
    if "draft" not in more:
        return f"{done['target']} of at most {done['target'] + more['target']:.0f} renders"
    drafts, finals = (f"{done[tier]} of {done[tier] + more[tier]:.0f}" for tier in ("draft", "target"))
    return f"{drafts} drafts, about {finals} renders as asked"


def view(*, as_json: bool, quiet: bool) -> Witness:
    """The view that fits where the output goes."""
    if as_json or quiet:
        return Witness()
    console = Console()
    return Lively(console) if console.is_terminal else Plain()


def resume_line(folder: Path) -> str:
    """The command that goes on with a run, by a name that the user's shell finds."""
    program = "retake" if shutil.which("retake") else f"{shlex.quote(sys.executable)} -m agent"
    return f"{program} run --resume {shlex.quote(str(folder))}"
