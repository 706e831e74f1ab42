"""A refusal as the openai clients read it: one envelope, and whether asking again is of any use."""

from typing import Final

from starlette.responses import JSONResponse, Response

from agent.server.answers import Faults, answers_for
from agent.server.types import Problem

_CODES: Final = {
    "missing": "missing_required_parameter",
    "extra_forbidden": "unknown_parameter",
    "string_unicode": "invalid_value",
    "value_error": "invalid_value",
    "content_policy_violation": "moderation_blocked",
    "unauthorized": "invalid_api_key",
    "too_many_requests": "rate_limit_exceeded",
    "request_timeout": "timeout",
    "client_cancelled": "cancelled",
}
"""OpenAI's word, where it has another one than fal or pydantic."""
PARAMS: Final = {
    "max_iterations": "agentic_max_iterations",
    "samples_per_iteration": "agentic_samples_per_iteration",
    "early_stop": "agentic_early_stop",
    "agentic": "enable_agentic_generation",
    "safety_checker": "enable_safety_checker",
    "image": "input_reference",
    "image_url": "input_reference",
    "video": "input_reference",
    "video_url": "input_reference",
}
"""This dialect's name of a field that is called otherwise where it was found wrong."""
_SECTIONS: Final = ("body", "query", "path", "header", "request", "budget", "critic", "search", "output")
_WORTH_ASKING_AGAIN: Final = frozenset({408, 429, 502, 503, 504})


def code_of(kind: str) -> str:
    """The word for a kind of problem in `error.code`."""
    if kind in _CODES:
        return _CODES[kind]
    if kind.endswith(("_type", "_parsing")):
        return "invalid_type"
    return "invalid_value" if kind.startswith(("greater_", "less_", "string_", "literal_", "finite_")) else kind


def param_of(loc: tuple[str | int, ...]) -> str | None:
    """The parameter that a place in a request or a config stands for; None: it is about none."""
    names = [str(part) for part in loc]
    while len(names) > 1 and names[0] in _SECTIONS:
        names.pop(0)
    return ".".join([PARAMS.get(names[0], names[0]), *names[1:]])[:200] if names else None


def status_of(status: int) -> int:
    """The code that a problem is answered with: wrong input is 400, as OpenAI has it, and nothing is a conflict.

    The clients ask again after a 409, as if a lock were in the way.
    """
    return 400 if status in {409, 422} else status


def type_of(status: int) -> str:
    """`error.type` by the HTTP code that a problem has."""
    if status >= 500:
        return "server_error"
    return "rate_limit_error" if status == 429 else "invalid_request_error"


@answers_for("/v1/videos", "/v1/models")
def put(problem: Problem, faults: Faults) -> Response:
    """`{"error": {"message", "type", "param", "code"}}`, the classes of the clients following from the HTTP code."""
    status = status_of(problem.status)
    problem = problem.called(PARAMS)
    loc = problem.loc
    kind = problem.type
    if faults and isinstance(found := faults[0].get("loc"), tuple):
        loc, kind = found, str(faults[0].get("type", kind))
    error = {
        "message": problem.message,
        "type": type_of(status),
        "param": param_of(loc),
        "code": code_of(kind),
    }
    headers = {} if status in _WORTH_ASKING_AGAIN else {"x-should-retry": "false"}
    return JSONResponse({"error": error}, status, headers)
