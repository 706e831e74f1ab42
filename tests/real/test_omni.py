"""Renders by a real vLLM-Omni: exact, repeatable, cancelled, lost, refused."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from generator import job_slip
from generator.probe import probe
from generator.types import BackendError, BlockedError, Clip, Control, Progress, RenderError, RenderSpec
from generator.vllm_omni import Limits
from tests.clips import write_clip
from tests.real.omni_server import MODEL, OmniServer, guarded, omni

__all__ = ["guarded", "omni"]

PROMPT = "A red ball rolls over a table."
SPEC = RenderSpec(width=96, height=64, num_frames=9, fps=24, num_inference_steps=2)
LONG = RenderSpec(width=256, height=192, num_frames=61, fps=24, num_inference_steps=60)
"""Two seconds or more."""
IMPATIENT = Limits(patience=2.0, away=1.0)


def exact(clip: Clip) -> bool:
    found, asked = clip.effective, clip.spec
    return (found.width, found.height, found.num_frames, found.fps) == (
        asked.width, asked.height, asked.num_frames, asked.fps,
    )  # fmt: skip


def heard_stage(heard: list[Progress], stage: str, seed: int) -> bool:
    return any(progress.stage == stage and progress.seed == seed for progress in heard)


async def until_heard(heard: list[Progress], stage: str, seed: int) -> None:
    async with asyncio.timeout(60):
        while not heard_stage(heard, stage, seed):
            await asyncio.sleep(0.01)


async def test_text_to_video_is_exact_and_repeatable(omni: OmniServer, tmp_path: Path) -> None:
    caption = json.dumps({"subjects": [], "temporal_caption": PROMPT, "duration": "7s"})
    async with omni.generator() as generator:
        for size, frames, fps in (((96, 64), 9, 24), ((64, 96), 13, 16)):
            asked = SPEC.model_copy(update={"width": size[0], "height": size[1], "num_frames": frames, "fps": fps})
            clips = [
                await generator.render(caption, asked, seed=seed, to=tmp_path / f"{fps}-{number}.mp4")
                for number, seed in enumerate((4, 4, 5))
            ]
            assert all(map(exact, clips))
            first, again, other = (clip.path.read_bytes() for clip in clips)
            assert first == again != other
    made = clips[0].rendering
    assert (made.model, made.version, made.endpoint) == (MODEL, "vllm-omni 0.30.0", omni.url)
    assert made.render_seconds is not None
    assert made.queue_seconds + made.render_seconds <= clips[0].seconds
    assert omni.ask("GET", "/v1/videos").json()["data"] == []  # nothing is left over there


async def test_image_to_video_is_exact_and_starts_from_the_image(omni: OmniServer, tmp_path: Path) -> None:
    clips = []
    async with omni.generator() as generator:
        for name, colour in (("red", (220, 20, 20)), ("blue", (20, 20, 220)), ("red again", (220, 20, 20))):
            first = tmp_path / f"{name}.png"
            Image.new("RGB", (96, 64), colour).save(first)
            asked = SPEC.model_copy(update={"first_frame": first})
            clips.append(await generator.render(PROMPT, asked, seed=4, to=tmp_path / f"{name}.mp4"))
    assert all(map(exact, clips))
    red, blue, again = (clip.path.read_bytes() for clip in clips)
    assert red == again != blue


async def test_video_to_video_and_transfer_are_exact(omni: OmniServer, tmp_path: Path) -> None:
    source, edge = tmp_path / "source.mp4", tmp_path / "edge.mp4"
    write_clip(source, SPEC)
    tier = SPEC.model_copy(update={"width": 320, "height": 192, "num_inference_steps": 1, "guidance_scale": 1.0})
    write_clip(edge, tier)
    async with omni.generator(extra_params={"control_guidance": 1.5}) as generator:
        going_on = SPEC.model_copy(update={"source_video": source})
        steered = tier.model_copy(update={"controls": (Control(kind="edge", path=edge),)})
        clips = [
            await generator.render(PROMPT, asked, seed=4, to=tmp_path / f"{number}.mp4")
            for number, asked in enumerate((going_on, steered))
        ]
        assert all(map(exact, clips))
        # a control shorter than the clip: the server would render no more than it has
        longer = steered.model_copy(update={"num_frames": 13})
        with pytest.raises(RenderError, match=r"has 9 frames, the clip 13"):
            await generator.render(PROMPT, longer, seed=4, to=tmp_path / "longer.mp4")


async def test_frame_interpolation_is_ignored_for_cosmos3_and_noted(omni: OmniServer, tmp_path: Path) -> None:
    async with omni.generator(rife=1) as generator:
        clip = await generator.render(PROMPT, SPEC, seed=4, to=tmp_path / "clip.mp4")
    assert exact(clip)
    assert clip.notes[0].startswith("The server did not interpolate")


@pytest.mark.parametrize(
    ("direct", "really", "ours", "said"),
    [
        ({"size": "100x70"}, (96, 64, 9), {"width": 100}, "^width: 100"),
        ({"size": "96x70"}, (96, 64, 9), {"height": 70}, "^height: 70"),
        ({"num_frames": "10"}, (96, 64, 13), {"num_frames": 10}, "^num_frames: 10"),
        (
            {"num_inference_steps": "120"},
            "No video outputs found",
            {"num_inference_steps": 120},
            "^num_inference_steps",
        ),
    ],
)
async def test_traps_are_real_and_are_refused_before_they_cost_a_render(
    omni: OmniServer, tmp_path: Path, direct: dict[str, str], really: object, ours: dict[str, int], said: str
) -> None:
    job = omni.job(**direct).json()["id"]
    status, record = omni.ended(job)
    if isinstance(really, str):
        assert status == 500
        assert really in record["error"]["message"]
    else:
        clip = tmp_path / "direct.mp4"
        clip.write_bytes(omni.ask("GET", f"/v1/videos/{job}/content").content)
        found = probe(clip)
        assert (found.width, found.height, found.num_frames) == really
    omni.ask("DELETE", f"/v1/videos/{job}")
    before = omni.renders()
    async with omni.generator() as generator:
        with pytest.raises(RenderError, match=said):
            await generator.render(PROMPT, SPEC.model_copy(update=ours), seed=1, to=tmp_path / "clip.mp4")
    assert omni.renders() == before


async def test_control_guidance_without_a_control_is_a_trap_that_is_not_sent(omni: OmniServer, tmp_path: Path) -> None:
    job = omni.job(extra_params='{"control_guidance": 1.5}').json()["id"]
    status, record = omni.ended(job)
    omni.ask("DELETE", f"/v1/videos/{job}")
    assert status == 500
    assert "no transfer hint" in record["error"]["message"]
    async with omni.generator(extra_params={"control_guidance": 1.5}) as generator:
        assert exact(await generator.render(PROMPT, SPEC, seed=1, to=tmp_path / "clip.mp4"))


async def test_what_the_pipeline_refuses_says_the_cure(omni: OmniServer, tmp_path: Path) -> None:
    async with omni.generator() as generator:
        with pytest.raises(RenderError, match=r"without sound modules.* set sound to false"):
            await generator.render(PROMPT, SPEC.model_copy(update={"sound": True}), seed=1, to=tmp_path / "clip.mp4")
    async with omni.generator(lora={"name": "ink", "path": "/nowhere"}) as generator:
        with pytest.raises(RenderError, match=r"generator\.lora\.path is a folder as the server sees it"):
            await generator.render(PROMPT, SPEC, seed=1, to=tmp_path / "clip.mp4")
    assert list(tmp_path.iterdir()) == []


async def test_a_wrong_model_name_and_a_wrong_key_are_found_when_connecting(omni: OmniServer) -> None:
    with pytest.raises(BackendError, match=f"serves 'nvidia/other' .*serves {MODEL}.*Correct generator.model"):
        async with omni.generator(model="nvidia/other"):
            pytest.fail("connected")
    stranger = OmniServer(omni.url, "wrong-key", omni.process)
    with pytest.raises(BackendError, match=r"refused the key .*generator\.api_key_env") as caught:
        async with stranger.generator():
            pytest.fail("connected")
    assert "wrong-key" not in str(caught.value)


def _waited(server: OmniServer) -> float:
    """Seconds until a small render is there."""
    started = time.monotonic()
    job = server.job(num_inference_steps="1").json()["id"]
    server.ended(job)
    server.ask("DELETE", f"/v1/videos/{job}")
    return time.monotonic() - started


async def test_a_cancelled_queued_render_never_runs_and_a_running_one_goes_on(omni: OmniServer, tmp_path: Path) -> None:
    heard: list[Progress] = []
    before = omni.renders()
    async with omni.generator(in_flight=3, tell=heard.append) as generator:
        first = asyncio.create_task(generator.render(PROMPT, LONG, seed=1, to=tmp_path / "1.mp4"))
        await until_heard(heard, "rendering", 1)
        queued = asyncio.create_task(generator.render(PROMPT, LONG, seed=2, to=tmp_path / "2.mp4"))
        async with asyncio.timeout(60):
            while not job_slip.slip_path(tmp_path / "2.mp4").exists():
                await asyncio.sleep(0.01)
        queued.cancel()
        await asyncio.gather(queued, return_exceptions=True)
        assert (await first).rendering.render_seconds is not None
        assert omni.renders() == before + 1  # the second would have run by the time that this one has
        assert exact(await generator.render(PROMPT, SPEC, seed=3, to=tmp_path / "3.mp4"))
        assert omni.renders() == before + 2
        assert not heard_stage(heard, "abandoned", 2)

        quick = min(_waited(omni) for _ in range(3))  # whatever else the machine is doing makes it longer
        longer = LONG.model_copy(update={"num_inference_steps": 100})
        running = asyncio.create_task(generator.render(PROMPT, longer, seed=4, to=tmp_path / "4.mp4"))
        await until_heard(heard, "rendering", 4)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        (told,) = (progress for progress in heard if progress.stage == "abandoned")
        assert (told.seed, told.endpoint) == (4, omni.url)
        assert omni.ask("GET", "/v1/videos").json()["data"] == []  # forgotten over there
        behind = _waited(omni)
        print(f"a small render took {quick:.2f} s, and {behind:.2f} s behind a cancelled one")
        assert behind > 2 * quick  # and yet it went on
    assert sorted(path.name for path in tmp_path.iterdir() if path.suffix == ".mp4") == ["1.mp4", "3.mp4"]


async def test_a_killed_session_s_job_is_adopted_and_rendered_once(omni: OmniServer, tmp_path: Path) -> None:
    to = tmp_path / "clip.mp4"
    program = (
        "import asyncio, pathlib, sys\n"
        "from tests.real.omni_server import OmniServer\n"
        "from tests.real.test_omni import LONG, PROMPT\n"
        "async def main():\n"
        "    async with OmniServer(sys.argv[1], sys.argv[2], None).generator() as generator:\n"
        "        await generator.render(PROMPT, LONG, seed=9, to=pathlib.Path(sys.argv[3]))\n"
        "asyncio.run(main())\n"
    )
    before = omni.renders()
    arguments = [sys.executable, "-c", program, omni.url, omni.key, str(to)]
    session = subprocess.Popen(arguments, start_new_session=True)  # noqa: ASYNC220 - it starts in a millisecond
    try:
        async with asyncio.timeout(60):
            while not job_slip.slip_path(to).exists():
                assert session.poll() is None
                await asyncio.sleep(0.01)
    finally:
        os.killpg(session.pid, signal.SIGKILL)
        session.wait(10)
    (job,) = omni.ask("GET", "/v1/videos").json()["data"]
    async with omni.generator() as generator:
        clip = await generator.render(PROMPT, LONG, seed=9, to=to)
    assert exact(clip)
    assert (clip.rendering.job, clip.rendering.attempts) == (job["id"], 1)
    assert omni.renders() == before + 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "clip.mp4.slip"]


async def test_a_blocked_prompt_is_its_own_error_unless_the_checks_are_off(guarded: OmniServer, tmp_path: Path) -> None:
    async with guarded.generator() as generator:
        with pytest.raises(BlockedError, match="Input was blocked by Cosmos3 guardrails"):
            await generator.render("a forbidden thing", SPEC, seed=1, to=tmp_path / "clip.mp4")
        assert list(tmp_path.iterdir()) == []
        off = SPEC.model_copy(update={"guardrails": False})
        clip = await generator.render("a forbidden thing", off, seed=1, to=tmp_path / "clip.mp4")
    assert exact(clip)
    assert clip.rendering.guardrails == "off"


async def test_a_server_killed_in_mid_job_loses_it_to_another(
    guarded: OmniServer, omni: OmniServer, tmp_path: Path
) -> None:
    """The last test here: it kills the second server."""
    heard: list[Progress] = []
    async with guarded.generator(omni, tell=heard.append, limits=IMPATIENT) as generator:
        work = asyncio.create_task(generator.render(PROMPT, LONG, seed=5, to=tmp_path / "clip.mp4"))
        await until_heard(heard, "rendering", 5)
        guarded.kill()
        clip = await work
        assert exact(clip)
        assert (clip.rendering.endpoint, clip.rendering.attempts) == (omni.url, 2)
        assert clip.rendering.lost_seconds > 0
        assert heard_stage(heard, "resubmitted", 5)
        reference = await generator.render(PROMPT, LONG, seed=5, to=tmp_path / "again.mp4")
        assert reference.path.read_bytes() == clip.path.read_bytes()  # sent again with the same seed and request
    with pytest.raises(BackendError, match=rf"No rendering server answers \({guarded.url}: it cannot be reached"):
        async with guarded.generator():
            pytest.fail("connected")
