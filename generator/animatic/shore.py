"""The ground between water and camera, for subjects that do not swim."""

import numpy as np

from generator.animatic.land import perspective_noise
from generator.animatic.noise import line
from generator.animatic.palette import Colour, lit
from generator.animatic.stage import Layer, layer_of
from generator.animatic.water import DEPTHS
from generator.animatic.world import World

WATERLINE = 0.28
"""Where the land begins: 0 at the horizon, 1 at the bottom of the frame."""
AFLOAT = 0.20
"""Where boats then stay."""

_SAND: Colour = (214, 190, 148)
_BANK: Colour = (122, 146, 84)
_SNOW: Colour = (228, 234, 244)


def shore_layer(world: World) -> Layer:
    """Sand at the sea, grass at a lake, from a bent waterline to the bottom of the canvas."""
    stage, rng = world.stage, world.rng("shore line")
    colour = _SNOW if world.scenario.snowy else _SAND if world.scenario.place == "sea" else _BANK
    top = int(world.horizon + 0.4 * WATERLINE * (stage.y(1.0) - world.horizon))
    _, y = world.grid(top, stage.height)
    bends = 0.05 * stage.unit * (line(stage.width, rng, 3, 3)[None, :] - 0.5)
    edge = world.horizon + WATERLINE * (stage.y(1.0) - world.horizon) + bends
    inland = (y - edge) / stage.unit
    patches = perspective_noise(world, rng, top, 9)
    fine = perspective_noise(world, rng, top, 60, 3, 0.7)
    shade = np.clip(0.66 + 0.3 * (patches - 0.5) + 0.35 * (fine - 0.5), 0, 1)
    wet = np.exp(-np.maximum(inland, 0) / 0.035)
    body = lit(colour, world.palette, shade) * (1 - 0.38 * wet)[..., None]
    foam = np.exp(-((inland / 0.006) ** 2)) * (0.55 + 0.45 * patches)
    body = body + (lit((240, 244, 246), world.palette, np.ones_like(shade)) - body) * (0.8 * foam)[..., None]
    alpha = np.clip(inland * stage.unit / 2 + 1.5, 0, 1)
    return layer_of(body, alpha, ground=(world.horizon, *DEPTHS), name="shore", origin=top)
