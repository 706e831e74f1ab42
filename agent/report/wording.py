"""How figures and field names are written for people."""

from agent.forecast import Bounds
from agent.types import GivenUp, Step
from generator.types import Effective, RenderSpec
from reasoner.caption import clock
from reasoner.types import Verdict

MINUS, TIMES = "\N{MINUS SIGN}", "\N{MULTIPLICATION SIGN}"


def score(value: float) -> str:
    """A score in [0, 1] with two decimals."""
    return f"{value:.2f}"


def gain(value: float) -> str:
    """A difference of scores with its sign; what rounds to nothing has none."""
    text = f"{value:+.2f}"
    return "0.00" if float(text) == 0 else text.replace("-", MINUS)


def seconds(value: float) -> str:
    """A duration: '1,234.5 s'."""
    return f"{value:,.1f} s"


def count(number: int, noun: str) -> str:
    """'1 render', '1,024 renders'."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def given_up(item: GivenUp) -> str:
    """Why a seed has no candidate, in a sentence."""
    how = f"after {seconds(item.seconds)} of rendering" if item.seconds else "while it was rendered"
    how = "before its render began" if item.stage == "queued" else how
    return f"Given up {how}: another clip was accepted."


STEPS: dict[Step, str] = {
    "caption": "Captions",
    "render": "Renders",
    "rubric": "Checklist",
    "judge": "Critiques",
    "compare": "Comparisons",
    "test": "Critic's self-test",
}
FAILED: dict[Step, str] = {
    "caption": "Caption",
    "render": "Rendering",
    "rubric": "Checklist",
    "judge": "Judging",
    "compare": "Comparing",
    "test": "Testing the critic",
}


def step(key: Step) -> str:
    """What a step makes, for a ledger."""
    return STEPS[key]


def failed(key: Step) -> str:
    """A step that failed, before that word."""
    return FAILED[key]


def figure(value: float) -> str:
    """A measured value in about three digits, thousands separated."""
    size = abs(value)
    digits = 0 if size >= 100 or value == int(value) else 1 if size >= 10 else 2 if size >= 0.1 else 4
    return f"{value:,.{digits}f}".replace("-", MINUS)


def span(start: float, end: float) -> str:
    """A stretch of a clip: '0:02', or '0:02-0:04' with an en dash."""
    first, last = clock(start), clock(end)
    return first if first == last else f"{first}\N{EN DASH}{last}"


def words(name: str) -> str:
    """A stable key as words: 'first_frame' becomes 'first frame'."""
    return name.replace("_", " ")


def field(path: str) -> str:
    """A dotted caption field for people: 'segments.0.camera' becomes 'Segment 1: camera'."""
    parts: list[str] = []
    for part in path.split("."):
        if part.isdecimal() and parts:
            parts[-1] = f"{parts[-1].removesuffix('s')} {int(part) + 1}"
        else:
            parts.append(words(part))
    text = ": ".join(parts)
    return text[:1].upper() + text[1:]


def size(spec: RenderSpec | Effective) -> str:
    """Pixels of a clip: '320 by 192', with a multiplication sign for the word."""
    return f"{spec.width}{TIMES}{spec.height}"


VERDICTS: dict[Verdict, str] = {
    "prompt_problem": "prompt problem",
    "model_limit": "limit of the model",
    "reseed": "up to the seed",
}


def verdict(found: Verdict) -> str:
    """What a rewrite found to be at fault, in a word or two."""
    return VERDICTS[found]


METHODS = {
    "measured": "",
    "logprobs": "P(yes)",
    "reply": "written reply",
    "inherited": "not asked",
}
"""Beside a score, where it does not come from pixels."""
REASONS = {
    "measured": "",
    "logprobs": "",
    "reply": "From a written reply: no probabilities.",
    "inherited": "Not asked: inherited from the answer that it hangs on.",
}
"""The same in a sentence, where the word is not enough."""


def method(key: str) -> str:
    """Where a score comes from, in a word or two; "" where it was measured."""
    return METHODS[key]


def reason(key: str) -> str:
    """Where a score comes from, as a sentence; "" where the word is enough."""
    return REASONS[key]


def number(value: int) -> str:
    """'1,234,567'."""
    return f"{value:,}"


def percent(share: float | None) -> str:
    """A share in [0, 1] as '83 %'; a dash for none."""
    return "\N{EN DASH}" if share is None else f"{100 * share:.0f} %"


def foreseen(bounds: Bounds) -> str:
    """A count as it was forecast: '4', '2.5, at worst 4'."""
    expected, worst = figure(bounds.expected), figure(bounds.worst)
    return expected if expected == worst else f"{expected}, at worst {worst}"


def foreseen_seconds(found: tuple[Bounds, Bounds] | None) -> str:
    """Seconds as they were forecast over all hardware that was thought of; a dash where they were not known."""
    if found is None:
        return "\N{EN DASH}"
    expected, worst = _reach(*(b.expected for b in found)), _reach(*(b.worst for b in found))
    return expected if expected == worst else f"{expected}, at worst {worst}"


def _reach(low: float, high: float) -> str:
    return seconds(low) if seconds(low) == seconds(high) else f"{low:,.1f}\N{EN DASH}{seconds(high)}"
