"""What the user is told of a prompt that the rules cannot wholly read."""

from reasoner.rules.english import reads_as_english
from reasoner.rules.passages import passages

OTHER_SCHEMA = "The prompt is JSON of a schema that the rules do not know; it is passed on as it is."


def notes(prompt: str) -> tuple[str, ...]:
    """Sentences for people; empty when everything was read, as far as the rules know."""
    unread = [passage.text for passage in passages(prompt) if passage.kind == "unknown"]
    told = [f'Camera words not understood, passed on as they are: "{text}"' for text in unread]
    if prompt.strip() and not reads_as_english(prompt):
        told.append("No English was recognised in this prompt; it is passed on as it is (the rules read English).")
    return tuple(told)
