"""The words that name places, hours, weather, subjects and colours: alternatives of regular expressions."""

PLACES: dict[str, str] = {
    "hall": r"halls?(?! ?way)|warehouses?|loading docks?|workshops?"
    r"|factory|factories|labs?|laborator(?:y|ies)|garage|hallways?|corridors?|conveyor\w*"
    r"|assembly line|workbench|hangar|hospital|supermarket|aisles?|industrial|plant floor|logistics",
    "room": r"kitchens?|(?:living )?rooms?|offices?|studio|tabletop|museum|bedroom|library|cafe"
    r"|restaurant|apartment|classroom",
    "street": r"streets?|alley\w*|avenue|sidewalk|crosswalk|intersection|neon|downtown|plaza|market|boulevard|pavement",
    "city": r"city|cities|skyline|skyscrapers?|rooftops?|urban|metropolis|town|buildings?|cityscape",
    "sea": r"sea|ocean|coast\w*|beach\w*|waves?|shore\w*|harbou?r|bay|surf|cliffs?|island\w*|port|pier",
    "lake": r"lakes?|rivers?|pond|lagoon|fjord|reservoir|waterfall",
    "desert": r"deserts?|dunes?|sahara|arid|canyon|mesa|mars|martian|moonscape",
    "forest": r"forests?|woods?|woodland|jungle|trees|pines?|rainforest|grove|redwoods?|bamboo",
    "road": r"roads?|highways?|freeway|motorway|lane|asphalt|track|railway|rails",
    "mountains": r"mountains?|peaks?|alps|alpine|summit|ridgelines?|himalaya\w*|valley|glacier|volcano|hills?",
    "field": r"fields?|meadows?|grass\w*|farm\w*|prairie|savanna\w*|countryside|pasture|park|garden|vineyard|lawn"
    r"|playground",
}
INDOORS = r"indoors?|interior"
"""Says no more than that there are walls: a room, where no word names another place."""
HOURS: dict[str, str] = {
    "night": r"night\w*|midnight|moon\w*|star(?:s|ry|lit)|after dark|milky way|nocturnal|aurora",
    "dawn": r"dawn|sunrise|daybreak|early morning|first light|morning mist",
    "sunset": r"sunset|golden[ -]hour|dusk|twilight|evening|setting sun|golden light|late afternoon|blue hour",
    "storm": r"storm\w*|thunder\w*|lightning|tempest|downpour|blizzard",
    "overcast": r"overcast|cloudy|gr[ae]y sky|grey day|rain\w*|drizzl\w*|diffuse daylight|foggy|fog|misty|snowfall"
    r"|snowing",
}
WEATHER = {
    "rain": r"rain(?!\s?(?:forest|bow|coat))(?:y|ing|s|fall|drops?|-slicked|-soaked)?|drizzl\w*|downpour",
    "snow": r"snowfall|snowing|snowflakes|snowstorm|falling snow|snow (?:falls|drifts|falling)|blizzard|flurries",
    "dust": r"dust\w*|sandstorm|pollen|embers?|sparks?|fireflies|particles|motes",
    "fog": r"fog\w*|mist\w*|haze|hazy|steam\w*",
}
SNOWY = r"snow(?!board)\w*|wint(?:er|ry)\w*|icy|frozen|glacier|arctic|frost\w*"
SUBJECTS = {
    "sailboat": r"sail\w*(?:[ -]boats?)?|yacht|sloop|dinghy",
    "ship": r"ships?|ferry|vessel|cargo ship|(?<!sailing )(?<!sailing-)(?<!sail )boats?|trawler|kayak|canoe|tugboat",
    "train": r"trains?|locomotive|tram|subway|metro",
    "truck": r"trucks?(?! (?:left|right)\b)|lorry|bus|van",
    "car": r"cars?|vehicles?|sedan|taxi|suv|convertible|jeep|rover|race car|sports car",
    "bird": r"birds?|seagulls?|gulls?|eagles?|hawk|crane bird|geese|doves?|pigeons?|owl|falcon",
    "balloon": r"balloons?",
    "drone": r"drones?(?! (?:shot|footage|view|camera))|quadcopter",
    "arm": r"robot(?:ic)? arms?|manipulator|gripper|robotic hand|cobot|arm picks|welding robot",
    "rover": r"mobile robots?|agvs?|amrs?|delivery robots?|wheeled robots?|robot (?:vacuum|dog)|forklift"
    r"|warehouse robot",
    "humanoid": r"humanoids?|android|robots?",
    "dog": r"dogs?|pupp(?:y|ies)|wolf|wolves|fox(?:es)?|cats?|retriever|corgi|terrier",
    "horse": r"horses?|deer|cows?|elk|stag|moose|camels?|zebras?|antelope|elephants?",
    "person": r"persons?|people|man|men|woman|women|girls?|boys?|child|children|walkers?|hikers?|figure|runner|dancer"
    r"|worker|astronaut|cyclist|skier|surfer|farmer|fisherman|chef|engineer|pedestrians?|samurai|couple",
    "ball": r"balls?|sphere|football|marble",
    "lighthouse": r"lighthouse",
    "house": r"house|cabin|cottage|barn|hut|windmill|farmhouse",
    "tree": r"tree|oak|lone tree|palm",
}
ON_LAND = ("train", "arm", "rover", "humanoid", "dog", "horse", "person", "ball", "house", "tree")
"""Subjects that stand on dry land also where the place is water. A lighthouse has its own rock."""
TONES: dict[str, tuple[float, float, float]] = {
    "red": (196, 48, 44), "blue": (44, 92, 172), "yellow": (236, 188, 48), "green": (60, 132, 82),
    "orange": (236, 126, 40), "white": (238, 238, 234), "black": (44, 44, 50), "brown": (128, 86, 56),
    "golden": (214, 166, 92), "silver": (188, 194, 202), "pink": (232, 132, 156), "purple": (126, 78, 156),
    "grey": (134, 136, 140), "gray": (134, 136, 140),
}  # fmt: skip
HOMES: dict[str, str] = {
    "sailboat": "sea", "ship": "sea", "train": "field", "truck": "road", "car": "road", "balloon": "mountains",
    "arm": "hall", "rover": "hall", "humanoid": "hall", "dog": "field", "horse": "field", "ball": "room",
    "lighthouse": "sea", "person": "field", "house": "field", "tree": "field",
}  # fmt: skip
"""Where a subject is at home when the caption names no place."""
