"""Passages of a prompt that speak of the camera, in the user's own words."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from reasoner.camera import requested_moves
from reasoner.camera_words import FORMS
from reasoner.clauses import MANNER, camera_head, clauses, denied, words

Kind = Literal["move", "framing", "denial", "unknown"]
"""What the rules make of a passage: a move is read; it says only how the picture is framed, which the caption's other
fields take; it says only what the camera shall not do; or they cannot read it."""


@dataclass(frozen=True)
class Passage:
    """A stretch of the prompt, character by character."""

    text: str
    kind: Kind

    @property
    def sentence(self) -> str:
        """The text, ended like a sentence."""
        text = self.text.rstrip(";,: ") or self.text
        return text if text[-1] in ".!?\u3002\uff01\uff1f" else f"{text}."


_LIMIT, _PIECES = 5000, 200
"""Characters and pieces of a prompt that are looked at."""

_SENTENCE = re.compile(r"(?<=[.!?;])\s+|(?<=[\u3002\uff01\uff1f\uff1b])|\n+(?=[^a-z])")
_PIECE = re.compile(
    r"[,\u3001\uff0c]\s*|\s+(?=(?:while|whilst|as the (?:camera|shot|view))\b)|(?<=\s)[-\u2013\u2014]\s+"
    r"|(?<!camera)(?<!movement)(?<!motion)(?<!shot)(?<!camerawork):\s+",
    re.IGNORECASE,
)
_JOINT = re.compile(r"(?:while|whilst|and|as(?= the ))\s+", re.IGNORECASE)
_GOES_ON = re.compile(
    r"(?:it|then|finally|and|before|after|until|to|as it|while it|first|next|slowly|smoothly|ending|\w+ing)\b",
    re.IGNORECASE,
)
_OF = re.compile(r"^.{0,80}?\b(?:shots?|view|close-?up|footage|angle|perspective)(?=\s+of\b)", re.IGNORECASE)

_CARRIERS = (
    "wrist|head|chest|helmet|hand|eye|body|dash|front|rear|on-?board|mounted|overhead|drone|fpv|\\w+'s|car|phone"
    "|tracking|follow|chase|moving|handheld|static|orbiting|flying|floating|action"
)
_MOVING = (
    "tracking|dolly|crane|follow|following|chase|panning|tilting|zooming|orbit|orbiting|drone|jib|steadicam|gimbal"
    "|moving|flying|boom|pedestal|arc|reveal|whip|spinning|rotating|trucking|one-take|single-take|long-take"
)
_JARGON = re.compile(
    r"\b(?:pov|fpv|first[- ]person|third[- ]person|ego[- ]?(?:centric|view|perspective)\w*|point[- ]of[- ]view"
    r"|(?:dash|body|helmet|shaky|action)[ -]?cams?|gopro|bullet[- ]time|fly-?through|flyover|flyby"
    r"|dolly[- ](?:zoom|shot|move|in|out|left|right|forward|back)|vertigo effect|rack focus|steadicam|hyperlapse"
    r"|one[- ]take|long take|zoom\w*|camerawork|panning"
    rf"|(?:{_MOVING}) shots?|(?:{_CARRIERS})[ -]camera"
    r"|camera (?:view|angle|move|moves|movement|motion|work|pan|tilt|shake|path|track|tracks|follows|following)"
    r"|(?:filmed|captured|recorded|seen|viewed|shot) (?:by|from|through)"
    r"|we (?:follow|fly|glide|travel|move|rise|descend|float|drift|track|orbit|circle)"
    r"|(?:view|shot|perspective) (?:\w+ly )?(?:moving|drifting|gliding|travell?ing|flying|rising|descending|heading)"
    r"|(?:slow|quick|fast|whip|gentle|smooth|subtle) (?:pan|tilt|orbit|arc|roll|push|pull|dolly|track|crane)s?)\b"
    r"|\b(?:(?:tele)?kameras?|kamerafahrt|c[a\u00e1\u00e2]m[ae]ras?|cam\u00e9ra|telecamera|cinepresa"
    r"|\u043a\u0430\u043c\u0435\u0440\w*)\b(?<!\bcamera)(?<!\bcameras)"
    r"|\u30ab\u30e1\u30e9|\u955c\u5934|\u93e1\u982d|\u76f8\u673a|\u6444\u50cf\u673a|\u6444\u5f71\u673a|\uce74\uba54\ub77c"
    r"|\u0643\u0627\u0645\u064a\u0631\u0627"
)
"""Words that are about the camera wherever they stand; at its end, the camera in other languages."""

_SUBJECTLESS = re.compile(
    r"\s*(?:\w+ly )?(?:moving|gliding|drifting|travell?ing|flying|coming|getting) (?:\w+ly )?"
    r"(?:closer|nearer|forwards?|backwards?|away|in on|towards?|through|past|over|along|around)\b",
    re.IGNORECASE,
)
"""Opens a sentence without anyone who moves: the camera does."""

_THINGS = re.compile(
    r"\b(?:takes?|taking|fires?|firing|scores?|blocks?|misses|makes?|gun|jump|free|penalty|espresso|slap)"
    r"[ -](?:an? |the |his |her )?shots?\b"
    r"|\bshot (?:glass|put|clock|down|dead)\w*|\b(?:enjoys?|admires?|has|have|with) (?:an? |the )?(?:\w+ )?view\b"
    r"|\b(?:security|surveillance|cctv|vintage|antique|toy|his|her|their|my) cameras?\b"
)
"""Camera words that name things or deeds in the scene."""

_NOUNS = words("camera cam shot shots view footage closeup viewpoint perspective camerawork")
_FRAMES = _NOUNS | words(
    "a an the in from with extreme medium wide full long establishing aerial low high dutch eye level angle overhead "
    "bird's birds bird top down worm's macro cinematic beautiful detailed close up lens drone side front rear "
    "isometric above below behind ultra very waist chest body two single over shoulder portrait landscape vertical "
    "horizontal"
)


def _heads(text: str) -> bool:
    """Whether a clause has the recording camera or its picture for its subject ("a wide shot of", "the lens tilts")."""
    for clause in clauses(text):
        said = clause.words
        head = camera_head(said)
        noun = said[head - 1] if head else ""
        if not head or (noun not in _NOUNS and said[:2] not in (["the", "frame"], ["the", "lens"])):
            continue
        # "a woman walks toward the camera", "a robot inspects a camera": there it is an object
        before = [word for word in said[: head - 1] if word not in MANNER]
        if noun not in {"camera", "cam", "view"} or all(word in {"the", "a", "our"} for word in before):
            return True
    return False


def _spoken(piece: str) -> bool:
    text = _THINGS.sub(" ", piece.lower().replace("\u2019", "'"))
    return bool(_JARGON.search(text)) or _heads(text)


def _framing(text: str) -> bool:
    said = [word for clause in clauses(text) for word in clause.words]
    return bool(said) and all(word in _FRAMES for word in said) and said not in (["camera"], ["shot"], ["view"])


def _denial(text: str) -> bool:
    return any(
        denied(clause.words, at, FORMS)
        for clause in clauses(text)
        for at, word in enumerate(clause.words)
        if word in FORMS or word in _NOUNS or word in {"handheld", "static", "shaky"}
    )


def _kind(text: str, *, moved: bool) -> Kind:
    if moved:
        return "move"
    return "framing" if _framing(text) else "denial" if _denial(text) else "unknown"


def _split(text: str, start: int, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    """Start and end of each part, as positions in the whole prompt."""
    at = 0
    for gap in pattern.finditer(text):
        yield start + at, start + gap.start()
        at = gap.end()
    yield start + at, start + len(text)


def _cut(piece: str) -> str:
    """Leave out what a shot is "of" where that adds nothing to what is read: it tells of the scene."""
    match = _OF.search(piece)
    if not match:
        return piece
    moves = requested_moves(match.group())
    return match.group() if moves == requested_moves(piece) and (moves or _framing(match.group())) else piece


class _Passages:
    """Collects the camera's pieces of one sentence after the other."""

    def __init__(self, prompt: str) -> None:
        self.prompt = prompt
        self.found: list[tuple[int, int, bool]] = []
        """Start, end, and whether a move is read."""
        self._before = ""
        """The last camera piece: what a following "it" means."""

    def take(self, start: int, end: int, *, joins: bool) -> bool:
        """Take a piece if it speaks of the camera. `joins`: it may continue the last passage. Says if it may go on."""
        piece = self.prompt[start:end].strip()
        goes_on = bool(_GOES_ON.match(piece))
        moved = bool(requested_moves(piece))
        if not moved and goes_on and self._before:
            moved = requested_moves(f"{self._before}. {piece}") != requested_moves(self._before)
        opens = not self.prompt[:start].strip() or self.prompt[:start].rstrip()[-1] in ".!?;"
        if not moved and not _spoken(piece) and not (opens and _SUBJECTLESS.match(piece)):
            unread = joins and not self.found[-1][2] and not _denial(self._before)
            if joins and piece and (goes_on or unread):
                self.found[-1] = (self.found[-1][0], end, self.found[-1][2])
                return True
            self._before = self._before if not piece else ""
            return False
        self._before = piece
        if joins and self.found:
            self.found[-1] = (self.found[-1][0], end, self.found[-1][2] or moved)
            return True
        if joint := _JOINT.match(self.prompt, start, end):
            start = joint.end() if start and self.prompt[start - 1] not in ".!?\n" else start
        kept = _cut(self.prompt[start:end])
        self.found.append((start, start + len(kept), moved))
        return len(kept) == end - start


def passages(prompt: str) -> tuple[Passage, ...]:
    """Everything that a prompt says of the camera, in its order; empty when it says nothing.

    Of a sentence the parts between commas that speak of it, and what goes on with them; without what "a wide shot" or
    "a handheld shot" is of.
    """
    collected = _Passages(prompt[:_LIMIT])
    pieces = 0
    for start, end in _split(collected.prompt, 0, _SENTENCE):
        joins = False
        for piece in _split(collected.prompt[start:end], start, _PIECE):
            pieces += 1
            if pieces > _PIECES:
                break
            joins = collected.take(*piece, joins=joins)
    texts = [(" ".join(collected.prompt[start:end].split()), moved) for start, end, moved in collected.found]
    return tuple(Passage(text, _kind(text, moved=moved)) for text, moved in texts if text)
