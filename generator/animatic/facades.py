"""Facades along a street: walls in perspective with windows, shops and neon, and the faces that look at the camera."""

from typing import Any

import numpy as np
import numpy.typing as npt

from generator.animatic.corridor import Corridor, Picture, hashed, soft_step
from generator.animatic.palette import Colour, fade
from generator.animatic.world import World

Array = npt.NDArray[Any]

WINDOW_LIGHT: tuple[Colour, ...] = ((255, 214, 140), (255, 190, 104), (236, 232, 214), (170, 208, 255))
"""Colours of lit windows."""
_NEON: tuple[Colour, ...] = ((255, 62, 128), (54, 214, 255), (255, 168, 44), (146, 96, 255), (70, 255, 176))
BLOCKS = 3.2
"""Buildings for each e-fold of distance: near and far ones look alike in length."""


def paint_facades(world: World, corridor: Corridor) -> Picture:
    """Buildings on both sides of a street."""
    return corridor.by_bands(lambda top, bottom: _paint_band(world, corridor, top, bottom))


def _paint_band(world: World, corridor: Corridor, top: int, bottom: int) -> Picture:
    stage, palette, unit = world.stage, world.palette, world.stage.unit
    distance, height, side = corridor.wall(top, bottom)
    seed = float(world.seed % 997)
    along = np.minimum(distance, 60.0)
    block = np.floor(np.log(along + 0.12) * BLOCKS + side * 50 + seed)
    roof = _roof(block)
    pixel = distance / unit
    alpha = soft_step(roof - height, pixel) * (height > 0) * (distance < 45)
    tone = hashed(block + 7)[..., None]
    warm, cool = np.array((178, 132, 104), np.float32), np.array((116, 128, 146), np.float32)
    base = warm + (cool - warm) * tone
    sunny = np.where(side * np.sign(world.sun[0] - stage.width / 2) < 0, np.float32(0.72), np.float32(0.26))
    shade = sunny + 0.18 * np.clip(height / roof, 0, 1) + 0.10 * (hashed(block + 3) - 0.5)
    dark, light = np.array(palette.shade, np.float32), np.array(palette.light, np.float32)
    colour = base * (dark + (light - dark) * np.clip(shade, 0, 1)[..., None])
    floor_height, bay = 0.125, 0.10
    level, column = height / floor_height, along / bay
    inside = (
        (np.abs(level % 1 - 0.5) < 0.30)
        & (np.abs(column % 1 - 0.5) < 0.28)
        & (height > floor_height)
        & (height < roof - 0.03)
    )
    # windows narrower than a pixel blend into the wall
    sharp = np.clip(1.6 - 10 * distance * distance / (corridor.half * unit) / bay, 0.25, 1) * inside
    glass = np.array(palette.sky[2], np.float32) * 0.45
    colour += (glass - colour) * (0.65 * sharp)[..., None]
    on = hashed(level, column, block, side) < 0.42 * palette.lamps + 0.02
    pane = np.array(WINDOW_LIGHT, np.float32)[(hashed(level + 3, column, block) * 3.99).astype(int)]
    colour += (pane * 0.95 - colour) * (sharp * on * (0.35 + 0.65 * hashed(column, level + 9, block)))[..., None]
    cornice = soft_step(0.012 - np.abs(height - roof + 0.012), pixel) + soft_step(
        0.008 - np.abs(height - floor_height), pixel
    )
    colour *= (1 - 0.25 * np.clip(cornice, 0, 1))[..., None]
    shop = (height < floor_height * 0.86) & (height > 0.012) & (np.abs((along * 4) % 1 - 0.5) < 0.40)
    window = np.array((255, 222, 168), np.float32) * (0.28 + 0.72 * palette.lamps)
    colour += (window - colour) * (np.float32(0.6) * shop * (hashed(along * 4, block) < 0.7))[..., None]
    if palette.lamps > 0.5:
        colour += _signs(along, height, block, side) * (palette.lamps * 0.9)
    colour, alpha, distance = _with_fronts(world, corridor, top, (colour, alpha, distance))
    colour = fade(colour, palette, np.clip(1 - np.exp(-(distance - 0.6) * 0.16), 0, 0.9))
    x, y = world.grid(top, bottom)
    colour += (np.array(palette.sun, np.float32) - colour) * (
        0.5 * world.sunlight(x, y, 0.22) * np.clip(distance / 8, 0, 1)
    )[..., None]
    return colour, alpha.astype(np.float32), distance


def _roof(block: Array) -> Array:
    return np.asarray(0.55 + 1.5 * hashed(block) ** 1.3)


def _with_fronts(world: World, corridor: Corridor, top: int, walls: Picture) -> Picture:
    """Add the faces that look at the camera: seen where a building rises over the one before it."""
    colour, alpha, distance = (part.copy() for part in walls)
    unit, lamps = world.stage.unit, world.palette.lamps
    open_sky = np.nonzero(alpha < 0.999)
    x, y = open_sky[1] - np.float32(corridor.vanish), np.float32(world.horizon - top) - open_sky[0].astype(np.float32)
    behind, covered, depth = np.zeros((len(x), 3), np.float32), np.zeros(len(x), np.float32), distance[open_sky]
    dark, light = np.array(world.palette.shade, np.float32), np.array(world.palette.light, np.float32)
    for side in (-1, 1):
        offset = side * 50 + float(world.seed % 997)
        low, high = (np.log(z + 0.12) * BLOCKS + offset for z in (0.7, 14.0))
        for number in np.arange(np.floor(high), np.ceil(low) - 1, -1):
            z = float(np.exp((number - offset) / BLOCKS) - 0.12)
            roof = float(_roof(np.array(number)))
            out, height = x * (side * z / unit), y * (z / unit) + corridor.eye
            cover = soft_step(out - corridor.half, z / unit) * soft_step(roof - height, z / unit) * (height > 0)
            level, column = height / 0.125, out / 0.10
            pane = (np.abs(level % 1 - 0.5) < 0.28) & (np.abs(column % 1 - 0.5) < 0.26) & (height < roof - 0.04)
            lit = pane & (hashed(level, column, np.full_like(out, number)) < 0.42 * lamps)
            wall = np.array((150, 132, 120), np.float32) * (0.62 + 0.2 * hashed(np.array(number + 3)))
            wall = wall * (dark + (light - dark) * 0.34)
            face = np.where(pane[:, None], wall * 0.72, wall)
            face = np.where(lit[:, None], np.array(WINDOW_LIGHT[0], np.float32) * 0.8, face)
            behind += (face - behind) * cover[:, None]
            covered = np.maximum(covered, cover)
            depth = np.where(cover > 0.5, z, depth)
    near = alpha[open_sky]
    whole = near + covered * (1 - near)
    share = (covered * (1 - near) / np.maximum(whole, 1e-6))[:, None]
    colour[open_sky] += (behind - colour[open_sky]) * share
    alpha[open_sky] = whole
    distance[open_sky] = np.where(near < 0.5, depth, distance[open_sky])
    return colour, alpha, distance


def _signs(along: Array, height: Array, block: Array, side: Array) -> Array:
    """Neon over the shops: tubes of light with a halo."""
    cell = along * 2.2
    lucky = hashed(cell + 5, block, side) < 0.42
    u, v = cell % 1 - 0.5, (height - 0.165 - 0.05 * hashed(cell, side)) / 0.10
    ring = np.maximum(np.abs(u) / 0.30, np.abs(v) / (0.24 + 0.5 * hashed(cell + 2, side)))
    tube = np.exp(-(((ring - 1) / 0.16) ** 2)) + 0.30 * np.exp(-((ring / 1.5) ** 2))
    tone = np.array(_NEON, np.float32)[(hashed(cell + 1, block) * 4.99).astype(int)]
    return np.asarray(tone * (tube * lucky * (along < 9))[..., None])
