"""Rain, snow, dust and fog in front of the lens."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from generator.animatic.camera import Pose
from generator.animatic.noise import clouds, dice

Array = npt.NDArray[Any]

_COUNT = {"rain": 620, "snow": 420, "dust": 110}


class Weather:
    """Particles with parallax and drifting fog, drawn over finished frames."""

    def __init__(self, kinds: tuple[str, ...], width: int, height: int, seed: int, night: bool, pace: float) -> None:
        self.width, self.height, self.pace = width, height, pace
        self.dim = 0.62 if night else 1.0
        self.particles = {kind: dice(seed, kind).random((_COUNT[kind], 4)) for kind in kinds if kind in _COUNT}
        self.fog: Array | None = None
        if "fog" in kinds:
            field = clouds(height, width * 2, dice(seed, "fog"), (5, 3), 4)
            field = np.concatenate([field, field[:, ::-1]], axis=1)
            low = np.clip(np.linspace(-0.15, 1.2, height), 0, 0.9)[:, None]
            self.fog = (field * low * 235 * (0.45 if night else 0.62)).astype(np.uint8)

    def draw(self, frame: Array, pose: Pose, seconds: float, amount: float) -> Array:
        """The frame (RGB, uint8) with its weather. `amount` 0-1 fades it in."""
        if self.fog is not None:
            shift = int(self.width * (0.02 * seconds * self.pace + pose.x)) % (3 * self.width)
            veil = self.fog[:, shift : shift + self.width]
            tint = int(214 * self.dim)
            keep = 255 - (veil if amount >= 1 else (veil * amount).astype(np.uint8))
            frame = cv2.multiply(frame, cv2.merge([keep] * 3), scale=1 / 255)
            frame = cv2.add(frame, cv2.cvtColor(cv2.convertScaleAbs(255 - keep, alpha=tint / 255), cv2.COLOR_GRAY2RGB))
        for kind, points in self.particles.items():
            veil = self._particles(kind, points, pose, seconds)
            frame = cv2.add(frame, cv2.cvtColor(cv2.convertScaleAbs(veil, alpha=amount), cv2.COLOR_GRAY2RGB))
        return frame

    def _particles(self, kind: str, points: Array, pose: Pose, seconds: float) -> Array:
        width, height = self.width, self.height
        veil = np.zeros((height, width), np.uint8)
        near = 0.3 + 0.7 * points[:, 2] ** 2
        speed = {"rain": 2.1, "snow": 0.16, "dust": -0.012}[kind] * self.pace
        sway = 0 if kind == "rain" else 0.02 * np.sin(seconds * 1.1 + points[:, 3] * 20)
        slant = 0.12 if kind == "rain" else 0.03
        x = (points[:, 0] * 1.1 + slant * speed * near * seconds + sway - pose.x * near) % 1.1 - 0.05
        y = (points[:, 1] * 1.1 + speed * near * seconds - pose.y * near) % 1.1 - 0.05
        size = np.sqrt(width * height) / 632
        for px, py, z, phase in zip(x * width, y * height, near, points[:, 3], strict=True):
            at = (int(px * 16), int(py * 16))
            if kind == "rain":
                tail = (int((px - 0.12 * 0.045 * z * height) * 16), int((py - 0.045 * z * height) * 16))
                cv2.line(veil, at, tail, float((70 + 26 * size) * z * self.dim), 1, cv2.LINE_AA, 4)
            else:
                bright = 235 if kind == "snow" else 100 + 90 * np.sin(2.2 * seconds + phase * 6.3)
                radius = (0.7 + 2.3 * z) * size * (1.0 if kind == "snow" else 0.6)
                cv2.circle(
                    veil, at, max(int(radius * 16), 8), float(bright * (0.35 + 0.65 * z) * self.dim), -1, cv2.LINE_AA, 4
                )
        return veil
