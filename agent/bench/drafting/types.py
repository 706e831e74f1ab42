"""The nouns: a caption's scores at both tiers, what was compared, and the figures of that."""

from statistics import fmean
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.bench.figures.types import Figure


class _Noun(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Paired(_Noun):
    """A caption with its scores as drafts and as renders as asked."""

    text: str
    """What the generator was given."""
    source: Literal["upsample", "rewrite", "raw"]
    draft: dict[int, float] = Field(min_length=1)
    """Overall score in [0, 1] by seed."""
    target: dict[int, float] = Field(min_length=1)
    """Likewise."""

    @property
    def draft_mean(self) -> float:
        """Over its seeds."""
        return round(fmean(self.draft.values()), 9)  # so that equal scores stay equal, summed in whatever order

    @property
    def target_mean(self) -> float:
        """Over its seeds."""
        return round(fmean(self.target.values()), 9)


class PromptPairs(_Noun):
    """A prompt's captions, in the order in which they were written."""

    prompt: str
    captions: tuple[Paired, ...]


class Kind(_Noun):
    """What was held against what, judged by whom."""

    engine: str
    """The generator's, e.g. "animatic"."""
    generator: str
    """`Generator.id`."""
    critic: str
    """`Critic.id`."""
    reasoner: str
    """`Reasoner.id`, of whoever wrote the captions."""
    draft: int
    """Tier of the drafts: 256, 480 or 720."""
    target: int
    """Tier of the renders as asked."""
    draft_spec: str
    """Size, frames and steps in words."""
    target_spec: str
    steps: float = Field(gt=0)
    """Denoising steps of a draft as a share of the target's."""
    frames: float = Field(gt=0)
    """Frames likewise."""


class Landscape(_Noun):
    """All that was rendered and judged."""

    kind: Kind
    prompts: tuple[PromptPairs, ...]
    """Those with two captions or more that have scores at both tiers."""
    draft_seconds: tuple[float, ...] = ()
    """Of the generator at work, one a render."""
    target_seconds: tuple[float, ...] = ()
    failures: int = Field(default=0, ge=0)
    """Renders that gave no judged clip."""
    left_out: tuple[str, ...] = ()
    """Captions and prompts that do not count, and why, in sentences."""


class Agreement(_Noun):
    """How far drafts and renders as asked agree on the captions of a prompt. Every figure is a mean over prompts."""

    spearman: Figure
    """Rank correlation over the captions of a prompt, scores averaged over seeds. 0: chance."""
    one_seed: Figure
    """The same of a draft on one seed with a render as asked on another one."""
    ceiling: Figure
    """The same of a render as asked on one seed with one on another seed: drafts without any fault would have it."""
    best: Figure
    """Chance that the caption whose drafts score best is the best as rendered."""
    best_by_chance: float
    """That of any caption."""
    near: Figure
    """Chance that it is the best or scores at most `agreement.NEAR` below it."""
    near_by_chance: float
    loss: Figure
    """Score lost by taking the caption whose drafts score best instead of the one that is best as rendered."""
    loss_by_chance: Figure
    """Score lost by taking any caption."""
    draft_seconds: float | None
    """Mean of a draft. None: not known."""
    target_seconds: float | None
    prompts: int
    captions: int
    """Of a prompt: the median."""
    tied: int
    """Prompts without a rank correlation: drafts or renders as asked score all captions the same."""
