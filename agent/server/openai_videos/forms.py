"""A request's body as fields: JSON, multipart/form-data with names such as n[a][], or an urlencoded form."""

import json
import re
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request

from agent.server.types import Refused, refused

MAX_FIELDS: Final = 200
MAX_FILES: Final = 4
"""One is taken; more are told as what they are and not as a broken form."""
MAX_DEPTH: Final = 5
_URLENCODED: Final = "application/x-www-form-urlencoded"
_NAME: Final = re.compile(r"([^\[\]]{1,200})((?:\[[^\[\]]{0,200}\])*)")
_PART: Final = re.compile(r"\[([^\[\]]*)\]")

Fields = dict[str, Any]
"""Values as they came: text of a form, anything of JSON; a file of a form is an `Attached`."""


@dataclass(frozen=True)
class Attached:
    """A file that came with a form. Neither its name nor its declared type is believed: clients send neither."""

    data: bytes


async def fields_of(request: Request, most: int) -> Fields:
    """The fields of a request's body.

    Args:
        request: not read yet.
        most: bytes of the body.

    Raises:
        Refused: 400 for what is malformed, 413 for too much, 415 for another type of content.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind in {"multipart/form-data", _URLENCODED}:
            if kind == _URLENCODED and (await request.body()).lstrip().startswith(b"{"):  # what curl says of any -d
                raise refused(400, "invalid_type", "send JSON with the header Content-Type: application/json")
            return await _form(request, most)
        if kind in {"", "application/json"} or kind.endswith("+json"):
            return _json(await _body(request, most))
    except ClientDisconnect:
        raise refused(400, "bad_request", "the request was cut off") from None
    raise refused(415, "unsupported_media_type", "send application/json or multipart/form-data")


async def _body(request: Request, most: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise refused(413, "too_large", f"the body has more than {most:,} bytes")
    return bytes(body)


def _json(body: bytes) -> Fields:
    try:
        data = json.loads(body or b"null", parse_constant=_no_number)
    except (ValueError, RecursionError):  # also bytes that are no UTF-8, and numbers of thousands of digits
        raise refused(400, "invalid_json", "the body is no JSON: check its quotes, commas and encoding") from None
    if not isinstance(data, dict):
        raise refused(400, "invalid_type", "the body must be a JSON object with the parameters, such as a prompt")
    return data


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no JSON")


async def _form(request: Request, most: int) -> Fields:
    fields: Fields = {}
    async with request.form(max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=most) as form:
        for name, value in form.multi_items():
            _enter(fields, name, await _attached(value, name, most) if isinstance(value, UploadFile) else value)
    return fields


async def _attached(file: UploadFile, name: str, most: int) -> Attached:
    if file.size is not None and file.size > most:
        raise refused(413, "file_too_large", f"the file has more than {most:,} bytes", loc=(name[:200],))
    return Attached(await file.read())


def _enter(fields: Fields, name: str, value: str | Attached) -> None:
    """Put a form's field where its name says: `a` is a value, `a[b]` a key of an object, `a[]` an item of a list."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise _unfit(name, "is no parameter's name")
    parts = [found[1], *_PART.findall(found[2])]
    if len(parts) > MAX_DEPTH:
        raise _unfit(name, "is nested too deep")
    at: Any = fields
    for index, part in enumerate(parts):
        last = index == len(parts) - 1
        if isinstance(at, list):
            at = _item(at, last, value, listed=not last and parts[index + 1] == "")
        elif not isinstance(at, dict) or part == "":
            raise _unfit(name, "is given as two things at once")
        elif last:
            if part in at:
                raise _unfit(name, "is given twice")
            at[part] = value
        else:
            at = at.setdefault(part, [] if parts[index + 1] == "" else {})


def _item(items: list[Any], last: bool, value: str | Attached, listed: bool) -> Any:
    items.append(value if last else [] if listed else {})
    return items[-1]


def _unfit(name: str, why: str) -> Refused:
    return refused(400, "invalid_value", f"the form's field {name[:200]!r} {why}", loc=(name[:200],))
