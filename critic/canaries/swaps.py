"""What is surely not this clip: a request for something else, and another first frame."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from critic.signals.first_frame import load
from reasoner.camera import Move, requested_moves

SCENES: Final = (
    "A chef in a white kitchen chops red onions on a wooden board, seen from above.",
    "Two sumo wrestlers bow to each other in an arena packed with spectators.",
    "A violinist in a velvet dress plays on the empty stage of an opera house.",
    "Emperor penguins huddle on an ice shelf while chicks beg for fish.",
    "A watchmaker bends over a pocket watch and sets a tiny gear with tweezers.",
    "A shoal of clownfish darts between purple anemones on a coral reef.",
    "An astronaut repairs an antenna outside a space station, Earth far below.",
    "A blacksmith hammers a horseshoe on an anvil, tongs in his left hand.",
    "Children in raincoats launch paper planes from a rooftop playground.",
    "A beekeeper lifts a honeycomb frame out of a yellow hive in an orchard.",
    "A barber shaves an old man in front of a mirror with chrome taps.",
    "A tractor ploughs a field of sugar beets while crows follow the furrow.",
)
"""Scenes of which at least one has no word in common with nearly any request, and none asks for dark, blur or rain."""
MADE: Final[Mapping[Move, str]] = {
    "static": "stays static",
    "handheld": "is handheld",
    "pan_left": "pans left",
    "pan_right": "pans right",
    "tilt_up": "tilts up",
    "tilt_down": "tilts down",
    "push_in": "pushes in",
    "pull_out": "pulls out",
    "orbit_left": "orbits left",
    "orbit_right": "orbits right",
    "roll_left": "rolls left",
    "roll_right": "rolls right",
}
"""By move, what the camera does, in words that `requested_moves` reads as it."""
_WORD = re.compile(r"[^\W\d_]{4,}")


def other_prompt(prompt: str) -> str:
    """The scene with the fewest of the prompt's words, under the camera moves that the prompt asks for.

    With other moves, or none, a critic that measures the camera and is blind to what is shown would seem to see it.
    """
    words = set(_WORD.findall(prompt.lower()))
    scene = min(SCENES, key=lambda scene: len(words & set(_WORD.findall(scene.lower()))))
    phases = [" and ".join(MADE[move] for move in phase) for phase in requested_moves(prompt)]
    return f"{scene} The camera {', then '.join(phases)}." if phases else scene


def other_picture(image: Path, to: Path) -> None:
    """Paint rings and squares of the image's size as a PNG, or their negative, whichever is less like the image.

    Of a pattern p and its negative 255 - p one is at least |p - 127.5| from anything: no image is near both. `to` is
    removed again on any error.

    Raises:
        JudgeError: not an image.
        OSError: a file cannot be read or written.
    """
    given = load(image).astype(np.float32)
    painted = pattern(*given.shape[:2])
    picture = max((painted, 255 - painted), key=lambda p: float(np.abs(p - given).mean()))
    try:
        Image.fromarray(picture).save(to, "PNG")
    except BaseException:
        to.unlink(missing_ok=True)
        raise


def pattern(height: int, width: int) -> NDArray[np.uint8]:
    """(height, width, 3) RGB of 15 or 240: squares an eighth of the height in size, under rings off the centre."""
    y, x = np.mgrid[:height, :width] * (8 / height)
    squares = (np.floor(x) + np.floor(y)) % 2 < 1
    rings = np.hypot(x - 3, y - 3.5) % 1.5 < 0.5
    stripes = (x - y) % 3 < 1
    return np.stack([squares, squares ^ rings, stripes ^ rings], -1) * np.uint8(225) + np.uint8(15)
