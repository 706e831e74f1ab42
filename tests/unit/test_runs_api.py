"""Our own API over the real queue and engine: one server and one small run for all of these tests."""

import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from agent import journal
from agent.config import RunConfig
from agent.errors import ConfigError, IntakeError, RunFolderError, ServingError
from agent.events import CandidateReady, Event, RunFinished, RunStarted, ServerReady
from agent.files import file_hash
from agent.remote.answers import Told
from agent.remote.following import follow
from agent.remote.run import refined
from agent.remote.server import Link, Server
from agent.remote.sse import Message, messages
from agent.run import Run
from agent.server.context import Context
from agent.server.loading import load
from agent.server.openapi import TAGS
from agent.server.places import Places
from agent.server.runs.files import Veil
from agent.server.runs.nouns import Files, Runs, RunView
from agent.server.runs.problems import Refusal, put
from agent.server.telling import payload
from agent.server.types import Caller, Problem
from tests.serving import in_process

pytestmark = pytest.mark.asyncio(loop_scope="module")
PROMPT = "A red ball rolls over grass.\u2028The camera pans left."
CONFIG = RunConfig.model_validate({"request": {"seed": 7}, "budget": {"max_iterations": 1, "samples_per_iteration": 1}})


@dataclass
class Made:
    """A server that has made one run, as its Python client handed it in."""

    client: httpx.AsyncClient
    context: Context
    link: Link
    run: Run
    told: list[Event]

    @property
    def id(self) -> str:
        return self.run.id


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def made(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Made]:
    folder = tmp_path_factory.mktemp("runs-api")
    told: list[Event] = []
    async with in_process(folder / "server") as (client, context):
        link = Link(Server("http://127.0.0.1:8000", patience=5), client)
        run = await refined(link, CONFIG, PROMPT, out=folder / "here", on_event=told.append)
        yield Made(client, context, link, run, told)


@pytest.mark.thorough
async def test_a_run_of_the_client_lies_here_as_one_made_here(made: Made) -> None:
    run, its = made.run, made.context.served.folder / made.id
    assert run.folder.name == "here"
    assert run.video == run.folder / "video.mp4"
    assert run.request.prompt == PROMPT
    assert run == journal.load(its).model_copy(update={"folder": run.folder}) or run.score == journal.load(its).score
    for name in ("video.mp4", "clips/01-seed-7.mp4"):
        assert file_hash(run.folder / name) == file_hash(its / name)
    assert (run.folder / "report.html").exists()
    assert not (run.folder / "config.yaml").exists()
    kinds = [type(event) for event in made.told]
    assert kinds[0] is ServerReady
    assert {RunStarted, CandidateReady, RunFinished} <= set(kinds)
    (started,) = (event for event in made.told if isinstance(event, RunStarted))
    assert started.run.folder == run.folder


async def test_a_view_is_as_it_is_documented(made: Made) -> None:
    answer = await made.client.get(f"/v1/runs/{made.id}")
    view = RunView.model_validate_json(answer.content)
    assert (view.state, view.dialect, view.model, view.position) == ("completed", "runs", "cosmos-3-super", None)
    assert view.result is not None
    assert view.result.video is not None
    assert (view.progress.renders, view.progress.done, view.result.score) == (1, 1.0, made.run.score)
    (candidate,) = view.result.candidates
    assert (candidate.iteration, candidate.seed, candidate.error) == (0, 7, None)
    for url in (view.result.video.url, candidate.url, view.result.report_url, view.urls.self, view.urls.files):
        assert url is not None
        assert (await made.client.get(url)).status_code == 200
    job = made.context.desk.find(made.id, Caller())
    assert job is not None
    status, told = payload(Places(made.context.served.folder), job)
    assert (status, RunView.model_validate(told)) == (200, view)
    page = await made.client.get(view.urls.report)
    assert (page.status_code, page.headers["location"]) == (307, view.result.report_url)


async def test_the_list_has_all_of_the_callers_runs_in_parts(made: Made) -> None:
    async def part(**query: Any) -> Runs:
        return Runs.model_validate_json((await made.client.get("/v1/runs", params=query)).content)

    whole = await part(states=["completed"], dialect="runs")
    assert made.id in [run.id for run in whole.data]
    assert (await part(dialect="nim")).data == []
    first = await part(limit=1, order="asc")
    assert len(first.data) == 1
    assert (first.next is None) == (not first.has_more)
    for _ in range(2):
        for host in ("127.0.0.1:8000", "localhost:8000"):
            told = [await made.client.get(f"/v1/runs{of}", headers={"Host": host}) for of in ("", f"/{made.id}")]
            listed = {run["id"]: run for run in told[0].json()["data"]}
            assert listed[made.id] == told[1].json(), "by whichever address it is asked for, also again"
            assert host in listed[made.id]["urls"]["self"]
    rest = await part(after=first.data[0].id, order="asc")
    assert first.data[0].id not in [run.id for run in rest.data]


async def heard(made: Made, query: str = "", **headers: str) -> list[Message]:
    answer = await made.client.get(f"/v1/runs/{made.id}/events{query}", headers=headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    return [message async for message in messages(answer.aiter_bytes())]


async def test_events_are_numbered_by_their_lines_and_go_on_after_any_of_them(made: Made) -> None:
    first, *told, last = await heard(made)
    lines = (made.context.served.folder / made.id / journal.EVENTS).read_bytes().split(b"\n")[:-1]
    assert [message.id for message in told] == list(range(1, len(lines) + 1))
    assert [json.loads(message.data) for message in told] == [json.loads(line) for line in lines]
    assert [message.type for message in told] == [json.loads(line)["type"] for line in lines]
    assert (first.type, last.type, last.id) == ("state", "end", None)
    assert RunView.model_validate_json(last.data).state == "completed"
    for rest in (await heard(made, "?after=3"), await heard(made, "?after=1", **{"Last-Event-ID": "3"})):
        assert rest[1:-1] == told[3:]
    assert [m.type for m in await heard(made, f"?after={len(lines) + 9}")] == ["state", "end"]
    refused = await made.client.get(f"/v1/runs/{made.id}/events", headers={"Last-Event-ID": "x"})
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "last-event-id")


async def test_files_are_listed_with_what_they_hold_and_no_others_are_given(made: Made) -> None:
    listed = Files.model_validate_json((await made.client.get(f"/v1/runs/{made.id}/files")).content).data
    assert {"run.json", "report.html", "video.mp4", "clips/01-seed-7.mp4"} <= {file.path for file in listed}
    for file in listed:
        answer = await made.client.get(file.url)
        assert (len(answer.content), hashlib.sha256(answer.content).hexdigest()) == (file.bytes, file.sha256)
        assert answer.headers["content-type"].startswith(file.content_type)
        assert answer.headers["x-content-type-options"] == "nosniff"
    whole = (await made.client.get(f"/v1/runs/{made.id}/run")).text
    assert json.loads(whole)["result"]["score"] == made.run.score
    assert str(made.context.served.folder) not in whole
    for name in (
        "config.yaml",
        "events.jsonl",
        ".lock",
        "..%2F.server%2Fjobs.sqlite",
        "clips",
        "%00",
        "clips/../run.json%2F",
    ):
        assert (await made.client.get(f"/v1/runs/{made.id}/files/{name}")).status_code in {400, 404}, name


async def test_what_stands_behind_the_server_is_not_told(tmp_path: Path) -> None:
    address = "http://render.internal:8091"
    veil = Veil(
        load(None, ["generator.backend=vllm_omni", f"generator.endpoints=[{address}]", f"output.dir={tmp_path}"])
    )
    ready = json.dumps({"type": "server_ready", "url": f"{address}/v1", "log": f"{tmp_path}/x/server.log"})
    told = veil.event(ready) or ""
    assert json.loads(told)["type"] == "server_ready"
    assert "render.internal" not in told
    assert str(tmp_path) not in told
    waiting = veil.event(json.dumps({"type": "server_waiting", "part": "critic", "line": "loading /models/secret"}))
    assert json.loads(waiting or "") == {"type": "server_waiting", "part": "critic", "line": ""}
    assert veil.event(ready[:40]) is None


async def test_a_clip_is_answered_in_ranges(made: Made) -> None:
    whole = (await made.client.get(f"/v1/runs/{made.id}/clips/0/7")).content
    part = await made.client.get(f"/v1/runs/{made.id}/clips/0/7", headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole)}"
    beyond = await made.client.get(f"/v1/runs/{made.id}/clips/0/7", headers={"Range": f"bytes={len(whole)}-"})
    assert beyond.status_code == 416
    assert (await made.client.get(f"/v1/runs/{made.id}/clips/1/7")).status_code == 404


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"promt": "x"}, "promt: unknown field; did you mean prompt?"),
        ({"prompt": "x", "max_iteration": 1}, "max_iteration: unknown field; did you mean max_iterations?"),
        ({"prompt": "x", "draft": {"teir": "256p"}}, "draft.teir: unknown field; did you mean tier?"),
        ({"prompt": "x", "draft": "yes"}, "draft: input should be 'auto' or 'none', or an object such as {tier: …}"),
        ({"prompt": "x", "seed": "7"}, "seed: input should be a valid integer"),
        ({"prompt": ""}, "prompt: string should have at least 1 character"),
        ({"prompt": " \n"}, "prompt: is empty; say what should happen in the video"),
        ({"prompt": "x", "expand": True}, "expand: unknown field; known here: prompt, model, "),
        ({"prompt": "x", "generator": "fal"}, "generator: unknown field; who renders, writes and judges"),
        ({"prompt": "x", "budget": {"max_renders": 1}}, "budget: unknown field; what a config has in its section"),
        ({"prompt": "x", "model": "other"}, "model: 'other' is none of this server's: cosmos-3-super"),
        ({"prompt": "x", "num_frames": 4000}, "num_frames: 4000 is over the 397 frames"),
        ({"prompt": "x", "webhook": "ftp://a"}, "webhook: the address is none; write it as https://host/path"),
        ({"prompt": "x", "image": "cat.png"}, "image: "),
        ({"prompt": "x", "image": "data:text/plain,hello"}, "image: "),
        ({"prompt": "x", "image": "file:///etc/passwd"}, "image: "),
        ({"prompt": "x", "controls": [{"kind": "edge", "video": "nothing"}]}, "controls.0.video: "),
        ({"prompt": "x", "priority": 11}, "priority: input should be less than or equal to 10"),
        ([1], "body: must be a JSON object"),
    ],
)
async def test_what_is_wrong_is_told_with_its_field(made: Made, body: object, words: str) -> None:
    answer = await made.client.post("/v1/runs", content=json.dumps(body), headers={"content-type": "application/json"})
    error = Refusal.model_validate_json(answer.content).error
    assert answer.status_code == 422
    assert words in error.message
    assert error.field is not None


async def test_a_misspelt_parameter_of_the_list_is_refused(made: Made) -> None:
    for query, words in (
        ("state=failed", "query.state: unknown parameter; did you mean states?"),
        ("%3Cb%3E=1", "query.<b>: unknown parameter; known here: states, dialect, after, limit, order"),
    ):
        answer = await made.client.get(f"/v1/runs?{query}")
        error = Refusal.model_validate_json(answer.content).error
        assert (answer.status_code, error.field) == (422, words.partition(":")[0])
        assert words in error.message


async def test_a_hundred_thousand_unknown_fields_are_refused_at_once() -> None:
    fault: dict[str, object] = {"loc": ("body", "p" * 60), "msg": "Extra inputs", "type": "extra_forbidden"}
    unread: Any = None  # reading one of these would fail
    answer = put(Problem(status=422, type="value_error", message="wrong"), [fault] * 1000 + [unread] * 99_000)
    assert len(Refusal.model_validate_json(bytes(answer.body)).error.faults) == 16


async def test_what_is_no_json_is_told_so(made: Made) -> None:
    for body in (
        b'{"prompt":',
        b'{"prompt": "\\ud800"}',
        b'{"prompt": "x", "\\ud800": 1}',
        b'{"prompt": NaN}',
        b"[" * 5000,
    ):
        answer = await made.client.post("/v1/runs", content=body, headers={"content-type": "application/json"})
        assert answer.status_code in {400, 422}
        assert Refusal.model_validate_json(answer.content).error.message
    form = await made.client.post("/v1/runs", data={"prompt": "x"})
    assert (form.status_code, "Content-Type: application/json" in form.text) == (422, True)


async def test_a_request_sent_twice_is_one_run_and_can_be_taken_back(made: Made) -> None:
    async def submit(prompt: str) -> httpx.Response:
        # a run of many renders, so that it is there to be cancelled
        body = {"prompt": prompt, "max_iterations": 8, "samples_per_iteration": 8, "early_stop": False}
        return await made.client.post("/v1/runs", json=body, headers={"Idempotency-Key": "once"})

    first, second, other = await submit("a"), await submit("a"), await submit("b")
    its = RunView.model_validate_json(first.content)
    assert (first.status_code, first.headers["location"]) == (201, its.urls.self)
    assert second.json()["id"] == its.id
    assert (other.status_code, other.json()["error"]["type"]) == (422, "idempotency_key_reused")
    cancelled = await made.client.post(f"/v1/runs/{its.id}/cancel")
    assert cancelled.status_code in {200, 202}
    over = await follow(made.link, its.id)
    assert over.state == "cancelled"
    again = await made.client.post(f"/v1/runs/{its.id}/cancel")
    assert (again.status_code, again.json()["state"]) == (200, "cancelled")
    assert (await made.client.delete(f"/v1/runs/{its.id}")).json()["deleted"]
    gone = await made.client.get(f"/v1/runs/{its.id}")
    assert (gone.status_code, gone.json()["error"]["type"]) == (404, "not_found")
    assert (await made.client.delete(f"/v1/runs/{its.id}")).status_code == 404


async def test_keys_that_no_header_should_hold_are_refused(made: Made) -> None:
    for key in ("", "x" * 256, "a b"):
        answer = await made.client.post("/v1/runs", json={"prompt": "x"}, headers={"Idempotency-Key": key})
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, "header.idempotency-key")


async def test_errors_of_a_server_are_those_of_a_run_here(made: Made, tmp_path: Path) -> None:
    def config(**sections: Any) -> RunConfig:
        return RunConfig.model_validate(sections)

    with pytest.raises(ConfigError, match=r"^request\.num_frames: 4000 is over the 397 frames"):
        await refined(made.link, config(request={"num_frames": 4000}), "x", out=tmp_path / "a")
    with pytest.raises(ConfigError, match=r"^request\.prompt: is empty"):
        await refined(made.link, config(), " ", out=tmp_path / "a")
    with pytest.raises(IntakeError, match=r"^request\.image: .*does not exist"):
        await refined(made.link, config(), "x", tmp_path / "none.png", out=tmp_path / "a")
    with pytest.raises(IntakeError, match=r"^request\.image: "):
        await refined(made.link, config(), "x", "data:image/png;base64,aGVsbG8=", out=tmp_path / "a")
    with pytest.raises(RunFolderError, match="not empty"):
        await refined(made.link, config(), "x", out=made.run.folder)
    with pytest.raises(ServingError, match="there is no run of this id"):
        await follow(made.link, "none")
    assert not (tmp_path / "a").exists()


async def test_every_operation_is_documented(made: Made) -> None:
    document = (await made.client.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    operations = [
        (path, method, operation) for path, item in document["paths"].items() for method, operation in item.items()
    ]
    ids = [operation["operationId"] for _, _, operation in operations]
    assert len(set(ids)) == len(ids)
    assert [path for path, _, operation in operations if len(operation["tags"]) != 1] == []
    used = {tag for _, _, operation in operations for tag in operation["tags"]}
    assert {tag["name"] for tag in document["tags"]} == used <= TAGS.keys()
    assert {scheme["type"] for scheme in document["components"]["securitySchemes"].values()} == {"http", "apiKey"}
    assert document["servers"] == [{"url": "/"}]
    assert "HTTPValidationError" not in json.dumps(document["paths"])
    ours = [(m, path, operation) for path, m, operation in operations if path.startswith("/v1/runs")]
    assert len(ours) == 11
    for method, path, operation in ours:
        where = f"{method} {path}"
        assert operation["description"], where
        assert operation["summary"], where
        assert {"401", "403", "422", "429"} <= operation["responses"].keys(), where
        assert "404" in operation["responses"] or path == "/v1/runs", where
        for status, response in operation["responses"].items():
            assert response["description"], where
            if status >= "400":
                schema = response["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Refusal"}, where
        good = next(response for status, response in operation["responses"].items() if status < "400")
        assert good.get("content") or operation["responses"].keys() & {"307"}, where
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), f"{where} {parameter['name']}"
    for name in ("RunBody", "ControlBody"):
        for key, field in schemas[name]["properties"].items():
            assert field.get("description"), f"{name}.{key}"
    assert schemas["RunBody"]["examples"]


async def test_a_told_run_names_no_folder_but_its_own(made: Made) -> None:
    del made
    with pytest.raises(ValueError, match="pattern"):
        Told.model_validate({"id": "../up", "state": "queued"})
