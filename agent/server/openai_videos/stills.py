"""A video's thumbnail and spritesheet, made when they are first asked for and kept beside the run."""

import secrets
from io import BytesIO
from pathlib import Path
from typing import Final, Literal, NamedTuple

from PIL import Image

from critic.frames import Picture, middle, sample

Variant = Literal["thumbnail", "spritesheet"]

FOLDER: Final = "previews"
THUMBNAIL: Final = 640
"""Pixels of a thumbnail's longer side, at most."""
TILE: Final = 256
"""Pixels of a tile's longer side, at most."""
COLUMNS: Final = 5
TILES: Final = 25
"""Frames on a sheet, at most, evenly over the video, the first and the last included."""
_BYTES: Final = 256 * 2**20
"""Of frames at full size held at once: larger frames make fewer tiles."""
_QUALITY: Final = 82


class Sheet(NamedTuple):
    """How a spritesheet is laid out: row by row, from left to right, in the order of time, no gap between tiles."""

    frames: int
    columns: int
    rows: int


def layout(num_frames: int, width: int, height: int) -> Sheet:
    """The sheet of a video with so many frames of this size."""
    frames = max(1, min(TILES, num_frames, _BYTES // (3 * width * height)))
    columns = min(COLUMNS, frames)
    return Sheet(frames, columns, -(-frames // columns))


def still(video: Path, folder: Path, variant: Variant, sheet: Sheet) -> Path:
    """The file of a video's thumbnail (WebP, its middle frame) or spritesheet (JPEG), made if it is not there yet.

    The video is decoded in order, and no further than the last frame that is needed. Takes up to seconds: not for an
    event loop's thread.

    Raises:
        JudgeError: the video does not decode.
        OSError: it is gone, or the folder cannot be written.
    """
    kept = folder / FOLDER / (f"{video.stem}.thumbnail.webp" if variant == "thumbnail" else f"{video.stem}.sheet.jpg")
    if kept.exists() and kept.stat().st_mtime >= video.stat().st_mtime:
        return kept
    picture = _thumbnail(middle(video)) if variant == "thumbnail" else _sheet(video, sheet)
    data = BytesIO()
    picture.save(data, "WEBP" if variant == "thumbnail" else "JPEG", quality=_QUALITY)
    kept.parent.mkdir(exist_ok=True)
    aside = kept.with_name(f".{kept.name}.{secrets.token_hex(8)}.tmp")  # of this call alone: two may make the same
    try:
        aside.write_bytes(data.getvalue())
        aside.replace(kept)
    finally:
        aside.unlink(missing_ok=True)
    return kept


def _thumbnail(frame: Picture) -> Image.Image:
    picture = Image.fromarray(frame)
    picture.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    return picture


def _sheet(video: Path, sheet: Sheet) -> Image.Image:
    tiles: list[Image.Image] = []
    for _, frame in sample(video, sheet.frames):
        tile = Image.fromarray(frame)
        tile.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
        tiles.append(tile)
    width, height = tiles[0].size
    page = Image.new("RGB", (width * sheet.columns, height * sheet.rows))
    for index, tile in enumerate(tiles):
        page.paste(tile, (index % sheet.columns * width, index // sheet.columns * height))
    return page
