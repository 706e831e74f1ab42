"""Robots and buildings that stand alone."""

import numpy as np

from generator.animatic.palette import Colour
from generator.animatic.sprites import Pencil

DARK: Colour = (44, 48, 56)
STEEL: Colour = (176, 182, 190)
WHITE: Colour = (232, 234, 236)


def arm(p: Pencil, t: float, tone: Colour) -> None:
    """A six-axis arm on a pedestal that picks a box up and puts it down."""
    cycle = (t / 4.2) % 1.0
    reach = 0.5 - 0.5 * np.cos(2 * np.pi * cycle)
    shoulder, elbow = 1.95 - 0.75 * reach, -1.75 + 0.25 * np.sin(2 * np.pi * cycle)
    p.shape([(-0.30, 0.0), (0.30, 0.0), (0.24, 0.07), (-0.24, 0.07)], DARK)
    p.shape([(-0.15, 0.06), (0.15, 0.06), (0.11, 0.26), (-0.11, 0.26)], STEEL)
    base = (0.0, 0.31)
    joint = (base[0] + 0.40 * np.cos(shoulder), base[1] + 0.40 * np.sin(shoulder))
    wrist = (joint[0] + 0.40 * np.cos(shoulder + elbow), joint[1] + 0.40 * np.sin(shoulder + elbow))
    tool = (wrist[0] + 0.02, wrist[1] - 0.12)
    grip = 0.035 if 0.12 < cycle < 0.62 else 0.065
    if 0.12 < cycle < 0.62:
        x, y = tool[0], tool[1] - 0.10
        p.shape(
            [(x - 0.07, y - 0.06), (x + 0.07, y - 0.06), (x + 0.07, y + 0.06), (x - 0.07, y + 0.06)], (198, 152, 100)
        )
        p.shape(
            [(x - 0.012, y - 0.06), (x + 0.012, y - 0.06), (x + 0.012, y + 0.06), (x - 0.012, y + 0.06)],
            (226, 198, 152),
        )
    for side in (-1, 1):
        p.limb(
            [tool, (tool[0] + side * grip, tool[1] - 0.03), (tool[0] + side * grip, tool[1] - 0.10)],
            (0.030, 0.022),
            DARK,
        )
    p.limb([wrist, tool], (0.075, 0.060), STEEL)
    p.limb([joint, wrist], (0.125, 0.085), tone)
    p.limb([base, joint], (0.165, 0.130), tone)
    for centre, radius in ((base, 0.105), (joint, 0.082), (wrist, 0.055)):
        p.disc(centre, radius, DARK)
        p.disc(centre, radius * 0.55, STEEL)
    p.lamp((0.0, 0.16), 0.012, (90, 255, 150))


def rover(p: Pencil, t: float, tone: Colour) -> None:
    """A mobile robot with a mast, carrying a load to the right."""
    y = 0.006 * np.sin(10 * t)
    p.shape(
        [(-0.62, 0.16 + y), (0.62, 0.16 + y), (0.66, 0.34 + y), (0.60, 0.44 + y), (-0.60, 0.44 + y), (-0.66, 0.34 + y)],
        tone,
    )
    p.shape([(-0.64, 0.16 + y), (0.64, 0.16 + y), (0.64, 0.23 + y), (-0.64, 0.23 + y)], DARK)
    p.shape([(-0.46, 0.44 + y), (0.18, 0.44 + y), (0.18, 0.80 + y), (-0.46, 0.80 + y)], (198, 152, 100))
    p.shape([(-0.17, 0.44 + y), (-0.11, 0.44 + y), (-0.11, 0.80 + y), (-0.17, 0.80 + y)], (226, 198, 152))
    p.limb([(0.42, 0.44 + y), (0.42, 0.92 + y)], (0.05, 0.04), STEEL)
    p.shape([(0.32, 0.90 + y), (0.56, 0.90 + y), (0.56, 1.04 + y), (0.32, 1.04 + y)], DARK)
    p.disc((0.50, 0.97 + y), 0.035, (120, 200, 240))
    for x in (-0.44, 0.0, 0.44):
        p.disc((x, 0.13), 0.13, (32, 32, 36))
        p.disc((x, 0.13), 0.06, STEEL)
        p.disc((x + 0.035 * np.cos(-8 * t), 0.13 + 0.035 * np.sin(-8 * t)), 0.018, DARK)
    p.lamp((0.64, 0.30 + y), 0.03, (150, 230, 255))
    p.lamp((0.44, 1.06 + y), 0.02, (255, 170, 60))


def humanoid(p: Pencil, t: float, tone: Colour) -> None:
    """A humanoid robot walking to the right."""
    stride = 3.6 * t
    y = 0.010 * abs(np.cos(stride))
    hip, chest = (0.0, 0.47 + y), (0.0, 0.77 + y)
    for phase, shade in ((np.pi, 0.7), (0.0, 1.0)):
        angle, bend = 0.36 * np.sin(stride + phase), 0.5 * max(0.0, np.cos(stride + phase))
        knee = (0.235 * np.sin(angle), hip[1] - 0.235 * np.cos(angle))
        foot = (knee[0] + 0.22 * np.sin(angle - bend), max(0.03, knee[1] - 0.22 * np.cos(angle - bend)))
        shell: Colour = (WHITE[0] * shade, WHITE[1] * shade, WHITE[2] * shade)
        p.limb([hip, knee], (0.11, 0.09), shell)
        p.limb([knee, foot], (0.085, 0.06), DARK)
        p.limb([(foot[0] - 0.02, foot[1]), (foot[0] + 0.09, foot[1])], (0.05, 0.04), shell)
        p.disc(knee, 0.045, tone)
        swing = 0.42 * np.sin(stride + phase + np.pi)
        elbow = (chest[0] + 0.16 * np.sin(swing), chest[1] - 0.02 - 0.16 * np.cos(swing))
        hand = (elbow[0] + 0.15 * np.sin(swing + 0.7), elbow[1] - 0.15 * np.cos(swing + 0.7))
        if shade < 1:
            p.limb([chest, elbow, hand], (0.075, 0.05), shell)
    p.shape(
        [
            (-0.085, 0.46 + y),
            (0.085, 0.46 + y),
            (0.075, 0.58 + y),
            (0.13, 0.78 + y),
            (0.08, 0.845 + y),
            (-0.07, 0.845 + y),
            (-0.12, 0.78 + y),
            (-0.07, 0.58 + y),
        ],
        WHITE,
    )
    p.shape([(-0.03, 0.62 + y), (0.10, 0.64 + y), (0.115, 0.76 + y), (-0.02, 0.77 + y)], tone)
    p.limb([(0.0, 0.84 + y), (0.01, 0.88 + y)], (0.05, 0.05), DARK)
    p.disc((0.015, 0.945 + y), 0.075, WHITE, 1.05)
    p.disc((0.045, 0.945 + y), 0.052, DARK, 1.0)
    p.limb([chest, elbow, hand], (0.08, 0.055), WHITE)
    p.lamp((0.065, 0.95 + y), 0.013, (110, 220, 255))


def drone(p: Pencil, t: float, tone: Colour) -> None:
    """A quadcopter hovering."""
    y = 0.5 + 0.06 * np.sin(1.9 * t)
    for x in (-0.72, 0.72):
        p.limb([(0.0, y), (x, y + 0.10)], (0.10, 0.06), DARK)
        p.limb([(x, y + 0.08), (x, y + 0.20)], (0.07, 0.05), STEEL)
        p.disc((x, y + 0.22), 0.34 * (0.6 + 0.4 * abs(np.sin(31 * t + x))), (150, 156, 164), 0.07)
    p.disc((0.0, y), 0.30, tone, 0.46)
    p.disc((0.0, y - 0.16), 0.09, DARK)
    p.disc((0.03, y - 0.17), 0.045, (120, 180, 220))
    p.lamp((-0.72, y + 0.06), 0.03, (255, 60, 50))
    p.lamp((0.72, y + 0.06), 0.03, (80, 255, 130))


def lighthouse(p: Pencil, t: float, tone: Colour) -> None:
    """A lighthouse on a rock, its lamp turning."""
    p.shape([(-0.34, -0.06), (-0.26, 0.06), (-0.10, 0.10), (0.12, 0.09), (0.30, 0.04), (0.40, -0.06)], (92, 88, 86))
    for k in range(5):
        low, high = k / 5, (k + 1) / 5
        a, b = 0.10 - 0.04 * low, 0.10 - 0.04 * high
        p.shape(
            [(-a, 0.08 + 0.72 * low), (a, 0.08 + 0.72 * low), (b, 0.08 + 0.72 * high), (-b, 0.08 + 0.72 * high)],
            tone if k % 2 else WHITE,
        )
    p.shape([(-0.085, 0.80), (0.085, 0.80), (0.085, 0.83), (-0.085, 0.83)], DARK)
    p.shape([(-0.05, 0.83), (0.05, 0.83), (0.05, 0.93), (-0.05, 0.93)], (250, 232, 170))
    p.shape([(-0.065, 0.93), (0.065, 0.93), (0.0, 1.02)], tone)
    p.lamp((0.0, 0.88), 0.03 + 0.03 * max(0.0, np.sin(1.6 * t)) ** 4, (255, 236, 180))


def house(p: Pencil, t: float, tone: Colour) -> None:
    """A cottage with a chimney."""
    p.shape([(0.22, 0.66), (0.22, 1.0), (0.36, 1.0), (0.36, 0.58)], (136, 94, 78))
    p.shape([(-0.62, 0.0), (0.62, 0.0), (0.62, 0.52), (-0.62, 0.52)], (226, 212, 190))
    p.shape([(-0.74, 0.48), (0.74, 0.48), (0.44, 0.92), (-0.44, 0.92)], tone)
    p.shape([(-0.10, 0.0), (0.10, 0.0), (0.10, 0.34), (-0.10, 0.34)], (104, 72, 52))
    for x in (-0.38, 0.38):
        p.shape([(x - 0.11, 0.17), (x + 0.11, 0.17), (x + 0.11, 0.38), (x - 0.11, 0.38)], (250, 246, 236))
        p.shape([(x - 0.09, 0.19), (x + 0.09, 0.19), (x + 0.09, 0.36), (x - 0.09, 0.36)], (120, 150, 170))
        p.lamp((x, 0.275), 0.07, (255, 206, 120))
    for k in range(4):  # smoke
        age = (t * 0.22 + k / 4) % 1.0
        p.disc((0.29 + 0.12 * age, 1.02 + 0.12 * age), 0.03 + 0.05 * age, (206, 206, 208))


def tree(p: Pencil, t: float, tone: Colour) -> None:
    """A single broad-leaved tree, leaves stirring."""
    sway = 0.008 * np.sin(1.3 * t)
    p.shape([(-0.055, 0.0), (-0.03, 0.45), (0.03, 0.45), (0.055, 0.0)], (92, 70, 54))
    p.limb([(0.0, 0.36), (-0.16, 0.58)], (0.04, 0.02), (92, 70, 54))
    p.limb([(0.0, 0.40), (0.15, 0.62)], (0.04, 0.02), (92, 70, 54))
    rng = np.random.default_rng(5)
    green: Colour = (tone[0] * 0.3 + 60, tone[1] * 0.2 + 92, tone[2] * 0.1 + 46)
    for k in range(60):
        angle, reach = rng.uniform(0, 2 * np.pi), rng.random() ** 0.5
        x, y = 0.33 * reach * np.cos(angle), 0.70 + 0.26 * reach * np.sin(angle)
        bright = 0.72 + 0.5 * (y - 0.44) / 0.52 + rng.uniform(-0.08, 0.08)
        p.disc(
            (x + sway * (1 + 3 * y) + 0.004 * np.sin(2 * t + k), y),
            rng.uniform(0.05, 0.09),
            (green[0] * bright, green[1] * bright, green[2] * bright),
        )
