"""Record the cassettes anew from a real server: `python -m tests.real.record`. Two minutes, or four the first time."""

import asyncio
import os
import tempfile
from pathlib import Path

import httpx

from agent.http import http_client
from agent.serving import served
from reasoner.chat.client import Chat
from reasoner.chat.config import EndpointConfig
from tests.cassette import FOLDER, MODEL, Recorder
from tests.ports import free_port
from tests.real.conftest import KEY, serve_config
from tests.real.provision import provide
from tests.sessions import SESSIONS


async def record() -> None:
    """One file for each session."""
    provided = provide()
    os.environ |= provided.variables()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        config = serve_config(provided, free_port())
        async with (
            http_client() as asking,
            served(config, KEY, asking, folder / "vllm.log", lambda _seconds, _line: None) as server,
        ):
            endpoint = EndpointConfig(base_url=server.base_url, model=MODEL)
            for name, session in SESSIONS.items():
                recorder = Recorder(httpx.AsyncHTTPTransport())
                async with httpx.AsyncClient(transport=recorder, timeout=120) as client:
                    chat = Chat(client, endpoint, KEY)
                    await chat.connect()
                    await session(chat, folder)
                recorder.save(name)
                print(f"{FOLDER.name}/{name}.json: {len(recorder.replies)} replies")


if __name__ == "__main__":
    asyncio.run(record())
