"""What each dialect of a Cosmos NIM takes, as strictly as the real ones do, and the clips that their doubles make."""

import base64
import hashlib
import io
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, Self

import av
import av.error
import numpy as np
from PIL import Image
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from generator.nim.dialect import Dialect
from generator.sizes import MAX_FRAMES, SIZES

INFER = "/v1/infer"
LONGEST = 20_000
RESOLUTIONS = {f"{size.tier}_{size.aspect.replace(',', '_')}": size for size in SIZES}
RESOLUTIONS |= {str(size.tier): size for size in SIZES if size.aspect == "16,9"}
_OPTIONS: dict[str, dict[str, str]] = {
    "libx264": {"preset": "ultrafast", "threads": "1"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"},
}


def _decoded(text: object) -> object:
    """Raw base64 or a data URL; never an http URL, as with NIM_ALLOW_URL_INPUT=0."""
    if not isinstance(text, str) or not text.strip():
        return None if text is None or isinstance(text, str) else text
    if text.startswith(("http://", "https://")):
        raise ValueError("URL inputs are disabled (NIM_ALLOW_URL_INPUT=0)")
    return base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text, validate=True)


File = Annotated[bytes | None, BeforeValidator(_decoded)]


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    prompt: str | None = Field(default=None, max_length=LONGEST)
    negative_prompt: str | None = Field(default=None, max_length=LONGEST)
    seed: int | None = Field(default=None, ge=0)

    @property
    def made(self) -> "Made":
        raise NotImplementedError


class Made(NamedTuple):
    """What a render is made with."""

    width: int
    height: int
    frames: int
    fps: float


class _Cosmos3(_Form):
    fps: float = Field(default=24.0, ge=1, le=60)
    guidance_scale: float = Field(default=6.0, ge=1, le=7)
    flow_shift: float = 10.0
    resolution: str = "720"

    def _made(self, frames: int) -> Made:
        size = RESOLUTIONS.get(self.resolution)
        if size is None:
            raise ValueError(f"resolution must be one of {sorted(RESOLUTIONS)}")
        if frames % 4 != 1 or not 25 <= frames <= MAX_FRAMES[size.tier]:
            raise ValueError(f"frames must be 1 + 4k, 25 to {MAX_FRAMES[size.tier]} at {self.resolution}")
        return Made(size.width, size.height, frames, self.fps)


class V1(_Cosmos3):
    image: File = None
    num_output_frames: int = 189
    steps: int = Field(default=35, ge=1, le=100)

    @property
    def made(self) -> Made:
        return self._made(self.num_output_frames)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if not (self.prompt or "").strip() and self.image is None:
            raise ValueError("prompt is required without an image")
        _picture(self.image)
        assert self.made
        return self


class V2(_Cosmos3):
    model_mode: Literal["text2image", "text2video", "image2video", "video2video"]
    input_reference: File = None
    num_frames: int = 189
    num_inference_steps: int = Field(default=35, ge=1, le=100)

    @property
    def made(self) -> Made:
        return self._made(self.num_frames)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.input_reference is None) != self.model_mode.startswith("text"):
            raise ValueError(f"input_reference is forbidden in text modes and required in others ({self.model_mode})")
        if self.model_mode == "image2video":
            _picture(self.input_reference)
        if self.model_mode == "video2video":
            _film(self.input_reference)
        assert self.made
        return self


class VideoParams(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    height: int = Field(default=704, multiple_of=8)
    width: int = Field(default=1280, multiple_of=8)
    frames_count: int = 121
    frames_per_sec: int = Field(default=24, ge=1)


class Predict(_Form):
    prompt_upsampling: bool = True
    guidance_scale: float = 7.0
    steps: int = Field(default=35, ge=1, le=100)
    video_params: VideoParams = VideoParams()
    image: File = None
    video: File = None

    @property
    def made(self) -> Made:
        params = self.video_params
        return Made(params.width, params.height, params.frames_count, params.frames_per_sec)


class ControlInput(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    control: File
    control_weight: float = Field(default=1.0, ge=0, le=1)


class Transfer(_Form):
    guidance_scale: float = 7.0
    steps: int = Field(default=35, ge=1, le=100)
    video: File
    resolution: Literal["256", "480", "720"] = "720"
    edge: ControlInput | None = None
    depth: ControlInput | None = None
    vis: ControlInput | None = None
    seg: ControlInput | None = None

    @property
    def made(self) -> Made:
        return _film(self.video)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        given = [control for control in (self.edge, self.depth, self.vis, self.seg) if control is not None]
        if not given:
            raise ValueError("at least one control field (edge, depth, vis, or seg) must be provided")
        for control in given:
            _film(control.control)
        return self


FORMS: dict[Dialect, type[_Form]] = {"v1": V1, "v2": V2, "predict": Predict, "transfer": Transfer}


def _picture(data: bytes | None) -> None:
    if data is not None:
        try:
            Image.open(io.BytesIO(data), formats=("PNG", "JPEG", "WEBP")).verify()
        except OSError as error:
            raise ValueError("image cannot be decoded") from error


def _film(data: bytes | None) -> Made:
    try:
        with av.open(io.BytesIO(data or b""), "r") as film:
            stream = film.streams.video[0]
            frames = sum(packet.size > 0 for packet in film.demux(stream))
            return Made(stream.width, stream.height, frames, float(stream.average_rate or 0))
    except (av.error.FFmpegError, IndexError) as error:
        raise ValueError("video cannot be decoded") from error


@dataclass(frozen=True)
class Maker:
    """How clips are made: as asked, where nothing else is said."""

    codec: Literal["libx264", "libvpx-vp9"] = "libx264"
    """The real one gives VP9, which is slower to encode."""
    size: tuple[int, int] | None = None
    frames: int | None = None
    fps: int | None = None

    def clip(self, asked: Made, key: str) -> bytes:
        """MP4 of coloured noise that drifts; its bytes depend on what is asked and on `key` alone."""
        width, height = self.size or (asked.width, asked.height)
        rate = Fraction(self.fps or asked.fps).limit_denominator(1000)
        dice = np.random.default_rng(int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]))
        tile = dice.integers(0, 255, (height // 8, width // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        held = io.BytesIO()
        with av.open(held, "w", format="mp4") as container:
            stream = container.add_stream(self.codec, rate=rate, options=_OPTIONS[self.codec])
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for n in range(self.frames or asked.frames):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(np.roll(tile, n * 4, 1)), format="rgb24")
                frame.pts, frame.time_base = n, 1 / rate
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return held.getvalue()


@cache
def openapi(dialect: Dialect) -> dict[str, Any]:
    """The live schema, as FastAPI writes it."""
    schema = FORMS[dialect].model_json_schema(ref_template="#/components/schemas/{model}")
    parts = schema.pop("$defs", {})
    body = {"required": True, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Request"}}}}
    return {
        "openapi": "3.1.0",
        "paths": {INFER: {"post": {"requestBody": body, "responses": {}}}},
        "components": {"schemas": {**parts, "Request": schema}},
    }
