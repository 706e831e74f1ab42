"""Request bodies as the served OpenAPI describes them: they are read by hand, since they come as JSON and as forms."""

from typing import Any, Final

from pydantic import BaseModel

from agent.server.openai_videos.wish import Reference

_FILE: Final = {"type": "string", "format": "binary", "description": "The first frame, or a video to go on from."}


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
    return {"requestBody": {"required": True, "content": content}}


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema()
    schema.pop("$defs", None)  # no parameter refers to another model
    return schema
