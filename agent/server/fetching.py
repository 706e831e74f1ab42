"""Images and videos that requests name by address, fetched into their job's folder before its run."""

import asyncio
import re
from pathlib import Path
from typing import Final, Literal

from agent.errors import IntakeError, IntakeFault
from agent.files import write_atomically
from agent.intake import FetchRules, image_size
from agent.intake.formats import HEAD, recognise
from agent.intake.rules import IMAGE, VIDEO
from agent.server.types import Problem, RunRequest

Kind = Literal["image", "video"]
VIDEO_SECONDS: Final = 600.0
"""For fetching a video."""
MAX_FETCHED: Final = 512 << 20
"""Bytes of a video that is fetched."""
VIDEOS: Final = {"a video", "GIF", "not an image"}
"""What `recognise` says of files that may be videos; the decoder has the last word."""
TYPES: Final[dict[IntakeFault, dict[Kind, str]]] = {
    "unreachable": {"image": "file_download_error", "video": "file_download_error"},
    "bytes": {"image": "file_too_large", "video": "file_too_large"},
    "format": {"image": "unsupported_image_format", "video": "unsupported_video_format"},
    "small": {"image": "image_too_small", "video": "unsupported_video_format"},
    "large": {"image": "image_too_large", "video": "unsupported_video_format"},
    "unusable": {"image": "image_load_error", "video": "unsupported_video_format"},
}
"""fal's words."""
_OPERATOR: Final = re.compile(r",? or (?:set|raise) request\.image_fetch\.\w+(?: if you trust the link)?")
_FIELD: Final = re.compile(r"(?:request\.image|request\.video|video)(?=[: ])")
_KEY: Final = re.compile(r"\brequest\.(?=controls \(|num_frames )")
"""Of a config, before a field that requests have, too."""


def problem_of(error: IntakeError, kind: Kind, field: str) -> Problem:
    """Why an image or video cannot be used, in the words of who sent it: their field, and cures that are theirs."""
    words = _KEY.sub("", _FIELD.sub(field, _OPERATOR.sub("", str(error)), count=1))
    for wanted in (IMAGE, VIDEO):
        words = words.replace(wanted.by_hand, f"upload the {wanted.noun} here, or send it as a data URI")
    words = words.replace(" or raise request.image_fetch.max_bytes", "").replace(f", or {VIDEO.slower}", "")
    return Problem(status=422, type=TYPES[error.fault][kind], message=words, loc=(field,))


async def fetch_inputs(request: RunRequest, folder: Path, rules: FetchRules) -> dict[str, Path]:
    """Fetch what a request names by address into its job's folder: by "image", "video" and "control-edge", ….

    What is there already is not fetched again; a video that was cut off goes on where it was.

    Args:
        request: with addresses that `media_input` let pass.
        folder: made where it is missing.
        rules: a config's `request.image_fetch`. Videos may be larger and take longer.

    Raises:
        IntakeError: an address cannot be fetched, or what is there is not usable.
        OSError: the disk failed.
    """
    from agent.intake.download import download  # noqa: PLC0415 - where nothing is fetched, nothing is loaded for it
    from agent.intake.fetch import fetch  # noqa: PLC0415 - as above

    found: dict[str, Path] = {}
    folder.mkdir(parents=True, exist_ok=True)
    if request.image_url is not None:
        found["image"] = folder / "fetched-image"
        if not found["image"].exists():
            data = await fetch(request.image_url, rules)
            await asyncio.to_thread(image_size, data)
            await asyncio.to_thread(write_atomically, found["image"], data)
    longer = rules.model_copy(update={"max_bytes": MAX_FETCHED, "timeout_seconds": VIDEO_SECONDS})
    controls = {f"control-{control.kind}": control.url for control in request.controls}
    for name, url in {"video": request.video_url, **controls}.items():
        if url is not None:
            found[name] = folder / f"fetched-{name}"
            if not found[name].exists():
                await download(url, found[name], longer, check=_no_video)
    return found


def _no_video(path: Path) -> str:
    """As `agent.intake.download` asks; the run's own decoder says more."""
    with path.open("rb") as file:
        found = recognise(file.read(HEAD))
    return "" if found in VIDEOS else f"is {found}; give an MP4, MOV, WebM or GIF"
