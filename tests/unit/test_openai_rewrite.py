import json
from pathlib import Path

import pytest
from PIL import Image

from reasoner.caption import MotionCaption, StructuredCaption
from reasoner.types import Caption, CaptionRequest, Edit, Revision
from tests.replies import answering, diagnosis, edit, reasoner, said, schema_of
from tests.wire import Wire, completion, error

PROMPT = "A red kite rises over a beach, the camera tilts up"
ASKED = CaptionRequest(prompt=PROMPT, width=320, height=192, num_frames=61, fps=24)
CAMERA = "cinematography.camera_motion"
STRONGER = "The camera tilts up fast and steadily through the whole clip."


@pytest.fixture
def framed(tmp_path: Path) -> CaptionRequest:
    Image.new("RGB", (32, 32), "red").save(tmp_path / "frame.png")
    return ASKED.model_copy(update={"first_frame": tmp_path / "frame.png"})


async def first(server: Wire) -> Caption:
    async with reasoner(server) as writer:
        caption = await writer.upsample(ASKED)
    assert isinstance(caption.structured, StructuredCaption)
    structured = caption.structured.replace("temporal_caption", f"0:00 {PROMPT}.")
    server.heard.clear()
    return caption.model_copy(update={"structured": structured, "prompt": structured.text()})


def tried(caption: Caption, score: float = 0.3, gain: float | None = None, parent: int | None = None) -> Revision:
    return Revision(
        caption=caption,
        score=score,
        criteria={"noise": 0.9, "camera": 0.2, "sharpness": 0.4},
        floors={"sharpness": 0.5},
        feedback="0:01 the camera stands still",
        gain=gain,
        parent=parent,
    )


async def test_edits_are_made_and_told() -> None:
    async with Wire(answering(edit(CAMERA, STRONGER))) as server:
        best = await first(server)
        async with reasoner(server) as writer:
            caption = await writer.rewrite(ASKED, [tried(best)], 0)
    assert isinstance(caption.structured, StructuredCaption)
    assert isinstance(best.structured, StructuredCaption)
    assert caption.structured == best.structured.replace(CAMERA, STRONGER)
    assert caption.prompt == caption.structured.text()
    (made,) = caption.edits
    assert (made.field, made.before, made.after) == (CAMERA, best.structured.cinematography.camera_motion, STRONGER)
    assert (caption.source, caption.reseed, caption.usage.calls) == ("rewrite", False, 2)
    assert caption.verdict == "prompt_problem"
    question, check = server.chats
    assert question["seed"] == 3408
    assert "0:01 the camera stands still" in said(question)
    assert said(question).index("sharpness 0.40 (floor 0.50, broken)") < said(question).index("camera 0.20")
    assert "$" not in said(question)
    assert check["structured_outputs"] == {"choice": ["Yes", "No", "yes", "no"]}
    assert check["temperature"] == 0
    assert STRONGER in said(check)


@pytest.mark.parametrize(
    "field",
    ["subjects.0.description", "background_setting", "lighting.conditions", "cinematography.framing", "style_medium"],
)
async def test_fields_of_the_first_frame_are_frozen_twice(field: str, framed: CaptionRequest) -> None:
    async with Wire(answering(edit(field, "A red kite of silk."))) as server:
        best = await first(server)
        async with reasoner(server) as writer:
            caption = await writer.rewrite(framed, [tried(best)], 0)
            free = await writer.rewrite(ASKED, [tried(best)], 0)
    offered = schema_of(server.chats[0])["properties"]["edits"]["items"]["properties"]["field"]["enum"]
    assert field not in offered
    assert {CAMERA, "temporal_caption", "subjects.0.action", "segments.0.camera"} <= set(offered)
    assert caption.reseed
    assert caption.prompt == best.prompt
    assert f"Refused an edit of {field}" in caption.diagnosis
    assert free.edits


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("fps", "30", "no such text"),
        ("duration", "9s", "fixed"),
        ("actions.0.time", "0:00-0:01", "fixed"),
        ("actions.99.description", "x", "no such text"),
        ("mood", "x", "no such text"),
        (CAMERA, " ", "left empty"),
        (CAMERA, " a RED kite rises  over a beach.", "changes nothing"),
        ("temporal_caption", "0:00 A red kite lies on a beach, the camera tilts up.", "asked for (rises)"),
        ("temporal_caption", "0:00 A red kite rises.", "asked for (beach"),
    ],
)
async def test_what_may_not_be_edited_is_refused_and_said(field: str, value: str, why: str) -> None:
    async with Wire(answering(edit(field, value))) as server:
        best = await first(server)
        async with reasoner(server) as writer:
            caption = await writer.rewrite(ASKED, [tried(best)], 0)
    assert caption.reseed
    assert caption.edits == ()
    assert caption.verdict == "reseed"
    assert why in caption.diagnosis
    assert len(server.chats) == (3 if why == "changes nothing" else 1)  # the same words may be better put


async def test_one_refused_edit_does_not_take_the_others_with_it() -> None:
    async with Wire(answering(edit("fps", "30"), edit(CAMERA, STRONGER, criterion="unheard"))) as server:
        best = await first(server)
        async with reasoner(server) as writer:
            caption = await writer.rewrite(ASKED, [tried(best)], 0)
    assert [made.field for made in caption.edits] == [CAMERA]
    assert caption.edits[0].criterion == "sharpness"
    assert "Refused an edit of fps" in caption.diagnosis


async def test_an_edit_that_is_not_what_was_asked_any_more_is_refused() -> None:
    async with Wire(answering(edit(CAMERA, STRONGER), sure=0.4)) as server:
        best = await first(server)
        async with reasoner(server) as writer:
            caption = await writer.rewrite(ASKED, [tried(best)], 0)
    assert caption.reseed
    assert "P(yes) 0.40" in caption.diagnosis
    assert caption.usage.calls == 2


@pytest.mark.parametrize(
    ("word", "made"), [("Yes", True), ("No", False), ("Perhaps", False), ("**Yes**, it does", True), ("Nothing", False)]
)
async def test_without_probabilities_the_core_check_reads_the_word(word: str, made: bool) -> None:
    async with Wire() as server:
        server.reply = answering()
        best = await first(server)
        server.script(completion(diagnosis(edit(CAMERA, STRONGER))), completion(word))
        async with reasoner(server) as writer:
            caption = await writer.rewrite(ASKED, [tried(best)], 0)
    assert bool(caption.edits) is made
    assert "P(yes)" not in caption.diagnosis


async def test_a_server_that_takes_no_choices_is_asked_the_core_check_plainly() -> None:
    async with Wire() as server:
        server.reply = answering()
        best = await first(server)
        refusal = error(400, "Unrecognized request argument: structured_outputs")
        server.script(completion(diagnosis(edit(CAMERA, STRONGER))), refusal, completion("Yes."))
        async with reasoner(server) as writer:
            caption = await writer.rewrite(ASKED, [tried(best)], 0)
    assert caption.edits
    assert not {"structured_outputs", "top_logprobs"} & set(server.chats[-1])


@pytest.mark.parametrize(("gain", "made"), [(-0.1, False), (0.0, False), (0.1, False), (None, True)])
async def test_no_edit_goes_in_circles(gain: float | None, made: bool) -> None:
    """Neither what did not gain is tried again, nor what was replaced with a gain brought back."""
    async with Wire() as server:
        server.reply = answering()
        best = await first(server)
        gained = gain is not None and gain > 0
        past = Edit(
            field=CAMERA,
            before=STRONGER.upper() if gained else "The camera tilts up.",
            after="The camera tilts up a little." if gained else STRONGER.upper(),
            criterion="camera",
            reason="x",
        )
        second = best.model_copy(update={"edits": (past,), "source": "rewrite"})
        server.reply = answering(edit(CAMERA, STRONGER))
        async with reasoner(server) as writer:
            caption = await writer.rewrite(ASKED, [tried(best), tried(second, gain=gain, parent=0)], 0)
    assert bool(caption.edits) is made
    assert server.chats[0]["seed"] == 3409
    assert "cinematography.camera_motion for camera: gain" in said(server.chats[0])


async def test_a_limit_of_the_model_is_left_to_fresh_seeds() -> None:
    async with Wire(answering()) as server:
        best = await first(server)
        server.script(completion(diagnosis(edit(CAMERA, STRONGER), verdict="model_limit")))
        async with reasoner(server) as writer:
            caption = await writer.rewrite(ASKED, [tried(best)], 0)
    assert (caption.reseed, caption.verdict) == (True, "model_limit")
    assert caption.prompt == best.prompt
    assert "Model limit" in caption.diagnosis
    assert caption.usage.calls == 1


async def test_an_unreadable_diagnosis_is_repaired_once_and_then_given_up_aloud() -> None:
    async with Wire(answering()) as server:
        best = await first(server)
        async with reasoner(server) as writer:
            server.script(completion("hm"), completion(diagnosis(edit(CAMERA, STRONGER))))
            repaired = await writer.rewrite(ASKED, [tried(best)], 0)
            server.script(completion("hm"), completion('{"verdict": "shrug"}'))
            given_up = await writer.rewrite(ASKED, [tried(best)], 0)
    assert repaired.edits
    assert "second question" in repaired.notes[0]
    assert given_up.reseed
    assert "No diagnosis could be read" in given_up.diagnosis
    assert given_up.usage.calls == 2


@pytest.mark.parametrize("sure", [0.9, 0.1])
async def test_plain_words_are_written_anew_with_the_critique_in_view(sure: float) -> None:
    async with Wire(answering(sure=sure)) as server, reasoner(server) as writer:
        caption = await writer.rewrite(ASKED, [tried(Caption.raw(PROMPT))], 0)
    assert "0:01 the camera stands still" in said(server.chats[0])
    if sure > 0.5:
        (made,) = caption.edits
        assert caption.verdict == "prompt_problem"
        assert (made.field, made.before, made.after, made.criterion) == ("prompt", PROMPT, caption.prompt, "sharpness")
        assert isinstance(caption.structured, StructuredCaption)
    else:
        assert caption.reseed
        assert caption.prompt == PROMPT


async def test_foreign_json_is_not_rewritten() -> None:
    async with Wire(answering()) as server, reasoner(server) as writer:
        caption = await writer.rewrite(ASKED, [tried(Caption.raw('{"some": "thing"}'))], 0)
    assert caption.reseed
    assert server.chats == []


async def test_a_motion_caption_may_lose_phrases_of_its_negative_prompt(framed: CaptionRequest) -> None:
    asked = framed.model_copy(update={"negative_prompt": "jump cuts, flickering, noise"})
    story = json.dumps({"temporal_caption": f"{PROMPT}.", "delete": ["jump cuts"]})
    edits = [
        edit("negative_prompt", "flickering"),
        edit("negative_prompt", "dogs"),
        edit("temporal_caption", f"{PROMPT} at once, steadily."),
    ]
    async with Wire(answering(*edits)) as server, reasoner(server, caption="image2video") as writer:
        server.script(completion(story))
        best = await writer.upsample(asked)
        caption = await writer.rewrite(asked, [tried(best)], 0)
    assert best.negative_prompt == "flickering, noise"
    assert caption.negative_prompt == "noise"
    assert isinstance(caption.structured, MotionCaption)
    assert caption.structured.temporal_caption == f"{PROMPT} at once, steadily."
    assert (caption.edits[0].field, caption.edits[0].before, caption.edits[0].after) == (
        "negative_prompt", "flickering, noise", "noise",
    )  # fmt: skip
    assert "Refused an edit of negative_prompt" in caption.diagnosis


async def test_seeds_count_up_and_no_seed_stays_none() -> None:
    async with Wire(answering()) as server, reasoner(server, sampling={"seed": None}) as writer:
        await writer.upsample(ASKED)
    assert "seed" not in server.chats[0]
