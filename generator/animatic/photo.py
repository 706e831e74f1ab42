"""Image-to-video: a photograph seen by a moving camera, with a guessed depth."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from generator.animatic.camera import Pose

Array = npt.NDArray[Any]

MARGIN = 0.4
"""Mirrored surroundings on each side, as a share of the picture, for a camera that looks past its edge."""


def guess_depth(image: Array) -> Array:
    """Nearness 0-1 of each pixel: lower is nearer, the middle stands out, and smooth bright tops are sky.

    A prior for landscapes and product shots, blurred so that no shape tears.
    """
    height, width = image.shape[:2]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    busy = cv2.GaussianBlur(np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 3)), (0, 0), min(width, height) / 24)
    busy = np.clip(busy / (np.percentile(busy, 90) + 1e-3), 0, 1)
    depth = 0.10 + 0.62 * y**1.5 + 0.22 * np.exp(-((x / 0.55) ** 2) - ((y - 0.58) / 0.3) ** 2)
    depth = depth + 0.16 * busy * np.clip(1.3 - y, 0, 1)
    return np.asarray(np.clip(cv2.GaussianBlur(depth, (0, 0), min(width, height) / 16), 0, 1), np.float32)


class Photograph:
    """Renders a photograph from any pose. At rest it is the photograph itself."""

    def __init__(self, image: Array, shallow: float, soft: float) -> None:
        self.height, self.width = image.shape[:2]
        self.depth = guess_depth(image)
        self.pad = (round(self.width * MARGIN), round(self.height * MARGIN))
        self.image = _surround(image, *self.pad)
        self.blurred: Array | None = None
        if shallow or soft:
            blur = cv2.GaussianBlur(self.image, (0, 0), self.height / 160)
            far = cv2.copyMakeBorder(
                1 - self.depth, self.pad[1], self.pad[1], self.pad[0], self.pad[0], cv2.BORDER_REPLICATE
            )
            mix = np.clip(soft * 0.8 + shallow * np.clip(far * 1.6 - 0.5, 0, 1), 0, 1)[..., None]
            self.blurred = (self.image * (1 - mix) + blur * mix).astype(np.uint8)
        self.x, self.y = np.meshgrid(
            np.arange(self.width, dtype=np.float32) - np.float32((self.width - 1) / 2),
            np.arange(self.height, dtype=np.float32) - np.float32((self.height - 1) / 2),
        )

    def frame(self, pose: Pose, seconds: float, ramp: float) -> Array:
        """RGB frame, height x width x 3. `ramp` 0-1 fades in what the words change in the photograph."""
        del seconds
        depth = self.depth
        # looking past the edge shows surroundings that nobody photographed: come a little closer instead
        reach = max(abs(pose.x) + abs(pose.orbit), abs(pose.y)) + 0.5 * abs(np.sin(pose.roll))
        zoom = (pose.zoom * (0.8 if pose.zoom < 0 else 1.0)) + 0.45 * reach
        shrink = np.exp(np.float32(-zoom) * (0.75 + 0.4 * depth))
        cos, sin = np.float32(np.cos(pose.roll)), np.float32(np.sin(pose.roll))
        across = (self.x * cos - self.y * sin) * shrink
        down = (self.x * sin + self.y * cos) * shrink
        across += (0.75 * pose.x) * self.width * (0.75 + 0.5 * depth)
        across += pose.orbit * self.width * 1.3 * (depth - 0.35)
        down += (0.75 * pose.y) * self.height * (0.9 + 0.2 * depth)
        across += np.float32((self.width - 1) / 2 + self.pad[0])
        down += np.float32((self.height - 1) / 2 + self.pad[1])
        picture = cv2.remap(self.image, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        if self.blurred is not None and ramp > 0:
            soft = cv2.remap(self.blurred, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            picture = cv2.addWeighted(picture, 1 - ramp, soft, ramp, 0)
        return picture


def _surround(image: Array, across: int, down: int) -> Array:
    """The image inside its own reflection, which blurs with distance, so that nothing in it is recognised twice."""
    wide = cv2.copyMakeBorder(image, down, down, across, across, cv2.BORDER_REFLECT_101)
    height, width = wide.shape[:2]
    x, y = np.arange(width)[None, :], np.arange(height)[:, None]
    out = np.maximum(
        np.maximum(across - x, x - (width - 1 - across)) / across, np.maximum(down - y, y - (height - 1 - down)) / down
    )
    soft = wide
    for share in (0.010, 0.028, 0.065):
        blurred = cv2.GaussianBlur(wide, (0, 0), share * min(image.shape[:2]))
        mix = np.clip((out - share * 1.2) * 12, 0, 1)[..., None].astype(np.float32)
        soft = (soft + (blurred.astype(np.float32) - soft) * mix).astype(np.uint8)
    return soft
