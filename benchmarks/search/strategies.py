"""The strategies that are compared: what a config file would say, and what only a benchmark does."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from statistics import fmean
from typing import Any, Final

from agent import Run
from agent.run import Place
from agent.types import Budget, Draft, Request
from benchmarks.search.landscape import DRAFT, Tier
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

    tier: Tier = DRAFT
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


CHEAP: Final = "256p, 12 steps"
REFERENCE: Final = Strategy("2x2 at full tier (the reference)", 2, 2)
DEFAULT: Final = Strategy("4x2 drafts + 1", 4, 2, drafts=Drafts(DRAFT))
"""What is recommended."""
DRAFTED: Final = {DRAFT: "drafts", CHEAP: "drafts of 12 steps"}
"""Tiers of drafts, in words."""


def strategies(tiers: Collection[Tier]) -> tuple[Strategy, ...]:
    """All that are compared: captions x seeds, and what is rendered of the best caption at the end.

    Args:
        tiers: at which every prompt was rendered; drafts at others are left out.
    """
    found = [*_full(), *(each for pair in ablations().values() for each in pair)]
    for tier, what in DRAFTED.items():
        found += _drafted(tier, what)
    named = {each.name: each for each in found if each.drafts is None or each.drafts.tier in tiers}
    return tuple(named.values())


def _full() -> list[Strategy]:
    """Everything is rendered as asked."""
    return [
        REFERENCE,
        Strategy("1x1: no search", 1, 1),
        Strategy("1x2: selection only", 1, 2),
        Strategy("1x4: selection only", 1, 4),
        Strategy("2x1", 2, 1),
        Strategy("3x1", 3, 1),
        Strategy("4x1", 4, 1),
        Strategy("5x1", 5, 1),
        Strategy("3x2", 3, 2),
        Strategy("5x2", 5, 2),
        Strategy("2x2, raw prompt first", 3, 2, raw_first=True),
        Strategy("2x2, accept at 0.90", 2, 2, 0.90),
        Strategy("2x2, accept at 0.95", 2, 2, 0.95),
        Strategy("2x2, accept at 0.97", 2, 2, 0.97),
        Strategy("5x1, accept at 0.95", 5, 1, 0.95),
        Strategy("5x1, accept at 0.97", 5, 1, 0.97),
        Strategy("5x2, patience 1", 5, 2, stop={"patience": 1}),
        Strategy("5x2, min_expected_gain 0.005", 5, 2, stop={"min_expected_gain": 0.005}),
    ]


def _drafted(tier: Tier, what: str) -> list[Strategy]:
    """Captions are compared by drafts, and the best is rendered as asked."""
    plain = Drafts(tier)
    return [
        *(Strategy(f"{n}x1 {what} + 1", n, 1, drafts=plain) for n in (2, 3, 4, 5)),
        *(Strategy(f"{n}x2 {what} + 1", n, 2, drafts=plain) for n in (2, 3, 4, 5)),
        *(Strategy(f"{n}x{m} {what} + 2", n, m, drafts=Drafts(tier, seeds=2)) for n, m in ((3, 1), (4, 2), (5, 2))),
        Strategy(f"4x2 {what} + 1 of each of the best 2", 4, 2, drafts=Drafts(tier, promote=2)),
        Strategy(f"4x2 {what} on other seeds + 1", 4, 2, drafts=Drafts(tier, shift=2)),
        Strategy(f"4x2 {what} + 1, accept at 0.95", 4, 2, 0.95, drafts=plain),
        Strategy(f"4x2 {what} + 1, accept at 0.97", 4, 2, 0.97, drafts=plain),
        Strategy(f"4x2 {what} + 2, accept at 0.97", 4, 2, 0.97, drafts=Drafts(tier, seeds=2)),
    ]


def ablations() -> dict[str, tuple[Strategy, Strategy]]:
    """The default, or what is nearest to it, and the same without one of its parts, by that part."""
    name, tier = DEFAULT.name, DEFAULT.drafts.tier if DEFAULT.drafts else DRAFT
    # every caption on seeds of its own: the table has enough for one each
    single = Strategy(f"4x1 {DRAFTED[tier]} + 1", 4, 1, drafts=Drafts(tier))
    raced = Strategy("2x4, accept at 0.95", 2, 4, 0.95)
    return {
        "drafts": (DEFAULT, replace(DEFAULT, name=f"{name}, without drafts", drafts=None)),
        "rewriting": (DEFAULT, replace(DEFAULT, name=f"{name}, without rewriting", iterations=1)),
        "pairing": (single, replace(single, name=f"{single.name}, without pairing", paired=False)),
        "racing": (raced, replace(raced, name=f"{raced.name}, no racing", racing=False)),
    }
