"""What a run has seen already: repetitions, asked again and warmer; other captions' strengths; the dice."""

import json
from pathlib import Path

import pytest
from PIL import Image

from reasoner.caption import StructuredCaption
from reasoner.chat.types import Refused
from reasoner.openai.proposals import Past
from reasoner.types import Caption, CaptionRequest, Edit, Revision
from tests.replies import answering, diagnosis, edit, filled, reasoner, said, schema_of
from tests.wire import Wire, completion, error

PROMPT = "A red kite rises over a beach, the camera tilts up"
ASKED = CaptionRequest(prompt=PROMPT, width=320, height=192, num_frames=61, fps=24)
CAMERA, LIGHT, ACTION = "cinematography.camera_motion", "lighting.conditions", "subjects.0.action"
STRONGER = "The camera tilts up fast and steadily through the whole clip."
FRESH = "The camera tilts all the way up in one go."
AGAIN = "or it was tried before in this run and did not help"


async def first(server: Wire) -> Caption:
    server.reply = answering()
    async with reasoner(server) as writer:
        caption = await writer.upsample(ASKED)
    assert isinstance(caption.structured, StructuredCaption)
    structured = caption.structured.replace("temporal_caption", f"0:00 {PROMPT}.")
    server.heard.clear()
    return caption.model_copy(update={"structured": structured, "prompt": structured.text()})


def edited(caption: Caption, **texts: tuple[str, str]) -> Caption:
    """A caption with texts changed: by criterion, the field and its new words."""
    structured, edits = caption.structured, []
    assert isinstance(structured, StructuredCaption)
    for criterion, (field, after) in texts.items():
        edits.append(
            Edit(field=field, before="A red kite rises over a beach.", after=after, criterion=criterion, reason="x")
        )
        structured = structured.replace(field, after)
    changes = {"structured": structured, "prompt": structured.text(), "edits": tuple(edits), "source": "rewrite"}
    return caption.model_copy(update=changes)


def tried(
    caption: Caption, camera: float = 0.2, noise: float = 0.9, *, gain: float | None = None, **more: float
) -> Revision:
    return Revision(
        caption=caption,
        score=(camera + noise) / 2,
        criteria={"noise": noise, "camera": camera},
        feedback="0:01 the camera stands still",
        gain=gain,
        parent=None if gain is None else 0,
        **more,
    )


def heats(server: Wire) -> list[float | None]:
    return [chat.get("temperature") for chat in server.chats if "response_format" in chat]


async def lost(server: Wire) -> list[Revision]:
    """A caption, and a rewrite of it that lost."""
    best = await first(server)
    return [tried(best), tried(edited(best, camera=(CAMERA, STRONGER)), gain=-0.1)]


async def test_a_repetition_is_asked_again_and_warmer() -> None:
    async with Wire() as server:
        history = await lost(server)
        server.reply = answering(edit(CAMERA, FRESH))
        server.script(completion(diagnosis(edit(CAMERA, STRONGER.upper()))))
        async with reasoner(server) as writer:
            caption = await writer.rewrite(ASKED, history, 0)
    assert [made.after for made in caption.edits] == [FRESH]
    assert (caption.verdict, caption.usage.calls) == ("prompt_problem", 3)
    assert heats(server) == [0.7, 0.9]
    assert [chat["seed"] for chat in server.chats[:2]] == [3409, 3410]
    before, after = (said(chat) for chat in server.chats[:2])
    assert AGAIN not in before
    assert after.startswith(before)
    assert f"- {CAMERA}: {STRONGER.upper()}" in after.removeprefix(before)


async def test_who_only_repeats_is_left_for_fresh_seeds_and_that_is_said() -> None:
    async with Wire() as server:
        history = await lost(server)
        server.reply = answering(edit(CAMERA, STRONGER))
        async with reasoner(server) as writer:
            caption = await writer.rewrite(ASKED, history, 0)
    assert heats(server) == [0.7, 0.9, 1.1]
    assert (caption.verdict, caption.reseed, caption.usage.calls) == ("reseed", True, 3)
    assert caption.prompt == history[0].caption.prompt
    assert "Asked 3 times, the last time at temperature 1.1" in caption.diagnosis
    assert "words that were tried in this run already" in caption.diagnosis


@pytest.mark.parametrize(
    ("config", "temperatures", "words"),
    [
        ({"enable_thinking": True}, [0.6, 0.8, 1.0], "temperature 1"),
        ({"sampling": {"temperature": 1.9}}, [1.9, 2.0, 2.0], "temperature 2"),
        ({"sampling": {"temperature": 0.0}}, [0.0, 0.2, 0.4], "temperature 0.4"),
        ({"sampling": {"temperature": None}}, [None, None, None], "Asked 3 times, tiny"),
    ],
)
async def test_how_warm_it_gets(config: dict[str, object], temperatures: list[float | None], words: str) -> None:
    async with Wire() as server:
        history = await lost(server)
        server.reply = lambda _body: diagnosis(edit(CAMERA, STRONGER))
        async with reasoner(server, **config) as writer:
            caption = await writer.rewrite(ASKED, history, 0)
    assert [chat.get("temperature") for chat in server.chats] == temperatures
    assert words in caption.diagnosis


async def test_a_server_that_takes_no_warmer_question_has_given_its_answer() -> None:
    async with Wire() as server:
        history = await lost(server)
        server.script(completion(diagnosis(edit(CAMERA, STRONGER))), error(400, "temperature is at most 0.8"))
        async with reasoner(server) as writer:
            caption = await writer.rewrite(ASKED, history, 0)
    assert caption.verdict == "reseed"
    assert "Asked once, " in caption.diagnosis
    assert caption.usage.calls == 1


async def test_a_server_that_takes_no_question_is_an_error() -> None:
    async with Wire() as server:
        history = await lost(server)
        server.script(error(400, "temperature is at most 0.5"))
        async with reasoner(server) as writer:
            with pytest.raises(Refused):
                await writer.rewrite(ASKED, history, 0)


async def test_a_repair_is_as_warm_as_its_question() -> None:
    async with Wire() as server:
        history = await lost(server)
        server.script(
            completion(diagnosis(edit(CAMERA, STRONGER))), completion("hm"), completion(diagnosis(edit(CAMERA, FRESH)))
        )
        server.reply = answering()
        async with reasoner(server) as writer:
            caption = await writer.rewrite(ASKED, history, 0)
    assert heats(server) == [0.7, 0.9, 0.9]
    assert [made.after for made in caption.edits] == [FRESH]
    assert caption.usage.calls == 4


async def test_a_verdict_ends_the_asking() -> None:
    async with Wire() as server:
        history = await lost(server)
        server.script(completion(diagnosis(edit(CAMERA, STRONGER))), completion(diagnosis(verdict="model_limit")))
        async with reasoner(server) as writer:
            caption = await writer.rewrite(ASKED, history, 0)
    assert (caption.verdict, caption.usage.calls) == ("model_limit", 2)


async def test_a_caption_that_was_tried_is_a_repetition_whatever_came_of_it() -> None:
    """Its rewrite was never compared, so its edits did not fail; but the whole would be the same again."""
    async with Wire() as server:
        history = await lost(server)
        history[1] = tried(history[1].caption)
        server.reply = answering(edit(CAMERA, STRONGER))
        async with reasoner(server) as writer:
            caption = await writer.rewrite(ASKED, history, 0)
            more = answering(edit(CAMERA, STRONGER), edit(LIGHT, "A red kite in even light."))
            server.reply = more
            another = await writer.rewrite(ASKED, history, 0)
    assert caption.verdict == "reseed"
    assert len(another.edits) == 2


async def test_a_new_edit_beside_a_repeated_one_is_no_repetition() -> None:
    async with Wire() as server:
        history = await lost(server)
        server.reply = answering(edit(CAMERA, STRONGER), edit(LIGHT, "A red kite in even light."))
        async with reasoner(server) as writer:
            caption = await writer.rewrite(ASKED, history, 0)
    assert [made.field for made in caption.edits] == [LIGHT]
    assert heats(server) == [0.7]


async def test_plain_words_are_not_written_into_a_caption_that_was_tried() -> None:
    async with Wire(answering()) as server, reasoner(server) as writer:
        expanded = await writer.upsample(ASKED)
        history = [tried(Caption.raw(PROMPT)), tried(expanded, gain=-0.1)]
        server.heard.clear()
        caption = await writer.rewrite(ASKED, history, 0)
        assert (caption.verdict, caption.prompt) == ("reseed", PROMPT)
        assert "temperature 1.1" in caption.diagnosis
        assert heats(server) == [0.7, 0.9, 1.1]
        whole = filled(schema_of(server.chats[0]), "A red kite rises, and the camera tilts up over a beach.")
        server.script(completion(json.dumps(filled(schema_of(server.chats[0])))), completion(json.dumps(whole)))
        assert (await writer.rewrite(ASKED, history, 0)).verdict == "prompt_problem"


async def test_the_model_is_shown_the_spread_and_may_blame_the_seeds() -> None:
    async with Wire() as server:
        best = await first(server)
        server.script(completion(diagnosis(edit(CAMERA, FRESH), verdict="reseed")))
        shown = tried(best, spread=0.21).model_copy(update={"criteria_spread": {"camera": 0.4}})
        async with reasoner(server) as writer:
            caption = await writer.rewrite(ASKED, [shown], 0)
    assert "overall 0.55 (spread between seeds 0.21)\ncamera 0.20 (spread between seeds 0.40)\nnoise 0.90" in said(
        server.chats[0]
    )
    assert (caption.verdict, caption.edits) == ("reseed", ())
    assert "The seeds, not the prompt: The camera stands still." in caption.diagnosis


async def test_what_the_full_render_lacks_is_told_beside_its_drafts() -> None:
    async with Wire() as server:
        history = await mixed(server)
        spreads = {"criteria_spread": {"camera": 0.4, "noise": 0.1}, "spread": 0.2}
        history[0] = history[0].model_copy(update={"final": {"camera": 0.6, "noise": 0.5}, **spreads})
        server.reply = answering(edit(CAMERA, FRESH))
        async with reasoner(server) as writer:
            await writer.rewrite(ASKED, history, 0)
    question = said(server.chats[0])
    assert "of the full render\nnoise 0.50\ncamera 0.60\n" in question, "the drafts' spread is not that of the render"
    assert "is better at camera 0.80 (yours 0.20), all as drafts. There:" in question


async def test_nobody_is_asked_what_the_dice_have_answered() -> None:
    async with Wire() as server:
        history = await lost(server)
        history[0] = tried(history[0].caption, spread=0.3)
        history.append(tried(edited(history[0].caption, camera=(CAMERA, FRESH)), gain=-0.05))
        async with reasoner(server) as writer:
            caption = await writer.rewrite(ASKED, history, 0)
    assert server.chats == []
    assert (caption.verdict, caption.usage.calls) == ("reseed", 0)
    assert "spread by 0.300" in caption.diagnosis


async def mixed(server: Wire, *, gain: float | None = -0.1) -> list[Revision]:
    """A caption, and a rewrite that was right about the camera and wrong about the light."""
    best = await first(server)
    other = edited(best, camera=(CAMERA, STRONGER), noise=(LIGHT, "A red kite in hard light."))
    return [tried(best), tried(other, camera=0.8, noise=0.3, gain=gain)]


async def test_what_another_caption_does_better_is_shown_and_may_be_taken_over() -> None:
    async with Wire() as server:
        history = await mixed(server)
        server.reply = answering(edit(CAMERA, STRONGER))
        async with reasoner(server) as writer:
            caption = await writer.rewrite(ASKED, history, 0)
    question = said(server.chats[0])
    assert (
        f"- Caption 2, overall 0.55, is better at camera 0.80 (yours 0.20). There:\n  {CAMERA}: {STRONGER}" in question
    )
    assert "hard light" not in question.partition("Other captions")[2], "it failed there"
    assert [made.after for made in caption.edits] == [STRONGER]
    assert f"Merged from caption 2: {CAMERA}." in caption.diagnosis
    assert heats(server) == [0.7]


async def test_without_others_nothing_is_said_of_them() -> None:
    async with Wire() as server:
        history = await lost(server)
        server.reply = answering(edit(CAMERA, FRESH))
        async with reasoner(server) as writer:
            caption = await writer.rewrite(ASKED, history, 0)
    assert "Other captions" not in said(server.chats[0])
    assert "Merged" not in caption.diagnosis


@pytest.mark.parametrize("beside", [{}, {"noise": (LIGHT, "A red kite in dim light.")}])
async def test_what_lost_twice_is_neither_shown_nor_taken(beside: dict[str, tuple[str, str]]) -> None:
    async with Wire() as server:
        history = await mixed(server)
        again = edited(history[0].caption, camera=(CAMERA, STRONGER), **beside)
        history.append(tried(again, camera=0.8, noise=0.2, gain=-0.1))
        server.reply = answering(edit(CAMERA, STRONGER))
        async with reasoner(server) as writer:
            caption = await writer.rewrite(ASKED, history, 0)
    assert "Other captions" not in said(server.chats[0])
    assert caption.verdict == "reseed"


async def test_no_merge_touches_the_first_frame(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), "red").save(tmp_path / "frame.png")
    framed = ASKED.model_copy(update={"first_frame": tmp_path / "frame.png"})
    async with Wire() as server:
        best = await first(server)
        other = edited(best, camera=(CAMERA, STRONGER), light=(LIGHT, "A red kite at noon."))
        history = [tried(best), tried(other, camera=0.8, noise=0.3)]
        server.reply = answering(edit(LIGHT, "A red kite at noon."))
        async with reasoner(server) as writer:
            caption = await writer.rewrite(framed, history, 0)
    shown = said(server.chats[0]).partition("Other captions")[2].partition("First the diagnosis")[0]
    assert STRONGER in shown
    assert "noon" not in shown
    assert caption.edits == ()


async def test_what_the_past_says_of_each_edit() -> None:
    async with Wire() as server:
        best = await first(server)
    was, became = "A red kite rises over a beach.", STRONGER
    mixed = edited(best, camera=(CAMERA, became), noise=(LIGHT, "A red kite at noon."))
    lost = Past.of([tried(best), tried(mixed, camera=0.8, noise=0.3, gain=-0.1)])
    assert (lost.takes(CAMERA, became), lost.takes(CAMERA, was)) == (True, True)
    assert (lost.takes(LIGHT, "a red kite  at NOON."), lost.takes(LIGHT, was)) == (False, True)
    gained = Past.of([tried(best), tried(mixed, camera=0.8, noise=0.3, gain=0.1)])
    assert (gained.takes(CAMERA, became), gained.takes(CAMERA, was)) == (True, False)
    assert (gained.takes(LIGHT, "A red kite at noon."), gained.takes(LIGHT, was)) == (False, True)
