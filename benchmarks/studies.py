"""How each signal of the critic `signals` follows its controlled degradations: rank correlation and separation."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np

from agent.bench.degrade import first, light, order, picture, scenes
from agent.bench.degrade.video import SEVERITIES, Video, decode, encode, footage
from critic.frames import Picture
from critic.signals.camera import CLEAR, camera
from critic.signals.first_frame import first_frame
from critic.signals.judge import SIGNALS
from critic.signals.reading import Finding, Reading
from critic.signals.rubric import RUBRIC
from reasoner.camera import Move

DEGRADATIONS: Mapping[str, tuple[Callable[[Video, int], Video], ...]] = {
    "frozen": (order.frozen,),
    "duplicates": (order.duplicated,),
    "cuts": (order.cut, order.shuffled),
    "black": (order.blackened,),
    "flicker": (light.flickering,),
    "shake": (picture.shaken,),
    "warping": (picture.warped,),
    "blur": (picture.blurred, picture.blurred_in_part),
    "noise": (picture.noisy, picture.noisy_in_part, picture.static_burst),
    "blockiness": (picture.blocky, picture.blocky_codec),
    "banding": (picture.banded,),
    "exposure": (light.underexposed, light.overexposed),
    "saturation": (light.oversaturated,),
}
"""By criterion. Not here: `motion` (a slower scene), `camera` (a shorter move), `first_frame` (another image)."""


@dataclass(frozen=True)
class Study:
    """One degradation's scores: clean clips, and for each base clip the five severities."""

    criterion: str
    degradation: str
    clean: tuple[float, ...]
    degraded: tuple[tuple[float, ...], ...]

    @property
    def spearman(self) -> float:
        """Mean over base clips of the rank correlation of severity with badness; 1 is a strict order."""
        return float(np.mean([_rank_correlation(SEVERITIES, [-value for value in row]) for row in self.degraded]))

    @property
    def auc(self) -> float:
        """Chance that a clean clip scores over a degraded one; ties count half."""
        return _auc(self.clean, [value for row in self.degraded for value in row])

    @property
    def auc_mildest(self) -> float:
        """`auc` at severity 1."""
        return _auc(self.clean, [row[0] for row in self.degraded])


@dataclass(frozen=True)
class Bench:
    """Base clips, and whether they pass through H.264 before they are measured."""

    seeds: tuple[int, ...] = (0,)
    clean_seeds: tuple[int, ...] = (0, 1, 2)
    encoded: bool = True
    frames: int = 33

    def reading(self, video: Video) -> Reading:
        """What the signals are computed from."""
        if not self.encoded:
            return Reading(footage(video))
        with TemporaryDirectory() as folder:
            return Reading(footage(decode(encode(video, Path(folder, "clip.mp4")))))

    def clean(self) -> Iterator[Reading]:
        """Readings of all clean clips."""
        for place in scenes.PLACES:
            for seed in self.clean_seeds:
                yield _clean(self, place, seed)

    def bases(self) -> Iterator[Video]:
        """Clips to degrade."""
        for place in scenes.PLACES:
            for seed in self.seeds:
                yield _base(place, seed, self.frames)


@cache
def _base(place: scenes.Place, seed: int, frames: int) -> Video:
    # the second seed stands still, the third rolls: clean clips differ in more than their paint
    path = (scenes.Path(pan=0.12, zoom=1.08), scenes.Path(), scenes.Path(tilt=0.08, roll=4))[seed % 3]
    return scenes.clip(place, seed, frames=frames, path=path)


@cache
def _clean(bench: Bench, place: scenes.Place, seed: int) -> Reading:
    return bench.reading(_base(place, seed, bench.frames))


def studies(bench: Bench, criteria: Sequence[str] | None = None) -> Iterator[Study]:
    """All studies of the named criteria, in the rubric's order."""
    for criterion in [c.name for c in RUBRIC.criteria if criteria is None or c.name in criteria]:
        match criterion:
            case "camera":
                yield _camera(bench)
            case "first_frame":
                for change in (first.first_shifted, first.first_zoomed, first.first_mixed):
                    yield _first_frame(bench, change)
            case "motion":
                yield _motion(bench)
            case _:
                for degrade in DEGRADATIONS[criterion]:
                    yield _degraded(bench, criterion, degrade)


def _degraded(bench: Bench, criterion: str, degrade: Callable[[Video, int], Video]) -> Study:
    def value(reading: Reading) -> float:
        return SIGNALS[criterion](reading, frozenset()).value

    return Study(
        criterion,
        degrade.__name__,
        tuple(value(reading) for reading in bench.clean()),
        tuple(tuple(value(bench.reading(degrade(base, s))) for s in SEVERITIES) for base in bench.bases()),
    )


def _motion(bench: Bench) -> Study:
    """A still camera, and a subject that travels at 25 % of its usual pace down to none."""

    def value(place: scenes.Place, pace: float) -> float:
        video = scenes.clip(place, frames=bench.frames, path=scenes.Path(), pace=pace)
        return SIGNALS["motion"](bench.reading(video), frozenset()).value

    paces = (0.25, 0.1, 0.04, 0.015, 0.0)
    return Study(
        "motion",
        "slowed",
        tuple(value(place, 1) for place in scenes.PLACES),
        tuple(tuple(value(place, pace) for pace in paces) for place in scenes.PLACES),
    )


ASKED: Final[dict[Move, Callable[[float], scenes.Path]]] = {
    "pan_right": lambda amount: scenes.Path(pan=amount * CLEAR["pan"]),
    "pan_left": lambda amount: scenes.Path(pan=-amount * CLEAR["pan"]),
    "tilt_up": lambda amount: scenes.Path(tilt=amount * CLEAR["tilt"]),
    "tilt_down": lambda amount: scenes.Path(tilt=-amount * CLEAR["tilt"]),
    "push_in": lambda amount: scenes.Path(zoom=float(np.exp(amount * CLEAR["zoom"]))),
    "pull_out": lambda amount: scenes.Path(zoom=float(np.exp(-amount * CLEAR["zoom"]))),
    "roll_right": lambda amount: scenes.Path(roll=amount * CLEAR["roll"]),
    "roll_left": lambda amount: scenes.Path(roll=-amount * CLEAR["roll"]),
}
"""By move, the camera path that makes an amount of a clear one."""


def asked_move(bench: Bench, place: scenes.Place, move: Move, amount: float) -> Finding:
    """What `camera` finds when `move` is asked and `amount` of a clear one is made."""
    return camera(bench.reading(scenes.clip(place, frames=bench.frames, path=ASKED[move](amount))), [[move]])


def _camera(bench: Bench) -> Study:
    """The asked move at 70 % of a clear one down to the wrong way."""
    amounts = (0.7, 0.5, 0.3, 0.1, -0.5)
    cases = [(scenes.PLACES[i % len(scenes.PLACES)], move) for i, move in enumerate(ASKED)]
    return Study(
        "camera",
        "shortened",
        tuple(asked_move(bench, place, move, 1.3).value for place, move in cases),
        tuple(tuple(asked_move(bench, place, move, a).value for a in amounts) for place, move in cases),
    )


def _first_frame(bench: Bench, change: Callable[[Picture, int], Picture]) -> Study:
    bases = list(bench.bases())
    readings = [bench.reading(base[:5]) for base in bases]
    return Study(
        "first_frame",
        change.__name__,
        tuple(first_frame(reading, base[0]).value for base, reading in zip(bases, readings, strict=True)),
        tuple(
            tuple(first_frame(reading, change(base[0], s)).value for s in SEVERITIES)
            for base, reading in zip(bases, readings, strict=True)
        ),
    )


def _ranks(values: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    array = np.asarray(values, float)
    return np.array([(array < v).sum() + ((array == v).sum() - 1) / 2 for v in array], float)


def _rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    x, y = _ranks(a), _ranks(b)
    return float(np.corrcoef(x, y)[0, 1]) if x.std() > 0 and y.std() > 0 else 0.0


def _auc(clean: Sequence[float], degraded: Sequence[float]) -> float:
    a, b = np.array(clean)[:, None], np.array(degraded)[None]
    return float(((a > b) + (a == b) / 2).mean())
