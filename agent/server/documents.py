"""JSON from anybody: taken where everything behind can hold it and say it again."""

import json
import math
from typing import Any, Final, NoReturn

MAX_DEPTH: Final = 64
"""Lists and objects within one another."""
MAX_VALUES: Final = 100_000
"""Of a document, by its commas and brackets, those within strings included: no prompt comes near, and encoded media
have none. A list of ten million empty ones is a small body and a large object."""
MAX_KEYS: Final = 256
"""Of one object: each that is none is told with what it may have meant."""
_LONGEST_NUMBER: Final = 64
"""Characters. Reading a number of thousands of digits takes the square of their count."""


def fault(body: bytes | bytearray) -> str:
    """Why a JSON document is not taken, in words that follow what it is called; "": it is.

    Taken is what RFC 8259 calls JSON, in UTF-8, of bounded depth and size, without NUL and halves of surrogate pairs,
    which can be neither stored nor answered, and without numbers beyond a double's range.
    """
    nested = body.count(b"[") + body.count(b"{")
    if nested + body.count(b",") > MAX_VALUES:
        return f"has over {MAX_VALUES} values"
    try:
        document = _parsed(body)
    except ValueError as error:
        return str(error)
    # only what is escaped can be a surrogate or a NUL; media have no backslash, and are not looked through for it
    escapes = body[body.find(b"\\") : body.rfind(b"\\") + 2]
    if nested > MAX_DEPTH or b"\\u" in escapes:
        return _fault_within(document)
    return ""


def _parsed(body: bytes | bytearray) -> Any:
    """The document. Raises ValueError, in words that follow what it is called."""
    try:
        return json.loads(
            body.decode(), object_hook=_object, parse_constant=_no_number, parse_float=_float, parse_int=_int
        )
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    except RecursionError:
        raise ValueError(f"is nested over {MAX_DEPTH} deep") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"is no JSON: {error}") from None


def _fault_within(document: Any) -> str:
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH + 1):
        deeper: list[Any] = []
        for value in level:
            if isinstance(value, str):
                if "\0" in value or not _encodable(value):
                    return "has a NUL character or half of a surrogate pair in a string"
            elif isinstance(value, dict):
                deeper += value.keys()
                deeper += value.values()
            elif isinstance(value, list):
                deeper += value
        if not deeper:
            return ""
        level = deeper
    return f"is nested over {MAX_DEPTH} deep"


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _object(fields: dict[str, Any]) -> dict[str, Any]:
    if len(fields) > MAX_KEYS:
        raise ValueError(f"has an object of over {MAX_KEYS} fields")
    return fields


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"has {name}, which is no JSON number")


def _float(text: str) -> float:
    value = float(text)
    if len(text) > _LONGEST_NUMBER or not math.isfinite(value):
        raise ValueError("has a number that is too large or too long")
    return value


def _int(text: str) -> int:
    if len(text) > _LONGEST_NUMBER:
        raise ValueError("has a number that is too large or too long")
    return int(text)
