"""What came of a run, as far as clients see it."""

from pathlib import Path
from typing import Any, Final

from agent.run import Run
from agent.server.types import Result, Safety, Shot, Video
from agent.stopping import sentence
from agent.types import Candidate, Failure, Iteration

TYPES: Final = {".mp4": "video/mp4", ".webm": "video/webm", ".mov": "video/quicktime", ".gif": "image/gif"}
SHOWN: Final = ("width", "height", "num_frames", "fps")


def result(run: Run, safety: Safety | None) -> Result:
    """A run's result. Its files are named within the run's folder; endpoints and paths of the machine are left out."""
    best = run.best
    price = run.price.spent
    video = _video(run)
    asked = run.request.spec
    return Result(
        video=video,
        seed=run.request.seed if best is None else best.seed,
        prompt=run.prompt or "",
        score=run.score,
        accept_at=run.accept_at,
        accepted=run.accepted,
        calibrated=run.calibrated,
        stop_reason=run.stop_reason,
        stop_sentence=sentence(run) if run.ending is not None else "",
        iterations=len(run.iterations),
        renders=run.renders,
        shots=tuple(_shots(run)),
        notes=run.notes,
        requested={
            **{name: getattr(asked, name) for name in SHOWN},
            "num_inference_steps": asked.num_inference_steps,
            "guidance_scale": asked.guidance_scale,
        },
        effective={} if video is None else _effective(video, best),
        seconds={step: round(value, 3) for step, value in run.seconds.items()},
        gpu_seconds=round(run.gpu.spent, 3),
        price_usd=round(price, 4) if price else None,
        safety=safety,
    )


def _effective(video: Video, best: Candidate | None) -> dict[str, Any]:
    facts: dict[str, Any] = {name: getattr(video, name) for name in SHOWN}
    if best is not None and best.clip.rendering.num_inference_steps is not None:
        facts["num_inference_steps"] = best.clip.rendering.num_inference_steps
    if best is not None:
        facts["guardrails"] = best.clip.rendering.guardrails
    return facts


def _video(run: Run) -> Video | None:
    path, best = run.video, run.best
    if path is None or best is None:
        return None
    effective = run.export.effective if run.export is not None and run.exported else best.clip.effective
    try:
        size = path.stat().st_size
    except OSError:
        return None
    return Video(
        file=_within(path, run.folder),
        content_type=TYPES.get(path.suffix, "application/octet-stream"),
        bytes=size,
        width=effective.width,
        height=effective.height,
        fps=effective.fps,
        num_frames=effective.num_frames,
        duration=round(effective.num_frames / effective.fps, 4) if effective.fps else 0.0,
    )


def _shots(run: Run) -> list[Shot]:
    return [
        _shot(run, index, iteration, seed) for index, iteration in enumerate(run.iterations) for seed in iteration.seeds
    ]


def _shot(run: Run, index: int, iteration: Iteration, seed: int) -> Shot:
    facts: dict[str, Any] = {
        "iteration": index,
        "seed": seed,
        "tier": iteration.tier,
        "prompt": run.request.prompt_for(iteration.caption),
    }
    candidate = next((c for c in iteration.candidates if c.seed == seed), None)
    if candidate is not None:
        critique = candidate.critique
        return Shot(
            **facts,
            file=_within(candidate.clip.path, run.folder),
            score=candidate.score,
            accepted=run.accepts(candidate),
            scores={score.criterion: score.value for score in critique.scores},
            feedback=critique.feedback,
        )
    failure: Failure | None = next((f for f in iteration.failures if f.seed == seed), None)
    if failure is not None:
        file = None if failure.clip is None else _within(failure.clip.path, run.folder)
        return Shot(**facts, file=file, score=None, error=failure.message)
    if any(g.seed == seed for g in iteration.given_up):
        return Shot(**facts, file=None, score=None, error="given up: a sibling had been accepted")
    return Shot(**facts, file=None, score=None, error="not rendered: the run ended before")


def _within(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
