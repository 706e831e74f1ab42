"""What the form offers: each model with what it does where nothing is asked, and within which bounds."""

from typing import Literal

from agent.building import known_price
from agent.config import RunConfig
from agent.drafts import settled, tiered
from agent.errors import RetakeError
from agent.request import plain
from agent.server.config import Served
from agent.server.page.views import FormView, ModelForm
from agent.server.types import Caller
from agent.types import Request
from generator.capabilities import Capabilities, capabilities

SAMPLE = "."
"""Stands where a prompt is needed and none is there yet."""


def offer(served: Served, caller: Caller, models: tuple[ModelForm, ...]) -> FormView:
    """What the form offers to whoever asks."""
    server = served.server
    return FormView(
        models=models,
        default_model=server.model_named(server.default_model) or server.default_model,
        max_upload_bytes=server.limits.max_upload_bytes,
        may_run="run" in caller.scopes,
        may_upload="upload" in caller.scopes,
    )


def model_form(name: str, config: RunConfig) -> ModelForm:
    """One model of the server's config."""
    able = capabilities(config.generator)
    request = _resolved(config, able)
    if request is not None:
        config = settled(config, request)
    wish, budget = config.request, config.budget
    spec = request.spec if request else None
    defaults: dict[str, float | int | str | bool | None] = {
        "size": f"{spec.width}x{spec.height}" if spec else wish.size,
        "num_frames": spec.num_frames if spec else wish.num_frames,
        "fps": spec.fps if spec else wish.fps,
        "num_inference_steps": spec.num_inference_steps if spec else wish.num_inference_steps,
        "guidance_scale": spec.guidance_scale if spec else wish.guidance_scale,
        "seed": wish.seed,
        "enable_prompt_expansion": wish.enable_prompt_expansion,
        "max_iterations": budget.max_iterations,
        "samples_per_iteration": budget.samples_per_iteration,
        "max_renders": budget.max_renders,
        "early_stop": budget.early_stop,
        "accept_at": config.critic.accept_at,
        "max_price_usd": budget.max_price_usd,
        "include_raw_prompt": config.search.include_raw_prompt,
    }
    return ModelForm(
        name=name,
        backend=able.name,
        image=_image(able),
        sizes=tuple(dict.fromkeys(f"{size.width}x{size.height}" for size in able.sizes)),
        defaults=defaults,
        ranges={
            "num_frames": (able.frames.least, able.frames.most),
            "fps": (able.fps.least, able.fps.most),
            "num_inference_steps": (able.steps.least, able.steps.most),
            "guidance_scale": (able.guidance.least, able.guidance.most),
        },
        max_frames={f"{size.width}x{size.height}": able.longest(size) for size in able.sizes},
        drafts=_drafts(request),
        price_usd=known_price(config.generator, spec) if spec else None,
    )


def _resolved(config: RunConfig, able: Capabilities) -> Request | None:
    """The request that the config comes to by itself; None where it comes to none without more."""
    wish = config.request.model_copy(update={"prompt": config.request.prompt or SAMPLE, "image": None})
    try:
        return tiered(config, plain(wish, able))
    except RetakeError:
        return None


def _image(able: Capabilities) -> Literal["none", "optional", "required"]:
    if "image2video" not in able.modes:
        return "none"
    return "optional" if "text2video" in able.modes else "required"


def _drafts(request: Request | None) -> str:
    draft = request.draft if request else None
    if draft is None:
        return ""
    return f"Captions are compared by drafts of {draft.spec.width}x{draft.spec.height}; the best is rendered as asked."
