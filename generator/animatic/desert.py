"""The desert: dunes behind one another, each with a lit and a shaded face."""

import cv2
import numpy as np

from generator.animatic.land import perspective_noise, plain_colour, ridge_layer
from generator.animatic.palette import Colour, fade, lit
from generator.animatic.sky import paint_sky
from generator.animatic.stage import Layer, layer_of
from generator.animatic.world import Place, World

SAND: Colour = (226, 178, 116)


def paint_desert(world: World) -> Place:
    """Dunes behind one another."""
    h, unit = world.horizon, world.stage.unit
    layers = [
        *paint_sky(world),
        ridge_layer(world, "mesas", base=h, rise=0.12, depth=0.06, colour=(186, 120, 88), cells=3),
        _dune(world, "dunes far", h + 0.02 * unit, 0.09, 0.25, 3.0, 0.42),
        _dune(world, "dunes mid", h + 0.10 * unit, 0.13, 0.45, 2.2, 0.20),
        _dune(world, "dunes near", h + 0.24 * unit, 0.17, 0.7, 1.6, 0.06),
    ]
    top = int(h + 0.16 * unit)
    colour = plain_colour(world, "sand", top, SAND, SAND, 0.22)
    ripples = perspective_noise(world, world.rng("ripples"), top, 46, 2, 6.0)
    colour *= (1 + 0.10 * (ripples - 0.5))[..., None]
    x, y = world.grid(top, world.stage.height)
    crest = top + 0.06 * unit + 0.045 * unit * np.sin(x / unit * 2.6 + world.rng("crest").uniform(0, 6))
    ground = layer_of(colour, np.clip(y - crest, 0, 1), ground=(h, 0.45, 1.05), name="ground", origin=top)
    front = len(layers) + 1
    return Place([*layers, ground], (h, 0.45, 1.05), front=front)


def _dune(world: World, name: str, base: float, rise: float, depth: float, cells: float, air: float) -> Layer:
    """A dune row: each crest has a lit and a shaded face with an edge that winds down."""
    stage, rng = world.stage, world.rng(name)
    unit, width = stage.unit, stage.width
    x = np.arange(width, dtype=np.float32) / width * cells
    place = x + 0.2 * np.sin(2 * np.pi * x * 0.37 + rng.uniform(0, 6)) + rng.uniform(0, 1)
    skew = 0.5 + 0.25 * np.sin(np.floor(place) * 2.4)
    within = place % 1.0
    curve = np.where(within < skew, within / skew, (1 - within) / (1 - skew))
    curve = curve**1.35 * (0.62 + 0.38 * np.sin(np.floor(place) * 4.1 + rng.uniform(0, 6)) ** 2)
    curve = cv2.GaussianBlur(curve[None, :].astype(np.float32), (0, 0), 0.006 * width)[0]
    ridge = base - rise * unit * curve
    top, bottom = max(0, int(ridge.min()) - 2), min(stage.height, int(base + 0.08 * unit))
    columns, y = world.grid(top, bottom)
    below = np.maximum(y - ridge[None, :], 0)
    wind = 0.10 * np.sin(below / unit * 22 + place[None, :] * 3) * np.clip(below / (0.06 * unit), 0, 1)
    facing = np.clip((skew - within)[None, :] * 9 + wind * 9 + below / unit * 7, -1, 1)
    facing *= np.clip(np.minimum(within, 1 - within) * 5, 0, 1)[None, :]  # no edge between two dunes
    side = 1.0 if world.sun[0] < width / 2 else -1.0
    shade = 0.55 + 0.42 * facing * side
    body = fade(
        lit(SAND, world.palette, np.clip(shade, 0.05, 1)),
        world.palette,
        np.clip(air + 0.25 * below / (rise * unit), 0, 0.9),
    )
    glow = world.sunlight(columns, y, 0.2)[..., None] * 0.5 * (1 - depth)
    body += (np.array(world.palette.sun, np.float32) - body) * glow
    return layer_of(body, np.clip(y - ridge[None, :] + 0.5, 0, 1), top, depth=depth, name=name)
