"""Base clips made on the spot: rendered by the embedded animatic from words or a picture, and procedural scenes."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal, Protocol

import numpy as np
from PIL import Image

from agent.bench.degrade import scenes
from agent.bench.degrade.catalogue import Material
from agent.bench.degrade.video import decode
from generator.config import AnimaticConfig
from generator.types import RenderSpec


class Base(Protocol):
    """A clip to degrade."""

    @property
    def name(self) -> str:
        """Of its files."""
        ...

    @property
    def prompt(self) -> str:
        """What was asked for."""
        ...

    def material(self) -> Material:
        """Its frames; the same each time. Blocks while they are read or made.

        Raises:
            ConfigError: it cannot be read.
        """
        ...


STILL: Final = scenes.Path()


@dataclass(frozen=True)
class _Recipe:
    prompt: str
    kind: Literal["text", "image", "scene"] = "text"
    """text: an animatic of the prompt. image: one that begins with a scene's picture. scene: the scene itself under a
    camera path, held against its own first picture."""
    place: scenes.Place = "hills"
    path: scenes.Path = STILL


_RECIPES: Final = (
    _Recipe("A lighthouse on a cliff above a stormy sea. The camera pans left."),
    _Recipe(
        "A ball rolls through a street of painted boxes. The camera pans right.", "scene", "street", scenes.Path(0.16)
    ),
    _Recipe("A small sailing boat crosses a calm bay at golden hour. The camera slowly pushes in."),
    _Recipe("Green hills under drifting clouds. The camera slowly pushes in.", "image", "hills"),
    _Recipe("A market street in heavy rain, people with umbrellas."),
    _Recipe("A ball bounces across a dune field.", "scene", "dunes"),
    _Recipe("A red car drives along a coastal road at sunset. The camera pans right."),
    _Recipe("A room with paintings. The camera pans right.", "image", "room"),
    _Recipe("A horse stands in a meadow."),
    _Recipe("A ball rolls over green hills. The camera tilts up.", "scene", "hills", scenes.Path(tilt=0.16)),
    _Recipe("A delivery robot moves through a warehouse. The camera pushes in, then pans right."),
    _Recipe("A truck on a mountain road in the evening. The camera pulls out."),
    _Recipe("A man walks through a foggy forest. Handheld camera."),
    _Recipe("A ball in a room with coloured boxes. The camera pulls out.", "scene", "room", scenes.Path(zoom=0.8)),
    _Recipe("A hot air balloon rises over misty mountains at dawn. The camera tilts up."),
    _Recipe("A street of painted boxes. The camera pans left.", "image", "street"),
    _Recipe("A quiet pine forest in falling snow. Static shot, locked-off camera."),
    _Recipe("A ball rolls over sand dunes. The camera rolls clockwise.", "scene", "dunes", scenes.Path(roll=9)),
    _Recipe("A train crosses a bridge in the rain."),
    _Recipe("A skyline at dusk. The camera rolls clockwise."),
)
"""Places, subjects, weather and camera moves. The first twelve are the default: five of them begin with an image."""


@dataclass(frozen=True)
class Size:
    """Of the base clips that are made."""

    width: int = 320
    height: int = 192
    frames: int = 33
    fps: int = 24


@dataclass(frozen=True)
class Made:
    """A base clip made on the spot."""

    number: int
    """From 0; beyond the recipes they begin again with other seeds."""
    size: Size
    seed: int

    @cached_property
    def _recipe(self) -> _Recipe:
        return _RECIPES[self.number % len(_RECIPES)]

    @property
    def name(self) -> str:
        """Its number and kind."""
        return f"{self.number + 1:02d}-{self._recipe.kind}"

    @property
    def prompt(self) -> str:
        """The recipe's."""
        return self._recipe.prompt

    def material(self) -> Material:
        """Its frames, rendered or painted."""
        recipe, size, seed = self._recipe, self.size, 1000 * self.seed + self.number
        path = recipe.path if recipe.kind == "scene" else None
        if recipe.kind == "text":
            return Material(_animatic(recipe.prompt, size, seed, None), size.fps, recipe.prompt)
        frames = size.frames if recipe.kind == "scene" else 1
        video = scenes.clip(
            recipe.place, seed, frames=frames, width=size.width, height=size.height, fps=size.fps, path=path
        )
        image = video[0]
        if recipe.kind == "image":
            video = _animatic(recipe.prompt, size, seed, image)
        return Material(video, size.fps, recipe.prompt, image)


def made(count: int, size: Size, seed: int) -> Iterator[Made]:
    """The first `count` base clips of a seed."""
    return (Made(number, size, seed) for number in range(count))


def _animatic(prompt: str, size: Size, seed: int, image: scenes.Picture | None) -> scenes.Picture:
    """(frames, height, width, 3) of an embedded render, as it decodes."""
    import asyncio  # noqa: PLC0415 - this runs in a worker thread, which has no loop of its own
    from tempfile import TemporaryDirectory  # noqa: PLC0415

    from generator.animatic import Animatic  # noqa: PLC0415 - as everywhere: by those who render

    with TemporaryDirectory() as folder:
        first = None
        if image is not None:
            first = Path(folder, "first.png")
            Image.fromarray(image).save(first)
        spec = RenderSpec(width=size.width, height=size.height, num_frames=size.frames, fps=size.fps, first_frame=first)
        to = Path(folder, "clip.mp4")
        asyncio.run(Animatic(AnimaticConfig(concurrency=1)).render(prompt, spec, seed=seed, to=to))
        return np.asarray(decode(to), np.uint8)
