"""What single pictures show, over a clip: judged by the worst half second, not by the mean, which hides it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from critic.signals import picture
from critic.signals.curves import score
from critic.signals.pairs import Floats
from critic.signals.reading import Reading, Span
from critic.signals.timeline import runs

_WORST_SECONDS = 0.5
"""Length of the stretch that a clip is judged by: a sixth of a second of damage still makes a third of it."""
_NOTED = 0.15
"""How much lower than usual a moment scores that is named."""


@dataclass(frozen=True)
class Course:
    """One measure, higher is worse, at each close-up of a clip."""

    frames: NDArray[np.int64]
    """(k,) index of each frame."""
    values: Floats
    """(k,) the measure there."""
    worst: float
    """The largest mean over `_WORST_SECONDS`; over all, when the clip is shorter."""
    start: int
    """The frame at which that stretch begins."""
    usual: float
    """The median."""


def follow(reading: Reading, measure: Callable[[picture.Luma], float]) -> Course:
    """Take `measure` at each close-up."""
    return lay_out(reading, {i: measure(parts.astype(np.float32)) for i, parts in reading.close_ups})


def lay_out(reading: Reading, by_frame: Mapping[int, float]) -> Course:
    """Find the worst half second of values at some frames, at least one, in order."""
    frames, values = np.array(list(by_frame)), np.array(list(by_frame.values()))
    times = reading.footage.times[frames]
    spacing = float(np.median(np.diff(times))) if len(times) > 1 else _WORST_SECONDS
    length = min(len(values), max(1, round(_WORST_SECONDS / spacing))) if spacing > 0 else 1
    means = np.convolve(values, np.ones(length) / length, "valid")
    at = int(np.argmax(means))
    return Course(frames, values, float(means[at]), int(frames[at]), float(np.median(values)))


def peaks(reading: Reading, course: Course, curve: str, wishes: frozenset[str], words: str) -> tuple[Span, ...]:
    """The stretches that score clearly below the clip's usual, each from its first frame to the next good one."""
    usual = score(curve, course.usual, wishes)
    poor = np.array([usual - score(curve, float(value), wishes) >= _NOTED for value in course.values])
    ends = np.append(course.frames[1:], len(reading.footage.times) - 1)
    return tuple(
        Span(reading.seconds(int(course.frames[a])), reading.seconds(int(ends[b - 1])), words) for a, b in runs(poor)
    )


def told(course: Course, curve: str, wishes: frozenset[str], figure: Callable[[float], str]) -> str:
    """When it is worst, what is usual where that scores clearly better, and how many frames were looked at."""
    better = score(curve, course.usual, wishes) - score(curve, course.worst, wishes) >= _NOTED / 3
    usual = f", usually {figure(course.usual)}" if better else ""
    return f"in the worst half second{usual} ({len(course.values)} frames looked at closely)"
