"""A server that cannot start, for real."""

from pathlib import Path

import pytest

from agent.errors import ServingError
from agent.http import http_client
from agent.serving import served
from tests.ports import free_port
from tests.real.conftest import KEY, MARK, marked, serve_config
from tests.real.provision import Provided


@pytest.mark.parametrize(
    ("arguments", "cure"),
    [
        (
            ("--hf-overrides", '{"architectures":["Cosmos3ReasonerForConditionalGeneration"]}'),
            "take --hf-overrides out of serve.extra_args",
        ),
        (("--no-such-argument",), "--no-such-argument"),
    ],
    ids=["the plug-in's architecture name", "an unknown argument"],
)
async def test_a_failed_start_says_the_cure(
    provided: Provided, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], cure: str
) -> None:
    for name, value in (provided.variables() | {MARK: str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    config = serve_config(provided, free_port(), *arguments)
    async with http_client() as client:
        with pytest.raises(ServingError) as caught:
            async with served(config, KEY, client, tmp_path / "vllm.log", lambda _seconds, _line: None):
                pytest.fail("it started")
    assert cure in str(caught.value)
    assert KEY not in str(caught.value)
    assert marked(str(tmp_path)) == []
