"""fal's storage as both of its clients use it: tokens, uploads begun by address, the CDN, and parts of large files."""

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Header
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from agent.server.context import base_url, caller_of, context_of
from agent.server.storage.asked import CDN, REST, named, uploader
from agent.server.storage.nouns import Upload
from agent.server.types import refused

SENDING: Final = "/files/in/{id}/{ticket}"
"""Where a file is sent to without a key; the ticket is good for this one file."""
TAGS: Final = ["fal storage"]

rest = APIRouter(prefix=REST, tags=[*TAGS])
cdn = APIRouter(tags=[*TAGS])
"""Under both prefixes: behind a mapped host a client may stay with the one it reached."""


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)


class Initiate(_Wire):
    """What is to be sent."""

    file_name: str | None = Field(default=None, max_length=1000)
    content_type: str | None = Field(default=None, max_length=200)


class Initiated(_Wire):
    """Where to."""

    upload_url: str
    """PUT the bytes here, without a key; of a multipart upload `/1`, `/2` …, then POST `/complete`."""
    file_url: str
    """What the file is then called in requests."""


class Part(_Wire):
    """A part that was sent."""

    partNumber: int = Field(ge=1, le=10_000)  # noqa: N815 - the wire's own word
    etag: str = Field(max_length=200)


class Complete(_Wire):
    """All parts of a file."""

    parts: list[Part] = Field(max_length=10_000)


class Token(_Wire):
    """Lets its holder upload to the CDN."""

    token: str
    token_type: str
    base_url: str
    expires_at: str


class Access(_Wire):
    """Where a file is found."""

    access_url: str


class Begun(Access):
    """Where a file is sent in parts, and found then."""

    uploadId: str  # noqa: N815 - the wire's own word


@rest.post("/storage/auth/token")
async def token(request: Request) -> Token:
    """A token for the CDN, for an hour. A token gets no other: else it would last for ever."""
    caller = caller_of(request, "upload")
    if caller.passing:
        raise refused(403, "forbidden", "a token gets no further token; ask with the key")
    signed, until = context_of(request).uploads.passes.token(caller.owner)
    # with its offset and to the second: older Pythons read neither Z nor six digits less one
    expires = datetime.fromtimestamp(int(until), UTC).isoformat()
    return Token(token=signed, token_type="Bearer", base_url=base_url(request, CDN), expires_at=expires)  # noqa: S106 - a kind


@rest.post("/storage/upload/initiate")
@rest.post("/storage/upload/initiate-multipart")
async def initiate(body: Initiate, request: Request) -> Initiated:
    """Begin an upload, whole or in parts: its address takes one file, without a key, for three hours."""
    caller = caller_of(request, "upload")
    uploads = context_of(request).uploads
    upload = uploads.begin(caller.owner, named(request, body.file_name, body.content_type))
    base = base_url(request, REST)
    return Initiated(
        upload_url=f"{base}/files/in/{upload.id}/{uploads.passes.ticket(upload.id)}",
        file_url=_address(base, upload),
    )


async def put(id: str, ticket: str, request: Request) -> Response:  # noqa: A002 - the address's own word
    """The bytes of an upload that was begun."""
    upload = _begun(request, id, ticket)
    await context_of(request).uploads.take(upload, request.stream())
    return Response(headers={"etag": f'"{upload.about.sha256}"'})


async def put_numbered(id: str, ticket: str, number: int, request: Request) -> Part:  # noqa: A002 - as above
    """A part of an upload that was begun."""
    upload = _begun(request, id, ticket)
    etag = await context_of(request).uploads.take_part(upload, number, request.stream())
    return Part(partNumber=number, etag=f'"{etag}"')


async def complete(id: str, ticket: str, body: Complete, request: Request) -> Access:  # noqa: A002 - as above
    """All parts of an upload have been sent."""
    upload = _begun(request, id, ticket)
    return await _joined(upload, body, request)


async def upload_whole(
    request: Request,
    content_type: Annotated[str | None, Header(include_in_schema=False)] = None,
    x_fal_file_name: Annotated[str | None, Header()] = None,
) -> Access:
    """The bytes of a file, and its address."""
    caller = uploader(request)
    uploads = context_of(request).uploads
    upload = uploads.begin(caller.owner, named(request, x_fal_file_name, content_type))
    try:
        await uploads.take(upload, request.stream())
    except BaseException:
        uploads.remove(upload)
        raise
    return Access(access_url=_address(_reached(request), upload))


async def begin_parts(
    request: Request,
    content_type: Annotated[str | None, Header(include_in_schema=False)] = None,
    x_fal_file_name: Annotated[str | None, Header()] = None,
) -> Begun:
    """Begin an upload in parts."""
    caller = uploader(request)
    uploads = context_of(request).uploads
    upload = uploads.begin(caller.owner, named(request, x_fal_file_name, content_type))
    return Begun(access_url=_address(_reached(request), upload), uploadId=uploads.passes.ticket(upload.id))


async def put_part(id: str, ticket: str, number: int, request: Request) -> Response:  # noqa: A002 - as above
    """A part; its ETag is asked for at the end."""
    upload = _own(request, id, ticket)
    etag = await context_of(request).uploads.take_part(upload, number, request.stream())
    return Response(headers={"etag": f'"{etag}"'})


async def complete_parts(id: str, ticket: str, body: Complete, request: Request) -> Access:  # noqa: A002 - as above
    """All parts have been sent."""
    return await _joined(_own(request, id, ticket), body, request)


for _prefix in (CDN, REST):
    _shown = {"include_in_schema": _prefix == CDN}
    _of_file = _prefix + "/files/{id}/{name}/multipart/{ticket}"
    for _method, _path, _handler in (
        ("PUT", _prefix + SENDING, put),
        ("PUT", _prefix + SENDING + "/{number:int}", put_numbered),
        ("POST", _prefix + SENDING + "/complete", complete),
        ("POST", _prefix + "/files/upload", upload_whole),
        ("POST", _prefix + "/files/upload/multipart", begin_parts),
        ("PUT", _of_file + "/{number:int}", put_part),
        ("POST", _of_file + "/complete", complete_parts),
    ):
        cdn.add_api_route(_path, _handler, methods=[_method], **_shown)  # type: ignore[arg-type]


def _reached(request: Request) -> str:
    return base_url(request, REST if request.scope["path"].startswith(REST + "/") else CDN)


def _address(base: str, upload: Upload) -> str:
    return f"{base}/files/{upload.id}/{upload.about.name}"


def _begun(request: Request, id: str, ticket: str) -> Upload:  # noqa: A002 - as above
    """The upload that a ticket is for."""
    uploads = context_of(request).uploads
    upload = uploads.find(id) if uploads.passes.fits(id, ticket) else None
    if upload is None:
        raise refused(404, "not_found", "there is no such upload, or its time is over; begin a new one")
    return upload


def _own(request: Request, id: str, ticket: str) -> Upload:  # noqa: A002 - as above
    """Likewise, where it is also the caller's."""
    caller = uploader(request)
    upload = _begun(request, id, ticket)
    if upload.about.owner != caller.owner:
        raise refused(404, "not_found", "there is no such upload, or its time is over; begin a new one")
    return upload


async def _joined(upload: Upload, body: Complete, request: Request) -> Access:
    await context_of(request).uploads.join(upload, [(part.partNumber, part.etag) for part in body.parts])
    return Access(access_url=_address(_reached(request), upload))
