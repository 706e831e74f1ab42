"""Text-to-video: a painted scene seen by a moving camera."""

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from generator.animatic.actors import cast
from generator.animatic.camera import Pose
from generator.animatic.scene import paint_place
from generator.animatic.stage import Layer, paint_over
from generator.animatic.world import World

Array = npt.NDArray[Any]


class Painting:
    """Renders a painted world from any pose."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.place = paint_place(world)
        self.actors = cast(world, self.place)
        self.size = (world.stage.frame_width, world.stage.frame_height)
        rows = np.arange(self.size[1], dtype=np.float32)
        self.x = np.broadcast_to(np.arange(self.size[0], dtype=np.float32), self.size[::-1])
        self.rows = rows
        self.wobble = world.rng("wobble").uniform(0, 2 * np.pi, 4)
        look = world.scenario.look
        for layer in self.place.layers:
            _focus(layer, look.shallow, look.softness, world.stage.unit)

    def frame(self, pose: Pose, seconds: float, ramp: float) -> Array:
        """RGB frame, height x width x 3, uint8."""
        del ramp
        stage, place = self.world.stage, self.place
        picture = np.zeros((self.size[1], self.size[0], 4), np.uint8)
        for index, layer in enumerate(place.layers):
            if index == place.front:
                self._act(picture, pose, seconds)
            self._lay(picture, layer, pose, seconds)
            if layer.name in ("water", "ground"):
                for actor in self.actors:
                    actor.mirror(picture, pose, seconds)
            if layer.water:
                self._ripple(picture, float((layer.matrix(stage, pose, seconds) @ (stage.width / 2, 1, 1))[1]), seconds)
        if place.front >= len(place.layers):
            self._act(picture, pose, seconds)
        return np.ascontiguousarray(picture[..., :3])

    def _act(self, picture: Array, pose: Pose, seconds: float) -> None:
        for actor in self.actors:
            actor.draw(picture, pose, seconds)

    def _lay(self, picture: Array, layer: Layer, pose: Pose, seconds: float) -> None:
        matrix = layer.matrix(self.world.stage, pose, seconds)
        # only the rows that the layer reaches
        top = min(matrix[1] @ (x, 0, 1) for x in (0, layer.pixels.shape[1]))
        first = int(np.clip(np.floor(top) - 1, 0, self.size[1])) if layer.top > 0 else 0
        if first >= self.size[1]:
            return
        matrix[1, 2] -= first
        part = cv2.warpAffine(
            layer.pixels,
            matrix,
            (self.size[0], self.size[1] - first),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        if layer.pulse:
            hertz, phase = layer.pulse
            pace = max(0.4, self.world.scenario.look.activity)
            shine = 0.25 + 0.75 * np.sin(np.pi * hertz * pace * seconds + phase) ** 2
            part = cv2.convertScaleAbs(part, alpha=shine)
        paint_over(picture[first:], part)

    def _ripple(self, picture: Array, horizon: float, seconds: float) -> None:
        """Swell that comes towards the camera: rows shift by waves that lengthen with nearness."""
        first = int(np.clip(horizon + 1, 0, self.size[1]))
        if first >= self.size[1] - 2:
            return
        activity = self.world.scenario.look.activity
        reach = np.clip((self.rows[first:] - horizon) / self.size[1], 1e-3, None)[:, None]
        phase = (0.55 / (reach + 0.02)).astype(np.float32)
        x = self.x[: len(reach)] * np.float32(9.0 / self.size[0]) / (reach + 0.25)
        w, t = self.wobble.astype(np.float32), np.float32(seconds * 1.5 * activity)
        size = (0.020 * activity**0.5 * self.size[1]) * reach
        lift = np.sin(phase * 6 + t * 2.1 + x + w[0]) + 0.6 * np.sin(phase * 11 - x * 1.7 + t * 2.9 + w[1])
        down = (self.rows[: len(reach), None] + size * lift).astype(np.float32)
        across = (self.x[: len(reach)] + size * 1.2 * np.sin(phase * 9 + t * 1.7 + w[2])).astype(np.float32)
        part = picture[first:]
        part[:] = cv2.remap(part, across, np.maximum(down, 0), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _focus(layer: Layer, shallow: float, soft: float, unit: float) -> None:
    """Blur a layer by its distance from the plane of focus. What is very near is always a little out of focus."""
    depth = layer.depth if layer.ground is None else 0.6
    blur = shallow * 0.011 * abs(depth - 0.7) / 0.7 + soft * 0.0045
    if layer.ground is None and depth > 0.9:
        blur = max(blur, 0.0022 * (depth - 0.8) / 0.3 * (1 + 2 * shallow))
    if layer.name != "sky" and blur * unit > 0.35:
        layer.pixels = cv2.GaussianBlur(layer.pixels, (0, 0), blur * unit)
