"""By criterion, the steps that answer it, the mildest first."""

from collections.abc import Mapping, Sequence

from reasoner.rules.steps import Case, Step, sentence, strong, unhurried

_CAMERA = ("cinematography.camera_motion", "segments.*.camera")
_LIGHT = ("lighting.illumination_effect",)
_STORY = ("temporal_caption",)


def _static(case: Case) -> bool:
    return bool(case.phases) and all(phase == ("static",) for phase in case.phases)


_MOTION = (
    Step(
        "The action was named but not how much of it shows: constant, brisk motion is asked for.",
        sentence("The action is brisk and vigorous, with constant visible motion from 0:00 to {end}."),
        ("actions.*.description", "subjects.0.action"),
        unless=frozenset({"still", "slow"}),
    ),
    Step(
        "The prompt wants a slow pace: motion that never pauses is asked for instead of faster motion.",
        sentence("The motion is unhurried, constant and visible from 0:00 to {end}."),
        ("actions.*.description", "subjects.0.action"),
        unless=frozenset({"still"}),
        fits=lambda case: "slow" in case.wishes,
    ),
    Step(
        "Nothing is asked of the camera: a slow continuous drift forward gives the picture movement.",
        sentence("The camera pushes in slowly and continuously."),
        _CAMERA,
        unless=frozenset({"still"}),
        fits=lambda case: case.camera_free,
        replaces=True,
    ),
    Step(
        "The surroundings stood still: what can move there is asked to move too.",
        sentence("Whatever can move in the surroundings is visibly moving all the time, lively and energetic."),
        ("segments.*.key_changes", "temporal_caption"),
        unless=frozenset({"still"}),
    ),
)

LADDERS: Mapping[str, Sequence[Step]] = {
    "camera": (
        Step(
            "The camera move was asked too weakly: it is asked clearly, with its times and how far it goes.",
            strong,
            _CAMERA,
            fits=lambda case: case.travels and "allow no camera move" not in case.feedback,
            replaces=True,
        ),
        Step(
            "The slow pace kept the move small: how far it goes is asked for instead of its pace.",
            unhurried,
            _CAMERA,
            fits=lambda case: case.travels and case.slow,
            replaces=True,
        ),
        Step(
            "The camera did not hold: it is locked off on a tripod.",
            sentence("The camera is completely static, locked off on a tripod, from 0:00 to {end}."),
            _CAMERA,
            unless=frozenset({"handheld"}),
            fits=_static,
            replaces=True,
        ),
        Step(
            "Other movement mixed with the asked move: it is ruled out.",
            sentence("Tripod-steady and stabilized: the camera makes no other movement, and does not drift or shake."),
            _CAMERA,
            unless=frozenset({"handheld"}),
            fits=lambda case: bool(case.phases),
        ),
        Step(
            "The move stood only in the camera fields: the story tells it too, as the main event.",
            lambda case, _: f"The camera move is the main event of the shot: {strong(case, None)}",
            _STORY,
            fits=lambda case: case.travels,
        ),
        Step(
            "The move may end too soon: a sweeping one that starts at once and goes on to the last frame is asked for.",
            lambda _case, _: (
                "The move starts at once, is wide and sweeping, and goes on at constant speed until the last frame."
            ),
            _CAMERA,
            fits=lambda case: case.travels,
        ),
    ),
    "first_frame": (
        Step(
            "The clip left the given image: it starts from it unchanged, and motion sets in gradually.",
            sentence("0:00 is exactly the given image; from there all motion sets in gradually."),
            ("segments.0.key_changes", "temporal_caption"),
        ),
        Step(
            "The camera may jump at the start: it starts from rest on the given image.",
            sentence("The camera starts from rest on the given image."),
            _CAMERA,
            fits=lambda case: not _static(case),
        ),
    ),
    "motion": _MOTION,
    "frozen": (
        Step(
            "The picture stood still: motion that never stops is asked for.",
            sentence("Movement never stops: something is constantly and visibly moving from 0:00 to {end}."),
            ("actions.*.description", "segments.*.key_changes"),
            unless=frozenset({"still"}),
        ),
        *_MOTION[1:],
    ),
    "duplicates": (
        Step(
            "Frames repeat: smooth continuous motion at the full frame rate is asked for.",
            sentence(
                "Smooth continuous motion at constant speed and full frame rate: each of {fps} frames a second is new."
            ),
            ("segments.*.key_changes", "temporal_caption"),
            unless=frozenset({"stepped", "still"}),
        ),
        Step(
            "Frames still repeat: the action itself is asked to flow without pauses.",
            sentence("The action flows at constant speed without any pause."),
            ("actions.*.description",),
            unless=frozenset({"stepped", "still"}),
        ),
    ),
    "cuts": (
        Step(
            "The clip cuts: one continuous take is asked for.",
            sentence("One single continuous take from 0:00 to {end}, without cuts or scene changes."),
            ("temporal_caption", "cinematography.camera_motion"),
            unless=frozenset({"cuts"}),
        ),
        Step(
            "The clip still cuts: every segment is told to go on in the same shot.",
            sentence("The same shot goes on without a break."),
            ("segments.*.description",),
            unless=frozenset({"cuts"}),
        ),
    ),
    "black": (
        Step(
            "Frames are black: the scene is lit and visible throughout.",
            sentence("The scene is lit and visible from the first frame to the last."),
            (*_LIGHT, "temporal_caption"),
            unless=frozenset({"black"}),
        ),
    ),
    "flicker": (
        Step(
            "The light flickers: constant, steady light is asked for.",
            sentence("The light is constant, even and steady from the first frame to the last."),
            _LIGHT,
            unless=frozenset({"flicker"}),
        ),
        Step(
            "The light still flickers: exposure and white balance are fixed.",
            sentence("Exposure and white balance are fixed; brightness is stable from frame to frame."),
            ("lighting.conditions", "segments.*.key_changes"),
            ("segments.*.key_changes",),
            unless=frozenset({"flicker"}),
        ),
    ),
    "shake": (
        Step(
            "The camera shakes: a tripod-steady, stabilized camera is asked for.",
            sentence("The camera is tripod-steady and stabilized, and moves smoothly."),
            _CAMERA,
            unless=frozenset({"handheld"}),
            fits=lambda case: case.travels,
        ),
        Step(
            "The camera shakes: it is put on a tripod.",
            sentence("The camera stands tripod-steady and stabilized."),
            _CAMERA,
            unless=frozenset({"handheld"}),
            fits=lambda case: not case.travels and (case.camera_free or bool(case.phases)),
        ),
        Step(
            "The camera shakes: it is asked to do what the user's own words say, stabilized.",
            sentence("The camera is stabilized and free of shaking."),
            _CAMERA,
            unless=frozenset({"handheld"}),
            fits=lambda case: not case.phases and not case.camera_free,
        ),
        Step(
            "The camera still shakes: a gimbal or dolly carries it.",
            sentence("A gimbal carries the camera on one smooth path."),
            ("cinematography.camera_motion", "temporal_caption"),
            unless=frozenset({"handheld"}),
            fits=lambda case: case.travels,
        ),
    ),
    "warping": (
        Step(
            "Shapes swim: rigid, stable shapes are asked for.",
            sentence("Shapes are rigid and stable and keep their form."),
            ("subjects.*.appearance_details", "artistic_style"),
            ("subjects.*.state_changes",),
            unless=frozenset({"melting"}),
        ),
        Step(
            "Shapes still swim: geometry is asked to stay consistent in every frame.",
            sentence(
                "Geometry stays consistent in every frame: straight lines stay straight and surfaces do not swim."
            ),
            _STORY,
            unless=frozenset({"melting"}),
        ),
    ),
    "blur": (
        Step(
            "The picture is soft: deep focus with everything crisp is asked for.",
            sentence("Deep focus: everything is crisp and sharp from near to far."),
            ("cinematography.depth_of_field", "cinematography.focus"),
            unless=frozenset({"soft", "focused", "veil"}),
            replaces=True,
        ),
        Step(
            "The picture is still soft: a fast shutter and tack-sharp edges are asked for.",
            sentence("A fast shutter keeps moving things tack-sharp, without motion blur."),
            ("cinematography.focus",),
            unless=frozenset({"soft", "veil"}),
        ),
    ),
    "noise": (
        Step(
            "The picture is noisy: a clean, noise-free picture is asked for.",
            sentence("Clean, noise-free picture."),
            ("artistic_style",),
            _LIGHT,
            unless=frozenset({"grain"}),
        ),
        Step(
            "The picture is still noisy: pristine, crystal-clear surfaces are asked for.",
            sentence("Surfaces are pristine and crystal-clear."),
            ("aesthetics.composition", *_LIGHT),
            _LIGHT,
            unless=frozenset({"grain"}),
        ),
    ),
    "blockiness": (
        Step(
            "Blocks show: a clean picture with fine detail is asked for.",
            sentence("Clean picture with fine detail."),
            ("artistic_style",),
            ("cinematography.focus",),
            unless=frozenset({"blocky", "grain"}),
        ),
    ),
    "banding": (
        Step(
            "Smooth parts show bands: fine texture is asked for there.",
            sentence("Smooth parts of the picture carry fine texture."),
            ("aesthetics.patterns",),
            _LIGHT,
            unless=frozenset({"flat_sky"}),
        ),
        Step(
            "Bands still show: gradients are asked to be finely dithered.",
            sentence("Gradients are finely dithered."),
            _LIGHT,
        ),
    ),
    "exposure": (
        Step(
            "The picture is too dark: a bright, well exposed scene is asked for.",
            sentence("The scene is bright and well exposed."),
            _LIGHT,
            unless=frozenset({"night", "black"}),
            fits=lambda case: not case.overexposed,
        ),
        Step(
            "The picture is too dark to read: what matters is lit, and its hour and mood stay.",
            sentence("Its hour and mood stay as they are, and everything that matters is well lit and readable."),
            _LIGHT,
            unless=frozenset({"black"}),
            fits=lambda case: not case.overexposed and "night" in case.wishes,
        ),
        Step(
            "The picture is still too dark: more fill light is asked for.",
            sentence("Strong fill light opens the shadows; luminous midtones."),
            ("lighting.shadows", *_LIGHT),
            _LIGHT,
            unless=frozenset({"night", "black"}),
            fits=lambda case: not case.overexposed,
        ),
        Step(
            "Highlights clip: the picture is exposed for them.",
            sentence("Exposed for the highlights, slightly underexposed, so that nothing clips to white."),
            _LIGHT,
            unless=frozenset({"bright"}),
            fits=lambda case: case.overexposed,
        ),
    ),
    "saturation": (
        Step(
            "Colours are too pure: natural, muted colours are asked for.",
            sentence("Natural, muted colours."),
            ("aesthetics.color_scheme",),
            _LIGHT,
            unless=frozenset({"vivid", "monochrome"}),
        ),
        Step(
            "Colours are still too pure: a subdued palette is asked for.",
            sentence("A subdued, understated palette."),
            ("artistic_style",),
            _LIGHT,
            unless=frozenset({"vivid", "monochrome"}),
        ),
    ),
}
