"""Other requests: what the same clip is judged against that does not show it."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from critic.canaries.swaps import MADE, SCENES, other_prompt
from reasoner.camera import Move, requested_moves
from reasoner.camera_words import OPPOSITES

_OTHER: Final[Mapping[Move, Move]] = {
    "static": "pan_left",
    "handheld": "push_in",
    "pan_left": "tilt_up",
    "pan_right": "tilt_up",
    "tilt_up": "pan_right",
    "tilt_down": "pan_right",
    "push_in": "pan_right",
    "pull_out": "pan_left",
    "orbit_left": "tilt_up",
    "orbit_right": "tilt_up",
    "roll_left": "push_in",
    "roll_right": "push_in",
}
"""By move, one that is neither it nor its opposite."""
_CONTRARY: Final[Mapping[Move, Move]] = {**OPPOSITES, "static": "push_in", "handheld": "static"}
_SENTENCE = re.compile(r"(?<=[.!?])\s+")


def another_asked(prompt: str, severity: int) -> str:
    """1 to 4 other scenes are asked for beside the clip's own, or another alone, under the same camera moves."""
    if severity == 5:
        return other_prompt(prompt)
    first = other_prompt(prompt)
    at = next(i for i, scene in enumerate(SCENES) if first.startswith(scene))
    return " ".join([prompt, *(SCENES[(at + i) % len(SCENES)] for i in range(severity))])


def another_move(prompt: str, severity: int) -> str | None:
    """Another camera move is asked for: after its own, before it, alone, the opposite before it, the opposite alone.

    None: the prompt asks for none in a sentence of its own, so there is none to put in its place.
    """
    sentences = _SENTENCE.split(prompt.strip())
    scene = [sentence for sentence in sentences if not requested_moves(sentence)]
    phases = requested_moves(prompt)
    if not phases or not scene:
        return None
    own, other, contrary = (_said(phases, moves) for moves in ({}, _OTHER, _CONTRARY))
    asked = ([own, other], [other, own], [other], [contrary, other], [contrary])[severity - 1]
    return " ".join([*scene, f"The camera {', then '.join(asked)}."])


def _said(phases: Sequence[Sequence[Move]], instead: Mapping[Move, Move]) -> str:
    """The moves in words, each replaced by what stands for it."""
    return ", then ".join(" and ".join(dict.fromkeys(MADE[instead.get(m, m)] for m in phase)) for phase in phases)
