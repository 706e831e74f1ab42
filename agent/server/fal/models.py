"""What each model takes, as its page on fal says it; ranges are those of fal's OpenAPI, read on 2026-10-08."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag

from agent.config import MAX_PROMPT, NEGATIVE_PROMPT
from agent.request import says_something

PREDICT_NEGATIVE_PROMPT = (
    "The video captures a series of frames showing ugly scenes, static with no motion, motion blur, over-saturation, "
    "shaky footage, low resolution, grainy texture, pixelated images, poorly lit areas, underexposed and overexposed "
    "scenes, poor color balance, washed out colors, choppy sequences, jerky movements, low frame rate, artifacting, "
    "color banding, unnatural transitions, outdated special effects, fake elements, unconvincing visuals, poorly "
    "edited content, jump cuts, visual noise, and flickering. Overall, the video is of poor quality."
)
"""Cosmos Predict 2.5's, as its page has it, verbatim."""
Preset = Literal["square_hd", "square", "portrait_4_3", "portrait_16_9", "landscape_4_3", "landscape_16_9", "auto"]
"""fal's names of sizes. `auto` is ours: the first frame's shape."""
PRESET, CUSTOM = "preset", "custom"
"""Which form a size has. They stand in pydantic's places of errors, where fal's clients do not expect them."""
OUTPUT_TYPES: dict[str, Literal["mp4", "webm", "mov", "gif"]] = {
    "X264 (.mp4)": "mp4",
    "VP9 (.webm)": "webm",
    "PRORES4444 (.mov)": "mov",
    "GIF (.gif)": "gif",
}
COSMOS3_PROMPT, COSMOS3_NEGATIVE = 4096, 2048
"""Characters. The pages of the other models say nothing of it: theirs may be as long as any here."""


def _readable(text: str) -> str:
    if not says_something(text):
        raise ValueError("is empty; say what should happen in the video")
    return _whole(text)


def _whole(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half a character (a lone surrogate); send UTF-8") from None
    return text


def _form(size: Any) -> str | None:
    if isinstance(size, str):
        return PRESET
    return CUSTOM if isinstance(size, dict | ImageSize) else None


Prompt = Annotated[str, Field(min_length=1, max_length=MAX_PROMPT), AfterValidator(_readable)]
Negative = Annotated[str, Field(max_length=MAX_PROMPT), AfterValidator(_whole)]
Cosmos3Prompt = Annotated[str, Field(min_length=1, max_length=COSMOS3_PROMPT), AfterValidator(_readable)]
Cosmos3Negative = Annotated[str, Field(max_length=COSMOS3_NEGATIVE), AfterValidator(_whole)]
Address = Annotated[str, Field(min_length=1), AfterValidator(_whole)]
Seed = Annotated[int, Field(ge=0, lt=2**64)]
Steps = Annotated[int, Field(ge=1, le=50)]


class ImageSize(BaseModel):
    """Width and height in pixels."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    width: int = Field(default=512, gt=0, le=14142)
    """The width of the generated video."""
    height: int = Field(default=512, gt=0, le=14142)
    """The height of the generated video."""


Size = Annotated[
    Annotated[Preset, Tag(PRESET)] | Annotated[ImageSize, Tag(CUSTOM)],
    Discriminator(
        _form,
        custom_error_type="one_of",
        custom_error_message="Input should be the name of a size, or an object with width and height",
    ),
]


class Input(BaseModel):
    """A model's input. What it does not know is ignored, as fal does."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False, use_attribute_docstrings=True)

    prompt: Prompt
    """Text prompt describing the motion and scene of the video to generate."""
    seed: Seed | None = None
    """The same seed and prompt given to the same model give the same video, where the backend promises it. Drawn where
    it is not given. One of 2147483648 or more is taken modulo that, and a note says so."""
    enable_agentic_generation: bool = False
    """Run the loop: a caption, candidate renders, their critique, a better caption. Each candidate is a full render."""
    agentic_max_iterations: int = Field(default=2, ge=1, le=3)
    """Captions tried at most, when agentic generation is enabled."""
    agentic_samples_per_iteration: int = Field(default=2, ge=1, le=3)
    """Candidates rendered and judged of each caption. The best one advances to the next rewrite."""
    agentic_early_stop: bool = True
    """Stop once the critic's score of a candidate clears the threshold."""


class Cosmos3TextToVideo(Input):
    """Cosmos3, from text alone. fal has no such page: the fields are those of image-to-video without the image."""

    prompt: Cosmos3Prompt
    """Text prompt describing the motion and scene of the video to generate."""
    negative_prompt: Cosmos3Negative = NEGATIVE_PROMPT
    """What the video should not look like. Defaults to NVIDIA's recommended one; an empty string disables it."""
    enable_prompt_expansion: bool = True
    """Let the reasoner rewrite the prompt into the dense caption that Cosmos3 was trained on."""
    image_size: Size = ImageSize(width=832, height=480)
    """The size of the video; moved to the nearest that the model was trained on (256p, 480p, 720p) and aspect ratio.
    `auto` (ours): the first frame's shape at 480p."""
    num_frames: int = Field(default=189, ge=5, le=189)
    """Frames to generate; moved to the nearest count that the model can make (4k+1)."""
    frames_per_second: int = Field(default=24, ge=4, le=60)
    """Frames per second of the video."""
    fps: int = Field(default=24, ge=4, le=60)
    """Another name of frames_per_second, which goes before it where both are given."""
    num_inference_steps: Steps = 28
    """Denoising steps: more give higher quality and take longer."""
    guidance_scale: float = Field(default=6, ge=0, le=20)
    """Classifier-free guidance scale. Higher values increase prompt adherence at the cost of diversity."""
    enable_safety_checker: bool = True
    """Hold the prompt and image against the server's safety checker. The answer says what it did."""
    sync_mode: bool = False
    """Return the video as a data URI; it is not kept then."""


class Cosmos3ImageToVideo(Cosmos3TextToVideo):
    """Cosmos3, from a first frame and a prompt: `nvidia/cosmos-3-super/image-to-video`."""

    image_url: Address
    """URL or data URI of the first frame."""


class PredictTextToVideo(Input):
    """Cosmos Predict 2.5 (2B, post-trained): 1280x704 at 16 frames per second."""

    negative_prompt: Negative = PREDICT_NEGATIVE_PROMPT
    """What the video should not look like."""
    num_frames: int = Field(default=93, ge=9, le=93)
    """Frames to generate."""
    num_inference_steps: Steps = 35
    """Denoising steps: more give higher quality and take longer."""
    guidance_scale: float = Field(default=7, ge=1, le=20)
    """Classifier-free guidance scale. Higher values increase prompt adherence."""
    sync_mode: bool = False
    """Return the video as a data URI; it is not kept then."""
    video_output_type: Literal["X264 (.mp4)", "VP9 (.webm)", "PRORES4444 (.mov)", "GIF (.gif)"] = "X264 (.mp4)"
    """The format of the output video."""
    video_quality: Literal["low", "medium", "high", "maximum"] = "high"
    """The quality of the output video."""


class PredictImageToVideo(PredictTextToVideo):
    """Cosmos Predict 2.5 (2B, post-trained), from a first frame and a prompt."""

    image_url: Address
    """URL or data URI of the first frame."""


class CogVideoXImageToVideo(Input):
    """CogVideoX-5B: 49 frames, made for 8 frames per second."""

    image_url: Address
    """URL or data URI of the first frame."""
    video_size: Size = ImageSize(width=720, height=480)
    """The size of the generated video."""
    negative_prompt: Negative = ""
    """What the video should not look like."""
    num_inference_steps: Steps = 50
    """Denoising steps."""
    guidance_scale: float = Field(default=7, ge=0, le=20)
    """How closely the prompt is followed."""
    use_rife: bool = True
    """Make frames in between for export_fps, by optical flow. false: the model's own frames are played at export_fps.
    """
    export_fps: int = Field(default=16, ge=4, le=32)
    """The target rate of the video, in frames per second."""
