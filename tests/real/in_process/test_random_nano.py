"""The pipeline of `benchmarks.diffusers --random-nano`: of Nano's size, and one that renders."""

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import random_nano
from generator.config import DiffusersConfig
from generator.diffusers import Diffusers
from generator.diffusers.torch_pipeline import TorchPipeline
from tests.real.in_process.conftest import spec


def libraries() -> tuple[Any, Any]:
    return pytest.importorskip("torch"), importlib.import_module("diffusers")


def test_it_has_the_sixteen_billion_weights_of_nano() -> None:
    torch, library = libraries()
    pipeline = random_nano.build(torch, library, torch.device("meta"))
    weights = {
        name: sum(weight.numel() for weight in getattr(pipeline, name).parameters()) / 1e9
        for name in ("transformer", "vae")
    }
    assert round(sum(weights.values())) == 16, weights
    assert {weight.dtype for weight in pipeline.vae.parameters()} == {torch.bfloat16}
    assert {weight.dtype for weight in pipeline.transformer.layers.parameters()} == {torch.bfloat16}
    assert torch.get_default_dtype() == torch.float32


async def test_it_renders_when_it_is_small(tmp_path: Path) -> None:
    """As it is built for a GPU, in bfloat16 and of the same parts, but narrow."""
    torch, library = libraries()
    transformer: dict[str, object] = {
        "head_dim": 16,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_attention_heads": 2,
    }
    transformer |= {"num_hidden_layers": 2, "num_key_value_heads": 1, "vocab_size": 512}
    transformer |= {"rope_scaling": {**random_nano.TRANSFORMER["rope_scaling"], "mrope_section": [4, 2, 2]}}
    place = torch.device("cpu")
    narrow = {**random_nano.TRANSFORMER, **transformer}
    base = random_nano.build(
        torch, library, place, narrow, {**random_nano.VAE, "base_dim": 4, "decoder_base_dim": 4, "num_res_blocks": 1}
    )
    pipeline = TorchPipeline(torch, library, base, place, "cosmos3", None)
    film = pipeline.render("A cat.", spec("cosmos3"), 1, lambda _done, _total: None)
    assert np.asarray(film.frames[0]).std() > 0
    backend = Diffusers(DiffusersConfig(model="random", family="cosmos3"), load_pipeline=lambda *_: pipeline)
    clip = await backend.render("A cat.", spec("cosmos3"), seed=1, to=tmp_path / "a.mp4")
    await backend.close()
    assert (clip.effective.num_frames, clip.rendering.model) == (9, "random")
