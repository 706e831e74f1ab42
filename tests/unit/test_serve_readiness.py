"""Readiness: the truth about backends, without their addresses for strangers."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent.server.config import Served
from agent.server.loading import load
from agent.server.queue import Queue
from agent.server.readiness import Readiness
from tests.engines import Scripted
from tests.nim import NIMServer
from tests.serving import in_process
from tests.storing import stored
from tests.wire import Answer, Wire

MODEL = "cosmos-3-super"


def served(folder: Path, **sections: Any) -> Served:
    """One model, with these sections."""
    text = {"output": {"dir": str(folder)}, "server": {"models": {MODEL: {}}}, **sections}
    path = folder / "server.yaml"
    path.write_text(yaml.safe_dump(text))
    return load(path)


async def lacks(config: Served) -> dict[str, str]:
    readiness = Readiness(config, every=0.02, answer=60)
    try:
        found = await readiness.lacks(MODEL)
    finally:
        await readiness.stop()
    assert all("http://" not in lack.what for lack in found)
    return {lack.part: lack.what for lack in found}


async def test_the_embedded_parts_need_nothing(tmp_path: Path) -> None:
    assert await lacks(served(tmp_path)) == {}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(), None),
        (Answer(status=503), "is not ready (it answers 503)"),
        (Answer(status=401), "wants a key"),
        (Answer(drop="before"), "does not answer"),
    ],
)
async def test_a_reasoners_health(tmp_path: Path, answer: Answer, said: str | None) -> None:
    async with Wire() as chat:
        chat.paths["/health"] = answer
        config = served(tmp_path, reasoner={"backend": "openai", "base_url": f"{chat.url}/v1"})
        assert await lacks(config) == ({} if said is None else {"reasoner": said})


async def test_a_chat_server_without_health_is_asked_for_its_models(tmp_path: Path) -> None:
    async with Wire() as chat:
        chat.paths["/health"] = Answer(status=404)
        config = served(tmp_path, reasoner={"backend": "openai", "base_url": f"{chat.url}/v1"})
        assert await lacks(config) == {}
        chat.paths["/v1/models"] = Answer(status=404)
        assert await lacks(config) == {"reasoner": "is not ready (it answers 404)"}


async def test_one_of_several_generators_is_enough(tmp_path: Path) -> None:
    async with NIMServer("v2") as one, NIMServer("v2") as two:
        config = served(tmp_path, generator={"backend": "nim", "endpoints": [one.url, two.url]})
        one.ready = False
        assert await lacks(config) == {}
        two.ready = False
        said = (await lacks(config))["generator"]
        assert said == "none of its 2 servers can work (the first is not ready (it answers 503))"


async def test_a_backend_that_comes_back_is_noticed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with NIMServer("v1") as nim:
        nim.ready = False
        readiness = Readiness(served(tmp_path, generator={"backend": "nim", "endpoints": [nim.url]}), every=0.01)
        assert await readiness.lacks(MODEL)
        nim.ready = True
        async with asyncio.timeout(60):
            while await readiness.lacks(MODEL):
                await asyncio.sleep(0.01)
        await readiness.stop()
    assert f"model cosmos-3-super: generator is not ready (it answers 503) ({nim.url})" in caplog.text
    assert "model cosmos-3-super: ready again" in caplog.text


@pytest.mark.thorough
async def test_a_run_that_waits_says_for_what(tmp_path: Path) -> None:
    async with NIMServer("v2") as nim:
        nim.ready = False
        path = tmp_path / "away.yaml"
        path.write_text(yaml.safe_dump({"generator": {"backend": "nim", "endpoints": [nim.url]}}))
        async with in_process(tmp_path / "runs", config=str(path)) as (client, context):
            await context.readiness.lacks(MODEL)
            made = (await client.post("/v1/runs", json={"prompt": "A boat."})).json()
            assert (made["state"], made["waits_for"]) == ("queued", "the generator is not ready (it answers 503)")
            await client.post(f"/v1/runs/{made['id']}/cancel")
            told = (await client.get(f"/v1/runs/{made['id']}")).json()
            assert (told["state"], told["waits_for"]) == ("cancelled", None)


async def test_a_server_that_hangs_is_no_hindrance(tmp_path: Path) -> None:
    async with Wire() as chat:
        chat.paths["/health"] = Answer(delay=60)
        config = served(tmp_path, reasoner={"backend": "openai", "base_url": f"{chat.url}/v1"})
        readiness = Readiness(config, answer=0.1)
        async with asyncio.timeout(60):
            assert [lack.what for lack in await readiness.lacks(MODEL)] == ["does not answer"]
        await readiness.stop()


async def test_a_lost_engine_is_told_until_another_works(tmp_path: Path) -> None:
    async with stored(tmp_path) as (client, context, _):
        assert isinstance(context.desk, Queue)
        engine = context.desk._carrier.engine = Scripted(lambda _: None, lambda: None)
        told = []
        for engine.away in (True, False):
            told.append(await client.get("/v1/health/ready"))
        await context.readiness.stop()
    assert [answer.status_code for answer in told] == [503, 200]
    assert told[0].json()["message"].endswith("the process that carries runs was lost and is being started again")


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"generator": {"backend": "vllm_omni", "serve": {"executable": "no-such-vllm"}}}, "not on this machine"),
        ({"reasoner": {"backend": "openai", "serve": {"executable": "no-such-vllm"}}}, "not on this machine"),
        ({"reasoner": {"backend": "openai", "serve": {"executable": "true"}}}, None),
    ],
)
async def test_servers_that_runs_start(tmp_path: Path, sections: Mapping[str, Any], said: str | None) -> None:
    found = await lacks(served(tmp_path, **sections))
    assert found == {} if said is None else said in "".join(found.values())
