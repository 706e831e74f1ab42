"""Degradations of time: frames that stand, repeat, are missing, come in another order, or from elsewhere."""

import cv2
import numpy as np

from agent.bench.degrade.video import Video, each
from generator.interpolate import Between


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


def backwards(video: Video, severity: int) -> Video:
    """The last 20 to 100 % of the clip are played backwards: it turns round, at the worst at its start."""
    n = len(video)
    back = round(n * severity / 5)
    top = max(n - back, back) - 1
    forth = np.arange(top - (n - back) + 1, top + 1)
    return video.take(np.concatenate([forth, np.arange(top, top - back, -1)]), axis=0)


def jumbled(video: Video, severity: int) -> Video:
    """All frames are out of order: each comes up to 2 to 16 places late, or anywhere."""
    late = (2, 4, 8, 16, 10 * len(video))[severity - 1]
    return video[np.argsort(np.arange(len(video)) + np.random.default_rng(12).uniform(0, late, len(video)))]


def stuttering(video: Video, severity: int) -> Video:
    """Each frame stands for 2 to 8 in a row: 12 to 3 pictures a second of 24."""
    hold = (2, 3, 4, 6, 8)[severity - 1]
    return video[np.arange(len(video)) // hold * hold]


def dropped(video: Video, severity: int) -> Video:
    """5 to 50 % of the frames are missing here and there: the clip is shorter and jerks."""
    n = len(video)
    inner = max(0, n - 2 - round(n * (0.05, 0.1, 0.2, 0.35, 0.5)[severity - 1]))
    kept = 1 + np.random.default_rng(13).permutation(max(0, n - 2))[:inner]
    return video.take(np.sort(np.concatenate([[0], kept, [n - 1]])).astype(int), axis=0)


def slowed(video: Video, severity: int) -> Video:
    """Everything moves at 50 to 2 % of its pace, in smooth pictures between the frames."""
    pace = (0.5, 0.25, 0.12, 0.05, 0.02)[severity - 1]
    out = video.copy()
    between: tuple[int, Between | None] = -1, None
    for i, place in enumerate(np.arange(len(video)) * pace):
        at = min(int(place), len(video) - 2)
        if at != between[0]:
            between = at, Between(video[at], video[at + 1])
        if between[1] is not None:
            out[i] = between[1].at(float(place - at))
    return out


def cut_in(video: Video, other: Video, severity: int) -> Video:
    """4 to 60 % of the frames, in the middle, are another clip's."""
    n = len(video)
    length = max(1, round(n * (0.04, 0.1, 0.2, 0.4, 0.6)[severity - 1]))
    middle = slice((n - length) // 2, (n - length) // 2 + length)
    out = video.copy()
    out[middle] = _as_long(other, video)[middle]
    return out


def dissolved(video: Video, other: Video, severity: int) -> Video:
    """From a third on the clip turns into another one, to 20 to 100 %, without a cut."""
    share = np.clip((np.linspace(0, 1, len(video)) - 1 / 3) * 2, 0, 1) * severity / 5
    others = _as_long(other, video)
    return each(lambda f, i: f * (1 - share[i]) + others[i] * share[i], video)


def _as_long(other: Video, video: Video) -> Video:
    """Another clip at this one's size and number of frames."""
    n, height, width = video.shape[:3]
    sized = [cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in other[:n]]
    return np.stack(sized).astype(np.uint8)[np.arange(n) % len(sized)]
