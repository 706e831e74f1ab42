"""What camera words mean: the moves that a prompt asks for, in the field's vocabulary."""

import json
import re

from reasoner.camera_reading import Reader
from reasoner.camera_words import MOVES, OPPOSITES, Move
from reasoner.clauses import SEQUENCE, Clause, clauses

__all__ = ["MOVES", "Move", "requested_moves"]


def requested_moves(prompt: str) -> tuple[tuple[Move, ...], ...]:
    """The camera moves that `prompt` asks for, in phases ("pan left, then push in": two); empty when it asks for none.

    A denied move ("without panning", "no camera shake") is not asked for. A move counts when its subject is the camera
    (or the shot, view, lens, drone, frame) or its wording is said of cameras only ("zoom in on"); what things in the
    scene do does not. A pan without a direction goes right, a tilt up, an orbit right. A handheld camera stays so in
    later phases. Of a structured caption only the camera fields count.
    """
    text = _camera_fields(prompt) or prompt
    flown = re.search(r"\ban? (?:[a-z]+ ){0,3}drone\b(?! (?:shot|view|footage|camera|pov))", text.lower())
    reader, phases = Reader(), _Phases()
    for clause in clauses(text):
        if flown:
            clause.words[:] = ["thing" if word == "drone" else word for word in clause.words]
        phases.take(clause, reader.moves(clause))
    return phases.tidy()


def _camera_fields(prompt: str) -> str:
    """What the camera fields of a structured caption say, segment by segment; "" for plain words."""
    text = prompt.strip().removeprefix("```json").removesuffix("```").strip("`\n ")
    if not text.startswith("{"):
        return ""
    try:
        data = json.loads(text)
        whole = data.get("cinematography", {}).get("camera_motion", "")
        parts = [segment.get("camera", "") for segment in data.get("segments", [])]
    except (ValueError, AttributeError, TypeError, RecursionError):
        return ""
    return " Then ".join(part for part in parts if isinstance(part, str)) or str(whole)


class _Phases:
    """Puts the moves of successive clauses into the order in which they happen."""

    def __init__(self) -> None:
        self._phases: list[list[Move]] = []
        self._sentence = -1
        self._later = False
        """The next moves come later, whatever stands before them."""
        self._before: int | None = None
        """Where the next moves go in after "Before pushing in, ..."."""

    def take(self, clause: Clause, moves: list[Move]) -> None:
        """Add the moves of the next clause."""
        if not moves:
            self._later |= clause.opener in SEQUENCE or clause.opener == "after"
            return
        fresh = clause.sentence != self._sentence
        self._place(clause, moves, fresh=fresh)
        self._before = len(self._phases) - 1 if clause.opener == "before" and fresh else None
        self._later = clause.opener == "after" and fresh
        self._sentence = clause.sentence

    def _place(self, clause: Clause, moves: list[Move], *, fresh: bool) -> None:
        phases, sequel = self._phases, clause.opener in SEQUENCE
        if self._before is not None and not fresh:
            phases.insert(self._before, moves)
        elif clause.opener == "after" and not fresh:
            phases.insert(-1, moves)
        elif fresh and not sequel and moves == ["handheld"]:
            self._phases = [[*phase, "handheld"] for phase in phases] or [moves]
        elif fresh and not sequel and phases == [["handheld"]]:
            phases[0] += moves
        elif (
            not phases
            or sequel
            or fresh
            or self._later
            or clause.opener in {"before", "after"}
            or any(OPPOSITES.get(move) in phases[-1] for move in moves)
        ):
            phases.append(moves)
        else:
            phases[-1] += moves

    def tidy(self) -> tuple[tuple[Move, ...], ...]:
        """The phases, without repetition, and without "static" beside a move."""
        tidy: list[tuple[Move, ...]] = []
        handheld = False
        for phase in self._phases:
            moves: list[Move] = list(dict.fromkeys(phase))
            if len(moves) > 1 and "static" in moves:
                moves.remove("static")
            if handheld and moves != ["static"] and "handheld" not in moves:
                moves.append("handheld")
            handheld = "handheld" in moves
            if not tidy or not set(moves) <= set(tidy[-1]):
                tidy.append(tuple(moves))
        return tuple(tidy)
