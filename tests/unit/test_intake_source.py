"""Taking an image from a path or a data URI, and telling formats by their first bytes."""

import asyncio
import base64
import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from pydantic import ValidationError

from agent.errors import IntakeError
from agent.intake import FetchRules, take_image
from agent.intake.formats import recognise

RULES = FetchRules()
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4


async def refusal(source: str | Path, rules: FetchRules = RULES, base: Path | None = None) -> str:
    with pytest.raises(IntakeError) as caught:
        await asyncio.wait_for(take_image(source, rules=rules, base=base), 60)
    message = str(caught.value)
    assert message.startswith("request.image: ")
    assert ";" in message, "a cure follows the finding"
    assert "\n" not in message
    assert len(message) < 320
    return message


async def test_a_path_is_read_from_the_base_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a b.png").write_bytes(PNG)
    assert await take_image("in/a b.png", rules=RULES, base=tmp_path) == PNG
    assert await take_image(Path("in/a b.png"), rules=RULES, base=tmp_path) == PNG
    assert await take_image(str(tmp_path / "in" / "a b.png"), rules=RULES, base=Path("/elsewhere")) == PNG


async def test_home_is_expanded_and_links_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real.png").write_bytes(PNG)
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert await take_image("~/link.png", rules=RULES, base=Path("/elsewhere")) == PNG


async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "'dog.png' does not exist; give the path of a JPEG, PNG" in await refusal("dog.png", base=tmp_path)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("", "path is empty"),
        (".", "path is empty"),
        ("nul\0.png", "cannot be opened"),
        ("~nobody-has-this-name/x.png", "cannot be opened"),
        ("x" * 5000, "cannot be opened (File name too long)"),
        ("ftp://me:pa55@host/x.png", "ftp:// URLs are not read"),
        ("s3://bucket/x.png", "s3:// URLs are not read"),
        ("file:///x.png", "file:// URLs are not read; give its path"),
    ],
)
async def test_a_bad_source_is_refused_in_words(source: str, says: str) -> None:
    message = await refusal(source)
    assert says in message
    assert "pa55" not in message


async def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "is a folder" in await refusal(tmp_path)


async def test_a_pipe_without_a_writer_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert "is a pipe or a device" in await refusal("pipe.png", base=tmp_path)


async def test_a_socket_and_devices_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket may not have a long path
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind("s")
        assert "cannot be opened" in await refusal("s")
    assert "is a pipe or a device" in await refusal("/dev/zero")


async def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "a")
    assert "cannot be opened" in await refusal("a", base=tmp_path)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may read everything: give that up for a moment."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


async def test_a_file_without_the_right_to_read_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(PNG)
    secret.chmod(0)
    await take_image("data:,GIF89a", rules=RULES)  # what is imported late is now here
    with unprivileged():
        assert "may not be read; give this user the right" in await refusal(secret)


async def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    assert "'empty.png' is empty" in await refusal("empty.png", base=tmp_path)


async def test_the_byte_limit_is_exact(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PNG)
    uri = "data:image/png;base64," + base64.b64encode(PNG).decode()
    fits, short = FetchRules(max_bytes=len(PNG)), FetchRules(max_bytes=len(PNG) - 1)
    for source in (tmp_path / "a.png", uri):
        assert await take_image(source, rules=fits) == PNG
        assert f"larger than {len(PNG) - 1} bytes" in await refusal(source, short)


async def test_a_sparse_giant_costs_no_more_than_the_limit(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(2**40)
    assert "larger than 20 MiB" in await refusal("a.png", base=tmp_path)


@pytest.mark.parametrize(
    "uri",
    [
        "data:image/png;base64," + base64.b64encode(PNG).decode(),
        "data:image/png;base64," + base64.b64encode(PNG).decode().rstrip("="),
        "data:image/png;base64," + base64.encodebytes(PNG).decode(),
        "data:image/png;base64," + quote(base64.b64encode(PNG).decode(), safe=""),
        "data:image/png;charset=x;BASE64," + base64.b64encode(PNG).decode(),
        "DATA:;base64," + base64.b64encode(PNG).decode(),
        "data:image/png," + quote(PNG),
        "  data:," + "".join(f"%{byte:02x}" for byte in PNG) + "\n",
    ],
)
async def test_data_uris_are_decoded_as_browsers_do(uri: str) -> None:
    assert await take_image(uri, rules=RULES) == PNG


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("data:image/png;base64", "no comma"),
        ("data:image/png;base64,", "is empty"),
        ("data:image/png;base64,iVBOR!!!" + "A" * 500, "not valid base64"),
        ("data:image/png;base64,iVBORw0KG" + "é" * 8, "not valid base64"),
        ("data:image/png;base64,AAAAA", "not valid base64"),
        ("data:image/png;base64,iVBO=Rw0K", "not valid base64"),
        ("data:image/png;base64," + base64.b64encode(b"no picture " * 100).decode(), "is not an image"),
        ("data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'/>", "is an SVG drawing; render it to PNG"),
        ("data:text/html,<html>", "is a web page"),
        ("data:image/png;base64," + "A" * (4 * 1000 + 5), "larger than 1000 bytes"),
    ],
)
async def test_a_bad_data_uri_is_refused_without_quoting_it(uri: str, says: str) -> None:
    message = await refusal(uri, FetchRules(max_bytes=1000) if len(uri) > 4000 else RULES)
    assert says in message
    assert "AAAA" not in message


async def test_base64_without_its_prefix_is_not_quoted_at_length() -> None:
    text = base64.b64encode(bytes(3000)).decode()
    message = await refusal(text)
    assert text[:81] not in message


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    brands = major + bytes(4) + b"".join(compatible)
    return (8 + len(brands)).to_bytes(4, "big") + b"ftyp" + brands + bytes(100)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (PNG, "PNG"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "WebP"),
        (b"GIF87a", "GIF"),
        (b"GIF89a", "GIF"),
        (b"BM" + bytes(12) + b"\x28\0\0\0", "BMP"),
        (ftyp(b"avif", b"mif1"), "AVIF"),
        (ftyp(b"mif1", b"avif", b"miaf"), "AVIF"),
        (ftyp(b"heic", b"mif1"), "a HEIC image"),
        (ftyp(b"mif1", b"heic"), "a HEIC image"),
        (ftyp(b"isom", b"avc1"), "a video"),
        (ftyp(b"qt  "), "a video"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "a video"),
        (b"\x1aE\xdf\xa3\x01", "a video"),
        (b"RIFF\x10\0\0\0AVI LIST", "a video"),
        (b"RIFF\x10\0\0\0WAVEfmt ", "not an image"),
        (b"%PDF-1.7", "a PDF document"),
        (b"II*\0\x08\0\0\0", "a TIFF image"),
        (b"MM\0*\0\0\0\x08", "a TIFF image"),
        (b"\xff\x0a\xfa", "a JPEG XL image"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- x -->\n<svg>', "an SVG drawing"),
        (b"  <SVG width='1'>", "an SVG drawing"),
        (b"\n<!doctype HTML>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer"),
        (b"PK\3\4", "a ZIP archive"),
        (b"BM is how this text begins", "not an image"),
        (b"v=0\r\no=- 0 0 IN IP4 127.0.0.1", "not an image"),
        (b"\x89PN", "not an image"),
        (b"\0", "not an image"),
    ],
)
def test_formats_are_told_by_their_first_bytes(head: bytes, name: str) -> None:
    assert recognise(head) == name


async def test_a_refused_format_is_named_with_its_cure(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(ftyp(b"heic", b"mif1"))
    (tmp_path / "clip.png").write_bytes(ftyp(b"isom"))
    assert "'photo.jpg' is a HEIC image; export it as JPEG or PNG" in await refusal("photo.jpg", base=tmp_path)
    assert "'clip.png' is a video; save one of its frames as PNG" in await refusal("clip.png", base=tmp_path)


def test_the_rules_are_strict() -> None:
    assert FetchRules().model_dump() == {
        "allow_private_addresses": False,
        "max_bytes": 20971520,
        "timeout_seconds": 20.0,
        "max_redirects": 3,
    }
    for wrong in ({"max_byte": 1}, {"max_bytes": 0}, {"timeout_seconds": 0}, {"timeout_seconds": float("inf")}):
        with pytest.raises(ValidationError):
            FetchRules.model_validate(wrong)
