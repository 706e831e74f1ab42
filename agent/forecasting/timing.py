"""What a run takes in one place: the seconds of its steps, side by side and by the clock."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.config import RunConfig
from agent.forecast import Bounds, Place, StepForecast
from agent.forecasting import asking, beside
from agent.forecasting.asking import Each
from agent.forecasting.latencies import critique_seconds, volume
from agent.forecasting.outlook import End, Outlook, at
from agent.forecasting.places import Found
from agent.forecasting.planned import Planned, chat_model, judges
from agent.forecasting.rounds import Round, reached, times_tested
from agent.forecasting.schedule import Pace, wall_seconds
from agent.types import Request, Step, Tier
from critic.config import HybridConfig
from generator.types import RenderSpec


@dataclass(frozen=True)
class Taking:
    """What one of each takes, wherever it is done; its seconds None where they hang on the hardware."""

    caption: Each
    critique: Mapping[Tier, Each]
    test: Each
    comparison: Each


def place(
    config: RunConfig,
    request: Request,
    plan: Planned,
    found: Mapping[Tier, Found],
    taking: Taking,
    steps: Mapping[Step, StepForecast],
    ahead: Outlook,
) -> Place:
    """What a run takes where its renders take as long as `found`, by tier."""
    target, draft = found["target"], found.get("draft")
    lived = taking.caption.seconds
    written = None if lived is None else (lived, lived)
    if written is None and (model := chat_model(config, "reasoner")):
        written = asking.caption_seconds(model, target.name)
    specs: dict[Tier, RenderSpec] = {"target": request.spec}
    if request.draft is not None:
        specs["draft"] = request.draft.spec
    judged = {tier: _judged(config, spec, target.name, taking.critique[tier]) for tier, spec in specs.items()}
    known: dict[Tier, Bounds] = {tier: one for tier, one in judged.items() if one is not None}

    seconds: dict[Step, Bounds] = {
        "render": ahead.bounds(lambda rounds, _: sum(one.likely * one.count * one.seconds for one in rounds))
    }
    if written is not None:
        caption, rewrite = written
        writing = ahead.bounds(lambda rounds, end: _writing(rounds, at(caption, end), at(rewrite, end)))
        seconds = {"caption": writing, **seconds}
    if len(known) == len(specs):
        seconds["judge"] = ahead.bounds(
            lambda rounds, end: sum(one.likely * one.count * at(known[one.tier], end) for one in rounds)
        )
    test = taking.test.seconds
    if test is None and (first := known.get("draft", known.get("target"))):  # the clip that is there first is doctored
        test = beside.tested_seconds(request, first, judges(config))
    if "test" in steps and test is not None:
        seconds["test"] = ahead.bounds(lambda rounds, end: times_tested(rounds) * at(test, end))
    pairs, each = steps.get("compare"), taking.comparison.seconds
    if pairs is not None and each is not None:
        seconds["compare"] = each.times(pairs.count)

    def wall(rounds: Sequence[Round], end: End) -> float:
        pace = Pace(
            caption=at(written[0], end) if written else 0.0,
            rewrite=at(written[1], end) if written else 0.0,
            judge={tier: at(one, end) for tier, one in known.items()},
            renderers=plan.renderers,
            judges=judges(config),
            test=at(test, end) if test else 0.0,
        )
        whole = wall_seconds(rounds, pace)
        if pairs is not None and each is not None:
            whole += math.ceil(at(pairs.count, end) / judges(config)) * at(each, end)
        limit = config.budget.max_seconds
        return whole if limit is None else min(whole, limit)

    return Place(
        name=target.name,
        model=target.model,
        gpus=target.gpus,
        render=target.render,
        draft=None if draft is None else draft.render,
        seconds=seconds,
        wall=ahead.bounds(wall),
        basis=target.basis,
    )


def _writing(rounds: Sequence[Round], first: float, later: float) -> float:
    """Seconds of all captions that are asked for."""
    return sum(likely * (later if n else first) for n, likely in enumerate(reached(rounds)))


def _judged(config: RunConfig, spec: RenderSpec, hardware: str, critique: Each) -> Bounds | None:
    """Seconds of one critique of such a clip. None: not known."""
    model = chat_model(config, "critic")
    if critique.seconds is not None or not model:
        return critique.seconds
    one, _ = asking.critique_requests(config, first_frame=spec.first_frame is not None)
    judged = asking.critique_seconds(model, hardware, one, feedback=getattr(config.critic, "feedback", False))
    if judged is not None and isinstance(config.critic, HybridConfig):  # it measures first
        measured = critique_seconds(volume(spec))
        judged = Bounds(expected=judged.expected + measured.expected, worst=judged.worst + measured.worst)
    return judged
