"""The scene's vocabulary: place, hour, weather, style and sound, each with what a caption says of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from reasoner.rules.wishes import says


@dataclass(frozen=True)
class Hour:
    """What a time of day does to the light."""

    conditions: str
    direction: str
    shadows: str
    effect: str
    palette: str


_PLACES: Mapping[str, tuple[str, str, str]] = {
    "sea": (
        r"sea|ocean|coast\w*|beach\w*|waves|shores?|harbou?r|bay|surf|cliffs?|islands?|port|pier|lighthouse|sailboats?|ships?|yacht",
        "open sea water with a long horizon and small waves at several distances",
        "waves and wind over open water",
    ),
    "lake": (
        r"lakes?|rivers?|pond|lagoon|fjord|stream|canal|waterfall",
        "water that mirrors its banks, with reeds near and hills far",
        "lapping water and distant birds",
    ),
    "street": (
        r"streets?|alley\w*|avenue|sidewalk|crosswalk|intersection|downtown|plaza|market|boulevard|pavement|diner|storefronts?|shop",
        "a street with facades on both sides, pavement near the camera and depth down its length",
        "city ambience with footsteps and distant traffic",
    ),
    "city": (
        r"city|cities|skyline|skyscrapers?|rooftops?|urban|metropolis|town|towers?|stadium",
        "a city of many buildings, near ones large and far ones fading into the air",
        "low city hum with distant traffic",
    ),
    "road": (
        r"roads?|highway|freeway|motorway|lanes?|dash ?cam\w*|traffic|driving|cars?|trucks?|race ?track|tunnel|bridge",
        "a road with lane markings that leads into the distance, with verges on both sides",
        "engine and tyre noise",
    ),
    "forest": (
        r"forests?|woods|woodland|jungle|trees|pines?|rainforest|grove|redwoods?|bamboo",
        "tree trunks at several distances, undergrowth near and canopy above",
        "birdsong and leaves in light wind",
    ),
    "desert": (
        r"deserts?|dunes?|sahara|arid|canyon|mesa|mars|martian|moon surface|lunar",
        "bare ground with long ridges one behind another under an open sky",
        "low wind over sand",
    ),
    "mountains": (
        r"mountains?|peaks?|alps|alpine|summit|ridges?|himalaya\w*|valley|glacier|volcano|hills?|slopes?|skier|snowboard\w*",
        "mountain ridges layered from near rock to far peaks",
        "wind in the heights",
    ),
    "field": (
        r"fields?|meadows?|grass\w*|farm\w*|prairie|savanna\w*|countryside|pasture|park|garden|vineyard|lawn|playground|flowers?",
        "open ground with grass near the camera and a line of trees far off",
        "insects and wind in grass",
    ),
    "warehouse": (
        r"warehouses?|factory|factories|conveyor\w*|forklifts?|hangar|workshop|garage|robot(?:ic)? arms?|industrial",
        "a large indoor hall with a concrete floor, shelving and machinery at several distances",
        "machine hum and the echo of a large hall",
    ),
    "interior": (
        (
            r"(?:bed)?rooms?|kitchens?|indoors?|interior|office|lab|laborator(?:y|ies)|hallway|corridor|studio|workbench|cafe"
            r"|tabletop|library|restaurant|museum|hospital|desk|table|sofa|couch|pottery|gym|stage"
        ),
        "an indoor room with a wall behind, furniture at the sides and a floor that shows depth",
        "quiet room tone",
    ),
    "underwater": (
        r"underwater|coral|reef|seabed|deep sea",
        "clear water with light from above and shapes that fade with distance",
        "muffled water and bubbles",
    ),
    "space": (
        r"outer space|galaxy|nebula|spacecraft|spaceship|space station|planets?|satellite|asteroids?",
        "the blackness of space with stars far behind",
        "silence with a faint low hum",
    ),
}

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


_PLACE_WORDS = {kind: _compiled(row[0]) for kind, row in _PLACES.items()}
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


def scene(prompt: str) -> Scene:
    """Read a prompt; what it does not say is daylight, live action and an uncluttered setting."""
    text = prompt.lower()[:5000]
    place = next((kind for kind, pattern in _PLACE_WORDS.items() if says(text, pattern)), "")
    hour = next((kind for kind, pattern in _HOUR_WORDS.items() if says(text, pattern)), "")
    style = next((kind for kind, pattern in _STYLE_WORDS.items() if says(text, pattern)), "")
    indoors = place in {"warehouse", "interior"}
    _, surroundings, sound = _PLACES.get(
        place, ("", "an uncluttered setting with depth behind the subject", "quiet ambience")
    )
    _, medium, manner = _STYLES.get(style, ("", "Live action", "Photorealistic, true to physics and materials"))
    return Scene(
        surroundings=surroundings,
        weather=tuple(row[1] for kind, row in _WEATHER.items() if says(text, _WEATHER_WORDS[kind])),
        hour=_HOURS[hour][1] if hour else _INDOORS if indoors else _DAY,
        medium=medium,
        style=manner,
        mood=next((mood for pattern, mood in _MOOD_WORDS if says(text, pattern)), "True to the moment"),
        sound=sound,
    )
