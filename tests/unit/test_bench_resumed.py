"""Downloads that were cut off go on where they were, and no half file is taken for whole."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from agent.bench.fetching import no_video
from agent.errors import IntakeError
from agent.intake.download import download
from tests.fetching import RULES, Fetching, fetching_from, kept, resolve
from tests.hostile import Answer, Wire, reply, slow


@pytest.fixture
async def fetching(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fetching]:
    async with fetching_from(tmp_path_factory.mktemp("clip")) as running:
        yield running


async def test_a_truncated_download_goes_on_where_it_broke_off(tmp_path: Path, fetching: Fetching) -> None:
    server, answers, make = fetching.server, fetching.answers, fetching.clips
    data = fetching.data
    answers["/x"] = reply(200, data[:1000], Content_Length=str(len(data)), ETag='"1"')
    with pytest.raises(IntakeError, match="could not be fetched"):
        await make(tmp_path).video("http://pub.test/x")
    assert kept(tmp_path) == [".part", ".tag"], "no half file is taken for whole"
    answers["/x"] = reply(206, data[1000:], Content_Range=f"bytes 1000-{len(data) - 1}/{len(data)}")
    found = await make(tmp_path).video("http://pub.test/x")
    assert found.read_bytes() == data
    assert fetching.ranges == ["", "bytes=1000-"]
    assert 'if-range: "1"' in server.requests[1].lower()
    assert kept(tmp_path) == ["whole"]


@pytest.mark.parametrize("etag", ['W/"1"', ""])
async def test_without_proof_of_sameness_it_begins_anew(tmp_path: Path, fetching: Fetching, etag: str) -> None:
    answers, make = fetching.answers, fetching.clips
    data = fetching.data
    answers["/x"] = reply(200, data[:1000], Content_Length=str(len(data)), **({"ETag": etag} if etag else {}))
    with pytest.raises(IntakeError):
        await make(tmp_path).video("http://pub.test/x")
    answers["/x"] = reply(200, data)
    assert (await make(tmp_path).video("http://pub.test/x")).read_bytes() == data
    assert fetching.ranges == ["", ""]


async def test_a_file_that_changed_meanwhile_is_taken_whole(tmp_path: Path, fetching: Fetching) -> None:
    answers, make = fetching.answers, fetching.clips
    data = fetching.data
    answers["/x"] = reply(200, bytes(1000), Content_Length="5000", Last_Modified="Sat, 21 Nov 2026 10:00:00 GMT")
    with pytest.raises(IntakeError):
        await make(tmp_path).video("http://pub.test/x")
    answers["/x"] = reply(200, data, Last_Modified="Sat, 21 Nov 2026 11:00:00 GMT")
    assert (await make(tmp_path).video("http://pub.test/x")).read_bytes() == data
    assert fetching.ranges == ["", "bytes=1000-"]
    assert "if-range: sat, 21 nov 2026 10:00:00 gmt" in fetching.server.requests[1].lower()


@pytest.mark.parametrize("wrong", [reply(416), reply(206, b"x", Content_Range="bytes 7-7/8"), reply(206, b"x")])
async def test_a_part_that_does_not_fit_is_asked_for_from_its_start(
    tmp_path: Path, fetching: Fetching, wrong: Answer
) -> None:
    server, answers, make = fetching.server, fetching.answers, fetching.clips
    data = fetching.data
    answers["/x"] = reply(200, data[:1000], Content_Length=str(len(data)), ETag='"1"')
    with pytest.raises(IntakeError):
        await make(tmp_path).video("http://pub.test/x")

    async def turns(writer: asyncio.StreamWriter) -> None:
        await (wrong if len(server.requests) == 2 else reply(200, data))(writer)

    answers["/x"] = turns
    assert (await make(tmp_path).video("http://pub.test/x")).read_bytes() == data
    assert fetching.ranges == ["", "bytes=1000-", ""]


async def test_a_cancelled_download_leaves_its_part_alone(tmp_path: Path, fetching: Fetching) -> None:
    answers, make = fetching.answers, fetching.clips
    answers["/x"] = slow(fetching.data[:1000])
    task = asyncio.create_task(make(tmp_path).video("http://pub.test/x"))
    clips = tmp_path / "cache" / "clips"
    while not (clips.is_dir() and any(path.suffix == ".tag" for path in clips.iterdir())):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "whole" not in kept(tmp_path)


async def test_two_processes_do_not_write_into_one_another(tmp_path: Path, fetching: Fetching) -> None:
    server, answers = fetching.server, fetching.answers
    data = fetching.data

    async def late(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        await reply(200, data)(writer)

    answers["/x"] = late
    into = tmp_path / "clip"
    one = partial(download, "http://pub.test/x", into, RULES, check=no_video, resolve=resolve, dial=Wire(server.port))
    await asyncio.gather(one(), one(), one())  # each with its own lock, as processes have
    assert into.read_bytes() == data
    assert len(server.requests) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["clip"]
