"""What the caption's camera fields say: the user's own words first, then the moves that the rules read in them."""

from collections.abc import Sequence

from reasoner.camera import requested_moves
from reasoner.rules import moves
from reasoner.rules.passages import Passage


def quoted(passages: Sequence[Passage]) -> str:
    """The user's own words, a sentence each."""
    return " ".join(passage.sentence for passage in passages)


def unread(passages: Sequence[Passage]) -> str:
    """The user's own words in which no move is read."""
    return quoted([passage for passage in passages if passage.kind in {"unknown", "denial"}])


def whole(phases: moves.Phases, wordings: moves.Wordings, passages: Sequence[Passage], unasked: str) -> str:
    """What `cinematography.camera_motion` says; `unasked` when the prompt says nothing of the camera.

    Everything that the user says of the camera, word for word, since a generator may understand what the rules cannot;
    the moves as the rules read them only where those words alone do not tell them.
    """
    words = quoted(passages)
    if not words:
        return moves.whole(phases, wordings) if phases else unasked
    return words if requested_moves(words) == phases else f"{words} {moves.whole(phases, wordings)}"


def segment(phases: moves.Phases, wordings: moves.Wordings, passages: Sequence[Passage], unasked: str) -> str:
    """What `segments[].camera` says: that segment's moves, after the words in which no move is read."""
    if not phases:
        return quoted(passages) or unasked
    return f"{unread(passages)} {moves.whole(phases, wordings)}".strip()


def replaced(before: str, sentence: str, passages: Sequence[Passage]) -> str:
    """A camera field whose sentence is replaced: the user's own words stay in front."""
    for words in (quoted(passages), unread(passages)):
        if words and before.startswith(words):
            return f"{words} {sentence}"
    return sentence
