"""Clips as files: where the page finds them, and what they hold beside what was requested."""

import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from agent.report.posters import poster
from agent.report.wording import seconds, size
from agent.run import Run
from agent.types import Tier
from generator.types import Clip, Effective, Rendering, RenderSpec


@dataclass(frozen=True)
class Media:
    """A clip or image as the page shows it."""

    url: str
    """Relative to the page."""
    poster: str | None
    """A data URI."""
    present: bool
    """Whether the file is there and can be read."""


def media(file: Path, run_folder: Path) -> Media:
    """How the page names a file and what it shows before it plays."""
    still = poster(file, run_folder)
    return Media(relative(file, run_folder), still, present=file.exists() and still is not None)


def relative(file: Path, run_folder: Path) -> str:
    """A file's address as seen from the page."""
    return quote(Path(os.path.relpath(file, run_folder)).as_posix())


@dataclass(frozen=True)
class Row:
    """One property of a clip."""

    name: str
    requested: str
    effective: str
    known: bool = True
    """Whether the backend tells."""

    @property
    def differs(self) -> bool:
        """Whether the clip is something else than was asked for."""
        return self.known and self.requested != self.effective


@dataclass(frozen=True)
class Delivery:
    """Clips that hold the same."""

    clips: tuple[str, ...]
    """Names for people."""
    rows: tuple[Row, ...]
    codec: str
    by: str
    """Model and version that rendered; "" where the backend does not say."""
    tier: Tier
    """What was requested is what was asked of a draft, or what the user asked for."""

    @property
    def differs(self) -> bool:
        """Whether any property does."""
        return any(row.differs for row in self.rows)


def deliveries(run: Run) -> tuple[Delivery, ...]:
    """The run's clips, unjudged ones included, by what they really hold.

    Those that differ from what was requested come first, and drafts after renders as asked.
    """
    groups: dict[tuple[RenderSpec, Effective, Rendering], list[str]] = {}
    for index, iteration in enumerate(run.iterations, 1):
        clips: list[Clip | None] = [*(c.clip for c in iteration.candidates), *(f.clip for f in iteration.failures)]
        for clip in clips:
            if clip is not None:
                told = clip.rendering
                how = Rendering(
                    model=told.model,
                    version=told.version,
                    guardrails=told.guardrails,
                    num_inference_steps=told.num_inference_steps,
                )
                groups.setdefault((clip.spec, clip.effective, how), []).append(f"iteration {index}, seed {clip.seed}")
    found = [
        Delivery(tuple(names), _rows(*key), key[1].codec, _by(key[2]), run.request.tier_of(key[0]))
        for key, names in groups.items()
    ]
    return tuple(sorted(found, key=lambda d: (not d.differs, d.tier == "draft")))


def _by(how: Rendering) -> str:
    return " · ".join(filter(None, (how.model, how.version)))


def _rows(asked: RenderSpec, got: Effective, how: Rendering) -> tuple[Row, ...]:
    steps, checks = how.num_inference_steps, "on" if asked.guardrails else "off"
    told = {"none": "the backend has none", "unknown": "not told"}.get(how.guardrails, how.guardrails)
    rows = (
        Row("Size", size(asked), size(got)),
        Row("Frames", f"{asked.num_frames:,}", f"{got.num_frames:,}"),
        Row("Frames per second", f"{asked.fps:g}", f"{round(got.fps, 2):g}"),
        Row("Seconds", f"{asked.seconds:,.1f}", f"{got.num_frames / got.fps:,.1f}" if got.fps else "unknown"),
        Row("Steps", f"{asked.num_inference_steps}", "not told" if steps is None else f"{steps}", steps is not None),
        Row("Guardrails", checks, told, known=how.guardrails in {"on", "off"}),
    )
    return (*rows, Row("Sound", "yes", "yes" if got.audio else "none")) if asked.sound else rows


def made(clip: Clip) -> str:
    """How a clip was rendered: where, how long it waited there and worked, and how often it was sent."""
    how = clip.rendering
    parts = [f"Rendered at {how.endpoint}" if how.endpoint else "Rendered in this process"]
    parts.append(f"queue {seconds(how.queue_seconds)}")
    if how.render_seconds is not None:
        parts.append(f"render {seconds(how.render_seconds)}")
    if how.attempts > 1:
        parts.append(f"sent {how.attempts} times")
    return ", ".join(parts) + "."
