"""The user's own words on light, lens, focus and medium, and what they rule out: no default speaks against them."""

import re
from dataclasses import dataclass

from reasoner.clauses import words
from reasoner.rules.wishes import undenied

_SOURCES = (
    r"(?:torch(?:es|light)?|candle(?:s|light)?|fire(?:s|light|place|flies)?|campfires?|bonfires?"
    r"|flames?|lamps?|lamplight"
    r"|lanterns?|flashlights?|headlights?|spotlights?|neon(?: (?:signs?|lights?|tubes?))?|strobes?|screens?|bulbs?"
    r"|sparks|embers|lava|lightning|fireworks|moonlight|starlight|light)"
)
LIT = re.compile(rf"\b(?:lit|illuminated) (?:up )?(?:only )?(?:by|with) (?:[\w-]+ ){{0,3}}?{_SOURCES}\b")
"""What lights the scene, as in "lit by a torch"."""

_LIGHT = re.compile(
    rf"{LIT.pattern}|\b(?:(?:a|an|the) )?(?:dark|dim|dimly[ -]lit|unlit|gloomy|pitch[ -]black|shadowy) "
    r"(?:cellar|cave|room|basement|alley|street|hall\w*|corridor|tunnel|forest|stage|attic|dungeon"
    r"|warehouse|interior|studio)\b"
    r"|\b(?:(?!an? |the )[\w-]{1,20} )?(?:flicker\w*|strob\w*|pulsing|blinking|flashing|neon|dim"
    r"|harsh|low-key|high-key|soft|warm|cold"
    r"|red|blue|green|purple|studio|stage|candle|fire|torch|lamp)(?: |-)(?:lights?|lighting|lit|glow|signs?)\b"
    r"|\b(?:candle|fire|torch|lamp|neon|back)[ -]?(?:light|lit)\b|\bby (?:candle|fire|torch)light\b"
    r"|\b(?:candles?|torch(?:es)?|campfires?|bonfires?|fireplace|lanterns?|strobes?|neon)\b(?: flickers?)?"
)
_LENS = re.compile(
    r"\b(?:(?:ultra[ -])?wide[ -]angle|telephoto|fish-?eye|macro|anamorphic"
    r"|(?:long|portrait|prime|tilt[ -]shift)(?= lens)|\d{1,3} ?mm(?= lens)|(?:14|18|20|24|28|35|40"
    r"|50|70|85|90|100|105|135|200|300|400|500|600) ?mm"
    r"(?! (?:film|footage|movie|stock)))\b(?: lens)?"
)
_FOCUS = re.compile(
    r"\b(?:[\w-]{1,20} ){0,2}(?:out of focus|defocus\w*)|\bsoft(?:ly)?[ -]focus(?:ed)?|\brack focus\w*"
    r"|\bfocus(?:ed|es)? on [\w' -]{1,40}"
    r"|\b(?:sharp|crisp|deep) focus|\b(?:[\w-]{1,20} )?blurr(?:y|ed)\b(?: [\w-]{1,20})?"
)
_DEPTH = re.compile(
    r"\b(?:(?:very|extremely) )?(?:shallow|deep|large|narrow) (?:depth of field|focus)\b|\b(?:creamy |soft )?bokeh\b"
)
_MEDIUM = re.compile(
    r"\b(?:(?:grainy|gritty|old|vintage|black[ -]and[ -]white) )*(?:super[ -]?8|(?:8|16) ?mm(?! lens)|(?:35|70) ?mm"
    r"(?= (?:film|footage|movie|stock))|vhs|betamax|camcorder|old film|found footage|home movie|film grain|grainy)\b"
    r"(?: (?:film|footage|tape|movie|video|stock|grain))*"
)
_NOTHING_OF = re.compile(
    r"\b(?:no|without|free of|free from)\s+((?:(?!(?:in|on|at|while|but|and the)\b)[\w'-]+\s*){1,4})"
)
_NEITHER = words("a an any the or and nor camera of visible other")
_ALIKE = {"shadow": "shade", "sky": "horizon", "person": "people"}


@dataclass(frozen=True)
class Look:
    """The user's words, capitalised; "" where nothing is said."""

    light: str
    lens: str
    focus: str
    depth: str
    medium: str


def capital(text: str) -> str:
    """The text with its first letter in upper case."""
    return text[:1].upper() + text[1:]


def look(prompt: str) -> Look:
    """Collect what the prompt says of each, word for word."""
    text = prompt[:5000]

    def quoted(pattern: re.Pattern[str]) -> str:
        found = [text[match.start() : match.end()].strip() for match in undenied(text.lower(), pattern)]
        return capital(", ".join(dict.fromkeys(found))[:200])

    # "İ" and its like change the length in lower case, so that positions no longer agree
    if len(text.lower()) != len(text):
        text = text.lower()
    return Look(quoted(_LIGHT), quoted(_LENS), quoted(_FOCUS), quoted(_DEPTH), quoted(_MEDIUM))


def ruled_out(prompt: str) -> frozenset[str]:
    """Stems of the nouns that the prompt denies: "no waves, without sky" gives "wave" and "sky"."""
    denied = " ".join(_NOTHING_OF.findall(prompt.lower()[:5000])).split()
    stems = {word.removesuffix("s") for word in denied if word not in _NEITHER and len(word) > 2}
    if re.search(r"\b(?:silent|silence|soundless|muted)\b", prompt.lower()):
        stems |= {"sound"}
    return frozenset(stems | {_ALIKE[stem] for stem in stems if stem in _ALIKE})


def speaks_of(text: str, stems: frozenset[str]) -> bool:
    """Whether a default sentence has one of the nouns in it."""
    return any(re.search(rf"\b{re.escape(stem)}(?:s|es)?\b", text.lower()) for stem in stems)
