"""Camera moves as sentences: how captions name them, plainly, gently or with all strength."""

from collections.abc import Mapping, Sequence

from reasoner.camera import Move, requested_moves
from reasoner.caption import clock
from reasoner.clauses import clauses

Phases = tuple[tuple[Move, ...], ...]
Paces = Mapping[Move, str]
"""By move, an adverb: "slowly" or "quickly"."""

VERBS: dict[Move, str] = {
    "static": "holds completely static",
    "pan_left": "pans left",
    "pan_right": "pans right",
    "tilt_up": "tilts up",
    "tilt_down": "tilts down",
    "push_in": "pushes in",
    "pull_out": "pulls back",
    "orbit_left": "orbits to the left around the subject",
    "orbit_right": "orbits to the right around the subject",
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
    "orbit_left": "the background slides past behind the subject",
    "orbit_right": "the background slides past behind the subject",
    "roll_left": "the horizon ends visibly tilted",
    "roll_right": "the horizon ends visibly tilted",
}
"""What a viewer would measure in the picture after a strong move."""

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


def paces(prompt: str) -> Paces:
    """The pace that the user's own words give each move; a move without such words is absent."""
    found: dict[Move, str] = {}
    for clause in clauses(prompt):
        slow, fast = _SLOW.intersection(clause.words), _FAST.intersection(clause.words)
        if slow or fast:
            for move in (move for phase in requested_moves(" ".join(clause.words)) for move in phase):
                found.setdefault(move, "slowly" if slow else "quickly")
    return found


def _predicate(moves: Sequence[Move], paces: Paces, force: str = "") -> str:
    travel = [move for move in moves if move in AMOUNTS]
    if not travel:
        return join([VERBS[move] for move in moves])
    verbs = []
    for move in travel:
        adverbs = filter(None, (paces.get(move), force if move == travel[0] else ""))
        verbs.append(f"{' but '.join(adverbs)} {VERBS[move]}".strip())
    return join(verbs)


def _subject(moves: Sequence[Move]) -> str:
    return "The handheld camera" if "handheld" in moves and len(moves) > 1 else "The camera"


def whole(phases: Phases, paces: Paces) -> str:
    """One sentence for all phases, in plain words; `UNASKED` for none."""
    if not phases:
        return UNASKED
    return f"{_subject(phases[0])} {', then '.join(_predicate(moves, paces) for moves in phases)}."


def strong(moves: Sequence[Move], paces: Paces, start: int, end: int) -> str:
    """The moves of one phase put as strongly and exactly as words can: from when to when, and how far."""
    travel = [move for move in moves if move in AMOUNTS]
    if not travel:
        return whole((tuple(moves),), paces)
    amounts = join(list(dict.fromkeys(AMOUNTS[move] for move in travel)))
    predicate = _predicate(travel, paces, "clearly and continuously")
    return f"{_subject(moves)} {predicate} all the way from {clock(start)} to {clock(end)}: {amounts}."
