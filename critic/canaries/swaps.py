"""What is surely not this clip: a request for something else, and another first frame."""

import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from critic.signals.first_frame import load
from reasoner.camera import requested_moves

SCENES: Final = (
    "A chef in a white kitchen chops red onions on a wooden board, seen from above.",
    "Two sumo wrestlers bow to each other in an arena packed with spectators.",
    "A violinist in a velvet dress plays on the empty stage of an opera house.",
    "Emperor penguins huddle on an ice shelf while chicks beg for fish.",
    "A watchmaker bends over a pocket watch and sets a tiny gear with tweezers.",
    "A shoal of clownfish darts between purple anemones on a coral reef.",
    "An astronaut repairs an antenna outside a space station, Earth far below.",
    "A blacksmith hammers a glowing horseshoe on an anvil, sparks flying.",
    "Children in raincoats launch paper planes from a rooftop playground.",
    "A beekeeper lifts a honeycomb frame out of a yellow hive in an orchard.",
    "A barber shaves an old man in front of a mirror with chrome taps.",
    "A tractor ploughs a field of sugar beets while crows follow the furrow.",
)
"""Scenes of which at least one has no word in common with nearly any request."""
CAMERAS: Final = ("The camera rolls counter-clockwise.", "The camera tilts down.")
"""Moves that a clip seldom makes unasked: what of a request even measured signals can check."""
_WORD = re.compile(r"[^\W\d_]{4,}")


def other_prompt(prompt: str) -> str:
    """The scene with the fewest of the prompt's words, and a camera move that the prompt does not ask for."""
    asked = {move for phase in requested_moves(prompt) for move in phase}
    words = set(_WORD.findall(prompt.lower()))
    scene = min(SCENES, key=lambda scene: len(words & set(_WORD.findall(scene.lower()))))
    camera = next(c for c in CAMERAS if not asked & {move for phase in requested_moves(c) for move in phase})
    return f"{scene} {camera}"


def other_picture(image: Path, to: Path) -> None:
    """Paint rings and squares of the image's size as a PNG, or their negative, whichever is less like the image.

    Of a pattern p and its negative 255 - p one is at least |p - 127.5| from anything: no image is near both.

    Raises:
        JudgeError: not an image.
        OSError: a file cannot be read or written.
    """
    given = load(image).astype(np.float32)
    painted = pattern(*given.shape[:2])
    picture = max((painted, 255 - painted), key=lambda p: float(np.abs(p - given).mean()))
    Image.fromarray(picture).save(to, "PNG")


def pattern(height: int, width: int) -> NDArray[np.uint8]:
    """(height, width, 3) RGB of 15 or 240: squares an eighth of the height in size, under rings off the centre."""
    y, x = np.mgrid[:height, :width] * (8 / height)
    squares = (np.floor(x) + np.floor(y)) % 2 < 1
    rings = np.hypot(x - 3, y - 3.5) % 1.5 < 0.5
    stripes = (x - y) % 3 < 1
    return np.stack([squares, squares ^ rings, stripes ^ rings], -1) * np.uint8(225) + np.uint8(15)
