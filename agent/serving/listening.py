"""What listens on a port of this machine, and which model it serves."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from agent.errors import ServingError
from agent.serving.command import HOST
from reasoner.chat.config import ServeConfig

_ANSWER_SECONDS = 5.0


def _root(config: ServeConfig) -> str:
    return f"http://{HOST}:{config.port}"


def address(config: ServeConfig) -> str:
    """The base URL of the server on the config's port."""
    return f"{_root(config)}/v1"


async def listens(port: int) -> bool:
    """Whether anything takes connections there: asked beneath `client`, whose transport would repeat each refusal."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            _, writer = await asyncio.open_connection(HOST, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def healthy(config: ServeConfig, client: httpx.AsyncClient) -> bool:
    """Whether the server on the config's port says that it can work."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return (await client.get(f"{_root(config)}/health")).status_code == httpx.codes.OK
    except (httpx.HTTPError, TimeoutError):
        return False


async def found(config: ServeConfig, key: str | None, client: httpx.AsyncClient) -> tuple[str, str]:
    """(name to ask for, version) of the server that listens on the port.

    Raises:
        ServingError: it is not a server of the config's model.
    """
    other = "choose another serve.port, stop it, or name it by base_url (instead of serve) if it is the server you want"
    if not await healthy(config, client):
        raise ServingError(
            f"serve.port: on port {config.port} another program listens, or a server that is not well; {other}"
        )
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            listed = await client.get(f"{address(config)}/models", headers=headers)
            told = await client.get(f"{_root(config)}/version")
    except (httpx.HTTPError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        raise ServingError(
            f"serve.port: what listens on port {config.port} did not answer ({reason[:120]}); {other}"
        ) from error
    if listed.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        raise ServingError(
            f"serve.port: a server runs on port {config.port} already, and "
            f"{'refuses this key' if key else 'answers nobody without a key'}: name the variable that holds its key in "
            "api_key_env, or choose another serve.port"
        )
    models = _models(listed)
    if models is None:
        raise ServingError(f"serve.port: on port {config.port} another program listens; {other}")
    for model in models:
        if _is(model, config):
            return str(model["id"]), str(_json(told).get("version") or "")
    names = ", ".join(str(m.get("id"))[:80] for m in models[:5]) or "nothing"
    raise ServingError(
        f"serve.port: the server that runs on port {config.port} already serves {names}, not "
        f"{config.served_model_name or config.model}; {other}"
    )


def _is(model: Mapping[str, Any], config: ServeConfig) -> bool:
    if not model.get("id"):
        return False
    if config.served_model_name is not None:
        return bool(model["id"] == config.served_model_name)
    names = {model["id"], model.get("root")}
    return config.model in names or str(Path(config.model).absolute()) in names


def _json(response: httpx.Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _models(response: httpx.Response) -> list[Mapping[str, Any]] | None:
    """The models that a server lists; None where this is no such list."""
    rows = _json(response).get("data")
    return [r for r in rows if isinstance(r, dict)] if isinstance(rows, list) else None
