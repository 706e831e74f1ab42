"""The user's own base clips: a folder of clips with their prompts, a table, or a dataset of any format with labels."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from agent.bench.degrade.catalogue import Material
from agent.bench.fetching import Clips
from agent.bench.readers import open_dataset
from agent.bench.readers.sheet import columns, records
from agent.bench.types import BadRow, Row
from agent.errors import ConfigError, IntakeError
from critic import frames
from critic.signals.first_frame import load
from critic.together import together
from critic.types import JudgeError

SUFFIXES: Final = frozenset((".mp4", ".mov", ".m4v", ".mkv", ".webm", ".gif"))
IMAGES: Final = (".png", ".jpg", ".jpeg", ".webp")
MOST_FRAMES: Final = 97
"""Of a clip, if nothing is said: four seconds at 24 fps."""
LEAST_FRAMES: Final = 5
LEAST_SIDE: Final = 48
"""With fewer frames or smaller, some degradations cannot be done; clips made on the spot have as many, too."""
LONG_SIDE: Final = 640
"""Pixels that a clip is made smaller to, if nothing is said: what is done to it is done five times for each of forty
degradations."""


@dataclass(frozen=True)
class Asked:
    """A clip as its list names it."""

    video: str
    prompt: str
    first_frame: str | None = None


@dataclass(frozen=True)
class Own:
    """A clip of the user's. `agent.bench.degrade.bases.Base`."""

    name: str
    prompt: str
    video: Path
    image: Path | None
    size: tuple[int, int] | None = None
    """Width and height. None: its own, made smaller to `LONG_SIDE`."""
    most: int = MOST_FRAMES

    def material(self) -> Material:
        """Its first frames."""
        try:
            seconds, count = frames.length(self.video)
            rate = Fraction(count / seconds if seconds else 24).limit_denominator(1001)
            found: list[frames.Picture] = []
            for frame in islice(frames.every(self.video), self.most):
                width, height = self.size or _smaller(frame.width, frame.height)
                picture = frame.to_ndarray(format="rgb24", width=width, height=height, interpolation="AREA")
                found.append(np.asarray(picture, np.uint8))
            image = None if self.image is None else load(self.image)
        except (JudgeError, OSError) as error:
            raise ConfigError(f"--clips: {self.video}: {error}") from error
        if len(found) < LEAST_FRAMES:
            raise ConfigError(f"--clips: {self.video}: has {len(found)} frames, and {LEAST_FRAMES} are needed")
        if min(width, height) < LEAST_SIDE:
            raise ConfigError(f"--clips: {self.video}: is {width}x{height}, and {LEAST_SIDE} a side are needed")
        if image is not None:
            image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        return Material(np.stack(found), max(1, round(rate)), self.prompt, image)


def own(
    path: Path, cache: Path, *, count: int | None, size: tuple[int, int] | None, most: int | None
) -> tuple[Own, ...]:
    """The first `count` clips of a folder, a table or a dataset; each once, however many labels it has.

    Args:
        path: where they are listed, or lie.
        cache: folder for what is fetched.
        count: None: all.
        size: width and height that they are brought to.
        most: frames of each.

    Raises:
        ConfigError: there are none, one lacks a prompt, or one cannot be had or degraded.
    """
    if not path.exists():
        raise ConfigError(f"--clips: {path}: does not exist; give a folder of clips, a CSV of them, or a dataset")
    asked = list(islice(dict.fromkeys(_listed(path)), count))
    if not asked:
        raise ConfigError(f"--clips: {path}: holds no clips")
    try:
        files = asyncio.run(_had(asked, Clips(path if path.is_dir() else path.parent, cache)))
    except IntakeError as error:
        raise ConfigError(f"--clips: {path}: {error}") from error
    found: list[Own] = []
    for number, (each, (video, image)) in enumerate(zip(asked, files, strict=True), 1):
        word = re.sub(r"[^a-z0-9]+", "-", Path(each.video).stem.lower()).strip("-")[:32] or "clip"
        found.append(Own(f"{number:02d}-{word}", each.prompt, video, image, size, most or MOST_FRAMES))
        replace(found[-1], most=LEAST_FRAMES).material()  # one that cannot be used is told before any is judged
    return tuple(found)


async def _had(asked: Sequence[Asked], clips: Clips) -> list[tuple[Path, Path | None]]:
    """Each clip and its first frame, fetched where they are not on this machine."""

    async def had(each: Asked) -> tuple[Path, Path | None]:
        video = await clips.video(each.video)
        return video, None if each.first_frame is None else await clips.first_frame(each.first_frame, video)

    return await together([had(each) for each in asked])


def _listed(path: Path) -> Iterator[Asked]:
    if path.is_dir() and (clips := sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)):
        yield from map(_beside, clips)
    elif path.suffix.lower() in {".csv", ".tsv", ".jsonl", ".ndjson"} and _plain(path):
        for record in records(path, required=("video", "prompt"), used=("first_frame",)):
            if isinstance(record, BadRow):
                raise ConfigError(f"--clips: {path}: line {record.line}: {record.why}")
            if empty := next((column for column in ("video", "prompt") if not record[column]), ""):
                raise ConfigError(f"--clips: {path}: line {record.line}: {empty} is empty")
            yield Asked(record["video"], record["prompt"], record["first_frame"] or None)
    else:
        for row in open_dataset(path).rows():
            if isinstance(row, Row):
                yield Asked(row.video, row.prompt, row.first_frame)


def _plain(path: Path) -> bool:
    """Whether a table needs no format: what is in it says what it is."""
    return {"video", "prompt"} <= {name.strip().lower() for name in columns(path)}


def _beside(clip: Path) -> Asked:
    """A clip of a folder, with the prompt and the image that lie beside it under its name."""
    text = clip.with_suffix(".txt")
    try:
        prompt = text.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"--clips: {clip}: what was asked for it must stand in {text.name} beside it ({error}); or give a CSV with "
            "the columns video and prompt"
        ) from error
    if not prompt:
        raise ConfigError(f"--clips: {text}: is empty; write into it what was asked for the clip")
    image = next((p for suffix in IMAGES if (p := clip.with_suffix(suffix)).is_file()), None)
    return Asked(clip.name, prompt, None if image is None else image.name)


def _smaller(width: int, height: int) -> tuple[int, int]:
    scale = min(1.0, LONG_SIDE / max(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)
