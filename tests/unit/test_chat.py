"""What `Chat` makes of a server that answers well, badly, late, or not at all."""

import asyncio
import json
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from agent.http import http_client
from reasoner.chat.client import Chat
from reasoner.chat.config import EndpointConfig
from reasoner.chat.types import (
    Busy,
    ChatError,
    Image,
    Message,
    Refused,
    Reply,
    Sampling,
    ServerDown,
    ServerFailed,
    Text,
    TooLong,
    Unauthorized,
    Video,
    WrongModel,
)
from reasoner.chat.wire import base_of, root_of
from tests.wire import DROP, HANG, MODEL, Answer, Wire, completion, error

KEY = "sk-very-secret-0123"
HELLO = (Message(role="user", content="Hello?"),)
GREEDY = Sampling.greedy(16)


@asynccontextmanager
async def connected(server: Wire, key: str | None = None, **settings: Any) -> AsyncIterator[Chat]:
    async with http_client(backoff_seconds=0.002) as client:
        config = EndpointConfig(**{"base_url": server.url, "timeout_seconds": 30.0, **settings})
        chat = Chat(client, config, key)
        await chat.connect()
        yield chat


async def ask(chat: Chat, **settings: Any) -> Reply:
    return await chat.ask(HELLO, **{"sampling": GREEDY, **settings})


async def failure(server: Wire, key: str | None = None, **settings: Any) -> ChatError:
    async with connected(server, key, **settings) as chat:
        with pytest.raises(ChatError) as caught:
            await ask(chat)
    return caught.value


async def test_knows_the_server_after_connecting() -> None:
    async with Wire(max_model_len=8192) as server, connected(server) as chat:
        assert (chat.model, chat.version, chat.context) == (MODEL, "0.30.0", 8192)
        assert chat.url == f"{server.url}/v1"


async def test_a_server_without_version_or_metrics_is_taken() -> None:
    async with Wire() as server:
        server.paths |= {"/version": Answer(404), "/metrics": Answer(500)}
        async with connected(server) as chat:
            assert chat.version == ""
            assert await chat.cache() is None
            assert (await ask(chat)).text == "ok"


async def test_body_carries_what_was_asked() -> None:
    video = Video(url="data:video/jpeg;base64,AAAA,BBBB", io={"fps": 24, "frames_indices": [0, 6]})
    still = Image(data=b"\xff\xd8jpeg")
    messages = (
        Message(role="system", content="Be brief."),
        Message(role="user", content=(video, still, Text(text="Red?"))),
    )
    schema = {"type": "object", "title": "the caption!"}
    sampling = Sampling(temperature=0.5, top_p=None, max_tokens=9, seed=None)
    async with Wire() as server, connected(server, KEY) as chat:
        await chat.ask(messages, sampling=sampling, schema=schema, choices=("Yes", "No"), top_logprobs=20)
        body, headers = server.chats[0], server.heard[-1].headers
    assert headers["authorization"] == f"Bearer {KEY}"
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "video_url", "video_url": {"url": "data:video/jpeg;base64,AAAA,BBBB"}},
                {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9hqcGVn"}},
                {"type": "text", "text": "Red?"},
            ],
        },
    ]
    assert body["media_io_kwargs"] == {"video": {"fps": 24, "frames_indices": [0, 6]}}
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "the_caption_", "schema": schema, "strict": True},
    }
    assert body["structured_outputs"] == {"choice": ["Yes", "No"]}
    assert (body["logprobs"], body["top_logprobs"]) == (True, 20)
    assert {"temperature", "max_tokens", "top_k", "presence_penalty", "repetition_penalty"} <= set(body)
    assert not {"top_p", "seed", "min_p"} & set(body)


async def test_plain_question_has_nothing_to_spare() -> None:
    async with Wire() as server, connected(server) as chat:
        await ask(chat)
        assert set(server.chats[0]) == {"model", "messages", "temperature", "max_tokens"}
        assert "authorization" not in server.heard[-1].headers


async def test_reply_is_read_whole() -> None:
    usage = {"prompt_tokens": 300, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 288}}
    answer = completion("Yes", first={"Yes": 0.75, "No": 0.25, "%": 0}, finish_reason="length", usage=usage)
    async with Wire(lambda _: answer) as server, connected(server) as chat:
        reply = await ask(chat, top_logprobs=3)
    assert (reply.text, reply.finish_reason, reply.model, reply.from_reasoning) == ("Yes", "length", MODEL, False)
    assert reply.first_token is not None
    first = {item.token: math.exp(item.logprob) for item in reply.first_token}
    assert first == pytest.approx({"Yes": 0.75, "No": 0.25})
    assert (reply.usage.calls, reply.usage.prompt_tokens, reply.usage.completion_tokens) == (1, 300, 7)
    assert reply.usage.cached_tokens == 288
    assert 0 < reply.usage.seconds < 30


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
async def test_reasoning_stands_in_for_empty_content(name: str) -> None:
    fields: dict[str, Any] = {name: "thought"}
    answers = [completion(None, **fields), completion("said", **fields)]
    async with Wire(lambda _: answers.pop(0)) as server, connected(server) as chat:
        aside, said = await ask(chat), await ask(chat)
    assert (aside.text, aside.from_reasoning) == ("thought", True)
    assert (said.text, said.from_reasoning) == ("said", False)


async def test_a_call_has_a_time_limit() -> None:
    async with Wire() as server, connected(server, timeout_seconds=0.6) as chat, asyncio.timeout(60):
        server.script(HANG)
        began = time.monotonic()
        with pytest.raises(ChatError) as raised:
            await ask(chat)
        assert time.monotonic() - began > 0.5
    caught = raised.value
    assert isinstance(caught, ServerDown)
    assert "within 0.6 s" in str(caught)
    assert "timeout_seconds" in str(caught)
    assert len(server.chats) == 1, "a server that is at work is not asked twice"


async def test_waiting_for_a_slot_is_not_in_the_time_limit() -> None:
    slow = Wire(lambda _: Answer(delay=0.25, body=completion("ok").body))
    async with slow as server, connected(server, concurrency=1, timeout_seconds=1.0) as chat:
        replies = await asyncio.gather(*(ask(chat) for _ in range(5)))
    assert [reply.text for reply in replies] == ["ok"] * 5


async def test_retry_after_is_waited_for() -> None:
    async with Wire() as server, connected(server) as chat:
        server.script(error(429, "slow down", headers={"Retry-After": "1"}))
        assert (await ask(chat)).text == "ok"
        first, second = (heard.at for heard in server.heard[-2:])
    assert second - first > 0.95


@pytest.mark.parametrize("status", [429, 503])
async def test_busy_for_good(status: int) -> None:
    async with Wire(lambda _: error(status, "overloaded")) as server:
        caught = await failure(server)
    assert isinstance(caught, Busy)
    assert "overloaded" in str(caught)
    assert len(server.chats) == 4


async def test_busy_three_times_then_well() -> None:
    async with Wire() as server, connected(server) as chat:
        server.script(*[error(503, "loading")] * 3)
        assert (await ask(chat)).text == "ok"


async def test_a_failure_is_not_repeated_and_the_dead_connection_after_it_is_survived() -> None:
    async with Wire() as server, connected(server) as chat:
        server.script(Answer(500, {"error": {"message": "EngineCore died", "code": 500}}, drop="after"))
        with pytest.raises(ServerFailed, match="EngineCore died"):
            await ask(chat)
        assert len(server.chats) == 1
        assert (await ask(chat)).text == "ok"


@pytest.mark.parametrize("drop", [DROP, Answer(body=completion("half").body, drop="middle")])
async def test_a_dropped_connection_is_tried_again(drop: Answer) -> None:
    async with Wire() as server, connected(server) as chat:
        server.script(drop)
        assert (await ask(chat)).text == "ok"
        assert len(server.chats) == 2


async def test_a_connection_dropped_every_time() -> None:
    async with Wire(lambda _: DROP) as server:
        caught = await failure(server)
    assert isinstance(caught, ServerDown)
    assert server.url in str(caught)
    assert len(server.chats) == 4


async def test_nobody_there() -> None:
    async with Wire() as server:
        pass
    with pytest.raises(ServerDown, match=r"Start it, or set reasoner.serve or base_url") as caught:
        async with connected(server):
            pass
    assert server.url in str(caught.value)


@pytest.mark.parametrize(
    ("key", "variable", "words"),
    [
        (None, None, "Set api_key_env"),
        (None, "RETAKE_TEST_KEY", "RETAKE_TEST_KEY, which api_key_env names, is not set"),
        (KEY, "RETAKE_TEST_KEY", "RETAKE_TEST_KEY, which api_key_env names, is set, but"),
    ],
)
async def test_without_the_right_key(key: str | None, variable: str | None, words: str) -> None:
    async with Wire(key="another") as server:
        with pytest.raises(Unauthorized) as caught:
            async with connected(server, key, api_key_env=variable):
                pass
    assert words in str(caught.value)
    assert "Unauthorized" in str(caught.value)
    assert KEY not in str(caught.value)


SHAPES: dict[str, tuple[Any, str]] = {
    "string": ({"error": "no such thing"}, "no such thing"),
    "object": ({"error": {"message": "no such thing", "param": "logprobs", "code": 400}}, "no such thing"),
    "detail": ({"detail": "no such thing"}, "no such thing"),
    "detail list": ({"detail": [{"loc": ["body"], "msg": "no such thing"}]}, "no such thing"),
    "top": ({"object": "error", "message": "no such thing"}, "no such thing"),
    "text": ("<html>no such thing</html>", "no such thing"),
    "list": (["no such thing"], "no such thing"),
    "empty": (b"", "was refused (400)"),
    "bytes": (b"\xff\xfe\x00", "was refused (400)"),
    "null": ({"error": None}, "was refused (400)"),
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_error_shapes(shape: str) -> None:
    body, words = SHAPES[shape]
    async with Wire(lambda _: Answer(400, body)) as server:
        caught = await failure(server)
    assert isinstance(caught, Refused)
    assert words in str(caught)
    assert caught.status == 400
    assert caught.param == ("logprobs" if shape == "object" else None)
    assert len(server.chats) == 1


async def test_messages_are_cut_and_without_key_or_media() -> None:
    blob = "QUJD" * 500
    echo = f"cannot read data:image/jpeg;base64,{blob}== sent with {KEY}; input {blob} " + "words " * 200
    for answer in (error(400, echo), Answer(401, {"error": echo}), Answer(200, echo), Answer(500, echo)):
        async with Wire(lambda _, answer=answer: answer) as server:  # type: ignore[misc]
            caught = await failure(server, KEY, api_key_env="RETAKE_TEST_KEY")
        assert KEY not in str(caught)
        assert "QUJD" not in str(caught)
        assert "cannot read" in str(caught)
        assert len(str(caught)) < 700


@pytest.mark.parametrize(
    "body",
    ["<html>hello</html>", b"", {"choices": []}, {"choices": [{"message": None}]}, [], {"object": "list"}, "[" * 9000],
    ids=["html", "empty", "no choice", "no message", "list", "other", "deep"],
)
async def test_a_good_status_with_no_completion(body: Any) -> None:
    async with Wire(lambda _: Answer(200, body)) as server:
        caught = await failure(server)
    assert isinstance(caught, ServerFailed)
    assert "no chat completion" in str(caught)


async def test_a_body_that_cannot_be_unpacked() -> None:
    async with Wire(lambda _: Answer(200, b"not gzip", {"Content-Encoding": "gzip"})) as server:
        assert isinstance(await failure(server), ServerFailed)


@pytest.mark.parametrize(
    "loose",
    [
        {"usage": None},
        {"usage": {"prompt_tokens": "7", "completion_tokens": -1, "prompt_tokens_details": {"cached_tokens": None}}},
        {"usage": []},
    ],
)
async def test_odd_usage_counts_as_nothing(loose: dict[str, Any]) -> None:
    body = completion("ok").body
    assert isinstance(body, dict)
    async with Wire(lambda _: Answer(body=body | loose)) as server, connected(server) as chat:
        reply = await ask(chat)
    assert (reply.usage.calls, reply.usage.prompt_tokens, reply.usage.cached_tokens) == (1, 0, 0)


INPUT_TOO_LONG = (
    "This model's maximum context length is 8192 tokens. However, you requested {} output tokens and your prompt "
    "contains at least {} input tokens, for a total of at least 8193 tokens."
)


async def test_max_tokens_is_lowered_to_half_the_context() -> None:
    async with Wire(max_model_len=8192) as server, connected(server) as chat:
        await ask(chat, sampling=Sampling())
        await ask(chat, sampling=Sampling(max_tokens=4000))
        assert [body["max_tokens"] for body in server.chats] == [4096, 4000]


def fits(most: int) -> Any:
    def reply(body: dict[str, Any]) -> str | Answer:
        wanted = body["max_tokens"]
        if wanted <= most:
            return "ok"
        return error(400, INPUT_TOO_LONG.format(wanted, 8193 - wanted), param="input_tokens")

    return reply


async def test_a_long_question_is_asked_once_more_with_room_for_less() -> None:
    async with Wire(fits(3000), max_model_len=8192) as server, connected(server) as chat:
        assert (await ask(chat, sampling=Sampling())).text == "ok"
        assert [body["max_tokens"] for body in server.chats] == [4096, 2048]


async def test_a_question_that_cannot_fit() -> None:
    async with Wire(fits(0), max_model_len=8192) as server, connected(server) as chat:
        with pytest.raises(TooLong, match="Ask with less"):
            await ask(chat, sampling=Sampling())
        assert len(server.chats) == 2
        with pytest.raises(TooLong):
            await ask(chat)
        assert len(server.chats) == 3, "no room is won from a short reply"


async def test_what_is_left_is_used_where_the_server_counts() -> None:
    def reply(body: dict[str, Any]) -> str | Answer:
        said = "This model's maximum context length is 8192 tokens and your request has 7000 input tokens"
        return "ok" if body["max_tokens"] <= 1192 else error(400, f"max_tokens too large. {said}", param="max_tokens")

    async with Wire(reply) as server:
        server.paths["/v1/models"] = Answer(body={"data": [{"id": MODEL}]})  # no context told
        async with connected(server) as chat:
            assert (await ask(chat, sampling=Sampling())).text == "ok"
        assert [body["max_tokens"] for body in server.chats] == [20_000, 1192]


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_too_long_in_other_words(status: int) -> None:
    async with Wire(lambda _: Answer(status, {"detail": "longer than the maximum model length of 8192"})) as server:
        assert isinstance(await failure(server), TooLong)


async def test_an_unknown_model() -> None:
    async with Wire() as server:
        server.served = {"one": "/1", "two": "/2"}
        with pytest.raises(WrongModel, match=r"no model 'three'. It has one, two"):
            async with connected(server, model="three"):
                pass


async def test_a_model_gone_since() -> None:
    async with Wire(lambda _: error(404, "The model `x` does not exist.", param="model")) as server:
        caught = await failure(server)
    assert isinstance(caught, WrongModel)
    assert MODEL in str(caught)


async def test_a_wrong_path() -> None:
    async with Wire(lambda _: Answer(404, {"detail": "Not Found"})) as server:
        caught = await failure(server)
    assert isinstance(caught, Refused)
    assert "Check base_url" in str(caught)


@pytest.mark.parametrize("answered", ["mini", "alias", "/models/mini", "mini-2026-01-31", "mini@20260131"])
async def test_other_names_of_the_same_model(answered: str) -> None:
    async with Wire(lambda _: completion("ok", model=answered)) as server:
        server.served = {"mini": "/models/mini", "alias": "/models/mini"}
        async with connected(server) as chat:
            assert (await ask(chat)).model == answered


@pytest.mark.parametrize("answered", ["other", "mini-large", "minimal", "another"])
async def test_an_answer_of_another_model(answered: str) -> None:
    async with Wire(lambda _: completion("ok", model=answered)) as server:
        server.served = {"mini": "/models/mini", "other": "/models/other"}
        caught = await failure(server)
    assert isinstance(caught, WrongModel)
    assert repr(answered) in str(caught)


async def test_no_more_questions_at_once_than_allowed() -> None:
    slow = Wire(lambda _: Answer(delay=0.05, body=completion("ok").body))
    async with slow as server, connected(server, concurrency=3) as chat:
        await asyncio.gather(*(ask(chat) for _ in range(9)))
    assert server.most_at_once == 3


async def test_a_cancelled_question_gives_its_slot_back() -> None:
    async with Wire() as server, connected(server, concurrency=1) as chat:
        server.script(HANG)
        hung = asyncio.create_task(ask(chat))
        while not server.chats:
            await asyncio.sleep(0.005)
        hung.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hung
        assert (await ask(chat)).text == "ok"


async def test_cache_readings_add_up() -> None:
    async with Wire() as server:
        server.cache = (1000, 640)
        async with connected(server) as chat:
            assert await chat.cache() == (1000, 640)
            server.cache = (1500, 900)
            readings = await asyncio.gather(*(chat.cache_since() for _ in range(3)))
            assert sum(item.cache_queries for item in readings) == 500
            assert sum(item.cache_hits for item in readings) == 260
            server.cache = None
            assert (await chat.cache_since()).cache_queries == 0
            server.cache = (200, 50)  # started anew
            assert ((since := await chat.cache_since()).cache_queries, since.cache_hits) == (200, 50)


async def test_a_reading_that_takes_long_is_no_new_server() -> None:
    async with Wire() as server:
        server.cache = (1000, 640)
        async with connected(server) as chat:
            go, asked = asyncio.Event(), len(server.heard)
            server.paths["/metrics"] = Answer(body=server._metrics(), after=go)
            slow = asyncio.create_task(chat.cache_since())
            while len(server.heard) == asked:
                await asyncio.sleep(0.005)
            del server.paths["/metrics"]
            server.cache = (1500, 900)
            quick = asyncio.create_task(chat.cache_since())
            await asyncio.sleep(0.02)
            go.set()
            readings = await asyncio.gather(slow, quick)
    assert sum(item.cache_queries for item in readings) == 500


async def test_cache_of_an_alias_is_the_models() -> None:
    async with Wire() as server:
        server.served, server.cache = {"first": "/m", "alias": "/m"}, (10, 5)
        async with connected(server, model="alias") as chat:
            assert await chat.cache() == (10, 5)


async def test_metrics_that_are_no_metrics() -> None:
    async with Wire() as server, connected(server) as chat:
        for page in (b"", b"<html>", b"vllm:prefix_cache_queries_total{", b"vllm:prefix_cache_hits_total NaN\n"):
            server.paths["/metrics"] = Answer(body=page)
            assert await chat.cache() is None


@pytest.mark.parametrize("suffix", ["", "/", "/v1", "/v1/", "/v1/chat/completions"])
async def test_base_url_as_it_is_pasted(suffix: str) -> None:
    async with Wire() as server, connected(server, base_url=server.url + suffix) as chat:
        assert (await ask(chat)).text == "ok"
        assert chat.version == "0.30.0"


@pytest.mark.parametrize(
    "base_url",
    ["http://me:secret@host:1", "localhost:8000", "ftp://host", "http://", "http://host/v1?a=b", "", "http://h:x"],
)
def test_base_url_that_is_none(base_url: str) -> None:
    with pytest.raises(ValueError, match="base_url") as caught:
        base_of(base_url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "base", "root"),
    [
        ("http://h:8000", "http://h:8000/v1", "http://h:8000"),
        ("https://api.example/openai/v1/", "https://api.example/openai/v1", "https://api.example/openai"),
        ("https://h/v2", "https://h/v2", "https://h"),
        ("https://h/compat/chat/completions", "https://h/compat", "https://h/compat"),
        ("http://[::1]:8000", "http://[::1]:8000/v1", "http://[::1]:8000"),
    ],
)
def test_where_the_endpoints_are(given: str, base: str, root: str) -> None:
    assert (base_of(given), root_of(base_of(given))) == (base, root)


async def test_a_key_that_no_header_carries_is_not_shown() -> None:
    async with httpx.AsyncClient() as client:
        with pytest.raises(ValueError, match="MY_KEY") as caught:
            Chat(client, EndpointConfig(base_url="http://h", api_key_env="MY_KEY"), "geheim\nüber")
    assert "geheim" not in str(caught.value)


async def test_a_lone_surrogate_reaches_the_server() -> None:
    async with Wire() as server, connected(server) as chat:
        await chat.ask([Message(role="user", content="a\ud800b")], sampling=GREEDY)
        assert json.loads(server.heard[-1].body)["messages"][0]["content"] == "a\ud800b"
