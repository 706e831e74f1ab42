from pathlib import Path

import av
import numpy as np
import pytest

from generator.encode import ClipWriter
from generator.probe import probe, verify
from generator.types import Effective, RenderError, RenderSpec

SPEC = RenderSpec(width=96, height=64, num_frames=9, fps=24)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    with ClipWriter(path, 96, 64, 24) as writer:
        for index in range(9):
            writer.write(np.full((64, 96, 3), 20 * index, np.uint8))
    return path


def test_probe_reads_what_the_file_holds(clip: Path) -> None:
    assert probe(clip) == Effective(width=96, height=64, num_frames=9, fps=24.0, codec="h264")


def test_verify_passes_what_was_asked_for(clip: Path) -> None:
    assert verify(clip, SPEC) == probe(clip)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"num_frames": 13}, "13 frames were requested, found 9"),
        ({"width": 64, "height": 96}, "size 64x96 was requested, found 96x64"),
        ({"fps": 25}, "25 fps was requested, found 24"),
    ],
)
def test_verify_names_requested_and_found(clip: Path, change: dict[str, int], said: str) -> None:
    with pytest.raises(RenderError, match=said):
        verify(clip, SPEC.model_copy(update=change))


def test_verify_names_everything_that_is_wrong_at_once(clip: Path) -> None:
    with pytest.raises(RenderError, match=r"size .*; 13 frames .*; 30 fps"):
        verify(clip, RenderSpec(width=320, height=192, num_frames=13, fps=30))


@pytest.mark.parametrize(
    "content", [b"", b"not a video", b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=video 5004 RTP/AVP 96\r\n"]
)
def test_a_file_that_is_no_video_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "odd.mp4"
    path.write_bytes(content)
    with pytest.raises(RenderError, match=r"odd\.mp4 cannot be read as a video"):
        probe(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match=r"gone\.mp4 cannot be read"):
        probe(tmp_path / "gone.mp4")


def test_half_a_file_is_not_what_was_asked_for(clip: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.mp4"
    half.write_bytes(clip.read_bytes()[: clip.stat().st_size - 200])
    with pytest.raises(RenderError):
        verify(half, SPEC)


@pytest.mark.parametrize(("codec", "suffix"), [("libx264", "mp4"), ("libvpx-vp9", "mp4"), ("libvpx-vp9", "webm")])
def test_pictures_that_cannot_be_decoded_are_no_clip(tmp_path: Path, codec: str, suffix: str) -> None:
    """The container says nine frames, and its last third is noise."""
    path = tmp_path / f"clip.{suffix}"
    dice = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=24)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for _ in range(9):
            picture = dice.integers(0, 256, (64, 96, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    assert verify(path, SPEC).num_frames == 9
    content = bytearray(path.read_bytes())
    start = content.find(b"mdat") + 4 if suffix == "mp4" else len(content) // 3
    end = len(content) if content.find(b"moov") < start else content.find(b"moov")
    for at in range(start + (end - start) * 2 // 3, end - 300):
        content[at] = int(dice.integers(256))
    path.write_bytes(content)
    with pytest.raises(RenderError, match=r"frames (can be decoded|were requested)"):
        verify(path, SPEC)
