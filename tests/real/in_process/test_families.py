"""Every family of pipelines, real code with tiny random weights: exact files, steps, and the same again for a seed."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from generator.capabilities import Family
from generator.config import DiffusersConfig
from generator.diffusers import loading
from generator.probe import probe
from generator.types import Progress, RenderError, RenderSpec
from tests.clips import write_clip
from tests.real.in_process.conftest import SIZES, Open, spec

PROMPT = "A red sailboat on the sea at sunset."
MODES = [
    ("cosmos3", "text"), ("cosmos3", "image"), ("cosmos3", "video"),
    ("cosmos3_distilled", "text"), ("cosmos3_distilled", "image"),
    ("cosmos25", "text"), ("cosmos25", "image"), ("cosmos25", "video"),
    ("cogvideox", "image"),
]  # fmt: skip


def _from(mode: str, model: str, image: Callable[[str], Path], folder: Path) -> dict[str, object]:
    match mode:
        case "image":
            return {"first_frame": image(model)}
        case "video":
            width, height = SIZES.get(model, (96, 64))
            shape = RenderSpec(width=width, height=height, num_frames=9, fps=24)
            return {"source_video": write_clip(folder / "source.mp4", shape).path}
    return {}


@pytest.mark.parametrize(("model", "mode"), MODES, ids=str)
async def test_a_family_renders_exactly_what_was_asked_and_the_same_again(
    model: str, mode: str, opened: Open, image: Callable[[str], Path], tmp_path: Path
) -> None:
    asked = spec(model, **_from(mode, model, image, tmp_path))
    told: list[Progress] = []
    clips = [tmp_path / f"{name}.mp4" for name in "abc"]
    async with opened(model, told.append) as backend:
        clip = await backend.render(PROMPT, asked, seed=1, to=clips[0])
        await backend.render(PROMPT, asked, seed=2, to=clips[1])
    async with opened(model) as backend:  # loaded anew
        await backend.render(PROMPT, asked, seed=1, to=clips[2])
    found = probe(clips[0])
    assert (found.width, found.height, found.num_frames, found.fps) == (asked.width, asked.height, 9, 24)
    assert clips[0].read_bytes() == clips[2].read_bytes(), "the same seed gives the same bytes"
    assert clips[0].read_bytes() != clips[1].read_bytes(), "another seed gives another clip"
    assert clip.rendering.num_inference_steps == asked.num_inference_steps
    assert clip.rendering.version.startswith("diffusers 0.")
    assert clip.rendering.guardrails == ("none" if model == "cogvideox" else "off")
    steps = [(event.step, event.steps) for event in told if event.seed == 1 and event.step]
    if model == "cosmos3_distilled":
        assert steps == []
    else:  # the last one always, the others where they take a second
        assert steps[-1] == (3, 3)
        assert steps == sorted(set(steps))


@pytest.mark.parametrize("model", ["cosmos3", "cosmos25", "cogvideox"])
async def test_frames_are_byte_for_byte_those_of_the_bare_pipeline(
    model: str, models: Path, image: Callable[[str], Path]
) -> None:
    torch = pytest.importorskip("torch")
    first = image(model)
    asked = spec(model, **({"first_frame": first} if model == "cogvideox" else {}))
    config = DiffusersConfig(model=str(models / model), local_files_only=True)
    family = {"cosmos3": "cosmos3", "cosmos25": "predict2.5", "cogvideox": "cogvideox"}[model]
    pipeline: Any = loading.load(config, family, None)  # type: ignore[arg-type]  # one of the three
    ours = pipeline.render(PROMPT, asked, 1, lambda _done, _total: None).frames
    given: dict[str, Any] = {"image": Image.open(first)} if model == "cogvideox" else {}
    if model == "cosmos3":
        given |= {"fps": 24.0, "enable_safety_check": False}
    bare = pipeline._base(
        prompt=PROMPT, negative_prompt="", width=asked.width, height=asked.height, num_frames=9, num_inference_steps=3,
        guidance_scale=6.0, generator=torch.Generator().manual_seed(1), **given,
    )  # fmt: skip
    theirs = bare.video if model == "cosmos3" else bare.frames[0]
    assert len(ours) == len(theirs) == 9
    assert all(np.array_equal(a, np.asarray(b)) for a, b in zip(ours, theirs, strict=True))
    pipeline.close()


@pytest.mark.parametrize("model", ["cosmos3", "cosmos25"])
def test_a_clip_goes_on_from_the_end_of_a_video(model: str, models: Path, tmp_path: Path) -> None:
    """What the bare pipeline gives where it is told to take the end of the whole video, and not of its start."""
    torch = pytest.importorskip("torch")
    width, height = SIZES.get(model, (96, 64))
    shape = RenderSpec(width=width, height=height, num_frames=21, fps=24)
    video = write_clip(tmp_path / "source.mp4", shape).path
    with av.open(str(video)) as container:
        pictures = [Image.fromarray(frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    family: Family = "cosmos3" if model == "cosmos3" else "predict2.5"
    pipeline: Any = loading.load(DiffusersConfig(model=str(models / model), local_files_only=True), family, None)
    ours = pipeline.render(PROMPT, spec(model, source_video=video), 1, lambda _done, _total: None).frames

    def bare(source: list[Any], **more: object) -> list[Any]:
        made = pipeline._base(
            prompt=PROMPT, negative_prompt="", width=width, height=height, num_frames=9, num_inference_steps=3,
            guidance_scale=6.0, generator=torch.Generator().manual_seed(1), video=source, **more,
        )  # fmt: skip
        return [np.asarray(frame) for frame in (made.video if model == "cosmos3" else made.frames[0])]

    assert len(pictures) == 21
    if model == "cosmos3":
        end = bare(pictures, condition_video_keep="last", fps=24.0, enable_safety_check=False)
        start = bare(pictures, condition_video_keep="first", fps=24.0, enable_safety_check=False)
    else:
        end, start = bare(pictures), bare(pictures[:5])
    assert np.array_equal(ours, end)
    assert not np.array_equal(ours, start)
    pipeline.close()


async def test_a_caption_is_rendered_with_the_figures_of_the_render(opened: Open, tmp_path: Path) -> None:
    asked = spec("cosmos3")
    right: dict[str, object] = {"temporal_caption": "A cat.", "resolution": {"H": 64, "W": 96}, "aspect_ratio": "4,3"}
    right |= {"duration": "0s", "fps": 24.0}
    wrong = right | {"fps": 10, "duration": "0:07", "aspect_ratio": "1,1"}
    async with opened("cosmos3") as backend:
        for name, caption in (("right", right), ("wrong", wrong)):
            await backend.render(json.dumps(caption), asked, seed=1, to=tmp_path / f"{name}.mp4")
    assert (tmp_path / "right.mp4").read_bytes() == (tmp_path / "wrong.mp4").read_bytes()


async def test_a_shift_acts_is_noted_and_does_not_stay(opened: Open, tmp_path: Path) -> None:
    renders = {"plain": None, "shifted": 10.0, "other": 3.0, "again": None}
    clips = {}
    async with opened("cosmos3") as backend:
        for name, shift in renders.items():
            asked = spec("cosmos3", flow_shift=shift)
            clips[name] = await backend.render(PROMPT, asked, seed=1, to=tmp_path / f"{name}.mp4")
    pixels = {name: clip.path.read_bytes() for name, clip in clips.items()}
    assert pixels["plain"] == pixels["again"]
    assert len({pixels["plain"], pixels["shifted"], pixels["other"]}) == 3
    assert "Karras sigmas" in clips["shifted"].notes[0]
    assert clips["again"].notes == ()


async def test_sound_lies_beside_the_pictures(opened: Open, tmp_path: Path) -> None:
    async with opened("cosmos3_sound") as backend:
        clip = await backend.render(PROMPT, spec("cosmos3_sound", sound=True), seed=1, to=tmp_path / "a.mp4")
        silent = await backend.render(PROMPT, spec("cosmos3_sound"), seed=1, to=tmp_path / "b.mp4")
    assert (clip.effective.audio, clip.effective.num_frames) == ("aac", 9)
    assert silent.effective.audio == ""
    async with opened("cosmos3") as backend:
        with pytest.raises(RenderError, match=r"sound: .*no sound modules"):
            await backend.render(PROMPT, spec("cosmos3", sound=True), seed=1, to=tmp_path / "c.mp4")


async def test_cogvideox_gives_the_frames_of_its_pairs(
    opened: Open, image: Callable[[str], Path], tmp_path: Path
) -> None:
    async with opened("cogvideox") as backend:
        asked = spec("cogvideox", num_frames=17, first_frame=image("cogvideox"))
        clip = await backend.render(PROMPT + " It sails." * 60, asked, seed=1, to=tmp_path / "a.mp4")
        assert clip.effective.num_frames == 17
        assert "the model reads the first 226" in clip.notes[0]
        with pytest.raises(RenderError, match=r"num_frames: .*13"):  # which would give 16
            await backend.render(PROMPT, asked.model_copy(update={"num_frames": 13}), seed=1, to=tmp_path / "b.mp4")


async def test_renders_side_by_side_are_those_of_renders_one_by_one(opened: Open, tmp_path: Path) -> None:
    async with opened("cosmos3") as backend:
        asked = spec("cosmos3")
        for seed in (1, 2, 3):
            await backend.render(PROMPT, asked, seed=seed, to=tmp_path / f"one-{seed}.mp4")
        await asyncio.gather(
            *(backend.render(PROMPT, asked, seed=seed, to=tmp_path / f"side-{seed}.mp4") for seed in (1, 2, 3))
        )
    for seed in (1, 2, 3):
        assert (tmp_path / f"one-{seed}.mp4").read_bytes() == (tmp_path / f"side-{seed}.mp4").read_bytes()


@pytest.mark.parametrize("model", ["cosmos3", "cosmos3_distilled"])
def test_offload_of_whole_models_changes_no_pixel(model: str, models: Path) -> None:
    """On the CPU it saves nothing, but the models do come and go."""
    config = DiffusersConfig(model=str(models / model), local_files_only=True)
    pipeline = loading.load(config, model, None)  # type: ignore[arg-type]  # named as their families
    films = [pipeline.render(PROMPT, spec(model), 1, lambda _done, _total: None)]
    pipeline.offload("model")
    films += [pipeline.render(PROMPT, spec(model), 1, lambda _done, _total: None) for _ in range(2)]
    pipeline.close()
    first, *others = (np.stack(film.frames) for film in films)
    assert all(np.array_equal(first, other) for other in others)


@pytest.mark.parametrize("settings", [{"dtype": "bfloat16"}, {"compile": True}], ids=str)
async def test_other_settings_render_too(settings: dict[str, object], opened: Open, tmp_path: Path) -> None:
    async with opened("cosmos3", **settings) as backend:
        clip = await backend.render(PROMPT, spec("cosmos3"), seed=1, to=tmp_path / "a.mp4")
    assert clip.effective.num_frames == 9
