"""The suite's degradations: what is done at five severities, which axis it belongs to, and whether people see it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Final

import numpy as np

from agent.bench.degrade import asking, first, light, order, overlay, picture
from agent.bench.degrade.video import Video
from agent.errors import ConfigError
from critic.frames import Picture
from critic.types import Axis

VERSION: Final = 1
"""Goes up with every change of what a degradation or a base clip is: clips are kept under it."""


@dataclass(frozen=True)
class Material:
    """A clip before it is encoded, and what it is judged against."""

    video: Video
    fps: int
    prompt: str
    first_frame: Picture | None = None
    """The image that it was to begin with. None: made from text alone."""


Change = Callable[[Material, Material, int], Material | None]
"""Degrades a clip at a severity from 1 to 5; the second is another clip, for what comes from elsewhere. None: it cannot
be done to this clip."""


@dataclass(frozen=True)
class Degradation:
    """One way in which a clip fails its request."""

    name: str
    words: str
    """What is done, in a sentence."""
    axis: Axis
    seen: bool
    """Whether a person who knows the request sees it at first glance, without looking for it, at severity 3 and up: our
    judgement, made on the suite's own clips."""
    change: Change
    at: float = 0.5
    """Where in the clip a still shows it, from 0 to 1."""


def _frames(degrade: Callable[[Video, int], Video]) -> Change:
    return lambda base, _, severity: replace(base, video=degrade(base.video, severity))


def _joined(degrade: Callable[[Video, Video, int], Video]) -> Change:
    return lambda base, other, severity: replace(base, video=degrade(base.video, other.video, severity))


def _image(degrade: Callable[[Picture, int], Picture]) -> Change:
    def change(base: Material, _: Material, severity: int) -> Material | None:
        if base.first_frame is None:
            return None
        return replace(base, first_frame=np.ascontiguousarray(degrade(base.first_frame, severity)))

    return change


def _images(base: Material, other: Material, severity: int) -> Material | None:
    if base.first_frame is None:
        return None
    image = other.video[0] if other.first_frame is None else other.first_frame
    return replace(base, first_frame=first.first_replaced(base.first_frame, image, severity))


def _asked(degrade: Callable[[str, int], str | None]) -> Change:
    def change(base: Material, _: Material, severity: int) -> Material | None:
        prompt = degrade(base.prompt, severity)
        return None if prompt is None else replace(base, prompt=prompt)

    return change


def _entry(
    function: Callable[..., object], kind: Callable[..., Change], axis: Axis, *, seen: bool, at: float = 0.5
) -> Degradation:
    words = " ".join((function.__doc__ or "").partition("\n\n")[0].split())
    return Degradation(function.__name__, words, axis, seen, kind(function), at)


_ALL: Final = (
    # what was asked for
    _entry(asking.another_asked, _asked, "adherence", seen=True),
    _entry(asking.another_move, _asked, "adherence", seen=True),
    # what it begins with: a shifted or enlarged image is noticed only beside the clip
    _entry(first.first_shifted, _image, "first_frame", seen=False),
    _entry(first.first_zoomed, _image, "first_frame", seen=False),
    _entry(first.first_mixed, _image, "first_frame", seen=True),
    _entry(first.first_replaced, lambda _: _images, "first_frame", seen=True),
    # time
    _entry(order.frozen, _frames, "motion", seen=True),
    _entry(order.slowed, _frames, "motion", seen=True),
    _entry(order.duplicated, _frames, "motion", seen=False),
    _entry(order.stuttering, _frames, "motion", seen=True),
    _entry(order.dropped, _frames, "motion", seen=False),
    _entry(order.backwards, _frames, "physics", seen=True, at=1.0),
    _entry(order.jumbled, _frames, "consistency", seen=True),
    _entry(order.shuffled, _frames, "consistency", seen=True),
    _entry(order.cut, _frames, "consistency", seen=True, at=0.75),
    _entry(order.cut_in, _joined, "consistency", seen=True),
    _entry(order.dissolved, _joined, "consistency", seen=True, at=1.0),
    _entry(order.blackened, _frames, "quality", seen=True),
    # shapes and their place
    _entry(picture.shaken, _frames, "motion", seen=True),
    _entry(picture.warped, _frames, "physics", seen=True),
    _entry(overlay.stuck, _frames, "consistency", seen=True, at=1.0),
    _entry(overlay.corrupted, _frames, "consistency", seen=True),
    _entry(overlay.watermarked, _frames, "quality", seen=True),
    _entry(overlay.letterboxed, _frames, "quality", seen=True),
    # light and colour
    _entry(light.flickering, _frames, "consistency", seen=True),
    _entry(light.fading, _frames, "consistency", seen=True, at=1.0),
    _entry(light.underexposed, _frames, "quality", seen=True),
    _entry(light.overexposed, _frames, "quality", seen=True),
    _entry(light.oversaturated, _frames, "quality", seen=True),
    _entry(light.tinted, _frames, "quality", seen=True),
    # detail
    _entry(picture.blurred, _frames, "quality", seen=True),
    _entry(picture.blurred_in_part, _frames, "quality", seen=True, at=0.4),
    _entry(picture.upscaled, _frames, "quality", seen=True),
    _entry(picture.noisy, _frames, "quality", seen=True),
    _entry(picture.noisy_in_part, _frames, "quality", seen=True, at=0.4),
    _entry(picture.static_burst, _frames, "quality", seen=True, at=0.4),
    _entry(picture.blocky, _frames, "quality", seen=False),
    _entry(picture.blocky_codec, _frames, "quality", seen=False),
    _entry(picture.banded, _frames, "quality", seen=False),
)
DEGRADATIONS: Final = {each.name: each for each in _ALL}
"""By name."""


def chosen(names: list[str] | None) -> tuple[Degradation, ...]:
    """The degradations of these names, in the catalogue's order; all of them for None.

    Raises:
        ConfigError: there is none of a name.
    """
    for name in names or ():
        if name not in DEGRADATIONS:
            near = get_close_matches(name, DEGRADATIONS, 1)
            meant = f"; is {near[0]!r} meant?" if near else ""
            raise ConfigError(f"--only {name!r}: there is no such degradation{meant} All: {', '.join(DEGRADATIONS)}")
    return tuple(each for each in _ALL if not names or each.name in names)
