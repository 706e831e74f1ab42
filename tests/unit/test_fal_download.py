"""Fetching a finished file: bounded, repeated, without the key."""

import base64
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from generator.fal.download import download, file_client
from generator.types import BackendError, RenderError
from tests.wire import Answer, Wire


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with file_client() as client:
        yield client


async def test_redirects_are_followed_and_nothing_secret_is_sent(client: httpx.AsyncClient, tmp_path: Path) -> None:
    async with Wire() as server:
        server.paths["/a.mp4"] = Answer(302, headers={"Location": f"{server.url}/b.mp4"})
        server.paths["/b.mp4"] = Answer(body=b"film")
        await download(client, f"{server.url}/a.mp4", tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == b"film"
    assert [heard.headers.get("authorization") for heard in server.heard] == [None, None]


async def test_a_redirect_in_a_ring_ends(client: httpx.AsyncClient, tmp_path: Path) -> None:
    async with Wire() as server:
        server.paths["/a.mp4"] = Answer(302, headers={"Location": f"{server.url}/a.mp4"})
        with pytest.raises(BackendError, match="TooManyRedirects"):
            await download(client, f"{server.url}/a.mp4", tmp_path / "a.mp4", pause_seconds=0)
    assert len(server.heard) == 3 * 6


async def test_a_download_that_breaks_is_given_up_after_three(client: httpx.AsyncClient, tmp_path: Path) -> None:
    async with Wire() as server:
        server.paths["/a.mp4?signature=hidden"] = Answer(body=b"film" * 100, drop="middle")
        with pytest.raises(BackendError, match=r"http://127\.0\.0\.1/a\.mp4 \(RemoteProtocolError\)") as caught:
            await download(client, f"{server.url}/a.mp4?signature=hidden", tmp_path / "a.mp4", pause_seconds=0)
    assert "hidden" not in str(caught.value)
    assert len(server.heard) == 3


async def test_a_missing_file_is_named_with_its_status(client: httpx.AsyncClient, tmp_path: Path) -> None:
    async with Wire() as server:
        with pytest.raises(BackendError, match=r"HTTP 404.*Check the way there"):
            await download(client, f"{server.url}/files/a.mp4", tmp_path / "a.mp4", pause_seconds=0)


async def test_a_file_over_the_cap_is_refused(client: httpx.AsyncClient, tmp_path: Path) -> None:
    async with Wire() as server:
        server.paths["/a.mp4"] = Answer(body=b"x" * 2_000_000)
        with pytest.raises(RenderError, match="larger than 1 MiB"):
            await download(client, f"{server.url}/a.mp4", tmp_path / "a.mp4", most_bytes=2**20)
    assert len(server.heard) == 1


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/a.mp4", "a.mp4", "http://", "http://[::1"])
async def test_only_web_addresses_are_fetched(client: httpx.AsyncClient, tmp_path: Path, url: str) -> None:
    with pytest.raises(BackendError, match="could not be downloaded"):
        await download(client, url, tmp_path / "a.mp4", pause_seconds=10)
    assert not (tmp_path / "a.mp4").exists()


async def test_a_host_that_is_not_there_is_tried_three_times(client: httpx.AsyncClient, tmp_path: Path) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))  # and nobody else may listen there meanwhile
        port = deaf.getsockname()[1]
        with pytest.raises(BackendError, match="ConnectError"):
            await download(client, f"http://127.0.0.1:{port}/a.mp4", tmp_path / "a.mp4", pause_seconds=0)


async def test_a_data_uri_is_decoded(client: httpx.AsyncClient, tmp_path: Path) -> None:
    await download(client, f"data:video/mp4;base64,{base64.b64encode(b'film').decode()}", tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == b"film"


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("data:video/mp4,film", "not base64"),
        ("data:video/mp4;base64,####", "does not decode"),
        ("data:video/mp4;base64," + "AAAA" * 10, "larger than"),
    ],
)
async def test_a_bad_data_uri_is_refused(client: httpx.AsyncClient, tmp_path: Path, uri: str, said: str) -> None:
    with pytest.raises(RenderError, match=said):
        await download(client, uri, tmp_path / "a.mp4", most_bytes=20)
