"""What a run's threshold is worth to people, and what follows for its clip, in words."""

from agent.run import Run
from agent.types import Candidate
from critic.threshold import figure


def uncalibrated(run: Run) -> str:
    """The word, and why where there is a threshold file all the same; "" where people's labels stand behind it."""
    known = run.calibration
    if run.calibrated:
        return ""
    if known is None:
        return "uncalibrated"
    if known.complaint:
        return f"uncalibrated: {known.complaint}"
    if run.failed_test and known.threshold.threshold == run.accept_at:
        return (
            "uncalibrated here: the critic failed its self-test, whatever its threshold file says (people take "
            f"{known.threshold.accept.words()})"
        )
    return "uncalibrated: it is not the one of the threshold file"


def behind(run: Run) -> str:
    """What is known of clips at or above the threshold, as a sentence."""
    evidence = run.evidence
    if evidence is None:
        return "The threshold is uncalibrated."
    return f"Of clips at or above it people take {evidence.accept.words()}."


def threshold(run: Run) -> str:
    """The threshold with what stands behind it, in a phrase: "threshold 0.90, uncalibrated"."""
    if run.accept_at is None:
        return "no threshold"
    told, evidence = f"threshold {figure(run.accept_at)}", run.evidence
    if evidence is None:
        return f"{told}, {uncalibrated(run)}"
    return f"{told}, at or above which people take {evidence.accept.words()}"


def refused(run: Run) -> str:
    """What is known of clips that score as low as the rejected ones, in a phrase; "" where no score is known to be."""
    evidence = run.evidence
    if evidence is None or evidence.reject_below is None or evidence.reject is None:
        return ""
    return f"of clips scored below {figure(evidence.reject_below)} people refuse {evidence.reject.words()}"


def unsure(run: Run, candidate: Candidate) -> str:
    """Why the critic abstains on a candidate that it leaves undecided, in a phrase."""
    evidence = run.evidence
    if evidence is None or run.decision(candidate) != "undecided":
        return ""
    if candidate.score >= evidence.threshold:
        return f"it reaches {figure(evidence.threshold)}, but a criterion is below its floor, and the critic abstains"
    if evidence.reject_below is None:
        return f"below {figure(evidence.threshold)} this critic cannot tell"
    return f"between {figure(evidence.reject_below)} and {figure(evidence.threshold)} this critic cannot tell"
