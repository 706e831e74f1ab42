"""A clip in another form: colours, sound, times and frames survive, and what cannot be had is said."""

import errno
import re
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image, ImageSequence

from generator.encode import BT709, LIMITED_RANGE
from generator.export import source
from generator.export.exporter import export
from generator.export.types import Container, Exported, ExportError, OutputForm, Quality
from generator.interpolate import psnr, squared_error
from tests.movies import (
    CARD,
    Picture,
    card,
    heard,
    moving,
    patches,
    payloads,
    pictures,
    times,
    write_movie,
)

FORMATS: tuple[Container, ...] = ("mp4", "webm", "mov", "gif")
SOUNDLESS = "A GIF has no sound: the clip's was left out."


def made(clip: Path, **form: object) -> Exported:
    """Export beside the clip."""
    asked = OutputForm.model_validate(form)
    return export(clip, clip.parent / f"video.{asked.format}", asked)


def alike(a: list[Picture], b: list[Picture]) -> float:
    """PSNR in dB of as many frames of one clip against another's."""
    return psnr([squared_error(x, y) for x, y in zip(a, b, strict=True)])


# copying


def test_by_default_the_clips_own_pictures_are_copied_with_the_index_in_front(tmp_path: Path) -> None:
    clip = write_movie(tmp_path / "clip.mp4", moving(12), tone=0.5)
    assert clip.read_bytes().index(b"mdat") < clip.read_bytes().index(b"moov")
    found = made(clip)
    data = found.path.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    assert payloads(found.path) == payloads(clip)
    assert payloads(found.path, "audio") == payloads(clip, "audio")
    assert times(found.path) == pytest.approx(times(clip))
    assert (found.copied, found.notes, found.size_bytes) == (True, (), len(data))
    assert (found.effective.codec, found.effective.num_frames, found.effective.audio) == ("h264", 12, "aac")


@pytest.mark.parametrize(("form", "copied"), [({"export_fps": 24}, True), ({"quality": "high"}, False)])
def test_only_what_is_asked_costs_an_encoding(tmp_path: Path, form: dict[str, object], copied: bool) -> None:
    assert made(write_movie(tmp_path / "clip.mp4", moving(6)), **form).copied is copied


def test_a_copy_of_another_codec_says_so(tmp_path: Path) -> None:
    clip = write_movie(tmp_path / "clip.mp4", moving(6), codec="libvpx-vp9")
    found = made(clip)
    assert (found.copied, found.effective.codec) == (True, "vp9")
    assert "any output.quality makes H.264" in found.notes[0]
    assert made(clip, quality="low").effective.codec == "h264"


def test_what_an_mp4_does_not_hold_is_encoded(tmp_path: Path) -> None:
    clip = made(write_movie(tmp_path / "clip.mp4", moving(6)), format="gif", quality="maximum").path
    found = made(clip)
    assert (found.copied, found.effective.codec, found.effective.num_frames) == (False, "h264", 6)
    assert "an mp4 does not hold" in found.notes[0]


# formats and qualities


@pytest.mark.parametrize(
    ("container", "codec", "profile", "pixels"),
    [
        ("mp4", "h264", "High", "yuv420p"),
        ("webm", "vp9", "Profile 0", "yuv420p"),
        ("mov", "prores", "4444", "yuv444p12le"),  # written with 10 bits; the decoder gives 12
    ],
)
def test_each_format_is_what_its_name_says(
    tmp_path: Path, container: str, codec: str, profile: str, pixels: str
) -> None:
    clip = write_movie(tmp_path / "clip.mp4", moving(8))
    found = made(clip, format=container, quality="low")
    with av.open(str(found.path)) as file:
        context = file.streams.video[0].codec_context
        assert (context.name, context.profile, context.pix_fmt) == (codec, profile, pixels)
        assert (context.colorspace, context.color_range) == (BT709, LIMITED_RANGE)
        assert (context.color_primaries, context.color_trc) == (BT709, BT709)
        for frame in file.decode(video=0):  # ProRes says it in each of them
            assert (frame.colorspace, frame.color_range) == (BT709, LIMITED_RANGE)
            assert (frame.color_primaries, frame.color_trc) == (BT709, BT709)
    assert found.effective.model_dump() == {
        "width": 96,
        "height": 64,
        "num_frames": 8,
        "fps": 24.0,
        "codec": codec,
        "audio": "",
    }
    if container != "webm":
        data = found.path.read_bytes()
        assert 0 < data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("container", ["mp4", "webm", "mov"])
@pytest.mark.thorough
def test_a_higher_quality_is_nearer_and_larger(tmp_path: Path, container: str) -> None:
    dice = np.random.default_rng(3)
    frames = [np.clip(f + dice.normal(0, 9, f.shape), 0, 255).astype(np.uint8) for f in moving(6, 192, 128)]
    clip = write_movie(tmp_path / "clip.mp4", frames)
    own = pictures(clip, matrix=5)
    sizes, nearness = [], []
    for quality in ("low", "medium", "high", "maximum"):
        found = made(clip, format=container, quality=quality)
        sizes.append(found.size_bytes)
        nearness.append(alike(pictures(found.path), own))
    assert sizes == sorted(set(sizes))
    assert nearness == sorted(set(nearness))
    assert nearness[-1] > nearness[0] + 3


@pytest.mark.parametrize("container", FORMATS)
@pytest.mark.thorough
def test_two_exports_give_the_same_bytes(tmp_path: Path, container: str) -> None:
    clip = write_movie(tmp_path / "clip.mp4", moving(10, 192, 128), tone=0.4)
    form = {"format": container, "quality": "medium", "export_fps": 48, "interpolation": "flow"}
    assert made(clip, **form).path.read_bytes() == made(clip, **form).path.read_bytes()


# colours


@pytest.mark.parametrize("container", ["mp4", "webm", "mov"])
def test_colours_of_an_untagged_clip_survive(tmp_path: Path, container: str) -> None:
    clip = write_movie(tmp_path / "clip.mp4", [card()] * 5)
    found = made(clip, format=container, quality="high")
    assert np.abs(patches(pictures(found.path)[2]) - CARD).max() <= 5
    # read by the matrix that the clip had, they are off: the pixels were really converted
    assert np.abs(patches(pictures(found.path, matrix=5)[2]) - CARD).max() > 9


def test_a_clip_that_says_what_it_is_is_believed(tmp_path: Path) -> None:
    right = write_movie(tmp_path / "right.mp4", [card()] * 3, tags={"colorspace": 6})
    wrong = write_movie(tmp_path / "wrong.mp4", [card()] * 3, tags={"colorspace": BT709})
    assert np.abs(patches(pictures(made(right, quality="high").path)[1]) - CARD).max() <= 5
    assert np.abs(patches(pictures(made(wrong, quality="high").path)[1]) - CARD).max() > 9


def test_full_range_is_brought_into_limits(tmp_path: Path) -> None:
    clip = write_movie(tmp_path / "clip.mp4", [card()] * 3, pixel_format="yuvj420p")
    assert np.abs(patches(pictures(made(clip, quality="high").path)[1]) - CARD).max() <= 5


def test_colours_of_a_gif_and_of_frames_made_by_flow_survive(tmp_path: Path) -> None:
    clip = write_movie(tmp_path / "clip.mp4", [np.roll(card(), step, 0) for step in range(5)])
    gif = made(clip, format="gif", quality="maximum")
    with Image.open(gif.path) as file:
        assert np.abs(patches(np.asarray(file.convert("RGB"))) - CARD).max() <= 8
    flow = made(clip, quality="high", export_fps=48, interpolation="flow")
    assert all(np.abs(patches(p) - CARD).max() <= 6 for p in pictures(flow.path))


@pytest.mark.parametrize("container", ["mp4", "webm", "mov"])
def test_primaries_that_a_clip_states_are_kept(tmp_path: Path, container: str) -> None:
    clip = write_movie(tmp_path / "clip.mp4", moving(3), tags={"color_primaries": 9, "color_trc": 13})
    with av.open(str(made(clip, format=container, quality="low", export_fps=48, interpolation="flow").path)) as file:
        context = file.streams.video[0].codec_context
        assert (context.color_primaries, context.color_trc, context.colorspace) == (9, 13, BT709)
        for frame in file.decode(video=0):
            assert (frame.color_primaries, frame.color_trc, frame.colorspace) == (9, 13, BT709)


# frames and times


def test_varying_times_are_kept_exactly(tmp_path: Path) -> None:
    stamps = [0, 1, 2, 5, 6, 11]
    clip = write_movie(tmp_path / "clip.mp4", moving(6), stamps=stamps)
    for form in ({}, {"quality": "low"}):
        assert times(made(clip, **form).path) == pytest.approx([s / 24 for s in stamps], abs=1e-4)
    assert times(made(clip, format="webm").path) == pytest.approx([s / 24 for s in stamps], abs=1e-3)  # it counts in ms


def test_at_a_rate_of_its_own_the_nearest_frame_is_shown(tmp_path: Path) -> None:
    clip = write_movie(tmp_path / "clip.mp4", moving(4, step=10), stamps=[0, 1, 4, 5])
    found = made(clip, quality="maximum", export_fps=24)
    own, shown = pictures(clip, matrix=5), pictures(found.path)
    nearest = [int(np.argmin([squared_error(p, o) for o in own])) for p in shown]
    assert nearest == [0, 1, 1, 2, 2, 3]


@pytest.mark.parametrize(("fps", "expected"), [(48, [0, 0, 1, 1, 2, 2, 3, 3]), (12, [0, 2]), (60, None)])
def test_without_interpolation_frames_are_repeated_or_left_out(
    tmp_path: Path, fps: int, expected: list[int] | None
) -> None:
    clip = write_movie(tmp_path / "clip.mp4", moving(4, step=10))
    found = made(clip, quality="maximum", export_fps=fps)
    own, shown = pictures(clip, matrix=5), pictures(found.path)
    nearest = [int(np.argmin([squared_error(p, o) for o in own])) for p in shown]
    assert nearest == (expected or [0, 0, 1, 1, 2, 2, 2, 3, 3, 3])
    assert (found.effective.fps, found.interpolated_frames, found.interpolation_psnr_db) == (fps, 0, None)


def test_flow_makes_the_frames_between_and_measures_how_well(tmp_path: Path) -> None:
    frames = moving(17, 192, 96, step=3)
    clip = write_movie(tmp_path / "clip.mp4", frames[::2], fps=12)
    found = made(clip, quality="maximum", export_fps=24, interpolation="flow")
    shown = pictures(found.path)
    assert (found.effective.num_frames, found.effective.fps, found.interpolated_frames) == (18, 24.0, 8)
    real = alike(shown[1:16:2], frames[1::2])
    repeated = alike([frames[i] for i in range(0, 16, 2)], frames[1::2])
    assert real > repeated + 3
    assert found.interpolation_psnr_db is not None
    assert found.repeat_psnr_db is not None
    assert found.blend_psnr_db is not None
    assert found.interpolation_psnr_db > found.blend_psnr_db > found.repeat_psnr_db


def test_a_clip_that_flow_does_not_follow_is_said(tmp_path: Path) -> None:
    dice, still = np.random.default_rng(3), moving(1)[0]
    jittering = [np.roll(still, int(dice.integers(-3, 4)), 1) for _ in range(12)]
    clip = write_movie(tmp_path / "clip.mp4", jittering)
    (note,) = made(clip, quality="maximum", export_fps=48, interpolation="flow").notes
    assert re.match(r"Optical flow does not follow this clip: .* \d+\.\d dB of real ones, blended", note)


def test_flow_makes_nothing_across_a_cut(tmp_path: Path) -> None:
    dice = np.random.default_rng(4)
    scenes = [np.repeat(np.repeat(dice.integers(0, 255, (32, 48, 3), np.uint8), 4, 0), 4, 1) for _ in range(2)]
    frames = [np.roll(scenes[n // 4], 2 * n, 1) for n in range(8)]
    found = made(write_movie(tmp_path / "clip.mp4", frames), quality="maximum", export_fps=48, interpolation="flow")
    shown = pictures(found.path)
    assert found.interpolated_frames == 6
    off = [[squared_error(p, np.roll(scene, 2 * (n // 2), 1)) for scene in scenes] for n, p in enumerate(shown)]
    assert np.argmin(off, axis=1).tolist() == [0] * 8 + [1] * 8
    assert squared_error(shown[7], shown[6]) < 20  # repeated


def test_a_rate_that_would_mostly_be_made_up_is_refused(tmp_path: Path) -> None:
    clip = write_movie(tmp_path / "clip.mp4", moving(3), fps=6)
    with pytest.raises(ExportError, match="ask for at most 48"):
        made(clip, export_fps=49)
    assert made(clip, export_fps=48, quality="low").effective.num_frames == 24


def test_flow_for_no_higher_rate_is_said_to_do_nothing(tmp_path: Path) -> None:
    found = made(write_movie(tmp_path / "clip.mp4", moving(4)), export_fps=12, interpolation="flow")
    assert found.notes == ("No frames were interpolated: 12 fps is no more than the clip's 24.",)


def test_odd_sizes_lose_a_line(tmp_path: Path) -> None:
    clip = write_movie(tmp_path / "clip.mp4", moving(3, 95, 63), codec="libvpx-vp9")
    found = made(clip, quality="low")
    assert (found.effective.width, found.effective.height) == (94, 62)
    assert "the codec takes even numbers" in found.notes[0]


# gif


def test_a_gif_lasts_as_long_as_the_clip(tmp_path: Path) -> None:
    clip = write_movie(tmp_path / "clip.mp4", moving(24, step=1))
    found = made(clip, format="gif", quality="maximum")
    with Image.open(found.path) as file:
        delays = [frame.info["duration"] for frame in ImageSequence.Iterator(file)]
    assert set(delays) == {40, 50}  # four throughout would be 25 fps
    assert sum(delays) == pytest.approx(1000, abs=20)
    assert "its frames stand for 4 or 5, on average 24 a second" in found.notes[0]


def test_a_gif_is_no_larger_than_its_quality(tmp_path: Path) -> None:
    clip = write_movie(tmp_path / "clip.mp4", moving(12, 384, 96), tone=0.3)
    found = made(clip, format="gif", quality="low")
    assert (found.effective.width, found.effective.height, found.effective.num_frames) == (320, 80, 4)
    assert (found.effective.fps, found.effective.audio) == (8.0, "")
    assert SOUNDLESS in found.notes
    assert any("320x80: quality low" in note for note in found.notes)
    assert any("8 frames a second: quality low" in note for note in found.notes)


def test_a_gif_is_no_faster_than_browsers_play(tmp_path: Path) -> None:
    found = made(write_movie(tmp_path / "clip.mp4", moving(8)), format="gif", export_fps=60)
    assert found.effective.fps == 50
    assert any("browsers play faster ones slowly" in note for note in found.notes)


# sound


@pytest.mark.parametrize(("container", "codec"), [("mp4", "aac"), ("mov", "aac"), ("webm", "opus")])
def test_the_sound_is_kept(tmp_path: Path, container: str, codec: str) -> None:
    clip = write_movie(tmp_path / "clip.mp4", moving(24, step=1), tone=1.0)
    found = made(clip, format=container, quality="low")
    assert found.effective.audio == codec
    seconds, frequency = heard(found.path)
    assert seconds == pytest.approx(1.0, abs=0.05)
    assert frequency == pytest.approx(440, abs=4)
    assert (payloads(found.path, "audio") == payloads(clip, "audio")) is (codec == "aac")
    assert bool(found.notes) is (codec == "opus")


@pytest.mark.parametrize("form", [{}, {"quality": "low"}, {"format": "webm"}])
def test_sound_is_left_out_where_nobody_wants_it(tmp_path: Path, form: dict[str, object]) -> None:
    clip = write_movie(tmp_path / "clip.mp4", moving(6), tone=0.25)
    assert made(clip, sound=False, **form).effective.audio == ""


# stills


def test_poster_and_thumbnail_show_the_first_frame(tmp_path: Path) -> None:
    clip = write_movie(tmp_path / "clip.mp4", [card(480, 96), *moving(3, 480, 96)])
    found = made(clip)
    for path, size in ((found.poster, (480, 96)), (found.thumbnail, (320, 64))):
        with Image.open(path) as still:
            assert (still.format, still.size) == ("JPEG", size)
            assert np.abs(patches(np.asarray(still)) - CARD).max() <= 6


# clips that cannot be trusted


def test_a_clip_that_breaks_off_is_no_export(tmp_path: Path) -> None:
    whole = made(write_movie(tmp_path / "clip.mp4", moving(20)), quality="maximum").path.read_bytes()
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(whole[: len(whole) * 2 // 3])
    before = sorted(tmp_path.iterdir())
    for form in ({"format": "webm"}, {"format": "gif"}, {"quality": "low", "export_fps": 48}):
        with pytest.raises(ExportError, match=r"broken\.mp4"):
            made(broken, **form)
        assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "content",
    [b"", b"no video", b"v=0\nm=video 1 RTP/AVP 96\n", b"#EXTM3U\n#EXTINF:1\nclip.mp4\n", b"ffconcat version 1.0\n"],
)
def test_only_real_containers_are_opened(tmp_path: Path, content: bytes) -> None:
    write_movie(tmp_path / "clip.mp4", moving(3))
    (tmp_path / "bad.mp4").write_bytes(content)
    with pytest.raises(ExportError, match=r"bad\.mp4 cannot be decoded"):
        export(tmp_path / "bad.mp4", tmp_path / "video.mp4", OutputForm())
    assert not (tmp_path / "video.mp4").exists()


def test_frames_too_large_are_not_decoded(tmp_path: Path) -> None:
    clip = write_movie(tmp_path / "clip.mp4", [np.zeros((2400, 4096, 3), np.uint8)])
    with pytest.raises(ExportError, match="4096x2400; at most"):
        made(clip)


def test_a_clip_too_long_is_not_decoded(tmp_path: Path) -> None:
    clip = write_movie(tmp_path / "clip.mp4", moving(2), stamps=[0, 24 * (source.MAX_SECONDS + 1)])
    with pytest.raises(ExportError, match="at most 600 s"):
        made(clip)


# what else may happen


@contextmanager
def small_disk(limit: int) -> Iterator[None]:
    """Files may not grow over `limit` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("form", [{}, {"quality": "high"}, {"format": "webm"}, {"format": "gif"}, {"format": "mov"}])
def test_a_full_disk_is_an_os_error_and_leaves_nothing(tmp_path: Path, form: dict[str, object]) -> None:
    clip = write_movie(tmp_path / "clip.mp4", moving(20, 192, 128, step=5))
    with small_disk(1000), pytest.raises(OSError, match="too large") as caught:
        made(clip, **form)
    assert caught.value.errno == errno.EFBIG
    assert list(tmp_path.iterdir()) == [clip]


def test_a_missing_clip_or_folder_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        made(tmp_path / "clip.mp4")
    clip = write_movie(tmp_path / "clip.mp4", moving(3))
    with pytest.raises(FileNotFoundError):
        export(clip, tmp_path / "nowhere" / "video.mp4", OutputForm())


@pytest.mark.parametrize("form", [{}, {"quality": "low"}, {"format": "gif"}])
def test_an_export_that_is_called_off_leaves_nothing(tmp_path: Path, form: dict[str, object]) -> None:
    clip = write_movie(tmp_path / "clip.mp4", moving(12))
    called = 0

    def check() -> None:
        nonlocal called
        called += 1
        if called == 5:
            raise KeyboardInterrupt

    asked = OutputForm.model_validate(form)
    with pytest.raises(KeyboardInterrupt):
        export(clip, tmp_path / "video.mp4", asked, check)
    assert list(tmp_path.iterdir()) == [clip]


def test_rates_are_fractions(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    with av.open(str(clip), "w") as into:
        stream = into.add_stream("libx264", rate=Fraction(24000, 1001))
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for picture in moving(5):
            into.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        into.mux(stream.encode(None))
    found = made(clip, quality="low")
    assert found.effective.fps == pytest.approx(23.976, abs=0.001)
    assert times(found.path) == pytest.approx([n * 1001 / 24000 for n in range(5)], abs=1e-4)


def test_a_quality_is_one_of_four() -> None:
    quality: Quality = "maximum"
    assert OutputForm(quality=quality).quality == "maximum"
    with pytest.raises(ValueError, match="quality"):
        OutputForm.model_validate({"quality": "best"})
