"""A refusal in the words of whoever asked: each dialect says how it puts a problem, by its paths."""

import logging
from collections.abc import Callable
from typing import Final

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match
from starlette.types import Scope

from agent.errors import STORAGE
from agent.server.types import Problem

log = logging.getLogger(__name__)

Faults = list[dict[str, object]]
"""As pydantic lists them: loc, msg, type, input."""
Put = Callable[[Problem, Faults], Response]
"""A problem, and what is wrong with which field, where that is the problem, as a dialect answers it."""

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
FORMS: Final[dict[str, Put]] = {}
"""By the beginning of the path; the longest that fits decides. Dialects enter themselves by `answers_for`."""


def answers_for(*prefixes: str) -> Callable[[Put], Put]:
    """Enter a dialect's form of refusal."""

    def enter(put: Put) -> Put:
        FORMS.update(dict.fromkeys(prefixes, put))
        return put

    return enter


def answer(scope: Scope, problem: Problem, retry_after: float | None = None, faults: Faults | None = None) -> Response:
    """A problem as the dialect of the asked path puts it."""
    path: str = scope["path"]
    fitting = [prefix for prefix in FORMS if path == prefix or path.startswith(prefix.rstrip("/") + "/")]
    put = FORMS[max(fitting, key=len)] if fitting else _plain
    response = put(problem, faults or [])
    if retry_after is not None:
        response.headers["retry-after"] = str(max(1, round(retry_after)))
    return response


def _plain(problem: Problem, faults: Faults) -> Response:
    """Ours: what is wrong, of which field, and the cure."""
    body: dict[str, object] = {"type": problem.type, "message": problem.message}
    if problem.loc:
        body["field"] = ".".join(map(str, problem.loc))
    if faults:
        body["faults"] = [{key: fault[key] for key in ("loc", "msg", "type") if key in fault} for fault in faults]
    return JSONResponse({"error": body}, problem.status)


FORMS.update({"/v1/runs": _plain, "/v1/uploads": _plain})


async def on_refused(request: Request, error: Exception) -> Response:
    """The handler for `Refused`."""
    from agent.server.types import Refused  # noqa: PLC0415 - its type is all that is needed above

    if not isinstance(error, Refused):
        raise error
    return answer(request.scope, error.problem, error.retry_after)


async def on_invalid(request: Request, error: Exception) -> Response:
    """The handler for a request that its model refuses."""
    if not isinstance(error, RequestValidationError):
        raise error
    faults: Faults = [dict(fault) for fault in error.errors()]
    malformed = any(fault["type"] == "json_invalid" for fault in faults)
    first = faults[0] if faults else {"loc": (), "msg": "invalid"}
    loc = first["loc"] if isinstance(first["loc"], tuple) else ()
    problem = Problem(
        status=400 if malformed else 422,
        type="bad_request" if malformed else "value_error",
        message=_sendable(
            "; ".join(f"{'.'.join(map(str, f['loc'][1:])) or 'body'}: {f['msg']}" for f in faults[:8])  # type: ignore[index]
            or "invalid"
        ),
        loc=tuple(_sendable(part, 100) if isinstance(part, str) else part for part in loc[1:]),
    )
    return answer(request.scope, problem, faults=faults)


def _sendable(text: str, longest: int = 4000) -> str:
    """Words that repeat what was sent: no half characters, which no answer can hold, and not endless."""
    return text[:longest].encode("utf-8", "replace").decode()


async def on_http(request: Request, error: Exception) -> Response:
    """The handler for what the framework refuses: 404, 405, 413."""
    if not isinstance(error, HTTPException):
        raise error
    kind = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 416: "range_not_satisfiable"}.get(
        error.status_code, "bad_request"
    )
    said, headers = str(error.detail), dict(error.headers or {})
    if said == "Not Found":
        said = "there is nothing at this path; /openapi.json tells what there is, and the page is at /"
    elif said == "Method Not Allowed":
        headers["Allow"] = taken = _methods(request) or headers.get("Allow", "another method")
        said = f"this path takes {taken}, not {request.method[:20]}"
    response = answer(request.scope, Problem(status=error.status_code, type=kind, message=said))
    for name, value in headers.items():
        response.headers[name] = value
    return response


def _methods(request: Request) -> str:
    """What a path takes, by all of its routes: the framework names those of one."""
    routes = request.app.routes

    def taken(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in routes)

    return ", ".join(method for method in _METHODS if taken(method))


async def on_storage(request: Request, error: Exception) -> Response:
    """The handler for a disk that is full or failed: it says where in the log alone."""
    if isinstance(error, OSError) and error.errno not in STORAGE:
        raise error
    log.error("%s %s could not be done: %s", request.method, request.url.path, error)
    why = "the server's disk is full or failed, and nothing was taken; ask again later"
    return answer(request.scope, Problem(status=507, type="storage_failed", message=why), retry_after=30)


async def on_broken(request: Request, error: Exception) -> Response:
    """The handler for our own faults: nothing of them is told."""
    del error
    return answer(
        request.scope, Problem(status=500, type="internal_server_error", message="the server failed; see its log")
    )
