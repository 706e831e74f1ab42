"""Places built by people, outdoors: a skyline at the water, a street between buildings."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from generator.animatic.corridor import Corridor, soft_step
from generator.animatic.facades import WINDOW_LIGHT, paint_facades
from generator.animatic.land import perspective_noise
from generator.animatic.palette import Colour, fade, lit
from generator.animatic.sky import paint_sky
from generator.animatic.stage import Layer, layer_of
from generator.animatic.water import DEPTHS, mirror, paint_water
from generator.animatic.world import Place, World

Array = npt.NDArray[Any]


@dataclass
class _Row:
    """A row of towers while it is drawn: coverage, shade and window light by pixel."""

    mask: Array
    shade: Array
    glow: Array

    @classmethod
    def empty(cls, rows: int, width: int) -> "_Row":
        """Nothing built yet."""
        plain = np.zeros((rows, width), np.float32)
        return cls(plain, plain.copy(), np.zeros((rows, width, 3), np.float32))

    def build(self, left: int, right: int, crown: int, facing: int, rng: np.random.Generator) -> None:
        """One tower from row `crown` down, seen over a corner, perhaps with a setback and a mast."""
        columns = np.arange(right - left)
        corner = int((right - left) * rng.uniform(0.3, 0.7))
        up = np.linspace(1, 0, len(self.mask), dtype=np.float32)[crown:, None]
        self.mask[crown:, left:right] = 1
        self.shade[crown:, left:right] = np.where((columns < corner) == (facing < 0), 0.78, 0.26) + 0.12 * up
        if rng.random() < 0.5:
            inset = int((right - left) * rng.uniform(0.2, 0.36))
            top = max(0, crown - int((len(self.mask) - crown) * rng.uniform(0.05, 0.16)))
            self.mask[top:crown, left + inset : right - inset] = 1
            self.shade[top:crown, left + inset : right - inset] = 0.5
            if rng.random() < 0.4:
                middle, tip = (left + right) // 2, max(0, top - int(0.3 * (len(self.mask) - crown)))
                self.mask[tip:top, middle : middle + max(1, len(columns) // 24)] = 0.9

    def glaze(
        self, left: int, right: int, crown: int, pitch: tuple[int, int], lit_share: float, rng: np.random.Generator
    ) -> None:
        """Windows: dark panes, some of them lit. `pitch` is the pixels from one to the next, across and down."""
        across, down = (right - left - 1) // pitch[0], (len(self.mask) - crown - 2) // pitch[1]
        if across < 1 or down < 1:
            return
        on = rng.random((down, across)) < lit_share
        tone = np.array(WINDOW_LIGHT, np.float32)[rng.choice(4, p=(0.45, 0.3, 0.15, 0.1), size=(down, across))]
        tone *= on[..., None] * rng.uniform(0.4, 1.0, (down, across, 1))
        pane = np.outer(np.arange(pitch[1]) < pitch[1] * 0.62, np.arange(pitch[0]) < pitch[0] * 0.62)
        place = (slice(crown + 2, crown + 2 + down * pitch[1]), slice(left + 1, left + 1 + across * pitch[0]))
        self.glow[place] = np.kron(tone, pane[..., None].astype(np.float32))
        self.shade[place] *= 1 - 0.26 * np.tile(pane, (down, across))


def _tower_row(world: World, name: str, base: float, rise: float, depth: float, wide: float, air: float) -> Layer:
    """One row of towers: a cluster of tall ones among lower ones."""
    stage, palette, rng = world.stage, world.palette, world.rng(name)
    unit, width = stage.unit, stage.width
    top, bottom = max(0, int(base - rise * unit * 1.35)), min(stage.height, int(base + 0.03 * unit))
    row = _Row.empty(bottom - top, width)
    facing = 1 if world.sun[0] > width / 2 else -1
    pitch = (max(3, round(unit * 0.011 * (0.6 + depth))), max(3, round(unit * 0.015 * (0.6 + depth))))
    cluster = stage.x(0.5 + rng.uniform(-0.2, 0.2))
    at = 0.0
    while at < width:
        across = unit * wide * rng.uniform(0.6, 1.5)
        centred = np.exp(-(((at - cluster) / (0.62 * unit)) ** 2))
        height = rise * unit * (rng.uniform(0.16, 0.5) + 0.62 * centred * rng.random() ** 0.8)
        left, right = int(at), min(int(at + across), width)
        at += across * rng.uniform(0.9, 1.3)
        crown = int(max(0, base - height - top))
        if right - left >= 3:
            row.build(left, right, crown, facing, rng)
            row.glaze(left, right, crown, pitch, rng.uniform(0.08, 0.38) * palette.lamps, rng)
    hue: Colour = ((118, 124, 140), (140, 126, 122), (112, 126, 134))[int(rng.integers(3))]
    x, y = world.grid(top, bottom)
    low = np.clip((y - top) / (bottom - top) * 1.54 - 0.54, 0, 1)
    body = lit(hue, palette, np.clip(row.shade, 0, 1))
    body = fade(body, palette, np.clip(air + 0.22 * low, 0, 0.94) * np.ones_like(row.mask))
    body += row.glow * (1 - 0.55 * air) * (palette.lamps**0.5)
    light = world.sunlight(x, y, 0.2)[..., None] * 0.6 * (1 - depth)
    body += (np.array(palette.sun, np.float32) - body) * light
    return layer_of(body, row.mask, top, depth=depth, name=name)


def paint_skyline(world: World) -> Place:
    """Towers in three rows at the far bank, mirrored in the water."""
    h = world.horizon
    layers = [
        *paint_sky(world),
        _tower_row(world, "towers far", h + 1, 0.34, 0.10, 0.045, 0.66),
        _tower_row(world, "towers", h + 2, 0.40, 0.20, 0.065, 0.36),
        _tower_row(world, "towers near", h + 3, 0.20, 0.30, 0.085, 0.12),
    ]
    layers += paint_water(world, layers, calm=0.55)
    return Place(layers, (h, *DEPTHS), front=len(layers), reflects=0.5)


def paint_street(world: World) -> Place:
    """A street in one-point perspective: facades, lamps, a roadway that mirrors when it is wet."""
    stage, palette, rng = world.stage, world.palette, world.rng("street")
    unit, h = stage.unit, world.horizon
    wet = "rain" in world.scenario.weather or world.scenario.hour == "night"
    corridor = Corridor(world, stage.x(0.5 + rng.uniform(-0.10, 0.10)), 0.72)
    layers = [*paint_sky(world), _tower_row(world, "towers far", h + 0.01 * unit, 0.30, 0.12, 0.05, 0.60)]
    colour, alpha, distance = paint_facades(world, corridor)
    walls = corridor.slices(colour, alpha, distance, "facade")
    top = int(h)
    z, across = corridor.floor(top)
    grit = perspective_noise(world, world.rng("tar"), top, 26, 4)
    snowy = world.scenario.snowy
    road = lit((84, 84, 90) if not snowy else (206, 212, 222), palette, 0.35 + 0.4 * grit)
    soft = z / unit * 1.5
    walk = soft_step(np.abs(across) - 0.50, soft)[..., None]
    road += (lit((150, 146, 142) if not snowy else (236, 240, 246), palette, 0.4 + 0.3 * grit) - road) * walk
    kerb = soft_step(0.012 - np.abs(np.abs(across) - 0.50), soft)[..., None]
    road += (lit((206, 202, 196), palette, 0.6 * np.ones_like(z)) - road) * (0.6 * kerb)
    dash = soft_step(0.008 - np.abs(across), soft) * ((z * 1.4) % 1 < 0.5)
    bars = ((across * 9) % 1 < 0.55) * (np.abs(across) < 0.47) * (np.abs(z - 1.45) < 0.22)
    road += (lit((236, 230, 214), palette, 0.7 * np.ones_like(z)) - road) * (
        0.75 * np.clip(dash + bars, 0, 1) * (not snowy)
    )[..., None]
    if wet:
        image = mirror(world, [*layers, *walls], len(z))
        image = cv2.GaussianBlur(image, (0, 0), sigmaX=0.006 * unit, sigmaY=0.05 * unit)
        puddle = np.clip(0.5 + 0.9 * (perspective_noise(world, world.rng("puddles"), top, 10, 4) - 0.45), 0.12, 0.9)
        road = road * (1 - 0.55 * puddle[..., None]) + image * (0.78 * puddle)[..., None]
    road = fade(road, palette, np.clip(0.6 * np.exp(-(1 / z) * 4.0), 0, 0.6))
    y = world.grid(top, stage.height)[1]
    layers.append(
        layer_of(road, np.broadcast_to(np.clip(y - h + 1, 0, 1), z.shape), top, ground=(h, 0.3, 0.95), name="ground")
    )
    layers += [*walls, *_lamps(world, corridor)]
    return Place(layers, (h, 0.3, 0.95), front=len(layers), reflects=0.4 if wet else 0.0)


def _lamps(world: World, corridor: Corridor) -> list[Layer]:
    """Street lamps on both sides, far to near, each pair a layer with its halo added as light."""
    stage, palette = world.stage, world.palette
    layers = []
    for distance, depth in ((5.2, 0.5), (2.9, 0.66), (1.75, 0.8)):
        pole = np.zeros((stage.height, stage.width), np.uint8)
        halo = np.zeros((stage.height, stage.width), np.float32)
        thick = max(1, round(0.010 * stage.unit / distance))
        for side in (-1, 1):
            foot = corridor.point(side * 0.53, 0, distance)
            head = corridor.point(side * 0.53, 0.62, distance)
            arm = corridor.point(side * 0.44, 0.64, distance)
            points = np.round(np.array([foot, head, arm]) * 16).astype(np.int32)
            cv2.polylines(pole, [points], False, 255.0, thick, cv2.LINE_AA, 4)
            x, y = world.grid(0, stage.height)
            reach = np.hypot(x - arm[0], y - arm[1]) / (stage.unit / distance)
            halo += np.exp(-((reach / 0.024) ** 2)) + 0.30 * np.exp(-reach / 0.10) * palette.lamps
        colour = lit((66, 68, 74), palette, np.full(pole.shape, 0.35))
        colour = fade(colour, palette, np.full(pole.shape, 1 - np.exp(-(distance - 0.6) * 0.10)))
        light = np.clip(halo, 0, 1)[..., None] * np.array((255, 208, 140), np.float32) * palette.lamps
        cover = pole[..., None].astype(np.float32)
        pixels = np.concatenate([np.clip(colour * cover / 255 + light, 0, 255), cover], axis=2)
        layers.append(Layer(pixels.astype(np.uint8), depth=depth, name="lamps"))
    return layers
