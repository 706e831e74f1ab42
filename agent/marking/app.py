"""The server's addresses: the page and its parts, the clips, the reports, and the two of the API."""

import secrets
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from agent import marks, report
from agent.marking.catalogue import Catalogue
from agent.marking.guard import Guard
from agent.marking.keys import KEYS
from agent.marking.saving import RefusedError, Register
from agent.marking.views import MAX_RATER, NewMark, Saved, plain
from agent.sending import REPORT_HEADERS, file_response
from agent.types import Entrant

HERE: Final = Path(__file__).parent
ASSETS: Final = {
    "report.css": (Path(report.__file__).parent / "page.css", "text/css"),
    "page.css": (HERE / "page.css", "text/css"),
    **{name: (HERE / name, "text/javascript") for name in ("page.js", "clips.js", "saving.js")},
}
"""The page's parts; its ground is the report's own style sheet."""
MAX_BODY: Final = 4096
"""Bytes of a mark as it is sent: ten times what one needs."""


def application(catalogue: Catalogue, register: Register, *, port: int, token: str) -> ASGIApp:
    """The whole server, guarded.

    Args:
        catalogue: what there is to mark.
        register: takes the marks.
        port: that it listens on.
        token: who has it may see and mark everything.
    """
    handlers = _Handlers(catalogue, register)
    routes = [
        Route("/", handlers.page),
        Route("/{name}", handlers.asset),
        Route("/clips/{run}/{iteration}/{seed}", handlers.clip),
        Route("/first-frame/{run}", handlers.first_frame),
        Route("/report/{key}/{run}/{name:path}", handlers.report),
        Route("/api/runs", handlers.runs),
        Route("/api/marks", handlers.mark, methods=["POST"]),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _told, Exception: _broken})
    return Guard(app, port=port, token=token, open_path="/report/")


class _Handlers:
    def __init__(self, catalogue: Catalogue, register: Register) -> None:
        self._catalogue = catalogue
        self._register = register

    def page(self, request: Request) -> Response:
        del request
        environment = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined)
        return HTMLResponse(environment.get_template("page.html.j2").render(keys=KEYS, max_rater=MAX_RATER))

    def asset(self, request: Request) -> Response:
        found = ASSETS.get(request.path_params["name"])
        if found is None:
            raise HTTPException(404, "There is no such page here.")
        path, kind = found
        return Response(path.read_bytes(), media_type=kind)

    def runs(self, request: Request) -> Response:
        rater = request.query_params.get("rater", "")
        if len(rater) > MAX_RATER:
            raise HTTPException(422, f"rater: at most {MAX_RATER} characters")
        return _json(self._catalogue.all(plain(rater)))

    async def mark(self, request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise HTTPException(415, "A mark is sent as application/json.")
        try:
            new = NewMark.model_validate_json(await _body(request))
            mark = await run_in_threadpool(self._register.save, new)
        except ValidationError as error:
            raise HTTPException(422, f"This is no mark: {marks.told(error)[:500]}") from error
        except RefusedError as error:
            raise HTTPException(error.status, str(error)) from error
        return _json(Saved(at=mark.at.isoformat(timespec="seconds")))

    def clip(self, request: Request) -> Response:
        run, iteration, seed = (_number(request, name) for name in ("run", "iteration", "seed"))
        path = self._catalogue.clip(run, Entrant(iteration=iteration, seed=seed))
        return _file(path, {"cache-control": "private, max-age=3600"} if "v" in request.query_params else {})

    def first_frame(self, request: Request) -> Response:
        return _file(self._catalogue.first_frame(_number(request, "run")))

    def report(self, request: Request) -> Response:
        key, name = request.path_params["key"], request.path_params["name"]
        if not secrets.compare_digest(key.encode(errors="replace"), self._catalogue.key.encode()):
            raise HTTPException(
                403, "This address is of an earlier start of `retake mark`: open the report from its page."
            )
        path = self._catalogue.beside_report(_number(request, "run"), name)
        return _file(path, REPORT_HEADERS, kind="text/html" if name == report.NAME else None)


def _file(path: Path | None, headers: dict[str, str] | None = None, kind: str | None = None) -> Response:
    """A file, whole or the range that is asked for."""
    text = "text/plain" if path is not None and path.suffix in {".json", ".jsonl", ".yaml"} else None
    response = None if path is None else file_response(path, headers, kind or text)
    if response is None:
        raise HTTPException(404, "There is no such file, or it may not be shown.")
    return response


def _number(request: Request, name: str) -> int:
    word: str = request.path_params[name]
    if not (word.isascii() and word.isdigit() and len(word) <= 20):
        raise HTTPException(404, f"{name}: must be a whole number")
    return int(word)


async def _body(request: Request) -> bytes:
    """The request's body, read no further than a mark is long."""
    body = b""
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY:
                raise HTTPException(413, f"A mark has at most {MAX_BODY} bytes.")
    except ClientDisconnect as error:
        raise HTTPException(400, "The request was cut off.") from error
    return body


def _json(view: BaseModel) -> Response:
    return Response(view.model_dump_json(), media_type="application/json")


def _told(request: Request, error: Exception) -> Response:
    """A refusal as a sentence."""
    status, why = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, str(error))
    headers = error.headers if isinstance(error, HTTPException) else None
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": why}, status, headers)
    return PlainTextResponse(why + "\n", status, headers)


def _broken(request: Request, error: Exception) -> Response:
    """A fault of ours: said, and nothing is shown of it but its kind."""
    why = f"retake mark failed ({type(error).__name__}); its terminal says more."
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": why}, 500)
    return PlainTextResponse(why + "\n", 500)
