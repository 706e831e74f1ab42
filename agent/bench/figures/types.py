"""The figures of a benchmark: what was computed, with its interval, or why it was not."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from agent.bench.types import RowAxis
from critic.instrument import Instrument


class _Noun(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Figure(_Noun):
    """One number, with its 95 % interval by bootstrap over groups."""

    value: float | None
    """None: it cannot be computed from these rows; `why` says the reason."""
    low: float | None = None
    high: float | None = None
    n: int = Field(default=0, ge=0)
    """Rows (pairs: pairs) that it was computed from."""
    left_out: int = Field(default=0, ge=0)
    """Resamples that say nothing of it (all of one class, all scores equal) and are not behind its interval."""
    why: str = ""
    """Why there is no value, or no interval."""

    @classmethod
    def none(cls, why: str) -> Self:
        """A figure that cannot be computed."""
        return cls(value=None, why=why)


class Curve(_Noun):
    """Points of a plot, at most 512, in order."""

    x: tuple[float, ...]
    y: tuple[float, ...]


class Bin(_Noun):
    """Clips whose scores lie in [low, high)."""

    low: float
    high: float
    """The last bin holds its upper end, too."""
    n: int
    mean_score: float | None = None
    """None: of an empty bin."""
    passed: float | None = None
    """Share that people took. None: of an empty bin, or no label says it."""
    n_passed: int = 0


class Leaning(_Noun):
    """How scores are spread, and by what they are swayed other than the clip."""

    leniency: Figure
    """Mean of score less label brought to [0, 1]: above 0, the critic is kinder than people."""
    length_correlation: Figure
    """Spearman's of score and the critique's words: a critic that is swayed by its own talk."""
    unique: int
    """Different scores."""
    commonest_share: float = Field(ge=0, le=1)
    """Share of the commonest score: 1, it always says the same."""


class AxisFigures(_Noun):
    """All figures of the rows of one axis."""

    axis: RowAxis
    n: int
    """Rows with a score and a label, pairs aside."""
    n_pairs: int
    """With scores and without."""
    n_failed: int
    """Rows without a score, pairs among them. Where a figure counts them, it counts them as not accepted, and an
    accuracy as wrong: never as a zero."""
    n_pairs_failed: int = 0
    """Pairs among these."""
    failures: dict[str, int] = {}
    """By reason, the commonest first, at most 10."""
    groups: int
    n_pass: int
    n_fail: int
    pass_at: str
    """What counts as taken, in words."""
    roc_auc: Figure
    average_precision: Figure
    spearman: Figure
    """With the label as graded, as the next three."""
    kendall: Figure
    """tau-b."""
    pearson: Figure
    quadratic_kappa: Figure
    """Of label and score brought to the label's steps (likert)."""
    exact_accuracy: Figure
    """Likewise, the share that agree exactly."""
    ece: Figure
    """Expected calibration error of the score taken for a probability of passing: 10 bins of equal width."""
    ece_isotonic: Figure
    """The same after isotonic regression, fitted on other groups (5 folds). Its interval is that of the error, given
    these fits."""
    brier: Figure
    pairwise_accuracy: Figure
    """Share of pairs whose better clip scores higher, people's ties left out; the critic's ties count a half. A
    pair without a score counts as wrong."""
    pairwise_accuracy_ties: Figure
    """Three-way agreement: a tie of the critic is right for a tie of people alone. Scores within a margin of each other
    are a tie; the margin is the one that agrees most on these pairs (tie calibration: Deutsch, Foster and Freitag,
    "Ties Matter", EMNLP 2023), and is chosen anew in each resample. Failed pairs count as wrong, as above."""
    tie_margin: float | None = None
    """That margin. 0: equal scores alone are a tie."""
    swap_consistency: Figure
    """Share of compared pairs that are judged the same in both orders."""
    retest: Figure
    """Mean absolute difference of two judgements of the same clip."""
    aurc: Figure
    """Area under the coverage-risk curve: mean over k of the share of not taken clips among the k best-scored (equal
    scores in no order: its expectation), of the clips that some threshold could accept. Lower is better."""
    leaning: Leaning
    roc: Curve | None = None
    """x: false positive rate, y: true positive rate."""
    precision_recall: Curve | None = None
    """x: recall, y: precision. Rows without a score or with a broken floor are never accepted, so that recall need not
    reach 1."""
    coverage_risk: Curve | None = None
    """x: share accepted, the best scores first, of all rows with a label, failed ones and those with a broken floor
    included: it need not reach 1; y: share of these that people do not take."""
    isotonic: Curve | None = None
    """x: score, y: P(people take it)."""
    reliability: tuple[Bin, ...] = ()
    histogram: tuple[Bin, ...] = ()
    """20 bins over [0, 1], or over the scores' range where they leave it."""
    chance: bool
    """Whether nothing tells the critic from a coin: the interval of its AUC (else of its accuracy on pairs, else of its
    rank correlation) holds chance."""
    words: tuple[str, ...]
    """What it comes to, in sentences for people: first whether the score is worth anything."""


class Figures(_Noun):
    """What a critic's scores are worth, by axis."""

    dataset: str
    dataset_sha256: str = ""
    instrument: Instrument | None = None
    rows: int
    bad_rows: int = 0
    bootstrap: int
    """Resamples behind each interval."""
    axes: tuple[AxisFigures, ...]
    seconds: float = 0.0
    """That computing took."""

    def of(self, axis: RowAxis) -> AxisFigures | None:
        """The figures of an axis; None: no row is about it."""
        return next((found for found in self.axes if found.axis == axis), None)

    @property
    def main(self) -> AxisFigures:
        """The axis that a run's threshold is about: overall, or the one with the most rows where none is rated."""
        return self.of("overall") or max(self.axes, key=lambda a: a.n + a.n_pairs)
