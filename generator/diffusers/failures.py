"""What Diffusers and torch raise, told as the backend's own errors with the cure."""

import re
from dataclasses import dataclass

from generator.config import DiffusersConfig
from generator.diffusers.pipeline import Offload
from generator.types import BackendError, BlockedError, RenderError, RenderSpec

INSTALL = "Install torch for your GPU, then pip install '.[diffusers]' in Retake's folder."
NOT_FOUND = {"RepositoryNotFoundError", "LocalEntryNotFoundError", "EntryNotFoundError", "RevisionNotFoundError"}
"""Of huggingface_hub."""


STRONGER: dict[Offload, Offload] = {"none": "model", "model": "sequential"}
MAIN_MEMORY = ("can't allocate memory", "not enough memory")
"""In what torch says of the machine's own memory."""


@dataclass(frozen=True)
class Shortage:
    """Memory that ran out. A value, and not the error, whose traceback holds the tensors."""

    said: str
    in_main: bool
    """The machine's own memory, as on a CPU: offload would only fill it further. False: a device's."""

    def stronger(self, offload: Offload) -> Offload | None:
        """The offload that could help where `offload` did not; None: none."""
        return None if self.in_main else STRONGER.get(offload)


def shortage(error: BaseException) -> Shortage | None:
    """What ran out, if this is what an error says. By name: torch need not be there."""
    said = str(error) or type(error).__name__
    lower = said.lower()
    if isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in lower for words in MAIN_MEMORY)
    ):
        return Shortage(_short(said), in_main=True)
    if any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__) or (
        isinstance(error, RuntimeError) and "out of memory" in lower
    ):
        return Shortage(_short(said), in_main=False)
    return None


def out_of_memory(spec: RenderSpec, offload: Offload, short: Shortage, failed: Exception | None = None) -> BackendError:
    """The error of a render that did not fit.

    Args:
        spec: what was rendered.
        offload: under which.
        short: what ran out.
        failed: what was raised when the stronger offload was tried.
    """
    stronger = short.stronger(offload)
    tried = cure = ""
    if stronger and failed:
        said = _short(str(failed))
        tried = f" Offload {stronger} was tried then, and could not be set up ({type(failed).__name__}: {said})."
    elif stronger:
        cure = f"generator.offload: {stronger}, "
    return BackendError(
        f"Out of {_kind(short)} while rendering {spec.num_frames} frames of {spec.width}x{spec.height} with offload "
        f"{offload} ({short.said}).{tried} Try {cure}a smaller size, fewer frames, or a {_place(short)} with more "
        "memory."
    )


def not_loaded(config: DiffusersConfig, error: BaseException) -> BackendError:
    """The error of a checkpoint that could not be loaded."""
    doing = f"The checkpoint {config.model!r} could not be loaded"
    names = {kind.__name__ for kind in type(error).__mro__}
    said = f"({type(error).__name__}: {_short(str(error))})"
    if short := shortage(error):
        stronger = short.stronger(config.offload)
        cure = f"generator.offload: {stronger}, " if stronger else ""
        return BackendError(
            f"{doing}: out of {_kind(short)} {said}. Try {cure}a smaller checkpoint, or a {_place(short)} with more "
            "memory."
        )
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


def _kind(short: Shortage) -> str:
    return "main memory" if short.in_main else "memory"


def _place(short: Shortage) -> str:
    return "machine" if short.in_main else "GPU"


def _short(said: str) -> str:
    line = " ".join(said.split())
    return line if len(line) <= 300 else f"{line[:300]} ..."
