"""What doctor finds of a rendering backend, and the cure it names."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from agent.serving import renderers
from agent.serving.machine import Look
from generator.config import DiffusersConfig, FalConfig, ServeOmniConfig, VLLMOmniConfig
from reasoner.chat.config import ServeConfig
from tests.wire import Answer, Wire

VIDEOS = "/v1/videos?limit=1"
NOWHERE = "http://127.0.0.1:1"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as opened:
        yield opened


@pytest.fixture
async def omni() -> AsyncIterator[Wire]:
    async with Wire() as server:
        server.served = {"tiny": "/models/tiny"}
        server.paths[VIDEOS] = Answer(body={"data": []})
        yield server


def root(server: Wire) -> str:
    return server.url.removesuffix("/v1")


async def asked(
    client: httpx.AsyncClient, url: str, config: VLLMOmniConfig | None = None, key: str | None = None
) -> Look:
    looks = [look async for _, look in renderers.omni(config or VLLMOmniConfig(), (url,), key, client)]
    assert len(looks) == 1
    return looks[0]


async def test_a_renderer_that_runs(omni: Wire, client: httpx.AsyncClient) -> None:
    look = await asked(client, root(omni))
    assert look == (True, f"tiny at {root(omni)}; version 0.30.0", "")


async def test_servers_of_different_models_are_named_as_the_run_would(omni: Wire, client: httpx.AsyncClient) -> None:
    async with Wire() as other:
        other.served, other.paths[VIDEOS] = {"large": "/models/large"}, Answer(body={"data": []})
        urls = (root(omni), root(other))
        looks = [look async for _, look in renderers.omni(VLLMOmniConfig(), urls, None, client)]
        assert [look.good for look in looks] == [True, True, False]
        assert "do not serve one model" in looks[-1].found
        chosen = [look.good async for _, look in renderers.omni(VLLMOmniConfig(model="tiny"), urls, None, client)]
        assert chosen == [True, False]


@pytest.mark.parametrize(
    ("path", "answer", "found", "cure"),
    [
        ("/health", Answer(503), "/health says 503", "generator.endpoints"),
        (VIDEOS, Answer(404), "is no vLLM-Omni that renders videos", "--omni"),
        ("/v1/models", Answer(401, {"error": "Unauthorized"}), "refuses this key", "generator.api_key_env"),
        ("/v1/models", Answer(body=b"<html>"), "is no vLLM-Omni", "--omni"),
    ],
)
async def test_a_renderer_that_will_not_do(
    omni: Wire, client: httpx.AsyncClient, path: str, answer: Answer, found: str, cure: str
) -> None:
    omni.paths[path] = answer
    look = await asked(client, root(omni), key="hush")
    assert not look.good
    assert found in look.found
    assert cure in look.cure
    assert "hush" not in f"{look}"


async def test_a_renderer_of_another_model_or_none(omni: Wire, client: httpx.AsyncClient) -> None:
    other = await asked(client, root(omni), VLLMOmniConfig(model="large"))
    assert (other.good, other.found) == (False, f"{root(omni)} serves tiny, not large")
    gone = await asked(client, NOWHERE)
    assert not gone.good
    assert "does not answer" in gone.found


async def test_a_server_that_runs_cannot_take_turns(omni: Wire, client: httpx.AsyncClient) -> None:
    for turns in (False, True):
        serve = ServeOmniConfig(model="tiny", port=omni.port, time_share=turns)
        look = await asked(client, "", VLLMOmniConfig(serve=serve))
        assert look.good is not turns
        assert "runs already" in look.found
    assert "generator.serve.time_share to false" in look.cure


async def nim_asked(client: httpx.AsyncClient, url: str) -> Look:
    looks = [look async for _, look in renderers.nim((url,), None, client)]
    assert len(looks) == 1
    return looks[0]


async def test_a_nim_is_asked_whether_it_is_ready_and_what_it_is(client: httpx.AsyncClient) -> None:
    async with Wire() as nim:
        starting = Answer(503, {"status": "not ready"})
        nim.paths |= {"/v1/health/ready": starting, "/v1/metadata": Answer(404)}
        look = await nim_asked(client, root(nim))
        assert not look.good
        assert "/v1/health/ready says 503" in look.found
        told = {"version": "3.0.0", "modelInfo": [{"shortName": "cosmos3-generator:nano", "modelUrl": "x"}]}
        nim.paths |= {"/v1/health/ready": Answer(body={"status": "ready"}), "/v1/metadata": Answer(body=told)}
        look = await nim_asked(client, root(nim))
        assert look == (True, f"cosmos3-generator:nano at {root(nim)}; version 3.0.0", "")
    look = await nim_asked(client, NOWHERE)
    assert not look.good


def test_what_diffusers_needs_is_named(tmp_path: Path) -> None:
    """Here torch or diffusers is missing, or both are there: either way a sentence says which."""
    looks = dict(renderers.diffusers(DiffusersConfig(model=str(tmp_path))))
    first = looks["generator"]
    if first.good:
        assert not looks["model"].good  # a folder, and no checkpoint
    else:
        assert "torch" in first.found or "diffusers" in first.found
        assert "pip install" in first.cure or "install torch" in first.cure


def test_what_fal_costs_is_said_and_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAL_KEY", "hush")
    for config, price in ((FalConfig(), "$0.05 a second"), (FalConfig(price_usd=0.3), "$0.3 a render")):
        [(_, look)] = renderers.fal(config)
        assert "hush" not in f"{look}"
        if look.good:
            assert price in look.found
        else:
            assert look.cure == "pip install '.[fal]' in Retake's folder, or pip install fal-client"


@pytest.fixture
def two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "nvidia-smi"
    script.write_text("#!/bin/sh\necho '0, L40S, 46000, 46068'\necho '1, L40S, 46000, 46068'\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("reasoner", "generator", "good", "words"),
    [
        (ServeConfig(), ServeOmniConfig(), False, "set generator.serve.time_share to true"),
        (ServeConfig(gpus=(0,)), ServeOmniConfig(gpus=(1,)), None, ""),
        (ServeConfig(), ServeOmniConfig(time_share=True), None, ""),
        (ServeConfig(), ServeOmniConfig(layerwise_offload=True), None, ""),
        (ServeConfig(), ServeOmniConfig(model="my/own"), None, ""),
        (
            ServeConfig(gpu_memory_utilization=0.7),
            ServeOmniConfig(tensor_parallel_size=2),
            False,
            "lower reasoner.serve.gpu_memory_utilization to 0.66, or set generator.serve.time_share",
        ),
        (ServeConfig(gpu_memory_utilization=0.6), ServeOmniConfig(tensor_parallel_size=2), True, "computed"),
    ],
)
def test_two_servers_on_one_gpu_are_added_up(
    reasoner: ServeConfig, generator: ServeOmniConfig, good: bool | None, words: str
) -> None:
    look = renderers.together(reasoner, generator)
    assert (None if look is None else look.good) is good
    assert words in f"{look}"
