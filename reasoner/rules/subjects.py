"""The caption's subjects: written from the phrases of a prompt."""

from collections.abc import Sequence

from reasoner.caption import Subject
from reasoner.rules.english import first_clause, reads_as_english
from reasoner.rules.lexicon import GARMENTS
from reasoner.rules.phrases import MAX_SUBJECTS, Phrase, phrases
from reasoner.rules.places import names_place
from reasoner.rules.scene import AS_DESCRIBED

IN_FRAME = "As shown in the first frame"
"""What a field that the first frame settles says in image-to-video."""

_SCENE = Phrase("The scene as a whole", "goes on with small movements of its own", placed=False)
"""The subject of a prompt that names no thing."""


def brief(text: str, limit: int) -> str:
    """The text, cut between words to at most `limit` characters."""
    return text if len(text) <= limit else text[:limit].rsplit(" ", 1)[0]


def sentence(text: str) -> str:
    """The text, ended like a sentence."""
    text = text.strip()
    return text if not text or text[-1] in '.!?\u3002\uff01\uff1f"\u201d' else f"{text}."


def _subject(phrase: Phrase, place: int, still: bool, from_image: bool) -> Subject:
    human = phrase.human
    shown = IN_FRAME if from_image else ""
    person = shown or "Visible and true to the request"
    text = phrase.text[:1].upper() + phrase.text[1:]
    deed = phrase.deed or (
        "Holds its place in the scene"
        if still or place or phrase.placed
        else "Is there, with small movements of its own"
    )
    return Subject(
        description=f"{text}, as shown in the first frame" if from_image else text,
        appearance_details=shown or "Consistent shape, surface and colour through the whole clip",
        relationship="The main subject" if not place else "Part of the scene around the main subject",
        location=shown or ("Center of the frame" if not place else "Beside the main subject"),
        relative_size="Medium within frame" if not place else "Small within frame",
        orientation=shown or "Turned the way it acts",
        pose=shown or "As its action needs",
        action=deed,
        state_changes="No significant change" if still else "Its position and pose follow from its action",
        clothing=(shown or "Clothing that suits the situation") if human else "",
        expression=person if human else "",
        gender=phrase.gender if human else "",
        age=phrase.age if human else "",
        skin_tone_and_texture=person if human else "",
        facial_features=person if human else "",
        number_of_subjects=phrase.count,
        number_of_arms=2 if human else 0,
        number_of_legs=2 if human else 0,
    )


def subjects(prompt: str, still: bool, from_image: bool) -> tuple[Subject, ...]:
    """The things that a prompt names, up to `MAX_SUBJECTS`; else where it plays, else the scene itself.

    A prompt that does not read as English is its own subject: its first clause, word for word.
    """
    if not reads_as_english(prompt):
        clause = brief(first_clause(prompt), 200)
        chosen = [Phrase(clause, AS_DESCRIBED, placed=False)] if clause else [_SCENE]
        return tuple(_subject(phrase, 0, still, from_image) for phrase in chosen)
    found = phrases(prompt)
    located = _located(found)
    chosen = [phrase for phrase in found if phrase not in located] or list(found) or [_SCENE]
    return tuple(_subject(phrase, place, still, from_image) for place, phrase in enumerate(chosen[:MAX_SUBJECTS]))


def places(prompt: str) -> list[str]:
    """Where the prompt says that things are, in its words; empty when it does not read as English."""
    if not reads_as_english(prompt):
        return []
    return [phrase.text for phrase in _located(phrases(prompt)) if phrase.head not in GARMENTS]


def _located(found: Sequence[Phrase]) -> list[Phrase]:
    """The phrases that tell where something is, and are no subjects.

    "A park" opens a prompt as its subject, unless something acts there ("a park with a dog running").
    """
    acting = any(phrase.deed and not phrase.placed for phrase in found)
    return [
        phrase
        for at, phrase in enumerate(found)
        if phrase.placed or ((at or acting) and not phrase.deed and names_place(phrase.head))
    ]


def event(subject: Subject) -> str:
    """What the main subject does, as a sentence."""
    name = brief(subject.description.removesuffix(", as shown in the first frame"), 120)
    if subject.action == AS_DESCRIBED:
        return sentence(name)
    return sentence(f"{name} {subject.action[:1].lower()}{subject.action[1:]}")
