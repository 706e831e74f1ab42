"""The camera's vocabulary: moves, the verbs and directions that name them, and the words for how it is held."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from reasoner.clauses import CAMERA, MANNER, words

Move = Literal[
    "static",
    "pan_left",
    "pan_right",
    "tilt_up",
    "tilt_down",
    "push_in",
    "pull_out",
    "orbit_left",
    "orbit_right",
    "roll_left",
    "roll_right",
    "handheld",
]
"""`pan_right`: the camera turns right, so the picture moves left. `roll_right`: the camera turns clockwise, so the
picture turns counter-clockwise. A truck or track sideways counts as a pan, a crane or pedestal as a tilt: without depth
the picture moves alike."""

MOVES: Sequence[Move] = get_args(Move)

_PAIRS: Sequence[tuple[Move, Move]] = (
    ("pan_left", "pan_right"),
    ("tilt_up", "tilt_down"),
    ("push_in", "pull_out"),
    ("orbit_left", "orbit_right"),
    ("roll_left", "roll_right"),
)
OPPOSITES: Mapping[Move, Move] = {one: other for pair in _PAIRS for one, other in (pair, pair[::-1])}
"""By move, the one that it cannot be made together with."""


@dataclass(frozen=True)
class Verb:
    """How a camera verb reads: by direction word, and what it means without one."""

    moves: Mapping[str, Move]
    default: Move | None = None
    jargon: bool = False
    """Said of cameras without naming one: "pan left across the bay"."""
    noun: bool = False
    """Also a noun of that jargon: "a slow push in"."""


SIDEWAYS: dict[str, Move] = {"left": "pan_left", "right": "pan_right"}
VERTICAL: dict[str, Move] = {"up": "tilt_up", "down": "tilt_down"}
_DEPTH: dict[str, Move] = {"in": "push_in", "out": "pull_out"}
# seen from above, a camera that circles clockwise travels to its own left
_AROUND: dict[str, Move] = {
    "left": "orbit_left",
    "right": "orbit_right",
    "clockwise": "orbit_left",
    "counter": "orbit_right",
    "around": "orbit_right",
}
_ROLL: dict[str, Move] = {
    "left": "roll_left",
    "right": "roll_right",
    "clockwise": "roll_right",
    "counter": "roll_left",
}
_TURN: dict[str, Move] = {**_ROLL, **SIDEWAYS}
_TRAVEL: dict[str, Move] = {**_DEPTH, **SIDEWAYS, **VERTICAL, "around": "orbit_right"}

VERBS: dict[str, Verb] = {
    "pan": Verb({**SIDEWAYS, **VERTICAL}, "pan_right", jargon=True, noun=True),
    "tilt": Verb({**_ROLL, **VERTICAL}, "tilt_up", jargon=True, noun=True),
    "zoom": Verb(_DEPTH, "push_in", jargon=True, noun=True),
    "push": Verb(_TRAVEL, jargon=True, noun=True),
    "pull": Verb({"out": "pull_out", "up": "tilt_up"}, jargon=True, noun=True),
    "dolly": Verb(_TRAVEL, jargon=True, noun=True),
    "roll": Verb(_ROLL, jargon=True, noun=True),
    "orbit": Verb(_AROUND, "orbit_right", jargon=True, noun=True),
    "approach": Verb({}, "push_in"),
    "retreat": Verb({}, "pull_out"),
    "back": Verb({"out": "pull_out", "up": "pull_out"}),
    **dict.fromkeys(("arc", "circle", "revolve"), Verb(_AROUND, "orbit_right", jargon=True)),
    **dict.fromkeys(("truck", "track"), Verb(_TRAVEL, jargon=True)),
    **dict.fromkeys(("crane", "boom", "jib", "pedestal"), Verb(VERTICAL, jargon=True)),
    **dict.fromkeys(("rotate", "spin"), Verb({**_TURN, "around": "orbit_right"})),
    **dict.fromkeys(("turn", "swing", "whip"), Verb(_TURN)),
    **dict.fromkeys(("rise", "ascend", "climb", "lift", "elevate"), Verb({"up": "tilt_up"}, "tilt_up")),
    **dict.fromkeys(("descend", "lower", "sink"), Verb({"down": "tilt_down"}, "tilt_down")),
    **dict.fromkeys(("shake", "tremble", "wobble", "jitter"), Verb({}, "handheld")),
    **dict.fromkeys(
        [
            "move",
            "glide",
            "fly",
            "float",
            "drift",
            "travel",
            "slide",
            "sweep",
            "creep",
            "inch",
            "ease",
            "advance",
            "step",
            "walk",
            "shift",
        ],
        Verb(_TRAVEL),
    ),
}
LEADS = words("with into via using through by as")
"""Before a noun of the jargon: "with push in"."""

ONLY_CAMERAS = words("pan tilt zoom dolly")
"""Verbs whose -ing form is said of nothing else, whoever was named before."""

DEFAULT_BEFORE = {
    "zoom": words("on onto at"),
    "pan": words("across over along past shot"),
    **dict.fromkeys(("orbit", "arc", "circle"), words("around round about shot")),
}
"""Words after which a verb of the jargon has its default direction although no camera was named."""

DIRECTIONS = {
    **dict.fromkeys(["left", "leftward", "leftwards"], "left"),
    **dict.fromkeys(["right", "rightward", "rightwards"], "right"),
    **dict.fromkeys(["up", "upward", "upwards"], "up"),
    **dict.fromkeys(["down", "downward", "downwards"], "down"),
    **dict.fromkeys(["out", "back", "backward", "backwards", "away", "outward", "outwards"], "out"),
    **dict.fromkeys(
        [
            "in",
            "into",
            "forward",
            "forwards",
            "ahead",
            "closer",
            "nearer",
            "toward",
            "towards",
            "through",
            "inward",
            "inwards",
        ],
        "in",
    ),
    **dict.fromkeys(["around", "round", "about"], "around"),
    **dict.fromkeys(["counterclockwise", "anticlockwise"], "counter"),
    "clockwise": "clockwise",
}
SWEEPS = {
    ("left", "to", "right"): "right",
    ("right", "to", "left"): "left",
    ("bottom", "to", "top"): "up",
    ("top", "to", "bottom"): "down",
}
FILLERS = MANNER | words("to the a its of bit little all way from it direction across over toward towards")
LYING = words("on in by behind at out unattended inside under")
"""After "a pan left" they say that a pan was left somewhere."""

LOCKED = words("static stationary fixed motionless unmoving immobile locked tripod still")
SHAKY = words("handheld shaky shakily jittery wobbly")
SHOT_WORDS = CAMERA | words("style look feel video movement motion documentary phone smartphone clip follow")
LINKS = (
    MANNER
    | LOCKED
    | words("is are stays stay staying remains remain remaining holds hold held keeps keep kept as be being a on")
)
OBJECT_VERBS = words(
    "follow follows following tracks show shows showing watch watches watching capture captures film films frames"
)


def _inflections() -> dict[str, tuple[str, Literal["base", "s", "ing"]]]:
    forms: dict[str, tuple[str, Literal["base", "s", "ing"]]] = {}
    for verb in VERBS:
        stem = verb + verb[-1] if verb in {"pan", "whip"} else verb.removesuffix("e")
        third = {"y": verb[:-1] + "ies", "h": verb + "es"}.get(verb[-1], verb + "s")
        past = verb[:-1] + "ied" if verb.endswith("y") else stem + "ed"
        forms |= {verb: (verb, "base"), third: (verb, "s"), past: (verb, "s"), stem + "ing": (verb, "ing")}
    return forms | dict.fromkeys(("movement", "motion", "moves"), ("move", "base"))


FORMS = _inflections()
