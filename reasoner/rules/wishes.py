"""What the user asks of the look, so that no default and no edit contradicts it."""

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Literal

from reasoner.camera import requested_moves

Wish = Literal[
    "handheld",
    "night",
    "flicker",
    "grain",
    "veil",
    "soft",
    "focused",
    "cuts",
    "still",
    "stepped",
    "vivid",
    "monochrome",
    "bright",
    "black",
    "melting",
    "blocky",
    "flat_sky",
    "slow",
]
"""`focused`: the user says what is sharp or takes a long lens.
`veil`: fog, smoke or dust. `stepped`: stop motion and low frame rates. `melting`: shapes that are meant to warp."""

_WORDS: Mapping[Wish, str] = {
    "night": r"night\w*|midnight|dark\w*|dim(?:ly)?|low[ -]key|noir|moonl\w+|starlight|starry|stars|aurora|milky way"
    r"|candle\w*|shadowy|gloomy|cave|unlit|silhouettes?|silhouetted|underexposed",
    "flicker": r"flicker\w*|candle\w*|campfires?|bonfires?|fire(?:s|light|lit|side)?|flames?|fireplace|lantern\w*"
    r"|pulsing|torch\w*|neon|strob\w*|lightning"
    r"|disco|fireworks?|sparks?|sparking|welding|blinking|flashing|police lights?|old film|projector",
    "focused": r"focus(?:ed|es|ing)? on|telephoto|portrait lens|long lens|(?:85|105|135|200|300|400|600) ?mm",
    "grain": r"grain|grainy|gritty|vhs|super ?8|8 ?mm|16 ?mm|35 ?mm film|vintage|analog\w*|retro|noisy|old film"
    r"|found footage|home movie|betamax|camcorder|old footage",
    "veil": r"fog|foggy|mist|misty|haze|hazy|smoke|smoky|dust|dusty|steam|steamy|sandstorm|blizzard",
    "soft": r"shallow|bokeh|soft[ -]focus|dream\w*|blur\w*|tilt[ -]shift|macro|out of focus|ethereal|defocus\w*"
    r"|rack focus",
    "cuts": r"cuts? to|hard cuts?|jump cuts?|montage|cutaways?|multiple shots|quick cuts|match cut|split[ -]screen",
    "still": r"motionless|stands? still|standing still|still life|(?:perfectly|completely) still|frozen|freeze\w*"
    r"|statue|nothing moves|no motion|no movement|not moving",
    "stepped": r"stop[ -]motion|claymation|clay animation|low frame rate|choppy|stuttering|freeze[ -]frame",
    "vivid": r"vivid\w*|neon|saturated|vibrant|colou?rful|psychedelic|rainbow|lush|bold colou?rs?|pop art|anime",
    "monochrome": r"noir|black[ -]and[ -]white|monochrome|b&w|sepia",
    "bright": r"overexposed|blown[ -]out|high[ -]key|white ?out|blinding\w*|glaring|glare|pure white|bright\w*",
    "black": r"fades? to black|fades? from black|black ?out|pitch[ -]black|lights go out|black screen",
    "melting": r"melt\w*|morph\w*|glitch\w*|surreal|psychedelic|liquid metal|warp\w*|distort\w*|heat haze|underwater",
    "blocky": r"pixel art|8[ -]bit|voxel\w*|minecraft|pixelated|blocky|low[ -]poly|mosaic|lego",
    "flat_sky": r"clear sky|cloudless|clear blue sky|flat colou?rs?|minimalist|cel[ -]shaded|gradient",
    "slow": r"slow[ -]motion|slow-mo|slowly|time[ -]?lapse|calm\w*|serene|peaceful|gentle|gently|tranquil|quiet",
}
_PATTERNS = {wish: re.compile(rf"\b(?:{words})\b") for wish, words in _WORDS.items()}
_DENIAL = re.compile(
    r"\b(?:no|not|without|never|avoid|avoiding|free of|free from|zero|isn't|doesn't|don't|nor)\b[^,.;:!?\n]{0,24}$"
)


def undenied(text: str, pattern: re.Pattern[str]) -> Iterator[re.Match[str]]:
    """What the pattern finds in `text` (lower case) that is not denied just before."""
    for match in pattern.finditer(text):
        if not _DENIAL.search(text, max(0, match.start() - 40), match.start()):
            yield match


def says(text: str, pattern: re.Pattern[str]) -> bool:
    """Whether `text` (lower case) says what the pattern finds without denying it just before."""
    return any(True for _ in undenied(text, pattern))


def wishes(prompt: str) -> AbstractSet[Wish]:
    """Everything of `Wish` that a prompt asks for."""
    text = prompt.lower().replace("\u2019", "'")
    found: set[Wish] = {wish for wish, pattern in _PATTERNS.items() if says(text, pattern)}
    if any("handheld" in phase for phase in requested_moves(prompt)):
        found.add("handheld")
    return found
