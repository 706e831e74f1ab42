"""Water: the scene above mirrored, swell in perspective, and glints that come and go."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from generator.animatic.land import perspective_noise
from generator.animatic.stage import Layer, layer_of, paint_over
from generator.animatic.world import World

Array = npt.NDArray[Any]

DEPTHS = 0.30, 0.62
_DEEP = {
    "day": (14, 74, 112), "dawn": (70, 84, 122), "sunset": (50, 36, 76), "night": (6, 14, 34),
    "overcast": (82, 98, 110), "storm": (34, 46, 56),
}  # fmt: skip


def mirror(world: World, above: list[Layer], rows: int) -> Array:
    """What stands above the horizon, upside down: `rows` x width x 3, nearest the horizon first."""
    stage = world.stage
    horizon = int(world.horizon)
    picture = np.zeros((horizon, stage.width, 4), np.uint8)
    for layer in above:
        part = np.zeros_like(picture)
        end = min(horizon, layer.top + len(layer.pixels))
        if end > layer.top:
            part[layer.top : end] = layer.pixels[: end - layer.top]
            part[end:] = layer.pixels[-1] if end < horizon else 0
            paint_over(picture, part)
    flipped = picture[::-1, :, :3]
    if len(flipped) < rows:
        flipped = np.concatenate([flipped, np.repeat(flipped[-1:], rows - len(flipped), axis=0)])
    return flipped[:rows].astype(np.float32)


def paint_water(world: World, above: list[Layer], calm: float) -> list[Layer]:
    """The surface and its glints.

    Args:
        world: the scene.
        above: layers that are mirrored.
        calm: 0 open sea, 1 a lake like glass.
    """
    stage, palette = world.stage, world.palette
    top = int(world.horizon)
    rows = stage.height - top
    y = world.grid(top, stage.height)[1]
    close = np.clip((y - world.horizon) / (stage.y(1.0) - world.horizon), 0, 1.3)
    image = mirror(world, above, rows)
    blur = stage.unit * (0.006 + 0.028 * (1 - calm))
    image = cv2.GaussianBlur(image, (0, 0), sigmaX=stage.unit * 0.004, sigmaY=blur)
    swell = perspective_noise(world, world.rng("swell"), top, 9, 5, 3.2)
    ripple = perspective_noise(world, world.rng("ripple"), top, 34, 4, 3.8)
    deep = np.array(_DEEP[world.scenario.hour], np.float32)
    # at a flat angle water mirrors, looking down one sees into it (Fresnel)
    mirrored = np.clip((0.9 - 0.55 * close) + 0.25 * calm, 0.2, 0.95) - (0.22 - 0.12 * calm) * (swell - 0.5) * 2
    colour = deep + (image - deep) * np.clip(mirrored, 0, 1)[..., None]
    rough = (1 - 0.75 * calm) * (0.35 + 0.65 * close)
    colour *= (1 + 0.34 * rough * (ripple - 0.5) + 0.44 * rough * (swell - 0.5))[..., None]
    haze = np.array(palette.haze, np.float32)
    colour += (haze - colour) * (0.55 * np.exp(-close / 0.05))[..., None]
    alpha = np.broadcast_to(np.clip(y - world.horizon + 1, 0, 1), swell.shape)
    surface = layer_of(colour, alpha, ground=(world.horizon, *DEPTHS), water=True, name="water", origin=top)
    return [surface, *_glints(world, top, close, calm)]


def _glints(world: World, top: int, close: Array, calm: float) -> list[Layer]:
    """Three sets of highlights that fade in turn, so that the water sparkles without a loop to be seen."""
    palette = world.palette
    x, _ = world.grid(top, world.stage.height)
    spread = world.stage.unit * (0.035 + 0.20 * close)
    track = np.exp(-(((x - world.sun[0]) / spread) ** 2)) * (0.35 + 0.9 * palette.glow)
    sun = np.array(palette.sun, np.float32)
    layers = []
    for index in range(3):
        rng = world.rng("glint", str(index))
        fine = perspective_noise(world, rng, top, 64, 3, 4.6)
        coarse = perspective_noise(world, rng, top, 14, 3, 3.6)
        spark = np.clip((fine * 0.65 + coarse * 0.35 - 0.60) * 9, 0, 1)
        crest = spark * (0.10 + 0.12 * (1 - calm)) * np.clip(close * 2.5, 0, 1)
        light = np.clip(spark * track * 0.9 + track * 0.10 + crest, 0, 1)[..., None] * sun
        pixels = np.concatenate([light, np.zeros_like(light[..., :1])], axis=2)
        pixels[0] = 0
        layers.append(
            Layer(
                np.clip(pixels, 0, 255).astype(np.uint8),
                top=top,
                ground=(world.horizon, *DEPTHS),
                pulse=(0.45 + 0.11 * index, 2.1 * index),
                name="glint",
            )
        )
    return layers
