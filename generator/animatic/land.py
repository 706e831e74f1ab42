"""Land: ridges, dunes and hills in rows, plains that come towards the camera, and what grows in front."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from generator.animatic import flora
from generator.animatic.noise import clouds, line
from generator.animatic.palette import Colour, fade, lit
from generator.animatic.stage import Layer, layer_of
from generator.animatic.world import World

Array = npt.NDArray[Any]

SNOW: Colour = (232, 238, 248)


def _relief(world: World, ridge: Array, top: int, bottom: int, rng: np.random.Generator, cells: float) -> Array:
    """Light on rugged slopes, 0-1: rock texture that hangs from the ridge line, lit from the sun's side."""
    rows, width = bottom - top, world.stage.width
    rock = 1 - np.abs(2 * clouds(rows, width, rng, (cells, cells * 0.55), octaves=6, gain=0.58) - 1)
    x, y = world.grid(0, rows)
    hang = cv2.GaussianBlur(ridge[None, :], (0, 0), width * 0.01)[0]
    rock = cv2.remap(
        rock,
        np.broadcast_to(x, rock.shape).astype(np.float32),
        (y - 0.75 * (hang[None, :] - hang.mean())).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT_101,
    )
    slope: Array = cv2.Sobel(cv2.GaussianBlur(rock, (0, 0), 0.8), cv2.CV_32F, 1, 0, ksize=5)
    slope /= slope.std() + 1e-6
    side = np.tanh((world.sun[0] - x) / (0.25 * width))
    crest = np.gradient(hang) * 2.2
    near_crest = np.exp(-np.maximum(y + top - ridge[None, :], 0) / (0.10 * world.stage.unit))
    return np.asarray(0.5 - 0.5 * np.tanh(0.75 * slope * side + 1.4 * crest[None, :] * side * near_crest), np.float32)


def ridge_layer(
    world: World,
    name: str,
    *,
    base: float,
    rise: float,
    depth: float,
    colour: Colour,
    cells: float = 4,
    rugged: bool = True,
    snow: float = 0.0,
    trees: int = 0,
    tree_height: float = 0.05,
    air: float | None = None,
) -> Layer:
    """One row of hills or mountains that fades into haze towards its foot.

    Args:
        world: the scene.
        name: of its dice.
        base: canvas row of the foot.
        rise: height in units.
        depth: 0 far to 1 near.
        colour: of the ground.
        cells: hills across the canvas.
        rugged: rock instead of smooth slopes.
        snow: share of the height that is snow-capped.
        trees: conifers along the ridge.
        tree_height: in units.
        air: haze over it, 0-1; by depth if not given.
    """
    stage, rng = world.stage, world.rng(name)
    unit, width = stage.unit, stage.width
    if rugged:
        curve = 0.6 * line(width, rng, cells, 7, 0.46, ridged=True) + 0.4 * line(width, rng, cells * 0.5, 3)
    else:
        curve = line(width, rng, cells, 3, 0.35)
    curve = (curve - curve.min()) / (np.ptp(curve) + 1e-6)
    ridge = base - rise * unit * (0.12 + 0.88 * curve)
    margin = tree_height * unit * 1.3 if trees else 2
    top = max(0, int(ridge.min() - margin))
    bottom = min(stage.height, max(int(base + 0.06 * unit), top + 8))
    x, y = world.grid(top, bottom)
    below = y - ridge[None, :]
    mask = np.clip(below + 0.5, 0, 1)
    if rugged:
        shade = _relief(world, ridge, top, bottom, rng, cells * 2.2)
    else:
        soft = clouds(bottom - top, width, rng, (cells * 2, cells * 3), octaves=5)
        side = np.tanh((world.sun[0] - x) / (0.3 * width))
        shade = np.clip(
            0.55
            - 60 * np.gradient(cv2.GaussianBlur(ridge[None, :], (0, 0), 3)[0])[None, :] / 60 * side
            + 0.35 * (soft - 0.5)
            + 0.25 * np.exp(-np.maximum(below, 0) / (0.03 * unit)),
            0,
            1,
        )
    body = lit(colour, world.palette, shade)
    if snow:
        height = np.clip(1 - below / (rise * unit), 0, 1) * (curve[None, :] ** 0.5)
        ragged = clouds(bottom - top, width, rng, (cells * 6, cells * 5), octaves=4)
        cap = np.clip((height - (1 - snow) + 0.35 * (ragged - 0.5) + 0.15 * (shade - 0.5)) * 9, 0, 1)[..., None]
        body = body + (lit(SNOW, world.palette, shade) - body) * cap
    if trees:
        growth = np.zeros((bottom - top, width), np.uint8)
        for _ in range(trees):
            at = float(rng.random() * width)
            tall = tree_height * unit * rng.uniform(0.45, 1.15)
            flora.conifer(growth, at, float(ridge[min(int(at), width - 1)]) - top + 0.12 * tall, tall, rng)
        leaf = growth.astype(np.float32) / 255
        tips = np.clip(1 - (below + tree_height * unit) / (tree_height * unit * 2.2), 0, 1)
        dark = lit((colour[0] * 0.62, colour[1] * 0.70, colour[2] * 0.62), world.palette, 0.15 + 0.55 * tips)
        body = body + (dark - body) * leaf[..., None]
        mask = np.maximum(mask, leaf)
    distance = (1 - depth) ** 1.5 * 0.86 if air is None else air
    foot = np.clip(below / (rise * unit * 0.95), 0, 1) ** 1.4
    body = fade(body, world.palette, np.clip(distance * (0.72 + 0.45 * foot), 0, 0.97))
    sun = np.array(world.palette.sun, np.float32)
    glow = world.sunlight(x, y, 0.2)[..., None] * 0.6 * (1 - depth)
    return layer_of(body + (sun - body) * glow, mask, top, depth=depth, name=name)


def perspective_noise(
    world: World, rng: np.random.Generator, top: int, cells: float, octaves: int = 6, stretch: float = 1.0
) -> Array:
    """Noise that lies on a plane from the horizon towards the camera: rows from `top` to the canvas bottom."""
    stage = world.stage
    rows = stage.height - top
    size = 512
    field = clouds(size, size, rng, (cells, cells), octaves=octaves, gain=0.6)
    x, y = world.grid(top, stage.height)
    away = (stage.y(1.0) - world.horizon) / np.maximum(y - world.horizon, 0.004 * stage.unit)
    across = (x - stage.width / 2) / stage.unit * away * size * 0.30 / stretch + size / 2
    along = np.broadcast_to(away * size * 0.22, (rows, stage.width))
    plane = cv2.remap(
        field, across.astype(np.float32), along.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    near = np.clip((y - world.horizon) / (0.10 * stage.unit), 0, 1)  # what is finer than a pixel averages out
    return np.asarray(0.5 + (plane - 0.5) * near, np.float32)


def plain_colour(world: World, name: str, top: int, near: Colour, far: Colour, contrast: float = 0.5) -> Array:
    """Ground from the horizon to the canvas bottom, rows from `top`: patches of light, finer nearby."""
    rng = world.rng(name)
    patches = perspective_noise(world, rng, top, 7)
    fine = perspective_noise(world, rng, top, 40, 3, 0.7)
    x, y = world.grid(top, world.stage.height)
    close = np.clip((y - world.horizon) / (world.stage.y(1.0) - world.horizon), 0, 1)
    shade = np.clip(0.62 + contrast * (patches - 0.5) + 0.7 * contrast * (fine - 0.5) * close - 0.12 * close, 0, 1)
    colour = (
        lit(far, world.palette, shade) * (1 - close[..., None]) + lit(near, world.palette, shade) * close[..., None]
    )
    colour = fade(colour, world.palette, np.broadcast_to(0.62 * (1 - close) ** 3.0, shade.shape))
    glow = world.sunlight(x, y, 0.25)[..., None] * 0.45 * (1 - close[..., None])
    return np.asarray(colour + (np.array(world.palette.sun, np.float32) - colour) * glow)


def plain_layer(world: World, colour: Array, top: int, depths: tuple[float, float] = (0.45, 1.05)) -> Layer:
    """A ground plane out of `plain_colour`."""
    y = world.grid(top, world.stage.height)[1]
    alpha = np.broadcast_to(np.clip(y - world.horizon + 1, 0, 1), colour.shape[:2])
    return layer_of(colour, alpha, ground=(world.horizon, *depths), name="ground", origin=top)


def grass_front(world: World, colour: Colour, height: float = 0.16, count: int = 620) -> Layer:
    """Blades close to the camera, dark, swaying."""
    stage, rng = world.stage, world.rng("front grass")
    rows = int(stage.unit * (height * 1.2 + 0.32))
    top = min(int(stage.y(1.0) - 0.75 * height * stage.unit), stage.height - 8)
    mask = np.zeros((rows, stage.width), np.uint8)
    foot = 0.85 * height * stage.unit
    flora.grass(mask, foot, height * stage.unit * 0.8, count, rng)
    mask = mask[: stage.height - top]
    y = np.arange(len(mask), dtype=np.float32)[:, None]
    leaf = np.maximum(mask.astype(np.float32) / 255, np.clip((y - foot) / (0.1 * stage.unit), 0, 1))
    tips = np.clip(1 - y / (1.1 * foot), 0, 1) * np.ones_like(leaf)
    body = lit(colour, world.palette, 0.05 + 0.75 * tips)
    return layer_of(
        body, leaf, depth=1.15, sway=0.010 * stage.unit * min(world.scenario.look.activity, 2), name="front", origin=top
    )
