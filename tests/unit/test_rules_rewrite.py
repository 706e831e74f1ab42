"""Rewrites by rules: what is edited, what never is, and what is learnt from a history."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from reasoner.camera import requested_moves
from reasoner.caption import StructuredCaption
from reasoner.config import RulesConfig
from reasoner.rules import Rules
from reasoner.rules.editing import frozen
from reasoner.rules.ladders import LADDERS
from reasoner.rules.rewrite import failures
from reasoner.types import Caption, CaptionRequest, Revision

RULES = Rules(RulesConfig())
CRITERIA = tuple(LADDERS)
PROMPT = "A sailboat crosses a bay, the camera slowly pans left"


def request(prompt: str = PROMPT, image: Path | None = None) -> CaptionRequest:
    return CaptionRequest(prompt=prompt, first_frame=image, width=320, height=192, num_frames=61, fps=24)


def revision(
    caption: Caption,
    criteria: Mapping[str, float],
    parent: int | None = None,
    gain: float | None = None,
    feedback: str = "",
) -> Revision:
    values = dict.fromkeys(CRITERIA, 1.0) | dict(criteria)
    return Revision(
        caption=caption,
        score=sum(values.values()) / len(values),
        criteria=values,
        feedback=feedback,
        parent=parent,
        gain=gain,
    )


async def rewritten(prompt: str, low: Mapping[str, float], feedback: str = "", image: Path | None = None) -> Caption:
    """The first rewrite of a prompt whose clip is low in some criteria."""
    asked = request(prompt, image)
    return await RULES.rewrite(asked, [revision(await RULES.upsample(asked), low, feedback=feedback)], 0)


async def exhaust(asked: CaptionRequest, low: Mapping[str, float], *, helps: bool) -> list[Revision]:
    """Rewrite until nothing is left; each edit helps its criterion a little, or none does."""
    history = [revision(await RULES.upsample(asked), low)]
    champion = 0
    for _ in range(80):
        caption = await RULES.rewrite(asked, history, champion)
        if caption.reseed:
            history.append(revision(caption, low, champion))
            return history
        criteria = dict(history[champion].criteria)
        if helps:
            criteria |= {edit.criterion: min(0.84, criteria[edit.criterion] + 0.02) for edit in caption.edits}
        history.append(revision(caption, criteria, champion, gain=0.01 if helps else -0.01))
        champion = len(history) - 1 if helps else champion
    raise AssertionError("never exhausted")


def steps(caption: Caption) -> set[tuple[str, str]]:
    return {(edit.criterion, edit.reason) for edit in caption.edits}


def after(caption: Caption, criterion: str) -> str:
    return " ".join(edit.after for edit in caption.edits if edit.criterion == criterion)


@pytest.mark.parametrize("criterion", CRITERIA)
async def test_each_criterion_is_answered(criterion: str) -> None:
    caption = await rewritten(PROMPT, {criterion: 0.3})
    assert {edit.criterion for edit in caption.edits} == {criterion}
    assert f"{criterion} 0.30" in caption.diagnosis
    assert caption.source == "rewrite"
    assert not caption.reseed


@pytest.mark.parametrize(
    ("criterion", "feedback", "words"),
    [
        ("camera", "", "clearly and continuously pans left all the way from 0:00 to 0:02"),
        ("shake", "", "tripod-steady and stabilized"),
        ("flicker", "", "constant, even and steady"),
        ("blur", "", "crisp and sharp"),
        ("noise", "", "noise-free"),
        ("exposure", "Cure: ask for a bright, well exposed scene", "bright and well exposed"),
        ("exposure", "Cure: ask for a balanced exposure that holds the highlights", "slightly underexposed"),
        ("saturation", "", "Natural, muted"),
        ("motion", "", "constant and visible"),
        ("banding", "", "carry fine texture"),
        ("cuts", "", "single continuous take"),
    ],
)
async def test_words_of_the_first_step(criterion: str, feedback: str, words: str) -> None:
    assert words in after(await rewritten(PROMPT, {criterion: 0.3}, feedback), criterion)


async def test_edits_tell_the_difference_between_the_captions() -> None:
    first = await RULES.upsample(request())
    caption = await rewritten(PROMPT, {"camera": 0.3, "flicker": 0.5})
    assert isinstance(first.structured, StructuredCaption)
    assert isinstance(caption.structured, StructuredCaption)
    replayed = first.structured
    for edit in caption.edits:
        replayed = replayed.replace(edit.field, edit.after)
        assert edit.before != edit.after
        assert edit.reason.endswith(".")
    assert replayed == caption.structured
    assert StructuredCaption.parse(caption.prompt) == caption.structured


async def test_the_story_is_told_alike_everywhere() -> None:
    caption = (await rewritten("The camera pans left. The camera tilts up.", {"camera": 0.3})).structured
    assert isinstance(caption, StructuredCaption)
    for segment in caption.segments:
        assert segment.camera in caption.temporal_caption
        assert "clearly and continuously" in segment.camera
    assert caption.temporal_caption.startswith("The camera pans left. The camera tilts up. 0:00 ")
    assert caption.temporal_caption.count("The camera pans left.") == 1


async def test_the_lowest_three_are_answered() -> None:
    caption = await rewritten(PROMPT, {"camera": 0.5, "noise": 0.2, "blur": 0.4, "flicker": 0.3, "cuts": 0.84})
    assert {edit.criterion for edit in caption.edits} == {"noise", "flicker", "blur"}


async def test_a_broken_floor_comes_first() -> None:
    asked = request()
    low = revision(await RULES.upsample(asked), {"cuts": 0.4, "noise": 0.3, "blur": 0.2, "flicker": 0.1})
    low = low.model_copy(update={"floors": {"cuts": 0.5}})
    caption = await RULES.rewrite(asked, [low], 0)
    assert {edit.criterion for edit in caption.edits} == {"cuts", "flicker", "blur"}


async def test_what_is_good_is_touched_last_and_alone() -> None:
    assert {e.criterion for e in (await rewritten(PROMPT, {"noise": 0.9, "camera": 0.84})).edits} == {"camera"}
    assert {e.criterion for e in (await rewritten(PROMPT, {"noise": 0.9, "camera": 0.95})).edits} == {"noise"}


@pytest.mark.parametrize(
    "low",
    [
        {"camera": 0.2, "noise": 0.4, "warping": 0.3, "flicker": 0.5},
        dict.fromkeys(CRITERIA, 0.3),
        {"exposure": 0.2},
    ],
)
@pytest.mark.parametrize("prompt", [PROMPT, "A cat sleeps", "A handheld shot of a dark, foggy street"])
async def test_a_failed_edit_is_never_repeated(prompt: str, low: Mapping[str, float]) -> None:
    history = await exhaust(request(prompt), low, helps=False)
    made = [step for past in history for step in steps(past.caption)]
    assert len(made) == len(set(made))
    assert all(not past.caption.edits or past.parent == 0 for past in history)
    last = history[-1].caption
    assert last.reseed
    assert last.prompt == history[0].caption.prompt
    assert last.edits == ()
    assert "limit of the model" in last.diagnosis
    assert all(name in last.diagnosis for name in low)


@pytest.mark.parametrize("gain", [0.05, None])
async def test_an_edit_that_did_not_raise_its_criterion_failed(gain: float | None) -> None:
    asked = request()
    first = revision(await RULES.upsample(asked), {"camera": 0.3, "noise": 0.4})
    second = await RULES.rewrite(asked, [first], 0)
    tried = revision(second, {"camera": 0.7, "noise": 0.405}, 0, gain)
    third = await RULES.rewrite(asked, [first, tried], 1)
    noise = [edit.reason for edit in third.edits if edit.criterion == "noise"]
    assert noise == [LADDERS["noise"][1].reason] * len(noise)
    assert noise
    assert "noise 0.41: Words have not helped it yet" in third.diagnosis


@pytest.mark.parametrize(("gain", "failed"), [(0.0019, True), (0.0021, False)])
async def test_an_edit_that_others_paid_for_failed(gain: float, failed: bool) -> None:
    asked = request()
    first = revision(await RULES.upsample(asked), {"noise": 0.4})
    second = revision(await RULES.rewrite(asked, [first], 0), {"noise": 0.9, "banding": 0.49}, 0, gain)
    assert (steps(second.caption) <= failures([first, second])) is failed


@pytest.mark.parametrize(
    "prompt", ["A robot drives. The camera follows the robot.", "A forest, first-person view", "A lake, no zoom"]
)
async def test_camera_words_that_are_not_understood_survive(prompt: str) -> None:
    asked = request(prompt)
    first = (await RULES.upsample(asked)).structured
    assert isinstance(first, StructuredCaption)
    for helps in (True, False):
        for past in await exhaust(asked, dict.fromkeys(CRITERIA, 0.3), helps=helps):
            caption = past.caption.structured
            assert isinstance(caption, StructuredCaption)
            assert caption.cinematography.camera_motion.startswith(first.cinematography.camera_motion)
            assert caption.segments[0].camera.startswith(first.segments[0].camera)
            assert requested_moves(caption.text()) == ()
            assert "tripod" not in caption.text()
            assert past.caption.notes == (await RULES.upsample(asked)).notes


async def test_a_stronger_move_keeps_the_users_words_and_verb() -> None:
    caption = (await rewritten("A car. The camera trucks left along it.", {"camera": 0.3})).structured
    assert isinstance(caption, StructuredCaption)
    strong = "The camera clearly and continuously trucks left all the way from 0:00 to 0:02"
    assert caption.cinematography.camera_motion.startswith(f"The camera trucks left along it. {strong}")
    assert caption.segments[0].camera.startswith(strong)


async def test_a_framing_leaves_the_move_open() -> None:
    caption = await rewritten("A wide shot of a castle", {"frozen": 0.3, "motion": 0.3})
    assert isinstance(caption.structured, StructuredCaption)
    assert caption.structured.cinematography.camera_motion.startswith("A wide shot.")


@pytest.mark.parametrize("prompt", ["A kitchen", "A robot arm lifts a cube", "A pot, the camera orbits left", "Anime"])
@pytest.mark.parametrize("image", [None, Path("frame.png")])
async def test_no_edit_assumes_what_may_not_be_there(prompt: str, image: Path | None) -> None:
    outdoors = re.compile(r"\b(sky|cloud|wind|water|waves|horizon|sun|subject|night|sensor)\b")
    asked = request(prompt, image)
    for past in await exhaust(asked, dict.fromkeys(CRITERIA, 0.3), helps=False):
        added = " ".join(edit.after.removeprefix(edit.before) for edit in past.caption.edits)
        assert not outdoors.search(added.lower().replace("the main subject", ""))


async def test_an_edit_that_helped_stays_and_the_next_step_follows() -> None:
    asked = request()
    first = revision(await RULES.upsample(asked), {"camera": 0.3})
    second = await RULES.rewrite(asked, [first], 0)
    helped = revision(second, {"camera": 0.6}, 0, 0.03)
    third = await RULES.rewrite(asked, [first, helped], 1)
    assert isinstance(third.structured, StructuredCaption)
    assert steps(third) & steps(second) == set()
    assert "clearly and continuously" in third.structured.cinematography.camera_motion
    assert "Words have not helped it yet" not in third.diagnosis


async def test_all_edits_that_help_are_climbed_to_the_end() -> None:
    history = await exhaust(request(), {"camera": 0.2, "noise": 0.2}, helps=True)
    made = [step for past in history for step in steps(past.caption)]
    assert len(made) == len(set(made))
    assert history[-1].caption.prompt == history[-2].caption.prompt


async def test_a_rewrite_that_lost_is_dropped() -> None:
    asked = request()
    first = revision(await RULES.upsample(asked), {"camera": 0.3})
    lost = revision(await RULES.rewrite(asked, [first], 0), {"camera": 0.2}, 0, -0.05)
    third = await RULES.rewrite(asked, [first, lost], 0)
    assert "did not gain" in third.diagnosis
    assert steps(third) & steps(lost.caption) == set()


async def test_nothing_low_is_tried_on_fresh_seeds() -> None:
    caption = await rewritten(PROMPT, {})
    assert caption.reseed
    assert "Every criterion is met" in caption.diagnosis


async def test_an_unknown_criterion_is_no_error() -> None:
    caption = await rewritten(PROMPT, {"plausibility": 0.1})
    assert caption.reseed
    assert "plausibility 0.10" in caption.diagnosis


@pytest.mark.parametrize(
    ("prompt", "criterion", "forbidden"),
    [
        ("A handheld shot of a market", "shake", ("tripod", "gimbal", "stabilized")),
        ("A shaky camera follows a dog", "camera", ("tripod", "stabilized")),
        ("A street at night", "exposure", ("bright", "luminous", "daylight")),
        ("A candle flickers in a window", "flicker", ("constant", "steady", "stable")),
        ("A neon sign, grainy 16mm film grain", "noise", ("clean", "noise-free")),
        ("A forest in fog", "blur", ("crisp", "sharp")),
        ("A portrait with shallow depth of field and bokeh", "blur", ("deep focus", "everything")),
        ("A vivid, saturated jungle", "saturation", ("muted", "subdued")),
        ("A statue stands still", "motion", ("brisk", "vigorous", "constant")),
        ("A montage of city life that cuts to a beach", "cuts", ("single", "same shot")),
        ("Claymation penguin, stop-motion", "duplicates", ("smooth", "full frame rate")),
        ("A melting clock", "warping", ("rigid", "straight")),
        ("A clear blue sky over a field", "banding", ("carry fine texture",)),
        ("Black and white, a detective smokes", "saturation", ("colours", "palette")),
        ("A dog runs, the camera follows it", "motion", ("pushes in",)),
        ("Ein Hund rennt durch den Park", "motion", ("pushes in",)),
        ("Blinding white-out in the Arctic", "exposure", ("underexposed",)),
        ("The screen fades to black", "black", ("lit and visible",)),
        ("A slow-motion splash, calm lake", "motion", ("brisk", "vigorous")),
        ("A cat, static shot", "motion", ("pushes in", "drift")),
    ],
)
async def test_edits_never_contradict_the_user(prompt: str, criterion: str, forbidden: Sequence[str]) -> None:
    for feedback in ("", "holds the highlights"):
        asked = request(prompt)
        history = [revision(await RULES.upsample(asked), {criterion: 0.2}, feedback=feedback)]
        while not (caption := await RULES.rewrite(asked, history, 0)).reseed:
            added = " ".join(edit.after.removeprefix(edit.before) for edit in caption.edits).lower()
            assert not [word for word in forbidden if word in added]
            history.append(revision(caption, {criterion: 0.2}, 0, -0.1))
        assert "no edit would suit" in caption.diagnosis or len(history) > 1


async def test_a_denied_wish_is_no_wish() -> None:
    assert "noise-free" in after(await rewritten("A cat without any film grain", {"noise": 0.3}), "noise")


async def test_night_is_made_legible() -> None:
    assert "Its hour and mood stay" in after(await rewritten("A street at night", {"exposure": 0.3}), "exposure")


@pytest.mark.parametrize(
    "prompt", [PROMPT, "A robot arm lifts a cube, the camera orbits left, then tilts up", "A cat sleeps"]
)
async def test_the_story_and_the_asked_moves_survive(prompt: str) -> None:
    asked = request(prompt)
    first = (await RULES.upsample(asked)).structured
    assert isinstance(first, StructuredCaption)
    for helps in (True, False):
        for past in await exhaust(asked, dict.fromkeys(CRITERIA, 0.3), helps=helps):
            caption = past.caption.structured
            assert isinstance(caption, StructuredCaption)
            assert [s.description for s in caption.subjects] == [s.description for s in first.subjects]
            assert all(b.action.startswith(a.action) for a, b in zip(first.subjects, caption.subjects, strict=True))
            assert caption.temporal_caption.startswith(prompt)
            assert caption.context == first.context
            assert caption.background_setting == first.background_setting
            assert [s.time_range for s in caption.segments] == [s.time_range for s in first.segments]
            if asks := requested_moves(prompt):
                assert requested_moves(caption.text()) == asks


async def test_with_a_first_frame_what_it_shows_is_frozen() -> None:
    asked = request(image=Path("frame.png"))
    for helps in (True, False):
        for past in await exhaust(asked, dict.fromkeys(CRITERIA, 0.3), helps=helps):
            assert [edit.field for edit in past.caption.edits if frozen(edit.field)] == []


@pytest.mark.parametrize(
    ("field", "is_frozen"),
    [
        ("subjects.0.description", True),
        ("subjects.1.clothing", True),
        ("subjects.0.action", False),
        ("background_setting", True),
        ("lighting.conditions", True),
        ("lighting.illumination_effect", False),
        ("aesthetics.color_scheme", True),
        ("artistic_style", True),
        ("cinematography.framing", True),
        ("cinematography.camera_motion", False),
        ("segments.0.camera", False),
    ],
)
def test_frozen_fields(field: str, is_frozen: bool) -> None:
    assert frozen(field) == is_frozen


async def test_plain_words_get_sentences() -> None:
    asked = request()
    history = [revision(Caption.raw(PROMPT), {"camera": 0.3, "noise": 0.5})]
    caption = await RULES.rewrite(asked, history, 0)
    assert caption.structured is None
    assert caption.prompt.startswith(f"{PROMPT}. The camera slowly but clearly")
    assert caption.prompt.endswith("Clean, noise-free picture.")
    assert {edit.field for edit in caption.edits} == {"prompt"}
    assert caption.edits[0].before == PROMPT
    assert caption.edits[-1].after == caption.prompt


async def test_plain_words_replace_their_own_sentence() -> None:
    asked = request()
    first = revision(Caption.raw(PROMPT), {"camera": 0.3})
    second = revision(await RULES.rewrite(asked, [first], 0), {"camera": 0.5}, 0, 0.02)
    third = await RULES.rewrite(asked, [first, second], 1)
    assert third.prompt.count("all the way") == 1
    assert "unhurried" in third.prompt


async def test_json_of_another_schema_stays_json() -> None:
    given = json.dumps({"temporal_caption": "A cat runs.", "duration": "2s"})
    asked = request(given)
    first = await RULES.upsample(asked)
    caption = await RULES.rewrite(asked, [revision(first, {"noise": 0.3})], 0)
    assert json.loads(caption.prompt) == {
        "temporal_caption": "A cat runs. Clean, noise-free picture.",
        "duration": "2s",
    }


async def test_quick() -> None:
    asked = request("the camera pans left and a dog runs. " * 130)
    history = [revision(await RULES.upsample(asked), dict.fromkeys(CRITERIA, 0.3))]
    start = time.process_time()
    await RULES.rewrite(asked, history, 0)
    assert time.process_time() - start < 0.2


def test_every_reason_names_one_step() -> None:
    for criterion, ladder in LADDERS.items():
        reasons = [step.reason for step in ladder]
        assert len(reasons) == len(set(reasons)), criterion


def test_every_criterion_of_the_signals_critic_has_a_ladder() -> None:
    names = "camera first_frame motion frozen duplicates cuts black flicker shake warping blur noise"
    assert " ".join(LADDERS) == f"{names} blockiness banding exposure saturation"


async def test_what_the_full_render_lacks_is_answered_though_the_drafts_had_it() -> None:
    first = revision(await RULES.upsample(request()), {"camera": 0.6})
    told = first.model_copy(update={"final": dict.fromkeys(CRITERIA, 1.0) | {"noise": 0.3}})
    caption = await RULES.rewrite(request(), [told], 0)
    assert {edit.criterion for edit in caption.edits} == {"noise"}
    assert "noise 0.30" in caption.diagnosis
    # drafts cannot show whether it helped: as long as it leads by them, other words are tried and none twice
    second = revision(caption, {"camera": 0.6}, parent=0, gain=0.0)
    third = await RULES.rewrite(request(), [told, second], 0)
    assert {edit.reason for edit in third.edits}.isdisjoint({edit.reason for edit in caption.edits})
