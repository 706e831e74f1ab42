"""How the dialect of a NIM is found out, and what a NIM says it is."""

import ssl
from collections.abc import AsyncIterator
from typing import Any, Literal

import httpx
import pytest

from generator.config import NIMConfig
from generator.nim import NIM, NIM_VERSION
from generator.nim.dialect import Dialect, fields, told_by_fields, told_by_names
from generator.types import BackendError
from tests.nim import NIMServer, envelope
from tests.nim_forms import FORMS, openapi
from tests.wire import Answer

DIALECTS: tuple[Dialect, ...] = ("v1", "v2", "predict", "transfer")
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # loading certificates takes longer than most tests


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(verify=NO_TLS, trust_env=False) as client:
        yield client


def nim(client: httpx.AsyncClient, *urls: str, key: str | None = None, **more: Any) -> NIM:
    return NIM(NIMConfig(endpoints=urls, **more), client, urls, key, patience=0.05, first_probe=0.01)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("listed", ["openapi", "names only"])
async def test_each_dialect_is_found_out(
    dialect: Dialect, listed: Literal["openapi", "names only"], client: httpx.AsyncClient
) -> None:
    async with NIMServer(dialect) as server:
        server.paths["/openapi.json"] = Answer(body=openapi(dialect)) if listed == "openapi" else Answer(404)
        generator = nim(client, server.url)
        assert generator.id == f"nim/{NIM_VERSION}"
        await generator.connect()
        assert generator.served is not None
        assert generator.served.dialect == dialect
        assert generator.served.fields == (frozenset(FORMS[dialect].model_fields) if listed == "openapi" else None)
        assert server.asked == []


async def test_model_version_and_checkpoint_are_recorded(client: httpx.AsyncClient) -> None:
    async with NIMServer("v2") as server:
        server.metadata = server.metadata | {"checkpoint": "/mnt/mine"}
        generator = nim(client, server.url)
        await generator.connect()
        assert generator.id == f"nim/{NIM_VERSION} nvidia/cosmos3:2.1.0 super /mnt/mine"
        assert generator.served is not None
        assert generator.served.version == "nim 2.1.0"


async def test_a_dialect_that_cannot_be_told_is_said(client: httpx.AsyncClient) -> None:
    async with NIMServer("v1") as server:
        server.paths["/openapi.json"] = Answer(404)
        server.metadata = {"version": "9.9.9", "modelInfo": []}
        with pytest.raises(BackendError, match=r"cannot be told .* Set generator\.dialect to v1, v2, predict or"):
            await nim(client, server.url).connect()
        generator = nim(client, server.url, dialect="v1")
        await generator.connect()
        assert generator.served is not None
        assert generator.served.dialect == "v1"


async def test_a_reasoner_nim_is_no_generator(client: httpx.AsyncClient) -> None:
    async with NIMServer("v1") as server:
        server.metadata = server.metadata | {"model_type": "reasoner", "inference_endpoint": "/v1/chat/completions"}
        with pytest.raises(BackendError, match=r"renders nothing: it says that it is a reasoner, asked at /v1/chat"):
            await nim(client, server.url).connect()


async def test_a_nim_that_still_loads_is_not_ready(client: httpx.AsyncClient) -> None:
    async with NIMServer("v1") as server:
        server.ready = False
        with pytest.raises(BackendError, match=r"No NIM is ready: .* is not ready \(it answers 503"):
            await nim(client, server.url).connect()


async def test_nobody_there_is_said(client: httpx.AsyncClient) -> None:
    async with NIMServer("v1") as server:
        url = server.url
    with pytest.raises(BackendError, match=r"No NIM is ready: .* does not answer \(ConnectError"):
        await nim(client, url).connect()


async def test_one_that_is_gone_does_not_stop_the_others(client: httpx.AsyncClient) -> None:
    async with NIMServer("v1") as gone:
        pass
    async with NIMServer("v1") as server:
        generator = nim(client, gone.url, server.url)
        await generator.connect()
        assert generator.servers == {server.url: ("nvidia/cosmos3-generator:1.0.0 nano default", "nim 1.0.0")}


async def test_servers_of_two_models_do_not_make_one_run(client: httpx.AsyncClient) -> None:
    async with NIMServer("v1") as a, NIMServer("v2") as b:
        with pytest.raises(BackendError, match=r"serves nvidia/cosmos3:2\.1\.0 super default \(v2\), others serve"):
            await nim(client, a.url, b.url).connect()


async def test_a_wrong_key_names_its_setting_and_not_itself(client: httpx.AsyncClient) -> None:
    async with NIMServer("v1", key="right") as server:
        for wrong in ("secret-key", None):
            with pytest.raises(
                BackendError, match=r"answers 401: set the variable that generator\.api_key_env"
            ) as caught:
                await nim(client, server.url, key=wrong).connect()
            assert "secret-key" not in str(caught.value)
        await nim(client, server.url, key="right").connect()
        server.paths["/v1/metadata"] = Answer(403, {"detail": "Forbidden"})
        with pytest.raises(BackendError, match=r"answered 403.*generator\.api_key_env"):
            await nim(client, server.url, key="right").connect()


@pytest.mark.parametrize(
    "document",
    [None, {}, {"paths": None}, {"paths": {"/v1/infer": {"post": {"requestBody": 3}}}}, [], "x"],
)
def test_a_document_without_a_schema_tells_nothing(document: object) -> None:
    assert fields(document) is None


def test_a_schema_in_parts_is_read_and_one_that_refers_to_itself_ends() -> None:
    reference = {"$ref": "#/components/schemas/A"}
    post = {"requestBody": {"content": {"application/json": {"schema": {"anyOf": [reference, {"type": "null"}]}}}}}
    part = {"allOf": [{"properties": {"num_output_frames": {}}}, reference]}
    document = {"paths": {"/v1/infer": {"post": post}}, "components": {"schemas": {"A": part}}}
    assert fields(document) == frozenset({"num_output_frames"})
    assert told_by_fields(frozenset({"num_output_frames"})) == "v1"


@pytest.mark.parametrize(
    ("name", "more", "release", "dialect"),
    [
        ("nvidia/cosmos3-generator", {}, "3.0.0", "v1"),
        ("nvidia/cosmos3", {"model_type": "generator"}, "2.1.0", "v2"),
        ("nvidia/cosmos3", {"model_type": "generator"}, "7.0.0", None),
        ("nvidia/cosmos3", {}, "2.1.0", None),
        ("something-else", {"model_type": "generator"}, "2.1.0", None),
    ],
)
def test_names_are_believed_only_where_they_are_plain(
    name: str, more: dict[str, str], release: str, dialect: str | None
) -> None:
    assert told_by_names({"modelInfo": [{"shortName": name}], **more}, {"release": release}) == dialect


async def test_every_documented_page_of_a_nim_is_there(client: httpx.AsyncClient) -> None:
    async with NIMServer("v2") as server:
        for path in ("health/live", "health/ready", "metadata", "manifest", "license", "version", "models"):
            assert (await client.get(f"{server.url}/v1/{path}")).status_code == 200
        missing = await client.post(f"{server.url}/v1/chat/completions", json={})
        assert missing.status_code == 404
        assert missing.json() == envelope(404, "Not Found: /v1/chat/completions", "not_found").body
