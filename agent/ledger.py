"""What a run took, step by step: a pure function of the run."""

from typing import Any

from pydantic import BaseModel, ConfigDict

from agent.run import Run
from agent.spending import prices
from agent.types import Step
from reasoner.chat.types import Usage
from reasoner.types import Caption


class Took(BaseModel):
    """What one step took over a whole run, or all of them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int
    """Captions written, clips rendered or clips judged. A caption that was tried again unchanged is not written."""
    failed: int = 0
    """Attempts beside those that gave nothing."""
    seconds: float
    """Parallel work added up. Of renders: without the wait in queues, and with failed ones whose time is known."""
    usage: Usage = Usage()
    """What asking a model took."""

    @property
    def tokens(self) -> int:
        """Tokens read and written."""
        return self.usage.prompt_tokens + self.usage.completion_tokens

    @property
    def hit_rate(self) -> float | None:
        """Share in [0, 1] of the tokens looked up in the server's prefix cache that were there. None: none were."""
        return self.usage.cache_hits / self.usage.cache_queries if self.usage.cache_queries else None

    def facts(self) -> dict[str, Any]:
        """Everything as plain figures, for run.json."""
        usage = self.usage
        return {
            "count": self.count,
            "failed": self.failed,
            "seconds": self.seconds,
            "requests": usage.calls,
            "request_seconds": usage.seconds,
            "prompt_tokens": usage.prompt_tokens,
            "cached_tokens": usage.cached_tokens,
            "completion_tokens": usage.completion_tokens,
            "cache_queries": usage.cache_queries,
            "cache_hits": usage.cache_hits,
            "hit_rate": self.hit_rate,
        }


class Ledger(BaseModel):
    """What each step of a run took."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    steps: dict[Step, Took]
    """Captions, renders, judging: in the order in which they are done."""
    total: Took
    """Its count is all that was done."""
    price_usd: float | None = None
    """What renders cost, failed and lost ones included. None: nothing is billed, or no price is known."""
    lost_seconds: float = 0.0
    """Seconds of the generator's time that went into renders nobody could use."""

    def facts(self) -> dict[str, Any]:
        """Everything as plain figures, for run.json."""
        return {
            "total": self.total.facts(),
            "steps": {step: took.facts() for step, took in self.steps.items()},
            "price_usd": self.price_usd,
            "lost_seconds": self.lost_seconds,
        }


def ledger(run: Run) -> Ledger:
    """What a run took so far, remembered steps included.

    A clip that could not be judged counts as rendered and not as judged: what judging it took is not known.
    """
    seconds = run.seconds
    captions = [i.caption for i in run.iterations]
    unjudged = [f for i in run.iterations for f in i.failures if f.clip]
    steps: dict[Step, Took] = {
        "caption": Took(
            count=sum(not i.caption.reseed and i.promoted is None for i in run.iterations),
            seconds=seconds["caption"],
            usage=sum((c.usage for c in captions), Usage()),
        ),
        "render": Took(
            count=len(run.candidates) + len(unjudged),
            failed=sum(f.clip is None for i in run.iterations for f in i.failures),
            seconds=seconds["render"],
        ),
        "judge": Took(
            count=len(run.candidates),
            failed=len(unjudged),
            seconds=seconds["judge"],
            usage=sum((c.critique.usage for c in run.candidates), Usage()),
        ),
    }
    if run.duels:
        steps["compare"] = Took(
            count=len(run.duels),
            seconds=seconds["compare"],
            usage=sum((d.comparison.usage for d in run.duels), Usage()),
        )
    if run.self_test is not None:
        steps["test"] = Took(count=1, seconds=run.self_test.seconds, usage=run.self_test.usage)
    total = Took(
        count=sum(t.count for t in steps.values()),
        seconds=sum(t.seconds for t in steps.values()),
        usage=sum((t.usage for t in steps.values()), Usage()),
    )
    price = run.price.spent if prices(run.iterations) or run.lost_usd else None
    return Ledger(steps=steps, total=total, price_usd=price, lost_seconds=run.lost_seconds)


def fallback(caption: Caption) -> str:
    """Why the user's own words stand in for a caption that could not be written; "" where none had to."""
    return caption.diagnosis if caption.source == "raw" else ""


def fallbacks(run: Run) -> dict[int, str]:
    """The iterations rendered from the user's own words for want of a caption, by index, and why."""
    found: dict[int, str] = {}
    for number, iteration in enumerate(run.iterations):
        caption, parent = iteration.caption, iteration.parent
        # the same words tried on fresh seeds are still the user's own
        why = fallback(caption) or (found.get(parent, "") if caption.reseed and parent is not None else "")
        if why:
            found[number] = why
    return found
