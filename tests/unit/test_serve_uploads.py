"""Uploads by fal's ways and ours: what is kept, for whom, how much of it, for how long."""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from agent.server.places import Places
from agent.server.storage.asked import plain
from agent.server.storage.nouns import Named, Upload
from agent.server.types import Caller, Refused
from agent.server.uploads import Uploads, resolved
from tests.storing import ME, YOU, stored

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
AS_ME, AS_YOU = {"X-As": "me"}, {"X-As": "you"}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    overrides = ("limits.max_upload_bytes=5000", "limits.max_uploaded_bytes_per_key=12000")
    async with stored(tmp_path, *overrides, needs_key=True) as (client, _, _):
        yield client


def on_disk(folder: Path) -> list[str]:
    """What lies below the uploads, but for the secret."""
    return sorted(path.name for path in Places(folder).uploads.rglob("*") if path.is_file() and path.name != ".secret")


async def initiate(client: httpx.AsyncClient, path: str = "initiate", **headers: str) -> tuple[str, str]:
    told = await client.post(
        f"/fal/rest/storage/upload/{path}?storage_type=fal-cdn-v3",
        json={"file_name": "my picture.png", "content_type": "image/png"},
        headers={**AS_ME, **headers},
    )
    assert told.status_code == 200, told.text
    return told.json()["upload_url"], told.json()["file_url"]


async def bearer(client: httpx.AsyncClient) -> dict[str, str]:
    told = (await client.post("/fal/rest/storage/auth/token?storage_type=fal-cdn-v3", headers=AS_ME, json={})).json()
    assert told["base_url"].endswith("/fal/cdn")
    until = datetime.fromisoformat(told["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=50) < until <= timedelta(hours=1)
    assert told["expires_at"].endswith("+00:00")
    return {"Authorization": f"{told['token_type']} {told['token']}"}


async def test_ours_takes_bytes_and_forms_and_gives_them_back(client: httpx.AsyncClient, tmp_path: Path) -> None:
    raw = await client.post("/v1/uploads?name=a b.png", content=PNG, headers={**AS_ME, "Content-Type": "image/png"})
    form = await client.post(
        "/v1/uploads",
        data={"purpose": "vision"},
        files={"file": ("Ä/../bild.png", PNG[:-1], "image/png")},
        headers=AS_ME,
    )
    for answer, data, name in ((raw, PNG, "a-b.png"), (form, PNG[:-1], "bild.png")):
        assert answer.status_code == 201, answer.text
        told = answer.json()
        assert (told["bytes"], told["name"], told["content_type"]) == (len(data), name, "image/png")
        got = await client.get(told["url"], headers={"Range": "bytes=1-3"})
        assert (got.status_code, got.content, got.headers["content-type"]) == (206, b"PNG", "image/png")
        assert (await client.get(told["url"])).content == data
        assert (await client.head(told["url"])).headers["content-length"] == str(len(data))
        own = f"/v1/uploads/{told['id']}"
        assert (await client.get(own, headers=AS_ME)).json() == told
        assert (await client.get(own, headers=AS_YOU)).status_code == 404
        assert (await client.delete(own, headers=AS_YOU)).status_code == 404
        assert (await client.delete(own, headers=AS_ME)).status_code == 204
        assert (await client.get(told["url"])).status_code == 404
    assert on_disk(tmp_path) == []


PART = b'--x\r\nContent-Disposition: form-data; name="a"'
FORM = "multipart/form-data; boundary=x"
NO_FILES = [
    (b"", "image/png", 422, "empty"),
    (b"--x\r\n", "multipart/form-data", 400, "boundary"),
    (b"no form", FORM, 400, "damaged"),
    (b"no form", FORM + "x" * 4000, 400, "boundary is over 70"),
    (PART + b"\r\n\r\n1\r\n--x--\r\n", FORM, 422, "no file"),
    (PART + b"\r\nA: " + b"b" * 9000 + b"\r\n\r\n1\r\n--x--\r\n", FORM, 400, "damaged"),
    (PART + b'; filename="f"\r\n\r\n', FORM, 422, "empty"),
    (bytes(5001), "image/png", 413, "5,000 bytes"),
]


async def test_what_is_no_file_leaves_nothing(client: httpx.AsyncClient, tmp_path: Path) -> None:
    for content, kind, status, says in NO_FILES:
        answer = await client.post("/v1/uploads", content=content, headers={**AS_ME, "Content-Type": kind})
        assert answer.status_code == status, content[:80]
        assert says in answer.json()["error"]["message"]
    assert on_disk(tmp_path) == []


async def test_without_a_key_nothing_is_begun(client: httpx.AsyncClient, tmp_path: Path) -> None:
    for path in ("/v1/uploads", "/fal/cdn/files/upload", "/fal/cdn/files/upload/multipart", "/fal/rest/files/upload"):
        for headers in ({}, {"Authorization": "Bearer retake-cdn.WyJtZSIsIDk5OTk5OTk5OTldCg==.AAAA"}):
            assert (await client.post(path, content=PNG, headers=headers)).status_code == 401, path
    for path in ("storage/auth/token", "storage/upload/initiate", "storage/upload/initiate-multipart"):
        assert (await client.post(f"/fal/rest/{path}", json={})).status_code == 401
    assert on_disk(tmp_path) == []


async def test_an_address_takes_one_file_without_a_key(client: httpx.AsyncClient) -> None:
    to, found_at = await initiate(client)
    assert found_at.endswith("/my-picture.png")
    assert (await client.get(found_at)).status_code == 404
    assert (await client.put(to, content=PNG, headers={"Content-Type": "image/png"})).status_code == 200
    assert (await client.get(found_at)).content == PNG
    assert (await client.put(to, content=PNG)).status_code == 200, "again, as clients do whose answer was lost"
    assert (await client.put(to, content=PNG + b"!")).status_code == 403
    assert (await client.put(f"{to}/1", content=PNG)).status_code == 403
    assert (await client.get(found_at)).content == PNG
    assert (await client.put(found_at, content=PNG)).status_code in {404, 405}
    for wrong in (to[:-1] + ("A" if to[-1] != "A" else "B"), to.rpartition("/")[0] + "/x", to + "A"):
        assert (await client.put(wrong, content=PNG)).status_code == 404


async def test_the_cdn_takes_a_token_in_the_keys_name(client: httpx.AsyncClient) -> None:
    token = await bearer(client)
    told = await client.post(
        "/fal/cdn/files/upload",
        content=PNG,
        headers={**token, "Content-Type": "image/png", "X-Fal-File-Name": "a.png"},
    )
    url = told.json()["access_url"]
    assert "/fal/cdn/files/" in url
    assert (await client.get(url)).content == PNG
    own = f"/v1/uploads/{urlsplit(url).path.split('/')[-2]}"
    assert (await client.get(own, headers=AS_ME)).status_code == 200
    assert (await client.get(own, headers=AS_YOU)).status_code == 404
    assert (await client.get(own, headers=token)).status_code == 401, "a token uploads and does nothing else"


async def test_parts_in_any_order_make_the_file(client: httpx.AsyncClient, tmp_path: Path) -> None:
    token = await bearer(client)
    begun = await client.post("/fal/cdn/files/upload/multipart", headers={**token, "Content-Type": "video/mp4"})
    url, id = begun.json()["access_url"], begun.json()["uploadId"]  # noqa: A001
    data = {number: bytes([number]) * 900 for number in range(1, 5)}

    async def put(number: int) -> dict[str, object]:
        answer = await client.put(f"{url}/multipart/{id}/{number}", content=data[number], headers=token)
        assert answer.status_code == 200
        return {"partNumber": number, "etag": answer.headers["etag"]}

    await client.put(f"{url}/multipart/{id}/2", content=b"other", headers=token)  # replaced below
    parts = list(await asyncio.gather(*(put(number) for number in (3, 1, 4, 2))))
    assert (await client.put(f"{url}/multipart/{id}/5", content=PNG)).status_code == 401
    assert (await client.put(f"{url}/multipart/{id}/5", content=PNG, headers=AS_YOU)).status_code == 404
    assert (await client.put(f"{url}/multipart/{id}/0", content=PNG, headers=token)).status_code == 422
    assert (await client.put(f"{url}/multipart/{id}/6", content=bytes(1401), headers=token)).status_code == 413

    async def complete(parts: list[dict[str, object]]) -> httpx.Response:
        return await client.post(f"{url}/multipart/{id}/complete", json={"parts": parts}, headers=token)

    for wrong in ([], parts[:1] * 2, [{"partNumber": 9, "etag": "x"}], [{**parts[0], "etag": '"x"'}]):
        answer = await complete(wrong)
        assert answer.status_code == 422
    assert (await client.get(url)).status_code == 404
    assert (await complete(parts)).json() == {"access_url": url}
    assert (await complete(parts)).status_code == 200, "again"
    whole = await client.get(url)
    assert whole.content == b"".join(data.values())
    assert whole.headers["content-type"] == "video/mp4"
    assert on_disk(tmp_path) == ["about.json", "data"]


async def test_parts_by_address(client: httpx.AsyncClient) -> None:
    to, found_at = await initiate(client, "initiate-multipart")
    parts = [(await client.put(f"{to}/{number}?x=1", content=bytes([number]))).json() for number in (1, 2)]
    assert [part["partNumber"] for part in parts] == [1, 2]
    assert (await client.post(f"{to}/complete", json={"parts": parts})).status_code == 200
    assert (await client.get(found_at)).content == b"\1\2"


async def test_a_key_keeps_no_more_than_its_share(client: httpx.AsyncClient) -> None:
    for _ in range(2):
        assert (await client.post("/v1/uploads", content=bytes(5000), headers=AS_ME)).status_code == 201
    full = await client.post("/v1/uploads", content=bytes(2001), headers=AS_ME)
    assert (full.status_code, full.json()["error"]["type"]) == (413, "uploads_full")
    last = await client.post("/v1/uploads", content=bytes(2000), headers=AS_ME)
    assert last.status_code == 201
    assert (await client.post("/v1/uploads", content=bytes(2001), headers=AS_YOU)).status_code == 201
    await client.delete(f"/v1/uploads/{last.json()['id']}", headers=AS_ME)
    assert (await client.post("/v1/uploads", content=bytes(2000), headers=AS_ME)).status_code == 201


async def test_what_could_run_is_sent_as_bytes(client: httpx.AsyncClient) -> None:
    for kind in ("text/html", "image/svg+xml", "text/javascript", "image/png\r\nX-A: b", "", "x"):
        told = await client.post(
            "/fal/rest/storage/upload/initiate", json={"file_name": "a.html", "content_type": kind}, headers=AS_ME
        )
        await client.put(told.json()["upload_url"], content=b"<script>alert(1)</script>")
        got = await client.get(told.json()["file_url"])
        assert got.headers["content-type"] == "application/octet-stream"
        assert got.headers["x-content-type-options"] == "nosniff"
        assert got.headers["content-security-policy"].startswith("sandbox allow-same-origin; default-src 'none'; ")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("..", "upload.bin"),
        (".config", "config"),
        ("a\r\nX: y", "a-X-y"),
        ("\0\u202egnp.exe", "gnp.exe"),
        ("C:\\x\\y.png", "C-x-y.png"),
        ("x" * 500 + ".png", "x" * 96 + ".png"),
        (None, "upload.bin"),
    ],
)
def test_names_are_made_plain(name: str | None, kept: str) -> None:
    assert plain(name) == kept


async def test_a_lifecycle_that_is_none_is_told(client: httpx.AsyncClient) -> None:
    seconds = '{"expiration_duration_seconds": %s}'
    numbers = ('"1h"', "-1", "true", "NaN", "1" + 400 * "0")
    for text in ("{", "[]", "1", "[" * 100_000, *(seconds % number for number in numbers)):
        headers = {**AS_ME, "X-Fal-Object-Lifecycle": text}
        answer = await client.post("/fal/rest/storage/upload/initiate", json={}, headers=headers)
        assert answer.status_code == 422, text[:40]


async def test_a_hidden_file_is_its_owners(client: httpx.AsyncClient) -> None:
    lifecycle = '{"expiration_duration_seconds": 60, "initial_acl": {"default": "forbid"}}'
    to, found_at = await initiate(client, **{"X-Fal-Object-Lifecycle": lifecycle})
    await client.put(to, content=PNG)
    assert (await client.get(found_at)).status_code == 404
    assert (await client.get(found_at, headers=AS_YOU)).status_code == 404
    assert (await client.get(found_at, headers=AS_ME)).content == PNG


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def whole(uploads: Uploads, owner: str = "me", data: bytes = PNG, **named: float) -> Upload:
    upload = uploads.begin(owner, Named(**named))
    await uploads.take(upload, stream(data))
    return upload


def opened(folder: Path) -> Uploads:
    from agent.server.config import ServerConfig

    folder.mkdir(exist_ok=True)
    return Uploads(folder, ServerConfig())


async def test_a_restart_finds_them_again_and_what_was_cut_off_is_gone(tmp_path: Path) -> None:
    first = opened(tmp_path / "up")
    done = await whole(first)
    begun = first.begin("me", Named())
    etag = await first.take_part(begun, 2, stream(b"cd"))
    (done.folder / ".0123.part").write_bytes(b"half")
    (tmp_path / "up" / "without-about").mkdir()

    second = opened(tmp_path / "up")
    again, going_on = second.find(done.id), second.find(begun.id)
    assert again is not None
    assert again.path is not None
    assert again.path.read_bytes() == PNG
    assert going_on is not None
    assert second.kept_bytes("me") == len(PNG) + 2
    assert second.passes.fits(done.id, first.passes.ticket(done.id)), "addresses given before hold after"
    more = await second.take_part(going_on, 1, stream(b"ab"))
    await second.join(going_on, [(2, etag), (1, more)])
    assert going_on.path is not None
    assert going_on.path.read_bytes() == b"abcd"
    assert on_disk(tmp_path) == []
    left = sorted(path.name for path in (tmp_path / "up").rglob("*") if path.is_file())
    assert left == [".secret", "about.json", "about.json", "data", "data"]
    assert (tmp_path / "up" / ".secret").stat().st_mode & 0o777 == 0o600
    assert done.folder.stat().st_mode & 0o777 == 0o700


async def test_a_sender_that_goes_away_leaves_nothing(tmp_path: Path) -> None:
    uploads = opened(tmp_path / "up")
    upload = uploads.begin("me", Named())

    async def broken() -> AsyncIterator[bytes]:
        yield bytes(3_000_000)
        raise ConnectionResetError

    with pytest.raises(Refused) as caught:
        await uploads.take(upload, broken())
    assert caught.value.problem.status == 507
    cancelled = asyncio.create_task(uploads.take(upload, forever()))
    await asyncio.sleep(0.01)
    cancelled.cancel()
    await asyncio.gather(cancelled, return_exceptions=True)
    assert uploads.kept_bytes("me") == 0
    assert [path.name for path in upload.folder.iterdir()] == ["about.json"]


async def test_one_that_is_removed_or_made_whole_while_it_comes_counts_for_nothing(tmp_path: Path) -> None:
    uploads = opened(tmp_path / "up")

    async def removing(upload: Upload) -> AsyncIterator[bytes]:
        yield b"half"
        uploads.remove(upload)
        yield b"the rest"

    first, second, third = (uploads.begin("me", Named()) for _ in range(3))
    for coming in (uploads.take(first, removing(first)), uploads.take_part(second, 1, removing(second))):
        with pytest.raises(Refused) as caught:
            await coming
        assert caught.value.problem.status == 404

    async def joining() -> AsyncIterator[bytes]:
        yield b"late"
        await uploads.join(third, [(1, etag)])

    etag = await uploads.take_part(third, 1, stream(b"in time"))
    with pytest.raises(Refused) as caught:
        await uploads.take_part(third, 2, joining())
    assert caught.value.problem.status == 403
    assert uploads.kept_bytes("me") == len(b"in time")
    assert sorted(path.name for path in third.folder.iterdir()) == ["about.json", "data"]


async def forever() -> AsyncIterator[bytes]:
    yield b"first"
    await asyncio.sleep(60)


async def test_they_are_kept_as_long_as_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uploads = opened(tmp_path / "up")  # 24 hours
    plain_one, short, pending = (
        await whole(uploads),
        await whole(uploads, keep_seconds=60),
        uploads.begin("me", Named()),
    )
    long = await whole(uploads, keep_seconds=10**9)
    now = time.time()

    def known(after: float) -> set[str]:
        monkeypatch.setattr(time, "time", lambda: now + after)
        return {upload.id for upload in (plain_one, short, pending, long) if uploads.find(upload.id) is not None}

    assert known(50) == {plain_one.id, short.id, pending.id, long.id}
    assert known(70) == {plain_one.id, pending.id, long.id}
    assert known(3 * 3600 + 1) == {plain_one.id, long.id}
    url = f"http://127.0.0.1:8000/uploads/{plain_one.id}/upload.bin"
    assert resolved(url, ME, uploads) == plain_one.path
    assert known(24 * 3600 + 1) == {plain_one.id}, "used later than it was sent"
    assert uploads.sweep() == 3
    assert known(28 * 3600) == set()
    assert uploads.sweep() == 1
    assert uploads.kept_bytes("me") == 0
    assert [path.name for path in (tmp_path / "up").iterdir()] == [".secret"]


async def test_an_address_is_the_files_by_any_host_for_its_owner(tmp_path: Path) -> None:
    uploads = opened(tmp_path / "up")
    upload = await whole(uploads)
    for host in ("http://127.0.0.1:8000/uploads", "https://v3.fal.media/files", "https://any.example/p/fal/cdn/files"):
        url = f"{host}/{upload.id}/upload.bin"
        assert resolved(url, ME, uploads) == upload.path
        assert resolved(url, YOU, uploads) is None
        assert resolved(url, Caller(owner="root"), uploads) == upload.path, "an admin sees all"
    for other in (
        f"http://h/{upload.id}/a",
        f"http://h/uploads/{upload.id[:-1]}/a",
        "http://[::1",
        "http://h/uploads/",
    ):
        assert resolved(other, ME, uploads) is None


async def test_tokens_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = opened(tmp_path / "up").passes
    token, until = passes.token("me")
    assert passes.owner(token) == "me"
    for wrong in ("", "retake-cdn.", token[:-1], token + "x", token.replace("retake-cdn.", ""), "retake-cdn.x.y", "ü"):
        assert passes.owner(wrong) is None
    assert opened(tmp_path / "other").passes.owner(token) is None
    monkeypatch.setattr(time, "time", lambda: until + 1)
    assert passes.owner(token) is None


async def test_a_million_bytes_arrive_as_they_were(tmp_path: Path) -> None:
    uploads = opened(tmp_path / "up")
    chunks = [hashlib.sha256(bytes([n])).digest() * 2048 for n in range(48)]
    upload = uploads.begin("me", Named())
    await uploads.take(upload, stream(*chunks))
    assert upload.path is not None
    assert upload.path.read_bytes() == b"".join(chunks)
    assert upload.about.sha256 == hashlib.sha256(b"".join(chunks)).hexdigest()
