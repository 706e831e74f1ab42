"""Degradations of a part of the picture, and of its frame: what is laid over it, stands still in it, or is broken."""

import cv2
import numpy as np

from agent.bench.degrade.video import Video

_BLOCK = 16
"""Pixels a side of the blocks that a broken stream loses: H.264's macroblocks."""


def watermarked(video: Video, severity: int) -> Video:
    """White letters across the middle, as a stock library's, at 10 to 80 % opacity."""
    opacity = (0.1, 0.2, 0.35, 0.55, 0.8)[severity - 1]
    height, width = video.shape[1:3]
    scale = width / 260
    thickness = max(1, round(2.5 * scale))
    (wide, tall), _ = cv2.getTextSize("STOCK VIDEO", cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    place = (width - wide) // 2, (height + tall) // 2
    mask = np.zeros((height, width), np.uint8)
    cv2.putText(mask, "STOCK VIDEO", place, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thickness, cv2.LINE_AA)
    share = mask[..., None] / 255 * opacity
    return np.asarray(video * (1 - share) + 255 * share + 0.5, np.uint8)


def letterboxed(video: Video, severity: int) -> Video:
    """Black bars hide 3 to 22 % of the height above and below."""
    bar = max(1, round(video.shape[1] * (0.03, 0.06, 0.1, 0.15, 0.22)[severity - 1]))
    out = video.copy()
    out[:, :bar] = out[:, -bar:] = 0
    return out


def corrupted(video: Video, severity: int) -> Video:
    """Blocks of 16x16 pixels in 1 to 35 % of the picture show other places of it, others every fourth frame."""
    height, width = video.shape[1] // _BLOCK, video.shape[2] // _BLOCK
    side = np.sqrt((0.01, 0.03, 0.08, 0.18, 0.35)[severity - 1])
    tall, wide = max(1, round(height * side)), max(1, round(width * side))
    top, left = (height - tall) * 2 // 3, (width - wide) // 3
    dice = np.random.default_rng(14)
    out = video.copy()
    for i in range(len(video)):
        if i % 4 == 0:
            sources = dice.integers(0, [height, width], (tall, wide, 2)) * _BLOCK
        for (y, x), (from_y, from_x) in zip(np.ndindex(tall, wide), sources.reshape(-1, 2), strict=True):
            to_y, to_x = (top + y) * _BLOCK, (left + x) * _BLOCK
            block = video[i, from_y : from_y + _BLOCK, from_x : from_x + _BLOCK]
            out[i, to_y : to_y + _BLOCK, to_x : to_x + _BLOCK] = block
    return out


def stuck(video: Video, severity: int) -> Video:
    """5 to 60 % of the picture, in its middle, stand still while the rest goes on."""
    side = np.sqrt((0.05, 0.12, 0.25, 0.4, 0.6)[severity - 1]) / 2
    height, width = video.shape[1:3]
    rows = slice(round(height * (0.5 - side)), round(height * (0.5 + side)))
    columns = slice(round(width * (0.5 - side)), round(width * (0.5 + side)))
    out = video.copy()
    out[:, rows, columns] = video[0, rows, columns]
    return out
