"""What a rendering backend has to work with on this machine or elsewhere: looked at, and said with the cure."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Iterator, Sequence
from importlib import metadata, util
from typing import Any

import httpx

from agent.errors import RetakeError
from agent.serving import machine
from agent.serving.launch import launch
from agent.serving.listening import address, found, listens
from agent.serving.machine import Look
from generator.capabilities import capabilities
from generator.config import DiffusersConfig, FalConfig, ServeOmniConfig, VLLMOmniConfig
from reasoner.chat.config import ServeConfig

_ANSWER_SECONDS = 10.0
STOP_IT = "stop it: one that Retake did not start cannot take turns; or set generator.serve.time_share to false"
Named = tuple[str, Look]
"""What was looked at, in a word, and what was seen."""


async def omni(
    config: VLLMOmniConfig, urls: Sequence[str], key: str | None, client: httpx.AsyncClient
) -> AsyncIterator[Named]:
    """Each endpoint asked, or what the start of a server needs. None is started."""
    if config.serve is None:
        listed: dict[str, list[str]] = {}
        for url in urls:
            seen, names = await _omni_endpoint(url, config.model, key, client)
            yield "generator", seen
            listed |= {url: names} if seen.good else {}
        if config.model is None and len({names[0] for names in listed.values()}) > 1:
            told = "; ".join(f"{url} serves {', '.join(names)}" for url, names in listed.items())
            cure = "set generator.model, and leave out the endpoints that do not serve it"
            yield "generator", Look(good=False, found=f"the endpoints do not serve one model: {told}", cure=cure)
        return
    serve = config.serve
    if await listens(serve.port):
        try:
            model, version = await found(launch(serve), key, client)
        except RetakeError as error:
            yield "generator", Look(good=False, found=str(error))
            return
        text = f"{model} runs already at {address(launch(serve))} (version {version or 'unknown'}): used as it is"
        yield "generator", Look(not serve.time_share, text, STOP_IT if serve.time_share else "")
        return
    turns = ", in turn with the reasoner's" if serve.time_share else ""
    text = f"serve: {launch(serve).what} will be started at {address(launch(serve))}{turns} (first: minutes)"
    yield "generator", Look(good=True, found=text)
    for what, look in (("vllm", machine.command), ("GPU", machine.gpus), ("model", machine.model)):
        yield what, look(serve)


async def _omni_endpoint(
    url: str, wanted: str | None, key: str | None, client: httpx.AsyncClient
) -> tuple[Look, list[str]]:
    cure = "start that server, or name another in generator.endpoints"
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        health = await _ask(client, f"{url}/health")
        told, listed = await _ask(client, f"{url}/version"), await _ask(client, f"{url}/v1/models", headers)
        videos = await _ask(client, f"{url}/v1/videos?limit=1", headers)
    except (httpx.HTTPError, TimeoutError) as error:
        return Look(good=False, found=f"{url} does not answer ({_reason(error)})", cure=cure), []
    if health.status_code != httpx.codes.OK:
        return Look(good=False, found=f"{url} is not well: /health says {health.status_code}", cure=cure), []
    if listed.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        key_cure = "name the variable that holds its key in generator.api_key_env"
        return Look(good=False, found=f"{url} {'refuses this key' if key else 'asks for a key'}", cure=key_cure), []
    rows = _json(listed).get("data")
    names = [str(row.get("id")) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    if videos.status_code != httpx.codes.OK or not names:
        return Look(good=False, found=f"{url} is no vLLM-Omni that renders videos", cure="start it with --omni"), []
    if wanted is not None and wanted not in names:
        cure = "correct generator.model, or set it to null"
        return Look(good=False, found=f"{url} serves {', '.join(names)}, not {wanted}", cure=cure), []
    return Look(good=True, found=f"{names[0]} at {url}; version {_json(told).get('version') or 'unknown'}"), names


async def nim(urls: Sequence[str], key: str | None, client: httpx.AsyncClient) -> AsyncIterator[Named]:
    """Each NIM asked whether it is ready, and what it is."""
    for url in urls:
        yield "generator", await _nim(url, key, client)


async def _nim(url: str, key: str | None, client: httpx.AsyncClient) -> Look:
    cure = "start that NIM (a first start downloads its model), or name another in generator.endpoints"
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        ready = await _ask(client, f"{url}/v1/health/ready", headers)
        told = _json(await _ask(client, f"{url}/v1/metadata", headers))
    except (httpx.HTTPError, TimeoutError) as error:
        return Look(good=False, found=f"{url} does not answer ({_reason(error)})", cure=cure)
    if ready.status_code != httpx.codes.OK:
        return Look(good=False, found=f"{url} is not ready: /v1/health/ready says {ready.status_code}", cure=cure)
    models = told.get("modelInfo")
    first = models[0] if isinstance(models, list) and models and isinstance(models[0], dict) else {}
    name = first.get("shortName") or told.get("checkpoint") or "a model it does not name"
    return Look(good=True, found=f"{name} at {url}; version {told.get('version') or 'unknown'}")


def diffusers(config: DiffusersConfig) -> Iterator[Named]:
    """The libraries, the device, the checkpoint and its memory. Nothing is loaded but torch."""
    missing = [name for name in ("torch", "diffusers", "transformers") if util.find_spec(name) is None]
    if missing:
        cure = "install torch as pytorch.org says for your GPU, then, in Retake's folder, pip install '.[diffusers]'"
        yield "generator", Look(good=False, found=f"diffusers: there is no {', '.join(missing)} here", cure=cure)
        return
    yield "generator", _torch()
    yield "model", machine.checkpoint(config.model, "generator.model")
    need, seen = machine.needed_gb(config.model), list(machine.all_gpus().values())
    if need is None or not seen or config.offload != "none":
        return
    text = "; ".join(map(str, seen))
    good = max(gpu.total for gpu in seen) * machine.MIB >= need * machine.GB
    cure = "set generator.offload to model or sequential, or take a larger GPU"
    yield "GPU", Look(good, f"{text}; {config.model} needs {need} GB, says NVIDIA", "" if good else cure)


def _torch() -> Look:
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("torch", "diffusers", "transformers"))
    try:
        torch = importlib.import_module("torch")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        # a torchvision of another build breaks this import, and not the ones above
        importlib.import_module("diffusers")
    except Exception as error:  # noqa: BLE001 - a broken installation raises anything, and is the finding
        cure = "install torch, torchvision and diffusers of one build into an environment of their own"
        return Look(good=False, found=f"{versions}, and importing them fails: {_reason(error)}", cure=cure)
    return Look(good=True, found=f"{versions}; {f'CUDA: {count} GPUs' if count else 'no CUDA: the CPU renders (slow)'}")


def fal(config: FalConfig) -> Iterator[Named]:
    """The client and the price. Whether the key is set is looked at with the servers'; it is not tried: fal bills."""
    if util.find_spec("fal_client") is None:
        cure = "pip install '.[fal]' in Retake's folder, or pip install fal-client"
        yield "generator", Look(good=False, found="fal: there is no fal-client here", cure=cure)
        return
    price = capabilities(config).price if config.price_usd is None else f"${config.price_usd:g} a render"
    text = f"{config.model}; fal-client {metadata.version('fal-client')}; each render costs: {price}"
    yield "generator", Look(good=True, found=text)


def together(reasoner: ServeConfig, generator: ServeOmniConfig) -> Look | None:
    """Whether both servers fit on the GPUs that they share; None where they share none, or nothing is known."""
    here = machine.all_gpus()
    share, need = reasoner.gpu_memory_utilization, machine.needed_gb(generator.model)
    asked = generator.tensor_parallel_size * generator.cfg_parallel_size * generator.ulysses_degree
    mine = list(reasoner.gpus or here)[: reasoner.tensor_parallel_size]
    theirs = list(generator.gpus or here)[:asked]
    common = [here[n] for n in mine if n in theirs and n in here]
    if share is None or need is None or not common or generator.time_share or generator.layerwise_offload:
        return None
    each = need / generator.tensor_parallel_size
    smallest = min(gpu.total for gpu in common) * machine.MIB / machine.GB
    left = smallest * (1 - share)
    names = ", ".join(str(gpu.number) for gpu in common)
    text = (
        f"GPU {names} is shared: the reasoner takes {share:g} of {smallest:.0f} GB, and the generator needs {each:g} GB"
    )
    if left >= each:
        return Look(good=True, found=f"{text} of the {left:.0f} left (computed, not measured)")
    fits = int((1 - each / smallest) * 100) / 100
    cure = "set generator.serve.time_share to true, so that only one runs at a time"
    if fits * smallest >= _REASONER_GB:
        cure = f"lower reasoner.serve.gpu_memory_utilization to {fits:g}, or {cure}"
    return Look(good=False, found=f"{text}, and {left:.0f} are left", cure=cure)


_REASONER_GB = 20
"""What Cosmos3-Nano's reasoner needs at least: 17 GB of weights (published) and the cache of one full context."""


async def _ask(client: httpx.AsyncClient, url: str, headers: dict[str, str] | None = None) -> httpx.Response:
    async with asyncio.timeout(_ANSWER_SECONDS):
        return await client.get(url, headers=headers)


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _reason(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:160]
