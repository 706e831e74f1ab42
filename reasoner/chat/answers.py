"""What the likeliest first tokens of a reply in one of two words say."""

import math
from collections.abc import Sequence

from reasoner.chat.types import Token

CHOICES = ("Yes", "No", "yes", "no")
"""What a yes-or-no reply is bound to. Both forms: which one a model leans to differs."""
LEAST_MASS = 0.01
"""Share of the probability that two words must have together for their ratio to mean anything."""


def p_yes(tokens: Sequence[Token] | None) -> float | None:
    """Probability of yes against no, every way of writing them summed; None as in `p_first`."""
    return p_first(tokens, "yes", "no")


def p_first(tokens: Sequence[Token] | None, first: str, second: str) -> float | None:
    """Probability of one word against another, every way of writing them summed. The two begin with other letters.

    None: neither is among the tokens, or they are so unlikely together that the model answered something else.
    """
    one = other = 0.0
    for token in tokens or ():
        word = token.token.strip().lower()
        if not word or not math.isfinite(token.logprob):
            continue
        if first.lower().startswith(word):
            one += math.exp(min(token.logprob, 0.0))
        elif second.lower().startswith(word):
            other += math.exp(min(token.logprob, 0.0))
    if one + other < LEAST_MASS:
        return None
    return one / (one + other)
