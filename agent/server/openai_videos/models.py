"""`/v1/models`: what may be named as a model."""

import time
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from agent.server.context import caller_of, context_of
from agent.server.openai_videos import documents
from agent.server.openai_videos.mapping import unknown_model
from agent.server.openai_videos.video import answer

router = APIRouter()
_STARTED: Final = int(time.time())
"""Stands for when a model was made, which nobody here knows."""


@router.get("/v1/models", response_class=Response, responses=documents.answers(documents.ModelList))
async def models(request: Request) -> Response:
    """The models of this server, each with the other names that it answers to."""
    caller_of(request, "read")
    found = context_of(request).served.server.models
    return answer({"object": "list", "data": [_model(name, its.aliases) for name, its in found.items()]})


@router.get("/v1/models/{model:path}", response_class=Response, responses=documents.answers(documents.ModelObject))
async def model(model: str, request: Request) -> Response:
    """A model by its name or an alias."""
    caller_of(request, "read")
    server = context_of(request).served.server
    name = server.model_named(model)
    if name is None:
        raise unknown_model(model, tuple(server.models))
    return answer(_model(name, server.models[name].aliases))


def _model(name: str, aliases: tuple[str, ...]) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _STARTED, "owned_by": "retake", "aliases": list(aliases)}
