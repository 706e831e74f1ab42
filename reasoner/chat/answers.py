"""What the likeliest first tokens of a yes-or-no reply say."""

import math
from collections.abc import Sequence

from reasoner.chat.types import Token

CHOICES = ("Yes", "No", "yes", "no")
"""What a yes-or-no reply is bound to. Both forms: which one a model leans to differs."""
LEAST_MASS = 0.01
"""Share of the probability that yes and no must have together for their ratio to mean anything."""


def p_yes(tokens: Sequence[Token] | None) -> float | None:
    """Probability of yes against no, every way of writing them summed.

    None: neither is among the tokens, or they are so unlikely together that the model answered something else.
    """
    yes = no = 0.0
    for token in tokens or ():
        word = token.token.strip().lower()
        if not word or not math.isfinite(token.logprob):
            continue
        if "yes".startswith(word):
            yes += math.exp(min(token.logprob, 0.0))
        elif "no".startswith(word):
            no += math.exp(min(token.logprob, 0.0))
    if yes + no < LEAST_MASS:
        return None
    return yes / (yes + no)
