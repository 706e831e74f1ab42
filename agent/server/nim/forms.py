"""The bodies that POST /v1/infer takes: two of the Cosmos3 NIMs, and those of the older Predict and Transfer NIMs.

JSON types are strict and unknown fields are refused, as NVIDIA's are. Ranges: shared contract "clients", 3, after
NVIDIA's API references of the Cosmos3 generator NIM (3.0.0) and of the unified Cosmos3 NIM.
"""

from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from generator.sizes import MAX_FRAMES, SIZES, Size

LONGEST: Final = 20_000
"""Characters of a prompt, and of a negative one."""
LONGEST_IMAGE: Final = 20_000_000
"""Characters of an image, in whatever form it comes."""
LARGEST_VIDEO: Final = 75_000_000
"""Bytes of a video, decoded."""
LONGEST_VIDEO: Final = LARGEST_VIDEO * 4 // 3 + 1000
"""Characters of a video."""
LEAST_FRAMES: Final = 25
OLDER_SEEDS: Final = 2**32
"""The forms before Cosmos3 take seeds below this."""
RESOLUTIONS: Final[dict[str, Size]] = {
    **{str(size.tier): size for size in SIZES if size.aspect == "16,9"},
    **{f"{size.tier}_{size.aspect.replace(',', '_')}": size for size in SIZES},
}
"""A tier alone is its 16:9."""
MADE: Final = ("text2video", "image2video", "video2video")
"""Modes of the newer form that this server does."""


def _absent_if_blank(text: object) -> object:
    return None if isinstance(text, str) and not text.strip() else text


def _known(resolution: str) -> str:
    if resolution not in RESOLUTIONS:
        raise ValueError(f"must be one of {', '.join(RESOLUTIONS)}")
    return resolution


Text = Annotated[str | None, Field(max_length=LONGEST)]
Prompt = Annotated[Text, BeforeValidator(_absent_if_blank)]
Image = Annotated[Annotated[str | None, Field(max_length=LONGEST_IMAGE)], BeforeValidator(_absent_if_blank)]
"""Raw base64, a data URL or an http(s) URL of a JPEG, PNG or WebP; blank: none."""
Film = Annotated[Annotated[str | None, Field(max_length=LONGEST_VIDEO)], BeforeValidator(_absent_if_blank)]
"""The same of a video."""
Resolution = Annotated[str, AfterValidator(_known), Field(json_schema_extra={"enum": list(RESOLUTIONS)})]


class _Form(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    prompt: Prompt = None
    """What should happen in the video; needed where nothing else is given."""
    negative_prompt: Text = None
    """What it should not look like. Left out: the bundled default. "": none."""


class _Cosmos3(_Form):
    seed: int | None = Field(default=None, ge=0)
    """null: drawn."""
    fps: float = Field(default=24.0, ge=1, le=60)
    """Frames per second; a fraction is kept in the file."""
    guidance_scale: float | None = Field(default=None, ge=1, le=7)
    """How closely the prompt is followed. null: the model's own, 6 for Cosmos3."""
    flow_shift: float | None = Field(default=None, gt=0, le=100)
    """Shift of the noise schedule towards high noise. null: the model's own, 10 for Cosmos3."""
    resolution: Resolution = "720"
    """Tier and aspect; a tier alone is its 16_9."""

    @property
    def size(self) -> Size:
        """Width and height."""
        return RESOLUTIONS[self.resolution]

    def _on_the_grid(self, name: str, frames: int | None) -> None:
        if frames is None:
            return
        if frames == 1:
            raise ValueError(
                f"{name}: 1 frame asks for an image, and this server makes videos; give {LEAST_FRAMES} or more"
            )
        most = MAX_FRAMES[self.size.tier]
        if frames % 4 != 1 or not LEAST_FRAMES <= frames <= most:
            raise ValueError(
                f"{name}: {frames} is not 1 + 4k between {LEAST_FRAMES} and {most} (at resolution {self.resolution})"
            )


class V1(_Cosmos3):
    """As the Cosmos3 generator NIM takes it: the mode is told by what is given."""

    image: Image = None
    """The first frame."""
    video: Film = None
    """A video to go on from."""
    num_output_frames: int | None = None
    """1 + 4k, 25 to 397, 297 or 197 at tier 256, 480 or 720. null: 189."""
    steps: int | None = Field(default=None, ge=1, le=100)
    """Denoising steps. null: the model's own, 35 for Cosmos3."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        self._on_the_grid("num_output_frames", self.num_output_frames)
        _one_of(self.image, self.video)
        if self.prompt is None and self.image is None and self.video is None:
            raise ValueError("prompt: is needed where there is no image and no video")
        return self


class V2(_Cosmos3):
    """As the unified Cosmos3 NIM takes it: the mode is named."""

    model_mode: Literal[
        "text2image",
        "text2video",
        "image2video",
        "video2video",
        "forward_dynamics",
        "policy",
        "inverse_dynamics",
    ]
    """This server does text2video, image2video and video2video."""
    input_reference: Film = None
    """The first frame (image2video) or the video to go on from (video2video)."""
    num_frames: int | None = None
    """As `num_output_frames` of the older form."""
    num_inference_steps: int | None = Field(default=None, ge=1, le=100)
    """Denoising steps. null: the model's own, 35 for Cosmos3."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.model_mode not in MADE:
            raise ValueError(f"model_mode: {self.model_mode} is not done here; use one of {', '.join(MADE)}")
        self._on_the_grid("num_frames", self.num_frames)
        if self.model_mode == "text2video":
            if self.input_reference is not None:
                raise ValueError("input_reference: text2video takes none; leave it out, or use image2video")
            if self.prompt is None:
                raise ValueError("prompt: text2video needs one")
        elif self.input_reference is None:
            raise ValueError(f"input_reference: {self.model_mode} needs one")
        if self.model_mode == "image2video" and len(self.input_reference or "") > LONGEST_IMAGE:
            raise ValueError(f"input_reference: an image may have {LONGEST_IMAGE:,} characters; give a smaller one")
        return self


class VideoParams(BaseModel):
    """Size, length and rate, as the Predict NIM has them."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    height: int = Field(default=704, ge=64, le=4096, multiple_of=8)
    width: int = Field(default=1280, ge=64, le=4096, multiple_of=8)
    """Pixels; moved to the nearest size that the model makes."""
    frames_count: int = Field(default=121, ge=5, le=397)
    """Moved to the nearest count that the model makes."""
    frames_per_sec: int = Field(default=24, ge=1, le=60)


class Predict(_Form):
    """As the Cosmos Predict NIM takes it."""

    prompt_upsampling: bool | None = None
    """Whether the reasoner writes the caption; true: it is answered as `upsampled_prompt`. null: as the server is set.
    """
    seed: int | None = Field(default=None, ge=0, lt=OLDER_SEEDS)
    guidance_scale: float | None = Field(default=None, ge=0, le=20)
    steps: int | None = Field(default=None, ge=1, le=100)
    image: Image = None
    video: Film = None
    video_params: VideoParams = VideoParams()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _one_of(self.image, self.video)
        if self.prompt is None and self.image is None and self.video is None:
            raise ValueError("prompt: is needed where there is no image and no video")
        return self


class ControlInput(BaseModel):
    """A video that steers the render."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    control: Annotated[str, Field(min_length=1, max_length=LONGEST_VIDEO)]
    """The video: raw base64, a data URL or an http(s) URL."""
    control_weight: float = Field(default=1.0, gt=0, le=1)
    """How strongly it steers."""


class Transfer(_Form):
    """As the Cosmos Transfer NIM takes it: the clip has the video's length, rate and shape."""

    video: Annotated[str, Field(min_length=1, max_length=LONGEST_VIDEO)]
    """The video that is restyled."""
    seed: int | None = Field(default=None, ge=0, lt=OLDER_SEEDS)
    guidance_scale: float | None = Field(default=None, ge=0, le=20)
    steps: int | None = Field(default=None, ge=1, le=100)
    resolution: Literal["256", "480", "720"] = "720"
    """The tier; the shape is the video's."""
    edge: ControlInput | None = None
    depth: ControlInput | None = None
    vis: ControlInput | None = None
    seg: ControlInput | None = None

    @property
    def given(self) -> dict[str, ControlInput]:
        """The controls, by NIM's names."""
        named = {name: getattr(self, name) for name in CONTROLS}
        return {name: control for name, control in named.items() if control is not None}

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not self.given:
            raise ValueError(f"{', '.join(CONTROLS)}: give at least one of these control fields")
        if self.prompt is None:
            raise ValueError("prompt: is needed")
        return self


CONTROLS: Final = ("edge", "depth", "vis", "seg")
Form = V1 | V2 | Predict | Transfer
FORMS: Final[dict[str, type[V1 | V2 | Predict | Transfer]]] = {
    "v1": V1,
    "v2": V2,
    "predict": Predict,
    "transfer": Transfer,
}


def name_of(body: dict[str, Any]) -> str:
    """Which form a body is in: `model_mode` is the newer one's alone, and so on down to the first Cosmos3 form."""
    if "model_mode" in body:
        return "v2"
    if any(name in body for name in CONTROLS):
        return "transfer"
    return "predict" if "video_params" in body or "prompt_upsampling" in body else "v1"


def _one_of(image: str | None, video: str | None) -> None:
    if image is not None and video is not None:
        raise ValueError("image, video: a clip goes on from one of them; take the other out")
