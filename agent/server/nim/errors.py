"""Refusals in NIM's envelope, and what is wrong with a body, in words."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json
from starlette.responses import JSONResponse, Response

from agent.server.answers import Faults, answers_for
from agent.server.nim.forms import CONTROLS, FORMS, ControlInput, Form, VideoParams, name_of
from agent.server.types import Problem, Refused, refused

KINDS: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "method_not_allowed",
    422: "invalid_request_error",
    429: "rate_limit_error",
}
"""By HTTP status. A refusal by the safety checker is told by its own word: clients look for that."""
TWINS: Final = {
    "num_output_frames": "num_frames",
    "num_frames": "num_output_frames",
    "steps": "num_inference_steps",
    "num_inference_steps": "steps",
    "image": "input_reference",
    "video": "input_reference",
    "input_reference": "image",
}
"""What a field is called in the other form of the Cosmos3 NIM."""
_STEPS: Final = {"num_inference_steps": "steps"}
_NAMES: Final[dict[str, dict[str, str]]] = {
    "v1": {"num_frames": "num_output_frames", "size": "resolution", **_STEPS},
    "v2": {"image": "input_reference", "video": "input_reference", "size": "resolution"},
    "predict": {"num_frames": "video_params.frames_count", "fps": "video_params.frames_per_sec", **_STEPS},
    "transfer": {"size": "resolution", "controls": ", ".join(CONTROLS), **_STEPS},
}
"""What each form calls a field that has another name where a run finds it wrong."""
MOST: Final = 8
"""Faults that are told at once."""


class Envelope(BaseModel):
    """An error, as NIM puts it."""

    class Error(BaseModel):
        """What went wrong."""

        message: str
        type: str
        code: int

    error: Error


@answers_for("/v1")
def envelope(problem: Problem, faults: Faults) -> Response:
    """NIM's form of an error, which every path under /v1 without a dialect of its own has, too."""
    del faults  # the message names the fields
    return JSONResponse({"error": error(problem)}, problem.status)


def error(problem: Problem) -> dict[str, Any]:
    """What the envelope holds."""
    otherwise = "server_error" if problem.status >= 500 else "invalid_request_error"
    kind = KINDS.get(problem.status, otherwise)
    if problem.type == "content_policy_violation":
        kind = problem.type
    return {"message": problem.message, "type": kind, "code": problem.status}


def read(body: bytes) -> Form:
    """A body of POST /v1/infer.

    Raises:
        Refused: 400 where it is no JSON, 422 where it is none of the forms.
    """
    try:
        found = from_json(body, allow_inf_nan=False)
    except ValueError as fault:
        raise refused(400, "bad_request", f"Malformed JSON in the request body: {fault}") from fault
    if not isinstance(found, dict):
        raise refused(422, "value_error", 'body: must be a JSON object, such as {"prompt": "…"}')
    name = name_of(found)
    try:
        return FORMS[name].model_validate(found)
    except ValidationError as fault:
        raise _invalid(fault, name) from None


def names_of(form: Form) -> Mapping[str, str]:
    """What a body's form calls the fields of a run, where that is another name."""
    return next(_NAMES[name] for name, its in FORMS.items() if isinstance(form, its))


def _invalid(fault: ValidationError, form: str) -> Refused:
    said, first = [], ""
    for each in fault.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(str(part)[:60] for part in each["loc"])
        message = each["msg"].removeprefix("Value error, ")
        if each["type"] == "extra_forbidden":
            message = f"unknown field{_cure(each['loc'], form)}"
        first = first or place or message.partition(":")[0]
        said.append(f"{place}: {message}" if place else message)
    more = f"; and {len(said) - MOST} more" if len(said) > MOST else ""
    loc = tuple(first.split(".")) if first else ()
    return refused(422, "value_error", "; ".join(said[:MOST]) + more, loc=loc)


def _cure(place: tuple[int | str, ...], form: str) -> str:
    field, *within = map(str, place)
    if within:
        inner = VideoParams if field == "video_params" else ControlInput
        return f"; in {field} there are {', '.join(inner.model_fields)}"
    twin = TWINS.get(field)
    if form == "v2" and twin in FORMS["v2"].model_fields:
        return f"; with model_mode it is called {twin}"
    if form == "v1" and twin in FORMS["v1"].model_fields:
        return f"; without model_mode it is called {twin}"
    return f"; there are {', '.join(FORMS[form].model_fields)}"
