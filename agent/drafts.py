"""The draft tier made exact: which size, what a draft costs, and what is assumed of its ranking."""

import asyncio
import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

from agent import intake
from agent.building import known_price
from agent.config import DraftConfig, RunConfig
from agent.errors import ConfigError
from agent.forecasting import planned, ratio
from agent.forecasting.correlation import Measured, correlation, read
from agent.lines import printable
from agent.types import Draft, Request
from generator import sizes
from generator.capabilities import Capabilities, capabilities
from generator.sizes import Size
from generator.types import RenderSpec

PREFIX = "draft-"
"""Of the names of the files that drafts are made from: those of the request, at the drafts' size."""


MOST_SOURCE = 160
"""Characters of a measurement's source that are told."""
AUTO = DraftConfig(steps=12, seeds=4)
SAME, ROUNDING = 0.99, 0.05
"""Share of a target's steps or frames from which a draft has as many; of a step or frame, since files round shares."""
AUTO_BUDGET = {"max_iterations": 5, "samples_per_iteration": 1}
"""What `search.draft: auto` comes to: the strategy that docs/search-benchmark.md found best."""


async def drafted(config: RunConfig, request: Request, given: dict[str, bytes]) -> tuple[Request, dict[str, bytes]]:
    """The request with its draft tier as `tiered` has it, and all files that renders of both tiers are made from.

    Args:
        config: the run's.
        request: made exact.
        given: what the target renders are made from, by name.

    Raises:
        ConfigError: the backend makes no such drafts.
        IntakeError: a video cannot be used.
    """
    request = tiered(config, request)
    more = await _files(config, request, given)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in more.items()}
    return request.model_copy(update={"files": {**request.files, **hashes}}), {**given, **more}


def tiered(config: RunConfig, request: Request) -> Request:
    """The request with its draft tier, where the config asks for one that is worth its renders; else a note says why.

    Raises:
        ConfigError: the backend makes no such drafts, or search.draft_correlation cannot be used.
    """
    able = capabilities(config.generator)
    auto, own = config.search.draft == "auto", _own(config)
    wish = _wish(config, request.spec, able, own)
    if wish is None:
        return request
    spec = draft_spec(wish, request.spec, able)
    draft_tier, target = tier(spec, able), tier(request.spec, able)
    steps = spec.num_inference_steps / request.spec.num_inference_steps
    frames = spec.num_frames / request.spec.num_frames
    plan = planned(config.generator)
    gain = ratio(plan, request.spec, spec)
    what = f"{spec.width}x{spec.height}, {spec.num_frames} frames, {spec.num_inference_steps} steps"
    kind = (plan.engine, draft_tier, target, steps, frames)
    found = correlation(*kind, own) or correlation(*kind)
    file = Path(config.search.draft_correlation or "").name
    source = "" if found is None else _short(found.source) + (f", in your {file}" if found in own else "")
    bill, whole = known_price(config.generator, spec), known_price(config.generator, request.spec)
    costly = gain <= 1 or (bill is not None and whole is not None and bill >= whole)
    why = ""
    if costly:
        why = f"No drafts are made: one of {what} would cost as much as the render that is asked for."
    elif found is not None and found.value < wish.min_correlation:
        why = (
            f"No drafts are made: their scores rank captions with a correlation of {found.value:.2f} to the final ones "
            f"({found.low:.2f} to {found.high:.2f}, {source}), below search.draft.min_correlation "
            f"({wish.min_correlation:g})."
        )
    if auto and (why or found is None or not found.enough(wish.min_correlation)):
        return request  # nobody asked for them
    if why:
        return request.model_copy(update={"notes": (*request.notes, why)})
    assumes = f"Captions are compared by drafts of {what}, each taken to cost 1/{gain:.1f} of a render as asked. " + (
        f"That drafts rank captions as renders of {target}p do is assumed: it was never measured for {able.name}"
        f"{f', and your {file} is not about such drafts' if own else ''}."
        if found is None
        else f"Draft and final scores rank captions with a correlation of {found.value:.2f} ({found.low:.2f} to "
        f"{found.high:.2f} over {found.prompts} prompts, {source})."
    )
    draft = Draft(
        spec=spec,
        promote=wish.promote,
        seeds=wish.seeds,
        ratio=round(gain, 3),
        price_usd=bill,
        assumes=assumes,
    )
    return request.model_copy(update={"draft": draft})


def _short(source: str) -> str:
    """A measurement's source for a sentence: a file may be anybody's, and name hundreds of runs."""
    line = printable(" ".join(source.split()))
    return line if len(line) <= MOST_SOURCE else f"{line[: MOST_SOURCE - 1]}…"


def _own(config: RunConfig) -> tuple[Measured, ...]:
    """What the user measured of drafts.

    Raises:
        ConfigError: the file cannot be used.
    """
    file = config.search.draft_correlation
    return () if file is None else read(Path(file))


def _wish(config: RunConfig, spec: RenderSpec, able: Capabilities, own: Sequence[Measured] = ()) -> DraftConfig | None:
    """The drafts that a config comes to as far as itself, its budget and the backend's sizes say; None: none."""
    wish, most = config.search.draft, config.budget.max_renders
    if wish != "auto":
        return wish
    free = not {*AUTO_BUDGET} & config.budget.model_fields_set
    room = most is None or most >= AUTO.seeds + 2  # a draft alone has nothing to be compared with
    found = _measured(own, planned(config.generator).engine, spec, able) or auto_draft(spec)
    able_to = any(f"{size.tier}p" == found.tier for size in able.sizes)
    return found if free and room and able_to else None


def _measured(own: Sequence[Measured], engine: str, spec: RenderSpec, able: Capabilities) -> DraftConfig | None:
    """The cheapest drafts that the user measured to rank captions well for such a render; None: none."""
    good = [row for row in own if (row.generator, row.target) == (engine, tier(spec, able))]
    good = [row for row in good if row.draft <= row.target and row.enough(AUTO.min_correlation)]
    if not good:
        return None
    row = min(good, key=lambda row: (row.draft, row.steps * row.frames))
    steps = math.ceil(row.steps * spec.num_inference_steps - ROUNDING)
    pace = able.frame_step  # frames come as k steps and one more: never fewer than was measured
    frames = min(math.ceil((row.frames * spec.num_frames - 1 - ROUNDING) / pace) * pace + 1, spec.num_frames)
    return AUTO.model_copy(
        update={
            "tier": f"{row.draft}p",
            "steps": None if row.steps > SAME else max(steps, int(able.steps.least)),
            "frames": None if row.frames > SAME else max(frames, int(able.frames.least)),
        }
    )


def unasked(config: RunConfig, request: Request) -> str:
    """Why `search.draft: auto` comes to no drafts, in a sentence; "" where it does, or is not what the config says."""
    if config.search.draft != "auto" or request.draft is not None:
        return ""
    able, given = capabilities(config.generator), sorted({*AUTO_BUDGET} & config.budget.model_fields_set)
    if given:
        why = f"{' and '.join(f'budget.{key}' for key in given)} {'is' if len(given) == 1 else 'are'} given"
    else:
        size = f"{request.spec.width}x{request.spec.height}"
        also = f", also by your {Path(config.search.draft_correlation).name}" if config.search.draft_correlation else ""
        why = f"they are not known to pay with this budget for {able.name} at {size}{also}"
    return f"No drafts are made by themselves (search.draft: auto): {why}."


def auto_draft(spec: RenderSpec) -> DraftConfig:
    """The drafts of `search.draft: auto` for a render as asked."""
    fewer = AUTO.steps is not None and AUTO.steps < spec.num_inference_steps
    return AUTO if fewer else AUTO.model_copy(update={"steps": None})


def settled(config: RunConfig, request: Request) -> RunConfig:
    """The config with the drafts that its request has, and with the budget that these have where it names none."""
    search, budget = config.search, config.budget
    if request.draft is None:
        return config.model_copy(update={"search": search.model_copy(update={"draft": None})})
    if search.draft == "auto":
        wish = _wish(config, request.spec, capabilities(config.generator), _own(config))
        search = search.model_copy(update={"draft": wish})
        budget = budget.model_copy(update=AUTO_BUDGET)
    return config.model_copy(update={"search": search, "budget": budget})


def draft_spec(wish: DraftConfig, spec: RenderSpec, able: Capabilities) -> RenderSpec:
    """What a draft is asked for, its files by their names.

    Raises:
        ConfigError: the backend makes no such drafts.
    """
    size = _size(spec, wish, able)
    made = spec.model_copy(
        update={
            "width": size.width,
            "height": size.height,
            "num_frames": _frames(spec, wish, size, able),
            "num_inference_steps": _steps(spec, wish, able),
        }
    )
    return made.with_files(lambda path: Path(f"{PREFIX}{path.name}"))


async def _files(config: RunConfig, request: Request, given: dict[str, bytes]) -> dict[str, bytes]:
    """What drafts are made from, by name."""
    if request.draft is None:
        return {}
    spec, made = request.draft.spec, dict[str, bytes]()
    if spec.first_frame is not None:  # of the target's first frame: both tiers begin with the same picture
        target = given[spec.first_frame.name.removeprefix(PREFIX)]
        made[spec.first_frame.name], _ = await asyncio.to_thread(intake.to_first_frame, target, spec.width, spec.height)
    if spec.source_video is not None and config.request.video is not None:
        wish = config.request
        made[spec.source_video.name], _ = await asyncio.to_thread(
            intake.to_source, config.request.video, spec, bool(wish.controls)
        )
    for control, wanted in zip(spec.controls, config.request.controls, strict=True):
        made[control.path.name], _ = await asyncio.to_thread(intake.to_control, wanted.path, control.kind, spec)
    return made


def tier(spec: RenderSpec, able: Capabilities) -> int:
    """The size class of a render: 256, 480 or 720."""
    return sizes.snap(spec.width, spec.height, able.sizes).tier


def _size(spec: RenderSpec, wish: DraftConfig, able: Capabilities) -> Size:
    """The tier's size whose shape is nearest to the request's."""
    among = [size for size in able.sizes if f"{size.tier}p" == wish.tier]
    if not among:
        tiers = ", ".join(f"{tier}p" for tier in sorted({size.tier for size in able.sizes}))
        raise ConfigError(f"search.draft.tier: {able.name} renders no {wish.tier}; give {tiers}, or search.draft: null")
    return sizes.snap(spec.width, spec.height, among)


def _frames(spec: RenderSpec, wish: DraftConfig, size: Size, able: Capabilities) -> int:
    most = min(spec.num_frames, able.longest(size))
    if wish.frames is None:
        return most
    if wish.frames > most:
        raise ConfigError(f"search.draft.frames: {wish.frames} is over the {most} that a draft has here; lower it")
    return min(most, sizes.grid(wish.frames, able.frame_step, int(able.frames.least)))


def _steps(spec: RenderSpec, wish: DraftConfig, able: Capabilities) -> int:
    if wish.steps is None:
        return spec.num_inference_steps
    if not able.steps.least <= wish.steps <= able.steps.most:
        raise ConfigError(
            f"search.draft.steps: {wish.steps} is not what {able.name} takes; give {able.steps.least:g} to "
            f"{able.steps.most:g} or null"
        )
    if wish.steps > spec.num_inference_steps:
        raise ConfigError(
            f"search.draft.steps: {wish.steps} is more than the {spec.num_inference_steps} of a render as asked"
        )
    return wish.steps
