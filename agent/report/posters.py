"""Small still pictures of clips and images, kept in the run's folder and inlined into the page."""

import base64
from io import BytesIO
from pathlib import Path

from PIL import Image

from agent.files import write_atomically
from critic.frames import middle
from critic.types import JudgeError

FOLDER = "posters"
WIDTH = 320
"""Pixels of a poster's longer side."""
IMAGES = {".png", ".jpg", ".jpeg", ".webp"}
"""File names that are not clips."""
QUALITY = 74
"""JPEG quality: about 5 to 15 KB a poster."""


def poster(source: Path, run_folder: Path, name: str = "") -> str | None:
    """A clip's middle frame, or an image made small, as a data URI; None if that cannot be had.

    A poster made earlier outlives its clip.

    Args:
        source: the clip or image.
        run_folder: the poster is kept in its `posters/`.
        name: what it is kept as there. "": the source's own name, which must be unlike every other's.

    Raises:
        OSError: `posters/` cannot be written.
    """
    kept = run_folder / FOLDER / f"{name or source.stem}.jpg"
    if not _current(kept, source):
        try:
            picture = _picture(source)
        except (JudgeError, OSError, ValueError):  # gone, cut off, or not what its name says: the page says so
            return None
        _write(kept, picture)
    return "data:image/jpeg;base64," + base64.b64encode(kept.read_bytes()).decode("ascii")


def _current(kept: Path, source: Path) -> bool:
    if not source.exists():
        return kept.exists()
    return kept.exists() and kept.stat().st_mtime >= source.stat().st_mtime


def _picture(source: Path) -> Image.Image:
    if source.suffix in IMAGES:
        with Image.open(source) as image:
            return image.convert("RGB")
    return Image.fromarray(middle(source))


def _write(kept: Path, picture: Image.Image) -> None:
    picture.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
    jpeg = BytesIO()
    picture.save(jpeg, "JPEG", quality=QUALITY, optimize=True, progressive=True)
    kept.parent.mkdir(exist_ok=True)
    write_atomically(kept, jpeg.getvalue())
