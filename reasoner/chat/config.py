"""Where a chat server is, and how it is asked."""

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A section of the config file."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ValueError("must look like http://127.0.0.1:8000")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("must hold no user, password or query: name the key's variable in api_key_env")
    return url.rstrip("/")


Address = Annotated[str, AfterValidator(_address)]
"""The base of a server's URL, without secrets."""


class ServeConfig(Section):
    """A `vllm serve` that Retake starts on this machine, waits for, and stops when it is done."""

    model: str = "nvidia/Cosmos3-Nano"
    """Checkpoint: a Hugging Face id or a folder."""
    port: int = Field(default=8000, ge=1, le=65535)
    """Where it listens, on the loopback address only. A server that already answers there with this model is used."""
    gpus: tuple[int, ...] | None = Field(default=None, strict=False)
    """GPU numbers it may see (CUDA_VISIBLE_DEVICES). null: all."""
    tensor_parallel_size: int = Field(default=1, ge=1)
    """GPUs that the model is spread over."""
    gpu_memory_utilization: float | None = Field(default=0.9, gt=0, le=1)
    """Share of each GPU's memory that it may take. null: not passed on (a CPU server)."""
    max_model_len: int | None = Field(default=16_384, ge=1024)
    """Context in tokens. null: the model's own."""
    served_model_name: str | None = None
    """Name to ask for it by. null: the checkpoint's."""
    extra_args: tuple[str, ...] = Field(default=(), strict=False)
    """Further arguments of `vllm serve`, one word an item."""
    executable: str = "vllm"
    """The `vllm` command, where it is not on the PATH."""
    ready_seconds: float = Field(default=1800, gt=0)
    """How long it may take to load before it is given up. A first start compiles kernels and downloads weights."""


class EndpointConfig(Section):
    """An OpenAI-compatible chat server."""

    base_url: Address | None = None
    """http(s)://host:port, with or without /v1. null: the variable COSMOS_PROMPT_UPSAMPLER_BASE_URL, else the server
    that `serve` starts, else http://127.0.0.1:8000. critic.endpoint does not read that variable."""
    model: str | None = None
    """Name of the model. null: the only or first one that the server lists."""
    api_key_env: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,99}$")
    """Name of the environment variable that holds the key. Never the key itself."""
    timeout_seconds: float = Field(default=300, gt=0)
    """For one question, its repeats included."""
    concurrency: int = Field(default=16, ge=1, le=256)
    """Questions in flight at once."""
    serve: ServeConfig | None = None
    """Start the server here. null: it runs already."""


VideoForm = Literal["timed_frames", "mp4", "frames", "images"]
"""How a server is sent a clip, best first. timed_frames: JPEG frames as one video part, with their times honoured; mp4:
the frames as an mp4 at their own rate, all of them used; frames: JPEG frames as one video part that the server takes
for one a second; images: stills with their times between them."""
