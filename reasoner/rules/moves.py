"""Camera moves as sentences: how captions name them, plainly, gently or with all strength."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reasoner.camera import Move, requested_moves
from reasoner.camera_words import FORMS
from reasoner.caption import clock
from reasoner.clauses import clauses

Phases = tuple[tuple[Move, ...], ...]


@dataclass(frozen=True)
class Wording:
    """How the user's own words put a move."""

    pace: str = ""
    """An adverb: "slowly", "quickly" or ""."""
    verb: str = ""
    """The predicate with the user's verb, e.g. "trucks left"; "" for the usual one."""


Wordings = Mapping[Move, Wording]
"""By move; a move that the user's words add nothing to may be absent."""

VERBS: dict[Move, str] = {
    "static": "holds completely static",
    "pan_left": "pans left",
    "pan_right": "pans right",
    "tilt_up": "tilts up",
    "tilt_down": "tilts down",
    "push_in": "pushes in",
    "pull_out": "pulls back",
    "orbit_left": "orbits to the left",
    "orbit_right": "orbits to the right",
    "roll_left": "rolls counter-clockwise",
    "roll_right": "rolls clockwise",
    "handheld": "is handheld with natural hand movement",
}

AMOUNTS: dict[Move, str] = {
    "pan_left": "the whole scene travels a third of the frame width to the right",
    "pan_right": "the whole scene travels a third of the frame width to the left",
    "tilt_up": "the whole scene travels a third of the frame height downwards",
    "tilt_down": "the whole scene travels a third of the frame height upwards",
    "push_in": "everything ends a third larger in the frame than it began",
    "pull_out": "everything ends a third smaller in the frame than it began",
    "orbit_left": "what is near slides past what is far",
    "orbit_right": "what is near slides past what is far",
    "roll_left": "the whole picture ends visibly tilted",
    "roll_right": "the whole picture ends visibly tilted",
}
"""What a viewer would measure in the picture after a strong move."""

_DIRECTIONS: dict[Move, tuple[str, str]] = {
    "pan_left": ("truck track dolly slide", "left"),
    "pan_right": ("truck track dolly slide", "right"),
    "tilt_up": ("crane boom pedestal jib", "up"),
    "tilt_down": ("crane boom pedestal jib", "down"),
    "push_in": ("zoom dolly", "in"),
    "pull_out": ("zoom dolly", "out"),
    "orbit_left": ("arc circle", "to the left"),
    "orbit_right": ("arc circle", "to the right"),
}
"""By move, other verbs for it that a caption keeps, since they say more than the usual one."""

UNASKED = "The camera is nearly static with a slight drift."

_SLOW = {
    "slow",
    "slowly",
    "gentle",
    "gently",
    "subtle",
    "subtly",
    "gradual",
    "gradually",
    "slight",
    "slightly",
    "creeping",
}
_FAST = {"fast", "quick", "quickly", "rapid", "rapidly", "whip", "crash", "sudden", "suddenly"}


def join(parts: Sequence[str]) -> str:
    """List parts as in "a", "a and b", "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _third(verb: str) -> str:
    return {"y": verb[:-1] + "ies"}.get(verb[-1], f"{verb}s")


def wordings(prompt: str) -> Wordings:
    """The pace and the verb that the user's own words give each move."""
    found: dict[Move, Wording] = {}
    for clause in clauses(prompt):
        slow, fast = _SLOW.intersection(clause.words), _FAST.intersection(clause.words)
        verbs = {FORMS[word][0] for word in clause.words if word in FORMS}
        for move in (move for phase in requested_moves(" ".join(clause.words)) for move in phase):
            kept, direction = _DIRECTIONS.get(move, ("", ""))
            verb = next((verb for verb in kept.split() if verb in verbs), "")
            pace = "slowly" if slow else "quickly" if fast else ""
            found.setdefault(move, Wording(pace, f"{_third(verb)} {direction}" if verb else ""))
    return found


def _predicate(moves: Sequence[Move], wordings: Wordings, force: str = "") -> str:
    travel = [move for move in moves if move in AMOUNTS]
    if not travel:
        return join([VERBS[move] for move in moves])
    verbs = []
    for move in travel:
        said = wordings.get(move, Wording())
        adverbs = filter(None, (said.pace, force if move == travel[0] else ""))
        verbs.append(f"{' but '.join(adverbs)} {said.verb or VERBS[move]}".strip())
    return join(verbs)


def _subject(moves: Sequence[Move]) -> str:
    return "The handheld camera" if "handheld" in moves and len(moves) > 1 else "The camera"


def whole(phases: Phases, wordings: Wordings) -> str:
    """One sentence for all phases, in plain words. There is at least one."""
    return f"{_subject(phases[0])} {', then '.join(_predicate(moves, wordings) for moves in phases)}."


def strong(moves: Sequence[Move], wordings: Wordings, start: int, end: int) -> str:
    """The moves of one phase put as strongly and exactly as words can: from when to when, and how far."""
    travel = [move for move in moves if move in AMOUNTS]
    if not travel:
        return whole((tuple(moves),), wordings)
    amounts = join(list(dict.fromkeys(AMOUNTS[move] for move in travel)))
    predicate = _predicate(travel, wordings, "clearly and continuously")
    return f"{_subject(moves)} {predicate} all the way from {clock(start)} to {clock(end)}: {amounts}."
