"""A checkpoint becomes a pipeline: Diffusers and torch are imported here, and only when one is loaded."""

import importlib
import threading
from collections.abc import Sequence
from typing import Any

from generator.capabilities import Family
from generator.config import DiffusersConfig
from generator.diffusers import download
from generator.diffusers.failures import INSTALL, not_loaded
from generator.diffusers.guardrails import Unchecked
from generator.diffusers.pipeline import Offload, Pipeline
from generator.diffusers.torch_pipeline import TorchPipeline
from generator.diffusers.worker import held
from generator.types import BackendError

CLASSES: dict[Family, str] = {
    "cosmos3": "Cosmos3OmniPipeline",
    "cosmos3_distilled": "Cosmos3OmniPipeline",
    "predict2.5": "Cosmos2_5_PredictBasePipeline",
    "cogvideox": "CogVideoXImageToVideoPipeline",
}

ONE_AT_A_TIME = threading.Lock()
"""Loading patches torch for the whole process, and a load that nobody waits for any more may still be at it."""


def load(config: DiffusersConfig, family: Family, device: str | None) -> Pipeline:
    """Load a checkpoint onto a device.

    Raises:
        BackendError: Diffusers, torch, the device or the checkpoint are missing; names the cure.
    """
    with held():  # torch halted in the midst of its import would abort the program
        torch, library = _libraries(family)
    place = _place(torch, device, config.offload)
    dtype = config.dtype if config.dtype != "auto" else ("float32" if place.type == "cpu" else "bfloat16")
    for talkative in (library, importlib.import_module("transformers")):
        talkative.utils.logging.disable_progress_bar()
    # the safety checks are loaded apart: when a render asks for them, not before
    unchecked: dict[str, Any] = {}
    if family in {"cosmos3", "cosmos3_distilled"}:
        unchecked = {"enable_safety_checker": False}
    elif family == "predict2.5":
        unchecked = {"safety_checker": Unchecked()}
    if not config.local_files_only:
        download.fetch(importlib.import_module("huggingface_hub"), CLASSES[family], config.model)
    try:
        with ONE_AT_A_TIME:
            base = getattr(library, CLASSES[family]).from_pretrained(
                config.model, dtype=getattr(torch, dtype), local_files_only=config.local_files_only, **unchecked
            )
    except Exception as error:
        raise not_loaded(config, error) from error
    sigmas = _distilled_sigmas(base, config, family)
    pipeline = TorchPipeline(torch, library, base, place, family, sigmas)
    try:
        pipeline.offload(config.offload)
    except Exception as error:
        pipeline.close()
        raise not_loaded(config, error) from error
    if config.compile:
        base.transformer.compile()
    return pipeline


def _libraries(family: Family) -> tuple[Any, Any]:
    try:
        torch = importlib.import_module("torch")
        library = importlib.import_module("diffusers")
        if family == "predict2.5":
            importlib.import_module("torchvision")
        for name in (CLASSES[family], "Cosmos3DistilledBlocks"):
            getattr(library, name)
    except ImportError as error:
        raise BackendError(f"The backend diffusers cannot be used: {error}. {INSTALL}") from error
    except (AttributeError, RuntimeError) as error:
        said = " ".join(str(error).split())[:300]
        raise BackendError(
            f"The backend diffusers cannot be used: Diffusers or a package beside it is too old or broken ({said}). "
            f"pip install -U 'diffusers>=0.40'. {INSTALL}"
        ) from error
    return torch, library


def _place(torch: Any, device: str | None, offload: Offload) -> Any:
    try:
        place = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError as error:
        raise BackendError(f"generator.devices: {device!r} is no device ({error}). Name such as cuda:0.") from error
    if place.type == "cuda" and (place.index or 0) >= torch.cuda.device_count():
        raise BackendError(
            f"generator.devices: {device!r} is not there; torch {torch.__version__} sees {torch.cuda.device_count()} "
            "GPUs. Name another device, or install the build of torch that fits this machine."
        )
    if place.type == "cpu" and offload != "none":
        raise BackendError(f"generator.offload: {offload} needs a GPU, and this is the CPU. Set it to none.")
    return place


def _distilled_sigmas(base: Any, config: DiffusersConfig, family: Family) -> Sequence[float] | None:
    """The fixed schedule of a distilled checkpoint.

    Raises:
        BackendError: the checkpoint is not of the family: it would render without an error on a wrong schedule.
    """
    sampler = base.scheduler.config.get("fixed_step_sampler_config") or {}
    sigmas = sampler.get("t_list")
    if family == "cosmos3_distilled":
        if not sigmas:
            raise BackendError(
                f"{config.model!r} is no distilled checkpoint: its scheduler has no fixed_step_sampler_config. "
                "Set generator.family: cosmos3."
            )
        return [float(sigma) for sigma in sigmas]
    if sigmas:
        raise BackendError(
            f"{config.model!r} is a distilled checkpoint, and renders wrongly as {family}. "
            "Set generator.family: cosmos3_distilled."
        )
    return None
