"""The agent's nouns: a request, its budget, and a run that grows by what happened."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from critic.types import Critique
from generator.types import Clip, RenderSpec
from reasoner.types import Caption, CaptionRequest, Revision

StopReason = Literal["accepted", "iterations", "budget", "deadline", "cancelled", "failed"]
Step = Literal["caption", "render", "judge"]


class _Noun(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Request(_Noun):
    """What the user asked, made exact."""

    prompt: str
    """Word for word. The critic judges against this, never against a rewrite."""
    spec: RenderSpec
    seed: int = Field(ge=0)
    """Seed of the first candidate; the others count up from it."""
    expand: bool = True
    """False: the user's own words go to the generator until a rewrite."""
    notes: tuple[str, ...] = ()
    """What was made of the wish where it could not be had as it stood, e.g. a snapped size."""

    def caption_request(self) -> CaptionRequest:
        """The part of it that a reasoner is told."""
        spec = self.spec
        return CaptionRequest(
            prompt=self.prompt,
            first_frame=spec.first_frame,
            width=spec.width,
            height=spec.height,
            num_frames=spec.num_frames,
            fps=spec.fps,
        )


class Budget(_Noun):
    """What a run may spend, and when it may stop early."""

    model_config = ConfigDict(strict=True, use_attribute_docstrings=True)

    max_iterations: int = Field(default=2, ge=1, le=100)
    """Captions tried."""
    samples_per_iteration: int = Field(default=2, ge=1, le=64)
    """Candidates rendered of each caption, one a seed. Every iteration uses the same seeds."""
    early_stop: bool = True
    """Stop as soon as a candidate is accepted (`critic.accept_at`)."""
    max_seconds: float | None = Field(default=None, gt=0)
    """Wall seconds, those before an interruption included. null: no limit."""
    max_renders: int | None = Field(default=None, ge=1)
    """Renders, failed ones included. null: no limit."""


class Candidate(_Noun):
    """A clip and its critique, always both."""

    clip: Clip
    critique: Critique

    @property
    def seed(self) -> int:
        """Seed of the clip."""
        return self.clip.seed

    @property
    def score(self) -> float:
        """Overall score in [0, 1]."""
        return self.critique.overall


class Failure(_Noun):
    """An attempt that gave no judged clip."""

    step: Step
    seed: int
    message: str
    clip: Clip | None = None
    """The clip, where it was rendered and could not be judged."""


class Iteration(_Noun):
    """One caption and what came of it. A running iteration has fewer candidates than seeds."""

    caption: Caption
    parent: int | None = None
    """Index of the iteration whose caption was rewritten."""
    seeds: tuple[int, ...]
    candidates: tuple[Candidate, ...] = ()
    """In the order of `seeds`."""
    failures: tuple[Failure, ...] = ()

    @property
    def best(self) -> Candidate | None:
        """The highest score; the earlier seed among equals."""
        return max(self.candidates, key=lambda c: c.score, default=None)

    @property
    def renders(self) -> int:
        """Renders made, failed ones included."""
        return len(self.candidates) + len(self.failures)

    def gain_over(self, other: "Iteration") -> float | None:
        """Mean score gained over another iteration on the seeds that both have; None without one."""
        before = {c.seed: c.score for c in other.candidates}
        gains = [c.score - before[c.seed] for c in self.candidates if c.seed in before]
        return fmean(gains) if gains else None

    def with_candidate(self, candidate: Candidate) -> Self:
        """This iteration and one more judged clip."""
        ordered = sorted([*self.candidates, candidate], key=lambda c: self.seeds.index(c.seed))
        return self.model_copy(update={"candidates": tuple(ordered)})

    def with_failure(self, failure: Failure) -> Self:
        """This iteration and one more failed attempt."""
        ordered = sorted([*self.failures, failure], key=lambda f: self.seeds.index(f.seed))
        return self.model_copy(update={"failures": tuple(ordered)})


class Ending(_Noun):
    """Why a run stopped."""

    reason: StopReason
    detail: str = ""
    """For `failed`: what failed."""


class Run(_Noun):
    """A request, its iterations so far, and in the end why it stopped. Immutable: each `with_…` returns the next."""

    id: str
    folder: Path = Field(exclude=True, default=Path())
    """Where the run lives. Not written: a folder can be moved."""
    created_at: datetime
    request: Request
    budget: Budget
    accept_at: float | None = Field(default=None, ge=0, le=1)
    """Score at which a candidate is accepted, if every floor holds. None: never."""
    iterations: tuple[Iteration, ...] = ()
    ending: Ending | None = None
    versions: dict[str, str] = {}
    """Of Retake, Python and what decides the pixels."""

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """All of them, in order."""
        return tuple(c for i in self.iterations for c in i.candidates)

    @property
    def best(self) -> Candidate | None:
        """The chosen candidate: the highest score, the earliest among equals."""
        return max(self.candidates, key=lambda c: c.score, default=None)

    @property
    def best_iteration(self) -> int | None:
        """Index of the iteration that the chosen candidate came from."""
        best = self.best
        return next((n for n, i in enumerate(self.iterations) if best in i.candidates), None) if best else None

    @property
    def champion(self) -> int:
        """Index of the iteration with the best caption: a later one must have gained on the same seeds."""
        champion = 0
        for index, iteration in enumerate(self.iterations):
            gain = iteration.gain_over(self.iterations[champion])
            if gain is not None and gain > 0:
                champion = index
        return champion

    @property
    def renders(self) -> int:
        """Renders made, failed ones included."""
        return sum(i.renders for i in self.iterations)

    @property
    def stop_reason(self) -> StopReason | None:
        """Why the run stopped; None while it runs."""
        return self.ending.reason if self.ending else None

    @property
    def video(self) -> Path | None:
        """The chosen clip's file."""
        return self.best.clip.path if self.best else None

    @property
    def score(self) -> float | None:
        """The chosen clip's overall score in [0, 1]."""
        return self.best.score if self.best else None

    @property
    def prompt(self) -> str | None:
        """The text that the chosen clip was rendered from."""
        index = self.best_iteration
        return None if index is None else self.iterations[index].caption.prompt

    @property
    def accepted(self) -> bool:
        """Whether the chosen clip reached `accept_at` with every floor held."""
        return self.best is not None and self.accepts(self.best)

    @property
    def seconds(self) -> dict[Step, float]:
        """Wall seconds by step, summed over parallel work, remembered steps included."""
        clips = [c.clip for c in self.candidates] + [f.clip for i in self.iterations for f in i.failures if f.clip]
        return {
            "caption": sum(i.caption.seconds for i in self.iterations),
            "render": sum(c.seconds for c in clips),
            "judge": sum(c.critique.seconds for c in self.candidates),
        }

    def accepts(self, candidate: Candidate) -> bool:
        """Whether a candidate reaches `accept_at` with every floor held."""
        return self.accept_at is not None and candidate.score >= self.accept_at and candidate.critique.floors_hold

    def next_seeds(self, caption: Caption) -> tuple[int, ...]:
        """The seeds for `caption`: the same in every iteration, or a better score could be the dice's doing.

        Only a caption that is tried again unchanged gets fresh ones. Never more than `budget.max_renders` still allows.
        """
        count = self.budget.samples_per_iteration
        fresh = 1 + sum(i.caption.reseed for i in self.iterations) if caption.reseed else 0
        left = count if self.budget.max_renders is None else self.budget.max_renders - self.renders
        return tuple(self.request.seed + fresh * count + n for n in range(min(count, left)))

    def clip_path(self, iteration: int, seed: int) -> Path:
        """Where the clip of a seed is rendered to."""
        return self.folder / "clips" / f"{iteration + 1:02d}-seed-{seed}.mp4"

    def history(self) -> Sequence[Revision]:
        """What a rewriter is told: each caption with its scores, words and paired gain."""
        return [self._revision(i) for i in self.iterations]

    def _revision(self, iteration: Iteration) -> Revision:
        best = iteration.best
        if best is None:
            raise ValueError("an iteration without a judged clip has no history")
        names = [s.criterion for s in best.critique.scores]
        by_name: dict[str, list[float]] = {name: [] for name in names}
        for candidate in iteration.candidates:
            for score in candidate.critique.scores:
                by_name.setdefault(score.criterion, []).append(score.value)
        return Revision(
            caption=iteration.caption,
            score=fmean(c.score for c in iteration.candidates),
            criteria={name: fmean(values) for name, values in by_name.items()},
            floors={s.criterion: s.floor for s in best.critique.scores},
            feedback=best.critique.feedback,
            parent=iteration.parent,
            gain=None if iteration.parent is None else iteration.gain_over(self.iterations[iteration.parent]),
        )

    def with_caption(self, caption: Caption, seeds: Sequence[int]) -> Self:
        """This run with a new iteration begun."""
        parent = self.champion if self.iterations else None
        return self._with(iterations=(*self.iterations, Iteration(caption=caption, parent=parent, seeds=tuple(seeds))))

    def with_candidate(self, candidate: Candidate) -> Self:
        """This run with one more judged clip in its last iteration."""
        return self._with(iterations=(*self.iterations[:-1], self.iterations[-1].with_candidate(candidate)))

    def with_failure(self, failure: Failure) -> Self:
        """This run with one more failed attempt in its last iteration."""
        return self._with(iterations=(*self.iterations[:-1], self.iterations[-1].with_failure(failure)))

    def stopped(self, ending: Ending) -> Self:
        """This run at its end."""
        return self._with(ending=ending)

    def _with(self, **changes: object) -> Self:
        return self.model_copy(update=changes)
