"""Which renders a run makes, one round after the other: the rules of `agent.course` and `agent.stopping`, only counted.

Expected is that every caption is new and none is accepted, cut short where an acceptance is as likely as in earlier
runs. What can happen at most is the most over several courses, each quantity by itself. With N = `max_iterations`
captions, S = `samples_per_iteration` drafts of each, P = `promote` of them rendered as asked on T = `seeds` seeds:

* A caption is promoted once at most. Where an accepted draft is promoted at once (`early_stop`, with a threshold) and
  falls short, and the next caption leads with an accepted draft again, all that are drafted are promoted. Otherwise P
  of them are, once the drafts are over.
* A caption that is tried again unchanged counts as one of the N, and costs T renders as asked instead of S drafts. All
  but the first (with the raw prompt before it, the first two) can come to that. For a caption that was not promoted it
  is the promotion, too; it can be outdone by later drafts, which are then promoted instead.
* So where E captions are drafted and R = N - E are tried again, there are E x S drafts and (E + R) x T renders as asked
  where drafts can be accepted, (R + min(P, E)) x T where they cannot, and if R > 0 at most E - 1 for E in this.
* max_renders, max_gpu_seconds and max_price_usd cut that short. Scores decide which renders come first, and so which
  are left out: for some E the most is spent if the drafts are made first and all that is left goes into renders as
  asked. Where a limit cuts a round of drafts, their number is no multiple of S: a last round takes what still fits.

Rules about scores (patience, plateau, min_expected_gain), failures and the clock are left out: they only end a run
earlier, or render the same again.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from agent.spending import Cost, affords
from agent.types import Budget, Canaries, Draft, Tier

MANY = 40
"""Captions from which not every number of drafted ones is tried out."""
Each = Mapping[Tier, float]
"""Seconds or US dollars of one render of a tier; empty: not known."""


@dataclass(frozen=True)
class Terms:
    """What decides how many renders a run makes, as far as it is known beforehand."""

    budget: Budget
    draft: Draft | None = None
    prices: Each = field(default_factory=dict)
    raw_first: bool = False
    """The first caption is the user's own words, and none to write."""
    stops: bool = True
    """An accepted clip ends the run."""
    canaries: Canaries | None = None


@dataclass(frozen=True)
class Round:
    """Renders of one caption, side by side."""

    tier: Tier
    count: int
    seconds: float = 0.0
    """Of each; 0: not known."""
    asks: bool = True
    """The reasoner is asked for its caption."""
    tested: bool = False
    """The critic is tested before it."""
    likely: float = 1.0
    """That it comes to it."""


@dataclass
class _Count:
    """What is spent so far, as `agent.course` counts it."""

    terms: Terms
    pace: Each
    made: dict[Tier, int] = field(default_factory=lambda: {"draft": 0, "target": 0})
    rounds: list[Round] = field(default_factory=list)

    def add(self, tier: Tier, wanted: int, paid: float, *, asks: bool) -> None:
        """One more round, as far as it is paid for."""
        count = int(min(wanted, paid))
        if count:
            tested = not any(one.tested for one in self.rounds) and self._due(promoted=tier == "target" and not asks)
            self.rounds.append(Round(tier, count, self.pace.get(tier, 0.0), asks=asks, tested=tested))
            self.made[tier] += count

    @property
    def writes(self) -> bool:
        """Whether the next caption is asked for: all but the user's own words are."""
        return bool(self.rounds) or not self.terms.raw_first

    @property
    def gpu(self) -> Cost:
        """Nothing is known of a tier before its first render."""
        return self._cost(self.pace, {tier: each for tier, each in self.pace.items() if self.made[tier]})

    @property
    def price(self) -> Cost:
        return self._cost(self.terms.prices, self.terms.prices)

    @property
    def affordable(self) -> float:
        held = 0 if self.terms.draft is None else self.terms.draft.seeds
        return self._paid(self.price, self.gpu, held)

    @property
    def finals_affordable(self) -> float:
        return self._paid(self.price.of_target(), self.gpu.of_target(), 0)

    @property
    def left(self) -> float:
        """Drafts that fit, with nothing held."""
        return self._paid(self.price._replace(held=0.0), self.gpu._replace(held=0.0), 0)

    def _cost(self, each: Each, known: Each) -> Cost:
        spent = sum(self.made[tier] * one for tier, one in each.items())
        draft, one, target = self.terms.draft, known.get("draft"), known.get("target")
        if draft is None:
            return Cost(spent, target)
        return Cost.drafting(spent, one, target, draft)

    def _paid(self, price: Cost, gpu: Cost, held: int) -> float:
        return affords(self.terms.budget, sum(self.made.values()), price, gpu, held)

    def _due(self, *, promoted: bool) -> bool:
        """Whether the critic is tested before the next round, a promotion or not, as `agent.canaries.due` says."""
        rules, draft = self.terms.canaries, self.terms.draft
        if rules is None or not any(self.made.values()):
            return False
        more, gpu, price = self.terms.budget.samples_per_iteration, self.gpu, self.price
        if draft is not None and promoted:
            more, gpu, price = draft.seeds, gpu.of_target(), price.of_target()
        return rules.exceeded(gpu.spent + more * (gpu.each or 0.0), price.spent + more * (price.each or 0.0))


def played(terms: Terms, pace: Each) -> tuple[Round, ...]:
    """The rounds of a run in which every caption is new and none is accepted.

    Args:
        terms: of the run.
        pace: seconds of a render.
    """
    budget, draft, count = terms.budget, terms.draft, _Count(terms, pace)
    tier: Tier = "target" if draft is None else "draft"
    while len(count.rounds) < budget.max_iterations and count.affordable >= 1:
        count.add(tier, budget.samples_per_iteration, count.affordable, asks=count.writes)
    if draft is not None:
        for _ in range(min(draft.promote, len(count.rounds))):
            count.add("target", draft.seeds, count.finals_affordable, asks=False)
    return tuple(count.rounds)


def packed(terms: Terms, pace: Each, drafted: int) -> tuple[Round, ...]:
    """The most rounds of a run in which so many captions are drafted, see the module."""
    budget, draft, count = terms.budget, terms.draft, _Count(terms, pace)
    if draft is None:
        return played(terms, pace)
    for _ in range(drafted):
        count.add("draft", budget.samples_per_iteration, count.affordable, asks=count.writes)
    least = max(drafted, min(1 + terms.raw_first, budget.max_iterations))  # the second may be cut to less than a round
    again = budget.max_iterations - least
    promoted = least if terms.stops else min(draft.promote, least - (again > 0))
    for n in range(again + promoted):
        count.add("target", draft.seeds, count.finals_affordable, asks=n < again)
    if drafted < budget.max_iterations and count.left < budget.samples_per_iteration:
        count.add("draft", budget.samples_per_iteration, count.left, asks=False)  # in place of one that was tried again
    return tuple(count.rounds)


def courses(terms: Terms, pace: Each) -> tuple[tuple[Round, ...], ...]:
    """The rounds of all courses that may take most of something."""
    most = terms.budget.max_iterations
    if terms.draft is None:
        return (played(terms, pace),)
    drafted = {*range(1, most, 1 + most // MANY), most}
    return (played(terms, pace), *(packed(terms, pace, count) for count in sorted(drafted)))


def expected(terms: Terms, pace: Each, acceptance: float) -> tuple[Round, ...]:
    """As `played`, each round as likely as it is reached if each caption ends the run with the same probability."""
    return tuple(_likely(terms, pace, acceptance))


def _likely(terms: Terms, pace: Each, acceptance: float) -> Iterator[Round]:
    draft, left = terms.draft, 1.0
    for one in played(terms, pace):
        yield replace(one, likely=left)
        if draft is None or one.tier == "draft":
            if draft is not None and acceptance:  # its draft is accepted and promoted at once, and its render, too
                seconds = pace.get("target", 0.0)
                yield Round("target", draft.seeds, seconds, asks=False, likely=left * acceptance)
            left *= 1 - acceptance


def total(rounds: Sequence[Round], tier: Tier | None = None) -> float:
    """Renders expected of rounds. `tier`: of this one alone."""
    return sum(one.likely * one.count for one in rounds if tier in {None, one.tier})


def reached(rounds: Sequence[Round]) -> tuple[float, ...]:
    """How likely each caption is asked for."""
    return tuple(one.likely for one in rounds if one.asks)


def times_tested(rounds: Sequence[Round]) -> float:
    """How likely the critic is tested."""
    return sum(one.likely for one in rounds if one.tested)
