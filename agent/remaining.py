"""What is left of a run, tier by tier, and how long that takes at its pace so far."""

from collections import Counter
from collections.abc import Mapping

from agent.course import affordable, finals_affordable, ranked, tried
from agent.run import Run
from agent.types import Tier


def left(run: Run) -> dict[Tier, float]:
    """Renders to come, by tier, if every iteration is used and only what is best then is rendered as asked."""
    budget, draft = run.budget, run.request.draft
    if draft is None:
        total = budget.max_iterations * budget.samples_per_iteration
        return {"target": max(0.0, min(total - run.renders, run.pending + affordable(run)))}
    captions = max(0, budget.max_iterations - tried(run))
    begun: dict[Tier, int] = {"draft": 0, "target": 0}
    for iteration in run.iterations:
        begun[iteration.tier] += len(iteration.missing)
    done = {i.promoted for i in run.iterations}
    waiting = sum(n not in done for n in ranked(run)[: draft.promote])
    promotions = min(draft.promote, max(waiting, captions))  # a caption to come may outdo those that are promoted
    drafts = begun["draft"] + min(captions * budget.samples_per_iteration, affordable(run))
    finals = begun["target"] + min(promotions * draft.seeds, finals_affordable(run))
    return {"draft": drafts, "target": finals}


def by_tier(run: Run) -> Counter[Tier]:
    """Renders made, by tier, failed ones included."""
    return sum((Counter({i.tier: i.renders}) for i in run.iterations), Counter[Tier]())


def remaining(run: Run, elapsed: float, earlier: Mapping[Tier, int] | None = None) -> float | None:
    """Seconds that all the rest takes at the pace of this session; None before it has judged a clip, or if settled.

    Args:
        run: as it stands.
        elapsed: seconds of this session.
        earlier: renders that this session did not make, by tier.
    """
    done = by_tier(run)
    done.subtract(earlier or {})
    work = weighed(run, done)
    if work <= 0 or run.settled:
        return None
    more = weighed(run, left(run)) * elapsed / work
    return more if run.budget.max_seconds is None else min(more, max(0.0, run.budget.max_seconds - elapsed))


def weighed(run: Run, renders: Mapping[Tier, float]) -> float:
    """Renders by what they take beside one as asked: a draft as little as those of this run did."""
    draft, cost = run.request.draft, run.gpu
    ratio = 1.0 if draft is None else draft.ratio
    if draft is not None and cost.each and cost.target:
        ratio = cost.target / cost.each
    return renders.get("target", 0) + renders.get("draft", 0) / ratio
