"""English by word class, as far as captions are read out of prompts with it."""

from reasoner.clauses import words

ARTICLES = words("a an the one another his her their its my our your some several many few")
NUMBERS = {
    word: count
    for count, word in enumerate(["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], 1)
}
PLACING = words(
    "in on at along through over under across near beside inside into past around behind above toward towards "
    "from between among outside below beneath onto against within amid before after during beyond by"
)
JOINING = words(
    "up down off of with and or while as but then that which who whose where when until without for like to made "
    "wearing"
)
VERBS = words(
    "is are was were be has have had does do stands stand sits sit walks walk runs run drives drive rides ride "
    "flies fly swims swim jumps jump turns turn opens open closes close picks pick lifts lift places place puts "
    "put moves move looks look holds hold carries carry pours pour falls fall rises rise rolls roll spins spin "
    "dances dance plays play sings sing talks talk speaks speak crosses cross passes pass enters enter leaves "
    "leave stops stop starts start begins begin waits wait watches watch reaches reach grabs grab cuts cut cooks "
    "cook eats eat drinks drink reads read writes write works work builds build welds weld drifts drift sails "
    "sail floats float glides glide crashes crash breaks break hits hit bounces bounce catches catch throws throw "
    "kicks kick climbs climb leaps leap gallops gallop trots trot races race chases chase follows follow "
    "approaches approach blows blow burns burn glows glow shines shine flickers flicker flows flow grows grow "
    "blooms bloom shows show reveals reveal emerges emerge appears appear lies lie hangs hang swings swing waves "
    "wave sways sway melts melt drops drop slides slide unloads unload loads load sorts sort assembles assemble "
    "inspects inspect scans scan navigates navigate avoids avoid brakes brake merges merge crawls crawl hovers "
    "hover lands land takes take makes make goes go comes come gets get gives give says say reading smiles smile "
    "laughs laugh cries cry stares stare points point pulls pull pushes push skates skate skis ski surfs surf "
    "chops chop slices stirs stir kneads knead folds fold wipes wipe washes wash cleans clean digs dig stacks "
    "unstacks unstack grasps grasp inserts insert tightens tighten aligns align packs unpacks unpack overtakes "
    "overtake steers steer accelerates accelerate feeds feed delivers deliver ploughs plows harvests peels "
    "grates knits hammers sweeps vacuums transports docks charges patrols meets meet"
)
NOUNS_ING = words(
    "morning evening building buildings ceiling wing ring king string spring thing wedding painting railing lightning "
    "clothing crossing landing opening nothing something everything sibling duckling earring awning"
)
"""Nouns that end as deeds do."""
SINGULAR_S = words(
    "sports glass grass canvas bus lens gas moss chess dress express mass compass cactus octopus campus virus "
    "news species series bass brass cross press princess fortress wilderness darkness tennis atlas iris christmas "
    "jesus paris business always towards this his its is was has us as"
)
PICTURE = words(
    "shot shots view close-up closeup footage scene video clip film movie timelapse time-lapse image photo "
    "photograph picture rendering render animation camera frame angle perspective montage portrait sequence "
    "drone-shot animatic take lens push zoom pan tilt dolly orbit crane slow-motion"
)
ABSTRACT = words(
    "left right depth field focus style light lighting colors colours mood background foreground motion music "
    "sound palette quality detail details direction way side top bottom middle center centre distance time second "
    "we i you he she they seconds minute minutes it them him everything something nothing one cinematic realistic "
    "photorealistic handheld static aerial 4k 8k hd up down "
    "do don't slowly gently smoothly quickly suddenly gradually"
) | {""}
STYLES = words(
    "film noir anime manga claymation stop-motion cinematic documentary watercolor watercolour oil painting pixel "
    "art cartoon comic cgi 3d 2d vintage retro sepia black-and-white monochrome b&w 8-bit cyberpunk steampunk "
    "photorealistic hyperrealistic realistic pixar ghibli style animation animated movie footage video slow-motion "
    "telephoto bokeh wide-angle fisheye fish-eye anamorphic soft-focus shallow "
    "timelapse time-lapse hyperlapse macro vhs grainy moody dramatic epic 4k 8k k hd uhd mm"
)
"""A phrase of nothing else names the look and not a thing."""
ATMOSPHERE = words(
    "early late mid morning noon midday afternoon evening night midnight dawn dusk sunrise sunset twilight day "
    "daytime nighttime daylight sunlight moonlight golden blue hour spring summer autumn fall winter fog mist haze "
    "rain drizzle snow snowfall storm thunderstorm wind breeze weather sky skies clear cloudy overcast foggy misty "
    "rainy snowy sunny windy stormy heavy light thick dense soft warm cold dark bright calm"
)
"""A phrase of nothing else names the hour or the weather."""
GARMENTS = words(
    "dress coat shirt t-shirt suit jacket hat uniform vest gown kimono robe skirt jeans trousers pants shorts boots "
    "shoes gloves helmet apron sweater hoodie armor armour costume tuxedo swimsuit pyjamas pajamas scarf cap raincoat "
    "spacesuit cloak overalls outfit clothes clothing sunglasses"
)
"""What people are in without being there."""
DENIALS = words("no not without never neither nor zero")
HUMANS = words(
    "person people man men woman women boy boys girl girls child children kid kids baby toddler chef worker "
    "workers engineer astronaut dancer dancers runner runners cyclist skier surfer hiker hikers climber farmer "
    "fisherman firefighter doctor nurse soldier soldiers teacher student students musician singer guitarist "
    "pianist violinist actor actress bride groom couple friends crowd pedestrian pedestrians driver pilot sailor "
    "samurai knight king queen detective grandmother grandfather mother father mom dad teenager athlete player "
    "players barista painter potter carpenter welder mechanic technician operator customer shopper tourist "
    "tourists walker skateboarder snowboarder monk witch wizard ballerina boxer swimmer rider barber"
)
MALE = words("man men boy boys father dad grandfather king groom fisherman actor")
FEMALE = words("woman women girl girls mother mom grandmother queen bride actress ballerina princess")
YOUNG = words("boy boys girl girls child children kid kids baby toddler")
OLD = words("grandmother grandfather elderly old")
