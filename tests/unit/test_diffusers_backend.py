"""The in-process backend over scripted pipelines: order, cancel, memory, overlap, and what is told."""

import asyncio
import threading
from pathlib import Path

import av
import pytest

from generator.config import DiffusersConfig
from generator.diffusers import DIFFUSERS_VERSION, Diffusers, device
from generator.probe import probe
from generator.types import BackendError, BlockedError, Clip, Progress, RenderError, RenderSpec
from tests.scripted_pipelines import OutOfMemoryError, Script, running

PROMPT = "A red sailboat on the sea at sunset."


def spec(**more: object) -> RenderSpec:
    given = {"width": 96, "height": 64, "num_frames": 5, "fps": 24, "num_inference_steps": 4, "guidance_scale": 6.0}
    return RenderSpec.model_validate(given | more)


DISTILLED = DiffusersConfig(family="cosmos3_distilled")
FOUR_STEPS = {"guidance_scale": 1.0, "num_inference_steps": 4}


async def test_a_clip_records_what_was_done(tmp_path: Path) -> None:
    script, told = Script(), list[Progress]()
    async with running(script, told.append) as backend:
        clip = await backend.render(PROMPT, spec(guardrails=False), seed=3, to=tmp_path / "clip.mp4")
    assert clip.generator == backend.id == f"diffusers/{DIFFUSERS_VERSION}/nvidia/Cosmos3-Nano/cosmos3/auto"
    did = clip.rendering
    assert (did.model, did.version) == ("nvidia/Cosmos3-Nano", "diffusers 0.0 (scripted), torch 0.0")
    assert (did.guardrails, did.num_inference_steps, did.attempts, did.lost_seconds) == ("off", 4, 1, 0)
    assert did.render_seconds is not None
    assert did.render_seconds + did.queue_seconds <= clip.seconds
    assert script.loaded == [None]
    stages = [(event.stage, event.step, event.steps) for event in told]
    assert stages == [
        ("queued", None, None),
        ("rendering", None, None),
        ("rendering", 4, 4),
        ("delivering", None, None),
    ]


async def test_every_word_comes_in_the_loops_own_thread_and_at_most_once_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "TELL_SECONDS", 3600.0)  # a second is a while, and none of these steps takes one
    script, threads, told = Script(step_seconds=0.002), set[str](), list[Progress]()

    def tell(progress: Progress) -> None:
        threads.add(threading.current_thread().name)
        told.append(progress)

    async with running(script, tell) as backend:
        await backend.render(PROMPT, spec(num_inference_steps=60), seed=3, to=tmp_path / "clip.mp4")
    assert threads == {threading.current_thread().name}
    assert [event.step for event in told if event.step] == [60]  # 60 steps within that time: the last one only
    assert script.renders[0][2].startswith("diffusers-")


@pytest.mark.parametrize("name", ["model", "dtype", "family", "compile"])
def test_the_id_changes_with_what_decides_pixels(name: str) -> None:
    changed: dict[str, object] = {"model": "x/y", "dtype": "float32", "family": "cogvideox", "compile": True}
    ids = {Diffusers(DiffusersConfig.model_validate({name: value})).id for value in (changed[name],)}
    assert ids != {Diffusers(DiffusersConfig()).id}
    same = DiffusersConfig(devices=("cuda:1",), offload="model", offload_on_oom=True, local_files_only=True)
    assert Diffusers(same).id == Diffusers(DiffusersConfig()).id


async def test_a_cancelled_render_ends_between_two_steps_and_the_device_goes_on(tmp_path: Path) -> None:
    script, told = Script(gates={1: threading.Event()}), list[Progress]()
    async with running(script, told.append) as backend:
        work = asyncio.create_task(backend.render(PROMPT, spec(), seed=1, to=tmp_path / "a.mp4"))
        while not script.renders:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)  # what is lost is told in hundredths of a second
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert list(tmp_path.iterdir()) == []
        script.gates[1].set()
        again = await backend.render(PROMPT, spec(), seed=2, to=tmp_path / "b.mp4")
    assert script.steps == {1: 1, 2: 4}, "the cancelled render made its step and no other"
    (lost,) = [event for event in told if event.stage == "abandoned"]
    assert lost.seconds > 0
    assert "ends with the step" in lost.note
    assert again.effective.num_frames == 5


async def test_a_render_that_waits_is_cancelled_without_a_step(tmp_path: Path) -> None:
    script, told = Script(gates={1: threading.Event()}), list[Progress]()
    async with running(script, told.append) as backend:
        first = asyncio.create_task(backend.render(PROMPT, spec(), seed=1, to=tmp_path / "a.mp4"))
        while not script.renders:  # the order in which two are taken up is nobody's promise
            await asyncio.sleep(0.005)
        second = asyncio.create_task(backend.render(PROMPT, spec(), seed=2, to=tmp_path / "b.mp4"))
        while not any(event.stage == "queued" and event.seed == 2 and not event.note for event in told):
            await asyncio.sleep(0.005)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        script.gates[1].set()
        await first
    assert [seed for _, seed, _ in script.renders] == [1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "a.mp4.slip"]


async def test_a_distilled_render_cannot_be_stopped_and_the_next_waits_for_it(tmp_path: Path) -> None:
    script, told = Script(fixed_steps=4, gates={1: threading.Event()}), list[Progress]()
    async with running(script, told.append, DISTILLED) as backend:
        work = asyncio.create_task(backend.render(PROMPT, spec(**FOUR_STEPS), seed=1, to=tmp_path / "a.mp4"))
        while not script.renders:
            await asyncio.sleep(0.005)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert list(tmp_path.iterdir()) == []
        (abandoned,) = [event for event in told if event.stage == "abandoned"]
        assert "cannot be stopped" in abandoned.note
        following = asyncio.create_task(backend.render(PROMPT, spec(**FOUR_STEPS), seed=2, to=tmp_path / "b.mp4"))
        while not any(event.stage == "queued" and event.seed == 2 for event in told):
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.03)
        assert [seed for _, seed, _ in script.renders] == [1]
        script.gates[1].set()
        clip = await following
    assert script.steps == {1: 4, 2: 4}
    assert clip.rendering.queue_seconds > 0.02
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.mp4", "b.mp4.slip"]


async def test_a_render_whose_steps_are_done_is_abandoned_while_it_is_decoded(tmp_path: Path) -> None:
    script, told = Script(decoder_gates={1: threading.Event()}), list[Progress]()
    async with running(script, told.append) as backend:
        work = asyncio.create_task(backend.render(PROMPT, spec(), seed=1, to=tmp_path / "a.mp4"))
        while script.steps.get(1) != 4 or not any(event.step == 4 for event in told):
            await asyncio.sleep(0.005)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
        assert told[-1].stage == "abandoned"
        script.decoder_gates[1].set()
    assert list(tmp_path.iterdir()) == []


async def test_one_clip_is_encoded_while_the_next_renders(tmp_path: Path) -> None:
    script = Script(encoder_gates={1: threading.Event()})
    async with running(script) as backend:
        first = asyncio.create_task(backend.render(PROMPT, spec(), seed=1, to=tmp_path / "a.mp4"))
        second = asyncio.create_task(backend.render(PROMPT, spec(), seed=2, to=tmp_path / "b.mp4"))
        while script.steps.get(2) != 4:  # rendered to the end, while the encoder still holds the first
            await asyncio.sleep(0.005)
        assert not first.done()
        script.encoder_gates[1].set()
        await asyncio.gather(first, second)
    assert probe(tmp_path / "a.mp4").num_frames == probe(tmp_path / "b.mp4").num_frames == 5


async def test_no_more_than_two_clips_a_device_are_in_memory(tmp_path: Path) -> None:
    script = Script(encoder_gates={1: threading.Event()})
    async with running(script) as backend:
        renders = list[asyncio.Task[Clip]]()
        for seed in (1, 2, 3):
            while seed > 1 and script.steps.get(seed - 1) != 4:
                await asyncio.sleep(0.005)
            renders.append(asyncio.create_task(backend.render(PROMPT, spec(), seed=seed, to=tmp_path / f"{seed}.mp4")))
        await asyncio.sleep(0.03)
        assert 3 not in script.steps, "the third would be a third clip in memory"
        script.encoder_gates[1].set()
        await asyncio.gather(*renders)


async def test_cancelling_while_it_is_encoded_leaves_nothing(tmp_path: Path) -> None:
    script = Script(encoder_gates={1: threading.Event()})
    async with running(script) as backend:
        work = asyncio.create_task(backend.render(PROMPT, spec(), seed=1, to=tmp_path / "a.mp4"))
        while not script.encoder_reached.is_set():
            await asyncio.sleep(0.005)
        work.cancel()
        await asyncio.sleep(0)
        script.encoder_gates[1].set()
        with pytest.raises(asyncio.CancelledError):
            await work
    assert list(tmp_path.iterdir()) == []
    assert script.watched[0].taken == 1, "the encoder stopped at the next frame"


async def test_every_device_has_a_pipeline_and_a_thread_and_the_first_free_one_takes_the_next(tmp_path: Path) -> None:
    script = Script(gates={1: threading.Event()})
    two = DiffusersConfig(devices=("cuda:0", "cuda:1"))
    async with running(script, config=two) as backend:
        held = asyncio.create_task(backend.render(PROMPT, spec(), seed=1, to=tmp_path / "1.mp4"))
        while not script.renders:
            await asyncio.sleep(0.005)
        for seed in (2, 3, 4):  # the other device is the free one each time
            await backend.render(PROMPT, spec(), seed=seed, to=tmp_path / f"{seed}.mp4")
        script.gates[1].set()
        await held
    assert script.loaded == ["cuda:0", "cuda:1"]
    assert [(device, seed) for device, seed, _ in script.renders] == [
        ("cuda:0", 1),
        ("cuda:1", 2),
        ("cuda:1", 3),
        ("cuda:1", 4),
    ]
    assert len({thread for _, _, thread in script.renders}) == 2
    assert sorted(script.closed, key=str) == ["cuda:0", "cuda:1"]


async def test_out_of_memory_names_the_cure_and_gives_memory_back(tmp_path: Path) -> None:
    script = Script(fits_with="model")
    async with running(script) as backend:
        with pytest.raises(BackendError, match=r"5 frames of 96x64 with offload none.*generator\.offload: model"):
            await backend.render(PROMPT, spec(), seed=1, to=tmp_path / "a.mp4")
        assert (script.frees, script.offloads, len(script.renders)) == (1, [], 1)
    assert list(tmp_path.iterdir()) == []


async def test_out_of_memory_is_tried_once_more_with_offload_which_is_kept(tmp_path: Path) -> None:
    script, told = Script(fits_with="model"), list[Progress]()
    async with running(script, told.append, DiffusersConfig(offload_on_oom=True)) as backend:
        first = await backend.render(PROMPT, spec(), seed=1, to=tmp_path / "a.mp4")
        second = await backend.render(PROMPT, spec(), seed=2, to=tmp_path / "b.mp4")
    assert script.offloads == ["model"]
    assert first.rendering.attempts == 2
    assert first.notes == ("Out of memory: rendered with offload model, which is kept from now on.",)
    assert (second.rendering.attempts, second.notes) == (1, ())
    (again,) = [event for event in told if event.stage == "resubmitted"]
    assert again.seconds == first.rendering.lost_seconds


@pytest.mark.parametrize("raised", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
async def test_main_memory_that_ran_out_is_not_tried_again_with_offload(tmp_path: Path, raised: Exception) -> None:
    script = Script(failure=raised)
    async with running(script, config=DiffusersConfig(offload_on_oom=True)) as backend:
        with pytest.raises(BackendError, match="a machine with more memory"):
            await backend.render(PROMPT, spec(), seed=1, to=tmp_path / "a.mp4")
    assert (script.offloads, len(script.renders)) == ([], 1)


async def test_offload_that_fails_is_told_beside_what_it_was_tried_for(tmp_path: Path) -> None:
    script = Script(fits_with="model", offload_failure=RuntimeError("enable_model_cpu_offload requires accelerator"))
    async with running(script, config=DiffusersConfig(offload_on_oom=True)) as backend:
        said = (
            r"Out of memory .*\(CUDA out of memory.*Offload model was tried then, and .*accelerator\)\. Try a smaller"
        )
        with pytest.raises(BackendError, match=said):
            await backend.render(PROMPT, spec(), seed=1, to=tmp_path / "a.mp4")
        assert script.closed == [None], "a pipeline that is half offloaded is not used again"
        script.fits_with = "none"
        await backend.render(PROMPT, spec(), seed=1, to=tmp_path / "a.mp4")
    assert script.loaded == [None, None]


async def test_what_fits_under_no_offload_is_an_error_after_one_more_try(tmp_path: Path) -> None:
    script = Script(fits_with="sequential")
    async with running(script, config=DiffusersConfig(offload_on_oom=True)) as backend:
        with pytest.raises(BackendError, match=r"offload model.*sequential"):
            await backend.render(PROMPT, spec(), seed=1, to=tmp_path / "a.mp4")
        assert len(script.renders) == 2
        clip = await backend.render(PROMPT, spec(), seed=1, to=tmp_path / "a.mp4")
    assert script.offloads == ["model", "sequential"]
    assert clip.effective.num_frames == 5


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"num_inference_steps": 35, "guidance_scale": 1.0},
            r"num_inference_steps: .*distilled to 4 steps.*Set it to 4",
        ),
        ({"num_inference_steps": 4, "guidance_scale": 6.0}, r"guidance_scale: .*Set it to 1"),
    ],
)
async def test_a_distilled_checkpoint_refuses_other_settings(
    tmp_path: Path, more: dict[str, object], said: str
) -> None:
    script = Script(fixed_steps=4)
    async with running(script, config=DISTILLED) as backend:
        with pytest.raises(RenderError, match=said):
            await backend.render(PROMPT, spec(**more), seed=1, to=tmp_path / "a.mp4")
    assert script.renders == []


async def test_a_checkpoint_without_sound_refuses_it(tmp_path: Path) -> None:
    async with running(Script()) as backend:
        with pytest.raises(RenderError, match=r"sound: .* no sound modules"):
            await backend.render(PROMPT, spec(sound=True), seed=1, to=tmp_path / "a.mp4")


async def test_sound_lies_beside_the_pictures_as_long_as_they_are(tmp_path: Path) -> None:
    async with running(Script(makes_sound=True)) as backend:
        clip = await backend.render(PROMPT, spec(sound=True), seed=1, to=tmp_path / "a.mp4")
    assert (clip.effective.num_frames, clip.effective.audio) == (5, "aac")
    with av.open(str(clip.path)) as container:  # the pipeline gave a whole second
        heard = sum(frame.samples for frame in container.decode(audio=0)) / 48_000
    assert heard == pytest.approx(5 / 24, abs=0.05)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mp4", "a.mp4.slip"]


async def test_a_pipeline_that_gives_other_frames_is_found_out(tmp_path: Path) -> None:
    async with running(Script(frames_short=1)) as backend:
        with pytest.raises(RenderError, match="5 frames were requested, found 4") as caught:
            await backend.render(PROMPT, spec(), seed=1, to=tmp_path / "a.mp4")
        assert caught.value.rendering is not None
        assert caught.value.rendering.render_seconds is not None
        assert list(tmp_path.iterdir()) == []


async def test_a_pipeline_that_gives_no_frame_is_found_out(tmp_path: Path) -> None:
    async with running(Script(frames_short=5)) as backend:
        with pytest.raises(RenderError, match="gave no frames"):
            await backend.render(PROMPT, spec(), seed=1, to=tmp_path / "a.mp4")


@pytest.mark.parametrize(
    ("raised", "kind", "said"),
    [
        (BlockedError("refused"), BlockedError, "refused"),
        (ValueError("Cosmos Guardrail detected unsafe text in the prompt: x. Please"), BlockedError, "unsafe text"),
        (RuntimeError("CUDA error: an illegal memory access"), BackendError, "Start the program again"),
        (ValueError("height must be"), RenderError, r"seed 1 \(ValueError: height must be"),
        (OSError(2, "No such file"), RenderError, "No such file"),
        (OutOfMemoryError("CUDA out of memory"), BackendError, "Out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), BackendError, "Out of main memory"),
    ],
)
async def test_what_a_pipeline_raises_is_told_as_ours(
    tmp_path: Path, raised: Exception, kind: type[Exception], said: str
) -> None:
    async with running(Script(failure=raised)) as backend:
        with pytest.raises(kind, match=said) as caught:
            await backend.render(PROMPT, spec(), seed=1, to=tmp_path / "a.mp4")
        assert type(caught.value) is kind
        assert list(tmp_path.iterdir()) == []


async def test_a_missing_folder_is_found_before_anything_is_loaded(tmp_path: Path) -> None:
    script = Script()
    async with running(script) as backend:
        with pytest.raises(FileNotFoundError):
            await backend.render(PROMPT, spec(), seed=1, to=tmp_path / "nowhere" / "a.mp4")
    assert script.loaded == []


async def test_a_checkpoint_that_does_not_load_is_a_backend_error_and_is_tried_again(tmp_path: Path) -> None:
    script, broken = Script(), [OSError("half a file")]

    def load(config: DiffusersConfig, family: object, device: str | None) -> object:
        if broken:
            raise broken.pop()
        return script.load(config, "cosmos3", device)

    backend = Diffusers(DiffusersConfig(model="x/y"), load_pipeline=load)  # type: ignore[arg-type]  # a double of object
    with pytest.raises(BackendError, match=r"'x/y' could not be loaded \(OSError: half a file\)"):
        await backend.load()
    clip = await backend.render(PROMPT, spec(), seed=1, to=tmp_path / "a.mp4")
    await backend.close()
    assert clip.effective.num_frames == 5


async def test_guardrails_can_be_loaded_beforehand_on_every_device() -> None:
    script = Script()
    async with running(script, config=DiffusersConfig(devices=("cuda:0", "cuda:1"))) as backend:
        await backend.load()
        assert script.guarded == []
        await backend.load(guardrails=True)
        assert script.guarded == script.loaded == ["cuda:0", "cuda:1"]


async def test_closing_waits_for_the_device_and_turns_the_waiting_away(tmp_path: Path) -> None:
    script, told = Script(gates={1: threading.Event()}), list[Progress]()
    async with running(script, told.append) as backend:
        first = asyncio.create_task(backend.render(PROMPT, spec(), seed=1, to=tmp_path / "a.mp4"))
        while not script.renders:
            await asyncio.sleep(0.005)
        second = asyncio.create_task(backend.render(PROMPT, spec(), seed=2, to=tmp_path / "b.mp4"))
        while not any(event.stage == "queued" and event.seed == 2 for event in told):
            await asyncio.sleep(0.005)
        closing = asyncio.create_task(backend.close())
        await asyncio.sleep(0.01)
        assert not closing.done()
        script.gates[1].set()
        assert (await first).effective.num_frames == 5
        with pytest.raises(BackendError, match="is closed"):
            await second
        await closing
        with pytest.raises(BackendError, match="is closed"):
            await backend.render(PROMPT, spec(), seed=3, to=tmp_path / "c.mp4")
    assert script.closed == [None]
