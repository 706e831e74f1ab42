"""A forecast out of a config, its exact request and what earlier runs took."""

from collections.abc import Sequence

from agent.config import RunConfig
from agent.forecast import Bounds, Forecast, Place, StepForecast
from agent.forecasting import asking
from agent.forecasting.asking import Each
from agent.forecasting.history import Asked, History
from agent.forecasting.latencies import critique_seconds, volume
from agent.forecasting.places import Found, places
from agent.forecasting.planned import Planned, chat_model, judges, planned
from agent.forecasting.saying import assumed, sources
from agent.forecasting.schedule import Pace, expected, reached, renders, wall_seconds
from agent.spending import Cost
from agent.types import Budget, Request, Step
from critic.config import HybridConfig, SignalsConfig
from generator.config import FalConfig
from reasoner.config import RulesConfig


def forecast(
    config: RunConfig, request: Request, seen: History, hardware: str | None = None, generator: str = ""
) -> Forecast:
    """What a run is expected to cost, and what it may cost.

    Args:
        config: the run's.
        request: made exact.
        seen: what earlier runs took.
        hardware: a published name; None: not known. Named, it stands before the history of renders.
        generator: its id, where it is known already.

    Raises:
        ConfigError: nothing is published for that hardware, or the rubric file cannot be used.
    """
    plan, price = planned(config.generator, generator), _price(config, request)
    counts = renders(_paid(config.budget, price))
    written = int(config.search.include_raw_prompt and request.expand)  # the raw prompt is no caption to write
    stops = config.budget.early_stop and config.critic.accept_at is not None
    acceptance = seen.acceptance if stops else None
    reach = reached(len(counts), acceptance or 0.0)
    captions = Bounds(expected=_short(sum(reach[written:])), worst=len(counts[written:]))
    clips = Bounds(expected=_short(expected(counts, reach)), worst=sum(counts))

    caption, critique = _caption(config, seen), _critique(config, request, seen)
    found = places(plan, request.spec, seen, hardware)
    built = [_place(config, request, plan, one, caption, critique, counts, reach) for one in found]
    return Forecast(
        steps={
            "caption": StepForecast(
                count=captions,
                requests=_caption_requests(config, request, seen, reach[written:]),
                tokens=_whole(caption.tokens, captions),
            ),
            "render": StepForecast(count=clips, requests=Bounds.sure(0), tokens=Bounds.sure(0)),
            "judge": StepForecast(
                count=clips,
                requests=_critique_requests(config, request, seen, clips),
                tokens=_whole(critique.tokens, clips),
            ),
        },
        places=tuple(built),
        price_usd=None if price is None else Bounds.sure(price).times(clips),
        assumes=tuple(assumed(config, plan, found, seen, built)),
        sources=tuple(sources(config, found, seen)),
    )


def _paid(budget: Budget, price: float | None) -> Budget:
    """The budget with as many renders as its money pays for, where the price of one is known."""
    if not price or budget.max_price_usd is None:
        return budget
    paid = max(1, int(Cost(0.0, price).pays_for(budget.max_price_usd)))
    return budget.model_copy(update={"max_renders": min(paid, budget.max_renders or paid)})


def _short(value: float) -> float:
    return round(value, 4)


def _whole(each: Bounds | None, count: Bounds) -> Bounds | None:
    return None if each is None else each.times(count)


def _caption(config: RunConfig, seen: History) -> Each:
    if isinstance(config.reasoner, RulesConfig):
        return Each(Bounds.sure(0), Bounds.sure(0), Bounds.sure(0))
    return asking.remembered(seen.captions, asks=True)


def _caption_requests(config: RunConfig, request: Request, seen: History, reach: Sequence[float]) -> Bounds:
    if seen.captions and not isinstance(config.reasoner, RulesConfig):
        each = asking.remembered(seen.captions, asks=True).requests or Bounds.sure(0)
        return each.times(Bounds(expected=sum(reach), worst=len(reach)))
    each_one = [asking.caption_requests(config, first=n == 0, expand=request.expand) for n in range(len(reach))]
    return Bounds(
        expected=_short(sum(one.expected * likely for one, likely in zip(each_one, reach, strict=True))),
        worst=sum(one.worst for one in each_one),
    )


def _critique(config: RunConfig, request: Request, seen: History) -> Each:
    """One critique; its seconds None where they hang on the hardware."""
    if not isinstance(config.critic, SignalsConfig):
        return asking.remembered(seen.critiques, asks=True)
    here = critique_seconds(volume(request.spec))
    scaled = [d.seconds * here.expected / critique_seconds(d.volume).expected for d in seen.critiques if d.volume]
    lived = asking.remembered([Asked(seconds, 0, 0) for seconds in scaled], asks=False)
    return Each(Bounds.sure(0), Bounds.sure(0), lived.seconds or here)


def _critique_requests(config: RunConfig, request: Request, seen: History, clips: Bounds) -> Bounds:
    if seen.critiques and not isinstance(config.critic, SignalsConfig):
        each = asking.remembered(seen.critiques, asks=True).requests or Bounds.sure(0)
        return each.times(clips)
    one, once = asking.critique_requests(config, first_frame=request.spec.first_frame is not None)
    all_clips = one.times(clips)
    return Bounds(expected=all_clips.expected + once.expected, worst=all_clips.worst + once.worst)


def _place(
    config: RunConfig,
    request: Request,
    plan: Planned,
    found: Found,
    caption: Each,
    critique: Each,
    counts: Sequence[int],
    reach: Sequence[float],
) -> Place:
    written, judged = caption.seconds, critique.seconds
    if written is None and (model := chat_model(config, "reasoner")):
        written = asking.caption_seconds(model, found.name)
    if judged is None and (model := chat_model(config, "critic")):
        one, _ = asking.critique_requests(config, first_frame=request.spec.first_frame is not None)
        judged = asking.critique_seconds(model, found.name, one, feedback=getattr(config.critic, "feedback", False))
        if judged is not None and isinstance(config.critic, HybridConfig):  # it measures first
            measured = critique_seconds(volume(request.spec))
            judged = Bounds(expected=judged.expected + measured.expected, worst=judged.worst + measured.worst)
    each: dict[Step, Bounds | None] = {"caption": written, "render": found.render, "judge": judged}
    how_many = Bounds(expected=sum(reach), worst=len(counts))
    clips = Bounds(expected=expected(counts, reach), worst=sum(counts))
    seconds = {step: one.times(how_many if step == "caption" else clips) for step, one in each.items() if one}

    def wall(kind: str, reached_with: Sequence[float]) -> float:
        first, middle, last = (getattr(one, kind) if one else 0.0 for one in each.values())
        pace = Pace(first, middle, last, plan.renderers, judges(config))
        whole = wall_seconds(counts, reached_with, pace)
        limit = config.budget.max_seconds
        return _short(whole if limit is None else min(whole, limit))

    return Place(
        name=found.name,
        model=found.model,
        gpus=found.gpus,
        render=found.render,
        seconds=seconds,
        wall=Bounds(expected=wall("expected", reach), worst=wall("worst", [1.0] * len(counts))),
        basis=found.basis,
    )


def _price(config: RunConfig, request: Request) -> float | None:
    """Dollars that one render costs."""
    if not isinstance(config.generator, FalConfig):
        return None
    from generator.fal import price  # noqa: PLC0415 - a backend is loaded by those who use it

    return price(config.generator, request.spec)
