"""What a benchmark has come to so far: rows, failures by reason, and the mean score of each class of labels."""

from collections import Counter
from dataclasses import dataclass, field

from agent.bench.types import Scored

NOT_ASKED = "no question on axis"
"""Begins the failure of a row whose axis the critic does not ask about."""


@dataclass
class Mean:
    """A mean that grows."""

    count: int = 0
    total: float = 0.0

    def add(self, value: float) -> None:
        """Take a value in."""
        self.count, self.total = self.count + 1, self.total + value

    def __str__(self) -> str:
        return f"{self.total / self.count:.3f} ({self.count:,})" if self.count else "none yet"


@dataclass
class Tally:
    """Counts of a benchmark's rows. The rows themselves are not kept."""

    total: int
    """Rows that are asked for."""
    bad_rows: int = 0
    recalled: int = 0
    """Rows for which nothing was done in this session: their line was there, or their judgement was remembered."""
    judged: int = 0
    """Rows with a score."""
    not_asked: int = 0
    """Rows on an axis that the critic does not ask about."""
    failures: Counter[str] = field(default_factory=Counter)
    """Rows that failed, by reason."""
    first_of: dict[str, str] = field(default_factory=dict)
    """What the first of them says beyond the reason, as which clip is not there."""
    passed: Mean = field(default_factory=Mean)
    not_passed: Mean = field(default_factory=Mean)
    agreed: Mean = field(default_factory=Mean)
    """Of pairs that people decided: 1 where the critic's scores say the same, 0 where not."""

    @property
    def done(self) -> int:
        """Rows with a line."""
        return self.judged + self.not_asked + self.failed

    @property
    def failed(self) -> int:
        """Rows that failed."""
        return self.failures.total()

    def add(self, row: Scored, *, recalled: bool) -> None:
        """Count a row. `recalled`: nothing was done for it in this session."""
        self.recalled += recalled
        if row.failure.startswith(NOT_ASKED):
            self.not_asked += 1
        elif row.score is None:
            reason, _, more = row.failure.partition(": ")
            self.failures[reason] += 1
            self.first_of.setdefault(reason, more)
        else:
            self.judged += 1
            self._mean(row, row.score)

    def _mean(self, row: Scored, score: float) -> None:
        if row.score_b is not None:
            if row.label != 0.5:
                self.agreed.add(float(score != row.score_b and (score > row.score_b) == (row.label == 1)))
        elif (passes := row.passes(None)) is not None:
            (self.passed if passes else self.not_passed).add(score)

    @property
    def means(self) -> str:
        """The means in one line; "" where no label says what passes."""
        facts = []
        if self.passed.count or self.not_passed.count:
            facts += [f"passed {self.passed}", f"not passed {self.not_passed}"]
        if self.agreed.count:
            facts.append(f"pairs decided as people do {self.agreed}")
        return ", ".join(facts)
