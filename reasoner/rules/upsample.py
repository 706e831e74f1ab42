"""The first caption: every field of the schema, written from the prompt's own words and the field's vocabulary."""

import re

from reasoner.camera import requested_moves
from reasoner.caption import (
    Action,
    Aesthetics,
    Cinematography,
    Lighting,
    Segment,
    SignText,
    StructuredCaption,
    clock,
)
from reasoner.given import stamped
from reasoner.rules import moves, shots, timeline
from reasoner.rules.english import reads_as_english
from reasoner.rules.look import Look, look
from reasoner.rules.passages import passages
from reasoner.rules.scene import AS_DESCRIBED, UNREAD, scene
from reasoner.rules.subjects import IN_FRAME, brief, event, places, sentence, subjects
from reasoner.rules.wishes import wishes
from reasoner.types import CaptionRequest

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


def _pick(text: str, table: dict[str, str], otherwise: str) -> str:
    return next((value for words, value in table.items() if re.search(rf"\b(?:{words})\b", text)), otherwise)


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

    The user's words open `temporal_caption` and `context`, and those on the camera open its field. With a first frame,
    the fields that the image settles say so and describe nothing of their own.
    """
    prompt, from_image = said(request.prompt), request.first_frame is not None
    lowered = prompt.lower()
    english = reads_as_english(prompt)
    wished, read = wishes(prompt), scene(prompt) if english else UNREAD
    # what another language asks of the camera nobody knows, so no stillness is claimed
    unasked = moves.UNASKED if english else f"{AS_DESCRIBED}."
    phases, wordings, spoken = requested_moves(prompt), moves.wordings(prompt), passages(prompt)
    still = "still" in wished
    spans = timeline.spans(request, len(phases))
    by_span = [phases[index : index + 1] if len(phases) > 1 else phases for index in range(len(spans))]
    cast = subjects(prompt, still, from_image)
    spoken_look = look(prompt) if english else Look("", "", "", "", "")
    deed = event(cast[0])
    where = places(prompt)
    around = (
        f"{', '.join(where[:5])}: {read.surroundings[:1].lower() + read.surroundings[1:]}"
        if where
        else read.surroundings
    )
    setting = f"{IN_FRAME}." if from_image else ". ".join([around[:1].upper() + around[1:], *read.weather]) + "."
    camera = [shots.segment(asked, wordings, spoken, unasked) for asked in by_span]
    stages = ["The clip opens on this.", *["The same continues without a break."] * (len(spans) - 1)]
    if from_image:
        stages[0] = "The clip starts from the given image, which is its first frame."
    story = [f"{clock(start)} {stage} {line}" for (start, _), stage, line in zip(spans, stages, camera, strict=True)]
    return StructuredCaption(
        subjects=cast,
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
            camera_motion=shots.whole(phases, wordings, spoken, unasked),
            framing=IN_FRAME if from_image else _pick(lowered, _FRAMINGS, "Medium wide shot"),
            camera_angle=IN_FRAME if from_image else _pick(lowered, _ANGLES, "Eye level"),
            depth_of_field=spoken_look.depth
            or ("Shallow depth of field" if "soft" in wished else "Moderate depth of field"),
            focus=spoken_look.focus or "The main subject is in focus",
            lens_focal_length=spoken_look.lens or "Standard, about 35 mm",
        ),
        style_medium=read.medium,
        artistic_style=read.style,
        context=sentence(brief(prompt, 400)) or "A short clip.",
        actions=tuple(Action(time=timeline.stamp(span), description=deed) for span in spans),
        text_and_signage_elements=_signs(prompt),
        segments=tuple(
            Segment(
                segment_index=index,
                time_range=timeline.stamp(span),
                description=deed,
                key_changes="Nothing changes" if still else "The action goes on" if index else "The action begins",
                camera=line,
            )
            for index, (span, line) in enumerate(zip(spans, camera, strict=True))
        ),
        temporal_caption=" ".join(filter(None, [sentence(prompt), *story])),
        audio_description=f"{AS_DESCRIBED}."
        if read.sound == AS_DESCRIBED
        else f"{read.sound[:1].upper() + read.sound[1:]}; no music and no speech.",
        **stamped(request),
    )
