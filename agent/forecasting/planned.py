"""What a config says of its parts' speed: which model renders where, on how many GPUs, and how much at once."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from agent.config import RunConfig
from agent.forecasting.history import Wanted
from critic.config import HybridConfig, SignalsConfig, VLMConfig
from generator.capabilities import family
from generator.config import (
    AnimaticConfig,
    DiffusersConfig,
    FalConfig,
    GeneratorConfig,
    NIMConfig,
    ServeOmniConfig,
    VLLMOmniConfig,
)
from reasoner.chat.config import EndpointConfig
from reasoner.config import OpenAIConfig, RulesConfig

OMNI_URL, NIM_URL = "http://127.0.0.1:8091", "http://127.0.0.1:8000"
"""Where a generator is looked for that the config does not name."""
MODELS = ("Cosmos3-Nano", "Cosmos3-Super")
"""Those that latencies are published for."""


@dataclass(frozen=True)
class Planned:
    """The generator of a config, as far as the config tells."""

    engine: str
    models: tuple[str, ...]
    """Published names that it can be; none: nothing is published for it."""
    gpus: int
    """That one render is spread over, as configured; 0: not said."""
    renderers: int
    """Renders at once."""
    endpoints: tuple[str, ...]
    """Addresses that it renders at; none: in this process, or hosted."""
    model: str
    """As configured; "" where it is not."""


def planned(config: GeneratorConfig, generator: str = "") -> Planned:
    """What a generator's config tells. Asks no server. `generator`: its id, where that is known and names its model."""
    match config:
        case AnimaticConfig():
            return Planned("animatic", ("animatic",), 0, min(config.concurrency, cores()), (), "")
        case VLLMOmniConfig(serve=ServeOmniConfig() as serve):
            gpus = serve.tensor_parallel_size * serve.cfg_parallel_size * serve.ulysses_degree
            url = f"http://127.0.0.1:{serve.port}"
            name = config.model or serve.served_model_name or serve.model
            return Planned("vllm_omni", _published(serve.model), gpus, 1, (url,), name)
        case VLLMOmniConfig():
            urls = config.endpoints or (OMNI_URL,)
            return Planned(
                "vllm_omni", _published(config.model or generator or None), 0, len(urls), urls, config.model or ""
            )
        case NIMConfig():
            urls = config.endpoints or (NIM_URL,)
            return Planned("nim", (), 0, len(urls), urls, "")
        case DiffusersConfig():
            models = _published(config.model) if family(config) == "cosmos3" else ()
            return Planned("diffusers", models, 1, max(1, len(config.devices)), (), config.model)
        case FalConfig():
            return Planned("fal", (), 0, config.concurrency, (), config.model)


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def judges(config: RunConfig) -> int:
    """Critiques at once."""
    at_once = config.critic.concurrency
    return min(at_once, cores()) if isinstance(config.critic, SignalsConfig) else at_once


def wanted(config: RunConfig, generator: str = "") -> Wanted:
    """Which earlier work tells something of a config. `generator`: its exact id, where it is known already."""
    plan = planned(config.generator)
    return Wanted(
        generator=(lambda id_: id_ == generator)
        if generator
        else (lambda id_: id_.startswith(f"{plan.engine}/") and plan.model in id_),
        endpoints=plan.endpoints,
        reasoner="rules/" if isinstance(config.reasoner, RulesConfig) else "openai/",
        critic=_judges_as(config.critic.backend),
        accept_at=config.critic.accept_at,
        drafts=config.search.draft is not None,
    )


def _judges_as(backend: str) -> Callable[[str], bool]:
    if backend == "hybrid":
        return lambda id_: id_.startswith("signals/") and "+vlm/" in id_
    return lambda id_: id_.startswith(f"{backend}/") and "+" not in id_


def chat_model(config: RunConfig, part: str) -> str | None:
    """The model that a part asks, by its published name. None: it asks none, or another, or it is not said."""
    endpoint: EndpointConfig | None = config.reasoner if isinstance(config.reasoner, OpenAIConfig) else None
    if part == "critic" and isinstance(config.critic, VLMConfig | HybridConfig):
        endpoint = config.critic.endpoint or endpoint
    if endpoint is None:
        return None
    served = endpoint.serve.model if endpoint.serve and not endpoint.base_url else None
    names = _published(served or endpoint.model or "-")
    return names[0] if len(names) == 1 else None


def _published(name: str | None) -> tuple[str, ...]:
    """The published names that a checkpoint's name can mean: all where it is not said, none for another model."""
    if name is None:
        return MODELS
    plain = name.lower().replace("_", "-")
    if "distill" in plain:
        return ()
    return tuple(model for model in MODELS if model.lower() in plain)
