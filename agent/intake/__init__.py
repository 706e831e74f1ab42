"""The first frame from a path, a URL or a data URI, and videos from a path, safely."""

from typing import TYPE_CHECKING, Any

from agent.intake.rules import FetchRules
from agent.intake.source import take_image

if TYPE_CHECKING:
    from agent.intake.image import FirstFrame, image_size, to_first_frame
    from agent.intake.moments import stills
    from agent.intake.video import Film, film, to_control, to_source

__all__ = [
    "FetchRules",
    "Film",
    "FirstFrame",
    "film",
    "image_size",
    "stills",
    "take_image",
    "to_control",
    "to_first_frame",
    "to_source",
]


def __getattr__(name: str) -> Any:
    """Import the decoders at their first use: the config imports this package, and most runs have no image."""
    if name in {"Film", "film", "to_control", "to_source"}:
        from agent.intake import video  # noqa: PLC0415  see above

        return getattr(video, name)
    if name == "stills":
        from agent.intake.moments import stills  # noqa: PLC0415  see above

        return stills
    if name in __all__:
        from agent.intake import image  # noqa: PLC0415  see above

        return getattr(image, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
