"""A calibrated threshold on the scale of scores: what people do with clips of each stretch."""

from dataclasses import dataclass

from agent.calibration import Decision
from agent.run import Run
from critic.threshold import figure


@dataclass(frozen=True)
class Zone:
    """A stretch of the scale from 0 to 1."""

    decision: Decision
    low: float
    high: float
    words: str
    """What is known of its clips."""
    here: bool
    """Whether the chosen clip is decided by it."""

    @property
    def where(self) -> str:
        """Its bounds."""
        if self.decision == "accepted":
            return f"{figure(self.low)} and above"
        if self.low == 0:
            return f"below {figure(self.high)}"
        return f"{figure(self.low)} to {figure(self.high)}"


def zones(run: Run) -> tuple[Zone, ...]:
    """From the lowest scores up; none where the threshold is uncalibrated."""
    evidence = run.evidence
    if evidence is None:
        return ()
    best = run.best
    here = None if best is None else run.decision(best)
    low, high = evidence.reject_below or 0.0, evidence.threshold
    found = []
    if evidence.reject is not None and low > 0:
        found.append(Zone("rejected", 0.0, low, f"people refuse {evidence.reject.words()}", here == "rejected"))
    if low < high:
        found.append(Zone("undecided", low, high, "the critic cannot tell, and a person looks", here == "undecided"))
    found.append(Zone("accepted", high, 1.0, f"people take {evidence.accept.words()}", here == "accepted"))
    return tuple(found)
