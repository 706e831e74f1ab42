"""The first frame from a path, a URL or a data URI, safely."""

from typing import TYPE_CHECKING, Any

from agent.intake.rules import FetchRules
from agent.intake.source import take_image

if TYPE_CHECKING:
    from agent.intake.image import FirstFrame, image_size, to_first_frame

__all__ = ["FetchRules", "FirstFrame", "image_size", "take_image", "to_first_frame"]


def __getattr__(name: str) -> Any:
    """Import the decoder at its first use: the config imports this package, and most runs have no image."""
    if name in __all__:
        from agent.intake import image  # noqa: PLC0415  see above

        return getattr(image, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
