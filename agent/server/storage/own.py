"""`/v1/uploads`, and the addresses that uploads are found at."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import Response

from agent.sending import BYTES, MEDIA, file_response
from agent.server.context import base_url, caller_of, context_of
from agent.server.media import FILE_HEADERS
from agent.server.storage.asked import CDN, REST, named, plain, token_owner
from agent.server.storage.multipart import FileOfForm
from agent.server.storage.nouns import Upload
from agent.server.types import Caller, refused

_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "required": ["file"],
                }
            },
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}

router = APIRouter(tags=["uploads"])


class Uploaded(BaseModel):
    """A file that was uploaded."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    id: str
    url: str
    """What requests may name as their image or video, and where the file is found."""
    name: str
    content_type: str
    bytes: int | None
    """null: it is not whole yet."""
    expires_at: str
    """It is removed then; each use of it in a request puts that off."""


@router.post("/v1/uploads", status_code=201, openapi_extra=_BODY)
async def upload(
    request: Request,
    name: Annotated[str | None, Query(max_length=1000, description="The file's, where the body is its bytes.")] = None,
) -> Uploaded:
    """Send a file ahead of the request that names it: its bytes, or a form with one file."""
    caller = caller_of(request, "upload")
    uploads = context_of(request).uploads
    kind = request.headers.get("content-type", "")
    stream = request.stream()
    form = FileOfForm(stream, kind) if kind.lower().startswith("multipart/form-data") else None
    begun = uploads.begin(caller.owner, named(request, name, kind))
    try:
        await uploads.take(begun, stream if form is None else form.stream())
        if form is not None:
            of_form = named(request, name or form.name, form.content_type)
            begun.write_about(name=of_form.name, content_type=of_form.content_type)
    except BaseException:
        uploads.remove(begun)
        raise
    if not begun.about.bytes:
        uploads.remove(begun)
        raise refused(422, "missing", "the body is empty: send the file's bytes, or a form with one file")
    return _told(begun, request)


@router.get("/v1/uploads/{id}")
async def about(id: str, request: Request) -> Uploaded:  # noqa: A002 - the address's own word
    """What is known of an upload."""
    return _told(_own(request, id), request)


@router.delete("/v1/uploads/{id}", status_code=204, response_class=Response)
async def delete(id: str, request: Request) -> None:  # noqa: A002 - as above
    """Remove an upload. Jobs that use it have it still."""
    context_of(request).uploads.remove(_own(request, id))


async def file(id: str, name: str, request: Request) -> Response:  # noqa: A002 - as above
    """An uploaded file, for whoever has its address. Ranges are answered with 206."""
    uploads = context_of(request).uploads
    found = uploads.find(id)
    path = None
    if found is not None and name == found.about.name and (not found.about.hidden or _is_owner(request, found)):
        path = found.path
    response = None if found is None or path is None else file_response(path, FILE_HEADERS, _shown(found))
    if response is None:
        raise refused(404, "not_found", "there is no such file: it has expired, or the address is not whole")
    return response


for _prefix in ("/uploads", CDN + "/files", REST + "/files"):
    _path = _prefix + "/{id}/{name}"
    router.add_api_route(_path, file, methods=["GET"], response_class=Response, include_in_schema=_prefix == "/uploads")
    router.add_api_route(_path, file, methods=["HEAD"], response_class=Response, include_in_schema=False)


def _own(request: Request, id: str) -> Upload:  # noqa: A002 - as above
    caller = caller_of(request, "upload")
    found = context_of(request).uploads.find(id)
    if found is None or not (found.about.owner == caller.owner or "admin" in caller.scopes):
        raise refused(404, "not_found", "there is no such upload: it has expired, or is another key's")
    return found


def _is_owner(request: Request, found: Upload) -> bool:
    caller: Caller | None = request.scope.get("retake.caller")
    # a stranger has no scopes, whatever they are called
    known = None if caller is None or not caller.scopes else caller.owner
    return found.about.owner in {token_owner(request), known}


def _shown(found: Upload) -> str:
    """The type that a file is sent as: what it was said to be, where that is a medium that runs nothing."""
    return found.about.content_type if found.about.content_type in MEDIA.values() else BYTES


def _told(found: Upload, request: Request) -> Uploaded:
    said = found.about
    expires = context_of(request).uploads.expires_at(found)
    return Uploaded(
        id=found.id,
        url=f"{base_url(request)}/uploads/{found.id}/{plain(said.name)}",
        name=said.name,
        content_type=said.content_type,
        bytes=said.bytes,
        expires_at=datetime.fromtimestamp(int(expires), UTC).isoformat(),
    )
