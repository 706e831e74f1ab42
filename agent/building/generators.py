"""Which generator stands behind each backend's name, what it is given, and for how long it lives."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Literal

from agent.errors import ServingError, boundary
from agent.events import Emit, RenderProgressed, ServerReady
from agent.serving.in_turn import GeneratorInTurn
from agent.serving.turns import GENERATOR, first_turn
from generator.config import AnimaticConfig, DiffusersConfig, FalConfig, GeneratorConfig, NIMConfig, VLLMOmniConfig
from generator.types import Generator, Progress, RenderSpec

if TYPE_CHECKING:
    from agent.serving.reaching import Servers
    from agent.serving.supervisor import Served
    from generator.nim import NIM
    from generator.vllm_omni import VLLMOmni

OMNI_URL, NIM_URL = "http://127.0.0.1:8091", "http://127.0.0.1:8000"
"""Where a generator's server is looked for that the config does not name."""


def known_price(config: GeneratorConfig, spec: RenderSpec) -> float | None:
    """US dollars that one render is known to cost beforehand. None: not known, or nothing is billed."""
    if not isinstance(config, FalConfig):
        return None
    from generator.fal import price  # noqa: PLC0415 - a backend is loaded by those who use it

    return price(config, spec)


def as_built(config: GeneratorConfig, generator: Generator) -> GeneratorConfig:
    """The config of a generator that is built, with what only its server could tell: the dialect that a NIM speaks."""
    if not isinstance(config, NIMConfig):
        return config
    from generator.nim import NIM  # noqa: PLC0415 - a backend is loaded by those who use it

    served = generator.served if isinstance(generator, NIM) else None
    return config if served is None else config.model_copy(update={"dialect": served.dialect})


@asynccontextmanager
async def build_generator(
    config: GeneratorConfig, emit: Emit, servers: "Servers | None" = None, *, guardrails: bool = False
) -> AsyncIterator[Generator]:
    """The generator that a config names, ready to render for as long as the context lasts.

    Args:
        config: which.
        emit: told of its servers, and of its renders' progress.
        servers: of the run; start the generator's own. Not needed by what runs in this process.
        guardrails: renders will ask for safety checks: where they are ours to load, their lack is found out now.

    Raises:
        ServingError: its server or model cannot be reached, started or loaded.
    """
    match config:
        case AnimaticConfig():
            from generator.animatic import Animatic  # noqa: PLC0415 - a backend is loaded by those who use it

            yield Animatic(config, _teller(emit))
        case VLLMOmniConfig():
            async with _omni(config, emit, servers) as generator:
                yield generator
        case NIMConfig():
            from agent.http import http_client  # noqa: PLC0415 - as above
            from generator.nim import NIM  # noqa: PLC0415 - as above

            urls = config.endpoints or (NIM_URL,)
            async with http_client(repeat_posts=False) as client:
                nim = NIM(config, client, urls, key=key_of(config), tell=_teller(emit))
                async with _connected(nim):
                    for url, (model, version) in nim.servers.items():
                        emit(ServerReady(part=GENERATOR, url=url, model=model, version=version, reused=True))
                    yield nim
        case DiffusersConfig():
            from generator.diffusers import Diffusers  # noqa: PLC0415 - as above

            pipeline = Diffusers(config, _teller(emit))
            try:
                with boundary(ServingError, f"loading the generator {config.model}"):
                    await pipeline.load(guardrails=guardrails)
                yield pipeline
            finally:
                await pipeline.close()
        case FalConfig():
            from generator.fal import Fal  # noqa: PLC0415 - as above

            with boundary(ServingError, "reaching the generator"):
                fal = Fal(config, key_of(config) or "", _teller(emit))
            try:
                yield fal
            finally:
                await fal.close()


@asynccontextmanager
async def _omni(config: VLLMOmniConfig, emit: Emit, servers: "Servers | None") -> AsyncIterator[Generator]:
    from agent.http import http_client  # noqa: PLC0415 - as above
    from generator.vllm_omni import VLLMOmni  # noqa: PLC0415 - as above

    key, tell = key_of(config), _teller(emit)
    async with http_client(repeat_posts=False) as client:
        if config.serve is None:
            omni = VLLMOmni(config, client, config.endpoints or (OMNI_URL,), key=key, tell=tell)
            async with _connected(omni):
                for url, (model, version) in omni.servers.items():
                    software = f"vLLM-Omni {version}" if version else ""
                    emit(ServerReady(part=GENERATOR, url=url, model=model, version=software, reused=True))
                yield omni
            return
        if servers is None:
            raise ValueError("generator.serve: a server is started by the run's Servers: give them")
        if servers.turns is None:
            server = await servers.renderer(config.serve, key)
            checks = _guardrails(server)
            omni = VLLMOmni(config, client, (server.root,), key=key, tell=tell, guardrails=checks)
            async with _connected(omni):
                yield omni
            return
        async with AsyncExitStack() as stack:
            async with first_turn(servers.turns, GENERATOR):
                server = servers.last[GENERATOR]
                checks = _guardrails(server)
                omni = VLLMOmni(config, client, (server.root,), key=key, tell=tell, guardrails=checks)
                await stack.enter_async_context(_connected(omni))
            yield GeneratorInTurn(omni, servers.turns, GENERATOR)


@asynccontextmanager
async def _connected(generator: "VLLMOmni | NIM") -> AsyncIterator[None]:
    try:
        with boundary(ServingError, "reaching the generator"):
            await generator.connect()
        yield
    finally:
        await generator.close()


def _guardrails(server: "Served") -> Literal["on", "off", "unknown"]:
    return "unknown" if server.guardrails == "none" else server.guardrails


def _teller(emit: Emit) -> Callable[[Progress], None]:
    return lambda progress: emit(RenderProgressed(progress=progress))


def key_of(config: GeneratorConfig) -> str | None:
    """The API key that a config names the variable of."""
    name = getattr(config, "api_key_env", None)
    return os.environ.get(name) if name else None
