"""What lies over every frame: exposure, colour, and the marks of too few steps."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from generator.animatic.look import Look
from generator.animatic.noise import dice
from generator.animatic.quality import Quality

Array = npt.NDArray[Any]

_TILE = 96
"""Pixels by which the noise picture is larger than a frame, so that each frame takes another part of it."""


class Finish:
    """Grades and degrades frames of one clip."""

    def __init__(
        self,
        width: int,
        height: int,
        frames: int,
        seed: int,
        quality: Quality,
        look: Look,
        *,
        grade: bool,
        detail: tuple[int, int],
    ) -> None:
        rng = dice(seed, "finish")
        self.width, self.height, self.quality, self.look, self.grade = width, height, quality, look, grade
        # light flickers at a pace that the eye sees, a half-denoised clip from frame to frame
        lamp = np.convolve(rng.standard_normal(frames + 2), np.ones(3) / 3**0.5, "valid") * look.flicker
        self.gain = 1 + lamp + rng.standard_normal(frames) * quality.flicker
        self.offsets = rng.integers(0, _TILE, (frames, 2))
        coarse = max(1.0, 1.0 / max(quality.detail, 0.4))
        size = (int((width + _TILE) / coarse), int((height + _TILE) / coarse))
        grain: Array = rng.standard_normal((size[1], size[0])).astype(np.float32)
        if size != (width + _TILE, height + _TILE):
            grain = cv2.resize(grain, (width + _TILE, height + _TILE), interpolation=cv2.INTER_CUBIC)
        colour = rng.standard_normal((height + _TILE, width + _TILE, 3)).astype(np.float32)
        grain = (0.85 * grain[: height + _TILE, : width + _TILE, None] / grain.std() + 0.5 * colour) * quality.noise
        self.noise = np.rint(grain).astype(np.int16)
        self.small = detail
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        self.vignette = np.repeat((255 * (1 - 0.16 * (x**2 + y**2) ** 1.3 / 2)).astype(np.uint8)[..., None], 3, axis=2)
        self.phases = rng.uniform(0, 2 * np.pi, 6)
        self.x, self.y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))

    def apply(self, frame: Array, index: int, seconds: float, ramp: float) -> Array:
        """The finished frame: RGB, height x width x 3, uint8.

        Args:
            frame: RGB, uint8.
            index: of the frame.
            seconds: into the clip.
            ramp: 0-1, how much of it acts: 0 leaves the frame as it is.
        """
        if self.quality.detail < 0.98 and ramp > 0:
            low = cv2.resize(frame, self.small, interpolation=cv2.INTER_AREA)
            low = cv2.resize(low, (self.width, self.height), interpolation=cv2.INTER_CUBIC)
            frame = low if ramp >= 1 else cv2.addWeighted(frame, 1 - ramp, low, ramp, 0)
        if self.quality.warp > 0.15 and ramp > 0:
            frame = self._warp(frame, seconds, self.quality.warp * ramp)
        if self.grade:
            frame = cv2.multiply(frame, self.vignette, scale=1 / 255)
        frame = self._colour(frame, float(self.gain[index]), ramp)
        if ramp > 0:
            top, left = self.offsets[index]
            noise = self.noise[top : top + self.height, left : left + self.width]
            noise = noise if ramp >= 1 else np.rint(noise * ramp).astype(np.int16)
            frame = cv2.add(frame, noise, dtype=cv2.CV_8U)
        return frame

    def _warp(self, frame: Array, seconds: float, thousandths: float) -> Array:
        reach = thousandths * self.height / 1000
        p, scale = self.phases, self.height / 480
        beat = 1 + 0.5 * np.sin(2 * np.pi * 1.7 * seconds + p)
        across = self.x + np.float32(reach * beat[0]) * np.sin(
            self.y / np.float32(27 * scale) + self.x / np.float32(61 * scale) + np.float32(p[1] + 5 * seconds)
        )
        down = self.y + np.float32(reach * beat[2]) * np.sin(
            self.x / np.float32(33 * scale) - self.y / np.float32(71 * scale) + np.float32(p[3] + 4 * seconds)
        )
        return cv2.remap(frame, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)

    def _colour(self, frame: Array, gain: float, ramp: float) -> Array:
        look, quality = self.look, self.quality
        saturation = look.saturation * (1 + 1.0 * quality.cooked) * (1 - 0.3 * quality.pale)
        contrast = (1 + 0.55 * quality.cooked) * (1 - 0.2 * quality.pale)
        if self.grade:
            exposure = look.exposure * gain
        else:
            exposure = 1 + (look.exposure * gain - 1) * ramp
            saturation, contrast = 1 + (saturation - 1) * ramp, 1 + (contrast - 1) * ramp
        if abs(saturation - 1) > 0.01:
            grey = np.array([[0.2126, 0.7152, 0.0722]])
            frame = cv2.transform(frame, saturation * np.eye(3) + (1 - saturation) * np.repeat(grey, 3, axis=0))
        if abs(exposure - 1) > 1e-4 or abs(contrast - 1) > 0.01:
            levels = np.arange(256) * exposure
            levels = (levels - 118) * contrast + 118
            over = np.maximum(levels - 225, 0)  # highlights roll off instead of clipping
            levels = (
                np.where(levels > 225, 225 + 30 * (1 - np.exp(-over / 30)), levels)
                if exposure > 1 or contrast > 1
                else levels
            )
            frame = cv2.LUT(frame, np.clip(np.rint(levels), 0, 255).astype(np.uint8))
        return frame
