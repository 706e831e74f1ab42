"""Bodies and answers as the served OpenAPI describes them: bodies come as JSON and as forms, and are read by hand."""

from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from agent.server.openai_videos.pace import HEADER
from agent.server.openai_videos.wish import Reference
from agent.server.openapi import headers, idempotency_key

LONGEST_KEY: Final = 255
"""Characters of an Idempotency-Key."""
_FILE: Final = {"type": "string", "format": "binary", "description": "The first frame, or a video to go on from."}


class _Told(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class VideoError(_Told):
    """Why a video failed."""

    code: str
    message: str
    param: str | None
    type: str


class VideoObject(_Told):
    """A video."""

    id: str
    object: Literal["video"]
    model: str
    """As GET /v1/models has it, whichever alias was asked for."""
    status: Literal["queued", "in_progress", "completed", "failed"]
    """A video that was taken back is failed, with the error's code cancelled."""
    progress: int
    """Per cent of its budget's work."""
    created_at: int
    """Seconds since 1970."""
    completed_at: int | None
    expires_at: int | None
    """Its files are removed then. null: not known yet, or never."""
    size: str
    """WxH that it has, or will have; auto: the shape of its first frame decides."""
    seconds: str
    prompt: str
    """As it was asked; what was rendered from it is in agentic."""
    remixed_from_video_id: str | None
    error: VideoError | None
    agentic: dict[str, Any]
    """What the loop did: score, threshold, stop_reason, candidates with their addresses, requested beside effective."""


class VideoList(_Told):
    """A page of videos; their `agentic` is without candidates and prompts."""

    object: Literal["list"]
    data: list[VideoObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class Deleted(_Told):
    """A video that is gone."""

    id: str
    object: Literal["video.deleted"]
    deleted: Literal[True]


class ModelObject(_Told):
    """A model that may be named."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    aliases: list[str]
    """Other names that it answers to."""


class ModelList(_Told):
    """All of them."""

    object: Literal["list"]
    data: list[ModelObject]


class ErrorObject(_Told):
    """What was wrong."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorBody(_Told):
    """A refusal."""

    error: ErrorObject


def answers(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """What FastAPI tells of a route's answers."""
    polled = headers(**{HEADER: "Milliseconds until asking again is worth it."}) if model is VideoObject else {}
    return {200: {"model": model, **polled}, **refusals()}


def refusals() -> dict[int | str, dict[str, Any]]:
    """Of those that are the same everywhere."""
    return {"4XX": {"model": ErrorBody}, "5XX": {"model": ErrorBody}}


def body(model: type[BaseModel], *, reference: bool = False) -> dict[str, Any]:
    """What FastAPI adds to a route's description.

    Args:
        model: the parameters.
        reference: whether `input_reference` is one more.
    """
    json, form = _schema(model), _schema(model)
    if reference:
        json["properties"]["input_reference"] = _schema(Reference)
        form["properties"]["input_reference"] = _FILE
    content = {"application/json": {"schema": json}, "multipart/form-data": {"schema": form}}
    return {"requestBody": {"required": True, "content": content}, **idempotency_key(LONGEST_KEY)}


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    schema.pop("$defs", None)  # no parameter refers to another model
    return schema
