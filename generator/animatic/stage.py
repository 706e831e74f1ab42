"""The geometry of a painted scene: canvases larger than the frame, and layers that the camera moves at their depth."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from generator.animatic.camera import Pose, Room

Array = npt.NDArray[Any]

SPARE = 1.7, 1.5
"""Canvas size in frame widths and heights: room for the camera."""
OVERSAMPLE = 1.1
"""Canvas pixels for each frame pixel at rest, so that a push in stays crisp."""


@dataclass(frozen=True)
class Stage:
    """A canvas and the frame at rest in its middle. Shares run 0-1 from the frame's left or top edge."""

    frame_width: int
    frame_height: int

    @property
    def width(self) -> int:
        """Canvas width in pixels."""
        return round(self.frame_width * OVERSAMPLE * SPARE[0])

    @property
    def height(self) -> int:
        """Canvas height in pixels."""
        return round(self.frame_height * OVERSAMPLE * SPARE[1])

    @property
    def unit(self) -> float:
        """Length that things are sized by, in canvas pixels: alike for wide and tall frames of one tier."""
        return OVERSAMPLE * float(np.sqrt(self.frame_width * self.frame_height))

    @property
    def room(self) -> Room:
        """How far the camera can go."""
        return Room(SPARE[0] / 2, SPARE[1] / 2)

    def x(self, share: float) -> float:
        """Canvas column of a share of the frame's width."""
        return self.width / 2 + (share - 0.5) * self.frame_width * OVERSAMPLE

    def y(self, share: float) -> float:
        """Canvas row of a share of the frame's height."""
        return self.height / 2 + (share - 0.5) * self.frame_height * OVERSAMPLE

    def matrix(self, pose: Pose, depth: float, drift: float = 0.0) -> Array:
        """2x3 affine from canvas to frame for an upright layer at `depth` (0 far, 1 near), `drift` pixels aside."""
        scale = np.exp(pose.zoom * (0.75 + 0.4 * depth)) / OVERSAMPLE
        shift = pose.x * _parallax(depth) + pose.orbit * _swing(depth)
        return self._affine(pose, scale, shift, 0.0, self.height / 2, pose.y * (0.9 + 0.2 * depth), drift)

    def ground_matrix(self, pose: Pose, horizon: float, far: float, near: float) -> Array:
        """The same for a plane that comes from depth `far` at row `horizon` to depth `near` at the frame's bottom.

        Rows move by their own depth, which for a plane seen from the side is a shear.
        """
        bottom = self.y(1.0)
        middle = (far + near) / 2
        scale = np.exp(pose.zoom * (0.75 + 0.4 * middle)) / OVERSAMPLE
        at_far = pose.x * _parallax(far) + pose.orbit * _swing(far)
        at_near = pose.x * _parallax(near) + pose.orbit * _swing(near)
        slope = (at_near - at_far) / max(bottom - horizon, 1.0)
        return self._affine(pose, scale, at_far, slope, horizon, pose.y * (0.9 + 0.2 * middle), 0.0)

    def _affine(
        self, pose: Pose, scale: float, shift: float, slope: float, pivot: float, rise: float, drift: float
    ) -> Array:
        w, h = self.frame_width, self.frame_height
        # before roll: x' = s (X - W/2 + drift) - w (shift + slope (Y - pivot)), y' = s (Y - H/2) - h rise
        plain = np.array(
            [
                [scale, -w * slope, -scale * (self.width / 2 - drift) - w * (shift - slope * pivot)],
                [0.0, scale, -scale * self.height / 2 - h * rise],
            ]
        )
        cos, sin = np.cos(-pose.roll), np.sin(-pose.roll)
        turned = np.array([[cos, -sin], [sin, cos]]) @ plain
        turned[:, 2] += (w / 2, h / 2)
        return np.asarray(turned)


def _parallax(depth: float) -> float:
    return 0.75 + 0.5 * depth


def _swing(depth: float) -> float:
    """Sideways motion in an orbit, whose pivot lies at a depth of 0.2."""
    return 2.2 * (depth - 0.2)


@dataclass
class Layer:
    """A picture on the canvas: premultiplied RGBA, cropped to its rows, at a depth."""

    pixels: Array
    """Rows x canvas width x 4, uint8. Alpha 0 with colour adds light."""
    top: int = 0
    """Canvas row of the first row of `pixels`."""
    depth: float = 0.0
    ground: tuple[float, float, float] | None = None
    """Horizon row, far and near depth, when the layer is a plane that comes towards the camera."""
    drift: float = 0.0
    """Frame widths a second that it moves by itself (clouds)."""
    sway: float = 0.0
    """Sideways sway of the upper edge in canvas pixels (grass, leaves)."""
    pulse: tuple[float, float] | None = None
    """Hertz and phase in radians of a layer that fades in and out (glints on water)."""
    water: bool = False
    """Rows below its horizon ripple."""
    name: str = ""

    def matrix(self, stage: Stage, pose: Pose, seconds: float) -> Array:
        """2x3 affine from this layer's own pixels to the frame."""
        if self.ground:
            place = stage.ground_matrix(pose, *self.ground)
        else:
            place = stage.matrix(pose, self.depth, self.drift * seconds * stage.frame_width * OVERSAMPLE)
        if self.sway:
            lean = self.sway * np.sin(2 * np.pi * 0.35 * seconds + 7 * self.depth) / max(len(self.pixels), 1)
            place = place @ np.array([[1, -lean, lean * (self.top + len(self.pixels))], [0, 1, 0], [0, 0, 1]])
        place = place.copy()
        place[:, 2] += place[:, 1] * self.top
        return np.asarray(place)


def paint_over(frame: Array, pixels: Array) -> None:
    """Composite premultiplied RGBA `pixels` over an RGBA `frame` of the same size, in place."""
    keep = 255 - cv2.extractChannel(pixels, 3)
    cv2.multiply(frame, cv2.merge([keep, keep, keep, keep]), frame, 1 / 255.0)
    cv2.add(frame, pixels, frame)


def layer_of(colour: Array, alpha: Array, origin: int = 0, *, hangs: bool = False, **settings: Any) -> Layer:
    """A layer from colour (rows x columns x 3, 0-255) and coverage (rows x columns, 0-1), cropped to covered rows.

    `origin` is the canvas row of the first row given. What lies outside a layer repeats its edge: below a hill there is
    more of it, but nothing below a layer that `hangs`.
    """
    covered = np.flatnonzero(alpha.max(axis=1) > 1 / 255)
    top = max(int(covered[0]) - 1, 0) if len(covered) else 0
    bottom = min(int(covered[-1]) + 2, len(alpha)) if len(covered) else 1
    part = alpha[top:bottom, :, None]
    rgb = np.clip(colour[top:bottom], 0, 255) * part
    pixels = np.rint(np.concatenate([rgb, part * 255], axis=2)).astype(np.uint8)
    if origin + top > 0:
        pixels[0] = 0
    if hangs:
        pixels[-1] = 0
    return Layer(pixels=pixels, top=origin + top, **settings)
