"""What may be asked of `POST /v1/videos`: OpenAI's parameters, and ours as extra ones, in JSON or in a form's text."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from agent.config import MAX_PROMPT
from agent.server.openai_videos.errors import code_of
from agent.server.types import Refused, refused
from generator.export.types import Container, Interpolation, Quality


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("is a number, and not true or false")  # noqa: TRY004 - pydantic makes words of a ValueError
    return value


Int = Annotated[int, BeforeValidator(_no_bool)]
Float = Annotated[float, BeforeValidator(_no_bool)]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nothing(cls, data: Any) -> Any:
        """null, and a form's empty field, say nothing; but an empty text is one."""
        if not isinstance(data, dict):
            return data
        texts = {"prompt", "negative_prompt"}
        return {key: value for key, value in data.items() if value is not None and (value != "" or key in texts)}


class Settings(_Body):
    """How a video is rendered and searched for: extra parameters, `extra_body` in the openai clients."""

    negative_prompt: str | None = Field(default=None, max_length=MAX_PROMPT)
    """What the video should not look like; "" for nothing. Left out: NVIDIA's default text."""
    num_frames: Int | None = Field(default=None, ge=5, le=10_000)
    """Frames; goes before `seconds`. Moved to the nearest count that the model makes (Cosmos3: 4k+1)."""
    fps: Int | None = Field(default=None, ge=1, le=60)
    """Frames per second."""
    num_inference_steps: Int | None = Field(default=None, ge=1, le=200)
    """Denoising steps."""
    guidance_scale: Float | None = Field(default=None, ge=0, le=20)
    """How closely the prompt is followed."""
    flow_shift: Float | None = Field(default=None, gt=0, le=100)
    """Shift of the noise schedule, where the backend takes it."""
    seed: Int | None = Field(default=None, ge=0, le=2**31 - 1)
    """Of the first candidate; the others count up from it. Left out: drawn."""
    sound: bool | None = None
    """Let the model make sound, where it can."""
    guardrails: bool | None = None
    """The backend's own safety checks, where a request may choose."""
    enable_safety_checker: bool = True
    """Hold prompt, image and video against this server's safety checker before anything is rendered."""
    enable_prompt_expansion: bool | None = None
    """Let the reasoner write the caption that the model was trained on. false: your words as they are."""
    enable_agentic_generation: bool = True
    """The loop. false: one caption, one render."""
    agentic_max_iterations: Int | None = Field(default=None, ge=1, le=100)
    """Captions tried."""
    agentic_samples_per_iteration: Int | None = Field(default=None, ge=1, le=64)
    """Candidates rendered of each."""
    agentic_early_stop: bool | None = None
    """Stop as soon as a candidate is accepted."""
    accept_at: Float | None = Field(default=None, ge=0, le=1)
    """Score at which a candidate is accepted."""
    include_raw_prompt: bool | None = None
    """Also render your own words, beside their expansion."""
    max_seconds: Float | None = Field(default=None, gt=0)
    """Budget: wall seconds of the whole run."""
    max_renders: Int | None = Field(default=None, ge=1)
    """Budget: renders."""
    max_gpu_seconds: Float | None = Field(default=None, gt=0)
    """Budget: seconds of the generator at work."""
    max_price_usd: Float | None = Field(default=None, gt=0)
    """Budget: US dollars."""
    patience: Int | None = Field(default=None, ge=1)
    """Budget: iterations in a row without a gain."""
    format: Container | None = None
    """Of the file: mp4, webm, mov or gif."""
    quality: Quality | None = None
    export_fps: Int | None = Field(default=None, ge=1, le=240)
    """Frames per second of the file, where it is to have more or fewer than were rendered."""
    interpolation: Interpolation | None = None


class NewVideo(Settings):
    """The parameters of `POST /v1/videos`, but for `input_reference`."""

    prompt: str = Field(min_length=1, max_length=MAX_PROMPT)
    """What should happen in the video."""
    model: str | None = Field(default=None, max_length=200)
    """A name or alias of GET /v1/models. Left out: the server's default model."""
    seconds: Float | None = Field(default=None, gt=0, le=600)
    """Length, as text or number; times the frame rate it is the frames that are rendered."""
    size: str | None = Field(default=None, max_length=32)
    """WxH, snapped to the nearest size that the model was trained on; a preset such as square_hd; auto, or 256p, 480p,
    720p: in the shape of `input_reference`."""


class Remix(Settings):
    """The parameters of `POST /v1/videos/{id}/remix`: a prompt, and what shall be otherwise than in the source."""

    prompt: str = Field(min_length=1, max_length=MAX_PROMPT)
    """What should happen in the new video."""


class Reference(_Body):
    """`input_reference` as an object."""

    image_url: str | None = None
    """http(s), a data URI, or the address of a file uploaded here."""
    file_id: str | None = Field(default=None, max_length=500)
    """Of a file uploaded here."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.image_url is None) == (self.file_id is None):
            raise ValueError("give either image_url or file_id")
        return self


_REFERENCE: Final = "input_reference"
Body = TypeVar("Body", bound=_Body)
_SURROGATE: Final = "holds half a character (a lone surrogate); write it in UTF-8"


def checked(model: type[Body], fields: Mapping[str, Any], within: tuple[str, ...] = ()) -> Body:
    """Fields as a model has them.

    Raises:
        Refused: 400, naming the parameter, what is wrong with it, and for a misspelt one the likely word.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise _told(error, model, within) from None


def _told(error: ValidationError, model: type[BaseModel], within: tuple[str, ...]) -> Refused:
    faults = error.errors(include_url=False, include_context=False)
    known = [*model.model_fields, *([] if within else [_REFERENCE])]
    words = [_words(fault["type"], (*within, *fault["loc"]), fault["msg"], known) for fault in faults[:8]]
    first = faults[0]
    # an unknown parameter deep in a nested value is told by where it begins
    loc = (*within, *first["loc"])[: 1 + len(within)] if first["type"] == "extra_forbidden" else first["loc"]
    return refused(400, code_of(first["type"]), " ".join(words), loc=tuple(str(part)[:200] for part in loc) or within)


def _words(kind: str, loc: tuple[int | str, ...], message: str, known: Iterable[str]) -> str:
    name = ".".join(str(part)[:200] for part in loc)
    if kind == "missing":
        return f"Missing required parameter: {name!r}."
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(loc[-1])[:64], list(known), n=1, cutoff=0.6)
        return f"Unknown parameter: {name!r}." + (f" Did you mean {near[0]!r}?" if near else "")
    message = _SURROGATE if kind == "string_unicode" else message.removeprefix("Value error, ")
    return f"Invalid value for {name!r}: {message[:1].lower()}{message[1:]}." if name else f"{message}."
