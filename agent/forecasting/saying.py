"""What a forecast takes to be so, what it leaves out, and where its figures come from, in sentences."""

from collections.abc import Iterator, Mapping, Sequence

from agent.config import RunConfig
from agent.forecast import Place, StepForecast
from agent.forecasting.asking import CAPTION_TOKENS
from agent.forecasting.history import FEWEST_ACCEPTED, History
from agent.forecasting.latencies import latencies
from agent.forecasting.places import Found
from agent.forecasting.planned import Planned, chat_model
from agent.gain import PRIOR_SPREAD
from agent.types import Request, Step, Tier
from critic.config import VLMConfig
from generator.capabilities import capabilities
from generator.config import FalConfig, VLLMOmniConfig


def assumed(
    config: RunConfig,
    request: Request,
    plan: Planned,
    found: Sequence[Mapping[Tier, Found]],
    seen: History,
    built: Sequence[Place],
    steps: Mapping[Step, StepForecast],
) -> Iterator[str]:
    """What was taken to be so, and what is left out."""
    if request.draft is not None:
        yield request.draft.assumes
    yield _stopping(config, request, seen)
    if request.draft is not None:
        yield _drafting(config)
    yield from _rendering(plan, found, seen)
    if built and replies(config, seen) and {"caption", "judge"} & set(built[0].seconds):
        yield (
            f"A caption is taken for {CAPTION_TOKENS:,} tokens, and a clip for the video that replies are published "
            "for, whose length is not told; expected is 64 questions at a time, at worst one by one."
        )
    yield from _beside(config, found, steps)
    named: dict[Step, str] = {
        "caption": "captions",
        "judge": "critiques",
        "test": "tests of the critic",
        "compare": "comparisons",
    }
    for step, part in named.items():
        if step in steps and any(step not in place.seconds for place in built):
            yield f"How long {part} take is not known, and not in the seconds of a run."
    if config.budget.max_gpu_seconds is not None and len(built) > 1:
        yield "budget.max_gpu_seconds pays for fewer renders where they are slow: the counts are the most of all lines."
    if config.budget.max_seconds is not None:
        yield f"No run takes longer than its {config.budget.max_seconds:,.0f} s, and may then render less."
    yield f"Not counted: {', '.join(_left_out(config, built, steps))}."


def _stopping(config: RunConfig, request: Request, seen: History) -> str:
    if not config.budget.early_stop or config.critic.accept_at is None:
        return "Expected is the full schedule: nothing is accepted early."
    drafts = request.draft is not None
    if seen.acceptance is None:
        return (
            "Expected is the full schedule: how often a run is accepted early is not known before "
            f"{FEWEST_ACCEPTED} finished runs with this generator, critic and threshold"
            f"{', and with drafts' if drafts else ''}."
        )
    what, runs = "A caption is promoted and" if drafts else "An iteration is", len(seen.accepted)
    return f"{what} accepted with a probability of {seen.acceptance:.2f}, as in {runs} earlier runs here."


def _drafting(config: RunConfig) -> str:
    """What makes the most renders as asked."""
    if config.budget.early_stop and config.critic.accept_at is not None:
        return (
            "At worst each caption is rendered as asked: its draft is accepted, and its render is not. "
            "Expected is that the best are once the drafts are done."
        )
    return (
        "At worst the reasoner finds no better words, and a caption is tried again as asked on fresh seeds. "
        "Expected is that there are new words each time."
    )


def _beside(
    config: RunConfig, found: Sequence[Mapping[Tier, Found]], steps: Mapping[Step, StepForecast]
) -> Iterator[str]:
    if config.search.canaries is not None:
        rules = config.search.canaries
        amount = f"{rules.beyond_gpu_seconds:,.0f} s of rendering or ${rules.beyond_price_usd:,.2f}"
        if "test" not in steps:
            yield f"The critic is not tested: the run does not spend more than {amount}."
        elif found:
            yield (
                f"The critic is tested before the run would spend more than {amount}: once, unless its clip is too bad "
                "to tell anything from."
            )
        else:
            yield f"Whether the run spends more than {amount}, and the critic is tested before, is not known."
    if "compare" in steps:
        yield (
            f"How near scores lie to one another is not known: they are taken to spread by {PRIOR_SPREAD:g} at the "
            "final choice, and at worst all are compared that may be."
        )


def _rendering(plan: Planned, tiers: Sequence[Mapping[Tier, Found]], seen: History) -> Iterator[str]:
    found = [tier for place in tiers for tier in place.values()]
    if not found:
        yield (
            f"How long a render takes is not known: nothing is published for this kind of render by {plan.engine}"
            f"{f' with {plan.model}' if plan.model else ''}, and none was made here yet."
        )
    if len({place.name for place in found}) > 1:
        yield "The hardware is not known, so there is a line for each that a latency is published for."
    if len({place.model for place in found}) > 1:
        yield "The model is not known before its server is asked, so there is a line for each."
    if any(place.source == "nvidia" for place in found):
        yield "Published latencies have no spread: a render is taken to need the same at worst."
        if any(place.brought for place in found):
            yield (
                "Nothing is published for just this size, length and number of steps: what is published for others is "
                "brought to it."
            )
        if not plan.gpus:
            yield "One GPU to a server is taken, since the config does not say."
    yield from dict.fromkeys(place.note for place in found if place.note)
    if found and not seen.renders and plan.engine == "animatic":
        yield "A core of this machine is taken to be as quick as the benchmark's, and idle."


def _left_out(config: RunConfig, built: Sequence[Place], steps: Mapping[Step, StepForecast]) -> Iterator[str]:
    if config.budget.max_gpu_seconds is not None and not built:
        yield "budget.max_gpu_seconds, which ends a run earlier, but not before its first iteration"
    if "test" in steps:
        yield "making the doctored clips of the test"
    if config.budget.speculate:
        yield "the time that budget.speculate saves, and the renders that it may lose"
    serve = config.generator.serve if isinstance(config.generator, VLLMOmniConfig) else None
    if serve is not None and serve.layerwise_offload:
        yield "what layerwise_offload slows down"
    if serve is not None or getattr(config.reasoner, "serve", None):
        yield "starting servers and loading models (minutes)"
    if serve is not None and serve.time_share:
        yield "the changes of turn between the servers, each of which loads a model"
    if getattr(config.generator, "resubmit", 0):
        yield "renders that are lost and sent again"
    if isinstance(config.generator, FalConfig):
        yield "the wait in fal's queue"
    yield "the export"


def sources(config: RunConfig, found: Sequence[Found], seen: History) -> Iterator[str]:
    """Where the figures come from, each source once."""
    keys = [place.source for place in found if place.source]
    if any(not place.source for place in found):
        yield f"Renders: {found[0].basis}."
    if found and not isinstance(config.critic, VLMConfig) and not seen.critiques:
        keys.append("scenes")
    if found and replies(config, seen):
        keys.append("nvidia")
    yield from (latencies().sources[key] for key in dict.fromkeys(keys))
    if isinstance(config.generator, FalConfig):
        price = capabilities(config.generator).price
        yield f"Price: {'generator.price_usd' if config.generator.price_usd is not None else f'by fal, {price}'}."


def replies(config: RunConfig, seen: History) -> bool:
    """Whether the seconds of captions or critiques are made of published replies."""
    captions = chat_model(config, "reasoner") if not seen.captions else None
    return bool(captions or (chat_model(config, "critic") if not seen.critiques else None))
