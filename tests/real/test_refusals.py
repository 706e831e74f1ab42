"""What a real server refuses, and what our client makes of it."""

import asyncio

import pytest

from agent.http import http_client
from reasoner.chat.client import Chat
from reasoner.chat.types import ChatError, Message, Refused, Sampling, TooLong, Unauthorized, WrongModel
from tests.real.conftest import KEY, Server

HELLO = [Message(role="user", content="Is the sea grey?")]


async def failure(server: Server, key: str | None, **changes: object) -> ChatError:
    async with http_client() as client:
        with pytest.raises(ChatError) as caught:
            await Chat(client, server.config.model_copy(update=changes), key).connect()
    return caught.value


@pytest.mark.parametrize("key", ["another-key", None])
async def test_a_wrong_or_missing_key(server: Server, key: str | None) -> None:
    error = await failure(server, key)
    assert isinstance(error, Unauthorized)
    assert "api_key_env" in str(error)
    assert "another-key" not in str(error)


async def test_an_unknown_model(server: Server) -> None:
    error = await failure(server, KEY, model="another-model")
    assert isinstance(error, WrongModel)
    assert str(server.config.model) in str(error)


async def test_a_prompt_longer_than_the_context(chat: Chat) -> None:
    assert chat.context
    with pytest.raises(TooLong):
        await chat.ask([Message(role="user", content="grey sea " * chat.context)], sampling=Sampling.greedy(8))
    assert (await chat.ask(HELLO, sampling=Sampling.greedy(8))).text


async def test_a_reply_longer_than_the_context_is_lowered_to_what_is_left(chat: Chat) -> None:
    assert chat.context
    words = [Message(role="user", content="grey sea " * (chat.context // 12))]
    reply = await chat.ask(words, sampling=Sampling.greedy(chat.context), choices=["Yes", "No"])
    assert reply.text in {"Yes", "No"}


async def test_more_probabilities_than_are_given(chat: Chat) -> None:
    with pytest.raises(Refused) as caught:
        await chat.ask(HELLO, sampling=Sampling.greedy(1), choices=["Yes", "No"], top_logprobs=30)
    assert caught.value.status == 400
    assert "logprobs" in str(caught.value)


async def test_sixteen_questions_at_once_answer_as_one_alone(chat: Chat) -> None:
    questions = [[Message(role="user", content=f"Is it {n} o'clock?")] for n in range(16)]

    async def ask(question: list[Message]) -> dict[str, float]:
        reply = await chat.ask(question, sampling=Sampling.greedy(1), choices=["Yes", "No"], top_logprobs=20)
        assert reply.first_token
        return {token.token: token.logprob for token in reply.first_token}

    together = await asyncio.gather(*map(ask, questions))
    alone = [await ask(question) for question in questions]
    for one, other in zip(together, alone, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
