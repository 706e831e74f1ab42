"""Published and measured latencies, and what they say of a render of another size, length or number of steps.

Between two published sizes the seconds follow a power of pixels x frames, the one that goes through both: attention
makes a video cost more than its pixels (Cosmos3-Nano on an H100: 6.5 times the pixels take 8.3 times as long, 15 times
the pixels 29 times). Beyond the largest the last power goes on; below the smallest the seconds shrink with the pixels
and no faster. Seconds grow in proportion to the steps and to the passes of a step (two where guidance is above 1). What
of a render does not hang on its steps is thus taken to do so: an eighth by the one published breakdown (Super on 8
H200: 14.4 s and 3.03 s a step, vllm-omni PR #5909), so that far fewer steps take a little longer than said here.
"""

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

from agent.forecast import Bounds
from generator.sizes import TIERS
from generator.types import Mode, RenderSpec

DATA = Path(__file__).with_name("latencies.yaml")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The one in C is ten times as quick, and not in every build of PyYAML."""
STEPS = 35
"""Steps where a render's own are not known: Cosmos3's."""


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    """Key of `Latencies.sources`."""


class RenderRow(_Row):
    """One render."""

    model: str
    hardware: str
    gpus: int = Field(ge=0)
    """That one render is spread over; 0: it runs on a processor core."""
    mode: Mode
    tier: int
    """The size is the 16:9 one of this tier."""
    frames: int = Field(ge=1)
    steps: int = Field(ge=1)
    seconds: float = Field(gt=0)
    slowest: float | None = None
    """Of several scenes, where `seconds` is the middle of them. None: nothing is told of their spread."""
    engine: str
    """Backend that it holds for."""

    @property
    def volume(self) -> float:
        """Pixels x frames."""
        width, height = TIERS[self.tier]["16,9"]
        return float(width * height * self.frames)


class ReplyRow(_Row):
    """One reply to a question about a video."""

    model: str
    hardware: str
    tokens: int
    """Written."""
    fps: float
    """Frames a second that the model sees of the video."""
    seconds: float = Field(gt=0)
    """With one request at a time."""
    per_second: float | None = Field(gt=0)
    """Replies a second, with 64 requests at a time. None: not published."""


class CritiqueRow(_Row):
    """One critique by the embedded critic."""

    tier: int
    frames: int
    hardware: str
    seconds: float = Field(gt=0)
    slowest: float | None = None
    """As of a render."""

    @property
    def volume(self) -> float:
        """Pixels x frames."""
        width, height = TIERS[self.tier]["16,9"]
        return float(width * height * self.frames)


class Latencies(BaseModel):
    """Everything in `latencies.yaml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: dict[str, str]
    renders: tuple[RenderRow, ...]
    replies: tuple[ReplyRow, ...]
    critiques: tuple[CritiqueRow, ...]

    @property
    def hardware(self) -> tuple[str, ...]:
        """The GPUs that anything is published for."""
        return tuple(dict.fromkeys(row.hardware for row in self.renders if row.gpus))


@cache
def latencies() -> Latencies:
    """The data file, read once."""
    data = yaml.load(DATA.read_text(encoding="utf-8"), _LOADER)  # noqa: S506 - both are safe loaders
    return Latencies.model_validate(data)


def volume(spec: RenderSpec) -> float:
    """Pixels x frames of a render."""
    return float(spec.width * spec.height * spec.num_frames)


def passes(spec: RenderSpec) -> float:
    """Runs through the model as a share of the standard ones: 35 steps of two each."""
    return spec.num_inference_steps * (2 if spec.guidance_scale > 1 else 1) / (2 * STEPS)


def interpolated(points: Sequence[tuple[float, float]], at: float) -> float:
    """Seconds at a volume, from the seconds at others: by powers between them, see the module.

    Args:
        points: volume and seconds of each, at least one.
        at: the volume.
    """
    known = sorted(points)
    if at <= known[0][0] or len(known) == 1:
        return known[0][1] * at / known[0][0]
    above = next((n for n, (size, _) in enumerate(known) if size >= at), len(known) - 1)
    (low, quick), (high, slow) = known[above - 1], known[above]
    power = math.log(slow / quick) / math.log(high / low)
    return float(quick * (at / low) ** power)


def render_seconds(rows: Sequence[RenderRow], spec: RenderSpec) -> Bounds:
    """Seconds of one render, from rows of one model, engine, mode and hardware. Steps count where a model has them."""
    by_steps = passes(spec) if rows[0].gpus else 1.0
    middle = [(row.volume, row.seconds * STEPS / row.steps) for row in rows]
    most = [(row.volume, (row.slowest or row.seconds) * STEPS / row.steps) for row in rows]
    return _between(middle, most, volume(spec), by_steps)


def critique_seconds(at: float) -> Bounds:
    """Seconds of one critique by the embedded critic, of a clip of `at` pixels x frames."""
    rows = latencies().critiques
    middle = [(row.volume, row.seconds) for row in rows]
    return _between(middle, [(row.volume, row.slowest or row.seconds) for row in rows], at, 1.0)


def _between(
    middle: Sequence[tuple[float, float]], most: Sequence[tuple[float, float]], at: float, by: float
) -> Bounds:
    expected, worst = (round(interpolated(points, at) * by, 4) for points in (middle, most))
    return Bounds(expected=expected, worst=max(expected, worst))
