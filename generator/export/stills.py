"""The still pictures beside an export: a poster and a thumbnail of the first frame."""

from pathlib import Path

from av.video.frame import VideoFrame
from PIL import Image

from generator.delivery import written_aside
from generator.export.source import as_rgb, read
from generator.export.types import ExportError

POSTER, THUMBNAIL = "poster.jpg", "thumbnail.jpg"
THUMBNAIL_WIDTH = 320
"""Pixels, or the clip's width if that is less."""
_POSTER_QUALITY, _THUMBNAIL_QUALITY = 92, 80
"""JPEG quality."""


def write_stills(clip: Path, folder: Path) -> tuple[Path, Path]:
    """Write a clip's poster and thumbnail into a folder. Returns their paths.

    Raises:
        ExportError: the clip's first frame does not decode.
        OSError: the disk or folder failed.
    """
    frame = next((item for item in read(clip, sound=False) if isinstance(item, VideoFrame)), None)
    if frame is None:
        raise ExportError(f"{clip.name} gives no frame.")
    picture = Image.fromarray(as_rgb(frame))
    width = min(THUMBNAIL_WIDTH, picture.width)
    small = picture.resize((width, max(1, round(picture.height * width / picture.width))), Image.Resampling.LANCZOS)
    return (
        _write(picture, folder / POSTER, _POSTER_QUALITY),
        _write(small, folder / THUMBNAIL, _THUMBNAIL_QUALITY),
    )


def _write(picture: Image.Image, to: Path, quality: int) -> Path:
    with written_aside(to) as part:
        picture.save(part, "JPEG", quality=quality, optimize=True, progressive=True)
        part.replace(to)
    return to
