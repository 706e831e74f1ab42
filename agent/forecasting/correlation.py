"""How well drafts rank captions as renders at the target tier do: measured, or said not to be."""

from functools import cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

DATA = Path(__file__).with_name("draft_correlation.yaml")


class Measured(BaseModel):
    """A rank correlation of draft and target scores over captions of one prompt, as a benchmark found it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    generator: str
    """Its engine, e.g. "animatic"."""
    draft: int
    """Tier of the drafts."""
    target: int
    """Tier of the renders as asked."""
    steps: float = Field(gt=0)
    """Denoising steps of a draft as a share of the target's."""
    frames: float = Field(gt=0)
    """Frames likewise."""
    value: float = Field(ge=-1, le=1)
    """Spearman's, averaged over prompts."""
    low: float = Field(ge=-1, le=1)
    """Ends of its 95 % interval by bootstrap over prompts."""
    high: float = Field(ge=-1, le=1)
    prompts: int
    captions: int
    """Of each prompt."""
    source: str
    """The command that measured it."""


@cache
def measured() -> tuple[Measured, ...]:
    """The data file, read once."""
    return tuple(Measured.model_validate(row) for row in yaml.safe_load(DATA.read_text(encoding="utf-8")) or ())


def correlation(generator: str, draft: int, target: int, steps: float, frames: float) -> Measured | None:
    """What was measured of such drafts; None: nothing.

    Of several kinds that do no less work than these, the one nearest to them: a draft with more steps or frames than
    was measured ranks no worse for all that is known; one with fewer is not covered.

    Args:
        generator: its engine.
        draft: tier of the drafts.
        target: tier of the renders as asked.
        steps: of a draft, as a share of the target's.
        frames: likewise.
    """
    rows = [row for row in measured() if (row.generator, row.draft, row.target) == (generator, draft, target)]
    covering = [row for row in rows if row.steps <= steps + 0.01 and row.frames <= frames + 0.01]
    return max(covering, key=lambda row: row.steps * row.frames, default=None)
