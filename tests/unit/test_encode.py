import errno
import resource
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from generator.encode import BT709, LIMITED_RANGE, ClipWriter
from generator.export.settings import movie_format


def frames(count: int, width: int = 96, height: int = 64) -> Iterator[np.ndarray]:
    """A bright square that travels over noise, so that the encoder has something to do."""
    noise = np.random.default_rng(1).integers(0, 120, (height, width, 3), dtype=np.uint8)
    for index in range(count):
        frame = noise.copy()
        frame[20:40, 4 + 2 * index : 20 + 2 * index] = (230, 200, 40)
        yield frame


def encode(path: Path, count: int = 25, fps: int = 24) -> Path:
    with ClipWriter(path, 96, 64, fps) as writer:
        for frame in frames(count):
            writer.write(frame)
    return path


def test_the_stream_is_h264_high_420_bt709(tmp_path: Path) -> None:
    with av.open(str(encode(tmp_path / "a.mp4"))) as container:
        context = container.streams.video[0].codec_context
        assert (context.name, context.profile, context.pix_fmt) == ("h264", "High", "yuv420p")
        assert (context.color_primaries, context.color_trc, context.colorspace) == (BT709, BT709, BT709)
        assert context.color_range == LIMITED_RANGE


def test_other_codecs_are_written_alike(tmp_path: Path) -> None:
    with ClipWriter(tmp_path / "a.webm", 96, 64, 24, movie_format("webm", "low")) as writer:
        for frame in frames(3):
            writer.write(frame)
    with av.open(str(tmp_path / "a.webm")) as container:
        assert container.streams.video[0].codec_context.name == "vp9"
        assert sum(1 for _ in container.decode(video=0)) == 3


def test_the_index_stands_before_the_pictures(tmp_path: Path) -> None:
    data = encode(tmp_path / "a.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_a_keyframe_comes_every_second(tmp_path: Path) -> None:
    with av.open(str(encode(tmp_path / "a.mp4", count=25, fps=10))) as container:
        keys = [packet.is_keyframe for packet in container.demux(video=0) if packet.size]
    assert [index for index, key in enumerate(keys) if key] == [0, 10, 20]


def test_two_encodes_give_the_same_bytes(tmp_path: Path) -> None:
    assert encode(tmp_path / "a.mp4").read_bytes() == encode(tmp_path / "b.mp4").read_bytes()


def test_colours_survive(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    patch = np.zeros((64, 96, 3), np.uint8)
    patch[:, :48], patch[:, 48:] = (200, 60, 40), (40, 90, 200)
    with ClipWriter(path, 96, 64, 24) as writer:
        for _ in range(5):
            writer.write(patch)
    with av.open(str(path)) as container:
        back = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(int)
    assert np.abs(back[30, 20] - (200, 60, 40)).max() <= 4
    assert np.abs(back[30, 76] - (40, 90, 200)).max() <= 4


def test_a_missing_folder_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file") as caught:
        encode(tmp_path / "nowhere" / "a.mp4")
    assert caught.value.errno == errno.ENOENT


def test_a_full_disk_is_an_os_error(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        with pytest.raises(OSError, match="too large") as caught:
            encode(tmp_path / "a.mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG


def test_an_error_inside_the_block_is_the_one_that_surfaces(tmp_path: Path) -> None:
    writer = ClipWriter(tmp_path / "a.mp4", 96, 64, 24)

    def fail() -> None:
        with writer:
            writer.write(next(frames(1)))
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        fail()
