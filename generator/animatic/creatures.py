"""Living things: people, dogs, horses, birds, and the ball they play with."""

import numpy as np

from generator.animatic.palette import Colour
from generator.animatic.sprites import Pencil

SKIN: Colour = (206, 158, 124)
HAIR: Colour = (62, 44, 36)
TROUSERS: Colour = (52, 58, 78)


def person(p: Pencil, t: float, tone: Colour) -> None:
    """Somebody walking to the right."""
    stride = 5.2 * t
    bounce = 0.012 * abs(np.cos(stride))
    hip, chest, head = (0.0, 0.50 + bounce), (0.015, 0.80 + bounce), (0.03, 0.925 + bounce)

    def leg(phase: float, colour: Colour) -> None:
        angle = 0.46 * np.sin(stride + phase)
        bend = 0.55 * max(0.0, np.cos(stride + phase))
        knee = (hip[0] + 0.25 * np.sin(angle), hip[1] - 0.25 * np.cos(angle))
        foot = (knee[0] + 0.24 * np.sin(angle - bend), max(0.02, knee[1] - 0.24 * np.cos(angle - bend)))
        p.limb([hip, knee, foot], (0.105, 0.055), colour)
        p.limb([foot, (foot[0] + 0.07, foot[1] - 0.005)], (0.045, 0.035), (40, 34, 32))

    def arm(phase: float, colour: Colour) -> None:
        angle = 0.5 * np.sin(stride + phase)
        elbow = (chest[0] + 0.17 * np.sin(angle), chest[1] - 0.04 - 0.17 * np.cos(angle))
        hand = (elbow[0] + 0.15 * np.sin(angle + 0.4), elbow[1] - 0.15 * np.cos(angle + 0.4))
        p.limb([(chest[0], chest[1] - 0.02), elbow, hand], (0.066, 0.046), colour)
        p.disc(hand, 0.026, SKIN)

    darker: Colour = (tone[0] * 0.7, tone[1] * 0.7, tone[2] * 0.7)
    arm(0, darker)
    leg(np.pi, (TROUSERS[0] * 0.75, TROUSERS[1] * 0.75, TROUSERS[2] * 0.75))
    leg(0, TROUSERS)
    p.shape([(-0.085, 0.48 + bounce), (0.085, 0.48 + bounce), (0.095, 0.66 + bounce),
             (0.10, 0.80 + bounce), (0.04, 0.845 + bounce), (-0.03, 0.845 + bounce),
             (-0.095, 0.79 + bounce), (-0.08, 0.64 + bounce)], tone)  # fmt: skip
    p.limb([(0.01, 0.83 + bounce), (0.02, 0.88 + bounce)], (0.05, 0.05), SKIN)
    p.disc(head, 0.062, SKIN, 1.16)
    p.disc((head[0] - 0.018, head[1] + 0.022), 0.062, HAIR, 1.0)
    p.disc((head[0] + 0.030, head[1] - 0.012), 0.042, SKIN, 1.1)
    arm(np.pi, tone)


def _four_legs(
    p: Pencil, stride: float, hips: tuple[float, float], top: float, length: float, thick: float, colour: Colour
) -> None:
    dark: Colour = (colour[0] * 0.72, colour[1] * 0.72, colour[2] * 0.72)
    for x, phase, tone in (
        (hips[0], 0.0, dark),
        (hips[1], np.pi, dark),
        (hips[0], np.pi, colour),
        (hips[1], 0.4, colour),
    ):
        angle = 0.42 * np.sin(stride + phase)
        bend = 0.6 * max(0.0, np.cos(stride + phase))
        knee = (x + 0.5 * length * np.sin(angle), top - 0.5 * length * np.cos(angle))
        foot = (
            knee[0] + 0.5 * length * np.sin(angle - bend),
            max(0.015, knee[1] - 0.5 * length * np.cos(angle - bend)),
        )
        p.limb([(x, top), knee, foot], (thick, thick * 0.5), tone)


def dog(p: Pencil, t: float, tone: Colour) -> None:
    """A dog trotting to the right."""
    stride = 8.5 * t
    y = 0.02 * np.sin(2 * stride)
    _four_legs(p, stride, (-0.42, 0.34), 0.50 + y, 0.50, 0.13, tone)
    p.limb(
        [(-0.50, 0.62 + y), (-0.70, 0.78 + y + 0.05 * np.sin(11 * t)), (-0.80, 0.96 + y + 0.09 * np.sin(11 * t))],
        (0.09, 0.04),
        tone,
    )
    p.limb([(-0.42, 0.56 + y), (-0.05, 0.53 + y), (0.36, 0.58 + y)], (0.32, 0.36), tone)
    p.limb([(0.40, 0.64 + y), (0.60, 0.88 + y)], (0.24, 0.20), tone)
    p.disc((0.66, 0.92 + y), 0.145, tone)
    p.limb([(0.70, 0.88 + y), (0.90, 0.84 + y)], (0.15, 0.10), tone)
    p.disc((0.95, 0.86 + y), 0.035, (30, 26, 26))
    p.shape([(0.58, 1.02 + y), (0.50, 0.80 + y), (0.66, 0.92 + y)], (tone[0] * 0.6, tone[1] * 0.6, tone[2] * 0.6))
    p.disc((0.73, 0.96 + y), 0.018, (24, 20, 20))


def horse(p: Pencil, t: float, tone: Colour) -> None:
    """A horse at a canter, heading right."""
    stride = 6.5 * t
    y = 0.018 * np.sin(2 * stride)
    dark: Colour = (tone[0] * 0.45, tone[1] * 0.45, tone[2] * 0.45)
    _four_legs(p, stride, (-0.30, 0.24), 0.50 + y, 0.50, 0.085, tone)
    p.limb([(-0.40, 0.62 + y), (-0.52, 0.52 + y), (-0.56 - 0.03 * np.sin(stride), 0.28 + y)], (0.05, 0.08), dark)
    p.limb([(-0.30, 0.58 + y), (-0.02, 0.55 + y), (0.24, 0.58 + y)], (0.24, 0.24), tone)
    p.limb([(0.24, 0.62 + y), (0.42, 0.90 + y)], (0.19, 0.11), tone)
    p.limb([(0.22, 0.70 + y), (0.30, 0.86 + y), (0.38, 0.98 + y)], (0.07, 0.05), dark)
    p.limb([(0.42, 0.93 + y), (0.60, 0.80 + y)], (0.12, 0.075), tone)
    p.shape([(0.38, 0.96 + y), (0.40, 1.06 + y), (0.45, 0.97 + y)], tone)
    p.disc((0.485, 0.905 + y), 0.012, (20, 16, 16))


def bird(p: Pencil, t: float, tone: Colour) -> None:
    """Three gulls on the wing."""
    for dx, dy, size, phase in ((0.0, 0.55, 1.0, 0.0), (-0.85, 0.85, 0.62, 1.3), (0.75, 0.95, 0.5, 2.4)):
        glide = np.sin(4.2 * t + phase)
        lift = 0.20 * glide * (0.6 + 0.4 * np.sin(0.9 * t + phase))

        def at(x: float, y: float, dx: float = dx, dy: float = dy, size: float = size) -> tuple[float, float]:
            return dx + x * size, dy + y * size

        for side in (-1, 1):
            wing = [at(side * 0.03, 0.03), at(side * 0.26, 0.12 + lift * 0.7), at(side * 0.58, 0.02 + lift * 1.3),
                    at(side * 0.30, 0.05 + lift * 0.55), at(side * 0.05, -0.04)]  # fmt: skip
            p.shape(wing, (tone[0] * 0.8, tone[1] * 0.8, tone[2] * 0.8))
        p.disc(at(0.02, 0.0), 0.13 * size, tone, 0.34)
        p.disc(at(0.15, 0.02), 0.042 * size, tone)
        p.shape([at(0.18, 0.03), at(0.25, 0.01), at(0.18, 0.0)], (220, 150, 60))


def ball(p: Pencil, t: float, tone: Colour) -> None:
    """A bouncing ball with a stripe, turning."""
    period = 1.05
    u = (t / period) % 1.0
    y = 0.36 + 0.62 * 4 * u * (1 - u)
    squash = 1 - 0.16 * max(0.0, 1 - 14 * min(u, 1 - u))
    p.disc((0.0, y * 0.98 - 0.02), 0.34, tone, squash)
    a = -3.2 * t
    u2 = np.linspace(-1.2, 1.2, 12)
    cos, sin = np.cos(a), np.sin(a)
    stripe = np.concatenate(
        [
            np.stack([0.33 * np.sin(u2) * 0.98, 0.07 + 0.05 * np.cos(u2)], 1),
            np.stack([0.33 * np.sin(u2[::-1]) * 0.98, -0.07 + 0.05 * np.cos(u2[::-1])], 1),
        ]
    )
    p.shape(
        np.stack(
            [
                stripe[:, 0] * cos - stripe[:, 1] * sin,
                y * 0.98 - 0.02 + (stripe[:, 0] * sin + stripe[:, 1] * cos) * squash,
            ],
            1,
        ),
        (246, 240, 228),
    )
    p.disc((-0.10, y + 0.12), 0.07, (min(255, tone[0] + 70), min(255, tone[1] + 70), min(255, tone[2] + 70)), 0.7)
