"""Procedural base clips with a known camera path: what degradations are applied to and the critic is measured on."""

from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Place = Literal["hills", "room", "street", "dunes"]
PLACES: tuple[Place, ...] = get_args(Place)

_MARGIN = 1.9
"""The painted world over the frame, so that a moving camera always sees paint."""


@dataclass(frozen=True)
class Path:
    """What the camera does over the whole clip, at constant speed. Signs as in `reasoner.camera`."""

    pan: float = 0.0
    """Share of the width; positive turns right."""
    tilt: float = 0.0
    """Share of the height; positive turns up."""
    zoom: float = 1.0
    """Magnification at the end over that at the start."""
    roll: float = 0.0
    """Degrees; positive turns the camera clockwise."""


def fractal(height: int, width: int, seed: int, octaves: int = 8, fall: float = 0.65) -> NDArray[np.float32]:
    """(height, width) noise in [0, 1] with a natural picture's spectrum: the sum of ever finer, ever weaker layers."""
    dice = np.random.default_rng(seed)
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        cells = 3 * 2**octave
        grid = dice.standard_normal((cells * height // width + 2, cells + 2)).astype(np.float32)
        total += fall**octave * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    total -= total.min()
    return np.asarray(total / total.max(), np.float32)


@cache
def world(place: Place, seed: int, width: int, height: int) -> NDArray[np.float32]:
    """(H, W, 3) RGB in [0, 255], `_MARGIN` times the frame; shared, so not to be written to."""
    dice = np.random.default_rng(1000 * PLACES.index(place) + seed)
    w, h = int(width * _MARGIN), int(height * _MARGIN)
    rough = fractal(h, w, seed + 17 * PLACES.index(place))[..., None]
    y, x = np.mgrid[:h, :w].astype(np.float32)
    match place:
        case "hills":
            paint = _sky(dice, rough, y / h)
            for layer in range(4):
                knots = dice.standard_normal((1, 6 + 6 * layer)).astype(np.float32)
                ridge = h * (0.5 + 0.1 * layer) + h * 0.06 * cv2.resize(knots, (w, 1), interpolation=cv2.INTER_CUBIC)
                mask = np.clip(y - ridge + 0.5, 0, 1)[..., None]
                tint = np.array([70, 105, 75], np.float32) * (1.3 - 0.2 * layer)
                paint = paint * (1 - mask) + mask * tint * (0.5 + rough)
        case "room":
            light = (1.25 - 0.6 * np.hypot(x / w - 0.3, y / h - 0.3))[..., None]
            paint = np.array([170, 150, 125], np.float32) * (0.85 + 0.3 * rough) * light
            floor = y > h * 0.64
            paint[floor] = (np.array([135, 95, 65], np.float32) * (0.5 + rough))[floor]
            _boxes(paint, dice, 30, width // 10, 0.15, 0.85)
        case "street":
            paint = np.array([150, 145, 140], np.float32) * (0.55 + 0.8 * rough)
            _boxes(paint, dice, 160, width // 12, 0.0, 1.0)
        case "dunes":
            paint = _sky(dice, rough, y / h)
            ridge = h * 0.55 + h * 0.05 * np.sin(x / w * 9 + dice.uniform(0, 6))
            mask = np.clip(y - ridge + 0.5, 0, 1)[..., None]
            ripples = (np.sin(y * 0.35 + 9 * rough[..., 0]) * 14)[..., None]
            paint = paint * (1 - mask) + mask * (np.array([205, 165, 110], np.float32) * (0.6 + 0.6 * rough) + ripples)
            _boxes(paint, dice, 25, width // 24, 0.5, 0.9)
    return np.clip(paint, 0, 255)


def clip(
    place: Place,
    seed: int = 0,
    *,
    frames: int = 33,
    width: int = 320,
    height: int = 192,
    fps: float = 24.0,
    path: Path | None = None,
    pace: float = 1.0,
) -> NDArray[np.uint8]:
    """(frames, height, width, 3) RGB: a world under a moving camera, a travelling subject, light sensor noise.

    `path` None is a gentle pan. `pace` scales all movement in the scene.
    """
    path = Path(pan=0.12, zoom=1.05) if path is None else path
    dice = np.random.default_rng(seed + 71)
    paint = world(place, seed, width, height)
    ball = _ball(int(height * 0.15), seed)
    grain = dice.standard_normal((height + 31, width + 31, 1)).astype(np.float32)
    side = dice.choice([-1.0, 1.0])
    out = np.empty((frames, height, width, 3), np.uint8)
    for i in range(frames):
        u = i / max(1, frames - 1) - 0.5
        seconds = pace * i / fps
        view = _view(path, u, paint.shape, width, height)
        picture = cv2.warpAffine(paint, view, (width, height), flags=cv2.INTER_LINEAR).astype(np.float32)
        _paste(
            picture,
            ball,
            width * (0.5 + side * 0.3 * np.cos(1.1 * seconds)),
            height * (0.66 - 0.1 * abs(np.sin(2 * seconds))),
        )
        dy, dx = (i * 7) % 31, (i * 13) % 31
        out[i] = np.clip(picture + grain[dy : dy + height, dx : dx + width] + 0.5, 0, 255)
    return out


def _view(path: Path, u: float, world_shape: tuple[int, ...], width: int, height: int) -> NDArray[np.float32]:
    """The affine map from world to frame at `u` in [-.5, .5]."""
    zoom = float(np.exp(u * np.log(path.zoom))) * 1.02
    angle = -np.radians(path.roll) * u  # the camera turns clockwise, so the picture turns the other way
    centre_x = world_shape[1] / 2 + path.pan * u * width
    centre_y = world_shape[0] / 2 - path.tilt * u * height
    c, s = zoom * np.cos(angle), zoom * np.sin(angle)
    x = width / 2 - c * centre_x + s * centre_y
    y = height / 2 - s * centre_x - c * centre_y
    return np.array([[c, -s, x], [s, c, y]], np.float32)


def _sky(dice: np.random.Generator, rough: NDArray[np.float32], depth: NDArray[np.float32]) -> NDArray[np.float32]:
    top = dice.uniform([70, 110, 170], [110, 150, 210]).astype(np.float32)
    low = dice.uniform([200, 190, 170], [235, 215, 200]).astype(np.float32)
    fall = np.clip(depth / 0.6, 0, 1)[..., None]
    cloud = np.clip((rough - 0.55) * 2, 0, 1) * (1 - fall)
    return np.asarray((top * (1 - fall) + low * fall) * (1 - cloud) + 225 * cloud, np.float32)


def _boxes(
    paint: NDArray[np.float32], dice: np.random.Generator, count: int, size: int, top: float, low: float
) -> None:
    h, w = paint.shape[:2]
    for _ in range(count):
        x, y = dice.integers(0, w), dice.integers(int(h * top), int(h * low))
        dx, dy = dice.integers(size // 4 + 1, size + 2, 2)
        colour = dice.uniform(40, 215) + dice.uniform(-35, 35, 3)
        shade = np.linspace(0.85, 1.1, paint[y : y + dy, x : x + dx].shape[0])[:, None, None]
        paint[y : y + dy, x : x + dx] = colour * shade


def _ball(radius: int, seed: int) -> NDArray[np.float32]:
    """(2r, 2r, 4) RGBA with a texture, so that its movement can be seen."""
    y, x = np.mgrid[: 2 * radius, : 2 * radius].astype(np.float32)
    inside = np.clip(radius - np.hypot(x - radius, y - radius), 0, 1)[..., None]
    lit = np.clip(1.2 - np.hypot(x - radius * 0.7, y - radius * 0.6) / radius / 2, 0.3, 1.2)[..., None]
    skin = np.array([200, 90, 60], np.float32) * (0.6 + 0.6 * fractal(2 * radius, 2 * radius, seed + 5)[..., None])
    return np.concatenate([np.clip(skin * lit, 0, 255), inside], -1)


def _paste(picture: NDArray[np.float32], sprite: NDArray[np.float32], x: float, y: float) -> None:
    h, w = picture.shape[:2]
    place = np.array([[1, 0, x - sprite.shape[1] / 2], [0, 1, y - sprite.shape[0] / 2]], np.float32)
    moved = cv2.warpAffine(sprite, place, (w, h))
    picture[:] = picture * (1 - moved[..., 3:]) + moved[..., :3] * moved[..., 3:]
