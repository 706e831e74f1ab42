"""What listens on a port of this machine, and which model it serves."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from agent.errors import ServingError
from agent.serving.command import HOST
from agent.serving.launch import Launch

_ANSWER_SECONDS = 5.0


def _root(server: Launch) -> str:
    return f"http://{HOST}:{server.port}"


def address(server: Launch) -> str:
    """The base URL of the server on the launch's port."""
    return f"{_root(server)}/v1"


async def listens(port: int) -> bool:
    """Whether anything takes connections there: asked beneath `client`, whose transport would repeat each refusal."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            _, writer = await asyncio.open_connection(HOST, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


async def healthy(server: Launch, client: httpx.AsyncClient) -> bool:
    """Whether the server on the launch's port says that it can work."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return (await client.get(f"{_root(server)}/health")).status_code == httpx.codes.OK
    except (httpx.HTTPError, TimeoutError):
        return False


async def found(server: Launch, key: str | None, client: httpx.AsyncClient) -> tuple[str, str]:
    """(name to ask for, version) of the server that listens on the port.

    Raises:
        ServingError: it is not a server of the launch's model.
    """
    other = f"choose another {server.key}.port, stop it, or {server.elsewhere} if it is the server you want"
    if not await healthy(server, client):
        raise ServingError(
            f"{server.key}.port: on port {server.port} another program listens, or a server that is not well; {other}"
        )
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            listed = await client.get(f"{address(server)}/models", headers=headers)
            told = await client.get(f"{_root(server)}/version")
            videos = None
            if server.kind == "omni":
                videos = await client.get(f"{address(server)}/videos", params={"limit": "1"}, headers=headers)
    except (httpx.HTTPError, TimeoutError) as error:
        reason = str(error) or type(error).__name__
        raise ServingError(
            f"{server.key}.port: what listens on port {server.port} did not answer ({reason[:120]}); {other}"
        ) from error
    if listed.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        raise ServingError(
            f"{server.key}.port: a server runs on port {server.port} already, and "
            f"{'refuses this key' if key else 'answers nobody without a key'}: name the variable that holds its key in "
            f"api_key_env, or choose another {server.key}.port"
        )
    models = _models(listed)
    if models is None:
        raise ServingError(f"{server.key}.port: on port {server.port} another program listens; {other}")
    if server.kind == "omni" and videos is not None and videos.status_code != httpx.codes.OK:
        raise ServingError(  # a reasoner's server lists the same checkpoint
            f"{server.key}.port: the server that runs on port {server.port} already renders no videos: it is a vLLM "
            f"without --omni; {other}"
        )
    for model in models:
        if _is(model, server):
            return str(model["id"]), str(_json(told).get("version") or "")
    names = ", ".join(str(m.get("id"))[:80] for m in models[:5]) or "nothing"
    raise ServingError(
        f"{server.key}.port: the server that runs on port {server.port} already serves {names}, not "
        f"{server.served_model_name or server.model}; {other}"
    )


def _is(model: Mapping[str, Any], server: Launch) -> bool:
    if not model.get("id"):
        return False
    if server.served_model_name is not None:
        return bool(model["id"] == server.served_model_name)
    names = {model["id"], model.get("root")}
    return server.model in names or str(Path(server.model).absolute()) in names


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
