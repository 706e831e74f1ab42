"""The sizes Cosmos3 was trained on, and snapping of any wish to them."""

from collections.abc import Sequence
from typing import NamedTuple

PRESETS = {
    "square_hd": (1024, 1024),
    "square": (512, 512),
    "portrait_4_3": (768, 1024),
    "portrait_16_9": (576, 1024),
    "landscape_4_3": (1024, 768),
    "landscape_16_9": (1024, 576),
}
"""fal's names for `image_size`, in pixels."""

TIERS: dict[int, dict[str, tuple[int, int]]] = {
    256: {"16,9": (320, 192), "4,3": (320, 256), "1,1": (256, 256), "3,4": (256, 320), "9,16": (192, 320)},
    480: {"16,9": (832, 480), "4,3": (736, 544), "1,1": (640, 640), "3,4": (544, 736), "9,16": (480, 832)},
    720: {"16,9": (1280, 720), "4,3": (1104, 832), "1,1": (960, 960), "3,4": (832, 1104), "9,16": (720, 1280)},
}
"""Width and height by tier and aspect (NVIDIA/cosmos-framework). The tier is a name, not a height."""

NAMED_TIERS = {f"{tier}p": tier for tier in TIERS}
"""Words for a size of a tier in whatever shape is given."""

MAX_FRAMES = {256: 397, 480: 297, 720: 197}
"""Longest clip by tier, on the 4k+1 grid (NIM)."""

MIN_FRAMES = 5


class Size(NamedTuple):
    """A trained size."""

    width: int
    height: int
    tier: int
    aspect: str


SIZES = tuple(Size(w, h, tier, aspect) for tier, row in TIERS.items() for aspect, (w, h) in row.items())


def parse(text: str) -> tuple[int, int]:
    """Width and height in pixels of a preset's name or "WxH".

    Raises:
        ValueError: neither a preset nor WxH.
    """
    if text in PRESETS:
        return PRESETS[text]
    width, cross, height = text.lower().replace("*", "x").partition("x")
    if cross and width.strip().isdecimal() and height.strip().isdecimal() and int(width) > 0 and int(height) > 0:
        return int(width), int(height)
    raise ValueError(f"{text!r} is neither WxH (such as 832x480) nor one of: {', '.join(PRESETS)}")


def snap(width: int, height: int, among: Sequence[Size] = SIZES) -> Size:
    """The size nearest to a wish: the aspect that fits best, then the tier nearest in area."""
    ratio = width / height

    def off(size: Size) -> tuple[float, float]:
        shape = size.width / size.height / ratio
        # aspects of one family differ a little between tiers (320x192 is 5:3): compare by the family's own name
        a, b = (int(part) for part in size.aspect.split(","))
        family = a / b / ratio
        area = size.width * size.height / (width * height)
        return round(max(family, 1 / family), 6), max(area, 1 / area) * max(shape, 1 / shape)

    return min(among, key=off)


def grid(num_frames: int, step: int = 4, least: int = MIN_FRAMES) -> int:
    """The nearest frame count that is a multiple of `step` plus 1, not below `least`."""
    nearest = round((num_frames - 1) / step) * step + 1
    while nearest < least:
        nearest += step
    return nearest
