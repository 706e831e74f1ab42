"""What a caption asks for: the place, the hour, the weather, who is there, and how the film shall look."""

from dataclasses import dataclass
from typing import Literal, get_args

from generator.animatic import vocabulary, words
from generator.animatic.caption import Caption, read_caption
from generator.animatic.look import Look, read_look
from generator.animatic.moves import Phase, plan
from generator.types import RenderSpec

Place = Literal["sea", "lake", "city", "street", "mountains", "forest", "desert", "field", "road", "hall", "room"]
Hour = Literal["day", "dawn", "sunset", "night", "overcast", "storm"]


_SPOKEN = {
    "hall": "an industrial hall", "room": "a room", "city": "a skyline", "field": "a meadow",
    "sailboat": "sailing boat",
    "arm": "robot arm", "rover": "mobile robot", "humanoid": "humanoid robot",
}  # fmt: skip


@dataclass(frozen=True)
class Scenario:
    """A caption, read."""

    place: Place
    guessed: bool
    """No word named the place."""
    hour: Hour
    snowy: bool
    weather: tuple[str, ...]
    subjects: tuple[str, ...]
    tone: tuple[float, float, float] | None
    """Colour that the words give the first subject; None: the seed chooses."""
    phases: tuple[Phase, ...]
    look: Look

    @property
    def ashore(self) -> bool:
        """Whether a subject needs dry land beside the water."""
        return self.place in ("sea", "lake") and any(subject in vocabulary.ON_LAND for subject in self.subjects)


def _place(caption: Caption, subjects: list[str]) -> Place | None:
    """The place that the words name, or where its subjects are at home; None when they say neither."""
    found = ""
    for text in (caption.setting, caption.subjects, caption.story):
        found = found or words.first(text, vocabulary.PLACES) or ""
        # "a street in the city", "a street with tall buildings": the street is where the camera stands
        if (
            found == "city"
            and words.says(text, vocabulary.PLACES["street"])
            and not words.says(text, "skyline|cityscape")
        ):
            found = "street"
    drives = any(subject in ("car", "truck") for subject in subjects)
    if drives and (found in ("sea", "lake") or (found == "mountains" and words.says(caption.story, "roads?"))):
        found = "road"  # "a coastal road", "a mountain road"
    if not found and words.says(caption.setting, vocabulary.INDOORS):
        found = "room"
    found = found or next((home for subject in subjects if (home := vocabulary.HOMES.get(subject))), "")
    if found == "city" and any(vocabulary.HOMES.get(subject) in ("road", "field", "hall") for subject in subjects):
        found = "street"  # the skyline's foreground is water
    return next((place for place in get_args(Place) if place == found), None)


def _hour(caption: Caption) -> Hour:
    said = words.first(caption.light, vocabulary.HOURS) or words.first(caption.story, vocabulary.HOURS) or "day"
    return next(hour for hour in get_args(Hour) if hour == said)


def _subjects(caption: Caption) -> list[str]:
    subjects = words.every(caption.subjects, vocabulary.SUBJECTS)
    for kind, parts in (("arm", ("humanoid",)), ("rover", ("humanoid",)), ("balloon", ("person",))):
        if kind in subjects:  # "a robot arm" is no walking robot, "people in a balloon" do not walk beside it
            subjects = [subject for subject in subjects if subject not in parts]
    return subjects


def read(prompt: str, spec: RenderSpec) -> Scenario:
    """Read a prompt in any of its forms (see `generator.animatic.caption`)."""
    caption = read_caption(prompt)
    subjects = _subjects(caption)
    named, hour = _place(caption, subjects), _hour(caption)
    place = named or "mountains"
    if place in ("forest", "sea"):
        subjects = [subject for subject in subjects if subject != "tree"]
    indoors = place in ("hall", "room")
    scene = f"{caption.setting}. {caption.light}. {caption.story}"
    weather = [kind for kind, said in vocabulary.WEATHER.items() if words.says(scene, said)]
    snowy = words.says(f"{caption.setting}. {caption.subjects}", vocabulary.SNOWY)
    return Scenario(
        place=place,
        guessed=named is None,
        hour=hour,
        snowy=snowy and not indoors,
        weather=tuple(kind for kind in weather if not indoors or kind in ("dust", "fog")),
        subjects=tuple(subjects[:2]),
        tone=vocabulary.TONES.get(words.first(caption.subjects, {name: name for name in vocabulary.TONES}) or ""),
        phases=plan(caption, spec.seconds),
        look=read_look(caption, dark=hour in ("night", "storm")),
    )


def drawn(scenario: Scenario, spec: RenderSpec) -> str:
    """What is drawn of a caption, in a sentence for people: the animatic knows few words, and must not hide it."""
    if spec.first_frame is not None:
        return "The animatic moves the camera over the given image; nothing in the image moves by itself."
    if scenario.guessed:
        return "The animatic knows no place or subject of these words (it reads English) and drew mountains instead."
    seen = ", ".join(_SPOKEN.get(subject, subject) for subject in scenario.subjects) or "no subject that it knows"
    return f"The animatic drew: {_SPOKEN.get(scenario.place, scenario.place)}, {scenario.hour}; {seen}."
