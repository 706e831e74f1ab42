"""Merges by rules: what a lost rewrite was right in is tried without the rest, once, and nothing is tried twice."""

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev

import pytest

from reasoner.caption import StructuredCaption
from reasoner.config import RulesConfig
from reasoner.rules import Rules
from reasoner.rules.editing import frozen
from reasoner.rules.ladders import LADDERS
from reasoner.types import Caption, CaptionRequest, Revision

RULES = Rules(RulesConfig())
ASKED = CaptionRequest(
    prompt="A sailboat crosses a bay, the camera slowly pans left", width=320, height=192, num_frames=61, fps=24
)
CAMERA = "cinematography.camera_motion"


def tried(
    caption: Caption, criteria: Mapping[str, float], parent: int | None = None, gain: float | None = None
) -> Revision:
    values = {"blur": 1.0} | dict(criteria)
    score = fmean(values.values())
    return Revision(caption=caption, score=score, criteria=values, feedback="", parent=parent, gain=gain)


def steps(caption: Caption) -> set[tuple[str, str]]:
    return {(edit.criterion, edit.reason) for edit in caption.edits}


async def mixed(asked: CaptionRequest = ASKED, *, camera: float = 0.7, gain: float | None = -0.05) -> list[Revision]:
    """A first caption, and a rewrite of it that raised the camera and spoilt the noise."""
    first = tried(await RULES.upsample(asked), {"camera": 0.3, "noise": 0.4})
    second = await RULES.rewrite(asked, [first], 0)
    assert {edit.criterion for edit in second.edits} == {"camera", "noise"}
    return [first, tried(second, {"camera": camera, "noise": 0.1}, 0, gain)]


async def test_what_was_right_in_a_lost_rewrite_is_tried_without_the_rest() -> None:
    history = await mixed()
    caption = await RULES.rewrite(ASKED, history, 0)
    theirs = [edit for edit in history[1].caption.edits if edit.criterion == "camera"]
    assert list(caption.edits) == theirs
    assert caption.verdict == "prompt_problem"
    assert "Merged from caption 2 what was better in it, without the edits that it lost by" in caption.diagnosis
    assert "camera 0.70 there, 0.30 here" in caption.diagnosis
    assert isinstance(caption.structured, StructuredCaption)
    first = history[0].caption.structured
    assert isinstance(first, StructuredCaption)
    assert caption.structured.artistic_style == first.artistic_style, "the noise's edit stays behind"


@pytest.mark.parametrize("gain", [-0.01, 0.0, None])
async def test_a_merge_that_did_not_gain_is_not_made_again(gain: float | None) -> None:
    history = await mixed()
    history.append(tried(await RULES.rewrite(ASKED, history, 0), {"camera": 0.7, "noise": 0.4, "blur": 0.5}, 0, gain))
    caption = await RULES.rewrite(ASKED, history, 0)
    assert "Merged" not in caption.diagnosis
    assert steps(caption) & steps(history[1].caption) == set()


async def test_what_lost_twice_is_not_merged_into_another_caption() -> None:
    history = await mixed()
    history[1] = tried(history[1].caption, {"camera": 0.1, "noise": 0.9}, 0, -0.05)
    history.append(tried(await RULES.rewrite(ASKED, history, 0), {"camera": 0.1, "noise": 0.9}, 0, -0.1))
    assert "Merged" in history[2].caption.diagnosis
    history.append(tried(await RULES.rewrite(ASKED, history, 0), {"camera": 0.5, "noise": 0.4}, 0, 0.1))
    assert "Merged" not in (await RULES.rewrite(ASKED, history, 3)).diagnosis
    history[2] = tried(history[2].caption, history[2].criteria, 0)
    assert "Merged" in (await RULES.rewrite(ASKED, history, 3)).diagnosis, "had it not been compared"


async def test_after_a_merge_that_gained_the_ladder_goes_on() -> None:
    history = await mixed()
    history.append(tried(await RULES.rewrite(ASKED, history, 0), {"camera": 0.7, "noise": 0.4}, 0, 0.1))
    caption = await RULES.rewrite(ASKED, history, 2)
    assert caption.edits
    assert "Merged" not in caption.diagnosis
    assert "camera 0.70: Words have not helped" not in caption.diagnosis, "they have, in the merge"
    assert steps(caption) & (steps(history[1].caption) | steps(history[2].caption)) == set()


@pytest.mark.parametrize(
    ("camera", "gain"),
    [
        (0.34, -0.05),  # not clearly better
        (0.7, None),  # not compared on the same seeds
        (0.2, -0.05),
    ],
)
async def test_what_was_not_clearly_right_is_not_merged(camera: float, gain: float | None) -> None:
    caption = await RULES.rewrite(ASKED, await mixed(camera=camera, gain=gain), 0)
    assert "Merged" not in caption.diagnosis


async def test_an_edit_that_lost_by_itself_is_not_merged() -> None:
    first = tried(await RULES.upsample(ASKED), {"camera": 0.3, "blur": 0.9})
    second = await RULES.rewrite(ASKED, [first], 0)
    assert {edit.criterion for edit in second.edits} == {"camera"}
    past = [first, tried(second, {"camera": 0.9, "blur": 0.1}, 0, -0.1)]
    assert "Merged" not in (await RULES.rewrite(ASKED, past, 0)).diagnosis


async def test_words_that_were_replaced_since_are_in_the_way() -> None:
    """The camera's step was right on the first caption; the champion has another camera by now."""
    history = await mixed()
    first = history[0].caption.structured
    assert isinstance(first, StructuredCaption)
    other = first.replace(CAMERA, "The camera slowly pans left on a rail.")
    second = history[0].caption.model_copy(update={"structured": other, "prompt": other.text()})
    history.append(tried(second, {"camera": 0.35, "noise": 0.5}, 0, 0.05))
    assert "Merged" not in (await RULES.rewrite(ASKED, history, 2)).diagnosis


async def test_plain_words_are_merged_too() -> None:
    first = tried(Caption.raw(ASKED.prompt), {"camera": 0.3, "noise": 0.4})
    second = await RULES.rewrite(ASKED, [first], 0)
    past = [first, tried(second, {"camera": 0.7, "noise": 0.1}, 0, -0.05)]
    caption = await RULES.rewrite(ASKED, past, 0)
    assert "Merged from caption 2" in caption.diagnosis
    assert caption.prompt in second.prompt
    assert caption.prompt != second.prompt


async def test_a_merge_leaves_the_first_frame_alone() -> None:
    asked = ASKED.model_copy(update={"first_frame": Path("frame.png")})
    caption = await RULES.rewrite(asked, await mixed(asked), 0)
    assert "Merged from caption 2" in caption.diagnosis
    assert not [edit.field for edit in caption.edits if frozen(edit.field)]


async def test_seeds_that_decide_more_than_words_are_drawn_anew() -> None:
    first = tried(await RULES.upsample(ASKED), {"camera": 0.3, "noise": 0.4}).model_copy(update={"spread": 0.1})
    past = [first]
    for _ in range(2):
        past.append(tried(await RULES.rewrite(ASKED, past, 0), {"camera": 0.3, "noise": 0.4}, 0, -0.01))
    caption = await RULES.rewrite(ASKED, past, 0)
    assert (caption.verdict, caption.reseed, caption.prompt) == ("reseed", True, first.caption.prompt)
    assert "The seeds decide more than the words" in caption.diagnosis
    past.append(tried(caption, {"camera": 0.3, "noise": 0.4}, 0))
    assert (await RULES.rewrite(ASKED, past, 0)).verdict == "prompt_problem", "then words have their turn again"


@pytest.mark.parametrize(
    ("low", "verdict"), [({}, "reseed"), ({"plausibility": 0.1}, "reseed"), ({"black": 0.1}, "model_limit")]
)
async def test_the_verdict_when_no_edit_is_left(low: Mapping[str, float], verdict: str) -> None:
    past = [tried(await RULES.upsample(ASKED), low)]
    while not (caption := await RULES.rewrite(ASKED, past, 0)).reseed:
        assert caption.verdict == "prompt_problem"
        past.append(tried(caption, low, 0, -0.1))
    assert caption.verdict == verdict
    assert ("limit of the model" in caption.diagnosis) is (verdict == "model_limit")


@pytest.mark.parametrize("world", range(12))
async def test_no_caption_is_ever_tried_twice(world: int) -> None:
    """In worlds where each step does something of its own to every criterion, and seeds do, too."""
    draw = random.Random(world)
    names = tuple(LADDERS)
    does: dict[tuple[str, str], dict[str, float]] = {}
    base = {name: draw.uniform(0.2, 0.8) for name in names}
    seeds = [{name: draw.gauss(0, 0.03) for name in names} for _ in range(2)]

    def scored(made: set[tuple[str, str]]) -> list[dict[str, float]]:
        for step in sorted(made - set(does)):
            does[step] = {name: draw.gauss(0, 0.05) for name in names} | {step[0]: draw.gauss(0.05, 0.2)}
        whole = {name: base[name] + sum(does[step][name] for step in made) for name in names}
        return [{name: min(1.0, max(0.0, whole[name] + luck[name])) for name in names} for luck in seeds]

    def revision(caption: Caption, values: Sequence[Mapping[str, float]], parent: int | None) -> Revision:
        means = {name: fmean(value[name] for value in values) for name in names}
        overall = [fmean(value.values()) for value in values]
        gain = None if parent is None or caption.reseed else fmean(overall) - history[parent].score
        return Revision(
            caption=caption, score=fmean(overall), criteria=means, spread=stdev(overall), feedback="",
            parent=parent, gain=gain,
        )  # fmt: skip

    history: list[Revision] = []
    history.append(revision(await RULES.upsample(ASKED), scored(set()), None))
    has, champion = [set[tuple[str, str]]()], 0
    for _ in range(20):
        caption = await RULES.rewrite(ASKED, history, champion)
        has.append(has[champion] | steps(caption))
        history.append(revision(caption, scored(has[-1]), champion))
        if not caption.reseed and history[-1].score > history[champion].score:
            champion = len(history) - 1
    written = [past.caption.prompt for past in history if not past.caption.reseed]
    assert len(set(written)) == len(written)
