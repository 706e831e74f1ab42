"""The files behind a dataset's rows: paths, and URLs on servers that are up to no good, on loopback only."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from agent.bench.fetching import Clips
from agent.errors import IntakeError, StorageError
from tests.fetching import Fetching, fetching_from, kept
from tests.hostile import Answer, endless, redirect, reply, slow


@pytest.fixture
async def fetching(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fetching]:
    async with fetching_from(tmp_path_factory.mktemp("clip")) as running:
        yield running


async def test_paths_start_from_the_datasets_folder_and_may_lead_out_of_it(tmp_path: Path, fetching: Fetching) -> None:
    (tmp_path / "data" / "in").mkdir(parents=True)
    for place in ("data/in/a.mp4", "b.mp4"):
        (tmp_path / place).write_bytes(fetching.data)
    clips = Clips(tmp_path / "data", tmp_path / "cache")
    for place in ("in/a.mp4", "../b.mp4", str(tmp_path / "b.mp4")):
        assert (await clips.video(place)).samefile(tmp_path / "data" / place)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("gone.mp4", r"'gone\.mp4' does not exist; paths start from"),
        (".", "is no file"),
        ("text.mp4", r"'text\.mp4' is not a video: .*; give an MP4"),
        ("list.m3u8", "is not a video"),
        ("list.ffconcat", "is not a video"),
        ("cut.mp4", "holds no video"),
        ("file:///etc/passwd", "is not read; give a path or an http"),
        ("FILE:/etc/passwd", "is not read"),
        ("data:video/mp4;base64,AAAA", "is not read"),
        ("ftp://host/a.mp4", "is not read"),
        ("concat:a.mp4|b.mp4", "does not exist"),
        ("a\0b.mp4", "does not exist"),
        ("~nobody-of-this-name/a.mp4", "cannot be read"),
        ("x" * 5000, "cannot be read"),
    ],
)
async def test_what_is_no_video_is_a_sentence(tmp_path: Path, fetching: Fetching, place: str, says: str) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "a.mp4").write_bytes(fetching.data)
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.mp4\n#EXT-X-ENDLIST\n")
    (tmp_path / "list.ffconcat").write_text("ffconcat version 1.0\nfile a.mp4\n")
    (tmp_path / "cut.mp4").write_bytes(fetching.data[:200])
    with pytest.raises(IntakeError, match=says) as caught:
        await Clips(tmp_path, tmp_path / "cache").video(place)
    assert str(caught.value).startswith("video: ")
    assert "\n" not in str(caught.value)


async def test_a_url_is_fetched_once_for_all_rows_and_all_runs(tmp_path: Path, fetching: Fetching) -> None:
    server, make = fetching.server, fetching.clips
    clips = make(tmp_path)
    found = await asyncio.gather(*(clips.video("http://pub.test/ok") for _ in range(3)))
    assert {path.read_bytes() for path in found} == {fetching.data}
    assert await make(tmp_path).video(" http://pub.test/ok") == found[0]
    assert len(server.requests) == 1
    assert "accept: video/*" in server.requests[0].lower()
    assert kept(tmp_path) == ["whole"]


@pytest.mark.parametrize(
    ("url", "answer", "says"),
    [
        ("http://pub.test/x", redirect("http://127.0.0.1/ok"), "private or reserved address; download the video"),
        ("http://pub.test/x", redirect("http://169.254.169.254/latest"), "private or reserved address"),
        ("http://pub.test/x", redirect("file:///etc/passwd"), "redirects to a file: address"),
        ("http://10.0.0.7/x", reply(200), "private or reserved address"),
        ("http://me:pa55@pub.test/x?k=s3cret", reply(200), "user name or password"),
        ("http://pub.test/x?k=s3cret", reply(404), "HTTP 404"),
        (
            "http://pub.test/x",
            reply(200, b"<!doctype html><html>" + bytes(600)),
            "is a web page; give the link of the video",
        ),
        ("http://pub.test/x", reply(200, b"\x89PNG\r\n\x1a\n" + bytes(600)), "is PNG; give the link"),
        ("http://pub.test/x", reply(200), "is empty"),
        ("http://pub.test/x", reply(200, bytes(3000)), "is not a video"),
        (
            "http://pub.test/x",
            reply(200, bytes(99), Content_Length="9999999999"),
            "larger than 1 MiB; give a shorter one",
        ),
        (
            "http://pub.test/x",
            reply(206, bytes(3000), Content_Range="bytes 0-2999/3000"),
            "another part than asked for",
        ),
        ("http://pub.test/x", reply(416), "another part than asked for"),
    ],
)
async def test_a_bad_link_is_a_sentence_and_leaves_nothing(
    tmp_path: Path, fetching: Fetching, url: str, answer: Answer, says: str
) -> None:
    server, answers, make = fetching.server, fetching.answers, fetching.clips
    answers["/x"] = answers["/x?k=s3cret"] = answer
    clips = make(tmp_path, max_bytes=2**20)
    for _ in range(2):  # the second time out of memory: a dead link is asked once for all its rows
        with pytest.raises(IntakeError, match=says) as caught:
            await clips.video(url)
    assert str(caught.value).startswith("video: ")
    assert "pa55" not in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert len(server.requests) <= 2
    assert kept(tmp_path) == []


async def test_an_endless_video_is_cut_at_the_limit(tmp_path: Path, fetching: Fetching) -> None:
    server, answers, make = fetching.server, fetching.answers, fetching.clips
    answers["/x"] = endless(lambda: server, fetching.data)
    with pytest.raises(IntakeError, match="larger than 1 MiB"):
        await make(tmp_path, max_bytes=2**20).video("http://pub.test/x")
    assert kept(tmp_path) == []


async def test_one_deadline_holds_however_the_server_drips(tmp_path: Path, fetching: Fetching) -> None:
    answers, make = fetching.answers, fetching.clips
    answers["/x"] = slow(fetching.data[:1000])
    clips = make(tmp_path)
    clips.timeout_seconds = 0.2
    with pytest.raises(IntakeError, match=r"took longer than 0\.2 s.*give the same command again"):
        await clips.video("http://pub.test/x")


async def test_no_more_are_fetched_at_once_than_allowed(tmp_path: Path, fetching: Fetching) -> None:
    answers, make = fetching.answers, fetching.clips
    under_way = most = 0

    async def counted(writer: asyncio.StreamWriter) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.02)
        under_way -= 1
        await reply(200, fetching.data)(writer)

    answers.update({f"/{n}": counted for n in range(8)})
    clips = make(tmp_path, at_once=3)
    await asyncio.gather(*(clips.video(f"http://pub.test/{n}") for n in range(8)))
    assert most == 3


async def test_a_disk_that_cannot_be_written_ends_it(tmp_path: Path, fetching: Fetching) -> None:
    make = fetching.clips
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises((StorageError, IntakeError), match="cannot be had"):
        await make(tmp_path).video("http://pub.test/ok")


async def test_a_first_frame_is_made_as_a_run_makes_it(tmp_path: Path, fetching: Fetching) -> None:
    server, answers, make = fetching.server, fetching.answers, fetching.clips
    Image.new("RGB", (200, 100), (10, 200, 30)).save(tmp_path / "wide.png")
    answers["/image"] = reply(200, (tmp_path / "wide.png").read_bytes())
    clips = make(tmp_path)
    for place in ("wide.png", "http://pub.test/image", "http://pub.test/image"):
        with Image.open(await clips.first_frame(place, fetching.clip)) as image:
            assert (image.format, image.size, image.getpixel((5, 5))) == ("PNG", (64, 48), (10, 200, 30))
    await make(tmp_path).first_frame("http://pub.test/image", fetching.clip)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("gone.png", "'gone.png' does not exist"),
        ("text.png", "is not an image"),
        ("file:///etc/passwd", "is not read"),
        ("data:image/png;base64,AAAA", "is not read"),
        ("http://10.0.0.7/x.png", "private or reserved address"),
    ],
)
async def test_what_is_no_image_is_a_sentence(tmp_path: Path, fetching: Fetching, place: str, says: str) -> None:
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(IntakeError, match=says) as caught:
        await fetching.clips(tmp_path).first_frame(place, fetching.clip)
    assert str(caught.value).startswith("first_frame: ")
