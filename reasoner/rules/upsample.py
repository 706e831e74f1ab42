"""The first caption: every field of the schema, written from the prompt's own words and the field's vocabulary."""

import re

from reasoner.camera import requested_moves
from reasoner.caption import (
    Action,
    Aesthetics,
    AspectRatio,
    Cinematography,
    Lighting,
    Resolution,
    Segment,
    SignText,
    StructuredCaption,
    Subject,
    clock,
)
from reasoner.rules import moves, timeline
from reasoner.rules.phrases import MAX_SUBJECTS, Phrase, phrases
from reasoner.rules.scene import scene
from reasoner.rules.wishes import wishes
from reasoner.types import CaptionRequest

IN_FRAME = "As shown in the first frame"
"""What a field that the first frame settles says in image-to-video."""

_ASPECTS: tuple[AspectRatio, ...] = ("16,9", "4,3", "1,1", "3,4", "9,16")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_QUOTED = re.compile(
    r"\"([^\"\n]{1,80})\"|\u201c([^\u201d\n]{1,80})\u201d|\u00ab([^\u00bb\n]{1,80})\u00bb|\u300c([^\u300d\n]{1,80})\u300d"
)
_FRAMINGS = {
    r"extreme close-?up|macro": "Extreme close-up",
    r"close-?up": "Close-up",
    r"medium shot|waist[ -]up": "Medium shot",
    r"wide shot|wide view|establishing|aerial|drone shot|landscape|panorama\w*": "Wide shot",
    r"full[ -]body|full shot": "Full shot",
}
_ANGLES = {
    r"bird'?s[ -]eye|overhead (?:shot|view|angle|camera)|from overhead|top[ -]down": "Top-down",
    r"aerial|drone shot|high[ -]angle": "High angle",
    r"low[ -]angle|worm'?s[ -]eye": "Low angle",
    r"pov|first[ -]person|dash ?cam": "Point of view at eye level",
    r"dutch angle": "Dutch angle",
}


def said(prompt: str) -> str:
    """The user's words, trimmed, without control characters."""
    return _CONTROL.sub(" ", prompt).strip()


def aspect(width: int, height: int) -> AspectRatio:
    """The family nearest in shape: 320x192 is "16,9" although it is 5:3."""

    def off(name: str) -> float:
        across, down = (int(part) for part in name.split(","))
        ratio = width * down / (height * across)
        return max(ratio, 1 / ratio)

    return min(_ASPECTS, key=off)


def stamped(request: CaptionRequest) -> dict[str, object]:
    """The fields that always state what is really rendered."""
    return {
        "resolution": Resolution(H=request.height, W=request.width),
        "aspect_ratio": aspect(request.width, request.height),
        "duration": f"{timeline.duration(request)}s",
        "fps": request.fps,
    }


def _pick(text: str, table: dict[str, str], otherwise: str) -> str:
    return next((value for words, value in table.items() if re.search(rf"\b(?:{words})\b", text)), otherwise)


def _brief(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[:limit].rsplit(" ", 1)[0]


def _sentence(text: str) -> str:
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


def _subjects(prompt: str, still: bool, from_image: bool) -> tuple[Subject, ...]:
    found = phrases(prompt)
    chosen = [phrase for phrase in found if not phrase.placed] or list(found)
    chosen = chosen[:MAX_SUBJECTS] or [Phrase(_brief(said(prompt), 200) or "The scene", "", placed=False)]
    return tuple(_subject(phrase, place, still, from_image) for place, phrase in enumerate(chosen))


def _event(subject: Subject) -> str:
    """What the main subject does, as a sentence."""
    name = _brief(subject.description.removesuffix(", as shown in the first frame"), 120)
    return _sentence(f"{name} {subject.action[:1].lower()}{subject.action[1:]}")


def _signs(prompt: str) -> tuple[SignText, ...]:
    texts = dict.fromkeys(next(filter(None, groups)).strip() for groups in _QUOTED.findall(prompt))
    return tuple(
        SignText(
            text=text,
            category="physical_in_scene",
            appearance="Legible lettering",
            spatial_temporal="Readable where the scene has it, through the whole clip",
            context="Named in the request",
        )
        for text in texts
        if text
    )[:8]


def upsample(request: CaptionRequest) -> StructuredCaption:
    """Write the whole caption. The same request always gets the same caption.

    The user's words open `temporal_caption` and `context`. With a first frame, the fields that the image settles say so
    and describe nothing of their own.
    """
    prompt, from_image = said(request.prompt), request.first_frame is not None
    lowered = prompt.lower()
    wished, read = wishes(prompt), scene(prompt)
    phases, paces = requested_moves(prompt), moves.paces(prompt)
    still = "still" in wished
    spans = timeline.spans(request, len(phases))
    by_span = [phases[index : index + 1] if len(phases) > 1 else phases for index in range(len(spans))]
    subjects = _subjects(prompt, still, from_image)
    event = _event(subjects[0])
    places = [phrase.text for phrase in phrases(prompt) if phrase.placed]
    around = f"{', '.join(places[:5])}: {read.surroundings}" if places else read.surroundings
    setting = f"{IN_FRAME}." if from_image else ". ".join([around[:1].upper() + around[1:], *read.weather]) + "."
    camera = [moves.whole(asked, paces) for asked in by_span]
    stages = ["The clip opens on this.", *["The same continues without a break."] * (len(spans) - 1)]
    if from_image:
        stages[0] = "The clip starts from the given image, which is its first frame."
    story = [f"{clock(start)} {stage} {line}" for (start, _), stage, line in zip(spans, stages, camera, strict=True)]
    return StructuredCaption(
        subjects=subjects,
        background_setting=setting,
        lighting=Lighting(
            conditions=IN_FRAME if from_image else read.hour.conditions,
            direction=IN_FRAME if from_image else read.hour.direction,
            shadows=IN_FRAME if from_image else read.hour.shadows,
            illumination_effect="The light of the first frame goes on" if from_image else read.hour.effect,
        ),
        aesthetics=Aesthetics(
            composition=IN_FRAME
            if from_image
            else "The main subject is easy to find, with near, middle and far layers",
            color_scheme=IN_FRAME if from_image else read.hour.palette[:1].upper() + read.hour.palette[1:],
            mood_atmosphere=read.mood,
        ),
        cinematography=Cinematography(
            camera_motion=moves.whole(phases, paces),
            framing=IN_FRAME if from_image else _pick(lowered, _FRAMINGS, "Medium wide shot"),
            camera_angle=IN_FRAME if from_image else _pick(lowered, _ANGLES, "Eye level"),
            depth_of_field="Shallow depth of field" if "soft" in wished else "Moderate depth of field",
            focus="The main subject is in focus",
            lens_focal_length="Macro" if "macro" in lowered else "Standard, about 35 mm",
        ),
        style_medium=read.medium,
        artistic_style=read.style,
        context=_sentence(_brief(prompt, 400)) or "A short clip.",
        actions=tuple(Action(time=timeline.stamp(span), description=event) for span in spans),
        text_and_signage_elements=_signs(prompt),
        segments=tuple(
            Segment(
                segment_index=index,
                time_range=timeline.stamp(span),
                description=event,
                key_changes="Nothing changes" if still else "The action goes on" if index else "The action begins",
                camera=line,
            )
            for index, (span, line) in enumerate(zip(spans, camera, strict=True))
        ),
        temporal_caption=" ".join(filter(None, [_sentence(prompt), *story])),
        audio_description=f"{read.sound[:1].upper() + read.sound[1:]}; no music and no speech.",
        **stamped(request),
    )
