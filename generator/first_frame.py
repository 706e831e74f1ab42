"""The first frame of image-to-video, as every backend takes it: exactly the clip's size."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from generator.types import RenderError


def load(path: Path, width: int, height: int) -> npt.NDArray[Any]:
    """The first frame as RGB, height x width x 3, uint8.

    Raises:
        RenderError: it is missing, unreadable or of another size.
    """
    try:
        with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as image:
            if image.size != (width, height):
                raise RenderError(
                    f"The first frame {path.name} is {image.size[0]}x{image.size[1]}, the clip {width}x{height}. "
                    "Resize the image to the clip's size first."
                )
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError) as error:
        raise RenderError(f"The first frame {path} cannot be read ({error}). Give a readable PNG or JPEG.") from error
