"""Skies: gradient, sun or moon with its glow, stars and clouds."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from generator.animatic.noise import clouds
from generator.animatic.stage import Layer, layer_of
from generator.animatic.world import World

Array = npt.NDArray[Any]

BAND_STEP = 3.0
"""Steps of a smooth sky in 8-bit levels: as with a real model's decoder, it bands a little unless texture is asked."""
_COVER = {"day": 0.42, "dawn": 0.45, "sunset": 0.5, "night": 0.3, "overcast": 0.85, "storm": 0.95}


def _gradient(world: World, top: int, bottom: int) -> Array:
    """Sky colour by row: rows x 1 x 3."""
    rows = np.arange(top, bottom, dtype=np.float32)
    height = np.clip(rows / world.horizon, 0, 1)
    stops = np.array(world.palette.sky, np.float32)
    bands = [np.interp(height, (0.12, 0.5, 0.8, 1.0), stops[:, c]) for c in range(3)]
    return np.stack(bands, axis=1, dtype=np.float32)[:, None, :]


def _stars(world: World, rows: int) -> Array:
    rng = world.rng("stars")
    stage = world.stage
    field = np.zeros((rows, stage.width), np.float32)
    for _ in range(340):
        x, y = rng.random() * stage.width, rng.random() ** 1.4 * rows * 0.95
        radius = stage.unit * rng.choice((0.0007, 0.0011, 0.0018), p=(0.6, 0.32, 0.08))
        cv2.circle(
            field, (int(x * 16), int(y * 16)), max(int(radius * 16), 9), float(rng.uniform(40, 215)), -1, cv2.LINE_AA, 4
        )
    return field


def _cloud_layer(world: World, bottom: int) -> Layer:
    stage, palette, hour = world.stage, world.palette, world.scenario.hour
    rng = world.rng("clouds")
    cover = _COVER[hour] + rng.uniform(-0.1, 0.1)
    textured = world.scenario.look.textured
    rough = clouds(bottom, stage.width, rng, (3.2, 5.5), octaves=7 if textured else 6, gain=0.55 if textured else 0.5)
    streaks = clouds(bottom, stage.width, rng, (1.6, 16), octaves=4)
    # towards the horizon clouds lie flatter and closer together
    near = (np.arange(bottom) / bottom) ** 1.8
    rough = rough[np.clip(near * bottom, 0, bottom - 1).astype(int)]
    density = 0.72 * rough + 0.28 * streaks
    x, y = world.grid(0, bottom)
    density = np.clip((density - (1 - cover) * 0.78) * (2.6 if hour in ("overcast", "storm") else 3.6), 0, 1)
    step = max(2, round(stage.unit * 0.02))
    away = -1 if world.sun[0] > stage.width / 2 else 1
    soft = cv2.GaussianBlur(density, (0, 0), stage.unit * 0.008)
    relief = soft - np.roll(np.roll(soft, -step * away, axis=1), step, axis=0)
    low_sun = hour in ("sunset", "dawn")
    light = np.clip(0.55 + (1.3 if not low_sun else -1.0) * relief - 0.3 * soft, 0, 1) + world.sunlight(x, y, 0.3)
    shadow = np.array(palette.sky[1], np.float32) * (0.78 if hour != "day" else 0.92) + np.array(
        (10, 10, 12), np.float32
    )
    lit = np.array(palette.cloud, np.float32)
    colour = shadow + (lit - shadow) * np.clip(light, 0, 1.15)[..., None]
    fade = np.clip((bottom - y) / (0.12 * bottom), 0.15, 1) * np.clip(y / (0.04 * bottom) + 0.5, 0, 1)
    alpha = density**1.1 * fade * (0.92 if hour in ("overcast", "storm") else 0.82)
    return layer_of(colour, alpha, depth=0.03, drift=0.006 * world.scenario.look.activity, name="clouds")


def paint_sky(world: World) -> list[Layer]:
    """The sky and its clouds. The sky reaches a little below the horizon and is opaque."""
    stage, palette, scenario = world.stage, world.palette, world.scenario
    bottom = min(stage.height, int(world.horizon + 0.1 * stage.unit))
    x, y = world.grid(0, bottom)
    colour = np.repeat(_gradient(world, 0, bottom), stage.width, axis=1)
    sun = np.array(palette.sun, np.float32)
    glow = world.sunlight(x, y, 0.22) * 0.75 + world.sunlight(x, y, 0.05) * 0.7
    # light near the horizon spreads sideways
    flat = palette.glow * 0.35 * np.exp(-np.abs(y - world.horizon) / (0.16 * stage.unit))
    flat = flat * np.exp(-((x - world.sun[0]) ** 2) / (0.9 * stage.unit) ** 2)
    amount = np.clip(glow + flat, 0, 1)[..., None]
    colour += (sun - colour) * amount
    if not scenario.look.textured:
        colour = np.round(colour / BAND_STEP) * BAND_STEP
    if scenario.hour == "night":
        colour += _stars(world, bottom)[..., None]
    if scenario.hour not in ("overcast", "storm"):
        radius = stage.unit * (0.034 if scenario.hour in ("day", "night") else 0.048)
        distance = np.hypot(x - world.sun[0], y - world.sun[1])
        disc = np.clip((radius - distance) / (0.06 * radius + 0.6) + 0.5, 0, 1)[..., None]
        face: Array = sun
        if scenario.hour == "night":
            seas = clouds(bottom, stage.width, world.rng("moon"), (90, 90), octaves=2)
            face = sun * (0.86 + 0.16 * seas[..., None])
        colour += (face - colour) * disc
    if scenario.look.textured:
        rng = world.rng("dither")
        colour += rng.normal(0, 0.9, colour.shape[:2]).astype(np.float32)[..., None]
    return [layer_of(colour, np.ones(colour.shape[:2], np.float32), name="sky"), _cloud_layer(world, bottom)]
