"""What captions begun ahead save (`budget.speculate`): the loop's own schedule with and without them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.events import CandidateReady, CaptionReady, CaptionStarted, Event
from benchmarks.schedule.latencies import MIXED, Latencies
from benchmarks.schedule.measure import Bench, Setting

KINDS: tuple[tuple[bool, bool], ...] = ((False, False), (True, False), (False, True), (True, True))
"""Whether the raw prompt comes first; whether every other endpoint is the slower GPU."""
AHEAD = tuple(Setting(e, n, 4) for e, n in ((2, 1), (2, 2), (3, 2), (4, 1), (4, 2), (4, 3), (8, 2), (8, 4), (8, 6)))


@dataclass(frozen=True)
class Saved:
    """One setting, twice. Seconds of the schedule at full latencies."""

    setting: Setting
    raw_first: bool
    mixed: bool
    without: float
    ahead: float
    early: int
    """Captions rewritten before every score of those before them was there."""

    @property
    def ratio(self) -> float:
        """Below 1: quicker."""
        return self.ahead / self.without

    @property
    def rewrites(self) -> int:
        """All of them."""
        return self.setting.iterations - 1 - self.raw_first


@dataclass
class _Early:
    """Counts the rewrites that are begun while candidates are still rendered or judged."""

    count: int = 0
    open: int = 0
    early: bool = False

    def __call__(self, event: Event) -> None:
        match event:
            case CaptionStarted():
                self.early = self.open > 0
            case CaptionReady(caption=caption, seeds=seeds):
                self.count += self.early and caption.source == "rewrite"
                self.open += len(seeds)
            case CandidateReady():
                self.open -= 1
            case _:
                pass


def saved(bench: Bench, settings: Sequence[Setting], scratch: Path) -> Iterator[Saved]:
    """Each setting of each kind, without and with captions begun ahead, on a clock that moves by sleeping alone."""
    for setting in settings:
        for raw_first, mixed in KINDS:
            latencies, early = MIXED if mixed else Latencies(), _Early()
            place = f"{setting}-{raw_first}-{mixed}"
            yield Saved(
                setting=setting,
                raw_first=raw_first,
                mixed=mixed,
                without=bench.schedule(setting, scratch / place, latencies, raw_first=raw_first),
                ahead=bench.schedule(
                    setting, scratch / f"{place}-ahead", latencies, raw_first=raw_first, ahead=True, emit=early
                ),
                early=early.count,
            )
