"""Prompts split into clauses, and what a clause says of itself: whether the camera acts in it, and what it denies."""

import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass


def words(text: str) -> frozenset[str]:
    """A set of the words in `text`."""
    return frozenset(text.split())


CAMERA = words(
    "camera cam shot shots view lens drone frame framing viewpoint perspective pov we dolly gimbal steadicam "
    "footage closeup angle camerawork filming"
)
"""What records the picture, or the picture itself."""

ARTICLES = words("a an one another some any this its")
MANNER = words(
    "slow slowly smooth smoothly gentle gently steady steadily gradual gradually quick quickly fast subtle subtly "
    "slight slightly cinematic dramatic dramatically continuous continuously constant constantly long wide "
    "sweeping very majestic graceful gracefully careful carefully deliberate deliberately controlled strong "
    "strongly soft softly extremely rapid rapidly sudden suddenly abrupt abruptly jerky crash whip snap clear "
    "clearly pronounced tiny small big full creeping lazy lazily calm calmly patient patiently almost "
    "imperceptible imperceptibly ever so barely simply just further more again also even once low high aerial "
    "tight simple light minor fluid fluidly elegant elegantly seamless seamlessly lateral vertical horizontal "
    "dutch barrel straight perfectly completely absolutely entirely totally fully 360 180 degree degrees"
)
"""Words on how a move is made, which may stand anywhere around its verb."""

AUXILIARY = words(
    "is are be being begins begin beginning starts start starting continues continue continuing do does did will "
    "should must would can to by has keeps it having making makes make performs"
)
PREPOSITIONS = words(
    "of in with at on by from to into onto for is are was over under through across near behind above below along "
    "holds has"
)
SEQUENCE = words("then finally afterwards afterward later followed ending ends eventually")
"""What comes after these comes later."""

_THINGS = words("security surveillance cctv vintage antique toy picture window door photo delivery wooden")
"""Before a camera word they make it a thing in the scene: a picture frame, a security camera."""

_SHOT_KINDS = words("tracking establishing moving opening closing sweeping flying rising panning tilting zooming")
_OPENERS = SEQUENCE | words("and or nor but while whilst as when until where that which who because before after")
DENIALS = words(
    "no without never not avoid avoids avoiding neither nor zero cannot don't doesn't isn't won't didn't aren't "
    "shouldn't mustn't dont doesnt isnt"
)
_STOPS = frozenset(".!?;\n\u3002\uff01\uff1f\uff1b")
_COMMAS = frozenset(",:()-\u2014\u2013\uff0c\u3001\uff1a")
_SCAN = re.compile(
    r"\d+(?:[.:]\d+)*|[^\W_]+(?:'[^\W_]+)?|(?<=\s)-(?=\s)"
    "|[.!?;\n,:()\u3002\uff01\uff1f\uff1b\u2014\u2013\uff0c\u3001\uff1a]"
)
_SPELLINGS = (
    ("\u2019", "'"),
    ("hand-held", "handheld"),
    ("hand held", "handheld"),
    ("close-up", "closeup"),
    ("anti-clockwise", "anticlockwise"),
    ("counter-clockwise", "counterclockwise"),
    ("as well as", "and"),
    ("instead of", "without"),
    ("rather than", "without"),
    ("free of", "without"),
    ("free from", "without"),
    ("not only", ""),
    ("no longer", "not"),
    ("after that", "then"),
    ("after which", "then"),
    ("next,", "then"),
)


@dataclass
class Clause:
    """A stretch of a prompt with at most one subject of its own."""

    words: list[str]
    """Lower case, without punctuation; never empty."""
    opener: str
    """The conjunction before it, or ""."""
    sentence: int
    comma: bool
    """A comma, colon or dash stands before it."""


def clauses(prompt: str) -> Iterator[Clause]:
    """Split at sentence ends, commas and conjunctions, in time linear in the prompt's length."""
    # a line break inside a sentence is only a wrapped line
    text = re.sub(r"\n(?=[a-z])", " ", prompt).lower()
    for spelling, normal in _SPELLINGS:
        text = text.replace(spelling, normal)
    clause = Clause([], "", 0, comma=False)
    for word in _SCAN.findall(text):
        if word not in _STOPS and word not in _COMMAS and word not in _OPENERS:
            clause.words.append(word)
            continue
        empty = not clause.words
        if not empty:
            yield clause
        # "and then", "then, the camera": the sequence word decides
        opener = clause.opener if empty and (clause.opener in SEQUENCE or word in _COMMAS) else ""
        comma = word in _COMMAS or (empty and clause.comma)
        if word in _STOPS:
            clause = Clause([], "", clause.sentence + 1, comma=False)
        else:
            clause = Clause([], opener or (word if word in _OPENERS else ""), clause.sentence, comma)
    if clause.words:
        yield clause


def names_camera(words: Sequence[str], at: int) -> bool:
    """Whether the word there names the recording camera, and not a thing in the scene or an object looked at."""
    if words[at] not in CAMERA or (at and words[at - 1] in _THINGS):
        return False
    article = at - 2 if at and words[at - 1] in {"the", "a", "an"} else at - 1
    return article < 0 or words[article] not in PREPOSITIONS


def camera_head(words: Sequence[str]) -> int:
    """Index after the camera noun that is the clause's subject ("a wide aerial shot ..."), or 0."""
    for at, word in enumerate(words[:7]):
        if names_camera(words, at):
            return at + 1
        verbal = word.endswith("ing") and word not in _SHOT_KINDS and word not in MANNER
        if word in PREPOSITIONS or verbal or word in DENIALS:
            return 0
    return 0


def denied(words: Sequence[str], at: int, among: Container[str]) -> bool:
    """Whether a "no", "without", "never" ... reaches the word there, across manner words, camera nouns and `among`."""
    for word in reversed(words[max(0, at - 8) : at]):
        if word in DENIALS:
            return True
        if not (
            word in MANNER or word in AUXILIARY or word in ARTICLES or word in CAMERA or word == "the" or word in among
        ):
            return False
    return False
