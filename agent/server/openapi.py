"""The server's OpenAPI document: what every operation is called, who may ask, and where."""

import re
from collections.abc import Iterator
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from agent.server.context import Context

TAGS: Final = {
    "runs": "Our own API, which tells most: hand a run in, follow it, fetch its files.",
    "uploads": "Files sent ahead of the request that names them.",
    "media": "Files of runs, at addresses that hold a secret of their own and need no key.",
    "OpenAI": "OpenAI Videos, as `OpenAI(base_url=…/v1).videos` has it.",
    "NIM": "NVIDIA's NIM for Cosmos3 generators.",
    "fal": "fal's queue and synchronous runs.",
    "fal storage": "fal's uploads.",
    "Health and metrics": "Whether it lives and is ready, and figures for Prometheus.",
    "webhooks": "What the signature of a webhook is checked with.",
}
"""Parts of the API, in the order of the page."""
_SCHEMES: Final = {
    "Bearer": {"type": "http", "scheme": "bearer", "description": "`Authorization: Bearer KEY`"},
    "Key": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`Authorization: Key KEY`, as fal's clients send it",
    },
}
_OPEN: Final = re.compile(r"/media/|/uploads/\{|/v1/health|\.well-known|/openapi\.json")
"""Addresses that answer without a key."""


def idempotency_key(longest: int) -> dict[str, Any]:
    """What FastAPI adds to the description of a route that reads the header by hand."""
    told = {
        "name": "Idempotency-Key",
        "in": "header",
        "required": False,
        "description": "The same key of the same caller gives the same run: where an answer is lost, ask again.",
        "schema": {"type": "string", "minLength": 1, "maxLength": longest},
    }
    return {"parameters": [told]}


def headers(**told: str) -> dict[str, Any]:
    """Of an answer, as its description has them: what each says, by its name with _ for -."""
    return {
        "headers": {
            name.replace("_", "-"): {"description": words, "schema": {"type": "string"}} for name, words in told.items()
        }
    }


def operation_id(route: APIRoute) -> str:
    """What generated clients call an operation that does not say itself: its method and path."""
    method = min(route.methods or {"GET"}).lower()
    return f"{method}_{re.sub('[^a-z0-9]+', '_', route.path_format.lower()).strip('_')}"


def documented(app: FastAPI, context: Context) -> None:
    """Let the application give this document at /openapi.json.

    Args:
        app: with all its routes.
        context: whose address it names, and whether a key is needed.
    """

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, context)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI, context: Context) -> dict[str, Any]:
    made = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        routes=app.routes,
        servers=[{"url": context.served.server.public_url or "/"}],
    )
    used = {tag for _, operation in _operations(made) for tag in operation.get("tags", ())}
    made["tags"] = [{"name": name, "description": words} for name, words in TAGS.items() if name in used]
    made.setdefault("components", {})["securitySchemes"] = _SCHEMES
    either: list[dict[str, list[str]]] = [{name: []} for name in _SCHEMES]
    made["security"] = either if context.needs_key else [*either, {}]
    for path, operation in _operations(made):
        if _OPEN.search(path):
            operation["security"] = []
        _without_the_frameworks(operation)
    return made


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for operation in item.values():
            if isinstance(operation, dict):
                yield path, operation


def _without_the_frameworks(operation: dict[str, Any]) -> None:
    """The framework promises its own form of a refusal where a route names none; ours are `Refusal`s or a dialect's."""
    told = operation.get("responses", {}).get("422", {})
    schema = told.get("content", {}).get("application/json", {}).get("schema", {})
    if schema.get("$ref", "").endswith("/HTTPValidationError"):
        told.pop("content")
        told["description"] = "A field is wrong: the answer names it."
