"""What the server writes to its log: a line a request where asked for, and never a secret.

A secret stands in a request at known places: the Authorization header, userinfo and values of a query, and the parts of
a path that cannot be guessed (media, uploads). Whatever is written goes through `scrubbed`, tracebacks included.
"""

import logging
import logging.config
import re
from typing import Any, Final

from starlette.types import Scope

INFO: Final = logging.INFO
ACCESS: Final = logging.getLogger("retake.access")
"""A line a request."""
_LONGEST: Final = 300
_GONE: Final = "…"
_SECRET_PATH: Final = re.compile(
    r"(/media/|/uploads/|/files/in/|/multipart/|/files/(?!in/|upload))[^/?#\s\"']+(/[^/?#\s\"']+)?"
)
_USERINFO: Final = re.compile(r"(?<=://)[^/@\s\"']+(?=@)")
_VALUE: Final = re.compile(
    r"(?i)((?:authorization|x-api-key|api[_-]?key|token|secret|password|signature|sig|key|cookie)"
    r"[\"']?\s*(?:=|:|%3d)\s*[\"']?(?:(?:bearer|key|basic)\s+)?)[^\s&\"',;}\])]+"
)
_SCHEME: Final = re.compile(r"(?i)\b(bearer|key)\s+(?=[^\s\"']*[0-9_-])[A-Za-z0-9._~+/:=-]{12,}")
_OURS: Final = re.compile(r"rtk_[A-Za-z0-9_-]{20,}")
_BLOB: Final = re.compile(r"[A-Za-z0-9+/_-]{200,}={0,2}")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def scrubbed(text: str) -> str:
    """A text without the secrets that may stand in it, and without what moves a terminal's cursor. Keeps its lines."""
    text = _SECRET_PATH.sub(rf"\1{_GONE}", _USERINFO.sub(_GONE, text))
    text = _OURS.sub(_GONE, _SCHEME.sub(rf"\1 {_GONE}", _VALUE.sub(rf"\1{_GONE}", text)))
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", _BLOB.sub(_GONE, text))


def path_of(scope: Scope) -> str:
    """A request's path and the names of its query's fields, on one line: fit for a log."""
    raw = scope.get("raw_path") or scope["path"].encode(errors="replace")
    text = _SECRET_PATH.sub(rf"\1{_GONE}", raw.decode("latin-1"))
    names = [field.partition("=")[0] for field in scope["query_string"].decode("latin-1").split("&") if field]
    text += "?" + "&".join(f"{name[:40]}={_GONE}" for name in names[:8]) if names else ""
    return scrubbed(text).replace("\n", "\\n")[:_LONGEST]


def tell(scope: Scope, status: int, size: int, seconds: float) -> None:
    """Write a request's line: whose it is, what was asked, the answer's status and bytes, and how long it took."""
    caller = scope.get("retake.caller")
    client = scope["client"][0] if scope.get("client") else "-"
    ACCESS.info(
        "%s %s %s %s %d %d B %.1f ms",
        client,
        "-" if caller is None else caller.owner,
        scope["method"][:20],
        path_of(scope),
        status,
        size,
        seconds * 1000,
    )


class Scrubbing(logging.Formatter):
    """Writes records without secrets: a message is one line, a traceback keeps its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line, without the traceback."""
        return super().formatMessage(record).replace("\r", "\\r").replace("\n", "\\n")

    def format(self, record: logging.LogRecord) -> str:
        """The whole of it."""
        return scrubbed(super().format(record))


def begin(*, verbose: bool, part: str = "") -> None:
    """Write this process's log to standard error: warnings and faults, with `verbose` a line a request as well.

    Args:
        verbose: tell more.
        part: which process it is, where there are several.
    """
    level = "INFO" if verbose else "WARNING"
    form = f"%(asctime)s {part + ' ' if part else ''}%(name)s: %(message)s"
    config: dict[str, Any] = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"scrubbing": {"()": Scrubbing, "fmt": form}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "scrubbing", "stream": "ext://sys.stderr"}
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # a warning is one for every garbled request: who sends many would fill the log
            "uvicorn.error": {"level": "ERROR"},
            "uvicorn.access": {"handlers": [], "propagate": False, "level": "CRITICAL"},
            # httpx tells whole addresses
            "httpx": {"level": "WARNING"},
            "httpcore": {"level": "WARNING"},
        },
    }
    logging.config.dictConfig(config)
