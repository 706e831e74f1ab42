"""The frames of a source video that a clip goes on from."""

from collections import deque
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
import numpy.typing as npt

from generator.diffusers.arguments import CONDITIONING_FRAMES
from generator.types import RenderError


def load(path: Path, width: int, height: int) -> list[npt.NDArray[Any]]:
    """The last frames, as many as the pipelines take: RGB, height x width x 3, uint8.

    Handed nothing else, every pipeline goes on from the video's end: Predict 2.5 takes the last frames of what it is
    given, but Cosmos3 the first, if it is not told otherwise.

    Raises:
        RenderError: it is missing, unreadable, too short or of another size.
    """
    try:
        with av.open(str(path), options={"protocol_whitelist": "file"}) as container:
            frames = (frame.to_ndarray(format="rgb24") for frame in container.decode(video=0))
            taken = list(deque(frames, CONDITIONING_FRAMES))
    except (av.error.FFmpegError, OSError, ValueError, IndexError) as error:
        raise RenderError(f"The source video {path} cannot be read ({error}). Give a readable video.") from error
    if len(taken) < CONDITIONING_FRAMES:
        raise RenderError(
            f"The source video {path.name} has {len(taken)} frames, {CONDITIONING_FRAMES} are needed. "
            "Give a longer one."
        )
    found = (taken[0].shape[1], taken[0].shape[0])
    if found != (width, height):
        raise RenderError(
            f"The source video {path.name} is {found[0]}x{found[1]}, the clip {width}x{height}. "
            "Resize the video to the clip's size first."
        )
    return [np.ascontiguousarray(frame) for frame in taken]
