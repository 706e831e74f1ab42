"""The application: every dialect's routes, and what stands before all of them."""

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from agent.errors import StorageError
from agent.server import answers, fal, media, nim, openai_videos, page, signing
from agent.server.context import Context
from agent.server.gate import gated
from agent.server.hosts import Hosts
from agent.server.keys import Keys
from agent.server.metrics import Counted
from agent.server.openapi import documented, operation_id
from agent.server.release import version
from agent.server.runs import routes as runs
from agent.server.storage import fal as fal_storage
from agent.server.storage import own
from agent.server.types import Caller, Refused

DESCRIPTION = """The agentic loop for NVIDIA Cosmos3 video generation, in the words of its users' own clients: fal
(`/fal`), OpenAI Videos (`/v1/videos`), NIM (`/v1/infer`), and our own (`/v1/runs`), which tells most."""
ROUTERS = (
    fal.polled,
    fal.router,
    runs.router,
    fal_storage.rest,
    fal_storage.cdn,
    signing.router,
    openai_videos.router,
    nim.router,
    own.router,
    media.router,
    page.router,
)
"""Those that are polled first: a request is held against one route after the other. What is polled most lies in no
router within another: at each request FastAPI counts the routes of all that it passes through."""


def application(context: Context) -> FastAPI:
    """The server's application.

    Args:
        context: its parts, ready to work.
    """
    app = FastAPI(
        title="Retake",
        description=DESCRIPTION,
        version=version(),
        redirect_slashes=False,  # fal's asynchronous client follows no redirect
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=operation_id,
    )
    app.state.context = context
    for router in ROUTERS:
        app.include_router(router)
    documented(app, context)
    app.add_exception_handler(Refused, answers.on_refused)
    app.add_exception_handler(RequestValidationError, answers.on_invalid)
    app.add_exception_handler(HTTPException, answers.on_http)
    app.add_exception_handler(StorageError, answers.on_storage)
    app.add_exception_handler(OSError, answers.on_storage)
    app.add_exception_handler(Exception, answers.on_broken)
    return app


def guarded(context: Context, keys: Keys | None, *, host: str) -> ASGIApp:
    """The application behind all that stands before it.

    Args:
        context: its parts.
        keys: as `agent.server.access.required` gives them.
        host: the address that the server listens on.
    """

    def holder(token: str) -> Caller | None:
        owner = context.uploads.passes.owner(token)
        if owner is None or not (keys is None or keys.may(owner, "upload")):  # the key may have been taken back since
            return None
        return Caller(owner=owner, scopes=frozenset({"upload"}), passing=True)

    # by its host a request is led to its service first: what stands behind sees the path that it leads to
    gate = gated(application(context), context.served.server, keys, host=host, token=holder)
    return Hosts(Counted(gate, context.metrics))
