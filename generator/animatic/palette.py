"""Light and colour of each hour, in sRGB 0-255."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from generator.animatic.scenario import Hour

Array = npt.NDArray[Any]
Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Palette:
    """The colours of the sky from zenith to horizon, and what its light does to everything below."""

    sky: tuple[Colour, Colour, Colour, Colour]
    """Zenith, high, low, horizon."""
    sun: Colour
    """The disc and its glow; the moon at night."""
    haze: Colour
    """What distance fades into."""
    light: Colour
    """Factor on surfaces that face the sun."""
    shade: Colour
    """Factor on surfaces that do not."""
    glow: float
    """Strength of the glow around the sun."""
    cloud: Colour
    """Lit side of clouds."""
    lamps: float
    """How strongly windows and lamps shine, 0-1."""


PALETTES: dict[Hour, Palette] = {
    "day": Palette(
        ((46, 104, 178), (96, 156, 212), (162, 204, 230), (222, 234, 234)),
        (255, 248, 228), (200, 220, 230), (1.06, 1.02, 0.92), (0.46, 0.55, 0.68), 0.5, (255, 253, 248), 0.0,
    ),
    "dawn": Palette(
        ((92, 116, 168), (168, 156, 188), (238, 186, 172), (255, 220, 180)),
        (255, 232, 190), (240, 204, 186), (1.06, 0.90, 0.76), (0.44, 0.44, 0.60), 0.8, (255, 222, 206), 0.35,
    ),
    "sunset": Palette(
        ((44, 50, 106), (142, 80, 122), (236, 118, 88), (255, 192, 112)),
        (255, 228, 160), (236, 144, 104), (1.10, 0.74, 0.48), (0.36, 0.30, 0.46), 1.0, (255, 166, 118), 0.7,
    ),
    "night": Palette(
        ((7, 12, 32), (14, 26, 58), (28, 48, 88), (54, 80, 118)),
        (232, 240, 255), (36, 56, 92), (0.46, 0.56, 0.78), (0.14, 0.19, 0.32), 0.45, (88, 108, 146), 1.0,
    ),
    "overcast": Palette(
        ((122, 134, 148), (152, 162, 172), (184, 190, 194), (208, 210, 208)),
        (240, 240, 236), (190, 196, 198), (0.80, 0.81, 0.82), (0.50, 0.53, 0.58), 0.15, (226, 228, 228), 0.25,
    ),
    "storm": Palette(
        ((40, 47, 58), (66, 76, 88), (104, 114, 122), (150, 156, 150)),
        (214, 220, 214), (112, 122, 128), (0.58, 0.62, 0.64), (0.28, 0.32, 0.38), 0.3, (142, 150, 154), 0.6,
    ),
}  # fmt: skip


def lit(colour: Colour, palette: Palette, shade: Array | float) -> Array:
    """A surface of `colour` under the hour's light. `shade`: 0 turned away from the sun, 1 facing it; any shape."""
    light, dark = np.array(palette.light, np.float32), np.array(palette.shade, np.float32)
    amount = np.asarray(shade, np.float32)[..., None]
    return np.asarray(np.array(colour, np.float32) * (dark + (light - dark) * amount))


def fade(colour: Array, palette: Palette, amount: Array | float) -> Array:
    """`colour` seen through air: 0 clear, 1 nothing but haze."""
    share = np.asarray(amount, np.float32)[..., None]
    return np.asarray(colour + (np.array(palette.haze, np.float32) - colour) * share)
