"""Where the camera is on every frame: eased moves, hand shake, and room to move in."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from generator.animatic.moves import Phase

Array = npt.NDArray[Any]

_MOVES: dict[str, tuple[float, float, float, float, float]] = {
    # x, y in frame widths and heights; zoom as a logarithm; orbit in frame widths of parallax; roll in radians
    "pan_left": (-0.17, 0, 0, 0, 0),
    "pan_right": (0.17, 0, 0, 0, 0),
    "tilt_up": (0, -0.15, 0, 0, 0),
    "tilt_down": (0, 0.15, 0, 0, 0),
    "push_in": (0, 0, 0.27, 0, 0),
    "pull_out": (0, 0, -0.27, 0, 0),
    "orbit_left": (-0.09, 0, 0.03, -0.12, 0),
    "orbit_right": (0.09, 0, 0.03, 0.12, 0),
    "roll_left": (0, 0, 0.03, 0, -0.10),
    "roll_right": (0, 0, 0.03, 0, 0.10),
}
"""What a plainly worded move adds up to over its phase. Positive x: the camera goes right and the picture left."""

_SHAKE = np.array([0.0042, 0.0042, 0.0012, 0.0, 0.0026])
"""Amplitude of one shake component of a handheld camera, per axis."""
_SHAKE_HERTZ = (0.7, 1.3, 2.1, 3.7)

NEAR_PARALLAX = 1.3
"""How far the nearest layer moves for each frame width that the camera does."""
NEAR_ZOOM = 1.25
"""How strongly the nearest layer scales."""


@dataclass(frozen=True)
class Pose:
    """The camera on one frame, in the units of `_MOVES`."""

    x: float
    y: float
    zoom: float
    orbit: float
    roll: float


@dataclass(frozen=True)
class Room:
    """How far a view may stray on a canvas: half its width and height, in frame widths and heights."""

    x: float
    y: float


def _ease(u: Array) -> Array:
    """Perlin's quintic: starts and ends without a jolt."""
    return np.asarray(u * u * u * (u * (6 * u - 15) + 10))


def path(
    phases: tuple[Phase, ...],
    frames: int,
    fps: int,
    *,
    gain: float,
    vague: float,
    shake: float,
    rng: np.random.Generator,
) -> Array:
    """Poses of all frames as an array of frames x 5, the first at rest.

    Args:
        phases: the planned moves; empty lets the camera drift a little, nobody knows where.
        frames: of the clip.
        fps: of the clip.
        gain: factor on every planned move.
        vague: share of unplanned drift, 0 to 1.
        shake: 0 none, 1 handheld.
        rng: for drift and shake.
    """
    seconds = frames / fps
    pace = float(np.clip(0.85 + 0.04 * seconds, 0.85, 1.25))
    u = np.linspace(0, 1, frames)
    poses = np.zeros((frames, 5))
    for phase in phases:
        done = _ease(np.clip((u - phase.start) / max(phase.end - phase.start, 1e-3), 0, 1))
        for move, strength in phase.moves.items():
            poses += done[:, None] * np.array(_MOVES.get(move, (0.0,) * 5)) * strength * gain * pace
    drift = rng.uniform(-1, 1, 5) * np.array([0.06, 0.02, 0.05, 0, 0])
    still = bool(phases) and all(move in ("static", "handheld") for phase in phases for move in phase.moves)
    poses += _ease(u)[:, None] * drift * (vague if phases else 1.0) * (0.0 if still else 1.0)
    strongest = max((p.moves["handheld"] for p in phases if "handheld" in p.moves), default=1.0)
    waves = np.zeros((frames, 5))
    for hertz in _SHAKE_HERTZ:
        waves += np.sin(2 * np.pi * hertz * (u * seconds)[:, None] + rng.uniform(0, 2 * np.pi, 5)) / hertz**0.4
    return np.asarray(poses + (waves - waves[0]) * _SHAKE * shake * strongest)


def fit(poses: Array, room: Room) -> Array:
    """Shift a path, and shorten it if that is not enough, so that no frame leaves the room.

    A painted world has no fixed first frame, so a long pan starts off-centre instead of running over the edge.
    """
    fitted = poses.copy()
    floor = float(np.log(max(0.5 / (room.x - 0.06), 0.5 / (room.y - 0.04))) / NEAR_ZOOM)
    fitted[:, 2] += max(0.0, floor - float(fitted[:, 2].min()))
    scale = np.exp(fitted[:, 2] * NEAR_ZOOM)
    lean = np.abs(np.sin(fitted[:, 4]))
    for axes, half, cross in (([0, 3], room.x, 0.5), ([1], room.y, 0.9)):
        reach = fitted[:, axes].sum(axis=1)
        limit = np.maximum((half - (0.5 + cross * lean) / scale) / NEAR_PARALLAX, 0.01)
        low, high = float((reach - limit).max()), float((reach + limit).min())
        fitted[:, axes[0]] -= np.clip(0.0, low, high) if low <= high else (low + high) / 2
        overrun = float((np.abs(fitted[:, axes].sum(axis=1)) / limit).max())
        fitted[:, axes] /= max(1.0, overrun)
    return np.asarray(fitted)
