"""Renders through vLLM-Omni's jobs: what is sent, what comes back, and what is told of it."""

import asyncio
import errno
import json
import logging
import re
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from agent.http import http_client
from generator.config import ServeOmniConfig, VLLMOmniConfig
from generator.probe import probe
from generator.types import BackendError, BlockedError, Control, Progress, RenderError, RenderSpec
from generator.vllm_omni import VLLM_OMNI_VERSION, VLLMOmni
from generator.vllm_omni.telling import Telling
from tests.clips import write_clip
from tests.omni import MODEL, QUICK, Omni, connected, until
from tests.wire import Answer, error

PROMPT = "A red sailboat on the sea at sunset."
SPEC = RenderSpec(width=64, height=48, num_frames=5, fps=24, negative_prompt="blurry, café; dark")


def spec(**changes: object) -> RenderSpec:
    return RenderSpec.model_validate(SPEC.model_dump() | changes)


async def test_everything_that_decides_the_clip_is_sent(tmp_path: Path) -> None:
    caption = json.dumps({"subjects": [], "temporal_caption": "caf\u00e9"})
    async with Omni() as server, connected(server) as omni:
        clip = await omni.render(caption, spec(flow_shift=5.0), seed=7, to=tmp_path / "clip.mp4")
    sent = {name: part.content.decode() for name, part in server.forms[0].form.items()}
    assert sent == {
        "prompt": caption, "negative_prompt": "blurry, café; dark", "size": "64x48", "num_frames": "5", "fps": "24",
        "num_inference_steps": "35", "guidance_scale": "6.0", "flow_shift": "5.0", "seed": "7",
        "extra_params": '{"guardrails": true}',
    }  # fmt: skip
    assert [heard.path for heard in server.heard if heard.method == "POST"] == ["/v1/videos"]
    assert clip.effective == probe(tmp_path / "clip.mp4")
    assert (clip.effective.num_frames, clip.effective.width, clip.effective.height) == (5, 64, 48)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "clip.mp4.slip"]


async def test_a_shift_that_nobody_chose_is_left_to_the_server(tmp_path: Path) -> None:
    async with Omni() as server, connected(server) as omni:
        await omni.render(PROMPT, SPEC, seed=7, to=tmp_path / "clip.mp4")
    assert "flow_shift" not in server.forms[0].form
    assert server.forms[0].extra == {"guardrails": True}


async def test_settings_of_the_config_are_sent_with_every_render(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "lora": {"name": "ink", "path": "/loras/ink", "scale": 0.5},
        "extra_params": {"max_sequence_length": 512, "guidance_interval": (100, 900), "control_guidance": 2.0},
    }
    async with Omni(sound=True) as server, connected(server, **settings) as omni:
        clip = await omni.render(PROMPT, spec(guardrails=False, sound=True), seed=7, to=tmp_path / "clip.mp4")
        assert re.fullmatch(rf"vllm_omni/{VLLM_OMNI_VERSION} {MODEL} settings=[0-9a-f]{{8}}", omni.id)
    job = server.forms[0]
    # control_guidance without a control would be a 500
    assert job.extra == {"max_sequence_length": 512, "guidance_interval": [100, 900], "guardrails": False}
    assert json.loads(job.text("lora")) == {"name": "ink", "path": "/loras/ink", "scale": 0.5}
    assert job.text("generate_sound") == "true"
    assert clip.rendering.guardrails == "off"
    assert clip.notes == ("Sound was asked for, and the server delivered none.",)


async def test_a_first_frame_goes_along_as_a_file(tmp_path: Path) -> None:
    first = tmp_path / "first.png"
    Image.new("RGB", (64, 48), (200, 10, 10)).save(first)
    async with Omni() as server, connected(server) as omni:
        await omni.render(PROMPT, spec(first_frame=first), seed=7, to=tmp_path / "clip.mp4")
    part = server.forms[0].form["input_reference"]
    assert (part.file_name, part.content) == ("first_frame.png", first.read_bytes())


async def test_a_source_video_goes_along_as_a_file(tmp_path: Path) -> None:
    source = tmp_path / "source.mp4"
    write_clip(source, SPEC)
    async with Omni() as server, connected(server) as omni:
        await omni.render(PROMPT, spec(source_video=source), seed=7, to=tmp_path / "clip.mp4")
    assert server.forms[0].form["input_reference"].content == source.read_bytes()


async def test_a_control_goes_along_with_its_size_named_as_a_tier(tmp_path: Path) -> None:
    """The server chooses the size of a transfer from `resolution` and the control's aspect, and not from `size`."""
    asked = spec(width=192, height=320, num_frames=5)
    edge = tmp_path / "edge.mp4"
    write_clip(edge, asked)
    asked = asked.model_copy(update={"controls": (Control(kind="edge", path=edge, weight=0.5),), "source_video": edge})
    async with Omni() as server, connected(server, extra_params={"control_guidance": 2.0}) as omni:
        clip = await omni.render(PROMPT, asked, seed=7, to=tmp_path / "clip.mp4")
    job = server.forms[0]
    assert (job.text("control_type"), job.form["control_reference"].content) == ("edge", edge.read_bytes())
    assert job.extra == {
        "resolution": "256", "edge": {"control_weight": 0.5}, "control_guidance": 2.0, "guardrails": True,
    }  # fmt: skip
    assert "input_reference" not in job.form
    assert (clip.effective.width, clip.effective.height) == (192, 320)
    assert [note.partition(":")[0] for note in clip.notes] == [
        "vLLM-Omni scales the weights of controls to a sum of 1",
        "With a control, vLLM-Omni takes nothing from the source video",
    ]


@pytest.mark.parametrize(
    ("changes", "prompt", "seed", "said"),
    [
        ({"width": 100}, PROMPT, 1, r"^width: 100 is no multiple of 16.* Ask for 96"),
        ({"height": 90}, PROMPT, 1, r"^height: 90 .* Ask for 96"),
        ({"num_frames": 8}, PROMPT, 1, r"^num_frames: 8 is not on the grid 4k\+1.* Ask for 9"),
        ({"num_inference_steps": 120}, PROMPT, 1, r"^num_inference_steps: 120 is more than 100"),
        ({}, " \n", 1, r"^prompt: it is empty"),
        ({}, PROMPT, 2**63, r"^seed: 9223372036854775808"),
        ({}, PROMPT, -1, r"^seed: -1"),
        ({"first_frame": "a.png", "source_video": "a.mp4"}, PROMPT, 1, r"^first_frame, source_video"),
        ({"controls": [("edge", "a"), ("seg", "b")]}, PROMPT, 1, r"^controls: edge, seg .* Keep one"),
        ({"controls": [("edge", "a")], "first_frame": "a.png"}, PROMPT, 1, r"^first_frame: .* no image"),
        ({"controls": [("edge", "a")], "sound": True}, PROMPT, 1, r"^sound: .* Set sound to false"),
        ({"controls": [("edge", "a")]}, PROMPT, 1, r"^width, height: .* 64x48 is none. Ask for one of 320x192"),
    ],
)
async def test_what_the_server_would_refuse_or_change_is_refused_here(
    tmp_path: Path, changes: dict[str, object], prompt: str, seed: int, said: str
) -> None:
    if isinstance(controls := changes.get("controls"), list):
        changes = changes | {"controls": [{"kind": kind, "path": path} for kind, path in controls]}
    async with Omni() as server, connected(server) as omni:
        with pytest.raises(RenderError, match=said):
            await omni.render(prompt, spec(**changes), seed=seed, to=tmp_path / "clip.mp4")
    assert server.submits == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("frames", "width", "said"),
    [(5, 192, r"edge control edge\.mp4 has 5 frames, the clip 9"), (9, 320, r"edge\.mp4 is 320x320, the clip 192x320")],
)
async def test_an_unfitting_control_is_refused(tmp_path: Path, frames: int, width: int, said: str) -> None:
    edge, out = tmp_path / "edge.mp4", tmp_path / "out"
    out.mkdir()
    write_clip(edge, spec(width=width, height=320, num_frames=frames))
    asked = spec(width=192, height=320, num_frames=9, controls=[{"kind": "edge", "path": edge}])
    async with Omni() as server, connected(server) as omni:
        with pytest.raises(RenderError, match=said):
            await omni.render(PROMPT, asked, seed=1, to=out / "clip.mp4")
    assert (server.submits, list(out.iterdir())) == (0, [])


@pytest.mark.parametrize(("size", "said"), [(None, "cannot be read"), ((64, 64), r"is 64x64, the clip 64x48")])
async def test_an_unusable_first_frame_is_refused(tmp_path: Path, size: tuple[int, int] | None, said: str) -> None:
    first = tmp_path / "first.png"
    Image.new("RGB", size).save(first) if size else first.write_bytes(b"no image")
    async with Omni() as server, connected(server) as omni:
        with pytest.raises(RenderError, match=said):
            await omni.render(PROMPT, spec(first_frame=first), seed=1, to=tmp_path / "clip.mp4")
    assert server.submits == 0


async def test_the_same_request_gives_the_same_bytes(tmp_path: Path) -> None:
    clips = [tmp_path / f"{name}.mp4" for name in "abc"]
    async with Omni() as server, connected(server) as omni:
        for seed, to in zip((4, 4, 5), clips, strict=True):
            await omni.render(PROMPT, SPEC, seed=seed, to=to)
    assert clips[0].read_bytes() == clips[1].read_bytes() != clips[2].read_bytes()
    assert server.deletes == 3  # the server keeps files for ever otherwise
    assert server.jobs == {}


async def test_the_rendering_says_what_was_measured(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Progress] = []
    to = tmp_path / "b.mp4"
    async with Omni(seconds=0.05) as server, connected(server, tell=heard.append, in_flight=2) as omni:
        server.hold()
        first = asyncio.create_task(omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "a.mp4"))
        await until(lambda: server.begun == 1)
        with caplog.at_level(logging.INFO, "generator.vllm_omni"):
            second = asyncio.create_task(omni.render(PROMPT, SPEC, seed=2, to=to))
            await until(lambda: any(progress.seed == 2 and progress.stage == "queued" for progress in heard))
            await asyncio.sleep(0.06)
            server.seconds = 0.5  # long enough to be seen at work
            server.release()
            clip = await second
        await first
        made = clip.rendering
    assert (made.model, made.version, made.endpoint) == (MODEL, "vllm-omni 0.30.0", server.url)
    assert made.job == server.forms[1].id
    assert (made.guardrails, made.attempts, made.lost_seconds, made.price_usd) == ("unknown", 1, 0, None)
    assert made.render_seconds is not None
    assert made.queue_seconds > 0.05  # behind the first
    assert 0 < made.render_seconds < clip.seconds
    assert made.queue_seconds + made.render_seconds <= clip.seconds + 0.002
    stages = [progress.stage for progress in heard if progress.seed == 2]
    assert [stage for stage, before in zip(stages, [None, *stages], strict=False) if stage != before] == [
        "queued", "rendering", "delivering",
    ]  # fmt: skip
    said = [record.getMessage() for record in caplog.records if "seed=2" in record.getMessage()]
    assert said[0] == f"render start seed=2 to={to}"
    assert re.fullmatch(rf"render done seed=2 to={re.escape(str(to))} \d+\.\d\ds", said[1])


@pytest.mark.parametrize(
    ("asked", "server_has", "acts"), [(True, "on", "on"), (True, "off", "off"), (False, "on", "off")]
)
async def test_the_guardrails_state_is_the_effective_one(
    tmp_path: Path, asked: bool, server_has: str, acts: str
) -> None:
    async with Omni() as server, connected(server, guardrails=server_has) as omni:
        clip = await omni.render(PROMPT, spec(guardrails=asked), seed=1, to=tmp_path / "clip.mp4")
    assert clip.rendering.guardrails == acts
    assert bool(clip.notes) == (asked and server_has == "off")
    assert server.forms[0].extra == {"guardrails": asked}


async def test_a_blocked_prompt_is_its_own_error(tmp_path: Path) -> None:
    async with Omni(guardrails=True) as server, connected(server) as omni:
        with pytest.raises(BlockedError, match="Input was blocked by Cosmos3 guardrails"):
            await omni.render("a forbidden thing", SPEC, seed=1, to=tmp_path / "clip.mp4")
        assert list(tmp_path.iterdir()) == []
        allowed = await omni.render("a forbidden thing", spec(guardrails=False), seed=1, to=tmp_path / "clip.mp4")
    assert allowed.rendering.guardrails == "off"
    assert server.submits == 2


@pytest.mark.parametrize(
    ("code", "message", "kind", "said"),
    [
        (500, "No video outputs found in generation result.", RenderError, "at most 100 steps"),
        (500, "Cosmos3 distilled: text-to-video requests are unsupported.", RenderError, "give a first frame"),
        (500, "initialized without sound modules.", RenderError, "set sound to false"),
        (500, "[Errno 2] No such file: '/x/adapter_config.json'", RenderError, r"generator\.lora\.path"),
        (500, "line one\n  line two " + "x" * 900, RenderError, r"line one line two x+…$"),
        ("HTTPException", "odd", RenderError, "vLLM-Omni could not render it: odd"),
        (500, "CUDA out of memory. Tried to allocate 20 GiB", BackendError, "fewer frames or a smaller size"),
    ],
)
async def test_a_failed_job_says_the_cure_and_is_not_sent_again(
    tmp_path: Path, code: int | str, message: str, kind: type[Exception], said: str
) -> None:
    async with Omni() as server, connected(server) as omni:
        server.faults.failures.append((code, message))
        with pytest.raises(kind, match=said) as caught:
            await omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "clip.mp4")
    assert server.submits == 1
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


async def test_sound_of_a_soundless_model_says_the_cure(tmp_path: Path) -> None:
    async with Omni() as server, connected(server) as omni:
        with pytest.raises(RenderError, match="set sound to false, or serve one that does"):
            await omni.render(PROMPT, spec(sound=True), seed=1, to=tmp_path / "clip.mp4")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"frames": 4}, "5 frames were requested, found 9"),
        ({"width": 16}, "size 64x48 was requested, found 80x48"),
        ({"fps": -12}, "24 fps was requested, found 12"),
        ({"content": b"no video" * 900}, "cannot be read as a video"),
        ({"content": b""}, "cannot be read as a video"),
    ],
)
async def test_a_clip_that_is_not_what_was_asked_for_is_found_out(
    tmp_path: Path, wrong: dict[str, object], said: str
) -> None:
    async with Omni() as server, connected(server) as omni:
        for name, value in wrong.items():
            setattr(server.wrong, name, value)
        with pytest.raises(RenderError, match=said):
            await omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []
    assert (server.submits, server.deletes) == (1, 1)


async def test_a_clip_larger_than_its_frames_is_not_taken(tmp_path: Path) -> None:
    async with Omni() as server, connected(server) as omni:
        server.wrong.content = bytes(20 * 2**20)
        with pytest.raises(RenderError, match="larger than"):
            await omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []


async def test_frames_between_by_rife_are_expected_and_noted(tmp_path: Path) -> None:
    async with Omni(rife=True) as server, connected(server, rife=2) as omni:
        clip = await omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "clip.mp4")
    assert (clip.effective.num_frames, clip.effective.fps) == (17, 96)
    assert clip.notes == ("The server interpolated by RIFE: 17 frames at 96 fps of 5 rendered.",)
    assert server.forms[0].text("frame_interpolation_exp") == "2"


async def test_a_server_that_does_not_interpolate_is_noted(tmp_path: Path) -> None:
    async with Omni() as server, connected(server, rife=1) as omni:
        clip = await omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "clip.mp4")
    assert (clip.effective.num_frames, clip.effective.fps) == (5, 24)
    assert clip.notes == ("The server did not interpolate: 2 times the frames were asked for (generator.rife).",)


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (
            error(400, "1 validation error:\n  bad"),
            RenderError,
            r"refused the render \(HTTP 400\): 1 validation error: bad",
        ),
        (error(500, "Video generation setup failed"), BackendError, "setup failed Look at its log"),
        (Answer(401, {"error": "Unauthorized"}), BackendError, r"refused the key.*generator\.api_key_env"),
        (Answer(404, {"detail": "Not Found"}), BackendError, "Start it with vllm serve … --omni"),
        (Answer(200, b"hello"), BackendError, "did not answer the submission with a job"),
    ],
)
async def test_a_refused_submission_is_not_repeated(
    tmp_path: Path, answer: Answer, kind: type[Exception], said: str
) -> None:
    async with Omni() as server, connected(server) as omni:
        server.faults.answers.append(answer)
        with pytest.raises(kind, match=said):
            await omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "clip.mp4")
        assert sum(heard.method == "POST" for heard in server.heard) == 1
    assert list(tmp_path.iterdir()) == []


async def test_a_key_that_the_server_repeats_is_not(tmp_path: Path) -> None:
    async with Omni(key="hush-hush") as server, connected(server, key="hush-hush") as omni:
        server.faults.answers.append(error(400, f"{'x' * 380} Bearer hush-hush is no field"))
        with pytest.raises(RenderError) as caught:
            await omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "clip.mp4")
    assert "hus" not in str(caught.value)


async def test_a_missing_folder_costs_no_render(tmp_path: Path) -> None:
    async with Omni() as server, connected(server) as omni:
        with pytest.raises(FileNotFoundError) as caught:
            await omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "nowhere" / "clip.mp4")
    assert caught.value.errno == errno.ENOENT
    assert server.submits == 0


async def test_the_key_is_sent_and_never_shown(tmp_path: Path) -> None:
    async with Omni(key="hush-hush") as server:
        with pytest.raises(BackendError, match=r"generator\.api_key_env") as caught:
            async with connected(server, key="wrong-hush"):
                pytest.fail("connected")
        assert "hush" not in str(caught.value)
        async with connected(server, key="hush-hush") as omni:
            clip = await omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "clip.mp4")
    assert "hush" not in clip.model_dump_json() + repr(omni) + omni.id


async def test_connecting_names_what_is_served() -> None:
    async with Omni("nano") as nano, Omni("super") as other:
        with pytest.raises(BackendError, match=r"No rendering server serves 'edge' \(.*serves nano.*serves super\)"):
            async with connected(nano, other, model="edge"):
                pytest.fail("connected")
        with pytest.raises(BackendError, match=r"do not serve one model .*Set generator\.model"):
            async with connected(nano, other):
                pytest.fail("connected")


async def test_connecting_to_nobody_names_the_cure() -> None:
    server = Omni()
    async with server:
        pass
    with pytest.raises(BackendError, match=rf"No rendering server answers \({server.url}: it cannot be reached"):
        async with connected(server):
            pytest.fail("connected")


async def test_connecting_to_a_server_without_videos_names_the_cure() -> None:
    async with Omni() as server:
        server.paths["/v1/videos"] = Answer(404, {"detail": "Not Found"})
        with pytest.raises(BackendError, match=r"renders no videos: start it with vllm serve … --omni"):
            async with connected(server):
                pytest.fail("connected")


async def test_renders_go_only_where_the_model_is_served(tmp_path: Path) -> None:
    async with Omni("nano") as nano, Omni("super") as other, connected(other, nano, model="nano") as omni:
        clips = [await omni.render(PROMPT, SPEC, seed=s, to=tmp_path / f"{s}.mp4") for s in (1, 2)]
        assert omni.id == f"vllm_omni/{VLLM_OMNI_VERSION} nano"
    assert {clip.rendering.endpoint for clip in clips} == {nano.url}
    assert other.submits == 0


async def test_a_server_restarted_with_another_model_is_found_out(tmp_path: Path) -> None:
    async with Omni("nano") as server, connected(server) as omni:
        server.served = {"super": "/models/super"}
        with pytest.raises(BackendError, match="it serves super now"):
            await omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "clip.mp4")
    assert server.jobs == {}


def test_it_must_be_connected_first() -> None:
    omni = VLLMOmni(VLLMOmniConfig(), httpx.AsyncClient(), ["http://127.0.0.1:1"], limits=QUICK)
    with pytest.raises(RuntimeError, match="before connect"):
        _ = omni.id


async def test_a_distilled_checkpoint_that_we_serve_is_known_for_one(tmp_path: Path) -> None:
    """It ignores steps, guidance and shift without a word, and answers text-to-video with a 500."""
    model, first = tmp_path / "model", tmp_path / "first.png"
    (model / "scheduler").mkdir(parents=True)
    scheduler = {"_class_name": "FlowMatchEulerDiscreteScheduler", "fixed_step_sampler_config": {"sample_type": "sde"}}
    (model / "scheduler/scheduler_config.json").write_text(json.dumps(scheduler), encoding="utf-8")
    Image.new("RGB", (64, 48)).save(first)
    async with Omni() as server, http_client(repeat_posts=False) as client:
        config = VLLMOmniConfig(serve=ServeOmniConfig(model=str(model), served_model_name=MODEL))
        omni = VLLMOmni(config, client, [server.url], limits=QUICK)
        await omni.connect()
        with pytest.raises(RenderError, match="distilled checkpoint only goes on from an image"):
            await omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "clip.mp4")
        assert server.submits == 0
        clip = await omni.render(PROMPT, spec(first_frame=first), seed=1, to=tmp_path / "clip.mp4")
    assert clip.notes == ("A distilled checkpoint has its own steps, guidance and shift: those asked for did not act.",)


def test_time_passing_is_told_about_once_a_second() -> None:
    heard: list[Progress] = []
    telling = Telling(heard.append, 7)
    for tick in range(100):
        telling.queued(tick / 1000, "http://a")
    for tick in range(100):
        telling.rendering(tick / 1000, "http://a")
    telling.resubmitted(0.1, "http://a", "It was lost.")
    telling.abandoned(0.2, "http://a", "It goes on.")
    assert [progress.stage for progress in heard] == ["queued", "rendering", "resubmitted", "abandoned"]
    assert {progress.seed for progress in heard} == {7}


def test_the_double_serves_tests_that_are_not_async(tmp_path: Path) -> None:
    async def one() -> None:
        async with connected(server) as omni:
            await omni.render(PROMPT, SPEC, seed=1, to=tmp_path / "clip.mp4")

    with Omni() as server:
        server.hold()
        threading.Timer(0.05, server.release).start()
        asyncio.run(one())
    assert (server.submits, server.begun, server.deletes) == (1, 1, 1)
    assert probe(tmp_path / "clip.mp4").num_frames == 5
