"""A body of POST /v1/infer as the request that every dialect becomes."""

import os
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, cast

from agent.server.context import Context
from agent.server.inputs import media_input
from agent.server.nim import rate
from agent.server.nim.forms import LARGEST_VIDEO, V1, V2, ControlInput, Form, Predict, Transfer
from agent.server.types import Caller, ControlWish, NewJob, RunRequest, refused
from generator.capabilities import Capabilities, Range, capabilities
from generator.sizes import snap
from generator.types import ControlKind, Mode

ALLOW_URLS: Final = "NIM_ALLOW_URL_INPUT"
"""Environment variable of the server; 0: media come in the request alone."""
KINDS: Final[dict[str, ControlKind]] = {"edge": "edge", "depth": "depth", "vis": "blur", "seg": "seg"}
"""Our names for NIM's controls."""
SEEDS: Final = 2**31
"""Seeds of a run are below this."""
FRAMES: Final = 189
"""Where a request of the Cosmos3 forms names none."""
MODES: Final[dict[str, Mode]] = {"video": "video2video", "image": "image2video", "prompt": "text2video"}
"""By what is given, in the forms that name no mode."""
UNSAID: Final = "What is there moves as it naturally would."
"""The prompt of a request with an image or video and no words."""
ENDPOINT: Final = "/v1/infer"
SEEN: Final = 0.01
"""Share by which a motion's speed is changed, from which on that is told."""
Figure = TypeVar("Figure", int, float)


@dataclass
class _Wish:
    """What a request comes to, as it is put together."""

    request: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, bytes | Path] = field(default_factory=dict)
    wire: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def asked(self, name: str, value: float) -> None:
        """Keep what was asked for, by a request's name for it, where something else is rendered."""
        self.wire.setdefault("requested", {})[name] = value


async def new_job(form: Form, caller: Caller, context: Context, *, base_url: str, key: str | None = None) -> NewJob:
    """The job that a body asks for.

    Args:
        form: the body.
        caller: who asks.
        context: the server's parts.
        base_url: that it was asked at.
        key: the request's idempotency key.

    Raises:
        Refused: 422, its media cannot be used.
    """
    server = context.served.server
    model = server.model_named(server.default_model) or server.default_model
    able = capabilities(context.served.models[model].generator)
    _possible(form, able)
    wish = _Wish(wire={"form": "v2"} if isinstance(form, V2) else {})
    _words(form, wish)
    _seed(form, wish)
    match form:
        case V1():
            _cosmos3(form, form.num_output_frames, form.steps, able, wish)
            await _media(wish, "image", form.image, "image", caller, context)
            await _media(wish, "video", form.video, "video", caller, context)
        case V2():
            _cosmos3(form, form.num_frames, form.num_inference_steps, able, wish)
            kind: Literal["image", "video"] = "video" if form.model_mode == "video2video" else "image"
            await _media(wish, kind, form.input_reference, "input_reference", caller, context)
        case Predict():
            _predict(form, able, wish)
            await _media(wish, "image", form.image, "image", caller, context)
            await _media(wish, "video", form.video, "video", caller, context)
        case Transfer():
            await _transfer(form, able, wish, caller, context)
    request = RunRequest(model=model, agentic=server.nim_agentic, format="mp4", notes=tuple(wish.notes), **wish.request)
    return NewJob(
        dialect="nim",
        endpoint=ENDPOINT,
        request=request,
        base_url=base_url,
        wire=wish.wire,
        inputs=wish.inputs,
        idempotency_key=key,
    )


def _possible(form: Form, able: Capabilities) -> None:
    """Refuse what the model's backend does not do, in the words of the form."""
    mode: Mode
    match form:
        case V2():
            mode, field = cast("Mode", form.model_mode), "model_mode"
        case Transfer():
            mode, field = "transfer", next(iter(form.given))
        case _:
            field = "video" if form.video is not None else "image" if form.image is not None else "prompt"
            mode = MODES[field]
    if mode not in able.modes:
        raise refused(
            422,
            "feature_not_supported",
            f"{field}: the model of this server does not do {mode}; it does {', '.join(able.modes)}",
            loc=(field,),
        )


def _words(form: Form, wish: _Wish) -> None:
    wish.request["prompt"] = form.prompt or UNSAID
    wish.request["negative_prompt"] = form.negative_prompt
    if form.prompt is None:
        wish.notes.append(f"The request has no prompt; this one was taken: {UNSAID}")


def _seed(form: Form, wish: _Wish) -> None:
    if form.seed is None:
        return
    wish.request["seed"] = seed = form.seed % SEEDS
    if seed != form.seed:
        wish.notes.append(f"The seed {str(form.seed)[:40]} is beyond 2^31 - 1; its remainder {seed} was taken.")


def _cosmos3(form: V1 | V2, frames: int | None, steps: int | None, able: Capabilities, wish: _Wish) -> None:
    exactly = rate.exact(form.fps)
    whole = rate.rendered(exactly)
    if exactly.denominator != 1:
        wish.wire["fps"] = str(exactly)
        wish.asked("fps", form.fps)
        wish.notes.append(f"The video was rendered at {whole} fps, and its file plays it at {_played(exactly, whole)}.")
    if frames is None and able.longest(form.size) >= FRAMES:
        frames = FRAMES
    named = "fps" in form.model_fields_set or able.fps.least <= whole <= able.fps.most
    shift = form.flow_shift
    if shift is not None and not able.flow_shift:
        shift = None
        wish.notes.append("flow_shift was left out: this model has none to set.")
    wish.request |= {
        "size": f"{form.size.width}x{form.size.height}",
        "num_frames": frames,
        "fps": whole if named else able.default_fps,
        "num_inference_steps": steps,
        "guidance_scale": form.guidance_scale,
        "flow_shift": shift,
    }


def _within(key: str, name: str, value: Figure | None, allowed: Range, wish: _Wish) -> Figure | None:
    """A figure of the older forms, which were made for other models: the nearest that this one takes.

    Args:
        key: a request's name for it.
        name: the form's.
        value: as asked.
        allowed: by the model.
        wish: hears of it.
    """
    if value is None or allowed.least <= value <= allowed.most:
        return value
    nearest = type(value)(min(max(value, allowed.least), allowed.most))
    wish.asked(key, value)
    wish.notes.append(f"{name} {value:g} was moved to {nearest:g}, the nearest that this model takes.")
    return nearest


def _predict(form: Predict, able: Capabilities, wish: _Wish) -> None:
    params = form.video_params
    size = snap(params.width, params.height, able.sizes)
    frames = Range(able.frames.least, able.longest(size))
    wish.wire |= {"seed": form.seed, "upsampled": form.prompt_upsampling is True, "older": True}
    wish.request |= {
        "size": f"{params.width}x{params.height}",
        "num_frames": _within("num_frames", "frames_count", params.frames_count, frames, wish),
        "fps": _within("fps", "frames_per_sec", params.frames_per_sec, able.fps, wish),
        "num_inference_steps": _within("num_inference_steps", "steps", form.steps, able.steps, wish),
        "guidance_scale": _within("guidance_scale", "guidance_scale", form.guidance_scale, able.guidance, wish),
        "enable_prompt_expansion": form.prompt_upsampling,
    }


async def _transfer(form: Transfer, able: Capabilities, wish: _Wish, caller: Caller, context: Context) -> None:
    wish.wire |= {"seed": form.seed, "older": True}
    wish.request |= {
        "size": f"{form.resolution}p",
        "num_inference_steps": _within("num_inference_steps", "steps", form.steps, able.steps, wish),
        "guidance_scale": _within("guidance_scale", "guidance_scale", form.guidance_scale, able.guidance, wish),
    }
    await _media(wish, "video", form.video, "video", caller, context)
    controls = [await _control(name, control, wish, caller, context) for name, control in form.given.items()]
    wish.request["controls"] = tuple(controls)


async def _control(name: str, control: ControlInput, wish: _Wish, caller: Caller, context: Context) -> ControlWish:
    kind = KINDS[name]
    url = await _taken(wish, f"control-{kind}", control.control, "video", f"{name}.control", caller, context)
    return ControlWish(kind=kind, weight=control.control_weight, url=url)


async def _media(
    wish: _Wish, kind: Literal["image", "video"], text: str | None, named: str, caller: Caller, context: Context
) -> None:
    if text is not None:
        wish.request[f"{kind}_url"] = await _taken(wish, kind, text, kind, named, caller, context)


async def _taken(
    wish: _Wish, name: str, text: str, kind: Literal["image", "video"], named: str, caller: Caller, context: Context
) -> str | None:
    """The URL that is still to be fetched; None: what came is among the wish's inputs, under `name`."""
    text = text.strip()
    if text[:8].lower().startswith(("http://", "https://")) and os.environ.get(ALLOW_URLS, "").strip() == "0":
        raise refused(
            422,
            "feature_not_supported",
            f"{named}: URLs are not taken here ({ALLOW_URLS}=0); give the {kind} in base64",
            loc=tuple(named.split(".")),
        )
    url, found = await media_input(text, kind, caller, context, field=named, raw=True)
    if found is not None:
        if kind == "video" and (size := _bytes(found)) > LARGEST_VIDEO:
            raise refused(
                422,
                "file_too_large",
                f"{named}: {size / 1e6:.0f} MB, and at most {LARGEST_VIDEO / 1e6:.0f} MB are taken; give a shorter one",
                loc=tuple(named.split(".")),
            )
        wish.inputs[name] = found
    return url


def _bytes(found: bytes | Path) -> int:
    return len(found) if isinstance(found, bytes) else found.stat().st_size


def _played(fps: Fraction, whole: int) -> str:
    """The rate of the file, and what that makes of the motion where one can see it."""
    said = f"{fps} ({float(fps):.3f})" if fps.denominator == rate.NTSC else f"{float(fps):g}"
    change = float(fps / whole) - 1
    if abs(change) < SEEN:
        return said
    return f"{said}, {abs(change):.0%} {'faster' if change > 0 else 'slower'}"
