"""When a run stops: pure functions of the run."""

from agent.run import Run
from agent.types import StopReason


def stop_reason(run: Run) -> StopReason | None:
    """Why the run should stop before another iteration; None to go on."""
    if run.budget.early_stop and run.accepted:
        return "accepted"
    if any(not i.candidates for i in run.iterations):
        return "failed"
    if len(run.iterations) >= run.budget.max_iterations:
        return "iterations"
    if run.budget.max_renders is not None and run.renders >= run.budget.max_renders:
        return "budget"
    return None


def sentence(run: Run) -> str:
    """Why the run stopped, in words for people."""
    if run.ending is None:
        return "Still running."
    held = "" if run.score is None else f" The best clip so far scores {run.score:.2f}."
    count = len(run.iterations)
    return {
        "accepted": f"Accepted: a clip reached {_told(run)}, at or above the threshold of {run.accept_at or 0:.2f}, "
        "and every floor held.",
        "iterations": f"{f'All {count} iterations are' if count != 1 else 'The one iteration is'} used.{_against(run)}",
        "budget": f"All {run.budget.max_renders} renders are used.{_against(run)}",
        "deadline": f"The time limit of {run.budget.max_seconds or 0:,.1f} s was reached.{held}",
        "cancelled": f"Interrupted.{held}",
        "failed": f"Stopped by a failure: {run.ending.detail or 'every attempt of the last iteration failed'}.{held}",
    }[run.ending.reason]


def _told(run: Run) -> str:
    """The best score with as many decimals as it takes to tell it from the threshold."""
    score, threshold = run.score or 0.0, run.accept_at
    if threshold is None or score == threshold:
        return f"{score:.2f}"
    return next((text for d in (2, 3, 4) if (text := f"{score:.{d}f}") != f"{threshold:.{d}f}"), f"{score:.6f}")


def _against(run: Run) -> str:
    if run.best is None:
        return ""
    start = f" The best clip scores {_told(run)}"
    if run.accept_at is None:
        return f"{start}; no threshold was set."
    if run.accepted:
        return f"{start}, at or above the threshold of {run.accept_at:.2f}."
    if run.best.score >= run.accept_at:
        return f"{start}, but a criterion is below its floor, so it is not accepted."
    return f"{start}, below the threshold of {run.accept_at:.2f}."
