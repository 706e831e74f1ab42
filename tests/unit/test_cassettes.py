"""Our readers on what a real vLLM answered (recorded by `python -m tests.real.record`)."""

from pathlib import Path

import httpx
import pytest

from critic.types import Critique, WrittenRubric
from reasoner.caption import StructuredCaption
from reasoner.chat.client import Chat
from reasoner.chat.config import EndpointConfig
from reasoner.chat.types import Message, Sampling
from reasoner.types import Caption
from tests.cassette import FOLDER, MODEL, Player
from tests.sessions import SESSIONS


async def replayed(name: str, folder: Path) -> Caption | WrittenRubric | Critique:
    async with httpx.AsyncClient(transport=Player(name)) as client:
        chat = Chat(client, EndpointConfig(base_url="http://127.0.0.1:8000", model=MODEL))
        await chat.connect()
        return await SESSIONS[name](chat, folder)


async def test_upsample(tmp_path: Path) -> None:
    caption = await replayed("upsample", tmp_path)
    assert isinstance(caption, Caption)
    assert caption.source == "upsample"
    assert StructuredCaption.parse(caption.prompt) == caption.structured
    assert caption.usage.completion_tokens > 100


async def test_rewrite(tmp_path: Path) -> None:
    caption = await replayed("rewrite", tmp_path)
    assert isinstance(caption, Caption)
    assert caption.source == "rewrite"
    assert caption.diagnosis


async def test_checklist(tmp_path: Path) -> None:
    written = await replayed("checklist", tmp_path)
    assert isinstance(written, WrittenRubric)
    assert len(written.rubric.criteria) >= 6


async def test_judge(tmp_path: Path) -> None:
    critique = await replayed("judge", tmp_path)
    assert isinstance(critique, Critique)
    assert {score.method for score in critique.scores} <= {"logprobs", "inherited"}
    assert len({score.value for score in critique.scores}) > 1
    assert critique.usage.cached_tokens > 0


async def test_what_was_not_recorded_fails() -> None:
    async with httpx.AsyncClient(transport=Player("checklist")) as client:
        chat = Chat(client, EndpointConfig(base_url="http://127.0.0.1:8000", model=MODEL))
        await chat.connect()
        with pytest.raises(AssertionError, match="record again"):
            await chat.ask([Message(role="user", content="Who are you?")], sampling=Sampling.greedy(1))


def test_cassettes_are_small_and_hold_no_secret() -> None:
    names = {path.stem for path in FOLDER.glob("*.json")}
    assert names == set(SESSIONS)
    for path in FOLDER.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert len(text) < 200_000
        for unwanted in ("test-key", "base64", *(f"/{folder}/" for folder in ("tmp", "home", "root"))):
            assert unwanted not in text
