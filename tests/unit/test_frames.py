from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
import pytest
from av.video.stream import VideoStream

from agent.bench.degrade.video import Video, encode
from critic import frames
from critic.types import JudgeError


def numbered(count: int, *, width: int = 128, height: int = 64) -> Video:
    """Frames that carry their number as eight black or white stripes."""
    video = np.full((count, height, width, 3), 128, np.uint8)
    for i in range(count):
        for bit in range(8):
            video[i, :, bit * width // 8 : (bit + 1) * width // 8] = 220 if i >> bit & 1 else 30
    return video


def number(picture: frames.Picture) -> int:
    width = picture.shape[1]
    middles = [(2 * bit + 1) * width // 16 for bit in range(8)]
    return sum(int(picture[picture.shape[0] // 2, x].mean() > 128) << bit for bit, x in enumerate(middles))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encode(numbered(61), tmp_path_factory.mktemp("frames") / "clip.mp4", fps=24)


def test_every_frame_comes_once_in_order(clip: Path) -> None:
    footage = frames.read(clip)
    assert [number(f) for f in footage.small] == list(range(61))
    assert [number(tiles[0][..., None]) for tiles in footage.close_ups] == list(footage.close_ups_at)
    assert footage.close_ups_at == tuple(range(0, 61, 3))
    assert number(footage.first) == 0
    assert footage.fps == pytest.approx(24)
    assert footage.times == pytest.approx(np.arange(61) / 24)
    assert footage.complaint == ""
    assert footage.small.shape == (61, 128, 256, 3)
    assert footage.first.shape == (64, 128, 3)
    assert footage.close_ups.shape == (21, 1, 64, 128)


@pytest.mark.parametrize("count", [1, 2, 8, 61, 99])
def test_samples_are_exact(clip: Path, count: int) -> None:
    found = frames.sample(clip, count)
    at = frames.even_positions(61, count)
    assert [number(picture) for _, picture in found] == at
    assert [seconds for seconds, _ in found] == pytest.approx([i / 24 for i in at])


def test_the_middle_is_the_frame_halfway(clip: Path, tmp_path: Path) -> None:
    assert number(frames.middle(clip)) == 30
    assert number(frames.middle(encode(numbered(40), tmp_path / "even.mp4", fps=24))) == 19


@pytest.mark.parametrize(
    "options",
    [{"g": "1"}, {"g": "6"}, {"g": "7", "bf": "0"}, {"bf": "3", "x264-params": "open-gop=1:keyint=9:mbtree=0"}],
)
def test_samples_are_exact_however_frames_are_grouped(tmp_path: Path, options: dict[str, Any]) -> None:
    clip = encode(numbered(40), tmp_path / "clip.mp4", **options)
    for count in (3, 7, 40):
        assert [number(picture) for _, picture in frames.sample(clip, count)] == frames.even_positions(40, count)


def test_a_file_that_starts_late_starts_at_zero(tmp_path: Path) -> None:
    clip = variable_rate(tmp_path / "clip.mp4", [40 + i for i in range(12)])
    assert frames.sample(clip, 2)[0][0] == 0
    assert frames.read(clip).times[0] == 0


def variable_rate(path: Path, stamps: list[int]) -> Path:
    """One numbered frame at each hundredth of a second in `stamps`."""
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=24, options={"x264-params": "mbtree=0"})
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 100)
        for picture, stamp in zip(numbered(len(stamps)), stamps, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_a_variable_rate_keeps_its_times(tmp_path: Path) -> None:
    stamps = [0, 4, 8, 30, 33, 80, 84, 88, 100, 160, 164, 168]
    clip = variable_rate(tmp_path / "clip.mp4", stamps)
    found = frames.sample(clip, 5)
    at = frames.even_positions(12, 5)
    assert [number(picture) for _, picture in found] == at
    assert [seconds for seconds, _ in found] == pytest.approx([stamps[i] / 100 for i in at], abs=0.006)
    assert frames.read(clip).times == pytest.approx([s / 100 for s in stamps], abs=0.006)


@pytest.mark.parametrize(
    ("name", "codec", "container_options"),
    [
        ("fragmented.mp4", "libx264", {"movflags": "frag_keyframe+empty_moov"}),
        ("clip.webm", "libvpx-vp9", {}),
        ("clip.mkv", "libx264", {}),
    ],
)
def test_containers_that_state_no_frame_count(
    tmp_path: Path, name: str, codec: str, container_options: dict[str, str]
) -> None:
    path = tmp_path / name
    with av.open(path, "w", options=container_options) as container:
        stream = cast("VideoStream", container.add_stream(codec, rate=24, options={"g": "8"}))
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        for picture in numbered(30):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    assert [number(f) for f in frames.read(path).small] == list(range(30))
    assert [number(f) for _, f in frames.sample(path, 5)] == frames.even_positions(30, 5)


def test_a_truncated_file_gives_what_came_and_says_so(tmp_path: Path) -> None:
    whole = tmp_path / "whole.mp4"
    noise = np.random.default_rng(0).integers(0, 255, (40, 64, 128, 3)).astype(np.uint8)
    video = (numbered(40) * 0.8 + noise * 0.2).astype(np.uint8)
    with av.open(whole, "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=24, options={"g": "10"})
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        for picture in video:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    half = tmp_path / "half.mp4"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    footage = frames.read(half)
    assert 2 <= len(footage.small) < 40
    assert [number(f) for f in footage.small] == list(range(len(footage.small)))
    assert "frames" in footage.complaint
    assert number(frames.sample(half, 4)[0][1]) == 0
    assert 0 < number(frames.middle(half)) < len(footage.small)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("text.mp4", b"not a video at all"),
        ("empty.mp4", b""),
        ("session.mp4", b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n"),
        ("list.mp4", b"ffconcat version 1.0\nfile '/etc/passwd'\n"),
        ("list2.mp4", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"),
    ],
)
def test_what_is_no_video_is_a_judge_error(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(JudgeError, match=name):
        frames.read(path)
    with pytest.raises(JudgeError, match=name):
        frames.sample(path, 3)
    with pytest.raises(JudgeError, match=name):
        frames.middle(path)


def test_a_single_frame_is_no_clip(tmp_path: Path) -> None:
    with pytest.raises(JudgeError, match="1 frames"):
        frames.read(encode(numbered(1), tmp_path / "one.mp4"))


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        frames.read(tmp_path / "none.mp4")


def test_frames_beyond_the_cap_are_left_out(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_FRAMES", 20)
    footage = frames.read(clip)
    assert [number(f) for f in footage.small] == list(range(20))
    assert footage.close_ups_at[-1] == 18
    assert "first 20 frames" in footage.complaint


def test_large_frames_are_refused(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_PIXELS", 128 * 64 - 1)
    with pytest.raises(JudgeError, match="128x64"):
        frames.read(clip)


def test_check_stops_decoding(clip: Path) -> None:
    seen = []

    def check() -> None:
        seen.append(1)
        if len(seen) == 5:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        frames.read(clip, check=check)
    assert len(seen) == 5


@pytest.mark.parametrize(("width", "height"), [(832, 480), (480, 832), (1280, 720), (4096, 64), (257, 257)])
def test_close_ups_of_large_frames_are_nine_parts_of_it(width: int, height: int) -> None:
    y, x = np.mgrid[:height, :width]
    parts = frames.tiles((y // 8 * 31 + x // 8).astype(np.uint8))
    assert parts.shape == (9, min(80, height), 80)
    assert parts.nbytes <= 256 * 256
    assert np.all(parts[:, :8, :8] == parts[:, :1, :1]), "blocks of 8 pixels stay whole"
    assert parts[0, 0, 0] == 0


def test_a_small_frame_is_looked_at_whole() -> None:
    luma = np.random.default_rng(0).integers(0, 256, (192, 320), np.uint8)
    assert np.array_equal(frames.tiles(luma), luma[None])


@pytest.mark.parametrize(("fps", "step"), [(1.0, 1), (8.0, 1), (24.0, 3), (60.0, 8)])
def test_close_ups_keep_their_pace(fps: float, step: int) -> None:
    assert frames.close_up_step(fps) == step
