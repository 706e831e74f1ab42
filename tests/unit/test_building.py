"""How a config's parts are put together: which server each asks, and what is said where one is missing."""

import pytest

from agent.building import BASE_URL, endpoints
from agent.errors import ConfigError
from agent.reading import load_config
from reasoner.chat.config import EndpointConfig


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
