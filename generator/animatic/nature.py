"""Places outdoors: sea, lake, mountains, forest, desert, field, road."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from generator.animatic import flora
from generator.animatic.land import (
    SNOW,
    grass_front,
    perspective_noise,
    plain_colour,
    plain_layer,
    ridge_layer,
)
from generator.animatic.palette import Colour, fade, lit
from generator.animatic.shore import shore_layer
from generator.animatic.sky import paint_sky
from generator.animatic.stage import Layer, layer_of
from generator.animatic.water import DEPTHS, paint_water
from generator.animatic.world import Place, World

Array = npt.NDArray[Any]

GRASS: Colour = (112, 148, 66)
DRY_GRASS: Colour = (186, 164, 96)
ROCK: Colour = (128, 120, 122)
PINE: Colour = (66, 96, 74)


def _near_shore(world: World) -> Layer:
    """A dark headland with grass at one side of the picture, close to the camera."""
    stage, rng = world.stage, world.rng("shore")
    side = -1 if world.sun[0] > stage.width / 2 else 1
    x, y = world.grid(int(stage.y(0.45)), stage.height)
    reach = (x - stage.x(0.5)) / stage.unit * side
    edge = stage.y(1.02) - stage.unit * 0.30 * np.clip((reach - 0.18) / 0.65, 0, 1) ** 1.6
    mask = np.zeros((stage.height - int(stage.y(0.45)), stage.width), np.uint8)
    for _ in range(420):
        at = int(rng.random() * stage.width)
        if reach[0, at] > 0.16:
            tall = stage.unit * rng.uniform(0.015, 0.055)
            root = float(edge[0, at]) - stage.y(0.45)
            lean = rng.normal(0, 0.3) * tall
            flora.fill(mask, np.array([(at - 0.9, root + 3), (at + lean, root - tall), (at + 0.9, root + 3)]))
    inside = np.clip(y - edge, 0, 1) * (reach > 0.1)
    leaf = np.maximum(mask.astype(np.float32) / 255, inside)
    tips = np.clip(1 - (y - edge) / (0.10 * stage.unit), 0, 1)
    body = lit((58, 70, 56), world.palette, 0.05 + 0.6 * tips)
    return layer_of(body, leaf, depth=1.1, name="front", origin=int(stage.y(0.45)))


def paint_sea(world: World) -> Place:
    """Open water with a far coast."""
    sky = paint_sky(world)
    h = world.horizon
    rock: Colour = (104, 112, 104)
    coast = [
        ridge_layer(world, "far coast", base=h + 2, rise=0.07, depth=0.10, colour=rock, cells=3),
        ridge_layer(world, "cape", base=h + 2, rise=0.05, depth=0.22, colour=rock, cells=1.6),
    ]
    water = paint_water(world, [*sky, *coast], calm=0.15 if world.scenario.hour != "storm" else 0.0)
    return _waterside(world, [*sky, *coast, *water], reflects=0.45)


def paint_lake(world: World) -> Place:
    """Still water under mountains."""
    sky = paint_sky(world)
    h = world.horizon
    snow = 0.55 if world.scenario.snowy else 0.3
    banks = [
        ridge_layer(world, "peaks", base=h, rise=0.34, depth=0.10, colour=ROCK, cells=3, snow=snow),
        ridge_layer(world, "slopes", base=h, rise=0.19, depth=0.25, colour=(98, 112, 104), cells=4, air=0.42),
        ridge_layer(world, "bank", base=h + 2, rise=0.05, depth=0.38, colour=SNOW if world.scenario.snowy else PINE,
                    cells=3, rugged=False, trees=210, tree_height=0.075, air=0.22),
    ]  # fmt: skip
    water = paint_water(world, [*sky, *banks], calm=0.85)
    return _waterside(world, [*sky, *banks, *water], reflects=0.7)


def _waterside(world: World, layers: list[Layer], reflects: float) -> Place:
    ground = (world.horizon, *DEPTHS)
    if world.scenario.ashore:
        layers = [*layers, shore_layer(world)]
        return Place(layers, ground, front=len(layers))
    return Place([*layers, _near_shore(world)], ground, front=len(layers), reflects=reflects)


def paint_mountains(world: World) -> Place:
    """Ranges behind one another, wooded foothills, a meadow in front."""
    h, snowy = world.horizon, world.scenario.snowy
    snow = 0.62 if snowy else 0.34
    green: Colour = SNOW if snowy else (92, 118, 82)
    layers = [
        *paint_sky(world),
        ridge_layer(world, "far range", base=h, rise=0.36, depth=0.06, colour=ROCK, cells=4, snow=snow),
        ridge_layer(world, "range", base=h, rise=0.27, depth=0.16, colour=ROCK, cells=3, snow=snow * 0.9),
        ridge_layer(world, "slopes", base=h + 0.01 * world.stage.unit, rise=0.15, depth=0.30,
                    colour=(92, 106, 96), cells=4),
        ridge_layer(world, "foothills", base=h + 0.06 * world.stage.unit, rise=0.11, depth=0.5, colour=green, cells=3,
                    rugged=False, trees=230, tree_height=0.07, air=0.30),
        ridge_layer(world, "near hill", base=h + 0.15 * world.stage.unit, rise=0.12, depth=0.68, colour=green, cells=2,
                    rugged=False, trees=70, tree_height=0.14, air=0.12),
    ]  # fmt: skip
    ground = _meadow(world, top=int(h + 0.05 * world.stage.unit), snowy=snowy)
    layers.append(ground)
    front = len(layers)
    layers.append(grass_front(world, (70, 86, 60) if not snowy else (92, 92, 88), count=620 if not snowy else 160))
    return Place(layers, (h, 0.5, 1.05), front=front)


def _meadow(world: World, top: int, snowy: bool, near: Colour = GRASS, far: Colour = (150, 172, 96)) -> Layer:
    """Rolling ground with flowers or snow. Its upper edge undulates."""
    stage, rng = world.stage, world.rng("meadow")
    colour = plain_colour(world, "plain", top, SNOW if snowy else near, SNOW if snowy else far, 0.35 if snowy else 0.6)
    if not snowy and world.scenario.place in ("field", "mountains"):
        flowers = np.zeros(colour.shape[:2], np.uint8)
        for _ in range(900):
            away = rng.random() ** 0.6
            row = (0.06 + 0.94 * away) * (stage.y(1.08) - top)
            at = rng.random() * stage.width
            if np.sin(at / stage.unit * 9) + np.sin(row / stage.unit * 31) < 0.2:
                continue
            size = max(0.55, stage.unit * 0.0042 * away)
            cv2.circle(flowers, (int(at * 16), int(row * 16)), int(size * 16), 225.0, -1, cv2.LINE_AA, 4)
        petal = lit(((250, 238, 214), (244, 196, 92), (206, 120, 168))[int(rng.integers(3))], world.palette, 0.75)
        colour += (petal - colour) * (flowers.astype(np.float32) / 255)[..., None]
    x, y = world.grid(top, stage.height)
    swell = (
        0.016
        * stage.unit
        * (np.sin(x / stage.unit * 3.1 + rng.uniform(0, 6)) + np.sin(x / stage.unit * 7.3 + rng.uniform(0, 6)))
    )
    alpha = np.clip(y - top - 0.03 * stage.unit - 0.5 * swell, 0, 1)
    return layer_of(colour, alpha, ground=(world.horizon, 0.5, 1.05), name="ground", origin=top)


def paint_field(world: World) -> Place:
    """Hills, a meadow, single trees."""
    h, snowy, unit = world.horizon, world.scenario.snowy, world.stage.unit
    green: Colour = SNOW if snowy else (124, 156, 84)
    layers = [
        *paint_sky(world),
        ridge_layer(world, "blue hills", base=h, rise=0.13, depth=0.08, colour=(120, 136, 130), cells=3, rugged=False),
        ridge_layer(world, "hills", base=h + 0.01 * unit, rise=0.09, depth=0.22, colour=green, cells=2.6, rugged=False,
                    trees=60, tree_height=0.03, air=0.48),
        ridge_layer(world, "rise", base=h + 0.05 * unit, rise=0.07, depth=0.42, colour=green, cells=2,
                    rugged=False, air=0.22),
        _grove(world),
        _meadow(world, int(h + 0.02 * unit), snowy),
    ]  # fmt: skip
    front = len(layers)
    layers.append(grass_front(world, (74, 92, 56) if not snowy else (104, 100, 92), count=700 if not snowy else 200))
    return Place(layers, (h, 0.45, 1.05), front=front)


def _grove(world: World) -> Layer:
    stage, rng = world.stage, world.rng("grove")
    top = int(world.horizon - 0.26 * stage.unit)
    rows = int(0.32 * stage.unit)
    mask = np.zeros((rows, stage.width), np.uint8)
    foot = world.horizon + 0.035 * stage.unit - top
    centre = stage.x(0.5 + (0.28 if world.sun[0] < stage.width / 2 else -0.28))
    for _ in range(6):
        tall = stage.unit * rng.uniform(0.07, 0.16)
        flora.broadleaf(mask, centre + rng.normal(0, 0.13) * stage.unit, foot + rng.uniform(-2, 2), tall, rng)
    for _ in range(5):
        flora.broadleaf(mask, rng.random() * stage.width, foot - 2, stage.unit * rng.uniform(0.03, 0.06), rng)
    leaf = mask.astype(np.float32) / 255
    x, y = world.grid(top, top + rows)
    soft = cv2.GaussianBlur(leaf, (0, 0), 0.012 * stage.unit)
    step = max(1, int(0.008 * stage.unit))
    away = 1 if world.sun[0] > x.mean() else -1
    shade = np.clip(
        0.45
        + 1.1 * (soft - np.roll(np.roll(soft, -away * step, 1), step, 0))
        + 0.25 * np.clip(1 - (y - 0) / foot, 0, 1),
        0,
        1,
    )
    body = fade(
        lit((84, 112, 62) if not world.scenario.snowy else (120, 118, 116), world.palette, shade),
        world.palette,
        np.full(leaf.shape, 0.16),
    )
    return layer_of(body, leaf, top, hangs=True, depth=0.46, name="grove")


def paint_road(world: World) -> Place:
    """A road from the camera to the horizon, through a plain below mountains."""
    stage, h, unit = world.stage, world.horizon, world.stage.unit
    snowy = world.scenario.snowy
    snow = 0.5 if snowy else 0.15
    land: Colour = SNOW if snowy else DRY_GRASS
    layers = [
        *paint_sky(world),
        ridge_layer(world, "range", base=h, rise=0.18, depth=0.06, colour=ROCK, cells=3, snow=snow),
        ridge_layer(world, "hills", base=h + 2, rise=0.06, depth=0.2, colour=land, cells=3, rugged=False, air=0.5),
    ]
    top = int(h)
    colour = plain_colour(world, "plain", top, land, land, 0.55)
    x, y = world.grid(top, stage.height)
    away = np.clip((y - h) / (stage.y(1.0) - h), 1e-4, None)
    vanish = stage.x(0.5 + world.rng("bend").uniform(-0.08, 0.08))
    middle = (
        vanish
        + (stage.x(0.5) - vanish) * away
        + world.rng("bend").uniform(-0.4, 0.4) * unit * 0.05 / (away + 0.08) * (1 - away).clip(0)
    )
    across = (x - middle) / (unit * 0.62 * away)

    def stripe(centre: float, half: float) -> Array:
        soft = 1.2 / (unit * 0.62 * away)
        return np.asarray(np.clip((half - np.abs(across - centre)) / soft + 0.5, 0, 1))

    grit = perspective_noise(world, world.rng("grit"), top, 30, 4)
    tar = fade(
        lit((96, 94, 96), world.palette, 0.45 + 0.35 * grit),
        world.palette,
        0.55 * (1 - np.clip(away, 0, 1)) ** 5 * np.ones_like(grit),
    )
    colour += (tar - colour) * stripe(0, 1.0)[..., None]
    dashes = ((1 / away * 1.3) % 1.0 < 0.45) | (away < 0.05)
    paint = np.maximum(stripe(0, 0.022) * dashes, np.maximum(stripe(-0.9, 0.018), stripe(0.9, 0.018)))
    colour += (lit((240, 232, 210), world.palette, 0.75) - colour) * (0.8 * paint)[..., None]
    layers.append(plain_layer(world, colour, top))
    front = len(layers)
    layers.append(grass_front(world, (96, 88, 58) if not snowy else (120, 116, 110), 0.10, 300))
    return Place(layers, (h, 0.45, 1.05), front=front)
