"""The forest: trunks in rows that fade into light, and shafts of sun between them."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from generator.animatic import flora
from generator.animatic.land import SNOW, grass_front, plain_colour, plain_layer, ridge_layer
from generator.animatic.palette import Colour, fade, lit
from generator.animatic.sky import paint_sky
from generator.animatic.stage import Layer, layer_of
from generator.animatic.world import Place, World

Array = npt.NDArray[Any]

PINE: Colour = (66, 96, 74)


def paint_forest(world: World) -> Place:
    """Trunks in rows that fade into light, shafts of sun, undergrowth, ferns in front."""
    h, unit = world.horizon, world.stage.unit
    snowy = world.scenario.snowy
    layers = paint_sky(world)
    layers.append(ridge_layer(world, "canopy", base=h + 0.02 * unit, rise=0.10, depth=0.15, colour=PINE, cells=3,
                              rugged=False, trees=220, tree_height=0.26, air=0.74))  # fmt: skip
    for index, (depth, air, count, wide) in enumerate(
        ((0.26, 0.60, 44, 0.008), (0.40, 0.42, 26, 0.013), (0.56, 0.24, 13, 0.021), (0.72, 0.10, 6, 0.034))
    ):
        layers.append(_trunks(world, f"trees {index}", h + unit * (0.015 + 0.028 * index), depth, air, count, wide))
        if index == 1 and world.scenario.hour in ("day", "dawn", "sunset"):
            layers.append(_shafts(world))
    near: Colour = SNOW if snowy else (92, 106, 54)
    top = int(h + 0.02 * unit)
    ground = plain_layer(world, plain_colour(world, "floor", top, near, near, 0.8), top)
    layers.insert(4, ground)
    front = len(layers)
    layers.append(_frame_trees(world))
    layers.append(grass_front(world, (52, 70, 44) if not snowy else (96, 98, 98), 0.18, 700))
    return Place(layers, (h, 0.45, 1.05), front=front)


def _trunks(world: World, name: str, foot: float, depth: float, air: float, count: int, wide: float) -> Layer:
    """One row of tall trunks with sparse branches, bushes at their feet and leaves overhead."""
    stage, rng = world.stage, world.rng(name)
    unit = stage.unit
    bottom = min(stage.height, int(foot + 0.05 * unit))
    mask = np.zeros((bottom, stage.width), np.uint8)
    for _ in range(count):
        at: float = rng.random() * stage.width
        half = wide * unit * rng.uniform(0.55, 1.2)
        lean = rng.normal(0, 0.012) * unit
        base = foot + rng.uniform(-0.004, 0.02) * unit
        flora.trunk(mask, at, base, half, lean, 0.04 * unit)
        for _ in range(rng.integers(3, 8)):
            y = rng.uniform(0.05, 0.62) * foot
            reach = rng.choice((-1, 1)) * half * rng.uniform(3, 9)
            root = at + lean * (1 - y / foot)
            flora.fill(
                mask,
                np.array(
                    [(root, y), (root, y + half * 0.55), (root + reach, y + abs(reach) * rng.uniform(-0.5, 0.25))]
                ),
            )
    for _ in range(int(120 + 9 * count)):  # leaves overhead hang deeper the nearer the row
        at, y = rng.random() * stage.width, rng.random() ** 2 * (stage.y(0.0) + (0.10 + 0.16 * depth) * unit)
        size = unit * rng.uniform(0.010, 0.028) * (0.5 + depth)
        for _ in range(9):
            spot = (int((at + rng.normal(0, size * 1.3)) * 16), int((y + rng.normal(0, size * 0.4)) * 16))
            axes = (int(size * rng.uniform(0.3, 0.75) * 16), int(size * rng.uniform(0.14, 0.3) * 16))
            cv2.ellipse(mask, spot, axes, float(rng.uniform(-50, 50)), 0, 360, 255.0, -1, cv2.LINE_AA, 4)
    for _ in range(46):  # bushes
        at, size = float(rng.random() * stage.width), unit * rng.uniform(0.010, 0.032) * (0.5 + depth)
        for _ in range(7):
            rise = 0.012 * unit - rng.uniform(0, 0.6) * size
            spot = (int((at + rng.normal(0, size)) * 16), int((foot + rise) * 16))
            cv2.circle(mask, spot, int(size * rng.uniform(0.3, 0.6) * 16), 255.0, -1, cv2.LINE_AA, 4)
    leaf = mask.astype(np.float32) / 255
    columns, rows = world.grid(0, bottom)
    up = np.clip((foot - rows) / foot, 0, 1)
    soft = cv2.GaussianBlur(leaf, (0, 0), wide * unit * 0.5)
    away = 1 if world.sun[0] > stage.width / 2 else -1
    rim = soft - np.roll(soft, -away * max(1, round(wide * unit * 0.5)), axis=1)
    shade = np.clip(0.20 + 0.30 * up + 1.2 * rim, 0, 1)
    colour: Colour = (82, 88, 62)
    body = fade(
        lit(colour, world.palette, shade),
        world.palette,
        np.clip(air + 0.16 * (1 - up), 0, 0.95) * np.ones_like(leaf),
    )
    glow = world.sunlight(columns, rows, 0.34)[..., None] * 0.75 * (1 - depth)
    body += (np.array(world.palette.sun, np.float32) - body) * glow
    return layer_of(body, leaf, hangs=True, depth=depth, name=name)


def _frame_trees(world: World) -> Layer:
    """The nearest trees: they frame the picture and leave its middle free."""
    stage, rng = world.stage, world.rng("near trunk")
    unit, foot = stage.unit, stage.y(1.06)
    bottom = min(stage.height, int(foot + 0.08 * unit))
    mask = np.zeros((bottom, stage.width), np.uint8)
    for side, low, high in ((-1, 0.44, 0.50), (1, 0.46, 0.54), (1, 0.62, 0.75)):
        at = stage.x(0.5 + side * rng.uniform(low, high))
        wide, lean = unit * rng.uniform(0.028, 0.045), rng.normal(0, 0.03) * unit
        flora.trunk(mask, at, foot, wide, lean, 0.16 * unit)
        for _ in range(5):
            y, reach = rng.uniform(0.05, 0.4) * bottom, rng.choice((-1, 1)) * rng.uniform(0.1, 0.25) * unit
            flora.fill(mask, np.array([(at, y), (at, y + wide * 0.5), (at + reach, y - rng.uniform(0, 0.1) * unit)]))
    leaf = mask.astype(np.float32) / 255
    away = 1 if world.sun[0] > stage.width / 2 else -1
    soft = cv2.GaussianBlur(leaf, (0, 0), 0.012 * unit)
    rim = soft - np.roll(soft, -away * max(1, round(0.010 * unit)), axis=1)
    return layer_of(
        lit((62, 54, 46), world.palette, np.clip(0.10 + 0.9 * rim, 0, 1)), leaf, depth=0.95, name="near trunks"
    )


def _shafts(world: World) -> Layer:
    """Beams of sunlight through the canopy, added as light."""
    stage, rng = world.stage, world.rng("shafts")
    rows = int(stage.y(0.95))
    x, y = world.grid(0, rows)
    angle = np.arctan2(x - world.sun[0], np.maximum(y - world.sun[1] + 0.35 * stage.unit, 1.0))
    beams = np.zeros((rows, stage.width), np.float32)
    for _ in range(9):
        beams += rng.uniform(0.3, 1) * np.exp(-(((angle - rng.uniform(-0.9, 0.9)) / rng.uniform(0.02, 0.07)) ** 2))
    length = np.clip(1 - (y - world.sun[1]) / (0.75 * stage.unit), 0, 1) * np.clip(
        (y - world.sun[1] + 0.2 * stage.unit) / (0.3 * stage.unit), 0, 1
    )
    light = (
        np.clip(beams * length * 0.20, 0, 0.5)[..., None] * np.array(world.palette.sun, np.float32) * world.palette.glow
    )
    pixels = np.concatenate([light, np.zeros_like(light[..., :1])], axis=2)
    pixels[-1] = 0
    return Layer(np.clip(pixels, 0, 255).astype(np.uint8), depth=0.62, pulse=(0.08, 0.0), name="shafts")
