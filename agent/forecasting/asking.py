"""What the asking parts take: questions by the config, seconds by published replies, both by earlier runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median

from agent.config import RunConfig
from agent.errors import ConfigError, boundary
from agent.forecast import Bounds
from agent.forecasting.history import Asked
from agent.forecasting.latencies import ReplyRow, latencies
from critic.config import HybridConfig, VLMConfig
from critic.types import Criterion
from reasoner.config import RulesConfig

CAPTION_TOKENS = 2000
"""Of a caption: NVIDIA's own samples have 6,600 to 9,500 characters, and a token is taken for four."""
FEEDBACK_TOKENS = 1500
"""The longest critique in words that is asked for."""
REPAIRED = 2
"""Questions for one reply, its repair included."""
TURNS = 3
"""Times that a rewrite is asked for at most (`reasoner.openai.insisting`, which loads the client)."""
CHECKED = 1
"""Questions whether an edited caption still is what was asked for."""
USUAL_QUESTIONS = 8
"""That a model writes for a request, where 6 to 10 are asked for."""


@dataclass(frozen=True)
class Each:
    """What one caption or critique takes. None: not known."""

    requests: Bounds | None = None
    tokens: Bounds | None = None
    seconds: Bounds | None = None


def remembered(done: Sequence[Asked], *, asks: bool) -> Each:
    """What one took in earlier runs: in the middle, and at most. `asks`: a model is asked."""
    if not done:
        return Each()
    return Each(
        requests=_spread([d.requests for d in done]) if asks else Bounds.sure(0),
        tokens=_spread([d.tokens for d in done]) if asks else Bounds.sure(0),
        seconds=Bounds(expected=median(d.seconds for d in done), worst=max(d.seconds for d in done)),
    )


def _spread(values: Sequence[int]) -> Bounds:
    return Bounds(expected=fmean(values), worst=max(values))


def caption_requests(config: RunConfig, *, first: bool, expand: bool) -> Bounds:
    """Questions that one caption takes: one, or with the check of an edit two.

    Each reply may need one repair, and a rewrite that repeats the run is asked for again.
    """
    if isinstance(config.reasoner, RulesConfig) or (first and not expand):
        return Bounds.sure(0)
    return Bounds(expected=1, worst=REPAIRED) if first else Bounds(expected=2, worst=TURNS * REPAIRED + CHECKED)


def critique_requests(config: RunConfig, *, first_frame: bool) -> tuple[Bounds, Bounds]:
    """Questions that one critique takes, and those asked once a run: how clips are shown, and the checklist.

    Raises:
        ConfigError: the rubric file cannot be used.
    """
    critic = config.critic
    if not isinstance(critic, VLMConfig | HybridConfig):
        return Bounds.sure(0), Bounds.sure(0)
    from critic.vlm.checklist import MOST  # noqa: PLC0415 - loads PyAV, and only an asking critic needs it
    from critic.vlm.rubric import read, standing, without  # noqa: PLC0415 - as above

    words = 1 if critic.feedback else 0
    if critic.rubric is None:
        always = _asked(standing().criteria)
        one = Bounds(expected=always + 2 * USUAL_QUESTIONS + words, worst=always + 2 * MOST + words)
        written = checklist_requests()
        return one, Bounds(expected=3 + written.expected, worst=6 + written.worst)
    with boundary(ConfigError, "critic.rubric"):
        criteria = read(Path(critic.rubric)).criteria
    kept = criteria if first_frame else without(criteria, "first_frame")
    return Bounds.sure(_asked(kept) + words), Bounds(expected=3, worst=6)


def checklist_requests() -> Bounds:
    """Questions that writing a checklist takes: one, and a repair."""
    return Bounds(expected=1, worst=2)


def _asked(criteria: Sequence[Criterion]) -> int:
    """Questions with their twins."""
    return sum(2 if criterion.negation else 1 for criterion in criteria)


def caption_seconds(model: str, hardware: str) -> tuple[Bounds, Bounds] | None:
    """Seconds of the first caption and of a rewrite, by the published rate of tokens. None: not published.

    At worst each reply is repaired, and a rewrite is asked for as often as it may be and checked.
    """
    rows = _replies(model, hardware)
    if rows is None:
        return None
    once = rows[0].seconds + CAPTION_TOKENS * _token(rows)
    again = TURNS * REPAIRED * once + CHECKED * rows[0].seconds
    return Bounds(expected=once, worst=REPAIRED * once), Bounds(expected=once, worst=again)


def critique_seconds(model: str, hardware: str, requests: Bounds, *, feedback: bool) -> Bounds | None:
    """Seconds of one critique by the published replies: its questions side by side, at worst one after the other.

    None: not published.
    """
    rows = _replies(model, hardware)
    if rows is None:
        return None
    short, long = rows
    words = 1 if feedback else 0
    side_by_side = (requests.expected - words) / (short.per_second or 1 / short.seconds)
    one_by_one = (requests.worst - words) * short.seconds
    return Bounds(
        expected=side_by_side + words * long.seconds,
        worst=one_by_one + words * (short.seconds + FEEDBACK_TOKENS * _token(rows)),
    )


def _replies(model: str, hardware: str) -> tuple[ReplyRow, ReplyRow] | None:
    """The reply of one token and that of a hundred, the video seen at two frames a second."""
    found = {r.tokens: r for r in latencies().replies if (r.model, r.hardware, r.fps) == (model, hardware, 2)}
    return (found[1], found[100]) if {1, 100} <= set(found) else None


def _token(rows: tuple[ReplyRow, ReplyRow]) -> float:
    """Seconds for each further token."""
    return (rows[1].seconds - rows[0].seconds) / (rows[1].tokens - rows[0].tokens)
