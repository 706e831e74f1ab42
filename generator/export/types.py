"""What an export is asked for, and what came of it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from generator.types import Effective, RunPath

Container = Literal["mp4", "webm", "mov", "gif"]
"""mp4: H.264. webm: VP9. mov: ProRes 4444. gif: a palette of the clip's own."""
Quality = Literal["low", "medium", "high", "maximum"]
Interpolation = Literal["none", "flow"]
"""none: the nearest frame stands in. flow: new frames by optical flow."""

UNSTATED: Quality = "high"
"""What null means where something has to be encoded."""
MOST_FASTER = 8
"""Frames that `export_fps` makes of one, at most."""


class ExportError(Exception):
    """A clip could not be exported. It stays as it is."""


class OutputForm(BaseModel):
    """How the chosen clip is handed over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Container = "mp4"
    quality: Quality | None = None
    """None: the clip's own pictures, copied, where the format can hold them; `UNSTATED` where it cannot."""
    export_fps: int | None = Field(default=None, ge=1, le=240)
    """None: the clip's own rate; in a gif, that of the quality."""
    interpolation: Interpolation = "none"
    sound: bool = True
    """Keep the clip's sound, where the format has any."""


class Exported(BaseModel):
    """A finished export: requested beside effective."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: RunPath
    poster: RunPath
    """The first frame at full size, JPEG."""
    thumbnail: RunPath
    """The first frame, 320 pixels wide, JPEG."""
    form: OutputForm
    """As requested."""
    effective: Effective
    """As it was written, read from the file."""
    size_bytes: int = Field(ge=0)
    copied: bool
    """Whether the clip's own pictures were copied, rather than encoded again."""
    interpolated_frames: int = Field(default=0, ge=0)
    """Frames made by optical flow."""
    interpolation_psnr_db: float | None = None
    """How near flow comes to real frames of this clip: a few are left out and made again from their neighbours, which
    are twice as far apart as those between which frames were really made. None: nothing was or could be measured."""
    blend_psnr_db: float | None = None
    """The same by blending the two neighbours."""
    repeat_psnr_db: float | None = None
    """The same by repeating the earlier one."""
    notes: tuple[str, ...] = ()
    """What was not done quite as asked, in sentences."""
    seconds: float = Field(ge=0)
    """Wall seconds that the export took."""
