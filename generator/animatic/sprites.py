"""Drawing a subject: flat shapes on a small canvas, then light on them."""

from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from generator.animatic.palette import Colour, Palette

Array = npt.NDArray[Any]

Point = tuple[float, float]


class Pencil:
    """Draws shapes in a box around a subject: x to the right from its middle, y up from the ground, its height 1.

    The canvas is premultiplied RGBA: antialiased drawing on transparent black gives just that.
    """

    def __init__(self, pixels: float, reach: float) -> None:
        self.scale = max(8.0, pixels)
        self.reach = reach
        self.size = (int(2 * reach * self.scale) + 8, int(1.32 * self.scale) + 8)
        self.foot = int(1.16 * self.scale) + 4
        self.paper = np.zeros((self.size[1], self.size[0], 4), np.uint8)
        self.shine: Array = np.zeros((self.size[1], self.size[0], 3), np.uint8)

    def _place(self, points: Any) -> Array:
        x, y = np.asarray(points, np.float64).T
        at = np.stack([self.size[0] / 2 + x * self.scale, self.foot - y * self.scale], axis=1)
        return np.round(at * 16).astype(np.int32)

    def shape(self, points: Any, colour: Colour) -> None:
        """A filled polygon."""
        cv2.fillPoly(self.paper, [self._place(points)], (*colour, 255), cv2.LINE_AA, 4)

    def disc(self, centre: Point, radius: float, colour: Colour, squash: float = 1.0, turn: float = 0.0) -> None:
        """A filled ellipse; `squash` is its height by its width, `turn` in radians counter-clockwise."""
        angle = np.linspace(0, 2 * np.pi, 40)
        x, y = radius * np.cos(angle), radius * squash * np.sin(angle)
        cos, sin = np.cos(turn), np.sin(turn)
        self.shape(np.stack([centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos], axis=1), colour)

    def limb(self, points: Any, thick: Point, colour: Colour) -> None:
        """A rounded stroke through `points` that goes from the first thickness to the second."""
        line = np.asarray(points, np.float64)
        steps = np.linspace(*thick, len(line))
        for (a, b), (ta, tb) in zip(pairwise(line), pairwise(steps), strict=True):
            along = (b - a) / (np.hypot(*(b - a)) + 1e-9)
            normal = np.array([-along[1], along[0]])
            self.shape([a + normal * ta / 2, b + normal * tb / 2, b - normal * tb / 2, a - normal * ta / 2], colour)
            self.disc((a[0], a[1]), ta / 2, colour)
            self.disc((b[0], b[1]), tb / 2, colour)

    def lamp(self, centre: Point, radius: float, colour: Colour) -> None:
        """A light with a halo."""
        at = self._place([centre])[0]
        glow = np.zeros(self.shine.shape[:2], np.uint8)
        cv2.circle(glow, (int(at[0]), int(at[1])), max(8, int(radius * self.scale * 16)), 255.0, -1, cv2.LINE_AA, 4)
        wide = cv2.GaussianBlur(glow, (0, 0), max(1.0, radius * self.scale * 1.6))
        light = np.clip(glow + 1.2 * wide, 0, 255)[..., None] / 255 * np.array(colour)
        self.shine = cv2.add(self.shine, light.astype(np.uint8))


def light_up(pencil: Pencil, palette: Palette, sun_side: float, haze: float, lamps: float) -> Array:
    """The drawing in the hour's light: premultiplied RGBA, uint8.

    Args:
        pencil: what was drawn.
        palette: of the hour.
        sun_side: -1 when the sun stands to the left, 1 to the right.
        haze: 0 near, 1 lost in the air.
        lamps: how brightly its own lights shine, 0-1.
    """
    paper = pencil.paper.astype(np.float32)
    alpha = paper[..., 3:] / 255
    height, width = alpha.shape[:2]
    soft = cv2.GaussianBlur(alpha[..., 0], (0, 0), max(0.8, pencil.scale * 0.03))
    step = max(1, round(pencil.scale * 0.022))
    away = -round(sun_side)
    rim = np.clip(soft - np.roll(np.roll(soft, -away * step, axis=1), step, axis=0), -0.3, 1)
    up = np.linspace(1, 0, height, dtype=np.float32)[:, None]
    side = np.linspace(-1, 1, width, dtype=np.float32)[None, :] * sun_side
    shade = np.clip(0.36 + 0.26 * up + 0.14 * side + 1.5 * rim, 0.03, 1.25)[..., None]
    light, dark = np.array(palette.light, np.float32), np.array(palette.shade, np.float32)
    rgb = paper[..., :3] * (dark + (light - dark) * shade)
    rgb += (np.array(palette.haze, np.float32) * alpha - rgb) * haze
    rgb += pencil.shine.astype(np.float32) * lamps
    return np.asarray(np.clip(np.concatenate([rgb, paper[..., 3:]], axis=2), 0, 255), np.uint8)
