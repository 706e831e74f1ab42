"""From what was asked to a RunRequest, and what is kept of it to answer in the words that it was asked in."""

from typing import Any, Final

from agent.config import RunConfig
from agent.server.config import Served
from agent.server.openai_videos.wish import NewVideo, Remix, Settings
from agent.server.types import Job, RunRequest, refused
from generator import sizes
from generator.capabilities import Capabilities, capabilities
from generator.sizes import Size

_NAMES: Final = {
    "enable_agentic_generation": "agentic",
    "agentic_max_iterations": "max_iterations",
    "agentic_samples_per_iteration": "samples_per_iteration",
    "agentic_early_stop": "early_stop",
    "enable_safety_checker": "safety_checker",
}
"""Of a parameter in a RunRequest, where it is another."""
_TOLD: Final = ("size", "seconds", "num_frames", "fps")
"""Parameters that are told as they were asked for while nothing is rendered yet."""

Wire = dict[str, Any]
"""`requested`: what was asked for, by parameter. `size` and `seconds`: what is expected to come of it, as text."""


def request_of(wish: NewVideo, served: Served, *, with_image: bool) -> tuple[RunRequest, Wire]:
    """A RunRequest without its media, and what is kept to answer with.

    Args:
        wish: as it was asked.
        served: the config.
        with_image: whether a first frame or video came with it: a size without a shape then follows its shape.

    Raises:
        Refused: 404 for an unknown model, 400 for a size that is none or more seconds than the model makes.
    """
    server = served.server
    model = server.model_named(wish.model or server.default_model)
    if model is None:
        raise unknown_model(wish.model or "", tuple(server.models))
    wire, frames, notes = _measures(wish, served.models[model], with_image)
    request = RunRequest(
        model=model, prompt=wish.prompt, size=wish.size, notes=notes, **{**_settings(wish), "num_frames": frames}
    )
    return request, wire


def remix_of(wish: Remix, source: Job, served: Served) -> tuple[RunRequest, Wire]:
    """The source's request with another prompt, on the chosen video's seed, and with what else is asked for."""
    request, before = source.request, source.wire
    seed = request.seed if source.result is None else source.result.seed
    request = request.model_copy(
        update={"seed": seed, **_settings(wish, only_given=True), "prompt": wish.prompt, "notes": ()}
    )
    asked: dict[str, Any] = {
        **before.get("requested", {}),
        **{name: value for name in ("num_frames", "fps") if (value := getattr(wish, name)) is not None},
    }
    moved = {"num_frames", "fps"} & wish.model_fields_set
    settings = served.models.get(request.model)
    wire = {**before, "requested": asked, "remixed_from_video_id": source.id}
    if moved and settings is not None:
        able = capabilities(settings.generator)
        fps = request.fps or settings.request.fps or able.default_fps
        wire["seconds"] = text((request.num_frames or settings.request.num_frames or able.default_frames) / fps)
        asked.pop("seconds", None)
    return request, wire


def unknown_model(name: str, known: tuple[str, ...]) -> Exception:
    """The refusal of a model that there is none of."""
    return refused(
        404,
        "model_not_found",
        f"The model {name[:200]!r} does not exist here; there is {', '.join(known)}.",
        loc=("model",),
    )


def text(seconds: float) -> str:
    """Seconds as the dialect writes them: '8', '7.88'."""
    return f"{round(seconds, 2):g}"


def _settings(wish: Settings, *, only_given: bool = False) -> dict[str, Any]:
    """The extra parameters by a RunRequest's names."""
    given = wish.model_dump(include=set(Settings.model_fields), exclude_unset=only_given)
    return {_NAMES.get(name, name): value for name, value in given.items()}


def _measures(wish: NewVideo, settings: RunConfig, with_image: bool) -> tuple[Wire, int | None, tuple[str, ...]]:
    """What is kept of size and length, the frames to ask for, and what was made of the wish, in sentences."""
    able = capabilities(settings.generator)
    size = _size(wish.size or settings.request.size, able, with_image)
    fps = wish.fps or settings.request.fps or able.default_fps
    frames, notes = wish.num_frames, []
    if frames is not None and wish.seconds is not None:
        notes.append(f"num_frames ({frames}) went before seconds ({text(wish.seconds)}).")
    elif wish.seconds is not None:
        asked = round(wish.seconds * fps)
        frames = sizes.grid(asked, able.frame_step, int(able.frames.least))
        _short_enough(wish.seconds, fps, frames, size, able)
        if frames != asked:
            notes.append(
                f"{text(wish.seconds)} seconds at {fps} fps are {asked} frames; the nearest count that the model makes "
                f"is {frames} ({text(frames / fps)} s)."
            )
    expected = frames or settings.request.num_frames or min(able.default_frames, able.longest(size or able.sizes[0]))
    requested = {name: value for name in _TOLD if (value := getattr(wish, name)) is not None}
    if wish.seconds is not None:
        requested["seconds"] = text(wish.seconds)
    wire: Wire = {
        "requested": requested,
        "size": "auto" if size is None else f"{size.width}x{size.height}",
        "seconds": requested["seconds"] if frames is not None and wish.num_frames is None else text(expected / fps),
    }
    return wire, frames, tuple(notes)


def _size(wish: str, able: Capabilities, with_image: bool) -> Size | None:
    """The size that a wish is snapped to; None where the shape of an image decides."""
    if wish == "auto" or wish in sizes.NAMED_TIERS:
        least = able.default_size if wish == "auto" else sizes.TIERS[sizes.NAMED_TIERS[wish]]["16,9"]
        return None if with_image else sizes.snap(*least, able.sizes)
    try:
        return sizes.snap(*sizes.parse(wish), able.sizes)
    except ValueError as error:
        more = ", ".join(sizes.NAMED_TIERS)
        raise refused(
            400, "invalid_value", f"Invalid value for 'size': {error}, auto, {more}.", loc=("size",)
        ) from None


def _short_enough(seconds: float, fps: int, frames: int, size: Size | None, able: Capabilities) -> None:
    most = int(able.frames.most) if size is None else able.longest(size)
    if frames <= most:
        return
    where = able.name if size is None else f"{size.width}x{size.height}"
    raise refused(
        400,
        "invalid_value",
        f"Invalid value for 'seconds': {text(seconds)} seconds at {fps} fps are {frames} frames, and {where} allows "
        f"{most} ({text(most / fps)} s); ask for fewer seconds, a lower fps or a smaller size.",
        loc=("seconds",),
    )
