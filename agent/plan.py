"""`retake plan`: what a config will cost, told without running, starting or asking anything."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from agent import forecasting, intake, thresholds
from agent.building import foretold
from agent.config import RunConfig
from agent.drafts import settled, tiered, unasked
from agent.forecast import Bounds, Forecast, Place, StepForecast
from agent.lines import NAMES, amount, span
from agent.reading import is_remote
from agent.request import FIRST_FRAME, SOURCE, plain, possible
from agent.types import Request
from generator.capabilities import capabilities
from generator.types import Control


def plan(config: RunConfig, hardware: str | None = None) -> tuple[Request, Forecast]:
    """What a run of a config would be asked, and what it would cost by the runs that lie in its output folder.

    An image that is named by a URL is not fetched.

    Args:
        config: of the run.
        hardware: what renders, by the beginning of a published name. None: not known.

    Raises:
        ConfigError, IntakeError: the wish is wrong, or its drafts.
    """
    machine = None if hardware is None else forecasting.known(hardware)
    wish, notes = _request(config)
    request = tiered(config, wish)
    notes += request.notes[len(wish.notes) :]
    notes += [why] if (why := unasked(config, request)) else []
    notes += _threshold(config)
    config = settled(config, request)
    seen = forecasting.history(config.output.folder, forecasting.wanted(config))
    made = forecasting.forecast(config, request, seen, machine)
    return request, made.model_copy(update={"assumes": (*notes, *made.assumes)})


def _threshold(config: RunConfig) -> list[str]:
    """What the threshold file is taken for."""
    stated = thresholds.stated(config.critic)
    if stated is None:
        return []
    instrument, unknown = foretold(config.critic)
    made = thresholds.held(config.critic, stated, instrument, unknown)
    if made.complaint:
        return [f"The threshold is uncalibrated: {made.complaint}."]
    asked = " It is taken to be for the model that will answer." if unknown else ""
    return [f"A clip is accepted by the threshold file: {stated.threshold.sentence()}{asked}"]


def _request(config: RunConfig) -> tuple[Request, list[str]]:
    """The request as a run would make it exact, and what had to be assumed for that."""
    able, wish, notes = capabilities(config.generator), config.request, list[str]()
    if not wish.prompt:  # a config without one is complete: it comes by --prompt
        wish = wish.model_copy(update={"prompt": "anything"})
    given = wish.image is not None or wish.video is not None or wish.controls
    if given or "text2video" in able.modes:
        possible(wish, able)
    size = None
    if wish.image is not None and is_remote(wish.image) and not wish.image.lstrip().lower().startswith("data:"):
        if wish.size == "auto":
            notes.append("The image is not fetched for a plan: its shape is taken to be that of the usual size.")
    elif wish.image is not None:
        data = asyncio.run(intake.take_image(wish.image, rules=wish.image_fetch))
        size = intake.image_size(data)
    request = plain(wish, able, size)
    update: dict[str, Any] = {
        "first_frame": None if wish.image is None else Path(FIRST_FRAME),
        "source_video": None if wish.video is None else Path(SOURCE),
        "controls": tuple(Control(kind=c.kind, path=Path(c.path), weight=c.weight) for c in wish.controls),
    }
    if not given and "image2video" in able.modes and "text2video" not in able.modes:
        notes.append(f"A first frame is taken to be given (--image): {able.name} renders from nothing else.")
        update["first_frame"] = Path(FIRST_FRAME)
    spec = request.spec.model_copy(update=update)
    return request.model_copy(update={"spec": spec}), notes


def facts(config: RunConfig, request: Request, made: Forecast) -> dict[str, Any]:
    """What --json prints. Seconds are null where they are not known, or where several kinds of hardware are left."""
    spec = request.spec
    return {
        "generator": config.generator.backend,
        "mode": spec.mode,
        "size": f"{spec.width}x{spec.height}",
        "num_frames": spec.num_frames,
        "num_inference_steps": spec.num_inference_steps,
        "expected": _costs(made, "expected"),
        "worst": _costs(made, "worst"),
        "places": [_place(place) for place in made.places],
        "assumes": list(made.assumes),
        "sources": list(made.sources),
    }


def _costs(made: Forecast, kind: str) -> dict[str, float | None]:
    def value(bounds: Bounds | None) -> float | None:
        return None if bounds is None else getattr(bounds, kind)

    only, none = made.places[0] if len(made.places) == 1 else None, StepForecast.none()
    steps = {step: made.steps.get(step, none) for step in NAMES}
    costs: dict[str, float | None] = {name: value(steps[step].count) for step, name in NAMES.items()}
    costs["drafts"] = value(steps["render"].drafts) or 0
    for step in NAMES:
        seconds = None if only is None else only.seconds.get(step)
        costs[f"{step}_seconds"] = value(seconds if only is None or step in made.steps else none.count)
    costs["wall_seconds"] = value(only.wall) if only else None
    for step in NAMES:
        if step != "render":
            costs[f"{step}_requests"] = value(steps[step].requests)
            costs[f"{step}_tokens"] = value(steps[step].tokens)
    return {**costs, "price_usd": value(made.price_usd)}


def _place(place: Place) -> dict[str, Any]:
    return {
        **place.model_dump(mode="json", include={"name", "model", "gpus", "basis"}),
        "seconds_per_render": place.render.model_dump(),
        "seconds_per_draft": place.draft and place.draft.model_dump(),
        "render_seconds": place.seconds["render"].model_dump(),
        "wall_seconds": place.wall.model_dump(),
    }


def told(config: RunConfig, request: Request, made: Forecast) -> str:
    """The plan for people."""
    spec = request.spec
    what = f"{spec.width}x{spec.height}, {spec.num_frames} frames, {spec.num_inference_steps} steps, {spec.mode}"
    lines = [f"{what} by {config.generator.backend}", "", *_table(_counts(made))]
    if made.places:
        lines += ["", *_table(_seconds(made.places))]
    lines += ["", "Assumed:", *(f"* {words}" for words in made.assumes)]
    lines += ["", "Sources:", *(f"* {words}" for words in made.sources)]
    return "\n".join(lines) + "\n"


def _counts(made: Forecast) -> Iterator[Sequence[str]]:
    yield "", "expected", "at worst"
    for step, name in NAMES.items():
        one = made.steps.get(step)
        if one is None:
            continue
        yield name, *_both(one.count)
        if one.drafts is not None:
            yield "  drafts", *_both(one.drafts)
            yield "  as asked", *_both(one.finals)
        if one.requests is None or one.requests.worst:
            yield "  requests", *_both(one.requests)
            yield "  tokens", *_both(one.tokens)
    if made.price_usd is not None:
        yield "price", f"${made.price_usd.expected:,.2f}", f"${made.price_usd.worst:,.2f}"


def _both(bounds: Bounds | None) -> tuple[str, str]:
    return ("not known", "not known") if bounds is None else (amount(bounds.expected), amount(bounds.worst))


def _seconds(places: Sequence[Place]) -> Iterator[Sequence[str]]:
    several = len({place.model for place in places}) > 1
    drafts = ("one draft",) if any(place.draft for place in places) else ()
    yield "", *drafts, "one render", "rendering", "at worst", "in all", "at worst"
    for place in places:
        name = f"{place.model} on {place.name}" if several else place.name
        gpus = f", {place.gpus} GPUs" if place.gpus > 1 else ""
        rendering, whole = place.seconds["render"], place.wall
        draft = () if place.draft is None else (place.draft.expected,)
        times = (place.render.expected, rendering.expected, rendering.worst, whole.expected, whole.worst)
        yield f"{name}{gpus}", *map(span, (*draft, *times))


def _table(rows: Iterator[Sequence[str]]) -> Iterator[str]:
    """The first column to the left, the others to the right."""
    cells = list(rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for first, *rest in cells:
        columns = "".join(f"{cell:>{width + 3}}" for cell, width in zip(rest, widths[1:], strict=True))
        yield f"{first:<{widths[0]}}{columns}".rstrip()
