"""What a benchmark looks like in a terminal while it runs: a bar, or plain lines where there is no terminal."""

import io
import sys
import time
from types import TracebackType
from typing import Final, Self, TextIO

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from agent.bench.tally import Tally
from agent.events import Event, ServerReady, ServerWaiting
from agent.lines import printable, server_line, span

EVERY: Final = 10.0
"""Seconds between two plain lines."""


class Silent:
    """Shows nothing: the view of --json and --quiet."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.begun = time.monotonic()

    def __call__(self) -> None:
        """A row was judged."""

    def event(self, event: Event) -> None:
        """A server is waited for, or ready."""

    def __enter__(self) -> Self:
        """Start showing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop showing."""

    def words(self) -> str:
        """Rows, rate, time left and failures in one line."""
        tally, elapsed = self.tally, time.monotonic() - self.begun
        fresh = tally.done - tally.recalled
        facts = [f"{tally.done:,} of {tally.total:,} rows", span(elapsed)]
        if fresh and elapsed > 0:
            rate = fresh / elapsed
            facts.append(f"{rate:.1f} rows/s" if rate >= 1 else f"{rate * 60:.1f} rows/min")
            if tally.done < tally.total:
                facts.append(f"about {span((tally.total - tally.done) / rate)} left")
        if tally.failed:
            facts.append(f"{tally.failed:,} failed")
        return ", ".join(facts)


class Plain(Silent):
    """A line every ten seconds: a log file is no place to watch."""

    def __init__(self, tally: Tally, out: TextIO | None = None) -> None:
        super().__init__(tally)
        self.out = out or sys.stdout
        self.said = self.begun
        self.waited: dict[str, float] = {}

    def __call__(self) -> None:
        """Say how far it is, every now and then."""
        now = time.monotonic()
        if now - self.said >= EVERY:
            self.said = now
            self._say("; ".join(filter(None, (self.words(), self.tally.means))))

    def event(self, event: Event) -> None:
        """Say what is waited for, and what it came to."""
        if isinstance(event, ServerWaiting):
            if event.seconds - self.waited.get(event.part, -EVERY) < EVERY:
                return
            self.waited[event.part] = event.seconds
        if isinstance(event, ServerWaiting | ServerReady):
            self._say(server_line(event))
        if isinstance(event, ServerReady):
            self.begun = self.said = time.monotonic()

    def _say(self, line: str) -> None:
        try:
            print(printable(line), file=self.out, flush=True)
        except BrokenPipeError:  # the reader has seen enough (`| head`); the work goes on
            self.out = io.StringIO()


class Lively(Silent):
    """A bar, redrawn in place."""

    def __init__(self, tally: Tally, console: Console) -> None:
        super().__init__(tally)
        self.server: ServerWaiting | ServerReady | None = None
        self.live = Live(self, console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        """Start drawing."""
        self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take the bar away: the summary says the same."""
        self.live.stop()

    def event(self, event: Event) -> None:
        """Take a server's word in."""
        if isinstance(event, ServerWaiting | ServerReady):
            self.server = event
        if isinstance(event, ServerReady):
            self.begun = time.monotonic()

    def __rich__(self) -> Group:
        """The picture, for rich."""
        row = Table.grid(padding=(0, 1))
        row.add_row(ProgressBar(total=self.tally.total, completed=self.tally.done, width=28), Text(self.words()))
        parts: list[Text | Table] = [row, Text(self.tally.means, style="dim")]
        if self.server is not None:
            style = "cyan" if isinstance(self.server, ServerWaiting) else "dim"
            parts.insert(0, Text(printable(server_line(self.server)), style=style))
        return Group(*parts)


def view(tally: Tally, *, as_json: bool, quiet: bool) -> Silent:
    """The view that fits where the output goes."""
    if as_json or quiet:
        return Silent(tally)
    console = Console()
    return Lively(tally, console) if console.is_terminal else Plain(tally)
