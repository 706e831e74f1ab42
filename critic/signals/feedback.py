"""A critique in words: what is wrong, when, and what a caption could say about it, worst first."""

from collections.abc import Mapping, Sequence

from critic.signals.reading import Finding, Span
from critic.times import stretch
from critic.types import Score

GOOD = 0.85
"""A criterion at or above it is not mentioned."""
_TIMES = 3
"""Times named for one criterion."""


def write(scores: Sequence[Score], findings: Mapping[str, Finding]) -> str:
    """One line for each criterion under `GOOD`: name, score, what was measured, when, and advice."""
    poor = sorted((s for s in scores if s.value < GOOD), key=lambda s: (s.value, -s.weight))
    if not poor:
        return "Nothing measured is wrong."
    return "\n".join(_line(score, findings[score.criterion]) for score in poor)


def _line(score: Score, finding: Finding) -> str:
    broken = ", below its floor" if score.value < score.floor else ""
    return (
        f"{score.criterion} ({score.value:.2f}{broken}): {finding.words}{_when(finding.spans)}. Cure: {finding.advice}."
    )


def _when(spans: Sequence[Span]) -> str:
    if not spans:
        return ""
    times = dict.fromkeys(stretch(span.start, span.end) for span in spans)
    shown = list(times)[:_TIMES]
    more = " and more" if len(times) > _TIMES else ""
    return f", at {', '.join(shown)}{more}"
