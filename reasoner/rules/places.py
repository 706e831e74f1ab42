"""Where a scene plays: the places that prompts name or imply, and what a caption says of each."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from reasoner.rules.wishes import says


class Place(NamedTuple):
    """A kind of place."""

    named: str
    """Words for it: alternatives of a regular expression."""
    implied: str
    """Words for what is at home there, which count where no place is named."""
    surroundings: str
    sound: str


NOWHERE = Place("", "", "an uncluttered setting with depth behind the subject", "quiet ambience")
INDOORS = frozenset({"warehouse", "interior"})

PLACES: Mapping[str, Place] = {
    "sea": Place(
        r"sea|ocean|coast\w*|beach\w*|shores?|harbou?r|bay|cliffs?|islands?|port|pier|lighthouse",
        r"waves|surf|sailboats?|ships?|yacht",
        "open sea water with a long horizon and small waves at several distances",
        "waves and wind over open water",
    ),
    "lake": Place(
        r"lakes?|rivers?|pond|lagoon|fjord|stream|canal|waterfall",
        r"canoe|kayak|rowing boat|swans?",
        "water that mirrors its banks, with reeds near and hills far",
        "lapping water and distant birds",
    ),
    "street": Place(
        r"streets?|alley\w*|avenue|sidewalk|crosswalk|intersection|downtown|plaza|market|boulevard|pavement|diner"
        r"|storefronts?|shop",
        r"pedestrians?|skateboard\w*|street lamps?|bus stop",
        "a street with facades on both sides, pavement near the camera and depth down its length",
        "city ambience with footsteps and distant traffic",
    ),
    "city": Place(
        r"city|cities|skyline|skyscrapers?|rooftops?|urban|metropolis|town|towers?|stadium",
        r"buildings?",
        "a city of many buildings, near ones large and far ones fading into the air",
        "low city hum with distant traffic",
    ),
    "road": Place(
        r"roads?|highway|freeway|motorway|lanes?|race ?track|tunnel|bridge",
        r"dash ?cam\w*|traffic|driving|cars?|trucks?(?! (?:left|right|in|out)\b)",
        "a road with lane markings that leads into the distance, with verges on both sides",
        "engine and tyre noise",
    ),
    "forest": Place(
        r"forests?|woods|woodland|jungle|trees|pines?|rainforest|grove|redwoods?|bamboo",
        r"mushrooms?|deer|bears?",
        "tree trunks at several distances, undergrowth near and canopy above",
        "birdsong and leaves in light wind",
    ),
    "desert": Place(
        r"deserts?|dunes?|sahara|arid|canyon|mesa|mars|martian|moon surface|lunar",
        r"camels?|cact(?:us|i)",
        "bare ground with long ridges one behind another under an open sky",
        "low wind over sand",
    ),
    "mountains": Place(
        r"mountains?|peaks?|alps|alpine|summit|ridges?|himalaya\w*|valley|glacier|volcano|hills?|slopes?",
        r"skiers?|snowboard\w*|climbers?|eagles?",
        "mountain ridges layered from near rock to far peaks",
        "wind in the heights",
    ),
    "field": Place(
        r"(?<!depth of )fields?|meadows?|grass\w*|farm\w*|prairie|savanna\w*|countryside|pasture|park|garden"
        r"|vineyard|lawn|playground",
        r"flowers?|tractors?|plough\w*|cows?|sheep",
        "open ground with grass near the camera and a line of trees far off",
        "insects and wind in grass",
    ),
    "warehouse": Place(
        r"warehouses?|factory|factories|loading docks?|hangar|workshop|garage|industrial|assembly line",
        r"conveyor\w*|forklifts?|robot(?:ic)? arms?|grippers?|manipulators?|cobots?|amrs?|agvs?|pallets?",
        "a large indoor hall with a concrete floor, shelving and machinery at several distances",
        "machine hum and the echo of a large hall",
    ),
    "interior": Place(
        r"(?:bed)?rooms?|kitchens?|indoors?|interior|office|lab|laborator(?:y|ies)|halls?|hallway|corridor|studio|workbench"
        r"|cafe|tabletop|library|restaurant|museum|hospital|gym|stage",
        r"desk|table|sofa|couch|pottery|mugs?|cups?|plates?|(?:cutting|chopping) board|chops?|chopping"
        r"|carrots?|knead\w*|stirs?|frying|towels?",
        "an indoor room with a wall behind, furniture at the sides and a floor that shows depth",
        "quiet room tone",
    ),
    "underwater": Place(
        r"underwater|coral|reef|seabed|deep sea",
        r"jellyfish|scuba|diver",
        "clear water with light from above and shapes that fade with distance",
        "muffled water and bubbles",
    ),
    "space": Place(
        r"outer space|galaxy|nebula|spacecraft|spaceship|space station",
        r"planets?|satellite|asteroids?",
        "the blackness of space with stars far behind",
        "silence with a faint low hum",
    ),
}

_NAMED = {kind: re.compile(rf"\b(?:{row.named})\b") for kind, row in PLACES.items()}
_IMPLIED = {kind: re.compile(rf"\b(?:{row.implied})\b") for kind, row in PLACES.items()}


def place(text: str) -> str:
    """The kind of place that `text` (lower case) names or else implies, or ""."""
    for words in (_NAMED, _IMPLIED):
        if found := next((kind for kind, pattern in words.items() if says(text, pattern)), ""):
            return found
    return ""


def names_place(noun: str) -> bool:
    """Whether a noun (lower case) is one of a place, and not of a thing in it."""
    return any(pattern.fullmatch(noun) for pattern in _NAMED.values())
