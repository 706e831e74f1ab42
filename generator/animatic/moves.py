"""Camera words as a plan: which moves, when, and how strongly."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from generator.animatic import words
from generator.animatic.caption import Caption

_GAP = r"(?:[\s-]+\w+){0,4}?[\s-]+"
_ADVERB = r"(?:[\s-]+(?:\w+ly|to|the|camera|a|little|far))*[\s-]+"
_TRAVEL = (
    rf"(?:pan(?:s|ning)?|track(?:s|ing)?(?: shot)?|dolly(?:ing)?|dollies){_GAP}"
    rf"|(?:truck|slid|mov)(?:e|es|ing|s)?{_ADVERB}|camera (?:\w+ )?(?:drift|glid|sweep|travel)(?:e|es|ing|s){_GAP}"
)
_RIDE = r"(?:dolly|dollies|dollying|tracks?|tracking|zooms?|zooming|trucks?|creeps?|creeping)"
_FLY = r"(?:camera|shot|view)(?: \w+){0,2}? (?:moves?|moving|fl(?:y|ies|ying)|glid(?:e|es|ing)|advanc(?:e|es|ing))"
_UP, _DOWN = r"up(?:ward)?s?\b", r"down(?:ward)?s?\b"
_LIFT = r"(?:tilt|crane|pedestal|boom|jib|pan)(?:s|ning|ing)?(?: shot)?(?:[\s-]+\w+){0,2}?[\s-]+"
_COUNTER = r"(?:counter[\s-]?clockwise|anti[\s-]?clockwise|left)"
_PATTERNS = {
    "pan_right": rf"(?:{_TRAVEL})(?:right|left[\s-]to[\s-]right)"
    r"|right(?:ward)?s? (?:pan|track|truck|slide)|left[\s-]to[\s-]right (?:pan|track)"
    r"|pan(?:s|ning)?\b(?!(?:[\s-]+\w+){0,4}[\s-]+(?:left|right|up|down))",
    "pan_left": rf"(?:{_TRAVEL})(?:left(?!(?:ward)?s?[\s-]to)|right[\s-]to[\s-]left)"
    r"|left(?:ward)?s? (?:pan|track|truck|slide)|right[\s-]to[\s-]left (?:pan|track)",
    "tilt_up": rf"{_LIFT}{_UP}|upward (?:tilt|pan)|camera (?:\w+ )?(?:rises|rising|ascends|lifts)",
    "tilt_down": rf"{_LIFT}{_DOWN}|downward (?:tilt|pan)|camera (?:\w+ )?(?:descends|descending|lowers|sinks)",
    "push_in": r"push(?:es|ing)?[\s-](?:\w+[\s-])?(?:in|forwards?|closer|towards?)\b"
    r"|camera (?:\w+ )?(?:approaches|closes in)"
    rf"|{_RIDE}[\s-](?:\w+[\s-])?(?:in|forwards?|closer)\b|{_FLY} (?:\w+ )?(?:in|closer|forwards?|towards?)\b"
    r"|forward (?:dolly|track|push|motion|movement)|dolly-in|zoom-in",
    "pull_out": r"pull(?:s|ing)?[\s-](?:\w+[\s-])?(?:out|back|away|backwards?)\b|camera (?:\w+ )?(?:retreats|recedes)"
    rf"|{_RIDE}[\s-](?:\w+[\s-])?(?:out|back|backwards?|away)\b|{_FLY} (?:\w+ )?(?:back|backwards?|away)\b"
    r"|backward (?:dolly|track|motion|movement)",
    "orbit_left": rf"(?:orbit|arc|circl|revolv)(?:s|ing|es|e)?\b{_GAP}{_COUNTER}|{_COUNTER}(?:ward)? (?:orbit|arc)",
    "orbit_right": r"(?:orbit|arc|circl|revolv)(?:s|ing|es|e)?\b(?!(?:[\s-]+\w+){0,4}[\s-]+(?:left|counter|anti))",
    "roll_left": rf"(?:roll(?:s|ing)?|rotat(?:e|es|ing|ion)){_GAP}{_COUNTER}",
    "roll_right": r"(?:camera|shot|view|frame) (?:\w+ )?(?:roll(?:s|ing)?|rotat(?:es|ing))\b"
    r"(?!(?:[\s-]+\w+){0,3}[\s-]+(?:left|counter|anti))|roll(?:s|ing)?(?: \w+)? (?:clockwise|right)",
    "handheld": r"hand[\s-]?held|shaky|shaking camera|camera (?:shakes?|shaking)|jitter\w*",
    "static": r"static|locked(?:[\s-]?(?:off|down))?|stationary|fixed|tripod shot"
    r"|camera (?:\w+ )?(?:still|motionless|holds)|motionless camera",
}
_MOVES = {move: re.compile(rf"\b(?:{pattern})") for move, pattern in _PATTERNS.items()}
_THEN = re.compile(r"\bthen\b|\bafter that\b|\bfinally\b|\bfollowed by\b|\bbefore (?=\w+ing\b)|\bafterwards?\b")
_OPPOSITE = {
    "pan_left": "pan_right",
    "tilt_up": "tilt_down",
    "push_in": "pull_out",
    "orbit_left": "orbit_right",
    "roll_left": "roll_right",
}


@dataclass(frozen=True)
class Phase:
    """Moves between two times, each as a share of the clip, with the strength that the words give each."""

    start: float
    end: float
    moves: dict[str, float]


def named(text: str) -> dict[str, float]:
    """The moves that `text` names and does not deny, with their strengths."""
    said = words.affirmed(text)
    found: dict[str, tuple[int, float]] = {}
    for move, pattern in _MOVES.items():
        places = [match.start() for match in pattern.finditer(said)]
        if places:  # said more than once, the stronger departure from plain wording counts
            strengths = [words.strength(words.clause(said, place)) for place in places]
            found[move] = (places[0], max(strengths, key=lambda value: abs(value - 1)))
    for one, other in _OPPOSITE.items():  # both ways at once: the one named first is meant
        if one in found and other in found:
            del found[max(one, other, key=lambda move: found[move][0])]
    if len(found) > 1:
        found.pop("static", None)
    return {move: factor for move, (_, factor) in found.items()}


def _in_turn(text: str) -> Iterator[Phase]:
    parts = [moves for part in _THEN.split(words.affirmed(text)) if (moves := named(part))]
    for index, moves in enumerate(parts):
        yield Phase(index / len(parts), (index + 1) / len(parts), moves)


def plan(caption: Caption, seconds: float) -> tuple[Phase, ...]:
    """The camera's phases over a clip of `seconds`. Empty: no move is named anywhere.

    The segments say what happens when. `camera_motion` adds what no segment names, and where both name a move the
    stronger departure from plain wording counts, so that editing either of them has an effect.
    """
    whole = list(_in_turn(caption.camera))
    timed = [
        Phase(min(s.start / seconds, 1.0), min(s.end / seconds, 1.0), moves)
        for s in caption.stretches
        if (moves := named(s.camera)) and s.start < seconds
    ]
    if not timed:
        return tuple(whole)
    last = max(phase.end for phase in timed)
    if last > 1 - 1.5 / seconds:  # captions count whole seconds: a stamp at the last one means the end
        final = max((p for p in timed if p.end == last), key=lambda p: p.start)
        timed = [Phase(p.start, 1.0 if p is final else p.end, p.moves) for p in timed]
    overall: dict[str, float] = {}
    for phase in whole:
        overall |= phase.moves
    merged = [
        Phase(p.start, p.end, {m: max(f, overall.get(m, f), key=lambda v: abs(v - 1)) for m, f in p.moves.items()})
        for p in timed
    ]
    told = {move for phase in timed for move in phase.moves}
    extra = {move: factor for move, factor in overall.items() if move not in told and move != "static"}
    opposed = {a: b for pair in _OPPOSITE.items() for a, b in (pair, pair[::-1])}
    extra = {move: factor for move, factor in extra.items() if opposed.get(move) not in told}
    return (*merged, *([Phase(0.0, 1.0, extra)] if extra else []))
