import hashlib
import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from reasoner.caption import MotionCaption, StructuredCaption
from reasoner.chat.types import Sampling, ServerFailed
from reasoner.openai.instructions import VERSION
from reasoner.openai.schema import caption_schema
from reasoner.openai.writing import REPAIRED
from reasoner.types import CaptionError, CaptionRequest
from tests.replies import answering, filled, reasoner, said, schema_of
from tests.wire import Answer, Wire, completion

ASKED = CaptionRequest(prompt="A red kite rises over a beach", width=320, height=192, num_frames=61, fps=24)
GOOD = filled(caption_schema(2))


def changed(**fields: Any) -> str:
    return json.dumps(GOOD | fields)


async def test_a_caption_is_stamped_ordered_and_bound_to_its_schema() -> None:
    async with Wire(answering()) as server, reasoner(server) as writer:
        caption = await writer.upsample(ASKED)
    assert caption.source == "upsample"
    assert caption.notes == ()
    assert isinstance(caption.structured, StructuredCaption)
    assert StructuredCaption.parse(caption.prompt) == caption.structured
    assert list(json.loads(caption.prompt)) == list(StructuredCaption.model_fields)
    assert caption.structured.duration == "2s"
    assert caption.structured.resolution.W == 320
    assert caption.usage.calls == 1
    (body,) = server.chats
    assert body["messages"][0]["role"] == "system"
    assert ASKED.prompt in said(body)
    assert "$" not in said(body)
    assert body["seed"] == 3407
    assert body["presence_penalty"] == 1.5
    assert list(schema_of(body)["properties"])[:4] == [
        "scene_imagination", "temporal_caption", "audio_description", "subjects",
    ]  # fmt: skip


def test_everything_in_the_schema_is_bounded() -> None:
    def check(node: dict[str, Any]) -> None:
        match node["type"]:
            case "object":
                assert node["required"] == list(node["properties"])
                assert node["additionalProperties"] is False
                for part in node["properties"].values():
                    check(part)
            case "array":
                assert node["maxItems"] > 0
                check(node["items"])
            case "integer":
                assert node["maximum"] < 1000
            case "string":
                assert {"maxLength", "pattern", "enum"} & set(node)

    for seconds in (0, 7, 9, 12, 75):
        check(caption_schema(seconds))
        assert "$ref" not in json.dumps(caption_schema(seconds))
    assert "1:15" in json.dumps(caption_schema(75))
    assert "1:16" not in json.dumps(caption_schema(75))
    assert not {"resolution", "aspect_ratio", "duration", "fps"} & set(caption_schema(7)["properties"])


async def test_the_first_frame_comes_before_the_words(tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), "red").save(tmp_path / "frame.webp")
    async with Wire(answering()) as server, reasoner(server) as writer:
        await writer.upsample(ASKED.model_copy(update={"first_frame": tmp_path / "frame.webp"}))
    image, words = server.chats[0]["messages"][-1]["content"]
    assert image["image_url"]["url"].startswith("data:image/png;base64,")
    assert "first frame" in words["text"]


async def test_an_unreadable_first_frame_is_said(tmp_path: Path) -> None:
    (tmp_path / "frame.png").write_bytes(b"no image")
    async with Wire(answering()) as server, reasoner(server) as writer:
        with pytest.raises(CaptionError, match=r"frame\.png"):
            await writer.upsample(ASKED.model_copy(update={"first_frame": tmp_path / "frame.png"}))


@pytest.mark.parametrize(
    "reply",
    [
        changed(scene_imagination="notes", mood="extra"),
        f"```json\n{changed()}\n```",
        f"<think>a {{plan}}</think>\n{changed()}",
        f"Here you are:\n{changed()}\nEnjoy.",
        changed().replace("A red kite", "A\x01\nred kite"),
        completion(None, reasoning=changed()),
        changed(segments=[GOOD["segments"][0] | {"time_range": "0:09 - 0:01", "segment_index": 7}]),
        changed(actions=[GOOD["actions"][0] | {"time": "00:00.5-00:59.0"}]),
        changed(background_setting=None),
    ],
)
async def test_sloppy_replies_are_read(reply: str | Answer) -> None:
    async with Wire(lambda body: reply) as server, reasoner(server) as writer:
        caption = await writer.upsample(ASKED)
    assert (caption.source, caption.notes, len(server.chats)) == ("upsample", (), 1)
    assert isinstance(caption.structured, StructuredCaption)
    assert "scene_imagination" not in caption.prompt
    assert caption.structured.segments[0].segment_index == 0
    assert caption.structured.actions[0].time == "0:00-0:02"
    assert caption.structured.segments[0].time_range in ("0:00-0:02", "0:01-0:02")


BROKEN = [
    completion(changed(), finish_reason="length"),
    changed()[:-40],
    "",
    "<think>for ever",
    "I cannot.",
    changed(actions=[{"time": "soon", "description": "x"}]),
    changed(temporal_caption=" "),
    json.dumps({key: value for key, value in GOOD.items() if key != "lighting"}),
    json.dumps([GOOD]),
]


@pytest.mark.parametrize("reply", BROKEN)
async def test_a_broken_reply_is_repaired_once(reply: str | Answer) -> None:
    async with Wire(answering()) as server, reasoner(server) as writer:
        server.script(reply if isinstance(reply, Answer) else completion(reply))
        caption = await writer.upsample(ASKED)
    assert caption.source == "upsample"
    assert caption.notes[0].startswith(REPAIRED)
    assert caption.usage.calls == 2
    first, second = server.chats
    assert second["seed"] == first["seed"] + 1
    assert second["messages"][: len(first["messages"])] == first["messages"]
    assert second["messages"][-2]["role"] == "assistant"
    assert 0 < len(second["messages"][-2]["content"]) <= 2000
    assert "could not be used" in said(second)


@pytest.mark.parametrize("reply", BROKEN)
async def test_two_broken_replies_leave_the_users_words_and_say_so(reply: str | Answer) -> None:
    async with Wire(lambda body: reply) as server, reasoner(server) as writer:
        caption = await writer.upsample(ASKED)
        assert caption.reasoner == writer.id
    assert (caption.source, caption.prompt, caption.structured) == ("raw", ASKED.prompt, None)
    assert caption.notes == (caption.diagnosis,)
    assert "No caption could be read" in caption.diagnosis
    assert caption.usage.calls == 2
    assert len(server.chats) == 2


async def test_a_server_that_fails_is_the_controllers_matter() -> None:
    async with Wire(lambda body: Answer(500, {"error": {"message": "boom"}})) as server, reasoner(server) as writer:
        with pytest.raises(ServerFailed):
            await writer.upsample(ASKED)


async def test_thinking_is_asked_for_in_words_and_only_the_repair_is_bound() -> None:
    async with Wire(answering()) as server, reasoner(server, enable_thinking=True) as writer:
        server.script(completion("<think>never done"))
        caption = await writer.upsample(ASKED)
        assert " thinking " in writer.id
    first, second = server.chats
    assert "<think>" in said(first)
    assert "response_format" not in first
    assert (first["temperature"], first["top_p"], first["presence_penalty"]) == (0.6, 0.95, 0.0)
    assert "response_format" in second
    assert "<think>" not in json.dumps(second["messages"][1])
    assert caption.source == "upsample"


async def test_a_prompt_that_is_a_caption_is_taken_as_it_is() -> None:
    given = json.dumps({key: value for key, value in GOOD.items() if key != "scene_imagination"})
    async with Wire(answering()) as server, reasoner(server) as writer:
        caption = await writer.upsample(ASKED.model_copy(update={"prompt": given}))
        other = await writer.upsample(ASKED.model_copy(update={"prompt": '{"some": "thing"}'}))
    assert server.chats == []
    assert isinstance(caption.structured, StructuredCaption)
    assert (other.source, other.prompt) == ("raw", '{"some": "thing"}')
    assert other.notes


async def test_image2video_deletes_from_the_negative_prompt_and_adds_nothing() -> None:
    asked = ASKED.model_copy(update={"negative_prompt": "It includes jump cuts, flickering, and noise. It is poor."})
    reply = json.dumps({"temporal_caption": "A red kite rises.", "delete": ["flickering", "a bad dog", 3]})
    async with Wire(lambda body: reply) as server, reasoner(server, caption="image2video") as writer:
        caption = await writer.upsample(asked)
        none = await writer.upsample(ASKED)
    assert isinstance(caption.structured, MotionCaption)
    assert caption.negative_prompt == "It includes jump cuts and noise. It is poor."
    assert none.negative_prompt is None
    properties = schema_of(server.chats[0])["properties"]
    assert properties["delete"]["items"]["enum"] == ["jump cuts", "flickering", "noise", "It is poor."]
    assert list(schema_of(server.chats[1])["properties"]) == ["temporal_caption"]


async def test_the_id_tells_apart_what_would_write_another_caption() -> None:
    async with Wire(answering()) as server:
        ids = []
        for config in ({}, {"caption": "image2video"}, {"enable_thinking": True}, {"sampling": Sampling(seed=1)}):
            async with reasoner(server, **config) as writer:
                ids.append(writer.id)
    assert len(set(ids)) == 4
    assert all(server.url not in name and "tiny-cosmos3-reasoner" in name for name in ids)


def test_other_texts_are_another_version() -> None:
    texts = sorted(
        (path for path in resources.files("reasoner.openai").iterdir() if path.name.endswith(".txt")),
        key=lambda path: path.name,
    )
    print_of = hashlib.sha256("".join(path.read_text() for path in texts).encode()).hexdigest()[:12]
    assert (VERSION, print_of) == (2, "631c677d5868"), "the texts changed: raise VERSION and write the new hash here"
