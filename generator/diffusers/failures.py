"""What Diffusers and torch raise, told as the backend's own errors with the cure."""

import re

from generator.config import DiffusersConfig
from generator.types import BackendError, BlockedError, RenderError, RenderSpec

INSTALL = "Install the extra and torch for your GPU: pip install 'cosmos-retake[diffusers]' torch."
NOT_FOUND = {"RepositoryNotFoundError", "LocalEntryNotFoundError", "EntryNotFoundError", "RevisionNotFoundError"}
"""Of huggingface_hub."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a device's or the machine's memory was too small. By name: torch need not be there."""
    if isinstance(error, MemoryError) or any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__):
        return True
    said = str(error).lower()
    return isinstance(error, RuntimeError) and ("out of memory" in said or "can't allocate memory" in said)


def out_of_memory(spec: RenderSpec, offload: str, said: str) -> BackendError:
    """The error of a render that did not fit."""
    stronger = {"none": "generator.offload: model, ", "model": "generator.offload: sequential, "}.get(offload, "")
    return BackendError(
        f"Out of memory while rendering {spec.num_frames} frames of {spec.width}x{spec.height} with offload {offload} "
        f"({_short(said)}). Try {stronger}a smaller size, fewer frames, or a GPU with more memory."
    )


def not_loaded(config: DiffusersConfig, error: BaseException) -> BackendError:
    """The error of a checkpoint that could not be loaded."""
    doing = f"The checkpoint {config.model!r} could not be loaded"
    names = {kind.__name__ for kind in type(error).__mro__}
    said = f"({type(error).__name__}: {_short(str(error))})"
    if is_out_of_memory(error):
        return BackendError(f"{doing}: out of memory {said}. Try generator.offload: model, or sequential.")
    if "GatedRepoError" in names:
        cure = f"Accept its licence at huggingface.co/{config.model} and log in with `hf auth login` or set HF_TOKEN."
        return BackendError(f"{doing}: its licence is not accepted, or no Hugging Face login was found {said}. {cure}")
    if names & NOT_FOUND or "valid repo id" in str(error):
        cure = "Set generator.model to a folder with a model_index.json or to a Hugging Face id (private: HF_TOKEN)."
        if config.local_files_only or "LocalEntryNotFoundError" in names:
            cure += " Nothing was downloaded: local_files_only or HF_HUB_OFFLINE is on, or the Hub was not reached."
        return BackendError(f"{doing}: it was not found {said}. {cure}")
    if isinstance(error, ImportError):
        return BackendError(f"{doing}: a package is missing {said}. {INSTALL}")
    cure = "Check that generator.model and generator.family belong together, and that the folder is complete."
    return BackendError(f"{doing} {said}. {cure}")


def of_render(spec: RenderSpec, seed: int, error: Exception) -> Exception:
    """The error of a render that Diffusers gave up."""
    if isinstance(error, RenderError | BackendError):
        return error
    said = str(error)
    if isinstance(error, ValueError) and "Cosmos Guardrail detected unsafe" in said:
        return BlockedError(_short(re.sub(r"(in the prompt):.*?\. Please", r"\1. Please", said, flags=re.DOTALL)))
    if isinstance(error, RuntimeError) and re.search(r"\b(CUDA|cuDNN|NCCL|HIP) error|CUBLAS_STATUS", said):
        return BackendError(f"The GPU failed while rendering ({_short(said)}). Start the program again.")
    return RenderError(
        f"The pipeline could not render {spec.num_frames} frames of {spec.width}x{spec.height} with seed {seed} "
        f"({type(error).__name__}: {_short(said)}). Try another size; if that fails too, report this message."
    )


def _short(said: str) -> str:
    line = " ".join(said.split())
    return line if len(line) <= 300 else f"{line[:300]} ..."
