"""The agent's small nouns: what was asked, what may be spent, and what came of it."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agent.paired import Gain
from critic.canaries.types import LEAST_AUC
from critic.types import Comparison, Critique
from generator.export.types import Exported
from generator.types import BackendError, Clip, RenderError, Rendering, RenderSpec, RunPath
from reasoner.types import Caption, CaptionRequest

StopReason = Literal[
    "accepted",
    "failed",
    "iterations",
    "renders",
    "gpu_seconds",
    "price",
    "patience",
    "plateau",
    "expected_gain",
    "deadline",
    "cancelled",
]
"""Each is the name of a rule in `agent.stopping`."""
SENTENCES_SHORT, SENTENCES_LONG = 160, 500
"""Words of a caption in sentences: as many as CogVideoX's 226 T5 tokens hold; as many as fit 4096 characters."""
Step = Literal["caption", "render", "rubric", "judge", "compare", "test"]
Tier = Literal["draft", "target"]
"""draft: cheap, to compare captions by. target: as the user asked."""


class _Noun(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Draft(_Noun):
    """The tier that captions are compared at before the best of them is rendered as asked.

    A draft tests the words and not the seed: at another size the same seed is other noise.
    """

    spec: RenderSpec
    """Of a draft: another size, maybe other frames and steps, all else as the request's."""
    promote: int = Field(ge=1)
    """Captions that are rendered at the target tier, the best first."""
    seeds: int = Field(ge=1)
    """Target renders of each."""
    ratio: float = Field(gt=0)
    """Seconds of a target render over those of a draft, taken until the run has made both."""
    price_usd: float | None = Field(default=None, ge=0)
    """What a draft is known to cost beforehand. None: not known, or nothing is billed."""
    assumes: str
    """What is taken to be so of the ranking of captions by drafts, in sentences."""


class Request(_Noun):
    """What the user asked, made exact."""

    prompt: str
    """Word for word. The critic judges against this, never against a rewrite."""
    spec: RenderSpec
    seed: int = Field(ge=0)
    """Seed of the first candidate; the others count up from it."""
    draft: Draft | None = None
    """None: captions are compared at the target tier."""
    files: dict[str, str] = {}
    """SHA-256 of the files that the specs are made from, by name, so that another in its place is noticed."""
    prose: bool = False
    """True: the generator's model reads sentences and not the structured caption."""
    prompt_limit: int | None = None
    """Characters that the generator takes: a longer caption is sent as sentences. None: no limit that matters."""
    expand: bool = True
    """False: the user's own words go to the generator until a rewrite."""
    notes: tuple[str, ...] = ()
    """What was made of the wish where it could not be had as it stood, e.g. a snapped size."""

    def prompt_for(self, caption: Caption) -> str:
        """What is sent to the generator of a caption."""
        too_long = self.prompt_limit is not None and len(caption.prompt) > self.prompt_limit
        if caption.structured is None or not (self.prose or too_long):
            return caption.prompt
        return caption.structured.prose(SENTENCES_LONG if too_long else SENTENCES_SHORT)

    def spec_for(self, caption: Caption, tier: Tier = "target") -> RenderSpec:
        """What is rendered: a caption may bring its own negative prompt."""
        spec = self.draft.spec if tier == "draft" and self.draft else self.spec
        negative = caption.negative_prompt
        return spec if negative is None else spec.model_copy(update={"negative_prompt": negative})

    def tier_of(self, spec: RenderSpec) -> Tier:
        """The tier of a clip that was rendered by `spec`."""
        if self.draft is None:
            return "target"
        return "draft" if _same_cost(spec, self.draft.spec) else "target"

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
            negative_prompt=spec.negative_prompt,
        )


class Budget(_Noun):
    """What a run may spend, and when it may stop early."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, use_attribute_docstrings=True)

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
    max_gpu_seconds: float | None = Field(default=None, gt=0)
    """Seconds of the generator at work, side by side added up. An iteration gets as many candidates as it still pays
    for, at the mean of this run's renders; the first, of which nothing is known, gets all. null: no limit."""
    max_price_usd: float | None = Field(default=None, gt=0)
    """US dollars for renders, failed and lost ones included, where their price is known; candidates as for
    max_gpu_seconds, but the first iteration's too. null: no limit."""
    patience: int | None = Field(default=None, ge=1)
    """Stop after so many iterations in a row whose caption gained nothing over the best one on the same seeds: no more
    is got out of the words. null: never."""
    plateau: float | None = Field(default=None, gt=0, le=1)
    """Stop when the best score, whichever seed or caption it came from, rose by less than this over the last
    plateau_iterations. null: never."""
    plateau_iterations: int = Field(default=2, ge=1, le=100)
    """Iterations that plateau looks back over."""
    min_expected_gain: float | None = Field(default=None, gt=0, le=1)
    """The price of a render in score: stop, after the second iteration at the earliest, when one more is expected to
    raise the best score by less, from the spread of the scores on this prompt. null: never."""
    speculate: bool = False
    """With endpoints left idle, begin the next caption before this one's candidates are all judged. Quicker; but a
    caption may be written from fewer scores, and more renders are lost once a candidate is accepted."""


class Pairwise(_Noun):
    """How the final choice is made among candidates whose scores are too near to one another to decide."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, use_attribute_docstrings=True)

    margin: float = Field(default=0.05, gt=0, le=1)
    """Candidates that score at most so much below the best one are compared with it and with one another."""
    most: int = Field(default=4, ge=2, le=16)
    """Most candidates that are compared, the highest scores first: 4 make 6 pairs, each asked in both orders."""


class Canaries(_Noun):
    """When the critic is tested on doctored versions of the first clip, and what it must reach to stop a run early."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, use_attribute_docstrings=True)

    beyond_gpu_seconds: float = Field(default=300.0, ge=0)
    """The test is made before the run spends more of the generator's time than this."""
    beyond_price_usd: float = Field(default=1.0, ge=0)
    """Or more money."""
    least_auc: float = Field(default=LEAST_AUC, ge=0.5, le=1)
    """Chance that the clip scores over a doctored version of it, ties half. Below it no clip ends the run early."""

    def exceeded(self, gpu_seconds: float, price_usd: float) -> bool:
        """Whether so much is more than an untested critic may decide about."""
        return gpu_seconds > self.beyond_gpu_seconds or price_usd > self.beyond_price_usd


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
    rendering: Rendering | None = None
    """What the backend did all the same, where no clip came of it and it is known: it may be billed."""

    @classmethod
    def of(cls, error: Exception, step: Step, seed: int, clip: Clip | None) -> Self:
        """From an error that has crossed its boundary."""
        cause = error.__cause__
        rendering = cause.rendering if isinstance(cause, RenderError | BackendError) else None
        return cls(step=step, seed=seed, message=str(error), clip=clip, rendering=rendering)


class GivenUp(_Noun):
    """A seed whose render was given up: a sibling had been accepted."""

    seed: int
    stage: Literal["queued", "rendering"]
    """How far it had come."""
    seconds: float = Field(default=0.0, ge=0)
    """Of the generator's time that are lost; 0 where the backend told them itself, as a render abandoned."""


class Iteration(_Noun):
    """One caption and what came of it. A running iteration has fewer candidates than seeds."""

    caption: Caption
    parent: int | None = None
    """Index of the iteration whose caption was rewritten."""
    tier: Tier = "target"
    promoted: int | None = None
    """Index of the drafts whose caption this renders at the target tier."""
    seeds: tuple[int, ...]
    candidates: tuple[Candidate, ...] = ()
    """In the order of `seeds`."""
    failures: tuple[Failure, ...] = ()
    given_up: tuple[GivenUp, ...] = ()
    """Seeds that an accepted sibling made needless. They are rendered if the run goes on after all."""

    @property
    def best(self) -> Candidate | None:
        """The highest score; the earlier seed among equals."""
        return max(self.candidates, key=lambda c: c.score, default=None)

    @property
    def renders(self) -> int:
        """Renders made, failed ones included."""
        return len(self.candidates) + len(self.failures)

    @property
    def missing(self) -> tuple[int, ...]:
        """Seeds of which nothing has come yet."""
        told = {c.seed for c in self.candidates} | {f.seed for f in self.failures} | {g.seed for g in self.given_up}
        return tuple(seed for seed in self.seeds if seed not in told)

    def gain_over(self, other: "Iteration") -> Gain | None:
        """What was gained over another iteration of the same tier on the seeds that both have; None without one."""
        if self.tier != other.tier:
            return None
        before = {c.seed: c.score for c in other.candidates}
        gains = {c.seed: c.score - before[c.seed] for c in self.candidates if c.seed in before}
        return Gain(by_seed=gains) if gains else None

    def with_candidate(self, candidate: Candidate) -> Self:
        """This iteration and one more judged clip."""
        ordered = sorted([*self.candidates, candidate], key=lambda c: self.seeds.index(c.seed))
        return self.model_copy(update={"candidates": tuple(ordered)})

    def with_failure(self, failure: Failure) -> Self:
        """This iteration and one more failed attempt."""
        ordered = sorted([*self.failures, failure], key=lambda f: self.seeds.index(f.seed))
        return self.model_copy(update={"failures": tuple(ordered)})

    def with_given_up(self, given_up: GivenUp) -> Self:
        """This iteration and one more seed given up."""
        ordered = sorted([*self.given_up, given_up], key=lambda g: self.seeds.index(g.seed))
        return self.model_copy(update={"given_up": tuple(ordered)})


class Export(Exported):
    """The chosen clip in the form that was asked for, and which clip that was."""

    clip: RunPath
    """The clip's file, as it was rendered and judged."""
    clip_sha256: str
    """Of the clip's bytes: a clip that was lost and rendered again may be another."""
    iteration: int
    """Counted from 0."""
    seed: int


class Entrant(_Noun):
    """A candidate by its place in the run."""

    iteration: int
    """Counted from 0."""
    seed: int


class Duel(_Noun):
    """Two candidates, held against one another by the critic's model."""

    first: Entrant
    second: Entrant
    comparison: Comparison


class Choice(_Noun):
    """The final choice among near-equal candidates."""

    chosen: Entrant
    among: tuple[Entrant, ...]
    """All that were near enough, the highest score first."""
    by: Literal["comparison", "signals", "score"]
    """What decided: most won comparisons; among those equal in these the measured signals; else the score."""
    words: str
    """How it came about, in sentences."""


class Verdict(_Noun):
    """What one stop rule says of a run."""

    rule: StopReason
    holds: bool
    """Whether the run should stop by it."""
    words: str
    """Why, with the figures, in a sentence."""
    value: float | None = None
    """Where the run stands, in the unit of `limit`. None: nothing to compare yet."""
    limit: float | None = None


class Ending(_Noun):
    """Why a run stopped."""

    reason: StopReason
    detail: str = ""
    """For `failed`: what failed."""
    rules: tuple[Verdict, ...] = ()
    """All that were in force, as they stood at the end. Empty in a run that stopped before they were written down."""

    @field_validator("reason", mode="before")
    @classmethod
    def _by_its_former_name(cls, value: object) -> object:
        """`renders` was called `budget` when it was the only limit of what may be spent."""
        return "renders" if value == "budget" else value


def _same_cost(one: RenderSpec, other: RenderSpec) -> bool:
    """Whether two specs ask for as many pixels and as much work."""
    figures = ("width", "height", "num_frames", "num_inference_steps")
    return all(getattr(one, name) == getattr(other, name) for name in figures)
