"""Fetching an image from servers that are up to no good, on loopback only."""

import asyncio
import gzip
import socket
import threading
from collections.abc import AsyncIterator, Sequence

import pytest

from agent.errors import IntakeError
from agent.intake import FetchRules, take_image
from agent.intake.fetch import fetch
from agent.intake.guard import GuardedBackend, Resolve, is_public, system_resolve
from tests.hostile import HostileServer, Wire, endless, raw, redirect, reply, serve, silent, slow

PNG = b"\x89PNG\r\n\x1a\n" + bytes(2000)
PUBLIC = "93.184.216.34"
OTHER = "93.184.216.35"
STRICT = FetchRules(timeout_seconds=5)
KEY = "request.image_fetch.allow_private_addresses"


def names(**hosts: Sequence[str]) -> Resolve:
    """A name server; a name's dots are written as underscores. Numbers are their own answer."""
    table = {host.replace("_", "."): answer for host, answer in hosts.items()}

    async def resolve(host: str, port: int) -> Sequence[str]:
        if host in table:
            return table[host]
        if host.replace(".", "").isdigit():
            return [host]
        raise OSError("no such host")

    return resolve


RESOLVE = names(pub_test=[PUBLIC], other_test=[OTHER], inside_test=["10.0.0.7"], mixed_test=[PUBLIC, "127.0.0.1"])


@pytest.fixture
async def server() -> AsyncIterator[HostileServer]:
    holder: list[HostileServer] = []
    answers = {
        "/ok": reply(200, PNG, Content_Type="text/html"),
        "/ok?token=s3cret": reply(200, PNG),
        "/inside": redirect("http://127.0.0.1/secret"),
        "/inside-by-name": redirect("http://inside.test/secret"),
        "/metadata": redirect("http://169.254.169.254/latest/meta-data"),
        "/inside-protocol-relative": redirect("//[::1]/secret"),
        "/secret": reply(200, PNG),
        "/loop": redirect("/loop"),
        "/a": redirect("/b", 301),
        "/b": redirect("http://other.test/c", 307),
        "/c": redirect("ok", 308),
        "/file": redirect("file:///etc/passwd"),
        "/data": redirect("data:image/png;base64,AAAA"),
        "/port": redirect("http://pub.test:6379/"),
        "/login": redirect("http://user:word@pub.test/ok"),
        "/malformed": redirect("http://[::1/"),
        "/html": reply(200, b"<!DOCTYPE html><html>" + bytes(600), Content_Type="image/png"),
        "/gzip": reply(200, gzip.compress(PNG + bytes(2**20)), Content_Encoding="gzip"),
        "/endless": endless(lambda: holder[0], PNG),
        "/endless-html": endless(lambda: holder[0], b"<html>"),
        "/slow": slow(PNG),
        "/silent": silent,
        "/large": reply(200, PNG, Content_Length="3000000"),
        "/broken": reply(200, PNG, Content_Length="3000"),
        "/empty": reply(200),
        "/not-http": raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
        "/endless-header": raw(b"HTTP/1.1 200 OK\r\nX: " + b"a" * 2**20),
        "/forbidden": reply(403, b"<html>"),
        "/partial": reply(206, PNG),
        "/nowhere": reply(302),
    }
    async with serve(answers) as running:
        holder.append(running)
        yield running


async def refusal(server: HostileServer, url: str, rules: FetchRules = STRICT) -> tuple[str, Wire]:
    wire = Wire(server.port)
    with pytest.raises(IntakeError) as caught:
        await fetch(url, rules, resolve=RESOLVE, dial=wire)
    message = str(caught.value)
    assert message.startswith("request.image")
    assert ";" in message, "a cure follows the finding"
    assert "\n" not in message
    return message, wire


async def test_an_image_arrives_whatever_its_declared_type(server: HostileServer) -> None:
    wire = Wire(server.port)
    assert await fetch("http://pub.test/ok", STRICT, resolve=RESOLVE, dial=wire) == PNG
    assert wire.dialled == [(PUBLIC, 80)]
    head = server.requests[0].lower()
    assert "accept-encoding: identity" in head
    assert "host: pub.test\r\n" in head
    assert "cookie" not in head
    assert "authorization" not in head


async def test_three_redirects_are_followed_over_hosts_and_relative_paths(server: HostileServer) -> None:
    wire = Wire(server.port)
    assert await fetch("http://pub.test/a", STRICT, resolve=RESOLVE, dial=wire) == PNG
    assert {address for address, _ in wire.dialled} == {PUBLIC, OTHER}
    message, _ = await refusal(server, "http://pub.test/a", FetchRules(max_redirects=2))
    assert "redirects more than 2 times" in message


async def test_a_dead_address_gives_way_to_the_next(server: HostileServer) -> None:
    wire = Wire(server.port, dead=[PUBLIC])
    resolve = names(two_test=[PUBLIC, OTHER])
    assert await fetch("http://two.test/ok", STRICT, resolve=resolve, dial=wire) == PNG
    assert wire.dialled == [(PUBLIC, 80), (OTHER, 80)]


async def test_nothing_listening_is_an_error_with_a_cure(server: HostileServer) -> None:
    wire = Wire(server.port, dead=[PUBLIC])
    with pytest.raises(IntakeError, match=r"could not be fetched.*connection refused.*; check the link"):
        await fetch("http://pub.test/ok", STRICT, resolve=RESOLVE, dial=wire)


@pytest.mark.parametrize("path", ["inside", "inside-by-name", "metadata", "inside-protocol-relative"])
async def test_a_redirect_to_a_private_address_sends_nothing_there(server: HostileServer, path: str) -> None:
    resolve = names(pub_test=[PUBLIC], inside_test=["10.0.0.7"], **{"::1": ["::1"]})
    wire = Wire(server.port)
    with pytest.raises(IntakeError, match="private or reserved address") as caught:
        await fetch(f"http://pub.test/{path}", STRICT, resolve=resolve, dial=wire)
    assert KEY in str(caught.value)
    assert wire.dialled == [(PUBLIC, 80)]
    assert len(server.requests) == 1


async def test_one_private_address_among_public_ones_is_enough(server: HostileServer) -> None:
    message, wire = await refusal(server, "http://mixed.test/ok")
    assert "private or reserved address" in message
    assert wire.dialled == []


async def test_a_name_that_changes_its_answer_is_asked_once_for_each_connection(server: HostileServer) -> None:
    answers = [[PUBLIC], ["127.0.0.1"]]
    asked = 0

    async def rebind(host: str, port: int) -> Sequence[str]:
        nonlocal asked
        asked += 1
        return answers[min(asked, 2) - 1]

    wire = Wire(server.port)
    assert await fetch("http://rebind.test/ok", STRICT, resolve=rebind, dial=wire) == PNG
    assert (asked, wire.dialled) == (1, [(PUBLIC, 80)])
    with pytest.raises(IntakeError, match="private or reserved"):
        await fetch("http://rebind.test/ok", STRICT, resolve=rebind, dial=wire)
    assert wire.dialled == [(PUBLIC, 80)]


async def test_a_name_that_changes_its_answer_during_a_redirect_is_refused(server: HostileServer) -> None:
    answers = iter([[PUBLIC], ["192.168.1.1"]])

    async def rebind(host: str, port: int) -> Sequence[str]:
        return next(answers)

    wire = Wire(server.port)
    with pytest.raises(IntakeError, match="private or reserved"):
        await fetch("http://rebind.test/loop", STRICT, resolve=rebind, dial=wire)
    assert wire.dialled == [(PUBLIC, 80)]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("loop", "redirects more than 3 times"),
        ("file", "redirects to a file: address"),
        ("data", "redirects to a data: address"),
        ("port", "port 6379"),
        ("login", "user name or password"),
        ("malformed", "malformed URL"),
        ("html", "is a web page; give the link of the image file itself"),
        ("gzip", "compressed data"),
        ("large", "larger than"),
        ("broken", "could not be fetched"),
        ("empty", "is empty"),
        ("not-http", "could not be fetched"),
        ("endless-header", "could not be fetched"),
        ("forbidden", "HTTP 403"),
        ("partial", "HTTP 206"),
        ("nowhere", "HTTP 302"),
        ("missing", "HTTP 404"),
    ],
)
async def test_a_bad_answer_is_refused_in_words(server: HostileServer, path: str, says: str) -> None:
    message, wire = await refusal(server, f"http://pub.test/{path}", FetchRules(max_bytes=2**20, timeout_seconds=5))
    assert says in message
    assert f"http://pub.test/{path}" in message
    assert all(dialled == (PUBLIC, 80) for dialled in wire.dialled)


async def test_an_endless_body_is_cut_at_the_limit(server: HostileServer) -> None:
    message, _ = await refusal(server, "http://pub.test/endless", FetchRules(max_bytes=2**20, timeout_seconds=5))
    assert "larger than 1 MiB" in message
    assert server.sent < 2**20 + 8 * 2**20, "what the socket buffers hold, and no more"


async def test_an_endless_page_is_given_up_at_its_first_bytes(server: HostileServer) -> None:
    message, _ = await refusal(server, "http://pub.test/endless-html", FetchRules(timeout_seconds=5))
    assert "is a web page" in message


@pytest.mark.parametrize("path", ["slow", "silent"])
async def test_one_deadline_holds_however_the_server_drips(server: HostileServer, path: str) -> None:
    async with asyncio.timeout(60):
        message, _ = await refusal(server, f"http://pub.test/{path}", FetchRules(timeout_seconds=0.3))
    assert "took longer than 0.3 s" in message


async def test_the_deadline_covers_the_name_server_too() -> None:
    async def hang(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    with pytest.raises(IntakeError, match=r"took longer than 0\.1 s"):
        await fetch("http://pub.test/ok", FetchRules(timeout_seconds=0.1), resolve=hang, dial=Wire(9))


async def test_https_speaks_tls_to_port_443(server: HostileServer) -> None:
    message, wire = await refusal(server, "https://pub.test/ok")
    assert wire.dialled == [(PUBLIC, 443)]
    assert "SSL" in message


LITERALS = [
    *("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::]", "127.1", "127.255.255.254"),  # noqa: S104  none is bound
    *("2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1", "017700000001", "%31%32%37.0.0.1"),  # spellings of 127.0.0.1
    *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::1]"),
    *(
        "[2002:7f00:1::]",
        "[2001:0:4136:e378:8000:63bf:3fff:fdd2]",
        "[fe80::1]",
        "[fe80::1%25lo]",
        "[fc00::1]",
        "[fec0::1]",
    ),
    *("169.254.169.254", "10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "192.0.0.1", "198.18.0.1"),
    *("224.0.0.1", "[ff02::1]", "240.0.0.1", "255.255.255.255", "192.0.2.1", "[2001:db8::1]", "127。0。0。1"),
]


@pytest.mark.parametrize("host", LITERALS)
async def test_no_spelling_of_a_private_address_is_dialled(server: HostileServer, host: str) -> None:
    wire = Wire(server.port)
    with pytest.raises(IntakeError):
        await fetch(f"http://{host}/ok", STRICT, dial=wire)
    assert wire.dialled == []


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1", "2606:4700:4700::1111", "100.128.0.1"],
)
def test_public_addresses_pass(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("64:ff9b::a00:1", "2002:a9fe:a9fe::1", "2002:e000:1::1", "::ffff:224.0.0.1", "::8.8.8.8"),
        *("fe80::1%eth0", "5f00::1", "100.127.255.255"),
    ],
)
def test_addresses_that_hide_another_do_not(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://pub.test:8080/ok", "port 8080"),
        ("http://me:pass@pub.test/ok", "user name or password"),
        ("http://unknown.test/ok", "host of 'http://unknown.test/ok' is unknown"),
        ("http:///ok", "names no host"),
        ("http:ok.png", "names no host"),
        ("http://[::1/ok", "malformed"),
        ("http://pub.test:99999/ok", "no port 99999"),
        ("http://pub test/ok", "unknown"),
        ("http://" + "a" * 70 + ".test/ok", "unknown"),
    ],
)
async def test_a_bad_url_never_reaches_the_network(server: HostileServer, url: str, says: str) -> None:
    message, wire = await refusal(server, url)
    assert says in message
    assert wire.dialled == []


@pytest.mark.parametrize(
    "url",
    [
        "http://me:pa55@pub.test/ok?token=s3cret#s3cret",
        "http://pub.test/missing?token=s3cret",
        "http://me:pa55@[::1/ok?token=s3cret",
        "http://inside.test/" + "long/" * 100 + "?token=s3cret",
    ],
)
async def test_secrets_of_a_url_stay_out_of_the_message_and_its_causes(server: HostileServer, url: str) -> None:
    with pytest.raises(IntakeError) as caught:
        await fetch(url, STRICT, resolve=RESOLVE, dial=Wire(server.port))
    error: BaseException | None = caught.value
    while error is not None:
        assert "pa55" not in str(error)
        assert "s3cret" not in str(error)
        assert len(str(error)) < 320
        error = error.__cause__


async def test_private_addresses_and_ports_open_by_config(server: HostileServer) -> None:
    url = f"http://127.0.0.1:{server.port}/ok?token=s3cret"
    assert await take_image(f"  {url}\n", rules=FetchRules(allow_private_addresses=True)) == PNG
    with pytest.raises(IntakeError, match=f"port {server.port}.*{KEY}"):
        await take_image(url, rules=FetchRules())
    assert len(server.requests) == 1


async def test_the_guard_refuses_by_itself_what_it_is_asked_to_connect_to() -> None:
    wire = Wire(9)
    guard = GuardedBackend("'x'", allow_private=False, resolve=names(), dial=wire)
    with pytest.raises(IntakeError, match="private or reserved"):
        await guard.connect_tcp("192.168.0.1", 80)
    assert wire.dialled == []


async def test_hosts_whose_name_servers_are_silent_keep_no_other_work_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def silent(host: str, *_: object, **__: object) -> list[object]:
        over.wait(60)
        raise OSError(host)

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    asked = [asyncio.create_task(system_resolve(f"h{number}.test", 80)) for number in range(40)]
    await asyncio.sleep(0.02)
    try:
        async with asyncio.timeout(30):
            assert await asyncio.to_thread(lambda: "written") == "written"
    finally:
        over.set()
        found = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(each) for each in found} == {OSError}
