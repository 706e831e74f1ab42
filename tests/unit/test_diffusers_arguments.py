"""What the pipelines are called with, what they are not asked, and how failures are told."""

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from generator.capabilities import Family, capabilities, family
from generator.config import DiffusersConfig
from generator.diffusers import arguments, failures, source
from generator.diffusers.guardrails import Guardrail, Unchecked
from generator.diffusers.pipeline import Offload
from generator.types import BackendError, BlockedError, Control, RenderError, RenderSpec
from tests.clips import write_clip

FAMILIES: tuple[Family, ...] = ("cosmos3", "cosmos3_distilled", "predict2.5", "cogvideox")
CAPTION = json.dumps({"temporal_caption": "A café.", "fps": 10, "duration": "0:07", "aspect_ratio": "1,1"})


def spec(**more: object) -> RenderSpec:
    given: dict[str, object] = {"width": 832, "height": 480, "num_frames": 189, "fps": 24, "negative_prompt": "blurry"}
    return RenderSpec.model_validate(given | more)


def test_a_json_caption_is_stamped_with_what_is_rendered_and_gets_no_english_sentences() -> None:
    given, notes = arguments.call("cosmos3", CAPTION, spec())
    caption = json.loads(given["prompt"])
    assert caption == {
        "temporal_caption": "A café.",
        "fps": 24.0,
        "duration": "7s",  # whole seconds: 189 frames are 7.9
        "aspect_ratio": "16,9",
        "resolution": {"H": 480, "W": 832},
    }
    assert isinstance(caption["fps"], float)
    assert "caf\\u00e9" in given["prompt"], "escaped, as the training captions were"
    assert given["prompt"] == json.dumps(caption), "json.dumps with its defaults"
    assert (given["add_resolution_template"], given["add_duration_template"]) == (False, False)
    assert notes == ()


@pytest.mark.parametrize("prompt", ["A café.", '["a list"]', '{"cut": ', "7"])
def test_a_prompt_in_words_stays_and_gets_the_sentences(prompt: str) -> None:
    given, _ = arguments.call("cosmos3", prompt, spec())
    assert given["prompt"] == prompt
    assert (given["add_resolution_template"], given["add_duration_template"]) == (True, True)


@pytest.mark.parametrize(("width", "height", "aspect"), [(1104, 832, "4,3"), (192, 320, "9,16"), (96, 64, "4,3")])
def test_the_aspect_is_the_canvass(width: int, height: int, aspect: str) -> None:
    stamped = arguments.stamped("{}", spec(width=width, height=height))
    assert stamped is not None
    assert json.loads(stamped)["aspect_ratio"] == aspect


def test_every_family_is_called_with_what_its_pipeline_takes() -> None:
    shared = {"prompt", "num_frames", "height", "width", "num_inference_steps", "guidance_scale"}
    words = {"fps", "add_resolution_template", "add_duration_template"}
    calls = {name: arguments.call(name, "A cat.", spec()) for name in FAMILIES}
    assert set(calls["cosmos3"][0]) == shared | words | {"negative_prompt", "enable_sound", "enable_safety_check"}
    assert set(calls["cosmos3_distilled"][0]) == shared | words | {"output"}
    assert set(calls["predict2.5"][0]) == shared | {"negative_prompt", "num_latent_conditional_frames"}
    assert set(calls["cogvideox"][0]) == shared | {"negative_prompt"}
    assert calls["cosmos3_distilled"][1] == ("A distilled checkpoint takes no negative prompt: it was left out.",)


def test_no_negative_prompt_is_none_and_not_the_pipelines_own() -> None:
    assert arguments.call("predict2.5", "A cat.", spec(negative_prompt=""))[0]["negative_prompt"] == ""


@pytest.mark.parametrize("name", ["cosmos3", "predict2.5"])
def test_it_is_said_which_frames_of_a_source_video_count(name: Family) -> None:
    (note,) = arguments.call(name, "A cat.", spec(source_video=Path("a.mp4")))[1]
    assert note == "The clip starts with the last 5 frames of a.mp4."


def test_a_shift_turns_karras_sigmas_off_and_says_so() -> None:
    changes, (note,) = arguments.shifted({"flow_shift": 1.0, "use_karras_sigmas": True}, 10.0)
    assert changes == {"flow_shift": 10.0, "use_karras_sigmas": False}
    assert "turned off for flow_shift 10" in note
    assert arguments.shifted({"flow_shift": 1.0, "use_karras_sigmas": False}, 5.0) == ({"flow_shift": 5.0}, ())
    with pytest.raises(RenderError, match=r"flow_shift: .*DDIM has none"):
        arguments.shifted({"_class_name": "DDIM"}, 5.0)


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("cosmos3", {"width": 100}, r"width: .*multiple of 16, not 100\. Ask for 96"),
        ("cosmos3", {"height": 70}, r"height: .*multiple of 16, not 70\. Ask for 64"),
        ("cosmos3", {"num_frames": 10}, r"num_frames: .*multiple of 4 plus 1, not 10\. Ask for 9"),
        ("cogvideox", {"num_frames": 13, "first_frame": Path("a")}, r"multiple of 8 plus 1, not 13\. Ask for 17"),
        ("cogvideox", {}, r"does no text2video\. Give a first_frame"),
        ("cosmos3_distilled", {"source_video": Path("a")}, r"does no video2video\. It does text2video, image2video"),
        ("cosmos3", {"source_video": Path("a"), "first_frame": Path("b")}, "first_frame, source_video"),
        ("cosmos3", {"controls": (Control(kind="edge", path=Path("a")),)}, "controls: .*vllm_omni"),
        ("predict2.5", {"flow_shift": 5.0}, r"flow_shift: .*Leave it out"),
        ("predict2.5", {"sound": True}, r"sound: .*Set it to false"),
    ],
)
def test_what_a_family_cannot_do_is_refused_by_field_and_cure(name: Family, more: dict[str, object], said: str) -> None:
    able = capabilities(DiffusersConfig(family=name))
    with pytest.raises(RenderError, match=said):
        arguments.check(able, name, spec(**more))


def test_the_distilled_family_is_read_from_the_folder(tmp_path: Path) -> None:
    (tmp_path / "scheduler").mkdir()
    (tmp_path / "model_index.json").write_text('{"_class_name": "Cosmos3OmniPipeline"}')
    assert family(DiffusersConfig(model=str(tmp_path))) == "cosmos3"
    sampler = {"_class_name": "FlowMatchEulerDiscreteScheduler", "fixed_step_sampler_config": {"t_list": [1.0]}}
    (tmp_path / "scheduler/scheduler_config.json").write_text(json.dumps(sampler))
    assert family(DiffusersConfig(model=str(tmp_path))) == "cosmos3_distilled"


def test_a_source_video_gives_its_last_frames(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4").path
    with av.open(str(clip)) as container:
        whole = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    taken = source.load(clip, 320, 192)
    assert len(whole) > len(taken) == 5
    assert np.array_equal(taken, whole[-5:])
    with pytest.raises(RenderError, match="is 320x192, the clip 832x480"):
        source.load(clip, 832, 480)
    (tmp_path / "b.mp4").write_bytes(b"no video")
    with pytest.raises(RenderError, match=r"b\.mp4 cannot be read"):
        source.load(tmp_path / "b.mp4", 320, 192)
    short = RenderSpec.model_construct(width=320, height=192, num_frames=3, fps=24)
    with pytest.raises(RenderError, match=r"has 3 frames, 5 are needed"):
        source.load(write_clip(tmp_path / "c.mp4", short).path, 320, 192)


class GatedRepoError(OSError):
    """Named as huggingface_hub's."""


class LocalEntryNotFoundError(FileNotFoundError):
    """Named as huggingface_hub's."""


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (GatedRepoError("403"), r"licence is not accepted.*huggingface\.co/x/y and log in with `hf auth login`"),
        (LocalEntryNotFoundError("no"), r"was not found.*model_index\.json.*Nothing was downloaded"),
        (ValueError("neither a valid local path nor a valid repo id"), r"was not found"),
        (ImportError("No module named 'accelerate'"), r"a package is missing.*\[diffusers\]"),
        (RuntimeError("CUDA out of memory"), r"out of memory.*offload: model, .*a GPU with more memory"),
        (MemoryError(), r"out of main memory .*Try a smaller checkpoint, or a machine with more memory"),
        (KeyError("weight"), r"generator\.model and generator\.family belong together"),
    ],
)
def test_a_checkpoint_that_does_not_load_names_the_cure(raised: Exception, said: str) -> None:
    assert failures.not_loaded(DiffusersConfig(model="x/y"), raised).args[0].startswith("The checkpoint 'x/y'")
    with pytest.raises(BackendError, match=said):
        raise failures.not_loaded(DiffusersConfig(model="x/y"), raised)


@pytest.mark.parametrize("offload", ["none", "model"])
def test_main_memory_that_ran_out_is_not_cured_by_offload(offload: Offload) -> None:
    said = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to"
    short = failures.shortage(RuntimeError(said))
    assert short is not None
    assert short.stronger(offload) is None
    words = str(failures.out_of_memory(spec(), offload, short))
    assert words.startswith(
        f"Out of main memory while rendering 189 frames of 832x480 with offload {offload} ([enforce"
    )
    assert words.endswith("Try a smaller size, fewer frames, or a machine with more memory.")


def test_what_is_no_shortage_of_memory() -> None:
    assert failures.shortage(ValueError("out of memory")) is None
    assert failures.shortage(RuntimeError("mat1 and mat2 shapes cannot be multiplied")) is None


def test_a_refused_prompt_is_not_repeated_in_the_message() -> None:
    said = "Cosmos Guardrail detected unsafe text in the prompt: my. secret words. Please ensure that it abides."
    blocked = failures.of_render(spec(), 1, ValueError(said))
    assert type(blocked) is BlockedError
    assert "secret" not in str(blocked)


class Checker:
    """What a pipeline sees of `cosmos_guardrail.CosmosSafetyChecker`."""

    def __init__(self, *, safe_text: bool = True, video: str = "as it is") -> None:
        self.safe_text, self.video = safe_text, video

    def check_text_safety(self, _prompt: str) -> bool:
        return self.safe_text

    def check_video_safety(self, frames: Any) -> Any:
        match self.video:
            case "refused":
                return None
            case "blurred in place":
                frames[:] = 0
        return frames


FRAMES = np.full((2, 8, 8, 3), 9, np.uint8)


def test_checks_that_acted_are_known_to_have_acted() -> None:
    guardrail = Guardrail(Checker())
    guardrail.begin()
    with pytest.raises(BackendError, match="did not check the prompt"):
        guardrail.acted()
    assert guardrail.checker.check_text_safety("A cat.")
    with pytest.raises(BackendError, match="did not check the video; the clip is thrown away"):
        guardrail.acted()
    assert np.array_equal(guardrail.checker.check_video_safety(FRAMES.copy()), FRAMES)
    assert guardrail.acted() == ()
    guardrail.begin()
    with pytest.raises(BackendError):
        guardrail.acted()


def test_what_the_checks_refuse_is_blocked_and_what_they_blur_is_said() -> None:
    with pytest.raises(BlockedError, match="refused the prompt"):
        Guardrail(Checker(safe_text=False)).checker.check_text_safety("A cat.")
    with pytest.raises(BlockedError, match="refused the rendered video"):
        Guardrail(Checker(video="refused")).checker.check_video_safety(FRAMES.copy())
    blurring = Guardrail(Checker(video="blurred in place"))
    blurring.checker.check_text_safety("A cat.")
    blurring.checker.check_video_safety(FRAMES.copy())
    assert blurring.acted() == ("The guardrails changed frames of this clip: they blur faces.",)


def test_a_missing_guardrail_package_fails_closed() -> None:
    with pytest.raises(BackendError, match=r"pip install cosmos_guardrail.*request\.guardrails: false"):
        Guardrail.loaded()


def test_unchecked_refuses_nothing() -> None:
    off = Unchecked()
    assert off.to("cpu") is off
    assert off.check_text_safety("anything")
    assert off.check_video_safety(FRAMES) is FRAMES
