"""Noun phrases and what they do, found in a prompt by light rules: articles, verbs, prepositions."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reasoner.clauses import words

MAX_SUBJECTS = 4

_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+(?:['\u2019-][^\W\d_]+)*|[.,;:!?()\n\"\u201c\u201d]|\S")
_ARTICLES = words("a an the one another his her their its my our your some several many few")
_NUMBERS = {
    word: count
    for count, word in enumerate(["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], 1)
}
_PLACING = words(
    "in on at along through over under across near beside inside into past around behind above toward towards "
    "from between among outside below beneath onto against within amid before after during beyond by"
)
_JOINING = words(
    "up down off of with and or while as but then that which who whose where when until without for like to made "
    "wearing"
)
_VERBS = words(
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
    "laughs laugh cries cry stares stare points point pulls pull pushes push skates skate skis ski surfs surf"
)
_SINGULAR_S = words(
    "sports glass grass canvas bus lens gas moss chess dress express mass compass cactus octopus campus virus "
    "news species series bass brass cross press princess fortress wilderness darkness tennis atlas iris christmas "
    "jesus paris business always towards this his its is was has us as"
)
_PICTURE = words(
    "shot shots view close-up closeup footage scene video clip film movie timelapse time-lapse image photo "
    "photograph picture rendering render animation camera frame angle perspective montage portrait sequence "
    "drone-shot animatic take lens push zoom pan tilt dolly orbit crane slow-motion"
)
_ABSTRACT = words(
    "left right depth field focus style light lighting colors colours mood background foreground motion music "
    "sound palette quality detail details direction way side top bottom middle center centre distance time second "
    "seconds minute minutes it them him everything something nothing one cinematic realistic photorealistic "
    "handheld static aerial 4k 8k hd up down"
) | {""}
_HUMANS = words(
    "person people man men woman women boy boys girl girls child children kid kids baby toddler chef worker "
    "workers engineer astronaut dancer dancers runner runners cyclist skier surfer hiker hikers climber farmer "
    "fisherman firefighter doctor nurse soldier soldiers teacher student students musician singer guitarist "
    "pianist violinist actor actress bride groom couple friends crowd pedestrian pedestrians driver pilot sailor "
    "samurai knight king queen detective grandmother grandfather mother father mom dad teenager athlete player "
    "players barista painter potter carpenter welder mechanic technician operator customer shopper tourist "
    "tourists walker skateboarder snowboarder monk witch wizard ballerina boxer swimmer rider barber"
)
_MALE = words("man men boy boys father dad grandfather king groom fisherman actor")
_FEMALE = words("woman women girl girls mother mom grandmother queen bride actress ballerina princess")
_YOUNG = words("boy boys girl girls child children kid kids baby toddler")
_OLD = words("grandmother grandfather elderly old")


@dataclass(frozen=True)
class Phrase:
    """A thing of the scene, in the prompt's words."""

    text: str
    """With its article and adjectives, e.g. "a red vintage car"."""
    deed: str
    """What it does, in the prompt's words; "" when nothing is said."""
    placed: bool
    """Named only as where something is ("on the beach")."""
    leads: bool = False
    """Its sentence starts with it."""

    @property
    def head(self) -> str:
        """Its noun, lower case: the last word."""
        return re.findall(r"[^\W\d_]+", self.text.lower())[-1] if re.search(r"[^\W\d_]", self.text) else ""

    @property
    def parts(self) -> frozenset[str]:
        """Its words, lower case."""
        return frozenset(re.findall(r"[^\W\d_]+", self.text.lower()))

    @property
    def human(self) -> bool:
        """Whether it is a person or people."""
        return bool(self.parts & _HUMANS) and not self.parts & {"robot", "robotic", "statue", "toy", "mannequin"}

    @property
    def gender(self) -> str:
        """Male, Female or Unknown, as the caption schema spells them."""
        return "Male" if self.parts & _MALE else "Female" if self.parts & _FEMALE else "Unknown"

    @property
    def age(self) -> str:
        """One of the schema's age words."""
        return "Elderly" if self.parts & _OLD else "Child" if self.parts & _YOUNG else "Adult"

    @property
    def count(self) -> int:
        """How many, as far as a number word says; 1 for a singular, 3 for an uncounted plural."""
        first = self.text.lower().split(" ", 1)[0]
        if first.isdecimal():
            return min(int(first[:4]), 1000)
        if first in _NUMBERS:
            return _NUMBERS[first]
        plural = self.head.endswith("s") and self.head not in _SINGULAR_S
        return (
            3 if plural or first in {"several", "many", "some", "few"} or self.head in {"people", "men", "women"} else 1
        )


def _describes(rest: Sequence[str]) -> bool:
    """Whether a word in -ing before `rest` describes a noun ("a sailing boat crosses"), and is no deed ("reading")."""
    if len(rest) < 2 or not rest[0][0].isalnum():
        return False
    noun, after = rest[0].lower(), rest[1].lower()
    return noun not in _ARTICLES | _PLACING | _JOINING and after in _VERBS and noun not in _VERBS


def _ends_phrase(token: str, held: Sequence[str], rest: Sequence[str]) -> bool:
    word = token.lower()
    if not token[0].isalnum() or word in _PLACING or word in _JOINING or (word in _ARTICLES and held):
        return True
    if not held:
        return False
    nouned = [held_word for held_word in held if held_word.lower() not in _ARTICLES]
    if not nouned:
        return False
    if word in _VERBS or (word.endswith("ing") and len(word) > 4):
        return not (word.endswith("ing") and _describes(rest))
    last = held[-1].lower()
    singular = held[0].lower() in {"a", "an", "one"} or (last in _HUMANS and not last.endswith("s"))
    return singular and word.endswith("s") and not word.endswith(("ss", "us", "is")) and word not in _SINGULAR_S


def _sentences(tokens: Sequence[str]) -> Iterator[list[str]]:
    sentence: list[str] = []
    for word in tokens:
        if word in ".!?\n;":
            yield sentence
            sentence = []
        else:
            sentence.append(word)
    yield sentence


def _spell(tokens: Sequence[str]) -> str:
    return re.sub(r'" ([^"]*?) "', r'"\1"', re.sub(r" (?=[,:)\u201d])", "", " ".join(tokens)))


def _in_sentence(tokens: Sequence[str]) -> Iterator[Phrase]:
    at = 0
    placed = False
    fresh = True
    while at < len(tokens):
        word = tokens[at].lower()
        if not tokens[at][0].isalnum():
            fresh, placed, at = tokens[at] in ',:("\u201c' or fresh, False, at + 1
            continue
        starts = word in _ARTICLES or word in _NUMBERS or word.isdecimal() or fresh or placed
        if not starts or word in _PLACING or word in _JOINING:
            placed = word in _PLACING
            fresh = word in {"and", "while", "as", "of"}
            at += 1
            continue
        end = at
        while end < len(tokens) and not _ends_phrase(tokens[end], tokens[at:end], tokens[end + 1 :]):
            end += 1
        held = tokens[at:end]
        if not held or all(w.lower() in _ARTICLES for w in held):
            at, fresh, placed = max(end, at + 1), False, False
            continue
        stop = end
        while stop < len(tokens) and tokens[stop] not in ",:()" and tokens[stop].lower() not in {"while", "then", "as"}:
            stop += 1
        follows = tokens[end].lower() if end < len(tokens) else ""
        verbal = follows in _VERBS or follows.endswith(("ing", "s"))
        deed = _spell(tokens[end:stop]) if verbal and follows not in _PLACING and follows not in _JOINING else ""
        yield Phrase(_spell(held), deed, placed, leads=at == 0)
        at, fresh, placed = end, False, False


def phrases(prompt: str) -> tuple[Phrase, ...]:
    """The things that a prompt names, in its order, without words for the picture itself ("a wide shot of")."""
    found: dict[str, Phrase] = {}
    for sentence in _sentences(_TOKEN.findall(prompt[:2000])):
        for phrase in _in_sentence(sentence):
            verb = phrase.text.lower().split(" ", 1)[0] in _VERBS and not phrase.leads
            picture = phrase.parts & _PICTURE and "noir" not in phrase.parts
            if not (picture or verb or phrase.head in _ABSTRACT) and len(phrase.text) < 90:
                found.setdefault(phrase.text.lower(), phrase)
    return tuple(found.values())
