"""How clips are shown: the frames, the forms, and how the best form is found out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from critic.types import JudgeError
from critic.vlm.show import frame_count, show, video_form
from reasoner.chat.config import VideoForm
from reasoner.chat.types import Image, Text, Unauthorized, Video, WrongModel
from tests.clips import write_clip
from tests.seeing import chat_with, seeing
from tests.wire import Answer, Wire, completion, error


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("show") / "clip.mp4").path


@pytest.mark.parametrize(
    ("seconds", "fps", "most", "count"),
    [(2, 4, 32, 8), (2.2, 4, 32, 8), (0.1, 4, 32, 2), (60, 4, 32, 32), (60, 4, 7, 6)],
)
def test_frames_are_counted_in_pairs(seconds: float, fps: float, most: int, count: int) -> None:
    assert frame_count(seconds, fps, most) == count


def test_timed_frames_say_their_places_in_the_clip(clip: Path) -> None:
    shown = show(clip, "timed_frames", fps=4, most=32, long_side=160)
    video, note = shown.parts
    assert isinstance(video, Video)
    assert isinstance(note, Text)
    assert video.io == {
        "fps": 24.0, "frames_indices": [0, 7, 14, 21, 27, 34, 41, 48], "total_num_frames": 49, "num_frames": -1
    }  # fmt: skip
    assert video.url.count(",") == 8
    assert (shown.count, shown.size) == (8, (160, 96))
    assert "lasts 2.04 s. 8 frames of it are shown, taken at 0.00, 0.29," in note.text
    assert shown == show(clip, "timed_frames", fps=4, most=32, long_side=160)


@pytest.mark.parametrize("form", ["frames", "mp4", "images"])
def test_other_forms_say_the_times_in_words(clip: Path, form: VideoForm) -> None:
    shown = show(clip, form, fps=4, most=4, long_side=4096)
    assert shown.size == (320, 192)
    assert shown.count == 4
    *media, note = shown.parts
    assert isinstance(note, Text)
    assert "taken at 0.00, 0.67, 1.33, 2.00 s" in note.text
    if form == "images":
        assert [type(part) for part in media] == [Text, Image] * 4
        return
    assert ("one second for each frame" in note.text) == (form == "frames")
    (video,) = media
    assert isinstance(video, Video)
    assert video.io is None
    assert video.url.startswith("data:video/mp4;base64," if form == "mp4" else "data:video/jpeg;base64,")


def test_a_sequence_without_times_keeps_to_what_the_server_takes(clip: Path) -> None:
    assert show(clip, "frames", fps=24, most=64, long_side=64).count == 32
    assert show(clip, "timed_frames", fps=24, most=64, long_side=64).count == 48


def test_no_clip_is_a_judge_error(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"nothing")
    with pytest.raises(JudgeError, match=r"x\.mp4"):
        show(tmp_path / "x.mp4", "mp4", fps=4, most=8, long_side=64)


def answering(tokens: dict[str, int]) -> Callable[[dict[str, Any]], Answer]:
    """A server that counts so many tokens for each kind of media, and refuses the others."""
    clips = iter(("mp4", "two"))

    def model(body: dict[str, Any]) -> Answer:
        said = str(body["messages"])
        if "video/mp4" in said:
            kind = next(clips)
        elif "video/jpeg" in said:
            kind = "timed" if "media_io_kwargs" in body else "plain"
        else:
            kind = "image" if "image_url" in said else "words"
        if kind not in tokens:
            return error(400, "no such media here")
        return completion("Yes", usage={"prompt_tokens": tokens[kind], "completion_tokens": 1})

    return model


@pytest.mark.parametrize(
    ("tokens", "form"),
    [
        ({"plain": 280, "timed": 300}, "timed_frames"),
        ({"plain": 280, "timed": 280, "mp4": 279}, "mp4"),
        ({"plain": 280, "mp4": 282}, "mp4"),
        ({"plain": 280, "timed": 280, "mp4": 150}, "frames"),
        ({"plain": 280}, "frames"),
        ({"mp4": 280, "two": 86}, "mp4"),
        ({"mp4": 150, "two": 86, "image": 60}, "images"),
        ({"plain": 20, "timed": 20, "mp4": 20, "two": 20, "image": 60}, "images"),
        ({"plain": 0, "timed": 0, "mp4": 0, "words": 0}, "images"),
        ({"image": 60}, "images"),
    ],
)
async def test_the_form_is_what_the_server_shows_to_take(tokens: dict[str, int], form: VideoForm) -> None:
    async with Wire(answering({"words": 20} | tokens)) as server, chat_with(server) as chat:
        assert (await video_form(chat))[0] == form


@pytest.mark.parametrize("tokens", [{"plain": 20, "timed": 20, "mp4": 20, "two": 20, "image": 20}, {}])
async def test_a_server_that_drops_pictures_is_not_asked_about_them(tokens: dict[str, int]) -> None:
    async with Wire(answering({"words": 20} | tokens)) as server, chat_with(server) as chat:
        with pytest.raises(WrongModel, match="does not look at pictures"):
            await video_form(chat)


async def test_a_server_that_cannot_be_asked_decides_no_form() -> None:
    async with Wire(seeing()) as server, chat_with(server) as chat:
        server.key = "another"
        with pytest.raises(Unauthorized):
            await video_form(chat)
