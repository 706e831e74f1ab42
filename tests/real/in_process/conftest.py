"""Tests that render in this process: for the Python of the servers' environment, which has torch and Diffusers.

python=$(.venv/bin/python -c "from tests.real.provision import provide; print(provide().python)")
$python -m pytest tests/real/in_process -n 0
"""

import importlib.util
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from PIL import Image

from generator.config import DiffusersConfig
from generator.diffusers import Diffusers
from generator.types import Progress, RenderSpec
from tests.real.provision import QUIET, Provided

Open = Callable[..., AbstractAsyncContextManager[Diffusers]]

if importlib.util.find_spec("torch") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    os.environ.update(QUIET)
    # threads that wait for one another cost tiny models more than they give
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.path.insert(0, str(Path(__file__).parent / "packages"))  # before Diffusers looks for the guardrail package

THIRD = "torch|diffusers|transformers|huggingface_hub|accelerate|torchvision|numpy|importlib|<frozen"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What torch and Diffusers warn of among themselves is not ours to mend."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(f"ignore:::({THIRD})"))


@pytest.fixture
def models(provided: Provided) -> Path:
    return provided.models


@pytest.fixture
def opened(models: Path) -> Open:
    """`opened("cosmos3", told.append, dtype="bfloat16")`: a backend over a tiny checkpoint, closed at the end."""

    @asynccontextmanager
    async def make(
        model: str, tell: Callable[[Progress], None] = lambda _: None, **settings: object
    ) -> AsyncIterator[Diffusers]:
        given = {"model": str(models / model), "local_files_only": True, **settings}
        backend = Diffusers(DiffusersConfig.model_validate(given), tell)
        try:
            yield backend
        finally:
            await backend.close()

    return make


SIZES = {"cosmos25": (48, 32), "cogvideox": (64, 64)}


def spec(model: str, **more: object) -> RenderSpec:
    """Nine small frames, as few steps as there can be."""
    width, height = SIZES.get(model, (96, 64))
    distilled = {"num_inference_steps": 4, "guidance_scale": 1.0} if model == "cosmos3_distilled" else {}
    given = {"width": width, "height": height, "num_frames": 9, "fps": 24, "guardrails": False}
    return RenderSpec.model_validate({**given, "num_inference_steps": 3, **distilled, **more})


@pytest.fixture
def image(tmp_path: Path) -> Callable[[str], Path]:
    """A first frame for a model."""

    def make(model: str) -> Path:
        path = tmp_path / f"{model}.png"
        Image.effect_mandelbrot(SIZES.get(model, (96, 64)), (-2, -1, 1, 1), 80).convert("RGB").save(path)
        return path

    return make
