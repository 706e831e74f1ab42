"""The benchmark's nouns: a labelled row, a row that cannot be used, and what a critic made of a row."""

from typing import Final, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from critic.types import Axis

RowAxis = Literal["overall"] | Axis
"""What was rated. overall: the clip as an answer to the prompt."""
AXES: Final[tuple[RowAxis, ...]] = ("overall", *get_args(Axis))
LabelType = Literal["likert", "binary", "pair", "mos"]
"""likert: a grade of whole steps. binary: pass or fail. pair: which of two clips is better. mos: a mean of grades."""


class _Noun(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Labelled(_Noun):
    """What people said of a sample."""

    sample_id: str = Field(min_length=1)
    """Of the dataset. One sample may have a row for each of several axes."""
    axis: RowAxis = "overall"
    label_type: LabelType
    label: float
    """likert, mos: on `scale`. binary: 1 pass, 0 fail. pair: 1 the first is better, 0 the second, 0.5 a tie."""
    scale: tuple[float, float] | None = None
    """likert, mos: the worst and the best label there are. None: not known (mos), or 0 and 1 (binary, pair)."""
    n_raters: int = Field(default=1, ge=1)
    """People behind the label."""
    group: str = Field(min_length=1)
    """Rows of one group are not independent, and are split and resampled together. The prompt, if nothing is said."""

    @model_validator(mode="after")
    def _on_its_scale(self) -> Self:
        allowed = {"binary": (0.0, 1.0), "pair": (0.0, 0.5, 1.0)}.get(self.label_type)
        if allowed is not None and self.label not in allowed:
            raise ValueError(f"label must be {' or '.join(f'{v:g}' for v in allowed)} (got {self.label:g})")
        if self.label_type == "likert" and self.scale is None:
            raise ValueError("scale must be given for a likert label, as 1-5")
        if self.scale is not None and not self.scale[0] <= self.label <= self.scale[1]:
            raise ValueError(f"label must lie on its scale {self.scale[0]:g}-{self.scale[1]:g} (got {self.label:g})")
        if self.scale is not None and self.scale[0] >= self.scale[1]:
            raise ValueError("scale must go from the worst to the best label, as 1-5")
        return self

    @property
    def unit(self) -> float | None:
        """The label brought to [0, 1]; None: its scale is not known."""
        if self.label_type in {"binary", "pair"}:
            return self.label
        return None if self.scale is None else (self.label - self.scale[0]) / (self.scale[1] - self.scale[0])

    def passes(self, pass_at: float | None) -> bool | None:
        """Whether people would take the clip; None: it cannot be said of this label.

        Args:
            pass_at: least label that passes, on the label's own scale. None: three quarters of the way up a scale: 4 of
                1-5. A binary label says it itself.
        """
        if self.label_type == "pair":
            return None
        if self.label_type == "binary":
            return self.label == 1
        if pass_at is not None:
            return self.label >= pass_at
        return None if self.unit is None else self.unit >= 0.75


class Row(Labelled):
    """A labelled sample with its clip."""

    video: str = Field(min_length=1)
    """A path (relative to the dataset's file) or an http(s) URL."""
    prompt: str
    first_frame: str | None = None
    """An image: a path or URL likewise. None: made from text alone."""
    video_b: str | None = None
    """pair: the second clip."""

    @model_validator(mode="after")
    def _as_many_clips_as_its_label_is_about(self) -> Self:
        if (self.video_b is not None) != (self.label_type == "pair"):
            raise ValueError("video_b must be given for a pair, and for nothing else")
        return self


class BadRow(_Noun):
    """A row of a dataset that cannot be used. It is told and counted, and the others are read on."""

    line: int = Field(ge=1)
    """Of the file, the header included; of parquet and of JSON arrays the row, from 1."""
    why: str
    """Names the column and what is wrong with it."""


class Scored(Labelled):
    """What people said of a sample, beside what a critic did: a line of `scored.jsonl`, or of a table of scores."""

    score: float | None = None
    """The critic's on this axis, higher is better; of ours in [0, 1]. None: failed, or no question asks for it."""
    overall: float | None = None
    """The critic's score of the clip as a whole, which a run's threshold is held against. None: as `score` on the axis
    overall, else not known."""
    failure: str = ""
    """Why there is no score. Counted as the failure that it is, never as a zero."""
    floors_hold: bool = True
    """False: a criterion is below its floor, and such a clip is never accepted, whatever its score."""
    score_b: float | None = None
    """pair: of the second clip."""
    orders: tuple[float, float] | None = None
    """pair, where the critic's model compared them: P(the first is better), shown first and shown second."""
    retest: float | None = None
    """Score of a second, fresh judgement of the same clip."""
    words: int | None = Field(default=None, ge=0)
    """Of the critique's feedback. None: not known."""
    seconds: float | None = Field(default=None, ge=0)
    """Wall seconds that judging took; 0 where an earlier judgement of the same clip and prompt was taken."""
