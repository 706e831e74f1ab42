"""Degradations of time: frames that stand, repeat, are missing, come in another order, or from elsewhere."""

import numpy as np

from agent.bench.degrade.video import Video


def frozen(video: Video, severity: int) -> Video:
    """The clip stands still for 25 to 95 % of its length, from a third on."""
    n = len(video)
    pairs = round((n - 1) * (0.25, 0.35, 0.5, 0.7, 0.95)[severity - 1])
    start = min(n // 3, n - 1 - pairs)
    out = video.copy()
    out[start : start + pairs + 1] = video[start]
    return out


def duplicated(video: Video, severity: int) -> Video:
    """Every 10th to every 2nd frame is shown again in the next one's place, as when a lower rate is padded."""
    step = (10, 7, 5, 3, 2)[severity - 1]
    out = video.copy()
    out[step::step] = video[step - 1 : -1 : step][: len(out[step::step])]
    return out


def cut(video: Video, severity: int) -> Video:
    """The clip is broken into `severity` + 1 pieces, every second one mirrored and turned upside down."""
    out = video.copy()
    for piece in np.array_split(np.arange(len(video)), severity + 1)[1::2]:
        out[piece] = video[piece][:, ::-1, ::-1]
    return out


def blackened(video: Video, severity: int) -> Video:
    """4 to 60 % of the frames, in the middle, are black."""
    n = len(video)
    length = max(1, round(n * (0.04, 0.1, 0.2, 0.4, 0.6)[severity - 1]))
    out = video.copy()
    out[(n - length) // 2 : (n - length) // 2 + length] = 6
    return out


def shuffled(video: Video, severity: int) -> Video:
    """A stretch of 15 to 100 % of the frames, in the middle, is in random order."""
    n = len(video)
    length = round(n * (0.15, 0.25, 0.4, 0.7, 1.0)[severity - 1])
    start = (n - length) // 2
    out = video.copy()
    out[start : start + length] = video[start + np.random.default_rng(10).permutation(length)]
    return out
