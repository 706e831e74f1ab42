"""Renders on a NIM: what is delivered, told, recorded and left behind."""

import asyncio
import base64
import logging
import re
import resource
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from generator.config import NIMConfig
from generator.nim import NIM
from generator.nim.dialect import Dialect
from generator.types import BackendError, Control, Progress, RenderError, RenderSpec
from tests.nim import GONE, NIMServer, generator
from tests.nim_forms import Made, Maker
from tests.wire import DROP, Answer

SPEC = RenderSpec(width=320, height=192, num_frames=25, fps=24)
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loading certificates takes longer than most tests


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(verify=NO_TLS, trust_env=False) as client:
        yield client


@pytest.fixture
async def server() -> AsyncIterator[NIMServer]:
    async with NIMServer("v1") as server:
        yield server


@pytest.fixture
def told() -> list[Progress]:
    return []


@pytest.fixture
async def nim(server: NIMServer, client: httpx.AsyncClient, told: list[Progress]) -> NIM:
    return await connected(client, told, server)


async def connected(client: httpx.AsyncClient, told: list[Progress], *servers: NIMServer, **more: Any) -> NIM:
    urls = [server.url for server in servers]
    nim = NIM(NIMConfig(**more), client, urls, tell=told.append, patience=0.3, first_probe=0.01)
    await nim.connect()
    return nim


@pytest.mark.parametrize("dialect", ["v1", "v2", "predict"])
async def test_a_clip_is_what_was_asked_for(dialect: Dialect, tmp_path: Path) -> None:
    async with generator(dialect) as nim:
        of = SPEC.model_copy(update={"width": 480, "height": 832, "num_frames": 29, "fps": 10})
        clip = await nim.render("a boat", of, seed=3, to=tmp_path / "clip.mp4")
        assert (clip.effective.width, clip.effective.height) == (480, 832)
        assert (clip.effective.num_frames, clip.effective.fps, clip.effective.codec) == (29, 10, "h264")
        assert (clip.generator, clip.spec, clip.seed) == (nim.id, of, 3)
        assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4", "clip.mp4.slip"]


async def test_first_frame_source_and_controls_are_taken_by_the_server(tmp_path: Path) -> None:
    film, first = tmp_path / "in.mp4", tmp_path / "first.png"
    film.write_bytes(Maker().clip(Made(320, 192, 25, 24), "x"))
    Image.fromarray(np.zeros((192, 320, 3), np.uint8)).save(first)
    image, video = SPEC.model_copy(update={"first_frame": first}), SPEC.model_copy(update={"source_video": film})
    steered = video.model_copy(update={"controls": (Control(kind="depth", path=film),)})
    forms: list[tuple[Dialect, RenderSpec]] = [
        ("v1", image), ("v2", image), ("predict", image), ("v2", video), ("predict", video), ("transfer", steered),
    ]  # fmt: skip
    for dialect, of in forms:
        async with generator(dialect) as nim:
            clip = await nim.render("a boat", of, seed=3, to=tmp_path / "clip.mp4")
            assert clip.effective.num_frames == 25


async def test_vp9_in_mp4_as_the_real_one_gives_is_taken(server: NIMServer, nim: NIM, tmp_path: Path) -> None:
    server.makes = Maker(codec="libvpx-vp9")
    clip = await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")
    assert (clip.effective.codec, clip.effective.num_frames, clip.effective.fps) == ("vp9", 25, 24)


async def test_what_the_server_says_of_itself_is_recorded(server: NIMServer, nim: NIM, tmp_path: Path) -> None:
    server.seconds = 0.02
    clip = await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")
    found = clip.rendering
    assert found.model == "nvidia/cosmos3-generator:1.0.0 nano default"
    assert (found.version, found.endpoint, found.guardrails) == ("nim 1.0.0", server.url, "unknown")
    assert (found.attempts, found.lost_seconds, found.num_inference_steps) == (1, 0, None)
    assert found.render_seconds is not None
    assert found.render_seconds >= 0.02
    assert found.queue_seconds + found.render_seconds <= clip.seconds + 0.002, "each is rounded"


async def test_notes_say_what_was_not_done_as_asked(server: NIMServer, nim: NIM, tmp_path: Path) -> None:
    server.answer = {"upsampled_prompt": "a red boat", "seed": 7}
    of = SPEC.model_copy(update={"guardrails": False})
    clip = await nim.render("a boat", of, seed=3, to=tmp_path / "clip.mp4")
    assert clip.notes == (
        "Guardrails cannot be switched off by a request: the NIM's operator decides.",
        "The NIM rewrote the prompt and rendered this one: a red boat",
        "The NIM says that it rendered with seed 7, not 3.",
    )
    assert clip.rendering.guardrails == "unknown"


async def test_stages_are_told(server: NIMServer, nim: NIM, told: list[Progress], tmp_path: Path) -> None:
    await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")
    assert [(each.stage, each.seed) for each in told] == [("queued", 3), ("rendering", 3), ("delivering", 3)]
    assert told[1].endpoint == server.url


async def test_renders_are_logged(nim: NIM, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    to = tmp_path / "clip.mp4"
    with caplog.at_level(logging.INFO, "generator.nim"):
        await nim.render("a boat", SPEC, seed=11, to=to)
    start, done = (record.getMessage() for record in caplog.records if record.name == "generator.nim")
    assert start == f"render start seed=11 to={to}"
    assert re.fullmatch(rf"render done seed=11 to={re.escape(str(to))} \d+\.\d\ds", done)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"frames": 24}, "25 frames were requested, found 24"),
        ({"fps": 30}, "24 fps was requested, found 30"),
        ({"size": (256, 256)}, "size 320x192 was requested, found 256x256"),
    ],
)
async def test_a_server_that_lies_is_caught(
    made: dict[str, Any], said: str, server: NIMServer, nim: NIM, tmp_path: Path
) -> None:
    server.makes = replace(server.makes, **made)
    with pytest.raises(RenderError, match=said):
        await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"b64_video": GONE, "b64_image": "aaaa"}, r"b64_video missing \(fields: b64_image\)"),
        ({"b64_video": None}, "b64_video NoneType"),
        ({"b64_video": " "}, "b64_video an empty text"),
        ({"b64_video": "not base64!"}, "a b64_video of 11 characters that is no base64"),
        ({"b64_video": base64.b64encode(b"not a video").decode()}, "cannot be read as a video"),
        ({"b64_video": GONE, "error": {"message": "disk full"}}, r"\(fields: error\), and says: disk full"),
    ],
    ids=["missing", "null", "blank", "no base64", "no video", "an error"],
)
async def test_a_200_without_a_video_names_what_came(
    answer: dict[str, Any], said: str, server: NIMServer, nim: NIM, tmp_path: Path
) -> None:
    server.answer = answer
    with pytest.raises(RenderError, match=said) as caught:
        await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")
    assert caught.value.rendering is not None
    assert caught.value.rendering.render_seconds is not None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [(b"<html>Welcome", "13 bytes that are no JSON, beginning '<html>Welcome'"), ([], "a JSON list"), (b"", "0 bytes")],
)
async def test_a_200_that_is_no_json_object_names_what_came(
    body: Any, said: str, server: NIMServer, nim: NIM, tmp_path: Path
) -> None:
    server.script(Answer(body=body))
    with pytest.raises(RenderError, match=said):
        await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")


async def test_an_answer_without_end_is_cut_off(server: NIMServer, client: httpx.AsyncClient, tmp_path: Path) -> None:
    nim = NIM(NIMConfig(), client, [server.url], largest=1000)
    server.script(Answer(body=b"a" * 3_000_000))
    with pytest.raises(RenderError, match=r"more than 1049909 bytes, a clip was expected to have at most 1000"):
        await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")


async def test_a_wrapped_data_url_is_taken_too(server: NIMServer, nim: NIM, tmp_path: Path) -> None:
    text = base64.encodebytes(Maker().clip(Made(320, 192, 25, 24), "x")).decode()
    server.answer = {"b64_video": f"data:video/mp4;base64,{text}"}
    assert (await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")).effective.num_frames == 25


async def test_one_render_at_a_time_on_each_server(
    client: httpx.AsyncClient, told: list[Progress], tmp_path: Path
) -> None:
    async with NIMServer("v1") as a, NIMServer("v1") as b:
        nim = await connected(client, told, a, b)
        for server in (a, b):
            server.go.clear()
        renders = [asyncio.create_task(nim.render("a boat", SPEC, seed=n, to=tmp_path / f"{n}.mp4")) for n in range(4)]
        while sum(each.stage == "queued" for each in told) < 4:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.03)
        for server in (a, b):
            server.go.set()
        clips = await asyncio.gather(*renders)
        assert (a.most_renders_at_once, b.most_renders_at_once) == (1, 1)
        assert (len(a.asked), len(b.asked)) == (2, 2)
        assert sorted(clip.rendering.endpoint for clip in clips) == sorted([a.url, a.url, b.url, b.url])
        assert max(clip.rendering.queue_seconds for clip in clips) >= 0.03


async def test_cancelling_leaves_nothing_and_tells_that_the_server_goes_on(
    server: NIMServer, nim: NIM, told: list[Progress], tmp_path: Path
) -> None:
    await nim.render("a boat", SPEC, seed=1, to=tmp_path / "first.mp4")
    ((cost, _),) = nim._watchdog._ended[server.url]
    nim._watchdog.ended(server.url, cost, 100.0)
    told.clear()
    server.go.clear()
    began = time.monotonic()
    work = asyncio.create_task(nim.render("a boat", SPEC, seed=2, to=tmp_path / "clip.mp4"))
    while [each.stage for each in told] != ["queued", "rendering"] or len(server.asked) != 2:
        await asyncio.sleep(0.005)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first.mp4", "first.mp4.slip"]
    assert (told[-1].stage, told[-1].endpoint) == ("abandoned", server.url)
    assert "goes on there" in told[-1].note
    assert server.ended == 1
    server.go.set()
    # the next render waits as long as the abandoned one is expected to take
    load = nim._pool._endpoints[server.url].busy_until
    assert [end >= began + 100 for end in load] == [True]
    load[:] = [time.monotonic() + 0.03]
    await nim.render("a boat", SPEC, seed=3, to=tmp_path / "clip.mp4")
    assert server.heard[-1].at >= load[0]
    assert server.ended == 3


async def test_cancelling_while_the_file_is_written_takes_it_back(
    server: NIMServer, client: httpx.AsyncClient, tmp_path: Path
) -> None:
    work: list[asyncio.Task[object]] = []

    def tell(progress: Progress) -> None:
        if progress.stage == "delivering":
            asyncio.get_running_loop().call_soon(work[0].cancel)

    nim = NIM(NIMConfig(), client, [server.url], tell=tell)
    work.append(asyncio.create_task(nim.render("a boat", SPEC, seed=2, to=tmp_path / "clip.mp4")))
    with pytest.raises(asyncio.CancelledError):
        await work[0]
    assert server.ended == 1
    assert list(tmp_path.iterdir()) == []


async def test_a_missing_folder_is_found_before_a_render_is_spent(server: NIMServer, nim: NIM, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"clip\.mp4"):
        await nim.render("a boat", SPEC, seed=1, to=tmp_path / "nowhere" / "clip.mp4")
    assert server.asked == []


async def test_a_full_disk_is_an_os_error_and_leaves_nothing(nim: NIM, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
    try:
        with pytest.raises(OSError, match=r"too large.*clip\.mp4"):
            await nim.render("a boat", SPEC, seed=1, to=tmp_path / "clip.mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


async def test_an_unusable_first_frame_is_found_before_anything_is_sent(
    server: NIMServer, nim: NIM, tmp_path: Path
) -> None:
    of = SPEC.model_copy(update={"first_frame": tmp_path / "missing.png"})
    with pytest.raises(RenderError, match=r"first frame .*missing\.png cannot be read"):
        await nim.render("a boat", of, seed=1, to=tmp_path / "clip.mp4")
    assert server.asked == []
    assert list(tmp_path.iterdir()) == []


async def test_the_key_is_sent_and_never_shown(client: httpx.AsyncClient, tmp_path: Path) -> None:
    async with NIMServer("v1", key="very-secret") as server:
        nim = NIM(NIMConfig(), client, [server.url], "very-secret")
        clip = await nim.render("a boat", SPEC, seed=1, to=tmp_path / "clip.mp4")
        server.script(Answer(422, {"detail": "who sends very-secret here"}))
        with pytest.raises(RenderError, match=r"who sends \*\*\* here"):
            await nim.render("a boat", SPEC, seed=1, to=tmp_path / "b.mp4")
        for body in ("x" * 70 + " very-secret", {"detail": "x" * 390 + " very-secret"}):
            server.script(Answer(200, body))  # a 200 without a video is quoted as well
            with pytest.raises(RenderError, match="without a video") as caught:
                await nim.render("a boat", SPEC, seed=1, to=tmp_path / "b.mp4")
            assert "very" not in str(caught.value)
        broken = NIM(NIMConfig(), client, [server.url], "very-secret\n")  # a header that cannot be sent is quoted
        with pytest.raises(BackendError, match=r"Bearer \*\*\*") as unsent:
            await broken.connect()
        assert "very-secret" not in str(unsent.value)
    assert "very-secret" not in f"{clip!r} {nim!r} {nim.id}"


async def test_every_render_has_a_connection_of_its_own(server: NIMServer, nim: NIM, tmp_path: Path) -> None:
    """A server may close an idle connection in the moment that a render is sent on it."""
    await nim.render("a boat", SPEC, seed=1, to=tmp_path / "clip.mp4")
    assert {heard.headers["connection"] for heard in server.heard} == {"close"}


def test_the_double_serves_tests_that_are_not_async() -> None:
    with NIMServer("v2") as server:
        server.script(DROP)
        with httpx.Client(trust_env=False) as client:
            with pytest.raises(httpx.RemoteProtocolError):
                client.post(f"{server.url}/v1/infer", json={})
            asked = {"model_mode": "text2video", "prompt": "a boat", "num_frames": 25, "resolution": "256"}
            answer = client.post(f"{server.url}/v1/infer", json=asked)
        assert set(answer.json()) == {"b64_video", "b64_image", "action"}
