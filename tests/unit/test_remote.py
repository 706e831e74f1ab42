"""The client of our own server: what of a config is sent, how a stream is read, and servers that misbehave."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agent import refine_and_generate
from agent.config import RunConfig
from agent.errors import ConfigError, IntakeError, NoCandidateError, RetakeError, ServingError
from agent.events import Event, ServerReady, ServerWaiting
from agent.reading import load_config
from agent.remote.answers import Problem, failure
from agent.remote.files import fetched
from agent.remote.following import Listener, follow
from agent.remote.run import refined
from agent.remote.server import Link, Server
from agent.remote.sse import Message, messages
from agent.remote.wish import CARRIED, wished
from agent.server.runs.body import RunBody

QUICKSTART = Path(__file__).parents[2] / "configs" / "quickstart.yaml"


def test_what_a_config_names_is_sent_and_nothing_else() -> None:
    assert wished(RunConfig()) == {}
    named = {
        "request": {"seed": 7, "size": "320x192", "negative_prompt": ""},
        "budget": {"max_renders": 3, "patience": None, "early_stop": True},
        "search": {"draft": None, "pairwise": {"margin": 0.1}, "racing": False},
        "critic": {"accept_at": 0.5},
        "output": {"sound": False, "dir": "somewhere"},
    }
    assert wished(RunConfig.model_validate(named)) == {
        "seed": 7,
        "size": "320x192",
        "negative_prompt": "",
        "max_renders": 3,
        "early_stop": True,
        "draft": "none",
        "pairwise": {"margin": 0.1, "most": 4},
        "racing": False,
        "accept_at": 0.5,
        "keep_sound": False,
    }


def test_the_quickstart_can_be_sent() -> None:
    body = wished(load_config(QUICKSTART))
    assert RunBody.model_validate({**body, "prompt": "x"}).seed == 7
    assert body["draft"] == "none"


def test_every_key_is_sent_or_refused_and_every_field_of_the_wire_is_known() -> None:
    wire = {name for keys in CARRIED.values() for name in keys.values()}
    beside = {"prompt", "model", "image", "video", "controls", "agentic", "safety_checker"}
    beside |= {"priority", "webhook", "start_within_seconds", "keep_seconds"}
    assert set(RunBody.model_fields) == wire | beside
    for section, keys in CARRIED.items():
        known = type(getattr(RunConfig(), section)).model_fields
        assert keys.keys() <= known.keys()
        for key, name in keys.items():
            ours, theirs = known[key], RunBody.model_fields[name]
            assert {str(m) for m in ours.metadata} - {"Strict(strict=False)"} <= {str(m) for m in theirs.metadata}, name


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ({"generator": {"backend": "nim"}}, "generator.backend: "),
        (
            {"generator": {"concurrency": 4}, "critic": {"concurrency": 3}},
            "generator.concurrency, critic.concurrency: ",
        ),
        ({"critic": {"threshold_file": "t.yaml"}}, "critic.threshold_file: "),
        ({"critic": {"accept_at": None}}, "critic.accept_at: null (give budget.early_stop: false): "),
        ({"search": {"draft_correlation": "d.yaml"}}, "search.draft_correlation: "),
        ({"request": {"image_fetch": {"allow_private_addresses": True}}}, "request.image_fetch: "),
    ],
)
def test_what_a_server_decides_is_refused_by_its_keys(config: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigError) as refused:
        wished(RunConfig.model_validate(config))
    assert str(refused.value).startswith(named)


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ("127.0.0.1:8000", "must be an address"),
        ("ftp://host", "must be an address"),
        ("http://user:secret@host", "give no user name or password"),
        ("http://host/?key=1", "must be an address"),
        ("", "must be an address"),
    ],
)
def test_an_address_that_is_none_is_refused_without_its_secrets(server: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        refine_and_generate("x", server=server)
    assert "secret" not in str(refused.value)


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RETAKE_API_KEY", raising=False)
    assert Server.at("http://host/").key is None
    monkeypatch.setenv("RETAKE_API_KEY", "one")
    monkeypatch.setenv("OTHER", "two")
    server = Server.at("http://host/prefix/", "OTHER")
    assert (server.url, server.key, Server.at("http://host").key) == ("http://host/prefix", "two", "one")
    assert "two" not in repr(server)
    for name in ("NOT_SET", "sk-a-key"):
        with pytest.raises(ConfigError, match="environment variable"):
            Server.at("http://host", name)
    with pytest.raises(ConfigError, match="server_model: goes with server"):
        refine_and_generate("x", server_model="other")


async def _chunks(data: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


@pytest.mark.parametrize("size", [1, 7, 4096])
async def test_a_stream_is_read_however_it_is_cut(size: int) -> None:
    text = ': hello\n\nid: 4\nevent: a\ndata: {"x": "\u2028\x85é"}\n\n'
    text += "event: b\r\ndata: 1\r\ndata:2\r\n\r\nid: x\n\ndata: cut"
    found = [message async for message in messages(_chunks(text.encode(), size))]
    assert found == [Message("a", '{"x": "\u2028\x85é"}', 4), Message("b", "1\n2", None)]


def _view(state: str, **more: Any) -> str:
    return json.dumps({"id": "run-1", "state": state, "model": "m", **more})


def _server(app: Starlette) -> Link:
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server")
    return Link(Server("http://server", key="secret-key", reaching=1.0, patience=1.0), client)


class Scripted:
    """A server that gives one answer after the other, and remembers what it was asked."""

    def __init__(self, answers: Sequence[Response]) -> None:
        self._answers: Iterator[Response] = iter(answers)
        self.asked: list[Request] = []
        methods = ["GET", "POST"]
        self.app = Starlette(routes=[Route("/{path:path}", self._answer, methods=methods)])

    async def _answer(self, request: Request) -> Response:
        self.asked.append(request)
        return next(self._answers)


def _stream(*lines: str) -> Response:
    return Response("".join(lines), media_type="text/event-stream")


async def test_a_stream_that_breaks_is_asked_again_from_where_it_was() -> None:
    server = Scripted(
        [
            _stream(f"event: state\ndata: {_view('queued', position=2)}\n\n"),
            _stream(
                f"event: state\ndata: {_view('running')}\n\n", 'id: 1\nevent: x\ndata: {"type": "x"}\n\nid: 2\ndata: {'
            ),
            Response(status_code=503),
            _stream('id: 2\nevent: y\ndata: {"type": "y"}\n\n', f"event: end\ndata: {_view('completed')}\n\n"),
        ]
    )
    heard: list[str] = []
    events: list[Event] = []
    listener = Listener("http://server", Path("here"), events.append)

    def hear(message: Message, told: Any) -> None:
        heard.append(message.type)
        listener(message, told)

    over = await follow(_server(server.app), "run-1", hear)
    assert over.state == "completed"
    assert heard == ["state", "lost", "state", "x", "lost", "lost", "y", "end"]
    assert [request.headers["last-event-id"] for request in server.asked] == ["0", "0", "1", "1"]
    assert {request.headers["authorization"] for request in server.asked} == {"Bearer secret-key"}
    waits = [event.line for event in events if isinstance(event, ServerWaiting)]
    assert waits[0] == "2 before it in its queue"
    assert waits[1].startswith("the connection was lost")
    assert sum(isinstance(event, ServerReady) for event in events) == 2


async def test_a_submission_whose_answer_is_lost_is_made_again_under_the_same_key(tmp_path: Path) -> None:
    failed = json.dumps({"status": 500, "type": "no_media_generated", "message": "nothing came"})
    server = Scripted(
        [
            Response(status_code=502),
            Response(status_code=429, headers={"retry-after": "0"}),
            Response(_view("queued"), 201),
            _stream(f"event: end\ndata: {_view('failed', problem=json.loads(failed))}\n\n"),
            JSONResponse({"data": []}),
        ]
    )
    with pytest.raises(NoCandidateError, match="nothing came") as error:
        await refined(_server(server.app), RunConfig(), "x", out=tmp_path / "out")
    assert error.value.folder == tmp_path / "out"
    submitted = [request for request in server.asked if request.method == "POST"]
    assert len(submitted) == 3
    assert len({request.headers["idempotency-key"] for request in submitted}) == 1


async def test_who_is_cancelled_takes_the_run_back_even_before_its_id_is_known(tmp_path: Path) -> None:
    asked: list[str] = []
    arrived = asyncio.Event()

    async def answer(request: Request) -> Response:
        asked.append(request.url.path)
        if len(asked) == 1:
            arrived.set()
            await asyncio.sleep(60)
        return Response(_view("queued"), 201)

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["POST"])])
    task = asyncio.create_task(refined(_server(app), RunConfig(), "x", out=tmp_path / "out"))
    await arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asked == ["/v1/runs", "/v1/runs", "/v1/runs/run-1/cancel"]


def _file(path: str, data: bytes, **other: Any) -> dict[str, Any]:
    told = {"path": path, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "url": "http://elsewhere/"}
    return {**told, **other}


async def test_files_are_held_against_what_was_told_of_them(tmp_path: Path) -> None:
    good, bad = Response(b"clip"), Response(b"clap")
    server = Scripted([JSONResponse({"data": [_file("clips/01-seed-7.mp4", b"clip")]}), bad, good])
    await fetched(_server(server.app), "run-1", tmp_path / "out")
    assert (tmp_path / "out/clips/01-seed-7.mp4").read_bytes() == b"clip"
    assert [path.name for path in (tmp_path / "out/clips").iterdir()] == ["01-seed-7.mp4"]
    assert {request.url.hostname for request in server.asked} == {"server"}  # whatever address it names
    server = Scripted([JSONResponse({"data": [_file("a.mp4", b"clip")]}), *[Response(b"clip and more")] * 9])
    with pytest.raises(ServingError, match=r"a\.mp4 does not come whole|cannot be reached"):
        await fetched(_server(server.app), "run-1", tmp_path / "other")
    assert list((tmp_path / "other").iterdir()) == []


@pytest.mark.parametrize("name", ["../up.mp4", "/etc/passwd", "a/../../b", "", ".hidden", "a\nb", "a/b/c/d/e", "~/x"])
async def test_no_file_of_a_server_leaves_the_folder(name: str, tmp_path: Path) -> None:
    server = Scripted([JSONResponse({"data": [_file(name, b"x")]}), Response(b"x")])
    with pytest.raises(ServingError, match="none of a run's"):
        await fetched(_server(server.app), "run-1", tmp_path / "out")
    assert [path.name for path in tmp_path.rglob("*")] in ([], ["out"])


async def test_another_kind_of_server_is_told_as_that(tmp_path: Path) -> None:
    answers: list[tuple[Response, str]] = [
        (Response("<html>hello</html>"), "does not answer as Retake's server does"),
        (Response("<html>no</html>", 404), "answered HTTP 404"),
        (JSONResponse({"error": {"type": "unauthorized", "message": "the key is wrong"}}, 401), "RETAKE_API_KEY"),
        (JSONResponse({"id": "../up", "state": "queued"}, 201), "does not answer as Retake's server does"),
        (JSONResponse({"detail": "no"}, 500), "its log says more"),
    ]
    for answer, words in answers:
        with pytest.raises(ServingError, match=words) as error:
            await refined(_server(Scripted([answer]).app), RunConfig(), "x", out=tmp_path / "out")
        assert "secret-key" not in str(error.value)


@pytest.mark.parametrize(
    ("problem", "kind", "words"),
    [
        ({"status": 422, "type": "image_too_small", "loc": ("image",)}, IntakeError, "request.image: why"),
        ({"status": 422, "type": "value_error", "loc": ("format",)}, ConfigError, "output.format: why"),
        ({"status": 422, "type": "content_policy_violation"}, ConfigError, "why"),
        ({"status": 503, "type": "downstream_service_unavailable"}, ServingError, "http://server: why (HTTP 503)"),
        ({"status": 500, "type": "no_media_generated"}, NoCandidateError, "why"),
    ],
)
def test_a_failed_run_is_the_error_that_it_would_be_here(
    problem: dict[str, Any], kind: type[RetakeError], words: str, tmp_path: Path
) -> None:
    error = failure(Problem(message="why", **problem), "http://server", tmp_path)
    assert type(error) is kind
    assert str(error).startswith(words)
