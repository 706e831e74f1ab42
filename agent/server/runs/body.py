"""What POST /v1/runs takes, and the request that it becomes."""

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from agent.config import MAX_PROMPT, DraftConfig
from agent.request import says_something
from agent.server.config import ServerConfig
from agent.server.types import RunRequest, refused
from agent.types import Canaries, Pairwise
from generator.export.types import Container, Interpolation, Quality
from generator.types import ControlKind

EXAMPLE: Final[dict[str, Any]] = {
    "prompt": "A sailing boat crosses a calm bay at golden hour. The camera slowly pushes in.",
    "size": "320x192",
    "num_frames": 25,
    "seed": 7,
    "max_iterations": 2,
    "samples_per_iteration": 2,
}
_HANDED: Final = (
    *("model", "image", "video", "controls"),
    *("priority", "webhook", "start_within_seconds", "keep_seconds"),
)
"""Fields that are no field of a request, or another one there."""


class ControlBody(BaseModel):
    """A control video that steers a render, frame by frame (Cosmos Transfer)."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    kind: ControlKind
    """What it shows: edge (outlines), blur, depth, seg (segments in colours)."""
    video: str = Field(min_length=1)
    """An http(s) URL, a data URI, or the id or URL of an upload."""
    weight: float = Field(default=1.0, gt=0, le=1)
    """How strongly it steers."""


def _readable(prompt: str) -> str:
    if not says_something(prompt):
        raise ValueError("is empty; say what should happen in the video")
    return prompt


class RunBody(BaseModel):
    """A run to be made. What is left out, or null, is as the server's config has it for the model."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        json_schema_extra={"examples": [EXAMPLE]},
    )

    prompt: Annotated[str, AfterValidator(_readable)] = Field(min_length=1, max_length=MAX_PROMPT)
    """What should happen in the video: plain words, or a finished JSON caption."""
    model: str | None = Field(default=None, max_length=200)
    """A name or alias of the server's models. null: its default model."""
    image: str | None = Field(default=None, min_length=1)
    """The first frame: an http(s) URL, a data URI, or the id or URL of an upload. null: text-to-video."""
    video: str | None = Field(default=None, min_length=1)
    """A video to go on from, or with controls to restyle, given likewise."""
    controls: tuple[ControlBody, ...] = Field(default=(), max_length=4, strict=False)
    """Videos that steer the render, at most one of a kind."""
    negative_prompt: str | None = Field(default=None, max_length=MAX_PROMPT)
    """What the clip should not look like. "" disables it."""
    size: str | None = Field(default=None, max_length=40)
    """auto, a preset (square_hd, square, portrait_4_3, portrait_16_9, landscape_4_3, landscape_16_9) or WxH; snapped to
    the nearest size that the model makes. 256p, 480p, 720p: that tier, in the shape of what is given."""
    num_frames: int | None = Field(default=None, ge=5)
    """Frames; moved to the nearest count that the model makes. Left out with controls: those of the video."""
    fps: int | None = Field(default=None, ge=1, le=60)
    """Frames per second. Left out with controls: the video's."""
    num_inference_steps: int | None = Field(default=None, ge=1, le=200)
    """Denoising steps: more is slower and cleaner."""
    guidance_scale: float | None = Field(default=None, ge=0, le=20)
    """How closely the prompt is followed."""
    flow_shift: float | None = Field(default=None, gt=0, le=100)
    """Shift of the noise schedule towards high noise."""
    sound: bool | None = None
    """Let the model make sound as well, where it can."""
    guardrails: bool | None = None
    """Let the backend's safety checks act, where it has them."""
    seed: int | None = Field(default=None, ge=0, le=2**31 - 1)
    """Seed of the first candidate; the others count up from it. null: drawn."""
    enable_prompt_expansion: bool | None = None
    """Let the reasoner write the caption that the model was trained on."""
    agentic: bool = True
    """false: one caption, one render, measured and not judged by a model."""
    max_iterations: int | None = Field(default=None, ge=1, le=100)
    """Captions tried."""
    samples_per_iteration: int | None = Field(default=None, ge=1, le=64)
    """Candidates rendered of each caption, one a seed."""
    early_stop: bool | None = None
    """Stop as soon as a candidate is accepted."""
    accept_at: float | None = Field(default=None, ge=0, le=1)
    """Score at which a candidate is accepted, if every floor holds."""
    max_seconds: float | None = Field(default=None, gt=0)
    """Wall seconds of the run."""
    max_renders: int | None = Field(default=None, ge=1)
    """Renders, failed ones included."""
    max_gpu_seconds: float | None = Field(default=None, gt=0)
    """Seconds of the generator at work."""
    max_price_usd: float | None = Field(default=None, gt=0)
    """US dollars for renders, where their price is known."""
    patience: int | None = Field(default=None, ge=1)
    """Stop after so many iterations in a row whose caption gained nothing."""
    plateau: float | None = Field(default=None, gt=0, le=1)
    """Stop when the best score rose by less than this over the last plateau_iterations."""
    plateau_iterations: int | None = Field(default=None, ge=1, le=100)
    """Iterations that plateau looks back over."""
    min_expected_gain: float | None = Field(default=None, gt=0, le=1)
    """Stop when one more render is expected to raise the best score by less."""
    speculate: bool | None = None
    """With endpoints left idle, begin the next caption before this one's candidates are all judged."""
    include_raw_prompt: bool | None = None
    """Render and judge the prompt as written before its expansion, on the same seeds."""
    racing: bool | None = None
    """Once a candidate is accepted, give up the renders of its iteration that are not needed any more."""
    await_verdicts: bool | None = None
    """While a candidate may be accepted, an endpoint renders the next one only when its last clip is judged."""
    draft: DraftConfig | Literal["auto", "none"] | None = None
    """Compare captions by cheap drafts: {tier, steps, frames, promote, seeds}, auto, or none for never."""
    pairwise: Pairwise | Literal["none"] | None = None
    """Choose among near-equal candidates by showing the critic's model two at a time: {margin, most}, or none."""
    canaries: Canaries | Literal["none"] | None = None
    """Test the critic on doctored clips before much is spent: {beyond_gpu_seconds, beyond_price_usd, least_auc}, or
    none."""
    format: Container | None = None
    """Of the chosen clip: mp4 (H.264), webm (VP9), mov (ProRes 4444) or gif."""
    quality: Quality | None = None
    """low, medium, high or maximum."""
    export_fps: int | None = Field(default=None, ge=1, le=240)
    """Frames per second of the chosen clip as it is handed over."""
    interpolation: Interpolation | None = None
    """What export_fps adds: none (the nearest frame again) or flow (new frames by optical flow)."""
    keep_sound: bool | None = None
    """Keep the clip's sound, where it has any."""
    safety_checker: bool = True
    """Hold prompt, image and video against the server's safety checker before anything is rendered."""
    priority: int = Field(default=0, ge=-10, le=10)
    """The higher, the earlier. Above 0 needs a key with the scope admin."""
    webhook: str | None = Field(default=None, max_length=2048)
    """An http(s) URL where the end of the run is told by a POST of {request_id, status, payload}: payload is the run's
    view, and the signature is fal's (its keys: /fal/rest/.well-known/jwks.json)."""
    start_within_seconds: float | None = Field(default=None, ge=1, le=7 * 86400)
    """Not started by then, the run fails. null: it waits."""
    keep_seconds: float | None = Field(default=None, ge=60, le=3650 * 86400)
    """After its end, until its files are removed, and no longer than the server keeps any. null: as it keeps them."""

    def request(self, server: ServerConfig) -> RunRequest:
        """What is asked for, but for its media.

        Raises:
            Refused: there is no such model.
        """
        wanted = server.default_model if self.model is None else self.model
        model = server.model_named(wanted)
        if model is None:
            known = ", ".join(server.models)
            raise refused(422, "one_of", f"model: {wanted!r:.80} is none of this server's: {known}", loc=("model",))
        given = {name: getattr(self, name) for name in type(self).model_fields if name not in _HANDED}
        return RunRequest(model=model, **given)
