"""How a config's parts are put together: which server each asks, and what is said where one is missing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent.api import refine_and_generate_async
from agent.building import BASE_URL, build, build_judges, endpoints
from agent.config import RunConfig
from agent.errors import ConfigError, ServingError
from agent.events import ServerReady
from agent.memory import Memory
from agent.reading import check, load_config
from generator.encode import ClipWriter
from reasoner.chat.config import EndpointConfig
from tests.nim import NIMServer
from tests.parts import Recorder
from tests.wire import Answer, Wire

ROOT = Path(__file__).parents[2]
OTHER = "http://some.other.server"


def found(*overrides: str) -> dict[str, EndpointConfig]:
    return endpoints(load_config(None, overrides))


def test_the_embedded_parts_ask_nobody() -> None:
    assert found() == {}


def test_the_critic_asks_the_reasoners_server_unless_it_has_its_own() -> None:
    both = found("reasoner.backend=openai", "reasoner.base_url=http://h:1", "critic.backend=hybrid")
    assert both["critic"] == both["reasoner"]
    other = found("reasoner.backend=openai", "critic.backend=vlm", "critic.endpoint.base_url=http://h:2/v1")
    assert other["critic"].base_url == "http://h:2/v1"
    assert other["reasoner"].base_url == "http://127.0.0.1:8000"


def test_an_asking_critic_without_a_server_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"critic\.endpoint: .*name one"):
        found("critic.backend=vlm")


def test_the_variable_of_nvidias_tools_stands_in_for_the_reasoners_server_and_for_starting_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(BASE_URL, "http://elsewhere:9/v1")
    serving = found("reasoner.backend=openai", "reasoner.serve.model=m", "critic.backend=vlm")
    assert (serving["reasoner"].base_url, serving["reasoner"].serve) == ("http://elsewhere:9/v1", None)
    assert serving["critic"] == serving["reasoner"]
    written = found("reasoner.backend=openai", "reasoner.base_url=http://mine", "reasoner.serve.model=m")
    assert (written["reasoner"].base_url, written["reasoner"].serve) == ("http://mine", None)
    own = found("reasoner.backend=openai", "critic.backend=vlm", "critic.endpoint.model=judge")
    assert own["critic"].base_url == "http://127.0.0.1:8000"
    monkeypatch.setenv(BASE_URL, "http://me:hush@elsewhere")
    with pytest.raises(ConfigError) as caught:
        found("reasoner.backend=openai")
    assert BASE_URL in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_server_to_start_has_no_address_yet() -> None:
    serving = found("reasoner.backend=openai", "reasoner.serve.model=m")["reasoner"]
    assert serving.base_url is None
    assert serving.serve is not None


def test_a_key_is_looked_up_by_name_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RETAKE_TEST_KEY", raising=False)
    with pytest.raises(ConfigError, match=r"^reasoner\.api_key_env: .*RETAKE_TEST_KEY is not set"):
        found("reasoner.backend=openai", "reasoner.api_key_env=RETAKE_TEST_KEY")
    own = ("reasoner.backend=openai", "critic.backend=vlm", "critic.endpoint.api_key_env=RETAKE_TEST_KEY")
    with pytest.raises(ConfigError, match=r"^critic\.endpoint\.api_key_env: "):
        found(*own)
    with pytest.raises(ConfigError) as pasted:
        found("reasoner.backend=openai", "reasoner.api_key_env=hf_abcdEFGH12345678")
    assert "hf_abcd" not in str(pasted.value)
    monkeypatch.setenv("RETAKE_TEST_KEY", "hush")
    assert "hush" not in repr(found(*own))


def test_a_key_of_the_generator_is_looked_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RETAKE_TEST_KEY", "FAL_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match=r"^generator\.api_key_env: .*RETAKE_TEST_KEY is not set"):
        found("generator.backend=nim", "generator.api_key_env=RETAKE_TEST_KEY")
    with pytest.raises(ConfigError, match=r"^generator\.api_key_env: .*FAL_KEY is not set"):
        found("generator.backend=fal")
    with pytest.raises(ConfigError) as pasted:
        found("generator.backend=vllm_omni", "generator.api_key_env=nvapi_abcdEFGH12345678")
    assert "nvapi_abcd" not in str(pasted.value)
    monkeypatch.setenv("FAL_KEY", "hush")
    assert found("generator.backend=fal") == {}


SERVED = ("reasoner.backend=openai", "reasoner.serve.model=m", "generator.backend=vllm_omni", "generator.serve.model=g")
TURNS = (*SERVED, "generator.serve.time_share=true")


def test_two_servers_to_start_need_a_port_each() -> None:
    with pytest.raises(
        ConfigError, match=r"^generator\.serve\.port: 8000 is reasoner\.serve\.port too; choose another"
    ):
        found(*SERVED, "generator.serve.port=8000")
    with pytest.raises(ConfigError, match=r"is critic\.endpoint\.serve\.port too"):
        found(
            *(*SERVED, "critic.backend=vlm", "critic.endpoint.serve.model=j"),
            *("critic.endpoint.serve.port=9", "generator.serve.port=9"),
        )
    assert found(*SERVED)["reasoner"].serve is not None


@pytest.mark.parametrize(
    "reasoner",
    [
        ("reasoner.backend=rules",),
        ("reasoner.backend=openai", "reasoner.base_url=http://127.0.0.1:8000"),
        ("reasoner.backend=openai",),
    ],
)
def test_turns_are_taken_with_a_server_that_can_be_stopped(reasoner: tuple[str, ...]) -> None:
    share = ("generator.backend=vllm_omni", "generator.serve.time_share=true")
    with pytest.raises(ConfigError, match=r"^generator\.serve\.time_share: .*add reasoner\.serve"):
        found(*reasoner, *share)


def test_the_variable_of_nvidias_tools_names_a_server_that_cannot_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(*TURNS)["reasoner"].serve is not None
    monkeypatch.setenv(BASE_URL, "http://elsewhere:9")
    with pytest.raises(ConfigError, match=rf"time_share: .*{BASE_URL}"):
        found(*TURNS)


@pytest.mark.parametrize(
    "endpoint",
    [
        ("critic.endpoint.base_url=http://localhost:8000",),
        ("critic.endpoint.serve.model=m", "critic.endpoint.concurrency=2"),
    ],
)
def test_a_critic_of_the_same_server_waits_for_its_turn(endpoint: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"^critic\.endpoint: it is the reasoner's server, which takes turns"):
        found(*TURNS, "critic.backend=vlm", *endpoint)
    assert found(*TURNS, "critic.backend=vlm", "critic.endpoint.base_url=http://other:8000")
    same = found(*TURNS, "critic.backend=vlm", "critic.endpoint.serve.model=m")
    assert same["critic"] == same["reasoner"]  # said twice: one server


@pytest.mark.parametrize("name", ["quickstart", "cosmos3-nano", "nim", "diffusers", "fal"])
def test_each_config_that_is_shipped_is_sound(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAL_KEY", "hush")
    config = load_config(ROOT / "configs" / f"{name}.yaml")
    assert endpoints(config).keys() <= {"reasoner", "critic"}
    text = (ROOT / "configs" / f"{name}.yaml").read_text()
    for key in type(config.generator).model_fields:
        assert f"\n  {key}:" in text, key


def config(generator: dict[str, Any]) -> RunConfig:
    return check({"generator": generator})


async def test_servers_of_a_generator_are_reached_and_told_of(tmp_path: Path) -> None:
    heard = Recorder()
    async with Wire() as one, Wire() as two:
        for server in (one, two):
            server.served = {"tiny": "/models/tiny"}
            server.paths["/v1/videos?limit=1"] = Answer(body={"data": []})
        asked = config({"backend": "vllm_omni", "endpoints": [one.url, two.url]})
        async with build(asked, Memory(tmp_path, heard), heard) as parts:
            assert parts.generator.id.startswith("vllm_omni/")
            assert "tiny" in parts.generator.id
    told = [e for e in heard.events if isinstance(e, ServerReady)]
    assert {(e.part, e.model, e.version, e.reused) for e in told} == {("generator", "tiny", "vLLM-Omni 0.30.0", True)}
    assert [e.url for e in told] == [one.url.removesuffix("/v1"), two.url.removesuffix("/v1")]


@pytest.mark.parametrize(("critic", "compares", "measures"), [("vlm", True, True), ("hybrid", True, False)])
async def test_a_critic_that_asks_brings_a_comparer_of_the_same_model(
    critic: str, compares: bool, measures: bool, tmp_path: Path
) -> None:
    async with Wire() as server:
        asked = check({"critic": {"backend": critic, "endpoint": {"base_url": server.url}}})
        async with build(asked, Memory(tmp_path, Recorder()), Recorder()) as parts:
            assert (parts.comparer is not None, parts.measuring is not None) == (compares, measures)
            assert parts.comparer is not None
            assert parts.comparer.id.startswith("pairwise/1 tiny-cosmos3-reasoner")
            assert parts.measuring is None or parts.measuring.id == "signals/1"


async def test_measured_signals_leave_nothing_to_ask(tmp_path: Path) -> None:
    async with build(check({}), Memory(tmp_path, Recorder()), Recorder()) as parts:
        assert (parts.critic.id, parts.comparer, parts.measuring) == ("signals/1", None, None)


async def test_a_nim_is_reached_and_told_of(tmp_path: Path) -> None:
    heard = Recorder()
    async with NIMServer("v1") as nim:
        asked = config({"backend": "nim", "endpoints": [nim.url]})
        async with build(asked, Memory(tmp_path, heard), heard) as parts:
            assert parts.generator.id.startswith("nim/")
    [told] = [e for e in heard.events if isinstance(e, ServerReady)]
    assert (told.part, told.url, told.version.split()[-1]) == ("generator", nim.url, "1.0.0")
    assert "cosmos3-generator" in told.model


async def test_what_a_nim_cannot_do_is_told_before_a_caption_is_written(tmp_path: Path) -> None:
    film, heard = tmp_path / "film.mp4", Recorder()
    with ClipWriter(film, 64, 64, 24) as writer:
        for grey in range(25):
            writer.write(np.full((64, 64, 3), grey, np.uint8))
    async with NIMServer("v1") as nim:
        generator = {"backend": "nim", "endpoints": [nim.url]}
        wish = {"video": str(film), "size": "256x256", "num_frames": 25}
        asked = check({"generator": generator, "request": wish})
        with pytest.raises(ConfigError, match=r"request\.video: nim \(v1\) cannot use it; it does text2video, image2v"):
            await refine_and_generate_async("a boat", config=asked, out=tmp_path / "run", on_event=heard)
        assert nim.asked == []
    assert not {"caption_started", "render_started"} & set(heard.types())


@pytest.mark.parametrize(
    ("generator", "words"),
    [
        ({"backend": "vllm_omni", "endpoints": [OTHER]}, "reaching the generator: .*http://127.0.0.1:.*404"),
        ({"backend": "nim", "endpoints": [OTHER]}, "reaching the generator: .*http://127.0.0.1:.*404"),
        ({"backend": "diffusers", "model": "/nowhere/at/all"}, "loading the generator /nowhere/at/all: "),
        ({"backend": "fal"}, "reaching the generator: .*FAL_KEY holds no key|fal's client"),
        (
            {"backend": "vllm_omni", "serve": {"executable": "/nowhere/vllm", "port": 1}},
            "generator.serve.executable: there is no command",
        ),
    ],
    ids=lambda value: value["backend"] + ("-serve" if "serve" in value else "") if isinstance(value, dict) else "",
)
async def test_a_generator_that_is_not_there_is_a_serving_error(
    generator: dict[str, Any], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAL_KEY", "a b")
    async with Wire() as other:  # a server that is none of ours
        other.paths["/health"] = Answer(404)
        asked = {k: [other.url] if v == [OTHER] else v for k, v in generator.items()}
        with pytest.raises(ServingError, match=words) as caught:
            async with build(config(asked), Memory(tmp_path, Recorder()), Recorder()):
                pass
    assert "a b" not in str(caught.value)


@pytest.mark.parametrize("shares", [True, False])
async def test_a_critic_alone_needs_nothing_of_the_generator(
    shares: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FAL_KEY", raising=False)
    heard = Recorder()
    async with Wire() as server:
        settings: dict[str, Any] = {"generator": {"backend": "fal"}, "critic": {"backend": "hybrid"}}
        if shares:
            settings["reasoner"] = {"backend": "openai", "base_url": server.url}
        else:
            settings["critic"]["endpoint"] = {"base_url": server.url}
        with pytest.raises(ConfigError, match="FAL_KEY"):
            endpoints(check(settings))
        async with build_judges(check(settings), Memory(tmp_path, heard), heard, tmp_path) as judges:
            assert judges.critic.id.startswith("signals/1+vlm/1 tiny-cosmos3-reasoner")
            assert judges.comparer is not None
    (told,) = [e for e in heard.events if isinstance(e, ServerReady)]
    assert told.part == ("reasoner" if shares else "critic")


async def test_an_embedded_critic_alone_asks_nobody(tmp_path: Path) -> None:
    settings = check({"reasoner": {"backend": "openai", "base_url": "http://127.0.0.1:9"}})
    async with build_judges(settings, Memory(tmp_path, Recorder()), Recorder(), tmp_path) as judges:
        assert (judges.critic.id, judges.comparer) == ("signals/1", None)
