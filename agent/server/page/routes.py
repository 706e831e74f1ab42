"""The page's addresses: itself, its parts, what its form offers, and one run as it shows it."""

import asyncio
from functools import cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from agent import report
from agent.server.context import caller_of, context_of
from agent.server.media import media_url
from agent.server.page.keys import KEYS
from agent.server.page.offering import model_form, offer
from agent.server.page.shelf import Shelf
from agent.server.page.views import ModelForm
from agent.server.scrub import Scrub
from agent.server.types import refused

HERE: Final = Path(__file__).parent
SCRIPTS: Final = tuple(sorted(path.name for path in HERE.glob("*.js")))
ASSETS: Final = {
    "report.css": (Path(report.__file__).parent / "page.css", "text/css"),
    "page.css": (HERE / "page.css", "text/css"),
    **{name: (HERE / name, "text/javascript") for name in SCRIPTS},
}
"""The page's parts; its ground is the report's own style sheet."""
HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-cache",
}
"""Of the page and its parts, beside those of every answer. blob: is an image that was chosen and not sent yet."""

router = APIRouter(include_in_schema=False)


@router.get("/")
async def page() -> Response:
    """The page. It holds nothing that a key would have to protect."""
    return HTMLResponse(_html(), headers=HEADERS)


@router.get("/v1/page/form")
async def form(request: Request) -> Response:
    """What may be asked of each model."""
    caller, served = caller_of(request, "read"), context_of(request).served
    made = await asyncio.to_thread(_models, request)
    return _json(offer(served, caller, made))


@router.get("/v1/page/runs/{id}")
async def run(request: Request, id: str) -> Response:  # noqa: A002 - as the address has it
    """One run as far as it has come. 404: there is none of the caller's; 204: nothing of it is on the disk yet."""
    desk = context_of(request).desk
    job = desk.find(id, caller_of(request, "read"))
    if job is None:
        raise refused(404, "not_found", "there is no such run, or it was removed")
    shelf = _shelf(request)
    found = await asyncio.to_thread(shelf.look, job, desk.folder(job), lambda file: media_url(".", job, file))
    if found is None:
        return Response(status_code=204)
    tag, view = found
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"etag": tag})
    return Response(view, media_type="application/json", headers={"etag": tag, "cache-control": "private, no-cache"})


@router.get("/page/{name}")
async def asset(name: str) -> Response:
    """A style sheet or script of the page."""
    if name not in ASSETS:
        raise refused(404, "not_found", "there is no such part of the page")
    text, kind = _asset(name)
    return Response(text, media_type=kind, headers=HEADERS)


@cache
def _html() -> str:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("page.html.j2").render(keys=KEYS, scripts=SCRIPTS)


@cache
def _asset(name: str) -> tuple[bytes, str]:
    path, kind = ASSETS[name]
    return path.read_bytes(), kind


def _shelf(request: Request) -> Shelf:
    state = request.app.state
    if not hasattr(state, "page_shelf"):
        served = context_of(request).served
        state.page_shelf = Shelf(Scrub(served.models.values(), [served.folder]))
    shelf: Shelf = state.page_shelf
    return shelf


def _models(request: Request) -> tuple[ModelForm, ...]:
    """Made once: a server's config does not change while it runs."""
    state = request.app.state
    if not hasattr(state, "page_models"):
        state.page_models = tuple(model_form(*item) for item in context_of(request).served.models.items())
    made: tuple[ModelForm, ...] = state.page_models
    return made


def _json(view: BaseModel) -> Response:
    return Response(
        view.model_dump_json(), media_type="application/json", headers={"cache-control": "private, no-cache"}
    )
