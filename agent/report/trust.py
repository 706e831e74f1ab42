"""What is known of the critic's eye: its self-test, and whether it may end the run early."""

from dataclasses import dataclass
from typing import Literal

from agent.run import Run
from critic.canaries.types import WORDS, CanaryKind, SelfTest

MAY_NOT = "It may not end the run early."


@dataclass(frozen=True)
class Trust:
    """How far a run's critic is tested."""

    state: Literal["passed", "failed", "not made", "not tested"]
    words: str
    """In sentences."""
    test: SelfTest | None
    least: float
    """AUC that is asked."""

    @property
    def short(self) -> str:
        """In a few words, beside a score; "" where nothing came of a test."""
        if self.test is not None:
            return f"critic {self.state} its self-test, AUC {self.test.auc:.2f}"
        return "critic could not be tested" if self.state == "not made" else ""


def trust(run: Run) -> Trust | None:
    """What came of the critic's self-test, and what follows; None where the run tests none."""
    rules = run.canaries
    if rules is None:
        return None
    may = "" if run.trusted else f" {MAY_NOT}"
    if run.self_test is not None:
        passed = run.self_test.passed(rules.least_auc)
        words = f"{run.self_test.sentence(rules.least_auc)}{may}"
        return Trust("passed" if passed else "failed", words, run.self_test, rules.least_auc)
    if run.self_test_failure:
        words = f"The critic could not be tested: {run.self_test_failure.rstrip('.')}.{may}"
        return Trust("not made", words, None, rules.least_auc)
    spent = f"{rules.beyond_gpu_seconds:g} s of the generator's time or ${rules.beyond_price_usd:.2f}"
    when = "It is tested before the run spends" if run.ending is None else "It is tested in runs that spend"
    return Trust("not tested", f"The critic is not tested. {when} more than {spent}.{may}", None, rules.least_auc)


def kind(key: CanaryKind) -> str:
    """A doctored version, for people."""
    return WORDS[key]
