"""One-point perspective: floor and walls that run away from the camera, as coordinates for each pixel."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from generator.animatic.stage import Layer, layer_of
from generator.animatic.world import World

Array = npt.NDArray[Any]
Picture = tuple[Array, Array, Array]
"""Colour (rows x columns x 3), coverage 0-1 and distance of each pixel."""

BAND = 160
"""Rows painted at a time."""


@dataclass(frozen=True)
class Corridor:
    """Lengths are in units of `Stage.unit`; distance 1 is where the floor meets the bottom of the frame at rest."""

    world: World
    vanish: float
    """Canvas column of the vanishing point."""
    half: float
    """Half the distance between the walls."""

    @property
    def eye(self) -> float:
        """Height of the camera over the floor."""
        return (self.world.stage.y(1.0) - self.world.horizon) / self.world.stage.unit

    def wall(self, top: int, bottom: int) -> tuple[Array, Array, Array]:
        """Distance along, height over the floor and side (-1 left, 1 right) of the wall at each pixel of some rows."""
        x, y = self.world.grid(top, bottom)
        off = x - self.vanish
        distance = self.half * self.world.stage.unit / np.maximum(np.abs(off), 1.0)
        height = (self.world.horizon - y) * distance / self.world.stage.unit + self.eye
        return np.broadcast_to(distance, height.shape), height, np.broadcast_to(np.sign(off), height.shape)

    def floor(self, top: int) -> tuple[Array, Array]:
        """Distance and sideways place (0 in the middle) of the floor at each pixel, rows from `top`."""
        x, y = self.world.grid(top, self.world.stage.height)
        distance = self.eye * self.world.stage.unit / np.maximum(y - self.world.horizon, 0.75)
        return np.broadcast_to(distance, (len(y), x.shape[1])), (x - self.vanish) * distance / self.world.stage.unit

    def point(self, across: float, height: float, distance: float) -> tuple[float, float]:
        """Canvas column and row of a point in the corridor; `height` over the floor."""
        unit = self.world.stage.unit
        return self.vanish + across * unit / distance, self.world.horizon - (height - self.eye) * unit / distance

    def by_bands(self, paint: Callable[[int, int], Picture]) -> Picture:
        """Paint the canvas a band of rows at a time, which keeps the many steps of a painter out of memory."""
        height = self.world.stage.height
        bands = [paint(top, min(top + BAND, height)) for top in range(0, height, BAND)]
        colour, alpha, distance = (np.concatenate(parts) for parts in zip(*bands, strict=True))
        return colour, alpha, distance

    def slices(self, colour: Array, alpha: Array, distance: Array, name: str, far: float = 40.0) -> list[Layer]:
        """Cut a picture of the walls into upright layers by distance, far to near, each reaching under the next."""
        edges = [far, 7.0, 4.0, 2.4, 1.5, 0.01]
        layers = []
        for index, (back, front) in enumerate(pairwise(edges)):
            inside = (distance <= back) & (distance > front * 0.72)
            if not (alpha * inside).any():
                continue
            layers.append(layer_of(colour, alpha * inside, depth=0.30 + 0.13 * index, name=f"{name} {index}"))
        return layers


def soft_step(value: Array, width: Array | float) -> Array:
    """0 below -width/2, 1 above width/2: an antialiased edge."""
    return np.clip(value / np.maximum(width, 1e-6) + 0.5, 0, 1)


def hashed(*cells: Array) -> Array:
    """A number 0-1 for each cell of a grid, always the same for the same whole numbers."""
    total = np.zeros(np.broadcast_shapes(*(cell.shape for cell in cells)), np.float64)
    for weight, cell in zip((12.9898, 78.233, 37.719, 4.581), cells, strict=False):
        total = total + weight * np.floor(cell).astype(np.float64)
    value = np.sin(total) * 43758.5453
    return np.asarray(value - np.floor(value), np.float32)
