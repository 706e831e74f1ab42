"""How our own API refuses: what is wrong, of which field, and the cure."""

import difflib
from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from agent.config import DraftConfig
from agent.server.answers import Faults, answers_for
from agent.server.runs.body import RunBody
from agent.server.types import Problem, refused
from agent.types import Canaries, Pairwise

_INNER: Final[dict[str, type[BaseModel]]] = {"draft": DraftConfig, "pairwise": Pairwise, "canaries": Canaries}
"""Fields that hold a section."""
_MOST: Final = 16
"""Faults that are told."""
_MOST_READ: Final = 4 * _MOST
"""Faults that are put into words, some of which say the same: each is compared with all names of fields."""


class Fault(BaseModel):
    """What is wrong with one field."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    field: str
    """Its place, such as max_iterations, draft.tier or header.idempotency-key."""
    message: str
    """What is wrong, and the cure."""
    type: str
    """A word for it, such as missing, extra_forbidden, greater_than_equal."""


class Told(BaseModel):
    """Why a request was refused."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    type: str
    """A word for it, such as not_found, value_error, image_load_error, queue_full."""
    message: str
    """What was wrong and the cure."""
    field: str | None = None
    """The field that it is about. null: none alone."""
    faults: list[Fault] = []
    """Each by itself, where the body or a parameter was wrong."""


class Refusal(BaseModel):
    """The body of every answer from 400 on."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": {
                        "type": "value_error",
                        "message": "max_iteration: unknown field; did you mean max_iterations?",
                        "field": "max_iteration",
                        "faults": [],
                    }
                }
            ]
        }
    )

    error: Told


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What an operation may be refused with, for its documentation."""
    return {status: {"model": Refusal, "description": _REASONS[status]} for status in statuses}


_REASONS: Final = {
    400: "The body is no JSON, or the address holds what none may.",
    401: "The key is missing or wrong.",
    403: "The key may not do that: it lacks the scope.",
    404: "There is no such run, or it is another key's, or it has no such file yet.",
    413: "The body, or a file in it, is larger than the server takes.",
    416: "The file has no such range of bytes.",
    422: "A field is wrong: the message names it and the cure.",
    429: "The queue is full, or the key has asked too often: ask again after `Retry-After` seconds.",
    503: "The server is stopping, or a part that the request needs cannot be reached.",
}


@answers_for("/v1/runs")
def put(problem: Problem, faults: Faults) -> Response:
    """A problem as our own API answers it."""
    told = _told(faults)[:_MOST]
    message = "; ".join(f"{one.field}: {one.message}" for one in told) if told else problem.message
    field = told[0].field if told else ".".join(map(str, problem.loc)) or None
    body = Refusal(error=Told(type=problem.type, message=_clean(message), field=field and _clean(field), faults=told))
    return JSONResponse(body.model_dump(mode="json"), problem.status)


def known_alone(request: Request, names: Sequence[str]) -> None:
    """Check that a query has no other parameters: `state` for `states` would list all runs to who removes some.

    Raises:
        Refused: it has one (422).
    """
    for name in request.query_params:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
            cure = f"did you mean {near[0]}?" if near else f"known here: {', '.join(names)}"
            told = f"query.{_clean(name, 60)}"
            raise refused(422, "value_error", f"{told}: unknown parameter; {cure}", loc=(told,))


def _told(faults: Faults) -> list[Fault]:
    """Each fault once: of a field that holds a section or a word, what is wrong in the section, or else the words."""
    told = [_fault(fault) for fault in faults[:_MOST_READ]]
    inside = {one.field.partition(".")[0] for one in told if "." in one.field}
    return [
        one
        for one in told
        if one.field not in _INNER
        or (one.field not in inside and one.type not in {"model_type", "model_attributes_type"})
    ]


def _fault(fault: dict[str, Any]) -> Fault:
    """One fault in our words, whatever was sent."""
    where, *path = [_clean(str(part), 60) for part in fault.get("loc", ())] or ["body"]
    kind = str(fault.get("type", "value_error"))
    message = str(fault.get("msg", "invalid")).removeprefix("Value error, ")
    name = ".".join(_without_tags(path)) or "body"
    if kind == "json_invalid":
        name, message = "body", f"is no JSON, from character {''.join(path)} on"
    elif where in {"header", "query", "path"}:
        name = f"{where}.{name}"
    elif kind == "extra_forbidden":
        message = f"unknown field; {_nearest(path)}"
    elif not path:
        message = "must be a JSON object in UTF-8; send it with the header Content-Type: application/json"
    elif name in _INNER and kind == "literal_error":
        message += f", or an object such as {{{next(iter(_INNER[name].model_fields))}: …}}"
    return Fault(field=name, message=_clean(f"{message[:1].lower()}{message[1:]}", 400), type=kind)


def _without_tags(path: Sequence[str]) -> list[str]:
    """A place without what the library calls the members of a union: nobody wrote them."""
    return [part for at, part in enumerate(path) if not (at == 1 and path[0] in _INNER)]


_FLAT: Final = ("request", "budget", "search", "output")
_SERVERS: Final = ("generator", "reasoner", "critic", "server")


def _nearest(path: Sequence[str]) -> str:
    if len(path) == 1 and path[0] in _FLAT:
        return f"what a config has in its section {path[0]} stands here by itself, such as prompt or max_iterations"
    if len(path) == 1 and path[0] in _SERVERS:
        return "who renders, writes and judges is the server's to decide; model chooses among what it offers"
    inner = _INNER.get(path[0]) if len(path) > 1 else None
    known = list((inner or RunBody).model_fields)
    near = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.6)
    return f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"


def _clean(text: str, longest: int = 4000) -> str:
    """A text that can be sent: no half characters, not endless."""
    return text[:longest].encode("utf-8", "replace").decode()
