"""A render at fal from end to end: what is sent, told, recorded and caught."""

import asyncio
import base64
import io
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import fal_client
import numpy as np
import pytest
from PIL import Image

from generator.config import FalConfig
from generator.fal import FAL_VERSION, Fal
from generator.types import BackendError, BlockedError, Clip, Generator, Progress, RenderError, RenderSpec
from tests.fal import KEY, QUICK, T2V, FalDouble, open_fal, refusal, video
from tests.wire import DROP, Answer

PROMPT = "A red sailboat at sunset."


@pytest.fixture
def spec(tmp_path_factory: pytest.TempPathFactory) -> RenderSpec:
    """Of cosmos-3-super: small, with a first frame that compresses badly."""
    first = tmp_path_factory.mktemp("first") / "first.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (192, 320, 3), dtype=np.uint8)).save(first)
    return RenderSpec(
        width=320, height=192, num_frames=5, fps=24, num_inference_steps=28, guidance_scale=6, first_frame=first
    )


async def render(spec: RenderSpec, to: Path, seed: int = 3, **more: Any) -> Clip:
    """By cosmos-3-super, at the running double."""
    told = more.pop("tell", lambda progress: None)
    async with open_fal(FalConfig.model_validate(more), tell=told) as fal:
        return await fal.render(PROMPT, spec, seed=seed, to=to)


async def test_a_clip_is_what_was_asked_for_and_says_how_it_came(spec: RenderSpec, tmp_path: Path) -> None:
    to, told = tmp_path / "clip.mp4", list[Progress]()
    async with FalDouble(queued=1, running=2, metrics={"inference_time": 41.25}) as server:
        clip = await render(spec, to, tell=told.append)
        endpoint = f"{server.url}/fal/queue"
    (name,) = server.jobs
    assert (clip.path, clip.seed, clip.spec) == (to, 3, spec)
    real = clip.effective
    assert (real.width, real.height, real.num_frames, real.fps) == (320, 192, 5, 24)
    assert clip.generator == f"fal/{FAL_VERSION}/nvidia/cosmos-3-super/image-to-video"
    made = clip.rendering
    assert (made.model, made.endpoint, made.job) == ("nvidia/cosmos-3-super/image-to-video", endpoint, name)
    assert (made.guardrails, made.num_inference_steps, made.attempts, made.price_usd) == ("on", None, 1, 0.05)
    assert made.queue_seconds > 0
    assert made.render_seconds is not None
    assert made.render_seconds > 0
    assert clip.seconds >= made.queue_seconds + made.render_seconds
    assert clip.notes == ("fal states 41.2 s of inference.",)
    assert [progress.stage for progress in told] == ["queued", "rendering", "delivering"]
    assert told[0].note == "Position 3 in fal's queue."
    assert {(progress.seed, progress.endpoint) for progress in told} == {(3, endpoint)}
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["clip.mp4", "clip.mp4.slip"]


async def test_the_first_frame_is_sent_inline_pixel_by_pixel(spec: RenderSpec, tmp_path: Path) -> None:
    async with FalDouble() as server:
        await render(spec, tmp_path / "clip.mp4")
    (job,) = server.jobs.values()
    kind, _, content = job.input["image_url"].partition(",")
    assert kind == "data:image/png;base64"
    assert spec.first_frame is not None
    with Image.open(io.BytesIO(base64.b64decode(content))) as sent, Image.open(spec.first_frame) as given:
        assert sent.tobytes() == given.tobytes()


async def test_fal_is_told_how_long_a_start_may_take_and_files_are_fetched_without_the_key(
    spec: RenderSpec, tmp_path: Path
) -> None:
    async with FalDouble() as server:
        await render(spec, tmp_path / "clip.mp4", timeout_seconds=1800.0)
    assert [heard.headers.get("x-fal-request-timeout") for heard in server.submissions] == ["1800.0"]
    files = [heard for heard in server.heard if heard.path.startswith("/files/")]
    assert [KEY in str(heard.headers) for heard in files] == [False]


async def test_the_same_request_gives_the_same_bytes(spec: RenderSpec, tmp_path: Path) -> None:
    async with FalDouble():
        clips = [await render(spec, tmp_path / f"{at}.mp4", seed=seed) for at, seed in enumerate((4, 4, 5))]
    a, b, c = (clip.path.read_bytes() for clip in clips)
    assert a == b != c


async def test_a_data_uri_in_the_answer_is_a_file_as_well(spec: RenderSpec, tmp_path: Path) -> None:
    film = base64.b64encode(video(PROMPT, 3, width=320, height=192, frames=5, fps=24)).decode()
    async with FalDouble(output={"video": {"url": f"data:video/mp4;base64,{film}"}}):
        assert (await render(spec, tmp_path / "clip.mp4")).effective.num_frames == 5


async def test_a_render_never_seen_at_work_has_no_render_seconds(spec: RenderSpec, tmp_path: Path) -> None:
    async with FalDouble(running=0):
        assert (await render(spec, tmp_path / "clip.mp4")).rendering.render_seconds is None


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ({"frames": 4}, "5 frames were requested, found 4"),
        ({"fps": 16}, "24 fps was requested, found 16"),
        ({"width": 256, "height": 256}, "size 320x192 was requested, found 256x256"),
    ],
)
async def test_a_clip_other_than_asked_is_caught(
    spec: RenderSpec, tmp_path: Path, file: dict[str, int], said: str
) -> None:
    async with FalDouble(file=file):
        with pytest.raises(RenderError, match=said) as caught:
            await render(spec, tmp_path / "clip.mp4")
    assert caught.value.rendering is not None
    assert caught.value.rendering.price_usd == 0.05, "it is billed all the same"
    assert caught.value.rendering.render_seconds is not None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("frames", [48, 97])
async def test_cogvideox_with_another_number_of_frames_is_caught(tmp_path: Path, frames: int) -> None:
    first = tmp_path / "first.png"
    Image.new("RGB", (720, 480)).save(first)
    asked = RenderSpec(width=720, height=480, num_frames=49, fps=8, first_frame=first)
    async with FalDouble(file={"frames": frames}):
        with pytest.raises(RenderError, match=f"49 frames were requested, found {frames}"):
            await render(asked, tmp_path / "clip.mp4", model="fal-ai/cogvideox-5b/image-to-video")


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ({"seed": 9}, "another seed: 3 was requested, 9 came back"),
        ({"video": None}, "without a video in its answer"),
        ({"video": {"url": None}}, "without a video in its answer"),
    ],
)
async def test_an_answer_that_does_not_fit_is_caught(
    spec: RenderSpec, tmp_path: Path, output: dict[str, Any], said: str
) -> None:
    async with FalDouble(output=output):
        with pytest.raises(RenderError, match=said) as caught:
            await render(spec, tmp_path / "clip.mp4")
    assert caught.value.rendering is not None
    assert caught.value.rendering.price_usd == 0.05
    assert list(tmp_path.iterdir()) == []


async def test_an_answer_without_a_seed_is_noted(spec: RenderSpec, tmp_path: Path) -> None:
    async with FalDouble(output={"seed": None}):
        assert (await render(spec, tmp_path / "clip.mp4")).notes == ("fal did not say which seed it used.",)


async def test_a_file_that_is_no_video_is_caught(spec: RenderSpec, tmp_path: Path) -> None:
    async with FalDouble() as server:
        server.script("file", Answer(body=b"<html>gone</html>"))
        with pytest.raises(RenderError, match="cannot be read as a video"):
            await render(spec, tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []


async def test_a_broken_download_does_not_cost_the_render(spec: RenderSpec, tmp_path: Path) -> None:
    async with FalDouble() as server:
        server.script("file", refusal(503, "later"), Answer(body=b"film", drop="middle"))
        assert (await render(spec, tmp_path / "clip.mp4")).effective.num_frames == 5
    assert len(server.jobs) == 1


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (refusal(422, [{"loc": ["body", "prompt"], "msg": "unsafe", "type": "content_policy_violation"}]),
         BlockedError, "safety checks"),
        (refusal(422, [{"loc": ["body", "seed"], "msg": "odd", "type": "value_error"}]), RenderError, "Change seed"),
        (refusal(404, "Application 'x' not found"), BackendError, r"Check generator\.model"),
        (refusal(429, "too many", "concurrent_requests_limit", **{"X-Fal-Needs-Retry": "1"}),
         BackendError, "concurrency"),
        (refusal(503, "no runner", "runner_scheduling_failure"), BackendError, "no runner"),
        (Answer(200, {"status": "IN_QUEUE"}), BackendError, "without naming it"),
        (Answer(200, {"request_id": "../../x"}), BackendError, "without naming it"),
        (Answer(200, "<html>"), BackendError, "without naming it"),
    ],
)  # fmt: skip
async def test_a_submission_that_is_refused(
    spec: RenderSpec, tmp_path: Path, answer: Answer, error: type[Exception], said: str
) -> None:
    async with FalDouble() as server:
        server.script("submit", *[answer] * 20)
        with pytest.raises(error, match=said) as caught:
            await render(spec, tmp_path / "clip.mp4")
    assert type(caught.value) is error
    assert getattr(caught.value, "rendering", "gone") is None, "nothing was rendered"
    assert server.jobs == {}
    assert list(tmp_path.iterdir()) == []


async def test_no_room_is_waited_for(spec: RenderSpec, tmp_path: Path) -> None:
    async with FalDouble() as server:
        server.script("submit", *[refusal(429, "too many", "concurrent_requests_limit")] * 2)
        clip = await render(spec, tmp_path / "clip.mp4")
    assert len(server.submissions) == 3
    assert clip.rendering.attempts == 1


async def test_a_fal_that_takes_nothing_is_told_and_named_when_the_time_is_over(
    spec: RenderSpec, tmp_path: Path
) -> None:
    told = list[Progress]()
    async with FalDouble() as server:
        server.script("submit", *[refusal(429, "too many", "concurrent_requests_limit")] * 200)
        with pytest.raises(BackendError, match="account's limit of requests at once is reached"):
            await render(spec, tmp_path / "clip.mp4", tell=told.append, timeout_seconds=1.0)
    assert "limit of requests at once" in next(p.note for p in told if p.stage == "queued" and p.note)


async def test_a_submission_whose_connection_breaks_is_not_sent_twice(spec: RenderSpec, tmp_path: Path) -> None:
    async with FalDouble() as server:
        server.script("submit", DROP)
        with pytest.raises(BackendError, match=r"was submitted.*If fal took it, it is billed \(\$0\.05\)"):
            await render(spec, tmp_path / "clip.mp4")
        assert len(server.submissions) == 1
        # why: fal's own submit sends it again, and both may be rendered
        client = fal_client.AsyncClient(key=KEY)
        server.script("submit", DROP)
        handle = await client.submit(T2V, {"prompt": PROMPT, "seed": 1})
        await handle.client.aclose()
        assert len(server.submissions) == 3


async def test_a_wrong_key_is_named_by_its_variable_and_shown_nowhere(
    spec: RenderSpec, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = "another:key"
    async with FalDouble():
        fal = Fal(FalConfig(api_key_env="MY_FAL_KEY"), wrong, pace=QUICK)
        with (
            caplog.at_level(logging.DEBUG),
            pytest.raises(BackendError, match="key in MY_FAL_KEY") as caught,
        ):
            await fal.render(PROMPT, spec, seed=1, to=tmp_path / "clip.mp4")
        await fal.close()
    assert wrong not in f"{caught.value!r} {fal!r} {vars(fal)!r} {caplog.text}"


async def test_neither_key_nor_image_is_logged(
    spec: RenderSpec, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    to = tmp_path / "clip.mp4"
    async with FalDouble() as server:
        with caplog.at_level(logging.DEBUG):
            clip = await render(spec, to)
    (job,) = server.jobs.values()
    written = caplog.text + clip.model_dump_json() + to.with_name("clip.mp4.slip").read_text()
    assert KEY not in written
    assert job.input["image_url"][-60:] not in written


@pytest.mark.parametrize("key", ["", "  ", "a b", "a\nb", "schlüssel"])
def test_what_cannot_be_a_key_is_refused_unseen(key: str) -> None:
    with pytest.raises(BackendError, match="FAL_KEY holds no key of fal's") as caught:
        Fal(FalConfig(), key)
    assert not key.strip() or key not in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "state", "error", "said"),
    [
        (refusal(422, [{"loc": ["body", "image_url"], "msg": "dark", "type": "image_load_error"}]),
         ("Invalid status code: 422", "x"), RenderError, "image_url: dark.*Give another first frame"),
        (refusal(500, "it broke", "internal_error"), ("Invalid status code: 500", "x"), BackendError, "it broke"),
        (refusal(504, "late", "request_timeout", **{"X-Fal-Request-Timeout-Type": "user"}),
         ("late", "request_timeout"), BackendError, "raise generator.timeout_seconds"),
        (refusal(499, "cancelled", "client_cancelled"), ("cancelled", "client_cancelled"), BackendError, "Somebody"),
        (None, ("it ran out of memory", "runner_server_error"), BackendError, "ran out of memory"),
        (None, ("refused", "content_policy_violation"), BlockedError, "safety checks"),
    ],
)  # fmt: skip
async def test_a_request_that_ends_with_an_error(
    spec: RenderSpec, tmp_path: Path, answer: Answer | None, state: tuple[str, str], error: type[Exception], said: str
) -> None:
    told = list[Progress]()
    async with FalDouble(error=state) as server:
        if answer:
            server.script("result", answer)
        with pytest.raises(error, match=said) as caught:
            await render(spec, tmp_path / "clip.mp4", tell=told.append)
    assert type(caught.value) is error
    assert not any(heard.method == "PUT" for heard in server.heard)
    assert "abandoned" not in {progress.stage for progress in told}


async def test_a_result_that_fails_once_is_fetched_again(spec: RenderSpec, tmp_path: Path) -> None:
    async with FalDouble() as server:
        server.script("result", refusal(503, "later"))
        assert (await render(spec, tmp_path / "clip.mp4")).effective.num_frames == 5


async def test_polls_that_fail_now_and_then_do_not_cost_the_render(spec: RenderSpec, tmp_path: Path) -> None:
    async with FalDouble(running=3) as server:
        server.script("status", refusal(503, "later"), refusal(404, "not yet"))
        assert (await render(spec, tmp_path / "clip.mp4")).effective.num_frames == 5


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (refusal(404, "Request not found"), "Request not found"),
        (refusal(500, "it broke"), "it broke"),
        (refusal(401, "key revoked"), "refused the key"),
        (Answer(202, {"status": "FAILED"}), "does not read .*Unknown status: FAILED.*pip install -U fal-client"),
        (Answer(202, {"status": "IN_QUEUE"}), "does not read .*queue_position"),
        (Answer(200, "<html>"), "does not read"),
        (Answer(200, "[]"), "does not read"),
    ],
)
async def test_a_request_that_cannot_be_watched_is_withdrawn(
    spec: RenderSpec, tmp_path: Path, answer: Answer, said: str
) -> None:
    async with FalDouble() as server:
        server.script("status", *[answer] * 3)
        with pytest.raises(BackendError, match=said):
            await render(spec, tmp_path / "clip.mp4")
    assert [job.cancelled for job in server.jobs.values()] == [True]


async def test_requests_at_once_are_bounded(spec: RenderSpec, tmp_path: Path) -> None:
    async with FalDouble(running=5) as server, open_fal(FalConfig(concurrency=2)) as fal:
        works = [fal.render(PROMPT, spec, seed=seed, to=tmp_path / f"{seed}.mp4") for seed in range(4)]
        clips = await asyncio.gather(*works)
        arrived = [heard.at for heard in server.submissions]
        fetched = sorted(heard.at for heard in server.heard if heard.path.startswith("/files/"))
    assert arrived[2] > fetched[0]
    assert max(clip.rendering.queue_seconds for clip in clips) > min(clip.rendering.queue_seconds for clip in clips)


async def test_what_cannot_be_rendered_or_written_costs_nothing(spec: RenderSpec, tmp_path: Path) -> None:
    async with FalDouble() as server:
        with pytest.raises(RenderError, match="num_frames is 7"):
            await render(spec.model_copy(update={"num_frames": 7}), tmp_path / "clip.mp4")
        with pytest.raises(RenderError, match=r"first\.png is 320x192, the clip 832x480"):
            await render(spec.model_copy(update={"width": 832, "height": 480}), tmp_path / "clip.mp4")
        with pytest.raises(FileNotFoundError, match=r"clip\.mp4"):
            await render(spec, tmp_path / "nowhere" / "clip.mp4")
    assert server.heard == []
    assert list(tmp_path.iterdir()) == []


async def test_safety_checks_that_may_be_off_are_not_called_off(spec: RenderSpec, tmp_path: Path) -> None:
    async with FalDouble() as server:
        clip = await render(spec.model_copy(update={"guardrails": False}), tmp_path / "clip.mp4")
    assert [job.input["enable_safety_checker"] for job in server.jobs.values()] == [False]
    assert clip.rendering.guardrails == "unknown"
    assert "some accounts only" in clip.notes[0]


async def test_nobody_there_is_a_backend_error(spec: RenderSpec, tmp_path: Path) -> None:
    async with FalDouble() as server:
        server._server.close()  # type: ignore[union-attr]
        with pytest.raises(BackendError, match=r"could not be reached to submit the render \(ConnectError"):
            await render(spec, tmp_path / "clip.mp4")


def test_a_missing_client_is_named_with_its_cure_and_prices_are_known_without_it() -> None:
    code = """
import sys
sys.modules["fal_client"] = None
from generator.config import FalConfig
from generator.fal import Fal, price
from generator.types import BackendError, RenderSpec
assert price(FalConfig(), RenderSpec(width=832, height=480, num_frames=189, fps=24)) == 0.4
try:
    Fal(FalConfig(), "key")
except BackendError as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert "pip install '.[fal]'" in said


def test_an_unusable_proxy_is_named_without_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "gopher://user:password@127.0.0.1:1")
    with pytest.raises(BackendError, match="Check the proxy variables") as caught:
        Fal(FalConfig(), KEY)
    assert "password" not in str(caught.value)


def test_it_is_a_generator() -> None:
    generator: Generator = Fal(FalConfig(), KEY)
    assert generator.id == f"fal/{FAL_VERSION}/nvidia/cosmos-3-super/image-to-video"
