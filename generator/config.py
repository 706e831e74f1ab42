"""Which generator renders, and its settings."""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

ENV_NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,99}$"


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
    return url.rstrip("/").removesuffix("/v1")


Address = Annotated[str, AfterValidator(_address)]
"""The root of a server's URL, without secrets."""


class AnimaticConfig(Section):
    """The embedded previsualisation renderer. No GPU, no weights."""

    backend: Literal["animatic"] = "animatic"
    concurrency: int = Field(default=2, ge=1, le=64)
    """Clips rendered at the same time. More than the machine's cores only waits."""


class ServeOmniConfig(Section):
    """A `vllm serve --omni` that Retake starts on this machine, waits for, and stops when it is done."""

    model: str = "nvidia/Cosmos3-Nano"
    """Checkpoint: a Hugging Face id or a folder."""
    port: int = Field(default=8091, ge=1, le=65535)
    """Where it listens, on the loopback address only. A server that already answers there with this model is used."""
    gpus: tuple[int, ...] | None = Field(default=None, strict=False)
    """GPU numbers it may see (CUDA_VISIBLE_DEVICES). null: all."""
    tensor_parallel_size: int = Field(default=1, ge=1)
    """GPUs that each layer is spread over."""
    cfg_parallel_size: int = Field(default=1, ge=1, le=2)
    """2: the two halves of classifier-free guidance run on two GPUs."""
    ulysses_degree: int = Field(default=1, ge=1)
    """GPUs that the sequence is spread over. GPUs needed: the product of the three."""
    layerwise_offload: bool = False
    """Keep the layers in main memory and bring them in one by one: slower, needs far less GPU memory."""
    served_model_name: str | None = None
    """Name to ask for it by. null: the checkpoint's."""
    extra_args: tuple[str, ...] = Field(default=(), strict=False)
    """Further arguments of `vllm serve`, one word an item."""
    executable: str = "vllm"
    """The `vllm` command (of an environment with vllm-omni), where it is not on the PATH."""
    ready_seconds: float = Field(default=1800, gt=0)
    """How long it may take to load before it is given up."""
    time_share: bool = False
    """The reasoner's and this server do not fit on the GPU together: only one runs at a time, and each waits for the
    other to be stopped. Every change of turn loads a model."""


class ServersConfig(Section):
    """Rendering servers: where they are and how they are asked."""

    endpoints: tuple[Address, ...] = Field(default=(), strict=False)
    """http(s)://host:port of each, with or without /v1. Renders go to the least loaded; one that fails is set aside and
    asked again later. []: the server that `serve` starts, else http://127.0.0.1:8091 (nim: http://127.0.0.1:8000)."""
    api_key_env: str | None = Field(default=None, pattern=ENV_NAME)
    """Name of the environment variable that holds the key. Never the key itself."""
    in_flight: int = Field(default=1, ge=1, le=64)
    """Renders handed to one endpoint at once. These servers render one after the other: more only waits over there."""
    stall_seconds: float = Field(default=3600, gt=0)
    """A render that an endpoint has not ended after this is given up. Once the endpoint has rendered a few clips, its
    own times set a shorter limit."""
    resubmit: int = Field(default=1, ge=0, le=5)
    """How often a render that was lost (server restarted, stalled, died) is sent again."""

    @model_validator(mode="after")
    def _once_each(self) -> Self:
        if len(set(self.endpoints)) != len(self.endpoints):
            raise ValueError("endpoints: the same address stands there twice")
        return self


class Lora(Section):
    """A low-rank adapter that the server loads."""

    name: str
    """What it is called."""
    path: str
    """Folder or Hugging Face id, as the server sees it."""
    scale: float = Field(default=1.0, ge=0, le=10)
    """How strongly it acts."""


class OmniParams(Section):
    """`extra_params` of vLLM-Omni that Cosmos3 reads, beside those that a request sets."""

    max_sequence_length: int | None = Field(default=None, ge=1, le=65_536)
    """Tokens of the prompt; longer ones are cut. null: the server's, 4096."""
    use_system_prompt: bool | None = None
    """null: the server's: off, but on for video-to-video."""
    use_resolution_template: bool | None = None
    """Append the size to a prompt in words. null: the server's, off."""
    use_duration_template: bool | None = None
    """Append the duration to a prompt in words. null: the server's, off."""
    negative_metadata_mode: Literal["none", "same", "inverse"] | None = None
    """What the templates add to the negative prompt. null: the server's, inverse."""
    guidance_interval: tuple[float, float] | None = Field(default=None, strict=False)
    """Noise levels (0-1000) between which guidance acts. null: everywhere."""
    condition_video_keep: Literal["first", "last"] | None = None
    """Which end of a source video the clip goes on from. null: last."""
    control_guidance: float | None = Field(default=None, ge=0, le=20)
    """Guidance by the controls of a transfer. null: the server's."""


class VLLMOmniConfig(ServersConfig):
    """Cosmos3 on vLLM-Omni."""

    backend: Literal["vllm_omni"] = "vllm_omni"
    model: str | None = None
    """Name of the model. null: the one that each server lists."""
    serve: ServeOmniConfig | None = None
    """Start the server here. null: it runs already."""
    lora: Lora | None = None
    extra_params: OmniParams = OmniParams()
    rife: int = Field(default=0, ge=0, le=3)
    """Frame interpolation by the server (RIFE): 2^n times the frames and the rate. The server downloads its weights.
    vLLM-Omni 0.30 does not do it for Cosmos3: the clip then comes without, and a note says so; `output.export_fps` with
    `interpolation: flow` does it here."""

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if self.endpoints and self.serve is not None:
            raise ValueError("endpoints, serve: name the servers that run, or have one started, not both")
        return self


class NIMConfig(ServersConfig):
    """NVIDIA's Cosmos NIM: `/v1/infer`, in whichever of its dialects the server speaks."""

    backend: Literal["nim"] = "nim"
    dialect: Literal["auto", "v1", "v2", "predict", "transfer"] = "auto"
    """v1: Cosmos3 generator NIM (num_output_frames, steps). v2: unified Cosmos3 NIM (model_mode). predict: Cosmos
    Predict (video_params). transfer: Cosmos Transfer (edge, depth, vis, seg). auto: asked of the server."""
    timeout_seconds: float = Field(default=3600, gt=0)
    """For one render: the server says nothing until it is done."""


class DiffusersConfig(Section):
    """A Diffusers pipeline in this process. Needs the extra `diffusers` and torch."""

    backend: Literal["diffusers"] = "diffusers"
    model: str = "nvidia/Cosmos3-Nano"
    """Checkpoint: a Hugging Face id or a folder."""
    family: Literal["auto", "cosmos3", "cosmos3_distilled", "predict2.5", "cogvideox"] = "auto"
    """auto: read from the checkpoint's model_index.json; a Hugging Face id is told by its name."""
    devices: tuple[str, ...] = Field(default=(), strict=False)
    """Such as cuda:0, cuda:1: a pipeline and a worker thread each. []: the first GPU, or the CPU."""
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    """auto: bfloat16 on a GPU, float32 on a CPU."""
    offload: Literal["none", "model", "sequential"] = "none"
    """What waits in main memory: nothing, whole models, or single layers (least GPU memory, slowest)."""
    offload_on_oom: bool = False
    """Out of memory: try once more with the next stronger offload, and keep it."""
    compile: bool = False
    """torch.compile of the transformer: the first render takes minutes longer, the others less."""
    local_files_only: bool = False
    """Never download."""


class FalConfig(Section):
    """A model hosted by fal, through its own client. Needs the extra `fal`. Every render costs money."""

    backend: Literal["fal"] = "fal"
    model: Literal[
        "nvidia/cosmos-3-super/image-to-video",
        "fal-ai/cosmos-predict-2.5/text-to-video",
        "fal-ai/cosmos-predict-2.5/image-to-video",
        "fal-ai/cogvideox-5b/image-to-video",
    ] = "nvidia/cosmos-3-super/image-to-video"
    api_key_env: str = Field(default="FAL_KEY", pattern=ENV_NAME)
    """Name of the environment variable that holds the key. Never the key itself."""
    price_usd: float | None = Field(default=None, ge=0)
    """Price of one render, where yours differs from the published one. null: as published."""
    concurrency: int = Field(default=2, ge=1, le=64)
    """Renders in flight at once."""
    timeout_seconds: float = Field(default=3600, gt=0)
    """For one render, the wait in fal's queue included."""


GeneratorConfig = Annotated[
    AnimaticConfig | VLLMOmniConfig | NIMConfig | DiffusersConfig | FalConfig, Field(discriminator="backend")
]
