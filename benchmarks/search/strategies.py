"""The strategies that are compared: what a config file would say, and what only a benchmark does."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from agent import Run
from agent.config import SearchConfig
from agent.drafts import AUTO, AUTO_BUDGET
from agent.types import Budget, Draft, Request
from benchmarks.search.landscape import DRAFT, Tier
from critic.config import SignalsConfig
from generator.types import RenderSpec


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
    keep_seed: bool = False
    """Finals on the seeds of the caption's best drafts, the best first: not in the product."""


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
    waits: bool = True
    """Whether the next render waits for the verdict on the last, where that may end the run."""
    raw_first: bool = False
    paired: bool = True
    """False: every caption is compared by seeds of its own, which the loop takes for the same ones."""
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
        return Run(
            id="replay",
            created_at=now,
            request=request,
            budget=budget,
            accept_at=self.accept_at,
            raw_first=self.raw_first,
        )


CHEAP: Final = "256p, 12 steps"
REFERENCE: Final = Strategy("2x2 at full tier (the reference)", 2, 2)
DRAFTED: Final = {DRAFT: "drafts", CHEAP: "drafts of 12 steps"}
"""Tiers of drafts, in words."""


def _default() -> Strategy:
    """What a config that names no schedule comes to, where drafts are known to pay: `search.draft: auto`."""
    tier, at = (DRAFT if AUTO.steps is None else f"{AUTO.tier}, {AUTO.steps} steps"), SignalsConfig().accept_at
    captions, seeds = AUTO_BUDGET["max_iterations"], AUTO_BUDGET["samples_per_iteration"]
    return Strategy(
        f"{captions}x{seeds} {DRAFTED[tier]} + {AUTO.seeds}, accept at {at:.2f}",
        captions,
        seeds,
        at,
        drafts=Drafts(tier, promote=AUTO.promote, seeds=AUTO.seeds),
        racing=SearchConfig().racing,
        waits=SearchConfig().await_verdicts,
    )


DEFAULT: Final = _default()


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
        Strategy("2x2, accept at 0.96", 2, 2, 0.96),
        Strategy("2x2, accept at 0.97", 2, 2, 0.97),
        Strategy("2x4, accept at 0.96", 2, 4, 0.96),
        Strategy("3x2, accept at 0.96", 3, 2, 0.96),
        Strategy("5x1, accept at 0.95", 5, 1, 0.95),
        Strategy("5x1, accept at 0.97", 5, 1, 0.97),
        Strategy("5x2, patience 1", 5, 2, stop={"patience": 1}),
        Strategy("5x2, min_expected_gain 0.005", 5, 2, stop={"min_expected_gain": 0.005}),
    ]


def _drafted(tier: Tier, what: str) -> list[Strategy]:
    """Captions are compared by drafts, and the best is rendered as asked: on up to so many seeds."""
    one, four = Drafts(tier), Drafts(tier, seeds=4)
    return [
        *(Strategy(f"{n}x1 {what} + 1", n, 1, drafts=one) for n in (2, 3, 4, 5)),
        *(Strategy(f"{n}x2 {what} + 1", n, 2, drafts=one) for n in (2, 4, 5)),
        Strategy(f"4x2 {what} + 2", 4, 2, drafts=Drafts(tier, seeds=2)),
        Strategy(f"5x1 {what} + 2, accept at 0.97", 5, 1, 0.97, drafts=Drafts(tier, seeds=2)),
        *(Strategy(f"5x1 {what} + 4, accept at {at:.2f}", 5, 1, at, drafts=four) for at in (0.95, 0.96, 0.97)),
        Strategy(f"3x1 {what} + 4, accept at 0.96", 3, 1, 0.96, drafts=four),
        Strategy(f"4x1 {what} + 4, accept at 0.96", 4, 1, 0.96, drafts=four),
        Strategy(f"4x2 {what} + 4, accept at 0.96", 4, 2, 0.96, drafts=four),
        Strategy(f"5x1 {what} + 1 of each of the best 4, accept at 0.96", 5, 1, 0.96, drafts=Drafts(tier, promote=4)),
        Strategy(f"5x1 {what} on other seeds + 4, accept at 0.96", 5, 1, 0.96, drafts=replace(four, shift=1)),
        Strategy(f"4x2 {what} + 1 on the best draft's seed", 4, 2, drafts=replace(one, keep_seed=True)),
    ]


def ablations() -> dict[str, tuple[Strategy, Strategy]]:
    """The default, or what is nearest to it, and the same without one of its parts, by that part."""
    name, tier = DEFAULT.name, DEFAULT.drafts.tier if DEFAULT.drafts else DRAFT
    # every caption on seeds of its own: the table has enough for one each of four
    four = Strategy(f"4x1 {DRAFTED[tier]} + 4, accept at 0.96", 4, 1, 0.96, drafts=Drafts(tier, seeds=4))
    return {
        "drafts": (DEFAULT, replace(DEFAULT, name=f"{name}, without drafts", drafts=None)),
        "rewriting": (DEFAULT, replace(DEFAULT, name=f"{name}, without rewriting", iterations=1)),
        "early stop": (DEFAULT, replace(DEFAULT, name=f"{name}, without early stop", accept_at=None)),
        "racing": (DEFAULT, replace(DEFAULT, name=f"{name}, without racing", racing=False)),
        "waiting for verdicts": (DEFAULT, replace(DEFAULT, name=f"{name}, without waiting for verdicts", waits=False)),
        "pairing": (four, replace(four, name=f"{four.name}, without pairing", paired=False)),
    }
