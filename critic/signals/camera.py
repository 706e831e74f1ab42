"""The signal of what the user asked of the camera: the measured path against the moves in the prompt."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np

from critic.signals.curves import score
from critic.signals.pairs import Floats
from critic.signals.reading import Finding, Reading, Span
from critic.signals.tracks import CameraPath
from reasoner.camera import Move

Component = Literal["pan", "tilt", "zoom", "roll", "sway"]

CLEAR: Final[dict[Component, float]] = {
    "pan": 0.10,
    "tilt": 0.10,
    "zoom": float(np.log(1.15)),
    "roll": 6.0,
    "sway": 0.25,
}
"""A move that is clearly seen: a tenth of the width or height, 1.15 times nearer, 6 degrees, an unsteadiness of .25 %
of the diagonal. It scores .9, and half as much again 1. Of several phases each needs it over the square root of their
number."""

_ASKED: Final[dict[Move, tuple[Component, float]]] = {
    "pan_left": ("pan", -1),
    "pan_right": ("pan", 1),
    "tilt_up": ("tilt", 1),
    "tilt_down": ("tilt", -1),
    "push_in": ("zoom", 1),
    "pull_out": ("zoom", -1),
    "orbit_left": ("pan", 0),
    "orbit_right": ("pan", 0),
    "roll_left": ("roll", -1),
    "roll_right": ("roll", 1),
    "handheld": ("sway", 1),
}
"""By move, the component that shows it and its sign. 0: either, since in an orbit near and far parts move against one
another."""

_HELD = 0.3
"""Share of a clear move up to which a camera counts as static."""
_AGREE = 0.35
"""Share of corners that must follow one similarity, or the path is unknown."""
UNKNOWN = 0.5
"""The score of an unknown path: neither a proof nor a failure."""


@dataclass(frozen=True)
class Course:
    """What the camera did between two moments. Signs as in `reasoner.camera`."""

    start: float
    """Seconds."""
    end: float
    pan: float
    """Share of the width."""
    tilt: float
    """Share of the height."""
    zoom: float
    """Natural logarithm of the magnification."""
    roll: float
    """Degrees."""
    sway: float
    """Unsteadiness: root mean square distance from the path's smooth course, in % of the diagonal."""
    agreement: float
    """Share of corners that follow one similarity, 0 to 1."""

    def component(self, name: Component) -> float:
        """The figure of one component."""
        return {"pan": self.pan, "tilt": self.tilt, "zoom": self.zoom, "roll": self.roll, "sway": self.sway}[name]


@dataclass(frozen=True)
class _Phase:
    """How well a course keeps to the moves asked of it."""

    value: float
    amount: float
    """The least of the asked moves, as a share of a clear one; negative when it goes the wrong way."""
    words: str
    advice: str


def camera(reading: Reading, phases: Sequence[Sequence[Move]], wishes: frozenset[str] = frozenset()) -> Finding:
    """The least of the asked moves as a share of a clear one (`CLEAR`), in the asked direction.

    Each phase ("pan left, then push in") is measured over its equal part of the clip, and the worst counts half, the
    mean half. Where several moves are asked at once, all count. Strong moves that nobody asked for lower the score;
    "static" asks for none. A similarity cannot tell a dolly from a zoom, a truck from a pan, nor the direction of an
    orbit. Where less than .35 of the corners agree on one, the path is unknown and scores .5.
    """
    times, edges = reading.footage.times, np.linspace(0, reading.duration, len(phases) + 1)
    sway = sway_of(reading)
    path = reading.camera_path(falling="falling" in wishes)
    courses = [course(path, times, sway, float(a), float(b)) for a, b in pairwise(edges)]
    judged = [_judge(c, moves, len(phases)) for c, moves in zip(courses, phases, strict=True)]
    values = [phase.value for phase in judged]
    worst = judged[int(np.argmin(values))]
    return Finding(
        min(phase.amount for phase in judged),
        (min(values) + sum(values) / len(values)) / 2,
        "; then ".join(phase.words for phase in judged),
        worst.advice,
        tuple(Span(c.start, c.end, phase.words) for c, phase in zip(courses, judged, strict=True) if phase.value < 0.7),
    )


def sway_of(reading: Reading) -> Floats:
    """(n,) distance of the picture's centre from its smooth course (a Gaussian of .3 s), in % of the diagonal."""
    shift = np.where(reading.timeline.moving[:, None], reading.pairs.shift, 0)
    place = np.concatenate([np.zeros((1, 2)), np.cumsum(shift, axis=0)])
    spread = 0.3 * reading.footage.fps
    reach = int(3 * spread)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / spread) ** 2)
    # odd extension keeps a steady move steady at the clip's ends
    padded = np.pad(place, ((reach, reach), (0, 0)), mode="reflect", reflect_type="odd") if len(place) > reach else None
    if padded is None:
        return np.zeros(len(place))
    smooth = np.stack([np.convolve(padded[:, axis], kernel / kernel.sum(), "valid") for axis in (0, 1)], -1)
    return np.asarray(np.linalg.norm(place - smooth, axis=1) / reading.pairs.diagonal * 100)


def course(path: CameraPath, times: Floats, sway: Floats, start: float, end: float) -> Course:
    """The path between two moments in seconds."""

    def over(values: Floats) -> float:
        a, b = np.interp([start, end], path.seconds, values)
        return float(b - a)

    middle = (path.seconds[1:] + path.seconds[:-1]) / 2
    steps = (
        path.agreement[(middle >= start) & (middle <= end)] if len(path.agreement) == len(middle) else path.agreement
    )
    stretch = sway[(times >= start) & (times <= end)]
    return Course(
        start,
        end,
        over(path.pan),
        over(path.tilt),
        over(path.zoom),
        over(path.roll),
        float(np.sqrt((stretch**2).mean())) if len(stretch) else 0.0,
        float(steps.mean()) if len(steps) else 0.0,
    )


def _judge(c: Course, moves: Sequence[Move], phases: int) -> _Phase:
    asked = " and ".join(_name(move) for move in moves)
    if c.agreement < _AGREE:
        words = f"what the camera does cannot be measured (only {c.agreement:.0%} of the picture moves together)"
        return _Phase(UNKNOWN, 0.0, words, f"name one clear camera move: {asked}")
    need = {name: clear / np.sqrt(phases) for name, clear in CLEAR.items()}
    wanted = [_ASKED[move] for move in _moved(moves)]
    free = {name for name, _ in wanted} | ({"zoom", "roll"} if any(sign == 0 for _, sign in wanted) else set())
    others: tuple[Component, ...] = ("pan", "tilt", "zoom", "roll")
    extra = {name: abs(c.component(name)) / need[name] for name in others if name not in free}
    most = max(extra, key=lambda name: extra[name], default=None)
    stray = extra[most] if most else 0.0
    if not wanted:
        words = "the camera stays still, as asked"
        if most and stray > _HELD:
            words = f"{_did(c, most)}; a static camera stays under {_amount(most, _HELD * need[most], short=True)}"
        return _Phase(
            score("camera: static", stray), 1 - stray, words, "lock the camera off on a tripod, with no camera movement"
        )
    amounts = {
        name: (abs(c.component(name)) if sign == 0 else sign * c.component(name)) / need[name] for name, sign in wanted
    }
    value = (
        sum(score("camera: amount", amount) for amount in amounts.values())
        / len(amounts)
        * score("camera: extra", stray)
    )
    least = min(amounts, key=lambda name: amounts[name])
    targets = {name: f"a clear {_name(move)}" for move, (name, _) in zip(_moved(moves), wanted, strict=True)}
    words = " and ".join(
        f"{_did(c, name)}; {targets[name]} is {_amount(name, need[name], short=True)} or more" for name in amounts
    )
    if stray > 1 and most:
        words += f", but {_did(c, most)} as well, which nobody asked for"
    if amounts[least] < -0.25:
        advice = f"name the direction of the camera again and plainly: {asked}"
    elif amounts[least] < 0.9:
        advice = f"ask for the camera move more strongly: {asked}, clearly and continuously"
    else:
        advice = f"allow no camera move but this: {asked}"
    return _Phase(value, amounts[least], words, advice)


def _moved(moves: Sequence[Move]) -> list[Move]:
    return [move for move in moves if move != "static"]


def _name(move: Move) -> str:
    return "handheld sway" if move == "handheld" else move.replace("_", " ")


def _did(c: Course, name: Component) -> str:
    """What the picture shows of the camera in one component, with its figure."""
    figure = c.component(name)
    forth = figure >= 0
    match name:
        case "pan":
            return f"the view turned {'right' if forth else 'left'} by {_amount(name, figure)}"
        case "tilt":
            return f"the view turned {'up' if forth else 'down'} by {_amount(name, figure)}"
        case "zoom":
            return f"the picture {'grew' if forth else 'shrank'} {_amount(name, figure)}"
        case "roll":
            return f"the camera rolled {'right' if forth else 'left'} by {_amount(name, figure)}"
        case "sway":
            return f"the camera swayed by {_amount(name, figure)}"


def _amount(name: Component, figure: float, *, short: bool = False) -> str:
    """The size of a figure with its unit; `short` leaves out of what."""
    size = abs(figure)
    match name:
        case "pan":
            figure_words, of = f"{size:.0%}", " of the width"
        case "tilt":
            figure_words, of = f"{size:.0%}", " of the height"
        case "zoom":
            figure_words, of = f"{np.exp(size):.2f}", " times"
        case "roll":
            figure_words, of = f"{size:.1f} degrees", ""
        case "sway":
            figure_words, of = f"{size:.2f}%", " of the diagonal"
    return figure_words if short else figure_words + of
