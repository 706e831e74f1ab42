"""Every model's two addresses: in the queue, and in one synchronous call."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from agent.server import waiting
from agent.server.answers import answer
from agent.server.context import caller_of, context_of
from agent.server.fal import models, requests
from agent.server.fal.answers import REQUEST_ID, addresses, app_of
from agent.server.fal.outputs import CogVideoXOutput, Submitted, VideoOutput
from agent.server.fal.proxy import Proxy
from agent.server.fal.taking import QUEUE, queue_base, taken, unknown
from agent.server.types import Job, Refused

RUN: Final = "/fal/run"
ENDPOINTS: Final[dict[str, tuple[type[models.Input], type[VideoOutput]]]] = {
    "nvidia/cosmos-3-super/image-to-video": (models.Cosmos3ImageToVideo, VideoOutput),
    "nvidia/cosmos-3-super/text-to-video": (models.Cosmos3TextToVideo, VideoOutput),
    "fal-ai/cosmos-predict-2.5/image-to-video": (models.PredictImageToVideo, VideoOutput),
    "fal-ai/cosmos-predict-2.5/text-to-video": (models.PredictTextToVideo, VideoOutput),
    "fal-ai/cogvideox-5b/image-to-video": (models.CogVideoXImageToVideo, CogVideoXOutput),
}
"""What each takes and gives."""
Handler = Callable[..., Coroutine[Any, Any, Response]]

router = APIRouter(tags=["fal"])


def _submitting(endpoint: str) -> Handler:
    async def submit(asked: models.Input, request: Request) -> Response:
        job = await taken(request, asked, endpoint)
        told = {"status": "IN_QUEUE", "queue_position": context_of(request).desk.position(job)}
        return JSONResponse({**told, **addresses(job, queue_base(request))}, headers={REQUEST_ID: job.id})

    return submit


def _running(endpoint: str) -> Handler:
    async def run(asked: models.Input, request: Request) -> Response:
        return _Awaited(request, await taken(request, asked, endpoint, waits=True))

    return run


class _Awaited(Response):
    """The answer to a synchronous call. It waits where the handler is over and what the call brought is let go of."""

    def __init__(self, request: Request, job: Job) -> None:
        super().__init__()
        self._request, self._job = request, job

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        waiting.let_go(self._request)
        request, job, context = self._request, self._job, context_of(self._request)
        seconds, caller = context.served.server.limits.sync_seconds, caller_of(request, "run")
        try:
            cancel = job.idempotency_key is None  # who gave a key will ask again with it
            over = await waiting.ended(request, context.desk, job, caller, seconds, cancel=cancel)
        except Refused as error:
            response = answer(scope, error.problem, error.retry_after)
            response.headers[REQUEST_ID] = job.id  # it may go on, and is asked after in the queue then
        else:
            response = await requests.answered(request, over)
        await response(scope, receive, send)


def _add(endpoint: str, takes: type[models.Input], gives: type[VideoOutput]) -> None:
    """A model's routes, each of its own so that the served OpenAPI knows every field."""
    for service, handler, told, what in (
        (QUEUE, _submitting(endpoint), Submitted, "Queue"),
        (RUN, _running(endpoint), gives, "Run"),
    ):
        handler.__annotations__["asked"] = takes
        path = f"{service}/{endpoint}"
        summary = f"{what} {endpoint}"
        router.add_api_route(path, handler, methods=["POST"], summary=summary, responses={200: {"model": told}})
        # a client that was given a whole URL as the model's id ends it with a slash
        router.add_api_route(path + "/", handler, methods=["POST"], include_in_schema=False)


for _endpoint, (_takes, _gives) in ENDPOINTS.items():
    _add(_endpoint, _takes, _gives)


@router.post(QUEUE + "/{app:path}", include_in_schema=False)
@router.post(RUN + "/{app:path}", include_in_schema=False)
async def other(request: Request) -> Response:
    """Models that are not here."""
    caller_of(request, "run")
    server = context_of(request).served.server
    known = [endpoint for endpoint in ENDPOINTS if server.model_named(app_of(endpoint)) is not None]
    raise unknown(request.path_params["app"], known)


router.routes.append(Route("/fal/proxy", Proxy()))
