"""Our instruction texts, and the first frame as it is shown."""

import io
from functools import cache
from importlib import resources
from pathlib import Path
from string import Template

from PIL import Image as Pictures
from PIL import UnidentifiedImageError

from reasoner.chat.types import Image, Message, Text
from reasoner.types import CaptionError

VERSION = 2
"""Of the texts beside this module; part of the reasoner's id, so that no caption of other texts is taken for one of
these."""
_AS_THEY_ARE = {"JPEG": "image/jpeg", "PNG": "image/png"}


@cache
def _template(name: str) -> Template:
    return Template((resources.files("reasoner.openai") / f"{name}.txt").read_text(encoding="utf-8"))


def text(name: str, **values: object) -> str:
    """One of the texts, filled. What is filled in stays as it is, whatever signs it holds."""
    return _template(name).substitute(values)


def still(path: Path) -> Image:
    """An image file as it is shown: JPEG and PNG as they are, anything else as PNG.

    Raises:
        CaptionError: it cannot be read.
    """
    try:
        data = path.read_bytes()
        with Pictures.open(io.BytesIO(data)) as picture:
            if mime := _AS_THEY_ARE.get(picture.format or ""):
                return Image(data=data, mime=mime)
            png = io.BytesIO()
            picture.convert("RGB").save(png, "PNG")
    except (OSError, UnidentifiedImageError) as error:
        raise CaptionError(f"the first frame {path.name} cannot be read ({error}); give a JPEG or PNG file") from error
    return Image(data=png.getvalue(), mime="image/png")


def question(words: str, first_frame: Path | None) -> Message:
    """A question on the words, the first frame before them."""
    return Message(role="user", content=(*([still(first_frame)] if first_frame else []), Text(text=words)))
