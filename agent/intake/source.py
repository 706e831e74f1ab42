"""Taking the bytes of an image from wherever the user keeps it."""

import asyncio
import base64
import binascii
import os
import re
import stat
from pathlib import Path
from urllib.parse import unquote_to_bytes

from agent.errors import IntakeError
from agent.intake.formats import FORMATS, HEAD, check_format
from agent.intake.rules import IMAGE, FetchRules, Wanted

_SCHEME = re.compile(r"\s*(?:(data|https?):|([a-z][a-z0-9+.-]*)://)", re.IGNORECASE)
_ASCII_WHITESPACE = b" \t\n\f\r"


async def take_image(source: str | Path, *, rules: FetchRules, base: Path | None = None) -> bytes:
    """The bytes of a JPEG, PNG, WebP, AVIF, GIF or BMP file; whether they decode is seen by `agent.intake.image`.

    Args:
        source: a path (`~` is expanded), an http(s) URL, or a data URI (base64 or percent-encoded).
        rules: the limits.
        base: the folder that a relative path starts from; the working directory if None.

    Raises:
        IntakeError: it cannot be taken; one sentence with the field and the cure, without a URL's query or credentials.
    """
    match = _SCHEME.match(source) if isinstance(source, str) else None
    if match is None:
        return await asyncio.to_thread(_read_file, Path(source), base, rules.max_bytes)
    scheme = (match[1] or match[2]).lower()
    text = str(source).strip()
    if scheme == "data":
        data = data_uri_bytes(text, rules.max_bytes)
        check_format(data[:HEAD], "the data URI")
        return data
    if scheme in {"http", "https"}:
        from agent.intake.fetch import fetch  # noqa: PLC0415  httpx is slow to import, and most images are files

        return await fetch(text, rules)
    cure = "give its path" if scheme == "file" else "give an http(s) URL, a path or a data URI"
    raise IntakeError(f"request.image: {scheme}:// URLs are not read; {cure}")


def shorten(text: str, longest: int = 80) -> str:
    """A text for a message: its middle left out if it is long, line breaks and the like escaped."""
    half = longest // 2 - 1
    return repr(text if len(text) <= longest else f"{text[:half]}…{text[-half:]}")


def too_large(name: str, max_bytes: int, wanted: Wanted = IMAGE) -> IntakeError:
    """The error for a file over the byte limit."""
    limit = f"{max_bytes / 2**20:.3g} MiB" if max_bytes >= 2**20 else f"{max_bytes} bytes"
    return IntakeError(f"{wanted.field}: {name} is larger than {limit}; {wanted.smaller}", "bytes")


def _read_file(path: Path, base: Path | None, max_bytes: int) -> bytes:
    name = shorten(str(path))
    if not path.parts:
        raise IntakeError(
            "request.image: the path is empty or names a folder; give a path, a URL or a data URI, or leave it out"
        )
    try:
        path = (base or Path()) / path.expanduser()
        # non-blocking: opening a named pipe would otherwise wait for a writer, perhaps for ever
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            _check_regular(os.fstat(descriptor).st_mode, name)
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                data = file.read(max_bytes + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError as error:
        raise IntakeError(
            f"request.image: {name} does not exist; give the path of a {FORMATS} file, a URL or a data URI"
        ) from error
    except PermissionError as error:
        raise IntakeError(f"request.image: {name} may not be read; give this user the right to read it") from error
    except (OSError, ValueError, RuntimeError) as error:  # in order: the system's, a NUL character, an unknown ~user
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise IntakeError(f"request.image: {name} cannot be opened ({reason}); check the path") from error
    if len(data) > max_bytes:
        raise too_large(name, max_bytes)
    check_format(data[:HEAD], name)
    return data


def _check_regular(mode: int, name: str) -> None:
    if stat.S_ISDIR(mode):
        raise IntakeError(f"request.image: {name} is a folder; give the path of one {FORMATS} file")
    if not stat.S_ISREG(mode):
        raise IntakeError(f"request.image: {name} is a pipe or a device; give the path of a {FORMATS} file")


def data_uri_bytes(uri: str, max_bytes: int, wanted: Wanted = IMAGE) -> bytes:
    """What a data URI holds, decoded as browsers do (RFC 2397); of any format.

    Raises:
        IntakeError: it is none, or holds too much.
    """
    name = "the data URI"
    declared, comma, payload = uri[len("data:") :].partition(",")
    if not comma:
        raise IntakeError(f"{wanted.field}: {name} has no comma; write it as {wanted.data_uri},…")
    # a byte takes four characters at most: base64, each of its characters percent-encoded
    if len(payload) > 4 * max_bytes + 4:
        raise too_large(name, max_bytes, wanted)
    data = unquote_to_bytes(payload)
    if declared.replace(" ", "").lower().endswith(";base64"):
        data = base64_bytes(data, name, wanted)
    if len(data) > max_bytes:
        raise too_large(name, max_bytes, wanted)
    return data


def base64_bytes(text: bytes, name: str, wanted: Wanted = IMAGE) -> bytes:
    """Decode as WHATWG Infra's forgiving base64: white space and missing padding pass.

    Raises:
        IntakeError: it is none.
    """
    compact = text.translate(None, _ASCII_WHITESPACE).rstrip(b"=")
    try:
        return base64.b64decode(compact + b"=" * (-len(compact) % 4), validate=True)
    except binascii.Error as error:
        raise IntakeError(
            f"{wanted.field}: {name} is not valid base64; encode the whole file again, such as with base64 -w0"
        ) from error
