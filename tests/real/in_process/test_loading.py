"""Checkpoints and devices that do not fit: an error that names the cure, before a step is made."""

from pathlib import Path

import pytest

from generator.config import DiffusersConfig
from generator.diffusers import Diffusers
from generator.types import BackendError


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"model": "{}/cosmos3_distilled", "family": "cosmos3"},
            r"is a distilled .*family: cosmos3_distilled",
        ),
        ({"model": "{}/cosmos3", "family": "cosmos3_distilled"}, r"is no distilled checkpoint.*family: cosmos3\."),
        ({"model": "{}/cogvideox", "family": "cosmos3"}, r"model and generator\.family belong together"),
        ({"model": "{}/nowhere"}, r"was not found.*model_index\.json"),
        ({"model": "nvidia/Cosmos3-Nowhere"}, r"was not found.*Nothing was downloaded"),
        ({"model": "{}/cosmos3", "offload": "model"}, r"offload: model needs a GPU"),
        ({"model": "{}/cosmos3", "devices": ("cuda:7",)}, r"devices: 'cuda:7' is not there; torch .* sees 0 GPUs"),
        ({"model": "{}/cosmos3", "devices": ("gpu",)}, r"devices: 'gpu' is no device"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_cannot_be_loaded_names_the_cure(settings: dict[str, object], said: str, models: Path) -> None:
    model = str(settings["model"]).format(models)
    backend = Diffusers(DiffusersConfig.model_validate({**settings, "model": model, "local_files_only": True}))
    with pytest.raises(BackendError, match=said):
        await backend.load()
    await backend.close()
