"""A forecast out of a config, its exact request and what earlier runs took."""

from collections.abc import Mapping, Sequence

from agent.building import known_price
from agent.config import RunConfig
from agent.forecast import Bounds, Forecast, StepForecast
from agent.forecasting import asking, beside
from agent.forecasting.asking import Each
from agent.forecasting.history import Asked, History
from agent.forecasting.latencies import critique_seconds, volume
from agent.forecasting.outlook import End, Outlook, outlook, over_all
from agent.forecasting.places import places
from agent.forecasting.planned import planned
from agent.forecasting.rounds import Round, Terms, reached, times_tested, total
from agent.forecasting.saying import assumed, sources
from agent.forecasting.timing import Taking, place
from agent.types import Request, Step, Tier
from critic.config import SignalsConfig
from generator.types import RenderSpec
from reasoner.config import RulesConfig


def forecast(
    config: RunConfig, request: Request, seen: History, hardware: str | None = None, generator: str = ""
) -> Forecast:
    """What a run is expected to cost, and what it may cost.

    Args:
        config: the run's.
        request: made exact, with its draft tier.
        seen: what earlier runs took.
        hardware: a published name; None: not known. Named, it stands before the history of renders.
        generator: its id, where it is known already.

    Raises:
        ConfigError: nothing is published for that hardware, or the rubric file cannot be used.
    """
    plan, terms = planned(config.generator, generator), _terms(config, request)
    acceptance = (seen.acceptance if terms.stops else None) or 0.0
    specs: dict[Tier, RenderSpec] = {"target": request.spec}
    if request.draft is not None:
        specs["draft"] = request.draft.spec
    by_tier = {tier: places(plan, spec, seen, hardware) for tier, spec in specs.items()}
    found = [dict(zip(by_tier, one, strict=True)) for one in zip(*by_tier.values(), strict=True)]
    paces = [{tier: one.render for tier, one in there.items()} for there in found]
    outlooks = [outlook(terms, pace, acceptance) for pace in paces or [{}]]

    taking = _taking(config, request, seen, specs)
    steps = _steps(config, request, seen, taking, outlooks, known=bool(found))
    built = [
        place(config, request, plan, one, taking, steps, ahead)
        for one, ahead in zip(found, outlooks, strict=False)  # without a place there is an outlook all the same
    ]
    return Forecast(
        steps=steps,
        places=tuple(built),
        price_usd=over_all(outlooks, lambda rounds, _: _dollars(terms, rounds)) if terms.prices else None,
        assumes=tuple(assumed(config, request, plan, found, seen, built, steps)),
        sources=tuple(sources(config, by_tier["target"], seen)),
    )


def _terms(config: RunConfig, request: Request) -> Terms:
    prices: dict[Tier, float] = {}
    price = known_price(config.generator, request.spec)
    if price is not None:
        prices["target"] = price
        if request.draft is not None:
            draft = request.draft.price_usd
            prices["draft"] = price / request.draft.ratio if draft is None else draft
    return Terms(
        budget=config.budget,
        draft=request.draft,
        prices=prices,
        raw_first=config.search.include_raw_prompt and request.expand,
        stops=config.budget.early_stop and config.critic.accept_at is not None,
        canaries=config.search.canaries,
    )


def _dollars(terms: Terms, rounds: Sequence[Round]) -> float:
    return sum(one.likely * one.count * terms.prices[one.tier] for one in rounds)


def _taking(config: RunConfig, request: Request, seen: History, specs: Mapping[Tier, RenderSpec]) -> Taking:
    critique: dict[Tier, Each] = {tier: _critique(config, spec, seen) for tier, spec in specs.items()}
    return Taking(
        caption=_caption(config, seen),
        critique=critique,
        test=beside.tested(config, request, seen, critique.get("draft", critique["target"])),
        comparison=asking.remembered(seen.comparisons, asks=True),
    )


def _steps(
    config: RunConfig, request: Request, seen: History, taking: Taking, outlooks: Sequence[Outlook], *, known: bool
) -> dict[Step, StepForecast]:
    """Each step of a run. `known`: so are the seconds of a render."""
    captions = over_all(outlooks, lambda rounds, _: sum(reached(rounds)))
    clips = over_all(outlooks, lambda rounds, _: total(rounds))
    drafts = over_all(outlooks, lambda rounds, _: total(rounds, "draft"))
    finals = over_all(outlooks, lambda rounds, _: total(rounds, "target"))
    critique = taking.critique["target"]
    steps: dict[Step, StepForecast] = {
        "caption": StepForecast(
            count=captions,
            requests=_caption_requests(config, request, seen, outlooks),
            tokens=_whole(taking.caption.tokens, captions),
        ),
        "render": StepForecast(
            count=clips,
            drafts=drafts if request.draft else None,
            finals=finals if request.draft else None,
            requests=Bounds.sure(0),
            tokens=Bounds.sure(0),
        ),
        "judge": StepForecast(
            count=clips,
            requests=_critique_requests(config, request, critique, clips),
            tokens=_whole(critique.tokens, clips),
        ),
    }
    tests = over_all(outlooks, lambda rounds, _: times_tested(rounds))
    if config.search.canaries is not None and not known:  # whether so much is spent cannot be told
        tests = Bounds(expected=tests.expected, worst=1)
    if tests.worst:
        steps["test"] = StepForecast(
            count=tests, requests=_whole(taking.test.requests, tests), tokens=_whole(taking.test.tokens, tests)
        )
    pairs = Bounds.sure(0)
    if config.search.pairwise is not None and not isinstance(config.critic, SignalsConfig):
        pairs = beside.comparisons(config.search.pairwise, finals)  # wherever there is a render as asked, among these
    if pairs.worst:
        steps["compare"] = StepForecast(
            count=pairs,
            requests=_whole(taking.comparison.requests, pairs) or beside.comparison_requests(pairs),
            tokens=_whole(taking.comparison.tokens, pairs),
        )
    return steps


def _whole(each: Bounds | None, count: Bounds) -> Bounds | None:
    return None if each is None else each.times(count)


def _caption(config: RunConfig, seen: History) -> Each:
    if isinstance(config.reasoner, RulesConfig):
        return Each(Bounds.sure(0), Bounds.sure(0), Bounds.sure(0))
    return asking.remembered(seen.captions, asks=True)


def _caption_requests(config: RunConfig, request: Request, seen: History, outlooks: Sequence[Outlook]) -> Bounds:
    remembered = None if isinstance(config.reasoner, RulesConfig) else asking.remembered(seen.captions, asks=True)

    def measure(rounds: Sequence[Round], end: End) -> float:
        whole = 0.0
        for n, likely in enumerate(reached(rounds)):
            one = remembered and remembered.requests
            one = one or asking.caption_requests(config, first=n == 0, expand=request.expand)
            whole += likely * (one.expected if end == "expected" else one.worst)
        return whole

    return over_all(outlooks, measure)


def _critique(config: RunConfig, spec: RenderSpec, seen: History) -> Each:
    """One critique of such a clip; its seconds None where they hang on the hardware."""
    if not isinstance(config.critic, SignalsConfig):
        alike = [d for d in seen.critiques if d.volume == volume(spec)]
        return asking.remembered(alike or seen.critiques, asks=True)
    here = critique_seconds(volume(spec))
    scaled = [d.seconds * here.expected / critique_seconds(d.volume).expected for d in seen.critiques if d.volume]
    lived = asking.remembered([Asked(seconds, 0, 0) for seconds in scaled], asks=False)
    return Each(Bounds.sure(0), Bounds.sure(0), lived.seconds or here)


def _critique_requests(config: RunConfig, request: Request, critique: Each, clips: Bounds) -> Bounds:
    if critique.requests is not None and not isinstance(config.critic, SignalsConfig):
        return critique.requests.times(clips)
    one, once = asking.critique_requests(config, first_frame=request.spec.first_frame is not None)
    all_clips = one.times(clips)
    return Bounds(expected=all_clips.expected + once.expected, worst=all_clips.worst + once.worst)
