"""The scene's vocabulary: hour, weather, style and mood, each with what a caption says of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from reasoner.rules.look import Look, capital, look, ruled_out, speaks_of
from reasoner.rules.places import INDOORS, NOWHERE, PLACES, place
from reasoner.rules.wishes import says


@dataclass(frozen=True)
class Hour:
    """What a time of day does to the light."""

    conditions: str
    direction: str
    shadows: str
    effect: str
    palette: str


_HOURS: Mapping[str, tuple[str, Hour]] = {
    "night": (
        r"night\w*|midnight|moonl\w+|moonlight|starry|starlight|stars|after dark|milky way|aurora|neon",
        Hour(
            "Night: artificial light and moonlight",
            "From the lamps and the moon",
            "Deep with readable detail",
            "Pools of light stand out against the night",
            "deep blues with the colours of the lamps",
        ),
    ),
    "dawn": (
        r"dawn|sunrise|daybreak|early morning|first light|morning",
        Hour(
            "Dawn: low early sunlight",
            "Low from one side",
            "Long and soft",
            "First light picks out edges",
            "cool blues with rose and pale gold",
        ),
    ),
    "sunset": (
        r"sunset|golden[ -]hour|dusk|twilight|evening|setting sun|golden light|late afternoon|blue hour",
        Hour(
            "Sunset: low golden light",
            "Low from one side, near the horizon",
            "Long and warm",
            "A warm rim of light lies on every edge",
            "gold, orange and deep blue",
        ),
    ),
    "storm": (
        r"storm\w*|thunder\w*|lightning|tempest|downpour|blizzard|hurricane",
        Hour(
            "Storm light under heavy clouds",
            "From the sky above",
            "Weak",
            "Wet surfaces catch the light",
            "slate greys and cold blues",
        ),
    ),
    "overcast": (
        r"overcast|cloudy|gr[ae]y sky|rain\w*|drizzl\w*|fog|foggy|misty|snowfall|snowing",
        Hour(
            "Overcast daylight",
            "From the whole sky",
            "Soft",
            "Surfaces are lit from all sides",
            "cool greys with a few deeper colours",
        ),
    ),
}
_DAY = Hour(
    "Daylight",
    "From above and to one side",
    "Defined, with open detail",
    "Forms are modelled by light and shade",
    "true-to-life daylight colours",
)
_INDOORS = Hour(
    "Indoor light from the room's own lamps",
    "From above",
    "Soft below objects",
    "Objects separate from the background",
    "true-to-life colours of the room",
)

_WEATHER: Mapping[str, tuple[str, str]] = {
    "rain": (r"rain(?!bow|forest|coat)\w*|drizzl\w*|downpour", "Rain falls and wets every surface"),
    "snow": (r"snow(?!board)\w*|blizzard|flurries", "Snow lies or falls in the scene"),
    "fog": (r"fog\w*|mist|misty|haze|hazy", "Fog veils what is far"),
    "wind": (r"wind|windy|gusts?|breeze|gale", "Wind moves what is light"),
    "dust": (r"dust\w*|sandstorm|embers?|pollen", "Fine particles hang in the air"),
    "smoke": (r"smoke|smoky|steam\w*", "Smoke or steam drifts through the air"),
}

_STYLES: Mapping[str, tuple[str, str, str]] = {
    "film noir": (r"film noir|noir", "Live action, black and white", "Film noir"),
    "claymation": (
        r"claymation|clay animation|stop[ -]motion|plasticine",
        "Stop-motion animation",
        "Claymation with handmade surfaces",
    ),
    "anime": (r"anime|manga|ghibli", "Animation", "Anime with drawn lines and painted backgrounds"),
    "pixel art": (r"pixel art|8[ -]bit|voxel\w*", "Animation", "Pixel art"),
    "cartoon": (r"cartoon|hand[ -]drawn|2d animat\w+|cel[ -]shaded|comic", "Animation", "Hand-drawn cartoon"),
    "3d animation": (
        r"pixar|3d animat\w+|animated|animation|cgi|3d render\w*|unreal engine",
        "CGI animation",
        "Stylised 3D animation",
    ),
    "watercolour": (
        r"watercolou?r\w*|oil painting|painterly|impressionis\w+|sketch\w*",
        "Painted animation",
        "Painterly",
    ),
    "documentary": (r"documentary|news footage|nature film|wildlife", "Live action", "Documentary realism"),
    "dashcam": (
        r"dash ?cam\w*|cctv|surveillance|security camera|body ?cam\w*",
        "Live action, fixed utility camera",
        "Unstaged realism",
    ),
    "vintage": (r"vintage|retro|super ?8|16 ?mm|vhs|sepia|old film", "Live action on film stock", "Period film look"),
}

_MOODS: Mapping[str, str] = {
    r"calm|serene|peaceful|tranquil|quiet|cozy|cosy": "Calm and peaceful",
    r"dramatic|epic|intense|majestic": "Dramatic and grand",
    r"eerie|spooky|scary|horror|ominous|creepy|haunted": "Uneasy and ominous",
    r"joyful|happy|playful|cheerful|fun|laughing|celebrat\w+": "Joyful and light",
    r"sad|melanchol\w+|lonely|somber|sombre": "Quiet and melancholic",
    r"fast|racing|races|chase|chases|action|explosion|fight": "Energetic and tense",
    r"romantic|wedding|tender|love": "Warm and tender",
    r"futuristic|cyberpunk|sci-fi|robot\w*": "Precise and futuristic",
}


def _compiled(words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{words})\b")


_HOUR_WORDS = {kind: _compiled(row[0]) for kind, row in _HOURS.items()}
_WEATHER_WORDS = {kind: _compiled(row[0]) for kind, row in _WEATHER.items()}
_STYLE_WORDS = {kind: _compiled(row[0]) for kind, row in _STYLES.items()}
_MOOD_WORDS = [(_compiled(words), mood) for words, mood in _MOODS.items()]


@dataclass(frozen=True)
class Scene:
    """What a prompt says of the scene as a whole, in caption sentences."""

    surroundings: str
    weather: tuple[str, ...]
    hour: Hour
    medium: str
    style: str
    mood: str
    sound: str


AS_DESCRIBED = "As described in the prompt"
"""What a field says that the rules cannot read out of the prompt."""

UNREAD = Scene(
    surroundings=AS_DESCRIBED,
    weather=(),
    hour=Hour(AS_DESCRIBED, AS_DESCRIBED, AS_DESCRIBED, AS_DESCRIBED, AS_DESCRIBED),
    medium=AS_DESCRIBED,
    style=AS_DESCRIBED,
    mood=AS_DESCRIBED,
    sound="what the scene described in the prompt sounds like",
)
"""The scene of a prompt in a language that the rules cannot read."""

_PALETTES = {
    re.compile(r"\b(?:noir|black[ -]and[ -]white|monochrome|b&w)\b"): "black and white",
    re.compile(r"\bsepia\b"): "sepia tones",
}


def _lit(hour: Hour, light: str, kind: str) -> Hour:
    """The user's light in the words of the prompt, at the hour that it names; the rest follows from them."""
    conditions = f"{hour.conditions}; {light}" if kind in {"night", "dawn", "sunset", "storm"} else light
    palette = hour.palette if kind else "true-to-life colours in that light"
    return Hour(capital(conditions), AS_DESCRIBED, AS_DESCRIBED, AS_DESCRIBED, palette)


def _in_medium(said: Look, style: str, manner: str) -> str:
    return f"{manner}, {said.medium}" if style not in {"", "vintage"} else f"{said.medium} look"


def scene(prompt: str) -> Scene:
    """Read a prompt; what it does not say is daylight, live action and an uncluttered setting."""
    text = prompt.lower()[:5000]
    kind = place(text)
    hour_kind = next((kind for kind, pattern in _HOUR_WORDS.items() if says(text, pattern)), "")
    style = next((kind for kind, pattern in _STYLE_WORDS.items() if says(text, pattern)), "")
    where = PLACES.get(kind, NOWHERE)
    hour = _HOURS[hour_kind][1] if hour_kind else _INDOORS if kind in INDOORS else _DAY
    palette = next((name for pattern, name in _PALETTES.items() if says(text, pattern)), "")
    _, medium, manner = _STYLES.get(style, ("", "Live action", "Photorealistic, true to physics and materials"))
    said, denied = look(prompt), ruled_out(prompt)
    if said.light:
        hour = _lit(hour, said.light, hour_kind)
    if said.medium:
        medium, manner = f"{medium.removesuffix(' on film stock')}, {said.medium}", _in_medium(said, style, manner)
    hour = replace(hour, palette=palette) if palette else hour

    def kept(text: str, topic: str = "") -> str:
        return AS_DESCRIBED if speaks_of(f"{topic} {text}", denied) else text

    return Scene(
        surroundings=kept(where.surroundings),
        weather=tuple(row[1] for kind, row in _WEATHER.items() if says(text, _WEATHER_WORDS[kind])),
        hour=Hour(
            kept(hour.conditions),
            kept(hour.direction),
            kept(hour.shadows, "shadow"),
            kept(hour.effect),
            kept(hour.palette),
        ),
        medium=medium,
        style=manner,
        mood=next((mood for pattern, mood in _MOOD_WORDS if says(text, pattern)), "True to the moment"),
        sound=kept(where.sound, "sound"),
    )
