"""What requests name as their image or video: taken, left to be fetched, or refused in words that help."""

import base64
import io
import time
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from PIL import Image

from agent.errors import IntakeError
from agent.intake import FetchRules
from agent.server.context import Context
from agent.server.fetching import fetch_inputs, problem_of
from agent.server.inputs import MAX_URL, media_input
from agent.server.storage.nouns import Named
from agent.server.types import Refused, RunRequest
from tests.clips import write_clip
from tests.fetching import SPEC
from tests.hostile import HostileServer, reply, serve
from tests.storing import ME, YOU, job, stored


def png(width: int = 64, height: int = 48) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(buffer, "PNG")
    return buffer.getvalue()


PNG = png()
B64 = base64.b64encode(PNG).decode()


@pytest.fixture
async def context(tmp_path: Path) -> AsyncIterator[Context]:
    async with stored(tmp_path, "limits.max_upload_bytes=100000", "hosts=[gpu.example]") as (_, context, store):
        store.add(job("j1"))
        (tmp_path / "j1" / "clips").mkdir(parents=True)
        (tmp_path / "j1" / "first_frame.png").write_bytes(PNG)
        yield context


async def refusal(text: str, context: Context, kind: str = "image", *, raw: bool = False) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        await media_input(text, kind, ME, context, field="image_url", raw=raw)  # type: ignore[arg-type]
    problem = caught.value.problem
    assert (problem.status, problem.loc) == (422, ("image_url",))
    assert problem.message.startswith("image_url")
    assert "request.image" not in problem.message
    assert "\n" not in problem.message
    assert len(problem.message) < 320
    return problem.type, problem.message


async def test_addresses_of_others_are_left_to_be_fetched(context: Context) -> None:
    for url in ("https://pub.example/a.png?x=1", "HTTP://pub.example:80/a", "http://10.0.0.1/a.png"):
        assert await media_input(f" {url}\n", "image", ME, context, field="image_url") == (url, None)


async def test_what_came_along_is_taken(context: Context) -> None:
    for text in (
        f"data:image/png;base64,{B64}",
        f"DATA:;base64,{B64}",
        f"data:text/html;base64, {B64[:40]}\n{B64[40:]}",
    ):
        assert await media_input(text, "image", ME, context, field="image_url") == (None, PNG)
    assert await media_input(B64, "image", ME, context, field="image", raw=True) == (None, PNG)
    folded = "\n".join(B64[at : at + 76] for at in range(0, len(B64), 76))
    assert await media_input(folded, "image", ME, context, field="image", raw=True) == (None, PNG)


async def test_own_uploads_and_results_are_files(context: Context, tmp_path: Path) -> None:
    async def data() -> AsyncIterator[bytes]:
        yield PNG

    upload = context.uploads.begin("me", Named(name="a.png"))
    await context.uploads.take(upload, data())
    for host in ("http://127.0.0.1:8000/uploads", "https://v3.fal.media/files", "http://gpu.example/fal/cdn/files"):
        url = f"{host}/{upload.id}/a.png"
        assert await media_input(url, "image", ME, context, field="image_url") == (None, upload.path)
    result = "http://127.0.0.1:8000/media/key-of-j1/first_frame.png"
    path = (tmp_path / "j1" / "first_frame.png").resolve()
    assert await media_input(result, "image", YOU, context, field="image_url") == (None, path)

    # by a host of fal's that leads here, too: nobody else is asked for an address that only we gave out
    for here in ("http://gpu.example/uploads", "https://v3.fal.media/files", "https://rest.fal.ai/files"):
        kind, told = await refusal(f"{here}/{'A' * 32}/a.png", context)
        assert (kind, "upload it again" in told) == ("file_download_error", True)
    elsewhere = f"https://cdn.example/files/{'A' * 32}/a.png"
    assert await media_input(elsewhere, "image", ME, context, field="image_url") == (elsewhere, None)
    config = "http://127.0.0.1:8000/media/key-of-j1/..%2fj1%2fconfig.yaml"
    assert await media_input(config, "image", ME, context, field="image_url") == (config, None)


async def test_anothers_upload_is_as_if_it_were_not_there(context: Context) -> None:
    async def data() -> AsyncIterator[bytes]:
        yield PNG

    upload = context.uploads.begin("you", Named(name="a.png"))
    await context.uploads.take(upload, data())
    kind, _ = await refusal(f"http://localhost:8000/uploads/{upload.id}/a.png", context)
    assert kind == "file_download_error"


async def test_what_is_no_image_is_refused_with_the_cure(context: Context) -> None:
    def uri(data: bytes) -> str:
        return "data:image/png;base64," + base64.b64encode(data).decode()

    cases = [
        ("", "image_load_error", "it is empty; give an http(s) URL"),
        ("file:///etc/passwd", "image_load_error", "file: addresses are not read"),
        ("ftp://h/a.png", "image_load_error", "ftp: addresses are not read"),
        ("javascript:alert(1)", "image_load_error", "javascript: addresses are not read"),
        ("/etc/passwd", "image_load_error", "no address"),
        ("~/a.png", "image_load_error", "no address"),
        (B64, "image_load_error", "no address"),
        ("http://", "file_download_error", "names no host"),
        ("http://[::1/a", "file_download_error", "malformed"),
        ("http://h:99999/a", "file_download_error", "malformed"),
        ("https://u:p@h/a.png", "file_download_error", "user name or password"),
        ("https://h/a b.png", "file_download_error", "space"),
        ("https://h/a\r\nX: y", "file_download_error", "space"),
        ("https://h/" + "a" * MAX_URL, "file_download_error", "characters"),
        ("data:image/png;base64", "image_load_error", "comma"),
        ("data:image/png;base64,!!", "image_load_error", "not valid base64"),
        ("data:image/png;base64,", "image_load_error", "is empty"),
        (uri(b"%PDF-1.7"), "unsupported_image_format", "a PDF document"),
        (uri(b"<svg xmlns=''/>"), "unsupported_image_format", "SVG"),
        (uri(PNG[:40]), "image_load_error", "cut short"),
        (uri(png(8, 8)), "image_too_small", "at least 16"),
        (uri(_huge()), "image_too_large", "megapixels"),
        ("data:;base64," + "A" * (29 << 20), "file_too_large", "larger than 20 MiB"),
    ]
    for text, kind, says in cases:
        found, message = await refusal(text, context)
        assert (found, says in message) == (kind, True), message
    begun = time.process_time()
    await refusal("A" * 16 + " " * 300_000 + "!", context, raw=True)
    assert time.process_time() - begun < 5, "no search that grows with the square of the length"
    assert "not valid base64" in (await refusal("A" * 17, context, raw=True))[1]


def _huge() -> bytes:
    """A header that promises far more pixels than there are bytes."""
    header = PNG[12:16] + (60_000).to_bytes(4, "big") * 2 + PNG[24:29]
    return PNG[:12] + header + zlib.crc32(header).to_bytes(4, "big") + PNG[33:]


async def test_videos_are_told_by_their_first_bytes(context: Context, tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", SPEC).path.read_bytes()
    text = "data:video/mp4;base64," + base64.b64encode(clip).decode()
    assert await media_input(text, "video", ME, context, field="video_url") == (None, clip)
    kind, message = await refusal(f"data:video/mp4;base64,{B64}", context, "video")
    assert (kind, "is PNG; give an MP4" in message) == ("unsupported_video_format", True)
    assert (await refusal("data:video/mp4;base64," + "A" * 400_000, context, "video"))[0] == "file_too_large"


# ---- fetched later


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[HostileServer]:
    clip = write_clip(tmp_path / "served.mp4", SPEC).path.read_bytes()
    answers = {
        "/a.png": reply(200, PNG),
        "/a.mp4": reply(200, clip, ETag='"1"'),
        "/page": reply(200, b"<html>sorry"),
        "/gone": reply(404),
    }
    async with serve(answers) as server:
        yield server


def request(server: HostileServer, **paths: str) -> RunRequest:
    urls = {f"{name}_url": f"http://127.0.0.1:{server.port}{path}" for name, path in paths.items()}
    return RunRequest(model="m", prompt="p", **urls)


async def test_they_are_fetched_once(server: HostileServer, tmp_path: Path) -> None:
    rules = FetchRules(allow_private_addresses=True)
    asked = request(server, image="/a.png", video="/a.mp4")
    found = await fetch_inputs(asked, tmp_path / "in", rules)
    assert found["image"].read_bytes() == PNG
    assert found["video"].read_bytes() == (tmp_path / "served.mp4").read_bytes()
    assert await fetch_inputs(asked, tmp_path / "in", rules) == found
    assert len(server.requests) == 2
    assert await fetch_inputs(RunRequest(model="m", prompt="p"), tmp_path / "in", rules) == {}


def test_cures_are_told_without_the_keys_of_a_file() -> None:
    short = (
        "the file has 25 frames at 24 fps, the clip 61; give a longer video, or set request.num_frames to at most 25"
    )
    told = [
        problem_of(IntakeError(f"{key}: {short}"), "video", "video")
        for key in ("request.video", "request.controls (edge)")
    ]
    cure = short.replace("request.", "")
    assert [one.message for one in told] == [f"video: {cure}", f"controls (edge): {cure}"]


@pytest.mark.parametrize(
    ("kind", "path", "private", "type_", "says"),
    [
        ("image", "/gone", True, "file_download_error", "answered HTTP 404"),
        ("image", "/page", True, "unsupported_image_format", "a web page"),
        ("video", "/page", True, "unsupported_video_format", "a web page"),
        ("video", "/gone", True, "file_download_error", "answered HTTP 404"),
        ("image", "/a.png", False, "file_download_error", "leads to port"),
        ("video", "/a.mp4", False, "file_download_error", "leads to port"),
    ],
)
async def test_what_cannot_be_fetched_is_told_in_the_clients_words(
    server: HostileServer, tmp_path: Path, kind: str, path: str, private: bool, type_: str, says: str
) -> None:
    rules = FetchRules(allow_private_addresses=private)
    with pytest.raises(IntakeError) as caught:
        await fetch_inputs(request(server, **{kind: path}), tmp_path / "in", rules)
    problem = problem_of(caught.value, kind, f"{kind}_url")  # type: ignore[arg-type]
    assert (problem.type, problem.status, problem.loc) == (type_, 422, (f"{kind}_url",))
    assert says in problem.message
    assert problem.message.startswith(f"{kind}_url: ")
    assert "allow_private" not in problem.message, "the operator's key is no cure of a client's"
    assert "give its path" not in problem.message
    assert not any((tmp_path / "in").glob("fetched-*"))
