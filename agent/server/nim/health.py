"""Whether the server lives, and whether its backends are there; and the figures that Prometheus reads."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from agent.server.context import Context, caller_of, context_of
from agent.server.nim.errors import Envelope, error
from agent.server.readiness import Lack
from agent.server.types import Problem, Refused, refused

router = APIRouter(tags=["Health and metrics"])
DRAINING: Final = "the server is being stopped and takes nothing new"
AWAY: Final = "the process that carries runs was lost and is being started again"
RETRY_SECONDS: Final = 10
_UNCACHED: Final = {"cache-control": "no-store"}


class Health(BaseModel):
    """How it is, in the words of either NIM."""

    object: str
    message: str
    status: str
    description: str


@router.get("/v1/health/live", summary="Whether the server lives", response_model=Health)
async def live() -> Response:
    """Always 200, for as long as anything answers."""
    return JSONResponse(_health("Service is live", "live", "liveness check"), headers=_UNCACHED)


@router.get(
    "/v1/health/ready",
    summary="Whether the backends are there",
    response_model=Health,
    responses={
        404: {"model": Envelope, "description": "There is no such model."},
        422: {"model": Envelope, "description": "The model's name is too long."},
        503: {"model": Health, "description": "What is missing is in `message` and `missing`."},
    },
)
async def ready(
    request: Request,
    model: Annotated[str | None, Query(max_length=200, description="One of the models; null: the default.")] = None,
) -> Response:
    """Whether a request would find all that it needs: the backends were asked within the last seconds.

    What is missing is told to everybody, where it is only to a key with the scope admin.
    """
    context = context_of(request)
    name = context.served.server.model_named(model or context.served.server.default_model)
    if name is None:
        known = ", ".join(context.served.server.models)
        raise refused(404, "not_found", f"model: there is none of this name; there are {known}", loc=("model",))
    lacks = await context.readiness.lacks(name)
    others = {other: "not ready" if found else "ready" for other, found in context.readiness.known().items()}
    told: dict[str, Any] = {"model": name, "models": others}
    facts = context.desk.facts()
    if facts["draining"]:
        why = DRAINING
    elif facts["engine_away"]:
        why = AWAY
    elif lacks:
        why = "; ".join(_said(lack, _is_admin(request, context)) for lack in lacks)
        told["missing"] = [{"part": lack.part, "what": lack.what} for lack in lacks]
    else:
        return JSONResponse({**_health("Service is ready", "ready", "readiness check"), **told}, headers=_UNCACHED)
    message = f"Service is not ready: {why}"
    problem = Problem(status=503, type="service_unavailable", message=message)
    body = {**_health(message, "not ready", "readiness check"), **told, "error": error(problem)}
    return JSONResponse(body, 503, headers={**_UNCACHED, "retry-after": str(RETRY_SECONDS)})


@router.get(
    "/v1/metrics",
    summary="Figures for Prometheus",
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "The figures."}},
    response_class=Response,
)
async def metrics(request: Request) -> Response:
    """Runs, renders, queue, scores, seconds, spend, HTTP requests. Where keys are needed: one with the scope admin."""
    caller_of(request, "admin")
    context = context_of(request)
    content, kind = context.metrics.text(request.headers.get("accept", ""), context.readiness.known())
    return Response(content, headers={**_UNCACHED, "content-type": kind})


def _health(message: str, status: str, check: str) -> dict[str, Any]:
    return {"object": "health.response", "message": message, "status": status, "description": f"Retake {check}"}


def _said(lack: Lack, admin: bool) -> str:
    return f"{lack.part} {lack.what}" + (f" ({lack.where})" if admin and lack.where else "")


def _is_admin(request: Request, context: Context) -> bool:
    if not context.needs_key:
        return False  # anybody may ask: nobody is known to be the operator
    try:
        caller_of(request, "admin")
    except Refused:
        return False
    return True
