"""Places indoors: an industrial hall with racks, a room with a window."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from generator.animatic.corridor import Corridor, Picture, hashed, soft_step
from generator.animatic.land import perspective_noise
from generator.animatic.stage import Layer, layer_of
from generator.animatic.water import mirror
from generator.animatic.world import Place, World

Array = npt.NDArray[Any]

_CARTON = np.array(
    [(196, 152, 104), (176, 132, 90), (208, 168, 120), (92, 128, 158), (150, 104, 84), (206, 196, 178)], np.float32
)
_LEVEL = {"day": 1.0, "dawn": 0.86, "sunset": 0.8, "night": 0.52, "overcast": 0.88, "storm": 0.62}
_TINT = {
    "day": (1.0, 1.0, 0.98), "dawn": (1.05, 0.96, 0.9), "sunset": (1.12, 0.92, 0.74), "night": (0.84, 0.92, 1.12),
    "overcast": (0.97, 1.0, 1.03), "storm": (0.9, 0.97, 1.06),
}  # fmt: skip


def _light(world: World) -> Array:
    return np.asarray(np.array(_TINT[world.scenario.hour], np.float32) * _LEVEL[world.scenario.hour])


def paint_hall(world: World) -> Place:
    """A warehouse: racks on both sides, strip lights, a glossy floor, daylight at the end."""
    stage, rng, unit = world.stage, world.rng("hall"), world.stage.unit
    corridor = Corridor(world, stage.x(0.5 + rng.uniform(-0.08, 0.08)), 0.66)
    end = 7.0
    back, racks, roof = _back_wall(world, corridor, end), _racks(world, corridor, end), _ceiling(world, corridor, end)
    top = int(world.horizon)
    z, across = corridor.floor(top)
    grit = perspective_noise(world, world.rng("concrete"), top, 12, 5)
    floor = np.array((150, 152, 154), np.float32) * (0.62 + 0.26 * grit)[..., None] * _light(world)
    soft = z / unit * 1.5
    lane = soft_step(0.014 - np.abs(np.abs(across) - 0.42), soft)[..., None]
    floor += (np.array((232, 184, 60), np.float32) * _light(world) - floor) * (0.75 * lane)
    joint = soft_step(0.003 - np.abs((across + 0.35) % 0.7 - 0.35), soft) + soft_step(
        0.004 - np.abs(z % 0.8 - 0.4), soft * z
    )
    floor *= (1 - 0.18 * np.clip(joint, 0, 1))[..., None]
    image = cv2.GaussianBlur(
        mirror(world, [back, *racks, *roof], len(z)), (0, 0), sigmaX=0.008 * unit, sigmaY=0.035 * unit
    )
    gloss = np.clip(0.46 - 0.12 / z + 0.10 * (grit - 0.5), 0.12, 0.5)[..., None]
    floor = floor * (1 - gloss) + image * gloss * 1.15
    floor *= (1 - 0.22 * np.clip(1 - z, 0, 1) ** 1.0)[..., None]
    y = world.grid(top, stage.height)[1]
    seen = np.broadcast_to(np.clip(y - corridor.point(0, 0, end)[1] + 1, 0, 1), z.shape)
    ground = (world.horizon, 0.3, 0.95)
    plane = layer_of(floor, seen, top, ground=ground, name="ground")
    layers = [back, plane, *racks, *roof, _haze(world, corridor, end)]
    return Place(layers, ground, front=len(layers), reflects=0.28)


def _back_wall(world: World, corridor: Corridor, end: float) -> Layer:
    """The far wall with a row of bright windows and a gate."""
    stage, unit = world.stage, world.stage.unit
    x, y = world.grid(0, stage.height)
    across = (x - corridor.vanish) * end / unit
    height = (world.horizon - y) * end / unit + corridor.eye
    colour = np.ones((stage.height, stage.width, 1), np.float32) * np.array((148, 154, 160), np.float32)
    colour *= (0.70 + 0.10 * np.clip(height, 0, 2) / 2)[..., None]
    pane = (np.abs(across % 0.34 - 0.17) < 0.135) & (height > 0.86) & (height < 1.30)
    bright = np.array(world.palette.sky[3], np.float32) * (1.05 if world.palette.lamps < 0.9 else 0.8)
    colour = colour * _light(world)
    colour = np.where(pane[..., None], bright, colour)
    gate = (np.abs(across) < 0.30) & (height < 0.58) & (height > 0)
    slats = np.where(height * 24 % 1 > 0.3, np.float32(1.0), np.float32(0.88))
    colour = np.where(gate[..., None], np.array((112, 132, 150), np.float32) * slats[..., None] * _light(world), colour)
    return layer_of(colour, np.ones((stage.height, stage.width), np.float32), depth=0.24, name="back wall")


def _racks(world: World, corridor: Corridor, end: float) -> list[Layer]:
    picture = corridor.by_bands(lambda top, bottom: _rack_band(world, corridor, end, (top, bottom)))
    return corridor.slices(*picture, "rack", end)


def _rack_band(world: World, corridor: Corridor, end: float, rows: tuple[int, int]) -> Picture:
    stage, unit = world.stage, world.stage.unit
    distance, height, side = corridor.wall(*rows)
    roof = 1.28
    pixel = distance / unit
    along = np.minimum(distance, end)
    shelf, bay = 0.25, 0.42
    level, slot = height / shelf, along / bay
    colour = np.ones((*height.shape, 1), np.float32) * np.array((74, 80, 90), np.float32)  # the dark behind the goods
    crate_cell = along / (bay / 2)
    crate = hashed(crate_cell + 300, level, side + 2)
    tall = 0.32 + 0.40 * hashed(crate_cell + 11, level + 5, side)
    u = np.abs(crate_cell % 1 - 0.5)
    boxed = (u < 0.44) & (level % 1 < tall) & (crate > 0.16) & (height < roof)
    tone = _CARTON[(hashed(crate_cell + 77, level + 1, side) * 5.99).astype(int)]
    tone = tone * (0.78 + 0.3 * hashed(crate_cell, level + 40, side)[..., None])
    tone *= (0.86 + 0.20 * (level % 1))[..., None]
    tape = (u < 0.05)[..., None] * boxed[..., None]
    colour = np.where(boxed[..., None], tone * (1 - np.float32(0.12) * tape), colour)
    beam = soft_step(0.016 - np.abs((level + 0.5) % 1 - 0.5) * shelf, pixel) * (height < roof + 0.02)
    post = soft_step(0.016 - np.abs((slot + 0.5) % 1 - 0.5) * bay, pixel * distance / corridor.half)
    colour += (np.array((214, 112, 48), np.float32) - colour) * beam[..., None]
    colour += (np.array((58, 92, 140), np.float32) - colour) * (post * (height < roof + 0.06))[..., None]
    # light falls from the strips above
    shade = 0.55 + 0.42 * np.clip(height / roof, 0, 1) ** 0.7
    shade *= np.where(side * np.sign(world.sun[0] - stage.width / 2) < 0, 1.06, 0.90)
    colour = colour * shade[..., None] * _light(world)
    air = np.clip((distance - 0.8) / (end + 4), 0, 0.6)[..., None]
    colour += (np.array((206, 212, 216), np.float32) * _light(world) * 0.9 - colour) * air
    alpha = soft_step(roof + 0.05 - height, pixel) * (height > 0) * (distance < end)
    return colour, alpha.astype(np.float32), distance


def _ceiling(world: World, corridor: Corridor, end: float) -> list[Layer]:
    """A dark roof with beams and strip lights."""
    unit = world.stage.unit
    roof = 1.55
    bottom = int(world.horizon)
    x, y = world.grid(0, bottom)
    distance = (roof - corridor.eye) * unit / np.maximum(world.horizon - y, 0.75)
    across = (x - corridor.vanish) * distance / unit
    distance = np.broadcast_to(distance, across.shape)
    colour = np.ones((*across.shape, 1), np.float32) * np.array((92, 98, 106), np.float32)
    beam = np.abs(distance % 0.9 - 0.45) < 0.06
    colour = np.where(beam[..., None], np.array((64, 70, 80), np.float32), colour) * _light(world)
    strip = (np.abs(np.abs(across) - 0.34) < 0.035) & (np.abs((distance + 0.4) % 0.9 - 0.45) < 0.30)
    halo = np.exp(-((np.abs(across) - 0.34) ** 2) / 0.012)
    lamp = np.array((255, 250, 236), np.float32)
    colour += (lamp - colour) * (0.30 * halo * _LEVEL[world.scenario.hour])[..., None]
    colour = np.where(strip[..., None], lamp, colour)
    air = np.clip((distance - 0.8) / (end + 3), 0, 0.6)[..., None]
    colour += (np.array((206, 212, 216), np.float32) * _light(world) - colour) * air
    layers = []
    for index, (back, front) in enumerate(((end, 2.6), (2.8, 0.01))):
        inside = ((distance <= back) & (distance > front)).astype(np.float32)
        layer = layer_of(colour, inside, depth=(0.42, 0.62)[index], name=f"ceiling {index}")
        layer.pixels = np.concatenate([layer.pixels, np.zeros_like(layer.pixels[:1])])
        layers.append(layer)
    return layers


def _haze(world: World, corridor: Corridor, end: float) -> Layer:
    """Daylight spilling in from the far windows, added as light."""
    stage, unit = world.stage, world.stage.unit
    x, y = world.grid(0, stage.height)
    column, row = corridor.point(0, 1.0, end)
    reach = np.hypot((x - column) / 1.5, y - row) / unit
    glow = (
        (0.34 * np.exp(-reach / 0.14))[..., None]
        * np.array(world.palette.sun, np.float32)
        * _LEVEL[world.scenario.hour]
    )
    pixels = np.concatenate([glow, np.zeros_like(glow[..., :1])], axis=2)
    return Layer(np.clip(pixels, 0, 255).astype(np.uint8), depth=0.3, name="light")


def paint_room(world: World) -> Place:
    """A room: plastered walls, a large window with the hour's sky, a wooden floor, light on it."""
    stage, rng, unit = world.stage, world.rng("room"), world.stage.unit
    corridor = Corridor(world, stage.x(0.5 + rng.uniform(-0.06, 0.06)), 0.82)
    end = 2.3
    x, y = world.grid(0, stage.height)
    across = (x - corridor.vanish) * end / unit
    height = (world.horizon - y) * end / unit + corridor.eye
    wall = np.array(((214, 202, 184), (190, 202, 204), (206, 190, 176))[int(rng.integers(3))], np.float32)
    plaster = 0.96 + 0.06 * perspective_noise(world, rng, 0, 6, 3)[:, :, None]
    centre = float(rng.choice((-1, 1)) * rng.uniform(0.12, 0.24))
    pane_x, pane_y = (across - centre) / 0.46, (height - 0.80) / 0.40
    inside = (np.abs(pane_x) < 1) & (np.abs(pane_y) < 1)
    frame = inside & (
        (np.abs(pane_x) > 0.93)
        | (np.abs(pane_y) > 0.93)
        | (np.abs(np.abs(pane_x) - 0.0) < 0.035)
        | (np.abs(pane_y - 0.2) < 0.03)
    )
    stops = np.array(world.palette.sky, np.float32)
    view = np.stack(
        [np.interp(-pane_y[:, 0], (-1, 0, 0.5, 1), stops[:, c]) for c in range(3)], axis=1, dtype=np.float32
    )[:, None, :]
    hill = pane_y < -0.55 + 0.14 * np.sin(pane_x * 5 + rng.uniform(0, 6))
    view = np.where(
        hill[..., None], np.array(world.palette.haze, np.float32) * 0.72, np.broadcast_to(view, (*hill.shape, 3))
    )
    spill = np.exp(-np.hypot((across - centre) / 0.9, (height - 0.6) / 0.8))
    base = wall * plaster * _light(world) * (0.60 + 0.42 * spill)[..., None]
    skirting = height < 0.055
    colour = np.where(skirting[..., None], base * 1.12, base)
    colour = np.where(inside[..., None], view, colour)
    colour = np.where(frame[..., None], np.array((240, 236, 228), np.float32) * _light(world) * 0.9, colour)
    back = layer_of(colour, np.ones((stage.height, stage.width), np.float32), depth=0.4, name="back wall")
    distance, tall, side = corridor.wall(0, stage.height)
    shade = (
        (0.62 if centre > 0 else 0.74) + 0.14 * np.clip(distance / end, 0, 1) + np.float32(0.10) * (side * centre < 0)
    )
    walls = wall * _light(world) * shade[..., None] * plaster
    picture = (np.abs(distance - 1.75) < 0.20) & (np.abs(tall - 0.66) < 0.13)
    mat = (np.abs(distance - 1.75) < 0.17) & (np.abs(tall - 0.66) < 0.105)
    walls = np.where(picture[..., None], np.array((96, 76, 60), np.float32) * _light(world), walls)
    walls = np.where(
        mat[..., None],
        np.array((206, 160, 120), np.float32) * (0.7 + 0.5 * np.clip(tall - 0.56, 0, 0.4))[..., None] * _light(world),
        walls,
    )
    sides = corridor.slices(walls, ((distance < end) & (tall > 0)).astype(np.float32), distance, "wall", end)
    top = int(world.horizon)
    z, off = corridor.floor(top)
    board = np.floor(off / 0.085)
    tone = 0.84 + 0.22 * hashed(board, z * 1.1 + 5 * hashed(board))
    grain = perspective_noise(world, world.rng("grain"), top, 36, 3, 0.25)
    floor = np.array((166, 116, 74), np.float32) * (tone * (0.92 + 0.2 * (grain - 0.5)))[..., None]
    seam = soft_step(0.0022 - np.abs((off / 0.085 + 0.5) % 1 - 0.5) * 0.085, z / unit * 1.5)
    floor *= (1 - 0.35 * seam)[..., None] * _light(world) * (0.62 + 0.30 * np.clip(z / end, 0, 1))[..., None]
    patch = soft_step(0.30 - np.abs(off - centre * 0.4 - 0.15 * (end - z)), 0.10) * soft_step(
        0.55 - np.abs(z - 1.35), 0.2
    )
    floor += floor * (0.55 * patch * world.palette.glow)[..., None] * np.array(world.palette.light, np.float32)
    image = cv2.GaussianBlur(mirror(world, [back, *sides], len(z)), (0, 0), sigmaX=0.008 * unit, sigmaY=0.03 * unit)
    floor = floor * 0.84 + image * 0.18
    seen = np.broadcast_to(np.clip(world.grid(top, stage.height)[1] - corridor.point(0, 0, end)[1] + 1, 0, 1), z.shape)
    ground = (world.horizon, 0.35, 0.95)
    layers = [back, layer_of(floor, seen, top, ground=ground, name="ground"), *sides]
    return Place(layers, ground, front=len(layers), reflects=0.15)
