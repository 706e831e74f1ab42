"""The strategies that are compared: what a config file would say, and what only a benchmark does."""

from dataclasses import dataclass, field
from datetime import datetime
from statistics import fmean
from typing import Any

from agent import Run
from agent.run import Place
from agent.types import Budget, Draft, Request
from generator.types import RenderSpec
from reasoner.types import Caption


class Unpaired(Run):
    """A run that compares nothing on the same seeds: the highest mean wins, and every caption has seeds of its own."""

    @property
    def leader(self) -> int:
        """The caption with the highest mean score."""
        scores = {n: [c.score for c in self.iterations[n].candidates] for n in self.explored}
        return max((n for n in scores if scores[n]), key=lambda n: fmean(scores[n]), default=0)

    def place_of(self, caption: Caption, promoted: int | None = None) -> Place:
        """As ever, on seeds that were not used before at this tier."""
        place = super().place_of(caption, promoted)
        used = [seed for i in self.iterations if i.tier == place.tier for seed in i.seeds]
        first = max(used, default=self.request.seed - 1) + 1
        return place._replace(seeds=tuple(range(first, first + len(place.seeds))))


@dataclass(frozen=True)
class Drafts:
    """The draft tier of a strategy."""

    promote: int = 1
    """Captions rendered at the target tier."""
    seeds: int = 1
    """Target renders of each."""
    shift: int = 0
    """Other than 0: drafts are made on other seeds than finals, and say nothing of what a seed does."""


@dataclass(frozen=True)
class Strategy:
    """How a run is carried out."""

    name: str
    iterations: int
    """Captions tried."""
    samples: int
    """Renders of each, drafts where there are any."""
    accept_at: float | None = None
    """None: it never stops early."""
    drafts: Drafts | None = None
    racing: bool = True
    raw_first: bool = False
    paired: bool = True
    stop: dict[str, Any] = field(default_factory=dict)
    """Other keys of `budget`."""

    def run(self, request: Request, draft: RenderSpec, ratio: float, now: datetime) -> Run:
        """A run that does so.

        Args:
            request: what is asked.
            draft: of a draft, where it makes any.
            ratio: seconds of a target render over those of a draft.
            now: when it is made.
        """
        budget = Budget(
            max_iterations=self.iterations,
            samples_per_iteration=self.samples,
            early_stop=self.accept_at is not None,
            **self.stop,
        )
        if self.drafts:
            made = Draft(spec=draft, promote=self.drafts.promote, seeds=self.drafts.seeds, ratio=ratio, assumes="")
            request = request.model_copy(update={"draft": made})
        kind = Run if self.paired else Unpaired
        return kind(
            id="replay",
            created_at=now,
            request=request,
            budget=budget,
            accept_at=self.accept_at,
            raw_first=self.raw_first,
        )


REFERENCE = Strategy("2x2, full tier", 2, 2)
