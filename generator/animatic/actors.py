"""Subjects in a scene: where they stand, how they travel, and how they are put into a frame."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from generator.animatic import creatures, machines, vehicles
from generator.animatic.camera import Pose
from generator.animatic.palette import Colour
from generator.animatic.shore import AFLOAT, WATERLINE
from generator.animatic.sprites import Pencil, light_up
from generator.animatic.stage import OVERSAMPLE, paint_over
from generator.animatic.vocabulary import ON_LAND
from generator.animatic.world import Place, World

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Kind:
    """How a kind of subject is drawn and behaves."""

    draw: Callable[[Pencil, float, Colour], None]
    height: float
    """In units."""
    reach: float
    """Half its width, in heights, with room for its motion."""
    travel: float = 0.0
    """Frame widths a second, to the right as drawn."""
    recedes: float = 0.0
    """How much of its distance from the bottom of the frame it gains on the horizon a second."""
    flies: float = 0.0
    """Height of its foot over the horizon in units; 0 stands on the ground."""
    near: float = 0.5
    """Where it stands: 0 at the horizon, 1 at the bottom of the frame."""
    tones: tuple[Colour, ...] = ((196, 64, 52), (52, 98, 160), (222, 160, 60), (70, 128, 98))


_FUR: tuple[Colour, ...] = ((168, 112, 66), (206, 170, 118), (96, 72, 56), (120, 116, 116))
_PLUMAGE: tuple[Colour, ...] = ((244, 242, 238), (72, 70, 76))
_ROBOT: tuple[Colour, ...] = ((238, 126, 40), (240, 186, 44), (52, 124, 186))

KINDS: dict[str, Kind] = {
    "sailboat": Kind(vehicles.sailboat, 0.34, 0.62, 0.016, near=0.30),
    "ship": Kind(vehicles.ship, 0.17, 1.25, 0.018, near=0.26),
    "car": Kind(vehicles.car, 0.13, 1.35, 0.075, near=0.52),
    "truck": Kind(vehicles.truck, 0.24, 1.35, 0.06, near=0.50),
    "car behind": Kind(vehicles.car_behind, 0.20, 0.85, recedes=0.07, near=0.62),
    "truck behind": Kind(vehicles.truck_behind, 0.36, 0.6, recedes=0.05, near=0.60),
    "train": Kind(vehicles.train, 0.13, 2.75, 0.07, near=0.22),
    "balloon": Kind(vehicles.balloon, 0.32, 0.52, 0.010, flies=0.04),
    "bird": Kind(creatures.bird, 0.15, 1.6, 0.035, flies=0.20, tones=_PLUMAGE),
    "drone": Kind(machines.drone, 0.13, 1.2, 0.016, flies=0.10, tones=((228, 230, 234), (60, 64, 72))),
    "person": Kind(creatures.person, 0.31, 0.45, 0.022, near=0.55),
    "humanoid": Kind(machines.humanoid, 0.42, 0.45, 0.018, near=0.58, tones=_ROBOT),
    "rover": Kind(machines.rover, 0.22, 0.95, 0.035, near=0.55, tones=_ROBOT),
    "arm": Kind(machines.arm, 0.50, 0.95, near=0.62, tones=_ROBOT),
    "dog": Kind(creatures.dog, 0.16, 1.15, 0.055, near=0.60, tones=_FUR),
    "horse": Kind(creatures.horse, 0.27, 0.75, 0.055, near=0.45, tones=_FUR),
    "ball": Kind(creatures.ball, 0.26, 0.5, 0.03, near=0.62),
    "lighthouse": Kind(machines.lighthouse, 0.42, 0.5, near=0.03),
    "house": Kind(machines.house, 0.22, 0.85, near=0.22, tones=((152, 74, 58), (92, 88, 96), (120, 90, 62))),
    "tree": Kind(machines.tree, 0.44, 0.5, near=0.30),
}


class Actor:
    """One subject in one place."""

    def __init__(self, kind: str, order: int, world: World, place: Place, tone: Colour | None) -> None:
        if f"{kind} behind" in KINDS and world.scenario.place in ("street", "road"):
            kind = f"{kind} behind"
        self.kind, self.world, self.place = KINDS[kind], world, place
        rng = world.rng("actor", kind)
        stage = world.stage
        # the first subject stands near a third of the frame, the second on the other side
        side = (1 if world.sun[0] < stage.width / 2 else -1) * (1 if order == 0 else -1)
        self.facing = int(rng.choice((-1, 1)))
        share = 0.5 + side * rng.uniform(0.06, 0.17) - self.facing * min(0.18, 2.2 * self.kind.travel)
        if self.kind.recedes:
            share = 0.5 + side * rng.uniform(0.05, 0.09)
        self.tone = tone or self.kind.tones[int(rng.integers(len(self.kind.tones)))]
        near = float(np.clip(self.kind.near + rng.uniform(-0.05, 0.05), 0.02, 0.8)) if not self.kind.flies else 0.0
        if world.scenario.ashore and not self.kind.flies:
            near = max(near, WATERLINE + 0.14) if kind in ON_LAND else min(near, AFLOAT)
        bottom = stage.y(1.0)
        horizon, far, close = place.ground
        self.x = stage.x(share)
        self.y = horizon + near * (bottom - horizon)
        self.depth = far + (close - far) * near
        if self.kind.flies:
            self.y, self.depth = horizon - self.kind.flies * stage.unit * rng.uniform(0.8, 1.3), 0.5
        # what is farther is smaller; sizes are given for where each kind usually stands
        scale = (0.35 + near) / (0.35 + self.kind.near) if not self.kind.flies else 1.0
        headroom = (self.y - stage.y(0.0)) / 1.2
        self.height = min(self.kind.height * stage.unit * scale, headroom)
        self._seen: tuple[tuple[float, float], tuple[Array, Pencil]] | None = None
        self.phase = float(rng.uniform(0, 4))
        self.haze = (
            float(np.clip(0.34 * (1 - self.depth), 0, 0.4)) if world.scenario.place not in ("hall", "room") else 0.05
        )

    def picture(self, seconds: float, zoom: float) -> tuple[Array, Pencil]:
        """Premultiplied RGBA of the subject now, at the size it is seen. A frame asks twice: for it and its mirror."""
        if self._seen is None or self._seen[0] != (seconds, zoom):
            self._seen = ((seconds, zoom), self._paint(seconds, zoom))
        return self._seen[1]

    def _paint(self, seconds: float, zoom: float) -> tuple[Array, Pencil]:
        pencil = Pencil(self.height / OVERSAMPLE * zoom * self._nearness(seconds), self.kind.reach)
        activity = self.world.scenario.look.activity
        self.kind.draw(pencil, self.phase + seconds * (0.35 + 0.65 * activity), self.tone)
        sun = 1.0 if (self.world.sun[0] > self.x) == (self.facing > 0) else -1.0
        pixels = light_up(pencil, self.world.palette, sun, self.haze, max(0.06, self.world.palette.lamps))
        return (pixels if self.facing > 0 else np.ascontiguousarray(pixels[:, ::-1])), pencil

    def _nearness(self, seconds: float) -> float:
        """Size now by size at the start."""
        return float(1 / (1 + self.kind.recedes * self.world.scenario.look.activity * seconds))

    def _seat(self, pose: Pose, seconds: float) -> tuple[Array, float]:
        """Frame position of the foot, and the scale of canvas units in the frame."""
        stage = self.world.stage
        travel = self.facing * self.kind.travel * self.world.scenario.look.activity * seconds
        point = np.array([self.x + travel * stage.frame_width * OVERSAMPLE, self.y, 1.0])
        if self.kind.flies:
            point[1] += 0.012 * stage.unit * np.sin(0.9 * seconds + self.phase)
            matrix = stage.matrix(pose, self.depth)
        else:
            point[:2] += (np.array([stage.x(0.5), self.place.ground[0]]) - point[:2]) * (1 - self._nearness(seconds))
            matrix = stage.ground_matrix(pose, *self.place.ground)
        return np.asarray(matrix @ point), float(np.exp(pose.zoom * (0.75 + 0.4 * self.depth)))

    def draw(self, frame: Array, pose: Pose, seconds: float) -> None:
        """Put the subject, and its shadow on dry ground, into an RGBA frame."""
        foot, zoom = self._seat(pose, seconds)
        pixels, pencil = self.picture(seconds, zoom)
        if not self.kind.flies and not self.place.reflects > 0.4:
            self._shadow(frame, foot, pencil)
        _stamp(frame, pixels, foot, (pixels.shape[1] / 2, pencil.foot), -pose.roll, 1.0)

    def mirror(self, frame: Array, pose: Pose, seconds: float) -> None:
        """Put the subject's reflection into an RGBA frame."""
        if self.kind.flies or self.place.reflects <= 0:
            return
        foot, zoom = self._seat(pose, seconds)
        pixels, pencil = self.picture(seconds, zoom)
        rows = np.linspace(1.0, 0.1, len(pixels), dtype=np.float32)[::-1, None, None]
        ghost = (pixels * rows * self.place.reflects).astype(np.uint8)
        _stamp(frame, ghost, foot, (pixels.shape[1] / 2, pencil.foot), pose.roll, -0.85)

    def _shadow(self, frame: Array, foot: Array, pencil: Pencil) -> None:
        wide, tall = pencil.scale * self.kind.reach * 0.72, pencil.scale * 0.055
        width, height = int(4 * wide) + 4, int(6 * tall) + 4
        spot = np.zeros((height, width, 4), np.uint8)
        cv2.ellipse(
            spot,
            (width // 2, height // 2),
            (max(1, int(wide)), max(1, int(tall))),
            0,
            0,
            360,
            (0, 0, 0, 120),
            -1,
            cv2.LINE_AA,
        )
        _stamp(frame, cv2.GaussianBlur(spot, (0, 0), max(0.8, tall * 0.6)), foot, (width / 2, height / 2), 0.0, 1.0)


def _stamp(frame: Array, pixels: Array, at: Array, foot: tuple[float, float], turn: float, flip: float) -> None:
    """Composite `pixels` with their point `foot` at `at`, turned by `turn` radians, their height scaled by `flip`."""
    cos, sin = np.cos(turn), np.sin(turn)
    matrix = np.array([[cos, -sin * flip, 0.0], [sin, cos * flip, 0.0]])
    matrix[:, 2] = np.asarray(at) - matrix[:, :2] @ np.asarray(foot)
    height, width = pixels.shape[:2]
    corners = (matrix @ np.array([[0, width, width, 0], [0, 0, height, height], [1, 1, 1, 1]])).T
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 1, 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 2, (frame.shape[1], frame.shape[0]))
    if right <= left or bottom <= top:
        return
    matrix[:, 2] -= (left, top)
    part = cv2.warpAffine(pixels, matrix, (int(right - left), int(bottom - top)), flags=cv2.INTER_LINEAR)
    window = np.ascontiguousarray(frame[top:bottom, left:right])
    paint_over(window, part)
    frame[top:bottom, left:right] = window


def cast(world: World, place: Place) -> list[Actor]:
    """The scenario's subjects in their places, far ones first."""
    actors = [
        Actor(kind, order, world, place, world.scenario.tone if order == 0 else None)
        for order, kind in enumerate(world.scenario.subjects)
    ]
    return sorted(actors, key=lambda actor: actor.depth)
