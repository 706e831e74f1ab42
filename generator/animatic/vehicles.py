"""Things that carry people: boats, cars, trucks, trains, balloons."""

import numpy as np

from generator.animatic.palette import Colour
from generator.animatic.sprites import Pencil

DARK: Colour = (38, 40, 46)
GLASS: Colour = (132, 160, 178)
STEEL: Colour = (168, 174, 182)
CREAM: Colour = (244, 238, 224)


def _mix(colour: Colour, other: Colour, share: float) -> Colour:
    a, b, c = (x + (y - x) * share for x, y in zip(colour, other, strict=True))
    return a, b, c


def sailboat(p: Pencil, t: float, tone: Colour) -> None:
    """A sloop under main and jib."""
    heel = 0.035 * np.sin(1.1 * t)

    def lean(x: float, y: float) -> tuple[float, float]:
        return x + y * heel, y

    belly = 0.03 * np.sin(0.8 * t)
    p.limb([lean(-0.02, 0.1), lean(-0.02, 1.08)], (0.016, 0.010), (92, 70, 52))
    u = np.linspace(0, 1, 9)
    main = [
        lean(-0.04, 0.20),
        *(lean(-0.04 - 0.36 * (1 - v) - (0.03 + belly) * np.sin(np.pi * v), 0.21 + 0.82 * v) for v in u),
    ]
    p.shape(main, CREAM)
    p.shape(
        [lean(0.0, 0.22), *(lean(0.31 * (1 - v) + (0.04 + belly) * np.sin(np.pi * v), 0.17 + 0.77 * v) for v in u)],
        _mix(CREAM, tone, 0.55),
    )
    for v in (0.3, 0.55, 0.78):
        p.limb(
            [lean(-0.04 - 0.36 * (1 - v) - 0.02, 0.21 + 0.82 * v), lean(-0.04, 0.20 + 0.80 * v)],
            (0.006, 0.006),
            (206, 200, 188),
        )
    p.limb([lean(-0.40, 0.20), lean(-0.02, 0.19)], (0.014, 0.014), (92, 70, 52))
    p.shape([lean(-0.44, 0.14), lean(0.44, 0.16), lean(0.30, -0.02), lean(-0.36, -0.02)], tone)
    p.shape([lean(-0.44, 0.14), lean(0.44, 0.16), lean(0.425, 0.125), lean(-0.43, 0.105)], CREAM)
    p.shape([lean(-0.24, 0.14), lean(0.08, 0.145), lean(0.04, 0.20), lean(-0.20, 0.20)], (200, 176, 140))
    p.lamp(lean(-0.02, 1.08), 0.012, (255, 240, 200))


def ship(p: Pencil, t: float, tone: Colour) -> None:
    """A small working ship with a wheelhouse."""
    y = 0.012 * np.sin(0.9 * t)
    p.shape(
        [
            (-0.95, 0.34 + y),
            (-0.85, 0.32 + y),
            (0.75, 0.34 + y),
            (1.05, 0.46 + y),
            (0.84, -0.04 + y),
            (-0.84, -0.04 + y),
        ],
        tone,
    )
    p.shape([(-0.86, 0.06 + y), (0.88, 0.06 + y), (0.84, -0.04 + y), (-0.84, -0.04 + y)], _mix(tone, DARK, 0.6))
    p.shape([(-0.70, 0.33 + y), (-0.12, 0.33 + y), (-0.16, 0.72 + y), (-0.66, 0.72 + y)], CREAM)
    p.shape([(-0.72, 0.72 + y), (-0.10, 0.72 + y), (-0.12, 0.77 + y), (-0.70, 0.77 + y)], tone)
    for x in (-0.58, -0.42, -0.26):
        p.shape([(x - 0.05, 0.54 + y), (x + 0.05, 0.54 + y), (x + 0.05, 0.66 + y), (x - 0.05, 0.66 + y)], GLASS)
        p.lamp((x, 0.60 + y), 0.035, (255, 214, 140))
    p.limb([(-0.40, 0.77 + y), (-0.40, 1.08 + y)], (0.02, 0.012), STEEL)
    p.limb([(0.30, 0.33 + y), (0.30, 0.92 + y)], (0.026, 0.014), (120, 96, 72))
    p.limb([(0.30, 0.88 + y), (0.82, 0.46 + y)], (0.010, 0.010), (120, 96, 72))
    p.shape([(-0.05, 0.34 + y), (0.16, 0.34 + y), (0.16, 0.46 + y), (-0.05, 0.46 + y)], (196, 152, 96))


def _wheel(p: Pencil, x: float, radius: float, turn: float) -> None:
    p.disc((x, radius), radius, (30, 30, 34))
    p.disc((x, radius), radius * 0.6, STEEL)
    for k in range(5):
        a = turn + k * 2 * np.pi / 5
        p.limb(
            [(x, radius), (x + np.cos(a) * radius * 0.55, radius + np.sin(a) * radius * 0.55)],
            (radius * 0.16, radius * 0.1),
            (70, 74, 82),
        )


def car(p: Pencil, t: float, tone: Colour) -> None:
    """A family car, heading right."""
    y = 0.008 * np.sin(9 * t)
    p.shape([(-1.08, 0.24), (-1.06, 0.56 + y), (-0.72, 0.64 + y), (-0.44, 0.95 + y), (0.26, 0.97 + y), (0.62, 0.66 + y),
             (1.0, 0.58 + y), (1.10, 0.42 + y), (1.09, 0.22), (0.9, 0.18), (-0.9, 0.18)], tone)  # fmt: skip
    p.shape([(-0.62, 0.64 + y), (-0.38, 0.89 + y), (-0.10, 0.90 + y), (-0.10, 0.64 + y)], GLASS)
    p.shape([(-0.03, 0.64 + y), (-0.03, 0.90 + y), (0.22, 0.90 + y), (0.50, 0.64 + y)], GLASS)
    p.shape([(-1.08, 0.34 + y), (1.10, 0.34 + y), (1.09, 0.18), (-1.06, 0.18)], _mix(tone, DARK, 0.4))
    p.limb([(-0.06, 0.62 + y), (-0.08, 0.34 + y)], (0.012, 0.012), _mix(tone, DARK, 0.45))
    p.limb([(0.06, 0.56 + y), (0.16, 0.56 + y)], (0.025, 0.025), _mix(tone, DARK, 0.5))
    p.disc((1.03, 0.48 + y), 0.06, (255, 248, 220), 0.8)
    p.disc((-1.04, 0.50 + y), 0.05, (196, 40, 36), 1.2)
    for x in (-0.64, 0.66):
        p.disc((x, 0.22), 0.245, _mix(tone, DARK, 0.8))
        _wheel(p, x, 0.20, -9 * t)
    p.lamp((1.05, 0.48 + y), 0.05, (255, 240, 200))
    p.lamp((-1.06, 0.50 + y), 0.035, (255, 60, 40))


def car_behind(p: Pencil, t: float, tone: Colour) -> None:
    """The same car driving away from the camera."""
    y = 0.008 * np.sin(9 * t)
    for x in (-0.46, 0.46):
        p.shape([(x - 0.13, 0.0), (x + 0.13, 0.0), (x + 0.13, 0.30), (x - 0.13, 0.30)], (30, 30, 34))
    p.shape([(-0.66, 0.16), (0.66, 0.16), (0.68, 0.50 + y), (0.58, 0.62 + y), (0.46, 0.96 + y), (0.34, 1.0 + y),
             (-0.34, 1.0 + y), (-0.46, 0.96 + y), (-0.58, 0.62 + y), (-0.68, 0.50 + y)], tone)  # fmt: skip
    p.shape([(-0.48, 0.64 + y), (0.48, 0.64 + y), (0.38, 0.93 + y), (-0.38, 0.93 + y)], GLASS)
    p.shape([(-0.66, 0.16), (0.66, 0.16), (0.67, 0.32 + y), (-0.67, 0.32 + y)], _mix(tone, DARK, 0.5))
    p.shape([(-0.17, 0.36 + y), (0.17, 0.36 + y), (0.17, 0.45 + y), (-0.17, 0.45 + y)], CREAM)
    for x in (-0.54, 0.54):
        p.shape([(x - 0.11, 0.46 + y), (x + 0.11, 0.46 + y), (x + 0.09, 0.56 + y), (x - 0.09, 0.56 + y)], (206, 40, 36))
        p.lamp((x, 0.51 + y), 0.07, (255, 56, 40))


def truck_behind(p: Pencil, t: float, tone: Colour) -> None:
    """The same lorry driving away from the camera."""
    y = 0.006 * np.sin(8 * t)
    for x in (-0.27, 0.27):
        p.shape([(x - 0.09, 0.0), (x + 0.09, 0.0), (x + 0.09, 0.2), (x - 0.09, 0.2)], (30, 30, 34))
    p.shape([(-0.40, 0.16), (0.40, 0.16), (0.40, 1.0 + y), (-0.40, 1.0 + y)], CREAM)
    p.shape([(-0.40, 0.60 + y), (0.40, 0.60 + y), (0.40, 0.48 + y), (-0.40, 0.48 + y)], tone)
    p.limb([(0.0, 0.22), (0.0, 0.97 + y)], (0.012, 0.012), (168, 160, 148))
    p.shape([(-0.40, 0.12), (0.40, 0.12), (0.40, 0.19), (-0.40, 0.19)], DARK)
    for x in (-0.33, 0.33):
        p.lamp((x, 0.20), 0.03, (255, 56, 40))


def truck(p: Pencil, t: float, tone: Colour) -> None:
    """A lorry with a box body, heading right."""
    y = 0.006 * np.sin(8 * t)
    p.shape([(-1.10, 0.20), (-1.10, 0.98 + y), (0.42, 0.98 + y), (0.42, 0.20)], CREAM)
    p.shape([(-1.10, 0.62 + y), (0.42, 0.62 + y), (0.42, 0.48 + y), (-1.10, 0.48 + y)], tone)
    p.shape([(0.48, 0.18), (0.48, 0.84 + y), (0.86, 0.84 + y), (1.04, 0.56 + y), (1.12, 0.52 + y), (1.12, 0.18)], tone)
    p.shape([(0.62, 0.55 + y), (0.62, 0.77 + y), (0.83, 0.77 + y), (0.97, 0.55 + y)], GLASS)
    p.shape([(-1.08, 0.14), (1.12, 0.14), (1.12, 0.23), (-1.08, 0.23)], DARK)
    for x in (-0.82, -0.52, 0.80):
        _wheel(p, x, 0.13, -10 * t)
    p.lamp((1.10, 0.34 + y), 0.035, (255, 240, 200))
    p.lamp((-1.10, 0.30 + y), 0.025, (255, 60, 40))


def train(p: Pencil, t: float, tone: Colour) -> None:
    """Three cars of a train, heading right."""
    for k, x in enumerate((-2.45, -0.82, 0.80)):
        y = 0.006 * np.sin(7 * t + k)
        nose = (
            [(x + 1.52, 0.62 + y), (x + 1.62, 0.40 + y), (x + 1.60, 0.14)]
            if k == 2
            else [(x + 1.56, 0.86 + y), (x + 1.56, 0.14)]
        )
        p.shape([(x, 0.14), (x, 0.90 + y), (x + 1.34, 0.90 + y), *nose], CREAM)
        p.shape([(x, 0.14), (x, 0.36 + y), (x + 1.60, 0.36 + y), (x + 1.58, 0.14)], tone)
        for w in range(6):
            left = x + 0.10 + 0.225 * w
            p.shape([(left, 0.50 + y), (left, 0.74 + y), (left + 0.16, 0.74 + y), (left + 0.16, 0.50 + y)], GLASS)
            p.lamp((left + 0.08, 0.62 + y), 0.05, (255, 220, 160))
        for axle in (0.25, 0.45, 1.1, 1.3):
            p.disc((x + axle, 0.09), 0.09, DARK)
    p.lamp((2.40, 0.32), 0.04, (255, 244, 210))


def balloon(p: Pencil, t: float, tone: Colour) -> None:
    """A hot-air balloon in gores of two colours."""
    sway = 0.015 * np.sin(0.7 * t)
    angle = np.linspace(-0.5 * np.pi, 1.5 * np.pi, 60)

    def outline(share: float) -> list[tuple[float, float]]:
        points = []
        for a in angle:
            x, y = np.cos(a), np.sin(a)
            taper = 1 - 0.42 * np.clip(-y, 0, 1) ** 1.6
            points.append((sway + 0.36 * x * taper * share, 0.70 + 0.36 * y - 0.05 * np.clip(-y, 0, 1)))
        return points

    for index, share in enumerate((1.0, 0.80, 0.54, 0.20)):
        p.shape(outline(share), tone if index % 2 == 0 else _mix(CREAM, tone, 0.12))
    for x in (-0.10, -0.035, 0.035, 0.10):
        p.limb([(sway + x * 1.2, 0.31), (sway * 0.4 + x * 0.6, 0.12)], (0.006, 0.006), (96, 76, 60))
    p.shape(
        [
            (-0.075 + sway * 0.4, 0.12),
            (0.075 + sway * 0.4, 0.12),
            (0.062 + sway * 0.4, 0.01),
            (-0.062 + sway * 0.4, 0.01),
        ],
        (142, 98, 60),
    )
    p.shape(
        [
            (-0.08 + sway * 0.4, 0.125),
            (0.08 + sway * 0.4, 0.125),
            (0.08 + sway * 0.4, 0.10),
            (-0.08 + sway * 0.4, 0.10),
        ],
        (100, 66, 42),
    )
    p.lamp((sway, 0.30), 0.03 + 0.012 * np.sin(5 * t), (255, 190, 90))
