"""The image and videos of a request, as the base64 text that NIM takes."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from generator import first_frame
from generator.nim.dialect import Dialect
from generator.nim.limits import LARGEST_VIDEO, LONGEST_IMAGE
from generator.probe import FPS_TOLERANCE, probe
from generator.types import ControlKind, Effective, RenderError, RenderSpec

CONTROL_FIELDS: dict[ControlKind, str] = {"edge": "edge", "blur": "vis", "depth": "depth", "seg": "seg"}
"""What NIM calls each kind of control."""


@dataclass(frozen=True)
class Media:
    """Raw base64: the one form that every dialect documents, and no server has to fetch anything."""

    image: str | None = None
    video: str | None = None
    controls: tuple[tuple[str, str, float], ...] = ()
    """NIM's name, base64 and weight of each control."""


def load(dialect: Dialect, spec: RenderSpec) -> Media:
    """Read what a spec names. The first frame is sent as PNG, without rotation or profile that a server may read anew.

    Raises:
        RenderError: a file is missing, unreadable, too large, or of another size than the clip.
    """
    image = None if spec.first_frame is None else _image(spec.first_frame, spec)
    video = None
    if spec.source_video is not None:
        found = _shape("source_video", spec.source_video, spec)
        if dialect == "transfer":
            _same_length(found, spec)
        video = _video("source_video", spec.source_video)
    controls = []
    for control in spec.controls:
        _shape(f"control {control.kind}", control.path, spec)
        name = CONTROL_FIELDS[control.kind]
        controls.append((name, _video(f"control {control.kind}", control.path), float(control.weight)))
    return Media(image, video, tuple(controls))


def _image(path: Path, spec: RenderSpec) -> str:
    png = io.BytesIO()
    Image.fromarray(first_frame.load(path, spec.width, spec.height)).save(png, "PNG")
    text = base64.b64encode(png.getvalue()).decode()
    if len(text) > LONGEST_IMAGE:
        raise RenderError(f"first_frame: {path.name} has {len(text)} characters in base64, NIM takes {LONGEST_IMAGE}.")
    return text


def _shape(field: str, path: Path, spec: RenderSpec) -> Effective:
    try:
        found = probe(path)
    except RenderError as error:
        raise RenderError(f"{field}: {path} cannot be read as a video. Give a readable MP4.") from error
    if (found.width, found.height) != (spec.width, spec.height):
        raise RenderError(
            f"{field}: {path.name} is {found.width}x{found.height}, the clip {spec.width}x{spec.height}. "
            "Resize the video to the clip's size first."
        )
    return found


def _same_length(found: Effective, spec: RenderSpec) -> None:
    """A transfer request has no field for frames and rate: the clip has those of its video."""
    if found.num_frames != spec.num_frames or abs(found.fps - spec.fps) > FPS_TOLERANCE:
        raise RenderError(
            f"source_video: NIM (transfer) keeps the {found.num_frames} frames at {found.fps:g} fps of the video, "
            f"{spec.num_frames} at {spec.fps} were asked for. Ask for those of the video, or cut it."
        )


def _video(field: str, path: Path) -> str:
    try:
        if (size := path.stat().st_size) > LARGEST_VIDEO:
            raise RenderError(
                f"{field}: {path.name} has {size / 1e6:.0f} MB, NIM takes {LARGEST_VIDEO / 1e6:.0f} MB. "
                "Cut or compress it."
            )
        return base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise RenderError(f"{field}: {path} cannot be read ({error.strerror}). Give a readable MP4.") from error
